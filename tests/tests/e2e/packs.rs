//! Updates by pack: through the swarm, the web, both; killed, lied to, damaged; and what is left of them afterwards.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test: it fails where something is not as it should be, and makes files"
)]

use std::fs;
use std::path::{Path, PathBuf};

use samara_tests::support::{
    Edit, Install, Request, Site, as_promised, assert_same, cached, game_files, installed, three_releases,
    updated,
};

fn is_pack(request: &Request) -> bool {
    request.path.starts_with("packs/") && request.path.ends_with(".pack")
}

#[test]
fn by_the_swarm_by_the_web_by_both() {
    let studio = three_releases();
    let seedbox = studio.serve();
    for (name, more) in [("both", &[][..]), ("web", &["--no-peers"]), ("swarm", &["--no-web"])] {
        let player = installed(&studio, name, "1.1");
        let plan = player.plan(&[]).ok().clone();
        assert_eq!(plan["route"], "direct", "{plan}");
        let (install, done) = updated(&studio, &player, more);
        assert_eq!(done["route"], "direct");
        as_promised(&done);
        for (field, of_plan) in [("bytes_written", "bytes_written"), ("temp_bytes_peak", "temp_bytes_peak")] {
            assert_eq!(done[field], plan[of_plan], "{name}: {field} of {done} and {plan}");
        }
        assert!(install.network() < 500_000, "{name}: {install:?}");
        match name {
            "web" => assert_eq!(install.peers, 0),
            "swarm" => assert_eq!(install.web, 0),
            _ => {}
        }
        assert!(player.verify(&[]).ok()["intact"].as_bool().unwrap());
    }
    let _ = seedbox.stop();
}

#[test]
fn a_fresh_install_takes_the_full_pack_and_keeps_what_fits() {
    let studio = three_releases();
    let _seedbox = studio.serve();
    let player = studio.player("fresh");
    let outcome = player.install(&["--route", "full", "--pack-quota", "1G"]);
    let done = outcome.ok();
    assert_eq!(done["route"], "full");
    as_promised(done);
    assert_same(&studio.scratch("build-1.2"), &player.dir);
    assert_eq!(cached(&player).len(), 1, "it fits");
    // The next run of any kind tidies up.
    let _ = player.update(&["--pack-quota", "0"]).ok();
    assert_eq!(cached(&player).len(), 0, "nothing may stay");
}

#[test]
fn from_two_releases_back_by_a_chain() {
    let studio = three_releases();
    let _seedbox = studio.serve();
    let player = installed(&studio, "chain", "1.0");
    let plan = player.plan(&["--weights", "network"]).ok().clone();
    assert_eq!(plan["route"], "chain-1.1", "{plan}");
    let (install, done) =
        updated(&studio, &player, &["--weights", "network", "--no-peers", "--pack-quota", "1G"]);
    assert_eq!(done["route"], "chain-1.1");
    as_promised(&done);
    assert!(install.network() < 1_000_000, "{install:?}");
    assert!(!player.dir.join(".samara/bases").exists(), "files between two steps are gone");
    assert_eq!(cached(&player).len(), 2, "both packs stay for others");

    // Every candidate leads there, and the one chosen by network bytes has the fewest.
    let mut measured = Vec::new();
    for candidate in plan["candidates"].as_array().unwrap() {
        let name = candidate["route"].as_str().unwrap();
        let player = installed(&studio, &format!("by {name}"), "1.0");
        let (install, done) = updated(&studio, &player, &["--route", name, "--no-peers"]);
        as_promised(&done);
        measured.push((install.network(), name));
    }
    measured.sort_unstable();
    assert_eq!(measured[0].1, "chain-1.1", "{measured:?}");
    let other = installed(&studio, "other", "1.0");
    other.update(&["--route", "teleport", "--no-peers"]).failed("E-ROUTE-UNKNOWN");
}

#[test]
fn killed_among_packs_nothing_verified_comes_twice() {
    let studio = three_releases();
    let player = {
        let _seedbox = studio.serve();
        installed(&studio, "killed", "1.1")
    };
    let site = Site::at(studio.http_address(), studio.public(), |_| Edit::Serve);
    let before = game_files(&player);
    let mut whole = player.plan(&["--route", "direct"]).ok()["bytes_network"].as_u64().unwrap();
    let (mut kills, mut received) = (0, 0);
    // Slowly enough to be hit in the middle, again and again.
    for round in 0..12u64 {
        let mut program =
            player.start_update(&["--no-peers", "--download-limit", "150k", "--route", "direct"]);
        let reached = 20_000 + round * 10_000;
        let mut seen = 0;
        let ended = loop {
            match program.next_event() {
                Some(event) if event["event"] == "done" => break true,
                Some(event) => {
                    seen = event["bytes_web"].as_u64().unwrap_or(seen);
                    if event["phase"] == "downloading" && seen >= reached {
                        break false;
                    }
                }
                None => break true,
            }
        };
        if ended {
            let done = program.finish().ok().clone();
            assert_eq!(done["bytes_promised"], whole);
            as_promised(&done);
            received += Install::of(&done).web;
            break;
        }
        let _ = program.kill();
        assert_eq!(game_files(&player), before, "nothing of the game was touched");
        // Who asks now is told what is left.
        let left = player.plan(&["--route", "direct"]).ok()["bytes_network"].as_u64().unwrap();
        assert!(left + seen < whole + (64 << 10), "{left} are left of {whole} after {seen}");
        whole = left;
        (kills, received) = (kills + 1, received + seen);
    }
    let _ = updated(&studio, &player, &["--no-peers"]);
    assert!(kills > 0, "never hit");
    // A kill loses what is on its way, blocks that were not whole, and an index at most each time.
    let pack = fs::metadata(&cached(&player)[0]).unwrap().len();
    assert!(received < pack + kills * (256 << 10), "{received} for a pack of {pack}, {kills} kills");
    drop(site);
}

#[test]
fn a_web_seed_that_lies_about_packs() {
    let studio = three_releases();
    let player = {
        let _seedbox = studio.serve();
        installed(&studio, "lied to", "1.1")
    };
    // Every answer is the right length and wrong.
    let _site = Site::at(studio.http_address(), studio.public(), |request| match &request.file {
        Some(file) if is_pack(request) => Edit::Body(file.iter().map(|byte| byte ^ 0x55).collect()),
        _ => Edit::Serve,
    });
    let (install, done) = updated(&studio, &player, &["--no-peers"]);
    assert_eq!(done["route"], "direct", "it was chosen, and its files came another way");
    assert!(install.web > 0);
    assert!(player.verify(&["--no-peers"]).ok()["intact"].as_bool().unwrap());
}

#[test]
fn packs_that_are_gone_or_no_packs_at_all() {
    let studio = three_releases();
    let (gone, cut, no_index) = {
        let _seedbox = studio.serve();
        (
            installed(&studio, "gone", "1.1"),
            installed(&studio, "cut", "1.1"),
            installed(&studio, "no index", "1.1"),
        )
    };
    let site = Site::at(studio.http_address(), studio.public(), |request| {
        if is_pack(request) { Edit::Status(404) } else { Edit::Serve }
    });
    let _ = updated(&studio, &gone, &["--no-peers", "--patience", "3"]);
    site.edit(|request| if is_pack(request) { Edit::Cut(5000) } else { Edit::Serve });
    let _ = updated(&studio, &cut, &["--no-peers", "--patience", "3"]);
    site.edit(|request| match &request.file {
        Some(file) if request.path.ends_with(".index") => {
            let mut file = file.clone();
            let middle = file.len() / 2;
            file[middle] ^= 1;
            Edit::Body(file)
        }
        _ => Edit::Serve,
    });
    let (_, done) = updated(&studio, &no_index, &["--no-peers"]);
    assert_eq!(done["route"], "reuse", "without its index a pack is none");
}

#[test]
fn damaged_base_files_are_healed_first_or_done_without() {
    let studio = three_releases();
    let _seedbox = studio.serve();
    for (name, from, route) in [("direct", "1.1", "direct"), ("chain", "1.0", "chain-1.1")] {
        let player = installed(&studio, &format!("damaged {name}"), from);
        let world = player.dir.join("data/world.pak");
        let mut bytes = fs::read(&world).unwrap();
        bytes[700_000..760_000].fill(b'!');
        fs::write(&world, bytes).unwrap();
        fs::remove_file(player.dir.join("scripts/act-0/001.txt")).unwrap();
        let (install, done) = updated(&studio, &player, &["--no-peers", "--weights", "network"]);
        assert!(done["route"].as_str().unwrap().starts_with(route), "{done}");
        as_promised(&done);
        assert!(install.network() < 1_200_000, "{install:?}");
    }
}

#[test]
fn packs_are_offered_after_the_update() {
    let studio = three_releases();
    let seedbox = studio.serve();
    let giver = installed(&studio, "giver", "1.1");
    let taker = installed(&studio, "taker", "1.1");
    let mut giving = giver.start_update(&["--seed"]);
    giving.wait_for_event("done");
    assert_eq!(cached(&giver).len(), 1);
    // The studio's machine has no packs to give any more: they come from the player.
    seedbox.kill();
    drop(giving);
    let address = samara_tests::support::free_address();
    let mut giving = giver.start_seed(&["--listen", &address.to_string()]);
    giving.wait_for("seeding", |event| event["phase"] == "seeding");
    let answer = samara_tests::support::tracker_answer(&[address]);
    let _site = Site::at(studio.http_address(), studio.public(), move |request| match () {
        () if request.path.starts_with("announce") => Edit::Body(answer.clone()),
        () if is_pack(request) || request.path.starts_with("blobs/") => Edit::Status(404),
        () => Edit::Serve,
    });
    let (install, done) = updated(&studio, &taker, &["--no-web"]);
    assert_eq!(done["route"], "direct");
    assert!(install.peers + install.lan > 0 && install.origin == 0, "{install:?}");
    let _ = giving.kill();
}

/// Overwrites part of a file as a bad disk would: length, times and inode stay.
fn rot(path: &Path, range: std::ops::Range<usize>) {
    let modified = fs::metadata(path).unwrap().modified().unwrap();
    let mut bytes = fs::read(path).unwrap();
    bytes[range].fill(b'?');
    let mut file = fs::OpenOptions::new().write(true).open(path).unwrap();
    std::io::Write::write_all(&mut file, &bytes).unwrap();
    file.set_modified(modified).unwrap();
}

#[test]
fn frames_that_come_out_wrong_are_fetched_another_way() {
    let studio = three_releases();
    let player = {
        let _seedbox = studio.serve();
        installed(&studio, "rotten", "1.1")
    };
    // After the archive was looked at, so that the route counts on it, and without a sign of it.
    let (world, once) = (player.dir.join("data/world.pak"), std::sync::Once::new());
    let _site = Site::at(studio.http_address(), studio.public(), move |request| {
        if is_pack(request) {
            once.call_once(|| rot(&world, 400_000..900_000));
        }
        Edit::Serve
    });
    let (install, done) = updated(&studio, &player, &["--no-peers"]);
    assert_eq!(done["route"], "direct");
    assert!(install.network() > done["bytes_promised"].as_u64().unwrap(), "{done}");
    assert!(player.verify(&["--no-peers"]).ok()["intact"].as_bool().unwrap());
}

#[test]
fn another_installs_identical_files_are_copied() {
    let studio = three_releases();
    let _seedbox = studio.serve();
    let first = installed(&studio, "first", "1.2");
    let second = studio.player("second");
    let from = first.dir.to_str().unwrap();
    let outcome = second.install(&["--reuse-from", from, "--no-peers"]);
    assert_eq!(Install::of(outcome.ok()).network(), 0, "{outcome}");
    assert_same(&studio.scratch("build-1.2"), &second.dir);
    // Of an older release, what is the same; a folder that is no install is an error that names it.
    let old = installed(&studio, "old", "1.0");
    let third = studio.player("third");
    let outcome = third.install(&["--reuse-from", old.dir.to_str().unwrap(), "--no-peers"]);
    let install = Install::of(outcome.ok());
    assert!(install.network() > 0 && install.network() < 4_500_000, "{outcome}");
    assert_same(&studio.scratch("build-1.2"), &third.dir);
    let nowhere = studio.scratch("nowhere");
    studio.player("fourth").install(&["--reuse-from", nowhere.to_str().unwrap()]).failed("E-FOLDER-MISSING");
}

#[test]
fn what_peers_do_not_want_makes_room() {
    let studio = three_releases();
    let _seedbox = studio.serve();
    let player = installed(&studio, "small", "1.0");
    let (_, done) = updated(&studio, &player, &["--no-peers", "--route", "chain-1.1", "--pack-quota", "1G"]);
    assert_eq!(done["route"], "chain-1.1");
    let packs = cached(&player);
    assert_eq!(packs.len(), 2);
    let blocks = |path: &PathBuf| fs::metadata(path).unwrap().len();
    let larger = packs.iter().map(blocks).max().unwrap();
    let quota = (larger + (32 << 10)).to_string();
    let _ = player.update(&["--no-peers", "--pack-quota", &quota]).ok();
    assert_eq!(cached(&player).len(), 1, "one of them fits");
    let _ = player.update(&["--no-peers", "--pack-quota", "0"]).ok();
    let left = fs::read_dir(player.dir.join(".samara/packs")).unwrap().count();
    assert_eq!(left, 0, "nothing of a pack stays behind");
}
