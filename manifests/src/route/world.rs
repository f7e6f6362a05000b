//! Questions about what is on the disk, answered once.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Range;

use super::input::{Input, Missing};
use super::ranges;
use crate::hash::{BLOCK_LEN, block_range, leaf_count};
use crate::path::SafePath;
use crate::plan::Entry;
use crate::release::FileIdentity;

/// A base file that is not here as a whole.
#[derive(Debug, Clone)]
pub(crate) struct Wounded {
    /// Its release and its index there.
    pub(crate) release: usize,
    pub(crate) file: usize,
    /// The damaged file, when some of its blocks are right.
    pub(crate) from: Option<SafePath>,
    /// Its wrong blocks; all of it when single blocks cannot be told apart.
    pub(crate) wrong: Vec<Range<u64>>,
    /// Whether it can only be had whole.
    pub(crate) whole: bool,
}

impl Wounded {
    /// What must be fetched so that `needed` can be read.
    pub(crate) fn fetch(&self, needed: &[Range<u64>], len: u64) -> Vec<Range<u64>> {
        if needed.is_empty() {
            Vec::new()
        } else if self.whole {
            self.wrong.clone()
        } else {
            ranges::intersect(&self.wrong, &ranges::blocks(needed, len))
        }
    }

    /// What is copied from the damaged file so that `needed` can be read.
    pub(crate) fn copy(&self, needed: &[Range<u64>], len: u64) -> Vec<Range<u64>> {
        if self.whole || self.from.is_none() {
            return Vec::new();
        }
        ranges::subtract(&ranges::blocks(needed, len), &self.wrong)
    }
}

/// The disk and the target, by identity.
pub(crate) struct World<'a> {
    pub(crate) input: &'a Input<'a>,
    /// Files that are here as a whole.
    whole: HashMap<FileIdentity, &'a SafePath>,
    /// What is missing of the target, by its index.
    pub(crate) missing: BTreeMap<usize, Vec<Range<u64>>>,
    /// The index of each file of the target of which something is missing.
    pub(crate) wanted: BTreeMap<FileIdentity, usize>,
    /// Files of the target of which single blocks can be checked. Asked once: leaves may come from a disk.
    by_block: HashSet<FileIdentity>,
    /// Bytes of the indexes that were fetched so that packs can be looked into. With nothing missing nobody asks for any.
    pub(crate) index_bytes: u64,
}

impl<'a> World<'a> {
    pub(crate) fn new(input: &'a Input<'a>) -> Self {
        let mut whole = HashMap::new();
        for (path, entry) in &input.local.entries {
            if let Entry::File(file) = entry
                && let Some(id) = file.identity
            {
                whole.entry(id).or_insert(path);
            }
        }
        let missing: BTreeMap<usize, Vec<Range<u64>>> = match input.missing {
            Some(known) => known.iter().cloned().collect(),
            None => input.plan.fetch(&input.target.files).collect(),
        };
        let missing: BTreeMap<_, _> = missing.into_iter().filter(|(_, set)| !set.is_empty()).collect();
        let id = |at: &usize| input.target.files.get(*at).map(|file| (file.identity, *at));
        let wanted: BTreeMap<FileIdentity, usize> = missing.keys().filter_map(id).collect();
        let has_blocks = |id: &&FileIdentity| id.len <= BLOCK_LEN || input.leaves.leaves(id).is_some();
        let by_block = wanted.keys().filter(has_blocks).copied().collect();
        let asked = input.packs.iter().filter(|offer| offer.index.is_some() && !missing.is_empty());
        let index_bytes = asked.map(|offer| offer.info.index_len).sum();
        Self { input, whole, missing, wanted, by_block, index_bytes }
    }

    /// What is missing, as a candidate lists it.
    pub(crate) fn all_missing(&self) -> Vec<Missing> {
        self.missing.iter().map(|(at, set)| (*at, set.clone())).collect()
    }

    /// Where a file of this content lies.
    pub(crate) fn path_of(&self, id: &FileIdentity) -> Option<&'a SafePath> {
        self.whole.get(id).copied()
    }

    /// Whether parts of a missing file can be fetched, because single blocks of it can be checked.
    pub(crate) fn has_blocks(&self, id: &FileIdentity) -> bool {
        self.by_block.contains(id)
    }

    /// What is wrong with the file that should lie where `file` of a release lies.
    pub(crate) fn wounded(&self, release: usize, file: usize) -> Option<Wounded> {
        let listed = self.input.releases.get(release)?.manifest.files.get(file)?;
        let id = listed.identity;
        let all = Range { start: 0, end: id.len };
        let mut wounded = Wounded { release, file, from: None, wrong: vec![all], whole: true };
        if id.len <= BLOCK_LEN {
            return Some(wounded);
        }
        let Some(right) = self.input.leaves.leaves(&id) else { return Some(wounded) };
        wounded.whole = false;
        let found = self.input.local.file(&listed.path);
        let Some(found_leaves) = found.and_then(|found| found.leaves.as_ref()) else { return Some(wounded) };
        let is_right = |block: &u64| {
            let at = usize::try_from(*block).unwrap_or(usize::MAX);
            right.get(at).is_some_and(|leaf| found_leaves.get(at) == Some(leaf))
        };
        let mut wrong = Vec::new();
        let blocks = (0..leaf_count(id.len)).filter(|block| !is_right(block));
        ranges::add(&mut wrong, blocks.map(|block| block_range(block, id.len)));
        if ranges::bytes(&wrong) < id.len {
            wounded.from = Some(listed.path.clone());
        }
        wounded.wrong = wrong;
        Some(wounded)
    }

    /// Bytes that completing a release as a base would fetch; `None` when less than half of it is here.
    pub(crate) fn completing(&self, release: usize) -> Option<u64> {
        let files = &self.input.releases.get(release)?.manifest.files;
        let total: u64 = files.iter().map(|file| file.identity.len).sum();
        let absent = files
            .iter()
            .enumerate()
            .filter(|(_, file)| file.identity.len > 0 && !self.whole.contains_key(&file.identity));
        let wrong: u64 = absent
            .filter_map(|(at, _)| self.wounded(release, at))
            .map(|wounded| ranges::bytes(&wounded.wrong))
            .sum();
        (wrong <= total / 2).then_some(wrong)
    }
}
