//! Which frame can be rebuilt now, and which file is finished: the order of a candidate's work, purely.
//!
//! A job (a frame, or a copy out of a base file) can run once the pack's bytes are here and every base file it reads is.
//! An output (a file that steps write) is finished when its last write is; then it may be what other jobs wait for.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::ops::Range;

use manifests::release::{FileIdentity, ManifestFile};
use manifests::route::{BaseSource, Candidate, Owner, Write};

/// Blocks are what arrives.
const BLOCK: u64 = 16 * 1024;

/// What a job does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Doing {
    /// Rebuilds a frame of a step's pack.
    Frame {
        /// Index into the candidate's steps.
        step: usize,
        /// Number in the pack.
        frame: u32,
    },
    /// Copies out of a base file of the step.
    Copy {
        /// Index into the candidate's steps.
        step: usize,
        /// Ordinal in the step's base manifest.
        file: u32,
    },
}

/// Bytes that a job puts into an output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Put {
    /// Which output.
    pub(crate) output: usize,
    /// First byte written.
    pub(crate) at: u64,
    /// First byte of what the frame rebuilds, or of the base file.
    pub(crate) offset: u64,
    /// Bytes.
    pub(crate) len: u64,
}

#[derive(Debug)]
struct Job {
    doing: Doing,
    puts: Vec<Put>,
    /// Base files and pack blocks that are not here yet.
    waits: usize,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Waiting,
    Handed,
    Ended,
}

/// A file that steps write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Output {
    /// What it is to be, in the end.
    pub(crate) identity: FileIdentity,
    /// Its index in the target's manifest; none for a file between two steps.
    pub(crate) index: Option<usize>,
    /// Byte ranges that are written, in order.
    pub(crate) writes: Vec<Range<u64>>,
    left: usize,
    failed: bool,
}

/// What became of an output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Finished {
    /// Which.
    pub(crate) output: usize,
    /// Whether every write was done.
    pub(crate) whole: bool,
}

/// Everything a candidate's steps do.
#[derive(Debug, Default)]
pub(crate) struct Work {
    jobs: Vec<Job>,
    outputs: Vec<Output>,
    ready: VecDeque<usize>,
    /// Who waits for a base file.
    wanting: HashMap<FileIdentity, Vec<usize>>,
    /// By step: the frames' ranges in the pack file, in order, with their jobs and what of them has not come.
    arriving: Vec<Vec<Arriving>>,
    /// Outputs that become base files.
    becomes: HashMap<usize, FileIdentity>,
    unfinished: usize,
}

#[derive(Debug)]
struct Arriving {
    job: usize,
    bytes: Range<u64>,
    blocks_left: u64,
}

/// The manifests a candidate speaks of.
pub(crate) struct Books<'a> {
    /// Of the release to become.
    pub(crate) target: &'a [ManifestFile],
    /// Of `Input::releases`.
    pub(crate) releases: &'a [&'a [ManifestFile]],
}

impl Books<'_> {
    pub(crate) fn of(&self, owner: Owner) -> &[ManifestFile] {
        match owner {
            Owner::Target => self.target,
            Owner::Release(at) => self.releases.get(at).copied().unwrap_or_default(),
        }
    }
}

/// Where a step's frames lie and what they read.
pub(crate) trait Frames {
    /// The frame's bytes in the pack file, and the base ordinals it reads.
    fn frame(&self, step: usize, frame: u32) -> Option<(Range<u64>, Vec<u32>)>;
}

impl Work {
    /// Orders the candidate's work. Base files that are in the install count as here.
    pub(crate) fn new(candidate: &Candidate, books: &Books<'_>, frames: &dyn Frames) -> Self {
        let mut work = Self::default();
        let mut numbers: HashMap<(usize, u32), usize> = HashMap::new();
        for (step, plan) in candidate.steps.iter().enumerate() {
            let mut of_frame: BTreeMap<u32, Vec<Put>> = BTreeMap::new();
            let mut copies: Vec<(u32, Put)> = Vec::new();
            for build in &plan.builds {
                let Some(file) = books.of(plan.target).get(build.file as usize) else { continue };
                let output = work.outputs.len();
                numbers.insert((step, build.file), output);
                for write in &build.writes {
                    match *write {
                        Write::Base { at, file, offset, len } => {
                            copies.push((file, Put { output, at, offset, len }));
                        }
                        Write::Frame { at, frame, offset, len } => {
                            of_frame.entry(frame).or_default().push(Put { output, at, offset, len });
                        }
                    }
                }
                work.outputs.push(Output {
                    identity: file.identity,
                    index: (plan.target == Owner::Target).then_some(build.file as usize),
                    writes: build.writes.iter().map(Write::range).collect(),
                    left: build.writes.len(),
                    failed: false,
                });
            }
            let base = plan.base.map(|at| books.of(Owner::Release(at))).unwrap_or_default();
            let identity = |file: u32| base.get(file as usize).map(|file| file.identity);
            let mut arriving = Vec::new();
            for (frame, puts) in of_frame {
                let (bytes, reads) = frames.frame(step, frame).unwrap_or_default();
                let reads = reads.into_iter().filter_map(identity).collect();
                let blocks_left = blocks(&bytes).count() as u64;
                let job = work.add(
                    Doing::Frame { step, frame },
                    puts,
                    reads,
                    usize::from(blocks_left > 0),
                    candidate,
                );
                arriving.push(Arriving { job, bytes, blocks_left });
            }
            for (file, put) in copies {
                let reads = identity(file).into_iter().collect();
                work.add(Doing::Copy { step, file }, vec![put], reads, 0, candidate);
            }
            arriving.sort_by_key(|frame| frame.bytes.start);
            work.arriving.push(arriving);
        }
        for (identity, source) in &candidate.sources {
            if let BaseSource::Built { step, file } = source
                && let Some(output) = numbers.get(&(*step, *file))
            {
                work.becomes.insert(*output, *identity);
            }
        }
        work.unfinished = work.jobs.len();
        work
    }

    fn add(
        &mut self,
        doing: Doing,
        puts: Vec<Put>,
        mut reads: Vec<FileIdentity>,
        waits: usize,
        candidate: &Candidate,
    ) -> usize {
        let number = self.jobs.len();
        reads.sort_unstable();
        reads.dedup();
        reads.retain(|identity| !matches!(candidate.sources.get(identity), Some(BaseSource::Installed(_))));
        let waits = waits + reads.len();
        for identity in reads {
            self.wanting.entry(identity).or_default().push(number);
        }
        self.jobs.push(Job { doing, puts, waits, state: State::Waiting });
        if waits == 0 {
            self.ready.push_back(number);
        }
        number
    }

    /// The outputs, by number.
    pub(crate) fn outputs(&self) -> &[Output] {
        &self.outputs
    }

    /// The base file that an output is, when another step reads it.
    pub(crate) fn becomes(&self, output: usize) -> Option<FileIdentity> {
        self.becomes.get(&output).copied()
    }

    /// The next job that can run.
    pub(crate) fn next(&mut self) -> Option<(usize, Doing, Vec<Put>)> {
        while let Some(number) = self.ready.pop_front() {
            if let Some(job) = self.jobs.get_mut(number).filter(|job| job.state == State::Waiting) {
                job.state = State::Handed;
                return Some((number, job.doing, job.puts.clone()));
            }
        }
        None
    }

    /// Whether every job has ended.
    pub(crate) fn is_done(&self) -> bool {
        self.unfinished == 0
    }

    /// A block of a step's pack came that was not there before; `at` is its first byte.
    pub(crate) fn arrived(&mut self, step: usize, at: u64) {
        let Some(frames) = self.arriving.get_mut(step) else { return };
        let block = at - at % BLOCK..(at - at % BLOCK).saturating_add(BLOCK);
        let from = frames.partition_point(|frame| frame.bytes.end <= block.start);
        let mut whole = Vec::new();
        for frame in frames.iter_mut().skip(from).take_while(|frame| frame.bytes.start < block.end) {
            frame.blocks_left = frame.blocks_left.saturating_sub(1);
            if frame.blocks_left == 0 {
                whole.push(frame.job);
            }
        }
        whole.into_iter().for_each(|job| self.one_less(job));
    }

    /// A base file is here.
    pub(crate) fn has(&mut self, identity: &FileIdentity) {
        for job in self.wanting.remove(identity).unwrap_or_default() {
            self.one_less(job);
        }
    }

    fn one_less(&mut self, number: usize) {
        if let Some(job) = self.jobs.get_mut(number).filter(|job| job.waits > 0) {
            job.waits -= 1;
            if job.waits == 0 {
                self.ready.push_back(number);
            }
        }
    }

    /// A base file will not come: whatever reads it fails.
    pub(crate) fn lacks(&mut self, identity: &FileIdentity) -> Vec<Finished> {
        let jobs = self.wanting.remove(identity).unwrap_or_default();
        jobs.into_iter().flat_map(|job| self.ended(job, false)).collect()
    }

    /// Nothing more of a step's pack will come.
    pub(crate) fn cut_off(&mut self, step: usize) -> Vec<Finished> {
        let frames = self.arriving.get(step).into_iter().flatten();
        let lacking: Vec<usize> =
            frames.filter(|frame| frame.blocks_left > 0).map(|frame| frame.job).collect();
        lacking.into_iter().flat_map(|job| self.ended(job, false)).collect()
    }

    /// Gives up whatever has not been handed out: what it waits for will never come.
    pub(crate) fn give_up(&mut self) -> Vec<Finished> {
        let waiting = self.jobs.iter().enumerate().filter(|(_, job)| job.state == State::Waiting);
        let waiting: Vec<usize> = waiting.map(|(number, _)| number).collect();
        waiting.into_iter().flat_map(|job| self.ended(job, false)).collect()
    }

    /// A job ended. Returns the outputs that are finished by it; what they are waited for as is told with
    /// [`Work::has`] and [`Work::lacks`].
    pub(crate) fn ended(&mut self, number: usize, well: bool) -> Vec<Finished> {
        let Some(job) = self.jobs.get_mut(number).filter(|job| job.state != State::Ended) else {
            return Vec::new();
        };
        job.state = State::Ended;
        self.unfinished = self.unfinished.saturating_sub(1);
        let mut finished = Vec::new();
        for put in &job.puts {
            let Some(output) = self.outputs.get_mut(put.output) else { continue };
            output.failed |= !well;
            output.left = output.left.saturating_sub(1);
            if output.left == 0 {
                finished.push(Finished { output: put.output, whole: !output.failed });
            }
        }
        finished
    }
}

/// The first bytes of the blocks that hold a range.
pub(crate) fn blocks(range: &Range<u64>) -> impl Iterator<Item = u64> + use<> {
    let end = if range.is_empty() { 0 } else { range.end.div_ceil(BLOCK) };
    (range.start / BLOCK..end).map(|block| block * BLOCK)
}

#[cfg(test)]
#[path = "work_tests.rs"]
mod tests;
