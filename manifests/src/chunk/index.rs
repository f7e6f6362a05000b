//! Where a release has which anchors.

/// Most anchors an index keeps: 16 bytes each.
const MAX_ANCHORS: u64 = 6 << 20;
/// Most anchors that one run of data adds, out of data that is made to have many.
pub const MAX_PER_RUN: usize = 1 << 20;
/// Places remembered of one anchor; data that repeats more often is found at its first places.
const MAX_PLACES: usize = 4;
/// Anchors are never denser than one in 2^7 bytes.
const MIN_BITS: u32 = 7;
/// Hashes begin with zero bits (that makes them anchors): the bits after them choose a bucket.
const BUCKET_BITS: u32 = 16;

/// How rare anchors have to be in a release of `total` bytes for at most `wanted` of them.
pub fn anchor_bits(total: u64, wanted: u64) -> u32 {
    let each = total.div_ceil(wanted.clamp(1, MAX_ANCHORS)).max(1);
    (64 - (each - 1).leading_zeros()).clamp(MIN_BITS, 40)
}

/// Collects anchors in any order.
#[derive(Debug, Default)]
pub struct AnchorIndexBuilder {
    places: Vec<(u64, u64)>,
}

impl AnchorIndexBuilder {
    /// Adds anchors as (hash, place); what a place means is the caller's.
    pub fn add(&mut self, places: &[(u64, u64)]) {
        let room = usize::try_from(2 * MAX_ANCHORS).unwrap_or(usize::MAX).saturating_sub(self.places.len());
        self.places.extend(places.iter().take(room));
    }

    /// Sorts them for look-up.
    pub fn finish(mut self, bits: u32) -> AnchorIndex {
        self.places.sort_unstable();
        let mut run = (u64::MAX, 0);
        self.places.retain(|(hash, _)| {
            run = if run.0 == *hash { (*hash, run.1 + 1) } else { (*hash, 1) };
            run.1 <= MAX_PLACES
        });
        self.places.shrink_to_fit();
        let shift = 64 - bits - BUCKET_BITS;
        let mut buckets = vec![0u32; (1 << BUCKET_BITS) + 1];
        for (hash, _) in &self.places {
            if let Some(count) = buckets.get_mut((hash >> shift) as usize + 1) {
                *count += 1;
            }
        }
        let mut sum = 0;
        for start in &mut buckets {
            sum += *start;
            *start = sum;
        }
        AnchorIndex { places: self.places, buckets, shift, bits }
    }
}

/// Anchors of a release by hash.
#[derive(Debug)]
pub struct AnchorIndex {
    places: Vec<(u64, u64)>,
    buckets: Vec<u32>,
    shift: u32,
    bits: u32,
}

impl AnchorIndex {
    /// How rare its anchors are, for [`super::anchors`].
    pub fn bits(&self) -> u32 {
        self.bits
    }

    /// The places of an anchor, ascending, at most a few.
    pub fn places(&self, hash: u64) -> impl Iterator<Item = u64> + '_ {
        let bucket = (hash >> self.shift) as usize;
        let start = self.buckets.get(bucket).copied().unwrap_or(0) as usize;
        let end = self.buckets.get(bucket + 1).copied().unwrap_or(0) as usize;
        let places = self.places.get(start..end).unwrap_or_default();
        let first = places.partition_point(|(other, _)| *other < hash);
        places.iter().skip(first).take_while(move |(other, _)| *other == hash).map(|(_, place)| *place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_found_and_bounded() {
        let bits = anchor_bits(1 << 20, 1 << 20);
        assert_eq!(bits, MIN_BITS);
        let mut builder = AnchorIndexBuilder::default();
        let hash = |n: u64| n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> bits;
        for n in 0..1000 {
            builder.add(&[(hash(n), n), (hash(3), 5000 + n)]);
        }
        let index = builder.finish(bits);
        assert_eq!(index.places(hash(999)).collect::<Vec<_>>(), [999]);
        assert_eq!(index.places(hash(3)).collect::<Vec<_>>(), [3, 5000, 5001, 5002]);
        assert_eq!(index.places(hash(1001)).count(), 0);
        assert_eq!(anchor_bits(3 << 30, 1 << 20), 12);
        assert!(anchor_bits(1 << 50, 1) <= 40);
    }
}
