//! Going back without network, forward again without network, and what the undo data cost.

use std::sync::Arc;

use super::faultfs::{Fault, Steps};
use super::scenarios::scenarios;
use super::simfs::{SimFs, calm, disk_with, found, over};
use super::world::*;
use crate::apply::{Applier, ApplyError, recover, undo};
use crate::folder::{Access, Fs, InstallDir, LeafSource};
use crate::hash::Hash;
use crate::plan::{Op, PlanOptions};
use crate::release::FileIdentity;
use crate::verify::Depth;

/// As a launcher knows them: those of the release to come are published, those of the one before were kept. Here both
/// are.
struct Both<'a>(&'a Release, &'a Release);

impl LeafSource for Both<'_> {
    fn leaves(&self, identity: &FileIdentity) -> Option<Arc<[Hash]>> {
        self.0.leaves(identity).or_else(|| self.1.leaves(identity))
    }
}

/// The install's own leaves, as a fetch would have put them there.
fn know_leaves(dir: &InstallDir, release: &Release) {
    for file in &release.target.manifest.files {
        if let Some(leaves) = release.leaves(&file.identity) {
            assert!(dir.put_leaves(&file.identity, leaves.as_flattened(), None).unwrap());
        }
    }
}

fn go(dir: &Arc<InstallDir>, release: &Release) -> Result<u64, ApplyError> {
    know_leaves(dir, release);
    update(dir, release, Depth::Quick, options()).map(|(_, fetched)| fetched)
}

#[test]
fn back_and_forward_again_fetch_nothing() {
    for (name, old, new, bytes) in scenarios() {
        let (old, new) = (release(1, &old), release(2, &new));
        let disk = disk_with(&old);
        let dir = over(&disk, &calm());
        know_leaves(&dir, &old);
        assert_eq!(undo::previous(&dir).unwrap(), None, "{name}");
        assert_eq!(go(&dir, &new).unwrap(), bytes, "{name}");
        let previous = undo::previous(&dir).unwrap().unwrap();
        assert_eq!(previous.release.version, "1.0", "{name}");
        for _ in 0..3 {
            assert_eq!(go(&dir, &old).unwrap(), 0, "{name}, back");
            assert_eq!(found(&disk), old.tree, "{name}, back");
            assert!(plan_for(&dir, &old, Depth::Full, options()).is_nothing(), "{name}");
            assert_eq!(undo::previous(&dir).unwrap(), None, "{name}: what is ahead is not behind");
            assert_eq!(go(&dir, &new).unwrap(), 0, "{name}, forward again");
            assert_eq!(found(&disk), new.tree, "{name}, forward again");
        }
        assert_eq!(undo::previous(&dir).unwrap().unwrap(), previous, "{name}: nothing piles up");
        undo::forget(&dir).unwrap();
        assert_eq!((undo::bytes(&dir).unwrap(), undo::previous(&dir).unwrap()), (0, None), "{name}");
        assert_eq!(found(&disk), new.tree, "{name}");
    }
}

/// `a` changes in two blocks of eight each time, `b` wholly.
fn history(count: u64) -> Vec<Release> {
    let versions = (1..=count).map(|version| {
        let letter = char::from(b'A' + version as u8);
        let large = format!("ab{letter}defg{letter}");
        release(
            version,
            &tree(&[("a", blocks(&large)), ("b", file(format!("b{version}"))), ("k", file("k"))]),
        )
    });
    versions.collect()
}

#[test]
fn several_releases_back() {
    let releases = history(4);
    let disk = disk_with(&releases[0]);
    let dir = over(&disk, &calm());
    know_leaves(&dir, &releases[0]);
    for release in &releases[1..] {
        assert!(go(&dir, release).unwrap() > 0);
    }
    for release in releases[..3].iter().rev() {
        let previous = undo::previous(&dir).unwrap().unwrap();
        assert_eq!(previous.release.version, release.target.manifest.version.as_str());
        assert_eq!(go(&dir, release).unwrap(), 0);
        assert_eq!(found(&disk), release.tree);
    }
}

#[test]
fn only_blocks_of_patched_files_are_kept_and_the_quota_holds() {
    let releases = history(4);
    let one = 2 * 16_384 + 2;
    for (quota, kept) in [(u64::MAX, 3), (2 * one, 2), (one, 1), (one - 1, 0), (0, 0)] {
        let disk = disk_with(&releases[0]);
        let dir = over(&disk, &calm());
        know_leaves(&dir, &releases[0]);
        for release in &releases[1..] {
            know_leaves(&dir, release);
            let plan = plan_for(&dir, release, Depth::Quick, options());
            assert!(matches!(plan.ops[0], Op::Patch { .. }), "{:?}", plan.ops);
            assert_eq!(plan.costs.bytes_written, 3 * 2 * 16_384 + 2);
            let applier = Applier::new(Arc::clone(&dir), release.target.clone(), plan).unwrap();
            let applier = applier.with_threads(1).with_undo_quota(quota);
            applier.prepare(release, &()).unwrap();
            for (index, ranges) in applier.missing() {
                ranges.into_iter().for_each(|range| deliver(&applier, release, index, range).unwrap());
            }
            applier.commit(&()).unwrap();
            assert_eq!(found(&disk), release.tree);
        }
        assert_eq!(undo::bytes(&dir).unwrap(), kept * one, "quota {quota}");
        assert_eq!(undo::releases(&dir).unwrap().len() as u64, kept, "quota {quota}");
    }
}

#[test]
fn what_the_player_changed_comes_back_too() {
    let old = release(1, &tree(&[("a", file("a1")), ("cfg/k.ini", file("k=1")), ("s", file("s"))]));
    let new = release(2, &tree(&[("a", file("a2")), ("cfg/k.ini", file("k=2")), ("s", file("s"))]));
    let disk = disk_with(&old);
    let write = |path: &str, text: &str| {
        let file = disk.open(path, Access::Create).unwrap();
        file.set_len(0).unwrap();
        file.write_at(0, text.as_bytes()).unwrap();
    };
    write("cfg/k.ini", "k=mine");
    let dir = over(&disk, &calm());
    let kept = update(&dir, &new, Depth::Quick, options()).unwrap().0.kept;
    assert_eq!(kept.len(), 1, "{kept:?}");
    assert_eq!(update(&dir, &old, Depth::Quick, options()).unwrap().1, 3, "without give_back it is fetched");
    assert_eq!(found(&disk)["cfg/k.ini"], file("k=1"));

    for deleted in [false, true] {
        let disk = disk_with(&old);
        let file = disk.open("cfg/k.ini", Access::Write).unwrap();
        file.write_at(0, b"k=mine").unwrap();
        let dir = over(&disk, &calm());
        let kept = update(&dir, &new, Depth::Quick, options()).unwrap().0.kept;
        if deleted {
            disk.remove_file(&kept[0].1).unwrap();
        }
        let back = PlanOptions { give_back: true, ..options() };
        let (_, fetched) = update(&dir, &old, Depth::Quick, back).unwrap();
        assert_eq!(fetched, if deleted { 3 } else { 0 });
        let mut right = old.tree.clone();
        if !deleted {
            right.insert("cfg/k.ini".into(), super::world::file("k=mine"));
        }
        assert_eq!(found(&disk), right, "as before the update");
        let (applied, fetched) = update(&dir, &new, Depth::Quick, options()).unwrap();
        assert_eq!((applied.kept.len(), fetched), (usize::from(!deleted), 0));
        assert_eq!(without_kept(found(&disk)), new.tree);
    }
}

/// A rollback and a second update are updates like any other: they survive every fault.
#[test]
fn going_back_is_interrupted_at_every_change() {
    let mut tried = 0;
    for (name, old, new, _) in scenarios().into_iter().filter(|(name, ..)| name.contains("patched")) {
        let (old, new) = (release(1, &old), release(2, &new));
        let start = disk_with(&old);
        know_leaves(&over(&start, &calm()), &old);
        go(&over(&start, &calm()), &new).unwrap();
        for fault in [Fault::Crash, Fault::Fail(std::io::ErrorKind::Other)] {
            for at in 0.. {
                let disk = start.fork();
                let steps = Steps::new(fault, at);
                let _ = update(&over(&disk, &steps), &old, Depth::Quick, options());
                let hit = steps.hit.lock().unwrap().clone();
                let what = format!("{name}, {fault:?} at {at} {hit:?}");
                let disk = if fault == Fault::Crash { disk.power_cut(at) } else { disk };
                settle(&what, &disk, &old, &new);
                tried += 1;
                if hit.is_none() {
                    break;
                }
            }
        }
    }
    println!("{tried} points");
}

fn settle(what: &str, disk: &SimFs, old: &Release, new: &Release) {
    let dir = over(disk, &calm());
    recover(&dir).unwrap_or_else(|error| panic!("{what}: {error}"));
    let is_new = dir.state().release.as_ref().unwrap().version == "2.0";
    let right = if is_new { new } else { old };
    assert_eq!(found(disk), right.tree, "{what}");
    let other = if is_new { old } else { new };
    // The undo data serve, whole or in part, or are gone; never wrong.
    update(&dir, other, Depth::Quick, options()).unwrap_or_else(|error| panic!("{what}: {error}"));
    assert_eq!(found(disk), other.tree, "{what}, the other way");
    let local = crate::verify::survey(&dir, &right.target.manifest, Depth::Quick, 1, &()).unwrap();
    let plan = crate::plan::plan(&local, &right.target.manifest, &Both(old, new), options());
    assert_eq!(plan.costs.bytes_fetch, 0, "{what}: undo data of an update that went well");
}
