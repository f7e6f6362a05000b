//! How the desk finds out what an install or update will cost. It is worked out in the game's folder, so nothing else has
//! that meanwhile: a game is not shared while somebody wants to know, and what the player starts waits for the answer's end.

use std::path::PathBuf;

use crate::engine::{Command, Failure, Happened, Offer, Operation, Outcome, Plan, Select};
use crate::shell::deeds::{Action, Effect, Place};
use crate::shell::desk::Desk;
use crate::shell::library::GameKey;
use crate::shell::preview::{Aim, Asked, Cost, Preview};
use crate::shell::queue::Job;
use crate::shell::settings::Settings;

impl Desk {
    /// What is told before the first byte of a game, once it was asked for.
    #[must_use]
    pub fn preview(&self, game: GameKey) -> Option<&Preview> {
        self.previews.get(&game)
    }

    /// What a game's repository offers, as it was told since the start.
    #[must_use]
    pub fn offer(&self, game: GameKey) -> Option<&Offer> {
        self.offers.get(&game)
    }

    /// There is so much room for a game's folder, in bytes.
    pub fn room(&mut self, game: GameKey, free_bytes: Option<u64>) {
        if let Some(preview) = self.previews.get_mut(&game) {
            preview.free_bytes = free_bytes;
        }
    }

    /// The player wants to know.
    pub(super) fn preview_of(&mut self, key: GameKey, aim: Aim) -> Vec<Effect> {
        let usual = self.settings.games_folder.clone().unwrap_or_else(|| self.games_folder.clone());
        let Some(game) = self.library.get(key) else { return Vec::new() };
        let folder = game.dir.clone().unwrap_or_else(|| usual.join(&game.id));
        self.previews.retain(|other, _| *other == key);
        let preview = self.previews.entry(key).or_default();
        let other = preview.folder != folder || preview.aim != aim;
        let ends = preview.asked == Asked::Asking && other;
        if !preview.is_open() || other {
            preview.asked = Asked::Wanted;
        }
        preview.aim = aim;
        preview.folder.clone_from(&folder);
        let ends = ends.then(|| self.errands.end_plan(key)).flatten();
        ends.map(Effect::Engine).into_iter().chain([Effect::Room(key, folder)]).collect()
    }

    /// The player chooses a folder from a list.
    pub(super) fn choose(&self, place: Place) -> Vec<Effect> {
        let usual = self.settings.games_folder.clone().unwrap_or_else(|| self.games_folder.clone());
        let game = match place {
            Place::Game(key) => self.library.get(key),
            Place::Games => None,
        };
        let start = game.and_then(|game| game.dir.clone()).unwrap_or(usual);
        // Who looks for a game that is installed chooses the very folder.
        let below = game.filter(|game| game.installed.is_none()).map(|game| game.id.clone());
        vec![Effect::Choose(place, start, below)]
    }

    /// A folder was chosen.
    pub fn chosen(&mut self, place: Place, folder: PathBuf) -> Vec<Effect> {
        match place {
            Place::Game(key) => self.act(Action::Folder(key, folder)),
            Place::Games => {
                let settings = Settings { games_folder: Some(folder), ..self.settings.clone() };
                self.act(Action::Set(Box::new(settings)))
            }
        }
    }

    /// What is in the folder is the game, or parts of it: it is installed over that.
    pub(super) fn adopt(&mut self, key: GameKey) -> Vec<Effect> {
        let Some(game) = self.library.get_mut(key).filter(|game| game.dir.is_some()) else {
            return Vec::new();
        };
        game.adopt = true;
        // A queue that holds it still knows it as what has failed.
        self.queue.remove(key);
        let mut effects = vec![Effect::SaveLibrary];
        effects.extend(self.begin(key, Job::Install));
        effects
    }

    /// The player wants a game in this folder. One that was installed elsewhere, and could not go on there, is left there,
    /// and what is in the new folder is used: he may have moved it.
    pub(super) fn put_into(&mut self, key: GameKey, folder: PathBuf) -> Vec<Effect> {
        let is_free = self.queue.of(key).is_none();
        let Some(game) = self.library.get_mut(key).filter(|_| is_free) else { return Vec::new() };
        game.adopt = game.installed.take().is_some();
        (game.dir, game.sequence) = (Some(folder), None);
        self.damaged.remove(&key);
        let aim = self.previews.get(&key).map(|preview| preview.aim.clone()).unwrap_or_default();
        let mut effects = vec![Effect::SaveLibrary];
        effects.extend(self.preview_of(key, aim));
        effects
    }

    /// The questions that can be asked now.
    pub(super) fn plans(&mut self) -> Vec<Command> {
        let wanted = self.previews.iter().filter(|(_, preview)| preview.asked == Asked::Wanted);
        let keys: Vec<(GameKey, Aim)> = wanted.map(|(key, preview)| (*key, preview.aim.clone())).collect();
        let mut commands = Vec::new();
        for (key, aim) in keys {
            if self.errands.has_folder(key) || self.queue.of(key).is_some() {
                continue;
            }
            let is_there = self.library.get(key).is_some_and(|game| game.installed.is_some());
            let job = match aim {
                Aim::Back => Job::Rollback,
                _ if is_there => Job::Update,
                _ => Job::Install,
            };
            let chosen = match aim {
                Aim::Release(release) => Some(Select::Release(release)),
                Aim::Newest | Aim::Back => None,
            };
            let plan = match self.operation(key, job) {
                Some(Operation::Install(mut install)) => {
                    install.select = chosen.unwrap_or(install.select);
                    Plan::Install(install)
                }
                Some(Operation::Update(mut update)) => {
                    update.select = chosen.or(update.select);
                    Plan::Update(update)
                }
                Some(Operation::Rollback { dir }) => Plan::Rollback { dir },
                _ => continue,
            };
            commands.push(self.errands.plan(key, plan));
            if let Some(preview) = self.previews.get_mut(&key) {
                preview.asked = Asked::Asking;
            }
        }
        commands
    }

    /// The engine has worked it out, or cannot.
    pub(super) fn planned(&mut self, key: GameKey, what: &Happened) {
        let Some(preview) = self.previews.get_mut(&key) else { return };
        // Asked again meanwhile, for another folder.
        if preview.asked == Asked::Wanted {
            return;
        }
        preview.asked = match what {
            Happened::Done { outcome, .. } => match &**outcome {
                Outcome::Planned(report) => Asked::Known(Cost::of(report)),
                _ => return,
            },
            Happened::Failed(error) => Asked::Failed(Failure::from(&**error)),
            _ => Asked::Wanted,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{CandidateView, Event, PlanReport, Summary, TaskId};
    use crate::error::LaunchError;
    use crate::shell::library::tests::game;
    use crate::shell::settings::Consent;
    use crate::shell::state::Does;

    const A: GameKey = GameKey(1);

    fn desk() -> Desk {
        let mut desk = Desk::default();
        desk.world.online = true;
        desk.library.add(game("freeciv", "Freeciv")).unwrap();
        desk
    }

    fn commands(effects: Vec<Effect>) -> Vec<(TaskId, &'static str)> {
        let told = effects.into_iter().filter_map(|effect| match effect {
            Effect::Engine(Command::Start { task, operation }) => Some((
                task,
                match *operation {
                    Operation::Plan(_) => "plan",
                    Operation::Seed(_) => "seed",
                    Operation::Install(_) => "install",
                    Operation::Update(_) => "update",
                    _ => "other",
                },
            )),
            Effect::Engine(Command::Pause { task }) => Some((task, "pause")),
            _ => None,
        });
        told.collect()
    }

    fn planned(task: TaskId) -> Event {
        let candidate = CandidateView { chosen: true, network_bytes: 7, ..CandidateView::default() };
        let report = PlanReport { candidates: vec![candidate], ..PlanReport::default() };
        let outcome = Box::new(Outcome::Planned(report));
        Event { task, what: Happened::Done { outcome, lingers: false } }
    }

    fn asked(desk: &Desk) -> &Asked {
        &desk.preview(A).unwrap().asked
    }

    #[test]
    fn what_it_costs_is_known_before_it_is_begun() {
        let mut desk = desk();
        let told = commands(desk.act(Action::Preview(A, Aim::Newest)));
        let [(task, "plan")] = told[..] else { panic!("{told:?}") };
        assert_eq!(asked(&desk), &Asked::Asking);
        desk.room(A, Some(5));
        desk.hear(&planned(task));
        assert!(matches!(asked(&desk), Asked::Known(cost) if cost.download_bytes == 7));
        let told = commands(desk.act(Action::Folder(A, "/elsewhere".into())));
        let [(task, "plan")] = told[..] else { panic!("{told:?}") };
        assert_eq!(desk.preview(A).unwrap().folder, PathBuf::from("/elsewhere"));
        // Who does not wait for the answer need not: the install begins when the folder is free.
        let told = commands(desk.act(Action::Press(A, Does::Install)));
        assert_eq!(told, [(task, "pause")]);
        assert!(desk.preview(A).is_none());
        let told = commands(desk.hear(&Event { task, what: Happened::Paused }));
        assert!(matches!(told[..], [(_, "install")]), "{told:?}");
    }

    #[test]
    fn files_that_are_there_are_used_once() {
        let mut desk = desk();
        let installs = |effects: Vec<Effect>| {
            effects.into_iter().find_map(|effect| match effect {
                Effect::Engine(Command::Start { task, operation }) => match *operation {
                    Operation::Install(install) => Some((task, install.adopt)),
                    _ => None,
                },
                _ => None,
            })
        };
        let (task, adopts) = installs(desk.act(Action::Press(A, Does::Install))).unwrap();
        assert!(!adopts);
        let error = LaunchError::internal("not empty");
        desk.hear(&Event { task, what: Happened::Failed(std::sync::Arc::new(error)) });
        let (task, adopts) = installs(desk.act(Action::Adopt(A))).unwrap();
        assert!(adopts && desk.failures.is_empty());
        let outcome = Box::new(Outcome::Installed(Summary { release: "1".into(), ..Summary::default() }));
        desk.hear(&Event { task, what: Happened::Done { outcome, lingers: false } });
        assert!(!desk.library.get(A).unwrap().adopt);
    }

    #[test]
    fn an_installed_game_is_looked_for_in_another_folder() {
        let mut desk = desk();
        let game = desk.library.get_mut(A).unwrap();
        (game.dir, game.installed, game.sequence) = (Some("/gone".into()), Some("1".into()), Some(1));
        let told = desk.act(Action::Folder(A, "/here".into()));
        let asked = told.into_iter().find_map(|effect| match effect {
            Effect::Engine(Command::Start { operation, .. }) => match *operation {
                Operation::Plan(Plan::Install(install)) => Some(install),
                _ => None,
            },
            _ => None,
        });
        let install = asked.unwrap();
        assert_eq!((install.dir, install.adopt), (PathBuf::from("/here"), true));
        let game = desk.library.get(A).unwrap();
        assert_eq!((&game.installed, game.sequence), (&None, None));
    }

    #[test]
    fn a_folder_is_chosen_for_one_game_or_for_all() {
        let mut desk = desk();
        desk.games_folder = "/games".into();
        desk.step();
        let effects = desk.act(Action::Choose(Place::Game(A)));
        let [Effect::Choose(_, start, below)] = &effects[..] else { panic!("{effects:?}") };
        assert_eq!((start.as_path(), below.as_deref()), ("/games".as_ref(), Some("freeciv")));
        desk.chosen(Place::Game(A), "/mnt/freeciv".into());
        assert_eq!(desk.library.get(A).unwrap().dir, Some("/mnt/freeciv".into()));
        desk.library.get_mut(A).unwrap().installed = Some("1".into());
        let effects = desk.act(Action::Choose(Place::Game(A)));
        let looks = |effect: &Effect| matches!(effect, Effect::Choose(_, start, None) if start == &PathBuf::from("/mnt/freeciv"));
        assert!(effects.iter().any(looks), "{effects:?}");
        desk.chosen(Place::Games, "/mnt".into());
        assert_eq!(desk.settings.games_folder, Some("/mnt".into()));
    }

    #[test]
    fn a_game_that_is_shared_is_asked_about_when_its_folder_is_free() {
        let mut desk = desk();
        let game = desk.library.get_mut(A).unwrap();
        (game.dir, game.installed) = (Some("/games/freeciv".into()), Some("1".into()));
        desk.settings.sharing = Consent::Yes;
        let told = commands(desk.step());
        let [(seed, "seed")] = told[..] else { panic!("{told:?}") };
        assert_eq!(commands(desk.act(Action::Preview(A, Aim::Newest))), [(seed, "pause")]);
        let told = commands(desk.hear(&Event { task: seed, what: Happened::Ended }));
        let [(plan, "plan")] = told[..] else { panic!("{told:?}") };
        let told = commands(desk.hear(&planned(plan)));
        assert!(matches!(told[..], [(_, "seed")]), "it is shared again: {told:?}");
    }
}
