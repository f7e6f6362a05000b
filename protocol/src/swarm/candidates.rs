//! Addresses we may connect to.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::io::{AddrClass, PeerSource};
use crate::units::{Time, WireHash};

/// Attempts before an address is forgotten.
const MAX_FAILURES: u32 = 4;
/// Ports below belong to services of other kinds; strangers must not send us there.
const FIRST_PORT: u16 = 1024;

/// An address and what we know about it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate {
    /// Not before.
    pub next_try: Time,
    /// In a row.
    pub failures: u32,
    /// A connection exists or is attempted.
    pub in_use: bool,
    /// The hash under which it was seen.
    pub hash: WireHash,
}

pub(super) struct Candidates {
    known: BTreeMap<SocketAddr, Candidate>,
    max: usize,
}

impl Candidates {
    pub(super) fn new(max: usize) -> Candidates {
        Candidates { known: BTreeMap::new(), max }
    }

    /// True when the address is new.
    pub(super) fn add(&mut self, addr: SocketAddr, source: PeerSource, hash: WireHash) -> bool {
        // One talkative peer must not fill all places.
        let places = match source {
            PeerSource::Added => usize::MAX,
            PeerSource::Gossip => self.max.div_ceil(2),
            PeerSource::Tracker(_) | PeerSource::Lan => self.max,
        };
        if self.known.len() >= places || self.known.contains_key(&addr) || !is_acceptable(addr, source) {
            return false;
        }
        let fresh = Candidate { next_try: Time::ZERO, failures: 0, in_use: false, hash };
        self.known.insert(addr, fresh);
        true
    }

    /// The addresses that can be tried now.
    pub(super) fn ready(&self, now: Time) -> Vec<(SocketAddr, WireHash)> {
        let ready = |c: &Candidate| !c.in_use && c.next_try <= now;
        self.known.iter().filter(|(_, c)| ready(c)).map(|(addr, c)| (*addr, c.hash)).collect()
    }

    pub(super) fn set_in_use(&mut self, addr: SocketAddr, in_use: bool) {
        if let Some(candidate) = self.known.get_mut(&addr) {
            candidate.in_use = in_use;
        }
    }

    pub(super) fn succeeded(&mut self, addr: SocketAddr) {
        if let Some(candidate) = self.known.get_mut(&addr) {
            candidate.failures = 0;
        }
    }

    /// A connection could not be made, or did not last: later, and with `other` as the hash.
    pub(super) fn failed(&mut self, addr: SocketAddr, other: Option<WireHash>, now: Time) {
        let Some(candidate) = self.known.get_mut(&addr) else { return };
        candidate.in_use = false;
        candidate.failures += 1;
        candidate.next_try = now + Duration::from_secs(5 << candidate.failures.min(6));
        candidate.hash = other.unwrap_or(candidate.hash);
        if candidate.failures >= MAX_FAILURES {
            self.known.remove(&addr);
        }
    }

    /// A connection ended: not again for a while.
    pub(super) fn ended(&mut self, addr: SocketAddr, pause: Duration, now: Time) {
        if let Some(candidate) = self.known.get_mut(&addr) {
            candidate.in_use = false;
            candidate.next_try = now + pause;
        }
    }

    /// Never again.
    pub(super) fn forget(&mut self, addr: SocketAddr) {
        self.known.remove(&addr);
    }
}

/// The kind of network an address belongs to. What is neither loopback nor set aside for private networks is public;
/// a connection to "unspecified" reaches this machine.
#[must_use]
pub fn class_of(ip: IpAddr) -> AddrClass {
    let private = match ip.to_canonical() {
        ip if ip.is_loopback() || ip.is_unspecified() => return AddrClass::Loopback,
        IpAddr::V4(v4) => {
            let shared = v4.octets()[0] == 100 && v4.octets()[1] & 0xc0 == 64; // RFC 6598
            v4.is_private() || v4.is_link_local() || shared
        }
        IpAddr::V6(v6) => v6.is_unique_local() || v6.is_unicast_link_local(),
    };
    if private { AddrClass::Private } else { AddrClass::Public }
}

fn is_acceptable(addr: SocketAddr, source: PeerSource) -> bool {
    // An IPv4 address may come dressed as IPv6.
    let ip = addr.ip().to_canonical();
    let broadcast = matches!(ip, IpAddr::V4(v4) if v4.is_broadcast());
    if addr.port() == 0 || ip.is_unspecified() || ip.is_multicast() || broadcast {
        return false;
    }
    let (class, usual) = (class_of(ip), addr.port() >= FIRST_PORT);
    match source {
        PeerSource::Added => true,
        PeerSource::Tracker(through) => usual && (class == AddrClass::Public || class == through),
        PeerSource::Lan => class != AddrClass::Public,
        PeerSource::Gossip => usual && class == AddrClass::Public,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_of_addresses() {
        for (ip, class) in [
            ("127.0.0.1", AddrClass::Loopback),
            ("127.9.9.9", AddrClass::Loopback),
            ("::1", AddrClass::Loopback),
            ("::ffff:127.0.0.1", AddrClass::Loopback),
            ("0.0.0.0", AddrClass::Loopback),
            ("10.0.0.1", AddrClass::Private),
            ("172.31.0.1", AddrClass::Private),
            ("192.168.1.1", AddrClass::Private),
            ("169.254.169.254", AddrClass::Private),
            ("100.64.0.1", AddrClass::Private),
            ("fd00::1", AddrClass::Private),
            ("fe80::1", AddrClass::Private),
            ("100.128.0.1", AddrClass::Public),
            ("172.32.0.1", AddrClass::Public),
            ("9.9.9.9", AddrClass::Public),
            ("2001:db8::1", AddrClass::Public),
        ] {
            assert_eq!(class_of(ip.parse().unwrap()), class, "{ip}");
        }
    }

    #[test]
    fn which_addresses_are_believed() {
        use AddrClass::*;
        use PeerSource::*;
        for (addr, source, accepted) in [
            ("8.8.8.8:5555", Tracker(Public), true),
            ("8.8.8.8:5555", Tracker(Loopback), true),
            ("8.8.8.8:0", Added, false),
            ("127.0.0.1:5555", Tracker(Public), false),
            ("127.0.0.1:5555", Tracker(Private), false),
            ("127.0.0.1:5555", Tracker(Loopback), true),
            ("127.0.0.1:5555", Gossip, false),
            ("127.0.0.1:1", Added, true),
            ("10.0.0.1:5555", Tracker(Public), false),
            ("10.0.0.1:5555", Tracker(Private), true),
            ("10.0.0.1:1", Lan, true),
            ("8.8.8.8:1", Lan, false),
            ("[::ffff:127.0.0.1]:5555", Tracker(Public), false),
            ("[fe80::1]:5555", Gossip, false),
            ("[2001:db8::1]:5555", Gossip, true),
            ("0.0.0.0:1", Added, false),
            ("224.0.0.1:1", Added, false),
            ("255.255.255.255:1", Added, false),
            ("[::ffff:0.0.0.0]:5555", Gossip, false),
            ("[::ffff:224.0.0.1]:5555", Gossip, false),
            ("[::ffff:255.255.255.255]:5555", Tracker(Public), false),
            ("169.254.169.254:5555", Tracker(Public), false),
            ("100.64.0.1:5555", Gossip, false),
            ("8.8.8.8:22", Gossip, false),
            ("8.8.8.8:22", Tracker(Public), false),
            ("8.8.8.8:443", Added, true),
        ] {
            let mut candidates = Candidates::new(10);
            let accepts = candidates.add(addr.parse().unwrap(), source, WireHash([0; 20]));
            assert_eq!(accepts, accepted, "{addr} {source:?}");
        }
    }

    #[test]
    fn an_address_that_never_answers_is_forgotten() {
        let (mut candidates, addr) = (Candidates::new(1), "8.8.8.8:5555".parse().unwrap());
        assert!(candidates.add(addr, PeerSource::Gossip, WireHash([0; 20])));
        assert!(!candidates.add("8.8.4.4:5555".parse().unwrap(), PeerSource::Gossip, WireHash([0; 20])));
        for _ in 0..MAX_FAILURES {
            assert!(!candidates.ready(Time::MAX).is_empty());
            candidates.failed(addr, None, Time::ZERO);
        }
        assert!(candidates.ready(Time::MAX).is_empty());
    }

    #[test]
    fn gossip_leaves_half_of_the_places_to_others() {
        let mut candidates = Candidates::new(10);
        let addr = |n: u8| SocketAddr::from(([20, 1, 1, n], 6881));
        let took =
            (0..20).filter(|&n| candidates.add(addr(n), PeerSource::Gossip, WireHash([0; 20]))).count();
        assert_eq!(took, 5);
        let tracker = PeerSource::Tracker(AddrClass::Public);
        let took = (20..40).filter(|&n| candidates.add(addr(n), tracker, WireHash([0; 20]))).count();
        assert_eq!(took, 5);
        assert!(candidates.add(addr(50), PeerSource::Added, WireHash([0; 20])));
    }
}
