//! The file's hash tree (BEP 52, "pieces root"), as far as plan, apply and verify need it.
//!
//! Leaves are the SHA-256 of 16 KiB blocks, the last one of what is left; missing leaves up to the next power of two are
//! 32 zero bytes. The protocol crate has a tree of its own with proofs; neither may import the other.

mod changes;
mod rolling;
mod tree;

use sha2::block_api::compress256;
use sha2::{Digest, Sha256};

use crate::release::FileIdentity;

pub use changes::LeafChanges;
pub(crate) use rolling::{Roller, numbers_of_bytes};
pub use rolling::{rolling, sums_from_bytes, sums_to_bytes};
pub(crate) use tree::{GROUP, Tree};

/// Bytes under one leaf.
pub const BLOCK_LEN: u64 = 16 * 1024;
const BLOCK_BYTES: usize = 16 * 1024;

/// A leaf or node of the tree.
pub type Hash = [u8; 32];

/// FIPS 180-4 §5.3.3.
const INITIAL: [u32; 8] =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];
/// What follows a message of two hashes: a one, zeros, its length in bits (FIPS 180-4 §5.1.1).
const END_OF_64_BYTES: [u8; 64] = {
    let mut block = [0; 64];
    block[0] = 0x80;
    block[62] = 2;
    block
};

/// Number of leaves of a file of `len` bytes.
pub fn leaf_count(len: u64) -> u64 {
    len.div_ceil(BLOCK_LEN)
}

/// The bytes of one block in a file of `len` bytes.
pub fn block_range(block: u64, len: u64) -> std::ops::Range<u64> {
    let start = block.saturating_mul(BLOCK_LEN).min(len);
    start..start.saturating_add(BLOCK_LEN).min(len)
}

/// The leaf of one block of at most 16 KiB.
pub fn leaf(block: &[u8]) -> Hash {
    Sha256::digest(block).into()
}

/// Hashes many blocks of at most 16 KiB, to the leaf of each. Where the processor can do several at once that is faster
/// than [`one_by_one`]; what comes out is the same.
pub type HashBlocks = fn(&[&[u8]]) -> Vec<Hash>;

/// [`leaf`] of each block.
pub fn one_by_one(blocks: &[&[u8]]) -> Vec<Hash> {
    blocks.iter().map(|block| leaf(block)).collect()
}

/// The root over `leaves`; all zero for an empty file.
pub fn root_of_leaves(leaves: &[Hash]) -> Hash {
    if leaves.is_empty() {
        return [0; 32];
    }
    let mut layer = leaves.to_vec();
    let mut pad = [0; 32];
    while layer.len() > 1 {
        let mut next = Vec::with_capacity(layer.len().div_ceil(2));
        for pair in layer.chunks(2) {
            next.push(match pair {
                [left, right] => node(left, right),
                [left] => node(left, &pad),
                _ => pad,
            });
        }
        pad = node(&pad, &pad);
        layer = next;
    }
    layer.first().copied().unwrap_or_default()
}

fn node(left: &Hash, right: &Hash) -> Hash {
    let mut block = [0; 64];
    let (first, second) = block.split_at_mut(32);
    first.copy_from_slice(left);
    second.copy_from_slice(right);
    let mut state = INITIAL;
    // What a hasher would keep books about is always the same here, and there are 262,144 of them in 4 GiB.
    compress256(&mut state, &[block, END_OF_64_BYTES]);
    let mut hash = [0; 32];
    for (bytes, word) in hash.as_chunks_mut::<4>().0.iter_mut().zip(state) {
        *bytes = word.to_be_bytes();
    }
    hash
}

/// Whether `leaves` are exactly those of the file called `identity`: as many as its length asks for, and up to its root.
pub fn leaves_match(identity: &FileIdentity, leaves: &[Hash]) -> bool {
    leaves.len() as u64 == leaf_count(identity.len) && root_of_leaves(leaves) == identity.root
}

/// Reads a `.leaves` file: 32-byte hashes laid end to end. `None` when a hash is cut.
pub fn leaves_from_bytes(bytes: &[u8]) -> Option<Vec<Hash>> {
    let (whole, rest) = bytes.as_chunks::<32>();
    rest.is_empty().then(|| whole.to_vec())
}

/// What hashing a file yields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hashed {
    /// The file's identity.
    pub identity: FileIdentity,
    /// One leaf a block; none for an empty file.
    pub leaves: Vec<Hash>,
}

impl Hashed {
    /// The file of `len` bytes whose blocks have these leaves.
    pub(crate) fn over(len: u64, leaves: Vec<Hash>) -> Self {
        Self { identity: FileIdentity { len, root: root_of_leaves(&leaves) }, leaves }
    }
}

/// Hashes a file that arrives in order, in pieces of any size.
#[derive(Default)]
pub struct TreeHasher {
    leaves: Vec<Hash>,
    open: Sha256,
    open_len: usize,
    len: u64,
}

impl TreeHasher {
    /// Adds the next bytes of the file.
    pub fn update(&mut self, mut data: &[u8]) {
        self.len += data.len() as u64;
        while !data.is_empty() {
            let (now, later) = data.split_at(data.len().min(BLOCK_BYTES - self.open_len));
            if now.len() == BLOCK_BYTES {
                self.leaves.push(leaf(now));
                data = later;
                continue;
            }
            self.open.update(now);
            self.open_len += now.len();
            data = later;
            if self.open_len == BLOCK_BYTES {
                self.close_block();
            }
        }
    }

    fn close_block(&mut self) {
        self.leaves.push(self.open.finalize_reset_hash());
        self.open_len = 0;
    }

    /// The identity and the leaves of everything added.
    pub fn finish(mut self) -> Hashed {
        if self.open_len > 0 {
            self.close_block();
        }
        Hashed::over(self.len, self.leaves)
    }
}

/// `finalize_reset` under a name that says what comes out.
trait FinalizeReset {
    fn finalize_reset_hash(&mut self) -> Hash;
}

impl FinalizeReset for Sha256 {
    fn finalize_reset_hash(&mut self) -> Hash {
        Digest::finalize_reset(self).into()
    }
}

/// Which 16 KiB blocks of one file are known to be right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockMap {
    len: u64,
    words: Vec<u64>,
    count: u64,
}

impl BlockMap {
    /// No block of a file of `len` bytes.
    pub fn none(len: u64) -> Self {
        let words = leaf_count(len).div_ceil(64);
        // A length comes from a signed manifest and is bounded there (16 TiB: 16 Mi words at most).
        Self { len, words: vec![0; usize::try_from(words).unwrap_or(usize::MAX)], count: 0 }
    }

    /// Every block.
    pub fn all(len: u64) -> Self {
        let mut map = Self::none(len);
        map.mark(0..len);
        map
    }

    /// The blocks of a file of `len` bytes whose leaves are the same in both.
    pub(crate) fn equal(len: u64, one: &[Hash], other: &[Hash]) -> Self {
        let mut map = Self::none(len);
        for (word, (one, other)) in map.words.iter_mut().zip(one.chunks(64).zip(other.chunks(64))) {
            let same = (0..).zip(one.iter().zip(other)).filter(|(_, (one, other))| one == other);
            *word = same.fold(0, |word, (bit, _)| word | 1u64 << bit);
        }
        // What lies beyond the file is not of it.
        let end = u32::try_from(leaf_count(len) % 64).unwrap_or(0);
        if let Some(last) = map.words.last_mut().filter(|_| end > 0) {
            *last &= (1 << end) - 1;
        }
        map.count = map.words.iter().map(|word| u64::from(word.count_ones())).sum();
        map
    }

    /// Adds the blocks that lie wholly in `range`, in bytes; the last block ends with the file.
    pub fn mark(&mut self, range: std::ops::Range<u64>) {
        self.set(self.whole_blocks(&range), true);
    }

    /// Takes every block that has a byte in `range` out again.
    pub fn clear_range(&mut self, range: std::ops::Range<u64>) {
        self.set(range.start / BLOCK_LEN..range.end.min(self.len).div_ceil(BLOCK_LEN), false);
    }

    /// Takes the block out again.
    pub fn clear(&mut self, block: u64) {
        self.set(block..block.saturating_add(1), false);
    }

    fn whole_blocks(&self, range: &std::ops::Range<u64>) -> std::ops::Range<u64> {
        let end = range.end.min(self.len);
        let last = if end == self.len { leaf_count(self.len) } else { end / BLOCK_LEN };
        range.start.div_ceil(BLOCK_LEN)..last
    }

    /// Word by word: a map of a large file is gone over often.
    fn set(&mut self, blocks: std::ops::Range<u64>, on: bool) {
        let mut block = blocks.start;
        while block < blocks.end {
            let (first, count) = (block % 64, (64 - block % 64).min(blocks.end - block));
            let Some(word) = usize::try_from(block / 64).ok().and_then(|at| self.words.get_mut(at)) else {
                return;
            };
            let mask = (u64::MAX >> (64 - count)) << first;
            let before = u64::from(word.count_ones());
            *word = if on { *word | mask } else { *word & !mask };
            self.count = (self.count + u64::from(word.count_ones())).saturating_sub(before);
            block += count;
        }
    }

    /// Whether the block is in.
    pub fn has(&self, block: u64) -> bool {
        let word = usize::try_from(block / 64).ok().and_then(|at| self.words.get(at));
        word.is_some_and(|word| word & (1 << (block % 64)) != 0)
    }

    /// Whether no block is missing.
    pub fn is_full(&self) -> bool {
        self.count == leaf_count(self.len)
    }

    /// Byte ranges of the blocks that are in (`true`) or missing (`false`), joined, in order.
    pub fn ranges(&self, present: bool) -> Vec<std::ops::Range<u64>> {
        self.ranges_within(0..self.len, present)
    }

    /// The same of the blocks that lie wholly in `range`, in bytes.
    pub(crate) fn ranges_within(
        &self,
        range: std::ops::Range<u64>,
        present: bool,
    ) -> Vec<std::ops::Range<u64>> {
        let blocks = self.whole_blocks(&range);
        let mut ranges: Vec<std::ops::Range<u64>> = Vec::new();
        let mut block = blocks.start;
        while block < blocks.end {
            let word = usize::try_from(block / 64).ok().and_then(|at| self.words.get(at)).copied();
            let word = word.unwrap_or_default() >> (block % 64);
            // So many blocks from here on are alike.
            let is_in = word & 1 == 1;
            let alike = u64::from(if is_in { word.trailing_ones() } else { word.trailing_zeros() });
            let count = alike.min(64 - block % 64).min(blocks.end - block);
            if is_in == present {
                let (start, end) = (block * BLOCK_LEN, ((block + count) * BLOCK_LEN).min(self.len));
                match ranges.last_mut() {
                    Some(last) if last.end == start => last.end = end,
                    _ => ranges.push(start..end),
                }
            }
            block += count;
        }
        ranges
    }

    /// Bytes of the blocks that are missing.
    pub fn missing_bytes(&self) -> u64 {
        self.ranges(false).iter().map(|range| range.end - range.start).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn roots_of_small_files() {
        let hashed = |data: &[u8]| {
            let mut hasher = TreeHasher::default();
            for part in data.chunks(1000) {
                hasher.update(part);
            }
            hasher.finish()
        };
        assert_eq!(hashed(b"").identity, FileIdentity::EMPTY);
        assert_eq!(hashed(b"a").identity.root, leaf(b"a"));
        let data: Vec<u8> = (0..5 * 16_384 + 7).map(|n: u32| (n % 251) as u8).collect();
        let leaves: Vec<Hash> = data.chunks(16_384).map(leaf).collect();
        let zero = [0; 32];
        let top = node(
            &node(&node(&leaves[0], &leaves[1]), &node(&leaves[2], &leaves[3])),
            &node(&node(&leaves[4], &leaves[5]), &node(&zero, &zero)),
        );
        let got = hashed(&data);
        assert_eq!((got.identity.root, &got.leaves), (top, &leaves));
        assert!(leaves_match(&got.identity, &leaves));
        assert!(!leaves_match(&got.identity, &leaves[..5]));
        let two = [leaves[0], leaves[1]].concat();
        let collision = FileIdentity { len: 64, root: node(&leaves[0], &leaves[1]) };
        assert_eq!(hashed(&two).identity.root, leaf(&two));
        assert_eq!(collision, hashed(&two).identity, "BEP 52 does not separate leaves from nodes");
        assert!(!leaves_match(&collision, &leaves[..2]), "two leaves are not those of a file of 64 bytes");
    }

    proptest! {
        #[test]
        fn a_block_map_is_a_set_of_blocks(
            len in 0u64..200 * BLOCK_LEN, steps in prop::collection::vec((any::<bool>(), 0u64..210, 0u64..210, 0u64..3), 0..12),
            present: bool, within in (0u64..210, 0u64..210),
        ) {
            let count = leaf_count(len);
            let (mut map, mut set) = (BlockMap::none(len), vec![false; count as usize]);
            for (on, from, to, off) in steps {
                let range = from * BLOCK_LEN + off..(to * BLOCK_LEN).saturating_sub(off);
                for block in 0..count {
                    let bytes = block_range(block, len);
                    if on && range.start <= bytes.start && bytes.end <= range.end.min(len) {
                        set[block as usize] = true;
                    }
                    if !on && range.start / BLOCK_LEN <= block && bytes.start < range.end {
                        set[block as usize] = false;
                    }
                }
                if on { map.mark(range) } else { map.clear_range(range) }
            }
            prop_assert_eq!(map.count, set.iter().filter(|on| **on).count() as u64);
            prop_assert!((0..count).all(|block| map.has(block) == set[block as usize]));
            let within = within.0 * BLOCK_LEN..within.1 * BLOCK_LEN;
            let is_within = |bytes: &std::ops::Range<u64>| within.start <= bytes.start && bytes.end <= within.end;
            let bytes = (0..count).filter(|block| set[*block as usize] == present).map(|block| block_range(block, len));
            let mut joined: Vec<std::ops::Range<u64>> = Vec::new();
            for bytes in bytes.filter(is_within) {
                match joined.last_mut() {
                    Some(last) if last.end == bytes.start => last.end = bytes.end,
                    _ => joined.push(bytes),
                }
            }
            prop_assert_eq!(map.ranges_within(within, present), joined);
            let leaf = |on: &bool| [u8::from(*on); 32];
            let leaves: Vec<Hash> = set.iter().map(leaf).chain([[1; 32]; 3]).collect();
            prop_assert_eq!(BlockMap::equal(len, &leaves, &vec![[1; 32]; leaves.len()]), map);
        }
    }

    #[test]
    fn a_block_map_counts_whole_blocks() {
        let mut map = BlockMap::none(40_000);
        assert_eq!(map.ranges(false), [0..40_000]);
        map.mark(1..32_768);
        assert_eq!(map.ranges(true), [16_384..32_768]);
        map.mark(32_768..39_999);
        assert!(!map.has(2), "the last block is not whole");
        map.mark(32_768..40_000);
        assert_eq!(map.missing_bytes(), 16_384);
        map.mark(0..16_384);
        assert!(map.is_full());
        map.clear(1);
        assert_eq!(map.ranges(false), [16_384..32_768]);
        assert!(BlockMap::none(0).is_full());
    }
}
