//! The HTTP tracker: only our own torrents.
use super::App;
use super::catalog::Catalog;
use super::content::plain;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use std::net::SocketAddr;
use std::sync::Arc;

pub(crate) struct Swarms {
    _own: Option<SocketAddr>,
}
impl Swarms {
    pub(crate) fn new(own: Option<SocketAddr>) -> Swarms {
        Swarms { _own: own }
    }
    pub(crate) fn follow(&self, _: &Catalog) {}
}
pub(crate) async fn announce(State(app): State<Arc<App>>) -> Response {
    app.metrics.announced();
    plain(StatusCode::NOT_IMPLEMENTED, "")
}
pub(crate) async fn scrape(State(_): State<Arc<App>>) -> Response {
    plain(StatusCode::NOT_IMPLEMENTED, "")
}
