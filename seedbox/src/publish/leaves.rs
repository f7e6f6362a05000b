//! Which leaves of a large file changed since another release: a launcher that has that one's leaves need not fetch
//! them all, 2 MB for each GB, for a patch of a few blocks.

use std::collections::HashMap;
use std::io::{self, Read as _};

use manifests::hash::{Hash, LeafChanges, leaves_from_bytes};
use manifests::release::{FileIdentity, ReleaseManifest};

use crate::error::{DiskContext as _, Result};
use crate::packs::Release;
use crate::store::{Blobs, DataDir};

/// Writes them for every file of the release that has another content in one of the bases.
///
/// # Errors
/// The disk's.
pub(super) fn write_changes(dir: &DataDir, manifest: &ReleaseManifest, bases: &[Release]) -> Result<()> {
    let blobs = Blobs::new(dir);
    let mut written = false;
    for base in bases {
        let earlier: HashMap<_, _> = base.files.iter().map(|file| (&file.path, file.identity)).collect();
        for file in manifest.files.iter().filter(|file| LeafChanges::are_worth_it(file.identity.len)) {
            let Some(&old) = earlier.get(&file.path) else { continue };
            let to = blobs.leaf_changes_path(&file.identity, &old);
            if old == file.identity || to.exists() {
                continue;
            }
            let (Some(before), Some(now)) = (read(&blobs, &old), read(&blobs, &file.identity)) else {
                continue;
            };
            let Some(changes) = LeafChanges::between(old, &before, &now) else { continue };
            let mut temp = dir.temp()?;
            let path = temp.path().to_owned();
            io::Write::write_all(temp.file()?, &changes.encode()).at(&path)?;
            temp.place(&to)?;
            written = true;
        }
    }
    if written { blobs.sync() } else { Ok(()) }
}

/// They are for comfort: what cannot be read is not there.
fn read(blobs: &Blobs, id: &FileIdentity) -> Option<Vec<Hash>> {
    let (mut file, len) = blobs.open_leaves(id).ok()?;
    let mut bytes = Vec::with_capacity(usize::try_from(len).ok()?);
    file.read_to_end(&mut bytes).ok()?;
    leaves_from_bytes(&bytes)
}
