//! An error's card: what happened, why, what one can do, and the button that does it.

use eframe::egui::{CornerRadius, Frame, Margin, RichText, Ui};

use crate::engine::Failure;
use crate::gui::text::Texts;
use crate::gui::text::cards::{Act, card};
use crate::gui::theme::tokens::RADIUS_LARGE;
use crate::gui::theme::{self, fonts};
use crate::gui::widgets;

/// What was pressed on a card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pressed {
    /// Its button.
    Act(Act),
    /// Its details are to be copied.
    Copy(String),
}

/// Draws the card of a failure.
pub fn error(ui: &mut Ui, texts: &Texts, failure: &Failure) -> Option<Pressed> {
    let card = card(texts, failure.code);
    let tokens = theme::tokens(ui.visuals());
    let frame = Frame::new()
        .fill(tokens.panel)
        .corner_radius(CornerRadius::same(RADIUS_LARGE))
        .inner_margin(Margin::same(16));
    let mut pressed = None;
    let shown = frame.show(ui, |ui| {
        ui.set_width(ui.available_width());
        ui.label(RichText::new(&card.title).family(fonts::semibold()).size(16.0).color(tokens.bad));
        ui.label(&card.cause);
        ui.label(&card.advice);
        ui.horizontal_wrapped(|ui| {
            if ui.button(&card.label).clicked() {
                pressed = Some(Pressed::Act(card.act));
            }
            if let Some((act, label)) = &card.also
                && ui.button(label).clicked()
            {
                pressed = Some(Pressed::Act(*act));
            }
            if ui.button(texts.say("card-copy")).clicked() {
                pressed = Some(Pressed::Copy(details(failure)));
            }
        });
        ui.collapsing(texts.say("card-details"), |ui| {
            widgets::weak(ui, texts.tell("card-code", &[("code", failure.code.into())]));
            widgets::weak(ui, failure.message.as_str());
        });
    });
    // Seen on whatever it lies.
    let edge = shown.response.rect.with_max_x(shown.response.rect.min.x + 3.0);
    ui.painter().rect_filled(edge, CornerRadius::same(2), tokens.bad);
    pressed
}

/// What helps who is asked for help. In English, whoever reads it.
#[must_use]
pub fn details(failure: &Failure) -> String {
    let version = env!("CARGO_PKG_VERSION");
    format!(
        "{}: {}\n{}\nSamara {version} on {}",
        failure.code,
        failure.message,
        failure.advice,
        std::env::consts::OS
    )
}
