//! From an operation's name to the module that performs it.

use crate::engine::board::Task;
use crate::engine::command::Operation;
use crate::engine::context::Context;
use crate::engine::snapshot::Outcome;
use crate::error::LaunchError;

/// How an operation ended, when it did not fail.
pub(crate) enum End {
    /// With a result.
    Done(Box<Outcome>),
    /// Its result was told before, and what followed (seeding) is over.
    Ended,
    /// Stopped when asked; can go on.
    Paused,
}

/// Performs an operation to its end.
pub(crate) async fn perform(
    _context: &Context,
    _task: &Task,
    operation: Operation,
) -> Result<End, LaunchError> {
    Err(LaunchError::NotInstalled { dir: operation.dir().to_owned() })
}
