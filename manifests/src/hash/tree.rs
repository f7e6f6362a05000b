//! The nodes above a file's leaves, kept: where few leaves change, few nodes are hashed again.

use std::sync::Arc;

use super::{Hash, node, root_of_leaves};
use crate::release::FileIdentity;

/// With more than one changed group in so many, all nodes are hashed.
const FEW: usize = 8;
/// Leaves under one node of the lowest layer that is kept: those between are quicker hashed again than copied.
pub(crate) const GROUP: usize = 16;
/// With fewer leaves than these, another thread is not worth its start.
const THREADED: usize = 8192;

/// See the module.
#[derive(Debug)]
pub(crate) struct Tree {
    leaves: Arc<[Hash]>,
    /// The layers from the groups up, the root alone the last; none over a single group.
    above: Vec<Vec<Hash>>,
}

impl Tree {
    pub(crate) fn over(leaves: Arc<[Hash]>) -> Self {
        let nodes = if leaves.len() > GROUP { groups(&leaves) } else { Vec::new() };
        Self::from_groups(leaves, nodes)
    }

    /// The same where the nodes over the groups are known.
    pub(crate) fn from_groups(leaves: Arc<[Hash]>, nodes: Vec<Hash>) -> Self {
        let mut above: Vec<Vec<Hash>> = Vec::new();
        if !nodes.is_empty() {
            above.push(nodes);
        }
        let mut pad = group(&[]);
        while let Some(layer) = above.last().filter(|layer| layer.len() > 1) {
            let parents = layer.chunks(2).map(|pair| match pair {
                [left, right] => node(left, right),
                [left] => node(left, &pad),
                _ => pad,
            });
            let next = parents.collect();
            above.push(next);
            pad = node(&pad, &pad);
        }
        Self { leaves, above }
    }

    /// The tree over `leaves`, with what it shares with this one.
    pub(crate) fn with(&self, leaves: Arc<[Hash]>) -> Self {
        if leaves.len() != self.leaves.len() || self.above.is_empty() {
            return Self::over(leaves);
        }
        let most = leaves.len() / GROUP / FEW;
        let pairs = leaves.chunks(GROUP).zip(self.leaves.chunks(GROUP)).enumerate();
        let differs = |(at, (new, old)): (usize, (&[Hash], &[Hash]))| (new != old).then(|| (at, group(new)));
        let mut changed: Vec<(usize, Hash)> = pairs.filter_map(differs).take(most + 1).collect();
        if changed.len() > most {
            return Self::over(leaves);
        }
        let mut above = self.above.clone();
        let mut pad = group(&[]);
        let mut below: &[Hash] = &[];
        for layer in &mut above {
            if !below.is_empty() {
                changed.dedup_by_key(|(at, _)| *at / 2);
                for (at, hash) in &mut changed {
                    *at /= 2;
                    let left = below.get(*at * 2).copied().unwrap_or(pad);
                    *hash = node(&left, below.get(*at * 2 + 1).unwrap_or(&pad));
                }
                pad = node(&pad, &pad);
            }
            for (at, hash) in &changed {
                if let Some(place) = layer.get_mut(*at) {
                    *place = *hash;
                }
            }
            below = layer;
        }
        Self { leaves, above }
    }

    /// Whether these are exactly the leaves of the file called `identity`.
    pub(crate) fn is_of(&self, identity: &FileIdentity) -> bool {
        let root = self.above.last().map_or_else(|| root_of_leaves(&self.leaves), |top| root_of_leaves(top));
        self.leaves.len() as u64 == super::leaf_count(identity.len) && root == identity.root
    }

    pub(crate) fn leaves(&self) -> &Arc<[Hash]> {
        &self.leaves
    }

    /// The nodes over each [`GROUP`] of leaves; none over a single group.
    pub(crate) fn groups(&self) -> &[Hash] {
        self.above.first().map_or(&[], |nodes| nodes)
    }

    /// What it takes in memory, about, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.leaves.len().saturating_mul(32 + 64 / GROUP)
    }
}

/// The node over a group of leaves, filled up with the zeros of BEP 52.
fn group(leaves: &[Hash]) -> Hash {
    let mut nodes = [[0; 32]; GROUP];
    for (place, leaf) in nodes.iter_mut().zip(leaves) {
        *place = *leaf;
    }
    for level in (0..GROUP.ilog2()).rev() {
        let below = nodes;
        let pairs = below.as_chunks::<2>().0.iter().take(1 << level);
        for (place, [left, right]) in nodes.iter_mut().zip(pairs) {
            *place = node(left, right);
        }
    }
    let [root, ..] = nodes;
    root
}

/// The nodes over all groups.
fn groups(leaves: &[Hash]) -> Vec<Hash> {
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let each = leaves.len().div_ceil(threads).next_multiple_of(GROUP).max(THREADED);
    let hash = |part: &[Hash]| part.chunks(GROUP).map(group).collect::<Vec<_>>();
    std::thread::scope(|scope| {
        let mut parts = leaves.chunks(each);
        let own = parts.next().unwrap_or_default();
        let others: Vec<_> = parts.map(|part| (part, scope.spawn(move || hash(part)))).collect();
        let mut nodes = hash(own);
        for (part, other) in others {
            nodes.extend(other.join().unwrap_or_else(|_| hash(part)));
        }
        nodes
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn identity(leaves: &[Hash]) -> FileIdentity {
        FileIdentity { len: leaves.len() as u64 * super::super::BLOCK_LEN, root: root_of_leaves(leaves) }
    }

    proptest! {
        #[test]
        fn changed_leaves_lead_to_the_root_of_all(
            old in prop::collection::vec(any::<[u8; 32]>(), 0..600),
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<[u8; 32]>()), 0..12),
            longer in prop::collection::vec(any::<[u8; 32]>(), 0..2),
        ) {
            let tree = Tree::over(old.clone().into());
            prop_assert!(tree.is_of(&identity(&old)));
            let mut new = old.clone();
            for (at, leaf) in changes.iter().filter(|_| !old.is_empty()) {
                let at = at.index(new.len());
                new[at] = *leaf;
            }
            new.extend(longer);
            let next = tree.with(new.clone().into());
            prop_assert!(next.is_of(&identity(&new)));
            prop_assert_eq!(next.is_of(&identity(&old)), old == new);
            prop_assert!(next.with(old.clone().into()).is_of(&identity(&old)), "and back");
        }
    }
    #[test]
    fn threads_come_to_the_same() {
        for count in [THREADED, THREADED + 1, 3 * THREADED - 7] {
            let leaves: Vec<Hash> = (0..count).map(|at| [(at % 251) as u8; 32]).collect();
            assert!(Tree::over(leaves.clone().into()).is_of(&identity(&leaves)), "{count}");
        }
    }
}
