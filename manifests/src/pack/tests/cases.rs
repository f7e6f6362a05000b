//! The cases that games bring, a thousandth in size: `tests/benches/packcases.py` has them whole.

use super::*;

fn one_file(path: &'static str, bytes: Vec<u8>) -> Tree {
    Tree::new(&[(path, bytes)])
}

/// The pack's length at a level; it applies bit for bit.
fn packed(level: Level, old: &Tree, new: &Tree) -> usize {
    let (pack, _) = made(Some(old), new, level, 2);
    let proof = applied(&pack, Some(old), new).unwrap();
    assert_eq!(proof.bytes, new.files.iter().map(|file| file.identity.len).sum::<u64>());
    pack.len()
}

/// Every place of a few at the same distance, shaken.
fn places(count: usize, len: usize) -> impl Iterator<Item = usize> {
    let shaken = noise(99, count * 2);
    (0..count).map(move |at| {
        let shake = usize::from(shaken[2 * at]) << 8 | usize::from(shaken[2 * at + 1]);
        at * (len / count) + shake % (len / count - 400)
    })
}

#[test]
fn scattered_changes_and_an_insertion_cost_what_is_new() {
    const LEN: usize = 8 << 20;
    const CHANGES: usize = 500;
    let old = noise(1, LEN);
    let mut new = Vec::with_capacity(LEN + (1 << 17));
    let (mut at, mut fresh) = (0, 0);
    for (number, place) in places(CHANGES, LEN).enumerate() {
        let len = 1 + number * 7 % 200;
        new.extend_from_slice(&old[at..place]);
        let other = noise(1000 + number as u64, len);
        match number % 10 {
            // Bytes that are taken out.
            0 => at = place + len,
            // Bytes that come in.
            1 => at = place,
            _ => at = place + len,
        }
        if number % 10 != 0 {
            fresh += len;
            new.extend_from_slice(&other);
        }
        if number == 5 {
            new.extend_from_slice(&noise(7, 100_000));
            fresh += 100_000;
        }
    }
    new.extend_from_slice(&old[at..]);
    let (old, new) = (one_file("data.bin", old), one_file("data.bin", new));
    for level in [Level::Fast, Level::Normal, Level::Best] {
        let len = packed(level, &old, &new);
        assert!(len < fresh + CHANGES * 24, "{level:?}: {len} for {fresh} new bytes");
        assert!(len * 10 < fresh * 13, "{level:?}: {len} for {fresh} new bytes");
    }
}

/// Zeros have no anchors, or nothing else: what stays where it was is found all the same, beyond the first run too.
#[test]
fn changes_in_a_sea_of_zeros_are_small() {
    const LEN: usize = 80 << 20;
    let old = vec![0; LEN];
    let mut new = old.clone();
    for at in [0, 5_000_000, 5_000_100, 33_333_333, 70_000_000, LEN - 10] {
        new[at..at + 10].copy_from_slice(b"0123456789");
    }
    let (old, new) = (one_file("sea", old), one_file("sea", new));
    let (pack, created) = made(Some(&old), &new, Level::Fast, 2);
    let proof = applied(&pack, Some(&old), &new).unwrap();
    assert_eq!(proof.bytes, LEN as u64);
    let report = &created.report.files[0];
    assert!(pack.len() < 1000, "{} bytes", pack.len());
    assert!(report.rebuilt_bytes < 200_000, "{} bytes rebuilt", report.rebuilt_bytes);
}

/// Entries end to end, then a directory of names, offsets and lengths.
fn archive(entries: &[(String, Vec<u8>)]) -> Vec<u8> {
    let (mut body, mut directory) = (b"PACK".to_vec(), Vec::new());
    for (name, bytes) in entries {
        directory.extend_from_slice(format!("{name:\0<40}").as_bytes());
        directory.extend_from_slice(&(body.len() as u64).to_le_bytes());
        directory.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
        body.extend_from_slice(bytes);
    }
    [body, directory].concat()
}

#[test]
fn an_archive_costs_what_its_changed_entries_do() {
    let (mut old, mut new, mut own) = (Vec::new(), Vec::new(), 0);
    for number in 0..300u64 {
        let name = format!("art/{number:04}.dds");
        let bytes = noise(number, 2000 + (number * 7919 % 40_000) as usize);
        let mut later = bytes.clone();
        match number % 25 {
            // New: 4 of 100.
            24 => own += later.len(),
            // Changed in part: 16 of 100.
            0 | 6 | 12 | 18 => {
                let (at, len) = (bytes.len() / 3, bytes.len() / 5);
                later[at..at + len].copy_from_slice(&noise(number + 5000, len));
                let taken_in = number as usize % 90;
                later.splice(at..at, noise(number + 9000, taken_in));
                own += len + taken_in;
            }
            _ => {}
        }
        if number % 25 != 24 {
            old.push((name.clone(), bytes));
        }
        new.push((name, later));
    }
    let (old, new) = (one_file("data.pak", archive(&old)), one_file("data.pak", archive(&new)));
    for level in [Level::Fast, Level::Normal, Level::Best] {
        let len = packed(level, &old, &new);
        assert!(len * 100 < own * 110, "{level:?}: {len} for {own} bytes of entries");
    }
}

#[test]
fn runs_of_a_large_file_are_one_file() {
    // Longer than what is matched at a time, and shifted: a copy goes on where the next run begins.
    let old = noise(3, 1 << 20).repeat(140);
    let new = [&noise(4, 1000)[..], &old].concat();
    let (old, new) = (one_file("data.bin", old), one_file("data.bin", new));
    let (pack, created) = made(Some(&old), &new, Level::Fast, 2);
    assert!(pack.len() < 2000, "{}", pack.len());
    assert!(created.index.files[0].slices.len() < 8, "{:?}", created.index.files[0].slices);
    assert_eq!(applied(&pack, Some(&old), &new).unwrap().files, 1);
}
