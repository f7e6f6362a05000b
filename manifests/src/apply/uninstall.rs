//! Taking a game away again.

use std::collections::BTreeSet;

use super::{ApplyError, Progress};
use crate::folder::{self, DiskError, Fs, InstallDir, Listed, Meta};
use crate::path::SafePath;

/// What [`uninstall`] did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Uninstalled {
    /// Files and links removed.
    pub removed: usize,
    /// The player's own files, left where they are: changed, or never listed. Folders stand for all in them.
    pub left: Vec<String>,
}

/// Removes what the release put there and `.samara/`; files the player changed or added stay, kept ones included.
/// The folder itself goes when it is empty. May be interrupted and repeated.
///
/// # Errors
/// [`ApplyError`]; run again to go on.
pub fn uninstall(dir: InstallDir, progress: &dyn Progress) -> Result<Uninstalled, ApplyError> {
    let mut done = Uninstalled::default();
    let state = dir.state();
    let fs = dir.fs();
    let mut folders = BTreeSet::new();
    for (path, listed) in &state.files {
        if progress.cancelled() {
            return Err(ApplyError::Cancelled);
        }
        let at = path.as_str();
        let ours = match (listed, fs.stat(at).map_err(DiskError::at("look at", at))?) {
            (_, None) => false,
            (Listed::File { guard, .. }, Some(Meta::File { guard: found, .. })) => *guard == Some(found),
            (Listed::Link { target }, Some(Meta::Link)) => {
                fs.read_link(at).ok().flatten().as_ref() == Some(target)
            }
            _ => false,
        };
        if ours && folder::remove_if_there(fs, at)? {
            done.removed += 1;
        }
        let mut above = path.parent();
        while let Some(folder) = above {
            above = folder.parent();
            folders.insert(folder);
        }
    }
    for path in folders.iter().rev().map(SafePath::as_str) {
        remove_if_empty(fs, path)?;
    }
    remove_records(fs)?;
    // The record goes last, on the disk too: as long as something of the game is there, the next try knows of it.
    for path in folders.iter().map(SafePath::as_str).chain([folder::PRIVATE, ""]) {
        sync_if_there(fs, path)?;
    }
    folder::remove_if_there(fs, folder::STATE_FILE)?;
    remove_if_empty(fs, folder::PRIVATE)?;
    for name in fs.list("").map_err(DiskError::at("read the folder", ""))? {
        done.left.push(name.unwrap_or_else(|| "(a name that is not Unicode)".to_owned()));
    }
    let path = dir.path().to_owned();
    drop(dir);
    if done.left.is_empty() {
        let _ = std::fs::remove_dir(path);
    }
    Ok(done)
}

fn remove_if_empty(fs: &dyn Fs, path: &str) -> Result<(), DiskError> {
    match fs.list(path) {
        Ok(names) if names.is_empty() => {
            fs.remove_dir(path).map_err(DiskError::at("remove the folder", path))
        }
        Ok(_) => Ok(()),
        Err(error) if folder::is_absent(&error) => Ok(()),
        Err(error) => Err(DiskError::at("read the folder", path)(error)),
    }
}

fn sync_if_there(fs: &dyn Fs, path: &str) -> Result<(), DiskError> {
    match fs.sync_dir(path) {
        Err(error) if !folder::is_absent(&error) => Err(DiskError::at("sync the folder", path)(error)),
        _ => Ok(()),
    }
}

/// Empties `.samara/` but for the record of what is installed, and files kept aside.
fn remove_records(fs: &dyn Fs) -> Result<(), DiskError> {
    let mut pending = vec![folder::PRIVATE.to_owned()];
    let mut folders = Vec::new();
    while let Some(path) = pending.pop() {
        for name in fs.list(&path).map_err(DiskError::at("read the folder", &path))?.into_iter().flatten() {
            let inner = format!("{path}/{name}");
            if inner == folder::KEPT || inner == folder::STATE_FILE {
                continue;
            }
            match fs.stat(&inner).map_err(DiskError::at("look at", &inner))? {
                Some(Meta::Folder) => {
                    folders.push(inner.clone());
                    pending.push(inner);
                }
                Some(_) => {
                    folder::remove_if_there(fs, &inner)?;
                }
                None => {}
            }
        }
    }
    remove_if_empty(fs, folder::KEPT)?;
    folders.iter().rev().try_for_each(|path| remove_if_empty(fs, path))
}
