//! A repository that somebody has been at: nothing of it is believed, and the game stays as it is.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test: it fails where something is not as it should be, and makes files"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

use manifests::release::{ChannelName, GameId};
use manifests::trust::UnixTime;
use manifests::trust::publisher::{Repository, RepositoryPaths};
use samara_tests::fixtures::{GameSize, generate_release};
use samara_tests::support::{Edit, Install, Player, Request, Site, Studio, assert_same};

/// A studio with two releases, the first installed by a player from a plain web server with a copy of the public
/// folder.
struct World {
    site: Site,
    player: Player,
    studio: Studio,
}

fn copy(from: &Path, to: &Path) {
    let _ = fs::remove_dir_all(to);
    assert!(Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap().success());
}

fn world() -> World {
    let studio = Studio::new("maple");
    for release in [1, 2] {
        generate_release(&studio.scratch(&format!("build-{release}")), GameSize::Small, release).unwrap();
    }
    studio.publish(&studio.scratch("build-1"), "1.0");
    let player = studio.player("player");
    let site = Site::at(studio.http_address(), studio.scratch("site"), |_| Edit::Serve);
    copy(&studio.public(), &studio.scratch("site"));
    let _ = player.install(&["--no-peers"]).ok();
    studio.publish(&studio.scratch("build-2"), "1.1");
    copy(&studio.public(), &studio.scratch("site"));
    World { site, player, studio }
}

impl World {
    /// That an update fails with one of these codes, and an install too, and neither changes anything.
    fn refused(&self, case: &str, codes: &[&str]) {
        let one_of = |outcome: &samara_tests::support::Outcome| {
            let code = outcome.last()["code"].as_str().unwrap_or("none").to_owned();
            assert!(codes.contains(&code.as_str()), "{case}: {outcome}");
            outcome.failed(&code);
        };
        // A copy: what this update learns before it meets the bad file does not help the next case.
        let victim = self.studio.player("victim");
        copy(&self.player.dir, &victim.dir);
        one_of(&victim.update(&["--no-peers"]));
        assert_same(&self.studio.scratch("build-1"), &victim.dir);
        let newcomer = self.studio.player("newcomer");
        one_of(&newcomer.install(&["--no-peers"]));
        assert!(!newcomer.dir.exists(), "{case}: something is left of the install");
    }

    fn is_well(&self) {
        self.site.edit(|_| Edit::Serve);
        let done = self.player.update(&["--no-peers"]);
        assert_eq!(done.ok()["release"], "1.1");
        assert_same(&self.studio.scratch("build-2"), &self.player.dir);
    }
}

/// Another digit in the first signature, or another byte in the middle.
fn tampered(file: &[u8]) -> Vec<u8> {
    let mut bytes = file.to_vec();
    let signature = b"\"sig\":\"";
    let at = match bytes.windows(signature.len()).position(|part| part == signature) {
        Some(at) => at + signature.len() + 10,
        None => bytes.len() / 2,
    };
    bytes[at] = if bytes[at] == b'0' { b'1' } else { b'0' };
    bytes
}

type Change = fn(&[u8]) -> Edit;

#[test]
fn every_file_on_the_way_tampered_cut_missing_or_endless() {
    let world = world();
    // What an install asks for, up to the torrent.
    let newcomer = world.studio.player("first");
    let _ = newcomer.install(&["--no-peers"]).ok();
    let asked: BTreeSet<String> = world.site.asked().into_iter().collect();
    let repository = |path: &String| path.starts_with("metadata/") || path.starts_with("targets/");
    let newest = fs::read_dir(world.studio.scratch("site/metadata")).unwrap().count();
    assert!(newest > 5);
    // Of those that were there for release 1.0 already, the newer ones come instead.
    let before: BTreeSet<String> = asked.iter().filter(|path| repository(path)).cloned().collect();
    let second = world.studio.player("second");
    let count = world.site.asked().len();
    let _ = second.install(&["--no-peers"]).ok();
    let mut now: BTreeSet<String> = world.site.asked().split_off(count).into_iter().collect();
    now.retain(|path| before.contains(path) && world.studio.scratch("site").join(path).exists());
    // A list of packs is no more than a shorter way: the next test's.
    now.retain(|path| !path.ends_with(".packs"));
    assert!(now.len() >= 6, "{now:?}");

    let changes: [(&str, Change, &[&str]); 4] = [
        ("tampered", |file| Edit::Body(tampered(file)), &["E-TRUST-TAMPERED"]),
        (
            "cut",
            |file| Edit::Body(file[..file.len() / 2].to_vec()),
            &["E-TRUST-TRUNCATED", "E-TRUST-TAMPERED", "E-TRUST-MALFORMED"],
        ),
        ("missing", |_| Edit::Status(404), &["E-TRUST-MISSING", "E-TRUST-NOT-FOUND"]),
        (
            "endless",
            |_| Edit::Body(vec![b' '; 8 << 20]),
            &["E-TRUST-TOO-LARGE", "E-TRUST-TAMPERED", "E-SERVER-MISBEHAVES"],
        ),
    ];
    for path in now {
        // The pinned root itself is not asked for; the next one is, and its absence is the rule.
        for (how, change, codes) in changes {
            let wanted = path.clone();
            world.site.edit(move |request: &Request| match &request.file {
                Some(file) if request.path == wanted => change(file),
                _ => Edit::Serve,
            });
            world.refused(&format!("{path} {how}"), codes);
        }
    }
    world.is_well();
}

#[test]
fn packs_that_are_not_what_was_signed_are_not_used() {
    let world = world();
    let changes: [(&str, Change); 3] = [
        ("tampered", |file| Edit::Body(tampered(file))),
        ("cut", |file| Edit::Body(file[..file.len() / 2].to_vec())),
        ("missing", |_| Edit::Status(404)),
    ];
    for (ending, (how, change)) in
        [".packs", ".index"].into_iter().flat_map(|end| changes.map(|way| (end, way)))
    {
        world.site.edit(move |request: &Request| match &request.file {
            Some(file) if request.path.ends_with(ending) => change(file),
            _ => Edit::Serve,
        });
        let victim = world.studio.player("victim");
        copy(&world.player.dir, &victim.dir);
        let done = victim.update(&["--no-peers"]);
        let route = done.ok()["route"].as_str().unwrap_or_default();
        assert!(["plain", "reuse"].contains(&route), "{ending} {how}: {done}");
        assert_same(&world.studio.scratch("build-2"), &victim.dir);
    }
    world.is_well();
}

#[test]
fn the_torrent_is_held_against_the_signed_manifest() {
    let world = world();
    let torrent = |request: &Request| request.path.starts_with("torrents/");
    for (how, change, codes) in [
        ("tampered", (|file| Edit::Body(tampered(file))) as Change, &["E-CONTENT-REFUSED"][..]),
        ("cut", |file| Edit::Body(file[..file.len() / 2].to_vec()), &["E-CONTENT-REFUSED"]),
        ("missing", |_| Edit::Status(404), &["E-SERVER-REFUSED"]),
    ] {
        world.site.edit(move |request| match &request.file {
            Some(file) if torrent(request) => change(file),
            _ => Edit::Serve,
        });
        world.refused(&format!("the torrent {how}"), codes);
    }
    // Leaf hashes are a comfort: wrong ones are not used, and nothing is lost.
    world.site.edit(|request| match &request.file {
        Some(file) if request.path.ends_with(".leaves") => Edit::Body(tampered(file)),
        _ => Edit::Serve,
    });
    let newcomer = world.studio.player("newcomer");
    let _ = newcomer.install(&["--no-peers"]).ok();
    assert_same(&world.studio.scratch("build-2"), &newcomer.dir);
    world.is_well();
}

/// Bytes of the game, as they are or in a pack.
fn is_content(path: &str) -> bool {
    let blob = path.starts_with("blobs/") && !path.ends_with(".leaves") && !path.ends_with(".sums");
    blob || path.ends_with(".pack")
}

#[test]
fn blocks_are_verified() {
    let world = world();
    world.site.edit(|request| match &request.file {
        Some(file) if is_content(&request.path) => Edit::Body(file.iter().map(|byte| byte ^ 1).collect()),
        _ => Edit::Serve,
    });
    let failed = world.player.update(&["--no-peers", "--patience", "3"]);
    failed.failed("E-NO-SOURCES");
    assert!(!failed.notes().is_empty(), "the server's lies are told: {failed}");
    assert_same(&world.studio.scratch("build-1"), &world.player.dir);
    world.is_well();
}

#[test]
fn old_metadata_is_not_taken_for_new() {
    let world = world();
    world.is_well();
    copy(&world.studio.scratch("site"), &world.studio.scratch("kept"));
    generate_release(&world.studio.scratch("build-3"), GameSize::Small, 1).unwrap();
    fs::write(world.studio.scratch("build-3/news.txt"), "third").unwrap();
    world.studio.publish(&world.studio.scratch("build-3"), "1.2");
    copy(&world.studio.public(), &world.studio.scratch("site"));
    let _ = world.player.update(&["--no-peers"]).ok();
    assert_same(&world.studio.scratch("build-3"), &world.player.dir);

    // The whole site of yesterday, with its genuine signatures.
    copy(&world.studio.scratch("kept"), &world.studio.scratch("site"));
    world.player.update(&["--no-peers"]).failed("E-TRUST-ROLLBACK");
    assert_same(&world.studio.scratch("build-3"), &world.player.dir);
    assert_eq!(world.player.verify(&["--no-peers"]).ok()["intact"], true);
}

#[test]
fn a_channel_moved_back_by_a_stolen_server() {
    let world = world();
    world.is_well();
    // Whoever has the data folder has the online keys, and can sign anything these may sign.
    let mut repository = Repository::open(RepositoryPaths::below(&world.studio.data())).unwrap();
    let (game, channel) = (GameId::parse("maple").unwrap(), ChannelName::parse("stable").unwrap());
    let mut doc = repository.channel(&game, &channel).unwrap().unwrap();
    let old = repository.releases(&game).unwrap().into_iter().min_by_key(|release| release.sequence).unwrap();
    doc.release = old.version;
    doc.sequence = old.sequence;
    let now = UnixTime::from_system(SystemTime::now());
    match repository.set_channel(&doc, now) {
        Ok(()) => {
            copy(&world.studio.public(), &world.studio.scratch("site"));
            world.player.update(&["--no-peers"]).failed("E-TRUST-DOWNGRADE");
        }
        Err(error) => assert_eq!(error.code(), "E-CHANNEL-REFUSED"),
    }
    assert_same(&world.studio.scratch("build-2"), &world.player.dir);
}

#[test]
fn expired_metadata_needs_an_explicit_choice() {
    let world = world();
    let mut repository = Repository::open(RepositoryPaths::below(&world.studio.data())).unwrap();
    let long_ago = SystemTime::now() - Duration::from_secs(30 * 24 * 3600);
    repository.refresh(UnixTime::from_system(long_ago)).unwrap();
    copy(&world.studio.public(), &world.studio.scratch("site"));
    world.refused("expired", &["E-TRUST-EXPIRED"]);
    // What is installed is verified, mended and played without asking anybody.
    assert_eq!(world.player.verify(&["--no-peers"]).ok()["intact"], true);
    let done = world.player.update(&["--no-peers", "--accept-expired"]);
    assert_eq!(done.ok()["release"], "1.1");
    assert_same(&world.studio.scratch("build-2"), &world.player.dir);
}

#[test]
fn another_studios_root() {
    let world = world();
    let stranger = Studio::new("maple");
    let mut newcomer = world.studio.player("newcomer");
    newcomer.root = stranger.root();
    newcomer.install(&["--no-peers"]).failed("E-TRUST-ROOT");
    newcomer.root = world.studio.scratch("nowhere.json");
    newcomer.install(&["--no-peers"]).failed("E-TRUST-ROOT");
    fs::write(&newcomer.root, "{}").unwrap();
    newcomer.install(&["--no-peers"]).failed("E-TRUST-ROOT");
    assert!(!newcomer.dir.exists());
    newcomer.root = world.studio.root();
    newcomer.game = "oak".to_owned();
    newcomer.install(&["--no-peers"]).failed("E-TRUST-NOT-FOUND");
    newcomer.game = "maple".to_owned();
    newcomer.install(&["--no-peers", "--release", "9.9"]).failed("E-TRUST-NOT-FOUND");
    newcomer.install(&["--no-peers", "--channel", "beta"]).failed("E-TRUST-NOT-FOUND");
    assert!(!newcomer.dir.exists());
    let done = newcomer.install(&["--no-peers", "--release", "1.0"]);
    assert!(Install::of(done.ok()).web > 0);
    assert_same(&world.studio.scratch("build-1"), &newcomer.dir);
}
