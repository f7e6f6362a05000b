//! Web seeds (BEP 19) as sources in the same picker as peers.
//!
//! They start at once, on what no player has, and yield as peers deliver: beside a seedbox that serves us they are the
//! same machine's bytes by another road. They come back when a player would have to wait. One fetch is one run of
//! blocks without a gap; where it crosses files (v1 only) its parts are fetched one after the other.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Range;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use rand_chacha::rand_core::Rng as _;

use super::content::Active;
use super::download::{fellows, rank_of};
use super::io::{Event, JobId, Output, SourceKind, WebFault, WebSeedId};
use super::{Running, Swarm, web_source};
use crate::picker::{Ask, Mode, SourceId};
use crate::session::Meter;
use crate::units::{BLOCK_LEN, BlockRef, FileIndex, Time};
use crate::webseed::BackOff;

/// Bytes in a fetch: at first, and at most.
const FIRST_RUN: u64 = 1024 * 1024;
const LARGEST_RUN: u64 = 8 * 1024 * 1024;
/// Fetches under way at one web seed.
const MAX_FETCHES: usize = 4;
/// The same where they are short: a few blocks here and there would otherwise take a round trip each.
const MAX_SHORT_FETCHES: usize = 8;
/// The longest that a web seed is left alone because it asks for it (`Retry-After`).
const LONGEST_WAIT: Duration = Duration::from_secs(600);
/// A fetch without a byte for so long is given up.
const STALL: Duration = Duration::from_secs(8);
/// After so long peers are asked as well, when all else is under way.
const SILENT: Duration = Duration::from_secs(1);
/// Peers who may be asked get so long before web seeds bring what peers have.
const GRACE: Duration = Duration::from_secs(3);
/// A swarm that has just begun does not know yet who else is there: its first fetches are few and small, so that those
/// of others who began with it are other ones.
const BEGINNING: Duration = Duration::from_secs(2);
/// Peers that deliver so many bytes a second make web seeds yield.
const YIELD_RATE: u64 = 200_000;

struct Seed {
    back_off: BackOff,
    rate: Meter,
    lacks: BTreeSet<FileIndex>,
}

struct Part {
    file: Option<FileIndex>,
    range: Range<u64>,
}

struct Fetch {
    seed: WebSeedId,
    blocks: VecDeque<BlockRef>,
    parts: VecDeque<Part>,
    /// Of all parts, in bytes.
    len: u64,
    /// What of the part under way is still to come, in bytes.
    left: u64,
    buffer: BytesMut,
    /// By the clock that requests are timed by.
    progress_at: Time,
}

pub(super) struct Web {
    seeds: Vec<Seed>,
    fetches: BTreeMap<JobId, Fetch>,
    /// Since when what lacks would take too long.
    hungry_since: Option<Time>,
}

impl Web {
    pub(super) fn new(seeds: u32) -> Web {
        let seed =
            |_| Seed { back_off: BackOff::default(), rate: Meter::new(Time::ZERO), lacks: BTreeSet::new() };
        Web { seeds: (0..seeds).map(seed).collect(), fetches: BTreeMap::new(), hungry_since: None }
    }

    pub(super) fn running(&self) -> usize {
        self.fetches.len()
    }

    /// Web seeds of which a fetch has brought nothing for a while, so that peers may be asked for what was asked of
    /// them before this.
    pub(super) fn overdue(&self, awake: Time) -> impl Iterator<Item = (SourceId, Time)> + '_ {
        let silent = move |fetch: &&Fetch| awake.since(fetch.progress_at) > SILENT;
        self.fetches.values().filter(silent).map(move |fetch| (web_source(fetch.seed), awake - SILENT))
    }

    /// Fetches under way at a web seed, and the bytes they were begun with.
    fn running_at(&self, seed: WebSeedId) -> (usize, u64) {
        let here = self.fetches.values().filter(|fetch| fetch.seed == seed);
        here.fold((0, 0), |(count, bytes), fetch| (count + 1, bytes + fetch.len))
    }
}

impl Swarm {
    /// Starts fetches that are of use now, gives up those that stall.
    pub(super) fn web_tick(&mut self, now: Time) {
        if self.web.seeds.is_empty() {
            return;
        }
        let stalled: Vec<JobId> = self
            .web
            .fetches
            .iter()
            .filter(|(_, f)| self.watch.awake().since(f.progress_at) > STALL)
            .map(|(&job, _)| job)
            .collect();
        for job in stalled {
            self.out.push_back(Output::CancelFetch { fetch: job });
            self.on_web_failed(now, job, WebFault::Unreachable("no data".to_owned()));
        }
        let hungry = self.is_hungry(now);
        self.web.hungry_since = if hungry { self.web.hungry_since.or(Some(now)) } else { None };
        for seed in 0..self.web.seeds.len() {
            while self.start_fetch(now, seed) {}
        }
    }

    fn start_fetch(&mut self, now: Time, seed: usize) -> bool {
        let id = WebSeedId(seed as u32);
        let (running, under_way) = self.web.running_at(id);
        let usable = self.web.seeds.get(seed).is_some_and(|s| s.back_off.is_ready(now));
        if self.running != Running::Yes || !usable || self.is_complete() || self.down.available(now) == 0 {
            return false;
        }
        let awake = self.watch.awake();
        let from_peers =
            self.conns.values_mut().filter(|s| s.can_ask()).fold((0, 0, false), |(n, rate, origin), s| {
                (n + 1, rate + s.down.rate.rate(awake), origin || (s.is_origin() && !s.down.snubbed))
            });
        let (askable, peer_rate, origin) = from_peers;
        let most = match (askable, origin) {
            (_, true) if peer_rate > YIELD_RATE => 0,
            (_, true) => 1,
            _ if self.is_beginning(now) => 1,
            _ => MAX_FETCHES,
        };
        // Short runs share the bytes that the long ones would have.
        let worth = self.worth(now, seed);
        let most_bytes = match running {
            _ if running < most => worth,
            _ if running < MAX_SHORT_FETCHES => (worth * most as u64).saturating_sub(under_way).min(worth),
            _ => 0,
        };
        if most_bytes == 0 {
            return false;
        }
        let patient = self.web.hungry_since.is_none_or(|since| now.since(since) < GRACE);
        let rescue = self.web.hungry_since.is_some() && (askable == 0 || !patient) && !origin;
        let blocks = self.choose_run(seed, rescue, most_bytes);
        if blocks.is_empty() {
            return false;
        }
        self.begin(now, id, blocks)
    }

    fn is_beginning(&self, now: Time) -> bool {
        self.with_peers && now.since(self.began_at) < BEGINNING
    }

    /// Bytes that one fetch may be long: half a second's worth, and never so much that others could not take their
    /// share.
    fn worth(&mut self, now: Time, seed: usize) -> u64 {
        let share = if self.is_beginning(now) { 64 } else { 16 };
        let (Some(content), Some(web)) = (&self.content, self.web.seeds.get_mut(seed)) else { return 0 };
        let share = u64::from(content.picker.free()) * u64::from(BLOCK_LEN) / share;
        let piece_len = u64::from(content.torrent.layout.piece_len);
        (web.rate.rate(now) / 2).max(FIRST_RUN).min(share.max(piece_len)).min(LARGEST_RUN)
    }

    fn choose_run(&mut self, seed: usize, rescue: bool, worth: u64) -> Vec<BlockRef> {
        let fellows = fellows(&self.conns, self.peer_id);
        let rank = |piece: u32| rank_of(&fellows, piece);
        let awake = self.watch.awake();
        let (Some(content), Some(web)) = (&mut self.content, self.web.seeds.get_mut(seed)) else {
            return Vec::new();
        };
        let torrent = content.torrent.clone();
        let layout = &torrent.layout;
        let lacks = &web.lacks;
        let has = |piece: u32| {
            let file = layout.file_of_piece(crate::units::PieceIndex(piece));
            lacks.is_empty() || file.is_some_and(|file| !lacks.contains(&file))
        };
        let file_of = |piece: u32| layout.file_of_piece(crate::units::PieceIndex(piece));
        let joins = |a: u32, b: u32| file_of(a) == file_of(b);
        let source = web_source(WebSeedId(seed as u32));
        let mut blocks = Vec::new();
        if self.player_seeds == 0 {
            let ask = Ask { source, has: &has, mode: Mode::Scarce(&rank), endgame: None, now: awake };
            blocks = content.picker.pick_run(&ask, worth, &joins, &mut self.rng);
        }
        if blocks.is_empty() && rescue {
            let ask = Ask { source, has: &has, mode: Mode::Any, endgame: None, now: awake };
            blocks = content.picker.pick_run(&ask, worth, &joins, &mut self.rng);
        }
        blocks
    }

    fn begin(&mut self, now: Time, seed: WebSeedId, blocks: Vec<BlockRef>) -> bool {
        let Some(content) = &self.content else { return false };
        let parts = content.parts_of(&blocks);
        let len = blocks.iter().map(|block| u64::from(block.len)).sum();
        let blocks = blocks.into();
        let progress_at = self.watch.awake();
        let fetch = Fetch { seed, blocks, parts, len, left: 0, buffer: BytesMut::new(), progress_at };
        self.next_part(now, fetch);
        true
    }

    /// Asks for the next part of a fetch; pads are filled in at once.
    fn next_part(&mut self, now: Time, mut fetch: Fetch) {
        while let Some(part) = fetch.parts.pop_front() {
            let len = part.range.end - part.range.start;
            let Some(file) = part.file else {
                let zeros = Bytes::from(vec![0; usize::try_from(len).unwrap_or(0)]);
                self.feed(now, &mut fetch, zeros);
                continue;
            };
            fetch.left = len;
            let job = self.new_job();
            let seed = fetch.seed;
            self.web.fetches.insert(job, fetch);
            self.out.push_back(Output::FetchRange { fetch: job, seed, file, range: part.range });
            return;
        }
    }

    pub(super) fn on_web_data(&mut self, now: Time, job: JobId, data: Bytes) {
        let Some(mut fetch) = self.web.fetches.remove(&job) else { return };
        let len = data.len() as u64;
        if len > fetch.left {
            self.web.fetches.insert(job, fetch);
            self.out.push_back(Output::CancelFetch { fetch: job });
            return self.on_web_failed(now, job, WebFault::Protocol("more bytes than asked for".to_owned()));
        }
        fetch.left -= len;
        fetch.progress_at = self.watch.awake();
        self.down.charge(now, len);
        self.count_received(now, SourceKind::Web, u32::try_from(len).unwrap_or(u32::MAX));
        if let Some(seed) = self.web.seeds.get_mut(fetch.seed.0 as usize) {
            seed.rate.add(now, len);
        }
        self.feed(now, &mut fetch, data);
        let useless = fetch.blocks.iter().all(|block| self.is_there(*block));
        if useless && fetch.left > 0 && !fetch.blocks.is_empty() {
            self.release(fetch.blocks);
            self.out.push_back(Output::CancelFetch { fetch: job });
            return;
        }
        let dropped = self.web.seeds.get(fetch.seed.0 as usize).is_none_or(|s| s.back_off.given_up());
        if dropped {
            self.release(fetch.blocks);
            self.out.push_back(Output::CancelFetch { fetch: job });
            return;
        }
        self.web.fetches.insert(job, fetch);
    }

    fn is_there(&self, block: BlockRef) -> bool {
        let Some(content) = &self.content else { return true };
        content.torrent.layout.block_number(block).is_none_or(|number| content.picker.have().get(number))
    }

    /// Cuts what came in into blocks.
    fn feed(&mut self, now: Time, fetch: &mut Fetch, mut data: Bytes) {
        let source = web_source(fetch.seed);
        while let Some(&block) = fetch.blocks.front() {
            let need = block.len as usize - fetch.buffer.len();
            if data.len() < need {
                fetch.buffer.extend_from_slice(&data);
                return;
            }
            let piece = data.split_to(need);
            let whole = if fetch.buffer.is_empty() {
                piece
            } else {
                fetch.buffer.extend_from_slice(&piece);
                fetch.buffer.split().freeze()
            };
            fetch.blocks.pop_front();
            // Less than a block is of no use: a server that always ends before is left alone for longer and longer.
            if let Some(seed) = self.web.seeds.get_mut(fetch.seed.0 as usize) {
                seed.back_off.succeeded();
            }
            self.take_block(now, block, whole, source, true);
        }
    }

    pub(super) fn on_web_end(&mut self, now: Time, job: JobId) {
        let Some(fetch) = self.web.fetches.remove(&job) else { return };
        if fetch.left > 0 {
            self.web.fetches.insert(job, fetch);
            return self.on_web_failed(now, job, WebFault::Unreachable("ended early".to_owned()));
        }
        let seed = fetch.seed.0 as usize;
        if fetch.parts.is_empty() {
            self.release(fetch.blocks);
        } else {
            self.next_part(now, fetch);
        }
        while self.start_fetch(now, seed) {}
    }

    pub(super) fn on_web_failed(&mut self, now: Time, job: JobId, fault: WebFault) {
        let Some(fetch) = self.web.fetches.remove(&job) else { return };
        let first = fetch.blocks.front().copied();
        self.release(fetch.blocks);
        let lacking =
            first.and_then(|block| self.content.as_ref()?.torrent.layout.file_of_piece(block.piece));
        let random = self.rng.next_u64();
        let Some(seed) = self.web.seeds.get_mut(fetch.seed.0 as usize) else { return };
        match fault {
            WebFault::Unreachable(_) => seed.back_off.failed(now, random),
            WebFault::RetryAfter(wait) => seed.back_off.wait(now, wait.min(LONGEST_WAIT)),
            WebFault::Missing(_) => seed.lacks.extend(lacking),
            WebFault::Protocol(why) => self.drop_web_seed(fetch.seed, &why),
        }
    }

    /// The web seed lied: it is not used any more.
    pub(super) fn drop_web_seed(&mut self, id: WebSeedId, why: &str) {
        let Some(seed) = self.web.seeds.get_mut(id.0 as usize) else { return };
        if seed.back_off.given_up() {
            return;
        }
        seed.back_off.give_up();
        self.event(Event::WebSeedDropped { seed: id, reason: why.to_owned() });
        let jobs: Vec<JobId> =
            self.web.fetches.iter().filter(|(_, f)| f.seed == id).map(|(&job, _)| job).collect();
        self.cancel_fetches(&jobs);
    }

    /// Ends all fetches.
    pub(super) fn stop_web(&mut self) {
        let jobs: Vec<JobId> = self.web.fetches.keys().copied().collect();
        self.cancel_fetches(&jobs);
    }

    fn cancel_fetches(&mut self, jobs: &[JobId]) {
        for &job in jobs {
            if let Some(fetch) = self.web.fetches.remove(&job) {
                self.release(fetch.blocks);
                self.out.push_back(Output::CancelFetch { fetch: job });
            }
        }
    }

    fn release(&mut self, blocks: VecDeque<BlockRef>) {
        let blocks: Vec<BlockRef> = blocks.into();
        self.release_all(&blocks);
    }
}

impl Active {
    /// The parts of files that a run of blocks covers, in order.
    fn parts_of(&self, blocks: &[BlockRef]) -> VecDeque<Part> {
        let mut parts: VecDeque<Part> = VecDeque::new();
        for span in blocks.iter().flat_map(|block| self.torrent.layout.spans(*block)) {
            let range = span.file_offset..span.file_offset + u64::from(span.len);
            match parts.back_mut() {
                Some(last)
                    if last.file == span.file && span.file.is_some() && last.range.end == range.start =>
                {
                    last.range.end = range.end;
                }
                _ => parts.push_back(Part { file: span.file, range }),
            }
        }
        parts
    }
}
