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
