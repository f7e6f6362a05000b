//! The file system as apply sees it: few calls, every change one call, so that tests can stop or fail each of them.
//!
//! Paths are relative to the install folder, `/` between parts. No call follows a link: each folder on the way is opened
//! by handle and refused when it is a link, so a link planted at any moment cannot lead out of the install.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use cap_fs_ext::{DirExt, FollowSymlinks, OpenOptionsFollowExt};
use cap_std::fs::{Dir, OpenOptions};
use serde::{Deserialize, Serialize};

use super::limits::Limits;
use super::platform;

/// What a file looked like when its content was last known: while all three still match, the content is believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guard {
    /// Length in bytes.
    #[serde(rename = "len")]
    pub len: u64,
    /// Time of last change, nanoseconds since 1970 (negative before).
    #[serde(rename = "mtime")]
    pub mtime_ns: i64,
    /// The file's number on its file system; 0 where there is none to be had (Windows).
    #[serde(rename = "ino")]
    pub inode: u64,
}

/// What lies at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meta {
    /// A regular file.
    File {
        /// For comparing later.
        guard: Guard,
        /// `None` where the platform has no such bit.
        executable: Option<bool>,
    },
    /// A symbolic link, wherever it points.
    Link,
    /// A folder.
    Folder,
    /// A socket, a device, …
    Other,
}

/// What a file is opened for. None of these follows a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Reading.
    Read,
    /// Reading and writing a file that exists.
    Write,
    /// Reading and writing; created when missing, kept as it is otherwise.
    Create,
}

/// An open file.
pub trait FsFile: Send {
    /// Reads into `buf` from `offset`; 0 at the end.
    ///
    /// # Errors
    /// Of the operating system.
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize>;
    /// Writes all of `data` at `offset`.
    ///
    /// # Errors
    /// Of the operating system; the range is then undefined.
    fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<()>;
    /// Cuts or extends with zeros.
    ///
    /// # Errors
    /// Of the operating system.
    fn set_len(&self, len: u64) -> io::Result<()>;
    /// Asks for a file whose unwritten parts take no space; nothing to do where every file is so, or none can be. Before
    /// the first write.
    ///
    /// # Errors
    /// Of the operating system, other than that this file system cannot.
    fn set_sparse(&self) -> io::Result<()>;
    /// Bytes it really takes on the disk; `None` where that is not known.
    ///
    /// # Errors
    /// Of the operating system.
    fn allocated(&self) -> io::Result<Option<u64>>;
    /// Makes content and length durable. After a failure the content is unknown: it must be written again from its
    /// source, never synced again (the kernel has dropped the dirty pages).
    ///
    /// # Errors
    /// Of the operating system.
    fn sync(&self) -> io::Result<()>;
    /// What the open file looks like.
    ///
    /// # Errors
    /// Of the operating system.
    fn meta(&self) -> io::Result<Meta>;
    /// Asks that what is cached of these bytes be forgotten, as far as it is on the disk. A hint, nothing more.
    fn uncache(&self, _range: Range<u64>) {}
}

/// The calls. Errors are those of the operating system.
#[allow(clippy::missing_errors_doc, reason = "said once for all of them")]
pub trait Fs: Send + Sync {
    /// What lies at `path`; `None` when nothing does, or a folder on the way is missing or not a folder.
    fn stat(&self, path: &str) -> io::Result<Option<Meta>>;
    /// [`Fs::stat`] of many names in one folder; an error when that folder is not there.
    fn stat_in(&self, folder: &str, names: &[&str]) -> io::Result<Vec<Option<Meta>>> {
        let path = |name| if folder.is_empty() { String::from(name) } else { format!("{folder}/{name}") };
        names.iter().map(|name| self.stat(&path(*name))).collect()
    }
    /// The text of a link; `None` when it is not Unicode.
    fn read_link(&self, path: &str) -> io::Result<Option<String>>;
    /// The names in a folder, unsorted; `None` for one that is not Unicode. `""` is the install folder.
    fn list(&self, path: &str) -> io::Result<Vec<Option<String>>>;
    /// Opens a regular file.
    fn open(&self, path: &str, access: Access) -> io::Result<Box<dyn FsFile>>;
    /// Opens a regular file for the swarm's store, which reads and writes on its own.
    fn open_std(&self, path: &str, access: Access) -> io::Result<File>;
    /// By how many names the file at `path` is known (hard links); 1 where the platform does not say.
    fn names_of(&self, path: &str) -> io::Result<u64>;
    /// Makes one folder.
    fn create_dir(&self, path: &str) -> io::Result<()>;
    /// Renames a file, link or folder; a file or link at `to` is replaced in one step.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// Makes `to`, which must not be there, a file with the content of the regular file `from` that shares its place on
    /// the disk until one of them is written. `false`, and nothing at `to`, where the file system cannot.
    fn reflink(&self, from: &str, to: &str) -> io::Result<bool>;
    /// Removes a file or a link.
    fn remove_file(&self, path: &str) -> io::Result<()>;
    /// Removes an empty folder.
    fn remove_dir(&self, path: &str) -> io::Result<()>;
    /// Makes a link.
    fn symlink(&self, target: &str, path: &str) -> io::Result<()>;
    /// Sets or clears the executable bits; nothing where there are none.
    fn set_executable(&self, path: &str, on: bool) -> io::Result<()>;
    /// Makes the names in a folder durable; nothing where the platform does so by itself.
    fn sync_dir(&self, path: &str) -> io::Result<()>;
    /// Whether names in the folder can be changed, as far as can be told without trying.
    fn writable(&self, path: &str) -> io::Result<bool>;
    /// Whether a file can be replaced, removed and renamed by whoever may change its folder, as far as can be told.
    fn replaceable(&self, _path: &str) -> io::Result<bool> {
        Ok(true)
    }
    /// Fails where another program has the file or folder at `path` open in a way that forbids to rename, remove or write
    /// it, where the platform forbids that. Nothing there is fine.
    fn unheld(&self, _path: &str) -> io::Result<()> {
        Ok(())
    }
    /// What this file system cannot hold.
    fn limits(&self) -> Limits {
        Limits::default()
    }
    /// Bytes this user may still write; `None` when the platform does not say.
    fn space(&self) -> Option<u64>;
}

/// How many folders' handles are kept open.
const RECENT_MAX: usize = 4;

/// The real one: everything below one folder handle.
pub struct CapFs {
    root: Arc<Dir>,
    root_path: PathBuf,
    /// The folders asked for last, newest first: a release is worked through in path order, out of one staging folder.
    recent: Mutex<VecDeque<(String, Arc<Dir>)>>,
    /// See [`CapFs::keeps_modes`], once it is known.
    modes: OnceLock<bool>,
}

impl CapFs {
    /// Opens the folder at `root_path`, which may itself be reached through links.
    ///
    /// # Errors
    /// When it cannot be opened or is not a folder.
    pub fn open(root_path: &Path) -> io::Result<Self> {
        let root = Dir::open_ambient_dir(root_path, cap_std::ambient_authority())?;
        Ok(Self {
            root: Arc::new(root),
            root_path: root_path.to_owned(),
            recent: Mutex::default(),
            modes: OnceLock::new(),
        })
    }

    /// Whether executable bits are kept here. Where a file system makes them up (FAT, NTFS mounted without permissions)
    /// even our own lock has one, which nobody ever marked.
    fn keeps_modes(&self) -> bool {
        if let Some(known) = self.modes.get() {
            return *known;
        }
        let lock = self.parent(super::LOCK_FILE).and_then(|(dir, name)| dir.symlink_metadata(name));
        // Before there is a lock nothing was installed either.
        let Ok(lock) = lock else { return true };
        *self.modes.get_or_init(|| platform::executable(&lock) != Some(true))
    }

    fn as_kept(&self, meta: Option<Meta>) -> Option<Meta> {
        match meta {
            Some(Meta::File { guard, .. }) if !self.keeps_modes() => {
                Some(Meta::File { guard, executable: None })
            }
            other => other,
        }
    }

    fn folder(&self, path: &str) -> io::Result<Arc<Dir>> {
        if path.is_empty() {
            return Ok(Arc::clone(&self.root));
        }
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, dir)) = recent.iter().find(|(known, _)| known == path) {
            return Ok(Arc::clone(dir));
        }
        let mut dir: Option<Dir> = None;
        for part in path.split('/') {
            if matches!(part, "" | "." | "..") {
                return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a path below the folder"));
            }
            dir = Some(dir.as_ref().unwrap_or(&self.root).open_dir_nofollow(part)?);
        }
        let dir = dir.map_or_else(|| Arc::clone(&self.root), Arc::new);
        recent.truncate(RECENT_MAX - 1);
        recent.push_front((path.to_owned(), Arc::clone(&dir)));
        Ok(dir)
    }

    fn parent<'p>(&self, path: &'p str) -> io::Result<(Arc<Dir>, &'p str)> {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        if matches!(name, "" | "." | "..") {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a path below the folder"));
        }
        Ok((self.folder(folder)?, name))
    }

    /// After a folder may have moved, a remembered handle could stand for another path.
    fn forget(&self) {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Keeps only handles of our own hidden folder, which is locked.
    fn forget_outside(&self) {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        recent.retain(|(path, _)| path.split('/').next() == Some(super::PRIVATE));
    }
}

pub(crate) fn open_nofollow(dir: &Dir, name: &str, access: Access) -> io::Result<cap_std::fs::File> {
    let mut options = OpenOptions::new();
    options.read(true).write(access != Access::Read).create(access == Access::Create);
    options.follow(FollowSymlinks::No);
    let file = dir.open_with(name, &options)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    Ok(file)
}

pub(super) fn meta_of(meta: &cap_std::fs::Metadata) -> Meta {
    let kind = meta.file_type();
    if kind.is_symlink() {
        Meta::Link
    } else if kind.is_dir() {
        Meta::Folder
    } else if kind.is_file() {
        let modified = meta.modified().map(cap_std::time::SystemTime::into_std).ok();
        let guard = Guard {
            len: meta.len(),
            mtime_ns: modified.map_or(0, nanoseconds),
            inode: platform::inode(meta),
        };
        Meta::File { guard, executable: platform::executable(meta) }
    } else {
        Meta::Other
    }
}

/// Nanoseconds since 1970; times beyond the year 2262 are all the same.
pub(crate) fn nanoseconds(time: std::time::SystemTime) -> i64 {
    let epoch = std::time::SystemTime::UNIX_EPOCH;
    match time.duration_since(epoch) {
        Ok(after) => i64::try_from(after.as_nanos()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_nanos()).map_or(i64::MIN, |ns| -ns),
    }
}

/// Whether an error only says that nothing is there.
pub(crate) fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) || platform::is_loop(error)
}

/// `name` is one part, and not `..`.
fn stat_name(dir: &Dir, name: &str) -> io::Result<Option<Meta>> {
    match platform::stat(dir, name) {
        Ok(meta) => Ok(Some(meta)),
        Err(error) if is_absent(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

struct CapFile(File);

impl FsFile for CapFile {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        platform::read_at(&self.0, offset, buf)
    }

    fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        platform::write_all_at(&self.0, offset, data)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn set_sparse(&self) -> io::Result<()> {
        platform::set_sparse(&self.0)
    }

    fn allocated(&self) -> io::Result<Option<u64>> {
        platform::allocated(&self.0)
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync_all()
    }

    fn meta(&self) -> io::Result<Meta> {
        Ok(meta_of(&cap_std::fs::Metadata::from_file(&self.0)?))
    }

    fn uncache(&self, range: Range<u64>) {
        platform::uncache(&self.0, range);
    }
}

impl Fs for CapFs {
    fn stat(&self, path: &str) -> io::Result<Option<Meta>> {
        let (dir, name) = match self.parent(path) {
            Ok(found) => found,
            Err(error) if is_absent(&error) => return Ok(None),
            Err(error) => return Err(error),
        };
        Ok(self.as_kept(stat_name(&dir, name)?))
    }

    fn stat_in(&self, folder: &str, names: &[&str]) -> io::Result<Vec<Option<Meta>>> {
        let dir = self.folder(folder)?;
        names.iter().map(|name| Ok(self.as_kept(stat_name(&dir, name)?))).collect()
    }

    fn read_link(&self, path: &str) -> io::Result<Option<String>> {
        let (dir, name) = self.parent(path)?;
        let text = dir.read_link_contents(name)?.into_os_string().into_string().ok();
        Ok(if cfg!(windows) { text.map(|text| text.replace('\\', "/")) } else { text })
    }

    fn list(&self, path: &str) -> io::Result<Vec<Option<String>>> {
        let dir = self.folder(path)?;
        dir.entries()?.map(|entry| Ok(entry?.file_name().into_string().ok())).collect()
    }

    fn open(&self, path: &str, access: Access) -> io::Result<Box<dyn FsFile>> {
        let (dir, name) = self.parent(path)?;
        Ok(Box::new(CapFile(open_nofollow(&dir, name, access)?.into_std())))
    }

    fn open_std(&self, path: &str, access: Access) -> io::Result<File> {
        let (dir, name) = self.parent(path)?;
        Ok(open_nofollow(&dir, name, access)?.into_std())
    }

    fn names_of(&self, path: &str) -> io::Result<u64> {
        let (dir, name) = self.parent(path)?;
        Ok(platform::names(&dir.symlink_metadata(name)?))
    }

    fn create_dir(&self, path: &str) -> io::Result<()> {
        let (dir, name) = self.parent(path)?;
        dir.create_dir(name)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let (from_dir, from_name) = self.parent(from)?;
        let (to_dir, to_name) = self.parent(to)?;
        platform::make_replaceable(&to_dir, to_name)?;
        // Thousands of files are renamed out of staging, where nobody else moves folders. The player's own folders are
        // looked up anew each time: he may have moved one.
        if from_dir.symlink_metadata(from_name)?.is_dir() {
            self.forget();
        } else {
            self.forget_outside();
        }
        from_dir.rename(from_name, &to_dir, to_name)
    }

    fn reflink(&self, from: &str, to: &str) -> io::Result<bool> {
        let (from_dir, from_name) = self.parent(from)?;
        let (to_dir, to_name) = self.parent(to)?;
        let source = open_nofollow(&from_dir, from_name, Access::Read)?;
        if !platform::CLONES {
            return Ok(false);
        }
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).follow(FollowSymlinks::No);
        let copy = to_dir.open_with(to_name, &options)?;
        match platform::clone_into(&copy, &source) {
            Ok(true) => Ok(true),
            other => {
                drop(copy);
                to_dir.remove_file(to_name)?;
                other
            }
        }
    }

    fn remove_file(&self, path: &str) -> io::Result<()> {
        let (dir, name) = self.parent(path)?;
        platform::make_replaceable(&dir, name)?;
        dir.remove_file_or_symlink(name)
    }

    fn remove_dir(&self, path: &str) -> io::Result<()> {
        self.forget();
        let (dir, name) = self.parent(path)?;
        self.forget();
        dir.remove_dir(name)
    }

    fn symlink(&self, target: &str, path: &str) -> io::Result<()> {
        let (dir, name) = self.parent(path)?;
        platform::symlink(&dir, target, name)
    }

    fn set_executable(&self, path: &str, on: bool) -> io::Result<()> {
        if !self.keeps_modes() {
            return Ok(());
        }
        let (dir, name) = self.parent(path)?;
        platform::set_executable(&dir, name, on)
    }

    fn sync_dir(&self, path: &str) -> io::Result<()> {
        platform::sync_dir(&*self.folder(path)?)
    }

    fn writable(&self, path: &str) -> io::Result<bool> {
        Ok(platform::writable(&*self.folder(path)?))
    }

    fn replaceable(&self, path: &str) -> io::Result<bool> {
        let (dir, name) = match self.parent(path) {
            Err(error) if is_absent(&error) => return Ok(true),
            other => other?,
        };
        Ok(platform::replaceable(&dir, name))
    }

    #[cfg(windows)]
    fn unheld(&self, path: &str) -> io::Result<()> {
        // A handle of ours to a folder is in the way as anybody's.
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        recent.retain(|(known, _)| {
            !known.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        });
        drop(recent);
        match self.parent(path) {
            Err(error) if is_absent(&error) => Ok(()),
            found => found.and_then(|(dir, name)| platform::unheld(&dir, name)),
        }
    }

    fn limits(&self) -> Limits {
        platform::limits(&self.root, &self.root_path)
    }

    fn space(&self) -> Option<u64> {
        fs4::available_space(&self.root_path).ok()
    }
}
