//! Packs after they were of use: they go on being offered, and the least wanted make room.

use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use manifests::folder::InstallDir;
use manifests::release::FileIdentity;
use protocol::blockset::BlockSet;
use protocol::metainfo::Torrent;

use crate::engine::board::Task;
use crate::engine::command::Sources;
use crate::engine::context::Context;
use crate::engine::meter::blocking;
use crate::engine::packs::cache::{self, PackRecord, Slot, now_secs};
use crate::engine::packs::setup::{StepPack, pack_job};
use crate::engine::packs::torrent::PACK_TORRENT_LEN_MAX;
use crate::engine::transfer::{Hints, Traffic, Transfer};
use crate::error::LaunchError;

/// Packs offered at a time.
const OFFERED_MAX: usize = 32;
/// Of the game's size, the share that cached packs may take when nothing else is said: a tenth.
const QUOTA_SHARE: u64 = 10;
/// What they may take at most when nothing else is said, in bytes.
const QUOTA_MAX: u64 = 2 << 30;
/// Bytes sent to others that count as much as a day of age.
const SENT_PER_DAY: u64 = 16 << 20;
const DAY_SECS: u64 = 86_400;

/// The space that cached packs may take, in bytes.
pub(crate) fn quota(option: Option<u64>, game_bytes: u64) -> u64 {
    option.unwrap_or_else(|| (game_bytes / QUOTA_SHARE).min(QUOTA_MAX))
}

/// Which of the cached packs go, so that the others fit: those longest out of use, each 16 MiB that peers took of a
/// pack making it a day younger.
pub(crate) fn choose_victims(mut packs: Vec<(Slot, PackRecord)>, quota: u64) -> Vec<Slot> {
    let worth = |record: &PackRecord| {
        let days = record.sent_bytes / SENT_PER_DAY;
        record.used_at.saturating_add(days.saturating_mul(DAY_SECS))
    };
    packs.sort_by_key(|(slot, record)| (std::cmp::Reverse(worth(record)), slot.identity));
    let mut room = quota;
    let mut victims = Vec::new();
    for (slot, record) in packs {
        match room.checked_sub(record.bytes()) {
            Some(left) => room = left,
            None => victims.push(slot),
        }
    }
    victims
}

/// Makes the cache fit: packs that lead to a release which is gone, what has no record, then the least wanted.
pub(crate) fn tidy(dir: &Arc<InstallDir>, quota: u64, gone: &[String]) {
    let mut left = Vec::new();
    for slot in cache::slots(dir) {
        match slot.record() {
            Some(record) if !gone.contains(&record.version) && !record.blocks.is_empty() => {
                left.push((slot, record));
            }
            _ => slot.remove(),
        }
    }
    choose_victims(left, quota).iter().for_each(Slot::remove);
}

/// The versions that cached packs lead to.
pub(crate) fn versions(dir: &Arc<InstallDir>) -> Vec<String> {
    let mut versions: Vec<String> =
        cache::slots(dir).iter().filter_map(Slot::record).map(|record| record.version).collect();
    versions.sort_unstable();
    versions.dedup();
    versions
}

/// Cached packs in the swarm.
#[derive(Default)]
pub(crate) struct Offering {
    packs: Vec<(Slot, PackRecord, BlockSet, Transfer)>,
}

impl Offering {
    /// Takes a pack that has just been of use.
    pub(crate) fn push(&mut self, slot: Slot, record: PackRecord, have: BlockSet, transfer: Transfer) {
        self.packs.push((slot, record, have, transfer));
    }

    /// Takes all that another one has.
    pub(crate) fn extend(&mut self, other: Self) {
        self.packs.extend(other.packs);
    }

    /// Offers every cached pack of which there is something, but for `except`. One that cannot be offered is left out.
    pub(crate) async fn start(
        context: &Context,
        task: &Task,
        dir: &Arc<InstallDir>,
        (hints, except): (&Hints, &[FileIdentity]),
    ) -> Result<Self, LaunchError> {
        let (dir, except) = (dir.clone(), except.to_vec());
        let found = blocking(move || Ok(find(&dir, &except))).await?;
        let mut offering = Self::default();
        for pack in found {
            let sources = Sources { peers: true, web: false };
            let Ok(stamp) = pack.slot.stamp() else { continue };
            let job = pack_job(&pack, hints, sources, Some(stamp));
            match Transfer::start(context, task, job, Box::new(|_, _| {})).await {
                Ok(transfer) => offering.push(pack.slot, pack.record, pack.have, transfer),
                Err(error) => tracing::warn!(%error, "a pack is not offered"),
            }
        }
        Ok(offering)
    }

    /// Offers them while something else is done.
    pub(crate) async fn during<T>(&mut self, mut work: BoxFuture<'_, T>) -> T {
        let mut idle: FuturesUnordered<BoxFuture<'_, ()>> = FuturesUnordered::new();
        for (.., transfer) in &mut self.packs {
            idle.push(Box::pin(transfer.during(std::future::pending())));
        }
        loop {
            tokio::select! {
                done = &mut work => return done,
                Some(()) = idle.next() => {}
            }
        }
    }

    /// Leaves the swarms and writes the records. Returns what was sent and received.
    pub(crate) async fn end(self) -> Traffic {
        let mut sum = Traffic::default();
        for (slot, mut record, have, transfer) in self.packs {
            let traffic = transfer.end().await;
            sum.received = sum.received.plus(&traffic.received);
            sum.sent += traffic.sent;
            if traffic.sent > 0 || traffic.received.network() > 0 {
                record.used_at = now_secs();
            }
            record.sent_bytes = record.sent_bytes.saturating_add(traffic.sent);
            let saved = blocking(move || slot.save(record, &have)).await;
            if let Err(error) = saved {
                tracing::warn!(%error, "the record of a pack cannot be written");
            }
        }
        sum
    }
}

/// The packs that can be offered, most lately used first.
fn find(dir: &Arc<InstallDir>, except: &[FileIdentity]) -> Vec<StepPack> {
    let mut records: Vec<(Slot, PackRecord)> =
        cache::slots(dir).into_iter().filter_map(|slot| slot.record().map(|record| (slot, record))).collect();
    records.sort_by_key(|(slot, record)| (std::cmp::Reverse(record.used_at), slot.identity));
    records.retain(|(slot, _)| !except.contains(&slot.identity));
    records.into_iter().take(OFFERED_MAX).filter_map(|(slot, record)| offer(dir, slot, record)).collect()
}

fn offer(dir: &InstallDir, slot: Slot, record: PackRecord) -> Option<StepPack> {
    let bytes = slot.get("torrent", PACK_TORRENT_LEN_MAX).ok()??;
    // It was held against the signed list when it was kept.
    let torrent = Torrent::parse(&bytes).ok()?;
    let root = torrent.layout.files.first()?.root?;
    let same = torrent.info_hash_v2.map(|hash| hex::encode(hash.0)).as_deref() == Some(&record.info_hash);
    if !same || root.0 != slot.identity.root || torrent.layout.data_len != slot.identity.len {
        return None;
    }
    let guard = dir.guard(&slot.path()).ok()??;
    let have = slot.right_blocks(&torrent, guard).ok()?;
    let wanted = BlockSet::new(torrent.layout.block_count());
    (!have.is_empty()).then(|| StepPack { slot, torrent: Arc::new(torrent), record, have, wanted })
}

#[cfg(test)]
mod tests {
    use super::*;
    use manifests::path::SafePath;

    fn cached(
        dir: &Arc<InstallDir>,
        number: u8,
        version: &str,
        blocks: u32,
        age_days: u64,
        sent: u64,
    ) -> Slot {
        let slot = Slot::new(dir.clone(), FileIdentity { len: 1 << 20, root: [number; 32] });
        let mut record = PackRecord::new(version, &[number; 32]);
        record.used_at = 1_000 * DAY_SECS - age_days * DAY_SECS;
        record.sent_bytes = sent;
        let mut have = BlockSet::new(64);
        have.insert_range(0..blocks);
        slot.save(record, &have).unwrap();
        dir.put(&SafePath::parse(&format!("packs/{}.pack", slot.identity)).unwrap(), b"x").unwrap();
        slot
    }

    fn left(dir: &Arc<InstallDir>) -> Vec<u8> {
        let mut left: Vec<u8> = cache::slots(dir).iter().map(|slot| slot.identity.root[0]).collect();
        left.sort_unstable();
        left
    }

    #[test]
    fn the_quota_is_a_tenth_of_the_game_and_bounded() {
        assert_eq!(quota(None, 1000), 100);
        assert_eq!(quota(None, u64::MAX), QUOTA_MAX);
        assert_eq!(quota(Some(7), 1000), 7);
    }

    #[test]
    fn the_oldest_go_first_but_what_peers_take_stays() {
        let block = 16 * 1024;
        // (quota in blocks, what stays): 1 is old, 2 is old and wanted, 3 is new.
        for (quota, stays) in [(30, vec![1, 2, 3]), (20, vec![2, 3]), (10, vec![2]), (0, vec![])] {
            let temp = tempfile::tempdir().unwrap();
            let dir = Arc::new(InstallDir::create(temp.path(), "maple", false).unwrap());
            cached(&dir, 1, "1.1", 10, 9, 0);
            cached(&dir, 2, "1.1", 10, 8, 9 * SENT_PER_DAY);
            cached(&dir, 3, "1.1", 10, 1, 0);
            tidy(&dir, quota * block, &[]);
            assert_eq!(left(&dir), stays, "{quota} blocks");
        }
    }

    #[test]
    fn packs_of_releases_that_are_gone_go_and_so_does_what_has_no_record() {
        let temp = tempfile::tempdir().unwrap();
        let dir = Arc::new(InstallDir::create(temp.path(), "maple", false).unwrap());
        cached(&dir, 1, "1.1", 10, 0, 0);
        cached(&dir, 2, "1.2", 10, 0, 0);
        let slot = cached(&dir, 3, "1.2", 10, 0, 0);
        dir.fs().remove_file(&format!(".samara/packs/{}.json", slot.identity)).unwrap();
        cached(&dir, 4, "1.2", 0, 0, 0);
        assert_eq!(versions(&dir), ["1.1", "1.2"]);
        tidy(&dir, u64::MAX, &["1.1".to_owned()]);
        assert_eq!(left(&dir), [2]);
        let names = dir.fs().list(".samara/packs").unwrap();
        assert_eq!(names.len(), 2, "nothing of the others is left: {names:?}");
    }
}
