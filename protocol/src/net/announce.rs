//! Announces to HTTP trackers (BEP 3): one request, a small answer, within a deadline.

use super::feed::Feed;
use super::http::{Http, explain};
use crate::swarm::{AddrClass, TrackerId};
use crate::tracker::{AnnounceRequest, AnnounceResponse, TrackerFault, announce_url};
use reqwest::Response;
use reqwest::header::HeaderMap;
use std::time::Duration;
use tokio::sync::mpsc;
use url::Url;

/// For the whole of an announce.
const DEADLINE: Duration = Duration::from_secs(30);
/// The longest answer that is read, in bytes: room for some ten thousand peers.
const MAX_BODY: usize = 256 * 1024;

/// Announces and tells the driver what came of it.
pub(super) async fn run(
    http: &Http,
    tracker: TrackerId,
    url: Url,
    request: AnnounceRequest,
    feed: mpsc::Sender<Feed>,
) {
    let hash = request.info_hash;
    let late = || (AddrClass::Public, Err(TrackerFault::Unreachable("no answer in time".to_owned())));
    let (class, result) =
        tokio::time::timeout(DEADLINE, announce(http, &url, &request)).await.unwrap_or_else(|_| late());
    if let Err(fault) = &result {
        tracing::debug!(%url, %fault, "announce failed");
    }
    // A driver that is gone has no use for it.
    let _ = feed.send(Feed::Announced { tracker, hash, class, result }).await;
}

async fn announce(
    http: &Http,
    url: &Url,
    request: &AnnounceRequest,
) -> (AddrClass, Result<AnnounceResponse, TrackerFault>) {
    let url = announce_url(url, request);
    match http.get(url, &HeaderMap::new()).await {
        Ok(answer) => (answer.class, read(answer.response).await),
        Err(fault) => (AddrClass::Public, Err(TrackerFault::Unreachable(fault.to_string()))),
    }
}

async fn read(mut response: Response) -> Result<AnnounceResponse, TrackerFault> {
    let status = response.status();
    let mut body = Vec::new();
    while let Some(chunk) =
        response.chunk().await.map_err(|error| TrackerFault::Unreachable(explain(&error)))?
    {
        if body.len() + chunk.len() > MAX_BODY {
            return Err(TrackerFault::BadResponse);
        }
        body.extend_from_slice(&chunk);
    }
    let parsed = AnnounceResponse::decode(&body);
    if status.is_success() || matches!(parsed, Err(TrackerFault::Refused(_))) {
        return parsed;
    }
    Err(TrackerFault::Unreachable(format!("HTTP {status}")))
}
