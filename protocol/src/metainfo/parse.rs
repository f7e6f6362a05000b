//! Torrent files and info dictionaries to [`Torrent`]s. Whatever comes out is sound: layout, hash counts, names,
//! and piece layers that hash to their roots.

use super::tree::{self, Attributes};
use super::{FileEntry, Layout, MAX_PATH_DEPTH, MAX_PIECE_LEN, MetainfoError, Torrent, check_name};
use crate::bencode::{Limits, Value};
use crate::merkle;
use crate::units::{BLOCK_LEN, InfoHashV1, InfoHashV2, Root};
use bytes::Bytes;
use sha1::Sha1;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// The most trackers and web seeds that are kept.
const MAX_URLS: usize = 256;

impl Torrent {
    /// Reads a `.torrent` file.
    ///
    /// # Errors
    /// [`MetainfoError`]; piece layers must be complete (BEP 52).
    pub fn parse(bytes: &[u8]) -> Result<Torrent, MetainfoError> {
        let file = Value::parse(bytes, Limits::TORRENT)?;
        let info = file.get("info").ok_or(MetainfoError::Field("info"))?;
        let mut torrent = read_info(info)?;
        torrent.announce = announce(&file);
        torrent.url_list = urls(file.get("url-list"));
        if torrent.has_v2() {
            let layers = file.get("piece layers").ok_or(MetainfoError::Field("piece layers"))?;
            torrent.piece_layers = piece_layers(layers, &torrent.layout)?;
        }
        Ok(torrent)
    }

    /// Reads an info dictionary alone, as ut_metadata brings it (BEP 9). Piece layers are then to be had by hash
    /// requests; trackers and web seeds from elsewhere.
    ///
    /// # Errors
    /// [`MetainfoError`]
    pub fn from_info(info: &[u8]) -> Result<Torrent, MetainfoError> {
        read_info(&Value::parse(info, Limits::TORRENT)?)
    }
}

fn read_info(info: &Value<'_>) -> Result<Torrent, MetainfoError> {
    let name = text(info, "name")?;
    check_name(name)?;
    let piece_len =
        info.get("piece length").and_then(Value::as_int).ok_or(MetainfoError::Field("piece length"))?;
    let piece_len = u32::try_from(piece_len).map_err(|_| MetainfoError::BadPieceLength)?;
    if piece_len == 0 {
        return Err(MetainfoError::BadPieceLength);
    }
    let v1 = info.get("pieces").map(|pieces| read_v1(info, pieces, name, piece_len)).transpose()?;
    let v2 = match info.get("meta version").map(Value::as_int) {
        None => None,
        Some(Some(2)) => Some(read_v2(info, piece_len)?),
        Some(_) => return Err(MetainfoError::UnknownVersion),
    };
    let (info_hash_v1, info_hash_v2) = (
        v1.is_some().then(|| InfoHashV1(Sha1::digest(info.raw).into())),
        v2.is_some().then(|| InfoHashV2(Sha256::digest(info.raw).into())),
    );
    let single_file = info.get("length").is_some() || v2.as_ref().is_some_and(|v2| is_single(v2, name));
    let (layout, pieces_v1) = match (v1, v2) {
        (None, None) => return Err(MetainfoError::UnknownVersion),
        (Some((layout, pieces)), None) => (layout, pieces),
        (None, Some(layout)) => (layout, Vec::new()),
        (Some((v1, pieces)), Some(v2)) => (join(&v1, v2)?, pieces),
    };
    Ok(Torrent {
        name: name.to_owned(),
        info_hash_v1,
        info_hash_v2,
        layout,
        single_file,
        pieces_v1,
        piece_layers: BTreeMap::new(),
        info_bytes: Bytes::copy_from_slice(info.raw),
        announce: Vec::new(),
        url_list: Vec::new(),
        private: info.get("private").and_then(Value::as_int) == Some(1),
    })
}

/// BEP 52 has no flag for it: one file at the top, called as the torrent.
fn is_single(layout: &Layout, name: &str) -> bool {
    matches!(&layout.files[..], [file] if matches!(&file.path[..], [only] if only == name))
}

fn text<'a>(dict: &Value<'a>, key: &'static str) -> Result<&'a str, MetainfoError> {
    dict.get(key).and_then(Value::as_str).ok_or(MetainfoError::Field(key))
}

fn read_v1(
    info: &Value<'_>,
    pieces: &Value<'_>,
    name: &str,
    piece_len: u32,
) -> Result<(Layout, Vec<[u8; 20]>), MetainfoError> {
    let (hashes, []) = pieces.as_bytes().unwrap_or(&[0]).as_chunks() else {
        return Err(MetainfoError::Field("pieces"));
    };
    let (mut files, mut at) = (Vec::new(), 0u64);
    match (info.get("length"), info.get("files").and_then(Value::as_list)) {
        (Some(_), None) => {
            let attributes = Attributes::read(info)?;
            at = attributes.len;
            files.push(attributes.entry(vec![name.to_owned()], 0));
        }
        (None, Some(list)) => {
            for file in list {
                let attributes = Attributes::read(file)?;
                let offset = at;
                at = at.checked_add(attributes.len).ok_or(MetainfoError::TooLarge)?;
                if !attributes.pad {
                    let path = tree::path(file.get("path").ok_or(MetainfoError::Field("path"))?)?;
                    files.push(attributes.entry(path, offset));
                }
            }
        }
        _ => return Err(MetainfoError::Field("files")),
    }
    if at.div_ceil(u64::from(piece_len)) != hashes.len() as u64 {
        return Err(MetainfoError::PieceCount);
    }
    Ok((Layout::new(piece_len, files, at)?, hashes.to_vec()))
}

fn read_v2(info: &Value<'_>, piece_len: u32) -> Result<Layout, MetainfoError> {
    if !piece_len.is_power_of_two() || !(BLOCK_LEN..=MAX_PIECE_LEN).contains(&piece_len) {
        return Err(MetainfoError::BadPieceLength);
    }
    let tree = info.get("file tree").ok_or(MetainfoError::Field("file tree"))?;
    let mut files = Vec::new();
    tree::read(tree, &mut Vec::new(), &mut files)?;
    Layout::aligned(piece_len, files)
}

/// A hybrid's halves must hold the same files in the same places; v1 adds only pads (BEP 52, "upgrade path").
fn join(v1: &Layout, v2: Layout) -> Result<Layout, MetainfoError> {
    let same = |(a, b): (&FileEntry, &FileEntry)| {
        a.path == b.path && a.len == b.len && (a.offset == b.offset || a.len == 0) && a.symlink == b.symlink
    };
    if v1.files.len() != v2.files.len() || !v1.files.iter().zip(&v2.files).all(same) {
        return Err(MetainfoError::HybridMismatch);
    }
    if v1.piece_count() != v2.piece_count() {
        return Err(MetainfoError::HybridMismatch);
    }
    Layout::new(v2.piece_len, v2.files, v1.total_len)
}

/// Keeps the layers of this torrent's files; each is checked up to its root. Files with the same content share one.
fn piece_layers(layers: &Value<'_>, layout: &Layout) -> Result<BTreeMap<Root, Vec<Root>>, MetainfoError> {
    let mut checked = BTreeMap::new();
    for file in layout.files.iter().filter(|file| file.len > u64::from(layout.piece_len)) {
        let root = file.root.ok_or(MetainfoError::BadPieceLayer)?;
        let count = file.len.div_ceil(u64::from(layout.piece_len));
        if let Some(known) = checked.get(&root) {
            if Vec::len(known) as u64 != count {
                return Err(MetainfoError::BadPieceLayer);
            }
            continue;
        }
        let bytes = layers.get(root.0).and_then(Value::as_bytes).unwrap_or_default();
        let (hashes, rest) = bytes.as_chunks();
        let layer: Vec<Root> = hashes.iter().copied().map(Root).collect();
        let sound = rest.is_empty() && layer.len() as u64 == count;
        if !sound || merkle::root_of_piece_layer(&layer, layout.piece_len) != Some(root) {
            return Err(MetainfoError::BadPieceLayer);
        }
        checked.insert(root, layer);
    }
    Ok(checked)
}

/// Tiers of BEP 12, or else the one URL of BEP 3. Odd entries are left out: trackers are only hints.
fn announce(file: &Value<'_>) -> Vec<Vec<String>> {
    let tiers = file.get("announce-list").and_then(Value::as_list).unwrap_or_default();
    let mut tiers: Vec<Vec<String>> = tiers.iter().take(MAX_URLS).map(|tier| urls(Some(tier))).collect();
    tiers.retain(|tier| !tier.is_empty());
    if tiers.is_empty() {
        tiers.extend(Some(urls(file.get("announce"))).filter(|urls| !urls.is_empty()));
    }
    tiers
}

/// A string or a list of strings (BEP 19).
fn urls(value: Option<&Value<'_>>) -> Vec<String> {
    let Some(value) = value else { return Vec::new() };
    let one = value.as_str().into_iter();
    let many = value.as_list().unwrap_or_default().iter().filter_map(Value::as_str);
    one.chain(many).filter(|url| !url.is_empty()).take(MAX_URLS).map(str::to_owned).collect()
}

/// For [`tree`]: a path's length and every component of it.
pub(super) fn check_path(path: &[String]) -> Result<(), MetainfoError> {
    if path.is_empty() || path.len() > MAX_PATH_DEPTH {
        return Err(MetainfoError::UnsafeName(path.first().cloned().unwrap_or_default()));
    }
    path.iter().try_for_each(|name| check_name(name))
}
