//! Every change in turn is the last one, or fails: the tree is the old or the new one, and the next run succeeds.

use std::io::ErrorKind;
use std::sync::Arc;

use super::faultfs::{Fault, FaultFs, Steps};
use super::scenarios::scenarios;
use super::simfs::{SimFs, calm, disk_with, found, over};
use super::world::*;
use crate::apply::{ApplyError, recover};
use crate::verify::Depth;

/// An update with the fault at step `at`, on a real folder or in memory. `None` when it had fewer steps.
fn one(
    name: &str,
    (old, new): (&Release, &Release),
    fault: Fault,
    at: u64,
    disk: Option<&SimFs>,
) -> Option<()> {
    let temp = disk.is_none().then(|| installed(old).0);
    let open = |steps: &Arc<Steps>| match (&temp, disk) {
        (Some(temp), _) => FaultFs::install(temp.path(), steps),
        (None, disk) => over(disk.unwrap(), steps),
    };
    let read = || temp.as_ref().map_or_else(|| found(disk.unwrap()), |temp| read_tree(temp.path()));
    let steps = Steps::new(fault, at);
    let result = update(&open(&steps), new, Depth::Quick, options());
    let hit = steps.hit.lock().unwrap().take();
    let Some(hit) = hit else {
        result.unwrap();
        return None;
    };
    let what = format!("{name}: {fault:?} at {at}, {hit}");
    match &result {
        Ok(_) => assert_eq!(read(), new.tree, "{what}"),
        Err(ApplyError::Unfinished(_)) => {}
        Err(error) => {
            assert_eq!(read(), old.tree, "{what}: {error}");
            let full =
                matches!(fault, Fault::Fail(kind) | Fault::FailOn(kind) if kind == ErrorKind::StorageFull);
            assert_eq!(error.code(), if full { "E-DISK-FULL" } else { "E-DISK-IO" }, "{what}: {error}");
        }
    }
    // The next start, itself cut short once.
    let _ = recover(&open(&Steps::new(Fault::Crash, at % 7)));
    let dir = open(&calm());
    let recovered = recover(&dir).unwrap();
    assert!(recovered.is_none_or(|applied| applied.damaged.is_empty() && applied.kept.is_empty()), "{what}");
    let is_new = dir.state().release.as_ref().unwrap().version == "2.0";
    let right = if is_new { new } else { old };
    assert_eq!(read(), right.tree, "{what}, recovered");
    assert!(plan_for(&dir, right, Depth::Full, options()).is_nothing());
    let (applied, _) = update(&dir, new, Depth::Quick, options()).unwrap();
    assert!(applied.kept.is_empty(), "{what}");
    assert_eq!(read(), new.tree, "{what}, next run");
    assert!(plan_for(&dir, new, Depth::Full, options()).is_nothing(), "{what}");
    Some(())
}

fn every_step(fault: Fault, real: bool) {
    let mut tried = 0;
    for (name, old, new, _) in scenarios() {
        let (old, new) = (release(1, &old), release(2, &new));
        let start = (!real).then(|| disk_with(&old));
        let points = (0..)
            .map_while(|at| one(name, (&old, &new), fault, at, start.as_ref().map(SimFs::fork).as_ref()));
        let points = points.count();
        assert!(points > 10, "{name}: {points} points");
        tried += points;
    }
    println!("{fault:?}: {tried} points");
}

#[test]
fn killed_at_every_change() {
    every_step(Fault::Crash, true);
}

#[test]
fn disk_full_from_every_change_on() {
    every_step(Fault::FailOn(ErrorKind::StorageFull), false);
}

#[test]
fn every_change_fails_once() {
    every_step(Fault::Fail(ErrorKind::Other), false);
}
