//! The command line of `launcher self`.

use clap::{Args, Subcommand};

use crate::cli::flags::{SourceArgs, parse_rate};
use crate::selfupdate::update::Request;

/// `self`.
#[derive(Debug, Subcommand)]
pub enum Own {
    /// Say which version runs, which one starts next, and where updates come from.
    Status,
    /// Ask whether there is a newer version, and install nothing.
    Check,
    /// Install the newest version; it starts with the next start, and is taken back by itself when it does not.
    Update(OwnUpdateArgs),
    /// Go back to the version before.
    Rollback,
    /// Make the launcher, which was unpacked here, a program of this user: in the start menu, and for samara:// links. No
    /// administrator is needed.
    #[cfg(windows)]
    Setup,
    /// Take that back; games and settings stay.
    #[cfg(windows)]
    Remove,
    /// Say whether this version works on this machine: what a version that is about to be used is asked.
    #[command(hide = true)]
    Probe,
}

/// `self update`.
#[derive(Debug, Args)]
pub struct OwnUpdateArgs {
    #[command(flatten)]
    pub(crate) sources: SourceArgs,
    /// Most bytes per second to receive; k, M and G (powers of ten) are understood.
    #[arg(long, value_name = "BYTES", value_parser = parse_rate)]
    pub download_limit: Option<u64>,
}

impl OwnUpdateArgs {
    /// How the launcher is to be updated.
    #[must_use]
    pub fn request(&self) -> Request {
        Request {
            by_player: true,
            only_look: false,
            sources: self.sources.sources(),
            download_limit: self.download_limit,
        }
    }
}
