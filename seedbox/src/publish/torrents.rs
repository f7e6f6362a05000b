//! The two torrents of a release: the hybrid that launchers use, and a v1-only twin of the same files for clients
//! that refuse or mis-hash hybrids.

use super::Build;
use super::hash::Hashed;
use super::scan::Scan;
use crate::error::{DiskContext as _, Error, Result};
use crate::platform;
use crate::store::{Blobs, DataDir, Settings, open_read};
use protocol::metainfo::{Built, Layout, Mode, NewFile, TorrentBuilder};
use protocol::units::{FileIndex, InfoHashV1, InfoHashV2, PieceIndex, Root};
use sha1::{Digest as _, Sha1};
use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicU32, Ordering};

/// The torrents of a release.
#[derive(Clone, Debug)]
pub(crate) struct Torrents {
    pub(crate) hybrid: Built,
    pub(crate) twin: Built,
}

/// What a release is called in torrents, and so in web seed paths.
pub(crate) fn torrent_name(game: &str, version: &str, scan: &Scan) -> String {
    let name = format!("{game}-{version}");
    // In BEP 52 a folder with one file of its own name cannot be told from a single file.
    let mut files = scan.files.iter().filter(|found| found.link.is_none());
    let ambiguous = files.next().is_some_and(|only| only.path.as_str() == name) && files.next().is_none();
    if ambiguous { format!("{name}-build") } else { name }
}

/// Makes both torrents.
pub(crate) fn build(name: &str, build: &Build, dir: &DataDir, settings: &Settings) -> Result<Torrents> {
    let Build { scan, hashed, executable, piece_len, threads, .. } = build;
    // Links have no content: the manifest alone holds them. (BEP 47 has a form for them that few clients read.)
    let listed = scan.files.iter().zip(hashed).zip(executable).filter(|((found, _), _)| found.link.is_none());
    let (mut files, mut contents) = (Vec::new(), Vec::new());
    for ((found, content), &executable) in listed {
        files.push(NewFile {
            path: found.path.parts().map(str::to_owned).collect(),
            len: found.len,
            executable,
            root: (found.len > 0).then_some(Root(content.id.root)),
            piece_layer: content.layer.clone(),
        });
        contents.push(content);
    }
    let hybrid_pieces = |_: &Layout| Ok(hybrid_pieces(&contents));
    let hybrid = finish(name, Mode::Hybrid, *piece_len, files.clone(), settings, hybrid_pieces)?;
    let blobs = Blobs::new(dir);
    let twin_pieces = |layout: &Layout| twin_pieces(layout, &contents, &blobs, *threads);
    let twin = finish(name, Mode::V1, *piece_len, files, settings, twin_pieces)?;
    Ok(Torrents { hybrid, twin })
}

fn finish(
    name: &str,
    mode: Mode,
    piece_len: u32,
    files: Vec<NewFile>,
    settings: &Settings,
    pieces: impl FnOnce(&Layout) -> Result<Vec<[u8; 20]>>,
) -> Result<Built> {
    let refused = |error: protocol::metainfo::MetainfoError| Error::Torrent(error.to_string());
    let builder = TorrentBuilder::folder(name, mode, piece_len, files)
        .announce(settings.tracker().map(|url| vec![url]).into_iter().collect())
        .url_list(settings.files_base().into_iter().collect());
    let pieces = pieces(&builder.layout().map_err(refused)?)?;
    builder.pieces_v1(pieces).build().map_err(refused)
}

/// Every file has its own pieces, padded with zeros; only a file that is alone has no pad.
fn hybrid_pieces(hashed: &[&Hashed]) -> Vec<[u8; 20]> {
    let mut pieces: Vec<_> = hashed.iter().flat_map(|file| file.pieces_v1.iter().copied()).collect();
    if let ([only], Some(last)) = (hashed, pieces.last_mut()) {
        *last = only.last_v1;
    }
    pieces
}

/// Pieces of a v1-only torrent run across files, so they are hashed from the store, on all cores.
fn twin_pieces(layout: &Layout, hashed: &[&Hashed], blobs: &Blobs, threads: usize) -> Result<Vec<[u8; 20]>> {
    let next = AtomicU32::new(0);
    let work = || -> Result<Vec<(u32, [u8; 20])>> {
        let mut reader = Reader { hashed, blobs, open: None, buf: vec![0; 256 * 1024] };
        let mut out = Vec::new();
        loop {
            let piece = next.fetch_add(1, Ordering::Relaxed);
            if piece >= layout.piece_count() {
                return Ok(out);
            }
            out.push((piece, reader.piece(layout, PieceIndex(piece))?));
        }
    };
    let parts: Vec<_> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().map(std::thread::ScopedJoinHandle::join).collect()
    });
    let mut pieces = vec![[0; 20]; layout.piece_count() as usize];
    for part in parts {
        let part = part.map_err(|_| Error::Torrent("a hashing thread panicked".into()))??;
        for (piece, hash) in part {
            if let Some(slot) = pieces.get_mut(piece as usize) {
                *slot = hash;
            }
        }
    }
    Ok(pieces)
}

/// Reads blobs by their place in the torrent; keeps the last one open, for pieces follow each other.
struct Reader<'a> {
    hashed: &'a [&'a Hashed],
    blobs: &'a Blobs,
    open: Option<(FileIndex, File)>,
    buf: Vec<u8>,
}

impl Reader<'_> {
    fn piece(&mut self, layout: &Layout, piece: PieceIndex) -> Result<[u8; 20]> {
        let mut sha = Sha1::new();
        for span in layout.piece_spans(piece) {
            let Some(file) = span.file else { continue };
            let mut done = 0;
            while done < span.len {
                let step = (span.len - done).min(self.buf.len() as u32);
                sha.update(self.read(file, span.file_offset + u64::from(done), step as usize)?);
                done += step;
            }
        }
        Ok(sha.finalize().into())
    }

    fn read(&mut self, file: FileIndex, offset: u64, len: usize) -> Result<&[u8]> {
        let hashed = self.hashed.get(file.idx());
        let id = hashed.map(|hashed| hashed.id).ok_or_else(|| Error::Torrent("a file is missing".into()))?;
        let path = self.blobs.path(&id);
        if self.open.as_ref().is_none_or(|(open, _)| *open != file) {
            self.open = Some((file, open_read(&path).at(&path)?));
        }
        let buf = self.buf.get_mut(..len).unwrap_or_default();
        let read = match &self.open {
            Some((_, opened)) => platform::read_exact_at(opened, buf, offset),
            None => Err(io::ErrorKind::NotFound.into()),
        };
        read.at(&path)?;
        Ok(buf)
    }
}

/// Where the torrent of a hybrid lies.
pub(crate) fn hybrid_path(dir: &DataDir, hash: InfoHashV2) -> std::path::PathBuf {
    dir.torrents().join(format!("{hash}.torrent"))
}

/// Where the torrent of a v1-only twin lies.
pub(crate) fn twin_path(dir: &DataDir, hash: InfoHashV1) -> std::path::PathBuf {
    dir.torrents().join(format!("{hash}.torrent"))
}

impl Torrents {
    /// The three hashes: v1 and v2 of the hybrid, v1 of the twin.
    pub(crate) fn hashes(&self) -> Result<(InfoHashV1, InfoHashV2, InfoHashV1)> {
        let hybrid = &self.hybrid.torrent;
        match (hybrid.info_hash_v1, hybrid.info_hash_v2, self.twin.torrent.info_hash_v1) {
            (Some(v1), Some(v2), Some(twin)) => Ok((v1, v2, twin)),
            _ => Err(Error::Torrent("an info-hash is missing".into())),
        }
    }

    /// Writes both files.
    pub(crate) fn write(&self, dir: &DataDir) -> Result<()> {
        let (_, hybrid, twin) = self.hashes()?;
        dir.write_atomic(&hybrid_path(dir, hybrid), &self.hybrid.bytes)?;
        dir.write_atomic(&twin_path(dir, twin), &self.twin.bytes)
    }
}
