//! Trees, their torrents, and nodes that seed and leech them.

use protocol::blockset::BlockSet;
use protocol::disk::{DirSource, FileStore, Store};
use protocol::merkle::FileHasher;
use protocol::metainfo::{Mode, NewFile, Torrent, TorrentBuilder, V1Hasher};
use protocol::net::{AddSwarm, Node, NodeConfig, SwarmHandle};
use protocol::swarm::{Content, Event, Role};
use protocol::units::{FileIndex, Root};
use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

pub(crate) const PIECE_LEN: u32 = 64 * 1024;
pub(crate) const ANY_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// A tree on disk and its torrent.
pub(crate) struct Build {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) torrent: Arc<Torrent>,
    pub(crate) leaves: HashMap<FileIndex, Arc<[Root]>>,
}

fn byte(file: usize, at: usize) -> u8 {
    (at.wrapping_mul(2_654_435_761) >> 11) as u8 ^ file as u8
}

impl Build {
    pub(crate) fn new(mode: Mode, lens: &[usize]) -> Build {
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

    pub(crate) fn source(&self, root: &Path) -> DirSource {
        let paths = self.torrent.layout.files.iter().map(|file| file.path.iter().collect::<PathBuf>());
        DirSource::new(root, paths).unwrap()
    }

    pub(crate) fn content(&self, have: bool) -> Content {
        let blocks = self.torrent.layout.block_count();
        Content {
            torrent: Arc::clone(&self.torrent),
            have: if have { BlockSet::full(blocks) } else { BlockSet::new(blocks) },
            wanted: BlockSet::full(blocks),
            leaves: if have { self.leaves.clone() } else { HashMap::new() },
        }
    }

    pub(crate) async fn seed(&self, store: Arc<dyn Store>) -> (Node, SwarmHandle) {
        let node = Node::start(NodeConfig::new(Role::Seedbox, Some(ANY_PORT))).await.unwrap();
        let swarm = node.add(AddSwarm::new(self.content(true), store)).await.unwrap();
        (node, swarm)
    }

    pub(crate) async fn leech(&self, into: &Path, peers: Vec<SocketAddr>) -> (Node, SwarmHandle) {
        let node = Node::start(NodeConfig::new(Role::Launcher, Some(ANY_PORT))).await.unwrap();
        let store = Arc::new(FileStore::new(self.source(into)));
        let add = AddSwarm { peers, ..AddSwarm::new(self.content(false), store) };
        let swarm = node.add(add).await.unwrap();
        (node, swarm)
    }

    pub(crate) fn assert_copied(&self, into: &Path) {
        for file in self.torrent.layout.files.iter().filter(|file| file.len > 0) {
            let path: PathBuf = file.path.iter().collect();
            let (ours, theirs) =
                (std::fs::read(self.dir.path().join(&path)), std::fs::read(into.join(&path)));
            assert!(ours.unwrap() == theirs.unwrap(), "{path:?} differs");
        }
    }
}

/// The events up to one that is awaited, or a panic after a while.
pub(crate) async fn until(swarm: &mut SwarmHandle, wanted: impl Fn(&Event) -> bool) -> Vec<Event> {
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

pub(crate) async fn completed(swarm: &mut SwarmHandle) -> Vec<Event> {
    until(swarm, |event| matches!(event, Event::Completed)).await
}
