//! Small files of the public folder, held in memory while they are asked for: a release morning asks for the same few
//! over and over.

use crate::platform::{self, Stamp};
use crate::store::read_bounded;
use axum::body::Bytes;
use manifests::path::SafePath;
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The largest file served like this, in bytes.
const MAX_FILE_LEN: u64 = 256 * 1024 * 1024;
/// What is held in all, in bytes.
const MAX_HELD_LEN: usize = 256 * 1024 * 1024;
const MAX_HELD_FILES: usize = 4096;

/// A file's content and its strong entity tag.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    pub(crate) bytes: Bytes,
    pub(crate) etag: String,
}

/// The public folder.
#[derive(Debug)]
pub(crate) struct Statics {
    public: PathBuf,
    held: Mutex<HashMap<PathBuf, (Stamp, Held)>>,
}

impl Statics {
    pub(crate) fn new(public: PathBuf) -> Statics {
        Statics { public, held: Mutex::default() }
    }

    /// The file at a path from outside, below the public folder; `NotFound` for any that is no plain file's. Blocks.
    pub(crate) fn read(&self, path: &str) -> io::Result<Held> {
        let path = SafePath::parse(path).map_err(|_| io::ErrorKind::NotFound)?;
        // What is being written has a name with a dot in front.
        if path.parts().any(|part| part.starts_with('.')) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let path = self.public.join(path.to_native());
        let meta = std::fs::metadata(&path)?;
        if !meta.is_file() {
            return Err(io::ErrorKind::NotFound.into());
        }
        let stamp = platform::stamp(&meta);
        if let Some((known, held)) = self.lock().get(&path)
            && *known == stamp
        {
            return Ok(held.clone());
        }
        let held = load(&path)?;
        self.keep(path, stamp, &held);
        Ok(held)
    }

    fn keep(&self, path: PathBuf, stamp: Stamp, new: &Held) {
        let mut held = self.lock();
        let total: usize = held.values().map(|(_, held)| held.bytes.len()).sum();
        if held.len() >= MAX_HELD_FILES || total + new.bytes.len() > MAX_HELD_LEN {
            held.clear();
        }
        if new.bytes.len() <= MAX_HELD_LEN / 4 {
            held.insert(path, (stamp, new.clone()));
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<PathBuf, (Stamp, Held)>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn load(path: &Path) -> io::Result<Held> {
    let bytes = Bytes::from(read_bounded(path, MAX_FILE_LEN)?);
    let etag = format!("\"{}\"", hex::encode(Sha256::digest(&bytes)));
    Ok(Held { bytes, etag })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_read_again_when_they_change_and_never_from_outside() {
        let tmp = tempfile::tempdir().unwrap();
        let public = tmp.path().join("public");
        std::fs::create_dir_all(public.join("metadata")).unwrap();
        std::fs::write(tmp.path().join("secret"), "x").unwrap();
        let statics = Statics::new(public.clone());
        let file = public.join("metadata/timestamp.json");
        std::fs::write(&file, "one").unwrap();
        let first = statics.read("metadata/timestamp.json").unwrap();
        assert_eq!(&first.bytes[..], b"one");
        assert_eq!(statics.read("metadata/timestamp.json").unwrap().etag, first.etag);
        std::fs::write(&file, "two, longer").unwrap();
        assert_eq!(&statics.read("metadata/timestamp.json").unwrap().bytes[..], b"two, longer");
        std::fs::write(public.join("metadata/.writing-x"), "x").unwrap();
        for bad in
            ["../secret", "metadata", "metadata/", "/etc/passwd", "metadata/.writing-x", "", "a\0b", "none"]
        {
            assert!(statics.read(bad).is_err(), "{bad:?}");
        }
    }
}
