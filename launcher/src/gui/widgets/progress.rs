//! How far an operation is: a bar, and in words.

use eframe::egui::{CornerRadius, Rect, Sense, Ui, WidgetInfo, accesskit::Role, vec2};

use crate::gui::text::Texts;
use crate::gui::theme::tokens::{RADIUS, SPACE};
use crate::gui::{text, theme, widgets, words};
use crate::shell::Progress;

/// Draws it over the whole width.
pub fn progress(ui: &mut Ui, texts: &Texts, progress: &Progress) {
    let phase = words::phase(texts, progress.phase);
    let done = progress.done_bytes.min(progress.total_bytes);
    // Of bytes that fit a disk the product fits.
    let percent = done.saturating_mul(100).checked_div(progress.total_bytes);
    let told = match percent {
        Some(percent) => {
            let phase = text::bare(&phase).to_owned();
            texts.tell("progress-of-phase", &[("phase", phase.into()), ("percent", percent.into())])
        }
        None => phase.clone(),
    };
    bar(ui, percent, &told);
    ui.horizontal_wrapped(|ui| {
        ui.label(&phase);
        figures(ui, texts, progress);
    });
}

/// How much, how fast, how long; in a line that is there.
pub fn figures(ui: &mut Ui, texts: &Texts, progress: &Progress) {
    let (done, total) = (progress.done_bytes.min(progress.total_bytes), progress.total_bytes);
    if total > 0 {
        let of = [("done", texts.bytes(done).into()), ("total", texts.bytes(total).into())];
        widgets::weak(ui, texts.tell("progress-of", &of));
    }
    if progress.rate > 0 {
        let bytes = texts.bytes(progress.rate);
        widgets::weak(ui, texts.tell("unit-rate", &[("bytes", bytes.into())]));
    }
    if let Some(left) = progress.time_left {
        let time = texts.bare_duration(left);
        widgets::weak(ui, texts.tell("progress-left", &[("time", time.into())]));
    }
}

fn bar(ui: &mut Ui, percent: Option<u64>, told: &str) {
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), SPACE), Sense::hover());
    response.widget_info(|| {
        let mut info = WidgetInfo::labeled(Role::ProgressIndicator, true, told);
        #[allow(clippy::cast_precision_loss, reason = "0 to 100")]
        {
            info.value = percent.map(|percent| percent as f64);
        }
        info
    });
    let tokens = theme::tokens(ui.visuals());
    let round = CornerRadius::same(RADIUS);
    ui.painter().rect_filled(rect, round, tokens.well);
    if let Some(percent) = percent {
        #[allow(clippy::cast_precision_loss, reason = "0 to 100")]
        let width = rect.width() * percent as f32 / 100.0;
        let filled = Rect::from_min_size(rect.min, vec2(width, rect.height()));
        ui.painter().rect_filled(filled, round, tokens.accent);
    }
}
