//! Requests to peers and the blocks that come back.
//!
//! What the studio's machines send is dear, what players send is not. So from a seedbox (and a web seed) we ask only
//! pieces that no other player has, each launcher beginning with those that rank it first (`rank_of`), so that
//! launchers who know each other fetch different pieces without a word; the rest comes from players. Only when
//! players would make us wait ([`Swarm::is_hungry`]) anything is asked of anyone.

use std::time::Duration;

use bytes::Bytes;

use super::io::{ConnId, SourceKind};
use super::{Job, Output, Running, Swarm, peer_source};
use crate::picker::{Ask, Endgame, Mode, Received, SourceId};
use crate::session::{Arrival, Phase};
use crate::units::{BLOCK_LEN, BlockRef, PeerId, PieceIndex, Time};
use crate::wire::Message;

/// If players take longer than this to bring what lacks, others are asked as well.
const HUNGER: Duration = Duration::from_secs(2);
/// The most blocks asked of a seedbox at a time beyond what its rate needs.
const UNASKED_LIMIT: u32 = 64;

impl Swarm {
    /// Asks everyone who has room. Cheap for those who had nothing and nothing changed.
    pub(super) fn fill_all(&mut self, now: Time) {
        let asks: Vec<ConnId> =
            self.conns.iter().filter(|(_, s)| s.can_ask()).map(|(&conn, _)| conn).collect();
        for conn in asks {
            self.fill(now, conn);
        }
    }

    /// Sends as many requests to a peer as it has room for.
    pub(super) fn fill(&mut self, now: Time, conn: ConnId) {
        let Some((room, max)) = self.room_for(now, conn) else { return };
        let hungry = self.is_hungry(now);
        let awake = self.watch.awake();
        let all_asked = self.content.as_ref().is_some_and(|c| c.picker.free() == 0);
        let overdue = if all_asked { self.overdue() } else { Vec::new() };
        let bytes = if overdue.is_empty() { 0 } else { self.may_repeat() };
        let late = |holder: SourceId| overdue.iter().find(|(id, _)| *id == holder).map(|&(_, before)| before);
        let Some(content) = &mut self.content else { return };
        let Some(session) = self.conns.get(&conn) else { return };
        let dry = session.down.dry_at == Some(content.picker.generation());
        let endgame = content.picker.free() == 0 || hungry;
        if !session.down.worthwhile(room) || max == 0 || (dry && !endgame) {
            return;
        }
        let has = |piece: u32| session.pieces.has(piece);
        let endgame_of = (bytes > 0).then_some(Endgame { late: &late, bytes });
        let any =
            Ask { source: peer_source(conn), has: &has, mode: Mode::Any, endgame: endgame_of, now: awake };
        let mut blocks = Vec::new();
        if session.is_origin() {
            if self.player_seeds == 0 {
                let fellows = fellows(&self.conns, self.peer_id);
                let rank = |piece: u32| rank_of(&fellows, piece);
                let scarce = Ask { mode: Mode::Scarce(&rank), endgame: None, ..any };
                content.picker.pick(&scarce, max, &mut self.rng, &mut blocks);
            }
            if blocks.is_empty() && hungry {
                content.picker.pick(&any, max, &mut self.rng, &mut blocks);
            }
        } else {
            content.picker.pick(&any, max, &mut self.rng, &mut blocks);
        }
        let generation = content.picker.generation();
        let Some(session) = self.conns.get_mut(&conn) else { return };
        session.down.dry_at = (blocks.len() < max).then_some(generation);
        for block in blocks {
            session.down.sent(block, awake);
            session.spoke_at = now;
            self.down.charge(now, u64::from(block.len));
            self.out.push_back(Output::Send { conn, message: Message::Request(block) });
        }
    }

    /// How many requests the peer has room for, and how many of these it may get now: what is left is shared out, so
    /// that the last blocks come from many and not from whoever was asked first.
    fn room_for(&mut self, now: Time, conn: ConnId) -> Option<(usize, usize)> {
        if self.running != Running::Yes {
            return None;
        }
        let session = self.conns.get(&conn).filter(|s| s.can_ask())?;
        let room = session.down.room(self.limits.max_pipeline);
        let asked = session.down.len();
        let tokens = self.down.available(now) / u64::from(BLOCK_LEN);
        let free = self.content.as_ref()?.picker.free() as usize;
        let mut max = room.min(usize::try_from(tokens).unwrap_or(usize::MAX));
        // Counting the peers costs something, so only where it matters.
        if free < 4 * (room + asked) * self.conns.len() {
            let askable = self.conns.values().filter(|s| s.can_ask()).count().max(1);
            max = max.min((free / askable * 2).max(4).saturating_sub(asked).max(1));
        }
        Some((room, max))
    }

    /// Whether players alone would take longer for what lacks than a player should wait.
    pub(super) fn is_hungry(&mut self, now: Time) -> bool {
        let Some(content) = &self.content else { return false };
        let missing = u64::from(content.picker.missing()) * u64::from(BLOCK_LEN);
        missing > self.meter_players.rate(now).saturating_mul(HUNGER.as_secs())
    }

    pub(super) fn on_piece(&mut self, now: Time, conn: ConnId, piece: PieceIndex, offset: u32, data: Bytes) {
        let block = BlockRef { piece, offset, len: u32::try_from(data.len()).unwrap_or(u32::MAX) };
        let Some(session) = self.conns.get_mut(&conn) else { return };
        let kind = Swarm::kind_of(session);
        let arrival = session.down.arrived(block, self.watch.awake());
        if let Arrival::Asked(took) = arrival {
            self.response = (self.response * 31 + took) / 32;
        }
        self.count_received(now, kind, block.len);
        if arrival == Arrival::Unasked {
            self.stats.wasted_bytes += u64::from(block.len);
            return self.strike(now, conn);
        }
        self.take_block(now, block, data, peer_source(conn), arrival != Arrival::Late);
        self.fill(now, conn);
    }

    pub(super) fn count_received(&mut self, now: Time, kind: SourceKind, len: u32) {
        self.ledger.add(kind, u64::from(len));
        self.meter_down.add(now, u64::from(len));
        if matches!(kind, SourceKind::Peer | SourceKind::Lan) {
            self.meter_players.add(now, u64::from(len));
        }
        self.fed_at = now;
    }

    /// A block from a peer or a web seed: to disk with it, if it is needed. `asked` as for
    /// [`crate::picker::Picker::received`].
    pub(super) fn take_block(
        &mut self,
        now: Time,
        block: BlockRef,
        data: Bytes,
        source: SourceId,
        asked: bool,
    ) {
        let Some(content) = &mut self.content else { return };
        let leaf = content.is_v2();
        match content.picker.received(block, source, asked) {
            Received::Unneeded => {
                self.stats.wasted_bytes += u64::from(block.len);
                self.repeated += u64::from(block.len);
            }
            Received::Needed { others } => {
                let job = self.new_job();
                self.jobs.insert(job, Job::Write { block, source });
                self.out.push_back(Output::WriteBlock { job, block, data, leaf });
                if others > 0 {
                    self.cancel_elsewhere(now, block);
                }
            }
        }
    }

    /// The others who were asked for this block need not send it.
    fn cancel_elsewhere(&mut self, now: Time, block: BlockRef) {
        let asked: Vec<ConnId> =
            self.conns.iter().filter(|(_, s)| s.down.contains(block)).map(|(&conn, _)| conn).collect();
        for conn in asked {
            self.cancel(now, conn, block);
        }
    }

    fn cancel(&mut self, now: Time, conn: ConnId, block: BlockRef) {
        let cancelled = self.conns.get_mut(&conn).is_some_and(|s| s.down.cancel(block));
        if cancelled {
            self.send(now, conn, Message::Cancel(block));
            self.release_all(&[block]);
        }
    }

    /// These requests ended without a block.
    pub(super) fn release_all(&mut self, blocks: &[BlockRef]) {
        let Some(content) = &mut self.content else { return };
        for &block in blocks {
            content.picker.release(block);
        }
    }

    /// The peer did something that happens now and then by accident, but not often.
    fn strike(&mut self, now: Time, conn: ConnId) {
        let Some(session) = self.conns.get_mut(&conn) else { return };
        session.unasked += 1;
        if session.unasked > UNASKED_LIMIT {
            self.violation(now, conn, "piece: sent what was not asked for");
        }
    }
}

/// The launchers we know of, ourselves first, as numbers to rank by.
pub(super) fn fellows(
    conns: &std::collections::BTreeMap<ConnId, crate::session::Session>,
    me: PeerId,
) -> Vec<u64> {
    let others =
        conns.values().filter(|s| s.phase == Phase::Open && s.is_fellow() && !s.pieces.is_complete());
    std::iter::once(me).chain(others.map(|s| s.peer_id)).map(key_of).collect()
}

fn key_of(id: PeerId) -> u64 {
    id.0.iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// How many launchers come before us for this piece (highest random weight, or rendezvous, hashing): each sees the
/// same order, so those who know each other begin with different pieces.
pub(super) fn rank_of(fellows: &[u64], piece: u32) -> usize {
    let weight = |key: u64| mix(key ^ (u64::from(piece) << 32 | u64::from(piece)));
    let Some((&me, others)) = fellows.split_first() else { return 0 };
    let mine = weight(me);
    others.iter().filter(|&&other| weight(other) > mine).count()
}

/// The finaliser of splitmix64.
fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn launchers_who_know_each_other_share_the_pieces_out() {
        let keys: Vec<u64> = (0..4u8).map(|n| key_of(PeerId([n; 20]))).collect();
        let mut owned = [0u32; 4];
        for piece in 0..4000 {
            let ranks: Vec<usize> = (0..4)
                .map(|me| {
                    let mut view = keys.clone();
                    view.swap(0, me);
                    rank_of(&view, piece)
                })
                .collect();
            let mut sorted = ranks.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, [0, 1, 2, 3]);
            owned[ranks.iter().position(|&rank| rank == 0).unwrap()] += 1;
        }
        assert!(owned.iter().all(|&n| (850..1150).contains(&n)), "{owned:?}");
    }
}
