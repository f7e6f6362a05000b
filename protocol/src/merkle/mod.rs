//! BEP 52 merkle trees: SHA-256 over 16 KiB blocks of one file.
//!
//! A file's tree has a power of two of leaves. A leaf beyond the end of the file is 32 zero bytes, so a node
//! that covers only such leaves is the iterated hash of zero pairs ([`pad`]), never zeros itself. Layers are
//! counted from the leaves (0) upwards. The last block is hashed without padding.
//!
//! The tree does not tell leaves from nodes (a 64-byte file can have the root of a two-block file): a root
//! names a file only together with its length.

#[cfg(target_arch = "x86_64")]
mod wide;
mod many;
mod hasher;
mod proof;

pub use hasher::{FileHasher, FileHashes};
pub use many::leaves;
pub use proof::{
    HashRange, MAX_ANSWER_HASHES, MAX_REQUEST_HASHES, ProofError, Proven, Tree, prove, requests_for_layer,
};

use crate::units::{BLOCK_LEN, Root};
use sha2::{Digest, Sha256};
use std::sync::LazyLock;

/// The most layers a tree can have; 2⁴⁸ leaves are more than any file's length can need.
pub const MAX_LAYERS: u32 = 49;

/// The hash of a block: the last one of a file may be shorter than [`BLOCK_LEN`].
#[must_use]
pub fn leaf(block: &[u8]) -> Root {
    Root(Sha256::digest(block).into())
}

/// The parent of two nodes.
#[must_use]
pub fn parent(left: &Root, right: &Root) -> Root {
    let mut both = [0; 64];
    both[..32].copy_from_slice(&left.0);
    both[32..].copy_from_slice(&right.0);
    Root(Sha256::digest(both).into())
}

static PADS: LazyLock<[Root; MAX_LAYERS as usize]> = LazyLock::new(|| {
    let mut pads = [Root::ZERO; MAX_LAYERS as usize];
    for layer in 1..pads.len() {
        pads[layer] = parent(&pads[layer - 1], &pads[layer - 1]);
    }
    pads
});

/// The node of a layer that covers nothing but leaves beyond the end of the file.
#[must_use]
pub fn pad(layer: u32) -> Root {
    PADS[(layer as usize).min(PADS.len() - 1)]
}

/// How many blocks, and so leaves that are not pad, a file has.
#[must_use]
pub fn leaf_count(file_len: u64) -> u64 {
    file_len.div_ceil(u64::from(BLOCK_LEN))
}

/// The layer of a file's root: 0 for a file of one block.
#[must_use]
pub fn root_layer(file_len: u64) -> u32 {
    leaf_count(file_len).max(1).next_power_of_two().trailing_zeros()
}

/// The layer whose nodes cover one piece each; the piece length is a power of two of at least one block.
#[must_use]
pub fn piece_layer_of(piece_len: u32) -> u32 {
    (piece_len / BLOCK_LEN).max(1).ilog2()
}

/// The next layer up; a missing right neighbour is pad.
fn next_layer(nodes: &[Root], layer: u32) -> Vec<Root> {
    nodes.chunks(2).map(|pair| parent(&pair[0], pair.get(1).unwrap_or(&pad(layer)))).collect()
}

/// The node `height` layers above `nodes`, which lie in `layer`, with pads to the right of them. No nodes
/// give a pad. `nodes` beyond 2^height are not looked at.
#[must_use]
pub fn subtree(nodes: &[Root], layer: u32, height: u32) -> Root {
    let width = 1usize.checked_shl(height).unwrap_or(usize::MAX);
    let mut row = nodes[..nodes.len().min(width)].to_vec();
    for layer in layer..layer.saturating_add(height) {
        if row.is_empty() {
            break;
        }
        row = next_layer(&row, layer);
    }
    row.first().copied().unwrap_or_else(|| pad(layer.saturating_add(height)))
}

/// A file's root from all its leaves; `None` for an empty file, which has no root.
#[must_use]
pub fn file_root(leaves: &[Root]) -> Option<Root> {
    (!leaves.is_empty()).then(|| subtree(leaves, 0, leaves.len().next_power_of_two().trailing_zeros()))
}

/// A file's piece layer from all its leaves.
#[must_use]
pub fn piece_layer(leaves: &[Root], piece_len: u32) -> Vec<Root> {
    let layer = piece_layer_of(piece_len);
    leaves.chunks(1 << layer).map(|piece| subtree(piece, 0, layer)).collect()
}

/// The root over a piece layer: what a torrent's `piece layers` entry must be keyed by.
#[must_use]
pub fn root_of_piece_layer(layer_nodes: &[Root], piece_len: u32) -> Option<Root> {
    let height = layer_nodes.len().next_power_of_two().trailing_zeros();
    (!layer_nodes.is_empty()).then(|| subtree(layer_nodes, piece_layer_of(piece_len), height))
}

/// What a piece's leaves must hash to: within a larger file the node of the piece layer, else the file's root,
/// whose tree may be lower than a piece's.
#[must_use]
pub fn piece_root(leaves: &[Root], piece_len: u32, file_len: u64) -> Option<Root> {
    let height =
        if file_len > u64::from(piece_len) { piece_layer_of(piece_len) } else { root_layer(file_len) };
    (!leaves.is_empty() && leaves.len() <= 1 << height).then(|| subtree(leaves, 0, height))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pads_are_iterated_hashes_of_zeros() {
        assert_eq!(pad(0), Root([0; 32]));
        assert_eq!(pad(1), leaf(&[0; 64]));
        assert_eq!(pad(2), parent(&pad(1), &pad(1)));
    }

    #[test]
    fn small_trees() {
        let leaves: Vec<Root> = (0..5u8).map(|i| leaf(&[i])).collect();
        let [a, b, c, d, e] = leaves[..] else { panic!("five") };
        assert_eq!(file_root(&[]), None);
        assert_eq!(file_root(&leaves[..1]), Some(a));
        assert_eq!(file_root(&leaves[..3]), Some(parent(&parent(&a, &b), &parent(&c, &Root::ZERO))));
        let left = parent(&parent(&a, &b), &parent(&c, &d));
        let right = parent(&parent(&e, &Root::ZERO), &pad(1));
        assert_eq!(file_root(&leaves), Some(parent(&left, &right)));
        let layer = piece_layer(&leaves, 4 * BLOCK_LEN);
        assert_eq!(layer, [left, right]);
        assert_eq!(root_of_piece_layer(&layer, 4 * BLOCK_LEN), file_root(&leaves));
    }

    #[test]
    fn root_layers() {
        for (len, layer) in [(0, 0), (1, 0), (16384, 0), (16385, 1), (49152, 2), (65536, 2), (65537, 3)] {
            assert_eq!(root_layer(len), layer, "{len}");
        }
        assert!(root_layer(u64::MAX) < MAX_LAYERS + 2);
    }

    #[test]
    fn a_root_alone_does_not_name_a_file() {
        let two_blocks = [leaf(&[1; BLOCK_LEN as usize]), leaf(&[2; BLOCK_LEN as usize])];
        let forged = [two_blocks[0].0, two_blocks[1].0].concat();
        assert_eq!(forged.len(), 64);
        assert_eq!(file_root(&[leaf(&forged)]), file_root(&two_blocks));
    }
}
