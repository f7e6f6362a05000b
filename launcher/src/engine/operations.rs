//! From an operation's name to the module that performs it.

use std::path::PathBuf;
use std::sync::Arc;

use manifests::apply;
use manifests::folder::{InstallDir, PRIVATE};

use crate::engine::board::Task;
use crate::engine::command::{Linger, Operation};
use crate::engine::context::Context;
use crate::engine::meter::{Meter, blocking, opening, tell_recovered};
use crate::engine::snapshot::{Happened, Outcome, Phase, Summary, UninstallReport};
use crate::engine::vacant::vacate;
use crate::engine::{art, check, forecast, install, play, releases, rollback, seed, status, versions};
use crate::error::LaunchError;

/// How an operation ended, when it did not fail.
pub(crate) enum End {
    /// With a result.
    Done(Box<Outcome>),
    /// Its result was told before, and what followed (seeding) is over.
    Ended,
}

/// Performs an operation to its end.
pub(crate) async fn perform(
    context: &Context,
    task: &Task,
    operation: Operation,
) -> Result<End, LaunchError> {
    let dir = operation.dir().to_owned();
    carry_out(context, task, operation).await.map_err(|error| error.in_folder(&dir))
}

async fn carry_out(context: &Context, task: &Task, operation: Operation) -> Result<End, LaunchError> {
    if changes_files(&operation) {
        vacate(context, task, operation.dir()).await?;
    }
    let outcome = match operation {
        Operation::Install(request) => {
            let linger = request.linger;
            let (dir, summary) = Box::pin(install::install(context, task, request)).await?;
            return afterwards(context, task, dir, summary, linger).await;
        }
        Operation::Update(request) => {
            let linger = request.linger;
            let (dir, summary) = Box::pin(install::update(context, task, request)).await?;
            return afterwards(context, task, dir, summary, linger).await;
        }
        Operation::Plan(request) => {
            Outcome::Planned(Box::pin(forecast::forecast(context, task, request)).await?)
        }
        Operation::Rollback { dir } => {
            Outcome::Installed(Box::pin(rollback::rollback(context, task, dir)).await?)
        }
        Operation::Verify(request) => {
            Outcome::Verified(Box::pin(check::verify(context, task, request)).await?)
        }
        Operation::Seed(request) => {
            let dir = open(task, request.dir).await?;
            let uploaded_bytes = seed::seed(context, task, dir, Linger::UntilPaused).await?;
            Outcome::Seeded { uploaded_bytes }
        }
        Operation::Look(request) => Outcome::Looked(Box::pin(releases::look(context, task, request)).await?),
        Operation::Releases(request) => {
            Outcome::Listed(Box::pin(versions::list(context, task, request)).await?)
        }
        Operation::Pictures(request) => {
            Outcome::Pictured(Box::pin(art::fetch(context, task, request)).await?)
        }
        Operation::Root { repo } => Outcome::Root(Box::pin(releases::root(context, task, &repo)).await?),
        Operation::Play { dir } => Outcome::Started(play::play(context, task, dir).await?),
        Operation::Status { dir } => Outcome::Status(blocking(move || status::status(&dir)).await?),
        Operation::Uninstall { dir } => Outcome::Uninstalled(uninstall(task, dir).await?),
    };
    Ok(End::Done(Box::new(outcome)))
}

/// Whether it may write to the game's files.
fn changes_files(operation: &Operation) -> bool {
    match operation {
        Operation::Install(_)
        | Operation::Update(_)
        | Operation::Rollback { .. }
        | Operation::Uninstall { .. } => true,
        Operation::Verify(verify) => verify.repair,
        Operation::Plan(_)
        | Operation::Seed(_)
        | Operation::Look(_)
        | Operation::Releases(_)
        | Operation::Pictures(_)
        | Operation::Root { .. }
        | Operation::Play { .. }
        | Operation::Status { .. } => false,
    }
}

/// Tells the result, then seeds as long as was asked.
async fn afterwards(
    context: &Context,
    task: &Task,
    dir: Arc<InstallDir>,
    summary: Summary,
    linger: Linger,
) -> Result<End, LaunchError> {
    let outcome = Box::new(Outcome::Installed(summary));
    if linger == Linger::No {
        return Ok(End::Done(outcome));
    }
    task.tell(Happened::Done { outcome, lingers: true });
    seed::seed(context, task, dir, linger).await?;
    Ok(End::Ended)
}

/// Opens an install and finishes what an interrupted run left.
async fn open(task: &Task, path: PathBuf) -> Result<Arc<InstallDir>, LaunchError> {
    task.enter(Phase::Recovering, 0);
    let told = task.clone();
    opening(move || {
        let (dir, recovered) = apply::open(&path)?;
        tell_recovered(&told, recovered.as_ref());
        Ok(Arc::new(dir))
    })
    .await
}

async fn uninstall(task: &Task, path: PathBuf) -> Result<UninstallReport, LaunchError> {
    let dir = open(task, path.clone()).await?;
    task.enter(Phase::Removing, 0);
    let meter = Meter(task.clone());
    let done = blocking(move || {
        let dir = Arc::try_unwrap(dir).map_err(|_| LaunchError::internal("the folder is still in use"))?;
        Ok(apply::uninstall(dir, &meter)?)
    })
    .await?;
    // On Windows the lock's file goes only when its handle is closed, so its folder is left over.
    let hidden = path.join(PRIVATE);
    let _ = std::fs::remove_dir(&hidden);
    let gone = hidden.symlink_metadata().is_err();
    let left: Vec<String> = done.left.into_iter().filter(|name| !(gone && name == PRIVATE)).collect();
    if left.is_empty() {
        let _ = std::fs::remove_dir(&path);
    }
    Ok(UninstallReport { removed: done.removed, left, folder_removed: path.symlink_metadata().is_err() })
}
