//! What is on disk, as far as a plan needs to know it. Collected by [`crate::verify::survey`].

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::Source;
use crate::folder::{Guard, LeafSource, Listed};
use crate::hash::Hash;
use crate::path::SafePath;
use crate::release::{FileIdentity, FileKind, Policy, ReleaseManifest};

/// A regular file on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalFile {
    /// What it looked like.
    pub guard: Guard,
    /// `None` where the platform has no such bit.
    pub executable: Option<bool>,
    /// Its content, when known: hashed, or believed because the guard matches the record.
    pub identity: Option<FileIdentity>,
    /// Its leaves, where they can be of use and are known.
    pub leaves: Option<Arc<[Hash]>>,
}

/// What lies at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A regular file.
    File(LocalFile),
    /// A symbolic link; `None` for a text that is not Unicode.
    Link {
        /// Its text.
        target: Option<String>,
    },
    /// A folder.
    Folder,
    /// Anything else.
    Other,
}

/// The install as it is. Paths of neither release may be missing here; they are not touched.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Local {
    /// What lies at each path that the old or new release lists, and at the folders above; also files found by an
    /// adopting scan.
    pub entries: BTreeMap<SafePath, Entry>,
    /// What the release in place lists.
    pub listed: BTreeMap<SafePath, Listed>,
    /// Whole files among the undo data, below `.samara/`: nobody needs them where they lie.
    pub undo: BTreeMap<SafePath, LocalFile>,
    /// Where updates that can be undone kept the player's version of a file.
    pub mine: BTreeMap<SafePath, SafePath>,
    /// Its options for files the player changes, where there are any.
    pub policies: BTreeMap<SafePath, Policy>,
    /// Blocks of files of the target that were found in files of the install, at any offset; their leaves are
    /// checked again when they are copied.
    pub pieces: BTreeMap<FileIdentity, Arc<[Source]>>,
}

impl Local {
    /// What a survey finds of an install of `release` that nobody touched, on its way to `target`. `leaves` answers for
    /// files of `release`.
    pub fn undisturbed(release: &ReleaseManifest, target: &ReleaseManifest, leaves: &dyn LeafSource) -> Self {
        let mut local = Self::default();
        let contents: HashSet<FileIdentity> = target.files.iter().map(|file| file.identity).collect();
        let wanted: HashMap<&SafePath, FileIdentity> =
            target.files.iter().map(|file| (&file.path, file.identity)).collect();
        for (at, file) in (1..).zip(&release.files) {
            let id = file.identity;
            let (entry, listed) = match &file.kind {
                FileKind::Symlink { target } => {
                    let target = target.as_str().to_owned();
                    (Entry::Link { target: Some(target.clone()) }, Listed::Link { target })
                }
                FileKind::File => {
                    let guard = Guard { len: id.len, mtime_ns: 0, inode: at };
                    let replaced = wanted.get(&file.path).is_some_and(|wanted| *wanted != id);
                    let leaves = (replaced && !contents.contains(&id)).then(|| leaves.leaves(&id)).flatten();
                    let executable = Some(file.executable);
                    let found = LocalFile { guard, executable, identity: Some(id), leaves };
                    (Entry::File(found), Listed::File { id, executable: file.executable, guard: Some(guard) })
                }
            };
            local.entries.insert(file.path.clone(), entry);
            local.listed.insert(file.path.clone(), listed);
            let mut above = file.path.parent();
            while let Some(folder) = above {
                above = folder.parent();
                local.entries.insert(folder, Entry::Folder);
            }
        }
        local
    }

    /// The regular file at `path`.
    pub fn file(&self, path: &SafePath) -> Option<&LocalFile> {
        match self.entries.get(path) {
            Some(Entry::File(file)) => Some(file),
            Some(_) => None,
            None => self.undo.get(path),
        }
    }

    /// Whether what lies at `path` is exactly what the release in place put there: then it is ours to replace.
    pub fn is_ours(&self, path: &SafePath) -> bool {
        match (self.entries.get(path), self.listed.get(path)) {
            (Some(Entry::File(file)), Some(Listed::File { id, .. })) => file.identity.as_ref() == Some(id),
            (Some(Entry::Link { target: Some(found) }), Some(Listed::Link { target })) => found == target,
            _ => false,
        }
    }
}
