//! How a client gets bytes. What comes is not believed, so a transport only has to be bounded and to end.

use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;

use crate::trust::files;

/// Why a transport has no bytes.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The answer is longer than the limit given; the transport stopped reading.
    #[error("the answer is longer than accepted")]
    TooLarge,
    /// Anything else: no connection, a deadline, a status that is neither success nor "not found".
    #[error("{0}")]
    Failed(String),
}

/// What [`Transport::fetch`] returns: the bytes, or `None` when the server says there is no such file.
pub type FetchFuture<'a> = Pin<Box<dyn Future<Output = Result<Option<Vec<u8>>, FetchError>> + Send + 'a>>;

/// Gets files of a repository. The launcher's speaks HTTP; it owns connections, deadlines and the minimum rate.
pub trait Transport: Send + Sync {
    /// Gets the file at `path` below the repository's address: `metadata/timestamp.json`,
    /// `targets/games/x/channels/<hash>.stable.json`. The path is ASCII and already percent-encoded where needed.
    /// Never reads more than `limit` bytes. 404 and 403 are `None` (object stores answer 403 for what is not there).
    fn fetch<'a>(&'a self, path: &'a str, limit: u64) -> FetchFuture<'a>;
}

impl<T: Transport + ?Sized> Transport for std::sync::Arc<T> {
    fn fetch<'a>(&'a self, path: &'a str, limit: u64) -> FetchFuture<'a> {
        (**self).fetch(path, limit)
    }
}

/// A repository in a folder: a disk, a memory stick, a test.
#[derive(Debug, Clone)]
pub struct FolderTransport {
    public: PathBuf,
}

impl FolderTransport {
    /// The folder that holds `metadata/` and `targets/`.
    pub fn new(public: impl Into<PathBuf>) -> Self {
        Self { public: public.into() }
    }
}

impl Transport for FolderTransport {
    fn fetch<'a>(&'a self, path: &'a str, limit: u64) -> FetchFuture<'a> {
        let mut file = self.public.clone();
        // Names come from verified metadata, but a folder deserves the same care as an install.
        let safe = crate::path::SafePath::parse(path).map_err(|error| FetchError::Failed(error.to_string()));
        let result = safe.and_then(|path| {
            file.push(path.to_native());
            files::read_if_there(&file, limit).map_err(|error| match error.kind() {
                std::io::ErrorKind::FileTooLarge => FetchError::TooLarge,
                _ => FetchError::Failed(error.to_string()),
            })
        });
        Box::pin(std::future::ready(result))
    }
}
