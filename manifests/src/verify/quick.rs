//! The look that reads no content: what the record says of each file against what the file system says of it now.
//!
//! A file that was changed and given back its length, time and number passes; [`super::survey`] reads everything.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::apply::for_each;
use crate::folder::{DiskError, Fs, Guard, InstallDir, Listed, Meta, is_absent};
use crate::path::SafePath;
use crate::release::Policy;

/// A listed path that does not look as it was left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misfit {
    /// Its path.
    pub path: SafePath,
    /// What is wrong; the first that applies.
    pub kind: MisfitKind,
    /// Length of the release's file, in bytes; 0 for a link.
    pub len: u64,
}

/// What does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MisfitKind {
    /// Nothing is there.
    Missing,
    /// A folder, link or device where a file should be, or the other way round.
    WrongType,
    /// The file has another length.
    WrongSize {
        /// Its length, in bytes.
        found: u64,
    },
    /// The length is right, but the file was written, or replaced by another, since it was put in place.
    Touched,
    /// It was never seen with the right content (it changed while it was put in place).
    Unknown,
    /// The executable bit is not as it should be.
    WrongExecutable,
    /// The link points elsewhere.
    WrongLink,
}

/// Looks at every path of the release in place, folder by folder on `threads` threads (0: one a core). What does not
/// fit, in the release's order.
///
/// # Errors
/// [`DiskError`] of a look-up that the file system refused.
pub fn quick(dir: &InstallDir, threads: usize) -> Result<Vec<Misfit>, DiskError> {
    let state = dir.state();
    let mut folders: HashMap<&str, Vec<(&SafePath, &Listed)>> = HashMap::new();
    // The map is in the paths' order: a folder's files mostly follow each other.
    let mut files = state.files.iter().map(|(path, listed)| (folder_of(path), (path, listed))).peekable();
    while let Some((folder, first)) = files.next() {
        let others = folders.entry(folder).or_default();
        others.push(first);
        while let Some((_, next)) = files.next_if(|(next, _)| *next == folder) {
            others.push(next);
        }
    }
    let mut folders: Vec<_> = folders.into_iter().collect();
    // The fullest first: no core is left with a large folder at the end.
    folders.sort_by_key(|(_, files)| std::cmp::Reverse(files.len()));
    let found = Mutex::new(Vec::new());
    let threads =
        if threads == 0 { std::thread::available_parallelism().map_or(1, usize::from) } else { threads };
    for_each(threads, &folders, |(folder, files)| {
        let misfits = look(dir.fs(), folder, files)?;
        found.lock().unwrap_or_else(PoisonError::into_inner).extend(misfits);
        Ok::<(), DiskError>(())
    })?;
    let mut found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    found.sort_by(|one: &Misfit, two| one.path.cmp(&two.path));
    found.retain(|misfit| {
        state.policies.get(&misfit.path).is_none_or(|policy| is_misfit(misfit.kind, *policy))
    });
    Ok(found)
}

fn folder_of(path: &SafePath) -> &str {
    path.as_str().rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// Whether it counts although the studio leaves the file to the player.
fn is_misfit(kind: MisfitKind, policy: Policy) -> bool {
    match kind {
        MisfitKind::WrongSize { .. } | MisfitKind::Touched | MisfitKind::Unknown => !policy.leaves_changed(),
        MisfitKind::WrongType => !policy.merge_never,
        MisfitKind::Missing | MisfitKind::WrongExecutable | MisfitKind::WrongLink => true,
    }
}

fn look(fs: &dyn Fs, folder: &str, files: &[(&SafePath, &Listed)]) -> Result<Vec<Misfit>, DiskError> {
    let names: Vec<&str> = files.iter().map(|(path, _)| path.name()).collect();
    let metas = match fs.stat_in(folder, &names) {
        Ok(metas) => metas,
        Err(error) if is_absent(&error) => vec![None; names.len()],
        Err(error) => return Err(DiskError::at("look at the files in", folder)(error)),
    };
    let mut misfits = Vec::new();
    for ((path, listed), meta) in files.iter().zip(metas) {
        let (kind, len) = match listed {
            Listed::File { id, executable, guard } => (misfit(meta, *guard, id.len, *executable), id.len),
            Listed::Link { target } => (misfit_of_link(fs, path, meta, target)?, 0),
        };
        misfits.extend(kind.map(|kind| Misfit { path: (*path).clone(), kind, len }));
    }
    Ok(misfits)
}

fn misfit(meta: Option<Meta>, known: Option<Guard>, len: u64, executable: bool) -> Option<MisfitKind> {
    match meta {
        None => Some(MisfitKind::Missing),
        Some(Meta::File { guard, .. }) if guard.len != len => {
            Some(MisfitKind::WrongSize { found: guard.len })
        }
        Some(Meta::File { .. }) if known.is_none() => Some(MisfitKind::Unknown),
        Some(Meta::File { guard, .. }) if known != Some(guard) => Some(MisfitKind::Touched),
        Some(Meta::File { executable: found, .. }) => {
            found.is_some_and(|on| on != executable).then_some(MisfitKind::WrongExecutable)
        }
        Some(Meta::Link | Meta::Folder | Meta::Other) => Some(MisfitKind::WrongType),
    }
}

fn misfit_of_link(
    fs: &dyn Fs,
    path: &SafePath,
    meta: Option<Meta>,
    target: &str,
) -> Result<Option<MisfitKind>, DiskError> {
    let at = path.as_str();
    Ok(match meta {
        None => Some(MisfitKind::Missing),
        Some(Meta::Link) => {
            let found = fs.read_link(at).map_err(DiskError::at("read the link", at))?;
            (found.as_deref() != Some(target)).then_some(MisfitKind::WrongLink)
        }
        Some(_) => Some(MisfitKind::WrongType),
    })
}
