//! The tokio driver: sockets, files, HTTP and the clock around the pure [`Swarm`](crate::swarm::Swarm).
//!
//! A [`Node`] owns one TCP listener, the connection caps and the rate limits that all its swarms share. Each swarm
//! is one task that owns the state machine; nothing else touches it, so there is no lock to hold too long. Around it
//! are a task for each connection (which owns the socket), the blocking pool (hashing, disk) and short-lived tasks
//! for HTTP. Everything that flows towards the swarm's task goes through bounded channels or is bounded by what the
//! machine itself has asked for; the swarm's task never waits for any of them.
//!
//! ```text
//!  listener ─ handshake ─┐            ┌── connection task: read ⇄ decode, gather ⇄ write
//!                        ├─> driver <─┼── blocking pool: hash, write, read back
//!  SwarmHandle commands ─┘            └── tracker announces, web fetches
//! ```

mod config;
mod limiter;
mod bufs;
mod gate;
mod files;
mod recent;
mod storage;
mod feed;
mod accept;
mod conn;
mod clients;
mod http;
mod announce;
mod web;
mod driver;
mod node;

pub use clients::{HttpClients, is_loopback};
pub use config::{AddSwarm, NodeConfig, NodeLimits, WebSeed};
pub use http::class_of_host;
pub use limiter::Limiter;
pub use node::{Node, SwarmControl, SwarmHandle};

use std::io;
use std::net::SocketAddr;

/// Why a node or a swarm could not be started or told something.
#[derive(Debug, thiserror::Error)]
pub enum NetError {
    /// The listener could not be opened.
    #[error("cannot listen for peers on {addr}: {source}")]
    Listen {
        /// Where.
        addr: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// A tracker's URL is none, or not http(s).
    #[error("not a tracker URL: {0}")]
    BadTracker(String),
    /// This torrent is in this node already.
    #[error("this torrent is running already")]
    Duplicate,
    /// The node or the swarm has been shut down.
    #[error("the swarm has stopped")]
    Stopped,
}
