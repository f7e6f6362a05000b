//! Before the commit: checks, what an earlier run left, local copies.

use std::collections::BTreeSet;
use std::io;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::patch::check_ranges;
use super::{Applier, ApplyError, LeafSource, Op, Progress, SPARE_BYTES, data_slots, undo};
use crate::folder::{self, Access, DiskError, FsFile, Meta};
use crate::hash::{self, BlockMap, Hash, TreeHasher};
use crate::path::SafePath;
use crate::plan::{self, Piece, Source};
use crate::release::FileIdentity;

/// Bytes read at once: whole blocks.
const CHUNK: usize = 1 << 20;

/// What is known of the file that pieces are copied into.
struct Copier<'a> {
    known: Option<&'a Arc<[Hash]>>,
    identity: &'a FileIdentity,
    have: &'a mut BlockMap,
    progress: &'a dyn Progress,
}

impl Applier {
    /// Brings into the staging folder what can be had without network: blocks an earlier run fetched (hashed again: a
    /// killed run leaves no promise) and copies of files in the install (hashed on the way; what does not match is
    /// fetched instead). Afterwards every staged file exists in full length.
    ///
    /// `leaves` answers for files of the release.
    ///
    /// # Errors
    /// [`ApplyError`]; run again to go on.
    pub fn prepare(
        &self,
        leaves: &(dyn LeafSource + Sync),
        progress: &dyn Progress,
    ) -> Result<(), ApplyError> {
        let indices: Vec<usize> =
            self.staged().keys().copied().filter(|index| self.is_fetched(*index)).collect();
        for_each(self.threads, &indices, |index| self.prepare_file(*index, leaves, progress))?;
        self.dir.fs().sync_dir(folder::STAGING).map_err(DiskError::at("sync the folder", folder::STAGING))?;
        let needed: u64 = self.staged().values().map(BlockMap::missing_bytes).sum();
        self.check_space(needed.saturating_add(self.bytes_in_place()))
    }

    fn prepare_file(
        &self,
        index: usize,
        leaves: &dyn LeafSource,
        progress: &dyn Progress,
    ) -> Result<(), ApplyError> {
        let (Some(file), Some(path)) = (self.target.manifest.files.get(index), self.slot_path(index)) else {
            return Ok(());
        };
        let identity = file.identity;
        if let Some(Op::Copy { from }) = self.plan.ops.get(index) {
            // Where the file system shares blocks, the copy is there at once, and hashed below as any that is found.
            self.clone_local(from, &path)?;
        }
        let slot = self.dir.fs().open(&path, Access::Create).map_err(DiskError::at("create", &path))?;
        if let Some(Op::Patch { from, .. }) = self.plan.ops.get(index) {
            return self.prepare_patch(index, (&*slot, &path), from, leaves, progress);
        }
        let found = match slot.meta().map_err(DiskError::at("look at", &path))? {
            Meta::File { guard, .. } => guard.len,
            _ => 0,
        };
        if found != identity.len {
            slot.set_len(identity.len).map_err(DiskError::at("set the length of", &path))?;
        }
        let source = self.plan.ops.get(index);
        let local = matches!(source, Some(Op::Copy { .. } | Op::Rebuild { .. }));
        // Leaves are read only where parts of a file can be of use.
        let known = if found > 0 || local { leaves.leaves(&identity) } else { None };
        let mut have = BlockMap::none(identity.len);
        if found > 0 {
            have = check_blocks(&*slot, &path, &identity, known.as_deref(), progress)?;
        }
        let whole = Range { start: 0, end: identity.len };
        let mut copier = Copier { known: known.as_ref(), identity: &identity, have: &mut have, progress };
        match source {
            Some(Op::Copy { from }) if !copier.have.is_full() => {
                let all = [Piece { at: 0, range: whole }];
                self.copy_local(from, &all, (&*slot, &path), &mut copier)?;
            }
            Some(Op::Rebuild { from, .. }) if !copier.have.is_full() => {
                for source in from {
                    self.copy_local(&source.path, &source.pieces, (&*slot, &path), &mut copier)?;
                }
            }
            _ => {}
        }
        self.staged().insert(index, have);
        Ok(())
    }

    /// Clones the installed file `from` into `path`, if nothing lies there and the file system can.
    fn clone_local(&self, from: &SafePath, path: &str) -> Result<(), ApplyError> {
        let fs = self.dir.fs();
        if fs.stat(path).map_err(DiskError::at("look at", path))?.is_some() {
            return Ok(());
        }
        match fs.reflink(from.as_str(), path) {
            // Gone since the plan was made: fetched instead, and the commit tells.
            Err(error) if folder::is_absent(&error) => Ok(()),
            other => Ok(other.map(|_| ()).map_err(DiskError::at("copy", from.as_str()))?),
        }
    }

    /// The sparse file that takes a patch's blocks, with those that an earlier run or files here have.
    fn prepare_patch(
        &self,
        index: usize,
        (slot, path): (&dyn FsFile, &str),
        from: &[Source],
        leaves: &dyn LeafSource,
        progress: &dyn Progress,
    ) -> Result<(), ApplyError> {
        let Some(identity) = self.target.manifest.files.get(index).map(|file| file.identity) else {
            return Ok(());
        };
        let known = leaves.leaves(&identity).ok_or_else(|| self.incomplete(index))?;
        self.leaves.lock().unwrap_or_else(PoisonError::into_inner).insert(index, known.clone());
        let found = match slot.meta().map_err(DiskError::at("look at", path))? {
            Meta::File { guard, .. } => guard.len,
            _ => 0,
        };
        if found != identity.len {
            slot.set_sparse().map_err(DiskError::at("make sparse", path))?;
            slot.set_len(identity.len).map_err(DiskError::at("set the length of", path))?;
        }
        let Some(mut have) = self.staged().get(&index).cloned() else { return Ok(()) };
        if found > 0 {
            check_ranges(slot, path, &self.patched(index).unwrap_or_default(), &known, &mut have, progress)?;
        }
        let mut copier = Copier { known: Some(&known), identity: &identity, have: &mut have, progress };
        if !copier.have.is_full() {
            for source in from {
                self.copy_local(&source.path, &source.pieces, (slot, path), &mut copier)?;
            }
        }
        self.staged().insert(index, have);
        Ok(())
    }

    /// Copies `pieces` of the installed file `from`. What is there already is written again: it is as right.
    fn copy_local(
        &self,
        from: &SafePath,
        pieces: &[Piece],
        (slot, path): (&dyn FsFile, &str),
        copier: &mut Copier<'_>,
    ) -> Result<(), ApplyError> {
        let from = from.as_str();
        let source = match self.dir.fs().open(from, Access::Read) {
            Ok(source) => source,
            // Gone since the plan was made: fetched instead, and the commit tells.
            Err(error) if folder::is_absent(&error) => return Ok(()),
            Err(error) => return Err(DiskError::at("open", from)(error).into()),
        };
        let mut hasher = TreeHasher::default();
        let mut chunk = vec![0; CHUNK];
        for Piece { at: offset, range } in pieces {
            let mut at = range.start;
            while at < range.end {
                if copier.progress.cancelled() {
                    return Err(ApplyError::Cancelled);
                }
                let want = usize::try_from(range.end - at).unwrap_or(CHUNK).min(CHUNK);
                let buf = chunk.get_mut(..want).unwrap_or_default();
                let read_at = offset.saturating_add(at - range.start);
                let count = fill(&*source, read_at, buf).map_err(DiskError::at("read", from))?;
                let data = buf.get(..count).unwrap_or_default();
                slot.write_at(at, data).map_err(DiskError::at("write", path))?;
                match copier.known {
                    Some(leaves) => mark_equal(data, at, leaves, copier.have),
                    None => hasher.update(data),
                }
                copier.progress.advance(count as u64);
                at += count as u64;
                if count < want {
                    return Ok(()); // shorter than it was: the rest is fetched
                }
            }
        }
        if copier.known.is_none() && hasher.finish().identity == *copier.identity {
            *copier.have = BlockMap::all(copier.identity.len);
        }
        Ok(())
    }

    pub(super) fn check_permission(&self) -> Result<(), ApplyError> {
        let fs = self.dir.fs();
        let mut folders = BTreeSet::new();
        let files = &self.target.manifest.files;
        let changed = self
            .plan
            .ops
            .iter()
            .zip(files)
            .filter(|(op, _)| !matches!(op, Op::Keep { .. } | Op::KeepLink | Op::Leave));
        let moved = self.plan.ops.iter().filter_map(|op| match op {
            Op::Move { from } | Op::GiveBack { from } => Some(from),
            _ => None,
        });
        let removed = self.plan.remove.iter().map(|removal| &removal.path);
        let touched = changed.map(|(_, file)| &file.path).chain(moved).chain(removed);
        for path in touched.chain(&self.plan.keep_aside).chain(&self.plan.clear_folders) {
            folders.insert(path.as_str().rsplit_once('/').map_or("", |(folder, _)| folder));
        }
        for path in folders {
            // Folders that are not there yet are made in one that is.
            if path.is_empty() || fs.stat(path).map_err(DiskError::at("look at", path))? == Some(Meta::Folder)
            {
                let writable = fs.writable(path).map_err(DiskError::at("look at", path))?;
                if !writable {
                    let source = io::Error::from(io::ErrorKind::PermissionDenied);
                    let path =
                        if path.is_empty() { self.dir.path().display().to_string() } else { path.to_owned() };
                    return Err(DiskError { action: "write to the folder", path, source }.into());
                }
            }
        }
        Ok(())
    }

    /// Files staged before are counted as paid for; [`Applier::prepare`] knows better and asks again.
    pub(super) fn check_space_before(&self) -> Result<(), ApplyError> {
        let mut needed = 0u64;
        for (index, file) in self.target.manifest.files.iter().enumerate() {
            let Some(op) = self.plan.ops.get(index) else { continue };
            let moved = matches!(op, Op::Move { .. } | Op::GiveBack { .. } | Op::Link { .. });
            if moved || matches!(op, Op::Keep { .. } | Op::KeepLink | Op::Leave) {
                continue;
            }
            if let Op::Patch { from, fetch, .. } = op {
                let writes = plan::writes(from, fetch);
                needed = needed.saturating_add(writes.iter().map(|range| range.end - range.start).sum());
                continue;
            }
            let Some(path) = self.slot_path(index) else { continue };
            if self.dir.fs().stat(&path).map_err(DiskError::at("look at", &path))?.is_none() {
                needed = needed.saturating_add(file.identity.len);
            }
        }
        self.check_space(needed.saturating_add(self.bytes_in_place()))
    }

    /// What patching takes beside the staged blocks, in bytes: the replaced ones are saved, and where a file is sparse,
    /// compressed or shares its blocks, what is written in place is new space too.
    pub fn bytes_in_place(&self) -> u64 {
        let files = self.target.manifest.files.iter();
        let each = self.plan.ops.iter().zip(files).map(|(op, file)| match op {
            Op::Patch { from, fetch, old_len } => {
                let writes = plan::writes(from, fetch);
                let replaced = plan::replaced(&writes, file.identity.len, *old_len);
                writes.iter().chain(&replaced).map(|range| range.end - range.start).sum()
            }
            _ => 0u64,
        });
        each.sum()
    }

    /// Makes sure that `needed` bytes, and some to spare, can be written. Where they are lacking, undo data go: the oldest
    /// first, none that the plan uses, and none when it would not be enough.
    ///
    /// # Errors
    /// [`ApplyError::NoSpace`].
    pub fn check_space(&self, needed: u64) -> Result<(), ApplyError> {
        let fs = self.dir.fs();
        let needed = needed.saturating_add(SPARE_BYTES);
        let lacks = || fs.space().filter(|available| *available < needed);
        let Some(available) = lacks() else { return Ok(()) };
        let used = self.undo_used();
        let records = undo::records(fs)?;
        let free: u64 =
            records.iter().filter(|(number, _)| !used.contains(number)).map(|(_, record)| record.bytes).sum();
        if available.saturating_add(free) >= needed && undo::shed(fs, &used, &|| lacks().is_none())? {
            return Ok(());
        }
        Err(ApplyError::NoSpace { needed, available: lacks().unwrap_or(available) })
    }

    /// The undo records that the plan takes files or blocks from.
    pub(super) fn undo_used(&self) -> BTreeSet<u32> {
        let paths = self.plan.relies_on.iter().map(|(path, _)| path);
        paths.filter_map(undo::parse).map(|(number, _)| number).collect()
    }

    /// Makes the staging folder and takes out of it what this plan has no use for.
    pub(super) fn open_staging(&self) -> Result<(), ApplyError> {
        let fs = self.dir.fs();
        folder::ensure_dir(fs, folder::STAGING)?;
        let useful = data_slots(&self.plan, &self.slots);
        for name in fs.list(folder::STAGING).map_err(DiskError::at("read the folder", folder::STAGING))? {
            if let Some(name) = name
                && !useful.contains(&name)
            {
                folder::remove_if_there(fs, &format!("{}/{name}", folder::STAGING))?;
            }
        }
        Ok(())
    }
}

/// Which blocks of a staged file are right. Without leaves it is all or nothing.
pub(super) fn check_blocks(
    file: &dyn FsFile,
    path: &str,
    identity: &FileIdentity,
    leaves: Option<&[Hash]>,
    progress: &dyn Progress,
) -> Result<BlockMap, ApplyError> {
    let mut hasher = TreeHasher::default();
    let mut chunk = vec![0; CHUNK];
    let mut at = 0;
    while at < identity.len {
        if progress.cancelled() {
            return Err(ApplyError::Cancelled);
        }
        let want = usize::try_from(identity.len - at).unwrap_or(CHUNK).min(CHUNK);
        let buf = chunk.get_mut(..want).unwrap_or_default();
        let count = fill(file, at, buf).map_err(DiskError::at("read", path))?;
        hasher.update(buf.get(..count).unwrap_or_default());
        progress.advance(count as u64);
        at += count as u64;
        if count < want {
            break;
        }
    }
    let found = hasher.finish();
    if found.identity == *identity {
        return Ok(BlockMap::all(identity.len));
    }
    Ok(BlockMap::equal(identity.len, &found.leaves, leaves.unwrap_or_default()))
}

/// Marks the blocks of `data`, which begins at a block's start, that have the right leaf.
pub(super) fn mark_equal(data: &[u8], at: u64, leaves: &[Hash], have: &mut BlockMap) {
    let first = at / hash::BLOCK_LEN;
    for (block, bytes) in (first..).zip(data.chunks(hash::BLOCK_LEN as usize)) {
        let right = usize::try_from(block).ok().and_then(|block| leaves.get(block));
        if right == Some(&hash::leaf(bytes)) {
            let start = block * hash::BLOCK_LEN;
            have.mark(start..start + bytes.len() as u64);
        }
    }
}

/// Reads until `buf` is full or the file ends.
pub(crate) fn fill(file: &dyn FsFile, at: u64, buf: &mut [u8]) -> io::Result<usize> {
    let mut done = 0;
    while let Some(rest) = buf.get_mut(done..).filter(|rest| !rest.is_empty()) {
        match file.read_at(at + done as u64, rest) {
            Ok(0) => break,
            Ok(count) => done += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}

/// Runs `work` for each item on up to `threads` threads; the first error ends it.
pub(crate) fn for_each<T: Sync, E: Send>(
    threads: usize,
    items: &[T],
    work: impl Fn(&T) -> Result<(), E> + Sync,
) -> Result<(), E> {
    if threads <= 1 || items.len() <= 1 {
        return items.iter().try_for_each(work);
    }
    let next = AtomicUsize::new(0);
    let failed = Mutex::new(None);
    let stop = || failed.lock().unwrap_or_else(PoisonError::into_inner).is_some();
    std::thread::scope(|scope| {
        for _ in 0..threads.min(items.len()) {
            scope.spawn(|| {
                while !stop()
                    && let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed))
                {
                    if let Err(error) = work(item) {
                        failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
                    }
                }
            });
        }
    });
    failed.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err)
}
