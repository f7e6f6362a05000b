//! Fetches ranges from web seeds (BEP 19): the head is checked before a byte of the body counts, the body is held to
//! its length and to a pace.

use super::WebSeed;
use super::conn::Link;
use super::feed::Feed;
use super::http::{Http, HttpFault, explain};
use crate::metainfo::Torrent;
use crate::swarm::{JobId, WebFault};
use crate::units::FileIndex;
use crate::webseed::{self, Body, ResponseFault, ResponseHead};
use reqwest::Response;
use reqwest::header::{self, HeaderMap, HeaderName, HeaderValue};
use std::ops::Range;
use std::time::Duration;
use tokio::time::Instant;
use url::Url;

/// A server from which nothing comes for so long has failed.
const STALL: Duration = Duration::from_secs(15);
/// The pace is looked at each time we have waited this long for the body, all in all.
const PACE_WINDOW: Duration = Duration::from_secs(20);
/// Bytes that must come in such a window.
const PACE_BYTES: u64 = 64 * 1024;

/// Fetches a range and tells the driver how it went.
pub(super) async fn run(
    http: &Http,
    link: &Link,
    seed: Option<&WebSeed>,
    fetch: JobId,
    file: FileIndex,
    range: Range<u64>,
) {
    let result = match (seed, link.files.get()) {
        (Some(seed), Some(files)) => fetch_range(http, link, seed, &files.torrent, fetch, file, range).await,
        _ => Err(WebFault::Missing("no such web seed".to_owned())),
    };
    if let Err(fault) = &result {
        tracing::debug!(?fetch, %file, %fault, "web fetch failed");
    }
    // A driver that is gone has no use for it.
    let _ = link.feed.send(Feed::WebEnd(fetch, result)).await;
}

async fn fetch_range(
    http: &Http,
    link: &Link,
    seed: &WebSeed,
    torrent: &Torrent,
    fetch: JobId,
    file: FileIndex,
    range: Range<u64>,
) -> Result<(), WebFault> {
    let missing = || WebFault::Missing("it has no URL there".to_owned());
    let url = url_of(seed, torrent, file).ok_or_else(missing)?;
    let file_len = torrent.layout.files.get(file.idx()).map(|entry| entry.len).ok_or_else(missing)?;
    let mut headers = HeaderMap::new();
    let value = HeaderValue::from_str(&webseed::range_header(&range));
    headers.insert(header::RANGE, value.map_err(|_| missing())?);
    let response = http.get(url, &headers).await.map_err(http_fault)?.response;
    let body = check(&response, &range, file_len)?;
    receive(link, response, body, fetch).await
}

fn url_of(seed: &WebSeed, torrent: &Torrent, file: FileIndex) -> Option<Url> {
    match seed {
        WebSeed::ByPath { base } => webseed::url_by_path(base, torrent, file),
        WebSeed::ByContent { base } => webseed::url_by_content(base, torrent, file),
    }
}

fn check(response: &Response, range: &Range<u64>, file_len: u64) -> Result<Body, WebFault> {
    let text = |name: HeaderName| response.headers().get(name).and_then(|value| value.to_str().ok());
    let head = ResponseHead {
        status: response.status().as_u16(),
        content_range: text(header::CONTENT_RANGE),
        content_length: text(header::CONTENT_LENGTH).and_then(|digits| digits.trim().parse().ok()),
        content_encoding: text(header::CONTENT_ENCODING),
    };
    webseed::check_response(range, file_len, &head).map_err(|fault| match fault {
        ResponseFault::Busy(_) => match text(header::RETRY_AFTER).and_then(|secs| secs.trim().parse().ok()) {
            Some(secs) => WebFault::RetryAfter(Duration::from_secs(secs)),
            None => WebFault::Unreachable(fault.to_string()),
        },
        ResponseFault::WrongRange | ResponseFault::Encoded => WebFault::Protocol(fault.to_string()),
        // About this file; others may be all right.
        ResponseFault::Missing(_)
        | ResponseFault::Status(_)
        | ResponseFault::WrongLength
        | ResponseFault::NoRanges => WebFault::Missing(fault.to_string()),
    })
}

fn http_fault(fault: HttpFault) -> WebFault {
    match fault {
        HttpFault::Unreachable(text) => WebFault::Unreachable(text),
        HttpFault::TimedOut => WebFault::Unreachable(fault.to_string()),
        HttpFault::RedirectLoop => WebFault::Missing(fault.to_string()),
        HttpFault::BadRedirect(_) => WebFault::Protocol(fault.to_string()),
    }
}

async fn receive(link: &Link, mut response: Response, body: Body, fetch: JobId) -> Result<(), WebFault> {
    let Body { mut skip, mut take } = body;
    let mut pace = Pace::default();
    let mut reading = link.reading.clone();
    while take > 0 {
        let Ok(_) = reading.wait_for(|open| *open).await else { return Ok(()) };
        let began = Instant::now();
        let chunk = tokio::time::timeout(STALL, response.chunk()).await;
        let chunk = chunk.map_err(|_| WebFault::Unreachable("it went silent".to_owned()))?;
        let chunk = chunk.map_err(|error| WebFault::Unreachable(explain(&error)))?;
        let mut data = chunk.ok_or_else(|| WebFault::Unreachable(format!("it ended {take} bytes early")))?;
        pace.count(began.elapsed(), data.len() as u64)?;
        link.shared.download.acquire(data.len()).await;
        let skipped = data.split_to(usize::try_from(skip).unwrap_or(usize::MAX).min(data.len()));
        skip -= skipped.len() as u64;
        data.truncate(usize::try_from(take).unwrap_or(usize::MAX));
        take -= data.len() as u64;
        if !data.is_empty() && link.feed.send(Feed::WebData(fetch, data)).await.is_err() {
            return Ok(());
        }
    }
    Ok(())
}

/// Whether a server sends fast enough to be worth its place. Time in which we did not listen does not count.
#[derive(Debug, Default)]
struct Pace {
    waited: Duration,
    bytes: u64,
}

impl Pace {
    fn count(&mut self, waited: Duration, bytes: u64) -> Result<(), WebFault> {
        self.waited += waited;
        self.bytes += bytes;
        if self.waited < PACE_WINDOW {
            return Ok(());
        }
        if self.bytes < PACE_BYTES {
            return Err(WebFault::Unreachable(format!("only {} bytes in {:?}", self.bytes, self.waited)));
        }
        *self = Pace::default();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trickle_is_a_failure_and_a_pause_of_ours_is_not() {
        let mut pace = Pace::default();
        for _ in 0..100 {
            pace.count(Duration::from_secs(7), 30_000).unwrap();
        }
        let mut pace = Pace::default();
        pace.count(Duration::from_secs(14), 1000).unwrap();
        assert!(pace.count(Duration::from_secs(7), 1000).is_err());
    }
}

#[cfg(test)]
#[path = "web_tests.rs"]
mod server_tests;
