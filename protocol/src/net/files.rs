//! From a torrent's address space to its files: blocks as slices ready to be sent. Everything that can block is for
//! the pool.

use super::gate::{Gate, Pass};
use crate::disk::{ReadBufs, Store};
use crate::metainfo::{Span, Torrent};
use crate::swarm::IoFault;
use crate::units::{BlockRef, FileIndex, PieceIndex};
use bytes::Bytes;
use std::io;
use std::sync::Arc;

/// The longest run that is read at once, in bytes.
const RUN_BYTES: u64 = 512 * 1024;
/// What is read at once to be hashed, in bytes.
const HASH_READ_LEN: u32 = 128 * 1024;
static ZEROS: [u8; 16 * 1024] = [0; 16 * 1024];

/// A torrent's files; a clone is the same.
#[derive(Clone)]
pub(super) struct Files {
    pub(super) torrent: Arc<Torrent>,
    pub(super) store: Arc<dyn Store>,
    pub(super) bufs: ReadBufs,
    /// Files that peers are not served from.
    pub(super) gate: Arc<Gate>,
}

/// The text a person gets to see.
pub(super) fn fault(error: &io::Error) -> IoFault {
    IoFault(error.to_string())
}

impl Files {
    /// The block's bytes if they can be had without blocking; pads are zeros.
    pub(super) fn block_at_once(&self, block: BlockRef) -> Option<Vec<Bytes>> {
        if self.gate.is_closed(self.files_of(block)) {
            return None;
        }
        let mut parts = Vec::with_capacity(1);
        for span in self.torrent.layout.spans(block) {
            match span.file {
                Some(file) => parts.push(self.store.slice(file, range(span))?),
                None => push_zeros(&mut parts, span.len),
            }
        }
        Some(parts)
    }

    fn files_of(&self, block: BlockRef) -> impl Iterator<Item = FileIndex> + '_ {
        self.torrent.layout.spans(block).filter_map(|span| span.file)
    }

    /// Reads blocks to be sent to peers, as far as their files are not closed; blocks. One result for each, in order.
    pub(super) fn read_for_peers(&self, wanted: &[BlockRef]) -> Vec<Result<Vec<Bytes>, IoFault>> {
        let enter = |block: &BlockRef| self.gate.enter(self.files_of(*block).collect(), true);
        let passes: Vec<Option<Pass>> = wanted.iter().map(enter).collect();
        let open: Vec<BlockRef> =
            wanted.iter().zip(&passes).filter(|(_, pass)| pass.is_some()).map(|(block, _)| *block).collect();
        let mut read = self.read_blocks(&open).into_iter();
        let nothing = || Err(IoFault("nothing was read".to_owned()));
        let result = |pass: &Option<Pass>| match pass {
            Some(_) => read.next().unwrap_or_else(nothing),
            None => Err(IoFault("it is about to change".to_owned())),
        };
        passes.iter().map(result).collect()
    }

    /// Reads one block for ourselves; blocks.
    pub(super) fn read_block(&self, block: BlockRef) -> Result<Vec<Bytes>, IoFault> {
        let _pass = self.gate.enter(self.files_of(block).collect(), false);
        self.read_blocks(&[block]).pop().unwrap_or_else(|| Err(IoFault("nothing was read".to_owned())))
    }

    /// Reads blocks, neighbours together; blocks. One result for each, in order.
    pub(super) fn read_blocks(&self, wanted: &[BlockRef]) -> Vec<Result<Vec<Bytes>, IoFault>> {
        let mut results: Vec<_> = wanted.iter().map(|_| Ok(Vec::with_capacity(1))).collect();
        let spans: Vec<(usize, Span)> = wanted
            .iter()
            .enumerate()
            .flat_map(|(i, &block)| self.torrent.layout.spans(block).map(move |span| (i, span)))
            .collect();
        let mut rest = spans.as_slice();
        while let [(first, span), ..] = rest {
            let Some(file) = span.file else {
                if let Ok(parts) = &mut results[*first] {
                    push_zeros(parts, span.len);
                }
                rest = &rest[1..];
                continue;
            };
            let (run, after) = rest.split_at(run_len(rest));
            self.read_run(file, run, &mut results);
            rest = after;
        }
        results
    }

    /// `run` lies in one file, its spans one after the other.
    fn read_run(&self, file: FileIndex, run: &[(usize, Span)], results: &mut [Result<Vec<Bytes>, IoFault>]) {
        let (start, end) = match (run.first(), run.last()) {
            (Some((_, first)), Some((_, last))) => (first.file_offset, range(*last).end),
            _ => return,
        };
        let read = self.store.load(file, start..end, &self.bufs).map_err(|error| fault(&error));
        for &(i, span) in run {
            match (&read, &mut results[i]) {
                (Ok(bytes), Ok(parts)) => {
                    let at = (span.file_offset - start) as usize;
                    parts.push(bytes.slice(at..at + span.len as usize));
                }
                (Err(fault), result) => *result = Err(fault.clone()),
                (Ok(_), Err(_)) => {}
            }
        }
    }

    /// A piece, pads included, in portions to be hashed.
    pub(super) fn piece_blocks(&self, piece: PieceIndex) -> impl Iterator<Item = BlockRef> + use<> {
        let end = self.torrent.layout.piece_wire_len(piece);
        (0..end).step_by(HASH_READ_LEN as usize).map(move |offset| BlockRef {
            piece,
            offset,
            len: HASH_READ_LEN.min(end - offset),
        })
    }
}

/// How many spans from the first on are neighbours in one file and worth one read.
fn run_len(spans: &[(usize, Span)]) -> usize {
    let Some((_, first)) = spans.first() else { return 0 };
    let neighbours = spans.windows(2).take_while(|pair| {
        let (a, b) = (pair[0].1, pair[1].1);
        b.file == a.file && b.file_offset == range(a).end && range(b).end - first.file_offset <= RUN_BYTES
    });
    1 + neighbours.count()
}

fn range(span: Span) -> std::ops::Range<u64> {
    span.file_offset..span.file_offset + u64::from(span.len)
}

fn push_zeros(parts: &mut Vec<Bytes>, len: u32) {
    let mut rest = len as usize;
    while rest > 0 {
        let some = rest.min(ZEROS.len());
        parts.push(Bytes::from_static(&ZEROS[..some]));
        rest -= some;
    }
}
