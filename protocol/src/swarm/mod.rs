//! The swarm of one torrent as a pure state machine: `handle(now, Input)`, `poll_output()`, `poll_timeout()`.
//!
//! This file holds the state and sorts inputs to where they are handled; each concern has its own file:
//! `connections` (who we are connected to), `messages` (what peers say, one function a message), `download` (requests
//! and blocks that come in), `patience` (requests that nobody answers), `verify` (what became of them), `upload` (serving and choking), `hashes` (BEP 52 hash
//! requests), `extensions` (BEP 9, 10, 11, 54), `web` (BEP 19), `announce` (trackers), `commands`.

mod config;
mod io;
mod candidates;
mod content;
mod connections;
mod messages;
mod download;
mod patience;
mod verify;
mod upload;
mod hashes;
mod extensions;
mod web;
mod announce;
mod commands;
#[cfg(test)]
mod tests;

pub use candidates::class_of;
pub use io::*;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

use crate::choker;
use crate::picker::SourceId;
use crate::rates::TokenBucket;
use crate::session::{Meter, Session};
use crate::units::{BlockRef, InfoHashV1, InfoHashV2, PeerId, Time};
use crate::wire::Message;
use announce::Announcer;
use candidates::Candidates;
use content::Active;
use extensions::MetadataFetch;
use patience::Watch;
use web::Web;

/// How often time-outs are looked at while anything is under way.
const BUSY_TICK: Duration = Duration::from_millis(100);
/// And otherwise.
const IDLE_TICK: Duration = Duration::from_secs(1);

/// A write or hash job in the driver's hands.
enum Job {
    Write { block: BlockRef, source: SourceId },
    HashHad { block: BlockRef },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Running {
    Yes,
    Paused { uploads: bool },
    Stopping,
}

/// See the module's header.
pub struct Swarm {
    v1: Option<InfoHashV1>,
    v2: Option<InfoHashV2>,
    peer_id: PeerId,
    role: Role,
    limits: SwarmLimits,
    rates: Rates,
    listen_port: Option<u16>,
    with_peers: bool,
    rng: ChaCha8Rng,
    content: Option<Active>,
    metadata: MetadataFetch,
    conns: BTreeMap<ConnId, Session>,
    candidates: Candidates,
    banned_ips: BTreeSet<IpAddr>,
    banned_ids: BTreeSet<PeerId>,
    jobs: HashMap<JobId, Job>,
    web: Web,
    announcer: Announcer,
    up: TokenBucket,
    down: TokenBucket,
    meter_down: Meter,
    /// What comes from other players.
    meter_players: Meter,
    meter_up: Meter,
    watch: Watch,
    /// How long blocks take to come, smoothed.
    response: Duration,
    ledger: Ledger,
    /// Bytes that came twice.
    repeated: u64,
    stats: Stats,
    running: Running,
    /// Complete players that are connected; they are not counted piece by piece.
    player_seeds: u32,
    optimistic: Option<(ConnId, Time)>,
    choke_at: Time,
    upkeep_at: Time,
    tick_at: Time,
    /// When the upload bucket has tokens for the next block.
    upload_at: Option<Time>,
    sending_to: Option<(ConnId, u32)>,
    began_at: Time,
    /// When a byte came last, or something became wanted.
    fed_at: Time,
    starved_told: bool,
    told_stopped: bool,
    next_conn: u64,
    next_job: u64,
    out: VecDeque<Output>,
}

impl Swarm {
    /// A swarm that will do something at its first `Tick`, or input.
    #[must_use]
    pub fn new(config: SwarmConfig, now: Time) -> Swarm {
        let (v1, v2) = match &config.start {
            Start::Content(content) => (content.torrent.info_hash_v1, content.torrent.info_hash_v2),
            Start::Magnet { v1, v2 } => (*v1, *v2),
        };
        let mut swarm = Swarm {
            v1,
            v2,
            peer_id: config.peer_id,
            role: config.role,
            limits: config.limits,
            rates: config.rates,
            listen_port: config.listen_port,
            with_peers: config.peers,
            rng: ChaCha8Rng::seed_from_u64(config.rng_seed),
            content: None,
            metadata: MetadataFetch::default(),
            conns: BTreeMap::new(),
            candidates: Candidates::new(config.limits.max_candidates),
            banned_ips: BTreeSet::new(),
            banned_ids: BTreeSet::new(),
            jobs: HashMap::new(),
            web: Web::new(config.web_seeds),
            announcer: Announcer::default(),
            up: TokenBucket::new(config.rates.up, now),
            down: TokenBucket::new(config.rates.down, now),
            meter_down: Meter::new(now),
            meter_players: Meter::new(now),
            meter_up: Meter::new(now),
            watch: Watch::new(now),
            response: Duration::from_millis(200),
            ledger: Ledger::default(),
            repeated: 0,
            stats: Stats::default(),
            running: Running::Yes,
            player_seeds: 0,
            optimistic: None,
            choke_at: now,
            upkeep_at: now,
            tick_at: now,
            upload_at: None,
            sending_to: None,
            began_at: now,
            fed_at: now,
            starved_told: false,
            told_stopped: false,
            next_conn: 0,
            next_job: 0,
            out: VecDeque::new(),
        };
        if config.peers {
            swarm.announcer =
                Announcer::new(config.trackers, &swarm.wire_hashes(), swarm.rng.next_u32(), now);
        }
        if let Start::Content(content) = config.start {
            swarm.start(now, content);
        }
        swarm
    }

    /// Takes one input. Poll all outputs before the next.
    pub fn handle(&mut self, now: Time, input: Input) {
        self.watch.pass(now);
        match input {
            Input::Connected { conn } => self.on_connected(now, conn),
            Input::ConnectFailed { conn } => self.on_connect_failed(now, conn),
            Input::Incoming { conn, addr, handshake } => self.on_incoming(now, conn, addr, &handshake),
            Input::Handshake { conn, handshake } => self.on_handshake(now, conn, &handshake),
            Input::Message { conn, message } => self.on_message(now, conn, message),
            Input::Sent { conn, queued_bytes } => self.on_sent(now, conn, queued_bytes),
            Input::Disconnected { conn } => self.on_disconnected(now, conn),
            Input::Peers { source, addrs } => self.on_peers(now, source, &addrs),
            Input::BlockWritten { job, result } => self.on_block_written(now, job, result),
            Input::PieceHashed { piece, result } => self.on_piece_hashed(now, piece, result),
            Input::ReadFailed { conn, block, fault } => self.on_read_failed(now, conn, block, &fault),
            Input::Announced { tracker, hash, class, result } => {
                self.on_announced(now, tracker, hash, class, result);
            }
            Input::WebData { fetch, data } => self.on_web_data(now, fetch, data),
            Input::WebEnd { fetch } => self.on_web_end(now, fetch),
            Input::WebFailed { fetch, fault } => self.on_web_failed(now, fetch, fault),
            Input::Command(command) => self.on_command(now, command),
            Input::Reading(reading) => self.watch.set_reading(reading),
            Input::Tick => {}
        }
        self.tick(now);
    }

    /// The next thing for the driver to do.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    /// When to `handle` a `Tick` if nothing else comes before; `None` if never.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Time> {
        if self.running == Running::Stopping {
            return self.announcer.ends_at().filter(|_| !self.told_stopped);
        }
        Some(self.upload_at.map_or(self.tick_at, |at| at.min(self.tick_at)))
    }

    /// A snapshot.
    pub fn stats(&mut self, now: Time) -> Stats {
        let open = self.conns.values().filter(|s| s.phase == crate::session::Phase::Open);
        let (peers, seeds) = open.fold((0, 0), |(n, s), c| (n + 1, s + usize::from(c.pieces.is_complete())));
        let (wanted_bytes, done_bytes) = self.content.as_ref().map_or((0, 0), Active::progress);
        Stats {
            wanted_bytes,
            done_bytes,
            received: self.ledger,
            rate_down: self.meter_down.rate(now),
            rate_up: self.meter_up.rate(now),
            peers,
            seeds,
            web_fetches: self.web.running(),
            banned: self.banned_ids.len(),
            complete: self.is_complete(),
            ..self.stats.clone()
        }
    }

    /// Everything that happens by time alone.
    fn tick(&mut self, now: Time) {
        if self.running == Running::Stopping {
            if !self.told_stopped && self.announcer.is_done(now) {
                self.told_stopped = true;
                self.event(Event::Stopped);
            }
            return;
        }
        if self.upload_at.is_some_and(|at| at <= now) {
            self.upload_at = None;
            self.pump_uploads(now);
        }
        if now < self.tick_at {
            return;
        }
        self.check_requests(now);
        self.fill_all(now);
        self.pump_uploads(now);
        self.web_tick(now);
        if now >= self.upkeep_at {
            self.upkeep_at = now + IDLE_TICK;
            self.upkeep(now);
        }
        self.tick_at = now + if self.is_busy() { BUSY_TICK } else { IDLE_TICK };
    }

    /// About once a second.
    fn upkeep(&mut self, now: Time) {
        self.announce_due(now);
        self.connect_more(now);
        self.check_idle(now);
        self.gossip(now);
        self.ask_hashes(now);
        self.ask_metadata(now);
        self.check_starved(now);
        if now >= self.choke_at {
            self.choke_at = now + choker::ROUND;
            self.choke_round(now);
        } else {
            self.fill_slots(now);
        }
    }

    fn is_busy(&self) -> bool {
        self.web.running() > 0
            || self.conns.values().any(|s| !s.down.is_empty() || !s.up.is_empty() || s.can_ask())
    }

    fn is_complete(&self) -> bool {
        self.content.as_ref().is_some_and(|content| content.picker.is_complete())
    }

    fn check_starved(&mut self, now: Time) {
        let wants = self.content.is_none() || !self.is_complete();
        if !wants || self.running != Running::Yes {
            self.fed_at = now;
        }
        let since = now.since(self.fed_at);
        if since < Duration::from_secs(10) {
            self.starved_told = false;
        } else if !self.starved_told {
            self.starved_told = true;
            self.event(Event::Starved { since });
            self.announcer.hurry(now);
        }
    }

    fn event(&mut self, event: Event) {
        self.out.push_back(Output::Event(event));
    }

    fn send(&mut self, now: Time, conn: ConnId, message: Message) {
        if let Some(session) = self.conns.get_mut(&conn) {
            session.spoke_at = now;
            self.out.push_back(Output::Send { conn, message });
        }
    }

    fn new_job(&mut self) -> JobId {
        self.next_job += 1;
        JobId(self.next_job)
    }

    fn is_banned(&self, addr: SocketAddr, id: Option<PeerId>) -> bool {
        self.banned_ips.contains(&addr.ip()) || id.is_some_and(|id| self.banned_ids.contains(&id))
    }
}

/// Peers and web seeds in one numbering for the picker.
fn peer_source(conn: ConnId) -> SourceId {
    SourceId(conn.0)
}

const WEB_SOURCE: u64 = 1 << 62;

fn web_source(seed: WebSeedId) -> SourceId {
    SourceId(WEB_SOURCE | u64::from(seed.0))
}

enum Sender {
    Peer(ConnId),
    Web(WebSeedId),
}

fn sender_of(source: SourceId) -> Sender {
    let conn = ConnId(source.0);
    if !conn.is_incoming() && source.0 & WEB_SOURCE != 0 {
        Sender::Web(WebSeedId(source.0 as u32))
    } else {
        Sender::Peer(conn)
    }
}
