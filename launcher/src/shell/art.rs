//! Which pictures of games are fetched, one game after the other, and which are shown meanwhile.

use std::collections::HashSet;
use std::path::PathBuf;

use crate::engine::{Command, Happened, Outcome, Pictures, picture_path};
use crate::shell::desk::Desk;
use crate::shell::library::GameKey;

impl Desk {
    /// Where pictures are kept.
    #[must_use]
    pub fn art_folder(&self) -> PathBuf {
        self.games_folder.with_file_name("art")
    }

    /// Every picture that a game of the library has.
    #[must_use]
    pub fn pictures(&self) -> HashSet<PathBuf> {
        let games = self.library.games().iter();
        games.flat_map(|game| game.art.icon.iter().chain(&game.art.hero)).cloned().collect()
    }

    /// A repository has told what it offers, pictures among it: those it no longer has are shown no more, and what is
    /// not here yet is to be fetched. Once in the launcher's life those that should be here are looked for as well.
    pub(super) fn pictures_offered(&mut self, key: GameKey) {
        let folder = self.art_folder();
        let (Some(offer), Some(game)) = (self.offers.get(&key), self.library.get_mut(key)) else { return };
        let (icon, hero) = (offer.art.icon, offer.art.hero);
        game.art.icon = game.art.icon.take().filter(|_| icon.is_some());
        game.art.hero = game.art.hero.take().filter(|_| hero.is_some());
        let path = |id: Option<_>| id.map(|id| picture_path(&folder, &id));
        let are_known = (&game.art.icon, &game.art.hero) == (&path(icon), &path(hero));
        let are_here = are_known && self.pictured.contains(&key);
        if !offer.art.is_empty() && !are_here {
            self.errands.picture(key);
        }
    }

    /// Asks for the next game's pictures. On a line that costs they can wait.
    pub(super) fn next_pictures(&mut self) -> Option<Command> {
        if self.world.metered {
            return None;
        }
        let (library, offers, folder) = (&self.library, &self.offers, self.art_folder());
        self.errands.next_pictures(|key| {
            let (game, offer) = (library.get(key)?, offers.get(&key)?);
            Some(Pictures { repo: game.repo.clone(), art: offer.art, folder: folder.clone() })
        })
    }

    /// They are here, as far as they could be had; of what could not, the one before is still shown.
    pub(super) fn pictures_came(&mut self, key: GameKey, what: &Happened) {
        let Happened::Done { outcome, .. } = what else {
            // Others of a repository that does not answer are asked for after the next look at it.
            let repo = self.library.get(key).map(|game| game.repo.as_str());
            let is_there = |game| self.library.get(game).map(|game| game.repo.as_str()) == repo;
            return self.errands.no_pictures(is_there);
        };
        let (Some(game), Outcome::Pictured(came)) = (self.library.get_mut(key), &**outcome) else { return };
        for (place, picture) in [(&mut game.art.icon, &came.icon), (&mut game.art.hero, &came.hero)] {
            if picture.is_some() {
                place.clone_from(picture);
            }
        }
        self.pictured.insert(key);
    }
}

#[cfg(test)]
mod tests {
    use manifests::release::{Art, FileIdentity};

    use super::*;
    use crate::engine::{Event, Offer, Operation, Pictured, TaskId};
    use crate::shell::library::tests::game;
    use crate::shell::{Effect, Library, Queue, Settings};

    const ICON: FileIdentity = FileIdentity { len: 5, root: [1; 32] };
    const HERO: FileIdentity = FileIdentity { len: 9, root: [2; 32] };
    const BOTH: Art = Art { icon: Some(ICON), hero: Some(HERO) };

    fn desk(games: &[&str]) -> Desk {
        let mut desk =
            Desk::new(Library::default(), Settings::default(), Queue::default(), "/data/games".into());
        desk.world.online = true;
        for name in games {
            desk.library.add(game(name, name)).unwrap();
        }
        desk.step();
        desk
    }

    fn started(effects: Vec<Effect>) -> Vec<(TaskId, Operation)> {
        let started = effects.into_iter().filter_map(|effect| match effect {
            Effect::Engine(Command::Start { task, operation }) => Some((task, *operation)),
            _ => None,
        });
        started.collect()
    }

    fn done(desk: &mut Desk, task: TaskId, outcome: Outcome) -> Vec<(TaskId, Operation)> {
        let what = Happened::Done { outcome: Box::new(outcome), lingers: false };
        started(desk.hear(&Event { task, what }))
    }

    /// The repositories are asked, and each offers this; what is begun after the last answer.
    fn look_around(desk: &mut Desk, art: Art) -> Vec<(TaskId, Operation)> {
        let mut begun = started(desk.look_around());
        let mut kept = Vec::new();
        while let Some(at) = begun.iter().position(|(_, operation)| matches!(operation, Operation::Look(_))) {
            let (task, _) = begun.remove(at);
            kept.append(&mut begun);
            begun = done(desk, task, Outcome::Looked(Offer { art, ..Offer::default() }));
        }
        kept.append(&mut begun);
        kept
    }

    fn here(icon: bool, hero: bool) -> Pictured {
        let path = |id| picture_path("/data/art".as_ref(), &id);
        Pictured { icon: icon.then(|| path(ICON)), hero: hero.then(|| path(HERO)) }
    }

    #[test]
    fn fetched_one_game_after_the_other_and_shown() {
        let mut desk = desk(&["a", "b"]);
        let begun = look_around(&mut desk, BOTH);
        let [(task, Operation::Pictures(first))] = &begun[..] else { panic!("{begun:?}") };
        assert_eq!((first.art, first.folder.as_path()), (BOTH, "/data/art".as_ref()));
        let begun = done(&mut desk, *task, Outcome::Pictured(here(true, true)));
        let [(task, Operation::Pictures(second))] = &begun[..] else { panic!("{begun:?}") };
        assert_ne!(first.repo, second.repo);
        assert!(done(&mut desk, *task, Outcome::Pictured(here(true, false))).is_empty());
        let art = |key| desk.library.get(GameKey(key)).unwrap().art.clone();
        assert_eq!((art(1).icon, art(1).hero), (here(true, true).icon, here(true, true).hero));
        assert_eq!((art(2).icon, art(2).hero), (here(true, true).icon, None));
        assert_eq!(desk.pictures().len(), 2, "equal pictures are one file");
    }

    #[test]
    fn fetched_again_when_they_changed_or_are_missing_only() {
        let mut desk = desk(&["a"]);
        let begun = look_around(&mut desk, BOTH);
        done(&mut desk, begun[0].0, Outcome::Pictured(here(true, true)));
        assert!(look_around(&mut desk, BOTH).is_empty(), "they are here");
        let hero_only = Art { icon: None, ..BOTH };
        assert!(look_around(&mut desk, hero_only).is_empty());
        assert_eq!(desk.library.get(GameKey(1)).unwrap().art.icon, None, "there is none any more");
        let other = Art { hero: Some(FileIdentity { len: 9, root: [3; 32] }), icon: None };
        let begun = look_around(&mut desk, other);
        let [(task, Operation::Pictures(asked))] = &begun[..] else { panic!("{begun:?}") };
        assert_eq!(asked.art, other);
        done(&mut desk, *task, Outcome::Pictured(Pictured::default()));
        let shown = desk.library.get(GameKey(1)).unwrap().art.hero.clone();
        assert_eq!(shown, here(false, true).hero, "the one before, until the new one is here");
        assert!(!look_around(&mut desk, other).is_empty(), "asked for again");
    }

    #[test]
    fn looked_for_once_in_each_life_of_the_launcher() {
        let mut before = desk(&["a"]);
        let begun = look_around(&mut before, BOTH);
        done(&mut before, begun[0].0, Outcome::Pictured(here(true, true)));
        let mut desk =
            Desk::new(before.library.clone(), Settings::default(), Queue::default(), "/data/games".into());
        desk.world.online = true;
        assert_eq!(look_around(&mut desk, BOTH).len(), 1, "somebody may have removed them");
    }

    #[test]
    fn one_that_does_not_answer_keeps_nobody_waiting() {
        let mut desk = desk(&["a", "b", "c"]);
        let repo = desk.library.get(GameKey(1)).unwrap().repo.clone();
        desk.library.get_mut(GameKey(2)).unwrap().repo = repo;
        let begun = look_around(&mut desk, BOTH);
        let offline = crate::error::LaunchError::Offline { url: String::new(), cause: String::new() };
        let what = Happened::Failed(std::sync::Arc::new(offline));
        let begun = started(desk.hear(&Event { task: begun[0].0, what }));
        let [(_, Operation::Pictures(next))] = &begun[..] else { panic!("{begun:?}") };
        assert_eq!(next.repo, desk.library.get(GameKey(3)).unwrap().repo);
    }

    #[test]
    fn not_on_a_line_that_costs() {
        let mut desk = desk(&["a"]);
        desk.world.metered = true;
        assert!(look_around(&mut desk, BOTH).is_empty());
        desk.world.metered = false;
        assert_eq!(started(desk.step()).len(), 1);
    }
}
