//! What a studio makes of this launcher by one file, without compiling: its name and pictures, the repository that its
//! players get, and where the launcher itself is updated from.
//!
//! The file lies in the launcher's own package, beside the program or in `../share/samara` from there: who can write it
//! can replace the program too. So what it says about trust is believed, and nothing else is asked for it.
//!
//! ```toml
//! name = "Maple Games"
//! icon = "icon.png"              # up to 512 × 512
//! art = "art.png"                # up to 2048 × 1024
//!
//! [repository]
//! url = "https://games.example/"
//! root = "root.json"
//! games = ["maple"]
//!
//! [update]
//! url = "https://launcher.example/"
//! root = "launcher-root.json"
//! ```

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use manifests::path::SafePath;
use manifests::release::GameId;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use url::Url;

pub use crate::picture::Picture;
use crate::picture::{ART, ICON};

/// The file's name.
pub const BRAND_FILE: &str = "brand.toml";
/// What a launcher without such a file is called.
pub const NAME: &str = "Samara";
/// What the launcher is called in the repository that it is updated from, unless the file says otherwise.
pub const UPDATE_GAME: &str = "samara-launcher";
/// Longer files are none, in bytes.
pub const BRAND_BYTES_MAX: u64 = 64 << 10;
/// A trust root is not longer than this, in bytes.
pub const ROOT_BYTES_MAX: u64 = 1 << 20;
/// A picture is not longer than this, in bytes.
pub const PICTURE_BYTES_MAX: u64 = 8 << 20;
/// Games that one file brings, at most.
pub const GAMES_MAX: usize = 64;
/// Characters of a name, at most: it stands in a window's title.
pub const NAME_CHARS_MAX: usize = 40;
/// An e-mail address is no longer (RFC 5321).
const CONTACT_BYTES_MAX: usize = 254;

/// What the launcher is to its players.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Brand {
    /// What it is called.
    pub name: String,
    /// Who answers for the packages: an e-mail address.
    pub contact: Option<String>,
    /// The window's icon; none for ours.
    pub icon: Option<Picture>,
    /// What is shown where there are no games yet.
    pub art: Option<Picture>,
    /// What is offered at the first start.
    pub repository: Option<RepositorySource>,
    /// Where newer versions of the launcher come from; none: it does not update itself.
    pub update: Option<UpdateSource>,
    /// The files that it names, as it names them: a package that has the brand file has these beside it.
    pub files: Vec<String>,
}

impl Default for Brand {
    fn default() -> Self {
        Self {
            name: NAME.to_owned(),
            contact: None,
            icon: None,
            art: None,
            repository: None,
            update: None,
            files: Vec::new(),
        }
    }
}

/// The repository that players of this studio get.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepositorySource {
    /// Its address, with a slash at its end.
    pub url: Url,
    /// Whose signatures are believed.
    pub root: TrustedRoot,
    /// The ids of its games, at least one.
    pub games: Vec<String>,
}

/// The repository that the launcher is updated from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpdateSource {
    /// Its address, with a slash at its end.
    pub url: Url,
    /// Whose signatures are believed: nobody else's, whatever game they sign.
    pub root: TrustedRoot,
    /// The launcher's id there.
    pub game: String,
}

/// A root.json that came with the package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedRoot {
    /// Where it lies.
    pub file: PathBuf,
    /// Its content. Whether it is a root is found by who uses it.
    pub bytes: Vec<u8>,
    /// SHA-256 of it, in hex.
    pub sha256: String,
}

/// A brand file that is there and cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BrandError {
    /// The file, or one that it names, cannot be read.
    #[error("{file} cannot be read: {cause}")]
    Read {
        /// Which file.
        file: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// A file is longer than such files are.
    #[error("{file} is longer than {most} bytes")]
    TooLong {
        /// Which file.
        file: PathBuf,
        /// The bound, in bytes.
        most: u64,
    },
    /// It is not what a brand file has to be.
    #[error("{file} cannot be used: {cause}")]
    Wrong {
        /// The brand file.
        file: PathBuf,
        /// What is wrong with it.
        cause: String,
    },
    /// A picture is no PNG, or too large.
    #[error("the picture {file} cannot be used: {cause}")]
    Picture {
        /// Which picture.
        file: PathBuf,
        /// What is wrong with it.
        cause: String,
    },
}

impl BrandError {
    /// The stable code scripts match on.
    #[must_use]
    pub fn code(&self) -> &'static str {
        "E-BRAND"
    }

    /// What the player can do about it.
    #[must_use]
    pub fn advice(&self) -> &'static str {
        "Install the launcher again from its studio's page; games and settings stay."
    }
}

/// The file as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: Option<String>,
    contact: Option<String>,
    icon: Option<String>,
    art: Option<String>,
    repository: Option<WrittenRepository>,
    update: Option<WrittenUpdate>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenRepository {
    url: String,
    root: String,
    games: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenUpdate {
    url: String,
    root: String,
    game: Option<String>,
}

impl Brand {
    /// The brand of the program `exe`: of `brand.toml` beside it, else of `../share/samara/brand.toml` from there, else
    /// the default.
    ///
    /// # Errors
    /// [`BrandError`]: there is such a file and it, or a file it names, cannot be used. Nothing half of it counts.
    pub fn load(exe: &Path) -> Result<Self, BrandError> {
        let folder = exe.parent().unwrap_or(Path::new(""));
        let shared = folder.parent().map(|above| above.join("share").join("samara"));
        for folder in [Some(folder.to_owned()), shared].into_iter().flatten() {
            let file = folder.join(BRAND_FILE);
            match read(&file, BRAND_BYTES_MAX) {
                Ok(bytes) => return Self::parse(&file, &bytes, read),
                Err(BrandError::Read { cause, .. }) if cause.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Self::default())
    }

    /// The name as a package, a folder and a command have it: `Maple Games` is `maple-games`.
    #[must_use]
    pub fn slug(&self) -> String {
        let lower = self.name.to_lowercase();
        let words = lower.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
        let slug = words.collect::<Vec<_>>().join("-");
        match slug.len() {
            0 => NAME.to_lowercase(),
            // Debian wants more than one letter.
            1 => format!("{}-{slug}", NAME.to_lowercase()),
            _ => slug,
        }
    }

    /// The brand in a file at a known place, for who makes packages.
    ///
    /// # Errors
    /// [`BrandError`].
    pub fn read(file: &Path) -> Result<Self, BrandError> {
        Self::parse(file, &read(file, BRAND_BYTES_MAX)?, read)
    }

    /// Reads `bytes` as the file `file`; what it names is read by `read` with the most bytes that it may have.
    fn parse(
        file: &Path,
        bytes: &[u8],
        read: impl Fn(&Path, u64) -> Result<Vec<u8>, BrandError>,
    ) -> Result<Self, BrandError> {
        let folder = file.parent().unwrap_or(Path::new(""));
        let reader = Reader { file, folder, read, named: RefCell::default() };
        let text = std::str::from_utf8(bytes).map_err(|_| reader.wrong("it is not UTF-8"))?;
        let written: Written =
            toml::from_str(text).map_err(|error| reader.wrong(error.to_string().trim_end()))?;
        let name = written.name.map_or_else(|| Ok(NAME.to_owned()), |name| reader.name(&name))?;
        let contact = written.contact.map(|contact| reader.contact(contact)).transpose()?;
        let picture = |name: Option<String>, bound| {
            name.map(|name| {
                let (file, bytes) = reader.beside(&name, PICTURE_BYTES_MAX)?;
                Picture::decode(&bytes, bound).map_err(|cause| BrandError::Picture { file, cause })
            })
            .transpose()
        };
        let icon = picture(written.icon, ICON)?;
        let art = picture(written.art, ART)?;
        let repository = written.repository.map(|repository| reader.repository(repository)).transpose()?;
        let update = written.update.map(|update| reader.update(update)).transpose()?;
        Ok(Self { name, contact, icon, art, repository, update, files: reader.named.into_inner() })
    }
}

/// Turns what is written into what it means.
struct Reader<'a, R> {
    file: &'a Path,
    folder: &'a Path,
    read: R,
    named: RefCell<Vec<String>>,
}

impl<R: Fn(&Path, u64) -> Result<Vec<u8>, BrandError>> Reader<'_, R> {
    fn wrong(&self, cause: impl Into<String>) -> BrandError {
        BrandError::Wrong { file: self.file.to_owned(), cause: cause.into() }
    }

    fn name(&self, name: &str) -> Result<String, BrandError> {
        let name = name.trim();
        let is_plain = name.chars().count() <= NAME_CHARS_MAX && !name.chars().any(char::is_control);
        if name.is_empty() || !is_plain {
            return Err(self.wrong(format!("name must be one line of 1 to {NAME_CHARS_MAX} characters")));
        }
        Ok(name.to_owned())
    }

    /// Fields of packages end at the characters that are refused.
    fn contact(&self, contact: String) -> Result<String, BrandError> {
        let is_plain = |part: &str| {
            !part.is_empty() && part.chars().all(|c| c.is_ascii_graphic() && !"<>(),;:@\"\\".contains(c))
        };
        let parts = contact.split_once('@');
        if contact.len() > CONTACT_BYTES_MAX || !parts.is_some_and(|(who, at)| is_plain(who) && is_plain(at))
        {
            return Err(self.wrong(format!("contact {contact:?} is no e-mail address")));
        }
        Ok(contact)
    }

    /// A file that lies with the brand file, not above it.
    fn beside(&self, name: &str, most: u64) -> Result<(PathBuf, Vec<u8>), BrandError> {
        let path = SafePath::parse(name).map_err(|error| self.wrong(format!("{name:?}: {error}")))?;
        let file = path.parts().fold(self.folder.to_owned(), |folder, part| folder.join(part));
        let bytes = (self.read)(&file, most)?;
        self.named.borrow_mut().push(name.to_owned());
        Ok((file, bytes))
    }

    fn root(&self, name: &str) -> Result<TrustedRoot, BrandError> {
        let (file, bytes) = self.beside(name, ROOT_BYTES_MAX)?;
        // Whoever named the wrong file by mistake hears of it here and not when a player installs.
        let is_json = serde_json::from_slice::<serde::de::IgnoredAny>(&bytes).is_ok();
        if !is_json {
            return Err(self.wrong(format!("{name} is no root.json")));
        }
        let sha256 = hex::encode(Sha256::digest(&bytes));
        Ok(TrustedRoot { file, bytes, sha256 })
    }

    fn address(&self, text: &str) -> Result<Url, BrandError> {
        let wrong =
            || self.wrong(format!("url {text:?} is no folder's address such as https://games.example/"));
        let mut url = Url::parse(text).map_err(|_| wrong())?;
        let is_folder = url.query().is_none() && url.fragment().is_none();
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() || !is_folder {
            return Err(wrong());
        }
        if !url.path().ends_with('/') {
            url.set_path(&format!("{}/", url.path()));
        }
        Ok(url)
    }

    fn game(&self, id: String) -> Result<String, BrandError> {
        match GameId::parse(&id) {
            Ok(_) => Ok(id),
            Err(_) => Err(self.wrong(format!("{id:?} is no id of a game"))),
        }
    }

    fn repository(&self, written: WrittenRepository) -> Result<RepositorySource, BrandError> {
        if !(1..=GAMES_MAX).contains(&written.games.len()) {
            return Err(self.wrong(format!("games must name 1 to {GAMES_MAX} games")));
        }
        Ok(RepositorySource {
            url: self.address(&written.url)?,
            root: self.root(&written.root)?,
            games: written.games.into_iter().map(|id| self.game(id)).collect::<Result<_, _>>()?,
        })
    }

    fn update(&self, written: WrittenUpdate) -> Result<UpdateSource, BrandError> {
        Ok(UpdateSource {
            url: self.address(&written.url)?,
            root: self.root(&written.root)?,
            game: self.game(written.game.unwrap_or_else(|| UPDATE_GAME.to_owned()))?,
        })
    }
}

/// A whole file, when it has no more than `most` bytes.
fn read(file: &Path, most: u64) -> Result<Vec<u8>, BrandError> {
    let failed = |cause| BrandError::Read { file: file.to_owned(), cause };
    let mut bytes = Vec::new();
    let opened = File::open(file).map_err(failed)?;
    opened.take(most.saturating_add(1)).read_to_end(&mut bytes).map_err(failed)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > most {
        return Err(BrandError::TooLong { file: file.to_owned(), most });
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests;
