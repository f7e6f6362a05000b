//! Starts an installed game. No network is needed and none is asked.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use manifests::apply;
use manifests::folder::{CapFs, DiskError, InstallDir};
use manifests::path::SafePath;

use crate::engine::board::Task;
use crate::engine::context::Context;
use crate::engine::launch::{Launch, launch};
use crate::engine::meter::{blocking, tell_recovered};
use crate::engine::seed::manifest_in_place;
use crate::engine::snapshot::{Phase, Playing};
use crate::error::LaunchError;

/// Starts the game and returns at once; that it runs is told until it has ended.
pub(crate) async fn play(context: &Context, task: &Task, dir: PathBuf) -> Result<Playing, LaunchError> {
    task.enter(Phase::Recovering, 0);
    let told = task.clone();
    let (playing, child) = blocking(move || {
        let launch = ready(&told, &dir)?;
        // The program is told as what it is, without the links on the way.
        let folder = dir.canonicalize().map_err(DiskError::at("find", &dir.display().to_string()))?;
        let child = start(&folder, &launch)?;
        let playing = Playing { dir, pid: child.id(), program: launch.program.name().to_owned() };
        Ok((playing, child))
    })
    .await?;
    context.players().started(playing.clone(), child);
    Ok(playing)
}

/// How the release in place is started. What an earlier run left between two releases is finished first; while another
/// operation downloads into the folder, the release in place is whole all the same.
fn ready(task: &Task, dir: &Path) -> Result<Launch, LaunchError> {
    let dir = match apply::open(dir) {
        Ok((dir, recovered)) => {
            tell_recovered(task, recovered.as_ref());
            dir
        }
        Err(error) if error.code() == "E-FOLDER-BUSY" => {
            let fs =
                CapFs::open(dir).map_err(DiskError::at("open the folder", &dir.display().to_string()))?;
            let looked = InstallDir::over(dir, Arc::new(fs), None)?;
            if apply::is_between(&looked)? {
                return Err(error.into());
            }
            looked
        }
        Err(error) => return Err(error.into()),
    };
    let (manifest, _) = manifest_in_place(&dir)?;
    launch(&manifest, std::env::consts::OS).map_err(|cause| LaunchError::Launch { cause })
}

/// The program of release `version`, which is in place in the folder.
pub(crate) fn program(path: &Path, version: &str) -> Result<SafePath, LaunchError> {
    let fs = CapFs::open(path).map_err(DiskError::at("open the folder", &path.display().to_string()))?;
    let dir = InstallDir::over(path, Arc::new(fs), None)?;
    let (manifest, _) = manifest_in_place(&dir)?;
    if manifest.version.as_str() != version {
        return Err(LaunchError::NotFinished { dir: path.to_owned() });
    }
    let launch = launch(&manifest, std::env::consts::OS).map_err(|cause| LaunchError::Launch { cause })?;
    Ok(launch.program)
}

fn start(folder: &Path, launch: &Launch) -> Result<Child, LaunchError> {
    let mut command = Command::new(folder.join(launch.program.to_native()));
    command.args(&launch.arguments).current_dir(folder);
    // It must not hold on to anything of ours: it may run on when the launcher is long gone.
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    crate::platform::set_apart(&mut command);
    command.spawn().map_err(|error| LaunchError::Launch { cause: format!("{}: {error}", launch.program) })
}
