//! Carrying out a plan so that the install is the old release or the new one, whatever happens.
//!
//! ```text
//! stage    everything new is written below .samara/staging/; the old release stays playable
//! commit   staged files and undo data synced, then the journal; its rename to its name is the moment of commit
//! patch    blocks written in place               (journal.patch), back by undo when the disk refuses
//! clear    files moved, kept aside, removed      (journal.clear)
//! place    staged files renamed into place       (journal.place)
//! close    the new state.json, the journal removed
//! ```
//! Before the commit nothing of the old release was touched: what is staged is kept, checked and used by the next run.
//! After it every step can be repeated: [`recover`] goes forward from wherever it stopped.

mod check;
mod commit;
mod finish;
mod journal;
mod mine;
mod patch;
mod peek;
mod stage;
#[cfg(test)]
pub(crate) mod tests;
pub mod undo;
mod uninstall;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::File;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::folder::{self, Access, DiskError, FolderError, Guard, InstallDir, LeafSource, Progress};
use crate::hash::{BlockMap, Hash};
use crate::path::SafePath;
use crate::plan::{Op, Plan};
use crate::release::ReleaseManifest;

pub use check::check_fits;
pub use finish::{Applied, open, recover, recover_adopting};
pub use peek::{Lacking, is_between, lacking};
pub(crate) use stage::{fill, for_each};
pub use uninstall::{Uninstalled, uninstall};

/// Free space asked for beyond what the plan counts: journal, state, folders.
const SPARE_BYTES: u64 = 1 << 20;

/// Why an apply stopped. Unless it is [`ApplyError::Unfinished`], the release that was in place still is.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// The file system said no before the commit.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The folder cannot be worked on.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// Not enough room, found before the first write.
    #[error("{needed} bytes are needed on the disk and {available} are free")]
    NoSpace {
        /// Bytes needed.
        needed: u64,
        /// Bytes free.
        available: u64,
    },
    /// A file is not what it was when the plan was made.
    #[error("{0} changed while the update was being prepared")]
    Changed(SafePath),
    /// Parts of a staged file were not fetched.
    #[error("{0} is not complete")]
    Incomplete(SafePath),
    /// A staged file is not what the release says.
    #[error("{0} is damaged in the staging folder")]
    Damaged(SafePath),
    /// The system does not let this user make symbolic links.
    #[error("the symbolic link {0} could not be made")]
    Links(SafePath),
    /// Two names that are one where upper and lower case are not told apart.
    #[error(
        "this folder does not tell upper and lower case apart: {one:?} and the release's {other:?} are one name here"
    )]
    Case {
        /// What is there, or comes first.
        one: String,
        /// The release's file.
        other: String,
    },
    /// The file system has no such files.
    #[error("{path} cannot be stored on this file system: {why}")]
    Limit {
        /// The file.
        path: SafePath,
        /// What is missing.
        why: &'static str,
    },
    /// The folder lies too deep, or the file system takes only shorter names.
    #[error("the name of {0} is too long for this folder")]
    PathTooLong(SafePath),
    /// The journal of a committed apply cannot be read.
    #[error("the journal of an unfinished update is damaged: {0}")]
    Journal(String),
    /// Committed, but the last steps did not work yet.
    #[error("the update is not finished: {0}")]
    Unfinished(#[source] DiskError),
    /// Stopped by [`Progress::cancelled`].
    #[error("stopped")]
    Cancelled,
}

impl ApplyError {
    /// Stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Disk(error) => error.code(),
            Self::Folder(error) => error.code(),
            Self::NoSpace { .. } => "E-DISK-FULL",
            Self::Changed(_) => "E-APPLY-CHANGED",
            Self::Incomplete(_) => "E-APPLY-INCOMPLETE",
            Self::Damaged(_) => "E-APPLY-DAMAGED",
            Self::Links(_) => "E-APPLY-LINKS",
            Self::Case { .. } => "E-FS-CASE",
            Self::Limit { .. } => "E-FS-LIMIT",
            Self::PathTooLong(_) => "E-FS-PATH-TOO-LONG",
            Self::Journal(_) => "E-APPLY-JOURNAL",
            Self::Unfinished(_) => "E-APPLY-UNFINISHED",
            Self::Cancelled => "E-CANCELLED",
        }
    }

    /// What the player can do.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::Disk(error) => error.advice(),
            Self::Folder(error) => error.advice(),
            Self::NoSpace { .. } => {
                "Free some space on this disk, then try again; nothing downloaded is lost."
            }
            Self::Changed(_) => "Close the game and other programs that use its folder, then try again.",
            Self::Incomplete(_) => "Run it again: it goes on where it stopped.",
            Self::Damaged(_) => {
                "Run it again: the damaged parts are fetched once more. If it happens often, check the disk."
            }
            Self::Links(_) => "Turn on Developer Mode in the settings of Windows, then try again.",
            Self::Case { .. } => {
                "Rename or move your own file, then try again; or choose a folder that tells upper and lower case apart."
            }
            Self::Limit { .. } => {
                "Choose a folder on a disk with another file system, such as NTFS, ext4 or btrfs."
            }
            Self::PathTooLong(_) => {
                "Choose a folder with a shorter path, such as one nearer to the top of the disk."
            }
            Self::Journal(_) => {
                "Run `launcher install --adopt` on this folder: the files are checked and completed."
            }
            Self::Unfinished(error) => match error.code() {
                "E-DISK-IO" => "Run it again: it goes on where it stopped.",
                _ => error.advice(),
            },
            Self::Cancelled => "Run it again: it goes on where it stopped.",
        }
    }
}

/// The release to become.
#[derive(Debug, Clone)]
pub struct Target {
    /// Its manifest.
    pub manifest: Arc<ReleaseManifest>,
    /// The manifest as it was signed; a copy is kept so that verify and repair need no network.
    pub bytes: Arc<[u8]>,
    /// The channel it came by.
    pub channel: Option<String>,
}

/// Where the content of one file of the release can be read while the apply runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// In the install, until the commit: serve it only while it still looks like this.
    Installed {
        /// Its path now, which may be another than in the release.
        path: SafePath,
        /// What it looks like.
        guard: Guard,
    },
    /// In the staging folder: the path for [`InstallDir::open_file`].
    Staged {
        /// Below the install folder.
        path: String,
    },
    /// Nothing to read: a link, or an empty file.
    Nowhere,
}

/// One run of a plan on a folder. Shared by the threads that fetch; all methods take `&self`.
pub struct Applier {
    dir: Arc<InstallDir>,
    target: Target,
    plan: Plan,
    /// By index in the manifest: the name in the staging folder, where there is one.
    slots: Vec<Option<String>>,
    /// By index in the manifest: the blocks that are staged and right.
    staged: Mutex<BTreeMap<usize, BlockMap>>,
    relied: HashMap<SafePath, Guard>,
    /// Leaves of the files that are patched, by index: their slots cannot be judged as a whole.
    leaves: Mutex<HashMap<usize, Arc<[Hash]>>>,
    undo_quota: u64,
    threads: usize,
    day: Option<jiff::civil::Date>,
}

impl std::fmt::Debug for Applier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Applier").field("dir", &self.dir).finish_non_exhaustive()
    }
}

impl Applier {
    /// Checks that the plan can be carried out here, and opens the staging folder. What an earlier run staged and this
    /// plan cannot use is removed.
    ///
    /// # Errors
    /// [`ApplyError`]; nothing was written when it is about space or permission.
    pub fn new(dir: Arc<InstallDir>, target: Target, plan: Plan) -> Result<Self, ApplyError> {
        if journal::find(dir.fs())?.is_some() {
            return Err(unfinished_before());
        }
        let plan = patch::only_writable(dir.fs(), &target.manifest.files, plan)?;
        let relied = plan.relies_on.iter().cloned().collect();
        let slots = name_slots(&plan, &target.manifest);
        let files = &target.manifest.files;
        let staged = files.iter().zip(&plan.ops).enumerate();
        let staged = staged.filter_map(|(index, (file, op))| match op {
            Op::Copy { .. } | Op::Rebuild { .. } | Op::Fetch | Op::Duplicate { .. } => {
                Some((index, BlockMap::none(file.identity.len)))
            }
            Op::Patch { from, fetch, .. } => {
                Some((index, patch::not_written(from, fetch, file.identity.len)))
            }
            _ => None,
        });
        let staged = Mutex::new(staged.collect());
        let threads = std::thread::available_parallelism().map_or(2, usize::from).min(8);
        let leaves = Mutex::default();
        let undo_quota = undo::default_quota(target.manifest.total_bytes());
        let applier =
            Self { dir, target, plan, slots, staged, relied, leaves, undo_quota, threads, day: None };
        check_fits(&applier.dir, &applier.target.manifest)?;
        applier.check_case()?;
        applier.check_permission()?;
        applier.check_replaceable()?;
        applier.check_space_before()?;
        applier.open_staging()?;
        Ok(applier)
    }

    /// Limits the threads used to copy, hash and sync; 1 makes the order of calls repeatable.
    #[must_use]
    pub fn with_threads(mut self, threads: usize) -> Self {
        self.threads = threads.max(1);
        self
    }

    /// Says which day it is, for the names of the player's files that are kept: `name.mine-2026-11-22`. Without it they
    /// are called `name.mine`.
    #[must_use]
    pub fn on_day(mut self, day: jiff::civil::Date) -> Self {
        self.day = Some(day);
        self
    }

    /// Keeps the replaced release as undo data when it takes no more than this, in bytes, and together with older ones.
    #[must_use]
    pub fn with_undo_quota(mut self, bytes: u64) -> Self {
        self.undo_quota = bytes;
        self
    }

    /// The folder worked on.
    pub fn dir(&self) -> &Arc<InstallDir> {
        &self.dir
    }

    /// The plan carried out.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The release to become.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// Where the content of file `index` of the manifest lies now, after [`Applier::prepare`].
    pub fn location(&self, index: usize) -> Location {
        let Some(file) = self.target.manifest.files.get(index) else { return Location::Nowhere };
        let installed = |path: &SafePath| match self.relied.get(path) {
            Some(guard) => Location::Installed { path: path.clone(), guard: *guard },
            None => Location::Nowhere,
        };
        match self.plan.ops.get(index) {
            _ if file.identity.is_empty() => Location::Nowhere,
            Some(Op::Keep { .. }) => installed(&file.path),
            Some(Op::Move { from }) => installed(from),
            Some(Op::Duplicate { of }) => self.location(*of),
            // A copy whose source turned out wrong is fetched like the others.
            Some(Op::Copy { .. } | Op::Rebuild { .. } | Op::Patch { .. } | Op::Fetch) => {
                match self.slot_path(index) {
                    Some(path) => Location::Staged { path },
                    None => Location::Nowhere,
                }
            }
            Some(Op::Link { .. } | Op::KeepLink | Op::Leave | Op::GiveBack { .. }) | None => {
                Location::Nowhere
            }
        }
    }

    /// A handle to the staged file `index`, for reading and writing at positions. It exists with its full length after
    /// [`Applier::prepare`].
    ///
    /// # Errors
    /// [`ApplyError::Disk`]; [`ApplyError::Incomplete`] when that file is not staged.
    pub fn open_staged(&self, index: usize) -> Result<File, ApplyError> {
        let path = self.slot_path(index).ok_or_else(|| self.incomplete(index))?;
        Ok(self.dir.open_file(&path, Access::Write)?)
    }

    /// Byte ranges still to be fetched, by index in the manifest. Final after [`Applier::prepare`]; shrinks with
    /// [`Applier::verified`].
    pub fn missing(&self) -> Vec<(usize, Vec<Range<u64>>)> {
        let staged = self.staged();
        let fetched = staged.iter().filter(|(index, _)| self.is_fetched(**index));
        let missing = fetched.map(|(index, have)| (*index, have.ranges(false)));
        missing.filter(|(_, ranges)| !ranges.is_empty()).collect()
    }

    /// Notes that `range` of file `index` was written to its staged file and matches the release's hashes. Whole blocks
    /// count; the commit hashes again whatever was not noted.
    pub fn verified(&self, index: usize, range: Range<u64>) {
        if let Some(have) = self.staged().get_mut(&index) {
            have.mark(range);
        }
    }

    fn staged(&self) -> MutexGuard<'_, BTreeMap<usize, BlockMap>> {
        self.staged.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_fetched(&self, index: usize) -> bool {
        !matches!(self.plan.ops.get(index), Some(Op::Duplicate { .. }))
    }

    fn slot_name(&self, index: usize) -> Option<SafePath> {
        SafePath::parse(self.slots.get(index)?.as_ref()?).ok()
    }

    fn slot_path(&self, index: usize) -> Option<String> {
        let slot = self.slots.get(index)?.as_ref()?;
        Some(format!("{}/{slot}", folder::STAGING))
    }

    fn incomplete(&self, index: usize) -> ApplyError {
        match self.target.manifest.files.get(index) {
            Some(file) => ApplyError::Incomplete(file.path.clone()),
            None => ApplyError::Journal("no such file in the release".to_owned()),
        }
    }
}

fn unfinished_before() -> ApplyError {
    let source = std::io::Error::other("an earlier update must be finished first");
    ApplyError::Unfinished(DiskError { action: "begin in", path: folder::STAGING.to_owned(), source })
}

/// Staged files are named by their content, so that a later run finds them whatever release it is for. One content may
/// be staged several times; moves and links are named by their place in the manifest.
fn name_slots(plan: &Plan, manifest: &ReleaseManifest) -> Vec<Option<String>> {
    let mut used: HashMap<String, u32> = HashMap::new();
    let named = plan.ops.iter().zip(&manifest.files).enumerate();
    named
        .map(|(index, (op, file))| match op {
            Op::Keep { .. } | Op::KeepLink | Op::Leave => None,
            Op::Move { .. } | Op::GiveBack { .. } => Some(format!("move-{index}")),
            Op::Link { .. } => Some(format!("link-{index}")),
            Op::Copy { .. } | Op::Duplicate { .. } | Op::Rebuild { .. } | Op::Patch { .. } | Op::Fetch => {
                let name = file.identity.to_string();
                let count = used.entry(name.clone()).and_modify(|count| *count += 1).or_insert(0);
                Some(if *count == 0 { name } else { format!("{name}.{count}") })
            }
        })
        .collect()
}

/// The slots of the plan that hold data before the commit.
fn data_slots(plan: &Plan, slots: &[Option<String>]) -> HashSet<String> {
    let data = plan
        .ops
        .iter()
        .zip(slots)
        .filter(|(op, _)| !matches!(op, Op::Move { .. } | Op::GiveBack { .. } | Op::Link { .. }));
    data.filter_map(|(_, slot)| slot.clone()).collect()
}
