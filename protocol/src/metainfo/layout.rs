//! Which bytes of which file a piece holds.
//!
//! The address space is what BEP 3 calls the concatenation of the files. In v2 and hybrid torrents each file that
//! is not empty begins at a piece boundary (BEP 52); in v1 torrents files follow each other at once. What lies in
//! the space but in no file is pad (BEP 47) and reads as zeros. Blocks are numbered by piece:
//! `piece * blocks_per_piece + offset / 16 KiB`.

use super::MetainfoError;
use crate::units::{BLOCK_LEN, BlockRef, FileIndex, MAX_REQUEST_LEN, PieceIndex, Root};
use std::ops::Range;

/// The most blocks a torrent may have: 4 TiB of data. A torrent's own word decides how large bitmaps get, so it
/// needs a bound.
pub const MAX_BLOCKS: u32 = 1 << 28;

/// A file of a torrent. Pads are not listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileEntry {
    /// Path components below the torrent's name; a single-file torrent has one, its name.
    pub path: Vec<String>,
    /// Bytes.
    pub len: u64,
    /// Where it begins in the torrent's address space, in bytes.
    pub offset: u64,
    /// `pieces root` (BEP 52); none in v1-only torrents and for empty files.
    pub root: Option<Root>,
    /// BEP 47 attribute `x`.
    pub executable: bool,
    /// BEP 47 attribute `h`.
    pub hidden: bool,
    /// BEP 47 attribute `l`: the target's path components.
    pub symlink: Option<Vec<String>>,
}

impl FileEntry {
    /// A plain file whose offset is still to be given by [`Layout::aligned`] or [`Layout::contiguous`].
    #[must_use]
    pub fn new(path: &[&str], len: u64) -> FileEntry {
        FileEntry {
            path: path.iter().map(|&part| part.to_owned()).collect(),
            len,
            offset: 0,
            root: None,
            executable: false,
            hidden: false,
            symlink: None,
        }
    }

    /// The bytes of the address space that are this file's.
    #[must_use]
    pub fn range(&self) -> Range<u64> {
        self.offset..self.offset + self.len
    }
}

/// A run of bytes within one file, or within one pad.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The file; `None` is pad, which reads as zeros and is never written.
    pub file: Option<FileIndex>,
    /// Where in the file it begins, in bytes (0 in a pad).
    pub file_offset: u64,
    /// Bytes.
    pub len: u32,
}

/// Files laid out over pieces. The fields are public to read; a layout is made by its constructors, which check it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Bytes in every piece but the last.
    pub piece_len: u32,
    /// The files in the torrent's order, by ascending offset.
    pub files: Vec<FileEntry>,
    /// Bytes of the address space, pads included (also one behind the last file, if the torrent has it).
    pub total_len: u64,
    /// Bytes of the files.
    pub data_len: u64,
    /// Indices of the files that are not empty: their ranges ascend and never overlap.
    filled: Vec<u32>,
}

impl Layout {
    /// Checks the offsets that the files bring along.
    ///
    /// # Errors
    /// [`MetainfoError::BadLayout`] when files overlap, go beyond `total_len` or are not in order;
    /// [`MetainfoError::TooLarge`] beyond [`MAX_BLOCKS`].
    pub fn new(piece_len: u32, files: Vec<FileEntry>, total_len: u64) -> Result<Layout, MetainfoError> {
        let (mut at, mut data_len) = (0u64, 0u64);
        for file in &files {
            let end = file.offset.checked_add(file.len).ok_or(MetainfoError::TooLarge)?;
            if file.offset < at || end > total_len {
                return Err(MetainfoError::BadLayout);
            }
            at = end;
            data_len += file.len;
        }
        if piece_len == 0 || u32::try_from(files.len()).is_err() {
            return Err(MetainfoError::BadLayout);
        }
        let pieces = total_len.div_ceil(u64::from(piece_len));
        let blocks = pieces.checked_mul(u64::from(piece_len.div_ceil(BLOCK_LEN)));
        if blocks.is_none_or(|blocks| blocks > u64::from(MAX_BLOCKS)) {
            return Err(MetainfoError::TooLarge);
        }
        let filled = (0u32..).zip(&files).filter(|(_, file)| file.len > 0).map(|(i, _)| i).collect();
        Ok(Layout { piece_len, files, total_len, data_len, filled })
    }

    /// Gives each file the next piece boundary as its offset (v2, hybrid). The space ends with the last file.
    ///
    /// # Errors
    /// As [`Layout::new`].
    pub fn aligned(piece_len: u32, mut files: Vec<FileEntry>) -> Result<Layout, MetainfoError> {
        let mut end = 0u64;
        for file in &mut files {
            file.offset = if file.len == 0 { end } else { round_up(end, piece_len)? };
            end = file.offset.checked_add(file.len).ok_or(MetainfoError::TooLarge)?;
        }
        Layout::new(piece_len, files, end)
    }

    /// Lays the files out one behind the other (v1).
    ///
    /// # Errors
    /// As [`Layout::new`].
    pub fn contiguous(piece_len: u32, mut files: Vec<FileEntry>) -> Result<Layout, MetainfoError> {
        let mut end = 0u64;
        for file in &mut files {
            file.offset = end;
            end = end.checked_add(file.len).ok_or(MetainfoError::TooLarge)?;
        }
        Layout::new(piece_len, files, end)
    }

    /// How many pieces.
    #[must_use]
    pub fn piece_count(&self) -> u32 {
        self.total_len.div_ceil(u64::from(self.piece_len)) as u32
    }

    /// Where a piece begins in the address space.
    #[must_use]
    pub fn piece_offset(&self, piece: PieceIndex) -> u64 {
        u64::from(piece.0) * u64::from(self.piece_len)
    }

    /// Bytes of a piece as the wire and v1 hashes count them, pads included; 0 beyond the end.
    #[must_use]
    pub fn piece_wire_len(&self, piece: PieceIndex) -> u32 {
        let left = self.total_len.saturating_sub(self.piece_offset(piece));
        left.min(u64::from(self.piece_len)) as u32
    }

    /// Bytes of a piece up to the end of its last file: without trailing pad, which is never requested.
    #[must_use]
    pub fn piece_data_len(&self, piece: PieceIndex) -> u32 {
        let start = self.piece_offset(piece);
        let end = start + u64::from(self.piece_wire_len(piece));
        let after = self.filled.partition_point(|&i| self.files[i as usize].offset < end);
        let Some(&last) = after.checked_sub(1).and_then(|i| self.filled.get(i)) else { return 0 };
        self.files[last as usize].range().end.min(end).saturating_sub(start) as u32
    }

    /// The pieces that hold bytes of a file; empty for an empty file.
    #[must_use]
    pub fn pieces_of_file(&self, file: FileIndex) -> Range<u32> {
        let range = self.file_range(file);
        if range.is_empty() {
            return 0..0;
        }
        let piece_len = u64::from(self.piece_len);
        (range.start / piece_len) as u32..range.end.div_ceil(piece_len) as u32
    }

    /// The bytes of the address space that are the file's; empty if there is no such file.
    #[must_use]
    pub fn file_range(&self, file: FileIndex) -> Range<u64> {
        self.files.get(file.idx()).map_or(0..0, FileEntry::range)
    }

    /// The first file that has bytes in this piece: in v2 and hybrid torrents the only one.
    #[must_use]
    pub fn file_of_piece(&self, piece: PieceIndex) -> Option<FileIndex> {
        let start = self.piece_offset(piece);
        let file = *self.filled.get(self.first_filled_ending_after(start))?;
        let end = start + u64::from(self.piece_wire_len(piece));
        (self.files[file as usize].offset < end).then_some(FileIndex(file))
    }

    /// Where the bytes of a block lie, in order. Bytes beyond the end of the address space are left out.
    pub fn spans(&self, block: BlockRef) -> impl Iterator<Item = Span> + '_ {
        let start = self.piece_offset(block.piece).saturating_add(u64::from(block.offset));
        self.spans_of(start, u64::from(block.len))
    }

    /// Where the bytes of a whole piece lie, pads included.
    pub fn piece_spans(&self, piece: PieceIndex) -> impl Iterator<Item = Span> + '_ {
        self.spans_of(self.piece_offset(piece), u64::from(self.piece_len))
    }

    fn spans_of(&self, start: u64, len: u64) -> impl Iterator<Item = Span> + '_ {
        let end = start.saturating_add(len).min(self.total_len);
        let (mut at, mut next) = (start, self.first_filled_ending_after(start));
        std::iter::from_fn(move || {
            if at >= end {
                return None;
            }
            let file = self.filled.get(next).map(|&i| (i, &self.files[i as usize]));
            let (span, until) = match file {
                Some((i, file)) if file.offset <= at => {
                    next += 1;
                    let until = file.range().end.min(end);
                    let (file, file_offset) = (Some(FileIndex(i)), at - file.offset);
                    (Span { file, file_offset, len: (until - at) as u32 }, until)
                }
                other => {
                    let until = other.map_or(end, |(_, file)| file.offset.min(end));
                    (Span { file: None, file_offset: 0, len: (until - at) as u32 }, until)
                }
            };
            at = until;
            Some(span)
        })
    }

    fn first_filled_ending_after(&self, at: u64) -> usize {
        self.filled.partition_point(|&i| self.files[i as usize].range().end <= at)
    }

    /// Block numbers per piece (the last piece has as many numbers, not all of them in use).
    #[must_use]
    pub fn blocks_per_piece(&self) -> u32 {
        self.piece_len.div_ceil(BLOCK_LEN)
    }

    /// One more than the largest block number; the length of this torrent's block sets.
    #[must_use]
    pub fn block_count(&self) -> u32 {
        self.piece_count() * self.blocks_per_piece()
    }

    /// How many blocks of a piece hold data, counted from its start.
    #[must_use]
    pub fn blocks_in_piece(&self, piece: PieceIndex) -> u32 {
        self.piece_data_len(piece).div_ceil(BLOCK_LEN)
    }

    /// The block numbers of a piece that hold data.
    #[must_use]
    pub fn piece_blocks(&self, piece: PieceIndex) -> Range<u32> {
        let first = piece.0.saturating_mul(self.blocks_per_piece());
        first..first.saturating_add(self.blocks_in_piece(piece))
    }

    /// The piece a block number belongs to.
    #[must_use]
    pub fn piece_of_block(&self, block: u32) -> PieceIndex {
        PieceIndex(block / self.blocks_per_piece())
    }

    /// The block with this number as we request it: without trailing pad. `None` if it holds no data.
    #[must_use]
    pub fn block_ref(&self, block: u32) -> Option<BlockRef> {
        let piece = self.piece_of_block(block);
        let offset = (block % self.blocks_per_piece()) * BLOCK_LEN;
        let len = self.piece_data_len(piece).checked_sub(offset)?.min(BLOCK_LEN);
        (len > 0).then_some(BlockRef { piece, offset, len })
    }

    /// The number of a block that begins at a multiple of [`BLOCK_LEN`]; `None` for any other.
    #[must_use]
    pub fn block_number(&self, block: BlockRef) -> Option<u32> {
        let known = block.piece.0 < self.piece_count() && block.offset < self.piece_data_len(block.piece);
        (known && block.offset.is_multiple_of(BLOCK_LEN))
            .then(|| block.piece.0 * self.blocks_per_piece() + block.offset / BLOCK_LEN)
    }

    /// The numbers of all blocks that hold bytes of a file. In v1 torrents the ends may hold others' bytes as well.
    pub fn blocks_of_file(&self, file: FileIndex) -> impl Iterator<Item = Range<u32>> + '_ {
        let len = self.file_range(file);
        self.blocks_of_range(file, 0..len.end - len.start)
    }

    /// The numbers of all blocks that hold any of these bytes of a file, as one range per piece, ascending.
    pub fn blocks_of_range(
        &self,
        file: FileIndex,
        bytes: Range<u64>,
    ) -> impl Iterator<Item = Range<u32>> + '_ {
        let whole = self.file_range(file);
        let start = whole.start.saturating_add(bytes.start).min(whole.end);
        let end = whole.start.saturating_add(bytes.end).min(whole.end);
        let piece_len = u64::from(self.piece_len);
        let pieces = if start < end { start / piece_len..end.div_ceil(piece_len) } else { 0..0 };
        pieces.map(move |piece| {
            let (at, block_len) = (piece * piece_len, u64::from(BLOCK_LEN));
            let first = start.saturating_sub(at) / block_len;
            let last = (end - at).min(piece_len).div_ceil(block_len);
            let base = piece as u32 * self.blocks_per_piece();
            base + first as u32..base + last as u32
        })
    }

    /// Whether a peer may ask for this: within one piece (pads included), not empty, at most 128 KiB.
    #[must_use]
    pub fn is_valid_request(&self, block: BlockRef) -> bool {
        let end = u64::from(block.offset) + u64::from(block.len);
        (1..=MAX_REQUEST_LEN).contains(&block.len) && end <= u64::from(self.piece_wire_len(block.piece))
    }
}

/// The next multiple of the piece length.
pub(crate) fn round_up(at: u64, piece_len: u32) -> Result<u64, MetainfoError> {
    at.checked_next_multiple_of(u64::from(piece_len).max(1)).ok_or(MetainfoError::TooLarge)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn files(lens: &[u64]) -> Vec<FileEntry> {
        lens.iter().map(|&len| FileEntry::new(&["f"], len)).collect()
    }

    fn ends(block: BlockRef, layout: &Layout) -> Vec<(Option<u32>, u64, u32)> {
        layout.spans(block).map(|s| (s.file.map(|f| f.0), s.file_offset, s.len)).collect()
    }

    #[test]
    fn aligned_files_have_pads_between_them() {
        let layout = Layout::aligned(32768, files(&[0, 40_000, 0, 1, 65536])).unwrap();
        assert_eq!(layout.files.iter().map(|f| f.offset).collect::<Vec<_>>(), [0, 0, 40_000, 65536, 98304]);
        assert_eq!(layout.piece_count(), 5);
        assert_eq!(layout.pieces_of_file(FileIndex(1)), 0..2);
        assert_eq!(layout.pieces_of_file(FileIndex(2)), 0..0);
        let data_lens: Vec<_> = (0..6).map(|p| layout.piece_data_len(PieceIndex(p))).collect();
        assert_eq!(data_lens, [32768, 7232, 1, 32768, 32768, 0]);
        let second = BlockRef { piece: PieceIndex(1), offset: 0, len: 16384 };
        assert_eq!(ends(second, &layout), [(Some(1), 32768, 7232), (None, 0, 9152)]);
        assert_eq!(layout.file_of_piece(PieceIndex(2)), Some(FileIndex(3)));
        assert_eq!(layout.file_of_piece(PieceIndex(5)), None);
        assert_eq!(layout.block_ref(2).map(|b| b.len), Some(7232));
        assert_eq!(layout.block_ref(3), None);
        assert_eq!(layout.block_count(), 10);
    }

    #[test]
    fn contiguous_files_share_pieces() {
        let layout = Layout::contiguous(16384, files(&[10, 0, 16384, 5])).unwrap();
        assert_eq!(layout.piece_count(), 2);
        let first = BlockRef { piece: PieceIndex(0), offset: 5, len: 100 };
        assert_eq!(ends(first, &layout), [(Some(0), 5, 5), (Some(2), 0, 95)]);
        assert_eq!(layout.pieces_of_file(FileIndex(2)), 0..2);
        assert_eq!(layout.piece_data_len(PieceIndex(1)), 15);
        assert!(layout.blocks_of_file(FileIndex(3)).eq(std::iter::once(1..2)));
    }

    #[test]
    fn piece_lengths_that_are_no_multiple_of_a_block() {
        let layout = Layout::contiguous(20_000, files(&[50_000])).unwrap();
        assert_eq!((layout.blocks_per_piece(), layout.block_count()), (2, 6));
        let lens: Vec<_> = (0..6).map(|b| layout.block_ref(b).map(|b| b.len)).collect();
        assert_eq!(lens, [Some(16384), Some(3616), Some(16384), Some(3616), Some(10_000), None]);
    }

    #[test]
    fn layouts_that_cannot_be_are_refused() {
        let at = |offset, len| FileEntry { offset, ..FileEntry::new(&["f"], len) };
        assert_eq!(Layout::new(16384, vec![at(0, 10), at(5, 1)], 10), Err(MetainfoError::BadLayout));
        assert_eq!(Layout::new(16384, vec![at(0, 10)], 9), Err(MetainfoError::BadLayout));
        assert_eq!(Layout::new(16384, vec![at(u64::MAX, 1)], 9), Err(MetainfoError::TooLarge));
        assert_eq!(Layout::contiguous(16384, files(&[u64::MAX, 1])), Err(MetainfoError::TooLarge));
        assert_eq!(Layout::contiguous(16384, files(&[1 << 43])), Err(MetainfoError::TooLarge));
        assert_eq!(Layout::new(0, vec![], 0), Err(MetainfoError::BadLayout));
    }

    proptest! {
        #[test]
        fn spans_cover_every_byte_once(lens in prop::collection::vec(0u64..70_000, 0..12), piece_len in 1000u32..70_000, aligned: bool) {
            let make = if aligned { Layout::aligned } else { Layout::contiguous };
            let layout = make(piece_len, files(&lens)).unwrap();
            let mut seen = vec![0u64; lens.len()];
            let mut data_blocks = 0;
            for piece in (0..layout.piece_count()).map(PieceIndex) {
                let total: u32 = layout.piece_spans(piece).map(|s| s.len).sum();
                prop_assert_eq!(total, layout.piece_wire_len(piece));
                data_blocks += layout.blocks_in_piece(piece);
            }
            let mut blocks = 0;
            for number in 0..layout.block_count() {
                let Some(block) = layout.block_ref(number) else { continue };
                blocks += 1;
                prop_assert!(layout.is_valid_request(block));
                prop_assert_eq!(layout.block_number(block), Some(number));
                for span in layout.spans(block) {
                    prop_assert!(span.len > 0);
                    if let Some(file) = span.file {
                        prop_assert_eq!(seen[file.idx()], span.file_offset);
                        seen[file.idx()] += u64::from(span.len);
                        let range = span.file_offset..span.file_offset + u64::from(span.len);
                        let mut of_file = layout.blocks_of_range(file, range).flatten();
                        prop_assert_eq!(of_file.next(), Some(number));
                        prop_assert_eq!(of_file.next(), None);
                    } else {
                        prop_assert!(!aligned, "an aligned torrent's blocks have no pads");
                    }
                }
            }
            prop_assert_eq!(blocks, data_blocks);
            prop_assert_eq!(seen, lens);
        }
    }
}
