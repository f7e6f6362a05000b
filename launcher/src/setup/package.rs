//! What a package is made of, and where it goes.

use std::path::{Path, PathBuf};
use std::{fs, io};

use manifests::folder::DiskError;
use manifests::path::SafePath;

use crate::brand::Brand;
use crate::engine::Failure;
use crate::error::LaunchError;

/// The list of a package's files, one on each line, beside the program.
pub const LIST: &str = "package.txt";
/// The window's program in a package for Windows; it opens no console.
pub const WINDOW: &str = "samara.exe";
/// The same for the command line.
pub const COMMAND: &str = "launcher.exe";
/// The icon of shortcuts and files.
pub const ICON: &str = "samara.ico";
/// What Windows calls a launcher that shows notifications.
#[must_use]
pub fn app_id(slug: &str) -> String {
    format!("Samara.{slug}")
}

/// What no file on Windows has in its name.
const NOT_IN_NAMES: &[char] = &['<', '>', ':', '"', '/', '\\', '|', '?', '*'];

/// An unpacked package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// Where it lies.
    pub folder: PathBuf,
    /// What the launcher is called.
    pub name: String,
    /// The same for folders.
    pub slug: String,
    /// Its files, the programs first: what runs cannot be replaced on Windows, and then nothing else is.
    pub files: Vec<SafePath>,
}

impl Package {
    /// The package that this program came in.
    ///
    /// # Errors
    /// It is no such package, or the disk.
    pub fn of(exe: &Path) -> Result<Self, Failure> {
        let folder = exe.parent().unwrap_or(Path::new("")).to_owned();
        let brand = Brand::load(exe).map_err(|error| Failure {
            code: error.code(),
            message: error.to_string(),
            advice: error.advice(),
        })?;
        let files = listed(&folder.join(LIST)).map_err(|error| Failure::from(&LaunchError::from(error)))?;
        let (programs, others): (Vec<_>, Vec<_>) =
            files.into_iter().partition(|file| file.as_str().ends_with(".exe"));
        let files = [programs, others].concat();
        Ok(Self { folder, slug: brand.slug(), name: brand.name, files })
    }

    /// Copies its files to where it is to be.
    ///
    /// # Errors
    /// The disk; a program that runs from there cannot be replaced on Windows.
    pub fn copy_to(&self, folder: &Path) -> Result<(), DiskError> {
        for file in &self.files {
            let (from, to) = (self.folder.join(file.to_native()), folder.join(file.to_native()));
            let above = to.parent().unwrap_or(folder);
            fs::create_dir_all(above).map_err(disk("make", above))?;
            fs::copy(&from, &to).map_err(disk("write", &to))?;
        }
        Ok(())
    }

    /// Removes its files and the folders that are empty then, but for `keep`, which runs. What others put there stays.
    ///
    /// # Errors
    /// The disk.
    pub fn remove(&self, keep: &Path) -> Result<(), DiskError> {
        for file in &self.files {
            let path = self.folder.join(file.to_native());
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound && path != keep => {
                    return Err(disk("remove", &path)(error));
                }
                _ => {}
            }
        }
        for file in &self.files {
            let above = std::iter::successors(file.parent(), SafePath::parent);
            // One that is not empty, or gone already.
            above.for_each(|folder| drop(fs::remove_dir(self.folder.join(folder.to_native()))));
        }
        Ok(())
    }

    /// The name as that of a file.
    #[must_use]
    pub fn file_name(&self) -> String {
        let name = self.name.replace(NOT_IN_NAMES, " ");
        let name = name.trim().trim_end_matches('.').to_owned();
        if SafePath::parse(&name).is_ok() { name } else { self.slug.clone() }
    }
}

fn listed(list: &Path) -> Result<Vec<SafePath>, DiskError> {
    let text = fs::read_to_string(list).map_err(disk("read", list))?;
    let files = text.lines().map(SafePath::parse).collect::<Result<Vec<_>, _>>();
    files.map_err(|error| disk("read", list)(io::Error::other(error)))
}

/// For `map_err`: names the call that failed.
pub(crate) fn disk(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> DiskError {
    let path = path.display().to_string();
    move |error| DiskError::at(action, &path)(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_copied_is_what_is_removed() {
        let temp = tempfile::tempdir().unwrap();
        let (downloads, programs) = (temp.path().join("downloads"), temp.path().join("programs/maple"));
        fs::create_dir_all(downloads.join("licences/more")).unwrap();
        for (name, text) in [
            ("samara.exe", "window"),
            ("licences/more/a", "a"),
            ("letter.txt", "private"),
            (LIST, "samara.exe\nlicences/more/a\npackage.txt\n"),
        ] {
            fs::write(downloads.join(name), text).unwrap();
        }
        let package = Package::of(&downloads.join("samara.exe")).unwrap();
        assert_eq!((package.name.as_str(), package.slug.as_str()), ("Samara", "samara"));
        package.copy_to(&programs).unwrap();
        assert!(!programs.join("letter.txt").exists());
        let there = Package::of(&programs.join("samara.exe")).unwrap();
        assert_eq!(there.files, package.files);
        fs::write(programs.join("mine"), "mine").unwrap();
        there.remove(&programs.join("samara.exe")).unwrap();
        let left: Vec<_> = fs::read_dir(&programs).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["mine"]);
    }

    #[test]
    fn a_list_that_leads_out_is_none() {
        let temp = tempfile::tempdir().unwrap();
        for text in ["../x\n", "C:\\x\n", "a\n/etc/passwd\n"] {
            fs::write(temp.path().join(LIST), text).unwrap();
            assert!(Package::of(&temp.path().join("samara.exe")).is_err(), "{text}");
        }
    }

    #[test]
    fn names_of_files() {
        for (name, file) in
            [("Maple Games", "Maple Games"), ("A: B?", "A  B"), ("aux", "aux-1"), ("???", "aux-1")]
        {
            let package = Package {
                folder: PathBuf::new(),
                name: name.into(),
                slug: "aux-1".into(),
                files: Vec::new(),
            };
            assert_eq!(package.file_name(), file);
        }
    }
}
