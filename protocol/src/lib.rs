//! The swarm: BitTorrent v1 (BEP 3), v2 and hybrid (BEP 52), without policy.
//!
//! The core does no IO and reads no clock: time, randomness and bytes come in as arguments, effects come out
//! as data. The tokio driver in `net` and the simulator in the `tests` crate are two callers of one machine.
//! A module imports only modules above it in this list.

pub mod units;
pub mod blockset;
pub mod bencode;
pub mod merkle;
pub mod metainfo;
pub mod wire;
pub mod picker;
pub mod choker;
pub mod rates;
pub mod webseed;
pub mod tracker;
pub mod session;
pub mod swarm;
#[cfg(feature = "net")]
pub mod disk;
#[cfg(feature = "net")]
pub mod net;
