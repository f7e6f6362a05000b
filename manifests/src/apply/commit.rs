//! The commit and what follows it.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::Path;

use super::journal::{self, Journal, Moving, Placing, Removing, Stage};
use super::stage::{check_blocks, fill, for_each};
use super::{Applier, ApplyError, Op, Progress};
use crate::folder::{
    self, Access, DiskError, Fs, Guard, InstallDir, InstalledRelease, Listed, Meta, STATE_SCHEMA, State,
};
use crate::hash::{self, BlockMap, TreeHasher};
use crate::path::SafePath;
use crate::release::FileKind;

/// What an apply did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Applied {
    /// The version now in place.
    pub version: String,
    /// Files and links put in place.
    pub placed: usize,
    /// Files and links removed.
    pub removed: usize,
    /// The player's files kept aside, and where they are now, below the install folder.
    pub kept: Vec<(SafePath, String)>,
    /// Files that are not what was put there, although the apply finished: repair them.
    pub damaged: Vec<SafePath>,
}

/// Opens an install and finishes what an interrupted apply left to do.
///
/// # Errors
/// As [`InstallDir::open`] and [`recover`].
pub fn open(path: &Path) -> Result<(InstallDir, Option<Applied>), ApplyError> {
    let dir = InstallDir::open(path)?;
    let applied = recover(&dir)?;
    Ok((dir, applied))
}

/// Finishes an apply that was interrupted after its commit; `None` when there was none. An apply interrupted before has
/// changed nothing, and what it staged is used by the next one. May itself be interrupted and repeated.
///
/// # Errors
/// [`ApplyError::Journal`] when the journal is damaged, [`ApplyError::Unfinished`] when the file system refuses.
pub fn recover(dir: &InstallDir) -> Result<Option<Applied>, ApplyError> {
    match journal::find(dir.fs())? {
        None => {
            journal::discard_uncommitted(dir.fs())?;
            Ok(None)
        }
        Some(stage) => {
            let journal = journal::read(dir.fs(), stage)?;
            finish(dir, &journal, stage).map(Some)
        }
    }
}

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
        let journal = self.journal(&guards)?;
        self.write_state(&guards)?;
        if progress.cancelled() {
            return Err(ApplyError::Cancelled);
        }
        journal::commit(self.dir.fs(), &journal)?;
        finish(&self.dir, &journal, Stage::Clear)
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
            let have = check_blocks(&*slot, &path, &file.identity, None, progress)?;
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
            let source = fs.open(&from, Access::Read).map_err(DiskError::at("open", &from))?;
            let copy = fs.open(&to, Access::Create).map_err(DiskError::at("create", &to))?;
            let mut hasher = TreeHasher::default();
            let mut chunk = vec![0; 1 << 20];
            let mut at = 0;
            loop {
                if progress.cancelled() {
                    return Err(ApplyError::Cancelled);
                }
                let count = fill(&*source, at, &mut chunk).map_err(DiskError::at("read", &from))?;
                let data = chunk.get(..count).unwrap_or_default();
                if count == 0 {
                    break;
                }
                copy.write_at(at, data).map_err(DiskError::at("write", &to))?;
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
            self.dir.fs().symlink(target, &path).map_err(DiskError::at("make the link", &path))?;
        }
        Ok(())
    }

    /// Makes every staged file durable, and returns what each looks like.
    fn sync_staged(&self) -> Result<BTreeMap<usize, Guard>, ApplyError> {
        let fs = self.dir.fs();
        let indices: Vec<usize> = self.staged().keys().copied().collect();
        let guards = std::sync::Mutex::new(BTreeMap::new());
        for_each(self.threads, &indices, |index| {
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
                self.staged().insert(*index, BlockMap::none(file.identity.len));
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
        fs.sync_dir(folder::STAGING).map_err(DiskError::at("sync the folder", folder::STAGING))?;
        Ok(guards.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner))
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
        for (file, op) in self.target.manifest.files.iter().zip(&self.plan.ops) {
            if matches!(op, Op::Keep { .. } | Op::KeepLink)
                || self.relied.contains_key(&file.path)
                || aside.contains(&file.path)
            {
                continue;
            }
            let at = file.path.as_str();
            match self.dir.fs().stat(at).map_err(DiskError::at("look at", at))? {
                None => {}
                Some(Meta::Link) if matches!(state.files.get(&file.path), Some(Listed::Link { .. })) => {}
                Some(_) => return Err(ApplyError::Changed(file.path.clone())),
            }
        }
        Ok(())
    }

    fn journal(&self, guards: &BTreeMap<usize, Guard>) -> Result<Journal, ApplyError> {
        let mut journal = Journal {
            version: self.target.manifest.version.to_string(),
            kept: next_kept(self.dir.fs())?,
            keep_aside: self.plan.keep_aside.clone(),
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
                Op::Move { .. } => journal.set_executable.push((file.path.clone(), file.executable)),
                _ => {}
            }
            let Some(Ok(slot)) =
                self.slots.get(index).and_then(Option::as_ref).map(|slot| SafePath::parse(slot))
            else {
                continue;
            };
            let mut guard = guards.get(&index).copied();
            if let Op::Move { from } = op {
                guard = self.relied.get(from).copied();
                journal.moves.push(Moving { from: from.clone(), slot: slot.clone() });
            }
            journal.place.push(Placing { slot, path: file.path.clone(), guard });
        }
        Ok(journal)
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
                        _ => guards.get(&index).copied(),
                    };
                    Listed::File { id: file.identity, executable: file.executable, guard }
                }
            };
            (file.path.clone(), listed)
        });
        let manifest = &self.target.manifest;
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
        };
        let bytes = state.encode().map_err(DiskError::at("encode", folder::STATE_NEXT))?;
        Ok(folder::write_synced(fs, folder::STATE_NEXT, &bytes)?)
    }
}

/// A folder below `.samara/kept/` that is not there yet.
fn next_kept(fs: &dyn Fs) -> Result<String, DiskError> {
    let names = match fs.list(folder::KEPT) {
        Ok(names) => names,
        Err(error) if folder::is_absent(&error) => Vec::new(),
        Err(error) => return Err(DiskError::at("read the folder", folder::KEPT)(error)),
    };
    let last = names.iter().flatten().filter_map(|name| name.parse::<u32>().ok()).max().unwrap_or(0);
    Ok(format!("{}/{}", folder::KEPT, last.saturating_add(1)))
}

/// Everything after the commit; each step may have been done already.
fn finish(dir: &InstallDir, journal: &Journal, stage: Stage) -> Result<Applied, ApplyError> {
    let mut run = Finish {
        fs: dir.fs(),
        journal,
        applied: Applied { version: journal.version.clone(), ..Applied::default() },
        dirty: BTreeSet::new(),
    };
    if stage == Stage::Clear {
        run.clear().map_err(ApplyError::Unfinished)?;
    }
    run.place().map_err(ApplyError::Unfinished)?;
    run.replace_state().map_err(ApplyError::Unfinished)?;
    let applied = run.applied;
    dir.reload()?;
    tidy(dir);
    journal::close(dir.fs()).map_err(ApplyError::Unfinished)?;
    Ok(applied)
}

struct Finish<'a> {
    fs: &'a dyn Fs,
    journal: &'a Journal,
    applied: Applied,
    /// Folders whose names changed and are not yet durable.
    dirty: BTreeSet<String>,
}

impl Finish<'_> {
    fn stat(&self, path: &str) -> Result<Option<Meta>, DiskError> {
        self.fs.stat(path).map_err(DiskError::at("look at", path))
    }

    fn rename(&mut self, from: &str, to: &str) -> Result<(), DiskError> {
        self.fs.rename(from, to).map_err(DiskError::at("rename", from))?;
        self.touch(from);
        self.touch(to);
        Ok(())
    }

    fn touch(&mut self, path: &str) {
        self.dirty.insert(path.rsplit_once('/').map_or("", |(folder, _)| folder).to_owned());
    }

    fn sync(&mut self) -> Result<(), DiskError> {
        for folder in std::mem::take(&mut self.dirty) {
            match self.fs.sync_dir(&folder) {
                // Removed since; its own removal is in the folder above, which is in the list too.
                Err(error) if folder::is_absent(&error) => {}
                other => other.map_err(DiskError::at("sync the folder", &folder))?,
            }
        }
        Ok(())
    }

    fn clear(&mut self) -> Result<(), DiskError> {
        let journal = self.journal;
        // A repetition does not know which of these were done, so all folders are synced.
        for Moving { from, slot } in &journal.moves {
            let to = format!("{}/{slot}", folder::STAGING);
            if self.stat(&to)?.is_none() && self.stat(from.as_str())?.is_some() {
                self.rename(from.as_str(), &to)?;
            }
            self.touch(from.as_str());
        }
        self.dirty.insert(folder::STAGING.to_owned());
        for path in &journal.keep_aside {
            self.keep_aside(path)?;
        }
        for Removing { path, guard } in &journal.remove {
            match (self.stat(path.as_str())?, guard) {
                (Some(Meta::File { guard: found, .. }), Some(guard)) if found == *guard => {
                    self.remove(path)?;
                }
                (Some(Meta::Link), None) => self.remove(path)?,
                // Not what was to be removed: somebody put it there since.
                (Some(Meta::File { .. }), _) => self.keep_aside(path)?,
                _ => {}
            }
            self.touch(path.as_str());
        }
        for path in &journal.remove_folders {
            self.remove_if_empty(path)?;
        }
        for path in &journal.clear_folders {
            if !self.remove_if_empty(path)? && self.stat(path.as_str())? == Some(Meta::Folder) {
                self.keep_aside(path)?;
            }
        }
        self.sync()?;
        journal::cleared(self.fs)
    }

    fn remove(&mut self, path: &SafePath) -> Result<(), DiskError> {
        if folder::remove_if_there(self.fs, path.as_str())? {
            self.applied.removed += 1;
        }
        Ok(())
    }

    /// Whether the folder is gone.
    fn remove_if_empty(&mut self, path: &SafePath) -> Result<bool, DiskError> {
        self.touch(path.as_str());
        if self.stat(path.as_str())? != Some(Meta::Folder) {
            return Ok(true);
        }
        let names = self.fs.list(path.as_str()).map_err(DiskError::at("read the folder", path.as_str()))?;
        if !names.is_empty() {
            return Ok(false);
        }
        self.fs.remove_dir(path.as_str()).map_err(DiskError::at("remove the folder", path.as_str()))?;
        Ok(true)
    }

    /// Moves what lies at `path` below the kept folder, beside anything kept under that name before.
    fn keep_aside(&mut self, path: &SafePath) -> Result<(), DiskError> {
        let first = format!("{}/{path}", self.journal.kept);
        if self.stat(path.as_str())?.is_none() {
            if self.stat(&first)?.is_some() {
                self.applied.kept.push((path.clone(), first));
            }
            return Ok(());
        }
        let mut to = first.clone();
        let mut count = 1;
        while self.stat(&to)?.is_some() {
            count += 1;
            to = format!("{first}~{count}");
        }
        folder::ensure_parents(self.fs, &to)?;
        for (end, _) in to.match_indices('/') {
            self.dirty.insert(to.get(..end).unwrap_or_default().to_owned());
        }
        self.rename(path.as_str(), &to)?;
        self.applied.kept.push((path.clone(), to));
        Ok(())
    }

    fn place(&mut self) -> Result<(), DiskError> {
        let journal = self.journal;
        for path in &journal.create_folders {
            if !matches!(self.stat(path.as_str())?, None | Some(Meta::Folder)) {
                self.keep_aside(path)?;
            }
            folder::ensure_dir(self.fs, path.as_str())?;
            self.touch(path.as_str());
        }
        for Placing { slot, path, .. } in &journal.place {
            let from = format!("{}/{slot}", folder::STAGING);
            if self.stat(&from)?.is_some() {
                if self.stat(path.as_str())? == Some(Meta::Folder) {
                    self.keep_aside(path)?;
                }
                self.rename(&from, path.as_str())?;
                self.applied.placed += 1;
            }
            self.touch(path.as_str());
        }
        for (path, on) in &journal.set_executable {
            match self.fs.set_executable(path.as_str(), *on) {
                Err(error) if folder::is_absent(&error) => {}
                other => other.map_err(DiskError::at("set the permissions of", path.as_str()))?,
            }
        }
        self.sync()?;
        for Placing { path, guard, .. } in &journal.place {
            let right = match (self.stat(path.as_str())?, guard) {
                (Some(Meta::File { guard: found, .. }), Some(guard)) => found == *guard,
                (Some(Meta::Link), None) => true,
                _ => false,
            };
            if !right {
                self.applied.damaged.push(path.clone());
            }
        }
        Ok(())
    }

    fn replace_state(&mut self) -> Result<(), DiskError> {
        if self.stat(folder::STATE_NEXT)?.is_some() {
            self.rename(folder::STATE_NEXT, folder::STATE_FILE)?;
        }
        self.dirty.insert(folder::PRIVATE.to_owned());
        self.sync()
    }
}

/// Removes records the release in place has no use for. What cannot be removed is tried again after the next apply.
fn tidy(dir: &InstallDir) {
    let state = dir.state();
    let mut useful = HashSet::new();
    for listed in state.files.values() {
        if let Listed::File { id, .. } = listed {
            useful.insert(format!("{}/{id}", folder::LEAVES));
        }
    }
    if let Some(release) = &state.release {
        useful.insert(format!("{}/{}", folder::MANIFESTS, release.manifest));
    }
    for folder in [folder::LEAVES, folder::MANIFESTS, folder::STAGING] {
        for name in dir.fs().list(folder).unwrap_or_default().into_iter().flatten() {
            let path = format!("{folder}/{name}");
            if !useful.contains(&path)
                && let Err(error) = dir.fs().remove_file(&path)
            {
                tracing::debug!(path, %error, "not removed");
            }
        }
    }
}
