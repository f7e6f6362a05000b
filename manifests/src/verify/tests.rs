use super::*;
use crate::apply::tests::world::*;
use crate::folder::InstallDir;

fn found(damage: impl Fn(&std::path::Path)) -> Vec<WoundKind> {
    let big = release(1, &tree(&[("d/a", blocks("abcdef")), ("small", file("small"))]));
    let (temp, dir) = installed(&big);
    damage(temp.path());
    let local = survey(&dir, &big.target.manifest, Depth::Full, 2, &()).unwrap();
    wounds(&local, &big.target.manifest, &big).into_iter().map(|wound| wound.kind).collect()
}

fn patch(path: &std::path::Path, at: usize, with: &[u8]) {
    let mut data = std::fs::read(path).unwrap();
    data[at..at + with.len()].copy_from_slice(with);
    std::fs::write(path, data).unwrap();
}

#[test]
fn wounds_in_a_table() {
    let damaged = |ranges: &[Range<u64>]| vec![WoundKind::Damaged { ranges: ranges.to_vec() }];
    assert_eq!(found(|_| {}), []);
    assert_eq!(found(|root| patch(&root.join("d/a"), 0, b"!")), damaged(&[0..16_384]));
    assert_eq!(found(|root| patch(&root.join("d/a"), 16_383, b"!!")), damaged(&[0..32_768]));
    let twice = |root: &std::path::Path| {
        patch(&root.join("d/a"), 20_000, b"!");
        patch(&root.join("d/a"), 98_303, b"!");
    };
    assert_eq!(found(twice), damaged(&[16_384..32_768, 81_920..98_304]));
    assert_eq!(found(|root| patch(&root.join("small"), 0, b"!")), damaged(&[0..5]));
    let cut = |root: &std::path::Path| {
        let data = std::fs::read(root.join("d/a")).unwrap();
        std::fs::write(root.join("d/a"), &data[..40_000]).unwrap();
    };
    assert_eq!(found(cut), [WoundKind::WrongSize { found: 40_000, ranges: vec![32_768..98_304] }]);
    let longer = |root: &std::path::Path| {
        let data = std::fs::read(root.join("d/a")).unwrap();
        std::fs::write(root.join("d/a"), [&data[..], b"x"].concat()).unwrap();
    };
    assert_eq!(found(longer), [WoundKind::WrongSize { found: 98_305, ranges: vec![] }]);
    assert_eq!(found(|root| std::fs::remove_file(root.join("small")).unwrap()), [WoundKind::Missing]);
    assert_eq!(found(|root| std::fs::remove_dir_all(root.join("d")).unwrap()), [WoundKind::Missing]);
    let folder = |root: &std::path::Path| {
        std::fs::remove_file(root.join("small")).unwrap();
        std::fs::create_dir(root.join("small")).unwrap();
    };
    assert_eq!(found(folder), [WoundKind::WrongType]);
    let unlisted = |root: &std::path::Path| std::fs::write(root.join("mine"), "mine").unwrap();
    assert_eq!(found(unlisted), []);
}

#[cfg(unix)]
#[test]
fn links_and_bits() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let link = Node::Link("a".into());
    let release = release(1, &tree(&[("a", Node::File(b"x".into(), true)), ("l", link)]));
    let (temp, dir) = installed(&release);
    let wounds = || {
        let local = survey(&dir, &release.target.manifest, Depth::Full, 1, &()).unwrap();
        let wounds = wounds(&local, &release.target.manifest, &release);
        wounds.into_iter().map(|wound| wound.kind).collect::<Vec<_>>()
    };
    std::fs::set_permissions(temp.path().join("a"), std::fs::Permissions::from_mode(0o644)).unwrap();
    std::fs::remove_file(temp.path().join("l")).unwrap();
    symlink("b", temp.path().join("l")).unwrap();
    assert_eq!(wounds(), [WoundKind::WrongExecutable, WoundKind::WrongLink]);
    std::fs::remove_file(temp.path().join("l")).unwrap();
    std::fs::write(temp.path().join("l"), "x").unwrap();
    assert_eq!(wounds(), [WoundKind::WrongExecutable, WoundKind::WrongType]);
}

#[test]
fn quick_believes_the_record_and_full_does_not() {
    let release = release(1, &tree(&[("a", file("right"))]));
    let (temp, dir) = installed(&release);
    let path = temp.path().join("a");
    let time = std::fs::metadata(&path).unwrap().modified().unwrap();
    // Below the file system a bit flips: size, time and inode stay.
    let slot = dir.fs().open("a", crate::folder::Access::Write).unwrap();
    slot.write_at(0, b"wrong").unwrap();
    std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_modified(time).unwrap();
    let count = |depth| {
        let local = survey(&dir, &release.target.manifest, depth, 1, &()).unwrap();
        wounds(&local, &release.target.manifest, &release).len()
    };
    assert_eq!((count(Depth::Quick), count(Depth::Full)), (0, 1));
    slot.write_at(0, b"wrong").unwrap();
    std::fs::OpenOptions::new()
        .write(true)
        .open(&path)
        .unwrap()
        .set_modified(time + std::time::Duration::from_secs(1))
        .unwrap();
    assert_eq!(count(Depth::Quick), 1);
}

#[test]
fn a_survey_can_be_stopped() {
    let release = release(1, &tree(&[("a", blocks("abc"))]));
    let (_temp, dir) = installed(&release);
    let stop = StopAfter(std::sync::atomic::AtomicI64::new(0));
    let result = survey(&dir, &release.target.manifest, Depth::Full, 2, &stop);
    assert!(matches!(result, Err(SurveyError::Cancelled)));
}

#[test]
fn what_is_right_of_a_damaged_file_is_known_though_it_goes() {
    let old = release(1, &tree(&[("goes", blocks("abc")), ("stays", file("x"))]));
    let new = release(2, &tree(&[("stays", file("x"))]));
    let (temp, dir) = installed(&old);
    let leaves = |dir| {
        let local = survey(dir, &new.target.manifest, Depth::Quick, 1, &()).unwrap();
        local.file(&SafePath::parse("goes").unwrap()).unwrap().leaves.clone()
    };
    assert_eq!(leaves(&dir), None, "as it was: nobody needs them");
    patch(&temp.path().join("goes"), 20_000, b"!");
    let found = leaves(&dir).unwrap();
    let right = old.leaves(&old.target.manifest.files[0].identity).unwrap();
    assert_eq!((found[0], found[2]), (right[0], right[2]));
    assert_ne!(found[1], right[1]);
}

#[test]
fn a_quick_look_names_what_looks_different() {
    let link = || Node::Link("d/a".into());
    let nodes = [("d/a", blocks("abc")), ("d/e/b", file("b")), ("empty", file("")), ("top", file("top"))];
    let nodes: Vec<_> = nodes.into_iter().chain(cfg!(unix).then(|| ("l", link()))).collect();
    let release = release(1, &tree(&nodes));
    let found = |damage: &dyn Fn(&std::path::Path)| -> Vec<(String, MisfitKind, u64)> {
        let temp = installed(&release).0;
        let dir = InstallDir::open(temp.path()).unwrap();
        damage(temp.path());
        let misfits = quick(&dir, 2).unwrap();
        assert_eq!(misfits, quick(&dir, 1).unwrap());
        misfits.into_iter().map(|misfit| (misfit.path.to_string(), misfit.kind, misfit.len)).collect()
    };
    let one = |path: &str, kind, len| vec![(path.to_owned(), kind, len)];
    assert_eq!(found(&|_| {}), []);
    assert_eq!(found(&|root| std::fs::write(root.join("mine"), "mine").unwrap()), []);
    assert_eq!(
        found(&|root| std::fs::remove_file(root.join("empty")).unwrap()),
        one("empty", MisfitKind::Missing, 0)
    );
    assert_eq!(
        found(&|root| std::fs::write(root.join("top"), "topp").unwrap()),
        one("top", MisfitKind::WrongSize { found: 4 }, 3)
    );
    let touched = |root: &std::path::Path| {
        std::fs::write(root.join("top"), "pot").unwrap();
        let file = std::fs::File::options().write(true).open(root.join("top")).unwrap();
        file.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    };
    assert_eq!(found(&touched), one("top", MisfitKind::Touched, 3));
    let folder = |root: &std::path::Path| {
        std::fs::remove_file(root.join("d/e/b")).unwrap();
        std::fs::create_dir(root.join("d/e/b")).unwrap();
    };
    assert_eq!(found(&folder), one("d/e/b", MisfitKind::WrongType, 1));
    let gone = |root: &std::path::Path| std::fs::remove_dir_all(root.join("d")).unwrap();
    let missing = [one("d/a", MisfitKind::Missing, 49_152), one("d/e/b", MisfitKind::Missing, 1)].concat();
    assert_eq!(found(&gone), missing);
}

#[cfg(unix)]
#[test]
fn a_quick_look_follows_no_link() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let release = release(1, &tree(&[("a", file("x")), ("d/f", file("f")), ("l", Node::Link("a".into()))]));
    let (temp, dir) = installed(&release);
    drop(dir);
    let look = || quick(&InstallDir::open(temp.path()).unwrap(), 1).unwrap();
    let kinds = || look().into_iter().map(|misfit| misfit.kind).collect::<Vec<_>>();
    assert_eq!(kinds(), []);
    std::fs::set_permissions(temp.path().join("a"), std::fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(kinds(), [MisfitKind::WrongExecutable]);
    std::fs::remove_file(temp.path().join("l")).unwrap();
    symlink("b", temp.path().join("l")).unwrap();
    std::fs::rename(temp.path().join("d"), temp.path().join("e")).unwrap();
    symlink("e", temp.path().join("d")).unwrap();
    assert_eq!(kinds(), [MisfitKind::WrongExecutable, MisfitKind::Missing, MisfitKind::WrongLink]);
}
