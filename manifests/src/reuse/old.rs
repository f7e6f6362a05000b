//! The files that are searched: an install's, or, for whoever asks beforehand, those a release would have put there.

use std::io;

use crate::apply::fill;
use crate::folder::{Access, FsFile, InstallDir, Meta};
use crate::path::SafePath;

/// Old files by their paths.
pub trait OldFiles {
    /// Opens one.
    ///
    /// # Errors
    /// Of the operating system; the file is then passed over.
    fn open(&self, path: &SafePath) -> io::Result<Box<dyn OldFile>>;
}

/// An old file.
#[allow(clippy::len_without_is_empty, reason = "nobody asks")]
pub trait OldFile {
    /// Fills `buf` from `offset` on, as far as the file goes; how many bytes that were.
    ///
    /// # Errors
    /// Of the operating system.
    fn read(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize>;
    /// Its length in bytes.
    ///
    /// # Errors
    /// Of the operating system.
    fn len(&self) -> io::Result<u64>;
}

impl OldFiles for InstallDir {
    fn open(&self, path: &SafePath) -> io::Result<Box<dyn OldFile>> {
        Ok(Box::new(Installed(self.fs().open(path.as_str(), Access::Read)?)))
    }
}

struct Installed(Box<dyn FsFile>);

impl OldFile for Installed {
    fn read(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        fill(&*self.0, offset, buf)
    }

    fn len(&self) -> io::Result<u64> {
        match self.0.meta()? {
            Meta::File { guard, .. } => Ok(guard.len),
            _ => Err(io::ErrorKind::InvalidInput.into()),
        }
    }
}
