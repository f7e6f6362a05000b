//! One player: a launcher's engine, its install folder, and what it is doing.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use launcher::engine::{
    Command, DEFAULT_CHANNEL, Engine, EngineHandle, Happened, Install, Linger, Operation, Options, Outcome,
    Preference, Select, Sources, TaskId, Update, Verify,
};

use crate::demo::world::{GAME, World};

/// One player.
pub(super) struct Player {
    pub(super) name: String,
    pub(super) dir: PathBuf,
    pub(super) engine: EngineHandle,
    /// The newest operation.
    pub(super) task: TaskId,
    /// Whether it goes on seeding, so that it must be told to stop before the next one.
    lingers: bool,
}

impl Player {
    /// Starts the launcher of player `number`, with its install below `dir`.
    pub(super) fn new(number: usize, dir: &Path, upload_limit: u64) -> Result<Self> {
        let options = Options {
            listen: Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))),
            upload_limit: Some(upload_limit),
            ..Options::default()
        };
        let engine = Engine::start(options).context("starting a launcher")?;
        let name = format!("player {number}");
        let dir = dir.join(format!("player-{number}"));
        Ok(Self { name, dir, engine, task: TaskId(0), lingers: false })
    }

    /// Installs the game and seeds on.
    pub(super) fn install(&mut self, world: &World) -> Result<()> {
        let install = Install {
            repo: world.url().to_owned(),
            trust_root: world.root_json().to_path_buf(),
            game: GAME.to_owned(),
            dir: self.dir.clone(),
            select: Select::Channel(DEFAULT_CHANNEL.to_owned()),
            adopt: false,
            sources: Sources::default(),
            linger: Linger::UntilPaused,
            accept_expired: false,
            way: Preference::default(),
        };
        self.start(Operation::Install(install))
    }

    /// Updates and seeds on.
    pub(super) fn update(&mut self) -> Result<()> {
        let update = Update {
            dir: self.dir.clone(),
            select: None,
            sources: Sources::default(),
            linger: Linger::UntilPaused,
            accept_expired: false,
            way: Preference::default(),
        };
        self.start(Operation::Update(update))
    }

    /// Verifies and repairs.
    pub(super) fn repair(&mut self, sources: Sources) -> Result<()> {
        self.start(Operation::Verify(Verify { dir: self.dir.clone(), quick: false, repair: true, sources }))
    }

    fn start(&mut self, operation: Operation) -> Result<()> {
        self.task = TaskId(self.task.0 + 1);
        let command = Command::Start { task: self.task, operation: Box::new(operation) };
        self.engine.commands.try_send(command).map_err(|error| anyhow!("{}: {error}", self.name))
    }

    /// Waits for the newest operation's result.
    pub(super) async fn outcome(&mut self) -> Result<Outcome> {
        loop {
            let event = self.engine.events.recv().await.context("the launcher's engine ended")?;
            if event.task != self.task {
                continue;
            }
            match event.what {
                Happened::Done { outcome, lingers } => {
                    self.lingers = lingers;
                    return Ok(*outcome);
                }
                Happened::Failed(error) => bail!("{}: {} ({})", self.name, error, error.code()),
                Happened::Paused | Happened::Ended => bail!("{}: stopped", self.name),
                Happened::Note(note) => tracing_note(&self.name, &note),
            }
        }
    }

    /// Stops seeding, if it does, and waits until it has.
    pub(super) async fn rest(&mut self) -> Result<()> {
        if !std::mem::take(&mut self.lingers) {
            return Ok(());
        }
        self.engine.commands.send(Command::Pause { task: self.task }).await?;
        while let Some(event) = self.engine.events.recv().await {
            if event.task == self.task && matches!(event.what, Happened::Ended | Happened::Paused) {
                return Ok(());
            }
        }
        bail!("{}: the launcher's engine ended", self.name)
    }

    /// Ends the launcher.
    pub(super) async fn close(self) {
        // An engine that has ended already needs no telling.
        let _ = self.engine.commands.send(Command::Shutdown).await;
        let thread = self.engine.thread;
        let _ = tokio::task::spawn_blocking(move || thread.join()).await;
    }
}

fn tracing_note(player: &str, note: &str) {
    eprintln!("{player}: {note}");
}
