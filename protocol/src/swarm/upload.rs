//! Serving peers and choosing whom to serve.
//!
//! A seedbox sends each piece once before it sends any twice, and holds back what another launcher has just been
//! sent: the asker will see that launcher's `have` and turn to it. Everyone sends a piece to its end before the
//! next, so that it can be passed on early.

use std::time::Duration;

use super::candidates::class_of;
use super::content::Sent;
use super::io::{AddrClass, ConnId, Event, IoFault, Output, Role};
use super::{Running, Swarm};
use crate::choker::{self, Contender};
use crate::session::{Phase, Session};
use crate::units::{BLOCK_LEN, BlockRef, FileIndex, PieceIndex, Time};
use crate::wire::Message;

/// A second copy of a piece waits so long for another launcher to offer the first one,
const HOLD: Duration = Duration::from_millis(1500);
/// or until no first copies have been asked for since so long: then there is nothing better to send.
const NOTHING_BETTER: Duration = Duration::from_millis(100);
/// How much of the queue is looked through for a block that nobody else was sent.
const LOOK_AHEAD: usize = 512;

impl Swarm {
    pub(super) fn on_request(&mut self, now: Time, conn: ConnId, block: BlockRef) {
        let serving = !matches!(self.running, Running::Paused { uploads: false } | Running::Stopping);
        let (mut has, mut valid) = (false, true);
        if let Some(content) = &self.content {
            has = content.has_piece(block.piece.0);
            valid = content.torrent.layout.is_valid_request(block);
        }
        let max = self.limits.max_requests;
        let Some(session) = self.conns.get_mut(&conn) else { return };
        if !valid {
            return self.violation(now, conn, "request: outside its piece");
        }
        if session.am_choking || !has || !serving || session.up.len() >= max {
            return self.reject(now, conn, block);
        }
        session.up.push(block, now);
        self.pump(now, conn);
    }

    /// Without the fast extension silence is all the answer there is.
    fn reject(&mut self, now: Time, conn: ConnId, block: BlockRef) {
        if self.conns.get(&conn).is_some_and(|s| s.fast) {
            self.send(now, conn, Message::RejectRequest(block));
        }
    }

    pub(super) fn on_cancel(&mut self, now: Time, conn: ConnId, block: BlockRef) {
        let Some(session) = self.conns.get_mut(&conn) else { return };
        if session.up.cancel(block) {
            self.reject(now, conn, block);
        }
    }

    pub(super) fn on_sent(&mut self, now: Time, conn: ConnId, queued_bytes: usize) {
        if let Some(session) = self.conns.get_mut(&conn) {
            session.up.queued_bytes = queued_bytes;
            self.pump(now, conn);
        }
    }

    pub(super) fn on_read_failed(&mut self, now: Time, conn: ConnId, block: BlockRef, fault: &IoFault) {
        self.reject(now, conn, block);
        let Some(content) = &self.content else { return };
        let files: Vec<FileIndex> =
            content.torrent.layout.spans(block).filter_map(|span| span.file).collect();
        if !content.has_piece(block.piece.0) {
            return;
        }
        for file in files {
            self.withdraw(now, file);
            self.event(Event::FileFaulty { file, fault: fault.clone() });
        }
    }

    /// Serves one peer, or whoever is next when the rate is limited for all.
    fn pump(&mut self, now: Time, conn: ConnId) {
        if self.up.rate().is_some() {
            return self.pump_uploads(now);
        }
        while let Some(at) = self.next_upload(now, conn) {
            self.send_block(now, conn, at);
        }
    }

    /// Serves everyone as far as rate and queues allow.
    pub(super) fn pump_uploads(&mut self, now: Time) {
        if self.up.rate().is_none() {
            let busy: Vec<ConnId> =
                self.conns.iter().filter(|(_, s)| !s.up.is_empty()).map(|(&c, _)| c).collect();
            for conn in busy {
                self.pump(now, conn);
            }
            return;
        }
        while self.up.available(now) >= u64::from(BLOCK_LEN) {
            let Some((conn, at)) = self.next_of_all(now) else { return };
            self.send_block(now, conn, at);
        }
        if self.conns.values().any(|s| !s.up.is_empty()) {
            self.upload_at = self.up.next_refill(now, u64::from(BLOCK_LEN) * 2);
        }
    }

    /// The peer whose piece is not finished, else the one that was sent least.
    fn next_of_all(&mut self, now: Time) -> Option<(ConnId, usize)> {
        if let Some((conn, piece)) = self.sending_to
            && let Some(at) = self.next_upload(now, conn)
            && self.conns.get(&conn)?.up.iter().nth(at)?.block.piece.0 == piece
        {
            return Some((conn, at));
        }
        let mut busy: Vec<(bool, u64, ConnId)> = self
            .conns
            .iter()
            .filter(|(_, s)| !s.up.is_empty())
            .map(|(&conn, s)| (class_of(s.addr.ip()) != AddrClass::Private, s.up.sent_bytes, conn))
            .collect();
        busy.sort_unstable();
        busy.into_iter().find_map(|(_, _, conn)| Some((conn, self.next_upload(now, conn)?)))
    }

    /// Which of a peer's requests to serve now, if any.
    fn next_upload(&mut self, now: Time, conn: ConnId) -> Option<usize> {
        let (low, high) = self.limits.send_queue;
        let session = self.conns.get_mut(&conn)?;
        // 50 ms of what it takes: enough to keep the socket busy, little enough to change one's mind.
        let ahead = usize::try_from(session.up.rate.rate(now) / 20).unwrap_or(high).clamp(low, high);
        if session.up.is_empty() || session.up.queued_bytes >= ahead {
            return None;
        }
        let (session, content) = (self.conns.get(&conn)?, self.content.as_ref()?);
        if self.role != Role::Seedbox {
            return Some(0);
        }
        let mut second_copy = None;
        for (at, wanted) in session.up.iter().enumerate().take(LOOK_AHEAD) {
            let sent = content.sent.get(wanted.block.piece.idx()).copied().unwrap_or_default();
            if self.is_first_copy(conn, &sent) {
                return Some(at);
            }
            let idle = now.since(content.first_copy_at) >= NOTHING_BETTER;
            let held = session.is_fellow() && now.since(wanted.at) < HOLD && !idle;
            if !held && second_copy.is_none() {
                second_copy = Some(at);
            }
        }
        second_copy
    }

    /// Nobody else that is still here has been sent this piece.
    fn is_first_copy(&self, conn: ConnId, sent: &Sent) -> bool {
        sent.to.is_none_or(|to| to == conn || !self.conns.contains_key(&to))
    }

    fn send_block(&mut self, now: Time, conn: ConnId, at: usize) {
        let Some(session) = self.conns.get_mut(&conn) else { return };
        let Some(block) = session.up.take(at) else { return };
        session.up.handed_over(block.len, now);
        session.spoke_at = now;
        self.up.charge(now, u64::from(block.len));
        self.meter_up.add(now, u64::from(block.len));
        if class_of(session.addr.ip()) == AddrClass::Private {
            self.stats.sent_lan += u64::from(block.len);
        } else {
            self.stats.sent_peers += u64::from(block.len);
        }
        self.sending_to = Some((conn, block.piece.0));
        let gone = |to: ConnId| !self.conns.contains_key(&to);
        if let Some(content) = &mut self.content
            && let Some(sent) = content.sent.get_mut(block.piece.idx())
        {
            if sent.to.is_none_or(gone) {
                sent.to = Some(conn);
            }
            if sent.to == Some(conn) {
                content.first_copy_at = now;
            }
        }
        self.out.push_back(Output::SendBlock { conn, block });
    }

    /// A newly interested peer need not wait for the next round while there is room.
    pub(super) fn unchoke_if_room(&mut self, now: Time, conn: ConnId) {
        let serving = !matches!(self.running, Running::Paused { uploads: false } | Running::Stopping);
        let served = self.conns.values().filter(|s| s.peer_interested && !s.am_choking).count();
        let room = served < self.slots(now);
        if let Some(session) = self.conns.get(&conn).filter(|s| s.am_choking)
            && serving
            && room
            && session.phase == Phase::Open
        {
            self.unchoke(now, conn);
        }
    }

    /// With a rate of one's own: what fills it. Else what we have been seen to manage, with room to grow.
    fn slots(&mut self, now: Time) -> usize {
        let least = if self.role == Role::Seedbox { 16 } else { 8 };
        let managed = self.meter_up.rate(now).saturating_mul(2).max(1);
        self.limits.upload_slots.unwrap_or_else(|| match self.rates.up {
            Some(rate) => choker::slots_for(Some(rate)),
            None => choker::slots_for(Some(managed)).max(least),
        })
    }

    /// Between rounds: whoever waits gets a slot that has become free, or affordable.
    pub(super) fn fill_slots(&mut self, now: Time) {
        let waiting = |s: &Session| s.phase == Phase::Open && s.peer_interested && s.am_choking;
        let conns: Vec<ConnId> = self.conns.iter().filter(|(_, s)| waiting(s)).map(|(&c, _)| c).collect();
        for conn in conns {
            self.unchoke_if_room(now, conn);
        }
    }

    pub(super) fn choke_round(&mut self, now: Time) {
        let serving = !matches!(self.running, Running::Paused { uploads: false } | Running::Stopping);
        let seeding = self.is_complete();
        let slots = if serving { self.slots(now) } else { 0 };
        let wants = |s: &Session| s.phase == Phase::Open && s.peer_interested;
        let awake = self.watch.awake();
        let contenders: Vec<Contender<ConnId>> = self
            .conns
            .iter_mut()
            .filter(|(_, s)| wants(s))
            .map(|(&key, s)| Contender {
                key,
                gives: s.down.rate.rate(awake),
                takes: s.up.rate.rate(now),
                unchoked_since: (!s.am_choking).then_some(s.unchoked_at),
                waiting_since: s.unchoked_at.max(s.since),
                snubs_us: s.down.snubbed,
                lan: class_of(s.addr.ip()) == AddrClass::Private,
            })
            .collect();
        let chosen = choker::choose(&contenders, slots, seeding, &mut self.optimistic, now, &mut self.rng);
        let served: Vec<ConnId> = self.conns.iter().filter(|(_, s)| !s.am_choking).map(|(&c, _)| c).collect();
        for conn in served.into_iter().filter(|conn| !chosen.contains(conn)) {
            self.choke(now, conn);
        }
        for conn in chosen {
            if self.conns.get(&conn).is_some_and(|s| s.am_choking) {
                self.unchoke(now, conn);
            }
        }
    }

    fn unchoke(&mut self, now: Time, conn: ConnId) {
        if let Some(session) = self.conns.get_mut(&conn) {
            session.am_choking = false;
            session.unchoked_at = now;
            self.send(now, conn, Message::Unchoke);
        }
    }

    /// BEP 6: what is queued is rejected, one by one.
    fn choke(&mut self, now: Time, conn: ConnId) {
        let Some(session) = self.conns.get_mut(&conn) else { return };
        session.am_choking = true;
        session.unchoked_at = now;
        let void = session.up.drain_where(|_| true);
        self.send(now, conn, Message::Choke);
        for block in void {
            self.reject(now, conn, block);
        }
    }

    /// The file is not offered any more; whoever waits for a block of it is told so.
    pub(super) fn withdraw(&mut self, now: Time, file: FileIndex) {
        let Some(content) = &mut self.content else { return };
        let pieces = content.torrent.layout.pieces_of_file(file);
        let offered: Vec<u32> = pieces.clone().filter(|&piece| content.has_piece(piece)).collect();
        let ranges: Vec<_> = content.torrent.layout.blocks_of_file(file).collect();
        for range in ranges {
            content.picker.withdraw(range);
        }
        let conns: Vec<ConnId> =
            self.conns.iter().filter(|(_, s)| s.phase == Phase::Open).map(|(&c, _)| c).collect();
        for conn in conns {
            for &piece in &offered {
                self.send_dont_have(now, conn, PieceIndex(piece));
            }
            let void = self
                .conns
                .get_mut(&conn)
                .map(|s| s.up.drain_where(|block| pieces.contains(&block.piece.0)))
                .unwrap_or_default();
            for block in void {
                self.reject(now, conn, block);
            }
        }
    }
}
