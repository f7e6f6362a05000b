//! A folder is changed only while no program uses it.

use std::path::Path;
use std::time::Duration;

use crate::engine::board::Task;
use crate::engine::context::Context;
use crate::engine::meter::blocking;
use crate::engine::snapshot::{Phase, Playing};
use crate::error::LaunchError;
use crate::platform::{self, User};

/// How often is looked again: a program may let go of a file without ending, and not every system tells of an end.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Whoever uses the folder: what the system shows, and the games that were started here. A script shows in the system only
/// once its interpreter has opened it.
fn users(folder: &Path, ours: Vec<Playing>) -> Vec<User> {
    let mut found = platform::users(folder);
    let real = folder.canonicalize().ok();
    for playing in ours {
        let is_known = found.iter().any(|user| user.pid == playing.pid);
        if !is_known && real.is_some() && playing.dir.canonicalize().ok() == real {
            found.push(User { pid: playing.pid, program: playing.program });
        }
    }
    found
}

/// Makes sure that no program uses `folder`, waiting for it when the options say so.
///
/// # Errors
/// [`LaunchError::GameRunning`] names the programs; [`LaunchError::Paused`].
pub(crate) async fn vacate(context: &Context, task: &Task, folder: &Path) -> Result<(), LaunchError> {
    let mut told: Vec<User> = Vec::new();
    loop {
        let (looked, ours) = (folder.to_owned(), context.players().ours());
        let users = blocking(move || Ok(users(&looked, ours))).await?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_game_that_was_started_counts_before_the_system_shows_it() {
        let (game, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let playing = |pid| Playing { dir: game.path().to_owned(), pid, program: "maple.sh".to_owned() };
        let maple = User { pid: 4_000_000, program: "maple.sh".to_owned() };
        // By another name of the same folder.
        let named = game.path().join(".");
        assert_eq!(users(&named, vec![playing(4_000_000)]), [maple]);
        assert_eq!(users(other.path(), vec![playing(4_000_000)]), []);
    }
}
