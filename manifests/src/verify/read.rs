//! Reading and hashing files: large ones one by one, many small ones together.
//!
//! A processor that hashes sixteen blocks at once gets few from one small file, and many from a row of them.

use std::cmp::Reverse;
use std::io;

use super::SurveyError;
use crate::apply::fill;
use crate::folder::{Access, DiskError, Fs, FsFile, Meta, Progress};
use crate::hash::{BLOCK_LEN, Hash, HashBlocks, Hashed, leaf};
use crate::path::SafePath;

/// Bytes read at once by each thread: whole blocks, and no more than stay in a core's own cache until they are hashed.
const CHUNK: usize = 1 << 20;
const BLOCK: usize = BLOCK_LEN as usize;
/// Files up to this length, in bytes, are read together.
const SMALL: u64 = 256 << 10;
/// Most small files read together.
const TOGETHER: usize = 64;

/// How files are read.
pub(super) struct Look<'a> {
    pub(super) fs: &'a dyn Fs,
    pub(super) hash: HashBlocks,
    pub(super) progress: &'a dyn Progress,
}

/// Files with the lengths they had.
pub(super) type Job = Vec<(SafePath, u64)>;
/// What files hold.
pub(super) type Found = Vec<(SafePath, Hashed)>;

/// One large file a job, the longest first: no core is left with one at the end. Then the small ones in the order of
/// their paths, so that those of one folder come together.
pub(super) fn jobs(files: impl Iterator<Item = (SafePath, u64)>) -> Vec<Job> {
    let (mut large, mut small): (Vec<Job>, Vec<Job>) = Default::default();
    let mut room = 0;
    for (path, len) in files {
        if len > SMALL {
            large.push(vec![(path, len)]);
            continue;
        }
        match small.last_mut() {
            Some(job) if len <= room && job.len() < TOGETHER => job.push((path, len)),
            _ => {
                small.push(vec![(path, len)]);
                room = CHUNK as u64;
            }
        }
        room -= len;
    }
    large.sort_by_key(|job| Reverse(job.iter().map(|(_, len)| *len).sum::<u64>()));
    large.extend(small);
    large
}

/// What the files hold. Those that cannot be read, or change while they are, are left out.
pub(super) fn read(look: &Look<'_>, job: &Job, buffer: &mut Vec<u8>) -> Result<Found, SurveyError> {
    buffer.resize(CHUNK, 0);
    let small = |(_, len): &&(SafePath, u64)| *len <= SMALL;
    let (mut hashed, grown) = read_together(look, job.iter().filter(small), buffer)?;
    let large = job.iter().filter(|file| !small(file)).map(|(path, _)| path);
    for path in large.chain(grown) {
        if let Some(found) = read_alone(look, path, buffer)? {
            hashed.push((path.clone(), found));
        }
    }
    Ok(hashed)
}

/// What small files hold that fit into the buffer together, and the files that have another length by now.
fn read_together<'j>(
    look: &Look<'_>,
    files: impl Iterator<Item = &'j (SafePath, u64)>,
    buffer: &mut [u8],
) -> Result<(Found, Vec<&'j SafePath>), SurveyError> {
    let (mut filled, mut grown) = (Vec::new(), Vec::new());
    let mut free = buffer;
    for (path, len) in files {
        check_cancelled(look)?;
        let Some((file, before)) = open(look, path) else { continue };
        let place = usize::try_from(*len).unwrap_or(usize::MAX);
        let (place, after) = match before {
            Some(Meta::File { guard, .. }) if guard.len == *len && place <= free.len() => {
                free.split_at_mut(place)
            }
            _ => {
                grown.push(path);
                continue;
            }
        };
        let whole = read_into(&*file, path, 0, place)? == Some(place.len());
        // One that grew meanwhile has another length now.
        if whole && file.meta().ok() == before {
            filled.push((path, &*place));
        }
        look.progress.advance(place.len() as u64);
        free = after;
    }
    let mut leaves = leaves_of(filled.iter().map(|(_, data)| *data), look.hash).into_iter();
    let hashed = filled.iter().map(|(path, data)| {
        let blocks = data.len().div_ceil(BLOCK);
        ((*path).clone(), Hashed::over(data.len() as u64, leaves.by_ref().take(blocks).collect()))
    });
    Ok((hashed.collect(), grown))
}

/// The leaves of all `files`, one after the other.
fn leaves_of<'f>(files: impl Iterator<Item = &'f [u8]> + Clone, hash: HashBlocks) -> Vec<Hash> {
    // Only whole blocks can be hashed side by side.
    let whole: Vec<&[u8]> = files.clone().flat_map(|file| file.chunks_exact(BLOCK)).collect();
    let mut hashed = hash(&whole).into_iter();
    let mut leaves = Vec::with_capacity(whole.len());
    for file in files {
        let blocks = file.chunks_exact(BLOCK);
        let rest = blocks.remainder();
        leaves.extend(hashed.by_ref().take(blocks.len()));
        leaves.extend((!rest.is_empty()).then(|| leaf(rest)));
    }
    leaves
}

/// `None` when it cannot be read, or changed while it was.
fn read_alone(look: &Look<'_>, path: &SafePath, chunk: &mut [u8]) -> Result<Option<Hashed>, SurveyError> {
    let Some((file, before)) = open(look, path) else { return Ok(None) };
    let (mut leaves, mut len) = (Vec::new(), 0);
    loop {
        check_cancelled(look)?;
        let Some(count) = read_into(&*file, path, len, chunk)? else { return Ok(None) };
        leaves.extend(leaves_of(chunk.get(..count).into_iter(), look.hash));
        look.progress.advance(count as u64);
        len += count as u64;
        if count < chunk.len() {
            break;
        }
    }
    Ok((file.meta().ok() == before).then(|| Hashed::over(len, leaves)))
}

fn open(look: &Look<'_>, path: &SafePath) -> Option<(Box<dyn FsFile>, Option<Meta>)> {
    let file = look.fs.open(path.as_str(), Access::Read).ok()?;
    let before = file.meta().ok();
    Some((file, before))
}

/// Fills `buffer` as far as the file goes; `None` when it cannot be read.
fn read_into(
    file: &dyn FsFile,
    path: &SafePath,
    offset: u64,
    buffer: &mut [u8],
) -> Result<Option<usize>, SurveyError> {
    match fill(file, offset, buffer) {
        Ok(count) => Ok(Some(count)),
        Err(error) if error.kind() == io::ErrorKind::OutOfMemory => {
            Err(DiskError::at("read", path.as_str())(error).into())
        }
        Err(error) => {
            tracing::warn!(path = path.as_str(), %error, "a file cannot be read");
            Ok(None)
        }
    }
}

fn check_cancelled(look: &Look<'_>) -> Result<(), SurveyError> {
    if look.progress.cancelled() { Err(SurveyError::Cancelled) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

    use super::*;
    use crate::folder::CapFs;
    use crate::hash::{TreeHasher, one_by_one};

    #[derive(Default)]
    struct Watch {
        bytes: AtomicU64,
        asked: AtomicUsize,
        stop_at: usize,
    }

    impl Progress for Watch {
        fn advance(&self, bytes: u64) {
            self.bytes.fetch_add(bytes, Ordering::Relaxed);
        }

        fn cancelled(&self) -> bool {
            self.asked.fetch_add(1, Ordering::Relaxed) + 1 == self.stop_at
        }
    }

    /// Hashes in the groups it is given, and only whole blocks.
    fn whole_blocks(blocks: &[&[u8]]) -> Vec<Hash> {
        assert!(blocks.iter().all(|block| block.len() == BLOCK));
        one_by_one(blocks)
    }

    fn path(name: &str) -> SafePath {
        SafePath::parse(name).unwrap()
    }

    fn content(len: usize) -> Vec<u8> {
        (0..len).map(|at| (at / 7 + at / BLOCK * 5 + len) as u8).collect()
    }

    fn hashed(data: &[u8]) -> Hashed {
        let mut hasher = TreeHasher::default();
        hasher.update(data);
        hasher.finish()
    }

    #[test]
    fn files_of_all_lengths_are_hashed_as_one_by_one() {
        let temp = tempfile::tempdir().unwrap();
        let small = SMALL as usize;
        let lens = [
            0,
            1,
            BLOCK - 1,
            BLOCK,
            BLOCK + 1,
            3 * BLOCK,
            small - 1,
            small,
            small + 1,
            CHUNK - 1,
            CHUNK,
            CHUNK + 1,
            2 * CHUNK,
            2 * CHUNK + BLOCK + 7,
        ];
        let lens: Vec<usize> = lens.into_iter().chain((0..150).map(|n| n * 331)).chain([small; 6]).collect();
        let files: Vec<(SafePath, u64)> =
            lens.iter().enumerate().map(|(at, len)| (path(&format!("f{at:03}")), *len as u64)).collect();
        for (path, len) in &files {
            std::fs::write(temp.path().join(path.as_str()), content(*len as usize)).unwrap();
        }
        let jobs = jobs(files.iter().cloned());
        assert_eq!(jobs[0][0].1, (2 * CHUNK + BLOCK + 7) as u64, "the longest first");
        for job in &jobs {
            assert!(job.len() <= TOGETHER);
            assert!(job.len() == 1 || job.iter().map(|(_, len)| len).sum::<u64>() <= CHUNK as u64);
        }
        let (fs, watch) = (CapFs::open(temp.path()).unwrap(), Watch::default());
        let look = Look { fs: &fs, hash: whole_blocks, progress: &watch };
        let mut buffer = Vec::new();
        let mut found: Vec<(SafePath, Hashed)> =
            jobs.iter().flat_map(|job| read(&look, job, &mut buffer).unwrap()).collect();
        found.sort_by(|one, two| one.0.cmp(&two.0));
        assert_eq!(found.len(), files.len());
        for ((path, len), (at, found)) in files.iter().zip(&found) {
            assert_eq!((path, &hashed(&content(*len as usize))), (at, found), "{len} bytes");
        }
        assert_eq!(watch.bytes.into_inner(), lens.iter().map(|len| *len as u64).sum::<u64>());
    }

    #[test]
    fn a_file_of_another_length_than_expected_is_read_all_the_same() {
        let temp = tempfile::tempdir().unwrap();
        let fs = CapFs::open(temp.path()).unwrap();
        let look = Look { fs: &fs, hash: one_by_one, progress: &() };
        let long = content(CHUNK + 100);
        for (name, data) in [("grown", &long[..]), ("shrunk", &long[..5]), ("same", &long[..9])] {
            std::fs::write(temp.path().join(name), data).unwrap();
        }
        let job = vec![(path("grown"), 10), (path("missing"), 3), (path("same"), 9), (path("shrunk"), 7)];
        let mut found = read(&look, &job, &mut Vec::new()).unwrap();
        found.sort_by(|one, two| one.0.cmp(&two.0));
        let right = [("grown", &long[..]), ("same", &long[..9]), ("shrunk", &long[..5])];
        assert_eq!(found, right.map(|(name, data)| (path(name), hashed(data))));
    }

    #[test]
    fn reading_can_be_stopped_at_every_file_and_chunk() {
        let temp = tempfile::tempdir().unwrap();
        let fs = CapFs::open(temp.path()).unwrap();
        let files = [("a", 10), ("b", 20), ("large", 2 * CHUNK + 1)];
        for (name, len) in files {
            std::fs::write(temp.path().join(name), content(len)).unwrap();
        }
        let jobs = jobs(files.iter().map(|(name, len)| (path(name), *len as u64)));
        let run = |stop_at| {
            let watch = Watch { stop_at, ..Watch::default() };
            let look = Look { fs: &fs, hash: one_by_one, progress: &watch };
            jobs.iter().try_for_each(|job| read(&look, job, &mut Vec::new()).map(drop))
        };
        for stop_at in 1..=5 {
            assert!(matches!(run(stop_at), Err(SurveyError::Cancelled)), "{stop_at}");
        }
        assert!(run(6).is_ok(), "three chunks and two files");
    }
}
