//! What an earlier run left in the staging folder, for somebody who only asks.

use std::ops::Range;

use super::patch::check_ranges;
use super::stage::check_blocks;
use super::{ApplyError, journal, name_slots};
use crate::folder::{self, Access, DiskError, InstallDir, LeafSource, Progress};
use crate::hash::BlockMap;
use crate::plan::{Op, Plan};
use crate::release::ReleaseManifest;

/// Byte ranges of files, by their index in the manifest.
pub type Lacking = Vec<(usize, Vec<Range<u64>>)>;

/// Whether a commit was begun and not finished: then the files are partly of each release.
///
/// # Errors
/// [`ApplyError::Disk`].
pub fn is_between(dir: &InstallDir) -> Result<bool, ApplyError> {
    Ok(journal::find(dir.fs())?.is_some())
}

/// Byte ranges that carrying out `plan` still has to fetch, by index in the manifest: what [`super::Applier::missing`]
/// says after [`super::Applier::prepare`], as long as the files here are what the plan takes them for. Nothing is written.
///
/// `leaves` answers for files of the release.
///
/// # Errors
/// [`ApplyError`]: a staged file cannot be read.
pub fn lacking(
    dir: &InstallDir,
    manifest: &ReleaseManifest,
    plan: &Plan,
    leaves: &dyn LeafSource,
    progress: &dyn Progress,
) -> Result<Lacking, ApplyError> {
    let slots = name_slots(plan, manifest);
    let mut lacking = Lacking::new();
    for (index, ranges) in plan.fetch(&manifest.files) {
        let (Some(file), Some(Some(slot))) = (manifest.files.get(index), slots.get(index)) else { continue };
        let path = format!("{}/{slot}", folder::STAGING);
        let staged = match dir.fs().open(&path, Access::Read) {
            Ok(staged) => staged,
            Err(error) if folder::is_absent(&error) => {
                lacking.push((index, ranges));
                continue;
            }
            Err(error) => return Err(DiskError::at("open", &path)(error).into()),
        };
        let known = leaves.leaves(&file.identity);
        if let (Some(Op::Patch { .. }), Some(known)) = (plan.ops.get(index), &known) {
            let mut have = BlockMap::all(file.identity.len);
            ranges.iter().for_each(|range| have.clear_range(range.clone()));
            check_ranges(&*staged, &path, &ranges, known, &mut have, progress)?;
            lacking.push((index, have.ranges(false)));
            continue;
        }
        let mut have = check_blocks(&*staged, &path, &file.identity, known.as_deref(), progress)?;
        // What comes from files here is not fetched either.
        let mut at = 0;
        for range in &ranges {
            have.mark(at..range.start);
            at = range.end;
        }
        have.mark(at..file.identity.len);
        lacking.push((index, have.ranges(false)));
    }
    lacking.retain(|(_, ranges)| !ranges.is_empty());
    Ok(lacking)
}
