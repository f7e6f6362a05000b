//! The releases that a channel's players came by, and what each cost them.

use crate::error::Result;
use crate::publish::PublishOptions;
use manifests::release::{GameId, ReleaseManifest};
use manifests::trust::publisher::Repository;
use serde::Serialize;

/// Releases looked back at.
const LOOK_BACK: usize = 12;

/// What an earlier release cost the players of the one before it.
#[derive(Clone, Debug, Serialize)]
pub struct Earlier {
    /// The release.
    pub release: String,
    /// The one before.
    pub from: String,
    /// Bytes of the pack between them.
    pub bytes: u64,
}

/// The releases for this channel up to the one it points at, oldest first.
pub(super) fn releases(repository: &Repository, options: &PublishOptions) -> Result<Vec<ReleaseManifest>> {
    let Some(now) = repository.channel(&options.game, &options.channel)? else { return Ok(Vec::new()) };
    let listed = repository.releases(&options.game)?;
    let mut releases = Vec::new();
    for info in listed.iter().rev().filter(|info| info.sequence <= now.sequence) {
        let manifest = repository.manifest(&options.game, &info.version)?;
        if manifest.allowed_channels.contains(&options.channel) && info.version != options.version {
            releases.push(manifest);
        }
        if releases.len() == LOOK_BACK {
            break;
        }
    }
    releases.reverse();
    Ok(releases)
}

/// What those releases cost, where a pack leads from one to the next.
pub(super) fn earlier(repository: &Repository, game: &GameId, releases: &[ReleaseManifest]) -> Vec<Earlier> {
    let pairs = releases.iter().zip(releases.iter().skip(1));
    let cost = |(from, to): (&ReleaseManifest, &ReleaseManifest)| {
        let list = repository.pack_list(game, &to.version).ok().flatten()?;
        let bytes = list.from_base(Some(&from.version))?.identity.len;
        Some(Earlier { release: to.version.to_string(), from: from.version.to_string(), bytes })
    };
    pairs.filter_map(cost).collect()
}
