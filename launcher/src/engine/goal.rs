//! What an install, update or repair is to reach.

use std::sync::Arc;

use manifests::apply::Target;
use manifests::folder::{InstallDir, LeafSource};
use manifests::hash::Hash;
use manifests::plan::PlanOptions;
use manifests::release::{FileIdentity, ManifestFile, PackEntry, ReleaseManifest, Version};
use manifests::route::{Known, Owner};
use manifests::verify::Depth;

use crate::engine::command::{Preference, Sources};
use crate::engine::content::Content;
use crate::engine::repository::Repository;
use crate::engine::transfer::Hints;

/// A pack that may be of use.
#[derive(Debug, Clone)]
pub(crate) struct Way {
    pub(crate) entry: PackEntry,
    /// Index into [`Ways::releases`]; none for a full pack.
    pub(crate) base: Option<usize>,
    pub(crate) target: Owner,
    /// The version it leads to.
    pub(crate) version: Version,
}

/// The signed ways to a release: what an operation began with, it finishes with.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ways {
    /// Earlier releases that packs start from, the installed one among them.
    pub(crate) releases: Vec<Known>,
    pub(crate) packs: Vec<Way>,
}

impl Ways {
    /// The files of the release a pack starts from.
    pub(crate) fn base(&self, way: &Way) -> Option<&[ManifestFile]> {
        way.base.and_then(|at| self.releases.get(at)).map(|known| &known.manifest.files[..])
    }

    /// The files of the release a pack leads to.
    pub(crate) fn target<'a>(&'a self, way: &Way, target: &'a ReleaseManifest) -> &'a [ManifestFile] {
        match way.target {
            Owner::Target => &target.files,
            Owner::Release(at) => {
                self.releases.get(at).map(|known| &known.manifest.files[..]).unwrap_or_default()
            }
        }
    }
}

/// What is to be reached, and by which means.
#[derive(Clone)]
pub(crate) struct Goal {
    pub(crate) dir: Arc<InstallDir>,
    pub(crate) repo: Repository,
    pub(crate) target: Target,
    pub(crate) hints: Hints,
    pub(crate) sources: Sources,
    /// How closely to look at what is there.
    pub(crate) depth: Depth,
    pub(crate) options: PlanOptions,
    /// The packs that were on offer when it began.
    pub(crate) ways: Arc<Ways>,
    pub(crate) way: Preference,
}

impl Goal {
    /// Whether the record says that this release is in the folder.
    pub(crate) fn is_in_place(&self) -> bool {
        let manifest = &self.target.manifest;
        self.dir
            .state()
            .release
            .as_ref()
            .is_some_and(|now| now.version == manifest.version.as_str() && now.sequence == manifest.sequence)
    }
}

/// Leaf hashes from `.samara/`, or from the torrent's own piece layers.
pub(crate) struct Leaves {
    pub(crate) dir: Arc<InstallDir>,
    pub(crate) content: Option<Content>,
}

impl LeafSource for Leaves {
    fn leaves(&self, identity: &FileIdentity) -> Option<Arc<[Hash]>> {
        if let Some(kept) = self.dir.leaves(identity) {
            return Some(kept);
        }
        let own = self.content.as_ref()?.own_leaves(identity)?;
        Some(own.iter().map(|root| root.0).collect())
    }
}
