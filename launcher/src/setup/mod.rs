//! On Windows: makes a launcher that was unpacked anywhere a program of this user, without an administrator, and takes
//! that back.
//!
//! The package says in `package.txt` which files are its own; these are copied, and these are removed. Games, settings and
//! the launcher's own updates are the player's, and stay.

pub mod package;
pub mod shortcut;
#[cfg(windows)]
mod windows;

#[cfg(windows)]
pub use windows::{remove, set_up};
