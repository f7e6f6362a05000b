//! Every route that is shown, run and measured; and what goes wrong on the way.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test: it fails where something is not as it should be, and damages files"
)]

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use rand::seq::{IndexedRandom as _, SliceRandom as _};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use samara_tests::support::{
    Edit, Install, Player, Program, Site, SmallDisk, Studio, as_promised, assert_same_and_kept, cached,
    freeciv, game_files, installed, three_releases, updated,
};
use serde_json::Value;

/// What a run may differ from its promise beside a twentieth of it.
const SLACK: u64 = 256 << 10;

/// Every kind of route.
const ALL: [&str; 5] = ["chain", "direct", "full", "plain", "reuse"];

fn number(of: &Value, name: &str) -> u64 {
    of[name].as_u64().unwrap_or_else(|| panic!("no {name} in {of}"))
}

/// Makes `to` a copy of a folder.
fn copy(from: &Path, to: &Path) {
    assert!(Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap().success());
}

/// The files of an install that have any bytes, in order.
fn files(install: &Path) -> Vec<PathBuf> {
    let all = walkdir::WalkDir::new(install).sort_by_file_name().into_iter();
    let all = all.filter_entry(|entry| entry.file_name() != ".samara").map(Result::unwrap);
    let files = all.filter(|entry| entry.file_type().is_file() && entry.metadata().unwrap().len() > 0);
    files.map(walkdir::DirEntry::into_path).collect()
}

/// Flips up to five bytes in one of twenty files.
fn damage(install: &Path, rng: &mut ChaCha8Rng) {
    let all = files(install);
    for path in all.sample(rng, all.len() / 20) {
        let mut bytes = fs::read(path).unwrap();
        for _ in 0..rng.random_range(1..=5) {
            let at = rng.random_range(0..bytes.len());
            bytes[at] ^= 0x40;
        }
        fs::write(path, bytes).unwrap();
    }
}

/// Takes one of ten files away, and puts a third of another build's over those that are left.
fn patch_together(install: &Path, other: &Path, rng: &mut ChaCha8Rng) {
    let mut all = files(install);
    all.shuffle(rng);
    let (gone, rest) = all.split_at(all.len() / 10);
    gone.iter().for_each(|path| fs::remove_file(path).unwrap());
    for path in &rest[..rest.len() / 3] {
        let theirs = other.join(path.strip_prefix(install).unwrap());
        if theirs.is_file() {
            fs::write(path, fs::read(theirs).unwrap()).unwrap();
        }
    }
}

/// A scenario: a folder, and what it is to become.
struct Scene<'a> {
    studio: &'a Studio,
    name: &'a str,
    /// Copied for each run.
    folder: &'a Path,
    build: &'a Path,
}

/// A candidate that was run.
struct Run {
    weights: &'static str,
    shown: Value,
    received: u64,
    done: Value,
    /// What the launcher told on the way.
    notes: Vec<Value>,
}

impl Scene<'_> {
    fn player(&self, folder: &str) -> Player {
        let player = self.studio.player(&format!("{}, {folder}", self.name));
        copy(self.folder, &player.dir);
        player
    }

    /// Runs every candidate of the plan with these weights that was not run yet, or the chosen one alone; all at once.
    fn run(&self, weights: &'static str, all: bool, seen: &mut HashSet<(String, u64)>) -> (Value, Vec<Run>) {
        let plan = self.player(weights).plan(&["--weights", weights]).ok().clone();
        let mut running: Vec<(Value, Player, Program)> = Vec::new();
        for shown in plan["candidates"].as_array().unwrap() {
            let (route, chosen) = (shown["route"].as_str().unwrap(), shown["chosen"] == true);
            if !(all || chosen) || !seen.insert((route.to_owned(), number(shown, "bytes_network"))) {
                continue;
            }
            let player = self.player(&format!("{weights}, {route}"));
            // What is chosen is run as players run it; by the web alone nothing comes twice.
            let program = match chosen {
                true => player.start_update(&["--weights", weights]),
                false => player.start_update(&["--weights", weights, "--route", route, "--no-peers"]),
            };
            running.push((shown.clone(), player, program));
        }
        let mut runs = Vec::new();
        for (shown, player, program) in running {
            let outcome = program.finish();
            let done = outcome.ok().clone();
            assert_same_and_kept(self.build, &player.dir, &done);
            let notes = outcome.events.into_iter().filter(|event| event["event"] == "note").collect();
            runs.push(Run { weights, shown, received: Install::of(&done).network(), done, notes });
            fs::remove_dir_all(&player.dir).unwrap();
        }
        (plan, runs)
    }

    /// That what was run was as the plan said.
    fn check(&self, runs: &[Run]) {
        println!(
            "{}\n{:>10} {:24} {:>12} {:>12} {:>9} {:>12} {:>12}",
            self.name, "weights", "route", "promised", "received", "off by", "written", "cost"
        );
        for Run { weights, shown, received, done, notes } in runs {
            let promised = number(shown, "bytes_network");
            println!(
                "{weights:>10} {:24} {promised:>12} {received:>12} {:>+9} {:>12} {:>12}{}",
                shown["route"].as_str().unwrap(),
                received.cast_signed() - promised.cast_signed(),
                number(done, "bytes_written"),
                number(shown, "cost"),
                if shown["chosen"] == true { " *" } else { "" },
            );
            assert_eq!(done["route"], shown["route"], "{done}");
            assert_eq!(
                number(done, "bytes_promised"),
                promised,
                "the run promised what the plan did: {done}"
            );
            assert!(
                received.abs_diff(promised) <= promised / 20 + SLACK,
                "{received} of {promised}: {notes:#?}"
            );
            for name in ["bytes_written", "temp_bytes_peak"] {
                let (said, real) = (number(shown, name), number(done, name));
                assert!(said.abs_diff(real) * 10 <= real, "{name} is {real}, {said} was said: {done}");
            }
        }
    }
}

/// Every candidate, run and measured: the fewest bytes are received by the one that is chosen for them, and the one
/// that is chosen by all weights costs least. `kinds` are among the candidates.
fn measure(scene: &Scene<'_>, kinds: &[&str]) {
    let mut seen = HashSet::new();
    let (plan, mut runs) = scene.run("network", true, &mut seen);
    let (weighed, more) = scene.run("default", false, &mut seen);
    let chosen = runs.iter().find(|run| run.shown["chosen"] == true).unwrap();
    let fewest = runs.iter().map(|run| run.received).min().unwrap();
    // Of the chosen one some blocks may have come twice, for it was also asked of peers.
    let (received, promised) = (chosen.received, number(&chosen.shown, "bytes_network"));
    let twice = received.saturating_sub(promised);
    assert!(received - twice <= fewest, "{} received {received}, another {fewest}", plan["route"]);
    runs.extend(more);
    scene.check(&runs);
    for plan in [&plan, &weighed] {
        let candidates = plan["candidates"].as_array().unwrap();
        let chosen = candidates.iter().find(|one| one["chosen"] == true).unwrap();
        let lowest = candidates.iter().map(|one| number(one, "cost")).min();
        assert_eq!(lowest, Some(number(chosen, "cost")), "{plan}");
    }
    let shown: HashSet<&str> = runs.iter().filter_map(|run| run.shown["kind"].as_str()).collect();
    assert!(kinds.iter().all(|kind| shown.contains(kind)), "not every kind: {shown:?}");
}

#[test]
fn every_route_of_a_real_game() {
    let Some(builds) = freeciv() else { return };
    let seed: u64 =
        std::env::var("SAMARA_SEED").map_or_else(|_| rand::rng().random(), |seed| seed.parse().unwrap());
    println!("SAMARA_SEED={seed}");
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let studio = Studio::new("freeciv");
    let [(first, _), (second, _), (third, build)] = &builds[..] else { panic!("three builds") };
    let packs: [(&str, &[&str]); 3] = [
        (first, &["--base", "none", "--full", "never"]),
        (second, &["--base", first, "--full", "never"]),
        (third, &["--base", second, "--base", first, "--full", "always"]),
    ];
    for ((version, options), (_, build)) in packs.into_iter().zip(&builds) {
        let options = [options, &["--level", "fast"]].concat();
        let _ = studio.try_publish(build, version, &options).ok();
    }
    let _seedbox = studio.serve();
    let player = studio.player("player");
    let _ = player.install(&["--release", first, "--no-peers"]).ok();
    let damaged = studio.scratch("damaged");
    copy(&player.dir, &damaged);
    damage(&damaged, &mut rng);
    let scene = |name, folder| Scene { studio: &studio, name, folder, build };
    measure(&scene("intact", &player.dir), &ALL);
    measure(&scene("one file of twenty damaged", &damaged), &ALL);
}

#[test]
fn every_route_of_a_generated_game() {
    let studio = three_releases();
    let _seedbox = studio.serve();
    let player = installed(&studio, "player", "1.0");
    let build = studio.scratch("build-1.2");
    let scene = |name, folder| Scene { studio: &studio, name, folder, build: &build };
    let kinds = ["chain", "full", "plain", "reuse"];
    measure(&scene("intact", &player.dir), &kinds);
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let damaged = studio.scratch("damaged");
    copy(&player.dir, &damaged);
    damage(&damaged, &mut rng);
    let world = damaged.join("data/world.pak");
    let mut bytes = fs::read(&world).unwrap();
    bytes[700_000..760_000].fill(b'!');
    fs::write(&world, bytes).unwrap();
    measure(&scene("damaged", &damaged), &kinds);
    let mixed = studio.scratch("mixed");
    copy(&player.dir, &mixed);
    patch_together(&mixed, &studio.scratch("build-1.1"), &mut rng);
    measure(&scene("parts of two releases", &mixed), &["plain", "reuse"]);
}

#[test]
fn the_expected_speed_counts() {
    let studio = three_releases();
    let _seedbox = studio.serve();
    let player = installed(&studio, "player", "1.1");
    let plan = |rate: &str| player.plan(&["--source-rate", rate]).ok().clone();
    let (slow, fast) = (plan("20k"), plan("1G"));
    let seconds = |plan: &Value| {
        let candidates = plan["candidates"].as_array().unwrap();
        candidates.iter().find(|one| one["chosen"] == true).unwrap()["seconds"].as_f64().unwrap()
    };
    assert!(seconds(&slow) > 10.0 && seconds(&fast) < 1.0, "{slow} {fast}");
    // Indexes come with the signed documents where no web is to be used: nobody promises or counts them.
    let swarm = player.plan(&["--no-web", "--route", "direct"]).ok().clone();
    let both = player.plan(&["--route", "direct"]).ok().clone();
    assert!(number(&swarm, "bytes_network") < number(&both, "bytes_network"), "{swarm} {both}");
    let done = player.update(&["--no-web", "--route", "direct"]).ok().clone();
    assert_eq!(done["bytes_promised"], swarm["bytes_network"]);
    assert_eq!(Install::of(&done).web, 0);
    as_promised(&done);
}

#[test]
fn a_pack_whose_index_is_gone_is_none() {
    let studio = three_releases();
    let (one, other) = {
        let _seedbox = studio.serve();
        (installed(&studio, "one", "1.0"), installed(&studio, "other", "1.0"))
    };
    let site = Site::at(studio.http_address(), studio.public(), |_| Edit::Serve);
    let candidates = || other.plan(&[]).ok()["candidates"].as_array().unwrap().len();
    let all = candidates();
    let mut asked = site.asked();
    asked.retain(|path| path.ends_with(".index"));
    assert_eq!(asked.len(), 3, "two links of a chain and the full pack: {asked:?}");
    // Each of them alone, then all.
    for gone in asked {
        site.edit(move |request| if request.path == gone { Edit::Status(404) } else { Edit::Serve });
        assert!(candidates() < all);
    }
    let (_, done) = updated(&studio, &one, &["--no-peers"]);
    as_promised(&done);
    site.edit(|request| if request.path.ends_with(".index") { Edit::Status(404) } else { Edit::Serve });
    let (_, done) = updated(&studio, &other, &["--no-peers"]);
    assert_eq!(done["route"], "reuse");
    as_promised(&done);
}

/// Done to a file.
type Happening = fn(&Path);

/// Something happens to a file that packs are built on, or that stays as it is, while the packs come.
#[test]
fn files_that_go_or_change_meanwhile() {
    let studio = three_releases();
    let (gone, cut, kept) = {
        let _seedbox = studio.serve();
        let player = |name| installed(&studio, name, "1.1");
        (player("gone"), player("cut"), player("kept"))
    };
    let happens: [(&Player, &str, Happening); 3] = [
        (&gone, "data/world.pak", |path| fs::remove_file(path).unwrap()),
        (&cut, "data/world.pak", |path| {
            fs::OpenOptions::new().write(true).open(path).unwrap().set_len(600_000).unwrap();
        }),
        (&kept, "music.ogg", |path| fs::remove_file(path).unwrap()),
    ];
    let site = Site::at(studio.http_address(), studio.public(), |_| Edit::Serve);
    for (player, name, happen) in happens {
        let path = player.dir.join(name);
        let done = std::sync::Once::new();
        site.edit(move |request| {
            if request.path.ends_with(".pack") {
                done.call_once(|| happen(&path));
            }
            Edit::Serve
        });
        let (_, done) = updated(&studio, player, &["--no-peers"]);
        assert_eq!(done["route"], "direct", "{name}: {done}");
        assert_eq!(player.verify(&["--no-peers"]).ok()["intact"], true, "{name}");
    }
}

#[test]
fn a_disk_that_fills_up_while_packs_come() {
    let studio = three_releases();
    let at = studio.scratch("disk");
    let Some(disk) = SmallDisk::mount(&at, 40 << 10) else { return };
    let mut player = studio.player("disk");
    player.dir = at.join("game");
    {
        let _seedbox = studio.serve();
        let _ = player.install(&["--release", "1.1", "--no-peers"]).ok();
    }
    let before = game_files(&player);
    let filler = at.join("holiday.mp4");
    let site = {
        let (filler, done) = (filler.clone(), std::sync::Once::new());
        Site::at(studio.http_address(), studio.public(), move |request| {
            if request.path.ends_with(".pack") {
                done.call_once(|| assert!(fs::write(&filler, vec![1; 48 << 20]).is_err()));
            }
            Edit::Serve
        })
    };
    player.update(&["--no-peers", "--route", "direct"]).failed("E-DISK-FULL");
    assert_eq!(game_files(&player), before, "nothing of the game was touched");
    fs::remove_file(&filler).unwrap();
    let (_, done) = updated(&studio, &player, &["--no-peers", "--pack-quota", "1G"]);
    as_promised(&done);
    assert_eq!(cached(&player).len(), 1);
    drop((site, disk));
}
