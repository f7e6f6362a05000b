//! What follows the commit, also when the program starts again after it.

use std::collections::{BTreeSet, HashSet};
use std::path::Path;

use super::journal::{self, Journal, Keeping, Moving, Placing, Removing, Restoring, Retiring, Stage};
use super::mine::{Reserved, beside};
use super::{ApplyError, patch, undo};
use crate::folder::{self, DiskError, Fs, Guard, InstallDir, Listed, MAX_STATE_BYTES, Meta, State};
use crate::path::SafePath;

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
            // A program that died after the commit may have left its name to chance, which a power cut now would undo.
            let fs = dir.fs();
            fs.sync_dir(folder::PRIVATE)
                .map_err(DiskError::at("sync the folder", folder::PRIVATE))
                .map_err(ApplyError::Unfinished)?;
            finish(dir, &journal, stage).map(Some)
        }
    }
}

/// [`recover`] for a folder that is being adopted: a journal that cannot be read is laid aside, as the files are looked at
/// anyway.
///
/// # Errors
/// As [`recover`], except for [`ApplyError::Journal`].
pub fn recover_adopting(dir: &InstallDir) -> Result<Option<Applied>, ApplyError> {
    match recover(dir) {
        Err(ApplyError::Journal(_)) => {
            journal::lay_aside(dir.fs())?;
            Ok(None)
        }
        other => other,
    }
}

/// Everything after the commit; each step may have been done already.
pub(super) fn finish(dir: &InstallDir, journal: &Journal, stage: Stage) -> Result<Applied, ApplyError> {
    let mut run = Finish {
        fs: dir.fs(),
        journal,
        applied: Applied { version: journal.version.clone(), ..Applied::default() },
        dirty: BTreeSet::new(),
        reserved: None,
    };
    if stage == Stage::Patch {
        patch_or_go_back(dir, journal)?;
    }
    match stage {
        Stage::Patch | Stage::Clear => run.clear().map_err(ApplyError::Unfinished)?,
        Stage::Place => run.tell_kept().map_err(ApplyError::Unfinished)?,
    }
    run.place().map_err(ApplyError::Unfinished)?;
    run.replace_state().map_err(ApplyError::Unfinished)?;
    let applied = run.applied;
    dir.reload()?;
    tidy(dir, journal);
    journal::close(dir.fs()).map_err(ApplyError::Unfinished)?;
    Ok(applied)
}

/// Writes the patches. When the disk refuses, the old blocks are put back and the old release stays: nothing but patched
/// files was touched so far.
fn patch_or_go_back(dir: &InstallDir, journal: &Journal) -> Result<(), ApplyError> {
    let fs = dir.fs();
    let Err(refused) = patch_forward(fs, journal) else {
        // From here there is no going back, whether it fails or not: the new name may be there.
        return journal::patched(fs).map_err(ApplyError::Unfinished);
    };
    patch_back(dir, journal).map_err(|error| match error {
        // The next start goes on, forward first.
        ApplyError::Disk(error) => ApplyError::Unfinished(error),
        other => other,
    })?;
    Err(ApplyError::Disk(refused))
}

fn patch_forward(fs: &dyn Fs, journal: &Journal) -> Result<(), DiskError> {
    patch::forward(fs, journal)?;
    // What the files look like is known only now.
    let guards = patch::guards(fs, journal)?;
    let next = folder::get(fs, folder::STATE_NEXT, MAX_STATE_BYTES)?;
    if let Some(Ok(state)) = next.map(|bytes| State::parse(&bytes)) {
        put_guards(fs, folder::STATE_NEXT, state, journal, guards)?;
    }
    Ok(())
}

fn patch_back(dir: &InstallDir, journal: &Journal) -> Result<(), ApplyError> {
    let fs = dir.fs();
    patch::back(fs, journal)?;
    let guards = patch::guards(fs, journal)?;
    put_guards(fs, folder::STATE_FILE, State::clone(&dir.state()), journal, guards)?;
    dir.reload()?;
    journal::withdrawn(fs)?;
    Ok(journal::discard_uncommitted(fs)?)
}

/// Notes in a state what patched files look like.
fn put_guards(
    fs: &dyn Fs,
    path: &str,
    mut state: State,
    journal: &Journal,
    guards: Vec<Option<Guard>>,
) -> Result<(), DiskError> {
    for (patch, found) in journal.patches.iter().zip(guards) {
        if let Some(Listed::File { guard, .. }) = state.files.get_mut(&patch.path) {
            *guard = found;
        }
    }
    folder::put(fs, path, &state.encode().map_err(DiskError::at("encode", path))?)
}

struct Finish<'a> {
    fs: &'a dyn Fs,
    journal: &'a Journal,
    applied: Applied,
    /// Folders whose names changed and are not yet durable.
    dirty: BTreeSet<String>,
    /// Names that kept files may not take; made when one is asked for.
    reserved: Option<Reserved>,
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
        for Restoring { record, number, slot } in &journal.restore {
            let (from, to) = (undo::slot(*record, *number), format!("{}/{slot}", folder::STAGING));
            if self.stat(&to)?.is_none() && self.stat(&from)?.is_some() {
                self.rename(&from, &to)?;
            }
            self.touch(&from);
        }
        if !(journal.moves.is_empty() && journal.restore.is_empty()) {
            self.dirty.insert(folder::STAGING.to_owned());
        }
        for keeping in &journal.keep_aside {
            self.keep(keeping)?;
        }
        for retiring in &journal.retire {
            self.retire(retiring)?;
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

    /// Makes a file undo data, when it still is what it was.
    fn retire(&mut self, Retiring { path, number, guard }: &Retiring) -> Result<(), DiskError> {
        let Some(record) = self.journal.undo else { return Ok(()) };
        let to = undo::slot(record, *number);
        if self.stat(&to)?.is_none() {
            match self.stat(path.as_str())? {
                Some(Meta::File { guard: found, .. }) if found == *guard => {
                    self.rename(path.as_str(), &to)?;
                }
                Some(Meta::File { .. }) => self.keep_aside(path)?,
                _ => {}
            }
        }
        self.touch(path.as_str());
        self.touch(&to);
        Ok(())
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
        match self.fs.remove_dir(path.as_str()) {
            // Another program stands in it: an empty folder that stays is in nobody's way.
            Err(error) if folder::is_locked(&error) => Ok(false),
            other => {
                other.map_err(DiskError::at("remove the folder", path.as_str()))?;
                Ok(true)
            }
        }
    }

    /// Renames what the journal says is kept, unless that was done already.
    fn keep(&mut self, keeping: &Keeping) -> Result<(), DiskError> {
        let Keeping { path, to } = keeping;
        let at = beside(path, to.as_str());
        match (self.stat(path.as_str())?.is_some(), self.stat(&at)?.is_some()) {
            (false, false) => {}
            (false, true) => self.applied.kept.push((path.clone(), at)),
            (true, false) => self.keep_as(path, at)?,
            // Somebody took the name since.
            (true, true) => self.keep_aside(path)?,
        }
        self.touch(path.as_str());
        Ok(())
    }

    /// What was kept before a run that only has to place files.
    fn tell_kept(&mut self) -> Result<(), DiskError> {
        for Keeping { path, to } in &self.journal.keep_aside {
            let at = beside(path, to.as_str());
            if self.stat(&at)?.is_some() {
                self.applied.kept.push((path.clone(), at));
            }
        }
        Ok(())
    }

    /// Renames what lies at `path` in its folder, to a name that nothing has.
    fn keep_aside(&mut self, path: &SafePath) -> Result<(), DiskError> {
        if self.stat(path.as_str())?.is_none() {
            return Ok(());
        }
        let reserved = self.reserved.get_or_insert_with(|| Reserved::by_journal(self.journal));
        let name = reserved.name(self.fs, path, &self.journal.mark)?;
        self.keep_as(path, beside(path, &name))
    }

    fn keep_as(&mut self, path: &SafePath, to: String) -> Result<(), DiskError> {
        self.rename(path.as_str(), &to)?;
        // What was kept in a folder goes with it.
        for (_, now) in &mut self.applied.kept {
            if let Some(rest) = now.strip_prefix(path.as_str()).filter(|rest| rest.starts_with('/')) {
                *now = format!("{to}{rest}");
            }
        }
        self.applied.kept.push((path.clone(), to));
        Ok(())
    }

    fn place(&mut self) -> Result<(), DiskError> {
        let journal = self.journal;
        if !journal.place.is_empty() {
            // A repetition does not know which files left it.
            self.dirty.insert(folder::STAGING.to_owned());
        }
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
        self.sync()?;
        self.journal.undo.map_or(Ok(()), |number| undo::publish(self.fs, number))
    }
}

/// Removes records the release in place has no use for. What cannot be removed is tried again after the next apply.
fn tidy(dir: &InstallDir, journal: &Journal) {
    for number in &journal.drop_undo {
        if let Err(error) = undo::remove(dir.fs(), *number) {
            tracing::debug!(number, %error, "undo data not removed");
        }
    }
    let _ = undo::discard_uncommitted(dir.fs());
    let state = dir.state();
    let mut useful = HashSet::new();
    let Ok(leaves) = folder::leaf_files(dir.fs(), state.files.values().filter_map(Listed::identity)) else {
        return;
    };
    useful.extend(leaves.into_iter().map(|name| format!("{}/{name}", folder::LEAVES)));
    if let Some(release) = &state.release {
        useful.insert(format!("{}/{}", folder::MANIFESTS, release.manifest));
    }
    for (_, record) in undo::records(dir.fs()).unwrap_or_default() {
        useful.insert(format!("{}/{}", folder::MANIFESTS, record.release.manifest));
        useful.extend(record.leaves.iter().map(|name| format!("{}/{name}", folder::LEAVES)));
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
