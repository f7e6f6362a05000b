//! Bencoding (BEP 3), strict and bounded.
//!
//! There is exactly one way to write a value, and only that way is read: `i03e`, `i-0e`, `03:abc`, unsorted or
//! duplicate keys and trailing bytes are errors. Values borrow from the input and keep their raw span, so that
//! an info-hash is always the hash of the bytes that came, never of bytes written again.

use std::collections::BTreeMap;

/// What a reader of outside bytes is ready to spend. Byte strings are never copied, so their length is bounded by
/// the input's.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The longest input, in bytes.
    pub len: usize,
    /// The deepest nesting of lists and dictionaries.
    pub depth: u32,
    /// The most values, keys not counted.
    pub values: u32,
}

impl Limits {
    /// For a message from a peer.
    pub const MESSAGE: Limits = Limits { len: 128 * 1024, depth: 8, values: 8 * 1024 };
    /// For a tracker's answer.
    pub const TRACKER: Limits = Limits { len: 1024 * 1024, depth: 8, values: 64 * 1024 };
    /// For a torrent file or an info dictionary: about half a million files.
    pub const TORRENT: Limits = Limits { len: 96 * 1024 * 1024, depth: 128, values: 4 * 1024 * 1024 };
}

/// Why bytes are not a bencoded value. Positions are in bytes from the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BencodeError {
    /// The input ends within a value.
    #[error("the data ends too early")]
    Truncated,
    /// A byte that cannot stand where it stands.
    #[error("unexpected byte at {0}")]
    Unexpected(usize),
    /// An integer or length with a leading zero, a negative zero, no digits, or beyond 64 bits.
    #[error("malformed number at {0}")]
    BadNumber(usize),
    /// A dictionary's keys do not ascend strictly.
    #[error("keys out of order, or twice, at {0}")]
    BadKeyOrder(usize),
    /// The value ends before the input does.
    #[error("more data after the value, at {0}")]
    Trailing(usize),
    /// One of the [`Limits`].
    #[error("larger than is accepted")]
    Limit,
}

/// A value and the bytes it was read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value<'a> {
    /// The value as it stands in the input.
    pub raw: &'a [u8],
    /// What it is.
    pub kind: Kind<'a>,
}

/// The four kinds of values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind<'a> {
    /// `i…e`.
    Int(i64),
    /// `n:…`.
    Bytes(&'a [u8]),
    /// `l…e`.
    List(Vec<Value<'a>>),
    /// `d…e`, by strictly ascending keys.
    Dict(Vec<(&'a [u8], Value<'a>)>),
}

impl<'a> Value<'a> {
    /// Reads a value that is the whole input.
    ///
    /// # Errors
    /// [`BencodeError`]
    pub fn parse(bytes: &'a [u8], limits: Limits) -> Result<Value<'a>, BencodeError> {
        let (value, rest) = Value::parse_prefix(bytes, limits)?;
        if rest.is_empty() { Ok(value) } else { Err(BencodeError::Trailing(bytes.len() - rest.len())) }
    }

    /// Reads the value that the input begins with; gives the rest as well (BEP 9 puts data behind a dictionary).
    ///
    /// # Errors
    /// [`BencodeError`]
    pub fn parse_prefix(bytes: &'a [u8], limits: Limits) -> Result<(Value<'a>, &'a [u8]), BencodeError> {
        if bytes.len() > limits.len {
            return Err(BencodeError::Limit);
        }
        let mut reader = Reader { bytes, at: 0, values_left: limits.values };
        let value = reader.value(limits.depth)?;
        Ok((value, &bytes[reader.at..]))
    }

    /// The integer, if it is one.
    #[must_use]
    pub fn as_int(&self) -> Option<i64> {
        if let Kind::Int(int) = self.kind { Some(int) } else { None }
    }

    /// The integer, if it is one and fits.
    #[must_use]
    pub fn as_uint<T: TryFrom<i64>>(&self) -> Option<T> {
        self.as_int().and_then(|int| T::try_from(int).ok())
    }

    /// The byte string, if it is one.
    #[must_use]
    pub fn as_bytes(&self) -> Option<&'a [u8]> {
        if let Kind::Bytes(bytes) = self.kind { Some(bytes) } else { None }
    }

    /// The byte string as text, if it is one and is UTF-8.
    #[must_use]
    pub fn as_str(&self) -> Option<&'a str> {
        self.as_bytes().and_then(|bytes| std::str::from_utf8(bytes).ok())
    }

    /// The list's values, if it is one.
    #[must_use]
    pub fn as_list(&self) -> Option<&[Value<'a>]> {
        if let Kind::List(values) = &self.kind { Some(values) } else { None }
    }

    /// The dictionary's entries by ascending key, if it is one.
    #[must_use]
    pub fn as_dict(&self) -> Option<&[(&'a [u8], Value<'a>)]> {
        if let Kind::Dict(entries) = &self.kind { Some(entries) } else { None }
    }

    /// The dictionary's value for a key; none if it is not a dictionary.
    #[must_use]
    pub fn get(&self, key: impl AsRef<[u8]>) -> Option<&Value<'a>> {
        let entries = self.as_dict()?;
        let at = entries.binary_search_by(|(k, _)| (*k).cmp(key.as_ref())).ok()?;
        entries.get(at).map(|(_, value)| value)
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    values_left: u32,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Result<u8, BencodeError> {
        self.bytes.get(self.at).copied().ok_or(BencodeError::Truncated)
    }

    /// `depth` is how many containers may still be opened.
    fn value(&mut self, depth: u32) -> Result<Value<'a>, BencodeError> {
        self.values_left = self.values_left.checked_sub(1).ok_or(BencodeError::Limit)?;
        let start = self.at;
        let kind = match self.peek()? {
            b'i' => {
                self.at += 1;
                Kind::Int(self.number(b'e', true)?)
            }
            b'0'..=b'9' => Kind::Bytes(self.byte_string()?),
            b'l' => Kind::List(self.list(depth.checked_sub(1).ok_or(BencodeError::Limit)?)?),
            b'd' => Kind::Dict(self.dict(depth.checked_sub(1).ok_or(BencodeError::Limit)?)?),
            _ => return Err(BencodeError::Unexpected(start)),
        };
        Ok(Value { raw: &self.bytes[start..self.at], kind })
    }

    fn list(&mut self, depth: u32) -> Result<Vec<Value<'a>>, BencodeError> {
        self.at += 1;
        let mut values = Vec::new();
        while self.peek()? != b'e' {
            values.push(self.value(depth)?);
        }
        self.at += 1;
        Ok(values)
    }

    fn dict(&mut self, depth: u32) -> Result<Vec<(&'a [u8], Value<'a>)>, BencodeError> {
        self.at += 1;
        let mut entries: Vec<(&[u8], Value<'_>)> = Vec::new();
        while self.peek()? != b'e' {
            let at = self.at;
            let key = self.byte_string()?;
            if entries.last().is_some_and(|(last, _)| *last >= key) {
                return Err(BencodeError::BadKeyOrder(at));
            }
            entries.push((key, self.value(depth)?));
        }
        self.at += 1;
        Ok(entries)
    }

    fn byte_string(&mut self) -> Result<&'a [u8], BencodeError> {
        let start = self.at;
        if !self.peek()?.is_ascii_digit() {
            return Err(BencodeError::Unexpected(start));
        }
        let len = self.number(b':', false)?;
        let len = usize::try_from(len).map_err(|_| BencodeError::BadNumber(start))?;
        let end = self.at.checked_add(len).ok_or(BencodeError::Truncated)?;
        let bytes = self.bytes.get(self.at..end).ok_or(BencodeError::Truncated)?;
        self.at = end;
        Ok(bytes)
    }

    /// Decimal digits up to `end`, in the only way they can be written.
    fn number(&mut self, end: u8, signed: bool) -> Result<i64, BencodeError> {
        let start = self.at;
        let bad = BencodeError::BadNumber(start);
        let negative = signed && self.peek()? == b'-';
        self.at += usize::from(negative);
        let first = self.at;
        let mut number = 0i64;
        loop {
            match self.peek()? {
                digit @ b'0'..=b'9' => {
                    let digit = i64::from(digit - b'0');
                    let next = number.checked_mul(10);
                    let next =
                        next.and_then(|n| if negative { n.checked_sub(digit) } else { n.checked_add(digit) });
                    number = next.ok_or(bad)?;
                }
                byte if byte == end => break,
                _ => return Err(bad),
            }
            self.at += 1;
        }
        let digits = self.at - first;
        let leading_zero = digits > 1 && self.bytes[first] == b'0';
        if digits == 0 || leading_zero || (negative && number == 0) {
            return Err(bad);
        }
        self.at += 1;
        Ok(number)
    }
}

/// A value to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owned {
    /// `i…e`.
    Int(i64),
    /// `n:…`.
    Bytes(Vec<u8>),
    /// `l…e`.
    List(Vec<Owned>),
    /// `d…e`; the map keeps the keys in order.
    Dict(BTreeMap<Vec<u8>, Owned>),
    /// A value that is encoded already, such as an info dictionary.
    Raw(Vec<u8>),
}

impl Owned {
    /// A dictionary.
    pub fn dict<'k>(entries: impl IntoIterator<Item = (&'k str, Owned)>) -> Owned {
        Owned::Dict(entries.into_iter().map(|(key, value)| (key.as_bytes().to_vec(), value)).collect())
    }

    /// A list of strings.
    pub fn strings<S: AsRef<str>>(texts: impl IntoIterator<Item = S>) -> Owned {
        Owned::List(texts.into_iter().map(|text| Owned::from(text.as_ref())).collect())
    }

    /// The bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.encode_into(&mut out);
        out
    }

    /// Appends the bytes.
    pub fn encode_into(&self, out: &mut Vec<u8>) {
        match self {
            Owned::Int(int) => out.extend_from_slice(format!("i{int}e").as_bytes()),
            Owned::Bytes(bytes) => put_bytes(bytes, out),
            Owned::Raw(raw) => out.extend_from_slice(raw),
            Owned::List(values) => {
                out.push(b'l');
                values.iter().for_each(|value| value.encode_into(out));
                out.push(b'e');
            }
            Owned::Dict(entries) => {
                out.push(b'd');
                for (key, value) in entries {
                    put_bytes(key, out);
                    value.encode_into(out);
                }
                out.push(b'e');
            }
        }
    }
}

impl From<&str> for Owned {
    fn from(text: &str) -> Owned {
        Owned::Bytes(text.as_bytes().to_vec())
    }
}

impl From<&[u8]> for Owned {
    fn from(bytes: &[u8]) -> Owned {
        Owned::Bytes(bytes.to_vec())
    }
}

fn put_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(format!("{}:", bytes.len()).as_bytes());
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LIMITS: Limits = Limits { len: 10_000, depth: 6, values: 200 };

    fn parse(bytes: &[u8]) -> Result<Value<'_>, BencodeError> {
        Value::parse(bytes, LIMITS)
    }

    #[test]
    fn there_is_one_way_to_write_a_value() {
        use BencodeError as E;
        let cases: &[(&[u8], E)] = &[
            (b"", E::Truncated),
            (b"i03e", E::BadNumber(1)),
            (b"i-0e", E::BadNumber(1)),
            (b"i-03e", E::BadNumber(1)),
            (b"ie", E::BadNumber(1)),
            (b"i-e", E::BadNumber(1)),
            (b"i+1e", E::BadNumber(1)),
            (b"i 1e", E::BadNumber(1)),
            (b"i1", E::Truncated),
            (b"i9223372036854775808e", E::BadNumber(1)),
            (b"i-9223372036854775809e", E::BadNumber(1)),
            (b"03:abc", E::BadNumber(0)),
            (b"-1:a", E::Unexpected(0)),
            (b"3:ab", E::Truncated),
            (b"9223372036854775807:a", E::Truncated),
            (b"99999999999999999999:a", E::BadNumber(0)),
            (b"1a", E::BadNumber(0)),
            (b"le1:a", E::Trailing(2)),
            (b"l", E::Truncated),
            (b"d1:ai1e1:ai2ee", E::BadKeyOrder(7)),
            (b"d1:bi1e1:ai2ee", E::BadKeyOrder(7)),
            (b"di1ei2ee", E::Unexpected(1)),
            (b"d1:ae", E::Unexpected(4)),
            (b"e", E::Unexpected(0)),
            (b"x", E::Unexpected(0)),
        ];
        for (bytes, error) in cases {
            assert_eq!(parse(bytes), Err(*error), "{}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn extremes_are_read() {
        assert_eq!(parse(b"i9223372036854775807e").unwrap().as_int(), Some(i64::MAX));
        assert_eq!(parse(b"i-9223372036854775808e").unwrap().as_int(), Some(i64::MIN));
        assert_eq!(parse(b"i0e").unwrap().as_uint::<u8>(), Some(0));
        assert_eq!(parse(b"i256e").unwrap().as_uint::<u8>(), None);
        assert_eq!(parse(b"0:").unwrap().as_bytes(), Some(&b""[..]));
        assert_eq!(parse(b"d0:i1ee").unwrap().get("").and_then(Value::as_int), Some(1));
    }

    #[test]
    fn bounds_hold() {
        let nested = |n: usize| [vec![b'l'; n], vec![b'e'; n]].concat();
        assert!(parse(&nested(6)).is_ok());
        assert_eq!(parse(&nested(7)), Err(BencodeError::Limit));
        assert_eq!(parse(&vec![b'l'; 9_999]), Err(BencodeError::Limit));
        assert!(parse(&[&b"l"[..], &b"0:".repeat(199), b"e"].concat()).is_ok());
        assert_eq!(parse(&[&b"l"[..], &b"0:".repeat(200), b"e"].concat()), Err(BencodeError::Limit));
        assert_eq!(parse(&[0; 10_001]), Err(BencodeError::Limit));
    }

    #[test]
    fn raw_spans_and_prefixes() {
        let bytes = b"d4:infod1:ai1ee1:zlee123";
        let (value, rest) = Value::parse_prefix(bytes, LIMITS).unwrap();
        assert_eq!(value.get("info").unwrap().raw, b"d1:ai1ee");
        assert_eq!(rest, b"123");
    }

    fn values() -> impl Strategy<Value = Owned> {
        let bytes = || prop::collection::vec(any::<u8>(), 0..12);
        let leaf = prop_oneof![any::<i64>().prop_map(Owned::Int), bytes().prop_map(Owned::Bytes)];
        leaf.prop_recursive(4, 40, 6, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Owned::List),
                prop::collection::btree_map(bytes(), inner, 0..6).prop_map(Owned::Dict),
            ]
        })
    }

    fn to_owned(value: &Value<'_>) -> Owned {
        match &value.kind {
            Kind::Int(int) => Owned::Int(*int),
            Kind::Bytes(bytes) => Owned::Bytes(bytes.to_vec()),
            Kind::List(values) => Owned::List(values.iter().map(to_owned).collect()),
            Kind::Dict(entries) => {
                Owned::Dict(entries.iter().map(|(k, v)| (k.to_vec(), to_owned(v))).collect())
            }
        }
    }

    proptest! {
        #[test]
        fn round_trips_and_no_prefix_is_a_value(value in values()) {
            let bytes = value.encode();
            let read = parse(&bytes).unwrap();
            prop_assert_eq!(to_owned(&read), value);
            prop_assert_eq!(read.raw, &bytes[..]);
            for cut in 0..bytes.len() {
                prop_assert!(parse(&bytes[..cut]).is_err());
            }
        }

        #[test]
        fn what_is_read_is_written_again_as_it_was(noise in "[ilde0-9:-]{0,24}") {
            if let Ok(value) = parse(noise.as_bytes()) {
                prop_assert_eq!(to_owned(&value).encode(), noise.as_bytes());
            }
        }
    }
}
