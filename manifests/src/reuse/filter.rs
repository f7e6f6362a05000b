//! Which checksums are looked for: asked once a byte, so first by a bit, then by the number.

use std::collections::HashMap;

/// Bits for each checksum: one byte in 512 passes by chance.
const BITS_EACH: u64 = 512;
const MIN_BITS_LOG: u32 = 12;
/// 8 MiB: more does not fit the caches anyway.
const MAX_BITS_LOG: u32 = 26;

/// A set of checksums that shrinks.
pub(super) struct Filter {
    bits: Vec<u64>,
    /// The checksum's top bits are the number of its bit.
    shift: u32,
    /// How many checksums share a bit.
    shared: HashMap<u64, u32>,
    /// What was inserted with each checksum.
    values: HashMap<u64, Vec<u32>>,
}

impl Filter {
    pub(super) fn new(entries: impl Iterator<Item = (u64, u32)>) -> Self {
        let mut values: HashMap<u64, Vec<u32>> = HashMap::new();
        for (sum, value) in entries {
            values.entry(sum).or_default().push(value);
        }
        let wanted = (values.len() as u64).saturating_mul(BITS_EACH).max(1);
        let log = wanted.next_power_of_two().trailing_zeros().clamp(MIN_BITS_LOG, MAX_BITS_LOG);
        let mut filter =
            Self { bits: vec![0; 1 << (log - 6)], shift: 64 - log, shared: HashMap::new(), values };
        for sum in filter.values.keys() {
            let bit = sum >> filter.shift;
            *filter.shared.entry(bit).or_insert(0) += 1;
            if let Some(word) = filter.bits.get_mut((bit >> 6) as usize) {
                *word |= 1 << (bit & 63);
            }
        }
        filter
    }

    pub(super) fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Whether the checksum may be in the set, by its upper half.
    pub(super) fn may_have(&self, sum: u64) -> bool {
        let bit = sum >> self.shift;
        self.bits.get((bit >> 6) as usize).is_some_and(|word| word & (1 << (bit & 63)) != 0)
    }

    pub(super) fn get(&self, sum: u64) -> &[u32] {
        self.values.get(&sum).map(Vec::as_slice).unwrap_or_default()
    }

    /// Takes values out; a checksum without any is no longer met.
    pub(super) fn remove(&mut self, sum: u64, gone: &[u32]) {
        let Some(values) = self.values.get_mut(&sum) else { return };
        values.retain(|value| !gone.contains(value));
        if !values.is_empty() {
            return;
        }
        self.values.remove(&sum);
        let bit = sum >> self.shift;
        if let Some(count) = self.shared.get_mut(&bit) {
            *count -= 1;
            if *count == 0 {
                self.shared.remove(&bit);
                if let Some(word) = self.bits.get_mut((bit >> 6) as usize) {
                    *word &= !(1 << (bit & 63));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_taken_out_is_not_met() {
        let (a, b) = (0xABCD << 48, (0xABCD << 48) | 1);
        let mut filter = Filter::new([(a, 1), (b, 2), (a, 3)].into_iter());
        assert!(filter.may_have(a) && filter.may_have(b) && !filter.may_have(1));
        assert_eq!((filter.get(a), filter.get(b), filter.get(7)), (&[1, 3][..], &[2][..], &[][..]));
        filter.remove(a, &[1]);
        assert_eq!(filter.get(a), [3]);
        filter.remove(a, &[3]);
        assert!(filter.may_have(b), "they share a bit");
        filter.remove(b, &[2]);
        assert!(!filter.may_have(b) && filter.is_empty());
        filter.remove(b, &[2]);
    }
}
