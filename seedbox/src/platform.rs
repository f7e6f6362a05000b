//! What differs between operating systems, in one place.

use std::fs::{File, Metadata};
use std::io;

/// What tells that a file is still the one we looked at: changes whenever it is written to or replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    len: u64,
    modified_ns: i128,
    inode: u64,
    changed_ns: i128,
}

#[cfg(unix)]
mod imp {
    use super::{File, Metadata, Stamp, io};
    use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};

    pub(crate) fn stamp(meta: &Metadata) -> Stamp {
        let ns = |secs: i64, nanos: i64| i128::from(secs) * 1_000_000_000 + i128::from(nanos);
        Stamp {
            len: meta.len(),
            modified_ns: ns(meta.mtime(), meta.mtime_nsec()),
            inode: meta.ino(),
            changed_ns: ns(meta.ctime(), meta.ctime_nsec()),
        }
    }

    /// Whether the mode lets anybody execute the file; `None` where files have no mode.
    #[allow(clippy::unnecessary_wraps, reason = "the other platform has no answer")]
    pub(crate) fn executable_by_mode(meta: &Metadata) -> Option<bool> {
        Some(meta.permissions().mode() & 0o111 != 0)
    }

    pub(crate) fn read_at(file: &File, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        file.read_at(buf, offset)
    }

    pub(crate) fn write_all_at(file: &File, buf: &[u8], offset: u64) -> io::Result<()> {
        file.write_all_at(buf, offset)
    }

    /// Makes a rename in this folder survive a power cut.
    pub(crate) fn sync_dir(dir: &std::path::Path) -> io::Result<()> {
        crate::store::open_read(dir)?.sync_all()
    }

    /// Keeps a folder or file from other users.
    pub(crate) fn make_private(path: &std::path::Path) -> io::Result<()> {
        let meta = std::fs::metadata(path)?;
        let mode = if meta.is_dir() { 0o700 } else { 0o600 };
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
    }
}

#[cfg(windows)]
mod imp {
    use super::{File, Metadata, Stamp, io};
    use std::os::windows::fs::{FileExt, MetadataExt};

    pub(crate) fn stamp(meta: &Metadata) -> Stamp {
        Stamp {
            len: meta.len(),
            modified_ns: i128::from(meta.last_write_time()),
            inode: 0,
            changed_ns: i128::from(meta.creation_time()),
        }
    }

    pub(crate) fn executable_by_mode(_: &Metadata) -> Option<bool> {
        None
    }

    pub(crate) fn read_at(file: &File, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        file.seek_read(buf, offset)
    }

    pub(crate) fn write_all_at(file: &File, mut buf: &[u8], mut offset: u64) -> io::Result<()> {
        while !buf.is_empty() {
            let n = file.seek_write(buf, offset)?;
            if n == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            buf = buf.get(n..).unwrap_or_default();
            offset += n as u64;
        }
        Ok(())
    }

    /// NTFS journals its folders; there is nothing to ask for.
    pub(crate) fn sync_dir(_: &std::path::Path) -> io::Result<()> {
        Ok(())
    }

    /// A user's folders are private by inheritance.
    pub(crate) fn make_private(_: &std::path::Path) -> io::Result<()> {
        Ok(())
    }
}

pub(crate) use imp::{executable_by_mode, make_private, read_at, stamp, sync_dir, write_all_at};

/// Fills `buf` from `offset`; a file that ends before is an error.
pub(crate) fn read_exact_at(file: &File, buf: &mut [u8], offset: u64) -> io::Result<()> {
    let mut done = 0;
    while let Some(rest) = buf.get_mut(done..).filter(|rest| !rest.is_empty()) {
        match read_at(file, rest, offset + done as u64) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(n) => done += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// CPU-seconds of all threads of this process so far, where the system tells.
#[cfg(unix)]
#[allow(clippy::unnecessary_wraps, reason = "the other platform has no answer")]
pub(crate) fn cpu_s() -> Option<f64> {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Some(time.tv_sec as f64 + time.tv_nsec as f64 / 1e9)
}

/// CPU-seconds of all threads of this process so far, where the system tells.
#[cfg(not(unix))]
pub(crate) fn cpu_s() -> Option<f64> {
    None
}

/// The most memory this process has had in use, in bytes, where the system tells.
pub(crate) fn peak_memory() -> Option<u64> {
    let status = crate::store::read_bounded(std::path::Path::new("/proc/self/status"), 64 * 1024).ok()?;
    let text = String::from_utf8(status).ok()?;
    let kib = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    kib.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// The time of day, for metadata.
#[allow(clippy::disallowed_methods, reason = "what is signed carries the time at which it is signed")]
pub(crate) fn now() -> manifests::trust::UnixTime {
    manifests::trust::UnixTime::from_system(std::time::SystemTime::now())
}

/// For measuring how long something took.
#[allow(
    clippy::disallowed_methods,
    reason = "reports and the driver's clock; the protocol core is told the time"
)]
pub(crate) fn monotonic() -> std::time::Instant {
    std::time::Instant::now()
}
