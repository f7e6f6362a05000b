//! Proof before signing: a pack is read back and applied with nothing but the base's files, and what the base's files
//! are is checked too: a pack made from a damaged blob would prove itself, and fail at every player.

use super::bases::Release;
use crate::error::{Error, Result};
use crate::platform;
use crate::progress::Progress;
use crate::store::{BlobContent, Blobs, open_read};
use manifests::pack::{Index, PackError, PackFile, PackProgress, PackStage, Slice, TreeRef, prove};
use manifests::release::{FileIdentity, MAX_PACK_INDEX_BYTES, ManifestFile};
use protocol::merkle::FileHasher;
use std::collections::BTreeSet;
use std::fs::File;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// Bytes read at once.
const READ_LEN: usize = 1024 * 1024;

/// Tells a [`Progress`] about work on a pack.
pub(crate) struct Told<'a>(pub(crate) &'a dyn Progress);

impl PackProgress for Told<'_> {
    fn stage(&self, stage: PackStage, bytes: u64) {
        self.0.stage(stage.name(), bytes);
    }
    fn advance(&self, bytes: u64) {
        self.0.read(bytes);
    }
    fn cancelled(&self) -> bool {
        false
    }
}

/// Applies the pack in `file` and hashes every file it rebuilds. Returns its index, with the index's bytes.
pub(crate) fn proven(
    file: &File,
    len: u64,
    blobs: &Blobs,
    base: Option<&Release>,
    target: &[ManifestFile],
    threads: usize,
    progress: &dyn Progress,
) -> Result<(Index, Vec<u8>)> {
    let read_at = |offset: u64, buf: &mut [u8]| platform::read_exact_at(file, buf, offset);
    let pack = PackFile::new(len, &read_at);
    let (index, bytes) = pack.index(&manifests::pack::Limits::default()).map_err(Error::Pack)?;
    if bytes.len() as u64 > MAX_PACK_INDEX_BYTES {
        return Err(Error::Pack(PackError::TooLarge("its index is too long")));
    }
    index.validate(base.map(|base| base.files.as_slice()), target).map_err(Error::Pack)?;
    if let Some(base) = base {
        check_base(&index, base, blobs, threads, progress)?;
    }
    let content = base.map(|base| BlobContent::new(blobs, &base.files));
    let tree = base.zip(content.as_ref()).map(|(base, content)| TreeRef { files: &base.files, content });
    match prove(&pack, &index, tree, target, &Told(progress), &mut |_, _, _| Ok(())) {
        Ok(_) => Ok((index, bytes)),
        Err(error) => Err(explained(error, blobs, target)),
    }
}

/// A file that comes out wrong was damaged in the store, most likely, before the pack was made from it.
fn explained(error: PackError, blobs: &Blobs, target: &[ManifestFile]) -> Error {
    let wrong = match error {
        PackError::Output { file, .. } => target.get(file as usize),
        _ => None,
    };
    match wrong
        .map(|file| check_blob(&blobs.path(&file.identity), &file.identity, &mut vec![0; READ_LEN], &()))
    {
        Some(Err(damaged)) => damaged,
        _ => Error::Pack(error),
    }
}

/// Hashes every blob of the base that the pack refers to.
fn check_base(
    index: &Index,
    base: &Release,
    blobs: &Blobs,
    threads: usize,
    progress: &dyn Progress,
) -> Result<()> {
    let copied = index.files.iter().flat_map(|recipe| &recipe.slices).filter_map(|slice| match slice {
        Slice::Base { file, .. } => Some(*file),
        Slice::Frame { .. } => None,
    });
    let prefixes = index.frames.iter().flat_map(|frame| &frame.prefix).map(|range| range.file);
    let used: BTreeSet<FileIdentity> =
        copied.chain(prefixes).filter_map(|file| base.files.get(file as usize)).map(|f| f.identity).collect();
    let used: Vec<FileIdentity> = used.into_iter().filter(|id| id.len > 0).collect();
    progress.stage("checking", used.iter().map(|id| id.len).sum());
    let (next, failed) = (AtomicUsize::new(0), Mutex::new(None));
    std::thread::scope(|scope| {
        for _ in 0..threads.clamp(1, used.len().max(1)) {
            scope.spawn(|| {
                let mut buf = vec![0; READ_LEN];
                while let Some(id) = used.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Err(error) = check_blob(&blobs.path(id), id, &mut buf, progress) {
                        failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
                        next.store(used.len(), Ordering::Relaxed);
                    }
                }
            });
        }
    });
    failed.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err)
}

fn check_blob(path: &Path, id: &FileIdentity, buf: &mut [u8], progress: &dyn Progress) -> Result<()> {
    let damaged = || Error::BlobDamaged(path.to_owned());
    let file = open_read(path).map_err(|_| damaged())?;
    let mut hasher = FileHasher::new();
    let mut at = 0;
    while at < id.len {
        let step = (id.len - at).min(buf.len() as u64);
        let part = buf.get_mut(..step as usize).unwrap_or_default();
        platform::read_exact_at(&file, part, at).map_err(|_| damaged())?;
        hasher.update(part);
        progress.read(step);
        at += step;
    }
    if hasher.finish().root.is_some_and(|root| root.0 == id.root) { Ok(()) } else { Err(damaged()) }
}
