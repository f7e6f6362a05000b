//! Which files are programs.
//!
//! Where files have modes, the modes decide: a release is the build, bit for bit. Builds made on Windows, or unpacked
//! by something that drops modes, have none that mean anything; there a file's first bytes decide.

use super::hash::Hashed;
use super::scan::{Found, Scan};
use crate::error::{Error, Result};
use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use manifests::path::SafePath;

/// Globs, as of `--exec`, matched against paths below the build folder.
#[derive(Clone, Debug, Default)]
pub struct Patterns(GlobSet);

impl Patterns {
    /// `*` and `?` stay within a folder, `**` does not.
    ///
    /// # Errors
    /// [`Error::Pattern`].
    pub fn new<S: AsRef<str>>(globs: impl IntoIterator<Item = S>) -> Result<Patterns> {
        let mut set = GlobSetBuilder::new();
        for glob in globs {
            let pattern = glob.as_ref();
            let refused =
                |error: globset::Error| Error::Pattern { pattern: pattern.into(), why: error.to_string() };
            set.add(GlobBuilder::new(pattern).literal_separator(true).build().map_err(refused)?);
        }
        let refused =
            |error: globset::Error| Error::Pattern { pattern: String::new(), why: error.to_string() };
        set.build().map(Patterns).map_err(refused)
    }

    /// Whether one of them fits the path.
    pub(crate) fn fits(&self, path: &SafePath) -> bool {
        self.0.is_match(path.as_str())
    }
}

/// For each file of the scan, whether it is a program.
pub(crate) fn decide(scan: &Scan, hashed: &[Hashed], exec: &Patterns) -> Vec<bool> {
    let files = || scan.files.iter().zip(hashed);
    let any_mode = files().any(|(found, _)| found.executable_by_mode == Some(true));
    let any_elf = files().any(|(found, hashed)| is_elf_program(found, &hashed.head));
    // No executable bit anywhere, yet there is a program: the modes were lost on the way here.
    let modes_lost = !any_mode && any_elf;
    files()
        .map(|(found, hashed)| {
            if found.link.is_some() {
                return false;
            }
            let by_content = is_elf_program(found, &hashed.head) || hashed.head.starts_with(b"#!");
            let by_mode = found.executable_by_mode.filter(|_| !modes_lost);
            by_mode.unwrap_or(by_content) || exec.fits(&found.path)
        })
        .collect()
}

/// An ELF file of type EXEC or DYN (position-independent programs are DYN too) that is not named like a library.
fn is_elf_program(found: &Found, head: &[u8]) -> bool {
    let name = found.path.name();
    let library = name.ends_with(".so") || name.contains(".so.");
    let kind = match head {
        [0x7f, b'E', b'L', b'F', _, 1, ..] => head.get(16..18).map(|k| u16::from_le_bytes([k[0], k[1]])),
        [0x7f, b'E', b'L', b'F', _, 2, ..] => head.get(16..18).map(|k| u16::from_be_bytes([k[0], k[1]])),
        _ => None,
    };
    !library && matches!(kind, Some(2 | 3))
}

#[cfg(test)]
mod tests {
    use super::*;
    use manifests::release::FileIdentity;

    const ELF: &[u8] = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x03\0\x3e\0";
    const OBJECT: &[u8] = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x01\0\x3e\0";

    fn found(name: &str, mode: Option<bool>) -> Found {
        let stamp = crate::platform::stamp(&std::fs::metadata(".").unwrap());
        let path = SafePath::parse(name).unwrap();
        Found { path, source: name.into(), len: 1, link: None, executable_by_mode: mode, stamp }
    }

    fn hashed(head: &[u8]) -> Hashed {
        Hashed {
            id: FileIdentity::EMPTY,
            layer: Vec::new(),
            pieces_v1: Vec::new(),
            last_v1: [0; 20],
            head: head.into(),
            leaves: Vec::new(),
        }
    }

    #[test]
    fn modes_decide_unless_they_are_missing_or_lost() {
        let table: &[(&str, &[u8])] =
            &[("game", ELF), ("libx.so.1", ELF), ("x.o", OBJECT), ("run.sh", b"#!/bin/sh"), ("data", b"x")];
        let run = |modes: [Option<bool>; 5], exec: &[&str]| {
            let files = table.iter().zip(modes).map(|((name, _), mode)| found(name, mode)).collect();
            let heads: Vec<_> = table.iter().map(|(_, head)| hashed(head)).collect();
            decide(&Scan { files, empty_folders: 0 }, &heads, &Patterns::new(exec).unwrap())
        };
        let (yes, no) = (Some(true), Some(false));
        assert_eq!(run([None; 5], &[]), [true, false, false, true, false], "no modes");
        assert_eq!(run([no; 5], &[]), [true, false, false, true, false], "modes lost");
        assert_eq!(run([yes, yes, no, no, no], &[]), [true, true, false, false, false], "modes decide");
        assert_eq!(run([None; 5], &["*.o", "da??"]), [true, false, true, true, true], "patterns add");
    }

    #[test]
    fn a_build_of_data_and_scripts_keeps_its_modes() {
        let scan = Scan { files: vec![found("a.py", Some(false))], empty_folders: 0 };
        assert_eq!(decide(&scan, &[hashed(b"#!/usr/bin/python")], &Patterns::default()), [false]);
    }

    #[test]
    fn patterns_stay_within_a_folder_unless_told() {
        let set = Patterns::new(["bin/*", "**/*.run"]).unwrap();
        let table = [("bin/a", true), ("bin/a/b", false), ("x/y/z.run", true), ("z.run", true), ("b", false)];
        for (path, expected) in table {
            assert_eq!(set.0.is_match(path), expected, "{path}");
        }
        assert_eq!(Patterns::new(["a[b"]).unwrap_err().code(), "E-PATTERN");
    }
}
