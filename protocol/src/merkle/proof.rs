//! Answers to hash requests, and what they prove (BEP 52 `hash request`, `hashes`).
//!
//! The first log2(length)−1 proof layers follow from the hashes themselves: they are counted in `proof_layers`
//! but not sent.

use super::{next_layer, pad, parent, root_layer, subtree};
use crate::units::Root;

/// The most hashes we ask for at once (BEP 52).
pub const MAX_REQUEST_HASHES: u32 = 512;
/// The most hashes we answer with: libtorrent asks for all leaves of a piece, however large that is.
pub const MAX_ANSWER_HASHES: u32 = 8192;

/// Which hashes of a file's tree are asked for (BEP 52 `hash request`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HashRange {
    /// The file, by its `pieces root`.
    pub root: Root,
    /// The layer, counted from the leaves (0).
    pub base_layer: u32,
    /// The first hash, counted from the layer's start; a multiple of `length`.
    pub index: u32,
    /// How many hashes: a power of two, from 2 to 512.
    pub length: u32,
    /// How many layers above the base layer the proof is to reach.
    pub proof_layers: u32,
}

/// A file's tree from some layer up to the root, without pads; about 64 bytes a leaf when built from leaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tree {
    base_layer: u32,
    root_layer: u32,
    /// The base layer first, the root alone at last.
    layers: Vec<Vec<Root>>,
}

impl Tree {
    /// Builds the layers above `nodes`, which are all nodes of `base_layer` (0: the leaves) of a file of this
    /// length. `None` when their number does not fit the file.
    #[must_use]
    pub fn new(nodes: Vec<Root>, base_layer: u32, file_len: u64) -> Option<Tree> {
        let root_layer = root_layer(file_len);
        let covered = 1u64.checked_shl(base_layer)?;
        if base_layer > root_layer || nodes.len() as u64 != super::leaf_count(file_len).div_ceil(covered) {
            return None;
        }
        let mut layers = vec![nodes];
        for layer in base_layer..root_layer {
            let next = layers.last().map(|nodes| next_layer(nodes, layer))?;
            layers.push(next);
        }
        Some(Tree { base_layer, root_layer, layers })
    }

    /// The root; an empty file has none.
    #[must_use]
    pub fn root(&self) -> Option<Root> {
        self.layers.last()?.first().copied()
    }

    /// A node, pads included; `None` below the base layer and beyond the tree.
    #[must_use]
    pub fn node(&self, layer: u32, index: u64) -> Option<Root> {
        let nodes = self.layers.get(layer.checked_sub(self.base_layer)? as usize)?;
        let width = 1u64 << (self.root_layer - layer);
        (index < width).then(|| {
            usize::try_from(index)
                .ok()
                .and_then(|index| nodes.get(index))
                .copied()
                .unwrap_or_else(|| pad(layer))
        })
    }

    /// The hashes that answer a request: `None` is to be answered with a reject. Lengths that are not a power of two
    /// are answered when they begin a subtree of the next one; a single hash comes with its sibling, or nothing could
    /// be proved with it.
    #[must_use]
    pub fn answer(&self, range: &HashRange) -> Option<Vec<Root>> {
        if Some(range.root) != self.root() || !(1..=MAX_ANSWER_HASHES).contains(&range.length) {
            return None;
        }
        let span = range.length.next_power_of_two();
        let layers_above = self.root_layer.checked_sub(range.base_layer)?;
        let aligned = range.index.is_multiple_of(span) || range.proof_layers == 0;
        if !aligned || (range.proof_layers >= layers_above && range.proof_layers > 0) {
            return None;
        }
        let first = u64::from(range.index);
        let mut hashes = (first..first + u64::from(range.length))
            .map(|index| self.node(range.base_layer, index))
            .collect::<Option<Vec<Root>>>()?;
        let subtree_height = span.ilog2();
        for above in subtree_height..=range.proof_layers {
            hashes.push(self.node(range.base_layer + above, (first >> above) ^ 1)?);
        }
        Some(hashes)
    }
}

/// The requests that bring a whole layer of a file and prove it up to the root: in powers of two, at most
/// [`MAX_REQUEST_HASHES`] each. None for a layer of one node, which is the root or hangs directly below it.
pub fn requests_for_layer(root: Root, layer: u32, file_len: u64) -> impl Iterator<Item = HashRange> {
    let above = root_layer(file_len).saturating_sub(layer);
    let count = super::leaf_count(file_len).div_ceil(1u64.checked_shl(layer).unwrap_or(u64::MAX));
    let length = u64::from(MAX_REQUEST_HASHES).min(1u64.checked_shl(above).unwrap_or(u64::MAX));
    let starts = (0..count).step_by(length as usize).take_while(move |_| above > 0);
    starts.filter_map(move |start| {
        let rest = (count - start).next_power_of_two().clamp(2, length);
        Some(HashRange {
            root,
            base_layer: layer,
            index: u32::try_from(start).ok()?,
            length: rest as u32,
            proof_layers: above - 1,
        })
    })
}

/// What hashes prove: that these are children of a node higher up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proven {
    /// The layer of `node`.
    pub layer: u32,
    /// The index of `node` in its layer.
    pub index: u64,
    /// The node everything was hashed up to. The hashes are true if this one is known to be.
    pub node: Root,
}

/// Why a `hashes` message proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// Its length is no power of two, its index no multiple of that, or it lies outside the file's tree.
    #[error("the range of hashes is malformed")]
    BadRange,
    /// It does not have as many hashes as its range calls for.
    #[error("the number of hashes is wrong")]
    BadCount,
    /// The hashes lead to another root.
    #[error("the hashes do not lead to the root")]
    Mismatch,
}

/// Hashes a `hashes` message upwards. The result is to be compared with a node that is known: the file's root
/// ([`Proven::check_root`]) or a piece's.
///
/// # Errors
/// [`ProofError::BadRange`], [`ProofError::BadCount`]
pub fn prove(range: &HashRange, hashes: &[Root], file_len: u64) -> Result<Proven, ProofError> {
    let root_layer = root_layer(file_len);
    let sound = range.length.is_power_of_two()
        && (2..=MAX_REQUEST_HASHES).contains(&range.length)
        && range.index.is_multiple_of(range.length);
    let height = range.length.max(1).ilog2();
    let top = range.base_layer.checked_add(height.max(range.proof_layers.saturating_add(1)));
    let width = root_layer.checked_sub(range.base_layer).and_then(|above| 1u64.checked_shl(above));
    let end = u64::from(range.index) + u64::from(range.length);
    if !sound || top.is_none_or(|top| top > root_layer) || width.is_none_or(|width| end > width) {
        return Err(ProofError::BadRange);
    }
    let uncles = (range.proof_layers + 1).saturating_sub(height);
    if hashes.len() != range.length as usize + uncles as usize {
        return Err(ProofError::BadCount);
    }
    let (base, uncles) = hashes.split_at(range.length as usize);
    let mut node = subtree(base, range.base_layer, height);
    let mut index = u64::from(range.index) >> height;
    for uncle in uncles {
        node = if index.is_multiple_of(2) { parent(&node, uncle) } else { parent(uncle, &node) };
        index >>= 1;
    }
    Ok(Proven { layer: range.base_layer + height + uncles.len() as u32, index, node })
}

impl Proven {
    /// Holds the result against the file's root.
    ///
    /// # Errors
    /// [`ProofError::Mismatch`] when it is another, or the proof does not reach that far.
    pub fn check_root(&self, root: Root, file_len: u64) -> Result<(), ProofError> {
        let reached = self.layer == root_layer(file_len) && self.index == 0 && self.node == root;
        if reached { Ok(()) } else { Err(ProofError::Mismatch) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merkle::{file_root, leaf, piece_layer};
    use proptest::prelude::*;

    fn leaves(count: usize) -> Vec<Root> {
        (0..count).map(|i| leaf(&i.to_be_bytes())).collect()
    }

    fn tree(count: usize) -> (Tree, u64) {
        let len = count as u64 * 16384;
        (Tree::new(leaves(count), 0, len).unwrap(), len)
    }

    #[test]
    fn the_first_proof_layers_are_counted_but_not_sent() {
        let (tree, _) = tree(64);
        let range = |length, proof_layers| HashRange {
            root: tree.root().unwrap(),
            base_layer: 0,
            index: 0,
            length,
            proof_layers,
        };
        let cases = [
            (2, 0, Some(2)),
            (2, 1, Some(3)),
            (2, 5, Some(7)),
            (2, 6, None),
            (8, 2, Some(8)),
            (8, 3, Some(9)),
            (8, 5, Some(11)),
            (64, 5, Some(64)),
            (64, 0, Some(64)),
            (128, 0, None),
            (65, 0, None),
            (1, 0, Some(2)),
            (1, 5, Some(7)),
            (3, 0, Some(3)),
            (3, 2, Some(4)),
            (u32::MAX, 0, None),
            (0, 0, None),
        ];
        for (length, proof_layers, hashes) in cases {
            let answer = tree.answer(&range(length, proof_layers));
            assert_eq!(answer.map(|hashes| hashes.len()), hashes, "{length} {proof_layers}");
        }
    }

    #[test]
    fn ranges_from_outside_never_overflow() {
        let (tree, len) = tree(5);
        let root = tree.root().unwrap();
        let numbers = [0, 1, 2, 3, 4, 31, 32, 63, 64, 512, 513, u32::MAX - 1, u32::MAX];
        for base_layer in numbers {
            for index in numbers {
                for length in numbers {
                    for proof_layers in numbers {
                        let range = HashRange { root, base_layer, index, length, proof_layers };
                        if let Some(hashes) = tree.answer(&range) {
                            assert!(hashes.len() <= 8);
                        }
                        let _ = prove(&range, &[root; 4], len);
                    }
                }
            }
        }
    }

    #[test]
    fn nodes_that_do_not_fit_the_file() {
        assert!(Tree::new(leaves(3), 0, 16384).is_none());
        assert!(Tree::new(leaves(1), 9, 16384).is_none());
        assert!(Tree::new(vec![], 0, 0).unwrap().root().is_none());
        assert!(Tree::new(leaves(1), u32::MAX, 1).is_none());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn a_layer_is_brought_by_its_requests(count in 1usize..2500, layer in 0u32..4) {
            let (tree, len) = tree(count);
            let root = tree.root().unwrap();
            let mut got = Vec::new();
            for range in requests_for_layer(root, layer, len) {
                let hashes = tree.answer(&range).unwrap();
                prop_assert_eq!(prove(&range, &hashes, len).unwrap().check_root(root, len), Ok(()));
                prop_assert_eq!(range.index as usize, got.len());
                got.extend_from_slice(&hashes[..range.length as usize]);
            }
            if root_layer(len) > layer {
                let nodes = count.div_ceil(1 << layer);
                prop_assert!(got.len() >= nodes && got.len() < nodes + 512);
                prop_assert!((0..got.len()).all(|i| tree.node(layer, i as u64) == Some(got[i])));
            } else {
                prop_assert!(got.is_empty());
            }
        }
    }

    proptest! {
        #[test]
        fn answers_prove_themselves(count in 2usize..300, layer in 0u32..4, height in 1u32..6, at in 0u32..300, extra in 0u32..10) {
            let (tree, len) = tree(count);
            let root = tree.root().unwrap();
            prop_assert_eq!(Some(root), file_root(&leaves(count)));
            let root_layer = root_layer(len);
            let length = 1 << height;
            let range = HashRange { root, base_layer: layer, index: at / length * length, length, proof_layers: extra };
            let fits = layer + height <= root_layer && range.index + length <= 1 << (root_layer - layer);
            let proof_fits = extra == 0 || layer + extra < root_layer;
            let Some(hashes) = tree.answer(&range) else {
                prop_assert!(!fits || !proof_fits);
                return Ok(());
            };
            prop_assert!(fits && proof_fits);
            let proven = prove(&range, &hashes, len).unwrap();
            prop_assert_eq!(tree.node(proven.layer, proven.index), Some(proven.node));
            prop_assert_eq!(proven.check_root(root, len).is_ok(), proven.layer == root_layer);
            let mut wrong = hashes.clone();
            let spot = at as usize % wrong.len();
            wrong[spot].0[5] ^= 1;
            prop_assert_ne!(prove(&range, &wrong, len).unwrap().node, proven.node);
            prop_assert_eq!(prove(&range, &hashes[1..], len), Err(ProofError::BadCount));
        }

        #[test]
        fn a_tree_from_the_piece_layer_answers_as_one_from_leaves(count in 5usize..300, index in 0u32..8) {
            let (full, len) = tree(count);
            let upper = Tree::new(piece_layer(&leaves(count), 65536), 2, len).unwrap();
            for proof_layers in 0..7 {
                let range = HashRange { root: full.root().unwrap(), base_layer: 2, index: index * 2, length: 2, proof_layers };
                prop_assert_eq!(upper.answer(&range), full.answer(&range));
                prop_assert_eq!(upper.answer(&HashRange { base_layer: 1, ..range }), None);
            }
        }
    }
}
