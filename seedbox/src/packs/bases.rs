//! What a pack may start from.

use super::PackOptions;
use super::popular::Popular;
use crate::error::{Error, Result};
use crate::store::{Blobs, DataDir};
use manifests::pack::tree_id;
use manifests::release::{FileIdentity, GameId, ManifestFile, PackBase, PackList, ReleaseManifest, Version};
use manifests::trust::publisher::Repository;
use std::collections::HashSet;

/// Releases beside the previous one that get a pack because many players run them.
const MAX_POPULAR: usize = 2;

/// Which releases packs start from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bases {
    /// The previous release of the channel, and those that most players run where that is known.
    Usual,
    /// None.
    None,
    /// These.
    These(Vec<Version>),
}

/// When a pack is made that starts from nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    /// When it saves a twentieth of the plain files.
    Auto,
    /// In any case.
    Always,
    /// Never.
    Never,
}

/// A release whose files are in the store.
#[derive(Clone, Debug)]
pub(crate) struct Release {
    pub(crate) version: Version,
    pub(crate) sequence: u64,
    pub(crate) files: Vec<ManifestFile>,
}

impl From<ReleaseManifest> for Release {
    fn from(manifest: ReleaseManifest) -> Release {
        Release { version: manifest.version, sequence: manifest.sequence, files: manifest.files }
    }
}

impl Release {
    /// As a pack list names it.
    pub(crate) fn as_base(&self) -> PackBase {
        PackBase { version: self.version.clone(), sequence: self.sequence, tree: tree_id(&self.files).0 }
    }

    /// A file of this release that the store does not have.
    pub(crate) fn missing(&self, blobs: &Blobs) -> Option<&ManifestFile> {
        self.files.iter().find(|file| !blobs.holds(&file.identity))
    }
}

/// The bases for a release of `game` with this version: read, and known to be in the store, before any work is done.
/// `usual` are the versions to take when nothing was asked for; what of those the store no longer has is left out.
pub(crate) fn choose(
    dir: &DataDir,
    repository: &Repository,
    game: &GameId,
    version: &Version,
    options: &PackOptions,
    usual: &[Version],
) -> Result<Vec<Release>> {
    let (wanted, asked) = match &options.bases {
        Bases::None => return Ok(Vec::new()),
        Bases::These(versions) => (versions.clone(), true),
        Bases::Usual => {
            let popular = Popular::read(dir).versions(game);
            let also = popular.into_iter().filter(|there| !usual.contains(there)).take(MAX_POPULAR);
            (usual.iter().cloned().chain(also).collect(), false)
        }
    };
    let blobs = Blobs::new(dir);
    let mut bases: Vec<Release> = Vec::new();
    for base in wanted {
        if bases.iter().any(|there| there.version == base) {
            continue;
        }
        if base == *version {
            if asked {
                let why = "a pack cannot start from the release it leads to".to_owned();
                return Err(Error::Option { option: "--base", value: base.to_string(), why });
            }
            continue;
        }
        let release = match repository.manifest(game, &base) {
            Ok(manifest) => Release::from(manifest),
            Err(_) if !asked => continue,
            Err(error) => return Err(error.into()),
        };
        if let Some(file) = release.missing(&blobs) {
            if asked {
                return Err(Error::BaseMissing { version: base, path: file.path.clone() });
            }
            tracing::warn!(%base, file = %file.path, "no pack from this release: the store has not all of its files");
            continue;
        }
        bases.push(release);
    }
    Ok(bases)
}

/// The first pack list of a release, with nothing in it yet.
pub(crate) fn empty_list(game: &GameId, target: &Release) -> PackList {
    PackList {
        game: game.clone(),
        version: target.version.clone(),
        revision: 1,
        target: tree_id(&target.files).0,
        packs: Vec::new(),
    }
}

/// Bytes of the files of `target` that `base` does not have, each once: what a player fetches without a pack.
pub(crate) fn plain_len(base: Option<&Release>, target: &[ManifestFile]) -> u64 {
    let mut seen: HashSet<FileIdentity> =
        base.iter().flat_map(|base| &base.files).map(|file| file.identity).collect();
    target.iter().filter(|file| seen.insert(file.identity)).map(|file| file.identity.len).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use manifests::path::SafePath;

    fn release(lens: &[u64]) -> Release {
        let file = |(at, len): (usize, &u64)| {
            let path = SafePath::parse(&format!("f{at}")).unwrap();
            let identity = FileIdentity { len: *len, root: [*len as u8; 32] };
            ManifestFile::file(path, identity, false)
        };
        let files = lens.iter().enumerate().map(file).collect();
        Release { version: Version::parse("1").unwrap(), sequence: 1, files }
    }

    #[test]
    fn what_a_player_would_fetch_without_packs() {
        let base = release(&[10, 20, 0]);
        let target = release(&[20, 30, 30, 40, 0]);
        assert_eq!(plain_len(Some(&base), &target.files), 70, "each content once, none that is there");
        assert_eq!(plain_len(None, &target.files), 90);
    }
}
