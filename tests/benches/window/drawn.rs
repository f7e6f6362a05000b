//! Frames without a display: as the window makes them, but that nothing shows them.

use std::time::Duration;

use egui::{CentralPanel, Context, RawInput, Rect, pos2, vec2};
use launcher::engine::{Command, Phase, Snapshot, SourceBytes, TaskId, TaskView};
use launcher::gui::text::{Language, Texts};
use launcher::gui::view::{Scene, Screen, UiState, View};
use launcher::gui::{screens, theme};
use launcher::shell::settings::{Consent, Layout};
use launcher::shell::{Action, Desk, Does, Effect, GameKey, Queue, Settings};
use rustix::time::{ClockId, clock_gettime};

/// Frames of each screen, and those before that fill the caches of fonts and layouts.
const FRAMES: u32 = 400;
const BEFORE: u32 = 20;
/// Frames a second of the clock that the views are told.
const RATE: u32 = 5;

fn cpu() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap_or_default())
}

/// Each screen's frames, in milliseconds of CPU.
pub(crate) fn frames() -> Vec<(&'static str, Vec<f64>)> {
    let one = GameKey(1);
    [
        ("cards", Screen::Library, Layout::Grid),
        ("list", Screen::Library, Layout::List),
        ("game", Screen::Game(one), Layout::Grid),
        ("downloads", Screen::Downloads, Layout::Grid),
        ("settings", Screen::Settings, Layout::Grid),
    ]
    .map(|(name, screen, layout)| (name, of(screen, layout)))
    .into()
}

/// A desk with an update that runs, and the name of the engine's task.
fn busy(layout: Layout) -> (Desk, TaskId) {
    let settings = Settings { sharing: Consent::Yes, layout, ..Settings::default() };
    let mut desk = Desk::new(super::library(None), settings, Queue::default(), "/games".into());
    (desk.world.online, desk.world.in_front) = (true, true);
    let begun = |effect: Effect| match effect {
        Effect::Engine(Command::Start { task, .. }) => Some(task),
        _ => None,
    };
    let effects = desk.act(Action::Press(GameKey(1), Does::Update));
    let task = effects.into_iter().rev().find_map(begun).expect("nothing else is in the way");
    (desk, task)
}

fn snapshot(task: TaskId, frame: u32) -> Snapshot {
    let done = u64::from(frame) * 2_000_000;
    let view = TaskView {
        task,
        dir: "/games/game-0".into(),
        game: Some("game-0".to_owned()),
        release: Some("1.1".to_owned()),
        phase: Phase::Downloading,
        done_bytes: done,
        total_bytes: 2_000_000_000,
        sources: SourceBytes { peers: done / 2, web: done / 2, ..SourceBytes::default() },
        uploaded_bytes: done / 3,
        download_rate: 10_000_000 + u64::from(frame % 7) * 100_000,
        upload_rate: 2_000_000,
        progress_rate: 10_000_000,
        time_left: Some(Duration::from_secs(u64::from(200 - frame / 5))),
        peers: 12,
        busy: launcher::load::Busy { processor: Some(40), disk: Some(20) },
        failure: None,
    };
    Snapshot { tasks: vec![view], ..Snapshot::default() }
}

fn of(screen: Screen, layout: Layout) -> Vec<f64> {
    let ctx = Context::default();
    theme::install(&ctx);
    let texts = Texts::new(Language::English);
    let (mut desk, task) = busy(layout);
    let mut state = UiState { screen, ..UiState::default() };
    let mut times = Vec::new();
    for frame in 0..BEFORE + FRAMES {
        let now = f64::from(frame) / f64::from(RATE);
        let input = RawInput {
            screen_rect: Some(Rect::from_min_size(pos2(0.0, 0.0), vec2(1280.0, 800.0))),
            time: Some(now),
            ..RawInput::default()
        };
        let began = cpu();
        let seen = snapshot(task, frame);
        desk.watch(&seen, Duration::from_secs_f64(now));
        let view = View::of(&desk, &state, &seen);
        let mut actions = Vec::new();
        let mut output = ctx.run_ui(input, |ui| {
            CentralPanel::default().show(ui, |ui| {
                let mut scene =
                    Scene { texts: &texts, view: &view, state: &mut state, actions: &mut actions };
                screens::show(ui, &mut scene);
            });
        });
        let drawn = ctx.tessellate(output.shapes, output.pixels_per_point);
        let took = cpu() - began;
        // Nobody uploads them here.
        output.textures_delta.clear();
        assert!(!drawn.is_empty());
        if frame >= BEFORE {
            times.push(took.as_secs_f64() * 1e3);
        }
    }
    times
}
