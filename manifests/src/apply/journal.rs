//! The journal: everything that is left to do after the commit, in one file written once.
//!
//! One line `samara-journal 1 <sha256 of the rest>`, then JSON. It is written beside, synced, and renamed to
//! `journal.patch` (where files are patched in place) or `journal.clear`: that is the commit. `journal.clear` says that
//! every patch is durable, `journal.place` that nothing of the old release is left in the way; removing it ends the
//! apply. So its name is the progress, and no record of it can be torn.

use serde::{Deserialize, Serialize};

use super::{ApplyError, mine, undo};
use crate::folder::{self, DiskError, Fs, Guard, Meta};
use crate::hash;
use crate::path::SafePath;

const TEMPORARY: &str = ".samara/journal.tmp";
const PATCH: &str = ".samara/journal.patch";
const CLEAR: &str = ".samara/journal.clear";
const PLACE: &str = ".samara/journal.place";
const DAMAGED: &str = ".samara/journal.damaged";
const HEADER: &str = "samara-journal 1 ";
/// Longest journal read, in bytes.
const MAX_BYTES: u64 = 512 << 20;

/// How far a committed apply has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Patching: blocks written in place. The only stage that can be gone back from.
    Patch,
    /// Clearing: moved, kept aside, removed.
    Clear,
    /// Placing: renamed into place.
    Place,
}

impl Stage {
    fn path(self) -> &'static str {
        match self {
            Self::Patch => PATCH,
            Self::Clear => CLEAR,
            Self::Place => PLACE,
        }
    }
}

/// A staged file and where it goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Placing {
    /// Name in the staging folder: one part.
    pub slot: SafePath,
    pub path: SafePath,
    /// What the file will look like there; `None` for a link.
    pub guard: Option<Guard>,
}

/// A file renamed into the staging folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Moving {
    pub from: SafePath,
    pub slot: SafePath,
}

/// Something of the player's, renamed in its folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Keeping {
    pub path: SafePath,
    /// Its new name: one part.
    pub to: SafePath,
}

/// A file of the undo data renamed into the staging folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Restoring {
    pub record: u32,
    pub number: u32,
    pub slot: SafePath,
}

/// A file that becomes undo data while it still looks as it did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Retiring {
    pub path: SafePath,
    /// Its name in the undo folder.
    pub number: u32,
    pub guard: Guard,
}

/// A file patched in place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Patching {
    pub path: SafePath,
    /// Name in the staging folder of the sparse file with the new blocks.
    pub slot: SafePath,
    /// Name in the undo folder of the sparse file with the old ones.
    pub undo: u32,
    pub old_len: u64,
    pub new_len: u64,
    /// Byte ranges taken from the slot.
    pub writes: Vec<(u64, u64)>,
    /// Byte ranges that are saved.
    pub replaced: Vec<(u64, u64)>,
}

/// A file or link removed while it still looks as it did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Removing {
    pub path: SafePath,
    pub guard: Option<Guard>,
}

/// See the module.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Journal {
    pub version: String,
    /// Ends the names of the player's files that are kept (see `mine`).
    pub mark: String,
    pub moves: Vec<Moving>,
    pub keep_aside: Vec<Keeping>,
    pub remove: Vec<Removing>,
    pub remove_folders: Vec<SafePath>,
    pub clear_folders: Vec<SafePath>,
    pub create_folders: Vec<SafePath>,
    pub place: Vec<Placing>,
    pub set_executable: Vec<(SafePath, bool)>,
    /// The undo record that this apply makes.
    #[serde(default)]
    pub undo: Option<u32>,
    #[serde(default)]
    pub patches: Vec<Patching>,
    #[serde(default)]
    pub retire: Vec<Retiring>,
    #[serde(default)]
    pub restore: Vec<Restoring>,
    /// Undo records that are of no use afterwards.
    #[serde(default)]
    pub drop_undo: Vec<u32>,
}

/// The journal of an apply that was committed and not closed.
pub(super) fn find(fs: &dyn Fs) -> Result<Option<Stage>, DiskError> {
    for stage in [Stage::Patch, Stage::Clear, Stage::Place] {
        let path = stage.path();
        if fs.stat(path).map_err(DiskError::at("look at", path))?.is_some() {
            return Ok(Some(stage));
        }
    }
    Ok(None)
}

/// Removes what a commit that did not happen may have left.
pub(super) fn discard_uncommitted(fs: &dyn Fs) -> Result<(), DiskError> {
    for path in [TEMPORARY, folder::STATE_NEXT] {
        if fs.stat(path).map_err(DiskError::at("look at", path))?.is_some() {
            folder::remove_if_there(fs, path)?;
        }
    }
    undo::discard_uncommitted(fs)
}

/// Takes a journal that cannot be read out of the way; it is not thrown away, it may explain what happened.
pub(super) fn lay_aside(fs: &dyn Fs) -> Result<(), DiskError> {
    while let Some(stage) = find(fs)? {
        fs.rename(stage.path(), DAMAGED).map_err(DiskError::at("rename", stage.path()))?;
    }
    fs.sync_dir(folder::PRIVATE).map_err(DiskError::at("sync the folder", folder::PRIVATE))
}

/// Writes the journal and commits: on `Ok` the apply goes forward whatever happens.
pub(super) fn commit(fs: &dyn Fs, journal: &Journal) -> Result<(), DiskError> {
    let encode = |error: serde_json::Error| DiskError::at("encode", TEMPORARY)(error.into());
    let body = serde_json::to_vec(journal).map_err(encode)?;
    let mut bytes = format!("{HEADER}{}\n", hex::encode(hash::leaf(&body))).into_bytes();
    bytes.extend_from_slice(&body);
    folder::write_synced(fs, TEMPORARY, &bytes)?;
    // What the journal relies on (staging, state.next, its own content) is durable before its name is.
    fs.sync_dir(folder::PRIVATE).map_err(DiskError::at("sync the folder", folder::PRIVATE))?;
    fs.rename(TEMPORARY, first_stage(journal).path()).map_err(DiskError::at("rename", TEMPORARY))?;
    fs.sync_dir(folder::PRIVATE).map_err(DiskError::at("sync the folder", folder::PRIVATE))
}

/// What follows the commit.
pub(super) fn first_stage(journal: &Journal) -> Stage {
    if journal.patches.is_empty() { Stage::Clear } else { Stage::Patch }
}

/// Goes from patching to clearing.
pub(super) fn patched(fs: &dyn Fs) -> Result<(), DiskError> {
    fs.rename(PATCH, CLEAR).map_err(DiskError::at("rename", PATCH))?;
    fs.sync_dir(folder::PRIVATE).map_err(DiskError::at("sync the folder", folder::PRIVATE))
}

/// Ends an apply that went back.
pub(super) fn withdrawn(fs: &dyn Fs) -> Result<(), DiskError> {
    fs.remove_file(PATCH).map_err(DiskError::at("remove", PATCH))?;
    fs.sync_dir(folder::PRIVATE).map_err(DiskError::at("sync the folder", folder::PRIVATE))
}

/// Goes from clearing to placing.
pub(super) fn cleared(fs: &dyn Fs) -> Result<(), DiskError> {
    fs.rename(CLEAR, PLACE).map_err(DiskError::at("rename", CLEAR))?;
    fs.sync_dir(folder::PRIVATE).map_err(DiskError::at("sync the folder", folder::PRIVATE))
}

/// Ends the apply.
pub(super) fn close(fs: &dyn Fs) -> Result<(), DiskError> {
    fs.remove_file(PLACE).map_err(DiskError::at("remove", PLACE))?;
    fs.sync_dir(folder::PRIVATE).map_err(DiskError::at("sync the folder", folder::PRIVATE))
}

/// Reads the journal back.
pub(super) fn read(fs: &dyn Fs, stage: Stage) -> Result<Journal, ApplyError> {
    let damaged = |what: &str| ApplyError::Journal(what.to_owned());
    if fs.stat(stage.path()).ok().flatten() == Some(Meta::Folder) {
        return Err(damaged("it is a folder"));
    }
    let bytes = folder::get(fs, stage.path(), MAX_BYTES)?.ok_or_else(|| damaged("it is gone"))?;
    parse(&bytes)
}

fn parse(bytes: &[u8]) -> Result<Journal, ApplyError> {
    let damaged = |what: &str| ApplyError::Journal(what.to_owned());
    let rest =
        bytes.strip_prefix(HEADER.as_bytes()).ok_or_else(|| damaged("not a journal this launcher reads"))?;
    let (sum, rest) = rest.split_at_checked(64).ok_or_else(|| damaged("it is cut"))?;
    let body = rest.strip_prefix(b"\n").ok_or_else(|| damaged("it is cut"))?;
    if sum != hex::encode(hash::leaf(body)).as_bytes() {
        return Err(damaged("its checksum is wrong"));
    }
    let journal: Journal = serde_json::from_slice(body).map_err(|error| damaged(&error.to_string()))?;
    let slots = journal
        .place
        .iter()
        .map(|placing| &placing.slot)
        .chain(journal.moves.iter().map(|moving| &moving.slot))
        .chain(journal.restore.iter().map(|restoring| &restoring.slot))
        .chain(journal.patches.iter().map(|patch| &patch.slot));
    if slots.into_iter().any(|slot| slot.as_str().contains('/')) {
        return Err(damaged("a staged file lies elsewhere"));
    }
    if !mine::is_mark(&journal.mark) || journal.keep_aside.iter().any(|kept| kept.to.as_str().contains('/')) {
        return Err(damaged("a kept file lies elsewhere"));
    }
    if !journal.patches.iter().all(super::patch::is_sane) {
        return Err(damaged("a patch's ranges are out of order"));
    }
    Ok(journal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_damage_is_read_as_a_journal() {
        let path = |text: &str| SafePath::parse(text).unwrap();
        let journal = Journal {
            version: "2".into(),
            mark: "mine-2026-11-22".to_owned(),
            keep_aside: vec![Keeping { path: path("a/c"), to: path("c.mine-2026-11-22") }],
            moves: vec![Moving { from: path("a/b"), slot: path("move-1") }],
            remove_folders: vec![path("a")],
            ..Journal::default()
        };
        let encode = |journal: &Journal| {
            let body = serde_json::to_vec(journal).unwrap();
            [format!("{HEADER}{}\n", hex::encode(hash::leaf(&body))).as_bytes(), &body].concat()
        };
        let bytes = encode(&journal);
        assert_eq!(parse(&bytes).unwrap(), journal);
        for at in 0..bytes.len() {
            assert!(parse(&bytes[..at]).is_err(), "cut at {at}");
            let mut flipped = bytes.clone();
            flipped[at] ^= 0x20;
            assert!(parse(&flipped).is_err(), "changed at {at}");
        }
        for mark in ["", "mine-", "mine-2026-11-22/..", "mine/../x", "x"] {
            assert!(parse(&encode(&Journal { mark: mark.into(), ..journal.clone() })).is_err(), "{mark}");
        }
        let keep_aside = vec![Keeping { path: path("a"), to: path("b/c") }];
        assert!(parse(&encode(&Journal { keep_aside, ..journal.clone() })).is_err());
        let elsewhere = Moving { from: path("a"), slot: path("x/y") };
        assert!(parse(&encode(&Journal { moves: vec![elsewhere], ..journal })).is_err());
    }
}
