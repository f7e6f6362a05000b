//! A real game through three releases: every install is the build, and nothing is fetched that was there.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test: it fails where something is not as it should be, reads builds and waits for moments"
)]

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use samara_tests::support::{Install, Player, Program, Studio, assert_same, freeciv};
use sha2::{Digest as _, Sha256};

/// What may come twice, because it was asked of two sources near the end: a part of everything, and some blocks.
fn with_slack(bytes: u64) -> u64 {
    bytes + bytes / 50 + (1 << 20)
}

/// Each content of a build with its length.
fn contents(build: &Path) -> HashMap<[u8; 32], u64> {
    let files = walkdir::WalkDir::new(build).into_iter().map(Result::unwrap);
    let files = files.filter(|entry| entry.file_type().is_file());
    files
        .map(|entry| {
            let bytes = fs::read(entry.path()).unwrap();
            (Sha256::digest(&bytes).into(), bytes.len() as u64)
        })
        .collect()
}

/// Bytes of the files of `new` whose content is nowhere in `old`.
fn changed_bytes(old: &Path, new: &Path) -> u64 {
    let old = contents(old);
    contents(new).iter().filter(|(hash, _)| !old.contains_key(*hash)).map(|(_, len)| len).sum()
}

/// Starts all, then waits for all.
fn together(players: &[Player], start: impl Fn(&Player) -> Program) -> Vec<Install> {
    let running: Vec<_> = players.iter().map(start).collect();
    running.into_iter().map(|program| Install::of(program.finish().ok())).collect()
}

fn check_sources(mode: &str, done: &[Install]) {
    for done in done {
        match mode {
            "--no-peers" => assert_eq!(done.peers + done.lan, 0, "{mode}: {done:?}"),
            "--no-web" => assert_eq!(done.web, 0, "{mode}: {done:?}"),
            _ => {}
        }
    }
}

#[test]
fn three_players_at_once_through_three_releases() {
    let Some(builds) = freeciv() else { return };
    let studio = Studio::new("freeciv");
    let mut previous: Option<PathBuf> = None;
    let mut seedbox = None;
    let groups: Vec<(&str, Vec<Player>)> = ["", "--no-peers", "--no-web"]
        .map(|mode| (mode, (1..=3).map(|n| studio.player(&format!("player{mode}-{n}"))).collect()))
        .into();
    for (version, build) in builds {
        studio.publish(&build, version);
        seedbox.get_or_insert_with(|| studio.serve());
        let needed = match &previous {
            Some(old) => changed_bytes(old, &build),
            None => contents(&build).values().sum(),
        };
        for (mode, players) in &groups {
            let options: Vec<&str> = mode.split_terminator(' ').collect();
            let done = together(players, |player| match previous {
                Some(_) => player.start_update(&options),
                None => player.start_install(&options),
            });
            println!("{version} {mode}: {needed} bytes needed, {done:?}");
            for (player, done) in players.iter().zip(&done) {
                assert_same(&build, &player.dir);
                assert!(done.network() > 0, "{version} {mode}: {done:?}");
                assert!(done.network() <= with_slack(needed), "{version} {mode}: {needed} < {done:?}");
            }
            check_sources(mode, &done);
        }
        previous = Some(build);
    }
    let _ = seedbox.unwrap().stop();
}

/// Lets a program run until a moment and kills it; false when it had succeeded before.
fn interrupt(mut program: Program, at: Instant) -> bool {
    while let Ok(event) = program.next_until(at) {
        if event.is_none() {
            let _ = program.finish().ok();
            return false;
        }
    }
    // It may still have come to its end in this moment.
    program.kill().status.code().is_none()
}

/// Makes `to` a copy of a folder, or nothing where there is none.
fn copy(from: &Path, to: &Path) {
    let _ = fs::remove_dir_all(to);
    if from.exists() {
        assert!(Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap().success());
    }
}

/// One player is killed over and over while another, on the same machine, shows how long each step takes.
#[test]
fn killed_at_ten_random_moments() {
    let Some(builds) = freeciv() else { return };
    let seed: u64 =
        std::env::var("SAMARA_SEED").map_or_else(|_| rand::rng().random(), |seed| seed.parse().unwrap());
    println!("SAMARA_SEED={seed}");
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let studio = Studio::new("freeciv");
    let (whole, killed) = (studio.player("whole"), studio.player("killed"));
    let mut seedbox = None;
    for (step, (version, build)) in builds.into_iter().enumerate() {
        studio.publish(&build, version);
        seedbox.get_or_insert_with(|| studio.serve());
        let start = |player: &Player| match step {
            0 => player.start_install(&[]),
            _ => player.start_update(&[]),
        };
        let begun = Instant::now();
        let _ = start(&whole).finish().ok();
        let mut usual = begun.elapsed();
        let before = studio.scratch(&format!("before-{version}"));
        copy(&killed.dir, &before);
        let mut kills = 0;
        while kills < [4, 3, 3][step] {
            let begun = Instant::now();
            let after = usual.mul_f64(rng.random());
            if !interrupt(start(&killed), begun + after) {
                // Quicker than it was: once more from the beginning.
                usual = begun.elapsed().min(usual);
                copy(&before, &killed.dir);
                continue;
            }
            kills += 1;
            println!("{version}: killed after {after:?} of {usual:?}");
            if step > 0 {
                // Whatever moment it was: the game is one release or the other, and whole.
                assert_eq!(killed.verify(&[]).ok()["intact"], true);
            }
        }
        let done = Install::of(start(&killed).finish().ok());
        println!("{version}: {done:?}");
        assert_same(&build, &killed.dir);
    }
}
