//! The launcher for Windows updates itself, under Wine: killed at every step it comes up, old or new; what does not start is
//! taken back.
//!
//! As `e2e::self_update` on Linux, with fewer starts: each takes Wine a second.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test: it fails where something is not as it should be, and makes files"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use launcher::selfupdate::STEPS;
use rand::Rng as _;
use samara_tests::support::{Outcome, Program, Studio, Windows};
use serde_json::Value;

/// The launcher that a player has unpacked, on his disk.
const PACKAGED: &str = "package/launcher.exe";
/// What every release brings of its own, in bytes.
const FRESH: usize = 1 << 20;
const UPDATE: [&str; 3] = ["self", "update", "--no-peers"];
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
        command.args(line).arg("--json").env("SAMARA_STOP_AT", step);
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
    assert_eq!(world.run(&["self", "rollback"]).ok()["next"], env!("CARGO_PKG_VERSION"));
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
