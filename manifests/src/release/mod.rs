//! What a release is: the manifest of its files, the channel that points at it, and the statements that bound where a
//! channel may point.

pub(crate) mod cbor;
mod ids;
mod identity;
mod frame;
mod art;
mod manifest;
mod policy;
mod packs;
mod docs;

pub use art::{Art, MAX_HERO_BYTES, MAX_HERO_PIXELS, MAX_ICON_BYTES, MAX_ICON_PIXELS};
pub use cbor::CborError;
pub use docs::{ChannelDoc, DocError, FloorDoc, MAX_DOC_BYTES, RepositoryDoc, RollbackDoc};
pub use frame::{FrameError, MAX_FRAME_BYTES};
pub use identity::{FileIdentity, IdentityError, MAX_FILE_BYTES};
pub use ids::{ChannelName, GameId, IdError, MAX_ID_BYTES, Version};
pub use manifest::{FileKind, ManifestError, ManifestFile, ReleaseManifest, SCHEMA};
pub use packs::{
    MAX_PACK_INDEX_BYTES, MAX_PACK_LIST_BYTES, MAX_PACK_MEMORY_BYTES, MAX_PACKS, PACKS_SCHEMA, PackBase,
    PackEntry, PackList, PackListError, pack_torrent_name,
};
pub use policy::{Policy, RESERVED_TAGS};

#[cfg(test)]
pub(crate) use packs::tests as packs_tests;

/// Target path of a release's manifest, signed by the game's offline release role.
pub fn manifest_target(game: &GameId, version: &Version) -> String {
    format!("games/{game}/releases/{version}.manifest")
}

/// Target path of a release's pack list, signed by the game's offline release role and replaced by later revisions.
pub fn packs_target(game: &GameId, version: &Version) -> String {
    format!("games/{game}/releases/{version}.packs")
}

/// Target path of a channel document, signed by the game's online channels role.
pub fn channel_target(game: &GameId, channel: &ChannelName) -> String {
    format!("games/{game}/channels/{channel}.json")
}

/// Target path of the lowest sequence a channel may point at, signed by the game's offline release role.
pub fn floor_target(game: &GameId, channel: &ChannelName) -> String {
    format!("games/{game}/releases/floor.{channel}.json")
}

/// Target path of the statement that lets installs go back, signed by the game's offline release role.
pub fn rollback_target(game: &GameId, channel: &ChannelName) -> String {
    format!("games/{game}/releases/rollback.{channel}.json")
}
