//! Every screen in every state that can be told apart, by name.

use std::time::Duration;

use eframe::egui::TextureId;

use super::*;
use crate::engine::{ChannelView, Failure, Offer, Phase, ReleaseList, ReleaseView, SourceBytes};
use crate::gui::view::{Guise, Screen};
use crate::shell::deeds::Brought;
use crate::shell::downloads::{Download, Reached};
use crate::shell::library::{PinnedRoot, Signed};
use crate::shell::pace::Beat;
use crate::shell::preview::{Aim, Asked, Checked, Cost, Preview, Receipt};
use crate::shell::queue::Job;
use crate::shell::settings::{Consent, Layout, Limits, Window};
use crate::shell::state::Facts;
use crate::shell::versions::{Listed, Versions};
use crate::shell::why::Why;
use crate::shell::{GameKey, Hold, Progress, Settings};

/// How far an operation is, for a picture.
pub(super) fn progress(phase: Phase) -> Progress {
    Progress {
        phase,
        done_bytes: 1_260_000_000,
        total_bytes: 3_000_000_000,
        rate: 12_500_000,
        time_left: Some(Duration::from_secs(140)),
    }
}

pub(super) fn failed(code: &'static str, facts: Facts) -> Stage {
    let mut stage = page(Facts { failure: Some(code), hold: Some(Hold::Failed), ..facts });
    let told = Failure { code, message: code.to_owned(), advice: "" };
    stage.view.open.as_mut().unwrap().failure = Some(told);
    stage
}

pub(super) fn told_of(code: &'static str) -> Failure {
    Failure { code, message: code.to_owned(), advice: "" }
}

/// The versions of a game that stays where it is, while it is checked.
fn busy_versions() -> Stage {
    let mut stage = versions(all_listed(), None);
    let open = stage.view.open.as_mut().unwrap();
    (open.game.pin, open.facts.phase) = (Some("3.0.6".into()), Some(Phase::Scanning));
    stage
}

fn busy(phase: Phase) -> Stage {
    let mut stage = page(Facts { phase: Some(phase), ..installed("3.0.6", "3.1.4") });
    stage.view.open.as_mut().unwrap().progress = Some(progress(phase));
    stage
}

/// The queue with one that runs, one that waits, one that was paused and one that failed.
pub(super) fn downloads() -> Stage {
    let entry = |key, name, job, facts| Download {
        game: GameView { facts, ..game(key, name) },
        job,
        reached: [Reached::Open; 4],
        sources: SourceBytes::default(),
        upload_rate: 0,
        uploaded_bytes: 0,
        peers: 0,
        why: None,
    };
    let runs = Facts { phase: Some(Phase::Downloading), ..installed("3.0.6", "3.1.4") };
    let mut first = entry(1, "Freeciv", Job::Update, runs);
    first.game.progress = Some(progress(Phase::Downloading));
    first.reached = [Reached::Done, Reached::Now(Some(42)), Reached::Open, Reached::Open];
    first.sources = SourceBytes {
        local: 400_000_000,
        lan: 90_000_000,
        peers: 650_000_000,
        seedbox: 20_000_000,
        web: 100_000_000,
    };
    (first.peers, first.uploaded_bytes, first.upload_rate) = (14, 230_000_000, 800_000);
    first.why = Some(Why::Cap { limit: 12_500_000 });
    let waits = Facts { hold: Some(Hold::Turn { before: 1 }), ..Facts::default() };
    let paused = Facts { hold: Some(Hold::Paused), ..installed("1", "2") };
    let mut broken = entry(
        4,
        "Other",
        Job::Repair,
        Facts { hold: Some(Hold::Failed), failure: Some("E-NO-SOURCES"), ..installed("1", "1") },
    );
    let told = Failure { code: "E-NO-SOURCES", message: "E-NO-SOURCES".to_owned(), advice: "" };
    broken.game.failure = Some(told);
    let downloads =
        vec![first, entry(2, "Some", Job::Install, waits), entry(3, "Third", Job::Update, paused), broken];
    let beat = |at: u64| Beat {
        network: 9_000_000 + (at * 7 % 11) * 400_000 + at * 20_000,
        disk: 6_000_000 + (at * 5 % 13) * 900_000,
        upload: 800_000,
    };
    let view = View { downloads, pace: (0..90).map(beat).collect(), ..library(&["Freeciv", "Some"]) };
    let mut stage = stage(view);
    stage.state.screen = Screen::Downloads;
    stage
}

/// The first start of a launcher that a studio gives away.
pub(super) fn branded() -> Stage {
    let root = PinnedRoot { file: "/roots/1.json".into(), sha256: "0a1b".repeat(16) };
    let games = vec!["maple".to_owned(), "birch".to_owned()];
    let brought = Brought { repo: "https://games.example/".to_owned(), root, games };
    // A texture that is there: the letters.
    let guise =
        Guise { name: "Maple Games".to_owned(), art: Some((TextureId::default(), vec2(900.0, 300.0))) };
    stage(View { guise, brought: Some(brought), ..View::default() })
}

fn empty_downloads() -> Stage {
    let mut stage = stage(library(&["Freeciv"]));
    stage.state.screen = Screen::Downloads;
    stage
}

/// A game whose update is looked at, or which is not there yet.
pub(super) fn ahead(facts: Facts, asked: Asked, free_bytes: u64) -> Stage {
    let there = facts.installed.clone();
    let mut stage = page(facts);
    stage.view.open.as_mut().unwrap().game.installed = there;
    let folder = "/games/freeciv".into();
    stage.view.preview = Some(Preview { folder, asked, free_bytes: Some(free_bytes), ..Preview::default() });
    stage.view.offer = Some(offer());
    stage.state.screen = Screen::Preflight(GameKey(1));
    stage
}

pub(super) fn cost() -> Asked {
    Asked::Known(Cost {
        release: "3.1.4".into(),
        download_bytes: 61_000_000,
        written_bytes: 140_000_000,
        space_bytes: 150_000_000,
        files: 214,
        time: Duration::from_secs(50),
    })
}

fn offer() -> Offer {
    let notes = "# Highlights\n- **Faster** turns on large maps\n  - and smaller saves\n- A new tileset\n\nThank you for playing.";
    Offer { release: "3.1.4".into(), bytes: 820_000_000, notes: notes.into(), ..Offer::default() }
}

/// A game that was updated and checked.
pub(super) fn told() -> Stage {
    let mut stage = page(installed("3.0.6", "3.1.4"));
    stage.view.offer = Some(offer());
    let game = &mut stage.view.open.as_mut().unwrap().game;
    game.installed = Some("3.0.6".into());
    game.offered = Some("3.1.4".into());
    game.receipt = Some(Receipt {
        release: "3.0.6".into(),
        seconds: 75,
        plain_bytes: 700_000_000,
        lan_bytes: 10_000_000,
        peer_bytes: 90_000_000,
        studio_bytes: 20_000_000,
        written_bytes: 400_000_000,
        uploaded_bytes: 35_000_000,
    });
    let keys = ["5a1f0c72b8d3e946", "c04e9b7761fa2d38"].map(|start| start.repeat(4)).to_vec();
    game.signed = Some(Signed { keys, needed: 1, root: 3 });
    game.checked = Some(Checked { release: "3.0.6".into(), files: 4210, ..Checked::default() });
    stage
}

/// An installed game whose versions are looked at.
pub(super) fn versions(listed: Listed, kept: Option<&str>) -> Stage {
    let mut stage = page(installed("3.0.6", "3.1.4"));
    let game = &mut stage.view.open.as_mut().unwrap().game;
    (game.installed, game.channel) = (Some("3.0.6".into()), "stable".into());
    stage.view.versions = Some(Versions { listed, kept: kept.map(str::to_owned) });
    stage.state.screen = Screen::Versions(GameKey(1));
    stage
}

/// Four releases and three channels.
pub(super) fn all_listed() -> Listed {
    let release = |release: &str, bytes, notes: String| ReleaseView { release: release.into(), bytes, notes };
    let channel = |name: &str, release: &str, halted| ChannelView {
        name: name.into(),
        release: release.into(),
        halted,
    };
    Listed::Known(ReleaseList {
        game: "freeciv".into(),
        releases: vec![
            release("3.2.0-rc1", Some(845_000_000), String::new()),
            release("3.1.4", Some(820_000_000), offer().notes),
            release("3.0.6", Some(790_000_000), String::new()),
            release("3.0.5", None, String::new()),
        ],
        channels: vec![
            channel("beta", "3.2.0-rc1", false),
            channel("old", "3.0.5", false),
            channel("stable", "3.1.4", false),
            channel("nightly", "3.2.0-rc1", true),
        ],
    })
}

/// What it would take to get there, from an installed game.
pub(super) fn aimed(aim: Aim, asked: Asked) -> Stage {
    let mut stage = ahead(installed("3.0.6", "3.1.4"), asked, 9_000_000_000);
    stage.view.preview.as_mut().unwrap().aim = aim;
    stage.view.versions = versions(all_listed(), Some("3.0.5")).view.versions;
    stage
}

fn no_chooser() -> Stage {
    let mut stage = settings();
    stage.state.no_chooser = true;
    stage
}

/// An installed game whose folder is gone.
pub(super) fn moving() -> Stage {
    let mut stage = ahead(installed("3.0.6", "3.1.4"), Asked::Asking, 9_000_000_000);
    stage.state.moving = Some(GameKey(1));
    stage
}

/// The settings with everything on that can be.
pub(super) fn settings() -> Stage {
    let some = Some(2_500_000);
    let settings = Settings {
        sharing: Consent::Yes,
        limits: Limits {
            download: some,
            upload: some,
            background_download: some,
            background_upload: some,
            playing_download: some,
        },
        schedule: Some(Window { from: 22 * 60, to: 6 * 60 + 30 }),
        ..Settings::default()
    };
    let mut stage = stage(View { settings, ..library(&["Freeciv"]) });
    stage.view.own.release = "0.1.0".into();
    stage.state.screen = Screen::Settings;
    stage
}

/// All of them.
pub(super) fn stages() -> Vec<(&'static str, Stage)> {
    let mut listed = stage(library(&["Freeciv", "Other", "Some", "Third"]));
    listed.view.settings.layout = Layout::List;
    listed.view.found[0].facts = installed("1", "2");
    let mut adds = stage(library(&[]));
    adds.state.screen = Screen::Add;
    let mut cards = stage(library(&["Freeciv", "Other", "Some", "Third"]));
    cards.view.found[1].facts = installed("1", "1");
    cards.view.found[2].facts = installed("1", "2");
    cards.view.downloads = downloads().view.downloads;
    let mut all = vec![
        ("first-run", stage(View::default())),
        ("first-run-brand", branded()),
        ("library-empty", stage(library(&[]))),
        ("library-cards", cards),
        ("library-list", listed),
        ("game-not-installed", page(Facts::default())),
        ("game-update", page(installed("3.0.6", "3.1.4"))),
        ("game-downloading", busy(Phase::Downloading)),
        ("game-applying", busy(Phase::Applying)),
        ("game-error", failed("E-FS-CASE", installed("3.0.6", "3.1.4"))),
        ("game-disk-full", failed("E-DISK-FULL", Facts::default())),
        ("game-told", told()),
        ("ahead-asking", ahead(Facts::default(), Asked::Asking, 9_000_000_000)),
        ("ahead-install", ahead(Facts::default(), cost(), 9_000_000_000)),
        ("ahead-no-room", ahead(Facts::default(), cost(), 9_000_000)),
        ("ahead-update", ahead(installed("3.0.6", "3.1.4"), cost(), 9_000_000_000)),
        ("ahead-moving", moving()),
        ("settings-no-chooser", no_chooser()),
        ("game-not-empty", failed("E-FOLDER-NOT-EMPTY", Facts::default())),
        ("ahead-back", aimed(Aim::Back, cost())),
        ("ahead-back-nothing", aimed(Aim::Back, Asked::Failed(told_of("E-ROLLBACK-NOTHING")))),
        ("ahead-release", aimed(Aim::Release("3.1.4".into()), cost())),
        ("versions", versions(all_listed(), Some("3.0.5"))),
        ("versions-asking", versions(Listed::Asking, Some("3.0.5"))),
        ("versions-offline", versions(Listed::Failed(told_of("E-OFFLINE")), None)),
        ("versions-busy", busy_versions()),
        ("downloads", downloads()),
        ("downloads-none", empty_downloads()),
        ("settings", settings()),
        ("add", adds),
    ];
    let holds = [
        ("game-paused", Hold::Paused),
        ("game-offline", Hold::Offline),
        ("game-runs", Hold::GameRuns),
        ("game-other-runs", Hold::Playing),
        ("game-metered", Hold::Metered),
        ("game-battery", Hold::Battery),
        ("game-schedule", Hold::Schedule { opens_in: 700 }),
        ("game-turn", Hold::Turn { before: 2 }),
    ];
    let held = |hold| page(Facts { hold: Some(hold), ..installed("3.0.6", "3.1.4") });
    all.extend(holds.map(|(name, hold)| (name, held(hold))));
    all.extend(super::states::states());
    all.extend(super::art::stages());
    all
}

#[test]
fn no_two_have_one_name() {
    let names: std::collections::BTreeSet<_> = stages().iter().map(|(name, _)| *name).collect();
    assert_eq!(names.len(), stages().len());
    assert_eq!(GameKey(1), stages()[5].1.view.open.as_ref().unwrap().game.key);
}
