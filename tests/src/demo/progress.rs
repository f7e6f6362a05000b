//! What the demo shows while it works: a line a step, a bar a player.

use std::sync::Arc;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use launcher::engine::{Phase, Snapshot, TaskId, TaskView};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::demo::player::Player;
use crate::demo::table::bytes;

/// The demo's progress on standard error.
pub(super) struct Progress {
    bars: MultiProgress,
}

impl Progress {
    pub(super) fn new() -> Self {
        Self { bars: MultiProgress::new() }
    }

    /// Announces the next step.
    pub(super) fn step(&self, what: &str) {
        // Through the bars, so that a bar that is drawn is not torn; plainly where nobody watches a terminal.
        if self.bars.is_hidden() {
            eprintln!("\u{2022} {what}");
        } else {
            let _ = self.bars.println(format!("\u{2022} {what}"));
        }
    }

    /// Shows one bar for each player until the watch is dropped.
    pub(super) fn watch(&self, players: &[Player]) -> Watching {
        let watched = players.iter().map(|player| {
            let bar = self.bars.add(ProgressBar::new(1));
            bar.set_style(style());
            bar.set_prefix(player.name.clone());
            let follow = follow(player.engine.snapshot.clone(), player.task, bar.clone());
            (bar, tokio::spawn(follow))
        });
        Watching { watched: watched.collect() }
    }

    pub(super) fn finish(&self) {
        let _ = self.bars.clear();
    }
}

/// The bars of one step; gone when done or dropped.
pub(super) struct Watching {
    watched: Vec<(ProgressBar, JoinHandle<()>)>,
}

impl Watching {
    /// Takes the bars away.
    pub(super) fn done(self) {}
}

impl Drop for Watching {
    fn drop(&mut self) {
        for (bar, task) in self.watched.drain(..) {
            task.abort();
            bar.finish_and_clear();
        }
    }
}

fn style() -> ProgressStyle {
    ProgressStyle::with_template("  {prefix:9} {bar:28.green/black.bright} {percent:>3}%  {msg}")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("\u{2501}\u{2578} ")
}

async fn follow(mut snapshots: watch::Receiver<Arc<Snapshot>>, task: TaskId, bar: ProgressBar) {
    loop {
        if let Some(view) = snapshots.borrow_and_update().task(task) {
            bar.set_length(view.total_bytes.max(1));
            bar.set_position(view.done_bytes.min(view.total_bytes));
            bar.set_message(message(view));
        }
        if snapshots.changed().await.is_err() {
            return;
        }
    }
}

fn message(view: &TaskView) -> String {
    if view.phase != Phase::Downloading {
        return view.phase.word().to_owned();
    }
    let left = view.time_left.map_or_else(String::new, |left| {
        format!(", {} left", indicatif::HumanDuration(Duration::from_secs(left.as_secs().max(1))))
    });
    format!(
        "{}/s from {} peers (peers {}, web {}), up {}/s{left}",
        bytes(view.download_rate),
        view.peers,
        bytes(view.sources.all_peers() + view.sources.lan),
        bytes(view.sources.web),
        bytes(view.upload_rate),
    )
}
