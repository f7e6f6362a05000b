//! What works: install, update, repair, uninstall.

use super::repo::{Build, Repo, is_build, lay_out, noise};
use super::*;

fn first() -> Vec<(&'static str, Vec<u8>)> {
    let mut build = vec![
        ("bin/maple*", noise(1, 40_000)),
        ("data/big.pak", noise(2, 300_000)),
        ("data/empty", Vec::new()),
        ("data/one", vec![7]),
        ("data/same", noise(3, 20_000)),
        ("readme.txt", b"hello".to_vec()),
        ("twin", noise(3, 20_000)),
    ];
    if cfg!(unix) {
        build.push(("run -> bin/maple", Vec::new()));
    }
    build
}

fn second() -> Vec<(&'static str, Vec<u8>)> {
    let mut build = first();
    build[1].1[100_000..100_010].fill(0);
    build[5].1 = b"hello again".to_vec();
    build.remove(4);
    build.push(("new/file", noise(9, 50_000)));
    build
}

fn total(build: Build<'_>) -> u64 {
    build.iter().map(|(_, bytes)| bytes.len() as u64).sum()
}

#[test]
fn files_that_are_there_are_adopted_without_a_byte_from_the_network() {
    let (mut repo, mut player, temp) = (Repo::new(), Player::new(), tempfile::tempdir().unwrap());
    repo.publish("1.0", &first());
    let dir = temp.path().join("game");
    lay_out(&dir, &first());
    assert_eq!(player.install(&repo, &dir).unwrap_err(), "E-FOLDER-NOT-EMPTY");
    assert!(!dir.join(".samara").exists());
    let summary = player.install_with(&repo, &dir, |install| install.adopt = true).unwrap();
    is_build(&dir, &first()).unwrap();
    assert_eq!(summary.sources.network(), 0);
    assert_eq!(summary.sources.local, total(&first()));
    assert!(player.verify(&dir, false).unwrap().wounds.is_empty());
    // The record may go: the game stays, and is taken over again.
    std::fs::remove_dir_all(dir.join(".samara")).unwrap();
    let again = player.install_with(&repo, &dir, |install| install.adopt = true).unwrap();
    assert_eq!(again.sources.network(), 0);
}

#[test]
fn a_game_is_installed_updated_repaired_and_removed_over_the_web() {
    let (mut repo, mut player, temp) = (Repo::new(), Player::new(), tempfile::tempdir().unwrap());
    repo.publish("1.0", &first());
    let dir = temp.path().join("game");
    let summary = player.install(&repo, &dir).unwrap();
    is_build(&dir, &first()).unwrap();
    assert!(summary.changed && summary.release == "1.0");
    // The twin is fetched once.
    assert_eq!(summary.sources.web, total(&first()) - 20_000);
    assert_eq!(summary.sources.origin(), summary.sources.web);
    assert!(!player.install(&repo, &dir).unwrap().changed, "there is nothing to do the second time");

    repo.publish("2.0", &second());
    std::fs::write(dir.join("mod.txt"), "mine").unwrap();
    let summary = player.update(&dir).unwrap();
    std::fs::remove_file(dir.join("mod.txt")).unwrap();
    is_build(&dir, &second()).unwrap();
    assert_eq!(summary.release, "2.0");
    // One block of the large file, one small file, one new file.
    assert_eq!(summary.sources.web, 16_384 + 11 + 50_000);

    let mut damaged = std::fs::read(dir.join("data/big.pak")).unwrap();
    damaged[250_000] ^= 1;
    std::fs::write(dir.join("data/big.pak"), damaged).unwrap();
    std::fs::remove_file(dir.join("readme.txt")).unwrap();
    let report = player.verify(&dir, false).unwrap();
    let wounds: Vec<(&str, &str)> =
        report.wounds.iter().map(|wound| (wound.path.as_str(), wound.kind.as_str())).collect();
    assert_eq!(wounds, [("data/big.pak", "damaged"), ("readme.txt", "missing")]);
    repo.served();
    let report = player.verify(&dir, true).unwrap();
    assert_eq!(report.repair.unwrap().sources.web, 16_384 + 11);
    assert_eq!(repo.served(), 16_384 + 11, "repair needs no metadata");
    is_build(&dir, &second()).unwrap();

    std::fs::write(dir.join("save.dat"), "mine").unwrap();
    let Outcome::Status(status) = player.run(Operation::Status { dir: dir.clone() }).unwrap() else {
        panic!()
    };
    assert_eq!(status.release.as_deref(), Some("2.0"));
    assert!(status.received.web > 300_000);
    let Outcome::Uninstalled(report) = player.run(Operation::Uninstall { dir: dir.clone() }).unwrap() else {
        panic!()
    };
    assert_eq!(report.left, ["save.dat"]);
    assert!(dir.join("save.dat").exists() && !dir.join(".samara").exists() && !dir.join("bin").exists());
}

#[test]
fn a_file_the_player_changed_is_kept_aside() {
    let (mut repo, mut player, temp) = (Repo::new(), Player::new(), tempfile::tempdir().unwrap());
    repo.publish("1.0", &first());
    let dir = temp.path().join("game");
    player.install(&repo, &dir).unwrap();
    std::fs::write(dir.join("readme.txt"), "my own notes").unwrap();
    std::fs::create_dir_all(dir.join("new")).unwrap();
    std::fs::write(dir.join("new/file"), "a mod that got here first").unwrap();
    repo.publish("2.0", &second());
    let summary = player.update(&dir).unwrap();
    is_build(&dir, &second()).unwrap();
    let mut kept: Vec<String> =
        summary.kept_aside.iter().map(|path| std::fs::read_to_string(dir.join(path)).unwrap()).collect();
    kept.sort();
    assert_eq!(kept, ["a mod that got here first", "my own notes"]);
    let is_named =
        |path: &&String| path.starts_with("readme.txt.mine-2") || path.starts_with("new/file.mine-2");
    assert_eq!(summary.kept_aside.iter().filter(is_named).count(), 2, "{:?}", summary.kept_aside);
    // What was kept survives the end of the game.
    let Outcome::Uninstalled(report) = player.run(Operation::Uninstall { dir: dir.clone() }).unwrap() else {
        panic!()
    };
    assert!(!report.left.is_empty() && summary.kept_aside.iter().all(|path| dir.join(path).exists()));
}

#[test]
fn a_snapshot_shows_where_an_operation_stands() {
    let (mut repo, mut player, temp) = (Repo::new(), Player::new(), tempfile::tempdir().unwrap());
    repo.publish("1.0", &first());
    let dir = temp.path().join("game");
    lay_out(&dir, &first());
    player.install_with(&repo, &dir, |install| install.adopt = true).unwrap();
    let snapshot = player.handle.snapshot.wait_for(|all| all.tasks.iter().all(|task| task.phase.is_final()));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let snapshot = runtime.block_on(snapshot).unwrap();
    let view = snapshot.task(TaskId(1)).unwrap();
    assert_eq!((view.phase, view.release.as_deref()), (Phase::Done, Some("1.0")));
    assert_eq!(view.sources.local, total(&first()));
}
