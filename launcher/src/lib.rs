//! The player's side of Samara: installs, updates, verifies, repairs and seeds games.
//!
//! `engine` does the work and knows no screen; `cli` is the terminal's view of it.
#![allow(
    clippy::disallowed_methods,
    reason = "the launcher is an edge: it reads the clock for progress; files are reached through cap-std handles"
)]

mod platform;
pub mod error;
pub mod engine;
pub mod cli;
