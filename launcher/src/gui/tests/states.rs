//! The rest of the screens' states: all that a button can say, what failed, what is at work, what is opened or scrolled to.

use super::stages::{ahead, all_listed, downloads, failed, progress, settings, told, told_of, versions};
use super::*;
use crate::engine::{Failure, Phase};
use crate::gui::view::{OwnStage, OwnView};
use crate::shell::deeds::{Asked as Adding, NewGame};
use crate::shell::library::PinnedRoot;
use crate::shell::preview::Asked;
use crate::shell::queue::Job;
use crate::shell::settings::Layout;
use crate::shell::versions::Listed;
use crate::shell::why::Why;

type Named = (&'static str, Stage);

/// One of each kind of error's card, by what its button does.
const CODES: [(&str, &str); 10] = [
    ("card-retry", "E-OFFLINE"),
    ("card-resume", "E-APPLY-INCOMPLETE"),
    ("card-chosen", "E-FOLDER-MISSING"),
    ("card-wait", "E-GAME-RUNNING"),
    ("card-repair", "E-DAMAGED"),
    ("card-adopt", "E-FOLDER-DAMAGED"),
    ("card-newer", "E-DOC-NEWER"),
    ("card-settings", "E-LISTEN"),
    ("card-again", "E-TRUST-ROOT"),
    ("card-refused", "E-TRUST-TAMPERED"),
];

/// All of them.
pub(super) fn states() -> Vec<Named> {
    let mut all = games();
    all.extend(work());
    all.extend(CODES.map(|(name, code)| (name, failed(code, installed("3.0.6", "3.1.4")))));
    all.extend(lists());
    all.extend(adds());
    all.extend(own());
    all
}

fn then(mut stage: Stage, steps: &[(Step, &'static str)]) -> Stage {
    stage.steps = steps.to_vec();
    stage
}

/// What the one button says when nothing is done with a game.
fn games() -> Vec<Named> {
    let here = || installed("3.1.4", "3.1.4");
    let program = || Some("freeciv-gtk4".to_owned());
    let mut kept = page(Facts { pinned: true, ..installed("3.0.6", "3.1.4") });
    let open = kept.view.open.as_mut().unwrap();
    (open.game.installed, open.game.pin) = (Some("3.0.6".into()), Some("3.0.6".into()));
    let mut left = page(Facts::default());
    left.view.open.as_mut().unwrap().left =
        vec!["mods/more-units.zip".into(), "saves/autumn.sav".into(), "settings.ini.mine-2026-11-22".into()];
    let mut removing = page(here());
    removing.state.removing = Some(GameKey(1));
    let mut long = told();
    long.view.open.as_mut().unwrap().game.name = LONG.into();
    vec![
        ("game-play", page(here())),
        ("game-damaged", page(Facts { damaged: true, ..here() })),
        ("game-resume", failed("E-SERVER-REFUSED", Facts::default())),
        ("game-no-network", page(Facts { offline: true, ..Facts::default() })),
        ("game-halted", page(Facts { halted: true, ..Facts::default() })),
        ("game-played", page(Facts { playing: program(), ..here() })),
        ("game-stays", kept),
        ("game-left", left),
        ("game-removing", then(removing, &[(Step::ScrollTo, "uninstall-yes")])),
        ("game-long-name", long),
        ("game-told-end", then(told(), &[(Step::ScrollTo, "does-uninstall")])),
    ]
}

/// What the one button says while something is done.
fn work() -> Vec<Named> {
    let at = |phase, facts: Facts| {
        let mut stage = page(Facts { phase: Some(phase), ..facts });
        let whole = matches!(phase, Phase::Checking | Phase::Scanning | Phase::Rebuilding);
        stage.view.open.as_mut().unwrap().progress = whole.then(|| progress(phase));
        stage
    };
    let old = || installed("3.0.6", "3.1.4");
    let waits = Facts { playing: Some("freeciv-gtk4".into()), ..old() };
    let mut whole = at(Phase::Downloading, old());
    whole.view.open.as_mut().unwrap().progress = Some(progress(Phase::Downloading));
    whole.view.downloads = downloads().view.downloads;
    vec![
        ("game-checking", at(Phase::Checking, old())),
        ("game-scanning", at(Phase::Scanning, old())),
        ("game-rebuilding", at(Phase::Rebuilding, old())),
        ("game-recovering", at(Phase::Recovering, old())),
        ("game-removed", at(Phase::Removing, old())),
        ("game-shared", at(Phase::Seeding, installed("3.1.4", "3.1.4"))),
        ("game-stopping", at(Phase::Downloading, Facts { stopping: true, ..old() })),
        ("game-waits-for-itself", at(Phase::Waiting, waits)),
        ("game-parts", whole),
    ]
}

/// Longer than any game's name that we know of.
pub(super) const LONG: &str =
    "The Adventures of Captain Longwinded and the Thousand Islands of the Western Sea: Anniversary Edition";

fn lists() -> Vec<Named> {
    let mut none = stage(library(&["Freeciv"]));
    none.view.found.clear();
    none.state.query = "xyz".into();
    let names = [
        "Freeciv", LONG, "Some", "Third", "Other", "Maple", "Birch", "Oak", LONG, "Elm", "Ash", "Fir", "Yew",
    ];
    let mut many = stage(library(&names));
    many.view.found[1].facts =
        Facts { hold: Some(crate::shell::Hold::Schedule { opens_in: 700 }), ..installed("1", "2") };
    many.view.found[2].facts = Facts { failure: Some("E-DISK-FULL"), ..installed("1", "2") };
    many.view.found[3].facts = Facts { phase: Some(Phase::Downloading), ..installed("1", "2") };
    let mut lines = stage(many.view.clone());
    lines.view.settings.layout = Layout::List;
    let mut noticed = stage(library(&["Freeciv", "Other"]));
    noticed.state.notice = Some(told_of("E-SELF-TAKEN-BACK"));
    let failed = Asked::Failed(told_of("E-OFFLINE"));
    let mut stopped = downloads();
    stopped.view.stopped = true;
    stopped.view.downloads[1].game.game.name = LONG.into();
    stopped.view.downloads[2].job = Job::Rollback;
    let mut pinned = versions(all_listed(), Some("3.0.5"));
    pinned.view.open.as_mut().unwrap().game.pin = Some("3.0.6".into());
    let opened = |stage| then(stage, &[(Step::Press, "card-details")]);
    let mut told_in_full = failed_in_full();
    told_in_full.view.open.as_mut().unwrap().game.name = LONG.into();
    vec![
        ("library-no-hit", none),
        ("library-many", many),
        ("library-lines", lines),
        ("library-notice", noticed),
        ("ahead-failed", ahead(Facts::default(), failed, 9_000_000_000)),
        ("downloads-stopped", stopped),
        ("downloads-why", why(Why::Cap { limit: 12_500_000 })),
        ("downloads-why-disk", why(Why::Disk)),
        ("downloads-failed", then(downloads(), &[(Step::ScrollTo, "card-copy")])),
        ("versions-pinned", pinned),
        ("versions-end", then(versions(all_listed(), Some("3.0.5")), &[(Step::ScrollTo, "version-kept")])),
        ("versions-none", versions(Listed::Failed(told_of("E-TRUST-NOT-FOUND")), Some("3.0.5"))),
        ("card-opened", opened(told_in_full)),
        ("settings-times", then(settings(), &[(Step::ScrollTo, "settings-auto-update")])),
        ("settings-look", then(settings(), &[(Step::ScrollTo, "settings-tray")])),
    ]
}

fn why(why: Why) -> Stage {
    let mut stage = downloads();
    stage.view.downloads[0].why = Some(why);
    then(stage, &[(Step::Press, "why-title"), (Step::ScrollTo, "why-title")])
}

/// An error with all that the engine said about it.
fn failed_in_full() -> Stage {
    let mut stage = failed("E-DISK-LOCKED", installed("3.0.6", "3.1.4"));
    let message = "data/maps/a-very-long-name-without-any-break-in-it-0123456789-0123456789-0123456789-0123456789-0123456789-0123456789-0123456789.map: is open in freeciv-server (process 4711)";
    stage.view.open.as_mut().unwrap().failure =
        Some(Failure { code: "E-DISK-LOCKED", message: message.into(), advice: "Close the program." });
    stage
}

/// By link or file: what was given, whose signatures would be believed, and what was wrong.
fn adds() -> Vec<Named> {
    let new = NewGame {
        repo: "https://games.example/".into(),
        game: "maple".into(),
        root_file: "/home/me/Downloads/root.json".into(),
    };
    let add = |root: Option<Result<PinnedRoot, Failure>>| {
        let mut stage = stage(library(&["Freeciv"]));
        stage.state.screen = Screen::Add;
        stage.state.new = new.clone();
        stage.view.asked = root.map(|root| Adding { new: new.clone(), root });
        stage
    };
    let root = PinnedRoot { file: "/roots/1.json".into(), sha256: "0a1b2c3d".repeat(8) };
    vec![
        ("add-filled", add(None)),
        ("add-confirm", add(Some(Ok(root)))),
        ("add-failed", add(Some(Err(told_of("E-TRUST-ROOT"))))),
    ]
}

/// The launcher's own updates, the last of the settings.
fn own() -> Vec<Named> {
    let own = |stage| {
        let mut settings = settings();
        settings.view.own = OwnView {
            release: "0.2.0".into(),
            has_source: true,
            before: Some("0.1.0".into()),
            stage,
            ..OwnView::default()
        };
        then(settings, &[(Step::ScrollTo, "own-title")])
    };
    vec![
        ("own-quiet", own(OwnStage::Quiet)),
        ("own-looking", own(OwnStage::Looking)),
        ("own-working", own(OwnStage::Working { done: 4_200_000, total: 9_000_000 })),
        ("own-newest", own(OwnStage::Newest)),
        ("own-offered", own(OwnStage::Offered("0.3.0".into()))),
        ("own-ready", own(OwnStage::Ready("0.3.0".into()))),
        ("own-not-started", own(OwnStage::Refused("0.3.0".into()))),
        ("own-failed", own(OwnStage::Failed(told_of("E-SELF-FAILED")))),
        ("own-none", then(settings(), &[(Step::ScrollTo, "own-title")])),
    ]
}
