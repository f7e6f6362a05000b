//! A game's pictures: fetched by the identities that its signed manifest names, checked, and kept for the window.
//! Without them a game lacks nothing, so what goes wrong is a line in the log.

use std::path::{Path, PathBuf};

use manifests::folder::DiskError;
use manifests::hash::TreeHasher;
use manifests::release::FileIdentity;

use crate::engine::board::Task;
use crate::engine::command::Pictures;
use crate::engine::context::Context;
use crate::engine::http::Limits;
use crate::engine::meter::blocking;
use crate::engine::repository::Repository;
use crate::engine::snapshot::{Phase, Pictured};
use crate::error::LaunchError;

/// Where a picture lies in a folder of pictures.
#[must_use]
pub fn picture_path(folder: &Path, id: &FileIdentity) -> PathBuf {
    folder.join(format!("{id}.png"))
}

/// Fetches what is not there yet.
pub(crate) async fn fetch(
    context: &Context,
    task: &Task,
    request: Pictures,
) -> Result<Pictured, LaunchError> {
    task.enter(Phase::Checking, 0);
    let repo = Repository::parse(&request.repo)?;
    let one = async |id: Option<FileIdentity>| match bring(context, &repo, &request.folder, id?).await {
        Ok(path) => Some(path),
        Err(error) => {
            tracing::warn!(code = error.code(), %error, "a picture is not shown");
            None
        }
    };
    let both = async { Pictured { icon: one(request.art.icon).await, hero: one(request.art.hero).await } };
    tokio::select! {
        () = task.stop.cancelled() => Err(LaunchError::Paused),
        pictured = both => Ok(pictured),
    }
}

async fn bring(
    context: &Context,
    repo: &Repository,
    folder: &Path,
    id: FileIdentity,
) -> Result<PathBuf, LaunchError> {
    let path = picture_path(folder, &id);
    let looked_at = path.clone();
    // It got its name once it was checked.
    let is_there = move || Ok(std::fs::metadata(&looked_at).is_ok_and(|meta| meta.len() == id.len));
    if blocking(is_there).await? {
        return Ok(path);
    }
    let url = repo.at(&format!("blobs/{id}"))?;
    let bytes = context.http().get(&url, Limits::for_len(id.len)).await?;
    blocking(move || {
        let mut hasher = TreeHasher::default();
        hasher.update(&bytes);
        if hasher.finish().identity != id {
            let cause = "a picture is not the one that was signed".to_owned();
            return Err(LaunchError::ServerMisbehaves { url: url.to_string(), cause });
        }
        keep(&path, &bytes)?;
        Ok(path)
    })
    .await
}

/// After a crash it is there whole, or not at all.
fn keep(path: &Path, bytes: &[u8]) -> Result<(), DiskError> {
    let (name, beside) = (path.display().to_string(), path.with_extension("tmp"));
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(DiskError::at("make the folder of", &name))?;
    }
    let mut file = std::fs::File::create(&beside).map_err(DiskError::at("create", &name))?;
    std::io::Write::write_all(&mut file, bytes).map_err(DiskError::at("write", &name))?;
    file.sync_all().map_err(DiskError::at("sync", &name))?;
    drop(file);
    std::fs::rename(&beside, path).map_err(DiskError::at("name", &name))
}
