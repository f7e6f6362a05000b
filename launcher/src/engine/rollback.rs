//! Back to the release that was in place before: from undo data, without asking anybody.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use manifests::apply::{self, Applied, Applier, Target, undo};
use manifests::folder::{InstallDir, Progress};
use manifests::plan::{self, Op, Plan, PlanOptions};
use manifests::release::ReleaseManifest;
use manifests::route::{Costs, Environment};
use manifests::verify::{self, Depth};

use crate::engine::board::Task;
use crate::engine::content;
use crate::engine::context::Context;
use crate::engine::goal::Leaves;
use crate::engine::ledger;
use crate::engine::meter::{CommitMeter, Meter, blocking, opening, tell_recovered};
use crate::engine::record::Record;
use crate::engine::snapshot::{CandidateView, Phase, PlanReport, SourceBytes, Summary};
use crate::error::LaunchError;

/// Puts the previous release back in place.
pub(crate) async fn rollback(context: &Context, task: &Task, path: PathBuf) -> Result<Summary, LaunchError> {
    let begun = Instant::now();
    let (dir, target, leaves) = begin(task, path).await?;
    let manifest = target.manifest.clone();
    let quota = context.options.undo_quota;
    let (plan, applied, window) = {
        let (dir, meter, task) = (dir.clone(), CommitMeter::new(task), task.clone());
        blocking(move || go_back(&task, &dir, target, &leaves, quota, &meter)).await?
    };
    let mut summary = Summary {
        game: manifest.game.to_string(),
        release: manifest.version.to_string(),
        sequence: manifest.sequence,
        changed: true,
        commit_window: window,
        sources: SourceBytes { local: manifest.total_bytes(), ..SourceBytes::default() },
        written_bytes: plan.costs.bytes_written,
        temp_peak_bytes: plan.costs.temp_bytes,
        left_changed: plan.left.iter().map(ToString::to_string).collect(),
        ..Summary::default()
    };
    summary.kept_aside.extend(applied.kept.into_iter().map(|(_, now)| now));
    for path in &applied.damaged {
        task.note(format!("{path} changed while it was put in place; run verify --repair"));
    }
    ledger::add(&dir, &summary.release, &summary.sources, 0);
    summary.elapsed = begun.elapsed();
    Ok(summary)
}

/// What going back would cost: computed as it would be, nothing is carried out.
pub(crate) async fn forecast(task: &Task, path: PathBuf) -> Result<PlanReport, LaunchError> {
    let (dir, target, leaves) = begin(task, path).await?;
    let manifest = target.manifest;
    let from = dir.state().release.as_ref().map(|release| release.version.clone());
    let meter = Meter(task.clone());
    let (plan, release) =
        blocking(move || Ok((way_back(&dir, &manifest, &leaves, &meter)?, manifest))).await?;
    // Kept files are moved back, which writes nothing and takes its time all the same.
    let files = plan.ops.iter().filter(|op| !matches!(op, Op::Keep { .. })).count();
    let mut costs = Costs {
        disk_written: plan.costs.bytes_written,
        temp_peak: plan.costs.temp_bytes,
        files_written: u64::try_from(files).unwrap_or(u64::MAX),
        ..Costs::default()
    };
    costs.time_micros = costs.time_in(&Environment::default());
    let kept = CandidateView {
        name: "undo".to_owned(),
        kind: "undo",
        chosen: true,
        written_bytes: costs.disk_written,
        written_files: costs.files_written,
        temp_bytes: costs.temp_peak,
        time: Duration::from_micros(costs.time_micros),
        ..CandidateView::default()
    };
    Ok(PlanReport {
        game: release.game.to_string(),
        from,
        release: release.version.to_string(),
        candidates: vec![kept],
        why: "what it takes is kept here".to_owned(),
    })
}

/// The folder, the release to go back to, and what is known of its blocks.
async fn begin(task: &Task, path: PathBuf) -> Result<(Arc<InstallDir>, Target, Leaves), LaunchError> {
    task.enter(Phase::Recovering, 0);
    let told = task.clone();
    let (dir, target) = opening(move || {
        let (dir, recovered) = apply::open(&path)?;
        tell_recovered(&told, recovered.as_ref());
        let dir = Arc::new(dir);
        let target = previous(&dir)?;
        Ok((dir, target))
    })
    .await?;
    let manifest = &target.manifest;
    task.update(|view| {
        (view.game, view.release) = (Some(manifest.game.to_string()), Some(manifest.version.to_string()));
    });
    let content = content::kept(dir.clone(), manifest).await?;
    let leaves = Leaves { dir: dir.clone(), content };
    task.enter(Phase::Scanning, 0);
    Ok((dir, target, leaves))
}

/// The release to go back to, from its kept manifest.
fn previous(dir: &InstallDir) -> Result<Target, LaunchError> {
    if dir.state().release.is_none() {
        return Err(LaunchError::NotFinished { dir: dir.path().to_owned() });
    }
    let previous = undo::previous(dir)?.ok_or(LaunchError::RollbackNothing)?;
    let version = previous.release.version;
    let bytes = dir.manifest_copy(&previous.release.manifest)?;
    let bytes = bytes.ok_or_else(|| LaunchError::RollbackIncomplete {
        version: version.clone(),
        cause: "the copy of its manifest is missing or damaged".to_owned(),
    })?;
    let manifest = Arc::new(ReleaseManifest::decode(&bytes)?);
    Ok(Target { manifest, bytes: bytes.into(), channel: previous.release.channel })
}

fn lacks(manifest: &ReleaseManifest, bytes: u64) -> LaunchError {
    LaunchError::RollbackIncomplete {
        version: manifest.version.to_string(),
        cause: format!(
            "{bytes} bytes of it are neither in the game's files nor among the data kept for going back"
        ),
    }
}

/// Survey and plan: nothing may have to be fetched.
fn way_back(
    dir: &InstallDir,
    manifest: &ReleaseManifest,
    leaves: &Leaves,
    meter: &dyn Progress,
) -> Result<Plan, LaunchError> {
    let local = verify::survey(dir, manifest, Depth::Quick, 0, meter)?;
    let options = PlanOptions { give_back: true, ..PlanOptions::default() };
    let plan = plan::plan(&local, manifest, leaves, options);
    if plan.costs.bytes_fetch > 0 {
        return Err(lacks(manifest, plan.costs.bytes_fetch));
    }
    Ok(plan)
}

/// Survey, plan, stage and commit: an update that may fetch nothing.
fn go_back(
    task: &Task,
    dir: &Arc<InstallDir>,
    target: Target,
    leaves: &Leaves,
    quota: Option<u64>,
    meter: &CommitMeter,
) -> Result<(Plan, Applied, Duration), LaunchError> {
    let manifest = target.manifest.clone();
    let plan = way_back(dir, &manifest, leaves, meter)?;
    let record = Record::load(dir)?;
    let mut applier = Applier::new(Arc::clone(dir), target, plan.clone())?.on_day(jiff::Zoned::now().date());
    if let Some(bytes) = quota {
        applier = applier.with_undo_quota(bytes);
    }
    applier.prepare(leaves, meter)?;
    let missing = applier.missing();
    if !missing.is_empty() {
        let ranges = missing.iter().flat_map(|(_, ranges)| ranges);
        return Err(lacks(&manifest, ranges.map(|range| range.end - range.start).sum()));
    }
    task.enter(Phase::Applying, 0);
    let applied = applier.commit(meter)?;
    // An update that was under way has to begin anew.
    if let Some(mut record) = record.filter(|record| record.pending.is_some()) {
        record.pending = None;
        record.save(dir)?;
    }
    Ok((plan, applied, meter.window()))
}
