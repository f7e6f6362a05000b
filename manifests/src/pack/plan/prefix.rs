//! The base data a segment refers to: what looks like its gaps, in their order, within the bound.

use std::collections::{BTreeMap, HashSet};

use super::Tuning;
use super::matching::Match;
use super::segments::{Class, extension};
use crate::pack::MAX_PREFIX_BYTES;
use crate::pack::content::TreeRef;
use crate::pack::index::{BaseRange, View};
use crate::release::FileKind;

/// Ranges of one file nearer than this are taken as one: each costs the index some bytes.
const JOIN_BYTES: u64 = 2048;
/// What a segment's prefix is filled up with: so many bytes for each of its own...
const FILL_PART: u64 = 64;
/// ... and a file for so many of its own, for each is told in the index.
const FILL_FILE_BYTES: u64 = 4096;
/// A gap shorter than this is not worth base data of its own, in bytes.
const TINY_BYTES: u64 = 128;

/// Base data that looks like a run of target bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    file: u32,
    start: u64,
    end: u64,
    /// The target bytes it is for.
    target: (u64, u64),
}

impl Span {
    /// A range of the base for a run of target bytes.
    pub(super) fn whole(range: &BaseRange, target: (u64, u64)) -> Self {
        let end = range.offset + u64::from(range.len);
        Self { file: range.file, start: range.offset, end, target }
    }

    /// What of it is for `len` bytes at `offset` of the target file.
    pub(super) fn for_part(&self, offset: u64, len: u64) -> Option<Self> {
        (self.target.0 < offset + len && offset < self.target.1).then_some(*self)
    }
}

/// A gap and what is known of its surroundings.
pub(super) struct Around<'a> {
    pub(super) class: Class,
    pub(super) old: Option<u32>,
    pub(super) before: Option<Match>,
    pub(super) after: Option<Match>,
    /// Matches in the gap that are too short to copy.
    pub(super) small: &'a [Match],
    pub(super) offset: u64,
    pub(super) len: u64,
}

/// Gaps are referred to the base by parts of this, so that a segment takes what its part needs.
const PART_BYTES: u64 = 1 << 20;

/// The base data worth having for a gap. Ends beyond a file are cut later.
pub(super) fn spans(gap: &Around<'_>, tuning: &Tuning) -> Vec<Span> {
    let margin = tuning.margin_bytes;
    let end = gap.offset + gap.len;
    let mut spans: Vec<Span> = Vec::new();
    let mut push = |file: u32, start: u64, end: u64, target: (u64, u64)| {
        if end > start {
            spans.push(Span { file, start, end, target });
        }
    };
    if gap.before.is_none() && gap.after.is_none() {
        // Nothing of it is copied: the old file whole when it is small, or else what stood at the same places.
        if let Some(old) = gap.old
            && (gap.class == Class::Other || !gap.small.is_empty())
        {
            let mut at = 0;
            while at < gap.len {
                let to = (at + PART_BYTES).min(gap.len);
                let (start, stop) = if gap.len <= tuning.whole_bytes {
                    (0, tuning.whole_bytes)
                } else {
                    (at.saturating_sub(margin), to + margin)
                };
                push(old, start, stop, (gap.offset + at, gap.offset + to));
                at = to;
            }
        }
    } else if gap.len >= TINY_BYTES {
        // What stood between the copies, or beside the one there is.
        let reach = gap.len.min(margin);
        match (gap.before, gap.after) {
            (Some(before), Some(after)) if before.file == after.file && before.base_end() <= after.base => {
                let between = after.base - before.base_end();
                if between <= 4 * gap.len + margin {
                    push(
                        before.file,
                        before.base_end().saturating_sub(reach),
                        after.base + reach,
                        (gap.offset, end),
                    );
                }
            }
            (before, after) => {
                if let Some(before) = before {
                    let stop = before.base_end() + gap.len.min(margin) + reach;
                    push(before.file, before.base_end().saturating_sub(reach), stop, (gap.offset, end));
                }
                if let Some(after) = after {
                    let start = after.base.saturating_sub(gap.len.min(margin) + reach);
                    push(after.file, start, after.base + reach, (gap.offset, end));
                }
            }
        }
    }
    for found in gap.small {
        push(
            found.file,
            found.base.saturating_sub(margin),
            found.base_end() + margin,
            (found.target, found.end()),
        );
    }
    spans
}

/// Bytes of the base in any of the spans.
fn union_len(spans: &[Span]) -> u64 {
    let mut sorted: Vec<_> = spans.iter().map(|span| (span.file, span.start, span.end)).collect();
    sorted.sort_unstable();
    let (mut sum, mut reached) = (0, (0, 0));
    for (file, start, end) in sorted {
        let from = if file == reached.0 { start.max(reached.1) } else { start };
        sum += end.saturating_sub(from);
        reached = (file, end.max(from));
    }
    sum
}

/// Ranges collected for one segment.
#[derive(Debug, Default)]
pub(super) struct Prefix {
    /// Files in the order in which they were first asked for.
    order: Vec<u32>,
    /// Disjoint, ascending.
    ranges: BTreeMap<u32, Vec<(u64, u64)>>,
    len: u64,
}

impl Prefix {
    /// Whether these would still fit, overlaps with what is there not counted.
    pub(super) fn fits(&self, spans: &[Span]) -> bool {
        let more = union_len(spans);
        // Spans reach beyond files and into what is there: only a clear excess closes a segment.
        self.len + more / 4 <= u64::from(MAX_PREFIX_BYTES) && self.len < u64::from(MAX_PREFIX_BYTES)
    }

    /// Takes as much of the span as there is room for.
    pub(super) fn add(&mut self, span: &Span, base: Option<TreeRef<'_>>) {
        let Some(base) = base else { return };
        let len = super::source::len_of(base, span.file);
        self.take(span.file, span.start.min(len), span.end.min(len));
    }

    fn take(&mut self, file: u32, start: u64, mut end: u64) {
        if start >= end {
            return;
        }
        let room = u64::from(MAX_PREFIX_BYTES).saturating_sub(self.len);
        let list = self.ranges.entry(file).or_default();
        if list.is_empty() {
            end = end.min(start + room);
            if end > start {
                self.order.push(file);
                list.push((start, end));
                self.len += end - start;
            }
            return;
        }
        // The run of ranges it touches.
        let first = list.partition_point(|(_, other_end)| other_end + JOIN_BYTES < start);
        let last = list.partition_point(|(other_start, _)| *other_start <= end + JOIN_BYTES);
        let touched = list.get(first..last).unwrap_or_default();
        let merged = touched.iter().fold((start, end), |sum, other| (sum.0.min(other.0), sum.1.max(other.1)));
        let before: u64 = touched.iter().map(|(start, end)| end - start).sum();
        let grown = (merged.1 - merged.0) - before;
        if grown <= room {
            list.splice(first..last.max(first), [merged]);
            self.len += grown;
        }
    }

    /// The prefix: filled up if the level does that, the fill first.
    pub(super) fn finish(
        mut self,
        base: Option<TreeRef<'_>>,
        tuning: &Tuning,
        class: Option<Class>,
        segment_len: u64,
    ) -> Vec<BaseRange> {
        let wanted = std::mem::take(&mut self.order);
        if let (true, Some(base), Some(Class::Other)) = (tuning.fill, base, class) {
            self.fill(base, &wanted, segment_len);
        }
        let filled = std::mem::take(&mut self.order);
        let mut prefix = Vec::new();
        for file in filled.iter().chain(&wanted) {
            for (start, end) in self.ranges.remove(file).unwrap_or_default() {
                let len = u32::try_from(end - start).unwrap_or(MAX_PREFIX_BYTES);
                prefix.push(BaseRange { file: *file, view: View::Raw, offset: start, len });
            }
        }
        prefix
    }

    /// Adds whole base files with the endings of those that are there already, as long as they fit and a segment of this
    /// length can make use of so many.
    fn fill(&mut self, base: TreeRef<'_>, wanted: &[u32], segment_len: u64) {
        let most = u64::from(MAX_PREFIX_BYTES).min(self.len.max(segment_len * FILL_PART));
        let mut files = segment_len / FILL_FILE_BYTES;
        let ending =
            |file: u32| base.files.get(file as usize).map_or("", |file| extension(file.path.as_str()));
        let endings: HashSet<&str> = wanted.iter().map(|file| ending(*file)).collect();
        let mut seen = HashSet::new();
        for (ordinal, file) in (0u32..).zip(base.files) {
            let alike = endings.contains(extension(file.path.as_str()));
            let known = self.ranges.contains_key(&ordinal) || file.kind != FileKind::File;
            if alike
                && !known
                && files > 0
                && seen.insert(file.identity)
                && self.len + file.identity.len <= most
            {
                files -= 1;
                self.take(ordinal, 0, file.identity.len);
            }
        }
    }
}
