//! What a swarm knows once it has its torrent.

use std::collections::HashMap;
use std::sync::Arc;

use crate::blockset::BlockSet;
use crate::metainfo::Torrent;
use crate::picker::Picker;
use crate::units::{BLOCK_LEN, BlockRef, FileIndex, PieceIndex, Root, Time};

use super::hashes::HashBook;
use super::io::{ConnId, Content};

/// To whom a seedbox sent a piece first.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sent {
    pub to: Option<ConnId>,
}

pub(super) struct Active {
    pub torrent: Arc<Torrent>,
    pub picker: Picker,
    /// Leaf hashes of files, where known from the start.
    pub leaves: HashMap<FileIndex, Arc<[Root]>>,
    /// What was wanted, without the blocks that verification needs on top.
    pub asked: BlockSet,
    /// Hashes that came from peers.
    pub hashes: HashBook,
    /// By piece, what was sent.
    pub sent: Vec<Sent>,
    /// When a seedbox last sent a block of a piece that nobody else was sent.
    pub first_copy_at: Time,
    /// Pieces of a v1 torrent that are being hashed.
    pub hashing: std::collections::BTreeSet<u32>,
    /// `Completed` was told.
    pub told_complete: bool,
    /// It was complete from the start: trackers are not told that it completed.
    pub began_complete: bool,
}

impl Active {
    pub(super) fn new(content: Content) -> Active {
        let Content { torrent, mut have, wanted, leaves } = content;
        have = fitted(&have, &torrent);
        if torrent.info_hash_v2.is_none() {
            pads_are_there(&torrent, &mut have);
        }
        let mut active = Active {
            picker: Picker::new(torrent.clone(), have, BlockSet::new(torrent.layout.block_count())),
            sent: vec![Sent::default(); torrent.layout.piece_count() as usize],
            first_copy_at: Time::ZERO,
            leaves,
            hashes: HashBook::default(),
            asked: BlockSet::default(),
            hashing: std::collections::BTreeSet::new(),
            told_complete: false,
            began_complete: false,
            torrent,
        };
        active.want(&wanted);
        active.began_complete = active.picker.is_complete();
        active
    }

    /// Replaces what is wanted. Where a block cannot be verified by itself, the rest of its piece comes along.
    pub(super) fn want(&mut self, wanted: &BlockSet) {
        let wanted = fitted(wanted, &self.torrent);
        let mut all = BlockSet::new(wanted.len());
        for range in wanted.ranges() {
            for block in range {
                let piece = self.torrent.layout.piece_of_block(block);
                let blocks = self.torrent.layout.piece_blocks(piece);
                if !blocks.contains(&block) {
                    continue;
                }
                all.set(block);
                let alone = self.has_leaves(piece) || self.picker.have().get(block);
                if !alone && !all.contains_range(blocks.clone()) {
                    all.insert_range(blocks);
                }
            }
        }
        self.asked = wanted;
        self.picker.want(all);
        self.told_complete = false;
    }

    /// Whether blocks are verified by SHA-256 leaves.
    pub(super) fn is_v2(&self) -> bool {
        self.torrent.info_hash_v2.is_some()
    }

    fn has_leaves(&self, piece: PieceIndex) -> bool {
        self.torrent.layout.file_of_piece(piece).is_some_and(|file| self.leaves.contains_key(&file))
            || self.torrent.layout.blocks_in_piece(piece) == 1
    }

    /// The leaf hash that a block must have, if known before its piece is complete.
    pub(super) fn leaf_of(&self, block: BlockRef) -> Option<Root> {
        if !self.is_v2() {
            return None;
        }
        let layout = &self.torrent.layout;
        let file = layout.file_of_piece(block.piece)?;
        if let Some(leaves) = self.leaves.get(&file) {
            let in_file = block.piece.0.checked_sub(layout.pieces_of_file(file).start)?;
            let at = in_file * layout.blocks_per_piece() + block.offset / BLOCK_LEN;
            return leaves.get(at as usize).copied();
        }
        if let Some(leaf) = self.asked_leaf(block.piece.0, block.offset / BLOCK_LEN) {
            return Some(leaf);
        }
        let single = layout.blocks_in_piece(block.piece) == 1 && layout.blocks_per_piece() == 1;
        let alone = layout.file_range(file).end - layout.file_range(file).start <= u64::from(BLOCK_LEN);
        if single || alone { self.piece_root(block.piece) } else { None }
    }

    /// Whether the piece can be served: all of it is verified.
    pub(super) fn has_piece(&self, piece: u32) -> bool {
        piece < self.torrent.layout.piece_count() && self.picker.has_piece(piece)
    }

    /// Bytes wanted, and of these verified.
    pub(super) fn progress(&self) -> (u64, u64) {
        let mut done = self.picker.wanted().clone();
        done.intersect(self.picker.have());
        (self.bytes_of(self.picker.wanted()), self.bytes_of(&done))
    }

    /// Bytes that lack.
    pub(super) fn left(&self) -> u64 {
        let mut left = self.picker.wanted().clone();
        left.subtract(self.picker.have());
        self.bytes_of(&left)
    }

    /// Whole blocks but for the last of the torrent: exact enough for estimates, and exact where blocks are full.
    fn bytes_of(&self, set: &BlockSet) -> u64 {
        let layout = &self.torrent.layout;
        if u64::from(set.count()) * u64::from(BLOCK_LEN) > layout.data_len {
            return layout.data_len;
        }
        u64::from(set.count()) * u64::from(BLOCK_LEN)
    }
}

fn fitted(set: &BlockSet, torrent: &Torrent) -> BlockSet {
    let mut fitted = BlockSet::new(torrent.layout.block_count());
    fitted.union(set);
    fitted
}

/// In a v1 torrent pads (BEP 47) may lie within pieces; they are zeros and never asked for.
fn pads_are_there(torrent: &Torrent, have: &mut BlockSet) {
    let layout = &torrent.layout;
    if layout.total_len == layout.data_len {
        return;
    }
    for piece in 0..layout.piece_count() {
        for number in layout.piece_blocks(PieceIndex(piece)) {
            let pad =
                layout.block_ref(number).is_some_and(|b| layout.spans(b).all(|span| span.file.is_none()));
            if pad {
                have.set(number);
            }
        }
    }
}
