//! What can be typed.

use crate::server::{Limits, RENEW_BELOW, ServeConfig};
use clap::{Args, Parser, Subcommand};
use std::net::SocketAddr;
use std::path::PathBuf;

/// Signs game builds into a repository and seeds them.
#[derive(Debug, Parser)]
#[command(name = "seedbox", version, max_term_width = 100)]
pub struct Cli {
    /// One JSON object a line on standard output.
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a new repository and its keys; prints where root.json is, which launchers are given.
    Init(InitArgs),
    /// Publish a build folder as a release.
    Publish(Box<PublishArgs>),
    /// Show what a build would cost players, and why. Publishes nothing and needs no keys.
    Preview(Box<PreviewArgs>),
    /// Make further or smaller packs for a release that is out, and list them.
    Optimize(OptimizeArgs),
    /// Sign again what expires soon. `serve` does this by itself every day.
    Refresh(RefreshArgs),
    /// Offer the repository to players: metadata, web seeds, tracker and seeding.
    Serve(ServeArgs),
}

/// `seedbox init`.
#[derive(Debug, Args)]
pub struct InitArgs {
    /// The data folder to make.
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    /// Where the offline keys go: outside the data folder, best on a disk of its own.
    #[arg(long, value_name = "DIR")]
    pub keys: PathBuf,
    /// Where players will reach this seedbox, for trackers and web seeds in torrents.
    #[arg(long, value_name = "URL")]
    pub public_url: Option<String>,
}

/// What `publish` and `preview` both need to know.
#[derive(Debug, Args)]
pub struct BuildArgs {
    /// The build folder.
    pub build: PathBuf,
    /// The data folder of the repository.
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    /// Which game; the first release of a game adds it.
    #[arg(long, value_name = "ID")]
    pub game: String,
    /// The channel that is to point at the release.
    #[arg(long, value_name = "NAME", default_value = "stable")]
    pub channel: String,
    /// A file with patch notes.
    #[arg(long, value_name = "FILE")]
    pub notes: Option<PathBuf>,
    /// A square picture for lists of games: PNG, at most 512 × 512 pixels and 256 KiB.
    #[arg(long, value_name = "FILE")]
    pub icon: Option<PathBuf>,
    /// A wide picture for the game's page: PNG, at most 2048 × 1024 pixels and 2 MiB.
    #[arg(long, value_name = "FILE")]
    pub hero: Option<PathBuf>,
    /// How to start the game, relative to its folder; `linux=…`, `windows=…` or `macos=…` for one platform. May be
    /// repeated.
    #[arg(long, value_name = "[PLATFORM=]CMD")]
    pub launch: Vec<String>,
    /// Files that are programs, such as 'bin/*', where their mode does not say so. May be repeated.
    #[arg(long, value_name = "GLOB")]
    pub exec: Vec<String>,
    /// Files such as 'settings/*.ini' that stay as they are when the player changed them. May be repeated.
    #[arg(long, value_name = "GLOB")]
    pub keep_if_changed: Vec<String>,
    /// Files that are the player's once they are installed: an update neither replaces them when he changed them nor
    /// brings them back when he deleted them. May be repeated.
    #[arg(long, value_name = "GLOB")]
    pub merge_never: Vec<String>,
    /// Which of these go out of the way, although changed, when a later release no longer has them. May be repeated.
    #[arg(long, value_name = "GLOB")]
    pub delete_on_remove: Vec<String>,
    /// Bytes of a piece, instead of the length that fits the build.
    #[arg(long, value_name = "BYTES", hide_short_help = true)]
    pub piece_len: Option<u32>,
    /// Which packs are made.
    #[command(flatten)]
    pub packs: PackArgs,
}

/// `seedbox publish`.
#[derive(Debug, Args)]
pub struct PublishArgs {
    #[command(flatten)]
    pub(crate) of: BuildArgs,
    /// The folder of the offline keys.
    #[arg(long, value_name = "DIR")]
    pub keys: PathBuf,
    /// The version to publish it under.
    #[arg(long, value_name = "VERSION")]
    pub release: String,
}

/// `seedbox preview`.
#[derive(Debug, Args)]
pub struct PreviewArgs {
    #[command(flatten)]
    pub(crate) of: BuildArgs,
    /// Not needed: taken so that the options of `publish` can stay as they are.
    #[arg(long, value_name = "DIR", hide = true)]
    pub keys: Option<PathBuf>,
    /// The version it would be published under.
    #[arg(long, value_name = "VERSION", default_value = "unreleased")]
    pub release: String,
    /// Most bytes an update from the previous release may fetch; beyond, the exit status is 3.
    #[arg(long, value_name = "BYTES")]
    pub max_patch_bytes: Option<u64>,
    /// Most bytes of temporary space an update from the previous release may take; beyond, the exit status is 3.
    #[arg(long, value_name = "BYTES")]
    pub max_temp_bytes: Option<u64>,
    /// Write the same as a page with pictures.
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
}

/// How packs are made.
#[derive(Debug, Args)]
pub struct PackArgs {
    /// A release that a pack is to start from, or `none`. May be repeated. Without it: the previous release of the
    /// channel, those that most players run where `serve` has seen them, and with `optimize` those that are listed.
    #[arg(long, value_name = "VERSION")]
    pub base: Vec<String>,
    /// How hard to try to make packs small: fast, normal or best.
    #[arg(long, value_name = "LEVEL", value_parser = ["fast", "normal", "best"])]
    pub level: Option<String>,
    /// Threads to use, instead of one for each core. What is published does not depend on it.
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    /// Whether to make a pack that starts from nothing: auto makes one that saves 5 % or more.
    #[arg(long, value_name = "WHEN", default_value = "auto", value_parser = ["auto", "always", "never"])]
    pub full: String,
}

/// `seedbox optimize`.
#[derive(Debug, Args)]
pub struct OptimizeArgs {
    /// The data folder, or a copy of it.
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    /// The folder of the offline keys.
    #[arg(long, value_name = "DIR", required_unless_present = "build_only")]
    pub keys: Option<PathBuf>,
    /// Which game.
    #[arg(long, value_name = "ID")]
    pub game: String,
    /// Which release; the newest when none is named.
    #[arg(long, value_name = "VERSION")]
    pub release: Option<String>,
    /// Which packs are made; the level is `best` unless another is named.
    #[command(flatten)]
    pub packs: PackArgs,
    /// Only make packs; a later --sign lists them. Needs no keys.
    #[arg(long, conflicts_with = "sign")]
    pub build_only: bool,
    /// Where --build-only puts packs, instead of public/packs.
    #[arg(long, value_name = "DIR", requires = "build_only")]
    pub out: Option<PathBuf>,
    /// Only prove and list packs that are made already.
    #[arg(long)]
    pub sign: bool,
    /// Where the packs to --sign lie, instead of public/packs.
    #[arg(long = "packs", value_name = "DIR", requires = "sign")]
    pub packs_from: Option<PathBuf>,
}

/// `seedbox refresh`.
#[derive(Debug, Args)]
pub struct RefreshArgs {
    /// The data folder.
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
}

/// `seedbox serve`.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// The data folder.
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    /// Where to answer HTTP.
    #[arg(long, value_name = "ADDR", default_value = "0.0.0.0:8080")]
    pub listen: SocketAddr,
    /// Where to take BitTorrent peers.
    #[arg(long, value_name = "ADDR", default_value = "0.0.0.0:6881")]
    pub peer_listen: SocketAddr,
    /// What players may take in all, from peers and web seed together.
    #[arg(long, value_name = "BYTES_PER_SECOND")]
    pub upload_limit: Option<u64>,
}

impl From<&ServeArgs> for ServeConfig {
    fn from(args: &ServeArgs) -> ServeConfig {
        ServeConfig {
            data: args.data.clone(),
            listen: args.listen,
            peer_listen: Some(args.peer_listen),
            upload_limit: args.upload_limit,
            limits: Limits::default(),
            renew_below: RENEW_BELOW,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
        let cli = Cli::parse_from(["seedbox", "serve", "--data", "d", "--listen", "127.0.0.1:0", "--json"]);
        assert!(cli.json);
        let Command::Serve(args) = cli.command else { panic!("not serve") };
        assert_eq!(ServeConfig::from(&args).listen.port(), 0);
    }
}
