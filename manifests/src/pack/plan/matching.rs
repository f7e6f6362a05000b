//! Where the bytes of a changed file are in the base.
//!
//! The old file at the same path is compared from both ends first. What is left is searched anchor by anchor; a hit is
//! held against the bytes and grown as far as they agree, and after it ends the same diagonal is tried again beyond a
//! small difference.

use std::collections::HashMap;

use super::source::{Source, common_prefix, common_suffix, len_of};
use super::streams::{self, Stream};
use crate::chunk::{AnchorIndex, AnchorIndexBuilder, WINDOW_BYTES, anchor_bits, anchors};
use crate::pack::PackError;
use crate::pack::clock::thread_cpu_s;
use crate::pack::content::TreeRef;
use crate::pack::pool;
use crate::release::FileKind;

/// A match shorter than this is noise.
pub(super) const MIN_MATCH: u64 = 24;
/// How far past the end of a match its diagonal is tried again.
const BRIDGE_BYTES: u64 = 256;
/// Bytes of a file searched for anchors at a time.
const SCAN_BYTES: usize = 1 << 20;
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

/// What matching needs to know of the base.
pub(super) struct BaseIndex<'a> {
    pub(super) tree: TreeRef<'a>,
    anchors: AnchorIndex,
    /// Where each file begins when all are laid end to end. An anchor's place is that of its window's last byte.
    starts: Vec<u64>,
    by_path: HashMap<&'a str, u32>,
}

impl<'a> BaseIndex<'a> {
    /// Reads the whole base once, on every core. Content that stands in it twice is read once. Tells the CPU-seconds it took.
    pub(super) fn build(tree: TreeRef<'a>, wanted: u64, threads: usize) -> Result<(Self, f64), PackError> {
        let mut seen = std::collections::HashSet::new();
        let mut starts = Vec::with_capacity(tree.files.len());
        let mut files = Vec::new();
        let mut by_path = HashMap::new();
        let mut total = 0u64;
        for (ordinal, file) in (0u32..).zip(tree.files) {
            starts.push(total);
            total = total.saturating_add(file.identity.len);
            if file.kind == FileKind::File && file.identity.len > 0 {
                by_path.insert(file.path.as_str(), ordinal);
                if seen.insert(file.identity) {
                    files.push(ordinal);
                }
            }
        }
        let bits = anchor_bits(total, wanted);
        let mut builder = AnchorIndexBuilder::default();
        let groups = by_size(&files, |file| len_of(tree, file));
        let work = |at: usize| {
            let begin = thread_cpu_s();
            let mut places = Vec::new();
            for file in groups.get(at).into_iter().flatten() {
                let start = starts.get(*file as usize).copied().unwrap_or(0);
                scan(tree, *file, bits, &mut |at, hash| places.push((hash, start + at - 1)))?;
            }
            Ok((places, thread_cpu_s() - begin))
        };
        let mut cpu_s = 0.0;
        pool::ordered(threads, groups.len(), &work, &mut |_, (places, cpu): (Vec<(u64, u64)>, f64)| {
            builder.add(&places);
            cpu_s += cpu;
            Ok::<(), PackError>(())
        })?;
        let begin = thread_cpu_s();
        let index = Self { tree, anchors: builder.finish(bits), starts, by_path };
        Ok((index, cpu_s + thread_cpu_s() - begin))
    }

    /// The old file at a path.
    pub(super) fn at_path(&self, path: &str) -> Option<u32> {
        self.by_path.get(path).copied()
    }

    /// The file an anchor lies in, and its position there.
    fn place(&self, place: u64) -> (u32, u64) {
        let after = self.starts.partition_point(|start| *start <= place);
        // Empty files begin where the next one does: the last that begins there is the one with bytes.
        let file = after.saturating_sub(1);
        (u32::try_from(file).unwrap_or(u32::MAX), place + 1 - self.starts.get(file).copied().unwrap_or(0))
    }
}

/// Runs of files that make similar amounts of work.
pub(super) fn by_size(files: &[u32], len: impl Fn(u32) -> u64) -> Vec<Vec<u32>> {
    const WORK_BYTES: u64 = 4 << 20;
    const WORK_FILES: usize = 256;
    let mut groups: Vec<Vec<u32>> = Vec::new();
    let mut sum = WORK_BYTES;
    for file in files {
        match groups.last_mut() {
            Some(group) if sum < WORK_BYTES && group.len() < WORK_FILES => group.push(*file),
            _ => {
                groups.push(vec![*file]);
                sum = 0;
            }
        }
        sum += len(*file);
    }
    groups
}

/// The anchors of one file, read by windows.
fn scan(tree: TreeRef<'_>, file: u32, bits: u32, found: &mut dyn FnMut(u64, u64)) -> Result<(), PackError> {
    let len = len_of(tree, file);
    let mut buffer = vec![0; SCAN_BYTES.min(usize::try_from(len).unwrap_or(SCAN_BYTES))];
    let mut start = 0u64;
    while start < len {
        let now = usize::try_from(len - start).map_or(buffer.len(), |rest| rest.min(buffer.len()));
        let window = buffer.get_mut(..now).unwrap_or_default();
        tree.content.read_at(file, start, window).map_err(|source| PackError::Read {
            tree: "base",
            file,
            source,
        })?;
        anchors(window, bits, |at, hash| {
            found(start + at as u64, hash);
            true
        });
        if start + now as u64 >= len {
            break;
        }
        // The next window begins so that the first position it can see is the one after the last of this.
        start += (now - (WINDOW_BYTES - 1)) as u64;
    }
    Ok(())
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

    /// Matches in the file's order, none overlapping in the target.
    pub(super) fn matches(&mut self, file: u32, old: Option<u32>) -> Result<Vec<Match>, PackError> {
        let len = self.target.len(file);
        let mut list = Vec::new();
        let mut end = len;
        let mut tail = None;
        if let Some(old) = old {
            let old_len = self.base.len(old);
            let first = self.forward(file, Match { target: 0, file: old, base: 0, len: 0 }, len)?;
            if first.len < len {
                let seed = Match { target: len, file: old, base: old_len, len: 0 };
                let grown = self.backward(file, seed, first.end())?;
                if grown.len >= MIN_MATCH {
                    end = grown.target;
                    tail = Some(grown);
                }
            }
            self.follow(file, first, end, &mut list)?;
        }
        self.search(file, old, end, &mut list)?;
        list.extend(tail);
        Ok(list)
    }

    /// The streams of the file to open; what of `matches` lies in them goes.
    pub(super) fn streams(
        &mut self,
        file: u32,
        old: Option<u32>,
        path: &str,
        matches: &mut Vec<Match>,
    ) -> Result<Vec<Stream>, PackError> {
        let base = old.map(|old| (&mut self.base, old));
        streams::choose(&mut self.target, file, base, path, matches)
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

    /// Searches what is not matched yet, from the end of the last match to `end`.
    fn search(
        &mut self,
        file: u32,
        old: Option<u32>,
        end: u64,
        list: &mut Vec<Match>,
    ) -> Result<(), PackError> {
        let mut done = list.last().map_or(0, Match::end);
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
            if window_end >= end && jumped.is_none() {
                break;
            }
            start = jumped.unwrap_or(window_end).saturating_sub(WINDOW_BYTES as u64 - 1);
        }
        Ok(())
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
