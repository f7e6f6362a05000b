use proptest::prelude::*;

use super::*;

fn build(slot: Slot, release: &str) -> Build {
    Build { slot, release: release.to_owned(), program: "launcher".to_owned() }
}

#[test]
fn versions_in_order() {
    let ordered = [
        "",
        "x",
        "0",
        "0.0.9",
        "0.1-rc1",
        "0.1-rc1.2",
        "0.1-rc2",
        "0.1",
        "0.1.0.1",
        "0.2-1",
        "0.2",
        "0.10",
        "1",
        "1.0.1",
        "1.1",
        "2.0-rc",
        "2.0",
        "2026.11.22",
        "99999999999999999999999999",
    ];
    for (at, one) in ordered.iter().enumerate() {
        for (other_at, other) in ordered.iter().enumerate() {
            assert_eq!(is_newer(one, other), at > other_at, "{one} and {other}");
        }
    }
    for (one, other) in [("1", "1.0"), ("1.0+linux", "1.0+windows"), ("01.2", "1.02"), ("a", "a")] {
        assert!(!is_newer(one, other) && !is_newer(other, one), "{one} and {other}");
    }
}

/// Starts in a table: what the record says, who begins, and how often it was counted.
#[test]
fn who_begins() {
    let (old, new) = (build(Slot::A, "2"), build(Slot::B, "3"));
    let active = |state, starts| Pointer {
        active: Some(Active { build: new.clone(), state, starts }),
        previous: Some(Active::good(old.clone())),
        ..Pointer::default()
    };
    let run = |build: &Build, watch| Begin::Run { build: build.clone(), watch };
    for (state, starts, kind, begins, counted) in [
        (State::Trial, 0, Kind::Window, run(&new, true), 1),
        (State::Trial, 1, Kind::Window, run(&new, true), 2),
        (State::Trial, 2, Kind::Window, run(&old, false), 1),
        (State::Trial, 2, Kind::Line, run(&new, true), 2),
        (State::Works, 1, Kind::Line, run(&new, false), 1),
        (State::Works, 1, Kind::Window, run(&new, true), 2),
        (State::Works, 2, Kind::Window, run(&old, false), 1),
        (State::Good, 2, Kind::Window, run(&new, false), 3),
        (State::Good, 3, Kind::Window, run(&old, false), 1),
        (State::Good, 9, Kind::Line, run(&new, false), 9),
    ] {
        let plan = begin(&active(state, starts), "1", kind, |_| true);
        assert_eq!(plan.begin, begins, "{state:?} {starts} {kind:?}");
        assert_eq!(plan.pointer.active.as_ref().unwrap().starts, counted, "{state:?} {starts} {kind:?}");
    }
    let trial = active(State::Trial, 0);
    assert_eq!(begin(&trial, "3.0", Kind::Window, |_| true).begin, Begin::Own, "the package is as new");
    assert_eq!(begin(&trial, "1", Kind::Window, |_| true).unwritten(), Begin::Own, "it would not be counted");
    let gone = begin(&trial, "1", Kind::Window, |build| build.slot == Slot::A);
    assert_eq!((gone.begin, gone.pointer.refusal("3")), (run(&old, false), None), "not its fault");
    assert_eq!(begin(&trial, "1", Kind::Line, |_| false).begin, Begin::Own);
}

#[test]
fn a_version_that_failed_is_told_of_and_not_taken_again() {
    let pointer = switched(&Pointer::default(), build(Slot::A, "2"));
    let pointer = came_up(&pointer, (Slot::A, "2"), Kind::Window);
    assert_eq!(offered(&pointer, "1", Some(Slot::A), "2", true), Offered::Nothing);
    assert_eq!(offered(&pointer, "1", None, "2", true), Offered::Waiting, "the old one runs still");
    let (pointer, slot) = prepared(&pointer, "1", Some(Slot::A));
    assert_eq!(slot, Slot::B);
    let pointer = switched(&pointer, build(Slot::B, "3"));
    assert_eq!(offered(&pointer, "1", Some(Slot::A), "3", false), Offered::Waiting);
    let pointer = taken_back(&pointer, &build(Slot::B, "3"));
    assert_eq!(pointer.active, Some(Active::good(build(Slot::A, "2"))));
    assert_eq!(pointer.untold.as_deref(), Some("3"));
    assert_eq!(offered(&pointer, "1", Some(Slot::A), "3", true), Offered::Refused(Why::Failed));
    assert_eq!(offered(&pointer, "1", Some(Slot::A), "3.1", false), Offered::Take);
    assert_eq!(taken_back(&pointer, &build(Slot::B, "3")), pointer, "once");
}

#[test]
fn who_goes_back_may_go_forward_when_he_asks() {
    assert_eq!(gone_back(&Pointer::default(), "1"), None);
    let two = came_up(&switched(&Pointer::default(), build(Slot::A, "2")), (Slot::A, "2"), Kind::Window);
    let three = switched(&two, build(Slot::B, "3"));
    let back = gone_back(&three, "1").unwrap();
    assert_eq!(back.active, Some(Active::good(build(Slot::A, "2"))));
    assert_eq!(offered(&back, "1", Some(Slot::A), "3", false), Offered::Refused(Why::Left));
    assert_eq!(offered(&back, "1", Some(Slot::A), "3", true), Offered::Take);
    let none = gone_back(&back, "1").unwrap();
    assert_eq!((none.active.clone(), gone_back(&none, "1")), (None, None));
    assert_eq!(gone_back(&three, "3"), None, "the package is as new");
}

#[test]
fn both_slots_in_use_are_left_alone() {
    // The window of version 2 is open; version 3 has worked from a command line.
    let two = came_up(&switched(&Pointer::default(), build(Slot::A, "2")), (Slot::A, "2"), Kind::Window);
    let three = came_up(&switched(&two, build(Slot::B, "3")), (Slot::B, "3"), Kind::Line);
    assert_eq!(offered(&three, "1", Some(Slot::A), "4", true), Offered::Waiting);
    assert_eq!(offered(&three, "1", Some(Slot::B), "4", true), Offered::Waiting, "only 2 was ever seen");
    let three = came_up(&three, (Slot::B, "3"), Kind::Window);
    assert_eq!(offered(&three, "1", Some(Slot::A), "4", true), Offered::Waiting, "2 is open still");
    assert_eq!(offered(&three, "1", Some(Slot::B), "4", true), Offered::Take);
    assert_eq!(prepared(&three, "1", Some(Slot::B)).1, Slot::A);
    // Starts that were cut short: the next one goes back to 2.
    let given_up = Active { starts: GOOD_STARTS, ..three.active.clone().unwrap() };
    let given_up = Pointer { active: Some(given_up), ..three };
    assert_eq!(offered(&given_up, "1", Some(Slot::B), "4", true), Offered::Waiting, "only 2 starts next");
}

/// How a release behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    Fine,
    /// It does not even say that it is well.
    Broken,
    /// Its window does not come up: it ends, crashes or hangs.
    NoWindow,
    /// Its command line crashes; unless its window has come up before, that is seen.
    NoLine,
}

#[derive(Debug, Clone)]
enum Deed {
    Publish(Manner),
    /// Updates, by whoever came up last; killed before this step.
    Update(bool, u8),
    /// Starts; killed before this step.
    Start(Kind, u8),
    GoBack,
    /// Somebody empties a slot.
    Wipe(Slot),
    /// The record is gone or garbled.
    Forget,
    /// The player installs a newer package.
    Package,
}

/// A machine: what is on its disk, and what the studio has published.
#[derive(Debug, Clone, Default)]
struct World {
    releases: Vec<Manner>,
    own: usize,
    pointer: Pointer,
    slots: [Option<usize>; 2],
    running: Option<Slot>,
    /// Releases that failed where somebody saw it.
    failed: Vec<usize>,
}

impl World {
    fn own(&self) -> String {
        (self.own + 1).to_string()
    }

    /// Releases begin after the first package.
    fn number(release: &str) -> usize {
        release.parse::<usize>().unwrap() - 2
    }

    fn at(&mut self, slot: Slot) -> &mut Option<usize> {
        let [a, b] = &mut self.slots;
        if slot == Slot::A { a } else { b }
    }

    fn holds(&self, build: &Build) -> bool {
        self.clone().at(build.slot) == &Some(Self::number(&build.release))
    }

    fn update(&mut self, by_player: bool, kill: u8) -> Option<()> {
        let mut left = kill;
        let mut step = || {
            left = left.checked_sub(1)?;
            Some(())
        };
        let newest = self.releases.len().checked_sub(1)?;
        let (own, release) = (self.own(), (newest + 2).to_string());
        if offered(&self.pointer, &own, self.running, &release, by_player) != Offered::Take {
            return None;
        }
        step()?;
        let (pointer, slot) = prepared(&self.pointer, &own, self.running);
        self.pointer = pointer;
        step()?;
        assert_ne!(self.running, Some(slot), "a running version is not written to");
        let named = [&self.pointer.active, &self.pointer.previous];
        assert!(named.into_iter().flatten().all(|one| one.build.slot != slot), "it might be started");
        *self.at(slot) = None;
        step()?;
        *self.at(slot) = Some(newest);
        step()?;
        if self.releases[newest] == Manner::Broken {
            self.failed.push(newest);
            self.pointer = not_well(&self.pointer, &release);
        } else {
            self.pointer = switched(&self.pointer, build(slot, &release));
        }
        Some(())
    }

    /// What comes up; none when it was killed.
    fn start(&mut self, kind: Kind, kill: u8) -> Option<usize> {
        let mut left = kill;
        let mut step = || {
            left = left.checked_sub(1)?;
            Some(())
        };
        for _ in 0..3 {
            step()?;
            let plan = begin(&self.pointer, &self.own(), kind, |build| self.holds(build));
            self.pointer = plan.pointer;
            step()?;
            let Begin::Run { build, watch } = plan.begin else {
                self.running = None;
                return Some(self.own + 1);
            };
            let release = Self::number(&build.release);
            assert!(!self.failed.contains(&release), "{release} failed before");
            assert!(is_newer(&build.release, &self.own()));
            let is_trial = self.pointer.active.as_ref().is_some_and(|active| !active.is_proven());
            let fails = match (self.releases[release], kind) {
                (Manner::Broken, _) | (Manner::NoWindow, Kind::Window) => true,
                (Manner::NoLine, Kind::Line) => is_trial,
                (Manner::Fine | Manner::NoWindow | Manner::NoLine, _) => false,
            };
            assert!(!fails || watch, "nobody would see it");
            self.running = (!fails).then_some(build.slot);
            step()?;
            if !fails {
                self.pointer = came_up(&self.pointer, (build.slot, &build.release), kind);
                return Some(release + 2);
            }
            self.pointer = taken_back(&self.pointer, &build);
            self.failed.push(release);
        }
        panic!("it goes around");
    }

    /// The newest version that has proven itself where it counts, and is started next or after the one that is.
    fn proven(&self) -> usize {
        let active = self.pointer.active.as_ref();
        // One whose starts were cut short too often is given up, however good it was.
        let most = |active: &Active| if active.state == State::Good { GOOD_STARTS } else { TRIAL_STARTS };
        let active = active.filter(|active| active.starts + 1 < most(active));
        let proven = active.filter(|active| active.is_proven());
        // Where no window was ever seen, the one before makes room for the next.
        let seen = self.pointer.previous.as_ref().filter(|previous| previous.state == State::Good);
        let known = [proven, seen].into_iter().flatten().map(|one| &one.build);
        let known = known.filter(|build| self.holds(build) && is_newer(&build.release, &self.own()));
        let fine = known.map(|build| Self::number(&build.release));
        let fine = fine.filter(|release| self.releases[*release] == Manner::Fine);
        fine.map(|release| release + 2).max().unwrap_or(0).max(self.own + 1)
    }

    fn perform(&mut self, deed: &Deed) {
        let proven = self.proven();
        match deed {
            Deed::Publish(manner) => self.releases.push(*manner),
            Deed::Update(by_player, kill) => drop(self.update(*by_player, *kill)),
            Deed::Start(kind, kill) => drop(self.start(*kind, *kill)),
            Deed::GoBack => {
                if let Some(back) = gone_back(&self.pointer, &self.own()) {
                    self.pointer = back;
                }
                return;
            }
            // What runs is in use: the system or the lock would not have it.
            Deed::Wipe(slot) if self.running != Some(*slot) => return *self.at(*slot) = None,
            Deed::Wipe(_) => return,
            Deed::Forget => {
                (self.pointer, self.failed) = (Pointer::default(), Vec::new());
                return;
            }
            Deed::Package => {
                if self.own < self.releases.len() {
                    self.own += 1;
                }
                return;
            }
        }
        // What is known to be good is at most replaced by something newer that comes up.
        let up = self.clone().start(Kind::Window, u8::MAX).unwrap();
        assert!(up >= proven, "{up} came up, {proven} was known to");
    }
}

fn deeds() -> impl Strategy<Value = Deed> {
    let manner = prop_oneof![
        3 => Just(Manner::Fine),
        1 => Just(Manner::Broken),
        1 => Just(Manner::NoWindow),
        1 => Just(Manner::NoLine),
    ];
    let kind = prop_oneof![Just(Kind::Window), Just(Kind::Line)];
    let kill = prop_oneof![2 => Just(u8::MAX), 3 => 0..9_u8];
    prop_oneof![
        4 => manner.prop_map(Deed::Publish),
        6 => (any::<bool>(), kill.clone()).prop_map(|(asked, kill)| Deed::Update(asked, kill)),
        8 => (kind, kill).prop_map(|(kind, kill)| Deed::Start(kind, kill)),
        1 => Just(Deed::GoBack),
        1 => prop_oneof![Just(Slot::A), Just(Slot::B)].prop_map(Deed::Wipe),
        1 => Just(Deed::Forget),
        1 => Just(Deed::Package),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Killed anywhere, in any order, with any versions: one always comes up, never one that failed, and nothing that is
    /// good gives way to anything but what is newer and comes up.
    #[test]
    fn some_version_always_starts(deeds in proptest::collection::vec(deeds(), 1..40)) {
        let mut world = World::default();
        for deed in &deeds {
            world.perform(deed);
            for kind in [Kind::Window, Kind::Line] {
                prop_assert!(world.clone().start(kind, u8::MAX).is_some());
            }
            let written = world.pointer.encode().unwrap();
            prop_assert_eq!(&Pointer::decode(&written).unwrap(), &world.pointer);
        }
    }
}
