//! Pictures of numbers: how fast it went, where bytes came from, how far each part is.

use eframe::egui::{
    Color32, CornerRadius, Mesh, Pos2, Rect, Response, Sense, Stroke, Ui, WidgetInfo, accesskit::Role, pos2,
    vec2,
};

use crate::engine::SourceBytes;
use crate::gui::text::{self, Texts};
use crate::gui::theme;
use crate::gui::theme::tokens::{RADIUS, RADIUS_LARGE, SPACE, Tokens};
use crate::shell::downloads::{Reached, Stage};
use crate::shell::pace::{BEATS, Beat};

/// Steps that the scale of a picture takes, so that it does not tremble: one, two and five times a power of ten.
fn scale(most: u64) -> u64 {
    let mut step: u64 = 10_000;
    loop {
        for times in [1, 2, 5] {
            if step.saturating_mul(times) >= most {
                return step.saturating_mul(times);
            }
        }
        step = step.saturating_mul(10);
    }
}

/// How fast network and disk were in the last minutes; the newest is on the right.
pub fn pace(ui: &mut Ui, texts: &Texts, beats: &[Beat], height: f32) -> Response {
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), height), Sense::hover());
    let top = scale(beats.iter().map(|beat| beat.network.max(beat.disk)).max().unwrap_or(0));
    let last = beats.last().copied().unwrap_or_default();
    let rate = |bytes| {
        let told = texts.tell("unit-rate", &[("bytes", texts.bytes(bytes).into())]);
        text::bare(&told).to_owned()
    };
    let told =
        texts.tell("pace-told", &[("network", rate(last.network).into()), ("disk", rate(last.disk).into())]);
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, &told));
    let tokens = theme::tokens(ui.visuals());
    let painter = ui.painter().with_clip_rect(rect);
    painter.rect_filled(rect, CornerRadius::same(RADIUS_LARGE), tokens.well);
    for part in [0.25, 0.5, 0.75] {
        let y = rect.max.y - rect.height() * part;
        painter.hline(rect.x_range(), y, Stroke::new(1.0, tokens.line));
    }
    let place = |at: usize, bytes: u64| place(rect, beats.len(), at, bytes, top);
    let line = |of: fn(&Beat) -> u64| -> Vec<Pos2> {
        beats.iter().enumerate().map(|(at, beat)| place(at, of(beat))).collect()
    };
    let network = line(|beat| beat.network);
    painter.add(under(&network, rect.max.y, tokens.network.gamma_multiply(0.25)));
    painter.line(network, Stroke::new(2.0, tokens.network));
    painter.line(line(|beat| beat.disk), Stroke::new(1.5, tokens.disk));
    let font = eframe::egui::TextStyle::Small.resolve(ui.style());
    let at = rect.min + vec2(SPACE, 0.5 * SPACE);
    painter.text(at, eframe::egui::Align2::LEFT_TOP, rate(top), font, tokens.weak);
    response
}

/// The ground under a line, in strips without seams: a curve is no convex shape.
fn under(line: &[Pos2], low: f32, color: Color32) -> Mesh {
    let mut mesh = Mesh::default();
    for (at, point) in (0u32..).step_by(2).zip(line) {
        mesh.colored_vertex(*point, color);
        mesh.colored_vertex(pos2(point.x, low), color);
        if at > 0 {
            mesh.add_triangle(at - 2, at - 1, at);
            mesh.add_triangle(at - 1, at, at + 1);
        }
    }
    mesh
}

#[allow(clippy::cast_precision_loss, reason = "points on a screen")]
fn place(rect: Rect, beats: usize, at: usize, bytes: u64, top: u64) -> Pos2 {
    let step = rect.width() / (BEATS - 1) as f32;
    let x = rect.max.x - step * beats.saturating_sub(at + 1) as f32;
    pos2(x, rect.max.y - rect.height() * 0.9 * (bytes as f64 / top as f64) as f32)
}

/// Lines of legends: as high as text, for nothing in them is pressed.
pub fn legends(ui: &mut Ui, inside: impl FnOnce(&mut Ui)) {
    ui.scope(|ui| {
        ui.spacing_mut().interact_size.y = 0.0;
        ui.horizontal_wrapped(inside);
    });
}

/// A name with its colour, and what belongs to it: one thing, so that lines break around it.
pub fn legend(ui: &mut Ui, texts: &Texts, color: Color32, name: &str, value: &str) {
    let tokens = theme::tokens(ui.visuals());
    let font = eframe::egui::TextStyle::Body.resolve(ui.style());
    let lay = |text: &str, color| ui.painter().layout_no_wrap(text.to_owned(), font.clone(), color);
    let (said, much) = (lay(name, tokens.weak), lay(value, tokens.text));
    let wide = 1.5 * SPACE + said.size().x + 0.75 * SPACE + much.size().x;
    let (rect, response) = ui.allocate_exact_size(vec2(wide, said.size().y), Sense::hover());
    let values = [("name", text::bare(name).into()), ("value", text::bare(value).into())];
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, texts.tell("legend", &values)));
    let dot = Rect::from_center_size(pos2(rect.min.x + 0.5 * SPACE, rect.center().y), vec2(SPACE, SPACE));
    ui.painter().rect_filled(dot, CornerRadius::same(2), color);
    let second = rect.min + vec2(wide - much.size().x, 0.0);
    ui.painter().galley(rect.min + vec2(1.5 * SPACE, 0.0), said, tokens.weak);
    ui.painter().galley(second, much, tokens.text);
}

/// Where bytes came from, as one bar and its legend; nothing while there are none.
pub fn sources(ui: &mut Ui, texts: &Texts, sources: &SourceBytes) {
    let tokens = theme::tokens(ui.visuals());
    let parts = parts(tokens, sources);
    let sum: u64 = parts.iter().map(|(_, _, bytes)| bytes).sum();
    if sum == 0 {
        return;
    }
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), SPACE), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, texts.say("sources-told")));
    let painter = ui.painter().with_clip_rect(rect);
    painter.rect_filled(rect, CornerRadius::same(RADIUS), tokens.well);
    let mut from = rect.min.x;
    for (_, color, bytes) in parts {
        #[allow(clippy::cast_precision_loss, reason = "points on a screen")]
        let width = rect.width() * (bytes as f64 / sum as f64) as f32;
        let part = Rect::from_min_size(pos2(from, rect.min.y), vec2(width, rect.height()));
        painter.rect_filled(part, CornerRadius::ZERO, color);
        from += width;
    }
    legends(ui, |ui| {
        ui.spacing_mut().item_spacing.x = 2.0 * SPACE;
        for (name, color, bytes) in parts.into_iter().filter(|(_, _, bytes)| *bytes > 0) {
            legend(ui, texts, color, &texts.say(name), &texts.bytes(bytes));
        }
    });
}

fn parts(tokens: &Tokens, sources: &SourceBytes) -> [(&'static str, Color32, u64); 4] {
    [
        ("source-local", tokens.weak, sources.local),
        ("source-lan", tokens.disk, sources.lan),
        ("source-peers", tokens.network, sources.peers),
        // The studio's own machines, whichever way they send.
        ("source-web", tokens.warn, sources.origin()),
    ]
}

/// The parts of an operation side by side, each with its own progress.
pub fn stages(ui: &mut Ui, texts: &Texts, reached: &[Reached; 4]) {
    let each = (ui.available_width() - 3.0 * SPACE) / 4.0;
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = SPACE;
        for (stage, reached) in Stage::ALL.into_iter().zip(reached) {
            ui.allocate_ui(vec2(each, 4.0 * SPACE), |ui| ui.vertical(|ui| part(ui, texts, stage, *reached)));
        }
    });
}

fn part(ui: &mut Ui, texts: &Texts, stage: Stage, reached: Reached) {
    ui.spacing_mut().item_spacing.y = 0.5 * SPACE;
    let tokens = theme::tokens(ui.visuals());
    let name = texts.say(match stage {
        Stage::Check => "stage-check",
        Stage::Download => "stage-download",
        Stage::Verify => "stage-verify",
        Stage::Apply => "stage-apply",
    });
    let (filled, percent, color) = match reached {
        Reached::Open => (0.0, Some(0), tokens.weak),
        Reached::Now(Some(percent)) => (f32::from(percent) / 100.0, Some(percent), tokens.text),
        Reached::Now(None) => (0.0, None, tokens.text),
        Reached::Done => (1.0, Some(100), tokens.good),
    };
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), 0.75 * SPACE), Sense::hover());
    response.widget_info(|| {
        let mut info = WidgetInfo::labeled(Role::ProgressIndicator, true, &name);
        info.value = percent.map(f64::from);
        info
    });
    let round = CornerRadius::same(RADIUS);
    ui.painter().rect_filled(rect, round, tokens.well);
    let done = Rect::from_min_size(rect.min, vec2(rect.width() * filled, rect.height()));
    ui.painter().rect_filled(done, round, if filled < 1.0 { tokens.accent } else { tokens.good });
    let small = eframe::egui::RichText::new(name).small().color(color);
    ui.add(eframe::egui::Label::new(small).truncate());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scale_holds_the_most_and_is_round() {
        for (most, expected) in [
            (0, 10_000),
            (10_000, 10_000),
            (10_001, 20_000),
            (49_000, 50_000),
            (99_000, 100_000),
            (12_300_000, 20_000_000),
            (u64::MAX, u64::MAX),
        ] {
            assert_eq!(scale(most), expected, "{most}");
        }
    }

    #[test]
    fn the_newest_is_on_the_right_and_all_is_inside() {
        let rect = Rect::from_min_size(pos2(10.0, 20.0), vec2(238.0, 100.0));
        assert_eq!(place(rect, 3, 2, 0, 10), pos2(248.0, 120.0));
        assert_eq!(place(rect, 3, 1, 10, 10), pos2(246.0, 30.0));
        assert_eq!(place(rect, BEATS, 0, 5, 10), pos2(10.0, 75.0));
    }
}
