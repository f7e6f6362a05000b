//! Hashing and disk access of one swarm, in batches on the blocking pool. `sha1` and `sha2` find the processor's own
//! instructions at run time.

use super::files::{Files, fault};
use crate::merkle;
use crate::metainfo::Span;
use crate::swarm::{IoFault, JobId};
use crate::units::{BlockRef, FileIndex, PieceIndex, Root};
use bytes::Bytes;
use sha1::{Digest, Sha1};
use sha2::Sha256;
use std::collections::VecDeque;
use std::io::IoSlice;
use tokio::sync::mpsc;

/// The most that one batch hashes and writes, in bytes (a single piece may be longer).
const BATCH_BYTES: usize = 1024 * 1024;

/// Something to do on the pool.
#[derive(Debug)]
pub(super) enum Job {
    Write { job: JobId, block: BlockRef, data: Bytes, leaf: bool },
    HashBlock { job: JobId, block: BlockRef },
    HashPieceV1 { piece: PieceIndex, data: Vec<Bytes> },
}

/// What came of it.
#[derive(Debug)]
pub(super) enum Done {
    Block { job: JobId, result: Result<Option<Root>, IoFault> },
    Piece { piece: PieceIndex, result: Result<[u8; 20], IoFault> },
}

/// What a batch reports, once: when it is dropped, so that not even a panic on the pool loses its place.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) done: Vec<Done>,
    /// Memory that the batch's jobs held.
    pub(super) held_bytes: usize,
}

/// Jobs that wait for a place on the pool. Invariant: `running` batches are under way and each reports once.
pub(super) struct DiskQueue {
    waiting: VecDeque<Job>,
    running: usize,
    max_running: usize,
    unfinished_bytes: usize,
    reports: mpsc::UnboundedSender<Report>,
}

impl DiskQueue {
    /// `reports` is bounded by the number of batches that run.
    pub(super) fn new(reports: mpsc::UnboundedSender<Report>) -> DiskQueue {
        let max_running = std::thread::available_parallelism().map_or(2, usize::from).clamp(1, 8);
        DiskQueue { waiting: VecDeque::new(), running: 0, max_running, unfinished_bytes: 0, reports }
    }

    pub(super) fn push(&mut self, job: Job) {
        self.unfinished_bytes += job.held_bytes();
        self.waiting.push_back(job);
    }

    /// Bytes held in memory for jobs that are not done.
    pub(super) fn unfinished_bytes(&self) -> usize {
        self.unfinished_bytes
    }

    pub(super) fn is_idle(&self) -> bool {
        self.running == 0 && self.waiting.is_empty()
    }

    /// To be called for each report.
    pub(super) fn reported(&mut self, report: &Report) {
        self.running = self.running.saturating_sub(1);
        self.unfinished_bytes = self.unfinished_bytes.saturating_sub(report.held_bytes);
    }

    /// Starts as many batches as may run. While all places are taken jobs gather, so that batches grow with load.
    pub(super) fn pump(&mut self, files: &Files) {
        while self.running < self.max_running && !self.waiting.is_empty() {
            let batch = self.next_batch();
            let (files, reports) = (files.clone(), self.reports.clone());
            self.running += 1;
            tokio::task::spawn_blocking(move || {
                let held_bytes = batch.iter().map(Job::held_bytes).sum();
                let mut report =
                    SendOnDrop { report: Some(Report { done: Vec::new(), held_bytes }), reports };
                if let Some(report) = &mut report.report {
                    report.done = run(&files, batch);
                }
            });
        }
    }

    fn next_batch(&mut self) -> Vec<Job> {
        let (mut batch, mut bytes) = (Vec::new(), 0);
        while let Some(job) = self.waiting.pop_front() {
            bytes += job.work_bytes();
            batch.push(job);
            if bytes + self.waiting.front().map_or(0, Job::work_bytes) > BATCH_BYTES {
                break;
            }
        }
        batch
    }
}

struct SendOnDrop {
    report: Option<Report>,
    reports: mpsc::UnboundedSender<Report>,
}

impl Drop for SendOnDrop {
    fn drop(&mut self) {
        // With no driver left there is nobody to tell.
        let _ = self.report.take().map(|report| self.reports.send(report));
    }
}

impl Job {
    fn held_bytes(&self) -> usize {
        match self {
            Job::Write { data, .. } => data.len(),
            Job::HashBlock { .. } => 0,
            Job::HashPieceV1 { data, .. } => data.iter().map(Bytes::len).sum(),
        }
    }

    fn work_bytes(&self) -> usize {
        match self {
            Job::Write { block, .. } | Job::HashBlock { block, .. } => block.len as usize,
            // Long, and cannot be split: a batch for each.
            Job::HashPieceV1 { .. } => BATCH_BYTES,
        }
    }
}

fn run(files: &Files, batch: Vec<Job>) -> Vec<Done> {
    let mut writes = Vec::new();
    let mut done = Vec::with_capacity(batch.len());
    for job in batch {
        match job {
            Job::Write { job, block, data, leaf } => {
                writes.push(Write { block, data, job, leaf, result: Ok(None) });
            }
            Job::HashBlock { job, block } => {
                let result = files.read_block(block).map(|parts| {
                    let mut hasher = Sha256::new();
                    parts.iter().for_each(|part| hasher.update(part));
                    Some(Root(hasher.finalize().into()))
                });
                done.push(Done::Block { job, result });
            }
            Job::HashPieceV1 { piece, data } => {
                done.push(Done::Piece { piece, result: sha1_piece(files, piece, &data) });
            }
        }
    }
    hash_leaves(&mut writes);
    write_all(files, &mut writes);
    done.extend(writes.into_iter().map(|write| Done::Block { job: write.job, result: write.result }));
    done
}

/// A block on its way to disk.
struct Write {
    block: BlockRef,
    data: Bytes,
    job: JobId,
    leaf: bool,
    result: Result<Option<Root>, IoFault>,
}

fn hash_leaves(writes: &mut [Write]) {
    let hashed = || writes.iter().enumerate().filter(|(_, write)| write.leaf);
    let blocks: Vec<&[u8]> = hashed().map(|(_, write)| write.data.as_ref()).collect();
    let at: Vec<usize> = hashed().map(|(i, _)| i).collect();
    for (i, root) in at.into_iter().zip(merkle::leaves(&blocks)) {
        writes[i].result = Ok(Some(root));
    }
}

/// A part of a block that lies in one file.
struct Part {
    file: FileIndex,
    offset: u64,
    data: Bytes,
    /// Index into the writes.
    write: usize,
}

/// Writes with one call for each run of neighbouring bytes.
fn write_all(files: &Files, writes: &mut [Write]) {
    let mut parts = Vec::with_capacity(writes.len());
    for (write, Write { block, data, .. }) in writes.iter().enumerate() {
        let mut at = 0;
        for Span { file, file_offset, len } in files.torrent.layout.spans(*block) {
            let end = (at + len as usize).min(data.len());
            if let Some(file) = file {
                parts.push(Part { file, offset: file_offset, data: data.slice(at..end), write });
            }
            at = end;
        }
    }
    parts.sort_by_key(|part| (part.file, part.offset));
    for run in parts.chunk_by(|a, b| a.file == b.file && a.offset + a.data.len() as u64 == b.offset) {
        let slices: Vec<IoSlice<'_>> = run.iter().map(|part| IoSlice::new(&part.data)).collect();
        if let Err(error) = files.store.write_at(run[0].file, run[0].offset, &slices) {
            let fault = fault(&error);
            run.iter().for_each(|part| writes[part.write].result = Err(fault.clone()));
        }
    }
}

/// SHA-1 of a piece from memory, or from disk when `data` is empty.
fn sha1_piece(files: &Files, piece: PieceIndex, data: &[Bytes]) -> Result<[u8; 20], IoFault> {
    let mut hasher = Sha1::new();
    if data.is_empty() {
        for block in files.piece_blocks(piece) {
            files.read_block(block)?.iter().for_each(|part| hasher.update(part));
        }
    } else {
        data.iter().for_each(|part| hasher.update(part));
    }
    Ok(hasher.finalize().into())
}

#[cfg(test)]
#[path = "storage_tests.rs"]
mod tests;
