//! A repository of which one file is anything at all.

use std::collections::BTreeMap;
use std::path::Path;
use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Waker};

use manifests::path::SafePath;
use manifests::release::{
    Art, ChannelDoc, ChannelName, FileIdentity, GameId, ManifestFile, ReleaseManifest, Version,
};
use manifests::trust::client::{FetchError, FetchFuture, Transport};
use manifests::trust::publisher::{InitOptions, Repository, RepositoryPaths};
use manifests::trust::{Client, Freshness, UnixTime};

const NOW: UnixTime = UnixTime(1_790_000_000);

/// A repository in memory.
struct World {
    root: Vec<u8>,
    files: Arc<BTreeMap<String, Vec<u8>>>,
    manifest: ReleaseManifest,
}

#[derive(Clone)]
struct Changed {
    files: Arc<BTreeMap<String, Vec<u8>>>,
    path: String,
    bytes: Vec<u8>,
}

impl Transport for Changed {
    fn fetch<'a>(&'a self, path: &'a str, limit: u64) -> FetchFuture<'a> {
        let bytes = if path == self.path { Some(&self.bytes) } else { self.files.get(path) };
        let answer = match bytes {
            Some(bytes) if bytes.len() as u64 > limit => Err(FetchError::TooLarge),
            bytes => Ok(bytes.cloned()),
        };
        Box::pin(std::future::ready(answer))
    }
}

fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| make().unwrap_or_else(|error| panic!("{error}")))
}

fn make() -> anyhow::Result<World> {
    let dir = tempfile::tempdir()?;
    let (game, stable) = (GameId::parse("freeciv")?, ChannelName::parse("stable")?);
    let options = InitOptions::default();
    let paths = RepositoryPaths::below(&dir.path().join("data"));
    let (mut repository, mut keys) = Repository::init(paths, &dir.path().join("keys"), &options, NOW)?;
    repository.add_game(&mut keys, &game, options.releases, NOW)?;
    let manifest = ReleaseManifest {
        game: game.clone(),
        version: Version::parse("1")?,
        sequence: 1,
        allowed_channels: [stable.clone()].into(),
        files: vec![ManifestFile::file(SafePath::parse("game.bin")?, FileIdentity::new(9, [7; 32])?, true)],
        piece_len: 1 << 14,
        info_hash_v1: [1; 20],
        info_hash_v2: [2; 32],
        info_hash_v1_only: None,
        launch: BTreeMap::new(),
        notes: String::new(),
        art: Art::default(),
    };
    repository.add_release(&mut keys, &manifest, NOW)?;
    repository.set_channel(&ChannelDoc::new(game, stable, manifest.version.clone(), 1), NOW)?;
    let mut files = BTreeMap::new();
    let public = repository.paths().public.clone();
    for entry in walkdir::WalkDir::new(&public).into_iter().filter_map(Result::ok) {
        if entry.file_type().is_file() {
            let name = entry.path().strip_prefix(&public)?.to_string_lossy().replace('\\', "/");
            files.insert(name, std::fs::read(entry.path())?);
        }
    }
    let root = keys.pinned_root().unwrap_or_default().to_vec();
    Ok(World { root, files: Arc::new(files), manifest })
}

/// The number of a file (one more than there are: the root that is trusted), then what it is instead. What a client
/// believes is what the studio signed, or nothing.
pub fn client(data: &[u8]) -> bool {
    let Some((number, bytes)) = data.split_first() else { return false };
    let world = world();
    let count = world.files.len();
    let path = world.files.keys().nth(usize::from(*number) % (count + 1)).cloned();
    let root = if path.is_some() { &world.root[..] } else { bytes };
    let transport =
        Changed { files: world.files.clone(), path: path.unwrap_or_default(), bytes: bytes.to_vec() };
    let state = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
    let found = now(resolve(root, state.path(), transport));
    if let Some(manifest) = &found {
        assert_eq!(*manifest, world.manifest);
    }
    found.is_some()
}

async fn resolve(root: &[u8], state: &Path, transport: Changed) -> Option<ReleaseManifest> {
    let mut client = Client::open(root, state, transport).ok()?;
    client.refresh(NOW, Freshness::Required).await.ok()?;
    let manifest = &world().manifest;
    let _ = client.pack_list(&manifest.game, &manifest.version).await;
    let stable = ChannelName::parse("stable").ok()?;
    let _ = client.resolve_release(&manifest.game, &manifest.version).await;
    client.resolve_channel(&manifest.game, &stable, None).await.ok().map(|found| found.manifest)
}

/// A transport in memory answers at once.
fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("a transport in memory waited"),
    }
}

/// See [`client`].
pub fn client_seeds() -> Vec<Vec<u8>> {
    let world = world();
    let files = world.files.values().chain([&world.root]);
    (0u8..).zip(files).map(|(number, bytes)| [&[number], &bytes[..]].concat()).collect()
}
