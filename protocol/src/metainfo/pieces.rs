//! v1 piece hashes of files that are read as a stream.

use super::Layout;
use crate::units::BLOCK_LEN;
use sha1::{Digest, Sha1};

/// Hashes a torrent's files, fed one behind the other, into v1 pieces. Pads are added where the layout has them.
#[derive(Debug)]
pub struct V1Hasher {
    piece_len: u64,
    pieces: Vec<[u8; 20]>,
    piece: Sha1,
    /// Bytes of the address space that are hashed already.
    at: u64,
    total_len: u64,
    /// Ends of files behind which there is pad, and where that ends; descending, so the next is the last.
    pads: Vec<(u64, u64)>,
}

impl V1Hasher {
    /// For the files of this layout, in its order.
    #[must_use]
    pub fn new(layout: &Layout) -> V1Hasher {
        let (mut pads, mut at) = (Vec::new(), 0);
        for file in layout.files.iter().filter(|file| file.len > 0) {
            pads.push((at, file.offset));
            at = file.range().end;
        }
        pads.push((at, layout.total_len));
        pads.retain(|(from, to)| from < to);
        pads.reverse();
        let mut hasher = V1Hasher {
            piece_len: u64::from(layout.piece_len),
            pieces: Vec::with_capacity(layout.piece_count() as usize),
            piece: Sha1::new(),
            at: 0,
            total_len: layout.total_len,
            pads,
        };
        hasher.pad();
        hasher
    }

    /// Feeds the next bytes of the files.
    pub fn update(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let until = self.pads.last().map_or(u64::MAX, |pad| pad.0) - self.at;
            let (now, later) = bytes.split_at((bytes.len() as u64).min(until) as usize);
            self.hash(now);
            self.pad();
            bytes = later;
        }
    }

    /// The files are at their end. `None` if more or fewer bytes were fed than the layout has.
    #[must_use]
    pub fn finish(mut self) -> Option<Vec<[u8; 20]>> {
        if self.at != self.total_len {
            return None;
        }
        if !self.at.is_multiple_of(self.piece_len) {
            self.pieces.push(self.piece.finalize_reset().into());
        }
        Some(self.pieces)
    }

    fn pad(&mut self) {
        static ZEROS: [u8; BLOCK_LEN as usize] = [0; BLOCK_LEN as usize];
        while let Some((_, until)) = self.pads.pop_if(|pad| pad.0 == self.at) {
            while self.at < until {
                let len = (until - self.at).min(u64::from(BLOCK_LEN)) as usize;
                self.hash(&ZEROS[..len]);
            }
        }
    }

    fn hash(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let left = self.piece_len - self.at % self.piece_len;
            let (now, later) = bytes.split_at((bytes.len() as u64).min(left) as usize);
            self.piece.update(now);
            self.at += now.len() as u64;
            if now.len() as u64 == left {
                self.pieces.push(self.piece.finalize_reset().into());
            }
            bytes = later;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metainfo::FileEntry;
    use crate::units::PieceIndex;
    use proptest::prelude::*;

    #[test]
    fn too_few_and_too_many_bytes_are_noticed() {
        let layout = Layout::contiguous(16384, vec![FileEntry::new(&["a"], 5)]).unwrap();
        for (fed, ok) in [(4, false), (5, true), (6, false)] {
            let mut hasher = V1Hasher::new(&layout);
            hasher.update(&vec![0; fed]);
            assert_eq!(hasher.finish().is_some(), ok, "{fed}");
        }
    }

    proptest! {
        #[test]
        fn v1_pieces_hash_files_and_pads(lens in prop::collection::vec(0u64..50_000, 1..6), aligned: bool, cut in 1usize..70_000) {
            let files = lens.iter().map(|&len| FileEntry::new(&["f"], len)).collect();
            let make = if aligned { Layout::aligned } else { Layout::contiguous };
            let layout = make(32768, files).unwrap();
            let mut hasher = V1Hasher::new(&layout);
            let data: Vec<Vec<u8>> = lens.iter().zip(1u8..).map(|(&len, i)| vec![i; len as usize]).collect();
            data.concat().chunks(cut).for_each(|part| hasher.update(part));
            let pieces = hasher.finish().unwrap();
            for (number, piece) in (0..layout.piece_count()).map(PieceIndex).zip(&pieces) {
                let mut bytes = Vec::new();
                for span in layout.piece_spans(number) {
                    bytes.resize(bytes.len() + span.len as usize, span.file.map_or(0, |f| f.0 as u8 + 1));
                }
                prop_assert_eq!(<[u8; 20]>::from(Sha1::digest(&bytes)), *piece);
            }
            prop_assert_eq!(pieces.len() as u32, layout.piece_count());
        }
    }
}
