//! Whole machines against each other, without time passing on the way: the simulator in `tests` has the rest.

mod patience;
mod web;

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use sha1::{Digest as _, Sha1};

use super::*;
use crate::blockset::BlockSet;
use crate::merkle::{self, FileHasher};
use crate::metainfo::{Mode, NewFile, Torrent, TorrentBuilder, V1Hasher};
use crate::units::{FileIndex, PieceIndex};
use crate::wire::Handshake;

const PIECE_LEN: u32 = 64 * 1024;

/// A torrent and its bytes in address space.
struct Fixture {
    torrent: Arc<Torrent>,
    bytes: Vec<u8>,
    leaves: HashMap<FileIndex, Arc<[crate::units::Root]>>,
}

fn fixture(mode: Mode, lens: &[usize]) -> Fixture {
    let files: Vec<Vec<u8>> = lens
        .iter()
        .enumerate()
        .map(|(n, &len)| (0..len).map(|i| (i * 7 + i / 251 + n * 31) as u8).collect())
        .collect();
    let mut leaves = HashMap::new();
    let new_files: Vec<NewFile> = files
        .iter()
        .enumerate()
        .map(|(n, data)| {
            let mut hasher = FileHasher::new();
            hasher.update(data);
            let hashes = hasher.finish();
            leaves.insert(FileIndex(n as u32), hashes.leaves.clone().into());
            let layer = hashes.piece_layer(PIECE_LEN);
            NewFile {
                path: vec![format!("file{n}")],
                len: data.len() as u64,
                root: hashes.root,
                piece_layer: layer,
                ..NewFile::default()
            }
        })
        .collect();
    let mut builder = TorrentBuilder::folder("game", mode, PIECE_LEN, new_files);
    let layout = builder.layout().unwrap();
    let mut bytes = vec![0; layout.total_len as usize];
    for (entry, data) in layout.files.iter().zip(&files) {
        bytes[entry.offset as usize..][..data.len()].copy_from_slice(data);
    }
    if mode != Mode::V2 {
        let mut hasher = V1Hasher::new(&layout);
        files.iter().for_each(|data| hasher.update(data));
        builder = builder.pieces_v1(hasher.finish().unwrap());
    }
    Fixture { torrent: Arc::new(builder.build().unwrap().torrent), bytes, leaves }
}

impl Fixture {
    fn everything(&self) -> BlockSet {
        let layout = &self.torrent.layout;
        let mut all = BlockSet::new(layout.block_count());
        (0..layout.piece_count()).for_each(|p| all.insert_range(layout.piece_blocks(PieceIndex(p))));
        all
    }

    fn start(&self, have: bool) -> Start {
        let all = self.everything();
        let have = if have { all.clone() } else { BlockSet::new(all.len()) };
        Start::Content(Content { torrent: self.torrent.clone(), have, wanted: all, leaves: HashMap::new() })
    }

    fn at(&self, block: BlockRef) -> usize {
        (self.torrent.layout.piece_offset(block.piece) + u64::from(block.offset)) as usize
    }
}

/// Machines joined by a wire without delay; a disk and a web server each, that answer at once.
struct World<'a> {
    fixture: &'a Fixture,
    now: Time,
    nodes: Vec<Node>,
    next_incoming: u64,
}

struct Node {
    swarm: Swarm,
    disk: Vec<u8>,
    links: HashMap<ConnId, (usize, ConnId)>,
    events: Vec<Event>,
    /// Flips a bit in every block it sends.
    lies: bool,
    /// Bytes of `Request` messages and fetches it sent.
    asked: Vec<BlockRef>,
    fetched: u64,
}

fn config(start: Start, n: u8) -> SwarmConfig {
    let prefix = if n == 0 { PeerId::SEEDBOX_PREFIX } else { PeerId::LAUNCHER_PREFIX };
    SwarmConfig {
        start,
        peer_id: PeerId::new(prefix, [n; 12]),
        role: if n == 0 { Role::Seedbox } else { Role::Launcher },
        trackers: 0,
        web_seeds: 0,
        peers: true,
        listen_port: Some(1000 + u16::from(n)),
        rates: Rates::default(),
        limits: SwarmLimits::default(),
        rng_seed: u64::from(n),
    }
}

fn addr(n: usize) -> SocketAddr {
    SocketAddr::from(([9, 0, 0, n as u8], 1000 + n as u16))
}

impl<'a> World<'a> {
    fn new(fixture: &'a Fixture, configs: Vec<SwarmConfig>) -> World<'a> {
        let nodes = configs.into_iter().map(|config| {
            let full = matches!(&config.start, Start::Content(c) if c.have.contains(&c.wanted));
            let disk = if full { fixture.bytes.clone() } else { vec![0; fixture.bytes.len()] };
            Node {
                swarm: Swarm::new(config, Time::ZERO),
                disk,
                links: HashMap::new(),
                events: Vec::new(),
                lies: false,
                asked: Vec::new(),
                fetched: 0,
            }
        });
        World { fixture, now: Time::ZERO, nodes: nodes.collect(), next_incoming: 0 }
    }

    fn tell(&mut self, node: usize, input: Input) {
        self.nodes[node].swarm.handle(self.now, input);
        while let Some(output) = self.nodes[node].swarm.poll_output() {
            self.perform(node, output);
        }
    }

    fn run(&mut self, secs: u64) {
        let end = self.now + Duration::from_secs(secs);
        while self.now < end {
            self.now += Duration::from_millis(50);
            for node in 0..self.nodes.len() {
                self.tell(node, Input::Tick);
            }
        }
    }

    fn perform(&mut self, node: usize, output: Output) {
        match output {
            Output::Connect { conn, addr: to } => {
                self.next_incoming += 1;
                let (peer, theirs) = (usize::from(to.port()) - 1000, ConnId::incoming(self.next_incoming));
                self.nodes[node].links.insert(conn, (peer, theirs));
                self.nodes[peer].links.insert(theirs, (node, conn));
                self.tell(node, Input::Connected { conn });
            }
            Output::SendHandshake { conn, handshake } => self.deliver_handshake(node, conn, handshake),
            Output::Send { conn, message } => {
                if let Message::Request(block) = message {
                    self.nodes[node].asked.push(block);
                }
                self.deliver(node, conn, message);
            }
            Output::SendBlock { conn, block } => {
                let at = self.fixture.at(block);
                let mut data = self.nodes[node].disk[at..at + block.len as usize].to_vec();
                data[0] ^= u8::from(self.nodes[node].lies);
                self.tell(node, Input::Sent { conn, queued_bytes: 0 });
                let message = Message::Piece { piece: block.piece, offset: block.offset, data: data.into() };
                self.deliver(node, conn, message);
            }
            Output::Close { conn, .. } => {
                if let Some((peer, theirs)) = self.nodes[node].links.remove(&conn) {
                    self.nodes[peer].links.remove(&theirs);
                    self.tell(peer, Input::Disconnected { conn: theirs });
                }
            }
            Output::WriteBlock { job, block, data, leaf } => {
                let at = self.fixture.at(block);
                self.nodes[node].disk[at..at + data.len()].copy_from_slice(&data);
                let result = Ok(leaf.then(|| merkle::leaf(&data)));
                self.tell(node, Input::BlockWritten { job, result });
            }
            Output::HashBlock { job, block } => {
                let at = self.fixture.at(block);
                let leaf = merkle::leaf(&self.nodes[node].disk[at..at + block.len as usize]);
                self.tell(node, Input::BlockWritten { job, result: Ok(Some(leaf)) });
            }
            Output::HashPieceV1 { piece, .. } => {
                let layout = &self.fixture.torrent.layout;
                let at = layout.piece_offset(piece) as usize;
                let end = at + layout.piece_wire_len(piece) as usize;
                let hash = Sha1::digest(&self.nodes[node].disk[at..end]).into();
                self.tell(node, Input::PieceHashed { piece, result: Ok(hash) });
            }
            Output::FetchRange { fetch, file, range, .. } => {
                let at = self.fixture.torrent.layout.file_range(file).start;
                let (from, to) = ((at + range.start) as usize, (at + range.end) as usize);
                let mut data = self.fixture.bytes[from..to].to_vec();
                data[0] ^= u8::from(self.nodes[node].lies);
                self.nodes[node].fetched += data.len() as u64;
                for chunk in data.chunks(10_000) {
                    self.tell(node, Input::WebData { fetch, data: Bytes::copy_from_slice(chunk) });
                }
                self.tell(node, Input::WebEnd { fetch });
            }
            Output::Event(event) => self.nodes[node].events.push(event),
            Output::Announce { .. } | Output::CancelFetch { .. } => {}
        }
    }

    fn deliver_handshake(&mut self, node: usize, conn: ConnId, handshake: Handshake) {
        let Some(&(peer, theirs)) = self.nodes[node].links.get(&conn) else { return };
        let input = if theirs.is_incoming() {
            Input::Incoming { conn: theirs, addr: addr(node), handshake }
        } else {
            Input::Handshake { conn: theirs, handshake }
        };
        self.tell(peer, input);
    }

    fn deliver(&mut self, node: usize, conn: ConnId, message: Message) {
        if let Some(&(peer, conn)) = self.nodes[node].links.get(&conn) {
            self.tell(peer, Input::Message { conn, message });
        }
    }

    fn meet(&mut self, node: usize, others: &[usize]) {
        let addrs = others.iter().map(|&n| addr(n)).collect();
        self.tell(node, Input::Peers { source: PeerSource::Added, addrs });
    }

    fn completed(&self, node: usize) -> usize {
        self.nodes[node].events.iter().filter(|e| matches!(e, Event::Completed)).count()
    }

    fn assert_whole(&self, node: usize) {
        assert_eq!(self.completed(node), 1, "{:?}", self.nodes[node].events);
        assert!(self.nodes[node].disk == self.fixture.bytes);
    }
}

const TREE: [usize; 5] = [1, 65_536, 0, 200_001, 16_384];

#[test]
fn two_machines_exchange_every_kind_of_torrent() {
    for mode in [Mode::V1, Mode::V2, Mode::Hybrid] {
        let fixture = fixture(mode, &TREE);
        let mut world =
            World::new(&fixture, vec![config(fixture.start(true), 0), config(fixture.start(false), 1)]);
        world.meet(1, &[0]);
        world.run(3);
        world.assert_whole(1);
        let stats = world.nodes[1].swarm.stats(world.now);
        assert_eq!(
            (stats.received.origin, stats.wasted_bytes),
            (fixture.torrent.layout.data_len, 0),
            "{mode:?}"
        );
        let pieces = world.nodes[1].events.iter().filter(|e| matches!(e, Event::PieceVerified(_))).count();
        assert_eq!(pieces, fixture.torrent.layout.piece_count() as usize);
    }
}

#[test]
fn a_web_seed_alone_is_enough() {
    for mode in [Mode::V1, Mode::V2, Mode::Hybrid] {
        let fixture = fixture(mode, &TREE);
        let lone = SwarmConfig { web_seeds: 1, peers: false, ..config(fixture.start(false), 1) };
        let mut world = World::new(&fixture, vec![lone]);
        world.run(3);
        world.assert_whole(0);
        assert_eq!(world.nodes[0].fetched, fixture.torrent.layout.data_len, "{mode:?}");
    }
}

#[test]
fn one_damaged_block_costs_one_block() {
    for web in [false, true] {
        let fixture = fixture(Mode::Hybrid, &[400_000, 70_000]);
        let mut have = fixture.everything();
        have.unset(9);
        let wanted = fixture.everything();
        let leaves = fixture.leaves.clone();
        let start = Start::Content(Content { torrent: fixture.torrent.clone(), have, wanted, leaves });
        let healing = SwarmConfig { web_seeds: u32::from(web), peers: !web, ..config(start, 1) };
        let mut world = World::new(&fixture, vec![config(fixture.start(true), 0), healing]);
        world.nodes[1].disk.copy_from_slice(&fixture.bytes);
        let at = 9 * 16_384;
        world.nodes[1].disk[at] ^= 1;
        world.meet(1, &[0]);
        world.run(3);
        world.assert_whole(1);
        assert_eq!(world.nodes[1].swarm.stats(world.now).received.total(), 16_384, "web: {web}");
    }
}

#[test]
fn a_piece_that_is_half_there_is_completed() {
    for mode in [Mode::V1, Mode::V2] {
        let fixture = fixture(mode, &[130_000]);
        let mut have = fixture.everything();
        have.remove_range(1..3);
        let wanted = fixture.everything();
        let content = Content { torrent: fixture.torrent.clone(), have, wanted, leaves: HashMap::new() };
        let mut world =
            World::new(&fixture, vec![config(fixture.start(true), 0), config(Start::Content(content), 1)]);
        world.nodes[1].disk.copy_from_slice(&fixture.bytes);
        world.nodes[1].disk[16_384..49_152].fill(0);
        world.meet(1, &[0]);
        world.run(3);
        world.assert_whole(1);
        assert_eq!(world.nodes[1].swarm.stats(world.now).received.total(), 32_768, "{mode:?}");
    }
}

#[test]
fn liars_are_found_and_the_rest_goes_on() {
    for (mode, leaves) in [(Mode::V1, false), (Mode::V2, false), (Mode::Hybrid, true)] {
        let fixture = fixture(mode, &[500_000, 100_000]);
        let mut content = fixture.start(false);
        if let (Start::Content(content), true) = (&mut content, leaves) {
            content.leaves = fixture.leaves.clone();
        }
        let mut configs: Vec<_> = (0..4u8).map(|n| config(fixture.start(true), n + 1)).collect();
        configs.push(config(content, 9));
        let mut world = World::new(&fixture, configs);
        world.nodes[1].lies = true;
        world.nodes[2].lies = true;
        // Slow windows make every piece the work of several.
        world.meet(4, &[0, 1, 2, 3]);
        world.run(40);
        world.assert_whole(4);
        let banned: Vec<_> = world.nodes[4]
            .events
            .iter()
            .filter_map(|e| if let Event::PeerBanned(addr) = e { Some(*addr) } else { None })
            .collect();
        assert!(banned.iter().all(|a| [addr(1), addr(2)].contains(a)), "{mode:?}: {banned:?}");
        assert!(!banned.is_empty(), "{mode:?}");
    }
}

#[test]
fn a_web_seed_that_lies_is_dropped() {
    let fixture = fixture(Mode::Hybrid, &[500_000]);
    let both = SwarmConfig { web_seeds: 1, ..config(fixture.start(false), 1) };
    let mut world = World::new(&fixture, vec![config(fixture.start(true), 0), both]);
    world.nodes[1].lies = true;
    world.run(1);
    world.meet(1, &[0]);
    world.run(5);
    world.assert_whole(1);
    assert!(world.nodes[1].events.iter().any(|e| matches!(e, Event::WebSeedDropped { .. })));
}

#[test]
fn a_magnet_link_becomes_a_torrent() {
    for mode in [Mode::V1, Mode::V2, Mode::Hybrid] {
        let fixture = fixture(mode, &[300_000, 700_000, 5]);
        let (v1, v2) = (fixture.torrent.info_hash_v1, fixture.torrent.info_hash_v2);
        let magnet = config(Start::Magnet { v1, v2 }, 1);
        let mut world = World::new(&fixture, vec![config(fixture.start(true), 0), magnet]);
        world.meet(1, &[0]);
        world.run(2);
        let info = world.nodes[1].events.iter().find_map(|e| match e {
            Event::Metadata(info) => Some(info.clone()),
            _ => None,
        });
        let torrent = Arc::new(Torrent::from_info(&info.unwrap()).unwrap());
        let blocks = torrent.layout.block_count();
        let (have, wanted) = (BlockSet::new(blocks), fixture.everything());
        let content = Content { torrent, have, wanted, leaves: HashMap::new() };
        world.tell(1, Input::Command(Command::Start(Box::new(content))));
        world.run(5);
        world.assert_whole(1);
    }
}

#[test]
fn a_withdrawn_file_is_rejected_and_comes_back() {
    let fixture = fixture(Mode::Hybrid, &[100_000, 200_000]);
    let mut world =
        World::new(&fixture, vec![config(fixture.start(true), 0), config(fixture.start(false), 1)]);
    world.tell(0, Input::Command(Command::Withdraw(FileIndex(1))));
    world.meet(1, &[0]);
    world.run(3);
    assert_eq!(world.completed(1), 0);
    let done = world.nodes[1].swarm.stats(world.now).done_bytes;
    assert!((100_000..120_000).contains(&done), "{done}");
    let have = fixture.everything();
    world.tell(0, Input::Command(Command::Restore { file: FileIndex(1), have, leaves: None }));
    world.run(3);
    world.assert_whole(1);
}

#[test]
fn the_v2_bit_stands_only_beside_the_v1_hash_of_a_hybrid() {
    use crate::wire::Reserved;
    for (mode, as_v2, bit, answer_v2) in [
        (Mode::V1, false, false, false),
        (Mode::V2, true, false, true),
        (Mode::Hybrid, false, true, true),
        (Mode::Hybrid, true, false, true),
    ] {
        let fixture = fixture(mode, &[1000]);
        let mut swarm = Swarm::new(config(fixture.start(true), 0), Time::ZERO);
        let v2_hash = fixture.torrent.info_hash_v2.map(|v2| v2.truncated());
        let v1_hash = fixture.torrent.info_hash_v1.map(|v1| v1.wire());
        let hash = if as_v2 { v2_hash } else { v1_hash }.unwrap();
        let features: &[Reserved] = if bit { &[Reserved::UpgradeToV2] } else { &[] };
        let handshake = Handshake::new(hash, PeerId([7; 20]), features);
        let input = Input::Incoming { conn: ConnId::incoming(1), addr: addr(7), handshake };
        swarm.handle(Time::ZERO, input);
        let answer = std::iter::from_fn(|| swarm.poll_output()).find_map(|o| match o {
            Output::SendHandshake { handshake, .. } => Some(handshake),
            _ => None,
        });
        let answer = answer.unwrap();
        assert_eq!(answer.hash, if answer_v2 { v2_hash.unwrap() } else { hash }, "{mode:?}");
        let stands = answer.has(Reserved::UpgradeToV2);
        assert_eq!(stands, mode == Mode::Hybrid && Some(answer.hash) == v1_hash);
    }
}

#[test]
fn every_request_gets_its_piece_or_a_reject() {
    let fixture = fixture(Mode::Hybrid, &[300_000]);
    let mut swarm = Swarm::new(config(fixture.start(true), 0), Time::ZERO);
    let conn = ConnId::incoming(1);
    let hash = fixture.torrent.wire_hashes().next().unwrap();
    let handshake = Handshake::new(hash, PeerId([7; 20]), &[crate::wire::Reserved::Fast]);
    swarm.handle(Time::ZERO, Input::Incoming { conn, addr: addr(7), handshake });
    let ask =
        |n: u32| Message::Request(BlockRef { piece: PieceIndex(n / 4), offset: n % 4 * 16_384, len: 16_384 });
    // Choked: rejected. Unchoked: served until the socket is full, the rest when choked again.
    let mut inputs = vec![ask(0), Message::Interested];
    inputs.extend((0..16).chain([1000 * 4]).map(ask));
    let (mut served, mut rejected, mut closed) = (0, 0, 0);
    swarm.limits.send_queue = (3 * 16_384, 3 * 16_384);
    for message in inputs {
        swarm.handle(Time::ZERO, Input::Message { conn, message });
        while let Some(output) = swarm.poll_output() {
            match output {
                Output::SendBlock { .. } => served += 1,
                Output::Send { message: Message::RejectRequest(_), .. } => rejected += 1,
                Output::Close { reason: CloseReason::Violation(_), .. } => closed += 1,
                _ => {}
            }
        }
        if served == 3 && rejected == 1 && swarm.conns[&conn].up.len() == 13 {
            swarm.handle(Time::ZERO, Input::Command(Command::Pause { uploads: false }));
        }
    }
    assert_eq!((served, rejected, closed), (3, 14, 1));
}

/// As aria2 does, in place of many `have`s.
#[test]
fn a_bitfield_may_come_again() {
    let fixture = fixture(Mode::V1, &[300_000]);
    let mut swarm = Swarm::new(config(fixture.start(false), 1), Time::ZERO);
    let conn = ConnId::incoming(1);
    let hash = fixture.torrent.wire_hashes().next().unwrap();
    let handshake = Handshake::new(hash, PeerId([7; 20]), &[]);
    swarm.handle(Time::ZERO, Input::Incoming { conn, addr: addr(7), handshake });
    let pieces = fixture.torrent.layout.piece_count();
    let upto = |n: u32| Message::Bitfield(crate::session::bitfield(pieces, |piece| piece < n));
    let have = Message::Have(PieceIndex(2));
    for message in [upto(1), Message::Unchoke, have, upto(4), upto(pieces), upto(pieces)] {
        swarm.handle(Time::ZERO, Input::Message { conn, message });
    }
    let closed = std::iter::from_fn(|| swarm.poll_output()).find(|o| matches!(o, Output::Close { .. }));
    assert!(closed.is_none(), "{closed:?}");
    assert_eq!(swarm.conns[&conn].interesting, pieces);
    assert_eq!(swarm.player_seeds, 1);
    swarm.handle(Time::ZERO, Input::Disconnected { conn });
    assert_eq!(swarm.player_seeds, 0);
}
