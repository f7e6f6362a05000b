//! Buffers for reading that come back when the last slice of them is gone, so that a busy seeder neither asks the
//! allocator for fresh pages nor zeroes the same memory for every block.

use bytes::Bytes;
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// Length of a pooled buffer, in bytes; longer reads get memory of their own.
const BUF_LEN: usize = 512 * 1024;
/// Buffers kept for reuse.
const MAX_SPARE: usize = 32;

type Spare = Mutex<Vec<Vec<u8>>>;

/// A pool of read buffers; a clone is the same pool.
#[derive(Clone, Debug, Default)]
pub struct ReadBufs {
    spare: Arc<Spare>,
}

impl ReadBufs {
    /// A buffer of exactly `len` bytes, whose content is arbitrary.
    #[must_use]
    pub fn take(&self, len: usize) -> ReadBuf {
        if len > BUF_LEN {
            return ReadBuf { buf: vec![0; len], len, home: Weak::new() };
        }
        let spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let buf = spare.unwrap_or_else(|| vec![0; BUF_LEN]);
        ReadBuf { buf, len, home: Arc::downgrade(&self.spare) }
    }
}

/// A buffer on loan.
#[derive(Debug)]
pub struct ReadBuf {
    buf: Vec<u8>,
    len: usize,
    home: Weak<Spare>,
}

impl ReadBuf {
    /// Ends the writing; the memory returns to its pool with the last slice.
    #[must_use]
    pub fn freeze(self) -> Bytes {
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for ReadBuf {
    fn as_ref(&self) -> &[u8] {
        &self.buf[..self.len]
    }
}

impl AsMut<[u8]> for ReadBuf {
    fn as_mut(&mut self) -> &mut [u8] {
        &mut self.buf[..self.len]
    }
}

impl Drop for ReadBuf {
    fn drop(&mut self) {
        let Some(home) = self.home.upgrade() else { return };
        let mut spare = home.lock().unwrap_or_else(PoisonError::into_inner);
        if spare.len() < MAX_SPARE {
            spare.push(std::mem::take(&mut self.buf));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_comes_back_with_the_last_slice() {
        let bufs = ReadBufs::default();
        let mut buf = bufs.take(10);
        buf.as_mut().copy_from_slice(b"0123456789");
        let bytes = buf.freeze();
        let slice = bytes.slice(3..5);
        drop(bytes);
        assert_eq!(bufs.spare.lock().unwrap().len(), 0);
        assert_eq!(&slice[..], b"34");
        drop(slice);
        assert_eq!(bufs.spare.lock().unwrap().len(), 1);
        assert_eq!(bufs.take(BUF_LEN + 1).as_ref().len(), BUF_LEN + 1);
        assert_eq!(bufs.spare.lock().unwrap().len(), 1, "too long to be pooled");
    }
}
