//! Torrents: what they hold and by which hashes it is known (BEP 3, 47, 52).

mod layout;

pub use layout::{FileEntry, Layout, MAX_BLOCKS, Span};

use crate::units::{InfoHashV1, InfoHashV2, PieceIndex, Root, WireHash};
use bytes::Bytes;
use std::collections::BTreeMap;

/// Why a torrent is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MetainfoError {
    /// Files overlap, are out of order, or the piece length is zero.
    #[error("the torrent's files do not form a sound layout")]
    BadLayout,
    /// Lengths overflow, or there are more blocks than [`MAX_BLOCKS`].
    #[error("the torrent is too large")]
    TooLarge,
}

/// A torrent, read and checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Torrent {
    /// Advisory: what to call the file or folder.
    pub name: String,
    /// Set for v1 and hybrid torrents.
    pub info_hash_v1: Option<InfoHashV1>,
    /// Set for v2 and hybrid torrents.
    pub info_hash_v2: Option<InfoHashV2>,
    /// Files over pieces.
    pub layout: Layout,
    /// SHA-1 of each piece; empty when the torrent is v2 only.
    pub pieces_v1: Vec<[u8; 20]>,
    /// For each file larger than one piece, by its root: the hashes of its pieces (BEP 52 `piece layers`). Empty or
    /// partial when the torrent came as an info dictionary alone.
    pub piece_layers: BTreeMap<Root, Vec<Root>>,
    /// The raw `info` dictionary: what ut_metadata sends and what the info-hashes hash.
    pub info_bytes: Bytes,
    /// Tracker URLs in tiers (BEP 12).
    pub announce: Vec<Vec<String>>,
    /// Web seeds (BEP 19).
    pub url_list: Vec<String>,
    /// BEP 27.
    pub private: bool,
}

impl Torrent {
    /// Whether it has both a v1 and a v2 info-hash.
    #[must_use]
    pub fn is_hybrid(&self) -> bool {
        self.info_hash_v1.is_some() && self.info_hash_v2.is_some()
    }

    /// Whether peers may be asked by, and answer with, this hash.
    #[must_use]
    pub fn has_wire_hash(&self, hash: WireHash) -> bool {
        self.wire_hashes().any(|own| own == hash)
    }

    /// The one or two hashes that trackers and handshakes know this torrent by, v1 first.
    pub fn wire_hashes(&self) -> impl Iterator<Item = WireHash> + use<> {
        let v1 = self.info_hash_v1.map(InfoHashV1::wire);
        let v2 = self.info_hash_v2.map(InfoHashV2::truncated);
        v1.into_iter().chain(v2)
    }

    /// The merkle node that a piece's blocks must hash to (v2, hybrid): from the piece layer, or the file's root
    /// where the file has no more than one piece. `None` while the layer is unknown, and in v1 torrents.
    #[must_use]
    pub fn piece_root(&self, piece: PieceIndex) -> Option<Root> {
        let file = self.layout.file_of_piece(piece)?;
        let entry = self.layout.files.get(file.idx())?;
        let root = entry.root?;
        if entry.len <= u64::from(self.layout.piece_len) {
            return Some(root);
        }
        let in_file = piece.0.checked_sub(self.layout.pieces_of_file(file).start)?;
        self.piece_layers.get(&root)?.get(in_file as usize).copied()
    }
}
