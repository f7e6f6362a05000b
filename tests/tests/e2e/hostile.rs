//! Trackers, peers and web seeds that lie, stall or close: the game comes from whoever is left, and nothing false is kept.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test: it fails where something is not as it should be, and makes files"
)]

use std::fs;
use std::net::SocketAddr;

use samara_tests::fixtures::{GameSize, generate_release};
use samara_tests::support::{
    BadPeer, Edit, Install, Manner, Outcome, Player, Program, Request, Site, Studio, assert_same,
    free_address, tracker_answer,
};

/// A plain web server in the seedbox's place, tracker included, and a player who has installed from it.
struct World {
    site: Site,
    seeding: Player,
    studio: Studio,
}

fn world() -> World {
    let studio = Studio::new("maple");
    generate_release(&studio.scratch("build"), GameSize::Small, 1).unwrap();
    studio.publish_plain(&studio.scratch("build"), "1.0");
    let site = Site::at(studio.http_address(), studio.public(), |_| Edit::Serve);
    let seeding = studio.player("seeding");
    let _ = seeding.install(&["--no-peers"]).ok();
    World { site, seeding, studio }
}

fn is_announce(request: &Request) -> bool {
    request.path.starts_with("announce")
}

fn is_blob(request: &Request) -> bool {
    request.path.starts_with("blobs/") && !request.path.ends_with(".leaves")
}

impl World {
    /// `launcher seed` at a known address, on the whole game.
    fn seed(&self) -> (Program, SocketAddr) {
        let address = free_address();
        let mut program = self.seeding.start_seed(&["--listen", &address.to_string()]);
        program.wait_for("seeding", |event| event["phase"] == "seeding");
        (program, address)
    }

    /// The tracker names these; web seeds answer as `web` says.
    fn tell(&self, peers: &[SocketAddr], web: impl Fn(&Request) -> Edit + Send + Sync + 'static) {
        let answer = tracker_answer(peers);
        self.site.edit(move |request| match () {
            () if is_announce(request) => Edit::Body(answer.clone()),
            () if is_blob(request) => web(request),
            () => Edit::Serve,
        });
    }

    fn installs(&self, case: &str, more: &[&str]) -> (Install, Outcome) {
        let player = self.studio.player(&format!("player {case}"));
        let outcome = player.install(more);
        assert!(outcome.status.success(), "{case}: {outcome}");
        assert_same(&self.studio.scratch("build"), &player.dir);
        let done = Install::of(outcome.ok());
        println!("{case}: {} s, {done:?}", outcome.last()["seconds"]);
        (done, outcome)
    }
}

#[test]
fn trackers() {
    let world = world();
    let cases: [(&str, Edit); 8] = [
        ("stalls", Edit::Stall),
        ("closes", Edit::Close),
        ("fails", Edit::Status(500)),
        ("is cut", Edit::Cut(10)),
        ("babbles", Edit::Body(b"<html>no tracker here</html>".to_vec())),
        ("refuses", Edit::Body(b"d14:failure reason7:go awaye".to_vec())),
        ("is endless", Edit::Body(vec![b'1'; 16 << 20])),
        (
            "names nobody",
            Edit::Body(tracker_answer(&["127.0.0.1:1".parse().unwrap(), "127.0.0.1:22".parse().unwrap()])),
        ),
    ];
    for (case, edit) in cases {
        world.site.edit(move |request| if is_announce(request) { edit.clone() } else { Edit::Serve });
        let (done, _) = world.installs(&format!("the tracker {case}"), &[]);
        assert!(done.web > 0 && done.peers == 0, "{case}: {done:?}");
    }
}

const MANNERS: [Manner; 6] =
    [Manner::Closes, Manner::IsSilent, Manner::Babbles, Manner::Stalls, Manner::Lies, Manner::Leaves];

#[test]
fn peers_beside_a_web_seed() {
    let world = world();
    for manner in MANNERS {
        let bad: Vec<_> = (0..3).map(|_| BadPeer::start(manner)).collect();
        world.tell(&bad.iter().map(BadPeer::address).collect::<Vec<_>>(), |_| Edit::Serve);
        let (done, _) = world.installs(&format!("peers: {manner:?}"), &[]);
        assert!(done.web > 0, "{manner:?}: {done:?}");
        assert!(bad.iter().any(|peer| peer.met() > 0), "{manner:?}: nobody was met");
    }
}

#[test]
fn peers_beside_a_good_one() {
    let world = world();
    let (mut seed, good) = world.seed();
    let bad: Vec<_> =
        MANNERS.iter().flat_map(|&manner| [BadPeer::start(manner), BadPeer::start(manner)]).collect();
    let mut peers: Vec<_> = bad.iter().map(BadPeer::address).collect();
    peers.push(good);
    world.tell(&peers, |_| Edit::Serve);
    let (done, _) = world.installs("12 bad peers and a good one", &["--no-web"]);
    assert_eq!((done.web, done.origin), (0, 0));
    assert!(seed.next_until(std::time::Instant::now()).is_ok_and(|event| event.is_some()));
}

#[test]
fn nobody_but_liars() {
    let world = world();
    let bad = BadPeer::start(Manner::Lies);
    world.tell(&[bad.address()], |_| Edit::Serve);
    let player = world.studio.player("player");
    let failed = player.install(&["--no-web", "--patience", "3"]);
    failed.failed("E-NO-SOURCES");
    assert!(failed.notes().iter().any(|note| note.contains(&bad.address().to_string())), "{failed}");
    let leftover =
        fs::read_dir(&player.dir).map(|entries| entries.map(|entry| entry.unwrap().file_name()).collect());
    let leftover: Vec<_> = leftover.unwrap_or_default();
    assert!(leftover.iter().all(|name| name == ".samara"), "{leftover:?}");
    // What it says to do works.
    let _ = player.install(&[]).ok();
    assert_same(&world.studio.scratch("build"), &player.dir);
}

type WebManner = (&'static str, fn(&Request) -> Edit);

fn web_manners() -> Vec<WebManner> {
    vec![
        ("lies", |request| match &request.file {
            Some(file) => Edit::Body(file.iter().map(|byte| !byte).collect()),
            None => Edit::Serve,
        }),
        ("is short", |request| match &request.file {
            Some(file) => Edit::Body(file[..file.len() / 2].to_vec()),
            None => Edit::Serve,
        }),
        ("stalls", |_| Edit::Stall),
        ("closes", |_| Edit::Close),
        ("cuts", |_| Edit::Cut(1000)),
        ("sends another range", |_| Edit::Shifted(16)),
        ("fails", |_| Edit::Status(503)),
        ("has nothing", |_| Edit::Status(404)),
        ("redirects in a circle", |request| Edit::Redirect(format!("/{}", request.path))),
        ("redirects out of HTTP", |_| Edit::Redirect("file:///etc/passwd".to_owned())),
    ]
}

#[test]
fn web_seeds_beside_a_good_peer() {
    let world = world();
    let (_seed, good) = world.seed();
    for (case, edit) in web_manners() {
        world.tell(&[good], edit);
        let (done, _) = world.installs(&format!("the web seed {case}"), &[]);
        assert!(done.peers + done.lan > 0, "{case}: {done:?}");
    }
}

#[test]
fn web_seeds_alone() {
    let world = world();
    // Each waits for its player's patience to end, so here are only those that differ most.
    let manners =
        web_manners().into_iter().filter(|(case, _)| ["lies", "stalls", "cuts", "fails"].contains(case));
    for (case, edit) in manners {
        world.tell(&[], edit);
        let player = world.studio.player(&format!("player {case}"));
        let failed = player.install(&["--no-peers", "--patience", "2"]);
        failed.failed("E-NO-SOURCES");
        world.tell(&[], |_| Edit::Serve);
        let _ = player.install(&["--no-peers"]).ok();
        assert_same(&world.studio.scratch("build"), &player.dir);
    }
}

/// A server without ranges is no liar: what it sends is the file.
#[test]
fn a_web_seed_without_ranges() {
    let world = world();
    world.tell(&[], |_| Edit::Whole);
    let (done, _) = world.installs("no ranges", &["--no-peers"]);
    assert!(done.web > 0);
}

#[test]
fn a_file_rewritten_while_it_is_seeded_is_never_sent() {
    let world = world();
    let (mut seed, good) = world.seed();
    // As a mod does it: the same length, other bytes.
    let world_pak = world.seeding.dir.join("data/world.pak");
    let mut bytes = fs::read(&world_pak).unwrap();
    bytes.iter_mut().for_each(|byte| *byte = !*byte);
    fs::write(&world_pak, &bytes).unwrap();
    world.tell(&[good], |_| Edit::Serve);
    let player = world.studio.player("player");
    let failed = player.install(&["--no-web", "--patience", "4"]);
    failed.failed("E-NO-SOURCES");
    let told = seed.wait_for("word of it", |event| {
        event["event"] == "note" && event["message"].as_str().is_some_and(|text| text.contains("world.pak"))
    });
    println!("{told}");
    assert!(
        failed.notes().iter().all(|note| !note.contains("not the game's")),
        "bad bytes were sent: {failed}"
    );

    // Everything else was had from there, and the rest is elsewhere.
    let done = Install::of(player.install(&[]).ok());
    let len = bytes.len() as u64;
    assert!(done.web >= len && done.web < len + len / 4, "{len}: {done:?}");
    assert_same(&world.studio.scratch("build"), &player.dir);
    assert_eq!(fs::read(&world_pak).unwrap(), bytes, "the seeder's own file is the player's");
}

#[test]
fn the_seedbox_goes_away_and_comes_back() {
    let studio = Studio::new("maple");
    generate_release(&studio.scratch("build"), GameSize::Small, 1).unwrap();
    studio.publish_plain(&studio.scratch("build"), "1.0");
    let seedbox = studio.serve_with(&["--upload-limit", "1000000"]);
    let player = studio.player("player");
    let mut install = player.start_install(&["--patience", "60"]);
    install.wait_for("bytes", |event| {
        event["phase"] == "downloading" && event["done_bytes"].as_u64() > Some(500_000)
    });
    seedbox.kill();
    let seedbox = studio.serve();
    let _ = install.finish().ok();
    assert_same(&studio.scratch("build"), &player.dir);
    let _ = seedbox.stop();
    player.update(&[]).failed("E-OFFLINE");
}
