//! Back to the release before, without anybody, and forward again for nothing.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test: it fails where something is not as it should be, and makes files"
)]

use std::fs;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use samara_tests::fixtures::{GameSize, generate_release};
use samara_tests::support::{Install, Player, Studio, assert_same, freeciv};

const MIB: u64 = 1 << 20;

/// Turns bytes over, in place.
fn change(path: &Path, places: impl IntoIterator<Item = u64>) {
    let mut file = fs::OpenOptions::new().read(true).write(true).open(path).unwrap();
    for at in places {
        let mut byte = [0];
        file.seek(SeekFrom::Start(at)).unwrap();
        file.read_exact(&mut byte).unwrap();
        file.seek(SeekFrom::Start(at)).unwrap();
        file.write_all(&[!byte[0]]).unwrap();
    }
}

/// A generated game with one large file of which a release changes a few places, and its studio.
fn game() -> (Studio, [PathBuf; 2]) {
    let studio = Studio::new("maple");
    let builds = [1, 2].map(|release| {
        let build = studio.scratch(&format!("build-{release}"));
        generate_release(&build, GameSize::Small, release).unwrap();
        let mut archive = vec![0; 16 * MIB as usize];
        ChaCha8Rng::seed_from_u64(1).fill_bytes(&mut archive);
        fs::write(build.join("archive.pak"), &archive).unwrap();
        build
    });
    change(&builds[1].join("archive.pak"), (0..10).map(|place| place * MIB + 77_777));
    studio.publish(&builds[0], "1");
    (studio, builds)
}

/// Whatever of a release the launcher was asked for, it is whole by its own account.
fn intact(player: &Player, version: &str) {
    let verified = player.verify(&[]);
    assert_eq!((&verified.ok()["intact"], &verified.ok()["release"]), (&true.into(), &version.into()));
}

#[test]
fn back_without_anybody_and_forward_for_nothing() {
    let (studio, [old, new]) = game();
    let seedbox = studio.serve();
    let player = studio.player("player");
    let _ = player.install(&[]).ok();
    player.rollback(&[]).failed("E-ROLLBACK-NOTHING");
    assert_same(&old, &player.dir);
    studio.publish(&new, "2");
    let updated = player.update(&[]);
    assert_same(&new, &player.dir);
    let status = player.status();
    assert_eq!(status.ok()["previous"], "1", "{status}");
    let kept = status.ok()["undo_bytes"].as_u64().unwrap();
    assert!((160 << 10..4 * MIB).contains(&kept), "of the large file only what changed: {status}");
    let _ = seedbox.stop();

    for _ in 0..2 {
        let back = player.rollback(&[]);
        assert_eq!(back.ok()["release"], "1");
        assert_eq!(Install::of(back.ok()).network(), 0);
        assert_same(&old, &player.dir);
        intact(&player, "1");
        assert_eq!(player.status().ok()["previous"], serde_json::Value::Null, "there is nothing before it");
        player.rollback(&[]).failed("E-ROLLBACK-NOTHING");

        // The release is a whole one: what is damaged is mended, and its own torrent is there to do it.
        let seedbox = studio.serve();
        change(&player.dir.join("archive.pak"), [5 * MIB]);
        let _ = player.verify(&["--repair"]).ok();
        assert_same(&old, &player.dir);
        let mut seeding = player.start_seed(&[]);
        seeding.wait_for("seeding", |event| event["phase"] == "seeding");
        let _ = seeding.kill();

        let again = player.update(&[]);
        assert_eq!(Install::of(again.ok()).network(), 0, "{again}, at first {updated}");
        assert_same(&new, &player.dir);
        intact(&player, "2");
        let _ = seedbox.stop();
    }
}

#[test]
fn what_is_kept_is_bounded_and_checked() {
    let (studio, [old, new]) = game();
    let _seedbox = studio.serve();
    let players = ["none", "cut", "changed"].map(|name| studio.player(name));
    for player in &players {
        let _ = player.install(&[]).ok();
    }
    studio.publish(&new, "2");
    let [none, cut, changed] = &players;
    let _ = none.update(&["--undo-quota", "100k"]).ok();
    assert_eq!(none.status().ok()["undo_bytes"], 0);
    none.rollback(&[]).failed("E-ROLLBACK-NOTHING");

    let blocks = |player: &Player| {
        let kept = walkdir::WalkDir::new(player.dir.join(".samara/undo")).into_iter().map(Result::unwrap);
        let mut kept = kept.filter(|entry| entry.metadata().unwrap().len() == 16 * MIB);
        kept.next().unwrap().into_path()
    };
    let _ = cut.update(&[]).ok();
    fs::remove_file(blocks(cut)).unwrap();
    cut.rollback(&[]).failed("E-ROLLBACK-NOTHING");

    let _ = changed.update(&[]).ok();
    change(&blocks(changed), [3 * MIB + 77_777]);
    changed.rollback(&[]).failed("E-ROLLBACK-INCOMPLETE");

    for player in &players {
        assert_same(&new, &player.dir);
        intact(player, "2");
        let _ = player.install(&["--release", "1"]).ok();
        assert_same(&old, &player.dir);
    }
}

#[test]
fn a_real_game_back_and_forth() {
    let Some(builds) = freeciv() else { return };
    let [(_, _), (_, old), (_, new)] = &builds[..] else { return };
    let studio = Studio::new("freeciv");
    studio.publish(old, "3.1.4");
    let seedbox = studio.serve();
    let player = studio.player("player");
    let _ = player.install(&[]).ok();
    studio.publish(new, "3.2.6");
    let update = player.update(&[]);
    assert_same(new, &player.dir);
    let _ = seedbox.stop();
    let back = player.rollback(&[]);
    assert_eq!(Install::of(back.ok()).network(), 0);
    assert_same(old, &player.dir);
    let _seedbox = studio.serve();
    let again = player.update(&[]);
    assert_eq!(Install::of(again.ok()).network(), 0, "{again}");
    assert_same(new, &player.dir);
    for (what, run) in [("update", &update), ("rollback", &back), ("update again", &again)] {
        println!("{what}: {} s, {:?}", run.ok()["seconds"], Install::of(run.ok()));
    }
}
