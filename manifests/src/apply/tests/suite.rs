//! One update that does everything there is to do, in a folder that a player has lived in: each of its changes fails in
//! every way, and so does each change of the recovery after it. The folder is the old build or the new one, the player's
//! files are there, and the next update works.

use std::io::ErrorKind;
use std::sync::Arc;

use super::faultfs::{Fault, Steps};
use super::simfs::{SimFs, calm, disk_with, found, over};
use super::world::*;
use crate::apply::{Applied, ApplyError, recover};
use crate::folder::{Access, Fs, InstallDir};
use crate::plan::Op;
use crate::verify::Depth;

/// Ways to lose what was not synced, tried for each change.
const CUTS: u64 = 2;
/// Of the recoveries that were cut themselves, one in so many is followed by another update.
const SAMPLED: u64 = 8;

pub(super) fn old_tree() -> Tree {
    tree(&[
        ("bin/game", Node::File(b"program 1".to_vec(), true)),
        ("bin/lib.so", Node::File(b"library".to_vec(), true)),
        ("config.ini", file("volume=1")),
        ("data/cut.dat", blocks("abcdefgh")),
        ("data/grown.dat", blocks("klmnopqr")),
        ("data/large.dat", blocks("abcdefghijklmnop")),
        ("data/mixed.dat", blocks("stuv")),
        ("data/same.dat", blocks("same")),
        ("docs/link", Node::Link("readme".into())),
        ("docs/old/only", file("only in the old one")),
        ("docs/readme", file("read me")),
        ("moved/here", file("moves")),
        ("shape", file("a file")),
        ("swap/a", file("A")),
        ("swap/b", file("B")),
    ])
}

pub(super) fn new_tree() -> Tree {
    tree(&[
        ("bin/game", Node::File(b"program 2, longer".to_vec(), true)),
        ("bin/lib.so", file("library")),
        ("config.ini", file("volume=2")),
        ("data/cut.dat", blocks("abcXefg")),
        ("data/grown.dat", blocks("Klmnopqrs")),
        ("data/large.dat", blocks("aXcdefghijklmYop")),
        ("data/mixed.dat", blocks("sTUV")),
        ("data/same.dat", blocks("same")),
        ("data/twin1.dat", file("twins")),
        ("data/twin2.dat", file("twins")),
        ("docs/copy", file("read me")),
        ("docs/link", Node::Link("copy".into())),
        ("docs/readme", file("read me")),
        ("elsewhere/now", file("moves")),
        ("new/empty", file("")),
        ("new/link", Node::Link("empty".into())),
        ("shape/folder", file("in a folder")),
        ("swap/a", file("B")),
        ("swap/b", file("A")),
    ])
}

/// What the player has put there, or changed.
pub(super) const MINE: [(&str, &str); 4] = [
    ("config.ini", "volume=11"),
    ("docs/old/notes.txt", "my notes"),
    ("mods/better.pak", "a mod"),
    ("new/empty", "in the way"),
];

fn put(disk: &SimFs, path: &str, text: &str) {
    crate::folder::ensure_parents(disk, path).unwrap();
    let file = disk.open(path, Access::Create).unwrap();
    file.set_len(0).unwrap();
    file.write_at(0, text.as_bytes()).unwrap();
    file.sync().unwrap();
    for (end, _) in path.match_indices('/') {
        disk.sync_dir(&path[..end]).unwrap();
    }
    disk.sync_dir("").unwrap();
}

pub(super) fn start(old: &Release) -> SimFs {
    let disk = disk_with(old);
    MINE.iter().for_each(|(path, text)| put(&disk, path, text));
    disk
}

pub(super) fn update_now(disk: &SimFs, steps: &Arc<Steps>, new: &Release) -> Result<Applied, ApplyError> {
    update(&over(disk, steps), new, Depth::Quick, options()).map(|(applied, _)| applied)
}

/// The folder without what is the player's; that is all there, once, under one name or another.
fn builds(what: &str, disk: &SimFs, is_new: bool) -> Tree {
    let mut tree = found(disk);
    for (path, text) in MINE {
        let mine = |at: &str, node: &Node| {
            (at == path || at.starts_with(&format!("{path}.mine-"))) && *node == file(text)
        };
        let at: Vec<String> =
            tree.iter().filter(|(at, node)| mine(at, node)).map(|(at, _)| at.clone()).collect();
        assert_eq!(at.len(), 1, "{what}: {path} of the player's: {at:?} of {:?}", tree.keys());
        tree.remove(&at[0]);
    }
    if !is_new {
        // What he changed stands for what was there.
        tree.insert("config.ini".into(), file("volume=1"));
    }
    tree
}

/// After a recovery that nothing disturbs: the old build or the new one, and the player's files.
fn recovered(what: &str, disk: &SimFs, old: &Release, new: &Release) -> (Arc<InstallDir>, bool) {
    let dir = over(disk, &calm());
    recover(&dir).unwrap_or_else(|error| panic!("{what}: {error}"));
    let is_new = dir.state().release.as_ref().unwrap().version == "2.0";
    let right = if is_new { new } else { old };
    assert_eq!(builds(what, disk, is_new), right.tree, "{what}");
    (dir, is_new)
}

/// And the next update succeeds, or there is nothing left to do.
fn check(what: &str, disk: &SimFs, old: &Release, new: &Release) {
    let (dir, is_new) = recovered(what, disk, old, new);
    if is_new {
        assert!(plan_for(&dir, new, Depth::Full, options()).is_nothing(), "{what}");
    } else {
        let (applied, _) = update(&dir, new, Depth::Quick, options()).unwrap();
        assert_eq!(applied.kept.len(), 2, "{what}: {applied:?}");
        assert_eq!(builds(what, disk, true), new.tree, "{what}, next update");
        assert!(plan_for(&dir, new, Depth::Full, options()).is_nothing(), "{what}");
    }
}

#[test]
fn it_does_everything() {
    let (old, new) = (release(1, &old_tree()), release(2, &new_tree()));
    let disk = start(&old);
    let plan = plan_for(&over(&disk, &calm()), &new, Depth::Quick, options());
    let has =
        |name: &str, wanted: fn(&Op) -> bool| assert!(plan.ops.iter().any(wanted), "{name}: {:?}", plan.ops);
    has("keep", |op| matches!(op, Op::Keep { set_executable: None }));
    has("permissions", |op| matches!(op, Op::Keep { set_executable: Some(_) }));
    has("move", |op| matches!(op, Op::Move { .. }));
    has("copy", |op| matches!(op, Op::Copy { .. }));
    has("duplicate", |op| matches!(op, Op::Duplicate { .. }));
    has("rebuild", |op| matches!(op, Op::Rebuild { .. }));
    has("patch", |op| matches!(op, Op::Patch { .. }));
    has("fetch", |op| matches!(op, Op::Fetch));
    has("link", |op| matches!(op, Op::Link { .. }));
    assert!(!plan.remove.is_empty() && !plan.retire.is_empty() && plan.keep_aside.len() == 2, "{plan:?}");
    assert!(!plan.create_folders.is_empty() && !plan.remove_folders.is_empty(), "{plan:?}");
    update_now(&disk, &calm(), &new).unwrap();
    check("undisturbed", &disk, &old, &new);
}

/// Errors that the program lives through: each change once with an error of the disk and with a full one, then a disk that
/// stays full. Half of what a write wrote is there.
#[test]
fn every_change_fails_and_so_does_recovery() {
    let (old, new) = (release(1, &old_tree()), release(2, &new_tree()));
    let begun = start(&old);
    let mut tried = 0;
    for fault in [
        Fault::Fail(ErrorKind::Other),
        Fault::Fail(ErrorKind::StorageFull),
        Fault::FailOn(ErrorKind::StorageFull),
    ] {
        for at in 0.. {
            let disk = begun.fork();
            let steps = Steps::new(fault, at);
            let result = update_now(&disk, &steps, &new);
            let Some(hit) = steps.hit.lock().unwrap().clone() else {
                result.unwrap();
                break;
            };
            let what = format!("{fault:?} at {at}, {hit}");
            if let Err(error) = &result
                && !matches!(error, ApplyError::Unfinished(_))
            {
                assert_eq!(builds(&what, &disk, false), old.tree, "{what}: {error}");
            }
            for again in 0.. {
                let disk = disk.fork();
                let steps = Steps::new(Fault::Fail(ErrorKind::Other), again);
                let _ = recover(&over(&disk, &steps));
                let hit = steps.hit.lock().unwrap().clone();
                let what = format!("{what}; recovery's change {again} {hit:?}");
                // The next update after each whole recovery, and after some of those that were cut.
                if hit.is_none() || (at + again) % SAMPLED == 0 {
                    check(&what, &disk, &old, &new);
                } else {
                    recovered(&what, &disk, &old, &new);
                }
                tried += 1;
                if hit.is_none() {
                    break;
                }
            }
        }
    }
    println!("{tried} points, all held");
    assert!(tried > 500, "{tried} points");
}

/// The power fails at each change, then at each change of the recovery.
#[test]
fn the_power_fails_at_every_change_and_in_recovery() {
    let (old, new) = (release(1, &old_tree()), release(2, &new_tree()));
    let begun = start(&old);
    let mut tried = 0;
    for at in 0.. {
        let disk = begun.fork();
        let steps = Steps::new(Fault::Crash, at);
        let _ = update_now(&disk, &steps, &new);
        let hit = steps.hit.lock().unwrap().clone();
        for seed in 0..CUTS {
            let what = format!("change {at} {hit:?}, cut {seed}");
            // Before the next start, or only while it recovers.
            let cut = if seed == 0 { disk.fork() } else { disk.power_cut(seed + CUTS * at) };
            for again in 0.. {
                let disk = cut.fork();
                let steps = Steps::new(Fault::Crash, again);
                let _ = recover(&over(&disk, &steps));
                let hit = steps.hit.lock().unwrap().clone();
                let what = format!("{what}; recovery's change {again} {hit:?}");
                let disk = disk.power_cut(seed + again);
                if hit.is_none() || (at + again) % SAMPLED == 0 {
                    check(&what, &disk, &old, &new);
                } else {
                    recovered(&what, &disk, &old, &new);
                }
                tried += 1;
                if hit.is_none() {
                    break;
                }
            }
        }
        if hit.is_none() {
            break;
        }
    }
    println!("{tried} power cuts, all held");
    assert!(tried > 1000, "{tried} power cuts");
}
