//! The extension protocol (BEP 10): its handshake and the extensions we speak. Each side chooses the numbers under
//! which it wants to receive an extension; ours are [`OUR_IDS`].

mod handshake;
mod metadata;
mod pex;

pub use handshake::{ExtHandshake, ExtIds, HANDSHAKE_ID, OUR_IDS};
pub use metadata::{MAX_METADATA_LEN, MetadataAssembler, MetadataMessage};
pub use pex::{MAX_PEX_PEERS, PexFlags, PexMessage, PexPeer};

use crate::units::PieceIndex;
use bytes::Bytes;

/// Why the payload of an extension message is of no use. It is skipped; only the swarm decides whether that is
/// worth a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExtError {
    /// It is not strictly bencoded.
    #[error("extension message: {0}")]
    Bencode(#[from] crate::bencode::BencodeError),
    /// A field is missing, of the wrong type, or beyond its bound.
    #[error("extension message: field `{0}` is missing or wrong")]
    Field(&'static str),
}

/// Writes `lt_donthave` (BEP 54): the sender does not have this piece any more.
#[must_use]
pub fn encode_dont_have(piece: PieceIndex) -> Bytes {
    Bytes::copy_from_slice(&piece.0.to_be_bytes())
}

/// Reads `lt_donthave` (BEP 54).
///
/// # Errors
/// [`ExtError::Field`] when it does not have four bytes.
pub fn decode_dont_have(payload: &[u8]) -> Result<PieceIndex, ExtError> {
    let bytes = payload.try_into().map_err(|_| ExtError::Field("piece"))?;
    Ok(PieceIndex(u32::from_be_bytes(bytes)))
}

/// Writes `upload_only` (BEP 21 as libtorrent sends it): the sender will not download, though it may lack pieces.
#[must_use]
pub fn encode_upload_only(upload_only: bool) -> Bytes {
    Bytes::copy_from_slice(&[u8::from(upload_only)])
}

/// Reads `upload_only`.
///
/// # Errors
/// [`ExtError::Field`] when it does not have one byte.
pub fn decode_upload_only(payload: &[u8]) -> Result<bool, ExtError> {
    match payload {
        [flag] => Ok(*flag != 0),
        _ => Err(ExtError::Field("upload_only")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_messages() {
        assert_eq!(decode_dont_have(&encode_dont_have(PieceIndex(7))), Ok(PieceIndex(7)));
        assert!(decode_dont_have(&[0; 3]).is_err());
        assert_eq!(decode_upload_only(&encode_upload_only(true)), Ok(true));
        assert!(decode_upload_only(&[]).is_err());
    }
}
