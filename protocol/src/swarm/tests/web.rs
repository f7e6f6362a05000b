//! How much is asked of a web seed at one time.

use super::*;
use crate::units::BLOCK_LEN;

/// What a machine with one web seed asks for before any answer: lengths of ranges, in blocks.
fn asked(fixture: &Fixture, wanted: impl Fn(u32) -> bool, peers: bool) -> Vec<u64> {
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
    let mut swarm = Swarm::new(SwarmConfig { web_seeds: 1, peers, ..config(start, 1) }, Time::ZERO);
    swarm.handle(Time::ZERO + Duration::from_millis(50), Input::Tick);
    let outputs = std::iter::from_fn(|| swarm.poll_output());
    let lens = outputs.filter_map(|output| match output {
        Output::FetchRange { range, .. } => Some((range.end - range.start) / u64::from(BLOCK_LEN)),
        _ => None,
    });
    lens.collect()
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
