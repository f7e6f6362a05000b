use std::sync::Arc;

use manifests::trust::Signers;

use super::*;
use crate::engine::{Offer, Phase, Snapshot, Summary, TaskId, TaskView, UninstallReport};
use crate::error::LaunchError;
use crate::shell::deeds::NewGame;
use crate::shell::library::PinnedRoot;
use crate::shell::library::tests::game;
use crate::shell::state::{Button, Wait, button};

const A: GameKey = GameKey(1);

fn desk() -> Desk {
    let mut desk = Desk::new(Library::default(), Settings::default(), Queue::default(), "/games".into());
    desk.world.online = true;
    desk.library.add(game("freeciv", "Freeciv")).unwrap();
    desk.library.add(game("other", "Other")).unwrap();
    // What the engine is told first.
    desk.step();
    desk
}

/// The same with a game that is installed, and shared.
fn sharing() -> (Desk, TaskId) {
    let mut desk = desk();
    desk.settings.sharing = Consent::Yes;
    let game = desk.library.get_mut(A).unwrap();
    (game.installed, game.dir) = (Some("3.0.6".to_owned()), Some("/games/freeciv".into()));
    let started = starts(&desk.step());
    let [(task, Operation::Seed(seed))] = &started[..] else { panic!("{started:?}") };
    assert_eq!(seed.dir, PathBuf::from("/games/freeciv"));
    (desk, *task)
}

#[test]
fn what_came_with_the_launcher_is_there_after_the_first_answer() {
    let games = ["freeciv", "birch"].map(str::to_owned).to_vec();
    let known = game("freeciv", "Freeciv");
    let brought = || Brought { repo: known.repo.clone(), root: known.root.clone(), games: games.clone() };
    let mut desk = desk();
    desk.bring(brought());
    assert_eq!(desk.brought(), Some(&brought()));
    assert_eq!(desk.library.games().len(), 2, "nothing before he has answered");
    let effects = desk.act(Action::Consent(false));
    assert!(matches!(effects[..], [Effect::SaveLibrary, Effect::SaveSettings, ..]), "{effects:?}");
    let ids: Vec<&str> = desk.library.games().iter().map(|game| game.id.as_str()).collect();
    assert_eq!(ids, ["freeciv", "other", "birch"], "what was there is not there twice");
    // Who has removed one does not get it back.
    desk.bring(brought());
    assert_eq!(desk.brought(), None);
    assert!(!matches!(desk.act(Action::Consent(true))[..], [Effect::SaveLibrary, ..]));
}

fn pauses(effects: &[Effect]) -> Vec<TaskId> {
    let paused = effects.iter().filter_map(|effect| match effect {
        Effect::Engine(Command::Pause { task }) => Some(*task),
        _ => None,
    });
    paused.collect()
}

fn plays(dir: &str) -> Playing {
    Playing { dir: dir.into(), pid: 7, program: "civ".to_owned() }
}

fn starts(effects: &[Effect]) -> Vec<(TaskId, Operation)> {
    let started = effects.iter().filter_map(|effect| match effect {
        Effect::Engine(Command::Start { task, operation }) => Some((*task, (**operation).clone())),
        _ => None,
    });
    started.collect()
}

fn shown(desk: &Desk, snapshot: &Snapshot) -> Button {
    button(&desk.game(A, snapshot).unwrap().facts)
}

#[test]
fn from_install_to_play() {
    let mut desk = desk();
    let mut snapshot = Snapshot::default();
    assert_eq!(shown(&desk, &snapshot), Button::Press(Does::Install));
    let started = starts(&desk.act(Action::Press(A, Does::Install)));
    let [(task, Operation::Install(install))] = &started[..] else { panic!("{started:?}") };
    assert_eq!((install.dir.as_path(), install.game.as_str()), ("/games/freeciv".as_ref(), "freeciv"));
    assert_eq!(shown(&desk, &snapshot), Button::Press(Does::Pause), "before the first snapshot");

    let mut view = TaskView::waiting(*task, install.dir.clone(), None);
    (view.phase, view.done_bytes, view.total_bytes, view.download_rate) = (Phase::Downloading, 5, 10, 3);
    snapshot.tasks.push(view);
    let progress = desk.game(A, &snapshot).unwrap().progress.unwrap();
    assert_eq!((progress.done_bytes, progress.total_bytes, progress.rate), (5, 10, 3));

    desk.act(Action::Press(A, Does::Pause));
    desk.hear(&Event { task: *task, what: Happened::Paused });
    assert_eq!(shown(&desk, &snapshot), Button::Press(Does::Resume));
    let started = starts(&desk.act(Action::Press(A, Does::Resume)));
    let [(task, Operation::Install(_))] = &started[..] else { panic!("{started:?}") };
    let summary = Summary { release: "3.0.6".to_owned(), ..Summary::default() };
    let outcome = Box::new(Outcome::Installed(summary));
    let effects = desk.hear(&Event { task: *task, what: Happened::Done { outcome, lingers: false } });
    assert!(effects.iter().any(|effect| matches!(effect, Effect::SaveLibrary)));
    assert_eq!(shown(&desk, &snapshot), Button::Press(Does::Play));
    desk.library.get_mut(A).unwrap().offered = Some("3.1.4".to_owned());
    assert_eq!(shown(&desk, &snapshot), Button::Press(Does::Update));
}

#[test]
fn an_error_is_shown_until_it_is_tried_again_or_put_away() {
    let mut desk = desk();
    let snapshot = Snapshot::default();
    let fail = |desk: &mut Desk, task| {
        let error = LaunchError::NoSources { cause: "peers, web".to_owned() };
        desk.hear(&Event { task, what: Happened::Failed(Arc::new(error)) })
    };
    let task = starts(&desk.act(Action::Press(A, Does::Install)))[0].0;
    fail(&mut desk, task);
    assert_eq!(desk.game(A, &snapshot).unwrap().failure.unwrap().code, "E-NO-SOURCES");
    assert_eq!(shown(&desk, &snapshot), Button::Press(Does::Resume));
    let task = starts(&desk.act(Action::Press(A, Does::Resume)))[0].0;
    assert!(desk.game(A, &snapshot).unwrap().failure.is_none());
    fail(&mut desk, task);
    desk.act(Action::Dismiss(A));
    assert!(desk.game(A, &snapshot).unwrap().failure.is_none());
    assert_eq!(shown(&desk, &snapshot), Button::Press(Does::Install));
}

#[test]
fn a_game_that_begins_stops_the_others_downloads() {
    let mut desk = desk();
    let task = starts(&desk.act(Action::Press(A, Does::Install)))[0].0;
    desk.library.get_mut(GameKey(2)).unwrap().dir = Some("/other".into());
    assert_eq!(pauses(&desk.see(&[plays("/other")])), [task]);
    assert!(desk.see(&[plays("/other")]).is_empty(), "nothing new");
    desk.hear(&Event { task, what: Happened::Paused });
    assert_eq!(starts(&desk.see(&[])).len(), 1);
}

#[test]
fn a_game_is_shared_until_the_queue_wants_it() {
    let (mut desk, seeding) = sharing();
    let effects = desk.act(Action::Press(A, Does::Repair));
    assert_eq!(pauses(&effects), [seeding]);
    assert!(starts(&effects).is_empty(), "its folder is not free yet");
    let outcome = Box::new(Outcome::Seeded { uploaded_bytes: 0 });
    let started =
        starts(&desk.hear(&Event { task: seeding, what: Happened::Done { outcome, lingers: false } }));
    let [(task, Operation::Verify(_))] = &started[..] else { panic!("{started:?}") };
    let outcome = Box::new(Outcome::Verified(Default::default()));
    let effects = desk.hear(&Event { task: *task, what: Happened::Done { outcome, lingers: false } });
    assert!(matches!(&starts(&effects)[..], [(_, Operation::Seed(_))]), "and shared again");
}

#[test]
fn what_waits_for_the_end_of_sharing_can_be_paused() {
    let (mut desk, seeding) = sharing();
    desk.act(Action::Press(A, Does::Repair));
    let effects = desk.act(Action::Press(A, Does::Pause));
    assert!(pauses(&effects).is_empty(), "the engine does not know of it");
    assert_eq!(shown(&desk, &Snapshot::default()), Button::Press(Does::Resume));
    assert!(starts(&desk.hear(&Event { task: seeding, what: Happened::Ended })).is_empty());
    assert_eq!(starts(&desk.act(Action::Press(A, Does::Resume))).len(), 1);
}

#[test]
fn what_cannot_be_shared_is_not_tried_again_and_again() {
    let (mut desk, seeding) = sharing();
    let error = Arc::new(LaunchError::internal("no"));
    let effects = desk.hear(&Event { task: seeding, what: Happened::Failed(error) });
    assert!(starts(&effects).is_empty());
    assert!(starts(&desk.step()).is_empty());
    assert!(desk.game(A, &Snapshot::default()).unwrap().failure.is_none(), "nobody asked for it");
}

#[test]
fn while_a_game_runs_nothing_is_sent() {
    let (mut desk, _) = sharing();
    let effects = desk.see(&[plays("/games/freeciv")]);
    let [Effect::Engine(Command::Limits(rates))] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!(rates.upload, Some(0));
    assert_eq!(shown(&desk, &Snapshot::default()), Button::Waiting(Wait::Game("civ".to_owned()), None));
    let effects = desk.see(&[]);
    assert!(matches!(&effects[..], [Effect::Engine(Command::Limits(Rates { upload: None, .. }))]));
}

#[test]
fn a_start_that_fails_says_so_and_no_network_does_not() {
    let (mut desk, _) = sharing();
    let started = starts(&desk.act(Action::Press(A, Does::Play)));
    let [(task, Operation::Play { .. })] = &started[..] else { panic!("{started:?}") };
    assert!(starts(&desk.act(Action::Press(A, Does::Play))).is_empty(), "once is enough");
    let error = Arc::new(LaunchError::Launch { cause: "gone".to_owned() });
    desk.hear(&Event { task: *task, what: Happened::Failed(error) });
    assert_eq!(desk.game(A, &Snapshot::default()).unwrap().failure.unwrap().code, "E-LAUNCH");
    desk.act(Action::Dismiss(A));

    let started = starts(&desk.look_around());
    let [(task, Operation::Look(_))] = &started[..] else { panic!("one after the other: {started:?}") };
    let error = LaunchError::Offline { url: "http://h/".to_owned(), cause: "no".to_owned() };
    let effects = desk.hear(&Event { task: *task, what: Happened::Failed(Arc::new(error)) });
    let view = desk.game(A, &Snapshot::default()).unwrap();
    assert!(view.failure.is_none() && view.facts.offline);
    let [(task, Operation::Look(look))] = &starts(&effects)[..] else { panic!("{effects:?}") };
    assert_eq!((look.game.as_str(), look.memory.as_path()), ("other", "/trust".as_ref()));
    let signers = Signers { keys: vec!["5a".repeat(32)], threshold: 1, root_version: 3 };
    let offer = Offer { release: "9".to_owned(), halted: true, signers, ..Offer::default() };
    let outcome = Box::new(Outcome::Looked(offer));
    desk.hear(&Event { task: *task, what: Happened::Done { outcome, lingers: false } });
    let other = desk.game(GameKey(2), &Snapshot::default()).unwrap();
    assert_eq!((other.game.offered.as_deref(), other.facts.halted), (Some("9"), true));
    assert_eq!(other.game.signed.map(|signed| (signed.needed, signed.root)), Some((1, 3)));
}

#[test]
fn going_back_leaves_the_newer_release_on_offer_and_removing_names_what_is_left() {
    let (mut desk, seeding) = sharing();
    desk.library.get_mut(A).unwrap().offered = Some("3.1.4".to_owned());
    desk.queue.set_stopped(true);
    desk.act(Action::Press(A, Does::Rollback));
    let started = starts(&desk.hear(&Event { task: seeding, what: Happened::Ended }));
    let [(task, Operation::Rollback { .. })] = &started[..] else { panic!("{started:?}") };
    let outcome = Box::new(Outcome::Installed(Summary { release: "3.0.5".to_owned(), ..Summary::default() }));
    let effects = desk.hear(&Event { task: *task, what: Happened::Done { outcome, lingers: false } });
    let game = desk.library.get(A).unwrap();
    assert_eq!((game.installed.as_deref(), game.offered.as_deref()), (Some("3.0.5"), Some("3.1.4")));

    let [(seeding, Operation::Seed(_))] = &starts(&effects)[..] else { panic!("{effects:?}") };
    desk.act(Action::Press(A, Does::Uninstall));
    let started = starts(&desk.hear(&Event { task: *seeding, what: Happened::Ended }));
    let [(task, Operation::Uninstall { .. })] = &started[..] else { panic!("{started:?}") };
    let report = UninstallReport { removed: 3, left: vec!["saves".to_owned()], folder_removed: false };
    let outcome = Box::new(Outcome::Uninstalled(report));
    desk.hear(&Event { task: *task, what: Happened::Done { outcome, lingers: false } });
    let view = desk.game(A, &Snapshot::default()).unwrap();
    assert_eq!((view.left, view.game.installed), (vec!["saves".to_owned()], None));
}

#[test]
fn a_link_leads_to_a_fingerprint_and_believes_nothing() {
    let mut desk = desk();
    let open = |desk: &mut Desk, link: &str| {
        let started = starts(&desk.open(link));
        let [(task, Operation::Root { repo })] = &started[..] else { panic!("{started:?}") };
        assert_eq!(repo, "https://h/");
        *task
    };
    let shows = |task, bytes: &[u8]| {
        let outcome = Box::new(Outcome::Root(bytes.to_vec()));
        Event { task, what: Happened::Done { outcome, lingers: false } }
    };
    let task = open(&mut desk, "samara://add?repo=https://h/&game=maple");
    let effects = desk.hear(&shows(task, b"{}"));
    let kept = effects.iter().find_map(|effect| match effect {
        Effect::Keep(new, bytes) => Some((new.game.clone(), bytes.clone())),
        _ => None,
    });
    assert_eq!(kept, Some(("maple".to_owned(), b"{}".to_vec())));
    assert!(desk.asked().is_none() && desk.library.games().len() == 2, "the player has not seen it yet");
    // Another root than the link names is not even shown.
    let other = format!("samara://add?repo=https://h/&game=maple&root={}", "ab".repeat(32));
    let task = open(&mut desk, &other);
    let effects = desk.hear(&shows(task, b"{}"));
    assert!(!effects.iter().any(|effect| matches!(effect, Effect::Keep(..))));
    assert_eq!(desk.asked().unwrap().root.as_ref().unwrap_err().code, "E-TRUST-ROOT");
    assert!(desk.open("samara://x").is_empty());
    assert_eq!(desk.asked().unwrap().root.as_ref().unwrap_err().code, "E-USAGE");
}

#[test]
fn a_game_is_added_once_its_root_was_shown() {
    let mut desk = desk();
    let new = NewGame { repo: "https://new.example/".into(), game: "new".into(), root_file: "r".into() };
    let saves = |effects: Vec<Effect>| effects.iter().any(|effect| matches!(effect, Effect::SaveLibrary));
    assert!(!saves(desk.act(Action::Add)), "nothing was asked");
    let effects = desk.act(Action::Ask(new.clone()));
    assert!(matches!(&effects[..], [Effect::Pin(asked)] if *asked == new));
    let root = |sha: &str| PinnedRoot { file: "r".into(), sha256: sha.repeat(32) };
    desk.pinned(new.clone(), Ok(root("ab")));
    let effects = desk.act(Action::Add);
    assert!(
        matches!(&starts(&effects)[..], [(_, Operation::Look(_))]),
        "what it has to offer is asked at once"
    );
    assert!(saves(effects));
    assert_eq!(desk.library.games().len(), 3);
    // The same address with another root: it is refused, and said.
    desk.pinned(NewGame { game: "second".into(), ..new }, Ok(root("cd")));
    assert!(!saves(desk.act(Action::Add)));
    assert_eq!(desk.asked().unwrap().root.as_ref().unwrap_err().code, "E-TRUST-ROOT");
    assert_eq!(desk.library.games().len(), 3);
}

#[test]
fn the_launcher_is_no_game() {
    let mut desk = desk();
    desk.own_game = Some("samara-launcher".into());
    let root = PinnedRoot { file: "r".into(), sha256: "ab".repeat(32) };
    for (game, is_refused) in [("samara-launcher", true), (" samara-launcher ", true), ("samara", false)] {
        let new = NewGame { repo: "https://new.example/".into(), game: game.into(), root_file: "r".into() };
        desk.pinned(new, Ok(root.clone()));
        let refused = desk.asked().unwrap().root.as_ref().err().map(|failure| failure.code);
        assert_eq!(refused, is_refused.then_some("E-SELF-NO-GAME"), "{game:?}");
    }
}

#[test]
fn without_consent_nothing_is_sent() {
    for (sharing, peers) in [(Consent::NotAsked, false), (Consent::No, false), (Consent::Yes, true)] {
        let mut desk = desk();
        desk.settings.sharing = sharing;
        let started = starts(&desk.act(Action::Press(A, Does::Install)));
        let [(_, Operation::Install(install))] = &started[..] else { panic!("{started:?}") };
        assert_eq!(install.sources, Sources { peers, web: true }, "{sharing:?}");
    }
}

#[test]
fn a_game_that_was_forgotten_leaves_the_queue() {
    let mut desk = desk();
    desk.library.remove(A);
    assert!(starts(&desk.act(Action::Press(A, Does::Install))).is_empty());
    assert!(desk.queue.items().is_empty());
}

#[test]
fn what_another_operation_tells_is_not_ours() {
    let mut desk = desk();
    assert!(desk.hear(&Event { task: TaskId(99), what: Happened::Paused }).is_empty());
}

#[test]
fn a_download_that_is_cancelled_is_stopped_once_and_gone_when_it_has_stopped() {
    let mut desk = desk();
    let task = starts(&desk.act(Action::Press(A, Does::Install)))[0].0;
    let effects = desk.act(Action::Cancel(A));
    let stops = |effect: &&Effect| matches!(effect, Effect::Engine(Command::Pause { task: paused }) if *paused == task);
    assert_eq!(effects.iter().filter(stops).count(), 1);
    assert_eq!(desk.queue.items().len(), 1, "the engine has it still");
    desk.hear(&Event { task, what: Happened::Paused });
    assert!(desk.queue.items().is_empty());
}

#[test]
fn the_queue_is_put_in_another_order_and_stopped() {
    let mut desk = desk();
    let first = starts(&desk.act(Action::Press(A, Does::Install)))[0].0;
    desk.act(Action::Press(GameKey(2), Does::Install));
    let effects = desk.act(Action::MoveTo(GameKey(2), 0));
    assert!(
        effects
            .iter()
            .any(|effect| matches!(effect, Effect::Engine(Command::Pause { task }) if *task == first))
    );
    assert!(starts(&desk.act(Action::StopAll(true))).is_empty());
    desk.hear(&Event { task: first, what: Happened::Paused });
    let started = starts(&desk.act(Action::StopAll(false)));
    assert_eq!(started[0].1.dir(), std::path::Path::new("/games/other"));
}

#[test]
fn settings_are_brought_into_range() {
    let mut desk = desk();
    let wild = Settings { zoom_percent: 9999, ..Settings::default() };
    assert!(matches!(desk.act(Action::Set(Box::new(wild)))[..], [Effect::SaveSettings, ..]));
    assert_eq!(desk.settings.zoom_percent, 250);
}
