//! The machine's outputs become sockets, jobs and requests.

use super::Driver;
use crate::net::storage::Job;
use crate::net::{announce, conn, web};
use crate::swarm::{ConnId, Event, JobId, Output, TrackerId, WebSeedId};
use crate::tracker::AnnounceRequest;
use crate::units::{FileIndex, PieceIndex};
use bytes::Bytes;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;

impl Driver {
    pub(super) fn perform(&mut self, output: Output) {
        match output {
            Output::Connect { conn, addr } => self.connect(conn, addr),
            Output::Close { conn, reason } => {
                tracing::debug!(?conn, ?reason, "closing");
                self.conns.close(conn);
            }
            Output::SendHandshake { conn, handshake } => self.conns.stage_handshake(conn, &handshake),
            Output::Send { conn, message } => self.conns.stage_message(conn, &message),
            Output::SendBlock { conn, block } => self.conns.stage_block(conn, block),
            Output::WriteBlock { job, block, data, leaf } => {
                if self.keeps_recent {
                    self.recent.keep(block, &data);
                }
                self.disk.push(Job::Write { job, block, data, leaf });
            }
            Output::HashBlock { job, block } => self.disk.push(Job::HashBlock { job, block }),
            Output::HashPieceV1 { piece, data } => self.hash_piece(piece, data),
            Output::Announce { tracker, request } => self.announce(tracker, request),
            Output::FetchRange { fetch, seed, file, range } => self.fetch(fetch, seed, file, range),
            Output::CancelFetch { fetch } => {
                if let Some(cancel) = self.fetches.remove(&fetch) {
                    cancel.cancel();
                }
            }
            Output::Event(event) => {
                self.stopped |= matches!(event, Event::Stopped);
                self.owner.event(event, self.node.clock.now(), &mut self.swarm);
            }
        }
    }

    fn hash_piece(&mut self, piece: PieceIndex, data: Vec<Bytes>) {
        let len = self.link.files.get().map_or(0, |files| files.torrent.layout.piece_wire_len(piece));
        let recent = self.recent.take(piece, len);
        let data = if data.is_empty() { recent.unwrap_or_default() } else { data };
        self.disk.push(Job::HashPieceV1 { piece, data });
    }

    fn connect(&mut self, conn: ConnId, addr: SocketAddr) {
        let orders = self.open(conn);
        let node = Arc::clone(&self.node);
        let link = Arc::clone(&self.link);
        self.tasks.spawn(async move {
            conn::outgoing(link, conn, addr, node.door.connect(addr), orders).await;
        });
    }

    fn announce(&mut self, tracker: TrackerId, request: AnnounceRequest) {
        let Some(url) = self.trackers.get(tracker.0 as usize).cloned() else { return };
        let (node, feed, stop) = (Arc::clone(&self.node), self.link.feed.clone(), self.stop.clone());
        self.tasks.spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = announce::run(&node.http, tracker, url, request, feed) => {}
            }
        });
    }

    fn fetch(&mut self, fetch: JobId, seed: WebSeedId, file: FileIndex, range: Range<u64>) {
        let cancel = self.stop.child_token();
        self.fetches.insert(fetch, cancel.clone());
        let (node, link) = (Arc::clone(&self.node), Arc::clone(&self.link));
        let seeds = Arc::clone(&self.web_seeds);
        self.tasks.spawn(async move {
            tokio::select! {
                () = cancel.cancelled() => {}
                () = web::run(&node.http, &link, seeds.get(seed.0 as usize), fetch, file, range) => {}
            }
        });
    }
}
