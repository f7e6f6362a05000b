//! Messages to bytes and back. Lengths are checked before anything is kept for them: a message's claim is
//! held against its kind's bound as soon as its first five bytes are there.

use super::{HashRange, Message, WireError};
use crate::units::{BLOCK_LEN, BlockRef, PieceIndex, Root};
use bytes::{Buf, BufMut, BytesMut};

/// The longest extension message (BEP 10) that is read, in bytes: room for a metadata piece or a large PEX message.
pub const MAX_EXTENDED_LEN: u32 = 64 * 1024;
/// The most hashes in one `hashes` message: 512 of the base layer and a proof of up to 32 layers.
pub const MAX_HASHES: u32 = 512 + 32;
/// The longest bitfield that is read while the number of pieces is not known (magnet links), in bytes.
pub const MAX_UNKNOWN_BITFIELD_LEN: u32 = 512 * 1024;

const HASH_RANGE_LEN: u32 = 32 + 4 * 4;

mod id {
    pub(super) const CHOKE: u8 = 0;
    pub(super) const UNCHOKE: u8 = 1;
    pub(super) const INTERESTED: u8 = 2;
    pub(super) const NOT_INTERESTED: u8 = 3;
    pub(super) const HAVE: u8 = 4;
    pub(super) const BITFIELD: u8 = 5;
    pub(super) const REQUEST: u8 = 6;
    pub(super) const PIECE: u8 = 7;
    pub(super) const CANCEL: u8 = 8;
    pub(super) const PORT: u8 = 9;
    pub(super) const SUGGEST_PIECE: u8 = 13;
    pub(super) const HAVE_ALL: u8 = 14;
    pub(super) const HAVE_NONE: u8 = 15;
    pub(super) const REJECT_REQUEST: u8 = 16;
    pub(super) const ALLOWED_FAST: u8 = 17;
    pub(super) const EXTENDED: u8 = 20;
    pub(super) const HASH_REQUEST: u8 = 21;
    pub(super) const HASHES: u8 = 22;
    pub(super) const HASH_REJECT: u8 = 23;
}

/// Cuts a connection's byte stream into messages.
#[derive(Clone, Debug)]
pub struct Decoder {
    bitfield_len: Option<u32>,
}

impl Decoder {
    /// A decoder for a torrent with this many pieces. A bitfield must have exactly its length.
    #[must_use]
    pub fn new(piece_count: u32) -> Decoder {
        Decoder { bitfield_len: Some(piece_count.div_ceil(8)) }
    }

    /// A decoder for a torrent whose metadata is not known yet: takes bitfields up to
    /// [`MAX_UNKNOWN_BITFIELD_LEN`].
    #[must_use]
    pub fn without_metadata() -> Decoder {
        Decoder { bitfield_len: None }
    }

    /// The first whole message of `buf`, taken off it; `None` until there is one (room for the rest of it has then
    /// been reserved). The bytes of blocks, bitfields and extension messages are not copied but split off.
    ///
    /// # Errors
    /// [`WireError`] when the peer breaks the protocol; the connection is of no further use then.
    pub fn decode(&mut self, buf: &mut BytesMut) -> Result<Option<Message>, WireError> {
        let Some(&[a, b, c, d]) = buf.first_chunk() else { return Ok(None) };
        let len = u32::from_be_bytes([a, b, c, d]);
        if len == 0 {
            buf.advance(4);
            return Ok(Some(Message::KeepAlive));
        }
        let Some(&id) = buf.get(4) else { return Ok(None) };
        self.check_len(id, len - 1)?;
        let whole = 4 + len as usize;
        if buf.len() < whole {
            buf.reserve(whole - buf.len());
            return Ok(None);
        }
        buf.advance(5);
        let body = buf.split_to(len as usize - 1);
        Ok(Some(message(id, body)?))
    }

    /// `len` is without the message's number.
    fn check_len(&self, id: u8, len: u32) -> Result<(), WireError> {
        let sound = match id {
            id::CHOKE | id::UNCHOKE | id::INTERESTED | id::NOT_INTERESTED | id::HAVE_ALL | id::HAVE_NONE => {
                len == 0
            }
            id::HAVE | id::SUGGEST_PIECE | id::ALLOWED_FAST => len == 4,
            id::REQUEST | id::CANCEL | id::REJECT_REQUEST => len == 12,
            id::PORT => len == 2,
            id::BITFIELD => match self.bitfield_len {
                Some(expected) => len == expected,
                None => len <= MAX_UNKNOWN_BITFIELD_LEN,
            },
            id::PIECE => (8..=8 + BLOCK_LEN).contains(&len),
            id::EXTENDED => (1..=1 + MAX_EXTENDED_LEN).contains(&len),
            id::HASH_REQUEST | id::HASH_REJECT => len == HASH_RANGE_LEN,
            id::HASHES => {
                (HASH_RANGE_LEN..=HASH_RANGE_LEN + 32 * MAX_HASHES).contains(&len)
                    && (len - HASH_RANGE_LEN).is_multiple_of(32)
            }
            _ => len <= MAX_EXTENDED_LEN,
        };
        if sound { Ok(()) } else { Err(WireError::BadLength { id, len }) }
    }
}

/// The body's length has been checked for `id`.
fn message(id: u8, mut body: BytesMut) -> Result<Message, WireError> {
    let mut fields = Fields { id, body: &mut body };
    Ok(match id {
        id::CHOKE => Message::Choke,
        id::UNCHOKE => Message::Unchoke,
        id::INTERESTED => Message::Interested,
        id::NOT_INTERESTED => Message::NotInterested,
        id::HAVE_ALL => Message::HaveAll,
        id::HAVE_NONE => Message::HaveNone,
        id::HAVE => Message::Have(fields.piece()?),
        id::SUGGEST_PIECE => Message::SuggestPiece(fields.piece()?),
        id::ALLOWED_FAST => Message::AllowedFast(fields.piece()?),
        id::REQUEST => Message::Request(fields.block()?),
        id::CANCEL => Message::Cancel(fields.block()?),
        id::REJECT_REQUEST => Message::RejectRequest(fields.block()?),
        id::PORT => Message::Port(fields.u16()?),
        id::BITFIELD => Message::Bitfield(body.freeze()),
        id::PIECE => {
            let (piece, offset) = (fields.piece()?, fields.u32()?);
            Message::Piece { piece, offset, data: body.freeze() }
        }
        id::EXTENDED => {
            let id = fields.u8()?;
            Message::Extended { id, payload: body.freeze() }
        }
        id::HASH_REQUEST => Message::HashRequest(fields.hash_range()?),
        id::HASH_REJECT => Message::HashReject(fields.hash_range()?),
        id::HASHES => {
            let range = fields.hash_range()?;
            Message::Hashes { range, hashes: body.as_chunks().0.iter().map(|hash| Root(*hash)).collect() }
        }
        id => Message::Unknown { id },
    })
}

/// Reads fixed fields off a body; running short is an error, not a panic.
struct Fields<'a> {
    id: u8,
    body: &'a mut BytesMut,
}

impl Fields<'_> {
    fn short<T>(&self, value: Result<T, bytes::TryGetError>) -> Result<T, WireError> {
        value.map_err(|_| WireError::BadLength { id: self.id, len: self.body.len() as u32 })
    }

    fn u8(&mut self) -> Result<u8, WireError> {
        let value = self.body.try_get_u8();
        self.short(value)
    }

    fn u16(&mut self) -> Result<u16, WireError> {
        let value = self.body.try_get_u16();
        self.short(value)
    }

    fn u32(&mut self) -> Result<u32, WireError> {
        let value = self.body.try_get_u32();
        self.short(value)
    }

    fn piece(&mut self) -> Result<PieceIndex, WireError> {
        Ok(PieceIndex(self.u32()?))
    }

    fn block(&mut self) -> Result<BlockRef, WireError> {
        Ok(BlockRef { piece: self.piece()?, offset: self.u32()?, len: self.u32()? })
    }

    fn hash_range(&mut self) -> Result<HashRange, WireError> {
        let mut root = [0; 32];
        let copied = self.body.try_copy_to_slice(&mut root);
        self.short(copied)?;
        Ok(HashRange {
            root: Root(root),
            base_layer: self.u32()?,
            index: self.u32()?,
            length: self.u32()?,
            proof_layers: self.u32()?,
        })
    }
}

/// Appends a message.
pub fn encode(message: &Message, out: &mut BytesMut) {
    match message {
        Message::KeepAlive => out.put_u32(0),
        Message::Choke => head(out, id::CHOKE, 0),
        Message::Unchoke => head(out, id::UNCHOKE, 0),
        Message::Interested => head(out, id::INTERESTED, 0),
        Message::NotInterested => head(out, id::NOT_INTERESTED, 0),
        Message::HaveAll => head(out, id::HAVE_ALL, 0),
        Message::HaveNone => head(out, id::HAVE_NONE, 0),
        Message::Have(piece) => put_piece(out, id::HAVE, *piece),
        Message::SuggestPiece(piece) => put_piece(out, id::SUGGEST_PIECE, *piece),
        Message::AllowedFast(piece) => put_piece(out, id::ALLOWED_FAST, *piece),
        Message::Request(block) => put_block(out, id::REQUEST, *block),
        Message::Cancel(block) => put_block(out, id::CANCEL, *block),
        Message::RejectRequest(block) => put_block(out, id::REJECT_REQUEST, *block),
        Message::Bitfield(bits) => put_bytes(out, id::BITFIELD, &[], bits),
        Message::Piece { piece, offset, data } => {
            out.put_slice(&piece_header(*piece, *offset, data.len() as u32));
            out.put_slice(data);
        }
        Message::Port(port) => put_bytes(out, id::PORT, &[], &port.to_be_bytes()),
        Message::Extended { id, payload } => put_bytes(out, id::EXTENDED, &[*id], payload),
        Message::HashRequest(range) => put_hashes(out, id::HASH_REQUEST, range, &[]),
        Message::HashReject(range) => put_hashes(out, id::HASH_REJECT, range, &[]),
        Message::Hashes { range, hashes } => put_hashes(out, id::HASHES, range, hashes),
        Message::Unknown { id } => head(out, *id, 0),
    }
}

/// What precedes the bytes of a block in a `piece` message, for senders that write header and data apart.
#[must_use]
pub fn piece_header(piece: PieceIndex, offset: u32, len: u32) -> [u8; 13] {
    let mut out = [0; 13];
    out[..4].copy_from_slice(&len.saturating_add(9).to_be_bytes());
    out[4] = id::PIECE;
    out[5..9].copy_from_slice(&piece.0.to_be_bytes());
    out[9..].copy_from_slice(&offset.to_be_bytes());
    out
}

/// `len` is without the message's number.
fn head(out: &mut BytesMut, id: u8, len: usize) {
    out.reserve(5 + len);
    out.put_u32(len as u32 + 1);
    out.put_u8(id);
}

fn put_bytes(out: &mut BytesMut, id: u8, first: &[u8], rest: &[u8]) {
    head(out, id, first.len() + rest.len());
    out.put_slice(first);
    out.put_slice(rest);
}

fn put_piece(out: &mut BytesMut, id: u8, piece: PieceIndex) {
    head(out, id, 4);
    out.put_u32(piece.0);
}

fn put_block(out: &mut BytesMut, id: u8, block: BlockRef) {
    head(out, id, 12);
    out.put_u32(block.piece.0);
    out.put_u32(block.offset);
    out.put_u32(block.len);
}

fn put_hashes(out: &mut BytesMut, id: u8, range: &HashRange, hashes: &[Root]) {
    head(out, id, HASH_RANGE_LEN as usize + 32 * hashes.len());
    out.put_slice(&range.root.0);
    for field in [range.base_layer, range.index, range.length, range.proof_layers] {
        out.put_u32(field);
    }
    for hash in hashes {
        out.put_slice(&hash.0);
    }
}

#[cfg(test)]
#[path = "codec_tests.rs"]
mod tests;
