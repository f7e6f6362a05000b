//! What is told before the first byte, and after the last.

use eframe::egui::{Key, accesskit::Role};
use egui_kittest::kittest::Queryable as _;

use super::stages::{ahead, cost, told};
use super::*;
use crate::shell::deeds::Place;
use crate::shell::preview::{Aim, Asked};
use crate::shell::state::Does;

#[test]
fn an_install_is_begun_after_it_was_told_what_it_takes() {
    let mut harness = play(page(Facts::default()));
    harness.get_by_role_and_label(Role::Button, "Install").click();
    harness.run();
    assert_eq!(harness.state().actions, [Action::Preview(GameKey(1), Aim::Newest)]);
    assert_eq!(harness.state().state.screen, Screen::Preflight(GameKey(1)));
    let mut harness = play(ahead(Facts::default(), cost(), 9_000_000_000));
    for text in
        ["61.0\u{a0}MB", "820\u{a0}MB", "150\u{a0}MB", "9.0\u{a0}GB", "214", "50 seconds to 2 minutes"]
    {
        harness.get_by_label(text);
    }
    assert!(harness.query_by_label_contains("are missing").is_none());
    harness.get_by_role_and_label(Role::Button, "Install").click();
    harness.run();
    assert_eq!(harness.state().actions, [Action::Press(GameKey(1), Does::Install)]);
    assert_eq!(harness.state().state.screen, Screen::Game(GameKey(1)));
}

#[test]
fn who_does_not_want_it_now_leaves_with_a_key() {
    let mut harness = play(ahead(Facts::default(), Asked::Asking, 0));
    harness.get_by_label("Working it out …");
    harness.key_press(Key::Escape);
    harness.run();
    assert_eq!(harness.state().state.screen, Screen::Game(GameKey(1)));
    assert!(harness.state().actions.is_empty());
}

#[test]
fn another_folder_is_typed() {
    let mut harness = play(ahead(Facts::default(), cost(), 9_000_000));
    harness.get_by_label_contains("141\u{a0}MB are missing on this disk.");
    assert!(harness.query_by_label("Use this folder").is_none(), "it is the one that is shown");
    harness.get_by_role_and_label(Role::TextInput, "Folder").focus();
    harness.run();
    harness.key_press(Key::End);
    harness.get_by_role_and_label(Role::TextInput, "Folder").type_text("/b");
    harness.run();
    harness.get_by_label("Use this folder").click();
    harness.run();
    assert_eq!(harness.state().actions, [Action::Folder(GameKey(1), "/games/freeciv/b".into())]);
}

#[test]
fn an_update_tells_what_changes_when_asked() {
    let mut harness = play(told());
    harness.get_by_label("What changes").click();
    harness.run();
    assert_eq!(harness.state().actions, [Action::Preview(GameKey(1), Aim::Newest)]);
    let mut harness = play(ahead(installed("3.0.6", "3.1.4"), cost(), 9_000_000_000));
    assert!(harness.query_by_role(Role::TextInput).is_none(), "it stays where it is");
    harness.get_by_label("What is new in 3.1.4");
    harness.get_by_role_and_label(Role::Button, "Update").click();
    harness.run();
    assert_eq!(harness.state().actions, [Action::Press(GameKey(1), Does::Update)]);
}

#[test]
fn a_game_tells_what_its_last_update_did_cost_and_that_it_is_the_real_one() {
    let mut harness = play_at(told(), 1280.0, 1600.0, Theme::Dark);
    for text in ["120\u{a0}MB", "580\u{a0}MB", "75 seconds", "4210 of 4210 files verified"] {
        harness.get_by_label(text);
    }
    harness.get_by_label("Stay on this version").click();
    harness.run();
    assert_eq!(harness.state().actions, [Action::Pin(GameKey(1), true)]);
}

#[test]
fn a_folder_is_chosen_from_a_list_where_there_is_one() {
    let mut harness = play(ahead(Facts::default(), cost(), 9_000_000));
    harness.get_by_role_and_label(Role::Button, "Choose …").click();
    harness.run();
    assert_eq!(harness.state().actions, [Action::Choose(Place::Game(GameKey(1)))]);
    let mut stage = super::stages::settings();
    stage.state.no_chooser = true;
    let harness = play_at(stage, 1280.0, 1600.0, Theme::Dark);
    harness.get_by_label("This desktop offers no list of folders: type the folder.");
    assert!(harness.query_by_role_and_label(Role::Button, "Choose …").is_none());
    let mut harness = play_at(super::stages::settings(), 1280.0, 1600.0, Theme::Dark);
    harness.get_by_role_and_label(Role::Button, "Choose …").click();
    harness.run();
    assert_eq!(harness.state().actions, [Action::Choose(Place::Games)]);
}
