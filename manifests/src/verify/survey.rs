//! Reading what is on disk.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use super::read::{Look, jobs, read};
use crate::apply::{for_each, undo};
use crate::folder::{DiskError, Guard, InstallDir, LeafSource, Listed, Meta, PRIVATE};
use crate::hash::{HashBlocks, one_by_one};
use crate::path::SafePath;
use crate::plan::{Entry, Local, LocalFile};
use crate::release::{FileIdentity, ReleaseManifest};

/// Most files looked at in a folder that is being adopted.
const MAX_ADOPTED: usize = 2_000_000;

/// How closely to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Believe the record for every file that still looks as it did (size, time, inode); hash the others.
    Quick,
    /// Hash every file.
    Full,
}

/// Why a survey ended early.
#[derive(Debug, thiserror::Error)]
pub enum SurveyError {
    /// The file system said no. A single file that cannot be read is no error: its content is unknown then.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// Stopped by [`crate::folder::Progress::cancelled`].
    #[error("stopped")]
    Cancelled,
}

impl SurveyError {
    /// Stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Disk(error) => error.code(),
            Self::Cancelled => "E-CANCELLED",
        }
    }

    /// What the player can do.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::Disk(error) => error.advice(),
            Self::Cancelled => "Run it again.",
        }
    }
}

/// Looks at every path that the release in place or `target` lists; in an adopted folder without a release also at every
/// other file that could be one of `target`'s under another name.
///
/// Files are hashed on `threads` threads (0: one a core), each with a buffer of its own of 1 MiB. Leaves are kept only
/// for files that are not what the release says, where they tell what can be reused.
///
/// # Errors
/// [`SurveyError`].
pub fn survey(
    dir: &InstallDir,
    target: &ReleaseManifest,
    depth: Depth,
    threads: usize,
    progress: &dyn crate::folder::Progress,
) -> Result<Local, SurveyError> {
    survey_with(dir, target, depth, (threads, one_by_one), progress)
}

/// As [`survey`], on so many threads and with that function over blocks.
///
/// # Errors
/// [`SurveyError`].
pub fn survey_with(
    dir: &InstallDir,
    target: &ReleaseManifest,
    depth: Depth,
    (threads, hash): (usize, HashBlocks),
    progress: &dyn crate::folder::Progress,
) -> Result<Local, SurveyError> {
    let state = dir.state();
    let mut survey = Survey {
        dir,
        depth,
        progress,
        wanted: target.files.iter().map(|file| (&file.path, file.identity)).collect(),
        contents: target.files.iter().map(|file| file.identity).collect(),
        lengths: target.files.iter().map(|file| file.identity.len).collect(),
        local: Local { listed: state.files.clone(), policies: state.policies.clone(), ..Local::default() },
        to_hash: Vec::new(),
    };
    let paths: BTreeSet<&SafePath> =
        state.files.keys().chain(target.files.iter().map(|file| &file.path)).collect();
    for path in paths {
        survey.look(path)?;
    }
    survey.forget_other_spellings();
    undo::find(dir, &survey.contents, &mut survey.local)?;
    if state.adopted && state.release.is_none() {
        survey.look_everywhere()?;
    }
    let threads =
        if threads == 0 { std::thread::available_parallelism().map_or(1, usize::from) } else { threads };
    survey.hash(threads, hash)
}

struct Survey<'a> {
    dir: &'a InstallDir,
    depth: Depth,
    progress: &'a dyn crate::folder::Progress,
    wanted: HashMap<&'a SafePath, FileIdentity>,
    contents: HashSet<FileIdentity>,
    lengths: HashSet<u64>,
    local: Local,
    /// Paths whose content is not known yet.
    to_hash: Vec<SafePath>,
}

impl Survey<'_> {
    /// Looks at `path`, and at the folders above it that were not looked at.
    fn look(&mut self, path: &SafePath) -> Result<(), SurveyError> {
        if self.progress.cancelled() {
            return Err(SurveyError::Cancelled);
        }
        let mut above = path.parent();
        while let Some(folder) = above {
            if self.local.entries.contains_key(&folder) {
                break;
            }
            above = folder.parent();
            if let Some(entry) = self.entry(&folder)? {
                self.local.entries.insert(folder, entry);
            }
        }
        // A path may have been looked at as a folder above another: a release may turn one into the other.
        if !self.local.entries.contains_key(path)
            && let Some(entry) = self.entry(path)?
        {
            self.local.entries.insert(path.clone(), entry);
        }
        Ok(())
    }

    fn entry(&mut self, path: &SafePath) -> Result<Option<Entry>, SurveyError> {
        let at = path.as_str();
        let fs = self.dir.fs();
        Ok(match fs.stat(at).map_err(DiskError::at("look at", at))? {
            None => None,
            Some(Meta::Folder) => Some(Entry::Folder),
            Some(Meta::Other) => Some(Entry::Other),
            Some(Meta::Link) => {
                Some(Entry::Link { target: fs.read_link(at).map_err(DiskError::at("read the link", at))? })
            }
            Some(Meta::File { guard, executable }) => Some(Entry::File(self.file(path, guard, executable))),
        })
    }

    fn file(&mut self, path: &SafePath, guard: Guard, executable: Option<bool>) -> LocalFile {
        let listed = match self.local.listed.get(path) {
            Some(Listed::File { id, guard: Some(known), .. }) if *known == guard => Some(*id),
            _ => None,
        };
        let mut file = LocalFile { guard, executable, identity: None, leaves: None };
        let wanted = self.wanted.get(path).copied();
        match listed {
            Some(id) if self.depth == Depth::Quick => {
                file.identity = Some(id);
                // It will be replaced: its blocks may be of use.
                if wanted.is_some_and(|wanted| wanted != id) && !self.contents.contains(&id) {
                    file.leaves = self.dir.leaves(&id);
                }
            }
            _ if guard.len == 0 => file.identity = Some(FileIdentity::EMPTY),
            // What the old release lists and the new one does not may still be base data.
            _ if wanted.is_some()
                || self.local.listed.contains_key(path)
                || self.lengths.contains(&guard.len) =>
            {
                self.to_hash.push(path.clone());
            }
            // Neither replaced nor reusable: what it holds does not matter.
            _ => {}
        }
        file
    }

    /// Where upper and lower case are not told apart, a file answers to other spellings of its name. Such a path of the
    /// new release is not there: the file belongs to the old spelling.
    fn forget_other_spellings(&mut self) {
        let mut spelled: HashMap<String, Vec<SafePath>> = HashMap::new();
        for path in self.local.entries.keys() {
            spelled.entry(path.folded()).or_default().push(path.clone());
        }
        for path in spelled.values().filter(|paths| paths.len() > 1).flatten() {
            if !self.local.listed.contains_key(path) && self.wanted.contains_key(path) && self.is_alias(path)
            {
                self.local.entries.remove(path);
                self.to_hash.retain(|other| other != path);
            }
        }
    }

    fn is_alias(&self, path: &SafePath) -> bool {
        let Some(Entry::File(file)) = self.local.entries.get(path) else { return false };
        let folded = path.folded();
        let mut others = self.local.listed.keys().filter(|other| *other != path && other.folded() == folded);
        others.any(|other| self.local.file(other).is_some_and(|found| found.guard == file.guard))
    }

    /// Every file of the folder that has the length of one of the release's.
    fn look_everywhere(&mut self) -> Result<(), SurveyError> {
        let fs = self.dir.fs();
        let mut pending: Vec<Option<SafePath>> = vec![None];
        let mut seen = 0usize;
        while let Some(folder) = pending.pop() {
            let at = folder.as_ref().map_or("", SafePath::as_str);
            let names = match fs.list(at) {
                Ok(names) => names,
                // The player's own folder; nothing that must be read.
                Err(_) if folder.is_some() => continue,
                Err(error) => return Err(DiskError::at("read the folder", at)(error).into()),
            };
            for name in names.into_iter().flatten() {
                seen += 1;
                if seen > MAX_ADOPTED {
                    return Ok(());
                }
                if self.progress.cancelled() {
                    return Err(SurveyError::Cancelled);
                }
                if folder.is_none() && name == PRIVATE {
                    continue;
                }
                let path = if at.is_empty() { name } else { format!("{at}/{name}") };
                // A name no release can have is left alone.
                let Ok(path) = SafePath::parse(&path) else { continue };
                match fs.stat(path.as_str()) {
                    Ok(Some(Meta::Folder)) => pending.push(Some(path)),
                    Ok(Some(Meta::File { guard, executable }))
                        if self.lengths.contains(&guard.len)
                            && guard.len > 0
                            && !self.local.entries.contains_key(&path) =>
                    {
                        let file = self.file(&path, guard, executable);
                        self.local.entries.insert(path, Entry::File(file));
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }

    fn hash(self, threads: usize, hash: HashBlocks) -> Result<Local, SurveyError> {
        let Survey { dir, progress, wanted, contents, mut local, to_hash, .. } = self;
        let to_hash: BTreeSet<SafePath> =
            with_useful_leaves(&local, &wanted, &contents).chain(to_hash).collect();
        let jobs = jobs(to_hash.into_iter().map(|path| {
            let len = local.file(&path).map_or(0, |file| file.guard.len);
            (path, len)
        }));
        let found = Mutex::new(Vec::new());
        // Fresh memory for each of many small files would cost a tenth of hashing them.
        let buffers = Mutex::new(Vec::new());
        let look = Look { fs: dir.fs(), hash, progress };
        for_each(threads, &jobs, |job| {
            let spare = buffers.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let mut buffer = spare.unwrap_or_default();
            let mut hashed = read(&look, job, &mut buffer)?;
            buffers.lock().unwrap_or_else(PoisonError::into_inner).push(buffer);
            for (path, hashed) in &mut hashed {
                // Leaves are worth their memory only where a file is replaced, or damaged: what is right of it may be
                // base data.
                let replaced = wanted.get(path).is_some_and(|wanted| *wanted != hashed.identity);
                let damaged = match local.listed.get(path) {
                    Some(Listed::File { id, .. }) => *id != hashed.identity,
                    _ => false,
                };
                if !(replaced || damaged) || contents.contains(&hashed.identity) {
                    hashed.leaves = Vec::new();
                }
            }
            found.lock().unwrap_or_else(PoisonError::into_inner).extend(hashed);
            Ok::<(), SurveyError>(())
        })?;
        for (path, hashed) in found.into_inner().unwrap_or_else(PoisonError::into_inner) {
            if let Some(Entry::File(file)) = local.entries.get_mut(&path) {
                file.identity = Some(hashed.identity);
                file.leaves = (!hashed.leaves.is_empty()).then(|| Arc::from(hashed.leaves));
            }
        }
        Ok(local)
    }
}

/// Files known by the record that will be replaced by one of more than a block, and whose leaves nobody kept.
fn with_useful_leaves<'l>(
    local: &'l Local,
    wanted: &'l HashMap<&SafePath, FileIdentity>,
    contents: &'l HashSet<FileIdentity>,
) -> impl Iterator<Item = SafePath> + 'l {
    let known = local.entries.iter().filter_map(|(path, entry)| match entry {
        Entry::File(file) if file.leaves.is_none() => Some((path, file.identity?)),
        _ => None,
    });
    let replaced = known.filter(|(path, identity)| {
        let wanted = wanted.get(path).filter(|wanted| *wanted != identity && !contents.contains(identity));
        wanted.is_some_and(|wanted| wanted.len.min(identity.len) > crate::hash::BLOCK_LEN)
    });
    replaced.map(|(path, _)| path.clone())
}
