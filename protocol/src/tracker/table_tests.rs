use super::*;
use proptest::prelude::*;
use std::collections::BTreeSet;

const V1: InfoHashV1 = InfoHashV1([1; 20]);
const V2: InfoHashV2 = InfoHashV2([2; 32]);
const HYBRID: Registration = Registration { v1: Some(V1), v2: Some(V2) };

fn table() -> Table {
    let mut table = Table::new(TableLimits::default());
    table.register(HYBRID);
    table
}

fn peer(n: u16) -> PeerId {
    PeerId(std::array::from_fn(|i| n.to_be_bytes()[i % 2]))
}

/// Announces from loopback; gives the ports of the answer.
fn announce(table: &mut Table, now: u64, hash: WireHash, port: u16, left: u64) -> BTreeSet<u16> {
    let request = AnnounceRequest { left, ..AnnounceRequest::new(hash, peer(port), port) };
    let answer = table.announce(Time::from_secs(now), [127, 0, 0, 1].into(), &request, now).unwrap();
    answer.peers.iter().map(SocketAddr::port).collect()
}

fn stop(table: &mut Table, hash: WireHash, port: u16) {
    let event = Some(AnnounceEvent::Stopped);
    let request = AnnounceRequest { event, ..AnnounceRequest::new(hash, peer(port), port) };
    let answer = table.announce(Time::ZERO, [127, 0, 0, 1].into(), &request, 0).unwrap();
    assert!(answer.peers.is_empty());
}

#[test]
fn hashes_of_a_hybrid_are_joined_with_care() {
    let (v1, v2) = (V1.wire(), V2.truncated());
    let mut table = table();
    assert!(announce(&mut table, 0, v1, 1, 9).is_empty());
    assert!(announce(&mut table, 0, v2, 2, 9).is_empty(), "a v1 client is of no use to one who asks by v2");
    assert_eq!(announce(&mut table, 0, v1, 3, 9), [1, 2].into());
    assert_eq!(announce(&mut table, 0, v2, 3, 9), [2].into());
    assert_eq!(announce(&mut table, 0, v2, 2, 9), [3].into(), "seen under both");
    assert_eq!(table.peer_count(), 3);
    stop(&mut table, v2, 3);
    assert!(announce(&mut table, 0, v2, 2, 9).is_empty());
    assert_eq!(announce(&mut table, 0, v1, 1, 9), [2, 3].into());
    stop(&mut table, v1, 3);
    assert_eq!(table.peer_count(), 2);
}

#[test]
fn only_registered_torrents() {
    let mut table = table();
    let other = AnnounceRequest::new(WireHash([9; 20]), peer(1), 1);
    assert_eq!(table.announce(Time::ZERO, [127, 0, 0, 1].into(), &other, 0), Err(Unregistered));
    announce(&mut table, 0, V1.wire(), 1, 0);
    table.unregister(Registration { v1: Some(V1), v2: None });
    assert!(!table.knows(V1.wire()) && !table.knows(V2.truncated()));
    assert_eq!(table.peer_count(), 0);
    table.register(Registration { v1: Some(V1), v2: None });
    announce(&mut table, 0, V1.wire(), 1, 0);
    table.register(HYBRID);
    assert_eq!(table.peer_count(), 1, "a second hash keeps the peers of the first");
    assert!(table.knows(V2.truncated()));
}

#[test]
fn seeds_are_counted_and_not_given_to_seeds() {
    let mut table = table();
    let v1 = V1.wire();
    announce(&mut table, 0, v1, 1, 0);
    assert!(announce(&mut table, 0, v1, 2, 0).is_empty());
    assert_eq!(announce(&mut table, 0, v1, 3, 5), [1, 2].into());
    let entry = ScrapeEntry { complete: 2, downloaded: 0, incomplete: 1 };
    assert_eq!(table.scrape(V2.truncated()), Some(entry));
    let done =
        AnnounceRequest { event: Some(AnnounceEvent::Completed), ..AnnounceRequest::new(v1, peer(3), 3) };
    for hash in [v1, V2.truncated()] {
        table
            .announce(
                Time::ZERO,
                [127, 0, 0, 1].into(),
                &AnnounceRequest { info_hash: hash, ..done.clone() },
                0,
            )
            .unwrap();
    }
    assert_eq!(table.scrape(v1), Some(ScrapeEntry { complete: 3, downloaded: 1, incomplete: 0 }));
}

#[test]
fn silence_is_forgotten_hash_by_hash() {
    let mut table = table();
    announce(&mut table, 0, V1.wire(), 1, 9);
    announce(&mut table, 200, V2.truncated(), 1, 9);
    table.expire(Time::from_secs(300));
    assert_eq!(announce(&mut table, 300, V2.truncated(), 2, 9), [1].into());
    table.expire(Time::from_secs(500));
    assert_eq!(table.peer_count(), 1);
    table.expire(Time::from_secs(9_000));
    assert_eq!(table.peer_count(), 0);
}

#[test]
fn addresses_only_where_they_can_be_reached() {
    let cases: [(&str, &str, bool); 7] = [
        ("127.0.0.1", "127.0.0.1", true),
        ("8.8.8.8", "127.0.0.1", false),
        ("8.8.8.8", "192.168.0.5", false),
        ("192.168.0.9", "10.0.0.1", true),
        ("192.168.0.9", "9.9.9.9", true),
        ("2001:db8::1", "fd00::1", false),
        ("2001:db8::1", "9.9.9.9", true),
    ];
    for (asker, peer, expected) in cases {
        assert_eq!(is_reachable(asker.parse().unwrap(), peer.parse().unwrap()), expected, "{asker} {peer}");
    }
}

#[test]
fn a_full_swarm_forgets_an_old_peer() {
    let mut table = Table::new(TableLimits { peers_per_torrent: 5, ..TableLimits::default() });
    table.register(HYBRID);
    for port in 1..=50 {
        announce(&mut table, u64::from(port), V1.wire(), port, 9);
        assert!(table.peer_count() <= 5);
    }
    assert_eq!(announce(&mut table, 99, V1.wire(), 50, 9), [46, 47, 48, 49].into());
}

#[test]
fn peers_are_chosen_evenly() {
    let mut table = table();
    for port in 1..=500 {
        announce(&mut table, 0, V1.wire(), port, 9);
    }
    let mut times = [0; 501];
    for random in 0..1000 {
        let request = AnnounceRequest {
            left: 9,
            num_want: Some(10),
            ..AnnounceRequest::new(V1.wire(), peer(999), 999)
        };
        let answer = table.announce(Time::ZERO, [127, 0, 0, 1].into(), &request, random).unwrap();
        assert_eq!(answer.peers.len(), 10);
        answer.peers.iter().filter(|a| a.port() <= 500).for_each(|addr| times[addr.port() as usize] += 1);
    }
    let (least, most) = (times[1..].iter().min(), times[1..].iter().max());
    assert!(least > Some(&5) && most < Some(&45), "{least:?} {most:?}");
}

proptest! {
    #[test]
    fn a_walk_visits_everything_once(len in 0usize..600, random: u64) {
        let mut seen: Vec<usize> = Walk::new(len, random).collect();
        seen.sort_unstable();
        prop_assert_eq!(seen, (0..len).collect::<Vec<_>>());
    }

    #[test]
    fn the_books_balance(steps in prop::collection::vec((0u8..4, 1u16..12, any::<bool>(), 0u64..100), 1..200)) {
        let mut table = Table::new(TableLimits { peers_per_torrent: 8, ..TableLimits::default() });
        table.register(HYBRID);
        let mut now = 0;
        for (step, port, by_v1, wait) in steps {
            now += wait;
            let hash = if by_v1 { V1.wire() } else { V2.truncated() };
            match step {
                0 => drop(announce(&mut table, now, hash, port, 0)),
                1 => drop(announce(&mut table, now, hash, port, 7)),
                2 => stop(&mut table, hash, port),
                _ => table.expire(Time::from_secs(now)),
            }
            let swarm = table.swarms.values().next().unwrap();
            prop_assert_eq!(swarm.seeds as usize, swarm.peers.iter().filter(|p| p.seed).count());
            prop_assert_eq!(swarm.index.len(), swarm.peers.len());
            prop_assert!(swarm.peers.len() <= 8);
            for (place, peer) in swarm.peers.iter().enumerate() {
                prop_assert_eq!(swarm.index.get(&peer.addr), Some(&place));
                prop_assert!(peer.seen != [None; 2]);
            }
        }
    }
}
