//! Releases, packs and disks in memory.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::apply::tests::world::{Node, Release, Tree, hash, release};
use crate::folder::{Guard, LeafSource, Listed};
use crate::hash::{BLOCK_LEN, BlockMap, Hash};
use crate::pack::{BaseRange, Frame, HEADER_BYTES, Index, Method, Recipe, Slice, TreeId, View, tree_id};
use crate::plan::{Entry, Local, LocalFile, Plan, PlanOptions, plan};
use crate::release::{FileIdentity, ManifestFile, ReleaseManifest};
use crate::route::{Environment, Input, Known, Offer, PackInfo, Route, Weights, route};

/// Content by path.
pub(crate) type Disk = BTreeMap<String, Vec<u8>>;

pub(crate) fn disk_of(tree: &Tree) -> Disk {
    let file = |(path, node): (&String, &Node)| match node {
        Node::File(data, _) => Some((path.clone(), data.clone())),
        Node::Link(_) => None,
    };
    tree.iter().filter_map(file).collect()
}

/// `len` bytes that no other seed gives.
pub(crate) fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let byte = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    std::iter::repeat_with(byte).take(len).collect()
}

/// A game's releases with packs between them, and one player's disk.
pub(crate) struct Game {
    pub(crate) releases: Vec<Release>,
    pub(crate) offers: Vec<Offer>,
    pub(crate) known: Vec<Known>,
    pub(crate) disk: Disk,
    pub(crate) listed: usize,
    pub(crate) local: Local,
    pub(crate) plan: Plan,
    pub(crate) held: HashMap<FileIdentity, BlockMap>,
    pub(crate) weights: Weights,
    pub(crate) environment: Environment,
}

impl std::fmt::Debug for Game {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let trees: Vec<&Tree> = self.releases.iter().map(|release| &release.tree).collect();
        let packs: Vec<_> = self.offers.iter().map(|offer| &offer.index).collect();
        f.debug_struct("Game")
            .field("trees", &trees)
            .field("packs", &packs)
            .field("disk", &self.disk.keys())
            .finish()
    }
}

impl LeafSource for Game {
    fn leaves(&self, identity: &FileIdentity) -> Option<Arc<[Hash]>> {
        self.releases.iter().find_map(|release| release.leaves(identity))
    }
}

impl Game {
    /// The last tree is the target; the disk holds `listed`'s release until it is changed.
    pub(crate) fn new(trees: &[Tree], listed: usize) -> Self {
        let releases: Vec<Release> = (1..).zip(trees).map(|(at, tree)| release(at, tree)).collect();
        let known = releases.iter().take(releases.len() - 1).map(|release| Known {
            tree: tree_id(&release.target.manifest.files),
            manifest: release.target.manifest.clone(),
            can_heal: true,
        });
        let mut game = Self {
            known: known.collect(),
            disk: disk_of(&trees[listed]),
            listed,
            releases,
            offers: Vec::new(),
            local: Local::default(),
            plan: Plan::default(),
            held: HashMap::new(),
            weights: Weights::NETWORK_ONLY,
            environment: Environment::default(),
        };
        game.look();
        game
    }

    pub(crate) fn target(&self) -> &ReleaseManifest {
        &self.releases.last().unwrap().target.manifest
    }

    pub(crate) fn tree(&self, release: usize) -> TreeId {
        tree_id(&self.releases[release].target.manifest.files)
    }

    pub(crate) fn bytes_of(&self, file: &ManifestFile) -> Vec<u8> {
        let mut trees = self.releases.iter().flat_map(|release| &release.tree);
        let found = trees.find_map(|(_, node)| match node {
            Node::File(data, _) if hash(data).identity == file.identity => Some(data.clone()),
            _ => None,
        });
        found.unwrap()
    }

    /// Adds a pack of these frames' sizes; see [`invent`].
    pub(crate) fn pack(&mut self, base: Option<usize>, target: usize, shape: Shape) {
        let base_files = base.map(|at| self.releases[at].target.manifest.files.clone());
        let index = invent(
            base_files.as_deref(),
            &self.releases[target].target.manifest.files,
            &|file| self.bytes_of(file),
            shape,
        );
        index.validate(base_files.as_deref(), &self.releases[target].target.manifest.files).unwrap();
        let len = index.frames.last().map_or(HEADER_BYTES, |frame| frame.range().end) + 40;
        let info = PackInfo {
            id: FileIdentity { len, root: [self.offers.len() as u8 + 1; 32] },
            base: base.map(|at| self.tree(at)),
            target: self.tree(target),
            index_len: 100,
        };
        self.offers.push(Offer { info, index: Some(Arc::new(index)) });
    }

    /// Surveys the disk anew and plans.
    pub(crate) fn look(&mut self) {
        let mut local = Local::default();
        for (at, (path, data)) in (1..).zip(&self.disk) {
            let path = crate::path::SafePath::parse(path).unwrap();
            let hashed = hash(data);
            let guard = Guard { len: data.len() as u64, mtime_ns: 0, inode: at };
            let leaves = Some(hashed.leaves.into());
            let found = LocalFile { guard, executable: None, identity: Some(hashed.identity), leaves };
            local.entries.insert(path, Entry::File(found));
        }
        for file in &self.releases[self.listed].target.manifest.files {
            let listed = Listed::File { id: file.identity, executable: false, guard: None };
            local.listed.insert(file.path.clone(), listed);
        }
        self.plan = plan(&local, self.target(), self, PlanOptions::default());
        self.local = local;
    }

    pub(crate) fn input(&self) -> Input<'_> {
        Input {
            local: &self.local,
            target: self.target(),
            plan: &self.plan,
            missing: None,
            releases: &self.known,
            packs: &self.offers,
            held: &self.held,
            leaves: self,
            environment: &self.environment,
            weights: &self.weights,
        }
    }

    pub(crate) fn route(&self) -> Route {
        route(&self.input())
    }
}

/// What an invented pack looks like.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    /// Bytes of a frame's output.
    pub(crate) segment: u32,
    /// Bytes of a frame in the pack, per mille of its output.
    pub(crate) per_mille: u64,
    /// Base files that each frame refers to beside the one at the same path.
    pub(crate) extra: usize,
}

/// A pack that nobody encoded: files that are not in the base are cut into segments (small ones laid end to end), blocks
/// that the base's file of the same path has at the same place are copied, and every frame refers to base data.
fn invent(
    base: Option<&[ManifestFile]>,
    target: &[ManifestFile],
    bytes: &dyn Fn(&ManifestFile) -> Vec<u8>,
    shape: Shape,
) -> Index {
    let mut index =
        Index { base: base.map(tree_id), target: tree_id(target), encoder: 1, frames: vec![], files: vec![] };
    let base = base.unwrap_or_default();
    let mut seen: Vec<FileIdentity> = base.iter().map(|file| file.identity).collect();
    let mut open = Segment::default();
    for (at, file) in target.iter().enumerate() {
        if file.identity.len == 0 || file.is_symlink() || seen.contains(&file.identity) {
            continue;
        }
        seen.push(file.identity);
        let new = bytes(file);
        let twin = base.iter().position(|old| old.path == file.path && old.identity.len > 0);
        let old = twin.map(|at| bytes(&base[at])).unwrap_or_default();
        let mut slices: Vec<Slice> = Vec::new();
        for (block, chunk) in new.chunks(BLOCK_LEN as usize).enumerate() {
            let offset = block as u64 * BLOCK_LEN;
            if old.get(offset as usize..).is_some_and(|old| old.starts_with(chunk)) {
                slices.push(Slice::Base { file: twin.unwrap() as u32, offset, len: chunk.len() as u64 });
                continue;
            }
            if open.output > 0 && open.output + chunk.len() as u32 > shape.segment {
                std::mem::take(&mut open).close(&mut index, base, shape);
            }
            if let Some(twin) = twin
                && (offset as usize) < old.len()
            {
                let len = (old.len() - offset as usize).min(BLOCK_LEN as usize) as u32;
                open.prefix.push(BaseRange { file: twin as u32, view: View::Raw, offset, len });
            }
            slices.push(Slice::Frame {
                frame: index.frames.len() as u32,
                offset: open.output,
                len: chunk.len() as u32,
            });
            open.output += chunk.len() as u32;
        }
        index.files.push(Recipe { file: at as u32, slices });
    }
    if open.output > 0 {
        open.close(&mut index, base, shape);
    }
    index
}

#[derive(Default)]
struct Segment {
    output: u32,
    prefix: Vec<BaseRange>,
}

impl Segment {
    fn close(mut self, index: &mut Index, base: &[ManifestFile], shape: Shape) {
        let full: Vec<usize> = (0..base.len()).filter(|at| base[*at].identity.len > 0).collect();
        for extra in 0..shape.extra.min(full.len()) {
            let at = full[(index.frames.len() * 7 + extra * 3) % full.len()];
            let len = base[at].identity.len.min(BLOCK_LEN + 5);
            self.prefix.push(BaseRange { file: at as u32, view: View::Raw, offset: 0, len: len as u32 });
        }
        let offset = index.frames.last().map_or(HEADER_BYTES, |frame| frame.range().end);
        index.frames.push(Frame {
            offset,
            len: (u64::from(self.output) * shape.per_mille / 1000).max(1) as u32,
            method: if self.prefix.is_empty() { Method::Xz } else { Method::Zstd },
            prefix: self.prefix,
            plain_len: self.output,
            output_len: self.output,
            memory: 1 << 20,
        });
    }
}
