use proptest::prelude::*;

use super::*;

pub(crate) fn version(text: &str) -> Version {
    Version::parse(text).unwrap()
}

pub(crate) fn entry(base: Option<(&str, u64)>) -> PackEntry {
    PackEntry {
        base: base.map(|(text, sequence)| PackBase { version: version(text), sequence, tree: [9; 32] }),
        identity: FileIdentity::new(3_500_000, [3; 32]).unwrap(),
        index_len: 4_000,
        index_sha256: [4; 32],
        piece_len: 1 << 14,
        info_hash_v1: [5; 20],
        info_hash_v2: [6; 32],
        encoder: 1,
        level: "normal".into(),
        memory: 40 << 20,
    }
}

pub(crate) fn list(packs: Vec<PackEntry>) -> PackList {
    let game = GameId::parse("freeciv").unwrap();
    PackList { game, version: version("3"), revision: 1, target: [8; 32], packs }
}

fn sample() -> PackList {
    list(vec![entry(None), entry(Some(("1", 1))), entry(Some(("2", 2)))])
}

#[test]
fn round_trip_and_determinism() {
    let sample = sample();
    let bytes = sample.encode().unwrap();
    assert_eq!(PackList::decode(&bytes).unwrap(), sample);
    assert_eq!(sample.encode().unwrap(), bytes);
    let plain = sample.to_cbor().unwrap();
    // A foreign reader agrees on the structure, and on the order of the keys.
    let value: ciborium::Value = ciborium::from_reader(&plain[..]).unwrap();
    let fields = value.as_array().unwrap()[1].as_map().unwrap();
    let keys: Vec<&str> = fields.iter().map(|(key, _)| key.as_text().unwrap()).collect();
    assert!(keys.is_sorted_by_key(|key| (key.len(), *key)), "{keys:?}");
    assert_eq!(PackList::decode(&list(Vec::new()).encode().unwrap()).unwrap().packs, []);
}

#[test]
fn packs_take_their_place() {
    let mut built = list(Vec::new());
    for base in [Some(("2", 2)), None, Some(("1", 1))] {
        built.insert(entry(base));
    }
    assert_eq!(built, sample());
    let smaller = PackEntry { level: "best".into(), ..entry(Some(("1", 1))) };
    built.insert(smaller.clone());
    assert_eq!(built.packs.len(), 3);
    assert_eq!(built.from_base(Some(&version("1"))), Some(&smaller));
    assert_eq!(built.from_base(None), Some(&entry(None)));
    assert_eq!(built.from_base(Some(&version("7"))), None);
    let game = GameId::parse("freeciv").unwrap();
    assert_eq!(pack_torrent_name(&game, Some(&version("1")), &version("3")), "freeciv-1-3.pack");
    assert_eq!(pack_torrent_name(&game, None, &version("3")), "freeciv-full-3.pack");
}

#[test]
fn every_cut_and_every_flipped_bit_is_refused_or_harmless() {
    let plain = sample().to_cbor().unwrap();
    for cut in 0..plain.len() {
        assert!(PackList::from_cbor(&plain[..cut]).is_err(), "cut at {cut}");
    }
    let longer = [&plain[..], &[0]].concat();
    assert!(matches!(PackList::from_cbor(&longer), Err(PackListError::Cbor(CborError::TrailingData))));
    for at in 0..plain.len() {
        for bit in 0..8 {
            let mut changed = plain.clone();
            changed[at] ^= 1 << bit;
            if let Ok(other) = PackList::from_cbor(&changed) {
                assert_eq!(other.to_cbor().unwrap(), changed, "one value has one encoding");
            }
        }
    }
}

#[test]
fn rules_in_a_table() {
    type Change = fn(&mut PackList);
    let table: &[(&str, Change)] = &[
        ("revision 0", |l| l.revision = 0),
        ("revision beyond i64", |l| l.revision = u64::MAX),
        ("from itself", |l| l.packs[1].base.as_mut().unwrap().version = version("3")),
        ("out of order", |l| l.packs.swap(0, 1)),
        ("one base twice", |l| l.packs[2] = l.packs[1].clone()),
        ("one base under two sequences", |l| l.packs[2].base.as_mut().unwrap().version = version("1")),
        ("two full packs", |l| l.packs[1].base = None),
        ("base of sequence 0", |l| l.packs[1].base.as_mut().unwrap().sequence = 0),
        ("empty pack", |l| l.packs[0].identity = FileIdentity::EMPTY),
        ("root of nothing", |l| l.packs[0].identity.root = [0; 32]),
        ("no index", |l| l.packs[0].index_len = 0),
        ("index as long as its pack", |l| l.packs[0].index_len = l.packs[0].identity.len),
        ("endless index", |l| {
            l.packs[0].identity.len = 1 << 40;
            l.packs[0].index_len = MAX_PACK_INDEX_BYTES + 1;
        }),
        ("piece length 0", |l| l.packs[0].piece_len = 0),
        ("piece length odd", |l| l.packs[0].piece_len = 100_000),
        ("memory", |l| l.packs[0].memory = MAX_PACK_MEMORY_BYTES + 1),
        ("no level", |l| l.packs[0].level.clear()),
        ("level of another alphabet", |l| l.packs[0].level = "Best!".into()),
        ("long level", |l| l.packs[0].level = "x".repeat(17)),
    ];
    for (name, change) in table {
        let mut list = sample();
        change(&mut list);
        assert!(list.encode().is_err(), "{name}");
    }
    let many = (1..=MAX_PACKS as u64 + 1).map(|n| entry(Some((&format!("v{n}"), n)))).collect();
    assert!(list(many).encode().is_err());
}

#[test]
fn a_list_as_long_as_accepted_is_read() {
    let full = (1..=MAX_PACKS as u64)
        .map(|n| {
            // Hashes do not compress.
            let hash: [u8; 32] = <sha2::Sha256 as sha2::Digest>::digest(n.to_le_bytes()).into();
            let base =
                PackBase { version: version(&format!("{n}{}", "x".repeat(58))), sequence: n, tree: hash };
            PackEntry { base: Some(base), info_hash_v2: hash, index_sha256: hash, ..entry(None) }
        })
        .collect();
    let list = list(full);
    assert_eq!(PackList::decode(&list.encode().unwrap()).unwrap(), list);
}

#[test]
fn bombs_and_newer_schemas_are_named() {
    let mut plain = sample().to_cbor().unwrap();
    plain[1] = 2;
    assert_eq!(PackList::from_cbor(&plain).unwrap_err().code(), "E-PACKS-NEWER");
    let bomb = frame::pack(&vec![0; MAX_PLAIN_BYTES + 1]).unwrap();
    assert!(matches!(PackList::decode(&bomb), Err(PackListError::Frame(FrameError::TooMuchOutput(_)))));
    let long = vec![0; MAX_PACK_LIST_BYTES as usize + 1];
    assert!(matches!(PackList::decode(&long), Err(PackListError::TooLarge)));
}

proptest! {
    #[test]
    fn any_list_round_trips(
        bases in prop::collection::btree_map(1u64..1 << 62, any::<([u8; 32], u32, u16)>(), 0..12),
        full in any::<bool>(),
        revision in 1u64..1 << 62,
    ) {
        let mut built = PackList { revision, ..list(Vec::new()) };
        if full {
            built.insert(entry(None));
        }
        for (sequence, (hash, encoder, len)) in bases {
            let text = format!("v{sequence}");
            let index_len = u64::from(len) + 1;
            let identity = FileIdentity { len: index_len + 40, root: [1; 32] };
            let base = PackBase { version: version(&text), sequence, tree: hash };
            built.insert(PackEntry { base: Some(base), identity, index_len, encoder, ..entry(None) });
        }
        let plain = built.to_cbor().unwrap();
        prop_assert_eq!(PackList::from_cbor(&plain).unwrap(), built);
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = PackList::decode(&bytes);
        let _ = PackList::from_cbor(&bytes);
    }
}
