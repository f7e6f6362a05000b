//! How much two streams of bytes have in common: byte by byte at the same places, or anywhere.

use super::read::fill;
use std::collections::{HashMap, HashSet};
use std::io::Read;

/// Bytes looked at together.
const STEP: usize = 64 * 1024;
/// Anchors wanted of a file: enough to speak of percents.
const ANCHORS: u64 = 8192;
/// Anchors are at least so far apart on average (2^5) and at most (2^24).
const BITS: std::ops::RangeInclusive<u32> = 5..=24;
/// With fewer anchors nothing can be said.
const FEW_ANCHORS: u64 = 12;
/// Most bytes of a stream that are looked at: compressed data may open to any length.
const MAX_STREAM: u64 = 2 << 30;
/// Equal bytes between two differing ones that still count as one place.
const GAP: u64 = 3;

/// Where two streams of one length differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Differences {
    /// Bytes.
    pub(super) bytes: u64,
    /// Runs of such bytes.
    pub(super) places: u64,
    /// The longest run, from its first to its last differing byte.
    pub(super) longest: u64,
    /// Whether on both sides only digits stand there.
    pub(super) digits_only: bool,
}

/// Where they differ; none when in more than `most` bytes, or when one cannot be read.
pub(super) fn differences(old: &mut dyn Read, new: &mut dyn Read, most: u64) -> Option<Differences> {
    let mut found = Differences { bytes: 0, places: 0, longest: 0, digits_only: true };
    let (mut a, mut b) = (vec![0; STEP], vec![0; STEP]);
    let (mut at, mut run_start, mut last) = (0u64, 0u64, None::<u64>);
    loop {
        let (count, other) = (fill(old, &mut a)?, fill(new, &mut b)?);
        if count != other {
            return None;
        }
        if a.get(..count) != b.get(..count) {
            for (place, (x, y)) in (at..).zip(a.iter().zip(&b).take(count)).filter(|(_, (x, y))| x != y) {
                found.bytes += 1;
                found.digits_only &= x.is_ascii_digit() && y.is_ascii_digit();
                if last.is_none_or(|last| place - last > GAP + 1) {
                    found.places += 1;
                    run_start = place;
                }
                found.longest = found.longest.max(place - run_start + 1);
                last = Some(place);
            }
        }
        if found.bytes > most {
            return None;
        }
        if count < STEP {
            return Some(found);
        }
        at += count as u64;
    }
}

/// How much of a stream is in another, told from samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Likeness {
    anchors: u64,
    found: u64,
    in_place: u64,
}

impl Likeness {
    /// Of the new one that is in the old one.
    pub(super) fn found_percent(&self) -> u64 {
        self.found * 100 / self.anchors.max(1)
    }

    /// Of the new one that is in the old one, and not at the same place.
    pub(super) fn moved_percent(&self) -> u64 {
        (self.found - self.in_place) * 100 / self.anchors.max(1)
    }
}

/// Samples are taken where the content says so, so that the same data has the same samples wherever it stands. None when
/// there are too few, or when one stream cannot be read. `len` is about how long they are.
pub(super) fn likeness(old: &mut dyn Read, new: &mut dyn Read, len: u64) -> Option<Likeness> {
    let bits = (len / ANCHORS).checked_ilog2().unwrap_or(0).clamp(*BITS.start(), *BITS.end());
    let mut places: HashMap<u64, HashSet<u64>> = HashMap::new();
    anchors(old, bits, |place, hash| {
        places.entry(hash).or_default().insert(place);
    })?;
    let mut like = Likeness { anchors: 0, found: 0, in_place: 0 };
    anchors(new, bits, |place, hash| {
        like.anchors += 1;
        if let Some(there) = places.get(&hash) {
            like.found += 1;
            like.in_place += u64::from(there.contains(&place));
        }
    })?;
    (like.anchors >= FEW_ANCHORS).then_some(like)
}

/// Calls `found` with the place and hash of each anchor: a place whose last 64 bytes hash to so many leading zeros.
fn anchors(from: &mut dyn Read, bits: u32, mut found: impl FnMut(u64, u64)) -> Option<()> {
    let (mut hash, mut at) = (0u64, 0u64);
    let mut buf = vec![0; STEP];
    while at < MAX_STREAM {
        let count = fill(from, &mut buf)?;
        for byte in buf.iter().take(count) {
            hash = (hash << 1).wrapping_add(GEAR[usize::from(*byte)]);
            at += 1;
            if hash >> (64 - bits) == 0 && at >= 64 {
                found(at, hash);
            }
        }
        if count < buf.len() {
            break;
        }
    }
    Some(())
}

/// One random number a byte value (splitmix64 of a fixed seed). Nothing that is published depends on it.
static GEAR: [u64; 256] = {
    let mut table = [0u64; 256];
    let mut state = 0x5eed_0f9e_a4e5_0001u64;
    let mut at = 0;
    while at < 256 {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        table[at] = z ^ (z >> 31);
        at += 1;
    }
    table
};
