//! The player's own files: never removed, never overwritten, kept aside when they stand in the way.

use std::path::Path;

use super::faultfs::{Fault, FaultFs, Steps};
use super::world::*;
use crate::apply::{recover, uninstall};
use crate::folder::InstallDir;
use crate::plan::PlanOptions;
use crate::release::Policy;
use crate::verify::{Depth, left_to_player, quick, survey, wounds};
use std::sync::Arc;

/// Every file's content below the folder.
fn all_contents(root: &Path) -> Vec<String> {
    fn walk(dir: &Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.is_symlink() {
                walk(&path, found);
            } else if let Ok(text) = std::fs::read_to_string(&path) {
                found.push(text);
            }
        }
    }
    let mut found = Vec::new();
    walk(root, &mut found);
    found
}

struct Case {
    name: &'static str,
    old: Tree,
    new: Tree,
    /// What the player does to the installed folder; `mine…` contents must survive.
    player: fn(&Path),
    /// The player's files left in place, beside the new tree.
    beside: Tree,
    /// Paths kept aside.
    kept: &'static [&'static str],
}

fn write(root: &Path, path: &str, text: &str) {
    write_tree(root, &tree(&[(path, file(text))]));
}

fn cases() -> Vec<Case> {
    let one = |path: &str, text: &str| tree(&[(path, file(text))]);
    vec![
        Case {
            name: "unlisted files stay",
            old: one("a/x", "1"),
            new: one("a/y", "2"),
            player: |root| {
                write(root, "a/save", "mine 1");
                write(root, "mods/m", "mine 2");
            },
            beside: tree(&[("a/save", file("mine 1")), ("mods/m", file("mine 2"))]),
            kept: &[],
        },
        Case {
            name: "changed and replaced",
            old: one("cfg", "1"),
            new: one("cfg", "2"),
            player: |root| write(root, "cfg", "mine"),
            beside: tree(&[]),
            kept: &["cfg"],
        },
        Case {
            name: "changed and not replaced by an equal one",
            old: one("cfg", "1"),
            new: one("cfg", "1"),
            player: |root| write(root, "cfg", "mine"),
            beside: tree(&[]),
            kept: &["cfg"],
        },
        Case {
            name: "changed to what comes",
            old: one("cfg", "1"),
            new: one("cfg", "22"),
            player: |root| write(root, "cfg", "22"),
            beside: tree(&[]),
            kept: &[],
        },
        Case {
            name: "changed and removed",
            old: tree(&[("cfg", file("1")), ("k", file("k"))]),
            new: one("k", "k"),
            player: |root| write(root, "cfg", "mine"),
            beside: tree(&[]),
            kept: &["cfg"],
        },
        Case {
            name: "unlisted in the way",
            old: one("k", "k"),
            new: tree(&[("k", file("k")), ("d/new", file("n"))]),
            player: |root| write(root, "d/new", "mine"),
            beside: tree(&[]),
            kept: &["d/new"],
        },
        Case {
            name: "unlisted file where a folder goes",
            old: one("k", "k"),
            new: tree(&[("k", file("k")), ("d/e/new", file("n"))]),
            player: |root| write(root, "d", "mine"),
            beside: tree(&[]),
            kept: &["d"],
        },
        Case {
            name: "changed file where a folder goes",
            old: tree(&[("k", file("k")), ("d", file("d"))]),
            new: tree(&[("k", file("k")), ("d/e", file("n"))]),
            player: |root| write(root, "d", "mine"),
            beside: tree(&[]),
            kept: &["d"],
        },
        Case {
            name: "folder with unlisted files where a file goes",
            old: tree(&[("k", file("k")), ("d/e/x", file("x"))]),
            new: tree(&[("k", file("k")), ("d", file("n"))]),
            player: |root| write(root, "d/e/save", "mine"),
            beside: tree(&[]),
            kept: &["d"],
        },
        Case {
            name: "empty folder where a file goes",
            old: one("k", "k"),
            new: tree(&[("k", file("k")), ("d", file("n"))]),
            player: |root| std::fs::create_dir(root.join("d")).unwrap(),
            beside: tree(&[]),
            kept: &[],
        },
        Case {
            name: "a copy of a new file lies elsewhere",
            old: one("k", "k"),
            new: tree(&[("k", file("k")), ("n", file("mine"))]),
            player: |root| write(root, "n", "mine"),
            beside: tree(&[]),
            kept: &[],
        },
        Case {
            name: "deleted by the player",
            old: tree(&[("k", file("k")), ("d/x", file("x")), ("d/y", file("y"))]),
            new: tree(&[("k", file("k")), ("d/x", file("x"))]),
            player: |root| std::fs::remove_dir_all(root.join("d")).unwrap(),
            beside: tree(&[]),
            kept: &[],
        },
        #[cfg(unix)]
        Case {
            name: "a folder replaced by a link",
            old: tree(&[("k", file("k")), ("d/x", file("x"))]),
            new: tree(&[("k", file("k")), ("d/x", file("x")), ("d/y", file("y"))]),
            player: |root| {
                std::fs::rename(root.join("d"), root.join("elsewhere")).unwrap();
                std::os::unix::fs::symlink("elsewhere", root.join("d")).unwrap();
            },
            beside: tree(&[("elsewhere/x", file("x"))]),
            kept: &["d"],
        },
        #[cfg(unix)]
        Case {
            name: "a file replaced by a link",
            old: one("x", "1"),
            new: one("x", "2"),
            player: |root| {
                write(root, "y", "mine");
                std::fs::remove_file(root.join("x")).unwrap();
                std::os::unix::fs::symlink("y", root.join("x")).unwrap();
            },
            beside: one("y", "mine"),
            kept: &["x"],
        },
    ]
}

fn with_beside(new: &Tree, beside: &Tree) -> Tree {
    new.iter().chain(beside).map(|(path, node)| (path.clone(), node.clone())).collect()
}

#[test]
fn kept_in_a_table() {
    for case in cases() {
        let (old, new) = (release(1, &case.old), release(2, &case.new));
        let (temp, dir) = installed(&old);
        (case.player)(temp.path());
        let (applied, _) = update(&dir, &new, Depth::Quick, options()).unwrap();
        let found = read_tree(temp.path());
        assert_eq!(without_kept(found.clone()), with_beside(&new.tree, &case.beside), "{}", case.name);
        let kept: Vec<&str> = applied.kept.iter().map(|(path, _)| path.as_str()).collect();
        assert_eq!(kept, case.kept, "{}", case.name);
        for (path, now) in &applied.kept {
            assert_eq!(*now, format!("{path}.mine-2026-11-22"));
            assert!(temp.path().join(now).symlink_metadata().is_ok());
        }
        // Whatever comes next, a kept file is nobody's business.
        for next in [&old, &new] {
            let (applied, _) = update(&dir, next, Depth::Full, options()).unwrap();
            assert!(applied.kept.is_empty(), "{}", case.name);
            let (mut before, mut now) = (found.clone(), read_tree(temp.path()));
            before.retain(|path, _| is_kept(path));
            now.retain(|path, _| is_kept(path));
            assert_eq!(now, before, "{}", case.name);
        }
    }
}

#[test]
fn kept_when_killed_at_every_change() {
    let mut tried = 0;
    for case in cases() {
        let (old, new) = (release(1, &case.old), release(2, &case.new));
        for at in 0.. {
            let (temp, dir) = installed(&old);
            drop(dir);
            (case.player)(temp.path());
            let mine = |root: &Path| {
                let mut found = all_contents(root);
                found.retain(|text| text.starts_with("mine"));
                found.sort();
                found.dedup();
                found
            };
            let before = mine(temp.path());
            let steps = Steps::new(Fault::Crash, at);
            let _ = update(&FaultFs::install(temp.path(), &steps), &new, Depth::Quick, options());
            assert_eq!(mine(temp.path()), before, "{} at {at}", case.name);
            let dir = FaultFs::install(temp.path(), &Steps::new(Fault::None, 0));
            recover(&dir).unwrap();
            update(&dir, &new, Depth::Quick, options()).unwrap();
            assert_eq!(mine(temp.path()), before, "{} at {at}", case.name);
            let found = without_kept(read_tree(temp.path()));
            assert_eq!(found, with_beside(&new.tree, &case.beside), "{} at {at}", case.name);
            if steps.hit.lock().unwrap().is_none() {
                break;
            }
            tried += 1;
        }
    }
    println!("{tried} points");
}

/// Three files kept on one day under one name, a fourth where the release has that very name, and one of the longest.
#[test]
fn kept_names_are_free_and_legal() {
    let long = format!("{}.cfg", "n".repeat(251));
    let dated = "b.mine-2026-11-22";
    let old = release(1, &tree(&[("d/cfg", file("1")), ("b", file("1")), (&long, file("1"))]));
    let new = tree(&[("d/cfg", file("2")), ("b", file("2")), (dated, file("new")), (&long, file("2"))]);
    let new = release(2, &new);
    let (temp, dir) = installed(&old);
    let mut want = new.tree.clone();
    for (at, next) in [(1, &new), (2, &old), (3, &new)] {
        let text = format!("mine {at}");
        write(temp.path(), "d/cfg", &text);
        let (applied, _) = update(&dir, next, Depth::Quick, options()).unwrap();
        let name = match at {
            1 => "d/cfg.mine-2026-11-22".to_owned(),
            _ => format!("d/cfg.mine-2026-11-22~{at}"),
        };
        assert_eq!(applied.kept.len(), 1);
        assert_eq!(applied.kept[0].1, name);
        want.insert(name, file(text));
    }
    assert_eq!(read_tree(temp.path()), want);
    update(&dir, &old, Depth::Quick, options()).unwrap();
    for path in ["b", &long] {
        write(temp.path(), path, "mine");
    }
    let (applied, _) = update(&dir, &new, Depth::Quick, options()).unwrap();
    let kept: Vec<&str> = applied.kept.iter().map(|(_, now)| now.as_str()).collect();
    let cut = format!("{}.mine-2026-11-22", "n".repeat(239));
    assert_eq!(kept, ["b.mine-2026-11-22~2", &cut]);
    for path in kept {
        want.insert(path.to_owned(), file("mine"));
    }
    assert_eq!(read_tree(temp.path()), want);
}

#[test]
fn a_repair_may_replace_damage() {
    let old = release(1, &tree(&[("a", blocks("abcd"))]));
    let (temp, dir) = installed(&old);
    let mut damaged = std::fs::read(temp.path().join("a")).unwrap();
    damaged[20_000] ^= 1;
    std::fs::write(temp.path().join("a"), damaged).unwrap();
    let repair = PlanOptions { keep_changed: false, ..options() };
    let (applied, fetched) = update(&dir, &old, Depth::Full, repair).unwrap();
    assert_eq!((applied.kept.len(), fetched), (0, 16_384));
    assert_eq!(read_tree(temp.path()), old.tree);
}

/// Settings, a starter save and a file the studio later drops, all changed: they stay over updates, back and forth, and
/// are no wounds; what the player deletes comes back or not, as the studio said.
#[test]
fn what_is_left_to_the_player_stays() {
    let keep = Policy { keep_if_changed: true, ..Policy::default() };
    let never = Policy { merge_never: true, ..Policy::default() };
    let with = |sequence, tree: &Tree| {
        let mut release = release(sequence, tree);
        for file in &mut Arc::make_mut(&mut release.target.manifest).files {
            *file = match file.path.as_str() {
                "set.ini" | "gone/set.ini" => file.clone().with_policy(keep),
                "save" => file.clone().with_policy(never),
                _ => continue,
            };
        }
        release
    };
    let at = |text: &str| {
        [("game", file(text)), ("save", file(text)), ("set.ini", file(text))].map(|(path, node)| (path, node))
    };
    let mut first = tree(&at("1"));
    first.insert("gone/set.ini".to_owned(), file("1"));
    let (old, new) = (with(1, &first), with(2, &tree(&at("2"))));
    let (temp, dir) = installed(&old);
    let mine = tree(&[("gone/set.ini", file("mine")), ("save", file("mine")), ("set.ini", file("mine"))]);
    write_tree(temp.path(), &mine);
    let wounds = |release: &Release| {
        let local = survey(&dir, &release.target.manifest, Depth::Full, 1, &()).unwrap();
        (wounds(&local, &release.target.manifest, release), left_to_player(&local, &release.target.manifest))
    };
    // What the first update replaced lies in the undo data after that.
    for (release, text, bytes) in [(&new, "2", 1), (&old, "1", 0), (&new, "2", 0)] {
        let (applied, fetched) = update(&dir, release, Depth::Quick, options()).unwrap();
        assert_eq!((applied.kept.len(), applied.damaged.len(), fetched), (0, 0, bytes));
        let mut want = mine.clone();
        want.insert("game".to_owned(), file(text));
        assert_eq!(read_tree(temp.path()), want);
        assert!(plan_for(&dir, release, Depth::Full, options()).is_nothing());
        let (wounds, left) = wounds(release);
        assert_eq!(wounds, []);
        assert_eq!(left.len(), release.tree.len() - 1);
        assert_eq!(quick(&dir, 1).unwrap(), []);
        let repair = PlanOptions { keep_changed: false, ..options() };
        assert!(plan_for(&dir, release, Depth::Full, repair).is_nothing());
    }
    for path in ["set.ini", "save"] {
        std::fs::remove_file(temp.path().join(path)).unwrap();
    }
    assert_eq!(wounds(&new).0.len(), 2, "what is missing is told");
    update(&dir, &new, Depth::Quick, options()).unwrap();
    assert!(temp.path().join("set.ini").exists() && !temp.path().join("save").exists());
    let repair = PlanOptions { keep_changed: false, ..options() };
    update(&dir, &new, Depth::Full, repair).unwrap();
    assert_eq!(std::fs::read(temp.path().join("save")).unwrap(), b"2");
    // A file that the player leaves alone follows the releases.
    update(&dir, &with(3, &tree(&at("3"))), Depth::Quick, options()).unwrap();
    assert_eq!(std::fs::read(temp.path().join("save")).unwrap(), b"3");
}

/// A name no release can have.
const ODD: &str = if cfg!(windows) { "odd;name\u{202e}" } else { " odd: name. " };

#[test]
fn adopting_reuses_what_is_there_and_loses_nothing() {
    let new =
        release(1, &tree(&[("a", blocks("abcd")), ("b/b", file("bb")), ("c", file("cc")), ("e", file(""))]));
    let temp = tempfile::tempdir().unwrap();
    let there = tree(&[
        ("a", blocks("abXd")),
        ("old/c", file("cc")),
        ("b/b", file("bb")),
        ("save", file("mine")),
        (ODD, file("zz")),
    ]);
    write_tree(temp.path(), &there);
    let dir = Arc::new(InstallDir::create(temp.path(), "game", true).unwrap());
    let (applied, fetched) = update(&dir, &new, Depth::Full, options()).unwrap();
    assert_eq!(fetched, 16_384);
    let kept: Vec<&str> = applied.kept.iter().map(|(path, _)| path.as_str()).collect();
    assert_eq!(kept, ["a"]);
    let mut want = there.clone();
    want.extend(new.tree.clone());
    want.insert("a.mine-2026-11-22".to_owned(), there["a"].clone());
    assert_eq!(read_tree(temp.path()), want);
    // Without its records the folder can be taken over again, and nothing is fetched.
    drop(dir);
    std::fs::remove_dir_all(temp.path().join(".samara")).unwrap();
    let dir = Arc::new(InstallDir::create(temp.path(), "game", true).unwrap());
    let (applied, fetched) = update(&dir, &new, Depth::Quick, options()).unwrap();
    assert_eq!((applied.kept.len(), applied.placed, fetched), (0, 0, 0));
    assert_eq!(read_tree(temp.path()), want);
}

#[test]
fn uninstall_takes_only_what_it_brought() {
    let old = release(1, &tree(&[("a/b", file("x")), ("cfg", file("y"))]));
    let (temp, dir) = installed(&old);
    write(temp.path(), "cfg", "mine");
    write(temp.path(), "a/save", "mine too");
    let done = uninstall(Arc::into_inner(dir).unwrap(), &()).unwrap();
    assert_eq!(done.removed, 1);
    let mut left = done.left;
    left.sort();
    assert_eq!(left, ["a", "cfg"]);
    assert_eq!(read_tree(temp.path()), tree(&[("a/save", file("mine too")), ("cfg", file("mine"))]));
    assert!(!temp.path().join(".samara").exists());

    let (temp, dir) = installed(&old);
    uninstall(Arc::into_inner(dir).unwrap(), &()).unwrap();
    assert!(!temp.path().exists());
}
