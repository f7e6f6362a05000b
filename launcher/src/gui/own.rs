//! The launcher's own updates, from the window's side: fetched on a thread of their own, told to the views.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;

use eframe::egui::{Context, ViewportCommand};

use crate::engine::{Failure, Sources};
use crate::error::LaunchError;
use crate::gui::view::{OwnStage, OwnView};
use crate::selfupdate::place::Me;
use crate::selfupdate::pointer::Why;
use crate::selfupdate::update::{self, Done, Request, Told};
use crate::selfupdate::{Kind, start};
use crate::shell::deeds::OwnDeed;
use crate::shell::settings::Consent;
use crate::shell::{Desk, Settings};

/// What the thread tells.
enum News {
    Working(u64, u64),
    Ended(Result<Done, Failure>),
    /// What starts next, after a way back.
    Back(Result<String, Failure>),
}

/// What is known of the launcher's own updates.
pub(super) struct OwnUpdates {
    me: &'static Me,
    /// The end of what is at work is waited for by nobody: killed anywhere, the version before starts.
    view: OwnView,
    news: (mpsc::Sender<News>, mpsc::Receiver<News>),
    by_player: bool,
    restart: Arc<AtomicBool>,
    frames: u32,
}

impl OwnUpdates {
    /// `restart` is set when the launcher is to be started anew.
    pub(super) fn new(restart: Arc<AtomicBool>) -> Self {
        let me = Me::get();
        let view = OwnView {
            release: me.release.clone(),
            has_source: me.source.is_some(),
            before: before(me),
            stage: OwnStage::Quiet,
            at_work: false,
        };
        Self { me, view, news: mpsc::channel(), by_player: false, restart, frames: 0 }
    }

    pub(super) fn view(&self) -> OwnView {
        self.view.clone()
    }

    /// Whether the launcher is to be started anew.
    pub(super) fn restarts(&self) -> bool {
        self.restart.load(Ordering::Relaxed)
    }

    /// A release that was taken back and that the player was not told of yet.
    pub(super) fn notice() -> Option<Failure> {
        start::untold().map(|release| (&LaunchError::SelfTakenBack { release }).into())
    }

    /// A frame was drawn. With the second one the first was seen: then this version has come up.
    pub(super) fn drawn(&mut self, ctx: &Context) {
        self.frames = self.frames.saturating_add(1);
        match self.frames {
            1 => ctx.request_repaint(),
            2 if self.me.slot.is_some() => {
                apart("samara-up", || start::came_up(Kind::Window));
            }
            _ => {}
        }
    }

    /// Now and then, with the rest: only looked at, unless updates are to be fetched by themselves.
    pub(super) fn look(&mut self, desk: &Desk, ctx: &Context) {
        let may_fetch = desk.settings.auto_update && desk.world.online && !desk.world.metered;
        self.fetch(false, !may_fetch, &desk.settings, ctx);
    }

    pub(super) fn perform(&mut self, deed: OwnDeed, settings: &Settings, ctx: &Context) {
        match deed {
            OwnDeed::Update => self.fetch(true, false, settings, ctx),
            OwnDeed::Restart => {
                self.restart.store(true, Ordering::Relaxed);
                ctx.send_viewport_cmd(ViewportCommand::Close);
            }
            OwnDeed::GoBack if !self.view.at_work => {
                let (to, me, ctx) = (self.news.0.clone(), self.me, ctx.clone());
                self.view.at_work = apart("samara-self", move || {
                    let _ = to.send(News::Back(update::go_back(me)));
                    ctx.request_repaint();
                });
            }
            OwnDeed::Understood if !self.view.at_work => self.view.stage = OwnStage::Quiet,
            OwnDeed::GoBack | OwnDeed::Understood => {}
        }
    }

    fn fetch(&mut self, by_player: bool, only_look: bool, settings: &Settings, ctx: &Context) {
        if self.me.source.is_none() {
            return;
        }
        if self.view.at_work {
            // He asks for what is being asked already: now he is told.
            self.by_player |= by_player;
            return;
        }
        let peers = settings.sharing == Consent::Yes;
        let download_limit = settings.limits.download;
        let sources = Sources { peers, web: true };
        let request = Request { by_player, only_look, sources, download_limit };
        let (to, me, ctx) = (self.news.0.clone(), self.me, ctx.clone());
        let work = move || {
            let mut tell = |told: Told<'_>| {
                if let Told::Progress(view) = told {
                    let _ = to.send(News::Working(view.done_bytes, view.total_bytes));
                    ctx.request_repaint();
                }
            };
            let ended = update::update(me, request, &mut tell);
            let _ = to.send(News::Ended(ended));
            ctx.request_repaint();
        };
        self.by_player = by_player;
        self.view.at_work = apart("samara-self", work);
        if by_player && self.view.at_work {
            self.view.stage = OwnStage::Looking;
        }
    }

    /// What has happened since the last frame.
    pub(super) fn listen(&mut self) {
        while let Ok(news) = self.news.1.try_recv() {
            self.view.stage = match news {
                News::Working(done, total) if self.by_player && total > 0 => {
                    OwnStage::Working { done, total }
                }
                News::Working(..) => continue,
                // What the player did not ask for does not disturb him when it fails.
                News::Ended(Err(_)) if !self.by_player => OwnStage::Quiet,
                News::Ended(Err(failure)) | News::Back(Err(failure)) => OwnStage::Failed(failure),
                News::Ended(Ok(Done::Offered(release))) => OwnStage::Offered(release),
                News::Ended(Ok(Done::Waiting(release))) => OwnStage::Ready(release),
                News::Ended(Ok(Done::Newest)) if !self.by_player => OwnStage::Quiet,
                News::Ended(Ok(Done::Newest)) => OwnStage::Newest,
                News::Ended(Ok(Done::Refused(release, Why::Failed))) => OwnStage::Refused(release),
                News::Ended(Ok(Done::Refused(release, Why::Left))) => OwnStage::Offered(release),
                News::Back(Ok(release)) if release == self.view.release => OwnStage::Quiet,
                News::Back(Ok(release)) => OwnStage::Ready(release),
            };
            if !matches!(self.view.stage, OwnStage::Working { .. }) {
                self.view.at_work = false;
                self.view.before = before(self.me);
            }
        }
    }
}

/// The version that a way back leads to.
fn before(me: &Me) -> Option<String> {
    let pointer = me.place.as_ref()?.pointer();
    let back = crate::selfupdate::policy::gone_back(&pointer, &me.own)?;
    Some(update::next(&back, &me.own))
}

/// Whether it could be begun.
fn apart(name: &str, work: impl FnOnce() + Send + 'static) -> bool {
    let started = std::thread::Builder::new().name(name.to_owned()).spawn(work);
    started
        .inspect_err(|error| tracing::error!(%error, "the launcher's own updates cannot be looked after"))
        .is_ok()
}
