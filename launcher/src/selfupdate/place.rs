//! Where a launcher's own updates lie, and who this program is among them.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use manifests::folder::DiskError;
use manifests::path::SafePath;
use sha2::{Digest as _, Sha256};

use crate::brand::{Brand, UpdateSource};
use crate::platform::{PACKAGED, PACKAGED_VERSION, RELEASE, WATCHED};
use crate::selfupdate::pointer::{Build, Pointer, Slot};
use crate::shell::Store;
use crate::shell::store::StoreError;

/// The folder of updates, below this user's records.
const FOLDER: &str = "self";
const POINTER: &str = "pointer.json";
const LOCK: &str = "pointer.lock";
const UPDATE_LOCK: &str = "update.lock";
/// Reading and writing the record takes milliseconds: who waits longer for another has met a stopped one.
const PATIENCE: Duration = Duration::from_secs(5);
const TRY_EVERY: Duration = Duration::from_millis(20);

/// The version of this program itself.
pub const OWN_VERSION: &str = env!("CARGO_PKG_VERSION");

/// The folder of one package's updates.
#[derive(Debug, Clone)]
pub struct Place {
    folder: PathBuf,
}

impl Place {
    /// Of the launcher that is updated from `source`, below the folder `data` of a user's records. Another root, or another
    /// id, has another place: what one package's root vouched for is nothing to another.
    #[must_use]
    pub fn of(data: &Path, source: &UpdateSource) -> Self {
        let mut name = Sha256::new();
        name.update(source.root.sha256.as_bytes());
        name.update(source.game.as_bytes());
        let name = hex::encode(name.finalize());
        Self { folder: data.join(FOLDER).join(name.get(..16).unwrap_or(&name)) }
    }

    /// The folder that a slot's version is installed into.
    #[must_use]
    pub fn slot(&self, slot: Slot) -> PathBuf {
        self.folder.join(slot.name())
    }

    /// Where what the root has vouched for is remembered.
    #[must_use]
    pub fn memory(&self) -> PathBuf {
        self.folder.join("trust")
    }

    /// The program of a build; none when that is not there.
    #[must_use]
    pub fn program(&self, build: &Build) -> Option<PathBuf> {
        let program = SafePath::parse(&build.program).ok()?;
        let path = self.slot(build.slot).join(program.to_native());
        fs::metadata(&path).is_ok_and(|about| about.is_file() && about.len() > 0).then_some(path)
    }

    /// The record; none that can be used means that the packaged launcher starts.
    #[must_use]
    pub fn pointer(&self) -> Pointer {
        // A launcher that was never updated leaves nothing behind.
        if !self.folder.is_dir() {
            return Pointer::default();
        }
        self.read().unwrap_or_default()
    }

    fn read(&self) -> Result<Pointer, StoreError> {
        let read = Store::open(&self.folder)?.get(POINTER, Pointer::decode);
        read.map(Option::unwrap_or_default).inspect_err(|error| {
            tracing::warn!(%error, "the record of the launcher's updates is not used");
        })
    }

    /// Changes the record, while no other launcher does; what it is then. Nothing is written when nothing changes.
    ///
    /// # Errors
    /// [`DiskError`]: the record is as it was.
    pub fn change(&self, change: impl FnOnce(&Pointer) -> Pointer) -> Result<Pointer, StoreError> {
        let store = Store::open(&self.folder)?;
        let _lock = self.lock()?;
        let old = self.pointer();
        let new = change(&old);
        if new != old {
            store.put(POINTER, &new.encode()?)?;
        }
        Ok(new)
    }

    fn lock(&self) -> Result<File, DiskError> {
        let lock = self.open(LOCK)?;
        let end = Instant::now() + PATIENCE;
        loop {
            match lock.try_lock() {
                Ok(()) => return Ok(lock),
                Err(TryLockError::WouldBlock) if Instant::now() < end => std::thread::sleep(TRY_EVERY),
                Err(TryLockError::WouldBlock) => {
                    return Err(DiskError::at("lock", LOCK)(io::ErrorKind::WouldBlock.into()));
                }
                Err(TryLockError::Error(error)) => return Err(DiskError::at("lock", LOCK)(error)),
            }
        }
    }

    /// The right to be the one that updates the launcher; none while another has it.
    ///
    /// # Errors
    /// [`DiskError`].
    pub fn only_updater(&self) -> Result<Option<File>, DiskError> {
        let _ = Store::open(&self.folder)?;
        let lock = self.open(UPDATE_LOCK)?;
        match lock.try_lock() {
            Ok(()) => Ok(Some(lock)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(DiskError::at("lock", UPDATE_LOCK)(error)),
        }
    }

    fn open(&self, name: &str) -> Result<File, DiskError> {
        let mut options = File::options();
        options.create(true).truncate(false).write(true);
        options.open(self.folder.join(name)).map_err(DiskError::at("open", name))
    }
}

/// Who this program is.
#[derive(Debug, Clone)]
pub struct Me {
    /// The program that came in the package: this one, or the one that started it.
    pub packaged: PathBuf,
    /// The package's version.
    pub own: String,
    /// The version that runs.
    pub release: String,
    /// The slot it runs from; none for the packaged one.
    pub slot: Option<Slot>,
    /// Somebody waits for it to come up.
    pub watched: bool,
    /// Where updates come from; none when the package does not say.
    pub source: Option<UpdateSource>,
    /// Where they go.
    pub place: Option<Place>,
}

impl Me {
    /// Found once: it does not change while the program runs.
    #[must_use]
    pub fn get() -> &'static Self {
        static ME: OnceLock<Me> = OnceLock::new();
        ME.get_or_init(|| {
            let data = Store::usual_folder(|name| std::env::var_os(name));
            let exe = std::env::current_exe().unwrap_or_default();
            let var = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
            Self::find(&exe, data.as_deref(), &var)
        })
    }

    fn find(exe: &Path, data: Option<&Path>, var: &dyn Fn(&str) -> Option<std::ffi::OsString>) -> Self {
        let text = |name| var(name).and_then(|value| value.into_string().ok());
        let started_by = var(PACKAGED).map(PathBuf::from);
        let packaged = started_by.clone().unwrap_or_else(|| exe.to_owned());
        let source = Brand::load(&packaged).ok().and_then(|brand| brand.update);
        let place = data.zip(source.as_ref()).map(|(data, source)| Place::of(data, source));
        let lies_in = |folder: &Path| {
            let real = folder.canonicalize().ok().zip(exe.canonicalize().ok());
            real.is_some_and(|(folder, exe)| exe.starts_with(folder))
        };
        let slot_of = |place: &Place| Slot::ALL.into_iter().find(|slot| lies_in(&place.slot(*slot)));
        let slot = place.as_ref().and_then(slot_of);
        if started_by.is_some() && slot.is_none() {
            // Handed down by some program between: this one was started by itself.
            return Self::find(exe, data, &|_| None);
        }
        // One that was started by hand from where updates lie is nobody's package.
        let is_stray = slot.is_none() && data.is_some_and(|data| lies_in(&data.join(FOLDER)));
        let of_slot = |name| text(name).filter(|_| slot.is_some());
        Self {
            packaged,
            own: of_slot(PACKAGED_VERSION).unwrap_or_else(|| OWN_VERSION.to_owned()),
            release: of_slot(RELEASE).unwrap_or_else(|| OWN_VERSION.to_owned()),
            slot,
            watched: slot.is_some() && var(WATCHED).is_some(),
            source: source.filter(|_| !is_stray),
            place: place.filter(|_| !is_stray),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::selfupdate::policy;

    /// A package in `folder` that is updated under the root `root`.
    fn package(folder: &Path, root: &str) -> PathBuf {
        fs::create_dir_all(folder).unwrap();
        fs::write(folder.join("root.json"), root).unwrap();
        let brand = "[update]\nurl = \"http://127.0.0.1:1/\"\nroot = \"root.json\"\n";
        fs::write(folder.join("brand.toml"), brand).unwrap();
        let exe = folder.join("launcher");
        fs::write(&exe, "x").unwrap();
        exe
    }

    #[test]
    fn each_root_has_a_place_of_its_own() {
        let temp = tempfile::tempdir().unwrap();
        let source = |name: &str, root: &str| {
            Brand::load(&package(&temp.path().join(name), root)).unwrap().update.unwrap()
        };
        let (one, other) = (source("one", "{}"), source("other", "{\"a\":1}"));
        let again = UpdateSource { url: "http://mirror/".parse().unwrap(), ..one.clone() };
        let named = UpdateSource { game: "else".into(), ..one.clone() };
        let at = |source: &UpdateSource| Place::of(temp.path(), source).folder;
        assert_eq!(at(&one), at(&again), "the root counts, not the address");
        assert_ne!(at(&one), at(&other));
        assert_ne!(at(&one), at(&named));
    }

    #[test]
    fn a_record_that_cannot_be_used_starts_the_package() {
        let temp = tempfile::tempdir().unwrap();
        let place = Place { folder: temp.path().join("self/x") };
        assert_eq!(place.pointer(), Pointer::default());
        assert!(!temp.path().join("self").exists(), "nothing is left behind");
        let build = Build { slot: Slot::A, release: "2".into(), program: "launcher".into() };
        let switched = place.change(|pointer| policy::switched(pointer, build.clone())).unwrap();
        assert_eq!(place.pointer(), switched);
        assert_eq!(place.program(&build), None);
        fs::create_dir_all(place.slot(Slot::A)).unwrap();
        fs::write(place.slot(Slot::A).join("launcher"), "x").unwrap();
        assert!(place.program(&build).is_some());
        let record = place.folder.join(POINTER);
        for bytes in [&b""[..], b"{", b"{\"version\":1}", b"{\"version\":7}", &[0xff; 4000]] {
            fs::write(&record, bytes).unwrap();
            assert_eq!(place.pointer(), Pointer::default());
        }
        assert_eq!(place.change(|_| switched.clone()).unwrap(), switched);
        assert_eq!(place.pointer(), switched);
    }

    #[test]
    fn one_updates_at_a_time() {
        let temp = tempfile::tempdir().unwrap();
        let place = Place { folder: temp.path().join("self/x") };
        let first = place.only_updater().unwrap();
        assert!(first.is_some() && place.only_updater().unwrap().is_none());
        drop(first);
        assert!(place.only_updater().unwrap().is_some());
    }

    #[test]
    fn a_program_knows_who_it_is() {
        let temp = tempfile::tempdir().unwrap();
        let (data, exe) = (temp.path().join("data"), package(&temp.path().join("package"), "{}"));
        let source = Brand::load(&exe).unwrap().update.unwrap();
        let place = Place::of(&data, &source);
        let slot_exe = place.slot(Slot::B).join("launcher");
        let stray = data.join("self/other/a/launcher");
        for path in [&slot_exe, &stray] {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x").unwrap();
        }
        let told = |name: &str| match name {
            PACKAGED => Some(exe.clone().into_os_string()),
            PACKAGED_VERSION => Some("1.5".into()),
            RELEASE => Some("2.0".into()),
            _ => None,
        };
        let me = Me::find(&exe, Some(&data), &|_| None);
        assert_eq!((me.slot, me.packaged, me.own.as_str()), (None, exe.clone(), OWN_VERSION));
        assert!(me.place.is_some());
        let me = Me::find(&slot_exe, Some(&data), &told);
        assert_eq!((me.slot, me.own.as_str(), me.release.as_str()), (Some(Slot::B), "1.5", "2.0"));
        assert_eq!(me.packaged, exe);
        // The variables reach a package through a game that opens a link, say.
        let me = Me::find(&exe, Some(&data), &told);
        assert_eq!((me.slot, me.own.as_str()), (None, OWN_VERSION));
        // One that is no slot of the package that started it has nothing to update.
        let me = Me::find(&stray, Some(&data), &told);
        assert_eq!((me.slot, me.place.is_none(), me.source.is_none()), (None, true, true));
    }
}
