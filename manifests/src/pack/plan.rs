//! Which bytes of the release go into which segment, and which base data each segment refers to.

use std::collections::{HashMap, HashSet};

use super::content::TreeRef;
use super::create::{CreateOptions, PackProgress};
use super::index::{BaseRange, Recipe, Slice, View};
use super::report::{Hint, Report};
use super::{MAX_PREFIX_BYTES, MAX_SEGMENT_BYTES, PackError};
use crate::release::{FileIdentity, FileKind};

/// A run of bytes of a target file that a segment rebuilds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part {
    /// Ordinal in the target's manifest.
    pub(super) file: u32,
    /// First byte.
    pub(super) offset: u64,
    /// Bytes.
    pub(super) len: u32,
}

/// What one frame is made from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Segment {
    /// The output, laid end to end.
    pub(super) parts: Vec<Part>,
    /// The base data it refers to, the most useful last.
    pub(super) prefix: Vec<BaseRange>,
}

impl Segment {
    /// Bytes of output.
    pub(super) fn len(&self) -> u64 {
        self.parts.iter().map(|part| u64::from(part.len)).sum()
    }

    /// The output's bytes.
    pub(super) fn read(&self, target: TreeRef<'_>) -> Result<Vec<u8>, PackError> {
        let mut output = vec![0; usize::try_from(self.len()).unwrap_or(usize::MAX)];
        let mut rest = output.as_mut_slice();
        for part in &self.parts {
            let (now, later) = rest
                .split_at_mut_checked(part.len as usize)
                .ok_or(PackError::Index("parts are longer than their sum"))?;
            target.content.read_at(part.file, part.offset, now).map_err(|source| PackError::Read {
                tree: "release",
                file: part.file,
                source,
            })?;
            rest = later;
        }
        Ok(output)
    }
}

/// What there is to encode, and how files come out of it.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) segments: Vec<Segment>,
    /// In manifest order.
    pub(super) recipes: Vec<Recipe>,
    /// One a recipe.
    pub(super) hints: Vec<Hint>,
}

/// The target's files that the base does not have under any name, each content once, in manifest order.
pub(super) fn wanted(base: Option<TreeRef<'_>>, target: TreeRef<'_>) -> Vec<u32> {
    let mut seen: HashSet<FileIdentity> = base
        .iter()
        .flat_map(|tree| tree.files)
        .filter(|file| file.kind == FileKind::File)
        .map(|file| file.identity)
        .collect();
    seen.insert(FileIdentity::EMPTY);
    (0u32..)
        .zip(target.files)
        .filter(|(_, file)| file.kind == FileKind::File && seen.insert(file.identity))
        .map(|(at, _)| at)
        .collect()
}

/// Plans the whole pack.
pub(super) fn plan(
    base: Option<TreeRef<'_>>,
    target: TreeRef<'_>,
    _options: &CreateOptions,
    _progress: &dyn PackProgress,
    _report: &mut Report,
) -> Result<Plan, PackError> {
    let mut plan = Plan::default();
    let by_path: HashMap<&str, u32> = (0u32..)
        .zip(base.iter().flat_map(|tree| tree.files))
        .filter(|(_, file)| file.kind == FileKind::File && file.identity.len > 0)
        .map(|(at, file)| (file.path.as_str(), at))
        .collect();
    let mut segment = Segment::default();
    for ordinal in wanted(base, target) {
        let Some(file) = target.files.get(ordinal as usize) else { continue };
        let old = by_path.get(file.path.as_str()).copied();
        let mut recipe = Recipe { file: ordinal, slices: Vec::new() };
        let mut at = 0u64;
        while at < file.identity.len {
            let room = u64::from(MAX_SEGMENT_BYTES) - segment.len();
            if room == 0 {
                plan.segments.push(std::mem::take(&mut segment));
                continue;
            }
            let len = u32::try_from(room.min(file.identity.len - at)).unwrap_or(MAX_SEGMENT_BYTES);
            recipe.slices.push(Slice::Frame {
                frame: u32::try_from(plan.segments.len()).unwrap_or(u32::MAX),
                offset: u32::try_from(segment.len()).unwrap_or(u32::MAX),
                len,
            });
            segment.parts.push(Part { file: ordinal, offset: at, len });
            if let (Some(old), Some(tree)) = (old, base) {
                refer(&mut segment, old, at, u64::from(len), tree);
            }
            at += u64::from(len);
        }
        plan.recipes.push(recipe);
        plan.hints.push(if old.is_some() { Hint::Changed } else { Hint::New });
    }
    if segment.len() > 0 {
        plan.segments.push(segment);
    }
    Ok(plan)
}

/// Adds the old file around the same place to the segment's prefix.
fn refer(segment: &mut Segment, old: u32, at: u64, len: u64, base: TreeRef<'_>) {
    const AROUND: u64 = 2 << 20;
    let used: u64 = segment.prefix.iter().map(|range| u64::from(range.len)).sum();
    let old_len = base.files.get(old as usize).map_or(0, |file| file.identity.len);
    let start = at.saturating_sub(AROUND).min(old_len);
    let end = at.saturating_add(len + AROUND).min(old_len);
    let len = (end - start).min(u64::from(MAX_PREFIX_BYTES) - used);
    if len > 0 {
        let len = u32::try_from(len).unwrap_or(MAX_PREFIX_BYTES);
        segment.prefix.push(BaseRange { file: old, view: View::Raw, offset: start, len });
    }
}
