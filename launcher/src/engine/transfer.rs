//! One torrent in the swarm, from the engine's side: fetch what is wanted, or seed what is here.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use protocol::blockset::BlockSet;
use protocol::disk::Store;
use protocol::metainfo::Torrent;
use protocol::net::{AddSwarm, SwarmHandle, WebSeed, class_of_host};
use protocol::swarm::{self, AddrClass, Event, Start, Stats};
use protocol::units::{FileIndex, Root};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, MissedTickBehavior};
use url::Url;

use crate::engine::board::Task;
use crate::engine::command::{Linger, Sources};
use crate::engine::context::Context;
use crate::engine::meter::tell_load;
use crate::engine::snapshot::{Phase, SourceBytes};
use crate::error::LaunchError;

/// Trackers announced to, at most.
const TRACKERS_MAX: usize = 16;
/// Addresses of one kind looked at, at most.
const HINTS_MAX: usize = 64;
/// Longest wait for a seedbox's name to be looked up.
const LOOKUP: Duration = Duration::from_secs(5);

/// Where a release may be had, from signed documents and the repository's address. All of it hints: whatever comes
/// from there is verified.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Hints {
    /// Announce addresses.
    pub(crate) trackers: Vec<String>,
    /// `host:port` of seedboxes.
    pub(crate) peers: Vec<String>,
    /// Bases that have `blobs/`.
    pub(crate) web: Vec<String>,
}

/// What is to be transferred.
pub(crate) struct Job {
    pub(crate) torrent: Arc<Torrent>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) on_web: OnWeb,
    /// Verified blocks on this disk.
    pub(crate) have: BlockSet,
    pub(crate) wanted: BlockSet,
    /// What is wanted, in bytes, for the progress shown.
    pub(crate) bytes: u64,
    pub(crate) leaves: HashMap<FileIndex, Arc<[Root]>>,
    pub(crate) hints: Hints,
    pub(crate) sources: Sources,
}

/// How the files of a torrent are named below a base of [`Hints::web`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum OnWeb {
    /// By content, in `blobs/`.
    Blobs,
    /// The torrent's only file, at this path below the base.
    File(String),
}

impl OnWeb {
    fn seed(&self, base: &Url) -> Option<WebSeed> {
        match self {
            Self::Blobs => Some(WebSeed::ByContent { base: base.join("blobs/").ok()? }),
            Self::File(path) => Some(WebSeed::ByPath { base: base.join(path).ok()? }),
        }
    }
}

/// Told of every byte range of a file that came and was verified.
pub(crate) type Verified = Box<dyn FnMut(FileIndex, Range<u64>) + Send>;

/// The view's figures as one swarm changed them last. Several may run at a time, so each adds what is new.
#[derive(Debug, Clone, Copy, Default)]
struct Told {
    traffic: Traffic,
    peers: usize,
    done: u64,
}

/// Payload that went over the network.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Traffic {
    pub(crate) received: SourceBytes,
    pub(crate) sent: u64,
}

/// How a transfer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// Everything wanted is on the disk and verified; or the time to seed is over.
    Complete,
    /// Asked to stop.
    Stopped,
}

/// A torrent in the swarm.
pub(crate) struct Transfer {
    task: Task,
    handle: SwarmHandle,
    watch: Watch,
    sources: Sources,
    patience: Duration,
}

impl Transfer {
    /// Joins the swarm.
    pub(crate) async fn start(
        context: &Context,
        task: &Task,
        job: Job,
        verified: Verified,
    ) -> Result<Self, LaunchError> {
        let (sources, torrent, bytes) = (job.sources, job.torrent.clone(), job.bytes);
        let (handle, web_seeds) = start(context, job).await?;
        let watch = Watch::new(task, torrent, verified, (bytes, web_seeds));
        Ok(Self { task: task.clone(), handle, watch, sources, patience: context.options.patience })
    }

    /// Waits for a byte no longer than this, where there is another way to go on.
    pub(crate) fn patient_for(mut self, most: Duration) -> Self {
        self.patience = self.patience.min(most);
        self
    }

    /// Waits until everything wanted has come, and serves what is there meanwhile.
    pub(crate) async fn complete(&mut self) -> Result<Ended, LaunchError> {
        let task = self.task.clone();
        tokio::select! {
            ended = self.run(Until::Complete) => ended,
            never = tell_load(&task) => match never {},
        }
    }

    /// Serves what is there for as long as `linger` says.
    pub(crate) async fn seed(&mut self, linger: Linger) -> Result<Ended, LaunchError> {
        let until = match linger {
            Linger::No => return Ok(Ended::Complete),
            Linger::For(time) => Until::Time(Instant::now() + time),
            Linger::UntilPaused => Until::Paused,
        };
        self.run(until).await
    }

    /// Serves what is there while something else is done. What becomes unreadable by it is withdrawn in silence.
    pub(crate) async fn during<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return done,
                Some(_) = self.handle.events.recv() => {}
                // The swarm has ended by itself; the work goes on without it.
                else => return work.await,
            }
        }
    }

    /// Leaves the swarm. Every write is done and every file closed then, and the figures are final.
    pub(crate) async fn end(mut self) -> Traffic {
        let control = self.handle.control();
        self.handle.shutdown().await;
        self.watch.report(&Stats { peers: 0, ..control.stats() })
    }

    async fn run(&mut self, until: Until) -> Result<Ended, LaunchError> {
        let gone = || LaunchError::internal("the swarm ended by itself");
        let mut stats = self.handle.control().watch_stats();
        let mut tick = tokio::time::interval(Silence::TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut silence = Silence::default();
        loop {
            tokio::select! {
                () = self.task.stop.cancelled() => return Ok(Ended::Stopped),
                event = self.handle.events.recv() => {
                    let complete = self.watch.event(event.ok_or_else(gone)?)?;
                    if matches!(until, Until::Complete) {
                        if complete {
                            return Ok(Ended::Complete);
                        }
                        self.watch.check_sources(self.sources)?;
                    }
                }
                changed = stats.changed() => {
                    changed.map_err(|_| gone())?;
                    self.watch.report(&stats.borrow_and_update());
                }
                now = tick.tick() => {
                    if matches!(until, Until::Time(end) if now >= end) {
                        return Ok(Ended::Complete);
                    }
                    let silent = silence.tick(&stats.borrow());
                    if matches!(until, Until::Complete) && silent >= self.patience {
                        return Err(starved(self.sources, self.patience));
                    }
                }
            }
        }
    }
}

/// The swarm, and how many web seeds it has.
async fn start(context: &Context, job: Job) -> Result<(SwarmHandle, usize), LaunchError> {
    let node = context.node().await?;
    let Job { torrent, store, on_web, have, wanted, leaves, hints, sources, .. } = job;
    let announce = torrent.announce.clone();
    // The first base is the repository the player named.
    let reach = match hints.web.first().and_then(|base| http_url(base)) {
        Some(base) => class_of_host(&base).await,
        None => AddrClass::Public,
    };
    let mut add = AddSwarm::new(swarm::Content { torrent, have, wanted, leaves }, store);
    add.use_peers = sources.peers;
    if sources.peers {
        // Signed trackers first; the torrent's own are hints like any other.
        let trackers = hints.trackers.iter().chain(announce.iter().flatten());
        add.trackers = allowed(reach, trackers).await;
        add.trackers.truncate(TRACKERS_MAX);
        add.peers = resolve(&hints.peers).await;
        add.peers.retain(|addr| swarm::class_of(addr.ip()) >= reach);
    }
    if sources.web {
        let bases = allowed(reach, &hints.web).await;
        add.web_seeds = bases.iter().filter_map(|base| on_web.seed(base)).collect();
    }
    debug_assert!(matches!(add.start, Start::Content(_)));
    tracing::info!(
        trackers = add.trackers.len(),
        peers = add.peers.len(),
        web = add.web_seeds.len(),
        "joining"
    );
    let web_seeds = add.web_seeds.len();
    Ok((node.add(add).await?, web_seeds))
}

/// Addresses without repetition, and none in a more private network than the repository's: a server must not make a
/// player's machine talk to its router.
async fn allowed(reach: AddrClass, texts: impl IntoIterator<Item = &String>) -> Vec<Url> {
    let mut seen = HashSet::new();
    let urls = texts.into_iter().take(HINTS_MAX).filter_map(|text| http_url(text));
    let urls: Vec<Url> = urls.filter(|url| seen.insert(url.clone())).collect();
    let classes = futures_util::future::join_all(urls.iter().map(class_of_host)).await;
    urls.into_iter().zip(classes).filter(|(_, class)| *class >= reach).map(|(url, _)| url).collect()
}

fn http_url(text: &str) -> Option<Url> {
    Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"))
}

/// Looks the names of seedboxes up; those that cannot be found are left out.
async fn resolve(peers: &[String]) -> Vec<SocketAddr> {
    let lookups = peers.iter().map(async |peer| {
        match tokio::time::timeout(LOOKUP, tokio::net::lookup_host(peer.as_str())).await {
            Ok(Ok(addrs)) => addrs.collect(),
            Ok(Err(error)) => {
                tracing::warn!(%peer, %error, "a seedbox cannot be looked up");
                Vec::new()
            }
            Err(_) => {
                tracing::warn!(%peer, "looking a seedbox up takes too long");
                Vec::new()
            }
        }
    });
    futures_util::future::join_all(lookups).await.concat()
}

/// When a transfer is over.
#[derive(Clone, Copy)]
enum Until {
    /// All that is wanted has come.
    Complete,
    /// This moment.
    Time(Instant),
    /// Only when asked.
    Paused,
}

/// Brings a swarm's figures to the task's view and its verified blocks to whoever counts them.
struct Watch {
    task: Task,
    torrent: Arc<Torrent>,
    verified: Verified,
    told: Told,
    /// What is wanted, in bytes.
    bytes: u64,
    /// Web seeds that are still used, and why the last one was dropped.
    web_seeds: usize,
    dropped: Option<String>,
}

impl Watch {
    fn new(task: &Task, torrent: Arc<Torrent>, verified: Verified, (bytes, web_seeds): (u64, usize)) -> Self {
        Self { task: task.clone(), torrent, verified, told: Told::default(), bytes, web_seeds, dropped: None }
    }

    fn report(&mut self, stats: &Stats) -> Traffic {
        let received = SourceBytes {
            local: 0,
            lan: stats.received.lan,
            peers: stats.received.peers,
            seedbox: stats.received.origin,
            web: stats.received.web,
        };
        let sent = stats.sent_lan + stats.sent_peers;
        // The swarm counts blocks as full ones; the view counts bytes.
        let share =
            u128::from(self.bytes) * u128::from(stats.done_bytes) / u128::from(stats.wanted_bytes.max(1));
        let done = u64::try_from(share).unwrap_or(self.bytes).min(self.bytes);
        let now = Told { traffic: Traffic { received, sent }, peers: stats.peers, done };
        let before = std::mem::replace(&mut self.told, now);
        self.task.update(|view| {
            view.sources = view.sources.plus(&received.minus(&before.traffic.received));
            view.uploaded_bytes += sent.saturating_sub(before.traffic.sent);
            view.peers = view.peers.saturating_sub(before.peers) + now.peers;
            if view.phase == Phase::Downloading {
                let more = now.done.saturating_sub(before.done);
                view.done_bytes = view.total_bytes.min(view.done_bytes.saturating_add(more));
            }
        });
        now.traffic
    }

    /// In a hybrid torrent every block belongs to one file.
    fn blocks(&mut self, blocks: Range<u32>) {
        let layout = &self.torrent.layout;
        for number in blocks {
            let Some(block) = layout.block_ref(number) else { continue };
            for span in layout.spans(block) {
                if let Some(file) = span.file {
                    (self.verified)(file, span.file_offset..span.file_offset + u64::from(span.len));
                }
            }
        }
    }

    /// Without peers there is nothing to wait for once every web seed was dropped.
    fn check_sources(&self, sources: Sources) -> Result<(), LaunchError> {
        match &self.dropped {
            Some(reason) if self.web_seeds == 0 && !sources.peers => {
                Err(LaunchError::NoSources { cause: format!("the web server is not usable: {reason}") })
            }
            _ => Ok(()),
        }
    }

    /// Passes on what a player may want to know. True when everything wanted has come.
    fn event(&mut self, event: Event) -> Result<bool, LaunchError> {
        match event {
            Event::Completed => return Ok(true),
            Event::BlocksVerified(blocks) => self.blocks(blocks),
            Event::StorageFailed(fault) => return Err(LaunchError::StorageFault { cause: fault.0 }),
            Event::WebSeedDropped { reason, .. } => {
                self.task.note(format!("a web server is not used any more: {reason}"));
                self.web_seeds = self.web_seeds.saturating_sub(1);
                self.dropped = Some(reason);
            }
            Event::PeerBanned(addr) => {
                self.task.note(format!("{addr} sent data that is not the game's and is not asked again"));
            }
            Event::FileFaulty { file, fault } => {
                let name = self.torrent.layout.files.get(file.0 as usize).map(|entry| entry.path.join("/"));
                let name = name.unwrap_or_default();
                self.task
                    .note(format!("{name} was changed and is not offered to others any more: {}", fault.0));
            }
            Event::TrackerFailed { reason, .. } => tracing::info!(%reason, "tracker"),
            other => tracing::trace!(event = ?other, "swarm"),
        }
        Ok(false)
    }
}

/// For how long nothing came. What is here and not yet verified and written keeps us busy, nobody is to blame for it; nor is
/// anybody for time in which this machine did not let us run.
#[derive(Debug, Default)]
struct Silence {
    /// Bytes received, bytes verified.
    last: (u64, u64),
    ticks: u32,
}

impl Silence {
    const TICK: Duration = Duration::from_secs(1);

    /// Once a [`Silence::TICK`]: how long it has been silent.
    fn tick(&mut self, stats: &Stats) -> Duration {
        let now = (stats.received.total(), stats.done_bytes);
        self.ticks = if now == self.last { self.ticks.saturating_add(1) } else { 0 };
        self.last = now;
        Self::TICK * self.ticks
    }
}

fn starved(sources: Sources, patience: Duration) -> LaunchError {
    let kinds = match (sources.peers, sources.web) {
        (true, true) => "peers and web",
        (true, false) => "peers",
        _ => "web",
    };
    LaunchError::NoSources { cause: format!("nothing came from {kinds} for {} s", patience.as_secs()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_when_nothing_comes_and_nothing_is_verified() {
        let stats = |web, done_bytes| Stats {
            received: swarm::Ledger { web, ..swarm::Ledger::default() },
            done_bytes,
            ..Stats::default()
        };
        let mut silence = Silence::default();
        let steps = [(0, 0, 1), (0, 0, 2), (5, 0, 0), (5, 0, 1), (5, 3, 0), (5, 3, 1), (5, 3, 2), (6, 3, 0)];
        for (received, done, seconds) in steps {
            assert_eq!(silence.tick(&stats(received, done)).as_secs(), seconds, "{received} {done}");
        }
    }

    #[tokio::test]
    async fn no_hint_leads_into_a_more_private_network() {
        let texts =
            ["http://127.0.0.1:80/announce", "http://192.168.0.1/announce", "http://20.1.2.3/announce"];
        let texts = texts.map(str::to_owned);
        let twice = texts.iter().chain(&texts);
        for (reach, left) in [(AddrClass::Loopback, 3), (AddrClass::Private, 2), (AddrClass::Public, 1)] {
            let urls = allowed(reach, twice.clone()).await;
            assert_eq!(urls.len(), left, "{reach:?}");
            assert_eq!(urls.last().map(Url::as_str), Some("http://20.1.2.3/announce"));
        }
        assert!(allowed(AddrClass::Loopback, &["ftp://20.1.2.3/".to_owned()]).await.is_empty());
    }
}
