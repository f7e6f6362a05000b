//! The games of the library, row by row. Only those that can be seen are drawn, for a library may have thousands; the
//! keyboard walks through all of them.

use std::ops::Range;

use eframe::egui::{EventFilter, Id, Key, Modifiers, Rangef, Rect, ScrollArea, Ui, UiBuilder, Vec2};

use crate::gui::view::{Scene, Screen};
use crate::gui::widgets;
use crate::shell::GameKey;

/// Keys that go from game to game.
const WALKING: [Key; 8] = [
    Key::ArrowLeft,
    Key::ArrowRight,
    Key::ArrowUp,
    Key::ArrowDown,
    Key::PageUp,
    Key::PageDown,
    Key::Home,
    Key::End,
];

/// Rows of games of this size.
pub(super) fn show(ui: &mut Ui, scene: &mut Scene<'_>, columns: usize, size: Vec2) {
    let games = &scene.view.found;
    let rows = games.len().div_ceil(columns);
    let gap = ui.spacing().item_spacing.y;
    let step = size.y + gap;
    let seen_id = ui.scope_id().with("seen");
    let seen = ui.data(|data| data.get_temp(seen_id)).unwrap_or(Rangef::NOTHING);
    let mut area = ScrollArea::vertical().auto_shrink(false);
    // Before anything is drawn: the keyboard is only given to what is there in the same frame.
    if let Some(at) = walked(ui, scene, columns, rows_whole(seen, step))
        && let Some(offset) = offset(seen, step, at / columns)
    {
        area = area.vertical_scroll_offset(offset);
    }
    area.show_viewport(ui, |ui, seen| {
        ui.data_mut(|data| data.insert_temp(seen_id, seen.y_range()));
        let place = ui.max_rect();
        ui.set_height((height(step, rows) - gap).max(0.0));
        let drawn = rows_drawn(seen.y_range(), step, rows);
        let part = place.top() + height(step, drawn.start)..=place.top() + height(step, drawn.end);
        let part = Rect::from_x_y_ranges(place.x_range(), part);
        ui.scope_builder(UiBuilder::new().max_rect(part), |ui| {
            ui.skip_ahead_auto_ids(drawn.start);
            widgets::following(ui, |ui| {
                for row in drawn {
                    ui.horizontal(|ui| {
                        for game in games.iter().skip(row * columns).take(columns) {
                            let card = widgets::card(ui, scene, game, id(game.game.key), size);
                            if card.has_focus() {
                                keep_arrows(ui, card.id);
                            }
                            if card.clicked() {
                                scene.state.screen = Screen::Game(game.game.key);
                            }
                        }
                    });
                }
            });
        });
    });
}

/// What a game's card is called among the controls.
fn id(game: GameKey) -> Id {
    Id::unique(("game card", game))
}

/// Arrows are for walking here: egui's own way would go by distance, and out of the rows.
fn keep_arrows(ui: &Ui, card: Id) {
    let arrows = EventFilter { horizontal_arrows: true, vertical_arrows: true, ..EventFilter::default() };
    ui.memory_mut(|memory| memory.set_focus_lock_filter(card, arrows));
}

/// The game that the keyboard goes to now, from another one.
fn walked(ui: &Ui, scene: &mut Scene<'_>, columns: usize, page: usize) -> Option<usize> {
    let key = WALKING.into_iter().find(|key| ui.input(|input| input.key_pressed(*key)))?;
    let focused = ui.memory(|memory| memory.focused())?;
    let games = &scene.view.found;
    let at = games.iter().position(|game| id(game.game.key) == focused)?;
    ui.input_mut(|input| input.consume_key(Modifiers::NONE, key));
    let Some(next) = target(key, at, games.len(), columns, page) else {
        scene.state.focus_search = true;
        return None;
    };
    let game = games.get(next)?;
    ui.memory_mut(|memory| memory.request_focus(id(game.game.key)));
    Some(next)
}

/// Where a key leads from a game; none for out of the rows at their top.
fn target(key: Key, at: usize, games: usize, columns: usize, page: usize) -> Option<usize> {
    let last = games.saturating_sub(1);
    let further = |steps: usize| {
        // In the last row that is not full, the last game.
        let is_last_row = at / columns == last / columns;
        if is_last_row { at } else { (at + steps).min(last) }
    };
    Some(match key {
        Key::ArrowLeft => at.saturating_sub(1),
        Key::ArrowRight => (at + 1).min(last),
        Key::ArrowUp => at.checked_sub(columns)?,
        Key::ArrowDown => further(columns),
        Key::PageUp => at.checked_sub(columns * page).unwrap_or(at % columns),
        Key::PageDown => further(columns * page),
        Key::Home => 0,
        _ => last,
    })
}

/// The height of so many rows.
#[allow(clippy::cast_precision_loss, reason = "a library's rows")]
fn height(step: f32, rows: usize) -> f32 {
    step * rows as f32
}

/// The rows that are drawn: those that can be seen, and one more at either end for the keyboard to go to.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
fn rows_drawn(seen: Rangef, step: f32, rows: usize) -> Range<usize> {
    let first = ((seen.min / step).floor() as usize).saturating_sub(1);
    let end = ((seen.max / step).ceil() as usize).saturating_add(1);
    first.min(rows)..end.min(rows)
}

/// Where to scroll to so that a row can be seen; none where it can.
fn offset(seen: Rangef, step: f32, row: usize) -> Option<f32> {
    let (top, bottom) = (height(step, row), height(step, row + 1));
    if top < seen.min {
        return Some(top);
    }
    (bottom > seen.max).then(|| (bottom - seen.span()).max(0.0))
}

/// How many rows can be seen whole; one at least.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
fn rows_whole(seen: Rangef, step: f32) -> usize {
    ((seen.span() / step).floor() as usize).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_are_seen_and_their_neighbours() {
        for (from, to, expected) in
            [(0.0, 250.0, 0..4), (250.0, 500.0, 1..6), (900.0, 1000.0, 8..10), (-5.0, 10.0, 0..2)]
        {
            assert_eq!(rows_drawn(Rangef::new(from, to), 100.0, 10), expected, "{from} to {to}");
        }
        assert_eq!(rows_drawn(Rangef::new(0.0, 500.0), 100.0, 0), 0..0);
        assert_eq!(rows_whole(Rangef::new(20.0, 390.0), 100.0), 3);
        assert_eq!(rows_whole(Rangef::new(0.0, 50.0), 100.0), 1);
        let scrolled = |row| offset(Rangef::new(150.0, 400.0), 100.0, row);
        assert_eq!(
            [scrolled(1), scrolled(2), scrolled(3), scrolled(4)],
            [Some(100.0), None, None, Some(250.0)]
        );
    }

    #[test]
    fn keys_in_a_table() {
        // Ten games in three columns: the last row has one.
        for (key, at, expected) in [
            (Key::ArrowRight, 2, Some(3)),
            (Key::ArrowRight, 9, Some(9)),
            (Key::ArrowLeft, 3, Some(2)),
            (Key::ArrowLeft, 0, Some(0)),
            (Key::ArrowDown, 1, Some(4)),
            (Key::ArrowDown, 8, Some(9)),
            (Key::ArrowDown, 9, Some(9)),
            (Key::ArrowUp, 9, Some(6)),
            (Key::ArrowUp, 2, None),
            (Key::PageDown, 0, Some(6)),
            (Key::PageDown, 7, Some(9)),
            (Key::PageUp, 7, Some(1)),
            (Key::PageUp, 4, Some(1)),
            (Key::Home, 8, Some(0)),
            (Key::End, 0, Some(9)),
        ] {
            assert_eq!(target(key, at, 10, 3, 2), expected, "{key:?} at {at}");
        }
    }
}
