//! One game: what it is, its one button, and what goes on with it.

use std::time::Duration;

use eframe::egui::{
    Align, Checkbox, Color32, FontId, Key, Label, Layout, Modifiers, Rect, RichText, Sense, Ui, UiBuilder,
    Vec2, vec2,
};

use crate::gui::art::Kind;
use crate::gui::theme::fonts;
use crate::gui::theme::tokens::SPACE;
use crate::gui::view::{Scene, Screen};
use crate::gui::widgets;
use crate::gui::widgets::art::{self, EMBLEM};
use crate::gui::words;
use crate::shell::preview::Aim;
use crate::shell::state::{self, Button, Does};
use crate::shell::{Action, GameKey, GameView};

/// The height of what stands above a game, in points.
const HERO_HEIGHT: f32 = 160.0;
/// The same of a picture, at most: it is a quarter as high as wide.
const PICTURE_HEIGHT: f32 = 256.0;

pub(super) fn show(ui: &mut Ui, scene: &mut Scene<'_>, open: &GameView) {
    let texts = scene.texts;
    let escaped = ui.input_mut(|input| input.consume_key(Modifiers::NONE, Key::Escape));
    if ui.button(texts.say("game-back")).clicked() || escaped {
        scene.state.screen = Screen::Library;
    }
    widgets::scrolled(ui, ("game", open.game.key), |ui| {
        hero(ui, scene, open);
        ui.add_space(SPACE);
        buttons(ui, scene, open);
        ui.add_space(SPACE);
        if let Some(progress) = &open.progress {
            widgets::panel(ui, |ui| {
                widgets::progress(ui, texts, progress);
                if let Some(download) =
                    scene.view.downloads.iter().find(|one| one.game.game.key == open.game.key)
                {
                    widgets::stages(ui, texts, &download.reached);
                }
            });
            ui.add_space(SPACE);
        }
        if let Some(failure) = &open.failure
            && let Some(pressed) = widgets::error(ui, texts, failure)
        {
            super::answer(scene, open, pressed);
        }
        ui.add_space(SPACE);
        told(ui, scene, open);
        widgets::panel(ui, |ui| {
            about(ui, scene, open);
            if ui.button(scene.texts.say("act-versions")).clicked() {
                super::to_versions(scene, open.game.key);
            }
            ui.add_space(SPACE);
            manage(ui, scene, open);
        });
    });
}

/// The game's picture, with its name and state on it.
fn hero(ui: &mut Ui, scene: &mut Scene<'_>, open: &GameView) {
    let (width, game) = (ui.available_width(), &open.game);
    let has_hero = art::has(scene, game, Kind::Hero);
    let height = if has_hero { (width / 4.0).clamp(HERO_HEIGHT, PICTURE_HEIGHT) } else { HERO_HEIGHT };
    let (rect, _) = ui.allocate_exact_size(vec2(width, height), Sense::hover());
    let mut inside = rect.shrink(3.0 * SPACE);
    let emblem = Rect::from_min_size(inside.left_bottom() - vec2(0.0, EMBLEM), Vec2::splat(EMBLEM));
    if art::has(scene, game, Kind::Icon) {
        inside.min.x = emblem.max.x + 2.0 * SPACE;
    }
    let state = words::state(scene.texts, &open.facts);
    let texts =
        [(&state, FontId::new(15.0, fonts::regular())), (&game.name, FontId::new(32.0, fonts::semibold()))];
    let widths = texts.each_ref().map(|(text, font)| {
        ui.painter().layout_no_wrap((*text).clone(), font.clone(), Color32::WHITE).size().x
    });
    let reach = widths.into_iter().fold(0.0, f32::max).min(inside.width());
    art::hero(ui, scene, game, rect, inside.min.x + reach);
    art::emblem(ui, scene, game, emblem);
    let mut over = ui.new_child(UiBuilder::new().max_rect(inside).layout(Layout::bottom_up(Align::Min)));
    for ((text, font), color) in texts.into_iter().zip([Color32::from_white_alpha(220), Color32::WHITE]) {
        over.add(Label::new(RichText::new(text).font(font).color(color)).truncate());
    }
}

fn buttons(ui: &mut Ui, scene: &mut Scene<'_>, open: &GameView) {
    let button = state::button(&open.facts);
    let key = open.game.key;
    ui.horizontal_wrapped(|ui| {
        let label = words::button(scene.texts, &button);
        let does = button.does();
        let mut pressed = widgets::primary(ui, &label, does.is_some());
        if let (Button::Waiting(..), Some(does)) = (&button, does) {
            pressed = pressed.on_hover_text(words::does(scene.texts, does));
        }
        if pressed.clicked()
            && let Some(does) = does
        {
            // Before the first byte it is told what it takes.
            if does == Does::Install {
                look_ahead(scene, key);
            } else if does == Does::FreeSpace {
                super::choose_folder(scene, open, false);
            } else {
                scene.actions.push(Action::Press(key, does));
            }
        }
        for does in state::beside(&open.facts) {
            if ui.button(words::does(scene.texts, does)).clicked() {
                scene.actions.push(Action::Press(key, does));
            }
        }
        let is_idle = open.facts.phase.is_none() && open.facts.hold.is_none();
        let label = scene.texts.say("game-look-ahead");
        if state::has_update(&open.facts) && is_idle && ui.button(label).clicked() {
            look_ahead(scene, key);
        }
    });
}

fn look_ahead(scene: &mut Scene<'_>, key: GameKey) {
    scene.state.moving = None;
    scene.actions.push(Action::Preview(key, Aim::Newest));
    scene.state.screen = Screen::Preflight(key);
}

/// What is seldom wanted.
fn manage(ui: &mut Ui, scene: &mut Scene<'_>, open: &GameView) {
    let (texts, key) = (scene.texts, open.game.key);
    if !open.left.is_empty() {
        ui.label(texts.tell("game-left", &[("files", open.left.join(", ").into())]));
    }
    if !state::can_be_managed(&open.facts) {
        return;
    }
    if scene.state.removing == Some(key) {
        ui.label(texts.tell("uninstall-ask", &[("name", open.game.name.as_str().into())]));
        ui.horizontal_wrapped(|ui| {
            for (answer, yes) in [("uninstall-yes", true), ("uninstall-no", false)] {
                if ui.button(texts.say(answer)).clicked() {
                    scene.state.removing = None;
                    scene.actions.extend(yes.then_some(Action::Press(key, Does::Uninstall)));
                }
            }
        });
        return;
    }
    ui.horizontal_wrapped(|ui| {
        if ui.button(words::does(texts, Does::Rollback)).clicked() {
            super::look_back(scene, key);
        }
        if ui.button(words::does(texts, Does::Uninstall)).clicked() {
            scene.state.removing = Some(key);
        }
    });
}

/// What is new, what the last update did cost, and whether every file is the studio's.
fn told(ui: &mut Ui, scene: &mut Scene<'_>, open: &GameView) {
    let (texts, game) = (scene.texts, &open.game);
    if let Some(offer) = scene.view.offer.as_ref().filter(|offer| !offer.notes.trim().is_empty()) {
        widgets::panel(ui, |ui| {
            let release = [("release", offer.release.as_str().into())];
            widgets::heading(ui, texts.tell("notes-title", &release));
            widgets::notes(ui, &offer.notes);
        });
        ui.add_space(SPACE);
    }
    if let Some(receipt) = &game.receipt {
        widgets::panel(ui, |ui| {
            let release = [("release", receipt.release.as_str().into())];
            widgets::heading(ui, texts.tell("receipt-title", &release));
            let lines = [
                ("receipt-received", texts.bytes(receipt.received_bytes())),
                ("receipt-saved", texts.bytes(receipt.saved_bytes())),
                ("source-peers", texts.bytes(receipt.peer_bytes)),
                ("source-lan", texts.bytes(receipt.lan_bytes)),
                ("source-web", texts.bytes(receipt.studio_bytes)),
                ("receipt-sent", texts.bytes(receipt.uploaded_bytes)),
                ("receipt-time", texts.duration(Duration::from_secs(receipt.seconds))),
            ];
            widgets::table(ui, texts, "receipt", &lines);
        });
        ui.add_space(SPACE);
    }
    widgets::panel(ui, |ui| {
        widgets::heading(ui, texts.say("authentic-title"));
        widgets::weak(ui, texts.say("authentic-text"));
        let fingerprint = [("fingerprint", game.root.fingerprint().into())];
        widgets::weak(ui, texts.tell("game-root", &fingerprint));
        if let Some(signed) = &game.signed {
            let values = [
                ("keys", signed.short().into()),
                ("count", signed.keys.len().into()),
                ("needed", signed.needed.into()),
                ("root", signed.root.into()),
            ];
            widgets::weak(ui, texts.tell("authentic-keys", &values));
        }
        if game.installed.is_none() {
            return;
        }
        match &game.checked {
            Some(checked) => {
                let values = [("good", checked.good().into()), ("files", checked.files.into())];
                ui.label(texts.tell("authentic-checked", &values));
            }
            None => {
                widgets::weak(ui, texts.say("authentic-unchecked"));
            }
        }
        let mut stays = game.pin.is_some();
        if ui.add(Checkbox::new(&mut stays, texts.say("game-stay"))).changed() {
            scene.actions.push(Action::Pin(game.key, stays));
        }
    });
    ui.add_space(SPACE);
}

/// What it is and whose: one line each.
fn about(ui: &mut Ui, scene: &Scene<'_>, open: &GameView) {
    let (texts, game) = (scene.texts, &open.game);
    let differs = |offered: &&String| game.installed.as_ref() != Some(*offered);
    let lines = [
        ("game-installed", "release", game.installed.clone()),
        ("game-offered", "release", game.offered.as_ref().filter(differs).cloned()),
        ("game-channel", "channel", Some(game.channel.clone())),
        ("game-folder", "folder", game.dir.as_ref().map(|dir| dir.display().to_string())),
        ("game-source", "repo", Some(game.repo.clone())),
    ];
    for (key, name, value) in lines {
        if let Some(value) = value {
            widgets::weak(ui, texts.tell(key, &[(name, value.into())]));
        }
    }
}
