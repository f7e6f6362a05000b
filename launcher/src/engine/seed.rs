//! Seeding from the install folder: the installed game is the seed.

use std::sync::Arc;

use manifests::folder::InstallDir;
use manifests::release::ReleaseManifest;

use crate::engine::board::Task;
use crate::engine::command::Linger;
use crate::engine::content;
use crate::engine::context::Context;
use crate::engine::jobs;
use crate::engine::ledger;
use crate::engine::meter::blocking;
use crate::engine::packs::keep::Offering;
use crate::engine::record::Record;
use crate::engine::snapshot::Phase;
use crate::engine::transfer::Transfer;
use crate::error::LaunchError;

/// The manifest of the release in place, from `.samara/`: no server is asked.
pub(crate) fn manifest_in_place(dir: &InstallDir) -> Result<(Arc<ReleaseManifest>, Arc<[u8]>), LaunchError> {
    if dir.state().release.is_none() {
        return Err(LaunchError::NotFinished { dir: dir.path().to_owned() });
    }
    let bytes = dir.manifest()?.ok_or_else(|| LaunchError::RecordDamaged {
        file: "manifests".to_owned(),
        cause: "the copy of the release's manifest is missing or damaged".to_owned(),
    })?;
    let manifest = ReleaseManifest::decode(&bytes)?;
    Ok((Arc::new(manifest), bytes.into()))
}

/// Seeds the release in place and the packs in the cache; the payload sent. Ends early when paused, which is not an error here.
pub(crate) async fn seed(
    context: &Context,
    task: &Task,
    dir: Arc<InstallDir>,
    linger: Linger,
) -> Result<u64, LaunchError> {
    let (manifest, record) = blocking({
        let dir = dir.clone();
        move || Ok((manifest_in_place(&dir)?.0, Record::require(&dir)?))
    })
    .await?;
    let content = content::kept(dir.clone(), &manifest).await?;
    let content = content.ok_or_else(|| LaunchError::RecordDamaged {
        file: "torrents".to_owned(),
        cause: "the release's torrent is missing or damaged".to_owned(),
    })?;
    let job = blocking({
        let (task, dir, hints) = (task.clone(), dir.clone(), record.hints.clone());
        move || jobs::seeding(&task, dir, &content, hints)
    })
    .await?;
    let mut transfer = Transfer::start(context, task, job, Box::new(|_, _| {})).await?;
    let mut packs = Offering::start(context, task, &dir, (&record.hints, &[])).await?;
    task.enter(Phase::Seeding, 0);
    let ended = packs.during(Box::pin(transfer.seed(linger))).await;
    let (traffic, of_packs) = (transfer.end().await, packs.end().await);
    let sent = traffic.sent + of_packs.sent;
    ledger::add(&dir, manifest.version.as_str(), &traffic.received.plus(&of_packs.received), sent);
    ended.map(|_| sent)
}
