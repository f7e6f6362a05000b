//! The pictures of games: what views want of them, what is asked for, and what is there. Nothing here reads a file or makes a
//! texture.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};

use eframe::egui::{TextureId, Vec2};

use crate::shell::{Game, GameKey};

/// So many are read and decoded at a time: those that have scrolled away by then are not asked for.
const AT_ONCE: usize = 4;
/// What sizes are rounded up to, in pixels: one that is drawn a little larger or smaller needs no other picture.
const STEP: u32 = 32;
/// The same of a banner, which is as wide as the window.
const BANNER_STEP: u32 = 128;
/// Nothing is drawn larger, in pixels.
const SIDE_MAX: u32 = 2048;

/// Which of a game's pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// The square one.
    Icon,
    /// The wide one.
    Hero,
}

/// Where a picture is drawn; each place has its own, of the size that it needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Spot {
    /// A line of the library, and of the downloads.
    Line,
    /// What fills a card.
    Card,
    /// The icon on a card that a hero fills.
    Badge,
    /// Across a game's page.
    Banner,
    /// The icon beside a game's name on its page.
    Emblem,
}

/// A picture that a view would draw.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Wanted {
    /// Whose.
    pub game: GameKey,
    /// Where.
    pub spot: Spot,
    /// Which of them.
    pub kind: Kind,
    /// The file that it is in.
    pub file: PathBuf,
    /// What it has to cover, in pixels.
    pub size: [u32; 2],
}

impl Wanted {
    /// The picture of a game that has one, to cover so many points with so many pixels each.
    #[must_use]
    pub fn of(game: &Game, kind: Kind, spot: Spot, points: Vec2, scale: f32) -> Option<Self> {
        let file = match kind {
            Kind::Icon => game.art.icon.clone(),
            Kind::Hero => game.art.hero.clone(),
        }?;
        let step = if spot == Spot::Banner { BANNER_STEP } else { STEP };
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a cast stays within its bounds"
        )]
        let pixels = |points: f32| ((points * scale).ceil() as u32).clamp(1, SIDE_MAX).next_multiple_of(step);
        Some(Self { game: game.key, spot, kind, file, size: [pixels(points.x), pixels(points.y)] })
    }

    fn place(&self) -> Place {
        (self.game, self.spot)
    }
}

type Place = (GameKey, Spot);

/// A picture to draw.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shown {
    /// On the graphics card.
    pub texture: TextureId,
    /// Its size, in pixels.
    pub size: Vec2,
    /// What lies below it is not seen.
    pub is_opaque: bool,
}

/// What a view draws for a picture that it wants.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Look {
    /// This one.
    Here(Shown),
    /// It is on the way.
    Coming,
    /// It cannot be used: as if there were none.
    Failed,
}

/// The pictures that are there, as views see them.
#[derive(Debug, Clone, Default)]
pub struct Shelf {
    here: HashMap<Place, Shown>,
    failed: HashSet<PathBuf>,
}

impl Shelf {
    /// What is drawn for a picture: until the one of a new release or of another size is there, the one before.
    #[must_use]
    pub fn look(&self, wanted: &Wanted) -> Look {
        match self.here.get(&wanted.place()) {
            _ if self.failed.contains(&wanted.file) => Look::Failed,
            Some(shown) => Look::Here(*shown),
            None => Look::Coming,
        }
    }
}

/// A picture that is there.
#[derive(Debug)]
struct Hung<T> {
    /// As which it was asked for.
    wanted: Wanted,
    picture: T,
    bytes: usize,
    /// The frame that it was drawn in last.
    seen: u64,
}

/// Which pictures are there, and which are asked for.
#[derive(Debug)]
pub struct Gallery<T> {
    here: HashMap<Place, Hung<T>>,
    asked: HashSet<Place>,
    failed: HashSet<PathBuf>,
    /// Those that it was told of.
    told: HashSet<PathBuf>,
    /// Frames so far.
    frame: u64,
    /// Bytes that all of them may take; those that are on the screen stay in any case.
    room: usize,
}

impl<T> Gallery<T> {
    /// An empty one, for pictures of so many bytes in all.
    #[must_use]
    pub fn new(room: usize) -> Self {
        let (failed, told) = (HashSet::new(), HashSet::new());
        Self { here: HashMap::new(), asked: HashSet::new(), failed, told, frame: 0, room }
    }

    /// A frame is drawn, and these were wanted for it. What is to be asked for now, and whether pictures were put away:
    /// first those that were seen longest ago.
    pub fn see(&mut self, wanted: BTreeSet<Wanted>) -> (Vec<Wanted>, bool) {
        self.frame += 1;
        let mut ask = Vec::new();
        for wanted in wanted {
            let place = wanted.place();
            let is_here = self.here.get_mut(&place).is_some_and(|hung| {
                hung.seen = self.frame;
                hung.wanted == wanted
            });
            let is_known = is_here || self.failed.contains(&wanted.file);
            if !is_known && self.asked.len() < AT_ONCE && self.asked.insert(place) {
                ask.push(wanted);
            }
        }
        (ask, self.put_away())
    }

    fn put_away(&mut self) -> bool {
        let mut bytes: usize = self.here.values().map(|hung| hung.bytes).sum();
        if bytes <= self.room {
            return false;
        }
        let out_of_sight = self.here.iter().filter(|(_, hung)| hung.seen < self.frame);
        let mut oldest: Vec<_> = out_of_sight.map(|(place, hung)| (hung.seen, *place, hung.bytes)).collect();
        oldest.sort_unstable();
        let before = self.here.len();
        for (_, place, freed) in oldest {
            if bytes <= self.room {
                break;
            }
            bytes -= freed;
            self.here.remove(&place);
        }
        self.here.len() < before
    }

    /// What was asked for is there, and takes so many bytes.
    pub fn hang(&mut self, wanted: Wanted, picture: T, bytes: usize) {
        let place = wanted.place();
        self.asked.remove(&place);
        self.here.insert(place, Hung { wanted, picture, bytes, seen: self.frame });
    }

    /// What was asked for cannot be used, and is not asked for again. Whether this is news.
    pub fn fail(&mut self, wanted: Wanted) -> bool {
        self.asked.remove(&wanted.place());
        self.failed.insert(wanted.file.clone());
        self.told.insert(wanted.file)
    }

    /// A file was fetched, perhaps again because it was gone: it is worth another try. Whether that changes anything.
    pub fn fetched(&mut self, file: &Path) -> bool {
        self.failed.remove(file)
    }

    /// What views are given; `shown` tells how a picture is drawn.
    pub fn shelf(&self, shown: impl Fn(&T) -> Shown) -> Shelf {
        let here = self.here.iter().map(|(place, hung)| (*place, shown(&hung.picture))).collect();
        Shelf { here, failed: self.failed.clone() }
    }
}

#[cfg(test)]
mod tests;
