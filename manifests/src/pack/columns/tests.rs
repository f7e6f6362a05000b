use proptest::prelude::*;

use super::*;

fn sample() -> Index {
    let frame = |offset, len, output_len| Frame {
        offset,
        len,
        method: Method::Zstd,
        prefix: vec![
            BaseRange { file: 3, view: View::Raw, offset: 70_000, len: 5 },
            BaseRange { file: 1, view: View::Opened, offset: 0, len: 90 },
        ],
        plain_len: output_len,
        output_len,
        memory: 2 << 20,
    };
    Index {
        base: Some(TreeId([1; 32])),
        target: TreeId([2; 32]),
        encoder: 7,
        frames: vec![frame(8, 10, 100), frame(18, 20, 1000)],
        files: vec![
            Recipe {
                file: 4,
                slices: vec![
                    Slice::Frame { frame: 1, offset: 50, len: 950 },
                    Slice::Base { file: 9, offset: 1 << 40, len: 1 << 33 },
                ],
            },
            Recipe {
                file: 6,
                slices: vec![
                    Slice::Frame { frame: 0, offset: 0, len: 100 },
                    Slice::Frame { frame: 1, offset: 0, len: 50 },
                ],
            },
        ],
    }
}

#[test]
fn an_index_comes_back_as_it_was() {
    for index in [sample(), Index { base: None, frames: Vec::new(), files: Vec::new(), ..sample() }] {
        let bytes = index.encode().unwrap();
        assert_eq!(Index::decode(&bytes, &Limits::default()).unwrap(), index);
    }
}

#[test]
fn a_cut_flipped_or_longer_index_is_refused() {
    let bytes = sample().encode().unwrap();
    for cut in 0..bytes.len() {
        assert!(Index::decode(&bytes[..cut], &Limits::default()).is_err(), "cut at {cut}");
    }
    for at in 0..bytes.len() * 8 {
        let mut damaged = bytes.clone();
        damaged[at / 8] ^= 1 << (at % 8);
        let decoded = Index::decode(&damaged, &Limits::default());
        assert!(decoded.is_err(), "bit {at}");
    }
    let longer = [&bytes[..], &[0]].concat();
    assert!(Index::decode(&longer, &Limits::default()).is_err());
}

#[test]
fn bounds_hold_before_anything_is_unpacked() {
    let bytes = sample().encode().unwrap();
    let refused = |limits: Limits| Index::decode(&bytes, &limits).is_err();
    assert!(refused(Limits { max_index_bytes: bytes.len() - 1, ..Limits::default() }));
    assert!(refused(Limits { max_plain_bytes: 64, ..Limits::default() }));
    assert!(refused(Limits { max_frames: 1, ..Limits::default() }));
    assert!(refused(Limits { max_files: 1, ..Limits::default() }));
    assert!(refused(Limits { max_slices: 3, ..Limits::default() }));
    assert!(refused(Limits { max_ranges: 3, ..Limits::default() }));
}

proptest! {
    /// Past the digest: whatever plain bytes say, reading them ends in an index or an error.
    #[test]
    fn any_plain_bytes_are_read_without_harm(at in 0usize..400, byte: u8, cut in 0usize..400) {
        let mut plain = sample().plain();
        let len = plain.len();
        plain[at % len] = byte;
        plain.truncate(len - cut % 3);
        let _ = Index::from_plain(&mut Source(&plain), &Limits::default());
    }

    #[test]
    fn noise_is_read_without_harm(noise in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = Index::from_plain(&mut Source(&noise), &Limits::default());
        let _ = Index::decode(&noise, &Limits::default());
    }
}
