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
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use egui::{Key, Modifiers};
use samara_tests::fixtures::{GameSize, generate_release};
use samara_tests::package::{self, Given, Target};
use samara_tests::support::{Display, Studio, Window, Windows, freeciv};

/// A player's screen.
struct Screen {
    window: Window,
    display: Display,
    pictures: Option<PathBuf>,
}

impl Screen {
    fn open(display: Display, windows: &Windows) -> Screen {
        let window = Window::open_with(&windows.path(""), on(&display, windows.command("launcher.exe")));
        Screen::of(window, display)
    }

    fn of(window: Window, display: Display) -> Screen {
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

/// A program, on this display.
fn on(display: &Display, mut command: Command) -> Command {
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
    let stub = windows.build("play.c", "");
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
    closes_to_tray(screen, &windows);
}

/// Closes the window and has it back from the icon and from a second start; then quits in the icon's menu.
fn closes_to_tray(mut screen: Screen, windows: &Windows) {
    let _ = windows.build("tray.c", "");
    // (It asks Windows what is seen: without a window manager Wine leaves a hidden window on the display.)
    let run = |program: &str, words: &[&str]| {
        let done = on(&screen.display, windows.command(program)).args(words).output().unwrap();
        assert!(done.status.success(), "{words:?}: {}", String::from_utf8_lossy(&done.stderr));
    };
    let does = |words: &str| run("./tray.exe", &words.split(' ').collect::<Vec<_>>());
    does("close Samara");
    screen.window.wait_to_say("Version ");
    does("click Samara");
    does("close Samara");
    run("launcher.exe", &[]);
    does("shown Samara");
    does("close Samara");
    does("quit");
    screen.window.wait_for_end();
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

#[test]
fn a_package_sets_itself_up_opens_links_and_is_removed() {
    let studio = Studio::new("maple");
    let Some(windows) = Windows::start(studio.scratch("windows")) else { return };
    let display = Display::start().unwrap();
    let brand = studio.scratch("brand.toml");
    fs::write(&brand, "name = \"Maple: Games\"\n").unwrap();
    let given = Given { file: &windows.launcher(), for_tests: true };
    let made = package::make(&studio.scratch("made"), Some(&brand), Target::Windows, Some(given)).unwrap();
    let mut unpack = Command::new("python3");
    unpack.args(["-m", "zipfile", "-e"]).arg(&made[0]).arg(windows.path("downloads"));
    assert!(unpack.status().unwrap().success());
    let unpacked = windows.seen(&format!("downloads/maple-games-{}", env!("CARGO_PKG_VERSION")));
    let home = windows.path("");

    // A click on setup.cmd; then its window is there.
    let setup = windows.shell(&format!(r"wine cmd /c '{unpacked}\setup.cmd'"));
    let mut screen = Screen::of(Window::open_with(&home, on(&display, setup)), display);
    screen.window.wait_to_say("Maple: Games");
    screen.keep("14-set-up");
    screen.window.press("No, only download");
    assert!(!windows.running("/Programs/maple-games/samara.exe").is_empty());
    fs::remove_dir_all(windows.path("downloads")).unwrap();
    // A click on a link goes to it. (Wine itself looks for such entries among those of the whole machine alone.)
    let _seedbox = studio.serve();
    let opens = registered(&windows, r"HKCU\Software\Classes\samara\shell\open\command", "/ve");
    assert!(opens.ends_with(r#"\Programs\maple-games\samara.exe" "%1""#), "{opens}");
    let link = format!("samara://add?repo={}&game=maple", studio.url());
    windows.sh(&format!("wine {}", opens.replace('"', "'").replace("%1", &link)));
    screen.window.wait_to_say("Compare it");
    screen.keep("15-link");
    let Screen { window, display, .. } = screen;
    window.quit();

    // The entry in the start menu.
    let menu = r"C:\users\root\AppData\Roaming\Microsoft\Windows\Start Menu\Programs";
    let entry = windows.shell(&format!(r"wine start '{menu}\Maple  Games.lnk'"));
    let mut window = Window::open_with(&home, on(&display, entry));
    window.wait_to_have("Add a game");
    window.quit();
    let end = Instant::now() + Duration::from_secs(60);
    while !windows.running("/Programs/").is_empty() {
        assert!(Instant::now() < end, "the window stays");
        thread::sleep(Duration::from_millis(50));
    }

    // What Windows runs to remove it.
    let key = r"HKCU\Software\Microsoft\Windows\CurrentVersion\Uninstall\maple-games";
    let line = registered(&windows, key, "/v UninstallString");
    assert_eq!(line, r#""C:\users\root\AppData\Local\Programs\maple-games\launcher.exe" self remove"#);
    windows.sh(&format!("wine {}", line.replace('"', "'")));
    for key in [key, r"HKCU\Software\Classes\samara", r"HKCU\Software\Classes\samara-file"] {
        windows.sh(&format!("! wine reg query '{key}'"));
    }
    let programs = windows.data().join("Programs");
    assert_eq!(fs::read_dir(&programs).unwrap().count(), 0);
    assert!(!windows.path("AppData/Roaming/Microsoft/Windows/Start Menu/Programs/Maple  Games.lnk").exists());
    assert!(windows.data().join("samara/settings.json").exists(), "the player's records stay");
}

/// The text of an entry of the registry.
fn registered(windows: &Windows, key: &str, entry: &str) -> String {
    let told = windows.sh(&format!("wine reg query '{key}' {entry}"));
    told.split("REG_SZ").nth(1).unwrap().trim().to_owned()
}
