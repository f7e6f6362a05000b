use super::*;
use crate::apply::tests::world::*;
use crate::folder::LeafSource;
use crate::hash::Hash;
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
