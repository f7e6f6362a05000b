//! What matching knows of the base: its anchors and its paths.

use std::collections::{HashMap, HashSet};

use super::matching::Told;
use super::runs::{Run, runs};
use super::source::{len_of, read_error};
use crate::chunk::{AnchorIndex, AnchorIndexBuilder, MAX_PER_RUN, WINDOW_BYTES, anchor_bits, anchors};
use crate::pack::PackError;
use crate::pack::clock::thread_cpu_s;
use crate::pack::content::TreeRef;
use crate::pack::pool;
use crate::release::FileKind;

/// Bytes read at a time.
const SCAN_BYTES: u64 = 1 << 20;
/// Runs of large files, in bytes.
const RUN_BYTES: u64 = 16 << 20;

/// A release that is matched against.
pub(super) struct BaseIndex<'a> {
    pub(super) tree: TreeRef<'a>,
    pub(super) anchors: AnchorIndex,
    /// Where each file begins when all are laid end to end. An anchor's place is that of its window's last byte.
    starts: Vec<u64>,
    by_path: HashMap<&'a str, u32>,
}

/// The files that are read to index a release: each content once.
pub(super) fn distinct(tree: TreeRef<'_>) -> Vec<u32> {
    let mut seen = HashSet::new();
    let wanted = |file: &&crate::release::ManifestFile| file.kind == FileKind::File && file.identity.len > 0;
    (0u32..)
        .zip(tree.files)
        .filter(|(_, file)| wanted(file) && seen.insert(file.identity))
        .map(|(at, _)| at)
        .collect()
}

impl<'a> BaseIndex<'a> {
    /// Reads the whole base once, on every core. Tells the CPU-seconds it took.
    pub(super) fn build(
        tree: TreeRef<'a>,
        wanted: u64,
        threads: usize,
        told: Told<'_>,
    ) -> Result<(Self, f64), PackError> {
        let mut starts = Vec::with_capacity(tree.files.len());
        let mut by_path = HashMap::new();
        let mut total = 0u64;
        for (ordinal, file) in (0u32..).zip(tree.files) {
            starts.push(total);
            total = total.saturating_add(file.identity.len);
            if file.kind == FileKind::File && file.identity.len > 0 {
                by_path.insert(file.path.as_str(), ordinal);
            }
        }
        let bits = anchor_bits(total, wanted);
        let mut builder = AnchorIndexBuilder::default();
        let groups = runs(&distinct(tree), |file| len_of(tree, file), RUN_BYTES);
        let work = |at: usize| {
            let begin = thread_cpu_s();
            let mut places = Vec::new();
            for run in groups.get(at).into_iter().flatten() {
                let start = starts.get(run.file as usize).copied().unwrap_or(0);
                scan(tree, run, bits, told, &mut |at, hash| places.push((hash, start + at - 1)))?;
            }
            Ok((places, thread_cpu_s() - begin))
        };
        let mut cpu_s = 0.0;
        pool::ordered(threads, groups.len(), &work, &mut |_, (places, cpu): (Vec<(u64, u64)>, f64)| {
            builder.add(&places);
            cpu_s += cpu;
            Ok::<(), PackError>(())
        })?;
        let begin = thread_cpu_s();
        let index = Self { tree, anchors: builder.finish(bits), starts, by_path };
        Ok((index, cpu_s + thread_cpu_s() - begin))
    }

    /// The old file at a path.
    pub(super) fn at_path(&self, path: &str) -> Option<u32> {
        self.by_path.get(path).copied()
    }

    /// The file an anchor lies in, and its position there.
    pub(super) fn place(&self, place: u64) -> (u32, u64) {
        let after = self.starts.partition_point(|start| *start <= place);
        // Empty files begin where the next one does: the last that begins there is the one with bytes.
        let file = after.saturating_sub(1);
        (u32::try_from(file).unwrap_or(u32::MAX), place + 1 - self.starts.get(file).copied().unwrap_or(0))
    }
}

/// The anchors of a run of a file, read by windows: at most [`MAX_PER_RUN`] of them.
fn scan(
    tree: TreeRef<'_>,
    run: &Run,
    bits: u32,
    told: Told<'_>,
    found: &mut dyn FnMut(u64, u64),
) -> Result<(), PackError> {
    // What the window of the run's first position needs stands before it.
    let mut start = run.start.saturating_sub(WINDOW_BYTES as u64 - 1);
    let mut buffer = vec![0; usize::try_from(SCAN_BYTES.min(run.end - start)).unwrap_or(0)];
    let (mut room, mut told_to) = (MAX_PER_RUN, run.start);
    while start < run.end {
        let now = usize::try_from(run.end - start).map_or(buffer.len(), |rest| rest.min(buffer.len()));
        let window = buffer.get_mut(..now).unwrap_or_default();
        tree.content
            .read_at(run.file, start, window)
            .map_err(|source| read_error("base", run.file, source))?;
        anchors(window, bits, |at, hash| {
            found(start + at as u64, hash);
            room = room.saturating_sub(1);
            room > 0
        });
        let end = if room == 0 { run.end } else { start + now as u64 };
        told.advance(end - told_to)?;
        told_to = end;
        if end >= run.end {
            break;
        }
        // The next window begins so that the first position it can see is the one after the last of this.
        start += (now - (WINDOW_BYTES - 1)) as u64;
    }
    Ok(())
}
