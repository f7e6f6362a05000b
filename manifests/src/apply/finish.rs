//! What follows the commit, also when the program starts again after it.

use std::collections::{BTreeSet, HashSet};
use std::path::Path;

use super::ApplyError;
use super::journal::{self, Journal, Keeping, Moving, Placing, Removing, Stage};
use super::mine::{Reserved, beside};
use crate::folder::{self, DiskError, Fs, InstallDir, Listed, Meta};
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
    match stage {
        Stage::Clear => run.clear().map_err(ApplyError::Unfinished)?,
        Stage::Place => run.tell_kept().map_err(ApplyError::Unfinished)?,
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
        self.dirty.insert(folder::STAGING.to_owned());
        for keeping in &journal.keep_aside {
            self.keep(keeping)?;
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
            useful.extend(folder::leaf_files(dir.fs(), id));
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
