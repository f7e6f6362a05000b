//! Damage is found to the block, and healed by little more than the block.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test: it fails where something is not as it should be, and makes files"
)]

use std::fs;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use samara_tests::support::{Install, Studio, assert_same};

const MIB: usize = 1 << 20;

/// Turns one byte over, in place.
fn damage(path: &Path, at: u64) {
    let mut file = fs::OpenOptions::new().read(true).write(true).open(path).unwrap();
    let mut byte = [0];
    file.seek(SeekFrom::Start(at)).unwrap();
    file.read_exact(&mut byte).unwrap();
    file.seek(SeekFrom::Start(at)).unwrap();
    file.write_all(&[!byte[0]]).unwrap();
}

#[test]
fn one_byte_of_a_large_file_costs_at_most_four_blocks() {
    let studio = Studio::new("maple");
    let build = studio.scratch("build");
    fs::create_dir(&build).unwrap();
    let mut bytes = vec![0; 64 * MIB];
    ChaCha8Rng::seed_from_u64(1).fill_bytes(&mut bytes);
    fs::write(build.join("world.pak"), &bytes).unwrap();
    fs::write(build.join("readme.txt"), "small").unwrap();
    let published = studio.try_publish(&build, "1.0", &["--piece-len", "1048576"]);
    assert_eq!(published.ok()["piece_len"], MIB);
    let seedbox = studio.serve();
    let player = studio.player("player");
    let _ = player.install(&[]).ok();

    for (mode, at) in
        [("", 40_000_001), ("--no-peers", 0), ("--no-web", 64 * MIB as u64 - 1), ("", 16 * 1024)]
    {
        let mode: Vec<&str> = mode.split_terminator(' ').collect();
        damage(&player.dir.join("world.pak"), at);
        let found = player.verify(&[]);
        assert_eq!(found.damaged()["wounds"][0]["path"], "world.pak", "{found}");
        let healed = player.verify(&[&mode[..], &["--repair"]].concat());
        let done = Install::of(healed.ok());
        println!("{mode:?} at {at}: {done:?}");
        assert!((1..=64 * 1024).contains(&done.network()), "{mode:?}: {done:?}");
        if mode == ["--no-peers"] {
            assert_eq!(done.peers + done.lan, 0);
        }
        assert_same(&build, &player.dir);
    }
    let _ = seedbox.stop();

    // Finding damage needs nobody; healing says what is missing, and the game stays as it is.
    damage(&player.dir.join("world.pak"), 5);
    player.verify(&[]).damaged();
    player.verify(&["--repair", "--patience", "2"]).failed("E-NO-SOURCES");
    let _seedbox = studio.serve();
    let _ = player.verify(&["--repair"]).ok();
    assert_same(&build, &player.dir);
}

#[test]
fn missing_cut_and_foreign_files() {
    let studio = Studio::new("maple");
    let build = studio.scratch("build");
    samara_tests::fixtures::generate_release(&build, samara_tests::fixtures::GameSize::Small, 1).unwrap();
    studio.publish(&build, "1.0");
    let _seedbox = studio.serve();
    let player = studio.player("player");
    let _ = player.install(&[]).ok();
    fs::remove_file(player.dir.join("run.sh")).unwrap();
    fs::remove_dir_all(player.dir.join("scripts/act-2")).unwrap();
    fs::write(player.dir.join("version.txt"), "").unwrap();
    fs::write(player.dir.join("mod.txt"), "a mod").unwrap();
    player.verify(&[]).damaged();
    let _ = player.verify(&["--repair"]).ok();
    assert_eq!(fs::read_to_string(player.dir.join("mod.txt")).unwrap(), "a mod");
    fs::remove_file(player.dir.join("mod.txt")).unwrap();
    for entry in walkdir::WalkDir::new(&player.dir) {
        let path = entry.unwrap().path().display().to_string();
        assert!(!path.contains("kept"), "{path}");
    }
    assert_same(&build, &player.dir);
}
