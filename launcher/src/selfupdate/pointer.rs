//! The one record of a launcher's own updates: which version starts, what it has proven, and what is not to be had again.
//!
//! It names only slots that are whole: one that is about to be written is taken out of it first.

use manifests::path::SafePath;
use manifests::release::Version;
use serde::{Deserialize, Serialize};

use crate::shell::record::{self, RecordError};

/// The record's version. A launcher that does not know it starts itself, so later ones keep it as long as they can.
pub const VERSION: u32 = 1;
/// Releases that are not taken again, at most: the oldest are far behind by then.
pub const REFUSED_MAX: usize = 64;

/// One of the two folders that updates are installed into, in turns: a running version is never written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Slot {
    /// The first.
    A,
    /// The second.
    B,
}

impl Slot {
    /// Both.
    pub const ALL: [Self; 2] = [Self::A, Self::B];

    /// The other one.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }

    /// The name of its folder.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::A => "a",
            Self::B => "b",
        }
    }
}

/// A version that lies whole in a slot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Build {
    /// Where.
    pub slot: Slot,
    /// Which release; its version is the one that counts.
    pub release: String,
    /// The program in the slot, as the release's signed manifest names it.
    pub program: String,
}

impl Build {
    /// Whether both are the same release in the same place.
    #[must_use]
    pub fn is(&self, slot: Slot, release: &str) -> bool {
        self.slot == slot && self.release == release
    }

    fn is_sound(&self) -> bool {
        Version::parse(&self.release).is_ok() && SafePath::parse(&self.program).is_ok()
    }
}

/// What a version has proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It says that it is well, and nobody has used it.
    Trial,
    /// It has worked from a command line; its window was never seen.
    Works,
    /// Its window has come up.
    Good,
}

/// The version that starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Active {
    /// Which one.
    pub build: Build,
    /// What it has proven.
    pub state: State,
    /// Starts of its window since that last came up.
    pub starts: u32,
}

impl Active {
    /// A version that has proven itself.
    #[must_use]
    pub fn good(build: Build) -> Self {
        Self { build, state: State::Good, starts: 0 }
    }

    /// Whether somebody has used it with success.
    #[must_use]
    pub fn is_proven(&self) -> bool {
        self.state != State::Trial
    }
}

/// Why a release is not taken again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Why {
    /// It did not start here.
    Failed,
    /// The player went back from it; when he asks for it himself he gets it.
    Left,
}

/// A release that is not taken again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// Which one.
    pub release: String,
    /// Why.
    pub why: Why,
}

/// The record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pointer {
    /// The record's version.
    pub version: u32,
    /// What starts; none for the packaged launcher.
    pub active: Option<Active>,
    /// What starts when that fails, or when the player goes back; none for the packaged launcher.
    pub previous: Option<Active>,
    /// What is not taken again, oldest first.
    pub refused: Vec<Refused>,
    /// A release that was taken back and that the player was not told of yet.
    pub untold: Option<String>,
}

impl Default for Pointer {
    fn default() -> Self {
        Self { version: VERSION, active: None, previous: None, refused: Vec::new(), untold: None }
    }
}

impl Pointer {
    /// Reads the record.
    ///
    /// # Errors
    /// [`RecordError`]: it is cut or garbled, says what cannot be, or is a newer launcher's.
    pub fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        let pointer: Self = record::decode(bytes, VERSION)?;
        let builds = [&pointer.active, &pointer.previous];
        let [active, previous] = builds.map(|one| one.as_ref().map(|one| &one.build));
        let same = active.zip(previous).is_some_and(|(one, other)| one.slot == other.slot);
        let is_sound = [active, previous].into_iter().flatten().all(Build::is_sound)
            && pointer.refused.len() <= REFUSED_MAX;
        if same || !is_sound {
            return Err(RecordError::Damaged("it names what cannot be".to_owned()));
        }
        Ok(pointer)
    }

    /// Writes the record.
    ///
    /// # Errors
    /// [`RecordError`].
    pub fn encode(&self) -> Result<Vec<u8>, RecordError> {
        record::encode(self)
    }

    /// Why this release is not taken, if it is not.
    #[must_use]
    pub fn refusal(&self, release: &str) -> Option<Why> {
        self.refused.iter().find(|refused| refused.release == release).map(|refused| refused.why)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn build(slot: Slot, release: &str) -> Build {
        Build { slot, release: release.to_owned(), program: "bin/launcher".to_owned() }
    }

    #[test]
    fn what_was_written_is_read() {
        let pointer = Pointer {
            active: Some(Active { build: build(Slot::A, "2.0"), state: State::Trial, starts: 1 }),
            previous: Some(Active::good(build(Slot::B, "1.9"))),
            refused: vec![Refused { release: "1.9.1".into(), why: Why::Failed }],
            untold: Some("1.9.1".into()),
            ..Pointer::default()
        };
        assert_eq!(Pointer::decode(&pointer.encode().unwrap()).unwrap(), pointer);
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let whole = Pointer {
            active: Some(Active::good(build(Slot::A, "2.0"))),
            previous: Some(Active::good(build(Slot::B, "1.9"))),
            ..Pointer::default()
        };
        let text = String::from_utf8(whole.encode().unwrap()).unwrap();
        assert!(Pointer::decode(text.as_bytes()).is_ok());
        for (from, to) in [
            ("\"b\"", "\"a\""),
            ("\"b\"", "\"c\""),
            ("bin/launcher", "../launcher"),
            ("bin/launcher", "/bin/sh"),
            ("\"good\"", "\"splendid\""),
            ("\"2.0\"", "\"\""),
            ("\"version\": 1", "\"version\": 2"),
            ("\"starts\": 0", "\"starts\": -1"),
        ] {
            let changed = text.replace(from, to);
            assert_ne!(changed, text, "{from}");
            assert!(Pointer::decode(changed.as_bytes()).is_err(), "{changed}");
        }
        for cut in 0..text.len() {
            assert!(Pointer::decode(&text.as_bytes()[..cut]).is_err(), "{cut}");
        }
    }
}
