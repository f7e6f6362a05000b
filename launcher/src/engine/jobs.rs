//! From files on the disk to what the swarm is told: which blocks are here, which are wanted, where each file lies.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use manifests::apply::{Applier, Location};
use manifests::folder::{Access, DiskError, Fs, Guard, InstallDir, LeafSource as _, Listed};
use manifests::hash::{Hash, TreeHasher};
use manifests::plan::Op;
use manifests::release::FileIdentity;
use protocol::blockset::BlockSet;
use protocol::disk::{FileStamp, FileStore};
use protocol::units::{FileIndex, Root};

use crate::engine::board::Task;
use crate::engine::command::Sources;
use crate::engine::content::Content;
use crate::engine::goal::{Goal, Leaves};
use crate::engine::sources::{InstallFiles, Place};
use crate::engine::transfer::{Hints, Job, OnWeb};
use crate::error::LaunchError;

const HASH_STEP: usize = 1 << 20;

/// A job under construction.
struct Draft<'a> {
    content: &'a Content,
    places: Vec<Place>,
    have: BlockSet,
    wanted: BlockSet,
    bytes: u64,
    leaves: HashMap<FileIndex, Arc<[Root]>>,
}

impl<'a> Draft<'a> {
    fn new(content: &'a Content) -> Self {
        let layout = &content.torrent.layout;
        Self {
            content,
            places: vec![Place::Nowhere; layout.files.len()],
            have: BlockSet::new(layout.block_count()),
            wanted: BlockSet::new(layout.block_count()),
            bytes: 0,
            leaves: HashMap::new(),
        }
    }

    fn place(&mut self, file: FileIndex, place: Place) {
        if let Some(slot) = self.places.get_mut(file.0 as usize) {
            *slot = place;
        }
    }

    fn have(&mut self, file: FileIndex) {
        for blocks in self.content.torrent.layout.blocks_of_file(file) {
            self.have.insert_range(blocks);
        }
    }

    fn lack(&mut self, file: FileIndex, ranges: &[Range<u64>]) {
        for range in ranges {
            for blocks in self.content.torrent.layout.blocks_of_range(file, range.clone()) {
                self.have.remove_range(blocks);
            }
        }
    }

    fn want(&mut self, file: FileIndex, ranges: &[Range<u64>]) {
        for range in ranges {
            self.bytes += range.end - range.start;
            for blocks in self.content.torrent.layout.blocks_of_range(file, range.clone()) {
                self.wanted.insert_range(blocks);
            }
        }
    }

    fn know(&mut self, file: FileIndex, leaves: Option<Arc<[Hash]>>) {
        if let Some(known) = leaves {
            self.leaves.insert(file, known.iter().map(|hash| Root(*hash)).collect());
        }
    }

    fn finish(self, dir: Arc<InstallDir>, hints: Hints, sources: Sources) -> Job {
        Job {
            torrent: self.content.torrent.clone(),
            store: Arc::new(FileStore::new(InstallFiles::new(dir, self.places))),
            on_web: OnWeb::Blobs,
            have: self.have,
            wanted: self.wanted,
            bytes: self.bytes,
            leaves: self.leaves,
            hints,
            sources,
        }
    }
}

/// Fetches `wanted` of `missing` (by number in the manifest) into staged files, and offers what is there meanwhile.
pub(crate) fn fetching(
    goal: &Goal,
    applier: &Applier,
    content: &Content,
    missing: &[(usize, Vec<Range<u64>>)],
    wanted: &[(usize, Vec<Range<u64>>)],
) -> Result<Job, LaunchError> {
    let by_number = |list: &'_ [(usize, Vec<Range<u64>>)]| -> HashMap<usize, Vec<Range<u64>>> {
        list.iter().cloned().collect()
    };
    let (missing, wanted) = (by_number(missing), by_number(wanted));
    let mut draft = Draft::new(content);
    let leaves = Leaves { dir: goal.dir.clone(), content: Some(content.clone()) };
    for (file, at) in content.files() {
        let Some(identity) = content.identity(file).filter(|identity| identity.len > 0) else { continue };
        let Some(then) = content.manifest.files.get(at).map(|file| file.path.to_string()) else { continue };
        match applier.location(at) {
            Location::Nowhere => {}
            Location::Installed { path, guard } => {
                if let Some(stamp) = unchanged(&goal.dir, path.as_str(), guard)? {
                    draft.have(file);
                    let path = path.to_string();
                    let then = (then != path).then_some(then);
                    draft.place(file, Place::Installed { path, stamp, then });
                }
            }
            // Staged under another number: there it is fetched and from there it is offered.
            Location::Staged { .. } if matches!(applier.plan().ops.get(at), Some(Op::Duplicate { .. })) => {}
            Location::Staged { path } => {
                // Only what a patch writes is in its staged file, so nothing of it is offered before it has come.
                if !matches!(applier.plan().ops.get(at), Some(Op::Patch { .. })) {
                    draft.have(file);
                }
                draft.place(file, Place::Staged { path, then });
                draft.lack(file, missing.get(&at).map(Vec::as_slice).unwrap_or_default());
                let Some(ranges) = wanted.get(&at) else { continue };
                draft.want(file, ranges);
                draft.know(file, leaves.leaves(&identity));
            }
        }
    }
    Ok(draft.finish(goal.dir.clone(), goal.hints.clone(), goal.sources))
}

/// A file of an earlier release that is completed beside the install.
pub(crate) struct Healing {
    /// Number in that release's manifest.
    pub(crate) number: usize,
    /// Where it is written, below the install.
    pub(crate) path: String,
    /// Byte ranges that lack.
    pub(crate) wanted: Vec<Range<u64>>,
}

/// Fetches parts of an earlier release's files.
pub(crate) fn healing(goal: &Goal, content: &Content, files: &[Healing]) -> Job {
    let by_number: HashMap<usize, &Healing> = files.iter().map(|file| (file.number, file)).collect();
    let mut draft = Draft::new(content);
    let leaves = Leaves { dir: goal.dir.clone(), content: Some(content.clone()) };
    for (file, at) in content.files() {
        let (Some(healing), Some(identity)) = (by_number.get(&at), content.identity(file)) else { continue };
        draft.place(file, Place::Staged { path: healing.path.clone(), then: healing.path.clone() });
        draft.want(file, &healing.wanted);
        draft.know(file, leaves.leaves(&identity));
    }
    draft.finish(goal.dir.clone(), goal.hints.clone(), goal.sources)
}

/// Offers everything of the release in place that is as it should be. A file that looks changed is read: when its
/// content is the release's it is offered, otherwise not.
pub(crate) fn seeding(
    task: &Task,
    dir: Arc<InstallDir>,
    content: &Content,
    hints: Hints,
) -> Result<Job, LaunchError> {
    let state = dir.state();
    let mut draft = Draft::new(content);
    for (file, at) in content.files() {
        let Some(listed) = content.manifest.files.get(at) else { continue };
        let Some(Listed::File { id, guard, .. }) = state.files.get(&listed.path) else { continue };
        if *id != listed.identity || id.len == 0 {
            continue;
        }
        if let Some(stamp) = verified(&dir, listed.path.as_str(), id, *guard)? {
            draft.have(file);
            draft.place(file, Place::Installed { path: listed.path.to_string(), stamp, then: None });
        } else {
            task.note(format!("{} is not the release's any more and is not offered to others", listed.path));
        }
    }
    Ok(draft.finish(dir, hints, Sources { peers: true, web: false }))
}

/// The stamp of a file that still looks like `guard`.
fn unchanged(dir: &InstallDir, path: &str, guard: Guard) -> Result<Option<FileStamp>, LaunchError> {
    // Stamped before it is compared: a change in between shows in the comparison, a later one in the stamp.
    let Ok(file) = dir.fs().open_std(path, Access::Read) else { return Ok(None) };
    let stamp = FileStamp::of(&file).map_err(DiskError::at("look at", path))?;
    Ok((dir.guard(path)? == Some(guard)).then_some(stamp))
}

/// The stamp of a file that has this content: it looks as it did, or was read just now.
fn verified(
    dir: &InstallDir,
    path: &str,
    identity: &FileIdentity,
    guard: Option<Guard>,
) -> Result<Option<FileStamp>, LaunchError> {
    if let Some(guard) = guard
        && let Some(stamp) = unchanged(dir, path, guard)?
    {
        return Ok(Some(stamp));
    }
    let Ok(file) = dir.fs().open_std(path, Access::Read) else { return Ok(None) };
    let stamp = FileStamp::of(&file).map_err(DiskError::at("look at", path))?;
    if stamp.len != identity.len {
        return Ok(None);
    }
    Ok((identity_of(dir.fs(), path)? == *identity).then_some(stamp))
}

fn identity_of(fs: &dyn Fs, path: &str) -> Result<FileIdentity, LaunchError> {
    let file = fs.open(path, Access::Read).map_err(DiskError::at("open", path))?;
    let mut hasher = TreeHasher::default();
    let mut buf = vec![0; HASH_STEP];
    let mut offset = 0u64;
    loop {
        let count = file.read_at(offset, &mut buf).map_err(DiskError::at("read", path))?;
        let Some(part) = buf.get(..count).filter(|part| !part.is_empty()) else {
            return Ok(hasher.finish().identity);
        };
        hasher.update(part);
        offset += count as u64;
    }
}
