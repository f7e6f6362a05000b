//! A release's files read by blocks, a few of which are kept: matching looks at places, never at whole files.

use std::io;

use crate::pack::PackError;
use crate::pack::content::TreeRef;
use crate::release::FileKind;

/// Bytes read at a time.
const BLOCK_BYTES: u64 = 128 << 10;
/// Blocks kept.
const SLOTS: usize = 64;

#[derive(Default)]
struct Slot {
    block: Option<(u32, u64)>,
    bytes: Vec<u8>,
}

/// Reads one tree; every worker has its own.
pub(super) struct Source<'a> {
    tree: TreeRef<'a>,
    name: &'static str,
    slots: Vec<Slot>,
}

impl<'a> Source<'a> {
    pub(super) fn new(tree: TreeRef<'a>, name: &'static str) -> Self {
        Self { tree, name, slots: (0..SLOTS).map(|_| Slot::default()).collect() }
    }

    /// The file's length by its manifest.
    pub(super) fn len(&self, file: u32) -> u64 {
        len_of(self.tree, file)
    }

    /// Bytes of `file` from `offset` on, at least one and as many as a block has; none at or past its end.
    pub(super) fn after(&mut self, file: u32, offset: u64) -> Result<&[u8], PackError> {
        let start = usize::try_from(offset % BLOCK_BYTES).unwrap_or(0);
        Ok(self.block(file, offset / BLOCK_BYTES)?.get(start..).unwrap_or_default())
    }

    /// Bytes of `file` before `offset`, at least one and as many as a block has; none at its start.
    pub(super) fn before(&mut self, file: u32, offset: u64) -> Result<&[u8], PackError> {
        let Some(last) = offset.checked_sub(1) else { return Ok(&[]) };
        let end = usize::try_from(last % BLOCK_BYTES).unwrap_or(0) + 1;
        Ok(self.block(file, last / BLOCK_BYTES)?.get(..end).unwrap_or_default())
    }

    /// Fills `buf` from `offset` on; false when the file ends before.
    pub(super) fn read(&mut self, file: u32, offset: u64, buf: &mut [u8]) -> Result<bool, PackError> {
        let mut done = 0;
        while done < buf.len() {
            let part = self.after(file, offset + done as u64)?;
            let count = part.len().min(buf.len() - done);
            if count == 0 {
                return Ok(false);
            }
            if let (Some(to), Some(from)) = (buf.get_mut(done..done + count), part.get(..count)) {
                to.copy_from_slice(from);
            }
            done += count;
        }
        Ok(true)
    }

    fn block(&mut self, file: u32, block: u64) -> Result<&[u8], PackError> {
        let at = (u64::from(file).wrapping_mul(0x9E37_79B1).wrapping_add(block) % SLOTS as u64) as usize;
        let len = self.len(file).saturating_sub(block * BLOCK_BYTES).min(BLOCK_BYTES);
        let (content, name) = (self.tree.content, self.name);
        let Some(slot) = self.slots.get_mut(at) else { return Ok(&[]) };
        if slot.block != Some((file, block)) {
            slot.block = None;
            slot.bytes.resize(usize::try_from(len).unwrap_or(0), 0);
            content
                .read_at(file, block * BLOCK_BYTES, &mut slot.bytes)
                .map_err(|source| read_error(name, file, source))?;
            slot.block = Some((file, block));
        }
        Ok(&slot.bytes)
    }
}

/// The length of a regular file by its manifest; none for anything else.
pub(super) fn len_of(tree: TreeRef<'_>, file: u32) -> u64 {
    tree.files
        .get(file as usize)
        .filter(|file| file.kind == FileKind::File)
        .map_or(0, |file| file.identity.len)
}

/// A failed read of either tree.
pub(super) fn read_error(tree: &'static str, file: u32, source: io::Error) -> PackError {
    PackError::Read { tree, file, source }
}

/// How many bytes are equal from the start.
pub(super) fn common_prefix(a: &[u8], b: &[u8]) -> usize {
    let len = a.len().min(b.len());
    let (a, b) = (a.get(..len).unwrap_or_default(), b.get(..len).unwrap_or_default());
    let (words_a, rest_a) = a.as_chunks::<8>();
    let (words_b, rest_b) = b.as_chunks::<8>();
    for (at, (x, y)) in words_a.iter().zip(words_b).enumerate() {
        if x != y {
            let differ = u64::from_le_bytes(*x) ^ u64::from_le_bytes(*y);
            return at * 8 + differ.trailing_zeros() as usize / 8;
        }
    }
    let same = rest_a.iter().zip(rest_b).take_while(|(x, y)| x == y).count();
    len - rest_a.len() + same
}

/// How many bytes are equal from the end.
pub(super) fn common_suffix(a: &[u8], b: &[u8]) -> usize {
    let len = a.len().min(b.len());
    let a = a.get(a.len() - len..).unwrap_or_default();
    let b = b.get(b.len() - len..).unwrap_or_default();
    let (rest_a, words_a) = a.as_rchunks::<8>();
    let (rest_b, words_b) = b.as_rchunks::<8>();
    for (at, (x, y)) in words_a.iter().rev().zip(words_b.iter().rev()).enumerate() {
        if x != y {
            let differ = u64::from_le_bytes(*x) ^ u64::from_le_bytes(*y);
            return at * 8 + differ.leading_zeros() as usize / 8;
        }
    }
    let same = rest_a.iter().rev().zip(rest_b.iter().rev()).take_while(|(x, y)| x == y).count();
    len - rest_a.len() + same
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn common_parts_are_counted_as_one_would(
            a in proptest::collection::vec(0u8..3, 0..40),
            b in proptest::collection::vec(0u8..3, 0..40),
            shared in proptest::collection::vec(any::<u8>(), 0..40),
        ) {
            let naive = |x: &[u8], y: &[u8]| x.iter().zip(y).take_while(|(x, y)| x == y).count();
            let (front_a, front_b) = ([&shared[..], &a[..]].concat(), [&shared[..], &b[..]].concat());
            prop_assert_eq!(common_prefix(&front_a, &front_b), naive(&front_a, &front_b));
            let (back_a, back_b) = ([&a[..], &shared[..]].concat(), [&b[..], &shared[..]].concat());
            let reversed = |x: &[u8]| x.iter().rev().copied().collect::<Vec<u8>>();
            prop_assert_eq!(common_suffix(&back_a, &back_b), naive(&reversed(&back_a), &reversed(&back_b)));
        }
    }
}
