//! Torrents of the builder, read again; torrents that must be refused.

use super::*;
use crate::bencode::{Kind, Limits, Value};
use crate::merkle::FileHasher;
use crate::metainfo::V1Hasher;
use crate::units::{FileIndex, PieceIndex};
use proptest::prelude::*;

const PIECE: u32 = 32 * 1024;

fn content(len: u64, fill: u8) -> Vec<u8> {
    (0..len).map(|i| (i / 1000) as u8 ^ fill).collect()
}

fn new_file(path: &str, len: u64, fill: u8) -> NewFile {
    let mut hasher = FileHasher::new();
    hasher.update(&content(len, fill));
    let hashes = hasher.finish();
    NewFile {
        path: path.split('/').map(str::to_owned).collect(),
        len,
        executable: fill % 2 == 1,
        root: hashes.root,
        piece_layer: hashes.piece_layer(PIECE),
    }
}

/// Files by path and length; the content of each is made from its place in the list.
fn builder(mode: Mode, files: &[(&str, u64)]) -> TorrentBuilder {
    let mut files: Vec<(&str, u64)> = files.to_vec();
    files.sort_by_key(|(path, _)| path.split('/').collect::<Vec<_>>());
    let new = files.iter().zip(0u8..).map(|(&(path, len), fill)| new_file(path, len, fill)).collect();
    let builder = TorrentBuilder::folder("game", mode, PIECE, new);
    let Ok(layout) = builder.layout() else { return builder };
    let mut hasher = V1Hasher::new(&layout);
    for ((_, len), fill) in files.iter().zip(0u8..) {
        hasher.update(&content(*len, fill));
    }
    builder.pieces_v1(hasher.finish().unwrap())
}

const FILES: &[(&str, u64)] =
    &[("a/x", 5), ("a.b", 100_000), ("empty", 0), ("same1", 70_000), ("z/deep/er", 65_536), ("zz", 0)];

#[test]
fn modes_and_their_halves() {
    for (mode, v1, v2) in [(Mode::V1, true, false), (Mode::V2, false, true), (Mode::Hybrid, true, true)] {
        let torrent = builder(mode, FILES).build().unwrap().torrent;
        assert_eq!((torrent.info_hash_v1.is_some(), torrent.info_hash_v2.is_some()), (v1, v2));
        assert_eq!(torrent.wire_hashes().count(), usize::from(v1) + usize::from(v2));
        assert_eq!(torrent.layout.files.len(), 6);
        assert_eq!(torrent.layout.data_len, 235_541);
        let paths: Vec<String> = torrent.layout.files.iter().map(|file| file.path.join("/")).collect();
        assert_eq!(
            paths,
            ["a/x", "a.b", "empty", "same1", "z/deep/er", "zz"],
            "by component, not by joined path"
        );
        let executables: Vec<bool> = torrent.layout.files.iter().map(|file| file.executable).collect();
        assert_eq!(executables, [false, true, false, true, false, true]);
        assert_eq!(torrent.layout.pieces_of_file(FileIndex(1)), if v2 { 1..5 } else { 0..4 });
        assert_eq!(torrent.piece_root(PieceIndex(0)).is_some(), v2);
        let from_info = Torrent::from_info(&torrent.info_bytes).unwrap();
        assert_eq!(from_info.info_hash_v2, torrent.info_hash_v2);
        assert_eq!(from_info.layout, torrent.layout);
    }
}

#[test]
fn the_v1_half_of_a_hybrid_counts_the_last_pad() {
    let (hybrid, v2) = (builder(Mode::Hybrid, FILES), builder(Mode::V2, FILES));
    let (hybrid, v2) = (hybrid.build().unwrap().torrent.layout, v2.build().unwrap().torrent.layout);
    assert_eq!(hybrid.piece_count(), v2.piece_count());
    assert_eq!(hybrid.total_len % u64::from(PIECE), 0);
    let last = |layout: &Layout| PieceIndex(layout.piece_count() - 1);
    assert_eq!(hybrid.piece_data_len(last(&hybrid)), v2.piece_data_len(last(&v2)));
}

#[test]
fn piece_roots_are_roots_of_the_pieces_blocks() {
    let torrent = builder(Mode::Hybrid, FILES).build().unwrap().torrent;
    for (file, fill) in torrent.layout.files.iter().zip(0u8..) {
        for (bytes, in_file) in content(file.len, fill).chunks(PIECE as usize).zip(0u32..) {
            let leaves: Vec<Root> = bytes.chunks(16384).map(crate::merkle::leaf).collect();
            let piece = PieceIndex((file.offset / u64::from(PIECE)) as u32 + in_file);
            let expected = crate::merkle::piece_root(&leaves, PIECE, file.len);
            assert_eq!(torrent.piece_root(piece), expected);
        }
    }
}

#[test]
fn one_file_alone_has_no_pad() {
    for mode in [Mode::V1, Mode::V2, Mode::Hybrid] {
        let base = builder(mode, &[("x", 5)]);
        let folder = base.build().unwrap().torrent;
        let single =
            TorrentBuilder::single_file("x", mode, PIECE, base.files[0].clone()).pieces_v1(base.pieces_v1);
        let single = single.build().unwrap().torrent;
        assert_eq!((folder.layout.total_len, single.layout.total_len), (5, 5));
        assert!(single.single_file && !folder.single_file);
    }
}

#[test]
fn files_that_cannot_be_a_torrent() {
    let build = |files: &[(&str, u64)]| builder(Mode::Hybrid, files).build().unwrap_err();
    assert_eq!(build(&[]), MetainfoError::NoData);
    assert_eq!(build(&[("a", 0), ("b", 0)]), MetainfoError::NoData);
    for path in ["..", "a/../b", ".", "a//b", "a:b", "a\\b", "a\0", "a/", &"x".repeat(256), &"a/".repeat(70)]
    {
        assert!(matches!(build(&[(path, 1)]), MetainfoError::UnsafeName(_)), "{path:?}");
    }
    assert!(matches!(build(&[("a", 1), ("a", 2)]), MetainfoError::BadFiles(_)));
    assert!(matches!(build(&[("a", 1), ("a/b", 2)]), MetainfoError::BadFiles(_)));
    for piece_len in [0, 16383, 8192, 3 * 16384, 128 << 20] {
        let files = vec![new_file("a", 1, 0)];
        let error = TorrentBuilder::folder("g", Mode::V2, piece_len, files).build().unwrap_err();
        assert_eq!(error, MetainfoError::BadPieceLength);
    }
    let no_pieces = builder(Mode::V1, FILES).pieces_v1(Vec::new());
    assert_eq!(no_pieces.build().unwrap_err(), MetainfoError::PieceCount);
    let mut wrong_layer = builder(Mode::V2, FILES);
    wrong_layer.files[1].piece_layer[0].0[0] ^= 1;
    assert_eq!(wrong_layer.build().unwrap_err(), MetainfoError::BadPieceLayer);
}

#[test]
fn trackers_and_web_seeds_come_back() {
    let tiers = |tiers: &[&[&str]]| -> Vec<Vec<String>> {
        tiers.iter().map(|tier| tier.iter().map(|&url| url.to_owned()).collect()).collect()
    };
    for announce in
        [tiers(&[]), tiers(&[&["http://a/"]]), tiers(&[&["http://a/", "http://b/"], &["http://c/"]])]
    {
        let urls = vec!["http://w/".to_owned()];
        let builder = builder(Mode::V2, FILES).announce(announce.clone()).url_list(urls.clone());
        let torrent = builder.build().unwrap().torrent;
        assert_eq!((torrent.announce, torrent.url_list), (announce, urls));
    }
    let plain = builder(Mode::V2, FILES).build().unwrap().torrent;
    let private = builder(Mode::V2, FILES).private(true).build().unwrap().torrent;
    assert!(private.private && !plain.private);
    assert_ne!(private.info_hash_v2, plain.info_hash_v2);
}

/// A torrent's top dictionary and its info dictionary, to be bent.
type Dict = BTreeMap<Vec<u8>, Owned>;

fn owned(value: &Value<'_>) -> Owned {
    match &value.kind {
        Kind::Int(int) => Owned::Int(*int),
        Kind::Bytes(bytes) => Owned::Bytes(bytes.to_vec()),
        Kind::List(values) => Owned::List(values.iter().map(owned).collect()),
        Kind::Dict(entries) => Owned::Dict(entries.iter().map(|(k, v)| (k.to_vec(), owned(v))).collect()),
    }
}

fn bent(mode: Mode, bend: impl Fn(&mut Dict, &mut Dict)) -> Result<Torrent, MetainfoError> {
    let bytes = builder(mode, FILES).build().unwrap().bytes;
    let Owned::Dict(mut top) = owned(&Value::parse(&bytes, Limits::TORRENT).unwrap()) else {
        panic!("no dict")
    };
    let Some(Owned::Dict(mut info)) = top.remove(&b"info"[..]) else { panic!("no info") };
    bend(&mut top, &mut info);
    top.insert(b"info".to_vec(), Owned::Dict(info));
    Torrent::parse(&Owned::Dict(top).encode())
}

fn set(dict: &mut Dict, key: &str, value: Owned) {
    dict.insert(key.as_bytes().to_vec(), value);
}

fn file_v1(len: i64, path: &[&str]) -> Owned {
    Owned::dict([("length", Owned::Int(len)), ("path", Owned::strings(path))])
}

#[test]
fn bent_torrents_are_refused() {
    use MetainfoError as E;
    type Bend = fn(&mut Dict, &mut Dict);
    let cases: &[(Mode, Bend, MetainfoError)] = &[
        (Mode::V1, |_, info| drop(info.remove(&b"name"[..])), E::Field("name")),
        (Mode::V1, |_, info| set(info, "name", Owned::from("..")), E::UnsafeName("..".into())),
        (Mode::V1, |_, info| set(info, "name", Owned::from("a/b")), E::UnsafeName("a/b".into())),
        (Mode::V1, |_, info| set(info, "piece length", Owned::Int(0)), E::BadPieceLength),
        (Mode::V1, |_, info| set(info, "piece length", Owned::Int(-1)), E::BadPieceLength),
        (Mode::V1, |_, info| set(info, "piece length", Owned::Int(1 << 40)), E::BadPieceLength),
        (Mode::V1, |_, info| set(info, "piece length", Owned::Int(16384)), E::PieceCount),
        (Mode::V1, |_, info| set(info, "pieces", Owned::from(&[0; 19][..])), E::Field("pieces")),
        (Mode::V1, |_, info| set(info, "pieces", Owned::Int(1)), E::Field("pieces")),
        (Mode::V1, |_, info| drop(info.remove(&b"pieces"[..])), E::UnknownVersion),
        (Mode::V1, |_, info| set(info, "length", Owned::Int(5)), E::Field("files")),
        (Mode::V1, |_, info| set(info, "files", Owned::List(vec![file_v1(-1, &["a"])])), E::Field("length")),
        (
            Mode::V1,
            |_, info| set(info, "files", Owned::List(vec![file_v1(1, &[".."])])),
            E::UnsafeName("..".into()),
        ),
        (
            Mode::V1,
            |_, info| set(info, "files", Owned::List(vec![file_v1(i64::MAX, &["a"]); 3])),
            E::TooLarge,
        ),
        (Mode::V2, |_, info| set(info, "meta version", Owned::Int(3)), E::UnknownVersion),
        (Mode::V2, |_, info| set(info, "piece length", Owned::Int(16385)), E::BadPieceLength),
        (Mode::V2, |_, info| drop(info.remove(&b"file tree"[..])), E::Field("file tree")),
        (Mode::V2, |top, _| drop(top.remove(&b"piece layers"[..])), E::Field("piece layers")),
        (Mode::V2, |top, _| set(top, "piece layers", Owned::dict([])), E::BadPieceLayer),
        (Mode::V2, |_, info| set(info, "piece length", Owned::Int(16384)), E::BadPieceLayer),
        (
            Mode::Hybrid,
            |_, info| set(info, "files", Owned::List(vec![file_v1(327_680, &["a"])])),
            E::HybridMismatch,
        ),
    ];
    for (number, (mode, bend, error)) in cases.iter().enumerate() {
        assert_eq!(bent(*mode, bend).as_ref(), Err(error), "case {number}");
    }
}

#[test]
fn bent_file_trees_are_refused() {
    let root = || Owned::from(&[1; 32][..]);
    let leaf = |fields: Vec<(&'static str, Owned)>| Owned::dict([("", Owned::dict(fields))]);
    let len = |len| ("length", Owned::Int(len));
    let mut deep = leaf(vec![len(0)]);
    for _ in 0..70 {
        deep = Owned::dict([("d", deep)]);
    }
    let both = Owned::dict([("", Owned::dict([len(0)])), ("b", leaf(vec![len(0)]))]);
    let cases = [
        leaf(vec![len(5)]),
        leaf(vec![len(0), ("pieces root", root())]),
        leaf(vec![len(5), ("pieces root", Owned::from("short"))]),
        leaf(vec![("pieces root", root())]),
        leaf(vec![len(-5), ("pieces root", root())]),
        leaf(vec![len(i64::MAX), ("pieces root", root())]),
        leaf(vec![len(5), ("pieces root", root()), ("attr", Owned::from("p"))]),
        Owned::from("file"),
        both,
        deep,
    ];
    for (number, node) in cases.into_iter().enumerate() {
        let tree = Owned::dict([("f", node)]);
        let result = bent(Mode::V2, |_, info| set(info, "file tree", tree.clone()));
        assert!(result.is_err(), "case {number}");
    }
    for name in ["..", "a/b", "", "c:"] {
        let tree = Owned::dict([(name, leaf(vec![len(5), ("pieces root", root())]))]);
        assert!(bent(Mode::V2, |_, info| set(info, "file tree", tree.clone())).is_err(), "{name:?}");
    }
}

#[test]
fn other_layouts_of_pads_are_accepted() {
    // No pad behind the last file, as older creators have it: two whole pieces and the begun third.
    let files = [("a", 40_000), ("b", 5)];
    let pad = |len: i64| {
        Owned::dict([
            ("attr", Owned::from("p")),
            ("length", Owned::Int(len)),
            ("path", Owned::strings([".pad", "0"])),
        ])
    };
    let base = builder(Mode::Hybrid, &files).build().unwrap();
    let Owned::Dict(mut top) = owned(&Value::parse(&base.bytes, Limits::TORRENT).unwrap()) else {
        panic!("no dict")
    };
    let Some(Owned::Dict(info)) = top.get_mut(&b"info"[..]) else { panic!("no info") };
    set(info, "files", Owned::List(vec![file_v1(40_000, &["a"]), pad(25_536), file_v1(5, &["b"])]));
    let torrent = Torrent::parse(&Owned::Dict(top).encode()).unwrap();
    assert_eq!(torrent.layout.total_len, 65_541);
    assert_eq!(torrent.layout.piece_data_len(PieceIndex(2)), 5);
}

#[test]
fn piece_lengths_follow_the_design() {
    let cases: &[(&[u64], u32)] = &[
        (&[], 16 << 10),
        (&[1], 16 << 10),
        (&[8_000 * 16_384], 16 << 10),
        (&[8_000 * 16_384 + 1], 32 << 10),
        (&[700 << 20], 128 << 10),
        (&[u64::MAX, u64::MAX], 16 << 20),
        (&[1; 20_000], 16 << 10),
    ];
    for (lens, expected) in cases {
        assert_eq!(choose_piece_len(lens), *expected);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn what_is_built_is_read_again(lens in prop::collection::vec(prop_oneof![Just(0u64), Just(1), Just(32_768), Just(65_536), 0u64..100_000], 1..8), mode in prop::sample::select(vec![Mode::V1, Mode::V2, Mode::Hybrid])) {
        let names: Vec<String> = (0..lens.len()).map(|i| format!("{}/{i}", i % 3)).collect();
        let files: Vec<(&str, u64)> = names.iter().map(String::as_str).zip(lens.iter().copied()).collect();
        let builder = builder(mode, &files);
        match builder.build() {
            Err(error) => prop_assert!(lens.iter().all(|&len| len == 0) && error == MetainfoError::NoData),
            Ok(built) => {
                let layout = builder.layout().unwrap();
                prop_assert_eq!(built.torrent.layout.total_len, layout.total_len);
                let offsets = |layout: &Layout| layout.files.iter().filter(|f| f.len > 0).map(|f| f.offset).collect::<Vec<_>>();
                prop_assert_eq!(offsets(&built.torrent.layout), offsets(&layout));
            }
        }
    }

    #[test]
    fn a_flipped_byte_never_panics_and_is_noticed(at in 0usize..10_000, flip in 1u8..) {
        let built = builder(Mode::Hybrid, FILES).build().unwrap();
        let mut bytes = built.bytes.clone();
        let at = at % bytes.len();
        bytes[at] ^= flip;
        if let Ok(torrent) = Torrent::parse(&bytes) {
            let same_info = torrent.info_bytes == built.torrent.info_bytes;
            prop_assert_eq!(same_info, torrent.info_hash_v2 == built.torrent.info_hash_v2);
            prop_assert_eq!(same_info, torrent.info_hash_v1 == built.torrent.info_hash_v1);
        }
    }
}
