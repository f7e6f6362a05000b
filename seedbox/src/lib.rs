//! The seedbox: signs builds into a repository and seeds them.
//!
//! `init` makes a repository, `publish` adds a release, `serve` offers everything to launchers and BitTorrent clients.
//! The program in `main` is a thin shell around this library, so that tests and the demo run it in their own process.
//! A module imports only modules above it in this list.

#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests make the files they need"))]

pub mod error;
mod platform;
pub mod store;
mod progress;
pub mod packs;
pub mod publish;
pub mod preview;
pub mod optimize;
pub mod server;
mod setup;
pub mod cli;

pub use error::{Error, Result};
pub use optimize::{OptimizeOptions, Optimized, optimize};
pub use packs::PackOptions;
pub use preview::{Preview, PreviewOptions, preview};
pub use publish::{PublishOptions, Published, publish};
pub use server::{Running, ServeConfig, Stats, serve};
pub use setup::{InitConfig, Initialised, init, refresh};
