//! Judges that know nothing of the machines they judge.

use std::collections::BTreeMap;
use std::time::Duration;

use protocol::swarm::ConnId;
use protocol::units::{BlockRef, Time};

/// A request may wait so long for its answer from an honest peer.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// Every request ends: piece, reject, or the end of its connection.
#[derive(Default)]
pub(super) struct Requests {
    /// By asker and its connection: when what was asked, in as many copies.
    open: BTreeMap<(usize, ConnId), BTreeMap<BlockRef, (Time, u32)>>,
    pub asked: u64,
    pub answered: u64,
    pub rejected: u64,
}

impl Requests {
    pub(super) fn sent(&mut self, node: usize, conn: ConnId, block: BlockRef, now: Time) {
        self.asked += 1;
        let entry = self.open.entry((node, conn)).or_default().entry(block).or_insert((now, 0));
        entry.1 += 1;
    }

    pub(super) fn ended(&mut self, node: usize, conn: ConnId, block: BlockRef, rejected: bool) {
        if rejected {
            self.rejected += 1;
        } else {
            self.answered += 1;
        }
        let Some(open) = self.open.get_mut(&(node, conn)) else { return };
        if let Some(entry) = open.get_mut(&block) {
            entry.1 -= 1;
            if entry.1 == 0 {
                open.remove(&block);
            }
        }
    }

    pub(super) fn disconnected(&mut self, node: usize, conn: ConnId) {
        self.open.remove(&(node, conn));
    }

    /// Requests that have been waiting for too long, of those that `counts`.
    pub(super) fn lost(&self, now: Time, counts: impl Fn(usize, ConnId) -> bool) -> usize {
        self.open
            .iter()
            .filter(|((node, conn), _)| counts(*node, *conn))
            .flat_map(|(_, blocks)| blocks.values())
            .filter(|(at, _)| now.since(*at) > LONGEST_WAIT)
            .count()
    }
}

/// How a node fares.
#[derive(Clone, Debug, Default)]
pub(super) struct Progress {
    pub joined_at: Option<Time>,
    pub last_at: Time,
    pub longest_gap: Duration,
    pub completed_at: Option<Time>,
}

impl Progress {
    pub(super) fn made(&mut self, now: Time) {
        self.longest_gap = self.longest_gap.max(now.since(self.last_at));
        self.last_at = now;
    }
}
