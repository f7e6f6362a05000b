//! How the window looks: one set of tokens for dark and one for light, one set of sizes, one typeface.

pub mod fonts;
pub mod tokens;

use eframe::egui::style::WidgetVisuals;
use eframe::egui::{
    Context, CornerRadius, FontId, Shadow, Stroke, Style, TextStyle, Theme, ThemePreference, Visuals, vec2,
};

use crate::shell::settings::Look;
use tokens::{RADIUS, RADIUS_LARGE, SPACE, Tokens};

/// Puts fonts and both looks into a window; once, at its start.
pub fn install(ctx: &Context) {
    ctx.set_fonts(fonts::definitions());
    ctx.set_style_of(Theme::Dark, style(&Tokens::DARK));
    ctx.set_style_of(Theme::Light, style(&Tokens::LIGHT));
}

/// Takes the player's choice.
pub fn choose(ctx: &Context, look: Look, zoom_percent: u16, animations: bool) {
    ctx.set_theme(match look {
        Look::System => ThemePreference::System,
        Look::Dark => ThemePreference::Dark,
        Look::Light => ThemePreference::Light,
    });
    let zoom = f32::from(zoom_percent) / 100.0;
    if (ctx.zoom_factor() - zoom).abs() > f32::EPSILON {
        ctx.set_zoom_factor(zoom);
    }
    let time = if animations { 0.12 } else { 0.0 };
    if (ctx.global_style().animation_time - time).abs() > f32::EPSILON {
        ctx.all_styles_mut(|style| style.animation_time = time);
    }
}

/// The tokens that a view draws with.
#[must_use]
pub fn tokens(visuals: &Visuals) -> &'static Tokens {
    if visuals.dark_mode { &Tokens::DARK } else { &Tokens::LIGHT }
}

fn style(tokens: &Tokens) -> Style {
    let mut style = Style { visuals: visuals(tokens), animation_time: 0.12, ..Style::default() };
    let font = |size, family| FontId::new(size, family);
    style.text_styles = [
        (TextStyle::Small, font(12.0, fonts::regular())),
        (TextStyle::Body, font(14.0, fonts::regular())),
        (TextStyle::Button, font(14.0, fonts::medium())),
        (TextStyle::Heading, font(24.0, fonts::semibold())),
        (TextStyle::Monospace, font(13.0, eframe::egui::FontFamily::Monospace)),
    ]
    .into();
    let spacing = &mut style.spacing;
    spacing.item_spacing = vec2(SPACE, SPACE);
    spacing.button_padding = vec2(2.0 * SPACE, SPACE);
    spacing.interact_size.y = 4.0 * SPACE;
    spacing.icon_width = 2.25 * SPACE;
    spacing.icon_width_inner = 1.25 * SPACE;
    spacing.icon_spacing = SPACE;
    spacing.menu_margin = SPACE.into();
    // Nothing lies below the bar that one scrolls with.
    spacing.scroll.floating_allocated_width = 1.25 * SPACE;
    style
}

fn visuals(tokens: &Tokens) -> Visuals {
    let mut visuals = if tokens.is_dark { Visuals::dark() } else { Visuals::light() };
    visuals.panel_fill = tokens.ground;
    visuals.window_fill = tokens.raised;
    visuals.extreme_bg_color = tokens.well;
    visuals.faint_bg_color = tokens.panel;
    visuals.hyperlink_color = tokens.link;
    visuals.warn_fg_color = tokens.warn;
    visuals.error_fg_color = tokens.bad;
    visuals.weak_text_color = Some(tokens.weak);
    visuals.selection.bg_fill = tokens.accent;
    visuals.selection.stroke = Stroke::new(1.0, tokens.on_accent);
    visuals.window_stroke = Stroke::NONE;
    visuals.window_corner_radius = CornerRadius::same(RADIUS_LARGE);
    visuals.menu_corner_radius = CornerRadius::same(RADIUS_LARGE);
    let shadow = Shadow { offset: [0, 8], blur: 24, spread: 0, color: tokens.shadow };
    (visuals.window_shadow, visuals.popup_shadow) = (shadow, shadow);
    let widget = |fill, line| WidgetVisuals {
        bg_fill: fill,
        weak_bg_fill: fill,
        bg_stroke: Stroke::NONE,
        corner_radius: CornerRadius::same(RADIUS),
        fg_stroke: Stroke::new(1.0, line),
        expansion: 0.0,
    };
    visuals.widgets.noninteractive = widget(tokens.panel, tokens.text);
    visuals.widgets.noninteractive.bg_stroke = Stroke::new(1.0, tokens.line);
    visuals.widgets.inactive = widget(tokens.raised, tokens.text);
    // Boxes to tick and slides to move must be seen on every ground.
    visuals.widgets.inactive.bg_fill = tokens.line;
    visuals.widgets.hovered = widget(tokens.hover, tokens.text);
    // Where the keyboard is must be seen.
    visuals.widgets.hovered.bg_stroke = Stroke::new(1.0, tokens.focus);
    visuals.widgets.active = widget(tokens.hover, tokens.text);
    visuals.widgets.active.bg_stroke = Stroke::new(2.0, tokens.focus);
    visuals.widgets.open = widget(tokens.hover, tokens.text);
    visuals
}
