//! How fast it went in the last minutes: what the downloads' picture is painted from, and what "slow" is measured by.
//!
//! Told the time; one beat a second, however often it is told something.

use std::collections::VecDeque;
use std::time::Duration;

/// Beats that are kept: two minutes.
pub const BEATS: usize = 120;

/// One second, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Beat {
    /// Received.
    pub network: u64,
    /// Read, compared or written on the disk.
    pub disk: u64,
    /// Sent to others.
    pub upload: u64,
}

/// The last minutes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pace {
    beats: VecDeque<Beat>,
    /// The second of the last beat.
    last: Option<u64>,
    best: u64,
    silent_since: Option<Duration>,
}

impl Pace {
    /// Tells how fast it is at a time. What is told twice in a second counts once; seconds that nobody told of were as
    /// the last one when something runs, and idle otherwise.
    pub fn note(&mut self, now: Duration, beat: Beat, receives: bool) {
        self.best = self.best.max(beat.network);
        self.silent_since = match self.silent_since {
            _ if !receives || beat.network > 0 => None,
            None => Some(now),
            since => since,
        };
        let second = now.as_secs();
        let gone = self.last.map_or(1, |last| second.saturating_sub(last));
        if gone == 0 {
            if let Some(back) = self.beats.back_mut() {
                *back = beat;
            }
            return;
        }
        self.last = Some(second);
        let between = if receives { beat } else { Beat::default() };
        let missed = usize::try_from(gone - 1).unwrap_or(BEATS).min(BEATS);
        self.beats.extend(std::iter::repeat_n(between, missed));
        self.beats.push_back(beat);
        let beyond = self.beats.len().saturating_sub(BEATS);
        self.beats.drain(..beyond);
    }

    /// The beats, oldest first.
    #[must_use]
    pub fn beats(&self) -> Vec<Beat> {
        self.beats.iter().copied().collect()
    }

    /// The most that was ever received in a second; none while nothing was.
    #[must_use]
    pub fn best(&self) -> Option<u64> {
        (self.best > 0).then_some(self.best)
    }

    /// How long nothing has come although something should.
    #[must_use]
    pub fn silent_for(&self, now: Duration) -> Duration {
        self.silent_since.map_or(Duration::ZERO, |since| now.saturating_sub(since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn beat(network: u64) -> Beat {
        Beat { network, disk: 0, upload: 0 }
    }

    fn told(told: &[(u64, u64, bool)]) -> (Vec<u64>, Pace) {
        let mut pace = Pace::default();
        for (at_ms, network, receives) in told {
            pace.note(Duration::from_millis(*at_ms), beat(*network), *receives);
        }
        (pace.beats().iter().map(|beat| beat.network).collect(), pace)
    }

    #[test]
    fn one_beat_a_second() {
        for (given, expected) in [
            (&[(0, 5, true), (200, 6, true), (1000, 7, true)][..], &[6, 7][..]),
            (&[(0, 5, true), (3000, 7, true)], &[5, 7, 7, 7]),
            (&[(0, 5, true), (3000, 0, false)], &[5, 0, 0, 0]),
            (&[(5000, 1, true), (4000, 2, true)], &[2]),
        ] {
            assert_eq!(told(given).0, expected, "{given:?}");
        }
        let (beats, pace) = told(&[(0, 9, true), (u64::MAX, 3, true)]);
        assert_eq!((beats.len(), pace.best()), (BEATS, Some(9)));
    }

    #[test]
    fn silence_is_measured_while_something_should_come() {
        let now = Duration::from_secs(9);
        for (given, seconds) in [
            (&[(0, 0, true), (4000, 0, true)][..], 9),
            (&[(0, 0, true), (4000, 1, true)], 0),
            (&[(0, 1, true), (4000, 0, true)], 5),
            (&[(0, 0, true), (4000, 0, false)], 0),
        ] {
            assert_eq!(told(given).1.silent_for(now), Duration::from_secs(seconds), "{given:?}");
        }
        assert_eq!(told(&[(0, 0, true)]).1.best(), None);
    }
}
