//! `--json`: one object a line on standard output. The fields are a contract with scripts.

use serde_json::{Value, json};

use crate::engine::{
    Failure, Outcome, PlanReport, StatusReport, Summary, TaskView, UninstallReport, VerifyReport,
};

/// A line of progress.
#[must_use]
pub(crate) fn progress(view: &TaskView) -> Value {
    json!({
        "event": "progress",
        "phase": view.phase.word(),
        "game": view.game,
        "release": view.release,
        "done_bytes": view.done_bytes,
        "total_bytes": view.total_bytes,
        "download_rate": view.download_rate,
        "upload_rate": view.upload_rate,
        "progress_rate": view.progress_rate,
        "seconds_left": view.time_left.map(|left| left.as_secs()),
        "peers": view.peers,
        "cpu_busy_percent": view.busy.processor,
        "disk_busy_percent": view.busy.disk,
        "bytes_local": view.sources.local,
        "bytes_lan": view.sources.lan,
        "bytes_peers": view.sources.all_peers(),
        "bytes_web": view.sources.web,
        "bytes_origin": view.sources.origin(),
        "bytes_uploaded": view.uploaded_bytes,
    })
}

/// A line worth knowing.
#[must_use]
pub(crate) fn note(text: &str) -> Value {
    json!({ "event": "note", "message": text })
}

/// The line of a pause.
#[must_use]
pub(crate) fn paused() -> Value {
    json!({ "event": "paused", "message": "run the same command again to go on" })
}

/// The last line after a failure.
#[must_use]
pub(crate) fn error(failure: &Failure) -> Value {
    json!({
        "event": "error",
        "code": failure.code,
        "message": failure.message,
        "advice": failure.advice,
    })
}

/// The last line when there is a result; `damage` is what a verification found and did not mend.
#[must_use]
pub(crate) fn done(outcome: &Outcome, damage: Option<&Failure>) -> Value {
    let mut line = result(outcome);
    if let (Some(damage), Value::Object(line)) = (damage, &mut line) {
        line.insert("code".to_owned(), damage.code.into());
        line.insert("message".to_owned(), damage.message.clone().into());
        line.insert("advice".to_owned(), damage.advice.into());
    }
    line
}

fn result(outcome: &Outcome) -> Value {
    match outcome {
        Outcome::Installed(summary) => installed(summary),
        Outcome::Planned(report) => planned(report),
        Outcome::Verified(report) => verified(report),
        Outcome::Started(playing) => {
            json!({ "event": "done", "program": playing.program, "pid": playing.pid })
        }
        Outcome::Root(bytes) => json!({ "event": "done", "bytes": bytes.len() }),
        Outcome::Looked(offer) => json!({ "event": "done", "game": offer.game, "release": offer.release }),
        Outcome::Pictured(came) => json!({ "event": "done", "icon": came.icon, "hero": came.hero }),
        Outcome::Listed(list) => {
            let releases: Vec<&str> = list.releases.iter().map(|one| one.release.as_str()).collect();
            json!({ "event": "done", "game": list.game, "releases": releases })
        }
        Outcome::Seeded { uploaded_bytes } => json!({ "event": "done", "bytes_uploaded": uploaded_bytes }),
        Outcome::Status(report) => status(report),
        Outcome::Uninstalled(report) => uninstalled(report),
    }
}

/// The sources of `bytes_peers` include seedboxes, so lan + peers + web is what was delivered;
/// `bytes_origin` is the studio's part of it: web plus seedboxes.
fn installed(summary: &Summary) -> Value {
    json!({
        "event": "done",
        "release": summary.release,
        "seconds": seconds(summary.elapsed),
        "bytes_local": summary.sources.local,
        "bytes_lan": summary.sources.lan,
        "bytes_peers": summary.sources.all_peers(),
        "bytes_web": summary.sources.web,
        "bytes_origin": summary.sources.origin(),
        "bytes_uploaded": summary.uploaded_bytes,
        "bytes_written": summary.written_bytes,
        "temp_bytes_peak": summary.temp_peak_bytes,
        "commit_seconds": summary.commit_window.as_secs_f64(),
        "route": summary.route,
        "bytes_promised": summary.promised_bytes,
        "game": summary.game,
        "changed": summary.changed,
        "kept_aside": summary.kept_aside,
        "left_changed": summary.left_changed,
    })
}

fn planned(report: &PlanReport) -> Value {
    let candidates: Vec<Value> = report
        .candidates
        .iter()
        .map(|one| {
            json!({
                "route": one.name,
                "kind": one.kind,
                "mixed": one.mixed,
                "chosen": one.chosen,
                "bytes_network": one.network_bytes,
                "bytes_packs": one.pack_bytes,
                "bytes_indexes": one.index_bytes,
                "bytes_written": one.written_bytes,
                "temp_bytes_peak": one.temp_bytes,
                "cpu_seconds": seconds(one.cpu),
                "seconds": seconds(one.time),
                "cost": one.cost,
            })
        })
        .collect();
    let chosen = report.candidates.iter().find(|one| one.chosen);
    json!({
        "event": "plan",
        "game": report.game,
        "from": report.from,
        "release": report.release,
        "route": chosen.map(|one| &one.name),
        "bytes_network": chosen.map_or(0, |one| one.network_bytes),
        "bytes_written": chosen.map_or(0, |one| one.written_bytes),
        "temp_bytes_peak": chosen.map_or(0, |one| one.temp_bytes),
        "why": report.why,
        "candidates": candidates,
    })
}

fn verified(report: &VerifyReport) -> Value {
    let wounds: Vec<Value> = report
        .wounds
        .iter()
        .map(|wound| json!({ "path": wound.path, "kind": wound.kind, "bytes": wound.bytes }))
        .collect();
    let mut line = json!({
        "event": "done",
        "game": report.game,
        "release": report.release,
        "seconds": seconds(report.elapsed),
        "quick": report.quick,
        "files_checked": report.checked_files,
        "bytes_checked": report.checked_bytes,
        "wounds": wounds,
        "left_changed": report.left_changed,
        "intact": report.wounds.is_empty() || report.repair.is_some(),
    });
    if let (Some(repair), Value::Object(line)) = (&report.repair, &mut line)
        && let Value::Object(figures) = installed(repair)
    {
        let told = |name: &str| name.contains("bytes_") || name == "kept_aside";
        line.extend(figures.into_iter().filter(|(name, _)| told(name)));
    }
    line
}

fn status(report: &StatusReport) -> Value {
    json!({
        "event": "status",
        "game": report.game,
        "release": report.release,
        "pending": report.pending,
        "repo": report.repo,
        "channel": report.channel,
        "files": report.files,
        "bytes": report.bytes,
        "bytes_local": report.received.local,
        "bytes_lan": report.received.lan,
        "bytes_peers": report.received.all_peers(),
        "bytes_web": report.received.web,
        "bytes_origin": report.received.origin(),
        "bytes_uploaded": report.uploaded_bytes,
        "previous": report.previous,
        "undo_bytes": report.undo_bytes,
    })
}

fn uninstalled(report: &UninstallReport) -> Value {
    json!({
        "event": "done",
        "removed": report.removed,
        "left": report.left,
        "folder_removed": report.folder_removed,
    })
}

/// Milliseconds are as exact as a wall time deserves.
fn seconds(elapsed: std::time::Duration) -> f64 {
    elapsed.as_millis() as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::SourceBytes;

    #[test]
    fn the_done_line_has_the_promised_fields() {
        let summary = Summary {
            release: "1.0".to_owned(),
            sources: SourceBytes { local: 1, lan: 2, peers: 3, seedbox: 4, web: 5 },
            ..Summary::default()
        };
        let line = done(&Outcome::Installed(summary), None);
        for (name, value) in [
            ("event", json!("done")),
            ("release", json!("1.0")),
            ("seconds", json!(0.0)),
            ("bytes_local", json!(1)),
            ("bytes_lan", json!(2)),
            ("bytes_peers", json!(7)),
            ("bytes_web", json!(5)),
            ("bytes_origin", json!(9)),
            ("bytes_written", json!(0)),
            ("temp_bytes_peak", json!(0)),
        ] {
            assert_eq!(line[name], value, "{name}");
        }
    }
}
