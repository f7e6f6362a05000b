//! Carrying out a candidate's packs: blocks come from the swarm and the web, frames are rebuilt on threads of their own
//! as soon as theirs are here, finished files are judged. Whatever does not work out stays missing, and the content
//! torrent brings it.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use manifests::folder::LeafSource as _;
use manifests::release::FileIdentity;
use protocol::units::BLOCK_LEN;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::engine::board::Task;
use crate::engine::goal::Leaves;
use crate::engine::packs::base::Held;
use crate::engine::packs::setup::{Ready, Source, StepPack};
use crate::engine::packs::work::{self, Doing, Finished, Put, Work};
use crate::engine::packs::worker::{Bench, Failed};
use crate::engine::snapshot::Phase;
use crate::engine::transfer::{Ended, Transfer};
use crate::error::LaunchError;

/// Failures told one by one; the others are only counted.
const NOTES_MAX: usize = 3;

/// A byte range that came and was verified.
pub(crate) struct Arrival {
    pub(crate) source: Source,
    /// Of the pack's file, or of the file with this number in the manifest.
    pub(crate) file: usize,
    pub(crate) range: Range<u64>,
}

/// How a job or a judgement ended.
enum Report {
    Job(usize, Result<(), Failed>),
    Judged(usize, Result<bool, Failed>),
}

/// A transfer that came to its end, or was brought there.
type Running = FuturesUnordered<BoxFuture<'static, (Source, Transfer, Result<Ended, LaunchError>)>>;

/// The coordinator: owns the order, hands out jobs, listens to what arrives.
pub(crate) struct Run {
    task: Task,
    bench: Arc<Bench>,
    leaves: Arc<Leaves>,
    work: Work,
    /// Target files that are also base files and come by the content torrent: bytes that lack.
    awaited: HashMap<usize, (FileIdentity, u64)>,
    /// Base files that are healed: bytes that lack.
    healing: HashMap<(usize, usize), (FileIdentity, u64)>,
    jobs: JoinSet<Report>,
    threads: usize,
    rebuilt: u64,
    failures: usize,
    /// The first failure of our own disk: it ends the run.
    broken: Option<LaunchError>,
    packs: Vec<StepPack>,
}

/// What a run leaves.
pub(crate) struct Carried {
    /// Transfers that go on offering what is there.
    pub(crate) transfers: Vec<(Source, Transfer)>,
    /// By step, with what came.
    pub(crate) packs: Vec<StepPack>,
}

impl Run {
    pub(crate) fn new(task: &Task, ready: Ready, packs: Vec<StepPack>, leaves: Leaves) -> Self {
        let Ready { bench, work, awaited, healing, .. } = ready;
        let threads = std::thread::available_parallelism().map_or(2, usize::from);
        Self {
            task: task.clone(),
            bench,
            leaves: Arc::new(leaves),
            work,
            awaited,
            healing,
            jobs: JoinSet::new(),
            threads,
            rebuilt: 0,
            failures: 0,
            broken: None,
            packs,
        }
    }

    /// Runs to the end: every transfer over, every job done or given up.
    ///
    /// # Errors
    /// [`LaunchError::Paused`], or our own disk's. Nothing else: what packs do not bring, the content torrent does.
    pub(crate) async fn carry_out(
        mut self,
        transfers: Vec<(Source, Transfer)>,
        mut arrivals: mpsc::UnboundedReceiver<Arrival>,
        total_output: u64,
    ) -> (Carried, Result<(), LaunchError>) {
        let mut running: Running = FuturesUnordered::new();
        for (source, mut transfer) in transfers {
            running.push(Box::pin(async move {
                let ended = transfer.complete().await;
                (source, transfer, ended)
            }));
        }
        let mut carried = Carried { transfers: Vec::new(), packs: Vec::new() };
        let mut result = Ok(());
        loop {
            if self.broken.is_none() && !self.task.stop.is_cancelled() {
                self.hand_out();
            }
            if running.is_empty() {
                while let Ok(arrival) = arrivals.try_recv() {
                    self.arrived(&arrival);
                }
                if self.broken.is_none() && !self.task.stop.is_cancelled() {
                    self.hand_out();
                }
                if self.jobs.is_empty() {
                    // What is not done now waits for something that will not come.
                    let finished = self.work.give_up();
                    self.finished(finished);
                    if self.jobs.is_empty() {
                        break;
                    }
                }
            }
            tokio::select! {
                Some(arrival) = arrivals.recv() => self.arrived(&arrival),
                Some((source, transfer, ended)) = running.next() => {
                    while let Ok(arrival) = arrivals.try_recv() {
                        self.arrived(&arrival);
                    }
                    if let Err(error) = self.transfer_ended(source, ended) {
                        result = Err(error);
                    }
                    carried.transfers.push((source, transfer));
                    if running.is_empty() && result.is_ok() && !self.work.is_done() {
                        self.task.enter(Phase::Rebuilding, total_output);
                        self.progress(0);
                    }
                }
                Some(report) = self.jobs.join_next() => self.reported(report),
            }
        }
        if self.task.stop.is_cancelled() {
            result = Err(LaunchError::Paused);
        }
        if let Some(broken) = self.broken.take() {
            result = Err(broken);
        }
        carried.packs = self.packs;
        if self.failures > NOTES_MAX {
            self.task.note(format!("{} more parts of packs could not be used", self.failures - NOTES_MAX));
        }
        (carried, result)
    }

    fn hand_out(&mut self) {
        while self.jobs.len() < self.threads
            && let Some((number, doing, puts)) = self.work.next()
        {
            let bench = self.bench.clone();
            self.jobs.spawn_blocking(move || Report::Job(number, perform(&bench, doing, &puts)));
        }
    }

    fn arrived(&mut self, arrival: &Arrival) {
        let bytes = arrival.range.end - arrival.range.start;
        match arrival.source {
            Source::Pack(step) => {
                for at in work::blocks(&arrival.range) {
                    let number = u32::try_from(at / u64::from(BLOCK_LEN)).unwrap_or(u32::MAX);
                    // A block counts once, however often it is told.
                    if self.packs.get_mut(step).is_some_and(|pack| pack.have.set(number)) {
                        self.work.arrived(step, at);
                    }
                }
            }
            Source::Content => {
                if let Some((identity, left)) = self.awaited.get_mut(&arrival.file) {
                    *left = left.saturating_sub(bytes);
                    if *left == 0 {
                        let identity = *identity;
                        self.awaited.remove(&arrival.file);
                        self.work.has(&identity);
                    }
                }
            }
            Source::Heal(release) => {
                if let Some((identity, left)) = self.healing.get_mut(&(release, arrival.file)) {
                    *left = left.saturating_sub(bytes);
                    if *left == 0 {
                        let identity = *identity;
                        self.healing.remove(&(release, arrival.file));
                        self.work.has(&identity);
                    }
                }
            }
        }
    }

    /// A transfer that failed leaves its part to the content torrent; only our own disk ends the operation.
    fn transfer_ended(
        &mut self,
        source: Source,
        ended: Result<Ended, LaunchError>,
    ) -> Result<(), LaunchError> {
        let failed = match ended {
            Ok(Ended::Complete) => return Ok(()),
            Ok(Ended::Stopped) => return Err(LaunchError::Paused),
            Err(error @ (LaunchError::StorageFault { .. } | LaunchError::Internal { .. })) => {
                return Err(error);
            }
            Err(error) => error,
        };
        let finished = match source {
            Source::Pack(step) => {
                self.task.note(format!("a pack is not used: {failed}"));
                self.work.cut_off(step)
            }
            Source::Content => {
                let lacking: Vec<FileIdentity> =
                    self.awaited.drain().map(|(_, (identity, _))| identity).collect();
                lacking.iter().flat_map(|identity| self.work.lacks(identity)).collect()
            }
            Source::Heal(release) => {
                self.task.note(format!("damaged files could not be completed first: {failed}"));
                let gone = self.healing.extract_if(|(of, _), _| *of == release);
                let lacking: Vec<FileIdentity> = gone.map(|(_, (identity, _))| identity).collect();
                lacking.iter().flat_map(|identity| self.work.lacks(identity)).collect()
            }
        };
        self.finished(finished);
        Ok(())
    }

    fn reported(&mut self, report: Result<Report, tokio::task::JoinError>) {
        match report {
            Ok(Report::Job(number, ended)) => {
                let well = ended.is_ok();
                if let Err(failed) = ended {
                    self.failed(failed);
                }
                let finished = self.work.ended(number, well);
                self.finished(finished);
            }
            Ok(Report::Judged(output, right)) => {
                let right = right.unwrap_or_else(|failed| {
                    self.failed(failed);
                    false
                });
                self.judged(output, right);
            }
            // Jobs catch their own panics; a runtime that shuts down cancels them.
            Err(error) => self.failed(Failed::Job(format!("a thread broke off: {error}"))),
        }
    }

    fn failed(&mut self, failed: Failed) {
        match failed {
            Failed::Disk(error) => {
                self.broken.get_or_insert(error);
            }
            Failed::Job(cause) => {
                self.failures += 1;
                if self.failures <= NOTES_MAX {
                    self.task.note(format!(
                        "a part of a pack could not be used ({cause}); it is fetched another way"
                    ));
                }
            }
        }
    }

    /// Files of the release are judged on a thread; files between two steps are what the next step reads.
    fn finished(&mut self, finished: Vec<Finished>) {
        for Finished { output, whole } in finished {
            let (bench, leaves) = (self.bench.clone(), self.leaves.clone());
            let Some(what) = bench.outputs.get(output) else { continue };
            self.progress(what.writes.iter().map(|range| range.end - range.start).sum());
            if what.index.is_none() {
                self.judged(output, whole);
                continue;
            }
            let identity = what.identity;
            let bench = self.bench.clone();
            self.jobs.spawn_blocking(move || {
                let leaves = leaves.leaves(&identity);
                Report::Judged(output, bench.judge(output, leaves.as_deref()).map(|right| right && whole))
            });
        }
    }

    fn judged(&mut self, output: usize, right: bool) {
        let Some(identity) = self.work.becomes(output) else { return };
        let path = self.bench.paths.get(output).cloned().flatten();
        match path.filter(|_| right) {
            Some(path) => {
                self.bench.bases.add(identity, Held { path, guard: None });
                self.work.has(&identity);
            }
            None => {
                let finished = self.work.lacks(&identity);
                self.finished(finished);
            }
        }
    }

    fn progress(&mut self, bytes: u64) {
        self.rebuilt += bytes;
        let rebuilt = self.rebuilt;
        self.task.update(|view| {
            if view.phase == Phase::Rebuilding {
                view.done_bytes = rebuilt.min(view.total_bytes);
            }
        });
    }
}

fn perform(bench: &Bench, doing: Doing, puts: &[Put]) -> Result<(), Failed> {
    bench.perform(doing, puts)
}
