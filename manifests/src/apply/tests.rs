//! Whole updates on a real folder: in a table, at random, interrupted at every change.

mod faultfs;
mod faults;
mod held;
mod players;
mod power;
mod random;
mod resume;
mod scenarios;
pub(crate) mod simfs;
mod undoing;
mod suite;
mod removing;
pub(crate) mod world;
