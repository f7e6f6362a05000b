//! Carries out a candidate, as a launcher would.

use std::collections::BTreeMap;
use std::ops::Range;

use super::world::Game;
use crate::plan::Op;
use crate::route::{BaseSource, Candidate, Network, Owner, Write};

/// What nobody was told to write.
const POISON: u8 = 0xEE;

/// Content of base files by what `sources` calls them.
struct Runner<'a> {
    game: &'a Game,
    candidate: &'a Candidate,
    healed: Vec<Vec<u8>>,
    built: BTreeMap<(usize, u32), Vec<u8>>,
    target: BTreeMap<usize, Vec<u8>>,
    network: Network,
    between: u64,
}

/// Runs it; panics when a byte it relies on is not there or wrong, or a file comes out wrong. Returns the promise as it
/// was kept.
pub(crate) fn run(game: &Game, candidate: &Candidate) -> Network {
    let mut runner = Runner {
        game,
        candidate,
        healed: Vec::new(),
        built: BTreeMap::new(),
        target: BTreeMap::new(),
        network: Network::default(),
        between: 0,
    };
    runner.ask();
    runner.stage();
    runner.heal();
    for step in 0..candidate.steps.len() {
        runner.step(step);
    }
    runner.check();
    assert_eq!(runner.network, candidate.costs.network, "{}: promised is what was fetched", candidate.name);
    let healed: u64 =
        candidate.heals.iter().flat_map(|heal| heal.copy.iter().chain(&heal.fetch)).map(len).sum();
    let staged = candidate.plan(&game.plan, &game.target().files).costs.bytes_written;
    let written = staged + healed + runner.between + runner.network.pack;
    assert_eq!(written, candidate.costs.disk_written, "{}", candidate.name);
    assert_eq!(written, candidate.costs.temp_peak, "{}", candidate.name);
    runner.network
}

fn len(range: &Range<u64>) -> u64 {
    range.end - range.start
}

fn copy(to: &mut [u8], from: &[u8], range: &Range<u64>) {
    let range = range.start as usize..range.end as usize;
    to[range.clone()].copy_from_slice(&from[range]);
}

impl Runner<'_> {
    /// The indexes, whichever is of use in the end.
    fn ask(&mut self) {
        let mut missing = self.game.plan.fetch(&self.game.target().files);
        let is_missing = missing.any(|(_, ranges)| !ranges.is_empty());
        let asked = self.game.offers.iter().filter(|offer| is_missing && offer.index.is_some());
        self.network.index = asked.map(|offer| offer.info.index_len).sum();
    }

    /// Local blocks and the content torrent's.
    fn stage(&mut self) {
        let files = &self.game.target().files;
        let plan = self.candidate.plan(&self.game.plan, files);
        for (at, (file, op)) in files.iter().zip(&plan.ops).enumerate() {
            let mut data = vec![POISON; file.identity.len as usize];
            match op {
                Op::Rebuild { from, .. } => {
                    for source in from {
                        let old = &self.game.disk[source.path.as_str()];
                        for piece in &source.pieces {
                            let count = len(&piece.range) as usize;
                            let from = &old[piece.at as usize..piece.at as usize + count];
                            data[piece.range.start as usize..piece.range.end as usize].copy_from_slice(from);
                        }
                    }
                }
                Op::Fetch => {}
                _ => continue,
            }
            self.target.insert(at, data);
        }
        for (at, fetch) in &self.candidate.content {
            let right = self.game.bytes_of(&files[*at]);
            for range in fetch {
                assert!(range.start.is_multiple_of(crate::hash::BLOCK_LEN), "whole blocks");
                copy(self.target.get_mut(at).unwrap(), &right, range);
                self.network.content += len(range);
            }
        }
    }

    fn heal(&mut self) {
        for heal in &self.candidate.heals {
            let file = &self.game.known[heal.release].manifest.files[heal.file];
            assert_eq!(file.identity, heal.id);
            let mut data = vec![POISON; heal.id.len as usize];
            for range in &heal.copy {
                copy(&mut data, &self.game.disk[heal.from.as_ref().unwrap().as_str()], range);
            }
            for range in &heal.fetch {
                copy(&mut data, &self.game.bytes_of(file), range);
                self.network.heal += len(range);
            }
            self.healed.push(data);
        }
    }

    fn step(&mut self, at: usize) {
        let step = &self.candidate.steps[at];
        let offer = &self.game.offers[step.pack];
        let index = offer.index.as_ref().unwrap();
        self.network.pack +=
            super::super::assemble::not_held(&step.blocks, self.game.held.get(&offer.info.id));
        for frame in &step.frames {
            let frame = &index.frames[*frame as usize];
            let inside =
                |blocks: &Range<u64>| blocks.start <= frame.offset && frame.range().end <= blocks.end;
            assert!(step.blocks.iter().any(inside), "its blocks are fetched");
            for range in &frame.prefix {
                self.read(at, range.file, range.offset, u64::from(range.len));
            }
        }
        let last = step.target == Owner::Target;
        let files = match step.target {
            Owner::Target => &self.game.target().files,
            Owner::Release(release) => &self.game.known[release].manifest.files,
        };
        for build in &step.builds {
            let file = &files[build.file as usize];
            let right = self.game.bytes_of(file);
            // A recipe's first ordinal may be another than the one the plan fetches.
            let files_of_target = &self.game.target().files;
            let mut missing = self.game.plan.fetch(files_of_target).map(|(at, _)| at);
            let slot = missing.find(|at| last && files_of_target[*at].identity == file.identity);
            let mut data = match (last, slot) {
                (true, Some(slot)) => self.target[&slot].clone(),
                (true, None) => panic!("{} is not missing", file.path),
                _ => vec![POISON; file.identity.len as usize],
            };
            for write in &build.writes {
                let range = write.range();
                match *write {
                    Write::Base { file, offset, len, .. } => {
                        let from = self.read(at, file, offset, len);
                        data[range.start as usize..range.end as usize].copy_from_slice(&from);
                    }
                    Write::Frame { frame, .. } => {
                        assert!(step.frames.contains(&frame));
                        copy(&mut data, &right, &range);
                    }
                }
                self.between += if last { 0 } else { len(&range) };
            }
            match slot {
                Some(slot) => self.target.insert(slot, data),
                _ => self.built.insert((at, build.file), data),
            };
        }
    }

    /// Bytes of a base file, which must be right.
    fn read(&self, step: usize, file: u32, offset: u64, len: u64) -> Vec<u8> {
        let base = &self.game.known[self.candidate.steps[step].base.unwrap()].manifest.files[file as usize];
        let range = offset as usize..(offset + len) as usize;
        let data = match &self.candidate.sources[&base.identity] {
            BaseSource::Installed(path) => &self.game.disk[path.as_str()],
            BaseSource::Healed(at) => &self.healed[*at],
            BaseSource::Content(at) => &self.target[at],
            BaseSource::Built { step: from, file } => {
                assert!(*from < step, "built before it is read");
                &self.built[&(*from, *file)]
            }
        };
        let found = data[range.clone()].to_vec();
        assert_eq!(found, self.game.bytes_of(base)[range], "{}: {}", self.candidate.name, base.path);
        found
    }

    fn check(&self) {
        for (at, data) in &self.target {
            let file = &self.game.target().files[*at];
            assert!(
                *data == self.game.bytes_of(file),
                "{}: {} comes out right",
                self.candidate.name,
                file.path
            );
        }
    }
}
