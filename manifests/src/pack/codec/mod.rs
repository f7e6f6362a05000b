//! How one segment's bytes are compressed against its prefix, and come back.
//!
//! Encoders are functions of their arguments alone; decoders yield exactly the stated length or an error, and never
//! take more memory than [`memory`] says for honest input.

pub mod delta;
pub mod directory;
pub mod lzma;
pub mod opened;
pub mod price;
pub mod x86;
pub mod zstd;

use self::price::Work;
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

/// The cheapest for the player of what `level` tries.
///
/// # Errors
/// [`CodecError`] when nothing encodes it.
pub fn choose(level: Level, prefix: &[u8], segment: &[u8]) -> Result<Encoded, CodecError> {
    /// Of other data than programs, suffixes are sorted and compared for so many bytes only.
    const MAX_SORTED: usize = 2 << 20;
    let coded = coded(level, prefix, segment, 0, u64::MAX)?;
    let small = segment.len() <= MAX_SORTED && prefix.len() <= MAX_SORTED;
    if level == Level::Best
        && !prefix.is_empty()
        && (small || alike(&coded, segment) && x86::looks_like_code(segment))
        && let Some(delta) = delta::encode(level, prefix, segment)?
        && wins(&delta, &coded, prefix)
    {
        return Ok(delta);
    }
    Ok(coded)
}

/// The cheaper of both coders at `level`, or the segment as it is. The memory of whoever decodes also holds `beside`
/// bytes of other things, which count. Where a first look says that no frame will be below `limit` bytes, that look is
/// the answer.
///
/// # Errors
/// [`CodecError`] when nothing encodes it.
pub fn coded(
    level: Level,
    prefix: &[u8],
    segment: &[u8],
    beside: u64,
    limit: u64,
) -> Result<Encoded, CodecError> {
    /// What is no smaller than this after a first look is compressed already, in percent of the segment.
    const DENSE: usize = 98;
    /// The least that more work leaves of a first look's frame, in percent, as a rule.
    const LEAST: u64 = 75;
    /// LZMA that leaves no more than this of a first look's frame, in percent, is smaller than any zstd.
    const SURE: usize = 80;
    /// The same where a first look leaves more than a quarter: with few matches to choose from, zstd is soon as good as
    /// it gets.
    const SURE_OF_FEW: usize = 92;
    /// A prefix so much longer than the segment, and than this many bytes, is all that a thorough search works on.
    const FAR: usize = 8;
    const FAR_BYTES: usize = 8 << 20;
    let by_zstd = |params| -> Result<Encoded, CodecError> {
        let bytes = zstd::encode(prefix, segment, params)?;
        let len = segment.len() as u64;
        let memory = memory(Method::Zstd, bytes.len() as u64, prefix.len() as u64, len, len) + beside;
        Ok(Encoded { method: Method::Zstd, bytes, plain_len: u32::try_from(len).unwrap_or(u32::MAX), memory })
    };
    let first = by_zstd(zstd::Params::first_look(level))?;
    // What is beside are closed streams: the segment is their text, most of it pixels.
    let is_opened = beside > 0;
    // There is no method for opened streams that are stored, and zstd adds next to nothing: coefficients of a JPEG.
    if first.bytes.len() >= segment.len() && !is_opened {
        return Ok(stored(segment));
    }
    let dense = first.bytes.len() * 100 >= segment.len() * DENSE;
    if level != Level::Best || dense || first.bytes.len() as u64 * LEAST / 100 >= limit {
        return Ok(first);
    }
    let sure_part = if first.bytes.len() > segment.len() / 4 { SURE_OF_FEW } else { SURE };
    let sure = |lzma: &Encoded| {
        lzma.bytes.len() * 100 <= first.bytes.len() * sure_part && wins(lzma, &first, prefix)
    };
    let lzma = match by_lzma(prefix, segment, first.bytes.len(), beside, is_opened)? {
        Some(lzma) if sure(&lzma) => return Ok(lzma),
        unsure => unsure,
    };
    let far = prefix.len() > FAR_BYTES && prefix.len() > segment.len() * FAR;
    let thorough = if far { None } else { Some(by_zstd(zstd::Params::of(level))?) };
    let zstd = thorough.filter(|thorough| thorough.bytes.len() < first.bytes.len()).unwrap_or(first);
    Ok(lzma.filter(|lzma| wins(lzma, &zstd, prefix)).unwrap_or(zstd))
}

/// Whether the segment is much like its prefix: a program that is not was built otherwise, and deltas of it are a minute
/// of sorting for nothing.
fn alike(coded: &Encoded, segment: &[u8]) -> bool {
    coded.bytes.len() < segment.len() / 8
}

/// Whether a dearer frame is at least 3 % smaller, and pays for the player's CPU.
fn wins(dearer: &Encoded, other: &Encoded, prefix: &[u8]) -> bool {
    let price = |encoded: &Encoded| price::price(Work::of(encoded, prefix.len()));
    dearer.bytes.len() as u64 * 100 <= other.bytes.len() as u64 * 97 && price(dearer) < price(other)
}

/// LZMA with as much of the prefix as memory allows, which takes `beside` bytes for other things; none where there is no
/// memory. zstd's frame has about `zstd_len` bytes.
fn by_lzma(
    prefix: &[u8],
    segment: &[u8],
    zstd_len: usize,
    beside: u64,
    pixels: bool,
) -> Result<Option<Encoded>, CodecError> {
    let beside = zstd_len as u64 + DECODER_BYTES + beside;
    let limit = MAX_MEMORY_BYTES.saturating_sub(beside);
    let Some(reach) = lzma::reach(prefix.len(), segment.len(), limit) else { return Ok(None) };
    let search = lzma::Search::of(prefix, segment, zstd_len, pixels);
    let bytes = lzma::encode(prefix, reach, segment, lzma::Params::of(segment), search)?;
    if bytes.len() > zstd_len {
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

/// An opened segment, where it is cheaper for the player than `closed`, which refers to nothing dear. To close it takes
/// `closing` bytes of memory beside its text and the output.
///
/// # Errors
/// [`CodecError`] when nothing encodes it.
pub fn choose_opened(
    level: Level,
    prefix: &[u8],
    plain: &[u8],
    output_len: usize,
    closing: u64,
    closed: &Encoded,
) -> Result<Option<Encoded>, CodecError> {
    let price_of = |method, frame: usize| {
        let (plain, prefix) = (plain.len() as u64, prefix.len() as u64);
        price::price(Work { method, frame: frame as u64, plain, prefix })
    };
    let limit = price::price(Work::of(closed, 0)).saturating_sub(price_of(Method::OpenedZstd, 0));
    let mut encoded = coded(level, prefix, plain, output_len as u64 + closing, limit)?;
    encoded.method = match encoded.method {
        Method::Zstd => Method::OpenedZstd,
        Method::Xz => Method::OpenedXz,
        _ => return Ok(None),
    };
    let fits = encoded.memory <= MAX_MEMORY_BYTES;
    let pays = price_of(encoded.method, encoded.bytes.len()) < price::price(Work::of(closed, 0));
    Ok((fits && pays).then_some(encoded))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes that nothing compresses.
    fn noise(len: usize) -> Vec<u8> {
        let mut state = 11u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33) as u8
        };
        (0..len).map(|_| next()).collect()
    }

    #[test]
    fn opened_streams_that_do_not_compress_are_taken_where_they_are_shorter() {
        // The coefficients of a JPEG, coded anew.
        let (plain, closed) = (noise(50_000), stored(&noise(60_000)));
        let taken = choose_opened(Level::Best, &[], &plain, 60_000, 0, &closed).unwrap().unwrap();
        assert_eq!((taken.method, taken.plain_len), (Method::OpenedZstd, 50_000));
        assert_eq!(zstd::decode(&[], &taken.bytes, plain.len()).unwrap(), plain);
        let closed = stored(&noise(50_500));
        assert_eq!(choose_opened(Level::Best, &[], &plain, 50_500, 0, &closed), Ok(None));
    }
}
