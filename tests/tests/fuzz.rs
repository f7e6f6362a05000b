//! Everything that reads bytes from outside, on inputs that are nearly valid: no panic, no more memory than stated.
//!
//! The inputs are the same in every run; `SAMARA_FUZZ_SEED` and `SAMARA_FUZZ_ROUNDS` (times as many) give others.
#![allow(
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test: it fails where something is not as it should be"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};

use samara_tests::fuzz::{Mutator, TARGETS, Target};

thread_local! {
    /// Bytes this thread holds, and the most it held since somebody asked.
    static HELD: Cell<(isize, isize)> = const { Cell::new((0, 0)) };
    /// The last panic of this thread.
    static LAST: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Counts what each thread holds.
struct Counting;

fn count(bytes: isize) {
    // A thread that ends has no count any more.
    let _ = HELD.try_with(|held| {
        let (now, most) = held.get();
        let now = now + bytes;
        held.set((now, most.max(now)));
    });
}

#[allow(unsafe_code, reason = "an allocator is unsafe to write; this one only counts and hands on")]
// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size as isize - layout.size() as isize);
        unsafe { System.realloc(at, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Most bytes held while `work` ran, beyond those held before.
fn most_held<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = HELD.with(|held| {
        let (now, _) = held.get();
        held.set((now, now));
        now
    });
    let done = work();
    (done, HELD.with(|held| held.get().1 - before).try_into().unwrap_or(0))
}

fn setting(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

/// What inputs came to.
#[derive(Default)]
struct Tally {
    /// Inputs that were read.
    read: u64,
    /// Most bytes held.
    held: usize,
}

/// Runs one input. A failure prints it, so that it can be kept as a seed.
fn run(target: &Target, input: &[u8], what: &str, tally: &mut Tally) {
    // What is caught is not told, for telling it takes more memory than anything here.
    std::panic::set_hook(Box::new(|info| LAST.set(info.to_string())));
    let result = catch_unwind(AssertUnwindSafe(|| most_held(|| (target.run)(input))));
    let _ = std::panic::take_hook();
    let shown = || {
        let hex: String = input.iter().take(4000).map(|byte| format!("{byte:02x}")).collect();
        format!("{what} of {} ({} bytes): {hex}", target.name, input.len())
    };
    let Ok((read, held)) = result else { panic!("{} with {}", LAST.take(), shown()) };
    assert!(held <= target.memory, "it holds {held} bytes of {} with {}", target.memory, shown());
    tally.read += u64::from(read);
    tally.held = tally.held.max(held);
}

fn fuzz(name: &str) {
    let target = TARGETS.iter().find(|target| target.name == name);
    let target = target.unwrap_or_else(|| panic!("there is no target {name}"));
    let seeds = (target.seeds)();
    assert!(!seeds.is_empty(), "{name} has nothing to start from");
    // What a target keeps for later is not counted against an input.
    assert!(seeds.iter().filter(|seed| (target.run)(seed)).count() > 0, "{name} reads none of its seeds");
    let mut tally = Tally::default();
    seeds.iter().for_each(|seed| run(target, seed, "a seed", &mut tally));
    println!("{name}: {} of {} seeds are read", tally.read, seeds.len());
    run(target, &[], "nothing", &mut tally);
    let seed = setting("SAMARA_FUZZ_SEED", 20_261_122);
    let rounds = u64::from(target.rounds) * setting("SAMARA_FUZZ_ROUNDS", 1);
    println!("{name}: seed {seed}, {rounds} rounds");
    tally.read = 0;
    let mut mutator = Mutator::new(seed);
    for round in 0..rounds {
        let input = mutator.next(&seeds);
        run(target, &input, &format!("round {round} of seed {seed}"), &mut tally);
    }
    println!("{name}: {} inputs are read, at most {} bytes held", tally.read, tally.held);
}

/// One test a target, so that they run side by side.
macro_rules! fuzzed {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            fuzz(stringify!($name));
        })*

        #[test]
        fn every_target_is_here() {
            let here = [$(stringify!($name)),*];
            assert_eq!(here.to_vec(), TARGETS.iter().map(|target| target.name).collect::<Vec<_>>());
            let programs = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/fuzz_targets");
            for name in here {
                assert!(programs.join(format!("{name}.rs")).is_file(), "cargo fuzz has no {name}");
            }
        }
    };
}

fuzzed! {
    bencode torrent handshake messages extensions metadata hash_proof tracker_reply tracker_request web_seed_reply
    swarm_peer names manifest pack_list documents beside_blobs trust pack_index pack_file frame closed_frame
    base_stream filters pack_made install_state journal
}
