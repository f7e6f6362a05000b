//! Content-defined boundaries, and where in a release they lie.
//!
//! An anchor is a place whose last [`WINDOW_BYTES`] bytes hash to a value with so many leading zero bits (the gear hash
//! of FastCDC, without its least and greatest length: an anchor depends on its own window and nothing before it). The
//! same bytes have the same anchors wherever they stand: moved, shifted or in another file. [`AnchorIndex`] remembers
//! where a release has them; how many it keeps is bounded, so anchors are further apart in larger releases.

mod gear;
mod index;

pub use gear::{WINDOW_BYTES, anchors};
pub use index::{AnchorIndex, AnchorIndexBuilder, MAX_PER_RUN, anchor_bits};
