//! Which packs a player would find: the new ones, and those of earlier releases that lead to where they start. The same
//! search as a launcher's, which finds lists by their signatures.

use super::manifest_of;
use super::packs::New;
use crate::store::{Blobs, DataDir};
use manifests::pack::{Index, Limits, TreeId, tree_id};
use manifests::release::{MAX_PACK_INDEX_BYTES, PackEntry, ReleaseManifest, Version};
use manifests::route::{Known, Offer, PackInfo};
use manifests::trust::publisher::Repository;
use std::collections::{HashMap, HashSet, VecDeque};
use std::io::Read as _;
use std::sync::Arc;

/// Pack lists that a launcher reads on its way back to the installed release.
const LISTS_MAX: usize = 8;

/// Packs on offer, and the releases they start from.
#[derive(Default)]
pub(super) struct Ways {
    pub(super) releases: Vec<Known>,
    pub(super) packs: Vec<Offer>,
    /// The manifests of `releases`, by number.
    numbers: HashMap<Version, usize>,
}

/// The packs of one release.
struct List {
    version: Version,
    packs: Vec<PackEntry>,
}

/// What there is for a player with `installed`. The installed release comes first.
pub(super) fn gather(
    dir: &DataDir,
    repository: &Repository,
    target: &ReleaseManifest,
    new: &[New],
    installed: Option<&ReleaseManifest>,
) -> Ways {
    let lists = lists(repository, target, new, installed);
    let mut ways = Ways::default();
    if let Some(installed) = installed {
        ways.know(installed.clone());
    }
    for list in &lists {
        let is_target = list.version == target.version;
        for entry in &list.packs {
            let Some(base) = ways.base(entry, is_target) else { continue };
            let tree = if is_target {
                tree_id(&target.files)
            } else {
                let at = match ways.numbers.get(&list.version) {
                    Some(at) => *at,
                    None => match manifest_of(repository, &target.game, &list.version) {
                        Some(manifest) => ways.know(manifest),
                        None => continue,
                    },
                };
                ways.releases.get(at).map_or(TreeId([0; 32]), |known| known.tree)
            };
            let made = new.iter().filter(|_| is_target).find(|new| new.entry.identity == entry.identity);
            let index = match made {
                Some(made) => Some(made.index.clone()),
                None => kept_index(dir, entry).map(Arc::new),
            };
            let info = PackInfo { id: entry.identity, base, target: tree, index_len: entry.index_len };
            ways.packs.push(Offer { info, index });
        }
    }
    ways
}

impl Ways {
    fn know(&mut self, manifest: ReleaseManifest) -> usize {
        let at = self.releases.len();
        self.numbers.insert(manifest.version.clone(), at);
        let tree = tree_id(&manifest.files);
        self.releases.push(Known { tree, manifest: Arc::new(manifest), can_heal: true });
        at
    }

    /// What a pack starts from; none when that is not on the way.
    fn base(&self, entry: &PackEntry, is_target: bool) -> Option<Option<TreeId>> {
        let Some(base) = &entry.base else { return is_target.then_some(None) };
        let known = self.numbers.get(&base.version).and_then(|at| self.releases.get(*at))?;
        (known.tree.0 == base.tree).then_some(Some(known.tree))
    }
}

/// The new list and those of the releases its packs start from, back to the installed one; oldest first.
fn lists(
    repository: &Repository,
    target: &ReleaseManifest,
    new: &[New],
    installed: Option<&ReleaseManifest>,
) -> Vec<List> {
    let mut lists: Vec<List> = Vec::new();
    let mut seen = HashSet::from([target.version.clone()]);
    let mut next = VecDeque::from([target.version.clone()]);
    let mut sequences: HashMap<Version, u64> = HashMap::new();
    while let Some(version) = next.pop_front().filter(|_| lists.len() < LISTS_MAX) {
        let packs = if version == target.version {
            new.iter().map(|new| new.entry.clone()).collect()
        } else {
            let list = repository.pack_list(&target.game, &version).ok().flatten();
            list.map(|list| list.packs).unwrap_or_default()
        };
        for base in packs.iter().filter_map(|pack| pack.base.as_ref()) {
            sequences.insert(base.version.clone(), base.sequence);
            let between = installed.is_some_and(|installed| base.sequence > installed.sequence);
            if between && seen.insert(base.version.clone()) {
                next.push_back(base.version.clone());
            }
        }
        lists.push(List { version, packs });
    }
    lists.sort_by_key(|list| sequences.get(&list.version).copied().unwrap_or(u64::MAX));
    lists
}

/// The index of a pack of the store. It was validated when it was signed; one that was damaged since is none.
fn kept_index(dir: &DataDir, entry: &PackEntry) -> Option<Index> {
    let (file, len) = Blobs::packs(dir).open_index(&entry.identity).ok()?;
    let mut bytes = Vec::new();
    file.take(len.min(MAX_PACK_INDEX_BYTES)).read_to_end(&mut bytes).ok()?;
    Index::decode(&bytes, &Limits::default()).ok()
}
