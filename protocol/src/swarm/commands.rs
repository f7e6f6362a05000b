//! What the owner of the swarm asks.

use super::content::Active;
use super::io::{CloseReason, Command, ConnId, Content, Event, PeerSource, Rates};
use super::{Running, Swarm};
use crate::blockset::BlockSet;
use crate::session::{Phase, bitfield};
use crate::units::{FileIndex, Root, Time};
use crate::wire::Message;
use std::sync::Arc;

impl Swarm {
    pub(super) fn on_command(&mut self, now: Time, command: Command) {
        match command {
            Command::Start(content) => self.start(now, *content),
            Command::Want(wanted) => self.want(now, &wanted),
            Command::Withdraw(file) => {
                self.withdraw(now, file);
                self.event(Event::Withdrawn(file));
            }
            Command::Restore { file, have, leaves } => self.restore(now, file, &have, leaves),
            Command::SetRates(rates) => self.set_rates(now, rates),
            Command::AddPeers(addrs) => self.on_peers(now, PeerSource::Added, &addrs),
            Command::Deadline { pieces, within } => {
                if let Some(content) = &mut self.content {
                    content.picker.set_deadline(pieces, now + within);
                }
            }
            Command::Pause { uploads } => self.pause(now, uploads),
            Command::Resume => self.resume(now),
            Command::Shutdown => self.shutdown(now),
        }
        self.tick_at = self.tick_at.min(now);
    }

    /// The torrent is known.
    pub(super) fn start(&mut self, now: Time, content: Content) {
        if self.content.is_some() {
            return;
        }
        let torrent = &content.torrent;
        self.v1 = self.v1.or(torrent.info_hash_v1);
        self.v2 = self.v2.or(torrent.info_hash_v2);
        let pieces = torrent.layout.piece_count();
        self.content = Some(Active::new(content));
        self.began_at = now;
        self.fed_at = now;
        let conns: Vec<ConnId> =
            self.conns.iter().filter(|(_, s)| s.phase == Phase::Open).map(|(&c, _)| c).collect();
        for conn in conns {
            let Some(session) = self.conns.get_mut(&conn) else { continue };
            if !session.pieces.learn_count(pieces) {
                self.violation(now, conn, "bitfield: wrong length or spare bits set");
                continue;
            }
            self.learn_pieces(now, conn);
            self.tell_pieces_late(now, conn);
            self.send_ext_handshake(now, conn);
        }
        self.check_complete(now);
    }

    /// A bitfield may only come first; afterwards pieces are told one by one.
    fn tell_pieces_late(&mut self, now: Time, conn: ConnId) {
        let Some(content) = &self.content else { return };
        let count = content.torrent.layout.piece_count();
        let bits = bitfield(count, |piece| content.has_piece(piece));
        for piece in (0..count).filter(|&p| bits[p as usize / 8] & (0x80 >> (p % 8)) != 0) {
            self.send(now, conn, Message::Have(crate::units::PieceIndex(piece)));
        }
    }

    fn want(&mut self, now: Time, wanted: &BlockSet) {
        let Some(content) = &mut self.content else { return };
        content.want(wanted);
        self.fed_at = now;
        self.recount_all(now);
        self.check_complete(now);
    }

    fn recount_all(&mut self, now: Time) {
        let conns: Vec<ConnId> = self.conns.keys().copied().collect();
        for conn in conns {
            self.recount_interest(conn);
            self.update_interest(now, conn);
        }
    }

    fn restore(&mut self, now: Time, file: FileIndex, have: &BlockSet, leaves: Option<Arc<[Root]>>) {
        let Some(content) = &mut self.content else { return };
        let ranges: Vec<_> = content.torrent.layout.blocks_of_file(file).collect();
        let pieces = content.torrent.layout.pieces_of_file(file);
        let before: Vec<bool> = pieces.clone().map(|piece| content.has_piece(piece)).collect();
        if let Some(leaves) = leaves {
            content.leaves.insert(file, leaves);
        }
        let mut verified = have.clone();
        let mut inside = BlockSet::new(content.torrent.layout.block_count());
        ranges.into_iter().for_each(|range| inside.insert_range(range));
        verified.intersect(&inside);
        for range in verified.ranges() {
            content.picker.restore(range);
        }
        let now_whole: Vec<u32> =
            pieces.zip(before).filter(|(p, had)| !had && content.has_piece(*p)).map(|(p, _)| p).collect();
        let conns: Vec<ConnId> =
            self.conns.iter().filter(|(_, s)| s.phase == Phase::Open).map(|(&c, _)| c).collect();
        for conn in conns {
            for &piece in &now_whole {
                self.send(now, conn, Message::Have(crate::units::PieceIndex(piece)));
            }
        }
        self.recount_all(now);
    }

    fn set_rates(&mut self, now: Time, rates: Rates) {
        self.rates = rates;
        self.up.set_rate(rates.up, now);
        self.down.set_rate(rates.down, now);
        self.choke_round(now);
        self.pump_uploads(now);
    }

    pub(super) fn pause(&mut self, now: Time, uploads: bool) {
        if self.running == Running::Stopping {
            return;
        }
        self.running = Running::Paused { uploads };
        let conns: Vec<ConnId> = self.conns.keys().copied().collect();
        for conn in conns {
            let blocks = self.conns.get_mut(&conn).map(|s| s.down.give_up(true)).unwrap_or_default();
            self.release_all(&blocks);
            for block in blocks {
                self.send(now, conn, Message::Cancel(block));
            }
            self.update_interest(now, conn);
        }
        self.stop_web();
        self.choke_round(now);
    }

    fn resume(&mut self, now: Time) {
        if !matches!(self.running, Running::Paused { .. }) {
            return;
        }
        self.running = Running::Yes;
        self.fed_at = now;
        self.recount_all(now);
        self.choke_round(now);
        self.connect_more(now);
    }

    fn shutdown(&mut self, now: Time) {
        if self.running == Running::Stopping {
            return;
        }
        self.running = Running::Stopping;
        let conns: Vec<ConnId> = self.conns.keys().copied().collect();
        for conn in conns {
            self.close(now, conn, CloseReason::Stopping);
        }
        self.stop_web();
        self.announcer.stop(now);
        self.announce_due(now);
    }
}
