use super::*;
use crate::packs::Bases;
use crate::publish::tests::{World, copy_tree, noise, text};
use manifests::release::FileIdentity;
use std::fs;

/// Three releases; the newest with a fast pack from the one before it.
fn world() -> World {
    let world = World::new();
    for (version, seed) in [("1.0", 1), ("1.1", 1), ("1.2", 1)] {
        let mut lines = text(seed, 8_000);
        let at = version.bytes().last().map_or(0, usize::from) * 1_000;
        lines[at..at + 30].fill(b'#');
        world.file("data/text", &lines);
        let packs = PackOptions { level: Level::Fast, full: Full::Never, ..PackOptions::default() };
        crate::publish::publish(&crate::PublishOptions { packs, ..world.options(version) }, &()).unwrap();
    }
    assert_eq!(world.packs("1.2"), ["1.1"]);
    world
}

fn options(world: &World, bases: &[&str], level: Level, work: Work) -> OptimizeOptions {
    let versions = bases.iter().map(|text| Version::parse(text).unwrap()).collect();
    let bases = if bases.is_empty() { Bases::Usual } else { Bases::These(versions) };
    OptimizeOptions {
        data: world.at("data", ""),
        game: GameId::parse("game").unwrap(),
        version: None,
        packs: PackOptions { bases, level, full: Full::Never, threads: Some(2) },
        work,
    }
}

fn list(world: &World) -> PackList {
    let repository = open_repository(&DataDir::open(&world.at("data", "")).unwrap()).unwrap();
    let options = world.options("1.2");
    repository.pack_list(&options.game, &options.version).unwrap().unwrap()
}

#[test]
fn further_and_smaller_packs_are_listed() {
    let world = world();
    let keys = || Work::All(world.at("keys", ""));
    let before = list(&world);
    let further = optimize(&options(&world, &["1.0"], Level::Fast, keys()), &()).unwrap();
    assert_eq!((further.release.as_str(), further.revision, further.packs.len()), ("1.2", 2, 1));
    assert!(further.packs[0].listed && further.packs[0].before_bytes.is_none());
    assert_eq!(world.packs("1.2"), ["1.0", "1.1"]);
    assert_eq!(list(&world).packs[1], before.packs[0], "what was listed stays");
    // The same again: this encoder would make the same.
    let again = optimize(&options(&world, &[], Level::Fast, keys()), &()).unwrap();
    assert_eq!((again.revision, again.packs.len(), again.unchanged.len()), (2, 0, 2));
    // A higher level lists only what is smaller.
    let best = optimize(&options(&world, &[], Level::Best, keys()), &()).unwrap();
    for (old, new) in before.packs.iter().map(|old| (old, list(&world))) {
        let new = new.from_base(old.base_version()).unwrap().clone();
        assert!(new == *old || new.identity.len < old.identity.len);
    }
    assert_eq!(best.packs.len() + best.unchanged.len(), 2);
    assert!(best.packs.iter().all(|pack| pack.listed && pack.before_bytes > Some(pack.bytes)));
    assert_eq!(world.check().as_deref(), Some("1.2"));
    let leftovers = fs::read_dir(world.at("data", "").join("state/packing")).unwrap().count();
    assert_eq!(leftovers, 0);
}

#[test]
fn made_in_one_place_and_signed_in_another() {
    let world = world();
    // A build server with a copy of what is public, and no key.
    copy_tree(&world.at("data", ""), &world.at("copy", ""));
    let out = world.at("out", "");
    let elsewhere = OptimizeOptions {
        data: world.at("copy", ""),
        ..options(&world, &["1.0", "1.1"], Level::Fast, Work::Build(Some(out.clone())))
    };
    let built = optimize(&elsewhere, &()).unwrap();
    assert_eq!((built.packs.len(), built.unchanged.len(), built.revision), (1, 1, 1));
    assert!(!built.packs[0].listed && built.packs[0].file.starts_with(&out));
    fs::write(out.join("zzz.pack"), "no pack").unwrap();
    let sign = |packs| options(&world, &[], Level::Best, Work::Sign { keys: world.at("keys", ""), packs });
    let signed = optimize(&sign(Some(out.clone())), &()).unwrap();
    assert_eq!((signed.revision, signed.packs.len(), signed.packs[0].listed), (2, 1, true));
    assert_eq!(signed.packs[0].info_hash_v2, built.packs[0].info_hash_v2);
    assert_eq!(list(&world).packs[0].level, "fast", "the note beside it says so");
    assert_eq!(world.packs("1.2"), ["1.0", "1.1"]);
    assert_eq!(world.check().as_deref(), Some("1.2"));
    // Nothing new in there: nothing is signed.
    assert_eq!(optimize(&sign(Some(out)), &()).unwrap().revision, 2);

    // The same in place, with the note gone once it is signed.
    let full = |work| OptimizeOptions {
        packs: PackOptions { full: Full::Always, ..options(&world, &["1.1"], Level::Fast, work).packs },
        ..options(&world, &["1.1"], Level::Fast, Work::Build(None))
    };
    let built = optimize(&full(Work::Build(None)), &()).unwrap();
    assert_eq!(built.packs.iter().map(|pack| pack.listed).collect::<Vec<_>>(), [false]);
    assert_eq!(world.packs("1.2"), ["1.0", "1.1"]);
    let note = built.packs[0].file.with_extension("json");
    assert!(note.exists());
    let signed = optimize(&sign(None), &()).unwrap();
    assert_eq!((signed.revision, note.exists()), (3, false));
    assert_eq!(world.packs("1.2"), ["full", "1.0", "1.1"]);
    assert_eq!(world.check().as_deref(), Some("1.2"));
}

#[test]
fn what_is_refused_leaves_the_list_as_it_was() {
    let world = world();
    world.init("-b");
    let before = world.public();
    let keys = |suffix: &str| Work::All(world.at("keys", suffix));
    let with = |bases: &[&str], work| options(&world, bases, Level::Fast, work);
    let unknown = Some(Version::parse("7").unwrap());
    for (options, code) in [
        (with(&["1.0"], keys("-b")), "E-KEY-MISSING"),
        (with(&["1.0"], keys("-none")), "E-KEY-FOLDER"),
        (with(&["0.1"], keys("")), "E-RELEASE-UNKNOWN"),
        (with(&["1.2"], keys("")), "E-OPTION"),
        (OptimizeOptions { version: unknown, ..with(&["1.0"], keys("")) }, "E-RELEASE-UNKNOWN"),
        (OptimizeOptions { game: GameId::parse("other").unwrap(), ..with(&[], keys("")) }, "E-GAME-UNKNOWN"),
        (OptimizeOptions { data: world.at("none", ""), ..with(&[], keys("")) }, "E-REPO-MISSING"),
        (with(&[], Work::Sign { keys: world.at("keys", ""), packs: Some(world.at("none", "")) }), "E-DISK"),
    ] {
        let error = optimize(&options, &()).unwrap_err();
        assert_eq!(error.code(), code, "{error}");
        assert!(!error.advice().is_empty());
        assert_eq!(world.public(), before, "{code}");
    }
}

#[test]
fn packs_that_prove_wrong_are_not_signed() {
    let world = world();
    let out = world.at("out", "");
    optimize(&options(&world, &["1.0"], Level::Fast, Work::Build(Some(out.clone()))), &()).unwrap();
    let before = world.public();
    let name = fs::read_dir(&out).unwrap().map(|entry| entry.unwrap().path());
    let pack = name.into_iter().find(|path| path.extension().unwrap() == "pack").unwrap();
    let good = fs::read(&pack).unwrap();
    let sign = || {
        options(&world, &[], Level::Fast, Work::Sign { keys: world.at("keys", ""), packs: Some(out.clone()) })
    };
    // In a frame, or where the index is: it fails, is no pack at all, or (in what the index tells of memory, say) is
    // another pack that proves as good.
    for at in (8..good.len()).step_by(good.len() / 40 + 1) {
        let mut bad = good.clone();
        bad[at] ^= 1;
        fs::write(&pack, &bad).unwrap();
        match optimize(&sign(), &()) {
            Ok(done) if done.packs.is_empty() => {}
            Ok(_) => {
                assert_eq!(world.check().as_deref(), Some("1.2"), "bit in byte {at}");
                return;
            }
            Err(error) => assert!(error.code().starts_with("E-PACK-"), "{error}"),
        }
        assert_eq!(world.public(), before, "bit in byte {at}");
    }
    fs::write(&pack, good).unwrap();
    assert_eq!(optimize(&sign(), &()).unwrap().packs.len(), 1);
}

#[test]
fn a_release_can_be_published_while_packs_are_made() {
    struct Publishes<'a>(&'a World, std::sync::Once);
    impl Progress for Publishes<'_> {
        fn step(&self, _: &'static str) {
            self.1.call_once(|| {
                self.0.file("data/new", &noise(3_000));
                self.0.publish("1.3").unwrap();
            });
        }
    }
    let world = world();
    let during = Publishes(&world, std::sync::Once::new());
    let keys = Work::All(world.at("keys", ""));
    let done = optimize(&options(&world, &["1.0"], Level::Fast, keys), &during).unwrap();
    assert!(done.packs[0].listed && done.release == "1.2");
    assert_eq!(world.check().as_deref(), Some("1.3"));
    // But not two that make packs.
    let (_, lock) = DataDir::open(&world.at("data", "")).unwrap().for_packing().unwrap();
    let second = optimize(&options(&world, &[], Level::Fast, Work::Build(None)), &());
    assert_eq!(second.unwrap_err().code(), "E-REPO-BUSY");
    drop(lock);
}

/// The power fails at each step of writing in turn: the list that was signed stays whole, and the next run finishes.
#[test]
fn cut_at_any_step_the_old_list_stands() {
    let base = world();
    for steps in 0..100 {
        let world = World { tmp: tempfile::tempdir().unwrap() };
        copy_tree(base.tmp.path(), world.tmp.path());
        let dir = DataDir::open(&world.at("data", "")).unwrap().with_steps_left(steps);
        let options = options(&world, &["1.0"], Level::Fast, Work::All(world.at("keys", "")));
        if optimize_in(dir, &options, &()).is_ok() {
            assert!(steps > 5, "there are more steps than that");
            return;
        }
        assert_eq!(world.check().as_deref(), Some("1.2"), "cut at step {steps}");
        assert_eq!(world.packs("1.2"), ["1.1"], "cut at step {steps}");
        let done = optimize(&options, &()).unwrap();
        assert_eq!((done.revision, world.packs("1.2")), (2, vec!["1.0".into(), "1.1".into()]));
    }
    panic!("it never finishes");
}

#[test]
fn a_pack_of_another_release_is_left_alone() {
    let world = world();
    let folder = world.at("data", "").join("public/packs");
    let found = candidates(&folder, TreeId([7; 32])).unwrap();
    assert!(found.is_empty());
    let note = note_name(&list(&world).packs[0]);
    assert_eq!(
        note.strip_suffix(".json").unwrap().parse(),
        Ok::<FileIdentity, _>(list(&world).packs[0].identity)
    );
}
