//! Routes: by which packs, local blocks and blocks of the content torrent an install becomes a release.
//!
//! [`route`] is pure. It is told what lies on the disk, what is missing, which packs there are (with their indexes), how
//! fast the sources are and what counts; it answers with every candidate, what each costs, and which costs least. The
//! launcher carries out the one that is chosen; `launcher plan` shows all of them; `seedbox preview` asks the same code
//! about installs it imagines ([`forecast`]).
//!
//! ```text
//! plain    changed files whole, from the content torrent
//! reuse    equal blocks of local files at any offset, the others from the content torrent
//! direct   one pack, from a release that is (nearly) here
//! chain    several packs; what lies between is rebuilt only as far as the next step reads it
//! full     the pack without a base
//! ```
//! The last three also come mixed: a frame that costs more than the content blocks of the files it serves is left out.
//! A frame's base data may be in a damaged or missing file: its wrong blocks are fetched from the release it belongs to
//! ([`Heal`]) where that costs less than doing without the frame.

mod cost;
mod input;
mod candidate;
mod ranges;
mod chain;
mod world;
mod step;
mod evaluate;
mod assemble;
mod mix;
mod solve;
mod forecast;

pub use candidate::{BaseSource, Build, Candidate, Heal, Kind, Owner, Route, Step, Write};
pub use chain::{MAX_HOPS, MAX_PATHS, paths};
pub use cost::{Costs, Disk, Environment, Network, Weights};
pub use forecast::{Forecast, Forecasted, forecast};
pub use input::{Input, Known, Missing, Offer, PackInfo};
pub use solve::{route, worth_asking};

#[cfg(test)]
mod tests;
