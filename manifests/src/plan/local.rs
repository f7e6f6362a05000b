//! What is on disk, as far as a plan needs to know it. Collected by [`crate::verify::survey`].

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Source;
use crate::folder::{Guard, Listed};
use crate::hash::Hash;
use crate::path::SafePath;
use crate::release::FileIdentity;

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
    /// Blocks of files of the target that were found in files of the install, at any offset; their leaves are
    /// checked again when they are copied.
    pub pieces: BTreeMap<FileIdentity, Arc<[Source]>>,
}

impl Local {
    /// The regular file at `path`.
    pub fn file(&self, path: &SafePath) -> Option<&LocalFile> {
        match self.entries.get(path) {
            Some(Entry::File(file)) => Some(file),
            _ => None,
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
