//! A game's pictures: fetched by the identities that its signed manifest names, checked, and kept for the window.
//! Without them a game lacks nothing, so what goes wrong is a line in the log.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

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
///
/// # Errors
/// [`LaunchError::Offline`]: the repository does not answer, and none is here; [`LaunchError::Paused`].
pub(crate) async fn fetch(
    context: &Context,
    task: &Task,
    request: Pictures,
) -> Result<Pictured, LaunchError> {
    task.enter(Phase::Checking, 0);
    let repo = Repository::parse(&request.repo)?;
    let one = async |id: Option<FileIdentity>| {
        let Some(id) = id else { return Ok(None) };
        match bring(context, &repo, &request.folder, id).await {
            Ok(path) => Ok(Some(path)),
            // Whoever does not answer is not asked for more of them now.
            Err(error @ LaunchError::Offline { .. }) => Err(error),
            Err(error) => {
                tracing::warn!(code = error.code(), %error, "a picture is not shown");
                Ok(None)
            }
        }
    };
    let both = futures_util::future::join(one(request.art.icon), one(request.art.hero));
    tokio::select! {
        () = task.stop.cancelled() => Err(LaunchError::Paused),
        both = both => match both {
            (Err(error), Err(_) | Ok(None)) | (Ok(None), Err(error)) => Err(error),
            (icon, hero) => Ok(Pictured { icon: icon.ok().flatten(), hero: hero.ok().flatten() }),
        },
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
    if blocking(move || Ok(is_there(&looked_at, &id))).await? {
        return Ok(path);
    }
    let url = repo.at(&format!("blobs/{id}"))?;
    let bytes = context.http().get(&url, limits(id.len)).await?;
    blocking(move || {
        if identity(&bytes) != id {
            let cause = "a picture is not the one that was signed".to_owned();
            return Err(LaunchError::ServerMisbehaves { url: url.to_string(), cause });
        }
        keep(&path, &bytes)?;
        Ok(path)
    })
    .await
}

/// Others wait for a picture, and no player does: a server that answers slowly is soon given up.
fn limits(len: u64) -> Limits {
    Limits {
        deadline: Duration::from_secs(60),
        head: Duration::from_secs(10),
        rate_min: 4096,
        ..Limits::for_len(len)
    }
}

fn identity(bytes: &[u8]) -> FileIdentity {
    let mut hasher = TreeHasher::default();
    hasher.update(bytes);
    hasher.finish().identity
}

/// Whether the file is there, and still what was signed.
fn is_there(path: &Path, id: &FileIdentity) -> bool {
    // What is no file may keep its reader waiting.
    let has_length = path.symlink_metadata().is_ok_and(|meta| meta.is_file() && meta.len() == id.len);
    has_length && std::fs::read(path).is_ok_and(|bytes| identity(&bytes) == *id)
}

/// After a crash it is there whole, or not at all.
fn keep(path: &Path, bytes: &[u8]) -> Result<(), DiskError> {
    let beside = path.with_extension("tmp");
    let kept = write(path, &beside, bytes);
    if kept.is_err() {
        // What could not be kept takes no room from what counts.
        let _ = std::fs::remove_file(&beside);
    }
    kept
}

fn write(path: &Path, beside: &Path, bytes: &[u8]) -> Result<(), DiskError> {
    let name = path.display().to_string();
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(DiskError::at("make the folder of", &name))?;
    }
    let mut file = std::fs::File::create(beside).map_err(DiskError::at("create", &name))?;
    file.write_all(bytes).map_err(DiskError::at("write", &name))?;
    file.sync_all().map_err(DiskError::at("sync", &name))?;
    drop(file);
    std::fs::rename(beside, path).map_err(DiskError::at("name", &name))
}
