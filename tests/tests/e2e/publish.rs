//! What a studio can hand over that is no release: each is refused with its code, and the repository stays as it was.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test: it fails where something is not as it should be, and makes files"
)]

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use samara_tests::fixtures::{GameSize, compare_trees, generate_release};
use samara_tests::support::{Program, Studio, assert_same, binary};

fn put(build: &Path, name: &str, bytes: &[u8]) {
    let path = build.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

/// A studio with one release, and a copy of its public folder as it is.
fn studio() -> Studio {
    let studio = Studio::new("maple");
    put(&studio.scratch("good"), "game.bin", b"a game");
    studio.publish(&studio.scratch("good"), "1.0");
    remember(&studio);
    studio
}

fn remember(studio: &Studio) {
    let copy = studio.scratch("before");
    let _ = fs::remove_dir_all(&copy);
    let copied = Command::new("cp").arg("-a").arg(studio.public()).arg(&copy).status();
    assert!(copied.unwrap().success());
}

/// That what the world sees is what it was.
fn nothing_published(studio: &Studio, case: &str) {
    let differences = compare_trees(&studio.scratch("before"), &studio.public()).unwrap();
    let seen = |path: &Path| !path.starts_with("blobs");
    let differences: Vec<_> = differences
        .into_iter()
        .filter(|difference| match difference {
            samara_tests::fixtures::TreeDifference::OnlySecond(path) => seen(path),
            _ => true,
        })
        .collect();
    assert_eq!(differences, [], "{case}");
}

type Make = fn(&Path);

#[test]
fn builds_that_are_none() {
    let table: [(&str, &str, Make); 14] = [
        ("missing", "E-BUILD-MISSING", |_| {}),
        ("empty", "E-BUILD-EMPTY", |build| fs::create_dir(build).unwrap()),
        ("only folders", "E-BUILD-EMPTY", |build| fs::create_dir_all(build.join("a/b")).unwrap()),
        ("a file", "E-BUILD-MISSING", |build| fs::write(build, "x").unwrap()),
        ("a device name", "E-BUILD-NAME", |build| put(build, "data/aux.txt", b"x")),
        ("a trailing dot", "E-BUILD-NAME", |build| put(build, "data./x", b"x")),
        ("a colon", "E-BUILD-NAME", |build| put(build, "a:b", b"x")),
        ("a backslash", "E-BUILD-NAME", |build| put(build, "a\\b", b"x")),
        ("a control character", "E-BUILD-NAME", |build| put(build, "a\nb", b"x")),
        ("our own folder", "E-BUILD-NAME", |build| put(build, ".samara/x", b"x")),
        ("two names that Windows holds for one", "E-BUILD-CLASH", |build| {
            put(build, "Data/x", b"x");
            put(build, "data/y", b"x");
        }),
        ("a link that leads out", "E-BUILD-LINK", |build| {
            put(build, "x", b"x");
            symlink("../../secret", build.join("link")).unwrap();
        }),
        ("an absolute link", "E-BUILD-LINK", |build| {
            put(build, "x", b"x");
            symlink("/etc/passwd", build.join("link")).unwrap();
        }),
        ("a socket", "E-BUILD-SPECIAL", |build| {
            put(build, "x", b"x");
            drop(std::os::unix::net::UnixListener::bind(build.join("socket")).unwrap());
        }),
    ];
    let studio = studio();
    for (case, code, make) in table {
        let build = studio.scratch(case);
        make(&build);
        studio.try_publish(&build, "2.0", &[]).failed(code);
        nothing_published(&studio, case);
    }
}

#[test]
fn a_name_that_is_not_unicode() {
    use std::os::unix::ffi::OsStrExt as _;
    let studio = studio();
    let build = studio.scratch("odd");
    put(&build, "x", b"x");
    fs::write(build.join(std::ffi::OsStr::from_bytes(b"caf\xe9")), "x").unwrap();
    studio.try_publish(&build, "2.0", &[]).failed("E-BUILD-NAME");
    nothing_published(&studio, "a name that is not unicode");
}

/// Root reads everything, so the publish runs as nobody when we are root.
#[test]
fn a_file_that_cannot_be_read() {
    let studio = studio();
    let build = studio.scratch("build");
    put(&build, "x", b"x");
    fs::set_permissions(build.join("x"), fs::Permissions::from_mode(0o000)).unwrap();
    if fs::read(build.join("x")).is_err() {
        studio.try_publish(&build, "2.0", &[]).failed("E-BUILD-UNREADABLE");
        nothing_published(&studio, "unreadable");
        return;
    }
    let nobody = 65534;
    for path in [studio.data(), studio.keys(), studio.scratch(".")] {
        let owned = Command::new("chown").args(["-R", "nobody"]).arg(&path).status();
        assert!(owned.unwrap().success());
    }
    let program = studio.scratch("seedbox");
    fs::copy(binary("seedbox"), &program).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = Command::new(program);
    std::os::unix::process::CommandExt::uid(&mut command, nobody);
    command.arg("publish").arg(&build).arg("--data").arg(studio.data()).arg("--keys").arg(studio.keys());
    command.args(["--game", "maple", "--release", "2.0", "--json"]);
    Program::spawn(command).finish().failed("E-BUILD-UNREADABLE");
    nothing_published(&studio, "unreadable");
}

/// A pipe in the build would be special; a file that grows while it is read is seen by its size and time.
#[test]
fn a_file_that_changes_while_it_is_read() {
    let studio = studio();
    let build = studio.scratch("build");
    put(&build, "a-log", b"begun\n");
    for n in 0..40 {
        put(&build, &format!("big-{n}"), &vec![n; 1 << 20]);
    }
    let log = build.join("a-log");
    let mut log = fs::OpenOptions::new().append(true).open(log).unwrap();
    let mut publish = studio.start_publish(&build, "2.0", &[]);
    // Written to for as long as the publish runs: whenever it reads, the file changes.
    let outcome = loop {
        log.write_all(b"more\n").unwrap();
        let soon = std::time::Instant::now() + std::time::Duration::from_micros(200);
        if let Ok(None) = publish.next_until(soon) {
            break publish.finish();
        }
    };
    outcome.failed("E-BUILD-CHANGED");
    nothing_published(&studio, "changed");
}

#[test]
fn releases_options_and_keys() {
    let studio = studio();
    let good = studio.scratch("good");
    put(&studio.scratch("other"), "game.bin", b"another game");
    let refused = |case: &str, build: &str, version: &str, more: &[&str], code: &str| {
        studio.try_publish(&studio.scratch(build), version, more).failed(code);
        nothing_published(&studio, case);
    };
    refused("a release that exists", "other", "1.0", &[], "E-RELEASE-EXISTS");
    refused("the same release once more", "good", "1.0", &[], "E-RELEASE-EXISTS");
    refused("pieces of an odd length", "other", "2.0", &["--piece-len", "20000"], "E-OPTION");
    let missing = studio.scratch("no keys").display().to_string();
    refused("no keys", "other", "2.0", &["--keys", &missing], "E-KEY-FOLDER");
    let stranger = Studio::new("maple");
    let theirs = stranger.keys().display().to_string();
    refused("another studio's keys", "other", "2.0", &["--keys", &theirs], "E-REPO-ROOT");
    // A key that is cut short.
    let cut = studio.scratch("cut keys");
    assert!(Command::new("cp").arg("-a").arg(studio.keys()).arg(&cut).status().unwrap().success());
    for entry in walkdir::WalkDir::new(&cut) {
        let entry = entry.unwrap();
        if entry.path().extension().is_some_and(|end| end == "pem") {
            let pem = fs::read(entry.path()).unwrap();
            fs::write(entry.path(), &pem[..pem.len() / 2]).unwrap();
        }
    }
    refused("cut keys", "other", "2.0", &["--keys", &cut.display().to_string()], "E-KEY-BAD");
    // And after all that, it still works.
    studio.publish(&good, "1.1");
}

/// The newest version of each role's metadata. `root.json` itself is a copy for people.
fn current(metadata: &Path) -> std::collections::BTreeMap<String, PathBuf> {
    let mut newest = std::collections::BTreeMap::new();
    for entry in fs::read_dir(metadata).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let (version, role) = name.split_once('.').unwrap();
        match version.parse::<u64>() {
            Ok(version) => {
                let kept = newest.entry(role.to_owned()).or_insert((version, path.clone()));
                *kept = kept.clone().max((version, path));
            }
            Err(_) if name == "timestamp.json" => drop(newest.insert(name, (0, path))),
            Err(_) => {}
        }
    }
    newest.into_iter().map(|(role, (_, path))| (role, path)).collect()
}

#[test]
fn a_damaged_repository_signs_nothing() {
    let studio = studio();
    put(&studio.scratch("other"), "game.bin", b"another game");
    let metadata = studio.public().join("metadata");
    for (name, path) in current(&metadata) {
        let good = fs::read(&path).unwrap();
        fs::write(&path, &good[..good.len() / 2]).unwrap();
        let outcome = studio.try_publish(&studio.scratch("other"), "2.0", &[]);
        let code = outcome.last()["code"].as_str().unwrap_or("none").to_owned();
        assert!(["E-REPO-DAMAGED", "E-REPO-ROOT"].contains(&code.as_str()), "{name}: {outcome}");
        outcome.failed(&code);
        fs::write(&path, &good).unwrap();
        nothing_published(&studio, &name);
    }
    studio.publish(&studio.scratch("other"), "2.0");
}

/// Killed in the middle, the publish is run again and succeeds; players saw the old release all the time.
#[test]
fn a_publish_that_is_killed() {
    let studio = studio();
    let build = studio.scratch("build");
    generate_release(&build, GameSize::Small, 1).unwrap();
    let seedbox = studio.serve();
    for after in [5, 20, 60, 120, 200] {
        let mut publish = studio.start_publish(&build, "2.0", &[]);
        let _ = publish.next_until(std::time::Instant::now() + std::time::Duration::from_millis(after));
        let outcome = publish.kill();
        if outcome.status.success() {
            break;
        }
        let player = studio.player(&format!("player-{after}"));
        let release = player.install(&[]).ok()["release"].as_str().unwrap().to_owned();
        let expected = if release == "1.0" { studio.scratch("good") } else { build.clone() };
        assert_same(&expected, &player.dir);
    }
    let last = studio.try_publish(&build, "2.0", &[]);
    if !last.status.success() {
        last.failed("E-RELEASE-EXISTS");
    }
    let player = studio.player("last");
    let _ = player.install(&[]).ok();
    assert_same(&build, &player.dir);
    let _ = seedbox.stop();
}
