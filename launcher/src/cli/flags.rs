//! Options that several commands share, and how their values are read.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use manifests::route::Weights;

use crate::engine::{Linger, Preference, Sources};

/// The folder.
#[derive(Debug, Args)]
pub struct DirArgs {
    /// The install folder.
    #[arg(long, value_name = "DIR")]
    pub dir: PathBuf,
}

/// Where bytes may come from.
#[derive(Debug, Args)]
pub struct SourceArgs {
    /// Take nothing from peers and send them nothing.
    #[arg(long, conflicts_with = "no_web")]
    pub no_peers: bool,
    /// Take game files from peers alone (signed metadata still comes from the repository).
    #[arg(long)]
    pub no_web: bool,
}

impl SourceArgs {
    pub(super) fn sources(&self) -> Sources {
        Sources { peers: !self.no_peers, web: !self.no_web }
    }
}

/// What to do when the game runs.
#[derive(Debug, Clone, Copy, Args)]
pub struct WaitArgs {
    /// When the game or another program uses the folder, wait until it ends instead of failing.
    #[arg(long)]
    pub wait: bool,
}

/// How to take part in the swarm.
#[derive(Debug, Args)]
pub struct SwarmArgs {
    /// Where peers may reach this launcher, for example 0.0.0.0:6881; port 0 takes any free one.
    #[arg(long, value_name = "ADDR", default_value = "0.0.0.0:0")]
    pub listen: SocketAddr,
    /// Most bytes per second to send to peers; k, M and G (powers of ten) are understood.
    #[arg(long, value_name = "BYTES", value_parser = parse_rate)]
    pub upload_limit: Option<u64>,
    /// Most bytes per second to receive.
    #[arg(long, value_name = "BYTES", value_parser = parse_rate)]
    pub download_limit: Option<u64>,
    /// Space that packs of updates may take in .samara, so that others can have them from here; k, M and G are
    /// understood, 0 keeps none. Without it: a tenth of the game, at most 2 GiB.
    #[arg(long, value_name = "BYTES", value_parser = parse_size)]
    pub pack_quota: Option<u64>,
    /// Give up after this long without any byte from any source.
    #[arg(long, value_name = "SECONDS", default_value = "180", value_parser = parse_seconds)]
    pub patience: Duration,
}

/// Which route to take.
#[derive(Debug, Args)]
pub struct RouteArgs {
    /// What makes a route the best: `default` weighs time, network, disk and processor, `network` counts received bytes
    /// and nothing else.
    #[arg(long, value_name = "NAME", default_value = "default", value_enum)]
    pub weights: WeightsArg,
    /// Take this one of the routes that `plan` shows, whatever it costs.
    #[arg(long, value_name = "NAME")]
    pub route: Option<String>,
    /// Bytes per second that all sources together are expected to send, for weighing received bytes against the rest; k, M
    /// and G are understood. Without it: what --download-limit allows of 6.25M.
    #[arg(long, value_name = "BYTES", value_parser = parse_rate)]
    pub source_rate: Option<u64>,
    /// Another install on this machine, of any game: its files are copied where they are the same. May be repeated.
    #[arg(long, value_name = "DIR")]
    pub reuse_from: Vec<PathBuf>,
}

/// See [`RouteArgs::weights`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum WeightsArg {
    /// Everything, weighed.
    Default,
    /// Received bytes.
    Network,
}

impl WeightsArg {
    pub(super) fn weights(self) -> Weights {
        match self {
            Self::Default => Weights::default(),
            Self::Network => Weights::NETWORK_ONLY,
        }
    }
}

impl RouteArgs {
    pub(super) fn preference(&self) -> Preference {
        Preference {
            weights: self.weights.weights(),
            route: self.route.clone(),
            source_rate: self.source_rate,
            reuse_from: self.reuse_from.clone(),
        }
    }
}

/// Whether to seed after the work is done.
#[derive(Debug, Args)]
pub struct LingerArgs {
    /// Afterwards, offer the game to other players until Ctrl-C.
    #[arg(long)]
    pub seed: bool,
    /// Afterwards, offer the game to other players for this long.
    #[arg(long, value_name = "SECONDS", value_parser = parse_seconds, conflicts_with = "seed")]
    pub seed_for: Option<Duration>,
}

impl LingerArgs {
    pub(super) fn linger(&self) -> Linger {
        match (self.seed, self.seed_for) {
            (true, _) => Linger::UntilPaused,
            (false, Some(time)) => Linger::For(time),
            (false, None) => Linger::No,
        }
    }
}

pub(super) fn parse_rate(text: &str) -> Result<u64, String> {
    match parse_size(text)? {
        0 => Err("expected more than 0".to_owned()),
        rate => Ok(rate),
    }
}

pub(super) fn parse_size(text: &str) -> Result<u64, String> {
    let (digits, unit) = match text.char_indices().last() {
        Some((at, 'k' | 'K')) => (&text[..at], 1_000),
        Some((at, 'm' | 'M')) => (&text[..at], 1_000_000),
        Some((at, 'g' | 'G')) => (&text[..at], 1_000_000_000),
        _ => (text, 1),
    };
    let number: u64 = digits.parse().map_err(|_| "expected a number such as 500k or 20M".to_owned())?;
    number.checked_mul(unit).ok_or_else(|| "expected less than 16 E".to_owned())
}

pub(super) fn parse_seconds(text: &str) -> Result<Duration, String> {
    match text.parse::<f64>() {
        Ok(seconds) if seconds.is_finite() && (0.0..1e9).contains(&seconds) => {
            Ok(Duration::from_secs_f64(seconds))
        }
        _ => Err("expected seconds, such as 30".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_understand_units() {
        for (text, rate) in [
            ("20M", Some(20_000_000)),
            ("500k", Some(500_000)),
            ("7", Some(7)),
            ("", None),
            ("M", None),
            ("0", None),
            ("99999999999G", None),
            ("1é", None),
        ] {
            assert_eq!(parse_rate(text).ok(), rate, "{text}");
        }
    }
}
