//! Leaves of a file that differ from another file's: what an update of a few blocks of a large file has to know.
//!
//! ```text
//! samara-changed 1     16 bytes
//! root, length         of the other file; 32 and 8 bytes, the length little-endian
//! block, leaf          4 (little-endian) and 32 bytes each, ascending by block
//! ```
//! Nothing in it is believed before the leaves it leads to were checked up to the root.

use std::sync::Arc;

use super::{Hash, leaf_count};
use crate::release::FileIdentity;

const MAGIC: &[u8; 16] = b"samara-changed 1";
/// The magic, the other file's root and length.
const HEADER_BYTES: usize = 16 + 32 + 8;
/// A block's number and its leaf.
const ENTRY_BYTES: usize = 4 + 32;
/// With more bytes than this part of all leaves, all leaves are the better choice.
const SHARE: usize = 4;
/// Leaves of fewer bytes are not worth a difference: a file takes its page anyway.
const SMALL_BYTES: usize = 64 << 10;

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeafChanges {
    /// The file that they are changes of.
    pub base: FileIdentity,
    /// Ascending by block.
    pub(crate) changes: Vec<(u32, Hash)>,
}

impl LeafChanges {
    /// How `new` differs from the leaves of `base`; none where all leaves are the better choice.
    #[must_use]
    pub fn between(base: FileIdentity, old: &[Hash], new: &[Hash]) -> Option<Self> {
        let numbered = (0u32..).zip(new).enumerate();
        let changed = numbered.filter(|(at, (_, leaf))| old.get(*at) != Some(leaf));
        Self::of(base, changed.map(|(_, (block, leaf))| (block, *leaf)), new.len())
    }

    /// These changes, in a file of so many blocks.
    pub(crate) fn of(
        base: FileIdentity,
        changes: impl Iterator<Item = (u32, Hash)>,
        blocks: usize,
    ) -> Option<Self> {
        if blocks * 32 < SMALL_BYTES {
            return None;
        }
        let most = blocks * 32 / SHARE / ENTRY_BYTES;
        let changes: Vec<_> = changes.take(most + 1).collect();
        (changes.len() <= most).then_some(Self { base, changes })
    }

    /// Whether the leaves of a file of `len` bytes are worth a difference.
    #[must_use]
    pub fn are_worth_it(len: u64) -> bool {
        leaf_count(len).saturating_mul(32) >= SMALL_BYTES as u64
    }

    /// The leaves of a file of `len` bytes, from those of the base. They are not checked.
    pub(crate) fn apply(&self, old: &[Hash], len: u64) -> Option<Arc<[Hash]>> {
        let count = usize::try_from(leaf_count(len)).ok()?;
        let kept = old.get(..count.min(old.len()))?;
        // What the base does not have must be among the changes: no length is taken at its word.
        if count - kept.len() > self.changes.len() {
            return None;
        }
        let mut leaves: Arc<[Hash]> = if kept.len() == count {
            kept.into()
        } else {
            let more = std::iter::repeat_n([0; 32], count - kept.len());
            kept.iter().copied().chain(more).collect()
        };
        let places = Arc::get_mut(&mut leaves)?;
        for (block, leaf) in &self.changes {
            *places.get_mut(usize::try_from(*block).ok()?)? = *leaf;
        }
        Some(leaves)
    }

    /// Bytes that changes to a file of `len` bytes may take.
    #[must_use]
    pub fn max_bytes(len: u64) -> u64 {
        leaf_count(len).saturating_mul(ENTRY_BYTES as u64).saturating_add(HEADER_BYTES as u64)
    }

    /// As it lies on the disk.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER_BYTES + self.changes.len() * ENTRY_BYTES);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&self.base.root);
        bytes.extend_from_slice(&self.base.len.to_le_bytes());
        for (block, leaf) in &self.changes {
            bytes.extend_from_slice(&block.to_le_bytes());
            bytes.extend_from_slice(leaf);
        }
        bytes
    }

    /// Reads it; none when it is not one.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.strip_prefix(MAGIC)?;
        let (root, bytes) = bytes.split_first_chunk::<32>()?;
        let (len, bytes) = bytes.split_first_chunk::<8>()?;
        let (entries, rest) = bytes.as_chunks::<ENTRY_BYTES>();
        if !rest.is_empty() {
            return None;
        }
        let changes: Option<Vec<(u32, Hash)>> = entries
            .iter()
            .map(|entry| {
                let (block, leaf) = entry.split_first_chunk::<4>()?;
                Some((u32::from_le_bytes(*block), *leaf.first_chunk::<32>()?))
            })
            .collect();
        let changes = changes.filter(|changes| changes.is_sorted_by(|one, next| one.0 < next.0))?;
        Some(Self { base: FileIdentity { root: *root, len: u64::from_le_bytes(*len) }, changes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn changes_come_back_and_rubbish_does_not_panic(
            root: [u8; 32], len: u64, blocks in prop::collection::btree_map(any::<u32>(), any::<[u8; 32]>(), 0..20),
            rubbish in prop::collection::vec(any::<u8>(), 0..200),
        ) {
            let changes = LeafChanges { base: FileIdentity { len, root }, changes: blocks.into_iter().collect() };
            prop_assert_eq!(LeafChanges::decode(&changes.encode()), Some(changes));
            let _ = LeafChanges::decode(&rubbish);
            let _ = LeafChanges::decode(&[&MAGIC[..], &rubbish].concat());
        }

        #[test]
        fn changes_lead_from_one_to_the_other(
            old_len in 0usize..3000, new_len in 2048usize..3000,
            at in prop::collection::vec(any::<prop::sample::Index>(), 0..300),
        ) {
            let leaf = |at: usize| [(at % 251) as u8; 32];
            let old: Vec<Hash> = (0..old_len).map(leaf).collect();
            let mut new: Vec<Hash> = (0..new_len).map(leaf).collect();
            at.iter().for_each(|at| new[at.index(new_len)] = [252; 32]);
            let base = FileIdentity { len: 7, root: [1; 32] };
            let differ = (0..new_len).filter(|at| old.get(*at) != new.get(*at)).count();
            match LeafChanges::between(base, &old, &new) {
                Some(changes) => {
                    prop_assert_eq!(changes.changes.len(), differ);
                    let len = new_len as u64 * super::super::BLOCK_LEN;
                    prop_assert_eq!(changes.apply(&old, len), Some(new.into()));
                    prop_assert_eq!(changes.apply(&old, u64::MAX), None, "no memory is taken for what is not there");
                }
                None => prop_assert!(differ * ENTRY_BYTES > new_len * 32 / SHARE - ENTRY_BYTES),
            }
        }
    }
}
