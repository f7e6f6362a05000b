//! A rate that many tasks share.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// What may go at once after a rest, in bytes at least and as time at the rate.
const MIN_BURST_BYTES: u64 = 64 * 1024;
const BURST: Duration = Duration::from_millis(50);
/// The most that one turn should take when there is no limit, in bytes.
const MAX_QUANTUM: u64 = 512 * 1024;

/// Hands out bytes a second, first come, first served. Whoever takes bytes is told when its turn is; what has been
/// promised moves the next turn, so nobody can jump the queue and no waiter needs waking by another.
#[derive(Debug)]
pub struct Limiter {
    rate: watch::Sender<Option<u64>>,
    /// When the bytes promised so far will have flowed.
    promised_until: Mutex<Instant>,
}

impl Limiter {
    /// `rate` in bytes a second; `None` is unlimited, 0 lets nothing through.
    #[must_use]
    pub fn new(rate: Option<u64>) -> Limiter {
        Limiter { rate: watch::Sender::new(rate), promised_until: Mutex::new(Instant::now()) }
    }

    /// No limit, until one is set.
    #[must_use]
    pub fn unlimited() -> Limiter {
        Limiter::new(None)
    }

    /// The rate in bytes a second.
    #[must_use]
    pub fn rate(&self) -> Option<u64> {
        *self.rate.borrow()
    }

    /// Changes the rate. Those who wait are given new turns.
    pub fn set_rate(&self, rate: Option<u64>) {
        *self.promised_until.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        self.rate.send_if_modified(|old| std::mem::replace(old, rate) != rate);
    }

    /// How many bytes to take in one turn: little enough that others get theirs soon.
    #[must_use]
    pub fn quantum(&self) -> usize {
        let bytes = self.rate().map_or(MAX_QUANTUM, |rate| (rate / 50).clamp(16 * 1024, MAX_QUANTUM));
        usize::try_from(bytes).unwrap_or(usize::MAX)
    }

    /// Waits for the turn of `bytes` bytes. Given up half-way, its bytes are lost to everybody.
    pub async fn acquire(&self, bytes: usize) {
        if self.rate().is_none() {
            return;
        }
        let mut changes = self.rate.subscribe();
        loop {
            let rate = *changes.borrow_and_update();
            let changed = async {
                if changes.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
            };
            let Some(rate) = rate else { return };
            if rate == 0 {
                changed.await;
                continue;
            }
            let turn = self.promise(Instant::now(), bytes as u64, rate);
            tokio::select! {
                () = tokio::time::sleep_until(turn) => return,
                () = changed => {}
            }
        }
    }

    /// The moment from which the bytes may go.
    fn promise(&self, now: Instant, bytes: u64, rate: u64) -> Instant {
        let burst = BURST.max(flow(MIN_BURST_BYTES, rate));
        let mut until = self.promised_until.lock().unwrap_or_else(PoisonError::into_inner);
        let turn = (*until).max(now.checked_sub(burst).unwrap_or(now));
        *until = turn + flow(bytes, rate);
        turn
    }
}

/// How long bytes take at a rate that is not 0.
fn flow(bytes: u64, rate: u64) -> Duration {
    Duration::from_nanos(
        u64::try_from(u128::from(bytes) * 1_000_000_000 / u128::from(rate)).unwrap_or(u64::MAX),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn many_takers_get_the_rate_and_no_more() {
        let limiter = Limiter::new(Some(1_000_000));
        let start = Instant::now();
        // Five takers that come back as soon as their turn has been.
        let mut next = [start; 5];
        let (mut taken, mut now) = (0, start);
        while now < start + Duration::from_secs(10) {
            let taker = (0..5).min_by_key(|&i| next[i]).unwrap();
            now = now.max(next[taker]);
            next[taker] = limiter.promise(now, 50_000, 1_000_000);
            taken += 50_000;
        }
        assert!((10_000_000..10_500_000).contains(&taken), "{taken} bytes in 10 s at 1 MB/s");
    }

    #[test]
    fn a_rest_saves_up_no_more_than_a_burst() {
        let limiter = Limiter::new(Some(10_000_000));
        let later = Instant::now() + Duration::from_secs(3600);
        let waits: Vec<_> = (0..6).map(|_| limiter.promise(later, 250_000, 10_000_000)).collect();
        assert!(waits[..3].iter().all(|&turn| turn <= later), "50 ms are 500 kB, and what exceeds it a debt");
        assert_eq!(waits[5], later + Duration::from_millis(75));
    }

    #[tokio::test]
    async fn a_new_rate_counts_for_those_who_wait() {
        let limiter = Arc::new(Limiter::new(Some(0)));
        let waiting = tokio::spawn({
            let limiter = Arc::clone(&limiter);
            async move { limiter.acquire(1_000_000).await }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        limiter.set_rate(Some(1));
        tokio::task::yield_now().await;
        limiter.set_rate(None);
        waiting.await.unwrap();
        assert_eq!(limiter.quantum(), 512 * 1024);
    }
}
