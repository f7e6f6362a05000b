//! Leaf hashes of large files, kept in `.samara/leaves/`.
//!
//! ```text
//! <identity>          every leaf, laid end to end: as published
//! <identity>.changed  another file's identity, and the leaves that differ from that one's
//! ```
//! An update of a few blocks of a file of 4 GiB would otherwise write 8 MiB of hashes. What a `.changed` refers to is
//! always whole, never another `.changed`. Nothing read here is believed before it was checked up to the root; what was
//! checked is remembered, for hashing a tree of 4 GiB takes longer than patching a few blocks of it.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use super::{DiskError, Fs, InstallDir, LEAVES, LeafSource, ensure_dir, get, is_absent, put};
use crate::hash::{self, Hash, Tree};
use crate::release::FileIdentity;

const MAGIC: &[u8; 16] = b"samara-changed 1";
/// The magic, the other file's root and length.
const HEADER_BYTES: usize = 16 + 32 + 8;
/// A block's number and its leaf.
const ENTRY_BYTES: usize = 4 + 32;
/// Leaves of fewer bytes are always written whole: a file takes its page anyway.
const SMALL_BYTES: usize = 64 << 10;
/// A `.changed` is at most this part of the whole.
const CHANGED_SHARE: usize = 4;
/// Trees remembered, at most, in bytes: those of 16 GiB of files.
const REMEMBERED_BYTES: usize = 64 << 20;

/// Leaves that differ from another file's, ascending by block.
type Changes = Vec<(u32, Hash)>;

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
        let like = like.filter(|like| *like != identity && bytes.len() >= SMALL_BYTES);
        let old = like.and_then(|like| Some((like, self.tree(like)?)));
        let tree =
            old.as_ref().map_or_else(|| Tree::over(leaves.clone()), |(_, old)| old.with(leaves.clone()));
        if !tree.is_of(identity) {
            return Ok(false);
        }
        ensure_dir(&*self.fs, LEAVES)?;
        match old.and_then(|(like, old)| self.difference(like, old.leaves(), &leaves)) {
            Some((base, changes)) if changes.len() * ENTRY_BYTES <= bytes.len() / CHANGED_SHARE => {
                put(&*self.fs, &changed_path(identity), &encode(&base, &changes))?;
            }
            _ => put(&*self.fs, &whole_path(identity), bytes)?,
        }
        self.remembered.add(identity, &Arc::new(tree));
        Ok(true)
    }

    /// How `leaves` differ from those of a file whose leaves are kept whole: `like`, or the one it refers to.
    fn difference(
        &self,
        like: &FileIdentity,
        old: &[Hash],
        leaves: &[Hash],
    ) -> Option<(FileIdentity, Changes)> {
        let differs = |block: usize, leaf: &Hash| old.get(block) != Some(leaf);
        let numbered = || (0u32..).zip(leaves).enumerate();
        let is_whole = |identity: &FileIdentity| matches!(self.fs.stat(&whole_path(identity)), Ok(Some(_)));
        if is_whole(like) {
            let changed = numbered().filter(|(at, (_, leaf))| differs(*at, leaf));
            return Some((*like, changed.map(|(_, (block, leaf))| (block, *leaf)).collect()));
        }
        let (base, before) = read_changed(&*self.fs, like).filter(|(base, _)| is_whole(base))?;
        let mut before = before.into_iter().map(|(block, _)| block).peekable();
        let changed = numbered().filter(|(at, (block, leaf))| {
            while before.next_if(|earlier| earlier < block).is_some() {}
            before.peek() == Some(block) || differs(*at, leaf)
        });
        Some((base, changed.map(|(_, (block, leaf))| (block, *leaf)).collect()))
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
        let right = |tree: &Tree| tree.is_of(identity);
        let whole = || read_whole(&*self.fs, identity).map(Tree::over).filter(right);
        let tree = whole().or_else(|| self.put_together(identity).filter(right))?;
        let tree = Arc::new(tree);
        self.remembered.add(identity, &tree);
        Some(tree)
    }

    /// The leaves of another file with the changes put in; not checked yet.
    fn put_together(&self, identity: &FileIdentity) -> Option<Tree> {
        let (base, changes) = read_changed(&*self.fs, identity)?;
        let count = usize::try_from(hash::leaf_count(identity.len)).ok()?;
        // What it refers to is whole: no chain of them is followed.
        let base = match self.remembered.get(&base) {
            Some(tree) => tree,
            None => {
                let tree =
                    Arc::new(read_whole(&*self.fs, &base).map(Tree::over).filter(|tree| tree.is_of(&base))?);
                self.remembered.add(&base, &tree);
                tree
            }
        };
        let mut leaves = base.leaves().to_vec();
        leaves.truncate(count);
        // What the other file does not have must be among the changes: no length is taken at its word.
        if count - leaves.len() > changes.len() {
            return None;
        }
        leaves.resize(count, [0; 32]);
        for (block, leaf) in changes {
            *leaves.get_mut(usize::try_from(block).ok()?)? = leaf;
        }
        Some(base.with(leaves.into()))
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
            needed.insert(whole);
        }
        if there.contains(&changed)
            && let Some((base, _)) = read_changed(fs, identity)
        {
            needed.extend([changed, base.to_string()]);
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

/// Not checked yet.
fn read_whole(fs: &dyn Fs, identity: &FileIdentity) -> Option<Arc<[Hash]>> {
    let max = hash::leaf_count(identity.len).checked_mul(32)?;
    leaves_of(&get(fs, &whole_path(identity), max).ok()??)
}

/// Hashes laid end to end; none when one is cut.
fn leaves_of(bytes: &[u8]) -> Option<Arc<[Hash]>> {
    let (leaves, rest) = bytes.as_chunks::<32>();
    rest.is_empty().then(|| leaves.into())
}

fn read_changed(fs: &dyn Fs, identity: &FileIdentity) -> Option<(FileIdentity, Changes)> {
    let entries = hash::leaf_count(identity.len).checked_mul(ENTRY_BYTES as u64)?;
    let bytes = get(fs, &changed_path(identity), entries.saturating_add(HEADER_BYTES as u64)).ok()??;
    decode(&bytes)
}

fn encode(base: &FileIdentity, changes: &[(u32, Hash)]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER_BYTES + changes.len() * ENTRY_BYTES);
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&base.root);
    bytes.extend_from_slice(&base.len.to_le_bytes());
    for (block, leaf) in changes {
        bytes.extend_from_slice(&block.to_le_bytes());
        bytes.extend_from_slice(leaf);
    }
    bytes
}

fn decode(bytes: &[u8]) -> Option<(FileIdentity, Changes)> {
    let bytes = bytes.strip_prefix(MAGIC)?;
    let (root, bytes) = bytes.split_first_chunk::<32>()?;
    let (len, bytes) = bytes.split_first_chunk::<8>()?;
    let (entries, rest) = bytes.as_chunks::<ENTRY_BYTES>();
    if !rest.is_empty() {
        return None;
    }
    let changes: Option<Changes> = entries
        .iter()
        .map(|entry| {
            let (block, leaf) = entry.split_first_chunk::<4>()?;
            Some((u32::from_le_bytes(*block), *leaf.first_chunk::<32>()?))
        })
        .collect();
    let changes = changes.filter(|changes| changes.is_sorted_by(|one, next| one.0 < next.0))?;
    Some((FileIdentity { root: *root, len: u64::from_le_bytes(*len) }, changes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

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
        assert!(names(&dir).iter().all(|(_, len)| *len == 4096 * 32));
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

    proptest! {
        #[test]
        fn differences_come_back_and_rubbish_does_not_panic(
            root: [u8; 32], len: u64, blocks in prop::collection::btree_map(any::<u32>(), any::<[u8; 32]>(), 0..20),
            rubbish in prop::collection::vec(any::<u8>(), 0..200),
        ) {
            let base = FileIdentity { len, root };
            let changes: Changes = blocks.into_iter().collect();
            prop_assert_eq!(decode(&encode(&base, &changes)), Some((base, changes)));
            let _ = decode(&rubbish);
            let _ = decode(&[&MAGIC[..], &rubbish].concat());
        }
    }
}
