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
#[cfg(target_os = "linux")]
mod reader;
mod releases;
mod site;
mod studio;
mod window;
mod windows;

pub use builds::freeciv;
pub use disk::{CaselessDisk, SmallDisk};
pub use peer::{BadPeer, Manner, tracker_answer};
pub use player::{Install, Player, no_samara};
pub use process::{Outcome, Program, binary};
#[cfg(target_os = "linux")]
pub use reader::{Bus, Reader};
pub use releases::{as_promised, cached, game_files, installed, three_releases, updated};
pub use site::{Edit, Request, Site};
pub use studio::{Seedbox, Studio};
pub use window::{Display, Picture, Tree, Window, patience};
pub use windows::Windows;

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;

use rand::RngExt as _;
use serde_json::Value;

use crate::fixtures::{TreeDifference, compare_trees};

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

/// As [`assert_same`] after an update that says what it kept of the player's (here: of what a test damaged): that is there
/// too, and nothing else.
///
/// # Panics
/// When it is not.
pub fn assert_same_and_kept(build: &Path, install: &Path, done: &Value) {
    let kept = done["kept_aside"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let mut kept: BTreeSet<&Path> = kept.map(Path::new).collect();
    // A folder that the build no longer has stays for what was kept in it.
    let folders: BTreeSet<&Path> = kept.iter().flat_map(|path| path.ancestors().skip(1)).collect();
    let mut differences = compare_trees(build, install).expect("both trees can be read");
    differences.retain(|one| match one {
        TreeDifference::OnlySecond(path) => !kept.remove(path.as_path()) && !folders.contains(path.as_path()),
        _ => true,
    });
    let some = &differences[..differences.len().min(5)];
    assert!(differences.is_empty(), "{} differences, such as {some:?}", differences.len());
    assert!(kept.is_empty(), "said to be kept, and not there: {kept:?}");
}
