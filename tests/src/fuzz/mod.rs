//! What reads bytes from outside, as functions of those bytes: each must end without a panic, within its memory, whatever
//! it is given, and may only answer what it could write itself.
//!
//! `tests/tests/fuzz.rs` runs all of them on mutated seeds with every build; `tests/fuzz` is the same for `cargo fuzz`.
#![allow(clippy::panic, reason = "a panic is how a target says that something is not as it should be")]

mod mutate;
mod samples;
pub mod wire;
pub mod swarm;
pub mod release;
pub mod trust;
pub mod packs;
pub mod install;

pub use mutate::Mutator;

/// Something that reads bytes from outside.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// The name, which is also that of the program in `tests/fuzz`.
    pub name: &'static str,
    /// Reads, and says whether it could; panics where what came out is not sound.
    pub run: fn(&[u8]) -> bool,
    /// Inputs to start from: valid ones, and some that are not.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// Most memory it may hold at a time, in bytes, beside its input.
    pub memory: usize,
    /// Mutations tried with every build.
    pub rounds: u32,
}

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

const fn target(
    name: &'static str,
    run: fn(&[u8]) -> bool,
    seeds: fn() -> Vec<Vec<u8>>,
    (memory, rounds): (usize, u32),
) -> Target {
    Target { name, run, seeds, memory, rounds }
}

/// All of them.
pub const TARGETS: &[Target] = &[
    target("bencode", wire::bencode, wire::bencode_seeds, (256 * KIB, 20_000)),
    target("torrent", wire::torrent, wire::torrent_seeds, (256 * KIB, 10_000)),
    target("handshake", wire::handshake, wire::handshake_seeds, (KIB, 5_000)),
    target("messages", wire::messages, wire::messages_seeds, (512 * KIB, 5_000)),
    target("extensions", wire::extensions, wire::extensions_seeds, (256 * KIB, 20_000)),
    target("metadata", wire::metadata, wire::metadata_seeds, (256 * KIB, 5_000)),
    target("hash_proof", wire::hash_proof, wire::hash_proof_seeds, (256 * KIB, 5_000)),
    target("tracker_reply", wire::tracker_reply, wire::tracker_reply_seeds, (64 * KIB, 20_000)),
    target("tracker_request", wire::tracker_request, wire::tracker_request_seeds, (64 * KIB, 10_000)),
    target("web_seed_reply", wire::web_seed_reply, wire::web_seed_reply_seeds, (4 * KIB, 20_000)),
    target("swarm_peer", swarm::peer, swarm::peer_seeds, (MIB, 3_000)),
    target("names", release::names, release::names_seeds, (64 * KIB, 20_000)),
    target("manifest", release::manifest, release::manifest_seeds, (512 * KIB, 4_000)),
    target("pack_list", release::pack_list, release::pack_list_seeds, (512 * KIB, 4_000)),
    target("documents", release::documents, release::documents_seeds, (64 * KIB, 10_000)),
    target("beside_blobs", release::beside_blobs, release::beside_blobs_seeds, (64 * KIB, 5_000)),
    target("trust", trust::client, trust::client_seeds, (512 * KIB, 150)),
    target("pack_index", packs::index, packs::index_seeds, (512 * KIB, 4_000)),
    target("pack_file", packs::file, packs::file_seeds, (16 * MIB, 300)),
    target("frame", packs::frame, packs::frame_seeds, (32 * MIB, 1_000)),
    target("closed_frame", packs::closed_frame, packs::closed_frame_seeds, (32 * MIB, 500)),
    target("base_stream", packs::base_stream, packs::base_stream_seeds, (8 * MIB, 3_000)),
    target("filters", packs::filters, packs::filters_seeds, (128 * KIB, 1_000)),
    target("pack_made", packs::made, packs::made_seeds, (16 * MIB, 60)),
    target("install_state", install::state, install::state_seeds, (128 * KIB, 10_000)),
    target("journal", install::journal, install::journal_seeds, (512 * KIB, 300)),
];
