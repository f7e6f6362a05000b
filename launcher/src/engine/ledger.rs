//! The seed ledger: bytes in and out, per release and source, over the life of an install.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::engine::folder::{Folder, read_bounded, write_atomic};
use crate::engine::snapshot::SourceBytes;
use crate::error::LaunchError;

const FILE: &str = "ledger.json";
const LEN_MAX: u64 = 4 << 20;

/// The whole ledger; `.samara/ledger.json`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ledger {
    /// By release version.
    pub(crate) releases: BTreeMap<String, Entry>,
}

/// One release's line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Entry {
    pub(crate) in_local: u64,
    pub(crate) in_lan: u64,
    pub(crate) in_peers: u64,
    pub(crate) in_seedbox: u64,
    pub(crate) in_web: u64,
    pub(crate) out: u64,
}

impl Ledger {
    /// Reads it; a missing or unreadable ledger starts anew, for it must never keep a player from playing.
    pub(crate) fn load(folder: &Folder) -> Self {
        match read_bounded(folder.hidden(), FILE, LEN_MAX) {
            Ok(Some(bytes)) => serde_json::from_slice(&bytes).unwrap_or_else(|error| {
                tracing::warn!(%error, "the seed ledger cannot be read; starting a new one");
                Self::default()
            }),
            Ok(None) => Self::default(),
            Err(error) => {
                tracing::warn!(%error, "the seed ledger cannot be read; starting a new one");
                Self::default()
            }
        }
    }

    /// Adds to a release's line and writes the ledger.
    pub(crate) fn add(
        folder: &Folder,
        release: &str,
        received: &SourceBytes,
        sent: u64,
    ) -> Result<(), LaunchError> {
        if *received == SourceBytes::default() && sent == 0 {
            return Ok(());
        }
        let mut ledger = Self::load(folder);
        let entry = ledger.releases.entry(release.to_owned()).or_default();
        for (sum, more) in [
            (&mut entry.in_local, received.local),
            (&mut entry.in_lan, received.lan),
            (&mut entry.in_peers, received.peers),
            (&mut entry.in_seedbox, received.seedbox),
            (&mut entry.in_web, received.web),
            (&mut entry.out, sent),
        ] {
            *sum = sum.saturating_add(more);
        }
        let bytes = serde_json::to_vec_pretty(&ledger)
            .map_err(|error| LaunchError::internal(format!("writing the ledger: {error}")))?;
        write_atomic(folder.hidden(), FILE, &bytes)
    }

    /// The sums over all releases: received, sent.
    pub(crate) fn sums(&self) -> (SourceBytes, u64) {
        self.releases.values().fold((SourceBytes::default(), 0), |(received, sent), entry| {
            let more = SourceBytes {
                local: entry.in_local,
                lan: entry.in_lan,
                peers: entry.in_peers,
                seedbox: entry.in_seedbox,
                web: entry.in_web,
            };
            (received.plus(&more), sent + entry.out)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_add_up_over_runs_and_releases() {
        let temp = tempfile::tempdir().unwrap();
        let folder = Folder::open_or_create(temp.path(), false).unwrap();
        let some = SourceBytes { local: 1, lan: 2, peers: 3, seedbox: 4, web: 5 };
        Ledger::add(&folder, "1.0", &some, 6).unwrap();
        Ledger::add(&folder, "1.0", &some, 0).unwrap();
        Ledger::add(&folder, "1.1", &SourceBytes { web: 10, ..SourceBytes::default() }, 1).unwrap();
        let (received, sent) = Ledger::load(&folder).sums();
        assert_eq!(received, SourceBytes { local: 2, lan: 4, peers: 6, seedbox: 8, web: 20 });
        assert_eq!(sent, 7);
    }

    #[test]
    fn a_torn_ledger_starts_anew() {
        let temp = tempfile::tempdir().unwrap();
        let folder = Folder::open_or_create(temp.path(), false).unwrap();
        write_atomic(folder.hidden(), FILE, b"{\"releases\":").unwrap();
        assert_eq!(Ledger::load(&folder), Ledger::default());
    }
}
