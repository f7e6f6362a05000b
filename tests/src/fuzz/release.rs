//! What a repository says of releases, and what lies beside blobs.

use manifests::hash::{leaves_from_bytes, leaves_match, sums_from_bytes};
use manifests::pack::tree_id;
use manifests::path::{LinkTarget, SafePath};
use manifests::release::{
    Art, ChannelDoc, ChannelName, FileIdentity, FloorDoc, GameId, ManifestFile, PackBase, PackEntry,
    PackList, ReleaseManifest, RepositoryDoc, RollbackDoc, Version,
};

use super::samples::{identity, noise};

/// Names from outside: what is taken as a path stays below its folder.
pub fn names(data: &[u8]) -> bool {
    let text = String::from_utf8_lossy(data);
    let link = SafePath::parse("a/b/link").ok();
    let path = SafePath::parse(&text);
    if let Ok(path) = &path {
        assert_eq!(path.as_str(), text);
        let below = std::path::Path::new("/install").join(path.to_native());
        let plain = |part| matches!(part, std::path::Component::Normal(_) | std::path::Component::RootDir);
        assert!(below.components().all(plain) && below.starts_with("/install"), "{text:?}");
        let _ = LinkTarget::parse(path, "../x");
    }
    if let Some(target) = link.and_then(|link| LinkTarget::parse(&link, &text).ok()) {
        assert!(!target.as_str().starts_with('/'));
    }
    if let Ok(identity) = text.parse::<FileIdentity>() {
        assert_eq!(identity.to_string(), text);
    }
    let _ = (GameId::parse(&text), Version::parse(&text), ChannelName::parse(&text));
    path.is_ok()
}

/// See [`names`].
pub fn names_seeds() -> Vec<Vec<u8>> {
    let mut seeds: Vec<Vec<u8>> =
        ["data/sub/file.bin", "../../x", "CON", "a:b", "naïve/é", "1.2.3-rc+4", "freeciv", "a\u{202e}b"]
            .map(|text| text.as_bytes().to_vec())
            .into();
    seeds.push(identity(b"x").to_string().into_bytes());
    seeds
}

/// Longest plain text of a seed, in bytes.
const PLAIN_MAX: usize = 1 << 20;

/// A document in its zstd frame: the first byte says whether the frame is to be made around what follows, for a frame that
/// is changed seldom opens.
fn framed(data: &[u8]) -> Option<Vec<u8>> {
    let (kind, body) = data.split_first()?;
    if kind % 2 == 0 { Some(body.to_vec()) } else { zstd::bulk::compress(body, 1).ok() }
}

/// Both ways into [`framed`].
fn both_ways(bytes: &[u8]) -> [Vec<u8>; 2] {
    let plain = zstd::bulk::decompress(bytes, PLAIN_MAX).unwrap_or_default();
    [[&[0], bytes].concat(), [&[1], &plain[..]].concat()]
}

/// Release manifests: what is read is written again, and reads the same.
pub fn manifest(data: &[u8]) -> bool {
    let Some(bytes) = framed(data) else { return false };
    let Ok(manifest) = ReleaseManifest::decode(&bytes) else { return false };
    let again = manifest.encode().unwrap_or_else(|error| panic!("{error}, though it was read"));
    assert_eq!(ReleaseManifest::decode(&again).ok(), Some(manifest));
    true
}

fn sample() -> Option<ReleaseManifest> {
    let version = Version::parse("1.2.3").ok()?;
    let file = |path: &str, bytes: &[u8]| {
        Some(ManifestFile::file(SafePath::parse(path).ok()?, identity(bytes), false))
    };
    let link = SafePath::parse("bin/run").ok()?;
    let target = LinkTarget::parse(&link, "game.x86").ok()?;
    let mut tagged = file("data/world.pak", &noise(1, 50_000))?;
    tagged.tags = vec!["de".to_owned(), "linux".to_owned()];
    let mut files =
        vec![ManifestFile::symlink(link, target), file("bin/game.x86", b"x")?, tagged, file("empty", b"")?];
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Some(ReleaseManifest {
        game: GameId::parse("freeciv").ok()?,
        version,
        sequence: 3,
        allowed_channels: [ChannelName::parse("stable").ok()?, ChannelName::parse("beta").ok()?].into(),
        files,
        piece_len: 1 << 14,
        info_hash_v1: [1; 20],
        info_hash_v2: [2; 32],
        info_hash_v1_only: Some([3; 20]),
        launch: [("linux".to_owned(), "bin/game.x86 --fast".to_owned())].into(),
        notes: "Better.".to_owned(),
        art: Art { icon: Some(identity(b"icon")), hero: Some(identity(b"hero")) },
    })
}

/// See [`manifest`].
pub fn manifest_seeds() -> Vec<Vec<u8>> {
    let bytes = sample().and_then(|manifest| manifest.encode().ok());
    bytes.iter().flat_map(|bytes| both_ways(bytes)).collect()
}

/// Lists of packs: what is read is written again, and reads the same.
pub fn pack_list(data: &[u8]) -> bool {
    let Some(bytes) = framed(data) else { return false };
    let Ok(list) = PackList::decode(&bytes) else { return false };
    let again = list.encode().unwrap_or_else(|error| panic!("{error}, though it was read"));
    assert_eq!(PackList::decode(&again).ok(), Some(list));
    true
}

fn packs() -> Option<PackList> {
    let manifest = sample()?;
    let entry = |base, seed| PackEntry {
        base,
        identity: identity(&noise(seed, 9000)),
        index_len: 300,
        index_sha256: [4; 32],
        piece_len: 16 * 1024,
        info_hash_v1: [5; 20],
        info_hash_v2: [6; 32],
        encoder: 1,
        level: "normal".to_owned(),
        memory: 9 << 20,
    };
    let base = |version: &str, sequence| {
        Some(PackBase { version: Version::parse(version).ok()?, sequence, tree: [7; 32] })
    };
    Some(PackList {
        game: manifest.game,
        version: manifest.version,
        revision: 2,
        target: tree_id(&manifest.files).0,
        packs: vec![entry(None, 1), entry(base("1.0", 1), 2), entry(base("1.1", 2), 3)],
    })
}

/// See [`pack_list`].
pub fn pack_list_seeds() -> Vec<Vec<u8>> {
    let bytes = packs().and_then(|list| list.encode().ok());
    bytes.iter().flat_map(|bytes| both_ways(bytes)).collect()
}

/// The small documents of a repository: what is read is written again, and reads the same.
pub fn documents(data: &[u8]) -> bool {
    let mut read = false;
    macro_rules! read_and_write {
        ($kind:ident) => {
            if let Ok(document) = $kind::decode(data) {
                let again = document.encode().unwrap_or_else(|error| panic!("{error}, though it was read"));
                assert_eq!($kind::decode(&again).ok(), Some(document));
                read = true;
            }
        };
    }
    read_and_write!(ChannelDoc);
    read_and_write!(FloorDoc);
    read_and_write!(RollbackDoc);
    read_and_write!(RepositoryDoc);
    read
}

/// See [`documents`].
pub fn documents_seeds() -> Vec<Vec<u8>> {
    let made = || {
        let (game, channel, release) =
            (GameId::parse("freeciv").ok()?, ChannelName::parse("stable").ok()?, Version::parse("1.2").ok()?);
        let schema = manifests::release::SCHEMA;
        let floor = FloorDoc { schema, game: game.clone(), channel: channel.clone(), sequence: 2 };
        let reason = "It loses saves.".to_owned();
        let rollback = RollbackDoc {
            schema,
            game: game.clone(),
            channel: channel.clone(),
            from: 4,
            to: 3,
            release: release.clone(),
            reason,
        };
        let name = "Maple games".to_owned();
        let public_url = Some("https://games.example".to_owned());
        let repository = RepositoryDoc { schema, name, public_url };
        let channel = ChannelDoc::new(game, channel, release, 3);
        let all = [channel.encode(), floor.encode(), rollback.encode(), repository.encode()];
        Some(all.into_iter().flatten().collect())
    };
    made().unwrap_or_default()
}

/// Leaf hashes and rolling checksums as they lie beside blobs.
pub fn beside_blobs(data: &[u8]) -> bool {
    let (leaves, sums) = (leaves_from_bytes(data), sums_from_bytes(data));
    if let Some(leaves) = &leaves {
        assert_eq!(leaves.len() * 32, data.len());
        for len in [0, 1, data.len() as u64 * 512, u64::MAX] {
            if let Ok(identity) = FileIdentity::new(len, [1; 32]) {
                assert!(!leaves_match(&identity, leaves));
            }
        }
    }
    if let Some(sums) = &sums {
        assert_eq!(sums.len() * 8, data.len());
    }
    leaves.is_some() || sums.is_some()
}

/// See [`beside_blobs`].
pub fn beside_blobs_seeds() -> Vec<Vec<u8>> {
    vec![noise(1, 32 * 9), noise(2, 8 * 5), Vec::new()]
}
