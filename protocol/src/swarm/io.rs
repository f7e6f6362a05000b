//! What goes into a [`Swarm`](super::Swarm) and what comes out of it. All effects are data: a driver (tokio, or the
//! simulator in `tests`) turns [`Output`]s into sockets and files, and feeds back [`Input`]s with the time.
//!
//! Rules for a driver:
//! - After every `handle`, poll `poll_output` until `None`, in order, before the next `handle`.
//! - When `poll_timeout` is reached, `handle(now, Input::Tick)`.
//! - A [`ConnId`] that comes in with [`Input::Incoming`] is the driver's choice, with the top bit **set**
//!   ([`ConnId::incoming`]); those of [`Output::Connect`] are the swarm's and have it clear. None is used twice.
//! - After [`Output::Close`] nothing more is said about that connection by either side; an
//!   [`Input::Disconnected`] that crosses it is ignored. After [`Input::Disconnected`] or
//!   [`Input::ConnectFailed`] the connection is forgotten at once, without a `Close`.
//! - For an outgoing connection: `Connect` → `Connected` → `SendHandshake` → `Handshake` → messages. For an incoming
//!   one: `Incoming` → `SendHandshake` (or `Close`) → messages. Nothing is sent before `SendHandshake`.
//! - [`Input::Message`] owns its bytes: `Piece.data` should be a slice of the receive buffer, not a copy.

use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::blockset::BlockSet;
use crate::tracker::{AnnounceRequest, AnnounceResponse, TrackerFault};
use crate::units::{BlockRef, FileIndex, PieceIndex, Root, WireHash};

pub use super::config::*;
use crate::wire::{Handshake, Message};

/// One connection to one peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnId(pub u64);

impl ConnId {
    const INCOMING: u64 = 1 << 63;

    /// The id of the `n`th incoming connection of a driver.
    #[must_use]
    pub const fn incoming(n: u64) -> ConnId {
        ConnId(n | Self::INCOMING)
    }

    /// Whether the peer connected to us.
    #[must_use]
    pub const fn is_incoming(self) -> bool {
        self.0 & Self::INCOMING != 0
    }
}

/// An index into [`SwarmConfig::web_seeds`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WebSeedId(pub u32);

/// An index into [`SwarmConfig::trackers`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TrackerId(pub u32);

/// A write, a hash job or a web fetch under way; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId(pub u64);

/// The kind of network that an address belongs to, and through which a tracker was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AddrClass {
    /// 127.0.0.0/8, ::1.
    Loopback,
    /// RFC 1918, RFC 4193, link-local.
    Private,
    /// Everything else that is unicast.
    Public,
}

/// Where addresses of peers came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerSource {
    /// The user or the signed manifest named them: any class is accepted.
    Added,
    /// A tracker that was reached over an address of this class; loopback and private peers are accepted
    /// only when it is the same.
    Tracker(AddrClass),
    /// Local service discovery: any class but public.
    Lan,
    /// Another peer (BEP 11) or the DHT: public ones only.
    Gossip,
}

/// A disk or its driver failed: the text is for a person.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct IoFault(pub String);

/// A web fetch that failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WebFault {
    /// No answer, closed early, time-out, 5xx: worth another try after a while.
    #[error("web seed not reached: {0}")]
    Unreachable(String),
    /// 429 or 503 with a time to wait.
    #[error("web seed asks to wait {0:?}")]
    RetryAfter(Duration),
    /// The file is not there (4xx): this file is not asked of this web seed again.
    #[error("web seed does not have the file: {0}")]
    Missing(String),
    /// It answers, but not what was asked (wrong range, encoding, too many bytes): the web seed is dropped.
    #[error("web seed misbehaves: {0}")]
    Protocol(String),
}

/// What a driver tells the swarm.
#[derive(Debug)]
pub enum Input {
    /// An [`Output::Connect`] succeeded.
    Connected {
        /// Which.
        conn: ConnId,
    },
    /// An [`Output::Connect`] failed, or timed out (about 10 s).
    ConnectFailed {
        /// Which.
        conn: ConnId,
    },
    /// A peer connected and sent its handshake, by whose hash the driver found this swarm.
    Incoming {
        /// See [`ConnId::incoming`].
        conn: ConnId,
        /// The other end.
        addr: SocketAddr,
        /// What it sent.
        handshake: Handshake,
    },
    /// The answer to our handshake on an outgoing connection.
    Handshake {
        /// Which.
        conn: ConnId,
        /// What the peer sent.
        handshake: Handshake,
    },
    /// A decoded message.
    Message {
        /// From whom.
        conn: ConnId,
        /// What.
        message: Message,
    },
    /// Bytes went out on the connection. Tell it at least whenever the queue has halved or is empty.
    Sent {
        /// Which.
        conn: ConnId,
        /// Everything handed over by `Send` and `SendBlock` for this connection that is not yet in the kernel.
        queued_bytes: usize,
    },
    /// The connection ended: closed by the peer, an error, or bytes that do not decode.
    Disconnected {
        /// Which.
        conn: ConnId,
    },
    /// Addresses found elsewhere than through an announce.
    Peers {
        /// Where.
        source: PeerSource,
        /// Who.
        addrs: Vec<SocketAddr>,
    },
    /// An [`Output::WriteBlock`] or [`Output::HashBlock`] ended.
    BlockWritten {
        /// Which.
        job: JobId,
        /// The SHA-256 of the block's bytes if a leaf was asked for.
        result: Result<Option<Root>, IoFault>,
    },
    /// An [`Output::HashPieceV1`] ended.
    PieceHashed {
        /// Which.
        piece: PieceIndex,
        /// Its SHA-1, pads included as zeros.
        result: Result<[u8; 20], IoFault>,
    },
    /// An [`Output::SendBlock`] could not be read, so nothing was sent: the swarm rejects the request and, since the
    /// file is not what it was, withdraws the file.
    ReadFailed {
        /// To whom it should have gone.
        conn: ConnId,
        /// Which block.
        block: BlockRef,
        /// Why.
        fault: IoFault,
    },
    /// An [`Output::Announce`] ended.
    Announced {
        /// Which tracker.
        tracker: TrackerId,
        /// The request's `info_hash`.
        hash: WireHash,
        /// Over which class of address the tracker was reached.
        class: AddrClass,
        /// Its answer.
        result: Result<AnnounceResponse, TrackerFault>,
    },
    /// The next bytes of a web fetch, in order.
    WebData {
        /// Which.
        fetch: JobId,
        /// At most what is still missing from the range.
        data: Bytes,
    },
    /// The range is complete.
    WebEnd {
        /// Which.
        fetch: JobId,
    },
    /// The fetch ended early.
    WebFailed {
        /// Which.
        fetch: JobId,
        /// Why.
        fault: WebFault,
    },
    /// The driver reads what peers send, as it does at first, or has stopped to. What is not read is not late.
    Reading(bool),
    /// Somebody wants something.
    Command(Command),
    /// `poll_timeout` was reached.
    Tick,
}

/// What the owner of a swarm may ask.
#[derive(Clone, Debug)]
pub enum Command {
    /// The content of a swarm that began with a magnet link.
    Start(Box<Content>),
    /// Replaces the set of wanted blocks.
    Want(BlockSet),
    /// The file is about to change: it is no longer offered, its queued requests are rejected. What is in the
    /// driver's hands is the driver's to drain. Ends with [`Event::Withdrawn`].
    Withdraw(FileIndex),
    /// The file is back, with these blocks verified.
    Restore {
        /// Which file.
        file: FileIndex,
        /// Blocks of this file (others are ignored) that are verified.
        have: BlockSet,
        /// Its leaf hashes if known.
        leaves: Option<Arc<[Root]>>,
    },
    /// Replaces the rates.
    SetRates(Rates),
    /// Peers that the user or a signed document named.
    AddPeers(Vec<SocketAddr>),
    /// These pieces are needed by `within` from now: they are asked for first.
    Deadline {
        /// Which.
        pieces: Range<u32>,
        /// When.
        within: Duration,
    },
    /// No more requests are sent; uploads go on if `uploads`.
    Pause {
        /// Whether we go on serving.
        uploads: bool,
    },
    /// The end of `Pause`.
    Resume,
    /// Says goodbye: trackers are told, connections closed. [`Event::Stopped`] comes last.
    Shutdown,
}

/// What the swarm asks of its driver.
#[derive(Debug)]
pub enum Output {
    /// Connect to a peer; answer with `Connected` or `ConnectFailed`.
    Connect {
        /// The swarm's choice.
        conn: ConnId,
        /// Where.
        addr: SocketAddr,
    },
    /// Send what is queued as far as it goes without waiting, then close.
    Close {
        /// Which.
        conn: ConnId,
        /// Why, for logs.
        reason: CloseReason,
    },
    /// The first thing on a connection.
    SendHandshake {
        /// Which.
        conn: ConnId,
        /// What.
        handshake: Handshake,
    },
    /// Send a message.
    Send {
        /// To whom.
        conn: ConnId,
        /// What.
        message: Message,
    },
    /// Read the block (pads are zeros) and send it as a `piece` message, in order with `Send`.
    SendBlock {
        /// To whom.
        conn: ConnId,
        /// What.
        block: BlockRef,
    },
    /// Write the block; hash it first if asked. Answer with `BlockWritten`.
    WriteBlock {
        /// For the answer.
        job: JobId,
        /// Where.
        block: BlockRef,
        /// Exactly `block.len` bytes.
        data: Bytes,
        /// Whether the answer must hold its SHA-256.
        leaf: bool,
    },
    /// Read the block back and hash it (SHA-256). Answer with `BlockWritten` and the hash.
    HashBlock {
        /// For the answer.
        job: JobId,
        /// Which.
        block: BlockRef,
    },
    /// SHA-1 of a whole piece, pads included as zeros. Answer with `PieceHashed`.
    HashPieceV1 {
        /// Which.
        piece: PieceIndex,
        /// Its bytes in order; empty: read it back from the store.
        data: Vec<Bytes>,
    },
    /// Announce; answer with `Announced`.
    Announce {
        /// To which tracker.
        tracker: TrackerId,
        /// What.
        request: AnnounceRequest,
    },
    /// Fetch bytes of a file; answer with `WebData`… and `WebEnd`, or `WebFailed`.
    FetchRange {
        /// For the answers.
        fetch: JobId,
        /// From whom.
        seed: WebSeedId,
        /// Of which file.
        file: FileIndex,
        /// Which bytes of the file; not empty.
        range: Range<u64>,
    },
    /// The fetch is not needed any more; nothing more is said about it by either side.
    CancelFetch {
        /// Which.
        fetch: JobId,
    },
    /// Something for the owner of the swarm.
    Event(Event),
}

/// Why a connection is closed by us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CloseReason {
    /// Neither side has anything that the other wants.
    BothComplete,
    /// The peer is ourselves.
    Oneself,
    /// There is a connection to this peer already.
    Duplicate,
    /// More peers than [`SwarmLimits`] allows.
    TooMany,
    /// The hash in the answer is none of ours.
    WrongHash,
    /// Nothing was heard for too long.
    Idle,
    /// It held requests for too long, again and again.
    Stalled,
    /// It broke the protocol.
    Violation(&'static str),
    /// It sent data that does not verify, or has before.
    Banned,
    /// We take no peers (any more).
    Stopping,
}

/// Where bytes came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SourceKind {
    /// A peer on a shared subnet that is not loopback.
    Lan,
    /// Another player.
    Peer,
    /// A seedbox, as a peer.
    Origin,
    /// A web seed.
    Web,
}

/// What the owner of a swarm hears.
#[derive(Clone, Debug)]
pub enum Event {
    /// All of the piece's data is on disk and verified.
    PieceVerified(PieceIndex),
    /// These blocks (numbers in the torrent's address space) are on disk and verified. Comes for every block that
    /// is obtained, before `PieceVerified`.
    BlocksVerified(Range<u32>),
    /// Every wanted block is verified. Again after each `Want` that adds something.
    Completed,
    /// Data of this piece did not verify; it is fetched again.
    HashFailed(PieceIndex),
    /// A peer sent data that does not verify.
    PeerBanned(SocketAddr),
    /// A web seed lied or misbehaved and is not used any more.
    WebSeedDropped {
        /// Which.
        seed: WebSeedId,
        /// Why.
        reason: String,
    },
    /// The info dictionary of a magnet link, verified against its hash.
    Metadata(Bytes),
    /// A tracker could not be used; it is tried again.
    TrackerFailed {
        /// Which.
        tracker: TrackerId,
        /// Why.
        reason: String,
    },
    /// A tracker answered.
    TrackerOk {
        /// Which.
        tracker: TrackerId,
        /// How many peers it named.
        peers: usize,
    },
    /// No byte has come for a while although some are wanted.
    Starved {
        /// For how long.
        since: Duration,
    },
    /// A write failed: the swarm has paused itself.
    StorageFailed(IoFault),
    /// A file could not be read or no longer is what it was: it is withdrawn.
    FileFaulty {
        /// Which.
        file: FileIndex,
        /// Why.
        fault: IoFault,
    },
    /// `Command::Withdraw` is done on the swarm's side.
    Withdrawn(FileIndex),
    /// `Command::Shutdown` is done.
    Stopped,
}

/// Bytes by kind of source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    /// From a shared subnet.
    pub lan: u64,
    /// From other players.
    pub peers: u64,
    /// From seedboxes as peers.
    pub origin: u64,
    /// From web seeds.
    pub web: u64,
}

impl Ledger {
    /// Counts bytes.
    pub fn add(&mut self, kind: SourceKind, bytes: u64) {
        match kind {
            SourceKind::Lan => self.lan += bytes,
            SourceKind::Peer => self.peers += bytes,
            SourceKind::Origin => self.origin += bytes,
            SourceKind::Web => self.web += bytes,
        }
    }

    /// All of them.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.lan + self.peers + self.origin + self.web
    }
}

/// A snapshot for people and metrics.
#[derive(Clone, Debug, Default)]
pub struct Stats {
    /// Bytes of content wanted (pads do not count).
    pub wanted_bytes: u64,
    /// Of these, verified.
    pub done_bytes: u64,
    /// Payload received, by source; what was wasted included.
    pub received: Ledger,
    /// Payload received twice or for nothing.
    pub wasted_bytes: u64,
    /// Payload that did not verify.
    pub corrupt_bytes: u64,
    /// Payload handed to the driver for sending, to LAN and other peers.
    pub sent_lan: u64,
    /// Payload handed to the driver for sending to everyone else.
    pub sent_peers: u64,
    /// Bytes a second, of the last few seconds.
    pub rate_down: u64,
    /// Bytes a second, of the last few seconds.
    pub rate_up: u64,
    /// Connections with a finished handshake.
    pub peers: usize,
    /// Of these, with all pieces.
    pub seeds: usize,
    /// Web fetches under way.
    pub web_fetches: usize,
    /// Peers banned.
    pub banned: usize,
    /// Whether all that is wanted is verified.
    pub complete: bool,
}
