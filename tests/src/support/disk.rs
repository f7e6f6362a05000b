//! A disk that is soon full.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A file system in memory of a given size; unmounted when dropped.
#[derive(Debug)]
pub struct SmallDisk {
    at: PathBuf,
}

impl SmallDisk {
    /// Mounts it at a new folder. None, with a word about it, where this user may not mount.
    ///
    /// # Panics
    /// When the folder cannot be made.
    #[must_use]
    pub fn mount(at: &Path, kib: u32) -> Option<SmallDisk> {
        std::fs::create_dir_all(at).expect("a folder to mount at");
        let size = format!("size={kib}k");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(at).output();
        if mounted.is_ok_and(|mounted| mounted.status.success()) {
            return Some(SmallDisk { at: at.to_owned() });
        }
        eprintln!("left out: only root may mount a small disk, and not everywhere");
        None
    }

    /// Mounts it anew with these options, such as `size=20m` or `ro`.
    ///
    /// # Panics
    /// When that fails.
    pub fn remount(&self, options: &str) {
        let options = format!("remount,{options}");
        let done = Command::new("mount").args(["-o", &options]).arg(&self.at).status();
        assert!(done.is_ok_and(|done| done.success()), "cannot mount again with {options}");
    }
}

/// An NTFS file system in a file, mounted without telling upper and lower case apart; unmounted when dropped.
#[derive(Debug)]
pub struct CaselessDisk {
    at: PathBuf,
}

impl CaselessDisk {
    /// Makes it in `image` and mounts it at a new folder. None, with a word about it, where ntfs-3g is not installed or
    /// this user may not mount.
    ///
    /// # Panics
    /// When files cannot be made.
    #[must_use]
    pub fn mount(image: &Path, at: &Path, mib: u64) -> Option<CaselessDisk> {
        std::fs::create_dir_all(at).expect("a folder to mount at");
        std::fs::write(image, []).expect("a file for the disk");
        let file = std::fs::OpenOptions::new().write(true).open(image).expect("it is there");
        file.set_len(mib << 20).expect("a sparse file");
        let ran = |command: &mut Command| command.output().is_ok_and(|done| done.status.success());
        let made = ran(Command::new("mkntfs").args(["-q", "-F"]).arg(image));
        if made && ran(Command::new("lowntfs-3g").arg(image).arg(at).args(["-o", "ignore_case"])) {
            return Some(CaselessDisk { at: at.to_owned() });
        }
        eprintln!("left out: a folder that does not tell upper and lower case apart needs ntfs-3g, and root");
        None
    }
}

impl Drop for CaselessDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.at).status();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a program that is just being killed may still have a file open.
        let _ = Command::new("umount").arg("-l").arg(&self.at).status();
    }
}
