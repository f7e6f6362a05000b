//! What is to be done, told the facts: which version starts, what becomes of one that does not, where the next goes.
//!
//! Some version always starts. A version that failed is never started again. One that has proven itself is replaced only
//! by a newer one that says it is well, and is there to go back to.

use std::cmp::Ordering;

use crate::selfupdate::pointer::{Active, Build, Pointer, REFUSED_MAX, Refused, Slot, State, Why};

/// A version whose window has never come up is started this often.
pub const TRIAL_STARTS: u32 = 2;
/// One whose window has is given more: something else may be wrong.
pub const GOOD_STARTS: u32 = 3;

/// What is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The window.
    Window,
    /// A command line.
    Line,
}

/// Which version does it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begin {
    /// The one that is running now, which came in the package.
    Own,
    /// This one; while it is watched it can be taken back.
    Run {
        /// Which one.
        build: Build,
        /// Whether somebody has to stay until it has come up.
        watch: bool,
    },
}

/// The version that does it, and the record as it must be before it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Which version.
    pub begin: Begin,
    /// The record.
    pub pointer: Pointer,
}

impl Plan {
    /// The same where the record cannot be written: what has not proven itself is not started uncounted.
    #[must_use]
    pub fn unwritten(self) -> Begin {
        match self.begin {
            Begin::Run { watch: true, .. } => Begin::Own,
            begin => begin,
        }
    }
}

/// Who begins. `own` is the packaged launcher's version, `is_there` whether a build's program lies where it should.
#[must_use]
pub fn begin(pointer: &Pointer, own: &str, kind: Kind, is_there: impl Fn(&Build) -> bool) -> Plan {
    let mut pointer = pointer.clone();
    // At most twice around: to the version before, and to none.
    while let Some(active) = &mut pointer.active {
        if !is_newer(&active.build.release, own) {
            // The player has installed a newer package.
            break;
        }
        let (is_good, window) = (active.state == State::Good, kind == Kind::Window);
        let most = if is_good { GOOD_STARTS } else { TRIAL_STARTS };
        if !is_there(&active.build) {
            // That is not its fault: it may be had again.
            fall_back(&mut pointer);
        } else if window && active.starts >= most {
            let failed = active.build.clone();
            pointer = taken_back(&pointer, &failed);
        } else {
            active.starts = active.starts.saturating_add(u32::from(window));
            // A command line that works says nothing of the window, and the other way round says all.
            let watch = if window { !is_good } else { active.state == State::Trial };
            return Plan { begin: Begin::Run { build: active.build.clone(), watch }, pointer };
        }
    }
    Plan { begin: Begin::Own, pointer }
}

/// The version has come up: its window was painted, or its command line is at work.
#[must_use]
pub fn came_up(pointer: &Pointer, (slot, release): (Slot, &str), kind: Kind) -> Pointer {
    let mut pointer = pointer.clone();
    if let Some(active) = pointer.active.as_mut().filter(|active| active.build.is(slot, release)) {
        match kind {
            Kind::Window => (active.state, active.starts) = (State::Good, 0),
            Kind::Line if active.state == State::Trial => active.state = State::Works,
            Kind::Line => {}
        }
    }
    pointer
}

/// A start that was none after all, such as one that only handed over to a window that is open.
#[must_use]
pub fn not_counted(pointer: &Pointer, build: &Build) -> Pointer {
    let mut pointer = pointer.clone();
    if let Some(active) = pointer.active.as_mut().filter(|active| active.build == *build) {
        active.starts = active.starts.saturating_sub(1);
    }
    pointer
}

/// The version does not start: the one before takes its place, and it is not taken again.
#[must_use]
pub fn taken_back(pointer: &Pointer, build: &Build) -> Pointer {
    let mut pointer = pointer.clone();
    if pointer.active.as_ref().is_some_and(|active| active.build == *build) {
        fall_back(&mut pointer);
        refuse(&mut pointer, &build.release, Why::Failed);
        pointer.untold = Some(build.release.clone());
    }
    pointer
}

/// The same before it was ever the active one.
#[must_use]
pub fn not_well(pointer: &Pointer, release: &str) -> Pointer {
    let mut pointer = pointer.clone();
    refuse(&mut pointer, release, Why::Failed);
    pointer
}

/// The player goes back to the version before; none when the packaged one is what starts.
#[must_use]
pub fn gone_back(pointer: &Pointer, own: &str) -> Option<Pointer> {
    let mut pointer = pointer.clone();
    let left = pointer.active.as_ref().filter(|active| is_newer(&active.build.release, own))?;
    let left = left.build.release.clone();
    fall_back(&mut pointer);
    refuse(&mut pointer, &left, Why::Left);
    Some(pointer)
}

/// What to do about a release that is offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offered {
    /// It is to be installed.
    Take,
    /// What starts next has to be started first: it is this one, or no slot can be spared before.
    Waiting,
    /// What starts is as new, or newer.
    Nothing,
    /// It is newer, and not taken.
    Refused(Why),
}

/// Whether an offered release is taken. `running` is the slot of the version that asks.
#[must_use]
pub fn offered(
    pointer: &Pointer,
    own: &str,
    running: Option<Slot>,
    release: &str,
    by_player: bool,
) -> Offered {
    let active = pointer.active.as_ref().filter(|active| is_newer(&active.build.release, own));
    let newest = active.map_or(own, |active| active.build.release.as_str());
    match pointer.refusal(release) {
        _ if !is_newer(release, newest) => match active {
            Some(active) if active.build.release == release && running != Some(active.build.slot) => {
                Offered::Waiting
            }
            _ => Offered::Nothing,
        },
        Some(why @ Why::Failed) => Offered::Refused(why),
        Some(why @ Why::Left) if !by_player => Offered::Refused(why),
        _ if is_needed(pointer, own, running) => Offered::Waiting,
        _ => Offered::Take,
    }
}

/// Whether the slot that comes next holds what is still needed: the version that starts, or the only one whose window was
/// ever seen and that is not given up with the next start.
fn is_needed(pointer: &Pointer, own: &str, running: Option<Slot>) -> bool {
    let slot = prepared(pointer, own, running).1;
    let held = |one: &Option<Active>, by: fn(&Active) -> bool| {
        one.as_ref().is_some_and(|one| one.build.slot == slot && is_newer(&one.build.release, own) && by(one))
    };
    let is_seen = pointer
        .active
        .as_ref()
        .is_some_and(|active| active.state == State::Good && active.starts < GOOD_STARTS);
    held(&pointer.active, Active::is_proven)
        || (!is_seen && held(&pointer.previous, |previous| previous.state == State::Good))
}

/// Where the next version goes, and the record without that slot: it must be written before the slot is.
#[must_use]
pub fn prepared(pointer: &Pointer, own: &str, running: Option<Slot>) -> (Pointer, Slot) {
    let mut pointer = pointer.clone();
    if pointer.active.as_ref().is_some_and(|active| !is_newer(&active.build.release, own)) {
        (pointer.active, pointer.previous) = (None, None);
    }
    let slot = match (running, &pointer.active) {
        (Some(running), _) => running.other(),
        (None, Some(active)) if active.is_proven() => active.build.slot.other(),
        (None, Some(active)) => active.build.slot,
        (None, None) => pointer.previous.as_ref().map_or(Slot::A, |previous| previous.build.slot.other()),
    };
    if pointer.previous.as_ref().is_some_and(|previous| previous.build.slot == slot) {
        pointer.previous = None;
    }
    if pointer.active.as_ref().is_some_and(|active| active.build.slot == slot) {
        fall_back(&mut pointer);
    }
    (pointer, slot)
}

/// A version was installed and says that it is well: it starts from now on.
#[must_use]
pub fn switched(pointer: &Pointer, build: Build) -> Pointer {
    let mut pointer = pointer.clone();
    if let Some(before) = pointer.active.take().filter(Active::is_proven) {
        pointer.previous = Some(before);
    }
    pointer.previous = pointer.previous.take().filter(|previous| previous.build.slot != build.slot);
    pointer.refused.retain(|refused| refused.release != build.release);
    pointer.active = Some(Active { build, state: State::Trial, starts: 0 });
    pointer
}

/// Only what has proven itself is ever the version before.
fn fall_back(pointer: &mut Pointer) {
    pointer.active = pointer.previous.take().map(|previous| Active { starts: 0, ..previous });
}

fn refuse(pointer: &mut Pointer, release: &str, why: Why) {
    pointer.refused.retain(|refused| refused.release != release);
    pointer.refused.push(Refused { release: release.to_owned(), why });
    let excess = pointer.refused.len().saturating_sub(REFUSED_MAX);
    pointer.refused.drain(..excess);
}

/// Whether a version is newer than another: numbers count as numbers, `2.0-rc1` comes before `2.0`, and what follows a
/// plus sign says nothing.
#[must_use]
pub fn is_newer(version: &str, than: &str) -> bool {
    let parts = |text: &'_ str| -> (String, Option<String>) {
        let text = text.split('+').next().unwrap_or_default();
        match text.split_once('-') {
            Some((main, early)) => (main.to_owned(), Some(early.to_owned())),
            None => (text.to_owned(), None),
        }
    };
    let ((main, early), (than_main, than_early)) = (parts(version), parts(than));
    let order = by_parts(&main, &than_main).then_with(|| match (&early, &than_early) {
        (None, None) => Ordering::Equal,
        (None, Some(_)) => Ordering::Greater,
        (Some(_), None) => Ordering::Less,
        (Some(early), Some(than)) => by_parts(early, than),
    });
    order == Ordering::Greater
}

fn by_parts(one: &str, other: &str) -> Ordering {
    let (mut one, mut other) = (one.split('.'), other.split('.'));
    loop {
        let (one, other) = match (one.next(), other.next()) {
            (None, None) => return Ordering::Equal,
            // 2 is 2.0.
            (one, other) => (one.unwrap_or("0"), other.unwrap_or("0")),
        };
        let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let order = match (number(one), number(other)) {
            (true, true) => {
                let (one, other) = (one.trim_start_matches('0'), other.trim_start_matches('0'));
                one.len().cmp(&other.len()).then_with(|| one.cmp(other))
            }
            (true, false) => Ordering::Greater,
            (false, true) => Ordering::Less,
            (false, false) => one.cmp(other),
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

#[cfg(test)]
#[path = "policy_tests.rs"]
mod tests;
