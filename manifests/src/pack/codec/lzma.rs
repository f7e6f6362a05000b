//! LZMA with the base ranges as preset dictionary: the entropy coder that wins where zstd's ends.
//!
//! A frame is one byte of parameters, one that says how much of the prefix is used, and the raw range-coded stream,
//! without headers, end marker or the stream's first byte, which is always zero.

use std::io::{Read as _, Write as _};

use lzma_rust2::{EncodeMode, LzmaOptions, LzmaReader, LzmaWriter, MfType};

use super::{CodecError, directory, x86};

/// What prefix and plain text go through before the coder, both of them, and back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filter {
    /// Nothing.
    None,
    /// [`x86`]: relative addresses made absolute.
    X86,
    /// [`directory`]: offsets in zip directories made distances.
    Directory,
}

impl Filter {
    const ALL: [Self; 3] = [Self::None, Self::X86, Self::Directory];

    fn apply(self, bytes: &mut [u8]) {
        match self {
            Self::None => {}
            Self::X86 => x86::absolute(bytes),
            Self::Directory => directory::distances(bytes),
        }
    }

    fn undo(self, bytes: &mut [u8]) {
        match self {
            Self::None => {}
            Self::X86 => x86::relative(bytes),
            Self::Directory => directory::offsets(bytes),
        }
    }
}

/// What the first byte of a frame says: `lc + 5 * (lp + 3 * (pb + 3 * filter))`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Params {
    /// High bits of the byte before that choose a literal's model, 0 to 4; with `lp` at most 4.
    pub lc: u8,
    /// Low bits of the position that choose a literal's model, 0 to 2.
    pub lp: u8,
    /// Low bits of the position that choose a match's model, 0 to 2.
    pub pb: u8,
    /// What comes before the coder.
    pub filter: Filter,
}

impl Params {
    /// For what nothing is known of.
    pub const DEFAULT: Self = Self { lc: 3, lp: 0, pb: 2, filter: Filter::None };

    /// What suits these bytes.
    pub fn of(plain: &[u8]) -> Self {
        let filter = if x86::looks_like_code(plain) {
            Filter::X86
        } else if directory::looks_like_directory(plain) {
            Filter::Directory
        } else {
            Filter::None
        };
        // Text has no words of two or four bytes.
        let pb = if plain.contains(&0) { Self::DEFAULT.pb } else { 0 };
        Self { pb, filter, ..Self::DEFAULT }
    }

    fn byte(self) -> u8 {
        self.lc + 5 * (self.lp + 3 * (self.pb + 3 * self.filter as u8))
    }

    fn parse(byte: u8) -> Result<Self, CodecError> {
        let unknown = || CodecError("lzma: unknown parameters".to_owned());
        let filter = Filter::ALL.get(usize::from(byte / 45)).ok_or_else(unknown)?;
        let params = Self { lc: byte % 5, lp: byte / 5 % 3, pb: byte / 15 % 3, filter: *filter };
        if params.lc + params.lp > 4 { Err(unknown()) } else { Ok(params) }
    }
}

/// How the encoder looks for matches: nothing a decoder would know of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Search {
    /// Binary trees: what is there, a few bytes at a time if need be.
    Trees,
    /// Hash chains, followed far: a tenth of the time where there is hardly anything but long matches, and hardly larger.
    LongChains,
    /// Hash chains, followed a few steps: a fifth of the time for 1.5 % more, where matches are few.
    ShortChains,
}

impl Search {
    /// What suits data that zstd makes `zstd_len` bytes of; `pixels` when most of it are images.
    pub fn of(prefix: &[u8], plain: &[u8], zstd_len: usize, pixels: bool) -> Self {
        /// Matches are long where zstd leaves less than one byte of so many, and few where it leaves more than one...
        const LONG: usize = 16;
        const FEW: usize = 4;
        /// ... and trees take time where there is more data than this, most of all where it is prefix.
        const SHORT_BYTES: usize = 4 << 20;
        const FAR: usize = 8;
        if prefix.len() + plain.len() <= SHORT_BYTES {
            Self::Trees
        } else if zstd_len * LONG < plain.len() || prefix.len() > plain.len() * FAR {
            Self::LongChains
        } else if pixels && zstd_len * FEW > plain.len() {
            Self::ShortChains
        } else {
            Self::Trees
        }
    }

    /// The finder, the length that is as good as any, and how many candidates are looked at (0: as many as usual).
    fn options(self) -> (MfType, u32, i32) {
        match self {
            Self::Trees => (MfType::Bt4, 128, 48),
            Self::LongChains => (MfType::Hc4, LzmaOptions::NICE_LEN_MAX, 0),
            Self::ShortChains => (MfType::Hc4, 64, 8),
        }
    }
}

/// How much of the prefix is used is told in these.
const REACH_UNIT: usize = 128 << 10;

/// Most memory decoding takes beside the frame, in bytes, with the last `reach` bytes of the prefix in the window: the
/// prefix and the window; or, the prefix let go of, the window, which grows by the plain text and may be moved for it,
/// and the plain text itself.
pub fn memory(prefix_len: u64, reach: u64, plain_len: u64) -> u64 {
    (prefix_len + reach).max(2 * reach + 2 * plain_len)
}

/// The longest reach into a prefix with which decoding takes no more than `limit` bytes of memory; none where there is
/// none.
pub fn reach(prefix_len: usize, plain_len: usize, limit: u64) -> Option<usize> {
    let left = limit.checked_sub(2 * plain_len as u64)? / 2;
    let left = left.min(limit.checked_sub(prefix_len as u64)?);
    let whole = usize::try_from(left).ok()? / REACH_UNIT * REACH_UNIT;
    Some(prefix_len.min(whole).min(usize::from(u8::MAX) * REACH_UNIT))
}

/// The dictionary that reaches over everything.
fn dictionary(prefix_len: usize, plain_len: usize) -> Result<u32, CodecError> {
    /// The coder's smallest.
    const LEAST: usize = 4096;
    u32::try_from((prefix_len + plain_len).max(LEAST)).map_err(|_| CodecError("lzma: too long".to_owned()))
}

fn failed(error: &std::io::Error) -> CodecError {
    CodecError(format!("lzma: {error}"))
}

/// The last `units` of the prefix.
fn within(prefix: &[u8], units: u8) -> &[u8] {
    let used = prefix.len().min(usize::from(units) * REACH_UNIT);
    prefix.get(prefix.len() - used..).unwrap_or_default()
}

/// Compresses `plain` with the last `reach` bytes of `prefix` before it, up to a whole `REACH_UNIT`.
///
/// # Errors
/// [`CodecError`] when the encoder refuses.
pub fn encode(
    prefix: &[u8],
    reach: usize,
    plain: &[u8],
    params: Params,
    search: Search,
) -> Result<Vec<u8>, CodecError> {
    let (finder, nice_len, depth) = search.options();
    let units = u8::try_from(reach.div_ceil(REACH_UNIT)).unwrap_or(u8::MAX);
    let mut prefix = within(prefix, units).to_vec();
    let filtered = (params.filter != Filter::None).then(|| {
        let mut filtered = plain.to_vec();
        params.filter.apply(&mut filtered);
        params.filter.apply(&mut prefix);
        filtered
    });
    let plain = filtered.as_deref().unwrap_or(plain);
    let mut options = LzmaOptions::new(
        dictionary(prefix.len(), plain.len())?,
        params.lc.into(),
        params.lp.into(),
        params.pb.into(),
        EncodeMode::Normal,
        nice_len,
        finder,
        depth,
    );
    if !prefix.is_empty() {
        options.preset_dict = Some(prefix);
    }
    let mut writer =
        LzmaWriter::new_no_header(Vec::new(), &options, false).map_err(|error| failed(&error))?;
    drop(options);
    writer.write_all(plain).map_err(|error| failed(&error))?;
    let mut frame = writer.finish().map_err(|error| failed(&error))?;
    match frame.first_mut() {
        Some(first) if *first == 0 => *first = units,
        _ => return Err(CodecError("lzma: the stream begins otherwise".to_owned())),
    }
    frame.insert(0, params.byte());
    Ok(frame)
}

/// Decodes to exactly `plain_len` bytes.
///
/// # Errors
/// [`CodecError`] for damaged data or another length.
pub fn decode(mut prefix: Vec<u8>, frame: &[u8], plain_len: usize) -> Result<Vec<u8>, CodecError> {
    let Some(([byte, units], stream)) = frame.split_first_chunk() else {
        return Err(CodecError("lzma: no data".to_owned()));
    };
    let params = Params::parse(*byte)?;
    let unused = prefix.len() - within(&prefix, *units).len();
    params.filter.apply(prefix.get_mut(unused..).unwrap_or_default());
    let used = prefix.get(unused..).unwrap_or_default();
    let dictionary = dictionary(used.len(), plain_len)?;
    let preset = if used.is_empty() { None } else { Some(used) };
    let (lc, lp, pb) = (params.lc.into(), params.lp.into(), params.pb.into());
    let stream = [0].as_slice().chain(stream);
    let reader = LzmaReader::new(stream, plain_len as u64, lc, lp, pb, dictionary, preset)
        .map_err(|error| failed(&error))?;
    drop(prefix);
    let mut plain = Vec::with_capacity(plain_len);
    // One byte more would show that there is more; the reader knows the length and stops at it.
    reader.take(plain_len as u64).read_to_end(&mut plain).map_err(|error| failed(&error))?;
    if plain.len() != plain_len {
        return Err(CodecError("lzma: another length comes out".to_owned()));
    }
    params.filter.undo(&mut plain);
    Ok(plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Text-like data with repeats near and far.
    fn sample(seed: u32, len: usize) -> Vec<u8> {
        let mut state = seed | 1;
        let mut out: Vec<u8> = Vec::new();
        while out.len() < len {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let from = (state >> 8) as usize % (out.len() + 1);
            let run = (state >> 3) as usize % 40;
            match state >> 30 {
                0 => out.extend_from_within(from..(from + run).min(out.len())),
                1 => out.extend(std::iter::repeat_n((state >> 16) as u8, run)),
                _ => out.push((state >> 20) as u8 & 0x3f),
            }
        }
        out.truncate(len);
        out
    }

    const ALL: [Params; 5] = [
        Params::DEFAULT,
        Params { filter: Filter::X86, ..Params::DEFAULT },
        Params { filter: Filter::Directory, ..Params::DEFAULT },
        Params { lc: 0, lp: 2, pb: 2, filter: Filter::None },
        Params { lc: 4, lp: 0, pb: 0, filter: Filter::None },
    ];

    #[test]
    fn parameters_survive_their_byte() {
        for params in ALL {
            assert_eq!(Params::parse(params.byte()), Ok(params));
        }
        assert!(Params::parse(135).is_err() && Params::parse(4 + 5).is_err());
    }

    #[test]
    fn what_went_in_comes_out_and_the_prefix_is_in_reach_from_its_first_byte() {
        let prefix = sample(7, 70_000);
        let plain = [&prefix[..9000], b"new", &sample(9, 5000)[..], &prefix[61_000..]].concat();
        for params in ALL {
            let frame = encode(&prefix, prefix.len(), &plain, params, Search::Trees).unwrap();
            assert!(
                frame.len() < encode(&[], 0, &plain, params, Search::Trees).unwrap().len() / 2,
                "{params:?}"
            );
            assert_eq!(decode(prefix.clone(), &frame, plain.len()).unwrap(), plain, "{params:?}");
            assert!(decode(prefix.clone(), &frame, plain.len() + 1).is_err());
            assert_ne!(decode(prefix[1..].to_vec(), &frame, plain.len()).ok(), Some(plain.clone()));
            assert_eq!(
                decode(Vec::new(), &encode(&[], 0, &[], params, Search::Trees).unwrap(), 0).unwrap(),
                b""
            );
        }
    }

    #[test]
    fn only_as_much_of_the_prefix_is_used_as_memory_allows() {
        let prefix = sample(3, 5 * REACH_UNIT / 2);
        let plain = [&prefix[..2000], &prefix[prefix.len() - 2000..]].concat();
        let frame = encode(&prefix, 1, &plain, Params::DEFAULT, Search::Trees).unwrap();
        let all = encode(&prefix, prefix.len(), &plain, Params::DEFAULT, Search::Trees).unwrap();
        assert!(all.len() < frame.len());
        assert_eq!(decode(prefix.clone(), &frame, plain.len()).unwrap(), plain);
        assert_eq!(decode(prefix[REACH_UNIT..].to_vec(), &frame, plain.len()).unwrap(), plain);
        const MIB: usize = 1 << 20;
        for (prefix_mib, plain_mib, limit_mib) in
            [(32, 8, 60), (22, 8, 60), (1, 8, 60), (32, 16, 60), (40, 1, 41)]
        {
            let limit = (limit_mib * MIB) as u64;
            let reach = reach(prefix_mib * MIB, plain_mib * MIB, limit).unwrap();
            let need = memory((prefix_mib * MIB) as u64, reach as u64, (plain_mib * MIB) as u64);
            assert!(reach > 0 && need <= limit, "{prefix_mib} {plain_mib}: {reach}");
        }
        assert_eq!(reach(MIB, 32 * MIB, 60 << 20), None);
    }

    proptest! {
        #[test]
        fn any_plain_text_comes_back(seed: u32, len in 0usize..3000, before in 0usize..3000, which in 0usize..5) {
            let (prefix, plain) = (sample(seed, before), sample(seed.rotate_left(9), len));
            let frame = encode(&prefix, before, &plain, ALL[which], Search::Trees).unwrap();
            prop_assert_eq!(decode(prefix.clone(), &frame, plain.len()).unwrap(), plain);
        }

        #[test]
        fn any_bytes_give_the_length_asked_for_or_an_error(
            frame in proptest::collection::vec(any::<u8>(), 0..600),
            before in 0usize..50,
            len in 0usize..4000,
        ) {
            if let Ok(plain) = decode(sample(1, before), &frame, len) {
                prop_assert_eq!(plain.len(), len);
            }
        }

        #[test]
        fn flipped_bits_do_no_harm(seed: u32, at: prop::sample::Index, bit in 0u8..8) {
            let plain = sample(seed, 2000);
            let mut frame = encode(&[], 0, &plain, Params::DEFAULT, Search::Trees).unwrap();
            let at = at.index(frame.len());
            frame[at] ^= 1 << bit;
            if let Ok(other) = decode(Vec::new(), &frame, plain.len()) {
                prop_assert_eq!(other.len(), plain.len());
            }
        }
    }
}
