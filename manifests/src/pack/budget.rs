//! How much memory encoders take together: threads wait for each other rather than take more.

use std::sync::{Condvar, Mutex, PoisonError};

use super::Level;

/// What all encoders may take at a time, in bytes: what is left of 1.5 GiB beside the index of the base, the plan and
/// frames that wait to be written.
pub(super) const ENCODERS_BYTES: u64 = 1 << 30;

/// About the most an encoder takes for a segment with its prefix, `len` bytes together.
pub(super) fn need(level: Level, len: u64) -> u64 {
    let window = len.next_power_of_two();
    match level {
        // Tables of fixed size, and the bytes in and out.
        Level::Fast => (16 << 20) + 4 * len,
        Level::Normal => (64 << 20) + 4 * len,
        // zstd's binary tree has two links for every byte of the window, and one entry of its hash; LZMA's trees and
        // sorted suffixes take less, after it.
        Level::Best => 12 * window + 4 * len,
    }
}

/// Bytes that can be taken.
#[derive(Debug)]
pub(super) struct Budget {
    all: u64,
    left: Mutex<u64>,
    given_back: Condvar,
}

/// Bytes taken, until dropped.
#[derive(Debug)]
pub(super) struct Room<'a> {
    budget: &'a Budget,
    bytes: u64,
}

impl Budget {
    pub(super) fn new(all: u64) -> Self {
        Self { all, left: Mutex::new(all), given_back: Condvar::new() }
    }

    /// Waits until there are `bytes`; who needs more than there are at all gets everything, and works alone.
    pub(super) fn take(&self, bytes: u64) -> Room<'_> {
        let bytes = bytes.min(self.all);
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        while *left < bytes {
            left = self.given_back.wait(left).unwrap_or_else(PoisonError::into_inner);
        }
        *left -= bytes;
        Room { budget: self, bytes }
    }
}

impl Drop for Room<'_> {
    fn drop(&mut self) {
        *self.budget.left.lock().unwrap_or_else(PoisonError::into_inner) += self.bytes;
        self.budget.given_back.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pack::{MAX_PREFIX_BYTES, MAX_SEGMENT_BYTES};
    use std::sync::atomic::{AtomicU64, Ordering};

    #[test]
    fn never_is_more_taken_than_there_is() {
        let (budget, taken) = (Budget::new(100), AtomicU64::new(0));
        std::thread::scope(|scope| {
            for thread in 0..8u64 {
                let (budget, taken) = (&budget, &taken);
                scope.spawn(move || {
                    for round in 0..200 {
                        // Some want more than there is.
                        let bytes = (thread * 31 + round * 17) % 130;
                        let room = budget.take(bytes);
                        assert!(taken.fetch_add(room.bytes, Ordering::SeqCst) + room.bytes <= 100);
                        taken.fetch_sub(room.bytes, Ordering::SeqCst);
                    }
                });
            }
        });
        assert_eq!(*budget.left.lock().unwrap(), 100);
    }

    #[test]
    fn the_largest_segment_fits() {
        let largest = u64::from(MAX_PREFIX_BYTES) + u64::from(MAX_SEGMENT_BYTES);
        for level in [Level::Fast, Level::Normal, Level::Best] {
            assert!(need(level, largest) <= ENCODERS_BYTES, "{level:?}");
        }
        // And sixteen cores have work at the levels for every day.
        assert!(16 * need(Level::Fast, MAX_SEGMENT_BYTES.into()) <= ENCODERS_BYTES);
    }
}
