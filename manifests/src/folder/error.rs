//! What can be wrong with a folder or the disk under it, each with a stable code and a way out.

use std::io;

use super::platform;

/// One call to the file system that did not work.
#[derive(Debug, thiserror::Error)]
#[error("could not {action} {path:?}: {source}")]
pub struct DiskError {
    /// What was tried, as a verb.
    pub action: &'static str,
    /// Where, relative to the install folder unless it is about the folder itself.
    pub path: String,
    /// What the operating system said.
    pub source: io::Error,
}

impl DiskError {
    /// For `map_err`: names the call that failed.
    pub fn at<'a>(action: &'static str, path: &'a str) -> impl FnOnce(io::Error) -> Self + 'a {
        move |source| Self { action, path: path.to_owned(), source }
    }

    /// Stable code.
    pub fn code(&self) -> &'static str {
        use io::ErrorKind as Kind;
        match self.source.kind() {
            _ if platform::is_locked(&self.source) => "E-DISK-LOCKED",
            Kind::StorageFull | Kind::QuotaExceeded => "E-DISK-FULL",
            Kind::ReadOnlyFilesystem => "E-DISK-READ-ONLY",
            Kind::PermissionDenied => "E-DISK-PERMISSION",
            _ => "E-DISK-IO",
        }
    }

    /// What the player can do.
    pub fn advice(&self) -> &'static str {
        match self.code() {
            "E-DISK-LOCKED" => "Close the game and other programs that use its folder, then try again.",
            "E-DISK-FULL" => "Free some space on this disk, then try again; nothing downloaded is lost.",
            "E-DISK-READ-ONLY" => {
                "The disk can only be read. Make it writable or choose a folder on another disk."
            }
            "E-DISK-PERMISSION" => {
                "Choose a folder you may write to, or ask its owner to give you permission; check that no file in it \
                 is marked read-only."
            }
            _ => "Try again. If it happens again, check the disk: it may be failing.",
        }
    }
}

fn pid_of(pid: Option<u32>) -> String {
    pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default()
}

/// Why a folder cannot be worked on.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// No such folder.
    #[error("there is no folder {0:?}")]
    Missing(String),
    /// The path names something else.
    #[error("{0:?} is not a folder")]
    NotAFolder(String),
    /// Asked to install anew where something lies.
    #[error("the folder {0:?} is not empty")]
    NotEmpty(String),
    /// Another game's install.
    #[error("the folder holds the game {found:?}, not {wanted:?}")]
    OtherGame {
        /// The game it belongs to.
        found: String,
        /// The game asked for.
        wanted: String,
    },
    /// No `.samara/` here.
    #[error("no game is installed by Samara in {0:?}")]
    NotInstalled(String),
    /// A second launcher.
    #[error("another launcher{} is working on the folder {path:?}", pid_of(*pid))]
    Busy {
        /// The folder.
        path: String,
        /// Its process, when it has said so.
        pid: Option<u32>,
    },
    /// `state.json` is cut or garbled.
    #[error("the record of the install is damaged: {0}")]
    Damaged(String),
    /// Written by a later launcher.
    #[error("the folder was written by a newer launcher (format {0})")]
    Newer(u32),
    /// The file system said no.
    #[error(transparent)]
    Disk(#[from] DiskError),
}

impl FolderError {
    /// Stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Missing(_) => "E-FOLDER-MISSING",
            Self::NotAFolder(_) => "E-FOLDER-NOT-A-FOLDER",
            Self::NotEmpty(_) => "E-FOLDER-NOT-EMPTY",
            Self::OtherGame { .. } => "E-FOLDER-OTHER-GAME",
            Self::NotInstalled(_) => "E-FOLDER-NOT-INSTALLED",
            Self::Busy { .. } => "E-FOLDER-BUSY",
            Self::Damaged(_) => "E-FOLDER-DAMAGED",
            Self::Newer(_) => "E-FOLDER-NEWER",
            Self::Disk(error) => error.code(),
        }
    }

    /// What the player can do.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::Missing(_) => "Check the path, or install the game first.",
            Self::NotAFolder(_) => "Choose a folder.",
            Self::NotEmpty(_) => {
                "Choose an empty folder, or add --adopt to check what is there and reuse it; other files are left alone."
            }
            Self::OtherGame { .. } => "Choose another folder.",
            Self::NotInstalled(_) => {
                "Check the path. If the game's files are there, `launcher install --adopt` takes them over."
            }
            Self::Busy { .. } => "Wait until the other launcher is done, or close it.",
            Self::Damaged(_) => {
                "Run `launcher install --adopt` on this folder: the files are checked and reused, nothing is lost."
            }
            Self::Newer(_) => "Update the launcher.",
            Self::Disk(error) => error.advice(),
        }
    }
}
