//! The commit: everything that can go wrong is found before it.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::finish::{Applied, finish};
use super::journal::{self, Journal, Keeping, Moving, Patching, Placing, Removing, Restoring, Retiring};
use super::mine::{self, Reserved};
use super::stage::{check_blocks, fill, for_each};
use super::{Applier, ApplyError, Op, Progress, patch, undo};
use crate::folder::{self, Access, DiskError, Guard, InstalledRelease, Listed, Meta, STATE_SCHEMA, State};
use crate::hash::{self, BlockMap, TreeHasher};
use crate::path::SafePath;
use crate::plan;
use crate::release::{FileKind, Policy};

impl Applier {
    /// Puts the release in place. Every staged file is complete and right before anything of the old release is touched.
    ///
    /// # Errors
    /// [`ApplyError`]; the old release is still in place unless it is [`ApplyError::Unfinished`]. On
    /// [`ApplyError::Changed`] make a new plan.
    pub fn commit(&self, progress: &dyn Progress) -> Result<Applied, ApplyError> {
        if journal::find(self.dir.fs())?.is_some() {
            return Err(super::unfinished_before());
        }
        journal::discard_uncommitted(self.dir.fs())?;
        self.check_staged(progress)?;
        self.duplicate(progress)?;
        self.make_links()?;
        let guards = self.sync_staged()?;
        self.check_unchanged()?;
        self.check_unlocked()?;
        let mut journal = self.journal(&guards)?;
        self.save_undo(&mut journal)?;
        self.write_state(&guards)?;
        if progress.cancelled() {
            return Err(ApplyError::Cancelled);
        }
        journal::commit(self.dir.fs(), &journal)?;
        progress.committed();
        finish(&self.dir, &journal, journal::first_stage(&journal))
    }

    /// Makes what is staged so far durable, for who has to wait for something else before the commit. The commit does the
    /// same, and finds little left to do.
    ///
    /// # Errors
    /// [`ApplyError::Disk`]; what could not be written has to be fetched again.
    pub fn sync(&self) -> Result<(), ApplyError> {
        // Copies and links are made by the commit.
        let indices: Vec<usize> = self.staged().keys().copied().filter(|at| self.is_fetched(*at)).collect();
        self.sync_slots(&indices).map(|_| ())
    }

    /// Saves what patches replace, and notes what else makes up the undo data where the quota allows it.
    fn save_undo(&self, journal: &mut Journal) -> Result<(), ApplyError> {
        let fs = self.dir.fs();
        journal.drop_undo = self.undo_used().into_iter().collect();
        let patches = self.plan.ops.iter().any(|op| matches!(op, Op::Patch { .. }));
        let record = self.undo_record()?;
        if record.is_none() && !patches {
            return Ok(());
        }
        folder::ensure_dir(fs, undo::FOLDER)?;
        let number = undo::numbers(fs)?.last().copied().unwrap_or(0).saturating_add(1);
        let folder = undo::folder_of(number);
        folder::ensure_dir(fs, &folder)?;
        journal.undo = Some(number);
        let retired = if record.is_some() { self.plan.retire.as_slice() } else { &[] };
        journal.retire = (0..)
            .zip(retired)
            .map(|(number, retired)| Retiring { path: retired.path.clone(), number, guard: retired.guard })
            .collect();
        let going: HashSet<&SafePath> = retired.iter().map(|retired| &retired.path).collect();
        journal.remove.retain(|removing| !going.contains(&removing.path));
        journal.patches = self.save_replaced(number, u32::try_from(retired.len()).unwrap_or(u32::MAX))?;
        if let Some(mut record) = record {
            record.blocks = self.kept_blocks(&journal.patches);
            record.mine = self.kept_mine(journal);
            undo::prepare(fs, number, &record)?;
            journal.drop_undo.extend(self.undo_beyond(record.bytes)?);
        }
        // The private folder is synced with the journal.
        for folder in [&folder, undo::FOLDER] {
            fs.sync_dir(folder).map_err(DiskError::at("sync the folder", folder))?;
        }
        Ok(())
    }

    /// The record of the release in place, with its whole files; none when it is the one to come (a repair), when there is
    /// none, or when it is too large.
    fn undo_record(&self) -> Result<Option<undo::Record>, ApplyError> {
        let state = self.dir.state();
        let manifest = hex::encode(hash::leaf(&self.target.bytes));
        let Some(release) = state.release.as_ref().filter(|release| release.manifest != manifest) else {
            return Ok(None);
        };
        let mut record = undo::Record::new(release.clone());
        let whole = self.plan.retire.iter().map(|retired| retired.identity.len).sum::<u64>();
        let patched = self.plan.ops.iter().zip(&self.target.manifest.files).map(|(op, file)| match op {
            Op::Patch { from, fetch, old_len } => {
                let replaced = plan::replaced(&plan::writes(from, fetch), file.identity.len, *old_len);
                replaced.iter().map(|range| range.end - range.start).sum()
            }
            _ => 0,
        });
        record.bytes = whole.saturating_add(patched.sum());
        if record.bytes > self.undo_quota {
            return Ok(None);
        }
        record.files = (0..)
            .zip(&self.plan.retire)
            .map(|(slot, retired)| undo::KeptFile { id: retired.identity, slot, guard: retired.guard })
            .collect();
        let files = state.files.values().filter_map(Listed::identity);
        record.leaves = folder::leaf_files(self.dir.fs(), files)?.into_iter().collect();
        Ok(Some(record))
    }

    fn kept_blocks(&self, patches: &[Patching]) -> Vec<undo::KeptBlocks> {
        let state = self.dir.state();
        let kept = patches.iter().filter_map(|patch| match state.files.get(&patch.path) {
            Some(Listed::File { id, .. }) => {
                Some(undo::KeptBlocks { id: *id, slot: patch.undo, ranges: patch.replaced.clone() })
            }
            _ => None,
        });
        kept.collect()
    }

    /// The player's versions of the release's files, and what they are called from now on.
    fn kept_mine(&self, journal: &Journal) -> Vec<(SafePath, SafePath)> {
        let state = self.dir.state();
        let listed = journal.keep_aside.iter().filter(|keeping| state.files.contains_key(&keeping.path));
        let mine = listed.filter_map(|Keeping { path, to }| {
            Some((path.clone(), SafePath::parse(&mine::beside(path, to.as_str())).ok()?))
        });
        mine.collect()
    }

    /// The oldest records that do not fit beside one of `bytes`.
    fn undo_beyond(&self, bytes: u64) -> Result<Vec<u32>, ApplyError> {
        let used = self.undo_used();
        let mut left = self.undo_quota.saturating_sub(bytes);
        let mut beyond = Vec::new();
        let records = undo::records(self.dir.fs())?;
        for (number, record) in records.into_iter().rev().filter(|(number, _)| !used.contains(number)) {
            match left.checked_sub(record.bytes) {
                Some(rest) if beyond.is_empty() => left = rest,
                _ => beyond.push(number),
            }
        }
        Ok(beyond)
    }

    /// Hashes every staged file that was not noted as verified in full.
    fn check_staged(&self, progress: &dyn Progress) -> Result<(), ApplyError> {
        let open: Vec<usize> = {
            let staged = self.staged();
            let open = staged.iter().filter(|(index, have)| self.is_fetched(**index) && !have.is_full());
            open.map(|(index, _)| *index).collect()
        };
        for_each(self.threads, &open, |index| {
            let (Some(file), Some(path)) = (self.target.manifest.files.get(*index), self.slot_path(*index))
            else {
                return Ok(());
            };
            let slot = match self.dir.fs().open(&path, Access::Read) {
                Ok(slot) => slot,
                Err(error) if folder::is_absent(&error) => return Err(self.incomplete(*index)),
                Err(error) => return Err(DiskError::at("open", &path)(error).into()),
            };
            let have = match self.patched(*index) {
                Some(_) => self.check_patch(*index, &*slot, &path, progress)?,
                None => check_blocks(&*slot, &path, &file.identity, None, progress)?,
            };
            if !have.is_full() {
                return Err(self.incomplete(*index));
            }
            self.staged().insert(*index, have);
            Ok(())
        })
    }

    /// Copies staged files that the release has more than once.
    fn duplicate(&self, progress: &dyn Progress) -> Result<(), ApplyError> {
        let fs = self.dir.fs();
        for (index, op) in self.plan.ops.iter().enumerate() {
            let Op::Duplicate { of } = op else { continue };
            let (Some(from), Some(to)) = (self.slot_path(*of), self.slot_path(index)) else { continue };
            let Some(file) = self.target.manifest.files.get(index) else { continue };
            folder::remove_if_there(fs, &to)?;
            let cloned = fs.reflink(&from, &to).map_err(DiskError::at("copy", &from))?;
            let read = if cloned { &to } else { &from };
            let source = fs.open(read, Access::Read).map_err(DiskError::at("open", read))?;
            let copy = match cloned {
                true => None,
                false => Some(fs.open(&to, Access::Create).map_err(DiskError::at("create", &to))?),
            };
            let mut hasher = TreeHasher::default();
            let mut chunk = vec![0; 1 << 20];
            let mut at = 0;
            loop {
                if progress.cancelled() {
                    return Err(ApplyError::Cancelled);
                }
                let count = fill(&*source, at, &mut chunk).map_err(DiskError::at("read", read))?;
                let data = chunk.get(..count).unwrap_or_default();
                if count == 0 {
                    break;
                }
                if let Some(copy) = &copy {
                    copy.write_at(at, data).map_err(DiskError::at("write", &to))?;
                }
                hasher.update(data);
                progress.advance(count as u64);
                at += count as u64;
            }
            if hasher.finish().identity != file.identity {
                // The source was right when it was noted; what is on disk is not.
                self.staged().insert(*of, BlockMap::none(file.identity.len));
                return Err(ApplyError::Damaged(file.path.clone()));
            }
            self.staged().insert(index, BlockMap::all(file.identity.len));
        }
        Ok(())
    }

    fn make_links(&self) -> Result<(), ApplyError> {
        for (index, op) in self.plan.ops.iter().enumerate() {
            let Op::Link { target } = op else { continue };
            let Some(path) = self.slot_path(index) else { continue };
            folder::remove_if_there(self.dir.fs(), &path)?;
            self.dir.fs().symlink(target, &path).map_err(|error| {
                match self.target.manifest.files.get(index) {
                    // Windows lets only some users make links; it says so in several ways.
                    Some(file) if cfg!(windows) => ApplyError::Links(file.path.clone()),
                    _ => DiskError::at("make the link", &path)(error).into(),
                }
            })?;
        }
        Ok(())
    }

    /// Makes every staged file durable, and returns what each looks like.
    fn sync_staged(&self) -> Result<BTreeMap<usize, Guard>, ApplyError> {
        let indices: Vec<usize> = self.staged().keys().copied().collect();
        let guards = self.sync_slots(&indices)?;
        let fs = self.dir.fs();
        fs.sync_dir(folder::STAGING).map_err(DiskError::at("sync the folder", folder::STAGING))?;
        Ok(guards)
    }

    fn sync_slots(&self, indices: &[usize]) -> Result<BTreeMap<usize, Guard>, ApplyError> {
        let fs = self.dir.fs();
        let guards = std::sync::Mutex::new(BTreeMap::new());
        for_each(self.threads, indices, |index| {
            let (Some(file), Some(path)) = (self.target.manifest.files.get(*index), self.slot_path(*index))
            else {
                return Ok(());
            };
            fs.set_executable(&path, file.executable)
                .map_err(DiskError::at("set the permissions of", &path))?;
            let slot = fs.open(&path, Access::Write).map_err(DiskError::at("open", &path))?;
            if let Err(error) = slot.sync() {
                // What the kernel could not write it may have dropped: the data must come from its source again.
                drop(slot);
                self.staged().insert(*index, self.nothing_staged(*index, file.identity.len));
                let _ = folder::remove_if_there(fs, &path);
                return Err(ApplyError::from(DiskError::at("sync", &path)(error)));
            }
            match slot.meta().map_err(DiskError::at("look at", &path))? {
                Meta::File { guard, .. } if guard.len == file.identity.len => {
                    guards.lock().unwrap_or_else(std::sync::PoisonError::into_inner).insert(*index, guard);
                    Ok(())
                }
                _ => Err(ApplyError::Damaged(file.path.clone())),
            }
        })?;
        Ok(guards.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    /// What of a file is staged when nothing is.
    fn nothing_staged(&self, index: usize, len: u64) -> BlockMap {
        match self.plan.ops.get(index) {
            Some(Op::Patch { from, fetch, .. }) => patch::not_written(from, fetch, len),
            _ => BlockMap::none(len),
        }
    }

    /// Where what is open cannot be renamed or removed, it is found before the commit: after it there is no going back.
    fn check_unlocked(&self) -> Result<(), ApplyError> {
        let files = || self.target.manifest.files.iter().zip(&self.plan.ops);
        let kept = files().filter(|(_, op)| matches!(op, Op::Keep { .. })).map(|(file, _)| &file.path);
        let kept: HashSet<&SafePath> = kept.collect();
        let links = files().filter(|(_, op)| matches!(op, Op::Link { .. })).map(|(file, _)| &file.path);
        let relied = self.plan.relies_on.iter().map(|(path, _)| path).filter(|path| !kept.contains(path));
        let removed = self.plan.remove.iter().map(|removal| &removal.path);
        for path in relied.chain(removed).chain(links) {
            self.check_unheld(path.as_str())?;
        }
        // Folders may be among these, and go with all that is in them.
        let mut paths: Vec<String> =
            self.plan.keep_aside.iter().chain(&self.plan.clear_folders).map(SafePath::to_string).collect();
        while let Some(path) = paths.pop() {
            self.check_unheld(&path)?;
            if self.dir.fs().stat(&path).map_err(DiskError::at("look at", &path))? == Some(Meta::Folder) {
                let names = self.dir.fs().list(&path).map_err(DiskError::at("read the folder", &path))?;
                paths.extend(names.into_iter().flatten().map(|name| format!("{path}/{name}")));
            }
        }
        Ok(())
    }

    fn check_unheld(&self, path: &str) -> Result<(), ApplyError> {
        match self.dir.fs().unheld(path) {
            Err(error) if folder::is_locked(&error) => Err(DiskError::at("replace", path)(error).into()),
            _ => Ok(()),
        }
    }

    /// The plan may be hours old: everything it relies on must still look the same.
    fn check_unchanged(&self) -> Result<(), ApplyError> {
        for (path, guard) in &self.plan.relies_on {
            if self.dir.guard(path.as_str())? != Some(*guard) {
                return Err(ApplyError::Changed(path.clone()));
            }
        }
        let aside: HashSet<&SafePath> = self.plan.keep_aside.iter().chain(&self.plan.clear_folders).collect();
        let state = self.dir.state();
        // Where case does not count, a file that is renamed answers to its new name already.
        let spelled: HashMap<String, Guard> =
            self.plan.relies_on.iter().map(|(path, guard)| (path.folded(), *guard)).collect();
        for (file, op) in self.target.manifest.files.iter().zip(&self.plan.ops) {
            if matches!(op, Op::Keep { .. } | Op::KeepLink | Op::Leave)
                || self.relied.contains_key(&file.path)
                || aside.contains(&file.path)
            {
                continue;
            }
            let at = file.path.as_str();
            match self.dir.fs().stat(at).map_err(DiskError::at("look at", at))? {
                None => {}
                Some(Meta::File { guard, .. }) if spelled.get(&file.path.folded()) == Some(&guard) => {}
                Some(Meta::Link) if matches!(state.files.get(&file.path), Some(Listed::Link { .. })) => {}
                Some(_) => return Err(ApplyError::Changed(file.path.clone())),
            }
        }
        Ok(())
    }

    fn journal(&self, guards: &BTreeMap<usize, Guard>) -> Result<Journal, ApplyError> {
        let mut journal = Journal {
            version: self.target.manifest.version.to_string(),
            mark: mine::mark(self.day),
            keep_aside: self.name_kept()?,
            remove_folders: self.plan.remove_folders.clone(),
            clear_folders: self.plan.clear_folders.clone(),
            create_folders: self.plan.create_folders.clone(),
            ..Journal::default()
        };
        let remove = self.plan.remove.iter();
        journal.remove =
            remove.map(|removal| Removing { path: removal.path.clone(), guard: removal.guard }).collect();
        for (index, (file, op)) in self.target.manifest.files.iter().zip(&self.plan.ops).enumerate() {
            match op {
                Op::Keep { set_executable: Some(on) } => {
                    journal.set_executable.push((file.path.clone(), *on));
                }
                Op::Move { .. } | Op::Patch { .. } => {
                    journal.set_executable.push((file.path.clone(), file.executable));
                }
                _ => {}
            }
            let Some(slot) = self.slot_name(index).filter(|_| !matches!(op, Op::Patch { .. })) else {
                continue;
            };
            let mut guard = guards.get(&index).copied();
            if let Op::Move { from } | Op::GiveBack { from } = op {
                guard = self.relied.get(from).copied();
                match undo::parse(from) {
                    Some((record, number)) => {
                        journal.restore.push(Restoring { record, number, slot: slot.clone() });
                    }
                    None => journal.moves.push(Moving { from: from.clone(), slot: slot.clone() }),
                }
            }
            journal.place.push(Placing { slot, path: file.path.clone(), guard });
        }
        Ok(journal)
    }

    /// What is kept aside and under which name, settled before the commit so that a recovery uses the same.
    fn name_kept(&self) -> Result<Vec<Keeping>, ApplyError> {
        if self.plan.keep_aside.is_empty() {
            return Ok(Vec::new());
        }
        let mark = mine::mark(self.day);
        let mut reserved = Reserved::by_plan(&self.plan, &self.target.manifest);
        let named = self.plan.keep_aside.iter().map(|path| {
            let name = reserved.name(self.dir.fs(), path, &mark)?;
            let to = SafePath::parse(&name).map_err(|error| ApplyError::Journal(error.to_string()))?;
            Ok(Keeping { path: path.clone(), to })
        });
        named.collect()
    }

    /// Writes the state of the release to come, and keeps its manifest.
    fn write_state(&self, guards: &BTreeMap<usize, Guard>) -> Result<(), ApplyError> {
        let fs = self.dir.fs();
        let before = self.dir.state();
        let sha256 = hex::encode(hash::leaf(&self.target.bytes));
        folder::ensure_dir(fs, folder::MANIFESTS)?;
        folder::put(fs, &format!("{}/{sha256}", folder::MANIFESTS), &self.target.bytes)?;
        let files = self.target.manifest.files.iter().zip(&self.plan.ops).enumerate();
        let files = files.map(|(index, (file, op))| {
            let listed = match &file.kind {
                FileKind::Symlink { target } => Listed::Link { target: target.as_str().to_owned() },
                FileKind::File => {
                    let guard = match op {
                        Op::Keep { .. } => self.relied.get(&file.path).copied(),
                        Op::Move { from } => self.relied.get(from).copied(),
                        // Known when it is written.
                        Op::Patch { .. } => None,
                        _ => guards.get(&index).copied(),
                    };
                    Listed::File { id: file.identity, executable: file.executable, guard }
                }
            };
            (file.path.clone(), listed)
        });
        let manifest = &self.target.manifest;
        let policies = manifest.files.iter().map(|file| (file.path.clone(), file.policy()));
        let state = State {
            schema: STATE_SCHEMA,
            game: before.game.clone(),
            adopted: before.adopted,
            release: Some(InstalledRelease {
                version: manifest.version.to_string(),
                sequence: manifest.sequence,
                channel: self.target.channel.clone(),
                manifest: sha256,
            }),
            files: files.collect(),
            policies: policies.filter(|(_, policy)| *policy != Policy::default()).collect(),
        };
        let bytes = state.encode().map_err(DiskError::at("encode", folder::STATE_NEXT))?;
        Ok(folder::write_synced(fs, folder::STATE_NEXT, &bytes)?)
    }
}
