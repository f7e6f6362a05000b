//! Computing the route.

use std::collections::BTreeMap;
use std::ops::Range;

use super::cost::{self, Costs, Network};
use super::{Candidate, Input, Kind, Route};
use crate::plan::{Op, Plan};

/// Every way to the release, cheapest first.
pub fn route(input: &Input<'_>) -> Route {
    let mut candidates = vec![without_packs(input, Kind::Plain), without_packs(input, Kind::Reuse)];
    candidates.sort_by_cached_key(|one| {
        (one.cost, one.costs.network.payload(), one.mixed, one.kind, one.name.clone())
    });
    Route { candidates, chosen: 0 }
}

/// What is missing when nothing is known better: what the plan fetches.
fn missing(input: &Input<'_>, plan: &Plan) -> Vec<(usize, Vec<Range<u64>>)> {
    plan.fetch(&input.target.files).filter(|(_, ranges)| !ranges.is_empty()).collect()
}

fn without_packs(input: &Input<'_>, kind: Kind) -> Candidate {
    let whole = (kind == Kind::Plain).then(|| input.plan.whole_files(&input.target.files));
    let plan = whole.as_ref().unwrap_or(input.plan);
    let content = match input.missing {
        Some(known) if kind != Kind::Plain => known.to_vec(),
        _ => missing(input, plan),
    };
    let network = Network { content: bytes_of(&content), ..Network::default() };
    let mut costs = staged(plan);
    costs.network = network;
    finish(input, kind, plan, content, costs)
}

fn finish(
    input: &Input<'_>,
    kind: Kind,
    plan: &Plan,
    content: Vec<(usize, Vec<Range<u64>>)>,
    mut costs: Costs,
) -> Candidate {
    cost::set_time(&mut costs, files_staged(plan), input.environment);
    Candidate {
        kind,
        mixed: false,
        name: kind.name().to_owned(),
        steps: Vec::new(),
        heals: Vec::new(),
        sources: BTreeMap::new(),
        content,
        costs,
        cost: input.weights.weigh(&costs),
    }
}

/// What every candidate writes: the staged files.
fn staged(plan: &Plan) -> Costs {
    Costs {
        disk_written: plan.costs.bytes_written,
        temp_peak: plan.costs.temp_bytes,
        cpu_micros: cost::staged_micros(plan.costs.bytes_written),
        ..Costs::default()
    }
}

fn files_staged(plan: &Plan) -> u64 {
    let staged = |op: &&Op| {
        matches!(
            op,
            Op::Copy { .. } | Op::Duplicate { .. } | Op::Rebuild { .. } | Op::Fetch | Op::Link { .. }
        )
    };
    plan.ops.iter().filter(staged).count() as u64
}

fn bytes_of(content: &[(usize, Vec<Range<u64>>)]) -> u64 {
    content.iter().flat_map(|(_, ranges)| ranges).map(|range| range.end - range.start).sum()
}
