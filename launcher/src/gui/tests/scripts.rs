//! Names in scripts that our own fonts lack come from the system's, as in the real window.

use std::sync::Arc;

use eframe::egui::FontId;
use egui_system_font_provider::SystemFontProvider;

use super::*;
use painter::{Picture, Textures};

/// Names of games, by script.
const NAMES: [(&str, &str); 5] = [
    ("Cyrillic", "Цивилизация"),
    ("Greek", "Πολιτισμός"),
    ("Arabic", "الحضارة"),
    ("Hebrew", "ציוויליזציה"),
    ("Chinese", "文明"),
];

fn window(name: &str, textures: Textures, boxes: bool) -> Harness<'static, Stage> {
    let builder = Harness::builder().with_size(vec2(480.0, 480.0)).with_theme(Theme::Dark);
    let builder = if boxes { builder.allow_missing_glyphs() } else { builder };
    let mut harness = builder
        .with_context_setup(|ctx: &eframe::egui::Context| {
            theme::install(ctx);
            ctx.add_font_provider(Arc::new(SystemFontProvider::new()));
        })
        .renderer(textures)
        .build_ui_state(
            |ui, stage: &mut Stage| {
                let Stage { texts, view, state, actions, .. } = stage;
                screens::show(ui, &mut Scene { texts, view, state, actions });
            },
            stage(library(&[name])),
        );
    harness.run();
    harness
}

#[test]
fn no_box_is_shown_where_a_font_is_there() {
    let mut shown = Vec::new();
    for (script, name) in NAMES {
        let textures = Textures::default();
        let harness = window(name, textures.clone(), true);
        let id = FontId::new(15.0, theme::fonts::medium());
        let has = harness.ctx.fonts_mut(|fonts| fonts.has_glyphs(&id, name));
        if let Some(folder) = std::env::var_os("SAMARA_LOOKS") {
            let file = std::path::Path::new(&folder).join(format!("script-{script}.png"));
            std::fs::write(file, Picture::of(&harness, &textures).png()).unwrap();
        }
        if has {
            // It fails where a letter is a box.
            window(name, Textures::default(), false);
            shown.push(script);
        }
    }
    eprintln!("shown: {shown:?}");
    assert!(shown.contains(&"Cyrillic") && shown.contains(&"Greek"), "{shown:?}");
}
