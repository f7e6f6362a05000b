//! A deflate stream as plain text and corrections.
//!
//! One that zlib made needs a byte that tells its settings ([`zlib`]). For any other one `preflate-rs` finds out how a
//! compressor would have made it, and the corrections say where it did not.

use std::io::Read as _;
use std::panic::{AssertUnwindSafe, catch_unwind};

use flate2::read::DeflateDecoder;
use preflate_rs::{PreflateConfig, preflate_whole_deflate_stream, recreate_whole_deflate_stream};

use super::{CodecError, MAX_PLAIN_BYTES, refused, zlib};

/// How far back in a hash chain the library looks for the match the compressor took.
const MAX_CHAIN: u32 = 4096;

/// The plain text, at most `room` bytes, and the corrections. `None` when the carrier is no single deflate stream, when
/// it holds more, or when the library gives up: it panics on some streams.
pub(super) fn open(carrier: &[u8], room: usize) -> Option<(Vec<u8>, Vec<u8>)> {
    if let Some(found) = by_zlib(carrier, room) {
        return Some(found);
    }
    let config = PreflateConfig {
        max_chain_length: MAX_CHAIN,
        plain_text_limit: room.min(MAX_PLAIN_BYTES as usize),
        verify_compression: false,
    };
    let work = || preflate_whole_deflate_stream(carrier, &config);
    let (chunk, plain) = catch_unwind(AssertUnwindSafe(work)).ok()?.ok()?;
    if chunk.compressed_size != carrier.len() || plain.text().is_empty() {
        return None;
    }
    Some((plain.text().to_vec(), chunk.corrections))
}

/// The plain text, and zlib's settings as the corrections.
fn by_zlib(carrier: &[u8], room: usize) -> Option<(Vec<u8>, Vec<u8>)> {
    let plain = inflate(carrier, room.min(MAX_PLAIN_BYTES as usize)).ok()?;
    let settings = zlib::recognise(&plain, carrier)?;
    (!plain.is_empty()).then(|| (plain, vec![settings.byte()]))
}

/// The stream again.
pub(super) fn close(plain: &[u8], corrections: &[u8]) -> Result<Vec<u8>, CodecError> {
    if let [byte] = corrections {
        let settings = zlib::Settings::parse(*byte).ok_or_else(|| refused("unknown settings of zlib"))?;
        return zlib::deflate(plain, settings, None).ok_or_else(|| refused("a stream cannot be rebuilt"));
    }
    recreate_whole_deflate_stream(plain, corrections)
        .map_err(|_| refused("a deflate stream cannot be rebuilt"))
}

/// The plain text alone, at most `limit` bytes.
pub(super) fn inflate(carrier: &[u8], limit: usize) -> Result<Vec<u8>, CodecError> {
    let mut plain = Vec::new();
    let read = DeflateDecoder::new(carrier).take(limit as u64 + 1).read_to_end(&mut plain);
    read.map_err(|_| refused("a base stream does not inflate"))?;
    if plain.len() <= limit { Ok(plain) } else { Err(refused("a base stream is longer than accepted")) }
}
