//! How long peers may take, and how much may come twice because we did not wait for them.
//!
//! A block that is asked of a second peer while the first may still send it can come twice. On a machine that is busy,
//! peers that are late are the rule, and so:
//! - Time counts only while we listen ([`Watch`]). What lies in our own sockets because this process did not get its
//!   turn, or because its disk is behind, is not late.
//! - A request that we would rather have answered by somebody else is taken back; only when the peer has agreed
//!   (BEP 6: by a reject) is it given to another.
//! - Where a peer cannot be waited for (it is silent, or slow and all else is under way), what may come twice is never
//!   more than a small part of what came ([`Swarm::may_repeat`]); then the peer is waited for, or closed.

use std::time::Duration;

use super::io::{CloseReason, ConnId};
use super::{Swarm, peer_source};
use crate::picker::SourceId;
use crate::session::Phase;
use crate::units::{BlockRef, Time};
use crate::wire::Message;

/// The longest time between two inputs in which nothing went unheard; while requests are under way we look every 100 ms.
const LAPSE: Duration = Duration::from_millis(150);
/// What may come twice: one byte in so many,
const REPEAT_SHARE: u64 = 100;
/// or so much if that is more, in bytes; and at most.
const REPEAT: (u64, u64) = (512 * 1024, 32 * 1024 * 1024);
/// A peer that lets requests time out so often is closed.
const MAX_STRIKES: u32 = 3;

/// A clock that runs only while this process gets its turn and its sockets are read.
pub(super) struct Watch {
    awake: Time,
    last: Time,
    reading: bool,
}

impl Watch {
    pub(super) fn new(now: Time) -> Watch {
        Watch { awake: now, last: now, reading: true }
    }

    /// Time goes by.
    pub(super) fn pass(&mut self, now: Time) {
        if self.reading {
            self.awake += now.since(self.last).min(LAPSE);
        }
        self.last = now;
    }

    /// Sockets are read from now on, or not.
    pub(super) fn set_reading(&mut self, reading: bool) {
        self.reading = reading;
    }

    /// What requests are timed by.
    pub(super) fn awake(&self) -> Time {
        self.awake
    }
}

impl Swarm {
    /// How many more bytes may be asked for twice.
    pub(super) fn may_repeat(&self) -> u64 {
        let Some(content) = &self.content else { return 0 };
        let useful = self.ledger.total().saturating_sub(self.repeated);
        let may_come: u64 = self.conns.values().map(|s| s.down.late_bytes()).sum();
        let so_far = self.repeated + may_come + content.picker.repeated_bytes();
        (useful / REPEAT_SHARE).clamp(REPEAT.0, REPEAT.1).saturating_sub(so_far)
    }

    /// Who is so late that others may be asked, with the time before which that is so of what was asked.
    pub(super) fn overdue(&mut self) -> Vec<(SourceId, Time)> {
        let (awake, usual) = (self.watch.awake(), self.response);
        let peers = self.conns.iter_mut();
        let mut overdue: Vec<_> =
            peers.filter_map(|(&conn, s)| Some((peer_source(conn), s.down.overdue(awake, usual)?))).collect();
        overdue.extend(self.web.overdue(awake));
        overdue
    }

    /// Requests that nobody answers are given to others.
    pub(super) fn check_requests(&mut self, now: Time) {
        let awake = self.watch.awake();
        let late: Vec<ConnId> = self
            .conns
            .iter()
            .filter(|(_, s)| s.phase == Phase::Open && !s.down.is_empty())
            .filter(|(_, s)| awake.since(s.down.progress_at) > s.down.patience())
            .map(|(&conn, _)| conn)
            .collect();
        for conn in late {
            self.lose_patience(now, conn);
        }
    }

    fn lose_patience(&mut self, now: Time, conn: ConnId) {
        let may_repeat = self.may_repeat();
        let awake = self.watch.awake();
        let Some(session) = self.conns.get_mut(&conn) else { return };
        // From one that has never sent a block, or none since it was told, nothing is lost.
        let hopeless = session.down.snubbed || session.down.received_bytes == 0;
        session.down.snub(awake);
        let affordable = session.down.asked_bytes() <= may_repeat;
        if session.down.strikes >= MAX_STRIKES || (hopeless && !affordable) {
            return self.close(now, conn, CloseReason::Stalled);
        }
        let cancelled = if affordable {
            let blocks = session.down.give_up(true);
            self.release_all(&blocks);
            blocks
        } else if session.fast {
            session.down.take_all_back()
        } else {
            // It would not tell whether it has heard us.
            Vec::new()
        };
        for block in cancelled {
            self.send(now, conn, Message::Cancel(block));
        }
    }

    /// A player has a piece that nobody but origin had: what origin has not sent of it comes from players now, unless
    /// most of it is here.
    pub(super) fn prefer_players(&mut self, now: Time, piece: u32) {
        let Some(partial) = self.content.as_ref().and_then(|c| c.picker.partial(piece)) else { return };
        if partial.arrived() * 2 >= partial.blocks().len() as u32 {
            return;
        }
        let mut asked: Vec<(ConnId, BlockRef)> = Vec::new();
        for (&conn, session) in self.conns.iter_mut().filter(|(_, s)| s.is_origin() && s.fast) {
            let blocks: Vec<BlockRef> = session.down.iter().filter(|b| b.piece.0 == piece).collect();
            asked.extend(blocks.into_iter().filter(|&b| session.down.take_back(b)).map(|b| (conn, b)));
        }
        for (conn, block) in asked {
            self.send(now, conn, Message::Cancel(block));
        }
    }
}
