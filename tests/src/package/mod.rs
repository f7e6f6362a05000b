//! The packages that players get: the launcher with its icon, its links to the desktop, licences, and a studio's brand.

mod archive;
mod licences;
mod program;
mod tree;
mod linux;
mod windows;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::ValueEnum;
use launcher::brand::{BRAND_FILE, Brand};

use tree::Tree;

/// A system that packages are made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Target {
    /// Debian and others on x86-64.
    Linux,
    /// Windows on x86-64.
    Windows,
}

/// A launcher that is packed as it is.
#[derive(Debug, Clone, Copy)]
pub struct Given<'a> {
    /// Where it lies.
    pub file: &'a Path,
    /// Its packages are tried and thrown away: it may have in it what is only for the tests.
    pub for_tests: bool,
}

/// What every package is made of.
struct Parts {
    /// What the launcher is called.
    name: String,
    /// The same as the name of a package, of a folder and of a command.
    slug: String,
    version: String,
    /// Who answers for it: an e-mail address.
    contact: String,
    /// When it was made, in seconds since 1970: the time of every file.
    time: u64,
    program: Vec<u8>,
    /// The brand file and what it names, by their paths from it.
    brand: Tree,
    /// The brand's own icon.
    icon: Option<Vec<u8>>,
    licences: Tree,
}

/// Makes the packages of one system in `out`, and names them.
///
/// # Errors
/// The launcher cannot be built or has in it what must not be given away, the brand is wrong, or the disk.
pub fn make(
    out: &Path,
    brand: Option<&Path>,
    target: Target,
    program: Option<Given<'_>>,
) -> Result<Vec<PathBuf>> {
    let parts = parts(brand, target, program)?;
    fs::create_dir_all(out).with_context(|| format!("making {}", out.display()))?;
    let packages = match target {
        Target::Linux => linux::packages(&parts)?,
        Target::Windows => windows::packages(&parts)?,
    };
    let mut made = Vec::new();
    for (name, bytes) in packages {
        let path = out.join(name);
        fs::write(&path, bytes).with_context(|| format!("writing {}", path.display()))?;
        made.push(path);
    }
    Ok(made)
}

fn parts(brand: Option<&Path>, target: Target, given: Option<Given<'_>>) -> Result<Parts> {
    let (mut about, mut files, mut icon) = (Brand::default(), Tree::default(), None);
    if let Some(file) = brand {
        let folder = file.parent().unwrap_or(Path::new(""));
        let brand = Brand::read(file)?;
        files.add(BRAND_FILE, fs::read(file)?);
        for named in &brand.files {
            files.add(named, fs::read(folder.join(named))?);
        }
        // It is the first that is named.
        icon = brand.icon.is_some().then(|| brand.files.first().and_then(|icon| files.get(icon))).flatten();
        about = brand;
    }
    let metadata = program::metadata(target)?;
    let program = match given {
        Some(Given { file, .. }) => fs::read(file).with_context(|| format!("reading {}", file.display()))?,
        None => program::build(target, &metadata)?,
    };
    if !given.is_some_and(|given| given.for_tests) {
        program::may_be_given_away(&program)?;
    }
    Ok(Parts {
        slug: about.slug(),
        name: about.name,
        // Debian wants one; in this domain there is nobody (RFC 2606).
        contact: about.contact.unwrap_or_else(|| "nobody@samara.invalid".to_owned()),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        time: program::time(),
        program,
        brand: files,
        icon,
        licences: licences::all(&metadata)?,
    })
}

#[cfg(test)]
mod tests;
