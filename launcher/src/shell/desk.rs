//! The shell itself: what the player does and what the engine tells go in, what is to be done comes out.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use crate::engine::{
    Command, Event, Failure, Happened, Install, Linger, Offer, Operation, Outcome, Playing, Preference,
    Rates, Select, Sources, Update, Verify,
};
use crate::shell::deeds::{Action, Asked, Brought, Effect};
use crate::shell::errands::{Errand, Errands, QUEUE_FROM, SHARED_MAX};
use crate::shell::library::{GameKey, Library, Signed};
use crate::shell::links::Link;
use crate::shell::pace::Pace;
use crate::shell::preview::{Checked, Preview, Receipt};
use crate::shell::queue::{self, Ended, Job, Queue, World};
use crate::shell::settings::{Consent, Settings};
use crate::shell::state::Does;
use crate::shell::versions::Versions;

/// The state of a launcher.
#[derive(Debug, Clone, Default)]
pub struct Desk {
    /// The games.
    pub library: Library,
    /// What the player has decided.
    pub settings: Settings,
    /// The downloads.
    pub queue: Queue,
    /// What the system and the player are doing.
    pub world: World,
    /// Where games go when the settings do not say.
    pub games_folder: PathBuf,
    /// How fast it was.
    pub pace: Pace,
    /// What the launcher itself is called where it is updated from: no game.
    pub own_game: Option<String>,
    /// The time that [`Desk::watch`] was told last.
    pub(super) now: Duration,
    pub(super) asked: Option<Asked>,
    pub(super) brought: Option<Brought>,
    /// The programs of the games that run.
    pub(super) programs: BTreeMap<GameKey, String>,
    pub(super) failures: BTreeMap<GameKey, Failure>,
    pub(super) damaged: BTreeSet<GameKey>,
    /// Games whose channel the studio has stopped.
    pub(super) halted: BTreeSet<GameKey>,
    /// Games whose repository did not answer when it was asked last.
    pub(super) unreachable: BTreeSet<GameKey>,
    /// What was left of the players' own files when a game was removed.
    pub(super) left: BTreeMap<GameKey, Vec<String>>,
    pub(super) errands: Errands,
    /// What is told before the first byte, while somebody wants to know.
    pub(super) previews: BTreeMap<GameKey, Preview>,
    /// What versions there are, while somebody looks at them.
    pub(super) versions: BTreeMap<GameKey, Versions>,
    /// What repositories offered when they were asked last.
    pub(super) offers: BTreeMap<GameKey, Offer>,
    /// Games whose pictures were found here since the launcher was started.
    pub(super) pictured: BTreeSet<GameKey>,
    /// The link that was opened last, while its repository is asked for its root.
    pub(super) opened: Option<Link>,
    /// What the engine was told last.
    rates: Option<Rates>,
    watched: Vec<PathBuf>,
}

impl Desk {
    /// A launcher that starts with these records.
    #[must_use]
    pub fn new(library: Library, settings: Settings, queue: Queue, games_folder: PathBuf) -> Self {
        let queue = queue.naming_from(QUEUE_FROM);
        Self { library, settings, queue, games_folder, ..Self::default() }
    }

    /// The same time as before, other circumstances: what is to be done now.
    pub fn step(&mut self) -> Vec<Effect> {
        let mut effects = Vec::new();
        for step in self.queue.step(&self.world, &self.settings) {
            match step {
                queue::Effect::Pause { task } if self.errands.take_back(task) => {
                    self.queue.ended(task, Ended::Paused);
                }
                queue::Effect::Pause { task } => effects.push(Effect::Engine(Command::Pause { task })),
                queue::Effect::Start { task, game, job } => match self.operation(game, job) {
                    Some(operation) => {
                        // Where it goes was decided now.
                        effects.push(Effect::SaveLibrary);
                        let start = Command::Start { task, operation: Box::new(operation) };
                        effects.extend(self.errands.after_sharing(game, start).map(Effect::Engine));
                    }
                    // A game that is gone from the library leaves the queue.
                    None => self.queue.ended(task, Ended::Done),
                },
            }
        }
        effects.extend(self.beside().into_iter().map(Effect::Engine));
        effects
    }

    /// What the engine is told beside the queue: limits, folders to watch, who is shared, who is asked.
    fn beside(&mut self) -> Vec<Command> {
        let mut commands = Vec::new();
        let rates = self.queue.rates(&self.world, &self.settings);
        if self.rates != Some(rates) {
            self.rates = Some(rates);
            commands.push(Command::Limits(rates));
        }
        let folders: Vec<PathBuf> = self.library.games().iter().filter_map(|game| game.dir.clone()).collect();
        if self.watched != folders {
            self.watched.clone_from(&folders);
            commands.push(Command::Watch(folders));
        }
        // While a game runs the limit keeps its bytes here; connections stay, so that sharing goes on at once afterwards.
        let may_share = self.settings.sharing == Consent::Yes && self.world.online && !self.world.metered;
        let shared = self.library.games().iter().filter(|game| {
            may_share
                && game.installed.is_some()
                && self.queue.of(game.key).is_none()
                && !self.previews.get(&game.key).is_some_and(Preview::is_open)
                && !self.damaged.contains(&game.key)
        });
        commands.extend(self.errands.share(shared.take(SHARED_MAX)));
        commands.extend(self.plans());
        let library = &self.library;
        commands.extend(self.errands.next_look(|key| library.get(key), &self.memory()));
        commands.extend(self.next_pictures());
        commands
    }

    /// Where what the repositories' roots have vouched for is remembered.
    fn memory(&self) -> PathBuf {
        self.games_folder.with_file_name("trust")
    }

    /// All repositories are to be asked what is new.
    pub fn look_around(&mut self) -> Vec<Effect> {
        self.errands.look(self.library.games().iter().map(|game| game.key));
        self.step()
    }

    /// The player does something.
    pub fn act(&mut self, action: Action) -> Vec<Effect> {
        let mut effects = match action {
            Action::Consent(yes) => {
                self.settings.sharing = if yes { Consent::Yes } else { Consent::No };
                // The games first: without the settings the question comes again, and brings them again.
                self.take_brought().into_iter().chain([Effect::SaveSettings]).collect()
            }
            Action::Set(settings) => {
                self.settings = settings.bounded();
                vec![Effect::SaveSettings]
            }
            Action::MoveTo(game, place) => {
                self.queue.move_to(game, place);
                vec![Effect::SaveQueue]
            }
            Action::StopAll(stopped) => {
                self.queue.set_stopped(stopped);
                vec![Effect::SaveQueue]
            }
            // What it has fetched stays in the folder, and is used when it is begun again.
            Action::Cancel(game) => {
                self.failures.remove(&game);
                self.queue.remove(game);
                self.not_taken(game);
                vec![Effect::SaveLibrary, Effect::SaveQueue]
            }
            Action::Layout(layout) => {
                self.settings.layout = layout;
                vec![Effect::SaveSettings]
            }
            Action::Order(order) => {
                self.settings.order = order;
                vec![Effect::SaveSettings]
            }
            Action::Preview(game, aim) => self.preview_of(game, aim),
            Action::Versions(game) => self.versions_of(game),
            Action::Take(game, release) => self.take(game, release),
            Action::Channel(game, channel) => self.follow(game, channel),
            Action::Adopt(game) => self.adopt(game),
            Action::Choose(place) => self.choose(place),
            Action::Folder(game, folder) => self.put_into(game, folder),
            Action::Pin(game, stays) => {
                if let Some(game) = self.library.get_mut(game) {
                    game.pin = game.installed.clone().filter(|_| stays);
                }
                vec![Effect::SaveLibrary]
            }
            Action::Copy(text) => vec![Effect::Copy(text)],
            Action::Own(deed) => vec![Effect::Own(deed)],
            Action::Ask(new) => vec![Effect::Pin(new)],
            Action::Add => self.add(),
            Action::ForgetAsked => {
                self.asked = None;
                Vec::new()
            }
            Action::Dismiss(game) => {
                self.failures.remove(&game);
                if self.queue.of(game).is_some_and(|item| item.failed) {
                    self.queue.remove(game);
                    self.not_taken(game);
                }
                vec![Effect::SaveLibrary, Effect::SaveQueue]
            }
            Action::Press(game, does) => self.press(game, does),
        };
        effects.extend(self.step());
        effects
    }

    fn press(&mut self, game: GameKey, does: Does) -> Vec<Effect> {
        let job = match does {
            Does::Install => Job::Install,
            Does::Update => Job::Update,
            Does::Repair => Job::Repair,
            Does::Resume => {
                let installed = self.library.get(game).is_some_and(|game| game.installed.is_some());
                // What waits goes on as what it is.
                let known = self.queue.of(game).map(|item| item.job);
                known.unwrap_or(if installed { Job::Update } else { Job::Install })
            }
            Does::Pause => {
                self.queue.set_paused(game, true);
                return vec![Effect::SaveQueue];
            }
            Does::StartNow => {
                self.queue.start_now(game);
                return vec![Effect::SaveQueue];
            }
            Does::Play => {
                self.failures.remove(&game);
                let play = self.library.get(game).and_then(|game| self.errands.play(game));
                return play.map(Effect::Engine).into_iter().collect();
            }
            Does::Rollback | Does::Uninstall => {
                let job = if does == Does::Rollback { Job::Rollback } else { Job::Uninstall };
                self.failures.remove(&game);
                self.previews.remove(&game);
                // Nobody waits for downloads to have a game removed.
                self.queue.remove(game);
                self.queue.add(game, job);
                self.queue.move_to(game, 0);
                let ends = self.errands.end_plan(game).map(Effect::Engine);
                return ends.into_iter().chain([Effect::SaveQueue]).collect();
            }
            // The page where the folder is chosen comes up instead.
            Does::FreeSpace => return Vec::new(),
        };
        self.begin(game, job)
    }

    /// Into the queue with it; what was told of the game before is out of date.
    pub(super) fn begin(&mut self, game: GameKey, job: Job) -> Vec<Effect> {
        self.failures.remove(&game);
        self.left.remove(&game);
        self.previews.remove(&game);
        self.queue.add(game, job);
        let ends = self.errands.end_plan(game).map(Effect::Engine);
        ends.into_iter().chain([Effect::SaveQueue]).collect()
    }

    /// The engine tells something.
    pub fn hear(&mut self, event: &Event) -> Vec<Effect> {
        if self.errands.knows(event.task) {
            return self.ran(event);
        }
        let Some(item) = self.queue.items().iter().find(|item| item.task() == Some(event.task)) else {
            return Vec::new();
        };
        let (key, job) = (item.game, item.job);
        let ended = match &event.what {
            Happened::Note(_) => return Vec::new(),
            Happened::Done { outcome, .. } => {
                self.done(key, job, outcome);
                Ended::Done
            }
            Happened::Ended => Ended::Done,
            Happened::Paused => Ended::Paused,
            Happened::Failed(error) => {
                self.failures.insert(key, (&**error).into());
                Ended::Failed
            }
        };
        self.queue.ended(event.task, ended);
        let mut effects = vec![Effect::SaveLibrary, Effect::SaveQueue];
        effects.extend(self.tiding(key, job, ended).map(Effect::Tell));
        effects.extend(self.ask_what_is_kept(key));
        effects.extend(self.step());
        effects
    }

    /// An errand tells something.
    fn ran(&mut self, event: &Event) -> Vec<Effect> {
        let well = match &event.what {
            // Of what is shared nothing is said; of a start that found work to finish, the log tells.
            Happened::Note(_) => return Vec::new(),
            Happened::Done { .. } | Happened::Ended | Happened::Paused => true,
            Happened::Failed(_) => false,
        };
        let Some((key, errand, next)) = self.errands.ended(event.task, well) else { return Vec::new() };
        let mut effects: Vec<Effect> = next.map(Effect::Engine).into_iter().collect();
        match (errand, &event.what) {
            (Errand::Root, what) => effects.extend(self.shown(what)),
            (Errand::Look, Happened::Done { outcome, .. }) => {
                self.unreachable.remove(&key);
                let before = self.library.get(key).and_then(|game| game.offered.clone());
                self.looked(key, outcome);
                self.pictures_offered(key);
                effects.push(Effect::SaveLibrary);
                effects.extend(self.tiding_of_offer(key, before.as_deref()).map(Effect::Tell));
            }
            // That there is no network is a state; what else goes wrong is told when something is to be installed.
            (Errand::Look, Happened::Failed(error)) if error.code() == "E-OFFLINE" => {
                self.unreachable.insert(key);
            }
            (Errand::Plan, what) => self.planned(key, what),
            (Errand::Pictures, what) => {
                self.pictures_came(key, what);
                effects.push(Effect::SaveLibrary);
            }
            (Errand::List | Errand::Status, what) => self.versions_told(key, what),
            (Errand::Play, Happened::Failed(error)) => {
                self.failures.insert(key, (&**error).into());
            }
            _ => {}
        }
        effects.extend(self.step());
        effects
    }

    fn looked(&mut self, key: GameKey, outcome: &Outcome) {
        let (Some(game), Outcome::Looked(offer)) = (self.library.get_mut(key), outcome) else { return };
        game.signed = Signed::of(&offer.signers).or(game.signed.take());
        // What lies behind what he has is no offer.
        game.offered = (!offer.older).then(|| offer.release.clone());
        if offer.older {
            self.offers.remove(&key);
        } else {
            self.offers.insert(key, offer.clone());
        }
        if offer.halted {
            self.halted.insert(key);
        } else {
            self.halted.remove(&key);
        }
    }

    /// Which games run, as the engine sees it.
    pub fn see(&mut self, playing: &[Playing]) -> Vec<Effect> {
        let found = self.library.games().iter().filter_map(|game| {
            let runs = playing.iter().find(|runs| Some(&runs.dir) == game.dir.as_ref())?;
            Some((game.key, runs.program.clone()))
        });
        let now: BTreeMap<GameKey, String> = found.collect();
        if now == self.programs {
            return Vec::new();
        }
        self.world.playing = now.keys().copied().collect();
        self.programs = now;
        self.step()
    }

    fn done(&mut self, key: GameKey, job: Job, outcome: &Outcome) {
        let Some(game) = self.library.get_mut(key) else { return };
        match outcome {
            Outcome::Installed(summary) => {
                game.installed = Some(summary.release.clone());
                (game.sequence, game.adopt) = (Some(summary.sequence), false);
                // Neither going back nor a release of the player's choice changes what is offered.
                if job != Job::Rollback && game.pin.is_none() {
                    game.offered = Some(summary.release.clone());
                }
                // Who stays, stays where he went back to.
                if job == Job::Rollback && game.pin.is_some() {
                    game.pin.clone_from(&game.installed);
                }
                if summary.changed {
                    game.receipt = Some(Receipt::of(summary));
                }
                self.damaged.remove(&key);
            }
            Outcome::Verified(report) => {
                game.checked = Some(Checked::of(report));
                let is_whole = report.wounds.is_empty() || report.repair.is_some();
                if is_whole {
                    self.damaged.remove(&key);
                } else {
                    self.damaged.insert(key);
                }
            }
            Outcome::Uninstalled(report) => {
                (game.installed, game.dir, game.sequence, game.pin) = (None, None, None, None);
                if !report.left.is_empty() {
                    self.left.insert(key, report.left.clone());
                }
                self.damaged.remove(&key);
            }
            Outcome::Planned(_)
            | Outcome::Started(_)
            | Outcome::Looked(_)
            | Outcome::Pictured(_)
            | Outcome::Listed(_)
            | Outcome::Root(_)
            | Outcome::Seeded { .. }
            | Outcome::Status(_) => {}
        }
    }

    pub(super) fn operation(&mut self, key: GameKey, job: Job) -> Option<Operation> {
        let base = self.settings.games_folder.clone().unwrap_or_else(|| self.games_folder.clone());
        let may_give = self.settings.sharing == Consent::Yes;
        let game = self.library.get_mut(key)?;
        // Where it goes is decided once: an install that goes on later goes on there.
        let dir = game.dir.get_or_insert_with(|| base.join(&game.id)).clone();
        // Who agreed to nothing takes no part in the swarm; what he may give besides is the engine's limit.
        let sources = Sources { peers: may_give, web: true };
        let (way, linger) = (Preference::default(), Linger::No);
        let select = match &game.pin {
            Some(release) => Select::Release(release.clone()),
            None => Select::Channel(game.channel.clone()),
        };
        Some(match job {
            Job::Install => Operation::Install(Install {
                repo: game.repo.clone(),
                trust_root: game.root.file.clone(),
                game: game.id.clone(),
                dir,
                select,
                adopt: game.adopt,
                sources,
                accept_expired: false,
                way,
                linger,
            }),
            Job::Update => Operation::Update(Update {
                dir,
                select: Some(select),
                sources,
                accept_expired: false,
                way,
                linger,
            }),
            Job::Rollback => Operation::Rollback { dir },
            Job::Uninstall => Operation::Uninstall { dir },
            Job::Repair => Operation::Verify(Verify { dir, quick: false, repair: true, sources }),
        })
    }
}

#[cfg(test)]
#[path = "desk_tests.rs"]
mod tests;
