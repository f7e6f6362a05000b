//! The launcher's own updates.
//!
//! The launcher that came in the package is never written to: it is what starts when nothing else does. Newer versions are
//! installed by the engine like any game, from the repository that the package's brand file names and under its root alone,
//! into two slots in turns. `pointer` is the record of which one starts, `policy` decides (it is pure, and tested with
//! every order of events and kills), `place` is where the record and the slots lie, `start` begins the right version and
//! watches it, `update` fetches the next.

pub mod pointer;
pub mod policy;
mod steps;
pub mod place;
pub mod start;
pub mod update;

pub use policy::Kind;
pub use steps::STEPS;
