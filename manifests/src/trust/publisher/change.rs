//! One change: role files edited in memory, signed, and written in an order that a crash cannot harm.
//!
//! New files first, under names nothing refers to yet (targets by hash, roles and snapshot by version); the timestamp
//! last. Cut anywhere before that last rename, the repository is the one it was.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;

use super::load::load_state;
use super::{OfflineKeys, PublishError, Repository, State};
use crate::trust::files::{Disk, Lock};
use crate::trust::json::canonical;
use crate::trust::keys::Keyring;
use crate::trust::model::{Custom, Hashes, Pin, RoleKeys, Signed, TargetInfo, Targets, consistent_path};
use crate::trust::time::UnixTime;

pub(super) struct Change<'a> {
    repo: &'a mut Repository,
    _lock: Lock,
    now: UnixTime,
    ring: Keyring,
    pub(super) state: State,
    dirty: BTreeMap<String, ()>,
    files: Vec<(PathBuf, Vec<u8>)>,
}

impl Repository {
    /// Starts a change on the newest state. With `offline`, that state is verified from the keys' own root.
    pub(super) fn change(
        &mut self,
        offline: Option<&OfflineKeys>,
        now: UnixTime,
    ) -> Result<Change<'_>, PublishError> {
        let path = self.paths.lock();
        let lock = Lock::take(&path).map_err(|source| PublishError::Io { path, source })?;
        let lock = lock.ok_or_else(|| PublishError::Busy { path: self.paths.public.clone() })?;
        let state = load_state(&self.paths, offline)?;
        let mut ring = self.online.clone();
        if let Some(keys) = offline {
            ring.join(&keys.ring);
            keys.check_not_set_back("targets", state.targets.version)?;
            for (role, targets) in &state.delegated {
                keys.check_not_set_back(role, targets.version)?;
            }
        }
        self.state = state.clone();
        Ok(Change { repo: self, _lock: lock, now, ring, state, dirty: BTreeMap::new(), files: Vec::new() })
    }
}

impl Change<'_> {
    /// The repository as it stands, under this change's lock.
    pub(super) fn before(&self) -> &Repository {
        self.repo
    }

    pub(super) fn disk(&self) -> Disk {
        self.repo.disk.clone()
    }

    /// The role file to edit; it will be signed again.
    pub(super) fn edit(&mut self, role: &str) -> Result<&mut Targets, PublishError> {
        let targets = match role {
            "targets" => &mut self.state.targets,
            _ => self.state.delegated.get_mut(role).ok_or_else(|| PublishError::NoGame(role.to_owned()))?,
        };
        self.dirty.insert(role.to_owned(), ());
        Ok(targets)
    }

    /// Adds keys made during the change.
    pub(super) fn add_keys(&mut self, ring: &Keyring) {
        self.ring.join(ring);
    }

    /// Lists and stores a target of `role`.
    pub(super) fn put_target(
        &mut self,
        role: &str,
        target: &str,
        bytes: Vec<u8>,
        sequence: Option<u64>,
    ) -> Result<(), PublishError> {
        let hashes = Hashes::of(&bytes);
        let path = self.repo.paths.target(&consistent_path(target, &hashes.sha256));
        let custom = sequence.map(|sequence| Custom { sequence });
        let info = TargetInfo { length: bytes.len() as u64, hashes, custom };
        self.edit(role)?.targets.insert(target.to_owned(), info);
        self.files.push((path, bytes));
        Ok(())
    }

    /// Signs again what has lived half its time, of the roles whose keys are online.
    pub(super) fn renew_online(&mut self) {
        let half = self.now.plus_days(self.repo.lifetimes.online_days / 2);
        for (role, targets) in &self.state.delegated {
            if role.ends_with(".channels") && targets.expires < half {
                self.dirty.insert(role.clone(), ());
            }
        }
    }

    /// Signs and writes. Returns the versions signed, by role.
    pub(super) fn commit(mut self) -> Result<BTreeMap<String, u64>, PublishError> {
        let mut versions = BTreeMap::new();
        let roles: Vec<String> = self.dirty.keys().cloned().collect();
        // Delegated roles first: "targets" delegates to them.
        for role in roles
            .iter()
            .filter(|role| *role != "targets")
            .chain(roles.iter().filter(|role| *role == "targets"))
        {
            versions.insert(role.clone(), self.sign_targets(role)?);
        }
        let half = self.now.plus_days(self.repo.lifetimes.online_days / 2);
        if !roles.is_empty() || self.state.snapshot.expires < half {
            self.sign_snapshot()?;
        }
        self.sign_timestamp()?;
        for (path, bytes) in &self.files {
            self.repo
                .disk
                .replace(path, bytes)
                .map_err(|source| PublishError::Io { path: path.clone(), source })?;
        }
        self.repo.state = self.state;
        Ok(versions)
    }

    fn sign_targets(&mut self, role: &str) -> Result<u64, PublishError> {
        let lifetimes = self.repo.lifetimes;
        let days = match role {
            "targets" => lifetimes.root_days,
            _ if role.ends_with(".channels") => lifetimes.online_days,
            _ => lifetimes.releases_days,
        };
        let expires = self.now.plus_days(days);
        let keys = self.keys_of(role)?;
        let targets = self.edit(role)?;
        targets.version += 1;
        targets.expires = expires;
        let (version, bytes) = (targets.version, sign(role, &targets.clone(), &keys, &self.ring)?);
        self.state.snapshot.meta.insert(format!("{role}.json"), Pin::of(version, &bytes));
        self.files.push((self.repo.paths.metadata(&format!("{version}.{role}.json")), bytes));
        Ok(version)
    }

    fn sign_snapshot(&mut self) -> Result<(), PublishError> {
        let keys = self.keys_of("snapshot")?;
        let snapshot = &mut self.state.snapshot;
        snapshot.version += 1;
        snapshot.expires = self.now.plus_days(self.repo.lifetimes.online_days);
        let bytes = sign("snapshot", snapshot, &keys, &self.ring)?;
        let pin = Pin::of(snapshot.version, &bytes);
        self.state.timestamp.meta = [("snapshot.json".to_owned(), pin)].into();
        let path = self.repo.paths.metadata(&format!("{}.snapshot.json", snapshot.version));
        self.files.push((path, bytes));
        Ok(())
    }

    fn sign_timestamp(&mut self) -> Result<(), PublishError> {
        let keys = self.keys_of("timestamp")?;
        let timestamp = &mut self.state.timestamp;
        timestamp.version += 1;
        timestamp.expires = self.now.plus_days(self.repo.lifetimes.timestamp_days);
        timestamp.signed_at = self.now.0;
        let bytes = sign("timestamp", timestamp, &keys, &self.ring)?;
        self.files.push((self.repo.paths.metadata("timestamp.json"), bytes));
        Ok(())
    }

    fn keys_of(&self, role: &str) -> Result<RoleKeys, PublishError> {
        let missing = || super::load::damaged("root.json", &format!("nobody may sign {role}"));
        match self.state.root.roles.get(role) {
            Some(keys) => Ok(keys.clone()),
            None => Ok(self.state.targets.delegated(role).ok_or_else(missing)?.role_keys()),
        }
    }
}

/// The signed file: canonical JSON throughout, with a signature by each key at hand, at least as many as needed.
pub(super) fn sign<T: Serialize>(
    role: &str,
    signed: &T,
    keys: &RoleKeys,
    ring: &Keyring,
) -> Result<Vec<u8>, PublishError> {
    check_keys(role, keys, ring)?;
    let signatures = ring.sign(&keys.keyids, &canonical(signed)?);
    Ok(canonical(&Signed { signatures, signed })?)
}

/// Whether enough of a role's keys are at hand.
pub(super) fn check_keys(role: &str, keys: &RoleKeys, ring: &Keyring) -> Result<(), PublishError> {
    let found = ring.count(&keys.keyids);
    if found >= keys.threshold as usize && found > 0 {
        return Ok(());
    }
    Err(PublishError::MissingKey {
        role: role.to_owned(),
        threshold: keys.threshold,
        found,
        folders: ring.folders().to_vec(),
    })
}
