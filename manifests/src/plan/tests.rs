use super::*;
use crate::apply::tests::world::*;
use crate::folder::{Guard, LeafSource};
use crate::hash::Hash;
use crate::release::Policy;
use std::sync::Arc;

fn plan_between(old: &Tree, new: &Tree) -> Plan {
    let (old, new) = (release(1, old), release(2, new));
    let local = Local::undisturbed(&old.target.manifest, &new.target.manifest, &old);
    plan(&local, &new.target.manifest, &new, PlanOptions::default())
}

fn path(text: &str) -> SafePath {
    SafePath::parse(text).unwrap()
}

#[test]
fn the_first_user_moves_and_the_others_copy() {
    let old = tree(&[("a", file("x")), ("stays", file("y"))]);
    let new = tree(&[("b", file("x")), ("c", file("x")), ("d", file("y")), ("stays", file("y"))]);
    let plan = plan_between(&old, &new);
    assert_eq!(
        plan.ops,
        [
            Op::Move { from: path("a") },
            Op::Copy { from: path("a") },
            Op::Copy { from: path("stays") },
            Op::Keep { set_executable: None },
        ]
    );
    assert_eq!(plan.remove, [], "it was moved");
    let costs = Costs { bytes_kept: 1, bytes_local: 3, bytes_fetch: 0, bytes_written: 2, temp_bytes: 2 };
    assert_eq!(plan.costs, costs);
}

#[test]
fn equal_blocks_stay_and_the_rest_is_fetched() {
    let plan = plan_between(&tree(&[("a", blocks("abcd"))]), &tree(&[("a", blocks("aXcYe"))]));
    let pieces = vec![Piece { at: 0, range: 0..16_384 }, Piece { at: 32_768, range: 32_768..49_152 }];
    let fetch = vec![16_384..32_768, 49_152..81_920];
    assert_eq!(plan.ops, [Op::Rebuild { from: vec![Source { path: path("a"), pieces }], fetch }]);
    assert_eq!(
        (plan.costs.bytes_local, plan.costs.bytes_fetch, plan.costs.temp_bytes),
        (32_768, 49_152, 81_920)
    );
}

#[test]
fn leaves_are_asked_for_where_they_would_help() {
    struct Nothing;
    impl LeafSource for Nothing {
        fn leaves(&self, _identity: &FileIdentity) -> Option<Arc<[Hash]>> {
            None
        }
    }
    let old = release(1, &tree(&[("big", blocks("abcd")), ("small", file("s"))]));
    let new = release(2, &tree(&[("big", blocks("abXd")), ("new", blocks("nnnn")), ("small", file("t"))]));
    let local = Local::undisturbed(&old.target.manifest, &new.target.manifest, &old);
    let plan = plan(&local, &new.target.manifest, &Nothing, PlanOptions::default());
    assert_eq!(plan.wants_leaves, [new.target.manifest.files[0].identity]);
    assert_eq!(plan.ops, [Op::Fetch, Op::Fetch, Op::Fetch]);
    let fetch: Vec<_> = plan.fetch(&new.target.manifest.files).collect();
    assert_eq!(fetch, [(0, vec![0..65_536]), (1, vec![0..65_536]), (2, vec![0..1])]);
}

#[test]
fn one_root_with_two_lengths_is_two_files() {
    // BEP 52 does not separate leaves from nodes: the two leaves laid end to end are a file with the same root.
    let Node::File(long, _) = blocks("ab") else { panic!("blocks are a file") };
    let leaves = hash(&long).leaves.concat();
    assert_eq!(hash(&leaves).identity.root, hash(&long).identity.root);
    let plan = plan_between(&tree(&[("a", file(&long))]), &tree(&[("b", file(&leaves))]));
    assert_eq!(plan.ops, [Op::Fetch]);
    assert_eq!(plan.remove.len(), 1);
}

#[test]
fn folders_go_and_come_in_order() {
    let plan = plan_between(&tree(&[("a/b/c", file("x"))]), &tree(&[("d/e/f", file("x"))]));
    assert_eq!(plan.remove_folders, [path("a/b"), path("a")]);
    assert_eq!(plan.create_folders, [path("d"), path("d/e")]);
}

/// What becomes of a file `f` of the studio's that the player did something to, by its options.
#[test]
fn what_the_studio_leaves_to_the_player() {
    const NONE: Policy = Policy { keep_if_changed: false, merge_never: false, delete_on_remove: false };
    const KEEP: Policy = Policy { keep_if_changed: true, ..NONE };
    const NEVER: Policy = Policy { merge_never: true, ..NONE };
    const KEEP_GOES: Policy = Policy { delete_on_remove: true, ..KEEP };
    const NEVER_GOES: Policy = Policy { delete_on_remove: true, ..NEVER };
    const ALL: [Policy; 5] = [NONE, KEEP, NEVER, KEEP_GOES, NEVER_GOES];
    // For each of them: replaced ('r'), kept aside ('a'), left ('l'), removed ('d'), there already ('k').
    let cases = [
        ("changed, a new version", Some("mine"), Some("2"), false, "allll"),
        ("changed, the same version", Some("mine"), Some("1"), false, "allll"),
        ("changed to what comes", Some("2"), Some("2"), false, "kkkkk"),
        ("as it was, a new version", Some("1"), Some("2"), false, "rrrrr"),
        ("deleted, a new version", None, Some("2"), false, "rrlrl"),
        ("deleted, repaired", None, Some("1"), true, "rrrrr"),
        ("changed, repaired", Some("mine"), Some("1"), true, "rllll"),
        ("changed, dropped", Some("mine"), None, false, "allaa"),
        ("as it was, dropped", Some("1"), None, false, "ddddd"),
    ];
    for (name, found, new, repair, want) in cases {
        let mut got = String::new();
        for policy in ALL {
            let with = |text: Option<&str>, sequence| {
                let mut files = tree(&[("k", file("k"))]);
                files.extend(text.map(|text| ("f".to_owned(), file(text))));
                let mut release = release(sequence, &files);
                for file in &mut Arc::make_mut(&mut release.target.manifest).files {
                    *file = file.clone().with_policy(policy);
                }
                release
            };
            let (old, new) = (with(Some("1"), 1), with(new, 2));
            let (old, new) = (&old.target.manifest, (&new.target.manifest, &new));
            let mut local = Local::undisturbed(old, new.0, new.1);
            local.policies = old.files.iter().map(|file| (file.path.clone(), file.policy())).collect();
            local.entries.remove(&path("f"));
            if let Some(text) = found {
                let identity = Some(hash(text.as_bytes()).identity);
                let guard = Guard { len: text.len() as u64, mtime_ns: 7, inode: 7 };
                let mine = LocalFile { guard, executable: Some(false), identity, leaves: None };
                local.entries.insert(path("f"), Entry::File(mine));
            }
            let options = PlanOptions { keep_changed: !repair, ..PlanOptions::default() };
            let plan = plan(&local, new.0, new.1, options);
            let listed = new.0.files.iter().position(|file| file.path == path("f"));
            let op = listed.map(|at| &plan.ops[at]);
            let relied = plan.relies_on.iter().any(|(relied, _)| *relied == path("f"));
            got.push(match op {
                Some(Op::Leave) => 'l',
                Some(Op::Keep { .. }) => 'k',
                _ if !plan.keep_aside.is_empty() => 'a',
                Some(_) => 'r',
                None if plan.left == [path("f")] => 'l',
                None if plan.remove.len() == 1 => 'd',
                None => '?',
            });
            let left = got.ends_with('l') && found.is_some();
            assert_eq!(plan.left, if left { vec![path("f")] } else { Vec::new() }, "{name}");
            assert!(!(left && relied), "{name}: it may change at any time");
        }
        assert_eq!(got, want, "{name}");
    }
}
