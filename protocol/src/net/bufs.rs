//! Receive buffers. Blocks are slices of the buffer they were received in, so a buffer is free again only when the
//! last of them is on disk; here such buffers wait until they are, instead of being given back to the allocator.

use bytes::BytesMut;
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

/// Length of a receive buffer, in bytes: some sixteen blocks for each system call.
pub(super) const RECV_LEN: usize = 256 * 1024;
/// Buffers kept, free or not.
const MAX_KEPT: usize = 256;
/// How many of the oldest are looked at for one that is free.
const LOOK_AT: usize = 8;

/// A pool of receive buffers. Idle connections hold none.
#[derive(Debug, Default)]
pub(super) struct RecvBufs {
    kept: Mutex<VecDeque<BytesMut>>,
}

impl RecvBufs {
    /// An empty buffer with room for at least [`RECV_LEN`] bytes.
    pub(super) fn take(&self) -> BytesMut {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        for _ in 0..kept.len().min(LOOK_AT) {
            let Some(mut buf) = kept.pop_front() else { break };
            if buf.try_reclaim(RECV_LEN) {
                return buf;
            }
            kept.push_back(buf);
        }
        BytesMut::with_capacity(RECV_LEN)
    }

    /// Gives a buffer back, though slices of it may still be in use.
    pub(super) fn give(&self, mut buf: BytesMut) {
        buf.clear();
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < MAX_KEPT {
            kept.push_back(buf);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_used_again_once_no_slice_is_left() {
        let bufs = RecvBufs::default();
        let mut buf = bufs.take();
        buf.extend_from_slice(&[7; 1000]);
        let block = buf.split_to(900).freeze();
        let start = block.as_ptr();
        bufs.give(buf);
        let other = bufs.take();
        assert_ne!(other.as_ptr(), start, "the block is still in use");
        drop(block);
        let again = bufs.take();
        assert_eq!((again.as_ptr(), again.len()), (start, 0));
        assert!(again.capacity() >= RECV_LEN);
    }
}
