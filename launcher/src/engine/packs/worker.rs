//! One job of the rebuild on a thread of its own: a frame or a copy, its bytes written, what it completes verified.
//!
//! A job's memory is bounded: a frame declares its need, at most 64 MiB, and copies go through a small buffer.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use manifests::apply::Applier;
use manifests::folder::{Access, DiskError, FsFile, InstallDir};
use manifests::hash::{self, BLOCK_LEN, Hash, TreeHasher};
use manifests::pack::{Index, rebuild_frame};
use manifests::release::{FileIdentity, ManifestFile};

use crate::engine::packs::base::{BaseContent, Bases};
use crate::engine::packs::torrent::fill;
use crate::engine::packs::work::{Doing, Output, Put};
use crate::error::LaunchError;

/// Bytes copied or hashed at once: whole blocks.
const CHUNK: usize = 1 << 20;

/// A step's pack, as jobs need it.
pub(crate) struct PackAtHand {
    /// The pack's file, below the install.
    pub(crate) path: String,
    pub(crate) index: Arc<Index>,
    /// The base's files; empty for a full pack.
    pub(crate) base: Arc<[ManifestFile]>,
}

/// What all jobs of a run share.
pub(crate) struct Bench {
    pub(crate) dir: Arc<InstallDir>,
    pub(crate) applier: Arc<Applier>,
    pub(crate) bases: Bases,
    /// By step.
    pub(crate) packs: Vec<PackAtHand>,
    /// By output: where it is written, below the install; none when it has no place.
    pub(crate) paths: Vec<Option<String>>,
    pub(crate) outputs: Vec<Output>,
    /// By output: found right while it was written.
    pub(crate) judged: Vec<AtomicBool>,
}

/// Why a job failed, and whether the disk is to blame: then the whole operation ends.
#[derive(Debug)]
pub(crate) enum Failed {
    /// The frame or its base: what it makes is fetched another way.
    Job(String),
    /// The install's own disk.
    Disk(LaunchError),
}

impl From<DiskError> for Failed {
    fn from(error: DiskError) -> Self {
        Self::Disk(error.into())
    }
}

impl Bench {
    /// Performs a job. A decoder's panic is the job's failure.
    pub(crate) fn perform(&self, doing: Doing, puts: &[Put]) -> Result<(), Failed> {
        let work = || match doing {
            Doing::Frame { step, frame } => self.frame(step, frame, puts),
            Doing::Copy { step, file } => puts.iter().try_for_each(|put| self.copy(step, file, put)),
        };
        catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err(Failed::Job("it broke off".to_owned())))
    }

    fn pack(&self, step: usize) -> Result<&PackAtHand, Failed> {
        self.packs.get(step).ok_or_else(|| Failed::Job("there is no such step".to_owned()))
    }

    fn frame(&self, step: usize, frame: u32, puts: &[Put]) -> Result<(), Failed> {
        let pack = self.pack(step)?;
        let lacking = || Failed::Job(format!("there is no frame {frame}"));
        let entry = pack.index.frames.get(frame as usize).ok_or_else(lacking)?;
        let file = self.dir.fs().open(&pack.path, Access::Read).map_err(DiskError::at("open", &pack.path))?;
        // At most `pack::MAX_MEMORY_BYTES`: the index was validated.
        let mut bytes = vec![0; entry.len as usize];
        let found = fill(&*file, entry.offset, &mut bytes).map_err(DiskError::at("read", &pack.path))?;
        if found < bytes.len() {
            return Err(Failed::Job(format!("frame {frame} is cut short")));
        }
        drop(file);
        let base = BaseContent::new(&self.bases, &pack.base);
        let made = rebuild_frame(&pack.index, frame, &bytes, &base)
            .map_err(|error| Failed::Job(format!("{}: {error}", error.code())))?;
        drop(bytes);
        puts.iter().try_for_each(|put| {
            let range = usize::try_from(put.offset).ok().and_then(|from| {
                let to = from.checked_add(usize::try_from(put.len).ok()?)?;
                made.get(from..to)
            });
            self.put(put, range.ok_or_else(|| Failed::Job(format!("frame {frame} is too short")))?)
        })
    }

    /// Writes what is a whole file only when it is right; other files are judged when they are finished.
    fn put(&self, put: &Put, bytes: &[u8]) -> Result<(), Failed> {
        let Some((path, output)) = self.output(put.output) else { return Ok(()) };
        let alone = put.at == 0 && put.len == output.identity.len;
        if alone && identity_of(bytes) != output.identity {
            return Err(Failed::Job("a file does not come out right".to_owned()));
        }
        let file = self.dir.fs().open(path, Access::Write).map_err(DiskError::at("open", path))?;
        file.write_at(put.at, bytes).map_err(DiskError::at("write", path))?;
        if alone {
            if let Some(index) = output.index {
                self.applier.verified(index, 0..output.identity.len);
            }
            self.judged.get(put.output).into_iter().for_each(|judged| judged.store(true, Ordering::Release));
        }
        Ok(())
    }

    fn output(&self, number: usize) -> Option<(&str, &Output)> {
        Some((self.paths.get(number)?.as_deref()?, self.outputs.get(number)?))
    }

    fn copy(&self, step: usize, ordinal: u32, put: &Put) -> Result<(), Failed> {
        let Some((path, _)) = self.output(put.output) else { return Ok(()) };
        let base = self.pack(step)?.base.get(ordinal as usize);
        let base = base.ok_or_else(|| Failed::Job("there is no such base file".to_owned()))?;
        let unreadable =
            |error: std::io::Error| Failed::Job(format!("{} cannot be read: {error}", base.path));
        let from = self.bases.find(&base.identity).map_err(unreadable)?;
        let to = self.dir.fs().open(path, Access::Write).map_err(DiskError::at("open", path))?;
        let mut buf = vec![0; CHUNK];
        let mut done = 0;
        while done < put.len {
            let want = usize::try_from(put.len - done).unwrap_or(CHUNK).min(CHUNK);
            let Some(part) = buf.get_mut(..want) else { break };
            from.read(put.offset.saturating_add(done), part).map_err(unreadable)?;
            to.write_at(put.at.saturating_add(done), part).map_err(DiskError::at("write", path))?;
            done += want as u64;
        }
        Ok(())
    }

    /// Judges a finished file of the release by its leaf hashes where they are known, as a whole otherwise. Returns
    /// whether everything written is right; what is not stays missing.
    pub(crate) fn judge(&self, number: usize, leaves: Option<&[Hash]>) -> Result<bool, Failed> {
        let Some((path, output)) = self.output(number) else { return Ok(false) };
        let Some(index) = output.index else { return Ok(true) };
        if self.judged.get(number).is_some_and(|judged| judged.load(Ordering::Acquire)) {
            return Ok(true);
        }
        let file = self.dir.fs().open(path, Access::Read).map_err(DiskError::at("open", path))?;
        let right = match leaves {
            Some(leaves) => judge_blocks(&*file, output, leaves, |range| self.applier.verified(index, range)),
            None => whole_identity(&*file, output.identity.len).map(|found| {
                if found == output.identity {
                    self.applier.verified(index, 0..output.identity.len);
                }
                found == output.identity
            }),
        };
        Ok(right.map_err(DiskError::at("read", path))?)
    }
}

/// Hashes the blocks that were written; true when all of them are right.
fn judge_blocks(
    file: &dyn FsFile,
    output: &Output,
    leaves: &[Hash],
    mut right: impl FnMut(Range<u64>),
) -> std::io::Result<bool> {
    let mut all = true;
    let mut buf = vec![0; CHUNK];
    let mut next = 0;
    for write in &output.writes {
        // A block that two writes share is judged with the first.
        let mut at = (write.start - write.start % BLOCK_LEN).max(next);
        let end = write.end.next_multiple_of(BLOCK_LEN).min(output.identity.len);
        while at < end {
            let want = usize::try_from(end - at).unwrap_or(CHUNK).min(CHUNK);
            let Some(part) = buf.get_mut(..want) else { break };
            let found = fill(file, at, part)?;
            for (block, bytes) in
                (at / BLOCK_LEN..).zip(part.get(..found).unwrap_or_default().chunks(BLOCK_LEN as usize))
            {
                let expected = usize::try_from(block).ok().and_then(|block| leaves.get(block));
                if expected == Some(&hash::leaf(bytes)) {
                    right(block * BLOCK_LEN..block * BLOCK_LEN + bytes.len() as u64);
                } else {
                    all = false;
                }
            }
            at += want as u64;
            all &= found == want;
        }
        next = next.max(end);
    }
    Ok(all)
}

fn identity_of(bytes: &[u8]) -> FileIdentity {
    let mut hasher = TreeHasher::default();
    hasher.update(bytes);
    hasher.finish().identity
}

fn whole_identity(file: &dyn FsFile, len: u64) -> std::io::Result<FileIdentity> {
    let mut hasher = TreeHasher::default();
    let mut buf = vec![0; CHUNK];
    let mut at = 0;
    while at < len {
        let want = usize::try_from(len - at).unwrap_or(CHUNK).min(CHUNK);
        let Some(part) = buf.get_mut(..want) else { break };
        let found = fill(file, at, part)?;
        hasher.update(part.get(..found).unwrap_or_default());
        if found < want {
            break;
        }
        at += found as u64;
    }
    Ok(hasher.finish().identity)
}
