//! Which frames to leave out: a search that begins with all of them.
//!
//! What leaving one out would change is estimated from what only it needs (blocks of the pack, healed base data) and what
//! its files would take as content. All that look worth it are left out at once, then the sum is taken anew; estimates
//! that were wrong together are tried one by one. Frames that share a damaged base file are also tried together. The
//! number of sums is bounded, and nothing depends on chance.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::assemble::{costs, not_held, writes_of_frames};
use super::candidate::Owner;
use super::cost::{self, Costs};
use super::evaluate::{Dropped, Outcome, Path};
use super::ranges;
use crate::hash::BLOCK_LEN;
use crate::release::FileIdentity;

/// Rounds of estimates, each followed by one sum.
const ROUNDS: usize = 6;
/// Sums of single frames and groups tried after that, at most.
const TRIES: usize = 96;
/// Recipe parts and base ranges looked at by all tries together: with very large indexes fewer are tried.
const WORK: usize = 8 << 20;

/// A frame of a stage.
type FrameAt = (usize, u32);

/// The best set of frames to leave out that was found, and what it comes to.
pub(crate) fn search(path: &Path<'_>, pure: &Outcome) -> (Dropped, Outcome) {
    let mut best = Best { path, cost: weigh(path, pure), dropped: none(path), outcome: pure.clone() };
    for _ in 0..ROUNDS {
        let gains = estimate(path, &best.outcome);
        let worth: Vec<FrameAt> = gains.iter().filter(|one| one.gain > 0).map(|one| one.frame).collect();
        if worth.is_empty() || !best.try_without(&worth) {
            break;
        }
    }
    let mut tries = (WORK / size(path).max(1)).clamp(2, TRIES);
    loop {
        let mut groups: Vec<Vec<FrameAt>> = by_heal(path, &best.outcome);
        let hopeful = estimate(path, &best.outcome).into_iter().filter(|one| one.at_best > 0);
        groups.extend(hopeful.take(tries).map(|one| vec![one.frame]));
        let before = best.cost;
        for group in groups {
            let Some(left) = tries.checked_sub(1) else { return (best.dropped, best.outcome) };
            tries = left;
            best.try_without(&group);
        }
        if best.cost == before {
            return (best.dropped, best.outcome);
        }
    }
}

struct Best<'p, 'a> {
    path: &'p Path<'a>,
    cost: u64,
    dropped: Dropped,
    outcome: Outcome,
}

impl Best<'_, '_> {
    fn try_without(&mut self, frames: &[FrameAt]) -> bool {
        let mut dropped = self.dropped.clone();
        for (at, frame) in frames {
            if let Some(set) = dropped.get_mut(*at) {
                set.insert(*frame);
            }
        }
        if dropped == self.dropped {
            return false;
        }
        let outcome = self.path.evaluate(&dropped);
        let cost = weigh(self.path, &outcome);
        let better = cost < self.cost;
        if better {
            (self.cost, self.dropped, self.outcome) = (cost, dropped, outcome);
        }
        better
    }
}

fn weigh(path: &Path<'_>, outcome: &Outcome) -> u64 {
    path.world.input.weights.weigh(&costs(path, outcome))
}

fn none(path: &Path<'_>) -> Dropped {
    path.stages.iter().map(|_| BTreeSet::new()).collect()
}

/// Recipe parts and base ranges of a path.
fn size(path: &Path<'_>) -> usize {
    let of_stage = |stage: &super::step::Stage<'_>| {
        let slices = stage.index.files.iter().map(|recipe| recipe.slices.len()).sum::<usize>();
        slices + stage.index.frames.iter().map(|frame| frame.prefix.len()).sum::<usize>()
    };
    path.stages.iter().map(of_stage).sum()
}

/// What leaving out one frame would save by the weights.
struct Estimate {
    /// When nothing else is left out.
    gain: i64,
    /// When all it shares with others went with it.
    at_best: i64,
    frame: FrameAt,
}

/// What leaving out each used frame would save, the most first. Losses are listed too.
fn estimate(path: &Path<'_>, outcome: &Outcome) -> Vec<Estimate> {
    let now = costs(path, outcome);
    let input = path.world.input;
    let weighed = i128::from(input.weights.weigh(&now));
    let saved = |pack: u64, heal: u64, content: u64, cpu: u64| {
        let mut then: Costs = now;
        then.network.pack = then.network.pack.saturating_sub(pack);
        then.network.heal = then.network.heal.saturating_sub(heal);
        then.network.content += content;
        then.disk_written = then.disk_written.saturating_sub(pack + heal);
        then.temp_peak = then.temp_peak.saturating_sub(pack + heal);
        then.cpu_micros = then.cpu_micros.saturating_sub(cpu);
        then.time_micros = then.time_in(input.environment);
        i64::try_from(weighed - i128::from(input.weights.weigh(&then))).unwrap_or(0)
    };
    let (mut alone, mut shared) = (BTreeMap::<FrameAt, u64>::new(), BTreeMap::<FrameAt, u64>::new());
    for (id, frames) in readers(path, outcome) {
        let Some((wounded, needed)) = outcome.heals.get(&id) else { continue };
        let bytes = ranges::bytes(&wounded.fetch(needed, id.len));
        let sums = if frames.len() == 1 { &mut alone } else { &mut shared };
        frames.into_iter().for_each(|frame| *sums.entry(frame).or_default() += bytes);
    }
    let mut estimates = Vec::new();
    for (at, (stage, work)) in path.stages.iter().zip(&outcome.work).enumerate() {
        if !path.may_drop(at) {
            continue;
        }
        let instead = instead(path, at, outcome);
        for frame in &work.frames {
            let Some(data) = stage.frame(*frame) else { continue };
            let key = (at, *frame);
            let heal = alone.get(&key).copied().unwrap_or(0);
            let all_heals = heal + shared.get(&key).copied().unwrap_or(0);
            let content = instead.get(frame).copied().unwrap_or(0);
            let pack = own_blocks(path, at, outcome, *frame);
            let cpu = cost::frame_micros(data);
            estimates.push(Estimate {
                gain: saved(pack, heal, content, cpu),
                at_best: saved(u64::from(data.len) + 2 * BLOCK_LEN, all_heals, content, cpu),
                frame: key,
            });
        }
    }
    estimates.sort_by_key(|one| (std::cmp::Reverse(one.gain), one.frame));
    estimates
}

/// The frames that read each file to be healed.
fn readers(path: &Path<'_>, outcome: &Outcome) -> BTreeMap<FileIdentity, Vec<FrameAt>> {
    let mut readers: BTreeMap<FileIdentity, Vec<FrameAt>> = BTreeMap::new();
    if outcome.heals.is_empty() {
        return readers;
    }
    for (at, (stage, work)) in path.stages.iter().zip(&outcome.work).enumerate() {
        for frame in &work.frames {
            for (_, id, _) in stage.reads(*frame) {
                if outcome.heals.contains_key(&id) {
                    let frames = readers.entry(id).or_default();
                    if frames.last() != Some(&(at, *frame)) {
                        frames.push((at, *frame));
                    }
                }
            }
        }
    }
    readers
}

/// Frames that share a file to be healed, the dearest file first.
fn by_heal(path: &Path<'_>, outcome: &Outcome) -> Vec<Vec<FrameAt>> {
    let mut groups: Vec<(u64, Vec<FrameAt>)> = Vec::new();
    for (id, frames) in readers(path, outcome) {
        let Some((wounded, needed)) = outcome.heals.get(&id) else { continue };
        let frames: Vec<FrameAt> = frames.into_iter().filter(|(at, _)| path.may_drop(*at)).collect();
        if frames.len() > 1 {
            groups.push((ranges::bytes(&wounded.fetch(needed, id.len)), frames));
        }
    }
    groups.sort_by(|one, other| other.cmp(one));
    groups.dedup_by(|next, last| next.1 == last.1);
    groups.truncate(TRIES / 2);
    groups.into_iter().map(|(_, frames)| frames).collect()
}

/// Bytes of the pack's blocks that only this frame needs.
fn own_blocks(path: &Path<'_>, at: usize, outcome: &Outcome, frame: u32) -> u64 {
    let (Some(stage), Some(work)) = (path.stages.get(at), outcome.work.get(at)) else { return 0 };
    let (Some(data), Some(offer)) = (stage.frame(frame), path.world.input.packs.get(stage.pack)) else {
        return 0;
    };
    let len = offer.info.id.len;
    let mut own = ranges::blocks(&[data.range()], len);
    // Frames lie in order: only neighbours within a block of it share blocks.
    let near = |other: u32| stage.frame(other).map(|frame| ranges::blocks(&[frame.range()], len));
    let before = work.frames.range(..frame).rev().take(BLOCK_LEN as usize).map(|other| near(*other));
    let after = work.frames.range(frame + 1..).take(BLOCK_LEN as usize).map(|other| near(*other));
    for side in [before.collect_while(&own), after.collect_while(&own)] {
        own = ranges::subtract(&own, &side);
    }
    not_held(&own, path.world.input.held.get(&offer.info.id))
}

/// Collects blocks of neighbours for as long as they touch.
trait CollectWhile {
    fn collect_while(self, own: &[Range<u64>]) -> Vec<Range<u64>>;
}

impl<I: Iterator<Item = Option<Vec<Range<u64>>>>> CollectWhile for I {
    fn collect_while(self, own: &[Range<u64>]) -> Vec<Range<u64>> {
        let mut set = Vec::new();
        for blocks in self.flatten() {
            if ranges::intersect(&blocks, own).is_empty() {
                break;
            }
            ranges::add(&mut set, blocks);
        }
        set
    }
}

/// What the files of each frame would take as content (healed, between two steps) without it.
fn instead(path: &Path<'_>, at: usize, outcome: &Outcome) -> BTreeMap<u32, u64> {
    let mut instead: BTreeMap<u32, u64> = BTreeMap::new();
    let (Some(stage), Some(work)) = (path.stages.get(at), outcome.work.get(at)) else { return instead };
    for (file, writes) in &work.builds {
        let Some(id) = stage.target_files.get(*file as usize).map(|file| file.identity) else { continue };
        let by_block = stage.target == Owner::Target && path.world.has_blocks(&id);
        let mut all = Vec::new();
        ranges::add(&mut all, writes.iter().map(super::Write::range));
        let all = ranges::bytes(&ranges::blocks(&all, id.len));
        for (frame, mut bytes) in writes_of_frames(writes) {
            ranges::normalise(&mut bytes);
            let content = if by_block { ranges::bytes(&ranges::blocks(&bytes, id.len)) } else { all };
            *instead.entry(frame).or_default() += content;
        }
    }
    instead
}
