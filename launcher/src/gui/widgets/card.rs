//! A game in the library, as a card or a line.

use eframe::egui::{
    Align2, Color32, CornerRadius, FontId, Mesh, Pos2, Rect, Response, Sense, Stroke, StrokeKind, Ui, Vec2,
    WidgetInfo, accesskit::Role, ecolor::Hsva, pos2, vec2,
};

use crate::gui::text::Texts;
use crate::gui::theme::tokens::{RADIUS_LARGE, SPACE};
use crate::gui::theme::{self, fonts};
use crate::gui::{text, words};
use crate::shell::GameView;

/// Draws a game of this size; it is one thing to press, named by the game and its state.
pub fn card(ui: &mut Ui, texts: &Texts, game: &GameView, size: Vec2) -> Response {
    let state = words::state(texts, &game.facts);
    let (rect, response) = ui.allocate_exact_size(size, Sense::click());
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
    if response.has_focus() {
        let stroke = Stroke::new(2.0, tokens.focus);
        ui.painter().rect_stroke(rect, round, stroke, StrokeKind::Inside);
    }
    let is_line = size.y < size.x / 3.0;
    let picture = if is_line {
        Rect::from_min_size(rect.min, vec2(size.y, size.y)).shrink(SPACE)
    } else {
        Rect::from_min_size(rect.min, vec2(size.x, size.y - 8.0 * SPACE))
    };
    art(ui, picture, &game.game.name);
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

/// A picture for a game that has none: its first letter on colours of its own.
pub fn art(ui: &Ui, rect: Rect, name: &str) {
    backdrop(ui, rect, name);
    let letter = name.chars().next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    let font = FontId::new((rect.height() * 0.5).clamp(8.0, 96.0), fonts::semibold());
    ui.painter().text(rect.center(), Align2::CENTER_CENTER, letter, font, Color32::from_white_alpha(200));
}

/// Two colours that belong to a name, from one corner to the other.
pub fn backdrop(ui: &Ui, rect: Rect, name: &str) {
    let hue = name.bytes().fold(7u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(byte))) % 360;
    #[allow(clippy::cast_precision_loss, reason = "below 360")]
    let hue = hue as f32 / 360.0;
    let color = |hue: f32, value| Color32::from(Hsva::new(hue.fract(), 0.55, value, 1.0));
    let (light, dark) = (color(hue, 0.22), color(hue + 0.1, 0.045));
    let mut mesh = Mesh::default();
    let middle = rect.center();
    let mix = |at: Pos2| {
        let across =
            (at.x - rect.min.x) / rect.width().max(1.0) + (at.y - rect.min.y) / rect.height().max(1.0);
        light.lerp_to_gamma(dark, across / 2.0)
    };
    mesh.colored_vertex(middle, mix(middle));
    let outline = rounded(rect, f32::from(RADIUS_LARGE));
    for at in &outline {
        mesh.colored_vertex(*at, mix(*at));
    }
    let count = u32::try_from(outline.len()).unwrap_or(0);
    for at in 0..count {
        mesh.add_triangle(0, at + 1, (at + 1) % count + 1);
    }
    ui.painter().add(mesh);
}

/// The outline of a rectangle with round corners.
fn rounded(rect: Rect, radius: f32) -> Vec<Pos2> {
    const STEPS: u8 = 6;
    let inner = rect.shrink(radius);
    let corners = [inner.right_bottom(), inner.left_bottom(), inner.left_top(), inner.right_top()];
    let turn = std::f32::consts::FRAC_PI_2;
    let around = corners.into_iter().zip([0.0, 1.0, 2.0, 3.0]).flat_map(|(center, quarter)| {
        (0..=STEPS).map(move |step| {
            let angle = (quarter + f32::from(step) / f32::from(STEPS)) * turn;
            center + radius * Vec2::angled(angle)
        })
    });
    around.collect()
}
