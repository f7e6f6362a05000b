//! The beginning of every start: the right version is begun, watched where it has to be, and taken back when it does not
//! come up.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Child, Command, ExitCode, ExitStatus};
use std::time::{Duration, Instant};

use crate::error::LaunchError;
use crate::platform::{PACKAGED, PACKAGED_VERSION, RELEASE, WATCHED};
use crate::selfupdate::place::{Me, Place};
use crate::selfupdate::pointer::{Build, State};
use crate::selfupdate::policy::{self, Begin, Kind};
use crate::selfupdate::steps::step;

/// A window that has not come up within this hangs.
const UP_WITHIN: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Each round takes a version back: there are two, and the packaged one.
const ROUNDS: usize = 4;
/// The exit status of a watched start that handed over to a window that is open already.
pub const HANDED_OVER: u8 = 86;
/// What Rust programs end with after a panic, and shells and loaders with for what cannot be started.
const BROKEN: [i32; 3] = [101, 126, 127];

/// Begins the version that is to do this start. None when that is this program; otherwise how the other one ended.
#[must_use]
pub fn begin(kind: Kind, arguments: &[OsString]) -> Option<ExitCode> {
    let me = Me::get();
    // A version that was started is the one.
    let place = me.place.as_ref().filter(|_| me.slot.is_none())?;
    for _ in 0..ROUNDS {
        let pointer = place.pointer();
        pointer.active.as_ref()?;
        step("begins");
        let is_there = |build: &Build| place.program(build).is_some();
        let mut plan = None;
        let written = place.change(|pointer| {
            let made = policy::begin(pointer, &me.own, kind, is_there);
            let pointer = made.pointer.clone();
            plan = Some(made);
            pointer
        });
        let plan = match (plan, written) {
            (Some(plan), Ok(_)) => plan.begin,
            (Some(plan), Err(error)) => {
                tracing::warn!(%error, "a start is not counted");
                plan.unwritten()
            }
            (None, _) => policy::begin(&pointer, &me.own, kind, is_there).unwritten(),
        };
        step("counted");
        let Begin::Run { build, watch } = plan else { return None };
        let Some(program) = place.program(&build) else { continue };
        let mut command = Command::new(program);
        command.args(arguments).env(PACKAGED, &me.packaged).env(PACKAGED_VERSION, &me.own);
        command.env(RELEASE, &build.release).env_remove(WATCHED);
        if kind == Kind::Window {
            crate::platform::without_console(&mut command);
        }
        let ended =
            if watch { watched(place, &build, kind, command.env(WATCHED, "1")) } else { become_it(command) };
        match ended {
            Ended::Well(code) => return Some(code),
            Ended::Failed => {
                step("failed");
                if place.change(|pointer| policy::taken_back(pointer, &build)).is_err() {
                    return None;
                }
                step("taken-back");
            }
        }
    }
    None
}

enum Ended {
    /// As such programs end.
    Well(ExitCode),
    /// It did not come up.
    Failed,
}

/// Gives this process to the version; it comes back only when that cannot be.
#[cfg(unix)]
fn become_it(mut command: Command) -> Ended {
    use std::os::unix::process::CommandExt as _;
    let error = command.exec();
    tracing::warn!(%error, "a version cannot be started");
    Ended::Failed
}

/// Starts the version and ends as it does.
#[cfg(not(unix))]
fn become_it(mut command: Command) -> Ended {
    match command.status() {
        Ok(status) => Ended::Well(code_of(status)),
        Err(error) => {
            tracing::warn!(%error, "a version cannot be started");
            Ended::Failed
        }
    }
}

/// Starts the version and stays until it has come up; a command line, until its end.
fn watched(place: &Place, build: &Build, kind: Kind, command: &mut Command) -> Ended {
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => {
            tracing::warn!(%error, "a version cannot be started");
            return Ended::Failed;
        }
    };
    step("started");
    match kind {
        Kind::Line => match child.wait() {
            Ok(status) if !has_crashed(status) => Ended::Well(code_of(status)),
            // One that had proven itself before the crash has a bug like any other.
            Ok(status) if is_up(place, build, kind) => Ended::Well(code_of(status)),
            _ => Ended::Failed,
        },
        Kind::Window => window(place, build, &mut child),
    }
}

fn window(place: &Place, build: &Build, child: &mut Child) -> Ended {
    let end = Instant::now() + patience(UP_WITHIN);
    loop {
        let ended = child.try_wait();
        // Nobody has to wait for a window that is there.
        if is_up(place, build, Kind::Window) {
            return Ended::Well(match ended {
                Ok(Some(status)) => code_of(status),
                _ => ExitCode::SUCCESS,
            });
        }
        match ended {
            Ok(Some(status)) if status.code() == Some(i32::from(HANDED_OVER)) => {
                let _ = place.change(|pointer| policy::not_counted(pointer, build));
                return Ended::Well(ExitCode::SUCCESS);
            }
            Ok(Some(status)) if was_ended(status) => return Ended::Well(code_of(status)),
            Ok(Some(_)) | Err(_) => return Ended::Failed,
            Ok(None) if Instant::now() < end => std::thread::sleep(LOOK_EVERY),
            Ok(None) => {
                let _ = child.kill();
                let _ = child.wait();
                return Ended::Failed;
            }
        }
    }
}

/// Whether the version has come up since it was last taken for a trial, or is no longer what starts.
fn is_up(place: &Place, build: &Build, kind: Kind) -> bool {
    let pointer = place.pointer();
    let active = pointer.active.as_ref().filter(|active| active.build == *build);
    active.is_some_and(|active| match kind {
        Kind::Window => active.state == State::Good,
        Kind::Line => active.is_proven(),
    })
}

/// The time given, but in the tests' build what they say.
pub(super) fn patience(usual: Duration) -> Duration {
    if cfg!(feature = "inspection") {
        let told = std::env::var("SAMARA_SELF_PATIENCE_MS").ok().and_then(|text| text.parse().ok());
        return told.map_or(usual, Duration::from_millis);
    }
    usual
}

fn code_of(status: ExitStatus) -> ExitCode {
    // A signal has no code: 128 and its number is what shells say.
    let code = status.code().unwrap_or_else(|| 128 + signal(status).unwrap_or(0));
    ExitCode::from(u8::try_from(code & 0xff).unwrap_or(1))
}

#[cfg(unix)]
fn signal(status: ExitStatus) -> Option<i32> {
    std::os::unix::process::ExitStatusExt::signal(&status)
}

#[cfg(not(unix))]
fn signal(_status: ExitStatus) -> Option<i32> {
    None
}

/// Somebody ended it, who may have had his reasons: SIGHUP, SIGINT, SIGKILL or SIGTERM.
fn was_ended(status: ExitStatus) -> bool {
    signal(status).is_some_and(|signal| matches!(signal, 1 | 2 | 9 | 15))
}

/// It ended as no program of ours does. On Windows, what the system ends a program with is an error of its own.
fn has_crashed(status: ExitStatus) -> bool {
    match status.code() {
        Some(code) => BROKEN.contains(&code) || (cfg!(windows) && code < 0),
        None => !was_ended(status),
    }
}

/// This program has come up: its window was painted, or its command line is at work. Nothing changes for the packaged one.
pub fn came_up(kind: Kind) {
    let me = Me::get();
    if let (Some(place), Some(slot)) = (&me.place, me.slot) {
        step("up");
        if let Err(error) = place.change(|pointer| policy::came_up(pointer, (slot, &me.release), kind)) {
            tracing::warn!(%error, "that this version has come up is not remembered");
        }
        step("good");
    }
}

/// How a start ends that handed over to a window that is open.
#[must_use]
pub fn handed_over() -> ExitCode {
    let me = Me::get();
    if me.watched {
        return ExitCode::from(HANDED_OVER);
    }
    uncount(me);
    ExitCode::SUCCESS
}

fn uncount(me: &Me) {
    let (Some(place), Some(slot)) = (&me.place, me.slot) else { return };
    let active = place.pointer().active.map(|active| active.build);
    if let Some(build) = active.filter(|build| build.is(slot, &me.release)) {
        let _ = place.change(|pointer| policy::not_counted(pointer, &build));
    }
}

/// Starts the launcher anew, with whichever version is to be.
#[must_use]
pub fn again() -> ExitCode {
    match anew(&Me::get().packaged) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}: {error}", LaunchError::internal("").code());
            ExitCode::FAILURE
        }
    }
}

fn anew(program: &Path) -> std::io::Result<()> {
    let mut command = Command::new(program);
    crate::platform::not_of_ours(&mut command);
    #[cfg(unix)]
    return Err(std::os::unix::process::CommandExt::exec(&mut command));
    #[cfg(not(unix))]
    {
        crate::platform::set_apart(&mut command);
        command.spawn().map(drop)
    }
}

/// The release that was taken back, when the player was not told of it yet; now he is.
#[must_use]
pub fn untold() -> Option<String> {
    let place = Me::get().place.as_ref()?;
    let untold = place.pointer().untold?;
    let _ = place.change(|pointer| {
        let mut pointer = pointer.clone();
        pointer.untold = None;
        pointer
    });
    Some(untold)
}
