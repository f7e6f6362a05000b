//! One torrent in the swarm, from the engine's side: fetch what is wanted, or seed what is here.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use protocol::blockset::BlockSet;
use protocol::disk::FileStore;
use protocol::metainfo::Torrent;
use protocol::net::{AddSwarm, SwarmHandle, WebSeed};
use protocol::swarm::{self, Event, Start, Stats};
use protocol::units::{FileIndex, Root};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use url::Url;

use crate::engine::board::Task;
use crate::engine::command::{Linger, Sources};
use crate::engine::context::Context;
use crate::engine::snapshot::SourceBytes;
use crate::engine::sources::InstallFiles;
use crate::error::LaunchError;

/// Trackers announced to, at most.
const TRACKERS_MAX: usize = 16;
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
    pub(crate) files: InstallFiles,
    /// Verified blocks on this disk.
    pub(crate) have: BlockSet,
    pub(crate) wanted: BlockSet,
    pub(crate) leaves: HashMap<FileIndex, Arc<[Root]>>,
    pub(crate) hints: Hints,
    pub(crate) sources: Sources,
}

/// Told of every byte range of a file that came and was verified.
pub(crate) type Verified<'a> = &'a mut (dyn FnMut(FileIndex, Range<u64>) + Send);

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

/// Fetches everything wanted, and serves what is there meanwhile. Traffic is told also of a transfer that fails.
pub(crate) async fn fetch(
    context: &Context,
    task: &Task,
    job: Job,
    verified: Verified<'_>,
) -> (Result<Ended, LaunchError>, Traffic) {
    let until = Until::Complete(job.sources);
    conduct(context, task, job, verified, until).await
}

/// Serves what is there for as long as `linger` says.
pub(crate) async fn seed(
    context: &Context,
    task: &Task,
    job: Job,
    linger: Linger,
) -> (Result<Ended, LaunchError>, Traffic) {
    let until = match linger {
        Linger::No => return (Ok(Ended::Complete), Traffic::default()),
        Linger::For(time) => Until::Time(Instant::now() + time),
        Linger::UntilPaused => Until::Paused,
    };
    conduct(context, task, job, &mut |_, _| {}, until).await
}

async fn conduct(
    context: &Context,
    task: &Task,
    job: Job,
    verified: Verified<'_>,
    until: Until,
) -> (Result<Ended, LaunchError>, Traffic) {
    let torrent = job.torrent.clone();
    let mut handle = match start(context, job).await {
        Ok(handle) => handle,
        Err(error) => return (Err(error), Traffic::default()),
    };
    let mut watch = Watch::new(task, torrent, verified);
    let ended = run(context, task, &mut handle, &mut watch, until).await;
    let control = handle.control();
    // Returns when every write is done and every file closed; the figures are final then.
    handle.shutdown().await;
    (ended, watch.report(&control.stats()))
}

async fn start(context: &Context, job: Job) -> Result<SwarmHandle, LaunchError> {
    let node = context.node().await?;
    let Job { torrent, files, have, wanted, leaves, hints, sources } = job;
    let announce = torrent.announce.clone();
    let mut add =
        AddSwarm::new(swarm::Content { torrent, have, wanted, leaves }, Arc::new(FileStore::new(files)));
    add.use_peers = sources.peers;
    if sources.peers {
        // Signed trackers first; the torrent's own are hints like any other.
        let trackers = hints.trackers.iter().chain(announce.iter().flatten());
        add.trackers = trackers.filter_map(|text| http_url(text)).collect();
        let mut seen = HashSet::new();
        add.trackers.retain(|url| seen.insert(url.clone()));
        add.trackers.truncate(TRACKERS_MAX);
        add.peers = resolve(&hints.peers).await;
    }
    if sources.web {
        let bases = hints.web.iter().filter_map(|text| http_url(text));
        let blobs = bases.filter_map(|base| base.join("blobs/").ok());
        add.web_seeds = blobs.map(|base| WebSeed::ByContent { base }).collect();
    }
    debug_assert!(matches!(add.start, Start::Content(_)));
    tracing::info!(
        trackers = add.trackers.len(),
        peers = add.peers.len(),
        web = add.web_seeds.len(),
        "joining"
    );
    Ok(node.add(add).await?)
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
    Complete(Sources),
    /// This moment.
    Time(Instant),
    /// Only when asked.
    Paused,
}

/// Brings a swarm's figures to the task's view and its verified blocks to whoever counts them.
struct Watch<'a> {
    task: &'a Task,
    torrent: Arc<Torrent>,
    verified: Verified<'a>,
    before: (SourceBytes, u64),
}

impl<'a> Watch<'a> {
    fn new(task: &'a Task, torrent: Arc<Torrent>, verified: Verified<'a>) -> Self {
        let mut before = Default::default();
        task.update(|view| before = (view.sources, view.uploaded_bytes));
        Self { task, torrent, verified, before }
    }

    fn report(&self, stats: &Stats) -> Traffic {
        let received = SourceBytes {
            local: 0,
            lan: stats.received.lan,
            peers: stats.received.peers,
            seedbox: stats.received.origin,
            web: stats.received.web,
        };
        let sent = stats.sent_lan + stats.sent_peers;
        let missing = stats.wanted_bytes.saturating_sub(stats.done_bytes);
        self.task.update(|view| {
            view.sources = self.before.0.plus(&received);
            view.uploaded_bytes = self.before.1 + sent;
            view.peers = stats.peers;
            view.done_bytes = view.total_bytes.saturating_sub(missing);
        });
        Traffic { received, sent }
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

    /// Passes on what a player may want to know. True when everything wanted has come.
    fn event(&mut self, event: Event) -> Result<bool, LaunchError> {
        match event {
            Event::Completed => return Ok(true),
            Event::BlocksVerified(blocks) => self.blocks(blocks),
            Event::StorageFailed(fault) => return Err(LaunchError::StorageFault { cause: fault.0 }),
            Event::WebSeedDropped { reason, .. } => {
                self.task.note(format!("a web server is not used any more: {reason}"));
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

async fn run(
    context: &Context,
    task: &Task,
    handle: &mut SwarmHandle,
    watch: &mut Watch<'_>,
    until: Until,
) -> Result<Ended, LaunchError> {
    let gone = || LaunchError::internal("the swarm ended by itself");
    let mut stats = handle.control().watch_stats();
    let mut tick = tokio::time::interval(Duration::from_secs(1));
    let mut last = (0, Instant::now());
    loop {
        tokio::select! {
            () = task.stop.cancelled() => return Ok(Ended::Stopped),
            event = handle.events.recv() => {
                if watch.event(event.ok_or_else(gone)?)? && matches!(until, Until::Complete(_)) {
                    return Ok(Ended::Complete);
                }
            }
            changed = stats.changed() => {
                changed.map_err(|_| gone())?;
                watch.report(&stats.borrow_and_update());
            }
            now = tick.tick() => {
                if matches!(until, Until::Time(end) if now >= end) {
                    return Ok(Ended::Complete);
                }
                let got = stats.borrow().received.total();
                if got != last.0 {
                    last = (got, now);
                }
                if let Until::Complete(sources) = until
                    && now.duration_since(last.1) >= context.options.patience
                {
                    return Err(starved(sources, context.options.patience));
                }
            }
        }
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
