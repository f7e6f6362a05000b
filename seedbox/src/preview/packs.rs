//! The packs that a publish would make, made and thrown away: only what they hold for whom stays.

use super::PackPreview;
use crate::error::{Error, Result};
use crate::packs::{PackOptions, Release, Told, full_worth, threads};
use crate::progress::Progress;
use crate::store::{BlobContent, Blobs};
use manifests::pack::{CreateOptions, Index, TreeRef, create};
use manifests::release::{FileIdentity, PackEntry};
use std::sync::Arc;

/// A pack that was made.
pub(super) struct New {
    /// As the pack list would name it, but for hashes: its root is no root, and tells these packs apart.
    pub(super) entry: PackEntry,
    pub(super) index: Arc<Index>,
}

impl New {
    pub(super) fn told(&self) -> PackPreview {
        PackPreview {
            base: self.entry.base_version().map(ToString::to_string),
            bytes: self.entry.identity.len,
            index_bytes: self.entry.index_len,
        }
    }
}

/// Makes what `publish` would make with the same options, the full pack first.
pub(super) fn make(
    target: TreeRef<'_>,
    bases: &[Release],
    blobs: &Blobs,
    options: &PackOptions,
    progress: &dyn Progress,
) -> Result<Vec<New>> {
    let mut made = Vec::new();
    if let Some(at_most) = full_worth(options.full, options.level, target)? {
        let pack = one(None, blobs, target, options, progress)?;
        made.extend(Some(pack).filter(|pack| at_most.is_none_or(|limit| pack.entry.identity.len <= limit)));
    }
    for base in bases {
        made.push(one(Some(base), blobs, target, options, progress)?);
    }
    for (number, pack) in (1u8..).zip(&mut made) {
        pack.entry.identity.root = [number; 32];
    }
    Ok(made)
}

fn one(
    base: Option<&Release>,
    blobs: &Blobs,
    target: TreeRef<'_>,
    options: &PackOptions,
    progress: &dyn Progress,
) -> Result<New> {
    let content = base.map(|base| BlobContent::new(blobs, &base.files));
    let tree = base.zip(content.as_ref()).map(|(base, content)| TreeRef { files: &base.files, content });
    let create_options = CreateOptions { level: options.level, threads: threads(options) };
    let created = create(tree, target, &create_options, &mut std::io::sink(), &Told(progress));
    let created = created.map_err(Error::Pack)?;
    let entry = PackEntry {
        base: base.map(Release::as_base),
        identity: FileIdentity { len: created.len, root: [0; 32] },
        index_len: created.index_bytes.len() as u64,
        index_sha256: [0; 32],
        piece_len: 16 * 1024,
        info_hash_v1: [0; 20],
        info_hash_v2: [0; 32],
        encoder: created.index.encoder,
        level: crate::packs::level_name(options.level).to_owned(),
        memory: 0,
    };
    Ok(New { entry, index: Arc::new(created.index) })
}
