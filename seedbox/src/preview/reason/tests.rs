//! Pairs of files, and what is said of them.

use super::*;
use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use manifests::path::SafePath;
use std::io::Write as _;

/// Random bytes that are the same each time.
fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 24) as u8
    };
    (0..len).map(|_| next()).collect()
}

/// Words in an order of chance: what deflate makes of them depends on its level.
fn words(seed: u64, len: usize) -> Vec<u8> {
    let words = ["wind", "seed", "maple", "river", "stone", "ember", "hollow", "lantern"];
    noise(seed, len / 4)
        .iter()
        .flat_map(|byte| words[usize::from(byte % 8)].bytes().chain([b' ', *byte]))
        .collect()
}

fn deflated(plain: &[u8], level: u32) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::new(level));
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

fn gzipped(plain: &[u8], level: u32) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::new(level));
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

/// A zip of entries (name, plain text) with a date, at a level.
fn zipped(entries: &[(String, Vec<u8>)], date: u16, level: u32) -> Vec<u8> {
    let (mut zip, mut directory) = (Vec::new(), Vec::new());
    for (name, plain) in entries {
        let packed = deflated(plain, level);
        let mut crc = flate2::Crc::new();
        crc.update(plain);
        let mut fields = Vec::new();
        for field in [20, 0, 8, 0, date] {
            fields.extend(field.to_le_bytes());
        }
        for field in [crc.sum(), packed.len() as u32, plain.len() as u32] {
            fields.extend(field.to_le_bytes());
        }
        fields.extend((name.len() as u16).to_le_bytes());
        fields.extend([0, 0]);
        directory.extend(*b"PK\x01\x02\x14\0");
        directory.extend(&fields);
        directory.extend([0; 10]);
        directory.extend((zip.len() as u32).to_le_bytes());
        directory.extend(name.bytes());
        zip.extend(*b"PK\x03\x04");
        zip.extend(&fields);
        zip.extend(name.bytes());
        zip.extend(packed);
    }
    let start = zip.len() as u32;
    zip.extend(&directory);
    zip.extend(*b"PK\x05\x06\0\0\0\0");
    for count in [entries.len() as u16; 2] {
        zip.extend(count.to_le_bytes());
    }
    zip.extend((directory.len() as u32).to_le_bytes());
    zip.extend(start.to_le_bytes());
    zip.extend([0, 0]);
    zip
}

/// A picture with a date beside it.
fn png(picture: &[u8], date: &[u8], level: u32) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::new(level));
    encoder.write_all(picture).unwrap();
    let data = encoder.finish().unwrap();
    let mut out = b"\x89PNG\r\n\x1a\n".to_vec();
    for (kind, data) in [(b"IHDR", &[0; 13][..]), (b"tEXt", date), (b"IDAT", &data), (b"IEND", &[])] {
        let mut crc = flate2::Crc::new();
        crc.update(kind);
        crc.update(data);
        out.extend((data.len() as u32).to_be_bytes());
        out.extend(kind);
        out.extend(data);
        out.extend(crc.sum().to_be_bytes());
    }
    out
}

fn entries(count: u64, from: u64) -> Vec<(String, Vec<u8>)> {
    (from..from + count).map(|number| (format!("e{number}"), words(number, 6000))).collect()
}

fn judged(old: &[u8], new: &[u8]) -> Finding {
    let tmp = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let path = tmp.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        let id = FileIdentity { len: bytes.len() as u64, root: [bytes.len() as u8; 32] };
        let file = ManifestFile::file(SafePath::parse(name).unwrap(), id, false);
        BlobContent::of_build(vec![path], &[file])
    };
    let (old_content, new_content) = (write("old", old), write("new", new));
    let id = |root| FileIdentity { len: 1, root: [root; 32] };
    let (old_len, new_len) = (old.len() as u64, new.len() as u64);
    judge(&Reading::new(&old_content, 0, old_len), &Reading::new(&new_content, 0, new_len), id(1), id(2))
}

fn with(mut bytes: Vec<u8>, at: usize, new: &[u8]) -> Vec<u8> {
    bytes[at..at + new.len()].copy_from_slice(new);
    bytes
}

#[test]
fn reasons_in_a_table() {
    let data = noise(1, 200_000);
    let plain = words(2, 300_000);
    let changed_plain = [&plain[..90_000], b"a few words more", &plain[90_000..]].concat();
    let reordered: Vec<_> = entries(40, 0).into_iter().rev().collect();
    let mut one_changed = entries(40, 0);
    one_changed[7].1 = words(900, 6000);
    let table: [(&str, Vec<u8>, Vec<u8>, Reason); 14] = [
        ("a date", data.clone(), with(data.clone(), 5000, b"2026-11-22 04:05"), Reason::Timestamps),
        ("a block", data.clone(), with(data.clone(), 5000, &noise(3, 9000)), Reason::Changed),
        ("an insertion", data.clone(), [&noise(4, 777), &data[..]].concat(), Reason::Shifted),
        ("all of it", data.clone(), noise(5, 200_000), Reason::Changed),
        (
            "a word of a text",
            b"wind = blue\n".repeat(30),
            with(b"wind = blue\n".repeat(30), 7, b"grey"),
            Reason::Changed,
        ),
        (
            "a date of a text",
            b"built 101112\n".repeat(30),
            with(b"built 101112\n".repeat(30), 6, b"20"),
            Reason::Timestamps,
        ),
        ("gzip at another level", gzipped(&plain, 9), gzipped(&plain, 1), Reason::Recompressed),
        ("gzip of a small change", gzipped(&plain, 9), gzipped(&changed_plain, 9), Reason::Recompressed),
        (
            "zip at another level",
            zipped(&entries(40, 0), 1, 9),
            zipped(&entries(40, 0), 1, 1),
            Reason::Recompressed,
        ),
        (
            "zip of another day",
            zipped(&entries(40, 0), 1, 9),
            zipped(&entries(40, 0), 777, 9),
            Reason::Timestamps,
        ),
        ("zip in another order", zipped(&entries(40, 0), 1, 9), zipped(&reordered, 1, 9), Reason::Shifted),
        (
            "zip with one entry changed",
            zipped(&entries(40, 0), 1, 9),
            zipped(&one_changed, 1, 9),
            Reason::Changed,
        ),
        ("png at another level", png(&plain, b"d", 9), png(&plain, b"d", 1), Reason::Recompressed),
        ("png of another day", png(&plain, b"Sun", 9), png(&plain, b"Wednesday", 9), Reason::Timestamps),
    ];
    for (name, old, new, reason) in table {
        let found = judged(&old, &new);
        // An entry that changed moves what follows: either is true of it.
        let either = name == "zip with one entry changed" && found.reason == Reason::Shifted;
        assert!(found.reason == reason || either, "{name}: {:?}, {}", found.reason, found.detail);
        assert!(!found.advice.is_empty() && !found.detail.is_empty(), "{name}");
    }
}

#[test]
fn damaged_files_have_merely_changed() {
    let zip = zipped(&entries(5, 0), 1, 9);
    let picture = png(&words(1, 9000), b"d", 9);
    for good in [zip, picture, gzipped(&words(1, 9000), 9)] {
        for cut in [5, 40, good.len() / 2, good.len() - 3] {
            let found = judged(&good, &good[..cut]);
            assert_eq!(found.file_bytes, cut as u64);
            let found = judged(&good[..cut], &with(good.clone(), 12, &[0xff; 20]));
            assert!(!found.detail.is_empty());
        }
    }
}

#[test]
fn differences_are_counted_by_place() {
    let (old, mut new) = (noise(1, 200_000), noise(1, 200_000));
    for at in [10, 11, 13, 70_000, 65_535, 65_536] {
        new[at] ^= 1;
    }
    let found = differences(&mut &old[..], &mut &new[..], 100).unwrap();
    assert_eq!((found.bytes, found.places, found.longest), (6, 3, 4));
    assert_eq!(differences(&mut &old[..], &mut &new[..], 5), None);
    assert_eq!(differences(&mut &old[..], &mut &new[..70_000], 100), None);
}
