//! From the disk work's progress to the task's view, and from a pause to the disk work.

use manifests::folder::Progress;

use crate::engine::board::Task;
use crate::error::LaunchError;

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

/// Runs work that blocks, away from the threads that serve the network.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, LaunchError> + Send + 'static,
) -> Result<T, LaunchError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => Err(LaunchError::internal(format!("work on the disk broke off: {error}"))),
    }
}
