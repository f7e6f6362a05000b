//! From signed pack lists to offers: which packs can lead from what is here to the release, and what they hold.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use manifests::folder::InstallDir;
use manifests::hash::BlockMap;
use manifests::pack::{Index, Limits as IndexLimits, TreeId, tree_id};
use manifests::release::{FileIdentity, GameId, PackEntry, PackList, ReleaseManifest, Version};
use manifests::route::{Known, Offer, Owner, PackInfo};
use manifests::trust::{Client, TrustError};
use protocol::metainfo::Torrent;
use protocol::units::BLOCK_LEN;
use sha2::{Digest as _, Sha256};

use crate::engine::goal::{Goal, Way, Ways};
use crate::engine::http::{Http, Limits};
use crate::engine::meter::blocking;
use crate::engine::packs::cache::Slot;
use crate::engine::packs::torrent::{self, PACK_TORRENT_LEN_MAX};
use crate::engine::repository::Repository;
use crate::error::LaunchError;

/// Pack lists read on the way back to the installed release: longer chains are dearer than what they save.
const LISTS_MAX: usize = 8;
/// Indexes fetched at a time.
const REQUESTS: usize = 4;

/// Asks for the pack lists between the installed release and the target, and for the manifests they need. Packs save
/// bytes and are never needed: whatever is wrong with them leaves them out, with a warning.
pub(crate) async fn gather(
    client: &mut Client,
    game: &GameId,
    target: &ReleaseManifest,
    installed: Option<Arc<ReleaseManifest>>,
) -> Result<Ways, TrustError> {
    let lists = lists(client, game, target, installed.as_deref()).await;
    let mut ways = Ways::default();
    let mut numbers: HashMap<Version, usize> = HashMap::new();
    if let Some(installed) = installed.filter(|installed| installed.version != target.version) {
        numbers.insert(installed.version.clone(), 0);
        ways.releases.push(known(installed));
    }
    for list in &lists {
        for entry in &list.packs {
            let is_target = list.version == target.version;
            let base = match &entry.base {
                None if is_target => None,
                None => continue,
                Some(base) => match numbers.get(&base.version) {
                    Some(at) if ways.releases.get(*at).is_some_and(|known| known.tree.0 == base.tree) => {
                        Some(*at)
                    }
                    _ => continue,
                },
            };
            let owner = if is_target {
                Owner::Target
            } else if let Some(at) = numbers.get(&list.version) {
                Owner::Release(*at)
            } else {
                let resolved = client.resolve_release(game, &list.version).await?;
                let at = ways.releases.len();
                numbers.insert(list.version.clone(), at);
                ways.releases.push(known(Arc::new(resolved.manifest)));
                Owner::Release(at)
            };
            ways.packs.push(Way { entry: entry.clone(), base, target: owner, version: list.version.clone() });
        }
    }
    ways.packs.retain(|way| way.target != Owner::Target || tree_matches(&lists, target));
    Ok(ways)
}

fn tree_matches(lists: &[PackList], target: &ReleaseManifest) -> bool {
    let list = lists.iter().find(|list| list.version == target.version);
    list.is_some_and(|list| list.target == tree_id(&target.files).0)
}

fn known(manifest: Arc<ReleaseManifest>) -> Known {
    Known { tree: tree_id(&manifest.files), manifest, can_heal: true }
}

/// The target's list and those of the releases its packs start from, back to the installed release.
async fn lists(
    client: &mut Client,
    game: &GameId,
    target: &ReleaseManifest,
    installed: Option<&ReleaseManifest>,
) -> Vec<PackList> {
    let mut lists: Vec<PackList> = Vec::new();
    let mut seen: HashSet<Version> = HashSet::from([target.version.clone()]);
    let mut next = VecDeque::from([target.version.clone()]);
    let mut sequences: HashMap<Version, u64> = HashMap::new();
    while let Some(version) = next.pop_front().filter(|_| lists.len() < LISTS_MAX) {
        let list = match client.pack_list(game, &version).await {
            Ok(Some(list)) => list,
            Ok(None) => continue,
            Err(error) => {
                tracing::warn!(%version, %error, "the list of packs cannot be used");
                continue;
            }
        };
        for base in list.packs.iter().filter_map(|pack| pack.base.as_ref()) {
            sequences.insert(base.version.clone(), base.sequence);
            let between = installed.is_some_and(|installed| base.sequence > installed.sequence);
            if between && seen.insert(base.version.clone()) {
                next.push_back(base.version.clone());
            }
        }
        lists.push(list);
    }
    // Oldest first: a base is known before what is built on it.
    lists.sort_by_key(|list| sequences.get(&list.version).copied().unwrap_or(u64::MAX));
    lists
}

/// The offers, none of which has been looked into.
pub(crate) fn listed(ways: &Ways, target: &ReleaseManifest) -> Vec<Offer> {
    let offer = |way: &Way| {
        let base = way.base.and_then(|at| ways.releases.get(at)).map(|known| known.tree);
        let target = tree_of(ways, way, target);
        let info = PackInfo { id: way.entry.identity, base, target, index_len: way.entry.index_len };
        Offer { info, index: None }
    };
    ways.packs.iter().map(offer).collect()
}

/// The offers with their indexes, from the cache or the repository. A pack whose index cannot be had or is not what was
/// signed is left without.
pub(crate) struct Offers {
    pub(crate) offers: Vec<Offer>,
    /// Blocks of packs that are in the cache.
    pub(crate) held: HashMap<FileIdentity, BlockMap>,
    /// Bytes of indexes that were fetched, as far as they count as payload.
    pub(crate) fetched: u64,
    /// What could not be used, in words.
    pub(crate) notes: Vec<String>,
}

/// One index, what it cost, and what is wrong with it.
type Found = (Option<Arc<Index>>, u64, Option<String>);

async fn fetch_one(
    http: &Http,
    repo: &Repository,
    dir: &Arc<InstallDir>,
    target: &Arc<ReleaseManifest>,
    ways: &Arc<Ways>,
    (way, keep): (&Way, bool),
) -> Result<Found, LaunchError> {
    let max = way.entry.index_len;
    let slot = Slot::new(dir.clone(), way.entry.identity);
    let kept = blocking({
        let slot = slot.clone();
        move || Ok(slot.get("index", max).ok().flatten())
    })
    .await?;
    let (bytes, fetched) = match kept.filter(|bytes| is_index(&way.entry, bytes)) {
        Some(bytes) => (bytes, 0),
        None => {
            let url = repo.at(&format!("packs/{}", way.entry.index_name()))?;
            match http.get(&url, Limits::for_len(max)).await {
                Ok(bytes) if is_index(&way.entry, &bytes) => (bytes.to_vec(), max),
                Ok(bytes) => {
                    let wrong = "its index is not the signed one".to_owned();
                    return Ok((None, bytes.len() as u64, Some(wrong)));
                }
                Err(error) => return Ok((None, 0, Some(LaunchError::from(error).to_string()))),
            }
        }
    };
    let (ways, way, target) = (ways.clone(), way.clone(), target.clone());
    blocking(move || match read_index(&ways, &way, &target, &bytes) {
        Ok(index) => {
            if fetched > 0 && keep {
                // A comfort for the next run; where it has no room, neither will what comes next, and that says so.
                slot.put("index", &bytes)
                    .unwrap_or_else(|error| tracing::warn!(%error, "an index is not kept"));
            }
            Ok((Some(Arc::new(index)), fetched, None))
        }
        Err(cause) => Ok((None, fetched, Some(cause))),
    })
    .await
}

/// Fetches the indexes of the packs in `asked` ([`manifests::route::worth_asking`]), and leaves the others without. With
/// `keep` they are kept in the cache. Where no web is to be used they are none of the promised bytes: they pass for the
/// signed documents, which come from the repository all the same.
pub(crate) async fn fetch(
    http: &Http,
    goal: &Goal,
    asked: &BTreeSet<usize>,
    keep: bool,
) -> Result<Offers, LaunchError> {
    let Goal { repo, dir, ways, .. } = goal;
    let target = &goal.target.manifest;
    let mut fetches: Vec<BoxFuture<'_, Result<Found, LaunchError>>> = Vec::new();
    for way in asked.iter().filter_map(|at| ways.packs.get(*at)) {
        fetches.push(Box::pin(fetch_one(http, repo, dir, target, ways, (way, keep))));
    }
    let found: Vec<_> = futures_util::stream::iter(fetches).buffered(REQUESTS).collect().await;
    let offers = listed(ways, target);
    let mut offers = Offers { offers, held: HashMap::new(), fetched: 0, notes: Vec::new() };
    for (at, found) in asked.iter().zip(found) {
        let (index, fetched, wrong) = found?;
        let (Some(offer), Some(way)) = (offers.offers.get_mut(*at), ways.packs.get(*at)) else { continue };
        if let Some(cause) = wrong {
            offers.notes.push(format!("the pack to {} is not used: {cause}", way.version));
        }
        let counted = if goal.sources.web { fetched } else { 0 };
        offers.fetched += counted;
        // What was paid for before costs nothing now.
        offer.info.index_len = counted;
        offer.index = index;
    }
    offers.held = blocking({
        let (dir, ways) = (dir.clone(), ways.clone());
        move || Ok(held(&dir, &ways))
    })
    .await?;
    Ok(offers)
}

fn tree_of(ways: &Ways, way: &Way, target: &ReleaseManifest) -> TreeId {
    match way.target {
        Owner::Release(at) => ways.releases.get(at).map_or(TreeId([0; 32]), |known| known.tree),
        Owner::Target => tree_id(&target.files),
    }
}

fn is_index(entry: &PackEntry, bytes: &[u8]) -> bool {
    bytes.len() as u64 == entry.index_len && <[u8; 32]>::from(Sha256::digest(bytes)) == entry.index_sha256
}

fn read_index(ways: &Ways, way: &Way, target: &ReleaseManifest, bytes: &[u8]) -> Result<Index, String> {
    let index = Index::decode(bytes, &IndexLimits::default()).map_err(|error| error.to_string())?;
    index.validate(ways.base(way), ways.target(way, target)).map_err(|error| error.to_string())?;
    // The pack ends with index and footer: a frame beyond them would not come by the pack's blocks.
    let frames_end = index.frames.last().map_or(0, |frame| frame.range().end);
    if frames_end > way.entry.identity.len {
        return Err("its index speaks of a longer pack".to_owned());
    }
    Ok(index)
}

/// What of these packs is in the cache.
fn held(dir: &Arc<InstallDir>, ways: &Ways) -> HashMap<FileIdentity, BlockMap> {
    let mut held = HashMap::new();
    for way in &ways.packs {
        let slot = Slot::new(dir.clone(), way.entry.identity);
        let Ok(Some(guard)) = dir.guard(&slot.path()) else { continue };
        let Some(torrent) = kept_torrent(&slot, &way.entry) else { continue };
        let Ok(right) = slot.right_blocks(&torrent, guard) else { continue };
        let mut map = BlockMap::none(way.entry.identity.len);
        for range in right.ranges() {
            let end = u64::from(range.end) * u64::from(BLOCK_LEN);
            map.mark(u64::from(range.start) * u64::from(BLOCK_LEN)..end);
        }
        held.insert(way.entry.identity, map);
    }
    held
}

/// The pack's torrent, when it was kept.
pub(crate) fn kept_torrent(slot: &Slot, entry: &PackEntry) -> Option<Arc<Torrent>> {
    let bytes = slot.get("torrent", PACK_TORRENT_LEN_MAX).ok()??;
    torrent::check(entry, &bytes).ok()
}
