//! Where a file holds deflate streams that may be worth opening, told by its own directory: never by looking for them.
//!
//! What is found is a hint for planning. Whether a stream opens, and closes again to the same bytes, is tried later.

use std::collections::HashMap;
use std::io::Read as _;

use flate2::read::DeflateDecoder;

use super::matching::Match;
use super::source::Source;
use crate::pack::index::{BaseRange, View};
use crate::pack::{MAX_PLAIN_BYTES, MAX_SEGMENT_BYTES, PackError};

/// Most bytes of a zip's directory that are read.
const MAX_DIRECTORY_BYTES: u64 = 32 << 20;
/// A stream is opened when more than one byte in this many is not found in the base: to close it again costs the player
/// about as much as 25 bytes of download for each 1000...
const UNMATCHED_PART: u64 = 20;
/// ... and more bytes than this, which is what it takes to tell how it was packed.
const UNMATCHED_BYTES: u64 = 192;

/// A run of a file that holds a deflate stream, headers included.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Found {
    start: u64,
    end: u64,
    /// Bytes it inflates to, as the file says.
    plain: u64,
    /// Whether a newer stream can refer to it.
    refers: bool,
}

/// A run of a target file that is to be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stream {
    pub(super) start: u64,
    pub(super) end: u64,
    /// Bytes it inflates to, about.
    pub(super) plain: u64,
    /// The old stream, and about what it inflates to.
    pub(super) reference: Option<(BaseRange, u64)>,
}

/// The streams of a target file worth opening; takes the matches that lie in them out of `matches`.
pub(super) fn choose(
    target: &mut Source<'_>,
    file: u32,
    base: Option<(&mut Source<'_>, u32)>,
    matches: &mut Vec<Match>,
) -> Result<Vec<Stream>, PackError> {
    let mut chosen = Vec::new();
    let found = find(target, file)?;
    if found.is_empty() {
        return Ok(chosen);
    }
    let old = match base {
        Some((source, old)) => find(source, old)?.into_iter().map(|(name, run)| (name, (old, run))).collect(),
        None => HashMap::new(),
    };
    let mut runs: Vec<_> = found.into_iter().collect();
    runs.sort_by_key(|(_, run)| run.start);
    let mut done = 0;
    for (name, run) in runs {
        let len = run.end.saturating_sub(run.start);
        let fits =
            len <= u64::from(MAX_SEGMENT_BYTES) && run.plain <= u64::from(MAX_PLAIN_BYTES) - (64 << 10);
        if run.start < done || !fits {
            continue;
        }
        let overlap = |found: &Match| found.end().min(run.end).saturating_sub(found.target.max(run.start));
        let unmatched = len - matches.iter().map(overlap).sum::<u64>().min(len);
        if unmatched * UNMATCHED_PART <= len || unmatched < UNMATCHED_BYTES {
            continue;
        }
        done = run.end;
        let reference = old.get(&name).and_then(|(file, old)| {
            let len = u32::try_from(old.end - old.start).ok()?;
            let range = BaseRange { file: *file, view: View::Opened, offset: old.start, len };
            (old.refers && old.plain <= u64::from(MAX_PLAIN_BYTES)).then_some((range, old.plain))
        });
        chosen.push(Stream { start: run.start, end: run.end, plain: run.plain, reference });
    }
    cut(matches, &chosen);
    Ok(chosen)
}

/// Leaves of every match what lies outside the streams.
fn cut(matches: &mut Vec<Match>, streams: &[Stream]) {
    if streams.is_empty() {
        return;
    }
    let mut kept = Vec::with_capacity(matches.len());
    for found in matches.iter() {
        let mut at = found.target;
        let mut keep = |start: u64, end: u64| {
            if end > start {
                kept.push(Match {
                    target: start,
                    base: found.base + (start - found.target),
                    len: end - start,
                    ..*found
                });
            }
        };
        for stream in streams.iter().filter(|stream| stream.start < found.end() && stream.end > found.target)
        {
            keep(at, stream.start.min(found.end()));
            at = at.max(stream.end);
        }
        keep(at, found.end());
    }
    *matches = kept;
}

/// The streams of a file by name; a file that is one stream has the empty name.
fn find(source: &mut Source<'_>, file: u32) -> Result<HashMap<Vec<u8>, Found>, PackError> {
    let len = source.len(file);
    let mut head = [0u8; 29];
    let whole = |plain| HashMap::from([(Vec::new(), Found { start: 0, end: len, plain, refers: true })]);
    if len < 64 || !source.read(file, 0, &mut head)? {
        return Ok(HashMap::new());
    }
    if head.starts_with(b"\x89PNG\r\n\x1a\n") {
        return Ok(png_plain(&head).map(whole).unwrap_or_default());
    }
    if head.starts_with(&[0x1F, 0x8B, 8]) {
        let mut size = [0; 4];
        source.read(file, len - 4, &mut size)?;
        return Ok(whole(u64::from(u32::from_le_bytes(size))));
    }
    if head.starts_with(b"PK\x03\x04") {
        return zip(source, file, len);
    }
    // A JPEG is coded anew as a whole; there is nothing in an old one to refer to.
    if head.starts_with(&[0xFF, 0xD8, 0xFF]) {
        let found = Found { start: 0, end: len, plain: len, refers: false };
        return Ok(HashMap::from([(Vec::new(), found)]));
    }
    Ok(HashMap::new())
}

fn big(bytes: &[u8], at: usize) -> u64 {
    let word = bytes.get(at..).and_then(|tail| tail.first_chunk::<4>());
    u64::from(word.map_or(0, |word| u32::from_be_bytes(*word)))
}

fn little(bytes: &[u8], at: usize, count: usize) -> u64 {
    let part = bytes.get(at..).and_then(|tail| tail.get(..count)).unwrap_or_default();
    part.iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}

/// What a PNG's rows come to, by its header.
fn png_plain(head: &[u8; 29]) -> Option<u64> {
    let (width, height) = (big(head, 16), big(head, 20));
    let channels = match head.get(25)? {
        0 | 3 => 1,
        2 => 3,
        4 => 2,
        6 => 4,
        _ => return None,
    };
    let row = width.checked_mul(channels * u64::from(*head.get(24)?))?.div_ceil(8) + 1;
    row.checked_mul(height)
}

/// The deflated entries of a zip, by its directory. One that does not read well has none.
fn zip(source: &mut Source<'_>, file: u32, len: u64) -> Result<HashMap<Vec<u8>, Found>, PackError> {
    const END_BYTES: u64 = 22;
    let mut entries = HashMap::new();
    let tail_len = len.min(END_BYTES + 65_535);
    let mut tail = vec![0; usize::try_from(tail_len).unwrap_or(0)];
    source.read(file, len - tail_len, &mut tail)?;
    let Some(end) = tail.windows(4).rposition(|bytes| bytes == b"PK\x05\x06") else { return Ok(entries) };
    let (size, start) = (little(&tail, end + 12, 4), little(&tail, end + 16, 4));
    if size > MAX_DIRECTORY_BYTES || start.saturating_add(size) > len {
        return Ok(entries);
    }
    let mut directory = vec![0; usize::try_from(size).unwrap_or(0)];
    source.read(file, start, &mut directory)?;
    let mut rest = directory.as_slice();
    while rest.starts_with(b"PK\x01\x02") {
        let (method, packed, plain) = (little(rest, 10, 2), little(rest, 20, 4), little(rest, 24, 4));
        let (name, extra, comment) = (little(rest, 28, 2), little(rest, 30, 2), little(rest, 32, 2));
        let at = little(rest, 42, 4);
        let name_end = 46 + usize::try_from(name).unwrap_or(0);
        let name = rest.get(46..name_end).unwrap_or_default().to_vec();
        rest = rest.get(name_end + usize::try_from(extra + comment).unwrap_or(0)..).unwrap_or_default();
        let mut local = [0u8; 30];
        if !matches!(method, 0 | 8)
            || at + 30 > len
            || !source.read(file, at, &mut local)?
            || !local.starts_with(b"PK\x03\x04")
        {
            continue;
        }
        let data = at + 30 + little(&local, 26, 2) + little(&local, 28, 2);
        let end = data + packed;
        if end <= start
            && let Some((plain, refers)) = entry(source, file, (data, end), method == 8, plain)?
        {
            entries.insert(name, Found { start: at, end, plain, refers });
        }
    }
    Ok(entries)
}

/// About what a zip's entry comes to when it is opened, and whether a newer one can refer to it; none when it is stored
/// and holds no stream. A PNG may come to much more than the entry does.
fn entry(
    source: &mut Source<'_>,
    file: u32,
    (start, end): (u64, u64),
    deflated: bool,
    plain: u64,
) -> Result<Option<(u64, bool)>, PackError> {
    const HEAD_BYTES: u64 = 512;
    let mut head = vec![0; usize::try_from(HEAD_BYTES.min(end - start)).unwrap_or(0)];
    source.read(file, start, &mut head)?;
    let mut image = [0u8; 29];
    let whole = match deflated {
        true => DeflateDecoder::new(head.as_slice()).read_exact(&mut image).is_ok(),
        false => head.first_chunk().map(|first| image = *first).is_some(),
    };
    if whole && image.starts_with(b"\x89PNG\r\n\x1a\n") {
        return Ok(Some((png_plain(&image).unwrap_or(0).max(plain), true)));
    }
    let is_jpeg = whole && image.starts_with(&[0xFF, 0xD8, 0xFF]);
    Ok((deflated || is_jpeg).then_some((plain, deflated)))
}
