//! The order of downloads: one runs, the others wait for their turn or for what holds them.
//!
//! The queue is a state machine. It is told what happened and what the system is like, and says what the engine is to
//! do: [`Queue::step`] compares what should run with what does, so nothing that is told twice or too late does harm.
//! Invariant: at most one item is with the engine, and the engine hears of a task exactly once before it ends.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::engine::{Rates, TaskId};
use crate::shell::library::GameKey;
use crate::shell::record::{self, RecordError};
use crate::shell::settings::{Consent, Rule, Settings};

/// The record's version.
pub const VERSION: u32 = 1;

/// What is to be done with a game.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Job {
    /// Put it on the disk.
    Install,
    /// Bring it to the release its channel offers.
    Update,
    /// Check every byte and fetch what is damaged.
    Repair,
    /// Go back to the release before, with what is kept of it.
    Rollback,
    /// Remove its files.
    Uninstall,
}

impl Job {
    /// Whether it takes anything from the network: the rules about the line and the time of day are about such.
    #[must_use]
    pub fn downloads(self) -> bool {
        matches!(self, Self::Install | Self::Update | Self::Repair)
    }
}

/// What the system and the player are doing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct World {
    /// Local time: minutes since midnight.
    pub minute: u16,
    /// Whether bytes cost money; false where the system does not tell.
    pub metered: bool,
    /// Whether it runs without mains power; false where the system does not tell.
    pub on_battery: bool,
    /// Whether there is a network; true where the system does not tell.
    pub online: bool,
    /// Games that run.
    pub playing: BTreeSet<GameKey>,
    /// Whether the window is in front.
    pub in_front: bool,
}

/// Why an item does not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// The player paused it.
    Paused,
    /// It failed, and waits to be started again.
    Failed,
    /// There is no network.
    Offline,
    /// This game runs, and none of its files is changed meanwhile.
    GameRuns,
    /// Some game runs.
    Playing,
    /// Bytes cost money.
    Metered,
    /// No mains power.
    Battery,
    /// Not at this time of day.
    Schedule {
        /// Minutes until the window opens.
        opens_in: u16,
    },
    /// Others come first.
    Turn {
        /// How many.
        before: usize,
    },
}

impl Hold {
    /// Whether "now anyway" goes over it.
    #[must_use]
    pub fn can_be_waived(self) -> bool {
        matches!(
            self,
            Self::Playing | Self::Metered | Self::Battery | Self::Schedule { .. } | Self::Turn { .. }
        )
    }
}

/// Where an item stands with the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum With {
    /// The engine does not know it.
    #[default]
    Nobody,
    /// It runs.
    Engine(TaskId),
    /// It was asked to pause.
    Stopping(TaskId),
}

impl With {
    fn task(self) -> Option<TaskId> {
        match self {
            Self::Nobody => None,
            Self::Engine(task) | Self::Stopping(task) => Some(task),
        }
    }
}

/// One download.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// The game.
    pub game: GameKey,
    /// What for.
    pub job: Job,
    /// The player paused it.
    #[serde(default)]
    pub paused: bool,
    /// It failed, and nobody has tried again.
    #[serde(default)]
    pub failed: bool,
    /// The player said: now, whatever the rules are.
    #[serde(default)]
    pub now: bool,
    #[serde(skip)]
    with: With,
    /// It goes once the engine has let go of it.
    #[serde(skip)]
    leaving: bool,
}

impl Item {
    /// The operation, while the engine has it.
    #[must_use]
    pub fn task(&self) -> Option<TaskId> {
        self.with.task()
    }

    /// Whether it was asked to stop and has not yet.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        matches!(self.with, With::Stopping(_))
    }

    /// What keeps it from running, its turn apart.
    #[must_use]
    pub fn held(&self, world: &World, settings: &Settings) -> Option<Hold> {
        let rule = |is_so: bool, rule: Rule| is_so && rule == Rule::Pause && !self.now;
        if self.paused {
            Some(Hold::Paused)
        } else if self.failed {
            Some(Hold::Failed)
        } else if world.playing.contains(&self.game) {
            Some(Hold::GameRuns)
        } else if !self.job.downloads() {
            None
        } else if !world.online {
            Some(Hold::Offline)
        } else if rule(!world.playing.is_empty(), settings.while_playing) {
            Some(Hold::Playing)
        } else if rule(world.metered, settings.on_metered) {
            Some(Hold::Metered)
        } else if rule(world.on_battery, settings.on_battery) {
            Some(Hold::Battery)
        } else {
            let closed = settings.schedule.filter(|window| !self.now && !window.is_open(world.minute));
            closed.map(|window| Hold::Schedule { opens_in: window.changes_in(world.minute) })
        }
    }
}

/// How an operation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Well.
    Done,
    /// It was stopped and can go on.
    Paused,
    /// With an error.
    Failed,
}

/// What the engine is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Begin.
    Start {
        /// Its name.
        task: TaskId,
        /// The game.
        game: GameKey,
        /// What for.
        job: Job,
    },
    /// Stop at the next safe point.
    Pause {
        /// Which one.
        task: TaskId,
    },
}

/// The downloads, first the one that comes first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Queue {
    #[serde(default)]
    version: u32,
    items: Vec<Item>,
    /// The player stopped all of them.
    #[serde(default)]
    stopped: bool,
    #[serde(skip)]
    last_task: u64,
}

impl Default for Queue {
    fn default() -> Self {
        Self { version: VERSION, items: Vec::new(), stopped: false, last_task: 0 }
    }
}

impl Queue {
    /// A queue whose tasks are named from `first_task` on: other operations of the same engine are named below.
    #[must_use]
    pub fn naming_from(mut self, first_task: u64) -> Self {
        self.last_task = first_task.saturating_sub(1);
        self
    }

    /// Reads the record. Nothing in it is with the engine any more.
    ///
    /// # Errors
    /// [`RecordError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        let mut queue: Self = record::decode(bytes, VERSION)?;
        queue.version = VERSION;
        let mut seen = BTreeSet::new();
        queue.items.retain(|item| seen.insert(item.game));
        Ok(queue)
    }

    /// Writes the record.
    ///
    /// # Errors
    /// [`RecordError`].
    pub fn encode(&self) -> Result<Vec<u8>, RecordError> {
        record::encode(self)
    }

    /// The downloads, first the one that comes first.
    #[must_use]
    pub fn items(&self) -> &[Item] {
        &self.items
    }

    /// The download of a game.
    #[must_use]
    pub fn of(&self, game: GameKey) -> Option<&Item> {
        self.items.iter().find(|item| item.game == game)
    }

    /// Whether the player stopped all of them.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.stopped
    }

    /// Adds a download at the end. One that is there already stays where it is, and goes on if it was paused or failed.
    pub fn add(&mut self, game: GameKey, job: Job) {
        match self.item(game) {
            Some(item) => {
                (item.paused, item.failed, item.leaving) = (false, false, false);
                if item.with == With::Nobody {
                    item.job = job;
                }
            }
            None => self.items.push(Item {
                game,
                job,
                paused: false,
                failed: false,
                now: false,
                with: With::Nobody,
                leaving: false,
            }),
        }
    }

    /// Pauses a download, or lets it go on.
    pub fn set_paused(&mut self, game: GameKey, paused: bool) {
        if let Some(item) = self.item(game) {
            (item.paused, item.failed) = (paused, item.failed && paused);
        }
    }

    /// Pauses all of them, or lets them go on as they were.
    pub fn set_stopped(&mut self, stopped: bool) {
        self.stopped = stopped;
    }

    /// Starts a download at once: before the others, and whatever the schedule and the rules say.
    pub fn start_now(&mut self, game: GameKey) {
        self.move_to(game, 0);
        if let Some(item) = self.item(game) {
            (item.paused, item.failed, item.now) = (false, false, true);
        }
        self.stopped = false;
    }

    /// Puts a download at a place, counted without itself.
    pub fn move_to(&mut self, game: GameKey, place: usize) {
        let Some(at) = self.items.iter().position(|item| item.game == game) else { return };
        let item = self.items.remove(at);
        self.items.insert(place.min(self.items.len()), item);
    }

    /// Takes a download out. What it has fetched stays on the disk.
    pub fn remove(&mut self, game: GameKey) {
        if let Some(item) = self.item(game) {
            item.leaving = true;
        }
        self.items.retain(|item| !item.leaving || item.with != With::Nobody);
    }

    /// The engine has let go of a task. An unknown one is somebody else's.
    pub fn ended(&mut self, task: TaskId, how: Ended) {
        let Some(item) = self.items.iter_mut().find(|item| item.with.task() == Some(task)) else { return };
        item.with = With::Nobody;
        match how {
            Ended::Done => item.leaving = true,
            Ended::Failed => item.failed = true,
            Ended::Paused => {}
        }
        self.items.retain(|item| !item.leaving || item.with != With::Nobody);
    }

    /// What is to be done now. Call it after every change of the queue, the world or the settings, and when
    /// [`Queue::wake_in`] has passed.
    pub fn step(&mut self, world: &World, settings: &Settings) -> Vec<Effect> {
        let wanted = self.wanted(world, settings);
        let mut effects = Vec::new();
        for item in &mut self.items {
            if let With::Engine(task) = item.with
                && (Some(item.game) != wanted)
            {
                item.with = With::Stopping(task);
                effects.push(Effect::Pause { task });
            }
        }
        // The next one begins when the last one has stopped: two would share the disk and the line.
        let is_free = self.items.iter().all(|item| item.with == With::Nobody);
        if let Some(game) = wanted.filter(|_| is_free) {
            self.last_task = self.last_task.saturating_add(1);
            let task = TaskId(self.last_task);
            if let Some(item) = self.item(game) {
                item.with = With::Engine(task);
                effects.push(Effect::Start { task, game, job: item.job });
            }
        }
        effects
    }

    /// Why the download of a game does not run; none when it runs, is stopping, or is not there.
    #[must_use]
    pub fn hold(&self, game: GameKey, world: &World, settings: &Settings) -> Option<Hold> {
        let at = self.items.iter().position(|item| item.game == game)?;
        let item = self.items.get(at)?;
        if let Some(hold) = item.held(world, settings) {
            return Some(hold);
        }
        if self.stopped {
            return Some(Hold::Paused);
        }
        let before = self.items.iter().take(at).filter(|item| item.held(world, settings).is_none()).count();
        (before > 0).then_some(Hold::Turn { before })
    }

    /// How fast everything together may be.
    #[must_use]
    pub fn rates(&self, world: &World, settings: &Settings) -> Rates {
        let limits = &settings.limits;
        let playing = !world.playing.is_empty();
        let download = match (playing, world.in_front) {
            (true, _) => limits.playing_download.or(limits.background_download).or(limits.download),
            (false, true) => limits.download,
            (false, false) => limits.background_download.or(limits.download),
        };
        let may_send = settings.sharing == Consent::Yes && !playing && !world.metered;
        let upload = match (may_send, world.in_front) {
            (false, _) => Some(0),
            (true, true) => limits.upload,
            (true, false) => limits.background_upload.or(limits.upload),
        };
        Rates { download, upload }
    }

    /// Minutes after which time alone changes something.
    #[must_use]
    pub fn wake_in(&self, world: &World, settings: &Settings) -> Option<u16> {
        let window = settings.schedule?;
        (!self.items.is_empty()).then(|| window.changes_in(world.minute))
    }

    fn wanted(&self, world: &World, settings: &Settings) -> Option<GameKey> {
        let may = |item: &&Item| !self.stopped || !item.job.downloads();
        let free = |item: &&Item| !item.leaving && item.held(world, settings).is_none();
        self.items.iter().filter(may).find(free).map(|item| item.game)
    }

    fn item(&mut self, game: GameKey) -> Option<&mut Item> {
        self.items.iter_mut().find(|item| item.game == game)
    }
}

#[cfg(test)]
#[path = "queue_tests.rs"]
mod tests;
