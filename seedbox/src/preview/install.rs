//! An install as a player has it who holds a release, nothing more and nothing less; and the block hashes that such a
//! player's launcher would know.

use crate::publish::hash::Hashed;
use crate::store::{Blobs, open_read};
use manifests::folder::{Guard, LeafSource, Listed};
use manifests::hash::{BLOCK_LEN, Hash, TreeHasher, leaves_from_bytes, leaves_match};
use manifests::plan::{Entry, Local, LocalFile};
use manifests::release::{FileIdentity, FileKind, ReleaseManifest};
use std::collections::{HashMap, HashSet};
use std::io::Read as _;
use std::sync::Arc;

/// Bytes read at once.
const READ_LEN: usize = 1024 * 1024;

/// The block hashes of the build that a launcher would get: the published ones of files longer than a piece, and what
/// the torrent's own layers say.
pub(super) struct TargetLeaves(HashMap<FileIdentity, Arc<[Hash]>>);

impl TargetLeaves {
    /// Takes them out of what hashing gave.
    pub(super) fn new(target: &ReleaseManifest, hashed: &mut [Hashed]) -> TargetLeaves {
        let known = |len: u64| len > u64::from(target.piece_len) || u64::from(target.piece_len) <= BLOCK_LEN;
        let files = hashed.iter_mut().filter(|file| known(file.id.len) || file.id.len <= BLOCK_LEN);
        let leaves = |file: &mut Hashed| std::mem::take(&mut file.leaves).iter().map(|leaf| leaf.0).collect();
        TargetLeaves(files.map(|file| (file.id, leaves(file))).filter(|(id, _)| !id.is_empty()).collect())
    }
}

impl LeafSource for TargetLeaves {
    fn leaves(&self, identity: &FileIdentity) -> Option<Arc<[Hash]>> {
        self.0.get(identity).cloned()
    }
}

/// What a survey would find where `base` is installed (nothing: an empty folder) and `target` is wanted.
pub(super) fn imagine(base: Option<&ReleaseManifest>, target: &ReleaseManifest, blobs: &Blobs) -> Local {
    let wanted: HashMap<&str, FileIdentity> =
        target.files.iter().map(|file| (file.path.as_str(), file.identity)).collect();
    let contents: HashSet<FileIdentity> = target.files.iter().map(|file| file.identity).collect();
    let mut local = Local::default();
    for (number, file) in (1u64..).zip(base.iter().flat_map(|base| &base.files)) {
        let mut above = file.path.parent();
        while let Some(folder) = above {
            above = folder.parent();
            if local.entries.insert(folder, Entry::Folder).is_some() {
                break;
            }
        }
        let id = file.identity;
        let (entry, listed) = match &file.kind {
            FileKind::Symlink { target } => {
                let target = target.as_str().to_owned();
                (Entry::Link { target: Some(target.clone()) }, Listed::Link { target })
            }
            FileKind::File => {
                let guard = Guard { len: id.len, mtime_ns: 0, inode: number };
                // As a survey does: leaves are worth something where a file of more than a block is replaced.
                let replaced = wanted.get(file.path.as_str()).filter(|wanted| **wanted != id);
                let useful = replaced.is_some_and(|wanted| wanted.len.min(id.len) > BLOCK_LEN);
                let leaves = if useful && !contents.contains(&id) { leaves_of(&id, blobs) } else { None };
                let executable = file.executable;
                let found = LocalFile { guard, executable: Some(executable), identity: Some(id), leaves };
                (Entry::File(found), Listed::File { id, executable, guard: Some(guard) })
            }
        };
        local.entries.insert(file.path.clone(), entry);
        local.listed.insert(file.path.clone(), listed);
    }
    local
}

/// The leaves of a file of the store: kept ones, or hashed anew. None when it is not there.
fn leaves_of(id: &FileIdentity, blobs: &Blobs) -> Option<Arc<[Hash]>> {
    if let Ok((file, len)) = blobs.open_leaves(id) {
        let mut bytes = Vec::new();
        file.take(len).read_to_end(&mut bytes).ok()?;
        if let Some(leaves) = leaves_from_bytes(&bytes).filter(|leaves| leaves_match(id, leaves)) {
            return Some(leaves.into());
        }
    }
    let mut file = open_read(&blobs.path(id)).ok()?;
    let (mut hasher, mut buf) = (TreeHasher::default(), vec![0; READ_LEN]);
    loop {
        match file.read(&mut buf).ok()? {
            0 => break,
            count => hasher.update(buf.get(..count)?),
        }
    }
    let hashed = hasher.finish();
    (hashed.identity == *id).then(|| hashed.leaves.into())
}
