//! What a candidate needs before its first byte: torrents, sparse files, which blocks are here, where everything lies.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use manifests::apply::{Applier, Location};
use manifests::hash;
use manifests::pack::Index;
use manifests::plan::Local;
use manifests::release::{FileIdentity, ManifestFile, PackEntry};
use manifests::route::{BaseSource, Candidate, Owner};
use protocol::blockset::BlockSet;
use protocol::disk::FileStore;
use protocol::metainfo::Torrent;
use protocol::units::{BLOCK_LEN, FileIndex};

use crate::engine::command::Sources;
use crate::engine::content::{self, Content};
use crate::engine::context::Context;
use crate::engine::goal::{Goal, Leaves, Way};
use crate::engine::http::Limits;
use crate::engine::jobs::{self, Healing};
use crate::engine::meter::blocking;
use crate::engine::packs::aside;
use crate::engine::packs::base::{Bases, Held};
use crate::engine::packs::cache::{PackRecord, Slot};
use crate::engine::packs::offers::{Offers, kept_torrent};
use crate::engine::packs::torrent::{self, PACK_TORRENT_LEN_MAX};
use crate::engine::packs::work::{Books, Frames, Work};
use crate::engine::packs::worker::{Bench, PackAtHand};
use crate::engine::transfer::{Hints, Job, OnWeb};
use crate::error::LaunchError;

/// Whose bytes a transfer brings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// The pack of this step.
    Pack(usize),
    /// The content torrent of the release to become.
    Content,
    /// The content torrent of this earlier release.
    Heal(usize),
}

/// One step's pack in the cache.
pub(crate) struct StepPack {
    pub(crate) slot: Slot,
    pub(crate) torrent: Arc<Torrent>,
    pub(crate) record: PackRecord,
    /// Verified blocks; grows while it runs.
    pub(crate) have: BlockSet,
    pub(crate) wanted: BlockSet,
}

impl StepPack {
    /// Bytes that are still to come.
    pub(crate) fn lacking(&self) -> u64 {
        let mut lacking = self.wanted.clone();
        lacking.subtract(&self.have);
        block_bytes(&lacking, self.slot.identity.len)
    }
}

/// Bytes of these blocks of a file of `len` bytes.
pub(crate) fn block_bytes(blocks: &BlockSet, len: u64) -> u64 {
    let range = |block: u32| hash::block_range(u64::from(block), len);
    blocks.iter().map(range).map(|range| range.end - range.start).sum()
}

/// Everything that is ready to run.
pub(crate) struct Ready {
    pub(crate) bench: Arc<Bench>,
    pub(crate) work: Work,
    pub(crate) awaited: HashMap<usize, (FileIdentity, u64)>,
    pub(crate) healing: HashMap<(usize, usize), (FileIdentity, u64)>,
    pub(crate) packs: Vec<StepPack>,
    pub(crate) jobs: Vec<(Source, Job)>,
    /// Content torrents of earlier releases, by index.
    pub(crate) heals: HashMap<usize, Content>,
    /// Bytes that jobs write, for the progress shown.
    pub(crate) output_bytes: u64,
    /// Bytes written beside staged files and packs: healed files and files between two steps.
    pub(crate) aside_bytes: u64,
}

/// What an operation has decided on.
pub(crate) struct Chosen<'a> {
    pub(crate) goal: &'a Goal,
    pub(crate) local: &'a Arc<Local>,
    pub(crate) applier: &'a Arc<Applier>,
    pub(crate) content: &'a Content,
    pub(crate) candidate: &'a Arc<Candidate>,
    pub(crate) offers: &'a Arc<Offers>,
}

impl Chosen<'_> {
    fn way(&self, pack: usize) -> Result<&Way, LaunchError> {
        self.goal
            .ways
            .packs
            .get(pack)
            .ok_or_else(|| LaunchError::internal("a step names a pack that is not there"))
    }
}

/// Prepares a candidate. Torrents come from the cache or the repository.
pub(crate) async fn prepare(context: &Context, chosen: &Chosen<'_>) -> Result<Ready, LaunchError> {
    let mut torrents = Vec::new();
    for step in &chosen.candidate.steps {
        let way = chosen.way(step.pack)?;
        torrents.push(pack_torrent(context, chosen.goal, &way.entry).await?);
    }
    let mut heals: HashMap<usize, Content> = HashMap::new();
    for heal in &chosen.candidate.heals {
        if heals.contains_key(&heal.release) {
            continue;
        }
        let known = chosen.goal.ways.releases.get(heal.release);
        let known = known.ok_or_else(|| LaunchError::internal("a release to heal from is not there"))?;
        let dir = &chosen.goal.dir;
        let found = match content::kept(dir.clone(), &known.manifest).await? {
            Some(kept) => kept,
            None => chosen.goal.repo.content(context.http(), dir, known.manifest.clone()).await?,
        };
        heals.insert(heal.release, found);
    }
    let (goal, local, applier) = (chosen.goal.clone(), chosen.local.clone(), chosen.applier.clone());
    let (content, candidate, offers) =
        (chosen.content.clone(), chosen.candidate.clone(), chosen.offers.clone());
    blocking(move || {
        let chosen = Chosen {
            goal: &goal,
            local: &local,
            applier: &applier,
            content: &content,
            candidate: &candidate,
            offers: &offers,
        };
        ready(&chosen, torrents, &heals)
    })
    .await
}

/// A pack's torrent, and its leaf hashes where the torrent does not hold them: kept ones, or the repository's.
async fn pack_torrent(
    context: &Context,
    goal: &Goal,
    entry: &PackEntry,
) -> Result<Arc<Torrent>, LaunchError> {
    let slot = Slot::new(goal.dir.clone(), entry.identity);
    let kept = blocking({
        let (slot, entry) = (slot.clone(), entry.clone());
        move || Ok(kept_torrent(&slot, &entry))
    })
    .await?;
    let torrent = match kept {
        Some(kept) => kept,
        None => {
            let name = format!("torrents/{}.torrent", hex::encode(entry.info_hash_v2));
            let url = goal.repo.at(&name)?;
            let bytes = context.http().get(&url, Limits::for_len(PACK_TORRENT_LEN_MAX)).await?;
            let torrent = torrent::check(entry, &bytes)?;
            let slot = slot.clone();
            blocking(move || slot.put("torrent", &bytes)).await?;
            torrent
        }
    };
    if torrent::needs_leaves(&torrent) && slot.leaves(&torrent).is_none() {
        // Comfort, not need: without them whole pieces are verified.
        let url = goal.repo.at(&format!("packs/{}", entry.leaves_name()))?;
        let len = hash::leaf_count(entry.identity.len).saturating_mul(32);
        match context.http().get(&url, Limits::for_len(len)).await {
            Ok(bytes) => blocking(move || slot.put("leaves", &bytes)).await?,
            Err(error) => tracing::warn!(%error, "a pack's leaf hashes could not be fetched"),
        }
    }
    Ok(torrent)
}

struct Reads<'a> {
    indexes: Vec<Option<&'a Arc<Index>>>,
}

impl Frames for Reads<'_> {
    fn frame(&self, step: usize, frame: u32) -> Option<(Range<u64>, Vec<u32>)> {
        let entry = self.indexes.get(step)?.as_ref()?.frames.get(frame as usize)?;
        Some((entry.range(), entry.prefix.iter().map(|range| range.file).collect()))
    }
}

fn ready(
    chosen: &Chosen<'_>,
    torrents: Vec<Arc<Torrent>>,
    heals: &HashMap<usize, Content>,
) -> Result<Ready, LaunchError> {
    let Chosen { goal, candidate, offers, applier, .. } = chosen;
    let releases: Vec<&[ManifestFile]> =
        goal.ways.releases.iter().map(|known| &known.manifest.files[..]).collect();
    let books = Books { target: &goal.target.manifest.files, releases: &releases };
    let index_of = |pack: usize| offers.offers.get(pack).and_then(|offer| offer.index.as_ref());
    let reads = Reads { indexes: candidate.steps.iter().map(|step| index_of(step.pack)).collect() };
    let mut work = Work::new(candidate, &books, &reads);
    let mut packs = Vec::new();
    let mut at_hand = Vec::new();
    for ((number, step), torrent) in candidate.steps.iter().enumerate().zip(torrents) {
        let way = chosen.way(step.pack)?;
        let pack = open_pack(goal, way, &step.blocks, torrent)?;
        pack.have.iter().for_each(|block| work.arrived(number, u64::from(block) * u64::from(BLOCK_LEN)));
        let index =
            index_of(step.pack).ok_or_else(|| LaunchError::internal("a step's index is not there"))?;
        let base = step.base.map(|at| books.of(Owner::Release(at))).unwrap_or_default();
        at_hand.push(PackAtHand { path: pack.slot.path(), index: index.clone(), base: base.into() });
        packs.push(pack);
    }
    let (mut paths, mut aside_bytes) = (Vec::new(), 0);
    for output in work.outputs() {
        paths.push(match output.index {
            Some(index) => staged(applier, index),
            None => {
                aside_bytes += output.writes.iter().map(|range| range.end - range.start).sum::<u64>();
                Some(aside::make(&goal.dir, &output.identity)?)
            }
        });
    }
    let output_bytes =
        work.outputs().iter().flat_map(|output| &output.writes).map(|range| range.end - range.start).sum();
    let mut ready = Ready {
        bench: Arc::new(Bench {
            dir: goal.dir.clone(),
            applier: (*applier).clone(),
            bases: Bases::new(goal.dir.clone()),
            packs: at_hand,
            judged: paths.iter().map(|_| AtomicBool::new(false)).collect(),
            paths,
            outputs: work.outputs().to_vec(),
        }),
        work,
        awaited: HashMap::new(),
        healing: HashMap::new(),
        packs,
        jobs: Vec::new(),
        heals: heals.clone(),
        output_bytes,
        aside_bytes,
    };
    place_bases(chosen, &mut ready)?;
    let healing = heal(chosen, heals, &mut ready)?;
    check_space(chosen, &ready)?;
    make_jobs(chosen, heals, healing, &mut ready)?;
    Ok(ready)
}

/// The cached pack of a step; what of it lacks is wanted.
fn open_pack(
    goal: &Goal,
    way: &Way,
    ranges: &[Range<u64>],
    torrent: Arc<Torrent>,
) -> Result<StepPack, LaunchError> {
    let slot = Slot::new(goal.dir.clone(), way.entry.identity);
    let record = slot.record();
    let record = record.unwrap_or_else(|| PackRecord::new(way.version.as_str(), &way.entry.info_hash_v2));
    if slot.record().is_none() {
        // First of all, so that whatever is left of it can be found and removed.
        slot.save(record.clone(), &BlockSet::new(0))?;
    }
    let have = slot.open(&torrent)?;
    let mut wanted = BlockSet::new(torrent.layout.block_count());
    for range in ranges {
        for blocks in torrent.layout.blocks_of_range(FileIndex(0), range.clone()) {
            wanted.insert_range(blocks);
        }
    }
    Ok(StepPack { slot, torrent, record, have, wanted })
}

fn staged(applier: &Applier, index: usize) -> Option<String> {
    match applier.location(index) {
        Location::Staged { path } => Some(path),
        Location::Installed { .. } | Location::Nowhere => None,
    }
}

/// Notes where base files lie; those that come by the content torrent are waited for.
fn place_bases(chosen: &Chosen<'_>, ready: &mut Ready) -> Result<(), LaunchError> {
    let coming: HashMap<usize, u64> = chosen
        .candidate
        .content
        .iter()
        .map(|(index, ranges)| (*index, ranges.iter().map(|range| range.end - range.start).sum()))
        .collect();
    for (identity, source) in &chosen.candidate.sources {
        match source {
            BaseSource::Installed(path) => {
                let guard = chosen.local.file(path).map(|file| file.guard);
                ready.bench.bases.add(*identity, Held { path: path.to_string(), guard });
            }
            BaseSource::Content(index) => {
                let Some(path) = staged(chosen.applier, *index) else { continue };
                ready.bench.bases.add(*identity, Held { path, guard: None });
                match coming.get(index) {
                    Some(lack) if *lack > 0 => {
                        ready.awaited.insert(*index, (*identity, *lack));
                    }
                    _ => ready.work.has(identity),
                }
            }
            // Found when they are made.
            BaseSource::Built { .. } | BaseSource::Healed(_) => {}
        }
    }
    Ok(())
}

/// Copies what is right of damaged base files, and says what has to be fetched, by release.
fn heal(
    chosen: &Chosen<'_>,
    heals: &HashMap<usize, Content>,
    ready: &mut Ready,
) -> Result<HashMap<usize, Vec<Healing>>, LaunchError> {
    let mut wanted: HashMap<usize, Vec<Healing>> = HashMap::new();
    for heal in &chosen.candidate.heals {
        let leaves = Leaves { dir: chosen.goal.dir.clone(), content: heals.get(&heal.release).cloned() };
        let path = aside::make(&chosen.goal.dir, &heal.id)?;
        let lacking = aside::complete(&chosen.goal.dir, heal, &path, &leaves)?;
        let sum = |ranges: &[Range<u64>]| ranges.iter().map(|range| range.end - range.start).sum::<u64>();
        ready.aside_bytes += sum(&heal.copy) + sum(&heal.fetch);
        ready.bench.bases.add(heal.id, Held { path: path.clone(), guard: None });
        if lacking.is_empty() {
            ready.work.has(&heal.id);
            continue;
        }
        ready.healing.insert((heal.release, heal.file), (heal.id, sum(&lacking)));
        wanted.entry(heal.release).or_default().push(Healing { number: heal.file, path, wanted: lacking });
    }
    Ok(wanted)
}

/// What packs and base files take on top of the staged files, found before it is written.
fn check_space(chosen: &Chosen<'_>, ready: &Ready) -> Result<(), LaunchError> {
    let missing = chosen.applier.missing();
    let staged: u64 =
        missing.iter().flat_map(|(_, ranges)| ranges).map(|range| range.end - range.start).sum();
    let packs: u64 = ready.packs.iter().map(StepPack::lacking).sum();
    // Patches are written once more, in place, and what they replace is saved.
    let patched: u64 = chosen.applier.bytes_in_place();
    let needed = staged.saturating_add(packs).saturating_add(ready.aside_bytes).saturating_add(patched);
    Ok(chosen.applier.check_space(needed)?)
}

fn make_jobs(
    chosen: &Chosen<'_>,
    heals: &HashMap<usize, Content>,
    healing: HashMap<usize, Vec<Healing>>,
    ready: &mut Ready,
) -> Result<(), LaunchError> {
    for (step, pack) in ready.packs.iter().enumerate() {
        if pack.lacking() > 0 {
            let job = pack_job(pack, &chosen.goal.hints, chosen.goal.sources, None);
            ready.jobs.push((Source::Pack(step), job));
        }
    }
    for (release, files) in healing {
        if let Some(content) = heals.get(&release) {
            ready.jobs.push((Source::Heal(release), jobs::healing(chosen.goal, content, &files)));
        }
    }
    if !chosen.candidate.content.is_empty() {
        let missing = chosen.applier.missing();
        let wanted = &chosen.candidate.content;
        let job = jobs::fetching(chosen.goal, chosen.applier, chosen.content, &missing, wanted)?;
        ready.jobs.push((Source::Content, job));
    }
    Ok(())
}

/// A pack as the swarm is told of it.
pub(crate) fn pack_job(
    pack: &StepPack,
    hints: &Hints,
    sources: Sources,
    stamp: Option<protocol::disk::FileStamp>,
) -> Job {
    let leaves = pack.slot.leaves(&pack.torrent).map(|leaves| (FileIndex(0), leaves));
    Job {
        torrent: pack.torrent.clone(),
        store: Arc::new(FileStore::new(pack.slot.source(stamp))),
        on_web: OnWeb::File(format!("packs/{}.pack", pack.slot.identity)),
        have: pack.have.clone(),
        wanted: pack.wanted.clone(),
        bytes: pack.lacking(),
        leaves: leaves.into_iter().collect(),
        hints: hints.clone(),
        sources,
    }
}
