//! A peer that says anything at all to a swarm.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use protocol::blockset::BlockSet;
use protocol::merkle::leaf;
use protocol::metainfo::{Mode, Torrent};
use protocol::swarm::{
    ConnId, Content, Input, IoFault, Output, Rates, Role, Start, Swarm, SwarmConfig, SwarmLimits,
};
use protocol::units::{PeerId, PieceIndex, Time};
use protocol::wire::{Decoder, Handshake, Reserved};
use sha1::{Digest as _, Sha1};

use super::wire::{conversation, read_all, sample, stream};

/// Most answers of a disk in one go: a peer must not keep us busy with one message.
const MOST_ANSWERS: usize = 10_000;

/// What the swarm has: nothing, everything, or only the torrent's name. Then what the peer says after its handshake. The
/// swarm asks its driver for nothing outside the torrent.
pub fn peer(data: &[u8]) -> bool {
    let Some((kind, talk)) = data.split_first() else { return false };
    let mode = if kind & 4 == 0 { Mode::Hybrid } else { Mode::V1 };
    let torrent = sample(mode).0.clone();
    let magnet = kind % 3 == 2;
    let decoder =
        if magnet { Decoder::without_metadata() } else { Decoder::new(torrent.layout.piece_count()) };
    let mut world =
        World { swarm: Swarm::new(config(&torrent, kind % 3), Time::ZERO), torrent, now: Time::ZERO };
    let conn = ConnId::incoming(1);
    let Some(hash) = world.torrent.wire_hashes().next() else { return false };
    let features = [Reserved::Fast, Reserved::Extension, Reserved::UpgradeToV2];
    let handshake = Handshake::new(hash, PeerId::new(PeerId::LAUNCHER_PREFIX, [9; 12]), &features);
    world.tell(Input::Incoming { conn, addr: SocketAddr::from(([9, 0, 0, 1], 1)), handshake });
    let messages = read_all(decoder, talk, talk.len());
    let said = messages.len();
    for message in messages {
        world.tell(Input::Message { conn, message });
        world.now += Duration::from_millis(70);
        world.tell(Input::Tick);
    }
    world.tell(Input::Disconnected { conn });
    world.tell(Input::Tick);
    said > 0
}

struct World {
    swarm: Swarm,
    torrent: Arc<Torrent>,
    now: Time,
}

impl World {
    fn tell(&mut self, input: Input) {
        self.swarm.handle(self.now, input);
        let mut answers = 0;
        while let Some(output) = self.swarm.poll_output() {
            let Some(answer) = self.answer(output) else { continue };
            answers += 1;
            assert!(answers < MOST_ANSWERS, "a message keeps the disk busy");
            self.swarm.handle(self.now, answer);
        }
    }

    /// The disk's answer.
    fn answer(&self, output: Output) -> Option<Input> {
        let layout = &self.torrent.layout;
        match output {
            Output::WriteBlock { job, block, data, leaf: wanted } => {
                assert!(layout.is_valid_request(block) && data.len() == block.len as usize, "{block:?}");
                Some(Input::BlockWritten { job, result: Ok(wanted.then(|| leaf(&data))) })
            }
            Output::HashBlock { job, block } => {
                assert!(layout.is_valid_request(block), "{block:?}");
                Some(Input::BlockWritten { job, result: Err(IoFault("a bad sector".to_owned())) })
            }
            Output::HashPieceV1 { piece, data } => {
                assert!(piece < PieceIndex(layout.piece_count()));
                let hash = Sha1::digest(data.concat());
                Some(Input::PieceHashed { piece, result: Ok(hash.into()) })
            }
            Output::SendBlock { block, .. } => {
                assert!(layout.is_valid_request(block), "{block:?}");
                None
            }
            _ => None,
        }
    }
}

fn config(torrent: &Arc<Torrent>, kind: u8) -> SwarmConfig {
    let layout = &torrent.layout;
    let mut all = BlockSet::new(layout.block_count());
    (0..layout.piece_count()).for_each(|piece| all.insert_range(layout.piece_blocks(PieceIndex(piece))));
    let none = BlockSet::new(all.len());
    let have = if kind == 1 { all.clone() } else { none };
    let content = Content { torrent: torrent.clone(), have, wanted: all, leaves: HashMap::new() };
    let start = match kind {
        2 => Start::Magnet { v1: torrent.info_hash_v1, v2: torrent.info_hash_v2 },
        _ => Start::Content(content),
    };
    SwarmConfig {
        start,
        peer_id: PeerId::new(PeerId::LAUNCHER_PREFIX, [1; 12]),
        role: Role::Launcher,
        trackers: 0,
        web_seeds: 0,
        peers: true,
        listen_port: None,
        rates: Rates::default(),
        limits: SwarmLimits::default(),
        rng_seed: 1,
    }
}

/// See [`peer`].
pub fn peer_seeds() -> Vec<Vec<u8>> {
    let with = |kind: u8, mode| [&[kind][..], &stream(&conversation(mode))].concat();
    let mut seeds: Vec<Vec<u8>> = (0..3).map(|kind| with(kind, Mode::Hybrid)).collect();
    seeds.extend((4..6).map(|kind| with(kind, Mode::V1)));
    seeds
}
