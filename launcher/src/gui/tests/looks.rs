//! How the screens look. With SAMARA_LOOKS=FOLDER every one of them is painted into that folder, to be looked at.

use std::path::Path;

use eframe::egui::Theme;

use super::paint::{Picture, Textures};
use super::stages::stages;
use super::*;

/// One way to show a screen.
struct Way {
    name: &'static str,
    language: Language,
    theme: Theme,
    size: [f32; 2],
    scale: f32,
}

const WAYS: [Way; 4] = [
    Way { name: "dark", language: Language::English, theme: Theme::Dark, size: [1280.0, 800.0], scale: 1.0 },
    Way {
        name: "small-de",
        language: Language::German,
        theme: Theme::Light,
        size: [800.0, 600.0],
        scale: 1.0,
    },
    Way {
        name: "light-2x",
        language: Language::English,
        theme: Theme::Light,
        size: [640.0, 480.0],
        scale: 2.0,
    },
    Way { name: "pseudo", language: Language::Pseudo, theme: Theme::Dark, size: [800.0, 600.0], scale: 1.0 },
];

fn paint(mut stage: Stage, way: &Way) -> Picture {
    stage.texts = Texts::new(way.language);
    let textures = Textures::default();
    let harness = built(stage, way.size, way.scale, way.theme, textures.clone());
    Picture::of(&harness, &textures)
}

#[test]
fn every_screen_is_painted() {
    let folder = std::env::var_os("SAMARA_LOOKS");
    let only = std::env::var("SAMARA_LOOKS_ONLY").unwrap_or_default();
    for (name, stage) in stages().into_iter().filter(|(name, _)| name.contains(&only)) {
        let Some(folder) = &folder else {
            let small = Way { size: [320.0, 240.0], ..WAYS[0] };
            assert!(paint(stage, &small).colors() > 20, "{name}");
            continue;
        };
        for way in &WAYS {
            let stage = stages().into_iter().find(|(other, _)| *other == name).unwrap().1;
            let file = Path::new(folder).join(format!("{name}.{}.png", way.name));
            std::fs::write(file, paint(stage, way).png()).unwrap();
        }
    }
}
