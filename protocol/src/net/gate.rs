//! Which files peers may be served from now, and who is reading. A file that is about to be written in place is closed
//! first: what is being read then is read to its end, and nothing after it.

use crate::units::FileIndex;
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

#[derive(Debug, Default)]
pub(super) struct Gate {
    state: Mutex<State>,
    /// Whether any file is closed: looked at without the lock.
    any: AtomicBool,
    left: Notify,
}

#[derive(Debug, Default)]
struct State {
    closed: HashSet<FileIndex>,
    /// How many are reading each file.
    reading: HashMap<FileIndex, usize>,
}

/// Leave to read some files; given back when dropped.
#[derive(Debug)]
pub(super) struct Pass {
    gate: Arc<Gate>,
    files: Vec<FileIndex>,
}

impl Gate {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn close(&self, file: FileIndex) {
        self.state().closed.insert(file);
        self.any.store(true, Ordering::Release);
    }

    pub(super) fn open(&self, file: FileIndex) {
        let mut state = self.state();
        state.closed.remove(&file);
        self.any.store(!state.closed.is_empty(), Ordering::Release);
    }

    /// Whether one of these is closed, for who reads at once.
    pub(super) fn is_closed(&self, mut files: impl Iterator<Item = FileIndex>) -> bool {
        self.any.load(Ordering::Acquire) && {
            let state = self.state();
            files.any(|file| state.closed.contains(&file))
        }
    }

    /// Leave to read these; `None` when one is closed and what is read is for peers.
    pub(super) fn enter(self: &Arc<Self>, files: Vec<FileIndex>, for_peers: bool) -> Option<Pass> {
        let mut state = self.state();
        if for_peers && files.iter().any(|file| state.closed.contains(file)) {
            return None;
        }
        for &file in &files {
            *state.reading.entry(file).or_insert(0) += 1;
        }
        drop(state);
        Some(Pass { gate: Arc::clone(self), files })
    }

    /// Returns when nobody reads any of these.
    pub(super) async fn drained(&self, files: &[FileIndex]) {
        loop {
            let left = self.left.notified();
            tokio::pin!(left);
            // From here on nobody leaves unnoticed.
            left.as_mut().enable();
            if !files.iter().any(|file| self.state().reading.contains_key(file)) {
                return;
            }
            left.await;
        }
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        let mut state = self.gate.state();
        for file in &self.files {
            match state.reading.get_mut(file) {
                Some(count) if *count > 1 => *count -= 1,
                _ => {
                    state.reading.remove(file);
                }
            }
        }
        drop(state);
        self.gate.left.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: FileIndex = FileIndex(1);
    const TWO: FileIndex = FileIndex(2);

    #[test]
    fn a_closed_file_is_not_read_for_peers_until_it_is_open_again() {
        let gate = Arc::new(Gate::default());
        gate.close(ONE);
        assert!(gate.enter(vec![TWO, ONE], true).is_none());
        assert!(gate.enter(vec![TWO], true).is_some());
        assert!(gate.enter(vec![ONE], false).is_some(), "our own hashing goes on");
        assert!(gate.is_closed([TWO, ONE].into_iter()) && !gate.is_closed([TWO].into_iter()));
        gate.open(ONE);
        assert!(gate.enter(vec![ONE], true).is_some() && !gate.is_closed([ONE].into_iter()));
        assert!(gate.state().reading.is_empty(), "whoever leaves is forgotten");
    }

    #[tokio::test]
    async fn whoever_reads_is_waited_for() {
        let gate = Arc::new(Gate::default());
        let passes = [gate.enter(vec![ONE, TWO], true), gate.enter(vec![ONE], true)];
        gate.close(ONE);
        let files = [ONE];
        let drained = gate.drained(&files);
        tokio::pin!(drained);
        for pass in passes {
            assert!(futures_util::poll!(drained.as_mut()).is_pending());
            drop(pass);
        }
        assert!(futures_util::poll!(drained.as_mut()).is_ready());
        gate.drained(&[ONE, TWO, FileIndex(3)]).await;
    }
}
