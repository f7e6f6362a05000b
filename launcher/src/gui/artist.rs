//! Makes the pictures of games, on a thread of its own: no frame waits for a file or a decoder.
//!
//! A file's bytes were compared with what the studio signed when they were fetched; what they decode to is the studio's
//! word alone, and since then the file may have been changed. So every file is bounded, and what cannot be used is told
//! in the log, once.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read as _;
use std::panic::catch_unwind;
use std::path::Path;
use std::sync::{Arc, mpsc};

use eframe::egui::{Color32, ColorImage, Context, TextureHandle, TextureOptions};
use manifests::release::{MAX_HERO_BYTES, MAX_HERO_PIXELS, MAX_ICON_BYTES, MAX_ICON_PIXELS};

use crate::engine::Pictured;
use crate::gui::art::{Gallery, Kind, Shelf, Shown, Wanted};
use crate::picture::Picture;

/// What pictures that were seen take, at most, in bytes of the graphics card: four windows full of cards. Without one it is
/// memory, and a picture is made anew in a few milliseconds.
const ROOM: usize = 16 << 20;

/// A picture, or why it cannot be used.
type Made = (Wanted, Result<ColorImage, String>);

/// The window's part of it.
pub(super) struct Artist {
    gallery: Gallery<(TextureHandle, bool)>,
    shelf: Arc<Shelf>,
    work: mpsc::Sender<Wanted>,
    made: mpsc::Receiver<Made>,
}

impl Artist {
    /// Begins; `wake` is called when there is a picture.
    pub(super) fn start(wake: impl Fn() + Send + 'static) -> Self {
        let (work, inbox) = mpsc::channel::<Wanted>();
        let (made_to, made) = mpsc::channel();
        let make = move || {
            for wanted in inbox {
                // A decoder's bug is that picture's alone.
                let picture =
                    catch_unwind(|| read(&wanted.file, wanted.kind).and_then(|bytes| paint(&bytes, &wanted)));
                let _ =
                    made_to.send((wanted, picture.unwrap_or_else(|_| Err("the decoder failed".to_owned()))));
                wake();
            }
        };
        if let Err(error) = std::thread::Builder::new().name("samara-art".to_owned()).spawn(make) {
            tracing::warn!(%error, "no pictures are shown");
        }
        Self { gallery: Gallery::new(ROOM), shelf: Arc::default(), work, made }
    }

    /// The pictures that are there.
    pub(super) fn shelf(&self) -> Arc<Shelf> {
        self.shelf.clone()
    }

    /// Takes what was made since the last frame.
    pub(super) fn listen(&mut self, ctx: &Context) {
        let mut is_new = false;
        while let Ok((wanted, made)) = self.made.try_recv() {
            is_new = true;
            match made {
                Ok(image) => {
                    let is_opaque = image.pixels.iter().all(Color32::is_opaque);
                    let bytes = image.pixels.len().saturating_mul(4);
                    let texture = ctx.load_texture("art", image, TextureOptions::LINEAR);
                    self.gallery.hang(wanted, (texture, is_opaque), bytes);
                }
                Err(cause) => self.fail(wanted, &cause),
            }
        }
        if is_new {
            self.arrange();
        }
    }

    /// Pictures were fetched: those that were missing before are looked for once more.
    pub(super) fn fetched(&mut self, pictured: &Pictured) {
        for file in pictured.icon.iter().chain(&pictured.hero) {
            if self.gallery.fetched(file) {
                self.arrange();
            }
        }
    }

    /// A frame was drawn that wanted these.
    pub(super) fn see(&mut self, wanted: BTreeSet<Wanted>) {
        let (ask, mut is_new) = self.gallery.see(wanted);
        for wanted in ask {
            if let Err(mpsc::SendError(wanted)) = self.work.send(wanted) {
                self.fail(wanted, "nobody decodes it");
                is_new = true;
            }
        }
        if is_new {
            self.arrange();
        }
    }

    fn fail(&mut self, wanted: Wanted, cause: &str) {
        let file = wanted.file.display().to_string();
        if self.gallery.fail(wanted) {
            tracing::warn!(file, cause, "a game's picture cannot be used");
        }
    }

    fn arrange(&mut self) {
        let shown = |(texture, is_opaque): &(TextureHandle, bool)| Shown {
            texture: texture.id(),
            size: texture.size_vec2(),
            is_opaque: *is_opaque,
        };
        self.shelf = Arc::new(self.gallery.shelf(shown));
    }
}

/// A whole file, when it has no more bytes than such files have.
fn read(file: &Path, kind: Kind) -> Result<Vec<u8>, String> {
    let most = match kind {
        Kind::Icon => MAX_ICON_BYTES,
        Kind::Hero => MAX_HERO_BYTES,
    };
    let mut bytes = Vec::new();
    // What is no file could keep this thread waiting for ever.
    if !file.metadata().map_err(|error| error.to_string())?.is_file() {
        return Err("it is no file".to_owned());
    }
    let opened = File::open(file).map_err(|error| error.to_string())?;
    opened.take(most.saturating_add(1)).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    match u64::try_from(bytes.len()) {
        Ok(len) if len <= most => Ok(bytes),
        _ => Err(format!("it is longer than {most} bytes")),
    }
}

/// Decodes a file, as far and as large as it is wanted.
pub(super) fn paint(bytes: &[u8], wanted: &Wanted) -> Result<ColorImage, String> {
    let most = match wanted.kind {
        Kind::Icon => MAX_ICON_PIXELS,
        Kind::Hero => MAX_HERO_PIXELS,
    };
    Ok(cover(&Picture::decode(bytes, most)?, wanted.size))
}

/// The middle of a picture, in the shape of `size` and no larger: each pixel is the mean of those that it stands for.
fn cover(picture: &Picture, size: [u32; 2]) -> ColorImage {
    let [wide, high] = size.map(|side| side.max(1) as usize);
    let (width, height) = (picture.width as usize, picture.height as usize);
    let is_wider = width * high > height * wide;
    let (part_width, part_height) = if is_wider {
        ((height * wide / high).max(1), height)
    } else {
        (width, (width * high / wide).max(1))
    };
    let (left, top) = ((width - part_width) / 2, (height - part_height) / 2);
    let (columns, rows) = (wide.min(part_width), high.min(part_height));
    let mut pixels = Vec::with_capacity(columns * rows);
    for row in 0..rows {
        let (from, to) = span(row, rows, part_height);
        let mut sums = vec![[0_u64; 4]; columns];
        let lines = picture.rgba.chunks_exact(width * 4).skip(top + from).take(to - from);
        for line in lines {
            let line = line.get(left * 4..).unwrap_or_default();
            for (column, sum) in sums.iter_mut().enumerate() {
                let (from, to) = span(column, columns, part_width);
                add(sum, line.get(from * 4..to * 4).unwrap_or_default());
            }
        }
        pixels.extend(sums.iter().enumerate().map(|(column, sum)| {
            let (from_column, to_column) = span(column, columns, part_width);
            mean(sum, ((to - from) * (to_column - from_column)) as u64)
        }));
    }
    ColorImage::new([columns, rows], pixels)
}

/// Which of `of` pixels the pixel `at` of `all` stands for.
fn span(at: usize, all: usize, of: usize) -> (usize, usize) {
    (at * of / all, ((at + 1) * of).div_ceil(all))
}

/// Adds pixels with their opacity multiplied in, so that what cannot be seen has no colour.
fn add(sum: &mut [u64; 4], pixels: &[u8]) {
    for pixel in pixels.chunks_exact(4) {
        if let [red, green, blue, opacity] = *pixel {
            let opacity = u64::from(opacity);
            for (sum, part) in sum.iter_mut().zip([red, green, blue, u8::MAX]) {
                *sum += u64::from(part) * opacity;
            }
        }
    }
}

fn mean(sum: &[u64; 4], count: u64) -> Color32 {
    let whole = count.max(1) * 255;
    let [red, green, blue, opacity] =
        sum.map(|part| u8::try_from((part + whole / 2) / whole).unwrap_or(u8::MAX));
    Color32::from_rgba_premultiplied(red, green, blue, opacity)
}

#[cfg(test)]
mod tests;
