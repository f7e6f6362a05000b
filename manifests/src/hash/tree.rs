//! The nodes above a file's leaves, kept: where few leaves change, few nodes are hashed again.

use std::sync::Arc;

use super::{Hash, node, root_of_leaves};
use crate::release::FileIdentity;

/// With more than one changed leaf in so many, all nodes are hashed.
const FEW: usize = 8;

/// See the module.
#[derive(Debug)]
pub(crate) struct Tree {
    leaves: Arc<[Hash]>,
    /// The layers above, the root alone the last; none over a single leaf.
    above: Vec<Vec<Hash>>,
}

impl Tree {
    pub(crate) fn over(leaves: Vec<Hash>) -> Self {
        let mut above: Vec<Vec<Hash>> = Vec::new();
        let mut pad = [0; 32];
        loop {
            let layer = above.last().unwrap_or(&leaves);
            if layer.len() <= 1 {
                break;
            }
            let parents = layer.chunks(2).map(|pair| match pair {
                [left, right] => node(left, right),
                [left] => node(left, &pad),
                _ => pad,
            });
            let next = parents.collect();
            above.push(next);
            pad = node(&pad, &pad);
        }
        Self { leaves: leaves.into(), above }
    }

    /// The tree over `leaves`, with what it shares with this one.
    pub(crate) fn with(&self, leaves: Vec<Hash>) -> Self {
        let differs = |(at, (new, old)): (usize, (&Hash, &Hash))| (new != old).then_some((at, *new));
        let mut changed: Vec<(usize, Hash)> =
            leaves.iter().zip(&*self.leaves).enumerate().filter_map(differs).collect();
        if leaves.len() != self.leaves.len() || changed.len().saturating_mul(FEW) > leaves.len() {
            return Self::over(leaves);
        }
        let mut above = self.above.clone();
        let (mut below, mut pad): (&[Hash], Hash) = (&leaves, [0; 32]);
        for layer in &mut above {
            changed.dedup_by_key(|(at, _)| *at / 2);
            for (at, hash) in &mut changed {
                *at /= 2;
                let left = below.get(*at * 2).copied().unwrap_or(pad);
                *hash = node(&left, below.get(*at * 2 + 1).unwrap_or(&pad));
                if let Some(place) = layer.get_mut(*at) {
                    *place = *hash;
                }
            }
            (below, pad) = (layer, node(&pad, &pad));
        }
        Self { leaves: leaves.into(), above }
    }

    /// Whether these are exactly the leaves of the file called `identity`.
    pub(crate) fn is_of(&self, identity: &FileIdentity) -> bool {
        let root = self.above.last().map_or_else(|| root_of_leaves(&self.leaves), |top| root_of_leaves(top));
        self.leaves.len() as u64 == super::leaf_count(identity.len) && root == identity.root
    }

    pub(crate) fn leaves(&self) -> &Arc<[Hash]> {
        &self.leaves
    }

    /// What it takes in memory, about, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.leaves.len().saturating_mul(64)
    }
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
            old in prop::collection::vec(any::<[u8; 32]>(), 0..200),
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<[u8; 32]>()), 0..12),
            longer in prop::collection::vec(any::<[u8; 32]>(), 0..2),
        ) {
            let tree = Tree::over(old.clone());
            prop_assert!(tree.is_of(&identity(&old)));
            let mut new = old.clone();
            for (at, leaf) in changes.iter().filter(|_| !old.is_empty()) {
                let at = at.index(new.len());
                new[at] = *leaf;
            }
            new.extend(longer);
            let next = tree.with(new.clone());
            prop_assert!(next.is_of(&identity(&new)));
            prop_assert_eq!(next.is_of(&identity(&old)), old == new);
            prop_assert!(next.with(old.clone()).is_of(&identity(&old)), "and back");
        }
    }
}
