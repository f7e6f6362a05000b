//! What a repository has of a game, for a player who chooses a release or a channel.

use std::collections::BTreeMap;

use manifests::release::{ReleaseManifest, Version};
use manifests::trust::{Client, Listing, TrustError};

use crate::engine::board::Task;
use crate::engine::command::Releases;
use crate::engine::context::Context;
use crate::engine::releases::Asker;
use crate::engine::snapshot::{ChannelView, ReleaseList, ReleaseView};
use crate::error::LaunchError;

/// Manifests that are read for sizes and notes, at most: the newest.
const READ_MAX: usize = 24;
/// Their bytes together, at most. A manifest lists every file of its release.
const READ_BYTES_MAX: u64 = 4 << 20;

/// Bytes of all files, and patch notes.
type Told = (u64, String);

/// Asks the repository, and believes only what is signed.
pub(crate) async fn list(
    context: &Context,
    task: &Task,
    request: Releases,
) -> Result<ReleaseList, LaunchError> {
    let names = (request.repo.as_str(), request.game.as_str());
    let asker = Asker::new(context, names, request.trust_root.clone(), request.memory.clone()).await?;
    let asked = async {
        let mut client = asker.client().await?;
        let listing = client.listing(&asker.game).await?;
        let mut told = BTreeMap::new();
        let channels = channels(&asker, &mut client, &listing, &mut told).await?;
        read(&asker, &mut client, &listing, &mut told).await?;
        let releases = listing.releases.into_iter().map(|one| {
            let (bytes, notes) = told
                .remove(&one.version)
                .map_or((None, String::new()), |(bytes, notes)| (Some(bytes), notes));
            ReleaseView { release: one.version.to_string(), bytes, notes }
        });
        Ok(ReleaseList { game: asker.game.to_string(), releases: releases.collect(), channels })
    };
    asker.believed(task, asked).await
}

/// Where the channels point.
async fn channels(
    asker: &Asker,
    client: &mut Client,
    listing: &Listing,
    told: &mut BTreeMap<Version, Told>,
) -> Result<Vec<ChannelView>, LaunchError> {
    let mut channels = Vec::new();
    for name in &listing.channels {
        let Some(resolved) = unless_lost(client.resolve_channel(&asker.game, name, None).await)? else {
            continue;
        };
        channels.push(ChannelView {
            name: name.to_string(),
            release: resolved.manifest.version.to_string(),
            halted: resolved.channel.is_some_and(|channel| channel.halted),
        });
        keep(told, resolved.manifest);
    }
    Ok(channels)
}

/// Sizes and notes of the newest releases.
async fn read(
    asker: &Asker,
    client: &mut Client,
    listing: &Listing,
    told: &mut BTreeMap<Version, Told>,
) -> Result<(), LaunchError> {
    let mut left = READ_BYTES_MAX;
    for one in listing.releases.iter().take(READ_MAX) {
        if told.contains_key(&one.version) {
            continue;
        }
        let Some(less) = left.checked_sub(one.manifest_bytes) else { break };
        left = less;
        if let Some(resolved) = unless_lost(client.resolve_release(&asker.game, &one.version).await)? {
            keep(told, resolved.manifest);
        }
    }
    Ok(())
}

fn keep(told: &mut BTreeMap<Version, Told>, manifest: ReleaseManifest) {
    let bytes = manifest.total_bytes();
    told.insert(manifest.version, (bytes, manifest.notes));
}

/// One channel or release that is not as it should be hides no other; without a network there is no list.
fn unless_lost<T>(asked: Result<T, TrustError>) -> Result<Option<T>, TrustError> {
    match asked {
        Err(error @ TrustError::Transport { .. }) => Err(error),
        Err(error) => {
            tracing::warn!(%error, "left out of the list");
            Ok(None)
        }
        Ok(found) => Ok(Some(found)),
    }
}
