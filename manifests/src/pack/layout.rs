//! The pack file: `header | frames back to back | index | footer`.
//!
//! Header: `"SAMPACK" | format u8`. Footer: index length as u32 LE, then `"SAMPEND" | format u8`. Whoever has a pack
//! but no index reads the footer first.

use std::io;

use super::index::{Index, Limits};
use super::{FORMAT, MAX_MEMORY_BYTES, PackError};

/// Bytes before the first frame.
pub const HEADER_BYTES: u64 = 8;
/// Bytes after the index.
pub const FOOTER_BYTES: u64 = 12;

const HEADER: [u8; 8] = [b'S', b'A', b'M', b'P', b'A', b'C', b'K', FORMAT];
const END: [u8; 8] = [b'S', b'A', b'M', b'P', b'E', b'N', b'D', FORMAT];

pub(super) fn header() -> [u8; 8] {
    HEADER
}

pub(super) fn footer(index_len: u32) -> [u8; 12] {
    let mut footer = [0; 12];
    let (len, end) = footer.split_at_mut(4);
    len.copy_from_slice(&index_len.to_le_bytes());
    end.copy_from_slice(&END);
    footer
}

fn check_magic(found: &[u8], expected: &[u8; 8]) -> Result<(), PackError> {
    let [name @ .., _] = expected;
    match found.strip_prefix(name) {
        Some([FORMAT]) => Ok(()),
        Some([format]) => Err(PackError::Newer(*format)),
        _ => Err(PackError::Index("it is not a pack")),
    }
}

/// A whole pack that can be read at any place: what proof and tools use. Launchers fetch index and frames apart.
pub struct PackFile<'a> {
    read_at: &'a (dyn Fn(u64, &mut [u8]) -> io::Result<()> + Sync),
    len: u64,
}

impl<'a> PackFile<'a> {
    /// A pack of `len` bytes behind a function that reads exactly.
    pub fn new(len: u64, read_at: &'a (dyn Fn(u64, &mut [u8]) -> io::Result<()> + Sync)) -> Self {
        Self { read_at, len }
    }

    /// The index at its end, and its bytes.
    ///
    /// # Errors
    /// [`PackError::Index`] or [`PackError::Newer`] for a file that is no pack, ends early or has data too many.
    pub fn index(&self, limits: &Limits) -> Result<(Index, Vec<u8>), PackError> {
        let ends_early = |_| PackError::Index("it ends early");
        let mut header = [0; 8];
        (self.read_at)(0, &mut header).map_err(ends_early)?;
        check_magic(&header, &HEADER)?;
        let mut footer = [0; 12];
        let footer_at = self.len.checked_sub(FOOTER_BYTES).ok_or(PackError::Index("it ends early"))?;
        (self.read_at)(footer_at, &mut footer).map_err(ends_early)?;
        let (index_len, end) = footer.split_first_chunk::<4>().ok_or(PackError::Index("it ends early"))?;
        check_magic(end, &END)?;
        let index_len = u32::from_le_bytes(*index_len);
        if index_len as usize > limits.max_index_bytes {
            return Err(PackError::Index("it is longer than accepted"));
        }
        let index_at = footer_at
            .checked_sub(u64::from(index_len))
            .filter(|at| *at >= HEADER_BYTES)
            .ok_or(PackError::Index("it ends early"))?;
        let mut bytes = vec![0; index_len as usize];
        (self.read_at)(index_at, &mut bytes).map_err(ends_early)?;
        let index = Index::decode(&bytes, limits)?;
        let frames_end = index.frames.last().map_or(HEADER_BYTES, |frame| frame.range().end);
        if frames_end != index_at {
            return Err(PackError::Index("its frames do not fill the place between header and index"));
        }
        Ok((index, bytes))
    }

    /// The bytes of one frame.
    ///
    /// # Errors
    /// [`PackError::Frame`] when they cannot be read or there is no such frame.
    pub fn frame(&self, index: &Index, number: u32) -> Result<Vec<u8>, PackError> {
        let damaged = |reason: String| PackError::Frame { frame: number, reason };
        let frame = index.frames.get(number as usize).ok_or_else(|| damaged("there is none".to_owned()))?;
        if u64::from(frame.len) > MAX_MEMORY_BYTES {
            return Err(damaged("it is longer than any accepted".to_owned()));
        }
        let mut bytes = vec![0; frame.len as usize];
        (self.read_at)(frame.offset, &mut bytes).map_err(|error| damaged(error.to_string()))?;
        Ok(bytes)
    }
}
