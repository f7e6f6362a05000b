//! Whether what a window shows can be read and pressed: judged from what egui would paint and from what it tells a screen
//! reader, without painting.

use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};
use std::sync::Arc;

use eframe::egui::accesskit::{Action, Role};
use eframe::egui::epaint::{ClippedShape, Galley, Shape};
use eframe::egui::{Event, Modifiers, MouseWheelUnit, Pos2, Rect, TouchPhase, vec2};
use egui_kittest::Harness;
use egui_kittest::kittest::NodeT as _;

/// Less than this, in points, is rounding.
const SLACK: f32 = 1.0;
/// High enough for every screen, in points: nothing has to be scrolled to.
const TALL: f32 = 6000.0;

/// A line of text as it is painted.
struct Row {
    text: String,
    ink: Rect,
    clip: Rect,
    galley: Arc<Galley>,
}

/// Something that can be pressed, moved or typed into.
struct Control {
    name: String,
    rect: Rect,
    takes_text: bool,
    /// It is made of others, or is a part of one.
    ancestors: Vec<u64>,
    id: u64,
}

/// All that is wrong with what this window shows, each in a line; as it is, and with room for all that is scrolled out.
pub(super) fn faults<S>(harness: &mut Harness<'_, S>, is_scrolled: bool) -> Vec<String> {
    let size = harness.ctx.content_rect().size();
    let mut found = unreachable(harness, is_scrolled);
    found.extend(hidden(harness));
    // Scrolled up to the top by now: what is scrolled out does not lie below what stays.
    found.extend(told(harness, false));
    harness.set_size(vec2(size.x, TALL));
    harness.run();
    found.extend(told(harness, true));
    harness.set_size(size);
    harness.run();
    found.sort();
    found.dedup();
    found
}

fn told<S>(harness: &Harness<'_, S>, whole: bool) -> Vec<String> {
    let (rows, controls) = (rows(harness), controls(harness));
    let mut found = cut(&rows, &controls, whole);
    found.extend(on_each_other(&rows, &controls));
    found.extend(boxes(harness, &rows));
    let width = harness.ctx.content_rect().width();
    let is_out = |control: &&Control| control.rect.min.x < -SLACK || control.rect.max.x > width + SLACK;
    let out = controls.iter().filter(is_out);
    found.extend(out.map(|control| format!("{} reaches out of the window", control.name)));
    found
}

/// Text that does not fit where it stands. What only lies below the lower edge of a list is no fault, as long as all of it
/// can be seen where there is room.
fn cut(rows: &[Row], controls: &[Control], whole: bool) -> Vec<String> {
    // What is typed moves within its field.
    let is_typed = |row: &Row| {
        controls.iter().any(|one| one.takes_text && one.rect.contains(row.ink.intersect(row.clip).center()))
    };
    let is_cut = |row: &&Row| {
        let (ink, clip) = (row.ink, row.clip.expand(SLACK));
        let across = ink.min.x < clip.min.x || ink.max.x > clip.max.x;
        let along = ink.min.y < clip.min.y || ink.max.y > clip.max.y;
        (across || (whole && along)) && !is_typed(row)
    };
    rows.iter().filter(is_cut).map(|row| format!("{:?} is cut", row.text)).collect()
}

/// Texts on texts, controls on controls, and texts that stick out of a control.
fn on_each_other(rows: &[Row], controls: &[Control]) -> Vec<String> {
    let mut found = Vec::new();
    for (at, row) in rows.iter().enumerate() {
        let ink = row.ink.intersect(row.clip);
        let others = rows[at + 1..].iter().filter(|other| overlap(ink, other.ink.intersect(other.clip)));
        found.extend(others.map(|other| format!("{:?} and {:?} overlap", row.text, other.text)));
        let sticks = |one: &&Control| {
            !one.takes_text && overlap(ink, one.rect) && !one.rect.expand(SLACK).contains_rect(ink)
        };
        let those = controls.iter().filter(sticks);
        found.extend(those.map(|one| format!("{:?} is partly on {}", row.text, one.name)));
    }
    for (at, one) in controls.iter().enumerate() {
        let related =
            |other: &Control| one.ancestors.contains(&other.id) || other.ancestors.contains(&one.id);
        let others =
            controls[at + 1..].iter().filter(|other| overlap(one.rect, other.rect) && !related(other));
        found.extend(others.map(|other| format!("{} and {} overlap", one.name, other.name)));
    }
    found
}

fn overlap(one: Rect, other: Rect) -> bool {
    let both = one.intersect(other);
    both.width() > SLACK && both.height() > SLACK
}

/// Letters that no font has.
fn boxes<S>(harness: &Harness<'_, S>, rows: &[Row]) -> Vec<String> {
    let mut found = Vec::new();
    for row in rows {
        for section in &row.galley.job.sections {
            let range = section.byte_range.start.0..section.byte_range.end.0;
            let text: String =
                row.galley.job.text[range].chars().filter(|letter| !letter.is_control()).collect();
            let id = &section.format.font_id;
            if !harness.ctx.fonts_mut(|fonts| fonts.has_glyphs(id, &text)) {
                found.push(format!("{text:?} has letters that no font has"));
            }
        }
    }
    found
}

/// Things below the window's lower edge that no scrolling brings up.
fn unreachable<S>(harness: &mut Harness<'_, S>, is_scrolled: bool) -> Vec<String> {
    let window = harness.ctx.content_rect();
    let lowest = |harness: &Harness<'_, S>| {
        controls(harness).into_iter().max_by(|one, other| one.rect.max.y.total_cmp(&other.rect.max.y))
    };
    let is_below = |control: &Control| control.rect.max.y > window.max.y + SLACK;
    if !is_scrolled && !lowest(harness).is_some_and(|control| is_below(&control)) {
        return Vec::new();
    }
    scroll(harness, -100_000.0);
    let found = lowest(harness).filter(is_below).map(|one| format!("{} cannot be scrolled to", one.name));
    scroll(harness, 200_000.0);
    harness.remove_cursor();
    harness.run();
    found.into_iter().collect()
}

/// Turns the mouse's wheel low in the window, by points.
fn scroll<S>(harness: &mut Harness<'_, S>, by: f32) {
    harness.hover_at(harness.ctx.content_rect().center_bottom() - vec2(0.0, 40.0));
    harness.run();
    harness.event(Event::MouseWheel {
        unit: MouseWheelUnit::Point,
        delta: vec2(0.0, by),
        phase: TouchPhase::Move,
        modifiers: Modifiers::NONE,
        source: eframe::egui::MouseWheelSource::Unknown,
    });
    harness.run();
}

/// Text that ends in an ellipsis, and is not told in full when the pointer rests on it.
fn hidden<S>(harness: &mut Harness<'_, S>) -> Vec<String> {
    let window = harness.ctx.content_rect();
    let elided = |harness: &Harness<'_, S>| -> Vec<(String, Pos2)> {
        let rows = rows(harness).into_iter().filter(|row| row.galley.elided);
        rows.map(|row| (row.galley.job.text.clone(), row.ink.intersect(row.clip).center())).collect()
    };
    let mut found = Vec::new();
    for (text, at) in elided(harness).into_iter().filter(|(_, at)| window.contains(*at)) {
        harness.ctx.all_styles_mut(|style| {
            style.interaction.tooltip_delay = 0.0;
            style.interaction.show_tooltips_only_when_still = false;
        });
        harness.hover_at(at);
        harness.run();
        let is_told = |row: &Row| !row.galley.elided && row.galley.job.text.contains(&text);
        if !rows(harness).iter().any(is_told) {
            found.push(format!("{text:?} is shortened, and told nowhere"));
        }
        harness.remove_cursor();
        harness.run();
    }
    found
}

/// Whether a letter of this kind is shown.
pub(super) fn has_letter<S>(harness: &Harness<'_, S>, is_it: fn(char) -> bool) -> bool {
    rows(harness).iter().any(|row| row.ink.intersects(row.clip) && row.text.chars().any(is_it))
}

/// Where each line of text is painted.
pub(super) fn lines<S>(harness: &Harness<'_, S>) -> Vec<(String, Rect)> {
    rows(harness).into_iter().map(|row| (row.text, row.ink.intersect(row.clip))).collect()
}

fn rows<S>(harness: &Harness<'_, S>) -> Vec<Row> {
    let mut rows = Vec::new();
    for ClippedShape { clip_rect, shape, .. } in &harness.output().shapes {
        collect(shape, *clip_rect, &mut rows);
    }
    rows
}

fn collect(shape: &Shape, clip: Rect, rows: &mut Vec<Row>) {
    match shape {
        Shape::Vec(shapes) => shapes.iter().for_each(|shape| collect(shape, clip, rows)),
        Shape::Text(text) => {
            for row in text.galley.rows.iter().filter(|row| !row.text().trim().is_empty()) {
                let ink = row.visuals.mesh_bounds.translate(text.pos.to_vec2() + row.pos.to_vec2());
                let galley = text.galley.clone();
                rows.push(Row { text: row.text(), ink, clip, galley });
            }
        }
        _ => {}
    }
}

fn controls<S>(harness: &Harness<'_, S>) -> Vec<Control> {
    let mut controls = Vec::new();
    let hasher = BuildHasherDefault::<DefaultHasher>::default();
    for node in harness.root().children_recursive() {
        let inner = node.accesskit_node();
        let takes_text =
            matches!(inner.role(), Role::TextInput | Role::MultilineTextInput | Role::SpinButton);
        let is_pressed = inner.data().supports_action(Action::Click) && inner.role() != Role::Label;
        if inner.raw_bounds().is_none() || inner.role() == Role::TextRun || !(takes_text || is_pressed) {
            continue;
        }
        let ancestors = std::iter::successors(inner.parent(), |node| node.parent());
        let name = inner.label().or_else(|| inner.value()).unwrap_or_default();
        controls.push(Control {
            name: format!("{:?} {name:?}", inner.role()),
            rect: node.rect(),
            takes_text,
            ancestors: ancestors.map(|node| hasher.hash_one(node.id())).collect(),
            id: hasher.hash_one(inner.id()),
        });
    }
    controls
}
