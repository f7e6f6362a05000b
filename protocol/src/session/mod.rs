//! One peer connection: what each side has said, what is under way in either direction.
//!
//! A session keeps the state of the wire protocol and its timing; which block to ask for and whom to serve is decided
//! by the swarm, which owns the picker and the choker.

mod pieces;
mod pipeline;
mod uploads;

pub use pieces::PeerPieces;
pub(crate) use pieces::bitfield;
pub use pipeline::{Arrival, Meter, Pipeline, Rejected};
pub use uploads::Uploads;

use std::collections::BTreeSet;
use std::net::SocketAddr;

use crate::merkle::HashRange;
use crate::units::{PeerId, Time, WireHash};
use crate::wire::ext::{ExtHandshake, ExtIds};
use crate::wire::{Handshake, Reserved};

/// How far a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The driver is connecting.
    Connecting,
    /// Our handshake is out, the answer is not there.
    Handshaking,
    /// Messages may be exchanged.
    Open,
}

/// A connection to a peer.
pub struct Session {
    /// The other end of the socket.
    pub addr: SocketAddr,
    /// Whether we connected.
    pub outgoing: bool,
    /// How far it is.
    pub phase: Phase,
    /// The hash that we sent, or the peer asked for.
    pub hash: WireHash,
    /// Who it says it is.
    pub peer_id: PeerId,
    /// Both sides speak BEP 6.
    pub fast: bool,
    /// Both sides speak BEP 10.
    pub extended: bool,
    /// Both sides know the torrent as v2: hash requests are possible.
    pub v2: bool,
    /// What it has.
    pub pieces: PeerPieces,
    /// How many of these pieces have blocks that we want.
    pub interesting: u32,
    /// We do not serve it.
    pub am_choking: bool,
    /// We told it that it has something for us.
    pub am_interested: bool,
    /// It does not serve us.
    pub peer_choking: bool,
    /// It told us that we have something for it.
    pub peer_interested: bool,
    /// What we ask of it.
    pub down: Pipeline,
    /// What it asks of us.
    pub up: Uploads,
    /// Its extension handshake (BEP 10), once it came.
    pub ext: Option<ExtHandshake>,
    /// Hash requests it owes us an answer to, with the time they were sent.
    pub hash_requests: Vec<(HashRange, Time)>,
    /// How often it had no answer to one.
    pub hash_refusals: u32,
    /// Pieces of the info dictionary it owes us, with the time they were asked for.
    pub metadata_requests: Vec<(u32, Time)>,
    /// It will not give us the info dictionary.
    pub metadata_refused: bool,
    /// Addresses we told it of.
    pub pex_sent: BTreeSet<SocketAddr>,
    /// When we told it last.
    pub pex_sent_at: Option<Time>,
    /// When it told us last.
    pub pex_received_at: Option<Time>,
    /// When the connection came to be.
    pub since: Time,
    /// When anything came last.
    pub heard_at: Time,
    /// When anything was sent last.
    pub spoke_at: Time,
    /// How often it said that it has everything (BEP 6) and that was news.
    pub have_alls: u32,
    /// Blocks it sent that nobody had asked for.
    pub unasked: u32,
    /// When it was unchoked last.
    pub unchoked_at: Time,
}

impl Session {
    /// A connection that has just come to be, in either direction. `awake` is what its requests are timed by.
    #[must_use]
    pub fn new(addr: SocketAddr, outgoing: bool, hash: WireHash, now: Time, awake: Time) -> Session {
        Session {
            addr,
            outgoing,
            phase: Phase::Connecting,
            hash,
            peer_id: PeerId([0; 20]),
            fast: false,
            extended: false,
            v2: false,
            pieces: PeerPieces::unknown(),
            interesting: 0,
            am_choking: true,
            am_interested: false,
            peer_choking: true,
            peer_interested: false,
            down: Pipeline::new(awake),
            up: Uploads::new(now),
            ext: None,
            hash_requests: Vec::new(),
            hash_refusals: 0,
            metadata_requests: Vec::new(),
            metadata_refused: false,
            pex_sent: BTreeSet::new(),
            pex_sent_at: None,
            pex_received_at: None,
            since: now,
            heard_at: now,
            spoke_at: now,
            have_alls: 0,
            unasked: 0,
            unchoked_at: Time::ZERO,
        }
    }

    /// Takes over what the peer's handshake says; ours always offers BEP 6 and BEP 10.
    pub fn opened(&mut self, handshake: &Handshake, v2: bool) {
        self.phase = Phase::Open;
        self.peer_id = handshake.peer_id;
        self.fast = handshake.has(Reserved::Fast);
        self.extended = handshake.has(Reserved::Extension);
        self.v2 = v2;
    }

    /// Whether it is one of our own seedboxes: bytes from it cost the studio.
    #[must_use]
    pub fn is_origin(&self) -> bool {
        self.peer_id.is_seedbox()
    }

    /// Whether it is a launcher of ours, which spreads itself over pieces as we do.
    #[must_use]
    pub fn is_fellow(&self) -> bool {
        self.peer_id.0.starts_with(b"-SA")
    }

    /// Whether requests may be sent.
    #[must_use]
    pub fn can_ask(&self) -> bool {
        self.phase == Phase::Open && self.am_interested && !self.peer_choking
    }

    /// The address where others can reach it, as far as known.
    #[must_use]
    pub fn listen_addr(&self) -> Option<SocketAddr> {
        if self.outgoing {
            return Some(self.addr);
        }
        let port = self.ext.as_ref()?.listen_port?;
        Some(SocketAddr::new(self.addr.ip(), port))
    }

    /// The peer's numbers for extensions.
    #[must_use]
    pub fn ext_ids(&self) -> ExtIds {
        self.ext.as_ref().map(|ext| ext.ids).unwrap_or_default()
    }
}
