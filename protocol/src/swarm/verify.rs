//! What became of blocks that came in: written, hashed, believed or not.
//!
//! v2: every block is hashed once, on its way to disk. With known leaf hashes it is judged at once, and a lie
//! has one author; else when its piece is complete, against the piece's root. v1: the piece is hashed as a whole.
//! If a piece of several authors fails, it is fetched again from one of them, and the leaf hashes are asked
//! for (BEP 52): either tells who lied.

use std::collections::BTreeSet;

use super::content::Active;
use super::io::{Event, IoFault, JobId, Output};
use super::{Job, Running, Sender, Swarm, sender_of};
use crate::merkle;
use crate::picker::{BlockState, SourceId};
use crate::units::{BlockRef, PieceIndex, Root, Time};
use crate::wire::Message;

impl Swarm {
    pub(super) fn on_block_written(&mut self, now: Time, job: JobId, result: Result<Option<Root>, IoFault>) {
        match (self.jobs.remove(&job), result) {
            (Some(Job::Write { block, source }), Ok(leaf)) => self.on_stored(now, block, source, leaf),
            (Some(Job::HashHad { block }), Ok(Some(leaf))) => self.on_hashed_again(now, block, leaf),
            (Some(Job::Write { block, .. } | Job::HashHad { block }), Err(fault)) => {
                self.on_storage_fault(now, block, fault);
            }
            (Some(Job::HashHad { .. }), Ok(None)) | (None, _) => {}
        }
    }

    fn on_storage_fault(&mut self, now: Time, block: BlockRef, fault: IoFault) {
        if let Some(content) = &mut self.content {
            content.picker.failed(block);
        }
        if self.running == Running::Yes {
            self.pause(now, true);
            self.event(Event::StorageFailed(fault));
        }
    }

    fn on_stored(&mut self, now: Time, block: BlockRef, source: SourceId, leaf: Option<Root>) {
        let Some(content) = &mut self.content else { return };
        if let Some(expected) = content.leaf_of(block) {
            if leaf == Some(expected) {
                self.block_is_right(now, block);
            } else {
                content.picker.failed(block);
                self.block_is_wrong(now, block, source);
            }
        } else if content.picker.written(block, leaf) {
            self.judge_piece(now, block.piece.0);
        }
    }

    fn on_hashed_again(&mut self, now: Time, block: BlockRef, leaf: Root) {
        let Some(content) = &mut self.content else { return };
        if content.picker.set_leaf(block, leaf) {
            self.judge_piece(now, block.piece.0);
        }
    }

    fn block_is_right(&mut self, now: Time, block: BlockRef) {
        let Some(content) = &mut self.content else { return };
        let piece = block.piece.0;
        let wanted_before = content.picker.wants_piece(piece);
        let whole = content.picker.verified(block);
        let number = content.torrent.layout.block_number(block);
        let wanted_after = content.picker.wants_piece(piece);
        if let Some(number) = number {
            self.tell_verified(number);
        }
        if wanted_before && !wanted_after {
            self.lose_interest_in(now, piece);
        }
        if whole {
            self.piece_is_whole(now, piece);
        }
        self.check_complete(now);
    }

    /// One event for a run of blocks.
    fn tell_verified(&mut self, number: u32) {
        if let Some(Output::Event(Event::BlocksVerified(range))) = self.out.back_mut()
            && range.end == number
        {
            range.end += 1;
            return;
        }
        self.event(Event::BlocksVerified(number..number + 1));
    }

    fn block_is_wrong(&mut self, now: Time, block: BlockRef, source: SourceId) {
        self.stats.corrupt_bytes += u64::from(block.len);
        self.event(Event::HashFailed(block.piece));
        self.punish(now, source, "a block does not have the hash it must have");
    }

    pub(super) fn punish(&mut self, now: Time, source: SourceId, why: &str) {
        match sender_of(source) {
            Sender::Peer(conn) => self.ban(now, conn),
            Sender::Web(seed) => self.drop_web_seed(seed, why),
        }
    }

    /// All of a piece is on disk.
    pub(super) fn judge_piece(&mut self, now: Time, piece: u32) {
        let Some(content) = &mut self.content else { return };
        if !content.is_v2() {
            if content.hashing.insert(piece) {
                let piece = PieceIndex(piece);
                self.out.push_back(Output::HashPieceV1 { piece, data: Vec::new() });
            }
            return;
        }
        let unhashed = content.unhashed_blocks(piece);
        if !unhashed.is_empty() {
            self.hash_again(unhashed);
            return;
        }
        // Without the piece layer there is nothing to judge by yet: `ask_hashes` sees to it.
        let Some(right) = content.is_piece_right(piece) else { return };
        if right { self.piece_is_right(now, piece) } else { self.piece_is_wrong(now, piece) }
    }

    fn hash_again(&mut self, blocks: Vec<BlockRef>) {
        for block in blocks {
            let pending = self.jobs.values().any(|j| matches!(j, Job::HashHad { block: b } if *b == block));
            if !pending {
                let job = self.new_job();
                self.jobs.insert(job, Job::HashHad { block });
                self.out.push_back(Output::HashBlock { job, block });
            }
        }
    }

    pub(super) fn on_piece_hashed(
        &mut self,
        now: Time,
        piece: PieceIndex,
        result: Result<[u8; 20], IoFault>,
    ) {
        let Some(content) = &mut self.content else { return };
        if !content.hashing.remove(&piece.0) {
            return;
        }
        match result {
            Ok(hash) if content.torrent.pieces_v1.get(piece.idx()) == Some(&hash) => {
                self.piece_is_right(now, piece.0);
            }
            Ok(_) => self.piece_is_wrong(now, piece.0),
            Err(fault) => {
                let blocks = content.blocks_on_trial(piece.0);
                for (block, ..) in blocks {
                    self.on_storage_fault(now, block, fault.clone());
                }
            }
        }
    }

    fn piece_is_right(&mut self, now: Time, piece: u32) {
        let Some(content) = &mut self.content else { return };
        let liars = content.liars(piece);
        let blocks = content.blocks_on_trial(piece);
        for (block, ..) in blocks {
            self.block_is_right(now, block);
        }
        for source in liars {
            self.punish(now, source, "a block does not have the hash it must have");
        }
    }

    fn piece_is_wrong(&mut self, now: Time, piece: u32) {
        let Some(content) = &mut self.content else { return };
        let trial = content.blocks_on_trial(piece);
        let authors: BTreeSet<SourceId> = trial.iter().filter_map(|(_, source, _)| *source).collect();
        self.stats.corrupt_bytes += trial.iter().map(|(block, ..)| u64::from(block.len)).sum::<u64>();
        for (block, ..) in &trial {
            content.picker.failed(*block);
        }
        if authors.len() > 1 {
            let suspects = trial.iter().filter_map(|(b, s, l)| Some((b.offset, (*s)?, *l))).collect();
            content.picker.suspect(piece, suspects);
            self.ask_leaves_of(now, piece);
        }
        self.event(Event::HashFailed(PieceIndex(piece)));
        if let (Some(&author), 1) = (authors.first(), authors.len()) {
            self.punish(now, author, "a piece does not have the hash it must have");
        }
    }

    /// Leaf hashes of a piece have come: whoever sent something else lied.
    pub(super) fn judge_suspects(&mut self, now: Time, piece: u32) {
        let Some(content) = &mut self.content else { return };
        let liars = content.liars(piece);
        content.picker.clear_suspects(piece);
        for source in liars {
            self.punish(now, source, "a block does not have the hash it must have");
        }
    }

    fn piece_is_whole(&mut self, now: Time, piece: u32) {
        self.event(Event::PieceVerified(PieceIndex(piece)));
        let open = |s: &crate::session::Session| s.phase == crate::session::Phase::Open;
        let conns: Vec<_> =
            self.conns.iter().filter(|(_, s)| open(s) && !s.pieces.has(piece)).map(|(&c, _)| c).collect();
        for conn in conns {
            self.send(now, conn, Message::Have(PieceIndex(piece)));
        }
    }

    /// Tells once when all that is wanted is there.
    pub(super) fn check_complete(&mut self, now: Time) {
        let Some(content) = &mut self.content else { return };
        if content.told_complete || !content.picker.is_complete() {
            return;
        }
        content.told_complete = true;
        let completed = !content.began_complete && content.left() == 0;
        content.began_complete = true;
        self.event(Event::Completed);
        if completed {
            self.announcer.completed(now);
        }
        self.stop_web();
    }
}

impl Active {
    /// Blocks of a piece that are on disk and not verified, with their author and leaf hash.
    fn blocks_on_trial(&self, piece: u32) -> Vec<(BlockRef, Option<SourceId>, Option<Root>)> {
        let first = piece * self.torrent.layout.blocks_per_piece();
        let Some(partial) = self.picker.partial(piece) else { return Vec::new() };
        (first..)
            .zip(partial.blocks())
            .filter(|(_, block)| block.state == BlockState::Written)
            .filter_map(|(n, block)| Some((self.torrent.layout.block_ref(n)?, block.source, block.leaf)))
            .collect()
    }

    /// Blocks whose leaf hash is needed to judge their piece and not known.
    fn unhashed_blocks(&self, piece: u32) -> Vec<BlockRef> {
        let first = piece * self.torrent.layout.blocks_per_piece();
        let Some(partial) = self.picker.partial(piece) else { return Vec::new() };
        (first..)
            .zip(partial.blocks())
            .filter(|(_, block)| block.leaf.is_none())
            .filter_map(|(n, _)| self.torrent.layout.block_ref(n))
            .collect()
    }

    /// `None` while it cannot be told.
    fn is_piece_right(&self, piece: u32) -> Option<bool> {
        let expected = self.piece_root(PieceIndex(piece))?;
        let leaves: Option<Vec<Root>> =
            self.picker.partial(piece)?.blocks().iter().map(|block| block.leaf).collect();
        let file = self.torrent.layout.file_of_piece(PieceIndex(piece))?;
        let file_len = self.torrent.layout.files.get(file.idx())?.len;
        let found = merkle::piece_root(&leaves?, self.torrent.layout.piece_len, file_len)?;
        Some(found == expected)
    }

    /// Suspects of earlier attempts whose block was another than the right one.
    fn liars(&self, piece: u32) -> BTreeSet<SourceId> {
        let Some(partial) = self.picker.partial(piece) else { return BTreeSet::new() };
        let right = |offset: u32| {
            let block = self.block_at(piece, offset)?;
            let known = self.leaf_of(block);
            known.or_else(|| partial.blocks().get((offset / crate::units::BLOCK_LEN) as usize)?.leaf)
        };
        let lied = |&&(offset, _, leaf): &&(u32, SourceId, Option<Root>)| {
            leaf.is_some() && right(offset).is_some_and(|right| leaf != Some(right))
        };
        partial.suspects.iter().filter(lied).map(|&(_, source, _)| source).collect()
    }

    fn block_at(&self, piece: u32, offset: u32) -> Option<BlockRef> {
        let number = piece * self.torrent.layout.blocks_per_piece() + offset / crate::units::BLOCK_LEN;
        self.torrent.layout.block_ref(number)
    }
}
