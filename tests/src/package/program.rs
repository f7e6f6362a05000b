//! The program that is packed: built alone, and looked at before it is given away.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

use super::Target;

/// What only the tests' launcher has in it: a crate that lets anybody who reaches a port drive the window. Its name is in
/// its messages and in the places of its panics. (That of the variable that turns it on is in every launcher: eframe says
/// that it was built without.)
const NOT_TO_SHIP: &[u8] = b"egui_inspection";

fn checkout() -> &'static Path {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().unwrap_or(tests)
}

fn cargo() -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(checkout());
    cargo
}

/// What cargo knows of the workspace, for one system.
pub(super) fn metadata(target: Target) -> Result<Value> {
    let triple = match target {
        Target::Linux => "x86_64-unknown-linux-gnu",
        Target::Windows => "x86_64-pc-windows-gnu",
    };
    let line = ["metadata", "--format-version", "1", "--locked", "--filter-platform", triple];
    let told = cargo().args(line).output().context("starting cargo")?;
    ensure!(told.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&told.stderr));
    Ok(serde_json::from_slice(&told.stdout)?)
}

/// Builds the launcher by itself, so that it has its own features and no other crate's.
pub(super) fn build(target: Target, metadata: &Value) -> Result<Vec<u8>> {
    let line = ["build", "--release", "--locked", "--package", "launcher"];
    let win = checkout().join("tests/scripts/win");
    let (mut command, program) = match target {
        Target::Linux => {
            let folder = metadata["target_directory"].as_str().context("cargo names no target folder")?;
            (cargo(), PathBuf::from(folder).join("release/launcher"))
        }
        Target::Windows => {
            let folder = Command::new(&win).arg("exe").output().context("starting tests/scripts/win")?;
            let folder = PathBuf::from(String::from_utf8(folder.stdout)?.trim_end());
            let mut command = Command::new(&win);
            command.arg("cargo");
            (command, folder.with_file_name("release").join("launcher.exe"))
        }
    };
    let status = command.args(line).status().context("starting the build")?;
    ensure!(status.success(), "the launcher was not built: {status}");
    fs::read(&program).with_context(|| format!("reading {}", program.display()))
}

/// Refuses a program that was built for the tests.
pub(super) fn may_be_given_away(program: &[u8]) -> Result<()> {
    if program.windows(NOT_TO_SHIP.len()).any(|part| part == NOT_TO_SHIP) {
        bail!("this launcher was built with the tests' feature `inspection`: it must not be given away");
    }
    Ok(())
}

/// The time of every file: what SOURCE_DATE_EPOCH says, else when the checkout was committed, else the beginning of 1980.
pub(super) fn time() -> u64 {
    let told = env::var("SOURCE_DATE_EPOCH").ok().and_then(|told| told.parse().ok());
    told.or_else(committed).unwrap_or(315_532_800)
}

fn committed() -> Option<u64> {
    let line = ["log", "-1", "--format=%ct"];
    let told = Command::new("git").current_dir(checkout()).args(line).output().ok()?;
    String::from_utf8(told.stdout).ok()?.trim().parse().ok()
}

/// The newest version of the C library that the program names, such as `2.35`.
pub(super) fn libc_version(program: &[u8]) -> Option<String> {
    const NAME: &[u8] = b"GLIBC_2.";
    let found = program.windows(NAME.len()).enumerate().filter(|(_, part)| *part == NAME);
    let minors = found.filter_map(|(at, _)| {
        let digits = program.get(at + NAME.len()..)?.iter().take_while(|byte| byte.is_ascii_digit());
        String::from_utf8(digits.copied().collect()).ok()?.parse::<u32>().ok()
    });
    minors.max().map(|minor| format!("2.{minor}"))
}
