//! The part of CBOR a manifest is written in, in its one deterministic form (RFC 8949 §4.2.1).
//!
//! The reader accepts nothing the writer would not have produced: shortest integers, definite lengths, map keys in
//! bytewise order and once. So a value has one encoding, and a decoded manifest encodes to the bytes it came from.
//! Lengths are checked against the bytes that are left before anything is allocated for them.

/// Why bytes are not the deterministic CBOR that was expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CborError {
    /// The input ends inside a value.
    #[error("the data ends early")]
    Truncated,
    /// Bytes are left after the value.
    #[error("there is data after the end")]
    TrailingData,
    /// A value of another type stands here.
    #[error("unexpected type at byte {at}, expected {expected}")]
    WrongType {
        /// Offset of the value.
        at: usize,
        /// What was expected.
        expected: &'static str,
    },
    /// A longer form than needed, an indefinite length, a reserved value.
    #[error("not in deterministic form at byte {at}")]
    NotDeterministic {
        /// Offset of the value.
        at: usize,
    },
    /// Text that is not UTF-8.
    #[error("text at byte {at} is not UTF-8")]
    NotUtf8 {
        /// Offset of the value.
        at: usize,
    },
    /// More elements or a longer string than this field may have.
    #[error("{what} exceeds its limit of {limit}")]
    TooLarge {
        /// The field.
        what: &'static str,
        /// Its bound.
        limit: u64,
    },
    /// A map without a field it must have, or with one that is not known.
    #[error("expected the field {expected:?} at byte {at}")]
    WrongField {
        /// Offset of the key.
        at: usize,
        /// The field expected there.
        expected: &'static str,
    },
}

const UINT: u8 = 0;
const BYTES: u8 = 2;
const TEXT: u8 = 3;
const ARRAY: u8 = 4;
const MAP: u8 = 5;

/// Writes values one after the other. The caller gives map keys in bytewise order of their encoding.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    out: Vec<u8>,
}

impl Writer {
    fn head(&mut self, major: u8, value: u64) {
        let major = major << 5;
        let [.., b3, b2, b1, b0] = value.to_be_bytes();
        match value {
            0..=23 => self.out.push(major | b0),
            24..=0xFF => self.out.extend_from_slice(&[major | 24, b0]),
            0x100..=0xFFFF => self.out.extend_from_slice(&[major | 25, b1, b0]),
            0x1_0000..=0xFFFF_FFFF => self.out.extend_from_slice(&[major | 26, b3, b2, b1, b0]),
            _ => {
                self.out.push(major | 27);
                self.out.extend_from_slice(&value.to_be_bytes());
            }
        }
    }

    pub(crate) fn uint(&mut self, value: u64) -> &mut Self {
        self.head(UINT, value);
        self
    }

    pub(crate) fn bytes(&mut self, value: &[u8]) -> &mut Self {
        self.head(BYTES, value.len() as u64);
        self.out.extend_from_slice(value);
        self
    }

    pub(crate) fn text(&mut self, value: &str) -> &mut Self {
        self.head(TEXT, value.len() as u64);
        self.out.extend_from_slice(value.as_bytes());
        self
    }

    /// Opens an array; exactly `len` values must follow.
    pub(crate) fn array(&mut self, len: usize) -> &mut Self {
        self.head(ARRAY, len as u64);
        self
    }

    /// Opens a map; exactly `len` pairs must follow.
    pub(crate) fn map(&mut self, len: usize) -> &mut Self {
        self.head(MAP, len as u64);
        self
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        self.out
    }
}

/// Reads what [`Writer`] wrote, from bytes nobody vouches for.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    data: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(data: &'a [u8]) -> Self {
        Self { data, at: 0 }
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], CborError> {
        let end = self.at.checked_add(len).ok_or(CborError::Truncated)?;
        let slice = self.data.get(self.at..end).ok_or(CborError::Truncated)?;
        self.at = end;
        Ok(slice)
    }

    fn head(&mut self, major: u8, expected: &'static str) -> Result<u64, CborError> {
        let at = self.at;
        let first = *self.take(1)?.first().ok_or(CborError::Truncated)?;
        if first >> 5 != major {
            return Err(CborError::WrongType { at, expected });
        }
        let (width, least) = match first & 0x1F {
            small @ 0..=23 => return Ok(u64::from(small)),
            24 => (1, 24),
            25 => (2, 0x100),
            26 => (4, 0x1_0000),
            27 => (8, 0x1_0000_0000),
            _ => return Err(CborError::NotDeterministic { at }),
        };
        let value = self.take(width)?.iter().fold(0u64, |sum, byte| sum << 8 | u64::from(*byte));
        if value < least { Err(CborError::NotDeterministic { at }) } else { Ok(value) }
    }

    fn bounded(
        &mut self,
        major: u8,
        expected: &'static str,
        what: &'static str,
        limit: u64,
    ) -> Result<usize, CborError> {
        let value = self.head(major, expected)?;
        let left = self.data.len() - self.at;
        if value > limit {
            return Err(CborError::TooLarge { what, limit });
        }
        // Every element takes at least one byte: a count beyond the input is a lie.
        usize::try_from(value).ok().filter(|len| *len <= left).ok_or(CborError::Truncated)
    }

    pub(crate) fn uint(&mut self, what: &'static str, limit: u64) -> Result<u64, CborError> {
        let value = self.head(UINT, "an unsigned integer")?;
        if value > limit { Err(CborError::TooLarge { what, limit }) } else { Ok(value) }
    }

    pub(crate) fn bytes(&mut self, what: &'static str, limit: u64) -> Result<&'a [u8], CborError> {
        let len = self.bounded(BYTES, "bytes", what, limit)?;
        self.take(len)
    }

    /// Bytes of a fixed length.
    pub(crate) fn fixed<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], CborError> {
        let at = self.at;
        let bytes = self.bytes(what, N as u64)?;
        bytes.try_into().map_err(|_| CborError::WrongType { at, expected: what })
    }

    pub(crate) fn text(&mut self, what: &'static str, limit: u64) -> Result<&'a str, CborError> {
        let at = self.at;
        let len = self.bounded(TEXT, "text", what, limit)?;
        std::str::from_utf8(self.take(len)?).map_err(|_| CborError::NotUtf8 { at })
    }

    pub(crate) fn array(&mut self, what: &'static str, limit: u64) -> Result<usize, CborError> {
        self.bounded(ARRAY, "an array", what, limit)
    }

    pub(crate) fn map(&mut self, what: &'static str, limit: u64) -> Result<usize, CborError> {
        self.bounded(MAP, "a map", what, limit)
    }

    /// The key that must come next in a map whose fields are known.
    pub(crate) fn key(&mut self, expected: &'static str) -> Result<(), CborError> {
        let at = self.at;
        match self.text("a field name", 64) {
            Ok(found) if found == expected => Ok(()),
            Ok(_) | Err(CborError::WrongType { .. } | CborError::TooLarge { .. }) => {
                Err(CborError::WrongField { at, expected })
            }
            Err(other) => Err(other),
        }
    }

    /// Offset of the next value, for messages.
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    pub(crate) fn finish(self) -> Result<(), CborError> {
        if self.at == self.data.len() { Ok(()) } else { Err(CborError::TrailingData) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn integers_take_their_shortest_form() {
        // RFC 8949, appendix A.
        let table: &[(u64, &[u8])] = &[
            (0, &[0x00]),
            (23, &[0x17]),
            (24, &[0x18, 0x18]),
            (255, &[0x18, 0xFF]),
            (256, &[0x19, 0x01, 0x00]),
            (65_535, &[0x19, 0xFF, 0xFF]),
            (65_536, &[0x1A, 0, 1, 0, 0]),
            (u64::from(u32::MAX) + 1, &[0x1B, 0, 0, 0, 1, 0, 0, 0, 0]),
            (u64::MAX, &[0x1B, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]),
        ];
        for (value, bytes) in table {
            let mut writer = Writer::default();
            writer.uint(*value);
            assert_eq!(&writer.finish(), bytes);
            let mut reader = Reader::new(bytes);
            assert_eq!(reader.uint("n", u64::MAX), Ok(*value));
            reader.finish().unwrap();
        }
        for long in [&[0x18, 0x17][..], &[0x19, 0, 0xFF], &[0x1A, 0, 0, 0xFF, 0xFF], &[0x1F], &[0x1C]] {
            assert_eq!(
                Reader::new(long).uint("n", u64::MAX),
                Err(CborError::NotDeterministic { at: 0 }),
                "{long:?}"
            );
        }
    }

    #[test]
    fn lengths_are_not_believed() {
        let huge = [0x5B, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF];
        assert!(matches!(Reader::new(&huge).bytes("b", 1 << 20), Err(CborError::TooLarge { .. })));
        assert_eq!(Reader::new(&huge).bytes("b", u64::MAX), Err(CborError::Truncated));
        assert_eq!(Reader::new(&[0x9A, 0, 1, 0, 0]).array("a", 1 << 20), Err(CborError::Truncated));
        // Indefinite lengths are not deterministic.
        assert!(matches!(Reader::new(&[0x9F]).array("a", 9), Err(CborError::NotDeterministic { .. })));
        assert!(matches!(Reader::new(&[0x62, 0xC3, 0x28]).text("t", 9), Err(CborError::NotUtf8 { at: 0 })));
        assert!(matches!(Reader::new(&[0xF6]).uint("n", 9), Err(CborError::WrongType { .. })));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(n: u64, bytes: Vec<u8>, text: String) {
            let mut writer = Writer::default();
            writer.map(1).text("k").array(3).uint(n).bytes(&bytes).text(&text);
            let out = writer.finish();
            let mut reader = Reader::new(&out);
            prop_assert_eq!(reader.map("m", 1), Ok(1));
            reader.key("k").unwrap();
            prop_assert_eq!(reader.array("a", 3), Ok(3));
            prop_assert_eq!(reader.uint("n", u64::MAX), Ok(n));
            prop_assert_eq!(reader.bytes("b", 1 << 20), Ok(&bytes[..]));
            prop_assert_eq!(reader.text("t", 1 << 20), Ok(&text[..]));
            prop_assert_eq!(reader.finish(), Ok(()));
        }
    }
}
