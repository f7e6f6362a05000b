//! Publishing as a whole: what it leaves behind when all goes well, when input is bad, and when it is cut at any step.

use super::*;
use crate::packs::{Bases, Full, Level};
use crate::server::catalog_of;
use crate::setup::{InitConfig, init};
use crate::store::Blobs;
use manifests::pack::tree_id;
use protocol::merkle::FileHasher;
use std::fs;
use std::sync::Mutex;

/// A repository, and a build to publish.
pub(crate) struct World {
    pub(crate) tmp: tempfile::TempDir,
}

impl World {
    pub(crate) fn new() -> World {
        let world = World { tmp: tempfile::tempdir().unwrap() };
        world.init("");
        world.file("game", b"\x7fELF not really");
        world.file("data/large.bin", &noise(100_000));
        world.file("data/copy.bin", &noise(100_000));
        world.file("data/empty", b"");
        world
    }

    pub(crate) fn init(&self, suffix: &str) {
        let public_url = Some("http://127.0.0.1:9".to_owned());
        init(&InitConfig { data: self.at("data", suffix), keys: self.at("keys", suffix), public_url })
            .unwrap();
    }

    pub(crate) fn at(&self, name: &str, suffix: &str) -> PathBuf {
        self.tmp.path().join(format!("{name}{suffix}"))
    }

    pub(crate) fn file(&self, name: &str, content: &[u8]) {
        let path = self.at("build", "").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    pub(crate) fn options(&self, version: &str) -> PublishOptions {
        PublishOptions {
            build: self.at("build", ""),
            data: self.at("data", ""),
            keys: self.at("keys", ""),
            game: GameId::parse("game").unwrap(),
            version: Version::parse(version).unwrap(),
            channel: ChannelName::parse("stable").unwrap(),
            notes: String::new(),
            pictures: Pictures::default(),
            launch: BTreeMap::new(),
            exec: Patterns::default(),
            policies: Policies::default(),
            piece_len: Some(32 * 1024),
            packs: PackOptions::default(),
        }
    }

    pub(crate) fn publish(&self, version: &str) -> Result<Published> {
        publish(&self.options(version), &())
    }

    /// Every file below the data folder with its bytes, what is private apart.
    pub(crate) fn public(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let public = self.at("data", "").join("public");
        let files = walkdir::WalkDir::new(public).into_iter().map(|entry| entry.unwrap().into_path());
        files.filter(|path| path.is_file()).map(|path| (path.clone(), fs::read(path).unwrap())).collect()
    }

    /// Checks all that is signed: manifests, torrents, blobs, leaves and packs. Returns the version the channel points at.
    pub(crate) fn check(&self) -> Option<String> {
        let dir = DataDir::open(&self.at("data", "")).unwrap();
        let catalog = catalog_of(&dir).unwrap();
        let blobs = Blobs::new(&dir);
        for manifest in catalog {
            for id in manifest.art.pictures() {
                let mut hasher = FileHasher::new();
                hasher.update(&fs::read(blobs.path(&id)).unwrap());
                assert_eq!(hasher.finish().root.map(|root| root.0), Some(id.root));
            }
            for file in manifest.files.iter().filter(|file| file.identity.len > 0) {
                let id = file.identity;
                let mut hasher = FileHasher::new();
                hasher.update(&fs::read(blobs.path(&id)).unwrap());
                let hashes = hasher.finish();
                assert_eq!(hashes.root.map(|root| root.0), Some(id.root), "{}", file.path);
                if id.len > u64::from(manifest.piece_len) {
                    let leaves: Vec<u8> = hashes.leaves.iter().flat_map(|leaf| leaf.0).collect();
                    assert!(fs::read(blobs.leaves_path(&id)).unwrap() == leaves, "{}", file.path);
                    let sums = fs::read(blobs.sums_path(&id)).unwrap();
                    let blob = fs::read(blobs.path(&id)).unwrap();
                    let right: Vec<u64> = blob.chunks(16 << 10).map(manifests::hash::rolling).collect();
                    assert_eq!(manifests::hash::sums_from_bytes(&sums), Some(right), "{}", file.path);
                }
            }
        }
        let repository = open_repository(&dir).unwrap();
        let options = self.options("0");
        self.check_packs(&dir, &repository);
        let doc = repository.channel(&options.game, &options.channel).ok().flatten();
        doc.map(|doc| doc.release.to_string())
    }
}

impl World {
    /// Every pack that is signed leads from its base to its release, and lies beside its index, leaves and torrent.
    fn check_packs(&self, dir: &DataDir, repository: &Repository) {
        let (blobs, packs) = (Blobs::new(dir), Blobs::packs(dir));
        let mut listed = 0;
        for (game, info) in repository.games().into_iter().flat_map(|game| {
            repository.releases(&game).unwrap().into_iter().map(move |info| (game.clone(), info))
        }) {
            let Some(list) = repository.pack_list(&game, &info.version).unwrap() else { continue };
            let target = Release::from(repository.manifest(&game, &info.version).unwrap());
            assert_eq!(list.target, tree_id(&target.files).0);
            for entry in &list.packs {
                let base = entry
                    .base
                    .as_ref()
                    .map(|base| Release::from(repository.manifest(&game, &base.version).unwrap()));
                assert_eq!(base.as_ref().map(Release::as_base), entry.base);
                let file = fs::File::open(packs.path(&entry.identity)).unwrap();
                let (index, bytes) = crate::packs::proven(
                    &file,
                    entry.identity.len,
                    &blobs,
                    base.as_ref(),
                    &target.files,
                    2,
                    &(),
                )
                .unwrap();
                assert_eq!(fs::read(packs.index_path(&entry.identity)).unwrap(), bytes);
                assert_eq!((bytes.len() as u64, index.encoder), (entry.index_len, entry.encoder));
                let whole = fs::read(packs.path(&entry.identity)).unwrap();
                let mut hasher = FileHasher::new();
                hasher.update(&whole);
                let hashes = hasher.finish();
                assert_eq!(hashes.root.map(|root| root.0), Some(entry.identity.root));
                if entry.identity.len > u64::from(entry.piece_len) {
                    let leaves: Vec<u8> = hashes.leaves.iter().flat_map(|leaf| leaf.0).collect();
                    assert_eq!(fs::read(packs.leaves_path(&entry.identity)).unwrap(), leaves);
                }
                listed += 1;
            }
        }
        assert_eq!(crate::server::packs_of(dir).unwrap(), listed, "all are served");
    }

    pub(crate) fn packs(&self, version: &str) -> Vec<String> {
        let repository = open_repository(&DataDir::open(&self.at("data", "")).unwrap()).unwrap();
        let game = GameId::parse("game").unwrap();
        let list = repository.pack_list(&game, &Version::parse(version).unwrap()).unwrap();
        let from = |entry: PackEntry| entry.base.map_or("full".to_owned(), |base| base.version.to_string());
        list.into_iter().flat_map(|list| list.packs).map(from).collect()
    }
}

/// Text that compresses to about half.
pub(crate) fn text(seed: u32, lines: u32) -> Vec<u8> {
    let line = |i: u32| format!("{:08x} the quick brown fox\n", i.wrapping_mul(2_654_435_761) ^ seed);
    (0..lines).map(line).collect::<String>().into_bytes()
}

pub(crate) fn noise(len: usize) -> Vec<u8> {
    (0..len as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

pub(crate) fn copy_tree(from: &Path, to: &Path) {
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
fn pictures_are_signed_and_stored_by_content() {
    let world = World::new();
    let (icon, hero) = (world.at("icon.png", ""), world.at("hero.png", ""));
    let (small, wide) = (art::tests::png(64, 64), art::tests::png(2048, 600));
    fs::write(&icon, &small).unwrap();
    fs::write(&hero, &wide).unwrap();
    let pictures = Pictures::read(Some(&icon), Some(&hero)).unwrap();
    // The build may hold the same picture: one blob serves both, with all that a file of a build needs beside it.
    world.file("data/hero.png", &wide);
    let publish_as = |version: &str, pictures: &Pictures| {
        publish(&PublishOptions { pictures: pictures.clone(), ..world.options(version) }, &()).unwrap();
        let dir = DataDir::open(&world.at("data", "")).unwrap();
        let manifests = catalog_of(&dir).unwrap();
        manifests.into_iter().find(|manifest| manifest.version.as_str() == version).unwrap()
    };
    let first = publish_as("1.0", &pictures);
    assert_eq!(first.art.icon.map(|id| id.len), Some(small.len() as u64));
    assert_eq!(first.art.hero.map(|id| id.len), Some(wide.len() as u64));
    let blobs = Blobs::new(&DataDir::open(&world.at("data", "")).unwrap());
    assert!(fs::read(blobs.path(&first.art.icon.unwrap())).unwrap() == small);
    let in_build = first.files.iter().find(|file| file.path.as_str() == "data/hero.png").unwrap();
    assert_eq!(Some(in_build.identity), first.art.hero);
    assert!(publish_as("1.1", &Pictures::default()).art.is_empty(), "a release has those it was given");
    assert_eq!(publish_as("1.2", &pictures).art, first.art);
    world.check();
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

#[test]
fn packs_go_live_with_their_release() {
    let world = World::new();
    world.file("data/text", &text(1, 20_000));
    let first = world.publish("1.0").unwrap();
    assert_eq!(world.packs("1.0"), ["full"], "half of it can be saved");
    assert!(first.packs[0].listed && first.packs[0].bytes < first.packs[0].plain_bytes);
    let mut changed = text(1, 20_000);
    changed[300_000..300_050].fill(b'x');
    changed.splice(100..100, *b"inserted");
    world.file("data/text", &changed);
    world.file("data/new", &noise(60_000));
    let second = world.publish("1.1").unwrap();
    assert_eq!(world.packs("1.1"), ["full", "1.0"]);
    let pack = &second.packs[1];
    assert_eq!(pack.plain_bytes, changed.len() as u64 + 60_000);
    assert!(pack.bytes < 62_000, "the new file and a trifle: {pack:?}");
    assert_eq!(world.packs("1.0"), ["full"], "what was published stays");
    assert_eq!(world.check().as_deref(), Some("1.1"));

    let these =
        |texts: &[&str]| Bases::These(texts.iter().map(|text| Version::parse(text).unwrap()).collect());
    let with = |version: &str, bases, full| PublishOptions {
        packs: PackOptions { bases, full, ..PackOptions::default() },
        ..world.options(version)
    };
    publish(&with("1.2", these(&["1.1", "1.0", "1.1"]), Full::Never), &()).unwrap();
    assert_eq!(world.packs("1.2"), ["1.0", "1.1"]);
    publish(&with("1.3", Bases::None, Full::Auto), &()).unwrap();
    assert_eq!(world.packs("1.3"), ["full"]);
    publish(&with("1.4", Bases::None, Full::Never), &()).unwrap();
    assert_eq!(world.packs("1.4"), Vec::<String>::new());
    assert_eq!(world.check().as_deref(), Some("1.4"));
}

#[test]
fn releases_that_players_run_get_a_pack() {
    let world = World::new();
    for version in ["1.0", "1.1", "1.2"] {
        world.file("data/new", format!("of {version}").as_bytes());
        world.publish(version).unwrap();
    }
    let dir = DataDir::open(&world.at("data", "")).unwrap();
    let mut popular = crate::packs::Popular::default();
    let options = world.options("2");
    for (version, peers) in [("1.0", 30), ("1.2", 50), ("0.9", 40)] {
        popular.seen(&options.game, &Version::parse(version).unwrap(), peers);
    }
    popular.write(&dir).unwrap();
    world.publish("2").unwrap();
    assert_eq!(world.packs("2").last_chunk(), Some(&["1.0".to_owned(), "1.2".to_owned()]));
    assert!(!world.packs("2").contains(&"1.1".to_owned()));
}

#[test]
fn a_full_pack_that_saves_nothing_is_not_made() {
    use std::io::Read as _;
    let world = World::new();
    fs::remove_dir_all(world.at("build", "")).unwrap();
    let mut random = vec![0; 3_000_000];
    let mut state = 1u64;
    for byte in &mut random {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        *byte = (state >> 56) as u8;
    }
    world.file("random", &random);
    let with = |version: &str, level, full| PublishOptions {
        packs: PackOptions { level, full, ..PackOptions::default() },
        ..world.options(version)
    };
    publish(&with("1", Level::Fast, Full::Auto), &()).unwrap();
    publish(&with("2", Level::Normal, Full::Auto), &()).unwrap();
    assert_eq!((world.packs("1"), world.packs("2")), (vec![], vec!["1".to_owned()]));
    publish(&with("3", Level::Fast, Full::Always), &()).unwrap();
    assert_eq!(world.packs("3"), ["full", "2"]);
    world.file("random", &[&random[..1_000_000], &[0; 500_000]].concat());
    publish(&with("4", Level::Fast, Full::Auto), &()).unwrap();
    assert_eq!(world.packs("4"), ["full", "3"]);
    let mut index = Vec::new();
    let packs = fs::read_dir(world.at("data", "").join("public/packs")).unwrap();
    let path = packs.map(|entry| entry.unwrap().path()).find(|path| path.extension().unwrap() == "index");
    fs::File::open(path.unwrap()).unwrap().read_to_end(&mut index).unwrap();
    assert!(index.len() < 300, "{} bytes", index.len());
    assert_eq!(world.check().as_deref(), Some("4"));
}

#[test]
fn what_packs_cannot_start_from() {
    let world = World::new();
    world.publish("1.0").unwrap();
    let bases = |texts: &[&str]| PublishOptions {
        packs: PackOptions {
            bases: Bases::These(texts.iter().map(|text| Version::parse(text).unwrap()).collect()),
            ..PackOptions::default()
        },
        ..world.options("1.1")
    };
    let data = world.at("data", "");
    let before = world.public();
    let code = |options: &PublishOptions| publish(options, &()).unwrap_err().code();
    assert_eq!(code(&bases(&["0.9"])), "E-RELEASE-UNKNOWN");
    assert_eq!(code(&bases(&["1.1"])), "E-OPTION");
    let blob = |len: usize| {
        let names = fs::read_dir(data.join("public/blobs")).unwrap().map(|entry| entry.unwrap().path());
        names.into_iter().find(|path| path.to_str().unwrap().ends_with(&format!("-{len}"))).unwrap()
    };
    // Gone: asked for, it is an error before anything is done; not asked for, there is no pack.
    world.file("data/large.bin", &[noise(100_000), vec![7; 500]].concat());
    let away = data.join("away");
    fs::rename(blob(100_000), &away).unwrap();
    assert_eq!(code(&bases(&["1.0"])), "E-BASE-MISSING");
    assert_eq!(world.public().len(), before.len() - 1);
    // Damaged: found before it is signed.
    let path = blob(15).with_file_name(
        before
            .keys()
            .find_map(|path| {
                let name = path.file_name()?.to_str()?;
                (name.ends_with("-100000") && path.parent()?.ends_with("blobs")).then(|| name.to_owned())
            })
            .unwrap(),
    );
    let mut bytes = fs::read(&away).unwrap();
    bytes[50_000] ^= 1;
    fs::write(&path, bytes).unwrap();
    assert_eq!(code(&bases(&["1.0"])), "E-BLOB-DAMAGED");
    fs::rename(away, path).unwrap();
    assert_eq!(world.check().as_deref(), Some("1.0"));
    publish(&bases(&["1.0"]), &()).unwrap();
    assert_eq!(world.packs("1.1"), ["full", "1.0"]);
}

#[test]
fn one_thread_or_many_from_any_folder_the_same_is_published() {
    let world = World::new();
    for (name, seed) in [("a/text", 1), ("b/text", 2), ("text", 3)] {
        world.file(name, &text(seed, 30_000));
    }
    world.init("-b");
    copy_tree(&world.at("build", ""), &world.at("another/build", ""));
    let publish_as = |suffix: &str, build: &str, threads, version: &str| {
        let options = PublishOptions {
            build: world.at(build, ""),
            data: world.at("data", suffix),
            keys: world.at("keys", suffix),
            packs: PackOptions { threads, ..PackOptions::default() },
            ..world.options(version)
        };
        let done = publish(&options, &()).unwrap();
        let packs = done.packs.into_iter().map(|pack| (pack.bytes, pack.info_hash_v1, pack.info_hash_v2));
        (done.info_hash_v2, done.info_hash_v1_only, packs.collect::<Vec<_>>())
    };
    let one = publish_as("", "build", Some(1), "1");
    let many = publish_as("-b", "another/build", Some(8), "1");
    assert_eq!(one, many);
    for build in ["build", "another/build"] {
        let path = world.at(build, "").join("text");
        fs::write(path, [text(9, 5_000), text(3, 30_000)].concat()).unwrap();
        fs::rename(world.at(build, "").join("a"), world.at(build, "").join("z")).unwrap();
    }
    let one = publish_as("", "build", None, "2");
    let many = publish_as("-b", "another/build", Some(1), "2");
    assert_eq!(one, many);
    assert_eq!(one.2.len(), 2);
}

/// The power fails at each step of writing in turn: what is signed stays whole, and the next publish finishes.
#[test]
fn cut_at_any_step_the_old_release_stands_and_the_next_publish_finishes() {
    let base = World::new();
    base.publish("1.0").unwrap();
    let icon = base.at("icon.png", "");
    fs::write(&icon, art::tests::png(30, 30)).unwrap();
    let pictures = Pictures::read(Some(&icon), None).unwrap();
    base.file("data/new.bin", &noise(70_000));
    base.file("data/large.bin", &[text(1, 3_000), noise(99_999)].concat());
    let mut expected = None;
    for steps in 0..200 {
        let world = World { tmp: tempfile::tempdir().unwrap() };
        copy_tree(base.tmp.path(), world.tmp.path());
        let dir = DataDir::open(&world.at("data", "")).unwrap().with_steps_left(steps);
        let fast = PackOptions { level: Level::Fast, ..PackOptions::default() };
        let options = PublishOptions { packs: fast, pictures: pictures.clone(), ..world.options("1.1") };
        if let Ok(done) = publish_in(&dir, &options, &()) {
            assert_eq!(expected, Some(done.info_hash_v2));
            assert!(steps > 20, "there are more steps than that");
            assert_eq!(world.packs("1.1"), ["full", "1.0"]);
            return;
        }
        assert_eq!(world.check().as_deref(), Some("1.0"), "cut at step {steps}");
        assert!(
            world.packs("1.1").is_empty() || world.packs("1.1").len() == 2,
            "all or none, at step {steps}"
        );
        let done =
            publish(&options, &()).unwrap_or_else(|error| panic!("after a cut at step {steps}: {error}"));
        assert_eq!(*expected.get_or_insert(done.info_hash_v2.clone()), done.info_hash_v2);
        assert_eq!(world.check().as_deref(), Some("1.1"), "after a cut at step {steps}");
        assert_eq!(world.packs("1.1"), ["full", "1.0"], "after a cut at step {steps}");
    }
    panic!("a publish never finishes");
}
