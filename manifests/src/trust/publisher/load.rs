//! Reading a repository back, verified from a root as a client would.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use sigstore_tuf::TrustedMetadataSet;

use super::{Lifetimes, PublishError, Repository, RepositoryPaths, RoleOptions, State};
use crate::trust::crypto;
use crate::trust::files::{self, Disk};
use crate::trust::keys::Keyring;
use crate::trust::limits::Limits;
use crate::trust::model::{Pin, Signed, Targets};

/// Newer roots followed from the first one.
const MAX_ROOTS: u64 = 1024;
/// The root that offline keys vouch for, kept beside them.
const PINNED_ROOT: &str = "root.json";
/// The versions these keys have signed, kept beside them.
const SIGNED_VERSIONS: &str = "signed.json";
const MAX_VERSIONS_BYTES: u64 = 4 << 20;
/// Expiry is a client's business: what a studio signs again may have expired.
const NO_EXPIRY: jiff::Timestamp = jiff::Timestamp::MIN;

/// The offline side: keys, the root they vouch for, and what they signed before.
#[derive(Debug, Clone)]
pub struct OfflineKeys {
    pub(super) ring: Keyring,
    pub(super) folder: PathBuf,
    pub(super) root: Option<Vec<u8>>,
    pub(super) signed: BTreeMap<String, u64>,
}

impl OfflineKeys {
    /// Opens the folder that [`Repository::init`] made.
    ///
    /// # Errors
    /// [`PublishError::KeyFolder`], [`PublishError::KeyFile`].
    pub fn open(folder: &Path) -> Result<Self, PublishError> {
        let unreadable = |source| PublishError::KeyFolder { path: folder.to_owned(), source };
        let ring = Keyring::load(folder)?;
        let root = files::read_if_there(&folder.join(PINNED_ROOT), Limits::default().root_bytes)
            .map_err(unreadable)?;
        let signed = match files::read_if_there(&folder.join(SIGNED_VERSIONS), MAX_VERSIONS_BYTES)
            .map_err(unreadable)?
        {
            Some(bytes) => serde_json::from_slice(&bytes).map_err(|error| PublishError::KeyFile {
                path: folder.join(SIGNED_VERSIONS),
                reason: error.to_string(),
            })?,
            None => BTreeMap::new(),
        };
        Ok(Self { ring, folder: folder.to_owned(), root, signed })
    }

    /// Adds the keys of a further folder, for thresholds above one.
    ///
    /// # Errors
    /// As [`OfflineKeys::open`].
    pub fn add_folder(&mut self, folder: &Path) -> Result<(), PublishError> {
        self.ring.add_folder(folder)
    }

    /// The root players are given, to be published beside the launcher.
    pub fn pinned_root(&self) -> Option<&[u8]> {
        self.root.as_deref()
    }

    pub(super) fn save_root(&mut self, disk: &Disk, bytes: &[u8]) -> Result<(), PublishError> {
        let path = self.folder.join(PINNED_ROOT);
        disk.replace(&path, bytes).map_err(|source| PublishError::Io { path, source })?;
        self.root = Some(bytes.to_vec());
        Ok(())
    }

    /// Remembers what was just signed. A folder that cannot be written only loses this extra check.
    pub(super) fn save_signed(&mut self, disk: &Disk, versions: BTreeMap<String, u64>) {
        self.signed.extend(versions);
        let written = serde_json::to_vec_pretty(&self.signed)
            .map_err(std::io::Error::other)
            .and_then(|bytes| disk.replace(&self.folder.join(SIGNED_VERSIONS), &bytes));
        if let Err(error) = written {
            tracing::warn!(folder = %self.folder.display(), %error, "could not record the versions signed");
        }
    }

    pub(super) fn check_not_set_back(&self, role: &str, found: u64) -> Result<(), PublishError> {
        match self.signed.get(role) {
            Some(&signed) if signed > found => {
                Err(PublishError::SetBack { role: role.to_owned(), found, signed })
            }
            _ => Ok(()),
        }
    }

    pub(super) fn role_keys(
        &mut self,
        role: &str,
        options: RoleOptions,
    ) -> Result<Vec<(String, crate::trust::model::TufKey)>, PublishError> {
        let options = options.check()?;
        (1..=options.keys)
            .map(|number| self.ring.load_or_create(&self.folder, &format!("{role}-{number}")))
            .collect()
    }
}

impl Repository {
    /// Opens a repository and verifies its metadata from its first root.
    ///
    /// # Errors
    /// [`PublishError::Missing`], [`PublishError::Damaged`], [`PublishError::KeyFolder`].
    pub fn open(paths: RepositoryPaths) -> Result<Self, PublishError> {
        let disk = Disk::default();
        if !files::exists(&paths.metadata("timestamp.json")) {
            return Err(PublishError::Missing { path: paths.public });
        }
        let online = Keyring::load(&paths.online_keys())?;
        let state = load_state(&paths, None)?;
        Ok(Self { paths, lifetimes: Lifetimes::default(), online, disk, state })
    }

    /// Uses other lifetimes for what is signed from now on.
    #[must_use]
    pub fn with_lifetimes(mut self, lifetimes: Lifetimes) -> Self {
        self.lifetimes = lifetimes;
        self
    }

    /// Its folders.
    pub fn paths(&self) -> &RepositoryPaths {
        &self.paths
    }
}

/// Reads and verifies everything from `pinned`, or from the repository's own first root.
pub(super) fn load_state(
    paths: &RepositoryPaths,
    pinned: Option<&OfflineKeys>,
) -> Result<State, PublishError> {
    crypto::install();
    let limits = Limits::default();
    let mut trusted = load_root(paths, pinned, &limits)?;
    let timestamp = read(paths, "timestamp.json", limits.timestamp_bytes)?;
    let verified = |file: &str, result: Result<(), sigstore_tuf::Error>| {
        result.map_err(|error| damaged(file, &crate::trust::error::chain(&error)))
    };
    verified("timestamp.json", trusted.update_timestamp(&timestamp, NO_EXPIRY))?;
    let name = format!(
        "{}.snapshot.json",
        trusted.timestamp().and_then(|t| t.snapshot_meta()).map_or(0, |m| m.version)
    );
    let snapshot = read(paths, &name, limits.snapshot_bytes)?;
    verified(&name, trusted.update_snapshot(&snapshot, NO_EXPIRY))?;
    let snapshot: super::Snapshot = parse(&name, &snapshot)?;

    let name = role_file(&snapshot.meta, "targets")?;
    let bytes = read(paths, &name, limits.targets_bytes)?;
    verified(&name, trusted.update_targets(&bytes, NO_EXPIRY).map(drop))?;
    let targets: Targets = parse(&name, &bytes)?;
    let mut delegated = BTreeMap::new();
    for role in targets.delegations.iter().flat_map(|delegations| &delegations.roles) {
        let name = role_file(&snapshot.meta, &role.name)?;
        let bytes = read(paths, &name, limits.targets_bytes)?;
        verified(
            &name,
            trusted.update_delegated_targets(&bytes, &role.name, "targets", NO_EXPIRY).map(drop),
        )?;
        delegated.insert(role.name.clone(), parse(&name, &bytes)?);
    }
    let root = parse("root.json", trusted.root_bytes())?;
    Ok(State { root, timestamp: parse("timestamp.json", &timestamp)?, snapshot, targets, delegated })
}

fn load_root(
    paths: &RepositoryPaths,
    pinned: Option<&OfflineKeys>,
    limits: &Limits,
) -> Result<TrustedMetadataSet, PublishError> {
    let first = match pinned {
        None => read(paths, "1.root.json", limits.root_bytes)?,
        Some(keys) => {
            keys.root.clone().ok_or_else(|| PublishError::WrongRoot { path: keys.folder.clone() })?
        }
    };
    let mut trusted = TrustedMetadataSet::from_root(&first)
        .map_err(|error| damaged("root.json", &crate::trust::error::chain(&error)))?;
    if let Some(keys) = pinned {
        // The same version, but another root: these keys belong to another repository.
        let name = format!("{}.root.json", trusted.root().version);
        if read(paths, &name, limits.root_bytes)? != first {
            return Err(PublishError::WrongRoot { path: keys.folder.clone() });
        }
    }
    for _ in 0..MAX_ROOTS {
        let name = format!("{}.root.json", trusted.root().version.saturating_add(1));
        let path = paths.metadata(&name);
        let next = files::read_if_there(&path, limits.root_bytes);
        let Some(next) = next.map_err(|source| PublishError::Io { path, source })? else { break };
        trusted.update_root(&next).map_err(|error| damaged(&name, &crate::trust::error::chain(&error)))?;
    }
    Ok(trusted)
}

fn role_file(meta: &BTreeMap<String, Pin>, role: &str) -> Result<String, PublishError> {
    let pin = meta.get(&format!("{role}.json"));
    let pin = pin.ok_or_else(|| damaged("snapshot.json", &format!("it does not list {role}")))?;
    Ok(format!("{}.{role}.json", pin.version))
}

fn read(paths: &RepositoryPaths, name: &str, limit: u64) -> Result<Vec<u8>, PublishError> {
    let path = paths.metadata(name);
    match files::read_if_there(&path, limit) {
        Ok(Some(bytes)) => Ok(bytes),
        Ok(None) => Err(damaged(name, "it is missing")),
        Err(source) => Err(PublishError::Io { path, source }),
    }
}

fn parse<T: DeserializeOwned>(name: &str, bytes: &[u8]) -> Result<T, PublishError> {
    let signed: Signed<T> =
        serde_json::from_slice(bytes).map_err(|error| damaged(name, &error.to_string()))?;
    Ok(signed.signed)
}

pub(super) fn damaged(file: &str, reason: &str) -> PublishError {
    PublishError::Damaged { file: file.to_owned(), reason: reason.to_owned() }
}
