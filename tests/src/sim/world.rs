//! The event loop: a virtual clock, nodes, and what they do to each other.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use anyhow::{bail, ensure};
use bytes::Bytes;
use protocol::blockset::BlockSet;
use protocol::merkle;
use protocol::swarm::{
    AddrClass, ConnId, Content, Event, Input, JobId, Ledger, Output, Rates, Role, Start, Stats, Swarm,
    SwarmConfig, SwarmLimits, TrackerId, WebFault,
};
use protocol::tracker::{AnnounceRequest, Registration, Table, TableLimits, TrackerFault};
use protocol::units::{BlockRef, FileIndex, PeerId, Root, Time};
use protocol::wire::Message;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};
use sha1::{Digest as _, Sha1};

use super::checks::{Progress, Requests};
use super::content::SimContent;
use super::network::{Flow, Frame, Line, Payload, size_of};
use super::scenario::{Group, Scenario};
use super::trace::Trace;

const DISK: Duration = Duration::from_micros(300);
const FAULT_EVERY: Duration = Duration::from_secs(1);
const WEB_CHUNK: usize = 64 * 1024;

enum Happening {
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

struct Entry {
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
enum Conduct {
    Honest,
    Lies,
    Stalls,
}

struct Node {
    swarm: Option<Swarm>,
    config: Option<SwarmConfig>,
    group: Group,
    conduct: Conduct,
    natted: bool,
    addr: SocketAddr,
    line: Line,
    /// Blocks on its disk; complete nodes need none.
    disk: BTreeMap<u32, Bytes>,
    links: BTreeMap<ConnId, (usize, ConnId)>,
    timer_at: Time,
    progress: Progress,
    bans: Vec<SocketAddr>,
    stats: Stats,
}

struct World<'a> {
    scenario: &'a Scenario,
    content: SimContent,
    now: Time,
    order: u64,
    queue: BinaryHeap<Reverse<Entry>>,
    nodes: Vec<Node>,
    tracker: Table,
    rng: ChaCha8Rng,
    trace: Trace,
    requests: Requests,
    next_incoming: u64,
    waiting: usize,
    wrong: Vec<String>,
}

/// How a node fared.
#[derive(Clone, Debug)]
pub struct NodeReport {
    /// Whether it is a launcher that plays by the rules.
    pub honest_launcher: bool,
    /// Whether it had everything from the start.
    pub began_complete: bool,
    /// Seconds from joining to having everything.
    pub seconds: Option<f64>,
    /// The longest it waited for the next verified block.
    pub longest_wait: Duration,
    /// Bytes received, by source.
    pub received: Ledger,
    /// Bytes received in vain.
    pub wasted: u64,
    /// Bytes of blocks it sent to peers.
    pub sent: u64,
    /// Bytes it sent as a web seed.
    pub sent_web: u64,
    /// Peers it banned that were honest.
    pub wrongly_banned: usize,
}

/// How a run ended.
#[derive(Clone, Debug)]
pub struct Report {
    /// The scenario's seed.
    pub seed: u64,
    /// Hash over all that happened.
    pub trace: String,
    /// How much happened.
    pub events: u64,
    /// Virtual seconds until the last honest launcher had everything.
    pub seconds: f64,
    /// That, relative to [`Scenario::bound_secs`].
    pub over_bound: f64,
    /// Copies of the content that left the seedboxes, as peers and by web.
    pub copies: f64,
    /// 1 − origin bytes ÷ bytes delivered to honest launchers.
    pub offload: f64,
    /// Requests that were never answered.
    pub requests_lost: usize,
    /// Requests sent, served and rejected.
    pub requests: (u64, u64, u64),
    /// Everyone.
    pub nodes: Vec<NodeReport>,
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
        if faults.disconnect_per_second > 0.0 {
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
            progress: Progress::default(),
            bans: Vec::new(),
            stats: Stats::default(),
        });
    }

    fn at(&mut self, wait: Duration, what: Happening) {
        self.order += 1;
        self.queue.push(Reverse(Entry { at: self.now + wait, order: self.order, what }));
    }

    /// One way between two nodes; the same for a pair in both directions.
    fn latency(&self, a: usize, b: usize) -> Duration {
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

    fn happen(&mut self, what: Happening) {
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
            Happening::Faults => self.break_links(),
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

    fn begin(&mut self, node: usize) {
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
            self.tell(node, Input::Sent { conn, queued_bytes });
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

    fn write(&mut self, node: usize, job: JobId, block: BlockRef, data: Bytes, leaf: bool) {
        let leaf: Option<Root> = leaf.then(|| merkle::leaf(&data));
        if let Some(number) = self.content.torrent.layout.block_number(block) {
            self.nodes[node].disk.insert(number, data);
        }
        self.at(DISK, Happening::Tell(node, Input::BlockWritten { job, result: Ok(leaf) }));
    }

    fn stored(&self, node: usize, block: BlockRef) -> Bytes {
        if self.nodes[node].group.complete {
            return self.content.block(block);
        }
        let number = self.content.torrent.layout.block_number(block);
        number.and_then(|n| self.nodes[node].disk.get(&n)).cloned().unwrap_or_default()
    }

    fn announce(&mut self, node: usize, tracker: TrackerId, request: &AnnounceRequest) {
        let ip: IpAddr = self.nodes[node].addr.ip();
        let random = self.rng.next_u64();
        let answer = self.tracker.announce(self.now, ip, request, random);
        let result = answer.map_err(|_| TrackerFault::Refused("not tracked".to_owned()));
        let input = Input::Announced { tracker, hash: request.info_hash, class: AddrClass::Public, result };
        let wait = self.scenario.latency * 2;
        self.at(wait, Happening::Tell(node, input));
    }

    fn fetch(&mut self, node: usize, fetch: JobId, file: FileIndex, range: std::ops::Range<u64>) {
        let Some(to) = self.nodes.iter().position(|n| n.group.seedbox) else {
            let fault = WebFault::Unreachable("no seedbox".to_owned());
            return self.at(DISK, Happening::Tell(node, Input::WebFailed { fetch, fault }));
        };
        let wait = self.latency(node, to);
        self.at(wait, Happening::WebAsked { from: node, to, fetch, file, range });
    }

    fn web_asked(
        &mut self,
        from: usize,
        to: usize,
        fetch: JobId,
        file: FileIndex,
        range: std::ops::Range<u64>,
    ) {
        let start = self.content.torrent.layout.file_range(file).start;
        let (mut at, end) = ((start + range.start) as usize, (start + range.end) as usize);
        while at < end {
            let next = (at + WEB_CHUNK).min(end);
            let data = self.content.bytes.slice(at..next);
            let flow = Flow::Web(from, fetch);
            let payload = Payload::Web { data, last: next == end };
            self.nodes[to].line.push(flow, Frame { to: from, flow, size: (next - at) as u64, payload });
            at = next;
        }
        self.begin(to);
    }

    fn break_links(&mut self) {
        let mut links = Vec::new();
        for (node, n) in self.nodes.iter().enumerate() {
            links.extend(n.links.keys().filter(|conn| !conn.is_incoming()).map(|&conn| (node, conn)));
        }
        for (node, conn) in links {
            let chance = (self.rng.next_u64() >> 11) as f64 / (1u64 << 53) as f64;
            if chance < self.scenario.faults.disconnect_per_second {
                self.unlink(node, conn);
                self.tell(node, Input::Disconnected { conn });
            }
        }
        self.at(FAULT_EVERY, Happening::Faults);
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

    fn report(mut self) -> Report {
        let honest = |n: &Node| n.conduct == Conduct::Honest;
        let requests_lost = self.requests.lost(self.now, |node, conn| {
            let peer = self.nodes[node].links.get(&conn).map(|(peer, _)| &self.nodes[*peer]);
            peer.is_some_and(|peer| honest(peer) && peer.swarm.is_some())
        });
        let by_ip: BTreeMap<IpAddr, bool> = self.nodes.iter().map(|n| (n.addr.ip(), honest(n))).collect();
        let now = self.now;
        let mut nodes = Vec::new();
        for n in &mut self.nodes {
            let stats = n.swarm.as_mut().map_or_else(|| n.stats.clone(), |swarm| swarm.stats(now));
            let took = |done: Time| n.progress.joined_at.map(|joined| done.since(joined).as_secs_f64());
            nodes.push(NodeReport {
                honest_launcher: !n.group.complete && n.conduct == Conduct::Honest,
                began_complete: n.group.complete,
                seconds: n.progress.completed_at.and_then(took),
                longest_wait: n.progress.longest_gap,
                received: stats.received,
                wasted: stats.wasted_bytes,
                sent: n.line.sent_blocks,
                sent_web: n.line.sent_web,
                wrongly_banned: n.bans.iter().filter(|a| by_ip.get(&a.ip()) == Some(&true)).count(),
            });
        }
        let origin: u64 =
            self.nodes.iter().filter(|n| n.group.seedbox).map(|n| n.line.sent_blocks + n.line.sent_web).sum();
        let launchers = nodes.iter().filter(|n| n.honest_launcher).count() as f64;
        let len = self.content.torrent.layout.data_len as f64;
        let seconds = nodes.iter().filter_map(|n| n.seconds).fold(0.0, f64::max);
        let bound = self.scenario.bound_secs();
        Report {
            seed: self.scenario.seed,
            events: self.trace.events,
            trace: std::mem::take(&mut self.trace).finish(),
            seconds,
            over_bound: seconds / bound,
            copies: origin as f64 / len,
            offload: 1.0 - origin as f64 / (len * launchers),
            requests_lost,
            requests: (self.requests.asked, self.requests.answered, self.requests.rejected),
            nodes,
        }
    }
}
