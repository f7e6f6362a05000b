//! What is told before the first byte, and after the last: what it will cost, and what it did cost.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::engine::{Failure, PlanReport, Summary, VerifyReport};

/// What an install or update will cost.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cost {
    /// The release it leads to.
    pub release: String,
    /// Bytes to receive.
    pub download_bytes: u64,
    /// Bytes to write.
    pub written_bytes: u64,
    /// Most space that is needed beside what is there.
    pub space_bytes: u64,
    /// Files to write.
    pub files: u64,
    /// At best as quick as that, and hardly slower than twice as long.
    pub time: Duration,
}

impl Cost {
    /// Of the route that would be taken; all zero when nothing has to be fetched.
    #[must_use]
    pub fn of(report: &PlanReport) -> Self {
        let release = report.release.clone();
        let Some(chosen) = report.candidates.iter().find(|candidate| candidate.chosen) else {
            return Self { release, ..Self::default() };
        };
        Self {
            release,
            download_bytes: chosen.network_bytes,
            written_bytes: chosen.written_bytes,
            space_bytes: chosen.temp_bytes,
            files: chosen.written_files,
            time: chosen.time,
        }
    }
}

/// How far the question is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Asked {
    /// It is asked as soon as the folder is free.
    #[default]
    Wanted,
    /// The engine works it out.
    Asking,
    /// This much.
    Known(Cost),
    /// It cannot be told.
    Failed(Failure),
}

/// Where an operation leads.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Aim {
    /// To what the channel offers.
    #[default]
    Newest,
    /// To this release.
    Release(String),
    /// To the release before, with what is kept here.
    Back,
}

/// What is told before the first byte.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Preview {
    /// Where it leads.
    pub aim: Aim,
    /// Where it goes.
    pub folder: PathBuf,
    /// What it costs.
    pub asked: Asked,
    /// Room on that disk, in bytes; none while unknown.
    pub free_bytes: Option<u64>,
}

impl Preview {
    /// Whether the answer is still to come.
    #[must_use]
    pub fn is_open(&self) -> bool {
        matches!(self.asked, Asked::Wanted | Asked::Asking)
    }

    /// Bytes that are missing on the disk.
    #[must_use]
    pub fn lacks(&self) -> Option<u64> {
        let Asked::Known(cost) = &self.asked else { return None };
        cost.space_bytes.checked_sub(self.free_bytes?).filter(|lacks| *lacks > 0)
    }
}

/// What the last install or update did cost.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Receipt {
    /// The release it led to.
    pub release: String,
    /// Seconds from start to end.
    pub seconds: u64,
    /// Bytes that fetching the changed files as they are would have taken.
    pub plain_bytes: u64,
    /// Bytes from the own network.
    pub lan_bytes: u64,
    /// Bytes from other players.
    pub peer_bytes: u64,
    /// Bytes from the studio.
    pub studio_bytes: u64,
    /// Bytes written.
    pub written_bytes: u64,
    /// Bytes sent to others meanwhile.
    pub uploaded_bytes: u64,
}

impl Receipt {
    /// Of an operation that has ended.
    #[must_use]
    pub fn of(summary: &Summary) -> Self {
        Self {
            release: summary.release.clone(),
            seconds: summary.elapsed.as_secs(),
            plain_bytes: summary.plain_bytes,
            lan_bytes: summary.sources.lan,
            peer_bytes: summary.sources.peers,
            studio_bytes: summary.sources.origin(),
            written_bytes: summary.written_bytes,
            uploaded_bytes: summary.uploaded_bytes,
        }
    }

    /// Bytes that came over the network.
    #[must_use]
    pub fn received_bytes(&self) -> u64 {
        self.lan_bytes.saturating_add(self.peer_bytes).saturating_add(self.studio_bytes)
    }

    /// Bytes that did not have to come, because only what differs was fetched.
    #[must_use]
    pub fn saved_bytes(&self) -> u64 {
        self.plain_bytes.saturating_sub(self.received_bytes())
    }
}

/// What the last check of every file found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Checked {
    /// The release they were compared with.
    pub release: String,
    /// Files that were looked at.
    pub files: u64,
    /// Of them, those that were damaged.
    pub damaged: u64,
    /// Whether these were mended.
    pub mended: bool,
}

impl Checked {
    /// Of a check that has ended.
    #[must_use]
    pub fn of(report: &VerifyReport) -> Self {
        let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        Self {
            release: report.release.clone(),
            files: count(report.checked_files),
            damaged: count(report.wounds.len()),
            mended: report.repair.is_some(),
        }
    }

    /// Files that are what the studio signed.
    #[must_use]
    pub fn good(&self) -> u64 {
        if self.mended { self.files } else { self.files.saturating_sub(self.damaged) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{CandidateView, SourceBytes};

    #[test]
    fn the_route_that_would_be_taken_is_told() {
        let candidate = |chosen, network_bytes, temp_bytes| CandidateView {
            chosen,
            network_bytes,
            temp_bytes,
            ..CandidateView::default()
        };
        let candidates = vec![candidate(false, 1, 1), candidate(true, 5, 40)];
        let report = PlanReport { release: "2".into(), candidates, ..PlanReport::default() };
        let cost = Cost::of(&report);
        assert_eq!((cost.download_bytes, cost.space_bytes, cost.release.as_str()), (5, 40, "2"));
        let nothing = Cost::of(&PlanReport { release: "2".into(), ..PlanReport::default() });
        assert_eq!(nothing, Cost { release: "2".into(), ..Cost::default() });
        let preview =
            |free_bytes| Preview { asked: Asked::Known(cost.clone()), free_bytes, ..Preview::default() };
        for (free, lacks) in [(None, None), (Some(40), None), (Some(39), Some(1)), (Some(90), None)] {
            assert_eq!(preview(free).lacks(), lacks, "{free:?}");
        }
    }

    #[test]
    fn a_receipt_tells_what_was_saved() {
        let sources = SourceBytes { local: 7, lan: 1, peers: 20, seedbox: 3, web: 6 };
        let summary = Summary { plain_bytes: 100, sources, ..Summary::default() };
        let receipt = Receipt::of(&summary);
        assert_eq!((receipt.studio_bytes, receipt.received_bytes(), receipt.saved_bytes()), (9, 30, 70));
        assert_eq!(Receipt::of(&Summary { plain_bytes: 5, ..summary }).saved_bytes(), 0);
        let checked = Checked { files: 9, damaged: 2, ..Checked::default() };
        assert_eq!((checked.good(), Checked { mended: true, ..checked }.good()), (7, 9));
    }
}
