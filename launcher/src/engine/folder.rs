//! An install folder, held open and locked: everything below it is reached through this handle, so that a
//! planted link cannot lead out.
//!
//! `.samara/` is ours: `lock`, `install.json` (where the game comes from), `ledger.json`, `trust/` (pinned root
//! and last trusted metadata), `leaves/`, `torrents/`, and what `manifests::apply` keeps there.

use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use cap_std::ambient_authority;
use cap_std::fs::{Dir, OpenOptions};
use fs4::TryLockError;
use serde::{Deserialize, Serialize};

use crate::error::{IoContext as _, LaunchError};

/// The one hidden folder in an install.
pub const HIDDEN: &str = ".samara";
const LOCK: &str = "lock";
const RECORD: &str = "install.json";
const RECORD_SCHEMA: u32 = 1;
/// Longest record of ours that is read back, in bytes.
const RECORD_LEN_MAX: u64 = 1 << 20;

/// Where an install comes from; `.samara/install.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Version of this format.
    pub schema: u32,
    /// The repository's public folder.
    pub repo: String,
    /// The game's id there.
    pub game: String,
    /// The channel that updates follow.
    pub channel: String,
    /// The release an unfinished install or update works towards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<String>,
}

impl Record {
    /// A record of the current format.
    #[must_use]
    pub fn new(repo: &str, game: &str, channel: &str) -> Self {
        Self {
            schema: RECORD_SCHEMA,
            repo: repo.to_owned(),
            game: game.to_owned(),
            channel: channel.to_owned(),
            pending: None,
        }
    }
}

/// What a folder looked like before we touched it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    /// There was nothing there.
    Absent,
    /// An empty folder.
    Empty,
    /// Files, and no `.samara/`.
    Foreign,
    /// Ours.
    Ours,
}

/// An install folder, open and locked for this process.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    dir: Dir,
    hidden: Dir,
    found: Found,
    /// Released when dropped.
    lock: std::fs::File,
}

/// Looks at a folder without changing it.
pub(crate) fn look(path: &Path) -> Result<Found, LaunchError> {
    let unreachable = |source| LaunchError::FolderUnreachable { dir: path.to_owned(), source };
    let dir = match Dir::open_ambient_dir(path, ambient_authority()) {
        Ok(dir) => dir,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Absent),
        Err(error) => return Err(unreachable(error)),
    };
    if dir.is_dir(HIDDEN) {
        return Ok(Found::Ours);
    }
    match dir.entries().map_err(unreachable)?.next() {
        None => Ok(Found::Empty),
        Some(_) => Ok(Found::Foreign),
    }
}

impl Folder {
    /// Opens the folder of an existing install and locks it.
    pub(crate) fn open(path: &Path) -> Result<Self, LaunchError> {
        match look(path)? {
            Found::Ours => Self::enter(path, Found::Ours),
            _ => Err(LaunchError::NotInstalled { dir: path.to_owned() }),
        }
    }

    /// Opens or makes the folder for an install and locks it. Says no to a folder with foreign files, unless
    /// they are to be adopted.
    pub(crate) fn open_or_create(path: &Path, adopt: bool) -> Result<Self, LaunchError> {
        let found = look(path)?;
        if found == Found::Foreign && !adopt {
            return Err(LaunchError::FolderNotEmpty { dir: path.to_owned() });
        }
        if found == Found::Absent {
            Dir::create_ambient_dir_all(path, ambient_authority()).doing("making the install folder")?;
        }
        Self::enter(path, found)
    }

    fn enter(path: &Path, found: Found) -> Result<Self, LaunchError> {
        let dir = Dir::open_ambient_dir(path, ambient_authority())
            .map_err(|source| LaunchError::FolderUnreachable { dir: path.to_owned(), source })?;
        if found != Found::Ours {
            match dir.create_dir(HIDDEN) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                made => made.doing("making .samara in the install folder")?,
            }
            crate::platform::hide(&path.join(HIDDEN));
        }
        let hidden = dir.open_dir(HIDDEN).doing("opening .samara")?;
        let lock = lock(&hidden, path)?;
        Ok(Self { path: path.to_owned(), dir, hidden, found, lock })
    }

    /// The folder's path, for messages and for asking the free space; never for opening files.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The install folder.
    pub(crate) fn dir(&self) -> &Dir {
        &self.dir
    }

    /// `.samara/`.
    pub(crate) fn hidden(&self) -> &Dir {
        &self.hidden
    }

    /// What was there before.
    pub(crate) fn found(&self) -> Found {
        self.found
    }

    /// A folder below `.samara/`, made when it is missing.
    pub(crate) fn sub(&self, name: &str) -> Result<Dir, LaunchError> {
        self.hidden.create_dir_all(name).doing("making a folder in .samara")?;
        self.hidden.open_dir(name).doing("opening a folder in .samara")
    }

    /// Where the install comes from; none when nothing was recorded.
    pub(crate) fn record(&self) -> Result<Option<Record>, LaunchError> {
        let Some(bytes) = read_bounded(&self.hidden, RECORD, RECORD_LEN_MAX)? else { return Ok(None) };
        let damaged = |cause: String| LaunchError::RecordDamaged { file: RECORD.to_owned(), cause };
        let record: Record = serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
        if record.schema != RECORD_SCHEMA {
            return Err(damaged(format!("its format {} is not known to this version", record.schema)));
        }
        Ok(Some(record))
    }

    /// Writes the record, durably.
    pub(crate) fn set_record(&self, record: &Record) -> Result<(), LaunchError> {
        let bytes = serde_json::to_vec_pretty(record)
            .map_err(|error| LaunchError::internal(format!("writing a record: {error}")))?;
        write_atomic(&self.hidden, RECORD, &bytes)
    }

    /// Removes `.samara/`, and the folder too when it is then empty. True when the folder is gone.
    pub(crate) fn dismantle(self) -> Result<bool, LaunchError> {
        let Self { path, dir, hidden, found: _, lock } = self;
        // An open file cannot be removed on Windows.
        drop((lock, hidden));
        dir.remove_dir_all(HIDDEN).doing("removing .samara")?;
        let empty = dir.entries().doing("reading the install folder")?.next().is_none();
        drop(dir);
        if empty {
            // The player may stand in it, or own only what is inside: an empty folder left over harms nobody.
            return Ok(std::fs::remove_dir(&path).is_ok());
        }
        Ok(false)
    }

    /// Leaves things as they were before [`Folder::open_or_create`], when that made anything.
    pub(crate) fn undo_creation(self) {
        if self.found == Found::Ours {
            return;
        }
        let absent = self.found == Found::Absent;
        let path = self.path.clone();
        let Self { dir, hidden, lock, .. } = self;
        drop((lock, hidden));
        // Best effort: the operation failed already, with an error that matters more.
        let _ = dir.remove_dir_all(HIDDEN);
        drop(dir);
        if absent {
            let _ = std::fs::remove_dir(&path);
        }
    }
}

fn lock(hidden: &Dir, path: &Path) -> Result<std::fs::File, LaunchError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true);
    let file = hidden.open_with(LOCK, &options).doing("opening .samara/lock")?.into_std();
    match fs4::FileExt::try_lock(&file) {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(LaunchError::FolderBusy { dir: path.to_owned() }),
        Err(TryLockError::Error(error)) => Err(LaunchError::from_io("locking .samara/lock", error)),
    }
}

/// Reads a file of ours, none when it is not there.
pub(crate) fn read_bounded(dir: &Dir, name: &str, len_max: u64) -> Result<Option<Vec<u8>>, LaunchError> {
    let file = match dir.open(name) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(LaunchError::from_io(format!("opening .samara/{name}"), error)),
    };
    let mut bytes = Vec::new();
    file.take(len_max + 1).read_to_end(&mut bytes).doing("reading a file in .samara")?;
    if bytes.len() as u64 > len_max {
        return Err(LaunchError::RecordDamaged { file: name.to_owned(), cause: "it is too long".to_owned() });
    }
    Ok(Some(bytes))
}

/// Writes a file of ours so that after a power cut the old or the new one is there.
pub(crate) fn write_atomic(dir: &Dir, name: &str, bytes: &[u8]) -> Result<(), LaunchError> {
    let fresh = format!("{name}.new");
    let mut file = dir.create(&fresh).doing("writing in .samara")?;
    file.write_all(bytes).doing("writing in .samara")?;
    file.sync_all().doing("writing in .samara")?;
    drop(file);
    dir.rename(&fresh, dir, name).doing("renaming in .samara")?;
    crate::platform::sync_dir(dir).doing("writing in .samara")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_files_are_refused_unless_adopted() {
        let temp = tempfile::tempdir().unwrap();
        std::fs::File::create(temp.path().join("save.dat")).unwrap();
        let refused = Folder::open_or_create(temp.path(), false).unwrap_err();
        assert_eq!(refused.code(), "E-FOLDER-NOT-EMPTY");
        assert_eq!(look(temp.path()).unwrap(), Found::Foreign, "nothing was made");
        let folder = Folder::open_or_create(temp.path(), true).unwrap();
        assert_eq!(folder.found(), Found::Foreign);
    }

    #[test]
    fn two_launchers_do_not_share_a_folder() {
        let temp = tempfile::tempdir().unwrap();
        let first = Folder::open_or_create(temp.path(), false).unwrap();
        assert_eq!(Folder::open(temp.path()).unwrap_err().code(), "E-FOLDER-BUSY");
        drop(first);
        Folder::open(temp.path()).unwrap();
    }

    #[test]
    fn a_failed_beginning_leaves_nothing() {
        let temp = tempfile::tempdir().unwrap();
        let absent = temp.path().join("a/b");
        Folder::open_or_create(&absent, false).unwrap().undo_creation();
        assert!(!absent.exists());
        let empty = temp.path().join("empty");
        std::fs::create_dir(&empty).unwrap();
        Folder::open_or_create(&empty, false).unwrap().undo_creation();
        assert_eq!(look(&empty).unwrap(), Found::Empty);
    }

    #[test]
    fn the_record_comes_back_as_written() {
        let temp = tempfile::tempdir().unwrap();
        let folder = Folder::open_or_create(temp.path(), false).unwrap();
        assert_eq!(folder.record().unwrap(), None);
        let record = Record::new("http://127.0.0.1/", "maple", "stable");
        folder.set_record(&record).unwrap();
        assert_eq!(folder.record().unwrap(), Some(record));
        write_atomic(folder.hidden(), RECORD, b"{ torn").unwrap();
        assert_eq!(folder.record().unwrap_err().code(), "E-RECORD-DAMAGED");
    }
}
