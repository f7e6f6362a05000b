//! What the encoder writes, pinned: another pack of the same builds is another encoder, and must say so.

use std::io::Write as _;

use flate2::{Compression, write::ZlibEncoder};
use sha2::{Digest, Sha256};

use super::*;

/// The encoder these were written by, and of each level's pack the first bytes of its SHA-256.
const GOLDEN: (u32, [(Level, &str); 3]) = (
    1,
    [
        (Level::Fast, "a2275fd8412c202e"),
        (Level::Normal, "57e8b0ef511f7445"),
        (Level::Best, "0d62f4d7a3df60d8"),
    ],
);
/// Of the builds, should a library that makes them change.
const BUILDS: &str = "d2d8e6be36d82280";

/// A grey image.
fn png(pixels: &[u8], width: u32) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::new(6));
    encoder.write_all(pixels).unwrap();
    let height = pixels.len() as u32 / (width + 1);
    let header = [&width.to_be_bytes()[..], &height.to_be_bytes(), &[8, 0, 0, 0, 0]].concat();
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    for (name, data) in [(b"IHDR", header), (b"IDAT", encoder.finish().unwrap()), (b"IEND", Vec::new())] {
        let mut crc = flate2::Crc::new();
        crc.update(name);
        crc.update(&data);
        let len = (data.len() as u32).to_be_bytes();
        file.extend([&len[..], name, &data, &crc.sum().to_be_bytes()].concat());
    }
    file
}

/// A table of places in something that grew by `shift` in its middle: what deltas are for.
fn table(shift: u32) -> Vec<u8> {
    let mut offset = 0u32;
    let entry = |at: u32| {
        offset += 100 + at * 7919 % 977;
        let shifted = if at < 2000 { offset } else { offset + shift };
        let name = u64::from(at + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15).to_le_bytes();
        [&name[..], &shifted.to_le_bytes()].concat()
    };
    (0..4000).flat_map(entry).collect()
}

/// Builds with something for every codec.
fn builds() -> (Tree, Tree) {
    let pixels = |seed| [text(seed, 3000), noise(seed, 900), text(seed + 2, 500)].concat();
    let (old, new) = pair();
    let with = |tree: Tree, image: Vec<u8>, table: Vec<u8>, words: Vec<u8>| {
        let mut files: Vec<_> =
            tree.files.iter().map(|file| file.path.as_str()).zip(tree.content.0).collect();
        files.extend([("picture.png", png(&image, 99)), ("places.bin", table), ("words.txt", words)]);
        Tree::new(&files)
    };
    let (old_words, new_words) = (text(5, 100), [text(5, 9000), noise(8, 3000), text(9, 9000)].concat());
    (with(old, pixels(31), table(0), old_words), with(new, pixels(37), table(0x1234), new_words))
}

fn name(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn another_pack_of_the_same_builds_is_another_encoder() {
    let (old, new) = builds();
    let inputs = name(&[old.content.0.concat(), new.content.0.concat()].concat());
    assert_eq!(inputs, BUILDS, "the test's builds changed, not the encoder: their hashes change");
    let (encoder, packs) = GOLDEN;
    let mut methods = std::collections::BTreeSet::new();
    let found = packs.map(|(level, _)| {
        let (pack, created) = made(Some(&old), &new, level, 2);
        assert_eq!(applied(&pack, Some(&old), &new).unwrap().files, 6);
        methods.extend(created.report.methods.into_keys());
        (level, name(&pack))
    });
    assert_eq!(
        (ENCODER, found),
        (encoder, packs.map(|(level, name)| (level, name.to_owned()))),
        "the encoder writes other packs: once one was published, ENCODER must grow with these hashes"
    );
    assert!(methods.len() >= 3, "too few codecs are at work: {methods:?}");
}
