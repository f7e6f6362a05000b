//! Who says so: TUF 1.0. The publisher signs a repository, the client believes nothing that does not follow from the
//! root it was given.
//!
//! Both sides are told the time. The only files touched are the repository's, the keys' and the client's state.

mod time;
mod json;
mod limits;
mod files;
mod model;
mod crypto;
mod error;
pub mod publisher;
mod keys;
pub mod client;

pub use client::{Client, Freshness, ListedRelease, Listing, Resolved, Signers};
pub use error::TrustError;
pub use json::{JsonError, canonical};
pub use keys::Keyring;
pub use limits::Limits;
pub use model::{channels_role, release_role};
pub use time::UnixTime;
