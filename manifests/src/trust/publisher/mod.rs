//! The publishing side: a TUF 1.0 repository with consistent snapshots, written so that a crash between any two writes
//! leaves a repository that verifies.
//!
//! | role | keys | signs |
//! |---|---|---|
//! | `root` | offline | which keys the other roles have |
//! | `targets` | offline | delegations only |
//! | `<game>.releases` | offline | `games/<game>/releases/*`: manifests, floors, rollback statements |
//! | `<game>.channels` | online | `games/<game>/channels/*` |
//! | `snapshot`, `timestamp` | online | which versions of the above are current |
//!
//! The server's copy is not believed: before an offline key extends a role file, that file is verified from the root
//! kept beside the keys, and must not be older than what these keys signed before.

mod error;
mod options;
mod load;
mod change;
mod init;
mod games;

pub use error::PublishError;
pub use games::ReleaseInfo;
pub use load::OfflineKeys;
pub use options::{InitOptions, Lifetimes, RepositoryPaths, RoleOptions};

use std::collections::BTreeMap;

use super::files::Disk;
use super::keys::Keyring;
use super::model::{Root, Snapshot, Targets, Timestamp};

/// An open repository. Cheap to keep; every change reads the files again under a lock.
#[derive(Debug, Clone)]
pub struct Repository {
    paths: RepositoryPaths,
    lifetimes: Lifetimes,
    online: Keyring,
    disk: Disk,
    state: State,
}

/// The metadata as it stands on disk, verified.
#[derive(Debug, Clone)]
pub(crate) struct State {
    root: Root,
    timestamp: Timestamp,
    snapshot: Snapshot,
    targets: Targets,
    delegated: BTreeMap<String, Targets>,
}

#[cfg(test)]
pub(crate) mod tests;
