//! A preview for a person at a terminal.

use super::reason::ReasonTotal;
use super::{Cohort, LimitCheck, Preview};
use indicatif::{HumanBytes, HumanCount};

/// A limit that does not hold.
pub(super) fn excess(check: &LimitCheck) -> String {
    let LimitCheck { option, limit, bytes, exceeded_by } = check;
    let what = if *option == "--max-patch-bytes" { "fetches" } else { "needs temporary space of" };
    format!(
        "an update from the previous release {what} {bytes} bytes, {exceeded_by} more than {option} {limit} allows"
    )
}

/// A speed as people know it from their contract.
pub(super) fn rate(bytes_per_second: u64) -> String {
    format!("{:.0} Mbit/s", bytes_per_second as f64 * 8.0 / 1e6)
}

/// Seconds as people say them.
pub(super) fn seconds(seconds: f64) -> String {
    match seconds {
        little if little < 0.1 => "< 0.1 s".to_owned(),
        short if short < 10.0 => format!("{short:.1} s"),
        some if some < 120.0 => format!("{some:.0} s"),
        long if long < 7200.0 => format!("{:.0} min", long / 60.0),
        longer => format!("{:.1} h", longer / 3600.0),
    }
}

/// Whom a cohort is made of.
pub(super) fn who(cohort: &Cohort) -> String {
    match &cohort.release {
        Some(release) => format!("{} ({release})", cohort.cohort),
        None => "nothing (fresh install)".to_owned(),
    }
}

/// What a reason's files come to.
pub(super) fn total(total: &ReasonTotal) -> String {
    let files = if total.files == 1 { "1 file".to_owned() } else { format!("{} files", total.files) };
    format!("{} {} in {files}", total.reason.words(), HumanBytes(total.bytes))
}

impl Preview {
    /// The same as its JSON, for a person.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = format!(
            "{} {} for channel {}: {} files, {}; nothing was published.\n\
             Packs at level {}; times at {} from all sources together.\n",
            self.game,
            self.release,
            self.channel,
            HumanCount(self.files),
            HumanBytes(self.bytes),
            self.level,
            rate(self.source_bytes_per_second),
        );
        text += &table(&self.cohorts);
        for cohort in &self.cohorts {
            text += &files(cohort);
        }
        if !self.earlier.is_empty() {
            let said = self.earlier.iter().map(|one| format!("{} {}", one.release, HumanBytes(one.bytes)));
            text += &format!("\nThe packs of earlier releases: {}.", said.collect::<Vec<_>>().join(", "));
        }
        text.trim_end().to_owned()
    }
}

fn table(cohorts: &[Cohort]) -> String {
    let head = ["Players who have", "route", "fetch", "written", "temp space", "HDD", "SSD"];
    let mut rows = vec![head.map(str::to_owned)];
    for cohort in cohorts {
        rows.push([
            who(cohort),
            cohort.route.clone(),
            HumanBytes(cohort.network_bytes).to_string(),
            HumanBytes(cohort.bytes_written).to_string(),
            HumanBytes(cohort.temp_bytes_peak).to_string(),
            seconds(cohort.seconds_hdd),
            seconds(cohort.seconds_ssd),
        ]);
    }
    let width = |at: usize| rows.iter().filter_map(|row| row.get(at)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..head.len()).map(|at| width(at).unwrap_or(0)).collect();
    let mut text = String::new();
    for row in &rows {
        text.push('\n');
        for (at, (cell, width)) in row.iter().zip(&widths).enumerate() {
            text += &if at < 2 { format!("{cell:width$}  ") } else { format!("{cell:>width$}  ") };
        }
        text.truncate(text.trim_end().len());
    }
    for cohort in cohorts {
        if let Some(note) = &cohort.note {
            text += &format!("\n{} is {note}.", cohort.cohort);
        }
    }
    text + "\n"
}

fn files(cohort: &Cohort) -> String {
    if cohort.files.is_empty() {
        return format!("\n{}: nothing to fetch.\n", who(cohort));
    }
    let reasons: Vec<String> = cohort.reasons.iter().map(total).collect();
    let mut text = format!("\n{}: {}.\n", who(cohort), reasons.join(", "));
    let mut last = "";
    for file in &cohort.files {
        text += &format!(
            "{:>12}  {} ({}): {}; {}\n",
            HumanBytes(file.bytes).to_string(),
            file.path,
            HumanBytes(file.file_bytes),
            file.reason.words(),
            file.detail,
        );
        // The same advice is given once in a row.
        if file.advice != last && !file.advice.is_empty() {
            text += &format!("{:14}{}\n", "", file.advice);
        }
        last = &file.advice;
    }
    text
}
