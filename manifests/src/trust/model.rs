//! The TUF 1.0 metadata we write (and read back before extending it).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::time::UnixTime;
use crate::release::GameId;

/// The specification these files follow.
pub(crate) const SPEC_VERSION: &str = "1.0.31";

/// Name of a game's offline role.
pub fn release_role(game: &GameId) -> String {
    format!("{game}.releases")
}

/// Name of a game's online role.
pub fn channels_role(game: &GameId) -> String {
    format!("{game}.channels")
}

/// The game whose offline role this is.
pub(crate) fn game_of_role(role: &str) -> Option<GameId> {
    GameId::parse(role.strip_suffix(".releases")?).ok()
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TufKey {
    pub(crate) keytype: String,
    pub(crate) scheme: String,
    pub(crate) keyval: KeyVal,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KeyVal {
    pub(crate) public: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RoleKeys {
    pub(crate) keyids: Vec<String>,
    pub(crate) threshold: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Root {
    #[serde(rename = "_type")]
    pub(crate) kind: RootType,
    pub(crate) spec_version: String,
    pub(crate) version: u64,
    pub(crate) expires: UnixTime,
    pub(crate) consistent_snapshot: bool,
    pub(crate) keys: BTreeMap<String, TufKey>,
    pub(crate) roles: BTreeMap<String, RoleKeys>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Targets {
    #[serde(rename = "_type")]
    pub(crate) kind: TargetsType,
    pub(crate) spec_version: String,
    pub(crate) version: u64,
    pub(crate) expires: UnixTime,
    pub(crate) targets: BTreeMap<String, TargetInfo>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) delegations: Option<Delegations>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TargetInfo {
    pub(crate) length: u64,
    pub(crate) hashes: Hashes,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) custom: Option<Custom>,
}

/// What the publisher wants to know of a target without opening it. Clients believe the target's own content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Custom {
    pub(crate) sequence: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Hashes {
    pub(crate) sha256: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Delegations {
    pub(crate) keys: BTreeMap<String, TufKey>,
    pub(crate) roles: Vec<DelegatedRole>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DelegatedRole {
    pub(crate) name: String,
    pub(crate) keyids: Vec<String>,
    pub(crate) threshold: u32,
    pub(crate) terminating: bool,
    pub(crate) paths: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Snapshot {
    #[serde(rename = "_type")]
    pub(crate) kind: SnapshotType,
    pub(crate) spec_version: String,
    pub(crate) version: u64,
    pub(crate) expires: UnixTime,
    pub(crate) meta: BTreeMap<String, Pin>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Timestamp {
    #[serde(rename = "_type")]
    pub(crate) kind: TimestampType,
    pub(crate) spec_version: String,
    pub(crate) version: u64,
    pub(crate) expires: UnixTime,
    pub(crate) meta: BTreeMap<String, Pin>,
    /// When this was signed: a lower bound on the time, for clients whose clock is behind.
    #[serde(rename = "x-samara-signed-at")]
    pub(crate) signed_at: i64,
}

/// Name of [`Timestamp::signed_at`] in the file.
pub(crate) const SIGNED_AT: &str = "x-samara-signed-at";

/// A role file as its parent pins it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pin {
    pub(crate) version: u64,
    pub(crate) length: u64,
    pub(crate) hashes: Hashes,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Signature {
    pub(crate) keyid: String,
    pub(crate) sig: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Signed<T> {
    pub(crate) signatures: Vec<Signature>,
    pub(crate) signed: T,
}

macro_rules! type_tag {
    ($name:ident, $text:literal) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
        pub(crate) enum $name {
            #[default]
            #[serde(rename = $text)]
            Tag,
        }
    };
}

type_tag!(RootType, "root");
type_tag!(TargetsType, "targets");
type_tag!(SnapshotType, "snapshot");
type_tag!(TimestampType, "timestamp");

impl Hashes {
    pub(crate) fn of(bytes: &[u8]) -> Self {
        Self { sha256: hex::encode(Sha256::digest(bytes)) }
    }
}

impl Pin {
    pub(crate) fn of(version: u64, bytes: &[u8]) -> Self {
        Self { version, length: bytes.len() as u64, hashes: Hashes::of(bytes) }
    }
}

impl Targets {
    pub(crate) fn new() -> Self {
        Self {
            kind: TargetsType::Tag,
            spec_version: SPEC_VERSION.to_owned(),
            version: 0,
            expires: UnixTime::default(),
            targets: BTreeMap::new(),
            delegations: None,
        }
    }

    pub(crate) fn delegated(&self, role: &str) -> Option<&DelegatedRole> {
        self.delegations.as_ref()?.roles.iter().find(|delegated| delegated.name == role)
    }
}

impl DelegatedRole {
    pub(crate) fn role_keys(&self) -> RoleKeys {
        RoleKeys { keyids: self.keyids.clone(), threshold: self.threshold }
    }
}

/// Where a target lies below `targets/` with consistent snapshots: `DIR/HASH.name`.
pub(crate) fn consistent_path(target: &str, sha256: &str) -> String {
    match target.rsplit_once('/') {
        Some((dir, name)) => format!("{dir}/{sha256}.{name}"),
        None => format!("{sha256}.{target}"),
    }
}
