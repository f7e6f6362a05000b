//! What the engine tells: a [`Snapshot`] of everything for drawing, and [`Event`]s that must not be lost.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::engine::command::TaskId;
use crate::error::LaunchError;
use crate::load::Busy;

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

/// What an operation achieved.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// Installed or updated, or there was nothing to do.
    Installed(Summary),
    /// What it would cost.
    Planned(PlanReport),
    /// Verified, and mended when asked.
    Verified(VerifyReport),
    /// The game was started.
    Started(Playing),
    /// What the repository offers.
    Looked(Offer),
    /// The releases and channels it has.
    Listed(ReleaseList),
    /// The bytes of the root that a repository shows.
    Root(Vec<u8>),
    /// Seeding was ended.
    Seeded {
        /// Payload bytes sent to others.
        uploaded_bytes: u64,
    },
    /// What is installed.
    Status(StatusReport),
    /// Removed.
    Uninstalled(UninstallReport),
}

/// The figures of an install, update or repair.
#[derive(Debug, Clone, Default)]
pub struct Summary {
    /// The game's id.
    pub game: String,
    /// The release now in the folder.
    pub release: String,
    /// Its place among the game's releases: the newer, the higher.
    pub sequence: u64,
    /// False when the folder held that release already.
    pub changed: bool,
    /// Wall time of the whole operation.
    pub elapsed: Duration,
    /// Bytes by source.
    pub sources: SourceBytes,
    /// Bytes that others received meanwhile.
    pub uploaded_bytes: u64,
    /// Bytes written to the disk: staging, copies and journal.
    pub written_bytes: u64,
    /// The most space that was used beyond what the install needs.
    pub temp_peak_bytes: u64,
    /// How long the folder was between two releases: what a power cut would have left to the next start.
    pub commit_window: Duration,
    /// Of what was written: blocks of packs.
    pub pack_bytes: u64,
    /// The route that was taken; none when nothing had to be fetched.
    pub route: Option<String>,
    /// Payload bytes that the route was to take.
    pub promised_bytes: u64,
    /// Payload bytes that fetching the changed files as they are would have taken.
    pub plain_bytes: u64,
    /// Files of the player's that stood where the release has one: kept, under these names.
    pub kept_aside: Vec<String>,
    /// Files the player changed that stay as they are, as the studio lets them.
    pub left_changed: Vec<String>,
}

/// What an update or install would cost.
#[derive(Debug, Clone, Default)]
pub struct PlanReport {
    /// The game's id.
    pub game: String,
    /// The release in the folder.
    pub from: Option<String>,
    /// The release it would become.
    pub release: String,
    /// Cheapest first; none when there is nothing to fetch.
    pub candidates: Vec<CandidateView>,
    /// Why the chosen one is chosen.
    pub why: String,
}

/// One route, and what it costs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CandidateView {
    /// What `--route` calls it.
    pub name: String,
    /// What it mainly consists of: plain, reuse, direct, chain, full.
    pub kind: &'static str,
    /// Whether parts of packs are left out because game files are cheaper.
    pub mixed: bool,
    /// Whether it would be taken.
    pub chosen: bool,
    /// Payload bytes received.
    pub network_bytes: u64,
    /// Of them, packs.
    pub pack_bytes: u64,
    /// Of them, indexes of packs: fetched to compare the routes, whichever is taken.
    pub index_bytes: u64,
    /// Bytes written.
    pub written_bytes: u64,
    /// Files written.
    pub written_files: u64,
    /// The most space needed beside the install.
    pub temp_bytes: u64,
    /// Processor time, all cores together.
    pub cpu: Duration,
    /// Time from start to end, as far as can be told.
    pub time: Duration,
    /// All of it weighed: comparable between these candidates only.
    pub cost: u64,
}

/// What a verification found, and what a repair did.
#[derive(Debug, Clone, Default)]
pub struct VerifyReport {
    /// The game's id.
    pub game: String,
    /// The installed release.
    pub release: String,
    /// Whether only lengths and times were looked at.
    pub quick: bool,
    /// Files and links looked at.
    pub checked_files: usize,
    /// Bytes read and compared.
    pub checked_bytes: u64,
    /// What was damaged.
    pub wounds: Vec<WoundView>,
    /// Files the player changed, as the studio lets him: no damage.
    pub left_changed: Vec<String>,
    /// Present when a repair was asked for.
    pub repair: Option<Summary>,
    /// Wall time.
    pub elapsed: Duration,
}

/// One damaged file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WoundView {
    /// Path in the install.
    pub path: String,
    /// In a word: missing, damaged, wrong size, …
    pub kind: String,
    /// Bytes that do not fit.
    pub bytes: u64,
}

/// What a repository offers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Offer {
    /// The game's id.
    pub game: String,
    /// The release.
    pub release: String,
    /// The studio has stopped it: installs stay where they are.
    pub halted: bool,
    /// It is older than the installed one, and the studio has not signed that installs go back to it.
    pub older: bool,
    /// Bytes of all its files.
    pub bytes: u64,
    /// Patch notes, plain text or Markdown.
    pub notes: String,
}

/// The releases and channels that a repository has of a game.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReleaseList {
    /// The game's id.
    pub game: String,
    /// The releases, the newest first.
    pub releases: Vec<ReleaseView>,
    /// The channels, in the order of their names.
    pub channels: Vec<ChannelView>,
}

/// A release that can be installed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReleaseView {
    /// Its version.
    pub release: String,
    /// Bytes of all its files; none of one so old that nobody asked.
    pub bytes: Option<u64>,
    /// Patch notes, plain text or Markdown; empty where there are none, or nobody asked.
    pub notes: String,
}

/// A channel, and where it points.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChannelView {
    /// Its name.
    pub name: String,
    /// The release.
    pub release: String,
    /// The studio has stopped it: installs stay where they are.
    pub halted: bool,
}

/// What `status` says.
#[derive(Debug, Clone, Default)]
pub struct StatusReport {
    /// The game's id.
    pub game: String,
    /// The release in the folder; none while the first install is not finished.
    pub release: Option<String>,
    /// The release an unfinished install or update works towards.
    pub pending: Option<String>,
    /// Where updates come from.
    pub repo: String,
    /// The channel that updates follow.
    pub channel: String,
    /// Files of the release.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
    /// The seed ledger's sums: received by source.
    pub received: SourceBytes,
    /// The seed ledger's sum: sent to others.
    pub uploaded_bytes: u64,
    /// The release that one can go back to without network.
    pub previous: Option<String>,
    /// Bytes that the data for going back take.
    pub undo_bytes: u64,
}

/// What `uninstall` did.
#[derive(Debug, Clone, Default)]
pub struct UninstallReport {
    /// Files removed.
    pub removed: usize,
    /// Paths that are not the game's, or that the player changed: still there.
    pub left: Vec<String>,
    /// Whether the folder itself is gone.
    pub folder_removed: bool,
}
