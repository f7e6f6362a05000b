//! A generated game in three releases with packs between them, and players who go from one to the next.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use rand::{Rng as _, RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

use super::{Install, Player, Studio, assert_same, assert_same_and_kept};

const RELEASES: [&str; 3] = ["1.0", "1.1", "1.2"];

fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    ChaCha8Rng::seed_from_u64(seed).fill_bytes(&mut bytes);
    bytes
}

fn put(root: &Path, name: &str, bytes: &[u8]) {
    let path = root.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

/// A game with a large archive that changes in scattered runs and grows near its front, texts of which every tenth
/// changes, and a level that is new each time.
fn build(root: &Path, release: usize) {
    let mut world = noise(1, 3 << 20);
    for step in 1..=release {
        let mut rng = ChaCha8Rng::seed_from_u64(100 + step as u64);
        for _ in 0..24 {
            let at = rng.random_range(0..world.len() - 4000);
            rng.fill_bytes(&mut world[at..at + 4000]);
        }
        let more = noise(200 + step as u64, 777);
        world.splice(500_000..500_000, more);
    }
    put(root, "data/world.pak", &world);
    for text in 0..200 {
        let edition = if text % 10 == 0 { release } else { 0 };
        let lines = (0..20 + text * 37 % 300)
            .map(|n| format!("on event {n} of {text}: wind {}; // {edition}\n", n * 7919 % 360));
        put(root, &format!("scripts/act-{}/{text:03}.txt", text / 25), lines.collect::<String>().as_bytes());
    }
    put(root, "music.ogg", &noise(2, 700_000));
    put(root, &format!("levels/{release}.lvl"), &noise(300 + release as u64, 200_000));
}

/// A studio with three releases, a pack from each to the next.
///
/// # Panics
/// When they cannot be published.
#[must_use]
pub fn three_releases() -> Studio {
    let studio = Studio::new("maple");
    for (number, version) in RELEASES.iter().enumerate() {
        let folder = studio.scratch(&format!("build-{version}"));
        build(&folder, number);
        let _ = studio.try_publish(&folder, version, &["--full", "always"]).ok();
    }
    studio
}

/// A player who has installed a release, over the web.
///
/// # Panics
/// When that fails.
#[must_use]
pub fn installed(studio: &Studio, name: &str, version: &str) -> Player {
    let player = studio.player(name);
    let _ = player.install(&["--release", version, "--no-peers"]).ok();
    assert_same(&studio.scratch(&format!("build-{version}")), &player.dir);
    player
}

/// Updates to the newest release and checks every byte of it.
///
/// # Panics
/// When a byte is wrong.
#[must_use]
pub fn updated(studio: &Studio, player: &Player, more: &[&str]) -> (Install, Value) {
    let outcome = player.update(more);
    let done = outcome.ok().clone();
    assert_eq!(done["release"], "1.2", "{outcome}");
    assert_same_and_kept(&studio.scratch("build-1.2"), &player.dir, &done);
    (Install::of(&done), done)
}

/// What was promised came, and hardly more.
///
/// # Panics
/// When it was more.
#[track_caller]
pub fn as_promised(done: &Value) {
    let (install, promised) = (Install::of(done), done["bytes_promised"].as_u64().unwrap());
    let network = install.network();
    assert!(network <= promised + promised / 20 + (256 << 10), "{network} of {promised}: {done}");
}

/// The packs in a player's cache.
///
/// # Panics
/// When the folder cannot be read.
#[must_use]
pub fn cached(player: &Player) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(player.dir.join(".samara/packs")) else { return Vec::new() };
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.filter(|path| path.extension().is_some_and(|ext| ext == "pack")).collect()
}

/// Every file of the game but `.samara`, with its bytes.
///
/// # Panics
/// When one cannot be read.
#[must_use]
pub fn game_files(player: &Player) -> BTreeMap<PathBuf, Vec<u8>> {
    let all =
        walkdir::WalkDir::new(&player.dir).into_iter().filter_entry(|entry| entry.file_name() != ".samara");
    let files = all.map(Result::unwrap).filter(|entry| entry.file_type().is_file());
    files.map(|entry| (entry.path().to_owned(), fs::read(entry.path()).unwrap())).collect()
}
