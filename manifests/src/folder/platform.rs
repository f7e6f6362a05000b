//! The few things that differ between platforms when a folder is changed.

use std::fs::File;
use std::io;

#[cfg(unix)]
mod imp {
    use super::*;
    use cap_std::fs::{Dir, Metadata, PermissionsExt};
    use std::os::unix::fs::FileExt;

    pub(crate) fn read_at(file: &File, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        file.read_at(buf, offset)
    }

    pub(crate) fn write_all_at(file: &File, offset: u64, data: &[u8]) -> io::Result<()> {
        file.write_all_at(data, offset)
    }

    pub(crate) fn inode(meta: &Metadata) -> u64 {
        cap_fs_ext::MetadataExt::ino(meta)
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

    /// Not to be had in stable Rust; size and time are compared alone.
    pub(crate) fn inode(_meta: &Metadata) -> u64 {
        0
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
