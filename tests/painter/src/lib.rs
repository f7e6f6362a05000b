//! A painter of what egui would give to a graphics card, in plain Rust: the same picture on every machine, to the bit.
//!
//! Triangles cover a pixel when they hold its middle; an edge that two share belongs to one of them. Colours are blended
//! as eframe's own painter has it: premultiplied, in the values that are stored.
//!
//! A crate of its own so that it alone is optimised: all that the tests paint passes through it.

#![allow(clippy::unwrap_used, reason = "for tests alone: what cannot be painted fails them")]

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use egui::epaint::{ImageData, Mesh, Primitive, Vertex};
use egui::{Color32, ColorImage, Rect, TextureId, TexturesDelta};
use egui_kittest::{Harness, TestRenderer};

/// Parts of a pixel that coordinates are rounded to.
const PARTS: i64 = 256;
/// Shades of each of the three colours in a coarse picture, without the darkest.
const SHADES: u32 = 31;

/// The textures of a window, as far as they were told.
#[derive(Clone, Default)]
pub struct Textures(Rc<RefCell<HashMap<TextureId, ColorImage>>>);

impl TestRenderer for Textures {
    fn handle_delta(&mut self, delta: &mut TexturesDelta) {
        let mut textures = self.0.borrow_mut();
        for (id, changes) in delta.set.drain() {
            for change in changes {
                let ImageData::Color(image) = change.image;
                let Some([left, top]) = change.pos else {
                    textures.insert(id, (*image).clone());
                    continue;
                };
                let whole = textures.get_mut(&id).unwrap();
                let [width, height] = image.size;
                for row in 0..height {
                    let at = (top + row) * whole.size[0] + left;
                    whole.pixels[at..at + width].copy_from_slice(&image.pixels[row * width..][..width]);
                }
            }
        }
        for id in delta.free.drain() {
            textures.remove(&id);
        }
    }
}

/// A picture, row by row.
pub struct Picture {
    /// In pixels.
    pub width: usize,
    /// In pixels.
    pub height: usize,
    pixels: Vec<Color32>,
}

impl Picture {
    /// What a window shows now.
    pub fn of<S>(harness: &Harness<'_, S>, textures: &Textures) -> Self {
        let scale = harness.ctx.pixels_per_point();
        let size = harness.ctx.content_rect().size() * scale;
        let (width, height) = (size.x.round() as usize, size.y.round() as usize);
        let ground = harness.ctx.global_style().visuals.panel_fill;
        let mut picture = Self { width, height, pixels: vec![ground; width * height] };
        let textures = textures.0.borrow();
        for part in harness.ctx.tessellate(harness.output().shapes.clone(), scale) {
            let Primitive::Mesh(mesh) = part.primitive else { continue };
            picture.mesh(&mesh, &textures[&mesh.texture_id], part.clip_rect, scale);
        }
        picture
    }

    fn mesh(&mut self, mesh: &Mesh, texture: &ColorImage, clip: Rect, scale: f32) {
        let within = |at: f32, most: usize| (at * scale).round().clamp(0.0, most as f32) as i64;
        let clip = Clip {
            x: within(clip.min.x, self.width)..within(clip.max.x, self.width),
            y: within(clip.min.y, self.height)..within(clip.max.y, self.height),
        };
        for three in mesh.indices.chunks_exact(3) {
            let corners = [0, 1, 2].map(|at| mesh.vertices[three[at] as usize]);
            self.triangle(corners, texture, &clip, scale);
        }
    }

    fn triangle(&mut self, mut corners: [Vertex; 3], texture: &ColorImage, clip: &Clip, scale: f32) {
        let fixed = |at: f32| (at * scale * PARTS as f32).round() as i64;
        let points = |corners: &[Vertex; 3]| corners.map(|corner| (fixed(corner.pos.x), fixed(corner.pos.y)));
        let mut points_of = points(&corners);
        let mut area = edge(points_of[0], points_of[1], points_of[2]);
        if area < 0 {
            corners.swap(1, 2);
            (points_of, area) = (points(&corners), -area);
        }
        if area == 0 {
            return;
        }
        let [a, b, c] = points_of;
        let least = |one: i64, two: i64, three: i64| one.min(two).min(three).div_euclid(PARTS);
        let most = |one: i64, two: i64, three: i64| one.max(two).max(three).div_euclid(PARTS) + 1;
        let (left, right) = (least(a.0, b.0, c.0).max(clip.x.start), most(a.0, b.0, c.0).min(clip.x.end));
        let (top, bottom) = (least(a.1, b.1, c.1).max(clip.y.start), most(a.1, b.1, c.1).min(clip.y.end));
        let flat = is_flat(&corners).then(|| shade(&corners, [1.0, 0.0, 0.0], texture));
        // An edge's own pixels belong to the triangle that lies below or right of it.
        let bias = [(b, c), (c, a), (a, b)].map(|(from, to)| i64::from(!is_top_left(from, to)));
        for y in top..bottom {
            let at = |x: i64| (x * PARTS + PARTS / 2, y * PARTS + PARTS / 2);
            let first = [edge(b, c, at(left)), edge(c, a, at(left)), edge(a, b, at(left))];
            let next = [edge(b, c, at(left + 1)), edge(c, a, at(left + 1)), edge(a, b, at(left + 1))];
            // The pixels of this row that no edge leaves out: each edge bounds them on one side.
            let (mut from, mut to) = (0, right - left);
            for ((first, next), bias) in first.into_iter().zip(next).zip(bias) {
                let (value, step) = (first - bias, next - first);
                match step.signum() {
                    1 => from = from.max((-value + step - 1).div_euclid(step)),
                    -1 => to = to.min(value.div_euclid(-step) + 1),
                    _ if value < 0 => to = 0,
                    _ => {}
                }
            }
            if from >= to {
                continue;
            }
            let row = y as usize * self.width + left as usize;
            let row = &mut self.pixels[row + from as usize..row + to as usize];
            match flat {
                Some(color) if color[3] >= 255.0 => row.fill(over(color, Color32::BLACK)),
                Some(color) => row.iter_mut().for_each(|pixel| *pixel = over(color, *pixel)),
                None => {
                    for (x, pixel) in (from..).zip(row) {
                        let part = |at: usize| (first[at] + (next[at] - first[at]) * x) as f32 / area as f32;
                        *pixel = over(shade(&corners, [part(0), part(1), part(2)], texture), *pixel);
                    }
                }
            }
        }
    }

    /// A picture of one colour.
    #[must_use]
    pub fn plain(width: usize, height: usize, color: Color32) -> Self {
        Self { width, height, pixels: vec![color; width * height] }
    }

    /// Every square of so many pixels becomes one of their middle colour.
    #[must_use]
    pub fn shrunk(&self, square: usize) -> Self {
        let (width, height) = (self.width / square, self.height / square);
        let mut sums = vec![[0_u32; 3]; width * height];
        for (y, row) in self.pixels.chunks_exact(self.width).take(height * square).enumerate() {
            let sums = &mut sums[y / square * width..][..width];
            for (sum, pixels) in sums.iter_mut().zip(row.chunks_exact(square)) {
                for pixel in pixels {
                    for (sum, part) in sum.iter_mut().zip(pixel.to_array()) {
                        *sum += u32::from(part);
                    }
                }
            }
        }
        let count = (square * square) as u32;
        let middle = |sum: [u32; 3]| sum.map(|sum| ((sum + count / 2) / count) as u8);
        let pixels =
            sums.into_iter().map(|sum| Color32::from_rgb(middle(sum)[0], middle(sum)[1], middle(sum)[2]));
        Self { width, height, pixels: pixels.collect() }
    }

    /// In so few shades that it is kept in little room, whatever it shows.
    #[must_use]
    pub fn coarse(&self) -> Self {
        let coarse = |part: u8| ((u32::from(part) * SHADES + 127) / 255 * 255 / SHADES) as u8;
        let pixels = self.pixels.iter();
        let pixels =
            pixels.map(|pixel| Color32::from_rgb(coarse(pixel.r()), coarse(pixel.g()), coarse(pixel.b())));
        Self { width: self.width, height: self.height, pixels: pixels.collect() }
    }

    /// One pixel.
    #[must_use]
    pub fn pixel(&self, x: usize, y: usize) -> Color32 {
        self.pixels[y * self.width + x]
    }

    /// Puts another picture into it.
    pub fn paste(&mut self, other: &Self, left: usize, top: usize) {
        for (y, row) in other.pixels.chunks_exact(other.width).enumerate() {
            self.pixels[(top + y) * self.width + left..][..other.width].copy_from_slice(row);
        }
    }

    /// A part of it.
    #[must_use]
    pub fn part(&self, left: usize, top: usize, width: usize, height: usize) -> Self {
        let rows = (top..top + height).flat_map(|y| &self.pixels[y * self.width + left..][..width]);
        Self { width, height, pixels: rows.copied().collect() }
    }

    /// How far a picture of the same size is from it: the most that a part of a pixel differs by, where that is, and how
    /// much the parts differ by in the middle.
    #[must_use]
    pub fn differs(&self, other: &Self) -> (u8, [usize; 2], f32) {
        let (mut most, mut place, mut sum) = (0, [0, 0], 0_u64);
        for (at, (one, other)) in self.pixels.iter().zip(&other.pixels).enumerate() {
            for (one, other) in one.to_array().into_iter().zip(other.to_array()) {
                let by = one.abs_diff(other);
                sum += u64::from(by);
                if by > most {
                    (most, place) = (by, [at % self.width, at / self.width]);
                }
            }
        }
        (most, place, sum as f32 / (self.pixels.len() * 3) as f32)
    }

    /// From a PNG of this program; nothing of another kind.
    #[must_use]
    pub fn of_png(bytes: &[u8]) -> Option<Self> {
        let mut decoder = png::Decoder::new(std::io::Cursor::new(bytes));
        decoder.set_transformations(png::Transformations::EXPAND);
        let mut reader = decoder.read_info().ok()?;
        let mut parts = vec![0; reader.output_buffer_size()?];
        let info = reader.next_frame(&mut parts).ok()?;
        (info.color_type == png::ColorType::Rgb).then_some(())?;
        let pixels = parts.chunks_exact(3).map(|part| Color32::from_rgb(part[0], part[1], part[2]));
        Some(Self { width: info.width as usize, height: info.height as usize, pixels: pixels.collect() })
    }

    /// As a PNG, as small as it gets.
    #[must_use]
    pub fn png(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut palette: Vec<Color32> = self.pixels.clone();
        palette.sort_unstable_by_key(Color32::to_array);
        palette.dedup();
        let mut encoder = png::Encoder::new(&mut bytes, self.width as u32, self.height as u32);
        encoder.set_compression(png::Compression::High);
        let rgb = |pixels: &[Color32]| -> Vec<u8> {
            pixels.iter().flat_map(|pixel| [pixel.r(), pixel.g(), pixel.b()]).collect()
        };
        let parts = if palette.len() <= 256 {
            encoder.set_color(png::ColorType::Indexed);
            encoder.set_palette(rgb(&palette));
            encoder.set_filter(png::Filter::NoFilter);
            let index = |pixel: &Color32| palette.binary_search_by_key(&pixel.to_array(), Color32::to_array);
            self.pixels.iter().map(|pixel| index(pixel).unwrap() as u8).collect()
        } else {
            encoder.set_color(png::ColorType::Rgb);
            rgb(&self.pixels)
        };
        encoder.write_header().unwrap().write_image_data(&parts).unwrap();
        bytes
    }

    /// Different colours, in this rectangle of points.
    pub fn colors(&self) -> usize {
        self.pixels.iter().collect::<std::collections::HashSet<_>>().len()
    }
}

struct Clip {
    x: std::ops::Range<i64>,
    y: std::ops::Range<i64>,
}

/// Twice the area of a triangle; positive when its corners go clockwise on a screen.
fn edge(a: (i64, i64), b: (i64, i64), c: (i64, i64)) -> i64 {
    (b.0 - a.0) * (c.1 - a.1) - (b.1 - a.1) * (c.0 - a.0)
}

fn is_top_left(from: (i64, i64), to: (i64, i64)) -> bool {
    (from.1 == to.1 && to.0 > from.0) || to.1 < from.1
}

fn is_flat(corners: &[Vertex; 3]) -> bool {
    let [first, others @ ..] = corners;
    others.iter().all(|other| other.color == first.color && other.uv == first.uv)
}

/// The colour of a place in a triangle.
fn shade(corners: &[Vertex; 3], parts: [f32; 3], texture: &ColorImage) -> [f32; 4] {
    let mix = |of: fn(&Vertex) -> f32| -> f32 {
        corners.iter().zip(parts).map(|(corner, part)| of(corner) * part).sum()
    };
    let texel = sample(texture, mix(|corner| corner.uv.x), mix(|corner| corner.uv.y));
    let own = [
        mix(|corner| f32::from(corner.color.r())),
        mix(|corner| f32::from(corner.color.g())),
        mix(|corner| f32::from(corner.color.b())),
        mix(|corner| f32::from(corner.color.a())),
    ];
    [0, 1, 2, 3].map(|at| own[at] * texel[at] / 255.0)
}

/// Between the four nearest texels.
fn sample(texture: &ColorImage, u: f32, v: f32) -> [f32; 4] {
    let [width, height] = texture.size;
    let (x, y) = (u * width as f32 - 0.5, v * height as f32 - 0.5);
    let (left, top) = (x.floor(), y.floor());
    let (right_part, low_part) = (x - left, y - top);
    let texel = |x: f32, y: f32| {
        let (x, y) = (x.clamp(0.0, width as f32 - 1.0), y.clamp(0.0, height as f32 - 1.0));
        texture.pixels[y as usize * width + x as usize].to_array().map(f32::from)
    };
    let four =
        [texel(left, top), texel(left + 1.0, top), texel(left, top + 1.0), texel(left + 1.0, top + 1.0)];
    [0, 1, 2, 3].map(|at| {
        let high = four[0][at] * (1.0 - right_part) + four[1][at] * right_part;
        let low = four[2][at] * (1.0 - right_part) + four[3][at] * right_part;
        high * (1.0 - low_part) + low * low_part
    })
}

fn over(color: [f32; 4], below: Color32) -> Color32 {
    if color[3] <= 0.0 && color[0] + color[1] + color[2] <= 0.0 {
        return below;
    }
    let keep = 1.0 - color[3] / 255.0;
    let mix =
        |at: usize| (color[at] + f32::from(below.to_array()[at]) * keep).round().clamp(0.0, 255.0) as u8;
    Color32::from_rgb(mix(0), mix(1), mix(2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_triangles_cover_each_pixel_once() {
        let mut mesh = Mesh::default();
        let half = Color32::from_rgba_premultiplied(100, 0, 0, 128);
        mesh.add_colored_rect(Rect::from_min_max([1.0, 1.0].into(), [4.0, 3.0].into()), half);
        let white = ColorImage::filled([1, 1], Color32::WHITE);
        let mut picture = Picture { width: 6, height: 4, pixels: vec![Color32::BLACK; 24] };
        picture.mesh(&mesh, &white, Rect::EVERYTHING, 1.0);
        for (at, pixel) in picture.pixels.iter().enumerate() {
            let is_in = (1..4).contains(&(at % 6)) && (1..3).contains(&(at / 6));
            assert_eq!(pixel.r(), if is_in { 100 } else { 0 }, "{at}");
        }
    }
}
