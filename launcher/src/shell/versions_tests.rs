use std::sync::Arc;

use super::*;
use crate::engine::{
    ChannelView, Command, Event, Offer, Operation, Plan, ReleaseView, Select, StatusReport, Summary, TaskId,
};
use crate::error::LaunchError;
use crate::shell::deeds::Action;
use crate::shell::library::tests::game;
use crate::shell::preview::Aim;
use crate::shell::state::{Does, has_update};

const A: GameKey = GameKey(1);

fn desk(installed: Option<&str>) -> Desk {
    let mut desk = Desk::default();
    desk.world.online = true;
    desk.library.add(game("freeciv", "Freeciv")).unwrap();
    let game = desk.library.get_mut(A).unwrap();
    (game.installed, game.dir) = (installed.map(str::to_owned), Some("/games/freeciv".into()));
    desk.step();
    desk
}

fn list() -> ReleaseList {
    let release = |release: &str| ReleaseView { release: release.into(), ..ReleaseView::default() };
    let channel = |name: &str, release: &str, halted| ChannelView {
        name: name.into(),
        release: release.into(),
        halted,
    };
    ReleaseList {
        game: "freeciv".into(),
        releases: ["4", "3", "2", "1"].map(release).into(),
        channels: vec![
            channel("beta", "4", false),
            channel("old", "1", false),
            channel("stable", "3", false),
            channel("stopped", "4", true),
        ],
    }
}

fn starts(effects: &[Effect]) -> Vec<(TaskId, Operation)> {
    let started = effects.iter().filter_map(|effect| match effect {
        Effect::Engine(Command::Start { task, operation }) => Some((*task, (**operation).clone())),
        _ => None,
    });
    started.collect()
}

fn done(desk: &mut Desk, task: TaskId, outcome: Outcome) -> Vec<Effect> {
    desk.hear(&Event { task, what: Happened::Done { outcome: Box::new(outcome), lingers: false } })
}

fn installed(release: &str, sequence: u64) -> Outcome {
    Outcome::Installed(Summary { release: release.into(), sequence, ..Summary::default() })
}

#[test]
fn what_is_here_what_is_kept_and_what_channels_mean() {
    let desk = desk(Some("2"));
    let mut game = desk.library.get(A).unwrap().clone();
    game.pin = Some("2".into());
    let versions = Versions { listed: Listed::Known(list()), kept: Some("1".into()) };
    let told: Vec<_> = versions
        .rows(&game)
        .into_iter()
        .map(|row| (row.release, row.channels.join(" "), row.is_here, row.stays, row.is_kept))
        .collect();
    let row = |release: &str, channels: &str, is_here, stays, is_kept| {
        (release.to_owned(), channels.to_owned(), is_here, stays, is_kept)
    };
    assert_eq!(
        told,
        [
            row("4", "beta stopped", false, false, false),
            row("3", "stable", false, false, false),
            row("2", "", true, true, false),
            row("1", "old", false, false, true),
        ]
    );
    let means = |game: &Game| {
        versions.channels(game).into_iter().map(|row| (row.name, row.means)).collect::<Vec<_>>()
    };
    let all = |beta, old, stable, stopped| {
        [("beta", beta), ("old", old), ("stable", stable), ("stopped", stopped)]
            .map(|(name, means)| (name.to_owned(), means))
    };
    assert_eq!(means(&game), all(Means::Update, Means::Older, Means::Update, Means::Halted));
    game.installed = Some("3".into());
    assert_eq!(means(&game), all(Means::Update, Means::Older, Means::Same, Means::Halted));
    game.installed = Some("gone".into());
    assert_eq!(means(&game), all(Means::Update, Means::Update, Means::Update, Means::Halted));
    game.installed = None;
    assert_eq!(means(&game), all(Means::Install, Means::Install, Means::Install, Means::Install));
    // Without a repository: what is here, and what is kept.
    let alone = Versions { listed: Listed::Asking, kept: Some("1".into()) };
    game.installed = Some("2".into());
    let told: Vec<_> =
        alone.rows(&game).into_iter().map(|row| (row.release, row.is_here, row.is_kept)).collect();
    assert_eq!(told, [("2".to_owned(), true, false), ("1".to_owned(), false, true)]);
}

#[test]
fn the_repository_and_the_folder_are_asked_and_again_after_every_change() {
    let mut desk = desk(Some("2"));
    let started = starts(&desk.act(Action::Versions(A)));
    let [(status, Operation::Status { .. }), (listing, Operation::Releases(_))] = &started[..] else {
        panic!("{started:?}")
    };
    // One memory serves both: what is new is asked afterwards.
    assert!(starts(&desk.look_around()).is_empty());
    let report = StatusReport { previous: Some("1".into()), ..StatusReport::default() };
    done(&mut desk, *status, Outcome::Status(report));
    let next = starts(&done(&mut desk, *listing, Outcome::Listed(list())));
    assert!(matches!(&next[..], [(_, Operation::Look(_))]), "{next:?}");
    let versions = desk.versions(A).unwrap();
    assert_eq!((versions.kept.as_deref(), &versions.listed), (Some("1"), &Listed::Known(list())));
    let [(task, Operation::Rollback { .. })] = &starts(&desk.act(Action::Press(A, Does::Rollback)))[..]
    else {
        panic!()
    };
    let asked = starts(&done(&mut desk, *task, installed("1", 1)));
    assert!(matches!(&asked[..], [(_, Operation::Status { .. })]), "{asked:?}");
}

#[test]
fn a_repository_that_is_away_is_asked_again_when_told() {
    let mut desk = desk(None);
    let [(task, Operation::Releases(_))] = &starts(&desk.act(Action::Versions(A)))[..] else { panic!() };
    let error = LaunchError::Offline { url: "http://h/".to_owned(), cause: "no".to_owned() };
    desk.hear(&Event { task: *task, what: Happened::Failed(Arc::new(error)) });
    let Listed::Failed(failure) = &desk.versions(A).unwrap().listed else { panic!() };
    assert_eq!(failure.code, "E-OFFLINE");
    assert_eq!(starts(&desk.act(Action::Versions(A))).len(), 1);
    assert_eq!(desk.versions(A).unwrap().listed, Listed::Asking);
}

#[test]
fn a_release_is_taken_and_stays() {
    let mut desk = desk(Some("3"));
    desk.library.get_mut(A).unwrap().offered = Some("4".into());
    let told = starts(&desk.act(Action::Preview(A, Aim::Release("1".into()))));
    let [(plan, Operation::Plan(Plan::Update(update)))] = &told[..] else { panic!("{told:?}") };
    assert_eq!(update.select, Some(Select::Release("1".into())));
    assert_eq!(desk.library.get(A).unwrap().pin, None, "a look binds nobody");
    desk.act(Action::Take(A, "1".into()));
    let told = starts(&desk.hear(&Event { task: *plan, what: Happened::Paused }));
    let [(task, Operation::Update(update))] = &told[..] else { panic!("{told:?}") };
    assert_eq!(update.select, Some(Select::Release("1".into())));
    done(&mut desk, *task, installed("1", 1));
    let view = desk.game(A, &crate::engine::Snapshot::default()).unwrap();
    assert_eq!((view.game.offered.as_deref(), view.game.pin.as_deref()), (Some("4"), Some("1")));
    assert!(!has_update(&view.facts));
    desk.act(Action::Pin(A, false));
    assert!(has_update(&desk.game(A, &crate::engine::Snapshot::default()).unwrap().facts));
}

#[test]
fn a_release_that_is_not_fetched_after_all_binds_nobody() {
    let mut desk = desk(Some("3"));
    desk.act(Action::Take(A, "1".into()));
    desk.act(Action::Cancel(A));
    assert_eq!(desk.library.get(A).unwrap().pin, None);
    desk.act(Action::Pin(A, true));
    desk.act(Action::Dismiss(A));
    desk.act(Action::Cancel(A));
    assert_eq!(desk.library.get(A).unwrap().pin.as_deref(), Some("3"), "it is here");
}

#[test]
fn going_back_is_looked_at_first_and_a_player_who_stays_stays_there() {
    let mut desk = desk(Some("3"));
    desk.act(Action::Pin(A, true));
    let told = starts(&desk.act(Action::Preview(A, Aim::Back)));
    let [(plan, Operation::Plan(Plan::Rollback { .. }))] = &told[..] else { panic!("{told:?}") };
    // Another question takes the place of the first.
    desk.act(Action::Preview(A, Aim::Newest));
    let told = starts(&desk.hear(&Event { task: *plan, what: Happened::Paused }));
    let [(plan, Operation::Plan(Plan::Update(_)))] = &told[..] else { panic!("{told:?}") };
    desk.act(Action::Press(A, Does::Rollback));
    let told = starts(&desk.hear(&Event { task: *plan, what: Happened::Paused }));
    let [(task, Operation::Rollback { .. })] = &told[..] else { panic!("{told:?}") };
    done(&mut desk, *task, installed("2", 2));
    assert_eq!(desk.library.get(A).unwrap().pin.as_deref(), Some("2"));
}

#[test]
fn another_channel_is_asked_at_once_and_takes_nobody_back() {
    let mut desk = desk(Some("3"));
    (desk.library.get_mut(A).unwrap().sequence, desk.library.get_mut(A).unwrap().offered) =
        (Some(3), Some("4".into()));
    let told = starts(&desk.act(Action::Channel(A, "old".into())));
    let [(task, Operation::Look(look))] = &told[..] else { panic!("{told:?}") };
    assert_eq!((&look.select, look.installed), (&Select::Channel("old".into()), Some(3)));
    assert_eq!(desk.library.get(A).unwrap().offered, None);
    let offer = Offer { release: "1".into(), older: true, ..Offer::default() };
    done(&mut desk, *task, Outcome::Looked(offer));
    assert_eq!(desk.library.get(A).unwrap().offered, None);
    assert!(desk.offer(A).is_none());
    assert!(starts(&desk.act(Action::Channel(A, "old".into()))).is_empty(), "it follows that one");
    let [(_, Operation::Update(update))] = &starts(&desk.act(Action::Press(A, Does::Update)))[..] else {
        panic!()
    };
    assert_eq!(update.select, Some(Select::Channel("old".into())));
}
