//! Sets of byte ranges: sorted, joined, not empty.

use std::ops::Range;

use crate::hash::BLOCK_LEN;

/// Adds `more`, which need not be in order.
pub(crate) fn add(set: &mut Vec<Range<u64>>, more: impl IntoIterator<Item = Range<u64>>) {
    set.extend(more);
    normalise(set);
}

/// Sorts, joins what touches, and drops what is empty.
pub(crate) fn normalise(set: &mut Vec<Range<u64>>) {
    set.retain(|range| range.start < range.end);
    set.sort_unstable_by_key(|range| range.start);
    set.dedup_by(|next, last| {
        let joins = next.start <= last.end;
        if joins {
            last.end = last.end.max(next.end);
        }
        joins
    });
}

/// Sum of the lengths.
pub(crate) fn bytes(set: &[Range<u64>]) -> u64 {
    set.iter().map(|range| range.end.saturating_sub(range.start)).sum()
}

/// What `set` has of `range`.
pub(crate) fn within(set: &[Range<u64>], range: &Range<u64>) -> impl Iterator<Item = Range<u64>> {
    let (start, end) = (range.start, range.end);
    let first = set.partition_point(|one| one.end <= start);
    let rest = set.get(first..).unwrap_or_default();
    rest.iter().take_while(move |one| one.start < end).map(move |one| one.start.max(start)..one.end.min(end))
}

/// What both sets have.
pub(crate) fn intersect(one: &[Range<u64>], other: &[Range<u64>]) -> Vec<Range<u64>> {
    one.iter().flat_map(|range| within(other, range)).collect()
}

/// What `set` has and `less` does not.
pub(crate) fn subtract(set: &[Range<u64>], less: &[Range<u64>]) -> Vec<Range<u64>> {
    let mut left = Vec::new();
    for range in set {
        let mut at = range.start;
        for gone in within(less, range) {
            if at < gone.start {
                left.push(at..gone.start);
            }
            at = gone.end;
        }
        if at < range.end {
            left.push(at..range.end);
        }
    }
    left
}

/// The whole blocks of a file of `len` bytes that `set` touches.
pub(crate) fn blocks(set: &[Range<u64>], len: u64) -> Vec<Range<u64>> {
    let mut out = Vec::with_capacity(set.len());
    add(
        &mut out,
        set.iter().map(|range| {
            let end = range.end.checked_next_multiple_of(BLOCK_LEN).unwrap_or(u64::MAX);
            range.start - range.start % BLOCK_LEN..end.min(len)
        }),
    );
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A set drawn as text: `#` is in.
    fn set(text: &str) -> Vec<Range<u64>> {
        let mut set = Vec::new();
        add(&mut set, (0u64..).zip(text.bytes()).filter(|(_, c)| *c == b'#').map(|(at, _)| at..at + 1));
        set
    }

    #[test]
    fn sets_in_a_table() {
        let (one, other) = (set("##.###..#"), set(".##.#####"));
        assert_eq!(intersect(&one, &other), set(".#..##..#"));
        assert_eq!(subtract(&one, &other), set("#..#....."));
        assert_eq!(bytes(&one), 6);
        assert_eq!(blocks(&[1..2, 16_384..16_385], 20_000), [0..20_000]);
        assert_eq!(blocks(&[16_383..16_384, 40_000..40_001], 100_000), [0..16_384, 32_768..49_152]);
        let mut joined = vec![5..6, 0..2, 2..3, 4..4];
        normalise(&mut joined);
        assert_eq!(joined, [0..3, 5..6]);
    }

    proptest! {
        #[test]
        fn parts_add_up(one in "[#.]{0,40}", other in "[#.]{0,40}") {
            let (one, other) = (set(&one), set(&other));
            let (both, rest) = (intersect(&one, &other), subtract(&one, &other));
            prop_assert_eq!(bytes(&both) + bytes(&rest), bytes(&one));
            let mut again = both;
            add(&mut again, rest);
            prop_assert_eq!(again, one);
        }
    }
}
