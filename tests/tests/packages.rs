//! The packages that players get, installed where nothing else is: the window has to come up.
//!
//! `tests/run packages` makes the packages and a bare Debian, and says in SAMARA_PACKAGES where they lie; without that
//! there is nothing to test here.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test: it fails where something is not as it should be, and makes files"
)]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use samara_tests::package::{self, Given, Target};
use samara_tests::support::{Display, binary};

/// A window comes up within this, or not at all; it draws in software.
const PATIENCE: Duration = Duration::from_secs(90);
const ASK_EVERY: Duration = Duration::from_millis(100);
/// A window with text in it has more colours than this; an empty display has one.
const COLORS_LEAST: usize = 20;

fn packages() -> Option<PathBuf> {
    let folder = env::var_os("SAMARA_PACKAGES").map(PathBuf::from);
    if folder.is_none() {
        eprintln!("left out: tests/run packages makes the packages");
    }
    folder
}

fn found(folder: &Path, ending: &str) -> PathBuf {
    let mut entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.find(|path| path.to_str().unwrap().ends_with(ending)).unwrap()
}

/// A bare Debian with these packages in it, by its own apt.
struct Root(PathBuf);

impl Root {
    fn with(folder: &Path, packages: &[&Path]) -> Root {
        let root = Root(folder.join("root"));
        bare().arg("fresh").arg(&root.0).run();
        let mut line = "apt-get update -qq; apt-get install -y -qq".to_owned();
        for package in packages {
            let name = package.file_name().unwrap().to_str().unwrap();
            fs::copy(package, root.0.join("opt").join(name)).unwrap();
            line.push_str(&format!(" /opt/{name}"));
        }
        root.run(&line);
        root
    }

    fn run(&self, line: &str) {
        bare().arg("in").arg(&self.0).arg(line).run();
    }

    /// A program of a player's; its errors go into a file of this name.
    fn start(&self, display: &Display, program: &str) -> Child {
        let errors = fs::File::create(self.0.join("opt/errors")).unwrap();
        let mut command = bare();
        command.arg("play").arg(&self.0).arg(format!("exec {program}")).env("DISPLAY", display.name());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(errors).spawn().unwrap()
    }

    fn errors(&self) -> String {
        fs::read_to_string(self.0.join("opt/errors")).unwrap()
    }
}

fn bare() -> Command {
    Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/bare"))
}

trait Run {
    fn run(&mut self);
}

impl Run for Command {
    fn run(&mut self) {
        let done = self.output().unwrap();
        let told = [done.stdout, done.stderr].map(|told| String::from_utf8_lossy(&told).into_owned());
        assert!(done.status.success(), "{self:?}:\n{}", told.join("\n"));
    }
}

/// Whether there is a window of this title.
fn has_window(display: &Display, title: &str) -> bool {
    let told =
        Command::new("xwininfo").args(["-root", "-tree", "-display", display.name()]).output().unwrap();
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    String::from_utf8_lossy(&told.stdout).contains(&format!("\"{title}\":"))
}

/// Waits until the window is up, with something in it. An error says why not.
fn comes_up(display: &Display, title: &str, program: &mut Child) -> Result<(), String> {
    let end = Instant::now() + PATIENCE;
    loop {
        let (is_there, colors) = (has_window(display, title), display.picture().colors());
        if is_there && colors > COLORS_LEAST {
            return Ok(());
        }
        if let Some(status) = program.try_wait().unwrap() {
            return Err(format!("it ended with {status}"));
        }
        if Instant::now() > end {
            return Err(format!("a window called {title}: {is_there}; {colors} colours"));
        }
        thread::sleep(ASK_EVERY);
    }
}

/// Ends a program and waits until its window is gone too.
fn end(display: &Display, title: &str, mut program: Child) {
    program.kill().unwrap();
    program.wait().unwrap();
    let end = Instant::now() + PATIENCE;
    while has_window(display, title) || display.picture().colors() > 1 {
        assert!(Instant::now() < end, "the window of a program that was killed stays");
        thread::sleep(ASK_EVERY);
    }
}

/// A studio's brand file, with all that it names.
fn brand(folder: &Path) -> PathBuf {
    fs::create_dir_all(folder).unwrap();
    fs::write(folder.join("root.json"), r#"{"signed":{}}"#).unwrap();
    let icon = Path::new(env!("CARGO_MANIFEST_DIR")).join("../launcher/assets/icon/samara-64.png");
    fs::copy(icon, folder.join("icon.png")).unwrap();
    let text = "name = \"Maple Games\"\nicon = \"icon.png\"\nart = \"icon.png\"\n\
                [repository]\nurl = \"http://127.0.0.1:1/\"\nroot = \"root.json\"\ngames = [\"maple\"]\n";
    fs::write(folder.join("brand.toml"), text).unwrap();
    folder.join("brand.toml")
}

#[test]
fn a_debian_package_brings_all_that_its_window_needs() {
    let Some(packages) = packages() else { return };
    let Some(display) = Display::start() else { return };
    let temp = tempfile::tempdir().unwrap();
    let deb = found(&packages, "_amd64.deb");
    // Of a studio: the same program with its brand.
    let unpacked = temp.path().join("unpacked");
    Command::new("dpkg-deb").arg("--extract").arg(&deb).arg(&unpacked).run();
    let program = unpacked.join("usr/lib/samara/samara");
    let out = temp.path().join("branded");
    let given = Given { file: &program, for_tests: true };
    package::make(&out, Some(&brand(&temp.path().join("brand"))), Target::Linux, Some(given)).unwrap();
    let branded = found(&out, "_amd64.deb");
    assert!(branded.ends_with(format!("maple-games_{}_amd64.deb", env!("CARGO_PKG_VERSION"))));
    let root = Root::with(temp.path(), &[&deb, &branded]);
    let shots = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("window");
    fs::create_dir_all(&shots).unwrap();

    assert_eq!(display.picture().colors(), 1, "nothing is there before");
    for (command, title) in [("samara", "Samara"), ("maple-games", "Maple Games")] {
        let mut window = root.start(&display, command);
        let up = comes_up(&display, title, &mut window);
        display.picture().keep(&shots.join(format!("package-{command}.png")));
        assert_eq!(up, Ok(()), "{command}: {}", root.errors());
        // One window for each player, whoever gave it to him: the next comes when this one is gone.
        end(&display, title, window);
    }

    // The same without something that the package asks for: that it comes up is not said of everything.
    root.run("dpkg --remove --force-depends libxkbcommon-x11-0 >/dev/null 2>&1");
    let mut window = root.start(&display, "samara");
    assert!(comes_up(&display, "Samara", &mut window).is_err());
    let _ = window.kill();
    window.wait().unwrap();
}

#[test]
fn what_the_tests_drive_is_not_given_away() {
    if packages().is_none() {
        return;
    }
    let temp = tempfile::tempdir().unwrap();
    let given = Given { file: &binary("launcher"), for_tests: false };
    let made = package::make(temp.path(), None, Target::Linux, Some(given));
    let error = made.unwrap_err().to_string();
    assert!(error.contains("inspection"), "{error}");
}
