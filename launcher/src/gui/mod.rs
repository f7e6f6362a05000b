//! The window: views of what the shell and the engine know, and the actions that players take in them.
//!
//! A view is a function of data: it draws, and pushes what was pressed onto a list. It does no IO, takes no lock and
//! reads no clock, so that a test can draw every state of it. A module imports only modules above it in this list.

mod desktop;
pub mod text;
pub mod theme;
pub mod art;
pub mod view;
pub mod words;
pub mod widgets;
pub mod screens;
mod single;
mod artist;
mod dress;
mod own;
mod saver;
mod window;

pub use window::{Closed, run};

#[cfg(test)]
mod tests;
