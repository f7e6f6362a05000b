//! What differs between systems.

use std::io;
use std::path::Path;

use cap_std::fs::Dir;

/// Makes a folder's entries durable. Windows has no such call: its journal orders them.
#[cfg(unix)]
pub(crate) fn sync_dir(dir: &Dir) -> io::Result<()> {
    dir.open(".")?.sync_all()
}

/// See the Unix version.
#[cfg(not(unix))]
pub(crate) fn sync_dir(_dir: &Dir) -> io::Result<()> {
    Ok(())
}

/// Hides a folder from the player's file manager where a leading dot alone does not.
#[cfg(windows)]
pub(crate) fn hide(path: &Path) {
    // The attribute needs an unsafe call or a program; the program is part of every Windows, and a folder that
    // stays visible harms nobody.
    let _ = std::process::Command::new("attrib").arg("+h").arg(path).output();
}

/// See the Windows version.
#[cfg(not(windows))]
pub(crate) fn hide(_path: &Path) {}
