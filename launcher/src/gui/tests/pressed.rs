//! What is pressed is what is asked for.

use std::time::Duration;

use eframe::egui::{Key, Modifiers, accesskit::Role};
use egui_kittest::kittest::{NodeT as _, Queryable as _};

use super::*;
use crate::engine::{Failure, Phase};
use crate::gui::view::Screen;
use crate::shell::deeds::{Asked, NewGame};
use crate::shell::library::PinnedRoot;
use crate::shell::settings::Layout;
use crate::shell::state::{Does, Facts};
use crate::shell::{Action, GameKey, Hold, Order, Progress};

#[test]
fn the_first_thing_asked_is_whether_to_share() {
    for (label, yes) in [("Yes, share", true), ("No, only download", false)] {
        let mut harness = play(stage(View::default()));
        assert!(harness.query_by_label("Library").is_none(), "nothing else can be done before");
        harness.get_by_label(label).click();
        harness.run();
        assert_eq!(harness.state().actions, [Action::Consent(yes)]);
    }
}

#[test]
fn a_brand_says_what_it_brings_and_whose_signatures_count() {
    let harness = play(super::stages::branded());
    harness.get_by_label("Welcome to Maple Games");
    harness.get_by_label("These games come with this launcher: maple, birch");
    harness.get_by_label("From https://games.example/");
    harness.get_by_label(&format!("The studio’s key file: {}", ["0a1b"; 16].join(" ")));
    play(stage(View::default())).get_by_label("Welcome to Samara");
}

#[test]
fn an_empty_library_says_how_to_begin() {
    let harness = play(stage(library(&[])));
    harness.get_by_label("No games yet");
    harness.get_by_label_contains("Open the link");
}

#[test]
fn a_game_is_opened_by_its_name() {
    for layout in [Layout::Grid, Layout::List] {
        let mut stage = stage(library(&["Freeciv", "Other"]));
        stage.view.settings.layout = layout;
        let mut harness = play(stage);
        harness.get_by_label("2 games");
        harness.get_by_label("Other, Not installed").click();
        harness.run();
        assert_eq!(harness.state().state.screen, Screen::Game(GameKey(2)), "{layout:?}");
    }
}

#[test]
fn a_library_is_searched_sorted_and_laid_out() {
    let mut harness = play(stage(library(&["Freeciv"])));
    harness.key_press_modifiers(Modifiers::COMMAND, Key::F);
    harness.run();
    let field = harness.get_by_role_and_label(Role::TextInput, "Search games");
    assert!(field.is_focused());
    field.type_text("civ");
    harness.run();
    assert_eq!(harness.state().state.query, "civ");
    harness.get_by_label("Show as a list").click();
    harness.run();
    assert_eq!(harness.state().actions, [Action::Layout(Layout::List)]);
    harness.get_by_label("Sort by").click();
    harness.run();
    harness.get_by_label("Name").click();
    harness.run();
    assert_eq!(harness.state().actions.last(), Some(&Action::Order(Order::Name)));
}

#[test]
fn a_game_is_added_after_a_look_at_whose_it_is() {
    let mut harness = play(stage(library(&[])));
    harness.get_by_label("Add a game").click();
    harness.run();
    for (label, text) in [
        ("Address of the game’s server", " https://x.example/ "),
        ("Name of the game there", "x"),
        ("The studio’s key file (root.json)", "r"),
    ] {
        harness.get_by_role_and_label(Role::TextInput, label).focus();
        harness.run();
        harness.get_by_role_and_label(Role::TextInput, label).type_text(text);
        harness.run();
    }
    harness.get_by_label("Continue").click();
    harness.run();
    let new = NewGame { repo: "https://x.example/".into(), game: "x".into(), root_file: "r".into() };
    assert_eq!(harness.state().actions, [Action::Ask(new.clone())]);
    let root = PinnedRoot { file: "r".into(), sha256: "0123abcd".into() };
    harness.state_mut().view.asked = Some(Asked { new, root: Ok(root) });
    harness.run();
    harness.get_by_label("0123 abcd");
    harness.get_by_label("It is the same: add the game").click();
    harness.run();
    assert_eq!(harness.state().actions[1..], [Action::Add]);
    assert_eq!(harness.state().state.screen, Screen::Library);
}

#[test]
fn nothing_found_leads_back_to_all() {
    let mut stage = stage(View { known: 5, found: Vec::new(), ..library(&["x"]) });
    stage.state.query = "zzz".to_owned();
    let mut harness = play(stage);
    harness.get_by_label("No game is called “zzz”.");
    harness.get_by_label("Show all games").click();
    harness.run();
    assert_eq!(harness.state().state.query, "");
}

#[test]
fn the_one_button_does_what_it_says() {
    for (facts, label, does) in [
        (installed("1", "1"), "Play", Some(Does::Play)),
        (installed("1", "2"), "Update", Some(Does::Update)),
        (Facts { damaged: true, ..installed("1", "1") }, "Check and repair", Some(Does::Repair)),
        (Facts { phase: Some(Phase::Downloading), ..Facts::default() }, "Pause", Some(Does::Pause)),
        (Facts { hold: Some(Hold::Paused), ..Facts::default() }, "Resume", Some(Does::Resume)),
        (Facts { offline: true, ..Facts::default() }, "Waiting for a network", None),
        (Facts { playing: Some("civ".into()), ..installed("1", "1") }, "Waiting for civ to end", None),
        (Facts { phase: Some(Phase::Applying), ..installed("1", "2") }, "Switching to the new version", None),
        (
            Facts { hold: Some(Hold::Schedule { opens_in: 95 }), ..installed("1", "2") },
            "Starts in 2 hours",
            Some(Does::StartNow),
        ),
    ] {
        let mut harness = play(page(facts.clone()));
        let button = harness.get_by_role_and_label(Role::Button, label);
        assert_eq!(button.accesskit_node().is_disabled(), does.is_none(), "{label}");
        button.click();
        harness.run();
        let expected: Vec<Action> = does.map(|does| Action::Press(GameKey(1), does)).into_iter().collect();
        assert_eq!(harness.state().actions, expected, "{facts:?}");
    }
}

#[test]
fn all_is_reached_with_the_keyboard_alone() {
    let mut harness = play(page(installed("1", "2")));
    let mut reached = Vec::new();
    for _ in 0..8 {
        harness.key_press(Key::Tab);
        harness.run();
        reached.extend(["Back to the library", "Update", "Play", "Check and repair"].into_iter().filter(
            |label| {
                harness.query_by_role_and_label(Role::Button, label).is_some_and(|node| node.is_focused())
            },
        ));
    }
    for label in ["Back to the library", "Update", "Play", "Check and repair"] {
        assert!(reached.contains(&label), "{label} is not among {reached:?}");
    }
    harness.key_press(Key::Escape);
    harness.run();
    assert_eq!(harness.state().state.screen, Screen::Library);
}

#[test]
fn progress_is_told_in_words_and_to_screen_readers() {
    let mut stage = page(Facts { phase: Some(Phase::Downloading), ..installed("1", "2") });
    stage.view.open.as_mut().unwrap().progress = Some(Progress {
        phase: Phase::Downloading,
        done_bytes: 250_000_000,
        total_bytes: 1_000_000_000,
        rate: 12_500_000,
        time_left: Some(Duration::from_secs(61)),
    });
    let harness = play(stage);
    let bar = harness.get_by_role_and_label(Role::ProgressIndicator, "Downloading: 25 %");
    assert_eq!(bar.accesskit_node().numeric_value(), Some(25.0));
    for text in ["250\u{a0}MB of 1.0\u{a0}GB", "12.5\u{a0}MB/s", "About 61 seconds left"] {
        harness.get_by_label(text);
    }
}

#[test]
fn an_error_says_what_to_do_and_does_it() {
    let failure = |code| Failure { code, message: "as it was told".to_owned(), advice: "an advice" };
    for (code, label, action) in [
        ("E-NO-SOURCES", "Try again", Action::Press(GameKey(1), Does::Resume)),
        ("E-DAMAGED", "Repair", Action::Press(GameKey(1), Does::Repair)),
        ("E-TRUST-TAMPERED", "All right", Action::Dismiss(GameKey(1))),
    ] {
        let mut stage = page(Facts { failure: Some(code), ..installed("1", "2") });
        stage.view.open.as_mut().unwrap().failure = Some(failure(code));
        let mut harness = play(stage);
        harness.get_by_label(label).click();
        harness.run();
        harness.get_by_label("Copy the details").click();
        harness.run();
        let [pressed, Action::Copy(copied)] = &harness.state().actions[..] else { panic!("{code}") };
        assert_eq!(*pressed, action);
        assert!(copied.starts_with(&format!("{code}: as it was told")), "{copied}");
    }
}

#[test]
fn who_has_no_room_chooses_a_folder() {
    let no_room = || Facts { failure: Some("E-DISK-FULL"), hold: Some(Hold::Failed), ..Facts::default() };
    let told = |stage: &mut Stage, code| {
        let failure = Failure { code, message: String::new(), advice: "" };
        stage.view.open.as_mut().unwrap().failure = Some(failure);
    };
    for (code, label) in [
        ("E-DISK-FULL", "Waiting for room on the disk"),
        ("E-DISK-FULL", "Make room"),
        ("E-DISK-READ-ONLY", "Choose another folder"),
    ] {
        let mut stage = page(no_room());
        told(&mut stage, code);
        let mut harness = play(stage);
        harness.get_by_role_and_label(Role::Button, label).click();
        harness.run();
        let key = GameKey(1);
        assert_eq!(
            harness.state().actions,
            [Action::Dismiss(key), Action::Preview(key, crate::shell::preview::Aim::Newest)],
            "{label}"
        );
        assert_eq!(harness.state().state.screen, Screen::Preflight(key));
    }
}

#[test]
fn what_is_copied_names_no_folder_and_no_address() {
    let mut stage = page(Facts { phase: Some(Phase::Downloading), ..installed("1", "2") });
    let open = stage.view.open.as_mut().unwrap();
    open.failure = Some(Failure { code: "E-NO-SOURCES", message: "told".into(), advice: "" });
    open.game.repo = "https://user:secret@host.example/".into();
    let mut harness = play(stage);
    harness.get_by_label("Copy the details").click();
    harness.run();
    let [Action::Copy(copied)] = &harness.state().actions[..] else { panic!("nothing was copied") };
    for part in
        ["E-NO-SOURCES: told", "game freeciv", "installed 1, offered 2", "phase downloading", "Samara"]
    {
        assert!(copied.contains(part), "{part} is not in {copied}");
    }
    assert!(!copied.contains("secret") && !copied.contains("/games"), "{copied}");
}

#[test]
fn a_card_leads_where_its_button_says() {
    let key = GameKey(1);
    let press = |code: &'static str, label: &str, facts: Facts| {
        let mut stage = page(Facts { failure: Some(code), hold: Some(Hold::Failed), ..facts });
        let failure = Failure { code, message: String::new(), advice: "" };
        stage.view.open.as_mut().unwrap().failure = Some(failure);
        let mut harness = play_at(stage, 1280.0, 1200.0, eframe::egui::Theme::Dark);
        harness.get_all_by_role_and_label(Role::Button, label).next().unwrap().click();
        harness.run();
        let stage = harness.state();
        (stage.actions.clone(), stage.state.screen, stage.state.moving)
    };
    let uses = press("E-FOLDER-NOT-EMPTY", "Check and use the files", Facts::default());
    assert_eq!(uses, (vec![Action::Adopt(key)], Screen::Game(key), None));
    let uses = press("E-FOLDER-DAMAGED", "Check and use the files", installed("1", "1"));
    assert_eq!(uses.0, [Action::Adopt(key)]);
    let newer = press("E-FOLDER-NEWER", "Update the launcher", installed("1", "1"));
    assert_eq!(newer, (Vec::new(), Screen::Settings, None));
    let versions = press("E-ROLLBACK-NOTHING", "Show all versions", installed("1", "1"));
    assert_eq!(versions, (vec![Action::Versions(key)], Screen::Versions(key), None));
    let moves = press("E-FOLDER-MISSING", "Choose another folder", installed("1", "1"));
    let look = Action::Preview(key, crate::shell::preview::Aim::Newest);
    assert_eq!(moves, (vec![Action::Dismiss(key), look], Screen::Preflight(key), Some(key)));
}

#[test]
fn an_installed_game_is_moved_by_typing_where_it_is() {
    let mut harness = play(stages::moving());
    assert!(harness.query_by_role_and_label(Role::Button, "Update").is_none(), "first the folder");
    harness.get_by_role_and_label(Role::TextInput, "Folder").focus();
    harness.run();
    harness.key_press(Key::End);
    harness.get_by_role_and_label(Role::TextInput, "Folder").type_text("/b");
    harness.run();
    harness.get_by_label("Use this folder").click();
    harness.run();
    assert_eq!(harness.state().actions, [Action::Folder(GameKey(1), "/games/freeciv/b".into())]);
}
