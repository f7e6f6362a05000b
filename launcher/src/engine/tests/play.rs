//! Games that are started, and games that are found running; what is asked of a repository without installing.

use std::io::Read as _;
use std::os::unix::fs::FileTypeExt as _;
use std::path::PathBuf;

use super::repo::Repo;
use super::*;
use crate::engine::{Look, Playing, Rates, Snapshot};

/// Tells who it is, then runs until somebody opens the other end of its pipe.
const GAME: &str = "#!/bin/sh\necho \"$PWD|$*\" >told\nread line <gate\n";

fn repo() -> Repo {
    let mut repo = Repo::new();
    repo.launch.insert("linux".to_owned(), "./bin/maple.sh --level \"the first\"".to_owned());
    repo.publish("1.0", &[("bin/maple.sh*", GAME.into()), ("data", vec![7; 50_000])]);
    repo
}

fn wait_for(player: &mut Player, wanted: impl FnMut(&std::sync::Arc<Snapshot>) -> bool) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let patience = Duration::from_secs(60);
    runtime.block_on(async {
        let found = player.handle.snapshot.wait_for(wanted);
        let found = tokio::time::timeout(patience, found).await;
        drop(found.expect("it is told in time").unwrap());
    });
}

fn play(player: &mut Player, dir: &Path) -> Result<Playing, String> {
    match player.run(Operation::Play { dir: dir.to_owned() })? {
        Outcome::Started(playing) => Ok(playing),
        other => panic!("{other:?}"),
    }
}

/// An installed game with a gate that it waits at.
fn installed(player: &mut Player, repo: &Repo, temp: &Path) -> PathBuf {
    let dir = temp.join("game");
    player.install(repo, &dir).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(dir.join("gate")).status().unwrap().success());
    assert!(std::fs::metadata(dir.join("gate")).unwrap().file_type().is_fifo());
    dir
}

/// Lets the game end.
fn open_gate(dir: &Path) {
    std::fs::write(dir.join("gate"), "go\n").unwrap();
}

#[test]
fn a_game_is_started_as_its_release_says_and_its_end_is_told() {
    let (repo, mut player, temp) = (repo(), Player::new(), tempfile::tempdir().unwrap());
    let dir = installed(&mut player, &repo, temp.path());
    let playing = play(&mut player, &dir).unwrap();
    assert_eq!((playing.dir.as_path(), playing.program.as_str()), (dir.as_path(), "maple.sh"));
    wait_for(&mut player, |all| all.playing == [playing.clone()]);
    // An update would wait; here it says who is in its way.
    assert_eq!(player.update(&dir).unwrap_err(), "E-GAME-RUNNING");
    open_gate(&dir);
    wait_for(&mut player, |all| all.playing.is_empty());
    let mut told = String::new();
    std::fs::File::open(dir.join("told")).unwrap().read_to_string(&mut told).unwrap();
    assert_eq!(told, format!("{}|--level the first\n", dir.canonicalize().unwrap().display()));
}

#[test]
fn it_outlives_the_engine_and_is_found_by_the_next() {
    let (repo, mut player, temp) = (repo(), Player::new(), tempfile::tempdir().unwrap());
    let dir = installed(&mut player, &repo, temp.path());
    // Found by what it has open: a shell opens the script it runs.
    let playing = play(&mut player, &dir).unwrap();
    drop(player);
    let mut next = Player::new();
    next.handle.commands.blocking_send(Command::Watch(vec![temp.path().join("none"), dir.clone()])).unwrap();
    wait_for(&mut next, |all| all.playing.iter().any(|found| (&found.dir, found.pid) == (&dir, playing.pid)));
    open_gate(&dir);
    wait_for(&mut next, |all| all.playing.is_empty());
}

#[test]
fn what_cannot_be_started_says_why() {
    let (mut player, temp) = (Player::new(), tempfile::tempdir().unwrap());
    let repo = repo();
    let dir = temp.path().join("game");
    assert_eq!(play(&mut player, &dir).unwrap_err(), "E-FOLDER-MISSING");
    player.install(&repo, &dir).unwrap();
    std::fs::remove_file(dir.join("bin/maple.sh")).unwrap();
    assert_eq!(play(&mut player, &dir).unwrap_err(), "E-LAUNCH");
    let mut silent = Repo::new();
    silent.publish("1.0", &[("readme", vec![1])]);
    let dir = temp.path().join("silent");
    player.install(&silent, &dir).unwrap();
    assert_eq!(play(&mut player, &dir).unwrap_err(), "E-LAUNCH");
}

#[test]
fn what_is_new_is_told_without_a_folder_of_the_game() {
    let (mut repo, mut player, temp) = (repo(), Player::new(), tempfile::tempdir().unwrap());
    let look = |player: &mut Player, url: String, root: PathBuf, select| {
        let memory = temp.path().join("memory");
        let game = "maple".to_owned();
        player.run(Operation::Look(Look {
            repo: url,
            trust_root: root,
            game,
            select,
            memory,
            installed: None,
        }))
    };
    let stable = || Select::Channel("stable".to_owned());
    let offered = |outcome| match outcome {
        Outcome::Looked(offer) => {
            assert_eq!(offer.signers.keys.len(), 1, "who signed is told as well");
            (offer.release, offer.bytes)
        }
        other => panic!("{other:?}"),
    };
    let bytes = 50_000 + GAME.len() as u64;
    let first = look(&mut player, repo.url(), repo.root(), stable()).unwrap();
    assert_eq!(offered(first), ("1.0".to_owned(), bytes));
    repo.publish("2.0", &[("bin/maple.sh*", GAME.into())]);
    let second = look(&mut player, repo.url(), repo.root(), stable()).unwrap();
    assert_eq!(offered(second), ("2.0".to_owned(), GAME.len() as u64));
    let named = look(&mut player, repo.url(), repo.root(), Select::Release("1.0".to_owned())).unwrap();
    assert_eq!(offered(named), ("1.0".to_owned(), bytes));
    // Nobody is believed who signs with other keys, and a server that is not there is named as such.
    let other = Repo::new();
    assert!(look(&mut player, repo.url(), other.root(), stable()).unwrap_err().contains("-TRUST-"));
    let nowhere = look(&mut player, "http://127.0.0.1:9/".to_owned(), repo.root(), stable());
    assert_eq!(nowhere.unwrap_err(), "E-OFFLINE");
}

#[test]
fn limits_change_while_it_downloads() {
    let (mut repo, mut player, temp) = (Repo::new(), Player::new(), tempfile::tempdir().unwrap());
    repo.publish("1.0", &[("data", super::repo::noise(5, 3_000_000))]);
    let none = Rates { download: Some(0), upload: None };
    player.handle.commands.blocking_send(Command::Limits(none)).unwrap();
    let task = TaskId(77);
    let install = player.request(&repo, &temp.path().join("game"));
    let operation = Box::new(Operation::Install(install));
    player.handle.commands.blocking_send(Command::Start { task, operation }).unwrap();
    wait_for(&mut player, |all| all.task(task).is_some_and(|view| view.phase == Phase::Downloading));
    assert_eq!(player.handle.snapshot.borrow().task(task).unwrap().sources.web, 0);
    player.handle.commands.blocking_send(Command::Limits(Rates::default())).unwrap();
    wait_for(&mut player, |all| all.task(task).is_some_and(|view| view.phase == Phase::Done));
}
