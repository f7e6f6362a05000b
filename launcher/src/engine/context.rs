//! What all operations of an engine share: options, the HTTP client, the swarm's node.

use std::sync::Arc;

use protocol::net::{Limiter, Node, NodeConfig};
use protocol::swarm::Role;
use tokio::sync::OnceCell;

use crate::engine::board::Board;
use crate::engine::command::Rates;
use crate::engine::http::Http;
use crate::engine::options::Options;
use crate::engine::players::Players;
use crate::error::LaunchError;

/// Shared by all operations of one engine. What costs something is made at first use.
pub(crate) struct Context {
    pub(crate) options: Options,
    http: Http,
    node: OnceCell<Node>,
    upload: Arc<Limiter>,
    download: Arc<Limiter>,
    players: Players,
    board: Arc<Board>,
}

impl Context {
    pub(crate) fn new(options: Options, board: Arc<Board>) -> Self {
        Self {
            http: Http::new(),
            node: OnceCell::new(),
            upload: Arc::new(Limiter::new(options.upload_limit)),
            download: Arc::new(Limiter::new(options.download_limit)),
            players: Players::new(board.clone()),
            options,
            board,
        }
    }

    /// Changes how fast everything together may be.
    pub(crate) fn limit(&self, rates: Rates) {
        self.upload.set_rate(rates.upload);
        self.download.set_rate(rates.download);
    }

    /// Bytes per second received, at most.
    pub(crate) fn download_rate(&self) -> Option<u64> {
        self.download.rate()
    }

    /// The games that run.
    pub(crate) fn players(&self) -> &Players {
        &self.players
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
                config.upload = self.upload.clone();
                config.download = self.download.clone();
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
