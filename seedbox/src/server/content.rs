//! Answers with a representation: whole, in part, or not at all.

use super::App;
use super::metrics::Route;
use super::range::{Wanted, wanted};
use crate::platform;
use crate::store::Shelf;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;
use protocol::units::FileIndex;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::sync::Arc;

/// For what never changes under its name.
pub(crate) const IMMUTABLE: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
/// For what a publish or a refresh replaces: a cache may hold it for a moment, so that a crowd asks once.
pub(crate) const SHORT: HeaderValue = HeaderValue::from_static("public, max-age=5");
/// For answers that are not to be kept.
pub(crate) const NEVER: HeaderValue = HeaderValue::from_static("no-store");

/// What is sent.
pub(crate) enum Source {
    /// A blob or pack, from its shelf, within the upload limit.
    Blob { shelf: Arc<Shelf>, number: FileIndex, len: u64 },
    /// A public file too large to be held.
    File { file: Arc<File>, len: u64 },
    /// Something small that is in memory.
    Memory(Bytes),
}

/// How it is described.
pub(crate) struct Described {
    /// Strong entity tag, with its quotes.
    pub(crate) etag: String,
    pub(crate) caching: HeaderValue,
    pub(crate) content_type: &'static str,
}

/// Answers a GET or HEAD.
pub(crate) fn answer(
    app: &Arc<App>,
    route: Route,
    method: &Method,
    headers: &HeaderMap,
    source: Source,
    described: Described,
) -> Response {
    let len = match &source {
        Source::Blob { len, .. } | Source::File { len, .. } => *len,
        Source::Memory(bytes) => bytes.len() as u64,
    };
    // Ranges are defined for GET only (RFC 9110 §14.2).
    let wanted = match (method, wanted(headers, &described.etag, len)) {
        (&Method::HEAD, Wanted::Part(_) | Wanted::Unsatisfiable) => Wanted::Whole,
        (_, wanted) => wanted,
    };
    let mut out = HeaderMap::new();
    out.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    out.insert(header::CACHE_CONTROL, described.caching);
    if let Ok(etag) = HeaderValue::from_str(&described.etag) {
        out.insert(header::ETAG, etag);
    }
    let (status, range) = match wanted {
        Wanted::NotModified => return (StatusCode::NOT_MODIFIED, out).into_response(),
        Wanted::Unsatisfiable => {
            out.insert(header::CACHE_CONTROL, NEVER);
            put(&mut out, header::CONTENT_RANGE, &format!("bytes */{len}"));
            return (StatusCode::RANGE_NOT_SATISFIABLE, out).into_response();
        }
        Wanted::Whole => (StatusCode::OK, 0..len),
        Wanted::Part(range) => {
            let text = format!("bytes {}-{}/{len}", range.start, range.end.saturating_sub(1));
            put(&mut out, header::CONTENT_RANGE, &text);
            (StatusCode::PARTIAL_CONTENT, range)
        }
    };
    put(&mut out, header::CONTENT_LENGTH, &(range.end - range.start).to_string());
    out.insert(header::CONTENT_TYPE, HeaderValue::from_static(described.content_type));
    let body = if method == Method::HEAD { Body::empty() } else { body(app, route, source, range) };
    (status, out, body).into_response()
}

fn put(headers: &mut HeaderMap, name: header::HeaderName, text: &str) {
    if let Ok(value) = HeaderValue::from_str(text) {
        headers.insert(name, value);
    }
}

fn body(app: &Arc<App>, route: Route, source: Source, range: Range<u64>) -> Body {
    match source {
        Source::Memory(bytes) => {
            let part = usize::try_from(range.start)
                .ok()
                .zip(usize::try_from(range.end).ok())
                .map(|(start, end)| bytes.slice(start..end.min(bytes.len())))
                .unwrap_or_default();
            app.metrics.sent(route, part.len() as u64);
            Body::from(part)
        }
        source => {
            let state = (Arc::clone(app), Arc::new(source), range);
            Body::from_stream(stream::try_unfold(state, move |(app, source, left)| async move {
                if left.is_empty() {
                    return Ok::<_, io::Error>(None);
                }
                let bytes = next_part(&app, &source, left.clone()).await?;
                app.metrics.sent(route, bytes.len() as u64);
                let rest = left.start + bytes.len() as u64..left.end;
                Ok(Some((bytes, (app, source, rest))))
            }))
        }
    }
}

/// The next part, when the upload limit lets it go.
async fn next_part(app: &Arc<App>, source: &Arc<Source>, left: Range<u64>) -> io::Result<Bytes> {
    let quantum = app.upload.quantum() as u64;
    let part = left.start..left.end.min(left.start.saturating_add(quantum));
    app.upload.acquire(usize::try_from(part.end - part.start).unwrap_or(usize::MAX)).await;
    if let Source::Blob { shelf, number, .. } = &**source
        && let Some(bytes) = shelf.slice(*number, part.clone())
    {
        return Ok(bytes);
    }
    let source = Arc::clone(source);
    let loaded = tokio::task::spawn_blocking(move || load(&source, part)).await;
    let bytes = loaded.map_err(io::Error::other)?.inspect_err(|error| {
        // The answer ends short, which the client notices; only we can tell why.
        tracing::warn!(%error, "a file of the store cannot be read; verify the data folder's disk");
    })?;
    if bytes.is_empty() { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(bytes) }
}

/// Blocks.
fn load(source: &Source, part: Range<u64>) -> io::Result<Bytes> {
    match source {
        Source::Blob { shelf, number, .. } => shelf.load(*number, part),
        Source::File { file, .. } => {
            let len = usize::try_from(part.end - part.start).map_err(io::Error::other)?;
            let mut bytes = vec![0; len];
            platform::read_exact_at(file, &mut bytes, part.start)?;
            Ok(bytes.into())
        }
        Source::Memory(_) => Ok(Bytes::new()),
    }
}

/// An answer without a representation.
pub(crate) fn plain(status: StatusCode, text: &'static str) -> Response {
    let headers = [
        (header::CACHE_CONTROL, NEVER),
        (header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8")),
    ];
    (status, headers, text).into_response()
}
