//! Extension messages: the handshake (BEP 10), the info dictionary (BEP 9), other peers (BEP 11), pieces lost (BEP 54).

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use sha1::Sha1;
use sha2::{Digest as _, Sha256};

use super::Swarm;
use super::candidates::class_of;
use super::io::{AddrClass, ConnId, Event, PeerSource};
use crate::session::Phase;
use crate::units::{PieceIndex, Time};
use crate::wire::Message;
use crate::wire::ext::{
    ExtHandshake, HANDSHAKE_ID, MetadataAssembler, MetadataMessage, OUR_IDS, PexFlags, PexMessage, PexPeer,
    decode_dont_have, encode_dont_have,
};

/// How often a peer is told of others (BEP 11: at most once a minute).
const GOSSIP_EVERY: Duration = Duration::from_secs(60);
/// A peer that tells us more often is not listened to.
const GOSSIP_TOO_SOON: Duration = Duration::from_secs(20);
/// Peers named in one message (BEP 11).
const MAX_GOSSIP: usize = 50;
/// Metadata requests under way at one peer.
const MAX_METADATA_ASKED: usize = 4;
const METADATA_PATIENCE: Duration = Duration::from_secs(8);

/// Fetching the info dictionary of a magnet link.
#[derive(Default)]
pub(super) struct MetadataFetch {
    assembler: Option<MetadataAssembler>,
    authors: BTreeSet<ConnId>,
    /// After a failure with several authors: the one who is asked for all of it.
    sole: Option<ConnId>,
    done: bool,
}

impl Swarm {
    pub(super) fn send_ext_handshake(&mut self, now: Time, conn: ConnId) {
        let info_len = self.content.as_ref().and_then(|c| u32::try_from(c.torrent.info_bytes.len()).ok());
        let handshake = ExtHandshake {
            ids: OUR_IDS,
            client: Some(concat!("Samara ", env!("CARGO_PKG_VERSION")).to_owned()),
            listen_port: self.listen_port,
            your_ip: self.conns.get(&conn).map(|s| s.addr.ip()),
            request_queue: u32::try_from(self.limits.max_requests).ok(),
            metadata_size: info_len.filter(|&len| len > 0),
            upload_only: self.content.is_some() && self.is_complete(),
        };
        self.send_ext(now, conn, Some(HANDSHAKE_ID), handshake.encode());
    }

    fn send_ext(&mut self, now: Time, conn: ConnId, id: Option<u8>, payload: Bytes) {
        if let Some(id) = id {
            self.send(now, conn, Message::Extended { id, payload });
        }
    }

    /// A message that cannot be read is skipped: extensions are not worth a connection.
    pub(super) fn on_extended(&mut self, now: Time, conn: ConnId, id: u8, payload: &Bytes) {
        let id = Some(id);
        if id == Some(HANDSHAKE_ID) {
            self.on_ext_handshake(now, conn, payload);
        } else if id == OUR_IDS.ut_metadata {
            self.on_metadata(now, conn, payload);
        } else if id == OUR_IDS.ut_pex {
            self.on_pex(now, conn, payload);
        } else if id == OUR_IDS.lt_donthave {
            self.on_dont_have(now, conn, payload);
        }
    }

    fn on_ext_handshake(&mut self, now: Time, conn: ConnId, payload: &[u8]) {
        let Ok(theirs) = ExtHandshake::decode(payload) else { return };
        let Some(session) = self.conns.get_mut(&conn) else { return };
        if let Some(reqq) = theirs.request_queue {
            session.down.reqq = usize::try_from(reqq).unwrap_or(usize::MAX).max(1);
        }
        session.ext = Some(theirs);
        if let Some(addr) = session.listen_addr().filter(|_| !session.outgoing) {
            self.candidates.set_in_use(addr, true);
        }
        self.ask_metadata(now);
    }

    fn on_metadata(&mut self, now: Time, conn: ConnId, payload: &Bytes) {
        match MetadataMessage::decode(payload) {
            Ok(Some(MetadataMessage::Request { piece })) => self.on_metadata_request(now, conn, piece),
            Ok(Some(MetadataMessage::Data { piece, total_size, data })) => {
                self.on_metadata_data(now, conn, piece, total_size, data);
            }
            Ok(Some(MetadataMessage::Reject { piece })) => self.on_metadata_reject(conn, piece),
            Ok(None) | Err(_) => {}
        }
    }

    fn on_metadata_request(&mut self, now: Time, conn: ConnId, piece: u32) {
        let info = self.content.as_ref().map(|c| c.torrent.info_bytes.clone()).unwrap_or_default();
        let answer = MetadataMessage::answer(&info, piece).encode();
        let id = self.conns.get(&conn).and_then(|s| s.ext_ids().ut_metadata);
        self.send_ext(now, conn, id, answer);
    }

    fn on_metadata_reject(&mut self, conn: ConnId, piece: u32) {
        if let Some(session) = self.conns.get_mut(&conn) {
            session.metadata_requests.retain(|(asked, _)| *asked != piece);
            session.metadata_refused = true;
        }
    }

    fn on_metadata_data(&mut self, now: Time, conn: ConnId, piece: u32, total_size: u32, data: Bytes) {
        let Some(session) = self.conns.get_mut(&conn) else { return };
        let asked = session.metadata_requests.iter().position(|(asked, _)| *asked == piece);
        let (Some(at), Some(assembler)) = (asked, &mut self.metadata.assembler) else { return };
        session.metadata_requests.swap_remove(at);
        if !assembler.add(piece, total_size, data) {
            session.metadata_refused = true;
            return;
        }
        self.metadata.authors.insert(conn);
        match assembler.finish() {
            Some(whole) => self.judge_metadata(now, whole),
            None => self.ask_metadata(now),
        }
    }

    fn judge_metadata(&mut self, now: Time, whole: Bytes) {
        let v1 = self.v1.is_some_and(|v1| <[u8; 20]>::from(Sha1::digest(&whole)) == v1.0);
        let v2 = self.v2.is_some_and(|v2| <[u8; 32]>::from(Sha256::digest(&whole)) == v2.0);
        if v1 || v2 {
            self.metadata = MetadataFetch { done: true, ..MetadataFetch::default() };
            self.event(Event::Metadata(whole));
            return;
        }
        let authors = std::mem::take(&mut self.metadata.authors);
        self.metadata.assembler = None;
        if let (Some(&author), 1) = (authors.first(), authors.len()) {
            self.metadata.sole = None;
            self.ban(now, author);
        } else {
            self.metadata.sole = authors.first().copied();
        }
        self.ask_metadata(now);
    }

    /// Asks for what is missing of the info dictionary.
    pub(super) fn ask_metadata(&mut self, now: Time) {
        if self.content.is_some() || self.metadata.done {
            return;
        }
        let max = self.limits.max_metadata;
        if self.metadata.sole.is_some_and(|sole| !self.conns.contains_key(&sole)) {
            self.metadata.sole = None;
        }
        for session in self.conns.values_mut() {
            let before = session.metadata_requests.len();
            session.metadata_requests.retain(|(_, at)| now.since(*at) < METADATA_PATIENCE);
            session.metadata_refused |= session.metadata_requests.len() < before;
        }
        let able: Vec<(ConnId, u8, u32)> = self
            .conns
            .iter()
            .filter(|(conn, s)| !s.metadata_refused && self.metadata.sole.is_none_or(|sole| sole == **conn))
            .filter_map(|(&conn, s)| Some((conn, s.ext_ids().ut_metadata?, s.ext.as_ref()?.metadata_size?)))
            .filter(|&(.., size)| size as usize <= max)
            .collect();
        for (conn, id, size) in able {
            let assembler = match &self.metadata.assembler {
                Some(assembler) => assembler,
                None => match MetadataAssembler::new(size) {
                    Some(fresh) => self.metadata.assembler.insert(fresh),
                    None => continue,
                },
            };
            if assembler.size() != size {
                continue;
            }
            let under_way: BTreeSet<u32> = self
                .conns
                .values()
                .flat_map(|s| s.metadata_requests.iter().map(|(piece, _)| *piece))
                .collect();
            let Some(session) = self.conns.get_mut(&conn) else { continue };
            let room = MAX_METADATA_ASKED.saturating_sub(session.metadata_requests.len());
            let pieces: Vec<u32> =
                assembler.missing().filter(|piece| !under_way.contains(piece)).take(room).collect();
            for piece in pieces {
                session.metadata_requests.push((piece, now));
                let payload = MetadataMessage::Request { piece }.encode();
                self.out.push_back(super::Output::Send { conn, message: Message::Extended { id, payload } });
            }
        }
    }

    fn is_private(&self) -> bool {
        self.content.as_ref().is_some_and(|content| content.torrent.private)
    }

    fn on_pex(&mut self, now: Time, conn: ConnId, payload: &[u8]) {
        let private = self.is_private();
        let Some(session) = self.conns.get_mut(&conn) else { return };
        let soon = session.pex_received_at.is_some_and(|at| now.since(at) < GOSSIP_TOO_SOON);
        if private || soon {
            return;
        }
        session.pex_received_at = Some(now);
        let hash = session.hash;
        let Ok(message) = PexMessage::decode(payload) else { return };
        let addrs: Vec<SocketAddr> = message.added.iter().map(|p| p.addr).take(MAX_GOSSIP).collect();
        self.add_candidates(now, PeerSource::Gossip, &addrs, hash);
    }

    /// Tells peers of each other.
    pub(super) fn gossip(&mut self, now: Time) {
        if self.is_private() {
            return;
        }
        let due = |s: &crate::session::Session| {
            let ready = s.pex_sent_at.map_or(s.since + Duration::from_secs(5), |at| at + GOSSIP_EVERY);
            s.phase == Phase::Open && s.ext_ids().ut_pex.is_some() && now >= ready
        };
        let conns: Vec<ConnId> = self.conns.iter().filter(|(_, s)| due(s)).map(|(&c, _)| c).collect();
        if conns.is_empty() {
            return;
        }
        let known: Vec<PexPeer> = self
            .conns
            .values()
            .filter(|s| s.phase == Phase::Open)
            .filter_map(|s| {
                let seed = if s.pieces.is_complete() { PexFlags::SEED } else { 0 };
                let reachable = if s.outgoing { PexFlags::REACHABLE } else { 0 };
                Some(PexPeer { addr: s.listen_addr()?, flags: PexFlags(seed | reachable) })
            })
            // Addresses of this machine and its network are nobody else's business, and of no use to them.
            .filter(|peer| class_of(peer.addr.ip()) == AddrClass::Public)
            .collect();
        for conn in conns {
            self.gossip_to(now, conn, &known);
        }
    }

    fn gossip_to(&mut self, now: Time, conn: ConnId, known: &[PexPeer]) {
        let Some(session) = self.conns.get_mut(&conn) else { return };
        let own = session.listen_addr();
        let news = known.iter().filter(|p| Some(p.addr) != own && !session.pex_sent.contains(&p.addr));
        let added: Vec<PexPeer> = news.take(MAX_GOSSIP).copied().collect();
        let here: BTreeSet<SocketAddr> = known.iter().map(|p| p.addr).collect();
        let dropped: Vec<SocketAddr> =
            session.pex_sent.iter().filter(|addr| !here.contains(addr)).take(MAX_GOSSIP).copied().collect();
        session.pex_sent_at = Some(now);
        if added.is_empty() && dropped.is_empty() {
            return;
        }
        session.pex_sent.extend(added.iter().map(|p| p.addr));
        dropped.iter().for_each(|addr| {
            session.pex_sent.remove(addr);
        });
        let id = session.ext_ids().ut_pex;
        self.send_ext(now, conn, id, PexMessage { added, dropped }.encode());
    }

    pub(super) fn send_dont_have(&mut self, now: Time, conn: ConnId, piece: PieceIndex) {
        let id = self.conns.get(&conn).and_then(|s| s.ext_ids().lt_donthave);
        self.send_ext(now, conn, id, encode_dont_have(piece));
    }

    fn on_dont_have(&mut self, now: Time, conn: ConnId, payload: &[u8]) {
        let (Ok(piece), Some(session)) = (decode_dont_have(payload), self.conns.get_mut(&conn)) else {
            return;
        };
        if !session.pieces.unset(piece) {
            return;
        }
        let Some(content) = &mut self.content else { return };
        if session.pieces.counted_as_seed {
            session.pieces.counted_as_seed = false;
            self.player_seeds -= 1;
            for piece in session.pieces.iter() {
                content.picker.add_availability(piece);
            }
        } else if !session.is_origin() {
            content.picker.remove_availability(piece.0);
        }
        if content.picker.wants_piece(piece.0) {
            session.interesting = session.interesting.saturating_sub(1);
        }
        self.update_interest(now, conn);
    }
}
