//! Torrents made from files that are hashed already: byte for byte the info dictionaries that libtorrent 2.1 makes
//! of the same tree, so that info-hashes agree.
//!
//! In hybrids every file up to and including the last one that is not empty is padded to the piece boundary, unless
//! it is the only file. Files are in the order of the v2 `file tree`: by path component, bytewise. (libtorrent's
//! hybrids order by the joined path instead and are refused by itself where that differs, as with `a/x` and `a.b`.)

use super::layout::round_up;
use super::{FileEntry, Layout, MAX_PIECE_LEN, MetainfoError, Torrent, check_name, parse::check_path};
use crate::bencode::Owned;
use crate::units::{BLOCK_LEN, Root};
use std::collections::BTreeMap;

/// Which kind of torrent to make.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// v1 only: files follow each other without pads.
    V1,
    /// v2 only.
    V2,
    /// Both.
    Hybrid,
}

/// A file for the builder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewFile {
    /// Path components below the torrent's name; of a single file, just that name.
    pub path: Vec<String>,
    /// Bytes.
    pub len: u64,
    /// To be marked with the attribute `x` (BEP 47).
    pub executable: bool,
    /// `pieces root`, for v2 and hybrid; none if the file is empty.
    pub root: Option<Root>,
    /// The hashes of its pieces, for v2 and hybrid; only if it is larger than one piece.
    pub piece_layer: Vec<Root>,
}

/// A torrent made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Built {
    /// The `.torrent` file.
    pub bytes: Vec<u8>,
    /// The same, read again and so checked.
    pub torrent: Torrent,
}

/// Sorts files the way torrents need them: by path component, bytewise.
pub fn canonical_order(files: &mut [NewFile]) {
    files.sort_by(|a, b| a.path.cmp(&b.path));
}

/// The smallest power of two from 16 KiB to 16 MiB with which the files have no more than
/// max(8,000, 1.25 × files) pieces.
#[must_use]
pub fn choose_piece_len(lens: &[u64]) -> u32 {
    const LARGEST: u32 = 16 * 1024 * 1024;
    let most = (lens.len() as u64).saturating_mul(5).div_ceil(4).max(8_000);
    let pieces = |piece_len: u32| {
        lens.iter().map(|len| len.div_ceil(u64::from(piece_len))).fold(0, u64::saturating_add)
    };
    (14..24).map(|bits| 1 << bits).find(|&piece_len| pieces(piece_len) <= most).unwrap_or(LARGEST)
}

/// Collects what a torrent is made of.
#[derive(Clone, Debug)]
pub struct TorrentBuilder {
    name: String,
    mode: Mode,
    piece_len: u32,
    files: Vec<NewFile>,
    single_file: bool,
    pieces_v1: Vec<[u8; 20]>,
    announce: Vec<Vec<String>>,
    url_list: Vec<String>,
    private: bool,
}

impl TorrentBuilder {
    /// A folder called `name` with these files, in [`canonical_order`].
    #[must_use]
    pub fn folder(name: &str, mode: Mode, piece_len: u32, files: Vec<NewFile>) -> TorrentBuilder {
        TorrentBuilder {
            name: name.to_owned(),
            mode,
            piece_len,
            files,
            single_file: false,
            pieces_v1: Vec::new(),
            announce: Vec::new(),
            url_list: Vec::new(),
            private: false,
        }
    }

    /// One file; its path is replaced by `name`.
    #[must_use]
    pub fn single_file(name: &str, mode: Mode, piece_len: u32, file: NewFile) -> TorrentBuilder {
        let file = NewFile { path: vec![name.to_owned()], ..file };
        TorrentBuilder { single_file: true, ..TorrentBuilder::folder(name, mode, piece_len, vec![file]) }
    }

    /// The hashes of the v1 pieces (V1, Hybrid); see [`TorrentBuilder::layout`] and [`super::V1Hasher`].
    #[must_use]
    pub fn pieces_v1(mut self, pieces: Vec<[u8; 20]>) -> TorrentBuilder {
        self.pieces_v1 = pieces;
        self
    }

    /// Tracker URLs in tiers. They do not change the info-hash.
    #[must_use]
    pub fn announce(mut self, tiers: Vec<Vec<String>>) -> TorrentBuilder {
        self.announce = tiers;
        self
    }

    /// Web seeds by path (BEP 19). They do not change the info-hash.
    #[must_use]
    pub fn url_list(mut self, urls: Vec<String>) -> TorrentBuilder {
        self.url_list = urls;
        self
    }

    /// BEP 27.
    #[must_use]
    pub fn private(mut self, private: bool) -> TorrentBuilder {
        self.private = private;
        self
    }

    /// Where the files will lie, pads included: what a [`super::V1Hasher`] needs to know before the torrent can be
    /// built.
    ///
    /// # Errors
    /// As [`TorrentBuilder::build`], as far as hashes have no part in it.
    pub fn layout(&self) -> Result<Layout, MetainfoError> {
        self.check()?;
        let entry = |file: &NewFile| FileEntry {
            path: file.path.clone(),
            len: file.len,
            offset: 0,
            root: file.root,
            executable: file.executable,
            hidden: false,
            symlink: None,
        };
        let files = self.files.iter().map(entry).collect();
        match self.mode {
            Mode::V1 => Layout::contiguous(self.piece_len, files),
            Mode::V2 => Layout::aligned(self.piece_len, files),
            Mode::Hybrid => {
                let layout = Layout::aligned(self.piece_len, files)?;
                let tail = if layout.files.len() > 1 { self.piece_len } else { 1 };
                let total_len = round_up(layout.total_len, tail)?;
                Layout::new(layout.piece_len, layout.files, total_len)
            }
        }
    }

    /// Makes the torrent.
    ///
    /// # Errors
    /// [`MetainfoError`]: unsafe names, no data, a piece length that is not allowed, files out of order or twice,
    /// hashes that do not fit.
    pub fn build(&self) -> Result<Built, MetainfoError> {
        self.check()?;
        let mut torrent = BTreeMap::new();
        let mut put = |key: &str, value: Owned| torrent.insert(key.as_bytes().to_vec(), value);
        put("info", self.info()?);
        if let Some(first) = self.announce.first().and_then(|tier| tier.first()) {
            put("announce", Owned::from(first.as_str()));
        }
        if self.announce.iter().map(Vec::len).sum::<usize>() > 1 {
            put("announce-list", Owned::List(self.announce.iter().map(Owned::strings).collect()));
        }
        if !self.url_list.is_empty() {
            put("url-list", Owned::strings(&self.url_list));
        }
        if self.mode != Mode::V1 {
            put("piece layers", Owned::Dict(self.piece_layers()));
        }
        let bytes = Owned::Dict(torrent).encode();
        let torrent = Torrent::parse(&bytes)?;
        Ok(Built { bytes, torrent })
    }

    fn check(&self) -> Result<(), MetainfoError> {
        check_name(&self.name)?;
        if !self.piece_len.is_power_of_two() || !(BLOCK_LEN..=MAX_PIECE_LEN).contains(&self.piece_len) {
            return Err(MetainfoError::BadPieceLength);
        }
        self.files.iter().try_for_each(|file| check_path(&file.path))?;
        let follows =
            |pair: &[NewFile]| pair[0].path < pair[1].path && !pair[1].path.starts_with(&pair[0].path);
        if !self.files.windows(2).all(follows) {
            return Err(MetainfoError::BadFiles("twice the same path, or not in canonical order"));
        }
        if self.files.iter().all(|file| file.len == 0) {
            return Err(MetainfoError::NoData);
        }
        let rooted = |file: &NewFile| file.root.is_some() == (file.len > 0);
        if self.mode != Mode::V1 && !self.files.iter().all(rooted) {
            return Err(MetainfoError::BadFiles("a pieces root is missing, or an empty file has one"));
        }
        Ok(())
    }

    fn info(&self) -> Result<Owned, MetainfoError> {
        let mut info = BTreeMap::new();
        let mut put = |key: &str, value: Owned| info.insert(key.as_bytes().to_vec(), value);
        put("name", Owned::from(self.name.as_str()));
        put("piece length", Owned::Int(i64::from(self.piece_len)));
        if self.private {
            put("private", Owned::Int(1));
        }
        if self.mode != Mode::V2 {
            put("pieces", Owned::from(self.pieces_v1.as_flattened()));
            match &self.files[..] {
                [file] if self.single_file => {
                    put("length", len_of(file.len)?);
                    if file.executable {
                        put("attr", Owned::from("x"));
                    }
                }
                _ => {
                    put("files", self.files_v1()?);
                }
            }
        }
        if self.mode != Mode::V1 {
            put("meta version", Owned::Int(2));
            put("file tree", self.file_tree()?);
        }
        Ok(Owned::Dict(info))
    }

    /// In hybrids each file that is not empty has its pad right behind it.
    fn files_v1(&self) -> Result<Owned, MetainfoError> {
        let padded = self.mode == Mode::Hybrid && self.files.len() > 1;
        let mut list = Vec::new();
        for file in &self.files {
            list.push(file_v1(file)?);
            let pad_len = round_up(file.len, self.piece_len)? - file.len;
            if padded && pad_len > 0 {
                list.push(pad(pad_len)?);
            }
        }
        Ok(Owned::List(list))
    }

    fn file_tree(&self) -> Result<Owned, MetainfoError> {
        let mut top = BTreeMap::new();
        for file in &self.files {
            let mut node = &mut top;
            for name in &file.path {
                let entry =
                    node.entry(name.as_bytes().to_vec()).or_insert_with(|| Owned::Dict(BTreeMap::new()));
                let Owned::Dict(inner) = entry else {
                    return Err(MetainfoError::BadFiles("a path through a file"));
                };
                node = inner;
            }
            let mut leaf = vec![("length", len_of(file.len)?)];
            leaf.extend(file.executable.then(|| ("attr", Owned::from("x"))));
            leaf.extend(file.root.map(|root| ("pieces root", Owned::from(&root.0[..]))));
            node.insert(Vec::new(), Owned::dict(leaf));
        }
        Ok(Owned::Dict(top))
    }

    /// Files with the same content share an entry.
    fn piece_layers(&self) -> BTreeMap<Vec<u8>, Owned> {
        let large = self.files.iter().filter(|file| file.len > u64::from(self.piece_len));
        let entry = |file: &NewFile| {
            let layer: Vec<u8> = file.piece_layer.iter().flat_map(|node| node.0).collect();
            file.root.map(|root| (root.0.to_vec(), Owned::Bytes(layer)))
        };
        large.filter_map(entry).collect()
    }
}

fn file_v1(file: &NewFile) -> Result<Owned, MetainfoError> {
    let mut entry = vec![("length", len_of(file.len)?), ("path", Owned::strings(&file.path))];
    entry.extend(file.executable.then(|| ("attr", Owned::from("x"))));
    Ok(Owned::dict(entry))
}

fn pad(len: u64) -> Result<Owned, MetainfoError> {
    let path = Owned::strings([".pad", &len.to_string()]);
    Ok(Owned::dict([("attr", Owned::from("p")), ("length", len_of(len)?), ("path", path)]))
}

fn len_of(len: u64) -> Result<Owned, MetainfoError> {
    i64::try_from(len).map(Owned::Int).map_err(|_| MetainfoError::TooLarge)
}

#[cfg(test)]
#[path = "create_tests.rs"]
mod tests;
