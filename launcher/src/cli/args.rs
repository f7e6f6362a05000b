//! The command line, as design.md has it.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{Args, CommandFactory as _, Parser, Subcommand};

use crate::cli::flags::{DirArgs, LingerArgs, RouteArgs, SourceArgs, SwarmArgs, WaitArgs, parse_size};
use crate::cli::own_args::Own;
use crate::shell::links::FILE_ENDING;

use crate::engine::{
    DEFAULT_CHANNEL, Install, Linger, Operation, Options, Plan, Seed, Select, Update, Verify,
};

/// Installs, updates, verifies, repairs and seeds games.
#[derive(Debug, Parser)]
#[command(name = "launcher", version, max_term_width = 100, disable_help_subcommand = true)]
pub struct Cli {
    /// One JSON object a line on standard output instead of text.
    #[arg(long, global = true)]
    pub json: bool,
    /// A samara:// link or a .samara file: the window opens and adds its game, once its fingerprint was compared.
    #[arg(value_name = "LINK", value_parser = parse_open)]
    pub open: Option<String>,
    /// What to do; without it the window opens.
    #[command(subcommand)]
    pub action: Option<Deed>,
}

impl Cli {
    /// Reads a command line, the program's name first.
    ///
    /// # Errors
    /// It is not understood; or it is a request for help.
    pub fn read<T: Into<OsString> + Clone>(line: impl IntoIterator<Item = T>) -> Result<Self, clap::Error> {
        let cli = Self::try_parse_from(line)?;
        // clap would have every option, --json too, exclude the actions.
        if cli.open.is_some() && cli.action.is_some() {
            let cause = "a link is opened by the window; it does not go with an action";
            return Err(Self::command().error(ErrorKind::ArgumentConflict, cause));
        }
        Ok(cli)
    }
}

/// What can be done: with games, and with the launcher itself.
#[derive(Debug, Subcommand)]
#[allow(clippy::large_enum_variant, reason = "a start makes one of them")]
pub enum Deed {
    /// With a game.
    #[command(flatten)]
    Game(Action),
    /// Look after this launcher itself: its version, its updates, and the way back.
    #[command(name = "self", subcommand)]
    Own(Own),
}

/// The actions.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// Install a game into a folder, or go on with an install that was stopped.
    Install(InstallArgs),
    /// Bring an installed game to its channel's newest release.
    Update(UpdateArgs),
    /// Say what an update (or, with --repo, an install) would cost by each route, and which one would be taken.
    Plan(PlanArgs),
    /// Go back to the release that the last update replaced, without network.
    Rollback(RollbackArgs),
    /// Compare every byte with the release; --repair fetches what is damaged, block by block.
    Verify(VerifyArgs),
    /// Offer an installed game to other players until Ctrl-C.
    Seed(SeedArgs),
    /// Start an installed game as its release says, and return.
    Play(DirArgs),
    /// Say what is installed.
    Status(DirArgs),
    /// Remove the game's files and .samara; the player's own files stay.
    Uninstall(UninstallArgs),
}

/// `install`.
#[derive(Debug, Args)]
pub struct InstallArgs {
    /// Address of the repository's public folder.
    #[arg(long, value_name = "URL")]
    pub repo: String,
    /// The root.json that the game's studio hands out: whom to believe.
    #[arg(long, value_name = "ROOT.json")]
    pub trust: PathBuf,
    /// The game's id.
    #[arg(long, value_name = "ID")]
    pub game: String,
    #[command(flatten)]
    pub(crate) at: DirArgs,
    #[command(flatten)]
    pub(crate) wait: WaitArgs,
    /// The channel to follow.
    #[arg(long, value_name = "NAME", conflicts_with = "release")]
    pub channel: Option<String>,
    /// Exactly this release.
    #[arg(long, value_name = "VERSION")]
    pub release: Option<String>,
    /// Check the files that are in the folder already and keep those that fit.
    #[arg(long)]
    pub adopt: bool,
    /// Go on although the repository's metadata has expired; signatures and versions are checked all the same.
    #[arg(long)]
    pub accept_expired: bool,
    #[command(flatten)]
    pub(crate) way: RouteArgs,
    #[command(flatten)]
    pub(crate) sources: SourceArgs,
    #[command(flatten)]
    pub(crate) swarm: SwarmArgs,
    #[command(flatten)]
    pub(crate) undo: UndoArgs,
    #[command(flatten)]
    pub(crate) linger: LingerArgs,
}

/// `update`.
#[derive(Debug, Args)]
pub struct UpdateArgs {
    #[command(flatten)]
    pub(crate) at: DirArgs,
    #[command(flatten)]
    pub(crate) wait: WaitArgs,
    /// Go on although the repository's metadata has expired; signatures and versions are checked all the same.
    #[arg(long)]
    pub accept_expired: bool,
    #[command(flatten)]
    pub(crate) way: RouteArgs,
    #[command(flatten)]
    pub(crate) sources: SourceArgs,
    #[command(flatten)]
    pub(crate) swarm: SwarmArgs,
    #[command(flatten)]
    pub(crate) undo: UndoArgs,
    #[command(flatten)]
    pub(crate) linger: LingerArgs,
}

/// `plan`.
#[derive(Debug, Args)]
pub struct PlanArgs {
    #[command(flatten)]
    pub(crate) at: DirArgs,
    /// Plan an install from this repository instead of an update.
    #[arg(long, value_name = "URL", requires_all = ["trust", "game"])]
    pub repo: Option<String>,
    /// With --repo: the root.json that the game's studio hands out.
    #[arg(long, value_name = "ROOT.json", requires = "repo")]
    pub trust: Option<PathBuf>,
    /// With --repo: the game's id.
    #[arg(long, value_name = "ID", requires = "repo")]
    pub game: Option<String>,
    /// The channel to look at, instead of the one that is followed.
    #[arg(long, value_name = "NAME", conflicts_with = "release")]
    pub channel: Option<String>,
    /// Exactly this release.
    #[arg(long, value_name = "VERSION")]
    pub release: Option<String>,
    /// With --repo: count files that are in the folder already.
    #[arg(long, requires = "repo")]
    pub adopt: bool,
    /// Go on although the repository's metadata has expired; signatures and versions are checked all the same.
    #[arg(long)]
    pub accept_expired: bool,
    #[command(flatten)]
    pub(crate) way: RouteArgs,
    #[command(flatten)]
    pub(crate) sources: SourceArgs,
}

impl PlanArgs {
    fn plan(&self) -> Plan {
        let select = match (&self.release, &self.channel) {
            (Some(release), _) => Some(Select::Release(release.clone())),
            (None, channel) => channel.clone().map(Select::Channel),
        };
        let (sources, linger, way) = (self.sources.sources(), Linger::No, self.way.preference());
        match (&self.repo, &self.trust, &self.game) {
            (Some(repo), Some(trust), Some(game)) => Plan::Install(Install {
                repo: repo.clone(),
                trust_root: trust.clone(),
                game: game.clone(),
                dir: self.at.dir.clone(),
                select: select.unwrap_or_else(|| Select::Channel(DEFAULT_CHANNEL.to_owned())),
                adopt: self.adopt,
                sources,
                accept_expired: self.accept_expired,
                way,
                linger,
            }),
            // clap asks for all three or none.
            _ => Plan::Update(Update {
                dir: self.at.dir.clone(),
                select,
                sources,
                accept_expired: self.accept_expired,
                way,
                linger,
            }),
        }
    }
}

/// `rollback`.
#[derive(Debug, Args)]
pub struct RollbackArgs {
    #[command(flatten)]
    pub(crate) at: DirArgs,
    #[command(flatten)]
    pub(crate) undo: UndoArgs,
    #[command(flatten)]
    pub(crate) wait: WaitArgs,
}

/// What is kept of replaced releases.
#[derive(Debug, Args)]
pub struct UndoArgs {
    /// Space that the data for going back to replaced releases may take in .samara; k, M and G are understood, 0 keeps
    /// none. Without it: a quarter of the game, at least 1 GiB.
    #[arg(long, value_name = "BYTES", value_parser = parse_size)]
    pub undo_quota: Option<u64>,
}

/// `verify`.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    #[command(flatten)]
    pub(crate) at: DirArgs,
    #[command(flatten)]
    pub(crate) wait: WaitArgs,
    /// Look at lengths, times and the record only, without reading the files.
    #[arg(long, conflicts_with = "repair")]
    pub quick: bool,
    /// Fetch what is damaged or missing.
    #[arg(long)]
    pub repair: bool,
    #[command(flatten)]
    pub(crate) sources: SourceArgs,
    #[command(flatten)]
    pub(crate) swarm: SwarmArgs,
}

/// `seed`.
#[derive(Debug, Args)]
pub struct SeedArgs {
    #[command(flatten)]
    pub(crate) at: DirArgs,
    #[command(flatten)]
    pub(crate) swarm: SwarmArgs,
}

/// `uninstall`.
#[derive(Debug, Args)]
pub struct UninstallArgs {
    #[command(flatten)]
    pub(crate) at: DirArgs,
    #[command(flatten)]
    pub(crate) wait: WaitArgs,
    /// Do not ask.
    #[arg(long)]
    pub yes: bool,
}

impl Action {
    /// What the engine is to do.
    #[must_use]
    pub fn operation(&self) -> Operation {
        match self {
            Self::Install(args) => Operation::Install(Install {
                repo: args.repo.clone(),
                trust_root: args.trust.clone(),
                game: args.game.clone(),
                dir: args.at.dir.clone(),
                select: match (&args.release, &args.channel) {
                    (Some(release), _) => Select::Release(release.clone()),
                    (None, Some(channel)) => Select::Channel(channel.clone()),
                    (None, None) => Select::Channel(DEFAULT_CHANNEL.to_owned()),
                },
                adopt: args.adopt,
                sources: args.sources.sources(),
                accept_expired: args.accept_expired,
                way: args.way.preference(),
                linger: args.linger.linger(),
            }),
            Self::Update(args) => Operation::Update(Update {
                dir: args.at.dir.clone(),
                select: None,
                sources: args.sources.sources(),
                accept_expired: args.accept_expired,
                way: args.way.preference(),
                linger: args.linger.linger(),
            }),
            Self::Plan(args) => Operation::Plan(args.plan()),
            Self::Rollback(args) => Operation::Rollback { dir: args.at.dir.clone() },
            Self::Verify(args) => Operation::Verify(Verify {
                dir: args.at.dir.clone(),
                quick: args.quick,
                repair: args.repair,
                sources: args.sources.sources(),
            }),
            Self::Seed(args) => Operation::Seed(Seed { dir: args.at.dir.clone() }),
            Self::Play(args) => Operation::Play { dir: args.dir.clone() },
            Self::Status(args) => Operation::Status { dir: args.dir.clone() },
            Self::Uninstall(args) => Operation::Uninstall { dir: args.at.dir.clone() },
        }
    }

    /// How the engine is to be started for it.
    #[must_use]
    pub fn options(&self) -> Options {
        let wait = self.waits();
        let (swarm, sources) = match self {
            Self::Install(args) => (&args.swarm, Some(&args.sources)),
            Self::Update(args) => (&args.swarm, Some(&args.sources)),
            Self::Verify(args) => (&args.swarm, Some(&args.sources)),
            Self::Seed(args) => (&args.swarm, None),
            Self::Rollback(args) => {
                return Options { undo_quota: args.undo.undo_quota, wait, ..Options::default() };
            }
            Self::Plan(_) | Self::Play(_) | Self::Status(_) | Self::Uninstall(_) => {
                return Options { wait, ..Options::default() };
            }
        };
        let peers = sources.is_none_or(|sources| !sources.no_peers);
        Options {
            listen: peers.then_some(swarm.listen),
            upload_limit: swarm.upload_limit,
            download_limit: swarm.download_limit,
            pack_quota: swarm.pack_quota,
            undo_quota: match self {
                Self::Update(args) => args.undo.undo_quota,
                Self::Install(args) => args.undo.undo_quota,
                _ => None,
            },
            patience: swarm.patience,
            wait,
            ..Options::default()
        }
    }

    fn waits(&self) -> bool {
        match self {
            Self::Install(args) => args.wait.wait,
            Self::Update(args) => args.wait.wait,
            Self::Rollback(args) => args.wait.wait,
            Self::Verify(args) => args.wait.wait,
            Self::Uninstall(args) => args.wait.wait,
            Self::Plan(_) | Self::Seed(_) | Self::Play(_) | Self::Status(_) => false,
        }
    }
}

/// Another word is a command that is not there, not something to open.
fn parse_open(text: &str) -> Result<String, String> {
    if text.starts_with("samara:") {
        return Ok(text.to_owned());
    }
    let is_file = text.ends_with(FILE_ENDING);
    // Desktops name a file by its address when the program also opens links.
    let address = text.starts_with("file:").then(|| url::Url::parse(text).ok()?.to_file_path().ok());
    // Another start may have another folder.
    let path = address.unwrap_or_else(|| std::path::absolute(text).ok()).filter(|_| is_file);
    let path = path.and_then(|path| path.into_os_string().into_string().ok());
    path.ok_or_else(|| "expected a command, a samara:// link or a .samara file".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Sources;

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn an_install_line_says_what_it_means() {
        let line =
            "launcher --json install --repo http://h/ --trust root.json --game maple --dir d --no-peers";
        let cli = Cli::read(line.split(' ')).unwrap();
        assert!(cli.json, "before the action");
        let line = line.replace(" --json", "") + " --json";
        let cli = Cli::read(line.split(' ')).unwrap();
        assert!(cli.json, "and behind it");
        let Some(Deed::Game(action)) = cli.action else { panic!("not a game's") };
        assert_eq!(action.options().listen, None, "no peers: no listener");
        let Operation::Install(install) = action.operation() else { panic!("not an install") };
        assert_eq!(install.select, Select::Channel("stable".to_owned()));
        assert_eq!(install.sources, Sources { peers: false, web: true });
        assert_eq!(install.linger, Linger::No);
    }

    #[test]
    fn contradictions_are_refused() {
        for line in [
            "launcher update --dir d --no-peers --no-web",
            "launcher verify --dir d --quick --repair",
            "launcher install --repo u --trust r --game g --dir d --channel c --release 1",
            "launcher seed --dir d --upload-limit 0",
            "launcher update --dir d --seed --seed-for 3",
            "launcher updaet",
            "launcher samara://add update --dir d",
        ] {
            assert!(Cli::read(line.split(' ')).is_err(), "{line}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn what_a_desktop_opens_is_a_link_a_path_or_a_files_address() {
        for (text, open) in [
            ("samara://add?repo=x", Some("samara://add?repo=x")),
            ("/a/b c.samara", Some("/a/b c.samara")),
            ("file:///a/b%20c.samara", Some("/a/b c.samara")),
            ("file:///a/b.txt", None),
            ("https://h/a.samara.html", None),
        ] {
            assert_eq!(parse_open(text).ok().as_deref(), open, "{text}");
        }
    }
}
