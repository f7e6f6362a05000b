//! What an install, update or repair is to reach.

use std::sync::Arc;

use manifests::apply::Target;
use manifests::folder::{InstallDir, LeafSource};
use manifests::hash::Hash;
use manifests::plan::PlanOptions;
use manifests::release::FileIdentity;
use manifests::verify::Depth;

use crate::engine::command::Sources;
use crate::engine::content::Content;
use crate::engine::repository::Repository;
use crate::engine::transfer::Hints;

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
