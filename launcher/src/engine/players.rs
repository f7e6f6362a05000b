//! Which games run: those that were started here, and whatever else runs from a folder that is watched.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Child;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::select_all;
use tokio::sync::Notify;

use crate::engine::board::Board;
use crate::engine::meter::blocking;
use crate::engine::snapshot::Playing;
use crate::platform;

/// How often is looked who runs: the system tells of an end, but of no beginning.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// The same where it does not tell of an end either.
const LOOK_SOON: Duration = Duration::from_secs(1);

/// The games that run.
pub(crate) struct Players {
    board: Arc<Board>,
    known: Mutex<Known>,
    changed: Notify,
}

#[derive(Default)]
struct Known {
    watched: Vec<PathBuf>,
    started: Vec<(Playing, Child)>,
}

impl Players {
    pub(crate) fn new(board: Arc<Board>) -> Self {
        Self { board, known: Mutex::default(), changed: Notify::new() }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at these folders from now on.
    pub(crate) fn watch(&self, folders: Vec<PathBuf>) {
        self.known().watched = folders;
        self.changed.notify_one();
    }

    /// A game was started here.
    pub(crate) fn started(&self, playing: Playing, child: Child) {
        let mut known = self.known();
        known.started.push((playing, child));
        drop(known);
        self.changed.notify_one();
    }

    /// The games that were started here and run.
    pub(crate) fn ours(&self) -> Vec<Playing> {
        let mut known = self.known();
        let running = |(playing, child): &mut (Playing, Child)| {
            matches!(child.try_wait(), Ok(None)).then(|| playing.clone())
        };
        known.started.iter_mut().filter_map(running).collect()
    }

    /// Tells who plays, until dropped.
    pub(crate) async fn run(&self) {
        loop {
            let (mut playing, mut folders) = self.left();
            // A script that starts the game and ends leaves it running.
            folders.extend(playing.keys().cloned());
            folders.sort_unstable();
            folders.dedup();
            let idle = folders.is_empty();
            let found = blocking(move || Ok(platform::running(&folders))).await.unwrap_or_default();
            for (dir, user) in found {
                let seen = Playing { dir: dir.clone(), pid: user.pid, program: user.program };
                playing.entry(dir).or_insert(seen);
            }
            let pids: Vec<u32> = playing.values().map(|playing| playing.pid).collect();
            let soon = if pids.is_empty() { LOOK_EVERY } else { LOOK_SOON };
            self.board.playing(playing.into_values().collect());
            let ends = pids.into_iter().map(|pid| Box::pin(platform::ended(pid)));
            let ended = async {
                let ends: Vec<_> = ends.collect();
                if ends.is_empty() { std::future::pending().await } else { select_all(ends).await }
            };
            tokio::select! {
                _ = ended => {}
                () = self.changed.notified() => {}
                () = tokio::time::sleep(soon), if !idle => {}
            }
        }
    }

    /// Those of the started ones that have not ended, and the folders to look at.
    fn left(&self) -> (BTreeMap<PathBuf, Playing>, Vec<PathBuf>) {
        let mut known = self.known();
        let mut gone = Vec::new();
        known.started.retain_mut(|(playing, child)| {
            let runs = matches!(child.try_wait(), Ok(None));
            if !runs {
                gone.push(playing.dir.clone());
            }
            runs
        });
        let playing =
            known.started.iter().map(|(playing, _)| (playing.dir.clone(), playing.clone())).collect();
        // Whoever ended may have left the game itself behind.
        let watched = known.watched.iter().chain(&gone).cloned().collect();
        (playing, watched)
    }
}
