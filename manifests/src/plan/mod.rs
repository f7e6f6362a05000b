//! The plan: what turns the files on disk into a release. Data, computed without touching anything, then executed by
//! [`crate::apply`].
//!
//! A file of the release comes, in this order of preference, from: where it lies already; a file of the same identity
//! elsewhere in the install (renamed when nobody else needs it, copied otherwise); another file of the release with the
//! same identity; the equal 16 KiB blocks of the file it replaces, and blocks found elsewhere at any offset
//! ([`Local::pieces`]); the network, for what is then missing.

mod build;
mod local;
mod patch;
#[cfg(test)]
mod tests;

use std::ops::Range;

use crate::folder::Guard;
use crate::path::SafePath;
use crate::release::{FileIdentity, ManifestFile};

pub use build::plan;
pub use local::{Entry, Local, LocalFile};
pub(crate) use patch::{replaced, untouched, writes};

/// How one path of the release comes to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Op {
    /// It is there.
    Keep {
        /// Set or clear the executable bit; `None` when it is right.
        set_executable: Option<bool>,
    },
    /// Rename the file at `from`, which is not needed there any more.
    Move {
        /// Where it lies now.
        from: SafePath,
    },
    /// Copy the file at `from`.
    Copy {
        /// Where it lies now.
        from: SafePath,
    },
    /// Copy what was staged for another file of the release with the same identity.
    Duplicate {
        /// That file's index in the manifest.
        of: usize,
    },
    /// Copy blocks from files of the install, and fetch the others.
    Rebuild {
        /// The files that have them, each once; first the one at the same path.
        from: Vec<Source>,
        /// Byte ranges fetched.
        fetch: Vec<Range<u64>>,
    },
    /// Write the blocks that differ into the file that lies at the path; the others stay where they are. What is written
    /// is staged first, in a sparse file.
    Patch {
        /// Blocks that are found in other files of the install, or elsewhere in this one.
        from: Vec<Source>,
        /// Byte ranges fetched.
        fetch: Vec<Range<u64>>,
        /// Length of the file that lies there, in bytes.
        old_len: u64,
    },
    /// Fetch all of it (nothing, for an empty file).
    Fetch,
    /// Make the symbolic link.
    Link {
        /// Its text.
        target: String,
    },
    /// The symbolic link is there.
    KeepLink,
    /// What lies there is the player's, and the studio lets it stay (see [`crate::release::Policy`]).
    Leave,
    /// Rename what an update kept of the player's back: the release's own version of it is not here.
    GiveBack {
        /// Where it is kept.
        from: SafePath,
    },
}

/// A file of the install that has blocks of another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Where it lies.
    pub path: SafePath,
    /// What is copied, ascending by `range`; no two of an operation overlap.
    pub pieces: Vec<Piece>,
}

/// Blocks of a file of the release that lie in a file of the install, at any offset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// First byte in the file that has them.
    pub at: u64,
    /// The bytes they are in the file of the release: whole blocks.
    pub range: Range<u64>,
}

/// A file of the release in place that the new one replaces or removes, and whose content lies nowhere in it: what going
/// back needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retired {
    /// Where it lies.
    pub path: SafePath,
    /// Its content.
    pub identity: FileIdentity,
    /// What it looked like when the plan was made.
    pub guard: Guard,
}

/// A file to remove, recognised by how it looked when the plan was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removal {
    /// Where.
    pub path: SafePath,
    /// `None` for a link.
    pub guard: Option<Guard>,
}

/// What a run will cost, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Costs {
    /// Of the release, already in place.
    pub bytes_kept: u64,
    /// Of the release, taken from files on this disk: moved or copied.
    pub bytes_local: u64,
    /// To fetch.
    pub bytes_fetch: u64,
    /// Written to game files: copied and fetched. Journal and records come on top.
    pub bytes_written: u64,
    /// Most disk space needed on top of the install as it is.
    pub temp_bytes: u64,
}

/// What turns an install into a release.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// One for each file of the manifest, same order.
    pub ops: Vec<Op>,
    /// Files and links only the old release lists.
    pub remove: Vec<Removal>,
    /// Whole files that going back needs: kept as undo data where the quota allows it.
    pub retire: Vec<Retired>,
    /// The player's files in the way, renamed to `name.mine-DATE`: changed ones, and unlisted ones of a new file's name.
    pub keep_aside: Vec<SafePath>,
    /// The player's files that stay as they are, though the release has another version or none there.
    pub left: Vec<SafePath>,
    /// Folders where a file must go: removed when empty by then, kept aside whole otherwise.
    pub clear_folders: Vec<SafePath>,
    /// Folders only the old release needs, innermost first: removed when empty.
    pub remove_folders: Vec<SafePath>,
    /// Folders the release needs and that are not there, outermost first.
    pub create_folders: Vec<SafePath>,
    /// Every file the plan relies on, as it looked: apply refuses to commit when one changed since.
    pub relies_on: Vec<(SafePath, Guard)>,
    /// Large files of which some blocks may be here, if only their leaf hashes were known: fetch `.leaves`, give them to
    /// [`crate::folder::InstallDir::put_leaves`], plan again.
    pub wants_leaves: Vec<FileIdentity>,
    /// Large files of which blocks are missing: with their rolling checksums (`.sums`) they may be found at other
    /// offsets of local files; see [`Local::pieces`].
    pub wants_sums: Vec<FileIdentity>,
    /// What it costs.
    pub costs: Costs,
}

impl Plan {
    /// Whether the install is the release already.
    pub fn is_nothing(&self) -> bool {
        self.ops.iter().all(|op| matches!(op, Op::Keep { set_executable: None } | Op::KeepLink | Op::Leave))
            && self.remove.is_empty()
            && self.keep_aside.is_empty()
            && self.clear_folders.is_empty()
    }

    /// The same plan without blocks of replaced files: what is not here as a whole file is fetched whole.
    #[must_use]
    pub fn whole_files(&self, files: &[ManifestFile]) -> Self {
        let mut plan = self.clone();
        for op in plan.ops.iter_mut().filter(|op| matches!(op, Op::Rebuild { .. } | Op::Patch { .. })) {
            *op = Op::Fetch;
        }
        plan.costs = build::costs(&plan.ops, files);
        plan
    }

    /// The same plan with files staged whole instead of patched in place, where `wanted` says so of their index.
    pub(crate) fn unpatched(&self, files: &[ManifestFile], wanted: &dyn Fn(usize) -> bool) -> Self {
        let mut plan = self.clone();
        for (index, (op, file)) in plan.ops.iter_mut().zip(files).enumerate() {
            if let Op::Patch { from, fetch, .. } = op
                && wanted(index)
            {
                let stays = patch::untouched(from, fetch, file.identity.len);
                let pieces = stays.into_iter().map(|range| Piece { at: range.start, range }).collect();
                patch::add_source(from, &file.path, pieces);
                *op = Op::Rebuild { from: std::mem::take(from), fetch: std::mem::take(fetch) };
            }
        }
        plan.costs = build::costs(&plan.ops, files);
        plan
    }

    /// Byte ranges to fetch, by index in the manifest.
    pub fn fetch<'a>(
        &'a self,
        files: &'a [ManifestFile],
    ) -> impl Iterator<Item = (usize, Vec<Range<u64>>)> + 'a {
        self.ops.iter().zip(files).enumerate().filter_map(|(index, (op, file))| match op {
            Op::Fetch if file.identity.len > 0 => {
                Some((index, vec![Range { start: 0, end: file.identity.len }]))
            }
            Op::Rebuild { fetch, .. } | Op::Patch { fetch, .. } => Some((index, fetch.clone())),
            _ => None,
        })
    }
}

/// [`PlanOptions::patch_min_len`] when nothing else is said.
pub const PATCH_MIN_LEN: u64 = 4 << 20;

/// What the player or studio asks of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlanOptions {
    /// Whether a listed file that the player changed is kept aside when it is replaced. A repair may say no: what it
    /// replaces is damage. Unlisted files are kept whatever this says, and so is what the studio leaves to the player.
    pub keep_changed: bool,
    /// Files shorter than this, in bytes, are staged whole: writing a few megabytes costs less than the care that patching
    /// in place takes.
    pub patch_min_len: u64,
    /// Whether a file of the release that is not here may be the player's own version of it, which the update that is
    /// undone kept beside. For going back without network.
    pub give_back: bool,
}

impl Default for PlanOptions {
    fn default() -> Self {
        Self { keep_changed: true, patch_min_len: PATCH_MIN_LEN, give_back: false }
    }
}
