//! What is installed.

use std::io;
use std::path::Path;
use std::sync::Arc;

use manifests::apply::undo;
use manifests::folder::{CapFs, DiskError, FolderError, InstallDir, Listed};

use crate::engine::ledger;
use crate::engine::record::Record;
use crate::engine::snapshot::StatusReport;
use crate::error::LaunchError;

/// Reads the records of the install in `path`.
pub(crate) fn status(path: &Path) -> Result<StatusReport, LaunchError> {
    let at = path.display().to_string();
    let fs = CapFs::open(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => FolderError::Missing(at.clone()),
        io::ErrorKind::NotADirectory => FolderError::NotAFolder(at.clone()),
        _ => DiskError::at("open the folder", &at)(error).into(),
    })?;
    // Without the lock: reading is fine while another launcher works or seeds there.
    let dir = InstallDir::over(path, Arc::new(fs), None)?;
    let record = Record::load(&dir)?;
    let state = dir.state();
    let bytes = state.files.values().map(|listed| match listed {
        Listed::File { id, .. } => id.len,
        Listed::Link { .. } => 0,
    });
    let in_place = state.release.as_ref().map(|release| release.version.clone());
    // What is said of a release that is in place is out of date.
    let pending = record.as_ref().and_then(|record| record.pending.clone());
    let (received, uploaded_bytes) = ledger::sums(&dir.ledger());
    Ok(StatusReport {
        game: state.game.clone(),
        pending: pending.filter(|pending| Some(pending) != in_place.as_ref()),
        release: in_place,
        repo: record.as_ref().map(|record| record.repo.clone()).unwrap_or_default(),
        channel: record.map(|record| record.channel).unwrap_or_default(),
        files: state.files.len(),
        bytes: bytes.sum(),
        received,
        uploaded_bytes,
        previous: undo::previous(&dir)?.map(|previous| previous.release.version),
        undo_bytes: undo::bytes(&dir)?,
    })
}
