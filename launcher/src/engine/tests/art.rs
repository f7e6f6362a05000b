//! Pictures: found by what was signed, and never in anybody's way.

use manifests::release::{Art, FileIdentity};

use super::repo::{Repo, noise};
use super::*;
use crate::engine::{Look, Offer, Pictured, Pictures, picture_path};

const FOLDER: &str = "art";

struct World {
    repo: Repo,
    player: Player,
    temp: tempfile::TempDir,
    icon: FileIdentity,
    hero: FileIdentity,
}

impl World {
    fn new() -> Self {
        let (mut repo, player) = (Repo::new(), Player::new());
        let (icon, hero) = (repo.store(&noise(1, 5_000)).identity, repo.store(&noise(2, 70_000)).identity);
        repo.art = Art { icon: Some(icon), hero: Some(hero) };
        repo.publish("1.0", &[("data", noise(3, 1_000))]);
        Self { repo, player, temp: tempfile::tempdir().unwrap(), icon, hero }
    }

    fn look(&mut self) -> Offer {
        let look = Operation::Look(Look {
            repo: self.repo.url(),
            trust_root: self.repo.root(),
            game: "maple".to_owned(),
            select: Select::Channel("stable".to_owned()),
            installed: None,
            memory: self.temp.path().join("memory"),
        });
        let Ok(Outcome::Looked(offer)) = self.player.run(look) else { panic!("no offer") };
        offer
    }

    fn fetch(&mut self, art: Art) -> Pictured {
        self.fetch_from(self.repo.url(), art).unwrap()
    }

    fn fetch_from(&mut self, repo: String, art: Art) -> Result<Pictured, String> {
        let asked = Pictures { repo, art, folder: self.temp.path().join(FOLDER) };
        match self.player.run(Operation::Pictures(asked))? {
            Outcome::Pictured(came) => Ok(came),
            other => panic!("{other:?}"),
        }
    }

    fn place(&self, id: &FileIdentity) -> std::path::PathBuf {
        picture_path(&self.temp.path().join(FOLDER), id)
    }

    fn names(&self) -> usize {
        std::fs::read_dir(self.temp.path().join(FOLDER)).map_or(0, Iterator::count)
    }
}

#[test]
fn fetched_once_and_the_same_as_signed() {
    let mut world = World::new();
    let offer = world.look();
    assert_eq!(offer.art, Art { icon: Some(world.icon), hero: Some(world.hero) });
    world.repo.served();
    let came = world.fetch(offer.art);
    assert_eq!(came, Pictured { icon: Some(world.place(&world.icon)), hero: Some(world.place(&world.hero)) });
    assert!(std::fs::read(world.place(&world.hero)).unwrap() == noise(2, 70_000));
    assert_eq!(world.repo.served(), 75_000);
    assert_eq!(world.fetch(offer.art), came);
    assert_eq!((world.repo.served(), world.names()), (0, 2), "what is here is not fetched again");
    // One that was cut short or damaged on this disk is.
    for harm in [b"cut".to_vec(), vec![0; 5_000]] {
        std::fs::write(world.place(&world.icon), harm).unwrap();
        assert_eq!(world.fetch(offer.art), came);
        assert_eq!(world.repo.served(), 5_000);
        assert!(std::fs::read(world.place(&world.icon)).unwrap() == noise(1, 5_000));
    }
}

#[test]
fn one_that_cannot_be_had_keeps_no_other_from_being_shown() {
    type Harm = (&'static str, Option<Vec<u8>>);
    let table: [Harm; 4] = [
        ("not there", None),
        ("other bytes", Some(noise(9, 5_000))),
        ("longer", Some([noise(1, 5_000), noise(9, 1)].concat())),
        ("cut", Some(noise(1, 5_000)[..4_000].to_vec())),
    ];
    for (what, instead) in table {
        let mut world = World::new();
        let blob = world.repo.public().join(format!("blobs/{}", world.icon));
        match instead {
            Some(bytes) => std::fs::write(blob, bytes).unwrap(),
            None => std::fs::remove_file(blob).unwrap(),
        }
        let art = world.look().art;
        let came = world.fetch(art);
        assert_eq!(came, Pictured { icon: None, hero: Some(world.place(&world.hero)) }, "{what}");
        assert_eq!(world.names(), 1, "{what}: nothing else is left behind");
    }
}

#[test]
fn what_is_here_is_shown_although_nobody_answers() {
    let mut world = World::new();
    let art = world.look().art;
    let nowhere = || "http://127.0.0.1:9/".to_owned();
    assert_eq!(world.fetch_from(nowhere(), art).unwrap_err(), "E-OFFLINE");
    world.fetch(art);
    std::fs::remove_file(world.place(&world.hero)).unwrap();
    let came = world.fetch_from(nowhere(), art).unwrap();
    assert_eq!(came, Pictured { icon: Some(world.place(&world.icon)), hero: None });
}

#[test]
fn one_that_cannot_be_kept_leaves_nothing_behind() {
    let mut world = World::new();
    let art = world.look().art;
    // A folder stands where it would go.
    std::fs::create_dir_all(world.place(&world.icon).join("in the way")).unwrap();
    let came = world.fetch(art);
    assert_eq!(came, Pictured { icon: None, hero: Some(world.place(&world.hero)) });
    assert_eq!(world.names(), 2, "the hero, and what stood there");
}

#[test]
fn a_release_without_pictures_offers_none() {
    let mut world = World::new();
    world.repo.art = Art::default();
    world.repo.publish("2.0", &[("data", noise(4, 1_000))]);
    assert!(world.look().art.is_empty());
    assert_eq!(world.fetch(Art::default()), Pictured::default());
    assert_eq!(world.names(), 0);
}
