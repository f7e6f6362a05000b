//! `seedbox preview`: what a build would cost the players who would get it, before it is published.
//!
//! The build is scanned and hashed as `publish` does, the packs are made by the same encoder with the same options, and
//! [`manifests::route`], the code that a launcher chooses with, is asked about installs that are imagined: the previous
//! release, an old one, nothing at all. Files are read where they lie (the build's in its folder, old ones in the store)
//! and packs are counted and thrown away, so nothing is written anywhere and no key is needed.
//!
//! What the figures leave out: metadata (lists, torrents, leaf hashes), and whatever a player's install has beyond its
//! release: damage, mods, packs in the cache.

mod packs;
mod leaves;
mod moved;
mod ways;
mod share;
mod reason;
mod cohort;
mod history;
mod text;
mod html;

#[cfg(test)]
mod tests;

pub use cohort::{Cohort, Costly};
pub use history::Earlier;
pub use html::write_page;
pub use reason::{Reason, ReasonTotal};

use crate::error::{Error, Result};
use crate::platform;
use crate::progress::Progress;
use crate::publish::{self, PublishOptions};
use crate::store::{BlobContent, Blobs, DataDir};
use cohort::Scene;
use leaves::Leaves;
use manifests::pack::TreeRef;
use manifests::release::ReleaseManifest;
use manifests::route::Environment;
use manifests::trust::publisher::{PublishError, Repository};
use protocol::units::{InfoHashV1, InfoHashV2};
use serde::Serialize;

/// How many releases back the second cohort is.
const FAR_BACK: usize = 5;

/// What to look at.
#[derive(Clone, Debug)]
pub struct PreviewOptions {
    /// As for a publish; the keys are not looked at.
    pub publish: PublishOptions,
    /// What must not be exceeded.
    pub limits: Limits,
}

/// What an update from the previous release may cost a player.
#[derive(Clone, Copy, Debug, Default)]
pub struct Limits {
    /// Bytes over the network.
    pub max_patch_bytes: Option<u64>,
    /// Bytes of temporary space.
    pub max_temp_bytes: Option<u64>,
}

/// A pack that a publish would make.
#[derive(Clone, Debug, Serialize)]
pub struct PackPreview {
    /// The version it starts from; none for the full pack.
    pub base: Option<String>,
    /// Its bytes, the index included: exactly those of the published pack.
    pub bytes: u64,
    /// Bytes of the index.
    pub index_bytes: u64,
}

/// A limit that was given, and what it came to.
#[derive(Clone, Debug, Serialize)]
pub struct LimitCheck {
    /// The long option.
    pub option: &'static str,
    /// Bytes allowed.
    pub limit: u64,
    /// Bytes an update from the previous release takes.
    pub bytes: u64,
    /// How much more than allowed; 0 when it holds.
    pub exceeded_by: u64,
}

/// What a release would cost.
#[derive(Clone, Debug, Serialize)]
pub struct Preview {
    /// The game.
    pub game: String,
    /// The version it would be published under.
    pub release: String,
    /// The channel whose players would get it.
    pub channel: String,
    /// Files of the build, links included.
    pub files: u64,
    /// Bytes of the build.
    pub bytes: u64,
    /// The level of its packs.
    pub level: &'static str,
    /// The speed of all sources together that times are for, in bytes a second.
    pub source_bytes_per_second: u64,
    /// The packs, the full one first.
    pub packs: Vec<PackPreview>,
    /// Who updates from where at which cost: the previous release, an old one, nothing.
    pub cohorts: Vec<Cohort>,
    /// What earlier releases cost the players of their previous one, oldest first, as far as that is known.
    pub earlier: Vec<Earlier>,
    /// The limits.
    pub limits: Vec<LimitCheck>,
    /// How long it took to find out.
    pub seconds: f64,
}

/// Looks at a build as `publish` would, and says what it would cost.
///
/// # Errors
/// Those of [`crate::publish()`] for whatever could not be published. Limits are not looked at: see [`Preview::check`].
pub fn preview(options: &PreviewOptions, progress: &dyn Progress) -> Result<Preview> {
    let started = platform::monotonic();
    let asked = &options.publish;
    let dir = DataDir::open(&asked.data)?;
    let repository = publish::open_repository(&dir)?;
    let known = repository.games().contains(&asked.game);
    let sequence = publish::sequence(&repository, asked, known)?;
    let bases = publish::bases(&dir, &repository, asked, known)?;
    let history = if known { history::releases(&repository, asked)? } else { Vec::new() };

    let mut build = publish::look_at_build(None, asked, progress)?;
    let target = manifest(asked, sequence, &build)?;
    let leaves = Leaves::new(&mut build.hashed, Blobs::new(&dir));
    let paths = build.scan.files.iter().map(|found| found.source.clone()).collect();
    let content = BlobContent::of_build(paths, &target.files);
    let blobs = Blobs::new(&dir);
    let tree = TreeRef { files: &target.files, content: &content };
    let packs = packs::make(tree, &bases, &blobs, &asked.packs, progress)?;
    progress.step("routes");
    let scene = Scene {
        dir: &dir,
        repository: &repository,
        target: &target,
        content: &content,
        leaves,
        packs: &packs,
    };
    let cohorts = cohorts(&scene, &history)?;
    build.check_unchanged(&asked.build)?;
    let limits = limits(&options.limits, &cohorts);
    Ok(Preview {
        game: asked.game.to_string(),
        release: asked.version.to_string(),
        channel: asked.channel.to_string(),
        files: target.files.len() as u64,
        bytes: target.total_bytes(),
        level: crate::packs::level_name(asked.packs.level),
        source_bytes_per_second: Environment::default().source_rate,
        packs: packs.iter().map(packs::New::told).collect(),
        cohorts,
        earlier: history::earlier(&repository, &asked.game, &history),
        limits,
        seconds: started.elapsed().as_secs_f64(),
    })
}

/// The manifest as it would be signed, but for the torrents' hashes: nothing here depends on those.
fn manifest(options: &PublishOptions, sequence: u64, build: &publish::Build) -> Result<ReleaseManifest> {
    let hashes = (InfoHashV1([1; 20]), InfoHashV2([1; 32]), InfoHashV1([2; 20]));
    let manifest = publish::manifest(options, sequence, build, hashes);
    // What could not be signed is not worth a look.
    manifest.encode().map_err(PublishError::from)?;
    Ok(manifest)
}

/// Who would get it. `history` is what the channel pointed at, oldest first.
fn cohorts(scene: &Scene<'_>, history: &[ReleaseManifest]) -> Result<Vec<Cohort>> {
    let mut cohorts = Vec::new();
    if let Some(previous) = history.last() {
        cohorts.push(scene.cohort("N-1".to_owned(), Some(previous), None)?);
    }
    let back = history.len().min(FAR_BACK);
    if let Some(old) = history.len().checked_sub(back).and_then(|at| history.get(at)).filter(|_| back > 1) {
        let note = (back < FAR_BACK).then(|| "the oldest release there is".to_owned());
        cohorts.push(scene.cohort(format!("N-{back}"), Some(old), note)?);
    }
    cohorts.push(scene.cohort("fresh".to_owned(), None, None)?);
    Ok(cohorts)
}

/// Limits hold for the update that most players make: the one from the previous release.
fn limits(limits: &Limits, cohorts: &[Cohort]) -> Vec<LimitCheck> {
    let Some(update) = cohorts.iter().find(|cohort| cohort.cohort == "N-1") else { return Vec::new() };
    let check = |option, limit: Option<u64>, bytes: u64| {
        limit.map(|limit| LimitCheck { option, limit, bytes, exceeded_by: bytes.saturating_sub(limit) })
    };
    let patch = check("--max-patch-bytes", limits.max_patch_bytes, update.network_bytes);
    let temp = check("--max-temp-bytes", limits.max_temp_bytes, update.temp_bytes_peak);
    patch.into_iter().chain(temp).collect()
}

impl Preview {
    /// Whether every limit holds.
    ///
    /// # Errors
    /// [`Error::OverLimit`] with each limit that does not, and by how much.
    pub fn check(&self) -> Result<()> {
        let over = self.limits.iter().filter(|check| check.exceeded_by > 0);
        let said: Vec<String> = over.map(text::excess).collect();
        if said.is_empty() { Ok(()) } else { Err(Error::OverLimit(said.join("; "))) }
    }
}

/// A manifest of the repository, or none when it is not to be had.
fn manifest_of(
    repository: &Repository,
    game: &manifests::release::GameId,
    version: &manifests::release::Version,
) -> Option<ReleaseManifest> {
    repository.manifest(game, version).ok()
}
