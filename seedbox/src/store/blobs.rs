//! Files by content. A blob never changes once it has its name, so it may be mapped and its pages handed to sockets
//! without a copy.

use super::{DataDir, Temp, open_read};
use crate::error::{DiskContext as _, Result};
use crate::platform;
use bytes::Bytes;
use manifests::release::FileIdentity;
use protocol::disk::{FileSource, MmapStore, ReadBufs, Store};
use protocol::units::{BLOCK_LEN, FileIndex};
use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{self, IoSlice};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

/// A folder of files named by their content: the blobs, or the packs.
#[derive(Clone, Debug)]
pub struct Blobs {
    dir: PathBuf,
    /// What follows the identity in a file's name.
    ending: &'static str,
}

impl Blobs {
    /// The blobs of a data folder.
    #[must_use]
    pub fn new(dir: &DataDir) -> Blobs {
        Blobs { dir: dir.blobs(), ending: "" }
    }

    /// The packs of a data folder: `<root>-<len>.pack`, with `.index` and `.leaves` beside them.
    #[must_use]
    pub fn packs(dir: &DataDir) -> Blobs {
        Blobs { dir: dir.packs(), ending: ".pack" }
    }

    /// Where a blob lies, if it is there.
    #[must_use]
    pub fn path(&self, id: &FileIdentity) -> PathBuf {
        self.dir.join(format!("{id}{}", self.ending))
    }

    /// Where a pack's index lies.
    #[must_use]
    pub fn index_path(&self, id: &FileIdentity) -> PathBuf {
        self.dir.join(format!("{id}.index"))
    }

    /// Where its leaf hashes lie, if it has some.
    #[must_use]
    pub fn leaves_path(&self, id: &FileIdentity) -> PathBuf {
        self.dir.join(format!("{id}.leaves"))
    }

    /// Where those of its leaf hashes lie that are not `base`'s, if somebody wrote them.
    #[must_use]
    pub fn leaf_changes_path(&self, id: &FileIdentity, base: &FileIdentity) -> PathBuf {
        self.dir.join(format!("{id}.leaves-{base}"))
    }

    /// Its leaf hashes that are not `base`'s, and how many bytes they are.
    pub(crate) fn open_leaf_changes(
        &self,
        id: &FileIdentity,
        base: &FileIdentity,
    ) -> io::Result<(File, u64)> {
        let file = open_read(&self.leaf_changes_path(id, base))?;
        let len = file.metadata()?.len();
        Ok((file, len))
    }

    /// Where its rolling checksums lie, if it has some.
    #[must_use]
    pub fn sums_path(&self, id: &FileIdentity) -> PathBuf {
        self.dir.join(format!("{id}.sums"))
    }

    /// Whether its rolling checksums are there.
    #[must_use]
    pub fn holds_sums(&self, id: &FileIdentity) -> bool {
        has_len(&self.sums_path(id), sums_len(id))
    }

    /// Its rolling checksums, and how many bytes they are.
    pub(crate) fn open_sums(&self, id: &FileIdentity) -> io::Result<(File, u64)> {
        let file = open_read(&self.sums_path(id))?;
        if file.metadata()?.len() != sums_len(id) {
            return Err(io::ErrorKind::InvalidData.into());
        }
        Ok((file, sums_len(id)))
    }

    /// Whether the blob is there, whole. The empty file needs none.
    #[must_use]
    pub fn holds(&self, id: &FileIdentity) -> bool {
        id.len == 0 || has_len(&self.path(id), id.len)
    }

    /// Whether its leaf hashes are there.
    #[must_use]
    pub fn holds_leaves(&self, id: &FileIdentity) -> bool {
        has_len(&self.leaves_path(id), leaves_len(id))
    }

    /// Its leaf hashes, and how many bytes they are.
    pub(crate) fn open_leaves(&self, id: &FileIdentity) -> io::Result<(File, u64)> {
        let file = open_read(&self.leaves_path(id))?;
        if file.metadata()?.len() != leaves_len(id) {
            return Err(io::ErrorKind::InvalidData.into());
        }
        Ok((file, leaves_len(id)))
    }

    /// A pack's index, and how many bytes it is.
    pub(crate) fn open_index(&self, id: &FileIdentity) -> io::Result<(File, u64)> {
        let file = open_read(&self.index_path(id))?;
        let len = file.metadata()?.len();
        Ok((file, len))
    }

    /// The lengths of all blobs: a file of another length is new for certain.
    pub(crate) fn lens(&self) -> Result<HashSet<u64>> {
        let mut lens = HashSet::new();
        for entry in std::fs::read_dir(&self.dir).at(&self.dir)? {
            let name = entry.at(&self.dir)?.file_name();
            let id =
                name.to_str().and_then(|name| name.strip_suffix(self.ending)?.parse::<FileIdentity>().ok());
            lens.extend(id.map(|id| id.len));
        }
        Ok(lens)
    }

    /// Gives a finished file its name.
    pub(crate) fn place(&self, id: &FileIdentity, temp: Temp) -> Result<()> {
        temp.place(&self.path(id))
    }

    /// Removes a blob that nothing refers to. What cannot be removed is merely in the way.
    pub(crate) fn remove(&self, id: &FileIdentity) {
        let _ = std::fs::remove_file(self.path(id));
        let _ = std::fs::remove_file(self.leaves_path(id));
        let _ = std::fs::remove_file(self.sums_path(id));
    }

    /// Makes all names given so far durable.
    pub(crate) fn sync(&self) -> Result<()> {
        platform::sync_dir(&self.dir).at(&self.dir)
    }
}

/// 32 bytes for each 16 KiB.
fn leaves_len(id: &FileIdentity) -> u64 {
    id.len.div_ceil(u64::from(BLOCK_LEN)) * 32
}

/// 8 bytes for each 16 KiB.
fn sums_len(id: &FileIdentity) -> u64 {
    id.len.div_ceil(u64::from(BLOCK_LEN)) * 8
}

fn has_len(path: &Path, len: u64) -> bool {
    std::fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.len() == len)
}

/// Every blob that is served, once, whichever releases it belongs to.
pub struct Shelf {
    store: MmapStore<Numbered>,
    bufs: ReadBufs,
}

/// Blobs by a number of their own, given on first use and never taken back.
struct Numbered {
    blobs: Blobs,
    table: RwLock<Table>,
}

#[derive(Default)]
struct Table {
    by_number: Vec<FileIdentity>,
    by_id: HashMap<FileIdentity, u32>,
}

impl FileSource for Numbered {
    fn open_read(&self, file: FileIndex) -> io::Result<File> {
        let id = {
            let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
            *table.by_number.get(file.idx()).ok_or(io::ErrorKind::NotFound)?
        };
        let opened = open_read(&self.blobs.path(&id))?;
        if opened.metadata()?.len() != id.len {
            let why = "the blob has not the length its name says";
            return Err(io::Error::new(io::ErrorKind::InvalidData, why));
        }
        Ok(opened)
    }

    fn open_write(&self, _: FileIndex) -> io::Result<File> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

impl Shelf {
    /// No blob has a number yet.
    #[must_use]
    pub fn new(blobs: Blobs) -> Shelf {
        let source = Numbered { blobs, table: RwLock::default() };
        Shelf { store: MmapStore::new(source), bufs: ReadBufs::default() }
    }

    /// The folder.
    #[must_use]
    pub fn blobs(&self) -> &Blobs {
        &self.store.source().blobs
    }

    /// The number of a blob that has one already.
    pub fn known(&self, id: &FileIdentity) -> Option<FileIndex> {
        let table = self.store.source().table.read().unwrap_or_else(PoisonError::into_inner);
        table.by_id.get(id).copied().map(FileIndex)
    }

    /// The number of a blob that is there. What strangers ask for gets none: the table never shrinks.
    pub fn find(&self, id: &FileIdentity) -> Option<FileIndex> {
        self.known(id).or_else(|| self.blobs().holds(id).then(|| self.number(id)))
    }

    fn number(&self, id: &FileIdentity) -> FileIndex {
        if let Some(known) = self.known(id) {
            return known;
        }
        let mut table = self.store.source().table.write().unwrap_or_else(PoisonError::into_inner);
        let next = u32::try_from(table.by_number.len()).unwrap_or(u32::MAX);
        let number = *table.by_id.entry(*id).or_insert(next);
        if number == next {
            table.by_number.push(*id);
        }
        FileIndex(number)
    }

    /// Bytes of a blob, if they can be had without waiting for a disk.
    #[must_use]
    pub fn slice(&self, blob: FileIndex, range: Range<u64>) -> Option<Bytes> {
        self.store.slice(blob, range)
    }

    /// Bytes of a blob, brought into memory; blocks.
    ///
    /// # Errors
    /// The disk's.
    pub fn load(&self, blob: FileIndex, range: Range<u64>) -> io::Result<Bytes> {
        self.store.load(blob, range, &self.bufs)
    }

    /// The files of one release, in its torrents' order.
    #[must_use]
    pub fn release(self: &Arc<Self>, files: &[FileIdentity]) -> ReleaseStore {
        ReleaseStore { shelf: Arc::clone(self), blobs: files.iter().map(|id| self.number(id)).collect() }
    }
}

/// A release's files as the swarm reads them.
pub struct ReleaseStore {
    shelf: Arc<Shelf>,
    blobs: Box<[FileIndex]>,
}

impl ReleaseStore {
    fn blob(&self, file: FileIndex) -> io::Result<FileIndex> {
        self.blobs.get(file.idx()).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

impl Store for ReleaseStore {
    fn read_at(&self, file: FileIndex, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        self.shelf.store.read_at(self.blob(file)?, offset, buf)
    }

    fn write_at(&self, _: FileIndex, _: u64, _: &[IoSlice<'_>]) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn slice(&self, file: FileIndex, range: Range<u64>) -> Option<Bytes> {
        self.shelf.slice(self.blob(file).ok()?, range)
    }

    fn load(&self, file: FileIndex, range: Range<u64>, bufs: &ReadBufs) -> io::Result<Bytes> {
        self.shelf.store.load(self.blob(file)?, range, bufs)
    }

    fn sync(&self, _: FileIndex) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blobs_are_numbered_once_and_read_by_any_release() {
        let tmp = tempfile::tempdir().unwrap();
        let dir = DataDir::create(tmp.path()).unwrap();
        let blobs = Blobs::new(&dir);
        let (a, b) = (FileIdentity { len: 5, root: [7; 32] }, FileIdentity { len: 3, root: [8; 32] });
        let shelf = Arc::new(Shelf::new(blobs.clone()));
        assert_eq!([shelf.number(&a), shelf.number(&b), shelf.number(&a)], [0, 1, 0].map(FileIndex));

        let release = shelf.release(&[b, FileIdentity::EMPTY, a]);
        let load = |file, range| release.load(FileIndex(file), range, &ReadBufs::default());
        assert_eq!(load(2, 0..5).unwrap_err().kind(), io::ErrorKind::NotFound);
        std::fs::write(blobs.path(&a), b"abc").unwrap();
        assert_eq!(load(2, 0..5).unwrap_err().kind(), io::ErrorKind::InvalidData);
        assert!(!blobs.holds(&a));
        std::fs::write(blobs.path(&a), b"abcde").unwrap();
        assert!(blobs.holds(&a));
        assert_eq!(&load(2, 1..5).unwrap()[..], b"bcde");
        assert_eq!(&release.slice(FileIndex(2), 0..2).unwrap()[..], b"ab");
        assert_eq!(load(9, 0..1).unwrap_err().kind(), io::ErrorKind::NotFound);
        assert_eq!(blobs.lens().unwrap(), HashSet::from([5]));
    }
}
