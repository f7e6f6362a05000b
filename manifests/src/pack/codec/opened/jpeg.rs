//! A JPEG file, its coefficients coded anew by `lepton_jpeg` (about a fifth smaller) and put back bit for bit.

use std::io::{Cursor, Read as _};
use std::panic::{AssertUnwindSafe, catch_unwind};

use flate2::read::ZlibDecoder;
use lepton_jpeg::{EnabledFeatures, SingleThreadPool, decode_lepton, encode_lepton};

use super::{CodecError, refused};

/// Most bytes of coefficients, those of 1024 by 1024 pixels: they are all in memory at once, and the decoder takes a few
/// times as much.
const MAX_COEFFICIENT_BYTES: u64 = 6 << 20;

/// Bytes of a coded picture before its compressed headers.
const HEAD_BYTES: usize = 28;
/// What its headers may take beside those of the picture and what follows it, in bytes.
const FIELDS_BYTES: usize = 4 << 10;

/// One partition, one thread: the same bytes on every machine, and no more memory than one image takes.
fn features() -> EnabledFeatures {
    EnabledFeatures {
        max_partitions: 1,
        max_processor_threads: 1,
        max_jpeg_file_size: crate::pack::MAX_SEGMENT_BYTES,
        ..EnabledFeatures::compat_lepton_vector_write()
    }
}

/// The file coded anew.
pub(super) fn open(file: &[u8]) -> Option<Vec<u8>> {
    if coefficient_bytes(file)? > MAX_COEFFICIENT_BYTES {
        return None;
    }
    let work = || {
        let mut out = Cursor::new(Vec::with_capacity(file.len()));
        let done = encode_lepton(&mut Cursor::new(file), &mut out, &features(), &SingleThreadPool::default());
        done.ok().map(|_| out.into_inner())
    };
    catch_unwind(AssertUnwindSafe(work)).ok()?
}

/// The file again, at most `room` bytes.
pub(super) fn close(coded: &[u8], room: usize) -> Result<Vec<u8>, CodecError> {
    bounded(coded, room).ok_or_else(|| refused("a JPEG says that it takes more than it may"))?;
    let mut out = Bounded { bytes: Vec::new(), room };
    decode_lepton(&mut Cursor::new(coded), &mut out, &features(), &SingleThreadPool::default())
        .map_err(|_| refused("a JPEG cannot be rebuilt"))?;
    Ok(out.bytes)
}

/// Refuses to grow beyond its room.
struct Bounded {
    bytes: Vec<u8>,
    room: usize,
}

impl std::io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if bytes.len() > self.room.saturating_sub(self.bytes.len()) {
            return Err(std::io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// What the coefficients of a file that [`open`] would open take in memory; 0 for others.
pub(super) fn opened_coefficient_bytes(file: &[u8]) -> u64 {
    coefficient_bytes(file).filter(|bytes| *bytes <= MAX_COEFFICIENT_BYTES).unwrap_or(0)
}

/// What its coefficients take in memory, by the frame header (ITU T.81, B.2.2).
fn coefficient_bytes(file: &[u8]) -> Option<u64> {
    let mut rest = file.strip_prefix(&[0xFF, 0xD8])?;
    loop {
        match segment(&mut rest)? {
            Segment::Frame(bytes) => return Some(bytes),
            Segment::End | Segment::Scan => return None,
            Segment::Other => {}
        }
    }
}

/// A segment of a JPEG's headers.
enum Segment {
    /// A frame header, and what the picture's coefficients take.
    Frame(u64),
    /// The header of a scan.
    Scan,
    /// The end of the picture.
    End,
    Other,
}

/// The next segment; `None` where there is none, or one of a kind that nobody codes.
fn segment(rest: &mut &[u8]) -> Option<Segment> {
    let (marker, after) = rest.split_first_chunk::<2>()?;
    let [0xFF, marker] = *marker else { return None };
    if marker == 0xD9 {
        *rest = after;
        return Some(Segment::End);
    }
    let (len, _) = after.split_first_chunk::<2>()?;
    let (body, after) = after.split_at_checked(usize::from(u16::from_be_bytes(*len)))?;
    *rest = after;
    match marker {
        0xC0..=0xC2 => {
            let [_, _, _, h1, h0, w1, w0, components, ..] = body else { return None };
            // Whole units are coded, of two blocks a side at most; as if no component was subsampled, two bytes a sample.
            let side = |high: u8, low: u8| u64::from(u16::from_be_bytes([high, low])).next_multiple_of(16);
            Some(Segment::Frame(side(*h1, *h0) * side(*w1, *w0) * u64::from(*components) * 2))
        }
        0xC3 | 0xC5..=0xC7 | 0xC9..=0xCF => None,
        0xDA => Some(Segment::Scan),
        _ => Some(Segment::Other),
    }
}

/// Whether what a decoder allocates by a coded picture's own say-so is there, or within bounds: the coefficients, the
/// headers, the lists of restarts, and what follows the picture. `None` where it is not.
///
/// The format: 28 bytes, of which the last four are the length of the zlib stream behind them; in it `HDR`, length, the
/// picture's headers, then fields of three letters.
fn bounded(coded: &[u8], room: usize) -> Option<()> {
    let (head, rest) = coded.split_first_chunk::<HEAD_BYTES>()?;
    let [.., a, b, c, d] = *head;
    let zlib = rest.get(..u32::from_le_bytes([a, b, c, d]) as usize)?;
    let limit = room + FIELDS_BYTES;
    let mut plain = Vec::new();
    ZlibDecoder::new(zlib).take(limit as u64 + 1).read_to_end(&mut plain).ok()?;
    let mut fields = plain.get(..).filter(|plain| plain.len() <= limit)?.strip_prefix(b"HDR")?;
    let mut headers = counted(&mut fields, 1)?;
    let mut coefficients = 0u64;
    while !headers.is_empty() {
        if let Segment::Frame(bytes) = segment(&mut headers)? {
            coefficients = coefficients.saturating_add(bytes);
        }
    }
    while let Some((name, rest)) = fields.split_first_chunk::<3>() {
        fields = rest;
        match name {
            b"P0D" => cut(&mut fields, 1)?,
            b"CRS" => counted(&mut fields, 4)?,
            b"FRS" | b"GRB" => counted(&mut fields, 1)?,
            b"EEE" => cut(&mut fields, 28)?,
            [b'H', b'H', threads] => cut(&mut fields, u64::from(*threads) * 16)?,
            _ => return None,
        };
    }
    (coefficients <= MAX_COEFFICIENT_BYTES).then_some(())
}

/// As many things of `size` bytes as the number before them says.
fn counted<'a>(fields: &mut &'a [u8], size: u64) -> Option<&'a [u8]> {
    let (count, rest) = fields.split_first_chunk::<4>()?;
    *fields = rest;
    cut(fields, u64::from(u32::from_le_bytes(*count)) * size)
}

fn cut<'a>(fields: &mut &'a [u8], len: u64) -> Option<&'a [u8]> {
    let (now, later) = fields.split_at_checked(usize::try_from(len).ok()?)?;
    *fields = later;
    Some(now)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::ZlibEncoder;

    use super::*;

    /// A grey picture of one colour, 64 by 64.
    fn picture() -> Vec<u8> {
        let table = |kind: u8| [&b"\xFF\xC4\0\x14"[..], &[kind, 1], &[0; 16]].concat();
        [
            &b"\xFF\xD8\xFF\xDB\0\x43\0"[..],
            &[1; 64],
            b"\xFF\xC0\0\x0B\x08\0\x40\0\x40\x01\x01\x11\0",
            &table(0x00),
            &table(0x10),
            b"\xFF\xDA\0\x08\x01\x01\0\0\x3F\0",
            &[0; 16],
            b"\xFF\xD9",
        ]
        .concat()
    }

    /// Closes the picture after a change of its headers.
    fn closed(change: impl Fn(&mut Vec<u8>)) -> Option<Vec<u8>> {
        let file = picture();
        let coded = open(&file).unwrap();
        let (head, rest) = coded.split_at(HEAD_BYTES);
        let (zlib, body) = rest.split_at(usize::from(head[24]));
        let mut headers = Vec::new();
        ZlibDecoder::new(zlib).read_to_end(&mut headers).unwrap();
        change(&mut headers);
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::new(6));
        encoder.write_all(&headers).unwrap();
        let zlib = encoder.finish().unwrap();
        let len = (HEAD_BYTES + zlib.len() + body.len()) as u32;
        let zlib_len = (zlib.len() as u32).to_le_bytes();
        let coded = [&head[..24], &zlib_len, &zlib, &body[..body.len() - 4], &len.to_le_bytes()].concat();
        close(&coded, file.len()).ok()
    }

    #[test]
    fn what_a_coded_picture_says_of_itself_is_not_believed() {
        assert_eq!(closed(|_| ()), Some(picture()));
        let frame_at = |headers: &[u8]| headers.windows(2).position(|at| at == b"\xFF\xC0").unwrap();
        let gigabyte = |headers: &mut Vec<u8>| {
            let at = frame_at(headers) + 5;
            headers[at..at + 4].copy_from_slice(&[0x3E, 0x80, 0x3E, 0x80]);
        };
        assert_eq!(closed(gigabyte), None, "a picture of 16,000 by 16,000");
        let thin = |headers: &mut Vec<u8>| {
            let at = frame_at(headers) + 5;
            headers[at..at + 4].copy_from_slice(&[0xFF, 0xFF, 0, 1]);
            let again = headers[at - 5..at + 8].repeat(20);
            let _ = headers.splice(at - 5..at - 5, again.clone());
            let len = u32::from_le_bytes(headers[3..7].try_into().unwrap()) + again.len() as u32;
            headers[3..7].copy_from_slice(&len.to_le_bytes());
        };
        assert_eq!(closed(thin), None, "one frame header after the other");
        assert_eq!(closed(|headers| headers[3..7].copy_from_slice(&[0, 0, 0, 0xF0])), None);
        for field in [b"GRB", b"FRS", b"CRS", b"XYZ"] {
            let long = |headers: &mut Vec<u8>| headers.extend([&field[..], &[0, 0, 0, 0xF0]].concat());
            assert_eq!(closed(long), None, "{field:?}");
        }
        assert_eq!(close(&[0; 27], 100).ok(), None);
    }
}
