//! The preview as one page that needs nothing else: no scripts, no fonts, no pictures from anywhere. Everything that comes
//! from outside (paths, names) goes through [`escaped`].

mod charts;

use super::text::{self, seconds, who};
use super::{Cohort, Costly, LimitCheck, Preview};
use crate::error::{DiskContext as _, Result};
use charts::{cohort_bars, file_bar, history_bars, reason_bar};
use indicatif::{HumanBytes, HumanCount};
use std::path::Path;

const STYLE: &str = include_str!("style.css");

/// Writes the page.
///
/// # Errors
/// The disk's.
#[allow(clippy::disallowed_methods, reason = "a page where the studio asked for it, not in the repository")]
pub fn write_page(preview: &Preview, file: &Path) -> Result<()> {
    std::fs::write(file, page(preview)).at(file)
}

/// Text as HTML shows it, in elements and in quoted attributes.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '"' => out += "&quot;",
            '\'' => out += "&#39;",
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// Bytes for people.
pub(super) fn bytes(bytes: u64) -> String {
    HumanBytes(bytes).to_string()
}

/// The whole page.
pub(super) fn page(preview: &Preview) -> String {
    let name = format!("{} {}", escaped(&preview.game), escaped(&preview.release));
    let mut body = head(preview, &name);
    body += &format!(
        "<section><h2>What players fetch, write and need meanwhile</h2>{}{}</section>",
        cohort_bars(&preview.cohorts),
        numbers(&preview.cohorts)
    );
    let history = history_bars(preview);
    if !history.is_empty() {
        body += &format!("<section><h2>Beside earlier releases</h2>{history}</section>");
    }
    for (at, cohort) in preview.cohorts.iter().enumerate() {
        body += &cohort_section(cohort, at == 0);
    }
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\
         <title>Preview of {name}</title><style>\n{STYLE}</style></head>\n<body><main>{body}</main></body></html>\n"
    )
}

fn head(preview: &Preview, name: &str) -> String {
    let mut head = format!(
        "<h1>Preview of {name}</h1><p class=\"soft\">Channel {}, {} files, {}. Packs at level {}. \
         Times at {} from all sources together. Nothing was published.</p>",
        escaped(&preview.channel),
        HumanCount(preview.files),
        bytes(preview.bytes),
        preview.level,
        text::rate(preview.source_bytes_per_second),
    );
    if !preview.limits.is_empty() {
        let said: String = preview.limits.iter().map(limit).collect();
        head += &format!("<ul class=\"limits\">{said}</ul>");
    }
    head
}

fn limit(check: &LimitCheck) -> String {
    if check.exceeded_by > 0 {
        return format!("<li class=\"bad\">\u{2715} {}</li>", escaped(&text::excess(check)));
    }
    let LimitCheck { option, limit, bytes, .. } = check;
    format!("<li class=\"good\">\u{2713} {option} {limit} holds: {bytes} bytes</li>")
}

fn numbers(cohorts: &[Cohort]) -> String {
    let row = |cohort: &Cohort| {
        let note =
            cohort.note.as_deref().map(|note| format!(" <span class=\"soft\">{}</span>", escaped(note)));
        format!(
            "<tr><td>{}{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            escaped(&who(cohort)),
            note.unwrap_or_default(),
            escaped(&cohort.route),
            bytes(cohort.network_bytes),
            bytes(cohort.plain_bytes),
            bytes(cohort.bytes_written),
            bytes(cohort.temp_bytes_peak),
            escaped(&seconds(cohort.seconds_hdd)),
            escaped(&seconds(cohort.seconds_ssd)),
        )
    };
    let rows: String = cohorts.iter().map(row).collect();
    format!(
        "<div class=\"numbers\"><table><thead><tr><th>Players who have</th><th>Route</th><th>Fetch</th>\
         <th>Whole files</th><th>Written</th><th>Temp space</th><th>HDD</th><th>SSD</th></tr></thead>\
         <tbody>{rows}</tbody></table></div>"
    )
}

/// One cohort's reasons and files; the first one open.
fn cohort_section(cohort: &Cohort, open: bool) -> String {
    let who = escaped(&who(cohort));
    if cohort.files.is_empty() {
        return format!("<section><h2>From {who}</h2><p>Nothing to fetch.</p></section>");
    }
    let legend = cohort.reasons.iter().map(|total| {
        let class = charts::class(total.reason);
        format!("<li><span class=\"dot {class}\"></span>{}</li>", escaped(&text::total(total)))
    });
    let most = cohort.files.iter().map(|file| file.bytes).max().unwrap_or(1);
    let mut last = "";
    let mut files = String::new();
    for file in &cohort.files {
        // The same advice is given once in a row.
        let advice = if file.advice == last { "" } else { &file.advice };
        files += &costly(file, advice, most);
        last = &file.advice;
    }
    let title = match cohort.files.len() {
        1 => "The file that costs".to_owned(),
        some => format!("The {some} files that cost most"),
    };
    let open = if open { " open" } else { "" };
    format!(
        "<section><details{open}><summary>From {who}: {}</summary><h3>Why</h3>{}<ul class=\"legend\">{}</ul>\
         <h3>{title}</h3><ol class=\"files\">{files}</ol></details></section>",
        bytes(cohort.network_bytes),
        reason_bar(&cohort.reasons),
        legend.collect::<String>(),
    )
}

fn costly(file: &Costly, advice: &str, most: u64) -> String {
    let advice = match advice {
        "" => String::new(),
        advice => format!("<p class=\"soft\">{}</p>", escaped(advice)),
    };
    format!(
        "<li><div class=\"file\"><span class=\"path\">{}</span><span class=\"bytes\">{} <span class=\"soft\">of {}</span>\
         </span></div>{}<p><span class=\"dot {}\"></span>{}: {}.</p>{advice}</li>",
        escaped(&file.path),
        bytes(file.bytes),
        bytes(file.file_bytes),
        file_bar(file, most),
        charts::class(file.reason),
        file.reason.words(),
        escaped(&file.detail),
    )
}
