//! Real kills: the launcher is ended with SIGKILL in the middle of updates that exercise every operation and of the ways
//! back from them, at random moments and in every phase, and again while it recovers. Whatever lies in the folder after
//! the next start is one whole release and the player's own files.
//!
//! `SAMARA_SEED` repeats a run's choices (the moments themselves are the machine's); `SAMARA_KILLS` sets how many kills.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test: it fails where something is not as it should be, makes files and looks at the clock"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use rand::{Rng as _, RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use samara_tests::fixtures::{GameSize, generate_release};
use samara_tests::support::{Install, Outcome, Player, Program, Studio};
use sha2::{Digest as _, Sha256};

const KILLS: usize = 100;
const SIGKILL: i32 = 9;
/// Most kills of one update or rollback before it is let through.
const KILLS_A_ROUND: usize = 14;
/// Length of the large file, in bytes, and how many places of it change.
const LARGE: usize = 24 << 20;
const PLACES: usize = 25;
const PHASES: [&str; 5] = ["recovering", "checking", "scanning", "downloading", "applying"];
const JOURNALS: [&str; 3] = ["journal.patch", "journal.clear", "journal.place"];

/// Where the launcher is killed.
#[derive(Debug, Clone, Copy)]
enum Moment {
    /// So long after it said that it entered a phase.
    Phase(&'static str, Duration),
    /// So long after this state of the journal was seen on the disk.
    Journal(&'static str, Duration),
    /// So long after its start.
    Time(Duration),
}

impl Moment {
    fn random(rng: &mut ChaCha8Rng, whole: Duration) -> Self {
        let mut within = |longest: Duration| longest.mul_f64(rng.random::<f64>());
        // Drawn whatever is chosen, so that a seed means the same for every mixture.
        let (later, soon) = (within(Duration::from_millis(30)), within(Duration::from_millis(4)));
        let whole = within(whole);
        match rng.random_range(0..10) {
            0..=3 => Self::Phase(PHASES[rng.random_range(0..PHASES.len())], later),
            4..=6 => Self::Journal(JOURNALS[rng.random_range(0..JOURNALS.len())], soon),
            _ => Self::Time(whole),
        }
    }

    fn name(self) -> String {
        match self {
            Self::Phase(name, _) | Self::Journal(name, _) => name.to_owned(),
            Self::Time(_) => "any time".to_owned(),
        }
    }
}

/// What lies at a path, by content.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Thing {
    Folder,
    Link(String),
    File { sha256: [u8; 32], executable: bool },
}

type Tree = BTreeMap<String, Thing>;

fn read(root: &Path) -> Tree {
    let entries = walkdir::WalkDir::new(root).min_depth(1).into_iter();
    let own = |entry: &walkdir::DirEntry| entry.depth() != 1 || entry.file_name() != ".samara";
    let things = entries.filter_entry(own).map(|entry| {
        let entry = entry.unwrap();
        let path = entry.path().strip_prefix(root).unwrap().to_str().unwrap().to_owned();
        let kind = entry.file_type();
        let thing = if kind.is_dir() {
            Thing::Folder
        } else if kind.is_symlink() {
            Thing::Link(fs::read_link(entry.path()).unwrap().to_str().unwrap().to_owned())
        } else {
            let executable = entry.metadata().unwrap().permissions().mode() & 0o111 != 0;
            Thing::File { sha256: Sha256::digest(fs::read(entry.path()).unwrap()).into(), executable }
        };
        (path, thing)
    });
    things.collect()
}

/// The generated game's two releases in turn, with what else an update can bring: a large file with scattered changes,
/// files that swap names, links, executable bits, a file where a folder was; and in each something that was never there
/// before, so that no undo data makes the network needless.
fn build(root: &Path, release: u64) {
    let second = release % 2 == 1;
    generate_release(root, GameSize::Small, if second { 2 } else { 1 }).unwrap();
    let mut large = vec![0; LARGE];
    ChaCha8Rng::seed_from_u64(0).fill_bytes(&mut large);
    let mut rng = ChaCha8Rng::seed_from_u64(release + 1);
    for _ in 0..PLACES {
        let at = rng.random_range(0..LARGE - 10);
        rng.fill_bytes(&mut large[at..at + 10]);
    }
    let mut fresh = vec![0; 400_000];
    rng.fill_bytes(&mut fresh);
    let put = |path: &str, bytes: &[u8], mode: u32| {
        let at = root.join(path);
        fs::create_dir_all(at.parent().unwrap()).unwrap();
        fs::write(&at, bytes).unwrap();
        fs::set_permissions(&at, fs::Permissions::from_mode(mode)).unwrap();
    };
    put("data/large.pak", &large, 0o644);
    put("data/fresh.bin", &fresh[..300_000], 0o644);
    put(&format!("fresh/{release}.bin"), &fresh[300_000..], 0o644);
    let (north, south) = (vec![b'n'; 60_000], vec![b's'; 60_000]);
    put("swap/one", if second { &south } else { &north }, 0o644);
    put("swap/two", if second { &north } else { &south }, 0o644);
    put("bin/tool", b"#!/bin/sh\nexit 0\n", if second { 0o755 } else { 0o644 });
    put("bin/other", b"#!/bin/sh\nexit 1\n", if second { 0o644 } else { 0o755 });
    put(if second { "place" } else { "place/in-a-folder" }, b"a file and a folder change places", 0o644);
    put(if second { "place-two/deep/in" } else { "place-two" }, b"and the other way round", 0o644);
    put("copies/first", &vec![b'c'; 200_000], 0o644);
    if second {
        put("copies/second", &vec![b'c'; 200_000], 0o644);
        put("new/twice-a", &vec![b't'; 100_000], 0o644);
        put("new/twice-b", &vec![b't'; 100_000], 0o644);
        symlink("../swap/one", root.join("new/link")).unwrap();
    }
    symlink(if second { "new/twice-a" } else { "swap/one" }, root.join("latest")).unwrap();
    match second {
        true => symlink("run.sh", root.join("start")).unwrap(),
        false => put("start", b"a file that becomes a link", 0o755),
    }
}

/// One install that is updated and killed.
struct World {
    studio: Studio,
    player: Player,
    /// The player's own files: in a folder of theirs, and in those that come and go with releases.
    own: Tree,
    rng: ChaCha8Rng,
    /// How long each takes when nothing disturbs it.
    whole: BTreeMap<Verb, Duration>,
    kills: BTreeMap<String, usize>,
}

impl World {
    fn new(rng: ChaCha8Rng) -> Self {
        let studio = Studio::new("maple");
        let player = studio.player("player");
        Self { studio, player, own: Tree::new(), rng, whole: BTreeMap::new(), kills: BTreeMap::new() }
    }

    fn count(&self) -> usize {
        self.kills.values().sum()
    }

    /// Writes files of the player's.
    fn play(&mut self) {
        for path in ["saves/one.sav", "data/levels/mine.lvl", "scripts/act-7/mine.txt"] {
            let at = self.player.dir.join(path);
            fs::create_dir_all(at.parent().unwrap()).unwrap();
            fs::write(&at, format!("{path}: {}", self.rng.random::<u64>())).unwrap();
        }
        let here = read(&self.player.dir);
        let own = here.into_iter().filter(|(path, thing)| *thing != Thing::Folder && is_own(path));
        self.own = own.collect();
        assert_eq!(self.own.len(), 3);
    }

    /// Makes and publishes a release; the tree it should become, with the player's files in it.
    fn publish(&self, release: u64) -> Tree {
        let root = self.studio.scratch(&format!("build-{release}"));
        build(&root, release);
        self.studio.publish_plain(&root, &format!("1.{release}"));
        let mut tree = read(&root);
        fs::remove_dir_all(&root).unwrap();
        tree.extend(self.own.clone());
        let folders: BTreeSet<String> = tree
            .keys()
            .flat_map(|path| path.match_indices('/').map(|(end, _)| path[..end].to_owned()))
            .collect();
        tree.extend(folders.into_iter().map(|path| (path, Thing::Folder)));
        tree
    }

    /// Starts a command, kills it at a moment, and looks at what the next start makes of it. Whether the new tree is
    /// there, and whether it was killed at all.
    fn kill_once(&mut self, verb: Verb, old: &Tree, new: &Tree) -> (bool, bool) {
        let whole = self.whole.get(&verb).copied().unwrap_or(Duration::from_secs(1));
        let moment = Moment::random(&mut self.rng, whole);
        let killed = kill_at(start(&self.player, verb), moment, &self.player.dir);
        if killed {
            *self.kills.entry(format!("{verb:?}, {}", moment.name())).or_default() += 1;
        }
        // Now and then the start that recovers is killed, too.
        if killed && self.rng.random_bool(0.2) {
            let during = Moment::Time(Duration::from_millis(60).mul_f64(self.rng.random::<f64>()));
            if kill_at(start(&self.player, Verb::Look), during, &self.player.dir) {
                *self.kills.entry("recovery".to_owned()).or_default() += 1;
            }
        }
        let looked = start(&self.player, Verb::Look).finish();
        assert_eq!(looked.ok()["intact"], true, "{moment:?}: {looked}");
        let here = read(&self.player.dir);
        let is_new = here == *new;
        assert!(
            is_new || here == *old,
            "{verb:?} after a kill at {moment:?}: {}",
            differences(&here, old, new)
        );
        (is_new, killed)
    }

    /// From `old` to `new`, killed on the way as often as chosen.
    fn round(&mut self, verb: Verb, old: &Tree, new: &Tree) {
        for _ in 0..self.rng.random_range(KILLS_A_ROUND / 2..=KILLS_A_ROUND) {
            if self.kill_once(verb, old, new).0 {
                // Once more, a rollback would go back further; an update finds nothing to do.
                if verb == Verb::Update {
                    assert_eq!(Install::of(start(&self.player, verb).finish().ok()).network(), 0);
                    assert!(read(&self.player.dir) == *new);
                }
                return;
            }
        }
        let begun = Instant::now();
        let done = start(&self.player, verb).finish();
        let _ = done.ok();
        assert!(read(&self.player.dir) == *new, "{done}");
        let whole = self.whole.entry(verb).or_insert(Duration::MAX);
        *whole = begun.elapsed().max(Duration::from_millis(300)).min(*whole);
    }
}

/// What the launcher is asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Verb {
    Update,
    Rollback,
    Look,
}

fn start(player: &Player, verb: Verb) -> Program {
    match verb {
        Verb::Update => player.start_update(&["--no-peers"]),
        Verb::Rollback => player.start_rollback(&[]),
        Verb::Look => player.start_verify(&["--quick"]),
    }
}

fn is_own(path: &str) -> bool {
    path.starts_with("saves/") || path.contains("/mine.")
}

/// Kills the program at the moment; false when it had ended by then.
fn kill_at(mut program: Program, moment: Moment, dir: &Path) -> bool {
    let wait = match moment {
        Moment::Time(after) => after,
        Moment::Phase(phase, after) => {
            while let Some(event) = program.next_event() {
                if event["phase"] == phase {
                    break;
                }
            }
            after
        }
        Moment::Journal(name, after) => {
            let journal = dir.join(".samara").join(name);
            // The state lasts some milliseconds: it is looked for without a rest, until the program has ended.
            while !journal.exists() && !matches!(program.next_until(Instant::now()), Ok(None)) {}
            after
        }
    };
    let end = Instant::now() + wait;
    while let Ok(Some(_)) = program.next_until(end) {}
    was_killed(&program.kill())
}

fn was_killed(outcome: &Outcome) -> bool {
    match outcome.status.signal() {
        Some(signal) => signal == SIGKILL,
        None => {
            assert!(outcome.status.success(), "{outcome}");
            false
        }
    }
}

/// The first paths that are neither the old tree's nor the new one's, or mixed.
fn differences(here: &Tree, old: &Tree, new: &Tree) -> String {
    let paths: BTreeSet<&String> = here.keys().chain(old.keys()).chain(new.keys()).collect();
    let is = |tree: &Tree, path: &String| tree.get(path) == here.get(path);
    let odd: Vec<_> = paths
        .into_iter()
        .filter(|path| old.get(*path) != new.get(*path) || !is(old, path))
        .map(|path| format!("{path}: old {}, new {}", is(old, path), is(new, path)))
        .collect();
    format!("{} paths, such as {:#?}", odd.len(), &odd[..odd.len().min(30)])
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

#[test]
fn an_update_or_rollback_killed_anywhere_leaves_one_release_and_the_players_files() {
    let seed = number("SAMARA_SEED").unwrap_or_else(|| rand::rng().random());
    let wanted = number("SAMARA_KILLS").map_or(KILLS, |kills| usize::try_from(kills).unwrap());
    println!("SAMARA_SEED={seed}");
    let mut world = World::new(ChaCha8Rng::seed_from_u64(seed));
    world.publish(0);
    let mut seedbox = world.studio.serve();
    let _ = world.player.install(&["--no-peers"]).ok();
    let mut release = 0;
    while world.count() < wanted {
        release += 1;
        world.play();
        let old = read(&world.player.dir);
        let new = world.publish(release);
        world.round(Verb::Update, &old, &new);
        if release % 2 == 0 {
            continue;
        }
        // Back with nobody there to ask, and forward for nothing.
        let _ = seedbox.stop();
        world.round(Verb::Rollback, &new, &old);
        seedbox = world.studio.serve();
        assert_eq!(Install::of(world.player.update(&["--no-peers"]).ok()).network(), 0);
        assert!(read(&world.player.dir) == new);
    }
    assert_eq!(world.player.verify(&[]).ok()["intact"], true);
    println!(
        "{} kills in {release} updates and rollbacks, none broke the game: {:?}",
        world.count(),
        world.kills
    );
}
