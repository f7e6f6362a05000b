//! The few things that differ between platforms when a folder is changed.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::Path;

use super::limits::Limits;

#[cfg(unix)]
mod imp {
    use super::*;
    #[cfg(target_os = "linux")]
    use crate::folder::Guard;
    use crate::folder::Meta;
    use cap_std::fs::{Dir, Metadata, PermissionsExt};
    use std::os::unix::fs::FileExt;

    pub(crate) fn read_at(file: &File, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        file.read_at(buf, offset)
    }

    pub(crate) fn write_all_at(file: &File, offset: u64, data: &[u8]) -> io::Result<()> {
        file.write_all_at(data, offset)
    }

    /// A single name needs no walk: one call, where the way that is safe for any path takes three.
    #[cfg(target_os = "linux")]
    pub(crate) fn stat(dir: &Dir, name: &str) -> io::Result<Meta> {
        use rustix::fs::{AtFlags, FileType, statat};
        let found = statat(dir, name, AtFlags::SYMLINK_NOFOLLOW)?;
        Ok(match FileType::from_raw_mode(found.st_mode) {
            FileType::Symlink => Meta::Link,
            FileType::Directory => Meta::Folder,
            FileType::RegularFile => {
                let seconds = found.st_mtime.saturating_mul(1_000_000_000);
                let guard = Guard {
                    len: u64::try_from(found.st_size).unwrap_or_default(),
                    mtime_ns: seconds.saturating_add(i64::try_from(found.st_mtime_nsec).unwrap_or_default()),
                    inode: found.st_ino,
                };
                Meta::File { guard, executable: Some(found.st_mode & 0o111 != 0) }
            }
            _ => Meta::Other,
        })
    }

    #[cfg(not(target_os = "linux"))]
    pub(crate) fn stat(dir: &Dir, name: &str) -> io::Result<Meta> {
        Ok(super::super::fs::meta_of(&dir.symlink_metadata(name)?))
    }

    /// Every file may have holes.
    #[allow(clippy::unnecessary_wraps, reason = "other platforms can fail")]
    pub(crate) fn set_sparse(_file: &File) -> io::Result<()> {
        Ok(())
    }

    /// Memory is cached in runs of pages up to this long. One that is only partly within what is named is kept.
    #[cfg(target_os = "linux")]
    const LONGEST_RUN: u64 = 2 << 20;

    #[cfg(target_os = "linux")]
    pub(crate) fn uncache(file: &File, range: Range<u64>) {
        let start = range.start / LONGEST_RUN * LONGEST_RUN;
        let len = range.end.next_multiple_of(LONGEST_RUN).saturating_sub(start);
        // It is a hint: what stays costs nothing but what it would have cost.
        if let Some(len) = std::num::NonZeroU64::new(len) {
            let _ = rustix::fs::fadvise(file, start, Some(len), rustix::fs::Advice::DontNeed);
        }
    }

    #[cfg(not(target_os = "linux"))]
    pub(crate) fn uncache(_file: &File, _range: Range<u64>) {}

    /// `st_blocks` counts 512 bytes each, whatever the file system's own blocks are.
    pub(crate) fn allocated(file: &File) -> io::Result<Option<u64>> {
        use std::os::unix::fs::MetadataExt;
        Ok(Some(file.metadata()?.blocks().saturating_mul(512)))
    }

    /// Whether a file can be cloned into another here at all.
    pub(crate) const CLONES: bool = cfg!(target_os = "linux");

    /// Makes the empty file `to` share what `from` has; `false` where the file system cannot, or not for these two.
    #[cfg(target_os = "linux")]
    pub(crate) fn clone_into(to: &cap_std::fs::File, from: &cap_std::fs::File) -> io::Result<bool> {
        use io::ErrorKind as Kind;
        match rustix::fs::ioctl_ficlone(to, from).map_err(io::Error::from) {
            Ok(()) => Ok(true),
            Err(error) if error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error()) => Err(error),
            Err(error) if matches!(error.kind(), Kind::StorageFull | Kind::QuotaExceeded) => Err(error),
            // Each file system has its own way to say no; a copy works wherever a clone does not.
            Err(_) => Ok(false),
        }
    }

    #[cfg(not(target_os = "linux"))]
    #[allow(clippy::unnecessary_wraps, reason = "other platforms can fail")]
    pub(crate) fn clone_into(_to: &cap_std::fs::File, _from: &cap_std::fs::File) -> io::Result<bool> {
        Ok(false)
    }

    pub(crate) fn inode(meta: &Metadata) -> u64 {
        cap_fs_ext::MetadataExt::ino(meta)
    }

    pub(crate) fn names(meta: &Metadata) -> u64 {
        cap_fs_ext::MetadataExt::nlink(meta)
    }

    pub(crate) fn executable(meta: &Metadata) -> Option<bool> {
        Some(meta.permissions().mode() & 0o111 != 0)
    }

    /// Who may read may execute: the umask of the player stays respected.
    pub(crate) fn set_executable(dir: &Dir, name: &str, on: bool) -> io::Result<()> {
        let file = super::super::fs::open_nofollow(dir, name, super::super::fs::Access::Read)?;
        let mut permissions = file.metadata()?.permissions();
        let mode = permissions.mode();
        let wanted = if on { mode | (mode & 0o444) >> 2 } else { mode & !0o111 };
        if wanted != mode {
            permissions.set_mode(wanted);
            file.set_permissions(permissions)?;
        }
        Ok(())
    }

    pub(crate) fn symlink(dir: &Dir, target: &str, name: &str) -> io::Result<()> {
        dir.symlink(target, name)
    }

    /// Names become durable with the folder that holds them.
    pub(crate) fn sync_dir(dir: &Dir) -> io::Result<()> {
        dir.open(".")?.sync_all()
    }

    pub(crate) fn writable(dir: &Dir) -> bool {
        use cap_fs_ext::{AccessType, DirExt};
        let modes = cap_primitives::fs::AccessModes { readable: false, writable: true, executable: true };
        dir.access(".", AccessType::Access(modes)).is_ok()
    }

    /// Whether the file carries no mark (`chattr +i`, `+a`) that forbids even its owner to replace it.
    #[cfg(target_os = "linux")]
    pub(crate) fn replaceable(dir: &Dir, name: &str) -> bool {
        use rustix::fs::{AtFlags, StatxAttributes, StatxFlags, statx};
        let about = statx(dir, name, AtFlags::SYMLINK_NOFOLLOW, StatxFlags::TYPE);
        let marks = StatxAttributes::IMMUTABLE | StatxAttributes::APPEND;
        about.map_or(true, |about| !about.stx_attributes.intersects(marks))
    }

    #[cfg(not(target_os = "linux"))]
    pub(crate) fn replaceable(_dir: &Dir, _name: &str) -> bool {
        true
    }

    /// `PATH_MAX`, the NUL at its end included: what a game can hand to the system.
    const PATH_BYTES_MAX: u64 = 4096;

    /// The limits of the file system under `dir`, which lies at `path`.
    pub(crate) fn limits(dir: &Dir, path: &Path) -> Limits {
        use std::os::unix::ffi::OsStrExt;
        let at = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        // The NUL, and the slash between.
        let used = at.as_os_str().as_bytes().len() as u64 + 2;
        let path_units_left = Some(PATH_BYTES_MAX.saturating_sub(used));
        let name_bytes_max =
            rustix::fs::fstatvfs(dir).ok().map(|about| about.f_namemax).filter(|max| *max > 0);
        Limits { path_units_left, name_bytes_max, ..by_kind(dir) }
    }

    /// FAT takes files up to one byte less than 4 GiB; neither it nor exFAT has links.
    #[cfg(target_os = "linux")]
    fn by_kind(dir: &Dir) -> Limits {
        const FAT: u64 = 0x4d44;
        const EXFAT: u64 = 0x2011_bab0;
        #[allow(clippy::useless_conversion, reason = "another type on other systems")]
        let kind = rustix::fs::fstatfs(dir).map_or(0, |about| i64::from(about.f_type).cast_unsigned());
        match kind {
            FAT => Limits { file_len_max: Some(u64::from(u32::MAX)), links: false, ..Limits::default() },
            EXFAT => Limits { links: false, ..Limits::default() },
            _ => Limits::default(),
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn by_kind(_dir: &Dir) -> Limits {
        Limits::default()
    }

    /// A file marked read-only does not stand in the way of a rename here.
    pub(crate) fn make_replaceable(_dir: &Dir, _name: &str) -> io::Result<()> {
        Ok(())
    }

    /// `ELOOP`: a link where a folder was expected.
    pub(crate) fn is_loop(error: &io::Error) -> bool {
        error.raw_os_error() == Some(if cfg!(target_os = "linux") { 40 } else { 62 })
    }

    /// Files are not locked by being open.
    pub(crate) fn is_locked(error: &io::Error) -> bool {
        error.kind() == io::ErrorKind::ExecutableFileBusy
    }
}

#[cfg(windows)]
mod imp {
    use super::*;
    use crate::folder::Meta;
    use cap_std::fs::{Dir, Metadata};
    use std::os::windows::fs::FileExt;

    pub(crate) fn read_at(file: &File, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        match file.seek_read(buf, offset) {
            // ERROR_HANDLE_EOF: reading at the end is no error elsewhere.
            Err(error) if error.raw_os_error() == Some(38) => Ok(0),
            other => other,
        }
    }

    pub(crate) fn write_all_at(file: &File, mut offset: u64, mut data: &[u8]) -> io::Result<()> {
        while !data.is_empty() {
            let written = file.seek_write(data, offset)?;
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            data = data.get(written..).unwrap_or_default();
            offset += written as u64;
        }
        Ok(())
    }

    pub(crate) fn stat(dir: &Dir, name: &str) -> io::Result<Meta> {
        Ok(super::super::fs::meta_of(&dir.symlink_metadata(name)?))
    }

    /// NTFS writes zeros into every gap of a file that was not marked so.
    #[allow(unsafe_code, reason = "the call has no safe wrapper; no buffer is handed over")]
    pub(crate) fn set_sparse(file: &File) -> io::Result<()> {
        use std::os::windows::io::AsRawHandle;
        use windows_sys::Win32::Foundation::{
            ERROR_CALL_NOT_IMPLEMENTED, ERROR_INVALID_FUNCTION, ERROR_INVALID_PARAMETER, ERROR_NOT_SUPPORTED,
        };
        use windows_sys::Win32::System::{IO::DeviceIoControl, Ioctl::FSCTL_SET_SPARSE};
        let (none, mut returned) = (std::ptr::null_mut(), 0u32);
        // SAFETY: the handle is open for the whole call; empty input means "sparse", and there is no output but the
        // count, which outlives the call.
        let done = unsafe {
            DeviceIoControl(
                file.as_raw_handle(),
                FSCTL_SET_SPARSE,
                none,
                0,
                none,
                0,
                &raw mut returned,
                std::ptr::null_mut(),
            )
        };
        if done != 0 {
            return Ok(());
        }
        let error = io::Error::last_os_error();
        match error.raw_os_error().map(i32::cast_unsigned) {
            // FAT, exFAT and most network folders; the file is then filled with zeros.
            Some(
                ERROR_INVALID_FUNCTION
                | ERROR_NOT_SUPPORTED
                | ERROR_INVALID_PARAMETER
                | ERROR_CALL_NOT_IMPLEMENTED,
            ) => Ok(()),
            _ => Err(error),
        }
    }

    pub(crate) fn uncache(_file: &File, _range: Range<u64>) {}

    #[allow(clippy::unnecessary_wraps, reason = "other platforms can fail")]
    pub(crate) fn allocated(_file: &File) -> io::Result<Option<u64>> {
        Ok(None)
    }

    /// Only ReFS could.
    pub(crate) const CLONES: bool = false;

    #[allow(clippy::unnecessary_wraps, reason = "other platforms can fail")]
    pub(crate) fn clone_into(_to: &cap_std::fs::File, _from: &cap_std::fs::File) -> io::Result<bool> {
        Ok(false)
    }

    /// Not to be had in stable Rust; size and time are compared alone.
    pub(crate) fn inode(_meta: &Metadata) -> u64 {
        0
    }

    /// Not to be had in stable Rust.
    pub(crate) fn names(_meta: &Metadata) -> u64 {
        1
    }

    /// There is no such bit.
    pub(crate) fn executable(_meta: &Metadata) -> Option<bool> {
        None
    }

    pub(crate) fn set_executable(_dir: &Dir, _name: &str, _on: bool) -> io::Result<()> {
        Ok(())
    }

    pub(crate) fn symlink(dir: &Dir, target: &str, name: &str) -> io::Result<()> {
        dir.symlink_file(target.replace('/', "\\"), name)
    }

    /// NTFS journals its folders; there is no call for it.
    pub(crate) fn sync_dir(_dir: &Dir) -> io::Result<()> {
        Ok(())
    }

    pub(crate) fn writable(_dir: &Dir) -> bool {
        true
    }

    /// A read-only mark is taken away when the file is replaced.
    pub(crate) fn replaceable(_dir: &Dir, _name: &str) -> bool {
        true
    }

    /// Asks for the right to rename or remove it and for that to write it, and lets go of them again. Programs that forbid
    /// the one need not forbid the other: most let others write, and none rename.
    pub(crate) fn unheld(dir: &Dir, name: &str) -> io::Result<()> {
        use cap_std::fs::{OpenOptions, OpenOptionsExt};
        use windows_sys::Win32::Storage::FileSystem::{
            DELETE, FILE_FLAG_BACKUP_SEMANTICS, FILE_FLAG_OPEN_REPARSE_POINT, FILE_WRITE_DATA,
        };
        let ask = |access| {
            let mut options = OpenOptions::new();
            let flags = FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_OPEN_REPARSE_POINT;
            options.read(true).access_mode(access).custom_flags(flags);
            match dir.open_with(name, &options) {
                // Marked read-only, or not ours at all: said where it is tried in earnest.
                Err(error) if is_locked(&error) => Err(error),
                _ => Ok(()),
            }
        };
        ask(DELETE)?;
        ask(FILE_WRITE_DATA)
    }

    /// `MAX_PATH` without the NUL at its end: most games know no longer paths, whatever the system is set to.
    const PATH_UNITS_MAX: u64 = 259;

    /// Kind and limits of a file system are told by no safe call: what it cannot hold is told when it is written.
    pub(crate) fn limits(_dir: &Dir, path: &Path) -> Limits {
        use std::os::windows::ffi::OsStrExt;
        let at = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let long = at.as_os_str().encode_wide().count() as u64;
        // Without the `\\?\` that makes it canonical, with the `\` between.
        let used = if at.to_string_lossy().starts_with(r"\\?\") { long.saturating_sub(4) } else { long } + 1;
        Limits {
            path_units_left: Some(PATH_UNITS_MAX.saturating_sub(used)),
            utf16: true,
            ..Limits::default()
        }
    }

    pub(crate) fn make_replaceable(dir: &Dir, name: &str) -> io::Result<()> {
        let Ok(meta) = dir.symlink_metadata(name) else { return Ok(()) };
        let mut permissions = meta.permissions();
        if meta.is_file() && permissions.readonly() {
            permissions.set_readonly(false);
            dir.set_permissions(name, permissions)?;
        }
        Ok(())
    }

    pub(crate) fn is_loop(_error: &io::Error) -> bool {
        false
    }

    /// ERROR_SHARING_VIOLATION, ERROR_LOCK_VIOLATION, ERROR_USER_MAPPED_FILE: another program has the file open.
    pub(crate) fn is_locked(error: &io::Error) -> bool {
        matches!(error.raw_os_error(), Some(32 | 33 | 1224))
    }
}

pub(crate) use imp::*;
