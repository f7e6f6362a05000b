//! The launcher updates itself: from its package's repository alone, tried before it is used, taken back when it does not
//! start; killed at every step, it comes up each time, old or new.
//!
//! `SAMARA_SEED` repeats a run's choices (the moments themselves are the machine's); `SAMARA_KILLS` sets how many kills.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test: it fails where something is not as it should be, makes files and looks at the clock"
)]

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use launcher::selfupdate::STEPS;
use rand::{Rng as _, RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use samara_tests::support::{Display, Outcome, Program, Studio, Window, binary};
use serde_json::Value;

const KILLS: usize = 20;
const SIGKILL: i32 = 9;
/// The package's own version.
const OWN: &str = env!("CARGO_PKG_VERSION");
/// Says that it is well, then fails as told.
const LIAR: &str = "#!/bin/sh\n[ \"$2\" = probe ] && echo 'samara launcher is well' && exit 0\n";
/// Steps of the update itself; the others are of the start after it.
const OF_UPDATE: &[&str] = STEPS.split_at(5).0;
/// What every release brings of its own, in bytes.
const FRESH: usize = 4 << 20;

/// A studio that publishes a launcher, and one player's package of it.
struct World {
    studio: Studio,
    /// The launcher, without what only a debugger reads.
    program: PathBuf,
}

impl World {
    fn new() -> World {
        let studio = Studio::new("samara-launcher");
        let program = studio.scratch("program");
        let stripped = Command::new("strip").arg("-o").arg(&program).arg(binary("launcher")).status();
        if !stripped.is_ok_and(|done| done.success()) {
            fs::copy(binary("launcher"), &program).unwrap();
        }
        let world = World { studio, program };
        world.package("package", &world.studio);
        world
    }

    /// Unpacks the launcher as `trusted` gives it away.
    fn package(&self, name: &str, trusted: &Studio) -> PathBuf {
        let folder = self.studio.scratch(name);
        fs::create_dir_all(&folder).unwrap();
        fs::hard_link(&self.program, folder.join("launcher")).unwrap();
        fs::copy(trusted.root(), folder.join("launcher-root.json")).unwrap();
        let url = self.studio.url();
        let brand = format!("[update]\nurl = {url:?}\nroot = \"launcher-root.json\"\n");
        fs::write(folder.join("brand.toml"), brand).unwrap();
        folder
    }

    fn home(&self) -> PathBuf {
        self.studio.scratch("home")
    }

    /// The folder of this package's updates; there is one package.
    fn place(&self) -> PathBuf {
        let mut found = fs::read_dir(self.home().join("data/samara/self")).unwrap();
        found.next().unwrap().unwrap().path()
    }

    /// Publishes a launcher that works, or one that is this script.
    fn publish(&self, version: &str, script: Option<&str>) {
        let build = self.studio.scratch("build");
        fs::create_dir_all(build.join("bin")).unwrap();
        let program = build.join("bin/launcher");
        match script {
            None => fs::hard_link(&self.program, &program).unwrap(),
            Some(script) => {
                fs::write(&program, script).unwrap();
                fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
            }
        }
        let mut fresh = vec![0; FRESH];
        rand::rng().fill_bytes(&mut fresh);
        fs::write(build.join("fresh.bin"), fresh).unwrap();
        let plain = ["--base", "none", "--full", "never", "--launch", "bin/launcher"];
        let _ = self.studio.try_publish(&build, version, &plain).ok();
        fs::remove_dir_all(build).unwrap();
    }

    fn command(&self, package: &str, line: &[&str], stop_at: Option<&str>) -> Program {
        let mut command = Command::new(self.studio.scratch(package).join("launcher"));
        command.args(line).arg("--json");
        command.env("XDG_DATA_HOME", self.home().join("data")).env("HOME", self.home());
        command.env("NO_PROXY", "127.0.0.1").env("no_proxy", "127.0.0.1");
        command.env("SAMARA_SELF_PATIENCE_MS", "20000").env_remove("DISPLAY").env_remove("WAYLAND_DISPLAY");
        if let Some(step) = stop_at {
            command.env("SAMARA_STOP_AT", step);
        }
        Program::spawn(command)
    }

    /// The window, as its package starts it.
    fn window(&self, display: &Display) -> Command {
        let mut command = display.player(&self.home(), &self.studio.scratch("package/launcher"));
        command.env("SAMARA_SELF_PATIENCE_MS", "20000");
        command
    }

    fn run(&self, line: &[&str]) -> Outcome {
        self.command("package", line, None).finish()
    }

    fn update(&self) -> Outcome {
        self.run(&["self", "update", "--no-peers"])
    }

    /// The launcher comes up and says who it is.
    fn status(&self) -> Value {
        self.run(&["self", "status"]).ok().clone()
    }

    /// A command that does nothing but start an engine.
    const ANY: [&str; 3] = ["status", "--dir", "nowhere"];

    /// The version that does the player's work.
    fn works(&self) -> Value {
        self.run(&Self::ANY).failed("E-FOLDER-MISSING");
        self.status()
    }

    /// Has the new version used once, so that it counts as one that works.
    fn install(&self, version: &str) {
        self.publish(version, None);
        let done = self.update();
        assert_eq!((&done.ok()["outcome"], &done.ok()["release"]), (&"ready".into(), &version.into()));
        let status = self.works();
        assert_eq!((&status["running"], &status["state"]), (&version.into(), &"works".into()), "{status}");
    }
}

#[test]
fn an_update_comes_from_the_packages_repository_and_can_be_undone() {
    let world = World::new();
    let before = fs::metadata(&world.program).unwrap().modified().unwrap();
    let status = world.status();
    assert_eq!((&status["running"], &status["next"]), (&OWN.into(), &OWN.into()), "{status}");
    assert_eq!(status["repo"], format!("{}/", world.studio.url()));
    world.run(&["self", "update"]).failed("E-OFFLINE");
    world.run(&["self", "rollback"]).failed("E-SELF-NOTHING");
    world.publish("0.0.9", None);
    let _seedbox = world.studio.serve();
    assert_eq!(world.update().ok()["outcome"], "newest", "an older one is none");

    world.publish("0.2", None);
    assert_eq!(world.run(&["self", "check"]).ok()["outcome"], "offered");
    assert_eq!(world.status()["next"], OWN, "it was only asked");
    assert_eq!(world.update().ok()["outcome"], "ready");
    let status = world.status();
    assert_eq!((&status["running"], &status["packaged"]), (&"0.2".into(), &OWN.into()), "{status}");
    assert_eq!(status["state"], "trial", "nobody has used it");
    assert_eq!(world.works()["state"], "works");
    assert_eq!(world.update().ok()["outcome"], "newest");
    world.install("0.3");
    assert_eq!(world.status()["previous"], "0.2");

    let back = world.run(&["self", "rollback"]);
    assert_eq!(back.ok()["next"], "0.2");
    assert_eq!(world.works()["running"], "0.2");
    assert_eq!(world.run(&["self", "rollback"]).ok()["next"], OWN);
    assert_eq!(world.works()["running"], OWN);
    assert_eq!(world.update().ok()["release"], "0.3", "he asks for it himself");
    assert_eq!(world.works()["running"], "0.3");
    assert_eq!(fs::metadata(&world.program).unwrap().modified().unwrap(), before, "the package is as it was");
}

#[test]
fn nobody_but_the_packages_root_updates_the_launcher() {
    let world = World::new();
    world.publish("0.2", None);
    let _seedbox = world.studio.serve();
    let stranger = Studio::new("samara-launcher");
    world.package("other", &stranger);
    let refused = world.command("other", &["self", "update"], None).finish();
    assert!(refused.last()["code"].as_str().unwrap().starts_with("E-TRUST-"), "{refused}");
    let status = world.command("other", &["self", "status"], None).finish();
    assert_eq!(status.ok()["next"], OWN);

    // What one package's root has vouched for is nothing to a package with another.
    world.install("0.3");
    let status = world.command("other", &["self", "status"], None).finish();
    assert_eq!(status.ok()["running"], OWN, "{status}");
    fs::remove_file(world.studio.scratch("other/brand.toml")).unwrap();
    world.command("other", &["self", "update"], None).finish().failed("E-SELF-NO-SOURCE");
    let status = world.command("other", &["self", "status"], None).finish();
    assert_eq!((&status.ok()["running"], &status.ok()["repo"]), (&OWN.into(), &Value::Null));

    // A link to the program is the program.
    symlink(world.studio.scratch("package/launcher"), world.studio.scratch("link")).unwrap();
    assert_eq!(world.status()["running"], "0.3");
}

#[test]
fn a_version_that_does_not_start_is_taken_back_by_itself() {
    let world = World::new();
    let _seedbox = {
        world.publish("0.1.1", None);
        world.studio.serve()
    };
    world.install("0.2");
    // It does not even answer.
    let mut version = 30;
    for script in
        ["#!/bin/sh\nexit 0\n", "#!/bin/sh\nkill -SEGV $$\n", "#!/nowhere\n", "\u{7f}ELF garbage", ""]
    {
        version += 1;
        let release = format!("0.{version}");
        world.publish(&release, Some(script));
        world.update().failed("E-SELF-FAILED");
        assert_eq!(world.update().ok()["outcome"], "refused", "{script:?} once is enough");
        assert_eq!(world.works()["running"], "0.2", "{script:?}");
    }
    // It answers, and crashes when it is used.
    for fails in ["kill -SEGV $$", "exit 127", "kill -ABRT $$", "exit 101"] {
        version += 1;
        let release = format!("0.{version}");
        world.publish(&release, Some(&format!("{LIAR}{fails}\n")));
        assert_eq!(world.update().ok()["release"], release.as_str());
        let used = world.run(&World::ANY);
        used.failed("E-FOLDER-MISSING");
        assert!(used.notes().iter().any(|note| note.contains(&release)), "the player is told: {used}");
        assert!(world.run(&World::ANY).notes().is_empty(), "once");
        let status = world.status();
        assert_eq!((&status["running"], &status["state"]), (&"0.2".into(), &"works".into()), "{status}");
        assert!(status["refused"].as_array().unwrap().contains(&release.into()));
    }
    // Without a display no window comes up, whatever the version.
    version += 1;
    let release = format!("0.{version}");
    world.publish(&release, Some(&format!("{LIAR}exit 1\n")));
    let _ = world.update().ok();
    assert_eq!(start_window(&world, "").code(), Some(1));
    let pointer = fs::read_to_string(world.place().join("pointer.json")).unwrap();
    let pointer: Value = serde_json::from_str(&pointer).unwrap();
    assert_eq!((&pointer["active"]["build"]["release"], &pointer["untold"]), (&release.into(), &Value::Null));
    assert_eq!(world.run(&["self", "rollback"]).ok()["next"], "0.2");
    // A window that does not come up: it ends; and of the display there is but the name, so no other one does.
    for fails in ["exit 0", "exit 3", "kill -SEGV $$"] {
        version += 1;
        let release = format!("0.{version}");
        world.publish(&release, Some(&format!("{LIAR}{fails}\n")));
        let _ = world.update().ok();
        let window = start_window(&world, ":4242");
        assert_eq!(window.code(), Some(1), "the packaged one says that there is no display");
        assert!(world.status()["refused"].as_array().unwrap().contains(&release.into()), "{fails}");
    }
    // What is there and cannot be read makes the packaged one start.
    fs::write(world.place().join("pointer.json"), "{\"version\":1,\"active\":{\"bu").unwrap();
    assert_eq!(world.works()["running"], OWN);
    world.install("0.99");
    fs::remove_dir_all(world.place().join("a")).unwrap();
    fs::remove_dir_all(world.place().join("b")).unwrap();
    assert_eq!(world.works()["running"], OWN);
    assert_eq!(world.update().ok()["release"], "0.99", "that it was removed is not its fault");
}

/// The window where there is no display of this name.
fn start_window(world: &World, display: &str) -> std::process::ExitStatus {
    let mut command = Command::new(world.studio.scratch("package/launcher"));
    command.env("XDG_DATA_HOME", world.home().join("data")).env("HOME", world.home());
    command.env("DISPLAY", display).env_remove("WAYLAND_DISPLAY").env_remove("WAYLAND_SOCKET");
    command.output().unwrap().status
}

/// Kills whoever says that it has come to this step; false when nobody does.
fn kill_at(mut program: Program, step: &str) -> bool {
    let Some(pid) = stopped_at(&mut program, step) else { return false };
    if pid == program.id() {
        assert_eq!(program.kill().status.signal(), Some(SIGKILL));
    } else {
        kill(pid);
        let _ = program.finish();
    }
    true
}

/// Waits until somebody says that it has come to this step.
fn stopped_at(program: &mut Program, step: &str) -> Option<u32> {
    loop {
        let event = program.next_event()?;
        if event["event"] == "stopped" && event["at"] == step {
            return Some(u32::try_from(event["pid"].as_u64().unwrap()).unwrap());
        }
    }
}

fn kill(pid: u32) {
    assert!(Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap().success());
}

#[test]
fn killed_at_every_step_the_launcher_comes_up() {
    let world = World::new();
    world.publish("0.1.1", None);
    let _seedbox = world.studio.serve();
    world.install("0.2");
    let (mut killed, mut minor) = (BTreeSet::new(), 2);
    for step in STEPS {
        let fails = ["failed", "taken-back"].contains(&step);
        let old = world.status()["running"].as_str().unwrap().to_owned();
        minor += 1;
        let new = format!("0.{minor}");
        world.publish(&new, fails.then(|| format!("{LIAR}kill -SEGV $$\n")).as_deref());
        let update = ["self", "update", "--no-peers"];
        if OF_UPDATE.contains(&step) {
            assert!(kill_at(world.command("package", &update, Some(step)), step), "{step} is never reached");
        } else {
            assert_eq!(world.update().ok()["release"], new.as_str());
            assert!(
                kill_at(world.command("package", &World::ANY, Some(step)), step),
                "{step} is never reached"
            );
        }
        killed.insert(step);
        let here = world.works();
        let running = here["running"].as_str().unwrap();
        assert!(running == old || running == new, "{step}: {here}");
        assert!(!fails || running == old, "{step}: {here}");
        // Whatever was left, the next update goes through.
        if !fails && running != new {
            assert_eq!(world.update().ok()["release"], new.as_str(), "{step}");
            assert_eq!(world.works()["running"], new.as_str(), "{step}");
        }
    }
    assert_eq!(killed.len(), STEPS.len());
    println!("killed at each of {STEPS:?}: it came up each time");
}

#[test]
fn killed_at_any_moment_the_launcher_comes_up() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seed = number("SAMARA_SEED").unwrap_or_else(|| rand::rng().random());
    let wanted = number("SAMARA_KILLS").map_or(KILLS, |kills| usize::try_from(kills).unwrap());
    println!("SAMARA_SEED={seed}");
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let world = World::new();
    world.publish("0.1.1", None);
    let _seedbox = world.studio.serve();
    let begun = Instant::now();
    world.install("0.2");
    let mut whole = begun.elapsed();
    let (mut kills, mut releases, mut seen) = (0, 2, [0; 2]);
    while kills < wanted {
        releases += 1;
        let (old, new) = (world.status()["running"].clone(), format!("0.{releases}"));
        world.publish(&new, None);
        let mut here = old.clone();
        for _ in 0..6 {
            let mut update = world.command("package", &["self", "update", "--no-peers"], None);
            let end = Instant::now() + whole.mul_f64(rng.random::<f64>());
            while let Ok(Some(_)) = update.next_until(end) {}
            kills += usize::from(update.kill().status.signal() == Some(SIGKILL));
            if rng.random_bool(0.3) {
                // The start is killed, too.
                let mut start = world.command("package", &World::ANY, None);
                let end = Instant::now() + Duration::from_millis(rng.random_range(0..100));
                while let Ok(Some(_)) = start.next_until(end) {}
                kills += usize::from(start.kill().status.signal() == Some(SIGKILL));
            }
            let status = world.works();
            here = status["running"].clone();
            assert!(here == old || here == new.as_str(), "{status}");
            seen[usize::from(here == new.as_str())] += 1;
            if here == new.as_str() {
                break;
            }
        }
        if here != new.as_str() {
            let begun = Instant::now();
            assert_eq!(world.update().ok()["release"], new.as_str());
            whole = begun.elapsed();
            assert_eq!(world.works()["running"], new.as_str());
        }
        assert!(Path::new(&world.place().join("a")).exists());
    }
    println!(
        "{kills} kills of {} updates: {} times the old one came up, {} times the new",
        releases - 2,
        seen[0],
        seen[1]
    );
}

/// Has the release fetched that is offered by itself, or was asked for, and starts the launcher anew.
fn update_in_window(window: &mut Window, release: &str) {
    let (offer, ready) =
        (format!("Update to version {release}"), format!("Version {release} runs from the next start on"));
    window.press_until(&[&offer, "Check for updates"], |tree| tree.says(&ready));
    window.press("Restart now");
    window.wait_for_next();
}

/// The version that the settings say.
#[track_caller]
fn version_in_window(window: &mut Window, either: [&str; 2]) -> usize {
    window.press("Settings");
    let said = |release: &str| format!("Version {release}");
    window.wait_for("its version", |tree| either.iter().position(|release| tree.reads(&said(release))))
}

#[test]
fn the_window_updates_itself_and_comes_up_whatever_happens() {
    let Some(display) = Display::start() else { return };
    let world = World::new();
    world.publish("0.2", None);
    let _seedbox = world.studio.serve();
    let mut window = Window::open_with(&world.home(), world.window(&display));
    window.press("No, only download");
    window.press("Settings");
    update_in_window(&mut window, "0.2");
    assert_eq!(version_in_window(&mut window, ["0.2", OWN]), 0);
    assert_eq!(world.status()["state"], "good", "its window was seen");

    // One that hangs before its window comes up.
    world.publish("0.3", Some(&format!("{LIAR}exec sleep 1000\n")));
    let begun = Instant::now();
    window.press("Check for updates");
    update_in_window(&mut window, "0.3");
    window.wait_to_say("A new version of the launcher was taken back");
    assert_eq!(version_in_window(&mut window, ["0.2", OWN]), 0);
    assert!(begun.elapsed() < Duration::from_secs(120));
    window.press("Check for updates");
    window.wait_to_say("but it did not start here");
    window.press("Go back to version");
    window.press("Restart now");
    window.wait_for_next();
    assert_eq!(version_in_window(&mut window, [OWN, "0.2"]), 0);
    window.quit();
}

#[test]
fn the_window_killed_at_every_step_comes_up() {
    let Some(display) = Display::start() else { return };
    let world = World::new();
    world.publish("0.1.1", None);
    let _seedbox = world.studio.serve();
    let mut window = Window::open_with(&world.home(), world.window(&display));
    window.press("No, only download");
    window.quit();
    let mut old = OWN.to_owned();
    for (minor, step) in (2..).zip(STEPS) {
        let new = format!("0.{minor}");
        let fails = ["failed", "taken-back"].contains(&step);
        world.publish(&new, fails.then(|| format!("{LIAR}kill -SEGV $$\n")).as_deref());
        kill_window_at(&world, &display, step);
        end_all(&world);
        let mut window = Window::open_with(&world.home(), world.window(&display));
        let came_up = version_in_window(&mut window, [&new, &old]);
        println!("{step}: version {} came up", if came_up == 0 { "new" } else { "old" });
        assert!(!fails || came_up == 1, "{step}");
        if !fails && came_up == 1 {
            // Whatever was left, the next update goes through.
            update_in_window(&mut window, &new);
            assert_eq!(version_in_window(&mut window, [&new, &old]), 0, "{step}");
        }
        window.quit();
        end_all(&world);
        old = if fails { old } else { new };
    }
}

/// Has the newest launcher fetched, and the window killed at this step of its own update or of the start after it.
fn kill_window_at(world: &World, display: &Display, step: &str) {
    let mut command = world.window(display);
    command.env("SAMARA_STOP_AT", step);
    if OF_UPDATE.contains(&step) {
        let mut window = Window::open_with(&world.home(), command);
        window.press("Settings");
        let stopped = window.stopped();
        window.press_until(&["Update to version", "Check for updates"], |_| stopped());
    } else {
        let _ = world.update().ok();
        // Who is left of the packaged program and its window ends when this is dropped, and by `end_all`.
        let mut program = Program::spawn(command);
        kill(stopped_at(&mut program, step).unwrap());
    }
}

/// Ends what runs from the slots: a start that was killed may have left a window behind.
fn end_all(world: &World) {
    let Ok(place) = world.place().canonicalize() else { return };
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let exe = fs::read_link(entry.path().join("exe"));
        if exe.is_ok_and(|exe| exe.starts_with(&place)) {
            let pid = entry.file_name().into_string().unwrap();
            let _ = Command::new("kill").args(["-9", &pid]).status();
        }
    }
}
