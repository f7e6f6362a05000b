//! The pictures that are kept of every screen in every state and way, in German and with other scripts: small ones, in
//! `launcher/looks`, a sheet for each stage. What is painted now must look the same.
//!
//! SAMARA_LOOKS_RENEW=1 keeps what is painted now: look at it before it is committed.

use std::path::{Path, PathBuf};

use eframe::egui::Color32;
use painter::Picture;

use super::stages::stages;
use super::ways::{Seer, Tongue, Way, has_all_scripts, ways};
use super::*;

/// Points that become one pixel of a kept picture, each way.
const SQUARE: f32 = 5.0;
/// No part of a pixel differs by more: what is kept is rounded by 4, and another processor may round by some more.
const MOST: u8 = 14;
/// Nor all of them in the middle, rounded alike.
const MIDDLE: f32 = 0.5;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("looks")
}

pub(super) fn renews() -> bool {
    std::env::var_os("SAMARA_LOOKS_RENEW").is_some()
}

/// What is painted now is what is kept, coarsely.
fn keep(file: &Path, seen: &Picture) {
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(file, seen.coarse().png()).unwrap();
}

/// Where a way's picture stands on its sheet.
fn place(way: &Way) -> [usize; 4] {
    let [width, height] = way.size.map(|points| (points / SQUARE) as usize);
    let left = if width == 256 { 0 } else { 2 * 256 };
    let (column, row) = (usize::from(way.scale > 1.0), usize::from(way.theme == Theme::Light));
    [left + column * width, row * height, width, height]
}

/// A sheet with all ways of a stage.
fn sheet() -> Picture {
    Picture::plain(2 * 256 + 2 * 160, 2 * 160, Color32::BLACK)
}

/// Why two pictures of a way do not look the same.
fn differs(seen: &Picture, kept: &Picture) -> Option<String> {
    let (most, [x, y], _) = seen.differs(kept);
    let (_, _, middle) = seen.coarse().differs(kept);
    let at = [x, y].map(|at| at as f32 * SQUARE);
    (most > MOST || middle > MIDDLE).then(|| format!("by {most} at {at:?}, by {middle:.2} in the middle"))
}

/// Compares all stages in all ways of a tongue with what is kept of them.
fn compare(tongue: Tongue) {
    let mut sheets: Vec<_> = stages().iter().map(|(name, _)| (*name, sheet(), false)).collect();
    for way in ways(tongue) {
        let mut seer = Seer::new(way);
        let [left, top, ..] = place(&way);
        for ((_, stage), (_, sheet, is_seen)) in stages().into_iter().zip(&mut sheets) {
            seer.show(stage);
            // Without letters of another script it is the German one.
            if tongue == Tongue::German || seer.has_other_scripts() {
                *is_seen = true;
                sheet.paste(&seer.picture().shrunk((SQUARE * way.scale) as usize), left, top);
            }
        }
    }
    let mut found = Vec::new();
    for (name, sheet, _) in sheets.iter().filter(|(_, _, is_seen)| *is_seen) {
        found.extend(judged(&format!("{name}.{}", tongue.name()), sheet, &ways(tongue)));
    }
    assert!(found.is_empty(), "{} pictures are not as they are kept:\n{}", found.len(), found.join("\n"));
}

/// What differs from the kept sheet; it is what is kept when that is wanted.
fn judged(name: &str, seen: &Picture, ways: &[Way]) -> Vec<String> {
    let file = folder().join(format!("{name}.png"));
    if renews() {
        keep(&file, seen);
        return Vec::new();
    }
    let Some(kept) = std::fs::read(&file).ok().and_then(|bytes| Picture::of_png(&bytes)) else {
        return vec![format!("{name}: none is kept; SAMARA_LOOKS_RENEW=1 keeps it")];
    };
    let mut found = Vec::new();
    for way in ways {
        let [left, top, width, height] = place(way);
        let part = |of: &Picture| of.part(left, top, width, height);
        found.extend(differs(&part(seen), &part(&kept)).map(|by| format!("{name} in {}: {by}", way.name())));
    }
    if !found.is_empty() {
        let seen_in = folder().join("../../target/looks");
        std::fs::create_dir_all(&seen_in).unwrap();
        let file = seen_in.join(format!("{name}.png"));
        std::fs::write(&file, seen.png()).unwrap();
        found.push(format!("  seen: {}", file.display()));
    }
    found
}

#[test]
fn all_looks_as_it_is_kept_in_german() {
    compare(Tongue::German);
}

#[test]
fn all_looks_as_it_is_kept_in_other_scripts() {
    if has_all_scripts() {
        compare(Tongue::Foreign);
    }
}

#[test]
fn no_picture_is_kept_for_nothing() {
    let names: Vec<_> = stages().iter().map(|(name, _)| *name).collect();
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder()).unwrap() {
        let entry = entry.unwrap();
        bytes += entry.metadata().unwrap().len();
        let file = entry.file_name().into_string().unwrap();
        let stage = file.split('.').next().unwrap();
        assert!(names.contains(&stage), "{file} is of no stage");
    }
    assert!((100_000..6_000_000).contains(&bytes), "{bytes} bytes");
}

/// What is changed on a screen, and why the picture must differ.
fn changed(change: impl FnOnce(&mut Seer)) -> Option<String> {
    let way = ways(Tongue::English)[0];
    let mut seer = Seer::new(way);
    let one = |name: &str| stages().into_iter().find(|(one, _)| *one == name).unwrap().1;
    seer.show(one("game-update"));
    let small = |seer: &Seer| seer.picture().shrunk((SQUARE * way.scale) as usize);
    let kept = small(&seer).coarse();
    assert_eq!(differs(&small(&seer), &kept), None);
    change(&mut seer);
    differs(&small(&seer), &kept)
}

#[test]
fn a_change_is_seen() {
    assert_eq!(changed(|_| {}), None);
    // A button that has moved by half its own height.
    let moved = changed(|seer| {
        seer.harness.ctx.all_styles_mut(|style| style.spacing.button_padding.y += 4.0);
        seer.harness.run();
    });
    assert!(moved.is_some());
    let recolored = changed(|seer| {
        seer.harness.ctx.all_styles_mut(|style| style.visuals.panel_fill = Color32::from_rgb(30, 22, 26));
        seer.harness.run();
    });
    assert!(recolored.is_some());
    // The weakest text of the page.
    let missing = changed(|seer| {
        seer.harness.state_mut().view.open.as_mut().unwrap().game.channel = "stabl".into();
        seer.harness.run();
    });
    assert!(missing.is_some(), "a letter is missing");
}
