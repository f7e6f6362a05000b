//! Packs: index, file, frames, and what the encoder looks into.

use std::io;
use std::sync::OnceLock;

use manifests::pack::codec::{self, directory, x86};
use manifests::pack::{
    BaseRange, CreateOptions, FORMAT, Frame, Index, Level, Limits, MAX_PLAIN_BYTES, MAX_SEGMENT_BYTES,
    Method, PackError, PackFile, TreeId, View, create, prove, rebuild_frame,
};
use sha2::{Digest as _, Sha256};

use super::samples::{
    Memory, Quiet, Tree, code, cut, gzip, jpeg, noise, number, opened_jpeg, png, releases, text, zip,
};

/// The bytes of an index around its plain text.
const MAGIC: &[u8; 3] = b"SPI";
const HEAD_BYTES: usize = 3 + 1 + 8;

/// Two releases, and the packs between them at every level.
struct World {
    old: Tree,
    new: Tree,
    packs: Vec<(Index, Vec<u8>)>,
}

fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| {
        let (old, new) = releases();
        let mut packs = Vec::new();
        for (base, level) in [(true, Level::Fast), (true, Level::Best), (false, Level::Best)] {
            let mut bytes = Vec::new();
            let options = CreateOptions { level, threads: 1 };
            let made = create(base.then(|| old.tree()), new.tree(), &options, &mut bytes, &Quiet);
            let made = made.unwrap_or_else(|error| panic!("{error}"));
            packs.push((made.index, bytes));
        }
        World { old, new, packs }
    })
}

/// An index: the first byte says whether checksum and frame are to be made around what follows. One that is read is
/// written the same, and holds against the releases or not.
pub fn index(data: &[u8]) -> bool {
    let Some((kind, body)) = data.split_first() else { return false };
    let bytes = if kind % 2 == 0 { body.to_vec() } else { sealed(body) };
    let Ok(index) = Index::decode(&bytes, &Limits::default()) else { return false };
    let again = index.encode().unwrap_or_else(|error| panic!("{error}, though it was read"));
    assert_eq!(Index::decode(&again, &Limits::default()).ok().as_ref(), Some(&index));
    let World { old, new, .. } = world();
    let base = index.base.is_some().then_some(&old.files[..]);
    // As if it were for these releases: the rules beyond the tree ids are what counts.
    let base_tree = base.map(manifests::pack::tree_id);
    let meant = Index { base: base_tree, target: manifests::pack::tree_id(&new.files), ..index };
    let valid = meant.validate(base, &new.files).is_ok();
    if valid {
        let bytes: u64 = meant.frames.iter().map(|frame| u64::from(frame.output_len)).sum();
        assert!(bytes <= new.files.iter().map(|file| file.identity.len).sum());
        meant.files.iter().for_each(|recipe| assert_eq!(meant.recipe(recipe.file), Some(recipe)));
        let _ = meant.files_by_frame();
    }
    valid
}

/// An index around its plain text: `"SPI" | format | 8 bytes of SHA-256 | plain length | zstd`.
fn sealed(plain: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    let mut len = plain.len();
    while len >= 0x80 {
        body.push(len as u8 | 0x80);
        len >>= 7;
    }
    body.push(len as u8);
    body.extend(zstd::bulk::compress(plain, 1).unwrap_or_default());
    let digest = Sha256::digest(&body);
    [&MAGIC[..], &[FORMAT], &digest[..8], &body].concat()
}

/// See [`index`].
pub fn index_seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for (index, _) in &world().packs {
        let bytes = index.encode().unwrap_or_default();
        let body = bytes.get(HEAD_BYTES..).unwrap_or_default();
        let len_bytes = body.iter().take_while(|byte| **byte >= 0x80).count() + 1;
        let frame = body.get(len_bytes..).unwrap_or_default();
        let plain = zstd::bulk::decompress(frame, 1 << 20).unwrap_or_default();
        seeds.push([&[1], &plain[..]].concat());
        seeds.push([&[0], &bytes[..]].concat());
    }
    seeds
}

/// A whole pack: what comes out of it is right, or an error.
pub fn file(data: &[u8]) -> bool {
    let World { old, new, .. } = world();
    let read = |offset: u64, buf: &mut [u8]| {
        let part = usize::try_from(offset).ok().and_then(|start| data.get(start..)?.get(..buf.len()));
        buf.copy_from_slice(part.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    };
    let pack = PackFile::new(data.len() as u64, &read);
    let Ok((index, _)) = pack.index(&Limits::default()) else { return false };
    let base = index.base.is_some().then(|| old.tree());
    let mut asked = 0u64;
    let sink = &mut |file: u32, at: u64, bytes: &[u8]| {
        asked += bytes.len() as u64;
        let right =
            new.content.0.get(file as usize).and_then(|file| file.get(at as usize..)?.get(..bytes.len()));
        if right == Some(bytes) { Ok(()) } else { Err(PackError::Output { file, reason: "other bytes" }) }
    };
    let proof = prove(&pack, &index, base, &new.files, &Quiet, sink);
    assert!(asked <= new.files.iter().map(|file| file.identity.len).sum(), "{asked} bytes came out");
    proof.is_ok()
}

/// See [`file()`].
pub fn file_seeds() -> Vec<Vec<u8>> {
    world().packs.iter().map(|(_, bytes)| bytes.clone()).collect()
}

/// A frame: method, plain length, output length, length of the prefix, prefix, frame. The lengths are held to what an
/// index may state.
pub fn frame(mut data: &[u8]) -> bool {
    let Some((method, rest)) = data.split_first() else { return false };
    data = rest;
    let (Some(plain), Some(output), Some(prefix)) = (number(&mut data), number(&mut data), number(&mut data))
    else {
        return false;
    };
    let Some(method) = Method::from_number(u64::from(*method)) else { return false };
    let prefix = cut(&mut data, prefix as usize);
    rebuilt(method, (plain, output), prefix, data).is_some()
}

/// What a frame comes to, as a launcher rebuilds it.
fn rebuilt(method: Method, (plain, output): (u32, u32), prefix: &[u8], bytes: &[u8]) -> Option<Vec<u8>> {
    let view = View::Raw;
    let len = u32::try_from(prefix.len()).ok()?;
    let range = BaseRange { file: 0, view, offset: 0, len };
    let output_len = output % (MAX_SEGMENT_BYTES + 1);
    let frame = Frame {
        offset: 8,
        len: u32::try_from(bytes.len()).ok()?,
        method,
        prefix: if len == 0 { Vec::new() } else { vec![range] },
        plain_len: if method.is_opened() { plain % (MAX_PLAIN_BYTES + 1) } else { output_len },
        output_len,
        memory: 0,
    };
    let index =
        Index { base: None, target: TreeId([0; 32]), encoder: 1, frames: vec![frame], files: Vec::new() };
    let rebuilt = rebuild_frame(&index, 0, bytes, &Memory(vec![prefix.to_vec()])).ok()?;
    assert_eq!(rebuilt.len(), output_len as usize);
    Some(rebuilt)
}

/// See [`frame`].
pub fn frame_seeds() -> Vec<Vec<u8>> {
    let World { old, packs, .. } = world();
    let mut seeds = Vec::new();
    for (index, bytes) in packs {
        for frame in
            index.frames.iter().filter(|frame| frame.prefix.iter().all(|range| range.view == View::Raw))
        {
            let prefix: Vec<u8> = frame.prefix.iter().flat_map(|range| part_of(old, range)).collect();
            let numbers = [frame.plain_len, frame.output_len, prefix.len() as u32];
            let mut seed = vec![frame.method as u8];
            seed.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
            seed.extend(prefix);
            let range = frame.range();
            seed.extend(bytes.get(range.start as usize..range.end as usize).unwrap_or_default());
            seeds.push(seed);
        }
    }
    seeds
}

/// What a frame's prefix has of a base file.
fn part_of(tree: &Tree, range: &BaseRange) -> Vec<u8> {
    let file = tree.content.0.get(range.file as usize);
    let part = file.and_then(|file| file.get(range.offset as usize..)?.get(..range.len as usize));
    let part = part.unwrap_or_default();
    match range.view {
        View::Raw => part.to_vec(),
        View::Opened => codec::opened::reference(part, MAX_PLAIN_BYTES as usize).unwrap_or_default(),
    }
}

/// Opened streams that are closed again: output length, then what a codec would have yielded.
pub fn closed_frame(mut data: &[u8]) -> bool {
    let Some(output) = number(&mut data) else { return false };
    let Ok(plain) = u32::try_from(data.len()) else { return false };
    let Ok(bytes) = zstd::bulk::compress(data, 1) else { return false };
    rebuilt(Method::OpenedZstd, (plain, output), &[], &bytes).is_some()
}

/// See [`closed_frame`].
pub fn closed_frame_seeds() -> Vec<Vec<u8>> {
    let World { old, packs, .. } = world();
    let with = |output: u32, plain: &[u8]| [&output.to_le_bytes()[..], plain].concat();
    let mut seeds = Vec::new();
    for (index, bytes) in packs {
        for frame in index.frames.iter().filter(|frame| frame.method.is_opened()) {
            let prefix: Vec<u8> = frame.prefix.iter().flat_map(|range| part_of(old, range)).collect();
            let range = frame.range();
            let bytes = bytes.get(range.start as usize..range.end as usize).unwrap_or_default();
            let plain = match frame.method {
                Method::OpenedXz => codec::lzma::decode(prefix, bytes, frame.plain_len as usize),
                _ => codec::zstd::decode(&prefix, bytes, frame.plain_len as usize),
            };
            seeds.extend(plain.map(|plain| with(frame.output_len, &plain)));
        }
    }
    let long = 0xF000_0000u32.to_le_bytes();
    let picture = |change: &dyn Fn(&mut Vec<u8>)| with(156, &opened_jpeg(change));
    seeds.push(picture(&|_| ()));
    // A picture of a gigabyte, headers, garbage and restarts that are said to be long.
    seeds.push(picture(&|headers| {
        let size = headers.windows(2).position(|at| at == b"\xFF\xC0").map_or(0, |at| at + 5);
        headers[size..size + 4].copy_from_slice(&[0x3E, 0x80, 0x3E, 0x80]);
    }));
    seeds.push(picture(&|headers| headers[3..7].copy_from_slice(&long)));
    for name in [&b"GRB"[..], b"FRS", b"CRS"] {
        seeds.push(picture(&|headers| headers.extend([name, &long].concat())));
    }
    seeds
}

/// A part of a base file that is opened for reference: a picture, a gzip file, an entry of a zip.
pub fn base_stream(data: &[u8]) -> bool {
    let limit = MAX_PLAIN_BYTES as usize;
    let text = codec::opened::reference(data, limit);
    if let Ok(text) = &text {
        assert!(text.len() <= limit);
    }
    text.is_ok()
}

/// See [`base_stream`].
pub fn base_stream_seeds() -> Vec<Vec<u8>> {
    let archive = zip(&[("1.txt", &text(3, 400))]);
    let directory = archive.windows(4).position(|at| at == b"PK\x01\x02").unwrap_or(archive.len());
    vec![png(60, 40, 1), gzip(&text(4, 500)), archive[..directory].to_vec(), jpeg(8), archive]
}

/// Filters that are undone bit for bit, whatever they are used on.
pub fn filters(data: &[u8]) -> bool {
    type Filter = fn(&mut [u8]);
    let pairs: [[Filter; 2]; 2] =
        [[x86::absolute, x86::relative], [directory::distances, directory::offsets]];
    for [forth, back] in pairs {
        let mut bytes = data.to_vec();
        forth(&mut bytes);
        back(&mut bytes);
        assert_eq!(bytes, data);
        back(&mut bytes);
        forth(&mut bytes);
        assert_eq!(bytes, data);
    }
    x86::looks_like_code(data) || directory::looks_like_directory(data)
}

/// See [`filters`].
pub fn filters_seeds() -> Vec<Vec<u8>> {
    let (first, second) = (text(1, 30), text(2, 30));
    let entries: Vec<(String, &[u8])> =
        (0..60).map(|n| (format!("data/{n}.txt"), if n % 2 == 0 { &first[..] } else { &second })).collect();
    let entries: Vec<(&str, &[u8])> = entries.iter().map(|(name, bytes)| (name.as_str(), *bytes)).collect();
    let archive = zip(&entries);
    let directory = archive.windows(4).position(|at| at == b"PK\x01\x02").unwrap_or(0);
    vec![code(700), archive[directory..].to_vec(), noise(1, 3000)]
}

/// A build whose files nobody vouches for: level, length of the old file, old file, new file. The pack between them is
/// made, is within every bound, and gives the new file.
pub fn made(mut data: &[u8]) -> bool {
    let Some((level, rest)) = data.split_first() else { return false };
    data = rest;
    let Some(len) = number(&mut data) else { return false };
    let level = if level % 4 == 0 { Level::Best } else { Level::Normal };
    let old = Tree::new(&[("a.bin", cut(&mut data, len as usize).to_vec())]);
    let new = Tree::new(&[
        ("a.bin", data.to_vec()),
        ("b.bin", data.get(data.len() / 2..).unwrap_or_default().to_vec()),
    ]);
    let options = CreateOptions { level, threads: 1 };
    let mut bytes = Vec::new();
    let made = create(Some(old.tree()), new.tree(), &options, &mut bytes, &Quiet);
    let made = made.unwrap_or_else(|error| panic!("{error}"));
    let read = |offset: u64, buf: &mut [u8]| {
        let part = usize::try_from(offset).ok().and_then(|start| bytes.get(start..)?.get(..buf.len()));
        buf.copy_from_slice(part.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    };
    let pack = PackFile::new(bytes.len() as u64, &read);
    let proof = prove(&pack, &made.index, Some(old.tree()), &new.files, &Quiet, &mut |_, _, _| Ok(()));
    proof.unwrap_or_else(|error| panic!("{error}"));
    true
}

/// See [`made`].
pub fn made_seeds() -> Vec<Vec<u8>> {
    let pair = |level: u8, old: &[u8], new: &[u8]| {
        [&[level][..], &(old.len() as u32).to_le_bytes(), old, new].concat()
    };
    let (first, second) = (text(3, 500), text(3, 520));
    vec![
        pair(1, &zip(&[("1", &first), ("2", &second)]), &zip(&[("1", &second), ("2", &second)])),
        pair(0, &png(60, 40, 1), &png(60, 40, 2)),
        pair(1, &gzip(&first), &gzip(&second)),
        pair(1, &noise(1, 9000), &[noise(2, 50), noise(1, 9000)].concat()),
        pair(0, &code(300), &code(310)),
        pair(1, &[], &jpeg(16)),
    ]
}
