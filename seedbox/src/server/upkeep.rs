//! What a running seedbox does by itself: notices a publish, signs the timestamp again, and counts which releases
//! players run.

use super::App;
use crate::packs::Popular;
use crate::platform::{self, Stamp};
use crate::publish::open_repository;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How often the data folder is looked at. A file's stamp costs a microsecond, and works on every file system.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// After a failure.
const RETRY_AFTER: Duration = Duration::from_secs(60);

/// How often the players of each release are counted.
const COUNT_EVERY: Duration = Duration::from_secs(600);

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
    let mut count = tokio::time::interval_at(Instant::now() + COUNT_EVERY, COUNT_EVERY);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = count.tick() => {
                let counting = Arc::clone(&app);
                let _ = tokio::task::spawn_blocking(move || count_players(&counting)).await;
                continue;
            }
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

/// Remembers for the next publish which releases players run. Only a hint: what cannot be written is lost.
fn count_players(app: &App) {
    let mut popular = Popular::read(&app.dir);
    popular.fade();
    for live in app.catalog().releases() {
        popular.seen(&live.manifest.game, &live.manifest.version, app.swarms.peers_of(&live.hybrid));
    }
    if let Err(error) = popular.write(&app.dir) {
        tracing::debug!(code = error.code(), %error, "the count of players was not written");
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publish::tests::World;
    use crate::server::{ServeConfig, serve};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    #[tokio::test]
    async fn players_are_counted_by_release() {
        let world = World::new();
        for version in ["1.0", "1.1"] {
            world.file("data/new", version.as_bytes());
            world.publish(version).unwrap();
        }
        let running = serve(ServeConfig::loopback(world.at("data", ""))).await.unwrap();
        let catalog = running.app.catalog();
        let first = catalog.releases().find(|live| live.manifest.version.as_str() == "1.0").unwrap();
        for port in 7000..7003 {
            let hash: String =
                first.manifest.info_hash_v1.iter().map(|byte| format!("%{byte:02x}")).collect();
            let request = format!(
                "GET /announce?info_hash={hash}&peer_id=-XX0000-abcdefgh{port}&port={port}&uploaded=0&downloaded=0\
                 &left={}&compact=1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
                port - 7000
            );
            let mut stream = tokio::net::TcpStream::connect(running.http_addr()).await.unwrap();
            stream.write_all(request.as_bytes()).await.unwrap();
            stream.read_to_end(&mut Vec::new()).await.unwrap();
        }
        count_players(&running.app);
        let options = world.options("2");
        let seen = Popular::read(&running.app.dir).versions(&options.game);
        assert_eq!(seen.iter().map(|version| version.as_str()).collect::<Vec<_>>(), ["1.0"]);
        assert_eq!(running.app.swarms.peers_of(&first.hybrid), 3);
    }
}
