//! The tracker's memory: who is in which swarm. It is told the time and given randomness.
//!
//! Only registered torrents are tracked. The two hashes of a hybrid are one swarm: who asks by the v1 hash gets
//! all of it, who asks by the v2 hash only peers that announced it, for a client that knows only v1 would drop their
//! handshakes.
//!
//! Invariants: `index` maps the address of each peer in `peers` to its place; `seeds` counts those with nothing left;
//! every peer has been seen under at least one hash.

use super::{AnnounceEvent, AnnounceRequest, AnnounceResponse, ScrapeEntry};
use crate::units::{InfoHashV1, InfoHashV2, PeerId, Time, WireHash};
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// Bounds and times of a tracker.
#[derive(Clone, Copy, Debug)]
pub struct TableLimits {
    /// The most peers remembered for one torrent; beyond that one that was not seen for long makes room.
    pub peers_per_torrent: usize,
    /// The most peers in one answer.
    pub peers_per_answer: usize,
    /// When clients are to announce again.
    pub interval: Duration,
    /// How soon they may.
    pub min_interval: Duration,
    /// How long a peer is remembered after its last announce.
    pub forget_after: Duration,
}

impl Default for TableLimits {
    fn default() -> TableLimits {
        TableLimits {
            peers_per_torrent: 200_000,
            peers_per_answer: 100,
            interval: Duration::from_secs(120),
            min_interval: Duration::from_secs(15),
            forget_after: Duration::from_secs(300),
        }
    }
}

/// How many peers a client gets that does not say.
const DEFAULT_NUM_WANT: u32 = 50;
/// How many peers are looked at for each one that is wanted, before an answer is given as it is.
const LOOKS_PER_PEER: usize = 16;
/// How many peers are looked at to find one that makes room.
const LOOKS_FOR_ROOM: u64 = 8;

/// The torrent is not registered here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this torrent is not tracked here")]
pub struct Unregistered;

/// The hashes of one torrent; at least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Registration {
    /// Of v1 and hybrid torrents.
    pub v1: Option<InfoHashV1>,
    /// Of v2 and hybrid torrents.
    pub v2: Option<InfoHashV2>,
}

impl Registration {
    fn hashes(self) -> impl Iterator<Item = (WireHash, Side)> {
        let v1 = self.v1.map(|hash| (hash.wire(), Side::V1));
        v1.into_iter().chain(self.v2.map(|hash| (hash.truncated(), Side::V2)))
    }
}

/// Swarms of registered torrents.
#[derive(Debug)]
pub struct Table {
    limits: TableLimits,
    by_hash: HashMap<WireHash, (u64, Side)>,
    swarms: HashMap<u64, Swarm>,
    next_swarm: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    V1,
    V2,
}

#[derive(Debug, Default)]
struct Swarm {
    peers: Vec<Peer>,
    index: HashMap<SocketAddr, usize>,
    seeds: u32,
    downloaded: u32,
}

#[derive(Clone, Copy, Debug)]
struct Peer {
    addr: SocketAddr,
    id: PeerId,
    seed: bool,
    /// When it last announced each hash; by [`Side`].
    seen: [Option<Time>; 2],
}

impl Peer {
    fn last_seen(&self) -> Time {
        self.seen.iter().flatten().copied().max().unwrap_or(Time::ZERO)
    }
}

impl Table {
    /// Tracks nothing yet.
    #[must_use]
    pub fn new(limits: TableLimits) -> Table {
        Table { limits, by_hash: HashMap::new(), swarms: HashMap::new(), next_swarm: 0 }
    }

    /// Tracks a torrent. One of its hashes may be known already (a swarm registered with one hash gets the other).
    pub fn register(&mut self, torrent: Registration) {
        let known = torrent.hashes().find_map(|(hash, _)| self.by_hash.get(&hash).map(|(swarm, _)| *swarm));
        let swarm = known.unwrap_or_else(|| {
            self.next_swarm += 1;
            self.next_swarm
        });
        self.swarms.entry(swarm).or_default();
        for (hash, side) in torrent.hashes() {
            self.by_hash.insert(hash, (swarm, side));
        }
    }

    /// Forgets a torrent and its peers.
    pub fn unregister(&mut self, torrent: Registration) {
        for (hash, _) in torrent.hashes() {
            if let Some((swarm, _)) = self.by_hash.remove(&hash) {
                self.swarms.remove(&swarm);
                self.by_hash.retain(|_, (other, _)| *other != swarm);
            }
        }
    }

    /// Whether a hash is tracked.
    #[must_use]
    pub fn knows(&self, hash: WireHash) -> bool {
        self.by_hash.contains_key(&hash)
    }

    /// Takes an announce that came from `ip` and answers it. `random` is any number, a new one each time: it decides
    /// which peers are given.
    ///
    /// # Errors
    /// [`Unregistered`]
    pub fn announce(
        &mut self,
        now: Time,
        ip: IpAddr,
        request: &AnnounceRequest,
        random: u64,
    ) -> Result<AnnounceResponse, Unregistered> {
        let (id, side) = *self.by_hash.get(&request.info_hash).ok_or(Unregistered)?;
        let swarm = self.swarms.get_mut(&id).ok_or(Unregistered)?;
        let addr = SocketAddr::new(ip.to_canonical(), request.port);
        let mut peers = Vec::new();
        if request.event == Some(AnnounceEvent::Stopped) {
            swarm.leave(addr, side);
        } else {
            swarm.take(now, addr, request, side, &self.limits, random);
            let wanted = request.num_want.unwrap_or(DEFAULT_NUM_WANT) as usize;
            peers = swarm.choose(addr, request, side, wanted.min(self.limits.peers_per_answer), random);
        }
        Ok(AnnounceResponse {
            interval: self.limits.interval,
            min_interval: Some(self.limits.min_interval),
            complete: Some(swarm.seeds),
            incomplete: Some((swarm.peers.len() as u32).saturating_sub(swarm.seeds)),
            peers,
            external_ip: Some(addr.ip()),
            warning: None,
        })
    }

    /// The state of a swarm by either hash.
    #[must_use]
    pub fn scrape(&self, hash: WireHash) -> Option<ScrapeEntry> {
        let swarm = self.swarms.get(&self.by_hash.get(&hash)?.0)?;
        Some(ScrapeEntry {
            complete: swarm.seeds,
            downloaded: swarm.downloaded,
            incomplete: (swarm.peers.len() as u32).saturating_sub(swarm.seeds),
        })
    }

    /// Peers of all swarms.
    #[must_use]
    pub fn peer_count(&self) -> usize {
        self.swarms.values().map(|swarm| swarm.peers.len()).sum()
    }

    /// Forgets peers that have not announced for long; to be called now and then.
    pub fn expire(&mut self, now: Time) {
        let forget_after = self.limits.forget_after;
        for swarm in self.swarms.values_mut() {
            for place in (0..swarm.peers.len()).rev() {
                for seen in &mut swarm.peers[place].seen {
                    *seen = seen.filter(|&seen| now - seen < forget_after);
                }
                if swarm.peers[place].seen == [None; 2] {
                    swarm.remove(place);
                }
            }
        }
    }
}

impl Swarm {
    fn take(
        &mut self,
        now: Time,
        addr: SocketAddr,
        request: &AnnounceRequest,
        side: Side,
        limits: &TableLimits,
        random: u64,
    ) {
        let seed = request.left == 0;
        let place = match self.index.get(&addr) {
            Some(&place) => place,
            None => {
                if self.peers.len() >= limits.peers_per_torrent && !self.make_room(random) {
                    return;
                }
                self.peers.push(Peer { addr, id: request.peer_id, seed: false, seen: [None; 2] });
                self.index.insert(addr, self.peers.len() - 1);
                self.peers.len() - 1
            }
        };
        let peer = &mut self.peers[place];
        self.seeds = self.seeds + u32::from(seed) - u32::from(peer.seed);
        peer.seed = seed;
        peer.id = request.peer_id;
        // A hybrid's client announces completion under both hashes, in the same breath.
        let other = peer.seen[1 - side as usize];
        peer.seen[side as usize] = Some(now);
        if request.event == Some(AnnounceEvent::Completed) && (side == Side::V1 || other.is_none()) {
            self.downloaded = self.downloaded.saturating_add(1);
        }
    }

    /// Removes the one least lately seen of a few.
    fn make_room(&mut self, random: u64) -> bool {
        let walk = Walk::new(self.peers.len(), random).take(LOOKS_FOR_ROOM as usize);
        let oldest = walk.min_by_key(|&place| self.peers[place].last_seen());
        if let Some(place) = oldest {
            self.remove(place);
        }
        oldest.is_some()
    }

    fn leave(&mut self, addr: SocketAddr, side: Side) {
        let Some(&place) = self.index.get(&addr) else { return };
        self.peers[place].seen[side as usize] = None;
        if self.peers[place].seen == [None; 2] {
            self.remove(place);
        }
    }

    fn remove(&mut self, place: usize) {
        let gone = self.peers.swap_remove(place);
        self.seeds -= u32::from(gone.seed);
        self.index.remove(&gone.addr);
        if let Some(moved) = self.peers.get(place) {
            self.index.insert(moved.addr, place);
        }
    }

    fn choose(
        &self,
        asker: SocketAddr,
        request: &AnnounceRequest,
        side: Side,
        count: usize,
        random: u64,
    ) -> Vec<SocketAddr> {
        let suits = |peer: &&Peer| {
            peer.addr != asker
                && peer.id != request.peer_id
                && (side == Side::V1 || peer.seen[Side::V2 as usize].is_some())
                // A seed has no use for seeds.
                && !(peer.seed && request.left == 0)
                && is_reachable(asker.ip(), peer.addr.ip())
        };
        let walk = Walk::new(self.peers.len(), random).take(count.saturating_mul(LOOKS_PER_PEER).max(256));
        walk.map(|place| &self.peers[place]).filter(suits).map(|peer| peer.addr).take(count).collect()
    }
}

/// Loopback peers are of use only to those on the same machine, private ones only within a private network.
fn is_reachable(asker: IpAddr, peer: IpAddr) -> bool {
    let class = |ip: IpAddr| match ip {
        ip if ip.is_loopback() => 0,
        IpAddr::V4(ip) if ip.is_private() || ip.is_link_local() => 1,
        IpAddr::V6(ip) if ip.is_unique_local() || ip.is_unicast_link_local() => 1,
        _ => 2,
    };
    class(asker) <= class(peer)
}

/// All numbers below `len` in an order that `random` decides: a start, and a stride without common divisor.
struct Walk {
    len: u64,
    at: u64,
    stride: u64,
    left: u64,
}

impl Walk {
    fn new(len: usize, random: u64) -> Walk {
        let len = len as u64;
        let mixed = mix(random);
        let mut stride = 1 + (mixed >> 32) % len.max(1);
        while gcd(stride, len) != 1 {
            stride += 1;
        }
        Walk { len, at: (mixed & 0xffff_ffff) % len.max(1), stride, left: len }
    }
}

impl Iterator for Walk {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        self.left = self.left.checked_sub(1)?;
        let at = self.at;
        self.at = (self.at + self.stride) % self.len;
        Some(at as usize)
    }
}

/// splitmix64: a caller's counter is as good as its dice.
fn mix(random: u64) -> u64 {
    let mut z = random.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
#[path = "table_tests.rs"]
mod tests;
