//! What an engine is started with.

use std::net::SocketAddr;
use std::time::Duration;

use crate::engine::board::Wake;

/// What an engine is started with.
#[derive(Clone)]
pub struct Options {
    /// Where peers may reach us; none to only reach out.
    pub listen: Option<SocketAddr>,
    /// Bytes per second sent to peers, over all operations; none for no limit.
    pub upload_limit: Option<u64>,
    /// Bytes per second received, over all operations; none for no limit.
    pub download_limit: Option<u64>,
    /// Bytes that packs may take in an install after an update, for others to fetch; none for a tenth of the game, at
    /// most 2 GiB.
    pub pack_quota: Option<u64>,
    /// Bytes that the data for going back may take in an install; none for a quarter of the game, at least 1 GiB.
    pub undo_quota: Option<u64>,
    /// How long to wait for any source before giving up.
    pub patience: Duration,
    /// Whether an operation that finds the game running waits until it ends; otherwise it fails.
    pub wait: bool,
    /// Called after each published snapshot.
    pub wake: Option<Wake>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: None,
            upload_limit: None,
            download_limit: None,
            pack_quota: None,
            undo_quota: None,
            patience: Duration::from_secs(180),
            wait: false,
            wake: None,
        }
    }
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options")
            .field("listen", &self.listen)
            .field("upload_limit", &self.upload_limit)
            .field("download_limit", &self.download_limit)
            .field("pack_quota", &self.pack_quota)
            .field("undo_quota", &self.undo_quota)
            .field("patience", &self.patience)
            .field("wait", &self.wait)
            .finish_non_exhaustive()
    }
}
