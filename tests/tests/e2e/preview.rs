//! `seedbox preview` beside what then happens: the packs that a publish makes, and what real launchers fetch and write.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test: it fails where something is not as it should be, and makes files"
)]

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use samara_tests::fixtures::compare_trees;
use samara_tests::support::{Outcome, Player, Program, Studio, assert_same, freeciv};
use serde_json::Value;

/// Bytes that do not compress; by arithmetic that is quick in a debug build too.
fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed;
    let next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as u8
    };
    std::iter::repeat_with(next).take(len).collect()
}

fn put(root: &Path, name: &str, bytes: &[u8]) {
    let path = root.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

/// A game with a large archive that changes in scattered runs and grows near its front, pictures that only get a new
/// date, texts of which every tenth changes, and a level that is new each time.
fn build(root: &Path, release: u64) {
    let mut world = noise(1, 3 << 19);
    for step in 1..=release {
        for run in 0..24 {
            let at = (step * 7919 + run * 60_013) as usize % (world.len() - 4000);
            world[at..at + 4000].copy_from_slice(&noise(1000 * step + run, 4000));
        }
        world.splice(500_000..500_000, noise(200 + step, 777));
    }
    put(root, "data/world.pak", &world);
    for picture in 0..12 {
        let mut bytes = noise(400 + picture, 60_000);
        bytes[100..110].copy_from_slice(format!("2026-11-{:02}", release + 1).as_bytes());
        put(root, &format!("pictures/{picture}.img"), &bytes);
    }
    for text in 0..200 {
        let edition = if text % 10 == 0 { release } else { 0 };
        let lines = (0..20 + text * 37 % 300)
            .map(|n| format!("on event {n} of {text}: wind {}; // edition {edition}\n", n * 7919 % 360));
        put(root, &format!("scripts/act-{}/{text:03}.txt", text / 25), lines.collect::<String>().as_bytes());
    }
    put(root, "music.ogg", &noise(2, 700_000));
    put(root, &format!("levels/{release}.lvl"), &noise(300 + release, 200_000));
}

/// `seedbox preview`, without keys.
fn preview(studio: &Studio, build: &Path, version: &str, more: &[&str]) -> Outcome {
    let mut args: Vec<OsString> = vec!["preview".into(), build.into(), "--data".into(), studio.data().into()];
    args.extend(["--game".into(), studio.game().into(), "--release".into(), version.into()]);
    args.extend(more.iter().map(OsString::from));
    Program::start("seedbox", args).finish()
}

fn cohort<'a>(preview: &'a Value, name: &str) -> &'a Value {
    let cohorts = preview["cohorts"].as_array().unwrap();
    cohorts.iter().find(|cohort| cohort["cohort"] == name).unwrap_or_else(|| panic!("no {name} in {preview}"))
}

/// That a launcher did what the preview said: bytes to a tenth, its network with the slack of an endgame.
fn agrees(what: &str, preview: &Value, done: &Value) {
    let said = |name: &str| preview[name].as_u64().unwrap();
    let real = |name: &str| done[name].as_u64().unwrap();
    let network = real("bytes_web") + real("bytes_peers") + real("bytes_lan");
    println!(
        "{what}: {} by {}: written {} of {}, temp {} of {}, network {network} of {}",
        preview["route"],
        done["route"],
        real("bytes_written"),
        said("bytes_written"),
        real("temp_bytes_peak"),
        said("temp_bytes_peak"),
        said("network_bytes"),
    );
    for name in ["bytes_written", "temp_bytes_peak"] {
        let (said, real) = (said(name), real(name));
        assert!(said.abs_diff(real) * 10 <= real, "{what}: {name} is {real}, {said} was said: {done}");
    }
    let said = said("network_bytes");
    assert!(network <= said + said / 20 + (256 << 10), "{what}: {network} of {said}: {done}");
}

/// That the packs a publish made are those that were shown.
fn same_packs(preview: &Value, published: &Value) {
    let packs = |of: &Value| -> Vec<(Value, Value, Value)> {
        let packs = of["packs"].as_array().unwrap().iter();
        packs.map(|pack| (pack["base"].clone(), pack["bytes"].clone(), pack["index_bytes"].clone())).collect()
    };
    assert_eq!(packs(preview), packs(published), "{published}");
}

/// Players of each cohort update, with nothing chosen by hand.
fn players_agree(studio: &Studio, preview: &Value, players: &[(&str, Player)], build: &Path) {
    for (name, player) in players {
        let outcome = match *name {
            "fresh" => player.install(&["--no-peers"]),
            _ => player.update(&["--no-peers"]),
        };
        agrees(name, cohort(preview, name), outcome.ok());
        assert_same(build, &player.dir);
    }
    assert!(studio.public().exists());
}

#[test]
fn a_generated_game_does_what_was_shown() {
    let studio = Studio::new("maple");
    let builds: Vec<PathBuf> = (0..4u64).map(|release| studio.scratch(&format!("build-{release}"))).collect();
    builds.iter().zip(0..).for_each(|(folder, release)| build(folder, release));
    let level = ["--level", "fast"];
    for (number, folder) in builds.iter().enumerate().take(3) {
        let _ = studio.try_publish(folder, &format!("1.{number}"), &level).ok();
    }
    let seedbox = studio.serve();
    let player = |name: &str, version: &str| {
        let player = studio.player(name);
        let _ = player.install(&["--release", version, "--no-peers"]).ok();
        player
    };
    let players = [
        ("N-1", player("previous", "1.2")),
        ("N-3", player("oldest", "1.0")),
        ("fresh", studio.player("fresh")),
    ];

    let before = studio.scratch("before");
    let copied = std::process::Command::new("cp").arg("-a").arg(studio.data()).arg(&before).status();
    assert!(copied.unwrap().success());
    let page = studio.scratch("page.html");
    let more = ["--level", "fast", "--html", page.to_str().unwrap(), "--max-temp-bytes", "1000000000"];
    let shown = preview(&studio, &builds[3], "1.3", &more);
    let shown = shown.ok();
    assert_eq!(compare_trees(&before, &studio.data()).unwrap(), [], "nothing is written into the repository");
    assert!(fs::read_to_string(&page).unwrap().starts_with("<!doctype html>"));
    let reasons = cohort(shown, "N-1")["reasons"].as_array().unwrap();
    let of = |name: &str| reasons.iter().find(|one| one["reason"] == name).map(|one| one["files"].clone());
    // The pictures, and texts of which little but the edition's number changes.
    assert!(of("timestamps").and_then(|files| files.as_u64()).is_some_and(|files| files >= 12), "{shown}");
    assert_eq!(of("new"), Some(1.into()), "the level: {shown}");

    let refused = preview(&studio, &builds[3], "1.3", &["--level", "fast", "--max-patch-bytes", "1000"]);
    assert_eq!(refused.status.code(), Some(3), "{refused}");
    refused.failed("E-LIMIT");

    let published = studio.try_publish(&builds[3], "1.3", &level);
    same_packs(shown, published.ok());
    players_agree(&studio, shown, &players, &builds[3]);
    let _ = seedbox.stop();
}

#[test]
fn a_real_game_does_what_was_shown() {
    let Some(builds) = freeciv() else { return };
    let studio = Studio::new("freeciv");
    let level = ["--level", "fast"];
    for (version, folder) in &builds[..2] {
        let _ = studio.try_publish(folder, version, &level).ok();
    }
    let seedbox = studio.serve();
    let player = |name: &str, version: &str| {
        let player = studio.player(name);
        let _ = player.install(&["--release", version, "--no-peers"]).ok();
        player
    };
    let players = [
        ("N-1", player("previous", builds[1].0)),
        ("N-2", player("oldest", builds[0].0)),
        ("fresh", studio.player("fresh")),
    ];
    let (version, folder) = &builds[2];
    let shown = preview(&studio, folder, version, &level);
    let published = studio.try_publish(folder, version, &level);
    same_packs(shown.ok(), published.ok());
    players_agree(&studio, shown.ok(), &players, folder);
    let _ = seedbox.stop();
}
