//! Hashing of files that are read as a stream.

use super::{file_root, leaf, leaves, piece_layer};
use crate::units::{BLOCK_LEN, Root};

/// Hashes one file, fed in order in parts of any size, into its leaves.
#[derive(Clone, Debug, Default)]
pub struct FileHasher {
    leaves: Vec<Root>,
    /// The begun block: always shorter than a block.
    rest: Vec<u8>,
    len: u64,
}

/// What a file's bytes hash to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileHashes {
    /// Bytes.
    pub len: u64,
    /// `pieces root`; none if the file is empty.
    pub root: Option<Root>,
    /// The hash of each 16 KiB block.
    pub leaves: Vec<Root>,
}

impl FileHashes {
    /// The hash of each piece, as a torrent's `piece layers` has them; empty if the file is no larger than one piece.
    #[must_use]
    pub fn piece_layer(&self, piece_len: u32) -> Vec<Root> {
        if self.len > u64::from(piece_len) { piece_layer(&self.leaves, piece_len) } else { Vec::new() }
    }
}

impl FileHasher {
    /// Nothing fed yet.
    #[must_use]
    pub fn new() -> FileHasher {
        FileHasher::default()
    }

    /// Feeds the next bytes. Whole blocks are hashed where they lie.
    pub fn update(&mut self, mut bytes: &[u8]) {
        const BLOCK: usize = BLOCK_LEN as usize;
        self.len += bytes.len() as u64;
        if !self.rest.is_empty() {
            let (head, tail) = bytes.split_at(bytes.len().min(BLOCK - self.rest.len()));
            self.rest.extend_from_slice(head);
            bytes = tail;
            if self.rest.len() < BLOCK {
                return;
            }
            self.leaves.push(leaf(&self.rest));
            self.rest.clear();
        }
        let (blocks, rest) = bytes.as_chunks::<BLOCK>();
        let blocks: Vec<&[u8]> = blocks.iter().map(|block| block.as_slice()).collect();
        self.leaves.extend(leaves(&blocks));
        self.rest.extend_from_slice(rest);
    }

    /// The file is at its end.
    #[must_use]
    pub fn finish(mut self) -> FileHashes {
        if !self.rest.is_empty() {
            self.leaves.push(leaf(&self.rest));
        }
        FileHashes { len: self.len, root: file_root(&self.leaves), leaves: self.leaves }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_empty_file_has_no_root() {
        assert_eq!(FileHasher::new().finish(), FileHashes::default());
    }

    proptest! {
        #[test]
        fn parts_do_not_matter(len in 0usize..100_000, cuts in prop::collection::vec(1usize..40_000, 1..8)) {
            let bytes: Vec<u8> = (0..len).map(|i| (i * 7 / 5) as u8).collect();
            let whole: Vec<Root> = bytes.chunks(16384).map(leaf).collect();
            let mut hasher = FileHasher::new();
            let (mut rest, mut cuts) = (&bytes[..], cuts.iter().cycle());
            while !rest.is_empty() {
                let (now, later) = rest.split_at((*cuts.next().unwrap()).min(rest.len()));
                hasher.update(now);
                rest = later;
            }
            let hashes = hasher.finish();
            prop_assert_eq!(hashes.len, len as u64);
            prop_assert_eq!(hashes.root, file_root(&whole));
            prop_assert_eq!(hashes.leaves, whole);
        }
    }
}
