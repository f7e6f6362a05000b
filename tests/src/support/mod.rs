//! Programs of ours in a world of their own: a studio with its repository and seedbox, players with their launchers, a web
//! server that changes what it serves. Everything listens on 127.0.0.1, and whatever is started ends with its owner.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test whose world cannot be set up has failed, and says where"
)]

mod builds;
mod disk;
mod peer;
mod player;
mod process;
mod releases;
mod site;
mod studio;

pub use builds::freeciv;
pub use disk::{CaselessDisk, SmallDisk};
pub use peer::{BadPeer, Manner, tracker_answer};
pub use player::{Install, Player, no_samara};
pub use process::{Outcome, Program, binary};
pub use releases::{as_promised, cached, game_files, installed, three_releases, updated};
pub use site::{Edit, Request, Site};
pub use studio::{Seedbox, Studio};

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;

use rand::RngExt as _;

use crate::fixtures::compare_trees;

/// An address that nothing listens on: below the ports that the system hands out by itself, so that no connection
/// made meanwhile takes it.
///
/// # Panics
/// When hardly any port is free.
#[must_use]
pub fn free_address() -> SocketAddr {
    for _ in 0..1000 {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, rand::rng().random_range(10_000..32_000)));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
    panic!("no port is free");
}

/// That an install is the build to the byte and the executable bit, with nothing else in it.
///
/// # Panics
/// When it is not.
pub fn assert_same(build: &Path, install: &Path) {
    let differences = compare_trees(build, install).expect("both trees can be read");
    let some = &differences[..differences.len().min(5)];
    assert!(differences.is_empty(), "{} differences, such as {some:?}", differences.len());
}
