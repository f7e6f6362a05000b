//! How far work is, from its first byte on, and that it can be stopped anywhere.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use super::*;

/// Stages with their totals and what was told of each; stops after so many calls.
struct Counted {
    stages: Mutex<Vec<(PackStage, u64, u64)>>,
    calls: AtomicUsize,
    stop_after: usize,
}

impl Counted {
    fn new(stop_after: usize) -> Self {
        Self { stages: Mutex::default(), calls: AtomicUsize::new(0), stop_after }
    }
}

impl PackProgress for Counted {
    fn stage(&self, stage: PackStage, bytes: u64) {
        self.stages.lock().unwrap_or_else(PoisonError::into_inner).push((stage, bytes, 0));
    }
    fn advance(&self, bytes: u64) {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let mut stages = self.stages.lock().unwrap_or_else(PoisonError::into_inner);
        let (stage, total, done) = stages.last_mut().expect("a stage comes first");
        *done += bytes;
        assert!(*done <= *total, "{stage:?}: {done} of {total}");
    }
    fn cancelled(&self) -> bool {
        self.calls.load(Ordering::Relaxed) >= self.stop_after
    }
}

fn told(progress: &Counted, threads: usize) -> Result<Created, PackError> {
    let (old, new) = pair();
    let options = CreateOptions { level: Level::Normal, threads };
    create(Some(old.tree()), new.tree(), &options, &mut io::sink(), progress)
}

#[test]
fn every_byte_of_every_stage_is_told() {
    let (old, new) = pair();
    let read: u64 = old.files.iter().map(|file| file.identity.len).sum();
    for threads in [1, 3] {
        let progress = Counted::new(usize::MAX);
        let created = told(&progress, threads).unwrap();
        let stages = progress.stages.into_inner().unwrap();
        let changed: u64 =
            created.index.files.iter().map(|recipe| new.files[recipe.file as usize].identity.len).sum();
        let rebuilt: u64 = created.index.frames.iter().map(|frame| u64::from(frame.output_len)).sum();
        let (matching, packing) = (read + changed, rebuilt);
        assert_eq!(
            stages,
            [(PackStage::Matching, matching, matching), (PackStage::Packing, packing, packing)]
        );
    }
}

#[test]
fn it_stops_wherever_it_is_told_to() {
    let counted = Counted::new(usize::MAX);
    told(&counted, 1).unwrap();
    let calls = counted.calls.into_inner();
    assert!(calls > 10, "{calls}");
    for stop_after in 0..calls - 1 {
        for threads in [1, 3] {
            let outcome = told(&Counted::new(stop_after), threads);
            assert_eq!(outcome.map_err(|error| error.code()).err(), Some("E-PACK-CANCELLED"), "{stop_after}");
        }
    }
}
