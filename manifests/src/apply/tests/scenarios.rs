//! Updates in a table: forward, back, repaired.

use std::sync::Arc;

use super::simfs::{SimFs, calm, disk_on, found, over};
use super::world::*;
use crate::folder::InstallDir;
use crate::verify::Depth;

/// Name, old tree, new tree, bytes the way forward may fetch.
pub(crate) fn scenarios() -> Vec<(&'static str, Tree, Tree, u64)> {
    let exec = |data: &str| Node::File(data.into(), true);
    let link = |target: &str| Node::Link(target.into());
    let mut table = vec![
        ("nothing", tree(&[("a", file("a"))]), tree(&[("a", file("a"))]), 0),
        ("first", tree(&[]), tree(&[("a/b/c", file("abc")), ("e", file(""))]), 3),
        ("changed", tree(&[("a", file("old"))]), tree(&[("a", file("new!"))]), 4),
        ("renamed", tree(&[("a/x", file("data"))]), tree(&[("b/y", file("data"))]), 0),
        (
            "swapped",
            tree(&[("a", file("A")), ("b", file("B"))]),
            tree(&[("a", file("B")), ("b", file("A"))]),
            0,
        ),
        (
            "chain",
            tree(&[("a", file("1")), ("b", file("2")), ("c", file("3"))]),
            tree(&[("b", file("1")), ("c", file("2")), ("d", file("3")), ("a", file("4"))]),
            1,
        ),
        ("case", tree(&[("Readme.txt", file("r"))]), tree(&[("README.txt", file("r"))]), 0),
        ("case and content", tree(&[("Data/a", file("r"))]), tree(&[("data/a", file("rr"))]), 2),
        (
            "many users",
            tree(&[("a", file("x"))]),
            tree(&[("a", file("x")), ("b", file("x")), ("c/c", file("x"))]),
            0,
        ),
        ("moved to many", tree(&[("a", file("x"))]), tree(&[("b", file("x")), ("c/c", file("x"))]), 0),
        (
            "fetched once",
            tree(&[]),
            tree(&[("a", blocks("abc")), ("b", blocks("abc")), ("c", blocks("abc"))]),
            49_152,
        ),
        (
            "file to folder",
            tree(&[("a", file("x")), ("k", file("k"))]),
            tree(&[("a/b", file("y")), ("k", file("k"))]),
            1,
        ),
        ("folder to file", tree(&[("a/b/c", file("x")), ("a/d", file("z"))]), tree(&[("a", file("y"))]), 1),
        ("into itself", tree(&[("a", file("x"))]), tree(&[("a/a", file("x"))]), 0),
        ("out of itself", tree(&[("a/a", file("x"))]), tree(&[("a", file("x"))]), 0),
        ("block changed", tree(&[("a", blocks("abcdef"))]), tree(&[("a", blocks("abXdef"))]), 16_384),
        ("patched", tree(&[("a", blocks("abcdefgh"))]), tree(&[("a", blocks("aXcdefgY"))]), 32_768),
        (
            "patched and grown",
            tree(&[("a", blocks("abcdefgh"))]),
            tree(&[("a", blocks("Xbcdefghi"))]),
            32_768,
        ),
        ("patched and cut", tree(&[("a", blocks("abcdefgh"))]), tree(&[("a", blocks("abcXefg"))]), 16_384),
        (
            "patched with blocks of others",
            tree(&[("a", blocks("abcdefgh")), ("b", blocks("klmn")), ("gone", file("g"))]),
            tree(&[("a", blocks("abcdkfgh")), ("b", blocks("klmn")), ("c", file("new"))]),
            16_387,
        ),
        (
            "patched twice, moved, replaced",
            tree(&[
                ("a", blocks("abcdefgh")),
                ("b", blocks("klmnopqr")),
                ("m", blocks("mn")),
                ("r", file("r")),
            ]),
            tree(&[
                ("a", blocks("abXdefgh")),
                ("b", blocks("klmnopYr")),
                ("n/m", blocks("mn")),
                ("r", file("R!")),
            ]),
            32_770,
        ),
        ("grown", tree(&[("a", blocks("abcd"))]), tree(&[("a", blocks("abcdef"))]), 32_768),
        ("shrunk", tree(&[("a", blocks("abcdef"))]), tree(&[("a", blocks("abcd"))]), 0),
        (
            "emptied",
            tree(&[("a", file("abc")), ("b", file(""))]),
            tree(&[("a", file("")), ("b", file("b"))]),
            1,
        ),
        ("deleted", tree(&[("a/b/c", file("x")), ("k", file("k"))]), tree(&[("k", file("k"))]), 0),
        ("all deleted", tree(&[("a/b/c", file("x"))]), tree(&[]), 0),
        ("nested", tree(&[("k", file("k"))]), tree(&[("a/b/c/d/e", file("x")), ("k", file("k"))]), 1),
    ];
    if cfg!(unix) {
        table.extend([
            ("executable", tree(&[("a", file("x"))]), tree(&[("a", exec("x"))]), 0),
            (
                "executable moved",
                tree(&[("a", file("x")), ("c", exec("y"))]),
                tree(&[("b", exec("x")), ("d", file("y"))]),
                0,
            ),
            ("executable new", tree(&[]), tree(&[("a", exec("x")), ("b", file("x"))]), 1),
            ("link new", tree(&[("a", file("x"))]), tree(&[("a", file("x")), ("l", link("a"))]), 0),
            (
                "link changed",
                tree(&[("a", file("x")), ("b", file("y")), ("l", link("a"))]),
                tree(&[("a", file("x")), ("b", file("y")), ("l", link("b"))]),
                0,
            ),
            (
                "link to file",
                tree(&[("a", file("x")), ("l", link("a"))]),
                tree(&[("a", file("x")), ("l", file("y"))]),
                1,
            ),
            ("link to folder", tree(&[("d/a", file("x")), ("l", link("d"))]), tree(&[("l/a", file("x"))]), 0),
            ("link gone", tree(&[("a", file("x")), ("l", link("a"))]), tree(&[("a", file("x"))]), 0),
        ]);
    }
    table
}

#[test]
fn where_case_does_not_count() {
    for (name, old, new, bytes) in scenarios() {
        let (old, new) = (release(1, &old), release(2, &new));
        let disk = disk_on(SimFs::insensitive(), &old);
        let dir = over(&disk, &calm());
        let (applied, fetched) = update(&dir, &new, Depth::Quick, options()).unwrap();
        assert_eq!((found(&disk), fetched), (new.tree.clone(), bytes), "{name}");
        assert!(applied.kept.is_empty() && applied.damaged.is_empty(), "{name}: {applied:?}");
        for depth in [Depth::Quick, Depth::Full] {
            assert!(plan_for(&dir, &new, depth, options()).is_nothing(), "{name}");
        }
        update(&dir, &old, Depth::Full, options()).unwrap();
        assert_eq!(found(&disk), old.tree, "{name}, back");
    }
}

#[test]
fn forward_back_and_again() {
    for (name, old, new, bytes) in scenarios() {
        let (old, new) = (release(1, &old), release(2, &new));
        let (temp, dir) = installed(&old);
        drop(dir);
        let dir = Arc::new(InstallDir::open(temp.path()).unwrap());
        let (applied, fetched) = update(&dir, &new, Depth::Quick, options()).unwrap();
        assert_eq!(read_tree(temp.path()), new.tree, "{name}");
        assert_eq!(fetched, bytes, "{name}");
        assert!(applied.kept.is_empty() && applied.damaged.is_empty(), "{name}: {applied:?}");
        assert_eq!(dir.state().release.as_ref().unwrap().version, "2.0");
        assert_eq!(dir.manifest().unwrap().unwrap(), b"manifest 2");
        assert!(plan_for(&dir, &new, Depth::Quick, options()).is_nothing(), "{name}");
        assert!(plan_for(&dir, &new, Depth::Full, options()).is_nothing(), "{name}");
        update(&dir, &old, Depth::Full, options()).unwrap();
        assert_eq!(read_tree(temp.path()), old.tree, "{name}, back");
        let left: Vec<_> = std::fs::read_dir(temp.path().join(".samara/staging")).unwrap().collect();
        assert!(left.is_empty(), "{name}: {left:?}");
    }
}
