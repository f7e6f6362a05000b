//! One type for each unit, so that an index is never taken for a count, nor a v1 hash for a v2 hash.

use std::fmt;
use std::ops::{Add, AddAssign, Sub};
use std::time::Duration;

/// The unit of transfer and of BEP 52's merkle leaves, in bytes.
pub const BLOCK_LEN: u32 = 16 * 1024;
/// The longest block a peer may request of us, in bytes. We request at most [`BLOCK_LEN`].
pub const MAX_REQUEST_LEN: u32 = 128 * 1024;

/// A moment, in microseconds since an epoch of the caller's own choice (the driver's start, the simulator's zero).
/// Arithmetic saturates: a moment beyond the end of time is the end of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(pub u64);

impl Time {
    /// The epoch itself.
    pub const ZERO: Time = Time(0);
    /// A moment that is never reached.
    pub const MAX: Time = Time(u64::MAX);

    /// Whole seconds after the epoch.
    #[must_use]
    pub const fn from_secs(secs: u64) -> Time {
        Time(secs.saturating_mul(1_000_000))
    }

    /// Milliseconds after the epoch.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Time {
        Time(millis.saturating_mul(1_000))
    }

    /// How long after `earlier` this is; zero if it is not after it.
    #[must_use]
    pub fn since(self, earlier: Time) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Time {
    type Output = Time;
    fn add(self, rhs: Duration) -> Time {
        Time(self.0.saturating_add(u64::try_from(rhs.as_micros()).unwrap_or(u64::MAX)))
    }
}

impl AddAssign<Duration> for Time {
    fn add_assign(&mut self, rhs: Duration) {
        *self = *self + rhs;
    }
}

impl Sub<Duration> for Time {
    type Output = Time;
    fn sub(self, rhs: Duration) -> Time {
        Time(self.0.saturating_sub(u64::try_from(rhs.as_micros()).unwrap_or(u64::MAX)))
    }
}

impl Sub for Time {
    type Output = Duration;
    fn sub(self, rhs: Time) -> Duration {
        self.since(rhs)
    }
}

/// The number of a piece, counted from 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PieceIndex(pub u32);

/// The number of a file in its torrent, counted from 0; pads are not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileIndex(pub u32);

impl PieceIndex {
    /// For indexing a slice.
    #[must_use]
    pub const fn idx(self) -> usize {
        self.0 as usize
    }
}

impl FileIndex {
    /// For indexing a slice.
    #[must_use]
    pub const fn idx(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Display for PieceIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for FileIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The wire's triple: `len` bytes at `offset` in a piece (BEP 3 `request`). Our own requests have at most
/// [`BLOCK_LEN`] bytes and begin at a multiple of it; another client's may not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlockRef {
    /// The piece.
    pub piece: PieceIndex,
    /// Bytes from the start of the piece.
    pub offset: u32,
    /// Bytes.
    pub len: u32,
}

macro_rules! bytes_newtype {
    ($(#[$doc:meta])* $name:ident, $len:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; $len]);

        impl $name {
            /// Reads exactly the right number of bytes; anything else is `None`.
            #[must_use]
            pub fn from_slice(bytes: &[u8]) -> Option<Self> {
                bytes.try_into().ok().map(Self)
            }

            /// Reads lower- or upper-case hexadecimal digits of exactly the right number.
            #[must_use]
            pub fn from_hex(digits: &str) -> Option<Self> {
                let mut out = [0; $len];
                hex::decode_to_slice(digits, &mut out).ok().map(|()| Self(out))
            }
        }

        impl AsRef<[u8]> for $name {
            fn as_ref(&self) -> &[u8] {
                &self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }
    };
}

macro_rules! hex_display {
    ($($name:ident),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }
    )*};
}

bytes_newtype!(
    /// SHA-1 of the raw `info` dictionary (BEP 3).
    InfoHashV1,
    20
);
bytes_newtype!(
    /// SHA-256 of the raw `info` dictionary (BEP 52).
    InfoHashV2,
    32
);
bytes_newtype!(
    /// What handshakes, trackers and the DHT carry: a v1 info-hash or the first 20 bytes of a v2 one.
    WireHash,
    20
);
bytes_newtype!(
    /// Who a peer says it is (BEP 20): a prefix for the client, the rest random.
    PeerId,
    20
);
bytes_newtype!(
    /// A node of a BEP 52 merkle tree; of a file, its `pieces root`.
    Root,
    32
);
hex_display!(InfoHashV1, InfoHashV2, WireHash, Root);

impl InfoHashV1 {
    /// The hash as the wire carries it.
    #[must_use]
    pub const fn wire(self) -> WireHash {
        WireHash(self.0)
    }
}

impl InfoHashV2 {
    /// The first 20 bytes: what the wire carries of it (BEP 52, "infohash truncation").
    #[must_use]
    pub fn truncated(self) -> WireHash {
        let mut out = [0; 20];
        out.copy_from_slice(&self.0[..20]);
        WireHash(out)
    }
}

impl Root {
    /// The leaf that stands beyond the end of a file (BEP 52).
    pub const ZERO: Root = Root([0; 32]);
}

impl PeerId {
    /// The prefix of Samara's launcher.
    pub const LAUNCHER_PREFIX: &'static [u8; 8] = b"-SA0100-";
    /// The prefix of Samara's seedbox: bytes from such a peer are origin bytes.
    pub const SEEDBOX_PREFIX: &'static [u8; 8] = b"-SB0100-";

    /// A prefix (BEP 20, Azureus style) and twelve random bytes.
    #[must_use]
    pub fn new(prefix: &[u8; 8], random: [u8; 12]) -> PeerId {
        let mut out = [0; 20];
        out[..8].copy_from_slice(prefix);
        out[8..].copy_from_slice(&random);
        PeerId(out)
    }

    /// Whether the id says it is a seedbox of ours, of any version.
    #[must_use]
    pub fn is_seedbox(&self) -> bool {
        self.0.starts_with(b"-SB")
    }
}

impl fmt::Display for PeerId {
    /// Printable ASCII as it is, every other byte as `.`; an id comes from outside and goes into logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write as _;
        self.0.iter().try_for_each(|&b| f.write_char(if b.is_ascii_graphic() { char::from(b) } else { '.' }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_saturates_at_both_ends() {
        assert_eq!(Time(5) - Time(9), Duration::ZERO);
        assert_eq!(Time(9) - Time(5), Duration::from_micros(4));
        assert_eq!(Time(u64::MAX - 1) + Duration::from_secs(1), Time::MAX);
        assert_eq!(Time(3) - Duration::from_secs(1), Time::ZERO);
        assert_eq!(Time::MAX + Duration::MAX, Time::MAX);
    }

    #[test]
    fn hashes_print_and_parse_as_hex() {
        let v2 = InfoHashV2(std::array::from_fn(|i| i as u8));
        assert_eq!(v2.truncated().to_string(), "000102030405060708090a0b0c0d0e0f10111213");
        assert_eq!(InfoHashV2::from_hex(&v2.to_string()), Some(v2));
        assert_eq!(InfoHashV2::from_hex("00"), None);
        assert_eq!(InfoHashV1::from_slice(&[0; 19]), None);
    }

    #[test]
    fn peer_ids_print_safely() {
        let id = PeerId::new(PeerId::SEEDBOX_PREFIX, *b"abc\x00\x1b\xff 12345");
        assert_eq!(id.to_string(), "-SB0100-abc....12345");
        assert!(id.is_seedbox());
        assert!(!PeerId::new(PeerId::LAUNCHER_PREFIX, [0; 12]).is_seedbox());
    }
}
