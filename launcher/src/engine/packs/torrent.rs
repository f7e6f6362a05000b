//! A pack's own torrent, held against the signed pack list before anything of it is used; and which blocks of a pack on
//! the disk are right.

use std::sync::Arc;

use manifests::folder::FsFile;
use manifests::hash::{self, Hash};
use manifests::release::PackEntry;
use protocol::blockset::BlockSet;
use protocol::metainfo::Torrent;
use protocol::units::{BLOCK_LEN, PieceIndex, Root};

use crate::error::LaunchError;

/// Longest torrent file of a pack read, in bytes: 64 bytes of hashes a piece, of which there are some 8,000; up to ten
/// times that for a pack whose pieces were chosen small.
pub(crate) const PACK_TORRENT_LEN_MAX: u64 = 8 << 20;

/// Parses a pack's torrent and compares it with its signed entry: hashes, piece length, one file, its length and root.
///
/// # Errors
/// [`LaunchError::ContentRefused`].
pub(crate) fn check(entry: &PackEntry, bytes: &[u8]) -> Result<Arc<Torrent>, LaunchError> {
    let refused = |cause: &str| LaunchError::ContentRefused {
        what: format!("the torrent of pack {}", entry.identity),
        cause: cause.to_owned(),
    };
    let torrent = Torrent::parse(bytes).map_err(|error| refused(&error.to_string()))?;
    let v2 = torrent.info_hash_v2.map(|hash| hash.0);
    let v1 = torrent.info_hash_v1.map(|hash| hash.0);
    if v2 != Some(entry.info_hash_v2) || v1 != Some(entry.info_hash_v1) {
        return Err(refused("its info-hash is another"));
    }
    if torrent.layout.piece_len != entry.piece_len {
        return Err(refused("its piece length is another"));
    }
    match &torrent.layout.files[..] {
        [file] if torrent.single_file => {
            if file.len != entry.identity.len || file.root.map(|root| root.0) != Some(entry.identity.root) {
                return Err(refused("its file is another"));
            }
        }
        _ => return Err(refused("it is not one file")),
    }
    Ok(Arc::new(torrent))
}

/// Whether the leaf hashes of a pack have to be had from outside for its blocks to be verified one by one.
pub(crate) fn needs_leaves(torrent: &Torrent) -> bool {
    torrent.layout.data_len > u64::from(torrent.layout.piece_len) && torrent.layout.piece_len > BLOCK_LEN
}

/// The leaf hashes that the torrent itself holds: of a pack of one block, or where pieces are blocks.
pub(crate) fn own_leaves(torrent: &Torrent) -> Option<Arc<[Root]>> {
    let root = torrent.layout.files.first()?.root?;
    if torrent.layout.data_len <= u64::from(BLOCK_LEN) {
        return Some(Arc::from([root]));
    }
    if torrent.layout.piece_len > BLOCK_LEN {
        return None;
    }
    torrent.piece_layers.get(&root).map(|layer| layer.clone().into())
}

/// Hashes what lies in `file` and returns the blocks that are right: one by one where the leaf hashes are known, by
/// whole pieces otherwise. Blocks of zeros alone are holes, which no pack has.
///
/// # Errors
/// When it cannot be read.
pub(crate) fn right_blocks(
    file: &dyn FsFile,
    torrent: &Torrent,
    leaves: Option<&[Root]>,
) -> std::io::Result<BlockSet> {
    let layout = &torrent.layout;
    let mut right = BlockSet::new(layout.block_count());
    let mut buf = vec![0; BLOCK_LEN as usize];
    for piece in (0..layout.piece_count()).map(PieceIndex) {
        let mut hashes: Vec<Option<Hash>> = Vec::new();
        for block in layout.piece_blocks(piece) {
            let at = u64::from(block) * u64::from(BLOCK_LEN);
            let want = usize::try_from(layout.data_len.saturating_sub(at)).unwrap_or(usize::MAX);
            let Some(part) = buf.get_mut(..want.min(BLOCK_LEN as usize)) else { continue };
            let found = fill(file, at, part)?;
            let hole = found < part.len() || part.iter().all(|byte| *byte == 0);
            let found = (!hole).then(|| hash::leaf(part));
            if found.is_some()
                && leaves.and_then(|leaves| leaves.get(block as usize)).map(|leaf| leaf.0) == found
            {
                right.set(block);
            }
            hashes.push(found);
        }
        if leaves.is_none() && is_right(torrent, piece, hashes) {
            right.insert_range(layout.piece_blocks(piece));
        }
    }
    Ok(right)
}

/// Whether a piece's blocks hash to the piece's node.
fn is_right(torrent: &Torrent, piece: PieceIndex, hashes: Vec<Option<Hash>>) -> bool {
    let (Some(mut hashes), Some(expected)) =
        (hashes.into_iter().collect::<Option<Vec<Hash>>>(), torrent.piece_root(piece))
    else {
        return false;
    };
    if torrent.layout.data_len > u64::from(torrent.layout.piece_len) {
        hashes.resize(torrent.layout.blocks_per_piece() as usize, [0; 32]);
    }
    hash::root_of_leaves(&hashes) == expected.0
}

/// Reads until `buf` is full or the file ends.
pub(crate) fn fill(file: &dyn FsFile, at: u64, buf: &mut [u8]) -> std::io::Result<usize> {
    let mut done = 0;
    while let Some(rest) = buf.get_mut(done..).filter(|rest| !rest.is_empty()) {
        match file.read_at(at + done as u64, rest) {
            Ok(0) => break,
            Ok(count) => done += count,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}
