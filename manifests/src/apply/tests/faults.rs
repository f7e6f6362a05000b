//! Every change in turn is the last one, or fails: the tree is the old or the new one, and the next run succeeds.

use std::io::ErrorKind;

use super::faultfs::{Fault, FaultFs, Steps};
use super::scenarios::scenarios;
use super::world::*;
use crate::apply::{ApplyError, recover};
use crate::verify::Depth;

/// Recovers and updates with the fault at step `at`. `false` when the run had fewer steps.
fn one(name: &str, old: &Release, new: &Release, fault: Fault, at: u64) -> bool {
    let (temp, dir) = installed(old);
    drop(dir);
    let steps = Steps::new(fault, at);
    let result = update(&FaultFs::install(temp.path(), &steps), new, Depth::Quick, options());
    let hit = steps.hit.lock().unwrap().take();
    let Some(hit) = hit else {
        result.unwrap();
        return false;
    };
    let what = format!("{name}: {fault:?} at {at}, {hit}");
    let found = read_tree(temp.path());
    match &result {
        Ok(_) => assert_eq!(found, new.tree, "{what}"),
        Err(ApplyError::Unfinished(_)) => {}
        Err(error) => {
            assert_eq!(found, old.tree, "{what}: {error}");
            let code = match fault {
                Fault::Crash | Fault::None => "E-DISK-IO",
                Fault::Fail(kind) | Fault::FailOn(kind) if kind == ErrorKind::StorageFull => "E-DISK-FULL",
                Fault::Fail(_) | Fault::FailOn(_) => "E-DISK-IO",
            };
            assert_eq!(error.code(), code, "{what}: {error}");
        }
    }
    // The next start, itself cut short once.
    let early = Steps::new(Fault::Crash, at % 7);
    let _ = recover(&FaultFs::install(temp.path(), &early));
    let calm = Steps::new(Fault::None, 0);
    let dir = FaultFs::install(temp.path(), &calm);
    let recovered = recover(&dir).unwrap();
    assert!(recovered.is_none_or(|applied| applied.damaged.is_empty() && applied.kept.is_empty()), "{what}");
    let found = read_tree(temp.path());
    let version = dir.state().release.as_ref().unwrap().version.clone();
    assert_eq!(found, if version == "2.0" { new } else { old }.tree, "{what}, recovered");
    assert!(plan_for(&dir, if version == "2.0" { new } else { old }, Depth::Full, options()).is_nothing());
    let (applied, _) = update(&dir, new, Depth::Quick, options()).unwrap();
    assert!(applied.kept.is_empty(), "{what}");
    assert_eq!(read_tree(temp.path()), new.tree, "{what}, next run");
    assert!(plan_for(&dir, new, Depth::Full, options()).is_nothing(), "{what}");
    true
}

fn every_step(fault: Fault) {
    let mut tried = 0;
    for (name, old, new, _) in scenarios() {
        let (old, new) = (release(1, &old), release(2, &new));
        let points = (0..).take_while(|at| one(name, &old, &new, fault, *at)).count();
        assert!(points > 10, "{name}: {points} points");
        tried += points;
    }
    println!("{fault:?}: {tried} points");
}

#[test]
fn killed_at_every_change() {
    every_step(Fault::Crash);
}

#[test]
fn disk_full_from_every_change_on() {
    every_step(Fault::FailOn(ErrorKind::StorageFull));
}

#[test]
fn every_change_fails_once() {
    every_step(Fault::Fail(ErrorKind::Other));
}
