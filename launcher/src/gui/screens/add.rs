//! A game is added: what the studio gave goes in, whose signatures will be believed is shown, then it is in the library.

use eframe::egui::{Key, Modifiers, RichText, TextEdit, Ui};

use crate::gui::theme::tokens::SPACE;
use crate::gui::view::{Scene, Screen};
use crate::gui::widgets::{self, Pressed};
use crate::shell::Action;

/// Longer ones are no addresses.
const CHARS_MAX: usize = 2000;

pub(super) fn show(ui: &mut Ui, scene: &mut Scene<'_>) {
    let texts = scene.texts;
    let escaped = ui.input_mut(|input| input.consume_key(Modifiers::NONE, Key::Escape));
    if ui.button(texts.say("game-back")).clicked() || escaped {
        leave(scene);
        return;
    }
    widgets::scrolled(ui, "add", |ui| {
        widgets::title(ui, &texts.say("add-title"));
        match scene.view.asked.as_ref().map(|asked| &asked.root) {
            Some(Ok(root)) => confirm(ui, scene, &root.fingerprint()),
            Some(Err(failure)) => {
                if let Some(Pressed::Copy(text)) = widgets::error(ui, texts, failure) {
                    scene.actions.push(Action::Copy(text));
                }
                fields(ui, scene);
            }
            None => fields(ui, scene),
        }
    });
}

fn fields(ui: &mut Ui, scene: &mut Scene<'_>) {
    let texts = scene.texts;
    widgets::weak(ui, texts.say("add-text"));
    ui.add_space(SPACE);
    let new = &mut scene.state.new;
    for (label, value) in [
        (texts.say("add-address"), &mut new.repo),
        (texts.say("add-game"), &mut new.game),
        (texts.say("add-root"), &mut new.root_file),
    ] {
        let label = ui.label(label);
        ui.add(TextEdit::singleline(value).char_limit(CHARS_MAX).desired_width(60.0 * SPACE))
            .labelled_by(label.id);
    }
    ui.add_space(SPACE);
    let is_told = [&new.repo, &new.game, &new.root_file].into_iter().all(|text| !text.trim().is_empty());
    // In a line, where a button's text stands in its middle.
    if ui.horizontal(|ui| widgets::primary(ui, &texts.say("add-next"), is_told)).inner.clicked() {
        scene.actions.push(Action::Ask(scene.state.new.trimmed()));
    }
}

fn confirm(ui: &mut Ui, scene: &mut Scene<'_>, fingerprint: &str) {
    let texts = scene.texts;
    ui.label(texts.say("add-compare"));
    ui.add_space(SPACE);
    ui.label(RichText::new(fingerprint).monospace().size(16.0));
    ui.add_space(SPACE);
    ui.horizontal_wrapped(|ui| {
        if widgets::primary(ui, &texts.say("add-confirm"), true).clicked() {
            scene.actions.push(Action::Add);
            // When it is refused, the reason brings this screen back.
            scene.state.screen = Screen::Library;
        }
        if ui.button(texts.say("add-refuse")).clicked() {
            leave(scene);
        }
    });
}

fn leave(scene: &mut Scene<'_>) {
    scene.actions.push(Action::ForgetAsked);
    scene.state.new = Default::default();
    scene.state.screen = Screen::Library;
}
