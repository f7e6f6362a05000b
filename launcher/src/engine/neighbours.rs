//! Files of other installs on this machine that are also the release's: copied instead of fetched.
//!
//! An install is known by its own record; it is only read, without its lock, and nothing of it is believed: what is
//! copied is hashed on the way.

use std::collections::HashMap;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use manifests::apply::{Applier, Location};
use manifests::folder::{Access, CapFs, DiskError, FolderError, Fs, InstallDir, Listed, Progress};
use manifests::hash::TreeHasher;
use manifests::path::SafePath;
use manifests::release::{FileIdentity, ManifestFile};

use crate::error::LaunchError;

/// Bytes copied at once.
const CHUNK: usize = 1 << 20;

/// Byte ranges to fetch, by number in the manifest.
type Missing = Vec<(usize, Vec<Range<u64>>)>;

/// Where files lie in other installs.
pub(crate) struct Neighbours {
    folders: Vec<Arc<CapFs>>,
    files: HashMap<FileIdentity, (usize, SafePath)>,
}

impl Neighbours {
    /// Reads the records of these installs.
    ///
    /// # Errors
    /// One of them is no install.
    pub(crate) fn look(paths: &[PathBuf]) -> Result<Self, LaunchError> {
        let mut found = Self { folders: Vec::new(), files: HashMap::new() };
        for path in paths {
            let fs = Arc::new(open(path)?);
            let state = InstallDir::over(path, fs.clone(), None)?.state();
            for (file, listed) in &state.files {
                if let Listed::File { id, .. } = listed {
                    found.files.entry(*id).or_insert_with(|| (found.folders.len(), file.clone()));
                }
            }
            found.folders.push(fs);
        }
        Ok(found)
    }

    /// What stays missing once their files are copied.
    pub(crate) fn without<'a>(
        &self,
        files: &[ManifestFile],
        missing: impl Iterator<Item = (usize, Vec<Range<u64>>)> + 'a,
    ) -> Missing {
        missing.filter(|(index, ranges)| !self.has_all(files, *index, ranges)).collect()
    }

    fn has_all(&self, files: &[ManifestFile], index: usize, ranges: &[Range<u64>]) -> bool {
        let Some(identity) = files.get(index).map(|file| file.identity) else { return false };
        // Parts are left alone: whoever has parts has a cheaper way to the rest.
        ranges.iter().map(|range| range.end - range.start).sum::<u64>() == identity.len
            && self.files.contains_key(&identity)
    }

    /// Copies whole files that are missing. One that cannot be read, or is another by now, stays missing.
    ///
    /// # Errors
    /// The install's own disk.
    pub(crate) fn copy(&self, applier: &Applier, progress: &dyn Progress) -> Result<(), LaunchError> {
        let files = &applier.target().manifest.files;
        for (index, ranges) in applier.missing() {
            if progress.cancelled() {
                return Err(LaunchError::Paused);
            }
            if !self.has_all(files, index, &ranges) {
                continue;
            }
            let Some(identity) = files.get(index).map(|file| file.identity) else { continue };
            let Location::Staged { path } = applier.location(index) else { continue };
            if self.copy_file(&identity, (applier.dir().fs(), &path), progress)? {
                applier.verified(index, 0..identity.len);
            }
        }
        Ok(())
    }

    fn copy_file(
        &self,
        identity: &FileIdentity,
        (fs, path): (&dyn Fs, &str),
        progress: &dyn Progress,
    ) -> Result<bool, LaunchError> {
        let Some((folder, from)) = self.files.get(identity) else { return Ok(false) };
        let from = self.folders.get(*folder).map(|folder| folder.open(from.as_str(), Access::Read));
        let Some(Ok(from)) = from else { return Ok(false) };
        let to = fs.open(path, Access::Write).map_err(DiskError::at("open", path))?;
        let mut hasher = TreeHasher::default();
        let mut buf = vec![0; CHUNK];
        let mut at = 0;
        while at < identity.len {
            let want = usize::try_from(identity.len - at).unwrap_or(CHUNK).min(CHUNK);
            let Some(part) = buf.get_mut(..want) else { break };
            let count = match from.read_at(at, part) {
                Ok(0) => return Ok(false),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => return Ok(false),
            };
            let part = part.get(..count).unwrap_or_default();
            hasher.update(part);
            to.write_at(at, part).map_err(DiskError::at("write", path))?;
            at += count as u64;
            progress.advance(count as u64);
        }
        Ok(hasher.finish().identity == *identity)
    }
}

fn open(path: &Path) -> Result<CapFs, LaunchError> {
    let at = path.display().to_string();
    Ok(CapFs::open(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => FolderError::Missing(at.clone()),
        io::ErrorKind::NotADirectory => FolderError::NotAFolder(at.clone()),
        _ => DiskError::at("open the folder", &at)(error).into(),
    })?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_is_no_install_is_named() {
        let temp = tempfile::tempdir().unwrap();
        let code = |path: &Path| Neighbours::look(&[path.to_owned()]).err().map(|error| error.code());
        assert_eq!(code(temp.path()), Some("E-FOLDER-NOT-INSTALLED"));
        assert_eq!(code(&temp.path().join("none")), Some("E-FOLDER-MISSING"));
        assert!(Neighbours::look(&[]).is_ok());
    }
}
