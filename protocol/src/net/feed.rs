//! What the tasks around a swarm tell its driver.

use crate::swarm::{AddrClass, ConnId, IoFault, JobId, TrackerId, WebFault};
use crate::tracker::{AnnounceResponse, TrackerFault};
use crate::units::{BlockRef, WireHash};
use crate::wire::{Handshake, Message};
use bytes::Bytes;
use std::net::SocketAddr;
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;

/// From sockets: bounded, so that a swarm that cannot keep up slows its peers down.
#[derive(Debug)]
pub(super) enum Feed {
    /// A peer connected and sent a handshake with a hash of this swarm.
    Incoming(Box<Incoming>),
    /// A connection of ours was made.
    Connected(ConnId),
    /// It was not.
    ConnectFailed(ConnId),
    /// The peer's handshake on a connection of ours.
    Handshake(ConnId, Handshake),
    /// Messages, in order.
    Messages(ConnId, Vec<Message>),
    /// Bytes that have gone to the kernel since the connection began.
    Sent(ConnId, Progress),
    /// A block could not be read.
    ReadFailed(ConnId, BlockRef, IoFault),
    /// The connection is over.
    Closed(ConnId),
    /// Bytes of a web fetch.
    WebData(JobId, Bytes),
    /// A web fetch has ended, well or not.
    WebEnd(JobId, Result<(), WebFault>),
    /// A tracker has answered, or not.
    Announced {
        tracker: TrackerId,
        hash: WireHash,
        class: AddrClass,
        result: Result<AnnounceResponse, TrackerFault>,
    },
}

/// A connection accepted by the node.
#[derive(Debug)]
pub(super) struct Incoming {
    pub(super) socket: TcpStream,
    pub(super) addr: SocketAddr,
    pub(super) handshake: Handshake,
    pub(super) lease: Lease,
}

/// A connection's place among those that a node allows; given back when dropped.
#[derive(Debug)]
pub(super) struct Lease {
    pub(super) _place: OwnedSemaphorePermit,
    pub(super) _address: Option<super::accept::AddressLease>,
}

/// Bytes handed over and gone, counted from a connection's beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Progress {
    /// Everything.
    pub(super) all: u64,
    /// Without blocks.
    pub(super) small: u64,
}

/// Something for a connection to send.
#[derive(Debug)]
pub(super) enum Outgoing {
    /// Encoded messages.
    Bytes(Bytes),
    /// A block to be read and sent as a `piece` message.
    Block(BlockRef),
}

impl Outgoing {
    /// Bytes on the wire.
    pub(super) fn wire_len(&self) -> u64 {
        match self {
            Outgoing::Bytes(bytes) => bytes.len() as u64,
            Outgoing::Block(block) => u64::from(block.len) + 13,
        }
    }
}
