//! Patching in place: the blocks to come and those they replace lie beside the file, both durable, before the first is
//! written. Whatever happens then, the file becomes the new one or the old one again.

use std::io::ErrorKind;
use std::ops::Range;
use std::sync::PoisonError;

use super::journal::{Journal, Patching};
use super::stage::{fill, mark_equal};
use super::{Applier, ApplyError, Op, Progress};
use crate::folder::{self, Access, DiskError, Fs, FsFile, Guard, Meta};
use crate::hash::{BlockMap, Hash};
use crate::plan::{self, Plan, Source};
use crate::release::{MAX_FILE_BYTES, ManifestFile};

/// Bytes copied at once.
const CHUNK: u64 = 1 << 20;

/// The blocks that a patch leaves alone: there already, as far as the release is concerned.
pub(super) fn not_written(from: &[Source], fetch: &[Range<u64>], len: u64) -> BlockMap {
    let mut have = BlockMap::none(len);
    plan::untouched(from, fetch, len).into_iter().for_each(|range| have.mark(range));
    have
}

/// Files that cannot be opened for writing, or that answer to a second name outside, are staged whole: renaming needs no
/// right to write to the old file, and leaves the other name what it was.
///
/// # Errors
/// A file that another program holds.
pub(super) fn only_writable(fs: &dyn Fs, files: &[ManifestFile], plan: Plan) -> Result<Plan, ApplyError> {
    let mut refused = Vec::new();
    for (index, (op, file)) in plan.ops.iter().zip(files).enumerate() {
        if !matches!(op, Op::Patch { .. }) {
            continue;
        }
        let path = file.path.as_str();
        match fs.open(path, Access::Write) {
            Ok(_) if fs.names_of(path).is_ok_and(|names| names > 1) => refused.push(index),
            Ok(_) => {}
            Err(error) if folder::is_locked(&error) => {
                return Err(DiskError::at("write to", path)(error).into());
            }
            Err(error) if error.kind() == ErrorKind::PermissionDenied || folder::is_absent(&error) => {
                refused.push(index);
            }
            Err(error) => return Err(DiskError::at("open", path)(error).into()),
        }
    }
    Ok(if refused.is_empty() { plan } else { plan.unpatched(files, &|index| refused.contains(&index)) })
}

/// Marks the blocks of `ranges` that are right in `file`, by their leaves.
pub(super) fn check_ranges(
    file: &dyn FsFile,
    path: &str,
    ranges: &[Range<u64>],
    leaves: &[Hash],
    have: &mut BlockMap,
    progress: &dyn Progress,
) -> Result<(), ApplyError> {
    each_part(ranges, |at, len| {
        if progress.cancelled() {
            return Err(ApplyError::Cancelled);
        }
        let mut buf = vec![0; len];
        let count = fill(file, at, &mut buf).map_err(DiskError::at("read", path))?;
        mark_equal(buf.get(..count).unwrap_or_default(), at, leaves, have);
        Ok(())
    })
}

/// Calls `work` for parts of `ranges`, each at most [`CHUNK`] long and beginning where a block begins when its range does.
fn each_part<E>(ranges: &[Range<u64>], mut work: impl FnMut(u64, usize) -> Result<(), E>) -> Result<(), E> {
    for range in ranges {
        let mut at = range.start;
        while at < range.end {
            let len = (range.end - at).min(CHUNK);
            work(at, usize::try_from(len).unwrap_or_default())?;
            at += len;
        }
    }
    Ok(())
}

/// Copies `ranges` from one file to the same places of another.
fn copy(
    (from, from_path): (&dyn FsFile, &str),
    (to, to_path): (&dyn FsFile, &str),
    ranges: &[Range<u64>],
) -> Result<(), DiskError> {
    each_part(ranges, |at, len| {
        let mut buf = vec![0; len];
        let count = fill(from, at, &mut buf).map_err(DiskError::at("read", from_path))?;
        if count < len {
            return Err(DiskError::at("read", from_path)(ErrorKind::UnexpectedEof.into()));
        }
        to.write_at(at, &buf).map_err(DiskError::at("write", to_path))
    })
}

impl Applier {
    /// What a file of the plan writes in place.
    pub(super) fn patched(&self, index: usize) -> Option<Vec<Range<u64>>> {
        match self.plan.ops.get(index)? {
            Op::Patch { from, fetch, .. } => Some(plan::writes(from, fetch)),
            _ => None,
        }
    }

    /// Hashes what was written to a patch's slot and not noted as verified.
    pub(super) fn check_patch(
        &self,
        index: usize,
        slot: &dyn FsFile,
        path: &str,
        progress: &dyn Progress,
    ) -> Result<BlockMap, ApplyError> {
        let leaves = self.leaves.lock().unwrap_or_else(PoisonError::into_inner).get(&index).cloned();
        let leaves = leaves.ok_or_else(|| self.incomplete(index))?;
        let mut have = self.staged().get(&index).cloned().ok_or_else(|| self.incomplete(index))?;
        let open = have.ranges(false);
        check_ranges(slot, path, &open, &leaves, &mut have, progress)?;
        Ok(have)
    }

    /// Saves the blocks that patches replace, and returns what the journal says of each patch. Everything is durable but
    /// the undo folder's own name.
    pub(super) fn save_replaced(&self, undo: u32, first: u32) -> Result<Vec<Patching>, ApplyError> {
        let fs = self.dir.fs();
        let mut patches = Vec::new();
        for (index, (op, file)) in self.plan.ops.iter().zip(&self.target.manifest.files).enumerate() {
            let (Op::Patch { from, fetch, old_len }, Some(slot)) = (op, self.slot_name(index)) else {
                continue;
            };
            let writes = plan::writes(from, fetch);
            let replaced = plan::replaced(&writes, file.identity.len, *old_len);
            let number = first.saturating_add(u32::try_from(patches.len()).unwrap_or(u32::MAX));
            let (path, kept) = (file.path.as_str(), super::undo::slot(undo, number));
            let old = fs.open(path, Access::Read).map_err(DiskError::at("open", path))?;
            folder::remove_if_there(fs, &kept)?;
            let to = fs.open(&kept, Access::Create).map_err(DiskError::at("create", &kept))?;
            to.set_sparse().map_err(DiskError::at("make sparse", &kept))?;
            to.set_len(*old_len).map_err(DiskError::at("set the length of", &kept))?;
            copy((&*old, path), (&*to, &kept), &replaced)?;
            to.sync().map_err(DiskError::at("sync", &kept))?;
            patches.push(Patching {
                path: file.path.clone(),
                slot,
                undo: number,
                old_len: *old_len,
                new_len: file.identity.len,
                writes: writes.iter().map(|range| (range.start, range.end)).collect(),
                replaced: replaced.iter().map(|range| (range.start, range.end)).collect(),
            });
        }
        Ok(patches)
    }
}

fn ranges(pairs: &[(u64, u64)]) -> Vec<Range<u64>> {
    pairs.iter().map(|(start, end)| *start..*end).collect()
}

/// Writes every patch in place and makes it durable. May be repeated.
pub(super) fn forward(fs: &dyn Fs, journal: &Journal) -> Result<(), DiskError> {
    for patch in &journal.patches {
        let (path, slot) = (patch.path.as_str(), format!("{}/{}", folder::STAGING, patch.slot));
        let from = fs.open(&slot, Access::Read).map_err(DiskError::at("open", &slot))?;
        let to = fs.open(path, Access::Write).map_err(DiskError::at("open", path))?;
        write(&*from, &slot, &*to, path, &patch.writes, patch.new_len)?;
    }
    Ok(())
}

/// Puts the replaced blocks back. May be repeated.
pub(super) fn back(fs: &dyn Fs, journal: &Journal) -> Result<(), DiskError> {
    let Some(undo) = journal.undo else { return Ok(()) };
    for patch in &journal.patches {
        let (path, kept) = (patch.path.as_str(), super::undo::slot(undo, patch.undo));
        let from = fs.open(&kept, Access::Read).map_err(DiskError::at("open", &kept))?;
        let to = fs.open(path, Access::Write).map_err(DiskError::at("open", path))?;
        write(&*from, &kept, &*to, path, &patch.replaced, patch.old_len)?;
    }
    Ok(())
}

fn write(
    from: &dyn FsFile,
    from_path: &str,
    to: &dyn FsFile,
    path: &str,
    pairs: &[(u64, u64)],
    len: u64,
) -> Result<(), DiskError> {
    let ranges = ranges(pairs);
    // Linux writes back, or at least counts as written, whole runs of cached pages of which a few bytes were changed, up
    // to 2 MiB each. What is not cached is cached anew, and no longer than what is written.
    ranges.iter().for_each(|range| to.uncache(range.clone()));
    copy((from, from_path), (to, path), &ranges)?;
    let found = match to.meta().map_err(DiskError::at("look at", path))? {
        Meta::File { guard, .. } => guard.len,
        _ => 0,
    };
    if found != len {
        to.set_len(len).map_err(DiskError::at("set the length of", path))?;
    }
    to.sync().map_err(DiskError::at("sync", path))
}

/// What the patched files look like now.
pub(super) fn guards(fs: &dyn Fs, journal: &Journal) -> Result<Vec<Option<Guard>>, DiskError> {
    let look = |patch: &Patching| {
        let path = patch.path.as_str();
        Ok(match fs.stat(path).map_err(DiskError::at("look at", path))? {
            Some(Meta::File { guard, .. }) => Some(guard),
            _ => None,
        })
    };
    journal.patches.iter().map(look).collect()
}

/// Whole blocks of the last range end with the file: a journal that says otherwise was not written here.
pub(super) fn is_sane(patch: &Patching) -> bool {
    let ascending = |pairs: &[(u64, u64)], len: u64| {
        let mut at = 0;
        pairs.iter().all(|(start, end)| {
            let fits = at <= *start && start < end && *end <= len;
            at = *end;
            fits
        })
    };
    let bounded = patch.new_len.max(patch.old_len) <= MAX_FILE_BYTES;
    bounded && ascending(&patch.writes, patch.new_len) && ascending(&patch.replaced, patch.old_len)
}
