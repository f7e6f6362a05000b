//! A program that runs: its events as they come, its end, and no end left open.

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant, SystemTime};
use std::{env, fs, thread};

use serde_json::Value;

/// What any single wait of a test may last.
const PATIENCE: Duration = Duration::from_secs(150);
/// What is kept of a program's standard error, in bytes.
const ERRORS_KEPT: usize = 64 * 1024;

/// The path of one of our programs, as cargo built it beside this test. When it is not there, or older than its sources,
/// it is built first, with everything else, so that features and profile stay those of the tests.
///
/// # Panics
/// When it cannot be built.
#[must_use]
pub fn binary(name: &str) -> PathBuf {
    static FRESH: OnceLock<()> = OnceLock::new();
    let test = env::current_exe().expect("a test has a path");
    // target/PROFILE/deps/test-1234
    let folder = test.parent().and_then(Path::parent).expect("tests lie in target/PROFILE/deps").to_owned();
    let path = |name: &str| folder.join(format!("{name}{}", env::consts::EXE_SUFFIX));
    FRESH.get_or_init(|| {
        if !["seedbox", "launcher"].iter().all(|name| is_fresh(&path(name))) {
            build(&folder);
        }
    });
    path(name)
}

/// Whether a program is as new as all its sources, which cargo lists beside it as `NAME.d`.
fn is_fresh(program: &Path) -> bool {
    let changed = |path: &Path| fs::metadata(path).and_then(|about| about.modified());
    let Ok(built) = changed(program) else { return false };
    let Ok(list) = fs::read_to_string(program.with_extension("d")) else { return false };
    let sources = list.split_once(": ").map_or("", |(_, sources)| sources);
    sources.split_whitespace().all(|path| changed(Path::new(path)).unwrap_or(SystemTime::UNIX_EPOCH) <= built)
}

fn build(folder: &Path) {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "--quiet", "--workspace", "--bins", "--target-dir"]);
    command.arg(folder.parent().expect("a profile lies in the target folder"));
    if folder.file_name().is_some_and(|profile| profile == "release") {
        command.arg("--release");
    }
    let done = command.current_dir(env!("CARGO_MANIFEST_DIR")).status();
    assert!(done.is_ok_and(|done| done.success()), "the programs cannot be built");
}

/// How a program ended.
#[derive(Debug)]
pub struct Outcome {
    /// What was run.
    pub command: String,
    /// Its exit status.
    pub status: ExitStatus,
    /// The JSON lines of its standard output.
    pub events: Vec<Value>,
    /// The end of its standard error.
    pub errors: String,
}

impl Outcome {
    /// The last event of a program that succeeded.
    ///
    /// # Panics
    /// When it failed.
    #[must_use]
    pub fn ok(&self) -> &Value {
        assert!(self.status.success(), "{self}");
        self.last()
    }

    /// The `error` event of a program that failed, with this code.
    ///
    /// # Panics
    /// When it succeeded, ended otherwise than by itself, has another code, or does not say what to do.
    pub fn failed(&self, code: &str) -> &Value {
        assert!(self.status.code().is_some_and(|status| status != 0), "{self}");
        let error = self.last();
        assert_eq!(error["event"], "error", "{self}");
        self.says(code)
    }

    /// The last event of a verification that found damage.
    ///
    /// # Panics
    /// When it found none, or does not say what to do.
    pub fn damaged(&self) -> &Value {
        assert_eq!(self.status.code(), Some(3), "{self}");
        assert_eq!(self.last()["intact"], false, "{self}");
        self.says("E-DAMAGED")
    }

    fn says(&self, code: &str) -> &Value {
        let error = self.last();
        assert_eq!(error["code"], code, "{self}");
        for words in ["message", "advice"] {
            assert!(error[words].as_str().is_some_and(|text| text.len() > 5), "no {words}: {self}");
        }
        error
    }

    /// The last event.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn last(&self) -> &Value {
        self.events.last().unwrap_or_else(|| panic!("not one event: {self}"))
    }

    /// All notes.
    #[must_use]
    pub fn notes(&self) -> Vec<&str> {
        let notes = self.events.iter().filter(|event| event["event"] == "note");
        notes.filter_map(|event| event["message"].as_str()).collect()
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{}: {}", self.command, self.status)?;
        let skip = self.events.len().saturating_sub(6);
        for event in self.events.iter().skip(skip) {
            writeln!(f, "  {event}")?;
        }
        let tail = self.errors.len().saturating_sub(6000);
        writeln!(f, "{}", String::from_utf8_lossy(&self.errors.as_bytes()[tail..]))
    }
}

/// A program at work; ended with SIGKILL when dropped.
#[derive(Debug)]
pub struct Program {
    command: String,
    child: Child,
    lines: Receiver<Value>,
    events: Vec<Value>,
    errors: Arc<Mutex<VecDeque<u8>>>,
}

impl Program {
    /// Starts it, with `--json`.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn start<S: AsRef<std::ffi::OsStr>>(name: &str, args: impl IntoIterator<Item = S>) -> Program {
        let mut command = Command::new(binary(name));
        command.args(args).arg("--json");
        // Nothing here goes to a proxy.
        command.env("NO_PROXY", "127.0.0.1").env("no_proxy", "127.0.0.1");
        Program::spawn(command)
    }

    /// Starts any command that prints events.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn spawn(mut command: Command) -> Program {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let (out, mut err) = (child.stdout.take().expect("piped"), child.stderr.take().expect("piped"));
        let (to, lines) = channel();
        thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                if let Ok(event) = serde_json::from_str(&line) {
                    let _ = to.send(event);
                }
            }
        });
        let errors = Arc::new(Mutex::new(VecDeque::new()));
        let kept = errors.clone();
        thread::spawn(move || {
            let mut part = [0; 4096];
            while let Ok(len @ 1..) = err.read(&mut part) {
                let mut kept = kept.lock().expect("no reader panics");
                kept.extend(&part[..len]);
                let excess = kept.len().saturating_sub(ERRORS_KEPT);
                kept.drain(..excess);
            }
        });
        Program { command: format!("{command:?}"), child, lines, events: Vec::new(), errors }
    }

    /// Its process.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The next event; none when there is no more.
    ///
    /// # Panics
    /// When nothing happens for too long.
    pub fn next_event(&mut self) -> Option<Value> {
        self.next_until(Instant::now() + PATIENCE)
            .unwrap_or_else(|()| panic!("nothing happens: {}", self.describe()))
    }

    /// The next event, none when there is no more, an error when there was none until then.
    ///
    /// # Errors
    /// When the time is over.
    #[allow(clippy::result_unit_err, reason = "there is one way to fail")]
    pub fn next_until(&mut self, end: Instant) -> Result<Option<Value>, ()> {
        match self.lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
            Ok(event) => {
                self.events.push(event.clone());
                Ok(Some(event))
            }
            Err(RecvTimeoutError::Disconnected) => Ok(None),
            Err(RecvTimeoutError::Timeout) => Err(()),
        }
    }

    /// Waits for an event that satisfies `wanted`.
    ///
    /// # Panics
    /// When the program ends before, or nothing happens for too long.
    pub fn wait_for(&mut self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let end = Instant::now() + PATIENCE;
        loop {
            match self.next_until(end) {
                Ok(Some(event)) if wanted(&event) => return event,
                Ok(Some(_)) => {}
                Ok(None) => panic!("it ended before {what}: {}", self.describe()),
                Err(()) => panic!("no {what}: {}", self.describe()),
            }
        }
    }

    /// Waits for an event of this name.
    pub fn wait_for_event(&mut self, name: &str) -> Value {
        self.wait_for(name, |event| event["event"] == name)
    }

    /// Waits for the program's own end.
    ///
    /// # Panics
    /// When it does not come.
    #[must_use]
    pub fn finish(mut self) -> Outcome {
        let end = Instant::now() + PATIENCE;
        loop {
            match self.next_until(end) {
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(()) => panic!("it does not end: {}", self.describe()),
            }
        }
        self.outcome()
    }

    /// SIGKILL, and what was seen until then.
    ///
    /// # Panics
    /// When it cannot be killed.
    #[must_use]
    pub fn kill(mut self) -> Outcome {
        self.child.kill().expect("a program of ours can be killed");
        while let Some(_event) = self.next_event() {}
        self.outcome()
    }

    /// Asks it to end (SIGTERM), as a player's or an operator's Ctrl-C does.
    ///
    /// # Panics
    /// When it cannot be asked.
    pub fn ask_to_end(&self) {
        let asked = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        assert!(asked.is_ok_and(|asked| asked.success()), "kill does not work here");
    }

    fn outcome(&mut self) -> Outcome {
        let status = self.child.wait().expect("a child of ours");
        Outcome {
            command: self.command.clone(),
            status,
            events: std::mem::take(&mut self.events),
            errors: self.errors(),
        }
    }

    fn errors(&self) -> String {
        let errors = self.errors.lock().expect("no reader panics");
        String::from_utf8_lossy(&errors.iter().copied().collect::<Vec<u8>>()).into_owned()
    }

    fn describe(&self) -> String {
        let last: Vec<_> = self.events.iter().rev().take(5).map(Value::to_string).collect();
        format!("{}\n{}\n{}", self.command, last.join("\n"), self.errors())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
