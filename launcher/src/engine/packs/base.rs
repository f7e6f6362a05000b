//! Reading base files, wherever they lie, and only while they are what they were.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use manifests::folder::{Access, FsFile, Guard, InstallDir, Meta};
use manifests::pack::Content;
use manifests::release::{FileIdentity, ManifestFile};

use crate::engine::packs::torrent::fill;

/// Files that one job keeps open.
const OPEN_MAX: usize = 64;

/// Where a file's content lies: a file of the game as it looked when it was verified, or one of ours that nobody else
/// writes.
#[derive(Debug, Clone)]
pub(crate) struct Held {
    /// Below the install folder.
    pub(crate) path: String,
    /// What it must look like still; none for ours.
    pub(crate) guard: Option<Guard>,
}

/// Base files by their identity.
pub(crate) struct Bases {
    dir: Arc<InstallDir>,
    held: RwLock<HashMap<FileIdentity, Vec<Held>>>,
}

impl Bases {
    pub(crate) fn new(dir: Arc<InstallDir>) -> Self {
        Self { dir, held: RwLock::default() }
    }

    /// Notes where a file can be read.
    pub(crate) fn add(&self, identity: FileIdentity, held: Held) {
        self.held.write().unwrap_or_else(PoisonError::into_inner).entry(identity).or_default().push(held);
    }

    fn places(&self, identity: &FileIdentity) -> Vec<Held> {
        let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
        held.get(identity).cloned().unwrap_or_default()
    }

    fn open(&self, held: &Held) -> io::Result<Open> {
        let open = Open { file: self.dir.fs().open(&held.path, Access::Read)?, guard: held.guard };
        open.check()?;
        Ok(open)
    }

    /// A file by its identity, to be read by one job.
    pub(crate) fn find(&self, identity: &FileIdentity) -> io::Result<Open> {
        let mut failed = io::Error::from(io::ErrorKind::NotFound);
        for held in self.places(identity) {
            match self.open(&held) {
                Ok(open) => return Ok(open),
                Err(error) => failed = error,
            }
        }
        Err(failed)
    }
}

/// A base file at hand.
pub(crate) struct Open {
    file: Box<dyn FsFile>,
    guard: Option<Guard>,
}

impl Open {
    /// That it still looks as it did.
    fn check(&self) -> io::Result<()> {
        let Some(expected) = self.guard else { return Ok(()) };
        match self.file.meta()? {
            Meta::File { guard, .. } if guard == expected => Ok(()),
            _ => Err(io::Error::other("it was changed by another program")),
        }
    }

    /// Fills `buf`; what was written by somebody else before the read ended is an error.
    pub(crate) fn read(&self, at: u64, buf: &mut [u8]) -> io::Result<()> {
        let found = fill(&*self.file, at, buf)?;
        self.check()?;
        if found < buf.len() { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
    }
}

/// A base release as one job reads it.
pub(crate) struct BaseContent<'a> {
    bases: &'a Bases,
    files: &'a [ManifestFile],
    open: Mutex<HashMap<u32, Open>>,
}

impl<'a> BaseContent<'a> {
    pub(crate) fn new(bases: &'a Bases, files: &'a [ManifestFile]) -> Self {
        Self { bases, files, open: Mutex::default() }
    }
}

impl Content for BaseContent<'_> {
    fn read_at(&self, file: u32, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = open.get(&file) {
            return found.read(offset, buf);
        }
        let identity = self.files.get(file as usize).map(|file| file.identity);
        let found = self.bases.find(&identity.ok_or(io::ErrorKind::NotFound)?)?;
        found.read(offset, buf)?;
        if open.len() >= OPEN_MAX {
            open.clear();
        }
        open.insert(file, found);
        Ok(())
    }

    fn len(&self, file: u32) -> io::Result<u64> {
        let file = self.files.get(file as usize).ok_or(io::ErrorKind::NotFound)?;
        Ok(file.identity.len)
    }
}
