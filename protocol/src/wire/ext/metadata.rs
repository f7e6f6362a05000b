//! The info dictionary from peers (BEP 9 ut_metadata), in pieces of 16 KiB.

use super::ExtError;
use crate::bencode::{Limits, Owned, Value};
use bytes::{Bytes, BytesMut};

/// The largest info dictionary that is asked of peers, in bytes.
pub const MAX_METADATA_LEN: u32 = 32 * 1024 * 1024;

const PIECE_LEN: u32 = 16 * 1024;

/// A ut_metadata message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MetadataMessage {
    /// Asks for a piece.
    Request {
        /// Its number.
        piece: u32,
    },
    /// A piece.
    Data {
        /// Its number.
        piece: u32,
        /// Bytes of the whole info dictionary.
        total_size: u32,
        /// The piece's bytes.
        data: Bytes,
    },
    /// The piece will not be sent.
    Reject {
        /// Its number.
        piece: u32,
    },
}

impl MetadataMessage {
    /// The answer to a request: the piece, or a reject if there is none of this number.
    #[must_use]
    pub fn answer(info: &Bytes, piece: u32) -> MetadataMessage {
        let start = u64::from(piece) * u64::from(PIECE_LEN);
        let end = (start + u64::from(PIECE_LEN)).min(info.len() as u64);
        match u32::try_from(info.len()) {
            Ok(total_size) if start < end => {
                MetadataMessage::Data { piece, total_size, data: info.slice(start as usize..end as usize) }
            }
            _ => MetadataMessage::Reject { piece },
        }
    }

    /// As a payload.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let int = |number: u32| Owned::Int(i64::from(number));
        let head = |kind, piece: u32| vec![("msg_type", Owned::Int(kind)), ("piece", int(piece))];
        let (fields, data) = match self {
            MetadataMessage::Request { piece } => (head(0, *piece), &[][..]),
            MetadataMessage::Reject { piece } => (head(2, *piece), &[][..]),
            MetadataMessage::Data { piece, total_size, data } => {
                let mut fields = head(1, *piece);
                fields.push(("total_size", int(*total_size)));
                (fields, &data[..])
            }
        };
        let mut out = Owned::dict(fields).encode();
        out.extend_from_slice(data);
        out.into()
    }

    /// Reads a payload; a piece's bytes are shared with it. `None` for kinds that nobody has told us about, which are
    /// to be skipped.
    ///
    /// # Errors
    /// [`ExtError`]
    pub fn decode(payload: &Bytes) -> Result<Option<MetadataMessage>, ExtError> {
        let (value, rest) = Value::parse_prefix(payload, Limits::MESSAGE)?;
        let field = |name| value.get(name).and_then(Value::as_uint::<u32>).ok_or(ExtError::Field(name));
        let piece = field("piece")?;
        Ok(Some(match field("msg_type")? {
            0 => MetadataMessage::Request { piece },
            1 => {
                let data = payload.slice(payload.len() - rest.len()..);
                MetadataMessage::Data { piece, total_size: field("total_size")?, data }
            }
            2 => MetadataMessage::Reject { piece },
            _ => return Ok(None),
        }))
    }
}

/// Puts the pieces together. What comes out is not verified: its hash must be the one that was asked for.
#[derive(Clone, Debug)]
pub struct MetadataAssembler {
    size: u32,
    pieces: Vec<Option<Bytes>>,
}

impl MetadataAssembler {
    /// For an info dictionary of this size; `None` if that is zero or beyond [`MAX_METADATA_LEN`].
    #[must_use]
    pub fn new(size: u32) -> Option<MetadataAssembler> {
        let count = size.div_ceil(PIECE_LEN) as usize;
        (1..=MAX_METADATA_LEN).contains(&size).then(|| MetadataAssembler { size, pieces: vec![None; count] })
    }

    /// Bytes of the whole.
    #[must_use]
    pub fn size(&self) -> u32 {
        self.size
    }

    /// The pieces that are not there yet.
    pub fn missing(&self) -> impl Iterator<Item = u32> + '_ {
        (0u32..).zip(&self.pieces).filter(|(_, piece)| piece.is_none()).map(|(number, _)| number)
    }

    /// Takes a piece; false if it does not belong here (number, length, size of the whole).
    pub fn add(&mut self, piece: u32, total_size: u32, data: Bytes) -> bool {
        let start = u64::from(piece) * u64::from(PIECE_LEN);
        let expected = u64::from(self.size).saturating_sub(start).min(u64::from(PIECE_LEN));
        let fits = total_size == self.size && data.len() as u64 == expected && expected > 0;
        if let Some(place) = self.pieces.get_mut(piece as usize).filter(|_| fits) {
            *place = Some(data);
        }
        fits
    }

    /// The whole, once every piece is there.
    #[must_use]
    pub fn finish(&self) -> Option<Bytes> {
        let mut whole = BytesMut::new();
        for piece in &self.pieces {
            whole.extend_from_slice(piece.as_ref()?);
        }
        Some(whole.freeze())
    }

    /// Forgets every piece, after the whole proved false.
    pub fn restart(&mut self) {
        self.pieces.fill(None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn pieces_that_do_not_belong_are_refused() {
        let mut assembler = MetadataAssembler::new(16384 + 5).unwrap();
        let data = |len| Bytes::from(vec![1; len]);
        assert!(!assembler.add(2, 16389, data(5)));
        assert!(!assembler.add(u32::MAX, 16389, data(5)));
        assert!(!assembler.add(1, 16389, data(6)));
        assert!(!assembler.add(0, 16389, data(16383)));
        assert!(!assembler.add(1, 16388, data(5)));
        assert!(assembler.add(1, 16389, data(5)));
        assert_eq!(assembler.missing().collect::<Vec<_>>(), [0]);
        assert_eq!(assembler.finish(), None);
        assert!(MetadataAssembler::new(0).is_none());
        assert!(MetadataAssembler::new(MAX_METADATA_LEN + 1).is_none());
        assert_eq!(MetadataMessage::answer(&data(16384), 1), MetadataMessage::Reject { piece: 1 });
    }

    #[test]
    fn unknown_kinds_are_skipped() {
        assert_eq!(MetadataMessage::decode(&Bytes::from_static(b"d8:msg_typei9e5:piecei0ee")), Ok(None));
        assert!(MetadataMessage::decode(&Bytes::from_static(b"d8:msg_typei1e5:piecei0ee")).is_err());
        assert!(MetadataMessage::decode(&Bytes::from_static(b"d8:msg_typei0e5:piecei-1ee")).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn what_is_answered_is_assembled(info in prop::collection::vec(any::<u8>(), 1..40_000)) {
            let info = Bytes::from(info);
            let mut assembler = MetadataAssembler::new(info.len() as u32).unwrap();
            for piece in assembler.missing().collect::<Vec<_>>() {
                let answer = MetadataMessage::answer(&info, piece);
                prop_assert_eq!(MetadataMessage::decode(&answer.encode()), Ok(Some(answer.clone())));
                let MetadataMessage::Data { piece, total_size, data } = answer else { panic!("no data") };
                prop_assert!(assembler.add(piece, total_size, data));
            }
            prop_assert_eq!(assembler.finish(), Some(info));
        }
    }
}
