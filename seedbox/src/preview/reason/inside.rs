//! What two files of a kind that deflates hold inside.

use super::like::likeness;
use super::read::Reading;
use super::zip::{Entries, Entry};
use super::{MOST, Reason};
use flate2::read::{MultiGzDecoder, ZlibDecoder};
use std::io::Read;

/// Bytes compared at either end of two entries of the same length, to tell whether they were compressed anew.
const ENDS: u64 = 4096;
/// Of the bytes that are not as before, those that hold the same plain text, in percent, to call it recompressed.
const SAME_PLAIN: u64 = 50;
/// How much more must be the same inside than outside, in percent.
const MORE_INSIDE: u64 = 25;
/// Chunks of a picture that are looked at.
const MAX_CHUNKS: usize = 100_000;

/// What was found.
pub(super) struct Inside {
    pub(super) reason: Reason,
    pub(super) detail: String,
}

fn inside(reason: Reason, detail: String) -> Option<Inside> {
    Some(Inside { reason, detail })
}

/// Entries of the same name, checksum and length hold the same, however they were compressed. None when that says
/// nothing about the bytes.
pub(super) fn zip(
    old: &Entries,
    new: &Entries,
    old_file: &Reading<'_>,
    new_file: &Reading<'_>,
) -> Option<Inside> {
    let (mut kept, mut anew, mut other) = (0u64, 0u64, 0u64);
    let (mut kept_count, mut anew_count) = (0u64, 0u64);
    let mut order: Vec<(usize, usize)> = Vec::new();
    for (name, entry) in &new.0 {
        let before = old.0.get(name);
        if let Some(before) = before {
            order.push((before.number, entry.number));
        }
        match before.filter(|before| before.crc == entry.crc && before.plain == entry.plain) {
            Some(before) if same_data(before, entry, old_file, new_file) => {
                kept += entry.packed;
                kept_count += 1;
            }
            Some(_) => {
                anew += entry.packed;
                anew_count += 1;
            }
            None => other += entry.packed,
        }
    }
    order.sort_unstable();
    let in_order = order.windows(2).all(|pair| matches!(pair, [a, b] if a.1 < b.1));
    if anew > 0 && anew * 100 >= (anew + other) * SAME_PLAIN {
        let all = new.0.len();
        return inside(
            Reason::Recompressed,
            format!("{anew_count} of its {all} entries hold what they held, compressed in another way"),
        );
    }
    if anew + other == 0 && kept > 0 {
        return match in_order {
            true => {
                inside(Reason::Timestamps, format!("its {kept_count} entries are the same but for dates"))
            }
            false => {
                inside(Reason::Shifted, format!("its {kept_count} entries are the same in another order"))
            }
        };
    }
    if !in_order && kept > anew + other {
        return inside(Reason::Shifted, format!("{kept_count} of its entries are the same in another order"));
    }
    None
}

fn same_data(old: &Entry, new: &Entry, old_file: &Reading<'_>, new_file: &Reading<'_>) -> bool {
    if old.packed != new.packed || old.is_deflated != new.is_deflated {
        return false;
    }
    let (Some(a), Some(b)) = (old.data(old_file), new.data(new_file)) else { return false };
    let len = new.packed.min(ENDS);
    let end = new.packed - len;
    let same = |a, b| old_file.some(a, len as usize) == new_file.some(b, len as usize);
    same(a, b) && same(a + end, b + end)
}

/// gzip: what comes out of it.
pub(super) fn gzip(old: &Reading<'_>, new: &Reading<'_>) -> Option<Inside> {
    let plain = |file: &Reading<'_>| {
        let tail = file.some(file.len().saturating_sub(4), 4);
        tail.first_chunk().map_or(file.len(), |len| u64::from(u32::from_le_bytes(*len)))
    };
    by_plain(old, new, plain(new), MultiGzDecoder::new(old.stream()), MultiGzDecoder::new(new.stream()))
}

/// PNG: the picture's data. Where that is as it was, only what stands beside it changed.
pub(super) fn png(old: &Reading<'_>, new: &Reading<'_>) -> Option<Inside> {
    let (before, now) = (picture(old)?, picture(new)?);
    if before.iter().map(|part| (part.1, part.2)).eq(now.iter().map(|part| (part.1, part.2))) {
        let what = "the picture is the same; dates or texts beside it differ";
        return inside(Reason::Timestamps, what.to_owned());
    }
    let zlib = |file, parts| ZlibDecoder::new(Parts { file, parts, part: 0, at: 0 });
    by_plain(old, new, new.len() * 2, zlib(old, before), zlib(new, now))
}

fn by_plain(
    old: &Reading<'_>,
    new: &Reading<'_>,
    plain_len: u64,
    mut old_plain: impl Read,
    mut new_plain: impl Read,
) -> Option<Inside> {
    let within = likeness(&mut old_plain, &mut new_plain, plain_len)?.found_percent();
    let outside =
        likeness(&mut old.stream(), &mut new.stream(), new.len()).map_or(0, |like| like.found_percent());
    if within < MOST || within < outside + MORE_INSIDE {
        return None;
    }
    let outside = if outside == 0 { "none".to_owned() } else { format!("only {outside} %") };
    let detail = format!("{within} % of what is inside is as before, but {outside} of the compressed bytes");
    inside(Reason::Recompressed, detail)
}

/// Where the picture's data lies: offset, length and checksum of each part.
fn picture(file: &Reading<'_>) -> Option<Vec<(u64, u32, [u8; 4])>> {
    let (mut parts, mut at) = (Vec::new(), 8u64);
    for _ in 0..MAX_CHUNKS {
        let head = file.some(at, 8);
        let (len, kind) = head.split_first_chunk::<4>()?;
        let len = u32::from_be_bytes(*len);
        let crc: [u8; 4] = file.some(at + 8 + u64::from(len), 4).try_into().ok()?;
        match kind {
            b"IDAT" => parts.push((at + 8, len, crc)),
            b"IEND" => return Some(parts).filter(|parts| !parts.is_empty()),
            _ => {}
        }
        at += 12 + u64::from(len);
    }
    None
}

/// Parts of a file laid end to end.
struct Parts<'a> {
    file: &'a Reading<'a>,
    parts: Vec<(u64, u32, [u8; 4])>,
    /// The part that is read.
    part: usize,
    /// Bytes of it that were.
    at: u64,
}

impl Read for Parts<'_> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        while let Some((offset, len, _)) = self.parts.get(self.part).copied() {
            let left = u64::from(len) - self.at;
            if left == 0 {
                self.part += 1;
                self.at = 0;
                continue;
            }
            let count = out.len().min(usize::try_from(left).unwrap_or(out.len()));
            if !self.file.at(offset + self.at, out.get_mut(..count).unwrap_or_default()) {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            self.at += count as u64;
            return Ok(count);
        }
        Ok(0)
    }
}
