//! Which releases players run, as far as `serve` sees it: how many peers are in each release's swarm.
//!
//! A hint and no more: it decides which packs a publish makes unasked.

use crate::error::Result;
use crate::store::{DataDir, export, read_bounded};
use manifests::release::{GameId, Version};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

const FILE: &str = "popular.json";
const MAX_FILE_LEN: u64 = 1024 * 1024;
/// What a count keeps from one look to the next, in hundredths: with a look every ten minutes, half is gone after two
/// hours. Players come and go; a release is popular while they keep coming.
const KEPT_PERCENT: u64 = 95;
/// Counts are kept in thousandths of a peer, so that they can fade.
const SCALE: u64 = 1000;
/// A release that fewer than one in so many players run is not worth a pack of its own.
const WORTH_ONE_IN: u64 = 20;

/// `state/popular.json`: thousandths of a peer by game and version.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Popular(BTreeMap<GameId, BTreeMap<Version, u64>>);

impl Popular {
    /// Reads it; a file that is missing or damaged is no knowledge.
    #[must_use]
    pub fn read(dir: &DataDir) -> Popular {
        let bytes = read_bounded(&dir.state().join(FILE), MAX_FILE_LEN).unwrap_or_default();
        serde_json::from_slice(&bytes).unwrap_or_default()
    }

    /// Writes it.
    ///
    /// # Errors
    /// The disk's.
    pub fn write(&self, dir: &DataDir) -> Result<()> {
        let json = serde_json::to_vec_pretty(self).unwrap_or_default();
        // Not by way of state/tmp: that belongs to whoever holds the lock, and a hint is not worth a lock.
        export(&dir.state(), FILE, &mut json.as_slice()).map(drop)
    }

    /// Lets what was seen before fade.
    pub fn fade(&mut self) {
        for versions in self.0.values_mut() {
            for peers in versions.values_mut() {
                *peers = *peers * KEPT_PERCENT / 100;
            }
            versions.retain(|_, peers| *peers > 0);
        }
        self.0.retain(|_, versions| !versions.is_empty());
    }

    /// So many peers are in the swarm of a release now.
    pub fn seen(&mut self, game: &GameId, version: &Version, peers: u64) {
        if peers > 0 {
            let count = self.0.entry(game.clone()).or_default().entry(version.clone()).or_default();
            *count = (*count).max(peers.saturating_mul(SCALE));
        }
    }

    /// The releases of a game that are worth a pack, most players first.
    #[must_use]
    pub fn versions(&self, game: &GameId) -> Vec<Version> {
        let Some(counts) = self.0.get(game) else { return Vec::new() };
        let all: u64 = counts.values().sum();
        let mut worth: Vec<_> = counts.iter().filter(|(_, peers)| **peers * WORTH_ONE_IN >= all).collect();
        worth.sort_by_key(|(version, peers)| (std::cmp::Reverse(**peers), *version));
        worth.into_iter().map(|(version, _)| version.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_rise_at_once_and_fade_slowly() {
        let game = GameId::parse("game").unwrap();
        let version = |text| Version::parse(text).unwrap();
        let mut popular = Popular::default();
        for (text, peers) in [("1", 40), ("2", 100), ("3", 2), ("4", 0)] {
            popular.seen(&game, &version(text), peers);
        }
        assert_eq!(popular.versions(&game), ["2", "1"].map(version), "one in seventy is not worth it");
        popular.fade();
        popular.seen(&game, &version("1"), 99);
        assert_eq!(popular.versions(&game), ["1", "2"].map(version));
        let tmp = tempfile::tempdir().unwrap();
        let dir = DataDir::create(tmp.path()).unwrap();
        assert_eq!(Popular::read(&dir), Popular::default());
        popular.write(&dir).unwrap();
        assert_eq!(Popular::read(&dir), popular);
        (0..1000).for_each(|_| popular.fade());
        assert_eq!(popular, Popular::default());
        std::fs::write(dir.state().join(FILE), "{").unwrap();
        assert!(Popular::read(&dir).versions(&game).is_empty());
    }
}
