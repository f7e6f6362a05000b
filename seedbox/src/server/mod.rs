//! `seedbox serve`: everything a player needs, from one data folder.
//!
//! Nothing is configured twice: what is offered is read from the signed metadata, and read again when a publish
//! replaces it.

mod connection;
mod range;
mod metrics;
mod catalog;
mod statics;
mod seeder;
mod content;
mod tracker;
mod router;
mod upkeep;

pub use connection::Limits;

use crate::error::{Error, Result};
use crate::platform;
use crate::store::{Blobs, DataDir, Shelf};
use catalog::Catalog;
use connection::{Ends, Gate};
use metrics::{Metrics, Now, Route};
use protocol::net::Limiter;
use seeder::Seeder;
use statics::Statics;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// A timestamp lives for seven days, so this signs it daily, and six days of trouble pass unnoticed by players.
pub const RENEW_BELOW: Duration = Duration::from_secs(6 * 86_400);

/// What to serve, where, and how much of it.
#[derive(Clone, Debug)]
pub struct ServeConfig {
    /// The data folder.
    pub data: PathBuf,
    /// Where to answer HTTP; port 0 takes any.
    pub listen: SocketAddr,
    /// Where to take peers; port 0 takes any. `None` is web seed and tracker alone.
    pub peer_listen: Option<SocketAddr>,
    /// Bytes a second for peers and web seed together; `None` is unlimited.
    pub upload_limit: Option<u64>,
    /// What a client may take of the server.
    pub limits: Limits,
    /// The timestamp is signed again when it has less than this left.
    pub renew_below: Duration,
}

impl ServeConfig {
    /// On loopback, any ports, no upload limit.
    #[must_use]
    pub fn loopback(data: impl Into<PathBuf>) -> ServeConfig {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        ServeConfig {
            data: data.into(),
            listen: any,
            peer_listen: Some(any),
            upload_limit: None,
            limits: Limits::default(),
            renew_below: RENEW_BELOW,
        }
    }
}

/// What a running seedbox has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Releases offered.
    pub releases: usize,
    /// Packs offered.
    pub packs: usize,
    /// Peers connected now.
    pub peers: usize,
    /// Web seed bytes sent: by path, by content, and of packs.
    pub web_bytes: u64,
    /// Bytes of metadata, targets and torrents sent.
    pub static_bytes: u64,
    /// Payload sent to peers.
    pub peer_bytes: u64,
    /// Announces answered.
    pub announces: u64,
}

/// What all connections share.
pub(crate) struct App {
    dir: DataDir,
    catalog: RwLock<Arc<Catalog>>,
    shelf: Arc<Shelf>,
    packs: Arc<Shelf>,
    statics: Statics,
    upload: Arc<Limiter>,
    seeder: Option<Seeder>,
    swarms: tracker::Swarms,
    metrics: Metrics,
    gate: Gate,
}

impl App {
    pub(crate) fn catalog(&self) -> Arc<Catalog> {
        Arc::clone(&self.catalog.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Where the bytes of a route's files lie.
    fn shelf_of(&self, route: Route) -> Arc<Shelf> {
        Arc::clone(if route == Route::Packs { &self.packs } else { &self.shelf })
    }

    /// Reads the repository, seeds what is new, then offers it.
    async fn reload(self: &Arc<Self>) -> Result<()> {
        let app = Arc::clone(self);
        let read = tokio::task::spawn_blocking(move || Catalog::read(&app.dir, &app.catalog())).await;
        let catalog = Arc::new(read.map_err(|error| Error::Seeding(error.to_string()))??);
        self.swarms.follow(&catalog);
        if let Some(seeder) = &self.seeder {
            seeder.follow(&catalog, &self.shelf, &self.packs).await;
        }
        *self.catalog.write().unwrap_or_else(PoisonError::into_inner) = catalog;
        Ok(())
    }

    /// Why players should not be sent here, if there is a reason.
    pub(crate) fn unready(&self) -> Option<&'static str> {
        let expired = self.catalog().expires <= platform::now();
        expired.then_some("The metadata has expired: run `seedbox refresh`.\n")
    }

    pub(crate) fn now(&self) -> Now {
        let catalog = self.catalog();
        let seeding = self.seeder.as_ref().map(Seeder::seeding).unwrap_or_default();
        Now {
            connections: self.gate.total(),
            releases: catalog.releases().len(),
            packs: catalog.packs().len(),
            swarms: seeding.swarms,
            peers: seeding.peers,
            peer_bytes: seeding.sent_bytes,
            metadata_expires: catalog.expires.0,
        }
    }

    fn stats(&self) -> Stats {
        let now = self.now();
        let sent = |route| self.metrics.sent_so_far(route);
        Stats {
            releases: now.releases,
            packs: now.packs,
            peers: now.peers,
            web_bytes: sent(Route::Files) + sent(Route::Blobs) + sent(Route::Packs),
            static_bytes: sent(Route::Static),
            peer_bytes: now.peer_bytes,
            announces: self.metrics.announces_so_far(),
        }
    }
}

/// A seedbox at work. Dropping it stops it without waiting.
pub struct Running {
    app: Arc<App>,
    http_addr: SocketAddr,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Running {
    /// Where HTTP is answered.
    #[must_use]
    pub fn http_addr(&self) -> SocketAddr {
        self.http_addr
    }

    /// Where peers connect to.
    #[must_use]
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        self.app.seeder.as_ref().and_then(Seeder::local_addr)
    }

    /// What was done so far.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.app.stats()
    }

    /// HTTP connections that are open now.
    #[must_use]
    pub fn open_connections(&self) -> usize {
        self.app.gate.total()
    }

    /// Takes no more connections, lets open answers finish, says goodbye to peers. Returns the last numbers.
    pub async fn shutdown(self) -> Stats {
        self.stop.cancel();
        self.tasks.wait().await;
        let stats = self.app.stats();
        if let Some(seeder) = &self.app.seeder {
            seeder.shutdown().await;
        }
        stats
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Starts to serve. Must be called inside a tokio runtime.
///
/// # Errors
/// `E-REPO-…`, `E-LISTEN`, `E-SEEDING`, or the disk's.
pub async fn serve(config: ServeConfig) -> Result<Running> {
    let dir = DataDir::open(&config.data)?;
    let listener = listen(config.listen).await?;
    let http_addr = listener.local_addr().map_err(|source| refused(config.listen, source))?;
    let upload = Arc::new(Limiter::new(config.upload_limit));
    let seeder = match config.peer_listen {
        Some(address) => Some(Seeder::start(address, Arc::clone(&upload)).await?),
        None => None,
    };
    let app = Arc::new(App {
        catalog: RwLock::default(),
        shelf: Arc::new(Shelf::new(Blobs::new(&dir))),
        packs: Arc::new(Shelf::new(Blobs::packs(&dir))),
        statics: Statics::new(dir.public()),
        upload,
        swarms: tracker::Swarms::new(seeder.as_ref().and_then(Seeder::local_addr)),
        seeder,
        metrics: Metrics::new(),
        gate: Gate::default(),
        dir,
    });
    let seen = upkeep::stamp(&app);
    app.reload().await?;
    let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
    tasks.spawn(accept(Arc::clone(&app), listener, config.limits, stop.clone(), tasks.clone()));
    tasks.spawn(upkeep::run(Arc::clone(&app), seen, config.renew_below, stop.clone()));
    tasks.close();
    Ok(Running { app, http_addr, stop, tasks })
}

/// The manifests of all that would be offered, each with torrents that fit it.
#[cfg(test)]
pub(crate) fn catalog_of(dir: &DataDir) -> Result<Vec<manifests::release::ReleaseManifest>> {
    let catalog = Catalog::read(dir, &Catalog::default())?;
    Ok(catalog.releases().map(|live| live.manifest.clone()).collect())
}

/// How many packs would be offered.
#[cfg(test)]
pub(crate) fn packs_of(dir: &DataDir) -> Result<usize> {
    Ok(Catalog::read(dir, &Catalog::default())?.packs().len())
}

async fn listen(address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|source| refused(address, source))
}

fn refused(address: SocketAddr, source: std::io::Error) -> Error {
    Error::Listen { address: address.to_string(), source }
}

async fn accept(
    app: Arc<App>,
    listener: TcpListener,
    limits: Limits,
    stop: CancellationToken,
    tasks: TaskTracker,
) {
    let router = router::router(Arc::clone(&app));
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let (stream, remote) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file descriptors, most likely: those who are connected go first.
                tracing::warn!(%error, "cannot take a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let Some(admission) = app.gate.admit(remote.ip(), &limits) else {
            app.metrics.refused();
            continue;
        };
        let Ok(local) = stream.local_addr() else { continue };
        let _ = stream.set_nodelay(true);
        let (router, stop) = (router.clone(), stop.clone());
        tasks.spawn(async move {
            connection::drive(stream, Ends { remote, local }, router, limits, stop).await;
            drop(admission);
        });
    }
}
