//! The pack phase of an operation: choose a route, carry it out, go on offering.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use manifests::folder::LeafSource;
use manifests::hash::{BlockMap, Hash};
use manifests::plan::{Local, Plan};
use manifests::release::FileIdentity;
use manifests::route::{self, Candidate, Environment, Input, Offer, Route};
use tokio::sync::mpsc;

use crate::engine::board::Task;
use crate::engine::content::{self, Content};
use crate::engine::context::Context;
use crate::engine::goal::{Goal, Leaves};
use crate::engine::meter::blocking;
use crate::engine::packs::cache::now_secs;
use crate::engine::packs::keep::Offering;
use crate::engine::packs::offers::{self, Offers};
use crate::engine::packs::run::{Arrival, Run};
use crate::engine::packs::setup::{self, Chosen, Ready, Source, StepPack, block_bytes};
use crate::engine::snapshot::{Phase, Summary};
use crate::engine::transfer::{Transfer, Verified};
use crate::error::LaunchError;

/// With the content torrent to fall back on, packs are waited for no longer than this without a byte.
const PATIENCE: Duration = Duration::from_secs(30);

/// Free space that no candidate counts on.
const SPARE_BYTES: u64 = 2 << 20;

/// Byte ranges to fetch, by number in the manifest.
type Missing = Vec<(usize, Vec<Range<u64>>)>;

/// Every candidate, and what they were computed from.
pub(crate) struct Decision {
    pub(crate) route: Route,
    pub(crate) offers: Arc<Offers>,
    /// Most temporary space a candidate may take, in bytes, for the disk to hold it beside the game; none when the system
    /// does not say.
    room: Option<u64>,
}

impl Decision {
    /// The candidate that is asked for, or the cheapest.
    pub(crate) fn chosen(&self, forced: Option<&str>) -> Result<Arc<Candidate>, LaunchError> {
        let found = match forced {
            Some(name) => self.route.named(name),
            // The cheapest of those that fit; where none does, the error names what is missing for the best.
            None => self
                .route
                .candidates
                .iter()
                .find(|one| self.room.is_none_or(|room| one.costs.temp_peak <= room))
                .or_else(|| self.route.candidates.iter().min_by_key(|one| one.costs.temp_peak)),
        };
        let known =
            || self.route.candidates.iter().map(|one| one.name.as_str()).collect::<Vec<_>>().join(", ");
        found.cloned().map(Arc::new).ok_or_else(|| LaunchError::RouteUnknown {
            name: forced.unwrap_or_default().to_owned(),
            known: known(),
        })
    }
}

/// Leaf hashes of the files of several releases.
struct AllLeaves {
    target: Leaves,
    others: Vec<Content>,
}

impl LeafSource for AllLeaves {
    fn leaves(&self, identity: &FileIdentity) -> Option<Arc<[Hash]>> {
        let own = |content: &Content| {
            content
                .own_leaves(identity)
                .map(|leaves| leaves.iter().map(|leaf| leaf.0).collect::<Arc<[Hash]>>())
        };
        self.target.leaves(identity).or_else(|| self.others.iter().find_map(own))
    }
}

/// What is on the way: everything a route depends on.
pub(crate) struct Question<'a> {
    pub(crate) goal: &'a Goal,
    pub(crate) local: &'a Arc<Local>,
    pub(crate) plan: &'a Plan,
    pub(crate) content: &'a Content,
    /// What is known to be missing when files were staged already.
    pub(crate) missing: Option<&'a Missing>,
    /// Whether indexes are kept in the cache: not by somebody who only asks.
    pub(crate) keep: bool,
}

/// Fetches the indexes on offer and computes every candidate.
pub(crate) async fn choose(
    context: &Context,
    task: &Task,
    question: Question<'_>,
) -> Result<Decision, LaunchError> {
    let Question { goal, local, plan, content, missing, keep } = question;
    task.enter(Phase::Checking, 0);
    let mut others = Vec::new();
    for known in &goal.ways.releases {
        others.extend(content::kept(goal.dir.clone(), &known.manifest).await?);
    }
    let source_rate = goal.way.source_rate.unwrap_or(Environment::default().source_rate);
    let environment = Environment {
        source_rate: context.download_rate().map_or(source_rate, |limit| limit.min(source_rate)),
        cores: std::thread::available_parallelism()
            .map_or(2, |cores| u32::try_from(cores.get()).unwrap_or(64)),
        ..Environment::default()
    };
    let leaves =
        AllLeaves { target: Leaves { dir: goal.dir.clone(), content: Some(content.clone()) }, others };
    let known = Arc::new(Known {
        goal: goal.clone(),
        local: local.clone(),
        plan: plan.clone(),
        missing: missing.cloned(),
        leaves,
        environment,
    });
    let asked = {
        let known = known.clone();
        blocking(move || {
            let offers = offers::listed(&known.goal.ways, &known.goal.target.manifest);
            Ok(route::worth_asking(&known.input(&offers, &HashMap::new())))
        })
        .await?
    };
    let http = context.http();
    let fetched = tokio::select! {
        () = task.stop.cancelled() => return Err(LaunchError::Paused),
        fetched = offers::fetch(http, goal, &asked, keep) => fetched?,
    };
    fetched.notes.iter().for_each(|note| task.note(note.clone()));
    blocking(move || {
        let route = route::route(&known.input(&fetched.offers, &fetched.held));
        // What is staged already was counted when it was written.
        let staged = if keep { known.plan.costs.temp_bytes.saturating_sub(known.lacking()) } else { 0 };
        let room = known.goal.dir.fs().space();
        let room = room.map(|room| room.saturating_add(staged).saturating_sub(SPARE_BYTES));
        Ok(Decision { route, offers: Arc::new(fetched), room })
    })
    .await
}

/// What a route depends on beside the packs.
struct Known {
    goal: Goal,
    local: Arc<Local>,
    plan: Plan,
    missing: Option<Missing>,
    leaves: AllLeaves,
    environment: Environment,
}

impl Known {
    fn input<'a>(&'a self, packs: &'a [Offer], held: &'a HashMap<FileIdentity, BlockMap>) -> Input<'a> {
        Input {
            local: &self.local,
            target: &self.goal.target.manifest,
            plan: &self.plan,
            missing: self.missing.as_deref(),
            releases: &self.goal.ways.releases,
            packs,
            held,
            leaves: &self.leaves,
            environment: &self.environment,
            weights: &self.goal.way.weights,
        }
    }

    /// Bytes that are missing.
    fn lacking(&self) -> u64 {
        match &self.missing {
            Some(missing) => {
                missing.iter().flat_map(|(_, ranges)| ranges).map(|range| range.end - range.start).sum()
            }
            None => self.plan.costs.bytes_fetch,
        }
    }
}

/// Carries out a candidate's packs. What comes back goes on being offered until the operation ends.
///
/// # Errors
/// [`LaunchError::Paused`], or what only the player can mend (the disk). When packs cannot be had, nothing is lost: their
/// files stay missing.
pub(crate) async fn carry_out(
    context: &Context,
    task: &Task,
    chosen: &Chosen<'_>,
    summary: &mut Summary,
) -> Result<Offering, LaunchError> {
    if chosen.candidate.steps.is_empty() {
        return Ok(Offering::default());
    }
    let mut ready = match setup::prepare(context, chosen).await {
        Ok(ready) => ready,
        Err(error) if is_fatal(&error) => return Err(error),
        Err(error) => {
            task.note(format!("packs are not used: {error}"));
            return Ok(Offering::default());
        }
    };
    let before: Vec<u64> =
        ready.packs.iter().map(|pack| block_bytes(&pack.have, pack.slot.identity.len)).collect();
    let aside_bytes = ready.aside_bytes;
    task.enter(Phase::Downloading, ready.jobs.iter().map(|(_, job)| job.bytes).sum());
    let (sender, arrivals) = mpsc::unbounded_channel();
    let mut transfers = Vec::new();
    for (source, job) in std::mem::take(&mut ready.jobs) {
        let verified = teller(chosen, source, sender.clone(), &ready);
        match Transfer::start(context, task, job, verified).await {
            Ok(transfer) => transfers.push((source, transfer.patient_for(PATIENCE))),
            Err(error) => task.note(format!("packs are not used: {error}")),
        }
    }
    drop(sender);
    let (packs, output_bytes) = (std::mem::take(&mut ready.packs), ready.output_bytes);
    let leaves = Leaves { dir: chosen.goal.dir.clone(), content: Some(chosen.content.clone()) };
    let run = Run::new(task, ready, packs, leaves);
    let (carried, result) = Box::pin(run.carry_out(transfers, arrivals, output_bytes)).await;
    let mut offering = Offering::default();
    let mut transfers: HashMap<usize, Transfer> = HashMap::new();
    for (source, transfer) in carried.transfers {
        match source {
            Source::Pack(step) => {
                transfers.insert(step, transfer);
            }
            Source::Content | Source::Heal(_) => {
                let ended = transfer.end().await;
                summary.sources = summary.sources.plus(&ended.received);
                summary.uploaded_bytes += ended.sent;
            }
        }
    }
    let mut written = aside_bytes;
    for ((step, pack), before) in carried.packs.into_iter().enumerate().zip(before) {
        written += block_bytes(&pack.have, pack.slot.identity.len).saturating_sub(before);
        let StepPack { slot, mut record, have, .. } = pack;
        record.used_at = now_secs();
        match transfers.remove(&step) {
            Some(transfer) => offering.push(slot, record, have, transfer),
            None => blocking(move || slot.save(record, &have)).await?,
        }
    }
    summary.written_bytes += written;
    summary.pack_bytes += written - aside_bytes;
    summary.temp_peak_bytes += written;
    match result {
        Ok(()) => Ok(offering),
        Err(error) => {
            end(offering, summary).await;
            Err(error)
        }
    }
}

/// Leaves the packs' swarms and counts what they brought.
pub(crate) async fn end(offering: Offering, summary: &mut Summary) {
    let traffic = offering.end().await;
    summary.sources = summary.sources.plus(&traffic.received);
    summary.uploaded_bytes += traffic.sent;
}

/// What only the player can mend, or asked for.
fn is_fatal(error: &LaunchError) -> bool {
    matches!(
        error,
        LaunchError::Disk(_)
            | LaunchError::Folder(_)
            | LaunchError::Apply(_)
            | LaunchError::StorageFault { .. }
            | LaunchError::Paused
            | LaunchError::Internal { .. }
    )
}

/// Tells the run, and the applier, of what a transfer brings.
fn teller(
    chosen: &Chosen<'_>,
    source: Source,
    to: mpsc::UnboundedSender<Arrival>,
    ready: &Ready,
) -> Verified {
    // A run that is over has no use for it.
    match source {
        Source::Pack(_) => Box::new(move |_, range| {
            let _ = to.send(Arrival { source, file: 0, range });
        }),
        Source::Content => {
            let (applier, content) = (chosen.applier.clone(), chosen.content.clone());
            Box::new(move |file, range| {
                if let Some(at) = content.number(file) {
                    applier.verified(at, range.clone());
                    let _ = to.send(Arrival { source, file: at, range });
                }
            })
        }
        Source::Heal(release) => {
            let content = ready.heals.get(&release).cloned();
            Box::new(move |file, range| {
                if let Some(at) = content.as_ref().and_then(|content| content.number(file)) {
                    let _ = to.send(Arrival { source, file: at, range });
                }
            })
        }
    }
}
