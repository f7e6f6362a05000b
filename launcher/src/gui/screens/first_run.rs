//! The one question before anything else.

use eframe::egui::{Button, RichText, Ui, vec2};

use crate::gui::text::Texts;
use crate::gui::theme::fonts;
use crate::gui::theme::tokens::SPACE;
use crate::gui::view::Scene;
use crate::gui::widgets;
use crate::shell::Action;
use crate::shell::deeds::Brought;

/// Longer lines are hard to read.
const WIDTH: f32 = 560.0;

pub(super) fn show(ui: &mut Ui, scene: &mut Scene<'_>) {
    let texts = scene.texts;
    widgets::scrolled(ui, "first run", |ui| {
        ui.vertical_centered(|ui| {
            ui.set_max_width(WIDTH.min(ui.available_width()));
            widgets::banner(ui, &scene.view.guise, 8.0 * SPACE);
            let name = scene.view.guise.name.as_str().into();
            widgets::title(ui, &texts.tell("first-title", &[("name", name)]));
            if let Some(brought) = &scene.view.brought {
                brings(ui, texts, brought);
            }
            ui.add_space(2.0 * SPACE);
            let question = RichText::new(texts.say("first-question")).family(fonts::medium()).size(18.0);
            ui.label(question);
            ui.add_space(SPACE);
            ui.label(texts.say("first-what"));
            ui.label(texts.say("first-never"));
            widgets::weak(ui, texts.say("first-change"));
            ui.add_space(3.0 * SPACE);
            answers(ui, scene);
        });
    });
}

/// Both answers look the same, and where one can be seen the other can: neither is the one we want to hear.
fn answers(ui: &mut Ui, scene: &mut Scene<'_>) {
    let texts = scene.texts;
    let size = vec2(28.0 * SPACE, 6.0 * SPACE);
    let both = 2.0 * size.x + SPACE;
    let mut show = |ui: &mut Ui| {
        for (answer, yes) in [(texts.say("first-yes"), true), (texts.say("first-no"), false)] {
            if ui.add_sized(size, Button::new(answer).wrap()).clicked() {
                scene.actions.push(Action::Consent(yes));
            }
        }
    };
    if ui.available_width() < both {
        return show(ui);
    }
    ui.allocate_ui(vec2(both, size.y), |ui| ui.horizontal(show));
}

/// The games that came with the launcher, and whose signatures will be believed for them.
fn brings(ui: &mut Ui, texts: &Texts, brought: &Brought) {
    let games = brought.games.join(", ");
    ui.add_space(SPACE);
    ui.label(texts.tell("first-brings", &[("games", games.into())]));
    widgets::weak(ui, texts.tell("game-source", &[("repo", brought.repo.as_str().into())]));
    widgets::weak(ui, texts.tell("game-root", &[("fingerprint", brought.root.fingerprint().into())]));
}
