//! What a route is computed from.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use super::cost::{Environment, Weights};
use crate::folder::LeafSource;
use crate::hash::BlockMap;
use crate::pack::{Index, TreeId};
use crate::plan::{Local, Plan};
use crate::release::{FileIdentity, ReleaseManifest};

/// Byte ranges of a file, by its index in the target's manifest: whole blocks, ascending.
pub type Missing = (usize, Vec<Range<u64>>);

/// A pack as the pack list of its target names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PackInfo {
    /// The pack file's identity.
    pub id: FileIdentity,
    /// The release it starts from; `None` for a full pack.
    pub base: Option<TreeId>,
    /// The release it makes.
    pub target: TreeId,
    /// Bytes that fetching its index takes: its length, or 0 where it is here already.
    pub index_len: u64,
}

/// A pack that can be had.
#[derive(Debug, Clone)]
pub struct Offer {
    /// What the list says.
    pub info: PackInfo,
    /// Its index, validated against both manifests; without it the pack is no candidate.
    pub index: Option<Arc<Index>>,
}

/// An earlier release whose manifest is here.
#[derive(Debug, Clone)]
pub struct Known {
    /// [`crate::pack::tree_id`] of its files.
    pub tree: TreeId,
    /// Its manifest.
    pub manifest: Arc<ReleaseManifest>,
    /// Whether single blocks of its files can still be fetched (its content torrent is known, or its blobs are
    /// published), so that damaged base files can be healed.
    pub can_heal: bool,
}

/// Everything a route depends on.
#[derive(Clone, Copy)]
pub struct Input<'a> {
    /// What is on the disk. Leaves of damaged and replaced files let their right blocks count.
    pub local: &'a Local,
    /// The release to become.
    pub target: &'a ReleaseManifest,
    /// The plan for it, made with the same `local`.
    pub plan: &'a Plan,
    /// What is still missing, by index in the manifest, when that is known better than the plan does (an earlier run
    /// left staged blocks): [`crate::apply::Applier::missing`]. `None`: what the plan fetches.
    pub missing: Option<&'a [Missing]>,
    /// Releases that are or may be the base of a pack: the installed one, those on chains.
    pub releases: &'a [Known],
    /// Every pack that is known.
    pub packs: &'a [Offer],
    /// Blocks of pack files that are in the cache already.
    pub held: &'a HashMap<FileIdentity, BlockMap>,
    /// Checked leaves of the files of all these releases, where they are known or published. A file of more than one
    /// block that has none is fetched whole or not at all.
    pub leaves: &'a dyn LeafSource,
    /// Where this runs.
    pub environment: &'a Environment,
    /// What counts.
    pub weights: &'a Weights,
}
