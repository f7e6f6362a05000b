//! A Windows computer with one player: Wine in the root file system that `tests/scripts/win` makes.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs};

use super::process::{Outcome, Program};

/// What a program there is told of our environment.
const PASSED: &str =
    "DISPLAY LIBGL_ALWAYS_SOFTWARE EGUI_INSPECTION RUST_LOG SAMARA_STOP_AT SAMARA_SELF_PATIENCE_MS";

/// The computer; whatever runs on it ends with its owner. There is one, so tests take turns.
#[derive(Debug)]
pub struct Windows {
    share: PathBuf,
    _turn: File,
}

impl Windows {
    /// The computer of a player who has nothing yet; his disk is the folder `share`. None, with a word about it, where it is
    /// not set up: `tests/run windows` does, and sets `SAMARA_WINDOWS`.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn start(share: PathBuf) -> Option<Windows> {
        if env::var_os("SAMARA_WINDOWS").is_none() {
            eprintln!("left out: tests/run windows sets Wine up");
            return None;
        }
        let turn = File::create(env::temp_dir().join("samara-windows.lock")).expect("a lock can be made");
        turn.lock().expect("a lock can be waited for");
        fs::create_dir_all(&share).expect("a folder can be made");
        let windows = Windows { share, _turn: turn };
        // Wine's server would look into the disk of the player before.
        windows.stop();
        Some(windows)
    }

    fn script(&self) -> Command {
        let mut command = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/win"));
        command.env("SAMARA_WIN_SHARE", &self.share).env("SAMARA_WIN_PASS", PASSED);
        for name in PASSED.split(' ') {
            command.env_remove(name);
        }
        command
    }

    fn stop(&self) {
        let stopped = self.script().arg("stop").status();
        assert!(stopped.is_ok_and(|done| done.success()), "Wine does not end");
    }

    /// A file of the player's disk, from here.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.share.join(name)
    }

    /// The same as programs there name it.
    #[must_use]
    pub fn seen(&self, name: &str) -> String {
        format!(r"Z:\share\{}", name.replace('/', r"\"))
    }

    /// Where the player's programs keep what is theirs.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.path("AppData/Local")
    }

    /// A program as this player would start it: one of ours by its name, or a file of his disk by its path from there.
    #[must_use]
    pub fn command(&self, program: &str) -> Command {
        let path = if program.contains('/') { format!("/share/{program}") } else { program.to_owned() };
        let mut command = self.script();
        command.arg("run").arg(path);
        command
    }

    /// Runs it with `--json`.
    #[must_use]
    pub fn run(&self, program: &str, line: &[&str]) -> Outcome {
        let mut command = self.command(program);
        command.args(line).arg("--json");
        Program::spawn(command).finish()
    }

    /// What a program of the system prints.
    ///
    /// # Panics
    /// When it fails.
    #[must_use]
    pub fn system(&self, line: &str) -> String {
        let done = self.script().args(["sh", &format!("wine {line}")]).stdin(Stdio::null()).output();
        let done = done.expect("the script can be started");
        let told = String::from_utf8_lossy(&done.stdout).into_owned();
        assert!(done.status.success(), "{line}: {told}{}", String::from_utf8_lossy(&done.stderr));
        told
    }

    /// Builds the program that stands for a game, which runs until [`Self::open_gate`].
    ///
    /// # Panics
    /// When it cannot be built.
    #[must_use]
    pub fn stub(&self) -> PathBuf {
        let line = "x86_64-w64-mingw32-gcc -O1 -Wall -Werror -s -o /share/play.exe /src/tests/interop/play.c";
        let built = self.script().args(["sh", line]).status();
        assert!(built.is_ok_and(|done| done.success()), "the stub cannot be built");
        self.path("play.exe")
    }

    /// Lets the stub end.
    ///
    /// # Panics
    /// When the disk fails.
    pub fn open_gate(&self) {
        fs::write(self.data().join("gate"), "").expect("the gate can be opened");
    }

    /// Closes it again, before the next one is started.
    ///
    /// # Panics
    /// When it is not open.
    pub fn close_gate(&self) {
        fs::remove_file(self.data().join("gate")).expect("the gate is open");
    }
}

impl Drop for Windows {
    fn drop(&mut self) {
        // A test that fails leaves programs behind; a test that has failed needs no second panic.
        let _ = self.script().arg("stop").status();
    }
}
