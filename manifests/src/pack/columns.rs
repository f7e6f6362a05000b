//! The index's bytes: columns of varints, compressed once.
//!
//! `"SPI" | format u8 | first 8 bytes of SHA-256 over the rest | plain length varint | one zstd frame`. Values of one
//! kind stand together and are written as the difference from what the values before them suggest: files follow each
//! other in a frame, copies go on where the last one ended. The digest is against accidents; whoever fetches an index
//! knows its SHA-256 from signed metadata.

use std::io::Read as _;

use sha2::{Digest as _, Sha256};

use super::codec::zstd_plain;
use super::index::{BaseRange, Frame, Index, Limits, Method, Recipe, Slice, TreeId, View};
use super::layout::HEADER_BYTES;
use super::{FORMAT, PackError};

const MAGIC: &[u8; 3] = b"SPI";
const DIGEST_BYTES: usize = 8;
/// Declared memory is counted in these, in bytes.
const MEMORY_UNIT: u64 = 64 << 10;

/// A need for memory as the index states it.
pub(super) fn whole_units(bytes: u64) -> u64 {
    bytes.next_multiple_of(MEMORY_UNIT)
}

/// How a slice is found from those before it.
const KIND_FRAME_NEXT: u64 = 0;
const KIND_FRAME: u64 = 1;
const KIND_BASE_SAME: u64 = 2;
const KIND_BASE: u64 = 3;

#[derive(Default)]
struct Column(Vec<u8>);

impl Column {
    fn put(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    /// The difference of two numbers, small either way.
    fn put_from(&mut self, value: u64, expected: u64) {
        let difference = value.wrapping_sub(expected) as i64;
        self.put(((difference << 1) ^ (difference >> 63)) as u64);
    }
}

struct Source<'a>(&'a [u8]);

impl<'a> Source<'a> {
    fn bytes(&mut self, count: usize) -> Result<&'a [u8], PackError> {
        let (now, later) = self.0.split_at_checked(count).ok_or(PackError::Index("it ends early"))?;
        self.0 = later;
        Ok(now)
    }

    fn tree(&mut self) -> Result<TreeId, PackError> {
        let bytes: [u8; 32] = self.bytes(32)?.try_into().map_err(|_| PackError::Index("it ends early"))?;
        Ok(TreeId(bytes))
    }

    /// A varint in its shortest form.
    fn get(&mut self) -> Result<u64, PackError> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let &[byte] = self.bytes(1)? else { return Err(PackError::Index("it ends early")) };
            let bits = u64::from(byte & 0x7F);
            if shift == 63 && bits > 1 {
                return Err(PackError::Index("a number is too long"));
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                if byte == 0 && shift > 0 {
                    return Err(PackError::Index("a number is not in its shortest form"));
                }
                return Ok(value);
            }
        }
        Err(PackError::Index("a number is too long"))
    }

    fn get_from(&mut self, expected: u64) -> Result<u64, PackError> {
        let raw = self.get()?;
        let difference = (raw >> 1) as i64 ^ -((raw & 1) as i64);
        Ok(expected.wrapping_add(difference as u64))
    }

    /// A count: what it counts takes at least a byte each, so it never asks for more memory than the input has bytes.
    fn count(&mut self, limit: u64) -> Result<usize, PackError> {
        let count = self.get()?;
        if count > limit {
            return Err(PackError::Index("it lists more than accepted"));
        }
        let count = usize::try_from(count).map_err(|_| PackError::Index("it lists more than accepted"))?;
        if count > self.0.len() {
            return Err(PackError::Index("it ends early"));
        }
        Ok(count)
    }

    fn column(&mut self, count: usize) -> Result<Vec<u64>, PackError> {
        if count > self.0.len() {
            return Err(PackError::Index("it ends early"));
        }
        (0..count).map(|_| self.get()).collect()
    }
}

fn digest(body: &[u8]) -> [u8; DIGEST_BYTES] {
    *Sha256::digest(body).first_chunk().unwrap_or(&[0; DIGEST_BYTES])
}

fn narrow(value: u64) -> Result<u32, PackError> {
    u32::try_from(value).map_err(|_| PackError::Index("a number is out of range"))
}

/// What the slices so far suggest for the next one.
#[derive(Default)]
struct Expect {
    frame: u64,
    frame_offset: u64,
    base_file: u64,
    base_offset: u64,
}

impl Expect {
    fn after(&mut self, slice: &Slice, frames: &[Frame]) {
        match *slice {
            Slice::Frame { frame, offset, len } => {
                let end = u64::from(offset).wrapping_add(u64::from(len));
                let whole = frames.get(frame as usize).map_or(u64::MAX, |frame| u64::from(frame.output_len));
                (self.frame, self.frame_offset) =
                    if end >= whole { (u64::from(frame) + 1, 0) } else { (u64::from(frame), end) };
                // A gap in a copied file is mostly a replacement of the same length.
                self.base_offset = self.base_offset.wrapping_add(u64::from(len));
            }
            Slice::Base { file, offset, len } => {
                self.base_file = u64::from(file);
                self.base_offset = offset.wrapping_add(len);
            }
        }
    }
}

/// Recipes in the order in which frames give them bytes: one follows the other there.
fn frame_order(files: &[Recipe]) -> Vec<&Recipe> {
    let first = |recipe: &Recipe| {
        recipe
            .slices
            .iter()
            .find_map(|slice| match *slice {
                Slice::Frame { frame, offset, .. } => Some((frame, offset)),
                Slice::Base { .. } => None,
            })
            .unwrap_or((u32::MAX, 0))
    };
    let mut order: Vec<&Recipe> = files.iter().collect();
    order.sort_by_key(|recipe| (first(recipe), recipe.file));
    order
}

impl Index {
    /// The index as bytes; the same index always gives the same ones.
    ///
    /// # Errors
    /// [`PackError::TooLarge`] beyond what [`Limits::default`] reads.
    pub fn encode(&self) -> Result<Vec<u8>, PackError> {
        let plain = self.plain();
        let limits = Limits::default();
        if plain.len() > limits.max_plain_bytes {
            return Err(PackError::TooLarge("its index would be longer than any accepted"));
        }
        let mut body = Column::default();
        body.put(plain.len() as u64);
        let frame = zstd_plain(&plain).map_err(|_| PackError::TooLarge("its index cannot be compressed"))?;
        body.0.extend_from_slice(&frame);
        let mut out = Column(MAGIC.to_vec());
        out.0.push(FORMAT);
        out.0.extend_from_slice(&digest(&body.0));
        out.0.extend_from_slice(&body.0);
        if out.0.len() > limits.max_index_bytes {
            return Err(PackError::TooLarge("its index would be longer than any accepted"));
        }
        Ok(out.0)
    }

    fn plain(&self) -> Vec<u8> {
        let mut out = Column::default();
        out.put(u64::from(self.encoder));
        out.put(u64::from(self.base.is_some()));
        out.0.extend_from_slice(self.base.as_ref().map_or(&[][..], |base| &base.0));
        out.0.extend_from_slice(&self.target.0);
        self.put_frames(&mut out);
        self.put_files(&mut out);
        out.0
    }

    fn put_frames(&self, out: &mut Column) {
        out.put(self.frames.len() as u64);
        let mut columns: [Column; 6] = Default::default();
        let mut ranges: [Column; 4] = Default::default();
        let mut count = 0u64;
        let (mut last_file, mut last_end) = (0u64, 0u64);
        for frame in &self.frames {
            let [method, len, output, plain, memory, prefix] = &mut columns;
            method.put(frame.method as u64);
            len.put(u64::from(frame.len));
            output.put(u64::from(frame.output_len));
            plain.put_from(u64::from(frame.plain_len), u64::from(frame.output_len));
            memory.put(frame.memory.div_ceil(MEMORY_UNIT));
            prefix.put(frame.prefix.len() as u64);
            count += frame.prefix.len() as u64;
            for range in &frame.prefix {
                let [file, view, offset, len] = &mut ranges;
                file.put_from(u64::from(range.file), last_file);
                view.put(u64::from(range.view == View::Opened));
                let expected = if u64::from(range.file) == last_file { last_end } else { 0 };
                offset.put_from(range.offset, expected);
                len.put(u64::from(range.len));
                (last_file, last_end) = (u64::from(range.file), range.offset + u64::from(range.len));
            }
        }
        columns.iter().for_each(|column| out.0.extend_from_slice(&column.0));
        out.put(count);
        ranges.iter().for_each(|column| out.0.extend_from_slice(&column.0));
    }

    fn put_files(&self, out: &mut Column) {
        out.put(self.files.len() as u64);
        let mut columns: [Column; 2] = Default::default();
        let mut slices: [Column; 4] = Default::default();
        let mut count = 0u64;
        let mut next_file = 0u64;
        let mut expect = Expect::default();
        for recipe in frame_order(&self.files) {
            let [file, slice_count] = &mut columns;
            file.put_from(u64::from(recipe.file), next_file);
            next_file = u64::from(recipe.file) + 1;
            slice_count.put(recipe.slices.len() as u64);
            count += recipe.slices.len() as u64;
            for slice in &recipe.slices {
                put_slice(slice, &expect, &mut slices);
                expect.after(slice, &self.frames);
            }
        }
        columns.iter().for_each(|column| out.0.extend_from_slice(&column.0));
        out.put(count);
        for column in &slices {
            out.put(column.0.len() as u64);
            out.0.extend_from_slice(&column.0);
        }
    }

    /// Reads an index. What it says of trees is not checked here: [`Index::validate`].
    ///
    /// # Errors
    /// [`PackError::Index`], [`PackError::Newer`].
    pub fn decode(bytes: &[u8], limits: &Limits) -> Result<Self, PackError> {
        if bytes.len() > limits.max_index_bytes {
            return Err(PackError::Index("it is longer than accepted"));
        }
        let mut source = Source(bytes);
        if source.bytes(MAGIC.len())? != MAGIC {
            return Err(PackError::Index("it is not a pack's index"));
        }
        let format = source.get()?;
        if format != u64::from(FORMAT) {
            return Err(PackError::Newer(u8::try_from(format).unwrap_or(u8::MAX)));
        }
        let stated = source.bytes(DIGEST_BYTES)?;
        if digest(source.0) != stated {
            return Err(PackError::Index("it is damaged"));
        }
        let plain_len = usize::try_from(source.get()?).unwrap_or(usize::MAX);
        if plain_len > limits.max_plain_bytes {
            return Err(PackError::Index("it unpacks to more than accepted"));
        }
        let plain = open(source.0, plain_len)?;
        let index = Self::from_plain(&mut Source(&plain), limits)?;
        // One index, one form: what decodes is what would be written.
        if index.plain() != plain {
            return Err(PackError::Index("it is not in the one form it may have"));
        }
        Ok(index)
    }

    fn from_plain(source: &mut Source<'_>, limits: &Limits) -> Result<Self, PackError> {
        let encoder = narrow(source.get()?)?;
        let base = match source.get()? {
            0 => None,
            1 => Some(source.tree()?),
            _ => return Err(PackError::Index("it has an unknown flag")),
        };
        let target = source.tree()?;
        let frames = read_frames(source, limits)?;
        let files = read_files(source, limits, &frames)?;
        if !source.0.is_empty() {
            return Err(PackError::Index("there is data after it"));
        }
        Ok(Self { base, target, encoder, frames, files })
    }
}

/// Opens the one zstd frame to exactly `len` bytes; memory grows with what it really yields.
fn open(frame: &[u8], len: usize) -> Result<Vec<u8>, PackError> {
    let damaged = |_| PackError::Index("its compressed data is damaged");
    let mut decoder = zstd::stream::read::Decoder::with_buffer(frame).map_err(damaged)?.single_frame();
    decoder.window_log_max(27).map_err(damaged)?;
    let mut plain = Vec::new();
    decoder.by_ref().take(len as u64 + 1).read_to_end(&mut plain).map_err(damaged)?;
    if plain.len() != len {
        return Err(PackError::Index("it does not unpack to the length it states"));
    }
    if decoder.finish().is_empty() { Ok(plain) } else { Err(PackError::Index("there is data after it")) }
}

fn put_slice(slice: &Slice, expect: &Expect, columns: &mut [Column; 4]) {
    let [kinds, places, offsets, lens] = columns;
    match *slice {
        Slice::Frame { frame, offset, .. } => {
            let (frame, offset) = (u64::from(frame), u64::from(offset));
            if (frame, offset) == (expect.frame, expect.frame_offset) {
                kinds.put(KIND_FRAME_NEXT);
            } else {
                kinds.put(KIND_FRAME);
                places.put_from(frame, expect.frame);
                offsets.put(offset);
            }
        }
        Slice::Base { file, offset, .. } => {
            if u64::from(file) == expect.base_file {
                kinds.put(KIND_BASE_SAME);
                offsets.put_from(offset, expect.base_offset);
            } else {
                kinds.put(KIND_BASE);
                places.put_from(u64::from(file), expect.base_file);
                offsets.put(offset);
            }
        }
    }
    lens.put(slice.len());
}

fn read_frames(source: &mut Source<'_>, limits: &Limits) -> Result<Vec<Frame>, PackError> {
    let count = source.count(limits.max_frames)?;
    let methods = source.column(count)?;
    let lens = source.column(count)?;
    let outputs = source.column(count)?;
    let mut plains = Vec::with_capacity(count);
    for output in &outputs {
        plains.push(source.get_from(*output)?);
    }
    let memory = source.column(count)?;
    let prefixes = source.column(count)?;
    let mut ranges = read_ranges(source, limits)?.into_iter();
    let mut offset = HEADER_BYTES;
    let mut frames = Vec::with_capacity(count);
    for ((((method, len), output), plain), (memory, prefix)) in
        methods.into_iter().zip(lens).zip(outputs).zip(plains).zip(memory.into_iter().zip(prefixes))
    {
        let prefix_count = usize::try_from(prefix).unwrap_or(usize::MAX);
        let prefix: Vec<BaseRange> = ranges.by_ref().take(prefix_count).collect();
        if prefix.len() != prefix_count {
            return Err(PackError::Index("a frame has fewer base ranges than it says"));
        }
        frames.push(Frame {
            offset,
            len: narrow(len)?,
            method: Method::from_number(method).ok_or(PackError::Index("a frame has an unknown method"))?,
            prefix,
            plain_len: narrow(plain)?,
            output_len: narrow(output)?,
            memory: memory.checked_mul(MEMORY_UNIT).ok_or(PackError::Index("a number is out of range"))?,
        });
        offset = offset.checked_add(len).ok_or(PackError::Index("a number is out of range"))?;
    }
    if ranges.next().is_some() {
        return Err(PackError::Index("base ranges belong to no frame"));
    }
    Ok(frames)
}

fn read_ranges(source: &mut Source<'_>, limits: &Limits) -> Result<Vec<BaseRange>, PackError> {
    let count = source.count(limits.max_ranges)?;
    let mut files = Vec::with_capacity(count);
    let mut last = 0u64;
    for _ in 0..count {
        last = source.get_from(last)?;
        files.push(narrow(last)?);
    }
    let views = source.column(count)?;
    let mut offsets = Vec::with_capacity(count);
    // Offsets lean on the range before them, whose length comes later: read as they stand first.
    for _ in 0..count {
        offsets.push(source.get()?);
    }
    let lens = source.column(count)?;
    let (mut last_file, mut last_end) = (0u32, 0u64);
    let mut ranges = Vec::with_capacity(count);
    for (((file, view), raw), len) in files.into_iter().zip(views).zip(offsets).zip(lens) {
        let expected = if file == last_file { last_end } else { 0 };
        let difference = (raw >> 1) as i64 ^ -((raw & 1) as i64);
        let offset = expected.wrapping_add(difference as u64);
        let view = match view {
            0 => View::Raw,
            1 => View::Opened,
            _ => return Err(PackError::Index("a base range has an unknown view")),
        };
        let len = narrow(len)?;
        last_file = file;
        last_end = offset.checked_add(u64::from(len)).ok_or(PackError::Index("a number is out of range"))?;
        ranges.push(BaseRange { file, view, offset, len });
    }
    Ok(ranges)
}

fn read_files(source: &mut Source<'_>, limits: &Limits, frames: &[Frame]) -> Result<Vec<Recipe>, PackError> {
    let count = source.count(limits.max_files)?;
    let mut files = Vec::with_capacity(count);
    let mut next = 0u64;
    for _ in 0..count {
        let file = narrow(source.get_from(next)?)?;
        next = u64::from(file) + 1;
        files.push(file);
    }
    let counts = source.column(count)?;
    let total = source.get()?;
    if total > limits.max_slices || counts.iter().try_fold(0u64, |sum, n| sum.checked_add(*n)) != Some(total)
    {
        return Err(PackError::Index("the number of slices is wrong"));
    }
    let mut columns = [Source(&[]), Source(&[]), Source(&[]), Source(&[])];
    for column in &mut columns {
        let len = usize::try_from(source.get()?).unwrap_or(usize::MAX);
        *column = Source(source.bytes(len)?);
    }
    let mut expect = Expect::default();
    let mut recipes = Vec::with_capacity(count);
    for (file, count) in files.into_iter().zip(counts) {
        let mut slices = Vec::new();
        for _ in 0..count {
            let slice = read_slice(&mut columns, &expect)?;
            expect.after(&slice, frames);
            slices.push(slice);
        }
        recipes.push(Recipe { file, slices });
    }
    if columns.iter().any(|column| !column.0.is_empty()) {
        return Err(PackError::Index("slices belong to no file"));
    }
    recipes.sort_by_key(|recipe| recipe.file);
    Ok(recipes)
}

fn read_slice(columns: &mut [Source<'_>; 4], expect: &Expect) -> Result<Slice, PackError> {
    let [kinds, places, offsets, lens] = columns;
    let kind = kinds.get()?;
    let len = lens.get()?;
    match kind {
        KIND_FRAME_NEXT => Ok(Slice::Frame {
            frame: narrow(expect.frame)?,
            offset: narrow(expect.frame_offset)?,
            len: narrow(len)?,
        }),
        KIND_FRAME => Ok(Slice::Frame {
            frame: narrow(places.get_from(expect.frame)?)?,
            offset: narrow(offsets.get()?)?,
            len: narrow(len)?,
        }),
        KIND_BASE_SAME => {
            let offset = offsets.get_from(expect.base_offset)?;
            Ok(Slice::Base { file: narrow(expect.base_file)?, offset, len })
        }
        KIND_BASE => {
            Ok(Slice::Base { file: narrow(places.get_from(expect.base_file)?)?, offset: offsets.get()?, len })
        }
        _ => Err(PackError::Index("a slice has an unknown kind")),
    }
}

#[cfg(test)]
mod tests;
