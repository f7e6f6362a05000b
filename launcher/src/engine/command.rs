//! What a window, the command line or a test may ask of the engine.

use std::path::{Path, PathBuf};
use std::time::Duration;

use manifests::release::Art;
use manifests::route::Weights;

/// Names one running operation. The asker chooses it; it must not be in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId(pub u64);

/// What the engine is told.
#[derive(Debug, Clone)]
pub enum Command {
    /// Begin an operation. Its end is told by one `Done`, `Failed` or `Paused` event.
    Start {
        /// The name the asker gives it.
        task: TaskId,
        /// What to do.
        operation: Box<Operation>,
    },
    /// Stop an operation at the next safe point and keep what is done: starting it again goes on from there.
    /// Ends seeding and lingering too.
    Pause {
        /// Which one.
        task: TaskId,
    },
    /// How fast everything together may be, from now on.
    Limits(Rates),
    /// Tell of programs that run from these folders, in [`crate::engine::Snapshot::playing`], from now on. Takes the
    /// place of what was watched before.
    Watch(Vec<PathBuf>),
    /// Pause everything and end the engine.
    Shutdown,
}

/// Bytes per second over all operations; none for no limit, 0 for not at all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rates {
    /// Received from peers and web seeds.
    pub download: Option<u64>,
    /// Sent to peers.
    pub upload: Option<u64>,
}

/// One piece of work on one install folder.
#[derive(Debug, Clone)]
pub enum Operation {
    /// Put a game into a folder, or go on with an install that was stopped.
    Install(Install),
    /// Bring an installed game to its channel's newest release.
    Update(Update),
    /// Say what an update or install would cost by each route, and which one would be taken.
    Plan(Plan),
    /// Go back to the release that was in place before, with what is kept here: nobody is asked.
    Rollback {
        /// The install folder.
        dir: PathBuf,
    },
    /// Compare every byte with the release's hashes, and mend it when asked.
    Verify(Verify),
    /// Offer the installed game to other players until paused.
    Seed(Seed),
    /// Say what is installed and in which state.
    Status {
        /// The install folder.
        dir: PathBuf,
    },
    /// Ask what the repository offers; nothing is installed, and no folder of a game is touched.
    Look(Look),
    /// List the releases and channels that the repository has of a game, for somebody who chooses one.
    Releases(Releases),
    /// Fetch a game's pictures, as far as they can be had.
    Pictures(Pictures),
    /// Fetch the trust root that a repository shows, for a player to compare its fingerprint: nothing is believed yet.
    Root {
        /// The repository's public folder, as an http or https address.
        repo: String,
    },
    /// Start the installed game as its release says. It goes on when the engine ends.
    Play {
        /// The install folder.
        dir: PathBuf,
    },
    /// Remove the game's files, and none that are not the game's.
    Uninstall {
        /// The install folder.
        dir: PathBuf,
    },
}

impl Operation {
    /// The folder it works on: the install, but for [`Operation::Look`], [`Operation::Releases`] and
    /// [`Operation::Pictures`]; none for [`Operation::Root`].
    #[must_use]
    pub fn dir(&self) -> &Path {
        match self {
            Self::Install(install) => &install.dir,
            Self::Update(update) => &update.dir,
            Self::Plan(plan) => plan.dir(),
            Self::Verify(verify) => &verify.dir,
            Self::Seed(seed) => &seed.dir,
            Self::Look(look) => &look.memory,
            Self::Releases(releases) => &releases.memory,
            Self::Pictures(pictures) => &pictures.folder,
            Self::Root { .. } => Path::new(""),
            Self::Rollback { dir } | Self::Status { dir } | Self::Play { dir } | Self::Uninstall { dir } => {
                dir
            }
        }
    }
}

/// See [`Operation::Install`].
#[derive(Debug, Clone)]
pub struct Install {
    /// The repository's public folder, as an http or https address.
    pub repo: String,
    /// The root.json the player was given; pinned in the install from then on.
    pub trust_root: PathBuf,
    /// The game's id in the repository.
    pub game: String,
    /// The install folder; created when it is not there.
    pub dir: PathBuf,
    /// Which release.
    pub select: Select,
    /// Check and keep files that are in the folder already.
    pub adopt: bool,
    /// Where bytes may come from.
    pub sources: Sources,
    /// Go on with metadata that has expired: signatures and versions are checked all the same.
    pub accept_expired: bool,
    /// Which route is taken.
    pub way: Preference,
    /// Whether to seed afterwards.
    pub linger: Linger,
}

/// See [`Operation::Update`].
#[derive(Debug, Clone)]
pub struct Update {
    /// The install folder.
    pub dir: PathBuf,
    /// A channel, which is followed from now on, or one release, an older one too; none for the channel it follows.
    pub select: Option<Select>,
    /// Where bytes may come from.
    pub sources: Sources,
    /// Go on with metadata that has expired: signatures and versions are checked all the same.
    pub accept_expired: bool,
    /// Which route is taken.
    pub way: Preference,
    /// Whether to seed afterwards.
    pub linger: Linger,
}

/// See [`Operation::Plan`].
#[derive(Debug, Clone)]
pub enum Plan {
    /// Of an install; nothing of it is left behind.
    Install(Install),
    /// Of an update.
    Update(Update),
    /// Of going back to the release before.
    Rollback {
        /// The install folder.
        dir: PathBuf,
    },
}

impl Plan {
    /// The install folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        match self {
            Self::Install(install) => &install.dir,
            Self::Update(update) => &update.dir,
            Self::Rollback { dir } => dir,
        }
    }
}

/// See [`Operation::Verify`].
#[derive(Debug, Clone)]
pub struct Verify {
    /// The install folder.
    pub dir: PathBuf,
    /// Believe every file that still looks as it did, and read none.
    pub quick: bool,
    /// Fetch what is damaged, block by block.
    pub repair: bool,
    /// Where bytes may come from.
    pub sources: Sources,
}

/// See [`Operation::Seed`].
#[derive(Debug, Clone)]
pub struct Seed {
    /// The install folder.
    pub dir: PathBuf,
}

/// See [`Operation::Look`].
#[derive(Debug, Clone)]
pub struct Look {
    /// The repository's public folder, as an http or https address.
    pub repo: String,
    /// The pinned root.json.
    pub trust_root: PathBuf,
    /// The game's id in the repository.
    pub game: String,
    /// Which release is asked about.
    pub select: Select,
    /// The sequence of the installed release, where there is one: a channel that points below it offers nothing.
    pub installed: Option<u64>,
    /// Where what this root has vouched for is remembered. One look at a time uses it.
    pub memory: PathBuf,
}

/// See [`Operation::Releases`].
#[derive(Debug, Clone)]
pub struct Releases {
    /// The repository's public folder, as an http or https address.
    pub repo: String,
    /// The pinned root.json.
    pub trust_root: PathBuf,
    /// The game's id in the repository.
    pub game: String,
    /// As [`Look::memory`]: neither runs while the other does.
    pub memory: PathBuf,
}

/// See [`Operation::Pictures`].
#[derive(Debug, Clone)]
pub struct Pictures {
    /// The repository's public folder, as an http or https address.
    pub repo: String,
    /// Which, as a signed manifest names them.
    pub art: Art,
    /// Where they are kept, under names made of their content.
    pub folder: PathBuf,
}

/// Which release to install.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Select {
    /// The one this channel points at, now and at later updates.
    Channel(String),
    /// This one; later updates follow the default channel.
    Release(String),
}

/// The channel of a game when nothing else is said.
pub const DEFAULT_CHANNEL: &str = "stable";

/// Where bytes may come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sources {
    /// The swarm.
    pub peers: bool,
    /// Web seeds.
    pub web: bool,
}

impl Default for Sources {
    fn default() -> Self {
        Self { peers: true, web: true }
    }
}

/// Which route is taken.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Preference {
    /// What counts how much.
    pub weights: Weights,
    /// This candidate, whatever it costs.
    pub route: Option<String>,
    /// Bytes a second expected of all sources together; none for what is usual.
    pub source_rate: Option<u64>,
    /// Other installs on this machine whose files may be copied where they are the same.
    pub reuse_from: Vec<PathBuf>,
}

/// Seeding after an install or update has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Linger {
    /// Stop at once.
    No,
    /// Go on for this long.
    For(Duration),
    /// Go on until paused.
    UntilPaused,
}
