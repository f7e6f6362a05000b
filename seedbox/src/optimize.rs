//! `seedbox optimize`: further or smaller packs for a release that is out already, as a new revision of its pack list.
//!
//! Making and signing can be done apart: `--build-only` needs no key and runs wherever a copy of the data folder is;
//! `--sign` takes what was made, proves it and signs. Making takes no lock of the repository, so that a release can be
//! published meanwhile; the list is read again under the lock before it is signed.

use crate::error::{DiskContext as _, Error, Result};
use crate::packs::{
    self, Full, Level, Made, Maker, PackMade, PackOptions, Packed, Release, parse_level, threads,
};
use crate::platform;
use crate::progress::Progress;
use crate::publish::open_repository;
use crate::store::{Blobs, DataDir, Settings, export, open_read, read_bounded, remove_quietly};
use manifests::pack::{ENCODER, Limits, PackFile, TreeId, tree_id};
use manifests::release::{GameId, PackEntry, PackList, Version};
use manifests::trust::publisher::{OfflineKeys, PublishError, Repository};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

const MAX_NOTE_LEN: u64 = 64 * 1024;

/// What to do.
#[derive(Clone, Debug)]
pub struct OptimizeOptions {
    /// The data folder.
    pub data: PathBuf,
    /// Which game.
    pub game: GameId,
    /// Which release; the newest when none is named.
    pub version: Option<Version>,
    /// Which packs, and how hard to try. Without bases: those that are listed, the release before, and those that
    /// most players run.
    pub packs: PackOptions,
    /// Made and signed, or one of the two.
    pub work: Work,
}

/// Which half of the work.
#[derive(Clone, Debug)]
pub enum Work {
    /// Packs are made, and signed with the keys in this folder.
    All(PathBuf),
    /// Packs are made and left for a later [`Work::Sign`], in `public/packs` or another folder.
    Build(Option<PathBuf>),
    /// Packs that lie in `public/packs` or another folder are proven and signed.
    Sign {
        /// The folder of the offline keys.
        keys: PathBuf,
        /// Where the packs lie.
        packs: Option<PathBuf>,
    },
}

/// What was done.
#[derive(Clone, Debug, Serialize)]
pub struct Optimized {
    /// The game.
    pub game: String,
    /// The release.
    pub release: String,
    /// The revision of its pack list that is signed now; 0 when it has none.
    pub revision: u64,
    /// Packs that were made or found, and whether they are listed now.
    pub packs: Vec<PackMade>,
    /// Bases whose listed pack was made by this encoder at this level or a higher one: there was nothing to do.
    pub unchanged: Vec<String>,
    /// The most memory this process had in use, in bytes, where the system tells.
    pub peak_memory_bytes: Option<u64>,
    /// How long it took.
    pub seconds: f64,
}

/// What is written beside a pack that nobody has signed yet: what the pack itself does not say. A hint and no more.
#[derive(Debug, Serialize, Deserialize)]
struct Note {
    level: String,
}

/// Makes and lists better packs.
///
/// # Errors
/// See [`Error`]; whatever happens, the list that was signed before stands.
pub fn optimize(options: &OptimizeOptions, progress: &dyn Progress) -> Result<Optimized> {
    optimize_in(DataDir::open(&options.data)?, options, progress)
}

fn optimize_in(dir: DataDir, options: &OptimizeOptions, progress: &dyn Progress) -> Result<Optimized> {
    let started = platform::monotonic();
    let (dir, _packing) = dir.for_packing()?;
    let settings = Settings::read(&dir)?;
    let repository = open_repository(&dir)?;
    let keys = open_keys(&repository, options)?;
    let version = version(&repository, options)?;
    let target = Release::from(repository.manifest(&options.game, &version)?);
    if let Some(file) = target.missing(&Blobs::new(&dir)) {
        return Err(Error::BaseMissing { version, path: file.path.clone() });
    }
    let maker = Maker {
        dir: &dir,
        settings: &settings,
        game: &options.game,
        target: &target,
        level: options.packs.level,
        threads: threads(&options.packs),
        progress,
    };
    let listed = repository.pack_list(&options.game, &version)?;
    let listed = listed.unwrap_or_else(|| packs::empty_list(&options.game, &target));
    let mut job = Job { options, repository, maker, listed, made: Vec::new(), unchanged: Vec::new() };
    match &options.work {
        Work::Sign { packs, .. } => job.import(&packs.clone().unwrap_or_else(|| dir.packs()))?,
        Work::All(_) | Work::Build(_) => job.build()?,
    }
    if let Some(mut keys) = keys {
        progress.step("signing");
        job.sign(&mut keys)?;
    }
    job.report(started.elapsed().as_secs_f64())
}

/// The keys, found out to be the right ones before hours of work; `None` when nothing is signed.
fn open_keys(repository: &Repository, options: &OptimizeOptions) -> Result<Option<OfflineKeys>> {
    let (Work::All(folder) | Work::Sign { keys: folder, .. }) = &options.work else { return Ok(None) };
    let keys = OfflineKeys::open(folder)?;
    repository.check_release_keys(&keys, &options.game)?;
    Ok(Some(keys))
}

/// The release that was asked for, or the newest.
fn version(repository: &Repository, options: &OptimizeOptions) -> Result<Version> {
    if let Some(version) = &options.version {
        return Ok(version.clone());
    }
    let newest = repository.releases(&options.game)?.pop().map(|release| release.version);
    newest.ok_or_else(|| {
        let (game, version) = (options.game.to_string(), "any".to_owned());
        PublishError::NoRelease { game, version }.into()
    })
}

/// One run for one release.
struct Job<'a> {
    options: &'a OptimizeOptions,
    repository: Repository,
    maker: Maker<'a>,
    /// The list as it was at the beginning.
    listed: PackList,
    made: Vec<Made>,
    unchanged: Vec<String>,
}

impl Job<'_> {
    fn target(&self) -> &Release {
        self.maker.target
    }

    /// Makes what is wanted and not there as good already.
    fn build(&mut self) -> Result<()> {
        let bases = self.bases()?;
        let full_wanted = self.options.packs.full != Full::Never;
        for base in full_wanted.then_some(None).into_iter().chain(bases.into_iter().map(Some)) {
            let there = self.listed.from_base(base.as_ref().map(|base| &base.version));
            if there.is_some_and(|there| good_enough(there, self.options.packs.level)) {
                self.unchanged.push(base.map_or("full".to_owned(), |base| base.version.to_string()));
                continue;
            }
            let made = match (&base, there) {
                (None, None) => self.maker.make_full(self.options.packs.full)?,
                (base, there) => self.maker.make(base.as_ref(), there.map(|there| there.identity.len - 1))?,
            };
            match made {
                Some(packed) => self.keep(packed)?,
                None => self.unchanged.push(base.map_or("full".to_owned(), |base| base.version.to_string())),
            }
        }
        Ok(())
    }

    /// The releases to start from: those asked for, or those listed, the one before, and those that players run.
    fn bases(&self) -> Result<Vec<Release>> {
        let (options, target) = (self.options, self.target());
        let releases = self.repository.releases(&options.game)?;
        let before = releases.into_iter().rev().find(|release| release.sequence < target.sequence);
        let listed = self.listed.packs.iter().filter_map(|entry| entry.base_version().cloned());
        let usual: Vec<Version> = before.map(|release| release.version).into_iter().chain(listed).collect();
        packs::choose(
            self.maker.dir,
            &self.repository,
            &options.game,
            &target.version,
            &options.packs,
            &usual,
        )
    }

    fn keep(&mut self, packed: Packed) -> Result<()> {
        let before = self.listed.from_base(packed.entry.base_version()).map(|entry| entry.identity.len);
        let level = packed.entry.level.clone();
        let (folder, mut made) = match &self.options.work {
            Work::Build(Some(out)) => (Some(out.clone()), packed.export(out)?),
            Work::Build(None) => (Some(self.maker.dir.packs()), packed.place(self.maker.dir)?),
            _ => (None, packed.place(self.maker.dir)?),
        };
        if let Some(folder) = folder {
            let json = serde_json::to_vec_pretty(&Note { level }).unwrap_or_default();
            export(&folder, &note_name(&made.entry), &mut json.as_slice())?;
        }
        made.report.before_bytes = before;
        self.made.push(made);
        Ok(())
    }

    /// Takes the packs of a folder that lead to this release and are smaller than those that are listed.
    fn import(&mut self, folder: &Path) -> Result<()> {
        let mut trees: HashMap<TreeId, Release> = HashMap::new();
        for info in self.repository.releases(&self.options.game)? {
            let release = Release::from(self.repository.manifest(&self.options.game, &info.version)?);
            trees.insert(tree_id(&release.files), release);
        }
        let mut best: BTreeMap<Option<u64>, Candidate> = BTreeMap::new();
        for candidate in candidates(folder, tree_id(&self.target().files))? {
            let base = match candidate.base.map(|tree| trees.get(&tree)) {
                Some(None) => continue,
                Some(Some(base)) => Some(base),
                None => None,
            };
            let there = self.listed.from_base(base.map(|base| &base.version));
            let sequence = base.map(|base| base.sequence);
            let shortest = there.map(|there| there.identity.len);
            let shortest = best.get(&sequence).map(|other| other.len).into_iter().chain(shortest).min();
            if shortest.is_none_or(|shortest| candidate.len < shortest) {
                best.insert(sequence, candidate);
            }
        }
        for candidate in best.into_values() {
            let base = candidate.base.and_then(|tree| trees.get(&tree));
            let packed = self.maker.import(&candidate.path, base, &candidate.level)?;
            self.keep(packed)?;
        }
        Ok(())
    }

    /// Signs a new revision of the list as it is now; what is smaller there by now stays.
    fn sign(&self, keys: &mut OfflineKeys) -> Result<()> {
        let (game, target) = (&self.options.game, self.target());
        let _lock = self.maker.dir.lock_when_free()?;
        let mut repository = open_repository(self.maker.dir)?;
        let there = repository.pack_list(game, &target.version)?;
        let mut list = there.clone().unwrap_or_else(|| packs::empty_list(game, target));
        for made in &self.made {
            let listed = list.from_base(made.entry.base_version());
            if listed.is_none_or(|listed| made.entry.identity.len < listed.identity.len) {
                list.insert(made.entry.clone());
            }
        }
        if there.as_ref().map(|there| &there.packs) == Some(&list.packs) || list.packs.is_empty() {
            return Ok(());
        }
        list.revision = there.map_or(1, |there| there.revision.saturating_add(1));
        repository.set_packs(keys, &list, platform::now())?;
        for made in &self.made {
            remove_quietly(&self.maker.dir.packs().join(note_name(&made.entry)));
        }
        Ok(())
    }

    fn report(self, seconds: f64) -> Result<Optimized> {
        let signed =
            open_repository(self.maker.dir)?.pack_list(&self.options.game, &self.target().version)?;
        let listed = |entry: &PackEntry| signed.as_ref().is_some_and(|list| list.packs.contains(entry));
        Ok(Optimized {
            game: self.options.game.to_string(),
            release: self.target().version.to_string(),
            revision: signed.as_ref().map_or(0, |list| list.revision),
            packs: self
                .made
                .into_iter()
                .map(|made| PackMade { listed: listed(&made.entry), ..made.report })
                .collect(),
            unchanged: self.unchanged,
            peak_memory_bytes: platform::peak_memory(),
            seconds,
        })
    }
}

/// The same encoder at the same level makes the same pack, and at a lower one hardly a smaller.
fn good_enough(there: &PackEntry, level: Level) -> bool {
    there.encoder == ENCODER && parse_level(&there.level).is_ok_and(|made_at| made_at >= level)
}

/// A file that says it is a pack for the release; nothing of it is believed yet.
struct Candidate {
    path: PathBuf,
    len: u64,
    base: Option<TreeId>,
    level: String,
}

/// The packs in a folder that lead to `target`, in the order of their names.
fn candidates(folder: &Path, target: TreeId) -> Result<Vec<Candidate>> {
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).at(folder)? {
        let path = entry.at(folder)?.path();
        if path.extension().is_some_and(|ending| ending == "pack") {
            paths.push(path);
        }
    }
    paths.sort();
    let mut found = Vec::new();
    for path in paths {
        let file = open_read(&path).at(&path)?;
        let len = file.metadata().at(&path)?.len();
        let read_at = |offset: u64, buf: &mut [u8]| platform::read_exact_at(&file, buf, offset);
        match PackFile::new(len, &read_at).index(&Limits::default()) {
            Ok((index, _)) if index.target == target => {
                let note = read_bounded(&path.with_extension(NOTE), MAX_NOTE_LEN).unwrap_or_default();
                let note: Option<Note> = serde_json::from_slice(&note).ok();
                let level = note.map(|note| note.level).filter(|level| parse_level(level).is_ok());
                let level = level.unwrap_or_else(|| "unknown".to_owned());
                found.push(Candidate { path, len, base: index.base, level });
            }
            Ok(_) => {}
            Err(error) => tracing::warn!(path = %path.display(), %error, "this is no pack"),
        }
    }
    Ok(found)
}

/// Ending of the name of a [`Note`].
const NOTE: &str = "json";

fn note_name(entry: &PackEntry) -> String {
    format!("{}.{NOTE}", entry.identity)
}

#[cfg(test)]
mod tests;
