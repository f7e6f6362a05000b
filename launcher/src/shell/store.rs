//! Where the launcher's own records lie, and how they get there whole: written beside, synced, renamed.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use manifests::folder::DiskError;
use manifests::release::FileIdentity;

use sha2::{Digest as _, Sha256};

use crate::error::LaunchError;
use crate::shell::library::PinnedRoot;
use crate::shell::record::{MAX_BYTES, RecordError};

/// The name of the library's record.
pub const LIBRARY: &str = "library.json";
/// The name of the settings' record.
pub const SETTINGS: &str = "settings.json";
/// The name of the queue's record.
pub const QUEUE: &str = "queue.json";

/// Trust roots are below this.
const ROOTS: &str = "roots";
/// A trust root is not longer than this, in bytes.
const ROOT_BYTES_MAX: u64 = 1 << 20;

/// A folder of records.
#[derive(Debug, Clone)]
pub struct Store {
    folder: PathBuf,
}

/// Why a record is not there.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The disk.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// Its content.
    #[error(transparent)]
    Record(#[from] RecordError),
}

impl StoreError {
    /// Stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Disk(error) => error.code(),
            Self::Record(error) => error.code(),
        }
    }
}

impl Store {
    /// Records in `folder`, which is made when it is not there.
    ///
    /// # Errors
    /// [`DiskError`].
    pub fn open(folder: impl Into<PathBuf>) -> Result<Self, DiskError> {
        let folder = folder.into();
        let at = folder.display().to_string();
        fs::create_dir_all(&folder).map_err(DiskError::at("make the folder", &at))?;
        Ok(Self { folder })
    }

    /// Where the records of this user lie, as the system has it; none where it does not say.
    #[must_use]
    pub fn usual_folder(var: impl Fn(&str) -> Option<std::ffi::OsString>) -> Option<PathBuf> {
        let var = |name: &str| var(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let base = if cfg!(windows) {
            var("LOCALAPPDATA")?
        } else if cfg!(target_os = "macos") {
            var("HOME")?.join("Library/Application Support")
        } else {
            // One that is not absolute is to be taken no notice of, says the XDG base directory specification.
            var("XDG_DATA_HOME")
                .filter(|path| path.is_absolute())
                .or_else(|| Some(var("HOME")?.join(".local/share")))?
        };
        Some(base.join("samara"))
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Reads a record with `decode`; none when there is none. One that cannot be read is put aside, so that the next
    /// [`Store::put`] does not destroy it; one of a newer launcher stays where it is.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn get<T>(
        &self,
        name: &str,
        decode: impl FnOnce(&[u8]) -> Result<T, RecordError>,
    ) -> Result<Option<T>, StoreError> {
        let path = self.folder.join(name);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(DiskError::at("open", name)(error).into()),
        };
        let mut bytes = Vec::new();
        let bound = u64::try_from(MAX_BYTES).unwrap_or(u64::MAX).saturating_add(1);
        file.take(bound).read_to_end(&mut bytes).map_err(DiskError::at("read", name))?;
        match decode(&bytes) {
            Ok(record) => Ok(Some(record)),
            Err(error) => {
                if matches!(error, RecordError::Damaged(_)) {
                    let aside = self.folder.join(format!("{name}.damaged"));
                    fs::rename(&path, aside).map_err(DiskError::at("put aside", name))?;
                }
                Err(error.into())
            }
        }
    }

    /// Reads a trust root that a player was given and keeps a copy of it, so that it is still there when his downloads
    /// folder is not. Whether it is a root is found by who uses it.
    ///
    /// # Errors
    /// [`LaunchError::TrustRoot`]: it cannot be read, is too long, or is not JSON; [`DiskError`].
    pub fn pin(&self, file: &Path) -> Result<PinnedRoot, LaunchError> {
        let wrong = |cause: String| LaunchError::TrustRoot { file: file.to_owned(), cause };
        let opened = File::open(file).map_err(|error| wrong(error.to_string()))?;
        let mut bytes = Vec::new();
        opened.take(ROOT_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(|error| wrong(error.to_string()))?;
        if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > ROOT_BYTES_MAX {
            return Err(wrong("it is too long".to_owned()));
        }
        self.keep(&bytes, file)
    }

    /// The same of bytes that came from `from`.
    ///
    /// # Errors
    /// [`LaunchError::TrustRoot`]: they are not JSON; [`DiskError`].
    pub fn keep(&self, bytes: &[u8], from: &Path) -> Result<PinnedRoot, LaunchError> {
        let wrong = |cause: String| LaunchError::TrustRoot { file: from.to_owned(), cause };
        serde_json::from_slice::<serde::de::IgnoredAny>(bytes).map_err(|error| wrong(error.to_string()))?;
        let sha256 = hex::encode(Sha256::digest(bytes));
        let roots = self.folder.join(ROOTS);
        fs::create_dir_all(&roots).map_err(DiskError::at("make the folder", ROOTS))?;
        let name = format!("{ROOTS}/{sha256}.json");
        self.put(&name, bytes)?;
        Ok(PinnedRoot { file: self.folder.join(name), sha256 })
    }

    /// Removes pictures that no game has any more. What cannot be removed is merely in the way; what has no name that we
    /// give, or is somewhere else, is not ours.
    pub fn sweep_pictures(folder: &Path, of_games: &HashSet<PathBuf>) {
        if !folder.symlink_metadata().is_ok_and(|meta| meta.is_dir()) {
            return;
        }
        let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
        for path in entries.filter(|path| is_picture(path) && !of_games.contains(path)) {
            if let Err(error) = fs::remove_file(&path) {
                tracing::warn!(%error, path = %path.display(), "a picture that no game has stays");
            }
        }
    }

    /// Writes a record: after a crash it is the old or the new one.
    ///
    /// # Errors
    /// [`DiskError`].
    pub fn put(&self, name: &str, bytes: &[u8]) -> Result<(), DiskError> {
        let (path, beside) = (self.folder.join(name), self.folder.join(format!("{name}.tmp")));
        let mut file = File::create(&beside).map_err(DiskError::at("create", name))?;
        file.write_all(bytes).map_err(DiskError::at("write", name))?;
        file.sync_all().map_err(DiskError::at("sync", name))?;
        drop(file);
        fs::rename(&beside, &path).map_err(DiskError::at("replace", name))?;
        sync_folder(path.parent().unwrap_or(&self.folder)).map_err(DiskError::at("sync the folder of", name))
    }
}

/// Whether this is the name of a picture, or of one on its way.
fn is_picture(path: &Path) -> bool {
    let ends = path.extension().is_some_and(|end| end == "png" || end == "tmp");
    let name = path.file_stem().and_then(|name| name.to_str());
    ends && name.is_some_and(|name| name.parse::<FileIdentity>().is_ok())
}

/// The new name is durable once its folder is.
#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// A rename is journalled there, and a folder cannot be synced.
#[cfg(not(unix))]
fn sync_folder(_folder: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::library::Library;
    use crate::shell::library::tests::game;

    #[test]
    fn what_was_put_is_there() {
        let temp = tempfile::tempdir().unwrap();
        let store = Store::open(temp.path().join("a/b")).unwrap();
        assert!(store.get(LIBRARY, Library::decode).unwrap().is_none());
        let mut library = Library::default();
        for name in ["one", "two"] {
            library.add(game(name, name)).unwrap();
            store.put(LIBRARY, &library.encode().unwrap()).unwrap();
            assert_eq!(store.get(LIBRARY, Library::decode).unwrap(), Some(library.clone()));
        }
        let names: Vec<_> =
            fs::read_dir(store.folder()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, [LIBRARY]);
    }

    #[test]
    fn a_half_written_file_beside_does_no_harm() {
        let temp = tempfile::tempdir().unwrap();
        let store = Store::open(temp.path()).unwrap();
        let library = Library::default();
        store.put(LIBRARY, &library.encode().unwrap()).unwrap();
        fs::write(temp.path().join("library.json.tmp"), b"{\"vers").unwrap();
        assert_eq!(store.get(LIBRARY, Library::decode).unwrap(), Some(library.clone()));
        store.put(LIBRARY, &library.encode().unwrap()).unwrap();
    }

    #[test]
    fn what_cannot_be_read_is_kept_aside() {
        let temp = tempfile::tempdir().unwrap();
        let store = Store::open(temp.path()).unwrap();
        fs::write(temp.path().join(LIBRARY), b"{").unwrap();
        assert_eq!(store.get(LIBRARY, Library::decode).unwrap_err().code(), "E-LIBRARY-DAMAGED");
        assert!(store.get(LIBRARY, Library::decode).unwrap().is_none());
        assert_eq!(fs::read(temp.path().join("library.json.damaged")).unwrap(), b"{");
        fs::write(temp.path().join(SETTINGS), br#"{"version":9}"#).unwrap();
        let read = || store.get(SETTINGS, crate::shell::Settings::decode);
        assert_eq!(read().unwrap_err().code(), "E-LIBRARY-NEWER");
        assert_eq!(read().unwrap_err().code(), "E-LIBRARY-NEWER", "it stays where it is");
    }

    #[test]
    fn pictures_that_no_game_has_go() {
        let temp = tempfile::tempdir().unwrap();
        let folder = temp.path().join("art");
        Store::sweep_pictures(&folder, &HashSet::new());
        fs::create_dir(&folder).unwrap();
        let name = |digit: &str, end: &str| format!("{}-5.{end}", digit.repeat(64));
        let ours = [name("a", "png"), name("b", "png"), name("c", "tmp")];
        for name in ours.iter().map(String::as_str).chain(["holiday.png", "b.tmp", "notes.txt"]) {
            fs::write(folder.join(name), name).unwrap();
        }
        let shown = HashSet::from([folder.join(&ours[1]), folder.join("gone.png")]);
        let left = || {
            let files = fs::read_dir(&folder).unwrap();
            let mut left: Vec<_> =
                files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
            left.sort();
            left
        };
        // Another folder of the player's that he has put in its place is his.
        #[cfg(unix)]
        {
            let link = temp.path().join("link");
            std::os::unix::fs::symlink(&folder, &link).unwrap();
            Store::sweep_pictures(&link, &HashSet::new());
            assert_eq!(left().len(), 6);
        }
        Store::sweep_pictures(&folder, &shown);
        assert_eq!(left(), ["b.tmp", &ours[1], "holiday.png", "notes.txt"], "what is not ours stays");
    }

    #[test]
    fn a_trust_root_is_kept_under_its_fingerprint() {
        let temp = tempfile::tempdir().unwrap();
        let store = Store::open(temp.path().join("s")).unwrap();
        let given = temp.path().join("root.json");
        fs::write(&given, b"{}").unwrap();
        let pinned = store.pin(&given).unwrap();
        assert_eq!(pinned.sha256, "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a");
        fs::remove_file(&given).unwrap();
        assert_eq!(fs::read(&pinned.file).unwrap(), b"{}");
        assert_eq!(store.pin(&given).unwrap_err().code(), "E-TRUST-ROOT");
        fs::write(&given, b"<html>").unwrap();
        assert_eq!(store.pin(&given).unwrap_err().code(), "E-TRUST-ROOT");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_folder_is_where_the_system_has_it() {
        let folder = |data: &'static str, home: &'static str| {
            Store::usual_folder(move |name| match name {
                "XDG_DATA_HOME" => Some(data.into()),
                "HOME" => Some(home.into()),
                _ => None,
            })
        };
        assert_eq!(folder("/d", "/h"), Some("/d/samara".into()));
        assert_eq!(folder("d", "/h"), Some("/h/.local/share/samara".into()));
        assert_eq!(folder("", ""), None);
    }
}
