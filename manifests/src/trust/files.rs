//! The files of a repository, of keys and of a client's state: everything `trust` asks of a file system.
//!
//! A file is replaced whole: written beside its place, flushed, renamed, and the folder flushed, so that after a power
//! cut it has its old content or its new one.

#![allow(
    clippy::disallowed_methods,
    reason = "the one module of trust that touches the file system; its callers decide the order of writes"
)]

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;

/// Beginning of the name of a file that is being written. Nothing serves or reads these.
const TEMP_PREFIX: &str = ".writing-";

/// Whether something is at `path`.
pub(crate) fn exists(path: &Path) -> bool {
    path.exists()
}

/// Reads a file of at most `limit` bytes.
pub(crate) fn read(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("longer than {limit} bytes")));
    }
    Ok(bytes)
}

/// As [`read`], with `None` for a file that does not exist.
pub(crate) fn read_if_there(path: &Path, limit: u64) -> io::Result<Option<Vec<u8>>> {
    match read(path, limit) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Names in `dir` that end in `suffix`, sorted; at most `limit`.
pub(crate) fn list(dir: &Path, suffix: &str, limit: usize) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(dir)? {
        let name = entry?.file_name();
        if let Some(name) = name.to_str().filter(|name| name.ends_with(suffix) && !name.starts_with('.')) {
            names.push(name.to_owned());
        }
        if names.len() > limit {
            return Err(io::Error::other(format!("more than {limit} files")));
        }
    }
    names.sort();
    Ok(names)
}

/// A folder only its owner can enter (where the platform knows that).
pub(crate) fn create_private_dir(dir: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir)
}

/// A new file only its owner can read, flushed. An existing one is never replaced.
pub(crate) fn create_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    // A key that was half written must not stay: it would look like a bad key for ever.
    if let Err(error) = file.write_all(bytes).and_then(|()| flush(&file)) {
        drop(file);
        let _ = fs::remove_file(path);
        return Err(error);
    }
    path.parent().map_or(Ok(()), sync_dir)
}

/// Holds a repository against a second writer until dropped.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock file at `path`; `None` when another process holds it.
    pub(crate) fn take(path: &Path) -> io::Result<Option<Self>> {
        if let Some(dir) = path.parent() {
            create_private_dir(dir)?;
        }
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(path)?;
        match fs4::FileExt::try_lock(&file) {
            Ok(()) => Ok(Some(Self { _file: file })),
            Err(fs4::TryLockError::WouldBlock) => Ok(None),
            Err(fs4::TryLockError::Error(error)) => Err(error),
        }
    }
}

/// Writes whole files durably, below any folder. In tests it can be cut at any step, as by a loss of power.
#[derive(Debug, Default, Clone)]
pub(crate) struct Disk {
    #[cfg(test)]
    pub(crate) steps_left: std::sync::Arc<std::sync::Mutex<Option<u32>>>,
}

impl Disk {
    #[cfg(test)]
    fn step(&self) -> io::Result<()> {
        let mut left = self.steps_left.lock().unwrap();
        match left.as_mut() {
            Some(0) => Err(io::Error::other("the power was cut")),
            Some(steps) => {
                *steps -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    #[cfg(not(test))]
    #[allow(clippy::unused_self, clippy::unnecessary_wraps, reason = "the signature of the test's hook")]
    fn step(&self) -> io::Result<()> {
        Ok(())
    }

    /// Replaces `path` by a file with these bytes.
    pub(crate) fn replace(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let name = path.file_name().and_then(|name| name.to_str());
        let (Some(dir), Some(name)) = (path.parent(), name) else {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not the path of a file"));
        };
        self.step()?;
        fs::create_dir_all(dir)?;
        let temp = dir.join(format!("{TEMP_PREFIX}{name}"));
        let mut file = File::create(&temp)?;
        file.write_all(bytes)?;
        flush(&file)?;
        drop(file);
        self.step()?;
        fs::rename(&temp, path)?;
        sync_dir(dir)?;
        self.step()
    }
}

/// To the disk itself. Tests cut the power in `Disk`, where no disk is asked; there this would only take time.
fn flush(file: &File) -> io::Result<()> {
    if cfg!(test) { Ok(()) } else { file.sync_all() }
}

#[cfg(unix)]
fn sync_dir(dir: &Path) -> io::Result<()> {
    flush(&File::open(dir)?)
}

/// Windows has no way to flush a folder; NTFS journals the rename itself.
#[cfg(not(unix))]
#[allow(clippy::unnecessary_wraps, reason = "the signature of the other platforms")]
fn sync_dir(_dir: &Path) -> io::Result<()> {
    Ok(())
}
