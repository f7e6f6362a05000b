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
    /// Being fetched, below `.samara/`; after the commit it lies in its place.
    Staged {
        /// Below the install folder.
        path: String,
        /// Where the commit puts it.
        then: String,
    },
    /// A file of the game, verified while it looked like this.
    Installed {
        /// Below the install folder.
        path: String,
        /// What it must look like still; otherwise it is withdrawn, never sent.
        stamp: FileStamp,
        /// Where the commit puts it, when that is elsewhere.
        then: Option<String>,
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
        let (path, then) = match self.place(file) {
            Place::Nowhere => return Err(io::ErrorKind::NotFound.into()),
            Place::Staged { path, then } => (path, Some(then)),
            Place::Installed { path, then, .. } => (path, then.as_ref()),
        };
        match (self.dir.fs().open_std(path, Access::Read), then) {
            (Err(error), Some(then)) if error.kind() == io::ErrorKind::NotFound => {
                self.dir.fs().open_std(then, Access::Read)
            }
            (opened, _) => opened,
        }
    }

    fn open_write(&self, file: FileIndex) -> io::Result<File> {
        match self.place(file) {
            Place::Staged { path, .. } => self.dir.fs().open_std(path, Access::Write),
            Place::Nowhere | Place::Installed { .. } => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    fn guard(&self, file: FileIndex) -> Option<FileStamp> {
        match self.place(file) {
            Place::Installed { stamp, .. } => Some(*stamp),
            Place::Nowhere | Place::Staged { .. } => None,
        }
    }
}
