//! The queue: what runs, how far and how fast, where it comes from, and why it is not faster.

use eframe::egui::{Align, Label, Layout, RichText, Sense, Ui, vec2};

use crate::gui::theme::tokens::SPACE;
use crate::gui::theme::{self, fonts};
use crate::gui::view::{Scene, Screen};
use crate::gui::{text, widgets, words};
use crate::shell::queue::Job;
use crate::shell::state::{self, Button, Does};
use crate::shell::why::Remedy;
use crate::shell::{Action, Download};

/// The picture's height, in points.
const PLOT_HEIGHT: f32 = 112.0;
/// From this width on the buttons stand beside the name, in points.
const WIDE: f32 = 640.0;

pub(super) fn show(ui: &mut Ui, scene: &mut Scene<'_>) {
    let (texts, view) = (scene.texts, scene.view);
    ui.horizontal_wrapped(|ui| {
        widgets::title(ui, &texts.say("downloads-title"));
        if !view.downloads.is_empty() {
            let label = if view.stopped { "downloads-go-on" } else { "downloads-stop" };
            if ui.button(texts.say(label)).clicked() {
                scene.actions.push(Action::StopAll(!view.stopped));
            }
        }
    });
    widgets::scrolled(ui, "downloads", |ui| {
        if view.downloads.is_empty() {
            ui.vertical_centered(|ui| {
                ui.add_space(12.0 * SPACE);
                widgets::title(ui, &texts.say("downloads-none"));
                widgets::weak(ui, texts.say("downloads-none-text"));
            });
            return;
        }
        widgets::panel(ui, |ui| pace(ui, scene));
        ui.add_space(SPACE);
        for (place, download) in view.downloads.iter().enumerate() {
            ui.push_id(download.game.game.key, |ui| {
                widgets::panel(ui, |ui| entry(ui, scene, place, download));
            });
            ui.add_space(SPACE);
        }
    });
}

/// How fast all of it is.
fn pace(ui: &mut Ui, scene: &Scene<'_>) {
    let texts = scene.texts;
    widgets::pace(ui, texts, &scene.view.pace, PLOT_HEIGHT);
    let now = scene.view.pace.last().copied().unwrap_or_default();
    let most = scene.view.pace.iter().map(|beat| beat.network).max().unwrap_or(0);
    let rate = |bytes| texts.tell("unit-rate", &[("bytes", texts.bytes(bytes).into())]);
    let tokens = theme::tokens(ui.visuals());
    widgets::legends(ui, |ui| {
        ui.spacing_mut().item_spacing.x = 3.0 * SPACE;
        widgets::legend(ui, texts, tokens.network, &texts.say("pace-network"), &rate(now.network));
        widgets::legend(ui, texts, tokens.disk, &texts.say("pace-disk"), &rate(now.disk));
        widgets::legend(ui, texts, tokens.line, &texts.say("pace-most"), &rate(most));
        widgets::legend(ui, texts, tokens.warn, &texts.say("pace-upload"), &rate(now.upload));
    });
}

fn entry(ui: &mut Ui, scene: &mut Scene<'_>, place: usize, download: &Download) {
    let texts = scene.texts;
    let is_wide = ui.available_width() >= WIDE;
    ui.horizontal(|ui| {
        let (picture, _) = ui.allocate_exact_size(vec2(8.0 * SPACE, 6.0 * SPACE), Sense::hover());
        widgets::art::small(ui, scene, &download.game.game, picture);
        // The buttons take their room first: a long name is cut off, and they are not.
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            if is_wide {
                buttons(ui, scene, place, download, true);
            }
            ui.with_layout(Layout::top_down(Align::Min), |ui| name(ui, scene, download));
        });
    });
    if !is_wide {
        ui.horizontal_wrapped(|ui| buttons(ui, scene, place, download, false));
    }
    ui.add_space(0.5 * SPACE);
    widgets::stages(ui, texts, &download.reached);
    if let Some(progress) = &download.game.progress {
        ui.horizontal_wrapped(|ui| widgets::figures(ui, texts, progress));
    }
    widgets::sources(ui, texts, &download.sources);
    told(ui, scene, download);
    if let Some(failure) = &download.game.failure
        && let Some(pressed) = widgets::error(ui, texts, failure)
    {
        super::answer(scene, &download.game, pressed);
    }
}

/// What was sent, who is there, and what bounds it.
fn told(ui: &mut Ui, scene: &mut Scene<'_>, download: &Download) {
    let texts = scene.texts;
    if download.peers > 0 || download.uploaded_bytes > 0 {
        let sent = texts.bytes(download.uploaded_bytes);
        let values = [("peers", download.peers.into()), ("bytes", sent.into())];
        widgets::weak(ui, texts.tell("download-peers", &values));
    }
    let Some(why) = download.why else { return };
    let open = eframe::egui::CollapsingHeader::new(texts.say("why-title")).id_salt("why");
    open.show(ui, |ui| {
        ui.label(words::why(texts, why));
        let remedy = why.remedy();
        let Some(label) = words::remedy(texts, remedy) else { return };
        match remedy {
            Remedy::RaiseLimit | Remedy::AllowPeers => {
                if ui.button(label).clicked() {
                    scene.state.screen = Screen::Settings;
                }
            }
            Remedy::OtherDisk | Remedy::CheckNetwork | Remedy::Nothing => {
                ui.label(label);
            }
        }
    });
}

fn name(ui: &mut Ui, scene: &Scene<'_>, download: &Download) {
    let texts = scene.texts;
    let name = RichText::new(&download.game.game.name).family(fonts::semibold()).size(16.0);
    ui.add(Label::new(name).truncate());
    let job = texts.say(match download.job {
        Job::Install => "job-install",
        Job::Update => "job-update",
        Job::Repair => "job-repair",
        Job::Rollback => "job-rollback",
        Job::Uninstall => "job-uninstall",
    });
    let state = words::state(texts, &download.game.facts);
    let values = [("job", text::bare(&job).into()), ("state", text::bare(&state).into())];
    let told = RichText::new(texts.tell("download-state", &values)).color(theme::tokens(ui.visuals()).weak);
    ui.add(Label::new(told).truncate());
}

/// What can be done with an entry, in the order in which it is read.
fn offers(scene: &Scene<'_>, place: usize, download: &Download) -> Vec<(String, String, bool, Action)> {
    let (texts, key) = (scene.texts, download.game.game.key);
    let last = scene.view.downloads.len().saturating_sub(1);
    let button = state::button(&download.game.facts);
    // What it waits for stands beside; the button says what pressing it does.
    let does = button.does().filter(|does| matches!(does, Does::Pause | Does::Resume | Does::StartNow));
    let said = |does| words::button(texts, &Button::Press(does));
    let mut offers: Vec<_> =
        does.into_iter().map(|does| (said(does), said(does), true, Action::Press(key, does))).collect();
    let (sooner, later, cancel) =
        (texts.say("download-sooner"), texts.say("download-later"), texts.say("download-cancel"));
    offers.push(("↑".into(), sooner, place > 0, Action::MoveTo(key, place.saturating_sub(1))));
    offers.push(("↓".into(), later, place < last, Action::MoveTo(key, place + 1)));
    offers.push((cancel.clone(), cancel, true, Action::Cancel(key)));
    offers
}

fn buttons(ui: &mut Ui, scene: &mut Scene<'_>, place: usize, download: &Download, from_right: bool) {
    let texts = scene.texts;
    let mut offers = offers(scene, place, download);
    if from_right {
        offers.reverse();
    }
    for (label, does, can, action) in offers {
        let pressed = ui.add_enabled(can, eframe::egui::Button::new(label));
        let values = [("does", text::bare(&does).into()), ("name", download.game.game.name.as_str().into())];
        widgets::named(ui, &pressed, texts.tell("download-named", &values));
        if pressed.clicked() {
            scene.actions.push(action);
        }
    }
}
