//! The messages between peers as values.

use crate::merkle::HashRange;
use crate::units::{BlockRef, PieceIndex, Root};
use bytes::Bytes;

/// A message of BEP 3, 5 (port), 6 (fast), 10 (extended) or 52 (hashes).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// Four zero bytes; keeps a quiet connection open.
    KeepAlive,
    /// No requests are served from now on.
    Choke,
    /// Requests are served from now on.
    Unchoke,
    /// The sender wants something that the receiver has.
    Interested,
    /// The sender wants nothing that the receiver has.
    NotInterested,
    /// The sender has this piece now.
    Have(PieceIndex),
    /// Which pieces the sender has, most significant bit first; only directly after the handshakes.
    Bitfield(Bytes),
    /// Asks for a block.
    Request(BlockRef),
    /// A block. The data is shared with the receive buffer.
    Piece {
        /// The piece it belongs to.
        piece: PieceIndex,
        /// Bytes from the start of the piece.
        offset: u32,
        /// The block's bytes.
        data: Bytes,
    },
    /// Takes a request back.
    Cancel(BlockRef),
    /// The UDP port of the sender's DHT node (BEP 5).
    Port(u16),
    /// The sender would like to serve this piece (BEP 6).
    SuggestPiece(PieceIndex),
    /// Instead of a bitfield with every bit set (BEP 6).
    HaveAll,
    /// Instead of a bitfield with no bit set (BEP 6).
    HaveNone,
    /// This request will not be served (BEP 6).
    RejectRequest(BlockRef),
    /// This piece may be requested while choked (BEP 6).
    AllowedFast(PieceIndex),
    /// A message of the extension protocol (BEP 10): id 0 is the handshake, others were agreed on by it.
    Extended {
        /// The receiver's number for the extension.
        id: u8,
        /// For [`super::ext`] to read.
        payload: Bytes,
    },
    /// Asks for hashes of a file's merkle tree (BEP 52).
    HashRequest(HashRange),
    /// Hashes of a file's merkle tree and their proof (BEP 52).
    Hashes {
        /// The request that is answered.
        range: HashRange,
        /// `range.length` hashes of the base layer, then the uncle hashes upwards.
        hashes: Vec<Root>,
    },
    /// This hash request will not be served (BEP 52).
    HashReject(HashRange),
    /// A message nobody has told us about; it is skipped.
    Unknown {
        /// Its number.
        id: u8,
    },
}
