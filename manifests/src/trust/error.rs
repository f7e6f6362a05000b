//! What a player's launcher can meet when it asks a repository what is current.

use super::time::UnixTime;

/// Why metadata was not believed. Every code is stable; [`TrustError::advice`] says what a player can do.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// Not fresh any more.
    #[error("the {role} metadata expired at {expires}")]
    Expired {
        /// The role.
        role: String,
        /// Until when it was good.
        expires: UnixTime,
    },
    /// Older than what was seen before.
    #[error("the server sent {role} metadata older than seen before (version {offered} after {trusted})")]
    RolledBack {
        /// The role.
        role: String,
        /// The version trusted so far.
        trusted: u64,
        /// The version offered.
        offered: u64,
    },
    /// Content that is not what was signed, or not signed by enough of the right keys.
    #[error("{file} is not what the studio signed: {reason}")]
    Tampered {
        /// The file.
        file: String,
        /// What did not match.
        reason: String,
    },
    /// A file that ends early.
    #[error("{file} is cut short")]
    Truncated {
        /// The file.
        file: String,
    },
    /// Not metadata at all, or of a kind this program does not read.
    #[error("{file} cannot be read: {reason}")]
    Malformed {
        /// The file.
        file: String,
        /// Why.
        reason: String,
    },
    /// The pinned root is unusable, or the repository's roots do not follow from it.
    #[error("the repository does not belong to the root this launcher trusts: {reason}")]
    WrongRoot {
        /// Why.
        reason: String,
    },
    /// More root files than anybody signs.
    #[error("the repository offers more than {0} new root files in a row")]
    TooManyRoots(u32),
    /// A file the repository must have is not there.
    #[error("the server does not have {file}")]
    Missing {
        /// The file.
        file: String,
    },
    /// More bytes than the file may have.
    #[error("{file} is longer than the {limit} bytes it may have")]
    TooLarge {
        /// The file.
        file: String,
        /// The bound.
        limit: u64,
    },
    /// The game, channel or release does not exist, as far as the studio signed.
    #[error("there is no {0} in this repository")]
    NotFound(String),
    /// The channel names a release that the release role did not sign for it.
    #[error("the channel points at a release it may not: {reason}")]
    NotAllowed {
        /// What does not fit.
        reason: String,
    },
    /// Below the floor the release role signed.
    #[error("the channel points at sequence {offered}, below the signed floor {floor}")]
    BelowFloor {
        /// Where the channel points.
        offered: u64,
        /// The lowest allowed.
        floor: u64,
    },
    /// Below what is installed, without a signed rollback.
    #[error(
        "the channel points at sequence {offered}, but {installed} is installed and no signed statement withdraws it"
    )]
    Downgrade {
        /// Where the channel points.
        offered: u64,
        /// What is installed.
        installed: u64,
    },
    /// A verified document that does not hold what it should.
    #[error("{file} is signed but unusable: {reason}")]
    BadContent {
        /// The target.
        file: String,
        /// Stable code of the content's own error.
        code: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// [`crate::trust::Client::refresh`] has not succeeded yet.
    #[error("the repository was not asked yet")]
    NotRefreshed,
    /// The connection.
    #[error("{file} could not be fetched: {reason}")]
    Transport {
        /// The file.
        file: String,
        /// What the transport said.
        reason: String,
    },
    /// The state folder.
    #[error("the trusted state in {path} cannot be used: {reason}")]
    State {
        /// The file or folder.
        path: String,
        /// Why.
        reason: String,
    },
}

impl TrustError {
    /// Stable code for logs, `--json` output and the help pages.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Expired { .. } => "E-TRUST-EXPIRED",
            Self::RolledBack { .. } => "E-TRUST-ROLLBACK",
            Self::Tampered { .. } => "E-TRUST-TAMPERED",
            Self::Truncated { .. } => "E-TRUST-TRUNCATED",
            Self::Malformed { .. } => "E-TRUST-MALFORMED",
            Self::WrongRoot { .. } => "E-TRUST-ROOT",
            Self::TooManyRoots(_) => "E-TRUST-FAST-FORWARD",
            Self::Missing { .. } => "E-TRUST-MISSING",
            Self::TooLarge { .. } => "E-TRUST-TOO-LARGE",
            Self::NotFound(_) => "E-TRUST-NOT-FOUND",
            Self::NotAllowed { .. } => "E-TRUST-CHANNEL",
            Self::BelowFloor { .. } => "E-TRUST-FLOOR",
            Self::Downgrade { .. } => "E-TRUST-DOWNGRADE",
            Self::BadContent { code, .. } => code,
            Self::NotRefreshed => "E-TRUST-NOT-REFRESHED",
            Self::Transport { .. } => "E-TRUST-TRANSPORT",
            Self::State { .. } => "E-TRUST-STATE",
        }
    }

    /// What the player can do.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::Expired { .. } => {
                "Check this computer's date and time. If they are right, the studio has to sign its repository again; you can play what is installed."
            }
            Self::RolledBack { .. }
            | Self::Tampered { .. }
            | Self::BelowFloor { .. }
            | Self::NotAllowed { .. } => {
                "Nothing was changed and what is installed is safe to play. The server, or something on the way to it, may be under attack: try another network, and tell the studio."
            }
            Self::Downgrade { .. } => {
                "Nothing was changed. Keep playing the installed release, and tell the studio."
            }
            Self::WrongRoot { .. } => {
                "Check that --trust is the root file of this studio; get it from the studio again."
            }
            Self::Truncated { .. }
            | Self::Malformed { .. }
            | Self::Missing { .. }
            | Self::TooLarge { .. }
            | Self::TooManyRoots(_) => {
                "Check that --repo is the address of a Samara repository, and try again later."
            }
            Self::NotFound(_) => "Check the names of the game, channel and release.",
            Self::BadContent { .. } => "Update the launcher; if it is current, tell the studio.",
            Self::NotRefreshed | Self::Transport { .. } => "Check the connection and try again.",
            Self::State { .. } => "Check the permissions and space of that folder.",
        }
    }
}

/// An error with its causes, as one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
