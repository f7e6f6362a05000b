//! Gaps between copies, and how they are laid into segments.

use std::collections::HashMap;

use super::matching::Match;
use super::prefix::{Prefix, Span, spans};
use super::{Tuning, source};
use crate::pack::content::TreeRef;
use crate::pack::index::{BaseRange, Slice};
use crate::pack::{MAX_SEGMENT_BYTES, PackError};

/// Kinds of data that gain nothing from each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Class {
    /// Anything that compresses.
    Other,
    /// Deflate streams inside.
    Deflated,
    /// Compressed by its own coder.
    Packed,
}

impl Class {
    /// By the name's ending: a hint for grouping, never for correctness.
    pub(super) fn of(path: &str) -> Self {
        match extension(path).to_ascii_lowercase().as_str() {
            "png" | "zip" | "gz" | "svgz" | "jar" | "pk3" | "pk4" | "wz" | "apk" | "whl" | "docx"
            | "apng" => Self::Deflated,
            "jpg" | "jpeg" | "ogg" | "oga" | "ogv" | "opus" | "mp3" | "mp4" | "m4a" | "webm" | "webp"
            | "flac" | "xz" | "bz2" | "7z" | "zst" | "lzma" | "ktx2" | "woff2" => Self::Packed,
            _ => Self::Other,
        }
    }
}

/// What stands after the last dot of the name; nothing when there is none.
pub(super) fn extension(path: &str) -> &str {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.rsplit_once('.').map_or("", |(_, extension)| extension)
}

/// Bytes of a target file that are not copied, with the copy that stands before them.
#[derive(Debug, Clone)]
pub(super) struct Gap {
    pub(super) file: u32,
    pub(super) offset: u64,
    /// May be nothing: a copy that ends the file, or two that meet.
    pub(super) len: u64,
    pub(super) copy_before: Option<Slice>,
    /// Base data that looks like it.
    spans: Vec<Span>,
}

/// The gaps of one file, in order.
pub(super) fn gaps(
    file: u32,
    old: Option<u32>,
    matches: &[Match],
    target: TreeRef<'_>,
    tuning: &Tuning,
) -> Vec<Gap> {
    let len = source::len_of(target, file);
    let path = target.files.get(file as usize).map_or("", |file| file.path.as_str());
    let class = Class::of(path);
    let mut gaps = Vec::new();
    let mut from = 0usize;
    let mut offset = 0u64;
    let mut before: Option<Match> = None;
    let mut close = |end: u64, before: Option<Match>, after: Option<Match>, small: &[Match], offset: u64| {
        let len = end - offset;
        let copy_before =
            before.map(|copy| Slice::Base { file: copy.file, offset: copy.base, len: copy.len });
        let spans = if len == 0 {
            Vec::new()
        } else {
            spans(&super::prefix::Around { class, old, before, after, small, offset, len }, tuning)
        };
        if len > 0 || copy_before.is_some() {
            gaps.push(Gap { file, offset, len, copy_before, spans });
        }
    };
    for (at, found) in matches.iter().enumerate() {
        if found.len < tuning.copy_bytes {
            continue;
        }
        let small = matches.get(from..at).unwrap_or_default();
        close(found.target, before, Some(*found), small, offset);
        (from, offset, before) = (at + 1, found.end(), Some(*found));
    }
    close(len, before, None, matches.get(from..).unwrap_or_default(), offset);
    gaps
}

/// A run of bytes of a target file that a segment rebuilds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::pack) struct Part {
    /// Ordinal in the target's manifest.
    pub(in crate::pack) file: u32,
    /// First byte.
    pub(in crate::pack) offset: u64,
    /// Bytes.
    pub(in crate::pack) len: u32,
}

/// What one frame is made from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::pack) struct Segment {
    /// The output, laid end to end.
    pub(in crate::pack) parts: Vec<Part>,
    /// The base data it refers to, the most useful last.
    pub(in crate::pack) prefix: Vec<BaseRange>,
}

impl Segment {
    /// Bytes of output.
    pub(in crate::pack) fn len(&self) -> u64 {
        self.parts.iter().map(|part| u64::from(part.len)).sum()
    }

    /// The output's bytes.
    pub(in crate::pack) fn read(&self, target: TreeRef<'_>) -> Result<Vec<u8>, PackError> {
        let mut output = vec![0; usize::try_from(self.len()).unwrap_or(usize::MAX)];
        let mut rest = output.as_mut_slice();
        for part in &self.parts {
            let (now, later) = rest
                .split_at_mut_checked(part.len as usize)
                .ok_or(PackError::Index("parts are longer than their sum"))?;
            target
                .content
                .read_at(part.file, part.offset, now)
                .map_err(|source| source::read_error("release", part.file, source))?;
            rest = later;
        }
        Ok(output)
    }
}

/// Where part of a gap went.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) segment: u32,
    pub(super) offset: u32,
    pub(super) len: u32,
}

/// Where every gap went, by file and offset.
#[derive(Debug, Default)]
pub(super) struct Places(HashMap<(u32, u64), Vec<Place>>);

impl Places {
    pub(super) fn of(&self, file: u32, offset: u64) -> &[Place] {
        self.0.get(&(file, offset)).map(Vec::as_slice).unwrap_or_default()
    }
}

/// Gaps laid into segments.
pub(super) struct Placed {
    pub(super) segments: Vec<Segment>,
    pub(super) places: Places,
}

/// Bytes of one class that make a segment of their own worth it.
const CLASS_BYTES: u32 = 256 << 10;

/// Lays the gaps into segments: classes apart, then by ending, then by path, a file's gaps in its order.
pub(super) fn place(
    mut gaps: Vec<Gap>,
    base: Option<TreeRef<'_>>,
    target: TreeRef<'_>,
    tuning: &Tuning,
) -> Placed {
    gaps.retain(|gap| gap.len > 0);
    let path = |gap: &Gap| target.files.get(gap.file as usize).map_or("", |file| file.path.as_str());
    gaps.sort_by(|a, b| {
        let key = |gap| {
            let path = path(gap);
            (Class::of(path), extension(path), path, gap.offset)
        };
        key(a).cmp(&key(b))
    });
    let mut open = Open {
        base,
        tuning,
        placed: Vec::new(),
        places: HashMap::new(),
        segment: Segment::default(),
        len: 0,
        prefix: Prefix::default(),
        class: None,
    };
    for gap in gaps {
        let class = Class::of(path(&gap));
        if open.class.is_some_and(|open| open != class) && open.len >= CLASS_BYTES {
            open.close();
        }
        open.class = Some(class);
        open.add(&gap);
    }
    open.close();
    Placed { segments: open.placed, places: Places(open.places) }
}

/// The segment being filled.
struct Open<'a> {
    base: Option<TreeRef<'a>>,
    tuning: &'a Tuning,
    placed: Vec<Segment>,
    places: HashMap<(u32, u64), Vec<Place>>,
    segment: Segment,
    len: u32,
    prefix: Prefix,
    class: Option<Class>,
}

impl Open<'_> {
    fn add(&mut self, gap: &Gap) {
        let mut done = 0u64;
        while done < gap.len {
            if self.len == MAX_SEGMENT_BYTES {
                self.close();
            }
            let room = u64::from(MAX_SEGMENT_BYTES - self.len);
            let part = room.min(gap.len - done);
            // A gap that does not fit begins a segment of its own unless it is longer than any.
            if part < gap.len - done
                && done == 0
                && self.len > MAX_SEGMENT_BYTES / 2
                && gap.len <= u64::from(MAX_SEGMENT_BYTES)
            {
                self.close();
                continue;
            }
            let spans: Vec<Span> =
                gap.spans.iter().filter_map(|span| span.for_part(gap.offset + done, part)).collect();
            if self.len > 0 && !self.prefix.fits(&spans) {
                self.close();
                continue;
            }
            spans.iter().for_each(|span| self.prefix.add(span, self.base));
            let len = u32::try_from(part).unwrap_or(MAX_SEGMENT_BYTES);
            let segment = u32::try_from(self.placed.len()).unwrap_or(u32::MAX);
            let place = Place { segment, offset: self.len, len };
            self.places.entry((gap.file, gap.offset)).or_default().push(place);
            self.segment.parts.push(Part { file: gap.file, offset: gap.offset + done, len });
            self.len += len;
            done += part;
        }
    }

    fn close(&mut self) {
        if self.len == 0 {
            return;
        }
        let mut segment = std::mem::take(&mut self.segment);
        let prefix = std::mem::take(&mut self.prefix);
        segment.prefix = prefix.finish(self.base, self.tuning, self.class);
        self.placed.push(segment);
        self.len = 0;
        self.class = None;
    }
}
