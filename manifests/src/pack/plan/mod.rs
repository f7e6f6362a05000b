//! Which bytes of the release go into which segment, and which base data each segment refers to.
//!
//! Matching tells where old bytes went. Long matches become copies; what lies between them goes into segments, files
//! of a kind together; base data around the shorter matches becomes a segment's prefix.

mod base;
mod matching;
mod prefix;
mod runs;
mod segments;
mod source;
mod streams;

use std::collections::HashSet;

use self::base::BaseIndex;
use self::matching::{Match, Matcher, Told};
use self::runs::{Run, runs};
use self::segments::Piece;
pub(super) use self::segments::Segment;
use self::streams::Stream;
use super::clock::thread_cpu_s;
use super::content::TreeRef;
use super::create::{CreateOptions, Level, PackProgress, PackStage};
use super::index::{Recipe, Slice};
use super::report::{Hint, Report};
use super::{PackError, pool};
use crate::release::{FileIdentity, FileKind};

/// Large files are matched in runs of this, in bytes: what is known of one run at a time is bounded by it.
const RUN_BYTES: u64 = 64 << 20;
/// Copies a pack has, about, at the most: what is planned takes a few hundred bytes for each.
const MAX_COPIES: u64 = 1 << 20;

/// What a level spends where.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tuning {
    /// A match this long is copied, in bytes; shorter ones are left to the compressor.
    pub(super) copy_bytes: u64,
    /// Base data taken on either side of a match that is left to the compressor, in bytes.
    pub(super) margin_bytes: u64,
    /// An old file up to this long is taken whole, in bytes.
    pub(super) whole_bytes: u64,
    /// Anchors of the base that are remembered, about.
    pub(super) anchors: u64,
    /// Whether the prefix is filled up with more of the base.
    pub(super) fill: bool,
    /// Whether deflate streams are opened.
    pub(super) open: bool,
}

impl Tuning {
    /// What suits a level, and the bytes of the files there are to make.
    pub(super) fn of(level: Level, total: u64) -> Self {
        let tuning = Self::of_level(level);
        Self { copy_bytes: tuning.copy_bytes.max(total / MAX_COPIES), ..tuning }
    }

    fn of_level(level: Level) -> Self {
        match level {
            Level::Fast => Self {
                copy_bytes: 4096,
                margin_bytes: 4096,
                whole_bytes: 256 << 10,
                anchors: 1 << 20,
                fill: false,
                open: false,
            },
            Level::Normal => Self {
                copy_bytes: 4096,
                margin_bytes: 16 << 10,
                whole_bytes: 1 << 20,
                anchors: 2 << 20,
                fill: false,
                open: false,
            },
            Level::Best => Self {
                copy_bytes: 4096,
                margin_bytes: 64 << 10,
                whole_bytes: 4 << 20,
                anchors: 6 << 20,
                fill: true,
                open: true,
            },
        }
    }
}

/// What there is to encode, and how files come out of it.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) segments: Vec<Segment>,
    /// In manifest order.
    pub(super) recipes: Vec<Recipe>,
    /// One a recipe.
    pub(super) hints: Vec<Hint>,
}

/// What matching found out about one file.
#[derive(Debug, Default)]
struct Mapped {
    file: u32,
    old: Option<u32>,
    matches: Vec<Match>,
    streams: Vec<Stream>,
    hint: Option<Hint>,
}

impl Mapped {
    /// Takes the matches of the file's next run. A copy that goes on in it is one copy.
    fn join(&mut self, matches: Vec<Match>) {
        let mut next = matches.into_iter();
        if let Some(first) = next.next() {
            match self.matches.last_mut() {
                Some(last)
                    if (last.file, last.end(), last.base_end()) == (first.file, first.target, first.base) =>
                {
                    last.len += first.len;
                }
                _ => self.matches.push(first),
            }
        }
        self.matches.extend(next);
    }
}

/// The target's files that the base does not have under any name, each content once, in manifest order.
fn wanted(base: Option<TreeRef<'_>>, target: TreeRef<'_>) -> Vec<u32> {
    let mut seen: HashSet<FileIdentity> = base
        .iter()
        .flat_map(|tree| tree.files)
        .filter(|file| file.kind == FileKind::File)
        .map(|file| file.identity)
        .collect();
    seen.insert(FileIdentity::EMPTY);
    (0u32..)
        .zip(target.files)
        .filter(|(_, file)| file.kind == FileKind::File && seen.insert(file.identity))
        .map(|(at, _)| at)
        .collect()
}

/// Plans the whole pack.
pub(super) fn plan(
    base: Option<TreeRef<'_>>,
    target: TreeRef<'_>,
    options: &CreateOptions,
    progress: &dyn PackProgress,
    report: &mut Report,
) -> Result<Plan, PackError> {
    let files = wanted(base, target);
    let tuning = Tuning::of(options.level, files.iter().map(|file| source::len_of(target, *file)).sum());
    let mapped = match base {
        Some(base) if !files.is_empty() => map(base, target, &files, &tuning, options, progress, report)?,
        _ => alone(target, &files, &tuning)?,
    };
    let start = thread_cpu_s();
    let mut gaps = Vec::new();
    for file in &mapped {
        gaps.extend(segments::pieces(file, target, &tuning).into_iter().filter_map(Piece::gap));
    }
    let placed = segments::place(gaps, base, target, &tuning);
    let mut plan = Plan { segments: placed.segments, ..Plan::default() };
    for file in &mapped {
        plan.recipes.push(recipe(file, &placed.places, target, &tuning));
        plan.hints.push(file.hint.unwrap_or(Hint::New));
    }
    report.match_cpu_s += thread_cpu_s() - start;
    Ok(plan)
}

/// Files without a base: only their streams are looked for.
fn alone(target: TreeRef<'_>, files: &[u32], tuning: &Tuning) -> Result<Vec<Mapped>, PackError> {
    let mut source = source::Source::new(target, "release");
    let mut map = |file: &u32| {
        let streams = match tuning.open {
            true => streams::choose(&mut source, *file, None, &mut Vec::new())?,
            false => Vec::new(),
        };
        Ok(Mapped { file: *file, streams, ..Mapped::default() })
    };
    files.iter().map(&mut map).collect()
}

/// Matches every wanted file against the base, on every core.
fn map(
    base: TreeRef<'_>,
    target: TreeRef<'_>,
    files: &[u32],
    tuning: &Tuning,
    options: &CreateOptions,
    progress: &dyn PackProgress,
    report: &mut Report,
) -> Result<Vec<Mapped>, PackError> {
    let threads = options.threads.max(1);
    let len = |file: u32| source::len_of(target, file);
    let read: u64 = base::distinct(base).iter().map(|file| source::len_of(base, *file)).sum();
    progress.stage(PackStage::Matching, read + files.iter().map(|file| len(*file)).sum::<u64>());
    let told = Told(progress);
    let (index, cpu) = BaseIndex::build(base, tuning.anchors, threads, told)?;
    report.match_cpu_s += cpu;
    let path = |file: u32| target.files.get(file as usize).map_or("", |file| file.path.as_str());
    let groups = runs(files, len, RUN_BYTES);
    let work = |at: usize| {
        let start = thread_cpu_s();
        let mut matcher = Matcher::new(&index, target);
        let mut found: Vec<(Run, Vec<Match>)> = Vec::new();
        for run in groups.get(at).into_iter().flatten() {
            let mut matches = matcher.matches(run, index.at_path(path(run.file)), told)?;
            thin(&mut matches, run, tuning);
            found.push((*run, matches));
        }
        Ok((found, thread_cpu_s() - start))
    };
    let mut all: Vec<Mapped> = Vec::with_capacity(files.len());
    pool::ordered(threads, groups.len(), &work, &mut |_, (found, cpu): (Vec<(Run, Vec<Match>)>, f64)| {
        for (run, matches) in found {
            match all.last_mut() {
                Some(mapped) if mapped.file == run.file => mapped.join(matches),
                _ => all.push(Mapped { file: run.file, matches, ..Mapped::default() }),
            }
        }
        report.match_cpu_s += cpu;
        Ok::<(), PackError>(())
    })?;
    let start = thread_cpu_s();
    let mut matcher = Matcher::new(&index, target);
    for mapped in &mut all {
        let path = path(mapped.file);
        mapped.old = index.at_path(path);
        mapped.hint = Some(hint(len(mapped.file), mapped.old, path, &mapped.matches));
        if tuning.open {
            mapped.streams = matcher.streams(mapped.file, mapped.old, &mut mapped.matches)?;
        }
    }
    report.match_cpu_s += thread_cpu_s() - start;
    Ok(all)
}

/// Leaves of matches that are too short to copy no more than memory is made for: they only say where the base looks
/// alike, and neighbours say the same.
fn thin(matches: &mut Vec<Match>, run: &Run, tuning: &Tuning) {
    let most = usize::try_from((run.end - run.start) / tuning.copy_bytes).unwrap_or(usize::MAX).max(64);
    let short = matches.iter().filter(|found| found.len < tuning.copy_bytes).count();
    let every = short.div_ceil(most).max(1);
    let mut at = 0;
    matches.retain(|found| {
        at += usize::from(found.len < tuning.copy_bytes);
        found.len >= tuning.copy_bytes || at % every == 0
    });
}

/// Why this file costs what it will.
fn hint(len: u64, old: Option<u32>, path: &str, matches: &[Match]) -> Hint {
    let found: u64 = matches.iter().map(|found| found.len).sum();
    let in_place: u64 = matches
        .iter()
        .filter(|found| Some(found.file) == old && found.base == found.target)
        .map(|found| found.len)
        .sum();
    if found * 4 >= len {
        return if in_place * 2 >= found && old.is_some() { Hint::Changed } else { Hint::Shifted };
    }
    match old {
        None => Hint::New,
        Some(_) if segments::Class::of(path) == segments::Class::Other => Hint::Rewritten,
        Some(_) => Hint::Recompressed,
    }
}

/// The file's copies, and its gaps where they were placed.
fn recipe(file: &Mapped, places: &segments::Places, target: TreeRef<'_>, tuning: &Tuning) -> Recipe {
    let mut slices = Vec::new();
    for piece in segments::pieces(file, target, tuning) {
        match piece {
            Piece::Copy(copy) => slices.push(copy),
            Piece::Gap(gap) => {
                slices.extend(places.of(gap.file, gap.offset).iter().map(|place| Slice::Frame {
                    frame: place.segment,
                    offset: place.offset,
                    len: place.len,
                }));
            }
        }
    }
    Recipe { file: file.file, slices }
}
