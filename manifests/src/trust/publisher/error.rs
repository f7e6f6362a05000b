//! What can go wrong for a studio when it signs.

use std::path::PathBuf;

use crate::release::{DocError, IdError, ManifestError, PackListError};
use crate::trust::json::JsonError;

/// An error of the publishing side. `Display` says what happened, [`PublishError::advice`] what to do.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// `init` where a repository already is.
    #[error("there already is a repository in {path}")]
    Exists {
        /// The public folder.
        path: PathBuf,
    },
    /// No repository where one was expected.
    #[error("there is no repository in {path}")]
    Missing {
        /// The public folder.
        path: PathBuf,
    },
    /// Another process is writing.
    #[error("another program is writing to the repository in {path}")]
    Busy {
        /// The public folder.
        path: PathBuf,
    },
    /// A metadata or target file that does not verify.
    #[error("{file} in the repository does not verify: {reason}")]
    Damaged {
        /// The file, below the public folder.
        file: String,
        /// What is wrong.
        reason: String,
    },
    /// A role file older than one these keys already signed.
    #[error(
        "{role} is at version {found}, but these keys have signed version {signed}: the repository was set back"
    )]
    SetBack {
        /// The role.
        role: String,
        /// The version in the repository.
        found: u64,
        /// The version signed before.
        signed: u64,
    },
    /// The root in the repository does not follow from the one kept with the keys.
    #[error("the repository's root does not belong to the keys in {path}")]
    WrongRoot {
        /// The key folder.
        path: PathBuf,
    },
    /// Not enough keys for a role.
    #[error("signing {role} needs {threshold} of its keys, {found} were found{}", in_folders(folders))]
    MissingKey {
        /// The role.
        role: String,
        /// How many are needed.
        threshold: u32,
        /// How many are at hand.
        found: usize,
        /// Where they were looked for.
        folders: Vec<PathBuf>,
    },
    /// A key folder that cannot be read or made.
    #[error("the key folder {path} cannot be used: {source}")]
    KeyFolder {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file that should hold a key.
    #[error("the key {path} cannot be used: {reason}")]
    KeyFile {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// A game nobody added.
    #[error("the repository has no game {0:?}")]
    NoGame(String),
    /// A release that is not there.
    #[error("the game {game:?} has no release {version:?}")]
    NoRelease {
        /// The game.
        game: String,
        /// The version asked for.
        version: String,
    },
    /// A version that is published already, with other content.
    #[error("{game:?} already has a release {version:?}; a release never changes")]
    ReleaseExists {
        /// The game.
        game: String,
        /// The version.
        version: String,
    },
    /// A sequence that does not grow.
    #[error("the sequence {given} is not above {highest}, the game's highest")]
    Sequence {
        /// The one given.
        given: u64,
        /// The highest so far.
        highest: u64,
    },
    /// A pack list that is not newer than the one there.
    #[error("revision {given} of the pack list is not above {current}, the one signed before")]
    PackRevision {
        /// The one given.
        given: u64,
        /// The one there.
        current: u64,
    },
    /// A pack list that names what is not there.
    #[error("the pack list does not fit the repository: {0}")]
    PackMismatch(String),
    /// A channel, floor or rollback that clients would refuse.
    #[error("the channel would be refused by every launcher: {0}")]
    Refused(String),
    /// Bad numbers in the options.
    #[error("{0}")]
    Options(&'static str),
    /// A manifest that cannot be published.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// A pack list that cannot be published.
    #[error(transparent)]
    Packs(#[from] PackListError),
    /// A document that cannot be published.
    #[error(transparent)]
    Doc(#[from] DocError),
    /// A name that cannot be used.
    #[error(transparent)]
    Id(#[from] IdError),
    /// Metadata that has no canonical form.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// The disk.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

fn in_folders(folders: &[PathBuf]) -> String {
    if folders.is_empty() {
        return String::new();
    }
    let names: Vec<String> = folders.iter().map(|path| path.display().to_string()).collect();
    format!(" in {}", names.join(", "))
}

impl PublishError {
    /// Stable code for logs, `--json` output and the help pages.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Exists { .. } => "E-REPO-EXISTS",
            Self::Missing { .. } => "E-REPO-MISSING",
            Self::Busy { .. } => "E-REPO-BUSY",
            Self::Damaged { .. } | Self::Json(_) => "E-REPO-DAMAGED",
            Self::SetBack { .. } => "E-REPO-SET-BACK",
            Self::WrongRoot { .. } => "E-REPO-ROOT",
            Self::MissingKey { .. } => "E-KEY-MISSING",
            Self::KeyFolder { .. } => "E-KEY-FOLDER",
            Self::KeyFile { .. } => "E-KEY-BAD",
            Self::NoGame(_) => "E-GAME-UNKNOWN",
            Self::NoRelease { .. } => "E-RELEASE-UNKNOWN",
            Self::ReleaseExists { .. } => "E-RELEASE-EXISTS",
            Self::Sequence { .. } => "E-RELEASE-SEQUENCE",
            Self::PackRevision { .. } => "E-PACKS-REVISION",
            Self::PackMismatch(_) => "E-PACKS-MISMATCH",
            Self::Refused(_) => "E-CHANNEL-REFUSED",
            Self::Options(_) => "E-OPTIONS",
            Self::Manifest(error) => error.code(),
            Self::Packs(error) => error.code(),
            Self::Doc(error) => error.code(),
            Self::Id(error) => error.code(),
            Self::Io { .. } => "E-REPO-IO",
        }
    }

    /// What the studio can do.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::Exists { .. } => "Use it as it is, or name another --data folder.",
            Self::Missing { .. } => "Make one with `seedbox init`, or check --data.",
            Self::Busy { .. } => "Wait for the other publish or refresh to end, then try again.",
            Self::Damaged { .. } | Self::Json(_) | Self::SetBack { .. } => {
                "Nothing was signed. Restore the public folder from a copy you trust; somebody may have changed it."
            }
            Self::WrongRoot { .. } => "Check that --keys and --data belong together.",
            Self::MissingKey { .. } | Self::KeyFolder { .. } => {
                "Check --keys: the folder that `seedbox init` made holds them."
            }
            Self::KeyFile { .. } => "Restore the key from your copy, or move the file out of the key folder.",
            Self::NoGame(_) => "Check --game; publishing a first release adds the game.",
            Self::NoRelease { .. } => "Check --release; publish it first.",
            Self::ReleaseExists { .. } => "Publish under a new version.",
            Self::Sequence { .. } => "Leave the sequence out, and the next one is taken.",
            Self::PackRevision { .. } => "Another command changed the list meanwhile: run this one again.",
            Self::PackMismatch(_) => "Publish the base first, or build the pack again from this repository.",
            Self::Refused(_) => {
                "Sign a floor or rollback statement that allows it, or choose another release."
            }
            Self::Options(_) => "Correct the option.",
            Self::Packs(_) => "Build the packs again; if that does not help, report this.",
            Self::Manifest(_) | Self::Doc(_) | Self::Id(_) => "Correct the name or value and publish again.",
            Self::Io { .. } => "Check space and permissions; nothing half written was published.",
        }
    }
}
