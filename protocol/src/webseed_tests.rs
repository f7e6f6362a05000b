use super::*;
use crate::metainfo::{FileEntry, Mode, NewFile, TorrentBuilder};
use crate::units::BLOCK_LEN;
use proptest::prelude::*;

fn torrent(name: &str, paths: &[&[&str]]) -> Torrent {
    let file = |path: &&[&str]| NewFile {
        path: path.iter().map(|&part| part.to_owned()).collect(),
        len: 5,
        root: Some(Root([0xab; 32])),
        ..NewFile::default()
    };
    let files: Vec<NewFile> = paths.iter().map(file).collect();
    let builder = match &files[..] {
        [] => TorrentBuilder::single_file(name, Mode::V2, 16384, file(&&["x"][..])),
        _ => TorrentBuilder::folder(name, Mode::V2, 16384, files),
    };
    builder.build().unwrap().torrent
}

#[test]
fn urls_by_path() {
    let folder = torrent("my game", &[&["a b", "100%.txt"], &["é", "?#.txt"]]);
    let single = torrent("x y.bin", &[]);
    let cases = [
        ("http://h/base/", &folder, 0, "http://h/base/my%20game/a%20b/100%25.txt"),
        ("http://h/base", &folder, 1, "http://h/base/my%20game/%C3%A9/%3F%23.txt"),
        ("http://h", &folder, 0, "http://h/my%20game/a%20b/100%25.txt"),
        ("http://h/b%20c/?token=1", &folder, 0, "http://h/b%20c/my%20game/a%20b/100%25.txt?token=1"),
        ("http://h/dir/", &single, 0, "http://h/dir/x%20y.bin"),
        ("http://h/file.bin", &single, 0, "http://h/file.bin"),
    ];
    for (base, torrent, file, expected) in cases {
        let url = url_by_path(&base.parse().unwrap(), torrent, FileIndex(file)).unwrap();
        assert_eq!(url.as_str(), expected);
    }
    assert_eq!(url_by_path(&"http://h/".parse().unwrap(), &folder, FileIndex(2)), None);
    assert_eq!(url_by_path(&"data:x".parse().unwrap(), &folder, FileIndex(0)), None);
}

#[test]
fn urls_by_content() {
    let folder = torrent("g", &[&["a"], &["b"]]);
    let url = url_by_content(&"http://h/blobs".parse().unwrap(), &folder, FileIndex(1)).unwrap();
    assert_eq!(url.as_str(), format!("http://h/blobs/{}-5", "ab".repeat(32)));
}

#[test]
fn answers_are_held_against_the_request() {
    let head = |status, content_range| ResponseHead { status, content_range, ..ResponseHead::default() };
    let ok = |skip| Ok(Body { skip, take: 10 });
    let (len, asked) = (1000, 100..110);
    let cases = [
        (head(206, Some("bytes 100-109/1000")), ok(0)),
        (head(206, Some("bytes 100-109/*")), ok(0)),
        (head(206, Some("Bytes 100-109/1000")), ok(0)),
        (head(200, None), ok(100)),
        (ResponseHead { content_length: Some(1000), ..head(200, None) }, ok(100)),
        (ResponseHead { content_encoding: Some("identity"), ..head(200, None) }, ok(100)),
        (ResponseHead { content_encoding: Some("gzip"), ..head(200, None) }, Err(ResponseFault::Encoded)),
        (ResponseHead { content_length: Some(999), ..head(200, None) }, Err(ResponseFault::WrongLength)),
        (
            ResponseHead { content_length: Some(11), ..head(206, Some("bytes 100-109/1000")) },
            Err(ResponseFault::WrongLength),
        ),
        (head(206, None), Err(ResponseFault::WrongRange)),
        (head(206, Some("bytes 100-108/1000")), Err(ResponseFault::WrongRange)),
        (head(206, Some("bytes 0-9/1000")), Err(ResponseFault::WrongRange)),
        (head(206, Some("bytes 100-109/1001")), Err(ResponseFault::WrongLength)),
        (head(206, Some("bytes +100-109/1000")), Err(ResponseFault::WrongRange)),
        (head(206, Some("bytes 100-18446744073709551615/1000")), Err(ResponseFault::WrongRange)),
        (head(206, Some("lines 100-109/1000")), Err(ResponseFault::WrongRange)),
        (head(206, Some("bytes */1000")), Err(ResponseFault::WrongRange)),
        (head(404, None), Err(ResponseFault::Missing(404))),
        (head(503, None), Err(ResponseFault::Busy(503))),
        (head(416, None), Err(ResponseFault::WrongLength)),
        (head(204, None), Err(ResponseFault::Status(204))),
        (head(302, None), Err(ResponseFault::Status(302))),
    ];
    for (head, expected) in cases {
        assert_eq!(check_response(&asked, len, &head), expected, "{head:?}");
    }
    let far = MAX_SKIP + 1..MAX_SKIP + 2;
    assert_eq!(check_response(&far, MAX_SKIP * 2, &head(200, None)), Err(ResponseFault::NoRanges));
    assert_eq!(range_header(&asked), "bytes=100-109");
}

#[test]
fn back_off_doubles_up_to_five_minutes() {
    let (mut back_off, mut now) = (BackOff::default(), Time::from_secs(1000));
    assert!(back_off.is_ready(now));
    for expected in [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300] {
        back_off.failed(now, 0);
        assert_eq!(back_off.ready_at(), Some(now + Duration::from_secs(expected)));
        assert!(!back_off.is_ready(now));
        now += Duration::from_secs(expected);
    }
    assert!(back_off.is_ready(now));
    back_off.failed(now, u64::MAX);
    assert!(back_off.ready_at() < Some(now + Duration::from_secs(450)));
    let until = back_off.ready_at();
    back_off.failed(now, 0);
    assert_eq!(
        (back_off.failures(), back_off.ready_at()),
        (12, until),
        "what was begun before fails with it"
    );
    back_off.succeeded();
    assert_eq!((back_off.failures(), back_off.ready_at()), (0, until));
    back_off.wait(now, Duration::MAX);
    assert_eq!(back_off.ready_at(), Some(now + Duration::from_secs(86_400)));
    back_off.give_up();
    assert_eq!(back_off.ready_at(), None);
    assert!(!back_off.is_ready(Time::MAX));
}

#[test]
fn one_range_spans_pieces_but_never_files() {
    let files = vec![FileEntry::new(&["a"], 100_000), FileEntry::new(&["b"], 20_000)];
    let layout = Layout::aligned(32768, files).unwrap();
    let all = BlockSet::full(layout.block_count());
    let plan = |max_len| ranges(&layout, &all, max_len).map(|r| (r.file.0, r.bytes)).collect::<Vec<_>>();
    assert_eq!(plan(1 << 20), [(0, 0..100_000), (1, 0..20_000)]);
    assert_eq!(plan(65_536), [(0, 0..65_536), (0, 65_536..100_000), (1, 0..20_000)]);
    assert_eq!(plan(1)[..2], [(0, 0..16384), (0, 16384..32768)]);
}

proptest! {
    #[test]
    fn ranges_bring_the_blocks_and_nothing_else(
        lens in prop::collection::vec(0u64..90_000, 1..6),
        wanted in prop::collection::vec(any::<bool>(), 40),
        max_blocks in 1u64..8,
        aligned: bool,
    ) {
        let files = lens.iter().map(|&len| FileEntry::new(&["f"], len)).collect();
        let layout = if aligned { Layout::aligned(32768, files) } else { Layout::contiguous(32768, files) }.unwrap();
        let mut blocks = BlockSet::new(layout.block_count());
        (0..layout.block_count()).zip(wanted).filter(|(b, w)| *w && layout.block_ref(*b).is_some()).for_each(|(b, _)| {
            blocks.set(b);
        });
        let max_len = max_blocks * u64::from(BLOCK_LEN);
        let (mut brought, mut bytes) = (BlockSet::new(layout.block_count()), 0);
        for range in ranges(&layout, &blocks, max_len) {
            let len = range.bytes.end - range.bytes.start;
            prop_assert!(len > 0 && len <= max_len);
            bytes += len;
            layout.blocks_of_range(range.file, range.bytes).for_each(|blocks| brought.insert_range(blocks));
        }
        prop_assert_eq!(&brought, &blocks);
        let expected: u64 = blocks.iter().filter_map(|b| layout.block_ref(b)).map(|b| u64::from(b.len)).sum();
        prop_assert_eq!(bytes, expected);
    }
}
