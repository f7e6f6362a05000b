//! A player: an install folder and the launcher's commands for it.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::process::{Outcome, Program};

/// A player with one install folder.
#[derive(Clone, Debug)]
pub struct Player {
    /// The install folder.
    pub dir: PathBuf,
    /// The repository's address.
    pub repo: String,
    /// The pinned root.
    pub root: PathBuf,
    /// The game wanted.
    pub game: String,
}

/// The numbers of an install's or update's last line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Install {
    /// Bytes that were here.
    pub local: u64,
    /// From peers in the same network.
    pub lan: u64,
    /// From other peers, seedboxes among them.
    pub peers: u64,
    /// From web seeds.
    pub web: u64,
    /// What of it the studio's machines sent.
    pub origin: u64,
    /// Written to the disk.
    pub written: u64,
}

impl Install {
    /// Reads a `done` line.
    ///
    /// # Panics
    /// When a field is missing.
    #[must_use]
    pub fn of(done: &Value) -> Install {
        let field = |name: &str| done[name].as_u64().unwrap_or_else(|| panic!("{name} is missing in {done}"));
        Install {
            local: field("bytes_local"),
            lan: field("bytes_lan"),
            peers: field("bytes_peers"),
            web: field("bytes_web"),
            origin: field("bytes_origin"),
            written: field("bytes_written"),
        }
    }

    /// Everything that came over the network.
    #[must_use]
    pub fn network(&self) -> u64 {
        self.lan + self.peers + self.web
    }
}

impl Player {
    /// A player whose folder is not there yet.
    #[must_use]
    pub fn new(dir: PathBuf, repo: String, root: PathBuf, game: &str) -> Player {
        Player { dir, repo, root, game: game.to_owned() }
    }

    /// Starts `launcher install`.
    #[must_use]
    pub fn start_install(&self, more: &[&str]) -> Program {
        let mut args: Vec<OsString> = vec!["--repo".into(), (&self.repo).into(), "--trust".into()];
        args.extend([self.root.clone().into(), "--game".into(), (&self.game).into()]);
        args.extend(more.iter().map(OsString::from));
        self.start("install", args, !more.contains(&"--no-peers"))
    }

    /// `launcher install`.
    #[must_use]
    pub fn install(&self, more: &[&str]) -> Outcome {
        self.start_install(more).finish()
    }

    /// Starts `launcher update`.
    #[must_use]
    pub fn start_update(&self, more: &[&str]) -> Program {
        self.start("update", more.iter().map(OsString::from), !more.contains(&"--no-peers"))
    }

    /// `launcher update`.
    #[must_use]
    pub fn update(&self, more: &[&str]) -> Outcome {
        self.start_update(more).finish()
    }

    /// Starts `launcher rollback`.
    #[must_use]
    pub fn start_rollback(&self, more: &[&str]) -> Program {
        self.start("rollback", more.iter().map(OsString::from), false)
    }

    /// `launcher rollback`.
    #[must_use]
    pub fn rollback(&self, more: &[&str]) -> Outcome {
        self.start_rollback(more).finish()
    }

    /// `launcher plan`.
    #[must_use]
    pub fn plan(&self, more: &[&str]) -> Outcome {
        self.start("plan", more.iter().map(OsString::from), false).finish()
    }

    /// `launcher verify`.
    #[must_use]
    pub fn verify(&self, more: &[&str]) -> Outcome {
        self.start("verify", more.iter().map(OsString::from), !more.contains(&"--no-peers")).finish()
    }

    /// Starts `launcher verify`.
    #[must_use]
    pub fn start_verify(&self, more: &[&str]) -> Program {
        self.start("verify", more.iter().map(OsString::from), false)
    }

    /// Starts `launcher seed`.
    #[must_use]
    pub fn start_seed(&self, more: &[&str]) -> Program {
        self.start("seed", more.iter().map(OsString::from), !more.contains(&"--listen"))
    }

    /// `launcher status`.
    #[must_use]
    pub fn status(&self) -> Outcome {
        self.start("status", [], false).finish()
    }

    /// `launcher uninstall --yes`.
    #[must_use]
    pub fn uninstall(&self) -> Outcome {
        self.start("uninstall", ["--yes".into()], false).finish()
    }

    fn start(&self, verb: &str, more: impl IntoIterator<Item = OsString>, listens: bool) -> Program {
        let mut args: Vec<OsString> = vec![verb.into(), "--dir".into(), (&self.dir).into()];
        args.extend(more);
        if listens && !args.iter().any(|arg| arg == "--listen") {
            args.extend(["--listen".into(), "127.0.0.1:0".into()]);
        }
        Program::start("launcher", args)
    }
}

/// Takes away what the launcher keeps in an install.
///
/// # Panics
/// When there is nothing.
pub fn no_samara(install: &Path) {
    fs::remove_dir_all(install.join(".samara")).expect("an install has it");
}
