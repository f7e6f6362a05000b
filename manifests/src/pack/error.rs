//! What can go wrong with a pack, on either side.

use std::io;

/// Why a pack was not made, read or applied. Codes are stable; [`PackError::advice`] says what to do.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// The index, header or footer breaks a rule of the format.
    #[error("the pack's index is refused: {0}")]
    Index(&'static str),
    /// Written by a later Samara.
    #[error("the pack has format {0}, this program reads {format}", format = super::FORMAT)]
    Newer(u8),
    /// The index belongs to other releases than those it was held against.
    #[error("the pack is not between these releases: its {0} is another")]
    OtherTree(&'static str),
    /// A frame's bytes do not give what the index promises.
    #[error("frame {frame} of the pack is damaged: {reason}")]
    Frame {
        /// Its number.
        frame: u32,
        /// What did not fit.
        reason: String,
    },
    /// A rebuilt file is not the one the manifest names.
    #[error("file {file} of the release does not come out right: {reason}")]
    Output {
        /// Its ordinal in the target's manifest.
        file: u32,
        /// What did not fit.
        reason: &'static str,
    },
    /// A frame that would take more memory than allowed, or than its index declared.
    #[error("frame {frame} of the pack asks for {need} bytes of memory, more than the {limit} allowed")]
    Memory {
        /// Its number.
        frame: u32,
        /// What it asks for.
        need: u64,
        /// The bound.
        limit: u64,
    },
    /// A file of the base could not be read, or is shorter than its manifest says.
    #[error("file {file} of the {tree} cannot be read")]
    Read {
        /// Which tree: "base" or "release".
        tree: &'static str,
        /// Its ordinal in that tree's manifest.
        file: u32,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file of the new build no longer has the bytes that were scanned.
    #[error("file {file} of the release changed while the pack was made")]
    Changed {
        /// Its ordinal in the target's manifest.
        file: u32,
    },
    /// The pack could not be written.
    #[error("the pack cannot be written")]
    Write(#[source] io::Error),
    /// A tree with more files or bytes than a pack can describe.
    #[error("the release cannot be packed: {0}")]
    TooLarge(&'static str),
    /// A compressor refused its work.
    #[error("segment {segment} cannot be compressed: {reason}")]
    Encode {
        /// Its number.
        segment: u32,
        /// Why.
        reason: String,
    },
    /// The caller asked to stop.
    #[error("making the pack was stopped")]
    Cancelled,
}

impl PackError {
    /// Stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Index(_) => "E-PACK-BAD",
            Self::Newer(_) => "E-PACK-NEWER",
            Self::OtherTree(_) => "E-PACK-OTHER",
            Self::Frame { .. } => "E-PACK-FRAME",
            Self::Output { .. } => "E-PACK-OUTPUT",
            Self::Memory { .. } => "E-PACK-MEMORY",
            Self::Read { .. } => "E-PACK-READ",
            Self::Changed { .. } => "E-PACK-CHANGED",
            Self::Write(_) => "E-PACK-WRITE",
            Self::TooLarge(_) => "E-PACK-TOO-LARGE",
            Self::Encode { .. } => "E-PACK-ENCODE",
            Self::Cancelled => "E-PACK-CANCELLED",
        }
    }

    /// What the person in front of it can do.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::Index(_) | Self::Frame { .. } | Self::OtherTree(_) | Self::Output { .. } => {
                "The files will be fetched without this pack; if it happens again, tell the studio."
            }
            Self::Newer(_) => "Update the launcher.",
            Self::Memory { .. } => "The files will be fetched without this pack.",
            Self::Read { .. } => {
                "Verify the files and try again; if the disk reports errors, check the disk."
            }
            Self::Changed { .. } => "Let nothing write to the build folder and publish again.",
            Self::Write(_) => "Free space on the disk or choose another folder, then try again.",
            Self::TooLarge(_) => "Publish without packs, or split the build.",
            Self::Encode { .. } => "Publish again with another --level, and report this.",
            Self::Cancelled => "Start it again when you are ready.",
        }
    }
}
