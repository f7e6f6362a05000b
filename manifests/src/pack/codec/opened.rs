//! Streams opened: the plain text of a part's deflate stream is compressed instead of it, or a JPEG's coefficients coded
//! anew, and put back bit for bit.
//!
//! A part is a PNG, a gzip file, an entry of a zip archive with its local header, or a JPEG. Of an entry that is a PNG
//! both are opened: its stream's plain text is then again what [`open`] makes of it. What [`open`] makes of a
//! segment's parts is
//! ```text
//! text        what lies around streams, and each stream's plain text, in the order of the output
//! corrections what rebuilding needs beside the plain text, stream by stream
//! table       varints: count, then for each stream the bytes before it, its kind and its lengths
//! tail        length of corrections and of table, u32 LE each
//! ```
//! Everything is bounded by what is there: a length in the table is taken from the text or corrections, or refused.

mod deflate;
mod idat;
mod jpeg;
mod parts;
mod zlib;
#[cfg(test)]
mod tests;

use std::panic::{AssertUnwindSafe, catch_unwind};

use self::idat::Chunks;
use self::parts::{Kind, Stream, stream};
use super::CodecError;
use crate::pack::MAX_PLAIN_BYTES;

/// Room left for corrections and table, in bytes.
const SPARE_BYTES: usize = 1 << 16;
/// Bytes at the end that say how the rest is divided.
const TAIL_BYTES: usize = 8;

/// A PNG in a deflate stream is opened too where the stream is no longer than this, so that what is between the two needs
/// little memory.
const MAX_NESTED_BYTES: usize = 1 << 20;
/// Most memory it takes beside the text and what comes out.
const NESTED_MEMORY_BYTES: u64 = 3 << 20;
/// A longer deflate stream stays closed: to put it together again takes memory for all that it is made of.
const MAX_CARRIER_BYTES: usize = 4 << 20;
/// What it takes for each byte of the stream, as measured.
const CLOSING_STREAM: u64 = 5;
/// What a JPEG takes for each byte of its coefficients, as measured.
const CLOSING_JPEG: u64 = 4;

/// The most bytes a deflate stream of this length holds if it is opened twice: a PNG hardly gets smaller.
fn nested_limit(carrier_len: usize) -> usize {
    2 * carrier_len.min(MAX_NESTED_BYTES) + 4096
}

fn refused(reason: &str) -> CodecError {
    CodecError(format!("opened: {reason}"))
}

/// The part `raw` (a PNG, a gzip file, an entry of a zip) with its deflate stream inflated, as [`open`] lays it out: what
/// an opened segment refers to. Inflating is all it takes; nothing is put back together from it.
///
/// # Errors
/// [`CodecError`] where there is none, or more than `limit` bytes of it.
pub fn reference(raw: &[u8], limit: usize) -> Result<Vec<u8>, CodecError> {
    let none = || refused("a base file holds no stream");
    let Stream { kind, start, end } = stream(raw).ok_or_else(none)?;
    let (head, tail) = (raw.get(..start).ok_or_else(none)?, raw.get(end..).ok_or_else(none)?);
    let carrier = raw.get(start..end).ok_or_else(none)?;
    let room = limit.checked_sub(head.len() + tail.len()).ok_or_else(none)?;
    let text = match kind {
        Kind::Deflate | Kind::DeflatedPng => {
            let plain = deflate::inflate(carrier, room)?;
            let image = nested(&plain, carrier.len()).and_then(|_| reference(&plain, room).ok());
            image.unwrap_or(plain)
        }
        Kind::Idat => {
            let (zlib, chunks) = Chunks::parse(carrier).ok_or_else(none)?;
            deflate::inflate(chunks.deflate(&zlib).ok_or_else(none)?, room)?
        }
        Kind::Jpeg => return Err(none()),
    };
    Ok([head, &text, tail].concat())
}

/// The PNG in a deflate stream, if there is one that would be opened: as [`open`] lays it out.
fn nested(plain: &[u8], carrier_len: usize) -> Option<Stream> {
    let fits = carrier_len <= MAX_NESTED_BYTES && plain.len() <= nested_limit(carrier_len);
    stream(plain).filter(|at| fits && at.kind == Kind::Idat)
}

/// A stream taken apart.
struct Taken {
    kind: Kind,
    plain: Vec<u8>,
    corrections: Vec<u8>,
    chunks: Option<Chunks>,
}

/// What becomes of a segment's parts.
#[derive(Default)]
struct Opener {
    text: Vec<u8>,
    corrections: Vec<u8>,
    table: Vec<u8>,
    /// Bytes of text since the last stream.
    since: usize,
    count: u64,
}

impl Opener {
    fn raw(&mut self, bytes: &[u8]) {
        self.text.extend_from_slice(bytes);
        self.since += bytes.len();
    }

    fn stream(&mut self, taken: &Taken) {
        put(&mut self.table, self.since as u64);
        put(&mut self.table, taken.kind as u64);
        put(&mut self.table, taken.plain.len() as u64);
        put(&mut self.table, taken.corrections.len() as u64);
        if let Some(chunks) = &taken.chunks {
            chunks.write(&mut self.table);
        }
        self.text.extend_from_slice(&taken.plain);
        self.corrections.extend_from_slice(&taken.corrections);
        self.since = 0;
        self.count += 1;
    }

    fn len(&self) -> usize {
        self.text.len() + self.corrections.len() + self.table.len() + SPARE_BYTES
    }

    fn finish(mut self, limit: usize) -> Option<Vec<u8>> {
        let mut table = Vec::with_capacity(self.table.len() + 4);
        put(&mut table, self.count);
        table.append(&mut self.table);
        let lens = [u32::try_from(self.corrections.len()).ok()?, u32::try_from(table.len()).ok()?];
        self.text.append(&mut self.corrections);
        self.text.append(&mut table);
        lens.iter().for_each(|len| self.text.extend_from_slice(&len.to_le_bytes()));
        (self.count > 0 && self.text.len() <= limit).then_some(self.text)
    }
}

/// Whether each stream is closed again at once to see that it comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    /// No: whoever asks closes all of them anyway. The libraries are wrong so seldom that it is not worth twice the work.
    Later,
    /// Yes, and what does not come back stays as it is.
    Each,
}

/// Most memory that closing these parts takes beside their text and what comes out, in bytes.
pub fn closing_memory(parts: &[&[u8]]) -> u64 {
    let of = |part: &&[u8]| {
        let at = stream(part)?;
        let carrier = part.get(at.start..at.end)?;
        Some(match at.kind {
            Kind::Jpeg => CLOSING_JPEG * jpeg::opened_coefficient_bytes(carrier),
            _ if carrier.len() > MAX_CARRIER_BYTES => 0,
            _ => CLOSING_STREAM * carrier.len() as u64,
        })
    };
    NESTED_MEMORY_BYTES + parts.iter().filter_map(of).max().unwrap_or(0)
}

/// The parts of a segment opened, and what it takes to close them: as one plain text of at most `limit` bytes. A part
/// that does not open goes in as it is; none when no part opens.
pub fn open(parts: &[&[u8]], limit: usize, check: Check) -> Option<Vec<u8>> {
    let mut opener = Opener::default();
    let mut left: usize = parts.iter().map(|part| part.len()).sum();
    for part in parts {
        left = left.saturating_sub(part.len());
        let room = limit.saturating_sub(opener.len() + left + part.len());
        let taken = stream(part).and_then(|at| {
            let carrier = part.get(at.start..at.end)?;
            Some((at, take(at.kind, carrier, room, check)?))
        });
        match taken {
            Some((at, taken)) => {
                opener.raw(part.get(..at.start)?);
                opener.stream(&taken);
                opener.raw(part.get(at.end..)?);
            }
            None => opener.raw(part),
        }
    }
    opener.finish(limit)
}

fn take(kind: Kind, carrier: &[u8], room: usize, check: Check) -> Option<Taken> {
    if kind != Kind::Jpeg && carrier.len() > MAX_CARRIER_BYTES {
        return None;
    }
    let taken = match kind {
        Kind::Deflate | Kind::DeflatedPng => {
            let (plain, corrections) = deflate::open(carrier, room)?;
            match take_nested(&plain, &corrections, carrier.len(), room) {
                Some(both) => both,
                None => Taken { kind: Kind::Deflate, plain, corrections, chunks: None },
            }
        }
        Kind::Idat => {
            let (zlib, chunks) = Chunks::parse(carrier)?;
            let (plain, corrections) = deflate::open(chunks.deflate(&zlib)?, room)?;
            Taken { kind, plain, corrections, chunks: Some(chunks) }
        }
        Kind::Jpeg => Taken { kind, plain: jpeg::open(carrier)?, corrections: Vec::new(), chunks: None },
    };
    let fits = taken.plain.len() + taken.corrections.len() <= room;
    (fits && (check == Check::Later || comes_back(&taken, carrier))).then_some(taken)
}

/// The PNG that a deflate stream holds opened too, if it comes back.
fn take_nested(plain: &[u8], corrections: &[u8], carrier_len: usize, room: usize) -> Option<Taken> {
    nested(plain, carrier_len)?;
    let opened = open(&[plain], room, Check::Each)?;
    let mut both = Vec::new();
    put(&mut both, plain.len() as u64);
    both.extend_from_slice(corrections);
    Some(Taken { kind: Kind::DeflatedPng, plain: opened, corrections: both, chunks: None })
}

/// A stream that was opened twice.
fn give_nested(opened: &[u8], mut corrections: &[u8], room: usize) -> Result<Vec<u8>, CodecError> {
    let len = usize::try_from(number(&mut corrections)?).unwrap_or(usize::MAX);
    if len > nested_limit(room) {
        return Err(refused("an image is longer than it may be"));
    }
    deflate::close(&close_from(opened, len, true)?, corrections)
}

/// Closes what was taken apart; the libraries may panic.
fn comes_back(taken: &Taken, carrier: &[u8]) -> bool {
    let work = || give(taken.kind, &taken.plain, &taken.corrections, taken.chunks.as_ref(), carrier.len());
    matches!(catch_unwind(AssertUnwindSafe(work)), Ok(Ok(back)) if back == carrier)
}

/// A stream put back: at most `room` bytes.
fn give(
    kind: Kind,
    plain: &[u8],
    corrections: &[u8],
    chunks: Option<&Chunks>,
    room: usize,
) -> Result<Vec<u8>, CodecError> {
    let back = match (kind, chunks) {
        (Kind::Idat, Some(chunks)) => chunks.join(plain, &deflate::close(plain, corrections)?)?,
        (Kind::Jpeg, _) => jpeg::close(plain, room)?,
        (Kind::DeflatedPng, _) => give_nested(plain, corrections, room)?,
        _ => deflate::close(plain, corrections)?,
    };
    if back.len() <= room { Ok(back) } else { Err(refused("a closed stream is longer than it may be")) }
}

/// The parts that [`open`] was given, laid end to end: exactly `output_len` bytes. May panic where a library does on
/// damaged data: the caller isolates it.
///
/// # Errors
/// [`CodecError`] for anything `open` does not write.
pub fn close(opened: &[u8], output_len: usize) -> Result<Vec<u8>, CodecError> {
    close_from(opened, output_len, false)
}

/// What is nested already holds nothing that is.
fn close_from(opened: &[u8], output_len: usize, nested: bool) -> Result<Vec<u8>, CodecError> {
    let early = || refused("it ends early");
    let (body, tail) = opened.split_last_chunk::<TAIL_BYTES>().ok_or_else(early)?;
    let [a, b, c, d, e, f, g, h] = *tail;
    let lens = (u32::from_le_bytes([a, b, c, d]) as usize, u32::from_le_bytes([e, f, g, h]) as usize);
    let text_len = body.len().checked_sub(lens.0).and_then(|rest| rest.checked_sub(lens.1));
    let (text, rest) = body.split_at_checked(text_len.ok_or_else(early)?).ok_or_else(early)?;
    let (corrections, table) = rest.split_at_checked(lens.0).ok_or_else(early)?;
    let mut closer = Closer { text, corrections, table, out: Vec::with_capacity(output_len), output_len };
    for _ in 0..number(&mut closer.table)? {
        closer.stream(nested)?;
    }
    let rest = closer.text;
    closer.put(rest)?;
    if !closer.corrections.is_empty() || !closer.table.is_empty() || closer.out.len() != output_len {
        return Err(refused("it is not as long as it should be"));
    }
    Ok(closer.out)
}

struct Closer<'a> {
    text: &'a [u8],
    corrections: &'a [u8],
    table: &'a [u8],
    out: Vec<u8>,
    output_len: usize,
}

impl Closer<'_> {
    fn stream(&mut self, nested: bool) -> Result<(), CodecError> {
        let before = number(&mut self.table)?;
        let before = cut(&mut self.text, before)?;
        self.put(before)?;
        let kind = Kind::from_number(number(&mut self.table)?).ok_or_else(|| refused("an unknown kind"))?;
        if nested && kind != Kind::Idat {
            return Err(refused("it holds what nothing nested may"));
        }
        let plain_len = number(&mut self.table)?;
        let corrections_len = number(&mut self.table)?;
        let chunks = if kind == Kind::Idat { Some(Chunks::read(&mut self.table)?) } else { None };
        let plain = cut(&mut self.text, plain_len)?;
        let corrections = cut(&mut self.corrections, corrections_len)?;
        let room = self.output_len.saturating_sub(self.out.len());
        let back = give(kind, plain, corrections, chunks.as_ref(), room)?;
        self.put(&back)
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), CodecError> {
        if bytes.len() > self.output_len.saturating_sub(self.out.len()) {
            return Err(refused("it is longer than it should be"));
        }
        self.out.extend_from_slice(bytes);
        Ok(())
    }
}

fn cut<'a>(from: &mut &'a [u8], len: u64) -> Result<&'a [u8], CodecError> {
    let early = || refused("it ends early");
    let len = usize::try_from(len).map_err(|_| early())?;
    let (now, later) = from.split_at_checked(len).ok_or_else(early)?;
    *from = later;
    Ok(now)
}

fn put(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn number(from: &mut &[u8]) -> Result<u64, CodecError> {
    let mut value = 0u64;
    for shift in (0..63).step_by(7) {
        let (&byte, later) = from.split_first().ok_or_else(|| refused("it ends early"))?;
        *from = later;
        value |= u64::from(byte & 0x7F) << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(refused("a number is too long"))
}
