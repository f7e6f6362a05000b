//! A build folder, looked at but not read: what a release will hold, or the first reason why it cannot.

use crate::error::{Error, Result};
use crate::platform::{self, Stamp};
use manifests::path::{LinkTarget, PathFault, SafePath, SafePathSet};
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use walkdir::{DirEntry, WalkDir};

/// The most files a release may have.
pub const MAX_FILES: usize = 1_000_000;

/// A file or link of a build.
#[derive(Clone, Debug)]
pub struct Found {
    /// Its name in the release.
    pub path: SafePath,
    /// Where it is now.
    pub source: PathBuf,
    /// Bytes; 0 for a link.
    pub len: u64,
    /// Where it points, for a symbolic link.
    pub link: Option<LinkTarget>,
    /// What its mode says, where files have modes.
    pub executable_by_mode: Option<bool>,
    /// To tell whether it changed since.
    pub(crate) stamp: Stamp,
}

/// A build folder's content in the torrent's order (by path, part by part, by bytes).
#[derive(Clone, Debug, Default)]
pub struct Scan {
    /// Files and links.
    pub files: Vec<Found>,
    /// Folders without a file in them: a release cannot hold these.
    pub empty_folders: usize,
}

impl Scan {
    /// Bytes of all files.
    #[must_use]
    pub fn total_len(&self) -> u64 {
        self.files.iter().map(|file| file.len).sum()
    }

    /// The first file that is not in both, or not the same in both.
    pub(crate) fn differs<'a>(&'a self, other: &'a Scan) -> Option<&'a SafePath> {
        let same = |a: &Found, b: &Found| a.path == b.path && a.link == b.link && a.stamp == b.stamp;
        let pairs = self.files.iter().zip(&other.files);
        let changed = pairs.into_iter().find(|(a, b)| !same(a, b)).map(|(a, _)| &a.path);
        let (short, long) = (self.files.len().min(other.files.len()), [self, other]);
        changed.or_else(|| long.into_iter().find_map(|scan| scan.files.get(short)).map(|file| &file.path))
    }
}

/// Looks at every name below `build`.
///
/// # Errors
/// An `E-BUILD-…` for the first thing that cannot be published.
pub fn scan(build: &Path) -> Result<Scan> {
    if !build.is_dir() {
        return Err(Error::BuildMissing(build.to_owned()));
    }
    let mut found = Scan::default();
    let mut names = SafePathSet::new();
    let mut folders = HashSet::new();
    let mut filled = HashSet::new();
    for entry in WalkDir::new(build).min_depth(1).sort_by_file_name() {
        let entry = entry.map_err(|error| unreadable(build, error))?;
        let path = safe_path(build, entry.path())?;
        if entry.file_type().is_dir() {
            folders.insert(path.clone());
        } else {
            names.insert(&path).map_err(Error::BuildClash)?;
            found.files.push(look_at(&entry, path.clone())?);
        }
        filled.extend(path.parent());
        if found.files.len() > MAX_FILES {
            return Err(Error::BuildTooLarge(format!("more than {MAX_FILES} files")));
        }
    }
    if found.files.is_empty() {
        return Err(Error::BuildEmpty(build.to_owned()));
    }
    found.files.sort_by(|a, b| a.path.cmp(&b.path));
    found.empty_folders = folders.difference(&filled).count();
    check_links(&found.files, &folders)?;
    Ok(found)
}

fn safe_path(build: &Path, path: &Path) -> Result<SafePath> {
    let below = path.strip_prefix(build).unwrap_or(path);
    let mut parts = Vec::new();
    for part in below.components() {
        let text = part.as_os_str().to_str().ok_or_else(|| {
            let path = below.to_string_lossy().into_owned();
            Error::BuildName(manifests::path::PathError { path, reason: PathFault::NotUnicode })
        })?;
        parts.push(text);
    }
    SafePath::from_parts(parts).map_err(Error::BuildName)
}

fn look_at(entry: &DirEntry, path: SafePath) -> Result<Found> {
    let source = entry.path().to_owned();
    // Not the entry's own: what Windows keeps in a folder about its files may be out of date.
    let meta = std::fs::symlink_metadata(&source)
        .map_err(|error| Error::BuildUnreadable { path: path.to_native(), source: error })?;
    let kind = entry.file_type();
    if kind.is_symlink() {
        let link = Some(read_link(&path, &source)?);
        let stamp = platform::stamp(&meta);
        return Ok(Found { path, source, len: 0, link, executable_by_mode: Some(false), stamp });
    }
    if !kind.is_file() {
        return Err(Error::BuildSpecial(path.to_native()));
    }
    if meta.len() > manifests::release::MAX_FILE_BYTES {
        return Err(Error::BuildTooLarge(format!("{path} has {} bytes", meta.len())));
    }
    Ok(Found {
        path,
        source,
        len: meta.len(),
        link: None,
        executable_by_mode: platform::executable_by_mode(&meta),
        stamp: platform::stamp(&meta),
    })
}

fn read_link(path: &SafePath, source: &Path) -> Result<LinkTarget> {
    let target = std::fs::read_link(source)
        .map_err(|error| Error::BuildUnreadable { path: source.to_owned(), source: error })?;
    let refuse = |why| Error::BuildLink { path: path.to_native(), target: target.clone(), why };
    if target.is_absolute() || target.has_root() {
        return Err(refuse("leads out of the build"));
    }
    let mut parts = Vec::new();
    for part in target.components() {
        match part {
            std::path::Component::CurDir => {}
            other => parts.push(other.as_os_str().to_str().ok_or_else(|| refuse("is not valid Unicode"))?),
        }
    }
    LinkTarget::parse(path, &parts.join("/")).map_err(|error| match error.reason {
        PathFault::LinkLeadsOut => refuse("leads out of the build"),
        _ => refuse("some players' computers cannot hold"),
    })
}

/// A link must point to a file, folder or link of the build itself.
fn check_links(files: &[Found], folders: &HashSet<SafePath>) -> Result<()> {
    for file in files {
        let Some(link) = &file.link else { continue };
        let target = link.resolved();
        let there = folders.contains(target) || files.binary_search_by(|f| f.path.cmp(target)).is_ok();
        // A loop of links is there, and yet leads nowhere: only the system can tell.
        if !there || std::fs::metadata(&file.source).is_err() {
            let target = PathBuf::from(link.as_str());
            return Err(Error::BuildLink { path: file.path.to_native(), target, why: "leads nowhere" });
        }
    }
    Ok(())
}

fn unreadable(build: &Path, error: walkdir::Error) -> Error {
    let path = error.path().unwrap_or(build).to_owned();
    let source = error.into_io_error().unwrap_or_else(|| std::io::ErrorKind::InvalidInput.into());
    Error::BuildUnreadable { path, source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// `name` is a folder, `name=text` a file, `name->target` a link.
    fn build(entries: &[&str]) -> tempfile::TempDir {
        let tmp = tempfile::tempdir().unwrap();
        for entry in entries {
            if let Some((name, target)) = entry.split_once("->") {
                #[cfg(unix)]
                std::os::unix::fs::symlink(target, tmp.path().join(name)).unwrap();
                #[cfg(windows)]
                let _ = (name, target);
            } else if let Some((name, text)) = entry.split_once('=') {
                let path = tmp.path().join(name);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, text).unwrap();
            } else {
                fs::create_dir_all(tmp.path().join(entry)).unwrap();
            }
        }
        tmp
    }

    #[test]
    fn a_plain_build_in_the_torrents_order() {
        let tmp = build(&["b/x=1", "b.txt=22", "a=", "B2=3", "empty/deeper", "b/é=4"]);
        let found = scan(tmp.path()).unwrap();
        let names: Vec<_> = found.files.iter().map(|f| f.path.to_string()).collect();
        assert_eq!(names, ["B2", "a", "b/x", "b/é", "b.txt"]);
        assert_eq!(found.total_len(), 5);
        assert_eq!(found.empty_folders, 1, "the folder above it holds a folder");
    }

    #[test]
    fn what_is_no_build() {
        let tmp = build(&["only/folders"]);
        assert_eq!(scan(tmp.path()).unwrap_err().code(), "E-BUILD-EMPTY");
        assert_eq!(scan(&tmp.path().join("none")).unwrap_err().code(), "E-BUILD-MISSING");
        let file = build(&["file=x"]);
        assert_eq!(scan(&file.path().join("file")).unwrap_err().code(), "E-BUILD-MISSING");
    }

    #[cfg(unix)]
    #[test]
    fn names_and_links_in_a_table() {
        let cases: &[(&[&str], &str)] = &[
            (&["a:b=1"], "E-BUILD-NAME"),
            (&["con.txt=1"], "E-BUILD-NAME"),
            (&["dir /x=1"], "E-BUILD-NAME"),
            (&["x.=1"], "E-BUILD-NAME"),
            (&["back\\slash=1"], "E-BUILD-NAME"),
            (&["what?=1"], "E-BUILD-NAME"),
            (&["bell\u{7}=1"], "E-BUILD-NAME"),
            (&["\u{202e}txt.exe=1"], "E-BUILD-NAME"),
            (&[".samara/state=1"], "E-BUILD-NAME"),
            (&["Read=1", "read=2"], "E-BUILD-CLASH"),
            (&["e\u{301}=1", "\u{e9}=2"], "E-BUILD-CLASH"),
            (&["Data/a=1", "data/b=2"], "E-BUILD-CLASH"),
            (&["f=1", "l->/etc/passwd"], "E-BUILD-LINK"),
            (&["f=1", "l->../f"], "E-BUILD-LINK"),
            (&["d/f=1", "l->d/../../f"], "E-BUILD-LINK"),
            (&["f=1", "l->none"], "E-BUILD-LINK"),
            (&["f=1", "l->."], "E-BUILD-LINK"),
            (&["f=1", "loop->loop"], "E-BUILD-LINK"),
            (&["f=1", "l->f"], ""),
            (&["d/f=1", "d/l->../d/f", "k->d"], ""),
        ];
        for (entries, code) in cases {
            let tmp = build(entries);
            let got = scan(tmp.path()).map_or_else(|error| error.code(), |_| "");
            assert_eq!(got, *code, "{entries:?}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn names_that_are_no_text_and_files_that_are_none() {
        use std::os::unix::ffi::OsStrExt as _;
        let tmp = build(&["f=1"]);
        fs::write(tmp.path().join(std::ffi::OsStr::from_bytes(b"caf\xe9")), "x").unwrap();
        assert_eq!(scan(tmp.path()).unwrap_err().code(), "E-BUILD-NAME");
        let tmp = build(&["f=1"]);
        let _socket = std::os::unix::net::UnixListener::bind(tmp.path().join("s")).unwrap();
        assert_eq!(scan(tmp.path()).unwrap_err().code(), "E-BUILD-SPECIAL");
    }
}
