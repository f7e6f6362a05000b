//! A game's pictures: read, checked as launchers will check them, and stored like files of a build.

use crate::error::{DiskContext as _, Error, Result};
use crate::store::{Blobs, DataDir, read_bounded};
use manifests::hash::TreeHasher;
use manifests::release::{
    Art, FileIdentity, MAX_HERO_BYTES, MAX_HERO_PIXELS, MAX_ICON_BYTES, MAX_ICON_PIXELS,
};
use png::{Decoder, Limits, Transformations};
use std::io::{Cursor, Write as _};
use std::path::Path;

/// What decoding may take besides the pixels, in bytes.
const DECODER_BYTES_MAX: usize = 16 << 20;

/// A PNG that launchers will show.
#[derive(Clone, Debug)]
struct Picture {
    id: FileIdentity,
    bytes: Vec<u8>,
}

/// The pictures that a release is published with.
#[derive(Clone, Debug, Default)]
pub struct Pictures {
    icon: Option<Picture>,
    hero: Option<Picture>,
}

impl Pictures {
    /// Reads and checks them.
    ///
    /// # Errors
    /// [`Error::Option`] when one cannot be read, is too large, or is not a PNG.
    pub fn read(icon: Option<&Path>, hero: Option<&Path>) -> Result<Pictures> {
        let icon = icon.map(|path| read("--icon", path, MAX_ICON_BYTES, MAX_ICON_PIXELS));
        let hero = hero.map(|path| read("--hero", path, MAX_HERO_BYTES, MAX_HERO_PIXELS));
        Ok(Pictures { icon: icon.transpose()?, hero: hero.transpose()? })
    }

    /// What the manifest says of them.
    #[must_use]
    pub fn art(&self) -> Art {
        let id = |picture: &Option<Picture>| picture.as_ref().map(|picture| picture.id);
        Art { icon: id(&self.icon), hero: id(&self.hero) }
    }

    /// Puts those into the store that it does not have.
    pub(super) fn store(&self, dir: &DataDir) -> Result<()> {
        let blobs = Blobs::new(dir);
        for picture in self.icon.iter().chain(&self.hero) {
            if blobs.holds(&picture.id) {
                continue;
            }
            let mut temp = dir.temp()?;
            let path = temp.path().to_owned();
            temp.file()?.write_all(&picture.bytes).at(&path)?;
            blobs.place(&picture.id, temp)?;
        }
        blobs.sync()
    }
}

fn read(option: &'static str, path: &Path, longest: u64, most: (u32, u32)) -> Result<Picture> {
    let refuse = |why: String| Error::Option { option, value: path.display().to_string(), why };
    // What is no file could keep us waiting for ever.
    if !std::fs::metadata(path).map_err(|error| refuse(error.to_string()))?.is_file() {
        return Err(refuse("it is no file".to_owned()));
    }
    let bytes = read_bounded(path, longest).map_err(|error| refuse(error.to_string()))?;
    check(&bytes, most).map_err(refuse)?;
    let mut hasher = TreeHasher::default();
    hasher.update(&bytes);
    Ok(Picture { id: hasher.finish().identity, bytes })
}

/// Decodes it to the end: what launchers could not show is to be known before it is signed.
fn check(bytes: &[u8], (widest, highest): (u32, u32)) -> Result<(), String> {
    let mut decoder = Decoder::new_with_limits(Cursor::new(bytes), Limits { bytes: DECODER_BYTES_MAX });
    decoder.set_transformations(Transformations::normalize_to_color8() | Transformations::ALPHA);
    let not_png = |error: png::DecodingError| format!("it is not a usable PNG: {error}");
    let mut reader = decoder.read_info().map_err(not_png)?;
    let (width, height) = reader.info().size();
    if width > widest || height > highest {
        return Err(format!("it has {width} × {height} pixels, at most {widest} × {highest} are shown"));
    }
    let mut pixels = vec![0; reader.output_buffer_size().ok_or("it is too large")?];
    reader.next_frame(&mut pixels).map_err(not_png)?;
    reader.finish().map_err(not_png)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A grey PNG of this size.
    pub(in crate::publish) fn png(width: u32, height: u32) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, width, height);
        encoder.set_color(png::ColorType::Grayscale);
        let mut writer = encoder.write_header().unwrap();
        writer.write_image_data(&vec![128; (width * height) as usize]).unwrap();
        writer.finish().unwrap();
        bytes
    }

    #[test]
    fn pictures_in_a_table() {
        let folder = tempfile::tempdir().unwrap();
        let whole = png(64, 64);
        let huge = {
            // The header says 2^31-1 pixels a row; its checksum is right.
            let mut bytes = whole.clone();
            bytes[16..20].copy_from_slice(&i32::MAX.to_be_bytes());
            let sum = crc(&bytes[12..29]);
            bytes[29..33].copy_from_slice(&sum.to_be_bytes());
            bytes
        };
        let mut long = whole.clone();
        long.resize(MAX_ICON_BYTES as usize + 1, 0);
        let table: &[(&str, Vec<u8>, Option<&str>)] = &[
            ("fits", whole.clone(), None),
            ("largest", png(512, 512), None),
            ("too wide", png(513, 1), Some("513 × 1")),
            ("too high", png(1, 513), Some("1 × 513")),
            ("header lies", huge, Some("")),
            ("cut", whole[..whole.len() - 20].to_vec(), Some("not a usable PNG")),
            ("empty", Vec::new(), Some("not a usable PNG")),
            ("text", b"no picture".to_vec(), Some("not a usable PNG")),
            ("too long", long, Some("")),
            ("no palette", without_palette(&whole), Some("not a usable PNG")),
        ];
        for (name, bytes, refused) in table {
            let path = folder.path().join("icon.png");
            std::fs::write(&path, bytes).unwrap();
            match (Pictures::read(Some(&path), None), refused) {
                (Ok(read), None) => {
                    assert_eq!(read.art().icon.map(|id| id.len), Some(bytes.len() as u64), "{name}");
                }
                (Err(error), Some(why)) => {
                    assert_eq!(error.code(), "E-OPTION", "{name}");
                    assert!(error.to_string().contains(why), "{name}: {error}");
                }
                (done, _) => panic!("{name}: {done:?}"),
            }
        }
        let no_file = Pictures::read(Some(folder.path()), None).unwrap_err();
        assert!(no_file.to_string().contains("no file"), "{no_file}");
        let missing = Pictures::read(None, Some(&folder.path().join("hero.png"))).unwrap_err();
        assert!(missing.to_string().contains("--hero"), "{missing}");
    }

    /// The same, said to be indexed: what its pixels mean is missing.
    fn without_palette(whole: &[u8]) -> Vec<u8> {
        let mut bytes = whole.to_vec();
        bytes[25] = 3;
        let sum = crc(&bytes[12..29]);
        bytes[29..33].copy_from_slice(&sum.to_be_bytes());
        bytes
    }

    /// CRC-32 as PNG has it, bit by bit.
    fn crc(bytes: &[u8]) -> u32 {
        !bytes.iter().fold(u32::MAX, |sum, byte| {
            (0..8).fold(sum ^ u32::from(*byte), |sum, _| {
                if sum & 1 == 1 { 0xEDB8_8320 ^ (sum >> 1) } else { sum >> 1 }
            })
        })
    }
}
