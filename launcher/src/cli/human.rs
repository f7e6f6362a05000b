//! Text for people: a progress line on standard error, the result on standard output.

use std::time::Duration;

use indicatif::{HumanBytes, HumanDuration, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::engine::{
    Outcome, Phase, PlanReport, StatusReport, Summary, TaskView, UninstallReport, VerifyReport,
};

/// Wounds listed before "and … more".
const LISTED: usize = 20;

/// The progress line. Hidden by itself when standard error is not a terminal.
#[derive(Debug)]
pub(crate) struct Line {
    bar: ProgressBar,
    phase: Option<Phase>,
}

impl Line {
    /// A line that is drawn once there is something to draw.
    #[must_use]
    pub(crate) fn new() -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(5));
        Self { bar, phase: None }
    }

    /// Draws the view.
    pub(crate) fn draw(&mut self, view: &TaskView) {
        if view.phase.is_final() {
            self.clear();
            return;
        }
        if self.phase != Some(view.phase) {
            self.phase = Some(view.phase);
            self.bar.reset();
        }
        if view.total_bytes > 0 {
            self.bar.set_length(view.total_bytes);
            self.bar.set_position(view.done_bytes.min(view.total_bytes));
            // The template is fixed: it cannot fail.
            if let Ok(style) = ProgressStyle::with_template("{prefix:11} [{bar:14}] {wide_msg}") {
                self.bar.set_style(style.progress_chars("=> "));
            }
        } else if let Ok(style) = ProgressStyle::with_template("{prefix:11} {wide_msg}") {
            self.bar.set_style(style);
        }
        // What comes last is cut off where the terminal ends: a line that wraps cannot be taken back.
        self.bar.set_prefix(title(view.phase));
        self.bar.set_message(details(view));
        self.bar.tick();
    }

    /// Prints a line above the progress line.
    pub(crate) fn say(&self, text: &str) {
        self.bar.suspend(|| eprintln!("{text}"));
    }

    /// Takes the line away.
    pub(crate) fn clear(&mut self) {
        self.bar.finish_and_clear();
        self.phase = None;
    }
}

impl Default for Line {
    fn default() -> Self {
        Self::new()
    }
}

fn title(phase: Phase) -> &'static str {
    match phase {
        Phase::Waiting => "Waiting",
        Phase::Recovering => "Recovering",
        Phase::Checking => "Checking",
        Phase::Scanning => "Reading",
        Phase::Downloading => "Downloading",
        Phase::Rebuilding => "Rebuilding",
        Phase::Applying => "Applying",
        Phase::Seeding => "Seeding",
        Phase::Removing => "Removing",
        Phase::Paused => "Paused",
        Phase::Done => "Done",
        Phase::Failed => "Failed",
    }
}

fn details(view: &TaskView) -> String {
    let mut parts = Vec::new();
    if view.total_bytes > 0 {
        parts.push(format!("{} of {}", HumanBytes(view.done_bytes), HumanBytes(view.total_bytes)));
    }
    let rate = match view.phase {
        Phase::Downloading => Some(view.download_rate),
        Phase::Rebuilding => Some(view.progress_rate),
        Phase::Scanning if view.total_bytes > 0 => Some(view.progress_rate),
        _ => None,
    };
    if let Some(rate) = rate {
        parts.push(format!("{}/s", HumanBytes(rate)));
        if let Some(left) = view.time_left {
            parts.push(format!("{:#} left", HumanDuration(Duration::from_secs(left.as_secs()))));
        }
    }
    if view.phase == Phase::Downloading {
        let from = [
            ("network neighbours", view.sources.lan),
            ("peers", view.sources.all_peers()),
            ("web", view.sources.web),
        ];
        let from: Vec<String> = from
            .iter()
            .filter(|(_, bytes)| *bytes > 0)
            .map(|(name, bytes)| format!("{name} {}", HumanBytes(*bytes)))
            .collect();
        if !from.is_empty() {
            parts.push(from.join(", "));
        }
    }
    if matches!(view.phase, Phase::Downloading | Phase::Seeding) {
        parts.push(format!("{} connected", view.peers));
        if view.uploaded_bytes > 0 {
            parts.push(format!(
                "sent {} ({}/s)",
                HumanBytes(view.uploaded_bytes),
                HumanBytes(view.upload_rate)
            ));
        }
    }
    parts.join(" · ")
}

/// The result in words.
#[must_use]
pub(crate) fn result(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Installed(summary) => installed(summary),
        Outcome::Planned(report) => planned(report),
        Outcome::Verified(report) => verified(report),
        Outcome::Started(playing) => format!("Started {} (pid {}).", playing.program, playing.pid),
        Outcome::Root(bytes) => format!("Its root has {} bytes.", bytes.len()),
        Outcome::Looked(offer) => format!("{} {} is offered.", offer.game, offer.release),
        Outcome::Pictured(_) => "Its pictures were fetched.".to_owned(),
        Outcome::Listed(list) => format!("{} has {} releases.", list.game, list.releases.len()),
        Outcome::Seeded { uploaded_bytes } => format!("Seeding ended; sent {}.", HumanBytes(*uploaded_bytes)),
        Outcome::Status(report) => status(report),
        Outcome::Uninstalled(report) => uninstalled(report),
    }
}

/// A table of the candidates, the chosen one marked.
fn planned(report: &PlanReport) -> String {
    let from = report.from.as_deref().unwrap_or("nothing");
    let mut lines = vec![format!("{}: from {from} to {}", report.game, report.release)];
    if report.candidates.is_empty() {
        lines.push(format!("{}.", report.why));
        return lines.join("\n");
    }
    lines.push(format!(
        "  {:<24} {:>12} {:>12} {:>12} {:>9} {:>9}",
        "route", "received", "written", "temporary", "processor", "time"
    ));
    for one in &report.candidates {
        lines.push(format!(
            "{} {:<24} {:>12} {:>12} {:>12} {:>7.2} s {:>7.1} s",
            if one.chosen { '*' } else { ' ' },
            one.name,
            HumanBytes(one.network_bytes).to_string(),
            HumanBytes(one.written_bytes).to_string(),
            HumanBytes(one.temp_bytes).to_string(),
            one.cpu.as_secs_f64(),
            one.time.as_secs_f64(),
        ));
    }
    if let Some(chosen) = report.candidates.iter().find(|one| one.chosen) {
        lines.push(format!("* {} is taken: {}.", chosen.name, report.why));
    }
    lines.join("\n")
}

fn installed(summary: &Summary) -> String {
    let name = format!("{} {}", summary.game, summary.release);
    if !summary.changed {
        return format!("{name} is installed already; nothing to do.");
    }
    let mut lines = vec![format!("{name} is ready, after {:.1} s.", summary.elapsed.as_secs_f64())];
    lines.push(figures(summary));
    lines.extend(route(summary));
    lines.extend(kept(summary));
    lines.join("\n")
}

fn kept(summary: &Summary) -> Vec<String> {
    let listed = summary.kept_aside.iter().take(LISTED);
    let mut lines: Vec<String> =
        listed.map(|path| format!("Your own version of a file was kept as {path}.")).collect();
    if summary.kept_aside.len() > LISTED {
        lines.push(format!("and {} more", summary.kept_aside.len() - LISTED));
    }
    lines.extend(left(&summary.left_changed));
    lines
}

fn left(paths: &[String]) -> Vec<String> {
    let listed = paths.iter().take(LISTED);
    let mut lines: Vec<String> =
        listed.map(|path| format!("{path} is your own version and stays as it is.")).collect();
    if paths.len() > LISTED {
        lines.push(format!("and {} more", paths.len() - LISTED));
    }
    lines
}

fn figures(summary: &Summary) -> String {
    let from = &summary.sources;
    format!(
        "Reused {}, received {} (network neighbours {}, peers {}, web {}; of it {} from the studio), wrote {}.",
        HumanBytes(from.local),
        HumanBytes(from.network()),
        HumanBytes(from.lan),
        HumanBytes(from.all_peers()),
        HumanBytes(from.web),
        HumanBytes(from.origin()),
        HumanBytes(summary.written_bytes),
    )
}

/// How it came, when there was a choice.
fn route(summary: &Summary) -> Option<String> {
    let name = summary.route.as_deref()?;
    let saved = summary.plain_bytes.saturating_sub(summary.sources.network());
    Some(match saved {
        0 => format!("Route: {name}."),
        saved => format!("Route: {name}; {} less than the changed files as they are.", HumanBytes(saved)),
    })
}

fn verified(report: &VerifyReport) -> String {
    let name = format!("{} {}", report.game, report.release);
    let mut lines = Vec::new();
    if report.wounds.is_empty() {
        lines.push(match report.quick {
            true => format!("{name} looks as it was left: {} files.", report.checked_files),
            false => format!("{name} is intact: {} checked.", HumanBytes(report.checked_bytes)),
        });
        lines.extend(left(&report.left_changed));
        return lines.join("\n");
    }
    for wound in report.wounds.iter().take(LISTED) {
        lines.push(format!("{}: {} ({})", wound.kind, wound.path, HumanBytes(wound.bytes)));
    }
    if report.wounds.len() > LISTED {
        lines.push(format!("and {} more", report.wounds.len() - LISTED));
    }
    if let Some(repair) = &report.repair {
        lines.push(format!("{name} is intact again."));
        lines.push(figures(repair));
        lines.extend(kept(repair));
    }
    lines.join("\n")
}

fn status(report: &StatusReport) -> String {
    let mut lines = vec![match &report.release {
        Some(release) => {
            format!("{} {release}: {} files, {}.", report.game, report.files, HumanBytes(report.bytes))
        }
        None => format!("{}: the install is not finished.", report.game),
    }];
    if let Some(pending) = &report.pending {
        lines.push(format!("On the way to {pending}; run install or update again to go on."));
    }
    lines.push(format!("Follows {} of {}.", report.channel, report.repo));
    if let Some(previous) = &report.previous {
        lines.push(format!("`launcher rollback` goes back to {previous}."));
    }
    if report.undo_bytes > 0 {
        lines.push(format!("Data of earlier releases take {}.", HumanBytes(report.undo_bytes)));
    }
    lines.push(format!(
        "Received {} (of it {} from the studio), sent {}.",
        HumanBytes(report.received.network()),
        HumanBytes(report.received.origin()),
        HumanBytes(report.uploaded_bytes)
    ));
    lines.join("\n")
}

fn uninstalled(report: &UninstallReport) -> String {
    let mut lines = vec![format!("Removed {} files of the game.", report.removed)];
    if !report.left.is_empty() {
        lines.push("Left in the folder, because they are yours:".to_owned());
        lines.extend(report.left.iter().take(LISTED).map(|path| format!("  {path}")));
        if report.left.len() > LISTED {
            lines.push(format!("  and {} more", report.left.len() - LISTED));
        }
    }
    lines.join("\n")
}
