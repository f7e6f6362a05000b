//! A JPEG file, its coefficients coded anew by `lepton_jpeg` (about a fifth smaller) and put back bit for bit.

use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};

use lepton_jpeg::{EnabledFeatures, SingleThreadPool, decode_lepton, encode_lepton};

use super::{CodecError, refused};

/// Most bytes of coefficients: they are all in memory at once.
const MAX_COEFFICIENT_BYTES: u64 = 24 << 20;

/// One partition, one thread: the same bytes on every machine, and no more memory than one image takes.
fn features() -> EnabledFeatures {
    EnabledFeatures {
        max_partitions: 1,
        max_processor_threads: 1,
        max_jpeg_file_size: crate::pack::MAX_SEGMENT_BYTES,
        ..EnabledFeatures::compat_lepton_vector_write()
    }
}

/// The file coded anew.
pub(super) fn open(file: &[u8]) -> Option<Vec<u8>> {
    if coefficient_bytes(file)? > MAX_COEFFICIENT_BYTES {
        return None;
    }
    let work = || {
        let mut out = Cursor::new(Vec::with_capacity(file.len()));
        let done = encode_lepton(&mut Cursor::new(file), &mut out, &features(), &SingleThreadPool::default());
        done.ok().map(|_| out.into_inner())
    };
    catch_unwind(AssertUnwindSafe(work)).ok()?
}

/// The file again, at most `room` bytes.
pub(super) fn close(coded: &[u8], room: usize) -> Result<Vec<u8>, CodecError> {
    let mut out = Bounded { bytes: Vec::new(), room };
    decode_lepton(&mut Cursor::new(coded), &mut out, &features(), &SingleThreadPool::default())
        .map_err(|_| refused("a JPEG cannot be rebuilt"))?;
    Ok(out.bytes)
}

/// Refuses to grow beyond its room.
struct Bounded {
    bytes: Vec<u8>,
    room: usize,
}

impl std::io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if bytes.len() > self.room.saturating_sub(self.bytes.len()) {
            return Err(std::io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// What its coefficients take in memory, by the frame header (ITU T.81, B.2.2): two bytes a sample, as if no component
/// was subsampled.
fn coefficient_bytes(file: &[u8]) -> Option<u64> {
    let mut rest = file.strip_prefix(&[0xFF, 0xD8])?;
    loop {
        let [0xFF, marker, high, low, ..] = rest else { return None };
        let len = usize::from(u16::from_be_bytes([*high, *low]));
        if matches!(marker, 0xC0..=0xC2) {
            let [_, _, _, _, _, h1, h0, w1, w0, components, ..] = rest else { return None };
            let (height, width) = (u16::from_be_bytes([*h1, *h0]), u16::from_be_bytes([*w1, *w0]));
            return Some(u64::from(height) * u64::from(width) * u64::from(*components) * 2);
        }
        if matches!(marker, 0xC3 | 0xC5..=0xC7 | 0xC9..=0xCF | 0xD9 | 0xDA) {
            return None;
        }
        rest = rest.get(len.checked_add(2)?..)?;
    }
}
