//! The repository's public folder as a launcher sees it: a plain static site.

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use manifests::folder::{InstallDir, LeafSource as _};
use manifests::hash::{self, LeafChanges, sums_from_bytes};
use manifests::release::{FileIdentity, ReleaseManifest};
use manifests::reuse::SumSource;
use url::Url;

use crate::engine::content::{self, Content, TORRENT_LEN_MAX};
use crate::engine::http::{Http, HttpError, Limits};
use crate::error::LaunchError;

/// Requests for leaf hashes at a time.
const LEAF_REQUESTS: usize = 16;

/// Rolling checksums fetched for one operation, at most, in bytes: those of 128 GiB of files.
const SUMS_BYTES_MAX: u64 = 64 << 20;

/// One checksum a block.
type SumsOfFile = (FileIdentity, Vec<u64>);

/// Rolling checksums by file.
pub(crate) struct Sums(HashMap<FileIdentity, Vec<u64>>);

impl Sums {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl SumSource for Sums {
    fn sums(&self, identity: &FileIdentity) -> Option<Vec<u64>> {
        self.0.get(identity).cloned()
    }
}

/// A repository's address.
#[derive(Debug, Clone)]
pub(crate) struct Repository {
    base: Url,
}

impl Repository {
    /// Reads the address a player typed; a missing slash at its end is added.
    pub(crate) fn parse(text: &str) -> Result<Self, LaunchError> {
        let wrong = |why: &str| LaunchError::Usage { cause: format!("--repo {text:?} {why}") };
        let mut base = Url::parse(text).map_err(|_| wrong("is not an address such as https://host/game/"))?;
        if !matches!(base.scheme(), "http" | "https") || base.host().is_none() {
            return Err(wrong("must begin with https:// or http://"));
        }
        if base.query().is_some() || base.fragment().is_some() {
            return Err(wrong("must be a folder, without ? and #"));
        }
        if !base.path().ends_with('/') {
            let path = format!("{}/", base.path());
            base.set_path(&path);
        }
        Ok(Self { base })
    }

    /// The address of the public folder, with a slash at its end.
    pub(crate) fn base(&self) -> &Url {
        &self.base
    }

    /// The address of something below it. `path` holds no characters that need escaping.
    pub(crate) fn at(&self, path: &str) -> Result<Url, LaunchError> {
        self.base.join(path).map_err(|error| LaunchError::internal(format!("address of {path}: {error}")))
    }

    /// Fetches a release's hybrid torrent, checks it and keeps it.
    pub(crate) async fn content(
        &self,
        http: &Http,
        dir: &Arc<InstallDir>,
        manifest: Arc<ReleaseManifest>,
    ) -> Result<Content, LaunchError> {
        let name = format!("torrents/{}.torrent", hex::encode(manifest.info_hash_v2));
        let bytes = http.get(&self.at(&name)?, Limits::for_len(TORRENT_LEN_MAX)).await?;
        content::keep(dir.clone(), manifest, bytes).await
    }

    /// The published rolling checksums of these files, as far as they can be had. Nobody vouches for them: they only say
    /// where to look.
    pub(crate) async fn fetch_sums(&self, http: &Http, files: &[FileIdentity]) -> Sums {
        let mut room = SUMS_BYTES_MAX;
        let mut fetches: Vec<BoxFuture<'_, Option<SumsOfFile>>> = Vec::new();
        for identity in files {
            let len = hash::leaf_count(identity.len).saturating_mul(8);
            let Some(left) = room.checked_sub(len) else { continue };
            room = left;
            fetches.push(Box::pin(async move {
                let url = self.at(&format!("blobs/{identity}.sums")).ok()?;
                let bytes = http.get(&url, Limits::for_len(len)).await.ok()?;
                Some((*identity, sums_from_bytes(&bytes)?))
            }));
        }
        let found: Vec<_> =
            futures_util::stream::iter(fetches).buffer_unordered(LEAF_REQUESTS).collect().await;
        Sums(found.into_iter().flatten().collect())
    }

    /// Brings the published leaf hashes of these files into the install, as far as they can be had. They are checked
    /// up to the root; without them a file is verified by whole pieces. With each comes what lies at its path, when that is
    /// known: leaves that differ little from those are kept as the difference.
    pub(crate) async fn fetch_leaves(
        &self,
        http: &Http,
        dir: &InstallDir,
        files: Vec<(FileIdentity, Option<FileIdentity>)>,
    ) -> Result<usize, LaunchError> {
        let missing = files.into_iter().filter(|(identity, _)| dir.leaves(identity).is_none());
        let fetches = missing.map(async |(identity, like): (FileIdentity, Option<FileIdentity>)| {
            if let Some(like) = &like
                && self.fetch_leaf_changes(http, dir, &identity, like).await?
            {
                return Ok(true);
            }
            let url = self.at(&format!("blobs/{identity}.leaves"))?;
            let len = identity.len.div_ceil(16_384) * 32;
            match http.get(&url, Limits::for_len(len)).await {
                Ok(bytes) => Ok(dir.put_leaves(&identity, &bytes, like.as_ref())?),
                Err(HttpError::NotFound { .. } | HttpError::TooLong { .. }) => Ok(false),
                Err(HttpError::Failed(error)) => Err(error),
            }
        });
        let mut fetches = futures_util::stream::iter(fetches).buffer_unordered(LEAF_REQUESTS);
        let (mut kept, mut failures) = (0, 0);
        while let Some(fetched) = fetches.next().await {
            match fetched {
                Ok(true) => kept += 1,
                Ok(false) => tracing::warn!("leaf hashes are missing or wrong at the repository"),
                Err(error @ (LaunchError::Disk(_) | LaunchError::Folder(_))) => return Err(error),
                Err(error) => {
                    tracing::warn!(%error, "leaf hashes could not be fetched");
                    failures += 1;
                    if failures > 3 {
                        // Comfort, not need: do not make the player wait for a server in trouble.
                        break;
                    }
                }
            }
        }
        Ok(kept)
    }

    /// The same where the repository says how they differ from those of a file that is here.
    async fn fetch_leaf_changes(
        &self,
        http: &Http,
        dir: &InstallDir,
        identity: &FileIdentity,
        like: &FileIdentity,
    ) -> Result<bool, LaunchError> {
        if like == identity || !LeafChanges::are_worth_it(identity.len) || !dir.has_leaves(like) {
            return Ok(false);
        }
        let url = self.at(&format!("blobs/{identity}.leaves-{like}"))?;
        let bytes = http.get(&url, Limits::for_len(LeafChanges::max_bytes(identity.len))).await;
        let changes = bytes.ok().and_then(|bytes| LeafChanges::decode(&bytes));
        match changes.filter(|changes| changes.base == *like) {
            Some(changes) => Ok(dir.put_leaf_changes(identity, &changes)?),
            None => Ok(false),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_folders() {
        let table = [
            ("https://h/game", Some("https://h/game/torrents/x")),
            ("http://127.0.0.1:8000", Some("http://127.0.0.1:8000/torrents/x")),
            ("https://h/a/", Some("https://h/a/torrents/x")),
            ("ftp://h/", None),
            ("h/game", None),
            ("https://h/?a", None),
            ("", None),
        ];
        for (text, expected) in table {
            let found = Repository::parse(text).ok().map(|repo| repo.at("torrents/x").unwrap().to_string());
            assert_eq!(found.as_deref(), expected, "{text}");
        }
    }
}
