//! The `IDAT` chunks of a PNG: one zlib stream, cut into chunks that each carry a length, a name and a CRC.

use flate2::Crc;

use super::{CodecError, number, put, refused};

/// Length, name and CRC of a chunk.
const FRAME_BYTES: usize = 12;
/// zlib's header.
const HEADER_BYTES: usize = 2;
/// zlib's checksum.
const CHECK_BYTES: usize = 4;
/// Most chunks of one image that are opened.
const MAX_CHUNKS: u64 = 1 << 16;

/// How a zlib stream was cut: runs of chunks of one length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Chunks {
    header: [u8; HEADER_BYTES],
    /// (bytes of data, chunks).
    runs: Vec<(u64, u64)>,
}

impl Chunks {
    /// The zlib stream and its cuts; `None` unless all of `carrier` is whole `IDAT` chunks with the CRCs they should
    /// have.
    pub(super) fn parse(mut carrier: &[u8]) -> Option<(Vec<u8>, Self)> {
        let mut zlib = Vec::with_capacity(carrier.len());
        let mut runs: Vec<(u64, u64)> = Vec::new();
        while !carrier.is_empty() {
            let len = u32::from_be_bytes(*carrier.first_chunk()?) as usize;
            let chunk = carrier.get(..len.checked_add(FRAME_BYTES)?)?;
            let data = chunk.get(8..8 + len)?;
            if chunk.get(4..8)? != b"IDAT" || *chunk.last_chunk()? != crc(data) {
                return None;
            }
            match runs.last_mut() {
                Some((same, count)) if *same == len as u64 => *count += 1,
                _ => runs.push((len as u64, 1)),
            }
            zlib.extend_from_slice(data);
            carrier = carrier.get(chunk.len()..)?;
        }
        let header = *zlib.first_chunk()?;
        let chunks: u64 = runs.iter().map(|(_, count)| count).sum();
        (chunks <= MAX_CHUNKS && zlib.len() > HEADER_BYTES + CHECK_BYTES)
            .then_some((zlib, Self { header, runs }))
    }

    /// The deflate stream in the zlib stream.
    pub(super) fn deflate<'a>(&self, zlib: &'a [u8]) -> Option<&'a [u8]> {
        zlib.get(HEADER_BYTES..zlib.len().checked_sub(CHECK_BYTES)?)
    }

    /// The chunks again.
    pub(super) fn join(&self, plain: &[u8], deflate: &[u8]) -> Result<Vec<u8>, CodecError> {
        let check = adler2::adler32_slice(plain).to_be_bytes();
        let zlib: Vec<u8> = [&self.header[..], deflate, &check[..]].concat();
        let mut rest = zlib.as_slice();
        let mut out = Vec::with_capacity(zlib.len() + 16 * FRAME_BYTES);
        for (len, count) in &self.runs {
            for _ in 0..*count {
                let data = super::cut(&mut rest, *len)?;
                out.extend_from_slice(&u32::try_from(data.len()).unwrap_or(u32::MAX).to_be_bytes());
                out.extend_from_slice(b"IDAT");
                out.extend_from_slice(data);
                out.extend_from_slice(&crc(data));
            }
        }
        if rest.is_empty() { Ok(out) } else { Err(refused("an image's chunks are shorter than its data")) }
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        put(out, u64::from(u16::from_be_bytes(self.header)));
        put(out, self.runs.len() as u64);
        for (len, count) in &self.runs {
            put(out, *len);
            put(out, *count);
        }
    }

    pub(super) fn read(table: &mut &[u8]) -> Result<Self, CodecError> {
        let wrong = || refused("an image's chunks are not as they should be");
        let header = u16::try_from(number(table)?).map_err(|_| wrong())?.to_be_bytes();
        let count = number(table)?;
        if count > MAX_CHUNKS || count > table.len() as u64 {
            return Err(wrong());
        }
        let mut runs = Vec::new();
        let mut chunks = 0u64;
        for _ in 0..count {
            let run = (number(table)?, number(table)?);
            chunks = chunks.saturating_add(run.1);
            if chunks > MAX_CHUNKS {
                return Err(wrong());
            }
            runs.push(run);
        }
        Ok(Self { header, runs })
    }
}

fn crc(data: &[u8]) -> [u8; 4] {
    let mut crc = Crc::new();
    crc.update(b"IDAT");
    crc.update(data);
    crc.sum().to_be_bytes()
}
