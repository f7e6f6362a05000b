//! What the desktop does for the window, each where it is there: folders are chosen, an icon stays
//! in the tray while the window is closed, news are told, and whether the line costs money is known.
//!
//! Nothing here is done on the window's thread: another program answers, or does not.

#[cfg(target_os = "linux")]
mod bus;
#[cfg(target_os = "linux")]
mod tray;
#[cfg(any(windows, test))]
mod windows;
#[cfg(windows)]
mod windows_tray;

use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};

use eframe::egui::Context;

use crate::brand::Picture;
use crate::shell::deeds::Place;

/// How the choice of a folder has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Chosen {
    /// This one.
    Folder(PathBuf),
    /// None after all.
    Nothing,
    /// There is no chooser here.
    NoChooser,
}

/// What the desktop tells the window.
#[derive(Debug)]
#[cfg_attr(
    not(any(target_os = "linux", windows)),
    allow(dead_code, reason = "there is no tray yet that would say it")
)]
pub(super) enum News {
    /// A folder was chosen, or not.
    Folder(Place, Chosen),
    /// The line costs money, or no more.
    Metered(bool),
    /// There is an icon in a tray now, or no more.
    Tray(bool),
    /// The window is to come up.
    Open,
    /// All downloads are to stop, or to go on.
    StopAll(bool),
    /// The program is to end.
    Quit,
}

/// What the tray's icon says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Labels {
    /// What the program is called.
    pub(super) name: String,
    pub(super) open: String,
    pub(super) stop: String,
    pub(super) go_on: String,
    pub(super) quit: String,
    /// All downloads are stopped.
    pub(super) is_stopped: bool,
    /// The brand's.
    pub(super) icon: Option<Arc<Picture>>,
}

#[cfg(any(target_os = "linux", windows))]
impl Labels {
    /// The brand's icon, or our own.
    fn picture(&self) -> Option<Picture> {
        self.icon.as_deref().cloned().or_else(Picture::own)
    }
}

/// What is done beside the window.
enum Work {
    /// An icon in the tray that says this, or none.
    Tray(Option<Box<Labels>>),
    /// A notification: a title and a text.
    Notify(String, String),
}

/// The desktop around the window.
pub(super) struct Desktop {
    news: mpsc::Receiver<News>,
    teller: Teller,
    work: mpsc::Sender<Work>,
    /// What the tray was told last.
    labels: Option<Labels>,
}

/// Tells the window, and wakes it.
#[derive(Clone)]
struct Teller {
    to: mpsc::Sender<News>,
    ctx: Context,
}

impl Teller {
    fn tell(&self, news: News) {
        let _ = self.to.send(news);
        self.ctx.request_repaint();
    }
}

impl Desktop {
    /// `slug` is what the launcher is called where names are short: where it was set up the system knows it by that.
    pub(super) fn new(ctx: Context, slug: String) -> Self {
        let (to, news) = mpsc::channel();
        let teller = Teller { to, ctx };
        let (work, inbox) = mpsc::channel();
        let told = teller.clone();
        // Ends with the sender.
        let thread = std::thread::Builder::new()
            .name("samara-desktop".to_owned())
            .spawn(move || serve(&inbox, &told, &slug));
        if let Err(error) = thread {
            tracing::warn!(%error, "no tray and no notifications");
        }
        watch_line(teller.clone());
        Self { news, teller, work, labels: None }
    }

    /// Has an icon in the tray, which says this; or none. [`News::Tray`] tells whether there is one.
    pub(super) fn tray(&mut self, labels: Option<Labels>) {
        if self.labels != labels {
            let _ = self.work.send(Work::Tray(labels.clone().map(Box::new)));
            self.labels = labels;
        }
    }

    /// Tells something to who does not look at the window.
    pub(super) fn notify(&self, title: String, text: String) {
        let _ = self.work.send(Work::Notify(title, text));
    }

    /// What was told since the last time.
    pub(super) fn news(&self) -> Vec<News> {
        self.news.try_iter().collect()
    }

    /// Lets the player choose a folder. With `below`, what lies in it already is nobody's: the game gets a folder of that
    /// name there.
    pub(super) fn choose(&self, place: Place, title: String, start: PathBuf, below: Option<String>) {
        let teller = self.teller.clone();
        let ask = move || {
            // What is not there yet is on the way from what is.
            let start = start.ancestors().find(|folder| folder.is_dir()).unwrap_or(Path::new("/"));
            let chosen = match (choose_folder(&title, start), below) {
                (Chosen::Folder(folder), Some(name)) => Chosen::Folder(own_place(folder, &name)),
                (chosen, _) => chosen,
            };
            teller.tell(News::Folder(place, chosen));
        };
        let thread = std::thread::Builder::new().name("samara-folder".to_owned()).spawn(ask);
        if let Err(error) = thread {
            tracing::warn!(%error, "no folder can be chosen");
        }
    }
}

/// An empty folder, or one with this launcher's records, is the game's own; in any other it gets one of its own.
fn own_place(chosen: PathBuf, name: &str) -> PathBuf {
    let is_own = chosen.join(manifests::folder::PRIVATE).is_dir();
    let is_empty = std::fs::read_dir(&chosen).is_ok_and(|mut entries| entries.next().is_none());
    if is_own || is_empty { chosen } else { chosen.join(name) }
}

#[cfg(any(target_os = "linux", windows))]
fn serve(inbox: &mpsc::Receiver<Work>, teller: &Teller, slug: &str) {
    #[cfg(target_os = "linux")]
    use tray::Shown;
    #[cfg(windows)]
    use windows_tray::Shown;
    let mut icon: Option<Shown> = None;
    for work in inbox {
        match work {
            Work::Notify(title, text) => {
                if let Err(error) = notify(slug, &title, &text) {
                    tracing::info!(%error, "nobody shows notifications");
                }
            }
            // Whether it is there tells itself.
            Work::Tray(Some(labels)) => match &icon {
                Some(icon) => icon.say(*labels),
                None => match Shown::new(*labels, teller.clone()) {
                    Ok(shown) => icon = Some(shown),
                    Err(error) => {
                        tracing::info!(%error, "no tray");
                        teller.tell(News::Tray(false));
                    }
                },
            },
            Work::Tray(None) => {
                if let Some(icon) = icon.take() {
                    icon.remove();
                }
                teller.tell(News::Tray(false));
            }
        }
    }
}

/// There is no tray yet: closing the window ends the program.
#[cfg(not(any(target_os = "linux", windows)))]
fn serve(inbox: &mpsc::Receiver<Work>, teller: &Teller, _slug: &str) {
    for work in inbox {
        match work {
            Work::Tray(labels) => {
                let told =
                    labels.map(|labels| (labels.name, labels.open, labels.stop, labels.go_on, labels.quit));
                tracing::debug!(?told, "no tray");
                teller.tell(News::Tray(false));
            }
            Work::Notify(title, text) => tracing::info!(title, text, "nobody shows notifications"),
        }
    }
}

#[cfg(target_os = "linux")]
fn notify(_slug: &str, title: &str, text: &str) -> zbus::Result<()> {
    bus::notify(title, text)
}

#[cfg(windows)]
use windows::notify;

/// Has the window told whether the line costs money, as long as it is there.
#[cfg(any(target_os = "linux", windows))]
fn watch_line(teller: Teller) {
    #[cfg(target_os = "linux")]
    use bus as system;
    #[cfg(windows)]
    use windows as system;
    let watch = move || {
        if let Err(error) = system::watch_line(&|costs| teller.tell(News::Metered(costs))) {
            tracing::info!(%error, "nobody tells whether the line costs money");
        }
    };
    if let Err(error) = std::thread::Builder::new().name("samara-line".to_owned()).spawn(watch) {
        tracing::warn!(%error, "it is not asked whether the line costs money");
    }
}

#[cfg(not(any(target_os = "linux", windows)))]
fn watch_line(_teller: Teller) {}

#[cfg(target_os = "linux")]
fn choose_folder(title: &str, start: &Path) -> Chosen {
    match bus::choose_folder(title, start) {
        Ok(Some(folder)) => Chosen::Folder(folder),
        Ok(None) => Chosen::Nothing,
        Err(error) => {
            tracing::info!(%error, "no folder chooser");
            Chosen::NoChooser
        }
    }
}

#[cfg(windows)]
fn choose_folder(title: &str, start: &Path) -> Chosen {
    let chosen = rfd::FileDialog::new().set_title(title).set_directory(start).pick_folder();
    chosen.map_or(Chosen::Nothing, Chosen::Folder)
}

#[cfg(not(any(target_os = "linux", windows)))]
fn choose_folder(_title: &str, _start: &Path) -> Chosen {
    Chosen::NoChooser
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_game_gets_a_folder_of_its_own() {
        let temp = tempfile::tempdir().unwrap();
        let folder = temp.path().to_owned();
        assert_eq!(own_place(folder.clone(), "civ"), folder, "it is empty");
        std::fs::write(folder.join("photo"), "mine").unwrap();
        assert_eq!(own_place(folder.clone(), "civ"), folder.join("civ"));
        std::fs::create_dir(folder.join(".samara")).unwrap();
        assert_eq!(own_place(folder.clone(), "civ"), folder, "the game is there");
        assert_eq!(own_place(folder.join("gone"), "civ"), folder.join("gone/civ"));
    }
}
