//! Our programs for Windows, under Wine, as a player there meets them: the window, from the first question to playing a
//! new version.
//!
//! `tests/run windows` sets Wine up and builds the programs. SAMARA_PICTURES names a folder that a picture of each screen is
//! kept in; with SAMARA_WINDOWS_FREECIV=1 the game is freeciv, of which each file takes Wine its time.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test: it fails where something is not as it should be, and makes files"
)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use egui::{Key, Modifiers};
use samara_tests::fixtures::{GameSize, generate_release};
use samara_tests::support::{Display, Studio, Window, Windows, freeciv};

/// A player's screen.
struct Screen {
    window: Window,
    display: Display,
    pictures: Option<PathBuf>,
}

impl Screen {
    fn open(display: Display, windows: &Windows) -> Screen {
        let window = Window::open_with(&windows.path(""), on(&display, windows));
        let pictures = env::var_os("SAMARA_PICTURES").map(PathBuf::from);
        Screen { window, display, pictures }
    }

    /// Keeps what can be seen now, if somebody wants to look at it.
    fn keep(&mut self, name: &str) {
        let Some(folder) = &self.pictures else { return };
        // The first frame that was asked for may show what was before it.
        let _ = (self.window.tree(), self.window.tree());
        self.display.picture().keep(&folder.join(format!("{name}.png")));
    }
}

/// The launcher on this display.
fn on(display: &Display, windows: &Windows) -> Command {
    let mut command = windows.command("launcher.exe");
    command.env("DISPLAY", display.name()).env("LIBGL_ALWAYS_SOFTWARE", "1");
    command
}

/// Two releases of a game.
fn builds(studio: &Studio) -> [(&'static str, PathBuf); 2] {
    if env::var_os("SAMARA_WINDOWS_FREECIV").is_some() {
        let builds = freeciv().unwrap();
        return [0, 1].map(|at: usize| builds[at].clone());
    }
    [("1.0", 1), ("1.1", 2)].map(|(version, release)| {
        let generated = studio.scratch(&format!("generated-{version}"));
        generate_release(&generated, GameSize::Small, release).unwrap();
        (version, generated)
    })
}

/// A copy of a build with the stub in it; its files are the build's own, by hard links.
fn with_stub(build: &Path, stub: &Path, to: PathBuf) -> PathBuf {
    assert!(Command::new("cp").arg("-al").arg(build).arg(&to).status().unwrap().success());
    fs::copy(stub, to.join("play.exe")).unwrap();
    to
}

fn publish(studio: &Studio, build: &Path, version: &str) {
    let plain = ["--base", "none", "--full", "never", "--launch", "windows=play.exe"];
    let _ = studio.try_publish(build, version, &plain).ok();
}

#[test]
fn from_the_first_question_to_playing_the_next_version() {
    let studio = Studio::new("maple");
    let Some(windows) = Windows::start(studio.scratch("windows")) else { return };
    let display = Display::start().unwrap();
    let stub = windows.stub();
    let [old, new] = builds(&studio).map(|(version, build)| {
        (version, with_stub(&build, &stub, studio.scratch(&format!("build-{version}"))))
    });
    publish(&studio, &old.1, old.0);
    let _seedbox = studio.serve();
    fs::copy(studio.root(), windows.path("root.json")).unwrap();
    let game = windows.data().join("samara/games/maple");

    let mut screen = Screen::open(display, &windows);
    screen.window.wait_to_have("Yes, share");
    screen.keep("1-first-question");
    screen.window.press("Yes, share");
    screen.window.wait_to_have("Add a game");
    screen.keep("2-empty-library");
    screen.window.press("Add a game");
    screen.window.type_into("Address of the game’s server", &studio.url());
    screen.window.type_into("Name of the game there", studio.game());
    screen.window.type_into("The studio’s key file (root.json)", &windows.seen("root.json"));
    screen.keep("3-add-a-game");
    screen.window.press("Continue");
    screen.window.wait_to_say("Compare it");
    screen.keep("4-fingerprint");
    screen.window.press("It is the same: add the game");
    screen.window.wait_to_have("maple, ");
    screen.keep("5-library");
    screen.window.press("maple, ");
    screen.window.wait_to_have("Install");
    screen.keep("6-page");
    screen.window.press("Install");
    screen.window.wait_to_say("What it takes");
    screen.window.wait_for("what it takes", |tree| (!tree.says("Working it out")).then_some(()));
    screen.keep("7-what-it-takes");
    screen.window.press("Install");
    screen.window.wait_to_have("Play");
    screen.keep("8-installed");
    assert_same_content(&old.1, &game);
    play(&mut screen, &windows, "9-playing");

    publish(&studio, &new.1, new.0);
    screen.window.key(Key::F5, Modifiers::NONE);
    screen.window.wait_to_have("Update");
    screen.keep("10-update-offered");
    screen.window.press("Update");
    screen.window.wait_to_say(&format!("Installed: version {}", new.0));
    screen.window.wait_to_have("Play");
    screen.keep("11-updated");
    assert_same_content(&new.1, &game);
    windows.close_gate();
    play(&mut screen, &windows, "12-playing-again");
    screen.window.press("Settings");
    screen.window.wait_to_say("Version ");
    screen.keep("13-settings");
    screen.window.quit();
}

/// That an install is the build; a mark that a file can be run is none that Windows has.
fn assert_same_content(build: &Path, install: &Path) {
    let done =
        Command::new("diff").args(["-rq", "--exclude=.samara"]).arg(build).arg(install).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stdout));
}

fn play(screen: &mut Screen, windows: &Windows, picture: &str) {
    screen.window.press("Play");
    screen.window.wait_to_say("Waiting for play.exe to end");
    screen.keep(picture);
    windows.open_gate();
    screen.window.wait_to_have("Play");
}
