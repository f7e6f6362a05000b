//! How much is asked of a web seed at one time.

use super::*;
use crate::units::BLOCK_LEN;

/// A machine with one web seed that wants some blocks.
fn wanting(fixture: &Fixture, wanted: impl Fn(u32) -> bool, peers: bool) -> Swarm {
    let mut start = fixture.start(false);
    if let Start::Content(content) = &mut start {
        let all = content.wanted.len();
        // With their leaves known, single blocks can be checked.
        content.leaves = fixture.leaves.clone();
        content.wanted = BlockSet::new(all);
        (0..all)
            .filter(|block| wanted(*block))
            .for_each(|block| content.wanted.insert_range(block..block + 1));
    }
    Swarm::new(SwarmConfig { web_seeds: 1, peers, ..config(start, 1) }, Time::ZERO)
}

/// What it asks of the web seed at a time: jobs, and lengths in blocks.
fn fetches(swarm: &mut Swarm, now: Time) -> (Vec<JobId>, Vec<u64>) {
    swarm.handle(now, Input::Tick);
    let outputs = std::iter::from_fn(|| swarm.poll_output());
    let fetches = outputs.filter_map(|output| match output {
        Output::FetchRange { fetch, range, .. } => {
            Some((fetch, (range.end - range.start) / u64::from(BLOCK_LEN)))
        }
        _ => None,
    });
    fetches.unzip()
}

/// What is asked for before any answer: lengths of ranges, in blocks.
fn asked(fixture: &Fixture, wanted: impl Fn(u32) -> bool, peers: bool) -> Vec<u64> {
    let mut swarm = wanting(fixture, wanted, peers);
    fetches(&mut swarm, Time::ZERO + Duration::from_millis(50)).1
}

#[test]
fn short_runs_are_fetched_side_by_side_long_ones_are_not() {
    // 64 pieces of four blocks.
    let fixture = fixture(Mode::Hybrid, &[64 * PIECE_LEN as usize]);
    let scattered = |block: u32| block.is_multiple_of(8);
    let everything = |_: u32| true;
    // With others about, the first moments are for finding out who: no more bytes than one fetch would have.
    assert_eq!(asked(&fixture, scattered, true), [1; 4]);
    assert_eq!(asked(&fixture, everything, true), [4]);
    // Alone there is nobody to wait for: four, each of a sixteenth of what is left, or eight short ones.
    assert_eq!(asked(&fixture, scattered, false), [1; 8]);
    assert_eq!(asked(&fixture, everything, false), [16, 15, 15, 14]);
}

/// A server that stumbles once fails all that is under way at it. That was one failure, not eight: it is asked again in
/// a moment, not in a minute, when whoever waits has given up.
#[test]
fn what_fails_together_has_failed_once() {
    let fixture = fixture(Mode::Hybrid, &[64 * PIECE_LEN as usize]);
    let mut swarm = wanting(&fixture, |block| block.is_multiple_of(8), false);
    let mut now = Time::ZERO + Duration::from_millis(50);
    for longest in [1500, 3000, 6000] {
        let (jobs, _) = fetches(&mut swarm, now);
        assert_eq!(jobs.len(), 8);
        for fetch in jobs {
            swarm.handle(now, Input::WebFailed { fetch, fault: WebFault::Unreachable("reset".to_owned()) });
        }
        assert!(fetches(&mut swarm, now).0.is_empty(), "it is left alone for a while");
        now += Duration::from_millis(longest);
    }
    assert_eq!(fetches(&mut swarm, now).0.len(), 8);
}

/// A server that sends something and never a whole block does no better than one that sends nothing: who waits for it may
/// give up.
#[test]
fn less_than_a_block_is_no_success() {
    let fixture = fixture(Mode::Hybrid, &[64 * PIECE_LEN as usize]);
    let mut swarm = wanting(&fixture, |_| true, false);
    let mut now = Time::ZERO + Duration::from_millis(50);
    for longest in [1500, 3000, 6000, 12_000] {
        let (jobs, _) = fetches(&mut swarm, now);
        assert!(!jobs.is_empty(), "{longest}");
        for fetch in jobs {
            swarm.handle(now, Input::WebData { fetch, data: vec![0; 5000].into() });
            swarm.handle(now, Input::WebFailed { fetch, fault: WebFault::Unreachable("cut".to_owned()) });
        }
        assert!(fetches(&mut swarm, now + Duration::from_millis(longest * 5 / 8)).0.is_empty(), "{longest}");
        now += Duration::from_millis(longest * 2);
    }
}
