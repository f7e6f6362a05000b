//! Which files are patched in place, and which bytes of them are written.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use super::{Entry, Local, LocalFile, Op, Piece, PlanOptions, Source};
use crate::folder::Guard;
use crate::path::SafePath;
use crate::release::ManifestFile;

/// A file is patched when at most one in so many of its bytes changes: a changed byte is written three times (staged, the
/// old one saved, in place), an unchanged one of a staged file once.
const PATCH_SHARE: u64 = 4;

/// Patches in place what is large and changes little. The file must be the release's own, or damage that is mended:
/// whatever else lies there is the player's, and is not written to.
pub(super) fn prefer(ops: &mut [Option<Op>], files: &[ManifestFile], local: &Local, options: PlanOptions) {
    let copied: HashSet<usize> = ops
        .iter()
        .filter_map(|op| match op {
            Some(Op::Duplicate { of }) => Some(*of),
            _ => None,
        })
        .collect();
    let moved: HashSet<SafePath> = ops
        .iter()
        .filter_map(|op| match op {
            Some(Op::Move { from }) => Some(from.clone()),
            _ => None,
        })
        .collect();
    let mut contents: HashMap<_, u32> = HashMap::new();
    files.iter().for_each(|file| *contents.entry(file.identity).or_default() += 1);
    for (index, (op, file)) in ops.iter_mut().zip(files).enumerate() {
        let Some(Op::Rebuild { from, fetch }) = op else { continue };
        let len = file.identity.len;
        let ours = local.is_ours(&file.path) || !options.keep_changed;
        // What others are copied from has to be staged whole.
        let alone = !copied.contains(&index) && !moved.contains(&file.path);
        let Some(Entry::File(LocalFile { guard: Guard { len: old_len, .. }, .. })) =
            local.entries.get(&file.path)
        else {
            continue;
        };
        if !(ours && alone && len >= options.patch_min_len) {
            continue;
        }
        let (stay, mut others) = split(from, &file.path);
        let stays: u64 = stay.iter().map(|piece| piece.range.end - piece.range.start).sum();
        let changed = len.max(*old_len).saturating_sub(stays);
        if changed.saturating_mul(PATCH_SHARE) > len {
            continue;
        }
        others.retain(|source| !source.pieces.is_empty());
        *op = Some(Op::Patch { from: others, fetch: std::mem::take(fetch), old_len: *old_len });
    }
}

/// The pieces that lie where they belong, and all others.
fn split(from: &[Source], path: &SafePath) -> (Vec<Piece>, Vec<Source>) {
    let mut stay = Vec::new();
    let mut others = from.to_vec();
    for source in others.iter_mut().filter(|source| source.path == *path) {
        let (in_place, elsewhere) = std::mem::take(&mut source.pieces)
            .into_iter()
            .partition(|piece: &Piece| piece.at == piece.range.start);
        stay = in_place;
        source.pieces = elsewhere;
    }
    (stay, others)
}

/// The byte ranges that a patch writes, ascending and joined.
pub(crate) fn writes(from: &[Source], fetch: &[Range<u64>]) -> Vec<Range<u64>> {
    let pieces = from.iter().flat_map(|source| &source.pieces).map(|piece| piece.range.clone());
    let mut all: Vec<Range<u64>> = pieces.chain(fetch.iter().cloned()).collect();
    all.sort_by_key(|range| range.start);
    let mut joined: Vec<Range<u64>> = Vec::with_capacity(all.len());
    for range in all {
        match joined.last_mut() {
            Some(last) if last.end >= range.start => last.end = last.end.max(range.end),
            _ => joined.push(range),
        }
    }
    joined
}

/// The byte ranges of a file of `len` bytes that a patch leaves alone.
pub(crate) fn untouched(from: &[Source], fetch: &[Range<u64>], len: u64) -> Vec<Range<u64>> {
    let mut at = 0;
    let mut rest = Vec::new();
    for range in writes(from, fetch) {
        if at < range.start {
            rest.push(at..range.start);
        }
        at = range.end;
    }
    if at < len {
        rest.push(at..len);
    }
    rest
}

/// The byte ranges of the old file, `old_len` long, whose content a patch to `len` bytes destroys: what it overwrites and
/// what it cuts off.
pub(crate) fn replaced(writes: &[Range<u64>], len: u64, old_len: u64) -> Vec<Range<u64>> {
    let over = writes.iter().map(|range| range.start.min(old_len)..range.end.min(old_len));
    let mut replaced: Vec<Range<u64>> = over.filter(|range| !range.is_empty()).collect();
    if old_len > len {
        match replaced.last_mut() {
            Some(last) if last.end >= len => last.end = old_len,
            _ => replaced.push(len..old_len),
        }
    }
    replaced
}

/// Adds pieces of one file; a file is listed once.
pub(super) fn add_source(from: &mut Vec<Source>, path: &SafePath, mut pieces: Vec<Piece>) {
    if pieces.is_empty() {
        return;
    }
    match from.iter_mut().find(|source| source.path == *path) {
        Some(source) => {
            source.pieces.append(&mut pieces);
            source.pieces.sort_by_key(|piece| piece.range.start);
        }
        None => from.push(Source { path: path.clone(), pieces }),
    }
}
