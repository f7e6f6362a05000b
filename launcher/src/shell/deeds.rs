//! What goes into the shell and what comes out of it: what players do, and what is to be done for it.

use std::path::PathBuf;

use crate::engine::{Command, Failure};
use crate::shell::library::{GameKey, Order, PinnedRoot};
use crate::shell::preview::Aim;
use crate::shell::settings::{Layout, Settings};
use crate::shell::state::Does;

/// What a player does in the window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// He answers whether files are shared.
    Consent(bool),
    /// He presses a button of a game.
    Press(GameKey, Does),
    /// He puts an error's card away.
    Dismiss(GameKey),
    /// He wants cards or a list.
    Layout(Layout),
    /// He sorts the library.
    Order(Order),
    /// He changes a setting: all of them as they are to be.
    Set(Box<Settings>),
    /// He puts a download at another place in the queue, counted without it.
    MoveTo(GameKey, usize),
    /// He stops all downloads, or lets them go on.
    StopAll(bool),
    /// He takes a download out of the queue.
    Cancel(GameKey),
    /// He wants to know what it would cost to get there.
    Preview(GameKey, Aim),
    /// He wants to see what versions there are.
    Versions(GameKey),
    /// He takes this release, and stays on it.
    Take(GameKey, String),
    /// He follows another channel.
    Channel(GameKey, String),
    /// He wants the game in this folder. One that is installed is left where it was.
    Folder(GameKey, PathBuf),
    /// What is in the game's folder already is to be checked and used.
    Adopt(GameKey),
    /// He chooses a folder from a list.
    Choose(Place),
    /// He stays on the release he has, or goes with the channel again.
    Pin(GameKey, bool),
    /// He copies what helps who helps him: this, and the last of the log.
    Copy(String),
    /// He wants to add a game: its trust root is to be read first.
    Ask(NewGame),
    /// He has compared the fingerprint of what he asked for: add it.
    Add,
    /// He does not want it after all.
    ForgetAsked,
    /// He looks after the launcher itself.
    Own(OwnDeed),
}

/// What a player does with the launcher itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OwnDeed {
    /// He wants the newest version.
    Update,
    /// He wants it started anew, with the version that is to be.
    Restart,
    /// He goes back to the version before.
    GoBack,
    /// He has read what failed.
    Understood,
}

/// What a folder is chosen for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// One game.
    Game(GameKey),
    /// All games that come.
    Games,
}

/// What a player is given by a studio.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewGame {
    /// The repository's address.
    pub repo: String,
    /// The game's id.
    pub game: String,
    /// Where root.json lies.
    pub root_file: String,
}

impl NewGame {
    /// Without the spaces that come with copied text.
    #[must_use]
    pub fn trimmed(&self) -> Self {
        let trim = |text: &str| text.trim().to_owned();
        Self { repo: trim(&self.repo), game: trim(&self.game), root_file: trim(&self.root_file) }
    }
}

/// A game that is being added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// What was given.
    pub new: NewGame,
    /// Whose signatures would be believed, or why that is not known.
    pub root: Result<PinnedRoot, Failure>,
}

/// The games that came with the launcher: offered with the first question, and in the library once that is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Brought {
    /// The repository's address.
    pub repo: String,
    /// Whose signatures are believed.
    pub root: PinnedRoot,
    /// The games' ids.
    pub games: Vec<String>,
}

/// What a player is told while he does something else: of a game by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tiding {
    /// This release is offered.
    Ready(String, String),
    /// This release is in place.
    Done(String, String),
    /// It stopped with this error.
    Failed(String, &'static str),
}

/// What is to be done outside.
#[derive(Debug, Clone)]
pub enum Effect {
    /// Tell the engine.
    Engine(Command),
    /// The library has changed.
    SaveLibrary,
    /// The settings have changed.
    SaveSettings,
    /// The queue has changed.
    SaveQueue,
    /// Say how much room there is for the game's folder: [`Desk::room`](crate::shell::Desk::room).
    Room(GameKey, PathBuf),
    /// Let the player choose a folder, beginning with this one. What is named gets a folder of its own in the one chosen,
    /// where that is another's.
    Choose(Place, PathBuf, Option<String>),
    /// Tell this to the player, who does not look at the window.
    Tell(Tiding),
    /// Put this onto the clipboard, and the last lines of the log below.
    Copy(String),
    /// Look after the launcher itself.
    Own(OwnDeed),
    /// Read the trust root, keep a copy of it, and tell [`Desk::pinned`](crate::shell::Desk::pinned).
    Pin(NewGame),
    /// Keep these bytes as the trust root of a game to add, and tell the same.
    Keep(NewGame, Vec<u8>),
}
