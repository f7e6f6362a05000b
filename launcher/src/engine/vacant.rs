//! A folder is changed only while no program uses it.

use std::path::Path;
use std::time::Duration;

use crate::engine::board::Task;
use crate::engine::context::Context;
use crate::engine::meter::blocking;
use crate::engine::snapshot::Phase;
use crate::error::LaunchError;
use crate::platform::{self, User};

/// How often is looked again: a program may let go of a file without ending, and not every system tells of an end.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Makes sure that no program uses `folder`, waiting for it when the options say so.
///
/// # Errors
/// [`LaunchError::GameRunning`] names the programs; [`LaunchError::Paused`].
pub(crate) async fn vacate(context: &Context, task: &Task, folder: &Path) -> Result<(), LaunchError> {
    let mut told: Vec<User> = Vec::new();
    loop {
        let looked = folder.to_owned();
        let users = blocking(move || Ok(platform::users(&looked))).await?;
        let Some(first) = users.first() else { return Ok(()) };
        if !context.options.wait {
            return Err(LaunchError::GameRunning { dir: folder.to_owned(), users });
        }
        let pid = first.pid;
        if told != users {
            let names: Vec<String> = users.iter().map(ToString::to_string).collect();
            task.enter(Phase::Waiting, 0);
            task.note(format!("waiting until {} lets go of the folder", names.join(", ")));
            told = users;
        }
        tokio::select! {
            () = platform::ended(pid) => {}
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = task.stop.cancelled() => return Err(LaunchError::Paused),
        }
    }
}
