//! A set of blocks of one torrent, as a bitmap.
//!
//! Block numbers run over the torrent's address space: `piece * blocks_per_piece + offset / 16 KiB`
//! (see [`crate::metainfo::Layout`]). Numbers of blocks that hold only trailing pad exist and are never set.
//! Invariants: no bit beyond `len` is set; `count` is the number of bits set.

use std::fmt;
use std::ops::Range;

/// A set of block numbers below a fixed length. Numbers at or beyond the length are never members, and
/// inserting them does nothing.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct BlockSet {
    words: Vec<u64>,
    len: u32,
    count: u32,
}

const BITS: u32 = u64::BITS;

impl BlockSet {
    /// An empty set over the numbers `0..len`.
    #[must_use]
    pub fn new(len: u32) -> BlockSet {
        BlockSet { words: vec![0; len.div_ceil(BITS) as usize], len, count: 0 }
    }

    /// The set of all the numbers `0..len`.
    #[must_use]
    pub fn full(len: u32) -> BlockSet {
        let mut set = BlockSet::new(len);
        set.insert_range(0..len);
        set
    }

    /// One more than the largest number that can be a member.
    #[must_use]
    pub fn len(&self) -> u32 {
        self.len
    }

    /// How many members.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Whether there are no members.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Whether `block` is a member.
    #[must_use]
    pub fn get(&self, block: u32) -> bool {
        block < self.len && self.words[(block / BITS) as usize] >> (block % BITS) & 1 == 1
    }

    /// Adds `block`; true if it was not a member before.
    pub fn set(&mut self, block: u32) -> bool {
        if block >= self.len || self.get(block) {
            return false;
        }
        self.words[(block / BITS) as usize] |= 1 << (block % BITS);
        self.count += 1;
        true
    }

    /// Takes `block` out; true if it was a member before.
    pub fn unset(&mut self, block: u32) -> bool {
        if !self.get(block) {
            return false;
        }
        self.words[(block / BITS) as usize] &= !(1 << (block % BITS));
        self.count -= 1;
        true
    }

    /// Takes every member out.
    pub fn clear(&mut self) {
        self.words.fill(0);
        self.count = 0;
    }

    /// Adds every number of the range (as far as it lies below the length).
    pub fn insert_range(&mut self, range: Range<u32>) {
        let mut added = 0;
        self.for_masks(range, |word, mask| {
            added += (mask & !*word).count_ones();
            *word |= mask;
        });
        self.count += added;
    }

    /// Takes every number of the range out.
    pub fn remove_range(&mut self, range: Range<u32>) {
        let mut removed = 0;
        self.for_masks(range, |word, mask| {
            removed += (mask & *word).count_ones();
            *word &= !mask;
        });
        self.count -= removed;
    }

    /// How many members lie in the range.
    #[must_use]
    pub fn count_range(&self, range: Range<u32>) -> u32 {
        masks(range, self.len).map(|(i, mask)| (self.words[i] & mask).count_ones()).sum()
    }

    /// Whether every number of the range is a member; true of an empty range.
    #[must_use]
    pub fn contains_range(&self, range: Range<u32>) -> bool {
        (range.is_empty() || range.end <= self.len)
            && masks(range, self.len).all(|(i, mask)| self.words[i] & mask == mask)
    }

    /// Whether any number of the range is a member.
    #[must_use]
    pub fn intersects_range(&self, range: Range<u32>) -> bool {
        masks(range, self.len).any(|(i, mask)| self.words[i] & mask != 0)
    }

    /// The smallest member at or after `from`.
    #[must_use]
    pub fn next_set(&self, from: u32) -> Option<u32> {
        self.next_where(from, |word| word)
    }

    /// The smallest number at or after `from` that is not a member but could be.
    #[must_use]
    pub fn next_unset(&self, from: u32) -> Option<u32> {
        self.next_where(from, |word| !word).filter(|&block| block < self.len)
    }

    /// The members in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.words.iter().zip(0u32..).flat_map(|(&word, i)| {
            let mut rest = word;
            std::iter::from_fn(move || {
                let bit = rest.trailing_zeros();
                rest &= rest.wrapping_sub(1);
                (bit < BITS).then_some(i * BITS + bit)
            })
        })
    }

    /// The members as maximal ranges in ascending order.
    pub fn ranges(&self) -> impl Iterator<Item = Range<u32>> + '_ {
        let mut from = 0;
        std::iter::from_fn(move || {
            let start = self.next_set(from)?;
            from = self.next_unset(start).unwrap_or(self.len);
            Some(start..from)
        })
    }

    /// Adds every member of `other`.
    pub fn union(&mut self, other: &BlockSet) {
        self.combine(other, |a, b| a | b);
    }

    /// Takes out every member of `other`.
    pub fn subtract(&mut self, other: &BlockSet) {
        self.combine(other, |a, b| a & !b);
    }

    /// Keeps only the members of `other`.
    pub fn intersect(&mut self, other: &BlockSet) {
        for word in self.words.iter_mut().skip(other.words.len()) {
            *word = 0;
        }
        self.combine(other, |a, b| a & b);
    }

    /// Whether every member of `other` is a member.
    #[must_use]
    pub fn contains(&self, other: &BlockSet) -> bool {
        let shared = self.words.len();
        self.words.iter().zip(&other.words).all(|(a, b)| b & !a == 0)
            && other.words.iter().skip(shared).all(|&word| word == 0)
    }

    fn combine(&mut self, other: &BlockSet, op: impl Fn(u64, u64) -> u64) {
        for (a, b) in self.words.iter_mut().zip(&other.words) {
            *a = op(*a, *b);
        }
        if let (Some(last), rest @ 1..) = (self.words.last_mut(), self.len % BITS) {
            *last &= (1 << rest) - 1;
        }
        self.count = self.words.iter().map(|word| word.count_ones()).sum();
    }

    fn for_masks(&mut self, range: Range<u32>, mut each: impl FnMut(&mut u64, u64)) {
        for (i, mask) in masks(range, self.len) {
            each(&mut self.words[i], mask);
        }
    }

    fn next_where(&self, from: u32, pick: impl Fn(u64) -> u64) -> Option<u32> {
        if from >= self.len {
            return None;
        }
        let first = (from / BITS) as usize;
        let head = pick(self.words[first]) & (u64::MAX << (from % BITS));
        if head != 0 {
            return Some(first as u32 * BITS + head.trailing_zeros());
        }
        let (i, word) = self.words.iter().enumerate().skip(first + 1).find(|&(_, &word)| pick(word) != 0)?;
        Some(i as u32 * BITS + pick(*word).trailing_zeros())
    }
}

/// The words that a range touches, each with the mask of its bits in the range.
fn masks(range: Range<u32>, len: u32) -> impl Iterator<Item = (usize, u64)> {
    let (start, end) = (range.start, range.end.min(len));
    let words = if start < end { start / BITS..end.div_ceil(BITS) } else { 0..0 };
    words.map(move |i| {
        let low = start.saturating_sub(i * BITS);
        let high = (end - i * BITS).min(BITS);
        (i as usize, (u64::MAX << low) & (u64::MAX >> (BITS - high)))
    })
}

impl fmt::Debug for BlockSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BlockSet({}/{} ", self.count, self.len)?;
        f.debug_list().entries(self.ranges()).finish()?;
        f.write_str(")")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn edges_of_words() {
        for len in [0, 1, 63, 64, 65, 128, 130] {
            let full = BlockSet::full(len);
            assert_eq!(full.count(), len);
            assert_eq!(full.iter().collect::<Vec<_>>(), (0..len).collect::<Vec<_>>());
            assert_eq!(full.next_unset(0), None, "len {len}");
            assert!(full.contains_range(0..len));
            assert!(!full.contains_range(0..len + 1));
            assert!(!full.get(len));
        }
    }

    #[test]
    fn numbers_beyond_the_end_do_nothing() {
        let mut set = BlockSet::new(10);
        assert!(!set.set(10));
        set.insert_range(8..400);
        assert_eq!(set.iter().collect::<Vec<_>>(), [8, 9]);
        set.remove_range(9..u32::MAX);
        assert_eq!(set.count(), 1);
        set.intersect(&BlockSet::full(3));
        assert!(set.is_empty());
    }

    #[derive(Clone, Debug)]
    enum Op {
        Set(u32),
        Unset(u32),
        Insert(u32, u32),
        Remove(u32, u32),
    }

    fn ops() -> impl Strategy<Value = Vec<Op>> {
        let n = 0u32..300;
        prop::collection::vec(
            prop_oneof![
                n.clone().prop_map(Op::Set),
                n.clone().prop_map(Op::Unset),
                (n.clone(), n.clone()).prop_map(|(a, b)| Op::Insert(a, b)),
                (n.clone(), n).prop_map(|(a, b)| Op::Remove(a, b)),
            ],
            0..40,
        )
    }

    fn run(len: u32, ops: &[Op]) -> (BlockSet, BTreeSet<u32>) {
        let (mut set, mut model) = (BlockSet::new(len), BTreeSet::new());
        for op in ops {
            match *op {
                Op::Set(b) => assert_eq!(set.set(b), b < len && model.insert(b)),
                Op::Unset(b) => assert_eq!(set.unset(b), model.remove(&b)),
                Op::Insert(a, b) => {
                    set.insert_range(a..b);
                    model.extend((a..b).filter(|&x| x < len));
                }
                Op::Remove(a, b) => {
                    set.remove_range(a..b);
                    model.retain(|x| !(a..b).contains(x));
                }
            }
        }
        (set, model)
    }

    proptest! {
        #[test]
        fn behaves_as_a_set(len in 0u32..300, a in ops(), b in ops(), lo in 0u32..300, hi in 0u32..320) {
            let (set, model) = run(len, &a);
            let (other, other_model) = run(len, &b);
            prop_assert_eq!(set.iter().collect::<BTreeSet<_>>(), model.clone());
            prop_assert_eq!(set.count() as usize, model.len());
            prop_assert_eq!(set.ranges().flatten().collect::<BTreeSet<_>>(), model.clone());
            prop_assert_eq!(set.next_set(lo), model.range(lo..).next().copied());
            prop_assert_eq!(set.next_unset(lo), (lo..len).find(|x| !model.contains(x)));
            prop_assert_eq!(set.count_range(lo..hi) as usize, (lo..hi).filter(|x| model.contains(x)).count());
            prop_assert_eq!(set.contains_range(lo..hi), (lo..hi).all(|x| model.contains(&x)));
            prop_assert_eq!(set.intersects_range(lo..hi), (lo..hi).any(|x| model.contains(&x)));
            prop_assert_eq!(set.contains(&other), other_model.is_subset(&model));

            let mut joined = set.clone();
            joined.union(&other);
            prop_assert_eq!(joined.iter().collect::<BTreeSet<_>>(), &model | &other_model);
            let mut left = set.clone();
            left.subtract(&other);
            prop_assert_eq!(left.iter().collect::<BTreeSet<_>>(), &model - &other_model);
            let mut both = set;
            both.intersect(&other);
            prop_assert_eq!(both.iter().collect::<BTreeSet<_>>(), &model & &other_model);
            prop_assert_eq!(both.count() as usize, (&model & &other_model).len());
        }
    }
}
