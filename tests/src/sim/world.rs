//! The event loop: a virtual clock, nodes, and what they do to each other.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap};
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{bail, ensure};
use bytes::Bytes;
use protocol::blockset::BlockSet;
use protocol::merkle;
use protocol::swarm::{
    ConnId, Content, Event, Input, JobId, Output, Rates, Role, Start, Stats, Swarm, SwarmConfig, SwarmLimits,
};
use protocol::tracker::{Registration, Table, TableLimits};
use protocol::units::{BlockRef, FileIndex, PeerId, Time};
use protocol::wire::Message;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};
use sha1::{Digest as _, Sha1};

use super::checks::{Progress, Requests};
use super::content::SimContent;
use super::network::{Flow, Frame, Line, Payload, size_of};
use super::report::Report;
use super::scenario::{Faults, Group, Scenario};
use super::trace::Trace;

pub(super) const DISK: Duration = Duration::from_micros(300);
const FAULT_EVERY: Duration = Duration::from_secs(1);

pub(super) enum Happening {
    Join(usize),
    Leave(usize),
    Timer(usize),
    LineFree(usize),
    Arrive(Frame),
    Delivered(Frame),
    Reached { from: usize, conn: ConnId, to: Option<usize> },
    Tell(usize, Input),
    WebAsked { from: usize, to: usize, fetch: JobId, file: FileIndex, range: std::ops::Range<u64> },
    Faults,
}

pub(super) struct Entry {
    at: Time,
    order: u64,
    what: Happening,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Entry) -> bool {
        self.cmp(other).is_eq()
    }
}
impl Eq for Entry {}
impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Entry) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Entry {
    fn cmp(&self, other: &Entry) -> std::cmp::Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Conduct {
    Honest,
    Lies,
    Stalls,
}

pub(super) struct Node {
    pub(super) swarm: Option<Swarm>,
    pub(super) config: Option<SwarmConfig>,
    pub(super) group: Group,
    pub(super) conduct: Conduct,
    pub(super) natted: bool,
    pub(super) addr: SocketAddr,
    pub(super) line: Line,
    /// Blocks on its disk; complete nodes need none.
    pub(super) disk: BTreeMap<u32, Bytes>,
    pub(super) links: BTreeMap<ConnId, (usize, ConnId)>,
    pub(super) timer_at: Time,
    /// What it would hear before this it hears then.
    pub(super) frozen_until: Time,
    pub(super) progress: Progress,
    pub(super) bans: Vec<SocketAddr>,
    pub(super) stats: Stats,
}

pub(super) struct World<'a> {
    pub(super) scenario: &'a Scenario,
    pub(super) content: SimContent,
    pub(super) now: Time,
    pub(super) order: u64,
    pub(super) queue: BinaryHeap<Reverse<Entry>>,
    pub(super) nodes: Vec<Node>,
    pub(super) tracker: Table,
    pub(super) rng: ChaCha8Rng,
    pub(super) trace: Trace,
    pub(super) requests: Requests,
    pub(super) next_incoming: u64,
    pub(super) waiting: usize,
    pub(super) wrong: Vec<String>,
}

/// Runs a scenario to its end.
///
/// # Errors
/// When a checker objects: a verified byte is wrong, somebody does not finish in time.
pub fn run(scenario: &Scenario) -> anyhow::Result<Report> {
    let content = SimContent::new(scenario.mode, &scenario.files, scenario.piece_len, scenario.seed)?;
    let mut world = World::new(scenario, content);
    world.populate();
    world.run_to_end()?;
    Ok(world.report())
}

impl<'a> World<'a> {
    fn new(scenario: &'a Scenario, content: SimContent) -> World<'a> {
        let mut tracker =
            Table::new(TableLimits { min_interval: Duration::from_secs(5), ..TableLimits::default() });
        tracker.register(Registration { v1: content.torrent.info_hash_v1, v2: content.torrent.info_hash_v2 });
        World {
            scenario,
            content,
            now: Time::ZERO,
            order: 0,
            queue: BinaryHeap::new(),
            nodes: Vec::new(),
            tracker,
            rng: ChaCha8Rng::seed_from_u64(scenario.seed),
            trace: Trace::default(),
            requests: Requests::default(),
            next_incoming: 0,
            waiting: 0,
            wrong: Vec::new(),
        }
    }

    fn populate(&mut self) {
        let faults = self.scenario.faults;
        let mut launcher = 0;
        for group in self.scenario.groups.clone() {
            for n in 0..group.count {
                let index = if group.seedbox { usize::MAX } else { launcher };
                launcher += usize::from(!group.seedbox);
                let (liars, stallers) = (faults.liars, faults.liars + faults.stallers);
                let conduct = match index {
                    i if i < liars => Conduct::Lies,
                    i if i < stallers => Conduct::Stalls,
                    _ => Conduct::Honest,
                };
                let slow = (stallers..stallers + faults.slow).contains(&index);
                let natted = index != usize::MAX && index % 7 < 4 && launcher <= faults.natted * 7 / 4;
                self.add_node(group, conduct, slow, natted);
                let wait = group.joining.mul_f64(n as f64 / group.count as f64);
                self.at(wait, Happening::Join(self.nodes.len() - 1));
            }
        }
        self.waiting =
            self.nodes.iter().filter(|n| !n.group.complete && n.conduct == Conduct::Honest).count();
        if faults.disconnect_per_second + faults.freeze_per_second > 0.0 {
            self.at(FAULT_EVERY, Happening::Faults);
        }
    }

    fn add_node(&mut self, group: Group, conduct: Conduct, slow: bool, natted: bool) {
        let n = self.nodes.len();
        let share = if slow { 10 } else { 1 };
        let line = Line::new(group.up / share, group.down / share);
        let prefix = if group.seedbox { PeerId::SEEDBOX_PREFIX } else { PeerId::LAUNCHER_PREFIX };
        let mut random = [0; 12];
        self.rng.fill_bytes(&mut random);
        let all = self.content.all_blocks();
        // Liars and stallers pretend to have everything.
        let full = group.complete || conduct != Conduct::Honest;
        let have = if full { all.clone() } else { BlockSet::new(all.len()) };
        let leaves = if self.scenario.leaves { self.content.leaves.clone() } else { HashMap::new() };
        let content = Content { torrent: self.content.torrent.clone(), have, wanted: all, leaves };
        let addr = SocketAddr::from(([20, (n >> 16) as u8, (n >> 8) as u8, n as u8], 6881));
        let config = SwarmConfig {
            start: Start::Content(content),
            peer_id: PeerId::new(prefix, random),
            role: if group.seedbox { Role::Seedbox } else { Role::Launcher },
            trackers: 1,
            web_seeds: u32::from(self.scenario.web && !full),
            peers: true,
            listen_port: Some(6881),
            rates: Rates { up: self.scenario.told_rates.then_some(line.up), down: None },
            limits: SwarmLimits { max_peers: self.scenario.max_peers, ..SwarmLimits::default() },
            rng_seed: self.rng.next_u64(),
        };
        self.nodes.push(Node {
            swarm: None,
            config: Some(config),
            group,
            conduct,
            natted,
            addr,
            line,
            disk: BTreeMap::new(),
            links: BTreeMap::new(),
            timer_at: Time::MAX,
            frozen_until: Time::ZERO,
            progress: Progress::default(),
            bans: Vec::new(),
            stats: Stats::default(),
        });
    }

    pub(super) fn at(&mut self, wait: Duration, what: Happening) {
        self.order += 1;
        self.queue.push(Reverse(Entry { at: self.now + wait, order: self.order, what }));
    }

    /// One way between two nodes; the same for a pair in both directions.
    pub(super) fn latency(&self, a: usize, b: usize) -> Duration {
        let (low, high) = (a.min(b) as u64, a.max(b) as u64);
        let spread = (low * 31 + high * 17) % 64;
        self.scenario.latency.mul_f64(0.25 + 0.75 * spread as f64 / 63.0)
    }

    fn run_to_end(&mut self) -> anyhow::Result<()> {
        let limit = Time::ZERO + self.scenario.time_limit;
        while self.waiting > 0 {
            let Some(Reverse(entry)) = self.queue.pop() else { bail!("nothing happens any more") };
            ensure!(entry.at <= limit, "{} launchers did not finish: {}", self.waiting, self.unfinished());
            self.now = entry.at;
            self.happen(entry.what);
            ensure!(self.wrong.is_empty(), "{:?}", self.wrong);
        }
        Ok(())
    }

    fn unfinished(&self) -> String {
        let late = self.nodes.iter().enumerate().filter(|(_, n)| {
            !n.group.complete && n.conduct == Conduct::Honest && n.progress.completed_at.is_none()
        });
        late.take(5)
            .map(|(i, n)| format!("#{i} last at {:?}, {} links", n.progress.last_at, n.links.len()))
            .collect::<Vec<_>>()
            .join("; ")
    }

    /// When the node that something happens to can hear of it, if that is later.
    fn frozen_until(&self, what: &Happening) -> Option<Time> {
        let node = match what {
            Happening::Timer(node) | Happening::Tell(node, _) => *node,
            Happening::Delivered(frame) => frame.to,
            Happening::Reached { from, .. } => *from,
            _ => return None,
        };
        self.nodes.get(node).map(|n| n.frozen_until).filter(|&until| until > self.now)
    }

    fn happen(&mut self, what: Happening) {
        if let Some(until) = self.frozen_until(&what) {
            if let Happening::Timer(node) = what {
                self.nodes[node].timer_at = until;
            }
            return self.at(until - self.now, what);
        }
        match what {
            Happening::Join(node) => self.join(node),
            Happening::Leave(node) => self.leave(node),
            Happening::Timer(node) => self.timer(node),
            Happening::LineFree(node) => self.line_free(node),
            Happening::Arrive(frame) => self.arrive(frame),
            Happening::Delivered(frame) => self.delivered(frame),
            Happening::Reached { from, conn, to } => self.reached(from, conn, to),
            Happening::Tell(node, input) => self.tell(node, input),
            Happening::WebAsked { from, to, fetch, file, range } => {
                self.web_asked(from, to, fetch, file, range);
            }
            Happening::Faults => self.faults(),
        }
    }

    fn join(&mut self, node: usize) {
        let now = self.now;
        let n = &mut self.nodes[node];
        n.progress.joined_at = Some(now);
        n.progress.last_at = now;
        n.swarm = n.config.take().map(|config| Swarm::new(config, now));
        self.tell(node, Input::Tick);
    }

    fn leave(&mut self, node: usize) {
        let links: Vec<ConnId> = self.nodes[node].links.keys().copied().collect();
        for conn in links {
            self.unlink(node, conn);
        }
        let now = self.now;
        let n = &mut self.nodes[node];
        if let Some(mut swarm) = n.swarm.take() {
            n.stats = swarm.stats(now);
        }
        n.line.clear();
    }

    fn timer(&mut self, node: usize) {
        if self.nodes[node].timer_at == self.now {
            self.nodes[node].timer_at = Time::MAX;
            self.tell(node, Input::Tick);
        }
    }

    /// Feeds a machine and does what it asks.
    fn tell(&mut self, node: usize, input: Input) {
        let now = self.now;
        let Some(swarm) = &mut self.nodes[node].swarm else { return };
        swarm.handle(now, input);
        while let Some(output) = self.nodes[node].swarm.as_mut().and_then(Swarm::poll_output) {
            self.perform(node, output);
        }
        let Some(at) = self.nodes[node].swarm.as_ref().and_then(Swarm::poll_timeout) else { return };
        let at = at.max(now + Duration::from_micros(1));
        if at < self.nodes[node].timer_at {
            self.nodes[node].timer_at = at;
            self.at(at - now, Happening::Timer(node));
        }
    }

    fn perform(&mut self, node: usize, output: Output) {
        match output {
            Output::Connect { conn, addr } => self.connect(node, conn, addr),
            Output::Close { conn, .. } => self.unlink(node, conn),
            Output::SendHandshake { conn, handshake } => {
                self.transmit(node, conn, 68, Payload::Handshake(handshake));
            }
            Output::Send { conn, message } => self.send(node, conn, message),
            Output::SendBlock { conn, block } => self.send_block(node, conn, block),
            Output::WriteBlock { job, block, data, leaf } => self.write(node, job, block, data, leaf),
            Output::HashBlock { job, block } => {
                let leaf = merkle::leaf(&self.stored(node, block));
                self.at(DISK, Happening::Tell(node, Input::BlockWritten { job, result: Ok(Some(leaf)) }));
            }
            Output::HashPieceV1 { piece, .. } => {
                let layout = &self.content.torrent.layout;
                let numbers: Vec<u32> = layout.piece_blocks(piece).collect();
                let blocks: Vec<BlockRef> = numbers.iter().filter_map(|&n| layout.block_ref(n)).collect();
                let pad = layout.piece_wire_len(piece) - layout.piece_data_len(piece);
                let mut hasher = Sha1::new();
                blocks.iter().for_each(|&block| hasher.update(self.stored(node, block)));
                hasher.update(vec![0; pad as usize]);
                let result = Ok(hasher.finalize().into());
                self.at(DISK, Happening::Tell(node, Input::PieceHashed { piece, result }));
            }
            Output::Announce { tracker, request } => self.announce(node, tracker, &request),
            Output::FetchRange { fetch, file, range, .. } => self.fetch(node, fetch, file, range),
            Output::CancelFetch { fetch } => {
                for n in &mut self.nodes {
                    n.line.drop_flow(Flow::Web(node, fetch));
                }
            }
            Output::Event(event) => self.event(node, event),
        }
    }

    fn connect(&mut self, node: usize, conn: ConnId, addr: SocketAddr) {
        let to = self.nodes.iter().position(|n| n.addr == addr && n.swarm.is_some() && !n.natted);
        let wait = to.map_or(Duration::from_secs(3), |to| self.latency(node, to) * 2);
        self.trace.note(self.now.0, node, 1, [conn.0, to.map_or(u64::MAX, |to| to as u64), 0]);
        self.at(wait, Happening::Reached { from: node, conn, to });
    }

    fn reached(&mut self, from: usize, conn: ConnId, to: Option<usize>) {
        let Some(to) = to.filter(|&to| self.nodes[to].swarm.is_some()) else {
            return self.tell(from, Input::ConnectFailed { conn });
        };
        if self.nodes[from].swarm.is_none() {
            return;
        }
        self.next_incoming += 1;
        let theirs = ConnId::incoming(self.next_incoming);
        self.nodes[from].links.insert(conn, (to, theirs));
        self.nodes[to].links.insert(theirs, (from, conn));
        self.tell(from, Input::Connected { conn });
    }

    /// Ends a connection from `node`'s side; the other hears of it after the latency.
    fn unlink(&mut self, node: usize, conn: ConnId) {
        self.requests.disconnected(node, conn);
        self.nodes[node].line.drop_flow(Flow::Conn(conn));
        let Some((peer, theirs)) = self.nodes[node].links.remove(&conn) else { return };
        self.trace.note(self.now.0, node, 2, [conn.0, peer as u64, 0]);
        self.nodes[peer].links.remove(&theirs);
        self.nodes[peer].line.drop_flow(Flow::Conn(theirs));
        self.requests.disconnected(peer, theirs);
        let wait = self.latency(node, peer);
        self.at(wait, Happening::Tell(peer, Input::Disconnected { conn: theirs }));
    }

    fn send(&mut self, node: usize, conn: ConnId, message: Message) {
        if let Message::Request(block) = message
            && self.nodes[node].links.contains_key(&conn)
        {
            self.requests.sent(node, conn, block, self.now);
        }
        let size = size_of(&message);
        self.transmit(node, conn, size, Payload::Message(message));
    }

    fn send_block(&mut self, node: usize, conn: ConnId, block: BlockRef) {
        let n = &self.nodes[node];
        let data = match n.conduct {
            Conduct::Stalls => return,
            Conduct::Honest if n.group.complete => self.content.block(block),
            Conduct::Honest => self.stored(node, block),
            Conduct::Lies => {
                let mut data = self.content.block(block).to_vec();
                if let Some(byte) = data.first_mut() {
                    *byte ^= 1;
                }
                data.into()
            }
        };
        self.send(node, conn, Message::Piece { piece: block.piece, offset: block.offset, data });
    }

    fn transmit(&mut self, node: usize, conn: ConnId, size: u64, payload: Payload) {
        let Some(&(to, theirs)) = self.nodes[node].links.get(&conn) else { return };
        let frame = Frame { to, flow: Flow::Conn(theirs), size, payload };
        self.nodes[node].line.push(Flow::Conn(conn), frame);
        self.begin(node);
    }

    pub(super) fn begin(&mut self, node: usize) {
        if let Some(takes) = self.nodes[node].line.begin() {
            self.at(takes, Happening::LineFree(node));
        }
    }

    fn line_free(&mut self, node: usize) {
        let Some((flow, frames)) = self.nodes[node].line.left() else { return };
        let mut block = false;
        for frame in frames {
            block |= matches!(frame.payload, Payload::Message(Message::Piece { .. }));
            let wait = self.latency(node, frame.to);
            self.at(wait, Happening::Arrive(frame));
        }
        self.begin(node);
        if let (Flow::Conn(conn), true) = (flow, block) {
            let queued_bytes = self.nodes[node].line.queued(flow);
            self.happen(Happening::Tell(node, Input::Sent { conn, queued_bytes }));
        }
    }

    fn arrive(&mut self, frame: Frame) {
        let at = self.nodes[frame.to].line.receive(self.now, frame.size);
        self.at(at - self.now, Happening::Delivered(frame));
    }

    fn delivered(&mut self, frame: Frame) {
        let (node, size) = (frame.to, frame.size);
        match (frame.flow, frame.payload) {
            (Flow::Conn(conn), payload) => {
                let Some(&(peer, _)) = self.nodes[node].links.get(&conn) else { return };
                self.trace.note(self.now.0, node, 3, [conn.0, size, peer as u64]);
                match payload {
                    Payload::Handshake(handshake) if conn.is_incoming() => {
                        let addr = SocketAddr::new(self.nodes[peer].addr.ip(), 40_000);
                        self.tell(node, Input::Incoming { conn, addr, handshake });
                    }
                    Payload::Handshake(handshake) => self.tell(node, Input::Handshake { conn, handshake }),
                    Payload::Message(message) => self.message(node, conn, message),
                    Payload::Web { .. } => {}
                }
            }
            (Flow::Web(_, fetch), Payload::Web { data, last }) => {
                self.trace.note(self.now.0, node, 4, [fetch.0, size, 0]);
                self.tell(node, Input::WebData { fetch, data });
                if last {
                    self.tell(node, Input::WebEnd { fetch });
                }
            }
            (Flow::Web(..), _) => {}
        }
    }

    fn message(&mut self, node: usize, conn: ConnId, message: Message) {
        match &message {
            Message::Piece { piece, offset, data } => {
                let block = BlockRef { piece: *piece, offset: *offset, len: data.len() as u32 };
                self.requests.ended(node, conn, block, false);
            }
            Message::RejectRequest(block) => self.requests.ended(node, conn, *block, true),
            _ => {}
        }
        self.tell(node, Input::Message { conn, message });
    }

    fn faults(&mut self) {
        let faults = self.scenario.faults;
        self.break_links(faults.disconnect_per_second);
        for node in 0..self.nodes.len() {
            if faults.freeze_per_second > 0.0 && self.chance() < faults.freeze_per_second {
                let until = self.now + Faults::LONGEST_FREEZE.mul_f64(self.chance());
                self.nodes[node].frozen_until = until.max(self.nodes[node].frozen_until);
            }
        }
        self.at(FAULT_EVERY, Happening::Faults);
    }

    /// At least 0, less than 1.
    fn chance(&mut self) -> f64 {
        (self.rng.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    fn break_links(&mut self, per_second: f64) {
        let mut links = Vec::new();
        for (node, n) in self.nodes.iter().enumerate() {
            links.extend(n.links.keys().filter(|conn| !conn.is_incoming()).map(|&conn| (node, conn)));
        }
        for (node, conn) in links {
            if self.chance() < per_second {
                self.unlink(node, conn);
                self.tell(node, Input::Disconnected { conn });
            }
        }
    }

    fn event(&mut self, node: usize, event: Event) {
        match event {
            Event::BlocksVerified(range) => {
                self.trace.note(self.now.0, node, 5, [u64::from(range.start), u64::from(range.end), 0]);
                self.nodes[node].progress.made(self.now);
                for number in range {
                    let block = self.content.torrent.layout.block_ref(number);
                    let right = block.is_some_and(|b| self.stored(node, b) == self.content.block(b));
                    if !right {
                        self.wrong.push(format!("node {node} took block {number} for verified"));
                    }
                }
            }
            Event::Completed => self.completed(node),
            Event::PeerBanned(addr) => self.nodes[node].bans.push(addr),
            Event::WebSeedDropped { reason, .. } => self.wrong.push(format!("web seed dropped: {reason}")),
            Event::StorageFailed(fault) => self.wrong.push(fault.to_string()),
            _ => {}
        }
    }

    fn completed(&mut self, node: usize) {
        let n = &mut self.nodes[node];
        if n.group.complete || n.conduct != Conduct::Honest || n.progress.completed_at.is_some() {
            return;
        }
        n.progress.completed_at = Some(self.now);
        self.waiting -= 1;
        if n.disk.len() != self.content.all_blocks().count() as usize {
            self.wrong.push(format!("node {node} is complete with {} blocks", n.disk.len()));
        }
        if let Some(linger) = n.group.linger {
            self.at(linger, Happening::Leave(node));
        }
    }
}
