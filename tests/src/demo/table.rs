//! The demo's closing table.

use std::fmt;

use launcher::engine::{SourceBytes, Summary};

/// One step: the slowest player's seconds, everybody's bytes.
pub(super) struct Row {
    what: String,
    seconds: f64,
    sources: SourceBytes,
    written: u64,
    /// The routes taken, each once.
    routes: Vec<String>,
    /// What the changed files alone would have brought over the network, beyond what came.
    saved: u64,
}

impl Row {
    /// Sums up what all players report of one step.
    pub(super) fn of_all(what: &str, summaries: &[Summary]) -> Self {
        let mut row = Self {
            what: what.to_owned(),
            seconds: 0.0,
            sources: SourceBytes::default(),
            written: 0,
            routes: summaries.iter().filter_map(|summary| summary.route.clone()).collect(),
            saved: 0,
        };
        row.routes.sort_unstable();
        row.routes.dedup();
        for summary in summaries {
            row.seconds = row.seconds.max(summary.elapsed.as_secs_f64());
            row.sources = row.sources.plus(&summary.sources);
            row.written += summary.written_bytes;
            row.saved += summary.plain_bytes.saturating_sub(summary.sources.network());
        }
        row
    }

    /// 1 − origin bytes ÷ bytes delivered; nothing when the network brought nothing.
    fn offload(&self) -> Option<f64> {
        let delivered = self.sources.network();
        #[expect(clippy::cast_precision_loss, reason = "a percentage for people")]
        (delivered > 0).then(|| 1.0 - self.sources.origin() as f64 / delivered as f64)
    }
}

/// All steps, as they are printed.
#[derive(Default)]
pub(super) struct Table {
    rows: Vec<Row>,
}

impl Table {
    pub(super) fn push(&mut self, row: Row) {
        self.rows.push(row);
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "\n{:<26} {:>8} {:>10} {:>10} {:>10} {:>10} {:>10} {:>8} {:>10}  route",
            "step", "seconds", "local", "peers", "web", "origin", "written", "offload", "saved"
        )?;
        for row in &self.rows {
            let offload =
                row.offload().map_or_else(|| "-".to_owned(), |part| format!("{:.0} %", part * 100.0));
            writeln!(
                f,
                "{:<26} {:>8.2} {:>10} {:>10} {:>10} {:>10} {:>10} {:>8} {:>10}  {}",
                row.what,
                row.seconds,
                bytes(row.sources.local),
                bytes(row.sources.all_peers() + row.sources.lan),
                bytes(row.sources.web),
                bytes(row.sources.origin()),
                bytes(row.written),
                offload,
                bytes(row.saved),
                row.routes.join(", ")
            )?;
        }
        writeln!(
            f,
            "\npeers: bytes from other players and from the seedbox as a peer. origin: what the seedbox sent, as a \
             peer or over HTTP.\noffload: 1 \u{2212} origin \u{f7} all network bytes; with four players, 75 % is possible.\n\
             route: how it came (`launcher plan` shows all). saved: network bytes below those of the changed files as \
             they are."
        )
    }
}

/// Bytes for people: decimal units, three digits.
pub(super) fn bytes(count: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "three digits for people")]
    let value = count as f64;
    match count {
        0..1_000 => format!("{count} B"),
        1_000..1_000_000 => format!("{:.1} kB", value / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", value / 1e6),
        _ => format!("{:.2} GB", value / 1e9),
    }
}
