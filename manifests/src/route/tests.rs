//! Routes over invented packs, carried out in memory: every byte a candidate names must be there, every file must come
//! out right, and what was fetched must be what was promised.

mod forecast;
mod random;
mod run;
mod table;
pub(crate) mod world;
