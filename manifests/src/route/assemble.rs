//! From what a path comes to, to a candidate and its costs.

use std::collections::BTreeMap;
use std::ops::Range;

use super::candidate::{BaseSource, Build, Candidate, Heal, Kind, Step, Write};
use super::cost::{self, Costs, Network};
use super::evaluate::{Outcome, Path};
use super::input::Missing;
use super::ranges;
use super::world::World;
use crate::hash::BlockMap;
use crate::plan::{Op, Plan};

/// What an outcome costs.
pub(crate) fn costs(path: &Path<'_>, outcome: &Outcome) -> Costs {
    let input = path.world.input;
    let mut costs = staged(input.plan);
    costs.network.index = path.world.index_bytes;
    for (at, (stage, work)) in path.stages.iter().zip(&outcome.work).enumerate() {
        if work.builds.is_empty() {
            continue;
        }
        let Some(offer) = input.packs.get(stage.pack) else { continue };
        let blocks = stage.blocks(&work.frames, offer.info.id.len);
        costs.network.pack += not_held(&blocks, input.held.get(&offer.info.id));
        let frames = work.frames.iter().filter_map(|frame| stage.frame(*frame));
        costs.cpu_micros += frames.map(cost::frame_micros).sum::<u64>();
        if at + 1 < path.stages.len() {
            let writes = work.builds.values().flatten();
            let between = writes.map(|write| write.range().end - write.range().start).sum::<u64>();
            costs.disk_written += between;
            costs.temp_peak += between;
            costs.cpu_micros += cost::staged_micros(between);
            costs.files_written += work.builds.len() as u64;
        }
    }
    for (id, (wounded, needed)) in &outcome.heals {
        let fetch = ranges::bytes(&wounded.fetch(needed, id.len));
        let healed = fetch + ranges::bytes(&wounded.copy(needed, id.len));
        costs.network.heal += fetch;
        costs.disk_written += healed;
        costs.temp_peak += healed;
        costs.cpu_micros += cost::staged_micros(healed);
        costs.files_written += 1;
    }
    costs.network.content = outcome.content.values().map(|set| ranges::bytes(set)).sum();
    costs.disk_written += costs.network.pack;
    costs.temp_peak += costs.network.pack;
    costs.time_micros = costs.time_in(input.environment);
    costs
}

/// The candidate of an outcome; `None` when nothing is left of its packs.
pub(crate) fn candidate(
    path: &Path<'_>,
    outcome: Outcome,
    kind: Kind,
    name: String,
    mixed: bool,
) -> Option<Candidate> {
    let costs = costs(path, &outcome);
    let input = path.world.input;
    let (mut steps, mut step_of) = (Vec::new(), BTreeMap::new());
    for (at, (stage, work)) in path.stages.iter().zip(outcome.work).enumerate() {
        if work.builds.is_empty() {
            continue;
        }
        step_of.insert(at, steps.len());
        let pack_len = input.packs.get(stage.pack).map_or(0, |offer| offer.info.id.len);
        steps.push(Step {
            pack: stage.pack,
            base: stage.base,
            target: stage.target,
            blocks: stage.blocks(&work.frames, pack_len),
            frames: work.frames.into_iter().collect(),
            builds: work.builds.into_iter().map(|(file, writes)| Build { file, writes }).collect(),
        });
    }
    if steps.is_empty() {
        return None;
    }
    let mut sources = outcome.sources;
    for source in sources.values_mut() {
        if let BaseSource::Built { step, .. } = source {
            *step = step_of.get(step).copied().unwrap_or(*step);
        }
    }
    let mut heals = Vec::new();
    for (id, (wounded, needed)) in &outcome.heals {
        sources.insert(*id, BaseSource::Healed(heals.len()));
        heals.push(Heal {
            id: *id,
            release: wounded.release,
            file: wounded.file,
            from: wounded.from.clone(),
            copy: wounded.copy(needed, id.len),
            fetch: wounded.fetch(needed, id.len),
        });
    }
    let content = outcome.content.into_iter().collect();
    let cost = input.weights.weigh(&costs);
    Some(Candidate { kind, mixed, name, steps, heals, sources, content, costs, cost })
}

/// The candidates that need no pack.
pub(crate) fn without_packs(world: &World<'_>, kind: Kind) -> Candidate {
    let input = world.input;
    let whole = (kind == Kind::Plain).then(|| input.plan.whole_files(&input.target.files));
    let plan = whole.as_ref().unwrap_or(input.plan);
    // What an earlier run staged of a file that comes whole either way is not fetched again.
    let is_same = |at: usize| input.missing.is_some() && plan.ops.get(at) == input.plan.ops.get(at);
    let content: Vec<Missing> = match &whole {
        Some(plan) => plan
            .fetch(&input.target.files)
            .map(|(at, set)| match world.missing.get(&at) {
                known if is_same(at) => (at, known.cloned().unwrap_or_default()),
                _ => (at, set),
            })
            .filter(|(_, set)| !set.is_empty())
            .collect(),
        None => world.all_missing(),
    };
    let mut costs = staged(plan);
    let bytes = content.iter().map(|(_, set)| ranges::bytes(set)).sum();
    costs.network = Network { content: bytes, index: world.index_bytes, ..Network::default() };
    costs.time_micros = costs.time_in(input.environment);
    let cost = input.weights.weigh(&costs);
    Candidate {
        kind,
        mixed: false,
        name: kind.name().to_owned(),
        steps: Vec::new(),
        heals: Vec::new(),
        sources: BTreeMap::new(),
        content,
        costs,
        cost,
    }
}

/// What every candidate writes: the staged files.
fn staged(plan: &Plan) -> Costs {
    Costs {
        disk_written: plan.costs.bytes_written,
        temp_peak: plan.costs.temp_bytes,
        cpu_micros: cost::staged_micros(plan.costs.bytes_written),
        files_written: files_staged(plan),
        ..Costs::default()
    }
}

fn files_staged(plan: &Plan) -> u64 {
    let staged = |op: &&Op| {
        matches!(
            op,
            Op::Copy { .. }
                | Op::Duplicate { .. }
                | Op::Rebuild { .. }
                | Op::Patch { .. }
                | Op::Fetch
                | Op::Link { .. }
        )
    };
    plan.ops.iter().filter(staged).count() as u64
}

/// Bytes of `blocks` that are not in the cache.
pub(crate) fn not_held(blocks: &[Range<u64>], held: Option<&BlockMap>) -> u64 {
    match held {
        Some(held) => ranges::bytes(&ranges::subtract(blocks, &held.ranges(true))),
        None => ranges::bytes(blocks),
    }
}

/// The bytes a frame's writes have in a file.
pub(crate) fn writes_of_frames(writes: &[Write]) -> BTreeMap<u32, Vec<Range<u64>>> {
    let mut by_frame: BTreeMap<u32, Vec<Range<u64>>> = BTreeMap::new();
    for write in writes {
        if let Write::Frame { frame, .. } = write {
            by_frame.entry(*frame).or_default().push(write.range());
        }
    }
    by_frame
}
