//! What a release costs the players who come from one release, and which files cost it.

use super::install::{TargetLeaves, imagine};
use super::packs::New;
use super::reason::{Inspector, Reason, ReasonTotal};
use super::{share, ways};
use crate::error::Result;
use crate::store::{BlobContent, Blobs, DataDir};
use manifests::plan::{Plan, PlanOptions, plan};
use manifests::release::ReleaseManifest;
use manifests::route::{Candidate, Disk, Environment, Input, Route, Weights, route};
use manifests::trust::publisher::Repository;
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};

/// Files that are named.
const NAMED: usize = 10;

/// What everything is computed from.
pub(super) struct Scene<'a> {
    pub(super) dir: &'a DataDir,
    pub(super) repository: &'a Repository,
    pub(super) target: &'a ReleaseManifest,
    /// The build's files.
    pub(super) content: &'a BlobContent,
    pub(super) leaves: TargetLeaves,
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
        let local = imagine(base, self.target, &blobs);
        let plan: Plan = plan(&local, self.target, &self.leaves, PlanOptions::default());
        let missing = plan.costs.bytes_fetch;
        let ways = ways::gather(self.dir, self.repository, self.target, self.packs, base, missing);
        let held = HashMap::new();
        let routes = |disk: Disk| {
            route(&Input {
                local: &local,
                target: self.target,
                plan: &plan,
                missing: None,
                releases: &ways.releases,
                packs: &ways.packs,
                held: &held,
                leaves: &self.leaves,
                environment: &Environment { disk, ..Environment::default() },
                weights: &Weights::default(),
            })
        };
        // A launcher does not know its disk, and takes it for one without heads.
        let ssd = routes(Disk::Ssd);
        let Some(chosen) = ssd.chosen() else {
            return Err(crate::error::Error::RepositoryDamaged("no route leads to the build".to_owned()));
        };
        let hdd = routes(Disk::Hdd);
        let shares = share::by_path(chosen, self.target, &ways.releases, &ways.packs);
        let (reasons, files) = self.why(base, &shares, &blobs);
        let seconds = |route: &Route| seconds(route.named(&chosen.name).unwrap_or(chosen));
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
            plain_bytes: ssd.named("plain").map_or(0, |plain| plain.costs.network.payload()),
            bytes_written: chosen.costs.disk_written,
            temp_bytes_peak: chosen.costs.temp_peak,
            seconds_hdd: seconds(&hdd),
            seconds_ssd: seconds(&ssd),
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

fn seconds(candidate: &Candidate) -> f64 {
    candidate.costs.time_micros as f64 / 1e6
}
