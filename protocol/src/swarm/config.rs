//! What a swarm is told at its start.

use std::collections::HashMap;
use std::sync::Arc;

use crate::blockset::BlockSet;
use crate::metainfo::Torrent;
use crate::units::{FileIndex, InfoHashV1, InfoHashV2, PeerId, Root};

/// Who runs this swarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The studio's own machine: has everything, sends each piece once before any twice.
    Seedbox,
    /// A player's machine.
    Launcher,
}

/// What a swarm needs to transfer content: everything that a magnet link lacks.
#[derive(Clone, Debug)]
pub struct Content {
    /// The torrent.
    pub torrent: Arc<Torrent>,
    /// Blocks that are on disk and **verified**.
    pub have: BlockSet,
    /// Blocks to obtain (those in `have` as well or not makes no difference).
    pub wanted: BlockSet,
    /// The 16 KiB leaf hashes of files, verified up to their roots: their blocks are verified one by one.
    pub leaves: HashMap<FileIndex, Arc<[Root]>>,
}

/// What is known when a swarm starts.
#[derive(Clone, Debug)]
pub enum Start {
    /// A whole torrent.
    Content(Content),
    /// Only info-hashes, at least one: peers are asked for the info dictionary ([`super::Event::Metadata`]), then the
    /// driver answers with [`super::Command::Start`].
    Magnet {
        /// v1 (or the v1 side of a hybrid).
        v1: Option<InfoHashV1>,
        /// v2 (or the v2 side of a hybrid).
        v2: Option<InfoHashV2>,
    },
}

/// Bytes a second; `None` is unlimited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rates {
    /// What we send to peers.
    pub up: Option<u64>,
    /// What we ask of peers and web seeds.
    pub down: Option<u64>,
}

/// Bounds on what a swarm takes on.
#[derive(Clone, Copy, Debug)]
pub struct SwarmLimits {
    /// Connections, both directions.
    pub max_peers: usize,
    /// Connections that we attempt at a time.
    pub max_half_open: usize,
    /// Connections from one address other than loopback.
    pub max_per_address: usize,
    /// Unchoked peers; `None` chooses by the upload rate.
    pub upload_slots: Option<usize>,
    /// Addresses remembered for later.
    pub max_candidates: usize,
    /// Requests we accept from one peer before rejecting (announced as `reqq`).
    pub max_requests: usize,
    /// Requests outstanding at one peer.
    pub max_pipeline: usize,
    /// Bytes handed to one connection's socket queue and not yet on the wire, lower and upper bound.
    pub send_queue: (usize, usize),
    /// Bytes of an info dictionary that we are ready to fetch (ut_metadata).
    pub max_metadata: usize,
}

impl Default for SwarmLimits {
    fn default() -> SwarmLimits {
        SwarmLimits {
            max_peers: 100,
            max_half_open: 16,
            max_per_address: 4,
            upload_slots: None,
            max_candidates: 1000,
            max_requests: 2000,
            max_pipeline: 2000,
            send_queue: (64 * 1024, 4 * 1024 * 1024),
            max_metadata: 32 * 1024 * 1024,
        }
    }
}

/// Everything a swarm is told at its start.
#[derive(Clone, Debug)]
pub struct SwarmConfig {
    /// The torrent, or the hashes to find it by.
    pub start: Start,
    /// Who we say we are; its prefix tells other Samaras our role.
    pub peer_id: PeerId,
    /// Our role.
    pub role: Role,
    /// How many trackers the driver knows. Each is announced to under every hash of the torrent.
    pub trackers: u32,
    /// How many web seeds the driver knows; 0 for `--no-web`.
    pub web_seeds: u32,
    /// `false` for `--no-peers`: no announces, no connections in either direction.
    pub peers: bool,
    /// The TCP port where other peers reach us, if they can.
    pub listen_port: Option<u16>,
    /// Rates of this swarm alone. A limit for all swarms of a node is the driver's business: it holds back.
    pub rates: Rates,
    /// Bounds.
    pub limits: SwarmLimits,
    /// Makes every random choice: the same inputs give the same outputs.
    pub rng_seed: u64,
}
