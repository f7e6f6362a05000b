//! The player's folder: not empty, another game's, in use, full, read-only, known already, interrupted.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test: it fails where something is not as it should be, and makes files"
)]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use samara_tests::fixtures::{GameSize, compare_trees, generate_release};
use samara_tests::support::{Install, Player, Seedbox, SmallDisk, Studio, assert_same, no_samara};

/// A studio that serves the first release of the generated game; the second lies ready.
fn world() -> (Studio, Seedbox) {
    let studio = Studio::new("maple");
    for release in [1, 2] {
        generate_release(&studio.scratch(&format!("build-{release}")), GameSize::Small, release).unwrap();
    }
    studio.publish_plain(&studio.scratch("build-1"), "1.0");
    let seedbox = studio.serve();
    (studio, seedbox)
}

fn names(folder: &Path) -> Vec<String> {
    let entries =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = entries.collect();
    names.sort();
    names
}

#[test]
fn folders_that_are_not_ours() {
    let (studio, _seedbox) = world();
    let player = studio.player("player");
    fs::create_dir(&player.dir).unwrap();
    fs::write(player.dir.join("thesis.txt"), "my thesis").unwrap();
    player.install(&[]).failed("E-FOLDER-NOT-EMPTY");
    assert_eq!(names(&player.dir), ["thesis.txt"]);
    player.update(&[]).failed("E-FOLDER-NOT-INSTALLED");
    player.verify(&[]).failed("E-FOLDER-NOT-INSTALLED");
    player.uninstall().failed("E-FOLDER-NOT-INSTALLED");
    player.status().failed("E-FOLDER-NOT-INSTALLED");
    assert_eq!(fs::read_to_string(player.dir.join("thesis.txt")).unwrap(), "my thesis");

    let nowhere = studio.player("nowhere");
    nowhere.update(&[]).failed("E-FOLDER-MISSING");
    let mut file = studio.player("a file");
    fs::write(&file.dir, "x").unwrap();
    file.install(&[]).failed("E-FOLDER-NOT-A-FOLDER");
    file.dir = file.dir.join("below");
    assert!(!file.install(&[]).status.success());
}

#[test]
fn another_games_folder() {
    let (studio, _seedbox) = world();
    let player = studio.player("player");
    let _ = player.install(&[]).ok();
    let other = Studio::new("oak");
    fs::create_dir(other.scratch("build")).unwrap();
    fs::write(other.scratch("build/oak.bin"), "oak").unwrap();
    other.publish(&other.scratch("build"), "1.0");
    let _other_seedbox = other.serve();
    let mut wrong = other.player("wrong");
    wrong.dir.clone_from(&player.dir);
    wrong.install(&[]).failed("E-FOLDER-OTHER-GAME");
    wrong.install(&["--adopt"]).failed("E-FOLDER-OTHER-GAME");
    assert_same(&studio.scratch("build-1"), &player.dir);
    assert_eq!(player.verify(&[]).ok()["intact"], true);
}

#[test]
fn two_launchers_on_one_folder() {
    let (studio, _seedbox) = world();
    let player = studio.player("player");
    let mut first = player.start_install(&["--download-limit", "2M"]);
    first.wait_for("bytes", |event| event["phase"] == "downloading");
    player.install(&[]).failed("E-FOLDER-BUSY");
    player.update(&[]).failed("E-FOLDER-BUSY");
    player.verify(&[]).failed("E-FOLDER-BUSY");
    player.uninstall().failed("E-FOLDER-BUSY");
    let _ = first.finish().ok();
    assert_same(&studio.scratch("build-1"), &player.dir);
}

#[test]
fn adopting_what_is_there() {
    let (studio, _seedbox) = world();
    let build = studio.scratch("build-1");
    let player = studio.player("player");
    let _ = player.install(&[]).ok();
    no_samara(&player.dir);
    player.install(&[]).failed("E-FOLDER-NOT-EMPTY");
    let done = Install::of(player.install(&["--adopt"]).ok());
    assert_eq!((done.network(), done.written), (0, 0), "{done:?}");
    assert_same(&build, &player.dir);

    // Another launcher's or a disc's copy: some files missing, one cut, one damaged, one of the player's own.
    no_samara(&player.dir);
    fs::remove_dir_all(player.dir.join("scripts/act-1")).unwrap();
    let cut = player.dir.join("data/levels/level-02.lvl");
    fs::OpenOptions::new().write(true).open(&cut).unwrap().set_len(50_000).unwrap();
    let pak = player.dir.join("data/world.pak");
    let mut bytes = fs::read(&pak).unwrap();
    bytes[1_000_000] ^= 1;
    fs::write(&pak, &bytes).unwrap();
    fs::write(player.dir.join("saved.game"), "won").unwrap();
    let mut missing: u64 = 64 * 1024 + 16 * 1024 + 46_000;
    for entry in fs::read_dir(build.join("scripts/act-1")).unwrap() {
        missing += entry.unwrap().metadata().unwrap().len();
    }
    let outcome = player.install(&["--adopt"]);
    let done = Install::of(outcome.ok());
    assert!(done.network() > 0 && done.network() <= missing, "{missing}: {done:?}");
    assert_eq!(fs::read_to_string(player.dir.join("saved.game")).unwrap(), "won");
    fs::remove_file(player.dir.join("saved.game")).unwrap();
    // What was there under the game's names is kept aside, not lost.
    for kept in outcome.ok()["kept_aside"].as_array().unwrap() {
        let kept = player.dir.join(kept.as_str().unwrap());
        assert!(kept.exists(), "{}", kept.display());
        fs::remove_file(kept).unwrap();
    }
    let differences = compare_trees(&build, &player.dir).unwrap();
    println!("{differences:?}");
    assert_same(&build, &player.dir);
}

fn update_under_pressure(studio: &Studio, player: &Player, disk: &SmallDisk, pressure: (&str, &str, &str)) {
    let (press, code, release) = pressure;
    disk.remount(press);
    player.update(&[]).failed(code);
    assert_same(&studio.scratch("build-1"), &player.dir);
    disk.remount(release);
    assert_eq!(player.verify(&[]).ok()["intact"], true);
}

#[test]
fn a_full_or_read_only_disk() {
    let (studio, _seedbox) = world();
    let at = studio.scratch("disk");
    let Some(disk) = SmallDisk::mount(&at, 2048) else { return };
    let mut player = studio.player("disk");
    player.dir = at.join("game");
    player.install(&[]).failed("E-DISK-FULL");
    assert_eq!(names(&at), Vec::<String>::new(), "the first install left something");
    disk.remount("size=40m");
    let _ = player.install(&[]).ok();
    assert_same(&studio.scratch("build-1"), &player.dir);

    studio.publish(&studio.scratch("build-2"), "1.1");
    update_under_pressure(&studio, &player, &disk, ("ro", "E-DISK-READ-ONLY", "rw"));
    // So that about a MiB is free, where the update needs three.
    let used: u64 = walkdir::WalkDir::new(&at)
        .into_iter()
        .map(|entry| entry.unwrap().metadata().unwrap())
        .filter(fs::Metadata::is_file)
        .map(|about| about.len().div_ceil(4096) * 4)
        .sum();
    let tight = format!("size={}k", used + 1024);
    update_under_pressure(&studio, &player, &disk, (&tight, "E-DISK-FULL", "size=40m"));
    let _ = player.update(&[]).ok();
    assert_same(&studio.scratch("build-2"), &player.dir);
}

/// A disk that fills up by others' files while the game is downloaded.
#[test]
fn a_disk_that_fills_up_meanwhile() {
    let (studio, _seedbox) = world();
    let at = studio.scratch("disk");
    let Some(disk) = SmallDisk::mount(&at, 40 * 1024) else { return };
    let mut player = studio.player("disk");
    player.dir = at.join("game");
    let mut install = player.start_install(&["--download-limit", "1500k"]);
    install.wait_for("bytes", |event| event["done_bytes"].as_u64() > Some(500_000));
    let filler = at.join("holiday.mp4");
    assert!(fs::write(&filler, vec![1; 48 << 20]).is_err(), "the disk is full now");
    let outcome = install.finish();
    if !outcome.status.success() {
        outcome.failed("E-DISK-FULL");
        fs::remove_file(&filler).unwrap();
        let _ = player.install(&[]).ok();
    }
    assert_same(&studio.scratch("build-1"), &player.dir);
    drop(disk);
}

#[test]
fn a_studio_with_a_full_disk() {
    let studio = Studio::new("maple");
    generate_release(&studio.scratch("build"), GameSize::Small, 1).unwrap();
    fs::create_dir(studio.scratch("tiny")).unwrap();
    fs::write(studio.scratch("tiny/x"), "x").unwrap();
    studio.publish(&studio.scratch("tiny"), "1.0");
    let aside = studio.scratch("aside");
    fs::rename(studio.data(), &aside).unwrap();
    let Some(disk) = SmallDisk::mount(&studio.data(), 1024) else { return };
    let copied = std::process::Command::new("cp").arg("-a").arg(aside.join(".")).arg(studio.data()).status();
    assert!(copied.unwrap().success());
    studio.try_publish(&studio.scratch("build"), "2.0", &[]).failed("E-DISK-FULL");
    disk.remount("ro");
    let code = if studio.try_publish(&studio.scratch("build"), "2.0", &[]).last()["code"] == "E-REPO-IO" {
        "E-REPO-IO"
    } else {
        "E-DISK-REFUSED"
    };
    studio.try_publish(&studio.scratch("build"), "2.0", &[]).failed(code);
    disk.remount("rw");
    let seedbox = studio.serve();
    let player = studio.player("player");
    assert_eq!(player.install(&[]).ok()["release"], "1.0");
    assert_same(&studio.scratch("tiny"), &player.dir);
    disk.remount("size=40m");
    studio.publish(&studio.scratch("build"), "2.0");
    let _ = player.update(&[]).ok();
    assert_same(&studio.scratch("build"), &player.dir);
    let _ = seedbox.stop();
}

/// For root no folder is forbidden, so the launcher runs as somebody else then.
#[test]
fn a_folder_that_may_not_be_written() {
    let (studio, _seedbox) = world();
    let player = studio.player("locked/game");
    fs::create_dir(studio.scratch("locked")).unwrap();
    fs::set_permissions(studio.scratch("locked"), fs::Permissions::from_mode(0o555)).unwrap();
    if fs::write(studio.scratch("locked/probe"), "x").is_ok() {
        fs::remove_file(studio.scratch("locked/probe")).unwrap();
        eprintln!("left out: this user may write everywhere");
        return;
    }
    player.install(&[]).failed("E-DISK-PERMISSION");
    fs::set_permissions(studio.scratch("locked"), fs::Permissions::from_mode(0o755)).unwrap();
    let _ = player.install(&[]).ok();
}

/// Stopped by a kill or by Ctrl-C, in the middle of a slow download: what has come is not fetched again.
#[test]
fn interrupted_downloads_go_on_where_they_stopped() {
    let (studio, _seedbox) = world();
    for mode in ["", "--no-peers", "--no-web"] {
        for by_kill in [true, false] {
            let player = studio.player(&format!("player{mode}-{by_kill}"));
            let mode: Vec<&str> = mode.split_terminator(' ').collect();
            let slow = [&mode[..], &["--download-limit", "2500k"]].concat();
            let mut install = player.start_install(&slow);
            let seen = install.wait_for("half of it", |event| {
                let (done, all) = (event["done_bytes"].as_u64(), event["total_bytes"].as_u64());
                event["phase"] == "downloading" && done.unwrap_or(0) > all.unwrap_or(0) / 2
            });
            if by_kill {
                let _ = install.kill();
            } else {
                install.ask_to_end();
                let outcome = install.finish();
                assert_eq!(outcome.last()["event"], "paused", "{outcome}");
                assert_eq!(outcome.status.code(), Some(130));
            }
            let total = seen["total_bytes"].as_u64().unwrap();
            let done = Install::of(player.install(&mode).ok());
            println!("{mode:?} killed: {by_kill}: {done:?} of {total}");
            assert!(done.network() < total * 3 / 4, "{mode:?}: {done:?} of {total}");
            assert_same(&studio.scratch("build-1"), &player.dir);
        }
    }
}
