//! Where a repository lies and how its roles are set up.

use std::path::PathBuf;

use super::PublishError;

/// The folders of a repository on the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepositoryPaths {
    /// Everything served to the world: `metadata/`, `targets/` and what other crates put beside them.
    pub public: PathBuf,
    /// Keys of `snapshot`, `timestamp` and the channels roles, and the lock. Never served.
    pub private: PathBuf,
}

impl RepositoryPaths {
    /// The layout below a data folder: `public/` and `state/trust/`.
    pub fn below(data: &std::path::Path) -> Self {
        Self { public: data.join("public"), private: data.join("state").join("trust") }
    }

    pub(crate) fn metadata(&self, name: &str) -> PathBuf {
        self.public.join("metadata").join(name)
    }

    pub(crate) fn target(&self, consistent: &str) -> PathBuf {
        let mut path = self.public.join("targets");
        path.extend(consistent.split('/'));
        path
    }

    pub(crate) fn online_keys(&self) -> PathBuf {
        self.private.join("keys")
    }

    pub(crate) fn lock(&self) -> PathBuf {
        self.private.join("lock")
    }
}

/// How many keys a role gets, and how many must sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RoleOptions {
    /// Keys to make.
    pub keys: u32,
    /// Signatures needed.
    pub threshold: u32,
}

impl RoleOptions {
    pub(crate) fn check(self) -> Result<Self, PublishError> {
        if self.threshold == 0 || self.threshold > self.keys || self.keys > 32 {
            return Err(PublishError::Options(
                "a role needs 1 to 32 keys, and a threshold from 1 to that number",
            ));
        }
        Ok(self)
    }
}

/// What `init` sets up.
///
/// The default suits one person: two root keys of which one suffices, so that the second can be kept in another place
/// and the loss of one is not the loss of every player; one key each for targets and releases. A studio with several
/// hands raises the thresholds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InitOptions {
    /// Offline root.
    pub root: RoleOptions,
    /// Offline top-level targets.
    pub targets: RoleOptions,
    /// Offline release role of each game, made when the game is added.
    pub releases: RoleOptions,
    /// How long signatures last.
    pub lifetimes: Lifetimes,
}

impl Default for InitOptions {
    fn default() -> Self {
        Self {
            root: RoleOptions { keys: 2, threshold: 1 },
            targets: RoleOptions { keys: 1, threshold: 1 },
            releases: RoleOptions { keys: 1, threshold: 1 },
            lifetimes: Lifetimes::default(),
        }
    }
}

/// Days until a role's signature expires.
///
/// Freezing is held off by the timestamp, which is signed again every day. The offline roles live long: a game that gets
/// no release for a year must stay installable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetimes {
    /// `root` and `targets`.
    pub root_days: u32,
    /// Release roles.
    pub releases_days: u32,
    /// Channels roles and `snapshot`; signed again by `refresh` when half the time is over.
    pub online_days: u32,
    /// `timestamp`.
    pub timestamp_days: u32,
}

impl Default for Lifetimes {
    fn default() -> Self {
        Self { root_days: 1825, releases_days: 1825, online_days: 60, timestamp_days: 7 }
    }
}
