//! A store over positional reads and writes.

use super::{FileSource, Store, os};
use crate::units::FileIndex;
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, IoSlice};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Files kept open. A process may often have no more than 1,024, and sockets need some.
const MAX_OPEN: usize = 128;

/// A store that reads and writes the files of a [`FileSource`]. Guarded files are checked after every read, so that
/// no byte written by somebody else before the read ended can leave.
pub struct FileStore<S> {
    source: S,
    open: Mutex<Open>,
}

/// Invariant: at most `MAX_OPEN` entries; those used least recently are closed first.
#[derive(Default)]
struct Open {
    files: HashMap<FileIndex, Handle>,
    clock: u64,
}

struct Handle {
    file: Arc<File>,
    writable: bool,
    used: u64,
}

impl<S: FileSource> FileStore<S> {
    /// A store that has nothing open yet.
    pub fn new(source: S) -> FileStore<S> {
        FileStore { source, open: Mutex::default() }
    }

    /// The source.
    pub fn source(&self) -> &S {
        &self.source
    }

    /// Closes a file, so that it can be renamed or replaced; the next use opens it again.
    pub fn forget(&self, file: FileIndex) {
        self.open().files.remove(&file);
    }

    /// Closes all files.
    pub fn forget_all(&self) {
        self.open().files.clear();
    }

    // Never held across a system call.
    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn handle(&self, file: FileIndex, write: bool) -> io::Result<Arc<File>> {
        if let Some(found) = self.open().find(file, write) {
            return Ok(found);
        }
        let opened = if write { self.source.open_write(file) } else { self.source.open_read(file) };
        let opened = Arc::new(opened?);
        let closed = self.open().insert(file, Arc::clone(&opened), write);
        drop(closed); // outside the lock
        Ok(opened)
    }
}

impl Open {
    fn find(&mut self, file: FileIndex, write: bool) -> Option<Arc<File>> {
        self.clock += 1;
        let handle = self.files.get_mut(&file).filter(|h| h.writable || !write)?;
        handle.used = self.clock;
        Some(Arc::clone(&handle.file))
    }

    /// Returns what fell out.
    fn insert(&mut self, index: FileIndex, file: Arc<File>, writable: bool) -> Vec<Handle> {
        let handle = Handle { file, writable, used: self.clock };
        let mut closed: Vec<Handle> = self.files.insert(index, handle).into_iter().collect();
        while self.files.len() > MAX_OPEN {
            let oldest = self.files.iter().min_by_key(|(_, h)| h.used).map(|(&index, _)| index);
            closed.extend(oldest.and_then(|index| self.files.remove(&index)));
        }
        closed
    }
}

impl<S: FileSource> Store for FileStore<S> {
    fn read_at(&self, file: FileIndex, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        let handle = self.handle(file, false)?;
        let read = os::read_exact_at(&handle, buf, offset);
        match self.source.guard(file) {
            // A file cut short is a changed file, whatever the read said.
            Some(stamp) => stamp.check(&handle, file).and(read),
            None => read,
        }
    }

    fn write_at(&self, file: FileIndex, offset: u64, bufs: &[IoSlice<'_>]) -> io::Result<()> {
        os::write_all_at(&*self.handle(file, true)?, &mut bufs.to_vec(), offset)
    }

    fn sync(&self, file: FileIndex) -> io::Result<()> {
        self.handle(file, true)?.sync_data()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{DirSource, FileChanged, FileStamp, ReadBufs};
    use super::*;

    struct Guarded(DirSource, Option<FileStamp>);
    impl FileSource for Guarded {
        fn open_read(&self, file: FileIndex) -> io::Result<File> {
            self.0.open_read(file)
        }
        fn open_write(&self, file: FileIndex) -> io::Result<File> {
            self.0.open_write(file)
        }
        fn guard(&self, _: FileIndex) -> Option<FileStamp> {
            self.1
        }
    }

    fn source(dir: &std::path::Path, n: usize) -> DirSource {
        DirSource::new(dir, (0..n).map(|i| format!("a/{}/{i}", i % 3))).unwrap()
    }

    #[test]
    fn writes_are_gathered_and_read_back() {
        let dir = tempfile::tempdir().unwrap();
        let store = FileStore::new(source(dir.path(), 2));
        let parts = [IoSlice::new(b""), IoSlice::new(b"abc"), IoSlice::new(b""), IoSlice::new(b"defg")];
        store.write_at(FileIndex(1), 5, &parts).unwrap();
        store.write_at(FileIndex(1), 0, &[IoSlice::new(b"01234")]).unwrap();
        store.sync(FileIndex(1)).unwrap();
        let bytes = store.load(FileIndex(1), 0..12, &ReadBufs::default()).unwrap();
        assert_eq!(&bytes[..], b"01234abcdefg");
        let beyond = store.read_at(FileIndex(1), 10, &mut [0; 3]).unwrap_err();
        assert_eq!(beyond.kind(), io::ErrorKind::UnexpectedEof);
        assert_eq!(store.read_at(FileIndex(0), 0, &mut [0]).unwrap_err().kind(), io::ErrorKind::NotFound);
        assert_eq!(store.read_at(FileIndex(2), 0, &mut [0]).unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn more_slices_than_one_call_takes() {
        let dir = tempfile::tempdir().unwrap();
        let store = FileStore::new(source(dir.path(), 1));
        let data: Vec<u8> = (0..3000u32).map(|i| i as u8).collect();
        let parts: Vec<IoSlice<'_>> = data.chunks(1).map(IoSlice::new).collect();
        store.write_at(FileIndex(0), 7, &parts).unwrap();
        assert_eq!(store.load(FileIndex(0), 7..3007, &ReadBufs::default()).unwrap(), data);
    }

    #[test]
    fn only_so_many_files_stay_open() {
        let dir = tempfile::tempdir().unwrap();
        let n = 2 * MAX_OPEN;
        let store = FileStore::new(source(dir.path(), n));
        for i in 0..n {
            store.write_at(FileIndex(i as u32), 0, &[IoSlice::new(&[i as u8])]).unwrap();
        }
        assert_eq!(store.open().files.len(), MAX_OPEN);
        for i in 0..n {
            let mut byte = [0];
            store.read_at(FileIndex(i as u32), 0, &mut byte).unwrap();
            assert_eq!(byte, [i as u8]);
        }
        store.forget_all();
        assert!(store.open().files.is_empty());
    }

    #[test]
    fn a_file_that_was_rewritten_is_not_served() {
        let dir = tempfile::tempdir().unwrap();
        let plain = source(dir.path(), 1);
        let writer = plain.open_write(FileIndex(0)).unwrap();
        os::write_all_at(&writer, &mut [IoSlice::new(b"the game")], 0).unwrap();
        let stamp = FileStamp::of(&writer).unwrap();
        let store = FileStore::new(Guarded(plain, Some(stamp)));
        let mut buf = [0; 8];
        store.read_at(FileIndex(0), 0, &mut buf).unwrap();
        assert_eq!(&buf, b"the game");

        for change in [
            FileStamp { len: 9, ..stamp },
            FileStamp { mtime_ns: 1, ..stamp },
            FileStamp { inode: 1, ..stamp },
        ] {
            let store = FileStore::new(Guarded(source(dir.path(), 1), Some(change)));
            let error = store.read_at(FileIndex(0), 0, &mut buf).unwrap_err();
            assert_eq!(FileChanged::of(&error), Some(FileChanged { file: FileIndex(0) }));
        }
        writer.set_len(3).unwrap();
        let error = store.read_at(FileIndex(0), 0, &mut buf).unwrap_err();
        assert!(FileChanged::of(&error).is_some(), "{error}");
    }

    #[test]
    fn paths_stay_below_the_folder() {
        let root = std::path::Path::new("root");
        for bad in ["../x", "a/../../x", "/etc/passwd", "", "./a/../b"] {
            assert!(DirSource::new(root, [bad]).is_err(), "{bad}");
        }
    }
}
