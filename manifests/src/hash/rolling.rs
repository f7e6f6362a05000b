//! The rolling checksum: finds blocks of a new file at any offset of an old one.
//!
//! It is published beside the leaves (`<root>-<len>.sums`: one u64 a block, little endian) and nobody trusts it: where it
//! matches, the block's SHA-256 leaf decides. What it computes is part of the format; it must not change.
//!
//! Every byte stands for a number of 64 bits. The checksum joins their sum and their sum weighted by position, so that
//! moving the window by one byte takes a few additions that do not wait for each other. The upper half is of the weighted
//! sum alone, so that a filter can be asked before the rest is computed.

use super::{BLOCK_BYTES, BLOCK_LEN};

/// What each byte stands for: SplitMix64 from 0, one number a byte.
static TABLE: [u64; 256] = numbers_of_bytes(0);
/// Bytes moved over before anyone looks whether one of the windows was met: keeps the loop free of branches.
const STRIDE: usize = 16;
/// The window's length as a power of two.
const SHIFT: u32 = BLOCK_LEN.trailing_zeros();

/// A number for every value of a byte: SplitMix64 from `seed` on.
pub(crate) const fn numbers_of_bytes(seed: u64) -> [u64; 256] {
    let mut table = [0; 256];
    let mut state = seed;
    let mut at = 0;
    while at < 256 {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        table[at] = z ^ (z >> 31);
        at += 1;
    }
    table
}

/// The checksum of a block of at most 16 KiB.
pub fn rolling(block: &[u8]) -> u64 {
    Roller::over(block).sum()
}

/// Reads a `.sums` file: numbers laid end to end. `None` when one is cut.
pub fn sums_from_bytes(bytes: &[u8]) -> Option<Vec<u64>> {
    let (whole, rest) = bytes.as_chunks::<8>();
    rest.is_empty().then(|| whole.iter().map(|sum| u64::from_le_bytes(*sum)).collect())
}

/// A `.sums` file of `sums`.
pub fn sums_to_bytes(sums: &[u64]) -> Vec<u8> {
    sums.iter().flat_map(|sum| sum.to_le_bytes()).collect()
}

/// A window of 16 KiB that moves over data.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Roller {
    plain: u64,
    weighted: u64,
}

impl Roller {
    /// Over the first window.
    pub(crate) fn over(window: &[u8]) -> Self {
        let (mut plain, mut weighted) = (0u64, 0u64);
        for byte in window {
            plain = plain.wrapping_add(TABLE[*byte as usize]);
            weighted = weighted.wrapping_add(plain);
        }
        Self { plain, weighted }
    }

    /// The checksum of the window.
    pub(crate) fn sum(self) -> u64 {
        self.weighted ^ (self.plain >> 32)
    }

    /// Moves by one byte: `out` leaves, `new` enters. The window is a whole block.
    fn roll(&mut self, out: u8, new: u8) {
        let out = TABLE[out as usize];
        self.plain = self.plain.wrapping_add(TABLE[new as usize]).wrapping_sub(out);
        self.weighted = self.weighted.wrapping_add(self.plain).wrapping_sub(out << SHIFT);
    }

    /// Moves on over `data`, whose first bytes are the window, until `may_be` says yes to a number whose upper half is
    /// the checksum's. Returns by how many bytes it moved; at the end of `data` without a yes, `None`.
    pub(crate) fn seek(&mut self, data: &[u8], may_be: impl Fn(u64) -> bool) -> Option<usize> {
        let ahead = data.get(BLOCK_BYTES..).unwrap_or_default();
        let (outs, _) = data.get(..ahead.len()).unwrap_or_default().as_chunks::<STRIDE>();
        let (news, _) = ahead.as_chunks::<STRIDE>();
        let mut moved = 0;
        for (outs, news) in outs.iter().zip(news) {
            let before = *self;
            let mut met = false;
            for (out, new) in outs.iter().zip(news) {
                self.roll(*out, *new);
                met |= may_be(self.weighted);
            }
            if met {
                *self = before;
                break;
            }
            moved += STRIDE;
        }
        let rest = data.get(moved..).unwrap_or_default().iter().zip(ahead.get(moved..).unwrap_or_default());
        for (out, new) in rest {
            self.roll(*out, *new);
            moved += 1;
            if may_be(self.weighted) {
                return Some(moved);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By another program, from the description above.
    const BLOCK_SUM: u64 = 0x9FCA_8976_2EF6_6B34;

    fn data(len: usize) -> Vec<u8> {
        (0..len as u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
    }

    #[test]
    fn rolling_is_the_same_as_starting_anew() {
        let data = data(3 * BLOCK_BYTES);
        let mut roller = Roller::over(&data[..BLOCK_BYTES]);
        for at in 1..=2 * BLOCK_BYTES {
            let moved = roller.seek(&data[at - 1..at + BLOCK_BYTES], |_| true);
            assert_eq!(moved, Some(1));
            if at % 997 == 0 || at < 5 || at == 2 * BLOCK_BYTES {
                assert_eq!(roller.sum(), rolling(&data[at..at + BLOCK_BYTES]), "at {at}");
            }
        }
        assert_eq!(roller.seek(&data[2 * BLOCK_BYTES..], |_| true), None, "at the end");
        for at in [1, 15, 16, 17, 1000, BLOCK_BYTES] {
            let wanted = rolling(&data[at..at + BLOCK_BYTES]);
            let mut roller = Roller::over(&data[..BLOCK_BYTES]);
            let moved = roller.seek(&data[..at + BLOCK_BYTES], |sum| sum >> 32 == wanted >> 32);
            assert_eq!((moved, roller.sum()), (Some(at), wanted));
        }
    }

    #[test]
    fn the_format_does_not_change() {
        assert_eq!(rolling(b""), 0);
        let block: Vec<u8> = (0..16_384u32).map(|at| (at % 251) as u8).collect();
        assert_eq!(rolling(&block), BLOCK_SUM);
        assert_eq!(TABLE[0], 0xE220_A839_7B1D_CDAF, "SplitMix64's first number");
        assert_eq!(rolling(&[0]), TABLE[0] ^ (TABLE[0] >> 32));
        assert_ne!(rolling(b"ab"), rolling(b"ba"), "order counts");
        let sums = vec![1, u64::MAX];
        assert_eq!(sums_from_bytes(&sums_to_bytes(&sums)), Some(sums));
        assert_eq!(sums_from_bytes(&[0; 9]), None);
    }
}
