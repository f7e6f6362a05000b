//! The launcher's own version and updates, among the settings.

use eframe::egui::{Button, ProgressBar, Ui};

use crate::gui::text;
use crate::gui::text::cards::Act;
use crate::gui::view::{OwnStage, Scene};
use crate::gui::widgets;
use crate::shell::Action;
use crate::shell::deeds::OwnDeed;

pub(super) fn show(ui: &mut Ui, scene: &mut Scene<'_>) {
    let (texts, own) = (scene.texts, &scene.view.own);
    let of = |key, release: &str| texts.tell(key, &[("release", release.into())]);
    widgets::heading(ui, texts.say("own-title"));
    ui.label(of("own-version", &own.release));
    if !own.has_source {
        widgets::weak(ui, texts.say("own-none"));
        return;
    }
    let check = (texts.say("own-check"), OwnDeed::Update);
    let mut buttons = Vec::new();
    match &own.stage {
        OwnStage::Quiet => buttons.push(check),
        OwnStage::Looking => {
            widgets::weak(ui, texts.say("own-looking"));
        }
        OwnStage::Working { done, total } => {
            #[allow(clippy::cast_precision_loss, reason = "a bar has some hundred points")]
            let part = *done as f32 / (*total).max(1) as f32;
            let told = texts.say("own-working");
            let bar = ui.add(ProgressBar::new(part).text(text::bare(&told).to_owned()));
            widgets::named(ui, &bar, told);
        }
        OwnStage::Newest => {
            widgets::weak(ui, texts.say("own-newest"));
            buttons.push(check);
        }
        OwnStage::Offered(release) => {
            widgets::weak(ui, of("own-offered", release));
            buttons.push((of("own-update", release), OwnDeed::Update));
        }
        OwnStage::Ready(release) => {
            widgets::weak(ui, of("own-ready", release));
            buttons.push((texts.say("own-restart"), OwnDeed::Restart));
        }
        OwnStage::Refused(release) => {
            widgets::weak(ui, of("own-refused", release));
            buttons.push(check);
        }
        OwnStage::Failed(failure) => match widgets::error(ui, texts, failure) {
            Some(widgets::Pressed::Copy(text)) => scene.actions.push(Action::Copy(text)),
            Some(widgets::Pressed::Act(Act::Retry | Act::Resume)) => {
                scene.actions.push(Action::Own(OwnDeed::Update));
            }
            Some(widgets::Pressed::Act(_)) => scene.actions.push(Action::Own(OwnDeed::Understood)),
            None => {}
        },
    }
    let is_busy = matches!(own.stage, OwnStage::Looking | OwnStage::Working { .. });
    if let Some(before) = own.before.as_ref().filter(|_| !is_busy) {
        buttons.push((of("own-back", before), OwnDeed::GoBack));
    }
    ui.horizontal_wrapped(|ui| {
        for (label, deed) in buttons {
            // It looks by itself, too, and nothing is to be seen of that.
            let waits = own.at_work && deed == OwnDeed::GoBack;
            let mut button = ui.add_enabled(!waits, Button::new(&label));
            if waits {
                let why = texts.say("own-back-waits");
                widgets::named(ui, &button, format!("{label}: {why}"));
                button = button.on_disabled_hover_text(why);
            }
            if button.clicked() {
                scene.actions.push(Action::Own(deed));
            }
        }
    });
}
