//! The page's pictures. Widths are in units of the picture, which the page stretches.

use super::super::reason::{Reason, ReasonTotal};
use super::super::text::who;
use super::super::{Cohort, Costly, Preview};
use super::{bytes, escaped};

const WIDTH: f64 = 840.0;
/// Where bars begin, and where they end at most: words stand on both sides.
const LEFT: f64 = 200.0;
const RIGHT: f64 = 730.0;
const ROW: f64 = 25.0;

/// The class that gives a reason its colour.
pub(super) fn class(reason: Reason) -> &'static str {
    match reason {
        Reason::Shifted => "shifted",
        Reason::Recompressed => "recompressed",
        Reason::Timestamps => "timestamps",
        Reason::New => "new",
        Reason::Changed => "changed",
    }
}

fn svg(height: f64, label: &str, inside: &str) -> String {
    format!(
        "<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{}\">{inside}</svg>",
        escaped(label)
    )
}

fn rect(class: &str, x: f64, y: f64, width: f64, height: f64) -> String {
    format!(
        "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" rx=\"3\"/>"
    )
}

/// A part of the room from left to right; something is always seen of what is there.
fn part(value: u64, most: u64, room: f64) -> f64 {
    if value == 0 { 0.0 } else { (value as f64 / most.max(1) as f64 * room).max(2.0) }
}

fn row(y: f64, label: &str, class: &str, value: u64, most: u64) -> String {
    let width = part(value, most, RIGHT - LEFT);
    format!(
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>{}{}<text x=\"{:.1}\" y=\"{:.1}\">{}</text>",
        LEFT - 12.0,
        y + 16.0,
        escaped(&shortened(label)),
        rect("track", LEFT, y + 3.0, RIGHT - LEFT, ROW - 9.0),
        rect(class, LEFT, y + 3.0, width, ROW - 9.0),
        RIGHT + 12.0,
        y + 16.0,
        bytes(value),
    )
}

/// As much of a name as there is room for.
fn shortened(label: &str) -> String {
    const MOST: usize = 26;
    if label.chars().count() <= MOST {
        return label.to_owned();
    }
    label.chars().take(MOST - 1).chain(['\u{2026}']).collect()
}

/// For each cost, the cohorts side by side on one scale.
pub(super) fn cohort_bars(cohorts: &[Cohort]) -> String {
    type Cost = fn(&Cohort) -> u64;
    let costs: [(&str, Cost); 3] = [
        ("Fetched", |cohort| cohort.network_bytes),
        ("Written to the disk", |cohort| cohort.bytes_written),
        ("Temporary space at most", |cohort| cohort.temp_bytes_peak),
    ];
    let mut pictures = String::new();
    for (title, cost) in costs {
        let most = cohorts.iter().map(cost).max().unwrap_or(0);
        let rows = cohorts.iter().enumerate();
        let inside: String =
            rows.map(|(at, cohort)| row(at as f64 * ROW, &who(cohort), "bar", cost(cohort), most)).collect();
        pictures += &format!("<h3>{title}</h3>{}", svg(cohorts.len() as f64 * ROW, title, &inside));
    }
    pictures
}

/// This release beside earlier ones; nothing when there are none to compare with.
pub(super) fn history_bars(preview: &Preview) -> String {
    let Some(now) = preview.cohorts.iter().find(|cohort| cohort.cohort == "N-1") else {
        return String::new();
    };
    if preview.earlier.is_empty() {
        return String::new();
    }
    let earlier = preview.earlier.iter().map(|one| (format!("{} from {}", one.release, one.from), one.bytes));
    let from = now.release.as_deref().unwrap_or_default();
    let this = (format!("{} from {from}", preview.release), now.network_bytes);
    let all: Vec<(String, u64)> = earlier.chain([this]).collect();
    let most = all.iter().map(|(_, bytes)| *bytes).max().unwrap_or(0);
    let last = all.len() - 1;
    let rows = all.iter().enumerate();
    let inside: String = rows
        .map(|(at, (label, bytes))| {
            row(at as f64 * ROW, label, if at == last { "now" } else { "then" }, *bytes, most)
        })
        .collect();
    svg(all.len() as f64 * ROW, "What updates from the release before fetch", &inside)
}

/// The share of each reason, as one bar.
pub(super) fn reason_bar(reasons: &[ReasonTotal]) -> String {
    let all: u64 = reasons.iter().map(|total| total.bytes).sum();
    let mut at = 0.0;
    let mut inside = rect("track", 0.0, 0.0, WIDTH, 20.0);
    for total in reasons {
        let width = total.bytes as f64 / all.max(1) as f64 * WIDTH;
        inside += &rect(class(total.reason), at, 0.0, (width - 2.0).max(0.0), 20.0);
        at += width;
    }
    svg(20.0, "Bytes by reason", &inside)
}

/// One file beside the dearest.
pub(super) fn file_bar(file: &Costly, most: u64) -> String {
    let inside = rect("track", 0.0, 0.0, WIDTH, 7.0)
        + &rect(class(file.reason), 0.0, 0.0, part(file.bytes, most, WIDTH), 7.0);
    svg(7.0, "Its bytes beside those of the dearest file", &inside)
}
