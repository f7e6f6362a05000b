//! Whole nodes on loopback: real sockets, real files.
#![cfg(feature = "net")]
#![allow(clippy::disallowed_methods, reason = "a test's own files")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

use protocol::blockset::BlockSet;
use protocol::disk::{DirSource, FileStore, MmapStore, Store};
use protocol::merkle::FileHasher;
use protocol::metainfo::{Mode, NewFile, Torrent, TorrentBuilder, V1Hasher};
use protocol::net::{AddSwarm, NetError, Node, NodeConfig, SwarmHandle};
use protocol::swarm::{Content, Event, Role};
use protocol::units::{FileIndex, Root};
use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

const PIECE_LEN: u32 = 64 * 1024;
const ANY_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// A tree on disk and its torrent.
struct Build {
    dir: tempfile::TempDir,
    torrent: Arc<Torrent>,
    leaves: HashMap<FileIndex, Arc<[Root]>>,
}

fn byte(file: usize, at: usize) -> u8 {
    (at.wrapping_mul(2_654_435_761) >> 11) as u8 ^ file as u8
}

impl Build {
    fn new(mode: Mode, lens: &[usize]) -> Build {
        let dir = tempfile::tempdir().unwrap();
        let mut tree: Vec<(NewFile, Arc<[Root]>, Vec<u8>)> = Vec::new();
        for (i, &len) in lens.iter().enumerate() {
            let path = vec![format!("dir{}", i % 7), format!("file{i:04}")];
            let data: Vec<u8> = (0..len).map(|at| byte(i, at)).collect();
            let on_disk = dir.path().join(path.iter().collect::<PathBuf>());
            std::fs::create_dir_all(on_disk.parent().unwrap()).unwrap();
            std::fs::write(on_disk, &data).unwrap();
            let mut hasher = FileHasher::new();
            hasher.update(&data);
            let hashes = hasher.finish();
            let piece_layer = hashes.piece_layer(PIECE_LEN);
            let file = NewFile { path, len: len as u64, executable: false, root: hashes.root, piece_layer };
            tree.push((file, hashes.leaves.into(), data));
        }
        tree.sort_by(|a, b| a.0.path.cmp(&b.0.path));
        let files = tree.iter().map(|(file, _, _)| file.clone()).collect();
        let builder = TorrentBuilder::folder("game", mode, PIECE_LEN, files);
        let mut pieces = V1Hasher::new(&builder.layout().unwrap());
        tree.iter().for_each(|(_, _, data)| pieces.update(data));
        let torrent = builder.pieces_v1(pieces.finish().unwrap()).build().unwrap().torrent;
        let leaves = (0..).map(FileIndex).zip(tree.into_iter().map(|(_, leaves, _)| leaves)).collect();
        Build {
            dir,
            torrent: Arc::new(torrent),
            leaves: if mode == Mode::V1 { HashMap::new() } else { leaves },
        }
    }

    fn source(&self, root: &Path) -> DirSource {
        let paths = self.torrent.layout.files.iter().map(|file| file.path.iter().collect::<PathBuf>());
        DirSource::new(root, paths).unwrap()
    }

    fn content(&self, have: bool) -> Content {
        let blocks = self.torrent.layout.block_count();
        Content {
            torrent: Arc::clone(&self.torrent),
            have: if have { BlockSet::full(blocks) } else { BlockSet::new(blocks) },
            wanted: BlockSet::full(blocks),
            leaves: if have { self.leaves.clone() } else { HashMap::new() },
        }
    }

    async fn seed(&self, store: Arc<dyn Store>) -> (Node, SwarmHandle) {
        let node = Node::start(NodeConfig::new(Role::Seedbox, Some(ANY_PORT))).await.unwrap();
        let swarm = node.add(AddSwarm::new(self.content(true), store)).await.unwrap();
        (node, swarm)
    }

    async fn leech(&self, into: &Path, peers: Vec<SocketAddr>) -> (Node, SwarmHandle) {
        let node = Node::start(NodeConfig::new(Role::Launcher, Some(ANY_PORT))).await.unwrap();
        let store = Arc::new(FileStore::new(self.source(into)));
        let add = AddSwarm { peers, ..AddSwarm::new(self.content(false), store) };
        let swarm = node.add(add).await.unwrap();
        (node, swarm)
    }

    fn assert_copied(&self, into: &Path) {
        for file in self.torrent.layout.files.iter().filter(|file| file.len > 0) {
            let path: PathBuf = file.path.iter().collect();
            let (ours, theirs) =
                (std::fs::read(self.dir.path().join(&path)), std::fs::read(into.join(&path)));
            assert!(ours.unwrap() == theirs.unwrap(), "{path:?} differs");
        }
    }
}

/// The events up to one that is awaited, or a panic after a while.
async fn until(swarm: &mut SwarmHandle, wanted: impl Fn(&Event) -> bool) -> Vec<Event> {
    let mut seen = Vec::new();
    let all = async {
        while let Some(event) = swarm.events.recv().await {
            let found = wanted(&event);
            seen.push(event);
            if found {
                return true;
            }
        }
        false
    };
    let found = tokio::time::timeout(Duration::from_secs(60), all).await;
    assert!(matches!(found, Ok(true)), "{found:?}: {seen:?}, {:?}", swarm.stats());
    seen
}

async fn completed(swarm: &mut SwarmHandle) -> Vec<Event> {
    until(swarm, |event| matches!(event, Event::Completed)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_kind_of_torrent_goes_from_a_seed_to_a_leech() {
    let tree: Vec<usize> = (0..300).map(|i| i * i % 50_000).collect();
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
    assert!(control.command(protocol::swarm::Command::Resume).is_err());
    let again = node.add(AddSwarm::new(build.content(true), store.clone())).await.unwrap();
    drop(again);
    node.shutdown().await;
    assert!(matches!(node.add(AddSwarm::new(build.content(true), store)).await, Err(NetError::Stopped)));
}
