//! What a repository has of a game, as its roles have signed it: names alone, nothing of it is fetched.

use super::Client;
use crate::release::{ChannelName, GameId, Version, floor_target};
use crate::trust::error::TrustError;
use crate::trust::model::{channels_role, release_role};

/// Releases told of, at most: the newest.
const MAX_RELEASES: usize = 1000;
/// Channels told of, at most.
const MAX_CHANNELS: usize = 32;

/// A release that the offline release role has signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedRelease {
    /// Its version.
    pub version: Version,
    /// Grows with every release, as the role says; 0 where it says nothing. What its manifest says counts.
    pub sequence: u64,
    /// Length of its manifest, in bytes.
    pub manifest_bytes: u64,
}

/// See [`Client::listing`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
    /// The releases, the newest first.
    pub releases: Vec<ListedRelease>,
    /// The channels, in the order of their names.
    pub channels: Vec<ChannelName>,
}

impl Client {
    /// The releases and channels of a game. A name here says that it was signed, not that a channel may point there:
    /// [`Client::resolve_channel`] tells that.
    ///
    /// # Errors
    /// [`TrustError::NotFound`] for a game that does not exist, and those of [`Client::refresh`], which must have
    /// succeeded.
    pub async fn listing(&mut self, game: &GameId) -> Result<Listing, TrustError> {
        let current = self.current.as_mut().ok_or(TrustError::NotRefreshed)?;
        current.check_game(game)?;
        // Looking a name up brings the role that would sign it.
        let any = ChannelName::parse("stable").map_err(|error| TrustError::NotFound(error.to_string()))?;
        let floor = floor_target(game, &any);
        let channel = crate::release::channel_target(game, &any);
        current.info(&floor).await?;
        current.info(&channel).await?;
        let trusted = current.updater.trusted();
        let mut listing = Listing::default();
        let before = format!("games/{game}/releases/");
        for (path, info) in
            trusted.targets_role(&release_role(game)).into_iter().flat_map(|role| &role.targets)
        {
            let name = path.strip_prefix(&before).and_then(|name| name.strip_suffix(".manifest"));
            let Some(version) = name.and_then(|name| Version::parse(name).ok()) else { continue };
            let said = info.custom.as_ref().and_then(|custom| custom.get("sequence")?.as_u64());
            listing.releases.push(ListedRelease {
                version,
                sequence: said.unwrap_or_default(),
                manifest_bytes: info.length,
            });
        }
        listing.releases.sort_by(|a, b| b.sequence.cmp(&a.sequence).then_with(|| a.version.cmp(&b.version)));
        listing.releases.truncate(MAX_RELEASES);
        let before = format!("games/{game}/channels/");
        let channels =
            trusted.targets_role(&channels_role(game)).into_iter().flat_map(|role| role.targets.keys());
        let names = channels.filter_map(|path| path.strip_prefix(&before)?.strip_suffix(".json"));
        listing.channels =
            names.filter_map(|name| ChannelName::parse(name).ok()).take(MAX_CHANNELS).collect();
        Ok(listing)
    }
}
