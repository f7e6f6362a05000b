//! Gaps between copies, and how they are laid into segments.

use std::collections::HashMap;

use super::matching::Match;
use super::prefix::{Around, Prefix, Span, spans};
use super::streams::Stream;
use super::{Mapped, Tuning, source};
use crate::pack::content::TreeRef;
use crate::pack::index::{BaseRange, Slice};
use crate::pack::{MAX_SEGMENT_BYTES, PackError};

/// Kinds of data that gain nothing from each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Class {
    /// Anything that compresses.
    Other,
    /// Deflate streams that are opened.
    Opened,
    /// Deflate streams that stay closed.
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

/// Bytes of a target file that are not copied.
#[derive(Debug, Clone)]
pub(super) struct Gap {
    pub(super) file: u32,
    pub(super) offset: u64,
    /// At least one.
    pub(super) len: u64,
    class: Class,
    /// Base data that looks like it.
    spans: Vec<Span>,
    /// A deflate stream that is to be opened.
    stream: Option<Stream>,
}

/// A file in its order.
#[derive(Debug, Clone)]
pub(super) enum Piece {
    /// Taken from the base as it is.
    Copy(Slice),
    /// Rebuilt by a segment.
    Gap(Gap),
}

impl Piece {
    pub(super) fn gap(self) -> Option<Gap> {
        match self {
            Self::Gap(gap) => Some(gap),
            Self::Copy(_) => None,
        }
    }
}

/// The copies and gaps of one file, in order.
pub(super) fn pieces(file: &Mapped, target: TreeRef<'_>, tuning: &Tuning) -> Vec<Piece> {
    let len = source::len_of(target, file.file);
    let path = target.files.get(file.file as usize).map_or("", |file| file.path.as_str());
    let class = Class::of(path);
    let (mut copies, small): (Vec<Match>, Vec<Match>) =
        file.matches.iter().partition(|found| found.len >= tuning.copy_bytes);
    copies.push(Match { target: len, file: 0, base: 0, len: 0 });
    let mut cut = Cut { file, class, small: &small, tuning, pieces: Vec::new() };
    let mut streams = file.streams.iter().peekable();
    let (mut at, mut before) = (0u64, None);
    for copy in copies {
        let after = (copy.len > 0).then_some(copy);
        while let Some(stream) = streams.next_if(|stream| stream.start < copy.target) {
            cut.gap(at, stream.start, before.take(), None);
            let len = stream.end - stream.start;
            let mut spans = cut.spans(stream.start, stream.end, None, None);
            // Where it stays closed after all, the old one as it is says most.
            spans.extend(stream.reference.map(|(old, _)| Span::whole(&old, (stream.start, stream.end))));
            let (class, stream, offset) = (Class::Opened, Some(*stream), stream.start);
            cut.pieces.push(Piece::Gap(Gap { file: file.file, offset, len, class, spans, stream }));
            at = offset + len;
        }
        cut.gap(at, copy.target, before, after);
        if copy.len > 0 {
            cut.pieces.push(Piece::Copy(Slice::Base { file: copy.file, offset: copy.base, len: copy.len }));
        }
        (at, before) = (copy.end(), after);
    }
    cut.pieces
}

/// A file being cut.
struct Cut<'a> {
    file: &'a Mapped,
    class: Class,
    small: &'a [Match],
    tuning: &'a Tuning,
    pieces: Vec<Piece>,
}

impl Cut<'_> {
    fn spans(&self, offset: u64, end: u64, before: Option<Match>, after: Option<Match>) -> Vec<Span> {
        let first = self.small.partition_point(|found| found.end() <= offset);
        let last = self.small.partition_point(|found| found.target < end);
        let small = self.small.get(first..last).unwrap_or_default();
        let (class, old, len) = (self.class, self.file.old, end - offset);
        spans(&Around { class, old, before, after, small, offset, len }, self.tuning)
    }

    fn gap(&mut self, offset: u64, end: u64, before: Option<Match>, after: Option<Match>) {
        if end > offset {
            let spans = self.spans(offset, end, before, after);
            let (file, class, len) = (self.file.file, self.class, end - offset);
            self.pieces.push(Piece::Gap(Gap { file, offset, len, class, spans, stream: None }));
        }
    }
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
    /// What it refers to when its streams are opened; none when they are not.
    pub(in crate::pack) opened: Option<Vec<BaseRange>>,
}

impl Segment {
    /// Bytes of output.
    pub(in crate::pack) fn len(&self) -> u64 {
        self.parts.iter().map(|part| u64::from(part.len)).sum()
    }

    /// About how many bytes an encoder works on: the output and what it refers to, opened where that is more.
    pub(in crate::pack) fn worked_on(&self) -> u64 {
        /// Opened, streams are a few times longer; how long they may become is bounded when segments are laid.
        const OPENED: u64 = 4;
        let ranges = |ranges: &[BaseRange]| ranges.iter().map(|range| u64::from(range.len)).sum::<u64>();
        let closed = self.len() + ranges(&self.prefix);
        let opened = self.opened.as_deref().map_or(0, |opened| OPENED * (self.len() + ranges(opened)));
        closed.max(opened.min(Streams::PLAIN_BYTES + Streams::REFERENCE_BYTES))
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
    let path = |gap: &Gap| target.files.get(gap.file as usize).map_or("", |file| file.path.as_str());
    gaps.sort_by(|a, b| {
        let key = |gap| {
            let path = path(gap);
            (gap.class, extension(path), path, gap.offset)
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
        opened: Streams::default(),
        class: None,
    };
    for gap in gaps {
        let class = gap.class;
        let apart = class == Class::Opened || open.class == Some(Class::Opened) || open.len >= CLASS_BYTES;
        if open.class.is_some_and(|open| open != class) && apart {
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
    opened: Streams,
    class: Option<Class>,
}

/// Streams of a segment, within what decoding may take.
#[derive(Debug, Default)]
struct Streams {
    plain: u64,
    reference: u64,
    ranges: Vec<BaseRange>,
}

impl Streams {
    /// Plain text of one segment's streams together; a single one may have more.
    const PLAIN_BYTES: u64 = 14 << 20;
    /// Old plain text they refer to.
    const REFERENCE_BYTES: u64 = 12 << 20;

    fn fits(&self, stream: &Stream) -> bool {
        let reference = stream.reference.map_or(0, |(_, plain)| plain);
        self.plain + stream.plain <= Self::PLAIN_BYTES && self.reference + reference <= Self::REFERENCE_BYTES
    }

    fn add(&mut self, stream: &Stream) {
        self.plain += stream.plain;
        if let Some((range, plain)) = stream.reference {
            self.reference += plain;
            self.ranges.push(range);
        }
    }
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
                && (self.len > MAX_SEGMENT_BYTES / 2 || gap.stream.is_some())
                && gap.len <= u64::from(MAX_SEGMENT_BYTES)
            {
                self.close();
                continue;
            }
            let spans: Vec<Span> =
                gap.spans.iter().filter_map(|span| span.for_part(gap.offset + done, part)).collect();
            let stream_fits = gap.stream.is_none_or(|stream| self.opened.fits(&stream));
            if self.len > 0 && !(self.prefix.fits(&spans) && stream_fits) {
                self.close();
                continue;
            }
            spans.iter().for_each(|span| self.prefix.add(span, self.base));
            if let Some(stream) = &gap.stream {
                self.opened.add(stream);
            }
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
        let opened = std::mem::take(&mut self.opened);
        segment.opened = (self.class == Some(Class::Opened)).then_some(opened.ranges);
        segment.prefix = prefix.finish(self.base, self.tuning, self.class, u64::from(self.len));
        self.placed.push(segment);
        self.len = 0;
    }
}
