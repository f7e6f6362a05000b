//! What the player decides. Each control changes a copy of all settings, and the copy is what is asked for.

use eframe::egui::{Checkbox, ComboBox, DragValue, RichText, Slider, TextEdit, Ui};

use crate::gui::theme::fonts;
use crate::gui::theme::tokens::SPACE;
use crate::gui::view::Scene;
use crate::gui::widgets;
use crate::shell::Action;
use crate::shell::deeds::Place;
use crate::shell::settings::{Consent, DAY_MINUTES, LEAST_LIMIT, Look, Rule, Settings, Window, ZOOM_PERCENT};

/// Limits are set in thousands of bytes a second.
const KILO: u64 = 1000;
/// No line is faster than this, in thousands of bytes a second.
const MOST: u64 = 10_000_000;
/// What a limit begins with, in bytes a second.
const FIRST_LIMIT: u64 = 1_000_000;
/// What a schedule begins with: the night.
const NIGHT: Window = Window { from: 22 * 60, to: 6 * 60 };
/// Longer lines are hard to read.
const WIDTH: f32 = 720.0;

pub(super) fn show(ui: &mut Ui, scene: &mut Scene<'_>) {
    let texts = scene.texts;
    let mut settings = scene.view.settings.clone();
    widgets::title(ui, &texts.say("settings-title"));
    widgets::scrolled(ui, "settings", |ui| {
        ui.set_max_width(WIDTH.min(ui.available_width()));
        for part in [sharing, limits, times, folder, look] {
            widgets::panel(ui, |ui| part(ui, scene, &mut settings));
            ui.add_space(SPACE);
        }
        widgets::panel(ui, |ui| super::own::show(ui, scene));
        ui.add_space(SPACE);
    });
    if settings != scene.view.settings {
        scene.actions.push(Action::Set(Box::new(settings)));
    }
}

/// The same words as at the first start.
fn sharing(ui: &mut Ui, scene: &mut Scene<'_>, settings: &mut Settings) {
    let texts = scene.texts;
    widgets::heading(ui, texts.say("settings-sharing"));
    ui.label(RichText::new(texts.say("first-question")).family(fonts::medium()));
    widgets::weak(ui, texts.say("first-what"));
    widgets::weak(ui, texts.say("first-never"));
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing.x = 3.0 * SPACE;
        ui.radio_value(&mut settings.sharing, Consent::Yes, texts.say("first-yes"));
        ui.radio_value(&mut settings.sharing, Consent::No, texts.say("first-no"));
    });
}

fn limits(ui: &mut Ui, scene: &mut Scene<'_>, settings: &mut Settings) {
    let texts = scene.texts;
    widgets::heading(ui, texts.say("settings-limits"));
    widgets::weak(ui, texts.say("settings-limits-text"));
    let limits = &mut settings.limits;
    for (key, limit) in [
        ("limit-download", &mut limits.download),
        ("limit-upload", &mut limits.upload),
        ("limit-background-download", &mut limits.background_download),
        ("limit-background-upload", &mut limits.background_upload),
        ("limit-playing-download", &mut limits.playing_download),
    ] {
        let label = texts.say(key);
        let mut is_set = limit.is_some();
        ui.horizontal_wrapped(|ui| {
            if ui.add(Checkbox::new(&mut is_set, label.as_str())).changed() {
                *limit = is_set.then_some(FIRST_LIMIT);
            }
            let Some(rate) = limit else { return };
            let mut kilos = *rate / KILO;
            let value = ui.add(DragValue::new(&mut kilos).range(LEAST_LIMIT / KILO..=MOST).speed(10.0));
            let bare = crate::gui::text::bare(&label).to_owned();
            widgets::named(ui, &value, texts.tell("limit-value", &[("limit", bare.into())]));
            if value.changed() {
                *rate = kilos * KILO;
            }
            widgets::weak(ui, texts.say("limit-unit"));
        });
    }
}

fn times(ui: &mut Ui, scene: &mut Scene<'_>, settings: &mut Settings) {
    let texts = scene.texts;
    widgets::heading(ui, texts.say("settings-times"));
    let mut is_set = settings.schedule.is_some();
    ui.horizontal_wrapped(|ui| {
        if ui.add(Checkbox::new(&mut is_set, texts.say("schedule"))).changed() {
            settings.schedule = is_set.then_some(NIGHT);
        }
        let Some(window) = &mut settings.schedule else { return };
        let before = *window;
        for (key, minute) in [("schedule-from", &mut window.from), ("schedule-to", &mut window.to)] {
            let value = ui.add(clock(minute));
            widgets::named(ui, &value, texts.say(key));
            if key == "schedule-from" {
                ui.label("–");
            }
        }
        // An empty window would stop everything for ever.
        if !window.is_sound() {
            *window = before;
        }
    });
    for (key, rule) in [
        ("rule-metered", &mut settings.on_metered),
        ("rule-battery", &mut settings.on_battery),
        ("rule-playing", &mut settings.while_playing),
    ] {
        let mut pauses = *rule == Rule::Pause;
        if ui.add(Checkbox::new(&mut pauses, texts.say(key))).changed() {
            *rule = if pauses { Rule::Pause } else { Rule::GoOn };
        }
    }
    ui.add(Checkbox::new(&mut settings.auto_update, texts.say("settings-auto-update")));
}

/// A time of day, as `22:00`.
fn clock(minute: &mut u16) -> DragValue<'_> {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "minutes of a day")]
    let told = |minute: f64, _| format!("{:02}:{:02}", minute as u16 / 60, minute as u16 % 60);
    DragValue::new(minute).range(0..=DAY_MINUTES - 1).speed(5.0).custom_formatter(told).custom_parser(read)
}

fn read(text: &str) -> Option<f64> {
    let (hours, minutes) = text.split_once(':').unwrap_or((text, "0"));
    let (hours, minutes): (u16, u16) = (hours.trim().parse().ok()?, minutes.trim().parse().ok()?);
    (hours < 24 && minutes < 60).then(|| f64::from(hours * 60 + minutes))
}

fn folder(ui: &mut Ui, scene: &mut Scene<'_>, settings: &mut Settings) {
    let texts = scene.texts;
    widgets::heading(ui, texts.say("settings-folder"));
    let label = ui.label(texts.say("settings-folder-text"));
    let mut path = settings.games_folder.clone().unwrap_or_default().display().to_string();
    let field = TextEdit::singleline(&mut path).desired_width(ui.available_width().min(60.0 * SPACE));
    let hint = texts.say("settings-folder-usual");
    if ui.add(field.hint_text(hint).char_limit(2000)).labelled_by(label.id).changed() {
        settings.games_folder = (!path.trim().is_empty()).then(|| path.into());
    }
    super::chooser(ui, scene, Place::Games);
}

fn look(ui: &mut Ui, scene: &mut Scene<'_>, settings: &mut Settings) {
    let texts = scene.texts;
    widgets::heading(ui, texts.say("settings-look"));
    // Each language in its own words.
    let languages =
        [(None, texts.say("as-the-system")), (Some("en"), "English".into()), (Some("de"), "Deutsch".into())];
    chosen(
        ui,
        "language",
        &texts.say("settings-language"),
        &mut settings.language,
        languages.map(|(tag, said)| (tag.map(str::to_owned), said)),
    );
    let looks = [
        (Look::System, texts.say("as-the-system")),
        (Look::Dark, texts.say("look-dark")),
        (Look::Light, texts.say("look-light")),
    ];
    chosen(ui, "look", &texts.say("settings-theme"), &mut settings.theme, looks);
    ui.horizontal_wrapped(|ui| {
        let label = ui.label(texts.say("settings-zoom"));
        // While it is dragged nothing may move under the pointer.
        let mut zoom = settings.zoom_percent;
        let slider = Slider::new(&mut zoom, ZOOM_PERCENT).step_by(5.0).update_while_editing(false);
        let changed = ui.add(slider).labelled_by(label.id);
        if changed.changed() {
            settings.zoom_percent = zoom;
        }
    });
    ui.add(Checkbox::new(&mut settings.animations, texts.say("settings-animations")));
    ui.add(Checkbox::new(&mut settings.start_minimised, texts.say("settings-minimised")));
    ui.add(Checkbox::new(&mut settings.close_to_tray, texts.say("settings-tray")));
}

/// One of some.
fn chosen<T: PartialEq, const N: usize>(
    ui: &mut Ui,
    id: &str,
    label: &str,
    value: &mut T,
    of: [(T, String); N],
) {
    ui.horizontal_wrapped(|ui| {
        ui.label(label);
        let now = of.iter().find(|(one, _)| one == value).map(|(_, said)| said.clone()).unwrap_or_default();
        let shown = ComboBox::from_id_salt(id).selected_text(now).show_ui(ui, |ui| {
            for (one, said) in of {
                ui.selectable_value(value, one, said);
            }
        });
        widgets::named(ui, &shown.response, label);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_day_are_read() {
        for (text, expected) in [
            ("22:00", Some(1320.0)),
            (" 6:05 ", Some(365.0)),
            ("7", Some(420.0)),
            ("24:00", None),
            ("1:60", None),
            ("x", None),
            ("-1:00", None),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
    }
}
