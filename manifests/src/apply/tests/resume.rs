//! Interrupted downloads go on where they stopped; what was staged is believed only when it hashes right.

use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use super::faultfs::{Fault, FaultFs, Steps};
use super::world::*;
use crate::apply::{Applier, ApplyError, Location, lacking, recover, recover_adopting};
use crate::folder::{Access, InstallDir};
use crate::plan::Plan;
use crate::plan::PlanOptions;
use crate::verify::Depth;

fn applier(dir: &Arc<InstallDir>, release: &Release, plan: Plan) -> Applier {
    Applier::new(Arc::clone(dir), release.target.clone(), plan).unwrap().with_threads(1)
}

#[test]
fn staged_blocks_are_found_again() {
    let new = release(1, &tree(&[("a", blocks("abcdef")), ("b", file("b")), ("c", file("c"))]));
    let temp = tempfile::tempdir().unwrap();
    let open = || Arc::new(InstallDir::open(temp.path()).unwrap());
    drop(InstallDir::create(temp.path(), "game", false).unwrap());
    {
        let dir = open();
        let first = applier(&dir, &new, plan_for(&dir, &new, Depth::Quick, options()));
        first.prepare(&new, &()).unwrap();
        assert_eq!(first.missing(), [(0, vec![0..98_304]), (1, vec![0..1]), (2, vec![0..1])]);
        deliver(&first, &new, 0, 16_384..49_152).unwrap();
        deliver(&first, &new, 1, 0..1).unwrap();
        assert_eq!(first.missing(), [(0, vec![0..16_384, 49_152..98_304]), (2, vec![0..1])]);
        let error = first.commit(&()).unwrap_err();
        assert_eq!(error.code(), "E-APPLY-INCOMPLETE");
    }
    // One of the staged blocks rots meanwhile.
    let dir = open();
    let plan = plan_for(&dir, &new, Depth::Quick, options());
    let second = applier(&dir, &new, plan);
    let Location::Staged { path } = second.location(0) else { panic!("not staged") };
    dir.fs().open(&path, Access::Write).unwrap().write_at(20_000, b"rot").unwrap();
    let asked = lacking(&dir, &new.target.manifest, second.plan(), &new, &()).unwrap();
    second.prepare(&new, &()).unwrap();
    assert_eq!(second.missing(), [(0, vec![0..32_768, 49_152..98_304]), (2, vec![0..1])]);
    assert_eq!(asked, second.missing(), "who only asks is told the same");
    for (index, ranges) in second.missing() {
        for range in ranges {
            deliver(&second, &new, index, range).unwrap();
        }
    }
    second.commit(&()).unwrap();
    assert_eq!(read_tree(temp.path()), new.tree);
}

#[test]
fn another_release_uses_what_was_staged() {
    let first = release(1, &tree(&[("a", file("x")), ("dropped", file("dropped"))]));
    let second = release(2, &tree(&[("b/c", file("x")), ("n", file("n"))]));
    let temp = tempfile::tempdir().unwrap();
    let dir = Arc::new(InstallDir::create(temp.path(), "game", false).unwrap());
    let one = applier(&dir, &first, plan_for(&dir, &first, Depth::Quick, options()));
    one.prepare(&first, &()).unwrap();
    deliver(&one, &first, 0, 0..1).unwrap();
    let (_, fetched) = update(&dir, &second, Depth::Quick, options()).unwrap();
    assert_eq!(fetched, 1, "only n");
    assert_eq!(read_tree(temp.path()), second.tree);
}

#[test]
fn what_was_not_noted_is_hashed() {
    let new = release(1, &tree(&[("a", file("right"))]));
    let temp = tempfile::tempdir().unwrap();
    let dir = Arc::new(InstallDir::create(temp.path(), "game", false).unwrap());
    let applier = applier(&dir, &new, plan_for(&dir, &new, Depth::Quick, options()));
    applier.prepare(&new, &()).unwrap();
    let staged = applier.open_staged(0).unwrap();
    drop(staged);
    let Location::Staged { path } = applier.location(0) else { panic!("not staged") };
    let slot = dir.fs().open(&path, Access::Write).unwrap();
    slot.write_at(0, b"wrong").unwrap();
    assert_eq!(applier.commit(&()).unwrap_err().code(), "E-APPLY-INCOMPLETE");
    assert_eq!(read_tree(temp.path()), Tree::new());
    slot.write_at(0, b"right").unwrap();
    applier.commit(&()).unwrap();
    assert_eq!(read_tree(temp.path()), new.tree);
}

#[test]
fn a_rotten_source_is_fetched_instead() {
    let old = release(1, &tree(&[("a", blocks("abcd")), ("k", file("k"))]));
    let new = release(2, &tree(&[("a", blocks("abcd")), ("b", blocks("abcd")), ("k", file("k"))]));
    let (temp, dir) = installed(&old);
    let plan = plan_for(&dir, &new, Depth::Quick, options());
    // The disk flips a bit below the file system: nothing but the content tells.
    let times = std::fs::metadata(temp.path().join("a")).unwrap().modified().unwrap();
    let slot = dir.fs().open("a", Access::Write).unwrap();
    slot.write_at(3 * 16_384, b"rot").unwrap();
    let file = std::fs::OpenOptions::new().write(true).open(temp.path().join("a")).unwrap();
    file.set_modified(times).unwrap();
    let applier = applier(&dir, &new, plan);
    applier.prepare(&new, &()).unwrap();
    assert_eq!(applier.missing(), [(1, vec![49_152..65_536])]);
    deliver(&applier, &new, 1, 49_152..65_536).unwrap();
    applier.commit(&()).unwrap();
    let Node::File(data, _) = &read_tree(temp.path())["b"] else { panic!("not a file") };
    assert_eq!(hash(data).identity, new.target.manifest.files[1].identity);
}

#[test]
fn a_change_after_the_plan_is_noticed() {
    let old = release(1, &tree(&[("a", file("1")), ("d", file("d")), ("k", file("k"))]));
    let new = release(2, &tree(&[("a", file("22")), ("k", file("k")), ("n", file("n"))]));
    for (path, text) in [("a", "mine"), ("k", "mine"), ("n", "mine"), ("d", "mine")] {
        let (temp, dir) = installed(&old);
        let applier = applier(&dir, &new, plan_for(&dir, &new, Depth::Quick, options()));
        applier.prepare(&new, &()).unwrap();
        for (index, ranges) in applier.missing() {
            for range in ranges {
                deliver(&applier, &new, index, range).unwrap();
            }
        }
        std::fs::write(temp.path().join(path), text).unwrap();
        let before = read_tree(temp.path());
        let error = applier.commit(&()).unwrap_err();
        assert_eq!(error.code(), "E-APPLY-CHANGED", "{path}");
        assert_eq!(read_tree(temp.path()), before);
        let (applied, fetched) = update(&dir, &new, Depth::Quick, options()).unwrap();
        assert_eq!((applied.kept.len(), fetched), (1, u64::from(path == "k")), "{path}");
        assert_eq!(without_kept(read_tree(temp.path())), new.tree);
    }
}

#[test]
fn stopping_early_keeps_what_is_staged() {
    let old = release(1, &tree(&[("a", blocks("abcdefgh"))]));
    let new = release(2, &tree(&[("a", blocks("abcdXfgh"))]));
    let (temp, dir) = installed(&old);
    for budget in [0, 1, 100_000] {
        let whole = PlanOptions { patch_min_len: u64::MAX, ..options() };
        let applier = applier(&dir, &new, plan_for(&dir, &new, Depth::Quick, whole));
        let result = applier.prepare(&new, &StopAfter(AtomicI64::new(budget)));
        assert!(matches!(result, Err(ApplyError::Cancelled)), "{result:?}");
        assert_eq!(read_tree(temp.path()), old.tree);
    }
    let (_, fetched) = update(&dir, &new, Depth::Quick, options()).unwrap();
    assert_eq!(fetched, 16_384);
}

#[test]
fn a_failed_sync_is_not_tried_again() {
    let new = release(1, &tree(&[("a", blocks("abc"))]));
    let temp = tempfile::tempdir().unwrap();
    drop(InstallDir::create(temp.path(), "game", false).unwrap());
    // Find the step that syncs the staged file.
    for at in 0.. {
        let steps = Steps::new(Fault::Fail(ErrorKind::Other), at);
        let result = update(&FaultFs::install(temp.path(), &steps), &new, Depth::Quick, options());
        let hit = steps.hit.lock().unwrap().clone().unwrap();
        if hit.starts_with("sync .samara/staging/") {
            assert_eq!(result.unwrap_err().code(), "E-DISK-IO");
            let staged = std::fs::read_dir(temp.path().join(".samara/staging")).unwrap().count();
            assert_eq!(staged, 0, "the data must come from its source again");
            break;
        }
    }
    let dir = Arc::new(InstallDir::open(temp.path()).unwrap());
    assert!(recover(&dir).unwrap().is_none());
    let (_, fetched) = update(&dir, &new, Depth::Quick, options()).unwrap();
    assert_eq!(fetched, 49_152);
}

#[test]
fn a_damaged_journal_is_told_and_adoption_helps() {
    let old = release(1, &tree(&[("a", file("1")), ("b", file("b"))]));
    let new = release(2, &tree(&[("a", file("2")), ("c", file("b"))]));
    // Find the step where the files are moved: the commit has happened.
    for at in 0.. {
        let (temp, dir) = installed(&old);
        drop(dir);
        let steps = Steps::new(Fault::Crash, at);
        let _ = update(&FaultFs::install(temp.path(), &steps), &new, Depth::Quick, options());
        if steps.hit.lock().unwrap().as_deref() != Some("remove .samara/journal.place") {
            continue;
        }
        std::fs::rename(temp.path().join("a"), temp.path().join(".samara/journal.clear")).unwrap();
        let dir = Arc::new(InstallDir::open(temp.path()).unwrap());
        assert_eq!(recover(&dir).unwrap_err().code(), "E-APPLY-JOURNAL");
        assert_eq!(update(&dir, &new, Depth::Quick, options()).unwrap_err().code(), "E-APPLY-UNFINISHED");
        drop(dir);
        let dir = Arc::new(InstallDir::create(temp.path(), "game", true).unwrap());
        assert!(recover_adopting(&dir).unwrap().is_none());
        update(&dir, &new, Depth::Quick, options()).unwrap();
        assert_eq!(read_tree(temp.path()), new.tree);
        break;
    }
}

#[cfg(unix)]
#[test]
fn a_link_planted_before_the_commit_leads_nowhere() {
    let old = release(1, &tree(&[("d/a", file("1")), ("k", file("k"))]));
    let new = release(2, &tree(&[("d/a", file("2")), ("d/n", file("n")), ("k", file("k"))]));
    let (temp, dir) = installed(&old);
    let outside = tempfile::tempdir().unwrap();
    let applier = applier(&dir, &new, plan_for(&dir, &new, Depth::Quick, options()));
    applier.prepare(&new, &()).unwrap();
    for (index, ranges) in applier.missing() {
        for range in ranges {
            deliver(&applier, &new, index, range).unwrap();
        }
    }
    std::fs::remove_dir_all(temp.path().join("d")).unwrap();
    std::os::unix::fs::symlink(outside.path(), temp.path().join("d")).unwrap();
    assert_eq!(applier.commit(&()).unwrap_err().code(), "E-APPLY-CHANGED");
    let (applied, _) = update(&dir, &new, Depth::Quick, options()).unwrap();
    assert_eq!(applied.kept.len(), 1, "the link");
    assert_eq!(without_kept(read_tree(temp.path())), new.tree);
    assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 0);
}

#[test]
fn no_room_is_said_before_the_first_write() {
    // A sparse promise: a release with a file larger than any disk.
    let mut new = release(1, &tree(&[("a", file("x"))]));
    let manifest = Arc::make_mut(&mut new.target.manifest);
    manifest.files[0].identity.len = 1 << 43;
    let temp = tempfile::tempdir().unwrap();
    let dir = Arc::new(InstallDir::create(temp.path(), "game", false).unwrap());
    let plan = plan_for(&dir, &new, Depth::Quick, options());
    assert_eq!(plan.costs.temp_bytes, 1 << 43);
    let error = Applier::new(Arc::clone(&dir), new.target.clone(), plan).unwrap_err();
    assert_eq!(error.code(), "E-DISK-FULL");
    assert!(!temp.path().join(".samara/staging").exists());
}
