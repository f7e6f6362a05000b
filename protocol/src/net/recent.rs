//! Blocks that were just written, kept until their v1 piece is hashed: reading a piece back costs as much as
//! receiving it did.

use crate::units::{BlockRef, PieceIndex};
use bytes::Bytes;
use std::collections::{BTreeMap, HashMap, VecDeque};

/// What is kept at most, in bytes. Pieces beyond are read back.
const MAX_BYTES: usize = 48 * 1024 * 1024;

/// Invariant: `bytes` is the sum of all blocks kept; `order` names every piece kept, oldest first (and perhaps some
/// that are gone).
#[derive(Debug, Default)]
pub(super) struct Recent {
    pieces: HashMap<PieceIndex, BTreeMap<u32, Bytes>>,
    order: VecDeque<PieceIndex>,
    bytes: usize,
}

impl Recent {
    /// A block is being written.
    pub(super) fn keep(&mut self, block: BlockRef, data: &Bytes) {
        let piece = self.pieces.entry(block.piece).or_insert_with(|| {
            self.order.push_back(block.piece);
            BTreeMap::new()
        });
        self.bytes += data.len();
        self.bytes -= piece.insert(block.offset, data.clone()).map_or(0, |old| old.len());
        while self.bytes > MAX_BYTES {
            let Some(oldest) = self.order.pop_front() else { break };
            self.forget(oldest);
        }
    }

    /// The blocks of a piece of `len` bytes in order, if none is missing; they are not kept any longer.
    pub(super) fn take(&mut self, piece: PieceIndex, len: u32) -> Option<Vec<Bytes>> {
        let blocks = self.forget(piece)?;
        let mut at = 0;
        for (offset, data) in &blocks {
            if *offset != at {
                return None;
            }
            at += data.len() as u32;
        }
        (at == len).then(|| blocks.into_values().collect())
    }

    fn forget(&mut self, piece: PieceIndex) -> Option<BTreeMap<u32, Bytes>> {
        let blocks = self.pieces.remove(&piece)?;
        self.bytes -= blocks.values().map(Bytes::len).sum::<usize>();
        // Pieces mostly end in the order in which they began.
        while self.order.front().is_some_and(|piece| !self.pieces.contains_key(piece)) {
            self.order.pop_front();
        }
        Some(blocks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(piece: u32, offset: u32, len: u32) -> BlockRef {
        BlockRef { piece: PieceIndex(piece), offset, len }
    }

    #[test]
    fn whole_pieces_come_back_in_order_and_others_do_not() {
        let mut recent = Recent::default();
        for (piece, offset, text) in [(0, 4, "efgh"), (1, 0, "xx"), (0, 0, "abcd"), (0, 8, "i"), (2, 2, "z")]
        {
            recent.keep(block(piece, offset, text.len() as u32), &Bytes::from_static(text.as_bytes()));
        }
        recent.keep(block(1, 0, 2), &Bytes::from_static(b"yy"));
        assert_eq!(recent.take(PieceIndex(0), 9).unwrap().concat(), b"abcdefghi");
        assert_eq!(recent.take(PieceIndex(0), 9), None, "only once");
        assert_eq!(recent.take(PieceIndex(1), 3), None, "its end is missing");
        assert_eq!(recent.take(PieceIndex(2), 3), None, "its beginning is missing");
        assert_eq!((recent.bytes, recent.order.len(), recent.pieces.len()), (0, 0, 0));
    }

    #[test]
    fn the_oldest_piece_goes_first() {
        let mut recent = Recent::default();
        let data = Bytes::from(vec![0; MAX_BYTES / 4]);
        for piece in 0..5 {
            recent.keep(block(piece, 0, 1), &data);
        }
        assert_eq!(recent.take(PieceIndex(0), data.len() as u32), None);
        assert!((1..5).all(|piece| recent.take(PieceIndex(piece), data.len() as u32).is_some()));
        assert_eq!(recent.bytes, 0);
    }
}
