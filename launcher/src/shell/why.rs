//! Why so slow? The one thing that bounds a download now, and what can be done about it.

use std::time::Duration;

/// What is known of the moment; none where nobody tells.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sample {
    /// Network payload received, bytes per second, smoothed.
    pub download_rate: u64,
    /// The limit that counts now, bytes per second.
    pub cap: Option<u64>,
    /// The limit counts because a game runs.
    pub playing: bool,
    /// How much of the time the disk of the game is busy, in per cent.
    pub disk_busy_percent: Option<u8>,
    /// How much of the time of all cores is used, in per cent.
    pub cpu_busy_percent: Option<u8>,
    /// Peers connected.
    pub peers: usize,
    /// Of the received bytes per second: from peers and the local network.
    pub peer_rate: u64,
    /// Of the received bytes per second: from the studio's servers.
    pub server_rate: u64,
    /// Peers are allowed.
    pub peers_allowed: bool,
    /// The most that this line was seen to receive, bytes per second.
    pub line_best: Option<u64>,
    /// How long nothing has come.
    pub silent_for: Duration,
}

/// What bounds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// Nothing does: this is the most that the line was ever seen to give.
    Line,
    /// The player's own limit.
    Cap {
        /// Bytes per second.
        limit: u64,
    },
    /// The limit for the time while a game runs.
    CapWhilePlaying {
        /// Bytes per second.
        limit: u64,
    },
    /// The disk writes no faster.
    Disk,
    /// The processor does no more.
    Processor,
    /// Nobody sends anything.
    Silence,
    /// Peers are not allowed, and the server alone gives this much.
    NoPeersAllowed,
    /// No peer has the release yet, and the server alone gives this much.
    FewPeers,
    /// Peers and server give no more.
    Sources,
    /// It is too early to say.
    Unknown,
}

/// What a player can do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// Open the limits.
    RaiseLimit,
    /// Allow other players as sources.
    AllowPeers,
    /// Choose a folder on another disk.
    OtherDisk,
    /// Look at the network.
    CheckNetwork,
    /// Wait.
    Nothing,
}

impl Why {
    /// What a player can do about it.
    #[must_use]
    pub fn remedy(self) -> Remedy {
        match self {
            Self::Cap { .. } | Self::CapWhilePlaying { .. } => Remedy::RaiseLimit,
            Self::Disk => Remedy::OtherDisk,
            Self::Silence => Remedy::CheckNetwork,
            Self::NoPeersAllowed => Remedy::AllowPeers,
            Self::Line | Self::Processor | Self::FewPeers | Self::Sources | Self::Unknown => Remedy::Nothing,
        }
    }
}

/// As near to a limit as a token bucket comes over some seconds.
const NEAR_PERCENT: u64 = 90;
/// From here on a device is what bounds.
const BUSY_PERCENT: u8 = 90;
/// After this long without a byte something is wrong.
const SILENT: Duration = Duration::from_secs(5);
/// With fewer peers than this the server carries the download.
const FEW_PEERS: usize = 3;

/// What bounds a download. The first of these that holds is told: what the player decided comes before what his computer
/// can do, and that before what others send.
#[must_use]
pub fn why(sample: &Sample) -> Why {
    let near = |limit: u64| sample.download_rate.saturating_mul(100) >= limit.saturating_mul(NEAR_PERCENT);
    let busy = |percent: Option<u8>| percent.is_some_and(|percent| percent >= BUSY_PERCENT);
    match sample.cap {
        Some(limit) if near(limit) && sample.playing => return Why::CapWhilePlaying { limit },
        Some(limit) if near(limit) => return Why::Cap { limit },
        _ => {}
    }
    if busy(sample.disk_busy_percent) {
        Why::Disk
    } else if busy(sample.cpu_busy_percent) {
        Why::Processor
    } else if sample.silent_for >= SILENT {
        Why::Silence
    } else if sample.download_rate == 0 {
        Why::Unknown
    } else if sample.line_best.is_some_and(near) {
        Why::Line
    } else if !sample.peers_allowed {
        Why::NoPeersAllowed
    } else if sample.peers < FEW_PEERS && sample.peer_rate <= sample.server_rate {
        Why::FewPeers
    } else {
        Why::Sources
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bound_that_holds_is_told() {
        let base = Sample {
            download_rate: 1000,
            peers: 10,
            peer_rate: 600,
            server_rate: 400,
            peers_allowed: true,
            line_best: Some(10_000),
            ..Sample::default()
        };
        let table = [
            ("nothing holds", base, Why::Sources),
            ("its cap", Sample { cap: Some(1050), ..base }, Why::Cap { limit: 1050 }),
            ("a cap far away", Sample { cap: Some(2000), ..base }, Why::Sources),
            (
                "a cap while playing, a busy disk",
                Sample { cap: Some(1000), playing: true, disk_busy_percent: Some(99), ..base },
                Why::CapWhilePlaying { limit: 1000 },
            ),
            ("a busy disk", Sample { disk_busy_percent: Some(90), ..base }, Why::Disk),
            ("a disk that is not", Sample { disk_busy_percent: Some(89), ..base }, Why::Sources),
            ("a busy processor", Sample { cpu_busy_percent: Some(95), ..base }, Why::Processor),
            ("silence", Sample { download_rate: 0, silent_for: SILENT, ..base }, Why::Silence),
            ("the first moment", Sample { download_rate: 0, ..base }, Why::Unknown),
            ("the line", Sample { line_best: Some(1100), ..base }, Why::Line),
            ("no line known", Sample { line_best: None, ..base }, Why::Sources),
            ("no peers allowed", Sample { peers_allowed: false, ..base }, Why::NoPeersAllowed),
            ("few peers", Sample { peers: 2, peer_rate: 100, server_rate: 900, ..base }, Why::FewPeers),
            ("few good peers", Sample { peers: 2, ..base }, Why::Sources),
            (
                "no overflow",
                Sample { download_rate: u64::MAX, cap: Some(u64::MAX), ..base },
                Why::Cap { limit: u64::MAX },
            ),
        ];
        for (name, sample, expected) in table {
            assert_eq!(why(&sample), expected, "{name}");
        }
    }
}
