//! What a release costs the players who come from one release, and which files cost it.

use super::leaves::Leaves;
use super::moved::{Old, Sums};
use super::packs::New;
use super::reason::{Inspector, Reason, ReasonTotal};
use super::{share, ways};
use crate::error::Result;
use crate::store::{BlobContent, Blobs, DataDir};
use manifests::release::ReleaseManifest;
use manifests::reuse::{OldFiles, SumSource};
use manifests::route::{Disk, Environment, Forecast, Weights, forecast};
use manifests::trust::publisher::Repository;
use serde::Serialize;
use std::collections::BTreeMap;

/// Files that are named.
const NAMED: usize = 10;

/// What everything is computed from.
pub(super) struct Scene<'a> {
    pub(super) dir: &'a DataDir,
    pub(super) repository: &'a Repository,
    pub(super) target: &'a ReleaseManifest,
    /// The build's files.
    pub(super) content: &'a BlobContent,
    pub(super) leaves: Leaves,
    pub(super) packs: &'a [New],
}

/// A file that costs much.
#[derive(Clone, Debug, Serialize)]
pub struct Costly {
    /// Its path.
    pub path: String,
    /// Bytes over the network that are its share.
    pub bytes: u64,
    /// Its length in bytes.
    pub file_bytes: u64,
    /// Why.
    pub reason: Reason,
    /// What was seen.
    pub detail: String,
    /// What the studio can do about it.
    pub advice: String,
}

/// Players who come from one release, or from nothing.
#[derive(Clone, Debug, Serialize)]
pub struct Cohort {
    /// `N-1`, `N-5` or what there is instead, `fresh`.
    pub cohort: String,
    /// The release they have.
    pub release: Option<String>,
    /// What is to be said about the choice of release.
    pub note: Option<String>,
    /// The route a launcher takes.
    pub route: String,
    /// Bytes over the network.
    pub network_bytes: u64,
    /// Of these, from packs.
    pub pack_bytes: u64,
    /// Of these, packs' indexes.
    pub index_bytes: u64,
    /// Of these, from the content torrent.
    pub content_bytes: u64,
    /// Bytes over the network if whole changed files were fetched.
    pub plain_bytes: u64,
    /// Bytes written to the disk.
    pub bytes_written: u64,
    /// Most space needed on top of the install as it is, in bytes.
    pub temp_bytes_peak: u64,
    /// Seconds with an HDD.
    pub seconds_hdd: f64,
    /// Seconds with an SSD.
    pub seconds_ssd: f64,
    /// Processor time, in seconds.
    pub cpu_seconds: f64,
    /// Files of which something is fetched.
    pub changed_files: u64,
    /// Why it costs what it costs, dearest first.
    pub reasons: Vec<ReasonTotal>,
    /// The files that cost most.
    pub files: Vec<Costly>,
}

impl Scene<'_> {
    /// What it costs players who have `base`.
    pub(super) fn cohort(
        &self,
        cohort: String,
        base: Option<&ReleaseManifest>,
        note: Option<String>,
    ) -> Result<Cohort> {
        let blobs = Blobs::new(self.dir);
        let ways = ways::gather(self.dir, self.repository, self.target, self.packs, base);
        let old = base.map(|base| Old::new(base, &blobs));
        let sums = Sums::new(self.target, self.content);
        // A launcher does not know its disk, and takes it for one without heads.
        let environment = Environment::default();
        let forecasted = forecast(&Forecast {
            installed: base.map(|_| 0),
            target: self.target,
            releases: &ways.releases,
            packs: &ways.packs,
            leaves: &self.leaves,
            moved: old.as_ref().map(|old| (old as &dyn OldFiles, &sums as &dyn SumSource)),
            environment: &environment,
            weights: &Weights::default(),
        });
        let Some(chosen) = forecasted.chosen() else {
            return Err(crate::error::Error::RepositoryDamaged("no route leads to the build".to_owned()));
        };
        let shares = share::by_path(chosen, self.target, &ways.releases, &ways.packs);
        let (reasons, files) = self.why(base, &shares, &blobs);
        let seconds = |disk| chosen.costs.time_in(&Environment { disk, ..environment }) as f64 / 1e6;
        let network = chosen.costs.network;
        Ok(Cohort {
            cohort,
            release: base.map(|base| base.version.to_string()),
            note,
            route: chosen.name.clone(),
            network_bytes: network.payload(),
            pack_bytes: network.pack,
            index_bytes: network.index,
            content_bytes: network.content + network.heal,
            plain_bytes: forecasted.route.named("plain").map_or(0, |plain| plain.costs.network.payload()),
            bytes_written: chosen.costs.disk_written,
            temp_bytes_peak: chosen.costs.temp_peak,
            seconds_hdd: seconds(Disk::Hdd),
            seconds_ssd: seconds(Disk::Ssd),
            cpu_seconds: chosen.costs.cpu_micros as f64 / 1e6,
            changed_files: shares.len() as u64,
            reasons,
            files,
        })
    }

    /// Why the files cost what they cost: in all, and those that cost most.
    fn why(
        &self,
        base: Option<&ReleaseManifest>,
        shares: &BTreeMap<&str, u64>,
        blobs: &Blobs,
    ) -> (Vec<ReasonTotal>, Vec<Costly>) {
        let mut dearest: Vec<(&str, u64)> = shares.iter().map(|(path, bytes)| (*path, *bytes)).collect();
        dearest.sort_by_key(|(path, bytes)| (std::cmp::Reverse(*bytes), *path));
        let mut inspector = Inspector::new(base, self.target, self.content, blobs);
        let mut totals: BTreeMap<Reason, ReasonTotal> = BTreeMap::new();
        let mut named = Vec::new();
        for (path, bytes) in dearest {
            let finding = inspector.look(path);
            let total = totals.entry(finding.reason).or_insert_with(|| ReasonTotal::of(finding.reason));
            total.files += 1;
            total.bytes += bytes;
            if named.len() < NAMED {
                named.push(Costly {
                    path: path.to_owned(),
                    bytes,
                    file_bytes: finding.file_bytes,
                    reason: finding.reason,
                    detail: finding.detail,
                    advice: finding.advice.to_owned(),
                });
            }
        }
        let mut totals: Vec<ReasonTotal> = totals.into_values().collect();
        totals.sort_by_key(|total| std::cmp::Reverse(total.bytes));
        (totals, named)
    }
}
