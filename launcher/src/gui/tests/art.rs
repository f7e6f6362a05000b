//! Games with pictures: as studios make them, and as nobody should.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, LazyLock, Mutex};

use eframe::egui::accesskit::Role;
use eframe::egui::{Color32, ColorImage, TextureHandle, TextureOptions};
use egui_kittest::kittest::NodeT as _;

use super::layout::lines;
use super::stages::{downloads, told};
use super::states::LONG;
use super::ways::{Seer, Tongue, Way};
use super::*;
use crate::gui::art::{Gallery, Shown, Wanted};
use crate::gui::artist;
use crate::gui::theme::tokens::tests::contrast;
use crate::shell::settings::Layout;

/// The pictures of a window, which are painted before it is looked at.
pub(super) struct Pictures(Gallery<(TextureHandle, bool)>);

impl Pictures {
    pub(super) fn new() -> Self {
        Self(Gallery::new(usize::MAX))
    }

    /// Draws until nothing is wanted that is not there.
    pub(super) fn run(&mut self, harness: &mut Harness<'_, Stage>) {
        loop {
            let shown = |(texture, is_opaque): &(TextureHandle, bool)| Shown {
                texture: texture.id(),
                size: texture.size_vec2(),
                is_opaque: *is_opaque,
            };
            harness.state_mut().view.art = Arc::new(self.0.shelf(shown));
            harness.run();
            let (asked, _) = self.0.see(std::mem::take(&mut harness.state_mut().state.wanted));
            if asked.is_empty() {
                return;
            }
            for wanted in asked {
                match painted(&wanted) {
                    Ok(image) => {
                        let is_opaque = image.pixels.iter().all(Color32::is_opaque);
                        let texture = harness.ctx.load_texture("art", image, TextureOptions::LINEAR);
                        self.0.hang(wanted, (texture, is_opaque), 1);
                    }
                    // Of a file that two want, the second time is no news.
                    Err(_) => drop(self.0.fail(wanted)),
                }
            }
        }
    }
}

type Painted = HashMap<Wanted, Result<ColorImage, String>>;

/// As the real window's thread paints it; each once for all tests.
fn painted(wanted: &Wanted) -> Result<ColorImage, String> {
    static PAINTED: LazyLock<Mutex<Painted>> = LazyLock::new(Mutex::default);
    let any = Wanted { game: GameKey(0), ..wanted.clone() };
    let mut painted = PAINTED.lock().unwrap();
    let paint = || artist::paint(&file(&wanted.file.to_string_lossy()), wanted);
    painted.entry(any).or_insert_with(paint).clone()
}

/// What is in a file.
fn file(name: &str) -> Vec<u8> {
    let white = |width, height| {
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, width, height);
        encoder.set_color(png::ColorType::Grayscale);
        let pixels = vec![255; (width * height) as usize];
        encoder.write_header().unwrap().write_image_data(&pixels).unwrap();
        bytes
    };
    match name {
        "white" => white(1280, 480),
        "flat" => white(2048, 1),
        "thin" => white(1, 512),
        "broken" => white(256, 256)[..60].to_vec(),
        name => {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/assets/art");
            std::fs::read(folder.join(format!("{name}.png"))).unwrap()
        }
    }
}

/// Gives a game pictures; an empty name is none.
pub(super) fn give(game: &mut GameView, icon: &str, hero: &str) {
    let path = |name: &str| (!name.is_empty()).then(|| name.into());
    (game.game.art.icon, game.game.art.hero) = (path(icon), path(hero));
}

/// A page of a game with these pictures.
fn shows(mut stage: Stage, icon: &str, hero: &str) -> Stage {
    give(stage.view.open.as_mut().unwrap(), icon, hero);
    stage
}

/// Every way in which a game can have pictures, or none.
fn mixed() -> Stage {
    let all = [
        ("Freeciv", "aurora-icon", "aurora-hero"),
        ("Other", "harbour-icon", ""),
        ("Some", "", "circuit-hero"),
        ("Third", "", ""),
        (LONG, "circuit-icon", "white"),
        ("Other", "thin", "flat"),
        ("Some", "circuit-icon", "broken"),
        ("Third", "broken", "broken"),
        ("Freeciv", "thin", ""),
        ("Other", "broken", "harbour-hero"),
    ];
    let mut stage = stage(library(&all.map(|(name, ..)| name)));
    for (game, (_, icon, hero)) in stage.view.found.iter_mut().zip(all) {
        give(game, icon, hero);
        game.facts = installed("1", "2");
    }
    stage
}

pub(super) fn stages() -> Vec<(&'static str, Stage)> {
    let mut listed = mixed();
    listed.view.settings.layout = Layout::List;
    let mut long = page(installed("3.0.6", "3.1.4"));
    long.view.open.as_mut().unwrap().game.name = LONG.into();
    let mut queue = downloads();
    let arts = [("aurora-icon", "aurora-hero"), ("", "harbour-hero"), ("", ""), ("circuit-icon", "")];
    for (download, (icon, hero)) in queue.view.downloads.iter_mut().zip(arts) {
        give(&mut download.game, icon, hero);
    }
    let here = || page(installed("3.0.6", "3.1.4"));
    vec![
        ("art-cards", mixed()),
        ("art-lines", listed),
        ("art-page", shows(told(), "aurora-icon", "aurora-hero")),
        ("art-white", shows(long, "harbour-icon", "white")),
        ("art-flat", shows(here(), "thin", "flat")),
        ("art-broken", shows(here(), "broken", "broken")),
        ("art-downloads", queue),
    ]
}

fn seer(size: [f32; 2]) -> Seer {
    Seer::new(Way { tongue: Tongue::English, theme: Theme::Light, size, scale: 1.0 })
}

#[test]
fn text_can_be_read_on_the_whitest_picture() {
    for size in [[1280.0, 800.0], [800.0, 600.0], [640.0, 480.0]] {
        let mut seer = seer(size);
        for icon in ["", "aurora-icon"] {
            seer.show(shows(page(installed("3.0.6", "3.1.4")), icon, "white"));
            let picture = seer.picture();
            let lines = lines(&seer.harness);
            let name = lines.iter().position(|(text, _)| text == "Freeciv").unwrap();
            // The name and what stands with it, and what is behind them at both ends.
            let told: Vec<_> = lines[name.saturating_sub(1)..=name].iter().collect();
            assert_eq!(told.len(), 2);
            for (text, ink) in told {
                let corners = [ink.left_top(), ink.right_top(), ink.left_bottom(), ink.right_bottom()];
                for at in corners.map(|corner| corner + (corner - ink.center()).normalized() * 2.0) {
                    let behind = picture.pixel(at.x as usize, at.y as usize);
                    let ink = 220 + (f32::from(behind.r()) * 35.0 / 255.0) as u8;
                    let ratio = contrast(Color32::from_gray(ink), behind);
                    assert!(ratio >= 4.5, "{text:?} on {behind:?} at {at:?} of {size:?}: {ratio:.2}");
                    assert!(behind.r() > 60, "no picture is left behind {text:?}: {behind:?}");
                }
            }
            // Far from the text it is nearly as the studio made it.
            assert!(picture.pixel(size[0] as usize - 60, 125).r() > 240, "{size:?}");
        }
    }
}

/// What a screen reader says of a window.
fn said(stage: Stage) -> Vec<String> {
    let mut seer = seer([1280.0, 800.0]);
    seer.show(stage);
    let nodes = seer.harness.root().children_recursive();
    let said = nodes.map(|node| {
        let node = node.accesskit_node();
        (node.role(), format!("{:?} {:?} {:?}", node.role(), node.label(), node.value()))
    });
    // The lines of a text are told only while they can be seen: a higher banner moves some out.
    said.filter(|(role, _)| *role != Role::TextRun).map(|(_, said)| said).collect()
}

#[test]
fn pictures_are_decoration() {
    for (name, stage) in stages() {
        let mut bare = stages().into_iter().find(|(other, _)| *other == name).unwrap().1;
        let view = &mut bare.view;
        let queued = view.downloads.iter_mut().map(|download| &mut download.game);
        view.found.iter_mut().chain(&mut view.open).chain(queued).for_each(|game| give(game, "", ""));
        assert_eq!(said(stage), said(bare), "{name}");
    }
}

#[test]
fn only_what_is_on_the_screen_is_wanted() {
    let names: Vec<String> = (0..5000).map(|number| format!("Game {number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    for layout in [Layout::Grid, Layout::List] {
        let mut many = stage(library(&names));
        many.view.found.iter_mut().for_each(|game| give(game, "aurora-icon", "aurora-hero"));
        many.view.settings.layout = layout;
        let wanted = play(many).state().state.wanted.len();
        assert!((5..60).contains(&wanted), "{layout:?}: {wanted}");
    }
}

#[test]
fn a_broken_picture_looks_as_none() {
    let mut seer = seer([800.0, 600.0]);
    let mut seen = |icon, hero| {
        seer.show(shows(page(installed("3.0.6", "3.1.4")), icon, hero));
        seer.picture()
    };
    let (none, broken) = (seen("", ""), seen("broken", "broken"));
    assert_eq!(none.differs(&broken).0, 0);
    assert_ne!(none.differs(&seen("aurora-icon", "")).0, 0);
}

#[test]
fn the_keyboard_is_seen_on_any_picture() {
    for theme in [Theme::Light, Theme::Dark] {
        let mut seer = Seer::new(Way { tongue: Tongue::English, theme, size: [800.0, 600.0], scale: 1.0 });
        for hero in ["white", "aurora-hero"] {
            let mut one = stage(library(&["Freeciv"]));
            give(&mut one.view.found[0], "", hero);
            seer.show(one);
            let card = seer.harness.get_by_label_contains("Freeciv");
            let at = card.rect().center_top();
            card.focus();
            seer.harness.run();
            let picture = seer.picture();
            let (x, y) = (at.x as usize, at.y.round() as usize);
            let mark = contrast(picture.pixel(x, y), picture.pixel(x, y + 2));
            assert!(mark >= 3.0, "{theme:?} on {hero}: {mark:.2}");
        }
    }
}
