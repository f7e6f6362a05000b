use std::io::Write as _;

use flate2::write::{DeflateEncoder, ZlibEncoder};
use flate2::{Compression, GzBuilder};
use proptest::prelude::*;

use super::*;

/// Text-like bytes that compress.
fn words(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed | 1;
    let mut out = Vec::with_capacity(len + 16);
    while out.len() < len {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        out.extend_from_slice(format!("unit {} cost {};\n", state >> 60, (state >> 40) & 0xFF).as_bytes());
    }
    out.truncate(len);
    out
}

fn deflated(plain: &[u8], level: u32) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::new(level));
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

fn chunk(name: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let mut crc = flate2::Crc::new();
    crc.update(name);
    crc.update(data);
    let len = u32::try_from(data.len()).unwrap().to_be_bytes();
    [&len[..], name, data, &crc.sum().to_be_bytes()].concat()
}

/// A grey PNG of `width` by `height`, its data cut every `cut` bytes.
fn png(width: u32, height: u32, cut: usize, level: u32) -> (Vec<u8>, Vec<u8>) {
    let plain = words(u64::from(width), (width as usize + 1) * height as usize);
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::new(level));
    encoder.write_all(&plain).unwrap();
    let zlib = encoder.finish().unwrap();
    let header = [&width.to_be_bytes()[..], &height.to_be_bytes(), &[8, 0, 0, 0, 0]].concat();
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    file.extend(chunk(b"IHDR", &header));
    zlib.chunks(cut).for_each(|data| file.extend(chunk(b"IDAT", data)));
    file.extend(chunk(b"IEND", b""));
    (file, plain)
}

/// Opens a segment of these parts, checks the way back, and gives what the codec sees.
fn there_and_back(parts: &[&[u8]]) -> Vec<u8> {
    let opened = open(parts, 16 << 20, Check::Each).expect("it opens");
    assert_eq!(open(parts, 16 << 20, Check::Later).as_ref(), Some(&opened));
    let segment = parts.concat();
    assert_eq!(close(&opened, segment.len()).unwrap(), segment);
    assert!(close(&opened, segment.len() - 1).is_err());
    assert!(close(&opened, segment.len() + 1).is_err());
    opened
}

#[test]
fn images_come_back() {
    for (width, height, cut, level) in
        [(100, 50, 8192, 6), (64, 64, 100, 9), (300, 2, 7, 1), (200, 200, 8192, 6)]
    {
        let (file, plain) = png(width, height, cut, level);
        let opened = there_and_back(&[&file]);
        assert!(opened.windows(plain.len()).any(|window| window == plain));
        let at = stream(&file).unwrap();
        let text = [&file[..at.start], &plain, &file[at.end..]].concat();
        assert_eq!(reference(&file, text.len()).unwrap(), text);
        assert!(reference(&file, text.len() - 1).is_err());
    }
}

#[test]
fn gzip_files_come_back() {
    let plain = words(3, 50_000);
    for level in [1, 6, 9] {
        let mut encoder = GzBuilder::new().filename("a name").write(Vec::new(), Compression::new(level));
        encoder.write_all(&plain).unwrap();
        let file = encoder.finish().unwrap();
        there_and_back(&[&file]);
        assert!(reference(&file, 1 << 20).unwrap().windows(plain.len()).any(|window| window == plain));
    }
}

/// A local header and what follows it (PKWARE's application note, 4.3.7).
fn zip_entry(name: &str, plain: &[u8]) -> Vec<u8> {
    let mut entry = b"PK\x03\x04\x14\0\0\0\x08\0".to_vec();
    entry.resize(26, 0);
    entry.extend_from_slice(&u16::try_from(name.len()).unwrap().to_le_bytes());
    entry.extend_from_slice(&[0, 0]);
    entry.extend_from_slice(name.as_bytes());
    entry.extend_from_slice(&deflated(plain, 6));
    entry
}

#[test]
fn parts_of_all_kinds_share_a_segment() {
    let texts = [words(5, 4000), words(6, 9000)];
    let (image, pixels) = png(80, 80, 1000, 6);
    let (first, last) = (zip_entry("data/1.txt", &texts[0]), zip_entry("2", &texts[1]));
    let noise = words(7, 300);
    let opened = there_and_back(&[&first, &image, &noise, &last]);
    assert!(opened.len() > texts[0].len() + texts[1].len() + pixels.len());
    assert!(reference(&first, 1 << 20).unwrap().ends_with(&texts[0]));
}

#[test]
fn an_image_in_a_zip_is_opened_too() {
    let (image, pixels) = png(120, 90, 8192, 6);
    let deflated = zip_entry("art/1.png", &image);
    let mut stored = zip_entry("art/1.png", &[]);
    stored.truncate(30 + "art/1.png".len());
    stored[8] = 0;
    stored.extend_from_slice(&image);
    for entry in [&deflated, &stored] {
        let opened = there_and_back(&[&words(3, 100), entry, &words(4, 100), entry]);
        assert_eq!(opened.windows(pixels.len()).filter(|window| *window == pixels).count(), 2);
        let reference = reference(entry, 1 << 20).unwrap();
        assert!(reference.windows(pixels.len()).any(|window| window == pixels));
    }
}

#[test]
fn what_is_nested_holds_nothing_nested() {
    let (image, _) = png(60, 40, 500, 6);
    let entry = zip_entry("1", &image);
    let inner = open(&[&entry], 1 << 20, Check::Each).unwrap();
    assert!(close_from(&inner, entry.len(), true).is_err());
    assert!(give_nested(&inner, &[200, 200, 200, 1, 6], entry.len()).is_err(), "longer than it may be");
    for corrections in [&[][..], &[5], &[0xFF; 12]] {
        assert!(give_nested(&inner, corrections, entry.len()).is_err());
    }
}

#[test]
fn what_is_no_stream_stays_as_it_is() {
    let noise = words(9, 1000);
    let fakes = [&b"\x89PNG\r\n\x1a\n"[..], b"\x1F\x8B\x08", b"\xFF\xD8\xFF", b"PK\x03\x04"];
    for fake in fakes {
        let part = [fake, &noise].concat();
        assert_eq!(open(&[&part], 1 << 20, Check::Each), None);
        assert!(reference(&part, 1 << 20).is_err());
    }
    // An image with a chunk whose checksum is wrong, and one that would not fit.
    let (mut image, plain) = png(80, 80, 1000, 6);
    assert_eq!(open(&[&image], plain.len(), Check::Each), None);
    image[60] ^= 1;
    assert_eq!(open(&[&image], 1 << 20, Check::Each), None);
}

proptest! {
    #[test]
    fn damaged_segments_are_refused_or_come_out_in_length(
        at in any::<prop::sample::Index>(), value in any::<u8>(), keep in any::<prop::sample::Index>(),
    ) {
        let (image, _) = png(60, 40, 500, 6);
        let file = zip_entry("1", &image);
        let opened = open(&[&file], 1 << 20, Check::Each).unwrap();
        let mut flipped = opened.clone();
        *at.get_mut(&mut flipped) ^= value | 1;
        for bytes in [&flipped[..], &opened[..keep.index(opened.len())]] {
            // The library may panic on damaged corrections; the caller isolates it, as here.
            if let Ok(Ok(out)) = std::panic::catch_unwind(|| close(bytes, file.len())) {
                prop_assert_eq!(out.len(), file.len());
            }
        }
    }

    #[test]
    fn any_part_can_be_looked_at(mut bytes in prop::collection::vec(any::<u8>(), 0..300), magic in 0usize..4) {
        let magics: [&[u8]; 4] = [b"\x89PNG\r\n\x1a\n", b"\x1F\x8B\x08", b"\xFF\xD8\xFF", b"PK\x03\x04"];
        bytes.splice(0..0, magics[magic].iter().copied());
        if let Some(found) = stream(&bytes) {
            prop_assert!(found.start <= found.end && found.end <= bytes.len());
        }
        let _ = reference(&bytes, 1000);
    }
}
