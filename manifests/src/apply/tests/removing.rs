//! A game is taken away from a folder that a player has lived in: each change fails, and the power fails at each. As long
//! as something of the game is there, so is the record that the next try goes on by.

use std::io::ErrorKind;
use std::sync::Arc;

use super::faultfs::{Fault, Steps};
use super::simfs::{SimFs, calm, found, over};
use super::suite::{new_tree, old_tree, start, update_now};
use super::world::*;
use crate::apply::{ApplyError, Uninstalled, uninstall};
use crate::folder::{Fs, PRIVATE, STATE_FILE};

/// Ways to lose what was not synced, tried for each change.
const CUTS: u64 = 4;

fn remove_now(disk: &SimFs, steps: &Arc<Steps>) -> Result<Uninstalled, ApplyError> {
    uninstall(Arc::into_inner(over(disk, steps)).unwrap(), &())
}

/// An install that was updated, so that there is something to go back to; and what is left when it goes.
fn lived_in() -> (SimFs, Tree) {
    let disk = start(&release(1, &old_tree()));
    update_now(&disk, &calm(), &release(2, &new_tree())).unwrap();
    let undisturbed = disk.fork();
    remove_now(&undisturbed, &calm()).unwrap();
    assert!(undisturbed.stat(PRIVATE).unwrap().is_none());
    let mine = found(&undisturbed);
    assert!(!mine.is_empty() && mine.len() < 6, "{mine:?}");
    (disk, mine)
}

/// The next try, if there is anything left to try.
fn check(what: &str, disk: &SimFs, mine: &Tree) {
    if disk.stat(STATE_FILE).unwrap().is_some() {
        remove_now(disk, &calm()).unwrap_or_else(|error| panic!("{what}: {error}"));
    }
    assert_eq!(found(disk), *mine, "{what}");
    let private =
        if disk.stat(PRIVATE).unwrap().is_some() { disk.list(PRIVATE).unwrap() } else { Vec::new() };
    assert!(private.is_empty(), "{what}: {private:?} is left of the records");
}

#[test]
fn every_change_fails_and_the_next_try_ends_it() {
    let (begun, mine) = lived_in();
    for at in 0.. {
        let disk = begun.fork();
        let steps = Steps::new(Fault::Fail(ErrorKind::Other), at);
        let done = remove_now(&disk, &steps);
        let Some(hit) = steps.hit.lock().unwrap().clone() else {
            assert!(at > 20, "{at} changes");
            return check("undisturbed", &disk, &mine);
        };
        check(&format!("change {at} {hit}: {done:?}"), &disk, &mine);
    }
}

#[test]
fn the_power_fails_at_every_change() {
    let (begun, mine) = lived_in();
    for at in 0.. {
        let disk = begun.fork();
        let steps = Steps::new(Fault::Crash, at);
        let _ = remove_now(&disk, &steps);
        let hit = steps.hit.lock().unwrap().clone();
        for seed in 0..CUTS {
            check(&format!("change {at} {hit:?}, cut {seed}"), &disk.power_cut(seed + CUTS * at), &mine);
        }
        if hit.is_none() {
            return;
        }
    }
}
