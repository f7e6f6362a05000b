//! What Windows is told of an installed launcher, and what it forgets.

use std::path::{Path, PathBuf};
use std::{env, fs};

use windows_registry::{CURRENT_USER, Key};

use crate::engine::Failure;
use crate::error::LaunchError;
use crate::setup::package::{COMMAND, ICON, Package, WINDOW, app_id, disk};
use crate::setup::shortcut::shortcut;
use crate::shell::links::{FILE_ENDING, SCHEME};

const CLASSES: &str = r"Software\Classes";
/// Whose notifications are shown.
const SHOWN: &str = r"Software\Classes\AppUserModelId";
const UNINSTALL: &str = r"Software\Microsoft\Windows\CurrentVersion\Uninstall";
/// Below the folder of the user's settings.
const START_MENU: &str = r"Microsoft\Windows\Start Menu\Programs";

/// Makes the package that `exe` came in a program of this user: its files below his programs, an entry in the start menu and
/// among what can be removed, and the one that opens links. Done again, or with a newer package, it takes the old one's
/// place. Where it is then.
///
/// # Errors
/// It is no package, or the disk or the registry.
pub fn set_up(exe: &Path) -> Result<PathBuf, Failure> {
    let package = Package::of(exe)?;
    install(&package).map_err(|error| (&error).into())
}

fn install(package: &Package) -> Result<PathBuf, LaunchError> {
    let place = Place::of(package)?;
    if !place.holds(package) {
        package.copy_to(&place.folder)?;
    }
    let text = |name: &str| place.folder.join(name).display().to_string();
    let folder = place.folder.display().to_string();
    if let Some(menu) = place.shortcut.parent() {
        fs::create_dir_all(menu).map_err(disk("make", menu))?;
    }
    let link = shortcut(&text(WINDOW), &folder, &text(ICON));
    fs::write(&place.shortcut, link).map_err(disk("write", &place.shortcut))?;
    tell(package, &place).map_err(|error| registry(&error))?;
    Ok(place.folder)
}

/// Takes back what [`set_up`] did for the package that `exe` came in; where it was.
///
/// # Errors
/// It was not set up, or the disk or the registry: it can be asked again.
pub fn remove(exe: &Path) -> Result<PathBuf, Failure> {
    let package = Package::of(exe)?;
    take_back(&package, exe).map_err(|error| (&error).into())
}

fn take_back(package: &Package, exe: &Path) -> Result<PathBuf, LaunchError> {
    let place = Place::of(package)?;
    if !place.holds(package) {
        return Err(LaunchError::Usage {
            cause: "this launcher was not set up: delete its folder".to_owned(),
        });
    }
    // A program that runs cannot be removed, only moved out of the way: the system clears that folder by itself.
    let aside = env::temp_dir().join(format!("{}-removed-{}.exe", package.slug, std::process::id()));
    let _ = fs::rename(exe, aside);
    package.remove(exe)?;
    // It has what others put there, or is empty.
    let _ = fs::remove_dir(&place.folder);
    let _ = fs::remove_file(&place.shortcut);
    forget(package, &place).map_err(|error| registry(&error))?;
    Ok(place.folder)
}

/// Where a package is when it is set up.
struct Place {
    folder: PathBuf,
    shortcut: PathBuf,
}

impl Place {
    fn of(package: &Package) -> Result<Self, LaunchError> {
        let var = |name| {
            let told = env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
            told.ok_or_else(|| LaunchError::internal(format!("the system does not say where {name} is")))
        };
        let shortcut = format!("{}.lnk", package.file_name());
        Ok(Self {
            folder: var("LOCALAPPDATA")?.join("Programs").join(&package.slug),
            shortcut: var("APPDATA")?.join(START_MENU).join(shortcut),
        })
    }

    fn holds(&self, package: &Package) -> bool {
        let real = package.folder.canonicalize().ok().zip(self.folder.canonicalize().ok());
        real.is_some_and(|(one, other)| one == other)
    }

    fn open(&self) -> String {
        format!("\"{}\" \"%1\"", self.folder.join(WINDOW).display())
    }
}

fn tell(package: &Package, place: &Place) -> windows_registry::Result<()> {
    let text = |name: &str| place.folder.join(name).display().to_string();
    let links = CURRENT_USER.create(format!(r"{CLASSES}\{SCHEME}"))?;
    links.set_string("", format!("URL:{}", package.name))?;
    links.set_string("URL Protocol", "")?;
    opens(&links, place)?;
    let files = format!("{SCHEME}-file");
    CURRENT_USER.create(format!(r"{CLASSES}\{FILE_ENDING}"))?.set_string("", &files)?;
    let files = CURRENT_USER.create(format!(r"{CLASSES}\{files}"))?;
    files.set_string("", &package.name)?;
    opens(&files, place)?;
    let shown = CURRENT_USER.create(format!(r"{SHOWN}\{}", app_id(&package.slug)))?;
    shown.set_string("DisplayName", &package.name)?;
    shown.set_string("IconUri", text(ICON))?;
    let entry = CURRENT_USER.create(format!(r"{UNINSTALL}\{}", package.slug))?;
    entry.set_string("DisplayName", &package.name)?;
    entry.set_string("DisplayVersion", env!("CARGO_PKG_VERSION"))?;
    entry.set_string("DisplayIcon", text(ICON))?;
    entry.set_string("InstallLocation", place.folder.display().to_string())?;
    entry.set_string("UninstallString", format!("\"{}\" self remove", text(COMMAND)))?;
    entry.set_u32("NoModify", 1)?;
    entry.set_u32("NoRepair", 1)
}

fn opens(class: &Key, place: &Place) -> windows_registry::Result<()> {
    class.create("DefaultIcon")?.set_string("", place.folder.join(ICON).display().to_string())?;
    class.create(r"shell\open\command")?.set_string("", place.open())
}

fn forget(package: &Package, place: &Place) -> windows_registry::Result<()> {
    for class in [SCHEME.to_owned(), format!("{SCHEME}-file")] {
        let class = format!(r"{CLASSES}\{class}");
        let command =
            CURRENT_USER.open(format!(r"{class}\shell\open\command")).and_then(|key| key.get_string(""));
        // Another studio's launcher may have them by now.
        if command.is_ok_and(|command| command == place.open()) {
            CURRENT_USER.remove_tree(class)?;
        }
    }
    // One that was set up before there were notifications has none.
    let _ = CURRENT_USER.remove_tree(format!(r"{SHOWN}\{}", app_id(&package.slug)));
    CURRENT_USER.remove_tree(format!(r"{UNINSTALL}\{}", package.slug))
}

fn registry(error: &dyn std::fmt::Display) -> LaunchError {
    LaunchError::internal(format!("the registry: {error}"))
}
