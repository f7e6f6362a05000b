//! Reads a build once, on all cores: hashes it and copies into the store what is not there yet.
//!
//! The work is cut into runs of whole pieces, so that one large file keeps every core busy and no thread needs more
//! memory than its buffer. A file of a length that no blob has is new for certain and is copied while it is hashed;
//! of the rest only those that turn out to be new are read again.

use super::scan::{Found, Scan};
use crate::error::{DiskContext as _, Error, Result};
use crate::platform;
use crate::store::{Blobs, DataDir, Temp, open_read};
use manifests::hash;
use manifests::release::FileIdentity;
use protocol::merkle;
use protocol::units::{BLOCK_LEN, Root};
use sha1::{Digest as _, Sha1};
use std::collections::HashSet;
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Bytes of a run of pieces that one thread takes; a multiple of every piece length we make.
const RUN_LEN: u64 = 64 * 1024 * 1024;
/// Bytes read at once; a multiple of a block.
const READ_LEN: usize = 1024 * 1024;
/// What is kept of a file's beginning, to tell programs by.
const HEAD_LEN: usize = 20;

/// What reading a file gave.
#[derive(Clone, Debug)]
pub struct Hashed {
    /// What its content is called.
    pub id: FileIdentity,
    /// The merkle nodes of its pieces, if it is larger than one.
    pub layer: Vec<Root>,
    /// SHA-1 of its pieces, the last one padded with zeros to a whole piece (hybrid, BEP 47).
    pub pieces_v1: Vec<[u8; 20]>,
    /// SHA-1 of its last piece without the pad.
    pub last_v1: [u8; 20],
    /// Its first bytes.
    pub head: Vec<u8>,
    /// The hashes of its blocks, where nothing was stored that holds them.
    pub leaves: Vec<Root>,
}

/// What it cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Blobs that were not in the store.
    pub new_blobs: u64,
    /// Their bytes.
    pub new_bytes: u64,
}

/// Hashes every file of `scan` and puts its content into the store. `progress` is told bytes as they are read, from
/// any thread. The results are in the scan's order; links are empty files.
///
/// # Errors
/// `E-BUILD-CHANGED`, `E-BUILD-UNREADABLE`, or the disk's.
pub fn ingest(
    scan: &Scan,
    piece_len: u32,
    threads: usize,
    dir: &DataDir,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<(Vec<Hashed>, Cost)> {
    run(Job::new(scan, piece_len, Some(dir), progress)?, threads)
}

/// The same without a store: hashes, and writes nothing.
///
/// # Errors
/// As [`ingest`].
pub(crate) fn look(
    scan: &Scan,
    piece_len: u32,
    threads: usize,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<Vec<Hashed>> {
    Ok(run(Job::new(scan, piece_len, None, progress)?, threads)?.0)
}

fn run(job: Job<'_>, threads: usize) -> Result<(Vec<Hashed>, Cost)> {
    // Twice as many as cores: half of them wait for the disk. One is one.
    let threads = threads.clamp(1, job.runs.len().max(1));
    std::thread::scope(|scope| {
        for _ in 0..if threads == 1 { 1 } else { threads * 2 } {
            scope.spawn(|| job.work());
        }
    });
    job.finish()
}

/// A run of one file's pieces.
#[derive(Clone, Copy, Debug)]
struct Run {
    file: usize,
    start: u64,
    end: u64,
}

struct Job<'a> {
    scan: &'a Scan,
    piece_len: u32,
    /// Where content goes that is not there yet, if it is to go anywhere.
    store: Option<(&'a DataDir, Blobs)>,
    progress: &'a (dyn Fn(u64) + Sync),
    known_lens: HashSet<u64>,
    runs: Vec<Run>,
    next: AtomicUsize,
    stop: AtomicBool,
    failed: Mutex<Option<Error>>,
    files: Vec<Mutex<Progress>>,
    /// Contents that some thread has taken upon itself to store. Of equal files one is enough, and no two threads may
    /// give a file the same name at the same time: Windows refuses one of them.
    taken: Mutex<HashSet<FileIdentity>>,
    placed: Mutex<HashSet<FileIdentity>>,
}

/// A file on its way.
#[derive(Default)]
struct Progress {
    runs_left: usize,
    leaves: Vec<Root>,
    /// Rolling checksums, by which launchers find blocks that moved.
    sums: Vec<u64>,
    pieces_v1: Vec<[u8; 20]>,
    last_v1: [u8; 20],
    head: Vec<u8>,
    copy: Option<std::sync::Arc<Temp>>,
    done: Option<Hashed>,
}

/// A file that was hashed.
struct Contents<'a> {
    found: &'a Found,
    leaves: &'a [Root],
    sums: &'a [u64],
}

/// What one run gave.
struct RunHashes {
    leaves: Vec<Root>,
    sums: Vec<u64>,
    pieces_v1: Vec<[u8; 20]>,
    last_v1: [u8; 20],
    head: Vec<u8>,
}

impl<'a> Job<'a> {
    fn new(
        scan: &'a Scan,
        piece_len: u32,
        dir: Option<&'a DataDir>,
        progress: &'a (dyn Fn(u64) + Sync),
    ) -> Result<Job<'a>> {
        let store = dir.map(|dir| (dir, Blobs::new(dir)));
        let mut known_lens = HashSet::new();
        if let Some((dir, blobs)) = &store {
            known_lens = blobs.lens()?;
            check_space(scan, &known_lens, dir)?;
        }
        let mut runs = Vec::new();
        let mut files = Vec::with_capacity(scan.files.len());
        for (file, found) in scan.files.iter().enumerate() {
            let count = found.len.div_ceil(RUN_LEN);
            let run = |i: u64| Run { file, start: i * RUN_LEN, end: ((i + 1) * RUN_LEN).min(found.len) };
            runs.extend((0..count).map(run));
            // An empty file and a link have nothing to read.
            let done = (count == 0).then(|| Hashed {
                id: FileIdentity::EMPTY,
                layer: Vec::new(),
                pieces_v1: Vec::new(),
                last_v1: [0; 20],
                head: Vec::new(),
                leaves: Vec::new(),
            });
            files.push(Mutex::new(Progress { runs_left: count as usize, done, ..Progress::default() }));
        }
        Ok(Job {
            scan,
            piece_len,
            store,
            progress,
            known_lens,
            runs,
            next: AtomicUsize::new(0),
            stop: AtomicBool::new(false),
            failed: Mutex::default(),
            files,
            taken: Mutex::default(),
            placed: Mutex::default(),
        })
    }

    fn work(&self) {
        let mut buf = vec![0; READ_LEN];
        while !self.stop.load(Ordering::Relaxed) {
            let Some(&run) = self.runs.get(self.next.fetch_add(1, Ordering::Relaxed)) else { return };
            if let Err(error) = self.one(run, &mut buf) {
                self.stop.store(true, Ordering::Relaxed);
                lock(&self.failed).get_or_insert(error);
            }
        }
    }

    fn one(&self, run: Run, buf: &mut [u8]) -> Result<()> {
        let (Some(found), Some(state)) = (self.scan.files.get(run.file), self.files.get(run.file)) else {
            return Ok(());
        };
        let copy = {
            let mut state = lock(state);
            if let Some((dir, _)) = &self.store
                && state.copy.is_none()
                && !self.known_lens.contains(&found.len)
            {
                state.copy = Some(std::sync::Arc::new(dir.temp()?));
            }
            state.copy.clone()
        };
        let hashes = read_run(found, run, self.piece_len, copy.as_deref(), buf, self.progress)?;
        drop(copy);
        let last = {
            let mut state = lock(state);
            state.put(run, hashes, self.piece_len);
            state.runs_left == 0
        };
        if last { self.complete(found, state, buf) } else { Ok(()) }
    }

    /// All runs of a file are there: names it, and stores it unless the store has it.
    fn complete(&self, found: &Found, state: &Mutex<Progress>, buf: &mut [u8]) -> Result<()> {
        let (leaves, sums, copy, mut hashed) = {
            let mut state = lock(state);
            let (leaves, sums) = (std::mem::take(&mut state.leaves), std::mem::take(&mut state.sums));
            let hashed = Hashed {
                id: FileIdentity { len: found.len, root: merkle::file_root(&leaves).unwrap_or(Root::ZERO).0 },
                layer: Vec::new(),
                pieces_v1: std::mem::take(&mut state.pieces_v1),
                last_v1: state.last_v1,
                head: std::mem::take(&mut state.head),
                leaves: Vec::new(),
            };
            (leaves, sums, state.copy.take(), hashed)
        };
        let id = hashed.id;
        if found.len > u64::from(self.piece_len) {
            hashed.layer = merkle::piece_layer(&leaves, self.piece_len);
        }
        match &self.store {
            Some(store) if lock(&self.taken).insert(id) => {
                self.store(store, &id, &Contents { found, leaves: &leaves, sums: &sums }, copy, buf)?;
            }
            Some(_) => {}
            None => hashed.leaves = leaves,
        }
        lock(state).done = Some(hashed);
        Ok(())
    }

    /// Stores what the store does not have of a file's content.
    fn store(
        &self,
        (dir, blobs): &(&DataDir, Blobs),
        id: &FileIdentity,
        contents: &Contents<'_>,
        copy: Option<std::sync::Arc<Temp>>,
        buf: &mut [u8],
    ) -> Result<()> {
        if id.len > u64::from(self.piece_len) {
            let leaf_bytes = || contents.leaves.iter().flat_map(|leaf| leaf.0).collect();
            store_beside(dir, blobs.holds_leaves(id), &blobs.leaves_path(id), leaf_bytes)?;
            let sum_bytes = || hash::sums_to_bytes(contents.sums);
            store_beside(dir, blobs.holds_sums(id), &blobs.sums_path(id), sum_bytes)?;
        }
        if !blobs.holds(id) {
            let temp = match copy.map(std::sync::Arc::try_unwrap) {
                Some(Ok(temp)) => temp,
                _ => self.copy_again(dir, contents.found, contents.leaves, buf)?,
            };
            blobs.place(id, temp)?;
            lock(&self.placed).insert(*id);
        }
        Ok(())
    }

    /// Copies a file that was only hashed so far, and makes sure that the same bytes came a second time.
    fn copy_again(&self, dir: &DataDir, found: &Found, leaves: &[Root], buf: &mut [u8]) -> Result<Temp> {
        let temp = dir.temp()?;
        let run = Run { file: 0, start: 0, end: found.len };
        let again = read_run(found, run, self.piece_len, Some(&temp), buf, &|_| {})?;
        if again.leaves != leaves {
            return Err(Error::BuildChanged(found.path.to_native()));
        }
        Ok(temp)
    }

    fn finish(self) -> Result<(Vec<Hashed>, Cost)> {
        let placed = self.placed.into_inner().unwrap_or_else(PoisonError::into_inner);
        if let Some(error) = self.failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
            if matches!(error, Error::DiskFull(_)) {
                // Nothing refers to these yet, and a full disk would keep `serve` from signing its timestamp.
                let blobs = self.store.iter().map(|(_, blobs)| blobs);
                blobs.for_each(|blobs| placed.iter().for_each(|id| blobs.remove(id)));
            }
            return Err(error);
        }
        let mut hashed = Vec::with_capacity(self.files.len());
        for (state, found) in self.files.into_iter().zip(&self.scan.files) {
            let state = state.into_inner().unwrap_or_else(PoisonError::into_inner);
            hashed.push(state.done.ok_or_else(|| Error::BuildChanged(found.path.to_native()))?);
        }
        if let Some((_, blobs)) = &self.store {
            blobs.sync()?;
        }
        let cost = Cost { new_blobs: placed.len() as u64, new_bytes: placed.iter().map(|id| id.len).sum() };
        Ok((hashed, cost))
    }
}

/// Leaves and checksums come before the blob: a blob that is there has them.
fn store_beside(dir: &DataDir, is_there: bool, to: &Path, bytes: impl FnOnce() -> Vec<u8>) -> Result<()> {
    if is_there {
        return Ok(());
    }
    let mut temp = dir.temp()?;
    let path = temp.path().to_owned();
    io::Write::write_all(temp.file()?, &bytes()).at(&path)?;
    temp.place(to)
}

impl Progress {
    fn put(&mut self, run: Run, hashes: RunHashes, piece_len: u32) {
        let leaf_at = (run.start / u64::from(BLOCK_LEN)) as usize;
        let piece_at = (run.start / u64::from(piece_len)) as usize;
        place_at(&mut self.leaves, leaf_at, &hashes.leaves, Root::ZERO);
        place_at(&mut self.sums, leaf_at, &hashes.sums, 0);
        place_at(&mut self.pieces_v1, piece_at, &hashes.pieces_v1, [0; 20]);
        if run.start == 0 {
            self.head = hashes.head;
        }
        if piece_at + hashes.pieces_v1.len() == self.pieces_v1.len() {
            self.last_v1 = hashes.last_v1;
        }
        self.runs_left -= 1;
    }
}

fn place_at<T: Copy>(all: &mut Vec<T>, at: usize, part: &[T], blank: T) {
    let end = at + part.len();
    if all.len() < end {
        all.resize(end, blank);
    }
    if let Some(room) = all.get_mut(at..end) {
        room.copy_from_slice(part);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A thread that panics takes the scope, and with it the publish, down: nobody reads half a state.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Refuses at once what cannot fit: files of lengths that no blob has are new for certain, one of each length at least.
fn check_space(scan: &Scan, known_lens: &HashSet<u64>, dir: &DataDir) -> Result<()> {
    let lens: HashSet<u64> = scan.files.iter().map(|file| file.len).collect();
    let new_bytes: u64 = lens.difference(known_lens).sum();
    let place = dir.blobs();
    if new_bytes > fs4::available_space(&place).at(&place)? {
        return Err(Error::DiskFull(place));
    }
    Ok(())
}

/// Reads, hashes and copies one run. The file must be what the scan saw, before and after.
fn read_run(
    found: &Found,
    run: Run,
    piece_len: u32,
    copy: Option<&Temp>,
    buf: &mut [u8],
    progress: &(dyn Fn(u64) + Sync),
) -> Result<RunHashes> {
    let unreadable = |source| Error::BuildUnreadable { path: found.path.to_native(), source };
    let file = open_read(&found.source).map_err(unreadable)?;
    unchanged(found, &file)?;
    let (leaves, sums) = (Vec::new(), Vec::new());
    let mut hashes = RunHashes { leaves, sums, pieces_v1: Vec::new(), last_v1: [0; 20], head: Vec::new() };
    let mut piece = Sha1::new();
    let mut at = run.start;
    while at < run.end {
        let step = (run.end - at).min(buf.len() as u64).min(u64::from(piece_len) - at % u64::from(piece_len));
        let chunk = buf.get_mut(..step as usize).unwrap_or_default();
        platform::read_exact_at(&file, chunk, at).map_err(|source| match source.kind() {
            io::ErrorKind::UnexpectedEof => Error::BuildChanged(found.path.to_native()),
            _ => unreadable(source),
        })?;
        if at == 0 {
            hashes.head = chunk.iter().take(HEAD_LEN).copied().collect();
        }
        if let Some(temp) = copy {
            let target = temp.shared().at(temp.path())?;
            platform::write_all_at(target, chunk, at).at(temp.path())?;
        }
        hashes.leaves.extend(chunk.chunks(BLOCK_LEN as usize).map(merkle::leaf));
        if found.len > u64::from(piece_len) {
            hashes.sums.extend(chunk.chunks(BLOCK_LEN as usize).map(hash::rolling));
        }
        piece.update(&*chunk);
        at += step;
        if at.is_multiple_of(u64::from(piece_len)) || at == found.len {
            let whole = std::mem::take(&mut piece);
            hashes.last_v1 = whole.clone().finalize().into();
            hashes.pieces_v1.push(padded(whole, at, piece_len));
        }
        progress(step);
    }
    unchanged(found, &file)?;
    Ok(hashes)
}

/// The hash of a piece that ends at `end` of its file, as if zeros followed up to the next piece.
fn padded(mut piece: Sha1, end: u64, piece_len: u32) -> [u8; 20] {
    const ZEROS: [u8; 4096] = [0; 4096];
    let mut missing = (end.next_multiple_of(u64::from(piece_len)) - end) as usize;
    while missing > 0 {
        let step = missing.min(ZEROS.len());
        piece.update(&ZEROS[..step]);
        missing -= step;
    }
    piece.finalize().into()
}

fn unchanged(found: &Found, file: &File) -> Result<()> {
    let same = file.metadata().is_ok_and(|meta| platform::stamp(&meta) == found.stamp);
    if same { Ok(()) } else { Err(Error::BuildChanged(found.path.to_native())) }
}
