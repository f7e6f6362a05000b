//! All games: cards or lines, searched and sorted.

use eframe::egui::{ComboBox, Id, Key, Modifiers, TextEdit, Ui, Vec2, accesskit, vec2};

use super::rows;
use crate::gui::text::cards::Act;
use crate::gui::theme::tokens::SPACE;
use crate::gui::view::{Scene, Screen};
use crate::gui::widgets;
use crate::shell::settings::Layout;
use crate::shell::{Action, Order};

/// A card's smallest width, in points.
const CARD_WIDTH: f32 = 208.0;
/// A card's height for its width.
const CARD_SHAPE: f32 = 1.2;
/// A line's height, in points.
const LINE_HEIGHT: f32 = 64.0;

pub(super) fn show(ui: &mut Ui, scene: &mut Scene<'_>) {
    ui.horizontal_wrapped(|ui| {
        widgets::title(ui, &scene.texts.say("library-title"));
        let count = scene.view.known.into();
        widgets::weak(ui, scene.texts.tell("library-count", &[("count", count)]));
    });
    if let Some(notice) = scene.state.notice.clone()
        && let Some(pressed) = widgets::error(ui, scene.texts, &notice)
    {
        match pressed {
            widgets::Pressed::Copy(text) => scene.actions.push(Action::Copy(text)),
            widgets::Pressed::Act(act) => {
                if act == Act::UpdateLauncher {
                    scene.state.screen = Screen::Settings;
                }
                scene.state.notice = None;
            }
        }
    }
    if scene.view.known == 0 {
        return empty(ui, scene);
    }
    tools(ui, scene);
    ui.add_space(SPACE);
    if scene.view.found.is_empty() {
        let query = scene.state.query.trim().to_owned();
        ui.label(scene.texts.tell("library-none-found", &[("query", query.into())]));
        if ui.button(scene.texts.say("library-show-all")).clicked() {
            scene.state.query.clear();
        }
        return;
    }
    let width = ui.available_width() - ui.spacing().scroll.allocated_width();
    let (columns, size) = shape(width, scene.view.settings.layout);
    rows::show(ui, scene, columns, size);
}

fn empty(ui: &mut Ui, scene: &mut Scene<'_>) {
    let texts = scene.texts;
    ui.vertical_centered(|ui| {
        widgets::banner(ui, &scene.view.guise, 12.0 * SPACE);
        widgets::title(ui, &texts.say("library-empty"));
        widgets::weak(ui, texts.say("library-empty-text"));
        ui.add_space(2.0 * SPACE);
        if widgets::primary(ui, &texts.say("library-add"), true).clicked() {
            scene.state.screen = Screen::Add;
        }
    });
}

fn tools(ui: &mut Ui, scene: &mut Scene<'_>) {
    let texts = scene.texts;
    ui.horizontal_wrapped(|ui| {
        let id = Id::unique("library search");
        let label = texts.say("library-search");
        let field = TextEdit::singleline(&mut scene.state.query).id(id).hint_text(label.clone());
        let field = ui.add(field.desired_width(30.0 * SPACE).char_limit(100));
        ui.ctx().accesskit_node_builder(field.id, |node| node.set_label(label));
        let asked = ui.input_mut(|input| input.consume_key(Modifiers::COMMAND, Key::F));
        if asked || std::mem::take(&mut scene.state.focus_search) {
            field.request_focus();
        }
        if ui.button(texts.say("library-add")).clicked() {
            scene.state.screen = Screen::Add;
        }
        order(ui, scene);
        let said = |layout| match layout {
            Layout::Grid => (texts.say("layout-grid-short"), texts.say("layout-grid")),
            Layout::List => (texts.say("layout-list-short"), texts.say("layout-list")),
        };
        for layout in [Layout::Grid, Layout::List] {
            let is_so = scene.view.settings.layout == layout;
            let (short, whole) = said(layout);
            let label = ui.selectable_label(is_so, short);
            widgets::named(ui, &label, whole);
            if label.clicked() {
                scene.actions.push(Action::Layout(layout));
            }
        }
    });
}

fn order(ui: &mut Ui, scene: &mut Scene<'_>) {
    let texts = scene.texts;
    let said = |order| {
        texts.say(match order {
            Order::Recent => "order-recent",
            Order::Name => "order-name",
            Order::Installed => "order-installed",
        })
    };
    let now = scene.view.settings.order;
    let shown = ComboBox::from_id_salt("library order").selected_text(said(now)).show_ui(ui, |ui| {
        for order in [Order::Recent, Order::Name, Order::Installed] {
            if ui.selectable_label(order == now, said(order)).clicked() {
                scene.actions.push(Action::Order(order));
            }
        }
    });
    let label = texts.say("library-order");
    ui.ctx().accesskit_node_builder(shown.response.id, |node: &mut accesskit::Node| node.set_label(label));
}

/// Columns, and the size of what stands in them.
fn shape(width: f32, layout: Layout) -> (usize, Vec2) {
    if layout == Layout::List {
        return (1, vec2(width, LINE_HEIGHT));
    }
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a window's width in cards")]
    let columns = (((width + SPACE) / (CARD_WIDTH + SPACE)) as usize).max(1);
    #[allow(clippy::cast_precision_loss, reason = "few columns")]
    let each = (width + SPACE) / columns as f32 - SPACE;
    (columns, vec2(each, (each * CARD_SHAPE).min(CARD_WIDTH * 1.5)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_fill_the_width() {
        for width in [200.0, 424.0, 784.0, 1264.0, 3000.0] {
            let (columns, size) = shape(width, Layout::Grid);
            #[allow(clippy::cast_precision_loss, reason = "few columns")]
            let taken = (size.x + SPACE) * columns as f32 - SPACE;
            assert!((taken - width).abs() < 0.5, "{width}: {columns} of {size:?}");
            assert!(columns == 1 || size.x >= CARD_WIDTH);
        }
        assert_eq!(shape(784.0, Layout::List), (1, vec2(784.0, LINE_HEIGHT)));
    }
}
