//! A file of a release, read at a place or from a place on.

use crate::store::BlobContent;
use manifests::pack::Content as _;
use std::io::{self, Read};

/// Bytes read at once.
const BUF_LEN: usize = 256 * 1024;

/// One file.
pub(super) struct Reading<'a> {
    content: &'a BlobContent,
    file: u32,
    len: u64,
}

impl<'a> Reading<'a> {
    pub(super) fn new(content: &'a BlobContent, file: u32, len: u64) -> Reading<'a> {
        Reading { content, file, len }
    }

    /// Its length in bytes.
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// Fills `buf` from `offset`; false when there is less, or it cannot be read.
    pub(super) fn at(&self, offset: u64, buf: &mut [u8]) -> bool {
        let end = offset.checked_add(buf.len() as u64);
        end.is_some_and(|end| end <= self.len) && self.content.read_at(self.file, offset, buf).is_ok()
    }

    /// Up to `len` bytes from `offset`.
    pub(super) fn some(&self, offset: u64, len: usize) -> Vec<u8> {
        let mut buf = vec![0; len.min(usize::try_from(self.len.saturating_sub(offset)).unwrap_or(len))];
        if self.at(offset, &mut buf) { buf } else { Vec::new() }
    }

    /// All of it.
    pub(super) fn stream(&self) -> Stream<'_> {
        self.part(0, self.len)
    }

    /// `len` bytes from `offset`.
    pub(super) fn part(&self, offset: u64, len: u64) -> Stream<'_> {
        let end = offset.saturating_add(len).min(self.len);
        Stream { reading: self, next: offset.min(end), end, buf: Vec::new(), used: 0 }
    }
}

/// Bytes of a file in order.
pub(super) struct Stream<'a> {
    reading: &'a Reading<'a>,
    next: u64,
    end: u64,
    buf: Vec<u8>,
    used: usize,
}

impl Read for Stream<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.used == self.buf.len() {
            let step = usize::try_from(self.end - self.next).unwrap_or(BUF_LEN).min(BUF_LEN);
            self.buf.resize(step, 0);
            self.used = 0;
            if !self.reading.at(self.next, &mut self.buf) {
                self.buf.clear();
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.next += step as u64;
        }
        let rest = self.buf.get(self.used..).unwrap_or_default();
        let count = rest.len().min(out.len());
        if let (Some(to), Some(from)) = (out.get_mut(..count), rest.get(..count)) {
            to.copy_from_slice(from);
        }
        self.used += count;
        Ok(count)
    }
}

/// Fills `buf` as far as there is something; less only at the end. None when it cannot be read.
pub(super) fn fill(from: &mut dyn Read, buf: &mut [u8]) -> Option<usize> {
    let mut done = 0;
    while let Some(rest) = buf.get_mut(done..).filter(|rest| !rest.is_empty()) {
        match from.read(rest) {
            Ok(0) => break,
            Ok(count) => done += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return None,
        }
    }
    Some(done)
}
