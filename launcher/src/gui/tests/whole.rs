//! What holds of every screen in every state: all of it is translated, and inside the window.

use eframe::egui::{Theme, accesskit::Role};
use egui_kittest::kittest::NodeT as _;

use super::stages::stages;
use super::*;

#[test]
fn no_text_was_forgotten_by_the_translators() {
    // What is not ours to translate.
    let data = ["Freeciv", "Other", "Some", "Third", "English", "Deutsch", "/games/freeciv"];
    // As a studio wrote it.
    let notes = [
        "Highlights",
        "• Faster turns on large maps",
        "• and smaller saves",
        "• A new tileset",
        "Thank you for playing.",
    ];
    let is_quantity = |text: &str| text.starts_with(|first: char| first.is_ascii_digit());
    let mut seen = 0;
    for (_, mut stage) in stages() {
        stage.texts = Texts::new(Language::Pseudo);
        let harness = play(stage);
        for node in harness.root().children_recursive() {
            let node = node.accesskit_node();
            // The lines that a text is broken into.
            if node.role() == Role::TextRun {
                continue;
            }
            let said = [node.label(), node.value(), node.placeholder().map(str::to_owned)];
            for text in said.into_iter().flatten().filter(|text| text.chars().any(char::is_alphabetic)) {
                let is_ours = text.starts_with('[') && text.ends_with(']');
                assert!(
                    is_ours
                        || is_quantity(&text)
                        || data.contains(&text.as_str())
                        || notes.contains(&text.as_str()),
                    "not translated: {text:?}"
                );
                seen += 1;
            }
        }
    }
    assert!(seen > 100, "{seen}");
}

#[test]
fn nothing_reaches_out_of_the_window() {
    for (language, theme) in [(Language::German, Theme::Light), (Language::Pseudo, Theme::Dark)] {
        for (width, height) in [(1280.0, 800.0), (640.0, 480.0)] {
            for (name, mut stage) in stages() {
                stage.texts = Texts::new(language);
                let harness = play_at(stage, width, height, theme);
                let has_place = |node: &egui_kittest::Node<'_>| node.accesskit_node().raw_bounds().is_some();
                for node in harness.root().children_recursive().filter(has_place) {
                    let rect = node.rect();
                    let told = (
                        node.accesskit_node().role(),
                        node.accesskit_node().label(),
                        node.accesskit_node().value(),
                    );
                    assert!(
                        rect.max.x <= width + 0.5,
                        "{name} in {language:?} at {width}: {told:?} ends at {}",
                        rect.max.x
                    );
                }
            }
        }
    }
}
