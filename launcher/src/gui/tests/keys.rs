//! A library larger than the window, walked through with the keyboard alone.

use std::collections::BTreeSet;

use eframe::egui::{
    Event, Key, Modifiers, MouseWheelSource, MouseWheelUnit, TouchPhase, accesskit::Role, pos2,
};
use egui_kittest::kittest::NodeT as _;

use super::*;
use crate::shell::settings::Layout;

const GAMES: usize = 60;

fn large(layout: Layout) -> Harness<'static, Stage> {
    let names: Vec<String> = (1..=GAMES).map(|number| format!("Game {number:02}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut stage = stage(library(&names));
    stage.view.settings.layout = layout;
    play_at(stage, 800.0, 600.0, Theme::Dark)
}

/// The game that has the keyboard, if it can be seen whole.
fn focused(harness: &Harness<'_, Stage>) -> Option<usize> {
    let root = harness.root();
    let node = root.children_recursive().find(|node| node.is_focused())?;
    let name = node.accesskit_node().label()?;
    let number = name.strip_prefix("Game ")?.get(..2)?.parse().ok()?;
    let (top, bottom) = (node.rect().min.y, node.rect().max.y);
    assert!(node.accesskit_node().role() == Role::Button && top >= 0.0, "{name} is at {top}");
    assert!(bottom <= 600.5, "{name} ends at {bottom}");
    Some(number)
}

fn walk(harness: &mut Harness<'_, Stage>, key: Key, times: usize) -> BTreeSet<usize> {
    let mut seen = BTreeSet::new();
    for _ in 0..times {
        harness.key_press(key);
        harness.run();
        seen.extend(focused(harness));
    }
    seen
}

#[test]
fn every_game_is_reached_by_tab() {
    for layout in [Layout::Grid, Layout::List] {
        let mut harness = large(layout);
        let seen = walk(&mut harness, Key::Tab, GAMES + 12);
        let missed: Vec<_> = (1..=GAMES).filter(|number| !seen.contains(number)).collect();
        assert!(missed.is_empty(), "{layout:?}: never reached: {missed:?}");
    }
}

#[test]
fn arrows_and_page_keys_go_from_end_to_end() {
    for layout in [Layout::Grid, Layout::List] {
        let mut harness = large(layout);
        while focused(&harness).is_none() {
            walk(&mut harness, Key::Tab, 1);
        }
        let mut one = |key| {
            let seen = walk(&mut harness, key, 1);
            seen.first().copied().unwrap_or_else(|| panic!("{layout:?}: {key:?} leads out of sight"))
        };
        assert_eq!(one(Key::End), GAMES);
        assert_eq!(one(Key::Home), 1);
        assert_eq!((one(Key::ArrowRight), one(Key::ArrowLeft)), (2, 1));
        let columns = one(Key::ArrowDown) - 1;
        assert_eq!(one(Key::ArrowUp), 1);
        let steps = GAMES.div_ceil(columns) - 1;
        let mut many = |key| (0..steps).map(|_| one(key)).last();
        assert_eq!(many(Key::ArrowDown), Some(steps * columns + 1), "{layout:?}");
        assert_eq!(many(Key::ArrowUp), Some(1), "{layout:?}");
        many(Key::PageDown);
        assert_eq!(many(Key::PageUp), Some(1), "{layout:?}");
        harness.key_press(Key::ArrowUp);
        harness.run();
        assert!(harness.get_by_label("Search games").is_focused(), "{layout:?}");
    }
}

#[test]
fn who_opened_a_game_comes_back_to_it() {
    let mut harness = large(Layout::Grid);
    while focused(&harness).is_none() {
        walk(&mut harness, Key::Tab, 1);
    }
    walk(&mut harness, Key::PageDown, 5);
    let before = focused(&harness).unwrap();
    assert!(before > 10, "{before}");
    walk(&mut harness, Key::Enter, 1);
    assert_eq!(harness.state().state.screen, Screen::Game(GameKey(before as u64)));
    // As the window does: the page is looked up, and the library again after it.
    let found = std::mem::take(&mut harness.state_mut().view.found);
    harness.state_mut().view.open = found.get(before - 1).cloned();
    harness.run();
    harness.get_by_label("Back to the library");
    harness.key_press(Key::Escape);
    harness.state_mut().view.found = found;
    harness.run();
    assert_eq!(focused(&harness), Some(before), "in the same place, with the keyboard");
}

#[test]
fn the_keyboard_stays_where_it_is_when_the_wheel_turns() {
    let mut harness = large(Layout::List);
    while focused(&harness).is_none() {
        walk(&mut harness, Key::Tab, 1);
    }
    harness.hover_at(pos2(400.0, 400.0));
    harness.event(Event::MouseWheel {
        unit: MouseWheelUnit::Point,
        delta: vec2(0.0, -1000.0),
        modifiers: Modifiers::NONE,
        phase: TouchPhase::Move,
        source: MouseWheelSource::Wheel,
    });
    harness.run();
    assert!(harness.query_by_label("Game 18, Not installed").is_some(), "it has scrolled");
    assert_eq!(walk(&mut harness, Key::ArrowDown, 1).first(), Some(&2), "and comes back with the next key");
    for modifiers in [Modifiers::SHIFT, Modifiers::COMMAND] {
        harness.key_press_modifiers(modifiers, Key::End);
        harness.run();
        assert_eq!(focused(&harness), Some(2), "{modifiers:?} is something else");
    }
}

#[test]
fn what_has_the_keyboard_is_in_sight_on_every_long_screen() {
    let long =
        [("told", stages::told()), ("settings", stages::settings()), ("downloads", stages::downloads())];
    for (name, stage) in long {
        let mut harness = play_at(stage, 800.0, 600.0, Theme::Dark);
        let mut lowest = 0.0f32;
        for _ in 0..40 {
            harness.key_press(Key::Tab);
            harness.run();
            let root = harness.root();
            let Some(node) = root.children_recursive().find(|node| node.is_focused()) else { continue };
            let rect = node.rect();
            assert!(rect.min.y >= 0.0 && rect.max.y <= 600.0, "{name}: {node:?} is at {rect}");
            lowest = lowest.max(rect.max.y);
        }
        assert!(lowest > 300.0, "{name}: nothing far below had it");
    }
}
