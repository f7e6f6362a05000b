//! Which pieces a peer has.

use bytes::Bytes;

use crate::blockset::BlockSet;
use crate::units::PieceIndex;

/// What a peer has said about its pieces. Before the torrent is known (magnet link) its words are kept as they came.
pub struct PeerPieces {
    known: Option<BlockSet>,
    claim: Claim,
    /// Whether it is counted as a seed rather than piece by piece.
    pub counted_as_seed: bool,
}

enum Claim {
    Nothing,
    All,
    Bits(Bytes),
}

/// A set of pieces, indexed by piece.
impl PeerPieces {
    /// Nothing has been said, and the number of pieces may be unknown.
    #[must_use]
    pub fn unknown() -> PeerPieces {
        PeerPieces { known: None, claim: Claim::Nothing, counted_as_seed: false }
    }

    /// Whether anything can be asked about it.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.known.is_some()
    }

    /// The torrent has this many pieces: earlier words are understood now. `false` when a bitfield does not fit:
    /// wrong length or a bit set beyond the last piece (BEP 3).
    pub fn learn_count(&mut self, pieces: u32) -> bool {
        if self.known.is_some() {
            return true;
        }
        let mut set = BlockSet::new(pieces);
        let fits = match std::mem::replace(&mut self.claim, Claim::Nothing) {
            Claim::Nothing => true,
            Claim::All => {
                set.insert_range(0..pieces);
                true
            }
            Claim::Bits(bits) => fill(&mut set, &bits),
        };
        self.known = Some(set);
        fits
    }

    /// `HaveAll`.
    pub fn set_all(&mut self) {
        match &mut self.known {
            Some(set) => set.insert_range(0..set.len()),
            None => self.claim = Claim::All,
        }
    }

    /// `Bitfield`. `false` when it does not fit.
    #[must_use]
    pub fn set_bits(&mut self, bits: Bytes) -> bool {
        match &mut self.known {
            Some(set) => fill(set, &bits),
            None => {
                self.claim = Claim::Bits(bits);
                true
            }
        }
    }

    /// `Have`: true when it is news. Before the count is known, single pieces are forgotten; their number would have
    /// no bound.
    pub fn set(&mut self, piece: PieceIndex) -> bool {
        self.known.as_mut().is_some_and(|set| set.set(piece.0))
    }

    /// The peer lost it (BEP 54): true when it is news.
    pub fn unset(&mut self, piece: PieceIndex) -> bool {
        self.known.as_mut().is_some_and(|set| set.unset(piece.0))
    }

    /// Whether it has the piece.
    #[must_use]
    pub fn has(&self, piece: u32) -> bool {
        self.known.as_ref().is_some_and(|set| set.get(piece))
    }

    /// Whether it has all pieces.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.known.as_ref().is_some_and(|set| set.count() == set.len())
    }

    /// The pieces it has.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.known.iter().flat_map(BlockSet::iter)
    }
}

fn fill(set: &mut BlockSet, bits: &[u8]) -> bool {
    let pieces = set.len();
    if bits.len() != pieces.div_ceil(8) as usize {
        return false;
    }
    let spare = bits.len() as u32 * 8 - pieces;
    if bits.last().is_some_and(|last| last.trailing_zeros() < spare) {
        return false;
    }
    for (byte, at) in bits.iter().zip((0u32..).step_by(8)) {
        if *byte == 0xff {
            set.insert_range(at..at + 8);
            continue;
        }
        for bit in 0..8 {
            if byte & (0x80 >> bit) != 0 {
                set.set(at + bit);
            }
        }
    }
    true
}

/// Our own pieces as a bitfield (BEP 3).
#[must_use]
pub(crate) fn bitfield(pieces: u32, has: impl Fn(u32) -> bool) -> Bytes {
    let mut bits = vec![0u8; pieces.div_ceil(8) as usize];
    for piece in (0..pieces).filter(|&piece| has(piece)) {
        bits[piece as usize / 8] |= 0x80 >> (piece % 8);
    }
    bits.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bitfields_that_do_not_fit_are_refused() {
        for (pieces, bits, fits) in [
            (8, &[0xff][..], true),
            (9, &[0xff, 0x80], true),
            (9, &[0xff, 0x40], false),
            (9, &[0xff], false),
            (8, &[0xff, 0], false),
            (0, &[], true),
        ] {
            let mut late = PeerPieces::unknown();
            assert!(late.set_bits(Bytes::copy_from_slice(bits)));
            assert_eq!(late.learn_count(pieces), fits, "{pieces} {bits:?}");
            let mut early = PeerPieces::unknown();
            assert!(early.learn_count(pieces));
            assert_eq!(early.set_bits(Bytes::copy_from_slice(bits)), fits);
        }
    }

    #[test]
    fn our_bitfield_reads_back() {
        let bits = bitfield(11, |piece| piece % 3 == 0);
        let mut peer = PeerPieces::unknown();
        assert!(peer.learn_count(11) && peer.set_bits(bits));
        assert_eq!(peer.iter().collect::<Vec<_>>(), [0, 3, 6, 9]);
    }
}
