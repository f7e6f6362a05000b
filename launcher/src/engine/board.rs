//! The one place where operations write their progress and from which snapshots are made.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::engine::command::TaskId;
use crate::engine::snapshot::{Event, Happened, Phase, Playing, Snapshot, TaskView};
use crate::error::LaunchError;
use crate::load::Busy;

/// The shortest time between two snapshots, unless a phase changes.
const PUBLISH_EVERY: Duration = Duration::from_millis(200);
/// How fast the smoothed rates forget.
const RATE_MEMORY: Duration = Duration::from_secs(3);

/// Called after each published snapshot that differs from the one before, so that a window can draw it.
pub type Wake = Arc<dyn Fn() + Send + Sync>;

/// All operations' progress.
pub(crate) struct Board {
    rows: Mutex<BTreeMap<TaskId, Row>>,
    listen: OnceLock<SocketAddr>,
    playing: Mutex<Vec<Playing>>,
    changed: Notify,
    urgent: Notify,
}

struct Row {
    view: TaskView,
    rates: Rates,
}

impl Board {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            rows: Mutex::default(),
            listen: OnceLock::new(),
            playing: Mutex::default(),
            changed: Notify::new(),
            urgent: Notify::new(),
        })
    }

    fn rows(&self) -> MutexGuard<'_, BTreeMap<TaskId, Row>> {
        // A panic while the lock was held leaves at worst a stale figure.
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a row; false when the name is in use by an operation that still runs.
    pub(crate) fn open(&self, view: TaskView) -> bool {
        let mut rows = self.rows();
        if rows.get(&view.task).is_some_and(|row| !row.view.phase.is_final()) {
            return false;
        }
        rows.insert(view.task, Row { view, rates: Rates::new(Instant::now()) });
        drop(rows);
        self.urgent.notify_one();
        true
    }

    /// Tells where peers can reach us.
    pub(crate) fn listening(&self, addr: SocketAddr) {
        let _ = self.listen.set(addr);
        self.urgent.notify_one();
    }

    /// Tells which games run.
    pub(crate) fn playing(&self, now: Vec<Playing>) {
        let mut playing = self.playing.lock().unwrap_or_else(PoisonError::into_inner);
        if *playing != now {
            *playing = now;
            drop(playing);
            self.urgent.notify_one();
        }
    }

    fn update(&self, task: TaskId, change: impl FnOnce(&mut TaskView)) {
        let mut rows = self.rows();
        let Some(row) = rows.get_mut(&task) else { return };
        let before = row.view.phase;
        change(&mut row.view);
        let urgent = row.view.phase != before;
        if urgent {
            row.rates = Rates::new(Instant::now());
            row.rates.sample(Instant::now(), &mut row.view);
        }
        drop(rows);
        if urgent {
            self.urgent.notify_one();
        } else {
            self.changed.notify_one();
        }
    }

    fn snapshot(&self) -> Snapshot {
        let now = Instant::now();
        let mut rows = self.rows();
        for row in rows.values_mut() {
            row.rates.sample(now, &mut row.view);
        }
        let tasks = rows.values().map(|row| row.view.clone()).collect();
        let playing = self.playing.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Snapshot { tasks, listen: self.listen.get().copied(), playing }
    }

    /// Publishes a snapshot; whether it differs from the one before. Operations count more often than anything changes,
    /// and nobody shall draw the same twice.
    fn tell(&self, to: &watch::Sender<Arc<Snapshot>>) -> bool {
        let now = Arc::new(self.snapshot());
        let before = to.send_replace(now.clone());
        before != now
    }

    /// Publishes snapshots until the engine ends.
    pub(crate) async fn publish(
        self: Arc<Self>,
        to: watch::Sender<Arc<Snapshot>>,
        wake: Option<Wake>,
        stop: CancellationToken,
    ) {
        loop {
            let ended = tokio::select! {
                () = self.changed.notified() => false,
                () = self.urgent.notified() => false,
                () = stop.cancelled() => true,
            };
            let differs = self.tell(&to);
            if let Some(wake) = wake.as_ref().filter(|_| differs) {
                wake();
            }
            if ended {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(PUBLISH_EVERY) => {}
                // Seen again at the top of the loop.
                () = self.urgent.notified() => self.urgent.notify_one(),
                () = stop.cancelled() => {}
            }
        }
    }
}

/// Smoothed rates of one row: an exponential average over [`RATE_MEMORY`].
struct Rates {
    at: Instant,
    network: Option<u64>,
    uploaded: u64,
    done: u64,
    download: f64,
    upload: f64,
    progress: f64,
}

impl Rates {
    fn new(at: Instant) -> Self {
        Self { at, network: None, uploaded: 0, done: 0, download: 0.0, upload: 0.0, progress: 0.0 }
    }

    fn sample(&mut self, now: Instant, view: &mut TaskView) {
        let network = view.sources.network();
        let Some(before) = self.network else {
            (self.at, self.network) = (now, Some(network));
            (self.uploaded, self.done) = (view.uploaded_bytes, view.done_bytes);
            return;
        };
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        if passed < 0.05 {
            return;
        }
        let weight = 1.0 - (-passed / RATE_MEMORY.as_secs_f64()).exp();
        let blend = |rate: &mut f64, from: u64, to: u64| {
            *rate += weight * (to.saturating_sub(from) as f64 / passed - *rate);
        };
        blend(&mut self.download, before, network);
        blend(&mut self.upload, self.uploaded, view.uploaded_bytes);
        blend(&mut self.progress, self.done, view.done_bytes);
        (self.at, self.network) = (now, Some(network));
        (self.uploaded, self.done) = (view.uploaded_bytes, view.done_bytes);
        view.download_rate = self.download as u64;
        view.upload_rate = self.upload as u64;
        view.progress_rate = self.progress as u64;
        let left = view.total_bytes.saturating_sub(view.done_bytes);
        let sensible = self.progress > 1.0 && left > 0 && !view.phase.is_final();
        view.time_left = sensible.then(|| Duration::from_secs_f64((left as f64 / self.progress).min(1e7)));
    }
}

/// An operation's own end of the board: where it writes progress, asks whether to stop, and tells events.
#[derive(Clone)]
pub(crate) struct Task {
    pub(crate) id: TaskId,
    pub(crate) stop: CancellationToken,
    board: Arc<Board>,
    events: mpsc::UnboundedSender<Event>,
}

impl Task {
    pub(crate) fn new(
        id: TaskId,
        board: Arc<Board>,
        stop: CancellationToken,
        events: mpsc::UnboundedSender<Event>,
    ) -> Self {
        Self { id, stop, board, events }
    }

    /// Changes the view.
    pub(crate) fn update(&self, change: impl FnOnce(&mut TaskView)) {
        self.board.update(self.id, change);
    }

    /// The install folder.
    pub(crate) fn folder(&self) -> PathBuf {
        self.board.rows().get(&self.id).map(|row| row.view.dir.clone()).unwrap_or_default()
    }

    /// Enters a phase with its own byte count.
    pub(crate) fn enter(&self, phase: Phase, total_bytes: u64) {
        tracing::info!(task = self.id.0, phase = phase.word(), total_bytes, "on to the next phase");
        self.update(|view| {
            (view.phase, view.done_bytes, view.total_bytes) = (phase, 0, total_bytes);
            (view.time_left, view.download_rate, view.progress_rate) = (None, 0, 0);
            view.busy = Busy::default();
        });
    }

    /// Tells something that must not be lost.
    pub(crate) fn tell(&self, what: Happened) {
        // Nobody listens any more: nothing to tell.
        let _ = self.events.send(Event { task: self.id, what });
    }

    /// Tells something worth a line.
    pub(crate) fn note(&self, text: impl Into<String>) {
        let text = text.into();
        tracing::info!(task = self.id.0, "{text}");
        self.tell(Happened::Note(text));
    }

    /// Ends the row with an error.
    pub(crate) fn fail(&self, error: Arc<LaunchError>) {
        self.update(|view| {
            view.failure = Some((&*error).into());
            view.phase = Phase::Failed;
        });
        self.tell(Happened::Failed(error));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(task: u64) -> TaskView {
        TaskView::waiting(TaskId(task), "game".into(), None)
    }

    #[test]
    fn rates_settle_on_the_true_rate_and_tell_the_time_left() {
        let start = Instant::now();
        let mut rates = Rates::new(start);
        let mut view = TaskView { phase: Phase::Downloading, total_bytes: 100_000_000, ..view(1) };
        for second in 0..=30u64 {
            view.sources.web = second * 1_000_000;
            view.done_bytes = second * 1_000_000;
            rates.sample(start + Duration::from_secs(second), &mut view);
        }
        assert!((990_000..=1_010_000).contains(&view.download_rate), "{}", view.download_rate);
        let left = view.time_left.map_or(0, |left| left.as_secs());
        assert!((69..=71).contains(&left), "{left}");
    }

    #[test]
    fn what_looks_the_same_wakes_nobody() {
        let board = Board::new();
        let (to, told) = watch::channel(Arc::new(Snapshot::default()));
        board.open(view(1));
        assert!(board.tell(&to));
        board.update(TaskId(1), |view| view.uploaded_bytes = 0);
        assert!(!board.tell(&to), "counted again, and nothing new");
        board.update(TaskId(1), |view| view.peers = 3);
        assert!(board.tell(&to));
        assert_eq!(told.borrow().tasks[0].peers, 3);
    }

    #[test]
    fn a_name_in_use_is_refused_until_its_operation_has_ended() {
        let board = Board::new();
        assert!(board.open(view(1)));
        assert!(!board.open(view(1)));
        board.update(TaskId(1), |view| view.phase = Phase::Done);
        assert!(board.open(view(1)));
    }
}
