//! Computing the route.

use std::collections::BTreeSet;

use super::assemble;
use super::candidate::{Candidate, Kind, Owner, Route};
use super::chain;
use super::evaluate::{Dropped, Path};
use super::input::{Input, Offer, PackInfo};
use super::mix;
use super::ranges;
use super::step::Stage;
use super::world::World;
use crate::pack::{TreeId, tree_id};

/// Every way to the release, cheapest first.
pub fn route(input: &Input<'_>) -> Route {
    let world = World::new(input);
    let mut candidates =
        vec![assemble::without_packs(&world, Kind::Plain), assemble::without_packs(&world, Kind::Reuse)];
    if !world.missing.is_empty() {
        for path in pack_paths(&world, |offer| offer.index.is_some()) {
            add_path(&world, &path, &mut candidates);
        }
    }
    candidates.sort_by_cached_key(|one| {
        (one.cost, one.costs.network.payload(), one.mixed, one.kind, one.name.clone())
    });
    Route { candidates, chosen: 0 }
}

/// The packs, by their number in `input.packs`, whose indexes are worth fetching: those on the paths with the fewest
/// bytes, as far as an index is shorter than all that is missing. Indexes need not be known yet; every one that is
/// fetched counts for every candidate ([`super::Network::index`]).
pub fn worth_asking(input: &Input<'_>) -> BTreeSet<usize> {
    let world = World::new(input);
    let missing: u64 = world.missing.values().map(|set| ranges::bytes(set)).sum();
    pack_paths(&world, |offer| offer.info.index_len < missing).into_iter().flatten().collect()
}

/// The paths whose packs, and the manifests between them, are known. `is_open` says which packs can be looked into.
fn pack_paths(world: &World<'_>, is_open: impl Fn(&Offer) -> bool) -> Vec<Vec<usize>> {
    let input = world.input;
    let known: BTreeSet<TreeId> = input.releases.iter().map(|known| known.tree).collect();
    let target = tree_id(&input.target.files);
    let is_usable = |info: &PackInfo| {
        info.base.is_none_or(|base| known.contains(&base))
            && (info.target == target || known.contains(&info.target))
    };
    // Indices into `input.packs` of those that can be looked into.
    let (usable, infos): (Vec<usize>, Vec<PackInfo>) = input
        .packs
        .iter()
        .enumerate()
        .filter(|(_, offer)| is_open(offer) && is_usable(&offer.info))
        .map(|(at, offer)| (at, offer.info))
        .unzip();
    let starts: Vec<(TreeId, u64)> = (0..)
        .zip(input.releases)
        .filter_map(|(at, known)| Some((known.tree, world.completing(at)?)))
        .collect();
    let paths = chain::paths(&infos, &starts, target);
    let back = |path: Vec<usize>| path.iter().filter_map(|at| usable.get(*at).copied()).collect();
    paths.into_iter().map(back).collect()
}

/// Adds what a path comes to, with all its frames and without those that are too dear.
fn add_path(world: &World<'_>, packs: &[usize], candidates: &mut Vec<Candidate>) {
    let input = world.input;
    let mut stages = Vec::with_capacity(packs.len());
    for (at, pack) in packs.iter().enumerate() {
        let target = if at + 1 == packs.len() {
            Some(Owner::Target)
        } else {
            let tree = input.packs.get(*pack).map(|offer| offer.info.target);
            input.releases.iter().position(|known| Some(known.tree) == tree).map(Owner::Release)
        };
        let Some(stage) = target.and_then(|target| Stage::new(input, *pack, target)) else { return };
        stages.push(stage);
    }
    let kind = match stages.as_slice() {
        [only] if only.base.is_none() => Kind::Full,
        [_] => Kind::Direct,
        _ => Kind::Chain,
    };
    let name = unique(name_of(input, kind, &stages), candidates);
    let path = Path::new(world, stages);
    let nothing = Dropped::new();
    let pure = path.evaluate(&nothing);
    let (dropped, mixed) = mix::search(&path, &pure);
    let mut found = Vec::new();
    if dropped.iter().any(|set| !set.is_empty()) {
        found.extend(assemble::candidate(&path, mixed, kind, format!("{name}-mixed"), true));
    }
    found.extend(assemble::candidate(&path, pure, kind, name, false));
    // A pack that nothing is asked of makes it a shorter path, which is a candidate of its own.
    found.retain(|one| one.steps.len() == packs.len());
    candidates.append(&mut found);
}

/// `direct`, `full`, `chain-3.1.4` by the releases between.
fn name_of(input: &Input<'_>, kind: Kind, stages: &[Stage<'_>]) -> String {
    let mut name = kind.name().to_owned();
    for stage in stages {
        if let Owner::Release(release) = stage.target
            && let Some(known) = input.releases.get(release)
        {
            name = format!("{name}-{}", known.manifest.version);
        }
    }
    name
}

/// A second direct path (from another release) needs a name of its own.
fn unique(name: String, candidates: &[Candidate]) -> String {
    let taken = |name: &str| candidates.iter().any(|one| one.name == name);
    if !taken(&name) {
        return name;
    }
    let mut numbered = (2u32..).map(|number| format!("{name}-{number}"));
    numbered.find(|name| !taken(name)).unwrap_or(name)
}
