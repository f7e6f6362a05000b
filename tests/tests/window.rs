//! The launcher's real window, from the first question to the last file removed, driven by what its controls are called.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test: it fails where something is not as it should be, and makes files"
)]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use egui::{Key, Modifiers};
use rand::{Rng as _, RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use samara_tests::fixtures::{GameSize, generate_release};
use samara_tests::support::{Bus, Display, Studio, Window, assert_same, freeciv};

/// Stands for the game: runs until its gate is opened.
const STUB: &str = "#!/bin/sh\nread line <\"$HOME/gate\"\n";
/// The same as the next for a generated game.
const TRICKLE: u64 = 300_000;
/// Slow enough that something can happen on the way, in bytes a second.
const SLOW: u64 = 4_000_000;

/// A player who has never opened the launcher, with a download limit.
struct Home(PathBuf);

impl Home {
    fn new(studio: &Studio, limit: Option<u64>) -> Home {
        let home = studio.scratch("home");
        let records = home.join("data/samara");
        fs::create_dir_all(&records).unwrap();
        if let Some(limit) = limit {
            let settings = format!(r#"{{"version":1,"limits":{{"download":{limit}}}}}"#);
            fs::write(records.join("settings.json"), settings).unwrap();
        }
        assert!(Command::new("mkfifo").arg(home.join("gate")).status().unwrap().success());
        Home(home)
    }

    fn game(&self, studio: &Studio) -> PathBuf {
        self.0.join("data/samara/games").join(studio.game())
    }

    /// The pictures it has of games, small ones first.
    fn art(&self) -> Vec<Vec<u8>> {
        let files = fs::read_dir(self.0.join("data/samara/art")).into_iter().flatten();
        let mut pictures: Vec<_> = files.map(|file| fs::read(file.unwrap().path()).unwrap()).collect();
        pictures.sort_by_key(Vec::len);
        pictures
    }

    /// Lets the stub end.
    fn open_gate(&self) {
        fs::write(self.0.join("gate"), "go\n").unwrap();
    }
}

/// A copy of a build with the stub in it; its files are the build's own, by hard links.
fn with_stub(build: &Path, to: PathBuf) -> PathBuf {
    assert!(Command::new("cp").arg("-al").arg(build).arg(&to).status().unwrap().success());
    let stub = to.join("play.sh");
    fs::write(&stub, STUB).unwrap();
    fs::set_permissions(&stub, fs::Permissions::from_mode(0o755)).unwrap();
    to
}

fn publish(studio: &Studio, build: &Path, version: &str) {
    let [icon, hero] = pictures();
    let plain = ["--base", "none", "--full", "never", "--launch", "play.sh"];
    let dressed = ["--icon", &icon, "--hero", &hero];
    let _ = studio.try_publish(build, version, &[plain.as_slice(), &dressed].concat()).ok();
}

/// The game's icon and hero.
fn pictures() -> [String; 2] {
    ["icon", "hero"].map(|which| format!("{}/assets/art/harbour-{which}.png", env!("CARGO_MANIFEST_DIR")))
}

/// Says yes to sharing, adds the studio's game and opens its page.
fn first_run(window: &mut Window, studio: &Studio) {
    window.press("Yes, share");
    window.press("Add a game");
    window.type_into("Address of the game’s server", &studio.url());
    window.type_into("Name of the game there", studio.game());
    window.type_into("The studio’s key file (root.json)", studio.root().to_str().unwrap());
    window.press("Continue");
    window.wait_to_say("Compare it");
    window.press("It is the same: add the game");
    open_page(window, studio);
}

/// Opens the game's page, from its card.
fn open_page(window: &mut Window, studio: &Studio) {
    window.press(&format!("{}, ", studio.game()));
}

fn play(window: &mut Window, home: &Home) {
    window.press("Play");
    window.wait_to_say("Waiting for play.sh to end");
    home.open_gate();
    window.wait_to_have("Play");
}

/// Opens the window again, and the game's page.
fn again(display: &Display, home: &Home, studio: &Studio) -> Window {
    let mut window = Window::open(display, &home.0);
    open_page(&mut window, studio);
    window
}

/// Presses Install, and again on the page that says what it takes.
fn install(window: &mut Window) {
    window.press("Install");
    window.wait_to_say("What it takes");
    window.press("Install");
}

/// Goes back a version, and again on the page that says what it takes.
fn back(window: &mut Window) {
    window.press("Go back to the version before");
    window.wait_to_say("Back to version");
    window.press("Go back to the version before");
}

#[test]
fn from_the_first_question_to_playing() {
    let Some(display) = Display::start() else { return };
    let studio = Studio::new("maple");
    let generated = studio.scratch("generated");
    generate_release(&generated, GameSize::Small, 1).unwrap();
    let build = with_stub(&generated, studio.scratch("build"));
    publish(&studio, &build, "1.0");
    let seedbox = studio.serve();
    let home = Home::new(&studio, None);
    let mut window = Window::open(&display, &home.0);
    window.press("Yes, share");
    // A second start gives its link to the window that is there.
    let link = format!("samara://add?repo={}&game={}", studio.url(), studio.game());
    Window::hand(&display, &home.0, &link);
    window.wait_to_say("Compare it");
    window.press("It is the same: add the game");
    open_page(&mut window, &studio);
    install(&mut window);
    window.wait_to_have("Play");
    assert_same(&build, &home.game(&studio));
    // The studio's pictures came on the way, checked against what it signed.
    let wanted = pictures().map(|path| fs::read(path).unwrap());
    window.wait_for("its pictures", |_| (home.art() == wanted).then_some(()));
    play(&mut window, &home);
    window.quit();
    // Nobody is asked twice, and without its server the game is there all the same.
    drop(seedbox);
    let mut window = again(&display, &home, &studio);
    play(&mut window, &home);
    window.quit();
}

/// Nothing but what a screen reader has: names read to the player, and the actions they offer.
#[test]
fn a_screen_reader_finds_and_presses_install() {
    let Some(display) = Display::start() else { return };
    let studio = Studio::new("maple");
    let generated = studio.scratch("generated");
    generate_release(&generated, GameSize::Small, 1).unwrap();
    let build = with_stub(&generated, studio.scratch("build"));
    publish(&studio, &build, "1.0");
    let _seedbox = studio.serve();
    let home = Home::new(&studio, None);
    let Some(bus) = Bus::start(&home.0) else { return };
    let mut window = Window::on_bus(&display, &home.0, bus.address());
    let reader = bus.reader();
    reader.press("Yes, share");
    reader.wait_to_have("Add a game");
    Window::hand(&display, &home.0, &format!("samara://add?repo={}&game={}", studio.url(), studio.game()));
    reader.press("It is the same: add the game");
    reader.press(&format!("{}, ", studio.game()));
    // On its page, and on that which says what it takes.
    reader.press("Install");
    reader.wait_to_have("Not now");
    reader.press("Install");
    reader.wait_to_have("Play");
    assert_same(&build, &home.game(&studio));
    window.kill().unwrap();
    window.wait().unwrap();
}

#[test]
fn a_real_game_from_install_to_removal() {
    let Some(display) = Display::start() else { return };
    let Some(builds) = freeciv() else { return };
    let studio = Studio::new("freeciv");
    let [old, new] = [0, 1].map(|at: usize| {
        let (version, build) = &builds[at];
        (*version, with_stub(build, studio.scratch(&format!("build-{version}"))))
    });
    publish(&studio, &old.1, old.0);
    let _seedbox = studio.serve();
    let home = Home::new(&studio, Some(SLOW));
    let dir = home.game(&studio);
    let mut window = Window::open(&display, &home.0);
    first_run(&mut window, &studio);
    install(&mut window);
    window.wait_to_have("Play");
    assert_same(&old.1, &dir);
    play(&mut window, &home);

    publish(&studio, &new.1, new.0);
    window.key(Key::F5, Modifiers::NONE);
    window.press("Update");
    window.wait_to_say("Downloading");
    window.press("Pause");
    window.wait_to_have("Resume");
    window.quit();
    assert_same(&old.1, &dir);
    let mut window = again(&display, &home, &studio);
    window.press("Resume");
    window.wait_to_say("Downloading");
    window.quit();
    assert_same(&old.1, &dir);
    // It was not paused: it goes on by itself.
    let mut window = again(&display, &home, &studio);
    window.wait_to_say(&format!("Installed: version {}", new.0));
    window.wait_to_have("Play");
    assert_same(&new.1, &dir);

    let harmed = largest(&dir);
    let mut bytes = fs::read(&harmed).unwrap();
    bytes[100_000] ^= 1;
    fs::write(&harmed, bytes).unwrap();
    window.press("Check and repair");
    window.wait_to_have("Check and repair");
    assert_same(&new.1, &dir);

    back(&mut window);
    window.wait_to_say(&format!("Installed: version {}", old.0));
    window.wait_to_have("Remove from this computer");
    assert_same(&old.1, &dir);

    fs::write(dir.join("my-notes.txt"), "mine").unwrap();
    window.press("Remove from this computer");
    window.press("Yes, remove it");
    window.wait_to_say("my-notes.txt");
    window.wait_to_have("Install");
    let left: Vec<_> = fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["my-notes.txt"]);
    window.quit();
}

/// The largest file of a game.
fn largest(dir: &Path) -> PathBuf {
    let files = walkdir::WalkDir::new(dir).into_iter().filter_entry(|entry| entry.file_name() != ".samara");
    let files = files.map(|entry| entry.unwrap()).filter(|entry| entry.file_type().is_file());
    files.max_by_key(|entry| entry.metadata().unwrap().len()).unwrap().into_path()
}

/// Kills at any moment of an update: the next start goes on by itself, and in the end every byte is right.
#[test]
fn a_window_that_is_killed_comes_back_where_it_was() {
    const KILLS: usize = 20;
    /// Bytes that are new in every release.
    const FRESH: usize = 1_000_000;
    const PHASES: [&str; 5] =
        ["Downloading", "Checking your files", "Asking what is new", "Unpacking", "Switching to"];
    let Some(display) = Display::start() else { return };
    let seed: u64 =
        std::env::var("SAMARA_SEED").map_or_else(|_| rand::rng().random(), |seed| seed.parse().unwrap());
    println!("SAMARA_SEED={seed}");
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let studio = Studio::new("maple");
    for release in 1..=2 {
        generate_release(&studio.scratch(&format!("generated-{release}")), GameSize::Small, release).unwrap();
    }
    // One and the other in turn, and something that nobody has: each update has all its parts.
    let build = |release: u32, rng: &mut ChaCha8Rng| {
        let generated = studio.scratch(&format!("generated-{}", 1 + release % 2));
        let build = with_stub(&generated, studio.scratch(&format!("build-{release}")));
        let mut fresh = vec![0; FRESH];
        rng.fill_bytes(&mut fresh);
        fs::write(build.join("fresh.bin"), fresh).unwrap();
        publish(&studio, &build, &format!("{release}.0"));
        (build, format!("Installed: version {release}.0"))
    };
    build(1, &mut rng);
    let _seedbox = studio.serve();
    let home = Home::new(&studio, Some(TRICKLE));
    let dir = home.game(&studio);
    let mut window = Window::open(&display, &home.0);
    first_run(&mut window, &studio);
    install(&mut window);
    window.wait_to_have("Play");

    let (mut kills, mut release, mut usual) = (0, 1, Duration::ZERO);
    let mut moments: BTreeMap<&str, usize> = BTreeMap::new();
    while kills < KILLS {
        release += 1;
        let (new, installed) = build(release, &mut rng);
        window.key(Key::F5, Modifiers::NONE);
        window.press("Update");
        let began = Instant::now();
        // The first one tells how long it takes, so that the kills come all over the others.
        while !usual.is_zero() && kills < KILLS {
            window.leave_until(Instant::now() + usual.mul_f64(rng.random_range(0.0..0.7)));
            let tree = window.tree();
            if tree.says(&installed) && tree.has("Check and repair") {
                break;
            }
            window.kill();
            let amid = PHASES.into_iter().find(|phase| tree.says(phase)).unwrap_or("Otherwise");
            *moments.entry(amid).or_default() += 1;
            kills += 1;
            window = again(&display, &home, &studio);
        }
        window.wait_to_say(&installed);
        window.wait_to_have("Go back to the version before");
        if usual.is_zero() {
            usual = began.elapsed();
        }
        assert_same(&new, &dir);
    }
    println!("{kills} kills in {} updates of {usual:.1?}, amid {moments:?}", release - 1);
    assert!(moments.contains_key(PHASES[0]), "{moments:?}");
    window.quit();
}
