//! A node: the listener and what its swarms share.

use super::accept::Door;
use super::bufs::RecvBufs;
use super::conn::{Common, Link};
use super::driver::{Clock, Driver, Inbox, Order, Parts};
use super::http::Http;
use super::{AddSwarm, Limiter, NetError, NodeConfig};
use crate::swarm::{Command, Event, Role, Start, Stats, Swarm, SwarmConfig};
use crate::units::{FileIndex, InfoHashV1, InfoHashV2, PeerId, WireHash};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Things that connections say and the driver has not heard yet.
const FEED_LEN: usize = 64;
/// Events that the owner has not taken yet.
const EVENTS_LEN: usize = 1024;

/// Many swarms behind one listener. Must be started inside a tokio runtime with time and IO enabled.
#[derive(Debug)]
pub struct Node {
    inner: Arc<Inner>,
    role: Role,
    local_addr: Option<SocketAddr>,
    /// Cancelled when no more connections and swarms are taken. Swarms say goodbye in their own time.
    closed: CancellationToken,
    tasks: TaskTracker,
    swarms: Mutex<Vec<SwarmControl>>,
}

/// What the node's swarms share.
#[derive(Debug)]
pub(super) struct Inner {
    pub(super) door: Arc<Door>,
    pub(super) http: Http,
    pub(super) clock: Clock,
    common: Arc<Common>,
    peer_id: PeerId,
}

impl Node {
    /// Opens the listener and begins to accept.
    ///
    /// # Errors
    /// [`NetError::Listen`].
    pub async fn start(config: NodeConfig) -> Result<Node, NetError> {
        let NodeConfig { listen, role, upload, download, limits } = config;
        let common = Common { limits, upload, download, recv_bufs: RecvBufs::default() };
        let prefix = match role {
            Role::Seedbox => PeerId::SEEDBOX_PREFIX,
            Role::Launcher => PeerId::LAUNCHER_PREFIX,
        };
        let inner = Arc::new(Inner {
            door: Arc::new(Door::new(limits)),
            http: Http::new(),
            clock: Clock::new(),
            common: Arc::new(common),
            peer_id: PeerId::new(prefix, rand::random()),
        });
        let (closed, tasks) = (CancellationToken::new(), TaskTracker::new());
        let mut local_addr = None;
        if let Some(addr) = listen {
            let failed = |source| NetError::Listen { addr, source };
            let listener = TcpListener::bind(addr).await.map_err(failed)?;
            local_addr = Some(listener.local_addr().map_err(failed)?);
            tasks.spawn(Arc::clone(&inner.door).listen(listener, closed.clone(), tasks.clone()));
        }
        Ok(Node { inner, role, local_addr, closed, tasks, swarms: Mutex::default() })
    }

    /// Where peers connect to, with the port that was chosen if it was 0.
    #[must_use]
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.local_addr
    }

    /// The node's upload allowance.
    #[must_use]
    pub fn upload(&self) -> &Arc<Limiter> {
        &self.inner.common.upload
    }

    /// The node's download allowance.
    #[must_use]
    pub fn download(&self) -> &Arc<Limiter> {
        &self.inner.common.download
    }

    /// Starts a swarm.
    ///
    /// # Errors
    /// [`NetError::Duplicate`], [`NetError::Stopped`].
    pub async fn add(&self, add: AddSwarm) -> Result<SwarmHandle, NetError> {
        if self.closed.is_cancelled() {
            return Err(NetError::Stopped);
        }
        let hashes = wire_hashes(&add.start);
        let (feed_sender, feed) = mpsc::channel(FEED_LEN);
        if !self.inner.door.open(&hashes, &feed_sender) {
            return Err(NetError::Duplicate);
        }
        let (command_sender, commands) = mpsc::unbounded_channel();
        let (events_sender, events) = mpsc::channel(EVENTS_LEN);
        let (stats_sender, stats) = watch::channel(Stats::default());
        let (reading, reading_receiver) = watch::channel(true);
        if !add.peers.is_empty() {
            let _ = command_sender.send(Order::Command(Command::AddPeers(add.peers.clone())));
        }
        let files = OnceLock::new();
        if let Start::Content(content) = &add.start {
            let _ = files.set(Driver::files(Arc::clone(&content.torrent), Arc::clone(&add.store)));
        }
        let link = Link {
            files,
            feed: feed_sender,
            reading: reading_receiver,
            shared: Arc::clone(&self.inner.common),
        };
        let parts = Parts {
            swarm: Swarm::new(self.swarm_config(&add), self.inner.clock.now()),
            node: Arc::clone(&self.inner),
            link: Arc::new(link),
            store: add.store,
            trackers: add.trackers,
            web_seeds: add.web_seeds,
            rates: add.rates,
            reading,
            events: events_sender,
            stats: stats_sender,
            stop: CancellationToken::new(),
        };
        let door = Arc::clone(&self.inner.door);
        let driver = self.tasks.spawn(async move {
            Driver::run(parts, Inbox { feed, commands }).await;
            door.shut(&hashes);
        });
        let control = SwarmControl { commands: command_sender.downgrade(), stats };
        let mut swarms = self.swarms.lock().unwrap_or_else(PoisonError::into_inner);
        swarms.retain(|swarm| swarm.commands.strong_count() > 0);
        swarms.push(control.clone());
        drop(swarms);
        Ok(SwarmHandle { events, control, _commands: command_sender, driver })
    }

    fn swarm_config(&self, add: &AddSwarm) -> SwarmConfig {
        SwarmConfig {
            start: add.start.clone(),
            peer_id: self.inner.peer_id,
            role: self.role,
            trackers: u32::try_from(add.trackers.len()).unwrap_or(u32::MAX),
            web_seeds: u32::try_from(add.web_seeds.len()).unwrap_or(u32::MAX),
            peers: add.use_peers,
            listen_port: self.local_addr.map(|addr| addr.port()),
            rates: add.rates,
            limits: add.limits,
            rng_seed: add.rng_seed.unwrap_or_else(rand::random),
        }
    }

    /// Shuts all swarms down and closes the listener. Returns when nothing is running any more.
    pub async fn shutdown(&self) {
        let swarms = std::mem::take(&mut *self.swarms.lock().unwrap_or_else(PoisonError::into_inner));
        for swarm in swarms {
            // One that has stopped needs no telling.
            let _ = swarm.command(Command::Shutdown);
        }
        self.closed.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

fn wire_hashes(start: &Start) -> Vec<WireHash> {
    match start {
        Start::Content(content) => content.torrent.wire_hashes().collect(),
        Start::Magnet { v1, v2 } => {
            v1.map(InfoHashV1::wire).into_iter().chain(v2.map(InfoHashV2::truncated)).collect()
        }
    }
}

/// The owner's end of a swarm. Dropping it shuts the swarm down, but nobody waits for it then.
#[derive(Debug)]
pub struct SwarmHandle {
    /// What happens, in order. When the owner falls far behind, the swarm stops reading from its peers.
    pub events: mpsc::Receiver<Event>,
    control: SwarmControl,
    _commands: mpsc::UnboundedSender<Order>,
    driver: JoinHandle<()>,
}

impl SwarmHandle {
    /// Tells the swarm something.
    ///
    /// # Errors
    /// [`NetError::Stopped`].
    pub fn command(&self, command: Command) -> Result<(), NetError> {
        self.control.command(command)
    }

    /// The state of things, at most half a second ago.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.control.stats()
    }

    /// For other tasks.
    #[must_use]
    pub fn control(&self) -> SwarmControl {
        self.control.clone()
    }

    /// Says goodbye and returns when nothing of the swarm is running and every write it accepted is done.
    pub async fn shutdown(self) {
        let SwarmHandle { events, control, _commands, driver } = self;
        drop(events);
        // One that has stopped by itself needs no telling; one that panicked has said so.
        let _ = control.command(Command::Shutdown);
        let _ = driver.await;
    }
}

/// Commands and numbers of a swarm, for any number of tasks. Does not keep the swarm running.
#[derive(Clone, Debug)]
pub struct SwarmControl {
    commands: mpsc::WeakUnboundedSender<Order>,
    stats: watch::Receiver<Stats>,
}

impl SwarmControl {
    /// Tells the swarm something.
    ///
    /// # Errors
    /// [`NetError::Stopped`].
    pub fn command(&self, command: Command) -> Result<(), NetError> {
        self.order(Order::Command(command))
    }

    fn order(&self, order: Order) -> Result<(), NetError> {
        let sender = self.commands.upgrade().ok_or(NetError::Stopped)?;
        sender.send(order).map_err(|_| NetError::Stopped)
    }

    /// Stops offering files that are about to be written in place. When it returns, peers that understand it have been
    /// told (BEP 54), what they had asked for is rejected, nobody reads these files for peers, and nobody will until
    /// [`Command::Restore`].
    ///
    /// # Errors
    /// [`NetError::Stopped`]: then nobody reads them either.
    pub async fn withdraw(&self, files: Vec<FileIndex>) -> Result<(), NetError> {
        let (drained, done) = oneshot::channel();
        self.order(Order::Withdraw(files, drained))?;
        done.await.map_err(|_| NetError::Stopped)
    }

    /// The state of things, at most half a second ago.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.stats.borrow().clone()
    }

    /// The same, to wait for changes on.
    #[must_use]
    pub fn watch_stats(&self) -> watch::Receiver<Stats> {
        self.stats.clone()
    }
}
