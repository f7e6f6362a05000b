//! What can go wrong, each with a stable code, its cause and what to do.

use manifests::trust::publisher::PublishError;
use std::io;
use std::path::{Path, PathBuf};

/// Why a command of the seedbox failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The build folder is not there, or is not a folder.
    #[error("there is no build folder at {}", .0.display())]
    BuildMissing(PathBuf),
    /// The build folder holds no file.
    #[error("the build folder {} holds no files", .0.display())]
    BuildEmpty(PathBuf),
    /// A file or folder of the build cannot be read.
    #[error("cannot read {} in the build: {source}", path.display())]
    BuildUnreadable {
        /// What could not be read.
        path: PathBuf,
        /// The system's word.
        source: io::Error,
    },
    /// A name that some player's computer cannot hold.
    #[error("{0}")]
    BuildName(manifests::path::PathError),
    /// Two names that some player's computer cannot tell apart.
    #[error("{0}")]
    BuildClash(manifests::path::PathError),
    /// A symbolic link that leads out of the build, or nowhere.
    #[error("the link {} points to {}, which {why}", path.display(), target.display())]
    BuildLink {
        /// The link, below the build folder.
        path: PathBuf,
        /// What it says.
        target: PathBuf,
        /// What is wrong with that.
        why: &'static str,
    },
    /// A device, socket or pipe.
    #[error("{} is neither a file, a folder nor a link", .0.display())]
    BuildSpecial(PathBuf),
    /// A file was written to while it was published.
    #[error("{} changed while it was being read", .0.display())]
    BuildChanged(PathBuf),
    /// More files or bytes than a release may have.
    #[error("the build is too large: {0}")]
    BuildTooLarge(String),
    /// A pattern of `--exec` that is no pattern.
    #[error("--exec {pattern:?} is not a usable pattern: {why}")]
    Pattern {
        /// As given.
        pattern: String,
        /// The matcher's word.
        why: String,
    },
    /// A game, version or channel name that cannot be one.
    #[error("{0}")]
    Name(#[from] manifests::release::IdError),
    /// An option's value makes no sense.
    #[error("{option} {value:?}: {why}")]
    Option {
        /// The long option.
        option: &'static str,
        /// What was given.
        value: String,
        /// What is wrong with it.
        why: String,
    },
    /// `init` where there is a repository already.
    #[error("{} holds a repository already", .0.display())]
    RepositoryExists(PathBuf),
    /// No repository where one is needed.
    #[error("there is no repository in {}", .0.display())]
    RepositoryMissing(PathBuf),
    /// The repository's own files do not make sense.
    #[error("the repository is damaged: {0}")]
    RepositoryDamaged(String),
    /// Another command works on the same data folder.
    #[error("another command is changing {}", .0.display())]
    RepositoryBusy(PathBuf),
    /// The disk of the data folder is full.
    #[error("no space is left for {}", .0.display())]
    DiskFull(PathBuf),
    /// The data folder, or the disk it is on, does not let us write.
    #[error("cannot write {}: {source}", path.display())]
    DiskRefused {
        /// What was to be written.
        path: PathBuf,
        /// The system's word.
        source: io::Error,
    },
    /// Reading or writing the data folder failed.
    #[error("{}: {source}", path.display())]
    Disk {
        /// Where.
        path: PathBuf,
        /// The system's word.
        source: io::Error,
    },
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// As asked for.
        address: String,
        /// The system's word.
        source: io::Error,
    },
    /// The peer-to-peer side could not start.
    #[error("cannot start seeding: {0}")]
    Seeding(String),
    /// A torrent could not be made.
    #[error("cannot describe the build as a torrent: {0}")]
    Torrent(String),
    /// A release that a pack was to start from, without one of its files.
    #[error("the store does not have {path} of {version}, from which a pack was to start")]
    BaseMissing {
        /// The release.
        version: manifests::release::Version,
        /// The first file that is missing.
        path: manifests::path::SafePath,
    },
    /// A file of the store that is not what its name says.
    #[error("{} is damaged: it does not hash to its name", .0.display())]
    BlobDamaged(PathBuf),
    /// A pack could not be made, or did not prove itself.
    #[error("{0}")]
    Pack(manifests::pack::PackError),
    /// The signed metadata: keys, releases that exist already, damage.
    #[error("{0}")]
    Trust(PublishError),
    /// A preview that costs players more than was allowed.
    #[error("{0}")]
    OverLimit(String),
    /// Ctrl-C.
    #[error("stopped")]
    Interrupted,
}

impl Error {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Error::BuildMissing(_) => "E-BUILD-MISSING",
            Error::BuildEmpty(_) => "E-BUILD-EMPTY",
            Error::BuildUnreadable { .. } => "E-BUILD-UNREADABLE",
            Error::BuildName(_) => "E-BUILD-NAME",
            Error::BuildClash(_) => "E-BUILD-CLASH",
            Error::BuildLink { .. } => "E-BUILD-LINK",
            Error::BuildSpecial(_) => "E-BUILD-SPECIAL",
            Error::BuildChanged(_) => "E-BUILD-CHANGED",
            Error::BuildTooLarge(_) => "E-BUILD-TOO-LARGE",
            Error::Pattern { .. } => "E-PATTERN",
            Error::Name(_) => "E-NAME",
            Error::Option { .. } => "E-OPTION",
            Error::RepositoryExists(_) => "E-REPO-EXISTS",
            Error::RepositoryMissing(_) => "E-REPO-MISSING",
            Error::RepositoryDamaged(_) => "E-REPO-DAMAGED",
            Error::RepositoryBusy(_) => "E-REPO-BUSY",
            Error::DiskFull(_) => "E-DISK-FULL",
            Error::DiskRefused { .. } => "E-DISK-REFUSED",
            Error::Disk { .. } => "E-DISK",
            Error::Listen { .. } => "E-LISTEN",
            Error::Seeding(_) => "E-SEEDING",
            Error::Torrent(_) => "E-TORRENT",
            Error::BaseMissing { .. } => "E-BASE-MISSING",
            Error::BlobDamaged(_) => "E-BLOB-DAMAGED",
            Error::Pack(error) => error.code(),
            Error::Trust(error) => error.code(),
            Error::OverLimit(_) => "E-LIMIT",
            Error::Interrupted => "E-INTERRUPTED",
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn advice(&self) -> &'static str {
        match self {
            Error::BuildMissing(_) => "Give the folder that holds the build.",
            Error::BuildEmpty(_) => "Check that the build wrote its files there.",
            Error::BuildUnreadable { .. } => {
                "Let this user read every file of the build, then publish again."
            }
            Error::BuildName(_) => "Rename it in the build: players on every system need to hold this name.",
            Error::BuildClash(_) => "Rename one of the two in the build.",
            Error::BuildLink { .. } => "Let the link point, relatively, to something inside the build.",
            Error::BuildSpecial(_) => "Remove it from the build.",
            Error::BuildChanged(_) => "Wait until the build has finished, then publish again.",
            Error::BuildTooLarge(_) => "Split the build, or pack its small files together.",
            Error::Pattern { .. } => "Use * ? ** and [abc], relative to the build folder: 'bin/*'.",
            Error::Name(_) | Error::Option { .. } => "See --help for what is accepted.",
            Error::RepositoryExists(_) => "Use it as it is, or choose another --data folder.",
            Error::RepositoryMissing(_) => "Run `seedbox init` first, or check --data.",
            Error::RepositoryDamaged(_) => "Restore the data folder's public/metadata from a copy.",
            Error::RepositoryBusy(_) => "Wait until the other command has finished, then try again.",
            Error::DiskFull(_) => {
                "Free some space there, then try again: what was published before is untouched."
            }
            Error::DiskRefused { .. } => "Check the folder's owner and that its disk is not read-only.",
            Error::Disk { .. } => "Check the disk, then try again: nothing published before is affected.",
            Error::Listen { .. } => "Choose another address, or stop the program that uses this one.",
            Error::BaseMissing { .. } => {
                "Put the release's blobs back from a copy, or choose other releases with --base."
            }
            Error::BlobDamaged(_) => "Put the file back from a copy and check the disk, or use --base none.",
            Error::Pack(manifests::pack::PackError::Read { .. }) => {
                "Check the data folder's disk: nothing was signed."
            }
            Error::Pack(_) => {
                "Nothing was signed. Publish with another --level or --base none, and report this."
            }
            Error::Trust(error) => error.advice(),
            Error::Seeding(_) | Error::Torrent(_) => "Please report this, with the command's output.",
            Error::OverLimit(_) => "See which files cost most and why, or raise the limit for this release.",
            Error::Interrupted => "Run the same command again to finish.",
        }
    }

    /// The program's exit status: 3 tells a gate that everything worked and the answer is no.
    #[must_use]
    pub fn exit_status(&self) -> u8 {
        if matches!(self, Error::OverLimit(_)) { 3 } else { 1 }
    }

    /// An error of the data folder, by what the system said.
    #[must_use]
    pub fn disk(path: &Path, source: io::Error) -> Error {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                Error::DiskFull(path)
            }
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                Error::DiskRefused { path, source }
            }
            _ => Error::Disk { path, source },
        }
    }
}

impl From<PublishError> for Error {
    fn from(error: PublishError) -> Error {
        match error {
            // One code for one trouble, whoever was writing.
            PublishError::Io { path, source } => Error::disk(&path, source),
            other => Error::Trust(other),
        }
    }
}

/// A result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Names the path in an error of the data folder.
pub(crate) trait DiskContext<T> {
    /// See [`Error::disk`].
    fn at(self, path: &Path) -> Result<T>;
}

impl<T> DiskContext<T> for io::Result<T> {
    fn at(self, path: &Path) -> Result<T> {
        self.map_err(|source| Error::disk(path, source))
    }
}
