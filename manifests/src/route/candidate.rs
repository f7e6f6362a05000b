//! A route as data: what to fetch, what to rebuild, from where, in which order.

use std::collections::BTreeMap;
use std::ops::Range;

use super::cost::Costs;
use super::input::Missing;
use crate::path::SafePath;
use crate::plan::Plan;
use crate::release::{FileIdentity, ManifestFile};

/// What a candidate mainly consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Changed files whole, from the content torrent.
    Plain,
    /// Local blocks, the others from the content torrent.
    Reuse,
    /// One pack with a base.
    Direct,
    /// Several packs, one after the other.
    Chain,
    /// One pack without a base.
    Full,
}

impl Kind {
    /// As it is shown and given to `--route`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Reuse => "reuse",
            Self::Direct => "direct",
            Self::Chain => "chain",
            Self::Full => "full",
        }
    }
}

/// One way to the release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// What it mainly consists of.
    pub kind: Kind,
    /// Whether frames were left out because content blocks are cheaper.
    pub mixed: bool,
    /// Unique among the candidates of a route: `direct`, `direct-mixed`, `chain-3.1.4`, ….
    pub name: String,
    /// The packs, in the order they apply; the last one makes the target. None for `plain` and `reuse`.
    pub steps: Vec<Step>,
    /// Base files to complete first, without touching the install.
    pub heals: Vec<Heal>,
    /// Where each base file that a step reads is found.
    pub sources: BTreeMap<FileIdentity, BaseSource>,
    /// Ranges to fetch by the target's content torrent, by index in the manifest; whole blocks. What a step builds is
    /// not among them.
    pub content: Vec<Missing>,
    /// What it costs.
    pub costs: Costs,
    /// [`Costs`] weighed: the lowest is chosen. Comparable within one route only.
    pub cost: u64,
}

impl Candidate {
    /// The plan to carry out with this candidate: `plain` copies no blocks of replaced files.
    pub fn plan(&self, plan: &Plan, files: &[ManifestFile]) -> Plan {
        match self.kind {
            Kind::Plain => plan.whole_files(files),
            _ => plan.clone(),
        }
    }
}

/// Which manifest a step's output belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Owner {
    /// The release to become.
    Target,
    /// `Input::releases` at this index.
    Release(usize),
}

/// One pack applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Index into `Input::packs`.
    pub pack: usize,
    /// Whose manifest the base ordinals count in: index into `Input::releases`; `None` for a full pack.
    pub base: Option<usize>,
    /// Whose manifest the output ordinals count in.
    pub target: Owner,
    /// Frames to rebuild, ascending.
    pub frames: Vec<u32>,
    /// Byte ranges of the pack file that hold them: whole 16 KiB blocks (the last one ends with the file), joined,
    /// ascending. Those in the cache are among them.
    pub blocks: Vec<Range<u64>>,
    /// What is written, by ordinal, ascending.
    pub builds: Vec<Build>,
}

/// What a step writes of one file. Parts that are not listed come from elsewhere (the content torrent, local blocks) or
/// are read by nobody (files between two steps).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Build {
    /// Ordinal in the step's target manifest.
    pub file: u32,
    /// Ascending, not overlapping.
    pub writes: Vec<Write>,
}

/// Where `len` bytes at `at` of a file come from. Cut to what is missing, so it may be a part of a recipe's slice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Write {
    /// From a base file.
    Base {
        /// First byte written.
        at: u64,
        /// Ordinal in the step's base manifest.
        file: u32,
        /// First byte read.
        offset: u64,
        /// Bytes.
        len: u64,
    },
    /// From what a frame rebuilds.
    Frame {
        /// First byte written.
        at: u64,
        /// Number of the frame.
        frame: u32,
        /// First byte of its output.
        offset: u64,
        /// Bytes.
        len: u64,
    },
}

impl Write {
    /// The bytes of the file that are written.
    pub fn range(&self) -> Range<u64> {
        let (Self::Base { at, len, .. } | Self::Frame { at, len, .. }) = *self;
        at..at.saturating_add(len)
    }
}

/// Where a base file is found. It is asked for by identity, whatever path the base release has for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BaseSource {
    /// In the install, right as a whole.
    Installed(SafePath),
    /// In the file of `Candidate::heals` at this index, as far as it is needed.
    Healed(usize),
    /// It is also the target's, at this index of the manifest, and comes from the content torrent: frames that read it
    /// wait for it.
    Content(usize),
    /// An earlier step builds what is read of it.
    Built {
        /// Index into `Candidate::steps`.
        step: usize,
        /// Ordinal in that step's target manifest.
        file: u32,
    },
}

/// A base file that is missing or damaged here, completed beside the install as far as it is read. Parts in neither list
/// are read by nobody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heal {
    /// The file.
    pub id: FileIdentity,
    /// The release it belongs to: index into `Input::releases`.
    pub release: usize,
    /// Its index in that release's manifest.
    pub file: usize,
    /// The damaged file that has the blocks of `copy`.
    pub from: Option<SafePath>,
    /// Whole blocks copied from there, same offsets.
    pub copy: Vec<Range<u64>>,
    /// Whole blocks fetched from that release's content torrent or blobs.
    pub fetch: Vec<Range<u64>>,
}

/// Every candidate and the choice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Cheapest first by `cost`, then by payload bytes, then by kind and name. Never empty.
    pub candidates: Vec<Candidate>,
    /// Index of the choice: always 0, named for the reader.
    pub chosen: usize,
}

impl Route {
    /// The choice.
    pub fn chosen(&self) -> Option<&Candidate> {
        self.candidates.get(self.chosen)
    }

    /// The candidate of this name.
    pub fn named(&self, name: &str) -> Option<&Candidate> {
        self.candidates.iter().find(|candidate| candidate.name == name)
    }
}
