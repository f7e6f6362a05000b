//! One zstd frame around a document, opened within a bound whatever the frame says of itself.

use std::io::{Read, Write};

/// Largest compressed manifest read, in bytes.
pub const MAX_FRAME_BYTES: usize = 32 << 20;
/// Window the reader grants, as a power of two: 8 MiB.
const WINDOW_LOG: u32 = 23;
const LEVEL: i32 = 19;
/// RFC 8878 §3.1.1. Checked first: the decoder would also take the formats that came before it.
const MAGIC: [u8; 4] = [0x28, 0xB5, 0x2F, 0xFD];

/// Why a frame was not opened or written.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// More compressed bytes than [`MAX_FRAME_BYTES`].
    #[error("the compressed data has {0} bytes, more than accepted")]
    TooLarge(usize),
    /// Not a zstd frame.
    #[error("not a zstd frame")]
    NotAFrame,
    /// More plain bytes than the caller's bound.
    #[error("the data unpacks to more than {0} bytes")]
    TooMuchOutput(usize),
    /// Bytes after the frame.
    #[error("there is data after the frame")]
    TrailingData,
    /// The frame is damaged or asks for more memory than granted.
    #[error("the compressed data is damaged")]
    Damaged(#[source] std::io::Error),
}

/// Compresses `plain` into one frame with a checksum.
pub(crate) fn pack(plain: &[u8]) -> Result<Vec<u8>, FrameError> {
    let write = || -> std::io::Result<Vec<u8>> {
        let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), LEVEL)?;
        encoder.window_log(WINDOW_LOG)?;
        encoder.include_checksum(true)?;
        encoder.set_pledged_src_size(Some(plain.len() as u64))?;
        encoder.write_all(plain)?;
        encoder.finish()
    };
    let frame = write().map_err(FrameError::Damaged)?;
    if frame.len() > MAX_FRAME_BYTES { Err(FrameError::TooLarge(frame.len())) } else { Ok(frame) }
}

/// Opens exactly one frame, to at most `limit` bytes.
pub(crate) fn unpack(frame: &[u8], limit: usize) -> Result<Vec<u8>, FrameError> {
    if frame.len() > MAX_FRAME_BYTES {
        return Err(FrameError::TooLarge(frame.len()));
    }
    if !frame.starts_with(&MAGIC) {
        return Err(FrameError::NotAFrame);
    }
    let mut decoder =
        zstd::stream::read::Decoder::with_buffer(frame).map_err(FrameError::Damaged)?.single_frame();
    decoder.window_log_max(WINDOW_LOG).map_err(FrameError::Damaged)?;
    let mut plain = Vec::new();
    decoder.by_ref().take(limit as u64 + 1).read_to_end(&mut plain).map_err(FrameError::Damaged)?;
    if plain.len() > limit {
        return Err(FrameError::TooMuchOutput(limit));
    }
    if decoder.finish().is_empty() { Ok(plain) } else { Err(FrameError::TrailingData) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_what_it_packed_and_nothing_more() {
        let plain = b"samara".repeat(1000);
        let frame = pack(&plain).unwrap();
        assert_eq!(unpack(&frame, 6000).unwrap(), plain);
        assert!(matches!(unpack(&frame, 5999), Err(FrameError::TooMuchOutput(5999))));
        let twice = [&frame[..], &frame[..]].concat();
        assert!(matches!(unpack(&twice, 60_000), Err(FrameError::TrailingData)));
        assert!(matches!(unpack(b"\x1f\x8b", 10), Err(FrameError::NotAFrame)));
        for cut in 4..frame.len() {
            assert!(unpack(&frame[..cut], 6000).is_err(), "cut at {cut}");
        }
        for at in 0..frame.len() {
            let mut damaged = frame.clone();
            damaged[at] ^= 1;
            assert!(!matches!(unpack(&damaged, 6000), Ok(other) if other != plain), "bit at {at}");
        }
    }

    #[test]
    fn a_bomb_stops_at_the_bound() {
        let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 3).unwrap();
        std::io::copy(&mut std::io::repeat(0).take(64 << 20), &mut encoder).unwrap();
        let bomb = encoder.finish().unwrap();
        assert!(bomb.len() < 64 << 10);
        assert!(matches!(unpack(&bomb, 1 << 20), Err(FrameError::TooMuchOutput(_))));
    }

    #[test]
    fn a_two_gib_window_is_refused() {
        // Frame header: no single segment, window descriptor with exponent 21 (2^31), one raw last block of one byte.
        let frame = [0x28, 0xB5, 0x2F, 0xFD, 0x00, 21 << 3, 0x09, 0x00, 0x00, 0x41];
        assert!(matches!(unpack(&frame, 10), Err(FrameError::Damaged(_))));
    }
}
