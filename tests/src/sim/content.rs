//! The torrent that is shared, and its bytes in address space.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use protocol::blockset::BlockSet;
use protocol::merkle::FileHasher;
use protocol::metainfo::{Mode, NewFile, Torrent, TorrentBuilder, V1Hasher};
use protocol::units::{BlockRef, FileIndex, PieceIndex, Root};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

/// See the module's header.
pub(super) struct SimContent {
    pub torrent: Arc<Torrent>,
    pub bytes: Bytes,
    pub leaves: HashMap<FileIndex, Arc<[Root]>>,
}

impl SimContent {
    /// Files of random bytes.
    pub(super) fn new(mode: Mode, lens: &[u64], piece_len: u32, seed: u64) -> anyhow::Result<SimContent> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut files = Vec::new();
        let mut leaves = HashMap::new();
        let mut new_files = Vec::new();
        for (n, &len) in lens.iter().enumerate() {
            let mut data = vec![0u8; usize::try_from(len)?];
            rng.fill_bytes(&mut data);
            let mut hasher = FileHasher::new();
            hasher.update(&data);
            let hashes = hasher.finish();
            leaves.insert(FileIndex(u32::try_from(n)?), hashes.leaves.clone().into());
            new_files.push(NewFile {
                path: vec![format!("file{n:04}")],
                len,
                root: hashes.root,
                piece_layer: hashes.piece_layer(piece_len),
                ..NewFile::default()
            });
            files.push(data);
        }
        let mut builder = TorrentBuilder::folder("game", mode, piece_len, new_files);
        let layout = builder.layout()?;
        if mode != Mode::V2 {
            let mut hasher = V1Hasher::new(&layout);
            files.iter().for_each(|data| hasher.update(data));
            builder = builder.pieces_v1(hasher.finish().unwrap_or_default());
        }
        let mut bytes = vec![0u8; usize::try_from(layout.total_len)?];
        for (entry, data) in layout.files.iter().zip(&files) {
            bytes[usize::try_from(entry.offset)?..][..data.len()].copy_from_slice(data);
        }
        Ok(SimContent { torrent: Arc::new(builder.build()?.torrent), bytes: bytes.into(), leaves })
    }

    pub(super) fn all_blocks(&self) -> BlockSet {
        let layout = &self.torrent.layout;
        let mut all = BlockSet::new(layout.block_count());
        (0..layout.piece_count()).for_each(|piece| all.insert_range(layout.piece_blocks(PieceIndex(piece))));
        all
    }

    pub(super) fn block(&self, block: BlockRef) -> Bytes {
        let at = self.torrent.layout.piece_offset(block.piece) + u64::from(block.offset);
        let at = usize::try_from(at).unwrap_or(usize::MAX);
        self.bytes.slice(at..at + block.len as usize)
    }
}
