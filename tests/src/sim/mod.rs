//! A deterministic simulator: the swarm machines of `protocol` on a virtual network with a virtual clock.
//!
//! A run is a function of its [`Scenario`], seed included: the same scenario gives the same trace hash. Checkers that know
//! nothing of the machines judge the outcome: every verified byte is the right one, every request ends in a piece, a
//! reject or the end of its connection, and nobody who could be served waits for long.

mod checks;
mod content;
mod network;
mod report;
mod services;
mod scenario;
mod trace;
mod world;

pub use report::{NodeReport, Report};
pub use scenario::{Faults, Group, Scenario};
pub use world::run;
