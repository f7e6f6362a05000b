use std::path::Path;

use super::*;
use crate::path::SafePath;
use crate::release::{
    Art, ChannelDoc, ChannelName, FileIdentity, FloorDoc, GameId, ManifestFile, ReleaseManifest, RollbackDoc,
    SCHEMA, Version, packs_tests,
};
use crate::trust::time::UnixTime;

/// When the tests begin.
pub(crate) const START: UnixTime = UnixTime(1_790_000_000);

pub(crate) fn game() -> GameId {
    GameId::parse("freeciv").unwrap()
}

pub(crate) fn stable() -> ChannelName {
    ChannelName::parse("stable").unwrap()
}

pub(crate) fn version(text: &str) -> Version {
    Version::parse(text).unwrap()
}

pub(crate) fn manifest(text: &str, sequence: u64) -> ReleaseManifest {
    let path = SafePath::parse("game.bin").unwrap();
    ReleaseManifest {
        game: game(),
        version: version(text),
        sequence,
        allowed_channels: [stable()].into(),
        files: vec![ManifestFile::file(path, FileIdentity::new(sequence, [7; 32]).unwrap(), true)],
        piece_len: 1 << 14,
        info_hash_v1: [1; 20],
        info_hash_v2: [2; 32],
        info_hash_v1_only: None,
        launch: [("linux".to_owned(), "./game.bin".to_owned())].into(),
        notes: String::new(),
        art: Art::default(),
    }
}

pub(crate) fn channel(text: &str, sequence: u64) -> ChannelDoc {
    ChannelDoc::new(game(), stable(), version(text), sequence)
}

/// A studio with one game, on a temporary folder.
pub(crate) struct Studio {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) repo: Repository,
    pub(crate) offline: OfflineKeys,
}

impl Studio {
    pub(crate) fn new() -> Self {
        Self::with(&InitOptions::default())
    }

    pub(crate) fn with(options: &InitOptions) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let paths = RepositoryPaths::below(&dir.path().join("data"));
        let (mut repo, mut offline) =
            Repository::init(paths, &dir.path().join("keys"), options, START).unwrap();
        repo.add_game(&mut offline, &game(), options.releases, START).unwrap();
        Self { dir, repo, offline }
    }

    pub(crate) fn publish(&mut self, text: &str, sequence: u64, now: UnixTime) {
        self.repo.add_release(&mut self.offline, &manifest(text, sequence), now).unwrap();
        self.repo.set_channel(&channel(text, sequence), now).unwrap();
    }

    pub(crate) fn metadata(&self, name: &str) -> std::path::PathBuf {
        self.repo.paths().metadata(name)
    }

    fn reopen(&self) -> Repository {
        Repository::open(self.repo.paths().clone()).unwrap()
    }
}

#[test]
fn a_repository_is_made_and_read_back() {
    let mut studio = Studio::new();
    assert_eq!(studio.repo.next_sequence(&game()), 1);
    studio.publish("3.0.6", 1, START);
    studio.publish("3.1.4", 2, START);
    let repo = studio.reopen();
    assert_eq!(repo.games(), [game()]);
    assert_eq!(repo.channels(&game()).unwrap(), [stable()]);
    assert_eq!(repo.channel(&game(), &stable()).unwrap(), Some(channel("3.1.4", 2)));
    assert_eq!(repo.manifest(&game(), &version("3.0.6")).unwrap(), manifest("3.0.6", 1));
    let versions: Vec<String> =
        repo.releases(&game()).unwrap().into_iter().map(|release| release.version.to_string()).collect();
    assert_eq!(versions, ["3.0.6", "3.1.4"]);
    assert_eq!(repo.next_sequence(&game()), 3);
    // The keys stay out of what is served.
    for entry in walk(&repo.paths().public) {
        let bytes = std::fs::read(&entry).unwrap();
        assert!(!bytes.windows(7).any(|window| window == b"PRIVATE"), "{}", entry.display());
    }
}

fn walk(dir: &Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(walk(&path)) } else { files.push(path) }
    }
    files
}

#[test]
fn a_release_never_changes() {
    let mut studio = Studio::new();
    studio.publish("1", 1, START);
    let before = std::fs::read(studio.metadata("timestamp.json")).unwrap();
    let again = studio.repo.add_release(&mut studio.offline, &manifest("1", 1), START).unwrap();
    assert_eq!(again.sequence, 1);
    assert_eq!(std::fs::read(studio.metadata("timestamp.json")).unwrap(), before, "nothing was signed");
    let changed = ReleaseManifest { notes: "other".into(), ..manifest("1", 2) };
    let error = studio.repo.add_release(&mut studio.offline, &changed, START).unwrap_err();
    assert_eq!(error.code(), "E-RELEASE-EXISTS");
    let error = studio.repo.add_release(&mut studio.offline, &manifest("2", 1), START).unwrap_err();
    assert_eq!(error.code(), "E-RELEASE-SEQUENCE");
}

/// The packs of version 2: a full one and one from version 1.
pub(crate) fn packs_of_2(revision: u64) -> crate::release::PackList {
    let packs = vec![packs_tests::entry(None), packs_tests::entry(Some(("1", 1)))];
    crate::release::PackList { version: version("2"), revision, ..packs_tests::list(packs) }
}

#[test]
fn packs_come_with_a_release_and_are_revised() {
    let mut studio = Studio::new();
    studio.publish("1", 1, START);
    let (first, second) = (packs_of_2(1), packs_of_2(2));
    let Studio { repo, offline, .. } = &mut studio;
    let before = repo.state.snapshot.version;
    repo.add_release_with_packs(offline, &manifest("2", 2), Some(&first), START).unwrap();
    assert_eq!(repo.state.snapshot.version, before + 1, "one signing");
    assert_eq!(repo.pack_list(&game(), &version("2")).unwrap(), Some(first.clone()));
    assert_eq!(repo.pack_list(&game(), &version("1")).unwrap(), None);
    repo.set_packs(offline, &second, START).unwrap();
    let signed = repo.state.snapshot.version;
    // The same again, by either way: nothing is signed, and a list that was revised stays.
    repo.set_packs(offline, &second, START).unwrap();
    repo.add_release_with_packs(offline, &manifest("2", 2), Some(&first), START).unwrap();
    assert_eq!(repo.state.snapshot.version, signed);
    assert_eq!(studio.reopen().pack_list(&game(), &version("2")).unwrap(), Some(second));
    assert_eq!(studio.reopen().releases(&game()).unwrap().len(), 2, "a list is no release");
}

#[test]
fn pack_lists_that_do_not_fit_are_refused() {
    let mut studio = Studio::new();
    studio.publish("1", 1, START);
    let Studio { repo, offline, .. } = &mut studio;
    let other = crate::release::PackList { version: version("3"), ..packs_of_2(1) };
    let with = repo.add_release_with_packs(offline, &manifest("2", 2), Some(&other), START);
    assert_eq!(with.unwrap_err().code(), "E-PACKS-MISMATCH", "packs of another release");
    assert_eq!(repo.set_packs(offline, &packs_of_2(1), START).unwrap_err().code(), "E-RELEASE-UNKNOWN");
    repo.add_release(offline, &manifest("2", 2), START).unwrap();
    // A release published without packs gets them later, with it or by themselves.
    repo.add_release_with_packs(offline, &manifest("2", 2), Some(&packs_of_2(7)), START).unwrap();
    for revision in [1, 7] {
        let replayed = crate::release::PackList { packs: Vec::new(), ..packs_of_2(revision) };
        assert_eq!(repo.set_packs(offline, &replayed, START).unwrap_err().code(), "E-PACKS-REVISION");
    }
    for base in [("1", 2), ("0", 1)] {
        let mut list = packs_of_2(8);
        list.packs = vec![packs_tests::entry(Some(base))];
        assert_eq!(repo.set_packs(offline, &list, START).unwrap_err().code(), "E-PACKS-MISMATCH", "{base:?}");
    }
    let mut keys_of_another = Studio::new().offline;
    let error = repo.set_packs(&mut keys_of_another, &packs_of_2(8), START).unwrap_err();
    assert_eq!(error.code(), "E-REPO-ROOT");
}

#[test]
fn channels_that_launchers_would_refuse_are_refused_here() {
    let mut studio = Studio::new();
    studio.publish("1", 1, START);
    studio.publish("2", 2, START);
    let beta_only = ReleaseManifest {
        allowed_channels: [ChannelName::parse("beta").unwrap()].into(),
        ..manifest("3", 3)
    };
    studio.repo.add_release(&mut studio.offline, &beta_only, START).unwrap();
    for (doc, code) in [
        (channel("3", 3), "E-CHANNEL-REFUSED"),
        (channel("2", 9), "E-CHANNEL-REFUSED"),
        (channel("1", 1), "E-CHANNEL-REFUSED"),
        (channel("4", 4), "E-RELEASE-UNKNOWN"),
        (ChannelDoc { game: GameId::parse("other").unwrap(), ..channel("1", 1) }, "E-GAME-UNKNOWN"),
    ] {
        assert_eq!(studio.repo.set_channel(&doc, START).unwrap_err().code(), code, "{doc:?}");
    }
    let statement = RollbackDoc {
        schema: SCHEMA,
        game: game(),
        channel: stable(),
        from: 2,
        to: 1,
        release: version("1"),
        reason: "Saves were lost.".into(),
    };
    studio.repo.set_rollback(&mut studio.offline, &statement, START).unwrap();
    studio.repo.set_channel(&channel("1", 1), START).unwrap();
    let floor = |sequence| FloorDoc { schema: SCHEMA, game: game(), channel: stable(), sequence };
    studio.repo.set_floor(&mut studio.offline, &floor(2), START).unwrap();
    assert_eq!(studio.repo.set_channel(&channel("1", 1), START).unwrap_err().code(), "E-CHANNEL-REFUSED");
    let lower = studio.repo.set_floor(&mut studio.offline, &floor(1), START);
    assert_eq!(lower.unwrap_err().code(), "E-CHANNEL-REFUSED");
}

#[test]
fn thresholds_and_missing_keys() {
    let two = RoleOptions { keys: 3, threshold: 2 };
    let options = InitOptions { root: two, targets: two, releases: two, ..InitOptions::default() };
    let mut studio = Studio::with(&options);
    studio.publish("1", 1, START);
    let keys = studio.dir.path().join("keys");
    std::fs::remove_file(keys.join("freeciv.releases-1.pem")).unwrap();
    let mut offline = OfflineKeys::open(&keys).unwrap();
    studio.repo.add_release(&mut offline, &manifest("2", 2), START).unwrap();
    std::fs::remove_file(keys.join("freeciv.releases-2.pem")).unwrap();
    let mut offline = OfflineKeys::open(&keys).unwrap();
    let error = studio.repo.add_release(&mut offline, &manifest("3", 3), START).unwrap_err();
    assert_eq!(error.code(), "E-KEY-MISSING");
    assert!(error.to_string().contains("needs 2 of its keys, 1 were found"), "{error}");
    // The server alone can move channels and stay fresh, and do nothing else.
    studio.repo.refresh(START).unwrap();
    studio.repo.set_channel(&channel("2", 2), START).unwrap();

    for bad in [RoleOptions { keys: 0, threshold: 0 }, RoleOptions { keys: 1, threshold: 2 }] {
        let dir = tempfile::tempdir().unwrap();
        let options = InitOptions { root: bad, ..InitOptions::default() };
        let made =
            Repository::init(RepositoryPaths::below(dir.path()), &dir.path().join("k"), &options, START);
        assert_eq!(made.unwrap_err().code(), "E-OPTIONS");
    }
}

#[test]
fn an_offline_key_never_signs_what_the_server_slipped_in() {
    let mut studio = Studio::new();
    studio.publish("1", 1, START);
    let name = studio.metadata("2.freeciv.releases.json");
    let good = std::fs::read(&name).unwrap();

    let text = String::from_utf8(good.clone()).unwrap().replacen("1.manifest", "9.manifest", 1);
    std::fs::write(&name, &text).unwrap();
    let error = studio.repo.add_release(&mut studio.offline, &manifest("2", 2), START).unwrap_err();
    assert_eq!(error.code(), "E-REPO-DAMAGED");
    std::fs::write(&name, &good).unwrap();

    // The whole repository set back to an older state, correctly signed then.
    let copy = studio.dir.path().join("old");
    copy_tree(&studio.repo.paths().public, &copy);
    studio.publish("2", 2, START);
    std::fs::remove_dir_all(&studio.repo.paths().public).unwrap();
    copy_tree(&copy, &studio.repo.paths().public);
    let error = studio.repo.add_release(&mut studio.offline, &manifest("3", 3), START).unwrap_err();
    assert_eq!(error.code(), "E-REPO-SET-BACK");

    // The keys of another repository.
    let mut other = Studio::new();
    let error = studio.repo.add_release(&mut other.offline, &manifest("3", 3), START).unwrap_err();
    assert_eq!(error.code(), "E-REPO-ROOT");
}

pub(crate) fn copy_tree(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_tree(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn init_twice_and_a_second_writer() {
    let studio = Studio::new();
    let paths = studio.repo.paths().clone();
    let keys = studio.dir.path().join("keys");
    let again = Repository::init(paths.clone(), &keys, &InitOptions::default(), START);
    assert_eq!(again.unwrap_err().code(), "E-REPO-EXISTS");
    let elsewhere = RepositoryPaths::below(&studio.dir.path().join("elsewhere"));
    let missing = Repository::open(elsewhere.clone());
    assert_eq!(missing.unwrap_err().code(), "E-REPO-MISSING");
    // The keys of one repository cannot found a second one: its root names other online keys.
    let second = Repository::init(elsewhere, &keys, &InitOptions::default(), START);
    assert!(matches!(second.unwrap_err().code(), "E-KEY-MISSING" | "E-KEY-FOLDER"));

    let _held = crate::trust::files::Lock::take(&paths.lock()).unwrap().unwrap();
    let mut repo = studio.reopen();
    assert_eq!(repo.refresh(START).unwrap_err().code(), "E-REPO-BUSY");
}

/// Runs `change` with the power cut after 0, 1, 2, … steps of writing, until it gets through. After every cut the
/// repository verifies, and the change can be made again.
fn cut_at_every_step(prepare: fn(&mut Studio), change: fn(&mut Studio) -> Result<(), PublishError>) -> u32 {
    for steps in 0..200 {
        let mut studio = Studio::new();
        prepare(&mut studio);
        *studio.repo.disk.steps_left.lock().unwrap() = Some(steps);
        let done = change(&mut studio);
        *studio.repo.disk.steps_left.lock().unwrap() = None;
        let mut repo = Repository::open(studio.repo.paths().clone()).unwrap();
        repo.refresh(START.plus_days(1)).unwrap();
        if done.is_ok() {
            return steps;
        }
        assert_eq!(done.unwrap_err().code(), "E-REPO-IO");
        studio.offline = OfflineKeys::open(&studio.dir.path().join("keys")).unwrap();
        change(&mut studio).unwrap_or_else(|error| panic!("again after {steps} steps: {error}"));
        Repository::open(studio.repo.paths().clone()).unwrap();
    }
    panic!("never got through");
}

#[test]
fn power_cut_between_any_two_writes() {
    let steps = cut_at_every_step(
        |_| {},
        |studio| studio.repo.add_release(&mut studio.offline, &manifest("1", 1), START).map(drop),
    );
    assert!(steps >= 3 * 4, "target, role, snapshot, timestamp");
    cut_at_every_step(
        |studio| {
            studio.repo.add_release(&mut studio.offline, &manifest("1", 1), START).unwrap();
        },
        |studio| studio.repo.set_channel(&channel("1", 1), START),
    );
    let with_packs = |studio: &mut Studio| {
        let Studio { repo, offline, .. } = studio;
        repo.add_release_with_packs(offline, &manifest("2", 2), Some(&packs_of_2(1)), START)?;
        assert_eq!(repo.pack_list(&game(), &version("2")).unwrap(), Some(packs_of_2(1)));
        Ok(())
    };
    cut_at_every_step(|studio| studio.publish("1", 1, START), with_packs);
    cut_at_every_step(
        |studio| {
            studio.publish("1", 1, START);
            studio.publish("2", 2, START);
        },
        |studio| studio.repo.set_packs(&mut studio.offline, &packs_of_2(3), START),
    );
    cut_at_every_step(
        |_| {},
        |studio| {
            let other = GameId::parse("other").unwrap();
            studio.repo.add_game(&mut studio.offline, &other, RoleOptions { keys: 1, threshold: 1 }, START)
        },
    );
    cut_at_every_step(|_| {}, |studio| studio.repo.refresh(START.plus_days(90)));
}

#[test]
fn power_cut_during_init() {
    for steps in 0..100 {
        let dir = tempfile::tempdir().unwrap();
        let (paths, keys) = (RepositoryPaths::below(&dir.path().join("data")), dir.path().join("keys"));
        let disk = Disk::default();
        *disk.steps_left.lock().unwrap() = Some(steps);
        let options = InitOptions::default();
        let done = Repository::init_on(disk, paths.clone(), &keys, &options, START).is_ok();
        if !done && let Err(error) = Repository::init(paths.clone(), &keys, &options, START) {
            assert_eq!(error.code(), "E-REPO-EXISTS", "cut after {steps}: the timestamp was written");
        }
        let repo = Repository::open(paths).unwrap();
        assert!(repo.games().is_empty());
        OfflineKeys::open(&keys).unwrap().pinned_root().unwrap();
        if done {
            return;
        }
    }
    panic!("never got through");
}

#[test]
fn online_roles_are_renewed_in_time() {
    let mut studio = Studio::new();
    studio.publish("1", 1, START);
    let mut now = START;
    for _ in 0..200 {
        now = now.plus_days(1);
        studio.repo.refresh(now).unwrap();
        let state = &studio.repo.state;
        let online = [&state.snapshot.expires, &state.delegated["freeciv.channels"].expires];
        assert!(online.into_iter().all(|expires| *expires >= now.plus_days(29)));
        assert_eq!(studio.repo.expires(), now.plus_days(7));
    }
    assert!(studio.repo.state.snapshot.version < 20, "not signed again needlessly");
}

/// What somebody does who has stolen the server and its keys.
impl Repository {
    pub(crate) fn set_channel_unchecked(
        &mut self,
        doc: &ChannelDoc,
        now: UnixTime,
    ) -> Result<(), PublishError> {
        let target = crate::release::channel_target(&doc.game, &doc.channel);
        self.sign_online(&target, doc.encode()?, now)
    }

    pub(crate) fn sign_online(
        &mut self,
        target: &str,
        bytes: Vec<u8>,
        now: UnixTime,
    ) -> Result<(), PublishError> {
        let mut change = self.change(None, now)?;
        change.put_target("freeciv.channels", target, bytes, None)?;
        change.commit().map(drop)
    }

    /// The studio's answer: a new root takes the timestamp key away from the thief.
    pub(crate) fn replace_timestamp_key(&mut self, offline: &OfflineKeys, now: UnixTime) {
        self.reload().unwrap();
        let mut root = self.state.root.clone();
        let new = self.online.load_or_create(&self.paths.online_keys(), "timestamp-new").unwrap();
        root.version += 1;
        root.roles.get_mut("timestamp").unwrap().keyids = vec![new.0.clone()];
        root.keys.insert(new.0, new.1);
        let bytes = change::sign("root", &root, &root.roles["root"], &offline.ring).unwrap();
        let name = format!("{}.root.json", root.version);
        self.disk.replace(&self.paths.metadata(&name), &bytes).unwrap();
        // The timestamp on disk is the thief's: begin again from one.
        self.state.root = root;
        self.state.timestamp.version = 1;
        self.state.timestamp.expires = now.plus_days(7);
        self.state.timestamp.signed_at = now.0;
        let keys = &self.state.root.roles["timestamp"];
        let bytes = change::sign("timestamp", &self.state.timestamp, keys, &self.online).unwrap();
        self.disk.replace(&self.paths.metadata("timestamp.json"), &bytes).unwrap();
    }

    pub(crate) fn set_back_in_snapshot(&mut self, role: &str, now: UnixTime) -> Result<(), PublishError> {
        let first = std::fs::read(self.paths.metadata(&format!("1.{role}.json"))).unwrap();
        let mut change = self.change(None, now)?;
        let pin = crate::trust::model::Pin::of(1, &first);
        change.state.snapshot.meta.insert(format!("{role}.json"), pin);
        change.state.snapshot.expires = UnixTime(0);
        change.commit().map(drop)
    }
}
