//! Deflate as zlib does it, bit for bit: most streams in zips, PNGs and gzip files were made by zlib at one of its
//! settings, and then the settings are all it takes to put a stream back.
//!
//! The algorithm is that of zlib 1.2 and 1.3 (`deflate.c`), whose output has not changed in twenty years. Positions count
//! from the start of the plain text instead of sliding; what zlib's window forgets is out of reach either way.

mod matcher;
mod trees;
#[cfg(test)]
mod tests;

use self::matcher::Matcher;
use self::trees::Blocks;

/// How zlib was called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Settings {
    /// 1 to 9.
    level: u8,
    /// 8 by default, or 9: how many symbols a block has, and how good the hash is.
    memory: u8,
    /// The strategy for filtered data: short matches are left out.
    filtered: bool,
}

impl Settings {
    /// As one byte.
    pub(super) fn byte(self) -> u8 {
        self.level | (self.memory - 8) << 4 | u8::from(self.filtered) << 5
    }

    /// What a byte says; none for one that [`Settings::byte`] does not give.
    pub(super) fn parse(byte: u8) -> Option<Self> {
        let settings = Self { level: byte & 15, memory: 8 + (byte >> 4 & 1), filtered: byte & 32 != 0 };
        ((1..=9).contains(&settings.level) && byte < 64).then_some(settings)
    }

    /// All there are, the usual ones first. Levels 1 to 3 know no strategy.
    fn all() -> impl Iterator<Item = Self> {
        let of = |memory, filtered| {
            let levels: &[u8] = if filtered { &[6, 9, 8, 7, 5, 4] } else { &[6, 9, 8, 1, 5, 7, 4, 3, 2] };
            levels.iter().map(move |level| Self { level: *level, memory, filtered })
        };
        of(8, false).chain(of(8, true)).chain(of(9, false)).chain(of(9, true))
    }
}

/// The settings with which zlib makes `stream` of `plain`, if there are any. One that differs is found out at the end of
/// its first block.
pub(super) fn recognise(plain: &[u8], stream: &[u8]) -> Option<Settings> {
    Settings::all().find(|settings| deflate(plain, *settings, Some(stream)).is_some())
}

/// The stream that zlib makes of `plain`. Where it is known what is expected, none as soon as it is another.
pub(super) fn deflate(plain: &[u8], settings: Settings, expected: Option<&[u8]>) -> Option<Vec<u8>> {
    let mut blocks = Blocks::new(plain, settings.memory, expected);
    Matcher::new(plain, settings).run(&mut blocks)?;
    let out = blocks.finish();
    expected.is_none_or(|expected| expected == out).then_some(out)
}
