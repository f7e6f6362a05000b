//! Fetches the next version of the launcher: the engine's own look and install, under the package's root alone.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use manifests::folder::FolderError;
use tokio::sync::mpsc::error::SendError;

use crate::brand::UpdateSource;
use crate::engine::{
    self, Command as Ask, DEFAULT_CHANNEL, Engine, EngineHandle, Event, Failure, Happened, Install, Linger,
    Look, Offer, Operation, Options, Outcome, Preference, Select, Snapshot, Sources, TaskId, TaskView,
};
use crate::error::LaunchError;
use crate::platform::{PACKAGED, PACKAGED_VERSION, RELEASE, WATCHED};
use crate::selfupdate::place::{Me, Place};
use crate::selfupdate::pointer::{Build, Pointer, Slot, Why};
use crate::selfupdate::policy::{self, Offered};
use crate::selfupdate::start::patience;
use crate::selfupdate::steps::step;
use crate::shell::store::StoreError;

/// A new version that has not said within this that it is well is not.
const WELL_WITHIN: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// What it says is a line.
const ANSWER_BYTES_MAX: u64 = 64 << 10;
/// What a version that is well prints, with `self probe`.
const WELL: &str = "samara launcher is well";

/// How the launcher is to be updated.
#[derive(Debug, Clone, Copy)]
pub struct Request {
    /// The player asked for it.
    pub by_player: bool,
    /// Only say what there is.
    pub only_look: bool,
    /// Where bytes may come from.
    pub sources: Sources,
    /// Bytes per second received; none for no limit.
    pub download_limit: Option<u64>,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Done {
    /// This one is offered, and not here yet.
    Offered(String),
    /// This one starts with the next start.
    Waiting(String),
    /// The version that runs is the newest.
    Newest,
    /// There is a newer one, which is not taken.
    Refused(String, Why),
}

/// What is told on the way.
#[derive(Debug)]
pub enum Told<'a> {
    /// How far it is.
    Progress(&'a TaskView),
    /// Something worth knowing.
    Note(String),
}

/// Asks what is new and, unless it is only to be said, installs it, has it say that it is well, and lets it start with the
/// next start. Killed anywhere, the version that started before starts again.
///
/// # Errors
/// Those of the engine; `E-SELF-NO-SOURCE`; `E-SELF-FAILED` when it is not well; `E-FOLDER-BUSY`: another does it now.
pub fn update(me: &Me, request: Request, tell: &mut dyn FnMut(Told<'_>)) -> Result<Done, Failure> {
    let (source, place) = source(me).map_err(told)?;
    let busy = || {
        let path = place.memory().display().to_string();
        told(LaunchError::Folder(FolderError::Busy { path, pid: None }))
    };
    let _only = place.only_updater().map_err(|error| told(error.into()))?.ok_or_else(busy)?;
    let mut work = Work { me, source, place, request, tell };
    let (runtime, mut engine) = work.engine()?;
    let done = runtime.block_on(work.run(&mut engine));
    let EngineHandle { commands, thread, .. } = engine;
    let _ = commands.blocking_send(Ask::Shutdown);
    drop(commands);
    // What panicked in there was reported by the runtime.
    let _ = thread.join();
    done
}

/// Where updates come from and go.
fn source(me: &Me) -> Result<(&UpdateSource, &Place), LaunchError> {
    let cause = || "its package names no address for updates".to_owned();
    me.source.as_ref().zip(me.place.as_ref()).ok_or_else(|| LaunchError::SelfNoSource { cause: cause() })
}

struct Work<'a> {
    me: &'a Me,
    source: &'a UpdateSource,
    place: &'a Place,
    request: Request,
    tell: &'a mut dyn FnMut(Told<'_>),
}

impl Work<'_> {
    fn engine(&self) -> Result<(tokio::runtime::Runtime, EngineHandle), Failure> {
        // What still runs from the slot, such as a version that was just asked whether it is well, is waited for.
        let download_limit = self.request.download_limit;
        let options = Options { download_limit, wait: true, ..Options::default() };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime =
            runtime.map_err(|error| told(LaunchError::internal(format!("starting an update: {error}"))))?;
        Ok((runtime, Engine::start(options).map_err(told)?))
    }

    async fn run(&mut self, engine: &mut EngineHandle) -> Result<Done, Failure> {
        let offer = self.look(engine).await?;
        let release = offer.release;
        let running = self.me.slot;
        let by_player = self.request.by_player;
        let pointer = self.place.pointer();
        let offered = policy::offered(&pointer, &self.me.own, running, &release, by_player);
        match offered {
            Offered::Nothing => return Ok(Done::Newest),
            Offered::Waiting => return Ok(Done::Waiting(next(&pointer, &self.me.own))),
            Offered::Refused(why) => return Ok(Done::Refused(release, why)),
            // The studio has stopped it.
            Offered::Take if offer.halted => return Ok(Done::Newest),
            Offered::Take if self.request.only_look => return Ok(Done::Offered(release)),
            Offered::Take => step("offered"),
        }
        let slot = self.prepare().map_err(broken)?;
        step("prepared");
        self.install(engine, slot, &release).await?;
        step("installed");
        let folder = self.place.slot(slot);
        let program = engine::program(&folder, &release).map_err(told)?;
        let build = Build { slot, release: release.clone(), program: program.to_string() };
        if let Err(cause) = self.ask_if_well(&folder.join(program.to_native()), &release) {
            self.place.change(|pointer| policy::not_well(pointer, &release)).map_err(broken)?;
            return Err(told(LaunchError::SelfFailed { release, cause }));
        }
        step("well");
        self.place.change(|pointer| policy::switched(pointer, build.clone())).map_err(broken)?;
        step("switched");
        Ok(Done::Waiting(release))
    }

    /// Takes the slot that comes next out of the record.
    fn prepare(&self) -> Result<Slot, StoreError> {
        let mut slot = Slot::A;
        self.place.change(|pointer| {
            let (pointer, free) = policy::prepared(pointer, &self.me.own, self.me.slot);
            slot = free;
            pointer
        })?;
        Ok(slot)
    }

    async fn look(&mut self, engine: &mut EngineHandle) -> Result<Offer, Failure> {
        let look = Operation::Look(Look {
            repo: self.source.url.to_string(),
            trust_root: self.source.root.file.clone(),
            game: self.source.game.clone(),
            select: Select::Channel(DEFAULT_CHANNEL.to_owned()),
            memory: self.place.memory(),
            // Versions are compared here.
            installed: None,
        });
        match self.perform(engine, TaskId(1), look).await? {
            Outcome::Looked(offer) => Ok(offer),
            other => Err(told(LaunchError::internal(format!("asked what is offered, told {other:?}")))),
        }
    }

    /// Puts exactly this release into the slot. Every byte that is there already is read: it is a program.
    async fn install(&mut self, engine: &mut EngineHandle, slot: Slot, release: &str) -> Result<(), Failure> {
        let other = self.place.slot(slot.other());
        let reuse_from: Vec<PathBuf> = other.is_dir().then_some(other).into_iter().collect();
        let install = |reuse_from| {
            Operation::Install(Install {
                repo: self.source.url.to_string(),
                trust_root: self.source.root.file.clone(),
                game: self.source.game.clone(),
                dir: self.place.slot(slot),
                select: Select::Release(release.to_owned()),
                adopt: true,
                sources: self.request.sources,
                accept_expired: false,
                way: Preference { reuse_from, ..Preference::default() },
                linger: Linger::No,
            })
        };
        let operation = install(reuse_from);
        self.perform(engine, TaskId(2), operation).await.map(drop)
    }

    /// Sends an operation and waits for its end.
    async fn perform(
        &mut self,
        engine: &mut EngineHandle,
        task: TaskId,
        operation: Operation,
    ) -> Result<Outcome, Failure> {
        let gone = || told(LaunchError::internal("the engine ended by itself"));
        let start = Ask::Start { task, operation: Box::new(operation) };
        engine.commands.send(start).await.map_err(|SendError(_)| gone())?;
        loop {
            tokio::select! {
                biased;
                event = engine.events.recv() => match event.ok_or_else(gone)? {
                    Event { what: Happened::Note(note), .. } => (self.tell)(Told::Note(note)),
                    Event { what: Happened::Done { outcome, .. }, .. } => return Ok(*outcome),
                    Event { what: Happened::Failed(error), .. } => return Err((&*error).into()),
                    Event { what: Happened::Ended | Happened::Paused, .. } => {
                        return Err(told(LaunchError::Paused));
                    }
                },
                changed = engine.snapshot.changed() => {
                    changed.map_err(|_| gone())?;
                    let snapshot: std::sync::Arc<Snapshot> = engine.snapshot.borrow_and_update().clone();
                    if let Some(view) = snapshot.task(task).filter(|view| !view.phase.is_final()) {
                        (self.tell)(Told::Progress(view));
                    }
                }
            }
        }
    }

    /// Has the new version say that it is well; why not, when it does not.
    fn ask_if_well(&self, program: &Path, release: &str) -> Result<(), String> {
        let mut command = Command::new(program);
        command.args(["self", "probe"]).env(PACKAGED, &self.me.packaged).env(RELEASE, release);
        command.env(PACKAGED_VERSION, &self.me.own).env_remove(WATCHED);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child =
            crate::platform::without_console(&mut command).spawn().map_err(|error| error.to_string())?;
        let end = Instant::now() + patience(WELL_WITHIN);
        let status = loop {
            match child.try_wait().map_err(|error| error.to_string())? {
                Some(status) => break status,
                None if Instant::now() < end => std::thread::sleep(LOOK_EVERY),
                None => {
                    let _ = child.kill();
                    let _ = child.wait();
                    return Err("it does not answer".to_owned());
                }
            }
        };
        let mut said = String::new();
        let out = child.stdout.take().ok_or("it says nothing")?;
        out.take(ANSWER_BYTES_MAX).read_to_string(&mut said).map_err(|error| error.to_string())?;
        if !status.success() {
            return Err(format!("it ended with {status}"));
        }
        if said.trim() == WELL { Ok(()) } else { Err("it does not say that it is well".to_owned()) }
    }
}

/// What a new version is asked before it is let in: whether it is a program that runs on this machine, and its engine
/// starts. What it is to print, if so.
///
/// # Errors
/// What does not.
pub fn probe() -> Result<&'static str, LaunchError> {
    let EngineHandle { commands, thread, .. } = Engine::start(Options::default())?;
    let _ = commands.blocking_send(Ask::Shutdown);
    drop(commands);
    thread.join().map_err(|_| LaunchError::internal("the engine does not end well"))?;
    Ok(WELL)
}

/// Back to the version before: what starts next.
///
/// # Errors
/// `E-SELF-NO-SOURCE`, `E-SELF-NOTHING`, or the disk.
pub fn go_back(me: &Me) -> Result<String, Failure> {
    let (_, place) = source(me).map_err(told)?;
    let mut is_nothing = false;
    let back = place.change(|pointer| {
        policy::gone_back(pointer, &me.own).unwrap_or_else(|| {
            is_nothing = true;
            pointer.clone()
        })
    });
    let back = back.map_err(broken)?;
    if is_nothing {
        return Err(told(LaunchError::SelfNothing));
    }
    Ok(next(&back, &me.own))
}

/// The version that starts next.
#[must_use]
pub fn next(pointer: &Pointer, own: &str) -> String {
    let active = pointer.active.as_ref().map(|active| active.build.release.as_str());
    active.filter(|release| policy::is_newer(release, own)).unwrap_or(own).to_owned()
}

#[allow(clippy::needless_pass_by_value, reason = "it stands where an error is turned into another")]
fn told(error: LaunchError) -> Failure {
    (&error).into()
}

fn broken(error: StoreError) -> Failure {
    match error {
        StoreError::Disk(error) => told(error.into()),
        StoreError::Record(error) => told(LaunchError::internal(error.to_string())),
    }
}
