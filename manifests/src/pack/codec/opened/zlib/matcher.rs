//! Finding matches as zlib does: hash chains, walked so far and no further, and the lazy evaluation of its upper levels.

use super::Settings;
use super::trees::Blocks;

const MIN_MATCH: usize = 3;
const MAX_MATCH: usize = 258;
const WINDOW_BYTES: usize = 1 << 15;
const MIN_LOOKAHEAD: usize = MAX_MATCH + MIN_MATCH + 1;
/// How far back a match may lie.
const MAX_DISTANCE: usize = WINDOW_BYTES - MIN_LOOKAHEAD;
/// A match of three bytes further away than this is not worth its bits.
const TOO_FAR: usize = 4096;

/// What a level does: zlib's `configuration_table`.
struct Effort {
    /// With a match this long already, only a quarter of the chain is walked.
    good: usize,
    /// Lazy levels look no further after a match this long; fast ones enter no longer match into the chains.
    lazy: usize,
    /// A match this long ends the search.
    nice: usize,
    /// Places looked at.
    chain: usize,
}

const EFFORTS: [Effort; 9] = [
    Effort { good: 4, lazy: 4, nice: 8, chain: 4 },
    Effort { good: 4, lazy: 5, nice: 16, chain: 8 },
    Effort { good: 4, lazy: 6, nice: 32, chain: 32 },
    Effort { good: 4, lazy: 4, nice: 16, chain: 16 },
    Effort { good: 8, lazy: 16, nice: 32, chain: 32 },
    Effort { good: 8, lazy: 16, nice: 128, chain: 128 },
    Effort { good: 8, lazy: 32, nice: 128, chain: 256 },
    Effort { good: 32, lazy: 128, nice: 258, chain: 1024 },
    Effort { good: 32, lazy: 258, nice: 258, chain: 4096 },
];
/// Levels from this on are lazy.
const FIRST_LAZY: u8 = 4;

/// A match: how long, and where. Position 0 stands for none, as in zlib.
#[derive(Clone, Copy)]
struct Found {
    len: usize,
    start: usize,
}

/// The search over one plain text.
pub(super) struct Matcher<'a> {
    plain: &'a [u8],
    settings: Settings,
    effort: &'static Effort,
    /// The latest place of each hash.
    head: Vec<u32>,
    /// The place before, of each place in the window.
    prev: Vec<u32>,
    hash_bits: u32,
    /// Where zlib's window begins: what it has forgotten it cannot store.
    window: usize,
}

impl<'a> Matcher<'a> {
    pub(super) fn new(plain: &'a [u8], settings: Settings) -> Self {
        let hash_bits = u32::from(settings.memory) + 7;
        let [first, ..] = &EFFORTS;
        Self {
            plain,
            settings,
            effort: EFFORTS.get(usize::from(settings.level).saturating_sub(1)).unwrap_or(first),
            head: vec![0; 1 << hash_bits],
            prev: vec![0; WINDOW_BYTES],
            hash_bits,
            window: 0,
        }
    }

    /// Hands every symbol to `blocks`; none when what comes out is not what is expected.
    pub(super) fn run(mut self, blocks: &mut Blocks<'_>) -> Option<()> {
        if self.settings.level >= FIRST_LAZY { self.lazy(blocks) } else { self.fast(blocks) }
    }

    /// Enters a position into its chain and tells the one that was last; 0 near the end, where no match fits.
    fn insert(&mut self, at: usize) -> usize {
        let Some(&[a, b, c]) = self.plain.get(at..).and_then(|rest| rest.first_chunk::<MIN_MATCH>()) else {
            return 0;
        };
        let shift = self.hash_bits.div_ceil(MIN_MATCH as u32);
        let hash = u32::from(a) << (2 * shift) ^ u32::from(b) << shift ^ u32::from(c);
        let mask = (1u32 << self.hash_bits) - 1;
        let Some(head) = self.head.get_mut((hash & mask) as usize) else { return 0 };
        let last = std::mem::replace(head, u32::try_from(at).unwrap_or(0));
        if let Some(prev) = self.prev.get_mut(at % WINDOW_BYTES) {
            *prev = last;
        }
        last as usize
    }

    /// The first longest match beyond `than.len`, or `than`.
    fn longest(&self, at: usize, mut place: usize, than: Found) -> Found {
        let rest = self.plain.get(at..).unwrap_or_default();
        let scan = rest.get(..MAX_MATCH).unwrap_or(rest);
        let mut best = than;
        let mut chain = if than.len >= self.effort.good { self.effort.chain >> 2 } else { self.effort.chain };
        let limit = at.saturating_sub(MAX_DISTANCE);
        let nice = self.effort.nice.min(rest.len());
        while chain > 0 {
            let old = self.plain.get(place..).unwrap_or_default();
            // The byte that would make it longer tells most of them apart.
            if best.len < scan.len() && old.get(best.len) == scan.get(best.len) {
                let len = common(scan, old);
                if len > best.len {
                    best = Found { len, start: place };
                    if len >= nice {
                        break;
                    }
                }
            }
            place = self.prev.get(place % WINDOW_BYTES).copied().unwrap_or(0) as usize;
            if place <= limit {
                break;
            }
            chain -= 1;
        }
        Found { len: best.len.min(rest.len()), start: best.start }
    }

    fn reachable(at: usize, place: usize) -> bool {
        place != 0 && at - place <= MAX_DISTANCE
    }

    /// Moves the window on where zlib would.
    fn slide(&mut self, at: usize) {
        let filled = (self.window + 2 * WINDOW_BYTES).min(self.plain.len());
        if filled - at < MIN_LOOKAHEAD && at - self.window >= WINDOW_BYTES + MAX_DISTANCE {
            self.window += WINDOW_BYTES;
        }
    }

    /// `deflate_fast`.
    fn fast(&mut self, blocks: &mut Blocks<'_>) -> Option<()> {
        let mut at = 0;
        while at < self.plain.len() {
            self.slide(at);
            let place = self.insert(at);
            let mut found = Found { len: 0, start: 0 };
            if Self::reachable(at, place) {
                found = self.longest(at, place, Found { len: MIN_MATCH - 1, start: 0 });
            }
            let full = if found.len >= MIN_MATCH {
                let full = blocks.matched(found.len, at - found.start);
                let end = at + found.len;
                if found.len <= self.effort.lazy && self.plain.len() - end >= MIN_MATCH {
                    (at + 1..end).for_each(|at| {
                        self.insert(at);
                    });
                }
                at = end;
                full
            } else {
                at += 1;
                blocks.literal(at - 1)
            };
            if full {
                blocks.flush(at, self.window, false)?;
            }
        }
        blocks.flush(at, self.window, true)
    }

    /// `deflate_slow`: a match is taken only when the next byte begins none that is longer.
    fn lazy(&mut self, blocks: &mut Blocks<'_>) -> Option<()> {
        const NONE: usize = MIN_MATCH - 1;
        let (mut at, mut literal_waits) = (0, false);
        let mut found = Found { len: NONE, start: 0 };
        while at < self.plain.len() {
            self.slide(at);
            let place = self.insert(at);
            let before = found;
            found.len = NONE;
            if before.len < self.effort.lazy && Self::reachable(at, place) {
                found = self.longest(at, place, before);
                let far = found.len == MIN_MATCH && at - found.start > TOO_FAR;
                if found.len <= 5 && (self.settings.filtered || far) {
                    found.len = NONE;
                }
            }
            if before.len >= MIN_MATCH && found.len <= before.len {
                let full = blocks.matched(before.len, at - 1 - before.start);
                let end = at - 1 + before.len;
                (at + 1..end).for_each(|at| {
                    self.insert(at);
                });
                (at, literal_waits, found.len) = (end, false, NONE);
                if full {
                    blocks.flush(at, self.window, false)?;
                }
            } else {
                if literal_waits && blocks.literal(at - 1) {
                    blocks.flush(at, self.window, false)?;
                }
                literal_waits = true;
                at += 1;
            }
        }
        if literal_waits {
            blocks.literal(at - 1);
        }
        blocks.flush(at, self.window, true)
    }
}

/// How many bytes are equal.
fn common(a: &[u8], b: &[u8]) -> usize {
    let (words_a, _) = a.as_chunks::<8>();
    let (words_b, _) = b.as_chunks::<8>();
    let mut same = 0;
    for (x, y) in words_a.iter().zip(words_b) {
        let differ = u64::from_le_bytes(*x) ^ u64::from_le_bytes(*y);
        if differ != 0 {
            return same + differ.trailing_zeros() as usize / 8;
        }
        same += 8;
    }
    let (rest_a, rest_b) = (a.get(same..).unwrap_or_default(), b.get(same..).unwrap_or_default());
    same + rest_a.iter().zip(rest_b).take_while(|(x, y)| x == y).count()
}
