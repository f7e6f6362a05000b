//! The rolling hash and the anchors it finds.

use crate::hash::numbers_of_bytes;

/// Bytes an anchor depends on: those up to and without its position.
pub const WINDOW_BYTES: usize = 32;
/// Each byte moves what came before by two bits: after 32 bytes it has left a 64-bit hash.
const SHIFT: u32 = 2;
/// Anchors nearer than this to the one before are left out: repeating data would be all anchors.
const LEAST_APART: usize = 16;

/// One random number a byte value (splitmix64 of a fixed seed: part of the format of nothing, but packs depend on it).
static GEAR: [u64; 256] = numbers_of_bytes(0x5A3A_12A5_EED0_5EED);

fn rolled(hash: u64, byte: u8) -> u64 {
    (hash << SHIFT).wrapping_add(GEAR[usize::from(byte)])
}

/// Calls `found` with (position, hash) of every anchor in `data`, ascending: one in 2^`bits` positions on average, none
/// before [`WINDOW_BYTES`]. Positions count from the start of `data` and lie just after the window. Stops when `found`
/// says so.
pub fn anchors(data: &[u8], bits: u32, mut found: impl FnMut(usize, u64) -> bool) {
    let shift = 64 - bits.clamp(1, 40);
    let Some((head, rest)) = data.split_at_checked(WINDOW_BYTES - 1) else { return };
    let mut hash = head.iter().fold(0, |hash, byte| rolled(hash, *byte));
    let mut next = 0;
    for (at, byte) in (WINDOW_BYTES..).zip(rest) {
        hash = rolled(hash, *byte);
        if hash >> shift == 0 && at >= next {
            if !found(at, hash) {
                return;
            }
            next = at + LEAST_APART;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(len: usize) -> Vec<u8> {
        let mut state = 7u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33) as u8
        };
        (0..len).map(|_| next()).collect()
    }

    fn all(data: &[u8], bits: u32) -> Vec<(usize, u64)> {
        let mut list = Vec::new();
        anchors(data, bits, |at, hash| {
            list.push((at, hash));
            true
        });
        list
    }

    #[test]
    fn anchors_move_with_their_bytes_and_are_as_dense_as_asked() {
        let data = noise(400_000);
        let before = all(&data, 8);
        assert!((1200..2000).contains(&before.len()), "{}", before.len());
        let moved = all(&[&[1, 2, 3], &data[..]].concat(), 8);
        let expected: Vec<_> = before.iter().map(|(at, hash)| (at + 3, *hash)).collect();
        let same = moved.iter().filter(|anchor| expected.contains(anchor)).count();
        assert!(same + 3 >= expected.len());
    }

    #[test]
    fn short_and_repeating_data_gives_few() {
        assert!(all(&[0; 31], 1).is_empty());
        for byte in 0..=255 {
            assert!(all(&[byte; 4096], 4).len() <= 4096 / LEAST_APART);
        }
    }
}
