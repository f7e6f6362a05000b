//! How games come into the library: by a link, by a file, by hand, or with the launcher.

use std::path::PathBuf;

use sha2::{Digest as _, Sha256};

use crate::engine::{Failure, Happened, Outcome};
use crate::error::LaunchError;
use crate::shell::deeds::{Asked, Brought, Effect, NewGame};
use crate::shell::desk::Desk;
use crate::shell::library::{AddError, Game, GameKey, PinnedRoot};
use crate::shell::links::{self, Link};

impl Desk {
    /// A `samara://` link was opened: its repository is asked for its root, whose fingerprint is shown before anything is
    /// believed.
    pub fn open(&mut self, text: &str) -> Vec<Effect> {
        match links::link(text) {
            Ok(link) => {
                let root = self.errands.root(link.new.repo.clone());
                (self.opened, self.asked) = (Some(link), None);
                vec![Effect::Engine(root)]
            }
            Err(cause) => {
                let failure = LaunchError::Usage { cause };
                self.asked = Some(Asked { new: NewGame::default(), root: Err((&failure).into()) });
                Vec::new()
            }
        }
    }

    /// What the repository of the opened link shows.
    pub(super) fn shown(&mut self, what: &Happened) -> Vec<Effect> {
        let Some(Link { new, sha256 }) = self.opened.take() else { return Vec::new() };
        let root = match what {
            Happened::Done { outcome, .. } => match &**outcome {
                Outcome::Root(bytes) => bytes.clone(),
                _ => return Vec::new(),
            },
            Happened::Failed(error) => {
                self.asked = Some(Asked { new, root: Err((&**error).into()) });
                return Vec::new();
            }
            _ => return Vec::new(),
        };
        if sha256.is_some_and(|wanted| wanted != hex::encode(Sha256::digest(&root))) {
            let cause = "the repository shows another root than the link names".to_owned();
            let failure = LaunchError::TrustRoot { file: "metadata/root.json".into(), cause };
            self.asked = Some(Asked { new, root: Err((&failure).into()) });
            return Vec::new();
        }
        vec![Effect::Keep(new, root)]
    }

    /// The trust root of a game to add was read.
    pub fn pinned(&mut self, new: NewGame, root: Result<PinnedRoot, Failure>) {
        let is_own = self.own_game.as_ref().is_some_and(|own| *own == new.game.trim());
        let refused = || (&LaunchError::SelfNoGame { game: new.game.clone() }).into();
        let root = if is_own { Err(refused()) } else { root };
        self.asked = Some(Asked { new, root });
    }

    /// The game that is being added, once its trust root was read.
    #[must_use]
    pub fn asked(&self) -> Option<&Asked> {
        self.asked.as_ref()
    }

    /// These games came with the launcher: who has never opened it is told, and has them with his first answer.
    pub fn bring(&mut self, brought: Brought) {
        self.brought = Some(brought).filter(|_| self.settings.is_first_run());
    }

    /// What came with the launcher, until the first question is answered.
    #[must_use]
    pub fn brought(&self) -> Option<&Brought> {
        self.brought.as_ref()
    }

    pub(super) fn take_brought(&mut self) -> Option<Effect> {
        let Brought { repo, root, games } = self.brought.take()?;
        let games = games.iter().map(|id| Game::new(&repo, id, root.clone()));
        // One that is there already stays as it is.
        let added: Vec<GameKey> = games.filter_map(|game| self.library.add(game).ok()).collect();
        self.errands.look(added.into_iter());
        Some(Effect::SaveLibrary)
    }

    pub(super) fn add(&mut self) -> Vec<Effect> {
        let Some(Asked { new, root: Ok(root) }) = self.asked.take() else { return Vec::new() };
        match self.library.add(Game::new(&new.repo, &new.game, root)) {
            Ok(key) => {
                self.errands.look(std::iter::once(key));
                vec![Effect::SaveLibrary]
            }
            // It is there, which is what was wanted.
            Err(AddError::Known(_)) => Vec::new(),
            Err(error) => {
                let file = PathBuf::from(&new.root_file);
                let failure = LaunchError::TrustRoot { file, cause: error.to_string() };
                self.asked = Some(Asked { new, root: Err((&failure).into()) });
                Vec::new()
            }
        }
    }
}
