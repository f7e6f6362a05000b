//! From a channel's name to a verified manifest, past every statement that bounds where a channel may point.

use sha2::{Digest, Sha256, Sha512};
use sigstore_tuf::TargetFile;

use super::{Client, Current};
use crate::release::{
    ChannelDoc, ChannelName, FloorDoc, GameId, PackList, ReleaseManifest, RollbackDoc, Version,
    channel_target, floor_target, manifest_target, packs_target, rollback_target,
};
use crate::trust::error::TrustError;
use crate::trust::model::{channels_role, release_role};

/// A release that may be installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// Its manifest.
    pub manifest: ReleaseManifest,
    /// The manifest's verified bytes, to be kept with the install.
    pub manifest_bytes: Vec<u8>,
    /// The channel that pointed here, with its hints; `None` when the release was asked for by version.
    pub channel: Option<ChannelDoc>,
    /// The statement that allows going back, when this is lower than what is installed.
    pub rollback: Option<RollbackDoc>,
    /// Whether the metadata was fresh.
    pub fresh: bool,
}

impl Client {
    /// Where `channel` points, for an install that is at the sequence `installed`.
    ///
    /// # Errors
    /// [`TrustError::NotFound`] for a game or channel that does not exist; [`TrustError::NotAllowed`],
    /// [`TrustError::BelowFloor`], [`TrustError::Downgrade`] when the channel points where it may not; and those of
    /// [`Client::refresh`], which must have succeeded.
    pub async fn resolve_channel(
        &mut self,
        game: &GameId,
        channel: &ChannelName,
        installed: Option<u64>,
    ) -> Result<Resolved, TrustError> {
        let limits = *self.state.limits();
        let current = self.current.as_mut().ok_or(TrustError::NotRefreshed)?;
        current.check_game(game)?;
        let file = channel_target(game, channel);
        let bytes = current.role_target(&channels_role(game), &file, limits.doc_bytes).await?;
        let not_found = || TrustError::NotFound(format!("channel {channel} of {game}"));
        let doc = ChannelDoc::decode(&bytes.ok_or_else(not_found)?)
            .map_err(|error| bad_content(&file, error.code(), &error))?;
        if doc.game != *game || doc.channel != *channel {
            let reason = format!("its document is for {} of {}", doc.channel, doc.game);
            return Err(TrustError::NotAllowed { reason });
        }
        let (manifest, manifest_bytes) =
            match current.manifest(game, &doc.release, limits.manifest_bytes).await {
                Err(TrustError::NotFound(_)) => {
                    let reason = format!("the release role has not signed {}", doc.release);
                    return Err(TrustError::NotAllowed { reason });
                }
                other => other?,
            };
        check_allowed(&manifest, &doc)?;
        current.check_floor(&doc, limits.doc_bytes).await?;
        let rollback = match installed {
            Some(installed) if doc.sequence < installed => {
                Some(current.rollback(&doc, installed, limits.doc_bytes).await?)
            }
            _ => None,
        };
        Ok(Resolved { manifest, manifest_bytes, channel: Some(doc), rollback, fresh: current.fresh })
    }

    /// A release by its version: the player's own choice, which may be an older one.
    ///
    /// # Errors
    /// [`TrustError::NotFound`], and those of [`Client::refresh`].
    pub async fn resolve_release(
        &mut self,
        game: &GameId,
        version: &Version,
    ) -> Result<Resolved, TrustError> {
        let limits = *self.state.limits();
        let current = self.current.as_mut().ok_or(TrustError::NotRefreshed)?;
        current.check_game(game)?;
        let (manifest, manifest_bytes) = current.manifest(game, version, limits.manifest_bytes).await?;
        Ok(Resolved { manifest, manifest_bytes, channel: None, rollback: None, fresh: current.fresh })
    }

    /// The packs that lead to a release; `None` when it has none. An update that runs finishes with the list it began
    /// with: ask once.
    ///
    /// Packs save bytes and are never needed: whoever meets [`TrustError::BadContent`] here (a list of a later Samara)
    /// can go on without.
    ///
    /// # Errors
    /// [`TrustError::NotFound`] for a game that does not exist, [`TrustError::NotAllowed`] when another role signed the
    /// list, [`TrustError::BadContent`], and those of [`Client::refresh`], which must have succeeded.
    pub async fn pack_list(
        &mut self,
        game: &GameId,
        version: &Version,
    ) -> Result<Option<PackList>, TrustError> {
        let limits = *self.state.limits();
        let current = self.current.as_mut().ok_or(TrustError::NotRefreshed)?;
        current.check_game(game)?;
        let file = packs_target(game, version);
        let bytes = current.role_target(&release_role(game), &file, limits.packs_bytes).await?;
        let Some(bytes) = bytes else { return Ok(None) };
        let list = PackList::decode(&bytes).map_err(|error| bad_content(&file, error.code(), &error))?;
        if list.game != *game || list.version != *version {
            let reason = format!("{file} describes {} {}", list.game, list.version);
            return Err(TrustError::NotAllowed { reason });
        }
        Ok(Some(list))
    }

    /// Any target by its path, as TUF finds it: for tools. `local` is returned when it is what was signed.
    ///
    /// # Errors
    /// [`TrustError::NotFound`], and those of [`Client::refresh`].
    pub async fn target(&mut self, path: &str, local: Option<Vec<u8>>) -> Result<Vec<u8>, TrustError> {
        let limit = self.state.limits().manifest_bytes;
        let current = self.current.as_mut().ok_or(TrustError::NotRefreshed)?;
        let info = current.info(path).await?.ok_or_else(|| TrustError::NotFound(path.to_owned()))?;
        match local {
            Some(bytes) if matches(&info, &bytes) => Ok(bytes),
            _ => current.download(&info, path, limit).await,
        }
    }
}

impl Current {
    pub(super) fn check_game(&self, game: &GameId) -> Result<(), TrustError> {
        let targets = self.updater.trusted().targets_role("targets");
        let delegations = targets.and_then(|targets| targets.delegations.as_ref());
        let role = release_role(game);
        if delegations.is_some_and(|delegations| delegations.roles.iter().any(|it| it.name == role)) {
            return Ok(());
        }
        Err(TrustError::NotFound(format!("game {game}")))
    }

    pub(super) async fn info(&mut self, path: &str) -> Result<Option<TargetFile>, TrustError> {
        let found = self.updater.get_target_info(path, self.at).await;
        let found = found.map_err(|error| self.bridge.explain(error))?;
        self.bridge.check()?;
        Ok(found)
    }

    async fn download(&self, info: &TargetFile, path: &str, limit: u64) -> Result<Vec<u8>, TrustError> {
        if info.length > limit {
            return Err(TrustError::TooLarge { file: path.to_owned(), limit });
        }
        self.updater.download_target(info, path).await.map_err(|error| self.bridge.explain(error))
    }

    /// A target that `role`, and no other role, signed.
    async fn role_target(
        &mut self,
        role: &str,
        path: &str,
        limit: u64,
    ) -> Result<Option<Vec<u8>>, TrustError> {
        let Some(info) = self.info(path).await? else { return Ok(None) };
        let signed = self.updater.trusted().targets_role(role).and_then(|targets| targets.target(path));
        let above = self.updater.trusted().targets_role("targets").and_then(|targets| targets.target(path));
        if signed != Some(&info) || above.is_some() {
            return Err(TrustError::NotAllowed { reason: format!("{path} was not signed by {role}") });
        }
        self.download(&info, path, limit).await.map(Some)
    }

    async fn manifest(
        &mut self,
        game: &GameId,
        version: &Version,
        limit: u64,
    ) -> Result<(ReleaseManifest, Vec<u8>), TrustError> {
        let file = manifest_target(game, version);
        let bytes = self.role_target(&release_role(game), &file, limit).await?;
        let bytes = bytes.ok_or_else(|| TrustError::NotFound(format!("release {version} of {game}")))?;
        let manifest =
            ReleaseManifest::decode(&bytes).map_err(|error| bad_content(&file, error.code(), &error))?;
        if manifest.game != *game || manifest.version != *version {
            let reason = format!("{file} describes {} {}", manifest.game, manifest.version);
            return Err(TrustError::NotAllowed { reason });
        }
        Ok((manifest, bytes))
    }

    async fn check_floor(&mut self, doc: &ChannelDoc, limit: u64) -> Result<(), TrustError> {
        let file = floor_target(&doc.game, &doc.channel);
        let Some(bytes) = self.role_target(&release_role(&doc.game), &file, limit).await? else {
            return Ok(());
        };
        let floor = FloorDoc::decode(&bytes).map_err(|error| bad_content(&file, error.code(), &error))?;
        if floor.game != doc.game || floor.channel != doc.channel {
            return Err(TrustError::NotAllowed { reason: format!("{file} is for another channel") });
        }
        if doc.sequence < floor.sequence {
            return Err(TrustError::BelowFloor { offered: doc.sequence, floor: floor.sequence });
        }
        Ok(())
    }

    async fn rollback(
        &mut self,
        doc: &ChannelDoc,
        installed: u64,
        limit: u64,
    ) -> Result<RollbackDoc, TrustError> {
        let downgrade = || TrustError::Downgrade { offered: doc.sequence, installed };
        if !self.fresh {
            return Err(downgrade());
        }
        let file = rollback_target(&doc.game, &doc.channel);
        let bytes = self.role_target(&release_role(&doc.game), &file, limit).await?;
        let statement = RollbackDoc::decode(&bytes.ok_or_else(downgrade)?)
            .map_err(|error| bad_content(&file, error.code(), &error))?;
        let same = statement.game == doc.game && statement.channel == doc.channel;
        if same && statement.release == doc.release && statement.permits(installed, doc.sequence) {
            return Ok(statement);
        }
        Err(downgrade())
    }
}

fn check_allowed(manifest: &ReleaseManifest, doc: &ChannelDoc) -> Result<(), TrustError> {
    let refuse = |reason| Err(TrustError::NotAllowed { reason });
    if manifest.sequence != doc.sequence {
        return refuse(format!("{} has sequence {}, not {}", doc.release, manifest.sequence, doc.sequence));
    }
    if !manifest.allows(&doc.channel) {
        return refuse(format!("{} was not signed for channel {}", doc.release, doc.channel));
    }
    Ok(())
}

fn bad_content(file: &str, code: &'static str, error: &dyn std::error::Error) -> TrustError {
    TrustError::BadContent { file: file.to_owned(), code, reason: error.to_string() }
}

/// Whether `bytes` have the length and every hash that was signed, of which at least one must be known.
fn matches(info: &TargetFile, bytes: &[u8]) -> bool {
    let mut known = 0;
    let all = info.hashes.iter().all(|(algorithm, expected)| {
        let actual = match algorithm.as_str() {
            "sha256" => hex::encode(Sha256::digest(bytes)),
            "sha512" => hex::encode(Sha512::digest(bytes)),
            _ => return true,
        };
        known += 1;
        actual.eq_ignore_ascii_case(expected)
    });
    all && known > 0 && bytes.len() as u64 == info.length
}
