//! The hashes of blocks: the build's from when it was read, old files' from the store.

use crate::publish::hash::Hashed;
use crate::store::{Blobs, open_read};
use manifests::folder::LeafSource;
use manifests::hash::{Hash, TreeHasher, leaves_from_bytes, leaves_match};
use manifests::release::FileIdentity;
use std::collections::HashMap;
use std::io::Read as _;
use std::sync::Arc;

/// Bytes read at once.
const READ_LEN: usize = 1024 * 1024;

/// Leaves of all files there are. Which of them a launcher gets to know, the forecast judges.
pub(super) struct Leaves {
    build: HashMap<FileIdentity, Arc<[Hash]>>,
    blobs: Blobs,
}

impl Leaves {
    /// Takes the build's out of what hashing gave.
    pub(super) fn new(hashed: &mut [Hashed], blobs: Blobs) -> Leaves {
        let leaves = |file: &mut Hashed| std::mem::take(&mut file.leaves).iter().map(|leaf| leaf.0).collect();
        let files = hashed.iter_mut().filter(|file| !file.id.is_empty());
        Leaves { build: files.map(|file| (file.id, leaves(file))).collect(), blobs }
    }
}

impl LeafSource for Leaves {
    fn leaves(&self, identity: &FileIdentity) -> Option<Arc<[Hash]>> {
        self.build.get(identity).cloned().or_else(|| stored(identity, &self.blobs))
    }
}

/// The leaves of a file of the store: kept ones, or hashed anew. None when it is not there.
fn stored(id: &FileIdentity, blobs: &Blobs) -> Option<Arc<[Hash]>> {
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
