//! Before the first byte: where it goes, what it takes, how long it may last, and what is new.

use eframe::egui::{Key, Modifiers, TextEdit, Ui};

use crate::gui::text::{self, Texts};
use crate::gui::theme::{self, tokens::SPACE};
use crate::gui::view::{Scene, Screen};
use crate::gui::{widgets, words};
use crate::shell::deeds::Place;
use crate::shell::preview::{Aim, Asked, Cost, Preview};
use crate::shell::state::Does;
use crate::shell::{Action, GameKey, GameView};

/// Longer ones are no folders.
const CHARS_MAX: usize = 4000;

pub(super) fn show(ui: &mut Ui, scene: &mut Scene<'_>, open: &GameView) {
    let texts = scene.texts;
    let key = open.game.key;
    let is_there = open.game.installed.is_some();
    let escaped = ui.input_mut(|input| input.consume_key(Modifiers::NONE, Key::Escape));
    let preview = scene.view.preview.clone().unwrap_or_default();
    widgets::scrolled(ui, ("ahead", key), |ui| {
        let moves = is_there && scene.state.moving == Some(key);
        let name = [("name", open.game.name.as_str().into())];
        let where_to = moves.then(|| texts.tell("preflight-where", &name));
        widgets::title(ui, &where_to.unwrap_or_else(|| title(texts, open, &preview.aim)));
        ui.add_space(SPACE);
        if moves || !is_there {
            widgets::panel(ui, |ui| {
                if moves {
                    ui.label(texts.say("preflight-move"));
                }
                folder(ui, scene, open, &preview);
            });
            ui.add_space(SPACE);
        }
        if !moves {
            widgets::panel(ui, |ui| costs(ui, scene, &preview, is_there));
            ui.add_space(2.0 * SPACE);
        }
        let mut leaves = escaped;
        ui.horizontal_wrapped(|ui| {
            let (label, action) = goes(texts, key, &preview.aim, is_there);
            // What cannot be taken back is told instead of tried.
            let is_possible = preview.aim != Aim::Back || !matches!(preview.asked, Asked::Failed(_));
            if !moves && widgets::primary(ui, &label, is_possible).clicked() {
                scene.actions.push(action);
                leaves = true;
            }
            leaves |= ui.button(texts.say("preflight-not-now")).clicked();
            if preview.aim == Aim::Back && ui.button(texts.say("act-versions")).clicked() {
                super::to_versions(scene, key);
            }
        });
        if leaves {
            (scene.state.folder, scene.state.moving) = (None, None);
            scene.state.screen = Screen::Game(key);
        }
        ui.add_space(SPACE);
        if !moves {
            notes(ui, scene, &preview.aim);
        }
    });
}

fn title(texts: &Texts, open: &GameView, aim: &Aim) -> String {
    let name = ("name", open.game.name.as_str().into());
    match aim {
        Aim::Back => texts.tell("preflight-rollback", &[name]),
        Aim::Release(release) => {
            texts.tell("preflight-release", &[name, ("release", release.as_str().into())])
        }
        Aim::Newest if open.game.installed.is_some() => texts.tell("preflight-update", &[name]),
        Aim::Newest => texts.tell("preflight-install", &[name]),
    }
}

/// What the one button says and does.
fn goes(texts: &Texts, key: GameKey, aim: &Aim, is_there: bool) -> (String, Action) {
    let does = match aim {
        Aim::Release(release) => return (texts.say("versions-take"), Action::Take(key, release.clone())),
        Aim::Back => Does::Rollback,
        Aim::Newest if is_there => Does::Update,
        Aim::Newest => Does::Install,
    };
    (words::does(texts, does), Action::Press(key, does))
}

/// What is new in the release that it leads to.
fn notes(ui: &mut Ui, scene: &Scene<'_>, aim: &Aim) {
    let told = match aim {
        Aim::Newest => scene.view.offer.as_ref().map(|offer| (offer.release.clone(), offer.notes.clone())),
        Aim::Release(release) => {
            let rows =
                scene.view.versions.iter().zip(&scene.view.open).map(|(all, open)| all.rows(&open.game));
            let row = rows.flatten().find(|row| row.release == *release);
            row.map(|row| (row.release, row.notes))
        }
        Aim::Back => None,
    };
    let Some((release, notes)) = told.filter(|(_, notes)| !notes.trim().is_empty()) else { return };
    widgets::panel(ui, |ui| {
        widgets::heading(ui, scene.texts.tell("notes-title", &[("release", release.into())]));
        widgets::notes(ui, &notes);
    });
}

fn folder(ui: &mut Ui, scene: &mut Scene<'_>, open: &GameView, preview: &Preview) {
    let texts = scene.texts;
    let label = ui.label(texts.say("preflight-folder"));
    let usual = preview.folder.display().to_string();
    let mut path = scene.state.folder.clone().unwrap_or_else(|| usual.clone());
    let field = TextEdit::singleline(&mut path).char_limit(CHARS_MAX).desired_width(60.0 * SPACE);
    let field = ui.add(field).labelled_by(label.id);
    if field.changed() {
        scene.state.folder = Some(path.clone());
    }
    super::chooser(ui, scene, Place::Game(open.game.key));
    let entered = field.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter));
    let differs = path.trim() != usual && !path.trim().is_empty();
    if differs && (ui.button(texts.say("preflight-use-folder")).clicked() || entered) {
        scene.state.folder = None;
        scene.actions.push(Action::Folder(open.game.key, path.trim().into()));
    }
}

fn costs(ui: &mut Ui, scene: &Scene<'_>, preview: &Preview, is_there: bool) {
    let texts = scene.texts;
    widgets::heading(ui, texts.say("preflight-costs"));
    match &preview.asked {
        Asked::Wanted | Asked::Asking => {
            widgets::weak(ui, texts.say("preflight-asking"));
        }
        Asked::Failed(failure) => {
            let card = text::cards::card(texts, failure.code);
            ui.colored_label(theme::tokens(ui.visuals()).warn, card.title);
            ui.label(card.cause);
            ui.label(card.advice);
        }
        Asked::Known(cost) => known(ui, scene, preview, cost),
    }
    if let Some(lacks) = preview.lacks() {
        let bytes = [("bytes", texts.bytes(lacks).into())];
        ui.colored_label(theme::tokens(ui.visuals()).bad, texts.tell("preflight-lacks", &bytes));
    }
    match &preview.aim {
        Aim::Back if matches!(preview.asked, Asked::Failed(_)) => {}
        Aim::Back => {
            widgets::weak(ui, texts.say("preflight-rollback-text"));
        }
        Aim::Release(_) => {
            widgets::weak(ui, texts.say("preflight-release-text"));
        }
        Aim::Newest => {}
    }
    if is_there && preview.aim != Aim::Back {
        widgets::weak(ui, texts.say("preflight-back"));
    }
}

fn known(ui: &mut Ui, scene: &Scene<'_>, preview: &Preview, cost: &Cost) {
    let texts = scene.texts;
    let range = [
        ("least", texts.bare_duration(cost.time).into()),
        ("most", texts.bare_duration(cost.time.saturating_mul(2)).into()),
    ];
    if preview.aim == Aim::Back {
        widgets::weak(ui, texts.tell("preflight-leads-to", &[("release", cost.release.as_str().into())]));
    }
    let mut lines = vec![
        (
            "cost-download",
            if preview.aim == Aim::Back {
                texts.say("cost-nothing")
            } else {
                texts.bytes(cost.download_bytes)
            },
        ),
        ("cost-space", texts.bytes(cost.space_bytes)),
        ("cost-written", texts.bytes(cost.written_bytes)),
        ("cost-files", cost.files.to_string()),
        ("cost-time", texts.tell("cost-time-range", &range)),
    ];
    if let Some(free) = preview.free_bytes {
        lines.insert(2, ("cost-free", texts.bytes(free)));
    }
    let offer = scene.view.offer.as_ref().filter(|offer| offer.bytes > 0 && preview.aim == Aim::Newest);
    if let Some(offer) = offer {
        lines.insert(0, ("cost-size", texts.bytes(offer.bytes)));
    }
    widgets::table(ui, texts, "costs", &lines);
}
