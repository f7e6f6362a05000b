//! A read-only store over memory mappings, for files that never change.

use super::{FileSource, ReadBufs, Store, os};
use crate::units::FileIndex;
use bytes::Bytes;
use memmap2::Mmap;
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, IoSlice};
use std::ops::Range;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Mappings kept. Linux allows a process 65,530 by default; slices in flight keep theirs alive a little longer.
const MAX_MAPS: usize = 1024;
/// The unit in which residency is remembered and pages are brought in, in bytes.
const GRANULE: u64 = 1024 * 1024;
/// How long pages that were brought in are trusted to stay, in seconds. The kernel gives no promise; a page that is
/// evicted earlier costs a fault on the reactor, not an error.
const WARM_SECS: u32 = 10;

/// A store whose files are mapped on first use and never written. Its blocks go to sockets straight from the page
/// cache. Only for folders in which nobody else writes: truncating a mapped file kills the process that reads it.
pub struct MmapStore<S> {
    source: S,
    maps: Mutex<Maps>,
    epoch: Instant,
}

/// Invariant: at most `MAX_MAPS` entries; those used least recently go first.
#[derive(Default)]
struct Maps {
    files: HashMap<FileIndex, (Arc<Mapped>, u64)>,
    clock: u64,
}

struct Mapped {
    map: Option<Arc<Mmap>>, // none for an empty file, which cannot be mapped
    bytes: Bytes,
    /// For each granule, the second until which it counts as resident.
    warm_until: Vec<AtomicU32>,
}

struct Owner(Arc<Mmap>);
impl AsRef<[u8]> for Owner {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl<S: FileSource> MmapStore<S> {
    /// A store that has nothing mapped yet.
    #[allow(clippy::disallowed_methods, reason = "residency of pages is a matter of this machine's clock")]
    pub fn new(source: S) -> MmapStore<S> {
        MmapStore { source, maps: Mutex::default(), epoch: Instant::now() }
    }

    /// The source.
    pub fn source(&self) -> &S {
        &self.source
    }

    // Never held across a system call.
    fn maps(&self) -> MutexGuard<'_, Maps> {
        self.maps.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn mapped(&self, file: FileIndex) -> io::Result<Arc<Mapped>> {
        if let Some(found) = self.maps().find(file) {
            return Ok(found);
        }
        let opened = self.source.open_read(file)?;
        if let Some(stamp) = self.source.guard(file) {
            stamp.check(&opened, file)?;
        }
        let mapped = Arc::new(Mapped::new(&opened)?);
        let unmapped = self.maps().insert(file, Arc::clone(&mapped));
        drop(unmapped); // outside the lock
        Ok(mapped)
    }

    fn now_secs(&self) -> u32 {
        u32::try_from(self.epoch.elapsed().as_secs()).unwrap_or(u32::MAX)
    }
}

impl Maps {
    fn find(&mut self, file: FileIndex) -> Option<Arc<Mapped>> {
        self.clock += 1;
        let (mapped, used) = self.files.get_mut(&file)?;
        *used = self.clock;
        Some(Arc::clone(mapped))
    }

    /// Returns what fell out.
    fn insert(&mut self, file: FileIndex, mapped: Arc<Mapped>) -> Vec<(Arc<Mapped>, u64)> {
        let mut gone: Vec<_> = self.files.insert(file, (mapped, self.clock)).into_iter().collect();
        if self.files.len() > MAX_MAPS {
            // An eighth at once, so that the scan is paid rarely.
            let mut ages: Vec<_> = self.files.iter().map(|(&file, &(_, used))| (used, file)).collect();
            ages.sort_unstable();
            gone.extend(ages.iter().take(MAX_MAPS / 8).filter_map(|(_, file)| self.files.remove(file)));
        }
        gone
    }
}

impl Mapped {
    fn new(file: &File) -> io::Result<Mapped> {
        let len = file.metadata()?.len();
        if len == 0 {
            return Ok(Mapped { map: None, bytes: Bytes::new(), warm_until: Vec::new() });
        }
        let map = Arc::new(map_file(file)?);
        let granules = usize::try_from((map.len() as u64).div_ceil(GRANULE)).map_err(io::Error::other)?;
        let warm_until = (0..granules).map(|_| AtomicU32::new(0)).collect();
        Ok(Mapped { bytes: Bytes::from_owner(Owner(Arc::clone(&map))), map: Some(map), warm_until })
    }

    fn slice(&self, range: Range<u64>) -> Option<Bytes> {
        let (start, end) = (usize::try_from(range.start).ok()?, usize::try_from(range.end).ok()?);
        (start <= end && end <= self.bytes.len()).then(|| self.bytes.slice(start..end))
    }

    fn granules(&self, range: &Range<u64>) -> &[AtomicU32] {
        let at = |granule: u64| usize::try_from(granule).unwrap_or(usize::MAX).min(self.warm_until.len());
        let (first, end) = (at(range.start / GRANULE), at(range.end.div_ceil(GRANULE)));
        &self.warm_until[first.min(end)..end]
    }

    fn is_warm(&self, range: &Range<u64>, now_secs: u32) -> bool {
        self.granules(range).iter().all(|until| until.load(Ordering::Relaxed) > now_secs)
    }

    /// Brings whole granules in: what is asked for next is mostly beside what was asked for now.
    fn warm(&self, range: &Range<u64>, now_secs: u32) {
        let Some(map) = &self.map else { return };
        let start = range.start / GRANULE * GRANULE;
        let end = range.end.div_ceil(GRANULE).saturating_mul(GRANULE).min(map.len() as u64);
        if let (Ok(start), Ok(len)) = (usize::try_from(start), usize::try_from(end.saturating_sub(start))) {
            populate(map, start, len);
        }
        for until in self.granules(range) {
            until.store(now_secs.saturating_add(WARM_SECS), Ordering::Relaxed);
        }
    }
}

#[allow(
    unsafe_code,
    reason = "a mapping is unsafe to make because another process may change the file under it"
)]
fn map_file(file: &File) -> io::Result<Mmap> {
    // SAFETY: the store's contract: nobody writes to or truncates these files while they are mapped.
    unsafe { Mmap::map(file) }
}

/// Makes the pages present, so that touching them later is neither a disk read nor a fault.
fn populate(map: &Mmap, start: usize, len: usize) {
    #[cfg(target_os = "linux")]
    if map.advise_range(memmap2::Advice::PopulateRead, start, len).is_ok() {
        return; // since Linux 5.14
    }
    // One byte of every page.
    let sum = map[start..start + len].iter().step_by(4096).fold(0u8, |sum, &byte| sum.wrapping_add(byte));
    std::hint::black_box(sum);
}

impl<S: FileSource> Store for MmapStore<S> {
    fn read_at(&self, file: FileIndex, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        let opened = self.source.open_read(file)?;
        os::read_exact_at(&opened, buf, offset)?;
        self.source.guard(file).map_or(Ok(()), |stamp| stamp.check(&opened, file))
    }

    fn write_at(&self, _: FileIndex, _: u64, _: &[IoSlice<'_>]) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn slice(&self, file: FileIndex, range: Range<u64>) -> Option<Bytes> {
        let mapped = self.maps().find(file)?;
        if mapped.is_warm(&range, self.now_secs()) { mapped.slice(range) } else { None }
    }

    fn load(&self, file: FileIndex, range: Range<u64>, _: &ReadBufs) -> io::Result<Bytes> {
        let mapped = self.mapped(file)?;
        let bytes = mapped.slice(range.clone()).ok_or(io::ErrorKind::UnexpectedEof)?;
        mapped.warm(&range, self.now_secs());
        Ok(bytes)
    }

    fn sync(&self, _: FileIndex) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::DirSource;
    use super::*;

    fn store(dir: &std::path::Path, lens: &[usize]) -> MmapStore<DirSource> {
        let source = DirSource::new(dir, (0..lens.len()).map(|i| i.to_string())).unwrap();
        for (i, &len) in lens.iter().enumerate() {
            let data: Vec<u8> = (0..len).map(|at| (at / 7 + i) as u8).collect();
            let file = source.open_write(FileIndex(i as u32)).unwrap();
            os::write_all_at(&file, &mut [IoSlice::new(&data)], 0).unwrap();
        }
        MmapStore::new(source)
    }

    #[test]
    fn a_slice_is_had_at_once_only_after_a_load() {
        let dir = tempfile::tempdir().unwrap();
        let len = 2 * GRANULE as usize + 5;
        let store = store(dir.path(), &[len, 0]);
        let bufs = ReadBufs::default();
        assert!(store.slice(FileIndex(0), 0..5).is_none());
        assert_eq!(store.load(FileIndex(0), 7..16, &bufs).unwrap()[..], [1, 1, 1, 1, 1, 1, 1, 2, 2]);
        assert_eq!(store.slice(FileIndex(0), 14..16).unwrap()[..], [2, 2]);
        assert!(store.slice(FileIndex(0), GRANULE..GRANULE + 1).is_none(), "that granule is cold");
        assert!(store.slice(FileIndex(0), GRANULE - 1..GRANULE + 1).is_none(), "half of that is cold");
        let tail = store.load(FileIndex(0), len as u64 - 5..len as u64, &bufs).unwrap();
        assert_eq!(tail.len(), 5);
        assert!(store.load(FileIndex(1), 0..0, &bufs).unwrap().is_empty());
    }

    #[test]
    fn no_range_outside_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let store = store(dir.path(), &[10, 0]);
        let bufs = ReadBufs::default();
        for (file, range) in [(0, 0..11), (0, 11..12), (0, u64::MAX - 1..u64::MAX), (1, 0..1), (2, 0..1)] {
            assert!(store.load(FileIndex(file), range.clone(), &bufs).is_err(), "{file} {range:?}");
            assert!(store.slice(FileIndex(file), range).is_none());
        }
        assert_eq!(store.load(FileIndex(0), 0..10, &bufs).unwrap().len(), 10);
    }

    #[test]
    fn slices_outlive_their_mapping_s_place_in_the_table() {
        let dir = tempfile::tempdir().unwrap();
        let store = store(dir.path(), &vec![3; MAX_MAPS + 10]);
        let bufs = ReadBufs::default();
        let first = store.load(FileIndex(0), 0..3, &bufs).unwrap();
        for i in 1..(MAX_MAPS + 10) as u32 {
            store.load(FileIndex(i), 0..3, &bufs).unwrap();
        }
        assert!(store.maps().files.len() <= MAX_MAPS);
        assert!(!store.maps().files.contains_key(&FileIndex(0)));
        assert_eq!(&first[..], [0, 0, 0]);
    }
}
