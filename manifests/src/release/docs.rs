//! The small signed documents beside the manifests: where a channel points, how far down it may, and when an install may
//! go back. JSON, because people read them; every one is a TUF target, so its bytes are verified before they get here.

use serde::{Deserialize, Serialize};

use super::ids::{ChannelName, GameId, Version};
use super::{SCHEMA, manifest_target};

/// Longest document read, in bytes.
pub const MAX_DOC_BYTES: u64 = 256 << 10;
const MAX_LIST: usize = 64;
const MAX_TEXT_BYTES: usize = 2048;

/// Why a document was refused.
#[derive(Debug, thiserror::Error)]
pub enum DocError {
    /// Not JSON of the right shape.
    #[error("the {what} document is malformed: {source}")]
    Malformed {
        /// Which document.
        what: &'static str,
        /// What the parser met.
        source: serde_json::Error,
    },
    /// More bytes than [`MAX_DOC_BYTES`].
    #[error("the {what} document is larger than {MAX_DOC_BYTES} bytes")]
    TooLarge {
        /// Which document.
        what: &'static str,
    },
    /// Written by a later Samara.
    #[error("the {what} document has schema {schema}, this program reads {SCHEMA}; update the launcher")]
    NewerSchema {
        /// Which document.
        what: &'static str,
        /// Its schema.
        schema: u64,
    },
    /// A value out of its range.
    #[error("the {what} document is refused: {rule}")]
    Rule {
        /// Which document.
        what: &'static str,
        /// The rule broken.
        rule: &'static str,
    },
}

impl DocError {
    /// Stable code.
    pub fn code(&self) -> &'static str {
        if matches!(self, Self::NewerSchema { .. }) { "E-DOC-NEWER" } else { "E-DOC-BAD" }
    }
}

/// What the documents share: a schema number, bounds, JSON both ways.
trait Doc: Serialize + for<'de> Deserialize<'de> {
    const WHAT: &'static str;
    fn rule_broken(&self) -> Option<&'static str>;

    fn to_json(&self) -> Result<Vec<u8>, DocError> {
        if let Some(rule) = self.rule_broken() {
            return Err(DocError::Rule { what: Self::WHAT, rule });
        }
        let mut out = serde_json::to_vec_pretty(self)
            .map_err(|source| DocError::Malformed { what: Self::WHAT, source })?;
        out.push(b'\n');
        Ok(out)
    }

    fn from_json(bytes: &[u8]) -> Result<Self, DocError> {
        #[derive(Deserialize)]
        struct Head {
            schema: u64,
        }
        let what = Self::WHAT;
        if bytes.len() as u64 > MAX_DOC_BYTES {
            return Err(DocError::TooLarge { what });
        }
        let malformed = |source| DocError::Malformed { what, source };
        let head: Head = serde_json::from_slice(bytes).map_err(malformed)?;
        if head.schema > SCHEMA {
            return Err(DocError::NewerSchema { what, schema: head.schema });
        }
        let doc: Self = serde_json::from_slice(bytes).map_err(malformed)?;
        match doc.rule_broken() {
            Some(rule) => Err(DocError::Rule { what, rule }),
            None => Ok(doc),
        }
    }
}

macro_rules! doc_type {
    ($name:ident) => {
        impl $name {
            /// The bytes to publish.
            ///
            /// # Errors
            /// [`DocError::Rule`] when a value is out of its range.
            pub fn encode(&self) -> Result<Vec<u8>, DocError> {
                self.to_json()
            }

            /// Reads and checks a document.
            ///
            /// # Errors
            /// [`DocError`].
            pub fn decode(bytes: &[u8]) -> Result<Self, DocError> {
                Self::from_json(bytes)
            }
        }
    };
}

fn default_schema() -> u64 {
    SCHEMA
}

fn full_rollout() -> u8 {
    100
}

/// Where a channel points. Signed by the online channels role, so nothing here is believed beyond what the offline
/// release role allowed: see `trust::client`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelDoc {
    /// [`SCHEMA`].
    #[serde(default = "default_schema")]
    pub schema: u64,
    /// The game.
    pub game: GameId,
    /// The channel's name.
    pub channel: ChannelName,
    /// The version it points at.
    pub release: Version,
    /// That release's sequence; must equal the manifest's.
    pub sequence: u64,
    /// Share of installs that should take it, in percent.
    #[serde(default = "full_rollout")]
    pub rollout: u8,
    /// When set, installs stay where they are.
    #[serde(default)]
    pub halted: bool,
    /// Announce URLs: hints.
    #[serde(default)]
    pub trackers: Vec<String>,
    /// `host:port` of seedboxes: hints.
    #[serde(default)]
    pub seed_peers: Vec<String>,
    /// Further bases that serve `blobs/` and `torrents/`, beside the repository itself: hints.
    #[serde(default)]
    pub web_bases: Vec<String>,
}

impl ChannelDoc {
    /// A channel at `release` for everyone, with no hints.
    pub fn new(game: GameId, channel: ChannelName, release: Version, sequence: u64) -> Self {
        Self {
            schema: SCHEMA,
            game,
            channel,
            release,
            sequence,
            rollout: 100,
            halted: false,
            trackers: Vec::new(),
            seed_peers: Vec::new(),
            web_bases: Vec::new(),
        }
    }

    /// Target path of the manifest it points at.
    pub fn manifest_target(&self) -> String {
        manifest_target(&self.game, &self.release)
    }
}

impl Doc for ChannelDoc {
    const WHAT: &'static str = "channel";

    fn rule_broken(&self) -> Option<&'static str> {
        let lists = [&self.trackers, &self.seed_peers, &self.web_bases];
        if self.schema != SCHEMA {
            Some("unknown schema")
        } else if self.sequence == 0 {
            Some("a sequence is at least 1")
        } else if self.rollout > 100 {
            Some("the rollout is a percentage")
        } else if lists.iter().any(|list| list.len() > MAX_LIST) {
            Some("a list has more than 64 entries")
        } else if lists.iter().any(|list| list.iter().any(|text| text.len() > MAX_TEXT_BYTES)) {
            Some("an address is longer than 2048 bytes")
        } else {
            None
        }
    }
}

doc_type!(ChannelDoc);

/// The lowest sequence a channel may point at, signed offline: what a stolen server cannot go below.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FloorDoc {
    /// [`SCHEMA`].
    pub schema: u64,
    /// The game.
    pub game: GameId,
    /// The channel.
    pub channel: ChannelName,
    /// Lowest sequence allowed.
    pub sequence: u64,
}

impl Doc for FloorDoc {
    const WHAT: &'static str = "floor";

    fn rule_broken(&self) -> Option<&'static str> {
        (self.schema != SCHEMA || self.sequence == 0).then_some("unknown schema, or a sequence of 0")
    }
}

doc_type!(FloorDoc);

/// Lets installs go back to an earlier release, signed offline.
///
/// It names what is withdrawn, so that it cannot be replayed against releases made after it: only installs with
/// `to < sequence <= from` may take it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RollbackDoc {
    /// [`SCHEMA`].
    pub schema: u64,
    /// The game.
    pub game: GameId,
    /// The channel.
    pub channel: ChannelName,
    /// Highest sequence withdrawn.
    pub from: u64,
    /// Sequence of the release to return to.
    pub to: u64,
    /// Version of that release.
    pub release: Version,
    /// Why, for the player.
    #[serde(default)]
    pub reason: String,
}

impl RollbackDoc {
    /// Whether an install at `installed` may go to the release with sequence `target`.
    pub fn permits(&self, installed: u64, target: u64) -> bool {
        target == self.to && installed <= self.from && installed > self.to
    }
}

impl Doc for RollbackDoc {
    const WHAT: &'static str = "rollback";

    fn rule_broken(&self) -> Option<&'static str> {
        if self.schema != SCHEMA || self.to == 0 || self.from <= self.to {
            Some("a rollback goes from a higher sequence to a lower one")
        } else {
            (self.reason.len() > MAX_TEXT_BYTES).then_some("the reason is longer than 2048 bytes")
        }
    }
}

doc_type!(RollbackDoc);

/// `repository.json` beside the metadata: a name to show before anything is trusted. **Not signed**; nothing may depend
/// on it. What games there are is read from the signed delegations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepositoryDoc {
    /// [`SCHEMA`].
    pub schema: u64,
    /// Shown to people.
    pub name: String,
    /// Where the public folder is served, when known.
    #[serde(default)]
    pub public_url: Option<String>,
}

impl Doc for RepositoryDoc {
    const WHAT: &'static str = "repository";

    fn rule_broken(&self) -> Option<&'static str> {
        (self.schema != SCHEMA || self.name.len() > 200)
            .then_some("unknown schema, or a name longer than 200 bytes")
    }
}

doc_type!(RepositoryDoc);

#[cfg(test)]
mod tests {
    use super::*;

    fn channel() -> ChannelDoc {
        let mut doc = ChannelDoc::new(
            GameId::parse("freeciv").unwrap(),
            ChannelName::parse("stable").unwrap(),
            Version::parse("3.0.6").unwrap(),
            7,
        );
        doc.trackers.push("http://127.0.0.1:8080/announce".into());
        doc
    }

    #[test]
    fn channel_round_trip() {
        let doc = channel();
        assert_eq!(ChannelDoc::decode(&doc.encode().unwrap()).unwrap(), doc);
        assert_eq!(doc.manifest_target(), "games/freeciv/releases/3.0.6.manifest");
        // A field of a later minor version does not stop an older launcher.
        let text = String::from_utf8(doc.encode().unwrap()).unwrap().replacen('{', "{\"later\": 1,", 1);
        assert_eq!(ChannelDoc::decode(text.as_bytes()).unwrap(), doc);
    }

    #[test]
    fn bad_channels_in_a_table() {
        let good = String::from_utf8(channel().encode().unwrap()).unwrap();
        for (from, to, code) in [
            ("\"schema\": 1", "\"schema\": 2", "E-DOC-NEWER"),
            ("\"schema\": 1", "\"schema\": 0", "E-DOC-BAD"),
            ("\"sequence\": 7", "\"sequence\": 0", "E-DOC-BAD"),
            ("\"sequence\": 7", "\"sequence\": -7", "E-DOC-BAD"),
            ("\"sequence\": 7", "\"sequence\": 7.5", "E-DOC-BAD"),
            ("\"rollout\": 100", "\"rollout\": 101", "E-DOC-BAD"),
            ("\"freeciv\"", "\"../x\"", "E-DOC-BAD"),
            ("3.0.6", "3/0", "E-DOC-BAD"),
            ("{", "[", "E-DOC-BAD"),
        ] {
            let bad = good.replacen(from, to, 1);
            assert_ne!(bad, good);
            assert_eq!(ChannelDoc::decode(bad.as_bytes()).unwrap_err().code(), code, "{to}");
        }
        assert!(matches!(ChannelDoc::decode(&vec![b' '; 1 << 20]), Err(DocError::TooLarge { .. })));
        assert!(ChannelDoc::decode("[".repeat(100_000).as_bytes()).is_err());
        let many = ChannelDoc { trackers: vec![String::new(); 65], ..channel() };
        assert!(many.encode().is_err());
    }

    #[test]
    fn a_rollback_withdraws_only_what_it_names() {
        let doc = RollbackDoc {
            schema: SCHEMA,
            game: GameId::parse("g").unwrap(),
            channel: ChannelName::parse("stable").unwrap(),
            from: 9,
            to: 7,
            release: Version::parse("1").unwrap(),
            reason: "Saves were lost.".into(),
        };
        assert_eq!(RollbackDoc::decode(&doc.encode().unwrap()).unwrap(), doc);
        for (installed, target, permitted) in [
            (9, 7, true),
            (8, 7, true),
            (10, 7, false),
            (7, 7, false),
            (6, 7, false),
            (9, 6, false),
            (9, 8, false),
        ] {
            assert_eq!(doc.permits(installed, target), permitted, "{installed} -> {target}");
        }
        assert!(RollbackDoc { from: 7, ..doc }.encode().is_err());
    }
}
