//! The task that owns a swarm's state machine: feeds it inputs, performs its outputs.

mod conns;
mod effects;
mod owner;

use super::conn::{self, Link, Orders};
use super::feed::{Feed, Incoming, Outgoing};
use super::files::Files;
use super::node::Inner;
use super::recent::Recent;
use super::storage::{DiskQueue, Done, Report};
use super::{NodeLimits, WebSeed};
use crate::disk::Store;
use crate::swarm::{Command, ConnId, Event, Input, JobId, Rates, Stats, Swarm};
use crate::units::{FileIndex, Time};
use conns::Conns;
use owner::Owner;
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use url::Url;

/// Feeds taken before outputs are handed over.
const MAX_FEEDS: usize = 64;
/// Messages handled before other tasks of the process get their turn.
const MAX_HANDLED: usize = 4096;

/// Microseconds since the node's start, as the machine counts time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    epoch: Instant,
}

impl Clock {
    pub(super) fn new() -> Clock {
        Clock { epoch: Instant::now() }
    }

    pub(super) fn now(self) -> Time {
        Time(u64::try_from(self.epoch.elapsed().as_micros()).unwrap_or(u64::MAX))
    }

    /// `None` is never.
    fn instant(self, time: Time) -> Option<Instant> {
        self.epoch.checked_add(std::time::Duration::from_micros(time.0))
    }
}

/// What a driver is made of.
pub(super) struct Parts {
    pub(super) swarm: Swarm,
    pub(super) node: Arc<Inner>,
    pub(super) link: Arc<Link>,
    pub(super) store: Arc<dyn Store>,
    pub(super) trackers: Vec<Url>,
    pub(super) web_seeds: Vec<WebSeed>,
    pub(super) rates: Rates,
    pub(super) reading: watch::Sender<bool>,
    pub(super) events: mpsc::Sender<Event>,
    pub(super) stats: watch::Sender<Stats>,
    /// Cancelled when every task of the swarm must end.
    pub(super) stop: CancellationToken,
}

/// What a driver listens to.
pub(super) struct Inbox {
    pub(super) feed: mpsc::Receiver<Feed>,
    pub(super) commands: mpsc::UnboundedReceiver<Order>,
}

/// What an owner asks.
#[derive(Debug)]
pub(super) enum Order {
    /// Of the machine.
    Command(Command),
    /// To withdraw files and say when nobody reads them any more.
    Withdraw(Vec<FileIndex>, oneshot::Sender<()>),
}

/// Invariant: nothing here waits for a connection, a disk or the owner; they wait for the driver.
pub(super) struct Driver {
    swarm: Swarm,
    node: Arc<Inner>,
    link: Arc<Link>,
    store: Arc<dyn Store>,
    trackers: Vec<Url>,
    web_seeds: Arc<Vec<WebSeed>>,
    reading: watch::Sender<bool>,
    owner: Owner,
    conns: Conns,
    disk: DiskQueue,
    /// Blocks of v1 pieces that are not hashed yet; unused where blocks are verified by themselves.
    recent: Recent,
    keeps_recent: bool,
    fetches: HashMap<JobId, CancellationToken>,
    stop: CancellationToken,
    tasks: TaskTracker,
    incoming: u64,
    /// Messages since other tasks had their turn.
    handled: usize,
    /// What the owner set for this swarm alone.
    own_rates: Rates,
    /// What the machine was told: the lower of the owner's and the node's, so that it shares out what there is
    /// (the node's limiters hold back what exceeds it over all swarms).
    told_rates: Rates,
    /// When a shutdown that was asked for is enforced.
    stop_by: Option<Instant>,
    stopped: bool,
}

impl Driver {
    /// Runs the swarm until it has stopped and everything it accepted is written.
    pub(super) async fn run(parts: Parts, mut inbox: Inbox) {
        let (reports, mut from_disk) = mpsc::unbounded_channel();
        let mut driver = Driver::new(parts, reports);
        let mut feeds = Vec::with_capacity(MAX_FEEDS);
        let sleep = tokio::time::sleep_until(Instant::now());
        tokio::pin!(sleep);
        driver.outputs();
        while !(driver.stopped && driver.disk.is_idle()) {
            let wake = driver.settle();
            if sleep.deadline() != wake {
                sleep.as_mut().reset(wake);
            }
            tokio::select! {
                biased;
                Some(report) = from_disk.recv() => driver.disk_report(report),
                command = inbox.commands.recv(), if driver.stop_by.is_none() => {
                    match command.unwrap_or(Order::Command(Command::Shutdown)) {
                        Order::Command(command) => driver.command(command),
                        Order::Withdraw(files, drained) => driver.withdraw(files, drained),
                    }
                }
                taken = inbox.feed.recv_many(&mut feeds, MAX_FEEDS), if !driver.stopped => {
                    debug_assert!(taken > 0, "the driver holds a sender");
                    feeds.drain(..).for_each(|feed| driver.feed(feed));
                    if std::mem::take(&mut driver.handled) >= MAX_HANDLED {
                        tokio::task::yield_now().await;
                    }
                }
                () = driver.owner.catch_up() => {}
                () = &mut sleep => driver.tick(),
            }
        }
        driver.finish(inbox).await;
    }

    fn new(parts: Parts, reports: mpsc::UnboundedSender<Report>) -> Driver {
        let Parts { swarm, node, link, store, trackers, web_seeds, rates, reading, events, stats, stop } =
            parts;
        let keeps_recent = link.files.get().is_some_and(|files| !files.torrent.has_v2());
        Driver {
            swarm,
            node,
            link,
            store,
            trackers,
            web_seeds: Arc::new(web_seeds),
            reading,
            owner: Owner::new(events, stats),
            conns: Conns::default(),
            disk: DiskQueue::new(reports),
            recent: Recent::default(),
            keeps_recent,
            fetches: HashMap::new(),
            stop,
            tasks: TaskTracker::new(),
            incoming: 0,
            handled: 0,
            own_rates: rates,
            told_rates: rates,
            stop_by: None,
            stopped: false,
        }
    }

    fn limits(&self) -> &NodeLimits {
        &self.link.shared.limits
    }

    /// One step of the machine.
    fn handle(&mut self, input: Input) {
        self.swarm.handle(self.node.clock.now(), input);
        self.outputs();
    }

    fn outputs(&mut self) {
        while let Some(output) = self.swarm.poll_output() {
            self.perform(output);
        }
        self.owner.touch();
    }

    /// Tells the machine when either its owner or the node has changed a rate.
    fn settle_rates(&mut self) {
        let shared = &self.link.shared;
        let lower = |own: Option<u64>, node: Option<u64>| own.into_iter().chain(node).min();
        let rates = Rates {
            up: lower(self.own_rates.up, shared.upload.rate()),
            down: lower(self.own_rates.down, shared.download.rate()),
        };
        if rates != self.told_rates {
            self.told_rates = rates;
            self.handle(Input::Command(Command::SetRates(rates)));
        }
    }

    /// Stops and resumes reading from sockets, and tells the machine, for which what is not read is not late.
    fn settle_reading(&mut self) {
        let read_on =
            self.disk.unfinished_bytes() < self.limits().max_unwritten_bytes && !self.owner.is_behind();
        if self.reading.send_if_modified(|reading| std::mem::replace(reading, read_on) != read_on) {
            self.handle(Input::Reading(read_on));
        }
    }

    /// Hands over what has gathered; when to wake if nothing happens.
    fn settle(&mut self) -> Instant {
        self.settle_rates();
        self.settle_reading();
        loop {
            let stuck = self.conns.flush(self.limits().max_queued_bytes);
            if stuck.is_empty() {
                break;
            }
            for conn in stuck {
                self.conns.close(conn);
                self.handle(Input::Disconnected { conn });
            }
        }
        if let Some(files) = self.link.files.get() {
            self.disk.pump(files);
        }
        let now = self.node.clock.now();
        let publish = self.owner.publish(now, &mut self.swarm);
        let next = [self.swarm.poll_timeout(), publish].into_iter().flatten().min();
        let next = next.and_then(|time| self.node.clock.instant(time));
        let far = Instant::now() + std::time::Duration::from_secs(3600);
        [next, self.stop_by].into_iter().flatten().min().unwrap_or(far)
    }

    fn tick(&mut self) {
        if self.stop_by.is_some_and(|by| by <= Instant::now()) {
            self.stopped = true;
        }
        if self.swarm.poll_timeout().is_some_and(|time| time <= self.node.clock.now()) {
            self.handle(Input::Tick);
        }
    }

    fn command(&mut self, command: Command) {
        if matches!(command, Command::Shutdown) {
            self.stop_by = Some(Instant::now() + self.limits().shutdown_timeout);
        }
        if let Command::Start(content) = &command {
            self.set_files(Arc::clone(&content.torrent));
        }
        if let (Command::Restore { file, .. }, Some(files)) = (&command, self.link.files.get()) {
            files.gate.open(*file);
        }
        if let Command::SetRates(rates) = command {
            self.own_rates = rates;
            return;
        }
        self.handle(Input::Command(command));
    }

    /// The machine rejects what is queued; what is in the hands of connections is read now or not at all.
    fn withdraw(&mut self, files: Vec<FileIndex>, drained: oneshot::Sender<()>) {
        for &file in &files {
            self.handle(Input::Command(Command::Withdraw(file)));
        }
        let gate = self.link.files.get().map(|held| Arc::clone(&held.gate));
        for &file in &files {
            gate.iter().for_each(|gate| gate.close(file));
        }
        self.tasks.spawn(async move {
            if let Some(gate) = gate {
                gate.drained(&files).await;
            }
            // Who asked may be gone.
            let _ = drained.send(());
        });
    }

    pub(super) fn files(torrent: Arc<crate::metainfo::Torrent>, store: Arc<dyn Store>) -> Files {
        Files { torrent, store, bufs: crate::disk::ReadBufs::default(), gate: Arc::default() }
    }

    fn set_files(&mut self, torrent: Arc<crate::metainfo::Torrent>) {
        self.keeps_recent = !torrent.has_v2();
        // A second start is the machine's to refuse; the files stay those of the first.
        let _ = self.link.files.set(Self::files(torrent, Arc::clone(&self.store)));
    }

    fn disk_report(&mut self, mut report: Report) {
        self.disk.reported(&report);
        for done in report.done.drain(..) {
            self.handle(match done {
                Done::Block { job, result } => Input::BlockWritten { job, result },
                Done::Piece { piece, result } => Input::PieceHashed { piece, result },
            });
        }
    }

    fn feed(&mut self, feed: Feed) {
        let input = match feed {
            Feed::Incoming(incoming) => return self.incoming(*incoming),
            Feed::Messages(conn, messages) => return self.messages(conn, messages),
            Feed::Closed(conn) => {
                if !self.conns.close(conn) {
                    return;
                }
                Input::Disconnected { conn }
            }
            Feed::ConnectFailed(conn) => {
                if !self.conns.close(conn) {
                    return;
                }
                Input::ConnectFailed { conn }
            }
            Feed::Connected(conn) if self.conns.is_open(conn) => Input::Connected { conn },
            Feed::Handshake(conn, handshake) if self.conns.is_open(conn) => {
                Input::Handshake { conn, handshake }
            }
            Feed::ReadFailed(conn, block, fault) if self.conns.is_open(conn) => {
                Input::ReadFailed { conn, block, fault }
            }
            Feed::Sent(conn, gone) => match self.conns.progress(conn, gone) {
                Some(queued_bytes) => Input::Sent { conn, queued_bytes },
                None => return,
            },
            Feed::WebData(fetch, data) if self.fetches.contains_key(&fetch) => Input::WebData { fetch, data },
            Feed::WebEnd(fetch, result) => {
                if self.fetches.remove(&fetch).is_none() {
                    return;
                }
                match result {
                    Ok(()) => Input::WebEnd { fetch },
                    Err(fault) => Input::WebFailed { fetch, fault },
                }
            }
            Feed::Announced { tracker, hash, class, result } => {
                Input::Announced { tracker, hash, class, result }
            }
            // Crossed with our own close or cancel.
            Feed::Connected(_) | Feed::Handshake(..) | Feed::ReadFailed(..) | Feed::WebData(..) => return,
        };
        self.handle(input);
    }

    fn messages(&mut self, conn: ConnId, messages: Vec<crate::wire::Message>) {
        for message in messages {
            // The machine may close the connection in the middle.
            if !self.conns.is_open(conn) {
                return;
            }
            self.handle(Input::Message { conn, message });
            self.handled += 1;
            // A short message can ask for a long answer, and thousands of them come at once: whoever does not take
            // the answers is not given more of them.
            if self.conns.is_stuck(conn, self.limits().max_queued_bytes) {
                self.conns.close(conn);
                return self.handle(Input::Disconnected { conn });
            }
        }
    }

    fn incoming(&mut self, incoming: Incoming) {
        let Incoming { socket, addr, handshake, lease } = incoming;
        let conn = ConnId::incoming(self.incoming);
        self.incoming += 1;
        let orders = self.open(conn);
        self.tasks.spawn(conn::run(Arc::clone(&self.link), conn, socket, lease, orders, false));
        self.handle(Input::Incoming { conn, addr, handshake });
    }

    fn open(&mut self, conn: ConnId) -> Orders {
        let (sender, outgoing) = mpsc::unbounded_channel::<Vec<Outgoing>>();
        let close = self.stop.child_token();
        self.conns.open(conn, sender, close.clone());
        Orders { outgoing, close }
    }

    /// Ends every task of the swarm.
    async fn finish(mut self, inbox: Inbox) {
        self.conns.close_all();
        self.fetches.clear();
        drop(inbox); // whoever still has something to say finds nobody
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        tracing::debug!("swarm stopped");
    }
}
