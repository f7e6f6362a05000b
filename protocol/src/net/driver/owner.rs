//! What the owner of a swarm hears: events and numbers.

use crate::swarm::{Event, Stats, Swarm};
use crate::units::Time;
use std::collections::VecDeque;
use std::time::Duration;
use tokio::sync::{mpsc, watch};

/// Numbers are published at most this often.
const STATS_EVERY: Duration = Duration::from_millis(250);
/// Events kept for an owner that does not listen; beyond, no more is read from peers, and events that only inform
/// are dropped.
const MAX_KEPT: usize = 4096;

/// The way to the owner.
pub(super) struct Owner {
    events: mpsc::Sender<Event>,
    kept: VecDeque<Event>,
    stats: watch::Sender<Stats>,
    stats_due: Time,
    stats_dirty: bool,
}

impl Owner {
    pub(super) fn new(events: mpsc::Sender<Event>, stats: watch::Sender<Stats>) -> Owner {
        Owner { events, kept: VecDeque::new(), stats, stats_due: Time::ZERO, stats_dirty: true }
    }

    /// Sends an event, after numbers that are not older than it where the owner may look at both.
    pub(super) fn event(&mut self, event: Event, now: Time, swarm: &mut Swarm) {
        if matches!(event, Event::Completed | Event::Stopped) {
            self.stats.send_replace(swarm.stats(now));
        }
        self.kept.push_back(event);
        self.drain();
        if self.kept.len() > MAX_KEPT {
            self.kept.retain(matters);
        }
    }

    fn drain(&mut self) {
        while let Some(event) = self.kept.pop_front() {
            match self.events.try_send(event) {
                Ok(()) => {}
                Err(mpsc::error::TrySendError::Full(event)) => {
                    self.kept.push_front(event);
                    return;
                }
                Err(mpsc::error::TrySendError::Closed(_)) => self.kept.clear(),
            }
        }
    }

    /// Waits until an owner that was behind has room, and passes events on; never ends if there are none.
    pub(super) async fn catch_up(&mut self) {
        if self.kept.is_empty() {
            return std::future::pending().await;
        }
        // An error is an owner that is gone: `drain` finds that out as well.
        drop(self.events.reserve().await);
        self.drain();
    }

    pub(super) fn is_behind(&self) -> bool {
        self.kept.len() > MAX_KEPT / 2
    }

    /// The swarm has done something.
    pub(super) fn touch(&mut self) {
        self.stats_dirty = true;
    }

    /// Publishes numbers if it is time. When to be called again, if nothing happens until then.
    pub(super) fn publish(&mut self, now: Time, swarm: &mut Swarm) -> Option<Time> {
        if self.stats_dirty && now >= self.stats_due {
            self.stats.send_replace(swarm.stats(now));
            self.stats_due = now + STATS_EVERY;
            self.stats_dirty = false;
        }
        self.stats_dirty.then_some(self.stats_due)
    }
}

/// Whether an owner could be wrong about the files without it.
fn matters(event: &Event) -> bool {
    !matches!(
        event,
        Event::TrackerOk { .. } | Event::TrackerFailed { .. } | Event::Starved { .. } | Event::PeerBanned(_)
    )
}
