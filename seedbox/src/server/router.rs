//! Paths to answers.

use super::App;
use super::content::{Described, IMMUTABLE, NEVER, SHORT, Source, answer, plain};
use super::metrics::Route;
use super::tracker;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use manifests::release::FileIdentity;
use std::sync::Arc;

/// The most of a request's body that is taken: nobody has anything to send.
const MAX_BODY_LEN: u64 = 64 * 1024;

/// All routes; each answers GET and HEAD.
pub(crate) fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/metadata/{*path}", get(statics))
        .route("/targets/{*path}", get(statics))
        .route("/torrents/{*path}", get(statics))
        .route("/repository.json", get(statics))
        .route("/blobs/{*path}", get(blobs))
        .route("/packs/{*path}", get(packs))
        .route("/files/{*path}", get(files))
        .route("/announce", get(tracker::announce))
        .route("/scrape", get(tracker::scrape))
        .route("/livez", get(|| async { plain(StatusCode::OK, "ok\n") }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .fallback(|| async { plain(StatusCode::NOT_FOUND, "There is nothing here.\n") })
        .layer(middleware::from_fn_with_state(Arc::clone(&app), guard))
        .with_state(app)
}

/// Refuses bodies, and counts.
async fn guard(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let route = Route::of(request.uri().path());
    let headers = request.headers();
    let length =
        headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    let too_long = length.is_some_and(|length| length > MAX_BODY_LEN);
    let response = if too_long || headers.contains_key(header::TRANSFER_ENCODING) {
        let refused = plain(StatusCode::PAYLOAD_TOO_LARGE, "Requests have no body here.\n");
        ([(header::CONNECTION, HeaderValue::from_static("close"))], refused).into_response()
    } else {
        next.run(request).await
    };
    app.metrics.answered(route, response.status());
    response
}

fn missing() -> Response {
    plain(StatusCode::NOT_FOUND, "There is no such file.\n")
}

/// The path without its first `/`, percent-decoded once; a path that is not UTF-8 names nothing of ours.
fn decoded(request: &Parts) -> Option<String> {
    let path = request.uri.path().strip_prefix('/')?;
    percent_encoding::percent_decode_str(path).decode_utf8().ok().map(std::borrow::Cow::into_owned)
}

async fn statics(State(app): State<Arc<App>>, request: Parts) -> Response {
    let Some(path) = decoded(&request) else { return missing() };
    let reader = Arc::clone(&app);
    let caching = caching(&path);
    let content_type = content_type(&path);
    match tokio::task::spawn_blocking(move || reader.statics.read(&path)).await {
        Ok(Ok(held)) => {
            let described = Described { etag: held.etag, caching, content_type };
            answer(
                &app,
                Route::Static,
                &request.method,
                &request.headers,
                Source::Memory(held.bytes),
                described,
            )
        }
        Ok(Err(error)) if error.kind() == std::io::ErrorKind::NotFound => missing(),
        Ok(Err(error)) => {
            tracing::warn!(%error, path = request.uri.path(), "a public file cannot be read");
            plain(StatusCode::INTERNAL_SERVER_ERROR, "The file cannot be read.\n")
        }
        Err(_) => plain(StatusCode::SERVICE_UNAVAILABLE, "The server is stopping.\n"),
    }
}

/// What is named by its version or content never changes; root.json, timestamp.json and the rest do.
fn caching(path: &str) -> HeaderValue {
    let name = path.rsplit('/').next().unwrap_or_default();
    let versioned =
        || name.split('.').next().is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()));
    let fixed = match path.split('/').next().unwrap_or_default() {
        "metadata" => versioned(),
        "targets" => true,
        _ => false, // a torrent's trackers may be published anew under the same info-hash
    };
    if fixed { IMMUTABLE } else { SHORT }
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, end)| end) {
        Some("json") => "application/json",
        Some("torrent") => "application/x-bittorrent",
        _ => "application/octet-stream",
    }
}

/// Web seed by content: `/blobs/<root>-<len>`, and leaf hashes and rolling checksums beside it.
async fn blobs(State(app): State<Arc<App>>, request: Parts) -> Response {
    let Some(path) = decoded(&request) else { return missing() };
    let name = path.strip_prefix("blobs/").unwrap_or_default();
    let (id, what) = match name.rsplit_once('.') {
        Some((id, "leaves")) => (id, Some(Beside::Leaves)),
        Some((id, "sums")) => (id, Some(Beside::Sums)),
        Some((id, ending)) => match ending.strip_prefix("leaves-").map(str::parse) {
            Some(Ok(base)) => (id, Some(Beside::LeafChanges(base))),
            _ => return missing(),
        },
        None => (name, None),
    };
    match (id.parse::<FileIdentity>(), what) {
        (Ok(id), Some(what)) => beside(&app, Route::Blobs, &request, id, what).await,
        (Ok(id), None) => blob(&app, Route::Blobs, &request, id).await,
        (Err(_), _) => missing(),
    }
}

/// Packs by content: `/packs/<root>-<len>.pack`, and index and leaf hashes beside it.
async fn packs(State(app): State<Arc<App>>, request: Parts) -> Response {
    let Some(path) = decoded(&request) else { return missing() };
    let name = path.strip_prefix("packs/").unwrap_or_default();
    let Some((id, ending)) = name.rsplit_once('.') else { return missing() };
    match (id.parse::<FileIdentity>(), ending) {
        (Ok(id), "pack") => blob(&app, Route::Packs, &request, id).await,
        (Ok(id), "index") => beside(&app, Route::Packs, &request, id, Beside::Index).await,
        (Ok(id), "leaves") => beside(&app, Route::Packs, &request, id, Beside::Leaves).await,
        _ => missing(),
    }
}

/// What lies beside a blob or pack and follows from it.
#[derive(Clone, Copy)]
enum Beside {
    /// Hashes of its blocks: 2 MB for each GB of it.
    Leaves,
    /// Those of them that are not another file's.
    LeafChanges(FileIdentity),
    /// Rolling checksums of its blocks: a quarter of that.
    Sums,
    /// A pack's index.
    Index,
}

async fn beside(app: &Arc<App>, route: Route, request: &Parts, id: FileIdentity, what: Beside) -> Response {
    let shelf = app.shelf_of(route);
    let opened = tokio::task::spawn_blocking(move || match what {
        Beside::Leaves => shelf.blobs().open_leaves(&id),
        Beside::LeafChanges(base) => shelf.blobs().open_leaf_changes(&id, &base),
        Beside::Sums => shelf.blobs().open_sums(&id),
        Beside::Index => shelf.blobs().open_index(&id),
    });
    let Ok(Ok((file, len))) = opened.await else { return missing() };
    let ending = match what {
        Beside::Leaves => "leaves".to_owned(),
        Beside::LeafChanges(base) => format!("leaves-{base}"),
        Beside::Sums => "sums".to_owned(),
        Beside::Index => "index".to_owned(),
    };
    let etag = format!("\"{id}.{ending}\"");
    let described = Described { etag, caching: IMMUTABLE, content_type: "application/octet-stream" };
    let source = Source::File { file: Arc::new(file), len };
    answer(app, route, &request.method, &request.headers, source, described)
}

/// Web seed by path (BEP 19): `/files/<torrent's name>/<path>`.
async fn files(State(app): State<Arc<App>>, request: Parts) -> Response {
    let Some(path) = decoded(&request) else { return missing() };
    let parts = path.strip_prefix("files/").and_then(|rest| rest.split_once('/'));
    let found = parts.and_then(|(name, path)| app.catalog().named(name)?.file(path));
    match found {
        Some(id) => blob(&app, Route::Files, &request, id).await,
        None => missing(),
    }
}

async fn blob(app: &Arc<App>, route: Route, request: &Parts, id: FileIdentity) -> Response {
    let described =
        Described { etag: format!("\"{id}\""), caching: IMMUTABLE, content_type: "application/octet-stream" };
    let shelf = app.shelf_of(route);
    let source = match shelf.known(&id) {
        _ if id.is_empty() => Source::Memory(axum::body::Bytes::new()),
        Some(number) => Source::Blob { shelf, number, len: id.len },
        None => {
            let reader = Arc::clone(&shelf);
            match tokio::task::spawn_blocking(move || reader.find(&id)).await {
                Ok(Some(number)) => Source::Blob { shelf, number, len: id.len },
                _ => return missing(),
            }
        }
    };
    answer(app, route, &request.method, &request.headers, source, described)
}

async fn ready(State(app): State<Arc<App>>) -> Response {
    match app.unready() {
        None => plain(StatusCode::OK, "ready\n"),
        Some(why) => plain(StatusCode::SERVICE_UNAVAILABLE, why),
    }
}

async fn metrics(State(app): State<Arc<App>>, method: Method) -> Response {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    let headers = [(header::CACHE_CONTROL, NEVER), (header::CONTENT_TYPE, HeaderValue::from_static(kind))];
    match app.metrics.page(&app.now()) {
        Ok(_) if method == Method::HEAD => (headers, Body::empty()).into_response(),
        Ok(page) => (headers, page).into_response(),
        Err(_) => plain(StatusCode::INTERNAL_SERVER_ERROR, "The metrics cannot be written.\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_kept_in_a_table() {
        let table = [
            ("metadata/timestamp.json", SHORT),
            ("metadata/root.json", SHORT),
            ("metadata/3.root.json", IMMUTABLE),
            ("metadata/12.freeciv.releases.json", IMMUTABLE),
            ("targets/games/x/releases/abc.1.0.manifest", IMMUTABLE),
            ("torrents/abc.torrent", SHORT),
            ("repository.json", SHORT),
        ];
        for (path, expected) in table {
            assert_eq!(caching(path), expected, "{path}");
        }
    }
}
