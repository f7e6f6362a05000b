//! Small things of every kind, to start from.

use std::io::{self, Read as _, Write as _};

use flate2::read::ZlibDecoder;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use flate2::{Compression, Crc};
use manifests::hash::TreeHasher;
use manifests::pack::{Content, PackProgress, PackStage, TreeRef};
use manifests::path::SafePath;
use manifests::release::{FileIdentity, ManifestFile};

/// Bytes that do not compress.
pub(super) fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed;
    let next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as u8
    };
    std::iter::repeat_with(next).take(len).collect()
}

/// Bytes that do.
pub(super) fn text(seed: u64, lines: u64) -> Vec<u8> {
    (0..lines).flat_map(|n| format!("line {} of {n}\n", n * seed % 977).into_bytes()).collect()
}

pub(super) fn identity(bytes: &[u8]) -> FileIdentity {
    let mut hasher = TreeHasher::default();
    hasher.update(bytes);
    hasher.finish().identity
}

/// Where `take` bytes are left, a number of them; `None` at the end.
pub(super) fn number(bytes: &mut &[u8]) -> Option<u32> {
    let (head, rest) = bytes.split_first_chunk::<4>()?;
    *bytes = rest;
    Some(u32::from_le_bytes(*head))
}

/// As many bytes as there are, at most `len`.
pub(super) fn cut<'a>(bytes: &mut &'a [u8], len: usize) -> &'a [u8] {
    let (now, later) = bytes.split_at(len.min(bytes.len()));
    *bytes = later;
    now
}

/// Files in memory.
pub(super) struct Tree {
    pub(super) files: Vec<ManifestFile>,
    pub(super) content: Memory,
}

pub(super) struct Memory(pub(super) Vec<Vec<u8>>);

impl Content for Memory {
    fn read_at(&self, file: u32, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        let bytes = self.0.get(file as usize).ok_or(io::ErrorKind::NotFound)?;
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let part = bytes.get(start..).and_then(|rest| rest.get(..buf.len()));
        buf.copy_from_slice(part.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn len(&self, file: u32) -> io::Result<u64> {
        Ok(self.0.get(file as usize).ok_or(io::ErrorKind::NotFound)?.len() as u64)
    }
}

impl Tree {
    /// Names must ascend.
    pub(super) fn new(files: &[(&str, Vec<u8>)]) -> Tree {
        let listed = files.iter().filter_map(|(path, bytes)| {
            Some(ManifestFile::file(SafePath::parse(path).ok()?, identity(bytes), false))
        });
        Tree {
            files: listed.collect(),
            content: Memory(files.iter().map(|(_, bytes)| bytes.clone()).collect()),
        }
    }

    pub(super) fn tree(&self) -> TreeRef<'_> {
        TreeRef { files: &self.files, content: &self.content }
    }
}

/// Nobody watches.
pub(super) struct Quiet;

impl PackProgress for Quiet {
    fn stage(&self, _: PackStage, _: u64) {}
    fn advance(&self, _: u64) {}
    fn cancelled(&self) -> bool {
        false
    }
}

/// Two releases with a bit of everything that packs treat differently.
pub(super) fn releases() -> (Tree, Tree) {
    let big = noise(1, 60_000);
    let shifted = [&noise(2, 77)[..], &big[..30_000], b"changed", &big[30_010..]].concat();
    let (old_text, new_text) = (text(3, 1500), text(3, 1510));
    let old = Tree::new(&[
        ("a.txt", old_text.clone()),
        ("big.bin", big),
        ("code.exe", code(3000)),
        ("game.zip", zip(&[("1.txt", &old_text), ("2.txt", &text(5, 300))])),
        ("image.png", png(40, 30, 1)),
        ("same.bin", noise(4, 5000)),
    ]);
    let new = Tree::new(&[
        ("a.txt", new_text.clone()),
        ("big.bin", shifted),
        ("code.exe", code(3100)),
        ("game.zip", zip(&[("1.txt", &new_text), ("2.txt", &text(5, 300))])),
        ("image.png", png(40, 30, 2)),
        ("new.txt", text(11, 2000)),
        ("photo.jpg", jpeg(64)),
    ]);
    (old, new)
}

/// Something like x86: calls to near places.
pub(super) fn code(calls: u32) -> Vec<u8> {
    (0..calls)
        .flat_map(|n| [&[0x55, 0x8B, 0xEC, 0xE8][..], &(90_000 - n * 16 % 4000).to_le_bytes()].concat())
        .collect()
}

fn deflated(plain: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::new(6));
    encoder.write_all(plain).and_then(|()| encoder.finish()).unwrap_or_default()
}

pub(super) fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::new(6));
    encoder.write_all(plain).and_then(|()| encoder.finish()).unwrap_or_default()
}

/// A zip archive (PKWARE's application note, 4.3), without checksums.
pub(super) fn zip(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let (mut file, mut directory) = (Vec::new(), Vec::new());
    for (name, plain) in entries {
        let data = deflated(plain);
        let lens = [(data.len() as u32).to_le_bytes(), (plain.len() as u32).to_le_bytes()].concat();
        let name_len = (name.len() as u16).to_le_bytes();
        let common = [&b"\x14\0\0\0\x08\0\0\0\0\0\0\0\0\0"[..], &lens, &name_len, b"\0\0"].concat();
        let offset = (file.len() as u32).to_le_bytes();
        directory.extend([&b"PK\x01\x02\x14\0"[..], &common, &[0; 10], &offset, name.as_bytes()].concat());
        file.extend([&b"PK\x03\x04"[..], &common, name.as_bytes(), &data].concat());
    }
    let count = (entries.len() as u16).to_le_bytes();
    let place = [(directory.len() as u32).to_le_bytes(), (file.len() as u32).to_le_bytes()].concat();
    file.extend([&directory[..], b"PK\x05\x06\0\0\0\0", &count, &count, &place, b"\0\0"].concat());
    file
}

/// A grey picture in several chunks.
pub(super) fn png(width: u32, height: u32, seed: u64) -> Vec<u8> {
    let rows = text(seed, u64::from(width * height));
    let pixels: Vec<u8> =
        rows.chunks(width as usize).take(height as usize).flat_map(|row| [&[0], row].concat()).collect();
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::new(6));
    let zlib = encoder.write_all(&pixels).and_then(|()| encoder.finish()).unwrap_or_default();
    let chunk = |kind: &[u8; 4], data: &[u8]| {
        let mut crc = Crc::new();
        crc.update(kind);
        crc.update(data);
        [&(data.len() as u32).to_be_bytes()[..], kind, data, &crc.sum().to_be_bytes()].concat()
    };
    let header = [&width.to_be_bytes()[..], &height.to_be_bytes(), &[8, 0, 0, 0, 0]].concat();
    let mut file = [&b"\x89PNG\r\n\x1a\n"[..], &chunk(b"IHDR", &header)].concat();
    zlib.chunks(100).for_each(|data| file.extend(chunk(b"IDAT", data)));
    file.extend(chunk(b"IEND", b""));
    file
}

/// A grey picture of `side` blocks a side, whose only entropy is in its mean values.
pub(super) fn jpeg(side: u16) -> Vec<u8> {
    // Of direct values there are sixteen kinds, of others the end of a block.
    let means = [
        &b"\xFF\xC4\0\x23\0\0\0\0\x10"[..],
        &[0; 12],
        &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
    ]
    .concat();
    let others = [&b"\xFF\xC4\0\x14\x10\x01"[..], &[0; 15], &[0]].concat();
    let len = (side * 8).to_be_bytes();
    // Kind 2 in four bits, two bits of difference, end of block: one block in a byte, with a bit of the next.
    let mut bits = noise(7, usize::from(side) * usize::from(side))
        .into_iter()
        .flat_map(|n| [0, 0, 1, 0, n & 1, n >> 1 & 1, 0]);
    let mut scan = Vec::new();
    while let Some(first) = bits.next() {
        let byte = (0..7).fold(first, |byte, _| byte << 1 | bits.next().unwrap_or(1));
        scan.extend(if byte == 0xFF { vec![0xFF, 0] } else { vec![byte] });
    }
    [
        &b"\xFF\xD8\xFF\xDB\0\x43\0"[..],
        &[1; 64],
        b"\xFF\xC0\0\x0B\x08",
        &len,
        &len,
        b"\x01\x01\x11\0",
        &means,
        &others,
        b"\xFF\xDA\0\x08\x01\x01\0\0\x3F\0",
        &scan,
        b"\xFF\xD9",
    ]
    .concat()
}

/// A JPEG of 156 bytes as packs hold it: a head of 28 bytes, a zlib stream with the original's headers, coefficients.
const CODED_JPEG: &str = "cf84015a010000004d53af000000833a000000009c00000051000000789ca58ab10980301000efad0236111cc40d0c1af0\
    4bc9548e65e112ea306f52aa65ae3a8ed39836c06e66a412db691d8120d261073dc28752fdbf5e38c975641d22aa59fd6b58d2d494ef7c00fc9a102543\
    4d50000b0000000000000000000000000083000000";

/// That picture with its headers changed, as an opened part of 156 bytes: text, table, lengths of corrections and table.
pub(super) fn opened_jpeg(change: impl Fn(&mut Vec<u8>)) -> Vec<u8> {
    let coded = hex::decode(CODED_JPEG).unwrap_or_default();
    let (head, rest) = coded.split_at(28);
    let (zlib, body) = rest.split_at(usize::from(head[24]));
    let mut headers = Vec::new();
    let read = ZlibDecoder::new(zlib).read_to_end(&mut headers);
    assert!(read.is_ok(), "{read:?}");
    change(&mut headers);
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::new(6));
    let zlib = encoder.write_all(&headers).and_then(|()| encoder.finish()).unwrap_or_default();
    let head = [&head[..24], &(zlib.len() as u32).to_le_bytes()].concat();
    // It states its own length last.
    let len = (28 + zlib.len() + body.len()) as u32;
    let coded = [&head, &zlib[..], &body[..body.len() - 4], &len.to_le_bytes()].concat();
    let table = [1, 0, 2, coded.len() as u8 & 0x7F | 0x80, (coded.len() >> 7) as u8, 0];
    [&coded[..], &table, &0u32.to_le_bytes(), &(table.len() as u32).to_le_bytes()].concat()
}
