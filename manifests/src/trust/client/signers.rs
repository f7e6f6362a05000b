//! Whose signatures stand under a game's releases, for people who want to know.

use super::Client;
use crate::release::GameId;
use crate::trust::model::release_role;

/// Keys told of, at most.
const MAX_KEYS: usize = 16;

/// See [`Client::signers`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Signers {
    /// Ids of the keys that may sign the game's releases (TUF 4.2: SHA-256 of the public key, in hex), ascending.
    pub keys: Vec<String>,
    /// How many of them must have signed.
    pub threshold: usize,
    /// The version of the root that this follows from.
    pub root_version: u64,
}

impl Client {
    /// Who signs the releases of a game, after a refresh; none for a game that does not exist.
    pub fn signers(&self, game: &GameId) -> Option<Signers> {
        let trusted = self.current.as_ref()?.updater.trusted();
        let delegations = trusted.targets_role("targets")?.delegations.as_ref()?;
        let role = release_role(game);
        let role = delegations.roles.iter().find(|it| it.name == role)?;
        let mut keys = role.keyids.clone();
        keys.sort_unstable();
        keys.dedup();
        keys.truncate(MAX_KEYS);
        Some(Signers { keys, threshold: role.threshold, root_version: trusted.root().version })
    }
}
