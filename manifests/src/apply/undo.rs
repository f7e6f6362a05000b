//! Undo data: what going back to an earlier release takes, kept in the install so that it needs no network.
//!
//! ```text
//! .samara/undo/N/undo.json   the release, and what is in the other files
//!                0, 1, …     files of that release as they were, and the blocks that patches replaced (sparse)
//! ```
//! A record is relative to the release that came after it: whatever of the earlier one is still in place is not in it.
//! Going back is an ordinary plan that finds these files beside the install's; what it replaces becomes undo data itself,
//! so that going forward again is as cheap. Records that are consumed, broken or beyond the quota are removed.

use std::collections::{BTreeSet, HashSet};
use std::ops::Range;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::ApplyError;
use crate::folder::{self, DiskError, Fs, Guard, InstallDir, InstalledRelease, Meta};
use crate::path::SafePath;
use crate::plan::{Local, LocalFile, Piece, Source};
use crate::release::FileIdentity;

pub(super) const FOLDER: &str = ".samara/undo";
const RECORD: &str = "undo.json";
const NEXT: &str = "undo.next";
const SCHEMA: u32 = 1;
/// Longest record read, in bytes.
const MAX_BYTES: u64 = 256 << 20;
/// Undo data of small games need not be counted.
const QUOTA_MIN: u64 = 1 << 30;

/// How much undo data is kept of a release of so many bytes when nothing else is said: a quarter of it, at least 1 GiB.
pub fn default_quota(release_bytes: u64) -> u64 {
    (release_bytes / 4).max(QUOTA_MIN)
}

/// A release that can be gone back to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Previous {
    /// Which it is; the name of its manifest's copy is in it.
    pub release: InstalledRelease,
    /// What its undo data take, in bytes.
    pub bytes: u64,
}

/// A whole file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct KeptFile {
    #[serde(with = "folder::as_text")]
    pub id: FileIdentity,
    pub slot: u32,
    pub guard: Guard,
}

/// Blocks of a file that was patched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct KeptBlocks {
    #[serde(with = "folder::as_text")]
    pub id: FileIdentity,
    pub slot: u32,
    pub ranges: Vec<(u64, u64)>,
}

/// `undo.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    pub schema: u32,
    pub release: InstalledRelease,
    pub bytes: u64,
    pub files: Vec<KeptFile>,
    pub blocks: Vec<KeptBlocks>,
    /// The player's versions of files of this release, and where they are kept.
    #[serde(default)]
    pub mine: Vec<(SafePath, SafePath)>,
    /// Names of the leaf hashes that this release needs.
    pub leaves: BTreeSet<String>,
}

impl Record {
    pub(super) fn new(release: InstalledRelease) -> Self {
        Self {
            schema: SCHEMA,
            release,
            bytes: 0,
            files: Vec::new(),
            blocks: Vec::new(),
            mine: Vec::new(),
            leaves: BTreeSet::new(),
        }
    }
}

pub(super) fn folder_of(number: u32) -> String {
    format!("{FOLDER}/{number}")
}

/// Where a record keeps a file.
pub(super) fn slot(number: u32, slot: u32) -> String {
    format!("{FOLDER}/{number}/{slot}")
}

/// The record and slot of a path below the undo folder.
pub(super) fn parse(path: &SafePath) -> Option<(u32, u32)> {
    let (number, slot) = path.as_str().strip_prefix(FOLDER)?.strip_prefix('/')?.split_once('/')?;
    Some((number.parse().ok()?, slot.parse().ok()?))
}

/// The release that [`super::undo`] data lead back to: of those before the one in place, the last. Its data are looked at,
/// not read.
///
/// # Errors
/// [`DiskError`].
pub fn previous(dir: &InstallDir) -> Result<Option<Previous>, DiskError> {
    let state = dir.state();
    let now = state.release.as_ref().map_or(u64::MAX, |release| release.sequence);
    let mut found: Option<Previous> = None;
    for (number, record) in records(dir.fs())? {
        let later = found.as_ref().is_none_or(|found| found.release.sequence < record.release.sequence);
        if record.release.sequence < now && later && is_whole(dir.fs(), number, &record)? {
            found = Some(Previous { release: record.release, bytes: record.bytes });
        }
    }
    Ok(found)
}

/// Bytes that all undo data take.
///
/// # Errors
/// [`DiskError`].
pub fn bytes(dir: &InstallDir) -> Result<u64, DiskError> {
    Ok(records(dir.fs())?.iter().map(|(_, record)| record.bytes).sum())
}

/// Removes all undo data: there is no going back then.
///
/// # Errors
/// [`DiskError`].
pub fn forget(dir: &InstallDir) -> Result<(), DiskError> {
    numbers(dir.fs())?.into_iter().try_for_each(|number| remove(dir.fs(), number))
}

/// Releases that undo data lead to, the one in place not among them: what they need besides is worth keeping.
///
/// # Errors
/// [`DiskError`].
pub fn releases(dir: &InstallDir) -> Result<Vec<InstalledRelease>, DiskError> {
    Ok(records(dir.fs())?.into_iter().map(|(_, record)| record.release).collect())
}

fn is_whole(fs: &dyn Fs, number: u32, record: &Record) -> Result<bool, DiskError> {
    for kept in &record.files {
        if guard_of(fs, &slot(number, kept.slot))? != Some(kept.guard) {
            return Ok(false);
        }
    }
    for kept in &record.blocks {
        if guard_of(fs, &slot(number, kept.slot))?.is_none() {
            return Ok(false);
        }
    }
    Ok(true)
}

fn guard_of(fs: &dyn Fs, path: &str) -> Result<Option<Guard>, DiskError> {
    Ok(match fs.stat(path).map_err(DiskError::at("look at", path))? {
        Some(Meta::File { guard, .. }) => Some(guard),
        _ => None,
    })
}

/// The folders below the undo folder, ascending: the oldest first.
pub(super) fn numbers(fs: &dyn Fs) -> Result<Vec<u32>, DiskError> {
    let names = match fs.list(FOLDER) {
        Ok(names) => names,
        Err(error) if folder::is_absent(&error) => return Ok(Vec::new()),
        Err(error) => return Err(DiskError::at("read the folder", FOLDER)(error)),
    };
    let mut numbers: Vec<u32> = names.iter().flatten().filter_map(|name| name.parse().ok()).collect();
    numbers.sort_unstable();
    Ok(numbers)
}

/// What can be read, the oldest first. A record that cannot is as good as none.
pub(super) fn records(fs: &dyn Fs) -> Result<Vec<(u32, Record)>, DiskError> {
    let mut records = Vec::new();
    for number in numbers(fs)? {
        if let Some(record) = read(fs, &format!("{FOLDER}/{number}/{RECORD}"))? {
            records.push((number, record));
        }
    }
    Ok(records)
}

fn read(fs: &dyn Fs, path: &str) -> Result<Option<Record>, DiskError> {
    if !matches!(fs.stat(path).map_err(DiskError::at("look at", path))?, Some(Meta::File { .. })) {
        return Ok(None);
    }
    let bytes = folder::get(fs, path, MAX_BYTES)?.unwrap_or_default();
    let record: Option<Record> = serde_json::from_slice(&bytes).ok();
    Ok(record.filter(|record| record.schema == SCHEMA))
}

/// Writes the record of an update that is not committed yet.
pub(super) fn prepare(fs: &dyn Fs, number: u32, record: &Record) -> Result<(), DiskError> {
    let path = format!("{FOLDER}/{number}/{NEXT}");
    let bytes = serde_json::to_vec(record).map_err(|error| DiskError::at("encode", &path)(error.into()))?;
    folder::write_synced(fs, &path, &bytes)
}

/// Makes the prepared record count; fine when it does already.
pub(super) fn publish(fs: &dyn Fs, number: u32) -> Result<(), DiskError> {
    let next = format!("{FOLDER}/{number}/{NEXT}");
    if fs.stat(&next).map_err(DiskError::at("look at", &next))?.is_some() {
        fs.rename(&next, &format!("{FOLDER}/{number}/{RECORD}")).map_err(DiskError::at("rename", &next))?;
    }
    let folder = folder_of(number);
    match fs.sync_dir(&folder) {
        Err(error) if folder::is_absent(&error) => Ok(()),
        other => other.map_err(DiskError::at("sync the folder", &folder)),
    }
}

/// Removes a record: what says that it counts goes first.
pub(super) fn remove(fs: &dyn Fs, number: u32) -> Result<(), DiskError> {
    let folder = folder_of(number);
    folder::remove_if_there(fs, &format!("{folder}/{RECORD}"))?;
    let names = match fs.list(&folder) {
        Ok(names) => names,
        Err(error) if folder::is_absent(&error) => return Ok(()),
        Err(error) => return Err(DiskError::at("read the folder", &folder)(error)),
    };
    for name in names.into_iter().flatten() {
        folder::remove_if_there(fs, &format!("{folder}/{name}"))?;
    }
    fs.remove_dir(&folder).map_err(DiskError::at("remove the folder", &folder))
}

/// Removes what a commit that did not happen has left.
pub(super) fn discard_uncommitted(fs: &dyn Fs) -> Result<(), DiskError> {
    for number in numbers(fs)? {
        let record = format!("{FOLDER}/{number}/{RECORD}");
        if fs.stat(&record).map_err(DiskError::at("look at", &record))?.is_none() {
            remove(fs, number)?;
        }
    }
    Ok(())
}

/// Adds what undo data have of the wanted files to what is on the disk. The newest data are preferred.
pub(crate) fn find(
    dir: &InstallDir,
    wanted: &HashSet<FileIdentity>,
    local: &mut Local,
) -> Result<(), DiskError> {
    let fs = dir.fs();
    let mut seen: HashSet<FileIdentity> = HashSet::new();
    for (number, record) in records(fs)?.into_iter().rev() {
        for kept in record.files.iter().filter(|kept| wanted.contains(&kept.id)) {
            let path = SafePath::undo(number, kept.slot);
            if seen.insert(kept.id) && guard_of(fs, path.as_str())? == Some(kept.guard) {
                let file =
                    LocalFile { guard: kept.guard, executable: None, identity: Some(kept.id), leaves: None };
                local.undo.insert(path, file);
            }
        }
        for (path, now) in &record.mine {
            if let Some(guard) = guard_of(fs, now.as_str())?.filter(|_| !local.mine.contains_key(path)) {
                local.mine.insert(path.clone(), now.clone());
                local
                    .undo
                    .insert(now.clone(), LocalFile { guard, executable: None, identity: None, leaves: None });
            }
        }
        for kept in record.blocks.iter().filter(|kept| wanted.contains(&kept.id)) {
            let path = SafePath::undo(number, kept.slot);
            let Some(guard) = guard_of(fs, path.as_str())?.filter(|_| !local.pieces.contains_key(&kept.id))
            else {
                continue;
            };
            let whole = |(start, end): &(u64, u64)| Range { start: *start, end: (*end).min(kept.id.len) };
            let pieces = kept.ranges.iter().map(whole).filter(|range| range.start < range.end);
            let pieces = pieces.map(|range| Piece { at: range.start, range }).collect();
            local.pieces.insert(kept.id, Arc::from([Source { path: path.clone(), pieces }]));
            local.undo.insert(path, LocalFile { guard, executable: None, identity: None, leaves: None });
        }
    }
    Ok(())
}

/// Removes old records, the oldest first and none of `needed`, until `enough` says so; whether it did.
pub(super) fn shed(
    fs: &dyn Fs,
    needed: &BTreeSet<u32>,
    enough: &dyn Fn() -> bool,
) -> Result<bool, ApplyError> {
    for number in numbers(fs)?.into_iter().filter(|number| !needed.contains(number)) {
        if enough() {
            return Ok(true);
        }
        remove(fs, number)?;
    }
    Ok(enough())
}
