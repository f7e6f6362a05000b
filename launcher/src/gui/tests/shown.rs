//! The pictures in `docs/players.md`: painted here, and compared with what is kept, as all screens are.

use std::path::{Path, PathBuf};
use std::time::Duration;

use eframe::egui::Theme;
use painter::Picture;

use super::art::give;
use super::kept::renews;
use super::stages::{ahead, downloads, failed, told};
use super::ways::{Seer, Tongue, Way};
use super::*;
use crate::engine::{Offer, Phase};
use crate::shell::preview::{Asked, Cost};
use crate::shell::why::Why;

/// No part of a pixel differs by more: another processor may round the edges of letters differently.
const MOST: u8 = 24;
/// Nor all of them in the middle.
const MIDDLE: f32 = 0.2;

const GAMES: [&str; 8] = [
    "Maple Valley",
    "Lantern Night",
    "Paper Boats",
    "Harbour Days",
    "Snowline",
    "Old Orchard",
    "Night Circuit",
    "Quiet Comet",
];

/// Pictures of some of them.
const ARTS: [(&str, &str); 8] = [
    ("maple-icon", "maple-hero"),
    ("", "lantern-hero"),
    ("", ""),
    ("harbour-icon", "harbour-hero"),
    ("aurora-icon", ""),
    ("", ""),
    ("circuit-icon", "circuit-hero"),
    ("", ""),
];

const NOTES: &str = "# The long autumn\n- **Leaves** fall, and can be raked\n- Loading a farm takes half as long\n- The fox no longer gets stuck behind the mill\n\nThank you for all your letters.";

fn named(mut stage: Stage, name: &str) -> Stage {
    let folder = "/home/ada/Games/Maple Valley";
    if let Some(open) = &mut stage.view.open {
        open.game.name = name.into();
        give(open, ARTS[0].0, ARTS[0].1);
        open.game.repo = "https://games.maple.example/".into();
        open.game.root.sha256 = "0a1b2c3d4e5f6071".repeat(4);
        open.game.dir = Some(folder.into());
    }
    if let Some(preview) = &mut stage.view.preview {
        preview.folder = folder.into();
    }
    if let Some(offer) = &mut stage.view.offer {
        *offer = Offer { notes: NOTES.into(), ..offer.clone() };
    }
    stage
}

/// What a whole game takes.
fn whole() -> Asked {
    Asked::Known(Cost {
        release: "3.1.4".into(),
        download_bytes: 540_000_000,
        written_bytes: 820_000_000,
        space_bytes: 870_000_000,
        files: 4210,
        time: Duration::from_secs(50),
    })
}

fn games() -> Stage {
    let mut games = stage(library(&GAMES));
    let found = &mut games.view.found;
    found[0].facts = installed("3.0.6", "3.1.4");
    found[1].facts = installed("1.2", "1.2");
    found[2].facts = Facts { phase: Some(Phase::Downloading), ..Facts::default() };
    found[3].facts = installed("7.0.1", "7.0.1");
    found[5].facts = Facts { damaged: true, ..installed("2.4", "2.4") };
    found.iter_mut().zip(ARTS).for_each(|(game, (icon, hero))| give(game, icon, hero));
    games
}

fn queue() -> Stage {
    let mut queue = downloads();
    for (download, at) in queue.view.downloads.iter_mut().zip([0, 2, 6, 7]) {
        download.game.game.name = GAMES[at].into();
        give(&mut download.game, ARTS[at].0, ARTS[at].1);
    }
    queue.view.downloads.truncate(3);
    queue.view.downloads[0].why = Some(Why::Cap { limit: 12_500_000 });
    queue.steps = vec![(Step::Press, "why-title")];
    queue
}

/// Each by the name of its file.
fn pictures() -> [(&'static str, Theme, [f32; 2], Stage); 6] {
    [
        ("first", Theme::Light, [800.0, 400.0], stage(View::default())),
        ("library", Theme::Dark, [960.0, 700.0], games()),
        ("game", Theme::Dark, [880.0, 620.0], named(told(), GAMES[0])),
        (
            "before",
            Theme::Light,
            [880.0, 600.0],
            named(ahead(Facts::default(), whole(), 90_000_000_000), GAMES[0]),
        ),
        ("downloads", Theme::Dark, [880.0, 680.0], queue()),
        ("error", Theme::Light, [880.0, 560.0], named(failed("E-DISK-FULL", Facts::default()), GAMES[0])),
    ]
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/pictures")
}

#[test]
fn the_players_page_shows_the_window_as_it_is() {
    let mut found = Vec::new();
    for (name, theme, size, stage) in pictures() {
        let mut seer = Seer::new(Way { tongue: Tongue::English, theme, size, scale: 1.0 });
        seer.show(stage);
        let (seen, file) = (seer.picture(), folder().join(format!("{name}.png")));
        if renews() {
            std::fs::create_dir_all(folder()).unwrap();
            std::fs::write(&file, seen.png()).unwrap();
            continue;
        }
        let Some(kept) = std::fs::read(&file).ok().and_then(|bytes| Picture::of_png(&bytes)) else {
            found.push(format!("{name}: none is kept; SAMARA_LOOKS_RENEW=1 keeps it"));
            continue;
        };
        let (most, at, middle) = seen.differs(&kept);
        if most > MOST || middle > MIDDLE {
            found.push(format!("{name}: by {most} at {at:?}, by {middle:.2} in the middle"));
        }
    }
    assert!(
        found.is_empty(),
        "not as in docs/pictures; SAMARA_LOOKS_RENEW=1 paints them anew:\n{}",
        found.join("\n")
    );
}

#[test]
fn every_picture_is_on_the_page_and_all_are_small() {
    let page = std::fs::read_to_string(folder().join("../players.md")).unwrap();
    for (name, ..) in pictures() {
        assert!(page.contains(&format!("(pictures/{name}.png)")), "{name}");
    }
    let files = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len());
    let sizes: Vec<_> = files.collect();
    assert_eq!(sizes.len(), pictures().len());
    assert!(sizes.iter().sum::<u64>() < 1_000_000, "{sizes:?}");
}
