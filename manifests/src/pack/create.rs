//! Two releases in, a pack out: plan the segments, encode them on every core, prove each frame, write in order.

use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::budget::{Budget, ENCODERS_BYTES, need};
use super::clock::thread_cpu_s;
use super::codec::opened::Check;
use super::codec::{self, Encoded};
use super::content::TreeRef;
use super::index::{BaseRange, Frame, Index, Method, tree_id};
use super::layout::{HEADER_BYTES, footer, header};
use super::plan::{self, Plan, Segment};
use super::rebuild::{decode, read_prefix};
use super::report::{FileCost, Report};
use super::{ENCODER, MAX_MEMORY_BYTES, MAX_PLAIN_BYTES, PackError, pool};

/// How much work a pack is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// No more work than the data's first look deserves.
    Fast,
    /// A pack for every day.
    Normal,
    /// As small as it gets within reason.
    Best,
}

/// What is asked of [`create`].
#[derive(Debug, Clone, Copy)]
pub struct CreateOptions {
    /// How hard to try.
    pub level: Level,
    /// Threads to use, at least one. The pack does not depend on it.
    pub threads: usize,
}

/// What work on a pack goes through, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PackStage {
    /// The base is read, and the changed files are looked for in it: bytes of both.
    Matching,
    /// What was not found is compressed: bytes of it.
    Packing,
    /// The pack is applied: bytes of the files it rebuilds.
    Proving,
}

impl PackStage {
    /// A word for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Matching => "matching",
            Self::Packing => "packing",
            Self::Proving => "proving",
        }
    }
}

/// Told how far [`create`] is; asked whether to go on.
pub trait PackProgress: Sync {
    /// What begins now, and how many bytes of it there are.
    fn stage(&self, stage: PackStage, bytes: u64);
    /// Bytes of the stage done since the last call: all of them in the end, never more.
    fn advance(&self, bytes: u64);
    /// Whether to stop.
    fn cancelled(&self) -> bool;
}

/// A pack that was written.
#[derive(Debug, Clone)]
pub struct Created {
    /// Length of the pack file in bytes.
    pub len: u64,
    /// What it holds.
    pub index: Index,
    /// The index as it stands in the pack.
    pub index_bytes: Vec<u8>,
    /// How it came to be.
    pub report: Report,
}

/// What a worker hands to the writer.
struct Done {
    encoded: Encoded,
    compress_cpu_s: f64,
    proof_cpu_s: f64,
}

/// Writes the pack that turns `base` (or nothing) into `target`. Deterministic: threads change only who computes what.
/// Every frame is decoded again and compared before it is written.
///
/// # Errors
/// [`PackError::Read`], [`PackError::Write`], [`PackError::Changed`], [`PackError::Cancelled`], and what the encoders
/// refuse.
pub fn create(
    base: Option<TreeRef<'_>>,
    target: TreeRef<'_>,
    options: &CreateOptions,
    out: &mut (dyn Write + Send),
    progress: &dyn PackProgress,
) -> Result<Created, PackError> {
    let mut report = Report::default();
    let plan = plan::plan(base, target, options, progress, &mut report)?;
    progress.stage(PackStage::Packing, plan.segments.iter().map(Segment::len).sum());
    out.write_all(&header()).map_err(PackError::Write)?;
    let mut frames: Vec<Frame> = Vec::with_capacity(plan.segments.len());
    let mut offset = HEADER_BYTES;
    let budget = Budget::new(ENCODERS_BYTES);
    let work = |at: usize| {
        let need = plan.segments.get(at).map_or(0, |segment| need(options.level, segment.worked_on()));
        let _room = budget.take(need);
        if progress.cancelled() {
            return Err(PackError::Cancelled);
        }
        encode(at, &plan, base, target, options.level)
    };
    let mut take = |at: usize, done: Done| {
        let segment = plan.segments.get(at).ok_or(PackError::Index("a segment is missing"))?;
        out.write_all(&done.encoded.bytes).map_err(PackError::Write)?;
        let frame = frame_of(segment, &done.encoded, offset);
        offset += done.encoded.bytes.len() as u64;
        let totals = report.methods.entry(frame.method).or_default();
        totals.count += 1;
        totals.bytes_in += segment.len();
        totals.bytes_out += u64::from(frame.len);
        report.compress_cpu_s += done.compress_cpu_s;
        report.proof_cpu_s += done.proof_cpu_s;
        frames.push(frame);
        progress.advance(segment.len());
        Ok(())
    };
    pool::ordered(options.threads.max(1), plan.segments.len(), &work, &mut take)?;
    let index = Index {
        base: base.map(|tree| tree_id(tree.files)),
        target: tree_id(target.files),
        encoder: ENCODER,
        frames,
        files: plan.recipes,
    };
    let index_bytes = index.encode()?;
    out.write_all(&index_bytes).map_err(PackError::Write)?;
    let index_len =
        u32::try_from(index_bytes.len()).map_err(|_| PackError::TooLarge("its index is too long"))?;
    let footer = footer(index_len);
    out.write_all(&footer).map_err(PackError::Write)?;
    out.flush().map_err(PackError::Write)?;
    index.validate(base.map(|tree| tree.files), target.files)?;
    report.files = costs(&index, &plan.hints);
    let len = offset + index_bytes.len() as u64 + footer.len() as u64;
    Ok(Created { len, index, index_bytes, report })
}

/// The frame, with the base ranges it was made with.
fn frame_of(segment: &Segment, encoded: &Encoded, offset: u64) -> Frame {
    let prefix = match encoded.method {
        Method::Stored => Vec::new(),
        method if method.is_opened() => segment.opened.clone().unwrap_or_default(),
        _ => segment.prefix.clone(),
    };
    Frame {
        offset,
        len: u32::try_from(encoded.bytes.len()).unwrap_or(u32::MAX),
        method: encoded.method,
        prefix,
        plain_len: encoded.plain_len,
        output_len: u32::try_from(segment.len()).unwrap_or(u32::MAX),
        // As the index will say it: whole units.
        memory: super::columns::whole_units(encoded.memory),
    }
}

/// Reads, encodes and proves one segment.
fn encode(
    at: usize,
    plan: &Plan,
    base: Option<TreeRef<'_>>,
    target: TreeRef<'_>,
    level: Level,
) -> Result<Done, PackError> {
    let segment = plan.segments.get(at).ok_or(PackError::Index("a segment is missing"))?;
    let number = u32::try_from(at).unwrap_or(u32::MAX);
    let refused = |reason: String| PackError::Encode { segment: number, reason };
    let output = segment.read(target)?;
    let read = |ranges: &[BaseRange]| match base {
        Some(tree) => read_prefix(ranges, tree.content),
        None => Ok(Vec::new()),
    };
    let (mut compress_cpu_s, mut proof_cpu_s) = (0.0, 0.0);
    // Opened streams first: where they pay, the closed ones need no more than a fair look.
    let mut start = thread_cpu_s();
    let prefix = read(&segment.prefix)?;
    if let Some(ranges) = &segment.opened {
        let fair =
            codec::choose(Level::Normal, &prefix, &output).map_err(|error| refused(error.to_string()))?;
        for check in [Check::Later, Check::Each] {
            let opened = read(ranges).ok().and_then(|prefix| {
                let encoded = encode_opened(level, segment, &prefix, &output, &fair, check)?;
                Some((encoded, prefix))
            });
            compress_cpu_s += thread_cpu_s() - start;
            start = thread_cpu_s();
            let Some((encoded, prefix)) = opened else { break };
            let proof = proven(segment, &encoded, prefix, &output);
            proof_cpu_s += thread_cpu_s() - start;
            start = thread_cpu_s();
            if proof.is_ok() {
                return Ok(Done { encoded, compress_cpu_s, proof_cpu_s });
            }
        }
    }
    let encoded = codec::choose(level, &prefix, &output).map_err(|error| refused(error.to_string()))?;
    compress_cpu_s += thread_cpu_s() - start;
    if encoded.memory > MAX_MEMORY_BYTES {
        return Err(PackError::Memory { frame: number, need: encoded.memory, limit: MAX_MEMORY_BYTES });
    }
    let start = thread_cpu_s();
    proven(segment, &encoded, prefix, &output).map_err(refused)?;
    proof_cpu_s += thread_cpu_s() - start;
    Ok(Done { encoded, compress_cpu_s, proof_cpu_s })
}

/// Decodes the frame again as a player would.
fn proven(segment: &Segment, encoded: &Encoded, prefix: Vec<u8>, output: &[u8]) -> Result<(), String> {
    let frame = frame_of(segment, encoded, 0);
    let prefix = if frame.prefix.is_empty() { Vec::new() } else { prefix };
    let again = decode(&frame, prefix, &encoded.bytes)?;
    if again == output { Ok(()) } else { Err("it does not decode to itself".to_owned()) }
}

/// The segment with its streams opened, where that works and pays. What opens them may panic on what it does not
/// expect: then it stays closed.
fn encode_opened(
    level: Level,
    segment: &Segment,
    prefix: &[u8],
    output: &[u8],
    closed: &Encoded,
    check: Check,
) -> Option<Encoded> {
    let mut rest = output;
    let mut parts = Vec::with_capacity(segment.parts.len());
    for part in &segment.parts {
        let (now, later) = rest.split_at_checked(part.len as usize)?;
        parts.push(now);
        rest = later;
    }
    let work = || {
        let plain = codec::opened::open(&parts, MAX_PLAIN_BYTES as usize, check)?;
        let closing = codec::opened::closing_memory(&parts);
        codec::choose_opened(level, prefix, &plain, output.len(), closing, closed).ok().flatten()
    };
    catch_unwind(AssertUnwindSafe(work)).ok().flatten()
}

/// Each file's share of the frames it needs.
fn costs(index: &Index, hints: &[super::Hint]) -> Vec<FileCost> {
    let cost = |(recipe, hint): (&super::Recipe, &super::Hint)| {
        let mut cost =
            FileCost { file: recipe.file, frame_bytes: 0, copied_bytes: 0, rebuilt_bytes: 0, hint: *hint };
        for slice in &recipe.slices {
            match *slice {
                super::Slice::Base { len, .. } => cost.copied_bytes += len,
                super::Slice::Frame { frame, len, .. } => {
                    cost.rebuilt_bytes += u64::from(len);
                    if let Some(frame) = index.frames.get(frame as usize) {
                        let share = u64::from(frame.len) * u64::from(len);
                        cost.frame_bytes += share / u64::from(frame.output_len.max(1));
                    }
                }
            }
        }
        cost
    };
    index.files.iter().zip(hints).map(cost).collect()
}
