//! A game in the library, as a card or a line.

use eframe::egui::{
    Color32, CornerRadius, FontId, Id, Pos2, Rect, Response, Sense, Stroke, StrokeKind, Ui, Vec2, WidgetInfo,
    accesskit::Role, pos2, vec2,
};

use crate::gui::theme::tokens::{RADIUS_LARGE, SPACE};
use crate::gui::theme::{self, fonts};
use crate::gui::view::Scene;
use crate::gui::widgets::art;
use crate::gui::{text, words};
use crate::shell::GameView;

/// Draws a game of this size; it is one thing to press, named by the game and its state.
pub fn card(ui: &mut Ui, scene: &mut Scene<'_>, game: &GameView, id: Id, size: Vec2) -> Response {
    let texts = scene.texts;
    let state = words::state(texts, &game.facts);
    let (_, rect) = ui.allocate_space(size);
    let response = ui.interact(rect, id, Sense::click());
    response.widget_info(|| {
        let name = game.game.name.as_str().into();
        let state = text::bare(&state).to_owned().into();
        WidgetInfo::labeled(
            Role::Button,
            true,
            texts.tell("library-open", &[("name", name), ("state", state)]),
        )
    });
    if !ui.is_rect_visible(rect) {
        return response;
    }
    let tokens = theme::tokens(ui.visuals());
    let fill = if response.hovered() { tokens.hover } else { tokens.raised };
    let round = CornerRadius::same(RADIUS_LARGE);
    ui.painter().rect_filled(rect, round, fill);
    let is_line = size.y < size.x / 3.0;
    let picture = if is_line {
        Rect::from_min_size(rect.min, vec2(size.y, size.y)).shrink(SPACE)
    } else {
        Rect::from_min_size(rect.min, vec2(size.x, size.y - 8.0 * SPACE))
    };
    if is_line {
        art::small(ui, scene, &game.game, picture);
    } else {
        art::large(ui, scene, &game.game, picture);
    }
    if response.has_focus() {
        // A picture may have the mark's colour: what stands between them has not.
        let apart = Stroke::new(1.5, tokens.ground);
        ui.painter().rect_stroke(rect.shrink(2.0), round, apart, StrokeKind::Inside);
        let stroke = Stroke::new(2.0, tokens.focus);
        ui.painter().rect_stroke(rect, round, stroke, StrokeKind::Inside);
    }
    let at = if is_line {
        pos2(picture.max.x + 2.0 * SPACE, rect.center().y - 2.5 * SPACE)
    } else {
        pos2(rect.min.x + 2.0 * SPACE, picture.max.y + 1.5 * SPACE)
    };
    let width = rect.max.x - 2.0 * SPACE - at.x;
    let (height, all_name) =
        line(ui, at, width, &game.game.name, FontId::new(15.0, fonts::medium()), tokens.text);
    let color = if game.facts.failure.is_some() || game.facts.damaged { tokens.warn } else { tokens.weak };
    let below = at + vec2(0.0, height + 0.5 * SPACE);
    let (_, all_state) = line(ui, below, width, &state, FontId::new(13.0, fonts::regular()), color);
    if all_name && all_state {
        return response;
    }
    response.on_hover_text(format!("{}\n{state}", game.game.name))
}

/// One line, shortened with an ellipsis where it would not fit; its height, and whether all of it is there.
fn line(ui: &Ui, at: Pos2, width: f32, text: &str, font: FontId, color: Color32) -> (f32, bool) {
    let mut job = eframe::egui::text::LayoutJob::simple_singleline(text.to_owned(), font, color);
    job.wrap = eframe::egui::text::TextWrapping::truncate_at_width(width);
    let galley = ui.painter().layout_job(job);
    let told = (galley.size().y, !galley.elided);
    ui.painter().galley(at, galley, color);
    told
}
