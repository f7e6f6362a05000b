//! The window and the desktop around it: what that tells, and where the window is while it is closed to the tray.

use eframe::egui::{Context, ViewportCommand};

use super::Window;
use crate::gui::desktop::{Chosen, Labels, News};
use crate::gui::text::cards;
use crate::shell::deeds::Tiding;
use crate::shell::{Action, Effect};

/// Whether the window is closed, and what closing it means.
#[derive(Debug, Default)]
pub(super) struct Away {
    /// It is closed, and the icon in the tray is what is left.
    pub(super) is_away: bool,
    /// There is an icon in a tray.
    pub(super) has_tray: bool,
    /// Closing ends the program, whatever the settings say: it was asked to.
    pub(super) quits: bool,
    /// It goes away as soon as there is a tray: the player starts without a window.
    pub(super) starts: bool,
}

impl Window {
    /// What the desktop has told.
    pub(super) fn hear_desktop(&mut self, ctx: &Context) -> Vec<Effect> {
        let mut effects = Vec::new();
        for news in self.desktop.news() {
            match news {
                News::Folder(place, Chosen::Folder(folder)) => {
                    effects.extend(self.desk.chosen(place, folder));
                }
                News::Folder(_, chosen) => self.state.no_chooser |= chosen == Chosen::NoChooser,
                News::StopAll(stopped) => effects.extend(self.desk.act(Action::StopAll(stopped))),
                News::Metered(costs) if costs != self.desk.world.metered => {
                    self.desk.world.metered = costs;
                    effects.extend(self.desk.step());
                }
                News::Metered(_) => {}
                News::Open => self.come_back(ctx),
                News::Quit => {
                    self.away.quits = true;
                    ctx.send_viewport_cmd(ViewportCommand::Close);
                }
                News::Tray(is_there) => {
                    self.away.has_tray = is_there;
                    if std::mem::take(&mut self.away.starts) && is_there {
                        self.go_away(ctx);
                    } else if self.away.is_away && !is_there {
                        self.come_back(ctx);
                    }
                }
            }
        }
        let labels = self.labels();
        self.desktop.tray(labels);
        effects
    }

    /// What the icon says, when there is to be one.
    fn labels(&self) -> Option<Labels> {
        let settings = &self.desk.settings;
        let wants = settings.close_to_tray || settings.start_minimised;
        (wants && !settings.is_first_run() && self.closing.is_none()).then(|| Labels {
            name: self.dress.guise.name.clone(),
            open: self.texts.say("tray-open"),
            stop: self.texts.say("downloads-stop"),
            go_on: self.texts.say("downloads-go-on"),
            quit: self.texts.say("tray-quit"),
            is_stopped: self.desk.queue.is_stopped(),
            icon: self.icon.clone(),
        })
    }

    /// Whether closing the window leaves the program running.
    pub(super) fn stays_in_tray(&self) -> bool {
        let settings = &self.desk.settings;
        let ends = self.away.quits || self.own.restarts();
        settings.close_to_tray && !settings.is_first_run() && self.away.has_tray && !ends
    }

    /// The window is seen no more; downloads and sharing go on.
    pub(super) fn go_away(&mut self, ctx: &Context) {
        self.away.is_away = true;
        ctx.send_viewport_cmd(ViewportCommand::Visible(false));
    }

    /// The window is there again.
    pub(super) fn come_back(&mut self, ctx: &Context) {
        self.away.is_away = false;
        for command in
            [ViewportCommand::Visible(true), ViewportCommand::Minimized(false), ViewportCommand::Focus]
        {
            ctx.send_viewport_cmd(command);
        }
        ctx.request_repaint();
    }

    /// Tells who does not look.
    pub(super) fn tell(&self, tiding: &Tiding) {
        let texts = &self.texts;
        let release = |key, release: &str| texts.tell(key, &[("release", release.into())]);
        let (name, text) = match tiding {
            Tiding::Ready(name, version) => (name, release("tiding-ready", version)),
            Tiding::Done(name, version) => (name, release("tiding-done", version)),
            Tiding::Failed(name, code) => (name, cards::card(texts, code).title),
        };
        self.desktop.notify(name.clone(), text);
    }
}
