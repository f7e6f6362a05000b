//! Making one pack: create, hash, prove, place, describe as a torrent.

use super::bases::{Full, Release, plain_len};
use super::proof::{Told, proven};
use super::{PackOptions, level_name};
use crate::error::{DiskContext as _, Error, Result};
use crate::platform;
use crate::progress::Progress;
use crate::store::{BlobContent, Blobs, DataDir, Settings, Temp, export, open_read};
use manifests::pack::{CreateOptions, Created, Index, Level, PackError, TreeRef, create};
use manifests::release::{FileIdentity, GameId, PackEntry, Version, pack_torrent_name};
use protocol::merkle::{FileHasher, FileHashes};
use protocol::metainfo::{Built, Mode, NewFile, TorrentBuilder, choose_piece_len};
use protocol::units::Root;
use serde::Serialize;
use sha1::{Digest as _, Sha1};
use sha2::Sha256;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

/// Bytes written at once; a multiple of a block.
const BUF_LEN: usize = 1024 * 1024;

/// A full pack must save one byte in so many.
const WORTH_ONE_IN: u64 = 20;
/// Samples taken to see whether a release can be compressed, and the bytes of each.
const SAMPLES: u64 = 128;
const SAMPLE_LEN: u64 = 64 * 1024;

/// What one method of compression was used for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Segments {
    /// Segments.
    pub count: u64,
    /// Bytes they rebuild.
    pub rebuilds: u64,
    /// Bytes they take in the pack.
    pub bytes: u64,
}

/// A pack that was made, for people and programs.
#[derive(Clone, Debug, Serialize)]
pub struct PackMade {
    /// The version it starts from; none for the full pack.
    pub base: Option<String>,
    /// Bytes a player fetches, the index included.
    pub bytes: u64,
    /// Bytes of the index.
    pub index_bytes: u64,
    /// Bytes of the files a player would fetch without it.
    pub plain_bytes: u64,
    /// `bytes` of `plain_bytes`.
    pub ratio: f64,
    /// The level it was made at.
    pub level: String,
    /// The encoder's version.
    pub encoder: u32,
    /// Frames by method.
    pub segments: BTreeMap<&'static str, Segments>,
    /// CPU-seconds spent on finding where data came from.
    pub match_cpu_s: f64,
    /// CPU-seconds spent on compressing.
    pub compress_cpu_s: f64,
    /// CPU-seconds spent on decoding each frame right after it was made.
    pub verify_cpu_s: f64,
    /// Seconds from begin to end.
    pub create_s: f64,
    /// Seconds the proof took: base files hashed, the pack applied, every file hashed.
    pub proof_s: f64,
    /// CPU-seconds of that, where the system tells.
    pub proof_cpu_s: Option<f64>,
    /// Memory in bytes that a player needs for a frame, at most.
    pub memory_bytes: u64,
    /// Bytes of the pack from the same base that was listed before.
    pub before_bytes: Option<u64>,
    /// Whether it is in the release's pack list.
    pub listed: bool,
    /// Its file.
    pub file: PathBuf,
    /// v1 info-hash of its torrent.
    pub info_hash_v1: String,
    /// v2 info-hash of its torrent.
    pub info_hash_v2: String,
    /// Its torrent file.
    pub torrent: PathBuf,
}

/// A pack that is proven and in its place, with its torrent; only the list does not know it yet.
#[derive(Clone, Debug)]
pub(crate) struct Made {
    pub(crate) entry: PackEntry,
    pub(crate) report: PackMade,
}

/// A pack that is proven and has no name yet.
pub(crate) struct Packed {
    /// Its bytes, unless they are in their place already.
    temp: Option<Temp>,
    index: Vec<u8>,
    hashes: Hashes,
    torrent: Built,
    pub(crate) entry: PackEntry,
    report: PackMade,
}

/// Makes packs that lead to one release.
pub(crate) struct Maker<'a> {
    /// Where they go, and where files on their way lie.
    pub(crate) dir: &'a DataDir,
    pub(crate) settings: &'a Settings,
    pub(crate) game: &'a GameId,
    pub(crate) target: &'a Release,
    pub(crate) level: Level,
    pub(crate) threads: usize,
    pub(crate) progress: &'a dyn Progress,
}

/// What a pack's bytes hash to.
struct Hashes {
    file: FileHashes,
    identity: FileIdentity,
    piece_len: u32,
    pieces_v1: Vec<[u8; 20]>,
}

/// How many threads to use.
pub(crate) fn threads(options: &PackOptions) -> usize {
    let all = || std::thread::available_parallelism().map_or(2, usize::from);
    options.threads.unwrap_or_else(all).max(1)
}

/// Whether the pack that starts from nothing is to be made, and the most bytes with which it is worth it.
pub(crate) fn full_worth(wanted: Full, level: Level, target: TreeRef<'_>) -> Result<Option<Option<u64>>> {
    let plain = plain_len(None, target.files);
    Ok(match wanted {
        Full::Never => None,
        Full::Always => Some(None),
        Full::Auto if level == Level::Fast && looks_incompressible(target)? => None,
        Full::Auto => Some(Some(plain - plain / WORTH_ONE_IN)),
    })
}

/// Whether samples of the release hardly get smaller: then a whole look at it is too much for the fast level.
fn looks_incompressible(target: TreeRef<'_>) -> Result<bool> {
    let files = target.files.iter().enumerate().filter(|(_, file)| !file.identity.is_empty());
    let total: u64 = files.clone().map(|(_, file)| file.identity.len).sum();
    let every = (total / SAMPLES).max(1);
    let (mut plain, mut packed, mut until_next, mut sample) = (0, 0, 0, Vec::new());
    for (at, file) in files {
        let len = file.identity.len;
        let mut offset = until_next;
        while offset < len {
            sample.resize((len - offset).min(SAMPLE_LEN) as usize, 0);
            let file = u32::try_from(at).unwrap_or(u32::MAX);
            let unread = |source| Error::Pack(PackError::Read { tree: "release", file, source });
            target.content.read_at(file, offset, &mut sample).map_err(unread)?;
            packed += zstd::bulk::compress(&sample, 1).map_or(sample.len(), |packed| packed.len());
            plain += sample.len();
            offset += every.max(SAMPLE_LEN);
        }
        until_next = offset - len;
    }
    Ok(packed as u64 > plain as u64 - plain as u64 / WORTH_ONE_IN)
}

impl Maker<'_> {
    /// Makes the pack that starts from nothing, if it is wanted and worth it.
    pub(crate) fn make_full(&self, wanted: Full) -> Result<Option<Packed>> {
        let content = BlobContent::new(&Blobs::new(self.dir), &self.target.files);
        let target = TreeRef { files: &self.target.files, content: &content };
        match full_worth(wanted, self.level, target)? {
            Some(at_most) => self.make(None, at_most),
            None => Ok(None),
        }
    }

    /// Makes the pack from `base` (nothing, for the full pack), unless it would be longer than `at_most` bytes: then
    /// there is none.
    pub(crate) fn make(&self, base: Option<&Release>, at_most: Option<u64>) -> Result<Option<Packed>> {
        let started = platform::monotonic();
        let mut temp = self.dir.temp()?;
        let created = self.create(base, &mut temp)?;
        if at_most.is_some_and(|at_most| created.len > at_most) {
            return Ok(None);
        }
        let create_s = started.elapsed().as_secs_f64();
        let level = level_name(self.level);
        let mut packed = self.prove(temp.shared().at(temp.path())?, created.len, base, level)?;
        if packed.index != created.index_bytes {
            return Err(Error::Pack(PackError::Index("it is not the one that was written")));
        }
        packed.report.create_s = create_s;
        packed.report.match_cpu_s = created.report.match_cpu_s;
        packed.report.compress_cpu_s = created.report.compress_cpu_s;
        packed.report.verify_cpu_s = created.report.proof_cpu_s;
        packed.temp = Some(temp);
        Ok(Some(packed))
    }

    /// Takes a pack that was made elsewhere: believed no more than one made here.
    pub(crate) fn import(&self, path: &Path, base: Option<&Release>, level: &str) -> Result<Packed> {
        let (mut file, mut temp) = (open_read(path).at(path)?, None);
        if path.parent() != Some(&*self.dir.packs()) {
            let mut copy = self.dir.temp()?;
            let into = copy.path().to_owned();
            std::io::copy(&mut file, copy.file()?).at(&into)?;
            temp = Some(copy);
        }
        let file = temp.as_ref().map_or(Ok(&file), Temp::shared).at(path)?;
        let len = file.metadata().at(path)?.len();
        let mut packed = self.prove(file, len, base, level)?;
        packed.temp = temp;
        Ok(packed)
    }

    fn prove(&self, file: &File, len: u64, base: Option<&Release>, level: &str) -> Result<Packed> {
        let (started, cpu_before) = (platform::monotonic(), platform::cpu_s());
        let blobs = Blobs::new(self.dir);
        self.progress.step("hashing");
        let hashes = hash(file, len).at(&self.dir.tmp())?;
        let files = &self.target.files;
        let (index, bytes) = proven(file, len, &blobs, base, files, self.threads, self.progress)?;
        let base_version = base.map(|base| &base.version);
        let torrent = torrent(self.game, base_version, self.target, &hashes, self.settings)?;
        let entry = entry(base, &index, &bytes, &hashes, &torrent, level)?;
        let mut report = report(self.dir, &entry, plain_len(base, files), &index);
        report.proof_s = started.elapsed().as_secs_f64();
        report.proof_cpu_s = cpu_before.zip(platform::cpu_s()).map(|(before, after)| after - before);
        Ok(Packed { temp: None, index: bytes, hashes, torrent, entry, report })
    }

    fn create(&self, base: Option<&Release>, temp: &mut Temp) -> Result<Created> {
        let path = temp.path().to_owned();
        let blobs = Blobs::new(self.dir);
        let content = base.map(|base| BlobContent::new(&blobs, &base.files));
        let base = base.zip(content.as_ref()).map(|(base, content)| TreeRef { files: &base.files, content });
        let target = BlobContent::new(&blobs, &self.target.files);
        let target = TreeRef { files: &self.target.files, content: &target };
        let options = CreateOptions { level: self.level, threads: self.threads };
        let mut out = BufWriter::with_capacity(BUF_LEN, temp.file()?);
        let created =
            create(base, target, &options, &mut out, &Told(self.progress)).map_err(|error| match error {
                PackError::Write(source) => Error::disk(&path, source),
                other => Error::Pack(other),
            })?;
        out.flush().at(&path)?;
        Ok(created)
    }
}

/// Leaves, root and v1 pieces of the first `len` bytes of a file.
fn hash(file: &File, len: u64) -> std::io::Result<Hashes> {
    let piece_len = choose_piece_len(&[len]);
    let (mut hasher, mut piece, mut pieces_v1) = (FileHasher::new(), Sha1::new(), Vec::new());
    let mut buf = vec![0; BUF_LEN];
    let mut at = 0;
    while at < len {
        let piece_left = u64::from(piece_len) - at % u64::from(piece_len);
        let step = (len - at).min(buf.len() as u64).min(piece_left);
        let part = buf.get_mut(..step as usize).unwrap_or_default();
        platform::read_exact_at(file, part, at)?;
        hasher.update(part);
        piece.update(&*part);
        at += step;
        // A file that is alone has no pad: its last piece is as long as it is.
        if at.is_multiple_of(u64::from(piece_len)) || at == len {
            pieces_v1.push(std::mem::take(&mut piece).finalize().into());
        }
    }
    let file = hasher.finish();
    let identity = FileIdentity { len, root: file.root.unwrap_or(Root::ZERO).0 };
    Ok(Hashes { file, identity, piece_len, pieces_v1 })
}

fn torrent(
    game: &GameId,
    base: Option<&Version>,
    target: &Release,
    hashes: &Hashes,
    settings: &Settings,
) -> Result<Built> {
    let refused = |error: protocol::metainfo::MetainfoError| Error::Torrent(error.to_string());
    let file = NewFile {
        path: Vec::new(),
        len: hashes.identity.len,
        executable: false,
        root: hashes.file.root,
        piece_layer: hashes.file.piece_layer(hashes.piece_len),
    };
    let name = pack_torrent_name(game, base, &target.version);
    // A URL without a slash at its end is the file itself (BEP 19). By content: a revision may bring another pack of
    // the same name.
    let url = settings.packs_base().map(|packs| format!("{packs}{}.pack", hashes.identity));
    TorrentBuilder::single_file(&name, Mode::Hybrid, hashes.piece_len, file)
        .announce(settings.tracker().map(|url| vec![url]).into_iter().collect())
        .url_list(url.into_iter().collect())
        .pieces_v1(hashes.pieces_v1.clone())
        .build()
        .map_err(refused)
}

fn entry(
    base: Option<&Release>,
    index: &Index,
    index_bytes: &[u8],
    hashes: &Hashes,
    torrent: &Built,
    level: &str,
) -> Result<PackEntry> {
    let (Some(v1), Some(v2)) = (torrent.torrent.info_hash_v1, torrent.torrent.info_hash_v2) else {
        return Err(Error::Torrent("an info-hash is missing".into()));
    };
    Ok(PackEntry {
        base: base.map(Release::as_base),
        identity: hashes.identity,
        index_len: index_bytes.len() as u64,
        index_sha256: Sha256::digest(index_bytes).into(),
        piece_len: hashes.piece_len,
        info_hash_v1: v1.0,
        info_hash_v2: v2.0,
        encoder: index.encoder,
        level: level.to_owned(),
        memory: index.frames.iter().map(|frame| frame.memory).max().unwrap_or(0),
    })
}

impl Packed {
    /// Gives the pack its name, after everything that belongs to it: a pack that is there is there whole.
    pub(crate) fn place(self, dir: &DataDir) -> Result<Made> {
        let folder = dir.make_packs()?;
        let packs = Blobs::packs(dir);
        let id = self.entry.identity;
        if id.len > u64::from(self.hashes.piece_len) {
            let leaves: Vec<u8> = self.hashes.file.leaves.iter().flat_map(|leaf| leaf.0).collect();
            dir.write_atomic(&packs.leaves_path(&id), &leaves)?;
        }
        dir.write_atomic(&packs.index_path(&id), &self.index)?;
        dir.write_atomic(&torrent_path(dir, &self.entry), &self.torrent.bytes)?;
        if let Some(temp) = self.temp {
            packs.place(&id, temp)?;
        }
        platform::sync_dir(&folder).at(&folder)?;
        Ok(Made { entry: self.entry, report: self.report })
    }

    /// Writes pack and index into a folder elsewhere, for whoever signs them.
    pub(crate) fn export(self, folder: &Path) -> Result<Made> {
        let Packed { temp, index, entry, mut report, .. } = self;
        export(folder, &entry.index_name(), &mut index.as_slice())?;
        if let Some(temp) = temp {
            let mut file = open_read(temp.path()).at(temp.path())?;
            report.file = export(folder, &entry.file_name(), &mut file)?;
        }
        report.torrent = PathBuf::new();
        Ok(Made { entry, report })
    }
}

/// Where a pack's torrent lies.
pub(crate) fn torrent_path(dir: &DataDir, entry: &PackEntry) -> PathBuf {
    dir.torrents().join(format!("{}.torrent", hex::encode(entry.info_hash_v2)))
}

fn report(dir: &DataDir, entry: &PackEntry, plain_bytes: u64, index: &Index) -> PackMade {
    let mut segments: BTreeMap<&'static str, Segments> = BTreeMap::new();
    for frame in &index.frames {
        let of = segments.entry(frame.method.name()).or_default();
        of.count += 1;
        of.rebuilds += u64::from(frame.output_len);
        of.bytes += u64::from(frame.len);
    }
    PackMade {
        base: entry.base_version().map(Version::to_string),
        bytes: entry.identity.len,
        index_bytes: entry.index_len,
        plain_bytes,
        ratio: entry.identity.len as f64 / plain_bytes.max(1) as f64,
        level: entry.level.clone(),
        encoder: entry.encoder,
        segments,
        match_cpu_s: 0.0,
        compress_cpu_s: 0.0,
        verify_cpu_s: 0.0,
        create_s: 0.0,
        proof_s: 0.0,
        proof_cpu_s: None,
        memory_bytes: entry.memory,
        before_bytes: None,
        listed: false,
        file: Blobs::packs(dir).path(&entry.identity),
        info_hash_v1: hex::encode(entry.info_hash_v1),
        info_hash_v2: hex::encode(entry.info_hash_v2),
        torrent: torrent_path(dir, entry),
    }
}
