//! Why a file costs what it costs: the new one is laid beside the old one and both are looked into.
//!
//! What is found is a hint to people, never an error: a file that cannot be read or makes no sense has merely changed.

mod read;
mod like;
mod kind;
mod zip;
mod inside;
mod advice;

use crate::store::{BlobContent, Blobs};
use inside::Inside;
use kind::Kind;
use like::{Differences, differences, likeness};
use manifests::release::{FileIdentity, FileKind, ManifestFile, ReleaseManifest};
use read::Reading;
use serde::Serialize;
use std::collections::HashMap;
use zip::Entries;

/// Most bytes of one file that is looked into.
const MAX_FILE_BYTES: u64 = 1 << 30;
/// Most bytes looked into for one cohort, both sides together: beyond, files count as changed.
const MAX_BYTES: u64 = 8 << 30;
/// Of a file that data was found in elsewhere, in percent: most of it.
const MOST: u64 = 50;
/// What must lie at another place, in percent, to call a file shifted.
const MOVED: u64 = 25;
/// What may differ of a file, one byte in so many, to call it churn.
const CHURN_ONE_IN: u64 = 50;
/// What may differ in any case, in bytes: a date and a build id.
const CHURN_BYTES: u64 = 64;
/// The longest run of bytes that is still a date, a build id or a checksum.
const CHURN_RUN: u64 = 40;

/// Why a file costs something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Reason {
    /// Most of it is in the old file, at other places.
    Shifted,
    /// Compressed anew: inside it is mostly what it was.
    Recompressed,
    /// A few bytes differ, such as dates.
    Timestamps,
    /// Nothing like it was there.
    New,
    /// None of these.
    Changed,
}

impl Reason {
    /// For people.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Reason::Shifted => "shifted content",
            Reason::Recompressed => "recompressed archive",
            Reason::Timestamps => "timestamp churn",
            Reason::New => "new",
            Reason::Changed => "changed",
        }
    }
}

/// All files of one reason.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct ReasonTotal {
    /// The reason.
    pub reason: Reason,
    /// Files.
    pub files: u64,
    /// Their bytes over the network.
    pub bytes: u64,
}

impl ReasonTotal {
    pub(super) fn of(reason: Reason) -> ReasonTotal {
        ReasonTotal { reason, files: 0, bytes: 0 }
    }
}

/// What was found out about a file.
pub(super) struct Finding {
    pub(super) file_bytes: u64,
    pub(super) reason: Reason,
    pub(super) detail: String,
    pub(super) advice: &'static str,
}

/// Looks into files of a release and of the one before.
pub(super) struct Inspector<'a> {
    base: Option<&'a ReleaseManifest>,
    old: Option<BlobContent>,
    new: &'a BlobContent,
    target: HashMap<&'a str, (u32, &'a ManifestFile)>,
    by_path: HashMap<&'a str, u32>,
    /// Files of the base that the target has no path for, by name: a file that moved. None where two have the name.
    by_name: HashMap<&'a str, Option<u32>>,
    left: u64,
}

impl<'a> Inspector<'a> {
    pub(super) fn new(
        base: Option<&'a ReleaseManifest>,
        target: &'a ReleaseManifest,
        new: &'a BlobContent,
        blobs: &Blobs,
    ) -> Inspector<'a> {
        let target: HashMap<&str, (u32, &ManifestFile)> =
            (0u32..).zip(&target.files).map(|(at, file)| (file.path.as_str(), (at, file))).collect();
        let olds = (0u32..).zip(base.iter().flat_map(|base| &base.files));
        let olds = olds.filter(|(_, file)| file.kind == FileKind::File && !file.identity.is_empty());
        let by_path = olds.clone().map(|(at, file)| (file.path.as_str(), at)).collect();
        let mut by_name: HashMap<&str, Option<u32>> = HashMap::new();
        for (at, file) in olds.filter(|(_, file)| !target.contains_key(file.path.as_str())) {
            by_name.entry(file.path.name()).and_modify(|there| *there = None).or_insert(Some(at));
        }
        let old = base.map(|base| BlobContent::new(blobs, &base.files));
        Inspector { base, old, new, target, by_path, by_name, left: MAX_BYTES }
    }

    /// Why the file at this path of the release costs something.
    pub(super) fn look(&mut self, path: &str) -> Finding {
        let Some((at, file)) = self.target.get(path).copied() else {
            // What a release between had.
            return finding(0, Reason::Changed, "a file on the way from release to release".to_owned(), "");
        };
        let len = file.identity.len;
        let there = self.by_path.get(path).copied();
        let moved = || self.by_name.get(file.path.name()).copied().flatten();
        let old = there.or_else(moved);
        let found = old.zip(self.base).zip(self.old.as_ref()).and_then(|((old, base), content)| {
            let listed = base.files.get(old as usize)?;
            Some((Reading::new(content, old, listed.identity.len), listed))
        });
        let Some((old, listed)) = found else {
            let what =
                if self.base.is_some() { "not in the release before" } else { "nothing is installed yet" };
            return finding(len, Reason::New, what.to_owned(), advice::NEW);
        };
        let both = len + listed.identity.len;
        if len.max(listed.identity.len) > MAX_FILE_BYTES || both > self.left {
            return finding(len, Reason::Changed, "too large to look into".to_owned(), advice::OTHER);
        }
        self.left -= both;
        judge(&old, &Reading::new(self.new, at, len), listed.identity, file.identity)
    }
}

fn finding(file_bytes: u64, reason: Reason, detail: String, advice: &'static str) -> Finding {
    Finding { file_bytes, reason, detail, advice }
}

/// Holds the two against each other.
fn judge(old: &Reading<'_>, new: &Reading<'_>, old_id: FileIdentity, new_id: FileIdentity) -> Finding {
    let kind = Kind::of(new);
    let says = |reason, detail| finding(new.len(), reason, detail, advice::on(reason, kind));
    if old_id == new_id {
        return says(Reason::Changed, "the same as before, on the way from release to release".to_owned());
    }
    if let Some(found) = churn(old, new, kind) {
        return says(
            Reason::Timestamps,
            match found.places {
                1 => format!("{} of {} bytes differ, in one place", found.bytes, new.len()),
                places => format!("{} of {} bytes differ, in {places} places", found.bytes, new.len()),
            },
        );
    }
    let inside = if kind == Kind::of(old) { look_inside(old, new, kind) } else { None };
    match inside {
        Some(Inside { reason, detail }) => says(reason, detail),
        None => by_content(old, new, &says),
    }
}

/// What stands in the files as they are.
fn by_content(old: &Reading<'_>, new: &Reading<'_>, says: &dyn Fn(Reason, String) -> Finding) -> Finding {
    let like = likeness(&mut old.stream(), &mut new.stream(), new.len());
    match like {
        Some(like) if like.found_percent() >= MOST && like.moved_percent() >= MOVED => says(
            Reason::Shifted,
            format!("{} % of it is in the old file, most of that at other places", like.found_percent()),
        ),
        Some(like) => says(Reason::Changed, format!("{} % of it is in the old file", like.found_percent())),
        None => says(Reason::Changed, format!("{} bytes, before {}", new.len(), old.len())),
    }
}

/// Whether hardly anything differs, and only in the way dates and build numbers do.
fn churn(old: &Reading<'_>, new: &Reading<'_>, kind: Kind) -> Option<Differences> {
    let most = CHURN_BYTES.max(new.len() / CHURN_ONE_IN).min(new.len() / 8);
    if old.len() != new.len() {
        return None;
    }
    let found = differences(&mut old.stream(), &mut new.stream(), most)?;
    let numbers_only = kind != Kind::Text || found.digits_only;
    (found.longest <= CHURN_RUN && numbers_only).then_some(found)
}

fn look_inside(old: &Reading<'_>, new: &Reading<'_>, kind: Kind) -> Option<Inside> {
    match kind {
        Kind::Zip => inside::zip(&Entries::read(old)?, &Entries::read(new)?, old, new),
        Kind::Png => inside::png(old, new),
        Kind::Gzip => inside::gzip(old, new),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
