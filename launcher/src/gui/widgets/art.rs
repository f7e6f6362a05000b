//! A game's pictures, and what stands in for them. They say nothing that is not said beside them, and so have no names.

use eframe::egui::{
    Align2, Color32, CornerRadius, FontId, Image, Mesh, Pos2, Rect, Shadow, Ui, Vec2, ecolor::Hsva,
    load::SizedTexture, pos2, vec2,
};

use crate::gui::art::{Kind, Look, Shown, Spot, Wanted};
use crate::gui::theme::fonts;
use crate::gui::theme::tokens::{RADIUS_LARGE, SPACE};
use crate::gui::view::Scene;
use crate::shell::Game;

/// A card's icon that stands on its hero, in points.
const BADGE: f32 = 5.0 * SPACE;
/// How much of a card an icon without a hero takes.
const ICON_PART: f32 = 0.58;
/// A game page's icon, in points.
pub const EMBLEM: f32 = 8.0 * SPACE;

/// A picture of a game that has one, for this part of the window.
fn look(ui: &Ui, scene: &mut Scene<'_>, game: &Game, kind: Kind, spot: Spot, rect: Rect) -> Option<Look> {
    let wanted = Wanted::of(game, kind, spot, rect.size(), ui.ctx().pixels_per_point())?;
    Some(scene.picture(wanted)).filter(|look| *look != Look::Failed)
}

/// The game in a line: its icon, or the middle of its hero.
pub fn small(ui: &Ui, scene: &mut Scene<'_>, game: &Game, rect: Rect) {
    let kinds = [Kind::Icon, Kind::Hero];
    let found = kinds.into_iter().find_map(|kind| look(ui, scene, game, kind, Spot::Line, rect));
    fill(ui, rect, game, found);
}

/// The game on a card: its hero with its icon on it, or its icon on colours of its own.
pub fn large(ui: &Ui, scene: &mut Scene<'_>, game: &Game, rect: Rect) {
    let hero = look(ui, scene, game, Kind::Hero, Spot::Card, rect);
    if hero.is_some() {
        fill(ui, rect, game, hero);
        let corner = rect.left_bottom() + vec2(SPACE, -SPACE - BADGE);
        let badge = Rect::from_min_size(corner, Vec2::splat(BADGE));
        if let Some(Look::Here(icon)) = look(ui, scene, game, Kind::Icon, Spot::Badge, badge) {
            standing_out(ui, badge, icon);
        }
        return;
    }
    let icon = Rect::from_center_size(rect.center(), Vec2::splat(rect.size().min_elem() * ICON_PART));
    match look(ui, scene, game, Kind::Icon, Spot::Card, icon) {
        None => art(ui, rect, &game.name),
        Some(found) => {
            backdrop(ui, rect, &game.name);
            if let Look::Here(shown) = found {
                picture(ui, icon, shown);
            }
        }
    }
}

/// Whether a game has a hero for its page that can be used; the page has more room for one.
pub fn has_hero(scene: &Scene<'_>, game: &Game) -> bool {
    let wanted = Wanted::of(game, Kind::Hero, Spot::Banner, Vec2::ZERO, 1.0);
    wanted.is_some_and(|wanted| scene.view.art.look(&wanted) != Look::Failed)
}

/// The game across its page: its hero below a scrim on which white text can be read, or colours of its own.
pub fn hero(ui: &Ui, scene: &mut Scene<'_>, game: &Game, rect: Rect) {
    match look(ui, scene, game, Kind::Hero, Spot::Banner, rect) {
        Some(Look::Here(shown)) => {
            if !shown.is_opaque {
                backdrop(ui, rect, &game.name);
            }
            picture(ui, rect, shown);
            scrim(ui, rect);
        }
        _ => backdrop(ui, rect, &game.name),
    }
}

/// The icon beside a game's name on its page; whether there is one.
pub fn emblem(ui: &Ui, scene: &mut Scene<'_>, game: &Game, rect: Rect) -> bool {
    match look(ui, scene, game, Kind::Icon, Spot::Emblem, rect) {
        Some(Look::Here(shown)) => standing_out(ui, rect, shown),
        Some(_) => {}
        None => return false,
    }
    true
}

/// A picture, the colours until it is there, or the letter of a game that has none.
fn fill(ui: &Ui, rect: Rect, game: &Game, found: Option<Look>) {
    match found {
        Some(Look::Here(shown)) => {
            if !shown.is_opaque {
                backdrop(ui, rect, &game.name);
            }
            picture(ui, rect, shown);
        }
        Some(_) => backdrop(ui, rect, &game.name),
        None => art(ui, rect, &game.name),
    }
}

/// An icon on a hero, which may have the same colours.
fn standing_out(ui: &Ui, rect: Rect, icon: Shown) {
    if icon.is_opaque {
        let round = CornerRadius::same(RADIUS_LARGE);
        let shadow = Shadow { offset: [0, 1], blur: 6, spread: 1, color: Color32::from_black_alpha(150) };
        ui.painter().add(shadow.as_shape(rect, round));
    }
    picture(ui, rect, icon);
}

/// The middle of a picture, in the shape of `rect`, with round corners.
fn picture(ui: &Ui, rect: Rect, shown: Shown) {
    let (have, want) = (shown.size.x / shown.size.y.max(1.0), rect.width() / rect.height().max(1.0));
    let part = if have > want { vec2(want / have, 1.0) } else { vec2(1.0, have / want) };
    let uv = Rect::from_center_size(pos2(0.5, 0.5), part);
    let texture = SizedTexture::new(shown.texture, shown.size);
    Image::from_texture(texture).uv(uv).corner_radius(CornerRadius::same(RADIUS_LARGE)).paint_at(ui, rect);
}

/// How dark the scrim is where text stands: white text can be read on it, were the picture all white.
const SCRIM: u8 = 156;
/// Text stands no higher above a banner's lower edge, in points.
const SCRIM_WHOLE: f32 = 96.0;
/// Above that it fades away within so many points.
const SCRIM_FADES: f32 = 88.0;

/// Darkens the lower part of a banner with round corners.
fn scrim(ui: &Ui, rect: Rect) {
    const STEPS: u8 = 8;
    let radius = f32::from(RADIUS_LARGE);
    let part = |step: u8| f32::from(step) / f32::from(STEPS);
    // Heights above the lower edge: round the corners, then up to where it fades, then to its end.
    let round = (0..STEPS).map(|step| radius * part(step));
    let fading = (0..=STEPS).map(|step| SCRIM_WHOLE + SCRIM_FADES * part(step));
    let mut mesh = Mesh::default();
    let mut count = 0;
    for above in round.chain([radius]).chain(fading).filter(|above| *above <= rect.height()) {
        let low = (radius - above).max(0.0);
        let inset = radius - (radius * radius - low * low).max(0.0).sqrt();
        let rest = 1.0 - ((above - SCRIM_WHOLE) / SCRIM_FADES).clamp(0.0, 1.0);
        let smooth = rest * rest * (3.0 - 2.0 * rest);
        let color = Color32::from_black_alpha(SCRIM).gamma_multiply(smooth);
        mesh.colored_vertex(pos2(rect.min.x + inset, rect.max.y - above), color);
        mesh.colored_vertex(pos2(rect.max.x - inset, rect.max.y - above), color);
        count += 2;
        if count >= 4 {
            mesh.add_triangle(count - 4, count - 3, count - 2);
            mesh.add_triangle(count - 3, count - 2, count - 1);
        }
    }
    ui.painter().add(mesh);
}

/// A picture for a game that has none: its first letter on colours of its own.
pub fn art(ui: &Ui, rect: Rect, name: &str) {
    backdrop(ui, rect, name);
    let letter = name.chars().next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    let font = FontId::new((rect.height() * 0.5).clamp(8.0, 96.0), fonts::semibold());
    ui.painter().text(rect.center(), Align2::CENTER_CENTER, letter, font, Color32::from_white_alpha(200));
}

/// Two colours that belong to a name, from one corner to the other.
pub fn backdrop(ui: &Ui, rect: Rect, name: &str) {
    let hue = name.bytes().fold(7u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(byte))) % 360;
    #[allow(clippy::cast_precision_loss, reason = "below 360")]
    let hue = hue as f32 / 360.0;
    let color = |hue: f32, value| Color32::from(Hsva::new(hue.fract(), 0.55, value, 1.0));
    let (light, dark) = (color(hue, 0.22), color(hue + 0.1, 0.045));
    let mut mesh = Mesh::default();
    let middle = rect.center();
    let mix = |at: Pos2| {
        let across =
            (at.x - rect.min.x) / rect.width().max(1.0) + (at.y - rect.min.y) / rect.height().max(1.0);
        light.lerp_to_gamma(dark, across / 2.0)
    };
    mesh.colored_vertex(middle, mix(middle));
    let outline = rounded(rect, f32::from(RADIUS_LARGE));
    for at in &outline {
        mesh.colored_vertex(*at, mix(*at));
    }
    let count = u32::try_from(outline.len()).unwrap_or(0);
    for at in 0..count {
        mesh.add_triangle(0, at + 1, (at + 1) % count + 1);
    }
    ui.painter().add(mesh);
}

/// The outline of a rectangle with round corners.
fn rounded(rect: Rect, radius: f32) -> Vec<Pos2> {
    const STEPS: u8 = 6;
    let inner = rect.shrink(radius);
    let corners = [inner.right_bottom(), inner.left_bottom(), inner.left_top(), inner.right_top()];
    let turn = std::f32::consts::FRAC_PI_2;
    let around = corners.into_iter().zip([0.0, 1.0, 2.0, 3.0]).flat_map(|(center, quarter)| {
        (0..=STEPS).map(move |step| {
            let angle = (quarter + f32::from(step) / f32::from(STEPS)) * turn;
            center + radius * Vec2::angled(angle)
        })
    });
    around.collect()
}
