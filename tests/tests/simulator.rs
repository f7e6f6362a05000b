//! Swarms on a virtual network: fast, repeatable, judged by checkers. `cargo run -p samara-tests --bin sim` prints more.

use std::time::Duration;

use protocol::metainfo::Mode;
use samara_tests::sim::{Faults, Group, Report, Scenario, run};

const MIB: u64 = 1024 * 1024;

fn crowd(seed: u64) -> Scenario {
    Scenario {
        groups: vec![
            Group::seedbox(4_000_000),
            Group { joining: Duration::from_secs(8), ..Group::launchers(200, 1_000_000, 8_000_000) },
        ],
        latency: Duration::from_millis(50),
        piece_len: 64 * 1024,
        max_peers: 30,
        web: false,
        ..Scenario::simple(seed, 0, MIB, 1)
    }
}

/// What must hold in every run.
fn check(report: &Report, longest_wait: Duration) {
    println!("seed {} trace {} {:.2} s", report.seed, report.trace, report.seconds);
    assert_eq!(report.requests_lost, 0, "requests lost");
    for (n, node) in report.nodes.iter().enumerate().filter(|(_, node)| node.honest_launcher) {
        assert!(node.seconds.is_some(), "#{n} has not everything");
        assert!(node.longest_wait < longest_wait, "#{n} waited {:?}", node.longest_wait);
        assert_eq!(node.wrongly_banned, 0, "#{n} banned an honest peer");
    }
}

#[test]
fn two_hundred_launchers_twice_the_same() {
    let report = run(&crowd(7)).unwrap();
    check(&report, Duration::from_secs(8));
    assert!(report.nodes.len() > 200);
    assert!(report.offload > 0.85, "offload {}", report.offload);
    let again = run(&crowd(7)).unwrap();
    assert_eq!((report.trace, report.events), (again.trace, again.events));
}

#[test]
fn another_seed_is_another_run() {
    let small = |seed| Scenario::simple(seed, 3, MIB, 1_000_000);
    assert_ne!(run(&small(1)).unwrap().trace, run(&small(2)).unwrap().trace);
}

#[test]
fn a_seedbox_sends_hardly_more_than_one_copy() {
    for (launchers, piece_len) in [(4, 256 * 1024), (8, 128 * 1024)] {
        let scenario = Scenario { piece_len, ..Scenario::simple(3, launchers, 16 * MIB, 5_000_000) };
        let report = run(&scenario).unwrap();
        check(&report, Duration::from_secs(1));
        assert!(report.copies < 1.15, "{launchers}: {} copies", report.copies);
        assert!(report.over_bound < 1.3, "{launchers}: {} times the bound", report.over_bound);
    }
}

#[test]
fn slow_players_are_helped_by_the_seedbox() {
    let scenario = Scenario {
        groups: vec![Group::seedbox(20_000_000), Group::launchers(4, 200_000, 50_000_000)],
        latency: Duration::from_millis(20),
        piece_len: 256 * 1024,
        ..Scenario::simple(5, 0, 16 * MIB, 1)
    };
    let report = run(&scenario).unwrap();
    check(&report, Duration::from_secs(2));
    assert!(report.over_bound < 2.0, "{} times the bound", report.over_bound);
}

#[test]
fn liars_stallers_and_broken_connections_do_not_stop_anyone() {
    for (seed, mode, leaves) in [(1, Mode::Hybrid, true), (2, Mode::V2, false), (3, Mode::V1, false)] {
        let scenario = Scenario {
            mode,
            leaves,
            files: vec![3 * MIB, 0, 100_000, MIB],
            faults: Faults {
                disconnect_per_second: 0.02,
                liars: 2,
                stallers: 2,
                slow: 2,
                natted: 4,
                ..Faults::default()
            },
            latency: Duration::from_millis(30),
            groups: vec![Group::seedbox(2_000_000), Group::launchers(16, 1_000_000, 8_000_000)],
            piece_len: 64 * 1024,
            web: seed == 1,
            ..Scenario::simple(seed, 0, 1, 1)
        };
        let report = run(&scenario).unwrap();
        check(&report, Duration::from_secs(30));
    }
}

#[test]
fn players_who_leave_at_once_leave_enough_behind() {
    let scenario = Scenario {
        groups: vec![
            Group::seedbox(1_000_000),
            Group {
                joining: Duration::from_secs(20),
                linger: Some(Duration::ZERO),
                ..Group::launchers(30, 500_000, 4_000_000)
            },
        ],
        latency: Duration::from_millis(40),
        piece_len: 64 * 1024,
        ..Scenario::simple(9, 0, 2 * MIB, 1)
    };
    check(&run(&scenario).unwrap(), Duration::from_secs(20));
}

#[test]
fn hardly_anything_comes_twice_where_everyone_stands_still_now_and_then() {
    for seed in 1..=3 {
        let report = run(&Scenario::frozen(seed)).unwrap();
        check(&report, Duration::from_secs(60));
        for (n, node) in report.nodes.iter().enumerate() {
            assert!(node.wasted <= 512 * 1024, "#{n}: {} bytes", node.wasted);
        }
    }
}
