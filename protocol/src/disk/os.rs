//! The two operating systems' positional reads and writes, and what each knows about a file's identity.

use super::FileStamp;
use std::fs::{File, Metadata};
use std::io::{self, IoSlice};

#[cfg(unix)]
pub(super) use unix::{read_exact_at, stamp, write_all_at};
#[cfg(windows)]
pub(super) use windows::{read_exact_at, stamp, write_all_at};

/// Most slices that one system call takes everywhere we run (`IOV_MAX` on Linux and macOS).
#[cfg(unix)]
const MAX_IOV: usize = 1024;

#[cfg(unix)]
mod unix {
    use super::{File, FileStamp, IoSlice, MAX_IOV, Metadata, io};
    use std::os::unix::fs::{FileExt, MetadataExt};

    pub(in crate::disk) fn read_exact_at(file: &File, buf: &mut [u8], offset: u64) -> io::Result<()> {
        file.read_exact_at(buf, offset)
    }

    pub(in crate::disk) fn write_all_at(
        file: &File,
        mut bufs: &mut [IoSlice<'_>],
        mut offset: u64,
    ) -> io::Result<()> {
        IoSlice::advance_slices(&mut bufs, 0); // drops empty slices in front
        while !bufs.is_empty() {
            let some = &bufs[..bufs.len().min(MAX_IOV)];
            let written = rustix::io::retry_on_intr(|| rustix::io::pwritev(file, some, offset))?;
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            offset += written as u64;
            IoSlice::advance_slices(&mut bufs, written);
        }
        Ok(())
    }

    pub(in crate::disk) fn stamp(meta: &Metadata) -> io::Result<FileStamp> {
        let secs = u64::try_from(meta.mtime()).unwrap_or(0);
        let nanos = u64::try_from(meta.mtime_nsec()).unwrap_or(0);
        let mtime_ns = secs.saturating_mul(1_000_000_000).saturating_add(nanos);
        Ok(FileStamp { len: meta.len(), mtime_ns, inode: meta.ino() })
    }
}

#[cfg(windows)]
mod windows {
    use super::{File, FileStamp, IoSlice, Metadata, io};
    use std::os::windows::fs::{FileExt, MetadataExt};

    pub(in crate::disk) fn read_exact_at(file: &File, mut buf: &mut [u8], mut offset: u64) -> io::Result<()> {
        while !buf.is_empty() {
            match file.seek_read(buf, offset) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(read) => {
                    buf = &mut buf[read..];
                    offset += read as u64;
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    /// Windows gathers only page-sized, unbuffered writes, so the slices are joined first: one copy costs less than
    /// many calls.
    pub(in crate::disk) fn write_all_at(
        file: &File,
        bufs: &mut [IoSlice<'_>],
        mut offset: u64,
    ) -> io::Result<()> {
        let joined;
        let mut rest: &[u8] = match &*bufs {
            [one] => one,
            many => {
                joined = many.iter().flat_map(|b| b.iter().copied()).collect::<Vec<u8>>();
                &joined
            }
        };
        while !rest.is_empty() {
            match file.seek_write(rest, offset) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    rest = &rest[written..];
                    offset += written as u64;
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    pub(in crate::disk) fn stamp(meta: &Metadata) -> io::Result<FileStamp> {
        // 100 ns units since 1601, wherever they begin: only equality matters.
        let mtime_ns = meta.last_write_time().saturating_mul(100);
        Ok(FileStamp { len: meta.len(), mtime_ns, inode: meta.creation_time() })
    }
}
