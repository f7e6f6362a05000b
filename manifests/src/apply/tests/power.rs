//! The power fails at every change, and what was not synced is lost in many ways: the old tree or the new one.

use super::faultfs::{Fault, Steps};
use super::scenarios::scenarios;
use super::simfs::{SimFs, calm, disk_on, found, over};
use super::world::*;
use crate::apply::recover;
use crate::verify::Depth;

/// Ways to lose what was not synced, tried for each change.
const CUTS: u64 = 2;

fn check(what: &str, disk: &SimFs, old: &Release, new: &Release) {
    let dir = over(disk, &calm());
    recover(&dir).unwrap();
    let is_new = dir.state().release.as_ref().unwrap().version == "2.0";
    let right = if is_new { new } else { old };
    assert_eq!(found(disk), right.tree, "{what}");
    for depth in [Depth::Quick, Depth::Full] {
        assert!(plan_for(&dir, right, depth, options()).is_nothing(), "{what}, {depth:?}");
    }
    update(&dir, new, Depth::Quick, options()).unwrap();
    assert_eq!(found(disk), new.tree, "{what}, next run");
}

#[test]
fn power_cut_at_every_change() {
    every_change(&SimFs::default(), |_| true);
}

#[test]
fn power_cut_where_case_does_not_count() {
    every_change(&SimFs::insensitive(), |name| name.starts_with("case"));
}

fn every_change(empty: &SimFs, wanted: fn(&str) -> bool) {
    let mut tried = 0;
    for (name, old, new, _) in scenarios().into_iter().filter(|(name, ..)| wanted(name)) {
        let (old, new) = (release(1, &old), release(2, &new));
        let start = disk_on(empty.fork(), &old);
        for at in 0.. {
            let disk = start.fork();
            let steps = Steps::new(Fault::Crash, at);
            let _ = update(&over(&disk, &steps), &new, Depth::Quick, options());
            // The program dies, starts again, and the power fails while it recovers.
            let again = disk.fork();
            let _ = recover(&over(&again, &Steps::new(Fault::Crash, at % 29)));
            check(&format!("{name}, change {at}, died, cut in recovery"), &again.power_cut(at), &old, &new);
            tried += 1;
            for seed in 0..CUTS {
                let what = format!("{name}, change {at} {:?}, cut {seed}", steps.hit.lock().unwrap());
                let cut = disk.power_cut(seed + CUTS * at);
                // Recovery meets a power cut of its own.
                let again = cut.power_cut(0);
                let _ = recover(&over(&again, &Steps::new(Fault::Crash, (seed + at) % 23)));
                check(&format!("{what}, cut again"), &again.power_cut(seed), &old, &new);
                check(&what, &cut, &old, &new);
                tried += 2;
            }
            if steps.hit.lock().unwrap().is_none() {
                break;
            }
        }
    }
    println!("{tried} power cuts");
}
