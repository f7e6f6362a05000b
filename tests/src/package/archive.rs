//! Archives: the same bytes from the same files, whoever makes them and whenever.

use std::io::Write as _;

use anyhow::{Context as _, Result, bail};
use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder};
use tar::{EntryType, Header};

use super::tree::{Node, Tree};

/// How hard Debian's part is compressed: a quarter smaller than gzip, in a second or two; more costs ten times that and saves little.
const ZSTD_LEVEL: i32 = 12;

/// A gzip without a name or a time in it.
pub(super) fn gzip(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?)
}

/// A tar of a tree, its folders first; every name begins with `prefix`.
pub(super) fn tar(tree: &Tree, prefix: &str, time: u64) -> Result<Vec<u8>> {
    let mut tar = tar::Builder::new(Vec::new());
    let header = |kind, mode, len| {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_size(len);
        header.set_mtime(time);
        header.set_uid(0);
        header.set_gid(0);
        header
    };
    let owned = |header: &mut Header| header.set_username("root").and_then(|()| header.set_groupname("root"));
    for folder in tree.folders() {
        let mut header = header(EntryType::Directory, 0o755, 0);
        owned(&mut header)?;
        tar.append_data(&mut header, format!("{prefix}{folder}/"), &[][..])?;
    }
    for (path, node) in tree.nodes() {
        let path = format!("{prefix}{path}");
        match node {
            Node::File { bytes, executable } => {
                let mode = if *executable { 0o755 } else { 0o644 };
                let mut header = header(EntryType::Regular, mode, u64::try_from(bytes.len())?);
                owned(&mut header)?;
                tar.append_data(&mut header, path, bytes.as_slice())?;
            }
            Node::Link(to) => {
                let mut header = header(EntryType::Symlink, 0o777, 0);
                owned(&mut header)?;
                tar.append_link(&mut header, path, to)?;
            }
        }
    }
    Ok(tar.into_inner()?)
}

/// A Debian package: an `ar` of its format's version, its control files, and its files.
pub(super) fn deb(control: &Tree, data: &Tree, time: u64) -> Result<Vec<u8>> {
    let mut deb = b"!<arch>\n".to_vec();
    for (name, bytes) in [
        ("debian-binary", b"2.0\n".to_vec()),
        ("control.tar.gz", gzip(&tar(control, "", time)?)?),
        // Every dpkg of a system whose C library is new enough for the launcher reads it.
        ("data.tar.zst", zstd::bulk::compress(&tar(data, "", time)?, ZSTD_LEVEL)?),
    ] {
        writeln!(deb, "{name:<16}{time:<12}{:<6}{:<6}{:<8}{:<10}`", 0, 0, "100644", bytes.len())?;
        deb.extend_from_slice(&bytes);
        if bytes.len() % 2 == 1 {
            deb.push(b'\n');
        }
    }
    Ok(deb)
}

/// A zip of a tree, without folders of their own; every name begins with `prefix`. Files are deflated.
pub(super) fn zip(tree: &Tree, prefix: &str, time: u64) -> Result<Vec<u8>> {
    let (mut zip, mut directory, mut count) = (Vec::new(), Vec::new(), 0_u16);
    for (path, node) in tree.nodes() {
        let Node::File { bytes, .. } = node else { bail!("{path}: there are no links in a zip") };
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes)?;
        let packed = encoder.finish()?;
        let mut crc = flate2::Crc::new();
        crc.update(bytes);
        let name = format!("{prefix}{path}");
        // The version that reads it, names in UTF-8, deflate; when, the sum, both lengths, that of the name, no more.
        let mut about = Vec::new();
        for half in [20, 0x800, 8] {
            about.extend(u16::to_le_bytes(half));
        }
        about.extend(dos_time(time)?.to_le_bytes());
        for number in [crc.sum(), u32::try_from(packed.len())?, u32::try_from(bytes.len())?] {
            about.extend(number.to_le_bytes());
        }
        about.extend(u16::try_from(name.len())?.to_le_bytes());
        about.extend([0; 2]);
        directory.extend(b"PK\x01\x02\x14\0");
        directory.extend(&about);
        // No comment, the first disk, no marks.
        directory.extend([0; 10]);
        directory.extend(u32::try_from(zip.len())?.to_le_bytes());
        directory.extend(name.as_bytes());
        zip.extend(b"PK\x03\x04");
        zip.extend(about);
        zip.extend(name.as_bytes());
        zip.extend(packed);
        count += 1;
    }
    let at = u32::try_from(zip.len())?;
    let len = u32::try_from(directory.len())?;
    zip.extend(directory);
    zip.extend(b"PK\x05\x06\0\0\0\0");
    zip.extend(count.to_le_bytes());
    zip.extend(count.to_le_bytes());
    zip.extend(len.to_le_bytes());
    zip.extend(at.to_le_bytes());
    zip.extend([0; 2]);
    Ok(zip)
}

/// A time as DOS wrote it, in UTC: two bytes of the day's, two of the date's.
fn dos_time(time: u64) -> Result<u32> {
    let time = jiff::Timestamp::from_second(i64::try_from(time)?)?.to_zoned(jiff::tz::TimeZone::UTC);
    let year = u32::try_from(time.year())?.checked_sub(1980).context("zips know no time before 1980")?;
    let [month, day, hour, minute, second] =
        [time.month(), time.day(), time.hour(), time.minute(), time.second()]
            .map(|part| u32::from(part.unsigned_abs()));
    Ok(year << 25 | month << 21 | day << 16 | hour << 11 | minute << 5 | (second / 2))
}
