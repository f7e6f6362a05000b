//! What a peer asks of us.

use std::collections::VecDeque;

use super::pipeline::Meter;
use crate::units::{BlockRef, Time};

/// One request of the peer.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// What.
    pub block: BlockRef,
    /// Since when.
    pub at: Time,
}

/// The queue of a peer's requests, and how fast we serve it.
pub struct Uploads {
    queue: VecDeque<Wanted>,
    /// Bytes in the driver's hands: as it said last, plus what was handed over since.
    pub queued_bytes: usize,
    /// Payload handed over in all.
    pub sent_bytes: u64,
    /// How fast.
    pub rate: Meter,
}

impl Uploads {
    pub(super) fn new(now: Time) -> Uploads {
        Uploads { queue: VecDeque::new(), queued_bytes: 0, sent_bytes: 0, rate: Meter::new(now) }
    }

    /// How many requests wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// Whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// The requests, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &Wanted> {
        self.queue.iter()
    }

    /// Adds a request.
    pub fn push(&mut self, block: BlockRef, at: Time) {
        self.queue.push_back(Wanted { block, at });
    }

    /// Takes a request back; false if it is not there (served already, or never made).
    pub fn cancel(&mut self, block: BlockRef) -> bool {
        self.queue.iter().position(|w| w.block == block).is_some_and(|at| self.queue.remove(at).is_some())
    }

    /// Takes the request at a position.
    pub fn take(&mut self, at: usize) -> Option<BlockRef> {
        self.queue.remove(at).map(|w| w.block)
    }

    /// Takes all requests that match.
    pub fn drain_where(&mut self, mut matches: impl FnMut(&BlockRef) -> bool) -> Vec<BlockRef> {
        let (mut out, mut rest) = (Vec::new(), VecDeque::new());
        for wanted in self.queue.drain(..) {
            if matches(&wanted.block) { out.push(wanted.block) } else { rest.push_back(wanted) }
        }
        self.queue = rest;
        out
    }

    /// A block was handed to the driver.
    pub fn handed_over(&mut self, len: u32, now: Time) {
        self.queued_bytes += len as usize + 13;
        self.sent_bytes += u64::from(len);
        self.rate.add(now, u64::from(len));
    }
}
