//! Where open files stand in the way (Windows): whatever another program has open is found before the commit, or is in
//! nobody's way; nothing of the old release was touched then, and once it is closed the update works.

use std::collections::BTreeSet;

use super::faultfs::{Held, Steps};
use super::simfs::{calm, found, over};
use super::suite::{new_tree, old_tree, start, update_now};
use super::world::*;
use crate::verify::Depth;

#[test]
fn whatever_is_held_open_stops_the_update_before_the_commit_or_not_at_all() {
    let (old, new) = (release(1, &old_tree()), release(2, &new_tree()));
    let disk = start(&old);
    let before = found(&disk);
    let parents = before.keys().flat_map(|path| path.match_indices('/').map(|(end, _)| &path[..end]));
    let mut paths: BTreeSet<&str> = parents.collect();
    paths.extend(before.keys().map(String::as_str));
    let (mut stopped, mut passed) = (0, 0);
    for path in paths {
        for writable in [true, false] {
            let what = format!("{path} held, writable: {writable}");
            let disk = disk.fork();
            let steps = Steps::holding(Held { path: path.to_owned(), writable });
            match update_now(&disk, &steps, &new) {
                Ok(_) => passed += 1,
                Err(error) => {
                    stopped += 1;
                    assert_eq!(error.code(), "E-DISK-LOCKED", "{what}: {error}");
                    assert!(error.to_string().contains(path), "{what}: {error}");
                    assert_eq!(found(&disk), before, "{what}");
                    update_now(&disk, &calm(), &new).unwrap_or_else(|error| panic!("{what}: {error}"));
                }
            }
            // A folder that stayed because it is held is no difference.
            assert!(plan_for(&over(&disk, &calm()), &new, Depth::Full, options()).is_nothing(), "{what}");
        }
    }
    println!("{stopped} stopped, {passed} passed");
    assert!(stopped > 20 && passed > 10, "{stopped} stopped, {passed} passed");
}
