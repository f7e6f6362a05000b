mod golden;

use std::io;

use super::*;
use crate::hash::TreeHasher;
use crate::path::SafePath;
use crate::release::ManifestFile;

mod cases;
mod progress;

struct Memory(Vec<Vec<u8>>);

impl Content for Memory {
    fn read_at(&self, file: u32, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        let bytes = self.0.get(file as usize).ok_or(io::ErrorKind::NotFound)?;
        let part =
            bytes.get(offset as usize..offset as usize + buf.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        buf.copy_from_slice(part);
        Ok(())
    }

    fn len(&self, file: u32) -> io::Result<u64> {
        self.0.get(file as usize).map(|bytes| bytes.len() as u64).ok_or(io::ErrorKind::NotFound.into())
    }
}

struct Tree {
    files: Vec<ManifestFile>,
    content: Memory,
}

impl Tree {
    fn new(files: &[(&str, Vec<u8>)]) -> Self {
        let mut files: Vec<_> = files.to_vec();
        files.sort_by(|a, b| a.0.cmp(b.0));
        let manifest = |(path, bytes): &(&str, Vec<u8>)| {
            let mut hasher = TreeHasher::default();
            hasher.update(bytes);
            ManifestFile::file(SafePath::parse(path).unwrap(), hasher.finish().identity, false)
        };
        Self {
            files: files.iter().map(manifest).collect(),
            content: Memory(files.into_iter().map(|(_, bytes)| bytes).collect()),
        }
    }

    fn tree(&self) -> TreeRef<'_> {
        TreeRef { files: &self.files, content: &self.content }
    }
}

struct Quiet;

impl PackProgress for Quiet {
    fn stage(&self, _: PackStage, _: u64) {}
    fn advance(&self, _: u64) {}
    fn cancelled(&self) -> bool {
        false
    }
}

fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as u8
    };
    (0..len).map(|_| next()).collect()
}

fn text(seed: u64, lines: u64) -> Vec<u8> {
    (0..lines).flat_map(|n| format!("line {} of {}\n", n * seed % 977, n).into_bytes()).collect()
}

fn made(base: Option<&Tree>, target: &Tree, level: Level, threads: usize) -> (Vec<u8>, Created) {
    let mut out = Vec::new();
    let options = CreateOptions { level, threads };
    let created = create(base.map(Tree::tree), target.tree(), &options, &mut out, &Quiet).unwrap();
    assert_eq!(created.len, out.len() as u64);
    (out, created)
}

/// Applies a pack that may be damaged: what comes out is right, or an error.
fn applied(pack: &[u8], base: Option<&Tree>, target: &Tree) -> Result<Proof, PackError> {
    let read = |offset: u64, buf: &mut [u8]| {
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let part =
            pack.get(start..).and_then(|tail| tail.get(..buf.len())).ok_or(io::ErrorKind::UnexpectedEof)?;
        buf.copy_from_slice(part);
        Ok(())
    };
    let file = PackFile::new(pack.len() as u64, &read);
    let (index, _) = file.index(&Limits::default())?;
    let check = &mut |file: u32, at: u64, bytes: &[u8]| {
        let original = &target.content.0[file as usize];
        if original.get(at as usize..at as usize + bytes.len()) == Some(bytes) {
            return Ok(());
        }
        Err(PackError::Output { file, reason: "other bytes" })
    };
    prove(&file, &index, base.map(Tree::tree), &target.files, &Quiet, check)
}

fn pair() -> (Tree, Tree) {
    let big = noise(1, 300_000);
    let shifted = [&noise(2, 777)[..], &big[..150_000], b"changed", &big[150_010..]].concat();
    let old = Tree::new(&[
        ("a.txt", text(3, 2000)),
        ("big.bin", big.clone()),
        ("gone.bin", noise(5, 50_000)),
        ("same.bin", noise(4, 5000)),
    ]);
    let new = Tree::new(&[
        ("a.txt", [text(3, 1000), text(7, 50), text(3, 2000)].concat()),
        ("big.bin", shifted),
        ("copy/same.bin", noise(4, 5000)),
        ("empty", Vec::new()),
        ("moved.bin", noise(5, 50_000)),
        ("new.txt", text(11, 3000)),
        ("twice.txt", text(11, 3000)),
    ]);
    (old, new)
}

#[test]
fn a_pack_holds_what_changed_and_applies() {
    let (old, new) = pair();
    for level in [Level::Fast, Level::Normal, Level::Best] {
        let (pack, created) = made(Some(&old), &new, level, 2);
        let listed: Vec<u32> = created.index.files.iter().map(|recipe| recipe.file).collect();
        assert_eq!(listed, [0, 1, 5], "moved, empty and repeated files are not listed");
        assert!(pack.len() < 20_000, "{level:?}: {}", pack.len());
        let proof = applied(&pack, Some(&old), &new).unwrap();
        assert_eq!(proof.files, 3);
        let copied: u64 = created.report.files.iter().map(|file| file.copied_bytes).sum();
        assert!(copied > 290_000, "{copied}");
        assert_eq!(created.report.files[1].hint, Hint::Shifted);
        assert_eq!(created.report.files[2].hint, Hint::New);
    }
}

#[test]
fn the_pack_does_not_depend_on_threads() {
    let (old, new) = pair();
    for level in [Level::Fast, Level::Normal, Level::Best] {
        assert_eq!(made(Some(&old), &new, level, 1).0, made(Some(&old), &new, level, 3).0);
    }
}

#[test]
fn a_full_pack_needs_no_base() {
    let (_, new) = pair();
    let (pack, created) = made(None, &new, Level::Normal, 1);
    assert_eq!(created.index.base, None);
    assert_eq!(applied(&pack, None, &new).unwrap().files, 5);
}

#[test]
fn nothing_changed_is_a_small_pack() {
    let (old, _) = pair();
    let (pack, created) = made(Some(&old), &old, Level::Best, 1);
    assert!(pack.len() < 200 && created.index.files.is_empty());
    assert_eq!(applied(&pack, Some(&old), &old).unwrap(), Proof::default());
}

#[test]
fn another_base_or_target_is_refused() {
    let (old, new) = pair();
    let (pack, _) = made(Some(&old), &new, Level::Fast, 1);
    assert!(matches!(applied(&pack, Some(&new), &new), Err(PackError::OtherTree("base"))));
    assert!(matches!(applied(&pack, Some(&old), &old), Err(PackError::OtherTree("release"))));
    assert!(matches!(applied(&pack, None, &new), Err(PackError::OtherTree("base"))));
    // A base that is not what its manifest says: found by the hash of what comes out, at the latest.
    let mut rotten = pair().0;
    rotten.content.0[1].fill(7);
    assert!(applied(&pack, Some(&rotten), &new).is_err());
}

#[test]
fn damage_is_an_error_and_never_another_file() {
    let (old, new) = pair();
    let (pack, _) = made(Some(&old), &new, Level::Normal, 1);
    for cut in [0, 7, 8, 100, pack.len() / 2, pack.len() - 13, pack.len() - 1] {
        assert!(applied(&pack[..cut], Some(&old), &new).is_err(), "cut at {cut}");
    }
    for at in (0..pack.len()).step_by(61) {
        let mut damaged = pack.clone();
        damaged[at] ^= 1 << (at % 8);
        // A bit of a frame may be one nobody reads; then everything comes out right all the same.
        let outcome = applied(&damaged, Some(&old), &new);
        assert!(outcome.is_err() || outcome.unwrap().files == 3, "byte {at}");
    }
}

#[test]
fn indexes_that_lie_are_refused() {
    let (old, new) = pair();
    let (_, created) = made(Some(&old), &new, Level::Normal, 1);
    let refused = |change: &dyn Fn(&mut Index)| {
        let mut index = created.index.clone();
        change(&mut index);
        index.validate(Some(&old.files), &new.files).is_err()
    };
    assert!(!refused(&|_| {}));
    assert!(refused(&|index| index.frames[0].offset += 1));
    assert!(refused(&|index| index.frames[0].memory = MAX_MEMORY_BYTES + 1));
    assert!(refused(&|index| index.frames[0].memory = 0));
    assert!(refused(&|index| index.frames[0].output_len += 1));
    assert!(refused(&|index| index.frames[0].plain_len += 1));
    assert!(refused(&|index| index.frames[0].len = u32::MAX));
    assert!(refused(&|index| {
        index.frames.pop();
    }));
    assert!(refused(&|index| index.files.swap(0, 1)));
    assert!(refused(&|index| index.files[0].file = 90));
    assert!(refused(&|index| {
        index.files[0].slices.pop();
    }));
    let range = BaseRange { file: 1, view: View::Raw, offset: 299_999, len: 2 };
    assert!(refused(&|index| index.frames[0].prefix.push(range)));
    assert!(refused(&|index| index.frames[0].prefix.push(BaseRange {
        view: View::Opened,
        offset: 0,
        ..range
    })));
    assert!(refused(&|index| {
        let last = index.files[1].slices.len() - 1;
        if let Slice::Base { offset, .. } = &mut index.files[1].slices[last] {
            *offset += 1;
        }
    }));
    assert!(refused(&|index| {
        for slice in &mut index.files[1].slices {
            if let Slice::Frame { offset, .. } = slice {
                *offset += 1;
            }
        }
    }));
}

#[test]
fn what_stops_it_is_said() {
    struct Stop;
    impl PackProgress for Stop {
        fn stage(&self, _: PackStage, _: u64) {}
        fn advance(&self, _: u64) {}
        fn cancelled(&self) -> bool {
            true
        }
    }
    let (old, new) = pair();
    let options = CreateOptions { level: Level::Fast, threads: 2 };
    let stopped = create(Some(old.tree()), new.tree(), &options, &mut io::sink(), &Stop);
    assert_eq!(stopped.unwrap_err().code(), "E-PACK-CANCELLED");
    let mut short = pair().1;
    short.content.0[1].truncate(10);
    let failed = create(Some(old.tree()), short.tree(), &options, &mut io::sink(), &Quiet);
    assert_eq!(failed.unwrap_err().code(), "E-PACK-READ");
}
