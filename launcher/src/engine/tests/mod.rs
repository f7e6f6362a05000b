//! The engine against a small repository: real signatures, real torrents, a plain file server.

mod art;
mod bad_input;
mod flow;
#[cfg(target_os = "linux")]
mod play;
mod repo;
mod swarm;
mod versions;

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use crate::engine::{
    Command, Engine, EngineHandle, Happened, Install, Linger, Operation, Options, Outcome, Phase, Preference,
    Seed, Select, Sources, Summary, TaskId, Update, Verify, VerifyReport,
};
use repo::Repo;

/// The name of the operation that seeds.
const SEEDING: TaskId = TaskId(1_000_000);

/// An engine with one operation at a time.
struct Player {
    handle: EngineHandle,
    next: u64,
    notes: Vec<String>,
}

impl Player {
    fn new() -> Self {
        Self::with(Options::default())
    }

    /// One that peers can reach.
    fn listening() -> Self {
        let listen = Some("127.0.0.1:0".parse().unwrap());
        Self::with(Options { listen, ..Options::default() })
    }

    fn with(options: Options) -> Self {
        let options = Options { patience: Duration::from_secs(5), ..options };
        Self { handle: Engine::start(options).unwrap(), next: 1, notes: Vec::new() }
    }

    /// Performs an operation to its end; the code of its error.
    fn run(&mut self, operation: Operation) -> Result<Outcome, String> {
        let task = TaskId(self.next);
        self.next += 1;
        let start = Command::Start { task, operation: Box::new(operation) };
        self.handle.commands.blocking_send(start).unwrap();
        loop {
            let event = self.handle.events.blocking_recv().unwrap();
            match event.what {
                Happened::Note(text) => self.notes.push(text),
                Happened::Done { outcome, .. } => return Ok(*outcome),
                Happened::Ended => panic!("nothing lingers here"),
                Happened::Paused => return Err("E-PAUSED".to_owned()),
                Happened::Failed(error) => {
                    assert!(!error.advice().is_empty() && !error.to_string().is_empty());
                    return Err(error.code().to_owned());
                }
            }
        }
    }

    /// Begins to seed; where peers reach it.
    fn seed(&mut self, dir: &Path) -> SocketAddr {
        let operation = Box::new(Operation::Seed(Seed { dir: dir.to_owned() }));
        self.handle.commands.blocking_send(Command::Start { task: SEEDING, operation }).unwrap();
        let mut listen = None;
        let ready = self.handle.snapshot.wait_for(|all| {
            listen = all.listen;
            listen.is_some() && all.task(SEEDING).is_some_and(|task| task.phase == Phase::Seeding)
        });
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(ready).unwrap();
        listen.unwrap()
    }

    /// Ends seeding; what it said meanwhile.
    fn stop_seeding(&mut self) -> Vec<String> {
        self.handle.commands.blocking_send(Command::Pause { task: SEEDING }).unwrap();
        let mut notes = Vec::new();
        loop {
            match self.handle.events.blocking_recv().unwrap().what {
                Happened::Note(text) => notes.push(text),
                Happened::Done { .. } => return notes,
                other => panic!("{other:?}"),
            }
        }
    }

    fn install(&mut self, repo: &Repo, dir: &Path) -> Result<Summary, String> {
        self.install_with(repo, dir, |_| {})
    }

    #[allow(clippy::unused_self, reason = "reads as what this player asks for")]
    fn request(&self, repo: &Repo, dir: &Path) -> Install {
        Install {
            repo: repo.url(),
            trust_root: repo.root(),
            game: "maple".to_owned(),
            dir: dir.to_owned(),
            select: Select::Channel("stable".to_owned()),
            adopt: false,
            sources: Sources { peers: false, web: true },
            accept_expired: false,
            way: Preference::default(),
            linger: Linger::No,
        }
    }

    fn install_with(
        &mut self,
        repo: &Repo,
        dir: &Path,
        change: impl FnOnce(&mut Install),
    ) -> Result<Summary, String> {
        let mut install = self.request(repo, dir);
        change(&mut install);
        match self.run(Operation::Install(install))? {
            Outcome::Installed(summary) => Ok(summary),
            other => panic!("{other:?}"),
        }
    }

    fn update(&mut self, dir: &Path) -> Result<Summary, String> {
        let update = Update {
            dir: dir.to_owned(),
            select: None,
            sources: Sources { peers: false, web: true },
            accept_expired: false,
            way: Preference::default(),
            linger: Linger::No,
        };
        match self.run(Operation::Update(update))? {
            Outcome::Installed(summary) => Ok(summary),
            other => panic!("{other:?}"),
        }
    }

    fn verify(&mut self, dir: &Path, repair: bool) -> Result<VerifyReport, String> {
        let sources = Sources { peers: false, web: true };
        match self.run(Operation::Verify(Verify { dir: dir.to_owned(), quick: false, repair, sources }))? {
            Outcome::Verified(report) => Ok(report),
            other => panic!("{other:?}"),
        }
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        let _ = self.handle.commands.blocking_send(Command::Shutdown);
    }
}
