//! Versions and channels, pressed by their names.

use eframe::egui::{Key, accesskit::Role};
use egui_kittest::kittest::{NodeT as _, Queryable as _};

use super::stages::{aimed, all_listed, cost, versions};
use super::*;
use crate::engine::Failure;
use crate::shell::preview::{Aim, Asked};
use crate::shell::state::Does;
use crate::shell::versions::Listed;

const A: GameKey = GameKey(1);

fn pressed(stage: Stage, role: Role, label: &str) -> Harness<'static, Stage> {
    let mut harness = play_at(stage, 1280.0, 1600.0, Theme::Dark);
    harness.get_by_role_and_label(role, label).click();
    harness.run();
    harness
}

fn failed(code: &'static str) -> Failure {
    Failure { code, message: code.to_owned(), advice: "" }
}

#[test]
fn all_versions_are_a_press_away_from_the_game() {
    for facts in [Facts::default(), installed("1", "2")] {
        let harness = pressed(page(facts), Role::Button, "Show all versions");
        assert_eq!(harness.state().actions, [Action::Versions(A)]);
        assert_eq!(harness.state().state.screen, Screen::Versions(A));
    }
    let mut harness = play(versions(all_listed(), None));
    harness.key_press(Key::Escape);
    harness.run();
    assert_eq!(harness.state().state.screen, Screen::Game(A));
}

#[test]
fn a_version_is_looked_at_then_taken() {
    let harness = pressed(versions(all_listed(), None), Role::Button, "Install version 3.1.4 and stay");
    assert_eq!(harness.state().actions, [Action::Preview(A, Aim::Release("3.1.4".into()))]);
    assert_eq!(harness.state().state.screen, Screen::Preflight(A));
    let mut harness = play(aimed(Aim::Release("3.1.4".into()), cost()));
    harness.get_by_label("Install version 3.1.4 of Freeciv");
    harness.get_by_role_and_label(Role::Button, "Install and stay").click();
    harness.run();
    assert_eq!(harness.state().actions, [Action::Take(A, "3.1.4".into())]);
}

#[test]
fn going_back_says_what_it_takes_and_that_nobody_is_asked() {
    let harness = pressed(versions(all_listed(), Some("3.0.5")), Role::Button, "Go back to version 3.0.5");
    assert_eq!(harness.state().actions, [Action::Preview(A, Aim::Back)]);
    let label = "Go back to the version before";
    let harness = pressed(aimed(Aim::Back, cost()), Role::Button, label);
    assert_eq!(harness.state().actions, [Action::Press(A, Does::Rollback)]);
    let harness = pressed(page(installed("1", "1")), Role::Button, label);
    assert_eq!(harness.state().actions, [Action::Preview(A, Aim::Back)], "it is told first");
    let harness = play(aimed(Aim::Back, cost()));
    for text in ["Back to version 3.1.4", "Nothing", "140\u{a0}MB", "50 seconds to 2 minutes"] {
        harness.get_by_label(text);
    }
    let mut harness = play(aimed(Aim::Back, Asked::Failed(failed("E-ROLLBACK-NOTHING"))));
    let back = harness.get_by_role_and_label(Role::Button, label);
    assert!(back.accesskit_node().is_disabled(), "there is nothing to go back to");
    harness.get_by_role_and_label(Role::Button, "Show all versions").click();
    harness.run();
    assert_eq!(harness.state().state.screen, Screen::Versions(A));
}

#[test]
fn a_channel_is_chosen_and_says_what_that_means() {
    let harness = pressed(versions(all_listed(), None), Role::RadioButton, "beta: version 3.2.0-rc1");
    assert_eq!(harness.state().actions, [Action::Channel(A, "beta".into())]);
    let harness = pressed(versions(all_listed(), None), Role::RadioButton, "stable: version 3.1.4");
    assert!(harness.state().actions.is_empty(), "it is followed already");
    for text in [
        "Older than yours: you keep yours until this channel has a newer one.",
        "Stopped by the studio for now: you keep yours.",
    ] {
        harness.get_by_label(text);
    }
}

#[test]
fn what_is_here_can_stay_and_offline_what_is_kept_is_there() {
    let harness = pressed(versions(all_listed(), None), Role::CheckBox, "Stay on this version");
    assert_eq!(harness.state().actions, [Action::Pin(A, true)]);
    let offline = || versions(Listed::Failed(failed("E-OFFLINE")), Some("3.0.5"));
    let harness = pressed(offline(), Role::Button, "Try again");
    assert_eq!(harness.state().actions, [Action::Versions(A)]);
    let harness = pressed(offline(), Role::Button, "Go back to version 3.0.5");
    assert_eq!(harness.state().actions, [Action::Preview(A, Aim::Back)]);
}

#[test]
fn while_it_is_busy_nothing_else_is_begun() {
    let mut stage = versions(all_listed(), Some("3.0.5"));
    stage.view.open.as_mut().unwrap().facts.phase = Some(crate::engine::Phase::Downloading);
    let harness = play_at(stage, 1280.0, 1600.0, Theme::Dark);
    for label in ["Go back to version 3.0.5", "Install version 3.1.4 and stay"] {
        assert!(harness.get_by_role_and_label(Role::Button, label).accesskit_node().is_disabled(), "{label}");
    }
}
