//! What a part holds, by its own headers. Nothing here is believed: what does not open stays as it is.

/// What carries a stream. The numbers are the format's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    /// A bare deflate stream: in gzip files and zip archives (RFC 1951).
    Deflate = 0,
    /// The run of a PNG's `IDAT` chunks: one zlib stream, cut (PNG specification, 11.2.3).
    Idat = 1,
    /// A JPEG file.
    Jpeg = 2,
    /// A bare deflate stream that holds a PNG, which is opened too.
    DeflatedPng = 3,
}

impl Kind {
    pub(super) fn from_number(number: u64) -> Option<Self> {
        [Self::Deflate, Self::Idat, Self::Jpeg, Self::DeflatedPng]
            .into_iter()
            .find(|kind| *kind as u64 == number)
    }
}

/// A stream in a part: what carries it, and which bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stream {
    pub(super) kind: Kind,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// The one stream of a part.
pub(super) fn stream(part: &[u8]) -> Option<Stream> {
    match part {
        [0x89, b'P', b'N', b'G', 0x0D, 0x0A, 0x1A, 0x0A, ..] => png(part),
        [0x1F, 0x8B, 8, ..] => gzip(part),
        [b'P', b'K', 3, 4, ..] => zip_entry(part),
        [0xFF, 0xD8, 0xFF, ..] => Some(Stream { kind: Kind::Jpeg, start: 0, end: part.len() }),
        _ => None,
    }
}

fn png(part: &[u8]) -> Option<Stream> {
    let (mut at, mut start, mut end) = (8usize, None, 0usize);
    while let Some(chunk) = part.get(at..) {
        let Some(len) = chunk.first_chunk::<4>() else { break };
        let next = at.checked_add(u32::from_be_bytes(*len) as usize)?.checked_add(12)?;
        if next > part.len() {
            break;
        }
        match (chunk.get(4..8)?, start) {
            (b"IDAT", None) => (start, end) = (Some(at), next),
            (b"IDAT", Some(_)) => end = next,
            (_, Some(_)) => break,
            _ => {}
        }
        at = next;
    }
    Some(Stream { kind: Kind::Idat, start: start?, end })
}

/// A gzip file of one member (RFC 1952): behind its stream stand a CRC and a length.
fn gzip(part: &[u8]) -> Option<Stream> {
    const CRC: u8 = 2;
    const EXTRA: u8 = 4;
    const NAME: u8 = 8;
    const COMMENT: u8 = 16;
    let flags = *part.get(3)?;
    let mut start = 10usize;
    if flags & EXTRA != 0 {
        start += 2 + usize::from(u16::from_le_bytes(*part.get(start..)?.first_chunk()?));
    }
    for flag in [NAME, COMMENT] {
        if flags & flag != 0 {
            start += part.get(start..)?.iter().position(|byte| *byte == 0)? + 1;
        }
    }
    if flags & CRC != 0 {
        start += 2;
    }
    let end = part.len().checked_sub(8)?;
    (start < end).then_some(Stream { kind: Kind::Deflate, start, end })
}

/// An entry of a zip archive from its local header to the end of its data.
fn zip_entry(part: &[u8]) -> Option<Stream> {
    let field = |at: usize| Some(usize::from(u16::from_le_bytes(*part.get(at..)?.first_chunk()?)));
    let start = 30 + field(26)? + field(28)?;
    let data = part.get(start..).filter(|data| !data.is_empty())?;
    match (field(8)?, data) {
        (8, _) => Some(Stream { kind: Kind::Deflate, start, end: part.len() }),
        // Stored, for it is compressed already.
        (0, [0x89, b'P', b'N', b'G', ..]) => {
            png(data).map(|found| Stream { start: start + found.start, end: start + found.end, ..found })
        }
        (0, [0xFF, 0xD8, 0xFF, ..]) => Some(Stream { kind: Kind::Jpeg, start, end: part.len() }),
        _ => None,
    }
}
