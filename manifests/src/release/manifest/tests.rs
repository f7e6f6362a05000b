use proptest::prelude::*;

use super::*;
use crate::release::{MAX_HERO_BYTES, MAX_ICON_BYTES};

fn path(text: &str) -> SafePath {
    SafePath::parse(text).unwrap()
}

pub(crate) fn sample() -> ReleaseManifest {
    let link = path("lib/libgame.so");
    let target = LinkTarget::parse(&link, "libgame.so.1").unwrap();
    ReleaseManifest {
        game: GameId::parse("freeciv").unwrap(),
        version: Version::parse("3.0.6").unwrap(),
        sequence: 7,
        allowed_channels: ["stable", "beta"].map(|c| ChannelName::parse(c).unwrap()).into(),
        files: vec![
            ManifestFile::file(path("bin/game"), FileIdentity::new(40_000, [3; 32]).unwrap(), true),
            ManifestFile {
                tags: vec!["lang:de".into()],
                ..ManifestFile::file(path("empty"), FileIdentity::EMPTY, false)
            },
            ManifestFile::symlink(link, target),
            ManifestFile::file(path("lib/libgame.so.1"), FileIdentity::new(1, [4; 32]).unwrap(), false),
        ],
        piece_len: 1 << 20,
        info_hash_v1: [1; 20],
        info_hash_v2: [2; 32],
        info_hash_v1_only: Some([5; 20]),
        launch: [("windows", "bin\\game.exe"), ("linux", "bin/game --play")]
            .map(|(k, v)| (k.to_owned(), v.to_owned()))
            .into(),
        notes: "First.\n".into(),
        art: Art::default(),
    }
}

/// The same with pictures.
fn dressed() -> ReleaseManifest {
    let picture = |len, byte| Some(FileIdentity::new(len, [byte; 32]).unwrap());
    ReleaseManifest { art: Art { icon: picture(9_000, 7), hero: picture(700_000, 8) }, ..sample() }
}

#[test]
fn round_trip_and_determinism() {
    round_trip(&sample(), 12);
    round_trip(&dressed(), 13);
}

fn round_trip(manifest: &ReleaseManifest, fields_expected: usize) {
    let bytes = manifest.encode().unwrap();
    assert_eq!(ReleaseManifest::decode(&bytes).unwrap(), *manifest);
    assert_eq!(manifest.encode().unwrap(), bytes);
    let plain = manifest.to_cbor().unwrap();
    // A foreign reader agrees on the structure, and on the order of the keys.
    let value: ciborium::Value = ciborium::from_reader(&plain[..]).unwrap();
    let fields = value.as_array().unwrap()[1].as_map().unwrap();
    let keys: Vec<Vec<u8>> = fields
        .iter()
        .map(|(key, _)| {
            let mut out = Vec::new();
            ciborium::into_writer(key, &mut out).unwrap();
            out
        })
        .collect();
    assert!(keys.is_sorted());
    assert_eq!(keys.len(), fields_expected);
}

#[test]
fn one_without_pictures_is_written_as_before_there_were_any() {
    assert_eq!(sample().to_cbor().unwrap()[..2], [0x82, 1]);
    let icon_only = ReleaseManifest { art: Art { hero: None, ..dressed().art }, ..sample() };
    let hero_only = ReleaseManifest { art: Art { icon: None, ..dressed().art }, ..sample() };
    for manifest in [dressed(), icon_only, hero_only] {
        let plain = manifest.to_cbor().unwrap();
        assert_eq!(plain[..2], [0x82, 2]);
        assert_eq!(ReleaseManifest::from_cbor(&plain).unwrap(), manifest);
        // Those who know schema 1 only are told to update.
        let mut as_before = plain.clone();
        as_before[1] = 1;
        assert_eq!(ReleaseManifest::from_cbor(&as_before).unwrap_err().code(), "E-MANIFEST-BAD");
    }
}

#[test]
fn every_cut_and_every_flipped_bit_is_refused_or_harmless() {
    refused_or_harmless(&sample().to_cbor().unwrap());
    refused_or_harmless(&dressed().to_cbor().unwrap());
}

fn refused_or_harmless(plain: &[u8]) {
    for cut in 0..plain.len() {
        assert!(ReleaseManifest::from_cbor(&plain[..cut]).is_err(), "cut at {cut}");
    }
    let mut longer = plain.to_vec();
    longer.push(0);
    assert!(matches!(ReleaseManifest::from_cbor(&longer), Err(ManifestError::Cbor(CborError::TrailingData))));
    for at in 0..plain.len() {
        for bit in 0..8 {
            let mut changed = plain.to_vec();
            changed[at] ^= 1 << bit;
            if let Ok(other) = ReleaseManifest::from_cbor(&changed) {
                assert_eq!(other.to_cbor().unwrap(), changed, "one value has one encoding");
            }
        }
    }
}

#[test]
fn rules_in_a_table() {
    type Change = fn(&mut ReleaseManifest);
    let table: &[(&str, Change)] = &[
        ("no files", |m| m.files.clear()),
        ("sequence 0", |m| m.sequence = 0),
        ("sequence beyond i64", |m| m.sequence = u64::MAX),
        ("piece length 0", |m| m.piece_len = 0),
        ("piece length odd", |m| m.piece_len = 100_000),
        ("piece length small", |m| m.piece_len = 8 << 10),
        ("piece length large", |m| m.piece_len = 128 << 20),
        ("out of order", |m| m.files.swap(0, 1)),
        ("twice", |m| m.files.insert(1, m.files[0].clone())),
        ("case", |m| m.files.insert(0, ManifestFile::file(path("BIN/game"), FileIdentity::EMPTY, false))),
        ("file and folder", |m| {
            m.files.insert(0, ManifestFile::file(path("bin"), FileIdentity::EMPTY, false));
        }),
        ("empty with a root", |m| m.files[0].identity.len = 0),
        ("root of nothing", |m| m.files[0].identity.root = [0; 32]),
        ("file too long", |m| m.files[0].identity.len = MAX_FILE_BYTES + 1),
        ("executable link", |m| m.files[2].executable = true),
        ("link with content", |m| m.files[2].identity = m.files[0].identity),
        ("link of another path", |m| {
            let other = LinkTarget::parse(&path("a/b/c/d"), "../../x").unwrap();
            m.files[2].kind = FileKind::Symlink { target: other };
        }),
        ("tags not ascending", |m| m.files[0].tags = vec!["b".into(), "a".into()]),
        ("empty tag", |m| m.files[0].tags = vec![String::new()]),
        ("platform", |m| drop(m.launch.insert("li nux".into(), "x".into()))),
        ("command", |m| drop(m.launch.insert("linux".into(), "a\nb".into()))),
        ("notes", |m| m.notes = "n".repeat(300 << 10)),
        ("no icon in it", |m| m.art.icon = Some(FileIdentity::EMPTY)),
        ("icon", |m| m.art.icon = Some(FileIdentity { len: MAX_ICON_BYTES + 1, root: [1; 32] })),
        ("hero", |m| m.art.hero = Some(FileIdentity { len: MAX_HERO_BYTES + 1, root: [1; 32] })),
        ("hero of nothing", |m| m.art.hero = Some(FileIdentity { len: 5, root: [0; 32] })),
    ];
    for (name, change) in table {
        let mut manifest = sample();
        change(&mut manifest);
        assert!(manifest.encode().is_err(), "{name}");
    }
}

#[test]
fn a_newer_schema_is_named() {
    let mut plain = sample().to_cbor().unwrap();
    plain[1] = 3;
    let error = ReleaseManifest::from_cbor(&plain).unwrap_err();
    assert_eq!(error.code(), "E-MANIFEST-NEWER");
}

fn any_file() -> impl Strategy<Value = (String, u64, [u8; 32], bool, bool)> {
    ("[a-d]{1,3}(/[a-d]{1,3}){0,2}", 0u64..1 << 40, any::<[u8; 32]>(), any::<bool>(), any::<bool>())
}

proptest! {
    #[test]
    fn any_manifest_round_trips(
        entries in prop::collection::vec(any_file(), 1..20),
        sequence in 1u64..1 << 60,
        notes in "\\PC{0,80}",
        twin in any::<Option<[u8; 20]>>(),
        has_art in any::<bool>(),
    ) {
        let mut manifest = ReleaseManifest { sequence, notes, info_hash_v1_only: twin, files: Vec::new(), ..if has_art { dressed() } else { sample() } };
        let mut names = SafePathSet::new();
        for (text, len, root, executable, link) in entries {
            let path = path(&text);
            if names.insert(&path).is_err() {
                continue;
            }
            manifest.files.push(if link {
                let target = LinkTarget::parse(&path, "target").unwrap();
                ManifestFile::symlink(path, target)
            } else {
                let identity = FileIdentity::new(len, root).unwrap_or(FileIdentity::EMPTY);
                ManifestFile::file(path, identity, executable)
            });
        }
        manifest.files.sort_by(|a, b| a.path.cmp(&b.path));
        let plain = manifest.to_cbor().unwrap();
        prop_assert_eq!(ReleaseManifest::from_cbor(&plain).unwrap(), manifest);
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = ReleaseManifest::decode(&bytes);
        let _ = ReleaseManifest::from_cbor(&bytes);
    }
}
