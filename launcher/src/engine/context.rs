//! What all operations of an engine share: options, the HTTP client, the swarm's node.

use std::sync::Arc;

use protocol::net::{Limiter, Node, NodeConfig};
use protocol::swarm::Role;
use tokio::sync::OnceCell;

use crate::engine::board::Board;
use crate::engine::http::Http;
use crate::engine::options::Options;
use crate::error::LaunchError;

/// Shared by all operations of one engine. What costs something is made at first use.
pub(crate) struct Context {
    pub(crate) options: Options,
    http: Http,
    node: OnceCell<Node>,
    board: Arc<Board>,
}

impl Context {
    pub(crate) fn new(options: Options, board: Arc<Board>) -> Self {
        Self { options, http: Http::new(), node: OnceCell::new(), board }
    }

    /// The HTTP client.
    pub(crate) fn http(&self) -> &Http {
        &self.http
    }

    /// The swarm's node.
    pub(crate) async fn node(&self) -> Result<&Node, LaunchError> {
        self.node
            .get_or_try_init(async || {
                let mut config = NodeConfig::new(Role::Launcher, self.options.listen);
                config.upload = Arc::new(Limiter::new(self.options.upload_limit));
                config.download = Arc::new(Limiter::new(self.options.download_limit));
                let node = Node::start(config).await?;
                if let Some(addr) = node.local_addr() {
                    self.board.listening(addr);
                }
                Ok(node)
            })
            .await
    }

    /// Ends connections before the engine ends.
    pub(crate) async fn close(&self) {
        if let Some(node) = self.node.get() {
            node.shutdown().await;
        }
    }
}
