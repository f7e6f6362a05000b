//! Packs at the player: which there are, which route they make, how their frames become files.
//!
//! ```text
//! offers   signed lists -> packs with their indexes
//! choose   what is here and on offer -> a candidate
//! aside    files beside the install until the commit
//! setup    the candidate's torrents, sparse files, base files
//! run      blocks in, frames rebuilt on threads, files judged
//! cache    what stays afterwards, to be seeded, within a quota
//! ```
//! A module imports only modules above it in this list.

pub(crate) mod torrent;
pub(crate) mod cache;
pub(crate) mod offers;
pub(crate) mod work;
pub(crate) mod base;
pub(crate) mod worker;
pub(crate) mod aside;
pub(crate) mod setup;
pub(crate) mod run;
pub(crate) mod keep;
pub(crate) mod phase;
