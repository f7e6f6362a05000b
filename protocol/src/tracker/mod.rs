//! Trackers: what is announced and answered (BEP 3, 7, 23, 48), when a client announces, and the server's table.
//! The HTTP itself happens elsewhere: this module reads and writes query strings and bodies.

mod request;
mod response;
mod scrape;
mod timer;
mod table;

pub use request::{
    MAX_QUERY_LEN, MAX_SCRAPE_HASHES, QueryError, announce_url, parse_announce, parse_scrape, scrape_url,
};
pub use response::{MAX_PEERS, encode_failure};
pub use scrape::{ScrapeEntry, decode_scrape, encode_scrape};
pub use table::{Registration, Table, TableLimits, Unregistered};
pub use timer::ClientTimer;

use crate::units::{PeerId, WireHash};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// What happened since the last announce (BEP 3 `event`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AnnounceEvent {
    /// The first announce.
    Started,
    /// The client leaves.
    Stopped,
    /// The download was finished, and had not been before it was started.
    Completed,
}

/// What a client tells a tracker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnnounceRequest {
    /// The torrent, by one of its hashes; a hybrid is announced under both, one request each.
    pub info_hash: WireHash,
    /// The client.
    pub peer_id: PeerId,
    /// The TCP port it listens on.
    pub port: u16,
    /// Bytes sent to peers since `Started`.
    pub uploaded: u64,
    /// Bytes received since `Started`.
    pub downloaded: u64,
    /// Bytes it still lacks; 0 is a seed.
    pub left: u64,
    /// None is an announce in between.
    pub event: Option<AnnounceEvent>,
    /// How many peers it would like.
    pub num_want: Option<u32>,
    /// Identifies the client when its address changes.
    pub key: Option<u32>,
    /// False asks for dictionaries instead of compact peers (BEP 23).
    pub compact: bool,
}

impl AnnounceRequest {
    /// A request with no statistics and no event.
    #[must_use]
    pub fn new(info_hash: WireHash, peer_id: PeerId, port: u16) -> AnnounceRequest {
        AnnounceRequest {
            info_hash,
            peer_id,
            port,
            uploaded: 0,
            downloaded: 0,
            left: 0,
            event: None,
            num_want: None,
            key: None,
            compact: true,
        }
    }
}

/// What a tracker answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AnnounceResponse {
    /// When to announce again.
    pub interval: Duration,
    /// Never announce sooner than this, if stated.
    pub min_interval: Option<Duration>,
    /// Seeds in the swarm, if stated.
    pub complete: Option<u32>,
    /// Leechers in the swarm, if stated.
    pub incomplete: Option<u32>,
    /// Peers, IPv4 (BEP 23) and IPv6 (BEP 7).
    pub peers: Vec<SocketAddr>,
    /// The client's address as the tracker sees it (BEP 24).
    pub external_ip: Option<IpAddr>,
    /// Something for a person to read.
    pub warning: Option<String>,
}

/// Why an announce gave nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TrackerFault {
    /// The tracker says no (`failure reason`).
    #[error("the tracker refuses: {0}")]
    Refused(String),
    /// The tracker could not be reached, or answered with an HTTP error.
    #[error("the tracker cannot be reached: {0}")]
    Unreachable(String),
    /// The answer cannot be read.
    #[error("the tracker's answer cannot be read")]
    BadResponse,
}
