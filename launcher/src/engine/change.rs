//! From whatever lies in the folder to a release: survey, plan, stage, fetch, commit. Install, update and repair are
//! this with different goals.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use futures_util::future::BoxFuture;
use manifests::apply::{self, Applied, Applier, ApplyError};
use manifests::folder::{Listed, PRIVATE};
use manifests::hash::Hash;
use manifests::plan::{self, Local, Op, Plan};
use manifests::release::{FileIdentity, ManifestFile};
use manifests::reuse;
use manifests::route::{Candidate, Kind};
use manifests::verify::{self, Depth};

use crate::engine::board::Task;
use crate::engine::content::{self, Content};
use crate::engine::context::Context;
use crate::engine::forecast;
use crate::engine::goal::{Goal, Leaves};
use crate::engine::jobs;
use crate::engine::ledger;
use crate::engine::meter::{CommitMeter, Meter, blocking};
use crate::engine::neighbours::Neighbours;
use crate::engine::packs::aside;
use crate::engine::packs::keep::Offering;
use crate::engine::packs::phase::{self, Decision, Question};
use crate::engine::packs::setup::Chosen;
use crate::engine::snapshot::{Phase, Summary};
use crate::engine::transfer::{Ended, Transfer};
use crate::engine::vacant::vacate;
use crate::error::LaunchError;

/// How often a file that changes under us, or staged data that turns out damaged, is tried anew.
const ROUNDS: usize = 3;
/// With less than this free, a failed write is a full disk's.
const SPARE_BYTES: u64 = 1 << 20;

/// Byte ranges to fetch, by number in the manifest.
type Missing = Vec<(usize, Vec<Range<u64>>)>;

/// Makes the folder the release. `local` is what a survey of this moment found, if there was one.
pub(crate) async fn reach(
    context: &Context,
    task: &Task,
    goal: &Goal,
    mut local: Option<Local>,
) -> Result<Summary, LaunchError> {
    let begun = Instant::now();
    let manifest = goal.target.manifest.clone();
    let mut summary = Summary {
        game: manifest.game.to_string(),
        release: manifest.version.to_string(),
        sequence: manifest.sequence,
        ..Summary::default()
    };
    let mut round = 1;
    let done = loop {
        match attempt(context, task, goal, local.take(), &mut summary).await {
            Err(LaunchError::Apply(
                error @ (ApplyError::Changed(_) | ApplyError::Incomplete(_) | ApplyError::Damaged(_)),
            )) if round < ROUNDS => task.note(format!("{error}; trying once more")),
            done => break done,
        }
        round += 1;
    };
    if done.is_ok() {
        // What did not come over the network was here.
        let local = manifest.total_bytes().saturating_sub(summary.sources.network());
        summary.sources.local = local;
        task.update(|view| view.sources.local = local);
    }
    if done.is_err() || summary.changed {
        ledger::add(&goal.dir, &summary.release, &summary.sources, summary.uploaded_bytes);
    }
    summary.elapsed = begun.elapsed();
    match done {
        Ok(()) => Ok(summary),
        Err(error) => Err(told_full(goal, &summary, error)),
    }
}

async fn attempt(
    context: &Context,
    task: &Task,
    goal: &Goal,
    local: Option<Local>,
    summary: &mut Summary,
) -> Result<(), LaunchError> {
    let local = Arc::new(match local {
        Some(local) => local,
        None => survey(task, goal).await?,
    });
    let kept = content::kept(goal.dir.clone(), &goal.target.manifest).await?;
    let plan = make_plan(goal, &local, kept.clone()).await?;
    if plan.is_nothing() && goal.is_in_place() && kept.is_some() {
        return Ok(());
    }
    summary.changed = true;
    let content = fetch_content(context, task, goal, &plan, kept).await?;
    let (local, plan) = plan_with_moved(context, task, goal, local, &content).await?;
    let plan = if goal.way.route.as_deref() == Some(Kind::Plain.name()) {
        plan.whole_files(&goal.target.manifest.files)
    } else {
        plan
    };
    summary.temp_peak_bytes = summary.temp_peak_bytes.max(plan.costs.temp_bytes);
    summary.left_changed = plan.left.iter().map(ToString::to_string).collect();
    let mut applier = stage(context, task, goal, plan.clone(), &content).await?;
    let mut missing = applier.missing();
    summary.written_bytes += plan.costs.bytes_written;
    if missing.is_empty() {
        return commit(context, task, applier, summary).await;
    }
    let question =
        Question { goal, local: &local, plan: &plan, content: &content, missing: Some(&missing), keep: true };
    let choosing: BoxFuture<'_, _> = Box::pin(phase::choose(context, task, question));
    let decision = choosing.await?;
    let candidate = decision.chosen(goal.way.route.as_deref())?;
    promise(summary, &candidate, &decision);
    let costs = &candidate.costs;
    tracing::info!(
        task = task.id.0,
        route = candidate.name,
        because = forecast::why(&goal.way, &candidate, &decision),
        received = costs.network.payload(),
        written = costs.disk_written,
        peak = costs.temp_peak,
        "the plan"
    );
    let own = candidate.plan(&plan, &goal.target.manifest.files);
    if own != plan {
        applier = stage(context, task, goal, own, &content).await?;
    }
    let chosen = Chosen {
        goal,
        local: &local,
        applier: &applier,
        content: &content,
        candidate: &candidate,
        offers: &decision.offers,
    };
    let carrying: BoxFuture<'_, _> = Box::pin(phase::carry_out(context, task, &chosen, summary));
    let mut offering = carrying.await?;
    if goal.sources.peers {
        let ways = &goal.ways.packs;
        let taken: Vec<FileIdentity> = candidate
            .steps
            .iter()
            .filter_map(|step| ways.get(step.pack))
            .map(|way| way.entry.identity)
            .collect();
        offering.extend(Offering::start(context, task, &goal.dir, (&goal.hints, &taken)).await?);
    }
    missing = applier.missing();
    let done = offering
        .during(Box::pin(async {
            if missing.is_empty() {
                return commit(context, task, applier, summary).await;
            }
            fetch_and_commit(context, task, goal, (applier, missing), &content, summary).await
        }))
        .await;
    phase::end(offering, summary).await;
    if done.is_ok() {
        let dir = goal.dir.clone();
        blocking(move || {
            aside::clear(&dir);
            Ok(())
        })
        .await?;
    }
    done
}

/// Every route to the goal as things are now; none when nothing has to be fetched.
pub(crate) async fn weigh(
    context: &Context,
    task: &Task,
    goal: &Goal,
) -> Result<Option<Decision>, LaunchError> {
    let local = Arc::new(survey(task, goal).await?);
    let kept = content::kept(goal.dir.clone(), &goal.target.manifest).await?;
    let plan = make_plan(goal, &local, kept.clone()).await?;
    if plan.costs.bytes_fetch == 0 {
        return Ok(None);
    }
    let content = fetch_content(context, task, goal, &plan, kept).await?;
    let (local, plan) = plan_with_moved(context, task, goal, local, &content).await?;
    let missing = {
        let (goal, plan, meter) = (goal.clone(), plan.clone(), Meter(task.clone()));
        let leaves = Leaves { dir: goal.dir.clone(), content: Some(content.clone()) };
        blocking(move || {
            let manifest = &goal.target.manifest;
            let neighbours = Neighbours::look(&goal.way.reuse_from)?;
            let lacking = apply::lacking(&goal.dir, manifest, &plan, &leaves, &meter)?;
            Ok(neighbours.without(&manifest.files, lacking.into_iter()))
        })
        .await?
    };
    if missing.is_empty() {
        return Ok(None);
    }
    let question = Question {
        goal,
        local: &local,
        plan: &plan,
        content: &content,
        missing: Some(&missing),
        keep: false,
    };
    let choosing: BoxFuture<'_, _> = Box::pin(phase::choose(context, task, question));
    Ok(Some(choosing.await?))
}

/// What the route is to cost, told with the result.
fn promise(summary: &mut Summary, candidate: &Candidate, decision: &Decision) {
    // A second round goes on with what the first one began.
    if summary.route.is_none() {
        summary.route = Some(candidate.name.clone());
        summary.promised_bytes = candidate.costs.network.payload();
        let plain = decision.route.named(Kind::Plain.name());
        summary.plain_bytes = plain.map_or(0, |plain| plain.costs.network.content);
    }
    // The indexes of packs are bytes like theirs, and were fetched over the web.
    summary.sources.web += decision.offers.fetched;
}

/// Looks at what is on the disk.
pub(crate) async fn survey(task: &Task, goal: &Goal) -> Result<Local, LaunchError> {
    let (dir, manifest, depth) = (goal.dir.clone(), goal.target.manifest.clone(), goal.depth);
    task.enter(Phase::Scanning, if depth == Depth::Full { manifest.total_bytes() } else { 0 });
    let meter = Meter(task.clone());
    blocking(move || Ok(verify::survey_with(&dir, &manifest, depth, (0, side_by_side), &meter)?)).await
}

/// Many blocks at once, where the processor can.
fn side_by_side(blocks: &[&[u8]]) -> Vec<Hash> {
    protocol::merkle::leaves(blocks).into_iter().map(|root| root.0).collect()
}

async fn make_plan(goal: &Goal, local: &Arc<Local>, content: Option<Content>) -> Result<Plan, LaunchError> {
    let (local, manifest, options) = (local.clone(), goal.target.manifest.clone(), goal.options);
    let leaves = Leaves { dir: goal.dir.clone(), content };
    blocking(move || Ok(plan::plan(&local, &manifest, &leaves, options))).await
}

/// The plan with everything that is known about the release; blocks that moved within the files here are looked for
/// where the plan says that they may be.
async fn plan_with_moved(
    context: &Context,
    task: &Task,
    goal: &Goal,
    local: Arc<Local>,
    content: &Content,
) -> Result<(Arc<Local>, Plan), LaunchError> {
    let plan = make_plan(goal, &local, Some(content.clone())).await?;
    if plan.wants_sums.is_empty() {
        return Ok((local, plan));
    }
    task.enter(Phase::Checking, 0);
    let sums = goal.repo.fetch_sums(context.http(), &plan.wants_sums).await;
    if sums.is_empty() {
        return Ok((local, plan));
    }
    task.enter(Phase::Scanning, 0);
    let (dir, manifest, meter) = (goal.dir.clone(), goal.target.manifest.clone(), Meter(task.clone()));
    let leaves = Leaves { dir: goal.dir.clone(), content: Some(content.clone()) };
    let local = blocking(move || {
        let pieces = reuse::find(&*dir, &local, &manifest, &plan, &leaves, &sums, &meter)?;
        Ok(Arc::new(Local { pieces, ..Arc::unwrap_or_clone(local) }))
    })
    .await?;
    let plan = make_plan(goal, &local, Some(content.clone())).await?;
    Ok((local, plan))
}

/// The torrent and the leaf hashes of the release: kept ones, or the repository's.
async fn fetch_content(
    context: &Context,
    task: &Task,
    goal: &Goal,
    plan: &Plan,
    kept: Option<Content>,
) -> Result<Content, LaunchError> {
    let manifest = &goal.target.manifest;
    let content = match kept {
        Some(content) => content,
        None => {
            task.enter(Phase::Checking, 0);
            goal.repo.content(context.http(), &goal.dir, manifest.clone()).await?
        }
    };
    let state = goal.dir.state();
    let here = |path| match state.files.get(path) {
        Some(Listed::File { id, .. }) => Some(*id),
        _ => None,
    };
    // Those of files that stay were looked at when they came.
    let stays =
        |file: &ManifestFile, op: &Op| matches!(op, Op::Keep { .. }) && goal.dir.has_leaves(&file.identity);
    let changed = manifest.files.iter().zip(&plan.ops).filter(|(file, op)| !stays(file, op));
    let mut large: Vec<(FileIdentity, Option<FileIdentity>)> =
        changed.map(|(file, _)| (file.identity, here(&file.path))).collect();
    large.extend(plan.wants_leaves.iter().map(|identity| (*identity, None)));
    large.retain(|(identity, _)| content.needs_leaves(identity));
    // Of several entries for one file the one that knows more comes first.
    large.sort_by_key(|(identity, like)| (*identity, like.is_none()));
    large.dedup_by_key(|(identity, _)| *identity);
    goal.repo.fetch_leaves(context.http(), &goal.dir, large).await?;
    Ok(content)
}

/// Checks that the plan can be carried out, and stages what is here.
async fn stage(
    context: &Context,
    task: &Task,
    goal: &Goal,
    plan: Plan,
    content: &Content,
) -> Result<Arc<Applier>, LaunchError> {
    task.enter(Phase::Scanning, 0);
    let (dir, target, meter) = (goal.dir.clone(), goal.target.clone(), Meter(task.clone()));
    let leaves = Leaves { dir: goal.dir.clone(), content: Some(content.clone()) };
    let reuse_from = goal.way.reuse_from.clone();
    let undo_quota = context.options.undo_quota;
    blocking(move || {
        let neighbours = Neighbours::look(&reuse_from)?;
        let mut applier = Applier::new(dir, target, plan)?.on_day(jiff::Zoned::now().date());
        if let Some(bytes) = undo_quota {
            applier = applier.with_undo_quota(bytes);
        }
        applier.prepare(&leaves, &meter)?;
        neighbours.copy(&applier, &meter)?;
        Ok(Arc::new(applier))
    })
    .await
}

/// Fetches what is missing, then puts the release in place; meanwhile others get what is here.
async fn fetch_and_commit(
    context: &Context,
    task: &Task,
    goal: &Goal,
    (applier, missing): (Arc<Applier>, Missing),
    content: &Content,
    summary: &mut Summary,
) -> Result<(), LaunchError> {
    let total = missing.iter().flat_map(|(_, ranges)| ranges).map(|range| range.end - range.start).sum();
    let job = blocking({
        let (goal, applier, content) = (goal.clone(), applier.clone(), content.clone());
        move || jobs::fetching(&goal, &applier, &content, &missing, &missing)
    })
    .await?;
    task.enter(Phase::Downloading, total);
    let verified = {
        let (applier, content) = (applier.clone(), content.clone());
        move |file, range| {
            if let Some(at) = content.number(file) {
                applier.verified(at, range);
            }
        }
    };
    let mut transfer = Transfer::start(context, task, job, Box::new(verified)).await?;
    let ended = transfer.complete().await;
    let mut committed = None;
    if matches!(ended, Ok(Ended::Complete)) && !cfg!(windows) {
        // Open files may be renamed here, so nobody has to wait for our commit.
        committed = Some(transfer.during(commit(context, task, applier.clone(), summary)).await);
    }
    let traffic = transfer.end().await;
    summary.sources = summary.sources.plus(&traffic.received);
    summary.uploaded_bytes += traffic.sent;
    match (ended?, committed) {
        (Ended::Stopped, _) => Err(LaunchError::Paused),
        (Ended::Complete, Some(committed)) => committed,
        (Ended::Complete, None) => commit(context, task, applier, summary).await,
    }
}

/// A disk that filled up while we wrote, told in the words of one that was full before.
fn told_full(goal: &Goal, summary: &Summary, error: LaunchError) -> LaunchError {
    let Some(available) = goal.dir.fs().space() else { return error };
    let is_full = match &error {
        LaunchError::Apply(ApplyError::NoSpace { .. }) => false,
        // The swarm says that it could not write, not why.
        LaunchError::StorageFault { .. } => available < SPARE_BYTES,
        other => other.code() == "E-DISK-FULL",
    };
    if !is_full {
        return error;
    }
    let needed = summary.temp_peak_bytes.saturating_sub(staged_bytes(goal.dir.path())) + SPARE_BYTES;
    // Others may have made room since: then what is free was not enough all the same.
    ApplyError::NoSpace { needed: needed.max(available.saturating_add(SPARE_BYTES)), available }.into()
}

/// What lies in the staging folder, in bytes on the disk.
fn staged_bytes(dir: &Path) -> u64 {
    let entries = std::fs::read_dir(dir.join(PRIVATE).join("staging"));
    let files = entries.into_iter().flatten().flatten().filter_map(|entry| entry.metadata().ok());
    #[cfg(unix)]
    return files.map(|about| std::os::unix::fs::MetadataExt::blocks(&about).saturating_mul(512)).sum();
    #[cfg(not(unix))]
    files.map(|about| about.len()).sum()
}

async fn commit(
    context: &Context,
    task: &Task,
    applier: Arc<Applier>,
    summary: &mut Summary,
) -> Result<(), LaunchError> {
    // The game may have been started since the download began. The disk works meanwhile.
    let staged = applier.clone();
    let synced = blocking(move || Ok(staged.sync()?));
    let (vacated, synced) = tokio::join!(vacate(context, task, applier.dir().path()), synced);
    vacated?;
    synced?;
    task.enter(Phase::Applying, 0);
    let meter = CommitMeter::new(task);
    let (applied, window): (Applied, _) =
        blocking(move || Ok((applier.commit(&meter)?, meter.window()))).await?;
    summary.commit_window = window;
    summary.kept_aside.extend(applied.kept.into_iter().map(|(_, now)| now));
    for path in &applied.damaged {
        task.note(format!("{path} changed while it was put in place; run verify --repair"));
    }
    Ok(())
}
