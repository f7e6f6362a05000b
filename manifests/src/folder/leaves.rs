//! Leaf hashes of large files, kept in `.samara/leaves/`.
//!
//! ```text
//! <identity>          every leaf, laid end to end: as published
//! <identity>.groups   beside many leaves: the node over each sixteen of them, and a checksum of those
//! <identity>.changed  the leaves that differ from another file's, [`LeafChanges`]
//! ```
//! An update of a few blocks of a file of 4 GiB would otherwise write 8 MiB of hashes. What a `.changed` refers to is
//! always whole, never another `.changed`. Nothing read here is believed before it was checked up to the root; what was
//! checked is remembered, for hashing a tree of 4 GiB takes longer than patching a few blocks of it. So do the groups: the
//! leaves were checked up to the root when they were written, the checksums say that they still are what was written, and
//! the nodes over them are checked up to the root again.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use super::{
    Access, DiskError, Fs, InstallDir, LEAVES, LeafSource, Meta, ensure_dir, get, is_absent, put, put_cached,
    remove_if_there,
};
use crate::hash::{self, GROUP, Hash, LeafChanges, Tree};
use crate::release::FileIdentity;

/// A node and a checksum.
const GROUP_BYTES: usize = 32 + 4;
/// Trees remembered, at most, in bytes: those of 16 GiB of files.
const REMEMBERED_BYTES: usize = 64 << 20;

/// Leaves that were checked up to their root, with what is above them, newest last.
#[derive(Debug, Default)]
pub(super) struct Remembered(Mutex<Vec<(FileIdentity, Arc<Tree>)>>);

impl Remembered {
    fn get(&self, identity: &FileIdentity) -> Option<Arc<Tree>> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = known.iter().position(|(of, _)| of == identity)?;
        let entry = known.remove(at);
        let tree = Arc::clone(&entry.1);
        known.push(entry);
        Some(tree)
    }

    fn add(&self, identity: &FileIdentity, tree: &Arc<Tree>) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|(of, _)| of != identity);
        known.push((*identity, Arc::clone(tree)));
        let mut room = REMEMBERED_BYTES;
        let newest = known.iter().rev();
        let fit = newest.take_while(|(_, tree)| match room.checked_sub(tree.bytes()) {
            Some(left) => {
                room = left;
                true
            }
            None => false,
        });
        let surplus = known.len() - fit.count();
        known.drain(..surplus);
    }
}

impl InstallDir {
    /// Keeps published leaf hashes, after checking them against the file's root. Where they differ little from those of
    /// `like`, an earlier content of the same file, only the difference is written.
    ///
    /// # Errors
    /// `Ok(false)` when they are not that file's; [`DiskError`].
    pub fn put_leaves(
        &self,
        identity: &FileIdentity,
        bytes: &[u8],
        like: Option<&FileIdentity>,
    ) -> Result<bool, DiskError> {
        let Some(leaves) = leaves_of(bytes) else { return Ok(false) };
        let like = like.filter(|like| *like != identity && LeafChanges::are_worth_it(identity.len));
        let old = like.and_then(|like| Some((like, self.tree(like)?)));
        let tree = match &old {
            Some((_, old)) => old.with(leaves),
            None => Tree::over(leaves),
        };
        self.keep(identity, tree, old)
    }

    /// Keeps leaf hashes that were published as changes of another file's.
    ///
    /// # Errors
    /// `Ok(false)` when they do not lead to that file, or the other file's are not here; [`DiskError`].
    pub fn put_leaf_changes(
        &self,
        identity: &FileIdentity,
        changes: &LeafChanges,
    ) -> Result<bool, DiskError> {
        let Some(old) = self.tree(&changes.base) else { return Ok(false) };
        let Some(leaves) = changes.apply(old.leaves(), identity.len) else { return Ok(false) };
        let tree = old.with(leaves);
        self.keep(identity, tree, Some((&changes.base, old)))
    }

    fn keep(
        &self,
        identity: &FileIdentity,
        tree: Tree,
        old: Option<(&FileIdentity, Arc<Tree>)>,
    ) -> Result<bool, DiskError> {
        if !tree.is_of(identity) {
            return Ok(false);
        }
        ensure_dir(&*self.fs, LEAVES)?;
        match old.and_then(|(like, old)| self.difference(like, old.leaves(), tree.leaves())) {
            // They are held against the root whenever they are read.
            Some(changes) => put_cached(&*self.fs, &changed_path(identity), &changes.encode())?,
            None => {
                // They must never be those of other leaves than lie there.
                remove_if_there(&*self.fs, &groups_path(identity))?;
                put(&*self.fs, &whole_path(identity), tree.leaves().as_flattened())?;
                if LeafChanges::are_worth_it(identity.len) {
                    put(&*self.fs, &groups_path(identity), &groups_to_bytes(&tree))?;
                }
            }
        }
        self.remembered.add(identity, &Arc::new(tree));
        Ok(true)
    }

    /// How `leaves` differ from those of a file whose leaves are kept whole: `like`, or the one it refers to.
    fn difference(&self, like: &FileIdentity, old: &[Hash], leaves: &[Hash]) -> Option<LeafChanges> {
        let is_whole = |identity: &FileIdentity| matches!(self.fs.stat(&whole_path(identity)), Ok(Some(_)));
        if is_whole(like) {
            return LeafChanges::between(*like, old, leaves);
        }
        let before = read_changed(&*self.fs, like).filter(|before| is_whole(&before.base))?;
        let mut earlier = before.changes.iter().map(|(block, _)| *block).peekable();
        let changed = (0u32..).zip(leaves).enumerate().filter(|(at, (block, leaf))| {
            while earlier.next_if(|earlier| earlier < block).is_some() {}
            earlier.peek() == Some(block) || old.get(*at) != Some(leaf)
        });
        LeafChanges::of(before.base, changed.map(|(_, (block, leaf))| (block, *leaf)), leaves.len())
    }
}

impl InstallDir {
    /// Whether there seem to be leaves of this file; they were not looked at.
    pub fn has_leaves(&self, identity: &FileIdentity) -> bool {
        let is_there = |path: String| matches!(self.fs.stat(&path), Ok(Some(_)));
        is_there(whole_path(identity)) || is_there(changed_path(identity))
    }

    fn tree(&self, identity: &FileIdentity) -> Option<Arc<Tree>> {
        if let Some(known) = self.remembered.get(identity) {
            return Some(known);
        }
        let together = || self.put_together(identity).filter(|tree| tree.is_of(identity));
        let tree = read_tree(&*self.fs, identity).or_else(together)?;
        let tree = Arc::new(tree);
        self.remembered.add(identity, &tree);
        Some(tree)
    }

    /// The leaves of another file with the changes put in; not checked yet.
    fn put_together(&self, identity: &FileIdentity) -> Option<Tree> {
        let changes = read_changed(&*self.fs, identity)?;
        // What it refers to is whole: no chain of them is followed.
        let base = match self.remembered.get(&changes.base) {
            Some(tree) => tree,
            None => {
                let tree = Arc::new(read_tree(&*self.fs, &changes.base)?);
                self.remembered.add(&changes.base, &tree);
                tree
            }
        };
        Some(base.with(changes.apply(base.leaves(), identity.len)?))
    }
}

impl LeafSource for InstallDir {
    fn leaves(&self, identity: &FileIdentity) -> Option<Arc<[Hash]>> {
        Some(Arc::clone(self.tree(identity)?.leaves()))
    }
}

/// The names below [`LEAVES`] that the leaves of these files are read from. Few files have leaves of their own, so what is
/// there is looked at first.
pub(crate) fn leaf_files<'a>(
    fs: &dyn Fs,
    identities: impl Iterator<Item = &'a FileIdentity>,
) -> Result<HashSet<String>, DiskError> {
    let there = match fs.list(LEAVES) {
        Ok(names) => names.into_iter().flatten().collect(),
        Err(error) if is_absent(&error) => HashSet::new(),
        Err(error) => return Err(DiskError::at("read the folder", LEAVES)(error)),
    };
    let mut needed = HashSet::new();
    if there.is_empty() {
        return Ok(needed);
    }
    for identity in identities {
        let (whole, changed) = (identity.to_string(), format!("{identity}.changed"));
        if there.contains(&whole) {
            needed.extend([whole, format!("{identity}.groups")]);
        }
        if there.contains(&changed)
            && let Some(changes) = read_changed(fs, identity)
        {
            needed.extend([changed, changes.base.to_string(), format!("{}.groups", changes.base)]);
        }
    }
    Ok(needed)
}

fn whole_path(identity: &FileIdentity) -> String {
    format!("{LEAVES}/{identity}")
}

fn changed_path(identity: &FileIdentity) -> String {
    format!("{LEAVES}/{identity}.changed")
}

/// Not checked yet. They are read to where they stay: of a large file they are many megabytes.
fn read_whole(fs: &dyn Fs, identity: &FileIdentity) -> Option<Arc<[Hash]>> {
    let file = fs.open(&whole_path(identity), Access::Read).ok()?;
    let Meta::File { guard, .. } = file.meta().ok()? else { return None };
    let count = hash::leaf_count(identity.len);
    if count.checked_mul(32) != Some(guard.len) {
        return None;
    }
    let mut leaves: Arc<[Hash]> = std::iter::repeat_n([0; 32], usize::try_from(count).ok()?).collect();
    let bytes = Arc::get_mut(&mut leaves)?.as_flattened_mut();
    let mut done = 0;
    while let Some(rest) = bytes.get_mut(done..).filter(|rest| !rest.is_empty()) {
        match file.read_at(done as u64, rest).ok()? {
            0 => return None,
            some => done += some,
        }
    }
    Some(leaves)
}

/// All leaves with the nodes above them, checked.
fn read_tree(fs: &dyn Fs, identity: &FileIdentity) -> Option<Tree> {
    let leaves = read_whole(fs, identity)?;
    let right = |tree: &Tree| tree.is_of(identity);
    let known = read_groups(fs, identity, &leaves);
    let quick = known.map(|nodes| Tree::from_groups(Arc::clone(&leaves), nodes)).filter(right);
    quick.or_else(|| Some(Tree::over(leaves)).filter(right))
}

fn groups_path(identity: &FileIdentity) -> String {
    format!("{LEAVES}/{identity}.groups")
}

/// Each node with the CRC-32 (little-endian) of the leaves under it.
fn groups_to_bytes(tree: &Tree) -> Vec<u8> {
    let sums = tree.leaves().chunks(GROUP).map(|leaves| crc32fast::hash(leaves.as_flattened()).to_le_bytes());
    tree.groups().iter().zip(sums).flat_map(|(node, sum)| node.iter().copied().chain(sum)).collect()
}

/// The nodes over the groups of `leaves`; none where one group is not what was written.
fn read_groups(fs: &dyn Fs, identity: &FileIdentity, leaves: &[Hash]) -> Option<Vec<Hash>> {
    let count = leaves.len().div_ceil(GROUP);
    let bytes = get(fs, &groups_path(identity), (count * GROUP_BYTES) as u64).ok()??;
    let (entries, rest) = bytes.as_chunks::<GROUP_BYTES>();
    if entries.len() != count || !rest.is_empty() {
        return None;
    }
    let checked = entries.iter().zip(leaves.chunks(GROUP)).map(|(entry, leaves)| {
        let (node, sum) = entry.split_first_chunk::<32>()?;
        (crc32fast::hash(leaves.as_flattened()).to_le_bytes() == sum).then_some(*node)
    });
    checked.collect()
}

/// Hashes laid end to end; none when one is cut.
fn leaves_of(bytes: &[u8]) -> Option<Arc<[Hash]>> {
    let (leaves, rest) = bytes.as_chunks::<32>();
    rest.is_empty().then(|| leaves.into())
}

fn read_changed(fs: &dyn Fs, identity: &FileIdentity) -> Option<LeafChanges> {
    let bytes = get(fs, &changed_path(identity), LeafChanges::max_bytes(identity.len)).ok()??;
    LeafChanges::decode(&bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Blocks of a file, one byte for each.
    fn file(blocks: &[u8]) -> (FileIdentity, Vec<u8>) {
        let leaves: Vec<Hash> = blocks.iter().map(|byte| hash::leaf(&[*byte; 16_384])).collect();
        let len = blocks.len() as u64 * hash::BLOCK_LEN;
        (FileIdentity { len, root: hash::root_of_leaves(&leaves) }, leaves.concat())
    }

    fn names(dir: &InstallDir) -> Vec<(String, u64)> {
        let folder = dir.path().join(LEAVES);
        let entries = std::fs::read_dir(folder).unwrap().map(Result::unwrap);
        let mut names: Vec<_> = entries
            .map(|entry| (entry.file_name().into_string().unwrap(), entry.metadata().unwrap().len()))
            .collect();
        names.sort();
        names
    }

    fn folder(temp: &tempfile::TempDir) -> InstallDir {
        InstallDir::create(temp.path(), "g", false).unwrap()
    }

    #[test]
    fn an_update_of_a_few_blocks_writes_their_leaves() {
        let temp = tempfile::tempdir().unwrap();
        let mut blocks = vec![1; 4096];
        let (first, bytes) = file(&blocks);
        assert!(folder(&temp).put_leaves(&first, &bytes, None).unwrap());
        let mut before = first;
        let mut all = vec![(first, bytes)];
        for round in 0..3u8 {
            // One block that changed before, one more, one at the end.
            blocks[7] = 10 + round;
            blocks[100 * usize::from(round)] = 20;
            blocks.push(30 + round);
            let (id, bytes) = file(&blocks);
            assert!(folder(&temp).put_leaves(&id, &bytes, Some(&before)).unwrap());
            (before, _) = (id, all.push((id, bytes)));
        }
        let dir = folder(&temp);
        for (id, bytes) in &all {
            assert_eq!(dir.leaves(id).unwrap().concat(), *bytes);
            let kept = dir.leaves(id).unwrap();
            assert!(Arc::ptr_eq(&kept, &dir.leaves(id).unwrap()), "not hashed twice");
        }
        let sizes: Vec<u64> = names(&dir).iter().map(|(_, len)| *len).collect();
        assert_eq!(sizes.iter().filter(|len| **len == 4096 * 32).count(), 1, "{sizes:?}");
        assert!(sizes.iter().filter(|len| **len < 500).count() == 3, "{sizes:?}");
        let needed = leaf_files(dir.fs(), [&before].into_iter()).unwrap();
        assert!(
            needed.contains(&first.to_string()) && needed.contains(&format!("{before}.changed")),
            "{needed:?}"
        );
    }

    #[test]
    fn where_much_changed_or_the_other_is_unknown_all_is_written() {
        let temp = tempfile::tempdir().unwrap();
        let dir = folder(&temp);
        let (old, bytes) = file(&[1; 4096]);
        let (unknown, _) = file(&[3; 4096]);
        assert!(dir.put_leaves(&old, &bytes, None).unwrap());
        let (much, bytes) = file(&[2; 4096]);
        assert!(dir.put_leaves(&much, &bytes, Some(&old)).unwrap());
        let mut blocks = [2; 4096];
        blocks[9] = 3;
        let (other, bytes) = file(&blocks);
        assert!(dir.put_leaves(&other, &bytes, Some(&unknown)).unwrap());
        let names = names(&dir);
        let mut leaves = names.iter().filter(|(name, _)| !name.ends_with(".groups"));
        assert!(leaves.all(|(_, len)| *len == 4096 * 32), "{names:?}");
    }

    #[test]
    fn published_changes_are_as_good_as_all_leaves() {
        let temp = tempfile::tempdir().unwrap();
        let (old, bytes) = file(&[1; 4096]);
        let mut blocks = [1; 4096];
        blocks[9] = 3;
        let (new, all) = file(&blocks);
        let changes =
            LeafChanges::between(old, &leaves_of(&bytes).unwrap(), &leaves_of(&all).unwrap()).unwrap();
        assert!(!folder(&temp).put_leaf_changes(&new, &changes).unwrap(), "changes of what is not here");
        folder(&temp).put_leaves(&old, &bytes, None).unwrap();
        let (other, _) = file(&[2; 4096]);
        assert!(!folder(&temp).put_leaf_changes(&other, &changes).unwrap(), "of another file");
        assert!(folder(&temp).put_leaf_changes(&new, &changes).unwrap());
        assert_eq!(folder(&temp).leaves(&new).unwrap().concat(), all);
        assert_eq!(names(&folder(&temp)).len(), 3, "the old leaves, their groups, the changes");
    }

    #[test]
    fn leaves_are_believed_only_as_they_were_written() {
        let temp = tempfile::tempdir().unwrap();
        let (id, bytes) = file(&std::array::from_fn::<u8, 4099, _>(|at| (at % 250) as u8));
        folder(&temp).put_leaves(&id, &bytes, None).unwrap();
        let (whole, groups) = (temp.path().join(whole_path(&id)), temp.path().join(groups_path(&id)));
        let kept = std::fs::read(&groups).unwrap();
        assert_eq!(kept.len(), 4099usize.div_ceil(GROUP) * GROUP_BYTES);
        for at in [0, 511, 512, 70_000, bytes.len() - 1] {
            let mut bad = bytes.clone();
            bad[at] ^= 1;
            std::fs::write(&whole, &bad).unwrap();
            assert!(folder(&temp).leaves(&id).is_none(), "byte {at} of the leaves");
        }
        std::fs::write(&whole, &bytes).unwrap();
        for at in [0, 31, 32, 35, 36, kept.len() - 1] {
            let mut bad = kept.clone();
            bad[at] ^= 1;
            std::fs::write(&groups, &bad).unwrap();
            assert!(
                folder(&temp).leaves(&id).is_some(),
                "byte {at} of the groups: the leaves are right all the same"
            );
            std::fs::write(&groups, &kept[..at]).unwrap();
            assert!(folder(&temp).leaves(&id).is_some(), "cut at {at}");
        }
        std::fs::remove_file(&groups).unwrap();
        assert!(folder(&temp).leaves(&id).is_some());
    }

    #[test]
    fn differences_are_believed_only_up_to_the_root() {
        let temp = tempfile::tempdir().unwrap();
        let (old, bytes) = file(&[1; 4096]);
        folder(&temp).put_leaves(&old, &bytes, None).unwrap();
        let mut blocks = [1; 4096];
        blocks[9] = 3;
        let (new, bytes) = file(&blocks);
        folder(&temp).put_leaves(&new, &bytes, Some(&old)).unwrap();
        let path = temp.path().join(changed_path(&new));
        let good = std::fs::read(&path).unwrap();
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            std::fs::write(&path, &bad).unwrap();
            assert!(folder(&temp).leaves(&new).is_none(), "byte {at}");
            std::fs::write(&path, &good[..at]).unwrap();
            assert!(folder(&temp).leaves(&new).is_none(), "cut at {at}");
        }
        std::fs::write(&path, &good).unwrap();
        assert!(folder(&temp).leaves(&new).is_some());
        let whole = temp.path().join(whole_path(&old));
        std::fs::write(&whole, &bytes[..4095 * 32]).unwrap();
        assert!(folder(&temp).leaves(&new).is_none(), "what it refers to is cut");
        std::fs::remove_file(whole).unwrap();
        assert!(folder(&temp).leaves(&new).is_none(), "what it refers to is gone");
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let remembered = Remembered::default();
        let id = |at: u64| FileIdentity { len: at, root: [1; 32] };
        let over = |bytes: usize| Arc::new(Tree::over(vec![[0; 32]; bytes / 36].into()));
        let half = over(REMEMBERED_BYTES / 2);
        for at in 0..3 {
            remembered.add(&id(at), &half);
        }
        assert!(remembered.get(&id(0)).is_none());
        assert!(remembered.get(&id(1)).is_some());
        remembered.add(&id(3), &half);
        assert!(remembered.get(&id(2)).is_none(), "the one that was not asked for goes first");
        let more = over(REMEMBERED_BYTES + 36);
        remembered.add(&id(4), &more);
        assert!(remembered.get(&id(4)).is_none(), "more than may be remembered");
    }
}
