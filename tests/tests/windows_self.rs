//! The launcher for Windows updates itself, under Wine, its window too: killed at every step it comes up, old or new; what
//! does not start is taken back.
//!
//! As `e2e::self_update` on Linux, with fewer starts: each takes Wine a second.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test: it fails where something is not as it should be, and makes files"
)]

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use launcher::selfupdate::STEPS;
use rand::Rng as _;
use samara_tests::support::{Display, Outcome, Program, Studio, Window, Windows, patience};
use serde_json::Value;

/// The launcher that a player has unpacked, on his disk.
const PACKAGED: &str = "package/launcher.exe";
/// What every release brings of its own, in bytes.
const FRESH: usize = 1 << 20;
const UPDATE: [&str; 3] = ["self", "update", "--no-peers"];
/// The package's own version.
const OWN: &str = env!("CARGO_PKG_VERSION");
/// A command that does nothing but start an engine.
const ANY: [&str; 3] = ["status", "--dir", "nowhere"];

/// A studio that publishes a launcher, and one player's package of it.
struct World {
    studio: Studio,
    windows: Windows,
    killed: BTreeSet<&'static str>,
}

impl World {
    fn new() -> Option<World> {
        let studio = Studio::new("samara-launcher");
        let windows = Windows::start(studio.scratch("windows"))?;
        let program = windows.launcher();
        let package = windows.path("package");
        fs::create_dir(&package).unwrap();
        fs::hard_link(program, package.join("launcher.exe")).unwrap();
        fs::copy(studio.root(), package.join("root.json")).unwrap();
        let brand = format!("[update]\nurl = {:?}\nroot = \"root.json\"\n", studio.url());
        fs::write(package.join("brand.toml"), brand).unwrap();
        Some(World { studio, windows, killed: BTreeSet::new() })
    }

    fn publish(&self, version: &str, program: PathBuf) {
        let build = self.studio.scratch("build");
        fs::create_dir_all(build.join("bin")).unwrap();
        fs::hard_link(program, build.join("bin/launcher.exe")).unwrap();
        let mut fresh = vec![0; FRESH];
        rand::rng().fill_bytes(&mut fresh);
        fs::write(build.join("fresh.bin"), fresh).unwrap();
        let plain = ["--base", "none", "--full", "never", "--launch", "windows=bin/launcher.exe"];
        let _ = self.studio.try_publish(&build, version, &plain).ok();
        fs::remove_dir_all(build).unwrap();
    }

    fn run(&self, line: &[&str]) -> Outcome {
        self.windows.run(PACKAGED, line)
    }

    /// Has this release ready to start.
    fn update(&self, release: &str) {
        let done = self.run(&UPDATE);
        assert_eq!((&done.ok()["outcome"], &done.ok()["release"]), (&"ready".into(), &release.into()));
    }

    /// The launcher comes up and does its work, as this version: none for the packaged one.
    #[track_caller]
    fn works(&self, version: Option<&str>) -> Outcome {
        let used = self.run(&ANY);
        used.failed("E-FOLDER-MISSING");
        let active = self.record()["active"].clone();
        match version {
            Some(version) => {
                assert_eq!(
                    (&active["build"]["release"], &active["state"]),
                    (&version.into(), &"works".into())
                );
            }
            None => assert!(active.is_null(), "{active}"),
        }
        used
    }

    /// Which version starts, as the launcher has noted it.
    fn record(&self) -> Value {
        let place = fs::read_dir(self.windows.data().join("samara/self"));
        let record =
            place.ok().and_then(|mut place| fs::read(place.next()?.ok()?.path().join("pointer.json")).ok());
        record.map_or(Value::Null, |record| serde_json::from_slice(&record).unwrap())
    }

    /// Kills whoever says that it has come to this step, with SIGKILL: the packaged launcher, or the one in a slot.
    #[track_caller]
    fn kill_at(&mut self, step: &'static str, line: &[&str], who: &str) {
        let mut command = self.windows.command(PACKAGED);
        command.args(line).arg("--json");
        self.kill_command_at(step, command, who);
    }

    #[track_caller]
    fn kill_command_at(&mut self, step: &'static str, mut command: Command, who: &str) {
        command.env("SAMARA_STOP_AT", step);
        let mut program = Program::spawn(command);
        program.wait_for(step, |event| event["event"] == "stopped" && event["at"] == step);
        self.windows.kill(who);
        // Whom it has started goes on.
        let _ = program.finish();
        self.killed.insert(step);
    }
}

/// Parts of a path: of the package, and of the slots that updates are installed into.
const PACKAGE: &str = "/package/";
const SLOT: &str = "/self/";

#[test]
fn killed_at_every_step_the_launcher_comes_up() {
    let Some(mut world) = World::new() else { return };
    let (liar, mute) = (world.windows.build("liar.c", ""), world.windows.build("liar.c", "-DMUTE"));
    let good = world.windows.path("launcher.exe");
    world.publish("0.2", good);
    let _seedbox = world.studio.serve();

    for step in ["offered", "prepared", "installed", "well"] {
        world.kill_at(step, &UPDATE, PACKAGE);
        world.works(None);
    }
    world.kill_at("switched", &UPDATE, PACKAGE);
    // Killed again and again, further on each time; in the end the new version is alone, and does the work.
    for step in ["begins", "counted", "started"] {
        world.kill_at(step, &ANY, PACKAGE);
    }
    world.works(Some("0.2"));
    assert_eq!(world.run(&["self", "rollback"]).ok()["next"], OWN);
    world.update("0.2");
    for step in ["up", "good"] {
        world.kill_at(step, &ANY, SLOT);
        world.works(Some("0.2"));
    }

    // It does not even answer.
    world.publish("0.3", mute);
    world.run(&UPDATE).failed("E-SELF-FAILED");
    assert_eq!(world.run(&UPDATE).ok()["outcome"], "refused", "once is enough");
    world.works(Some("0.2"));
    // It answers, and crashes when it is used.
    for (version, step) in [("0.4", Some("failed")), ("0.5", Some("taken-back")), ("0.6", None)] {
        world.publish(version, liar.clone());
        world.update(version);
        if let Some(step) = step {
            world.kill_at(step, &ANY, PACKAGE);
        }
        let used = world.works(Some("0.2"));
        assert!(used.notes().iter().any(|note| note.contains(version)), "the player is told: {used}");
    }
    assert!(world.works(Some("0.2")).notes().is_empty(), "once");
    assert_eq!(world.killed, BTreeSet::from(STEPS));
}

/// The player's screen, with the window on it.
struct Screen {
    display: Display,
    world: World,
}

impl Screen {
    /// The window, as a click on the program starts it.
    fn command(&self) -> Command {
        let mut command = self.world.windows.command(PACKAGED);
        command.env("DISPLAY", self.display.name()).env("LIBGL_ALWAYS_SOFTWARE", "1");
        command
    }

    fn open_with(&self, command: Command) -> Window {
        Window::open_with(&self.world.windows.path(""), command)
    }

    /// Opens the window of this version, has it work until it comes to this step, and ends all of it, as a power cut does.
    fn kill_window_at(&mut self, step: &'static str, release: &str) {
        let mut command = self.command();
        command.env("SAMARA_STOP_AT", step);
        let mut window = self.open_with(command);
        is_version(&mut window, release);
        let stopped = window.stopped();
        window.press_until(&["Update to version", "Check for updates"], |_| stopped());
        self.world.killed.insert(step);
        self.power_cut();
    }

    /// Starts the program, which kills itself at this step before there is a window.
    fn kill_start_at(&mut self, step: &'static str) {
        let command = self.command();
        self.world.kill_command_at(step, command, PACKAGE);
        self.power_cut();
    }

    fn running(&self) -> Vec<OsString> {
        [PACKAGE, SLOT].iter().flat_map(|part| self.world.windows.running(part)).collect()
    }

    /// Presses the button; the window that comes up then is this version's.
    #[track_caller]
    fn restart(&self, window: &mut Window, release: &str) {
        let before = self.running();
        window.press("Restart now");
        // Under Wine the next one holds the old one's end of our connection, and does not answer on it.
        wait_until(|| !self.running().iter().any(|pid| before.contains(pid)));
        window.meet_next();
        is_version(window, release);
    }

    /// Ends all of it. Who starts others comes first; some end by themselves meanwhile.
    fn power_cut(&self) {
        wait_until(|| {
            let pids = self.running();
            let _ = Command::new("kill").arg("-9").args(&pids).stderr(Stdio::null()).status();
            pids.is_empty()
        });
    }

    fn quit(&self, window: Window) {
        window.quit();
        // One that still closes would be handed the next start.
        wait_until(|| self.running().is_empty());
    }
}

#[track_caller]
fn wait_until(is_so: impl Fn() -> bool) {
    let end = Instant::now() + patience();
    while !is_so() {
        assert!(Instant::now() < end, "the programs do not end");
        thread::sleep(Duration::from_millis(20));
    }
}

/// The settings say this version; they stay open.
#[track_caller]
fn is_version(window: &mut Window, release: &str) {
    window.press("Settings");
    let said = format!("Version {release}");
    window.wait_for(&said, |tree| tree.reads(&said).then_some(()));
}

/// Has the release fetched that is offered by itself, or asks for it.
#[track_caller]
fn fetch(window: &mut Window, release: &str) {
    let (offer, ready) =
        (format!("Update to version {release}"), format!("Version {release} runs from the next start on"));
    window.press_until(&[&offer, "Check for updates"], |tree| tree.says(&ready));
}

#[test]
fn the_window_updates_itself_and_comes_up_whatever_happens() {
    let Some(world) = World::new() else { return };
    let Some(display) = Display::start() else { return };
    // (Of one that crashes, Wine would tell in a window of its own.)
    let (ends, hangs) = (world.windows.build("liar.c", "-DENDS"), world.windows.build("liar.c", "-DHANGS"));
    world.publish("0.2", world.windows.path("launcher.exe"));
    let _seedbox = world.studio.serve();
    let mut screen = Screen { display, world };
    let mut window = screen.open_with(screen.command());
    window.press("No, only download");
    screen.quit(window);

    // Each time the window before comes up, until the new version is there.
    for step in ["offered", "prepared", "installed", "well", "switched"] {
        screen.kill_window_at(step, OWN);
    }
    screen.kill_start_at("begins");
    screen.kill_window_at("up", "0.2");
    screen.kill_window_at("good", "0.2");
    let mut command = screen.command();
    // None that works is watched: this is a step of the start after the next.
    command.env("SAMARA_STOP_AT", "started");
    let mut window = screen.open_with(command);
    is_version(&mut window, "0.2");
    // While it looks for updates by itself, it does not go back.
    window.press_until(&["Go back to version"], |tree| tree.has("Restart now"));
    screen.restart(&mut window, OWN);
    fetch(&mut window, "0.2");
    // It comes up, and who has started it is killed.
    let stopped = window.stopped();
    screen.restart(&mut window, "0.2");
    window.wait_for("who has started it", |_| stopped().then_some(()));
    screen.world.windows.kill(PACKAGE);
    screen.world.killed.insert("started");

    // One that ends.
    screen.world.publish("0.3", ends);
    fetch(&mut window, "0.3");
    screen.quit(window);
    for step in ["failed", "taken-back"] {
        screen.kill_start_at(step);
    }
    let mut window = screen.open_with(screen.command());
    window.wait_to_say("A new version of the launcher was taken back");
    is_version(&mut window, "0.2");
    // One that hangs.
    screen.world.publish("0.4", hangs);
    fetch(&mut window, "0.4");
    screen.quit(window);
    screen.kill_start_at("counted");
    let mut command = screen.command();
    command.env("SAMARA_SELF_PATIENCE_MS", "1000");
    let mut window = screen.open_with(command);
    window.wait_to_say("A new version of the launcher was taken back");
    is_version(&mut window, "0.2");
    window.press("Check for updates");
    window.wait_to_say("but it did not start here");
    screen.quit(window);
    assert_eq!(screen.world.killed, BTreeSet::from(STEPS));
}
