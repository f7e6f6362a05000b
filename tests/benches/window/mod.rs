//! The parts of the bench, and its table.

mod drawn;
mod real;

use std::env;

/// Games in the library.
pub(crate) const GAMES: usize = 200;
/// What a frame may take of the window's thread in the median, in milliseconds.
const FRAME_MS: f64 = 8.0;
/// Frames a second, where only progress changes.
const FRAMES_A_SECOND: f64 = 5.0;
/// Resident memory beside an empty window's.
const MEMORY: f64 = 1.5;

pub(crate) fn run() {
    if env::args().any(|argument| argument == real::EMPTY) {
        return real::empty();
    }
    println!(
        "CPU of one frame, views and tessellation, {GAMES} games and an update that runs, 1280 x 800, ms"
    );
    println!("{:12} {:>8} {:>8}", "screen", "median", "of 100");
    let mut kept = true;
    for (screen, times) in drawn::frames() {
        let (median, most) = (at(&times, 50), at(&times, 99));
        println!("{screen:12} {median:>8.2} {most:>8.2}");
        kept &= median < FRAME_MS;
    }
    let Some(real) = real::measure() else { return };
    println!("\nthe real window, by the system's accounts   frames/s   thread ms/frame");
    for (what, rate, cpu_ms) in &real.watched {
        println!("{what:42} {rate:>9.1} {cpu_ms:>17.2}");
        kept &= *rate <= if *what == real::IDLE { 0.0 } else { FRAMES_A_SECOND };
    }
    let (ours, empty) = (&real.ours, &real.empty);
    println!("\n{:20} {:>14} {:>12} {:>12}", "", "first frame ms", "resident MB", "private MB");
    for (name, cost) in [("an empty window", empty), ("ours", ours)] {
        let (first, resident, private) = (cost.first_frame_ms, cost.resident, cost.private);
        println!("{name:20} {first:>14.0} {resident:>12.1} {private:>12.1}");
    }
    let ratio = |of: fn(&real::Cost) -> f64| of(ours) / of(empty);
    let (resident, private) = (ratio(|cost| cost.resident), ratio(|cost| cost.private));
    let first = ratio(|cost| cost.first_frame_ms);
    println!("{:20} {first:>14.2} {resident:>12.2} {private:>12.2}", "times");
    kept &= resident < MEMORY;
    println!(
        "limits ({FRAME_MS} ms, {FRAMES_A_SECOND} a second, none when idle, {MEMORY} of the memory): {}",
        if kept { "kept" } else { "NOT KEPT" }
    );
}

/// What so many of a hundred stay below.
fn at(times: &[f64], percent: usize) -> f64 {
    let mut sorted = times.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() * percent / 100).copied().unwrap_or(f64::NAN)
}

/// Pictures, as if they had been fetched.
fn art(number: usize) -> launcher::shell::library::Art {
    let names = ["aurora", "circuit", "harbour", "lantern", "maple"];
    let name = names.get(number % names.len()).copied().unwrap_or_default();
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/art");
    let picture = |kind: &str| Some(folder.join(format!("{name}-{kind}.png")));
    launcher::shell::library::Art { icon: picture("icon"), hero: picture("hero") }
}

/// A library of so many games with pictures, most of them installed, some with an update.
pub(crate) fn library(first: Option<launcher::shell::Game>) -> launcher::shell::Library {
    use launcher::shell::library::{Game, Library, PinnedRoot};
    let mut library = Library::default();
    let others = (0..GAMES).map(|number| {
        let root = PinnedRoot { file: "root.json".into(), sha256: "ab".repeat(32) };
        let mut game = Game::new("http://127.0.0.1:9/", &format!("game-{number}"), root);
        game.name = format!("The game with the number {number}");
        game.added_at = number as u64;
        if number % 4 != 3 {
            game.installed = Some("1.0".to_owned());
            game.dir = Some(format!("/games/game-{number}").into());
        }
        game.art = art(number);
        game.offered = Some(if number % 5 == 0 { "1.1" } else { "1.0" }.to_owned());
        game
    });
    // In front of all others.
    let first = first.map(|game| Game { played_at: Some(1), ..game });
    for game in first.into_iter().chain(others).take(GAMES) {
        library.add(game).expect("they are different games");
    }
    library
}
