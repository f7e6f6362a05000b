//! From a frame's bytes and the base to a segment.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::codec;
use super::content::Content;
use super::index::{BaseRange, Frame, Index, View};
use super::{MAX_MEMORY_BYTES, MAX_PREFIX_BYTES, PackError};

/// Rebuilds what frame number `frame` of a validated index holds: exactly `output_len` bytes.
///
/// Isolated: whatever the bytes, the answer is the segment or an error, a decoder's panic included. Whether it is the
/// right segment only the files' hashes tell.
///
/// # Errors
/// [`PackError::Read`] when the base cannot be read, [`PackError::Memory`], [`PackError::Frame`] for all else.
pub fn rebuild_frame(
    index: &Index,
    frame: u32,
    bytes: &[u8],
    base: &dyn Content,
) -> Result<Vec<u8>, PackError> {
    let damaged = |reason: String| PackError::Frame { frame, reason };
    let entry = index.frames.get(frame as usize).ok_or_else(|| damaged("there is none".to_owned()))?;
    let need = entry.memory.max(entry.prefix_len() + u64::from(entry.output_len) + u64::from(entry.len));
    if need > MAX_MEMORY_BYTES {
        return Err(PackError::Memory { frame, need, limit: MAX_MEMORY_BYTES });
    }
    if bytes.len() != entry.len as usize {
        return Err(damaged("it has another length".to_owned()));
    }
    let prefix = read_prefix(&entry.prefix, base)?;
    decode(entry, prefix, bytes).map_err(damaged)
}

/// Decodes with the prefix at hand.
pub(super) fn decode(frame: &Frame, prefix: Vec<u8>, bytes: &[u8]) -> Result<Vec<u8>, String> {
    let (plain_len, output_len) = (frame.plain_len as usize, frame.output_len as usize);
    let work = || codec::decode(frame.method, prefix, bytes, plain_len, output_len);
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(output)) if output.len() == output_len => Ok(output),
        Ok(Ok(_)) => Err("another length comes out".to_owned()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("the decoder gave up".to_owned()),
    }
}

/// The ranges laid end to end, those that are to be opened opened.
pub(super) fn read_prefix(ranges: &[BaseRange], base: &dyn Content) -> Result<Vec<u8>, PackError> {
    let limit = MAX_PREFIX_BYTES as usize;
    let raw = ranges.iter().filter(|range| range.view == View::Raw).map(|range| u64::from(range.len));
    // Zeroed by the system, which has to do that anyway; room for what is opened comes as it is needed.
    let mut prefix = vec![0; usize::try_from(raw.sum::<u64>()).map_or(limit, |len| len.min(limit))];
    let mut filled = 0;
    for range in ranges {
        let failed = |source| PackError::Read { tree: "base", file: range.file, source };
        let room = limit.saturating_sub(filled);
        match range.view {
            View::Raw => {
                if range.len as usize > room {
                    return Err(PackError::Index("a frame refers to more base data than accepted"));
                }
                let end = filled + range.len as usize;
                if end > prefix.len() {
                    prefix.resize(end, 0);
                }
                let bytes = prefix.get_mut(filled..end).unwrap_or_default();
                base.read_at(range.file, range.offset, bytes).map_err(failed)?;
                filled = end;
            }
            View::Opened => {
                let mut raw = vec![0; (range.len as usize).min(limit)];
                base.read_at(range.file, range.offset, &mut raw).map_err(failed)?;
                let work = || codec::opened::reference(&raw, room);
                let opened = catch_unwind(AssertUnwindSafe(work));
                let invalid = || failed(std::io::ErrorKind::InvalidData.into());
                prefix.truncate(filled);
                prefix.extend_from_slice(&opened.map_err(|_| invalid())?.map_err(|_| invalid())?);
                filled = prefix.len();
            }
        }
    }
    Ok(prefix)
}
