//! What the tests share: generated games, a virtual network, trees to compare, processes to start and to end.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "this crate is an edge: it makes files, starts programs and reads clocks"
)]

pub mod demo;
pub mod fixtures;
pub mod support;
pub mod sim;
pub mod fuzz;
pub mod package;
