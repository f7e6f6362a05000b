//! When a client announces one hash to one tracker.
//!
//! `Started` is repeated until the tracker has taken it; `Completed` and `Stopped` are only sent to a tracker that has.
//! Failures are retried after 5, 10, 20, … seconds up to 15 minutes, each lengthened by up to half.

use super::{AnnounceEvent, AnnounceResponse};
use crate::units::Time;
use std::time::Duration;

/// The shortest interval that a tracker can make us keep, whatever it says.
const SHORTEST: Duration = Duration::from_secs(2);
/// The longest.
const LONGEST: Duration = Duration::from_secs(4 * 3600);
const FIRST_RETRY: Duration = Duration::from_secs(5);
const LAST_RETRY: Duration = Duration::from_secs(900);

/// The timing of one hash at one tracker. A tracker's answer goes to [`ClientTimer::succeeded`], its absence to
/// [`ClientTimer::failed`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientTimer {
    next: Time,
    /// Not before this, even when more peers are wanted.
    earliest: Time,
    /// The event of the announce that is under way.
    in_flight: Option<Option<AnnounceEvent>>,
    /// The tracker knows of us.
    started: bool,
    completed: Pending,
    stopping: bool,
    done: bool,
    failures: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pending {
    No,
    Yes,
    Sent,
}

impl ClientTimer {
    /// First due at once.
    #[must_use]
    pub fn new(now: Time) -> ClientTimer {
        ClientTimer {
            next: now,
            earliest: now,
            in_flight: None,
            started: false,
            completed: Pending::No,
            stopping: false,
            done: false,
            failures: 0,
        }
    }

    /// When [`ClientTimer::poll`] has something to send; `None` while an announce is under way, and after `Stopped`.
    #[must_use]
    pub fn due_at(&self) -> Option<Time> {
        (!self.done && self.in_flight.is_none()).then_some(self.next)
    }

    /// The event to announce now (`Some(None)` is an announce without event); it is then under way.
    pub fn poll(&mut self, now: Time) -> Option<Option<AnnounceEvent>> {
        if self.due_at().is_none_or(|due| now < due) {
            return None;
        }
        let event = if self.stopping {
            Some(AnnounceEvent::Stopped)
        } else if !self.started {
            Some(AnnounceEvent::Started)
        } else {
            (self.completed == Pending::Yes).then_some(AnnounceEvent::Completed)
        };
        self.in_flight = Some(event);
        Some(event)
    }

    /// The tracker has answered.
    pub fn succeeded(&mut self, now: Time, response: &AnnounceResponse) {
        let Some(event) = self.in_flight.take() else { return };
        self.failures = 0;
        self.started = true;
        match event {
            Some(AnnounceEvent::Stopped) => self.done = true,
            Some(AnnounceEvent::Completed) => self.completed = Pending::Sent,
            Some(AnnounceEvent::Started) | None => {}
        }
        let interval = response.interval.clamp(SHORTEST, LONGEST);
        let at_least = response.min_interval.unwrap_or(interval / 2).clamp(SHORTEST, interval);
        self.earliest = now + at_least;
        let hurry = self.stopping || self.completed == Pending::Yes;
        self.next = if hurry { now } else { now + interval };
    }

    /// The tracker has not answered, or has refused. `random` is any number; it decides the jitter. A `Stopped` that
    /// fails is not sent again: the tracker forgets us by itself.
    pub fn failed(&mut self, now: Time, random: u64) {
        let Some(event) = self.in_flight.take() else { return };
        if event == Some(AnnounceEvent::Stopped) || (self.stopping && !self.started) {
            self.done = true;
        }
        let wait = FIRST_RETRY.saturating_mul(1 << self.failures.min(10)).min(LAST_RETRY);
        let wait = wait + wait.mul_f64((random % 1024) as f64 / 2048.0);
        self.failures = self.failures.saturating_add(1);
        self.earliest = now + wait;
        self.next = if self.stopping { now } else { self.earliest };
    }

    /// The download is complete (and was not when it was started).
    pub fn complete(&mut self, now: Time) {
        if self.completed == Pending::No && !self.stopping {
            self.completed = Pending::Yes;
            if self.started {
                self.next = now.max(self.retry_at());
            }
        }
    }

    /// More peers are wanted: announce as soon as the tracker allows.
    pub fn want_peers(&mut self, now: Time) {
        self.next = self.next.min(self.earliest.max(now));
    }

    /// The client leaves: one last announce, if the tracker knows of us.
    pub fn stop(&mut self, now: Time) {
        self.stopping = true;
        if !self.started && self.in_flight.is_none() {
            self.done = true;
        }
        self.next = now;
    }

    /// Whether `Stopped` was taken, given up, or not needed.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.done
    }

    /// How often the tracker failed in a row.
    #[must_use]
    pub fn failures(&self) -> u32 {
        self.failures
    }

    fn retry_at(&self) -> Time {
        if self.failures > 0 { self.earliest } else { Time::ZERO }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use AnnounceEvent::{Completed, Started, Stopped};
    use proptest::prelude::*;

    fn answer(secs: u64) -> AnnounceResponse {
        AnnounceResponse { interval: Duration::from_secs(secs), ..AnnounceResponse::default() }
    }

    const fn at(secs: u64) -> Time {
        Time::from_secs(secs)
    }

    #[test]
    fn a_whole_life() {
        let mut timer = ClientTimer::new(at(0));
        assert_eq!(timer.poll(at(0)), Some(Some(Started)));
        assert_eq!((timer.poll(at(0)), timer.due_at()), (None, None));
        timer.succeeded(at(1), &answer(100));
        assert_eq!((timer.poll(at(100)), timer.due_at()), (None, Some(at(101))));
        assert_eq!(timer.poll(at(101)), Some(None));
        timer.complete(at(102));
        timer.succeeded(at(103), &answer(100));
        assert_eq!(timer.poll(at(103)), Some(Some(Completed)));
        timer.succeeded(at(104), &answer(100));
        assert_eq!(timer.due_at(), Some(at(204)));
        timer.complete(at(105));
        assert_eq!(timer.due_at(), Some(at(204)), "completed once");
        timer.stop(at(110));
        assert_eq!(timer.poll(at(110)), Some(Some(Stopped)));
        timer.succeeded(at(111), &answer(100));
        assert!(timer.is_done());
        assert_eq!(timer.due_at(), None);
    }

    #[test]
    fn started_is_repeated_until_taken() {
        let mut timer = ClientTimer::new(at(0));
        let mut now = at(0);
        for wait in [5, 10, 20, 40, 80, 160, 320, 640, 900, 900] {
            assert_eq!(timer.poll(now), Some(Some(Started)));
            timer.failed(now, 0);
            timer.want_peers(now);
            assert_eq!(timer.due_at(), Some(now + Duration::from_secs(wait)));
            now += Duration::from_secs(wait);
        }
        timer.complete(now);
        assert_eq!(timer.poll(now), Some(Some(Started)));
        timer.succeeded(now, &answer(60));
        assert_eq!(timer.poll(now), Some(Some(Completed)));
    }

    #[test]
    fn leaving() {
        let mut unknown = ClientTimer::new(at(0));
        unknown.stop(at(0));
        assert!(unknown.is_done(), "a tracker that knows nothing of us");
        let mut under_way = ClientTimer::new(at(0));
        under_way.poll(at(0));
        under_way.stop(at(0));
        assert!(!under_way.is_done());
        let mut refused = under_way.clone();
        under_way.succeeded(at(1), &answer(60));
        assert_eq!(under_way.poll(at(1)), Some(Some(Stopped)));
        under_way.failed(at(2), 0);
        assert!(under_way.is_done());
        refused.failed(at(1), 0);
        assert!(refused.is_done());
    }

    #[test]
    fn more_peers_no_sooner_than_allowed() {
        let mut timer = ClientTimer::new(at(0));
        timer.poll(at(0));
        timer.succeeded(
            at(0),
            &AnnounceResponse { min_interval: Some(Duration::from_secs(10)), ..answer(100) },
        );
        timer.want_peers(at(3));
        assert_eq!(timer.due_at(), Some(at(10)));
        timer.poll(at(10));
        timer.succeeded(at(10), &AnnounceResponse { min_interval: Some(Duration::MAX), ..answer(0) });
        assert_eq!(timer.due_at(), Some(at(12)), "an interval of nothing is two seconds");
    }

    proptest! {
        #[test]
        fn never_two_at_once_and_never_hasty(steps in prop::collection::vec((0u8..6, 0u64..5_000_000, any::<u64>()), 1..100)) {
            let (mut timer, mut now, mut busy, mut last) = (ClientTimer::new(at(0)), at(0), false, None);
            for (step, wait, random) in steps {
                now += Duration::from_micros(wait);
                match step {
                    0 | 1 => if let Some(event) = timer.poll(now) {
                        prop_assert!(!busy);
                        busy = true;
                        if event.is_none() {
                            prop_assert!(last.is_none_or(|last| now - last >= SHORTEST));
                        }
                        last = Some(now);
                    },
                    2 if busy => { timer.succeeded(now, &answer(random % 5)); busy = false; last = Some(now); }
                    3 if busy => { timer.failed(now, random); busy = false; }
                    4 => timer.want_peers(now),
                    5 if random % 8 == 0 => timer.complete(now),
                    _ => {}
                }
                prop_assert_eq!(timer.due_at().is_none(), busy || timer.is_done());
            }
        }
    }
}
