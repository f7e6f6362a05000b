//! `seedbox publish`: scan, hash and store, describe as torrents, make packs and prove them, write the manifest, sign it
//! together with the packs, point the channel at it.
//!
//! Order is what makes it safe to kill at any moment: blobs and their leaves, then torrents and packs, then signed
//! targets and metadata, and `timestamp.json` last. Until that file is replaced nobody sees anything new, and whatever an
//! interrupted publish has copied is found and used by the next.

pub mod scan;
pub mod hash;
mod art;
mod executable;
mod leaves;
mod torrents;

pub use crate::progress::Progress;
pub use art::Pictures;
pub use executable::Patterns;

use crate::error::{Error, Result};
use crate::packs::{self, Made, Maker, PackMade, PackOptions, Release, threads};
use crate::platform;
use crate::store::{DataDir, Settings};
use hash::{Cost, Hashed};
use manifests::path::SafePath;
use manifests::release::{
    ChannelDoc, ChannelName, GameId, ManifestFile, PackEntry, PackList, Policy, ReleaseManifest, Version,
};
use manifests::trust::publisher::{InitOptions, OfflineKeys, PublishError, Repository, RepositoryPaths};
use protocol::metainfo::choose_piece_len;
use protocol::units::{InfoHashV1, InfoHashV2};
use scan::Scan;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The smallest and the largest piece we make, in bytes.
const PIECE_LENS: std::ops::RangeInclusive<u32> = 16 * 1024..=16 * 1024 * 1024;

/// What to publish.
#[derive(Clone, Debug)]
pub struct PublishOptions {
    /// The build folder.
    pub build: PathBuf,
    /// The data folder.
    pub data: PathBuf,
    /// The folder of the offline keys.
    pub keys: PathBuf,
    /// Which game. The first release of a game adds it.
    pub game: GameId,
    /// Under which version.
    pub version: Version,
    /// The channel to point at it; the only one that ever may.
    pub channel: ChannelName,
    /// Patch notes.
    pub notes: String,
    /// Pictures for launchers.
    pub pictures: Pictures,
    /// Launch commands by platform.
    pub launch: BTreeMap<String, String>,
    /// Files that are programs, whatever they look like.
    pub exec: Patterns,
    /// What an update does with files that players change.
    pub policies: Policies,
    /// Piece length in bytes, instead of the one that fits the build: a power of two from 16 KiB to 16 MiB.
    pub piece_len: Option<u32>,
    /// Which packs to make.
    pub packs: PackOptions,
}

/// Which files are left to players, and when.
#[derive(Clone, Debug, Default)]
pub struct Policies {
    /// A changed file stays as it is.
    pub keep_if_changed: Patterns,
    /// Once installed, it is the player's.
    pub merge_never: Patterns,
    /// A changed file of the above goes when a later release has none there.
    pub delete_on_remove: Patterns,
}

impl Policies {
    fn of(&self, path: &SafePath) -> Policy {
        Policy {
            keep_if_changed: self.keep_if_changed.fits(path),
            merge_never: self.merge_never.fits(path),
            delete_on_remove: self.delete_on_remove.fits(path),
        }
    }
}

/// What was published, and what it cost.
#[derive(Clone, Debug, Serialize)]
pub struct Published {
    /// The game.
    pub game: String,
    /// The version.
    pub release: String,
    /// The channel that points at it.
    pub channel: String,
    /// Grows with each release of the game.
    pub sequence: u64,
    /// Files of the release, links included.
    pub files: u64,
    /// Those with an executable bit.
    pub executables: u64,
    /// Folders of the build that hold nothing, and so are not part of the release.
    pub empty_folders: u64,
    /// Bytes of the release.
    pub bytes: u64,
    /// Files that the store did not have.
    pub new_blobs: u64,
    /// Their bytes.
    pub new_bytes: u64,
    /// Bytes of a piece.
    pub piece_len: u32,
    /// v1 info-hash of the hybrid torrent.
    pub info_hash_v1: String,
    /// v2 info-hash of the hybrid torrent.
    pub info_hash_v2: String,
    /// Info-hash of the v1-only twin.
    pub info_hash_v1_only: String,
    /// Bytes of its icon, where it has one.
    pub icon_bytes: Option<u64>,
    /// Bytes of its hero, where it has one.
    pub hero_bytes: Option<u64>,
    /// The hybrid's torrent file.
    pub torrent: PathBuf,
    /// The twin's torrent file.
    pub torrent_v1_only: PathBuf,
    /// The packs that lead to it, the full one first.
    pub packs: Vec<PackMade>,
    /// Bytes of its manifest.
    pub manifest_bytes: u64,
    /// The most memory this process had in use, in bytes, where the system tells.
    pub peak_memory_bytes: Option<u64>,
    /// How long it took.
    pub seconds: f64,
}

/// Publishes a build.
///
/// # Errors
/// See [`Error`]; whatever happens, what was published before stays as it was.
pub fn publish(options: &PublishOptions, progress: &dyn Progress) -> Result<Published> {
    publish_in(&DataDir::open(&options.data)?, options, progress)
}

fn publish_in(dir: &DataDir, options: &PublishOptions, progress: &dyn Progress) -> Result<Published> {
    let started = platform::monotonic();
    let settings = Settings::read(dir)?;
    let lock = dir.lock()?;
    let mut keys = OfflineKeys::open(&options.keys)?;
    let mut repository = open_repository(dir)?;
    let known = repository.games().contains(&options.game);
    if known {
        // Does nothing for a game that is there, but finds out about wrong keys before hours of hashing.
        repository.add_game(&mut keys, &options.game, InitOptions::default().releases, platform::now())?;
        repository.check_release_keys(&keys, &options.game)?;
    }
    let sequence = sequence(&repository, options, known)?;
    let bases = bases(dir, &repository, options, known)?;
    dir.clean_tmp(&lock)?;

    let build = read_build(dir, options, progress)?;
    progress.step("torrents");
    let name = torrents::torrent_name(options.game.as_str(), options.version.as_str(), &build.scan);
    let torrents = torrents::build(&name, &build, dir, &settings)?;
    let manifest = manifest(options, sequence, &build, torrents.hashes()?);
    // What could not be signed is not worth packing.
    manifest.encode().map_err(PublishError::from)?;
    options.pictures.store(dir)?;
    torrents.write(dir)?;
    leaves::write_changes(dir, &manifest, &bases)?;
    let packs = packs(dir, &settings, options, &manifest, &bases, progress)?;

    progress.step("signing");
    let now = platform::now();
    repository.add_game(&mut keys, &options.game, InitOptions::default().releases, now)?;
    let list = list(&manifest, &packs);
    let info = repository.add_release_with_packs(&mut keys, &manifest, list.as_ref(), now)?;
    repository.set_channel(&channel(options, sequence, &settings), now)?;
    let mut done = report(&manifest, options, &build, dir);
    done.packs = reports(&repository, &manifest, packs)?;
    done.manifest_bytes = info.manifest_len;
    done.peak_memory_bytes = platform::peak_memory();
    done.seconds = started.elapsed().as_secs_f64();
    Ok(done)
}

/// Looks at the build, reads it into the store, and makes sure that it was one build all the while.
fn read_build(dir: &DataDir, options: &PublishOptions, progress: &dyn Progress) -> Result<Build> {
    look_at_build(Some(dir), options, progress)
}

/// The same; without a store the build is hashed and nothing is written.
pub(crate) fn look_at_build(
    dir: Option<&DataDir>,
    options: &PublishOptions,
    progress: &dyn Progress,
) -> Result<Build> {
    let scan = scan::scan(&options.build)?;
    if scan.total_len() == 0 {
        return Err(Error::BuildEmpty(options.build.clone()));
    }
    let piece_len = piece_len(options.piece_len, &scan)?;
    progress.begins(scan.files.len() as u64, scan.total_len());
    let threads = threads(&options.packs);
    let told = |bytes| progress.read(bytes);
    let (hashed, cost) = match dir {
        Some(dir) => hash::ingest(&scan, piece_len, threads, dir, &told)?,
        None => (hash::look(&scan, piece_len, threads, &told)?, Cost::default()),
    };
    // Every file was held against the scan before and after it was read; what came or went meanwhile only this tells.
    let executable = executable::decide(&scan, &hashed, &options.exec);
    let build = Build { scan, hashed, executable, piece_len, threads, cost };
    build.check_unchanged(&options.build)?;
    Ok(build)
}

impl Build {
    /// That the folder still is what was scanned.
    pub(crate) fn check_unchanged(&self, folder: &Path) -> Result<()> {
        let again = scan::scan(folder).map_err(|error| match error {
            Error::BuildEmpty(path) | Error::BuildMissing(path) => Error::BuildChanged(path),
            other => other,
        })?;
        match self.scan.differs(&again) {
            Some(path) => Err(Error::BuildChanged(path.to_native())),
            None => Ok(()),
        }
    }
}

/// The releases that packs start from, unless others were asked for: the one the channel points at now, or the newest
/// when the channel is new.
pub(crate) fn bases(
    dir: &DataDir,
    repository: &Repository,
    options: &PublishOptions,
    known: bool,
) -> Result<Vec<Release>> {
    let mut usual = Vec::new();
    if known {
        let channel = repository.channel(&options.game, &options.channel)?.map(|doc| doc.release);
        let newest = || Ok::<_, Error>(repository.releases(&options.game)?.pop().map(|info| info.version));
        usual.extend(channel.map_or_else(newest, |version| Ok(Some(version)))?);
    }
    packs::choose(dir, repository, &options.game, &options.version, &options.packs, &usual)
}

/// Makes and proves the packs of a release that is in the store.
fn packs(
    dir: &DataDir,
    settings: &Settings,
    options: &PublishOptions,
    manifest: &ReleaseManifest,
    bases: &[Release],
    progress: &dyn Progress,
) -> Result<Vec<Made>> {
    let target = Release::from(manifest.clone());
    let maker = Maker {
        dir,
        settings,
        game: &options.game,
        target: &target,
        level: options.packs.level,
        threads: threads(&options.packs),
        progress,
    };
    let mut made = Vec::new();
    if let Some(packed) = maker.make_full(options.packs.full)? {
        made.push(packed.place(dir)?);
    }
    for base in bases {
        if let Some(packed) = maker.make(Some(base), None)? {
            made.push(packed.place(dir)?);
        }
    }
    Ok(made)
}

/// The first pack list of a release, if it has packs.
fn list(manifest: &ReleaseManifest, made: &[Made]) -> Option<PackList> {
    let mut list = packs::empty_list(&manifest.game, &Release::from(manifest.clone()));
    made.iter().for_each(|made| list.insert(made.entry.clone()));
    (!made.is_empty()).then_some(list)
}

/// What was made, and whether it is what was signed: a release that was there already keeps its packs.
fn reports(repository: &Repository, manifest: &ReleaseManifest, packs: Vec<Made>) -> Result<Vec<PackMade>> {
    let signed = repository.pack_list(&manifest.game, &manifest.version)?;
    let listed = |entry: &PackEntry| signed.as_ref().is_some_and(|list| list.packs.contains(entry));
    Ok(packs.into_iter().map(|made| PackMade { listed: listed(&made.entry), ..made.report }).collect())
}

/// A build that is hashed and stored. `hashed` and `executable` are in the order of the scan.
pub(crate) struct Build {
    pub(crate) scan: Scan,
    pub(crate) hashed: Vec<Hashed>,
    executable: Vec<bool>,
    piece_len: u32,
    threads: usize,
    cost: Cost,
}

/// The release's place in the order of releases. A publish that was cut short between signing the release and moving
/// the channel keeps the one it has: signing the same manifest again changes nothing.
pub(crate) fn sequence(repository: &Repository, options: &PublishOptions, known: bool) -> Result<u64> {
    if !known {
        return Ok(1);
    }
    let releases = repository.releases(&options.game)?;
    let Some(there) = releases.iter().find(|release| release.version == options.version) else {
        return Ok(repository.next_sequence(&options.game));
    };
    let current = repository.channel(&options.game, &options.channel)?.map_or(0, |doc| doc.sequence);
    if current >= there.sequence {
        let (game, version) = (options.game.to_string(), options.version.to_string());
        return Err(PublishError::ReleaseExists { game, version }.into());
    }
    Ok(there.sequence)
}

/// The signed side of a data folder.
pub(crate) fn open_repository(dir: &DataDir) -> Result<Repository> {
    Ok(Repository::open(RepositoryPaths::below(dir.root()))?)
}

fn piece_len(asked: Option<u32>, scan: &Scan) -> Result<u32> {
    let Some(asked) = asked else {
        let lens: Vec<u64> = scan.files.iter().map(|file| file.len).collect();
        return Ok(choose_piece_len(&lens));
    };
    if asked.is_power_of_two() && PIECE_LENS.contains(&asked) {
        return Ok(asked);
    }
    let why = "it must be a power of two from 16384 to 16777216".to_owned();
    Err(Error::Option { option: "--piece-len", value: asked.to_string(), why })
}

/// The manifest of a build whose torrents (hybrid v1, hybrid v2, twin) have these info-hashes.
pub(crate) fn manifest(
    options: &PublishOptions,
    sequence: u64,
    build: &Build,
    (v1, v2, twin): (InfoHashV1, InfoHashV2, InfoHashV1),
) -> ReleaseManifest {
    let files = build.scan.files.iter().zip(&build.hashed).zip(&build.executable);
    let files = files.map(|((found, hashed), &executable)| match &found.link {
        Some(target) => ManifestFile::symlink(found.path.clone(), target.clone()),
        None => ManifestFile::file(found.path.clone(), hashed.id, executable)
            .with_policy(options.policies.of(&found.path)),
    });
    ReleaseManifest {
        game: options.game.clone(),
        version: options.version.clone(),
        sequence,
        allowed_channels: BTreeSet::from([options.channel.clone()]),
        files: files.collect(),
        piece_len: build.piece_len,
        info_hash_v1: v1.0,
        info_hash_v2: v2.0,
        info_hash_v1_only: Some(twin.0),
        launch: options.launch.clone(),
        notes: options.notes.clone(),
        art: options.pictures.art(),
    }
}

fn channel(options: &PublishOptions, sequence: u64, settings: &Settings) -> ChannelDoc {
    let mut doc =
        ChannelDoc::new(options.game.clone(), options.channel.clone(), options.version.clone(), sequence);
    doc.trackers = settings.tracker().into_iter().collect();
    doc.web_bases = settings.public_url.iter().map(|base| format!("{base}/")).collect();
    doc
}

fn report(manifest: &ReleaseManifest, options: &PublishOptions, build: &Build, dir: &DataDir) -> Published {
    let (torrent, torrent_v1_only) = torrent_paths(dir, manifest);
    Published {
        game: manifest.game.to_string(),
        release: manifest.version.to_string(),
        channel: options.channel.to_string(),
        sequence: manifest.sequence,
        files: manifest.files.len() as u64,
        executables: manifest.files.iter().filter(|file| file.executable).count() as u64,
        empty_folders: build.scan.empty_folders as u64,
        bytes: manifest.total_bytes(),
        new_blobs: build.cost.new_blobs,
        new_bytes: build.cost.new_bytes,
        piece_len: manifest.piece_len,
        info_hash_v1: hex::encode(manifest.info_hash_v1),
        info_hash_v2: hex::encode(manifest.info_hash_v2),
        info_hash_v1_only: manifest.info_hash_v1_only.map(hex::encode).unwrap_or_default(),
        icon_bytes: manifest.art.icon.map(|id| id.len),
        hero_bytes: manifest.art.hero.map(|id| id.len),
        torrent,
        torrent_v1_only: torrent_v1_only.unwrap_or_default(),
        packs: Vec::new(),
        manifest_bytes: 0,
        peak_memory_bytes: None,
        seconds: 0.0,
    }
}

/// Where a hybrid's and a twin's torrent files lie in a data folder.
pub(crate) fn torrent_paths(dir: &DataDir, manifest: &ReleaseManifest) -> (PathBuf, Option<PathBuf>) {
    let hybrid = torrents::hybrid_path(dir, InfoHashV2(manifest.info_hash_v2));
    let twin = manifest.info_hash_v1_only.map(InfoHashV1);
    (hybrid, twin.map(|hash| torrents::twin_path(dir, hash)))
}

/// Reads patch notes.
///
/// # Errors
/// [`Error::Option`] when the file cannot be read, is no text, or is longer than a manifest may hold.
pub fn read_notes(path: &Path) -> Result<String> {
    const MAX_NOTES_LEN: u64 = 256 * 1024;
    let refuse = |why: String| Error::Option { option: "--notes", value: path.display().to_string(), why };
    let bytes = crate::store::read_bounded(path, MAX_NOTES_LEN).map_err(|error| refuse(error.to_string()))?;
    String::from_utf8(bytes).map_err(|_| refuse("it is not valid UTF-8".into()))
}

#[cfg(test)]
pub(crate) mod tests;
