//! What all operations share: options, the HTTP client, the swarm's node.

use crate::engine::http::Http;
use crate::engine::options::Options;
use crate::error::LaunchError;

/// Shared by all operations of one engine.
pub(crate) struct Context {
    pub(crate) options: Options,
    http: tokio::sync::OnceCell<Http>,
}

impl Context {
    pub(crate) fn new(options: Options) -> Self {
        Self { options, http: tokio::sync::OnceCell::new() }
    }

    /// The HTTP client, made at first use.
    pub(crate) async fn http(&self) -> Result<&Http, LaunchError> {
        self.http.get_or_try_init(async || Http::new()).await
    }

    /// Ends connections before the engine ends.
    pub(crate) async fn close(&self) {}
}
