//! All versions of a game, and the channels that lead to them.

use eframe::egui::{Key, Modifiers, RichText, Ui};

use crate::gui::text;
use crate::gui::theme::tokens::SPACE;
use crate::gui::theme::{self, fonts};
use crate::gui::view::{Scene, Screen};
use crate::gui::widgets;
use crate::shell::preview::Aim;
use crate::shell::state;
use crate::shell::versions::{ChannelRow, Listed, Means, Row};
use crate::shell::{Action, GameView};

/// More are not drawn: the newest, what is here and what is kept.
const SHOWN_MAX: usize = 100;

pub(super) fn show(ui: &mut Ui, scene: &mut Scene<'_>, open: &GameView) {
    let texts = scene.texts;
    let key = open.game.key;
    let escaped = ui.input_mut(|input| input.consume_key(Modifiers::NONE, Key::Escape));
    if ui.button(texts.say("versions-back")).clicked() || escaped {
        scene.state.screen = Screen::Game(key);
    }
    let versions = scene.view.versions.clone().unwrap_or_default();
    widgets::scrolled(ui, ("versions", key), |ui| {
        widgets::title(ui, &texts.tell("versions-title", &[("name", open.game.name.as_str().into())]));
        ui.add_space(SPACE);
        match &versions.listed {
            Listed::Asking => {
                widgets::weak(ui, texts.say("versions-asking"));
            }
            Listed::Failed(failure) => {
                let card = text::cards::card(texts, failure.code);
                ui.colored_label(theme::tokens(ui.visuals()).warn, card.title);
                ui.label(card.cause);
                if ui.button(texts.say("act-retry")).clicked() {
                    scene.actions.push(Action::Versions(key));
                }
            }
            Listed::Known(_) => {
                widgets::panel(ui, |ui| channels(ui, scene, open, &versions.channels(&open.game)));
            }
        }
        ui.add_space(SPACE);
        let is_idle = state::is_idle(&open.facts);
        if !is_idle {
            widgets::weak(ui, texts.say("versions-busy"));
            ui.add_space(SPACE);
        }
        let rows = versions.rows(&open.game).into_iter().enumerate();
        for (_, row) in rows.filter(|(at, row)| *at < SHOWN_MAX || row.is_here || row.is_kept) {
            widgets::panel(ui, |ui| version(ui, scene, open, &row, is_idle));
            ui.add_space(SPACE);
        }
    });
}

/// One line a channel: what it offers, and what following it means.
fn channels(ui: &mut Ui, scene: &mut Scene<'_>, open: &GameView, channels: &[ChannelRow]) {
    let texts = scene.texts;
    widgets::heading(ui, texts.say("versions-channels"));
    widgets::weak(ui, texts.say("versions-channels-text"));
    for row in channels {
        let values = [("channel", row.name.as_str().into()), ("release", row.release.as_str().into())];
        let label = texts.tell("versions-channel", &values);
        ui.horizontal_wrapped(|ui| {
            if ui.radio(row.is_followed, label).clicked() && !row.is_followed {
                scene.actions.push(Action::Channel(open.game.key, row.name.clone()));
            }
            let means = match row.means {
                Means::Install => return,
                Means::Same => "channel-same",
                Means::Update if row.is_followed => "channel-ready",
                Means::Update => "channel-update",
                Means::Older => "channel-older",
                Means::Halted => "channel-halted",
            };
            widgets::weak(ui, texts.say(means));
        });
    }
    if let Some(pin) = &open.game.pin {
        ui.label(texts.tell("versions-pinned", &[("release", pin.as_str().into())]));
    }
}

/// A version: what it is, and what can be done with it.
fn version(ui: &mut Ui, scene: &mut Scene<'_>, open: &GameView, row: &Row, is_idle: bool) {
    let (texts, key) = (scene.texts, open.game.key);
    let release = || [("release", row.release.as_str().into())];
    ui.horizontal_wrapped(|ui| {
        widgets::heading(ui, texts.tell("version-title", &release()));
        let tokens = theme::tokens(ui.visuals());
        if row.is_here {
            let here = RichText::new(texts.say("version-here")).family(fonts::medium()).color(tokens.good);
            ui.label(here);
        }
        if let Some(bytes) = row.bytes {
            widgets::weak(ui, texts.bytes(bytes));
        }
        if !row.channels.is_empty() {
            let channels = [("channels", row.channels.join(", ").into())];
            widgets::weak(ui, texts.tell("version-channels", &channels));
        }
    });
    if row.is_kept {
        widgets::weak(ui, texts.say("version-kept"));
    }
    if row.is_here {
        let mut stays = row.stays;
        if ui.checkbox(&mut stays, texts.say("game-stay")).changed() {
            scene.actions.push(Action::Pin(key, stays));
        }
    } else {
        ui.add_enabled_ui(is_idle, |ui| {
            ui.horizontal_wrapped(|ui| {
                if row.is_kept {
                    let back = ui.button(texts.say("version-back"));
                    widgets::named(ui, &back, texts.tell("version-back-to", &release()));
                    if back.clicked() {
                        super::look_back(scene, key);
                    }
                }
                let take = ui.button(texts.say("versions-take"));
                widgets::named(ui, &take, texts.tell("version-take-named", &release()));
                if take.clicked() {
                    scene.state.moving = None;
                    scene.actions.push(Action::Preview(key, Aim::Release(row.release.clone())));
                    scene.state.screen = Screen::Preflight(key);
                }
            });
        });
    }
    if !row.notes.trim().is_empty() {
        let title = texts.tell("notes-title", &release());
        ui.collapsing(title, |ui| widgets::notes(ui, &row.notes));
    }
}
