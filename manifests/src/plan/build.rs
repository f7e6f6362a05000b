//! Computing the plan.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ops::Range;

use super::patch::{self, add_source};
use super::{Costs, Entry, Local, Op, Piece, Plan, PlanOptions, Removal, Retired};
use crate::folder::LeafSource;
use crate::hash::BlockMap;
use crate::path::SafePath;
use crate::release::{FileIdentity, FileKind, ManifestFile, Policy, ReleaseManifest};

/// Blocks that moved are looked for when at least one in so many bytes of a file is missing.
const SEARCH_SHARE: u64 = 32;

/// Plans the way from `local` to `target`.
///
/// `leaves` answers for files of the target; a file without leaves is reused whole or not at all.
pub fn plan(local: &Local, target: &ReleaseManifest, leaves: &dyn LeafSource, options: PlanOptions) -> Plan {
    let mut builder = Builder::new(local, &target.files, options);
    builder.keep_what_is_there();
    builder.reuse_whole_files();
    builder.reuse_blocks(leaves, u64::from(target.piece_len));
    if options.give_back {
        builder.give_back();
    }
    patch::prefer(&mut builder.ops, &target.files, local, options);
    builder.clear_the_way();
    builder.remove_the_old();
    builder.retire();
    builder.folders();
    builder.finish()
}

struct Builder<'a> {
    local: &'a Local,
    files: &'a [ManifestFile],
    options: PlanOptions,
    targets: HashSet<&'a SafePath>,
    ops: Vec<Option<Op>>,
    /// Paths whose file goes elsewhere by renaming.
    moved: HashSet<&'a SafePath>,
    plan: Plan,
}

impl<'a> Builder<'a> {
    fn new(local: &'a Local, files: &'a [ManifestFile], options: PlanOptions) -> Self {
        Self {
            local,
            files,
            options,
            targets: files.iter().map(|file| &file.path).collect(),
            ops: vec![None; files.len()],
            moved: HashSet::new(),
            plan: Plan::default(),
        }
    }

    fn keep_what_is_there(&mut self) {
        for (file, op) in self.files.iter().zip(&mut self.ops) {
            *op = match (&file.kind, self.local.entries.get(&file.path)) {
                (FileKind::Symlink { target }, Some(Entry::Link { target: Some(found) }))
                    if found == target.as_str() =>
                {
                    Some(Op::KeepLink)
                }
                (FileKind::Symlink { target }, _) => Some(Op::Link { target: target.as_str().to_owned() }),
                (FileKind::File, Some(Entry::File(found))) if found.identity == Some(file.identity) => {
                    let wrong = found.executable.is_some_and(|on| on != file.executable);
                    Some(Op::Keep { set_executable: wrong.then_some(file.executable) })
                }
                (FileKind::File, _) if stays_theirs(self.local, self.options, file) => Some(Op::Leave),
                (FileKind::File, _) if file.identity.is_empty() => Some(Op::Fetch),
                (FileKind::File, _) => None,
            };
        }
    }

    /// The paths whose file stays there.
    fn stays(&self) -> HashSet<&'a SafePath> {
        let kept = self.files.iter().zip(&self.ops).filter(|(_, op)| matches!(op, Some(Op::Keep { .. })));
        kept.map(|(file, _)| &file.path).collect()
    }

    fn reuse_whole_files(&mut self) {
        let stays = self.stays();
        // The sources of each identity: first those that may be renamed away (ours, and not needed where they lie).
        let mut free: HashMap<FileIdentity, Vec<&'a SafePath>> = HashMap::new();
        let mut any: HashMap<FileIdentity, &'a SafePath> = HashMap::new();
        for (path, entry) in &self.local.entries {
            let Entry::File(file) = entry else { continue };
            let Some(identity) = file.identity.filter(|identity| !identity.is_empty()) else { continue };
            if self.local.is_ours(path) && !stays.contains(path) {
                free.entry(identity).or_default().push(path);
            }
            any.entry(identity).or_insert(path);
        }
        // Undo data come last: whoever takes them gives up going further back.
        for (path, file) in &self.local.undo {
            if let Some(identity) = file.identity.filter(|identity| !identity.is_empty()) {
                free.entry(identity).or_default().insert(0, path);
                any.entry(identity).or_insert(path);
            }
        }
        let mut staged: HashMap<FileIdentity, usize> = HashMap::new();
        for (index, (file, op)) in self.files.iter().zip(&mut self.ops).enumerate() {
            if op.is_some() {
                continue;
            }
            let identity = file.identity;
            if let Some(from) = free.get_mut(&identity).and_then(Vec::pop) {
                self.moved.insert(from);
                *op = Some(Op::Move { from: from.clone() });
            } else if let Some(from) = any.get(&identity) {
                *op = Some(Op::Copy { from: (*from).clone() });
            } else if let Some(of) = staged.get(&identity) {
                *op = Some(Op::Duplicate { of: *of });
            } else {
                staged.insert(identity, index);
            }
        }
    }

    /// The player's own versions stand for what would have to be fetched.
    fn give_back(&mut self) {
        for (file, op) in self.files.iter().zip(&mut self.ops) {
            let lacks = match op {
                Some(Op::Fetch) => file.identity.len > 0,
                Some(Op::Rebuild { fetch, .. }) => !fetch.is_empty(),
                _ => false,
            };
            if lacks && let Some(from) = self.local.mine.get(&file.path) {
                *op = Some(Op::GiveBack { from: from.clone() });
            }
        }
    }

    fn reuse_blocks(&mut self, leaves: &dyn LeafSource, piece_len: u64) {
        // Without files of another release nothing can lie at other offsets.
        let targets: HashSet<FileIdentity> = self.files.iter().map(|file| file.identity).collect();
        let is_other = |entry: &Entry| match entry {
            Entry::File(file) => file.identity.is_some_and(|id| !targets.contains(&id)),
            _ => false,
        };
        let has_others = self.local.entries.values().any(is_other);
        for (file, op) in self.files.iter().zip(&mut self.ops).filter(|(_, op)| op.is_none()) {
            let id = file.identity;
            let old = self.local.file(&file.path).and_then(|old| old.leaves.as_ref());
            let found = self.local.pieces.get(&id);
            // Leaves and checksums are published for files of more than one piece.
            let published = id.len > piece_len;
            let wants_sums = published && has_others && found.is_none();
            *op = Some(Op::Fetch);
            if old.is_none() && found.is_none() {
                if wants_sums {
                    self.plan.wants_sums.push(id);
                }
                continue;
            }
            let Some(new_leaves) = leaves.leaves(&id) else {
                if published {
                    self.plan.wants_leaves.push(id);
                }
                if wants_sums {
                    self.plan.wants_sums.push(id);
                }
                continue;
            };
            let mut have = BlockMap::none(id.len);
            let mut from = Vec::new();
            if let Some(old) = old {
                have = BlockMap::equal(id.len, old, &new_leaves);
                let pieces = have.ranges(true).into_iter().map(|range| Piece { at: range.start, range });
                add_source(&mut from, &file.path, pieces.collect());
            }
            for source in found.map(|found| &**found).unwrap_or_default() {
                add_source(&mut from, &source.path, take_new(&source.pieces, &mut have));
            }
            // All of the old file would be read for what little may be found.
            if wants_sums && have.missing_bytes().saturating_mul(SEARCH_SHARE) >= id.len {
                self.plan.wants_sums.push(id);
            }
            if !from.is_empty() {
                *op = Some(Op::Rebuild { from, fetch: have.ranges(false) });
            }
        }
    }

    /// What lies where the release puts something, or needs a folder.
    fn clear_the_way(&mut self) {
        let mut aside = BTreeSet::new();
        for (file, op) in self.files.iter().zip(&self.ops) {
            if matches!(op, Some(Op::Leave)) {
                // What the player deleted is not worth telling.
                if self.local.entries.contains_key(&file.path) {
                    self.plan.left.push(file.path.clone());
                }
                continue;
            }
            if matches!(op, Some(Op::Keep { .. } | Op::KeepLink)) || self.moved.contains(&file.path) {
                continue;
            }
            let listed = self.local.listed.contains_key(&file.path);
            match self.local.entries.get(&file.path) {
                None => {}
                Some(Entry::Folder) => self.plan.clear_folders.push(file.path.clone()),
                Some(_) if self.local.is_ours(&file.path) => {}
                Some(Entry::File(_)) if listed && !self.options.keep_changed => {}
                Some(_) => {
                    aside.insert(file.path.clone());
                }
            }
        }
        for path in self.needed_folders() {
            match self.local.entries.get(&path) {
                Some(Entry::Folder) | None => {}
                // What is ours goes by `remove_the_old`, or was moved.
                Some(_) if self.local.is_ours(&path) => {}
                Some(_) => {
                    aside.insert(path);
                }
            }
        }
        self.plan.keep_aside.extend(aside);
    }

    fn remove_the_old(&mut self) {
        let known: HashSet<SafePath> = self.plan.keep_aside.iter().cloned().collect();
        for path in self.local.listed.keys().filter(|path| !self.targets.contains(path)) {
            if self.moved.contains(path) || known.contains(path) {
                continue;
            }
            match self.local.entries.get(path) {
                Some(Entry::File(file)) if self.local.is_ours(path) => {
                    self.plan.remove.push(Removal { path: path.clone(), guard: Some(file.guard) });
                }
                Some(Entry::Link { .. }) if self.local.is_ours(path) => {
                    self.plan.remove.push(Removal { path: path.clone(), guard: None });
                }
                Some(Entry::File(_) | Entry::Link { .. })
                    if self.local.policies.get(path).is_some_and(Policy::leaves_dropped) =>
                {
                    self.plan.left.push(path.clone());
                }
                Some(Entry::File(_)) => self.plan.keep_aside.push(path.clone()),
                // A folder, a device, another link: not what the studio put there.
                _ => {}
            }
        }
    }

    /// The release's own files that go, as far as their content is not in the new one.
    fn retire(&mut self) {
        let stays: HashSet<FileIdentity> = self.files.iter().map(|file| file.identity).collect();
        let kept = self.stays();
        let patched = self.files.iter().zip(&self.ops).filter(|(_, op)| matches!(op, Some(Op::Patch { .. })));
        let patched: HashSet<&SafePath> = patched.map(|(file, _)| &file.path).collect();
        for path in self.local.listed.keys() {
            let Some(file) = self.local.file(path) else { continue };
            let Some(identity) = file.identity.filter(|id| !id.is_empty() && !stays.contains(id)) else {
                continue;
            };
            if self.local.is_ours(path) && !kept.contains(path) && !patched.contains(path) {
                self.plan.retire.push(Retired { path: path.clone(), identity, guard: file.guard });
            }
        }
    }

    /// The folders of what the release puts somewhere: not those of files that the player deleted for good.
    fn needed_folders(&self) -> BTreeSet<SafePath> {
        let needed = self.files.iter().zip(&self.ops).filter(|(file, op)| {
            !matches!(op, Some(Op::Leave)) || self.local.entries.contains_key(&file.path)
        });
        folders_above(needed.map(|(file, _)| &file.path))
    }

    fn folders(&mut self) {
        let needed = self.needed_folders();
        let before = folders_above(self.local.listed.keys());
        self.plan.remove_folders = before.difference(&needed).cloned().collect();
        self.plan.remove_folders.reverse();
        // Where case does not count, a folder that goes may be the one that was found under its new name.
        let gone: HashSet<String> = self.plan.remove_folders.iter().map(SafePath::folded).collect();
        let missing = |path: &&SafePath| {
            !matches!(self.local.entries.get(*path), Some(Entry::Folder)) || gone.contains(&path.folded())
        };
        self.plan.create_folders = needed.iter().filter(missing).cloned().collect();
    }

    fn finish(mut self) -> Plan {
        self.plan.ops = self.ops.into_iter().map(|op| op.unwrap_or(Op::Fetch)).collect();
        self.plan.costs = costs(&self.plan.ops, self.files);
        let sources = self.plan.ops.iter().filter_map(|op| match op {
            Op::Move { from } | Op::Copy { from } | Op::GiveBack { from } => Some(from),
            _ => None,
        });
        let rebuilt = self.plan.ops.iter().filter_map(|op| match op {
            Op::Rebuild { from, .. } | Op::Patch { from, .. } => Some(from.iter().map(|source| &source.path)),
            _ => None,
        });
        let targets = self.files.iter().map(|file| &file.path);
        let relied: BTreeMap<&SafePath, _> = targets
            .chain(self.local.listed.keys())
            .chain(sources)
            .chain(rebuilt.flatten())
            .filter_map(|path| Some((path, self.local.file(path)?.guard)))
            .collect();
        // A game may write its settings at any time: what stays as it is need not stay the same.
        let left: HashSet<&SafePath> = self.plan.left.iter().collect();
        let relied = relied.into_iter().filter(|(path, _)| !left.contains(path));
        self.plan.relies_on = relied.map(|(path, guard)| (path.clone(), guard)).collect();
        self.plan
    }
}

/// Whether what the player did to `file` stays, whatever the release has there.
fn stays_theirs(local: &Local, options: PlanOptions, file: &ManifestFile) -> bool {
    let policy = file.policy();
    if !policy.leaves_changed() || local.is_ours(&file.path) {
        return false;
    }
    match local.entries.get(&file.path) {
        // What cannot be read may be damage, and a repair is there for damage.
        Some(Entry::File(found)) => found.identity.is_some() || options.keep_changed,
        Some(Entry::Link { .. }) => true,
        Some(Entry::Folder | Entry::Other) => policy.merge_never,
        // Deleted by the player; a repair brings it back.
        None => policy.merge_never && options.keep_changed && local.listed.contains_key(&file.path),
    }
}

/// Every folder above one of `paths`; an outer one sorts before those in it.
fn folders_above<'p>(paths: impl Iterator<Item = &'p SafePath>) -> BTreeSet<SafePath> {
    let mut all = BTreeSet::new();
    for path in paths {
        let mut folder = path.parent();
        while let Some(path) = folder {
            folder = path.parent();
            if !all.insert(path) {
                break;
            }
        }
    }
    all
}

/// The blocks of `pieces` that `have` lacks; they are marked.
fn take_new(pieces: &[Piece], have: &mut BlockMap) -> Vec<Piece> {
    let mut taken: Vec<Piece> = Vec::new();
    for piece in pieces {
        for range in have.ranges_within(piece.range.clone(), false) {
            let at = piece.at + (range.start - piece.range.start);
            have.mark(range.clone());
            match taken.last_mut() {
                Some(last)
                    if last.range.end == range.start && last.at + (range.start - last.range.start) == at =>
                {
                    last.range.end = range.end;
                }
                _ => taken.push(Piece { at, range }),
            }
        }
    }
    taken
}

fn sum(ranges: &[Range<u64>]) -> u64 {
    ranges.iter().map(|range| range.end - range.start).sum()
}

pub(super) fn costs(ops: &[Op], files: &[ManifestFile]) -> Costs {
    let mut costs = Costs::default();
    for (op, file) in ops.iter().zip(files) {
        let len = file.identity.len;
        let (local, fetch, written) = match op {
            Op::Keep { .. } | Op::KeepLink | Op::Leave | Op::GiveBack { .. } | Op::Link { .. } => {
                costs.bytes_kept += len;
                (0, 0, 0)
            }
            Op::Move { .. } => (len, 0, 0),
            Op::Copy { .. } | Op::Duplicate { .. } => (len, 0, len),
            Op::Rebuild { fetch, .. } => (len.saturating_sub(sum(fetch)), sum(fetch), len),
            Op::Patch { from, fetch, old_len } => {
                let writes = patch::writes(from, fetch);
                // What replaces and what is replaced lies beside the file until the update is over.
                let beside = sum(&writes) + sum(&patch::replaced(&writes, len, *old_len));
                costs.temp_bytes += beside;
                costs.bytes_written += beside + sum(&writes);
                (len.saturating_sub(sum(fetch)), sum(fetch), 0)
            }
            Op::Fetch => (0, len, len),
        };
        costs.bytes_local += local;
        costs.bytes_fetch += fetch;
        costs.bytes_written += written;
        costs.temp_bytes += written;
    }
    costs
}
