//! The window's disk: records are written, and what players name is read, on a thread of its own.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc;

use eframe::egui::{Context, DroppedFileHandle};

use crate::engine::Failure;
use crate::error::LaunchError;
use crate::shell::GameKey;
use crate::shell::deeds::NewGame;
use crate::shell::library::PinnedRoot;
use crate::shell::links;
use crate::shell::record::RecordError;
use crate::shell::store::Store;

/// What the disk is asked for.
pub(super) enum Work {
    Put(&'static str, Vec<u8>),
    Pin(NewGame),
    Room(GameKey, PathBuf),
    Keep(NewGame, Vec<u8>),
    /// A `.samara` file.
    Read(PathBuf),
    /// Where the power comes from.
    Power,
}

/// What the disk answers.
pub(super) enum Answer {
    /// A trust root was read, or not.
    Pinned(NewGame, Result<PinnedRoot, Failure>),
    /// There is so much room, in bytes.
    Room(GameKey, Option<u64>),
    /// The machine runs on its battery, or no more.
    Battery(bool),
}

/// Writes records on a thread of its own, so that no frame waits for the disk.
pub(super) struct Saver {
    work: Option<mpsc::Sender<Work>>,
    pub(super) answers: mpsc::Receiver<Answer>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Saver {
    pub(super) fn start(store: Store, ctx: Context) -> Self {
        let (work, inbox) = mpsc::channel();
        let (answer_to, answers) = mpsc::channel();
        let mut on_battery = false;
        let tell = move |answer| {
            let _ = answer_to.send(answer);
            ctx.request_repaint();
        };
        let write = move || {
            for work in inbox {
                match work {
                    Work::Put(name, bytes) => {
                        if let Err(error) = store.put(name, &bytes) {
                            tracing::error!(code = error.code(), %error, "a record was not kept");
                        }
                    }
                    Work::Pin(new) => {
                        let root = store.pin(new.root_file.as_ref()).map_err(|error| (&error).into());
                        tell(Answer::Pinned(new, root));
                    }
                    Work::Room(game, folder) => tell(Answer::Room(game, room(&folder))),
                    Work::Keep(new, bytes) => {
                        let root = store.keep(&bytes, new.repo.as_ref()).map_err(|error| (&error).into());
                        tell(Answer::Pinned(new, root));
                    }
                    Work::Read(path) => {
                        let (new, root) = read_file(&store, &path);
                        tell(Answer::Pinned(new, root));
                    }
                    Work::Power => {
                        let now = crate::power::on_battery();
                        if std::mem::replace(&mut on_battery, now) != now {
                            tell(Answer::Battery(now));
                        }
                    }
                }
            }
        };
        let thread = std::thread::Builder::new().name("samara-records".to_owned()).spawn(write).ok();
        Self { work: Some(work), answers, thread }
    }

    pub(super) fn save(&self, name: &'static str, bytes: Result<Vec<u8>, RecordError>) {
        match bytes {
            Ok(bytes) => self.ask(Work::Put(name, bytes)),
            Err(error) => tracing::error!(%error, "a record was not kept"),
        }
    }

    pub(super) fn ask(&self, work: Work) {
        if let Some(to) = &self.work {
            let _ = to.send(work);
        }
    }

    /// Waits until all is written.
    pub(super) fn finish(&mut self) {
        self.work = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The first `.samara` file of those that were dropped on the window; there is one dialogue, and other files are none of ours.
pub(super) fn dropped(files: &[DroppedFileHandle]) -> Option<Work> {
    let is_ours = |path: &Path| path.to_string_lossy().to_ascii_lowercase().ends_with(links::FILE_ENDING);
    let file = files.iter().map(|file| file.path()).find(|path| is_ours(path))?;
    Some(Work::Read(file.to_owned()))
}

/// Room on the disk that a folder is on, or would be.
fn room(folder: &Path) -> Option<u64> {
    let there = folder.ancestors().find(|ancestor| ancestor.exists())?;
    fs4::available_space(there).ok()
}

/// Reads a `.samara` file and keeps its root.
fn read_file(store: &Store, path: &Path) -> (NewGame, Result<PinnedRoot, Failure>) {
    let wrong = |cause: String| LaunchError::TrustRoot { file: path.to_owned(), cause };
    let read = || -> Result<(NewGame, Vec<u8>), LaunchError> {
        let mut bytes = Vec::new();
        let file = std::fs::File::open(path).map_err(|error| wrong(error.to_string()))?;
        file.take(links::FILE_BYTES_MAX).read_to_end(&mut bytes).map_err(|error| wrong(error.to_string()))?;
        links::file(&bytes).map_err(wrong)
    };
    match read() {
        Ok((new, root)) => {
            let root = store.keep(&root, path).map_err(|error| (&error).into());
            (new, root)
        }
        Err(error) => (NewGame::default(), Err((&error).into())),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use eframe::egui::DroppedFile;

    use super::*;

    #[derive(Debug)]
    struct Dropped(PathBuf);

    impl DroppedFile for Dropped {
        fn path(&self) -> &Path {
            &self.0
        }

        fn bytes(&self) -> Result<Vec<u8>, String> {
            panic!("read here it would have no bound");
        }
    }

    #[test]
    fn a_samara_file_that_is_dropped_is_read_and_its_root_kept() {
        let temp = tempfile::tempdir().unwrap();
        let place = |name: &str| temp.path().join(name);
        let file = |name: &str| -> DroppedFileHandle { Arc::new(Dropped(place(name))) };
        let content = r#"{"repo":"https://h/","game":"maple","root":"{}"}"#;
        std::fs::write(place("Maple.SAMARA"), content).unwrap();
        std::fs::write(place("wrong.samara"), " ".repeat(2 << 20) + content).unwrap();
        assert!(dropped(&[]).is_none());
        assert!(dropped(&[file("photo.png"), file("samara")]).is_none());

        let mut saver = Saver::start(Store::open(place("store")).unwrap(), Context::default());
        for (files, game) in [
            (vec![file("photo.png"), file("Maple.SAMARA"), file("wrong.samara")], Some("maple")),
            (vec![file("wrong.samara")], None),
            (vec![file("gone.samara")], None),
        ] {
            saver.ask(dropped(&files).unwrap());
            let Ok(Answer::Pinned(new, root)) = saver.answers.recv_timeout(Duration::from_secs(60)) else {
                panic!("no answer for {files:?}")
            };
            assert_eq!(root.as_ref().ok().map(|_| new.game.as_str()), game, "{root:?}");
        }
        saver.finish();
    }
}
