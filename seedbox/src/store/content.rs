//! A release's files read by their ordinal in the manifest, from the store or from the build: what packs are made from
//! and proven with.

use super::{Blobs, open_read};
use crate::platform;
use manifests::pack::Content;
use manifests::release::{FileIdentity, ManifestFile};
use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// Files kept open; small files are read whole at once, so few need to be.
const MAX_OPEN: usize = 256;

/// Where the files lie.
#[derive(Debug)]
enum Place {
    Store(Blobs),
    Build(Vec<PathBuf>),
}

/// Reads the files of one release.
#[derive(Debug)]
pub(crate) struct BlobContent {
    place: Place,
    files: Vec<FileIdentity>,
    open: Mutex<HashMap<u32, Arc<File>>>,
}

impl BlobContent {
    /// The files of a manifest, links as empty files.
    pub(crate) fn new(blobs: &Blobs, files: &[ManifestFile]) -> BlobContent {
        let files = files.iter().map(|file| file.identity).collect();
        BlobContent { place: Place::Store(blobs.clone()), files, open: Mutex::default() }
    }

    /// The files of a build that is not in the store, at these paths.
    pub(crate) fn of_build(paths: Vec<PathBuf>, files: &[ManifestFile]) -> BlobContent {
        let files = files.iter().map(|file| file.identity).collect();
        BlobContent { place: Place::Build(paths), files, open: Mutex::default() }
    }

    fn path(&self, file: u32) -> io::Result<PathBuf> {
        match &self.place {
            Place::Store(blobs) => Ok(blobs.path(&self.identity(file)?)),
            Place::Build(paths) => {
                paths.get(file as usize).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
            }
        }
    }

    fn identity(&self, file: u32) -> io::Result<FileIdentity> {
        self.files.get(file as usize).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn file(&self, number: u32) -> io::Result<Arc<File>> {
        let lock = || self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = lock().get(&number) {
            return Ok(Arc::clone(open));
        }
        let file = Arc::new(open_read(&self.path(number)?)?);
        let mut open = lock();
        if open.len() >= MAX_OPEN {
            open.clear();
        }
        open.insert(number, Arc::clone(&file));
        Ok(file)
    }
}

impl Content for BlobContent {
    fn read_at(&self, file: u32, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        if buf.is_empty() {
            return Ok(());
        }
        platform::read_exact_at(&*self.file(file)?, buf, offset)
    }

    fn len(&self, file: u32) -> io::Result<u64> {
        Ok(self.identity(file)?.len)
    }
}
