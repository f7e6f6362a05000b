//! A game's pictures, and what stands in for them. They say nothing that is not said beside them, and so have no names.

use eframe::egui::{
    Align2, Color32, CornerRadius, FontId, Image, Mesh, Pos2, Rect, Shadow, Ui, Vec2, ecolor::Hsva,
    emath::GuiRounding as _, load::SizedTexture, pos2, vec2,
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

/// Whether a game has such a picture that can be used, as far as is known.
pub fn has(scene: &Scene<'_>, game: &Game, kind: Kind) -> bool {
    let wanted = Wanted::of(game, kind, Spot::Banner, Vec2::ZERO, 1.0);
    wanted.is_some_and(|wanted| scene.view.art.look(&wanted) != Look::Failed)
}

/// The game across its page: its hero below a scrim, on which white text can be read as far as `reach`; or colours of its
/// own.
pub fn hero(ui: &Ui, scene: &mut Scene<'_>, game: &Game, rect: Rect, reach: f32) {
    match look(ui, scene, game, Kind::Hero, Spot::Banner, rect) {
        Some(Look::Here(shown)) => {
            // As pictures are: no line of it stays bright below the scrim.
            let rect = rect.round_to_pixels(ui.ctx().pixels_per_point());
            if !shown.is_opaque {
                backdrop(ui, rect, &game.name);
            }
            picture(ui, rect, shown);
            scrim(ui, rect, reach);
        }
        _ => backdrop(ui, rect, &game.name),
    }
}

/// The icon beside a game's name on its page.
pub fn emblem(ui: &Ui, scene: &mut Scene<'_>, game: &Game, rect: Rect) {
    if let Some(Look::Here(shown)) = look(ui, scene, game, Kind::Icon, Spot::Emblem, rect) {
        standing_out(ui, rect, shown);
    }
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
const SCRIM_HEIGHT: f32 = 96.0;
/// Above that it fades away within so many points.
const FADES_UP: f32 = 88.0;
/// Beside the text it fades within so many points, to this part.
const FADES_ASIDE: (f32, f32) = (240.0, 0.25);

/// Darkens a banner with round corners below and around the text in its lower left corner.
fn scrim(ui: &Ui, rect: Rect, reach: f32) {
    const STEPS: u8 = 8;
    let radius = f32::from(RADIUS_LARGE);
    let part = |step: u8| f32::from(step) / f32::from(STEPS);
    let smooth = |part: f32| part * part * (3.0 - 2.0 * part);
    // Heights above the lower edge: round the corners, then up to where it fades, then to its end.
    let round = (0..=STEPS).map(|step| radius * part(step));
    let fading = (0..=STEPS).map(|step| SCRIM_HEIGHT + FADES_UP * part(step));
    let heights = round.chain(fading).map(|above| above.min(rect.height()));
    // From the left end to the text's, then as far as it fades, then to the right end.
    let aside = (0..=STEPS).map(|step| (reach + FADES_ASIDE.0 * part(step)).min(rect.max.x));
    let columns: Vec<f32> = [rect.min.x].into_iter().chain(aside).chain([rect.max.x]).collect();
    let mut mesh = Mesh::default();
    for above in heights {
        let low = (radius - above).max(0.0);
        let inset = radius - (radius * radius - low * low).max(0.0).sqrt();
        let up = smooth(1.0 - ((above - SCRIM_HEIGHT) / FADES_UP).clamp(0.0, 1.0));
        for x in &columns {
            let beside = smooth(((x - reach) / FADES_ASIDE.0).clamp(0.0, 1.0));
            let dark = up * (1.0 - (1.0 - FADES_ASIDE.1) * beside);
            let at = pos2(x.clamp(rect.min.x + inset, rect.max.x - inset), rect.max.y - above);
            mesh.colored_vertex(at, Color32::from_black_alpha(SCRIM).gamma_multiply(dark));
        }
    }
    let across = u32::try_from(columns.len()).unwrap_or(u32::MAX);
    let count = u32::try_from(mesh.vertices.len()).unwrap_or(0);
    for corner in (0..count.saturating_sub(across)).filter(|at| at % across + 1 < across) {
        mesh.add_triangle(corner, corner + 1, corner + across);
        mesh.add_triangle(corner + 1, corner + across, corner + across + 1);
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
