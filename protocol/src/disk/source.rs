//! How a store finds its files.

use super::FileStamp;
use crate::units::FileIndex;
use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Component, Path, PathBuf};

/// Opens the files of one torrent. A launcher implements this over directory handles and staging names, a seedbox
/// over its blobs. Stores keep some of what they opened; see [`super::FileStore::forget`].
pub trait FileSource: Send + Sync + 'static {
    /// Opens a file for reading.
    ///
    /// # Errors
    /// `NotFound` if there is none, or whatever the operating system says.
    fn open_read(&self, file: FileIndex) -> io::Result<File>;

    /// Opens a file for reading and writing; makes it, and the folders above it, if need be.
    ///
    /// # Errors
    /// `Unsupported` for files that are never written, or whatever the operating system says.
    fn open_write(&self, file: FileIndex) -> io::Result<File>;

    /// What a finished file must look like to be read at all; `None` for one still being written.
    fn guard(&self, file: FileIndex) -> Option<FileStamp> {
        let _ = file;
        None
    }
}

/// Plain files below one folder, as another client would keep them.
#[derive(Clone, Debug)]
pub struct DirSource {
    paths: Vec<PathBuf>,
}

impl DirSource {
    /// `paths` are relative to `root`, one for each file of the torrent in its order.
    ///
    /// # Errors
    /// `InvalidInput` if a path is absolute, has a `..` in it, or is empty.
    pub fn new<P: AsRef<Path>>(root: &Path, paths: impl IntoIterator<Item = P>) -> io::Result<DirSource> {
        let join = |path: P| {
            let path = path.as_ref();
            let plain = path.components().all(|part| matches!(part, Component::Normal(_)));
            if plain && path.components().next().is_some() {
                Ok(root.join(path))
            } else {
                Err(io::Error::new(
                    io::ErrorKind::InvalidInput,
                    format!("not a path below a folder: {path:?}"),
                ))
            }
        };
        paths.into_iter().map(join).collect::<io::Result<_>>().map(|paths| DirSource { paths })
    }

    fn path(&self, file: FileIndex) -> io::Result<&Path> {
        self.paths.get(file.0 as usize).map(PathBuf::as_path).ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

#[allow(clippy::disallowed_methods, reason = "one of the places that open files")]
impl FileSource for DirSource {
    fn open_read(&self, file: FileIndex) -> io::Result<File> {
        File::open(self.path(file)?)
    }

    fn open_write(&self, file: FileIndex) -> io::Result<File> {
        let path = self.path(file)?;
        let open = || OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
        match (open(), path.parent()) {
            (Err(e), Some(parent)) if e.kind() == io::ErrorKind::NotFound => {
                std::fs::create_dir_all(parent)?;
                open()
            }
            (result, _) => result,
        }
    }
}
