//! The real window beside an empty one, by what the system counts.

use std::fs;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use eframe::egui::{CentralPanel, Ui};
use launcher::shell::Library;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use samara_tests::fixtures::{GameSize, generate_release};
use samara_tests::support::{Display, Studio, Window};

/// The argument with which this program is the empty window.
pub(crate) const EMPTY: &str = "an-empty-window";
pub(crate) const IDLE: &str = "nothing going on";
/// How long it is watched.
const WATCHED: Duration = Duration::from_secs(15);
/// Until 200 repositories were asked, or what was pressed is drawn.
const SETTLES: Duration = Duration::from_secs(20);
/// Starts of each, of which the median counts.
const STARTS: usize = 5;
/// So slow that an update with so many new bytes outlasts the bench, in bytes a second.
const TRICKLE: u64 = 16_384;
const NEW_BYTES: usize = 4 << 20;

/// What one window takes.
pub(crate) struct Cost {
    pub(crate) first_frame_ms: f64,
    /// Resident, in MB: as the system's own monitors show it.
    pub(crate) resident: f64,
    /// Of it, what no other program shares.
    pub(crate) private: f64,
}

pub(crate) struct Real {
    /// What was shown, frames a second, and CPU of the window's thread for each, in milliseconds.
    pub(crate) watched: Vec<(&'static str, f64, f64)>,
    pub(crate) ours: Cost,
    pub(crate) empty: Cost,
}

struct Nothing;

impl eframe::App for Nothing {
    fn ui(&mut self, ui: &mut Ui, _frame: &mut eframe::Frame) {
        CentralPanel::default().show(ui, |_| {});
    }
}

/// A window of the same toolkit with nothing in it.
pub(crate) fn empty() {
    let viewport = eframe::egui::ViewportBuilder::default().with_inner_size([1100.0, 760.0]);
    let options = eframe::NativeOptions { viewport, ..eframe::NativeOptions::default() };
    eframe::run_native("empty", options, Box::new(|_| Ok(Box::new(Nothing)))).expect("a window");
}

/// None where there is no display to be had.
pub(crate) fn measure() -> Option<Real> {
    let display = Display::start()?;
    let studio = Studio::new("maple");
    let build = |release: u32| {
        let build = studio.scratch(&format!("build-{release}"));
        generate_release(&build, GameSize::Small, release).unwrap();
        let mut new = vec![0; NEW_BYTES];
        ChaCha8Rng::seed_from_u64(u64::from(release)).fill_bytes(&mut new);
        fs::write(build.join("new.bin"), new).unwrap();
        let art = |kind: &str| format!("{}/assets/art/maple-{kind}.png", env!("CARGO_MANIFEST_DIR"));
        let (icon, hero) = (art("icon"), art("hero"));
        let more = ["--base", "none", "--full", "never", "--icon", &icon, "--hero", &hero];
        let _ = studio.try_publish(&build, &format!("{release}.0"), &more).ok();
    };
    build(1);
    let _seedbox = studio.serve();
    let home = studio.scratch("home");
    settle(&display, &studio, &home);
    build(2);
    limit(&home);

    let program = std::env::current_exe().expect("it runs");
    let nobody = studio.scratch("nobody");
    let empty = cost(|| {
        let mut command = display.player(&nobody, &program);
        command.arg(EMPTY);
        Window::open_with(&nobody, command)
    });
    let ours = cost(|| Window::open(&display, &home));
    let mut window = Window::open(&display, &home);
    let mut watched = vec![(IDLE, watch(&mut window))];
    window.press(studio.game());
    window.press("Update");
    window.wait_to_say("Downloading");
    watched.push(("an update, seen on its game's page", watch(&mut window)));
    for (name, place) in [("seen among the downloads", "Downloads"), ("seen in the library", "Library")] {
        window.press(place);
        watched.push((name, watch(&mut window)));
    }
    window.press("Downloads");
    window.wait_to_say("Downloading");
    window.kill();
    let watched = watched.into_iter().map(|(what, (rate, cpu))| (what, rate, cpu)).collect();
    Some(Real { watched, ours, empty })
}

/// Installs the game, and puts all the others into the library.
fn settle(display: &Display, studio: &Studio, home: &Path) {
    let mut window = Window::open(display, home);
    window.press("Yes, share");
    Window::hand(display, home, &format!("samara://add?repo={}&game={}", studio.url(), studio.game()));
    window.press("It is the same: add the game");
    window.press(&format!("{}, ", studio.game()));
    window.press("Install");
    window.wait_to_have("Not now");
    window.press("Install");
    window.wait_to_have("Check and repair");
    window.quit();
    let path = home.join("data/samara/library.json");
    let known = Library::decode(&fs::read(&path).unwrap()).unwrap();
    let all = super::library(known.games().first().cloned());
    fs::write(&path, all.encode().unwrap()).unwrap();
}

/// So that the update lasts.
fn limit(home: &Path) {
    let path = home.join("data/samara/settings.json");
    let mut settings: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    settings["limits"]["download"] = TRICKLE.into();
    fs::write(&path, settings.to_string()).unwrap();
}

fn cost(open: impl Fn() -> Window) -> Cost {
    let mut starts = Vec::new();
    let (mut resident, mut private) = (Vec::new(), Vec::new());
    for _ in 0..STARTS {
        let began = Instant::now();
        let mut window = open();
        let _ = window.frames();
        starts.push(began.elapsed().as_secs_f64() * 1e3);
        sleep(Duration::from_secs(2));
        resident.push(memory_mb(window.id(), &["Rss:"]));
        private.push(memory_mb(window.id(), &["Private_Clean:", "Private_Dirty:"]));
        window.kill();
    }
    let median = |values: &[f64]| super::at(values, 50);
    Cost { first_frame_ms: median(&starts), resident: median(&resident), private: median(&private) }
}

/// Frames a second without a question of ours, and what each took of the window's thread.
fn watch(window: &mut Window) -> (f64, f64) {
    // What pressing or starting has set in motion is over by then.
    sleep(SETTLES);
    let (frames, cpu, began) = (window.frames(), thread_ms(window.id()), Instant::now());
    sleep(WATCHED);
    let (cpu, seconds) = (thread_ms(window.id()) - cpu, began.elapsed().as_secs_f64());
    // A question has a frame drawn before its answer and one after it, however long nothing is asked: of each question here
    // one is counted.
    let drawn = window.frames().saturating_sub(frames + 2) as f64;
    (drawn / seconds, if drawn > 0.0 { cpu / drawn } else { 0.0 })
}

/// CPU that the first thread, the window's, has used.
fn thread_ms(id: u32) -> f64 {
    let told = fs::read_to_string(format!("/proc/{id}/task/{id}/schedstat")).unwrap();
    told.split(' ').next().unwrap().parse::<f64>().unwrap() / 1e6
}

fn memory_mb(id: u32, kinds: &[&str]) -> f64 {
    let told = fs::read_to_string(format!("/proc/{id}/smaps_rollup")).unwrap();
    let of = |name: &&str| {
        let line = told.lines().find_map(|line| line.strip_prefix(*name)).unwrap();
        line.trim().trim_end_matches(" kB").parse::<f64>().unwrap()
    };
    kinds.iter().map(of).sum::<f64>() / 1e3
}
