//! Builds of a real game, where `tests/scripts/builds` has put them.

use std::env;
use std::path::PathBuf;

/// Three releases of freeciv with their folders, oldest first. None, with a word about it, where they are not to be had:
/// `tests/run` fetches them, says when it could not, and sets `SAMARA_FREECIV` when it did.
///
/// # Panics
/// When `tests/run` says that they are there and they are not.
#[must_use]
pub fn freeciv() -> Option<Vec<(&'static str, PathBuf)>> {
    let cache = || env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = || env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    let builds = env::var_os("SAMARA_BUILDS").map(PathBuf::from);
    let folder = builds.or_else(|| cache().or_else(home).map(|cache| cache.join("samara-builds")))?;
    let builds = ["3.0.6", "3.1.4", "3.2.6"].map(|version| (version, folder.join("freeciv").join(version)));
    if builds.iter().all(|(_, build)| build.is_dir()) {
        return Some(builds.into());
    }
    assert!(env::var_os("SAMARA_FREECIV").is_none(), "no builds of freeciv in {}", folder.display());
    eprintln!("left out: no builds of freeciv here; tests/scripts/builds freeciv fetches them");
    None
}
