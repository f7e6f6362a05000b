//! From a frame's bytes and the base to a segment.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::codec;
use super::content::Content;
use super::index::{BaseRange, Frame, Index, View};
use super::{MAX_MEMORY_BYTES, MAX_OPENED_BYTES, PackError};

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

/// The ranges laid end to end.
pub(super) fn read_prefix(ranges: &[BaseRange], base: &dyn Content) -> Result<Vec<u8>, PackError> {
    let len: u64 = ranges.iter().map(|range| u64::from(range.len)).sum();
    let mut prefix = vec![0; usize::try_from(len).unwrap_or(usize::MAX)];
    let mut rest = prefix.as_mut_slice();
    let mut opened: Option<(u32, Vec<u8>)> = None;
    for range in ranges {
        let (now, later) = rest
            .split_at_mut_checked(range.len as usize)
            .ok_or(PackError::Index("base ranges are longer than their sum"))?;
        rest = later;
        let failed = |source| PackError::Read { tree: "base", file: range.file, source };
        match range.view {
            View::Raw => base.read_at(range.file, range.offset, now).map_err(failed)?,
            View::Opened => {
                if opened.as_ref().is_none_or(|(file, _)| *file != range.file) {
                    opened = Some((range.file, open_base(range.file, base)?));
                }
                let view = opened.as_ref().map(|(_, view)| view.as_slice()).unwrap_or_default();
                let start = usize::try_from(range.offset).unwrap_or(usize::MAX);
                let bytes = view.get(start..).and_then(|tail| tail.get(..now.len()));
                now.copy_from_slice(bytes.ok_or_else(|| failed(std::io::ErrorKind::UnexpectedEof.into()))?);
            }
        }
    }
    Ok(prefix)
}

/// A base file read whole and opened.
pub(super) fn open_base(file: u32, base: &dyn Content) -> Result<Vec<u8>, PackError> {
    let failed = |source| PackError::Read { tree: "base", file, source };
    let len = base.len(file).map_err(failed)?;
    if len > u64::from(MAX_OPENED_BYTES) {
        return Err(failed(std::io::ErrorKind::FileTooLarge.into()));
    }
    let mut raw = vec![0; usize::try_from(len).unwrap_or(usize::MAX)];
    base.read_at(file, 0, &mut raw).map_err(failed)?;
    let work = || codec::open_file(&raw);
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(view)) => Ok(view),
        Ok(Err(error)) => Err(failed(std::io::Error::new(std::io::ErrorKind::InvalidData, error))),
        Err(_) => Err(failed(std::io::ErrorKind::InvalidData.into())),
    }
}
