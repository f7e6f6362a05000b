//! Where an update of the launcher itself can be stopped, for tests that kill it there.

/// Every place where something has just been decided or written, in the order of an update, a start and a way back.
pub const STEPS: [&str; 12] = [
    // Of the update.
    "offered",
    "prepared",
    "installed",
    "well",
    "switched",
    // Of a start, by the packaged program.
    "begins",
    "counted",
    "started",
    // Of a start, by the new version.
    "up",
    "good",
    // Of a version that does not start.
    "failed",
    "taken-back",
];

/// A place of that name was reached: the tests' build waits there to be killed when it is told to.
#[cfg(feature = "inspection")]
pub(crate) fn step(name: &str) {
    debug_assert!(STEPS.contains(&name));
    if std::env::var_os("SAMARA_STOP_AT").is_some_and(|at| at == name) {
        use std::io::Write as _;
        let line = serde_json::json!({ "event": "stopped", "at": name, "pid": std::process::id() });
        let _ = writeln!(std::io::stdout().lock(), "{line}");
        loop {
            std::thread::park();
        }
    }
}

/// A place of that name was reached.
#[cfg(not(feature = "inspection"))]
pub(crate) fn step(_name: &str) {}
