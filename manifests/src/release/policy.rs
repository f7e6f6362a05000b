//! What the studio lets an update do with a file that the player changed.
//!
//! Carried as reserved tags of the file, so that a launcher that does not know them reads the manifest all the same and
//! does the careful thing: the player's version is kept beside.

use serde::{Deserialize, Serialize};

use super::{FileKind, ManifestFile};

/// Tags that begin like this are ours; no studio's label may.
pub const RESERVED_TAGS: &str = "samara:";

const KEEP_IF_CHANGED: &str = "samara:keep-if-changed";
const MERGE_NEVER: &str = "samara:merge-never";
const DELETE_ON_REMOVE: &str = "samara:delete-on-remove";

/// The options of one file. Without any: what the player changed is replaced, and lies beside as `name.mine-DATE`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Policy {
    /// What the player changed stays as it is; what he deleted comes back.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub keep_if_changed: bool,
    /// Once installed it is the player's: as `keep_if_changed`, and an update does not bring back what he deleted or put
    /// something else in place of.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub merge_never: bool,
    /// For one of the above: when a release no longer has the file, a changed one goes out of the way like any other.
    /// Without it, it stays where it is and is the player's own from then on.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub delete_on_remove: bool,
}

impl Policy {
    /// Whether a changed file stays when the release brings another version.
    pub fn leaves_changed(&self) -> bool {
        self.keep_if_changed || self.merge_never
    }

    /// Whether a changed file stays when the release has none there any more.
    pub fn leaves_dropped(&self) -> bool {
        self.leaves_changed() && !self.delete_on_remove
    }

    fn tags(&self) -> impl Iterator<Item = &'static str> {
        let all = [
            (self.delete_on_remove, DELETE_ON_REMOVE),
            (self.keep_if_changed, KEEP_IF_CHANGED),
            (self.merge_never, MERGE_NEVER),
        ];
        all.into_iter().filter(|(on, _)| *on).map(|(_, tag)| tag)
    }
}

impl ManifestFile {
    /// The options of this file; none for a link.
    pub fn policy(&self) -> Policy {
        if self.kind != FileKind::File || self.tags.is_empty() {
            return Policy::default();
        }
        let has = |tag: &str| self.tags.iter().any(|one| one == tag);
        Policy {
            keep_if_changed: has(KEEP_IF_CHANGED),
            merge_never: has(MERGE_NEVER),
            delete_on_remove: has(DELETE_ON_REMOVE),
        }
    }

    /// The same file with these options.
    #[must_use]
    pub fn with_policy(mut self, policy: Policy) -> Self {
        self.tags.retain(|tag| !tag.starts_with(RESERVED_TAGS));
        self.tags.extend(policy.tags().map(str::to_owned));
        self.tags.sort();
        self
    }
}

#[cfg(test)]
mod tests {
    use super::super::ReleaseManifest;
    use super::super::manifest::tests::sample;
    use super::*;

    #[test]
    fn every_combination_travels_in_the_manifest() {
        for bits in 0..8u8 {
            let policy = Policy {
                keep_if_changed: bits & 1 != 0,
                merge_never: bits & 2 != 0,
                delete_on_remove: bits & 4 != 0,
            };
            let mut manifest = sample();
            let labels = manifest.files[1].tags.clone();
            manifest.files[1] = manifest.files[1].clone().with_policy(policy);
            let read = ReleaseManifest::decode(&manifest.encode().unwrap()).unwrap();
            assert_eq!(read.files[1].policy(), policy);
            assert_eq!(read.files[0].policy(), Policy::default());
            assert_eq!(read.files[1].clone().with_policy(Policy::default()).tags, labels);
            let json = serde_json::to_string(&policy).unwrap();
            assert_eq!(serde_json::from_str::<Policy>(&json).unwrap(), policy);
        }
    }
}
