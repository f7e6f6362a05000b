//! Between `sigstore-tuf` and the rest: our transport below it, our errors above it.

use std::sync::{Arc, Mutex, PoisonError};

use sigstore_tuf::transport::FetchFuture;
use sigstore_tuf::{Error, Repository};

use super::state::State;
use super::transport::{FetchError, Transport};
use crate::trust::TrustError;
use crate::trust::error::chain;
use crate::trust::time::UnixTime;

/// The transport as `sigstore-tuf` calls it. Remembers what was asked last, so that an error can name the file.
#[derive(Clone)]
pub(super) struct Bridge {
    transport: Arc<dyn Transport>,
    state: State,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Debug, Default)]
struct Seen {
    file: String,
    missing: bool,
    timestamp: Option<Vec<u8>>,
}

impl Bridge {
    pub(super) fn new(transport: Arc<dyn Transport>, state: State) -> Self {
        Self { transport, state, seen: Arc::default() }
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The timestamp that came last, verified or not.
    pub(super) fn last_timestamp(&self) -> Option<Vec<u8>> {
        self.seen().timestamp.clone()
    }

    /// Whether something verified could not be stored.
    pub(super) fn check(&self) -> Result<(), TrustError> {
        self.state.take_fault().map_or(Ok(()), Err)
    }

    async fn get(&self, path: String, limit: u64) -> Result<Option<Vec<u8>>, Error> {
        // Something verified could not be stored: believe nothing further.
        if self.state.has_fault() {
            return Err(Error::NotRefreshed);
        }
        *self.seen() = Seen { file: path.clone(), missing: false, timestamp: self.last_timestamp() };
        let fault = match self.transport.fetch(&path, limit).await {
            Ok(Some(bytes)) if bytes.len() as u64 > limit => TrustError::TooLarge { file: path, limit },
            Ok(Some(bytes)) => {
                if path == "metadata/timestamp.json" {
                    self.seen().timestamp = Some(bytes.clone());
                }
                return Ok(Some(bytes));
            }
            Ok(None) => {
                self.seen().missing = true;
                return Ok(None);
            }
            Err(FetchError::TooLarge) => TrustError::TooLarge { file: path, limit },
            Err(FetchError::Failed(reason)) => TrustError::Transport { file: path, reason },
        };
        self.state.set_fault(fault);
        Err(Error::NotRefreshed)
    }

    /// Our name for what `sigstore-tuf` met.
    pub(super) fn explain(&self, error: Error) -> TrustError {
        if let Some(fault) = self.state.take_fault() {
            return fault;
        }
        let (file, missing) = {
            let seen = self.seen();
            (seen.file.clone(), seen.missing)
        };
        let is_root = file.ends_with(".root.json") && !missing;
        match error {
            Error::Expired { role, expires } => {
                TrustError::Expired { role, expires: UnixTime::from_jiff(expires) }
            }
            Error::Rollback { role, trusted, new } => TrustError::RolledBack { role, trusted, offered: new },
            Error::Json(cause) if cause.is_eof() => TrustError::Truncated { file },
            Error::Json(cause) => TrustError::Malformed { file, reason: cause.to_string() },
            other if is_root => TrustError::WrongRoot { reason: chain(&other) },
            Error::Malformed(reason) => TrustError::Malformed { file, reason },
            other @ (Error::NonIntegerNumber
            | Error::UnsupportedScheme { .. }
            | Error::UnusableKey { .. }
            | Error::UnknownRole(_)) => TrustError::Malformed { file, reason: chain(&other) },
            Error::NotRefreshed => TrustError::NotRefreshed,
            Error::TargetNotFound(target) => TrustError::NotFound(target),
            Error::IntegrityMismatch(reason) => TrustError::Tampered { file, reason },
            other @ (Error::ThresholdNotMet { .. } | Error::DuplicateSignature { .. } | Error::Crypto(_)) => {
                TrustError::Tampered { file, reason: chain(&other) }
            }
            _ if missing => TrustError::Missing { file },
            other => TrustError::Transport { file, reason: chain(&other) },
        }
    }
}

impl Repository for Bridge {
    fn fetch_metadata<'a>(&'a self, name: &'a str, max_length: u64) -> FetchFuture<'a> {
        Box::pin(self.get(format!("metadata/{name}"), max_length))
    }

    fn fetch_target<'a>(&'a self, path: &'a str, max_length: u64) -> FetchFuture<'a> {
        Box::pin(self.get(format!("targets/{path}"), max_length))
    }
}
