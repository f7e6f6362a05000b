//! Files beside the install until the commit: those between two steps, and base files that are damaged here.

use std::collections::BTreeSet;
use std::ops::Range;

use manifests::folder::{Access, DiskError, InstallDir, LeafSource as _};
use manifests::hash;
use manifests::release::FileIdentity;
use manifests::route::Heal;

use crate::engine::goal::Leaves;
use crate::engine::packs::torrent::fill;
use crate::engine::packs::work;
use crate::error::LaunchError;

/// Where files between two steps and healed base files lie until the commit.
const BASES: &str = ".samara/bases";

/// Makes a file beside the install in its full length.
pub(crate) fn make(dir: &InstallDir, identity: &FileIdentity) -> Result<String, LaunchError> {
    let fs = dir.fs();
    match fs.create_dir(BASES) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
            return Err(DiskError::at("create the folder", BASES)(error).into());
        }
        _ => {}
    }
    let path = format!("{BASES}/{identity}");
    let file = fs.open(&path, Access::Create).map_err(DiskError::at("create", &path))?;
    file.set_len(identity.len).map_err(DiskError::at("set the length of", &path))?;
    Ok(path)
}

/// Brings the blocks that are right here into the healed file, and returns the ranges that are to be fetched: whatever
/// an earlier run fetched and is right is not among them.
pub(crate) fn complete(
    dir: &InstallDir,
    heal: &Heal,
    path: &str,
    leaves: &Leaves,
) -> Result<Vec<Range<u64>>, LaunchError> {
    let fs = dir.fs();
    let known = leaves.leaves(&heal.id);
    let right = |block: u64, bytes: &[u8]| {
        let leaf = usize::try_from(block).ok().and_then(|block| known.as_ref()?.get(block).copied());
        leaf.is_some_and(|leaf| hash::leaf(bytes) == leaf)
    };
    let file = fs.open(path, Access::Write).map_err(DiskError::at("open", path))?;
    let mut buf = vec![0; hash::BLOCK_LEN as usize];
    let from = heal.from.as_ref().and_then(|from| fs.open(from.as_str(), Access::Read).ok());
    let needed = heal.copy.iter().chain(&heal.fetch).flat_map(work::blocks);
    let needed: BTreeSet<u64> = needed.map(|at| at / hash::BLOCK_LEN).collect();
    let mut lacking: Vec<Range<u64>> = Vec::new();
    for block in needed {
        let range = hash::block_range(block, heal.id.len);
        let Some(part) = buf.get_mut(..usize::try_from(range.end - range.start).unwrap_or_default()) else {
            continue;
        };
        let found = fill(&*file, range.start, part).map_err(DiskError::at("read", path))?;
        if found == part.len() && right(block, part) {
            continue;
        }
        // A failing disk under the damaged file is why it is healed.
        if let Some(from) = &from
            && fill(&**from, range.start, part).is_ok_and(|found| found == part.len())
            && right(block, part)
        {
            file.write_at(range.start, part).map_err(DiskError::at("write", path))?;
            continue;
        }
        match lacking.last_mut() {
            Some(last) if last.end == range.start => last.end = range.end,
            _ => lacking.push(range),
        }
    }
    Ok(lacking)
}

/// Removes healed files and files between two steps.
pub(crate) fn clear(dir: &InstallDir) {
    let Ok(names) = dir.fs().list(BASES) else { return };
    for name in names.into_iter().flatten() {
        if let Err(error) = dir.fs().remove_file(&format!("{BASES}/{name}")) {
            tracing::warn!(%name, %error, "a file between two steps cannot be removed");
        }
    }
    let _ = dir.fs().remove_dir(BASES);
}
