//! What a pack cost to make, and what it holds for whom.

use std::collections::BTreeMap;

use super::index::Method;

/// What one method was used for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MethodTotals {
    /// Segments.
    pub count: u64,
    /// Bytes those segments rebuild.
    pub bytes_in: u64,
    /// Bytes of their frames.
    pub bytes_out: u64,
}

/// Why a file costs what it costs, as far as the encoder can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Hint {
    /// Nothing like it was found in the base.
    New,
    /// Most of it was found at the same places of the old file: changed in part.
    Changed,
    /// Most of it was found, at other places or in other files.
    Shifted,
    /// An old file stands at its path, of a kind that is compressed already, and hardly anything of it was found.
    Recompressed,
    /// An old file stands at its path, and hardly anything of it was found.
    Rewritten,
}

impl Hint {
    /// A word for reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Changed => "changed",
            Self::Shifted => "shifted",
            Self::Recompressed => "recompressed",
            Self::Rewritten => "rewritten",
        }
    }
}

/// What one file of the release costs in the pack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileCost {
    /// Ordinal in the target's manifest.
    pub file: u32,
    /// Bytes of frames, by its share of what they rebuild.
    pub frame_bytes: u64,
    /// Bytes taken from base files as they are.
    pub copied_bytes: u64,
    /// Bytes rebuilt by frames.
    pub rebuilt_bytes: u64,
    /// Why.
    pub hint: Hint,
}

/// How a pack came to be.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Per method.
    pub methods: BTreeMap<Method, MethodTotals>,
    /// Per listed file, in manifest order.
    pub files: Vec<FileCost>,
    /// CPU-seconds spent on finding where bytes come from.
    pub match_cpu_s: f64,
    /// CPU-seconds spent on compressing.
    pub compress_cpu_s: f64,
    /// CPU-seconds spent on decoding each frame again and comparing.
    pub proof_cpu_s: f64,
}
