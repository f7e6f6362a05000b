//! What a running seedbox does by itself: notices a publish, and signs the timestamp again.

use super::App;
use crate::platform::{self, Stamp};
use crate::publish::open_repository;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often the data folder is looked at. A file's stamp costs a microsecond, and works on every file system.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// After a failure.
const RETRY_AFTER: Duration = Duration::from_secs(60);

/// What `timestamp.json` looks like now: every publish and refresh replaces it.
pub(crate) fn stamp(app: &App) -> Option<Stamp> {
    std::fs::metadata(app.dir.timestamp()).ok().map(|meta| platform::stamp(&meta))
}

/// Looks after the repository until told to stop.
pub(crate) async fn run(
    app: Arc<App>,
    mut seen: Option<Stamp>,
    renew_below: Duration,
    stop: CancellationToken,
) {
    let renew_below_secs = i64::try_from(renew_below.as_secs()).unwrap_or(i64::MAX);
    let mut wait = LOOK_EVERY;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(wait) => {}
        }
        wait = LOOK_EVERY;
        let now = stamp(&app);
        if now != seen {
            match app.reload().await {
                Ok(()) => {
                    seen = now;
                    tracing::info!(releases = app.catalog().releases().len(), "the repository has changed");
                }
                Err(error) => {
                    tracing::warn!(code = error.code(), %error, "the repository cannot be read; trying again");
                }
            }
        }
        if app.catalog().expires.0 - platform::now().0 < renew_below_secs && !renew(&app).await {
            wait = RETRY_AFTER;
        }
    }
}

async fn renew(app: &Arc<App>) -> bool {
    let dir = app.dir.clone();
    let signed = tokio::task::spawn_blocking(move || {
        open_repository(&dir)?.refresh(platform::now())?;
        Ok::<_, crate::error::Error>(())
    });
    match signed.await {
        Ok(Ok(())) => {
            // The new stamp brings the new expiry in at the next look.
            app.reload().await.is_ok()
        }
        Ok(Err(error)) => {
            tracing::warn!(code = error.code(), %error, "the timestamp cannot be signed again");
            false
        }
        Err(_) => false,
    }
}
