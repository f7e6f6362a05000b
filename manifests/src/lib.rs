//! The release: what it is, who says so, how to become it.
//!
//! A module imports only modules above it in this list. Nothing here knows the swarm: an info-hash is opaque bytes.

#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests lay out the folders they look at"))]
#![cfg_attr(test, allow(clippy::single_range_in_vec_init, reason = "tests compare lists of ranges"))]

pub mod path;
pub mod release;
pub mod hash;
pub mod chunk;
pub mod pack;
pub mod trust;
pub mod folder;
pub mod plan;
pub mod apply;
pub mod verify;
pub mod reuse;
pub mod route;
