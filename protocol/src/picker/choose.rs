//! The choice itself: what to ask a source for.

use rand_chacha::ChaCha8Rng;

use super::{Picker, SourceId, random_below};
use crate::units::{BLOCK_LEN, BlockRef, Time};

/// How far a search for a scarce piece of low rank goes.
const RANK_SAMPLES: usize = 256;
/// At most so many sources are asked for one block in the endgame.
const ENDGAME_COPIES: u8 = 3;

/// What a source may be asked for.
#[derive(Clone, Copy)]
pub enum Mode<'a> {
    /// Whatever it has, rarest first.
    Any,
    /// Only pieces that no other player has, those of lowest rank first: the rank spreads players over pieces.
    Scarce(&'a dyn Fn(u32) -> usize),
}

impl Mode<'_> {
    fn allows(&self, avail: u16) -> bool {
        matches!(self, Mode::Any) || avail == 0
    }
}

/// One question to the picker.
#[derive(Clone, Copy)]
pub struct Ask<'a> {
    /// Who would be asked.
    pub source: SourceId,
    /// Whether it has a piece.
    pub has: &'a dyn Fn(u32) -> bool,
    /// What it may be asked for.
    pub mode: Mode<'a>,
    /// When all blocks have been asked for: it may be asked for some of those that others were asked for.
    pub endgame: Option<Endgame<'a>>,
    /// Now, by the clock that requests are timed by.
    pub now: Time,
}

/// What may be asked for twice.
#[derive(Clone, Copy)]
pub struct Endgame<'a> {
    /// What a source was asked for before this time may be asked of another; `None`: nothing yet.
    pub late: &'a dyn Fn(SourceId) -> Option<Time>,
    /// At most so many bytes.
    pub bytes: u64,
}

impl Picker {
    /// Chooses up to `max` blocks to ask a source for, and marks them as asked for.
    pub fn pick(&mut self, ask: &Ask<'_>, max: usize, rng: &mut ChaCha8Rng, out: &mut Vec<BlockRef>) {
        let goal = out.len() + max;
        self.pick_urgent(ask, goal, out);
        self.pick_started(ask, goal, out);
        while out.len() < goal {
            let Some(piece) = self.choose_unstarted(ask, rng) else { break };
            self.start(piece);
            self.take(piece, ask, goal, out);
        }
        if let Some(endgame) = ask.endgame
            && out.len() < goal
            && self.free == 0
        {
            // All but the last block of a file are of this length.
            let most = usize::try_from(endgame.bytes / u64::from(BLOCK_LEN)).unwrap_or(usize::MAX);
            self.pick_endgame(ask, endgame.late, goal.min(out.len().saturating_add(most)), rng, out);
        }
    }

    /// Chooses one run of blocks without a gap, at most `max_bytes` long, and marks them as asked for. What it may
    /// run over is for `joins` to say (pieces of one file).
    pub fn pick_run(
        &mut self,
        ask: &Ask<'_>,
        max_bytes: u64,
        joins: &dyn Fn(u32, u32) -> bool,
        rng: &mut ChaCha8Rng,
    ) -> Vec<BlockRef> {
        let mut out = Vec::new();
        let goal = usize::try_from(max_bytes.div_ceil(u64::from(BLOCK_LEN)).max(1)).unwrap_or(usize::MAX);
        let first = self.open.iter().copied().find(|&piece| self.may_take(piece, ask));
        let Some(mut piece) = first.or_else(|| self.choose_unstarted(ask, rng)) else { return out };
        loop {
            self.start(piece);
            self.take_run(piece, ask, goal, &mut out);
            let next = piece + 1;
            let whole = out.last().is_some_and(|last| last.piece.0 == piece && self.ends_piece(*last));
            let follows = self.buckets.contains(next) && ask.mode.allows(self.availability(next));
            if out.len() >= goal || !whole || !follows || !(ask.has)(next) || !joins(piece, next) {
                return out;
            }
            piece = next;
        }
    }

    fn pick_urgent(&mut self, ask: &Ask<'_>, goal: usize, out: &mut Vec<BlockRef>) {
        if self.urgent.is_empty() {
            return;
        }
        let mut urgent = std::mem::take(&mut self.urgent);
        urgent.retain(|&(_, piece)| self.wants_piece(piece));
        for &(_, piece) in &urgent {
            if out.len() >= goal {
                break;
            }
            if !(ask.has)(piece) {
                continue;
            }
            if self.buckets.contains(piece) {
                self.start(piece);
            }
            if self.may_own(piece, ask.source) {
                self.take(piece, ask, goal, out);
            }
        }
        self.urgent = urgent;
    }

    /// Started pieces first, and among them those that this source has worked on.
    fn pick_started(&mut self, ask: &Ask<'_>, goal: usize, out: &mut Vec<BlockRef>) {
        for own in [true, false] {
            if out.len() >= goal || self.open.is_empty() {
                return;
            }
            let candidates: Vec<u32> = self
                .open
                .iter()
                .copied()
                .filter(|piece| self.partials.get(piece).is_some_and(|p| (p.last == Some(ask.source)) == own))
                .filter(|&piece| self.may_take(piece, ask))
                .collect();
            for piece in candidates {
                if out.len() >= goal {
                    return;
                }
                self.take(piece, ask, goal, out);
            }
        }
    }

    fn may_take(&self, piece: u32, ask: &Ask<'_>) -> bool {
        (ask.has)(piece) && ask.mode.allows(self.availability(piece)) && self.may_own(piece, ask.source)
    }

    fn may_own(&self, piece: u32, source: SourceId) -> bool {
        self.partials.get(&piece).is_some_and(|p| !p.exclusive || p.owner.is_none_or(|owner| owner == source))
    }

    fn choose_unstarted(&self, ask: &Ask<'_>, rng: &mut ChaCha8Rng) -> Option<u32> {
        let Mode::Scarce(rank) = ask.mode else {
            return self.buckets.iter_from(|len| random_below(rng, len)).find(|&piece| (ask.has)(piece));
        };
        let start = random_below(rng, self.buckets.len_of(0));
        let mut best = None;
        for piece in self.buckets.iter_of(0, start).filter(|&piece| (ask.has)(piece)).take(RANK_SAMPLES) {
            let rank = rank(piece);
            if rank == 0 {
                return Some(piece);
            }
            if best.is_none_or(|(least, _)| rank < least) {
                best = Some((rank, piece));
            }
        }
        best.map(|(_, piece)| piece)
    }

    /// Blocks that others have been asked for: fewest requests first is approximated by passes.
    fn pick_endgame(
        &mut self,
        ask: &Ask<'_>,
        late: &dyn Fn(SourceId) -> Option<Time>,
        goal: usize,
        rng: &mut ChaCha8Rng,
        out: &mut Vec<BlockRef>,
    ) {
        if out.len() >= goal {
            return;
        }
        let pieces: Vec<u32> = self.partials.keys().copied().collect();
        let start = random_below(rng, pieces.len());
        for copies in 1..ENDGAME_COPIES {
            for at in 0..pieces.len() {
                let piece = pieces[(start + at) % pieces.len()];
                if !(ask.has)(piece) || !ask.mode.allows(self.availability(piece)) {
                    continue;
                }
                let layout = &self.torrent.layout;
                let first = piece * layout.blocks_per_piece();
                let Some(partial) = self.partials.get_mut(&piece).filter(|p| !p.exclusive) else { continue };
                for i in partial.duplicate(copies, late, ask.source, ask.now, goal - out.len()) {
                    out.extend(layout.block_ref(first + i));
                }
                if out.len() >= goal {
                    return;
                }
            }
        }
    }

    fn take(&mut self, piece: u32, ask: &Ask<'_>, goal: usize, out: &mut Vec<BlockRef>) {
        let layout = &self.torrent.layout;
        let first = piece * layout.blocks_per_piece();
        let Some(partial) = self.partials.get_mut(&piece) else { return };
        while out.len() < goal {
            let Some(i) = partial.take_free(ask.source, ask.now) else { break };
            self.free -= 1;
            out.extend(layout.block_ref(first + i));
        }
        self.settle(piece);
    }

    fn take_run(&mut self, piece: u32, ask: &Ask<'_>, goal: usize, out: &mut Vec<BlockRef>) {
        let layout = &self.torrent.layout;
        let first = piece * layout.blocks_per_piece();
        let Some(partial) = self.partials.get_mut(&piece) else { return };
        let mut expected = (!out.is_empty()).then_some(0);
        while out.len() < goal {
            let Some(i) = partial.first_free().filter(|&i| expected.is_none_or(|e| e == i)) else { break };
            partial.take_free(ask.source, ask.now);
            self.free -= 1;
            expected = Some(i + 1);
            out.extend(layout.block_ref(first + i));
        }
        self.settle(piece);
    }

    fn ends_piece(&self, block: BlockRef) -> bool {
        block.offset + block.len == self.torrent.layout.piece_wire_len(block.piece)
    }
}
