//! One file per screen.

mod add;
mod downloads;
mod first_run;
mod game;
mod library;
mod own;
mod preflight;
mod rows;
mod settings;
mod versions;

use eframe::egui::{Button, RichText, Ui, vec2};

use crate::gui::text;
use crate::gui::text::cards::Act;
use crate::gui::theme::tokens::SPACE;
use crate::gui::theme::{self, fonts};
use crate::gui::view::{Scene, Screen};
use crate::gui::widgets::{self, Pressed};
use crate::gui::words;
use crate::shell::deeds::Place;
use crate::shell::preview::Aim;
use crate::shell::state::Does;
use crate::shell::{Action, GameKey, GameView};

/// Draws the screen that is in front, and the way to the others above it.
pub fn show(ui: &mut Ui, scene: &mut Scene<'_>) {
    if scene.view.settings.is_first_run() {
        return first_run::show(ui, scene);
    }
    places(ui, scene);
    match (scene.state.screen, &scene.view.open) {
        (Screen::Game(key), Some(open)) if open.game.key == key => game::show(ui, scene, open),
        (Screen::Preflight(key), Some(open)) if open.game.key == key => preflight::show(ui, scene, open),
        (Screen::Versions(key), Some(open)) if open.game.key == key => versions::show(ui, scene, open),
        (Screen::Add, _) => add::show(ui, scene),
        _ if scene.view.asked.as_ref().is_some_and(|asked| asked.root.is_err()) => add::show(ui, scene),
        (Screen::Downloads, _) => downloads::show(ui, scene),
        (Screen::Settings, _) => settings::show(ui, scene),
        // A game that is gone, or not looked up yet.
        _ => library::show(ui, scene),
    }
}

/// The ways to the screens, and what is going on whichever is in front.
fn places(ui: &mut Ui, scene: &mut Scene<'_>) {
    let texts = scene.texts;
    ui.horizontal_wrapped(|ui| {
        for (screen, key) in [
            (Screen::Library, "place-library"),
            (Screen::Downloads, "place-downloads"),
            (Screen::Settings, "place-settings"),
        ] {
            let here = match scene.state.screen {
                Screen::Downloads | Screen::Settings => scene.state.screen == screen,
                Screen::Library
                | Screen::Game(_)
                | Screen::Preflight(_)
                | Screen::Versions(_)
                | Screen::Add => screen == Screen::Library,
            };
            let tokens = theme::tokens(ui.visuals());
            let color = if here { tokens.text } else { tokens.weak };
            let label = RichText::new(texts.say(key)).family(fonts::medium()).size(15.0).color(color);
            let button = Button::new(label).frame_when_inactive(false).selected(false);
            let response = ui.add(button.min_size(vec2(0.0, 4.0 * SPACE)));
            if here {
                let (left, right) = (response.rect.left_bottom(), response.rect.right_bottom());
                let stroke = eframe::egui::Stroke::new(2.0, tokens.focus);
                ui.painter().line_segment([left, right], stroke);
            }
            if response.clicked() {
                scene.state.screen = screen;
            }
        }
        if scene.state.screen != Screen::Downloads {
            going_on(ui, scene);
        }
    });
    ui.add_space(2.0 * SPACE);
}

/// One line about the download that runs.
fn going_on(ui: &mut Ui, scene: &mut Scene<'_>) {
    let texts = scene.texts;
    let runs = |download: &&crate::shell::Download| download.game.progress.is_some();
    let Some(download) = scene.view.downloads.iter().find(runs) else { return };
    let Some(progress) = &download.game.progress else { return };
    let phase = words::phase(texts, progress.phase);
    let percent = progress.done_bytes.min(progress.total_bytes).saturating_mul(100);
    let mut told = text::bare(&phase).to_owned();
    if let Some(percent) = percent.checked_div(progress.total_bytes) {
        let values = [("phase", told.into()), ("percent", percent.into())];
        told = text::bare(&texts.tell("progress-of-phase", &values)).to_owned();
    }
    let name = download.game.game.name.as_str();
    let told = texts.tell("going-on", &[("name", name.into()), ("told", told.into())]);
    let color = theme::tokens(ui.visuals()).weak;
    if ui.add(Button::new(RichText::new(told).color(color)).frame_when_inactive(false).truncate()).clicked() {
        scene.state.screen = Screen::Downloads;
    }
}

/// What a button on an error's card comes to.
fn answer(scene: &mut Scene<'_>, open: &GameView, pressed: Pressed) {
    let press = |does| Some(Action::Press(open.game.key, does));
    let mut lead = |screen| {
        scene.state.screen = screen;
        None
    };
    let action = match pressed {
        Pressed::Copy(text) => Some(Action::Copy(diagnostics(open, &text))),
        // Where it goes, what it takes and what is free stand there.
        Pressed::Act(Act::FreeSpace) => return choose_folder(scene, open, false),
        Pressed::Act(Act::ChooseFolder) => return choose_folder(scene, open, true),
        Pressed::Act(act) => match act {
            Act::Retry | Act::Resume | Act::Wait => press(Does::Resume),
            Act::Repair => press(Does::Repair),
            // Its own updates stand there.
            Act::Settings | Act::UpdateLauncher => lead(Screen::Settings),
            Act::AddAgain => lead(Screen::Add),
            Act::Versions => return to_versions(scene, open.game.key),
            Act::Adopt => Some(Action::Adopt(open.game.key)),
            Act::Understood | Act::FreeSpace | Act::ChooseFolder => Some(Action::Dismiss(open.game.key)),
            Act::Report => {
                let told = open.failure.as_ref().map(widgets::details);
                told.map(|told| Action::Copy(diagnostics(open, &told)))
            }
        },
    };
    scene.actions.extend(action);
}

/// A folder is chosen from a list, where there is one.
fn chooser(ui: &mut Ui, scene: &mut Scene<'_>, place: Place) {
    if scene.state.no_chooser {
        widgets::weak(ui, scene.texts.say("no-chooser"));
    } else if ui.button(scene.texts.say("choose-from-list")).clicked() {
        scene.actions.push(Action::Choose(place));
    }
}

/// The page with all versions of a game comes up.
fn to_versions(scene: &mut Scene<'_>, key: GameKey) {
    scene.actions.push(Action::Versions(key));
    scene.state.screen = Screen::Versions(key);
}

/// What going back would cost comes up.
fn look_back(scene: &mut Scene<'_>, key: GameKey) {
    scene.state.moving = None;
    scene.actions.push(Action::Preview(key, Aim::Back));
    scene.state.screen = Screen::Preflight(key);
}

/// What failed is put away, and the page with the folder comes up.
fn choose_folder(scene: &mut Scene<'_>, open: &GameView, moves: bool) {
    let key = open.game.key;
    scene.state.moving = moves.then_some(key);
    scene.actions.extend([Action::Dismiss(key), Action::Preview(key, Aim::Newest)]);
    scene.state.screen = Screen::Preflight(key);
}

/// What helps who is asked for help: the error, the game and how far it was. Beyond what the error itself says, no
/// folder and no address: they may name people and keys.
fn diagnostics(open: &GameView, error: &str) -> String {
    let (game, facts) = (&open.game, &open.facts);
    let release = |release: &Option<String>| release.clone().unwrap_or_else(|| "none".to_owned());
    let mut told = format!(
        "{error}\ngame {}, channel {}, installed {}, offered {}\nroot {}",
        game.id,
        game.channel,
        release(&facts.installed),
        release(&facts.offered),
        game.root.sha256
    );
    if let Some(phase) = facts.phase {
        told.push_str(&format!("\nphase {}", phase.word()));
    }
    if let Some(progress) = &open.progress {
        told.push_str(&format!(", {} of {} bytes", progress.done_bytes, progress.total_bytes));
    }
    told
}
