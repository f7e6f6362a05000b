//! Where the bytes of a release's files are read from.

use std::io;

use crate::release::ManifestFile;

/// Reads files of one release by their ordinal in its manifest.
pub trait Content: Sync {
    /// Fills `buf` from `offset` of the file, or fails: a short file is [`io::ErrorKind::UnexpectedEof`].
    ///
    /// # Errors
    /// Whatever reading failed with.
    fn read_at(&self, file: u32, offset: u64, buf: &mut [u8]) -> io::Result<()>;

    /// The file's length in bytes: what its manifest says.
    ///
    /// # Errors
    /// Whatever asking failed with.
    fn len(&self, file: u32) -> io::Result<u64>;
}

/// A release and its bytes.
#[derive(Clone, Copy)]
pub struct TreeRef<'a> {
    /// The manifest's files, in its order; ordinals count into this.
    pub files: &'a [ManifestFile],
    /// Their bytes.
    pub content: &'a dyn Content,
}
