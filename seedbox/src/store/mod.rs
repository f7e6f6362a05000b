//! The data folder: `public/` is a plain static site that any web server can hold a copy of; `state/` is private.
//!
//! ```text
//! public/metadata/                 TUF roles
//! public/targets/games/<id>/…      manifests and channel documents
//! public/torrents/<info-hash>.torrent
//! public/blobs/<root>-<len>        every file of every release, once
//! public/blobs/<root>-<len>.leaves the hashes of its 16 KiB blocks, and .sums, their rolling checksums
//! public/packs/<root>-<len>.pack   what turns one release into another, with .index and .leaves beside it
//! state/seedbox.json               settings chosen at init
//! state/trust/                     the online roles' keys
//! state/popular.json               which releases players run, as far as `serve` has seen
//! state/tmp/, state/packing/       files on their way into public/
//! ```
//!
//! Nothing under `public/` is ever written in place: a file is finished under `state/tmp`, made durable, and renamed.
#![allow(clippy::disallowed_methods, reason = "the store is where the seedbox touches the file system")]

mod blobs;
mod power;
mod content;
mod settings;

pub use blobs::{Blobs, ReleaseStore, Shelf};
pub(crate) use content::BlobContent;
pub use settings::Settings;

use power::Power;

use crate::error::{DiskContext as _, Error, Result};
use crate::platform;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Opens a file (or, where that is possible, a folder) to read it.
pub(crate) fn open_read(path: &Path) -> io::Result<File> {
    File::open(path)
}

/// Reads a whole file of at most `max_len` bytes; a longer one is an error.
pub(crate) fn read_bounded(path: &Path, max_len: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open_read(path)?.take(max_len.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > max_len {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "the file is larger than it may be"));
    }
    Ok(bytes)
}

/// Files on their way, of commands that hold the lock of the repository.
const TMP: &str = "tmp";
/// Files on their way, of a command that makes packs while others publish.
const TMP_PACKING: &str = "packing";

/// Writes a file into a folder that is no data folder: under another name until it is whole and durable.
pub(crate) fn export(folder: &Path, name: &str, from: &mut dyn io::Read) -> Result<PathBuf> {
    let (temp, path) = (folder.join(format!(".writing-{name}")), folder.join(name));
    let mut write = || {
        fs::create_dir_all(folder)?;
        let mut file = File::create(&temp)?;
        io::copy(from, &mut file)?;
        file.sync_all()?;
        fs::rename(&temp, &path)?;
        platform::sync_dir(folder)
    };
    write().at(&path)?;
    Ok(path)
}

/// Removes a file that is merely in the way.
pub(crate) fn remove_quietly(path: &Path) {
    let _ = fs::remove_file(path);
}

/// Where everything lies in a data folder.
#[derive(Clone, Debug)]
pub struct DataDir {
    root: PathBuf,
    /// Where files on their way lie, below `state/`: every kind of command that works for itself has a folder.
    tmp: &'static str,
    power: Power,
}

impl DataDir {
    /// Makes the folders of a new repository. Whatever an `init` cut short has left there already stays.
    ///
    /// # Errors
    /// [`Error::RepositoryExists`], or the disk's.
    pub fn create(root: &Path) -> Result<DataDir> {
        let dir = DataDir { root: root.to_owned(), tmp: TMP, power: Power::default() };
        if dir.settings_path().exists() {
            return Err(Error::RepositoryExists(root.to_owned()));
        }
        for path in [dir.metadata(), dir.targets(), dir.torrents(), dir.blobs(), dir.packs(), dir.tmp()] {
            fs::create_dir_all(&path).at(&path)?;
        }
        platform::make_private(&dir.state()).at(&dir.state())?;
        Ok(dir)
    }

    /// Opens an existing repository.
    ///
    /// # Errors
    /// [`Error::RepositoryMissing`].
    pub fn open(root: &Path) -> Result<DataDir> {
        let dir = DataDir { root: root.to_owned(), tmp: TMP, power: Power::default() };
        if !dir.settings_path().is_file() {
            return Err(Error::RepositoryMissing(root.to_owned()));
        }
        Ok(dir)
    }

    /// The same folder, where only so many more steps of writing succeed.
    #[cfg(test)]
    pub(crate) fn with_steps_left(mut self, steps: u32) -> DataDir {
        self.power = Power::with_steps_left(steps);
        self
    }

    /// The folder as given.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }
    /// What a web server may show.
    #[must_use]
    pub fn public(&self) -> PathBuf {
        self.root.join("public")
    }
    /// What it must not.
    #[must_use]
    pub fn state(&self) -> PathBuf {
        self.root.join("state")
    }
    /// TUF roles.
    #[must_use]
    pub fn metadata(&self) -> PathBuf {
        self.public().join("metadata")
    }
    /// TUF targets.
    #[must_use]
    pub fn targets(&self) -> PathBuf {
        self.public().join("targets")
    }
    /// Torrent files by info-hash.
    #[must_use]
    pub fn torrents(&self) -> PathBuf {
        self.public().join("torrents")
    }
    /// Files by content.
    #[must_use]
    pub fn blobs(&self) -> PathBuf {
        self.public().join("blobs")
    }
    /// Packs by content, and their indexes.
    #[must_use]
    pub fn packs(&self) -> PathBuf {
        self.public().join("packs")
    }
    /// Files on their way.
    #[must_use]
    pub fn tmp(&self) -> PathBuf {
        self.state().join(self.tmp)
    }
    /// The file whose replacement makes a change visible.
    #[must_use]
    pub fn timestamp(&self) -> PathBuf {
        self.metadata().join("timestamp.json")
    }
    /// The folder of packs, which data folders of before do not have yet.
    pub(crate) fn make_packs(&self) -> Result<PathBuf> {
        let path = self.packs();
        fs::create_dir_all(&path).at(&path)?;
        Ok(path)
    }
    fn settings_path(&self) -> PathBuf {
        self.state().join("seedbox.json")
    }

    /// Keeps every other writer out until the lock is dropped.
    ///
    /// # Errors
    /// [`Error::RepositoryBusy`] when somebody else holds it.
    pub fn lock(&self) -> Result<Lock> {
        self.lock_file("lock")
    }

    /// As [`DataDir::lock`], once whoever holds it is done.
    ///
    /// # Errors
    /// The disk's.
    pub fn lock_when_free(&self) -> Result<Lock> {
        let path = self.state().join("lock");
        let file = OpenOptions::new().create(true).write(true).truncate(false).open(&path).at(&path)?;
        fs4::FileExt::lock(&file).at(&path)?;
        Ok(Lock { _file: file })
    }

    /// The same repository for a command that makes packs for hours and lets others publish meanwhile; keeps a second
    /// one like it out.
    ///
    /// # Errors
    /// [`Error::RepositoryBusy`], or the disk's.
    pub fn for_packing(mut self) -> Result<(DataDir, Lock)> {
        let lock = self.lock_file("packing.lock")?;
        self.tmp = TMP_PACKING;
        self.clean_tmp(&lock)?;
        Ok((self, lock))
    }

    fn lock_file(&self, name: &str) -> Result<Lock> {
        let path = self.state().join(name);
        let file = OpenOptions::new().create(true).write(true).truncate(false).open(&path).at(&path)?;
        match fs4::FileExt::try_lock(&file) {
            Ok(()) => Ok(Lock { _file: file }),
            Err(fs4::TryLockError::WouldBlock) => Err(Error::RepositoryBusy(self.root.clone())),
            Err(fs4::TryLockError::Error(source)) => Err(Error::disk(&path, source)),
        }
    }

    /// Removes what an interrupted publish left behind. Call with the lock held.
    ///
    /// # Errors
    /// The disk's.
    pub fn clean_tmp(&self, _lock: &Lock) -> Result<()> {
        let tmp = self.tmp();
        fs::create_dir_all(&tmp).at(&tmp)?;
        for entry in fs::read_dir(&tmp).at(&tmp)? {
            let path = entry.at(&tmp)?.path();
            fs::remove_file(&path).at(&path)?;
        }
        Ok(())
    }

    /// A new empty file under `state/tmp`.
    ///
    /// # Errors
    /// The disk's.
    pub(crate) fn temp(&self) -> Result<Temp> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let name = format!("{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = self.tmp().join(name);
        self.power.step().at(&path)?;
        let file = OpenOptions::new().create_new(true).read(true).write(true).open(&path).at(&path)?;
        Ok(Temp { file: Some(file), path, power: self.power.clone() })
    }

    /// Writes a whole file: at `path` there is the old content or the new, never a part.
    ///
    /// # Errors
    /// The disk's.
    pub(crate) fn write_atomic(&self, path: &Path, content: &[u8]) -> Result<()> {
        let mut temp = self.temp()?;
        temp.file()?.write_all(content).at(&temp.path)?;
        temp.place(path)?;
        let folder = path.parent().unwrap_or(&self.root);
        platform::sync_dir(folder).at(folder)
    }
}

/// The right to change a repository, until dropped.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// A file that is not there yet: gone when dropped before [`Temp::place`].
#[derive(Debug)]
pub(crate) struct Temp {
    file: Option<File>,
    path: PathBuf,
    power: Power,
}

impl Temp {
    /// The open file.
    pub(crate) fn file(&mut self) -> Result<&mut File> {
        self.file.as_mut().ok_or_else(|| Error::RepositoryDamaged("a temporary file was used twice".into()))
    }

    /// The open file, shared by threads that write at offsets.
    pub(crate) fn shared(&self) -> io::Result<&File> {
        self.file.as_ref().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Makes it durable and gives it its name. The rename itself is durable once the folder is synced.
    pub(crate) fn place(mut self, path: &Path) -> Result<()> {
        if let Some(file) = self.file.take() {
            file.sync_all().at(&self.path)?;
        }
        self.power.step().at(path)?;
        fs::rename(&self.path, path).at(path)?;
        self.path = PathBuf::new();
        self.power.step().at(path)
    }
}

impl Drop for Temp {
    fn drop(&mut self) {
        drop(self.file.take());
        if !self.path.as_os_str().is_empty() && !self.power.is_cut() {
            // Nothing refers to it; what cannot be removed now is removed by the next publish.
            let _ = fs::remove_file(&self.path);
        }
    }
}
