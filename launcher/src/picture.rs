//! Pictures that others made: PNG, of a size that is known before a pixel is decoded.

use std::io::Cursor;

use png::{ColorType, Decoder, Limits, Transformations};

/// An icon's width and height, at most, in pixels.
pub(crate) const ICON: (u32, u32) = (512, 512);
/// The same of art.
pub(crate) const ART: (u32, u32) = (2048, 1024);
/// What the decoder may take besides the pixels, in bytes.
const DECODER_BYTES_MAX: usize = 16 << 20;

/// A decoded picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// Pixels of a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Red, green, blue and opacity of each pixel, row by row from the top; the opacity is not multiplied in.
    pub rgba: Vec<u8>,
}

impl Picture {
    /// Our own icon.
    #[must_use]
    pub fn own() -> Option<Self> {
        Self::decode(include_bytes!("../assets/icon/samara-128.png"), ICON).ok()
    }

    /// The same, no wider and no higher than this, for who cannot make it smaller well: each pixel is the middle of some.
    #[must_use]
    pub fn within(&self, side: u32) -> Self {
        let every = self.width.max(self.height).div_ceil(side.max(1));
        if every <= 1 {
            return self.clone();
        }
        let (width, height) = ((self.width / every).max(1), (self.height / every).max(1));
        let row = self.width as usize * 4;
        let place = |at: u32| at as usize * every as usize;
        let mut rgba = Vec::with_capacity(width as usize * height as usize * 4);
        for (y, x) in (0..height).flat_map(|y| (0..width).map(move |x| (y, x))) {
            let rows = self.rgba.chunks_exact(row).skip(place(y)).take(every as usize);
            let pixels = rows.flat_map(|row| row.chunks_exact(4).skip(place(x)).take(every as usize));
            // What cannot be seen has no colour.
            let mut sums = [0_u64; 4];
            for pixel in pixels {
                if let [red, green, blue, opacity] = *pixel {
                    let weight = u64::from(opacity);
                    let parts = [red, green, blue].map(|part| u64::from(part) * weight);
                    sums = [sums[0] + parts[0], sums[1] + parts[1], sums[2] + parts[2], sums[3] + weight];
                }
            }
            let weight = sums[3].max(1);
            let mean =
                [sums[0] / weight, sums[1] / weight, sums[2] / weight, sums[3] / u64::from(every).pow(2)];
            rgba.extend(mean.map(|part| u8::try_from(part).unwrap_or(u8::MAX)));
        }
        Self { width, height, rgba }
    }

    /// Decodes a PNG of no more than these pixels; an error says what is wrong with it.
    pub(crate) fn decode(bytes: &[u8], (widest, highest): (u32, u32)) -> Result<Self, String> {
        let mut decoder = Decoder::new_with_limits(Cursor::new(bytes), Limits { bytes: DECODER_BYTES_MAX });
        // Nothing but pixels is wanted: what else a file has is not unpacked.
        decoder.set_ignore_text_chunk(true);
        decoder.set_ignore_iccp_chunk(true);
        decoder.set_transformations(Transformations::normalize_to_color8() | Transformations::ALPHA);
        let mut reader = decoder.read_info().map_err(|error| error.to_string())?;
        let (width, height) = reader.info().size();
        if width > widest || height > highest {
            return Err(format!("it has {width} × {height} pixels, at most {widest} × {highest} are shown"));
        }
        let len = reader.output_buffer_size().ok_or("it is too large")?;
        let mut pixels = vec![0; len];
        let frame = reader.next_frame(&mut pixels).map_err(|error| error.to_string())?;
        pixels.truncate(frame.buffer_size());
        let rgba = match frame.color_type {
            ColorType::Rgba => pixels,
            ColorType::GrayscaleAlpha => {
                let colored = |pixel: &[u8]| match pixel {
                    [grey, opacity] => [*grey, *grey, *grey, *opacity],
                    _ => [0; 4],
                };
                pixels.chunks(2).flat_map(colored).collect()
            }
            other => return Err(format!("its colours are {other:?}")),
        };
        Ok(Self { width, height, rgba })
    }
}
