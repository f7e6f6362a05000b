//! What a launcher finds of data that moved: the checksums it will get, and the old files it will look for them in.

use crate::platform;
use crate::store::{BlobContent, Blobs, open_read};
use manifests::hash::{BLOCK_LEN, block_range, leaf_count, rolling};
use manifests::pack::Content as _;
use manifests::path::SafePath;
use manifests::release::{FileIdentity, ReleaseManifest};
use manifests::reuse::{OldFile, OldFiles, SumSource};
use std::collections::HashMap;
use std::fs::File;
use std::io;

/// The checksums of the build's files, computed when somebody asks.
pub(super) struct Sums<'a> {
    files: HashMap<FileIdentity, u32>,
    content: &'a BlobContent,
}

impl<'a> Sums<'a> {
    pub(super) fn new(target: &ReleaseManifest, content: &'a BlobContent) -> Sums<'a> {
        let files = (0u32..).zip(&target.files).map(|(number, file)| (file.identity, number));
        Sums { files: files.collect(), content }
    }
}

impl SumSource for Sums<'_> {
    fn sums(&self, identity: &FileIdentity) -> Option<Vec<u64>> {
        let number = *self.files.get(identity)?;
        let mut buf = vec![0; usize::try_from(BLOCK_LEN).ok()?];
        let block = |at: u64| {
            let range = block_range(at, identity.len);
            let buf = buf.get_mut(..usize::try_from(range.end - range.start).ok()?)?;
            self.content.read_at(number, range.start, buf).ok()?;
            Some(rolling(buf))
        };
        (0..leaf_count(identity.len)).map(block).collect()
    }
}

/// The files of an installed release, where the store has them.
pub(super) struct Old {
    files: HashMap<SafePath, FileIdentity>,
    blobs: Blobs,
}

impl Old {
    pub(super) fn new(base: &ReleaseManifest, blobs: &Blobs) -> Old {
        let files = base.files.iter().map(|file| (file.path.clone(), file.identity));
        Old { files: files.collect(), blobs: blobs.clone() }
    }
}

impl OldFiles for Old {
    fn open(&self, path: &SafePath) -> io::Result<Box<dyn OldFile>> {
        let identity = self.files.get(path).ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(Stored { file: open_read(&self.blobs.path(identity))?, len: identity.len }))
    }
}

struct Stored {
    file: File,
    len: u64,
}

impl OldFile for Stored {
    fn read(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.len.saturating_sub(offset)).unwrap_or(usize::MAX);
        let count = buf.len().min(left);
        platform::read_exact_at(&self.file, buf.get_mut(..count).unwrap_or_default(), offset)?;
        Ok(count)
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.len)
    }
}
