use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};

use super::*;
use crate::release::{ChannelDoc, FloorDoc, RollbackDoc, SCHEMA, channel_target, manifest_target};
use crate::trust::publisher::Repository;
use crate::trust::publisher::tests::{
    START, Studio, channel, copy_tree, game, manifest, packs_of_2, stable, version,
};

/// Test transports answer at once, so a future of a client is ready when it is first asked.
fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("a test transport waited"),
    }
}

/// What an adversary on the server or on the wire does to a file.
#[derive(Clone)]
enum Harm {
    Gone,
    Bytes(Vec<u8>),
    Cut(usize),
    Flip(usize),
    Endless,
    Error,
}

/// A repository folder with somebody between it and the client.
#[derive(Clone)]
struct Network {
    folder: FolderTransport,
    harm: Arc<Mutex<BTreeMap<String, Harm>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Network {
    fn new(public: &Path) -> Self {
        Self { folder: FolderTransport::new(public), harm: Arc::default(), asked: Arc::default() }
    }

    fn harm(&self, path: &str, harm: Harm) {
        self.harm.lock().unwrap().insert(path.to_owned(), harm);
    }

    fn heal(&self) {
        self.harm.lock().unwrap().clear();
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

impl Transport for Network {
    fn fetch<'a>(&'a self, path: &'a str, limit: u64) -> FetchFuture<'a> {
        self.asked.lock().unwrap().push(path.to_owned());
        let harm = self.harm.lock().unwrap().get(path).cloned();
        Box::pin(async move {
            let bytes = self.folder.fetch(path, limit).await?;
            Ok(match (harm, bytes) {
                (None, bytes) => bytes,
                (Some(Harm::Gone), _) => None,
                (Some(Harm::Bytes(bytes)), _) => Some(bytes),
                (Some(Harm::Endless), _) => return Err(FetchError::TooLarge),
                (Some(Harm::Error), _) => return Err(FetchError::Failed("connection reset".into())),
                (Some(Harm::Cut(len)), Some(bytes)) => Some(bytes[..bytes.len().min(len)].to_vec()),
                (Some(Harm::Flip(at)), Some(mut bytes)) => {
                    let at = at % bytes.len();
                    bytes[at] ^= 1;
                    Some(bytes)
                }
                (Some(Harm::Cut(_) | Harm::Flip(_)), None) => None,
            })
        })
    }
}

/// A studio with one release, and a player.
struct World {
    studio: Studio,
    network: Network,
    root: Vec<u8>,
    state: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let mut studio = Studio::new();
        studio.publish("1", 1, START);
        let network = Network::new(&studio.repo.paths().public);
        let root = studio.offline.pinned_root().unwrap().to_vec();
        Self { studio, network, root, state: tempfile::tempdir().unwrap() }
    }

    fn client(&self) -> Client {
        Client::open(&self.root, self.state.path(), self.network.clone()).unwrap()
    }

    /// What a launcher does: ask, then follow the channel.
    fn update(&self, at: UnixTime, installed: Option<u64>) -> Result<Resolved, TrustError> {
        let mut client = self.client();
        now(client.refresh(at, Freshness::Required))?;
        now(client.resolve_channel(&game(), &stable(), installed))
    }

    /// The same on a machine that never saw this repository.
    fn first_update(&self) -> Result<Resolved, TrustError> {
        let state = tempfile::tempdir().unwrap();
        let mut client = Client::open(&self.root, state.path(), self.network.clone())?;
        now(client.refresh(START, Freshness::Required))?;
        now(client.resolve_channel(&game(), &stable(), None))
    }

    fn code(&self, at: UnixTime, installed: Option<u64>) -> &'static str {
        self.update(at, installed).map_or_else(|error| error.code(), |_| "ok")
    }

    fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.studio.metadata(name)).unwrap()
    }
}

#[test]
fn a_channel_leads_to_a_manifest() {
    let mut world = World::new();
    let resolved = world.update(START, None).unwrap();
    assert_eq!(resolved.manifest, manifest("1", 1));
    assert_eq!(resolved.manifest.encode().unwrap(), resolved.manifest_bytes);
    assert_eq!(resolved.channel, Some(channel("1", 1)));
    assert!(resolved.fresh && resolved.rollback.is_none());

    world.studio.publish("2", 2, START);
    assert_eq!(world.update(START, Some(1)).unwrap().manifest.sequence, 2);
    let mut client = world.client();
    assert_eq!(
        now(client.resolve_release(&game(), &version("1"))).unwrap_err().code(),
        "E-TRUST-NOT-REFRESHED"
    );
    now(client.refresh(START, Freshness::Required)).unwrap();
    assert_eq!(client.games(), [game()]);
    assert_eq!(client.expires(), Some(START.plus_days(7)));
    assert_eq!(now(client.resolve_release(&game(), &version("1"))).unwrap().manifest.sequence, 1);
    for missing in [
        now(client.resolve_release(&game(), &version("9"))).unwrap_err(),
        now(client.resolve_release(&GameId::parse("nobody").unwrap(), &version("1"))).unwrap_err(),
        now(client.resolve_channel(&game(), &crate::release::ChannelName::parse("beta").unwrap(), None))
            .unwrap_err(),
        now(client.target("games/freeciv/releases/deep/er.manifest", None)).unwrap_err(),
    ] {
        assert_eq!(missing.code(), "E-TRUST-NOT-FOUND", "{missing}");
    }
    let target = manifest_target(&game(), &version("1"));
    let bytes = now(client.target(&target, None)).unwrap();
    world.network.asked();
    assert_eq!(now(client.target(&target, Some(bytes.clone()))).unwrap(), bytes);
    assert!(world.network.asked().is_empty(), "a good local copy is not fetched");
    assert_eq!(now(client.target(&target, Some(b"other".to_vec()))).unwrap(), bytes);
}

#[test]
fn what_there_is_is_listed_newest_first() {
    let mut world = World::new();
    world.studio.publish("2", 2, START);
    let mut client = world.client();
    assert_eq!(now(client.listing(&game())).unwrap_err().code(), "E-TRUST-NOT-REFRESHED");
    now(client.refresh(START, Freshness::Required)).unwrap();
    world.network.asked();
    let listing = now(client.listing(&game())).unwrap();
    let releases: Vec<_> =
        listing.releases.iter().map(|one| (one.version.as_str().to_owned(), one.sequence)).collect();
    assert_eq!(releases, [("2".to_owned(), 2), ("1".to_owned(), 1)]);
    assert!(listing.releases.iter().all(|one| one.manifest_bytes > 0));
    assert_eq!(listing.channels, [stable()]);
    assert!(world.network.asked().iter().all(|file| file.starts_with("metadata/")), "no manifest is fetched");
    let nobody = GameId::parse("nobody").unwrap();
    assert_eq!(now(client.listing(&nobody)).unwrap_err().code(), "E-TRUST-NOT-FOUND");
    // What a stolen server signs is no release.
    let target = manifest_target(&game(), &version("3"));
    world.studio.repo.sign_online(&target, manifest("3", 3).encode().unwrap(), START).unwrap();
    let mut client = world.client();
    now(client.refresh(START, Freshness::Required)).unwrap();
    assert_eq!(now(client.listing(&game())).unwrap().releases.len(), 2);
}

#[test]
fn a_pack_list_is_followed_and_never_goes_back() {
    let mut world = World::new();
    world.studio.publish("2", 2, START);
    let ask = |world: &World, text: &str| {
        let mut client = world.client();
        now(client.refresh(START, Freshness::Required))?;
        now(client.pack_list(&game(), &version(text)))
    };
    assert_eq!(ask(&world, "2").unwrap(), None);
    world.studio.repo.set_packs(&mut world.studio.offline, &packs_of_2(1), START).unwrap();
    assert_eq!(ask(&world, "2").unwrap(), Some(packs_of_2(1)));
    world.network.asked();
    let old = tempfile::tempdir().unwrap();
    copy_tree(&world.studio.repo.paths().public, old.path());
    world.studio.repo.set_packs(&mut world.studio.offline, &packs_of_2(2), START).unwrap();
    assert_eq!(ask(&world, "2").unwrap(), Some(packs_of_2(2)));
    assert_eq!(ask(&world, "9").unwrap(), None, "no packs, as far as the studio signed");

    // The list in other bytes, the list of before under the new one's name, and the whole old repository.
    let file = world.network.asked().into_iter().rfind(|file| file.ends_with(".packs")).unwrap();
    for bytes in [packs_of_2(1).encode().unwrap(), b"{}".to_vec(), Vec::new()] {
        world.network.harm(&file, Harm::Bytes(bytes));
        let code = ask(&world, "2").unwrap_err().code();
        assert!(matches!(code, "E-TRUST-TAMPERED" | "E-TRUST-TRUNCATED" | "E-TRUST-TOO-LARGE"), "{code}");
    }
    world.network.heal();
    let replay = World { network: Network::new(old.path()), ..world };
    assert_eq!(ask(&replay, "2").unwrap_err().code(), "E-TRUST-ROLLBACK");
}

#[test]
fn a_stolen_server_signs_no_packs() {
    let mut world = World::new();
    world.studio.publish("2", 2, START);
    let target = crate::release::packs_target(&game(), &version("2"));
    world.studio.repo.sign_online(&target, packs_of_2(1).encode().unwrap(), START).unwrap();
    let mut client = world.client();
    now(client.refresh(START, Freshness::Required)).unwrap();
    assert_eq!(now(client.pack_list(&game(), &version("2"))).unwrap(), None, "its role has no say there");
    let nobody = GameId::parse("nobody").unwrap();
    assert_eq!(now(client.pack_list(&nobody, &version("2"))).unwrap_err().code(), "E-TRUST-NOT-FOUND");
}

#[test]
fn every_file_harmed_in_every_way() {
    let world = World::new();
    world.update(START, None).unwrap();
    let files: Vec<String> = world.network.asked();
    for file in files.iter().filter(|file| !file.ends_with("2.root.json")) {
        let not_json = &["E-TRUST-MALFORMED", "E-TRUST-TAMPERED", "E-TRUST-TOO-LARGE"][..];
        for (harm, codes) in [
            (Harm::Gone, &["E-TRUST-MISSING"][..]),
            (Harm::Bytes(Vec::new()), &["E-TRUST-TRUNCATED", "E-TRUST-TAMPERED"]),
            (Harm::Cut(40), &["E-TRUST-TRUNCATED", "E-TRUST-TAMPERED"]),
            (Harm::Endless, &["E-TRUST-TOO-LARGE"]),
            (Harm::Bytes(vec![b'['; 50 << 20]), &["E-TRUST-TOO-LARGE"]),
            (Harm::Error, &["E-TRUST-TRANSPORT"]),
            (Harm::Bytes(b"<html>404</html>".to_vec()), not_json),
            (Harm::Bytes(vec![b'['; 16_000]), not_json),
        ] {
            world.network.harm(file, harm);
            // A player who has seen this repository, and one who has not.
            for (result, seen) in [(world.first_update(), false), (world.update(START, None), true)] {
                // What is known and unchanged is not fetched again.
                let kept = seen && (file.ends_with("snapshot.json") || file.ends_with(".targets.json"));
                match result {
                    Ok(_) => assert!(kept, "{file} was believed"),
                    Err(error) => assert!(codes.contains(&error.code()), "{file}: {error}"),
                }
            }
            world.network.heal();
        }
    }
    world.update(START, None).unwrap();
}

#[test]
fn a_flipped_bit_anywhere() {
    let world = World::new();
    world.update(START, None).unwrap();
    for file in world.network.asked().iter().filter(|file| !file.ends_with("2.root.json")) {
        let len = now(world.network.folder.fetch(file, 1 << 20)).unwrap().unwrap().len();
        for at in (0..len).step_by(29) {
            world.network.harm(file, Harm::Flip(at));
            assert!(world.first_update().is_err(), "{file}: bit in byte {at}");
        }
        world.network.heal();
    }
}

#[test]
fn the_wrong_root() {
    let world = World::new();
    let other = Studio::new();
    let root = other.offline.pinned_root().unwrap();
    let mut client = Client::open(root, world.state.path(), world.network.clone()).unwrap();
    assert_eq!(now(client.refresh(START, Freshness::Required)).unwrap_err().code(), "E-TRUST-TAMPERED");
    let mut flipped = root.to_vec();
    let at = flipped.windows(7).position(|window| window == b"version").unwrap() + 9;
    flipped[at] = b'7';
    for bad in [&b"{}"[..], b"", b"\xff", &flipped, &vec![b' '; 1 << 20]] {
        let error = Client::open(bad, world.state.path(), world.network.clone()).unwrap_err();
        assert!(matches!(error.code(), "E-TRUST-ROOT" | "E-TRUST-TOO-LARGE"), "{error}");
    }
    // A next root that the pinned one did not sign.
    world.network.harm("metadata/2.root.json", Harm::Bytes(root.to_vec()));
    assert_eq!(world.code(START, None), "E-TRUST-ROOT");
}

#[test]
fn old_metadata_replayed() {
    let mut world = World::new();
    let old = tempfile::tempdir().unwrap();
    copy_tree(&world.studio.repo.paths().public, old.path());
    world.update(START, None).unwrap();
    world.studio.publish("2", 2, START);
    assert_eq!(world.update(START, Some(1)).unwrap().manifest.sequence, 2);
    // The old world, whole: every signature is good.
    let replay = World { network: Network::new(old.path()), ..world };
    assert_eq!(replay.code(START, Some(2)), "E-TRUST-ROLLBACK");
    assert_eq!(replay.code(START, None), "E-TRUST-ROLLBACK");
}

#[test]
fn one_file_of_another_time() {
    let mut world = World::new();
    let old = tempfile::tempdir().unwrap();
    copy_tree(&world.studio.repo.paths().public, old.path());
    world.studio.publish("2", 2, START);
    world.update(START, None).unwrap();
    let channels =
        world.network.asked().into_iter().find(|file| file.contains("freeciv.channels.json")).unwrap();
    let older = std::fs::read(old.path().join("metadata/2.freeciv.channels.json")).unwrap();
    for (file, bytes) in [
        (channels.as_str(), older),
        ("metadata/timestamp.json", std::fs::read(old.path().join("metadata/timestamp.json")).unwrap()),
    ] {
        world.network.harm(file, Harm::Bytes(bytes));
        assert!(matches!(world.code(START, None), "E-TRUST-TAMPERED" | "E-TRUST-ROLLBACK"), "{file}");
        world.network.heal();
    }
}

#[test]
fn frozen_and_the_clock() {
    let world = World::new();
    world.update(START, None).unwrap();
    assert_eq!(world.code(START.plus_days(6), None), "ok");
    assert_eq!(world.code(START.plus_days(8), None), "E-TRUST-EXPIRED");
    // The clock goes back: what was seen to be over stays over.
    assert_eq!(world.code(START.plus_days(3), None), "E-TRUST-EXPIRED");
    // Fresh metadata ends it.
    let mut repo = Repository::open(world.studio.repo.paths().clone()).unwrap();
    repo.refresh(START.plus_days(8)).unwrap();
    assert_eq!(world.code(START.plus_days(8), None), "ok");
    // A clock years behind: the time is taken from the metadata.
    assert_eq!(world.code(UnixTime(0), None), "ok");
}

#[test]
fn a_clock_far_ahead_does_no_lasting_harm() {
    let world = World::new();
    world.update(START, None).unwrap();
    assert_eq!(world.code(START.plus_days(20 * 365), None), "E-TRUST-EXPIRED");
    assert_eq!(world.code(START, None), "ok");
}

#[test]
fn a_new_root_undoes_a_fast_forward() {
    let mut world = World::new();
    world.update(START, None).unwrap();
    // A thief signs far in the future: every other role is long over by then, and no later version will do.
    let far = START.plus_days(50 * 365);
    world.studio.repo.refresh(far).unwrap();
    assert_eq!(world.code(START, None), "E-TRUST-EXPIRED");
    assert_eq!(world.code(START, None), "E-TRUST-EXPIRED");
    let stolen = world.read("timestamp.json");
    let offline = world.studio.offline.clone();
    world.studio.repo.replace_timestamp_key(&offline, START);
    assert_eq!(world.code(START, None), "ok");
    // The thief's key is worth nothing now, nor is anything it signed.
    world.network.harm("metadata/timestamp.json", Harm::Bytes(stolen));
    assert_eq!(world.code(START, None), "E-TRUST-TAMPERED");
}

#[test]
fn a_later_signature_tells_the_time() {
    let options = crate::trust::publisher::InitOptions::default();
    let lifetimes = crate::trust::publisher::Lifetimes { releases_days: 10, ..options.lifetimes };
    let mut world = World::new();
    let repo = Repository::open(world.studio.repo.paths().clone()).unwrap();
    world.studio.repo = repo.with_lifetimes(lifetimes);
    world.studio.publish("2", 2, START);
    world.studio.repo.refresh(START.plus_days(20)).unwrap();
    // The release role ended on day 10; the clock says day 0, the timestamp knows it is day 20.
    assert_eq!(world.code(START, None), "E-TRUST-EXPIRED");
}

#[test]
fn expired_metadata_by_choice_never_lowers() {
    let mut world = World::new();
    world.studio.publish("2", 2, START);
    let late = START.plus_days(30);
    let by_choice = |installed| {
        let mut client = world.client();
        now(client.refresh(late, Freshness::ExpiredAccepted))?;
        now(client.resolve_channel(&game(), &stable(), installed))
    };
    assert_eq!(world.code(late, Some(1)), "E-TRUST-EXPIRED");
    let resolved = by_choice(Some(1)).unwrap();
    assert!(!resolved.fresh && resolved.manifest.sequence == 2);
    assert_eq!(by_choice(Some(3)).unwrap_err().code(), "E-TRUST-DOWNGRADE");
    // Even with a statement: it may itself be long withdrawn.
    go_back(&mut world, 2, 1);
    let mut client = world.client();
    now(client.refresh(late, Freshness::ExpiredAccepted)).unwrap();
    let error = now(client.resolve_channel(&game(), &stable(), Some(2))).unwrap_err();
    assert_eq!(error.code(), "E-TRUST-DOWNGRADE");
    // Versions still count.
    world.network.harm("metadata/timestamp.json", Harm::Bytes(b"{}".to_vec()));
    let mut client = world.client();
    assert!(now(client.refresh(late, Freshness::ExpiredAccepted)).is_err());
}

#[test]
fn who_signs_is_told() {
    let world = World::new();
    let mut client = world.client();
    assert_eq!(client.signers(&game()), None, "nothing is known yet");
    now(client.refresh(START, Freshness::Required)).unwrap();
    let signers = client.signers(&game()).unwrap();
    assert_eq!((signers.threshold, signers.root_version), (1, 1));
    let [key] = &signers.keys[..] else { panic!("{signers:?}") };
    // It is the one whose signature the list of releases has.
    let metadata = world.studio.repo.paths().public.join("metadata");
    let files = std::fs::read_dir(metadata).unwrap().map(|file| file.unwrap().path());
    let list = files.into_iter().find(|path| path.to_string_lossy().ends_with(".releases.json")).unwrap();
    let list: serde_json::Value = serde_json::from_slice(&std::fs::read(list).unwrap()).unwrap();
    assert_eq!(list["signatures"][0]["keyid"].as_str(), Some(key.as_str()));
    assert_eq!(client.signers(&GameId::parse("other").unwrap()), None);
}

fn go_back(world: &mut World, from: u64, to: u64) {
    let release = version(&to.to_string());
    let statement = RollbackDoc {
        schema: SCHEMA,
        game: game(),
        channel: stable(),
        from,
        to,
        release: release.clone(),
        reason: String::new(),
    };
    world.studio.repo.set_rollback(&mut world.studio.offline, &statement, START).unwrap();
    world.studio.repo.set_channel(&ChannelDoc::new(game(), stable(), release, to), START).unwrap();
}

#[test]
fn a_signed_rollback_moves_only_whom_it_names() {
    let mut world = World::new();
    world.studio.publish("2", 2, START);
    go_back(&mut world, 2, 1);
    let resolved = world.update(START, Some(2)).unwrap();
    assert_eq!(resolved.manifest.sequence, 1);
    assert_eq!(resolved.rollback.unwrap().from, 2);
    assert_eq!(world.update(START, Some(1)).unwrap().rollback, None);
    // Somebody on sequence 3 (another channel's) is not moved by it.
    assert_eq!(world.code(START, Some(3)), "E-TRUST-DOWNGRADE");
}

/// Whoever owns the server holds its keys and signs what the publisher would refuse to.
fn stolen(world: &mut World, doc: &ChannelDoc) {
    world.studio.repo.set_channel_unchecked(doc, START).unwrap();
}

#[test]
fn a_stolen_server_points_a_channel() {
    let mut world = World::new();
    world.studio.publish("2", 2, START);
    let beta = crate::release::ChannelName::parse("beta").unwrap();
    let beta_only =
        crate::release::ReleaseManifest { allowed_channels: [beta.clone()].into(), ..manifest("3", 3) };
    world.studio.repo.add_release(&mut world.studio.offline, &beta_only, START).unwrap();
    for (doc, installed, code) in [
        (channel("3", 3), None, "E-TRUST-CHANNEL"),
        (channel("9", 9), None, "E-TRUST-CHANNEL"),
        (channel("2", 9), None, "E-TRUST-CHANNEL"),
        (channel("1", 2), Some(2), "E-TRUST-CHANNEL"),
        (channel("1", 1), Some(2), "E-TRUST-DOWNGRADE"),
        (channel("1", 1), None, "ok"),
    ] {
        stolen(&mut world, &doc);
        assert_eq!(world.code(START, installed), code, "{doc:?}");
    }
    // With a floor, not even new installs get the old release.
    let floor = FloorDoc { schema: SCHEMA, game: game(), channel: stable(), sequence: 2 };
    world.studio.repo.set_floor(&mut world.studio.offline, &floor, START).unwrap();
    assert_eq!(world.code(START, None), "E-TRUST-FLOOR");
    // A document for another channel under this one's name.
    let disguised = ChannelDoc { channel: beta, ..channel("3", 3) };
    let target = channel_target(&game(), &stable());
    world.studio.repo.sign_online(&target, disguised.encode().unwrap(), START).unwrap();
    assert_eq!(world.code(START, None), "E-TRUST-CHANNEL");
    world.studio.repo.sign_online(&target, b"{\"schema\": 9}".to_vec(), START).unwrap();
    assert_eq!(world.code(START, None), "E-DOC-NEWER");
    // A manifest of its own making, listed under the channels role: the path is not delegated to it.
    let target = manifest_target(&game(), &version("66"));
    world.studio.repo.sign_online(&target, manifest("66", 66).encode().unwrap(), START).unwrap();
    stolen(&mut world, &channel("66", 66));
    assert_eq!(world.code(START, None), "E-TRUST-CHANNEL");
}

#[test]
fn power_cut_while_the_state_is_written() {
    for steps in 0..100 {
        let mut world = World::new();
        world.update(START, None).unwrap();
        world.studio.publish("2", 2, START);
        let mut client = world.client();
        *client.state.disk.steps_left.lock().unwrap() = Some(steps);
        let result = now(client.refresh(START, Freshness::Required))
            .and_then(|()| now(client.resolve_channel(&game(), &stable(), None)));
        if let Err(error) = &result {
            assert_eq!(error.code(), "E-TRUST-STATE", "cut after {steps}");
        }
        // Started again, the client goes on, and an old repository is still an old repository.
        assert_eq!(world.update(START, None).unwrap().manifest.sequence, 2);
        if result.is_ok() {
            assert!(steps >= 6, "at least two files were written");
            return;
        }
    }
    panic!("never got through");
}

#[test]
fn a_snapshot_cannot_fall_back_after_a_crash() {
    let mut world = World::new();
    world.studio.publish("2", 2, START);
    world.update(START, None).unwrap();
    // The state as a crash leaves it: the timestamp is newer than the snapshot.
    world.studio.repo.refresh(START.plus_days(40)).unwrap();
    let late = START.plus_days(40);
    std::fs::write(world.state.path().join("timestamp.json"), world.read("timestamp.json")).unwrap();
    // Somebody with the online keys drops the release role back to its first version.
    world.studio.repo.set_back_in_snapshot("freeciv.releases", late).unwrap();
    assert_eq!(world.code(late, None), "E-TRUST-ROLLBACK");
    assert_eq!(world.code(late, None), "E-TRUST-ROLLBACK", "nor the second time");
}

#[test]
fn a_state_that_cannot_be_read_is_not_an_empty_one() {
    let world = World::new();
    world.update(START, None).unwrap();
    let timestamp = world.state.path().join("timestamp.json");
    std::fs::remove_file(&timestamp).unwrap();
    std::fs::create_dir(&timestamp).unwrap();
    assert_eq!(world.code(START, None), "E-TRUST-STATE");
    // Damaged state is not believed, and replaced.
    std::fs::remove_dir(&timestamp).unwrap();
    std::fs::write(&timestamp, b"{\"signed\": 3").unwrap();
    assert_eq!(world.code(START, None), "ok");
}
