//! Where an install comes from, in `.samara/source.json`; and what an interrupted first install leaves behind.

use std::path::Path;

use manifests::folder::InstallDir;
use manifests::path::SafePath;
use serde::{Deserialize, Serialize};

use crate::engine::transfer::Hints;
use crate::error::LaunchError;

const FILE: &str = "source.json";
const SCHEMA: u32 = 1;
/// Longest record read back, in bytes.
const LEN_MAX: u64 = 1 << 20;

/// Where an install comes from.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Record {
    /// Version of this format.
    pub(crate) schema: u32,
    /// The repository's public folder.
    pub(crate) repo: String,
    /// The channel that updates follow.
    pub(crate) channel: String,
    /// The release an unfinished install or update works towards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) pending: Option<String>,
    /// Where the release in place could be had when it was installed: repair and seeding need nothing newer.
    #[serde(default)]
    pub(crate) hints: Hints,
}

impl Record {
    pub(crate) fn new(repo: &str, channel: &str) -> Self {
        Self {
            schema: SCHEMA,
            repo: repo.to_owned(),
            channel: channel.to_owned(),
            pending: None,
            hints: Hints::default(),
        }
    }

    /// Reads it; none when nothing was recorded.
    pub(crate) fn load(dir: &InstallDir) -> Result<Option<Self>, LaunchError> {
        let Some(bytes) = dir.get(&name(FILE)?, LEN_MAX)? else { return Ok(None) };
        let damaged = |cause: String| LaunchError::RecordDamaged { file: FILE.to_owned(), cause };
        let record: Self = serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
        if record.schema != SCHEMA {
            return Err(damaged(format!("its format {} is not known to this version", record.schema)));
        }
        Ok(Some(record))
    }

    /// As [`Record::load`], for operations that cannot do without.
    pub(crate) fn require(dir: &InstallDir) -> Result<Self, LaunchError> {
        Self::load(dir)?.ok_or_else(|| LaunchError::RecordDamaged {
            file: FILE.to_owned(),
            cause: "it is missing".to_owned(),
        })
    }

    /// Writes it, durably.
    pub(crate) fn save(&self, dir: &InstallDir) -> Result<(), LaunchError> {
        Ok(dir.put(&name(FILE)?, &self.encode()?)?)
    }

    /// Writes that what was pending is in place. After a power cut the record before it does: the folder's own state says
    /// which release is in place.
    pub(crate) fn settle(&mut self, hints: Hints, dir: &InstallDir) -> Result<(), LaunchError> {
        (self.pending, self.hints) = (None, hints);
        Ok(dir.put_soon(&name(FILE)?, &self.encode()?)?)
    }

    fn encode(&self) -> Result<Vec<u8>, LaunchError> {
        serde_json::to_vec_pretty(self)
            .map_err(|error| LaunchError::internal(format!("writing a record: {error}")))
    }
}

/// A name below `.samara/`.
pub(crate) fn name(text: &str) -> Result<SafePath, LaunchError> {
    SafePath::parse(text).map_err(|error| LaunchError::internal(format!("{text}: {error}")))
}

/// What was at the install path before a first install touched it; puts that back when nothing came of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Before {
    folder: bool,
    hidden: bool,
}

impl Before {
    pub(crate) fn look(path: &Path) -> Self {
        let hidden = path.join(manifests::folder::PRIVATE);
        Self { folder: path.symlink_metadata().is_ok(), hidden: hidden.symlink_metadata().is_ok() }
    }

    /// Removes what the install made and nothing else. Best effort: it failed already, with an error that matters
    /// more than an empty folder left over.
    pub(crate) fn restore(self, path: &Path) {
        if !self.hidden {
            let _ = std::fs::remove_dir_all(path.join(manifests::folder::PRIVATE));
        }
        if !self.folder {
            // Only when it is empty.
            let _ = std::fs::remove_dir(path);
        }
    }
}
