//! What is longer than the window: it scrolls, and follows the keyboard.

use eframe::egui::{Id, ScrollArea, Ui};

use crate::gui::theme::tokens::SPACE;

/// A part of a screen that scrolls, and keeps its place under this name. What the keyboard goes to comes into sight.
pub fn scrolled<R>(
    ui: &mut Ui,
    name: impl std::hash::Hash + std::fmt::Debug,
    show: impl FnOnce(&mut Ui) -> R,
) -> R {
    ScrollArea::vertical()
        .id_salt(Id::unique(name))
        .auto_shrink(false)
        .show(ui, |ui| following(ui, show))
        .inner
}

/// Shows what is inside of something that scrolls already. egui gives the keyboard to a control wherever it is: of one
/// that came to it now, and that is in here, the part that scrolls is told.
pub fn following<R>(ui: &mut Ui, show: impl FnOnce(&mut Ui) -> R) -> R {
    let layer = ui.layer_id();
    let before = ui.ctx().viewport(|viewport| {
        let mut layers = viewport.this_pass.widgets.layers();
        layers.find(|(id, _)| **id == layer).map_or(0, |(_, widgets)| widgets.len())
    });
    let shown = show(ui);
    let followed = ui.scope_id().with("followed");
    let focused = ui.memory(|memory| memory.focused());
    if focused == ui.data(|data| data.get_temp::<Option<Id>>(followed)).flatten() {
        return shown;
    }
    let rect = focused.and_then(|id| {
        ui.ctx().viewport(|viewport| {
            let widgets = &viewport.this_pass.widgets;
            widgets.order(id).filter(|(on, at)| *on == layer && *at >= before)?;
            Some(widgets.get(id)?.rect)
        })
    });
    // Who points at something sees it.
    let is_pointing = ui.input(|input| input.pointer.any_down() || input.pointer.any_released());
    if let Some(rect) = rect.filter(|_| !is_pointing) {
        ui.scroll_to_rect(rect.expand(SPACE), None);
    }
    ui.data_mut(|data| data.insert_temp(followed, focused));
    shown
}
