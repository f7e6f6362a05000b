//! What may stand in the way of an update: the game runs, the disk is full or read-only, a name clashes, a file was
//! changed. Each is named in the error, by code and in words, and nothing is written.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test: it fails where something is not as it should be, and makes files"
)]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use samara_tests::fixtures::{GameSize, generate_release};
use samara_tests::support::{CaselessDisk, Outcome, Player, Seedbox, SmallDisk, Studio, assert_same, binary};

/// The game's program: it runs until its input ends.
const GAME: &str = "bin/freeciv-gtk";

/// A studio that serves the first of two releases; the second is signed and lies ready.
struct World {
    studio: Studio,
    _seedbox: Seedbox,
}

impl World {
    fn new() -> World {
        let studio = Studio::new("maple");
        for release in [1, 2] {
            let build = studio.scratch(&format!("build-{release}"));
            generate_release(&build, GameSize::Small, release).unwrap();
            fs::create_dir_all(build.join("bin")).unwrap();
            fs::copy("/bin/cat", build.join(GAME)).unwrap();
            fs::set_permissions(build.join(GAME), fs::Permissions::from_mode(0o755)).unwrap();
            fs::create_dir_all(build.join("settings")).unwrap();
            fs::write(build.join("settings/keys.ini"), format!("jump={release}")).unwrap();
            fs::write(build.join("rules.txt"), format!("rules {release}")).unwrap();
        }
        studio.publish_plain(&studio.scratch("build-1"), "1.0");
        let seedbox = studio.serve();
        World { studio, _seedbox: seedbox }
    }

    fn build(&self, release: u32) -> PathBuf {
        self.studio.scratch(&format!("build-{release}"))
    }

    /// A player with the first release, after which the second is out.
    fn player(&self, dir: PathBuf) -> Player {
        let mut player = self.studio.player("player");
        player.dir = dir;
        let _ = player.install(&[]).ok();
        let options = ["--base", "none", "--full", "never", "--keep-if-changed", "settings/*"];
        let _ = self.studio.try_publish(&self.build(2), "1.1", &options).ok();
        player
    }
}

/// Everything below a folder: content, mode and time of change, but for the lock and who holds it.
fn everything(dir: &Path) -> BTreeMap<PathBuf, (u32, i64, Vec<u8>)> {
    let entries = walkdir::WalkDir::new(dir).min_depth(1).into_iter().map(Result::unwrap);
    let all = entries.map(|entry| {
        let about = entry.metadata().unwrap();
        let data = if about.is_file() { fs::read(entry.path()).unwrap() } else { Vec::new() };
        // A folder's time changes with the lock's owner in it.
        let time = if about.is_file() { about.mtime() } else { 0 };
        (entry.path().strip_prefix(dir).unwrap().to_owned(), (about.mode(), time, data))
    });
    all.filter(|(path, _)| !path.starts_with(".samara/lock") && !path.starts_with(".samara/lock.pid"))
        .collect()
}

/// The same without the launcher's records, of which only what belongs to the release counts: nothing is staged, no
/// journal is open, the state is as it was.
fn game(dir: &Path) -> BTreeMap<PathBuf, (u32, i64, Vec<u8>)> {
    let mut all = everything(dir);
    let matters = |path: &Path| {
        let name = path.to_string_lossy().into_owned();
        !name.starts_with(".samara")
            || name == ".samara/state.json"
            || name.starts_with(".samara/staging/")
            || name.starts_with(".samara/journal")
            || name.starts_with(".samara/undo/")
    };
    all.retain(|path, _| matters(path));
    all
}

/// What a person reads on standard error, without `--json`.
fn words(player: &Player, verb: &[&str]) -> String {
    let mut command = Command::new(binary("launcher"));
    command.args(verb).arg("--dir").arg(&player.dir).env("NO_PROXY", "127.0.0.1");
    let done = command.stdin(Stdio::null()).output().unwrap();
    assert!(!done.status.success());
    let text = String::from_utf8(done.stderr).unwrap();
    println!("{}\n{text}", verb.join(" "));
    text
}

/// The error's message, shown to whoever reads the test's output.
fn message(outcome: &Outcome, code: &str) -> String {
    let error = outcome.failed(code);
    println!("{code}: {}\n  {}", error["message"], error["advice"]);
    error["message"].as_str().unwrap().to_owned()
}

/// The game at work; ended when dropped.
struct Running(Child);

impl Running {
    fn start(player: &Player) -> Running {
        let mut command = Command::new(player.dir.join(GAME));
        Running(command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap())
    }

    fn named(&self) -> String {
        format!("freeciv-gtk (pid {})", self.0.id())
    }

    /// The player quits.
    fn quit(mut self) {
        drop(self.0.stdin.take());
        assert!(self.0.wait().unwrap().success());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn the_game_is_running() {
    let world = World::new();
    let player = world.player(world.studio.scratch("player"));
    let running = Running::start(&player);
    let before = everything(&player.dir);
    for outcome in [player.update(&[]), player.verify(&["--repair"]), player.uninstall()] {
        let said = message(&outcome, "E-GAME-RUNNING");
        assert!(said.starts_with(&running.named()) && said.contains("is using the folder"), "{said}");
        assert_eq!(outcome.status.code(), Some(1));
        assert!(outcome.failed("E-GAME-RUNNING")["advice"].as_str().unwrap().contains("--wait"));
        assert_eq!(everything(&player.dir), before, "nothing is written");
    }
    let text = words(&player, &["update"]);
    assert!(text.starts_with("E-GAME-RUNNING: ") && text.contains(&running.named()), "{text}");
    // Looking is allowed, whatever runs; so is a program that merely stands in the folder.
    assert_eq!(player.verify(&[]).ok()["intact"], true);
    let _ = player.plan(&[]).ok();
    running.quit();
    let shell = Command::new("/bin/cat").current_dir(&player.dir).stdin(Stdio::piped()).spawn().unwrap();
    let _shell = Running(shell);
    assert_eq!(player.update(&[]).ok()["release"], "1.1");
    assert_same(&world.build(2), &player.dir);
}

#[test]
fn waiting_until_the_game_ends() {
    let world = World::new();
    let player = world.player(world.studio.scratch("player"));
    let running = Running::start(&player);
    let before = everything(&player.dir);
    let mut update = player.start_update(&["--wait"]);
    let note = update.wait_for_event("note");
    assert!(note["message"].as_str().unwrap().contains(&running.named()), "{note}");
    update.wait_for("that it waits", |event| event["phase"] == "waiting");
    assert_eq!(everything(&player.dir), before, "nothing is written while it waits");
    running.quit();
    assert_eq!(update.finish().ok()["release"], "1.1");
    assert_same(&world.build(2), &player.dir);
}

/// It is started while the update is downloaded: nothing of the game changes, nothing downloaded is lost.
#[test]
fn the_game_is_started_meanwhile() {
    let world = World::new();
    let player = world.player(world.studio.scratch("player"));
    let mut update = player.start_update(&["--download-limit", "500k"]);
    update.wait_for("bytes", |event| event["phase"] == "downloading");
    let running = Running::start(&player);
    let outcome = update.finish();
    assert!(message(&outcome, "E-GAME-RUNNING").starts_with(&running.named()));
    assert_same(&world.build(1), &player.dir);
    running.quit();
    let done = player.update(&[]).ok().clone();
    assert_eq!(done["bytes_web"].as_u64().unwrap() + done["bytes_peers"].as_u64().unwrap(), 0, "{done}");
    assert_same(&world.build(2), &player.dir);
}

#[test]
fn another_launcher_is_named() {
    let world = World::new();
    let player = world.studio.player("player");
    let mut first = player.start_install(&["--download-limit", "1M"]);
    first.wait_for("bytes", |event| event["phase"] == "downloading");
    let said = message(&player.verify(&[]), "E-FOLDER-BUSY");
    assert!(said.contains(&format!("(pid {})", first.id())), "{said}");
    let _ = first.finish().ok();
}

/// "1.2 GB are needed on the disk of /games/x, 0.8 GB are free: 0.4 GB are missing".
fn says_how_much(said: &str, player: &Player) {
    let place = format!("are needed on the disk of {}, ", player.dir.display());
    assert!(
        said.contains(&place) && said.contains(" are free: ") && said.ends_with(" are missing"),
        "{said}"
    );
}

#[test]
fn the_disk_is_full() {
    let world = World::new();
    let at = world.studio.scratch("disk");
    let Some(disk) = SmallDisk::mount(&at, 40 << 10) else {
        panic!("this needs a small disk; manifests' simulated one is in apply::tests::faults")
    };
    let player = world.player(at.join("game"));
    // Found before the first write.
    let filler = at.join("holiday.mp4");
    assert!(fs::write(&filler, vec![1; 48 << 20]).is_err(), "the disk is full now");
    let all = fs::metadata(&filler).unwrap().len();
    fs::OpenOptions::new().write(true).open(&filler).unwrap().set_len(all - (1 << 20)).unwrap();
    let before = game(&player.dir);
    let outcome = player.update(&[]);
    says_how_much(&message(&outcome, "E-DISK-FULL"), &player);
    assert_eq!(game(&player.dir), before, "nothing is written");
    assert!(words(&player, &["update"]).contains("are missing"));
    assert_eq!(player.verify(&[]).ok()["intact"], true);
    // Met on the way: somebody else's file takes the room.
    fs::remove_file(&filler).unwrap();
    let mut update = player.start_update(&["--download-limit", "300k"]);
    update.wait_for("bytes", |event| {
        event["phase"] == "downloading" && event["done_bytes"].as_u64() > Some(100_000)
    });
    assert!(fs::write(&filler, vec![1; 48 << 20]).is_err(), "the disk is full now");
    let outcome = update.finish();
    says_how_much(&message(&outcome, "E-DISK-FULL"), &player);
    assert_same(&world.build(1), &player.dir);
    fs::remove_file(&filler).unwrap();
    assert_eq!(player.update(&[]).ok()["release"], "1.1");
    assert_same(&world.build(2), &player.dir);
    drop(disk);
}

#[test]
fn the_folder_is_read_only() {
    let world = World::new();
    let at = world.studio.scratch("disk");
    let Some(disk) = SmallDisk::mount(&at, 40 << 10) else { panic!("this needs a disk to mount read-only") };
    let player = world.player(at.join("game"));
    let before = everything(&player.dir);
    disk.remount("ro");
    for outcome in [player.update(&[]), player.verify(&["--repair"]), player.uninstall()] {
        let said = message(&outcome, "E-DISK-READ-ONLY");
        assert!(said.contains(".samara"), "{said}");
        assert_eq!(everything(&player.dir), before, "nothing is written");
    }
    assert!(words(&player, &["update"]).starts_with("E-DISK-READ-ONLY: "));
    disk.remount("rw");
    assert_eq!(player.update(&[]).ok()["release"], "1.1");
    drop(disk);
}

/// Permission bits do not bind root; this mark does.
fn mark(sign: &str, path: &Path) -> bool {
    Command::new("chattr").arg(sign).arg(path).output().is_ok_and(|done| done.status.success())
}

#[test]
fn one_file_or_folder_may_not_be_changed() {
    let world = World::new();
    let player = world.player(world.studio.scratch("player"));
    for name in ["rules.txt", "data", "data/levels"] {
        let path = player.dir.join(name);
        if !mark("+i", &path) {
            println!(
                "left out: chattr +i does not work here; manifests' table covers folders that are not writable"
            );
            return;
        }
        let before = game(&player.dir);
        let outcome = player.update(&[]);
        let after = game(&player.dir);
        let text = words(&player, &["update"]);
        assert!(mark("-i", &path));
        let said = message(&outcome, "E-DISK-PERMISSION");
        assert!(said.contains(name) && text.contains(name), "{said}");
        assert_eq!(after, before, "nothing is written");
    }
    assert_eq!(player.update(&[]).ok()["release"], "1.1");
    assert_same(&world.build(2), &player.dir);
}

/// A build with two names that some player's folder holds as one is refused before anybody gets it.
#[test]
fn two_names_that_are_one_elsewhere() {
    let world = World::new();
    let build = world.build(2);
    fs::write(build.join("Rules.TXT"), "other rules").unwrap();
    let outcome = world.studio.try_publish(&build, "1.1", &[]);
    let said = message(&outcome, "E-BUILD-CLASH");
    assert!(said.contains("Rules.TXT") && said.contains("rules.txt"), "{said}");
}

/// A file of the player's that has the name of one of the release's where case does not count.
#[test]
fn the_players_file_has_the_name_in_another_case() {
    let world = World::new();
    let at = world.studio.scratch("disk");
    let Some(disk) = CaselessDisk::mount(&world.studio.scratch("disk.ntfs"), &at, 64) else {
        println!("the simulated one stands for it: manifests, apply::check");
        return;
    };
    fs::write(world.build(2).join("Notes.TXT"), "the studio's").unwrap();
    let player = world.player(at.join("game"));
    fs::write(player.dir.join("notes.txt"), "mine").unwrap();
    let before = game(&player.dir);
    let said = message(&player.update(&[]), "E-FS-CASE");
    assert!(said.contains("notes.txt") && said.contains("Notes.TXT"), "{said}");
    assert!(words(&player, &["update"]).starts_with("E-FS-CASE: "));
    assert_eq!(game(&player.dir), before, "nothing is written");
    fs::rename(player.dir.join("notes.txt"), player.dir.join("my notes.txt")).unwrap();
    assert_eq!(player.update(&[]).ok()["release"], "1.1");
    // There are no executable bits there, and none are missed.
    assert_eq!(player.verify(&[]).ok()["intact"], true);
    assert_eq!(fs::read_to_string(player.dir.join("my notes.txt")).unwrap(), "mine");
    drop(disk);
}

#[test]
fn files_that_the_player_changed() {
    let world = World::new();
    let player = world.player(world.studio.scratch("player"));
    fs::write(player.dir.join("rules.txt"), "my rules").unwrap();
    fs::write(player.dir.join("settings/keys.ini"), "jump=mine").unwrap();
    fs::write(player.dir.join("saved.game"), "won").unwrap();
    let outcome = player.update(&[]);
    let done = outcome.ok();
    let kept: Vec<&str> =
        done["kept_aside"].as_array().unwrap().iter().filter_map(|one| one.as_str()).collect();
    let [kept] = kept[..] else { panic!("{done}") };
    let date = kept.strip_prefix("rules.txt.mine-").unwrap();
    assert!(date.len() == 10 && date.bytes().filter(|byte| *byte == b'-').count() == 2, "{kept}");
    assert_eq!(done["left_changed"], serde_json::json!(["settings/keys.ini"]));
    for (path, text) in [
        (kept, "my rules"),
        ("rules.txt", "rules 2"),
        ("settings/keys.ini", "jump=mine"),
        ("saved.game", "won"),
    ] {
        assert_eq!(fs::read_to_string(player.dir.join(path)).unwrap(), text, "{path}");
    }
    let checked = player.verify(&[]);
    assert_eq!(checked.ok()["intact"], true);
    assert_eq!(checked.ok()["left_changed"], serde_json::json!(["settings/keys.ini"]));
    // Neither a repair nor the end of the game takes any of it.
    let _ = player.verify(&["--repair"]).ok();
    let gone = player.uninstall();
    let mut left: Vec<&str> =
        gone.ok()["left"].as_array().unwrap().iter().filter_map(|one| one.as_str()).collect();
    left.sort_unstable();
    assert_eq!(left, [kept, "saved.game", "settings"]);
}
