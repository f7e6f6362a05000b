//! Every way the launcher can fail, each with a stable code, its cause in plain words and what to do about it.
//!
//! Codes are part of the command line's contract (scripts and the window match on them): a code is never
//! reused for another meaning.

use std::path::PathBuf;

use manifests::apply::ApplyError;
use manifests::folder::{DiskError, FolderError};
use manifests::release::ManifestError;
use manifests::trust::TrustError;
use manifests::verify::SurveyError;
use protocol::net::NetError;

/// What went wrong. `Display` says what happened; [`LaunchError::advice`] says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LaunchError {
    /// The install folder: not empty, busy, another game's, damaged, …
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// A call to the file system below it.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// Planning and applying.
    #[error(transparent)]
    Apply(#[from] ApplyError),
    /// Reading what is on the disk.
    #[error(transparent)]
    Survey(#[from] SurveyError),
    /// A signed manifest that this program cannot use.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// Stopped when asked.
    #[error("stopped")]
    Paused,
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
    /// The swarm could not write.
    #[error("the disk failed while downloading: {cause}")]
    StorageFault {
        /// What the system said.
        cause: String,
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
    /// The trust root given cannot be read, or is not a root.
    #[error("the trust root {file} cannot be used: {cause}")]
    TrustRoot {
        /// Where it was looked for.
        file: PathBuf,
        /// Why not.
        cause: String,
    },
    /// The repository's metadata is not believed.
    #[error(transparent)]
    Trust(#[from] TrustError),
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
    /// The route asked for is none of the candidates.
    #[error("there is no route {name:?} to this release; there are: {known}")]
    RouteUnknown {
        /// The name given.
        name: String,
        /// The candidates' names.
        known: String,
    },
    /// The install is damaged and was only asked to be verified.
    #[error("{files} of the game's files are damaged or missing ({bytes} bytes)")]
    Damaged {
        /// Files with at least one wound.
        files: usize,
        /// Bytes in wounds.
        bytes: u64,
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
            Self::Folder(error) => error.code(),
            Self::Disk(error) => error.code(),
            Self::Apply(error) => error.code(),
            Self::Survey(error) => error.code(),
            Self::Manifest(error) => error.code(),
            Self::Paused => "E-PAUSED",
            Self::NotFinished { .. } => "E-NOT-FINISHED",
            Self::RecordDamaged { .. } => "E-RECORD-DAMAGED",
            Self::StorageFault { .. } => "E-DISK-IO",
            Self::Offline { .. } => "E-OFFLINE",
            Self::ServerRefused { .. } => "E-SERVER-REFUSED",
            Self::ServerMisbehaves { .. } => "E-SERVER-MISBEHAVES",
            Self::TrustRoot { .. } => "E-TRUST-ROOT",
            Self::Trust(error) => error.code(),
            Self::ContentRefused { .. } => "E-CONTENT-REFUSED",
            Self::NoSources { .. } => "E-NO-SOURCES",
            Self::RouteUnknown { .. } => "E-ROUTE-UNKNOWN",
            Self::Damaged { .. } => "E-DAMAGED",
            Self::Listen { .. } => "E-LISTEN",
            Self::Usage { .. } => "E-USAGE",
            Self::Internal { .. } => "E-INTERNAL",
        }
    }

    /// What the player can do about it, in one or two plain sentences.
    #[must_use]
    pub fn advice(&self) -> &'static str {
        match self {
            Self::Folder(error) => error.advice(),
            Self::Disk(error) => error.advice(),
            Self::Apply(error) => error.advice(),
            Self::Survey(error) => error.advice(),
            Self::Manifest(_) => "Update the launcher; if it is the newest, tell the game's studio.",
            Self::Paused => "Run it again: it goes on where it stopped.",
            Self::NotFinished { .. } => "Run install or update again: it goes on where it stopped.",
            Self::RecordDamaged { .. } => {
                "Run install --adopt with the same --repo, --trust and --game: files that are intact are kept."
            }
            Self::StorageFault { .. } => {
                "Check that the disk is connected, healthy and not full; then run this again: it goes on where it stopped."
            }
            Self::Offline { .. } => "Check the network connection and the address; then run this again.",
            Self::ServerRefused { .. } => "Check the address given as --repo, or try again later.",
            Self::ServerMisbehaves { .. } => "Try again later; if it stays, tell the game's studio.",
            Self::TrustRoot { .. } => "Give the root.json that the game's studio hands out as --trust.",
            Self::Trust(error) => error.advice(),
            Self::ContentRefused { .. } => {
                "Nothing unverified was kept. Try again later; if it stays, tell the studio."
            }
            Self::NoSources { .. } => {
                "Check the network, allow both peers and web (drop --no-peers or --no-web), and run this again to go on."
            }
            Self::RouteUnknown { .. } => {
                "Choose one of these names (`launcher plan` shows what each costs), or leave --route out."
            }
            Self::Damaged { .. } => "Run verify --repair to heal them.",
            Self::Listen { .. } => "Choose another --listen address, or leave it out.",
            Self::Usage { .. } => "See launcher --help.",
            Self::Internal { .. } => "This is a mistake of ours: please report it with the lines above.",
        }
    }

    /// Whether this is no failure but the answer to a pause.
    #[must_use]
    pub fn is_pause(&self) -> bool {
        matches!(
            self,
            Self::Paused | Self::Apply(ApplyError::Cancelled) | Self::Survey(SurveyError::Cancelled)
        )
    }

    /// An impossible state, reported instead of a panic.
    pub fn internal(cause: impl Into<String>) -> Self {
        Self::Internal { cause: cause.into() }
    }
}

impl From<NetError> for LaunchError {
    fn from(error: NetError) -> Self {
        match error {
            NetError::Listen { addr, source } => {
                Self::Listen { addr: addr.to_string(), cause: source.to_string() }
            }
            other => Self::internal(other.to_string()),
        }
    }
}
