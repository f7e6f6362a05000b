//! What a release asks of the folder it goes to, found before the first write: names, lengths, kinds of files.

use std::collections::HashMap;

use super::{Applier, ApplyError, Op};
use crate::folder::{DiskError, Fs, InstallDir, Limits, PRIVATE};
use crate::path::SafePath;
use crate::release::ReleaseManifest;

/// Whether `dir` can hold the release at all: whatever is there now, and without a plan. Nothing is written.
///
/// # Errors
/// [`ApplyError::Limit`], [`ApplyError::PathTooLong`], [`ApplyError::Case`].
pub fn check_fits(dir: &InstallDir, manifest: &ReleaseManifest) -> Result<(), ApplyError> {
    fits(manifest, &dir.fs().limits())?;
    if is_insensitive(dir.fs())? {
        let mut spelled: HashMap<String, &SafePath> = HashMap::new();
        for file in &manifest.files {
            if let Some(other) = spelled.insert(file.path.folded(), &file.path) {
                return Err(ApplyError::Case { one: other.to_string(), other: file.path.to_string() });
            }
        }
    }
    Ok(())
}

fn fits(manifest: &ReleaseManifest, limits: &Limits) -> Result<(), ApplyError> {
    for file in &manifest.files {
        let path = &file.path;
        if limits.file_len_max.is_some_and(|max| file.identity.len > max) {
            return Err(ApplyError::Limit { path: path.clone(), why: "it takes no file of 4 GiB or more" });
        }
        if file.is_symlink() && !limits.links {
            return Err(ApplyError::Limit { path: path.clone(), why: "it has no symbolic links" });
        }
        if limits.path_units_left.is_some_and(|max| limits.units(path.as_str()) > max) {
            return Err(ApplyError::PathTooLong(path.clone()));
        }
        if limits.name_bytes_max.is_some_and(|max| path.parts().any(|part| part.len() as u64 > max)) {
            return Err(ApplyError::PathTooLong(path.clone()));
        }
    }
    Ok(())
}

/// Whether upper and lower case are one here: our own folder is asked for by another name.
fn is_insensitive(fs: &dyn Fs) -> Result<bool, ApplyError> {
    let upper = PRIVATE.to_ascii_uppercase();
    if fs.stat(&upper).map_err(DiskError::at("look at", &upper))?.is_none() {
        return Ok(false);
    }
    let names = fs.list("").map_err(DiskError::at("read the folder", ""))?;
    Ok(!names.iter().flatten().any(|name| *name == upper))
}

impl Applier {
    /// Where case does not count, the release's name for a file may be another of the player's names for his. Keeping
    /// that aside under the release's spelling would hide which one it was.
    pub(super) fn check_case(&self) -> Result<(), ApplyError> {
        let in_the_way: Vec<&SafePath> =
            self.plan.keep_aside.iter().filter(|path| !self.listed(path)).collect();
        if in_the_way.is_empty() || !is_insensitive(self.dir.fs())? {
            return Ok(());
        }
        for path in in_the_way {
            let folder = path.as_str().rsplit_once('/').map_or("", |(folder, _)| folder);
            let names = self.dir.fs().list(folder).map_err(DiskError::at("read the folder", folder))?;
            if names.iter().flatten().any(|name| name == path.name()) {
                continue;
            }
            let wanted = crate::path::fold(path.name());
            let theirs = names.into_iter().flatten().find(|name| crate::path::fold(name) == wanted);
            if let Some(theirs) = theirs {
                let one = if folder.is_empty() { theirs } else { format!("{folder}/{theirs}") };
                return Err(ApplyError::Case { one, other: path.to_string() });
            }
        }
        Ok(())
    }

    fn listed(&self, path: &SafePath) -> bool {
        self.dir.state().files.contains_key(path)
    }

    /// Files that a commit replaces, removes or renames, and that the system would refuse to.
    pub(super) fn check_replaceable(&self) -> Result<(), ApplyError> {
        let files = self.target.manifest.files.iter().zip(&self.plan.ops);
        let stays = files.filter(|(_, op)| matches!(op, Op::Keep { set_executable: None } | Op::Leave));
        let stays: std::collections::HashSet<&SafePath> = stays.map(|(file, _)| &file.path).collect();
        let relied = self.plan.relies_on.iter().map(|(path, _)| path);
        for path in relied.chain(&self.plan.keep_aside).filter(|path| !stays.contains(path)) {
            let path = path.as_str();
            if !self.dir.fs().replaceable(path).map_err(DiskError::at("look at", path))? {
                let source = std::io::ErrorKind::PermissionDenied.into();
                return Err(DiskError { action: "replace", path: path.to_owned(), source }.into());
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::apply::tests::simfs::{SimFs, calm, disk_on, found, over};
    use crate::apply::tests::world::*;
    use crate::folder::Meta;
    use crate::verify::Depth;

    #[test]
    fn limits_in_a_table() {
        let any = Limits::default();
        let deep = format!("{}/{}", "d".repeat(100), "e".repeat(150));
        let mut new = release(1, &tree(&[("a", file("x")), (&deep, file("x")), ("ä", file("x"))]));
        let manifest = std::sync::Arc::make_mut(&mut new.target.manifest);
        manifest.files[0].identity.len = (4 << 30) - 1;
        for (what, limits, code) in [
            ("none", any, None),
            ("FAT's length, just", Limits { file_len_max: Some((4 << 30) - 1), ..any }, None),
            ("FAT's length", Limits { file_len_max: Some((4 << 30) - 2), ..any }, Some("E-FS-LIMIT")),
            ("no links, none wanted", Limits { links: false, ..any }, None),
            ("names, just", Limits { name_bytes_max: Some(150), ..any }, None),
            ("names", Limits { name_bytes_max: Some(143), ..any }, Some("E-FS-PATH-TOO-LONG")),
            ("paths, just", Limits { path_units_left: Some(251), ..any }, None),
            ("paths", Limits { path_units_left: Some(250), ..any }, Some("E-FS-PATH-TOO-LONG")),
        ] {
            let said = fits(manifest, &limits).err();
            assert_eq!(said.as_ref().map(ApplyError::code), code, "{what}: {said:?}");
        }
        let utf16 = Limits { path_units_left: Some(1), utf16: true, ..any };
        assert_eq!(utf16.units("ä"), 1);
        let link = release(1, &tree(&[("a", file("x")), ("l", Node::Link("a".to_owned()))]));
        let said = fits(&link.target.manifest, &Limits { links: false, ..any }).unwrap_err();
        assert_eq!(said.code(), "E-FS-LIMIT");
        assert!(said.to_string().contains("l cannot be stored"), "{said}");
    }

    #[test]
    fn a_file_of_the_players_that_differs_in_case_alone() {
        let old = release(1, &tree(&[("d/k", file("k"))]));
        let new = release(2, &tree(&[("d/k", file("k")), ("d/readme.txt", file("new"))]));
        for (name, spelled, code) in
            [("another case", "d/README.txt", Some("E-FS-CASE")), ("the same name", "d/readme.txt", None)]
        {
            let disk = disk_on(SimFs::insensitive(), &old);
            let dir = over(&disk, &calm());
            let mine = dir.fs().open(spelled, crate::folder::Access::Create).unwrap();
            mine.write_at(0, b"mine").unwrap();
            let before = found(&disk);
            match (update(&dir, &new, Depth::Quick, options()), code) {
                (Ok((applied, _)), None) => assert_eq!(applied.kept.len(), 1, "{name}"),
                (Err(error), Some(code)) => {
                    assert_eq!(error.code(), code, "{name}");
                    let text = error.to_string();
                    assert!(text.contains("d/README.txt") && text.contains("d/readme.txt"), "{text}");
                    assert_eq!(found(&disk), before, "{name}: nothing is written");
                    assert_eq!(dir.fs().stat(".samara/staging/x").unwrap(), None);
                }
                (other, _) => panic!("{name}: {other:?}"),
            }
        }
        // Elsewhere these are two files.
        let (temp, dir) = installed(&old);
        write_tree(temp.path(), &tree(&[("d/README.txt", file("mine"))]));
        let (applied, _) = update(&dir, &new, Depth::Quick, options()).unwrap();
        assert!(applied.kept.is_empty());
        assert!(matches!(dir.fs().stat("d/README.txt").unwrap(), Some(Meta::File { .. })));
    }

    #[test]
    fn two_names_of_a_release_that_are_one_here() {
        let new = release(1, &tree(&[("Data.pak", file("1")), ("data.pak", file("2"))]));
        let disk = disk_on(SimFs::insensitive(), &release(1, &tree(&[("k", file("k"))])));
        let said = check_fits(&over(&disk, &calm()), &new.target.manifest).unwrap_err();
        assert_eq!(said.code(), "E-FS-CASE");
        let (_temp, dir) = installed(&release(1, &tree(&[("k", file("k"))])));
        check_fits(&dir, &new.target.manifest).unwrap();
    }
}
