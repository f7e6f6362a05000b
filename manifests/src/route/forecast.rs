//! What an update will cost installs that nobody touched: the same plan and route as a launcher's, without a disk.

use std::collections::HashMap;
use std::sync::Arc;

use super::candidate::{Candidate, Route};
use super::cost::{Costs, Environment, Weights};
use super::input::{Input, Known, Offer};
use super::solve::{route, worth_asking};
use crate::folder::LeafSource;
use crate::hash::{BLOCK_LEN, Hash};
use crate::plan::{Local, Plan, PlanOptions, plan};
use crate::release::{FileIdentity, ReleaseManifest};
use crate::reuse::{self, OldFiles, SumSource};

/// A cohort's question.
#[derive(Clone, Copy)]
pub struct Forecast<'a> {
    /// What is installed: index into `releases`; `None` for an empty folder.
    pub installed: Option<usize>,
    /// The release to come.
    pub target: &'a ReleaseManifest,
    /// The installed release and those between, for chains.
    pub releases: &'a [Known],
    /// The packs there will be.
    pub packs: &'a [Offer],
    /// Leaves of the files of all these releases. More may be known than will be published: what a launcher does not get
    /// to know is not used.
    pub leaves: &'a dyn LeafSource,
    /// The files of the installed release, and the checksums of the target's, by which a launcher finds blocks that
    /// moved; `None` where no checksums will be published.
    pub moved: Option<(&'a dyn OldFiles, &'a dyn SumSource)>,
    /// Where the update runs. A launcher that knows nothing better takes [`Environment::default`].
    pub environment: &'a Environment,
    /// What counts; launchers take [`Weights::default`].
    pub weights: &'a Weights,
}

/// The answer.
#[derive(Debug, Clone)]
pub struct Forecasted {
    /// The plan.
    pub plan: Plan,
    /// Every candidate and the choice.
    pub route: Route,
}

impl Forecasted {
    /// What the launcher will do.
    pub fn chosen(&self) -> Option<&Candidate> {
        self.route.chosen()
    }

    /// What that costs: `bytes_written` and `temp_bytes_peak` of a real update are its `disk_written` and `temp_peak`,
    /// its network payload the bytes a real update promises.
    pub fn costs(&self) -> Costs {
        self.chosen().map(|chosen| chosen.costs).unwrap_or_default()
    }
}

/// Forecasts what an update costs an install that is as the studio made it.
pub fn forecast(question: &Forecast<'_>) -> Forecasted {
    let installed = question.installed.and_then(|at| question.releases.get(at));
    let mut local = match installed {
        Some(known) => Local::undisturbed(&known.manifest, question.target, question.leaves),
        None => Local::default(),
    };
    let leaves = Published { all: question.leaves, piece_len: u64::from(question.target.piece_len) };
    let make_plan = |local: &Local| plan(local, question.target, &leaves, PlanOptions::default());
    let mut plan = make_plan(&local);
    if let Some((old, sums)) = question.moved.filter(|_| !plan.wants_sums.is_empty()) {
        // Nobody stops it, so it has an answer.
        let pieces = reuse::find(old, &local, question.target, &plan, &leaves, sums, &());
        local.pieces = pieces.unwrap_or_default();
        plan = make_plan(&local);
    }
    let held = HashMap::new();
    let input = Input {
        local: &local,
        target: question.target,
        plan: &plan,
        missing: None,
        releases: question.releases,
        packs: question.packs,
        held: &held,
        leaves: &leaves,
        environment: question.environment,
        weights: question.weights,
    };
    // Of the packs there will be, launchers look into those that may be of use.
    let asked = worth_asking(&input);
    let mut packs = question.packs.to_vec();
    packs
        .iter_mut()
        .enumerate()
        .filter(|(at, _)| !asked.contains(at))
        .for_each(|(_, pack)| pack.index = None);
    let route = route(&Input { packs: &packs, ..input });
    Forecasted { plan, route }
}

/// The leaves of the target that a launcher gets to know: of files of one block by their root, of larger ones by the
/// torrent where a piece is a block, and as `.leaves` where they have more than one piece.
struct Published<'a> {
    all: &'a dyn LeafSource,
    piece_len: u64,
}

impl LeafSource for Published<'_> {
    fn leaves(&self, identity: &FileIdentity) -> Option<Arc<[Hash]>> {
        let known = identity.len <= BLOCK_LEN || self.piece_len <= BLOCK_LEN || identity.len > self.piece_len;
        known.then(|| self.all.leaves(identity)).flatten()
    }
}
