//! A release's content torrent, held against its signed manifest before anything of it is used.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use manifests::apply::undo;
use manifests::folder::InstallDir;
use manifests::path::SafePath;
use manifests::release::{FileIdentity, ReleaseManifest};
use protocol::metainfo::Torrent;
use protocol::units::{BLOCK_LEN, FileIndex, Root};

use crate::engine::meter::blocking;
use crate::engine::record;
use crate::error::LaunchError;

/// A release and its torrent, which agree on every file.
#[derive(Debug, Clone)]
pub(crate) struct Content {
    pub(crate) manifest: Arc<ReleaseManifest>,
    pub(crate) torrent: Arc<Torrent>,
    /// For each file of the torrent, its number in the manifest.
    of_manifest: Vec<usize>,
}

impl Content {
    /// Parses the torrent and compares it with the manifest: hashes, piece length, and each file's path, length
    /// and root. The manifest is signed, so whatever differs is refused.
    pub(crate) fn check(manifest: Arc<ReleaseManifest>, bytes: &[u8]) -> Result<Self, LaunchError> {
        let refused = |cause: String| LaunchError::ContentRefused {
            what: format!("the torrent of {} {}", manifest.game, manifest.version),
            cause,
        };
        let torrent = Torrent::parse(bytes).map_err(|error| refused(error.to_string()))?;
        let v2 = torrent.info_hash_v2.map(|hash| hash.0);
        let v1 = torrent.info_hash_v1.map(|hash| hash.0);
        if v2 != Some(manifest.info_hash_v2) || v1 != Some(manifest.info_hash_v1) {
            return Err(refused("its info-hash is another".to_owned()));
        }
        if torrent.layout.piece_len != manifest.piece_len {
            return Err(refused("its piece length is another".to_owned()));
        }
        let of_manifest = match_files(&manifest, &torrent).map_err(&refused)?;
        Ok(Self { manifest, torrent: Arc::new(torrent), of_manifest })
    }

    /// The torrent's files with the manifest's number of each.
    pub(crate) fn files(&self) -> impl Iterator<Item = (FileIndex, usize)> + '_ {
        (0u32..).map(FileIndex).zip(self.of_manifest.iter().copied())
    }

    /// The number in the manifest of a file of the torrent.
    pub(crate) fn number(&self, file: FileIndex) -> Option<usize> {
        self.of_manifest.get(file.0 as usize).copied()
    }

    /// The identity of a file of the torrent.
    pub(crate) fn identity(&self, file: FileIndex) -> Option<FileIdentity> {
        self.manifest.files.get(self.number(file)?).map(|file| file.identity)
    }

    /// Whether the leaf hashes of a file have to be had from outside: not for a file of one piece, and not when
    /// pieces are blocks, for then the torrent's own piece layers are the leaves.
    pub(crate) fn needs_leaves(&self, identity: &FileIdentity) -> bool {
        identity.len > u64::from(self.manifest.piece_len) && self.manifest.piece_len > BLOCK_LEN
    }

    /// The leaf hashes that the torrent itself holds.
    pub(crate) fn own_leaves(&self, identity: &FileIdentity) -> Option<Arc<[Root]>> {
        if identity.len == 0 {
            return None;
        }
        if identity.len <= u64::from(BLOCK_LEN) {
            return Some(Arc::from([Root(identity.root)]));
        }
        if self.manifest.piece_len > BLOCK_LEN {
            return None;
        }
        self.torrent.piece_layers.get(&Root(identity.root)).map(|layer| layer.clone().into())
    }
}

fn match_files(manifest: &ReleaseManifest, torrent: &Torrent) -> Result<Vec<usize>, String> {
    let mut listed: HashMap<&str, usize> =
        manifest.files.iter().enumerate().map(|(at, file)| (file.path.as_str(), at)).collect();
    let mut of_manifest = Vec::with_capacity(torrent.layout.files.len());
    for entry in &torrent.layout.files {
        let path = entry.path.join("/");
        let at = listed.remove(path.as_str()).ok_or_else(|| format!("it has a file {path:?} of its own"))?;
        let file = manifest.files.get(at).ok_or("a file number out of range")?;
        let same_kind = entry.symlink.is_some() == file.is_symlink();
        let root = entry.root.map_or([0; 32], |root| root.0);
        if !same_kind || entry.len != file.identity.len || root != file.identity.root {
            return Err(format!("{path:?} is another file"));
        }
        of_manifest.push(at);
    }
    // A torrent may leave out what has no content.
    match listed.into_iter().find(|(_, at)| manifest.files.get(*at).is_some_and(|f| f.identity.len > 0)) {
        Some((path, _)) => Err(format!("{path:?} is missing in it")),
        None => Ok(of_manifest),
    }
}

/// Longest torrent file read, in bytes: one of half a million files is about 60 MB.
pub(crate) const TORRENT_LEN_MAX: u64 = 128 << 20;

/// Where torrents are kept.
const FOLDER: &str = ".samara/torrents";

fn file_name(manifest: &ReleaseManifest) -> Result<SafePath, LaunchError> {
    record::name(&format!("torrents/{}.torrent", hex::encode(manifest.info_hash_v2)))
}

/// The torrent kept in `.samara/`; none when there is none, or it is not this release's.
pub(crate) async fn kept(
    dir: Arc<InstallDir>,
    manifest: &Arc<ReleaseManifest>,
) -> Result<Option<Content>, LaunchError> {
    let manifest = manifest.clone();
    blocking(move || {
        let bytes = dir.get(&file_name(&manifest)?, TORRENT_LEN_MAX)?;
        Ok(bytes.and_then(|bytes| Content::check(manifest, &bytes).ok()))
    })
    .await
}

/// Checks a torrent and keeps it in `.samara/`, so that seeding and repair need no server.
pub(crate) async fn keep(
    dir: Arc<InstallDir>,
    manifest: Arc<ReleaseManifest>,
    bytes: Bytes,
) -> Result<Content, LaunchError> {
    blocking(move || {
        let name = file_name(&manifest)?;
        let content = Content::check(manifest, &bytes)?;
        // Checked whenever it is read.
        dir.put_cached(&name, &bytes)?;
        Ok(content)
    })
    .await
}

/// Removes the torrents of releases that are neither in place nor to be gone back to: repair and seeding need them there
/// too. Best effort: they only take space.
pub(crate) fn forget_others(dir: &InstallDir, manifest: &ReleaseManifest) {
    let (Ok(current), Ok(names)) = (file_name(manifest), dir.fs().list(FOLDER)) else { return };
    let Ok(earlier) = undo::releases(dir) else { return };
    let mut useful = vec![current];
    for release in earlier {
        let Ok(Some(bytes)) = dir.manifest_copy(&release.manifest) else { continue };
        useful.extend(ReleaseManifest::decode(&bytes).ok().and_then(|manifest| file_name(&manifest).ok()));
    }
    for name in names.into_iter().flatten() {
        if !useful.iter().any(|useful| useful.as_str().ends_with(&name))
            && let Err(error) = dir.fs().remove_file(&format!("{FOLDER}/{name}"))
        {
            tracing::warn!(%name, %error, "an old torrent cannot be removed");
        }
    }
}
