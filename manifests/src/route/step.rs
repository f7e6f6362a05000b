//! One pack of a candidate: its index, by identity, and what it can do for what is wanted.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;

use super::candidate::{Owner, Write};
use super::input::Input;
use super::ranges;
use crate::pack::{Frame, Index, Recipe, Slice, View};
use crate::release::{FileIdentity, ManifestFile};

/// What is wanted of files, in bytes of each.
pub(crate) type Demand = BTreeMap<FileIdentity, Vec<Range<u64>>>;

/// A pack in its place on a path.
pub(crate) struct Stage<'a> {
    pub(crate) pack: usize,
    pub(crate) base: Option<usize>,
    pub(crate) target: Owner,
    pub(crate) index: &'a Index,
    pub(crate) base_files: &'a [ManifestFile],
    pub(crate) target_files: &'a [ManifestFile],
    recipes: HashMap<FileIdentity, &'a Recipe>,
}

impl<'a> Stage<'a> {
    /// `None` when a manifest or index is not known.
    pub(crate) fn new(input: &'a Input<'a>, pack: usize, target: Owner) -> Option<Self> {
        let offer = input.packs.get(pack)?;
        let index = offer.index.as_deref()?;
        let base = match offer.info.base {
            None => None,
            Some(tree) => Some(input.releases.iter().position(|known| known.tree == tree)?),
        };
        let files_of = |release: usize| input.releases.get(release).map(|known| &*known.manifest.files);
        let base_files = base.map_or(Some(&[][..]), files_of)?;
        let target_files = match target {
            Owner::Target => &input.target.files,
            Owner::Release(release) => files_of(release)?,
        };
        let by_identity =
            |recipe: &'a Recipe| target_files.get(recipe.file as usize).map(|file| (file.identity, recipe));
        let recipes = index.files.iter().filter_map(by_identity).collect();
        Some(Self { pack, base, target, index, base_files, target_files, recipes })
    }

    pub(crate) fn recipe(&self, id: &FileIdentity) -> Option<&'a Recipe> {
        self.recipes.get(id).copied()
    }

    pub(crate) fn frame(&self, frame: u32) -> Option<&'a Frame> {
        self.index.frames.get(frame as usize)
    }

    pub(crate) fn base_id(&self, file: u32) -> Option<FileIdentity> {
        self.base_files.get(file as usize).map(|file| file.identity)
    }

    /// The bytes of base files that a frame reads: all of a file whose streams are opened.
    pub(crate) fn reads(&self, frame: u32) -> impl Iterator<Item = (u32, FileIdentity, Range<u64>)> + '_ {
        let prefix = self.frame(frame).map(|frame| frame.prefix.as_slice()).unwrap_or_default();
        prefix.iter().filter_map(|range| {
            let id = self.base_id(range.file)?;
            let bytes = match range.view {
                View::Raw => range.offset..range.offset.saturating_add(u64::from(range.len)),
                View::Opened => Range { start: 0, end: id.len },
            };
            Some((range.file, id, bytes))
        })
    }

    /// How the wanted ranges of a file come about; what the recipe does not reach is left out.
    pub(crate) fn writes(&self, recipe: &Recipe, wanted: &[Range<u64>]) -> Vec<Write> {
        let mut writes = Vec::new();
        let mut start = 0u64;
        for slice in &recipe.slices {
            let end = start.saturating_add(slice.len());
            for part in ranges::within(wanted, &(start..end)) {
                let (at, len, skip) = (part.start, part.end - part.start, part.start - start);
                writes.push(match *slice {
                    Slice::Base { file, offset, .. } => Write::Base { at, file, offset: offset + skip, len },
                    Slice::Frame { frame, offset, .. } => {
                        Write::Frame { at, frame, offset: u64::from(offset) + skip, len }
                    }
                });
            }
            start = end;
        }
        writes
    }

    /// The whole blocks of the pack file that hold `frames`.
    pub(crate) fn blocks(&self, frames: &BTreeSet<u32>, pack_len: u64) -> Vec<Range<u64>> {
        let mut set = Vec::new();
        ranges::add(&mut set, frames.iter().filter_map(|frame| Some(self.frame(*frame)?.range())));
        ranges::blocks(&set, pack_len)
    }
}
