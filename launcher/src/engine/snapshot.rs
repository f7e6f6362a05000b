//! What the engine tells: a [`Snapshot`] of everything for drawing, and [`Event`]s that must not be lost.

mod outcome;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::engine::command::TaskId;
use crate::error::LaunchError;
use crate::load::Busy;

pub use outcome::{
    CandidateView, ChannelView, Offer, Outcome, Pictured, PlanReport, ReleaseList, ReleaseView, StatusReport,
    Summary, UninstallReport, VerifyReport, WoundView,
};

/// Everything a window or a progress line needs, consistent in itself. Published at most five times a second
/// and at each change of phase.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// Running and ended operations, oldest first.
    pub tasks: Vec<TaskView>,
    /// Where peers can reach us, once something was transferred.
    pub listen: Option<SocketAddr>,
    /// Games that run, by folder.
    pub playing: Vec<Playing>,
}

/// A game that runs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Playing {
    /// Its install folder, as it was named in [`crate::engine::Command::Watch`] or [`crate::engine::Operation::Play`].
    pub dir: PathBuf,
    /// One of its processes.
    pub pid: u32,
    /// What that is called.
    pub program: String,
}

impl Snapshot {
    /// The view of one operation.
    #[must_use]
    pub fn task(&self, id: TaskId) -> Option<&TaskView> {
        self.tasks.iter().find(|view| view.task == id)
    }
}

/// Where an operation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Phase {
    /// Accepted, not begun.
    #[default]
    Waiting,
    /// Finishing or undoing what an earlier run left open.
    Recovering,
    /// Asking the repository what is newest, and checking its signatures.
    Checking,
    /// Reading what is on the disk.
    Scanning,
    /// Fetching what is missing.
    Downloading,
    /// Making files out of packs that are here.
    Rebuilding,
    /// Putting the files in their places.
    Applying,
    /// Offering the game to others.
    Seeding,
    /// Removing the game's files.
    Removing,
    /// Stopped when asked; can go on.
    Paused,
    /// Ended well.
    Done,
    /// Ended with an error.
    Failed,
}

impl Phase {
    /// One lower-case word for `--json`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Recovering => "recovering",
            Self::Checking => "checking",
            Self::Scanning => "scanning",
            Self::Downloading => "downloading",
            Self::Rebuilding => "rebuilding",
            Self::Applying => "applying",
            Self::Seeding => "seeding",
            Self::Removing => "removing",
            Self::Paused => "paused",
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }

    /// Whether the operation has come to an end.
    #[must_use]
    pub fn is_final(self) -> bool {
        matches!(self, Self::Paused | Self::Done | Self::Failed)
    }
}

/// Verified payload bytes by where they came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SourceBytes {
    /// Found on this disk: in the install, or staged by an earlier run.
    pub local: u64,
    /// From players in the same network.
    pub lan: u64,
    /// From other players elsewhere.
    pub peers: u64,
    /// From seedboxes, as peers.
    pub seedbox: u64,
    /// From web seeds.
    pub web: u64,
}

impl SourceBytes {
    /// Bytes that the network brought.
    #[must_use]
    pub fn network(&self) -> u64 {
        self.lan + self.peers + self.seedbox + self.web
    }

    /// Bytes the studio's own machines sent: web seeds, and seedboxes as peers.
    #[must_use]
    pub fn origin(&self) -> u64 {
        self.web + self.seedbox
    }

    /// Every peer outside the own network, seedboxes included.
    #[must_use]
    pub fn all_peers(&self) -> u64 {
        self.peers + self.seedbox
    }

    /// What `self` has more than `other`.
    #[must_use]
    pub fn minus(&self, other: &Self) -> Self {
        Self {
            local: self.local.saturating_sub(other.local),
            lan: self.lan.saturating_sub(other.lan),
            peers: self.peers.saturating_sub(other.peers),
            seedbox: self.seedbox.saturating_sub(other.seedbox),
            web: self.web.saturating_sub(other.web),
        }
    }

    /// The sum of two counts.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        Self {
            local: self.local + other.local,
            lan: self.lan + other.lan,
            peers: self.peers + other.peers,
            seedbox: self.seedbox + other.seedbox,
            web: self.web + other.web,
        }
    }
}

/// One operation as a player sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskView {
    /// Its name.
    pub task: TaskId,
    /// The install folder.
    pub dir: PathBuf,
    /// The game's id, once known.
    pub game: Option<String>,
    /// The release it works towards, once known.
    pub release: Option<String>,
    /// Where it stands.
    pub phase: Phase,
    /// Bytes of this phase that are done.
    pub done_bytes: u64,
    /// Bytes of this phase in all; 0 while unknown.
    pub total_bytes: u64,
    /// Bytes by source, of the whole operation.
    pub sources: SourceBytes,
    /// Payload bytes sent to others.
    pub uploaded_bytes: u64,
    /// Network payload bytes per second, smoothed over some seconds.
    pub download_rate: u64,
    /// Payload bytes per second to others, smoothed.
    pub upload_rate: u64,
    /// Bytes of this phase done per second, smoothed.
    pub progress_rate: u64,
    /// Time left of this phase, when it can be told.
    pub time_left: Option<Duration>,
    /// Connected peers.
    pub peers: usize,
    /// How busy the machine is, while something is fetched.
    pub busy: Busy,
    /// The failure, when `phase` is `Failed`.
    pub failure: Option<Failure>,
}

impl TaskView {
    /// Before anything was done.
    pub(crate) fn waiting(task: TaskId, dir: PathBuf, game: Option<String>) -> TaskView {
        TaskView {
            task,
            dir,
            game,
            release: None,
            phase: Phase::Waiting,
            done_bytes: 0,
            total_bytes: 0,
            sources: SourceBytes::default(),
            uploaded_bytes: 0,
            download_rate: 0,
            upload_rate: 0,
            progress_rate: 0,
            time_left: None,
            peers: 0,
            busy: Busy::default(),
            failure: None,
        }
    }
}

/// An error in the words of the window: cause, advice, code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The stable code.
    pub code: &'static str,
    /// What happened.
    pub message: String,
    /// What to do.
    pub advice: &'static str,
}

impl From<&LaunchError> for Failure {
    fn from(error: &LaunchError) -> Self {
        Self { code: error.code(), message: error.to_string(), advice: error.advice() }
    }
}

/// Something that must not be lost, told once and in order.
#[derive(Debug, Clone)]
pub struct Event {
    /// Which operation it belongs to.
    pub task: TaskId,
    /// What happened.
    pub what: Happened,
}

/// See [`Event`].
#[derive(Debug, Clone)]
pub enum Happened {
    /// Worth a line in the log or a note in the window; nothing to do.
    Note(String),
    /// The operation's result is there.
    Done {
        /// The result.
        outcome: Box<Outcome>,
        /// It goes on seeding; `Ended` follows.
        lingers: bool,
    },
    /// Seeding or lingering after `Done` has come to its end.
    Ended,
    /// Stopped by a pause before it was done.
    Paused,
    /// Failed; nothing half written is visible.
    Failed(Arc<LaunchError>),
}
