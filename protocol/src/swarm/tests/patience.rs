//! One launcher and peers played by hand: what is asked for twice, and when.

use super::*;
use crate::wire::Reserved;

const BLOCK: usize = 16_384;

/// A launcher under test.
struct Lone<'a> {
    fixture: &'a Fixture,
    swarm: Swarm,
    now: Time,
    /// What it asked for and has neither got nor taken back, in order.
    asked: Vec<(ConnId, BlockRef)>,
    requests: usize,
    cancels: Vec<(ConnId, BlockRef)>,
    closed: Vec<ConnId>,
}

impl<'a> Lone<'a> {
    fn new(fixture: &'a Fixture) -> Lone<'a> {
        let swarm = Swarm::new(config(fixture.start(false), 1), Time::ZERO);
        let (cancels, closed) = (Vec::new(), Vec::new());
        Lone { fixture, swarm, now: Time::ZERO, asked: Vec::new(), requests: 0, cancels, closed }
    }

    fn tell(&mut self, input: Input) {
        self.swarm.handle(self.now, input);
        while let Some(output) = self.swarm.poll_output() {
            match output {
                Output::Send { conn, message: Message::Request(block) } => {
                    self.asked.push((conn, block));
                    self.requests += 1;
                }
                Output::Send { conn, message: Message::Cancel(block) } => self.cancels.push((conn, block)),
                Output::Close { conn, .. } => self.closed.push(conn),
                Output::WriteBlock { job, data, .. } => {
                    self.tell(Input::BlockWritten { job, result: Ok(Some(merkle::leaf(&data))) });
                }
                _ => {}
            }
        }
    }

    fn say(&mut self, conn: ConnId, message: Message) {
        self.tell(Input::Message { conn, message });
    }

    /// A peer that unchokes us.
    fn join(&mut self, n: u8, prefix: &[u8; 8], pieces: Message) -> ConnId {
        let conn = ConnId::incoming(u64::from(n));
        let hash = self.fixture.torrent.wire_hashes().next().unwrap();
        let handshake = Handshake::new(hash, PeerId::new(prefix, [n; 12]), &[Reserved::Fast]);
        self.tell(Input::Incoming { conn, addr: addr(n.into()), handshake });
        self.say(conn, pieces);
        self.say(conn, Message::Unchoke);
        conn
    }

    /// A peer sends a block.
    fn give(&mut self, conn: ConnId, block: BlockRef) {
        self.asked.retain(|asked| *asked != (conn, block));
        let data =
            Bytes::copy_from_slice(&self.fixture.bytes[self.fixture.at(block)..][..block.len as usize]);
        self.say(conn, Message::Piece { piece: block.piece, offset: block.offset, data });
    }

    fn give_all(&mut self) {
        while let Some(&(conn, block)) = self.asked.first() {
            self.give(conn, block);
        }
    }

    fn wait(&mut self, millis: u64) {
        for _ in 0..millis / 50 {
            self.now += Duration::from_millis(50);
            self.tell(Input::Tick);
        }
    }

    fn assert_nothing_was_asked_twice(&mut self, blocks: usize) {
        assert_eq!((self.requests, self.cancels.len(), self.closed.len()), (blocks, 0, 0));
        let stats = self.swarm.stats(self.now);
        assert!(stats.complete);
        assert_eq!(stats.wasted_bytes, 0);
    }
}

#[test]
fn what_we_did_not_listen_to_is_not_late() {
    let fixture = fixture(Mode::V2, &[12 * BLOCK]);
    for frozen in [true, false] {
        let mut lone = Lone::new(&fixture);
        for n in [2, 3] {
            lone.join(n, PeerId::LAUNCHER_PREFIX, Message::HaveAll);
        }
        lone.wait(100);
        assert_eq!(lone.requests, 12);
        // The whole process had no turn, or its disk was behind and the sockets were not read.
        if frozen {
            lone.now += Duration::from_secs(30);
        } else {
            lone.tell(Input::Reading(false));
            lone.wait(30_000);
            lone.tell(Input::Reading(true));
        }
        lone.give_all();
        lone.assert_nothing_was_asked_twice(12);
    }
}

#[test]
fn a_peer_that_goes_on_sending_is_waited_for() {
    let fixture = fixture(Mode::V2, &[24 * BLOCK]);
    let mut lone = Lone::new(&fixture);
    let peers = [2, 3].map(|n| lone.join(n, PeerId::LAUNCHER_PREFIX, Message::HaveAll));
    lone.wait(100);
    // The last ones come about a second after they were asked for.
    for peer in peers.into_iter().cycle() {
        let Some(&(conn, block)) = lone.asked.iter().find(|(conn, _)| *conn == peer).or(lone.asked.first())
        else {
            break;
        };
        lone.wait(50);
        lone.give(conn, block);
    }
    assert!(lone.now > Time::ZERO + Duration::from_secs(1));
    lone.assert_nothing_was_asked_twice(24);
}

#[test]
fn little_is_asked_twice_when_all_fall_silent() {
    let fixture = fixture(Mode::V2, &[600 * BLOCK]);
    let mut lone = Lone::new(&fixture);
    for n in [2, 3, 4] {
        lone.join(n, PeerId::LAUNCHER_PREFIX, Message::HaveAll);
    }
    while lone.swarm.content.as_ref().unwrap().picker.free() > 0 {
        let (conn, block) = lone.asked[0];
        lone.now += Duration::from_millis(1);
        lone.give(conn, block);
    }
    let under_way = lone.asked.len();
    assert!(under_way > 100, "{under_way}");
    lone.wait(7_000);
    assert!(!lone.cancels.is_empty() && lone.closed.is_empty());
    // Now it all comes; nobody has heeded a cancel.
    lone.give_all();
    let stats = lone.swarm.stats(lone.now);
    assert!(stats.complete);
    assert!((1..=512 * 1024).contains(&stats.wasted_bytes), "{}", stats.wasted_bytes);
}

#[test]
fn silent_peers_keep_nothing_for_ever() {
    let fixture = fixture(Mode::V2, &[600 * BLOCK]);
    let mut lone = Lone::new(&fixture);
    let silent = lone.join(2, PeerId::LAUNCHER_PREFIX, Message::HaveAll);
    while lone.swarm.content.as_ref().unwrap().picker.free() > 300 {
        let (conn, block) = lone.asked[0];
        lone.now += Duration::from_millis(1);
        lone.give(conn, block);
    }
    lone.asked.clear();
    let good = lone.join(3, PeerId::LAUNCHER_PREFIX, Message::HaveAll);
    for _ in 0..9 * 20 {
        lone.wait(50);
        for (conn, block) in lone.asked.clone().into_iter().filter(|(conn, _)| *conn == good) {
            lone.give(conn, block);
        }
    }
    assert_eq!(lone.closed, [silent]);
    assert!(lone.swarm.stats(lone.now).complete);
}

#[test]
fn origin_has_its_say_before_a_player_is_asked() {
    let fixture = fixture(Mode::V2, &[BLOCK; 6]);
    for rejects in [true, false] {
        let mut lone = Lone::new(&fixture);
        let seedbox = lone.join(0, PeerId::SEEDBOX_PREFIX, Message::HaveAll);
        let player = lone.join(2, PeerId::LAUNCHER_PREFIX, Message::HaveNone);
        lone.wait(100);
        let (conn, block) = lone.asked[0];
        assert_eq!((conn, lone.requests), (seedbox, 6));
        lone.say(player, Message::Have(block.piece));
        lone.say(player, Message::Unchoke);
        lone.wait(200);
        assert_eq!((lone.requests, lone.cancels.as_slice()), (6, &[(seedbox, block)][..]));
        if rejects {
            lone.asked.retain(|asked| *asked != (seedbox, block));
            lone.say(seedbox, Message::RejectRequest(block));
            assert!(lone.asked.contains(&(player, block)));
        }
        lone.give_all();
        let stats = lone.swarm.stats(lone.now);
        assert!(stats.complete);
        assert_eq!((stats.wasted_bytes, lone.requests), (0, 6 + usize::from(rejects)));
    }
}

#[test]
fn a_late_block_spares_whoever_was_asked_instead() {
    let fixture = fixture(Mode::V2, &[3 * BLOCK]);
    let mut lone = Lone::new(&fixture);
    let late = lone.join(2, PeerId::LAUNCHER_PREFIX, Message::HaveAll);
    // Slow, but not a peer that never sent anything.
    lone.wait(9_000);
    let blocks: Vec<BlockRef> = lone.cancels.drain(..).map(|(_, block)| block).collect();
    assert_eq!(blocks.len(), 3);
    let other = lone.join(3, PeerId::LAUNCHER_PREFIX, Message::HaveAll);
    lone.wait(100);
    let instead: Vec<BlockRef> =
        lone.asked.iter().filter(|(conn, _)| *conn == other).map(|&(_, block)| block).collect();
    assert!(!instead.is_empty());
    for &block in &instead {
        lone.give(late, block);
        assert!(lone.cancels.contains(&(other, block)), "{block:?}");
    }
    assert_eq!(lone.swarm.stats(lone.now).wasted_bytes, 0);
}
