//! What peers say: one function a message.

use bytes::Bytes;

use super::io::ConnId;
use super::{Running, Swarm};
use crate::session::{Phase, Rejected, Session};
use crate::units::{BlockRef, PieceIndex, Time};
use crate::wire::Message;

/// A peer may come to have everything, lose a file and mend it; more often than this it plays with us.
const MAX_HAVE_ALLS: u32 = 16;

impl Swarm {
    pub(super) fn on_message(&mut self, now: Time, conn: ConnId, message: Message) {
        let Some(session) = self.conns.get_mut(&conn).filter(|s| s.phase == Phase::Open) else { return };
        session.heard_at = now;
        match message {
            Message::KeepAlive | Message::Port(_) | Message::Unknown { .. } => {}
            Message::Choke => self.on_choke(conn),
            Message::Unchoke => self.on_unchoke(now, conn),
            Message::Interested => self.on_interested(now, conn),
            Message::NotInterested => self.on_not_interested(now, conn),
            Message::Have(piece) => self.on_have(now, conn, piece),
            Message::Bitfield(bits) => self.on_bitfield(now, conn, bits),
            Message::HaveAll => self.on_have_all(now, conn),
            Message::HaveNone => {}
            Message::Request(block) => self.on_request(now, conn, block),
            Message::Cancel(block) => self.on_cancel(now, conn, block),
            Message::Piece { piece, offset, data } => self.on_piece(now, conn, piece, offset, data),
            Message::RejectRequest(block) => self.on_reject(now, conn, block),
            // Advice that we do not follow: whom to ask for what is decided by rarity.
            Message::SuggestPiece(_) | Message::AllowedFast(_) => {}
            Message::Extended { id, payload } => self.on_extended(now, conn, id, &payload),
            Message::HashRequest(range) => self.on_hash_request(now, conn, range),
            Message::Hashes { range, hashes } => self.on_hashes(now, conn, range, &hashes),
            Message::HashReject(range) => self.on_hash_reject(conn, range),
        }
    }

    fn on_choke(&mut self, conn: ConnId) {
        let Some(session) = self.conns.get_mut(&conn) else { return };
        session.peer_choking = true;
        // With BEP 6 each request is answered by itself; without it they are all void.
        if !session.fast {
            let void = session.down.give_up(true);
            self.release_all(&void);
        }
    }

    fn on_unchoke(&mut self, now: Time, conn: ConnId) {
        let Some(session) = self.conns.get_mut(&conn) else { return };
        session.peer_choking = false;
        session.down.dry_at = None;
        self.fill(now, conn);
    }

    fn on_interested(&mut self, now: Time, conn: ConnId) {
        let Some(session) = self.conns.get_mut(&conn) else { return };
        session.peer_interested = true;
        self.unchoke_if_room(now, conn);
    }

    fn on_not_interested(&mut self, now: Time, conn: ConnId) {
        let Some(session) = self.conns.get_mut(&conn) else { return };
        let had_slot = session.peer_interested && !session.am_choking;
        session.peer_interested = false;
        if had_slot {
            self.choke_round(now);
        }
    }

    fn on_have(&mut self, now: Time, conn: ConnId, piece: PieceIndex) {
        if self.content.as_ref().is_some_and(|c| piece.0 >= c.torrent.layout.piece_count()) {
            return self.violation(now, conn, "have: no such piece");
        }
        let awake = self.watch.awake();
        let Some(session) = self.conns.get_mut(&conn) else { return };
        if !session.pieces.set(piece) {
            return;
        }
        // One with more to send than it can soon is no help.
        let slow = session.down.is_slow(awake);
        let (player, counted) = (!session.is_origin(), session.pieces.counted_as_seed);
        let Some(content) = &mut self.content else { return };
        let news = content.picker.wants_piece(piece.0);
        let avail = if player && !counted { content.picker.add_availability(piece.0) } else { 0 };
        if news {
            session.interesting += 1;
            session.down.dry_at = None;
        }
        if news && avail == 1 && !slow {
            self.prefer_players(now, piece.0);
        }
        self.update_interest(now, conn);
        self.fill(now, conn);
    }

    fn on_bitfield(&mut self, now: Time, conn: ConnId, bits: Bytes) {
        self.forget_pieces(conn);
        let Some(session) = self.conns.get_mut(&conn) else { return };
        let fits = session.pieces.set_bits(bits);
        self.learn_pieces(now, conn);
        if !fits {
            return self.violation(now, conn, "bitfield: wrong length or spare bits set");
        }
        self.fill(now, conn);
    }

    fn on_have_all(&mut self, now: Time, conn: ConnId) {
        // Said again it is no news, and booking all pieces anew for five bytes would keep us busy.
        if self.conns.get(&conn).is_none_or(|session| session.pieces.is_complete()) {
            return;
        }
        self.forget_pieces(conn);
        let Some(session) = self.conns.get_mut(&conn) else { return };
        session.have_alls += 1;
        if session.have_alls > MAX_HAVE_ALLS {
            return self.violation(now, conn, "have all: over and over");
        }
        session.pieces.set_all();
        self.learn_pieces(now, conn);
        self.fill(now, conn);
    }

    /// Takes a peer's pieces out of the books, for `learn_pieces` to book them with what was added. BEP 3 has the
    /// bitfield first; aria2 sends another one later, in place of many `have`s.
    fn forget_pieces(&mut self, conn: ConnId) {
        if let Some(mut session) = self.conns.remove(&conn) {
            self.uncount_pieces(&session);
            session.pieces.counted_as_seed = false;
            session.down.dry_at = None;
            self.conns.insert(conn, session);
        }
    }

    /// Books all that a peer has at once: after its bitfield, or once the torrent is known.
    pub(super) fn learn_pieces(&mut self, now: Time, conn: ConnId) {
        let (Some(session), Some(content)) = (self.conns.get_mut(&conn), &mut self.content) else { return };
        if !session.is_origin() {
            if session.pieces.is_complete() {
                session.pieces.counted_as_seed = true;
                self.player_seeds += 1;
            } else {
                for piece in session.pieces.iter() {
                    content.picker.add_availability(piece);
                }
            }
        }
        self.recount_interest(conn);
        self.update_interest(now, conn);
    }

    /// The opposite, when a connection ends.
    pub(super) fn uncount_pieces(&mut self, session: &Session) {
        let Some(content) = &mut self.content else { return };
        if session.pieces.counted_as_seed {
            self.player_seeds -= 1;
        } else if !session.is_origin() {
            for piece in session.pieces.iter() {
                content.picker.remove_availability(piece);
            }
        }
    }

    /// Counts anew how many of its pieces we want.
    pub(super) fn recount_interest(&mut self, conn: ConnId) {
        let (Some(session), Some(content)) = (self.conns.get_mut(&conn), &self.content) else { return };
        let wanted = session.pieces.iter().filter(|&piece| content.picker.wants_piece(piece));
        session.interesting = wanted.count() as u32;
        session.down.dry_at = None;
    }

    /// Tells the peer when our interest in it has changed.
    pub(super) fn update_interest(&mut self, now: Time, conn: ConnId) {
        let paused = self.running != Running::Yes;
        let Some(session) = self.conns.get_mut(&conn).filter(|s| s.phase == Phase::Open) else { return };
        let interested = session.interesting > 0 && !paused;
        if interested != session.am_interested {
            session.am_interested = interested;
            let message = if interested { Message::Interested } else { Message::NotInterested };
            self.send(now, conn, message);
        }
    }

    /// Nothing of this piece is wanted any more.
    pub(super) fn lose_interest_in(&mut self, now: Time, piece: u32) {
        let mut changed = Vec::new();
        for (&conn, session) in &mut self.conns {
            if session.pieces.has(piece) {
                session.interesting = session.interesting.saturating_sub(1);
                if session.interesting == 0 {
                    changed.push(conn);
                }
            }
        }
        for conn in changed {
            self.update_interest(now, conn);
        }
    }

    fn on_reject(&mut self, now: Time, conn: ConnId, block: BlockRef) {
        let Some(session) = self.conns.get_mut(&conn) else { return };
        if !session.fast {
            return self.violation(now, conn, "reject without the fast extension");
        }
        let rejected = session.down.rejected(block);
        if rejected.is_some() {
            self.release_all(&[block]);
        }
        // Asked again at the next tick at the earliest, a peer that rejects all must not make us spin: but at once
        // where it only does as we asked it to.
        if rejected == Some(Rejected::TakenBack) {
            let has = |s: &Session| s.can_ask() && !s.is_origin() && s.pieces.has(block.piece.0);
            let players: Vec<ConnId> = self.conns.iter().filter(|(_, s)| has(s)).map(|(&c, _)| c).collect();
            for player in players {
                self.fill(now, player);
            }
        }
    }
}
