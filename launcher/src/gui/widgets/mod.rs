//! What the screens are put together from.

pub mod art;
mod card;
mod error;
mod notes;
mod plot;
mod progress;
mod scrolled;

use eframe::egui::{Button, CornerRadius, Frame, Grid, Image, Margin, Response, RichText, Ui, vec2};

pub use card::card;
pub use error::{Pressed, details, error};
pub use notes::notes;
pub use plot::{legend, legends, pace, sources, stages};
pub use progress::{figures, progress};
pub use scrolled::{following, scrolled};

use crate::gui::text::Texts;
use crate::gui::theme::tokens::{RADIUS_LARGE, SPACE};
use crate::gui::theme::{self, fonts};
use crate::gui::view::Guise;

/// The one button of a screen that a player most likely wants.
pub fn primary(ui: &mut Ui, label: &str, is_enabled: bool) -> Response {
    let tokens = theme::tokens(ui.visuals());
    let text = RichText::new(label).family(fonts::semibold()).size(16.0);
    ui.scope(|ui| {
        if is_enabled {
            let widgets = &mut ui.visuals_mut().widgets;
            for (visuals, fill) in [
                (&mut widgets.inactive, tokens.accent),
                (&mut widgets.hovered, tokens.accent_hover),
                (&mut widgets.active, tokens.accent_hover),
            ] {
                visuals.weak_bg_fill = fill;
                visuals.fg_stroke.color = tokens.on_accent;
            }
        }
        let button = Button::new(text).min_size(vec2(20.0 * SPACE, 6.0 * SPACE)).wrap();
        ui.add_enabled(is_enabled, button)
    })
    .inner
}

/// The studio's picture, no higher than a quarter of the window; `otherwise` that much room, in points.
pub fn banner(ui: &mut Ui, guise: &Guise, otherwise: f32) {
    let Some(art) = guise.art else { return ui.add_space(otherwise) };
    let room = vec2(ui.available_width(), ui.ctx().content_rect().height() / 4.0);
    ui.add_space(SPACE);
    // It says nothing that is not said below it, and so has no name.
    ui.add(Image::from_texture(art).max_size(room).corner_radius(CornerRadius::same(RADIUS_LARGE)));
    ui.add_space(2.0 * SPACE);
}

/// A title.
pub fn title(ui: &mut Ui, text: &str) {
    ui.heading(text);
}

/// Text that comes second.
pub fn weak(ui: &mut Ui, text: impl Into<String>) -> Response {
    let color = theme::tokens(ui.visuals()).weak;
    ui.label(RichText::new(text).color(color))
}

/// A part of a screen that belongs together.
pub fn panel<R>(ui: &mut Ui, inside: impl FnOnce(&mut Ui) -> R) -> R {
    let tokens = theme::tokens(ui.visuals());
    let frame = Frame::new()
        .fill(tokens.panel)
        .corner_radius(CornerRadius::same(RADIUS_LARGE))
        .inner_margin(Margin::same(16));
    let shown = frame.show(ui, |ui| {
        ui.set_width(ui.available_width());
        inside(ui)
    });
    shown.inner
}

/// A heading of a part.
pub fn heading(ui: &mut Ui, text: impl Into<String>) {
    ui.label(RichText::new(text).family(fonts::semibold()).size(16.0));
}

/// Gives a control another name for those who do not see what stands around it.
pub fn named(ui: &Ui, response: &Response, name: impl Into<String>) {
    let name = name.into();
    ui.ctx().accesskit_node_builder(response.id, |node| node.set_label(name));
}

/// A name and its value a line; the names by their keys.
pub fn table(ui: &mut Ui, texts: &Texts, id: &str, lines: &[(&str, String)]) {
    Grid::new(id).num_columns(2).min_row_height(2.5 * SPACE).spacing([3.0 * SPACE, 0.5 * SPACE]).show(
        ui,
        |ui| {
            for (key, value) in lines {
                weak(ui, texts.say(key));
                ui.label(value.as_str());
                ui.end_row();
            }
        },
    );
}
