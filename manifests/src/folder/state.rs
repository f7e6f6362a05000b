//! What `.samara/` says about the install: which release lies here and what each of its files looked like when it was put
//! in place.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::FolderError;
use super::fs::Guard;
use crate::path::SafePath;
use crate::release::{FileIdentity, Policy};

/// Format of `state.json` written and the newest one read.
pub const STATE_SCHEMA: u32 = 1;
/// Longest `state.json` read, in bytes: about a million files.
pub const MAX_STATE_BYTES: u64 = 512 << 20;

/// `state.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// [`STATE_SCHEMA`].
    pub schema: u32,
    /// The game this folder belongs to.
    pub game: String,
    /// Whether files that were here before may be reused.
    #[serde(default)]
    pub adopted: bool,
    /// The release in place; `None` until the first one is.
    #[serde(default)]
    pub release: Option<InstalledRelease>,
    /// Every file and link the release lists. What is not here is the player's own.
    #[serde(default, deserialize_with = "sorted_map")]
    pub files: BTreeMap<SafePath, Listed>,
    /// The studio's options for files the player changes, where there are any.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub policies: BTreeMap<SafePath, Policy>,
}

/// The release in place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstalledRelease {
    /// Its version.
    pub version: String,
    /// Its place in the game's order of releases.
    pub sequence: u64,
    /// The channel it came by.
    pub channel: Option<String>,
    /// SHA-256 of its manifest, hex: the name of the copy in `.samara/manifests/`.
    pub manifest: String,
}

/// One path of the release in place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Listed {
    /// A file.
    File {
        /// The content the studio gave it.
        #[serde(with = "as_text")]
        id: FileIdentity,
        /// Whether the studio marked it executable.
        #[serde(rename = "x", default, skip_serializing_if = "std::ops::Not::not")]
        executable: bool,
        /// What it looked like when that content was last known to be there.
        guard: Option<Guard>,
    },
    /// A symbolic link.
    Link {
        /// Its text.
        target: String,
    },
}

impl Listed {
    /// The content of a file.
    pub(crate) fn identity(&self) -> Option<&FileIdentity> {
        match self {
            Self::File { id, .. } => Some(id),
            Self::Link { .. } => None,
        }
    }
}

impl State {
    /// A folder that belongs to `game` and has no release yet.
    pub fn new(game: &str, adopted: bool) -> Self {
        Self {
            schema: STATE_SCHEMA,
            game: game.to_owned(),
            adopted,
            release: None,
            files: BTreeMap::new(),
            policies: BTreeMap::new(),
        }
    }

    /// Reads `state.json`.
    ///
    /// # Errors
    /// [`FolderError::Newer`] and [`FolderError::Damaged`].
    pub fn parse(bytes: &[u8]) -> Result<Self, FolderError> {
        #[derive(Deserialize)]
        struct Version {
            schema: u32,
        }
        let damaged = |error: serde_json::Error| FolderError::Damaged(error.to_string());
        // Read once: it is long, and as a rule it is one of ours. Whose else it is shows in its first field.
        match serde_json::from_slice::<Self>(bytes) {
            Ok(state) if state.schema <= STATE_SCHEMA => Ok(state),
            read => match serde_json::from_slice::<Version>(bytes).map_err(damaged)?.schema {
                newer if newer > STATE_SCHEMA => Err(FolderError::Newer(newer)),
                _ => read.map_err(damaged),
            },
        }
    }

    /// As it is written.
    ///
    /// # Errors
    /// None in practice; what the encoder says.
    pub fn encode(&self) -> std::io::Result<Vec<u8>> {
        serde_json::to_vec(self).map_err(std::io::Error::other)
    }
}

/// A map that was written in order is made at once: searching the place of each of 20,000 paths takes longer than reading
/// them.
fn sorted_map<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<SafePath, Listed>, D::Error> {
    struct Entries;
    impl<'de> serde::de::Visitor<'de> for Entries {
        type Value = BTreeMap<SafePath, Listed>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("files by their paths")
        }

        fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut entries = Vec::new();
            while let Some(entry) = map.next_entry()? {
                entries.push(entry);
            }
            Ok(entries.into_iter().collect())
        }
    }
    deserializer.deserialize_map(Entries)
}

/// Bytes in and out of this install for one release, by where they came from and went.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LedgerEntry {
    /// Reused from this disk.
    pub bytes_local: u64,
    /// From peers on the local network.
    pub bytes_lan: u64,
    /// From other peers.
    pub bytes_peers: u64,
    /// From web seeds.
    pub bytes_web: u64,
    /// From the studio's own machines, as peers or over the web.
    pub bytes_origin: u64,
    /// Sent to others.
    pub bytes_sent: u64,
}

/// `ledger.json`: one entry a release.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Ledger {
    /// By version.
    pub releases: BTreeMap<String, LedgerEntry>,
}

/// An identity as `<root hex>-<length>`.
pub(crate) mod as_text {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(id: &FileIdentity, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(id)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<FileIdentity, D::Error> {
        let text = <std::borrow::Cow<'_, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn state_comes_back_and_newer_or_damaged_is_told() {
        let mut state = State::new("game", true);
        let id = FileIdentity { len: 5, root: [7; 32] };
        let guard = Some(Guard { len: 5, mtime_ns: -3, inode: 9 });
        state.files.insert(SafePath::parse("a/b").unwrap(), Listed::File { id, executable: true, guard });
        state.files.insert(SafePath::parse("l").unwrap(), Listed::Link { target: "a/b".into() });
        let bytes = state.encode().unwrap();
        assert_eq!(State::parse(&bytes).unwrap(), state);
        let newer = br#"{"schema":2,"anything":[]}"#;
        assert!(matches!(State::parse(newer), Err(FolderError::Newer(2))));
        for cut in 0..bytes.len() {
            assert!(matches!(State::parse(&bytes[..cut]), Err(FolderError::Damaged(_))), "cut at {cut}");
        }
        let outside = br#"{"schema":1,"game":"g","files":{"../x":{"link":{"target":"y"}}}}"#;
        assert!(matches!(State::parse(outside), Err(FolderError::Damaged(_))));
    }
}
