//! What holds of every screen in every state: all of it is translated.

use eframe::egui::accesskit::Role;
use egui_kittest::kittest::NodeT as _;

use super::stages::stages;
use super::*;

#[test]
fn no_text_was_forgotten_by_the_translators() {
    // What is not ours to translate.
    let data = [
        "Freeciv",
        "Other",
        "Some",
        "Third",
        "English",
        "Deutsch",
        "/games/freeciv",
        "maple",
        "xyz",
        "https://games.example/",
        "/home/me/Downloads/root.json",
        super::states::LONG,
    ];
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
    let mut forgotten = std::collections::BTreeSet::new();
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
                let is_given = data.contains(&text.as_str()) || notes.contains(&text.as_str());
                if !is_ours && !is_quantity(&text) && !is_given {
                    forgotten.insert(text);
                }
                seen += 1;
            }
        }
    }
    assert!(forgotten.is_empty(), "not translated: {forgotten:#?}");
    assert!(seen > 100, "{seen}");
}
