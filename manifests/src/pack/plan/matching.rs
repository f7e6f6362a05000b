//! Where the bytes of a changed file are in the base.
//!
//! The old file at the same path is compared from both ends first. What is left is searched anchor by anchor; a hit is
//! held against the bytes and grown as far as they agree, and after it ends the same diagonal is tried again beyond a
//! small difference.

use super::base::BaseIndex;
use super::runs::Run;
use super::source::{Source, common_prefix, common_suffix};
use super::streams::{self, Stream};
use crate::chunk::{WINDOW_BYTES, anchors};
use crate::pack::PackError;
use crate::pack::content::TreeRef;
use crate::pack::create::PackProgress;

/// A match shorter than this is noise.
pub(super) const MIN_MATCH: u64 = 24;
/// How far past the end of a match its diagonal is tried again.
const BRIDGE_BYTES: u64 = 256;
/// Bytes of a file searched for anchors at a time.
const SCAN_BYTES: usize = 1 << 20;
/// Where anchors find nothing, the old file is tried at the same place, at steps of this and for at least as many bytes.
const IN_PLACE_BYTES: u64 = 4096;
/// Candidates of one anchor that are grown to compare them.
const MAX_TRIED: usize = 4;

/// Equal bytes: `len` at `target` of the new file and at `base` of base file `file`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Match {
    pub(super) target: u64,
    pub(super) file: u32,
    pub(super) base: u64,
    pub(super) len: u64,
}

impl Match {
    pub(super) fn end(&self) -> u64 {
        self.target + self.len
    }

    pub(super) fn base_end(&self) -> u64 {
        self.base + self.len
    }
}

/// Tells how far matching is, and stops it.
#[derive(Clone, Copy)]
pub(super) struct Told<'a>(pub(super) &'a dyn PackProgress);

impl Told<'_> {
    /// So many more bytes were looked at.
    pub(super) fn advance(self, bytes: u64) -> Result<(), PackError> {
        self.0.advance(bytes);
        if self.0.cancelled() { Err(PackError::Cancelled) } else { Ok(()) }
    }
}

/// Finds the matches of one target file.
pub(super) struct Matcher<'a> {
    index: &'a BaseIndex<'a>,
    base: Source<'a>,
    target: Source<'a>,
    buffer: Vec<u8>,
}

impl<'a> Matcher<'a> {
    pub(super) fn new(index: &'a BaseIndex<'a>, target: TreeRef<'a>) -> Self {
        let (base, target) = (Source::new(index.tree, "base"), Source::new(target, "release"));
        Self { index, base, target, buffer: Vec::new() }
    }

    /// Matches of a run of a file, in its order, none overlapping in the target and none reaching beyond the run.
    pub(super) fn matches(
        &mut self,
        run: &Run,
        old: Option<u32>,
        told: Told<'_>,
    ) -> Result<Vec<Match>, PackError> {
        let (file, len) = (run.file, self.target.len(run.file));
        let mut list = Vec::new();
        let (mut tail, mut end) = (None, run.end);
        if let Some(old) = old {
            let mut first = Match { target: run.start, file: old, base: run.start, len: 0 };
            if run.start == 0 {
                first = self.forward(file, first, run.end)?;
            }
            if run.end == len && first.end() < len {
                let seed = Match { target: len, file: old, base: self.base.len(old), len: 0 };
                let grown = self.backward(file, seed, first.end())?;
                if grown.len >= MIN_MATCH {
                    end = grown.target;
                    tail = Some(grown);
                }
            }
            if run.start == 0 {
                self.follow(file, first, end, &mut list)?;
            }
        }
        let done = list.last().map_or(run.start, Match::end);
        told.advance(done - run.start)?;
        self.search(file, old, (done, end), &mut list, told)?;
        told.advance(run.end - end)?;
        list.extend(tail);
        Ok(list)
    }

    /// The streams of the file to open; what of `matches` lies in them goes.
    pub(super) fn streams(
        &mut self,
        file: u32,
        old: Option<u32>,
        matches: &mut Vec<Match>,
    ) -> Result<Vec<Stream>, PackError> {
        let base = old.map(|old| (&mut self.base, old));
        streams::choose(&mut self.target, file, base, matches)
    }

    /// Grows a match forwards, to `limit` of the target at most.
    fn forward(&mut self, file: u32, mut found: Match, limit: u64) -> Result<Match, PackError> {
        while found.end() < limit {
            let new = self.target.after(file, found.end())?;
            let old = self.base.after(found.file, found.base_end())?;
            let room = usize::try_from(limit - found.end()).unwrap_or(usize::MAX);
            let new = new.get(..room).unwrap_or(new);
            let same = common_prefix(new, old);
            found.len += same as u64;
            if same < new.len().min(old.len()) || same == 0 {
                break;
            }
        }
        Ok(found)
    }

    /// Grows a match backwards, to `limit` of the target at least.
    fn backward(&mut self, file: u32, mut found: Match, limit: u64) -> Result<Match, PackError> {
        while found.target > limit {
            let new = self.target.before(file, found.target)?;
            let old = self.base.before(found.file, found.base)?;
            let room = usize::try_from(found.target - limit).unwrap_or(usize::MAX);
            let new = new.get(new.len().saturating_sub(room)..).unwrap_or(new);
            let same = common_suffix(new, old) as u64;
            found.target -= same;
            found.base -= same;
            found.len += same;
            if same < (new.len().min(old.len())) as u64 || same == 0 {
                break;
            }
        }
        Ok(found)
    }

    /// Takes a match, and what follows on its diagonal beyond small differences.
    fn follow(
        &mut self,
        file: u32,
        first: Match,
        limit: u64,
        list: &mut Vec<Match>,
    ) -> Result<u64, PackError> {
        let mut last = first;
        if last.len >= MIN_MATCH {
            list.push(last);
        }
        while let Some(next) = self.bridge(file, last, limit)? {
            list.push(next);
            last = next;
        }
        Ok(last.end())
    }

    /// The next match on the diagonal of `last`, if it begins soon.
    fn bridge(&mut self, file: u32, last: Match, limit: u64) -> Result<Option<Match>, PackError> {
        let room = BRIDGE_BYTES.min(limit.saturating_sub(last.end()));
        for skipped in 1..room.saturating_sub(MIN_MATCH) {
            let seed =
                Match { target: last.end() + skipped, base: last.base_end() + skipped, len: 0, ..last };
            let new = self.target.after(file, seed.target)?.first().copied();
            let old = self.base.after(seed.file, seed.base)?.first().copied();
            if old.is_none() {
                return Ok(None);
            }
            if new == old {
                let grown = self.forward(file, seed, limit)?;
                if grown.len >= MIN_MATCH {
                    return Ok(Some(grown));
                }
            }
        }
        Ok(None)
    }

    /// Searches what is not matched yet.
    fn search(
        &mut self,
        file: u32,
        old: Option<u32>,
        (from, end): (u64, u64),
        list: &mut Vec<Match>,
        told: Told<'_>,
    ) -> Result<(), PackError> {
        let mut done = from;
        let mut told_to = from;
        // The window before the first unmatched byte may hold an anchor that lies in it.
        let mut start = done.saturating_sub(WINDOW_BYTES as u64 - 1);
        while start + (WINDOW_BYTES as u64) <= end {
            let hits = self.window(file, start, end)?;
            let window_end = start + self.buffer.len() as u64;
            let mut jumped = None;
            for (at, hash) in hits {
                let at = start + at as u64;
                if at <= done {
                    continue;
                }
                if let Some(found) = self.best(file, old, at, hash, done, end, list.last().copied())? {
                    done = self.follow(file, found, end, list)?;
                    if done > window_end {
                        jumped = Some(done);
                        break;
                    }
                }
            }
            if jumped.is_none()
                && done <= start + WINDOW_BYTES as u64
                && let Some(found) = self.in_place(file, old, (done, window_end), end)?
            {
                done = self.follow(file, found, end, list)?;
                jumped = Some(done.max(window_end));
            }
            let now = jumped.unwrap_or(window_end);
            told.advance(now - told_to)?;
            told_to = now;
            if now >= end || (window_end >= end && jumped.is_none()) {
                break;
            }
            start = now.saturating_sub(WINDOW_BYTES as u64 - 1);
        }
        told.advance(end - told_to)
    }

    /// Bytes that stayed where they were although they have no anchors: data without variety, zeros above all.
    fn in_place(
        &mut self,
        file: u32,
        old: Option<u32>,
        (from, to): (u64, u64),
        end: u64,
    ) -> Result<Option<Match>, PackError> {
        let Some(old) = old else { return Ok(None) };
        let mut at = from.next_multiple_of(IN_PLACE_BYTES);
        while at < to.min(self.base.len(old)) {
            let seed = Match { target: at, file: old, base: at, len: 0 };
            let probe = self.forward(file, seed, end.min(at + IN_PLACE_BYTES))?;
            if probe.len == IN_PLACE_BYTES {
                let back = self.backward(file, seed, from)?;
                return Ok(Some(self.forward(file, back, end)?));
            }
            at += IN_PLACE_BYTES;
        }
        Ok(None)
    }

    /// Reads the next window and lists its anchors.
    fn window(&mut self, file: u32, start: u64, end: u64) -> Result<Vec<(usize, u64)>, PackError> {
        let mut buffer = std::mem::take(&mut self.buffer);
        let len = usize::try_from(end - start).map_or(SCAN_BYTES, |rest| rest.min(SCAN_BYTES));
        buffer.clear();
        while buffer.len() < len {
            let part = self.target.after(file, start + buffer.len() as u64)?;
            let part = part.get(..len - buffer.len()).unwrap_or(part);
            if part.is_empty() {
                break;
            }
            buffer.extend_from_slice(part);
        }
        let mut hits = Vec::new();
        anchors(&buffer, self.index.anchors.bits(), |at, hash| {
            hits.push((at, hash));
            true
        });
        self.buffer = buffer;
        Ok(hits)
    }

    /// The best match that holds the anchor at `at`: one that goes on where the last left off, else the longest.
    #[allow(
        clippy::too_many_arguments,
        reason = "one search, one place: a struct for it would only be passed here"
    )]
    fn best(
        &mut self,
        file: u32,
        old: Option<u32>,
        at: u64,
        hash: u64,
        done: u64,
        end: u64,
        last: Option<Match>,
    ) -> Result<Option<Match>, PackError> {
        let index = self.index;
        let mut best: Option<(Match, bool)> = None;
        for place in index.anchors.places(hash).take(MAX_TRIED) {
            let (base_file, offset) = index.place(place);
            let seed = Match { target: at, file: base_file, base: offset, len: 0 };
            let back = self.backward(file, seed, done)?;
            if back.len < (WINDOW_BYTES as u64).min(at - done) {
                continue;
            }
            let grown = self.forward(file, back, end)?;
            let same = Some(base_file) == last.map_or(old, |last| Some(last.file));
            let longer = best.is_none_or(|(other, other_same)| (grown.len, same) > (other.len, other_same));
            if grown.len >= MIN_MATCH && longer {
                best = Some((grown, same));
            }
        }
        Ok(best.map(|(found, _)| found))
    }
}
