//! Publishing as a whole: what it leaves behind when all goes well, when input is bad, and when it is cut at any step.

use super::*;
use crate::server::catalog_of;
use crate::setup::{InitConfig, init};
use crate::store::Blobs;
use protocol::merkle::FileHasher;
use std::fs;
use std::sync::Mutex;

/// A repository, and a build to publish.
struct World {
    tmp: tempfile::TempDir,
}

impl World {
    fn new() -> World {
        let world = World { tmp: tempfile::tempdir().unwrap() };
        world.init("");
        world.file("game", b"\x7fELF not really");
        world.file("data/large.bin", &noise(100_000));
        world.file("data/copy.bin", &noise(100_000));
        world.file("data/empty", b"");
        world
    }

    fn init(&self, suffix: &str) {
        let public_url = Some("http://127.0.0.1:9".to_owned());
        init(&InitConfig { data: self.at("data", suffix), keys: self.at("keys", suffix), public_url })
            .unwrap();
    }

    fn at(&self, name: &str, suffix: &str) -> PathBuf {
        self.tmp.path().join(format!("{name}{suffix}"))
    }

    fn file(&self, name: &str, content: &[u8]) {
        let path = self.at("build", "").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn options(&self, version: &str) -> PublishOptions {
        PublishOptions {
            build: self.at("build", ""),
            data: self.at("data", ""),
            keys: self.at("keys", ""),
            game: GameId::parse("game").unwrap(),
            version: Version::parse(version).unwrap(),
            channel: ChannelName::parse("stable").unwrap(),
            notes: String::new(),
            launch: BTreeMap::new(),
            exec: Patterns::default(),
            piece_len: Some(32 * 1024),
        }
    }

    fn publish(&self, version: &str) -> Result<Published> {
        publish(&self.options(version), &())
    }

    /// Every file below the data folder with its bytes, what is private apart.
    fn public(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let public = self.at("data", "").join("public");
        let files = walkdir::WalkDir::new(public).into_iter().map(|entry| entry.unwrap().into_path());
        files.filter(|path| path.is_file()).map(|path| (path.clone(), fs::read(path).unwrap())).collect()
    }

    /// Checks all that is signed: manifests, torrents, blobs and leaves. Returns the version the channel points at.
    fn check(&self) -> Option<String> {
        let dir = DataDir::open(&self.at("data", "")).unwrap();
        let catalog = catalog_of(&dir).unwrap();
        let blobs = Blobs::new(&dir);
        for manifest in catalog {
            for file in manifest.files.iter().filter(|file| file.identity.len > 0) {
                let id = file.identity;
                let mut hasher = FileHasher::new();
                hasher.update(&fs::read(blobs.path(&id)).unwrap());
                let hashes = hasher.finish();
                assert_eq!(hashes.root.map(|root| root.0), Some(id.root), "{}", file.path);
                if id.len > u64::from(manifest.piece_len) {
                    let leaves: Vec<u8> = hashes.leaves.iter().flat_map(|leaf| leaf.0).collect();
                    assert!(fs::read(blobs.leaves_path(&id)).unwrap() == leaves, "{}", file.path);
                }
            }
        }
        let repository = open_repository(&dir).unwrap();
        let options = self.options("0");
        let doc = repository.channel(&options.game, &options.channel).ok().flatten();
        doc.map(|doc| doc.release.to_string())
    }
}

fn noise(len: usize) -> Vec<u8> {
    (0..len as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

fn copy_tree(from: &Path, to: &Path) {
    for entry in walkdir::WalkDir::new(from) {
        let entry = entry.unwrap();
        let target = to.join(entry.path().strip_prefix(from).unwrap());
        if entry.file_type().is_dir() {
            fs::create_dir_all(target).unwrap();
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn a_second_release_costs_what_is_new() {
    let world = World::new();
    let first = world.publish("1.0").unwrap();
    assert_eq!((first.sequence, first.files, first.bytes), (1, 4, 200_015));
    assert_eq!((first.new_blobs, first.new_bytes), (2, 100_015), "the copy is stored once");
    world.file("data/new.bin", &noise(40_000));
    let second = world.publish("1.1").unwrap();
    assert_eq!((second.sequence, second.new_blobs, second.new_bytes), (2, 1, 40_000));
    assert_eq!(world.check().as_deref(), Some("1.1"));
    let leftovers = fs::read_dir(world.at("data", "").join("state/tmp")).unwrap().count();
    assert_eq!(leftovers, 0);
}

#[cfg(unix)]
#[test]
fn links_are_in_the_manifest_and_modes_are_kept() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    let world = World::new();
    symlink("data/large.bin", world.at("build", "").join("a-link")).unwrap();
    fs::set_permissions(world.at("build", "").join("game"), fs::Permissions::from_mode(0o755)).unwrap();
    let done = world.publish("1.0").unwrap();
    assert_eq!((done.files, done.executables), (5, 1));
    let manifest = &catalog_of(&DataDir::open(&world.at("data", "")).unwrap()).unwrap()[0];
    let seen: Vec<_> =
        manifest.files.iter().map(|f| (f.path.as_str(), f.executable, f.is_symlink())).collect();
    assert_eq!(seen[0], ("a-link", false, true));
    assert_eq!(seen[4], ("game", true, false));
    let torrent = protocol::metainfo::Torrent::parse(&fs::read(&done.torrent).unwrap()).unwrap();
    assert_eq!(torrent.layout.files.len(), 4);
}

#[test]
fn a_build_of_one_file_with_the_releases_own_name() {
    let world = World::new();
    fs::remove_dir_all(world.at("build", "")).unwrap();
    world.file("game-1.0", &noise(50_000));
    let done = world.publish("1.0").unwrap();
    let torrent = protocol::metainfo::Torrent::parse(&fs::read(&done.torrent).unwrap()).unwrap();
    assert_eq!(torrent.name, "game-1.0-build");
    assert_eq!(torrent.layout.files[0].path, ["game-1.0"]);
    assert_eq!(world.check().as_deref(), Some("1.0"));
}

#[test]
fn a_file_of_a_known_length_and_other_content_is_stored() {
    let world = World::new();
    world.publish("1.0").unwrap();
    let mut other = noise(100_000);
    other[50_000] ^= 1;
    world.file("data/copy.bin", &other);
    assert_eq!(world.publish("1.1").unwrap().new_blobs, 1);
    assert_eq!(world.check().as_deref(), Some("1.1"));
}

#[test]
fn torrents_do_not_depend_on_what_the_store_held_before() {
    let world = World::new();
    let first = world.publish("1.0").unwrap();
    world.init("-b");
    let other =
        PublishOptions { data: world.at("data", "-b"), keys: world.at("keys", "-b"), ..world.options("1.0") };
    let again = publish(&other, &()).unwrap();
    assert_eq!(first.info_hash_v2, again.info_hash_v2);
    assert_eq!(first.info_hash_v1_only, again.info_hash_v1_only);
}

#[test]
fn what_is_refused_leaves_everything_as_it_was() {
    let world = World::new();
    world.publish("1.0").unwrap();
    world.init("-b");
    fs::create_dir(world.at("keys", "-none")).unwrap();
    copy_tree(&world.at("keys", ""), &world.at("keys", "-part"));
    fs::remove_file(world.at("keys", "-part").join("game.releases-1.pem")).unwrap();
    copy_tree(&world.at("keys", ""), &world.at("keys", "-torn"));
    fs::write(world.at("keys", "-torn").join("game.releases-1.pem"), "no key").unwrap();
    fs::create_dir(world.at("build", "-empty")).unwrap();
    fs::create_dir(world.at("build", "-hollow")).unwrap();
    fs::write(world.at("build", "-hollow").join("f"), "").unwrap();
    let before = world.public();
    let options = || world.options("2.0");
    let cases = [
        (world.options("1.0"), "E-RELEASE-EXISTS"),
        (PublishOptions { keys: world.at("keys", "-b"), ..options() }, "E-REPO-ROOT"),
        (PublishOptions { keys: world.at("keys", "-none"), ..options() }, "E-REPO-ROOT"),
        (PublishOptions { keys: world.at("keys", "-part"), ..options() }, "E-KEY-MISSING"),
        (PublishOptions { keys: world.at("keys", "-torn"), ..options() }, "E-KEY-BAD"),
        (PublishOptions { keys: world.at("none", ""), ..options() }, "E-KEY-FOLDER"),
        (PublishOptions { data: world.at("none", ""), ..options() }, "E-REPO-MISSING"),
        (PublishOptions { build: world.at("none", ""), ..options() }, "E-BUILD-MISSING"),
        (PublishOptions { build: world.at("build", "-empty"), ..options() }, "E-BUILD-EMPTY"),
        (PublishOptions { build: world.at("build", "-hollow"), ..options() }, "E-BUILD-EMPTY"),
        (PublishOptions { piece_len: Some(20_000), ..options() }, "E-OPTION"),
        (PublishOptions { launch: [("any".into(), String::new())].into(), ..options() }, "E-MANIFEST-BAD"),
    ];
    for (options, code) in cases {
        let error = publish(&options, &()).unwrap_err();
        assert_eq!(error.code(), code, "{error}");
        assert!(!error.advice().is_empty());
        let after = world.public();
        let torrents = |path: &&PathBuf| path.extension().is_some_and(|end| end == "torrent");
        // A torrent nobody refers to yet may stay behind, as may blobs: the next publish finds them.
        assert!(
            after.keys().filter(|path| !torrents(path)).eq(before.keys().filter(|path| !torrents(path))),
            "{code}"
        );
        assert!(before.iter().all(|(path, bytes)| after.get(path) == Some(bytes)), "{code}");
    }
    assert_eq!(world.check().as_deref(), Some("1.0"));
}

#[test]
fn one_writer_at_a_time() {
    let world = World::new();
    let lock = DataDir::open(&world.at("data", "")).unwrap().lock().unwrap();
    assert_eq!(world.publish("1.0").unwrap_err().code(), "E-REPO-BUSY");
    drop(lock);
    world.publish("1.0").unwrap();
}

/// Meddles with the build once it has been looked at.
struct Meddler<'a>(Mutex<Option<Box<dyn FnOnce() + Send + 'a>>>);

impl Progress for Meddler<'_> {
    fn begins(&self, _: u64, _: u64) {
        if let Some(meddle) = self.0.lock().unwrap().take() {
            meddle();
        }
    }
}

#[test]
fn a_build_that_changes_while_it_is_read_is_refused() {
    type Meddling = (&'static str, fn(&World));
    let meddlings: [Meddling; 4] = [
        ("grows", |world| world.file("data/large.bin", &noise(100_001))),
        ("shrinks", |world| world.file("data/large.bin", b"x")),
        ("is written to", |world| {
            // Same length, other content: only the times tell.
            let path = world.at("build", "").join("data/large.bin");
            fs::remove_file(path).unwrap();
            world.file("data/large.bin", &vec![0; 100_000]);
        }),
        ("goes", |world| fs::remove_file(world.at("build", "").join("game")).unwrap()),
    ];
    for (what, meddle) in meddlings {
        let world = World::new();
        let meddler = Meddler(Mutex::new(Some(Box::new(|| meddle(&world)))));
        let code = publish(&world.options("1.0"), &meddler).unwrap_err().code();
        let expected = if what == "goes" { "E-BUILD-UNREADABLE" } else { "E-BUILD-CHANGED" };
        assert_eq!(code, expected, "a file that {what}");
        assert_eq!(world.check(), None);
        world.publish("1.0").unwrap_or_else(|error| panic!("{what}: {error}"));
    }
}

/// The power fails at each step of writing in turn: what is signed stays whole, and the next publish finishes.
#[test]
fn cut_at_any_step_the_old_release_stands_and_the_next_publish_finishes() {
    let base = World::new();
    base.publish("1.0").unwrap();
    base.file("data/new.bin", &noise(70_000));
    base.file("data/large.bin", &noise(99_999));
    let mut expected = None;
    for steps in 0..200 {
        let world = World { tmp: tempfile::tempdir().unwrap() };
        copy_tree(base.tmp.path(), world.tmp.path());
        let dir = DataDir::open(&world.at("data", "")).unwrap().with_steps_left(steps);
        if let Ok(done) = publish_in(&dir, &world.options("1.1"), &()) {
            assert_eq!(expected, Some(done.info_hash_v2));
            assert!(steps > 10, "there are more steps than that");
            return;
        }
        assert_eq!(world.check().as_deref(), Some("1.0"), "cut at step {steps}");
        let done =
            world.publish("1.1").unwrap_or_else(|error| panic!("after a cut at step {steps}: {error}"));
        assert_eq!(*expected.get_or_insert(done.info_hash_v2.clone()), done.info_hash_v2);
        assert_eq!(world.check().as_deref(), Some("1.1"), "after a cut at step {steps}");
    }
    panic!("a publish never finishes");
}
