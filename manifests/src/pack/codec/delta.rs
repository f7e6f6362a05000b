//! Suffix-array delta (after Percival's bsdiff): the plain text as differences from pieces of the prefix that are
//! nearly alike, and what is new. Where code or tables were shifted, the same small differences repeat.
//!
//! A frame is the length of the delta and the compressed delta; the delta is the lengths of its first two parts, then
//! controls, differences and new bytes. Each control says how many bytes to add to the prefix, how many new ones follow,
//! and how far to move in the prefix after that.

mod search;

use self::search::Suffixes;
use super::{CodecError, DECODER_BYTES, Encoded, lzma, zstd};
use crate::pack::{Level, MAX_MEMORY_BYTES, Method};

/// A piece must beat going on as before by so many bytes.
const LEAD: i64 = 8;

/// Most bytes the delta of so many bytes has; a decoder believes no other.
fn max_delta_len(plain_len: usize) -> usize {
    2 * plain_len + 1024
}

/// Most memory decoding takes beside the frame, in bytes.
pub fn memory(prefix_len: u64, delta_len: u64, plain_len: u64) -> u64 {
    prefix_len + lzma::memory(0, 0, delta_len).max(delta_len + plain_len)
}

fn damaged() -> CodecError {
    CodecError("delta: damaged".to_owned())
}

/// The cheaper of both coders after the delta; none where it takes too much memory or nothing compresses it.
///
/// # Errors
/// [`CodecError`] when a coder refuses.
pub fn encode(level: Level, prefix: &[u8], plain: &[u8]) -> Result<Option<Encoded>, CodecError> {
    let delta = make(prefix, plain);
    let memory = memory(prefix.len() as u64, delta.len() as u64, plain.len() as u64)
        + DECODER_BYTES
        + plain.len() as u64;
    if delta.len() > max_delta_len(plain.len()) || memory > MAX_MEMORY_BYTES {
        return Ok(None);
    }
    let coded = super::coded(level, &[], &delta, 0, u64::MAX)?;
    let method = match coded.method {
        Method::Zstd => Method::Delta,
        Method::Xz => Method::DeltaXz,
        _ => return Ok(None),
    };
    let mut bytes = Vec::with_capacity(coded.bytes.len() + 5);
    put(&mut bytes, delta.len() as u64);
    bytes.extend(coded.bytes);
    let plain_len = u32::try_from(plain.len()).unwrap_or(u32::MAX);
    Ok(Some(Encoded { method, bytes, plain_len, memory }))
}

/// Decodes to exactly `plain_len` bytes.
///
/// # Errors
/// [`CodecError`] for damaged data or another length.
pub fn decode(method: Method, prefix: &[u8], frame: &[u8], plain_len: usize) -> Result<Vec<u8>, CodecError> {
    let mut rest = frame;
    let delta_len = usize::try_from(take(&mut rest)?).map_err(|_| damaged())?;
    if delta_len > max_delta_len(plain_len) {
        return Err(damaged());
    }
    let delta = match method {
        Method::DeltaXz => lzma::decode(Vec::new(), rest, delta_len)?,
        _ => zstd::decode(&[], rest, delta_len)?,
    };
    apply(prefix, &delta, plain_len)
}

fn put(out: &mut Vec<u8>, mut value: u64) {
    while value > 0x7f {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn take(bytes: &mut &[u8]) -> Result<u64, CodecError> {
    let mut value = 0u64;
    for shift in (0..63).step_by(7) {
        let (byte, rest) = bytes.split_first().ok_or_else(damaged)?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(damaged())
}

fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

/// The next `len` bytes, at most `room`.
fn piece<'a>(from: &mut &'a [u8], len: u64, room: usize) -> Result<&'a [u8], CodecError> {
    let len = usize::try_from(len).ok().filter(|len| *len <= room).ok_or_else(damaged)?;
    let (piece, rest) = from.split_at_checked(len).ok_or_else(damaged)?;
    *from = rest;
    Ok(piece)
}

fn apply(prefix: &[u8], delta: &[u8], plain_len: usize) -> Result<Vec<u8>, CodecError> {
    let mut rest = delta;
    let controls_len = usize::try_from(take(&mut rest)?).map_err(|_| damaged())?;
    let differences_len = usize::try_from(take(&mut rest)?).map_err(|_| damaged())?;
    let (mut controls, rest) = rest.split_at_checked(controls_len).ok_or_else(damaged)?;
    let (mut differences, mut new) = rest.split_at_checked(differences_len).ok_or_else(damaged)?;
    let mut plain = Vec::with_capacity(plain_len);
    let mut at = 0u64;
    while !controls.is_empty() {
        let (alike, fresh) = (take(&mut controls)?, take(&mut controls)?);
        let step = unzigzag(take(&mut controls)?);
        let start = usize::try_from(at).map_err(|_| damaged())?;
        let different = piece(&mut differences, alike, plain_len - plain.len())?;
        let old = prefix.get(start..).and_then(|old| old.get(..different.len())).ok_or_else(damaged)?;
        plain.extend(old.iter().zip(different).map(|(old, different)| old.wrapping_add(*different)));
        let room = plain_len - plain.len();
        plain.extend_from_slice(piece(&mut new, fresh, room)?);
        at = at.saturating_add(alike).checked_add_signed(step).ok_or_else(damaged)?;
    }
    if plain.len() == plain_len && differences.is_empty() && new.is_empty() {
        Ok(plain)
    } else {
        Err(damaged())
    }
}

/// A run of the plain text that looks like the prefix at another place: `len` bytes from `plain` and `old` on.
#[derive(Debug, Clone, Copy, Default)]
struct Cover {
    plain: usize,
    old: usize,
    len: usize,
}

fn make(prefix: &[u8], plain: &[u8]) -> Vec<u8> {
    let covers = covers(prefix, plain);
    let (mut controls, mut differences, mut new) = (Vec::new(), Vec::new(), Vec::new());
    let mut at = 0usize;
    for (cover, next) in covers.iter().zip(covers.iter().skip(1).map(Some).chain([None])) {
        let old = prefix.get(cover.old..cover.old + cover.len).unwrap_or_default();
        let alike = plain.get(cover.plain..cover.plain + cover.len).unwrap_or_default();
        differences.extend(alike.iter().zip(old).map(|(new, old)| new.wrapping_sub(*old)));
        let end = cover.plain + cover.len;
        let fresh = plain.get(end..next.map_or(plain.len(), |next| next.plain)).unwrap_or_default();
        new.extend_from_slice(fresh);
        at = cover.old + cover.len;
        put(&mut controls, alike.len() as u64);
        put(&mut controls, fresh.len() as u64);
        put(&mut controls, zigzag(next.map_or(0, |next| next.old as i64 - at as i64)));
    }
    debug_assert!(at <= prefix.len());
    let mut delta = Vec::with_capacity(controls.len() + differences.len() + new.len() + 10);
    put(&mut delta, controls.len() as u64);
    put(&mut delta, differences.len() as u64);
    delta.extend(controls);
    delta.extend(differences);
    delta.extend(new);
    delta
}

/// The covers, in the order of the plain text; the first stands at the beginning of both, be it empty.
fn covers(prefix: &[u8], plain: &[u8]) -> Vec<Cover> {
    let suffixes = Suffixes::of(prefix);
    let equal = |old: Option<usize>, new: usize| match (old.and_then(|old| prefix.get(old)), plain.get(new)) {
        (Some(old), Some(new)) => old == new,
        _ => false,
    };
    let mut covers = Vec::new();
    // Where the last cover began, in both.
    let mut last = Cover::default();
    let (mut scan, mut found) = (0usize, Cover::default());
    while scan < plain.len() {
        scan += found.len;
        let mut counted = scan;
        // Bytes from `scan` on that the last cover, carried on, would have right.
        let mut carried = 0i64;
        let on = |at: usize| (last.old + at).checked_sub(last.plain);
        while scan < plain.len() {
            let (old, len) = suffixes.longest(plain.get(scan..).unwrap_or_default());
            found = Cover { plain: scan, old, len };
            while counted < scan + len {
                carried += i64::from(equal(on(counted), counted));
                counted += 1;
            }
            let gained = len as i64 - carried;
            if (gained == 0 && len != 0) || gained > LEAD {
                break;
            }
            carried -= i64::from(equal(on(scan), scan));
            scan += 1;
            found.len = 0;
        }
        if found.len as i64 != carried || scan >= plain.len() {
            let (forward, backward) =
                meet(prefix, plain, last, Cover { plain: scan.min(plain.len()), ..found });
            covers.push(Cover { len: forward, ..last });
            last = Cover {
                plain: scan.min(plain.len()) - backward,
                old: found.old.saturating_sub(backward),
                len: 0,
            };
        }
    }
    if covers.is_empty() {
        covers.push(Cover::default());
    }
    covers
}

/// How far the last cover reaches forward and the found one backward, so that each byte between them goes where it fits.
fn meet(prefix: &[u8], plain: &[u8], last: Cover, found: Cover) -> (usize, usize) {
    let is_equal = |old: usize, new: usize| prefix.get(old).is_some_and(|old| plain.get(new) == Some(old));
    /// Extends while more than half of the bytes fit.
    fn reach(most: usize, fits: impl Fn(usize) -> bool) -> usize {
        let (mut score, mut best, mut len) = (0i64, 0i64, 0usize);
        for at in 0..most {
            score += if fits(at) { 1 } else { -1 };
            if score > best {
                (best, len) = (score, at + 1);
            }
        }
        len
    }
    let between = found.plain - last.plain;
    let forward = reach(between.min(prefix.len().saturating_sub(last.old)), |at| {
        is_equal(last.old + at, last.plain + at)
    });
    let backward = if found.plain < plain.len() {
        reach(between.min(found.old), |at| is_equal(found.old - 1 - at, found.plain - 1 - at))
    } else {
        0
    };
    let Some(overlap) = (forward + backward).checked_sub(between) else { return (forward, backward) };
    let (old_forward, new_forward) = (last.old + forward - overlap, last.plain + forward - overlap);
    let (old_backward, new_backward) = (found.old - backward, found.plain - backward);
    let (mut score, mut best, mut split) = (0i64, 0i64, 0usize);
    for at in 0..overlap {
        score += i64::from(is_equal(old_forward + at, new_forward + at));
        score -= i64::from(is_equal(old_backward + at, new_backward + at));
        if score > best {
            (best, split) = (score, at + 1);
        }
    }
    (forward + split - overlap, backward - split)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A table of names and offsets into something, all shifted by `shift` from the middle on.
    fn table(shift: u32) -> Vec<u8> {
        let mut offset = 0u32;
        (0..4000u32)
            .flat_map(|at| {
                offset += 100 + (at * 7919) % 977;
                let shifted = if at < 2000 { offset } else { offset + shift };
                let name = u64::from(at + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15).to_le_bytes();
                [name.as_slice(), &name[2..6], &shifted.to_le_bytes()].concat()
            })
            .collect()
    }

    fn round(prefix: &[u8], plain: &[u8]) -> usize {
        assert_eq!(apply(prefix, &make(prefix, plain), plain.len()).unwrap(), plain);
        // What is too short to be compressed has no frame.
        let Some(Encoded { method, bytes: frame, .. }) = encode(Level::Best, prefix, plain).unwrap() else {
            return plain.len();
        };
        assert_eq!(decode(method, prefix, &frame, plain.len()).unwrap(), plain);
        assert!(decode(method, prefix, &frame, plain.len() + 1).is_err());
        frame.len()
    }

    #[test]
    fn shifted_tables_cost_almost_nothing() {
        let (old, new) = (table(0), table(0x1234));
        let by_lzma =
            lzma::encode(&old, old.len(), &new, lzma::Params::DEFAULT, lzma::Search::Trees).unwrap().len();
        let by_delta = round(&old, &new);
        assert!(by_delta * 4 < by_lzma, "{by_delta} {by_lzma}");
        let moved = [b"in front", &old[5000..], b"between", &old[..5000]].concat();
        assert!(round(&old, &moved) < 120);
        assert_eq!(round(&[], &[]), round(&old, &[]));
    }

    proptest! {
        #[test]
        fn any_plain_text_comes_back(
            prefix in proptest::collection::vec(0u8..4, 0..400),
            cuts in proptest::collection::vec((any::<prop::sample::Index>(), 0usize..90, any::<u8>()), 0..12),
        ) {
            let mut plain = Vec::new();
            for (at, len, byte) in cuts {
                let start = at.index(prefix.len() + 1);
                plain.extend_from_slice(&prefix[start..(start + len).min(prefix.len())]);
                plain.push(byte);
            }
            round(&prefix, &plain);
        }

        #[test]
        fn any_delta_gives_the_length_asked_for_or_an_error(
            delta in proptest::collection::vec(any::<u8>(), 0..300),
            len in 0usize..400,
        ) {
            let prefix = table(1);
            if let Ok(plain) = apply(&prefix[..200], &delta, len) {
                prop_assert_eq!(plain.len(), len);
            }
            for method in [Method::Delta, Method::DeltaXz] {
                if let Ok(plain) = decode(method, &prefix, &delta, len) {
                    prop_assert_eq!(plain.len(), len);
                }
            }
        }
    }
}
