//! Requests we have sent to a peer: how many it should have, and how long they may take.
//!
//! All times here are *awake* times (see `swarm::patience`): what happened while we did not listen took no time.

use std::collections::VecDeque;
use std::time::Duration;

use crate::units::{BLOCK_LEN, BlockRef, Time};

/// Requests at the start, and at least: less would make each wait for the other's answer.
const MIN_WINDOW: usize = 3;
const START_WINDOW: usize = 8;
/// How much time's worth of blocks to have on order beyond the way there and back.
const QUEUE_TIME: Duration = Duration::from_millis(350);
/// Requests given up by us that may still be answered: more than can be under way at a time.
const MAX_LATE: usize = 4096;
/// A block that was asked for longer ago than twice what is usual, within these bounds, may be asked of another,
const OVERDUE: (Duration, Duration) = (Duration::from_millis(800), Duration::from_secs(4));
/// if its peer has been silent for so long, or would need longer than this for all it was asked for.
const SLOW: Duration = Duration::from_secs(1);
const INTERVAL: Duration = Duration::from_millis(200);

/// Bytes a second, over about a second.
#[derive(Clone, Debug)]
pub struct Meter {
    since: Time,
    bytes: u64,
    rate: f64,
}

impl Meter {
    /// Begins at zero.
    #[must_use]
    pub fn new(now: Time) -> Meter {
        Meter { since: now, bytes: 0, rate: 0.0 }
    }

    /// Counts bytes.
    pub fn add(&mut self, now: Time, bytes: u64) {
        self.roll(now);
        self.bytes += bytes;
    }

    /// Bytes a second.
    pub fn rate(&mut self, now: Time) -> u64 {
        self.roll(now);
        self.rate as u64
    }

    fn roll(&mut self, now: Time) {
        let elapsed = now.since(self.since);
        if elapsed < INTERVAL {
            return;
        }
        let seconds = elapsed.as_secs_f64();
        let sample = self.bytes as f64 / seconds;
        // A sample weighs as much as the time it covers: a second of them is 63 %.
        let weight = 1.0 - (-seconds).exp();
        self.rate += (sample - self.rate) * if self.rate == 0.0 { 1.0 } else { weight };
        self.since = now;
        self.bytes = 0;
    }
}

#[derive(Clone, Copy, Debug)]
struct Asked {
    block: BlockRef,
    at: Time,
    /// The peer was told to leave it, and has not answered.
    taken_back: bool,
}

/// What a block that came in was to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// It had been asked for, so long ago.
    Asked(Duration),
    /// It had been asked for and given up; it may still be of use.
    Late,
    /// Nobody asked for it.
    Unasked,
}

/// Why a peer will not send a block that it was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejected {
    /// We took the request back.
    TakenBack,
    /// By its own choice.
    Refused,
}

/// See the module's header.
pub struct Pipeline {
    asked: VecDeque<Asked>,
    late: VecDeque<BlockRef>,
    window: usize,
    growing: bool,
    last_rate: u64,
    grown_at: Time,
    /// How fast blocks come.
    pub rate: Meter,
    /// The shortest time between request and block seen.
    min_latency: Duration,
    /// How many requests the peer accepts.
    pub reqq: usize,
    /// When a block came last, or requests were sent to an idle peer.
    pub progress_at: Time,
    /// It let requests time out, and has sent nothing since.
    pub snubbed: bool,
    /// How often it did.
    pub strikes: u32,
    /// The picker's generation when it last had nothing for this peer.
    pub dry_at: Option<u64>,
    /// Payload received.
    pub received_bytes: u64,
}

impl Pipeline {
    pub(super) fn new(now: Time) -> Pipeline {
        Pipeline {
            asked: VecDeque::new(),
            late: VecDeque::new(),
            window: START_WINDOW,
            growing: true,
            last_rate: 0,
            grown_at: now,
            rate: Meter::new(now),
            min_latency: Duration::from_secs(1),
            reqq: 250,
            progress_at: now,
            snubbed: false,
            strikes: 0,
            dry_at: None,
            received_bytes: 0,
        }
    }

    /// Requests under way.
    #[must_use]
    pub fn len(&self) -> usize {
        self.asked.len()
    }

    /// Whether none is under way.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.asked.is_empty()
    }

    /// The requests under way.
    pub fn iter(&self) -> impl Iterator<Item = BlockRef> + '_ {
        self.asked.iter().map(|a| a.block)
    }

    /// Bytes asked for and neither come nor given up.
    #[must_use]
    pub fn asked_bytes(&self) -> u64 {
        self.asked.iter().map(|a| u64::from(a.block.len)).sum()
    }

    /// Bytes given up that may still come.
    #[must_use]
    pub fn late_bytes(&self) -> u64 {
        self.late.iter().map(|block| u64::from(block.len)).sum()
    }

    /// Whether this block was asked for.
    #[must_use]
    pub fn contains(&self, block: BlockRef) -> bool {
        self.asked.iter().any(|a| a.block == block)
    }

    /// How many more requests to send now.
    #[must_use]
    pub fn room(&self, max: usize) -> usize {
        let window = if self.snubbed { 1 } else { self.window };
        window.min(max).min(self.reqq.max(1)).saturating_sub(self.asked.len())
    }

    /// Whether sending waits until there is room for a worthwhile number.
    #[must_use]
    pub fn worthwhile(&self, room: usize) -> bool {
        room > 0 && (room >= self.window / 8 || self.asked.len() < 4)
    }

    /// A request was sent.
    pub fn sent(&mut self, block: BlockRef, now: Time) {
        if self.asked.is_empty() {
            self.progress_at = now;
        }
        self.asked.push_back(Asked { block, at: now, taken_back: false });
    }

    /// A block came in.
    pub fn arrived(&mut self, block: BlockRef, now: Time) -> Arrival {
        let Some(at) = self.asked.iter().position(|a| a.block == block) else {
            let late = self.late.iter().position(|b| *b == block);
            return late.map_or(Arrival::Unasked, |at| {
                self.late.remove(at);
                self.made_progress(block.len, now);
                Arrival::Late
            });
        };
        let sent_at = self.asked.remove(at).map_or(now, |asked| asked.at);
        let took = now.since(sent_at);
        self.min_latency = self.min_latency.min(took);
        self.made_progress(block.len, now);
        self.adapt(now);
        Arrival::Asked(took)
    }

    /// The peer will not send it. `None` if it was not asked for, or has been given up.
    pub fn rejected(&mut self, block: BlockRef) -> Option<Rejected> {
        if let Some(at) = self.late.iter().position(|b| *b == block) {
            self.late.remove(at);
            return None;
        }
        let at = self.asked.iter().position(|a| a.block == block)?;
        let asked = self.asked.remove(at)?;
        Some(if asked.taken_back { Rejected::TakenBack } else { Rejected::Refused })
    }

    /// We no longer want it; it may come all the same. False if it was not asked for.
    pub fn cancel(&mut self, block: BlockRef) -> bool {
        let there = self
            .asked
            .iter()
            .position(|a| a.block == block)
            .is_some_and(|at| self.asked.remove(at).is_some());
        if there {
            self.remember_late(block);
        }
        there
    }

    /// The peer is to be told that we would rather have this block from somebody else (true). The request stands until
    /// it answers: with BEP 6 it rejects the request, unless the block is on its way, which then is not asked for twice.
    pub fn take_back(&mut self, block: BlockRef) -> bool {
        let asked = self.asked.iter_mut().find(|a| a.block == block && !a.taken_back);
        asked.map(|asked| asked.taken_back = true).is_some()
    }

    /// [`Pipeline::take_back`] for all requests.
    pub fn take_all_back(&mut self) -> Vec<BlockRef> {
        let asked = self.asked.iter_mut().filter(|a| !a.taken_back);
        asked
            .map(|asked| {
                asked.taken_back = true;
                asked.block
            })
            .collect()
    }

    /// Others may be asked for what this peer was asked for before this; `usual` is how long peers take.
    pub fn overdue(&mut self, now: Time, usual: Duration) -> Option<Time> {
        let patience = (usual * 2).clamp(OVERDUE.0, OVERDUE.1);
        let silent = now.since(self.progress_at) > patience;
        let slow = self.is_slow(now);
        (!self.asked.is_empty() && (silent || slow)).then(|| now - patience)
    }

    /// Whether what the peer was asked for takes it longer than a second.
    pub fn is_slow(&mut self, now: Time) -> bool {
        self.asked_bytes() > self.rate.rate(now).saturating_mul(SLOW.as_secs())
    }

    /// All requests are given up: by the peer (`may_come` false) or by us.
    pub fn give_up(&mut self, may_come: bool) -> Vec<BlockRef> {
        let blocks: Vec<BlockRef> = self.asked.drain(..).map(|a| a.block).collect();
        if may_come {
            blocks.iter().for_each(|&block| self.remember_late(block));
        }
        blocks
    }

    /// How long the oldest request may go without any block arriving.
    #[must_use]
    pub fn patience(&self) -> Duration {
        (self.min_latency * 8).clamp(Duration::from_secs(4), Duration::from_secs(20))
    }

    /// Requests went unanswered. Patience begins anew.
    pub fn snub(&mut self, now: Time) {
        self.snubbed = true;
        self.progress_at = now;
        self.strikes += 1;
        self.window = MIN_WINDOW;
        self.growing = true;
    }

    fn remember_late(&mut self, block: BlockRef) {
        if self.late.len() >= MAX_LATE {
            self.late.pop_front();
        }
        self.late.push_back(block);
    }

    fn made_progress(&mut self, len: u32, now: Time) {
        self.rate.add(now, u64::from(len));
        self.received_bytes += u64::from(len);
        self.progress_at = now;
        self.snubbed = false;
    }

    /// While the rate grows, a block that comes in pays for two requests; then the window is what the rate needs.
    fn adapt(&mut self, now: Time) {
        if self.growing {
            self.window += 1;
        }
        if now.since(self.grown_at) < INTERVAL {
            return;
        }
        let rate = self.rate.rate(now);
        let needed =
            (rate as f64 * (self.min_latency + QUEUE_TIME).as_secs_f64()) as usize / BLOCK_LEN as usize;
        if self.growing && rate < self.last_rate + self.last_rate / 8 {
            self.growing = false;
        }
        if !self.growing {
            self.window = (needed + needed / 4).max(MIN_WINDOW);
        }
        self.last_rate = rate;
        self.grown_at = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::PieceIndex;

    fn block(n: u32) -> BlockRef {
        BlockRef { piece: PieceIndex(n), offset: 0, len: BLOCK_LEN }
    }

    #[test]
    fn a_late_block_is_known_once() {
        let mut pipe = Pipeline::new(Time::ZERO);
        pipe.sent(block(1), Time::ZERO);
        assert!(pipe.cancel(block(1)));
        assert!(!pipe.cancel(block(1)));
        assert_eq!(pipe.arrived(block(1), Time(9)), Arrival::Late);
        assert_eq!(pipe.arrived(block(1), Time(9)), Arrival::Unasked);
    }

    #[test]
    fn the_window_follows_rate_times_latency() {
        // A peer that answers after 50 ms and sends at most so many bytes a second.
        for (rate, least, most) in [(1_000_000u64, 20, 60), (20_000_000, 400, 900), (200_000_000, 4000, 9000)]
        {
            let mut pipe = Pipeline::new(Time::ZERO);
            pipe.reqq = usize::MAX;
            let (mut now, mut n, mut ready) = (0u64, 0, VecDeque::new());
            let mut link_free = 0u64;
            while now < 10_000_000 {
                for _ in 0..pipe.room(usize::MAX) {
                    n += 1;
                    pipe.sent(block(n), Time(now));
                    link_free = link_free.max(now + 50_000) + u64::from(BLOCK_LEN) * 1_000_000 / rate;
                    ready.push_back((link_free, n));
                }
                let Some((at, n)) = ready.pop_front() else { break };
                now = at;
                assert!(matches!(pipe.arrived(block(n), Time(now)), Arrival::Asked(_)));
            }
            assert!((least..=most).contains(&pipe.window), "{rate}: {}", pipe.window);
        }
    }
}
