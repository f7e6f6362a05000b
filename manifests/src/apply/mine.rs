//! Names for the player's files that stood in the way: `name.mine-2026-11-22`, beside what came in their place.

use std::collections::HashSet;

use jiff::civil::Date;

use super::journal::Journal;
use crate::folder::{DiskError, Fs};
use crate::path::{MAX_NAME_BYTES, SafePath};
use crate::plan::Plan;
use crate::release::ReleaseManifest;

/// What marks a kept file when nobody told the day.
const UNDATED: &str = "mine";
/// Years that a mark may name; a clock that says another is not asked.
const YEARS: std::ops::RangeInclusive<i16> = 1970..=9999;

/// The mark of files kept on `day`, told by the caller: apply reads no clock.
pub(super) fn mark(day: Option<Date>) -> String {
    match day.filter(|day| YEARS.contains(&day.year())) {
        Some(day) => format!("{UNDATED}-{day}"),
        None => UNDATED.to_owned(),
    }
}

/// Whether `text` is one of [`mark`]'s; a journal's is believed only then.
pub(super) fn is_mark(text: &str) -> bool {
    let rest = text.strip_prefix(UNDATED);
    rest == Some("")
        || rest
            .and_then(|rest| rest.strip_prefix('-'))
            .and_then(|day| day.parse::<Date>().ok())
            .is_some_and(|day| mark(Some(day)) == text)
}

/// Names that no kept file may take, as they look where case does not count.
#[derive(Debug, Default)]
pub(super) struct Reserved(HashSet<String>);

impl Reserved {
    /// What the release will have there.
    pub(super) fn by_plan(plan: &Plan, manifest: &ReleaseManifest) -> Self {
        let files = manifest.files.iter().map(|file| &file.path);
        Self(files.chain(&plan.create_folders).map(SafePath::folded).collect())
    }

    /// The same for a commit that is being finished: what stays in place is on the disk already.
    pub(super) fn by_journal(journal: &Journal) -> Self {
        let placed = journal.place.iter().map(|placing| &placing.path);
        let mut reserved = Self(placed.chain(&journal.create_folders).map(SafePath::folded).collect());
        for keeping in &journal.keep_aside {
            reserved.add(&beside(&keeping.path, keeping.to.as_str()));
        }
        reserved
    }

    fn add(&mut self, path: &str) {
        self.0.insert(crate::path::fold(path));
    }

    /// A name beside `path` that nothing has, and that nothing else is given.
    pub(super) fn name(&mut self, fs: &dyn Fs, path: &SafePath, mark: &str) -> Result<String, DiskError> {
        let mut count = 1u32;
        loop {
            let name = numbered(path.name(), mark, count);
            let at = beside(path, &name);
            if !self.0.contains(&crate::path::fold(&at))
                && fs.stat(&at).map_err(DiskError::at("look at", &at))?.is_none()
            {
                self.add(&at);
                return Ok(name);
            }
            count = count.saturating_add(1);
        }
    }
}

/// The path of `name` in the folder of `path`.
pub(super) fn beside(path: &SafePath, name: &str) -> String {
    match path.as_str().rsplit_once('/') {
        Some((folder, _)) => format!("{folder}/{name}"),
        None => name.to_owned(),
    }
}

/// `name.mark`, `name.mark~2`, …; a name too long for that loses its end.
fn numbered(name: &str, mark: &str, count: u32) -> String {
    let tail = if count == 1 { format!(".{mark}") } else { format!(".{mark}~{count}") };
    let mut end = name.len().min(MAX_NAME_BYTES.saturating_sub(tail.len()));
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{tail}", name.get(..end).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn marks_in_a_table() {
        let day = |text: &str| Some(text.parse::<Date>().unwrap());
        for (day, want) in
            [(day("2026-11-22"), "mine-2026-11-22"), (None, "mine"), (day("-000044-03-15"), "mine")]
        {
            assert_eq!(mark(day), want);
            assert!(is_mark(want));
        }
        for text in
            ["", "mine-", "mine-2026-11-31", "mine-2026-11-22/..", "mine-20261122", "x", "mine-0001-01-01"]
        {
            assert!(!is_mark(text), "{text}");
        }
    }

    #[test]
    fn names_in_a_table() {
        let long = "ä".repeat(127);
        let cut = "ä".repeat(119);
        for (name, count, want) in [
            ("a.ini", 1, "a.ini.mine-2026-11-22".to_owned()),
            ("a.ini", 12, "a.ini.mine-2026-11-22~12".to_owned()),
            ("a.mine-2026-11-21", 1, "a.mine-2026-11-21.mine-2026-11-22".to_owned()),
            (&long, 1, format!("{cut}.mine-2026-11-22")),
            (&long, 2, format!("{}.mine-2026-11-22~2", "ä".repeat(118))),
        ] {
            assert_eq!(numbered(name, "mine-2026-11-22", count), want);
        }
    }

    proptest! {
        #[test]
        fn a_legal_name_stays_legal(name in "[^/]{1,260}", count in 1u32..) {
            if let Ok(path) = SafePath::parse(&name) {
                let kept = numbered(path.name(), "mine-2026-11-22", count);
                prop_assert!(SafePath::parse(&kept).is_ok(), "{kept:?}");
            }
        }
    }
}
