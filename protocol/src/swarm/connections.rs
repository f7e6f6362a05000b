//! Who we are connected to: handshakes, limits, bans, the end of connections.

use std::net::SocketAddr;
use std::time::Duration;

use super::candidates::class_of;
use super::io::{AddrClass, CloseReason, ConnId, Event, Output, PeerSource, Role, SourceKind};
use super::{Running, Swarm, peer_source};
use crate::session::{Phase, Session, bitfield};
use crate::units::{PeerId, Time, WireHash};
use crate::wire::{Handshake, Message, Reserved};

/// How long an answer to our handshake may take.
const HANDSHAKE_PATIENCE: Duration = Duration::from_secs(10);
/// A peer that is silent for longer is gone (BEP 3 suggests two minutes).
const SILENCE: Duration = Duration::from_secs(150);
/// We say something at least so often.
const KEEP_ALIVE: Duration = Duration::from_secs(100);
/// A peer with which there is nothing to exchange may stay so long, if its place is needed.
const USELESS: Duration = Duration::from_secs(60);
/// After a connection ended in peace.
const PAUSE_AFTER_END: Duration = Duration::from_secs(4);
/// After one that there is no sense in making again soon.
const LONG_PAUSE: Duration = Duration::from_secs(600);

impl Swarm {
    /// The hashes we are known by: v1 first.
    pub(super) fn wire_hashes(&self) -> Vec<WireHash> {
        let v1 = self.v1.map(|hash| hash.wire());
        let v2 = self.v2.map(|hash| hash.truncated());
        v1.into_iter().chain(v2).collect()
    }

    fn default_hash(&self) -> WireHash {
        self.wire_hashes().first().copied().unwrap_or(WireHash([0; 20]))
    }

    fn other_hash(&self, hash: WireHash) -> Option<WireHash> {
        self.wire_hashes().into_iter().find(|&other| other != hash)
    }

    /// The v2 bit is set only beside the v1 hash of a hybrid (BEP 52, "upgrade path").
    fn our_handshake(&self, hash: WireHash) -> Handshake {
        let mut features = vec![Reserved::Extension, Reserved::Fast];
        if self.v2.is_some() && self.v1.is_some_and(|v1| v1.wire() == hash) {
            features.push(Reserved::UpgradeToV2);
        }
        Handshake::new(hash, self.peer_id, &features)
    }

    pub(super) fn on_peers(&mut self, now: Time, source: PeerSource, addrs: &[SocketAddr]) {
        let hash = self.default_hash();
        self.add_candidates(now, source, addrs, hash);
    }

    pub(super) fn add_candidates(
        &mut self,
        now: Time,
        source: PeerSource,
        addrs: &[SocketAddr],
        hash: WireHash,
    ) {
        if !self.with_peers {
            return;
        }
        for &addr in addrs {
            if !self.is_banned(addr, None) {
                self.candidates.add(addr, source, hash);
            }
        }
        self.connect_more(now);
    }

    /// Connects while there is room; a swarm that has all and seeds waits to be called.
    pub(super) fn connect_more(&mut self, now: Time) {
        if self.running != Running::Yes || !self.with_peers {
            return;
        }
        let half_open = self.conns.values().filter(|s| s.outgoing && s.phase != Phase::Open).count();
        let room = self.limits.max_peers.saturating_sub(self.conns.len());
        let mut room = room.min(self.limits.max_half_open.saturating_sub(half_open));
        if room == 0 || (self.is_complete() && self.role == Role::Seedbox) {
            return;
        }
        let mut ready = self.candidates.ready(now);
        while room > 0 && !ready.is_empty() {
            let (addr, hash) = ready.swap_remove(crate::picker::random_below(&mut self.rng, ready.len()));
            if self.is_connected_to(addr) {
                self.candidates.set_in_use(addr, true);
                continue;
            }
            room -= 1;
            let conn = ConnId(self.next_conn);
            self.next_conn += 1;
            self.candidates.set_in_use(addr, true);
            self.conns.insert(conn, Session::new(addr, true, hash, now, self.watch.awake()));
            self.out.push_back(Output::Connect { conn, addr });
        }
    }

    fn is_connected_to(&self, addr: SocketAddr) -> bool {
        self.conns.values().any(|s| s.listen_addr() == Some(addr))
    }

    pub(super) fn on_connected(&mut self, now: Time, conn: ConnId) {
        let Some(session) = self.conns.get_mut(&conn) else { return };
        session.phase = Phase::Handshaking;
        session.since = now;
        let hash = session.hash;
        let handshake = self.our_handshake(hash);
        self.out.push_back(Output::SendHandshake { conn, handshake });
    }

    pub(super) fn on_connect_failed(&mut self, now: Time, conn: ConnId) {
        if let Some(session) = self.conns.remove(&conn) {
            let other = self.other_hash(session.hash);
            self.candidates.failed(session.addr, other, now);
        }
    }

    pub(super) fn on_incoming(&mut self, now: Time, conn: ConnId, addr: SocketAddr, theirs: &Handshake) {
        if let Some(reason) = self.refuses(addr, theirs) {
            self.out.push_back(Output::Close { conn, reason });
            return;
        }
        // A peer that offers to go on as v2 gets the v2 hash for an answer.
        let upgrade = theirs.has(Reserved::UpgradeToV2) && self.v1.is_some_and(|v1| v1.wire() == theirs.hash);
        let v2_hash = self.v2.map(|v2| v2.truncated());
        let hash = v2_hash.filter(|_| upgrade).unwrap_or(theirs.hash);
        let session = Session::new(addr, false, hash, now, self.watch.awake());
        self.conns.insert(conn, session);
        let handshake = self.our_handshake(hash);
        self.out.push_back(Output::SendHandshake { conn, handshake });
        self.open(now, conn, theirs, Some(hash) == v2_hash);
    }

    fn refuses(&self, addr: SocketAddr, theirs: &Handshake) -> Option<CloseReason> {
        if self.running == Running::Stopping || !self.with_peers {
            return Some(CloseReason::Stopping);
        }
        if !self.wire_hashes().contains(&theirs.hash) {
            return Some(CloseReason::WrongHash);
        }
        if theirs.peer_id == self.peer_id {
            return Some(CloseReason::Oneself);
        }
        if self.is_banned(addr, Some(theirs.peer_id)) {
            return Some(CloseReason::Banned);
        }
        let same = self.conns.values().filter(|s| s.addr.ip() == addr.ip()).count();
        let crowded = class_of(addr.ip()) != AddrClass::Loopback && same >= self.limits.max_per_address;
        (crowded || self.conns.len() >= self.limits.max_peers).then_some(CloseReason::TooMany)
    }

    pub(super) fn on_handshake(&mut self, now: Time, conn: ConnId, theirs: &Handshake) {
        let Some(session) = self.conns.get(&conn).filter(|s| s.phase == Phase::Handshaking) else { return };
        let (addr, sent) = (session.addr, session.hash);
        let reason = if !self.wire_hashes().contains(&theirs.hash) {
            Some(CloseReason::WrongHash)
        } else if theirs.peer_id == self.peer_id {
            Some(CloseReason::Oneself)
        } else if self.is_banned(addr, Some(theirs.peer_id)) {
            Some(CloseReason::Banned)
        } else {
            None
        };
        if let Some(reason) = reason {
            self.close(now, conn, reason);
            return;
        }
        self.candidates.succeeded(addr);
        let v2_hash = self.v2.map(|v2| v2.truncated());
        let v2 = v2_hash.is_some() && (Some(theirs.hash) == v2_hash || Some(sent) == v2_hash)
            || (v2_hash.is_some() && theirs.has(Reserved::UpgradeToV2));
        self.open(now, conn, theirs, v2);
    }

    /// Handshakes are exchanged: says what we have and can do.
    fn open(&mut self, now: Time, conn: ConnId, theirs: &Handshake, v2: bool) {
        if self.drop_duplicate(now, conn, theirs.peer_id) {
            return;
        }
        let Some(session) = self.conns.get_mut(&conn) else { return };
        session.opened(theirs, v2);
        session.heard_at = now;
        session.spoke_at = now;
        let (fast, extended) = (session.fast, session.extended);
        if let Some(content) = &self.content {
            session.pieces.learn_count(content.torrent.layout.piece_count());
        }
        if let Some(message) = self.our_pieces(fast) {
            self.send(now, conn, message);
        }
        if extended {
            self.send_ext_handshake(now, conn);
        }
    }

    fn our_pieces(&self, fast: bool) -> Option<Message> {
        let Some(content) = &self.content else { return fast.then_some(Message::HaveNone) };
        let count = content.torrent.layout.piece_count();
        let owned = (0..count).filter(|&piece| content.has_piece(piece)).count();
        match (owned, fast) {
            (0, true) => Some(Message::HaveNone),
            (0, false) => None,
            (owned, true) if owned == count as usize => Some(Message::HaveAll),
            _ => Some(Message::Bitfield(bitfield(count, |piece| content.has_piece(piece)))),
        }
    }

    /// Of two connections to one peer, both sides keep the one that the greater peer id made.
    fn drop_duplicate(&mut self, now: Time, conn: ConnId, id: PeerId) -> bool {
        let twin = self.conns.iter().find(|(c, s)| **c != conn && s.phase == Phase::Open && s.peer_id == id);
        let Some((&twin, _)) = twin else { return false };
        let ours = |c: ConnId| self.conns.get(&c).is_some_and(|s| s.outgoing);
        let loser = match (ours(conn), ours(twin)) {
            (a, b) if a == b => conn,
            (true, _) => {
                if self.peer_id > id {
                    twin
                } else {
                    conn
                }
            }
            _ => {
                if self.peer_id > id {
                    conn
                } else {
                    twin
                }
            }
        };
        self.close(now, loser, CloseReason::Duplicate);
        loser == conn
    }

    pub(super) fn on_disconnected(&mut self, now: Time, conn: ConnId) {
        let Some(session) = self.conns.get(&conn) else { return };
        let (addr, open, hash) = (session.addr, session.phase == Phase::Open, session.hash);
        self.forget(now, conn);
        if open {
            self.candidates.ended(addr, PAUSE_AFTER_END, now);
        } else {
            let other = self.other_hash(hash);
            self.candidates.failed(addr, other, now);
        }
    }

    /// Closes from our side.
    pub(super) fn close(&mut self, now: Time, conn: ConnId, reason: CloseReason) {
        let Some(session) = self.conns.get(&conn) else { return };
        let addr = session.listen_addr().unwrap_or(session.addr);
        tracing::debug!(?conn, %addr, ?reason, "closing a connection");
        self.forget(now, conn);
        self.out.push_back(Output::Close { conn, reason });
        match reason {
            CloseReason::Oneself | CloseReason::Banned => self.candidates.forget(addr),
            CloseReason::WrongHash | CloseReason::Violation(_) | CloseReason::BothComplete => {
                self.candidates.ended(addr, LONG_PAUSE, now);
            }
            // Still connected, by its twin.
            CloseReason::Duplicate => {}
            _ => self.candidates.ended(addr, PAUSE_AFTER_END * 8, now),
        }
    }

    /// Takes a connection out of all books.
    fn forget(&mut self, now: Time, conn: ConnId) {
        let Some(mut session) = self.conns.remove(&conn) else { return };
        let blocks = session.down.give_up(false);
        if let Some(content) = &mut self.content {
            for block in blocks {
                content.picker.release(block);
            }
            content.picker.forget_source(peer_source(conn));
        }
        self.uncount_pieces(&session);
        if self.sending_to.is_some_and(|(to, _)| to == conn) {
            self.sending_to = None;
        }
        if session.peer_interested && !session.am_choking {
            self.choke_round(now);
        }
    }

    /// The peer sent data that does not verify.
    pub(super) fn ban(&mut self, now: Time, conn: ConnId) {
        let Some(session) = self.conns.get(&conn) else { return };
        let (addr, id) = (session.addr, session.peer_id);
        // On loopback one address is everybody.
        if class_of(addr.ip()) != AddrClass::Loopback {
            self.banned_ips.insert(addr.ip());
        }
        self.banned_ids.insert(id);
        self.event(Event::PeerBanned(addr));
        self.close(now, conn, CloseReason::Banned);
    }

    pub(super) fn violation(&mut self, now: Time, conn: ConnId, what: &'static str) {
        self.close(now, conn, CloseReason::Violation(what));
    }

    /// Silence, slow handshakes, useless connections.
    pub(super) fn check_idle(&mut self, now: Time) {
        let crowded = self.conns.len() + 1 >= self.limits.max_peers;
        let complete = self.is_complete();
        let mut doomed = Vec::new();
        let mut quiet = Vec::new();
        for (&conn, s) in &self.conns {
            let useless = !s.am_interested && !s.peer_interested && now.since(s.since) > USELESS;
            match s.phase {
                Phase::Connecting => {}
                Phase::Handshaking if now.since(s.since) > HANDSHAKE_PATIENCE => {
                    doomed.push((conn, CloseReason::Idle));
                }
                Phase::Handshaking => {}
                Phase::Open if complete && s.pieces.is_complete() && now.since(s.since) > IDLE_SEEDS => {
                    doomed.push((conn, CloseReason::BothComplete));
                }
                Phase::Open if now.since(s.heard_at) > SILENCE || (crowded && useless) => {
                    doomed.push((conn, CloseReason::Idle));
                }
                Phase::Open if now.since(s.spoke_at) > KEEP_ALIVE => quiet.push(conn),
                Phase::Open => {}
            }
        }
        for (conn, reason) in doomed {
            self.close(now, conn, reason);
        }
        for conn in quiet {
            self.send(now, conn, Message::KeepAlive);
        }
    }

    /// To whose account bytes from this peer go.
    pub(super) fn kind_of(session: &Session) -> SourceKind {
        if session.is_origin() {
            SourceKind::Origin
        } else if class_of(session.addr.ip()) == AddrClass::Private {
            SourceKind::Lan
        } else {
            SourceKind::Peer
        }
    }
}

/// Two seeds keep a connection so long, for what their last messages may still say.
const IDLE_SEEDS: Duration = Duration::from_secs(2);
