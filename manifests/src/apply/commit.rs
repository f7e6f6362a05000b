//! The commit: everything that can go wrong is found before it.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::finish::{Applied, finish};
use super::journal::{self, Journal, Keeping, Moving, Placing, Removing, Stage};
use super::mine::{self, Reserved};
use super::stage::{check_blocks, fill, for_each};
use super::{Applier, ApplyError, Op, Progress};
use crate::folder::{self, Access, DiskError, Guard, InstalledRelease, Listed, Meta, STATE_SCHEMA, State};
use crate::hash::{self, BlockMap, TreeHasher};
use crate::path::SafePath;
use crate::release::FileKind;

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

    /// Where an open file cannot be replaced, one that is open is found before the commit.
    fn check_unlocked(&self) -> Result<(), ApplyError> {
        if !cfg!(windows) {
            return Ok(());
        }
        let kept = self.target.manifest.files.iter().zip(&self.plan.ops);
        let kept = kept.filter(|(_, op)| matches!(op, Op::Keep { .. })).map(|(file, _)| &file.path);
        let kept: HashSet<&SafePath> = kept.collect();
        for (path, _) in self.plan.relies_on.iter().filter(|(path, _)| !kept.contains(path)) {
            match self.dir.fs().open(path.as_str(), Access::Write) {
                Err(error) if folder::is_locked(&error) => {
                    return Err(DiskError::at("replace", path.as_str())(error).into());
                }
                _ => {}
            }
        }
        Ok(())
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
            if matches!(op, Op::Keep { .. } | Op::KeepLink)
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
