//! Packs of a release: which bases they start from, how one is made, proven and described.
//!
//! Both releases are read from the repository's own store, never from a build folder: what is packed is what was
//! hashed. A pack is believed only after it was applied, frame by frame, and every file it rebuilds was hashed.

mod popular;
mod bases;
mod proof;
mod make;

pub use bases::{Bases, Full};
pub(crate) use bases::{Release, choose, empty_list};
pub(crate) use make::{Made, Maker, Packed, full_worth, threads, torrent_path};
pub use make::{PackMade, Segments};
pub use popular::Popular;
pub(crate) use proof::Told;

#[cfg(test)]
pub(crate) use proof::proven;

pub use manifests::pack::Level;

use crate::error::{Error, Result};

/// How packs are made.
#[derive(Clone, Debug)]
pub struct PackOptions {
    /// What they start from.
    pub bases: Bases,
    /// Whether a pack is made that starts from nothing.
    pub full: Full,
    /// How hard to try.
    pub level: Level,
    /// Threads; `None` is one for each core. Packs do not depend on it.
    pub threads: Option<usize>,
}

impl Default for PackOptions {
    fn default() -> PackOptions {
        PackOptions { bases: Bases::Usual, full: Full::Auto, level: Level::Normal, threads: None }
    }
}

impl PackOptions {
    /// No packs at all.
    #[must_use]
    pub fn none() -> PackOptions {
        PackOptions { bases: Bases::None, full: Full::Never, ..PackOptions::default() }
    }
}

/// What a level is called.
#[must_use]
pub fn level_name(level: Level) -> &'static str {
    match level {
        Level::Fast => "fast",
        Level::Normal => "normal",
        Level::Best => "best",
    }
}

/// The level of that name.
///
/// # Errors
/// [`Error::Option`].
pub fn parse_level(text: &str) -> Result<Level> {
    let all = [Level::Fast, Level::Normal, Level::Best];
    all.into_iter().find(|level| level_name(*level) == text).ok_or_else(|| Error::Option {
        option: "--level",
        value: text.to_owned(),
        why: "it must be fast, normal or best".to_owned(),
    })
}
