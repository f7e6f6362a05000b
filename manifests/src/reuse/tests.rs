use std::sync::Arc;

use super::*;
use crate::apply::Applier;
use crate::apply::tests::world::*;
use crate::hash::rolling;
use crate::plan::{PlanOptions, plan};
use crate::verify::{Depth, survey};

impl SumSource for Release {
    fn sums(&self, identity: &FileIdentity) -> Option<Vec<u64>> {
        let data = self.tree.values().find_map(|node| match node {
            Node::File(data, _) if hash(data).identity == *identity => Some(data),
            _ => None,
        })?;
        Some(data.chunks(16_384).map(rolling).collect())
    }
}

fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let byte = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    std::iter::repeat_with(byte).take(len).collect()
}

/// Updates an install of `old` to `new` with what is found; returns what had to be fetched.
fn fetched(old: &Tree, new: &Tree, sums: &dyn SumSource) -> u64 {
    let (old, new) = (release(1, old), release(2, new));
    let (temp, dir) = installed(&old);
    let mut local = survey(&dir, &new.target.manifest, Depth::Quick, 1, &()).unwrap();
    let before = plan(&local, &new.target.manifest, &new, PlanOptions::default());
    local.pieces = find(&*dir, &local, &new.target.manifest, &before, &new, sums, &()).unwrap();
    let plan = plan(&local, &new.target.manifest, &new, PlanOptions::default());
    assert!(plan.costs.bytes_fetch <= before.costs.bytes_fetch);
    let promised = plan.costs.bytes_fetch;
    let applier = Applier::new(Arc::clone(&dir), new.target.clone(), plan).unwrap().with_threads(1);
    applier.prepare(&new, &()).unwrap();
    let mut fetched = 0;
    for (index, ranges) in applier.missing() {
        for range in ranges {
            fetched += range.end - range.start;
            deliver(&applier, &new, index, range).unwrap();
        }
    }
    applier.commit(&()).unwrap();
    assert_eq!(read_tree(temp.path()), new.tree);
    assert_eq!(fetched, promised, "what the plan found was there");
    fetched
}

fn with(new: &Tree) -> Release {
    release(2, new)
}

#[test]
fn what_moved_is_found() {
    let data = noise(1, 20 * 16_384 + 100);
    let shifted = [b"ten bytes!", &data[..]].concat();
    let cut = data[5000..].to_vec();
    let swapped = [&data[170_000..], &data[..170_000]].concat();
    let zeros = [&vec![0; 100_000][..], &data[..]].concat();
    // From what to what; blocks that no window of the old file has.
    for (old, new, blocks) in [
        (&data, &data, 0),
        (&data, &shifted, 2),
        (&shifted, &data, 0),
        (&data, &cut, 0),
        // One block at the seam; the last one has no whole block of the old file before it.
        (&data, &swapped, 2),
        (&zeros, &data, 0),
        (&data, &zeros, 8),
    ] {
        let (old, new) = (tree(&[("a", file(old))]), tree(&[("a", file(new))]));
        let count = fetched(&old, &new, &with(&new)).div_ceil(16_384);
        assert!(count <= blocks, "{count} blocks fetched, at most {blocks} expected");
    }
}

#[test]
fn several_files_give_to_one() {
    let (a, b) = (noise(1, 200_000), noise(2, 200_000));
    let old = tree(&[("data/a.pak", file(&a)), ("data/b.pak", file(&b)), ("stays", file(noise(3, 90_000)))]);
    let joined = [&a[..], b"between", &b[..], &noise(3, 90_000)].concat();
    let new = tree(&[("data/all.pak", file(joined)), ("stays", file(noise(3, 90_000)))]);
    // At each of two seams two blocks, and the last one.
    assert!(fetched(&old, &new, &with(&new)) <= 5 * 16_384);
}

#[test]
fn checksums_that_lie_cost_time_and_nothing_else() {
    struct Liar(u64);
    impl SumSource for Liar {
        fn sums(&self, identity: &FileIdentity) -> Option<Vec<u64>> {
            Some(vec![self.0; leaf_count(identity.len) as usize])
        }
    }
    struct Short;
    impl SumSource for Short {
        fn sums(&self, _identity: &FileIdentity) -> Option<Vec<u64>> {
            Some(vec![1])
        }
    }
    let old = tree(&[("a", file(vec![7; 300_000]))]);
    let new = tree(&[("a", file(noise(1, 100_000)))]);
    // Every window of the old file has this checksum, and none is the block.
    assert_eq!(fetched(&old, &new, &Liar(rolling(&[7; 16_384]))), 100_000);
    assert_eq!(fetched(&old, &new, &Short), 100_000);
    // Right ones over data that repeats.
    let new = tree(&[("a", file([&[8; 50_000][..], &[7; 100_000]].concat()))]);
    assert!(fetched(&old, &new, &with(&new)) <= 4 * 16_384);
}

#[test]
fn what_is_asked_for_is_what_would_help() {
    let (old, new) =
        (release(1, &tree(&[("a", file(noise(1, 100_000)))])), tree(&[("a", file(noise(2, 100_000)))]));
    let (_temp, dir) = installed(&old);
    let to = release(2, &new);
    let local = survey(&dir, &to.target.manifest, Depth::Quick, 1, &()).unwrap();
    let asks = plan(&local, &to.target.manifest, &to, PlanOptions::default());
    assert_eq!(asks.wants_sums, [to.target.manifest.files[0].identity]);
    let nothing = plan(&Local::default(), &to.target.manifest, &to, PlanOptions::default());
    assert_eq!(nothing.wants_sums, [], "an empty folder has nothing that moved");
    let stop = StopAfter(std::sync::atomic::AtomicI64::new(0));
    let stopped = find(&*dir, &local, &to.target.manifest, &asks, &to, &to, &stop);
    assert!(matches!(stopped, Err(SurveyError::Cancelled)));
}
