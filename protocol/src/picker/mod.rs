//! Which block to ask of whom.
//!
//! Works on blocks, so that healing one damaged block fetches 16 KiB and not a piece. Invariants, all owned here:
//! - A wanted piece that lacks blocks is either *unstarted* and in exactly one bucket (by availability), or *started*
//!   and has a [`Partial`]; all other pieces are in neither.
//! - `open` holds exactly the started pieces with a free block; `free` counts the blocks nobody has been asked for.
//!
//! Availability counts other players only. Origin sources (seedboxes, web seeds) have everything and are not counted:
//! "nobody has it" (availability 0) is what they are for.

mod buckets;
mod choose;
mod partial;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng as _;

use crate::blockset::BlockSet;
use crate::metainfo::Torrent;
use crate::units::{BLOCK_LEN, BlockRef, PieceIndex, Root, Time};
use buckets::Buckets;
pub use choose::{Ask, Endgame, Mode};
pub use partial::{Block, BlockState, Partial};

/// Somebody who can be asked for blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceId(pub u64);

/// What became of a block that came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// It is to be written; `others` have been asked for it too.
    Needed {
        /// How many more requests for it are under way.
        others: u8,
    },
    /// It is there already, or not wanted.
    Unneeded,
}

/// See the module's header.
pub struct Picker {
    torrent: Arc<Torrent>,
    have: BlockSet,
    wanted: BlockSet,
    avail: Vec<u16>,
    buckets: Buckets,
    partials: BTreeMap<u32, Partial>,
    open: BTreeSet<u32>,
    urgent: Vec<(Time, u32)>,
    free: u32,
    missing: u32,
    generation: u64,
}

impl Picker {
    /// `have` and `wanted` are sets of the torrent's block numbers.
    #[must_use]
    pub fn new(torrent: Arc<Torrent>, have: BlockSet, wanted: BlockSet) -> Picker {
        let pieces = torrent.layout.piece_count();
        let mut picker = Picker {
            avail: vec![0; pieces as usize],
            buckets: Buckets::new(pieces),
            partials: BTreeMap::new(),
            open: BTreeSet::new(),
            urgent: Vec::new(),
            free: 0,
            missing: 0,
            generation: 0,
            have,
            wanted: BlockSet::default(),
            torrent,
        };
        picker.want(wanted);
        picker
    }

    /// Replaces the wanted set. Started pieces go on.
    pub fn want(&mut self, wanted: BlockSet) {
        self.wanted = wanted;
        for piece in 0..self.torrent.layout.piece_count() {
            self.place(piece);
        }
        let started: Vec<u32> = self.partials.keys().copied().collect();
        for piece in started {
            let blocks = self.blocks_of(piece);
            let (have, wanted) = (&self.have, &self.wanted);
            if let Some(partial) = self.partials.get_mut(&piece) {
                partial.want(|i| wanted.get(blocks.start + i) && !have.get(blocks.start + i));
            }
            self.settle(piece);
        }
        self.recount();
    }

    /// The verified blocks.
    #[must_use]
    pub fn have(&self) -> &BlockSet {
        &self.have
    }

    /// The wanted blocks.
    #[must_use]
    pub fn wanted(&self) -> &BlockSet {
        &self.wanted
    }

    /// Whether all data of the piece is verified.
    #[must_use]
    pub fn has_piece(&self, piece: u32) -> bool {
        self.have.contains_range(self.blocks_of(piece))
    }

    /// Whether the piece has blocks that are wanted and not verified.
    #[must_use]
    pub fn wants_piece(&self, piece: u32) -> bool {
        self.missing_in(piece) > 0
    }

    /// Whether every wanted block is verified.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.missing == 0
    }

    /// Blocks that are wanted and of which nobody has been asked.
    #[must_use]
    pub fn free(&self) -> u32 {
        self.free
    }

    /// Blocks that are wanted and not verified.
    #[must_use]
    pub fn missing(&self) -> u32 {
        self.missing
    }

    /// Changes whenever something became free to ask for; a source that had nothing to give needs to be looked at
    /// again only then, or when it has more itself.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// How many other players are known to have the piece.
    #[must_use]
    pub fn availability(&self, piece: u32) -> u16 {
        self.avail.get(piece as usize).copied().unwrap_or(0)
    }

    /// The started pieces.
    pub fn partials(&self) -> impl Iterator<Item = (u32, &Partial)> {
        self.partials.iter().map(|(&piece, partial)| (piece, partial))
    }

    /// A started piece.
    #[must_use]
    pub fn partial(&self, piece: u32) -> Option<&Partial> {
        self.partials.get(&piece)
    }

    /// One more player has the piece; returns how many now do.
    pub fn add_availability(&mut self, piece: u32) -> u16 {
        let Some(avail) = self.avail.get_mut(piece as usize) else { return 0 };
        *avail = avail.saturating_add(1);
        let avail = *avail;
        self.buckets.moved(piece, avail);
        avail
    }

    /// One player less has the piece.
    pub fn remove_availability(&mut self, piece: u32) {
        let Some(avail) = self.avail.get_mut(piece as usize) else { return };
        *avail = avail.saturating_sub(1);
        let avail = *avail;
        self.buckets.moved(piece, avail);
        if avail == 0 {
            self.generation += 1;
        }
    }

    /// These pieces are needed by a time; earliest first.
    pub fn set_deadline(&mut self, pieces: Range<u32>, at: Time) {
        self.urgent.retain(|(_, piece)| !pieces.contains(piece));
        let known = pieces.start..pieces.end.min(self.torrent.layout.piece_count());
        self.urgent.extend(known.map(|piece| (at, piece)));
        self.urgent.sort_unstable();
        self.generation += 1;
    }

    /// A request ended without its block: rejected, cancelled, timed out, or its source is gone.
    pub fn release(&mut self, block: BlockRef) {
        let Some(partial) = self.partials.get_mut(&block.piece.0) else { return };
        if partial.release(index(block)) {
            self.free += 1;
            self.generation += 1;
            self.open.insert(block.piece.0);
        }
        self.settle(block.piece.0);
    }

    /// A block came in from a source that was `asked` for it, by a request that has not been released, or was not.
    pub fn received(&mut self, block: BlockRef, source: SourceId, asked: bool) -> Received {
        let piece = block.piece.0;
        if !self.partials.contains_key(&piece) && self.wants_piece(piece) {
            self.start(piece);
        }
        let Some(partial) = self.partials.get_mut(&piece) else { return Received::Unneeded };
        let Some((was_free, others)) = partial.receive(index(block), source, asked) else {
            self.settle(piece);
            return Received::Unneeded;
        };
        if was_free {
            self.free -= 1;
        }
        self.settle(piece);
        Received::Needed { others }
    }

    /// Bytes that were asked for beyond the first request for each block.
    #[must_use]
    pub fn repeated_bytes(&self) -> u64 {
        let layout = &self.torrent.layout;
        let len =
            |piece: u32, i: u32| layout.block_ref(piece * layout.blocks_per_piece() + i).map_or(0, |b| b.len);
        let repeats = |(&piece, partial): (&u32, &Partial)| {
            partial.repeats().map(|(i, n)| u64::from(len(piece, i)) * u64::from(n)).sum::<u64>()
        };
        self.partials.iter().map(repeats).sum()
    }

    /// A block is on disk but not verified. True when all data of the piece now is on disk.
    pub fn written(&mut self, block: BlockRef, leaf: Option<Root>) -> bool {
        self.partials.get_mut(&block.piece.0).is_some_and(|partial| partial.written(index(block), leaf))
    }

    /// The leaf hash of a block that was on disk before its piece was started.
    pub fn set_leaf(&mut self, block: BlockRef, leaf: Root) -> bool {
        self.partials.get_mut(&block.piece.0).is_some_and(|partial| partial.set_leaf(index(block), leaf))
    }

    /// A block is verified. True when its whole piece now is.
    pub fn verified(&mut self, block: BlockRef) -> bool {
        let piece = block.piece.0;
        let number = self.blocks_of(piece).start + index(block) as u32;
        if self.have.set(number) && self.wanted.get(number) {
            self.missing -= 1;
        }
        if let Some(partial) = self.partials.get_mut(&piece)
            && partial.verified(index(block))
        {
            self.free -= 1;
        }
        self.settle(piece);
        self.has_piece(piece)
    }

    /// A block that was received turned out wrong, or could not be written: it is fetched again.
    pub fn failed(&mut self, block: BlockRef) {
        if let Some(partial) = self.partials.get_mut(&block.piece.0)
            && partial.fail(index(block))
        {
            self.free += 1;
            self.generation += 1;
            self.open.insert(block.piece.0);
        }
    }

    /// The piece failed, and these sent its blocks (offset, author, leaf hash). From now on its blocks are taken from one
    /// source only: that of the next request.
    pub fn suspect(&mut self, piece: u32, suspects: Vec<(u32, SourceId, Option<Root>)>) {
        if let Some(partial) = self.partials.get_mut(&piece) {
            partial.exclusive = true;
            partial.owner = None;
            partial.suspects.extend(suspects);
        }
    }

    /// It is known by other means who lied about the piece.
    pub fn clear_suspects(&mut self, piece: u32) {
        if let Some(partial) = self.partials.get_mut(&piece) {
            partial.exclusive = false;
            partial.suspects.clear();
            self.generation += 1;
        }
    }

    /// The source is gone: pieces that were its alone are anyone's.
    pub fn forget_source(&mut self, source: SourceId) {
        for partial in self.partials.values_mut() {
            if partial.owner == Some(source) {
                partial.owner = None;
                self.generation += 1;
            }
        }
    }

    /// Blocks that were verified no longer are (file withdrawn). They are not wanted either.
    pub fn withdraw(&mut self, blocks: Range<u32>) {
        self.have.remove_range(blocks.clone());
        self.wanted.remove_range(blocks);
        let wanted = std::mem::take(&mut self.wanted);
        self.want(wanted);
    }

    /// Blocks of withdrawn or foreign origin are verified.
    pub fn restore(&mut self, blocks: Range<u32>) {
        self.have.insert_range(blocks);
        let wanted = std::mem::take(&mut self.wanted);
        self.want(wanted);
    }

    /// Makes an unstarted piece a started one; nothing happens to others.
    fn start(&mut self, piece: u32) {
        if self.partials.contains_key(&piece) {
            return;
        }
        self.buckets.remove(piece);
        let blocks = self.blocks_of(piece);
        let partial = Partial::new(blocks.clone().map(|block| {
            if self.have.get(block) {
                BlockState::Verified
            } else if self.wanted.get(block) {
                BlockState::Free
            } else {
                BlockState::Unwanted
            }
        }));
        self.partials.insert(piece, partial);
        self.settle(piece);
    }

    /// Puts the invariants about one started piece right.
    fn settle(&mut self, piece: u32) {
        let Some(partial) = self.partials.get(&piece) else { return };
        if partial.is_settled() {
            self.partials.remove(&piece);
            self.open.remove(&piece);
            self.place(piece);
        } else if partial.first_free().is_some() {
            self.open.insert(piece);
        } else {
            self.open.remove(&piece);
        }
    }

    /// Puts the invariants about one unstarted piece right.
    fn place(&mut self, piece: u32) {
        if self.partials.contains_key(&piece) {
            return;
        }
        if self.missing_in(piece) > 0 {
            self.buckets.insert(piece, self.availability(piece));
        } else {
            self.buckets.remove(piece);
        }
    }

    fn recount(&mut self) {
        let unstarted: u32 = self.buckets.iter().map(|piece| self.missing_in(piece)).sum();
        let started: u32 = self.partials.values().map(Partial::free).sum();
        self.free = unstarted + started;
        let mut missing = self.wanted.clone();
        missing.subtract(&self.have);
        self.missing = missing.count();
        self.generation += 1;
    }

    fn missing_in(&self, piece: u32) -> u32 {
        let blocks = self.blocks_of(piece);
        if self.wanted.count_range(blocks.clone()) == 0 || self.have.contains_range(blocks.clone()) {
            return 0;
        }
        blocks.filter(|&block| self.wanted.get(block) && !self.have.get(block)).count() as u32
    }

    fn blocks_of(&self, piece: u32) -> Range<u32> {
        self.torrent.layout.piece_blocks(PieceIndex(piece))
    }
}

fn index(block: BlockRef) -> usize {
    (block.offset / BLOCK_LEN) as usize
}

/// A number below `n`, or 0. The bias of the remainder does not matter here.
pub(crate) fn random_below(rng: &mut ChaCha8Rng, n: usize) -> usize {
    if n < 2 { 0 } else { (rng.next_u64() % n as u64) as usize }
}
