//! The verifying client: `sigstore-tuf` does TUF, this module adds what TUF leaves open.
//!
//! * The state is on disk before it is believed in the next step.
//! * The latest time known comes from verified metadata: a clock that goes back revives nothing.
//! * A channel, signed by a server's own key, is held to what the offline release role signed: the channels a release
//!   is for, the floor, and rollback statements.

mod transport;
mod state;
mod bridge;
mod resolve;
mod listing;
mod signers;

use std::path::Path;
use std::sync::Arc;

use sigstore_tuf::{TrustedMetadataSet, Updater, UpdaterConfig};

pub use listing::{ListedRelease, Listing};
pub use resolve::Resolved;
pub use signers::Signers;
pub use transport::{FetchError, FetchFuture, FolderTransport, Transport};

use self::bridge::Bridge;
use self::state::State;
use super::crypto;
use super::error::{TrustError, chain};
use super::limits::Limits;
use super::model::game_of_role;
use super::time::UnixTime;
use crate::release::GameId;

/// Whether expired metadata will do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Freshness {
    /// Expired metadata is an error.
    #[default]
    Required,
    /// The player chose to go on with expired metadata. Signatures and versions are checked all the same, and no
    /// rollback statement is honoured.
    ExpiredAccepted,
}

/// A client of one repository. It knows nothing until [`Client::refresh`] succeeds.
pub struct Client {
    pinned: Vec<u8>,
    state: State,
    transport: Arc<dyn Transport>,
    current: Option<Current>,
}

/// A refresh that succeeded.
struct Current {
    updater: Updater,
    bridge: Bridge,
    /// The time by which expiry is judged.
    at: jiff::Timestamp,
    fresh: bool,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client")
            .field("state", &self.state)
            .field("refreshed", &self.current.is_some())
            .finish()
    }
}

impl Client {
    /// A client that trusts `root` (the bytes of a root file) and keeps its state in the folder `state_dir`.
    ///
    /// # Errors
    /// [`TrustError::WrongRoot`] when `root` is not a root that signs itself.
    pub fn open(
        root: &[u8],
        state_dir: &Path,
        transport: impl Transport + 'static,
    ) -> Result<Self, TrustError> {
        Self::with_limits(root, state_dir, transport, Limits::default())
    }

    /// As [`Client::open`], with other bounds.
    ///
    /// # Errors
    /// As [`Client::open`].
    pub fn with_limits(
        root: &[u8],
        state_dir: &Path,
        transport: impl Transport + 'static,
        limits: Limits,
    ) -> Result<Self, TrustError> {
        crypto::install();
        if root.len() as u64 > limits.root_bytes {
            return Err(TrustError::TooLarge { file: "root.json".to_owned(), limit: limits.root_bytes });
        }
        TrustedMetadataSet::from_root(root)
            .map_err(|error| TrustError::WrongRoot { reason: chain(&error) })?;
        Ok(Self {
            pinned: root.to_vec(),
            state: State::new(state_dir, limits),
            transport: Arc::new(transport),
            current: None,
        })
    }

    /// Asks the repository what is current. `now` is the local clock's reading.
    ///
    /// # Errors
    /// [`TrustError`]. The state remembered stays whole whatever happens, and keeps what was verified before the error.
    pub async fn refresh(&mut self, now: UnixTime, freshness: Freshness) -> Result<(), TrustError> {
        self.current = None;
        let mut at = self.judged_at(now)?;
        let mut result = self.attempt(at, freshness).await;
        if let Err(TrustError::Expired { role, .. }) = &result
            && role == "root"
        {
            // A newer root, learned just now, may have replaced the key that told us the time.
            let again = self.judged_at(now)?;
            if again < at {
                at = again;
                result = self.attempt(at, freshness).await;
            }
        }
        self.current = Some(result?);
        Ok(())
    }

    /// The local clock, or the latest time known when that is later.
    fn judged_at(&self, now: UnixTime) -> Result<UnixTime, TrustError> {
        Ok(self.state.latest_time(&self.pinned)?.map_or(now, |latest| latest.max(now)))
    }

    async fn attempt(&self, now: UnixTime, freshness: Freshness) -> Result<Current, TrustError> {
        drop(self.state.take_fault());
        let bridge = Bridge::new(Arc::clone(&self.transport), self.state.clone());
        let updater = Updater::new(bridge.clone(), &self.pinned);
        let mut updater = updater
            .map_err(|error| TrustError::WrongRoot { reason: chain(&error) })?
            .with_config(self.config())
            .with_store(self.state.clone());
        self.check_fault()?;
        let first_root = updater.trusted().root().version;
        let fresh = freshness == Freshness::Required;
        let at = if fresh { now.to_jiff() } else { jiff::Timestamp::MIN };
        let result = updater.refresh(at).await;
        if let Err(error) = result {
            let rotations = self.state.limits().root_rotations;
            let root = updater.trusted().root();
            let explained = bridge.explain(error);
            if matches!(&explained, TrustError::Expired { role, .. } if role == "timestamp") {
                self.state.note_expired(root, bridge.last_timestamp(), now)?;
            }
            if root.version.saturating_sub(first_root) >= u64::from(rotations) {
                return Err(TrustError::TooManyRoots(rotations));
            }
            return Err(explained);
        }
        self.check_fault()?;
        let at = if fresh { self.check_time(&mut updater, &bridge, now).await?.to_jiff() } else { at };
        Ok(Current { updater, bridge, at, fresh })
    }

    /// The new timestamp may know a later time than we did; everything must be good at that time too.
    async fn check_time(
        &self,
        updater: &mut Updater,
        bridge: &Bridge,
        now: UnixTime,
    ) -> Result<UnixTime, TrustError> {
        let timestamp = updater.trusted().timestamp().ok_or(TrustError::NotRefreshed)?;
        if self.state.was_expired(updater.trusted().root(), timestamp)? {
            let expires = UnixTime::from_jiff(timestamp.expires);
            return Err(TrustError::Expired { role: "timestamp".to_owned(), expires });
        }
        let now = state::signed_at(timestamp).map_or(now, |signed| signed.max(now));
        // Looking up a name nobody delegates checks the whole chain and fetches nothing.
        let looked_up = updater.get_target_info("", now.to_jiff()).await;
        looked_up.map_err(|error| bridge.explain(error))?;
        Ok(now)
    }

    fn check_fault(&self) -> Result<(), TrustError> {
        self.state.take_fault().map_or(Ok(()), Err)
    }

    fn config(&self) -> UpdaterConfig {
        let limits = self.state.limits();
        let mut config = UpdaterConfig::default();
        config.root_max_length = limits.root_bytes;
        config.timestamp_max_length = limits.timestamp_bytes;
        config.snapshot_max_length = limits.snapshot_bytes;
        config.targets_max_length = limits.targets_bytes;
        config.target_max_length = limits.manifest_bytes.max(limits.doc_bytes).max(limits.packs_bytes);
        config.max_root_rotations = limits.root_rotations;
        config.max_delegations = limits.delegations;
        config
    }

    /// Until when the metadata is good, after a refresh.
    pub fn expires(&self) -> Option<UnixTime> {
        let timestamp = self.current.as_ref()?.updater.trusted().timestamp()?;
        Some(UnixTime::from_jiff(timestamp.expires))
    }

    /// The games of the repository, after a refresh.
    pub fn games(&self) -> Vec<GameId> {
        let current = self.current.as_ref();
        let targets = current.and_then(|current| current.updater.trusted().targets_role("targets"));
        let roles =
            targets.and_then(|targets| targets.delegations.as_ref()).map(|delegations| &delegations.roles);
        roles.into_iter().flatten().filter_map(|role| game_of_role(&role.name)).collect()
    }
}

#[cfg(test)]
mod tests;
