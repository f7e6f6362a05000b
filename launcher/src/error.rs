//! Every way the launcher can fail, each with a stable code, its cause in plain words and what to do about it.
//!
//! Codes are part of the command line's contract (scripts and the window match on them): a code is never
//! reused for another meaning.

use std::io;
use std::path::PathBuf;

/// What went wrong. `Display` says what happened; [`LaunchError::advice`] says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LaunchError {
    /// The target of a fresh install holds files already.
    #[error("the folder {dir} is not empty")]
    FolderNotEmpty {
        /// The folder asked for.
        dir: PathBuf,
    },
    /// The folder holds another game's install.
    #[error("the folder {dir} holds the game \"{found}\", not \"{wanted}\"")]
    FolderOtherGame {
        /// The folder asked for.
        dir: PathBuf,
        /// The game its record names.
        found: String,
        /// The game that was asked for.
        wanted: String,
    },
    /// Another launcher holds the folder's lock.
    #[error("another launcher is working on {dir}")]
    FolderBusy {
        /// The folder asked for.
        dir: PathBuf,
    },
    /// The folder cannot be opened at all.
    #[error("the folder {dir} cannot be opened: {source}")]
    FolderUnreachable {
        /// The folder asked for.
        dir: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// There is no install record in the folder.
    #[error("no game is installed in {dir}")]
    NotInstalled {
        /// The folder asked for.
        dir: PathBuf,
    },
    /// The install began and never finished, and the operation needs a finished one.
    #[error("the install in {dir} is not finished")]
    NotFinished {
        /// The folder asked for.
        dir: PathBuf,
    },
    /// A record of ours in `.samara/` cannot be read.
    #[error("the launcher's record {file} cannot be read: {cause}")]
    RecordDamaged {
        /// Name below `.samara/`.
        file: String,
        /// What is wrong with it.
        cause: String,
    },
    /// Not enough free space; found before the first write.
    #[error("the disk is too full: {needed} bytes are needed, {free} are free")]
    DiskFull {
        /// Bytes the operation needs, on top of what is there.
        needed: u64,
        /// Bytes free to this user.
        free: u64,
    },
    /// The disk filled up while we wrote.
    #[error("the disk became full while writing ({what})")]
    DiskFilledUp {
        /// What was being done.
        what: String,
    },
    /// The file system is mounted read-only.
    #[error("the disk is read-only ({what})")]
    DiskReadOnly {
        /// What was being done.
        what: String,
    },
    /// The system refuses access.
    #[error("access was refused ({what})")]
    NoPermission {
        /// What was being done.
        what: String,
    },
    /// Another program holds a file of the game.
    #[error("a file is in use by another program ({what})")]
    FileInUse {
        /// What was being done.
        what: String,
    },
    /// Any other failure of the disk.
    #[error("the disk failed ({what}): {source}")]
    Disk {
        /// What was being done.
        what: String,
        /// What the system said.
        source: io::Error,
    },
    /// The server cannot be reached.
    #[error("cannot reach {url}: {cause}")]
    Offline {
        /// The address that was asked.
        url: String,
        /// What the network said.
        cause: String,
    },
    /// The server answers, not with what we need.
    #[error("the server answers {url} with status {status}")]
    ServerRefused {
        /// The address that was asked.
        url: String,
        /// HTTP status code.
        status: u16,
    },
    /// The server sends too slowly, too much, or redirects where it must not.
    #[error("the server misbehaves at {url}: {cause}")]
    ServerMisbehaves {
        /// The address that was asked.
        url: String,
        /// Which bound it broke.
        cause: String,
    },
    /// There is no such game, channel or release in the repository.
    #[error("the repository has no {what}")]
    NoSuchRelease {
        /// What was looked for.
        what: String,
    },
    /// The trust root given cannot be read, or is not a root.
    #[error("the trust root {file} cannot be used: {cause}")]
    TrustRoot {
        /// Where it was looked for.
        file: PathBuf,
        /// Why not.
        cause: String,
    },
    /// Metadata is not signed by whom the trust root names.
    #[error("the repository's metadata is not what the trust root vouches for: {cause}")]
    TrustRefused {
        /// What did not verify.
        cause: String,
    },
    /// Metadata is older than its own promise.
    #[error("the repository's metadata has expired: {cause}")]
    TrustExpired {
        /// Which role, and since when.
        cause: String,
    },
    /// Metadata, channel or release is older than what this install has seen.
    #[error("the repository offers something older than what was seen before: {cause}")]
    TrustRollback {
        /// Which version against which.
        cause: String,
    },
    /// A downloaded document does not match the hash that names it.
    #[error("{what} does not match its signed hash: {cause}")]
    ContentRefused {
        /// Which document.
        what: String,
        /// What did not match.
        cause: String,
    },
    /// Nothing we may use sends anything.
    #[error("no source sends anything: {cause}")]
    NoSources {
        /// Which kinds were tried.
        cause: String,
    },
    /// The install is damaged and was only asked to be verified.
    #[error("{files} of the game's files are damaged or missing ({bytes} bytes)")]
    Damaged {
        /// Files with at least one wound.
        files: usize,
        /// Bytes in wounds.
        bytes: u64,
    },
    /// The apply step could not finish or recover.
    #[error("the update could not be applied: {cause}")]
    ApplyFailed {
        /// What the apply step said.
        cause: String,
    },
    /// The port asked for cannot be opened.
    #[error("cannot listen on {addr}: {cause}")]
    Listen {
        /// The address asked for.
        addr: String,
        /// What the system said.
        cause: String,
    },
    /// The command line or a request is contradictory.
    #[error("{cause}")]
    Usage {
        /// What is contradictory.
        cause: String,
    },
    /// A bug of ours.
    #[error("internal error: {cause}")]
    Internal {
        /// What was found to be impossible.
        cause: String,
    },
}

impl LaunchError {
    /// The stable code scripts match on.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::FolderNotEmpty { .. } => "E-FOLDER-NOT-EMPTY",
            Self::FolderOtherGame { .. } => "E-FOLDER-OTHER-GAME",
            Self::FolderBusy { .. } => "E-FOLDER-BUSY",
            Self::FolderUnreachable { .. } => "E-FOLDER-UNREACHABLE",
            Self::NotInstalled { .. } => "E-NOT-INSTALLED",
            Self::NotFinished { .. } => "E-NOT-FINISHED",
            Self::RecordDamaged { .. } => "E-RECORD-DAMAGED",
            Self::DiskFull { .. } | Self::DiskFilledUp { .. } => "E-DISK-FULL",
            Self::DiskReadOnly { .. } => "E-DISK-READ-ONLY",
            Self::NoPermission { .. } => "E-NO-PERMISSION",
            Self::FileInUse { .. } => "E-FILE-IN-USE",
            Self::Disk { .. } => "E-DISK",
            Self::Offline { .. } => "E-OFFLINE",
            Self::ServerRefused { .. } => "E-SERVER-REFUSED",
            Self::ServerMisbehaves { .. } => "E-SERVER-MISBEHAVES",
            Self::NoSuchRelease { .. } => "E-NO-SUCH-RELEASE",
            Self::TrustRoot { .. } => "E-TRUST-ROOT",
            Self::TrustRefused { .. } => "E-TRUST-REFUSED",
            Self::TrustExpired { .. } => "E-TRUST-EXPIRED",
            Self::TrustRollback { .. } => "E-TRUST-ROLLBACK",
            Self::ContentRefused { .. } => "E-CONTENT-REFUSED",
            Self::NoSources { .. } => "E-NO-SOURCES",
            Self::Damaged { .. } => "E-DAMAGED",
            Self::ApplyFailed { .. } => "E-APPLY",
            Self::Listen { .. } => "E-LISTEN",
            Self::Usage { .. } => "E-USAGE",
            Self::Internal { .. } => "E-INTERNAL",
        }
    }

    /// What the player can do about it, in one or two plain sentences.
    #[must_use]
    pub fn advice(&self) -> &'static str {
        match self {
            Self::FolderNotEmpty { .. } => {
                "Choose an empty folder, or add --adopt to check the files in it and keep those that fit."
            }
            Self::FolderOtherGame { .. } => "Choose another folder for this game.",
            Self::FolderBusy { .. } => {
                "Wait for the other launcher to finish, or close it, and run this again."
            }
            Self::FolderUnreachable { .. } => {
                "Check that the disk is connected and that you may write there."
            }
            Self::NotInstalled { .. } => {
                "Check --dir; to install a game there, or to take over files that are there, use install --adopt."
            }
            Self::NotFinished { .. } => "Run install or update again: it goes on where it stopped.",
            Self::RecordDamaged { .. } => {
                "Run install --adopt with the same --repo, --trust and --game: files that are intact are kept."
            }
            Self::DiskFull { .. } | Self::DiskFilledUp { .. } => {
                "Free some space on that disk and run this again: what is downloaded is kept."
            }
            Self::DiskReadOnly { .. } => {
                "Choose a folder on a disk that can be written, or mount it writable."
            }
            Self::NoPermission { .. } => {
                "Choose a folder that belongs to you, or change the folder's permissions; do not run as administrator."
            }
            Self::FileInUse { .. } => {
                "Close the game and other programs that use its folder, then run this again."
            }
            Self::Disk { .. } => "Check the disk for errors, then run this again: nothing verified is lost.",
            Self::Offline { .. } => "Check the network connection and the address; then run this again.",
            Self::ServerRefused { .. } => "Check the address given as --repo, or try again later.",
            Self::ServerMisbehaves { .. } => "Try again later; if it stays, tell the game's studio.",
            Self::NoSuchRelease { .. } => "Check --game, --channel and --release for misspellings.",
            Self::TrustRoot { .. } => "Give the root.json that the game's studio hands out as --trust.",
            Self::TrustRefused { .. } => {
                "Check that --trust and --repo belong together. If they do, the server may have been tampered with: do not install, tell the studio."
            }
            Self::TrustExpired { .. } => {
                "Check this computer's date. If it is right, the server has not been renewed: try again later. The installed game stays playable."
            }
            Self::TrustRollback { .. } => {
                "Nothing was changed. Try again later; if it stays, tell the game's studio."
            }
            Self::ContentRefused { .. } => {
                "Nothing unverified was kept. Try again later; if it stays, tell the studio."
            }
            Self::NoSources { .. } => {
                "Check the network, allow both peers and web (drop --no-peers or --no-web), and run this again to go on."
            }
            Self::Damaged { .. } => "Run verify --repair to heal them.",
            Self::ApplyFailed { .. } => {
                "Run this again: it goes on or goes back by itself; the game is not half changed."
            }
            Self::Listen { .. } => "Choose another --listen address, or leave it out.",
            Self::Usage { .. } => "See launcher --help.",
            Self::Internal { .. } => "This is a mistake of ours: please report it with the lines above.",
        }
    }

    /// Sorts an error of the file system by what the player can do about it. `what` names the step.
    pub fn from_io(what: impl Into<String>, source: io::Error) -> Self {
        let what = what.into();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFilledUp { what },
            io::ErrorKind::ReadOnlyFilesystem => Self::DiskReadOnly { what },
            io::ErrorKind::PermissionDenied => Self::NoPermission { what },
            io::ErrorKind::ResourceBusy | io::ErrorKind::ExecutableFileBusy | io::ErrorKind::WouldBlock => {
                Self::FileInUse { what }
            }
            // Windows: ERROR_SHARING_VIOLATION and ERROR_LOCK_VIOLATION have no kind of their own.
            _ if cfg!(windows) && matches!(source.raw_os_error(), Some(32 | 33)) => Self::FileInUse { what },
            _ => Self::Disk { what, source },
        }
    }

    /// An impossible state, reported instead of a panic.
    pub fn internal(cause: impl Into<String>) -> Self {
        Self::Internal { cause: cause.into() }
    }
}

/// Adds the step's name to a failure of the file system.
pub trait IoContext<T> {
    /// Turns the error into a [`LaunchError`], naming the step.
    ///
    /// # Errors
    /// Whatever `self` failed with, sorted by [`LaunchError::from_io`].
    fn doing(self, what: &str) -> Result<T, LaunchError>;
}

impl<T> IoContext<T> for io::Result<T> {
    fn doing(self, what: &str) -> Result<T, LaunchError> {
        self.map_err(|source| LaunchError::from_io(what, source))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn disk_errors_are_sorted_by_what_helps() {
        let table = [
            (io::ErrorKind::StorageFull, "E-DISK-FULL"),
            (io::ErrorKind::QuotaExceeded, "E-DISK-FULL"),
            (io::ErrorKind::ReadOnlyFilesystem, "E-DISK-READ-ONLY"),
            (io::ErrorKind::PermissionDenied, "E-NO-PERMISSION"),
            (io::ErrorKind::ExecutableFileBusy, "E-FILE-IN-USE"),
            (io::ErrorKind::UnexpectedEof, "E-DISK"),
        ];
        for (kind, code) in table {
            let error = LaunchError::from_io("writing", io::Error::from(kind));
            assert_eq!(error.code(), code, "{kind:?}");
            assert!(!error.advice().is_empty());
        }
    }
}
