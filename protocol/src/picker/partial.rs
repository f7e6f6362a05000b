//! A started piece, block by block.

use super::SourceId;
use crate::units::{Root, Time};

/// How far a block is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockState {
    /// Nobody has been asked for it.
    Free,
    /// At least one source has been asked.
    Requested,
    /// It came in and is being written.
    Writing,
    /// It is on disk, not verified.
    Written,
    /// It is on disk and verified.
    Verified,
    /// It is neither there nor wanted.
    Unwanted,
}

/// One block of a started piece.
#[derive(Clone, Copy, Debug)]
pub struct Block {
    /// How far it is.
    pub state: BlockState,
    /// Requests for it that are under way.
    pub requests: u8,
    /// When somebody was asked last.
    pub asked_at: Time,
    /// Who was asked last, or who sent it.
    pub source: Option<SourceId>,
    /// SHA-256 of what is on disk, when known.
    pub leaf: Option<Root>,
}

/// See the module's header.
pub struct Partial {
    blocks: Vec<Block>,
    free: u32,
    /// No block below this one is free.
    cursor: usize,
    /// Who was asked last for a block of this piece.
    pub(super) last: Option<SourceId>,
    /// Whether all blocks must come from one source, to find out who sends bad data.
    pub exclusive: bool,
    /// That source.
    pub(super) owner: Option<SourceId>,
    /// What earlier attempts left: who sent which block with which leaf hash, to judge them once the piece is right.
    pub suspects: Vec<(u32, SourceId, Option<Root>)>,
}

impl Partial {
    pub(super) fn new(states: impl Iterator<Item = BlockState>) -> Partial {
        let blocks: Vec<Block> = states
            .map(|state| Block { state, requests: 0, asked_at: Time::ZERO, source: None, leaf: None })
            .collect();
        let free = blocks.iter().filter(|b| b.state == BlockState::Free).count() as u32;
        Partial { blocks, free, cursor: 0, last: None, exclusive: false, owner: None, suspects: Vec::new() }
    }

    /// Its blocks in order.
    #[must_use]
    pub fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    /// How many blocks nobody has been asked for.
    #[must_use]
    pub fn free(&self) -> u32 {
        self.free
    }

    /// How many blocks have arrived.
    #[must_use]
    pub fn arrived(&self) -> u32 {
        let there = |b: &&Block| matches!(b.state, BlockState::Writing | BlockState::Written);
        self.blocks.iter().filter(there).count() as u32
    }

    /// How many blocks are verified.
    #[must_use]
    pub fn verified_count(&self) -> u32 {
        self.blocks.iter().filter(|b| b.state == BlockState::Verified).count() as u32
    }

    /// Nothing of it is under way or unverified, and nothing is missing that is wanted.
    pub(super) fn is_settled(&self) -> bool {
        self.free == 0
            && self
                .blocks
                .iter()
                .all(|b| b.requests == 0 && matches!(b.state, BlockState::Verified | BlockState::Unwanted))
    }

    pub(super) fn first_free(&self) -> Option<u32> {
        if self.free == 0 {
            return None;
        }
        let at = self.blocks.iter().skip(self.cursor).position(|b| b.state == BlockState::Free)?;
        Some((self.cursor + at) as u32)
    }

    /// The first free block, now asked of `source`.
    pub(super) fn take_free(&mut self, source: SourceId, now: Time) -> Option<u32> {
        let i = self.first_free()?;
        let block = &mut self.blocks[i as usize];
        let state = BlockState::Requested;
        *block = Block { state, requests: 1, asked_at: now, source: Some(source), leaf: None };
        self.free -= 1;
        self.cursor = i as usize + 1;
        self.last = Some(source);
        if self.exclusive {
            self.owner = Some(source);
        }
        Some(i)
    }

    /// Up to `max` blocks that `copies` sources were asked for, the last of them before its `late` time, now asked of
    /// `source` as well.
    pub(super) fn duplicate(
        &mut self,
        copies: u8,
        late: &dyn Fn(SourceId) -> Option<Time>,
        source: SourceId,
        now: Time,
        max: usize,
    ) -> Vec<u32> {
        let mut out = Vec::new();
        for (i, block) in self.blocks.iter_mut().enumerate() {
            if out.len() >= max {
                break;
            }
            let asked = block.state == BlockState::Requested && block.requests == copies;
            let holder = block.source.filter(|&holder| asked && holder != source);
            if holder.and_then(late).is_some_and(|before| block.asked_at < before) {
                block.asked_at = now;
                block.requests += 1;
                block.source = Some(source);
                out.push(i as u32);
            }
        }
        out
    }

    /// The blocks that more than one source was asked for, and how many more.
    pub(super) fn repeats(&self) -> impl Iterator<Item = (u32, u8)> + '_ {
        let asked = |b: &Block| b.state == BlockState::Requested && b.requests > 1;
        (0..).zip(&self.blocks).filter(move |(_, b)| asked(b)).map(|(i, b)| (i, b.requests - 1))
    }

    /// True when the block became free.
    pub(super) fn release(&mut self, i: usize) -> bool {
        let Some(block) = self.blocks.get_mut(i).filter(|b| b.requests > 0) else { return false };
        block.requests -= 1;
        let freed = block.requests == 0 && block.state == BlockState::Requested;
        if freed {
            self.set_free(i);
        }
        freed
    }

    /// Whether the block had been free, and how many other requests for it are under way. If its sender was `asked`
    /// for it and that request has not been released, it is ended by this. `None` when the block is not needed.
    pub(super) fn receive(&mut self, i: usize, source: SourceId, asked: bool) -> Option<(bool, u8)> {
        let block = self.blocks.get_mut(i)?;
        block.requests = block.requests.saturating_sub(u8::from(asked));
        let was_free = block.state == BlockState::Free;
        if !was_free && block.state != BlockState::Requested {
            return None;
        }
        block.state = BlockState::Writing;
        block.source = Some(source);
        let others = block.requests;
        if was_free {
            self.free -= 1;
        }
        Some((was_free, others))
    }

    pub(super) fn written(&mut self, i: usize, leaf: Option<Root>) -> bool {
        if let Some(block) = self.blocks.get_mut(i).filter(|b| b.state == BlockState::Writing) {
            block.state = BlockState::Written;
            block.leaf = leaf;
        }
        self.blocks.iter().all(|b| matches!(b.state, BlockState::Written | BlockState::Verified))
    }

    pub(super) fn set_leaf(&mut self, i: usize, leaf: Root) -> bool {
        if let Some(block) = self.blocks.get_mut(i) {
            block.leaf = Some(leaf);
        }
        self.blocks.iter().all(|b| matches!(b.state, BlockState::Written | BlockState::Verified))
    }

    /// True if the block had been free.
    pub(super) fn verified(&mut self, i: usize) -> bool {
        let Some(block) = self.blocks.get_mut(i) else { return false };
        let was_free = block.state == BlockState::Free;
        block.state = BlockState::Verified;
        self.free -= u32::from(was_free);
        was_free
    }

    /// True when the block became free.
    pub(super) fn fail(&mut self, i: usize) -> bool {
        let Some(block) = self.blocks.get_mut(i) else { return false };
        if !matches!(block.state, BlockState::Writing | BlockState::Written) {
            return false;
        }
        if block.requests > 0 {
            block.state = BlockState::Requested;
            return false;
        }
        self.set_free(i);
        true
    }

    /// The wanted set changed.
    pub(super) fn want(&mut self, wanted: impl Fn(u32) -> bool) {
        for i in 0..self.blocks.len() {
            match (self.blocks[i].state, wanted(i as u32)) {
                (BlockState::Unwanted, true) => self.set_free(i),
                (BlockState::Free, false) => {
                    self.blocks[i].state = BlockState::Unwanted;
                    self.free -= 1;
                }
                _ => {}
            }
        }
    }

    fn set_free(&mut self, i: usize) {
        let (state, asked_at) = (BlockState::Free, Time::ZERO);
        self.blocks[i] = Block { state, requests: 0, asked_at, source: None, leaf: None };
        self.free += 1;
        self.cursor = self.cursor.min(i);
    }
}
