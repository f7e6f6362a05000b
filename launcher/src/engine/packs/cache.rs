//! Packs in `.samara/packs/`: sparse files of which only the blocks that were wanted are there, each with a record.
//!
//! ```text
//! <root>-<len>.pack      the blocks, at their places
//!             .torrent   its torrent
//!             .leaves    16 KiB leaf hashes, where the torrent does not hold them
//!             .index     what the pack holds
//!             .json      which release it leads to, which blocks are right, who asked for it
//! ```
//! The record is a hint: when the pack's file does not look as it says, the blocks are hashed again. So whatever was
//! verified before a kill is used after it.

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::time::SystemTime;

use manifests::folder::{Access, DiskError, Guard, InstallDir};
use manifests::hash;
use manifests::path::SafePath;
use manifests::release::FileIdentity;
use protocol::blockset::BlockSet;
use protocol::disk::{FileSource, FileStamp};
use protocol::metainfo::Torrent;
use protocol::units::{BLOCK_LEN, FileIndex, Root};
use serde::{Deserialize, Serialize};

use crate::engine::packs::torrent;
use crate::engine::record;
use crate::error::LaunchError;

/// Where they lie, below the install.
const FOLDER: &str = ".samara/packs";
const SCHEMA: u32 = 1;
/// Longest record read back, in bytes.
const RECORD_LEN_MAX: u64 = 1 << 20;
/// What belongs to one pack; the record last, so that what is left of a removal that broke off is found again.
const KINDS: [&str; 5] = ["pack", "torrent", "leaves", "index", "json"];

/// What is known about a cached pack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PackRecord {
    schema: u32,
    /// The release it leads to.
    pub(crate) version: String,
    /// v2 info-hash, in hex.
    pub(crate) info_hash: String,
    /// What the pack's file looked like when `blocks` was right.
    pub(crate) guard: Option<Guard>,
    /// Runs of verified blocks: first, and one past the last.
    pub(crate) blocks: Vec<(u32, u32)>,
    /// When it was last of use to us or to a peer, in seconds since 1970.
    pub(crate) used_at: u64,
    /// Payload bytes sent to others.
    pub(crate) sent_bytes: u64,
}

impl PackRecord {
    pub(crate) fn new(version: &str, info_hash_v2: &[u8; 32]) -> Self {
        Self {
            schema: SCHEMA,
            version: version.to_owned(),
            info_hash: hex::encode(info_hash_v2),
            guard: None,
            blocks: Vec::new(),
            used_at: now_secs(),
            sent_bytes: 0,
        }
    }

    /// Bytes of verified blocks, as far as the record says.
    pub(crate) fn bytes(&self) -> u64 {
        self.blocks.iter().map(|(from, to)| u64::from(to.saturating_sub(*from)) * u64::from(BLOCK_LEN)).sum()
    }
}

/// Seconds since 1970, for telling old from new among our own records only.
pub(crate) fn now_secs() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// One pack's place in the cache.
#[derive(Debug, Clone)]
pub(crate) struct Slot {
    dir: Arc<InstallDir>,
    pub(crate) identity: FileIdentity,
}

impl Slot {
    pub(crate) fn new(dir: Arc<InstallDir>, identity: FileIdentity) -> Self {
        Self { dir, identity }
    }

    fn name(&self, kind: &str) -> Result<SafePath, LaunchError> {
        record::name(&format!("packs/{}.{kind}", self.identity))
    }

    /// The pack's file, below the install.
    pub(crate) fn path(&self) -> String {
        format!("{FOLDER}/{}.pack", self.identity)
    }

    /// A document that was kept beside the pack.
    pub(crate) fn get(&self, kind: &str, max: u64) -> Result<Option<Vec<u8>>, LaunchError> {
        Ok(self.dir.get(&self.name(kind)?, max)?)
    }

    /// Keeps a document beside the pack. Each is checked by hash when it is read; the record says what it was true of.
    pub(crate) fn put(&self, kind: &str, bytes: &[u8]) -> Result<(), LaunchError> {
        Ok(self.dir.put_cached(&self.name(kind)?, bytes)?)
    }

    /// The record; none when there is none that can be read.
    pub(crate) fn record(&self) -> Option<PackRecord> {
        let bytes = self.get("json", RECORD_LEN_MAX).ok()??;
        serde_json::from_slice(&bytes).ok().filter(|record: &PackRecord| record.schema == SCHEMA)
    }

    /// Writes the record, with the file's looks as they are now.
    pub(crate) fn save(&self, mut record: PackRecord, have: &BlockSet) -> Result<(), LaunchError> {
        record.guard = self.dir.guard(&self.path())?;
        record.blocks = have.ranges().map(|range| (range.start, range.end)).collect();
        let bytes = serde_json::to_vec(&record)
            .map_err(|error| LaunchError::internal(format!("writing a record: {error}")))?;
        self.put("json", &bytes)
    }

    /// The leaf hashes: the torrent's own, or those kept.
    pub(crate) fn leaves(&self, torrent: &Torrent) -> Option<Arc<[Root]>> {
        if let Some(own) = torrent::own_leaves(torrent) {
            return Some(own);
        }
        let max = hash::leaf_count(self.identity.len).checked_mul(32)?;
        let leaves = hash::leaves_from_bytes(&self.get("leaves", max).ok()??)?;
        let right = hash::leaves_match(&self.identity, &leaves);
        right.then(|| leaves.into_iter().map(Root).collect())
    }

    /// Makes the sparse file, and says which of its blocks are right already.
    ///
    /// # Errors
    /// The file system says no.
    pub(crate) fn open(&self, torrent: &Torrent) -> Result<BlockSet, LaunchError> {
        let path = self.path();
        let fs = self.dir.fs();
        let before = self.dir.guard(&path)?;
        let file = fs.open(&path, Access::Create).map_err(DiskError::at("create", &path))?;
        match before {
            Some(guard) if guard.len == self.identity.len => self.right_blocks(torrent, guard),
            _ => {
                file.set_len(self.identity.len).map_err(DiskError::at("set the length of", &path))?;
                Ok(BlockSet::new(torrent.layout.block_count()))
            }
        }
    }

    /// The blocks that are right: as the record says while the file looks as it did then, hashed otherwise.
    pub(crate) fn right_blocks(&self, torrent: &Torrent, guard: Guard) -> Result<BlockSet, LaunchError> {
        if let Some(record) = self.record().filter(|record| record.guard == Some(guard)) {
            let mut have = BlockSet::new(torrent.layout.block_count());
            for (from, to) in record.blocks {
                have.insert_range(from.min(have.len())..to.min(have.len()));
            }
            return Ok(have);
        }
        let path = self.path();
        let file = self.dir.fs().open(&path, Access::Read).map_err(DiskError::at("open", &path))?;
        let leaves = self.leaves(torrent);
        Ok(torrent::right_blocks(&*file, torrent, leaves.as_deref()).map_err(DiskError::at("read", &path))?)
    }

    /// Where the swarm reads and writes it. `stamp` is what it must look like still when it is only offered.
    pub(crate) fn source(&self, stamp: Option<FileStamp>) -> PackSource {
        PackSource { dir: self.dir.clone(), path: self.path(), stamp }
    }

    /// The stamp of the file as it is now.
    pub(crate) fn stamp(&self) -> io::Result<FileStamp> {
        FileStamp::of(&self.dir.fs().open_std(&self.path(), Access::Read)?)
    }

    /// Takes it out of the cache. Best effort: what stays only takes space, and is tried again.
    pub(crate) fn remove(&self) {
        for kind in KINDS {
            let path = format!("{FOLDER}/{}.{kind}", self.identity);
            match self.dir.fs().remove_file(&path) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => {
                    tracing::warn!(%path, %error, "a cached pack cannot be removed");
                    return;
                }
            }
        }
    }
}

/// Every pack of which anything is in the cache.
pub(crate) fn slots(dir: &Arc<InstallDir>) -> Vec<Slot> {
    let Ok(names) = dir.fs().list(FOLDER) else { return Vec::new() };
    let names = names.into_iter().flatten();
    let mut found: Vec<FileIdentity> =
        names.filter_map(|name| name.split_once('.')?.0.parse().ok()).collect();
    found.sort_unstable();
    found.dedup();
    found.into_iter().map(|identity| Slot::new(dir.clone(), identity)).collect()
}

/// The one file of a pack's torrent.
pub(crate) struct PackSource {
    dir: Arc<InstallDir>,
    path: String,
    stamp: Option<FileStamp>,
}

impl FileSource for PackSource {
    fn open_read(&self, _file: FileIndex) -> io::Result<File> {
        self.dir.fs().open_std(&self.path, Access::Read)
    }

    fn open_write(&self, _file: FileIndex) -> io::Result<File> {
        if self.stamp.is_some() {
            return Err(io::ErrorKind::Unsupported.into());
        }
        self.dir.fs().open_std(&self.path, Access::Write)
    }

    fn guard(&self, _file: FileIndex) -> Option<FileStamp> {
        self.stamp
    }
}
