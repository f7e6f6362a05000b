use std::path::PathBuf;
use std::time::Duration;

use png::{BitDepth, ColorType};

use super::*;
use crate::gui::art::{Look, Spot};
use crate::shell::GameKey;

fn wanted(kind: Kind, size: [u32; 2]) -> Wanted {
    let (game, spot) = (GameKey(1), Spot::Card);
    Wanted { game, spot, kind, file: "/art/some.png".into(), size }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/assets/art")
}

/// A PNG of these rows, as they are.
fn png(size: [u32; 2], color: ColorType, depth: BitDepth, rows: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, size[0], size[1]);
    encoder.set_color(color);
    encoder.set_depth(depth);
    if color == ColorType::Indexed {
        encoder.set_palette(vec![0, 0, 0, 200, 100, 50]);
        encoder.set_trns(vec![255, 128]);
    }
    encoder.write_header().unwrap().write_image_data(rows).unwrap();
    bytes
}

/// A file of these chunks, with what has to be right of it right.
fn chunks(chunks: &[(&[u8; 4], Vec<u8>)]) -> Vec<u8> {
    let mut bytes = b"\x89PNG\r\n\x1a\n".to_vec();
    for (name, content) in chunks {
        let named: Vec<u8> = name.iter().chain(content).copied().collect();
        let crc = named.iter().fold(u32::MAX, |crc, byte| {
            (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 * (crc & 1)))
        });
        bytes.extend((content.len() as u32).to_be_bytes());
        bytes.extend(named);
        bytes.extend((!crc).to_be_bytes());
    }
    bytes
}

/// The header of a picture with 8 bits of grey each.
fn header([width, height]: [u32; 2], is_interlaced: bool) -> (&'static [u8; 4], Vec<u8>) {
    let rest = [8, 0, 0, 0, u8::from(is_interlaced)];
    (b"IHDR", width.to_be_bytes().into_iter().chain(height.to_be_bytes()).chain(rest).collect())
}

/// Bytes as a zlib stream that does not shrink them.
fn stored(bytes: &[u8]) -> Vec<u8> {
    let (low, high) = bytes.iter().fold((1_u32, 0_u32), |(low, high), byte| {
        let low = (low + u32::from(*byte)) % 65521;
        (low, (high + low) % 65521)
    });
    let len = bytes.len() as u16;
    let mut stream = vec![0x78, 1, 1];
    stream.extend(len.to_le_bytes().into_iter().chain((!len).to_le_bytes()));
    stream.extend(bytes);
    stream.extend((high << 16 | low).to_be_bytes());
    stream
}

#[test]
fn every_kind_of_png_is_shown() {
    let grey = |part| Color32::from_rgb(part, part, part);
    // Filters and pixels of seven passes over 8 x 8.
    let passes = [(1, 1), (1, 1), (2, 1), (2, 2), (4, 2), (4, 4), (8, 4)];
    let pass = |(width, rows)| [&[0][..], &vec![200; width]].concat().repeat(rows);
    let passes: Vec<u8> = passes.into_iter().flat_map(pass).collect();
    let interlaced = chunks(&[header([8, 8], true), (b"IDAT", stored(&passes)), (b"IEND", Vec::new())]);
    for (name, bytes, expected) in [
        ("grey", png([8, 8], ColorType::Grayscale, BitDepth::Eight, &[9; 64]), grey(9)),
        ("one bit", png([8, 8], ColorType::Grayscale, BitDepth::One, &[255; 8]), grey(255)),
        ("16 bits", png([8, 8], ColorType::Rgb, BitDepth::Sixteen, &[77; 384]), grey(77)),
        ("opacity", png([8, 8], ColorType::GrayscaleAlpha, BitDepth::Eight, &[0; 128]), Color32::TRANSPARENT),
        (
            "palette",
            png([8, 8], ColorType::Indexed, BitDepth::Eight, &[1; 64]),
            Color32::from_rgba_premultiplied(100, 50, 25, 128),
        ),
        ("interlaced", interlaced, grey(200)),
    ] {
        let image = paint(&bytes, &wanted(Kind::Icon, [4, 4])).unwrap();
        assert_eq!((image.size, &image.pixels[..]), ([4, 4], &[expected; 16][..]), "{name}");
    }
}

#[test]
fn a_hostile_file_is_refused() {
    let good = std::fs::read(folder().join("aurora-icon.png")).unwrap();
    let end = (b"IEND", Vec::new());
    let none = (b"IDAT", stored(&[]));
    let with_text =
        |content: Vec<u8>| chunks(&[header([8, 8], false), (b"zTXt", content), none.clone(), end.clone()]);
    for (name, bytes) in [
        ("nothing", Vec::new()),
        ("no PNG", b"<svg xmlns='http://www.w3.org/2000/svg'/>".to_vec()),
        ("a JPEG", [&[0xff, 0xd8, 0xff, 0xe0][..], &[0; 400]].concat()),
        ("cut early", good[..20].to_vec()),
        ("cut late", good[..good.len() - 100].to_vec()),
        ("changed", good.iter().enumerate().map(|(at, byte)| byte ^ u8::from(at == 900)).collect()),
        ("huge", chunks(&[header([i32::MAX as u32; 2], false), none.clone(), end.clone()])),
        ("wide", chunks(&[header([513, 1], false), (b"IDAT", stored(&[0; 514])), end.clone()])),
        ("high", chunks(&[header([1, 513], false), (b"IDAT", stored(&[0; 1026])), end.clone()])),
        ("of no size", chunks(&[header([0, 8], false), none.clone(), end.clone()])),
        ("too few pixels", chunks(&[header([8, 8], false), (b"IDAT", stored(&[0; 60])), end.clone()])),
        ("no pixels", chunks(&[header([8, 8], false), end.clone()])),
        ("text", with_text(vec![0; 100_000])),
    ] {
        assert!(paint(&bytes, &wanted(Kind::Icon, [64, 64])).is_err(), "{name}");
    }
    // Wider than icons are, but not than heroes.
    let wide = png([600, 10], ColorType::Grayscale, BitDepth::Eight, &[0; 6000]);
    assert!(paint(&wide, &wanted(Kind::Icon, [64, 64])).is_err());
    assert!(paint(&wide, &wanted(Kind::Hero, [64, 64])).is_ok());
}

#[test]
fn more_pixels_than_it_has_are_not_unpacked() {
    // 64 MB in 64 kB, said to be 8 x 8.
    let bomb = png([8000, 8000], ColorType::Grayscale, BitDepth::Eight, &vec![0; 64_000_000]);
    let data = bomb.windows(4).position(|four| four == b"IDAT").unwrap();
    assert!(bomb.len() < 1 << 20);
    let mut bytes = chunks(&[header([8, 8], false)]);
    bytes.extend(&bomb[data - 4..]);
    // What is shown of it, if anything, is as small as it said.
    if let Ok(image) = paint(&bytes, &wanted(Kind::Icon, [256, 256])) {
        assert_eq!(image.size, [8, 8]);
    }
}

#[test]
fn the_middle_is_shown_and_never_enlarged() {
    // Columns of 0, 10, 20 ...
    let picture = |width: u32, height: u32| {
        let rgba = (0..height).flat_map(|_| (0..width).flat_map(|x| [(x * 10 % 250) as u8, 0, 0, 255]));
        Picture { width, height, rgba: rgba.collect() }
    };
    let reds = |image: &ColorImage| image.pixels.iter().map(|pixel| pixel.r()).collect::<Vec<_>>();
    let cut = cover(&picture(8, 2), [2, 2]);
    assert_eq!((cut.size, reds(&cut)), ([2, 2], vec![30, 40, 30, 40]));
    let half = cover(&picture(8, 2), [4, 1]);
    assert_eq!((half.size, reds(&half)), ([4, 1], vec![5, 25, 45, 65]));
    for (of, size, expected) in [
        ([8, 2], [800, 200], [8, 2]),
        ([2048, 1], [1280, 256], [5, 1]),
        ([1, 1024], [1280, 256], [1, 1]),
        ([3, 3], [2, 2], [2, 2]),
        ([1280, 480], [1280, 256], [1280, 256]),
        ([7, 5], [0, 0], [1, 1]),
    ] {
        assert_eq!(cover(&picture(of[0], of[1]), size).size, expected, "{of:?} for {size:?}");
    }
}

#[test]
fn what_cannot_be_seen_has_no_colour() {
    let rgba = [255, 0, 0, 0, 0, 0, 0, 255].repeat(4);
    let mixed = cover(&Picture { width: 2, height: 4, rgba }, [1, 1]);
    assert_eq!(mixed.pixels, [Color32::from_rgba_premultiplied(0, 0, 0, 128)]);
}

#[test]
fn files_are_read_as_far_as_such_files_go() {
    let temp = tempfile::tempdir().unwrap();
    let long = temp.path().join("long.png");
    std::fs::write(&long, vec![0; MAX_ICON_BYTES as usize + 1]).unwrap();
    assert!(read(&long, Kind::Icon).unwrap_err().contains("longer"));
    assert_eq!(read(&long, Kind::Hero).unwrap().len() as u64, MAX_ICON_BYTES + 1);
    assert!(read(&temp.path().join("none.png"), Kind::Icon).is_err());
    assert!(read(temp.path(), Kind::Icon).is_err());
}

#[test]
fn the_window_is_woken_when_a_picture_is_there() {
    let temp = tempfile::tempdir().unwrap();
    let broken = temp.path().join("broken.png");
    std::fs::write(&broken, b"broken").unwrap();
    let all: BTreeSet<Wanted> = ["aurora-icon.png", "harbour-icon.png", "circuit-icon.png"]
        .into_iter()
        .map(|name| folder().join(name))
        .chain([broken.clone(), temp.path().join("missing.png")])
        .zip(1..)
        .map(|(file, key)| Wanted { game: GameKey(key), file, ..wanted(Kind::Icon, [64, 64]) })
        .collect();
    let (wake, woken) = mpsc::channel();
    let mut artist = Artist::start(move || wake.send(()).unwrap());
    let ctx = Context::default();
    for _ in &all {
        artist.see(all.clone());
        woken.recv_timeout(Duration::from_secs(60)).unwrap();
        artist.listen(&ctx);
    }
    let looks: Vec<_> = all.iter().map(|wanted| artist.shelf().look(wanted)).collect();
    let is_here = |look: &Look| matches!(look, Look::Here(shown) if shown.size.x == 64.0 && shown.is_opaque);
    assert!(looks[..3].iter().all(is_here), "{looks:?}");
    assert_eq!(looks[3..], [Look::Failed; 2]);
    assert_eq!(artist.gallery.see(all), (Vec::new(), false));
    assert!(woken.try_recv().is_err());
}
