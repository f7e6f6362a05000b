//! A Windows computer with one player: Wine in the root file system that `tests/scripts/win` makes.

use std::ffi::OsString;
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

    /// Runs a shell line inside, where the disk is `/share`; what it prints.
    ///
    /// # Panics
    /// When it fails.
    pub fn sh(&self, line: &str) -> String {
        let done = self.shell(line).stdin(Stdio::null()).output().expect("the script can be started");
        let told = String::from_utf8_lossy(&done.stdout).into_owned();
        assert!(done.status.success(), "{line}: {told}{}", String::from_utf8_lossy(&done.stderr));
        told
    }

    /// The same, to be started.
    #[must_use]
    pub fn shell(&self, line: &str) -> Command {
        let mut command = self.script();
        command.args(["sh", line]);
        command
    }

    /// Builds a program from a source beside the interop tests.
    #[must_use]
    pub fn build(&self, source: &str, options: &str) -> PathBuf {
        let name = format!("{}{options}.exe", source.trim_end_matches(".c"));
        let compiler = "x86_64-w64-mingw32-gcc -O1 -Wall -Werror -s";
        self.sh(&format!("{compiler} {options} -o /share/{name} /src/tests/interop/{source}"));
        self.path(&name)
    }

    /// The launcher on the player's disk, without what only a debugger reads.
    #[must_use]
    pub fn launcher(&self) -> PathBuf {
        self.sh("x86_64-w64-mingw32-strip -o /share/launcher.exe /target/x86_64-pc-windows-gnu/debug/launcher.exe");
        self.path("launcher.exe")
    }

    /// The programs that run and whose path has this part.
    ///
    /// # Panics
    /// When the system does not tell.
    #[must_use]
    pub fn running(&self, part: &str) -> Vec<OsString> {
        let is_meant = |process: &Path| {
            let inside = fs::read_link(process.join("root")).is_ok_and(|root| root != Path::new("/"));
            let words = fs::read(process.join("cmdline")).unwrap_or_default();
            let program = String::from_utf8_lossy(words.split(|byte| *byte == 0).next().unwrap_or_default());
            inside && program.replace('\\', "/").contains(part)
        };
        let processes = fs::read_dir("/proc").expect("there are processes").flatten();
        let meant = processes.filter(|process| is_meant(&process.path()));
        meant.map(|process| process.file_name()).collect()
    }

    /// Kills these programs, with SIGKILL.
    ///
    /// # Panics
    /// When there is none.
    pub fn kill(&self, part: &str) {
        let pids = self.running(part);
        assert!(!pids.is_empty(), "no program of {part} runs");
        assert!(Command::new("kill").arg("-9").args(pids).status().is_ok_and(|done| done.success()));
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
