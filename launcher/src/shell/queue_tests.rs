use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::shell::settings::{Limits, Window};

const A: GameKey = GameKey(1);
const B: GameKey = GameKey(2);
const C: GameKey = GameKey(3);

fn world() -> World {
    World { online: true, in_front: true, minute: 12 * 60, ..World::default() }
}

fn queue() -> Queue {
    let mut queue = Queue::default();
    queue.add(A, Job::Update);
    queue.add(B, Job::Install);
    queue.add(C, Job::Repair);
    queue
}

/// What is done now, as `+game` for a start and `-task` for a pause.
fn step(queue: &mut Queue, world: &World, settings: &Settings) -> String {
    let told = queue.step(world, settings).into_iter().map(|effect| match effect {
        Effect::Start { task, game, .. } => format!("+{}as{}", game.0, task.0),
        Effect::Pause { task } => format!("-{}", task.0),
    });
    told.collect::<Vec<_>>().join(" ")
}

#[test]
fn one_after_the_other() {
    let (mut queue, world, settings) = (queue(), world(), Settings::default());
    assert_eq!(step(&mut queue, &world, &settings), "+1as1");
    assert_eq!(step(&mut queue, &world, &settings), "", "what runs goes on");
    assert_eq!(queue.hold(C, &world, &settings), Some(Hold::Turn { before: 2 }));
    queue.ended(TaskId(1), Ended::Done);
    assert_eq!(step(&mut queue, &world, &settings), "+2as2");
    queue.ended(TaskId(2), Ended::Failed);
    assert_eq!(step(&mut queue, &world, &settings), "+3as3", "a failure does not stop the others");
    assert_eq!(queue.hold(B, &world, &settings), Some(Hold::Failed));
    queue.ended(TaskId(3), Ended::Done);
    queue.add(B, Job::Install);
    assert_eq!(step(&mut queue, &world, &settings), "+2as4", "tried again");
}

#[test]
fn a_paused_one_lets_the_next_begin_once_it_has_stopped() {
    let (mut queue, world, settings) = (queue(), world(), Settings::default());
    step(&mut queue, &world, &settings);
    queue.set_paused(A, true);
    assert_eq!(step(&mut queue, &world, &settings), "-1");
    assert!(queue.of(A).unwrap().is_stopping());
    assert_eq!(step(&mut queue, &world, &settings), "", "it is asked once");
    // Asked to go on before it has stopped: it stops first, then goes on.
    queue.set_paused(A, false);
    assert_eq!(step(&mut queue, &world, &settings), "");
    queue.ended(TaskId(1), Ended::Paused);
    assert_eq!(step(&mut queue, &world, &settings), "+1as2");
}

#[test]
fn the_first_one_runs() {
    let (mut queue, world, settings) = (queue(), world(), Settings::default());
    step(&mut queue, &world, &settings);
    queue.move_to(C, 0);
    assert_eq!(step(&mut queue, &world, &settings), "-1");
    queue.ended(TaskId(1), Ended::Paused);
    assert_eq!(step(&mut queue, &world, &settings), "+3as2");
    queue.move_to(C, 99);
    let order: Vec<u64> = queue.items().iter().map(|item| item.game.0).collect();
    assert_eq!(order, [1, 2, 3]);
}

#[test]
fn a_removed_one_goes_when_the_engine_lets_go() {
    let (mut queue, world, settings) = (queue(), world(), Settings::default());
    step(&mut queue, &world, &settings);
    queue.remove(B);
    assert!(queue.of(B).is_none());
    queue.remove(A);
    assert_eq!(step(&mut queue, &world, &settings), "-1");
    assert!(queue.of(A).is_some());
    queue.ended(TaskId(1), Ended::Paused);
    assert!(queue.of(A).is_none());
    assert_eq!(step(&mut queue, &world, &settings), "+3as2");
}

#[test]
fn rules_hold_and_now_goes_over_them() {
    let night = Settings { schedule: Some(Window { from: 60, to: 120 }), ..Settings::default() };
    let careful = Settings { on_battery: Rule::Pause, ..Settings::default() };
    let careless = Settings { on_metered: Rule::GoOn, while_playing: Rule::GoOn, ..Settings::default() };
    let plain = Settings::default();
    let metered = World { metered: true, ..world() };
    let battery = World { on_battery: true, ..world() };
    let offline = World { online: false, ..world() };
    let plays = |game| World { playing: BTreeSet::from([game]), ..world() };
    for (world, settings, hold, waived) in [
        (world(), &plain, None, None),
        (world(), &night, Some(Hold::Schedule { opens_in: 13 * 60 }), None),
        (metered.clone(), &plain, Some(Hold::Metered), None),
        (metered, &careless, None, None),
        (battery.clone(), &plain, None, None),
        (battery, &careful, Some(Hold::Battery), None),
        (offline, &careless, Some(Hold::Offline), Some(Hold::Offline)),
        (plays(B), &plain, Some(Hold::Playing), None),
        (plays(B), &careless, None, None),
        (plays(A), &careless, Some(Hold::GameRuns), Some(Hold::GameRuns)),
    ] {
        let mut queue = queue();
        assert_eq!(queue.hold(A, &world, settings), hold, "{world:?}");
        assert_eq!(
            queue.step(&world, settings).is_empty(),
            hold.is_some() && !matches!(hold, Some(Hold::GameRuns))
        );
        let mut queue = self::queue();
        queue.start_now(A);
        assert_eq!(queue.hold(A, &world, settings), waived, "{world:?}");
    }
}

#[test]
fn the_schedule_stops_and_starts_what_runs() {
    let settings = Settings { schedule: Some(Window { from: 60, to: 120 }), ..Settings::default() };
    let at = |minute| World { minute, ..world() };
    let mut queue = queue();
    assert_eq!(queue.wake_in(&at(0), &settings), Some(60));
    assert_eq!(step(&mut queue, &at(60), &settings), "+1as1");
    assert_eq!(step(&mut queue, &at(119), &settings), "");
    assert_eq!(step(&mut queue, &at(120), &settings), "-1");
    queue.ended(TaskId(1), Ended::Paused);
    assert_eq!(step(&mut queue, &at(121), &settings), "");
    assert_eq!(step(&mut queue, &at(60), &settings), "+1as2");
}

#[test]
fn uploads_need_consent_and_stop_while_a_game_runs() {
    let limits = Limits {
        download: Some(100),
        upload: Some(50),
        background_download: Some(80),
        background_upload: Some(40),
        playing_download: Some(10),
    };
    let yes = Settings { sharing: Consent::Yes, limits, ..Settings::default() };
    let no = Settings { sharing: Consent::No, ..yes.clone() };
    let free = Settings { limits: Limits::default(), ..yes.clone() };
    let behind = World { in_front: false, ..world() };
    let metered = World { metered: true, ..world() };
    let playing = World { playing: BTreeSet::from([C]), ..world() };
    for (world, settings, download, upload) in [
        (world(), &yes, Some(100), Some(50)),
        (behind.clone(), &yes, Some(80), Some(40)),
        (playing.clone(), &yes, Some(10), Some(0)),
        (metered, &yes, Some(100), Some(0)),
        (behind, &no, Some(80), Some(0)),
        (world(), &free, None, None),
        (playing, &free, None, Some(0)),
        (world(), &Settings::default(), None, Some(0)),
    ] {
        assert_eq!(Queue::default().rates(&world, settings), Rates { download, upload }, "{world:?}");
    }
}

#[test]
fn after_a_restart_all_of_it_waits_again() {
    let (mut queue, world, settings) = (queue(), world(), Settings::default());
    step(&mut queue, &world, &settings);
    queue.set_paused(B, true);
    let mut read = Queue::decode(&queue.encode().unwrap()).unwrap().naming_from(100);
    assert!(read.of(A).unwrap().task().is_none());
    assert_eq!(read.hold(B, &world, &settings), Some(Hold::Paused));
    assert_eq!(step(&mut read, &world, &settings), "+1as100");
}

#[test]
fn a_game_waits_once_whatever_the_record_says() {
    let item = r#"{"game":1,"job":"update"}"#;
    let text = format!(r#"{{"version":1,"items":[{item},{item}]}}"#);
    assert_eq!(Queue::decode(text.as_bytes()).unwrap().items().len(), 1);
}

proptest! {
    /// Whatever is done in whatever order: one task at a time, each started once, paused at most once, and when all is
    /// allowed the queue runs dry.
    #[test]
    fn one_at_a_time_and_none_forgotten(acts in proptest::collection::vec((0u8..9, 0u64..4, 0usize..5), 0..200)) {
        let settings = Settings::default();
        let mut world = world();
        let mut queue = Queue::default();
        let mut running: BTreeMap<u64, bool> = BTreeMap::new();
        let mut begun = 0;
        for (act, game, place) in acts {
            let key = GameKey(game);
            match act {
                0 => queue.add(key, Job::Update),
                1 => queue.set_paused(key, true),
                2 => queue.set_paused(key, false),
                3 => queue.move_to(key, place),
                4 => queue.remove(key),
                5 => queue.start_now(key),
                6 => world.online = !world.online,
                7 => queue.set_stopped(place % 2 == 0),
                _ => {
                    if let Some((task, asked)) = running.pop_first() {
                        queue.ended(TaskId(task), if asked { Ended::Paused } else { Ended::Done });
                    }
                }
            }
            for effect in queue.step(&world, &settings) {
                match effect {
                    Effect::Start { task, .. } => {
                        prop_assert!(running.is_empty());
                        prop_assert!(task.0 > begun);
                        begun = task.0;
                        running.insert(task.0, false);
                    }
                    Effect::Pause { task } => {
                        prop_assert_eq!(running.insert(task.0, true), Some(false));
                    }
                }
            }
        }
        world.online = true;
        queue.set_stopped(false);
        for game in 0..4 {
            queue.set_paused(GameKey(game), false);
        }
        for _ in 0..20 {
            while let Some((task, asked)) = running.pop_first() {
                queue.ended(TaskId(task), if asked { Ended::Paused } else { Ended::Done });
            }
            for effect in queue.step(&world, &settings) {
                if let Effect::Start { task, .. } = effect {
                    running.insert(task.0, false);
                }
            }
        }
        prop_assert!(queue.items().is_empty());
    }
}
