//! Announces: every tracker under every hash of the torrent, each pair with its own timing.

use std::net::SocketAddr;
use std::time::Duration;

use rand_chacha::rand_core::Rng as _;

use super::content::Active;
use super::io::{AddrClass, Event, Output, PeerSource, TrackerId};
use super::{Running, Swarm};
use crate::tracker::{AnnounceRequest, AnnounceResponse, ClientTimer, TrackerFault};
use crate::units::{Time, WireHash};

/// How many peers we ask for.
const NUM_WANT: u32 = 80;
/// How long a last announce may hold up the end.
const GOODBYE: Duration = Duration::from_secs(3);

/// The timers of one swarm.
#[derive(Default)]
pub(super) struct Announcer {
    timers: Vec<(TrackerId, WireHash, ClientTimer)>,
    key: u32,
    give_up_at: Option<Time>,
}

impl Announcer {
    pub(super) fn new(trackers: u32, hashes: &[WireHash], key: u32, now: Time) -> Announcer {
        let pairs = (0..trackers).flat_map(|t| hashes.iter().map(move |&hash| (TrackerId(t), hash)));
        let timers = pairs.map(|(tracker, hash)| (tracker, hash, ClientTimer::new(now))).collect();
        Announcer { timers, key, give_up_at: None }
    }

    /// More peers are wanted.
    pub(super) fn hurry(&mut self, now: Time) {
        self.timers.iter_mut().for_each(|(.., timer)| timer.want_peers(now));
    }

    /// All that was wanted is there.
    pub(super) fn completed(&mut self, now: Time) {
        self.timers.iter_mut().for_each(|(.., timer)| timer.complete(now));
    }

    /// We leave.
    pub(super) fn stop(&mut self, now: Time) {
        self.give_up_at = Some(now + GOODBYE);
        self.timers.iter_mut().for_each(|(.., timer)| timer.stop(now));
    }

    /// Whether all goodbyes are said, or have taken too long.
    pub(super) fn is_done(&self, now: Time) -> bool {
        self.timers.iter().all(|(.., timer)| timer.is_done()) || self.give_up_at.is_some_and(|at| at <= now)
    }

    /// When `is_done` will be true at the latest.
    pub(super) fn ends_at(&self) -> Option<Time> {
        self.give_up_at
    }
}

impl Swarm {
    /// Sends every announce that is due.
    pub(super) fn announce_due(&mut self, now: Time) {
        let left = self.content.as_ref().map_or(1, Active::left);
        let (uploaded, downloaded) = (self.stats.sent_lan + self.stats.sent_peers, self.ledger.total());
        let want_more = self.running != Running::Stopping && self.conns.len() < self.limits.max_peers;
        for (tracker, hash, timer) in &mut self.announcer.timers {
            let Some(event) = timer.poll(now) else { continue };
            let mut request = AnnounceRequest::new(*hash, self.peer_id, self.listen_port.unwrap_or(0));
            request.uploaded = uploaded;
            request.downloaded = downloaded;
            request.left = left;
            request.event = event;
            request.num_want = Some(if want_more { NUM_WANT } else { 0 });
            request.key = Some(self.announcer.key);
            self.out.push_back(Output::Announce { tracker: *tracker, request });
        }
    }

    pub(super) fn on_announced(
        &mut self,
        now: Time,
        tracker: TrackerId,
        hash: WireHash,
        class: AddrClass,
        result: Result<AnnounceResponse, TrackerFault>,
    ) {
        let random = self.rng.next_u64();
        let timers = &mut self.announcer.timers;
        let Some((.., timer)) = timers.iter_mut().find(|(t, h, _)| *t == tracker && *h == hash) else {
            return;
        };
        match result {
            Ok(response) => {
                timer.succeeded(now, &response);
                self.on_tracker_peers(now, tracker, hash, class, &response.peers);
            }
            Err(fault) => {
                timer.failed(now, random);
                self.event(Event::TrackerFailed { tracker, reason: fault.to_string() });
            }
        }
        self.announce_due(now);
    }

    fn on_tracker_peers(
        &mut self,
        now: Time,
        tracker: TrackerId,
        hash: WireHash,
        class: AddrClass,
        peers: &[SocketAddr],
    ) {
        if self.running == Running::Stopping {
            return;
        }
        self.event(Event::TrackerOk { tracker, peers: peers.len() });
        self.add_candidates(now, PeerSource::Tracker(class), peers, hash);
    }
}
