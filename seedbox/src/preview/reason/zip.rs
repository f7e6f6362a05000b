//! The directory of a zip: names, checksums and where the data lies.

use super::read::Reading;
use std::collections::HashMap;

/// Longest end record looked for: 22 bytes and a comment.
const END_BYTES: usize = 22 + 65_535;
const END_MAGIC: [u8; 4] = *b"PK\x05\x06";
const ENTRY_MAGIC: [u8; 4] = *b"PK\x01\x02";
/// Largest directory read, in bytes. (Those of zip64 are not.)
const MAX_DIRECTORY: usize = 64 << 20;
/// Length of an entry of the directory without its name and extras.
const ENTRY_BYTES: usize = 46;
/// Length of the header before an entry's data without its name and extras.
const LOCAL_BYTES: usize = 30;

/// One entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    /// Its place in the directory.
    pub(super) number: usize,
    pub(super) is_deflated: bool,
    pub(super) crc: u32,
    pub(super) packed: u64,
    pub(super) plain: u64,
    header: u64,
}

/// A zip's entries by name.
pub(super) struct Entries(pub(super) HashMap<Vec<u8>, Entry>);

impl Entries {
    /// None when there is no directory that makes sense.
    pub(super) fn read(file: &Reading<'_>) -> Option<Entries> {
        let tail_len = END_BYTES.min(usize::try_from(file.len()).unwrap_or(END_BYTES));
        let tail = file.some(file.len().checked_sub(tail_len as u64)?, tail_len);
        let end = tail.windows(4).rposition(|bytes| bytes == END_MAGIC)?;
        let end = tail.get(end..)?;
        let (len, offset) = (u32_at(end, 12)?, u32_at(end, 16)?);
        let len = usize::try_from(len).ok().filter(|len| *len <= MAX_DIRECTORY)?;
        let directory = file.some(u64::from(offset), len);
        if directory.len() != len {
            return None;
        }
        let (mut entries, mut rest) = (HashMap::new(), directory.as_slice());
        while rest.starts_with(&ENTRY_MAGIC) {
            let more = |at| u16_at(rest, at).map(usize::from);
            let (name_len, extra, comment) = (more(28)?, more(30)?, more(32)?);
            let name = rest.get(ENTRY_BYTES..ENTRY_BYTES + name_len)?;
            let entry = Entry {
                number: entries.len(),
                is_deflated: u16_at(rest, 10)? == 8,
                crc: u32_at(rest, 16)?,
                packed: u64::from(u32_at(rest, 20)?),
                plain: u64::from(u32_at(rest, 24)?),
                header: u64::from(u32_at(rest, 42)?),
            };
            entries.insert(name.to_vec(), entry);
            rest = rest.get(ENTRY_BYTES + name_len + extra + comment..)?;
        }
        Some(Entries(entries))
    }
}

impl Entry {
    /// Where its data begins.
    pub(super) fn data(&self, file: &Reading<'_>) -> Option<u64> {
        let header = file.some(self.header, LOCAL_BYTES);
        let (name, extra) = (u16_at(&header, 26)?, u16_at(&header, 28)?);
        Some(self.header + LOCAL_BYTES as u64 + u64::from(name) + u64::from(extra))
    }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|bytes| u16::from_le_bytes(*bytes))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|bytes| u32::from_le_bytes(*bytes))
}
