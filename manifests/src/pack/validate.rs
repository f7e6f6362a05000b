//! An index held against the two manifests it speaks of.

use super::index::{Frame, Index, Method, Slice, View, tree_id};
use super::{MAX_MEMORY_BYTES, MAX_PLAIN_BYTES, MAX_PREFIX_BYTES, MAX_SEGMENT_BYTES, PackError};
use crate::release::{FileKind, ManifestFile};

impl Index {
    /// Checks everything the index says: tree ids, every slice and base range in bounds, frames within their limits,
    /// each file's slices adding up to its length, every byte of every frame used exactly once.
    ///
    /// # Errors
    /// [`PackError::OtherTree`] for other releases, [`PackError::Index`] and [`PackError::Memory`] for the rest.
    pub fn validate(&self, base: Option<&[ManifestFile]>, target: &[ManifestFile]) -> Result<(), PackError> {
        if tree_id(target) != self.target {
            return Err(PackError::OtherTree("release"));
        }
        if base.map(tree_id) != self.base {
            return Err(PackError::OtherTree("base"));
        }
        let base = base.unwrap_or_default();
        let mut end = super::HEADER_BYTES;
        for (number, frame) in self.frames.iter().enumerate() {
            if frame.offset != end {
                return Err(PackError::Index("a frame does not begin where the one before it ends"));
            }
            end = frame.range().end;
            check_frame(u32::try_from(number).unwrap_or(u32::MAX), frame, base)?;
        }
        self.check_files(base, target)
    }

    fn check_files(&self, base: &[ManifestFile], target: &[ManifestFile]) -> Result<(), PackError> {
        let mut used: Vec<(u32, u32, u32)> = Vec::new();
        let mut previous = None;
        for recipe in &self.files {
            if previous.is_some_and(|before| before >= recipe.file) {
                return Err(PackError::Index("files are listed out of order or twice"));
            }
            previous = Some(recipe.file);
            let file = regular(target, recipe.file)?;
            let mut len = 0u64;
            for slice in &recipe.slices {
                if slice.is_empty() {
                    return Err(PackError::Index("a slice is empty"));
                }
                len = len.checked_add(slice.len()).ok_or(PackError::Index("a number is out of range"))?;
                match *slice {
                    Slice::Base { file, offset, len } => inside(base, file, offset, len)?,
                    Slice::Frame { frame, offset, len } => used.push((frame, offset, len)),
                }
            }
            if len != file.identity.len || len == 0 {
                return Err(PackError::Index("a file's slices do not add up to its length"));
            }
        }
        self.check_use(used)
    }

    /// Every byte of every frame goes to exactly one place.
    fn check_use(&self, mut used: Vec<(u32, u32, u32)>) -> Result<(), PackError> {
        used.sort_unstable();
        let mut used = used.into_iter().peekable();
        for (number, frame) in (0u32..).zip(&self.frames) {
            let mut at = 0u32;
            while let Some((_, offset, len)) = used.next_if(|(of, _, _)| *of == number) {
                if offset != at {
                    return Err(PackError::Index("slices of a frame overlap or leave a hole"));
                }
                at = offset.checked_add(len).ok_or(PackError::Index("a number is out of range"))?;
            }
            if at != frame.output_len {
                return Err(PackError::Index("slices of a frame do not add up to its length"));
            }
        }
        if used.next().is_some() {
            return Err(PackError::Index("a slice names a frame that is not there"));
        }
        Ok(())
    }
}

fn regular(files: &[ManifestFile], ordinal: u32) -> Result<&ManifestFile, PackError> {
    files
        .get(ordinal as usize)
        .filter(|file| file.kind == FileKind::File)
        .ok_or(PackError::Index("it names a file that is not there"))
}

fn inside(files: &[ManifestFile], ordinal: u32, offset: u64, len: u64) -> Result<(), PackError> {
    let file = regular(files, ordinal)?;
    match offset.checked_add(len) {
        Some(end) if end <= file.identity.len && len > 0 => Ok(()),
        _ => Err(PackError::Index("it refers to bytes outside a base file")),
    }
}

fn check_frame(number: u32, frame: &Frame, base: &[ManifestFile]) -> Result<(), PackError> {
    if frame.len == 0 || frame.output_len == 0 || frame.plain_len == 0 {
        return Err(PackError::Index("a frame is empty"));
    }
    if frame.output_len > MAX_SEGMENT_BYTES || frame.plain_len > MAX_PLAIN_BYTES {
        return Err(PackError::Index("a frame is larger than accepted"));
    }
    if !frame.method.is_opened() && frame.plain_len != frame.output_len {
        return Err(PackError::Index("a frame's two lengths differ"));
    }
    if frame.method == Method::Stored && (frame.len != frame.plain_len || !frame.prefix.is_empty()) {
        return Err(PackError::Index("a stored frame is not as long as what it stores"));
    }
    // No codec here grows what it cannot compress by more than this.
    if u64::from(frame.len) > u64::from(frame.plain_len) + u64::from(frame.plain_len >> 6) + 1024 {
        return Err(PackError::Index("a frame is longer than what it holds"));
    }
    if frame.prefix_len() > u64::from(MAX_PREFIX_BYTES) {
        return Err(PackError::Index("a frame refers to more base data than accepted"));
    }
    for range in &frame.prefix {
        if range.view == View::Opened && !frame.method.is_opened() {
            return Err(PackError::Index("a frame opens base data and is not opened itself"));
        }
        inside(base, range.file, range.offset, u64::from(range.len))?;
    }
    let floor = u64::from(frame.len) + u64::from(frame.output_len) + frame.prefix_len();
    let need = frame.memory.max(floor);
    if need > MAX_MEMORY_BYTES {
        return Err(PackError::Memory { frame: number, need, limit: MAX_MEMORY_BYTES });
    }
    if frame.memory < floor {
        return Err(PackError::Index("a frame declares less memory than it takes"));
    }
    Ok(())
}
