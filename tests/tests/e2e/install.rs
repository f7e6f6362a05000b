//! The whole way of a game: published, installed by several players at once, updated, verified, removed.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test: it fails where something is not as it should be, and makes files"
)]

use std::fs;

use samara_tests::fixtures::{GameSize, generate_release};
use samara_tests::support::{Install, Player, Studio, assert_same};

/// A studio with both releases of the generated game as folders, the first of them published.
fn studio() -> Studio {
    let studio = Studio::new("maple");
    for release in [1, 2] {
        let build = studio.scratch(&format!("build-{release}"));
        generate_release(&build, GameSize::Small, release).unwrap();
    }
    studio.publish(&studio.scratch("build-1"), "1.0");
    studio
}

fn install_together(players: &[Player], more: &[&str]) -> Vec<Install> {
    let running: Vec<_> = players.iter().map(|player| player.start_install(more)).collect();
    running.into_iter().map(|program| Install::of(program.finish().ok())).collect()
}

#[test]
fn two_players_install_and_update_together() {
    let studio = studio();
    let seedbox = studio.serve();
    let players = ["ann", "bob"].map(|name| studio.player(name));
    for done in install_together(&players, &[]) {
        assert!(done.network() > 0 && done.origin <= done.network(), "{done:?}");
    }
    let old = studio.scratch("build-1");
    players.iter().for_each(|player| assert_same(&old, &player.dir));

    studio.publish(&studio.scratch("build-2"), "1.1");
    let running: Vec<_> = players.iter().map(|player| player.start_update(&[])).collect();
    let total = fs_len(&studio.scratch("build-2"));
    for (program, player) in running.into_iter().zip(&players) {
        let outcome = program.finish();
        let done = Install::of(outcome.ok());
        assert_eq!(outcome.ok()["release"], "1.1");
        assert!(done.network() > 0 && done.network() < total / 2, "{done:?} of {total}");
        assert_same(&studio.scratch("build-2"), &player.dir);
    }
    assert!(players[0].verify(&[]).ok()["intact"].as_bool().unwrap());
    let _ = seedbox.stop();
}

#[test]
fn the_players_own_files_stay_when_the_game_goes() {
    let studio = studio();
    let _seedbox = studio.serve();
    let player = studio.player("ann");
    let _ = player.install(&[]).ok();
    fs::create_dir(player.dir.join("saves")).unwrap();
    fs::write(player.dir.join("saves/one.sav"), "won").unwrap();
    let removed = player.uninstall();
    assert!(removed.ok()["removed"].as_u64().unwrap() > 200);
    assert_eq!(fs::read_to_string(player.dir.join("saves/one.sav")).unwrap(), "won");
    let left: Vec<_> = fs::read_dir(&player.dir).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["saves"]);
}

fn fs_len(folder: &std::path::Path) -> u64 {
    let files = walkdir::WalkDir::new(folder).into_iter().map(|entry| entry.unwrap().metadata().unwrap());
    files.filter(std::fs::Metadata::is_file).map(|about| about.len()).sum()
}
