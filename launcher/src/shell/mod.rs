//! What a launcher is between its window and the engine: which games the player has, what waits for what, and what the
//! one button of a game does.
//!
//! All of it but `store` is pure: it is told the time and what the system says, and returns what is to be done. A
//! module imports only modules above it in this list.

pub mod record;
pub mod settings;
pub mod preview;
pub mod library;
pub mod queue;
pub mod state;
pub mod why;
pub mod pace;
mod errands;
pub mod deeds;
pub mod links;
pub mod desk;
pub mod views;
pub mod downloads;
mod foresight;
mod newcomers;
mod art;
pub mod versions;
mod tidings;
pub mod store;

pub use deeds::{Action, Effect};
pub use desk::Desk;
pub use downloads::Download;
pub use library::{Game, GameKey, Library, Order};
pub use queue::{Hold, Job, Queue, World};
pub use settings::Settings;
pub use state::{Button, Does, Facts, Wait};
pub use store::Store;
pub use views::{GameView, Progress};
