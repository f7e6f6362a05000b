//! Verify and repair: with what is kept in `.samara/`, no fresh metadata is needed.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use manifests::apply::{self, Target};
use manifests::plan::{Local, PlanOptions};
use manifests::release::ReleaseManifest;
use manifests::verify::{self, Depth, Misfit, MisfitKind, Wound, WoundKind};

use crate::engine::board::Task;
use crate::engine::change::{self, survey};
use crate::engine::command::{Preference, Verify};
use crate::engine::content::{self, Content};
use crate::engine::context::Context;
use crate::engine::goal::{Goal, Leaves};
use crate::engine::meter::{blocking, opening, tell_recovered};
use crate::engine::record::Record;
use crate::engine::repository::Repository;
use crate::engine::seed::manifest_in_place;
use crate::engine::snapshot::{Phase, VerifyReport, WoundView};
use crate::error::LaunchError;

/// Compares every byte with the release; fetches what does not fit when asked.
pub(crate) async fn verify(
    context: &Context,
    task: &Task,
    verify: Verify,
) -> Result<VerifyReport, LaunchError> {
    let begun = Instant::now();
    if verify.quick {
        let report = look(task, verify.dir).await?;
        return Ok(VerifyReport { elapsed: begun.elapsed(), ..report });
    }
    let goal = open(task, verify.clone()).await?;
    let manifest = goal.target.manifest.clone();
    task.update(|view| {
        (view.game, view.release) = (Some(manifest.game.to_string()), Some(manifest.version.to_string()));
    });
    let local = survey(task, &goal).await?;
    // The torrent tells only where a wound is, and is long to read: an intact install does not need it.
    let (mut local, mut wounds) = find_wounds(&goal, local, None).await?;
    if !wounds.is_empty() {
        let kept = content::kept(goal.dir.clone(), &manifest).await?;
        (local, wounds) = find_wounds(&goal, local, kept).await?;
    }
    let left = verify::left_to_player(&local, &manifest);
    let mut report = VerifyReport {
        game: manifest.game.to_string(),
        release: manifest.version.to_string(),
        checked_files: manifest.files.len(),
        checked_bytes: manifest.total_bytes(),
        left_changed: left.iter().map(ToString::to_string).collect(),
        wounds: wounds.iter().map(|wound| describe(wound, &manifest)).collect(),
        ..VerifyReport::default()
    };
    if verify.repair && !wounds.is_empty() {
        report.repair = Some(change::reach(context, task, &goal, Some(local)).await?);
    }
    report.elapsed = begun.elapsed();
    Ok(report)
}

async fn find_wounds(
    goal: &Goal,
    local: Local,
    content: Option<Content>,
) -> Result<(Local, Vec<Wound>), LaunchError> {
    let (leaves, manifest) = (Leaves { dir: goal.dir.clone(), content }, goal.target.manifest.clone());
    blocking(move || {
        let wounds = verify::wounds(&local, &manifest, &leaves);
        Ok((local, wounds))
    })
    .await
}

/// Compares lengths and times with the record, after finishing what an interrupted run left.
async fn look(task: &Task, path: PathBuf) -> Result<VerifyReport, LaunchError> {
    task.enter(Phase::Recovering, 0);
    let dir = opening(move || Ok(Arc::new(apply::open(&path)?.0))).await?;
    let state = dir.state();
    let Some(release) = &state.release else {
        return Err(LaunchError::NotFinished { dir: dir.path().to_owned() });
    };
    task.enter(Phase::Scanning, 0);
    task.update(|view| {
        (view.game, view.release) = (Some(state.game.clone()), Some(release.version.clone()));
    });
    let (misfits, left) = blocking({
        let dir = dir.clone();
        move || {
            let misfits = verify::quick(&dir, 0)?;
            if misfits.is_empty() {
                return Ok((misfits, Vec::new()));
            }
            // What the studio leaves to the player is said in the manifest.
            let manifest = manifest_in_place(&dir)?.0;
            let his = manifest.files.iter().filter(|file| file.policy().leaves_changed());
            let his: HashSet<&str> = his.map(|file| file.path.as_str()).collect();
            Ok(misfits.into_iter().partition(|misfit| !his.contains(misfit.path.as_str())))
        }
    })
    .await?;
    Ok(VerifyReport {
        game: state.game.clone(),
        release: release.version.clone(),
        quick: true,
        checked_files: state.files.len(),
        left_changed: left.iter().map(|misfit| misfit.path.to_string()).collect(),
        wounds: misfits.iter().map(view_of).collect(),
        ..VerifyReport::default()
    })
}

fn view_of(misfit: &Misfit) -> WoundView {
    let (kind, bytes) = match misfit.kind {
        MisfitKind::Missing => ("missing", misfit.len),
        MisfitKind::WrongType => ("not a file any more", misfit.len),
        MisfitKind::WrongSize { .. } => ("wrong length", misfit.len),
        MisfitKind::Touched => ("changed", misfit.len),
        MisfitKind::Unknown => ("not checked yet", misfit.len),
        MisfitKind::WrongExecutable => ("wrong executable bit", 0),
        MisfitKind::WrongLink => ("wrong link", 0),
    };
    WoundView { path: misfit.path.to_string(), kind: kind.to_owned(), bytes }
}

async fn open(task: &Task, verify: Verify) -> Result<Goal, LaunchError> {
    task.enter(Phase::Recovering, 0);
    let told = task.clone();
    opening(move || {
        let (dir, recovered) = apply::open(&verify.dir)?;
        tell_recovered(&told, recovered.as_ref());
        let (manifest, bytes) = manifest_in_place(&dir)?;
        let record = Record::require(&dir)?;
        let channel = dir.state().release.as_ref().and_then(|release| release.channel.clone());
        Ok(Goal {
            repo: Repository::parse(&record.repo)?,
            target: Target { manifest, bytes, channel },
            hints: record.hints,
            sources: verify.sources,
            depth: Depth::Full,
            // What does not fit is damage: it is mended, not kept aside.
            options: PlanOptions { keep_changed: false, ..PlanOptions::default() },
            // What lacks are single blocks of the release in place: no pack leads there.
            ways: Arc::default(),
            way: Preference::default(),
            dir: Arc::new(dir),
        })
    })
    .await
}

fn describe(wound: &Wound, manifest: &ReleaseManifest) -> WoundView {
    let kind = match wound.kind {
        WoundKind::Missing => "missing",
        WoundKind::WrongType => "not a file any more",
        WoundKind::WrongSize { .. } => "wrong length",
        WoundKind::Damaged { .. } => "damaged",
        WoundKind::Unreadable => "unreadable",
        WoundKind::WrongExecutable => "wrong executable bit",
        WoundKind::WrongLink => "wrong link",
    };
    let bytes = manifest.files.get(wound.index).map_or(0, |file| wound.bytes(file));
    WoundView { path: wound.path.to_string(), kind: kind.to_owned(), bytes }
}
