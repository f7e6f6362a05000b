//! zstd with the base ranges as reference prefix.

use ::zstd::zstd_safe::{CCtx, CParameter, DCtx, DParameter, ErrorCode, Strategy, get_error_name};

use super::{CodecError, Level};

/// How hard to try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Params {
    /// zstd's level, 1 to 22.
    pub level: i32,
    /// Long-distance matching beside the level's own search.
    pub long: bool,
}

impl Params {
    /// What a level tries. The fast one knows little of a long prefix but what long-distance matching finds there.
    pub fn of(level: Level) -> Self {
        match level {
            Level::Fast => Self { level: 3, long: true },
            Level::Normal => Self { level: 12, long: false },
            // Above it are 0.4 % for twice the time.
            Level::Best => Self { level: 19, long: false },
        }
    }

    /// What it takes to see what more work may come to.
    pub fn first_look(level: Level) -> Self {
        Self::of(level.min(Level::Normal))
    }
}

fn failed(code: ErrorCode) -> CodecError {
    CodecError(format!("zstd: {}", get_error_name(code)))
}

/// Bits of window that reach from the end of `plain_len` bytes over the whole prefix.
fn window_log(prefix_len: usize, plain_len: usize) -> u32 {
    let reach = (prefix_len + plain_len).max(1 << 10) as u64;
    (64 - (reach - 1).leading_zeros()).clamp(10, 27)
}

/// Compresses `plain` with `prefix` before it. No checksum: every output is hashed by who asked for it.
///
/// # Errors
/// [`CodecError`] when zstd refuses, which it does for want of memory only.
pub fn encode(prefix: &[u8], plain: &[u8], params: Params) -> Result<Vec<u8>, CodecError> {
    let mut context = CCtx::create();
    let mut set = |parameter| context.set_parameter(parameter).map_err(failed);
    set(CParameter::CompressionLevel(params.level))?;
    set(CParameter::WindowLog(window_log(prefix.len(), plain.len())))?;
    set(CParameter::ChecksumFlag(false))?;
    set(CParameter::DictIdFlag(false))?;
    set(CParameter::EnableLongDistanceMatching(params.long))?;
    set(CParameter::DeterministicRefPrefix(true))?;
    if !prefix.is_empty() {
        context.ref_prefix(prefix).map_err(failed)?;
    }
    let mut out = Vec::with_capacity(::zstd::zstd_safe::compress_bound(plain.len()));
    context.compress2(&mut out, plain).map_err(failed)?;
    Ok(out)
}

/// Decodes to exactly `plain_len` bytes.
///
/// # Errors
/// [`CodecError`] for damaged data or another length.
pub fn decode(prefix: &[u8], bytes: &[u8], plain_len: usize) -> Result<Vec<u8>, CodecError> {
    let mut context = DCtx::create();
    context.set_parameter(DParameter::WindowLogMax(27)).map_err(failed)?;
    if !prefix.is_empty() {
        context.ref_prefix(prefix).map_err(failed)?;
    }
    // The capacity is the bound: the decoder writes nothing beyond it.
    let mut out = Vec::with_capacity(plain_len);
    let written = context.decompress(&mut out, bytes).map_err(failed)?;
    if written == plain_len { Ok(out) } else { Err(CodecError("zstd: another length comes out".to_owned())) }
}

/// Compresses without prefix, as small as it gets: for the index.
///
/// # Errors
/// [`CodecError`] when zstd refuses.
pub(in crate::pack) fn plain(bytes: &[u8]) -> Result<Vec<u8>, CodecError> {
    let mut context = CCtx::create();
    let mut set = |parameter| context.set_parameter(parameter).map_err(failed);
    set(CParameter::CompressionLevel(19))?;
    set(CParameter::Strategy(Strategy::ZSTD_btultra2))?;
    set(CParameter::ContentSizeFlag(false))?;
    let mut out = Vec::with_capacity(::zstd::zstd_safe::compress_bound(bytes.len()));
    context.compress2(&mut out, bytes).map_err(failed)?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(len: usize) -> Vec<u8> {
        let mut state = 7u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33) as u8
        };
        (0..len).map(|_| next()).collect()
    }

    #[test]
    fn the_prefix_is_in_reach_from_its_first_byte() {
        let prefix: Vec<u8> = noise(3_000_000);
        let plain = [&prefix[..100_000], b"new", &prefix[2_900_000..]].concat();
        for level in [Level::Fast, Level::Normal, Level::Best] {
            let frame = encode(&prefix, &plain, Params::of(level)).unwrap();
            assert!(frame.len() < 4000, "{level:?}: {}", frame.len());
            assert_eq!(decode(&prefix, &frame, plain.len()).unwrap(), plain);
            assert!(decode(&prefix, &frame, plain.len() - 1).is_err());
            assert!(decode(&prefix, &frame, plain.len() + 1).is_err());
            assert!(decode(&prefix[..2_999_999], &frame, plain.len()).ok() != Some(plain.clone()));
        }
    }
}
