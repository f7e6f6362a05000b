//! Where the files of a content torrent lie on this disk: the bridge from the swarm's file numbers to the install
//! folder. Everything is opened through the install's own handle.

use std::fs::File;
use std::io;
use std::sync::Arc;

use manifests::folder::{Access, InstallDir};
use protocol::disk::{FileSource, FileStamp};
use protocol::units::FileIndex;

/// Where one file of the torrent is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Place {
    /// Not on this disk, and not to be.
    #[default]
    Nowhere,
    /// Being fetched, below `.samara/`.
    Staged(String),
    /// A file of the game, verified while it looked like this.
    Installed {
        /// Below the install folder.
        path: String,
        /// What it must look like still; otherwise it is withdrawn, never sent.
        stamp: FileStamp,
    },
}

/// The files of one torrent in one install.
pub(crate) struct InstallFiles {
    dir: Arc<InstallDir>,
    places: Vec<Place>,
}

impl InstallFiles {
    /// `places` in the torrent's file order.
    pub(crate) fn new(dir: Arc<InstallDir>, places: Vec<Place>) -> Self {
        Self { dir, places }
    }

    fn place(&self, file: FileIndex) -> &Place {
        self.places.get(file.0 as usize).unwrap_or(&Place::Nowhere)
    }
}

impl FileSource for InstallFiles {
    fn open_read(&self, file: FileIndex) -> io::Result<File> {
        match self.place(file) {
            Place::Nowhere => Err(io::ErrorKind::NotFound.into()),
            Place::Staged(path) | Place::Installed { path, .. } => self.dir.fs().open_std(path, Access::Read),
        }
    }

    fn open_write(&self, file: FileIndex) -> io::Result<File> {
        match self.place(file) {
            Place::Staged(path) => self.dir.fs().open_std(path, Access::Create),
            Place::Nowhere | Place::Installed { .. } => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    fn guard(&self, file: FileIndex) -> Option<FileStamp> {
        match self.place(file) {
            Place::Installed { stamp, .. } => Some(*stamp),
            Place::Nowhere | Place::Staged(_) => None,
        }
    }
}
