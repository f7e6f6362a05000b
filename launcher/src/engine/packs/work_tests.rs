//! The order of work, drawn small: what waits for what, what is finished by what.

use std::collections::BTreeMap;
use std::ops::Range;

use manifests::path::SafePath;
use manifests::release::{FileIdentity, ManifestFile};
use manifests::route::{BaseSource, Build, Candidate, Costs, Kind, Owner, Step, Write};

use super::*;

fn file(name: &str, number: u8, len: u64) -> ManifestFile {
    ManifestFile::file(SafePath::parse(name).unwrap(), FileIdentity { len, root: [number; 32] }, false)
}

/// Frames of a block each, one after the other; frame `n` reads the base file of the same number in `reads`.
struct Drawn {
    reads: Vec<Vec<u32>>,
}

impl Frames for Drawn {
    fn frame(&self, _step: usize, frame: u32) -> Option<(Range<u64>, Vec<u32>)> {
        let at = u64::from(frame) * BLOCK;
        // Its last byte lies in the next block.
        Some((at + 8..at + BLOCK + 8, self.reads.get(frame as usize)?.clone()))
    }
}

fn frame(at: u64, frame: u32, len: u64) -> Write {
    Write::Frame { at, frame, offset: 0, len }
}

fn candidate(steps: Vec<Step>, sources: BTreeMap<FileIdentity, BaseSource>) -> Candidate {
    Candidate {
        kind: Kind::Chain,
        mixed: false,
        name: "drawn".to_owned(),
        steps,
        heals: Vec::new(),
        sources,
        content: Vec::new(),
        costs: Costs::default(),
        cost: 0,
    }
}

fn step(base: Option<usize>, target: Owner, builds: Vec<Build>) -> Step {
    Step { pack: 0, base, target, frames: vec![0, 1], blocks: Vec::new(), builds }
}

fn take(work: &mut Work) -> Vec<(usize, Doing)> {
    std::iter::from_fn(|| work.next()).map(|(number, doing, _)| (number, doing)).collect()
}

#[test]
fn a_frame_runs_when_its_last_block_is_here_and_a_file_is_finished_by_its_last_write() {
    let target = [file("a", 1, 30), file("b", 2, 10)];
    let builds = vec![
        Build { file: 0, writes: vec![frame(0, 0, 10), frame(10, 1, 20)] },
        Build { file: 1, writes: vec![frame(0, 1, 10)] },
    ];
    let one = candidate(vec![step(None, Owner::Target, builds)], BTreeMap::new());
    let books = Books { target: &target, releases: &[] };
    let mut work = Work::new(&one, &books, &Drawn { reads: vec![vec![], vec![]] });
    assert!(take(&mut work).is_empty());
    work.arrived(0, 0);
    assert!(take(&mut work).is_empty(), "its end lies in the next block");
    work.arrived(0, BLOCK);
    assert_eq!(take(&mut work), [(0, Doing::Frame { step: 0, frame: 0 })]);
    assert_eq!(work.ended(0, true), [], "the other half is missing");
    work.arrived(0, 2 * BLOCK);
    assert_eq!(take(&mut work).len(), 1);
    let whole = |output| Finished { output, whole: true };
    assert_eq!(work.ended(1, true), [whole(0), whole(1)]);
    assert!(work.is_done());
    assert_eq!(work.ended(1, true), [], "only once");
}

#[test]
fn what_reads_a_file_between_two_steps_waits_for_it_and_fails_with_it() {
    let (old, middle, target) = ([file("a", 1, 10)], [file("a", 2, 10)], [file("a", 3, 10)]);
    let releases: [&[ManifestFile]; 2] = [&old, &middle];
    let books = Books { target: &target, releases: &releases };
    let build = || vec![Build { file: 0, writes: vec![frame(0, 0, 10)] }];
    let steps = vec![step(Some(0), Owner::Release(1), build()), step(Some(1), Owner::Target, build())];
    let sources = BTreeMap::from([
        (old[0].identity, BaseSource::Installed(SafePath::parse("a").unwrap())),
        (middle[0].identity, BaseSource::Built { step: 0, file: 0 }),
    ]);
    let two = candidate(steps, sources);
    for well in [true, false] {
        let mut work = Work::new(&two, &books, &Drawn { reads: vec![vec![0]] });
        for at in [0, BLOCK] {
            work.arrived(0, at);
            work.arrived(1, at);
        }
        assert_eq!(take(&mut work), [(0, Doing::Frame { step: 0, frame: 0 })], "the second step waits");
        let finished = work.ended(0, well);
        assert_eq!(finished, [Finished { output: 0, whole: well }]);
        assert_eq!(work.becomes(0), Some(middle[0].identity));
        assert_eq!(work.outputs()[0].index, None);
        if well {
            work.has(&middle[0].identity);
            assert_eq!(take(&mut work), [(1, Doing::Frame { step: 1, frame: 0 })]);
            assert_eq!(work.ended(1, true), [Finished { output: 1, whole: true }]);
        } else {
            assert_eq!(work.lacks(&middle[0].identity), [Finished { output: 1, whole: false }]);
            assert!(take(&mut work).is_empty());
        }
        assert!(work.is_done());
    }
}

#[test]
fn what_never_comes_is_given_up() {
    let target = [file("a", 1, 10), file("b", 2, 10)];
    let base = [file("c", 3, 10)];
    let releases: [&[ManifestFile]; 1] = [&base];
    let builds = vec![
        Build { file: 0, writes: vec![frame(0, 0, 10)] },
        Build { file: 1, writes: vec![Write::Base { at: 0, file: 0, offset: 0, len: 10 }] },
    ];
    let sources = BTreeMap::from([(base[0].identity, BaseSource::Content(0))]);
    let one = candidate(vec![step(Some(0), Owner::Target, builds)], sources);
    let books = Books { target: &target, releases: &releases };
    let mut work = Work::new(&one, &books, &Drawn { reads: vec![vec![]] });
    assert_eq!(work.cut_off(0), [Finished { output: 0, whole: false }]);
    assert!(!work.is_done());
    assert_eq!(work.give_up(), [Finished { output: 1, whole: false }]);
    assert!(work.is_done());
}
