//! The games of the library, row by row. Only those that can be seen are drawn, for a library may have thousands; the
//! keyboard walks through all of them.

use std::ops::Range;

use eframe::egui::{EventFilter, Id, Key, Modifiers, Rangef, Rect, ScrollArea, Ui, UiBuilder, Vec2};

use crate::gui::view::{Scene, Screen};
use crate::gui::widgets;
use crate::shell::{GameKey, GameView};

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
    let mut area = ScrollArea::vertical().id_salt(Id::unique("games")).auto_shrink(false);
    // Before anything is drawn: the keyboard is only given to what is there in the same frame.
    let came = returned(ui, scene).or_else(|| walked(ui, scene, columns, rows_whole(seen, step)));
    if let Some(at) = came
        && let Some(offset) = offset(seen, step, at / columns)
    {
        area = area.vertical_scroll_offset(offset);
    }
    area.show_viewport(ui, |ui, seen| {
        ui.data_mut(|data| data.insert_temp(seen_id, seen.y_range()));
        let place = ui.max_rect();
        ui.set_height((height(step, rows) - gap).max(0.0));
        let drawn = rows_drawn(seen.y_range(), step, rows);
        // What has the keyboard keeps it when it is scrolled out of sight.
        let row = focused(ui, games).map(|at| at / columns).filter(|row| !drawn.contains(row));
        widgets::following(ui, |ui| {
            for part in [Some(drawn), row.map(|row| row..row + 1)].into_iter().flatten() {
                let high = place.top() + height(step, part.start)..=place.top() + height(step, part.end);
                let rect = Rect::from_x_y_ranges(place.x_range(), high);
                ui.scope_builder(UiBuilder::new().max_rect(rect), |ui| {
                    for row in part {
                        let cards = games.iter().skip(row * columns).take(columns);
                        ui.horizontal(|ui| cards.for_each(|game| card(ui, scene, game, size)));
                    }
                });
            }
        });
    });
}

fn card(ui: &mut Ui, scene: &mut Scene<'_>, game: &GameView, size: Vec2) {
    let key = game.game.key;
    let card = widgets::card(ui, scene, game, id(key), size);
    if card.has_focus() {
        keep_arrows(ui, card.id);
    }
    if card.clicked() {
        scene.state.opened = card.has_focus().then_some(key);
        scene.state.screen = Screen::Game(key);
    }
}

/// The game that has the keyboard.
fn focused(ui: &Ui, games: &[GameView]) -> Option<usize> {
    let focused = ui.memory(|memory| memory.focused())?;
    games.iter().position(|game| id(game.game.key) == focused)
}

/// The game that the keyboard comes back to.
fn returned(ui: &Ui, scene: &mut Scene<'_>) -> Option<usize> {
    // The library is in front as well while a game's page is not looked up yet.
    let opened = scene.state.opened.take_if(|_| scene.state.screen == Screen::Library)?;
    let at = scene.view.found.iter().position(|game| game.game.key == opened)?;
    ui.memory_mut(|memory| memory.request_focus(id(opened)));
    Some(at)
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
    let is_pressed = |key: &Key| ui.input(|input| input.modifiers.is_none() && input.key_pressed(*key));
    let key = WALKING.into_iter().find(is_pressed)?;
    let games = &scene.view.found;
    let at = focused(ui, games)?;
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
