//! One install on the player's disk: the game's files and the hidden `.samara/` beside them.
//!
//! ```text
//! .samara/state.json     release in place, what each of its files looked like (see `state`)
//!         lock           held while a launcher works here; lock.pid says which
//!         manifests/     the manifest of the release in place, by its SHA-256
//!         leaves/        16 KiB leaf hashes by file identity, checked up to the root when read (see `leaves`)
//!         staging/       files of the next release, not yet in place
//!         journal.*      an apply that passed its commit (see `apply::journal`)
//!         ledger.json    bytes in and out
//! ```
//! With no journal there, removing `.samara/` leaves a working game. The player's files that stood in the way of an
//! update lie beside what came in their place, as `name.mine-2026-11-22`.

mod error;
mod fs;
mod leaves;
mod limits;
mod platform;
mod state;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::hash::{self, Hash};
use crate::path::SafePath;
use crate::release::FileIdentity;

pub use error::{DiskError, FolderError};
pub(crate) use fs::is_absent;
pub use fs::{Access, CapFs, Fs, FsFile, Guard, Meta};
pub(crate) use leaves::leaf_files;
pub use limits::Limits;
pub(crate) use platform::is_locked;
pub(crate) use state::as_text;
pub use state::{InstalledRelease, Ledger, LedgerEntry, Listed, MAX_STATE_BYTES, STATE_SCHEMA, State};

/// The launcher's folder in an install.
pub const PRIVATE: &str = ".samara";
pub(crate) const STATE_FILE: &str = ".samara/state.json";
pub(crate) const STATE_NEXT: &str = ".samara/state.next";
pub(crate) const STAGING: &str = ".samara/staging";
/// Where earlier launchers put the player's files; an uninstall leaves it.
pub(crate) const KEPT: &str = ".samara/kept";
pub(crate) const LEAVES: &str = ".samara/leaves";
pub(crate) const MANIFESTS: &str = ".samara/manifests";
const LOCK_FILE: &str = ".samara/lock";
const OWNER_FILE: &str = ".samara/lock.pid";
const MAX_OWNER_BYTES: u64 = 32;
const LEDGER_FILE: &str = ".samara/ledger.json";
const MAX_LEDGER_BYTES: u64 = 16 << 20;
/// Longest manifest copy read back, in bytes.
const MAX_MANIFEST_BYTES: u64 = 64 << 20;

/// Leaf hashes of files, where they are known.
pub trait LeafSource {
    /// The leaves of the file called `identity`, already checked against its root.
    fn leaves(&self, identity: &FileIdentity) -> Option<Arc<[Hash]>>;
}

/// Watches over long work: told what was done, asked whether to stop. Called from several threads.
pub trait Progress: Sync {
    /// `bytes` more were read or written.
    fn advance(&self, bytes: u64);
    /// Whether the work should end early.
    fn cancelled(&self) -> bool;
    /// The update is committed: from here until the end of the call the folder is between two releases, and a program
    /// that dies leaves work for the next start.
    fn committed(&self) {}
}

/// Nobody watches.
impl Progress for () {
    fn advance(&self, _bytes: u64) {}

    fn cancelled(&self) -> bool {
        false
    }
}

/// An install folder, held by this process alone until dropped.
pub struct InstallDir {
    path: PathBuf,
    fs: Arc<dyn Fs>,
    state: Mutex<Arc<State>>,
    remembered: leaves::Remembered,
    /// The lock goes with the handle, also when the process is killed.
    _lock: Option<File>,
}

impl std::fmt::Debug for InstallDir {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InstallDir").field("path", &self.path).finish_non_exhaustive()
    }
}

impl InstallDir {
    /// Opens a folder where a game is installed, or an install was begun.
    ///
    /// Follow with [`crate::apply::recover`]: an apply that was interrupted may have to be finished first.
    ///
    /// # Errors
    /// [`FolderError`]; `NotInstalled` without `.samara/`.
    pub fn open(path: &Path) -> Result<Self, FolderError> {
        let fs = open_folder(path)?;
        if fs.stat(STATE_FILE).map_err(DiskError::at("look at", STATE_FILE))?.is_none() {
            return Err(FolderError::NotInstalled(path.display().to_string()));
        }
        let lock = take_lock(&fs, path)?;
        Self::over(path, Arc::new(fs), Some(lock))
    }

    /// Makes (or goes on with) an install of `game`. Without `adopt`, only in a folder that is missing, empty, or was
    /// begun for the same game.
    ///
    /// # Errors
    /// [`FolderError`]; nothing is written before every check has passed.
    pub fn create(path: &Path, game: &str, adopt: bool) -> Result<Self, FolderError> {
        let at = || path.display().to_string();
        match std::fs::symlink_metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                std::fs::create_dir_all(path).map_err(DiskError::at("create the folder", &at()))?;
            }
            _ => {}
        }
        let fs = open_folder(path)?;
        let known = match read_state(&fs) {
            // A damaged record is no reason to refuse an adoption: it is what adoption is for.
            Err(FolderError::Damaged(_)) if adopt => None,
            other => other?,
        };
        if let Some(state) = &known
            && state.game != game
        {
            return Err(FolderError::OtherGame { found: state.game.clone(), wanted: game.to_owned() });
        }
        let foreign = |name: &Option<String>| name.as_deref() != Some(PRIVATE);
        let names = fs.list("").map_err(DiskError::at("read the folder", &at()))?;
        if known.is_none() && !adopt && names.iter().any(foreign) {
            return Err(FolderError::NotEmpty(at()));
        }
        ensure_dir(&fs, PRIVATE)?;
        let lock = take_lock(&fs, path)?;
        if known.is_none() {
            let state = State::new(game, adopt);
            put(&fs, STATE_FILE, &state.encode().map_err(DiskError::at("encode", STATE_FILE))?)?;
        }
        Self::over(path, Arc::new(fs), Some(lock))
    }

    /// Works over any file system; tests use one that fails.
    ///
    /// # Errors
    /// [`FolderError`] when `state.json` is missing or cannot be read.
    pub fn over(path: &Path, fs: Arc<dyn Fs>, lock: Option<File>) -> Result<Self, FolderError> {
        let state = read_state(&*fs)?.ok_or_else(|| FolderError::NotInstalled(path.display().to_string()))?;
        let state = Mutex::new(Arc::new(state));
        Ok(Self { path: path.to_owned(), fs, state, remembered: Default::default(), _lock: lock })
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What `state.json` says now.
    pub fn state(&self) -> Arc<State> {
        Arc::clone(&self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads `state.json` again after apply has replaced it.
    pub(crate) fn reload(&self) -> Result<(), FolderError> {
        if let Some(state) = read_state(&*self.fs)? {
            *self.state.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(state);
        }
        Ok(())
    }

    /// The file system below this folder.
    pub fn fs(&self) -> &dyn Fs {
        &*self.fs
    }

    /// A plain handle to a game file or staged file, for the swarm's store.
    ///
    /// # Errors
    /// [`DiskError`], also when the path is not a regular file.
    pub fn open_file(&self, path: &str, access: Access) -> Result<File, DiskError> {
        self.fs.open_std(path, access).map_err(DiskError::at("open", path))
    }

    /// What the file at `path` looks like now; `None` when there is no regular file.
    ///
    /// # Errors
    /// [`DiskError`].
    pub fn guard(&self, path: &str) -> Result<Option<Guard>, DiskError> {
        match self.fs.stat(path).map_err(DiskError::at("look at", path))? {
            Some(Meta::File { guard, .. }) => Ok(Some(guard)),
            _ => Ok(None),
        }
    }

    /// The manifest of the release in place, as it was signed; `None` when the copy is missing or not the right one.
    ///
    /// # Errors
    /// [`DiskError`].
    pub fn manifest(&self) -> Result<Option<Vec<u8>>, DiskError> {
        let state = self.state();
        let release = state.release.as_ref();
        release.map_or(Ok(None), |release| self.manifest_copy(&release.manifest))
    }

    /// The kept manifest whose SHA-256 is `sha256`, in hex; `None` when the copy is missing or not the right one.
    ///
    /// # Errors
    /// [`DiskError`].
    pub fn manifest_copy(&self, sha256: &str) -> Result<Option<Vec<u8>>, DiskError> {
        // The name comes from a file anyone may have edited.
        if sha256.len() != 64 || !sha256.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Ok(None);
        }
        let bytes = get(&*self.fs, &format!("{MANIFESTS}/{sha256}"), MAX_MANIFEST_BYTES)?;
        Ok(bytes.filter(|bytes| hex::encode(hash::leaf(bytes)) == sha256))
    }

    /// The ledger; an empty one when there is none or it cannot be read: it is nothing to fail for.
    pub fn ledger(&self) -> Ledger {
        let bytes = get(&*self.fs, LEDGER_FILE, MAX_LEDGER_BYTES).ok().flatten();
        bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
    }

    /// Replaces the ledger; a power cut may bring back the one before.
    ///
    /// # Errors
    /// [`DiskError`].
    pub fn put_ledger(&self, ledger: &Ledger) -> Result<(), DiskError> {
        let bytes = serde_json::to_vec(ledger).map_err(io::Error::other);
        put_soon(&*self.fs, LEDGER_FILE, &bytes.map_err(DiskError::at("encode", LEDGER_FILE))?)
    }

    /// A small file of the launcher's own in `.samara/` (`name` is one part), at most `max` bytes.
    ///
    /// # Errors
    /// [`DiskError`], also for a longer file.
    pub fn get(&self, name: &SafePath, max: u64) -> Result<Option<Vec<u8>>, DiskError> {
        get(&*self.fs, &format!("{PRIVATE}/{name}"), max)
    }

    /// Writes a small file of the launcher's own in `.samara/`, durably and in one step.
    ///
    /// # Errors
    /// [`DiskError`]; the file that was there stays.
    pub fn put(&self, name: &SafePath, bytes: &[u8]) -> Result<(), DiskError> {
        let path = format!("{PRIVATE}/{name}");
        ensure_parents(&*self.fs, &path)?;
        put(&*self.fs, &path, bytes)
    }

    /// The same where the file before it is as good after a power cut: its content is waited for, its name is not.
    ///
    /// # Errors
    /// [`DiskError`]; the file that was there stays.
    pub fn put_soon(&self, name: &SafePath, bytes: &[u8]) -> Result<(), DiskError> {
        let path = format!("{PRIVATE}/{name}");
        ensure_parents(&*self.fs, &path)?;
        put_soon(&*self.fs, &path, bytes)
    }

    /// The same for what is checked whenever it is read, and can be had again: in one step, but no disk is waited for. A
    /// power cut may take it or leave anything in its place.
    ///
    /// # Errors
    /// [`DiskError`]; the file that was there stays.
    pub fn put_cached(&self, name: &SafePath, bytes: &[u8]) -> Result<(), DiskError> {
        let path = format!("{PRIVATE}/{name}");
        ensure_parents(&*self.fs, &path)?;
        put_cached(&*self.fs, &path, bytes)
    }
}

fn open_folder(path: &Path) -> Result<CapFs, FolderError> {
    let at = path.display().to_string();
    CapFs::open(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => FolderError::Missing(at),
        io::ErrorKind::NotADirectory => FolderError::NotAFolder(at),
        _ if path.is_file() => FolderError::NotAFolder(at),
        _ => DiskError { action: "open the folder", path: at, source: error }.into(),
    })
}

fn take_lock(fs: &dyn Fs, path: &Path) -> Result<File, FolderError> {
    let file = fs.open_std(LOCK_FILE, Access::Create).map_err(DiskError::at("create", LOCK_FILE))?;
    match fs4::FileExt::try_lock(&file) {
        Ok(()) => {
            tell_owner(fs);
            Ok(file)
        }
        Err(fs4::TryLockError::WouldBlock) => {
            let pid = get(fs, OWNER_FILE, MAX_OWNER_BYTES).ok().flatten();
            let pid = pid.and_then(|text| String::from_utf8(text).ok()?.trim().parse().ok());
            Err(FolderError::Busy { path: path.display().to_string(), pid })
        }
        Err(fs4::TryLockError::Error(source)) => {
            Err(DiskError { action: "lock", path: LOCK_FILE.to_owned(), source }.into())
        }
    }
}

/// Says who holds the lock, beside it: on Windows the locked file itself cannot be read. It only serves a message.
fn tell_owner(fs: &dyn Fs) {
    let told = fs.open(OWNER_FILE, Access::Create).and_then(|file| {
        let text = format!("{}\n", std::process::id());
        file.set_len(0)?;
        file.write_at(0, text.as_bytes())
    });
    if let Err(error) = told {
        tracing::debug!(%error, "the lock's owner is not told");
    }
}

fn read_state(fs: &dyn Fs) -> Result<Option<State>, FolderError> {
    get(fs, STATE_FILE, MAX_STATE_BYTES)?.map(|bytes| State::parse(&bytes)).transpose()
}

/// Bytes of a small file read at once.
const GET_AT_ONCE: usize = 1 << 20;

/// Reads a whole small file; `None` when there is none.
pub(crate) fn get(fs: &dyn Fs, path: &str, max: u64) -> Result<Option<Vec<u8>>, DiskError> {
    let file = match fs.open(path, Access::Read) {
        Ok(file) => file,
        Err(error) if is_absent(&error) => return Ok(None),
        Err(source) => return Err(DiskError { action: "open", path: path.to_owned(), source }),
    };
    let mut bytes = Vec::new();
    // The record of a large install is read at once.
    let len = file.meta().ok().and_then(|meta| match meta {
        Meta::File { guard, .. } => usize::try_from(guard.len).ok(),
        _ => None,
    });
    let mut part = vec![0; len.unwrap_or_default().saturating_add(1).clamp(64, GET_AT_ONCE)];
    loop {
        let count = file.read_at(bytes.len() as u64, &mut part).map_err(DiskError::at("read", path))?;
        if count == 0 {
            return Ok(Some(bytes));
        }
        bytes.extend_from_slice(part.get(..count).unwrap_or_default());
        if bytes.len() as u64 > max {
            let source = io::Error::new(io::ErrorKind::FileTooLarge, "longer than it may be");
            return Err(DiskError { action: "read", path: path.to_owned(), source });
        }
    }
}

/// Writes a small file durably: beside, synced, renamed, the folder synced.
pub(crate) fn put(fs: &dyn Fs, path: &str, bytes: &[u8]) -> Result<(), DiskError> {
    put_soon(fs, path, bytes)?;
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    fs.sync_dir(folder).map_err(DiskError::at("sync the folder", folder))
}

/// As [`put`], but its name may be the file's before until something else syncs the folder.
pub(crate) fn put_soon(fs: &dyn Fs, path: &str, bytes: &[u8]) -> Result<(), DiskError> {
    let beside = format!("{path}.tmp");
    write_synced(fs, &beside, bytes)?;
    fs.rename(&beside, path).map_err(DiskError::at("replace", path))
}

/// Writes a small file in one step, durable whenever the system likes; see [`InstallDir::put_cached`].
pub(crate) fn put_cached(fs: &dyn Fs, path: &str, bytes: &[u8]) -> Result<(), DiskError> {
    let beside = format!("{path}.tmp");
    remove_if_there(fs, &beside)?;
    let file = fs.open(&beside, Access::Create).map_err(DiskError::at("create", &beside))?;
    file.write_at(0, bytes).map_err(DiskError::at("write", &beside))?;
    fs.rename(&beside, path).map_err(DiskError::at("replace", path))
}

/// Writes a file from scratch and syncs it; the name is not durable until its folder is.
pub(crate) fn write_synced(fs: &dyn Fs, path: &str, bytes: &[u8]) -> Result<(), DiskError> {
    remove_if_there(fs, path)?;
    let file = fs.open(path, Access::Create).map_err(DiskError::at("create", path))?;
    file.write_at(0, bytes).map_err(DiskError::at("write", path))?;
    file.sync().map_err(DiskError::at("sync", path))
}

/// Removes a file or link; fine when nothing is there.
pub(crate) fn remove_if_there(fs: &dyn Fs, path: &str) -> Result<bool, DiskError> {
    match fs.remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if is_absent(&error) => Ok(false),
        Err(source) => Err(DiskError { action: "remove", path: path.to_owned(), source }),
    }
}

/// Makes one folder; fine when it is there.
pub(crate) fn ensure_dir(fs: &dyn Fs, path: &str) -> Result<(), DiskError> {
    match fs.create_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => match fs.stat(path) {
            Ok(Some(Meta::Folder)) => Ok(()),
            _ => Err(DiskError { action: "create the folder", path: path.to_owned(), source: error }),
        },
        other => other.map_err(DiskError::at("create the folder", path)),
    }
}

/// Makes the folders above `path`, and returns those made.
pub(crate) fn ensure_parents(fs: &dyn Fs, path: &str) -> Result<(), DiskError> {
    for (end, _) in path.match_indices('/') {
        ensure_dir(fs, path.get(..end).unwrap_or_default())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
