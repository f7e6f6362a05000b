//! Every way the launcher can fail, each with a stable code, its cause in plain words and what to do about it.
//!
//! Codes are part of the command line's contract (scripts and the window match on them): a code is never
//! reused for another meaning.

use std::path::{Path, PathBuf};

use manifests::apply::ApplyError;
use manifests::folder::{DiskError, FolderError};
use manifests::release::ManifestError;
use manifests::trust::TrustError;
use manifests::verify::SurveyError;
use protocol::net::NetError;

pub use crate::platform::User;

/// Programs named in one message.
const USERS_NAMED: usize = 5;

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
    /// Not enough room, found before the first write or on the way.
    #[error(
        "{} are needed on the disk of {}, {} are free: {} are missing",
        Size(*needed), dir.display(), Size(*available), Size(needed.saturating_sub(*available))
    )]
    DiskFull {
        /// The install folder.
        dir: PathBuf,
        /// Bytes needed.
        needed: u64,
        /// Bytes free.
        available: u64,
    },
    /// A program runs from the folder, or has a file of it open.
    #[error("{} {} using the folder {}", list(users), if users.len() == 1 { "is" } else { "are" }, dir.display())]
    GameRunning {
        /// The install folder.
        dir: PathBuf,
        /// Who; at least one.
        users: Vec<User>,
    },
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
    /// The game cannot be started.
    #[error("the game cannot be started: {cause}")]
    Launch {
        /// Why not.
        cause: String,
    },
    /// No data of an earlier release are kept.
    #[error("no earlier release is kept in this folder")]
    RollbackNothing,
    /// What is kept of the earlier release is not all of it.
    #[error("going back to {version} is not possible: {cause}")]
    RollbackIncomplete {
        /// The earlier release.
        version: String,
        /// What is missing.
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
    /// This launcher has nothing to be updated from.
    #[error("this launcher does not update itself: {cause}")]
    SelfNoSource {
        /// Why not.
        cause: String,
    },
    /// A new version of the launcher is not used.
    #[error("version {release} of the launcher does not start here: {cause}")]
    SelfFailed {
        /// Which version.
        release: String,
        /// What happened.
        cause: String,
    },
    /// A new version of the launcher was taken back.
    #[error("version {release} of the launcher did not start and was taken back")]
    SelfTakenBack {
        /// Which version.
        release: String,
    },
    /// There is no version of the launcher to go back to.
    #[error("no update of the launcher is in place")]
    SelfNothing,
    /// The launcher's own repository was given as a game's.
    #[error("{game} is the launcher itself, not a game")]
    SelfNoGame {
        /// What was given.
        game: String,
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
            Self::DiskFull { .. } => "E-DISK-FULL",
            Self::GameRunning { .. } => "E-GAME-RUNNING",
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
            Self::Launch { .. } => "E-LAUNCH",
            Self::RollbackNothing => "E-ROLLBACK-NOTHING",
            Self::RollbackIncomplete { .. } => "E-ROLLBACK-INCOMPLETE",
            Self::Listen { .. } => "E-LISTEN",
            Self::SelfNoSource { .. } => "E-SELF-NO-SOURCE",
            Self::SelfFailed { .. } => "E-SELF-FAILED",
            Self::SelfTakenBack { .. } => "E-SELF-TAKEN-BACK",
            Self::SelfNothing => "E-SELF-NOTHING",
            Self::SelfNoGame { .. } => "E-SELF-NO-GAME",
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
            Self::DiskFull { .. } => {
                "Free that much on this disk, then run this again; nothing downloaded is lost."
            }
            Self::GameRunning { .. } => {
                "Close it and run this again, or add --wait: then it goes on as soon as the game has ended."
            }
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
            Self::Launch { .. } => {
                "Run verify --repair; if it stays, start the game from its folder and tell the game's studio."
            }
            Self::RollbackNothing => {
                "Each update keeps the release it replaces, as far as --undo-quota and the disk allow; older ones come by install --release."
            }
            Self::RollbackIncomplete { .. } => {
                "The installed release stays. With network, install --release VERSION brings the earlier one."
            }
            Self::Listen { .. } => "Choose another --listen address, or leave it out.",
            Self::SelfNoSource { .. } => "Update it the way it was installed.",
            Self::SelfFailed { .. } => {
                "The version that runs stays, and this one is not taken again; the next one is. Tell the studio."
            }
            Self::SelfTakenBack { .. } => {
                "The version before it runs. There is nothing to do; tell the studio."
            }
            Self::SelfNothing => "The launcher that starts is the one that was installed.",
            Self::SelfNoGame { .. } => "The launcher updates itself: see launcher self status.",
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

    /// The same error, saying where when the disk is full.
    #[must_use]
    pub fn in_folder(self, dir: &Path) -> Self {
        match self {
            Self::Apply(ApplyError::NoSpace { needed, available }) => {
                Self::DiskFull { dir: dir.to_owned(), needed, available }
            }
            other => other,
        }
    }

    /// An impossible state, reported instead of a panic.
    pub fn internal(cause: impl Into<String>) -> Self {
        Self::Internal { cause: cause.into() }
    }
}

/// Bytes for people, in powers of ten as disks are sold: `1.2 GB`.
struct Size(u64);

impl std::fmt::Display for Size {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let units = [(1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB")];
        match units.into_iter().find(|(unit, _)| self.0 >= *unit) {
            Some((unit, name)) => {
                // Rounded up: who frees what is said has freed enough.
                let tenths = self.0.div_ceil(unit / 10);
                write!(f, "{}.{} {name}", tenths / 10, tenths % 10)
            }
            None => write!(f, "{} bytes", self.0),
        }
    }
}

fn list(users: &[User]) -> String {
    let names: Vec<String> = users.iter().take(USERS_NAMED).map(ToString::to_string).collect();
    match users.len().saturating_sub(USERS_NAMED) {
        0 => names.join(", "),
        more => format!("{} and {more} more", names.join(", ")),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_says_how_much_is_missing_and_where() {
        let error = ApplyError::NoSpace { needed: 1_150_000_001, available: 800_000_000 };
        let said = LaunchError::from(error).in_folder(Path::new("/games/x"));
        assert_eq!(said.code(), "E-DISK-FULL");
        assert_eq!(
            said.to_string(),
            "1.2 GB are needed on the disk of /games/x, 800.0 MB are free: 350.1 MB are missing"
        );
        assert_eq!(Size(999).to_string(), "999 bytes");
    }

    #[test]
    fn the_game_is_named() {
        let user = |pid| User { pid, program: "freeciv-gtk".to_owned() };
        let said = |users| LaunchError::GameRunning { dir: "/games/x".into(), users }.to_string();
        assert_eq!(said(vec![user(1234)]), "freeciv-gtk (pid 1234) is using the folder /games/x");
        let many = said((1..9).map(user).collect());
        assert!(many.ends_with("freeciv-gtk (pid 5) and 3 more are using the folder /games/x"), "{many}");
    }
}
