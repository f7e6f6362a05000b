//! The screens without a display: pressed by the names that a screen reader says, judged by what they ask for.

mod ahead;
mod art;
mod kept;
mod keys;
mod layout;
mod looks;
mod places;
mod scripts;
mod shown;
mod pressed;
mod stages;
mod states;
mod versions;
mod ways;
mod whole;

use eframe::egui::{Context, Frame, Margin, Theme, Ui, vec2};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable as _;

use crate::gui::screens;
use crate::gui::text::{Language, Texts};
use crate::gui::theme;
use crate::gui::view::{Scene, Screen, UiState, View};
use crate::shell::settings::Consent;
use crate::shell::state::Facts;
use crate::shell::{Action, Game, GameKey, GameView, Settings};
use painter::Textures;

/// What the harness leaves free around what it shows.
const HARNESS_EDGE: i8 = 8;

/// A window without a window.
struct Stage {
    texts: Texts,
    view: View,
    state: UiState,
    actions: Vec<Action>,
    /// What is done, by the keys of texts, before it is looked at.
    steps: Vec<(Step, &'static str)>,
}

/// What brings a screen into its state.
#[derive(Debug, Clone, Copy)]
enum Step {
    Press,
    ScrollTo,
}

fn stage(view: View) -> Stage {
    Stage {
        texts: Texts::new(Language::English),
        view,
        state: UiState::default(),
        actions: Vec::new(),
        steps: Vec::new(),
    }
}

fn play(stage: Stage) -> Harness<'static, Stage> {
    play_at(stage, 1280.0, 800.0, Theme::Dark)
}

fn play_at(stage: Stage, width: f32, height: f32, theme: Theme) -> Harness<'static, Stage> {
    built(stage, [width, height], 1.0, theme, Textures::default(), theme::install)
}

fn built(
    stage: Stage,
    size: [f32; 2],
    scale: f32,
    theme: Theme,
    textures: Textures,
    setup: fn(&Context),
) -> Harness<'static, Stage> {
    let mut harness = Harness::builder()
        .with_size(vec2(size[0], size[1]))
        // They are looked for by name.
        .allow_missing_glyphs()
        // Scrolling takes its time.
        .with_max_steps(32)
        .with_pixels_per_point(scale)
        .with_theme(theme)
        .with_context_setup(setup)
        .renderer(textures)
        .build_ui_state(in_window, stage);
    harness.run();
    harness
}

/// As in the real window, of whose edge the harness leaves a part free already.
fn in_window(ui: &mut Ui, stage: &mut Stage) {
    let edge = theme::tokens::EDGE - HARNESS_EDGE;
    Frame::new().inner_margin(Margin::same(edge)).show(ui, |ui| {
        let Stage { texts, view, state, actions, .. } = stage;
        screens::show(ui, &mut Scene { texts, view, state, actions });
    });
}

fn game(key: u64, name: &str) -> GameView {
    let mut game: Game = crate::shell::library::tests::game(&name.to_lowercase(), name);
    game.key = GameKey(key);
    game.dir = Some("/games/some".into());
    GameView { game, facts: Facts::default(), progress: None, failure: None, left: Vec::new() }
}

fn decided() -> Settings {
    Settings { sharing: Consent::No, ..Settings::default() }
}

fn library(names: &[&str]) -> View {
    let found: Vec<GameView> = (1..).zip(names).map(|(key, name)| game(key, name)).collect();
    View { settings: decided(), known: found.len(), found, ..View::default() }
}

fn page(facts: Facts) -> Stage {
    let open = GameView { facts, ..game(1, "Freeciv") };
    let mut stage = stage(View { settings: decided(), known: 1, open: Some(open), ..View::default() });
    stage.state.screen = Screen::Game(GameKey(1));
    stage
}

fn installed(release: &str, offered: &str) -> Facts {
    Facts { installed: Some(release.into()), offered: Some(offered.into()), ..Facts::default() }
}
