//! The player's side of Samara: installs, updates, verifies, repairs and seeds games.
//!
//! `engine` does the work and knows no screen; `shell` is what a launcher is between engine and window; `gui` is the
//! window, `setup` makes it a program of this user on Windows, `cli` the terminal's view.
#![allow(
    clippy::disallowed_methods,
    reason = "the launcher is an edge: it reads the clock for progress; files are reached through cap-std handles"
)]

pub mod load;
mod platform;
mod power;
pub mod recent;
pub mod error;
mod picture;
pub mod brand;
pub mod engine;
pub mod shell;
pub mod selfupdate;
pub mod setup;
pub mod gui;
pub mod cli;
