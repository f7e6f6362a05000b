//! Patch notes: the part of Markdown that they are written in, without anything that would be fetched or run.

use eframe::egui::text::LayoutJob;
use eframe::egui::{Color32, FontId, TextFormat, Ui};

use crate::gui::theme::tokens::SPACE;
use crate::gui::theme::{self, fonts};

/// Longer ones are cut off: a studio's site has the rest.
const LINES_MAX: usize = 400;

/// A line of patch notes.
#[derive(Debug, PartialEq, Eq)]
enum Line<'a> {
    Heading(&'a str),
    Item(usize, &'a str),
    Text(&'a str),
    Gap,
}

fn line(text: &str) -> Line<'_> {
    let inner = text.trim_start();
    let depth = (text.len() - inner.len()) / 2;
    if inner.is_empty() {
        return Line::Gap;
    }
    let heading = inner.trim_start_matches('#');
    if heading.len() < inner.len() && heading.starts_with(' ') {
        return Line::Heading(heading.trim());
    }
    match inner.strip_prefix("- ").or_else(|| inner.strip_prefix("* ")) {
        Some(item) => Line::Item(depth.min(4), item.trim()),
        None => Line::Text(inner.trim_end()),
    }
}

/// Pieces of a line, and whether each stands out.
fn pieces(text: &str) -> Vec<(&str, bool)> {
    let parts = text.split("**").enumerate();
    parts.map(|(at, part)| (part, at % 2 == 1)).filter(|(part, _)| !part.is_empty()).collect()
}

/// Draws patch notes.
pub fn notes(ui: &mut Ui, text: &str) {
    let tokens = theme::tokens(ui.visuals());
    for text in text.lines().take(LINES_MAX) {
        match line(text) {
            Line::Gap => ui.add_space(0.5 * SPACE),
            Line::Heading(text) => super::heading(ui, text),
            Line::Text(text) => {
                ui.label(job(text, tokens.text, ""));
            }
            Line::Item(depth, text) => {
                #[allow(clippy::cast_precision_loss, reason = "at most 4")]
                let indent = (1 + depth * 2) as f32 * SPACE;
                ui.horizontal_top(|ui| {
                    ui.add_space(indent);
                    ui.add(eframe::egui::Label::new(job(text, tokens.text, "• ")).wrap());
                });
            }
        }
    }
}

fn job(text: &str, color: Color32, lead: &str) -> LayoutJob {
    let mut job = LayoutJob::default();
    let format = |family| TextFormat::simple(FontId::new(14.0, family), color);
    job.append(lead, 0.0, format(fonts::regular()));
    for (piece, stands_out) in pieces(text) {
        job.append(piece, 0.0, format(if stands_out { fonts::semibold() } else { fonts::regular() }));
    }
    job
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_what_they_look_like() {
        for (text, expected) in [
            ("# New", Line::Heading("New")),
            ("### New ", Line::Heading("New")),
            ("#1 of 3", Line::Text("#1 of 3")),
            ("- one", Line::Item(0, "one")),
            ("  * two", Line::Item(1, "two")),
            ("-5 gold", Line::Text("-5 gold")),
            ("   ", Line::Gap),
            ("words ", Line::Text("words")),
        ] {
            assert_eq!(line(text), expected, "{text:?}");
        }
        assert_eq!(pieces("a **b** c"), [("a ", false), ("b", true), (" c", false)]);
        assert_eq!(pieces("**b"), [("b", true)]);
    }
}
