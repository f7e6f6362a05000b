//! What must fail, with which code, and leave nothing behind.

use super::repo::{Repo, lay_out};
use super::*;
use manifests::trust::UnixTime;

const BUILD: &[(&str, &[u8])] = &[("a.txt", b"one"), ("b/c.txt", b"two")];

fn build() -> Vec<(&'static str, Vec<u8>)> {
    BUILD.iter().map(|(name, bytes)| (*name, bytes.to_vec())).collect()
}

fn repo() -> Repo {
    let mut repo = Repo::new();
    repo.publish("1.0", &build());
    repo
}

#[test]
fn mistakes_have_codes_and_leave_nothing() {
    let (repo, mut player, temp) = (repo(), Player::new(), tempfile::tempdir().unwrap());
    let other = Repo::new();
    let file = temp.path().join("file");
    std::fs::write(&file, "not a root").unwrap();
    type Change<'a> = Box<dyn FnOnce(&mut Install) + 'a>;
    let table: Vec<(&str, Change<'_>)> = vec![
        ("E-USAGE", Box::new(|install| install.repo = "ftp://x/".to_owned())),
        ("E-USAGE", Box::new(|install| install.game = "../x".to_owned())),
        ("E-OFFLINE", Box::new(|install| install.repo = "http://127.0.0.1:1/".to_owned())),
        ("E-TRUST-MISSING", Box::new(|install| install.repo.push_str("nowhere/"))),
        ("E-TRUST-ROOT", Box::new(|install| install.trust_root = temp.path().join("absent.json"))),
        ("E-TRUST-ROOT", Box::new(|install| install.trust_root = file.clone())),
        ("E-TRUST-ROOT", Box::new(|install| install.trust_root = other.root())),
        ("E-TRUST-NOT-FOUND", Box::new(|install| install.game = "oak".to_owned())),
        ("E-TRUST-NOT-FOUND", Box::new(|install| install.select = Select::Channel("beta".to_owned()))),
        ("E-TRUST-NOT-FOUND", Box::new(|install| install.select = Select::Release("9".to_owned()))),
        ("E-FOLDER-NOT-A-FOLDER", Box::new(|install| install.dir = file.clone())),
    ];
    for (number, (code, change)) in table.into_iter().enumerate() {
        let dir = temp.path().join(format!("game{number}"));
        assert_eq!(player.install_with(&repo, &dir, change).unwrap_err(), code, "{number}");
        assert!(!dir.exists(), "{number}: {code} left something");
    }
}

#[test]
fn tampered_repositories_are_refused() {
    let table: &[(&str, &str, &[&str])] = &[
        ("metadata/timestamp.json", "cut", &["E-TRUST-TRUNCATED", "E-TRUST-MALFORMED"]),
        ("metadata/timestamp.json", "flip", &["E-TRUST-TAMPERED", "E-TRUST-MALFORMED"]),
        ("targets/games/maple/releases", "flip", &["E-TRUST-TAMPERED"]),
        ("targets/games/maple/releases", "cut", &["E-TRUST-TAMPERED", "E-TRUST-TRUNCATED"]),
        ("torrents", "flip", &["E-CONTENT-REFUSED"]),
        ("torrents", "cut", &["E-CONTENT-REFUSED"]),
        ("torrents", "remove", &["E-SERVER-REFUSED"]),
    ];
    for (name, how, codes) in table {
        let (repo, mut player, temp) = (repo(), Player::new(), tempfile::tempdir().unwrap());
        let mut path = repo.public().join(name);
        if path.is_dir() {
            path = std::fs::read_dir(path).unwrap().next().unwrap().unwrap().path();
        }
        let mut bytes = std::fs::read(&path).unwrap();
        match *how {
            "cut" => bytes.truncate(bytes.len() / 2),
            _ => {
                let middle = bytes.len() / 2;
                bytes[middle] ^= 1;
            }
        }
        std::fs::remove_file(&path).unwrap();
        if *how != "remove" {
            std::fs::write(&path, bytes).unwrap();
        }
        let dir = temp.path().join("game");
        let code = player.install(&repo, &dir).unwrap_err();
        assert!(codes.contains(&code.as_str()), "{name} {how}: {code}");
        assert!(!dir.exists(), "{name} {how}");
    }
}

#[test]
fn expired_metadata_needs_an_explicit_choice() {
    let now = UnixTime::from_system(std::time::SystemTime::now());
    let mut repo = Repo::signed_at(now.plus_days(0).plus_seconds(-30 * 86_400));
    repo.publish("1.0", &build());
    let (mut player, temp) = (Player::new(), tempfile::tempdir().unwrap());
    let dir = temp.path().join("game");
    assert_eq!(player.install(&repo, &dir).unwrap_err(), "E-TRUST-EXPIRED");
    assert!(!dir.exists());
    lay_out(&dir, &build());
    let change = |install: &mut Install| (install.adopt, install.accept_expired) = (true, true);
    player.install_with(&repo, &dir, change).unwrap();
}

#[test]
fn folders_in_use_or_of_other_games_are_refused() {
    let (repo, mut player, temp) = (repo(), Player::new(), tempfile::tempdir().unwrap());
    let dir = temp.path().join("game");
    lay_out(&dir, &build());
    player.install_with(&repo, &dir, |install| install.adopt = true).unwrap();
    let held = manifests::folder::InstallDir::open(&dir).unwrap();
    assert_eq!(player.update(&dir).unwrap_err(), "E-FOLDER-BUSY");
    assert_eq!(player.install(&repo, &dir).unwrap_err(), "E-FOLDER-BUSY");
    drop(held);
    player.update(&dir).unwrap();
    let other = player.install_with(&repo, &dir, |install| install.game = "oak".to_owned());
    assert_eq!(other.unwrap_err(), "E-FOLDER-OTHER-GAME");
    let nothing = temp.path().join("nothing");
    assert_eq!(player.update(&nothing).unwrap_err(), "E-FOLDER-MISSING");
    assert_eq!(player.verify(&nothing, false).unwrap_err(), "E-FOLDER-MISSING");
    std::fs::create_dir(&nothing).unwrap();
    assert_eq!(player.update(&nothing).unwrap_err(), "E-FOLDER-NOT-INSTALLED");
}

#[test]
fn no_source_is_an_error_not_an_endless_wait() {
    let (repo, mut player, temp) = (repo(), Player::new(), tempfile::tempdir().unwrap());
    std::fs::remove_dir_all(repo.public().join("blobs")).unwrap();
    let dir = temp.path().join("game");
    assert_eq!(player.install(&repo, &dir).unwrap_err(), "E-NO-SOURCES");
}
