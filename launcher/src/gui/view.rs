//! What a view is given: data to draw, the window's own state, and a list for what is pressed.

use std::collections::BTreeSet;
use std::sync::Arc;

use eframe::egui::{TextureId, Vec2};

use crate::engine::{Failure, Offer, Snapshot};
use crate::gui::art::{Look, Shelf, Wanted};
use crate::gui::text::Texts;
use crate::shell::deeds::{Asked, Brought, NewGame};
use crate::shell::pace::Beat;
use crate::shell::preview::Preview;
use crate::shell::versions::Versions;
use crate::shell::{Action, Desk, Download, GameKey, GameView, Settings};

/// Whose launcher it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Guise {
    /// Its name.
    pub name: String,
    /// A picture for where there are no games yet, and its size in points.
    pub art: Option<(TextureId, Vec2)>,
}

impl Default for Guise {
    fn default() -> Self {
        Self { name: crate::brand::NAME.to_owned(), art: None }
    }
}

/// All that is drawn, consistent in itself.
#[derive(Debug, Clone, Default)]
pub struct View {
    /// What the player has decided.
    pub settings: Settings,
    /// Games in the library, found or not.
    pub known: usize,
    /// The games that fit what was typed, in order.
    pub found: Vec<GameView>,
    /// The game whose page is open.
    pub open: Option<GameView>,
    /// What its install or update would cost.
    pub preview: Option<Preview>,
    /// What versions of it there are.
    pub versions: Option<Versions>,
    /// What its repository offers.
    pub offer: Option<Offer>,
    /// The downloads, first the one that comes first.
    pub downloads: Vec<Download>,
    /// All of them are stopped.
    pub stopped: bool,
    /// How fast it was in the last minutes.
    pub pace: Vec<Beat>,
    /// The game that is being added, once its trust root was read.
    pub asked: Option<Asked>,
    /// The launcher's own version and updates.
    pub own: OwnView,
    /// Whose launcher it is.
    pub guise: Guise,
    /// The games that came with it, until the first question is answered.
    pub brought: Option<Brought>,
    /// The games' pictures that are there.
    pub art: Arc<Shelf>,
}

impl View {
    /// What the screen in front needs of what is known.
    #[must_use]
    pub fn of(desk: &Desk, state: &UiState, snapshot: &Snapshot) -> Self {
        let (found, open) = match state.screen {
            Screen::Library | Screen::Add => (desk.games(&state.query, snapshot), None),
            Screen::Downloads | Screen::Settings => (Vec::new(), None),
            Screen::Game(key) | Screen::Preflight(key) | Screen::Versions(key) => {
                (Vec::new(), desk.game(key, snapshot))
            }
        };
        Self {
            settings: desk.settings.clone(),
            known: desk.library.games().len(),
            found,
            preview: open.as_ref().and_then(|open| desk.preview(open.game.key).cloned()),
            versions: open.as_ref().and_then(|open| desk.versions(open.game.key).cloned()),
            offer: open.as_ref().and_then(|open| desk.offer(open.game.key).cloned()),
            open,
            downloads: desk.downloads(snapshot),
            stopped: desk.queue.is_stopped(),
            pace: desk.pace.beats(),
            asked: desk.asked().cloned(),
            brought: desk.brought().cloned(),
            ..Self::default()
        }
    }
}

/// The launcher's own version and updates.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OwnView {
    /// The version that runs.
    pub release: String,
    /// Whether the package says where updates are.
    pub has_source: bool,
    /// The version that a way back leads to.
    pub before: Option<String>,
    /// How far the next one is.
    pub stage: OwnStage,
    /// Something of it is done, whether the player has asked for it or not: nothing else is begun.
    pub at_work: bool,
}

/// How far an update of the launcher is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum OwnStage {
    /// Nothing is known.
    #[default]
    Quiet,
    /// The studio is asked.
    Looking,
    /// It is fetched, in bytes.
    Working {
        /// So much.
        done: u64,
        /// Of so much.
        total: u64,
    },
    /// There is none.
    Newest,
    /// There is this one.
    Offered(String),
    /// This one starts with the next start.
    Ready(String),
    /// There is this one, which did not start here.
    Refused(String),
    /// It failed.
    Failed(Failure),
}

/// Which screen is in front.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Screen {
    /// All games.
    #[default]
    Library,
    /// One game's page.
    Game(GameKey),
    /// What an install or update of it would cost.
    Preflight(GameKey),
    /// All versions and channels of it.
    Versions(GameKey),
    /// A game is added.
    Add,
    /// The queue.
    Downloads,
    /// What the player decides.
    Settings,
}

/// What only the window knows, and forgets when it closes.
#[derive(Debug, Clone, Default)]
pub struct UiState {
    /// Which screen is in front.
    pub screen: Screen,
    /// The game that the keyboard opened from the library, until it is back there.
    pub opened: Option<GameKey>,
    /// What was typed into the search field.
    pub query: String,
    /// The search field takes the keyboard with the next frame.
    pub focus_search: bool,
    /// Something about the launcher itself that the player has to know.
    pub notice: Option<Failure>,
    /// He was asked whether this game is to be removed.
    pub removing: Option<GameKey>,
    /// There is nothing to choose folders with: they are typed.
    pub no_chooser: bool,
    /// This installed game cannot go on where it is: another folder is chosen.
    pub moving: Option<GameKey>,
    /// The folder that was typed for a game, until it is taken.
    pub folder: Option<String>,
    /// What was typed to add a game.
    pub new: NewGame,
    /// The pictures that this frame shows, or would.
    pub wanted: BTreeSet<Wanted>,
}

/// What every view gets: it reads `texts` and `view`, changes `state`, and pushes onto `actions`.
pub struct Scene<'a> {
    /// The player's language.
    pub texts: &'a Texts,
    /// What is drawn.
    pub view: &'a View,
    /// The window's own state.
    pub state: &'a mut UiState,
    /// What was pressed.
    pub actions: &'a mut Vec<Action>,
}

impl Scene<'_> {
    /// What is drawn for a picture; from now on it is wanted.
    pub fn picture(&mut self, wanted: Wanted) -> Look {
        let look = self.view.art.look(&wanted);
        self.state.wanted.insert(wanted);
        look
    }
}

impl std::fmt::Debug for Scene<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scene").field("state", &self.state).finish_non_exhaustive()
    }
}
