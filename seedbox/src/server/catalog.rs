//! What is offered: read from the signed metadata, so that there is one truth about which releases exist.

use crate::error::{DiskContext as _, Error, Result};
use crate::packs::torrent_path;
use crate::publish::{open_repository, torrent_paths};
use crate::store::{Blobs, DataDir, read_bounded};
use manifests::release::{FileIdentity, GameId, ManifestFile, PackEntry, ReleaseManifest, Version};
use manifests::trust::UnixTime;
use manifests::trust::publisher::Repository;
use protocol::metainfo::Torrent;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

/// The largest torrent file read, in bytes: 10⁶ files with long names, or 16 TiB in pieces of 16 MiB.
const MAX_TORRENT_LEN: u64 = 256 * 1024 * 1024;

/// A release with its torrents.
#[derive(Debug)]
pub(crate) struct Live {
    pub(crate) manifest: ReleaseManifest,
    pub(crate) hybrid: Arc<Torrent>,
    pub(crate) twin: Option<Arc<Torrent>>,
}

impl Live {
    /// Its files' contents, in the order of the torrents: those of the manifest without its links.
    pub(crate) fn contents(&self) -> Vec<FileIdentity> {
        listed(&self.manifest).map(|file| file.identity).collect()
    }

    /// The content at a path below the torrent's name.
    pub(crate) fn file(&self, path: &str) -> Option<FileIdentity> {
        let wanted = path.split('/').map(str::as_bytes);
        let files = &self.manifest.files;
        let at =
            files.binary_search_by(|file| file.path.parts().map(str::as_bytes).cmp(wanted.clone())).ok()?;
        files.get(at).filter(|file| !file.is_symlink()).map(|file| file.identity)
    }
}

/// A pack with its torrent.
#[derive(Debug)]
pub(crate) struct LivePack {
    pub(crate) entry: PackEntry,
    pub(crate) torrent: Arc<Torrent>,
}

/// All releases, and the packs that their lists name now.
#[derive(Debug, Default)]
pub(crate) struct Catalog {
    releases: BTreeMap<(GameId, Version), Arc<Live>>,
    packs: BTreeMap<[u8; 32], Arc<LivePack>>,
    by_name: HashMap<String, Arc<Live>>,
    /// When the timestamp role expires.
    pub(crate) expires: UnixTime,
}

impl Catalog {
    /// Reads the repository; releases of `before` are kept as they are, for they never change.
    pub(crate) fn read(dir: &DataDir, before: &Catalog) -> Result<Catalog> {
        let repository = open_repository(dir)?;
        let mut catalog = Catalog { expires: repository.expires(), ..Catalog::default() };
        for game in repository.games() {
            for info in repository.releases(&game)? {
                let key = (game.clone(), info.version);
                let live = match before.releases.get(&key) {
                    Some(live) => Arc::clone(live),
                    None => Arc::new(read_release(dir, &repository, &key.0, &key.1)?),
                };
                catalog.read_packs(dir, &repository, before, &key.0, &key.1)?;
                catalog.by_name.insert(live.hybrid.name.clone(), Arc::clone(&live));
                catalog.releases.insert(key, live);
            }
        }
        Ok(catalog)
    }

    /// Lists change, packs do not. A pack that cannot be offered is left out: players can do without.
    fn read_packs(
        &mut self,
        dir: &DataDir,
        repository: &Repository,
        before: &Catalog,
        game: &GameId,
        version: &Version,
    ) -> Result<()> {
        let list = repository.pack_list(game, version)?;
        for entry in list.into_iter().flat_map(|list| list.packs) {
            let hash = entry.info_hash_v2;
            let live = match before.packs.get(&hash) {
                Some(live) if live.entry == entry => Ok(Arc::clone(live)),
                _ => read_pack(dir, entry).map(Arc::new),
            };
            match live {
                Ok(live) => drop(self.packs.insert(hash, live)),
                Err(error) => {
                    tracing::warn!(code = error.code(), %error, %game, %version, "a pack is left out");
                }
            }
        }
        Ok(())
    }

    /// Every pack.
    pub(crate) fn packs(&self) -> impl ExactSizeIterator<Item = &Arc<LivePack>> {
        self.packs.values()
    }

    /// Every release.
    pub(crate) fn releases(&self) -> impl ExactSizeIterator<Item = &Arc<Live>> {
        self.releases.values()
    }

    /// The release whose torrents have this name.
    pub(crate) fn named(&self, name: &str) -> Option<&Arc<Live>> {
        self.by_name.get(name)
    }
}

fn listed(manifest: &ReleaseManifest) -> impl Iterator<Item = &ManifestFile> {
    manifest.files.iter().filter(|file| !file.is_symlink())
}

fn read_release(dir: &DataDir, repository: &Repository, game: &GameId, version: &Version) -> Result<Live> {
    let manifest = repository.manifest(game, version)?;
    let (hybrid_path, twin_path) = torrent_paths(dir, &manifest);
    let hybrid = read_torrent(&hybrid_path)?;
    let twin = twin_path.map(|path| read_torrent(&path)).transpose()?;
    let damaged = |what: &str| Error::RepositoryDamaged(format!("{game} {version}: {what}"));
    if hybrid.info_hash_v2.map(|hash| hash.0) != Some(manifest.info_hash_v2) {
        return Err(damaged("its torrent has another info-hash than its manifest"));
    }
    if twin.as_ref().is_some_and(|twin| twin.info_hash_v1.map(|hash| hash.0) != manifest.info_hash_v1_only) {
        return Err(damaged("its v1 torrent has another info-hash than its manifest"));
    }
    let same = |torrent: &Torrent| {
        let lens = torrent.layout.files.iter().map(|file| file.len);
        lens.eq(listed(&manifest).map(|file| file.identity.len))
    };
    if !same(&hybrid) || !twin.as_deref().is_none_or(same) {
        return Err(damaged("its torrents have other files than its manifest"));
    }
    Ok(Live { manifest, hybrid, twin })
}

fn read_pack(dir: &DataDir, entry: PackEntry) -> Result<LivePack> {
    let damaged = |what: &str| Error::RepositoryDamaged(format!("the pack {}: {what}", entry.file_name()));
    let torrent = read_torrent(&torrent_path(dir, &entry))?;
    if torrent.info_hash_v2.map(|hash| hash.0) != Some(entry.info_hash_v2) {
        return Err(damaged("its torrent has another info-hash than the list"));
    }
    let root = protocol::units::Root(entry.identity.root);
    let fits = match torrent.layout.files.as_slice() {
        [only] => only.len == entry.identity.len && only.root == Some(root),
        _ => false,
    };
    if !fits {
        return Err(damaged("its torrent is for another file"));
    }
    if !Blobs::packs(dir).holds(&entry.identity) {
        return Err(damaged("it is not in the store"));
    }
    Ok(LivePack { entry, torrent })
}

fn read_torrent(path: &Path) -> Result<Arc<Torrent>> {
    let bytes = read_bounded(path, MAX_TORRENT_LEN).at(path)?;
    let torrent = Torrent::parse(&bytes);
    torrent.map(Arc::new).map_err(|error| Error::RepositoryDamaged(format!("{}: {error}", path.display())))
}
