//! What a client remembers: the newest verified metadata, which carries the trusted versions and the latest time.
//!
//! Written durably as soon as it is verified; when that fails, the next step of the refresh does too. Nothing here is
//! believed when it is read: it is verified again from the pinned root.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use sigstore_tuf::{Error, Metadata, MetadataStore, Root, Snapshot, Timestamp, TrustedMetadataSet};

use crate::trust::TrustError;
use crate::trust::files::{self, Disk};
use crate::trust::limits::Limits;
use crate::trust::model::SIGNED_AT;
use crate::trust::time::UnixTime;

/// Longest state file read, in bytes: the longest metadata file.
const MAX_STATE_BYTES: u64 = 8 << 20;
const EXPIRED: &str = "local/expired.json";
/// A clock further off than this says nothing about when metadata expired.
const PLAUSIBLE_DAYS: u32 = 30;

/// The state folder, shared with the `sigstore-tuf` updater.
#[derive(Debug, Clone)]
pub(super) struct State {
    dir: PathBuf,
    limits: Limits,
    pub(super) disk: Disk,
    fault: Arc<Mutex<Option<TrustError>>>,
}

/// "This timestamp was seen to be expired": a clock that goes back later does not revive it.
#[derive(Debug, Serialize, Deserialize)]
struct SeenExpired {
    version: u64,
    /// The timestamp keys of then. A root that changes them starts anew.
    keys: Vec<String>,
}

impl State {
    pub(super) fn new(dir: &Path, limits: Limits) -> Self {
        Self { dir: dir.to_owned(), limits, disk: Disk::default(), fault: Arc::default() }
    }

    fn path(&self, name: &str) -> PathBuf {
        let mut path = self.dir.clone();
        path.extend(name.split('/'));
        path
    }

    pub(super) fn read(&self, name: &str) -> Result<Option<Vec<u8>>, TrustError> {
        let path = self.path(name);
        files::read_if_there(&path, MAX_STATE_BYTES).map_err(|error| broken(&path, &error))
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), TrustError> {
        let path = self.path(name);
        self.disk.replace(&path, bytes).map_err(|error| broken(&path, &error))
    }

    pub(super) fn set_fault(&self, error: TrustError) {
        self.fault.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
    }

    pub(super) fn take_fault(&self) -> Option<TrustError> {
        self.fault.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    pub(super) fn has_fault(&self) -> bool {
        self.fault.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// The metadata remembered, as far as it still follows from `pinned`: roots, then the timestamp.
    fn remembered(&self, pinned: &[u8]) -> Result<Option<TrustedMetadataSet>, TrustError> {
        let Ok(mut trusted) = TrustedMetadataSet::from_root(pinned) else { return Ok(None) };
        loop {
            let name = format!("root_history/{}.root.json", trusted.root().version.saturating_add(1));
            match self.read(&name)? {
                Some(bytes) if trusted.update_root(&bytes).is_ok() => {}
                _ => break,
            }
        }
        if let Some(bytes) = self.read("timestamp.json")? {
            // Verified against the newest root: when its keys were replaced, this is forgotten, and with it whatever
            // a thief made us remember (fast-forward recovery, TUF 5.3.11).
            let _ = trusted.update_timestamp(&bytes, jiff::Timestamp::MIN);
        }
        Ok(Some(trusted))
    }

    /// The latest time known from verified metadata.
    pub(super) fn latest_time(&self, pinned: &[u8]) -> Result<Option<UnixTime>, TrustError> {
        Ok(self.remembered(pinned)?.and_then(|trusted| trusted.timestamp().and_then(signed_at)))
    }

    /// Remembers that the newest timestamp is over, unless the clock is too far off to tell.
    pub(super) fn note_expired(
        &self,
        root: &Root,
        bytes: Option<Vec<u8>>,
        now: UnixTime,
    ) -> Result<(), TrustError> {
        let bytes = match bytes {
            Some(bytes) => Some(bytes),
            None => self.read("timestamp.json")?,
        };
        let Some(timestamp) = bytes.and_then(|bytes| Metadata::<Timestamp>::from_slice(&bytes).ok()) else {
            return Ok(());
        };
        if now > UnixTime::from_jiff(timestamp.signed().expires).plus_days(PLAUSIBLE_DAYS) {
            return Ok(());
        }
        let seen = SeenExpired { version: timestamp.signed().version, keys: timestamp_keys(root) };
        let bytes = serde_json::to_vec(&seen)
            .map_err(|error| broken(&self.path(EXPIRED), &std::io::Error::other(error)))?;
        self.write(EXPIRED, &bytes)
    }

    /// Whether this timestamp was seen to be expired before.
    pub(super) fn was_expired(&self, root: &Root, timestamp: &Timestamp) -> Result<bool, TrustError> {
        let seen = self.read(EXPIRED)?.and_then(|bytes| serde_json::from_slice::<SeenExpired>(&bytes).ok());
        Ok(seen.is_some_and(|seen| timestamp.version <= seen.version && seen.keys == timestamp_keys(root)))
    }

    /// No role may fall behind, or vanish from, the snapshot remembered. `sigstore-tuf` checks this against the
    /// snapshot it could load; after a crash between timestamp and snapshot it could not load any.
    fn check_snapshot(&self, new: &[u8]) -> Result<(), TrustError> {
        let (Some(old), Some(root)) = (self.read("snapshot.json")?, self.read("root.json")?) else {
            return Ok(());
        };
        let (Ok(old), Ok(new), Ok(root)) = (
            Metadata::<Snapshot>::from_slice(&old),
            Metadata::<Snapshot>::from_slice(new),
            Metadata::<Root>::from_slice(&root),
        ) else {
            return Ok(());
        };
        let Some(keys) = root.signed().role("snapshot") else { return Ok(()) };
        if old.verify_threshold(&root.signed().keys, keys, "snapshot").is_err() {
            return Ok(());
        }
        for (file, pin) in &old.signed().meta {
            let offered = new.signed().meta.get(file).map_or(0, |pin| pin.version);
            if offered < pin.version {
                let role = file.trim_end_matches(".json").to_owned();
                return Err(TrustError::RolledBack { role, trusted: pin.version, offered });
            }
        }
        Ok(())
    }

    fn keep(&self, name: &str, bytes: &[u8]) -> Result<(), TrustError> {
        let versioned = name.starts_with(|first: char| first.is_ascii_digit());
        if versioned || name.starts_with("targets/") {
            return Ok(());
        }
        if name == "snapshot.json" {
            self.check_snapshot(bytes)?;
        }
        if self.read(name)?.is_some_and(|there| there == bytes) {
            return Ok(());
        }
        self.write(name, bytes)
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.limits
    }
}

impl MetadataStore for State {
    fn load(&self, name: &str) -> Result<Option<Vec<u8>>, Error> {
        // A state that cannot be read must not pass for an empty one: that would forget the trusted versions.
        self.read(name).map_err(|error| {
            self.set_fault(error);
            Error::NotRefreshed
        })
    }

    fn store(&self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        self.keep(name, bytes).map_err(|error| {
            self.set_fault(error);
            Error::NotRefreshed
        })
    }
}

/// When a timestamp of ours was signed. Later than its own end would be nonsense, and is ignored.
pub(super) fn signed_at(timestamp: &Timestamp) -> Option<UnixTime> {
    let at = UnixTime(timestamp.extra.get(SIGNED_AT)?.as_i64()?);
    (at <= UnixTime::from_jiff(timestamp.expires)).then_some(at)
}

fn timestamp_keys(root: &Root) -> Vec<String> {
    let mut keys = root.role("timestamp").map(|role| role.keyids.clone()).unwrap_or_default();
    keys.sort();
    keys
}

fn broken(path: &Path, error: &std::io::Error) -> TrustError {
    TrustError::State { path: path.display().to_string(), reason: error.to_string() }
}
