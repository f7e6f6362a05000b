//! Archives: the same bytes from the same files, whoever makes them and whenever.

use std::io::Write as _;

use anyhow::Result;
use flate2::Compression;
use flate2::write::GzEncoder;
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
