//! The index: what a pack holds, as data.

use std::fmt;

use sha2::{Digest, Sha256};

use crate::release::{FileKind, ManifestFile};

/// Names the content of a whole release, paths left out: SHA-256 over (length, pieces root) of every regular file in
/// manifest order. An ordinal means the same file in two manifests with the same id.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TreeId(pub [u8; 32]);

impl fmt::Display for TreeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for TreeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TreeId({self})")
    }
}

/// The id of a manifest's files. Links count by their position, so that ordinals cannot shift.
pub fn tree_id(files: &[ManifestFile]) -> TreeId {
    let mut sha = Sha256::new();
    sha.update(b"samara tree 1\0");
    for (at, file) in files.iter().enumerate() {
        if file.kind == FileKind::File {
            sha.update((at as u64).to_le_bytes());
            sha.update(file.identity.len.to_le_bytes());
            sha.update(file.identity.root);
        }
    }
    TreeId(sha.finalize().into())
}

/// How a frame's bytes become plain text, and the plain text output. The numbers are the format's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Method {
    /// As it is; no prefix.
    Stored = 0,
    /// zstd, the base ranges as reference prefix.
    Zstd = 1,
    /// Raw LZMA (xz's coder), the base ranges as preset dictionary; programs are filtered before it.
    Xz = 2,
    /// Suffix-array delta against the base ranges, then zstd.
    Delta = 3,
    /// zstd of opened deflate streams, closed again afterwards.
    OpenedZstd = 4,
    /// LZMA of opened deflate streams, closed again afterwards.
    OpenedXz = 5,
    /// Suffix-array delta against the base ranges, then LZMA.
    DeltaXz = 6,
}

impl Method {
    /// Every method, in the order of their numbers.
    pub const ALL: [Self; 7] =
        [Self::Stored, Self::Zstd, Self::Xz, Self::Delta, Self::OpenedZstd, Self::OpenedXz, Self::DeltaXz];

    /// The method of a number, if there is one.
    pub fn from_number(number: u64) -> Option<Self> {
        Self::ALL.into_iter().find(|method| *method as u64 == number)
    }

    /// Whether what the codec yields still has to be closed.
    pub fn is_opened(self) -> bool {
        matches!(self, Self::OpenedZstd | Self::OpenedXz)
    }

    /// A word for reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Stored => "stored",
            Self::Zstd => "zstd",
            Self::Xz => "xz",
            Self::Delta => "delta",
            Self::OpenedZstd => "opened-zstd",
            Self::OpenedXz => "opened-xz",
            Self::DeltaXz => "delta-xz",
        }
    }
}

/// What becomes of a base range before it is referred to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum View {
    /// The file as it is.
    Raw,
    /// The inflated text of the deflate streams in these bytes: a function of the bytes alone. Offset and length
    /// still count in the file as it is.
    Opened,
}

/// Bytes of a base file that a frame refers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BaseRange {
    /// Ordinal in the base's manifest.
    pub file: u32,
    /// What becomes of these bytes.
    pub view: View,
    /// First byte.
    pub offset: u64,
    /// Bytes, at least one.
    pub len: u32,
}

/// One independently compressed run of bytes in the pack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// First byte in the pack file.
    pub offset: u64,
    /// Bytes in the pack file.
    pub len: u32,
    /// How it is decoded.
    pub method: Method,
    /// Base data laid end to end before decoding.
    pub prefix: Vec<BaseRange>,
    /// Bytes the codec yields.
    pub plain_len: u32,
    /// Bytes after opened streams are closed; `plain_len` where none are.
    pub output_len: u32,
    /// Most memory decoding takes, in bytes, everything counted.
    pub memory: u64,
}

impl Frame {
    /// Bytes of base files it refers to, before any are opened.
    pub fn prefix_len(&self) -> u64 {
        self.prefix.iter().map(|range| u64::from(range.len)).sum()
    }

    /// Where it lies in the pack file.
    pub fn range(&self) -> std::ops::Range<u64> {
        self.offset..self.offset.saturating_add(u64::from(self.len))
    }
}

/// Where the next bytes of a file come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slice {
    /// From a base file as it is.
    Base {
        /// Ordinal in the base's manifest.
        file: u32,
        /// First byte.
        offset: u64,
        /// Bytes, at least one.
        len: u64,
    },
    /// From what a frame rebuilds.
    Frame {
        /// Number of the frame.
        frame: u32,
        /// First byte of its output.
        offset: u32,
        /// Bytes, at least one.
        len: u32,
    },
}

impl Slice {
    /// Bytes of the file it gives.
    pub fn len(&self) -> u64 {
        match self {
            Self::Base { len, .. } => *len,
            Self::Frame { len, .. } => u64::from(*len),
        }
    }

    /// Never in an index that validated.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// How one file is put together: its slices laid end to end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipe {
    /// Ordinal in the target's manifest: the first of all files with this identity.
    pub file: u32,
    /// In the file's order.
    pub slices: Vec<Slice>,
}

/// What a pack holds. Files that are in the base under any path are not listed, nor are empty files and links.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Index {
    /// The release it starts from; `None` for a full pack.
    pub base: Option<TreeId>,
    /// The release it makes.
    pub target: TreeId,
    /// [`super::ENCODER`] of its maker.
    pub encoder: u32,
    /// In the order of the pack file, back to back.
    pub frames: Vec<Frame>,
    /// In the order of the target's manifest.
    pub files: Vec<Recipe>,
}

/// Bounds on an index from outside.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Compressed bytes.
    pub max_index_bytes: usize,
    /// Bytes once opened.
    pub max_plain_bytes: usize,
    /// Frames.
    pub max_frames: u64,
    /// Recipes.
    pub max_files: u64,
    /// Slices of all recipes together.
    pub max_slices: u64,
    /// Base ranges of all frames together.
    pub max_ranges: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_index_bytes: 64 << 20,
            max_plain_bytes: 256 << 20,
            max_frames: 1 << 21,
            max_files: 500_000,
            max_slices: 8 << 20,
            max_ranges: 8 << 20,
        }
    }
}

impl Recipe {
    /// The frames it needs, each once, ascending.
    pub fn frames(&self) -> Vec<u32> {
        let mut frames: Vec<u32> = self
            .slices
            .iter()
            .filter_map(|slice| match slice {
                Slice::Frame { frame, .. } => Some(*frame),
                Slice::Base { .. } => None,
            })
            .collect();
        frames.sort_unstable();
        frames.dedup();
        frames
    }
}

impl Index {
    /// The recipe of the file at this target ordinal, if the pack has it.
    pub fn recipe(&self, file: u32) -> Option<&Recipe> {
        let at = self.files.binary_search_by_key(&file, |recipe| recipe.file).ok()?;
        self.files.get(at)
    }

    /// The frames the file at this target ordinal needs, each once, ascending; none when it is not listed.
    pub fn frames_of(&self, file: u32) -> Vec<u32> {
        self.recipe(file).map(Recipe::frames).unwrap_or_default()
    }

    /// For every frame the target ordinals of the files it gives bytes to, ascending.
    pub fn files_by_frame(&self) -> Vec<Vec<u32>> {
        let mut files = vec![Vec::new(); self.frames.len()];
        for recipe in &self.files {
            for frame in recipe.frames() {
                if let Some(list) = files.get_mut(frame as usize) {
                    list.push(recipe.file);
                }
            }
        }
        files
    }

    /// The target ordinals of the files one frame gives bytes to. Walks the whole index.
    pub fn files_of(&self, frame: u32) -> Vec<u32> {
        let uses = |recipe: &&Recipe| {
            recipe.slices.iter().any(|slice| matches!(slice, Slice::Frame { frame: at, .. } if *at == frame))
        };
        self.files.iter().filter(uses).map(|recipe| recipe.file).collect()
    }
}
