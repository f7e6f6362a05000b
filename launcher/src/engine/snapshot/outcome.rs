//! What operations achieved, with the figures that are shown of it.

use std::path::PathBuf;
use std::time::Duration;

use manifests::release::Art;
use manifests::trust::Signers;

use super::{Playing, SourceBytes};

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
    /// Pictures were fetched, as far as they could be had.
    Pictured(Pictured),
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
    /// Its pictures.
    pub art: Art,
    /// Whose signatures stand under the game's releases.
    pub signers: Signers,
}

/// Pictures that are here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pictured {
    /// The icon's file.
    pub icon: Option<PathBuf>,
    /// The hero's file.
    pub hero: Option<PathBuf>,
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
