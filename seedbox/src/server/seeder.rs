//! Seeds every release through one node: the hybrid that launchers use, the v1-only twin beside it, and the packs.

use super::catalog::Catalog;
use crate::error::{Error, Result};
use crate::store::{ReleaseStore, Shelf};
use protocol::blockset::BlockSet;
use protocol::metainfo::Torrent;
use protocol::net::{AddSwarm, Limiter, NetError, Node, NodeConfig, SwarmControl, SwarmHandle};
use protocol::swarm::{Content, Role};
use protocol::units::{PieceIndex, WireHash};
use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The node, and the torrents it seeds.
#[derive(Debug)]
pub(crate) struct Seeder {
    node: Node,
    swarms: Mutex<Swarms>,
}

#[derive(Debug, Default)]
struct Swarms {
    known: HashSet<WireHash>,
    controls: Vec<SwarmControl>,
}

/// What the swarms did so far, and are.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Seeding {
    pub(crate) swarms: usize,
    pub(crate) peers: usize,
    pub(crate) sent_bytes: u64,
}

impl Seeder {
    /// Opens the peers' listener.
    pub(crate) async fn start(listen: SocketAddr, upload: Arc<Limiter>) -> Result<Seeder> {
        let config = NodeConfig { upload, ..NodeConfig::new(Role::Seedbox, Some(listen)) };
        let node = Node::start(config).await.map_err(|error| match error {
            NetError::Listen { addr, source } => Error::Listen { address: addr.to_string(), source },
            other => Error::Seeding(other.to_string()),
        })?;
        Ok(Seeder { node, swarms: Mutex::default() })
    }

    /// Where peers connect to.
    pub(crate) fn local_addr(&self) -> Option<SocketAddr> {
        self.node.local_addr()
    }

    /// Begins to seed what is new in the catalog. A torrent that cannot be seeded is still offered by web seed.
    pub(crate) async fn follow(&self, catalog: &Catalog, shelf: &Arc<Shelf>, packs: &Arc<Shelf>) {
        for live in catalog.releases() {
            let torrents = std::iter::once(&live.hybrid).chain(&live.twin);
            self.seed(torrents, || Arc::new(shelf.release(&live.contents()))).await;
        }
        for pack in catalog.packs() {
            self.seed([&pack.torrent], || Arc::new(packs.release(&[pack.entry.identity]))).await;
        }
    }

    /// Seeds those of some torrents over the same files that are not seeded yet.
    async fn seed(
        &self,
        torrents: impl IntoIterator<Item = &Arc<Torrent>>,
        store: impl FnOnce() -> Arc<ReleaseStore>,
    ) {
        let running = |torrent: &Torrent| torrent.wire_hashes().any(|hash| self.lock().known.contains(&hash));
        let new: Vec<_> = torrents.into_iter().filter(|torrent| !running(torrent)).collect();
        if new.is_empty() {
            return;
        }
        let store = store();
        for torrent in new {
            match self.node.add(AddSwarm::new(whole(torrent), Arc::clone(&store) as _)).await {
                Ok(handle) => self.adopt(torrent, handle),
                Err(error) => tracing::warn!(%error, name = torrent.name, "a torrent cannot be seeded"),
            }
        }
    }

    fn adopt(&self, torrent: &Torrent, handle: SwarmHandle) {
        let mut swarms = self.lock();
        swarms.known.extend(torrent.wire_hashes());
        swarms.controls.push(handle.control());
        let hash = torrent.wire_hashes().next();
        // The swarm lives as long as somebody listens to it: until the node is shut down.
        tokio::spawn(async move {
            let mut handle = handle;
            while let Some(event) = handle.events.recv().await {
                tracing::debug!(?hash, ?event, "swarm");
            }
        });
    }

    /// Sums over all swarms.
    pub(crate) fn seeding(&self) -> Seeding {
        let mut sum = Seeding::default();
        for stats in self.lock().controls.iter().map(SwarmControl::stats) {
            sum.swarms += 1;
            sum.peers += stats.peers;
            sum.sent_bytes += stats.sent_lan + stats.sent_peers;
        }
        sum
    }

    /// Says goodbye to all peers.
    pub(crate) async fn shutdown(&self) {
        self.node.shutdown().await;
    }

    fn lock(&self) -> MutexGuard<'_, Swarms> {
        self.swarms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// We have everything.
fn whole(torrent: &Arc<Torrent>) -> Content {
    let layout = &torrent.layout;
    let mut all = BlockSet::new(layout.block_count());
    for piece in (0..layout.piece_count()).map(PieceIndex) {
        all.insert_range(layout.piece_blocks(piece));
    }
    Content { torrent: Arc::clone(torrent), have: all.clone(), wanted: all, leaves: HashMap::new() }
}
