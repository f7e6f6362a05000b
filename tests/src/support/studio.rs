//! A studio: its repository, its keys, its seedbox.

use std::collections::HashMap;
use std::ffi::OsString;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use super::process::{Outcome, Program};
use super::{Player, free_address};

/// A repository in a folder of its own, which is removed at the end.
#[derive(Debug)]
pub struct Studio {
    dir: TempDir,
    game: String,
    http: SocketAddr,
    peer: SocketAddr,
}

impl Studio {
    /// A new repository for one game, to be reached at a free address.
    ///
    /// # Panics
    /// When `seedbox init` fails.
    #[must_use]
    pub fn new(game: &str) -> Studio {
        let dir = tempfile::tempdir().expect("a folder");
        let studio = Studio { dir, game: game.to_owned(), http: free_address(), peer: free_address() };
        let url = studio.url();
        let init = Program::start(
            "seedbox",
            ["init".as_ref(), "--data".as_ref(), studio.data().as_os_str()].into_iter().chain([
                "--keys".as_ref(),
                studio.keys().as_os_str(),
                "--public-url".as_ref(),
                url.as_ref(),
            ]),
        );
        let root = init.finish();
        assert_eq!(root.ok()["root"].as_str(), studio.root().to_str());
        studio
    }

    /// A folder for whatever a test needs besides; it is gone with the studio.
    #[must_use]
    pub fn scratch(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The game's id.
    #[must_use]
    pub fn game(&self) -> &str {
        &self.game
    }

    /// The data folder.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.scratch("data")
    }

    /// The folder of the offline keys.
    #[must_use]
    pub fn keys(&self) -> PathBuf {
        self.scratch("keys")
    }

    /// What the world sees.
    #[must_use]
    pub fn public(&self) -> PathBuf {
        self.data().join("public")
    }

    /// The file that players pin.
    #[must_use]
    pub fn root(&self) -> PathBuf {
        self.public().join("metadata/root.json")
    }

    /// Where its seedbox will answer HTTP.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.http)
    }

    /// Where its seedbox, or a web server in its place, will answer HTTP.
    #[must_use]
    pub fn http_address(&self) -> SocketAddr {
        self.http
    }

    /// Where its seedbox will take peers.
    #[must_use]
    pub fn peer_address(&self) -> SocketAddr {
        self.peer
    }

    /// Publishes a build that there is nothing wrong with.
    ///
    /// # Panics
    /// When that fails.
    pub fn publish(&self, build: &Path, version: &str) -> Value {
        self.try_publish(build, version, &[]).ok().clone()
    }

    /// Publishes a build without packs, for tests of what the content torrent alone does.
    #[track_caller]
    pub fn publish_plain(&self, build: &Path, version: &str) -> Value {
        self.try_publish(build, version, &["--base", "none", "--full", "never"]).ok().clone()
    }

    /// Publishes a build, with more options.
    #[must_use]
    pub fn try_publish(&self, build: &Path, version: &str, more: &[&str]) -> Outcome {
        self.start_publish(build, version, more).finish()
    }

    /// Begins to publish a build.
    #[must_use]
    pub fn start_publish(&self, build: &Path, version: &str, more: &[&str]) -> Program {
        let mut args: Vec<OsString> =
            vec!["publish".into(), build.into(), "--data".into(), self.data().into()];
        args.extend(["--game".into(), (&self.game).into(), "--release".into(), version.into()]);
        if !more.contains(&"--keys") {
            args.extend(["--keys".into(), self.keys().into()]);
        }
        args.extend(more.iter().map(OsString::from));
        Program::start("seedbox", args)
    }

    /// Starts the seedbox and waits until it listens.
    #[must_use]
    pub fn serve(&self) -> Seedbox {
        self.serve_with(&[])
    }

    /// The same, with more options.
    #[must_use]
    pub fn serve_with(&self, more: &[&str]) -> Seedbox {
        let (http, peer) = (self.http.to_string(), self.peer.to_string());
        let mut args: Vec<OsString> = vec!["serve".into(), "--data".into(), self.data().into()];
        args.extend(["--listen", &http, "--peer-listen", &peer].map(OsString::from));
        args.extend(more.iter().map(OsString::from));
        let mut program = Program::start("seedbox", args);
        program.wait_for_event("listening");
        Seedbox { program, http: self.http }
    }

    /// A player, who has nothing yet but the pinned root and the address.
    #[must_use]
    pub fn player(&self, name: &str) -> Player {
        Player::new(self.scratch(name), self.url(), self.root(), &self.game)
    }
}

/// `seedbox serve` at work.
#[derive(Debug)]
pub struct Seedbox {
    program: Program,
    http: SocketAddr,
}

impl Seedbox {
    /// Ends it as an operator would, and returns what it says it has sent.
    #[must_use]
    pub fn stop(self) -> Value {
        self.program.ask_to_end();
        self.program.finish().ok().clone()
    }

    /// Ends it at once.
    pub fn kill(self) {
        let _ = self.program.kill();
    }

    /// The numbers at `/metrics`, by name with labels.
    ///
    /// # Panics
    /// When it does not answer.
    #[must_use]
    pub fn metrics(&self) -> HashMap<String, f64> {
        let text = String::from_utf8(get(self.http, "/metrics")).expect("metrics are text");
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        lines
            .filter_map(|line| line.rsplit_once(' '))
            .filter_map(|(k, v)| Some((k.to_owned(), v.parse().ok()?)))
            .collect()
    }
}

/// The body of an answer to a plain GET.
fn get(from: SocketAddr, path: &str) -> Vec<u8> {
    let mut socket = TcpStream::connect(from).expect("the server listens");
    write!(socket, "GET {path} HTTP/1.1\r\nhost: {from}\r\nconnection: close\r\n\r\n").expect("it reads");
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).expect("it answers");
    let head = answer.windows(4).position(|end| end == b"\r\n\r\n").expect("a head") + 4;
    assert!(answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer[..head]));
    answer.split_off(head)
}
