//! The downloads and the settings, pressed by their names.

use eframe::egui::{Key, accesskit::Role};
use egui_kittest::kittest::{NodeT as _, Queryable as _};

use super::*;
use crate::engine::Failure;
use crate::gui::view::{OwnStage, OwnView};
use crate::shell::deeds::OwnDeed;
use crate::shell::settings::{LEAST_LIMIT, Look, Rule};
use crate::shell::state::Does;

fn press(stage: Stage, label: &str) -> Harness<'static, Stage> {
    let mut harness = play(stage);
    harness.get_by_role_and_label(Role::Button, label).click();
    harness.run();
    harness
}

#[test]
fn the_screens_are_one_press_away() {
    for (label, screen) in [("Downloads", Screen::Downloads), ("Settings", Screen::Settings)] {
        let mut harness = press(stage(library(&["Freeciv"])), label);
        assert_eq!(harness.state().state.screen, screen);
        harness.get_by_role_and_label(Role::Button, "Library").click();
        harness.run();
        assert_eq!(harness.state().state.screen, Screen::Library);
    }
    let mut busy = stages::downloads();
    busy.state.screen = Screen::Library;
    let harness = press(busy, "Freeciv: Downloading: 42 %");
    assert_eq!(harness.state().state.screen, Screen::Downloads);
}

#[test]
fn a_download_is_moved_paused_and_cancelled() {
    for (label, action) in [
        ("Pause: Freeciv", Action::Press(GameKey(1), Does::Pause)),
        ("Resume: Third", Action::Press(GameKey(3), Does::Resume)),
        ("Start now: Some", Action::Press(GameKey(2), Does::StartNow)),
        ("Later: Freeciv", Action::MoveTo(GameKey(1), 1)),
        ("Sooner: Some", Action::MoveTo(GameKey(2), 0)),
        ("Cancel: Third", Action::Cancel(GameKey(3))),
        ("Pause all", Action::StopAll(true)),
    ] {
        let harness = press(stages::downloads(), label);
        assert_eq!(harness.state().actions, [action], "{label}");
    }
    let mut stopped = stages::downloads();
    stopped.view.stopped = true;
    assert_eq!(press(stopped, "Go on with all").state().actions, [Action::StopAll(false)]);
    let harness = play(stages::downloads());
    let first = harness.get_by_role_and_label(Role::Button, "Sooner: Freeciv");
    assert!(first.accesskit_node().is_disabled(), "it is the first");
}

#[test]
fn a_download_tells_how_far_how_fast_and_from_where() {
    let harness = play(stages::downloads());
    let mut found = Vec::new();
    for (label, value) in [("Check", 100.0), ("Download", 42.0), ("Unpack and verify", 0.0), ("Apply", 0.0)] {
        let all: Vec<_> = harness.get_all_by_role_and_label(Role::ProgressIndicator, label).collect();
        assert_eq!(all[0].accesskit_node().numeric_value(), Some(value), "{label}");
        found.push(all.len());
    }
    assert_eq!(found, [4, 4, 4, 4]);
    for text in [
        "12.5\u{a0}MB/s",
        "About 3 minutes left",
        "From other players: 650\u{a0}MB",
        "From the studio: 120\u{a0}MB",
        "14 other players connected, 230\u{a0}MB sent",
        "Update: Downloading",
        "Install: Next, after 1 other",
    ] {
        assert!(harness.query_all_by_label(text).next().is_some(), "{text}");
    }
    harness.get_by_role_and_label(Role::Image, "Where the bytes came from");
}

#[test]
fn why_it_is_slow_is_told_and_leads_to_what_helps() {
    let mut harness = play(stages::downloads());
    harness.get_by_label("Why so slow?").click();
    harness.run();
    harness.get_by_label("Your own limit of 12.5\u{a0}MB/s holds it back.");
    harness.get_by_label("Change the limit").click();
    harness.run();
    assert_eq!(harness.state().state.screen, Screen::Settings);
}

/// The settings that are asked for when this is pressed.
fn set(stage: Stage, label: &str, role: Role) -> Settings {
    let mut harness = play(stage);
    let found = harness.get_by_role_and_label(role, label);
    found.scroll_to_me();
    harness.run();
    harness.get_by_role_and_label(role, label).click();
    harness.run();
    let [Action::Set(settings)] = &harness.state().actions[..] else {
        panic!("{label}: {:?}", harness.state().actions)
    };
    (**settings).clone()
}

#[test]
fn every_box_sets_what_it_says() {
    let off = || {
        let mut stage = stages::settings();
        stage.view.settings = decided();
        stage
    };
    type Set = fn(&Settings) -> bool;
    let check: [(&str, Set); 12] = [
        ("Limit downloads", |set| set.limits.download == Some(1_000_000)),
        ("Limit what is sent", |set| set.limits.upload.is_some()),
        ("Limit downloads while a game runs", |set| set.limits.playing_download.is_some()),
        ("Limit downloads while the window is in the background", |set| {
            set.limits.background_download.is_some()
        }),
        ("Download only between", |set| set.schedule.is_some_and(|window| window.is_sound())),
        ("Pause on a connection that costs by the byte", |set| set.on_metered == Rule::GoOn),
        ("Pause without mains power", |set| set.on_battery == Rule::Pause),
        ("Pause while a game runs", |set| set.while_playing == Rule::GoOn),
        ("Fetch updates by themselves", |set| set.auto_update),
        ("Animations", |set| !set.animations),
        ("Start without a window", |set| set.start_minimised),
        ("Keep running when the window is closed", |set| !set.close_to_tray),
    ];
    for (label, is_set) in check {
        let set = set(off(), label, Role::CheckBox);
        assert!(is_set(&set), "{label}: {set:?}");
    }
    assert_eq!(set(off(), "Yes, share", Role::RadioButton).sharing, Consent::Yes);
    assert_eq!(set(stages::settings(), "No, only download", Role::RadioButton).sharing, Consent::No);
    assert_eq!(set(stages::settings(), "Limit downloads", Role::CheckBox).limits.download, None);
}

#[test]
fn the_launcher_itself_is_looked_after() {
    let failure = |code| Failure { code, message: "no".into(), advice: "Wait." };
    for (stage, label, deed) in [
        (OwnStage::Quiet, "Check for updates", OwnDeed::Update),
        (OwnStage::Newest, "Check for updates", OwnDeed::Update),
        (OwnStage::Refused("0.3".into()), "Check for updates", OwnDeed::Update),
        (OwnStage::Offered("0.3".into()), "Update to version 0.3", OwnDeed::Update),
        (OwnStage::Ready("0.3".into()), "Restart now", OwnDeed::Restart),
        (OwnStage::Failed(failure("E-OFFLINE")), "Try again", OwnDeed::Update),
        (OwnStage::Failed(failure("E-SELF-FAILED")), "All right", OwnDeed::Understood),
        (OwnStage::Quiet, "Go back to version 0.1", OwnDeed::GoBack),
    ] {
        let mut settings = stages::settings();
        let own = OwnView {
            release: "0.2".into(),
            has_source: true,
            before: Some("0.1".into()),
            stage,
            ..OwnView::default()
        };
        settings.view.own = own.clone();
        let mut harness = play(settings);
        harness.get_by_label("Version 0.2");
        harness.get_by_role_and_label(Role::Button, label).scroll_to_me();
        harness.run();
        harness.get_by_role_and_label(Role::Button, label).click();
        harness.run();
        assert_eq!(harness.state().actions, [Action::Own(deed)], "{own:?}");
    }
    for stage in [OwnStage::Looking, OwnStage::Working { done: 1, total: 2 }] {
        let mut settings = stages::settings();
        settings.view.own =
            OwnView { has_source: true, before: Some("0.1".into()), stage, ..OwnView::default() };
        let harness = play(settings);
        assert!(harness.query_by_label("Check for updates").is_none(), "it is at work");
        assert!(harness.query_by_label("Go back to version 0.1").is_none(), "it is at work");
    }
    // It looks by itself: what can be asked for meanwhile can, and a way back cannot.
    let mut settings = stages::settings();
    let (has_source, at_work, before) = (true, true, Some("0.1".into()));
    settings.view.own = OwnView { has_source, at_work, before, ..OwnView::default() };
    let mut harness = play(settings);
    for (label, action) in [
        ("Check for updates", Some(Action::Own(OwnDeed::Update))),
        ("Go back to version 0.1: it is busy with updates just now.", None),
    ] {
        harness.get_by_label(label).scroll_to_me();
        harness.run();
        harness.get_by_label(label).click();
        harness.run();
        assert_eq!(
            harness.state_mut().actions.drain(..).collect::<Vec<_>>(),
            Vec::from_iter(action),
            "{label}"
        );
        assert_eq!(harness.get_by_label(label).accesskit_node().is_disabled(), label.starts_with("Go"));
    }
    let harness = play(stages::settings());
    assert!(harness.query_by_label("Check for updates").is_none(), "nobody is there to be asked");
}

#[test]
fn a_limit_is_typed() {
    let mut harness = play(stages::settings());
    let label = "Limit downloads: how much";
    harness.get_by_label(label).focus();
    harness.run();
    harness.get_by_label(label).click();
    harness.run();
    harness.key_press_modifiers(eframe::egui::Modifiers::COMMAND, Key::A);
    harness.get_by_label(label).type_text("1");
    harness.key_press(Key::Enter);
    harness.run();
    let Some(Action::Set(settings)) = harness.state().actions.last() else { panic!("nothing was set") };
    assert_eq!(settings.limits.download, Some(LEAST_LIMIT), "less would never end");
}

#[test]
fn the_language_and_the_colours_are_chosen_from_lists() {
    for (list, choice, expected) in [
        ("Language", "Deutsch", Settings { language: Some("de".into()), ..stages::settings().view.settings }),
        ("Colours", "Light", Settings { theme: Look::Light, ..stages::settings().view.settings }),
    ] {
        let mut harness = play(stages::settings());
        harness.get_by_role_and_label(Role::ComboBox, list).scroll_to_me();
        harness.run();
        harness.get_by_role_and_label(Role::ComboBox, list).click();
        harness.run();
        harness.get_by_label(choice).click();
        harness.run();
        assert_eq!(harness.state().actions, [Action::Set(Box::new(expected))], "{list}");
    }
}
