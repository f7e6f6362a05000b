//! A game's pictures: signed with the release and fetched by content, but no part of the game's folder or torrents.

use super::cbor::{CborError, Reader, Writer};
use super::identity::FileIdentity;
use super::manifest::ManifestError;

/// Bytes of an icon, at most.
pub const MAX_ICON_BYTES: u64 = 256 << 10;
/// Bytes of a hero, at most.
pub const MAX_HERO_BYTES: u64 = 2 << 20;
/// An icon's width and height, at most, in pixels.
pub const MAX_ICON_PIXELS: (u32, u32) = (512, 512);
/// A hero's width and height, at most, in pixels.
pub const MAX_HERO_PIXELS: (u32, u32) = (2048, 1024);

/// Pictures of a release, as PNG. Their lengths are signed; that they can be decoded is not, and whoever shows them
/// bounds them by the pixels above.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Art {
    /// Square, for lists: at most [`MAX_ICON_BYTES`].
    pub icon: Option<FileIdentity>,
    /// Wide, for the game's page: at most [`MAX_HERO_BYTES`].
    pub hero: Option<FileIdentity>,
}

impl Art {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.icon.is_none() && self.hero.is_none()
    }

    /// The pictures there are.
    pub fn pictures(&self) -> impl Iterator<Item = FileIdentity> {
        self.icon.into_iter().chain(self.hero)
    }

    pub(super) fn check(&self) -> Result<(), ManifestError> {
        let fits = |picture: Option<FileIdentity>, longest: u64| {
            picture.is_none_or(|id| {
                !id.is_empty() && id.len <= longest && FileIdentity::new(id.len, id.root).is_ok()
            })
        };
        if fits(self.icon, MAX_ICON_BYTES) && fits(self.hero, MAX_HERO_BYTES) {
            return Ok(());
        }
        Err(ManifestError::Rule("a picture is empty or longer than 256 KiB (icon), 2 MiB (hero)"))
    }

    /// A map of those there are, each `[len, root]`.
    pub(super) fn write(&self, w: &mut Writer) {
        w.map(self.pictures().count());
        for (name, picture) in [("hero", self.hero), ("icon", self.icon)] {
            if let Some(id) = picture {
                w.text(name).array(2).uint(id.len).bytes(&id.root);
            }
        }
    }

    pub(super) fn read(r: &mut Reader<'_>) -> Result<Self, ManifestError> {
        let mut art = Self::default();
        for _ in 0..r.map("art", 2)? {
            let at = r.at();
            let (place, longest) = match r.text("a picture's name", 8)? {
                "hero" if art.is_empty() => (&mut art.hero, MAX_HERO_BYTES),
                "icon" if art.icon.is_none() => (&mut art.icon, MAX_ICON_BYTES),
                "hero" => return Err(CborError::NotDeterministic { at }.into()),
                _ => return Err(ManifestError::Rule("it has a picture that is neither icon nor hero")),
            };
            if r.array("a picture", 2)? != 2 {
                return Err(ManifestError::Rule("a picture is not a pair of length and root"));
            }
            let len = r.uint("a picture's length", longest)?;
            *place = Some(FileIdentity { len, root: r.fixed("a 32-byte root")? });
        }
        if art.is_empty() {
            return Err(ManifestError::Rule("it has room for pictures and none in it"));
        }
        Ok(art)
    }
}
