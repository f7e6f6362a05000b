//! What surrounds a machine: its disk, the tracker, the web server beside a seedbox.

use std::net::IpAddr;

use bytes::Bytes;
use protocol::merkle;
use protocol::swarm::{AddrClass, Input, JobId, TrackerId, WebFault};
use protocol::tracker::{AnnounceRequest, TrackerFault};
use protocol::units::{BlockRef, FileIndex, Root};
use rand_chacha::rand_core::Rng as _;

use super::network::{Flow, Frame, Payload};
use super::world::{DISK, Happening, World};

const WEB_CHUNK: usize = 64 * 1024;

impl World<'_> {
    pub(super) fn write(&mut self, node: usize, job: JobId, block: BlockRef, data: Bytes, leaf: bool) {
        let leaf: Option<Root> = leaf.then(|| merkle::leaf(&data));
        if let Some(number) = self.content.torrent.layout.block_number(block) {
            self.nodes[node].disk.insert(number, data);
        }
        self.at(DISK, Happening::Tell(node, Input::BlockWritten { job, result: Ok(leaf) }));
    }

    pub(super) fn stored(&self, node: usize, block: BlockRef) -> Bytes {
        if self.nodes[node].group.complete {
            return self.content.block(block);
        }
        let number = self.content.torrent.layout.block_number(block);
        number.and_then(|n| self.nodes[node].disk.get(&n)).cloned().unwrap_or_default()
    }

    pub(super) fn announce(&mut self, node: usize, tracker: TrackerId, request: &AnnounceRequest) {
        let ip: IpAddr = self.nodes[node].addr.ip();
        let random = self.rng.next_u64();
        let answer = self.tracker.announce(self.now, ip, request, random);
        let result = answer.map_err(|_| TrackerFault::Refused("not tracked".to_owned()));
        let input = Input::Announced { tracker, hash: request.info_hash, class: AddrClass::Public, result };
        let wait = self.scenario.latency * 2;
        self.at(wait, Happening::Tell(node, input));
    }

    pub(super) fn fetch(&mut self, node: usize, fetch: JobId, file: FileIndex, range: std::ops::Range<u64>) {
        let Some(to) = self.nodes.iter().position(|n| n.group.seedbox) else {
            let fault = WebFault::Unreachable("no seedbox".to_owned());
            return self.at(DISK, Happening::Tell(node, Input::WebFailed { fetch, fault }));
        };
        let wait = self.latency(node, to);
        self.at(wait, Happening::WebAsked { from: node, to, fetch, file, range });
    }

    pub(super) fn web_asked(
        &mut self,
        from: usize,
        to: usize,
        fetch: JobId,
        file: FileIndex,
        range: std::ops::Range<u64>,
    ) {
        let start = self.content.torrent.layout.file_range(file).start;
        let (mut at, end) = ((start + range.start) as usize, (start + range.end) as usize);
        while at < end {
            let next = (at + WEB_CHUNK).min(end);
            let data = self.content.bytes.slice(at..next);
            let flow = Flow::Web(from, fetch);
            let payload = Payload::Web { data, last: next == end };
            self.nodes[to].line.push(flow, Frame { to: from, flow, size: (next - at) as u64, payload });
            at = next;
        }
        self.begin(to);
    }
}
