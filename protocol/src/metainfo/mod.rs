//! Torrents: what they hold and by which hashes it is known (BEP 3, 47, 52).

mod layout;
mod pieces;
mod parse;
mod tree;
mod create;

pub use create::{Built, Mode, NewFile, TorrentBuilder, canonical_order, choose_piece_len};
pub use layout::{FileEntry, Layout, MAX_BLOCKS, Span};
pub use pieces::V1Hasher;

use crate::bencode::BencodeError;
use crate::units::{InfoHashV1, InfoHashV2, PieceIndex, Root, WireHash};
use bytes::Bytes;
use std::collections::BTreeMap;

/// The piece lengths a v2 torrent may have: powers of two from a block to this, in bytes.
pub const MAX_PIECE_LEN: u32 = 64 * 1024 * 1024;
/// The most components in a file's path.
pub const MAX_PATH_DEPTH: usize = 64;
/// The longest name of a file or folder, in bytes.
pub const MAX_NAME_LEN: usize = 255;

/// Why a torrent is refused, or cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MetainfoError {
    /// It is not strictly bencoded.
    #[error("not a torrent: {0}")]
    Bencode(#[from] BencodeError),
    /// A field is missing or of the wrong type or value.
    #[error("the torrent's field `{0}` is missing or wrong")]
    Field(&'static str),
    /// Neither `pieces` nor `file tree`, or a `meta version` other than 2.
    #[error("the torrent is of an unknown version")]
    UnknownVersion,
    /// A name that must not become part of a path: empty, `.`, `..`, too long or deep, not UTF-8, or with a
    /// separator, colon or NUL in it.
    #[error("the torrent has an unsafe name: {0:?}")]
    UnsafeName(String),
    /// Files overlap, are out of order, or the piece length is zero.
    #[error("the torrent's files do not form a sound layout")]
    BadLayout,
    /// Lengths overflow, or there are more blocks than [`MAX_BLOCKS`].
    #[error("the torrent is too large")]
    TooLarge,
    /// Not zero, a power of two from 16 KiB to 64 MiB (v2), or bounded (v1).
    #[error("the torrent's piece length is not allowed")]
    BadPieceLength,
    /// `pieces` does not have one hash for each piece.
    #[error("the number of piece hashes does not fit the files")]
    PieceCount,
    /// A hybrid whose v1 and v2 halves describe different files.
    #[error("the v1 and v2 halves of the torrent disagree")]
    HybridMismatch,
    /// A piece layer that is missing, of the wrong length, or does not hash to its file's root.
    #[error("a piece layer is missing or does not hash to its root")]
    BadPieceLayer,
    /// There is not a single byte to share.
    #[error("the torrent would hold no data")]
    NoData,
    /// The builder was given hashes that do not fit, the same path twice, or a path through a file.
    #[error("the files given to the builder are not sound: {0}")]
    BadFiles(&'static str),
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
    /// It is one file called `name`, not a folder with one file in it.
    pub single_file: bool,
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

    /// Whether blocks can be verified by merkle trees.
    #[must_use]
    pub fn has_v2(&self) -> bool {
        self.info_hash_v2.is_some()
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

/// A name that may become one component of a path on any platform we run on. (What a release may be called is
/// stricter still; that is `manifests`' business.)
fn check_name(name: &str) -> Result<(), MetainfoError> {
    let bad = name.is_empty() || name == "." || name == ".." || name.len() > MAX_NAME_LEN;
    if bad || name.contains(['/', '\\', ':', '\0']) {
        return Err(MetainfoError::UnsafeName(name.chars().take(80).collect()));
    }
    Ok(())
}
