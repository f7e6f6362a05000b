//! Where the bytes of a torrent's files are read and written. The swarm never sees a path: it names a file by its
//! [`FileIndex`] and a [`Store`] knows the rest. Every call here may block; callers use the blocking pool.
//!
//! [`FileStore`] reads and writes with positional calls (what a launcher needs: a truncated file under a mapping
//! kills the process, a truncated file under `pread` is an error). [`MmapStore`] maps files that never change (a
//! seedbox's blobs) and hands out slices of the mapping, so that a block goes to a socket without being copied.

mod bufs;
mod files;
mod guard;
mod maps;
mod os;
mod source;

pub use bufs::ReadBufs;
pub use files::FileStore;
pub use guard::{FileChanged, FileStamp};
pub use maps::MmapStore;
pub use source::{DirSource, FileSource};

use crate::units::FileIndex;
use bytes::Bytes;
use std::io::{self, IoSlice};
use std::ops::Range;

/// The files of one torrent, or of several that share them.
///
/// # Errors
/// Whatever the operating system says; `UnexpectedEof` for a read beyond the end of a file; an error that wraps
/// [`FileChanged`] (see [`FileChanged::of`]) when a guarded file is no longer the one that was recorded.
pub trait Store: Send + Sync + 'static {
    /// Fills `buf` from `offset` bytes into the file.
    fn read_at(&self, file: FileIndex, offset: u64, buf: &mut [u8]) -> io::Result<()>;

    /// Writes all of `bufs`, one after the other, from `offset` on. The file is made if need be and grows as needed.
    fn write_at(&self, file: FileIndex, offset: u64, bufs: &[IoSlice<'_>]) -> io::Result<()>;

    /// The bytes of `range`, if they can be had at once: without waiting for a disk now, nor when they are touched
    /// a little later. `None` says "use [`Store::load`] on the pool", not "no such bytes".
    fn slice(&self, file: FileIndex, range: Range<u64>) -> Option<Bytes> {
        let _ = (file, range);
        None
    }

    /// The bytes of `range` (at most a few MiB), read or brought into memory; blocks.
    fn load(&self, file: FileIndex, range: Range<u64>, bufs: &ReadBufs) -> io::Result<Bytes> {
        let len = usize::try_from(range.end.saturating_sub(range.start)).map_err(io::Error::other)?;
        let mut buf = bufs.take(len);
        self.read_at(file, range.start, buf.as_mut())?;
        Ok(buf.freeze())
    }

    /// Returns when all accepted writes of the file are on stable storage.
    fn sync(&self, file: FileIndex) -> io::Result<()>;
}
