//! Making a repository, and adding games to it.

use std::collections::BTreeMap;
use std::path::Path;

use super::change::sign;
use super::load::OfflineKeys;
use super::{InitOptions, PublishError, Repository, RepositoryPaths, RoleOptions, State};
use crate::release::GameId;
use crate::trust::files::{self, Disk, Lock};
use crate::trust::keys::Keyring;
use crate::trust::model::{
    DelegatedRole, Delegations, Pin, RoleKeys, Root, RootType, SPEC_VERSION, Signed, Snapshot, SnapshotType,
    Targets, Timestamp, TimestampType, TufKey, channels_role, release_role,
};
use crate::trust::time::UnixTime;

/// The online key of every game's channels role.
const CHANNELS_KEY: &str = "channels";

impl Repository {
    /// Makes keys and a repository without games. `public/metadata/root.json`, which is also kept in `keys`, is what
    /// players are given with the launcher.
    ///
    /// Cut short, it can simply be run again: keys and root that were written are used.
    ///
    /// # Errors
    /// [`PublishError::Exists`] when there is a repository, [`PublishError::MissingKey`] when `keys` belongs to another
    /// one, [`PublishError::Options`], and those of the disk.
    pub fn init(
        paths: RepositoryPaths,
        keys: &Path,
        options: &InitOptions,
        now: UnixTime,
    ) -> Result<(Self, OfflineKeys), PublishError> {
        Self::init_on(Disk::default(), paths, keys, options, now)
    }

    pub(super) fn init_on(
        disk: Disk,
        paths: RepositoryPaths,
        keys: &Path,
        options: &InitOptions,
        now: UnixTime,
    ) -> Result<(Self, OfflineKeys), PublishError> {
        let path = paths.lock();
        let lock = Lock::take(&path).map_err(|source| PublishError::Io { path, source })?;
        let _lock = lock.ok_or_else(|| PublishError::Busy { path: paths.public.clone() })?;
        if files::exists(&paths.metadata("timestamp.json")) {
            return Err(PublishError::Exists { path: paths.public });
        }
        files::create_private_dir(keys)
            .map_err(|source| PublishError::KeyFolder { path: keys.to_owned(), source })?;
        let mut offline = OfflineKeys::open(keys)?;
        let mut online = Keyring::empty();
        let root_bytes = match offline.root.clone() {
            Some(bytes) => bytes,
            None => {
                let bytes = make_root(&paths, &mut offline, &mut online, options, now)?;
                offline.save_root(&disk, &bytes)?;
                bytes
            }
        };
        // Made now, so that a server that is already running knows it when the first game is added.
        online.load_or_create(&paths.online_keys(), CHANNELS_KEY)?;
        let online = Keyring::load(&paths.online_keys())?;
        let root: Signed<Root> = serde_json::from_slice(&root_bytes)
            .map_err(|error| super::load::damaged("root.json", &error.to_string()))?;
        let state = State {
            root: root.signed,
            timestamp: empty_timestamp(),
            snapshot: empty_snapshot(),
            targets: Targets { delegations: Some(Delegations::default()), ..Targets::new() },
            delegated: BTreeMap::new(),
        };
        let mut repo = Self { paths, lifetimes: options.lifetimes, online, disk, state };
        repo.write_first(&offline, &root_bytes, now)?;
        Ok((repo, offline))
    }

    fn write_first(&mut self, offline: &OfflineKeys, root: &[u8], now: UnixTime) -> Result<(), PublishError> {
        let mut ring = self.online.clone();
        ring.join(&offline.ring);
        let State { root: model, targets, snapshot, timestamp, .. } = &mut self.state;
        let keys = |role: &str| {
            let missing = || super::load::damaged("root.json", &format!("nobody may sign {role}"));
            model.roles.get(role).ok_or_else(missing)
        };
        targets.version = 1;
        targets.expires = now.plus_days(self.lifetimes.root_days);
        let targets_bytes = sign("targets", targets, keys("targets")?, &ring)?;
        snapshot.version = 1;
        snapshot.expires = now.plus_days(self.lifetimes.online_days);
        snapshot.meta = [("targets.json".to_owned(), Pin::of(1, &targets_bytes))].into();
        let snapshot_bytes = sign("snapshot", snapshot, keys("snapshot")?, &ring)?;
        timestamp.version = 1;
        timestamp.expires = now.plus_days(self.lifetimes.timestamp_days);
        timestamp.signed_at = now.0;
        timestamp.meta = [("snapshot.json".to_owned(), Pin::of(1, &snapshot_bytes))].into();
        let timestamp_bytes = sign("timestamp", timestamp, keys("timestamp")?, &ring)?;
        let version = format!("{}.root.json", model.version);
        for (name, bytes) in [
            (version.as_str(), root),
            ("root.json", root),
            ("1.targets.json", &targets_bytes),
            ("1.snapshot.json", &snapshot_bytes),
            ("timestamp.json", &timestamp_bytes),
        ] {
            let path = self.paths.metadata(name);
            self.disk.replace(&path, bytes).map_err(|source| PublishError::Io { path, source })?;
        }
        Ok(())
    }

    /// Adds a game: an offline release role with keys of its own, and an online channels role. A game that is there
    /// already stays as it is.
    ///
    /// # Errors
    /// [`PublishError::MissingKey`] without the targets keys, and those of [`Repository::open`].
    pub fn add_game(
        &mut self,
        offline: &mut OfflineKeys,
        game: &GameId,
        releases: RoleOptions,
        now: UnixTime,
    ) -> Result<(), PublishError> {
        let paths = self.paths.clone();
        let mut change = self.change(Some(offline), now)?;
        let role = release_role(game);
        if change.state.targets.delegated(&role).is_some() {
            return Ok(());
        }
        let release_keys = offline.role_keys(&role, releases)?;
        let mut online = Keyring::empty();
        let channels_key = online.load_or_create(&paths.online_keys(), CHANNELS_KEY)?;
        change.add_keys(&offline.ring);
        change.add_keys(&online);
        let channels = channels_role(game);
        let delegations = change.edit("targets")?.delegations.get_or_insert_default();
        delegate(delegations, &role, release_keys, releases.threshold, format!("games/{game}/releases/*"));
        delegate(delegations, &channels, vec![channels_key], 1, format!("games/{game}/channels/*"));
        for role in [role, channels] {
            change.state.delegated.insert(role.clone(), Targets::new());
            change.edit(&role)?;
        }
        let versions = change.commit()?;
        self.online.join(&online);
        let disk = self.disk.clone();
        offline.save_signed(&disk, versions);
        Ok(())
    }
}

fn make_root(
    paths: &RepositoryPaths,
    offline: &mut OfflineKeys,
    online: &mut Keyring,
    options: &InitOptions,
    now: UnixTime,
) -> Result<Vec<u8>, PublishError> {
    let mut root = Root {
        kind: RootType::Tag,
        spec_version: SPEC_VERSION.to_owned(),
        version: 1,
        expires: now.plus_days(options.lifetimes.root_days),
        consistent_snapshot: true,
        keys: BTreeMap::new(),
        roles: BTreeMap::new(),
    };
    let mut add = |role: &str, keys: Vec<(String, TufKey)>, threshold: u32| {
        let keyids = keys.iter().map(|(id, _)| id.clone()).collect();
        root.keys.extend(keys);
        root.roles.insert(role.to_owned(), RoleKeys { keyids, threshold });
    };
    add("root", offline.role_keys("root", options.root)?, options.root.threshold);
    add("targets", offline.role_keys("targets", options.targets)?, options.targets.threshold);
    for role in ["snapshot", "timestamp"] {
        add(role, vec![online.load_or_create(&paths.online_keys(), role)?], 1);
    }
    let keys = root.roles.get("root").cloned().ok_or(PublishError::Options("no root keys"))?;
    sign("root", &root, &keys, &offline.ring)
}

fn delegate(
    delegations: &mut Delegations,
    role: &str,
    keys: Vec<(String, TufKey)>,
    threshold: u32,
    pattern: String,
) {
    let keyids = keys.iter().map(|(id, _)| id.clone()).collect();
    delegations.keys.extend(keys);
    let name = role.to_owned();
    delegations.roles.push(DelegatedRole {
        name,
        keyids,
        threshold,
        terminating: true,
        paths: vec![pattern],
    });
}

fn empty_timestamp() -> Timestamp {
    Timestamp {
        kind: TimestampType::Tag,
        spec_version: SPEC_VERSION.to_owned(),
        version: 0,
        expires: UnixTime::default(),
        meta: BTreeMap::new(),
        signed_at: 0,
    }
}

fn empty_snapshot() -> Snapshot {
    Snapshot {
        kind: SnapshotType::Tag,
        spec_version: SPEC_VERSION.to_owned(),
        version: 0,
        expires: UnixTime::default(),
        meta: BTreeMap::new(),
    }
}
