//! What peers say to each other, as values and as bytes (BEP 3, 6, 10, 52).

mod codec;
pub mod compact;
pub mod ext;
mod handshake;
mod message;

pub use crate::merkle::HashRange;
pub use codec::{Decoder, MAX_EXTENDED_LEN, MAX_HASHES, MAX_UNKNOWN_BITFIELD_LEN, encode, piece_header};
pub use handshake::{HANDSHAKE_LEN, Handshake, Reserved};
pub use message::Message;

/// How a peer broke the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// The connection did not open with a BitTorrent handshake.
    #[error("the peer does not speak BitTorrent")]
    NotBitTorrent,
    /// A message's length is not one that its kind can have.
    #[error("message {id} cannot have {len} bytes")]
    BadLength {
        /// The message's number.
        id: u8,
        /// Bytes, without the number.
        len: u32,
    },
}
