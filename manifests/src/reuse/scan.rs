//! Reads old files and meets missing blocks in them.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use super::filter::Filter;
use super::old::{OldFile, OldFiles};
use crate::folder::Progress;
use crate::hash::{self, BLOCK_LEN, Hash, Roller, block_range};
use crate::path::SafePath;
use crate::plan::{Piece, Source};
use crate::release::FileIdentity;
use crate::verify::SurveyError;

const BLOCK: usize = BLOCK_LEN as usize;
/// Bytes in memory at once.
const BUFFER: usize = 4 << 20;
/// Blocks hashed in vain before a file is given up: checksums made to collide must not cost hours.
const MAX_VAIN: usize = 10_000;

/// A file of which blocks are looked for.
pub(super) struct Want {
    pub(super) id: FileIdentity,
    pub(super) path: SafePath,
    pub(super) leaves: Arc<[Hash]>,
    pub(super) sums: Vec<u64>,
    /// Numbers of the missing blocks.
    pub(super) blocks: Vec<u32>,
}

/// A block looked for.
#[derive(Clone, Copy)]
struct Slot {
    want: u32,
    block: u32,
}

/// A search over several files.
pub(super) struct Scan {
    wants: Vec<Want>,
    slots: Vec<Slot>,
    filter: Filter,
    /// For each want, what was found: block to (file, offset).
    found: Vec<BTreeMap<u32, (u32, u64)>>,
    paths: Vec<SafePath>,
}

impl Scan {
    pub(super) fn new(wants: Vec<Want>) -> Self {
        let mut slots = Vec::new();
        for (at, want) in (0u32..).zip(&wants) {
            // A last block that is not whole has no window of its own; see `tails`.
            let whole = |block: &&u32| (u64::from(**block) + 1) * BLOCK_LEN <= want.id.len;
            slots.extend(want.blocks.iter().filter(whole).map(|block| Slot { want: at, block: *block }));
        }
        let sum_of = |slot: &Slot| wants.get(slot.want as usize)?.sums.get(slot.block as usize).copied();
        let entries = (0u32..).zip(&slots).filter_map(|(at, slot)| Some((sum_of(slot)?, at)));
        let filter = Filter::new(entries);
        let found = wants.iter().map(|_| BTreeMap::new()).collect();
        Self { wants, slots, filter, found, paths: Vec::new() }
    }

    pub(super) fn wants(&self) -> &[Want] {
        &self.wants
    }

    pub(super) fn is_done(&self) -> bool {
        self.filter.is_empty()
    }

    /// Rolls over one file.
    pub(super) fn read(
        &mut self,
        old: &dyn OldFiles,
        path: &SafePath,
        progress: &dyn Progress,
    ) -> Result<(), SurveyError> {
        let Ok(file) = old.open(path) else { return Ok(()) };
        let number = self.paths.len() as u32;
        self.paths.push(path.clone());
        match self.roll_over(&*file, number, progress) {
            Ok(true) => self.tails(&*file, number).unwrap_or_else(|error| note(path, &error)),
            Ok(false) => return Err(SurveyError::Cancelled),
            Err(error) => note(path, &error),
        }
        Ok(())
    }

    /// `false` when it was told to stop.
    fn roll_over(&mut self, file: &dyn OldFile, number: u32, progress: &dyn Progress) -> io::Result<bool> {
        let mut buffer = vec![0; BUFFER];
        let (mut start, mut kept, mut vain) = (0u64, 0usize, 0usize);
        loop {
            if progress.cancelled() {
                return Ok(false);
            }
            let room = buffer.get_mut(kept..).unwrap_or_default();
            let count = file.read(start + kept as u64, room)?;
            progress.advance(count as u64);
            let data = buffer.get(..kept + count).unwrap_or_default();
            let done = self.windows(data, start, number, &mut vain);
            if kept + count < BUFFER || self.is_done() || vain > MAX_VAIN {
                return Ok(true);
            }
            // The last windows begin here and end in what comes.
            buffer.copy_within(done.., 0);
            kept = BUFFER - done;
            start += done as u64;
        }
    }

    /// Looks at every window of `data`, which begins at `start` of the file. Returns where the first window that was not
    /// looked at begins.
    fn windows(&mut self, data: &[u8], start: u64, number: u32, vain: &mut usize) -> usize {
        let mut at = 0;
        while let Some(window) = data.get(at..at + BLOCK) {
            let mut roller = Roller::over(window);
            let mut may_be = self.filter.may_have(roller.sum());
            loop {
                let window = data.get(at..at + BLOCK).unwrap_or_default();
                if may_be && self.meet(roller.sum(), window, start + at as u64, number, vain) {
                    at += BLOCK;
                    break;
                }
                let filter = &self.filter;
                let rest = data.get(at..).unwrap_or_default();
                match roller.seek(rest, |sum| filter.may_have(sum)) {
                    Some(moved) if *vain <= MAX_VAIN => at += moved,
                    _ => return data.len() + 1 - BLOCK,
                }
                may_be = true;
            }
        }
        at
    }

    /// Whether the window is a missing block; then every place that lacks it is served.
    fn meet(&mut self, sum: u64, window: &[u8], offset: u64, number: u32, vain: &mut usize) -> bool {
        let candidates = self.filter.get(sum);
        if candidates.is_empty() {
            return false;
        }
        let leaf = hash::leaf(window);
        let is_it = |at: &&u32| {
            let Some(slot) = self.slots.get(**at as usize) else { return false };
            let right =
                self.wants.get(slot.want as usize).and_then(|want| want.leaves.get(slot.block as usize));
            right == Some(&leaf)
        };
        let served: Vec<u32> = candidates.iter().filter(is_it).copied().collect();
        if served.is_empty() {
            *vain += 1;
            return false;
        }
        for slot in served.iter().filter_map(|at| self.slots.get(*at as usize)) {
            if let Some(found) = self.found.get_mut(slot.want as usize) {
                found.insert(slot.block, (number, offset));
            }
        }
        self.filter.remove(sum, &served);
        true
    }

    /// Last blocks that are not whole: behind the block before them, or at the end of the file of the same path.
    fn tails(&mut self, file: &dyn OldFile, number: u32) -> io::Result<()> {
        let len = file.len()?;
        for (want, found) in self.wants.iter().zip(&mut self.found) {
            let Some(last) = want.blocks.last().copied() else { continue };
            let range = block_range(u64::from(last), want.id.len);
            let tail = range.end - range.start;
            if tail == BLOCK_LEN || range.end != want.id.len || found.contains_key(&last) {
                continue;
            }
            let before = last.checked_sub(1).and_then(|block| found.get(&block));
            let behind = before.filter(|(file, _)| *file == number).map(|(_, offset)| offset + BLOCK_LEN);
            let same_path = self.paths.get(number as usize) == Some(&want.path);
            let at_end = same_path.then(|| len.checked_sub(tail)).flatten();
            for offset in behind.into_iter().chain(at_end) {
                let mut bytes = vec![0; tail as usize];
                let whole = file.read(offset, &mut bytes)? == bytes.len();
                if whole && want.leaves.get(last as usize) == Some(&hash::leaf(&bytes)) {
                    found.insert(last, (number, offset));
                    break;
                }
            }
        }
        Ok(())
    }

    /// What was found, joined.
    pub(super) fn finish(self) -> BTreeMap<FileIdentity, Arc<[Source]>> {
        let mut all = BTreeMap::new();
        for (want, found) in self.wants.iter().zip(self.found) {
            let mut by_file: BTreeMap<u32, Vec<Piece>> = BTreeMap::new();
            for (block, (number, at)) in found {
                let range = block_range(u64::from(block), want.id.len);
                let pieces = by_file.entry(number).or_default();
                match pieces.last_mut() {
                    Some(last)
                        if last.range.end == range.start
                            && last.at + (last.range.end - last.range.start) == at =>
                    {
                        last.range.end = range.end;
                    }
                    _ => pieces.push(Piece { at, range }),
                }
            }
            let path = |number: u32| self.paths.get(number as usize).cloned();
            let sources = by_file
                .into_iter()
                .filter_map(|(number, pieces)| Some(Source { path: path(number)?, pieces }));
            let sources: Vec<Source> = sources.collect();
            if !sources.is_empty() {
                all.insert(want.id, sources.into());
            }
        }
        all
    }
}

fn note(path: &SafePath, error: &io::Error) {
    tracing::warn!(%path, %error, "a file cannot be searched for blocks");
}
