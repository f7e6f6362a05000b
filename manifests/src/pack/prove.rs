//! A pack applied: every listed file rebuilt, in bounded memory, and held against its identity.

use std::collections::HashMap;

use super::content::{Content, TreeRef};
use super::index::{Index, Slice};
use super::layout::PackFile;
use super::{PackError, PackProgress, PackStage, rebuild_frame};
use crate::hash::TreeHasher;
use crate::release::ManifestFile;

/// Bytes copied from the base at a time.
const COPY_BYTES: usize = 256 << 10;

/// What a proof saw.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Proof {
    /// Files rebuilt and found right.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// Where rebuilt files go while they are proven: (ordinal, offset, bytes), offsets ascending within a file.
pub type Sink<'a> = dyn FnMut(u32, u64, &[u8]) -> Result<(), PackError> + 'a;

/// Applies the whole pack on the calling thread and hashes every file it lists. A frame is rebuilt once and kept only
/// until the last file that needs it.
///
/// # Errors
/// The first file that does not come out right, and whatever reading fails with.
pub fn prove(
    pack: &PackFile<'_>,
    index: &Index,
    base: Option<TreeRef<'_>>,
    target: &[ManifestFile],
    progress: &dyn PackProgress,
    sink: &mut Sink<'_>,
) -> Result<Proof, PackError> {
    index.validate(base.map(|tree| tree.files), target)?;
    let listed = index.files.iter().filter_map(|recipe| target.get(recipe.file as usize));
    progress.stage(PackStage::Proving, listed.map(|file| file.identity.len).sum());
    let mut frames = Frames::new(pack, index, base.map(|tree| tree.content));
    let mut proof = Proof::default();
    // In the order of their frames, so that few are open at a time.
    let mut order: Vec<_> = index.files.iter().collect();
    order.sort_by_key(|recipe| (recipe.frames().first().copied().unwrap_or(u32::MAX), recipe.file));
    for recipe in order {
        if progress.cancelled() {
            return Err(PackError::Cancelled);
        }
        let wrong = |reason| PackError::Output { file: recipe.file, reason };
        let identity = target.get(recipe.file as usize).ok_or(wrong("there is no such file"))?.identity;
        let mut hasher = TreeHasher::default();
        let mut at = 0u64;
        for slice in &recipe.slices {
            frames.each(slice, &mut |bytes| {
                hasher.update(bytes);
                sink(recipe.file, at, bytes)?;
                at += bytes.len() as u64;
                Ok(())
            })?;
        }
        if hasher.finish().identity != identity {
            return Err(wrong("its hash is another"));
        }
        proof.files += 1;
        proof.bytes += identity.len;
        progress.advance(identity.len);
    }
    Ok(proof)
}

/// Frames rebuilt when first needed, dropped after their last use.
struct Frames<'a> {
    pack: &'a PackFile<'a>,
    index: &'a Index,
    base: Option<&'a dyn Content>,
    uses: Vec<u32>,
    open: HashMap<u32, Vec<u8>>,
    /// For copies.
    buffer: Vec<u8>,
}

struct NoBase;

impl Content for NoBase {
    fn read_at(&self, _: u32, _: u64, _: &mut [u8]) -> std::io::Result<()> {
        Err(std::io::ErrorKind::NotFound.into())
    }

    fn len(&self, _: u32) -> std::io::Result<u64> {
        Err(std::io::ErrorKind::NotFound.into())
    }
}

impl<'a> Frames<'a> {
    fn new(pack: &'a PackFile<'a>, index: &'a Index, base: Option<&'a dyn Content>) -> Self {
        let mut uses = vec![0u32; index.frames.len()];
        for slice in index.files.iter().flat_map(|recipe| &recipe.slices) {
            if let Slice::Frame { frame, .. } = slice
                && let Some(count) = uses.get_mut(*frame as usize)
            {
                *count += 1;
            }
        }
        Self { pack, index, base, uses, open: HashMap::new(), buffer: Vec::new() }
    }

    fn each(
        &mut self,
        slice: &Slice,
        give: &mut dyn FnMut(&[u8]) -> Result<(), PackError>,
    ) -> Result<(), PackError> {
        let base = self.base.unwrap_or(&NoBase);
        match *slice {
            Slice::Base { file, offset, len } => {
                self.buffer.resize(COPY_BYTES, 0);
                let mut done = 0u64;
                while done < len {
                    let now = usize::try_from(len - done).map_or(COPY_BYTES, |rest| rest.min(COPY_BYTES));
                    let part = self.buffer.get_mut(..now).unwrap_or_default();
                    base.read_at(file, offset + done, part).map_err(|source| PackError::Read {
                        tree: "base",
                        file,
                        source,
                    })?;
                    give(part)?;
                    done += now as u64;
                }
                Ok(())
            }
            Slice::Frame { frame, offset, len } => {
                if !self.open.contains_key(&frame) {
                    let bytes = self.pack.frame(self.index, frame)?;
                    self.open.insert(frame, rebuild_frame(self.index, frame, &bytes, base)?);
                }
                let start = offset as usize;
                let segment = self.open.get(&frame).map(Vec::as_slice).unwrap_or_default();
                let part = segment
                    .get(start..start + len as usize)
                    .ok_or(PackError::Index("a slice is out of range"))?;
                give(part)?;
                if let Some(count) = self.uses.get_mut(frame as usize) {
                    *count = count.saturating_sub(1);
                    if *count == 0 {
                        self.open.remove(&frame);
                    }
                }
                Ok(())
            }
        }
    }
}
