//! What a node and a swarm are started with.

use super::{Limiter, NetError};
use crate::disk::Store;
use crate::swarm::{Content, Rates, Role, Start, SwarmLimits};
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// What all swarms of a node share.
#[derive(Clone, Debug)]
pub struct NodeConfig {
    /// Where peers connect to us; `None` takes no connections.
    pub listen: Option<SocketAddr>,
    /// Our role; it chooses the prefix of our peer id.
    pub role: Role,
    /// Payload that leaves, over all swarms. A seedbox passes a clone to its HTTP web seed, so that both draw from
    /// one allowance.
    pub upload: Arc<Limiter>,
    /// Payload that arrives, over all swarms, from peers and web seeds.
    pub download: Arc<Limiter>,
    /// Caps and time-outs.
    pub limits: NodeLimits,
}

impl NodeConfig {
    /// Unlimited rates, default caps.
    #[must_use]
    pub fn new(role: Role, listen: Option<SocketAddr>) -> NodeConfig {
        NodeConfig {
            listen,
            role,
            upload: Arc::new(Limiter::unlimited()),
            download: Arc::new(Limiter::unlimited()),
            limits: NodeLimits::default(),
        }
    }
}

/// Bounds on what a node takes on, over all its swarms.
#[derive(Clone, Copy, Debug)]
pub struct NodeLimits {
    /// Connections in both directions, half-open ones included.
    pub max_connections: usize,
    /// Incoming connections from one address, loopback excepted.
    pub max_per_address: usize,
    /// Incoming connections that have not sent their handshake yet.
    pub max_unnamed: usize,
    /// Outgoing connections that are being made.
    pub max_connecting: usize,
    /// For a TCP connection to be made, and again for the handshake to arrive.
    pub handshake_timeout: Duration,
    /// A peer that takes no byte of what is queued for it for so long is disconnected.
    pub send_timeout: Duration,
    /// Bytes queued for one connection, blocks not counted; beyond, the peer is disconnected.
    pub max_queued_bytes: usize,
    /// Payload of one swarm that waits for hashing and the disk, in bytes; beyond, its sockets are not read.
    pub max_unwritten_bytes: usize,
    /// For a swarm to say goodbye to its trackers when it is shut down.
    pub shutdown_timeout: Duration,
}

impl Default for NodeLimits {
    fn default() -> NodeLimits {
        NodeLimits {
            max_connections: 800,
            max_per_address: 16,
            max_unnamed: 64,
            max_connecting: 32,
            handshake_timeout: Duration::from_secs(10),
            send_timeout: Duration::from_secs(90),
            max_queued_bytes: 8 * 1024 * 1024,
            max_unwritten_bytes: 32 * 1024 * 1024,
            shutdown_timeout: Duration::from_secs(3),
        }
    }
}

/// A server that has files and speaks HTTP with ranges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WebSeed {
    /// BEP 19: `base` and the file's path.
    ByPath {
        /// As in `url-list`.
        base: Url,
    },
    /// `base` and `<pieces root in hex>-<length>`: one copy of a file for all releases. Only for v2 and hybrid torrents.
    ByContent {
        /// The folder of blobs; a missing trailing slash is added.
        base: Url,
    },
}

/// A torrent to be added to a node.
pub struct AddSwarm {
    /// The torrent and what of it is here and wanted, or a magnet link's hashes.
    pub start: Start,
    /// Its files.
    pub store: Arc<dyn Store>,
    /// HTTP trackers.
    pub trackers: Vec<Url>,
    /// Web seeds; empty for `--no-web`.
    pub web_seeds: Vec<WebSeed>,
    /// Peers known from the start.
    pub peers: Vec<SocketAddr>,
    /// `false` for `--no-peers`.
    pub use_peers: bool,
    /// Rates of this swarm alone, below those of the node.
    pub rates: Rates,
    /// Bounds of this swarm.
    pub limits: SwarmLimits,
    /// Seeds every random choice of the swarm; `None` takes one from the operating system.
    pub rng_seed: Option<u64>,
}

impl AddSwarm {
    /// A swarm without trackers, web seeds, peers and limits of its own.
    #[must_use]
    pub fn new(content: Content, store: Arc<dyn Store>) -> AddSwarm {
        AddSwarm {
            start: Start::Content(content),
            store,
            trackers: Vec::new(),
            web_seeds: Vec::new(),
            peers: Vec::new(),
            use_peers: true,
            rates: Rates::default(),
            limits: SwarmLimits::default(),
            rng_seed: None,
        }
    }

    /// Takes trackers from text.
    ///
    /// # Errors
    /// [`NetError::BadTracker`] unless all are http or https URLs.
    pub fn trackers<S: AsRef<str>>(
        mut self,
        urls: impl IntoIterator<Item = S>,
    ) -> Result<AddSwarm, NetError> {
        for text in urls {
            let url = Url::parse(text.as_ref()).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
            self.trackers.push(url.ok_or_else(|| NetError::BadTracker(text.as_ref().to_owned()))?);
        }
        Ok(self)
    }
}

impl fmt::Debug for AddSwarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AddSwarm")
            .field("trackers", &self.trackers)
            .field("web_seeds", &self.web_seeds)
            .field("peers", &self.peers)
            .finish_non_exhaustive()
    }
}
