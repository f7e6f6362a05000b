//! Token buckets that are told the time.
//!
//! A bucket fills at its rate up to its burst and may be overdrawn by [`TokenBucket::charge`], for bytes that have
//! come in already. Hierarchies (global, class, torrent) ask every level and take from all or none:
//! see [`take_all`].

use crate::units::Time;
use std::time::Duration;

const MICROS: u128 = 1_000_000;

/// Bytes per second, with a burst.
#[derive(Clone, Debug)]
pub struct TokenBucket {
    /// Bytes per second; `None` is without limit.
    rate: Option<u64>,
    burst: u64,
    /// Bytes × 10⁶, so that no fraction is lost however often time is told; negative while overdrawn.
    level: i128,
    last: Time,
}

impl TokenBucket {
    /// A full bucket. The burst is a quarter of a second, and at least four blocks so that a slow rate can still
    /// send whole blocks.
    #[must_use]
    pub fn new(rate: Option<u64>, now: Time) -> TokenBucket {
        let burst = burst_of(rate);
        TokenBucket { rate, burst, level: micro(burst), last: now }
    }

    /// A bucket that never runs out.
    #[must_use]
    pub fn unlimited() -> TokenBucket {
        TokenBucket::new(None, Time::ZERO)
    }

    /// Changes the rate; what was saved up (or overdrawn) stays, within the new burst.
    pub fn set_rate(&mut self, rate: Option<u64>, now: Time) {
        self.refill(now);
        self.rate = rate;
        self.burst = burst_of(rate);
        self.level = self.level.min(micro(self.burst));
    }

    /// Bytes per second; `None` is without limit.
    #[must_use]
    pub fn rate(&self) -> Option<u64> {
        self.rate
    }

    /// Bytes that can be taken now; `u64::MAX` without limit.
    pub fn available(&mut self, now: Time) -> u64 {
        if self.rate.is_none() {
            return u64::MAX;
        }
        self.refill(now);
        u64::try_from(self.level.max(0) / micro(1)).unwrap_or(u64::MAX)
    }

    /// Takes `n` bytes if they are there. More than the burst is granted when the bucket is full, as a debt,
    /// or it would never be.
    pub fn take(&mut self, now: Time, n: u64) -> bool {
        let granted = self.can_take(now, n);
        if granted {
            self.charge(now, n);
        }
        granted
    }

    /// Takes `n` bytes whether they are there or not.
    pub fn charge(&mut self, now: Time, n: u64) {
        if self.rate.is_some() {
            self.refill(now);
            self.level = self.level.saturating_sub(micro(n));
        }
    }

    /// When `n` bytes can be taken, if nothing else is: `now` if at once, `None` if never (a rate of zero).
    pub fn next_refill(&mut self, now: Time, n: u64) -> Option<Time> {
        let Some(rate) = self.rate else { return Some(now) };
        if rate == 0 && n > 0 {
            return None;
        }
        self.refill(now);
        let missing = micro(n.min(self.burst)) - self.level;
        if missing <= 0 {
            return Some(now);
        }
        let micros = missing.unsigned_abs().div_ceil(u128::from(rate.max(1)));
        Some(now + Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX)))
    }

    fn can_take(&mut self, now: Time, n: u64) -> bool {
        if self.rate.is_none() {
            return true;
        }
        self.refill(now);
        self.level >= micro(n.min(self.burst)) && (self.burst > 0 || n == 0)
    }

    fn refill(&mut self, now: Time) {
        let micros = now.since(self.last).as_micros();
        self.last = self.last.max(now);
        let earned = micros.saturating_mul(u128::from(self.rate.unwrap_or(0)));
        let earned = i128::try_from(earned).unwrap_or(i128::MAX);
        self.level = self.level.saturating_add(earned).min(micro(self.burst));
    }
}

/// Takes `n` bytes from every bucket, or from none.
pub fn take_all(buckets: &mut [&mut TokenBucket], now: Time, n: u64) -> bool {
    let granted = buckets.iter_mut().all(|bucket| bucket.can_take(now, n));
    if granted {
        buckets.iter_mut().for_each(|bucket| bucket.charge(now, n));
    }
    granted
}

fn burst_of(rate: Option<u64>) -> u64 {
    match rate {
        Some(0) => 0,
        Some(rate) => (rate / 4).max(4 * u64::from(crate::units::BLOCK_LEN)),
        None => u64::from(u32::MAX),
    }
}

fn micro(bytes: u64) -> i128 {
    i128::from(bytes) * MICROS as i128
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn spends_the_burst_and_then_the_rate() {
        let mut bucket = TokenBucket::new(Some(1_000_000), Time::ZERO);
        assert!(bucket.take(Time::ZERO, 250_000));
        assert!(!bucket.take(Time::ZERO, 1));
        assert_eq!(bucket.next_refill(Time::ZERO, 100_000), Some(Time::from_millis(100)));
        assert!(!bucket.take(Time::from_millis(99), 100_000));
        assert!(bucket.take(Time::from_millis(100), 100_000));
        assert_eq!(bucket.available(Time::from_secs(60)), 250_000);
    }

    #[test]
    fn rates_of_nothing_and_without_limit() {
        let mut shut = TokenBucket::new(Some(0), Time::ZERO);
        assert!(!shut.take(Time::from_secs(100), 1));
        assert_eq!(shut.next_refill(Time::from_secs(100), 1), None);
        let mut open = TokenBucket::unlimited();
        assert!(open.take(Time::ZERO, u64::MAX));
        assert_eq!(open.next_refill(Time(7), u64::MAX), Some(Time(7)));
        open.set_rate(Some(1000), Time::from_secs(1));
        assert_eq!(open.available(Time::from_secs(1)), 65_536);
    }

    #[test]
    fn a_take_beyond_the_burst_becomes_a_debt() {
        let mut bucket = TokenBucket::new(Some(65_536), Time::ZERO);
        assert!(bucket.take(Time::ZERO, 3 * 65_536));
        assert_eq!(bucket.available(Time::from_secs(2)), 0);
        assert_eq!(bucket.available(Time::from_secs(3)), 65_536);
    }

    #[test]
    fn all_or_none() {
        let (mut wide, mut tight) = (TokenBucket::unlimited(), TokenBucket::new(Some(1), Time::ZERO));
        assert!(take_all(&mut [&mut wide, &mut tight], Time::ZERO, 65_536));
        assert!(!take_all(&mut [&mut wide, &mut tight], Time::ZERO, 2));
        assert!(take_all(&mut [&mut wide, &mut tight], Time::from_secs(2), 2));
    }

    proptest! {
        /// However often it is asked, it never grants more than burst + rate × time (and one debt).
        #[test]
        fn keeps_the_rate(rate in 1u64..50_000_000, steps in prop::collection::vec((0u64..50_000, 1u64..40_000), 1..200)) {
            let mut bucket = TokenBucket::new(Some(rate), Time::ZERO);
            let burst = burst_of(Some(rate));
            let (mut now, mut granted) = (Time::ZERO, 0u64);
            for (wait, n) in steps {
                now += Duration::from_micros(wait);
                if bucket.take(now, n) {
                    granted += n;
                } else {
                    let at = bucket.next_refill(now, n).expect("rate > 0");
                    prop_assert!(at > now);
                    prop_assert!(bucket.clone().take(at, n));
                }
            }
            let bound = u128::from(burst) + u128::from(now.0) * u128::from(rate) / MICROS + 1;
            prop_assert!(u128::from(granted) <= bound);
        }
    }
}
