//! Small trees, releases of them, and an update whose network is the new tree.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;

use super::faultfs::{Fault, FaultFs, Steps};
use crate::apply::{Applied, Applier, ApplyError, Target};
use crate::folder::{InstallDir, LeafSource, Progress};
use crate::hash::{Hash, Hashed, TreeHasher};
use crate::path::{LinkTarget, SafePath};
use crate::plan::{Plan, PlanOptions, plan};
use crate::release::{Art, FileIdentity, GameId, ManifestFile, ReleaseManifest, Version};
use crate::verify::{Depth, survey};

/// What lies at a path.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Node {
    File(Vec<u8>, bool),
    Link(String),
}

impl std::fmt::Debug for Node {
    /// Long files by length and identity: a failed comparison is to be read by a person.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(data, executable) if data.len() > 40 => {
                let root = hex::encode(&hash(data).identity.root[..4]);
                write!(f, "File({} bytes, {root}…, {executable})", data.len())
            }
            Self::File(data, executable) => {
                write!(f, "File({:?}, {executable})", String::from_utf8_lossy(data))
            }
            Self::Link(target) => write!(f, "Link({target:?})"),
        }
    }
}

/// A tree of files by path; folders follow from them.
pub(crate) type Tree = BTreeMap<String, Node>;

pub(crate) fn file(data: impl AsRef<[u8]>) -> Node {
    Node::File(data.as_ref().to_vec(), false)
}

/// `blocks` blocks of 16 KiB, each filled from its letter.
pub(crate) fn blocks(letters: &str) -> Node {
    let block = |letter: u8| std::iter::repeat_n([letter, 1, 2, 3], 4096).flatten();
    Node::File(letters.bytes().flat_map(block).collect(), false)
}

pub(crate) fn tree(nodes: &[(&str, Node)]) -> Tree {
    nodes.iter().map(|(path, node)| ((*path).to_owned(), node.clone())).collect()
}

pub(crate) fn hash(data: &[u8]) -> Hashed {
    let mut hasher = TreeHasher::default();
    hasher.update(data);
    hasher.finish()
}

/// A release of a tree, with what its publisher would serve.
pub(crate) struct Release {
    pub(crate) tree: Tree,
    pub(crate) target: Target,
    leaves: HashMap<FileIdentity, Arc<[Hash]>>,
}

impl LeafSource for Release {
    fn leaves(&self, identity: &FileIdentity) -> Option<Arc<[Hash]>> {
        self.leaves.get(identity).cloned()
    }
}

/// Piece length of the test releases: leaves exist for files of more than one piece.
pub(crate) const PIECE: u32 = 32 << 10;

pub(crate) fn release(sequence: u64, tree: &Tree) -> Release {
    let mut leaves = HashMap::new();
    let files = tree.iter().map(|(path, node)| {
        let path = SafePath::parse(path).unwrap();
        match node {
            Node::File(data, executable) => {
                let hashed = hash(data);
                if data.len() > PIECE as usize {
                    leaves.insert(hashed.identity, hashed.leaves.into());
                }
                ManifestFile::file(path, hashed.identity, *executable)
            }
            Node::Link(target) => {
                let target = LinkTarget::parse(&path, target).unwrap();
                ManifestFile::symlink(path, target)
            }
        }
    });
    let mut files: Vec<ManifestFile> = files.collect();
    files.sort_by(|a, b| a.path.cmp(&b.path));
    let manifest = ReleaseManifest {
        game: GameId::parse("game").unwrap(),
        version: Version::parse(&format!("{sequence}.0")).unwrap(),
        sequence,
        allowed_channels: BTreeSet::new(),
        files,
        piece_len: PIECE,
        info_hash_v1: [1; 20],
        info_hash_v2: [2; 32],
        info_hash_v1_only: None,
        launch: BTreeMap::new(),
        notes: String::new(),
        art: Art::default(),
    };
    let bytes = format!("manifest {sequence}").into_bytes().into();
    Release { tree: tree.clone(), target: Target { manifest: manifest.into(), bytes, channel: None }, leaves }
}

/// The day of every update in a test.
pub(crate) const DAY: jiff::civil::Date = jiff::civil::date(2026, 11, 22);

/// What the player's files are called that were kept on [`DAY`].
pub(crate) fn is_kept(path: &str) -> bool {
    path.contains(".mine-2026-11-22")
}

/// A tree but for what was kept of the player's.
pub(crate) fn without_kept(mut tree: Tree) -> Tree {
    tree.retain(|path, _| !is_kept(path));
    tree
}

/// Small files are patched in place too.
pub(crate) fn options() -> PlanOptions {
    PlanOptions { patch_min_len: 0, ..PlanOptions::default() }
}

pub(crate) fn plan_for(dir: &InstallDir, release: &Release, depth: Depth, options: PlanOptions) -> Plan {
    let local = survey(dir, &release.target.manifest, depth, 1, &()).unwrap();
    plan(&local, &release.target.manifest, release, options)
}

/// Survey, plan, stage, fetch from the new tree, commit. Returns what was fetched, in bytes.
pub(crate) fn update(
    dir: &Arc<InstallDir>,
    release: &Release,
    depth: Depth,
    options: PlanOptions,
) -> Result<(Applied, u64), ApplyError> {
    let plan = match survey(dir, &release.target.manifest, depth, 1, &()) {
        Ok(local) => plan(&local, &release.target.manifest, release, options),
        Err(crate::verify::SurveyError::Disk(error)) => return Err(error.into()),
        Err(crate::verify::SurveyError::Cancelled) => return Err(ApplyError::Cancelled),
    };
    let applier = Applier::new(Arc::clone(dir), release.target.clone(), plan)?.with_threads(1).on_day(DAY);
    applier.prepare(release, &())?;
    let mut fetched = 0;
    for (index, ranges) in applier.missing() {
        for range in ranges {
            fetched += range.end - range.start;
            deliver(&applier, release, index, range)?;
        }
    }
    Ok((applier.commit(&())?, fetched))
}

/// Stands for the swarm: writes a range of the new tree to its staged file.
pub(crate) fn deliver(
    applier: &Applier,
    release: &Release,
    index: usize,
    range: std::ops::Range<u64>,
) -> Result<(), ApplyError> {
    let path = release.target.manifest.files[index].path.as_str();
    let Node::File(data, _) = &release.tree[path] else { panic!("{path} is not a file") };
    let part = &data[range.start as usize..range.end as usize];
    let super::super::Location::Staged { path } = applier.location(index) else {
        panic!("{path} is not staged")
    };
    write(applier, &path, range.start, part)?;
    applier.verified(index, range);
    Ok(())
}

fn write(applier: &Applier, path: &str, at: u64, part: &[u8]) -> Result<(), crate::folder::DiskError> {
    let slot = applier.dir().fs().open(path, crate::folder::Access::Write);
    let slot = slot.map_err(crate::folder::DiskError::at("open", path))?;
    slot.write_at(at, part).map_err(crate::folder::DiskError::at("write", path))
}

/// The whole folder below `root` except `.samara/`; empty folders are listed as `name/`.
pub(crate) fn read_tree(root: &Path) -> Tree {
    fn walk(root: &Path, below: &str, tree: &mut Tree) -> usize {
        let mut count = 0;
        for entry in std::fs::read_dir(root.join(below)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let path = if below.is_empty() { name } else { format!("{below}/{name}") };
            if path == ".samara" {
                continue;
            }
            count += 1;
            let meta = std::fs::symlink_metadata(root.join(&path)).unwrap();
            if meta.is_symlink() {
                let target = std::fs::read_link(root.join(&path)).unwrap();
                tree.insert(path, Node::Link(target.to_str().unwrap().replace('\\', "/")));
            } else if meta.is_dir() {
                if walk(root, &path, tree) == 0 {
                    tree.insert(format!("{path}/"), Node::Link(String::new()));
                }
            } else {
                let data = std::fs::read(root.join(&path)).unwrap();
                tree.insert(path, Node::File(data, is_executable(&meta)));
            }
        }
        count
    }
    let mut tree = Tree::new();
    walk(root, "", &mut tree);
    tree
}

#[cfg(unix)]
fn is_executable(meta: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;
    meta.permissions().mode() & 0o111 != 0
}

#[cfg(windows)]
fn is_executable(_meta: &std::fs::Metadata) -> bool {
    false
}

/// Writes a tree as a player or a mod would: straight to disk.
pub(crate) fn write_tree(root: &Path, tree: &Tree) {
    for (path, node) in tree {
        let at = root.join(path);
        std::fs::create_dir_all(at.parent().unwrap()).unwrap();
        match node {
            Node::File(data, executable) => {
                std::fs::write(&at, data).unwrap();
                set_executable(&at, *executable);
            }
            Node::Link(target) => link(target, &at),
        }
    }
}

#[cfg(unix)]
fn set_executable(path: &Path, on: bool) {
    use std::os::unix::fs::PermissionsExt;
    let mode = if on { 0o755 } else { 0o644 };
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[cfg(windows)]
fn set_executable(_path: &Path, _on: bool) {}

#[cfg(unix)]
fn link(target: &str, at: &Path) {
    std::os::unix::fs::symlink(target, at).unwrap();
}

#[cfg(windows)]
fn link(target: &str, at: &Path) {
    std::os::windows::fs::symlink_file(target, at).unwrap();
}

/// An install of `old` in a fresh folder.
pub(crate) fn installed(old: &Release) -> (tempfile::TempDir, Arc<InstallDir>) {
    let temp = tempfile::tempdir().unwrap();
    std::fs::create_dir(temp.path().join(".samara")).unwrap();
    let state = crate::folder::State::new("game", false).encode().unwrap();
    std::fs::write(temp.path().join(".samara/state.json"), state).unwrap();
    let dir = FaultFs::install(temp.path(), &Steps::new(Fault::None, 0));
    update(&dir, old, Depth::Quick, options()).unwrap();
    assert_eq!(read_tree(temp.path()), old.tree);
    (temp, dir)
}

/// Counts bytes; stops after so many.
pub(crate) struct StopAfter(pub(crate) std::sync::atomic::AtomicI64);

impl Progress for StopAfter {
    fn advance(&self, bytes: u64) {
        self.0.fetch_sub(bytes as i64, std::sync::atomic::Ordering::Relaxed);
    }

    fn cancelled(&self) -> bool {
        self.0.load(std::sync::atomic::Ordering::Relaxed) <= 0
    }
}
