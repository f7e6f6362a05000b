//! Blocks of the target that lie in files of the install, at any offset.
//!
//! The plan compares the blocks of a file with those of the file it replaces, at the same offsets. Where data moved (a
//! few bytes inserted near the front shift all the rest), [`find`] rolls a checksum over the old files and meets the
//! missing blocks wherever they are; their leaves tell the true ones. What it finds goes into [`Local::pieces`], and the
//! plan is made anew. No pack is needed for this, and no other version on the server.

mod old;
mod filter;
mod scan;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

use crate::folder::{LeafSource, Progress};
use crate::hash::{BLOCK_LEN, leaf_count};
use crate::path::SafePath;
use crate::plan::{Entry, Local, Op, Plan, Source};
use crate::release::{FileIdentity, ReleaseManifest};
use crate::verify::SurveyError;
use scan::{Scan, Want};

pub use old::{OldFile, OldFiles};

/// Most bytes read for each byte that is missing.
const READ_FACTOR: u64 = 4;
/// What may be read in any case.
const READ_MIN_BYTES: u64 = 256 << 20;
/// Most blocks looked for at once: 64 GiB of missing data, some 200 MB of memory.
const MAX_BLOCKS: usize = 4 << 20;

/// The rolling checksums of files, where they are known. Nobody vouches for them.
pub trait SumSource {
    /// One a block of the file called `identity`.
    fn sums(&self, identity: &FileIdentity) -> Option<Vec<u64>>;
}

/// Looks for what `plan` lacks of the files in [`Plan::wants_sums`]. The answer belongs into [`Local::pieces`]; files
/// without leaves or checksums are left out. The files at the same paths are read first, then those of like names; how
/// much is read is bounded by what is missing.
///
/// # Errors
/// [`SurveyError::Cancelled`]. A file that cannot be read is passed over.
pub fn find(
    old: &dyn OldFiles,
    local: &Local,
    target: &ReleaseManifest,
    plan: &Plan,
    leaves: &dyn LeafSource,
    sums: &dyn SumSource,
    progress: &dyn Progress,
) -> Result<BTreeMap<FileIdentity, Arc<[Source]>>, SurveyError> {
    let wants = wants(target, plan, leaves, sums);
    let missing: u64 = wants.iter().map(|want| want.blocks.len() as u64 * BLOCK_LEN).sum();
    let mut left = missing.saturating_mul(READ_FACTOR).max(READ_MIN_BYTES);
    let mut scan = Scan::new(wants);
    for (path, len) in candidates(local, target, &scan) {
        if scan.is_done() {
            break;
        }
        if len <= left {
            left -= len;
            scan.read(old, &path, progress)?;
        }
    }
    Ok(scan.finish())
}

/// The files to look for: which of their blocks are missing.
fn wants(target: &ReleaseManifest, plan: &Plan, leaves: &dyn LeafSource, sums: &dyn SumSource) -> Vec<Want> {
    let asked: HashSet<&FileIdentity> = plan.wants_sums.iter().collect();
    let mut wants = Vec::new();
    let mut total = 0usize;
    for (file, op) in target.files.iter().zip(&plan.ops) {
        let id = file.identity;
        let missing = match op {
            Op::Fetch => vec![Range { start: 0, end: id.len }],
            Op::Rebuild { fetch, .. } | Op::Patch { fetch, .. } => fetch.clone(),
            _ => continue,
        };
        if !asked.contains(&id) {
            continue;
        }
        let (Some(leaves), Some(sums)) = (leaves.leaves(&id), sums.sums(&id)) else { continue };
        if sums.len() as u64 != leaf_count(id.len) || sums.len() != leaves.len() {
            continue;
        }
        let blocks = missing.iter().flat_map(|range| range.start / BLOCK_LEN..range.end.div_ceil(BLOCK_LEN));
        let blocks: Vec<u32> = blocks.filter_map(|block| u32::try_from(block).ok()).collect();
        total = total.saturating_add(blocks.len());
        if total > MAX_BLOCKS {
            break;
        }
        wants.push(Want { id, path: file.path.clone(), leaves, sums, blocks });
    }
    wants
}

/// The files to read, with their lengths, the most likely first.
fn candidates(local: &Local, target: &ReleaseManifest, scan: &Scan) -> Vec<(SafePath, u64)> {
    let kept: HashSet<FileIdentity> = target.files.iter().map(|file| file.identity).collect();
    let paths: HashSet<&str> = scan.wants().iter().map(|want| want.path.as_str()).collect();
    let names: HashSet<&str> = paths.iter().map(|path| name_of(path)).collect();
    let kinds: HashSet<&str> = paths.iter().map(|path| kind_of(path)).collect();
    let mut found: Vec<(u32, std::cmp::Reverse<u64>, &SafePath)> = Vec::new();
    for (path, entry) in &local.entries {
        let Entry::File(file) = entry else { continue };
        if file.guard.len < BLOCK_LEN {
            continue;
        }
        let at = path.as_str();
        let rank = match file.identity {
            _ if paths.contains(at) => 0,
            // What stays as it is seldom has what another file lacks.
            Some(id) if kept.contains(&id) => 4,
            _ if names.contains(name_of(at)) => 1,
            _ if kinds.contains(kind_of(at)) => 2,
            _ => 3,
        };
        found.push((rank, std::cmp::Reverse(file.guard.len), path));
    }
    found.sort();
    found.into_iter().map(|(_, len, path)| (path.clone(), len.0)).collect()
}

fn name_of(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

fn kind_of(path: &str) -> &str {
    name_of(path).rsplit_once('.').map_or("", |(_, kind)| kind)
}
