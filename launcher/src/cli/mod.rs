//! The terminal's view of the engine: arguments in, progress and results out, Ctrl-C pauses.

pub mod args;
pub mod flags;
mod human;
mod json;
mod own;
pub mod own_args;

use std::ffi::OsString;
use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::sync::Arc;

use tokio::sync::mpsc;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _};

use crate::cli::args::{Action, Cli, Deed};
use crate::cli::own_args::Own;
use crate::engine::{
    Command, Engine, EngineHandle, Event, Failure, Happened, Operation, Outcome, Snapshot, TaskId,
};
use crate::error::LaunchError;
use crate::recent::{Kept, Recent};
use crate::selfupdate::{self, Kind};

/// Exit status after an error.
const FAILED: u8 = 1;
/// Exit status after a command line that makes no sense.
const USAGE: u8 = 2;
/// Exit status of a verification that found damage and was not asked to mend it.
const DAMAGED: u8 = 3;
/// Exit status after a pause: what shells report for Ctrl-C.
const PAUSED: u8 = 130;
/// The one operation of a command line.
const TASK: TaskId = TaskId(1);

/// Runs the program: reads the command line, does it, says how it ended.
#[must_use]
pub fn main() -> ExitCode {
    let line: Vec<OsString> = std::env::args_os().collect();
    let read = Cli::read(line.clone());
    let recent = init_log();
    // A newer version may understand what this one does not.
    if let Some(kind) = kind(&read)
        && let Some(ended) = selfupdate::start::begin(kind, line.get(1..).unwrap_or_default())
    {
        return ended;
    }
    let cli = match read {
        Ok(cli) => cli,
        Err(error) if error.use_stderr() && std::env::args_os().any(|arg| arg == "--json") => {
            let mut screen = Screen { json: true, told: false, line: human::Line::new() };
            let cause = error.to_string();
            let cause = cause.strip_prefix("error: ").unwrap_or(&cause).trim().to_owned();
            screen.fail(&(&LaunchError::Usage { cause }).into());
            return ExitCode::from(USAGE);
        }
        Err(error) => {
            // Help and version go to standard output with status 0, mistakes to standard error with 2.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(USAGE));
        }
    };
    let mut screen = Screen { json: cli.json, told: false, line: human::Line::new() };
    let action = match cli.action {
        None => return window(&mut screen, cli.open.as_deref().unwrap_or_default(), recent),
        Some(Deed::Own(own)) => return own::run(&own, &mut screen),
        Some(Deed::Game(action)) => action,
    };
    if let Action::Uninstall(args) = &action
        && !args.yes
        && !confirmed(&args.at.dir)
    {
        let cause = "nothing was removed: say yes, or pass --yes".to_owned();
        screen.fail(&(&LaunchError::Usage { cause }).into());
        return ExitCode::from(FAILED);
    }
    ExitCode::from(match run(&action, &mut screen) {
        Ok(status) => status,
        Err(error) => {
            screen.fail(&(&error).into());
            FAILED
        }
    })
}

/// What is started by a newer version, if there is one; none for what the packaged program does itself: whatever has become
/// of its updates, the way back works.
fn kind(read: &Result<Cli, clap::Error>) -> Option<Kind> {
    match read {
        Ok(Cli { action: Some(Deed::Own(Own::Rollback | Own::Probe)), .. }) => None,
        #[cfg(windows)]
        Ok(Cli { action: Some(Deed::Own(Own::Setup | Own::Remove)), .. }) => None,
        // That there is nothing to show a window on is no version's fault.
        Ok(Cli { action: None, json: false, .. }) if has_display() => Some(Kind::Window),
        Ok(_) | Err(_) => Some(Kind::Line),
    }
}

fn has_display() -> bool {
    let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    !cfg!(target_os = "linux") || ["DISPLAY", "WAYLAND_DISPLAY", "WAYLAND_SOCKET"].into_iter().any(is_set)
}

/// Without a word about what to do, the window opens: that is what a click on the program does.
fn window(screen: &mut Screen, open: &str, recent: Recent) -> ExitCode {
    if screen.json {
        let cause = "say what to do: the window prints no JSON".to_owned();
        screen.fail(&(&LaunchError::Usage { cause }).into());
        return ExitCode::from(USAGE);
    }
    match crate::gui::run(open, recent) {
        Ok(crate::gui::Closed::Quit) => ExitCode::SUCCESS,
        Ok(crate::gui::Closed::HandedOver) => selfupdate::start::handed_over(),
        Ok(crate::gui::Closed::Restart) => selfupdate::start::again(),
        Err(error) => {
            screen.fail(&(&error).into());
            ExitCode::from(FAILED)
        }
    }
}

/// Logs go to standard error when `RUST_LOG` asks for them, and the last lines are kept for who asks for help.
fn init_log() -> Recent {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("off"));
    let told = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_filter(filter);
    let home = std::env::home_dir();
    let recent = Recent::new(home.as_deref());
    let log = tracing_subscriber::registry().with(told).with(recent.clone().with_filter(Kept));
    // Set already, by a test that drives us: then theirs counts.
    let _ = log.try_init();
    recent
}

fn confirmed(dir: &std::path::Path) -> bool {
    if !std::io::stdin().is_terminal() {
        return false;
    }
    eprint!("Remove the game in {}? [y/N] ", dir.display());
    let _ = std::io::stderr().flush();
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer).is_ok()
        && matches!(answer.trim().to_lowercase().as_str(), "y" | "yes")
}

fn run(action: &Action, screen: &mut Screen) -> Result<u8, LaunchError> {
    let handle = Engine::start(action.options())?;
    selfupdate::start::came_up(Kind::Line);
    if let Some(release) = selfupdate::start::untold() {
        screen.say(&LaunchError::SelfTakenBack { release }.to_string());
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| LaunchError::internal(format!("starting the terminal: {error}")))?;
    runtime.block_on(drive(handle, action.operation(), screen))
}

/// Sends the operation, shows what happens, and waits for its end.
async fn drive(handle: EngineHandle, operation: Operation, screen: &mut Screen) -> Result<u8, LaunchError> {
    let EngineHandle { commands, mut snapshot, mut events, thread } = handle;
    let gone = || LaunchError::internal("the engine ended by itself");
    let start = Command::Start { task: TASK, operation: Box::new(operation) };
    commands.send(start).await.map_err(|_| gone())?;
    let mut interrupts = interrupts();
    let mut pausing = false;
    let status = loop {
        tokio::select! {
            biased;
            event = events.recv() => {
                let Event { what, .. } = event.ok_or_else(gone)?;
                screen.draw(&snapshot.borrow_and_update());
                if let Some(status) = screen.event(what) {
                    break status;
                }
            }
            Some(()) = interrupts.recv() => {
                if pausing {
                    // Asked twice: do not make them wait. Nothing is lost, the next run recovers.
                    return Ok(PAUSED);
                }
                pausing = true;
                screen.pausing();
                let _ = commands.send(Command::Pause { task: TASK }).await;
            }
            changed = snapshot.changed() => {
                changed.map_err(|_| gone())?;
                screen.draw(&snapshot.borrow_and_update());
            }
        }
    };
    let _ = commands.send(Command::Shutdown).await;
    drop(commands);
    // It ends its connections and tells the tracker; a panic in there was reported by the runtime.
    let _ = tokio::task::spawn_blocking(move || thread.join()).await;
    Ok(status)
}

/// One message per Ctrl-C, or per SIGTERM where there is one.
fn interrupts() -> mpsc::Receiver<()> {
    let (to, interrupts) = mpsc::channel(4);
    tokio::spawn(async move {
        #[cfg(unix)]
        let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).ok();
        loop {
            #[cfg(unix)]
            let terminated = async {
                match &mut terminate {
                    Some(signal) => signal.recv().await,
                    None => std::future::pending().await,
                }
            };
            #[cfg(not(unix))]
            let terminated = std::future::pending::<Option<()>>();
            tokio::select! {
                pressed = tokio::signal::ctrl_c() => if pressed.is_err() { return },
                _ = terminated => {}
            }
            if to.send(()).await.is_err() {
                return;
            }
        }
    });
    interrupts
}

/// A verification that found damage and was not asked to mend it is a failure, though its report is a result.
fn damage(outcome: &Outcome) -> Option<Failure> {
    let Outcome::Verified(report) = outcome else { return None };
    if report.wounds.is_empty() || report.repair.is_some() {
        return None;
    }
    let bytes = report.wounds.iter().map(|wound| wound.bytes).sum();
    Some((&LaunchError::Damaged { files: report.wounds.len(), bytes }).into())
}

/// Where results and progress go.
struct Screen {
    json: bool,
    /// The result was printed: with `--json` it stays the last line, unless an error follows.
    told: bool,
    line: human::Line,
}

impl Screen {
    fn draw(&mut self, snapshot: &Arc<Snapshot>) {
        let Some(view) = snapshot.task(TASK) else { return };
        if !self.json {
            self.line.draw(view);
        } else if !self.told && !view.phase.is_final() {
            self.print(&json::progress(view));
        }
    }

    /// Shows an event; the exit status when it was the last one.
    fn event(&mut self, what: Happened) -> Option<u8> {
        match what {
            Happened::Note(_) if self.json && self.told => {}
            Happened::Note(text) => self.say(&text),
            Happened::Done { outcome, lingers } => return self.done(&outcome, lingers),
            Happened::Ended => {
                self.line.clear();
                return Some(0);
            }
            Happened::Paused => {
                self.line.clear();
                if self.json {
                    self.print(&json::paused());
                } else {
                    eprintln!("Paused. Run the same command again to go on from here.");
                }
                return Some(PAUSED);
            }
            Happened::Failed(error) => {
                self.fail(&(&*error).into());
                return Some(FAILED);
            }
        }
        None
    }

    fn done(&mut self, outcome: &Outcome, lingers: bool) -> Option<u8> {
        let damage = damage(outcome);
        self.told = true;
        if self.json {
            self.print(&json::done(outcome, damage.as_ref()));
        } else {
            self.line.clear();
            println!("{}", human::result(outcome));
            if let Some(damage) = &damage {
                self.fail(damage);
            }
        }
        match damage {
            Some(_) => Some(DAMAGED),
            None if lingers => None,
            None => Some(0),
        }
    }

    /// A line worth knowing.
    fn say(&mut self, text: &str) {
        if self.json {
            self.print(&json::note(text));
        } else {
            self.line.say(text);
        }
    }

    fn pausing(&mut self) {
        if !self.json {
            self.line.say("Stopping; press Ctrl-C again to stop at once.");
        }
    }

    fn fail(&mut self, failure: &Failure) {
        if self.json {
            self.print(&json::error(failure));
        } else {
            self.line.clear();
            eprintln!("{}: {}", failure.code, failure.message);
            eprintln!("{}", failure.advice);
        }
    }

    fn print(&self, line: &serde_json::Value) {
        // Nobody reads any more: the work goes on all the same.
        let _ = writeln!(std::io::stdout().lock(), "{line}");
    }
}
