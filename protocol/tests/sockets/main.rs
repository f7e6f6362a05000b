//! Whole nodes on loopback: real sockets, real files.
#![cfg(feature = "net")]
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "a test's own files and sockets")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

mod build;
mod hostile;
mod http;

use build::{Build, PIECE_LEN, completed, until};
use protocol::blockset::BlockSet;
use protocol::disk::{DirSource, FileSource, FileStamp, FileStore, MmapStore, Store};
use protocol::metainfo::Mode;
use protocol::net::{AddSwarm, Limiter, NetError, Node, NodeConfig};
use protocol::swarm::{Command, Event, Role};
use protocol::units::FileIndex;
use std::fs::File;
use std::io::{self, IoSlice};
use std::sync::Arc;
use std::time::{Duration, Instant};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_kind_of_torrent_goes_from_a_seed_to_a_leech() {
    let tree: Vec<usize> = (0..150).map(|i| i * i % 50_000).collect();
    for mode in [Mode::V1, Mode::V2, Mode::Hybrid] {
        for lens in
            [&[1_000_003][..], &[0, 1, PIECE_LEN as usize, 0, 3 * PIECE_LEN as usize + 5, 0][..], &tree]
        {
            let build = Build::new(mode, lens);
            let into = tempfile::tempdir().unwrap();
            let (seed_node, seed) =
                build.seed(Arc::new(MmapStore::new(build.source(build.dir.path())))).await;
            let (node, mut leech) = build.leech(into.path(), vec![seed_node.local_addr().unwrap()]).await;
            completed(&mut leech).await;
            let stats = leech.stats();
            assert!(stats.complete && stats.corrupt_bytes == 0, "{mode:?} {stats:?}");
            assert_eq!(stats.done_bytes, build.torrent.layout.data_len);
            assert!(stats.received.origin >= stats.done_bytes, "the seed says it is a seedbox: {stats:?}");
            leech.shutdown().await;
            seed.shutdown().await;
            build.assert_copied(into.path());
            tokio::join!(node.shutdown(), seed_node.shutdown());
        }
    }
}

#[tokio::test]
async fn a_torrent_is_added_once_and_again_after_it_has_stopped() {
    let build = Build::new(Mode::Hybrid, &[5]);
    let store = Arc::new(FileStore::new(build.source(build.dir.path())));
    let (node, first) = build.seed(store.clone()).await;
    let again = node.add(AddSwarm::new(build.content(true), store.clone())).await;
    assert!(matches!(again, Err(NetError::Duplicate)));
    let control = first.control();
    first.shutdown().await;
    assert!(control.command(Command::Resume).is_err());
    let again = node.add(AddSwarm::new(build.content(true), store.clone())).await.unwrap();
    drop(again);
    node.shutdown().await;
    assert!(matches!(node.add(AddSwarm::new(build.content(true), store)).await, Err(NetError::Stopped)));
}

/// Files with stamps of when they were verified.
struct Guarded(DirSource, Vec<FileStamp>);

impl FileSource for Guarded {
    fn open_read(&self, file: FileIndex) -> io::Result<File> {
        self.0.open_read(file)
    }
    fn open_write(&self, _: FileIndex) -> io::Result<File> {
        Err(io::ErrorKind::Unsupported.into())
    }
    fn guard(&self, file: FileIndex) -> Option<FileStamp> {
        self.1.get(file.idx()).copied()
    }
}

#[tokio::test]
async fn a_file_that_the_game_rewrote_is_withdrawn_and_the_rest_is_served() {
    let build = Build::new(Mode::Hybrid, &[200_000, 200_000, 200_000]);
    let source = build.source(build.dir.path());
    let stamps = (0..3).map(|i| FileStamp::of(&source.open_read(FileIndex(i)).unwrap()).unwrap()).collect();
    let rewritten = source.open_write(FileIndex(1)).unwrap();
    rewritten.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    let (seed_node, mut seed) = build.seed(Arc::new(FileStore::new(Guarded(source, stamps)))).await;
    let into = tempfile::tempdir().unwrap();
    let (node, mut leech) = build.leech(into.path(), vec![seed_node.local_addr().unwrap()]).await;
    until(&mut seed, |event| matches!(event, Event::FileFaulty { file: FileIndex(1), .. })).await;
    let mut done = 0;
    until(&mut leech, |event| {
        if let Event::PieceVerified(piece) = event {
            assert_ne!(build.torrent.layout.file_of_piece(*piece), Some(FileIndex(1)));
        }
        matches!(event, Event::PieceVerified(_))
    })
    .await;
    while done < 400_000 {
        leech.control().watch_stats().changed().await.unwrap();
        done = leech.stats().done_bytes;
    }
    assert_eq!(leech.stats().corrupt_bytes, 0);
    tokio::join!(node.shutdown(), seed_node.shutdown());
}

/// Reading of one file takes until it is let go.
struct Slow {
    files: FileStore<DirSource>,
    slow: FileIndex,
    begun: tokio::sync::mpsc::UnboundedSender<()>,
    go: std::sync::Mutex<std::sync::mpsc::Receiver<()>>,
}

impl Store for Slow {
    fn read_at(&self, file: FileIndex, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        if file == self.slow {
            self.begun.send(()).unwrap();
            // An error is that nobody holds it back any more.
            let _ = self.go.lock().unwrap().recv();
        }
        self.files.read_at(file, offset, buf)
    }

    fn write_at(&self, file: FileIndex, offset: u64, bufs: &[IoSlice<'_>]) -> io::Result<()> {
        self.files.write_at(file, offset, bufs)
    }

    fn sync(&self, file: FileIndex) -> io::Result<()> {
        self.files.sync(file)
    }
}

#[tokio::test]
async fn a_withdrawn_file_is_read_to_the_end_of_what_was_begun_and_not_after() {
    let build = Build::new(Mode::Hybrid, &[200_000, 400_000, 200_000]);
    let (begun, mut reading) = tokio::sync::mpsc::unbounded_channel();
    let (let_go, go) = std::sync::mpsc::channel();
    let slow = FileIndex(1);
    let files = FileStore::new(build.source(build.dir.path()));
    let (seed_node, seed) =
        build.seed(Arc::new(Slow { files, slow, begun, go: std::sync::Mutex::new(go) })).await;
    let into = tempfile::tempdir().unwrap();
    let (node, leech) = build.leech(into.path(), vec![seed_node.local_addr().unwrap()]).await;
    reading.recv().await.unwrap();
    let control = seed.control();
    let mut withdrawn = tokio::spawn(async move { control.withdraw(vec![slow]).await });
    // A command that comes after it was performed, and it still waits.
    let mut seed = seed;
    until(&mut seed, |event| matches!(event, Event::Withdrawn(file) if *file == slow)).await;
    assert!(futures_util::poll!(&mut withdrawn).is_pending(), "a read is under way");
    drop(let_go);
    withdrawn.await.unwrap().unwrap();
    while reading.try_recv().is_ok() {}
    // The others come whole, of this one no more is read.
    let mut stats = leech.control().watch_stats();
    while stats.borrow_and_update().done_bytes < 400_000 {
        stats.changed().await.unwrap();
    }
    assert!(reading.try_recv().is_err(), "read after it was withdrawn");
    assert!(!leech.stats().complete && leech.stats().corrupt_bytes == 0);
    // And back again.
    let have = BlockSet::full(build.torrent.layout.block_count());
    seed.command(Command::Restore { file: slow, have, leaves: None }).unwrap();
    let mut leech = leech;
    completed(&mut leech).await;
    build.assert_copied(into.path());
    seed.shutdown().await;
    tokio::join!(node.shutdown(), seed_node.shutdown());
}

#[tokio::test]
async fn the_upload_limit_of_a_node_holds_for_all_its_swarms_together() {
    let builds = [Build::new(Mode::V2, &[600_000]), Build::new(Mode::V1, &[600_001])];
    let upload = Arc::new(Limiter::new(Some(1_000_000)));
    let config = NodeConfig { upload, ..NodeConfig::new(Role::Seedbox, Some(build::ANY_PORT)) };
    let seed_node = Node::start(config).await.unwrap();
    let peer = seed_node.local_addr().unwrap();
    let start = Instant::now();
    let mut running = Vec::new();
    for build in &builds {
        let store = Arc::new(FileStore::new(build.source(build.dir.path())));
        let seed = seed_node.add(AddSwarm::new(build.content(true), store)).await.unwrap();
        let into = tempfile::tempdir().unwrap();
        running.push((build.leech(into.path(), vec![peer]).await, seed, into));
    }
    for ((_, leech), _, _) in &mut running {
        completed(leech).await;
    }
    let took = start.elapsed();
    assert!(took >= Duration::from_millis(1000), "1.2 MB at 1 MB/s in {took:?}");
    for ((node, _), _, _) in &running {
        node.shutdown().await;
    }
    seed_node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shutting_down_in_the_middle_leaves_nothing_running() {
    let build = Build::new(Mode::Hybrid, &[8_000_000]);
    let (seed_node, _seed) = build.seed(Arc::new(MmapStore::new(build.source(build.dir.path())))).await;
    seed_node.upload().set_rate(Some(4_000_000));
    let into = tempfile::tempdir().unwrap();
    let (node, mut leech) = build.leech(into.path(), vec![seed_node.local_addr().unwrap()]).await;
    until(&mut leech, |event| matches!(event, Event::BlocksVerified(_))).await;
    let addr = node.local_addr().unwrap();
    leech.shutdown().await;
    let done = std::fs::metadata(into.path().join("dir0/file0000")).unwrap().len();
    tokio::time::timeout(Duration::from_secs(20), node.shutdown()).await.unwrap();
    tokio::time::timeout(Duration::from_secs(20), seed_node.shutdown()).await.unwrap();
    assert!(std::net::TcpStream::connect(addr).is_err(), "the listener is closed");
    assert_eq!(
        std::fs::metadata(into.path().join("dir0/file0000")).unwrap().len(),
        done,
        "nobody writes any more"
    );
}
