//! What the engine does beside the queue: games are started and shared, and repositories are asked what is new.
//!
//! Invariant: a game that the queue works on is not shared, for both would want its folder.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::engine::{Command, Look, Operation, Pictures, Plan, Releases, Seed, Select, TaskId};
use crate::shell::library::{Game, GameKey};

/// The queue's tasks are named from here on, errands below.
pub(super) const QUEUE_FROM: u64 = 1 << 32;

/// Games shared at once, at most: each has its folder open, and its place at a tracker.
pub(super) const SHARED_MAX: usize = 32;

/// One errand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Errand {
    /// The game is started.
    Play,
    /// Its repository is asked.
    Look,
    /// Its repository is asked what versions there are.
    List,
    /// Its folder is asked which release is kept for going back.
    Status,
    /// What an install or update of it would cost is worked out.
    Plan,
    /// Its pictures are fetched.
    Pictures,
    /// A repository is asked for its root, for a game that is not here yet.
    Root,
    /// It is shared; whether that is to end.
    Seed { ending: bool },
}

/// The errands under way, and those that wait.
#[derive(Debug, Clone, Default)]
pub(super) struct Errands {
    last_task: u64,
    running: BTreeMap<TaskId, (GameKey, Errand)>,
    /// Games whose repositories are to be asked, one after the other.
    looks: VecDeque<GameKey>,
    /// Games whose pictures are to be fetched, one after the other.
    pictures: VecDeque<GameKey>,
    /// The game whose versions somebody wants to see: before the others are asked.
    list: Option<GameKey>,
    /// Not shared again until something changes: it did not work.
    unshared: BTreeSet<GameKey>,
    /// The queue's next operation, until its game is shared no more.
    postponed: Option<(GameKey, Command)>,
}

impl Errands {
    fn begin(&mut self, game: GameKey, errand: Errand, operation: Operation) -> Command {
        self.last_task = self.last_task.saturating_add(1);
        let task = TaskId(self.last_task);
        self.running.insert(task, (game, errand));
        Command::Start { task, operation: Box::new(operation) }
    }

    /// Starts a game.
    pub(super) fn play(&mut self, game: &Game) -> Option<Command> {
        let is_starting = self.running.values().any(|at| *at == (game.key, Errand::Play));
        let dir = game.dir.clone().filter(|_| !is_starting)?;
        Some(self.begin(game.key, Errand::Play, Operation::Play { dir }))
    }

    /// Asks a repository for its root.
    pub(super) fn root(&mut self, repo: String) -> Command {
        self.begin(GameKey(0), Errand::Root, Operation::Root { repo })
    }

    /// The repositories of these games are to be asked, if they are not already.
    pub(super) fn look(&mut self, games: impl Iterator<Item = GameKey>) {
        for game in games {
            if !self.looks.contains(&game) {
                self.looks.push_back(game);
            }
        }
    }

    /// Asks the next repository, when none is being asked: one memory serves all games of a root.
    pub(super) fn next_look<'a>(
        &mut self,
        find: impl Fn(GameKey) -> Option<&'a Game>,
        memory: &std::path::Path,
    ) -> Option<Command> {
        if self.running.values().any(|(_, errand)| matches!(errand, Errand::Look | Errand::List)) {
            return None;
        }
        if let Some(game) = self.list.take().and_then(&find) {
            let releases = Releases {
                repo: game.repo.clone(),
                trust_root: game.root.file.clone(),
                game: game.id.clone(),
                memory: memory.to_owned(),
            };
            return Some(self.begin(game.key, Errand::List, Operation::Releases(releases)));
        }
        let game = std::iter::from_fn(|| self.looks.pop_front()).find_map(find)?;
        let look = Look {
            repo: game.repo.clone(),
            trust_root: game.root.file.clone(),
            game: game.id.clone(),
            select: Select::Channel(game.channel.clone()),
            installed: game.installed.as_ref().and(game.sequence),
            memory: memory.to_owned(),
        };
        Some(self.begin(game.key, Errand::Look, Operation::Look(look)))
    }

    /// A game's pictures are to be fetched.
    pub(super) fn picture(&mut self, game: GameKey) {
        if !self.pictures.contains(&game) {
            self.pictures.push_back(game);
        }
    }

    /// The pictures of these games are not to be fetched after all.
    pub(super) fn no_pictures(&mut self, of: impl Fn(GameKey) -> bool) {
        self.pictures.retain(|game| !of(*game));
    }

    /// Fetches the next game's pictures, when none are being fetched.
    pub(super) fn next_pictures(&mut self, find: impl Fn(GameKey) -> Option<Pictures>) -> Option<Command> {
        if self.running.values().any(|(_, errand)| *errand == Errand::Pictures) {
            return None;
        }
        let mut waiting = std::iter::from_fn(|| self.pictures.pop_front());
        let (game, pictures) = waiting.find_map(|game| Some((game, find(game)?)))?;
        Some(self.begin(game, Errand::Pictures, Operation::Pictures(pictures)))
    }

    /// Somebody wants to see what versions of a game there are.
    pub(super) fn list(&mut self, game: GameKey) {
        self.list = Some(game);
    }

    /// Asks a game's folder which release is kept. It is read without a lock, whatever else goes on there.
    pub(super) fn status(&mut self, game: &Game) -> Option<Command> {
        let dir = game.dir.clone().filter(|_| game.installed.is_some())?;
        Some(self.begin(game.key, Errand::Status, Operation::Status { dir }))
    }

    /// Shares these games and no others. Those that are shared already go on.
    pub(super) fn share<'a>(&mut self, games: impl Iterator<Item = &'a Game>) -> Vec<Command> {
        let wanted: BTreeMap<GameKey, &Game> = games.map(|game| (game.key, game)).collect();
        self.unshared.retain(|game| wanted.contains_key(game));
        let mut commands = Vec::new();
        let mut shared = BTreeSet::new();
        for (task, (game, errand)) in &mut self.running {
            if let Errand::Seed { ending } = errand {
                shared.insert(*game);
                if !*ending && !wanted.contains_key(game) {
                    *ending = true;
                    commands.push(Command::Pause { task: *task });
                }
            }
        }
        for (key, game) in wanted {
            if !shared.contains(&key)
                && !self.unshared.contains(&key)
                && let Some(dir) = game.dir.clone()
            {
                commands.push(self.begin(key, Errand::Seed { ending: false }, Operation::Seed(Seed { dir })));
            }
        }
        commands
    }

    /// Whether an errand has the game's folder open.
    pub(super) fn has_folder(&self, game: GameKey) -> bool {
        let has = |errand: &Errand| matches!(errand, Errand::Seed { .. } | Errand::Plan);
        self.running.values().any(|(at, errand)| *at == game && has(errand))
    }

    /// Works out what this would cost.
    pub(super) fn plan(&mut self, game: GameKey, plan: Plan) -> Command {
        self.begin(game, Errand::Plan, Operation::Plan(plan))
    }

    /// Nobody wants to know any more.
    pub(super) fn end_plan(&self, game: GameKey) -> Option<Command> {
        let (task, _) = self.running.iter().find(|(_, running)| **running == (game, Errand::Plan))?;
        Some(Command::Pause { task: *task })
    }

    /// A command of the queue about a game: at once, or as soon as the game is shared no more.
    pub(super) fn after_sharing(&mut self, game: GameKey, command: Command) -> Option<Command> {
        if self.has_folder(game) {
            self.postponed = Some((game, command));
            return None;
        }
        Some(command)
    }

    /// Takes back a command that waits; whether there was one for this task.
    pub(super) fn take_back(&mut self, task: TaskId) -> bool {
        let is_it = matches!(&self.postponed, Some((_, Command::Start { task: postponed, .. })) if *postponed == task);
        if is_it {
            self.postponed = None;
        }
        is_it
    }

    /// An errand has come to its end; which, and what could not begin before.
    pub(super) fn ended(&mut self, task: TaskId, well: bool) -> Option<(GameKey, Errand, Option<Command>)> {
        let (game, errand) = self.running.remove(&task)?;
        let mut next = None;
        if matches!(errand, Errand::Seed { ending: false }) && !well {
            self.unshared.insert(game);
        }
        let waits = self.postponed.as_ref().is_some_and(|(waits, _)| *waits == game);
        if waits && !self.has_folder(game) {
            next = self.postponed.take().map(|(_, command)| command);
        }
        Some((game, errand, next))
    }

    /// Whether this task is an errand.
    pub(super) fn knows(&self, task: TaskId) -> bool {
        self.running.contains_key(&task)
    }
}
