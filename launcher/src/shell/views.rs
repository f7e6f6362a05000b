//! What the window shows of the games: the shell's records and the engine's snapshot, put together.

use std::time::Duration;

use crate::engine::{Failure, Phase, Snapshot};
use crate::shell::desk::Desk;
use crate::shell::library::{Game, GameKey};
use crate::shell::queue;
use crate::shell::state::Facts;

/// How far an operation is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// Where it stands.
    pub phase: Phase,
    /// Bytes of this phase that are done.
    pub done_bytes: u64,
    /// Bytes of this phase in all; 0 while unknown.
    pub total_bytes: u64,
    /// Bytes per second: of the network while downloading, of the disk otherwise.
    pub rate: u64,
    /// Time left of this phase.
    pub time_left: Option<Duration>,
}

/// All that the window shows of one game.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GameView {
    /// What is known of it.
    pub game: Game,
    /// What its button depends on.
    pub facts: Facts,
    /// How far its operation is.
    pub progress: Option<Progress>,
    /// The error its last operation ended with.
    pub failure: Option<Failure>,
    /// The player's own files that were left when it was removed.
    pub left: Vec<String>,
}

impl Desk {
    /// What the window shows of the games that fit what was typed.
    #[must_use]
    pub fn games(&self, query: &str, snapshot: &Snapshot) -> Vec<GameView> {
        let found = self.library.find(query, self.settings.order);
        found.into_iter().map(|game| self.view(game, snapshot)).collect()
    }

    /// What the window shows of one game.
    #[must_use]
    pub fn game(&self, key: GameKey, snapshot: &Snapshot) -> Option<GameView> {
        Some(self.view(self.library.get(key)?, snapshot))
    }

    fn view(&self, game: &Game, snapshot: &Snapshot) -> GameView {
        let key = game.key;
        let item = self.queue.of(key);
        let task = item.and_then(queue::Item::task);
        let view = task.and_then(|task| snapshot.task(task));
        // Begun, and not in a snapshot yet.
        let phase = view.map(|view| view.phase).or_else(|| task.map(|_| Phase::Waiting));
        let hold = match task {
            Some(_) => None,
            None => self.queue.hold(key, &self.world, &self.settings),
        };
        let failure = self.failures.get(&key);
        let facts = Facts {
            installed: game.installed.clone(),
            offered: game.offered.clone(),
            halted: self.halted.contains(&key),
            pinned: game.pin.is_some(),
            damaged: self.damaged.contains(&key),
            playing: self.programs.get(&key).cloned(),
            phase,
            stopping: item.is_some_and(queue::Item::is_stopping),
            hold,
            failure: failure.map(|failure| failure.code),
            offline: !self.world.online || self.unreachable.contains(&key),
        };
        let progress = view.filter(|view| !view.phase.is_final()).map(|view| Progress {
            phase: view.phase,
            done_bytes: view.done_bytes,
            total_bytes: view.total_bytes,
            rate: if view.phase == Phase::Downloading { view.download_rate } else { view.progress_rate },
            time_left: view.time_left,
        });
        let left = self.left.get(&key).cloned().unwrap_or_default();
        GameView { game: game.clone(), facts, progress, failure: failure.cloned(), left }
    }
}
