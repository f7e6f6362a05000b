//! Launchers among themselves.

use super::repo::{Repo, is_build, lay_out, noise};
use super::*;

const PEERS: Sources = Sources { peers: true, web: false };

fn build() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("data/big.pak", noise(1, 300_000)),
        ("data/small", noise(2, 5_000)),
        ("readme.txt", b"hello".to_vec()),
    ]
}

/// A repository, and a player who has the game and offers it.
fn seeded(temp: &Path) -> (Repo, Player) {
    let (mut repo, mut seeder) = (Repo::new(), Player::listening());
    repo.publish("1.0", &build());
    let dir = temp.join("seeder");
    lay_out(&dir, &build());
    seeder.install_with(&repo, &dir, |install| install.adopt = true).unwrap();
    let addr = seeder.seed(&dir);
    repo.introduce(addr);
    (repo, seeder)
}

#[test]
fn the_installed_game_is_the_seed() {
    let temp = tempfile::tempdir().unwrap();
    let (repo, mut seeder) = seeded(temp.path());
    let (mut player, dir) = (Player::listening(), temp.path().join("game"));
    repo.served();
    let summary = player.install_with(&repo, &dir, |install| install.sources = PEERS).unwrap();
    is_build(&dir, &build()).unwrap();
    let status = player.run(Operation::Status { dir: temp.path().join("seeder") });
    assert!(status.is_ok(), "while another launcher seeds there: {status:?}");
    assert_eq!((summary.sources.peers, summary.sources.origin()), (305_005, 0));
    assert_eq!(seeder.stop_seeding(), Vec::<String>::new());
    let Outcome::Status(status) = seeder.run(Operation::Status { dir: temp.path().join("seeder") }).unwrap()
    else {
        panic!()
    };
    assert!(status.uploaded_bytes >= 305_005, "the ledger has it: {}", status.uploaded_bytes);
}

#[test]
fn a_file_that_was_rewritten_is_withdrawn_and_never_sent() {
    let temp = tempfile::tempdir().unwrap();
    let (repo, mut seeder) = seeded(temp.path());
    // A mod, of the same length.
    std::fs::write(temp.path().join("seeder/data/small"), noise(7, 5_000)).unwrap();
    let (mut player, dir) = (Player::listening(), temp.path().join("game"));
    let error = player.install_with(&repo, &dir, |install| install.sources = PEERS).unwrap_err();
    assert_eq!(error, "E-NO-SOURCES", "nobody has that file");
    assert_eq!(player.notes, Vec::<String>::new(), "and nobody was banned for it");
    let notes = seeder.stop_seeding();
    assert!(notes.iter().any(|note| note.contains("data/small")), "{notes:?}");
    // With the web it goes on from there: only that file is missing.
    let summary = player.install(&repo, &dir).unwrap();
    is_build(&dir, &build()).unwrap();
    assert_eq!(summary.sources.web, 5_000);
    // The next time it is not even offered.
    seeder.seed(&temp.path().join("seeder"));
    let notes = seeder.stop_seeding();
    assert!(notes.iter().any(|note| note.contains("data/small")), "{notes:?}");
}

#[test]
fn a_web_seed_that_lies_is_dropped_and_peers_go_on() {
    let temp = tempfile::tempdir().unwrap();
    let (repo, seeder) = seeded(temp.path());
    for entry in std::fs::read_dir(repo.public().join("blobs")).unwrap().map(Result::unwrap) {
        if entry.path().extension().is_none_or(|end| end != "leaves") {
            let mut bytes = std::fs::read(entry.path()).unwrap();
            bytes.iter_mut().for_each(|byte| *byte ^= 1);
            std::fs::write(entry.path(), bytes).unwrap();
        }
    }
    let (mut player, dir) = (Player::listening(), temp.path().join("game"));
    let summary = player.install_with(&repo, &dir, |install| install.sources = Sources::default()).unwrap();
    is_build(&dir, &build()).unwrap();
    assert!(summary.sources.peers >= 300_000, "{:?}", summary.sources);
    drop(seeder);
}

#[test]
fn a_pause_keeps_what_came_and_the_next_run_goes_on() {
    let temp = tempfile::tempdir().unwrap();
    let mut repo = Repo::new();
    let build = vec![("data/big.pak", noise(1, 3_000_000))];
    repo.publish("1.0", &build);
    let dir = temp.path().join("game");
    let slow = Options { download_limit: Some(1_000_000), ..Options::default() };
    let mut player = Player::with(slow);
    let task = TaskId(77);
    let install = player.request(&repo, &dir);
    let start = Command::Start { task, operation: Box::new(Operation::Install(install)) };
    player.handle.commands.blocking_send(start).unwrap();
    let some =
        player.handle.snapshot.wait_for(|all| all.task(task).is_some_and(|task| task.done_bytes > 500_000));
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(some).unwrap();
    player.handle.commands.blocking_send(Command::Pause { task }).unwrap();
    let event = player.handle.events.blocking_recv().unwrap();
    assert!(matches!(event.what, Happened::Paused), "{event:?}");
    let summary = Player::new().install(&repo, &dir).unwrap();
    is_build(&dir, &build).unwrap();
    assert!(summary.sources.local >= 490_000, "{:?}", summary.sources);
    assert_eq!(summary.sources.local + summary.sources.web, 3_000_000);
}
