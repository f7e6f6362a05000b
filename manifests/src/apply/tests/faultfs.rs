//! A file system that stops or fails at a chosen change, or has a file that another program holds open, as on Windows. On
//! a real folder it does not wait for the disk: a process that dies loses nothing it wrote.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use crate::folder::{Access, CapFs, Fs, FsFile, InstallDir, Meta};

/// What happens at the chosen change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing.
    None,
    /// The process dies there: this change (a write by half) and every later one do not happen.
    Crash,
    /// The change fails once, the program lives on.
    Fail(ErrorKind),
    /// As `Fail`, and every later change too: a disk that stays full.
    FailOn(ErrorKind),
}

/// What another program has open: it cannot be renamed, replaced or removed.
#[derive(Debug, Clone)]
pub(crate) struct Held {
    pub(crate) path: String,
    /// Whether others may write to it meanwhile.
    pub(crate) writable: bool,
}

pub(crate) struct Steps {
    fault: Fault,
    at: u64,
    count: AtomicU64,
    held: Option<Held>,
    /// What was asked for at the fault, for messages.
    pub(crate) hit: Mutex<Option<String>>,
}

impl Steps {
    pub(crate) fn new(fault: Fault, at: u64) -> Arc<Self> {
        Arc::new(Self { fault, at, count: AtomicU64::new(0), held: None, hit: Mutex::new(None) })
    }

    pub(crate) fn holding(held: Held) -> Arc<Self> {
        let (count, hit) = (AtomicU64::new(0), Mutex::new(None));
        Arc::new(Self { fault: Fault::None, at: 0, count, held: Some(held), hit })
    }

    /// `Err` when it, or what is in it, is held.
    fn unheld(&self, path: &str) -> io::Result<()> {
        let rest = self.held.as_ref().and_then(|held| held.path.strip_prefix(path));
        match rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/')) {
            // What stands for "locked" where files are not.
            true => Err(ErrorKind::ExecutableFileBusy.into()),
            false => Ok(()),
        }
    }

    fn writable(&self, path: &str) -> io::Result<()> {
        match &self.held {
            Some(held) if held.path == path && !held.writable => Err(ErrorKind::ExecutableFileBusy.into()),
            _ => Ok(()),
        }
    }

    /// `Err` when the change must not happen.
    fn step(&self, what: &str, path: &str) -> io::Result<()> {
        let now = self.count.fetch_add(1, Ordering::Relaxed);
        if now == self.at && self.fault != Fault::None {
            *self.hit.lock().unwrap() = Some(format!("{what} {path}"));
        }
        match self.fault {
            Fault::Crash if now >= self.at => Err(io::Error::other("crashed")),
            Fault::Fail(kind) if now == self.at => Err(kind.into()),
            // Removing and syncing work on a full disk.
            Fault::FailOn(kind)
                if now >= self.at && !what.starts_with("remove") && !what.starts_with("sync") =>
            {
                Err(kind.into())
            }
            _ => Ok(()),
        }
    }
}

pub(crate) struct FaultFs {
    inner: Arc<dyn Fs>,
    steps: Arc<Steps>,
    /// Whether syncs are passed on.
    syncs: bool,
}

impl FaultFs {
    /// In front of `inner`, syncs included.
    pub(crate) fn over(inner: Arc<dyn Fs>, steps: &Arc<Steps>) -> Self {
        Self { inner, steps: Arc::clone(steps), syncs: true }
    }

    /// The install at `path`, which must have been created.
    pub(crate) fn install(path: &Path, steps: &Arc<Steps>) -> Arc<InstallDir> {
        let inner = Arc::new(CapFs::open(path).unwrap());
        let fs = Self { inner, steps: Arc::clone(steps), syncs: false };
        Arc::new(InstallDir::over(path, Arc::new(fs), None).unwrap())
    }
}

struct FaultFile {
    inner: Box<dyn FsFile>,
    steps: Arc<Steps>,
    path: String,
    syncs: bool,
}

impl FsFile for FaultFile {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        self.inner.read_at(offset, buf)
    }

    fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.steps.step("write", &self.path).inspect_err(|_| {
            let _ = self.inner.write_at(offset, &data[..data.len() / 2]);
        })?;
        self.inner.write_at(offset, data)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.steps.step("set_len", &self.path)?;
        self.inner.set_len(len)
    }

    fn set_sparse(&self) -> io::Result<()> {
        self.steps.step("set_sparse", &self.path)?;
        self.inner.set_sparse()
    }

    fn allocated(&self) -> io::Result<Option<u64>> {
        self.inner.allocated()
    }

    fn sync(&self) -> io::Result<()> {
        self.steps.step("sync", &self.path)?;
        if self.syncs { self.inner.sync() } else { Ok(()) }
    }

    fn meta(&self) -> io::Result<Meta> {
        self.inner.meta()
    }
}

impl Fs for FaultFs {
    fn stat(&self, path: &str) -> io::Result<Option<Meta>> {
        self.inner.stat(path)
    }

    fn read_link(&self, path: &str) -> io::Result<Option<String>> {
        self.inner.read_link(path)
    }

    fn list(&self, path: &str) -> io::Result<Vec<Option<String>>> {
        self.inner.list(path)
    }

    fn open(&self, path: &str, access: Access) -> io::Result<Box<dyn FsFile>> {
        if access == Access::Create && self.inner.stat(path)?.is_none() {
            self.steps.step("create", path)?;
        }
        if access != Access::Read {
            self.steps.writable(path)?;
        }
        let inner = self.inner.open(path, access)?;
        Ok(Box::new(FaultFile {
            inner,
            steps: Arc::clone(&self.steps),
            path: path.to_owned(),
            syncs: self.syncs,
        }))
    }

    fn open_std(&self, path: &str, access: Access) -> io::Result<File> {
        self.inner.open_std(path, access)
    }

    fn names_of(&self, path: &str) -> io::Result<u64> {
        self.inner.names_of(path)
    }

    fn create_dir(&self, path: &str) -> io::Result<()> {
        self.steps.step("create folder", path)?;
        self.inner.create_dir(path)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.steps.step("rename", from)?;
        self.steps.unheld(from)?;
        self.steps.unheld(to)?;
        self.inner.rename(from, to)
    }

    fn reflink(&self, from: &str, to: &str) -> io::Result<bool> {
        self.steps.step("reflink", to)?;
        self.inner.reflink(from, to)
    }

    fn remove_file(&self, path: &str) -> io::Result<()> {
        self.steps.step("remove", path)?;
        self.steps.unheld(path)?;
        self.inner.remove_file(path)
    }

    fn remove_dir(&self, path: &str) -> io::Result<()> {
        self.steps.step("remove folder", path)?;
        self.steps.unheld(path)?;
        self.inner.remove_dir(path)
    }

    fn symlink(&self, target: &str, path: &str) -> io::Result<()> {
        self.steps.step("link", path)?;
        self.inner.symlink(target, path)
    }

    fn set_executable(&self, path: &str, on: bool) -> io::Result<()> {
        self.steps.step("permissions", path)?;
        self.inner.set_executable(path, on)
    }

    fn sync_dir(&self, path: &str) -> io::Result<()> {
        self.steps.step("sync folder", path)?;
        if self.syncs { self.inner.sync_dir(path) } else { self.inner.list(path).map(|_| ()) }
    }

    fn writable(&self, path: &str) -> io::Result<bool> {
        self.inner.writable(path)
    }

    fn unheld(&self, path: &str) -> io::Result<()> {
        self.steps.unheld(path)?;
        self.steps.writable(path)
    }

    fn space(&self) -> Option<u64> {
        self.inner.space()
    }
}
