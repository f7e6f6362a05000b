//! What a path of packs comes to, when some of its frames are left out.
//!
//! From the last pack to the first: what is wanted of each file is cut into the writes of its recipe; frames that are
//! used and base files that are read become what is wanted of the step before, or of files on the disk. Whatever cannot
//! be built, or is not to be, comes from the content torrent (of the target) or is healed (of a release between).

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ops::Range;
use std::rc::Rc;

use super::candidate::{BaseSource, Owner, Write};
use super::ranges;
use super::step::{Demand, Stage};
use super::world::{World, Wounded};
use crate::path::SafePath;
use crate::release::FileIdentity;

/// Frames to leave out, for each stage of a path.
pub(crate) type Dropped = Vec<BTreeSet<u32>>;

/// What a stage does not build.
type Rest = Vec<(FileIdentity, Vec<Range<u64>>)>;

/// Where a base file is to be had.
enum Found<'a> {
    Installed(&'a SafePath),
    Content(usize),
    Built(usize),
    Wounded(Rc<Wounded>),
    Nowhere,
}

/// A path of packs, held against the disk.
pub(crate) struct Path<'a> {
    pub(crate) world: &'a World<'a>,
    pub(crate) stages: Vec<Stage<'a>>,
    /// For each stage, the frames that read what cannot be had.
    blocked: Vec<BTreeSet<u32>>,
    /// For each stage, the files that it cannot make and that cannot be healed either.
    unbuildable: Vec<HashSet<FileIdentity>>,
    wounded: RefCell<HashMap<FileIdentity, Option<Rc<Wounded>>>>,
}

/// What one stage does.
#[derive(Debug, Clone, Default)]
pub(crate) struct StageWork {
    pub(crate) frames: BTreeSet<u32>,
    /// By output ordinal.
    pub(crate) builds: BTreeMap<u32, Vec<Write>>,
}

/// What a path comes to.
#[derive(Debug, Clone, Default)]
pub(crate) struct Outcome {
    /// One for each stage.
    pub(crate) work: Vec<StageWork>,
    pub(crate) content: BTreeMap<usize, Vec<Range<u64>>>,
    /// What is needed of files that are not here as a whole.
    pub(crate) heals: BTreeMap<FileIdentity, (Rc<Wounded>, Vec<Range<u64>>)>,
    pub(crate) sources: BTreeMap<FileIdentity, BaseSource>,
}

impl<'a> Path<'a> {
    pub(crate) fn new(world: &'a World<'a>, stages: Vec<Stage<'a>>) -> Self {
        let mut path =
            Self { world, stages, blocked: Vec::new(), unbuildable: Vec::new(), wounded: RefCell::default() };
        for at in 0..path.stages.len() {
            let (blocked, unbuildable) = path.forward(at);
            path.blocked.push(blocked);
            path.unbuildable.push(unbuildable);
        }
        path
    }

    /// Whether files that this stage makes can be had otherwise, so that its frames may be left out.
    pub(crate) fn may_drop(&self, at: usize) -> bool {
        match self.stages.get(at).map(|stage| stage.target) {
            Some(Owner::Target) => true,
            Some(Owner::Release(release)) => self.can_heal(release),
            None => false,
        }
    }

    fn can_heal(&self, release: usize) -> bool {
        self.world.input.releases.get(release).is_some_and(|known| known.can_heal)
    }

    /// The frames of a stage that cannot be used, and the files that therefore nobody can make.
    fn forward(&self, at: usize) -> (BTreeSet<u32>, HashSet<FileIdentity>) {
        let (mut blocked, mut unbuildable) = (BTreeSet::new(), HashSet::new());
        let Some(stage) = self.stages.get(at) else { return (blocked, unbuildable) };
        let is_nowhere = |file, id: &FileIdentity| matches!(self.find(at, file, id), Found::Nowhere);
        for frame in (0u32..).take(stage.index.frames.len()) {
            if stage.reads(frame).any(|(file, id, _)| is_nowhere(file, &id)) {
                blocked.insert(frame);
            }
        }
        if self.may_drop(at) {
            return (blocked, unbuildable);
        }
        for recipe in &stage.index.files {
            let Some(id) = stage.target_files.get(recipe.file as usize).map(|file| file.identity) else {
                continue;
            };
            let all = [Range { start: 0, end: id.len }];
            let fails = |write: &Write| match write {
                Write::Frame { frame, .. } => blocked.contains(frame),
                Write::Base { file, .. } => stage.base_id(*file).is_none_or(|id| is_nowhere(*file, &id)),
            };
            if stage.writes(recipe, &all).iter().any(fails) {
                unbuildable.insert(id);
            }
        }
        (blocked, unbuildable)
    }

    /// Where base file `file` of a stage is to be had.
    fn find(&self, at: usize, file: u32, id: &FileIdentity) -> Found<'a> {
        if let Some(path) = self.world.path_of(id) {
            return Found::Installed(path);
        }
        let in_last = self.stages.last().is_some_and(|last| last.recipe(id).is_some());
        if let Some(index) = self.world.wanted.get(id)
            && !in_last
        {
            return Found::Content(*index);
        }
        for earlier in (0..at).rev() {
            if self.stages.get(earlier).is_some_and(|stage| stage.recipe(id).is_some()) {
                let fails = self.unbuildable.get(earlier).is_some_and(|set| set.contains(id));
                return if fails { Found::Nowhere } else { Found::Built(earlier) };
            }
        }
        match self.stages.get(at).and_then(|stage| stage.base).filter(|release| self.can_heal(*release)) {
            Some(release) => self.wounded(release, file, id).map_or(Found::Nowhere, Found::Wounded),
            None => Found::Nowhere,
        }
    }

    fn wounded(&self, release: usize, file: u32, id: &FileIdentity) -> Option<Rc<Wounded>> {
        let look = || self.world.wounded(release, file as usize).map(Rc::new);
        self.wounded.borrow_mut().entry(*id).or_insert_with(look).clone()
    }

    /// What it comes to without the frames in `dropped`.
    pub(crate) fn evaluate(&self, dropped: &Dropped) -> Outcome {
        let mut outcome = Outcome::default();
        let mut demands: Vec<Demand> = self.stages.iter().map(|_| Demand::new()).collect();
        let mut demand: Demand = Demand::new();
        for (id, at) in &self.world.wanted {
            demand.insert(*id, self.world.missing.get(at).cloned().unwrap_or_default());
        }
        for (at, stage) in self.stages.iter().enumerate().rev() {
            demand.extend(demands.pop().unwrap_or_default());
            let empty = BTreeSet::new();
            let mut turn = Turn {
                path: self,
                at,
                stage,
                dropped: dropped.get(at).unwrap_or(&empty),
                outcome: &mut outcome,
                earlier: &mut demands,
            };
            let work = turn.work(&std::mem::take(&mut demand));
            outcome.work.push(work);
        }
        outcome.work.reverse();
        outcome
    }
}

/// One stage of an evaluation.
struct Turn<'t, 'a> {
    path: &'t Path<'a>,
    at: usize,
    stage: &'t Stage<'a>,
    dropped: &'t BTreeSet<u32>,
    outcome: &'t mut Outcome,
    /// What is wanted of the stages before.
    earlier: &'t mut Vec<Demand>,
}

impl Turn<'_, '_> {
    fn work(&mut self, demand: &Demand) -> StageWork {
        // Base files that frames need anyway may be copied from as well, so the frames are looked at first.
        let first = self.settle(demand, &HashMap::new());
        let healed = self.healed_by(&first.0);
        let (work, rest) = if healed.is_empty() { first } else { self.settle(demand, &healed) };
        self.take_rest(rest);
        self.ask(&work);
        work
    }

    /// What is built, and what is left to others.
    fn settle(&self, demand: &Demand, healed: &HashMap<FileIdentity, Vec<Range<u64>>>) -> (StageWork, Rest) {
        let (mut work, mut rest) = (StageWork::default(), Vec::new());
        for (id, wanted) in demand {
            let Some(recipe) = self.stage.recipe(id) else {
                rest.push((*id, wanted.clone()));
                continue;
            };
            let mut writes = self.stage.writes(recipe, wanted);
            let by_block = self.stage.target == Owner::Target && self.path.world.has_blocks(id);
            let mut covered = Vec::new();
            ranges::add(&mut covered, writes.iter().map(Write::range));
            let mut bad = ranges::subtract(wanted, &covered);
            let whole = (!by_block).then(|| ranges::bytes(wanted));
            bad.extend(writes.iter().filter(|write| !self.allows(write, healed, whole)).map(Write::range));
            ranges::normalise(&mut bad);
            if !bad.is_empty() {
                let left = if by_block {
                    ranges::intersect(wanted, &ranges::blocks(&bad, id.len))
                } else {
                    wanted.clone()
                };
                writes = self.stage.writes(recipe, &ranges::subtract(wanted, &left));
                rest.push((*id, left));
            }
            if !writes.is_empty() {
                work.frames.extend(writes.iter().filter_map(frame_of));
                work.builds.insert(recipe.file, writes);
            }
        }
        (work, rest)
    }

    /// Whether a write can and should be done. `whole` is what the file costs as content if it has to come whole.
    fn allows(
        &self,
        write: &Write,
        healed: &HashMap<FileIdentity, Vec<Range<u64>>>,
        whole: Option<u64>,
    ) -> bool {
        match *write {
            Write::Frame { frame, .. } => {
                !self.dropped.contains(&frame)
                    && !self.path.blocked.get(self.at).is_some_and(|set| set.contains(&frame))
            }
            Write::Base { file, offset, len, .. } => {
                let Some(id) = self.stage.base_id(file) else { return false };
                match self.path.find(self.at, file, &id) {
                    Found::Installed(_) | Found::Content(_) | Found::Built(_) => true,
                    Found::Nowhere => false,
                    Found::Wounded(wounded) => {
                        let fetch = wounded.fetch(&[Range { start: offset, end: offset + len }], id.len);
                        let there = healed.get(&id).map(Vec::as_slice).unwrap_or_default();
                        let more = ranges::bytes(&ranges::subtract(&fetch, there));
                        // A copy that needs healing must cost less than the content blocks it saves.
                        more < whole.unwrap_or(len) || more == 0
                    }
                }
            }
        }
    }

    /// What the frames of `work` make be fetched of base files.
    fn healed_by(&self, work: &StageWork) -> HashMap<FileIdentity, Vec<Range<u64>>> {
        let mut healed: HashMap<FileIdentity, Vec<Range<u64>>> = HashMap::new();
        for frame in &work.frames {
            for (file, id, bytes) in self.stage.reads(*frame) {
                if let Found::Wounded(wounded) = self.path.find(self.at, file, &id) {
                    healed.entry(id).or_default().extend(wounded.fetch(&[bytes], id.len));
                }
            }
        }
        healed.values_mut().for_each(ranges::normalise);
        healed
    }

    /// What is not built comes as content, or is healed.
    fn take_rest(&mut self, rest: Rest) {
        for (id, left) in rest {
            match self.stage.target {
                Owner::Target => {
                    if let Some(index) = self.path.world.wanted.get(&id) {
                        self.outcome.content.insert(*index, left);
                    }
                }
                Owner::Release(release) => {
                    let file = self.stage.recipe(&id).map_or(0, |recipe| recipe.file);
                    if let Some(wounded) = self.path.wounded(release, file, &id) {
                        self.heal(&id, wounded, left);
                    }
                }
            }
        }
    }

    fn heal(&mut self, id: &FileIdentity, wounded: Rc<Wounded>, needed: Vec<Range<u64>>) {
        let heal = self.outcome.heals.entry(*id).or_insert_with(|| (wounded, Vec::new()));
        ranges::add(&mut heal.1, needed);
    }

    /// Asks for every base byte that `work` reads.
    fn ask(&mut self, work: &StageWork) {
        let mut reads: BTreeMap<FileIdentity, (u32, Vec<Range<u64>>)> = BTreeMap::new();
        let stage = self.stage;
        let framed = work.frames.iter().flat_map(|frame| stage.reads(*frame));
        let copied = work.builds.values().flatten().filter_map(|write| match *write {
            Write::Base { file, offset, len, .. } => Some((file, stage.base_id(file)?, offset..offset + len)),
            Write::Frame { .. } => None,
        });
        for (file, id, bytes) in framed.chain(copied) {
            reads.entry(id).or_insert_with(|| (file, Vec::new())).1.push(bytes);
        }
        for (id, (file, mut bytes)) in reads {
            ranges::normalise(&mut bytes);
            let source = match self.path.find(self.at, file, &id) {
                Found::Installed(path) => BaseSource::Installed(path.clone()),
                Found::Content(index) => BaseSource::Content(index),
                Found::Built(step) => {
                    let recipe = self.path.stages.get(step).and_then(|stage| stage.recipe(&id));
                    if let Some(wanted) = self.earlier.get_mut(step) {
                        ranges::add(wanted.entry(id).or_default(), bytes);
                    }
                    BaseSource::Built { step, file: recipe.map_or(0, |recipe| recipe.file) }
                }
                Found::Wounded(wounded) => {
                    self.heal(&id, wounded, bytes);
                    continue;
                }
                Found::Nowhere => continue,
            };
            self.outcome.sources.insert(id, source);
        }
    }
}

fn frame_of(write: &Write) -> Option<u32> {
    match write {
        Write::Frame { frame, .. } => Some(*frame),
        Write::Base { .. } => None,
    }
}
