//! A disk in memory whose power can fail: what was not synced may be there, or not, in any combination.
//!
//! Content is durable once its file was synced after the last write. A change of names (create, rename, remove) is
//! durable once every folder it names was synced after it; until then it may or may not have happened, but never
//! without the earlier changes of the same names, as on a file system with a journal.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};

use super::faultfs::{Fault, FaultFs, Steps};
use super::world::*;
use crate::folder::{self, Access, Fs, FsFile, Guard, InstallDir, Meta, State};
use crate::verify::Depth;

type Id = u64;

/// Bytes that reach the disk together.
const PAGE: usize = 4096;

#[derive(Debug, Clone, PartialEq, Eq)]
enum Thing {
    File(Content),
    Folder,
    Link(String),
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Content {
    data: Vec<u8>,
    mtime_ns: i64,
    executable: bool,
    /// What a power cut leaves for sure: data and time of the last sync.
    synced: (Vec<u8>, i64),
}

impl Content {
    /// What may be left of writes that were not synced: any part of them, in any order; the length may have come before
    /// the data, or after it.
    fn lose(&mut self, random: &mut impl FnMut(u64) -> u64) {
        let (synced, synced_ns) = &self.synced;
        let len = match random(3) {
            0 => synced.len(),
            1 => self.data.len(),
            _ => usize::midpoint(synced.len(), self.data.len()),
        };
        let mut left = vec![0; len];
        // All of one kind now and then: with many pages every mixture of chance looks alike.
        let kind = random(3);
        for (page, at) in (0..len).step_by(PAGE).enumerate() {
            let new = match kind {
                0 => false,
                1 => page % 2 == 0,
                _ => random(2) == 0,
            };
            let from = if new { &self.data } else { synced };
            let end = len.min(at + PAGE);
            let there = from.len().min(end);
            if at < there {
                left[at..there].copy_from_slice(&from[at..there]);
            }
        }
        self.data = left;
        if random(2) == 0 {
            self.mtime_ns = *synced_ns;
        }
        self.synced = (self.data.clone(), self.mtime_ns);
    }
}

/// A change of names: `from` empty for a new node, `to` empty for a removal.
#[derive(Debug, Clone)]
struct Change {
    id: Id,
    from: Option<String>,
    to: Option<String>,
    unsynced: BTreeSet<String>,
}

#[derive(Debug, Clone, Default)]
struct Disk {
    nodes: HashMap<Id, Thing>,
    names: BTreeMap<String, Id>,
    durable: BTreeMap<String, Id>,
    pending: Vec<Change>,
    clock: i64,
    /// Whether upper and lower case (of ASCII) are one.
    insensitive: bool,
}

fn folder_of(path: &str) -> String {
    path.rsplit_once('/').map_or("", |(folder, _)| folder).to_owned()
}

fn apply(names: &mut BTreeMap<String, Id>, change: &Change) {
    match (&change.from, &change.to) {
        (Some(from), Some(to)) => {
            let inside = format!("{from}/");
            let moved: Vec<String> = names.keys().filter(|path| path.starts_with(&inside)).cloned().collect();
            for path in moved {
                let id = names.remove(&path).unwrap();
                names.insert(format!("{to}/{}", &path[inside.len()..]), id);
            }
            names.remove(from);
            names.insert(to.clone(), change.id);
        }
        (None, Some(to)) => {
            names.insert(to.clone(), change.id);
        }
        (from, None) => {
            names.remove(from.as_deref().unwrap_or_default());
        }
    }
}

impl Disk {
    /// The path as it is spelled on this disk, as far as it is there.
    fn key(&self, path: &str) -> String {
        if !self.insensitive || self.names.contains_key(path) {
            return path.to_owned();
        }
        if let Some(known) = self.names.keys().find(|name| name.eq_ignore_ascii_case(path)) {
            return known.clone();
        }
        match path.rsplit_once('/') {
            Some((folder, name)) => format!("{}/{name}", self.key(folder)),
            None => path.to_owned(),
        }
    }

    fn change(&mut self, id: Id, from: Option<&str>, to: Option<&str>) {
        let unsynced = from.into_iter().chain(to).map(folder_of).collect();
        let change = Change { id, from: from.map(str::to_owned), to: to.map(str::to_owned), unsynced };
        apply(&mut self.names, &change);
        self.pending.push(change);
    }

    fn node(&self, path: &str) -> io::Result<&Thing> {
        self.names.get(path).and_then(|id| self.nodes.get(id)).ok_or_else(|| ErrorKind::NotFound.into())
    }

    fn folder(&self, path: &str) -> io::Result<()> {
        match path {
            "" => Ok(()),
            _ if *self.node(path)? == Thing::Folder => Ok(()),
            _ => Err(ErrorKind::NotADirectory.into()),
        }
    }

    fn create(&mut self, path: &str, node: Thing) -> io::Result<Id> {
        self.folder(&folder_of(path))?;
        if self.names.contains_key(path) {
            return Err(ErrorKind::AlreadyExists.into());
        }
        let id = self.nodes.len() as Id + 1;
        self.nodes.insert(id, node);
        self.change(id, None, Some(path));
        Ok(id)
    }

    fn children(&self, path: &str) -> Vec<String> {
        let inside = if path.is_empty() { String::new() } else { format!("{path}/") };
        let below = self.names.keys().filter_map(|name| name.strip_prefix(&inside));
        below.filter(|name| !name.contains('/')).map(str::to_owned).collect()
    }
}

/// See the module. Clones share the disk.
#[derive(Clone, Default)]
pub(crate) struct SimFs(Arc<Mutex<Disk>>);

impl SimFs {
    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.0.lock().unwrap()
    }

    /// A disk that does not tell upper from lower case.
    pub(crate) fn insensitive() -> Self {
        Self(Arc::new(Mutex::new(Disk { insensitive: true, ..Disk::default() })))
    }

    /// A disk like this one, from here on its own.
    pub(crate) fn fork(&self) -> Self {
        Self(Arc::new(Mutex::new(self.disk().clone())))
    }

    /// The disk after the power failed, one of many possible ones.
    pub(crate) fn power_cut(&self, seed: u64) -> Self {
        let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        let mut random = move |n: u64| {
            // xorshift64: enough to pick among a few outcomes.
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 33) % n
        };
        let mut disk = self.disk().clone();
        let happened: Vec<bool> =
            disk.pending.iter().map(|change| change.unsynced.is_empty() || random(2) == 0).collect();
        // A change that happened takes along the earlier ones of its names and of the folders above.
        // (A folder that is gone was emptied before.)
        let mut needed: BTreeSet<String> = BTreeSet::new();
        let mut gone: Vec<String> = Vec::new();
        let mut kept = Vec::new();
        for (change, happened) in disk.pending.iter().zip(happened).rev() {
            let names: Vec<&String> = change.from.iter().chain(&change.to).collect();
            let implied = |name: &String| {
                needed.contains(name) || gone.iter().any(|folder| name.starts_with(folder.as_str()))
            };
            if happened || names.iter().any(|name| implied(name)) {
                gone.extend(change.from.iter().map(|from| format!("{from}/")));
                for name in names {
                    needed.insert(name.clone());
                    needed.extend(name.match_indices('/').map(|(end, _)| name[..end].to_owned()));
                }
                kept.push(change.clone());
            }
        }
        let mut names = disk.durable.clone();
        kept.iter().rev().for_each(|change| apply(&mut names, change));
        disk.names.clone_from(&names);
        disk.durable = names;
        disk.pending.clear();
        for node in disk.nodes.values_mut() {
            let Thing::File(content) = node else { continue };
            if content.synced.0 != content.data {
                content.lose(&mut random);
            }
        }
        Self(Arc::new(Mutex::new(disk)))
    }
}

struct SimFile {
    disk: SimFs,
    id: Id,
}

impl SimFile {
    fn with<T>(&self, work: impl FnOnce(&mut Content, i64) -> T) -> T {
        let mut disk = self.disk.disk();
        disk.clock += 1;
        let now = disk.clock;
        match disk.nodes.get_mut(&self.id) {
            Some(Thing::File(content)) => work(content, now),
            other => panic!("an open file is {other:?}"),
        }
    }
}

impl FsFile for SimFile {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        self.with(|content, _| {
            let rest = content.data.get(offset as usize..).unwrap_or_default();
            let count = rest.len().min(buf.len());
            buf[..count].copy_from_slice(&rest[..count]);
            Ok(count)
        })
    }

    fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.with(|content, now| {
            let (start, end) = (offset as usize, offset as usize + data.len());
            if content.data.len() < end {
                content.data.resize(end, 0);
            }
            content.data[start..end].copy_from_slice(data);
            content.mtime_ns = now;
        });
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.with(|content, now| {
            content.data.resize(len as usize, 0);
            content.mtime_ns = now;
        });
        Ok(())
    }

    fn set_sparse(&self) -> io::Result<()> {
        Ok(())
    }

    /// Pages of zeros take no space.
    fn allocated(&self) -> io::Result<Option<u64>> {
        let used = |content: &mut Content, _| {
            content.data.chunks(4096).filter(|page| page.iter().any(|byte| *byte != 0)).count() as u64
        };
        Ok(Some(self.with(used) * 4096))
    }

    fn sync(&self) -> io::Result<()> {
        self.with(|content, _| content.synced = (content.data.clone(), content.mtime_ns));
        Ok(())
    }

    fn meta(&self) -> io::Result<Meta> {
        let id = self.id;
        Ok(self.with(|content, _| meta(id, content)))
    }
}

fn meta(id: Id, content: &Content) -> Meta {
    let guard = Guard { len: content.data.len() as u64, mtime_ns: content.mtime_ns, inode: id };
    Meta::File { guard, executable: Some(content.executable) }
}

impl Fs for SimFs {
    fn stat(&self, path: &str) -> io::Result<Option<Meta>> {
        let disk = self.disk();
        let Some(id) = disk.names.get(&disk.key(path)) else { return Ok(None) };
        Ok(Some(match &disk.nodes[id] {
            Thing::File(content) => meta(*id, content),
            Thing::Folder => Meta::Folder,
            Thing::Link(_) => Meta::Link,
        }))
    }

    fn read_link(&self, path: &str) -> io::Result<Option<String>> {
        let disk = self.disk();
        match disk.node(&disk.key(path))? {
            Thing::Link(target) => Ok(Some(target.clone())),
            _ => Err(ErrorKind::InvalidInput.into()),
        }
    }

    fn list(&self, path: &str) -> io::Result<Vec<Option<String>>> {
        let disk = self.disk();
        let path = &disk.key(path);
        disk.folder(path)?;
        Ok(disk.children(path).into_iter().map(Some).collect())
    }

    fn open(&self, path: &str, access: Access) -> io::Result<Box<dyn FsFile>> {
        let mut disk = self.disk();
        let path = &disk.key(path);
        let id = match disk.names.get(path).copied() {
            Some(id) if matches!(disk.nodes[&id], Thing::File(_)) => id,
            Some(_) => return Err(ErrorKind::InvalidInput.into()),
            None if access == Access::Create => disk.create(path, Thing::File(Content::default()))?,
            None => return Err(ErrorKind::NotFound.into()),
        };
        Ok(Box::new(SimFile { disk: self.clone(), id }))
    }

    fn open_std(&self, _path: &str, _access: Access) -> io::Result<File> {
        Err(ErrorKind::Unsupported.into())
    }

    fn names_of(&self, path: &str) -> io::Result<u64> {
        self.disk().names.get(path).map_or(Err(ErrorKind::NotFound.into()), |_| Ok(1))
    }

    fn create_dir(&self, path: &str) -> io::Result<()> {
        let mut disk = self.disk();
        let path = disk.key(path);
        disk.create(&path, Thing::Folder).map(|_| ())
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut disk = self.disk();
        let from = &disk.key(from);
        let replaced = disk.key(to);
        let folder = disk.key(&folder_of(to));
        // The new name is spelled as asked for, in the folder as it is spelled.
        let name = to.rsplit('/').next().unwrap_or_default();
        let to = &if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") };
        disk.node(from)?;
        disk.folder(&folder)?;
        if replaced != *to && replaced != *from && disk.names.contains_key(&replaced) {
            let id = disk.names[&replaced];
            disk.change(id, Some(&replaced), None);
        }
        if disk.node(to).is_ok_and(|node| *node == Thing::Folder) {
            return Err(ErrorKind::IsADirectory.into());
        }
        let id = disk.names[from];
        disk.change(id, Some(from), Some(to));
        Ok(())
    }

    fn reflink(&self, from: &str, to: &str) -> io::Result<bool> {
        let mut disk = self.disk();
        let Thing::File(content) = disk.node(&disk.key(from))? else {
            return Err(ErrorKind::InvalidInput.into());
        };
        let data = content.data.clone();
        disk.clock += 1;
        let mtime_ns = disk.clock;
        let to = disk.key(to);
        disk.create(&to, Thing::File(Content { data, mtime_ns, ..Content::default() })).map(|_| true)
    }

    fn remove_file(&self, path: &str) -> io::Result<()> {
        let mut disk = self.disk();
        let path = &disk.key(path);
        if *disk.node(path)? == Thing::Folder {
            return Err(ErrorKind::IsADirectory.into());
        }
        let id = disk.names[path];
        disk.change(id, Some(path), None);
        Ok(())
    }

    fn remove_dir(&self, path: &str) -> io::Result<()> {
        let mut disk = self.disk();
        let path = &disk.key(path);
        disk.folder(path)?;
        if !disk.children(path).is_empty() {
            return Err(ErrorKind::DirectoryNotEmpty.into());
        }
        let id = disk.names[path];
        disk.change(id, Some(path), None);
        Ok(())
    }

    fn symlink(&self, target: &str, path: &str) -> io::Result<()> {
        let mut disk = self.disk();
        let path = disk.key(path);
        disk.create(&path, Thing::Link(target.to_owned())).map(|_| ())
    }

    fn set_executable(&self, path: &str, on: bool) -> io::Result<()> {
        let mut disk = self.disk();
        let id = *disk.names.get(&disk.key(path)).ok_or(ErrorKind::NotFound)?;
        match disk.nodes.get_mut(&id) {
            Some(Thing::File(content)) => content.executable = on,
            _ => return Err(ErrorKind::InvalidInput.into()),
        }
        Ok(())
    }

    fn sync_dir(&self, path: &str) -> io::Result<()> {
        let mut disk = self.disk();
        let path = &disk.key(path);
        disk.folder(path)?;
        for change in &mut disk.pending {
            change.unsynced.remove(path.as_str());
        }
        // What is durable in front of the list needs no memory.
        while disk.pending.first().is_some_and(|change| change.unsynced.is_empty()) {
            let change = disk.pending.remove(0);
            apply(&mut disk.durable, &change);
        }
        Ok(())
    }

    fn writable(&self, _path: &str) -> io::Result<bool> {
        Ok(true)
    }

    fn space(&self) -> Option<u64> {
        None
    }
}

pub(crate) fn over(disk: &SimFs, steps: &Arc<Steps>) -> Arc<InstallDir> {
    let fs = Arc::new(FaultFs::over(Arc::new(disk.clone()), steps));
    Arc::new(InstallDir::over(Path::new("simulated"), fs, None).unwrap())
}

pub(crate) fn calm() -> Arc<Steps> {
    Steps::new(Fault::None, 0)
}

fn tree_of(fs: &dyn Fs, below: &str, tree: &mut Tree) {
    for name in fs.list(below).unwrap().into_iter().flatten().filter(|name| name != ".samara") {
        let path = if below.is_empty() { name } else { format!("{below}/{name}") };
        match fs.stat(&path).unwrap().unwrap() {
            Meta::Folder => tree_of(fs, &path, tree),
            Meta::Link => {
                tree.insert(path.clone(), Node::Link(fs.read_link(&path).unwrap().unwrap()));
            }
            Meta::File { guard, executable } => {
                let mut data = vec![0; guard.len as usize];
                crate::apply::fill(&*fs.open(&path, Access::Read).unwrap(), 0, &mut data).unwrap();
                tree.insert(path, Node::File(data, executable == Some(true)));
            }
            Meta::Other => panic!("{path} is something else"),
        }
    }
}

pub(crate) fn found(disk: &SimFs) -> Tree {
    let mut tree = Tree::new();
    tree_of(disk, "", &mut tree);
    tree
}

/// A disk with `old` in place, everything synced.
pub(crate) fn disk_with(old: &Release) -> SimFs {
    disk_on(SimFs::default(), old)
}

/// The same on a disk that is empty so far.
pub(crate) fn disk_on(disk: SimFs, old: &Release) -> SimFs {
    folder::ensure_dir(&disk, folder::PRIVATE).unwrap();
    disk.sync_dir("").unwrap();
    folder::put(&disk, folder::STATE_FILE, &State::new("game", false).encode().unwrap()).unwrap();
    update(&over(&disk, &calm()), old, Depth::Quick, options()).unwrap();
    assert_eq!(found(&disk), old.tree);
    disk
}
