//! How one segment's bytes are compressed against its prefix, and come back.
//!
//! Encoders are functions of their arguments alone; decoders yield exactly the stated length or an error, and never
//! take more memory than [`memory`] says for honest input.

pub mod delta;
pub mod directory;
pub mod lzma;
pub mod opened;
pub mod x86;
pub mod zstd;

pub(super) use self::zstd::plain as zstd_plain;
use super::{Level, MAX_MEMORY_BYTES, Method};

/// Why a frame was not encoded or decoded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct CodecError(pub String);

/// What an encoder made of a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// How to decode it.
    pub method: Method,
    /// The frame.
    pub bytes: Vec<u8>,
    /// What the codec yields before closing.
    pub plain_len: u32,
    /// Most memory decoding takes, in bytes.
    pub memory: u64,
}

/// Tables and contexts of a decoder, rounded up.
const DECODER_BYTES: u64 = 1 << 20;

/// Most memory decoding takes, everything counted: frame, prefix, plain text and the decoder itself.
pub fn memory(method: Method, frame_len: u64, prefix_len: u64, plain_len: u64, output_len: u64) -> u64 {
    let closed = if method.is_opened() { output_len } else { 0 };
    frame_len + prefix_len + plain_len + closed + DECODER_BYTES
}

/// The segment as it is.
pub fn stored(segment: &[u8]) -> Encoded {
    let len = segment.len() as u64;
    Encoded {
        method: Method::Stored,
        bytes: segment.to_vec(),
        plain_len: u32::try_from(len).unwrap_or(u32::MAX),
        memory: memory(Method::Stored, len, 0, len, len),
    }
}

/// The smallest of what `level` tries.
///
/// # Errors
/// [`CodecError`] when nothing encodes it.
pub fn choose(level: Level, prefix: &[u8], segment: &[u8]) -> Result<Encoded, CodecError> {
    /// Of other data than programs, suffixes are sorted and compared for so many bytes only.
    const MAX_SORTED: usize = 2 << 20;
    let coded = coded(level, prefix, segment, 0)?;
    let small = segment.len() <= MAX_SORTED && prefix.len() <= MAX_SORTED;
    if level == Level::Best
        && !prefix.is_empty()
        && (small || alike(&coded, segment) && x86::looks_like_code(segment))
        && let Some((method, bytes, memory)) = delta::encode(level, prefix, segment)?
        && wins(bytes.len(), coded.bytes.len())
    {
        return Ok(Encoded { method, bytes, plain_len: coded.plain_len, memory });
    }
    Ok(coded)
}

/// The smaller of both coders at `level`, or the segment as it is. The memory of whoever decodes also holds `beside`
/// bytes of other things, which count.
///
/// # Errors
/// [`CodecError`] when nothing encodes it.
pub fn coded(level: Level, prefix: &[u8], segment: &[u8], beside: u64) -> Result<Encoded, CodecError> {
    let bytes = zstd::encode(prefix, segment, zstd::Params::of(level))?;
    if bytes.len() >= segment.len() {
        return Ok(stored(segment));
    }
    if level == Level::Best
        && let Some(better) = lzma_if_better(prefix, segment, bytes.len(), beside)?
    {
        return Ok(better);
    }
    let len = segment.len() as u64;
    let memory = memory(Method::Zstd, bytes.len() as u64, prefix.len() as u64, len, len) + beside;
    Ok(Encoded { method: Method::Zstd, bytes, plain_len: u32::try_from(len).unwrap_or(u32::MAX), memory })
}

/// Whether the segment is much like its prefix: a program that is not was built otherwise, and deltas of it are a minute
/// of sorting for nothing.
fn alike(coded: &Encoded, segment: &[u8]) -> bool {
    coded.bytes.len() < segment.len() / 8
}

/// Whether a dearer way is enough smaller.
fn wins(len: usize, over: usize) -> bool {
    len as u64 * 100 <= over as u64 * 97
}

/// LZMA where it is at least 3 % smaller than what zstd came to, for it costs the player twenty times the CPU; with as
/// much of the prefix as memory allows, which takes `beside` bytes for other things.
fn lzma_if_better(
    prefix: &[u8],
    segment: &[u8],
    zstd_len: usize,
    beside: u64,
) -> Result<Option<Encoded>, CodecError> {
    let beside = zstd_len as u64 + DECODER_BYTES + beside;
    let limit = MAX_MEMORY_BYTES.saturating_sub(beside);
    let Some(reach) = lzma::reach(prefix.len(), segment.len(), limit) else { return Ok(None) };
    let bytes = lzma::encode(prefix, reach, segment, lzma::Params::of(segment))?;
    if !wins(bytes.len(), zstd_len) {
        return Ok(None);
    }
    let memory = lzma::memory(prefix.len() as u64, reach as u64, segment.len() as u64) + beside;
    let plain_len = u32::try_from(segment.len()).unwrap_or(u32::MAX);
    Ok(Some(Encoded { method: Method::Xz, bytes, plain_len, memory }))
}

/// Decodes a frame to exactly `output_len` bytes. Takes the prefix, to let go of it early.
///
/// # Errors
/// [`CodecError`] for damaged data, other lengths, or a method this build cannot decode.
pub fn decode(
    method: Method,
    prefix: Vec<u8>,
    bytes: &[u8],
    plain_len: usize,
    output_len: usize,
) -> Result<Vec<u8>, CodecError> {
    let output = match method {
        Method::Stored => bytes.to_vec(),
        Method::Zstd => zstd::decode(&prefix, bytes, plain_len)?,
        Method::Xz => lzma::decode(prefix, bytes, plain_len)?,
        Method::Delta | Method::DeltaXz => delta::decode(method, &prefix, bytes, plain_len)?,
        Method::OpenedZstd => opened::close(&zstd::decode(&prefix, bytes, plain_len)?, output_len)?,
        Method::OpenedXz => opened::close(&lzma::decode(prefix, bytes, plain_len)?, output_len)?,
    };
    if output.len() == output_len {
        Ok(output)
    } else {
        Err(CodecError("another length comes out".to_owned()))
    }
}

/// CPU the player spends on closing, in output bytes a second: a model, so that the choice is the same everywhere.
const CLOSED_BYTES_PER_CPU_S: u64 = 4_000_000;
/// Bytes a dearer method must save for each CPU-second of the player.
const WORTH_BYTES_PER_CPU_S: u64 = 100_000;

/// An opened segment, where it is smaller than `closed` by enough to pay for the player's CPU.
///
/// # Errors
/// [`CodecError`] when nothing encodes it.
pub fn choose_opened(
    level: Level,
    prefix: &[u8],
    plain: &[u8],
    output_len: usize,
    closed: &Encoded,
) -> Result<Option<Encoded>, CodecError> {
    let mut encoded = coded(level, prefix, plain, output_len as u64)?;
    encoded.method = match encoded.method {
        Method::Zstd => Method::OpenedZstd,
        Method::Xz => Method::OpenedXz,
        _ => return Ok(None),
    };
    let cost = output_len as u64 * WORTH_BYTES_PER_CPU_S / CLOSED_BYTES_PER_CPU_S;
    let fits = encoded.memory <= super::MAX_MEMORY_BYTES;
    let pays = encoded.bytes.len() as u64 + cost <= closed.bytes.len() as u64;
    Ok((fits && pays).then_some(encoded))
}
