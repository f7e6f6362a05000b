//! From the disk work's progress to the task's view, and from a pause to the disk work.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use manifests::apply::Applied;
use manifests::folder::{FolderError, Progress};

use crate::engine::board::Task;
use crate::error::LaunchError;
use crate::load::Load;

/// How often, and after how long, a folder in use is tried again.
const BUSY_TRIES: u32 = 5;
const BUSY_WAIT: Duration = Duration::from_millis(200);
/// How often the machine is looked at while something is fetched.
const LOAD_EVERY: Duration = Duration::from_secs(1);

/// Counts bytes into the current phase.
pub(crate) struct Meter(pub(crate) Task);

impl Progress for Meter {
    fn advance(&self, bytes: u64) {
        self.0.update(|view| view.done_bytes = view.done_bytes.saturating_add(bytes));
    }

    fn cancelled(&self) -> bool {
        self.0.stop.is_cancelled()
    }
}

/// As [`Meter`], and measures how long the folder is between two releases.
pub(crate) struct CommitMeter {
    meter: Meter,
    committed: Mutex<Option<Instant>>,
}

impl CommitMeter {
    pub(crate) fn new(task: &Task) -> Self {
        Self { meter: Meter(task.clone()), committed: Mutex::new(None) }
    }

    /// The time since the commit.
    pub(crate) fn window(&self) -> Duration {
        let committed = *self.committed.lock().unwrap_or_else(PoisonError::into_inner);
        committed.map_or(Duration::ZERO, |since| since.elapsed())
    }
}

impl Progress for CommitMeter {
    fn advance(&self, bytes: u64) {
        self.meter.advance(bytes);
    }

    fn cancelled(&self) -> bool {
        self.meter.cancelled()
    }

    fn committed(&self) {
        *self.committed.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }
}

/// Tells what opening a folder finished of an earlier run.
pub(crate) fn tell_recovered(task: &Task, recovered: Option<&Applied>) {
    let Some(applied) = recovered else { return };
    task.note(format!("the update to {} that was interrupted is finished now", applied.version));
    for (path, now) in &applied.kept {
        task.note(format!("your own version of {path} was kept as {now}"));
    }
    for path in &applied.damaged {
        task.note(format!("{path} changed while it was put in place; run verify --repair"));
    }
}

/// Tells how busy the machine is, for as long as it is asked to.
pub(crate) async fn tell_load(task: &Task) -> Infallible {
    let folder = task.folder();
    let mut load = blocking(move || Ok(Load::of(&folder))).await;
    while let Ok(mut now) = load {
        tokio::time::sleep(LOAD_EVERY).await;
        load = blocking(move || {
            let busy = now.look(Instant::now());
            Ok((now, busy))
        })
        .await
        .map(|(now, busy)| {
            task.update(|view| view.busy = busy);
            now
        });
    }
    // It is not told any more.
    std::future::pending().await
}

/// Runs work that blocks, away from the threads that serve the network.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, LaunchError> + Send + 'static,
) -> Result<T, LaunchError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => Err(LaunchError::internal(format!("work on the disk broke off: {error}"))),
    }
}

/// As [`blocking`], for opening a folder: whoever held it until a moment ago may still be closing files.
pub(crate) async fn opening<T: Send + 'static>(
    open: impl Fn() -> Result<T, LaunchError> + Send + Sync + 'static,
) -> Result<T, LaunchError> {
    let open = Arc::new(open);
    for _ in 0..BUSY_TRIES {
        let open = open.clone();
        match blocking(move || open()).await {
            Err(LaunchError::Folder(FolderError::Busy { .. })) => tokio::time::sleep(BUSY_WAIT).await,
            opened => return opened,
        }
    }
    blocking(move || open()).await
}
