//! Batches against a store that remembers what it was asked.

use super::super::files::Files;
use super::*;
use crate::disk::{ReadBufs, Store};
use crate::metainfo::{FileEntry, Layout, Torrent};
use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};

/// Files hold their number plus one in every byte; everything about file 1 fails.
#[derive(Default)]
struct Recorder {
    writes: Mutex<Vec<(u32, u64, usize)>>,
    reads: Mutex<Vec<(u32, u64, usize)>>,
}

impl Store for Recorder {
    fn read_at(&self, file: FileIndex, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        self.reads.lock().unwrap().push((file.0, offset, buf.len()));
        buf.fill(file.0 as u8 + 1);
        if file.0 == 1 { Err(io::ErrorKind::NotFound.into()) } else { Ok(()) }
    }
    fn write_at(&self, file: FileIndex, offset: u64, bufs: &[IoSlice<'_>]) -> io::Result<()> {
        assert!(bufs.iter().all(|buf| buf.iter().all(|&byte| byte == file.0 as u8 + 1)), "wrong bytes");
        self.writes.lock().unwrap().push((file.0, offset, bufs.iter().map(|buf| buf.len()).sum()));
        if file.0 == 1 { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }
    fn sync(&self, _: FileIndex) -> io::Result<()> {
        Ok(())
    }
}

fn files(layout: Layout) -> (Files, Arc<Recorder>) {
    let torrent = Torrent {
        name: "t".to_owned(),
        info_hash_v1: None,
        info_hash_v2: None,
        layout,
        single_file: false,
        pieces_v1: Vec::new(),
        piece_layers: BTreeMap::new(),
        info_bytes: Bytes::new(),
        announce: Vec::new(),
        url_list: Vec::new(),
        private: false,
    };
    let store = Arc::new(Recorder::default());
    (
        Files {
            torrent: Arc::new(torrent),
            store: Arc::clone(&store) as _,
            bufs: ReadBufs::default(),
            gate: Arc::default(),
        },
        store,
    )
}

fn block(piece: u32, offset: u32, len: u32) -> BlockRef {
    BlockRef { piece: PieceIndex(piece), offset, len }
}

fn entries(lens: &[u64]) -> Vec<FileEntry> {
    lens.iter().enumerate().map(|(i, &len)| FileEntry::new(&[&i.to_string()], len)).collect()
}

/// The bytes that belong at a block: each file's number plus one, zeros in pads.
fn content(files: &Files, block: BlockRef) -> Vec<u8> {
    let spans = files.torrent.layout.spans(block);
    spans.flat_map(|span| vec![span.file.map_or(0, |file| file.0 as u8 + 1); span.len as usize]).collect()
}

fn write(files: &Files, job: u64, at: BlockRef) -> Job {
    Job::Write { job: JobId(job), block: at, data: content(files, at).into(), leaf: true }
}

#[test]
fn neighbours_are_written_by_one_call_and_pads_by_none() {
    // Two pieces of file 0, then a pad, then file 1 which fails, then file 2.
    let (files, store) = files(Layout::aligned(65536, entries(&[100_000, 16384, 30_000])).unwrap());
    let blocks = [block(1, 0, 16384), block(0, 16384, 16384), block(0, 32768, 16384), block(0, 49152, 16384)];
    let mut batch: Vec<Job> = (0..).zip(blocks).map(|(job, at)| write(&files, job, at)).collect();
    batch.push(write(&files, 4, block(2, 0, 16384)));
    batch.push(write(&files, 5, block(3, 16384, 13616)));
    batch.push(write(&files, 6, block(1, 32768, 16384)));
    let mut done = run(&files, batch);
    assert_eq!(
        *store.writes.lock().unwrap(),
        [(0, 16384, 65536), (0, 98304, 1696), (1, 0, 16384), (2, 16384, 13616)]
    );
    done.sort_by_key(|done| match done {
        Done::Block { job, .. } => job.0,
        Done::Piece { .. } => u64::MAX,
    });
    for (i, done) in done.into_iter().enumerate() {
        let Done::Block { job, result } = done else { panic!("a piece") };
        assert_eq!(job, JobId(i as u64));
        assert_eq!(result.is_err(), i == 4, "only file 1 fails: {i}");
    }
}

#[test]
fn neighbours_are_read_by_one_call() {
    let (files, store) = files(Layout::contiguous(65536, entries(&[100_000, 20_000, 40_000])).unwrap());
    let wanted: Vec<BlockRef> =
        (0..2).flat_map(|piece| (0..4).map(move |b| block(piece, b * 16384, 16384))).collect();
    let results = files.read_blocks(&wanted);
    assert_eq!(*store.reads.lock().unwrap(), [(0, 0, 100_000), (1, 0, 20_000), (2, 0, 11_072)]);
    for (&at, result) in wanted.iter().zip(results) {
        let touches = files.torrent.layout.spans(at).any(|span| span.file == Some(FileIndex(1)));
        match result {
            Ok(parts) => assert_eq!(parts.concat(), content(&files, at)),
            Err(_) => assert!(touches, "{at:?} has nothing in the file that fails"),
        }
    }
}

#[test]
fn hashes_are_those_of_the_bytes_pads_included() {
    let (files, _) = files(Layout::aligned(65536, entries(&[70_000, 0, 5])).unwrap());
    let at = block(1, 0, 65536);
    let leaf = block(0, 0, 16384);
    let hash_piece = Job::HashPieceV1 { piece: PieceIndex(1), data: Vec::new() };
    let done = run(&files, vec![hash_piece, Job::HashBlock { job: JobId(7), block: leaf }]);
    let [Done::Piece { result: Ok(piece), .. }, Done::Block { result: Ok(Some(root)), .. }] = &done[..]
    else {
        panic!("{done:?}")
    };
    assert_eq!(piece[..], Sha1::digest(content(&files, at))[..]);
    assert_eq!(root.0[..], Sha256::digest(content(&files, leaf))[..]);
    let given = Job::HashPieceV1 {
        piece: PieceIndex(0),
        data: vec![Bytes::from_static(b"ab"), Bytes::from_static(b"c")],
    };
    let [Done::Piece { result: Ok(piece), .. }] = run(&files, vec![given])[..] else { panic!() };
    assert_eq!(piece[..], Sha1::digest(b"abc")[..]);
}

#[tokio::test]
async fn jobs_gather_into_batches_and_each_reports() {
    let (files, _) = files(Layout::aligned(1 << 20, entries(&[64 << 20])).unwrap());
    let (sender, mut reports) = mpsc::unbounded_channel();
    let mut queue = DiskQueue::new(sender);
    let jobs = 400;
    for job in 0..jobs {
        let at = block(job / 64, job % 64 * 16384, 16384);
        queue.push(Job::Write {
            job: JobId(u64::from(job)),
            block: at,
            data: content(&files, at).into(),
            leaf: false,
        });
    }
    assert_eq!(queue.unfinished_bytes(), jobs as usize * 16384);
    let mut done = 0;
    while !queue.is_idle() {
        queue.pump(&files);
        let report = reports.recv().await.unwrap();
        queue.reported(&report);
        assert!(report.done.len() <= 64, "a batch is at most 1 MiB");
        done += report.done.len() as u32;
    }
    assert_eq!((done, queue.unfinished_bytes()), (jobs, 0));
}
