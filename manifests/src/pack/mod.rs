//! Packs: an immutable file that turns one release (or nothing) into another.
//!
//! A pack is a header, frames, an index and a footer. The index alone says where every byte of every changed file comes
//! from: a piece of a base file, or a piece of what a frame rebuilds. Frames are independent: any order, any core, each
//! within [`MAX_MEMORY_BYTES`]. Base files are named by their ordinal in the base's manifest, output files by theirs in
//! the target's; [`Index::validate`] holds an index against both before a byte of it is believed.
//!
//! The same builds, level and encoder version give the same pack, whatever the threads, folders or platform.

mod error;
mod content;
mod index;
mod columns;
mod validate;
mod layout;
pub mod codec;
mod rebuild;
mod prove;
mod report;
mod budget;
mod clock;
mod pool;
mod plan;
mod create;

pub use content::{Content, TreeRef};
pub use create::{CreateOptions, Created, Level, PackProgress, PackStage, create};
pub use error::PackError;
pub use index::{BaseRange, Frame, Index, Limits, Method, Recipe, Slice, TreeId, View, tree_id};
pub use layout::{FOOTER_BYTES, HEADER_BYTES, PackFile};
pub use prove::{Proof, Sink, prove};
pub use rebuild::rebuild_frame;
pub use report::{FileCost, Hint, MethodTotals, Report};

/// The format of packs and indexes this code writes, and the only one it reads.
pub const FORMAT: u8 = 1;
/// Which encoder made a pack. Grows with every change that makes another pack of the same builds.
pub const ENCODER: u32 = 1;

/// Most bytes one frame rebuilds (a segment).
pub const MAX_SEGMENT_BYTES: u32 = 8 << 20;
/// Most bytes of base data one frame refers to.
pub const MAX_PREFIX_BYTES: u32 = 32 << 20;
/// Most bytes a codec yields before opened deflate streams are closed again: 16 MiB of text, and what closing takes.
pub const MAX_PLAIN_BYTES: u32 = 17 << 20;
/// Most memory rebuilding one frame may take, everything counted.
pub const MAX_MEMORY_BYTES: u64 = 64 << 20;

#[cfg(test)]
mod tests;
