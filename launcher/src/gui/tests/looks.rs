//! Every screen in every state, seen in every way: nothing is cut off, nothing overlaps, everything can be reached.
//!
//! With SAMARA_LOOKS=FOLDER all of it is painted into that folder, to be looked at; SAMARA_LOOKS_ONLY names a part of the
//! names of the files that are wanted.

use std::path::Path;

use eframe::egui::{Button, Label, Rect, Sense, Ui, pos2, vec2};

use super::layout::faults;
use super::stages::stages;
use super::ways::{Seer, Tongue, has_all_scripts, ways};
use super::*;

/// Judges every stage in every way of these tongues.
fn judge(tongue: Tongue) {
    let mut found = Vec::new();
    for way in ways(tongue) {
        let mut seer = Seer::new(way);
        for (name, stage) in stages() {
            seer.show(stage);
            found.extend(seer.faults().into_iter().map(|fault| format!("{name} in {}: {fault}", way.name())));
        }
    }
    assert!(found.is_empty(), "{} faults:\n{}", found.len(), found.join("\n"));
}

#[test]
fn all_is_in_its_place_in_english() {
    judge(Tongue::English);
}

#[test]
fn all_is_in_its_place_in_german() {
    judge(Tongue::German);
}

#[test]
fn all_is_in_its_place_in_a_longer_language() {
    judge(Tongue::Pseudo);
}

#[test]
fn all_is_in_its_place_in_other_scripts() {
    if has_all_scripts() {
        judge(Tongue::Foreign);
    }
}

/// What is found in a bad layout.
fn found(ui: impl FnMut(&mut Ui) + 'static) -> Vec<String> {
    let builder = Harness::builder().with_size(vec2(400.0, 300.0)).allow_missing_glyphs().with_max_steps(32);
    let mut harness = builder.with_context_setup(theme::install).build_ui(ui);
    faults(&mut harness, false)
}

fn at(x: f32, y: f32, width: f32, height: f32) -> Rect {
    Rect::from_min_size(pos2(x, y), vec2(width, height))
}

#[test]
fn what_is_wrong_is_found() {
    let long = "a text that is much longer than the room that there is for it, whatever one does";
    let clean: Vec<String> = found(move |ui| {
        ui.label("good");
        let _ = ui.button("good");
        ui.add(Label::new(long).truncate());
    });
    assert!(clean.is_empty(), "{clean:?}");
    let painted = move |ui: &mut Ui, width: f32| {
        let mut job = eframe::egui::text::LayoutJob::simple_singleline(
            long.into(),
            Default::default(),
            ui.visuals().text_color(),
        );
        job.wrap = eframe::egui::text::TextWrapping::truncate_at_width(width);
        let galley = ui.painter().layout_job(job);
        ui.allocate_exact_size(galley.size(), Sense::hover());
        ui.painter().galley(pos2(10.0, 10.0), galley, ui.visuals().text_color());
    };
    type Draw = Box<dyn FnMut(&mut Ui)>;
    let bad: [(&str, Draw); 9] = [
        (
            "is cut",
            Box::new(move |ui| {
                ui.set_clip_rect(at(0.0, 0.0, 100.0, 100.0));
                ui.add(Label::new(long).extend());
            }),
        ),
        (
            "is cut",
            Box::new(move |ui| {
                ui.set_clip_rect(at(0.0, 0.0, 400.0, 14.0));
                ui.label("low");
            }),
        ),
        ("is shortened", Box::new(move |ui| painted(ui, 100.0))),
        (
            "overlap",
            Box::new(|ui| {
                ui.put(at(10.0, 10.0, 80.0, 20.0), Label::new("one text"));
                ui.put(at(20.0, 12.0, 80.0, 20.0), Label::new("another"));
            }),
        ),
        (
            "overlap",
            Box::new(|ui| {
                ui.put(at(10.0, 10.0, 80.0, 30.0), Button::new("one"));
                ui.put(at(60.0, 10.0, 80.0, 30.0), Button::new("two"));
            }),
        ),
        (
            "is partly on",
            Box::new(|ui| {
                ui.put(at(10.0, 10.0, 80.0, 30.0), Button::new("b"));
                ui.put(at(60.0, 15.0, 60.0, 20.0), Label::new("a text"));
            }),
        ),
        (
            "reaches out of the window",
            Box::new(|ui| {
                ui.put(at(350.0, 10.0, 80.0, 30.0), Button::new("wide"));
            }),
        ),
        (
            "cannot be scrolled to",
            Box::new(|ui| {
                ui.put(at(10.0, 290.0, 80.0, 30.0), Button::new("low"));
            }),
        ),
        (
            "letters that no font has",
            Box::new(|ui| {
                ui.label("\u{10a00}");
            }),
        ),
    ];
    for (expected, draw) in bad {
        let found = found(draw);
        assert!(found.iter().any(|fault| fault.contains(expected)), "{expected}: {found:?}");
    }
}

#[test]
fn all_is_painted_to_be_looked_at() {
    let Some(folder) = std::env::var_os("SAMARA_LOOKS") else { return };
    let only = std::env::var("SAMARA_LOOKS_ONLY").unwrap_or_default();
    for way in [Tongue::English, Tongue::German, Tongue::Foreign].into_iter().flat_map(ways) {
        let mut seer = Seer::new(way);
        for (name, stage) in stages() {
            let file = format!("{name}.{}.png", way.name());
            if file.contains(&only) {
                seer.show(stage);
                std::fs::write(Path::new(&folder).join(file), seer.picture().png()).unwrap();
            }
        }
    }
}
