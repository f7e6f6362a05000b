//! Comparing an install with a release, down to 16 KiB blocks.
//!
//! [`survey`] reads the disk; [`wounds`] and [`crate::plan::plan`] only compute. A repair is a plan made from a full
//! survey: good blocks are copied, wounded ones fetched. What the release does not list is not looked at. [`quick`] reads
//! no content.

mod quick;
mod read;
mod survey;
#[cfg(test)]
mod tests;

use std::ops::Range;

use crate::folder::LeafSource;
use crate::hash::{BlockMap, block_range};
use crate::path::SafePath;
use crate::plan::{Entry, Local, LocalFile};
use crate::release::{FileKind, ManifestFile, ReleaseManifest};

pub use quick::{Misfit, MisfitKind, quick};
pub use survey::{Depth, SurveyError, survey, survey_with};

/// One path that is not as the release says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wound {
    /// Index in the manifest.
    pub index: usize,
    /// Its path.
    pub path: SafePath,
    /// What is wrong; the first that applies.
    pub kind: WoundKind,
}

/// What is wrong with a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WoundKind {
    /// Nothing is there.
    Missing,
    /// A folder, link or device where a file should be, or the other way round.
    WrongType,
    /// The file has another length; the ranges that must be fetched, or all of it when its leaves are not known.
    WrongSize {
        /// Its length, in bytes.
        found: u64,
        /// Byte ranges of the release's file.
        ranges: Vec<Range<u64>>,
    },
    /// The length is right, the content is not.
    Damaged {
        /// Byte ranges, whole blocks; all of the file when its leaves are not known.
        ranges: Vec<Range<u64>>,
    },
    /// The content could not be read (a failing disk).
    Unreadable,
    /// The executable bit is not as it should be.
    WrongExecutable,
    /// The link points elsewhere.
    WrongLink,
}

impl Wound {
    /// Bytes of the release's file that are not there.
    pub fn bytes(&self, file: &ManifestFile) -> u64 {
        match &self.kind {
            WoundKind::WrongSize { ranges, .. } | WoundKind::Damaged { ranges } => {
                ranges.iter().map(|range| range.end - range.start).sum()
            }
            WoundKind::Missing | WoundKind::WrongType | WoundKind::Unreadable => file.identity.len,
            WoundKind::WrongExecutable | WoundKind::WrongLink => 0,
        }
    }
}

/// What differs between `local` and the release, in the release's order.
pub fn wounds(local: &Local, release: &ReleaseManifest, leaves: &dyn LeafSource) -> Vec<Wound> {
    let found = release.files.iter().enumerate().filter_map(|(index, file)| {
        let kind = wound(file, local.entries.get(&file.path), leaves)?;
        Some(Wound { index, path: file.path.clone(), kind })
    });
    found.collect()
}

fn wound(file: &ManifestFile, entry: Option<&Entry>, leaves: &dyn LeafSource) -> Option<WoundKind> {
    let Some(entry) = entry else { return Some(WoundKind::Missing) };
    if is_theirs(file, entry) {
        return None;
    }
    match (&file.kind, entry) {
        (FileKind::File, Entry::File(found)) => wound_of_file(file, found, leaves),
        (FileKind::Symlink { target }, Entry::Link { target: found }) => {
            (found.as_deref() != Some(target.as_str())).then_some(WoundKind::WrongLink)
        }
        _ => Some(WoundKind::WrongType),
    }
}

/// What the player made of a file that the studio leaves to him.
fn is_theirs(file: &ManifestFile, entry: &Entry) -> bool {
    let policy = file.policy();
    match entry {
        Entry::File(found) => {
            policy.leaves_changed() && found.identity.is_some_and(|identity| identity != file.identity)
        }
        Entry::Link { .. } => policy.leaves_changed(),
        Entry::Folder | Entry::Other => policy.merge_never,
    }
}

/// Files of the release that the player made his own, and that the studio leaves to him: no wounds.
pub fn left_to_player(local: &Local, release: &ReleaseManifest) -> Vec<SafePath> {
    let theirs = release
        .files
        .iter()
        .filter(|file| local.entries.get(&file.path).is_some_and(|entry| is_theirs(file, entry)));
    theirs.map(|file| file.path.clone()).collect()
}

fn wound_of_file(file: &ManifestFile, found: &LocalFile, leaves: &dyn LeafSource) -> Option<WoundKind> {
    if found.identity == Some(file.identity) {
        let wrong = found.executable.is_some_and(|on| on != file.executable);
        return wrong.then_some(WoundKind::WrongExecutable);
    }
    if found.identity.is_none() {
        return Some(WoundKind::Unreadable);
    }
    let len = file.identity.len;
    let mut good = BlockMap::none(len);
    if let (Some(found), Some(right)) = (&found.leaves, leaves.leaves(&file.identity)) {
        for (block, (found, right)) in (0u64..).zip(found.iter().zip(right.iter())) {
            if found == right {
                good.mark(block_range(block, len));
            }
        }
    }
    let ranges = good.ranges(false);
    Some(if found.guard.len == len {
        WoundKind::Damaged { ranges }
    } else {
        WoundKind::WrongSize { found: found.guard.len, ranges }
    })
}
