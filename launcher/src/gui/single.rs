//! One window for each player: a second start hands over what it was to open, and ends.
//!
//! The first holds a lock, which the system takes back from a program that was killed, and listens on loopback; a word in
//! a file that only this user can read says who may ask it.
#![allow(
    clippy::disallowed_types,
    reason = "an edge of its own, between two starts of this program; no peer is met here"
)]

use std::fs::{self, File, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rand::RngExt as _;

use crate::error::LaunchError;

const LOCK: &str = "window.lock";
const WHERE: &str = "window.address";
/// What one start tells another, at most, in bytes.
const ASKED_BYTES_MAX: u64 = 8 << 10;
/// How long a start waits for the other to answer, or to end.
const PATIENCE: Duration = Duration::from_secs(10);
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
const TRY_EVERY: Duration = Duration::from_millis(100);

/// The right to be this player's window.
pub(super) struct Instance {
    _lock: File,
    socket: Option<TcpListener>,
    word: String,
    leaving: Arc<AtomicBool>,
}

/// Becomes the window of this folder's records, or hands `open` (nothing: only come to the front) to the one that is; then
/// there is none.
///
/// # Errors
/// The folder, or another window that neither answers nor ends.
pub(super) fn begin(folder: &Path, open: &str) -> Result<Option<Instance>, LaunchError> {
    let failed = |error: io::Error| LaunchError::internal(format!("looking for another window: {error}"));
    let end = Instant::now() + PATIENCE;
    let lock =
        File::options().create(true).truncate(false).write(true).open(folder.join(LOCK)).map_err(failed)?;
    loop {
        match lock.try_lock() {
            Ok(()) => return listen(folder, lock).map(Some).map_err(failed),
            Err(TryLockError::WouldBlock) if hand_over(folder, open).unwrap_or(false) => return Ok(None),
            Err(TryLockError::WouldBlock) if Instant::now() < end => std::thread::sleep(TRY_EVERY),
            Err(TryLockError::WouldBlock) => {
                return Err(LaunchError::internal("another window runs, and does not answer"));
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
    }
}

fn listen(folder: &Path, lock: File) -> io::Result<Instance> {
    let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let word = hex::encode(rand::rng().random::<[u8; 16]>());
    let path = folder.join(WHERE);
    // One that is there may have been made readable by others.
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    writeln!(options.open(path)?, "{} {word}", socket.local_addr()?)?;
    Ok(Instance { _lock: lock, socket: Some(socket), word, leaving: Arc::default() })
}

/// Whether the other took it.
fn hand_over(folder: &Path, open: &str) -> io::Result<bool> {
    let told = fs::read_to_string(folder.join(WHERE))?;
    let known = told.trim().split_once(' ').and_then(|(at, word)| Some((at.parse().ok()?, word)));
    let Some((at, word)) = known else { return Ok(false) };
    let at: SocketAddr = at;
    if !at.ip().is_loopback() {
        return Ok(false);
    }
    let mut socket = TcpStream::connect_timeout(&at, ANSWER_WITHIN)?;
    socket.set_read_timeout(Some(ANSWER_WITHIN))?;
    write!(socket, "{word}\n{open}")?;
    socket.shutdown(Shutdown::Write)?;
    let mut answer = String::new();
    socket.take(16).read_to_string(&mut answer)?;
    Ok(answer == "taken")
}

impl Instance {
    /// Calls `take` with what other starts are asked to open, from a thread of its own, until the program ends.
    pub(super) fn answer(&mut self, take: impl Fn(String) + Send + 'static) {
        let Some(socket) = self.socket.take() else { return };
        let (word, leaving) = (self.word.clone(), self.leaving.clone());
        let work = move || {
            for other in socket.incoming().flatten() {
                if leaving.load(Ordering::Relaxed) {
                    return;
                }
                // Whoever does not ask as we do is not answered.
                if let Ok(Some(open)) = asked(&other, &word) {
                    let _ = (&other).write_all(b"taken");
                    take(open);
                }
            }
        };
        let started = std::thread::Builder::new().name("samara-window".to_owned()).spawn(work);
        if let Err(error) = started {
            tracing::warn!(%error, "other starts are not heard");
        }
    }

    /// It takes nothing more: who starts now waits for its end.
    pub(super) fn leave(&self) {
        self.leaving.store(true, Ordering::Relaxed);
    }
}

fn asked(other: &TcpStream, word: &str) -> io::Result<Option<String>> {
    other.set_read_timeout(Some(ANSWER_WITHIN))?;
    let mut text = String::new();
    other.take(ASKED_BYTES_MAX).read_to_string(&mut text)?;
    let told = text.split_once('\n').filter(|(said, _)| *said == word);
    Ok(told.map(|(_, open)| open.to_owned()))
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn the_second_start_hands_over_and_the_third_comes_after_the_end() {
        let temp = tempfile::tempdir().unwrap();
        let mut first = begin(temp.path(), "").unwrap().unwrap();
        let (to, opened) = mpsc::channel();
        first.answer(move |open| to.send(open).unwrap());
        assert!(begin(temp.path(), "samara://add?x\ny").unwrap().is_none());
        assert_eq!(opened.recv().unwrap(), "samara://add?x\ny");
        assert!(begin(temp.path(), "").unwrap().is_none());
        assert_eq!(opened.recv().unwrap(), "");
        first.leave();
        let folder = temp.path().to_owned();
        let third = std::thread::spawn(move || begin(&folder, "z").unwrap().is_some());
        drop(first);
        assert!(third.join().unwrap(), "it is the window now");
        assert!(opened.try_recv().is_err());
    }

    #[test]
    fn strangers_are_not_heard() {
        let temp = tempfile::tempdir().unwrap();
        let mut first = begin(temp.path(), "").unwrap().unwrap();
        let at = first.socket.as_ref().unwrap().local_addr().unwrap();
        let (to, opened) = mpsc::channel();
        first.answer(move |open| to.send(open).unwrap());
        for said in ["", "guess\nsamara://add", "\n"] {
            let mut socket = TcpStream::connect(at).unwrap();
            socket.write_all(said.as_bytes()).unwrap();
            socket.shutdown(Shutdown::Write).unwrap();
            let mut answer = Vec::new();
            socket.read_to_end(&mut answer).unwrap();
            assert!(answer.is_empty(), "{said:?}");
        }
        assert!(opened.try_recv().is_err());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = fs::metadata(temp.path().join(WHERE)).unwrap().permissions().mode();
            assert_eq!(mode & 0o077, 0);
        }
    }
}
