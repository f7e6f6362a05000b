//! What studios do every week: releases, channels, floors, rollbacks; and looking at what is there.

use super::change::Change;
use super::load::OfflineKeys;
use super::{PublishError, Repository, State};
use crate::release::{
    ChannelDoc, ChannelName, FloorDoc, GameId, MAX_DOC_BYTES, MAX_FRAME_BYTES, MAX_PACK_LIST_BYTES, PackList,
    ReleaseManifest, RollbackDoc, Version, channel_target, floor_target, manifest_target, packs_target,
    rollback_target,
};
use crate::trust::files;
use crate::trust::model::{Hashes, channels_role, consistent_path, game_of_role, release_role};
use crate::trust::time::UnixTime;

/// A release as the repository lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleaseInfo {
    /// Its version.
    pub version: Version,
    /// Its place in the order of releases.
    pub sequence: u64,
    /// Its target path.
    pub target: String,
    /// SHA-256 of its manifest, in hex.
    pub sha256: String,
    /// Length of its manifest in bytes.
    pub manifest_len: u64,
}

impl Repository {
    /// Signs a release. Publishing the very same manifest again does nothing.
    ///
    /// # Errors
    /// [`PublishError::ReleaseExists`], [`PublishError::Sequence`], [`PublishError::NoGame`],
    /// [`PublishError::MissingKey`], and those of [`Repository::open`].
    pub fn add_release(
        &mut self,
        offline: &mut OfflineKeys,
        manifest: &ReleaseManifest,
        now: UnixTime,
    ) -> Result<ReleaseInfo, PublishError> {
        self.add_release_with_packs(offline, manifest, None, now)
    }

    /// Signs a release and its first packs at once: no player sees the one without the other. When the very same
    /// release is there already with packs of its own, those stay.
    ///
    /// # Errors
    /// [`PublishError::PackMismatch`], and those of [`Repository::add_release`].
    pub fn add_release_with_packs(
        &mut self,
        offline: &mut OfflineKeys,
        manifest: &ReleaseManifest,
        packs: Option<&PackList>,
        now: UnixTime,
    ) -> Result<ReleaseInfo, PublishError> {
        let bytes = manifest.encode()?;
        let packs = packs.map(|list| Ok::<_, PublishError>((list, list.encode()?))).transpose()?;
        let (game, version) = (&manifest.game, &manifest.version);
        let mut change = self.change(Some(offline), now)?;
        let releases = change.state.releases(game)?;
        let sha256 = Hashes::of(&bytes).sha256;
        if let Some(there) = releases.iter().find(|release| release.version == *version) {
            if there.sha256 == sha256 {
                let there = there.clone();
                drop(change);
                if let Some((list, _)) = packs
                    && self.pack_list(game, version)?.is_none()
                {
                    self.set_packs(offline, list, now)?;
                }
                return Ok(there);
            }
            return Err(PublishError::ReleaseExists { game: game.to_string(), version: version.to_string() });
        }
        let highest = releases.iter().map(|release| release.sequence).max().unwrap_or(0);
        if manifest.sequence <= highest {
            return Err(PublishError::Sequence { given: manifest.sequence, highest });
        }
        let target = manifest_target(game, version);
        let manifest_len = bytes.len() as u64;
        if let Some((list, encoded)) = packs {
            check_packs(list, &releases, Some((game, version)))?;
            change.put_target(&release_role(game), &packs_target(game, version), encoded, None)?;
        }
        change.put_target(&release_role(game), &target, bytes, Some(manifest.sequence))?;
        let versions = change.commit()?;
        let disk = self.disk.clone();
        offline.save_signed(&disk, versions);
        Ok(ReleaseInfo {
            version: version.clone(),
            sequence: manifest.sequence,
            target,
            sha256,
            manifest_len,
        })
    }

    /// Whether these keys are enough to sign releases of a game that is there, before work is put into one.
    ///
    /// # Errors
    /// [`PublishError::NoGame`], [`PublishError::MissingKey`].
    pub fn check_release_keys(&self, offline: &OfflineKeys, game: &GameId) -> Result<(), PublishError> {
        let role = release_role(game);
        let no_game = || PublishError::NoGame(game.to_string());
        let keys = self.state.targets.delegated(&role).ok_or_else(no_game)?.role_keys();
        super::change::check_keys(&role, &keys, &offline.ring)
    }

    /// Replaces a release's pack list by a later revision. Signing the very same list again does nothing.
    ///
    /// # Errors
    /// [`PublishError::PackRevision`] unless the revision is above the one there, [`PublishError::PackMismatch`],
    /// [`PublishError::NoRelease`], and those of [`Repository::add_release`].
    pub fn set_packs(
        &mut self,
        offline: &mut OfflineKeys,
        list: &PackList,
        now: UnixTime,
    ) -> Result<(), PublishError> {
        let bytes = list.encode()?;
        let change = self.change(Some(offline), now)?;
        let releases = change.state.releases(&list.game)?;
        check_packs(list, &releases, None)?;
        if let Some(there) = change.before().pack_list(&list.game, &list.version)? {
            if there == *list {
                return Ok(());
            }
            if list.revision <= there.revision {
                return Err(PublishError::PackRevision { given: list.revision, current: there.revision });
            }
        }
        sign_statement(change, offline, &list.game, &packs_target(&list.game, &list.version), bytes)
    }

    /// The pack list of a release as it stands; `None` when it never had packs.
    ///
    /// # Errors
    /// [`PublishError::NoGame`], [`PublishError::Damaged`].
    pub fn pack_list(&self, game: &GameId, version: &Version) -> Result<Option<PackList>, PublishError> {
        let target = packs_target(game, version);
        let bytes = self.target(&release_role(game), &target, MAX_PACK_LIST_BYTES)?;
        Ok(bytes.map(|bytes| PackList::decode(&bytes)).transpose()?)
    }

    /// Points a channel at a release, with the online key. Refused when launchers would refuse it.
    ///
    /// # Errors
    /// [`PublishError::Refused`], [`PublishError::NoRelease`], and those of [`Repository::open`].
    pub fn set_channel(&mut self, doc: &ChannelDoc, now: UnixTime) -> Result<(), PublishError> {
        let bytes = doc.encode()?;
        let mut change = self.change(None, now)?;
        change.before().check_channel(doc)?;
        let target = channel_target(&doc.game, &doc.channel);
        change.put_target(&channels_role(&doc.game), &target, bytes, Some(doc.sequence))?;
        change.renew_online();
        change.commit().map(drop)
    }

    fn check_channel(&self, doc: &ChannelDoc) -> Result<(), PublishError> {
        let manifest = self.manifest(&doc.game, &doc.release)?;
        let refused = |why: String| Err(PublishError::Refused(why));
        if manifest.sequence != doc.sequence {
            return refused(format!(
                "{} has sequence {}, not {}",
                doc.release, manifest.sequence, doc.sequence
            ));
        }
        if !manifest.allows(&doc.channel) {
            return refused(format!("{} was not signed for channel {}", doc.release, doc.channel));
        }
        if let Some(floor) = self.floor(&doc.game, &doc.channel)?
            && doc.sequence < floor.sequence
        {
            return refused(format!(
                "sequence {} is below the signed floor {}",
                doc.sequence, floor.sequence
            ));
        }
        let current = self.channel(&doc.game, &doc.channel)?.map_or(0, |current| current.sequence);
        if doc.sequence < current {
            let statement = self.rollback_statement(&doc.game, &doc.channel)?;
            if !statement.is_some_and(|statement| statement.permits(current, doc.sequence)) {
                return refused(format!(
                    "going back from sequence {current} to {} needs a rollback statement",
                    doc.sequence
                ));
            }
        }
        Ok(())
    }

    /// Signs the lowest sequence a channel may point at.
    ///
    /// # Errors
    /// [`PublishError::Refused`] when the floor would fall, and those of [`Repository::add_release`].
    pub fn set_floor(
        &mut self,
        offline: &mut OfflineKeys,
        doc: &FloorDoc,
        now: UnixTime,
    ) -> Result<(), PublishError> {
        let bytes = doc.encode()?;
        let change = self.change(Some(offline), now)?;
        if let Some(floor) = change.before().floor(&doc.game, &doc.channel)?
            && doc.sequence < floor.sequence
        {
            return Err(PublishError::Refused(format!("the floor is at {} already", floor.sequence)));
        }
        sign_statement(change, offline, &doc.game, &floor_target(&doc.game, &doc.channel), bytes)
    }

    /// Signs that installs may go back. The channel is moved by [`Repository::set_channel`] afterwards.
    ///
    /// # Errors
    /// [`PublishError::NoRelease`], [`PublishError::Refused`] below the floor, and those of
    /// [`Repository::add_release`].
    pub fn set_rollback(
        &mut self,
        offline: &mut OfflineKeys,
        doc: &RollbackDoc,
        now: UnixTime,
    ) -> Result<(), PublishError> {
        let bytes = doc.encode()?;
        let change = self.change(Some(offline), now)?;
        let manifest = change.before().manifest(&doc.game, &doc.release)?;
        if manifest.sequence != doc.to {
            return Err(PublishError::Refused(format!("{} has sequence {}", doc.release, manifest.sequence)));
        }
        if let Some(floor) = change.before().floor(&doc.game, &doc.channel)?
            && doc.to < floor.sequence
        {
            return Err(PublishError::Refused(format!("the signed floor is {}", floor.sequence)));
        }
        sign_statement(change, offline, &doc.game, &rollback_target(&doc.game, &doc.channel), bytes)
    }

    /// Signs the timestamp again, and what else online is past half its time. Daily.
    ///
    /// # Errors
    /// [`PublishError::MissingKey`], [`PublishError::Busy`], and those of [`Repository::open`].
    pub fn refresh(&mut self, now: UnixTime) -> Result<(), PublishError> {
        let mut change = self.change(None, now)?;
        change.renew_online();
        change.commit().map(drop)
    }

    /// Reads what other programs wrote since.
    ///
    /// # Errors
    /// Those of [`Repository::open`].
    pub fn reload(&mut self) -> Result<(), PublishError> {
        self.state = super::load::load_state(&self.paths, None)?;
        Ok(())
    }

    /// When the timestamp expires: until then launchers take updates.
    pub fn expires(&self) -> UnixTime {
        self.state.timestamp.expires
    }

    /// The games, in order.
    pub fn games(&self) -> Vec<GameId> {
        self.state.delegated.keys().filter_map(|role| game_of_role(role)).collect()
    }

    /// The releases of a game, lowest sequence first.
    ///
    /// # Errors
    /// [`PublishError::NoGame`].
    pub fn releases(&self, game: &GameId) -> Result<Vec<ReleaseInfo>, PublishError> {
        self.state.releases(game)
    }

    /// The sequence for the next release of a game; 1 for a game that is not there yet.
    pub fn next_sequence(&self, game: &GameId) -> u64 {
        let releases = self.state.releases(game).unwrap_or_default();
        releases.last().map_or(1, |last| last.sequence.saturating_add(1))
    }

    /// A release's manifest, verified.
    ///
    /// # Errors
    /// [`PublishError::NoRelease`], [`PublishError::Damaged`].
    pub fn manifest(&self, game: &GameId, version: &Version) -> Result<ReleaseManifest, PublishError> {
        let target = manifest_target(game, version);
        let bytes = self.target(&release_role(game), &target, MAX_FRAME_BYTES as u64)?;
        let no_release = || PublishError::NoRelease { game: game.to_string(), version: version.to_string() };
        Ok(ReleaseManifest::decode(&bytes.ok_or_else(no_release)?)?)
    }

    /// The channels of a game, in order.
    ///
    /// # Errors
    /// [`PublishError::NoGame`].
    pub fn channels(&self, game: &GameId) -> Result<Vec<ChannelName>, PublishError> {
        let targets = self.state.role(&channels_role(game), game)?;
        let prefix = format!("games/{game}/channels/");
        let names =
            targets.targets.keys().filter_map(|path| path.strip_prefix(&prefix)?.strip_suffix(".json"));
        Ok(names.filter_map(|name| ChannelName::parse(name).ok()).collect())
    }

    /// Where a channel points.
    ///
    /// # Errors
    /// [`PublishError::NoGame`], [`PublishError::Damaged`].
    pub fn channel(&self, game: &GameId, channel: &ChannelName) -> Result<Option<ChannelDoc>, PublishError> {
        let bytes = self.target(&channels_role(game), &channel_target(game, channel), MAX_DOC_BYTES)?;
        Ok(bytes.map(|bytes| ChannelDoc::decode(&bytes)).transpose()?)
    }

    /// The signed floor of a channel.
    ///
    /// # Errors
    /// As [`Repository::channel`].
    pub fn floor(&self, game: &GameId, channel: &ChannelName) -> Result<Option<FloorDoc>, PublishError> {
        let bytes = self.target(&release_role(game), &floor_target(game, channel), MAX_DOC_BYTES)?;
        Ok(bytes.map(|bytes| FloorDoc::decode(&bytes)).transpose()?)
    }

    /// The rollback statement of a channel.
    ///
    /// # Errors
    /// As [`Repository::channel`].
    pub fn rollback_statement(
        &self,
        game: &GameId,
        channel: &ChannelName,
    ) -> Result<Option<RollbackDoc>, PublishError> {
        let bytes = self.target(&release_role(game), &rollback_target(game, channel), MAX_DOC_BYTES)?;
        Ok(bytes.map(|bytes| RollbackDoc::decode(&bytes)).transpose()?)
    }

    /// A target's bytes, checked against the signed length and hash.
    fn target(&self, role: &str, target: &str, limit: u64) -> Result<Option<Vec<u8>>, PublishError> {
        let game = role.rsplit_once('.').map_or(role, |(game, _)| game);
        let Some(targets) = self.state.delegated.get(role) else {
            return Err(PublishError::NoGame(game.to_owned()));
        };
        let Some(info) = targets.targets.get(target) else { return Ok(None) };
        let file = consistent_path(target, &info.hashes.sha256);
        let path = self.paths.target(&file);
        let bytes = files::read(&path, limit.min(info.length.saturating_add(1)))
            .map_err(|error| super::load::damaged(&file, &error.to_string()))?;
        if bytes.len() as u64 != info.length || Hashes::of(&bytes) != info.hashes {
            return Err(super::load::damaged(&file, "its content does not match its signed hash"));
        }
        Ok(Some(bytes))
    }
}

/// A list must lead to a release that is there (or is being added) and start from releases that are.
fn check_packs(
    list: &PackList,
    releases: &[ReleaseInfo],
    adding: Option<(&GameId, &Version)>,
) -> Result<(), PublishError> {
    let mismatch = |why: String| Err(PublishError::PackMismatch(why));
    match adding {
        Some((game, version)) if list.game != *game || list.version != *version => {
            return mismatch(format!("it is for {} {}", list.game, list.version));
        }
        None if releases.iter().all(|release| release.version != list.version) => {
            let (game, version) = (list.game.to_string(), list.version.to_string());
            return Err(PublishError::NoRelease { game, version });
        }
        _ => {}
    }
    for base in list.packs.iter().filter_map(|pack| pack.base.as_ref()) {
        let there = releases.iter().find(|release| release.version == base.version);
        if there.is_none_or(|release| release.sequence != base.sequence) {
            return mismatch(format!("there is no release {} with sequence {}", base.version, base.sequence));
        }
    }
    Ok(())
}

fn sign_statement(
    mut change: Change<'_>,
    offline: &mut OfflineKeys,
    game: &GameId,
    target: &str,
    bytes: Vec<u8>,
) -> Result<(), PublishError> {
    change.put_target(&release_role(game), target, bytes, None)?;
    let disk = change.disk();
    let versions = change.commit()?;
    offline.save_signed(&disk, versions);
    Ok(())
}

impl State {
    fn role(&self, role: &str, game: &GameId) -> Result<&super::Targets, PublishError> {
        self.delegated.get(role).ok_or_else(|| PublishError::NoGame(game.to_string()))
    }

    fn releases(&self, game: &GameId) -> Result<Vec<ReleaseInfo>, PublishError> {
        let targets = self.role(&release_role(game), game)?;
        let prefix = format!("games/{game}/releases/");
        let mut releases: Vec<ReleaseInfo> = targets
            .targets
            .iter()
            .filter_map(|(target, info)| {
                let version = target.strip_prefix(&prefix)?.strip_suffix(".manifest")?;
                Some(ReleaseInfo {
                    version: Version::parse(version).ok()?,
                    sequence: info.custom.as_ref()?.sequence,
                    target: target.clone(),
                    sha256: info.hashes.sha256.clone(),
                    manifest_len: info.length,
                })
            })
            .collect();
        releases.sort_by_key(|release| release.sequence);
        Ok(releases)
    }
}
