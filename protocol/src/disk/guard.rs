//! Whether a file is still the one that was verified. Games and mods rewrite files; bytes that no longer match
//! would get us banned by our own peers, so a file whose stamp differs is not served at all.

use super::os;
use crate::units::FileIndex;
use std::fs::File;
use std::io;

/// What must stay the same for a verified file to be served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FileStamp {
    /// Length in bytes.
    pub len: u64,
    /// Time of the last change of content, in nanoseconds since 1970; earlier times count as 0.
    pub mtime_ns: u64,
    /// The inode number; on Windows, where a file has none that is as cheap to learn, its time of creation.
    pub inode: u64,
}

impl FileStamp {
    /// The stamp of an open file.
    ///
    /// # Errors
    /// The operating system does not say.
    pub fn of(file: &File) -> io::Result<FileStamp> {
        os::stamp(&file.metadata()?)
    }

    /// # Errors
    /// As [`Self::of`], and [`FileChanged`] when the open file no longer has this stamp.
    pub(super) fn check(self, file: &File, index: FileIndex) -> io::Result<()> {
        if FileStamp::of(file)? == self { Ok(()) } else { Err(FileChanged { file: index }.into()) }
    }
}

/// A file was changed by somebody else after it was verified. Its pieces must be withdrawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("file {file} of the torrent is no longer the file that was verified")]
pub struct FileChanged {
    /// Which file.
    pub file: FileIndex,
}

impl FileChanged {
    /// The `FileChanged` inside an IO error, if that is what it is.
    #[must_use]
    pub fn of(error: &io::Error) -> Option<FileChanged> {
        error.get_ref()?.downcast_ref().copied()
    }
}

impl From<FileChanged> for io::Error {
    fn from(changed: FileChanged) -> io::Error {
        io::Error::other(changed)
    }
}
