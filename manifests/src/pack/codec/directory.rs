//! A reversible filter for the central directories of zip archives.
//!
//! An entry says where its file begins. One longer file shifts all that come after it, and with them four bytes of
//! every entry. Written as the distance from where the entry before says that its own file ends, they are the same
//! small numbers before and after: a shifted directory costs nothing.
//!
//! Entries are recognised by their bytes alone, wherever they stand: a wrong guess costs size, never correctness.

/// Begins every entry (APPNOTE 4.3.12).
const SIGNATURE: &[u8; 4] = b"PK\x01\x02";
/// An entry up to its name.
const FIXED_BYTES: usize = 46;
/// A file's local header up to its name.
const LOCAL_BYTES: u32 = 30;
/// Where an entry says where its file begins.
const OFFSET_AT: usize = 42;
/// Stands for an offset that is told elsewhere (zip64); kept as it is.
const ELSEWHERE: u32 = u32::MAX;

fn short(entry: &[u8; FIXED_BYTES], at: usize) -> u32 {
    let bytes = entry.get(at..).and_then(|rest| rest.first_chunk::<2>());
    bytes.map_or(0, |bytes| u32::from(u16::from_le_bytes(*bytes)))
}

fn long(entry: &[u8; FIXED_BYTES], at: usize) -> u32 {
    let bytes = entry.get(at..).and_then(|rest| rest.first_chunk::<4>());
    bytes.map_or(0, |bytes| u32::from_le_bytes(*bytes))
}

/// Numbers below [`ELSEWHERE`] added modulo it, so that none becomes it.
fn add(a: u32, b: u32) -> u32 {
    ((u64::from(a) + u64::from(b)) % u64::from(ELSEWHERE)) as u32
}

/// The inverse of [`add`].
fn subtract(a: u32, b: u32) -> u32 {
    add(a, ELSEWHERE - b % ELSEWHERE)
}

/// Walks over all entries; `change` gets what stands in the offset's place and where the file before ends, and answers
/// with what to write and the offset itself.
fn walk(bytes: &mut [u8], change: impl Fn(u32, u32) -> (u32, u32)) {
    let mut at = 0;
    let mut expected = None;
    while let Some(entry) = bytes.get_mut(at..).and_then(|rest| rest.first_chunk_mut::<FIXED_BYTES>()) {
        if !entry.starts_with(SIGNATURE) {
            expected = None;
            at += 1;
            continue;
        }
        let stands = long(entry, OFFSET_AT);
        let mut offset = 0;
        if stands != ELSEWHERE {
            let (written, plain) = change(stands, expected.unwrap_or(0));
            offset = plain;
            if let Some(field) = entry.last_chunk_mut::<4>() {
                *field = written.to_le_bytes();
            }
        }
        let name = short(entry, 28);
        let len = long(entry, 20);
        expected = Some(add(add(offset, len), LOCAL_BYTES + name));
        at += FIXED_BYTES + (name + short(entry, 30) + short(entry, 32)) as usize;
    }
}

/// Offsets to distances, in place.
pub fn distances(bytes: &mut [u8]) {
    walk(bytes, |offset, expected| (subtract(offset, expected), offset));
}

/// The inverse of [`distances`].
pub fn offsets(bytes: &mut [u8]) {
    walk(bytes, |distance, expected| {
        let offset = add(distance, expected);
        (offset, offset)
    });
}

/// Whether a good part of a directory is among the bytes.
pub fn looks_like_directory(bytes: &[u8]) -> bool {
    /// Fewer entries are not worth the filter.
    const ENTRIES: usize = 4;
    bytes.windows(4).filter(|window| *window == SIGNATURE).take(ENTRIES).count() == ENTRIES
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A directory of files with these lengths, stored one after the other from `start` on.
    fn directory(lens: &[u32], start: u32) -> Vec<u8> {
        let mut out = Vec::new();
        let mut offset = start;
        for (number, len) in lens.iter().enumerate() {
            let name = format!("data/file{number}.txt");
            let mut entry = [0u8; FIXED_BYTES];
            entry[..4].copy_from_slice(SIGNATURE);
            entry[20..24].copy_from_slice(&len.to_le_bytes());
            entry[28..30].copy_from_slice(&(name.len() as u16).to_le_bytes());
            entry[OFFSET_AT..].copy_from_slice(&offset.to_le_bytes());
            out.extend(entry);
            out.extend(name.as_bytes());
            offset = offset.wrapping_add(LOCAL_BYTES + name.len() as u32 + len);
        }
        out
    }

    #[test]
    fn a_shifted_directory_differs_in_one_entry() {
        let (mut old, mut new) = (directory(&[10, 20, 30, 40], 7), directory(&[10, 25, 30, 40], 7));
        assert!(looks_like_directory(&new));
        let before = new.clone();
        distances(&mut old);
        distances(&mut new);
        assert_eq!(old.iter().zip(&new).filter(|(old, new)| old != new).count(), 1);
        offsets(&mut new);
        assert_eq!(new, before);
    }

    #[test]
    fn offsets_told_elsewhere_stay() {
        let mut entries = directory(&[1, 2], ELSEWHERE);
        entries[OFFSET_AT..FIXED_BYTES].copy_from_slice(&[0xff; 4]);
        let before = entries.clone();
        distances(&mut entries);
        assert_eq!(entries[..FIXED_BYTES], before[..FIXED_BYTES]);
        offsets(&mut entries);
        assert_eq!(entries, before);
    }

    proptest! {
        #[test]
        fn every_change_is_undone(
            lens in proptest::collection::vec(any::<u32>(), 0..12),
            start: u32,
            flips in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..20),
        ) {
            let lens: Vec<u32> = lens.into_iter().map(|len| len >> 8).collect();
            let mut bytes = directory(&lens, start >> 1);
            for (at, value) in flips {
                if !bytes.is_empty() {
                    let at = at.index(bytes.len());
                    bytes[at] = value;
                }
            }
            let before = bytes.clone();
            distances(&mut bytes);
            offsets(&mut bytes);
            prop_assert_eq!(bytes, before);
        }
    }
}
