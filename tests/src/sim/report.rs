//! How a run ended.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use protocol::swarm::Ledger;
use protocol::units::Time;

use super::world::{Conduct, Node, World};

/// How a node fared.
#[derive(Clone, Debug)]
pub struct NodeReport {
    /// Whether it is a launcher that plays by the rules.
    pub honest_launcher: bool,
    /// Whether it had everything from the start.
    pub began_complete: bool,
    /// Seconds from joining to having everything.
    pub seconds: Option<f64>,
    /// The longest it waited for the next verified block.
    pub longest_wait: Duration,
    /// Bytes received, by source.
    pub received: Ledger,
    /// Bytes received in vain.
    pub wasted: u64,
    /// Bytes of blocks it sent to peers.
    pub sent: u64,
    /// Bytes it sent as a web seed.
    pub sent_web: u64,
    /// Peers it banned that were honest.
    pub wrongly_banned: usize,
}

/// How a run ended.
#[derive(Clone, Debug)]
pub struct Report {
    /// The scenario's seed.
    pub seed: u64,
    /// Hash over all that happened.
    pub trace: String,
    /// How much happened.
    pub events: u64,
    /// Virtual seconds until the last honest launcher had everything.
    pub seconds: f64,
    /// That, relative to [`crate::sim::Scenario::bound_secs`].
    pub over_bound: f64,
    /// Copies of the content that left the seedboxes, as peers and by web.
    pub copies: f64,
    /// 1 − origin bytes ÷ bytes delivered to honest launchers.
    pub offload: f64,
    /// Requests that were never answered.
    pub requests_lost: usize,
    /// Requests sent, served and rejected.
    pub requests: (u64, u64, u64),
    /// Everyone.
    pub nodes: Vec<NodeReport>,
}

impl World<'_> {
    pub(super) fn report(mut self) -> Report {
        let honest = |n: &Node| n.conduct == Conduct::Honest;
        let requests_lost = self.requests.lost(self.now, |node, conn| {
            let peer = self.nodes[node].links.get(&conn).map(|(peer, _)| &self.nodes[*peer]);
            peer.is_some_and(|peer| honest(peer) && peer.swarm.is_some())
        });
        let by_ip: BTreeMap<IpAddr, bool> = self.nodes.iter().map(|n| (n.addr.ip(), honest(n))).collect();
        let now = self.now;
        let mut nodes = Vec::new();
        for n in &mut self.nodes {
            let stats = n.swarm.as_mut().map_or_else(|| n.stats.clone(), |swarm| swarm.stats(now));
            let took = |done: Time| n.progress.joined_at.map(|joined| done.since(joined).as_secs_f64());
            nodes.push(NodeReport {
                honest_launcher: !n.group.complete && n.conduct == Conduct::Honest,
                began_complete: n.group.complete,
                seconds: n.progress.completed_at.and_then(took),
                longest_wait: n.progress.longest_gap,
                received: stats.received,
                wasted: stats.wasted_bytes,
                sent: n.line.sent_blocks,
                sent_web: n.line.sent_web,
                wrongly_banned: n.bans.iter().filter(|a| by_ip.get(&a.ip()) == Some(&true)).count(),
            });
        }
        let origin: u64 =
            self.nodes.iter().filter(|n| n.group.seedbox).map(|n| n.line.sent_blocks + n.line.sent_web).sum();
        let launchers = nodes.iter().filter(|n| n.honest_launcher).count() as f64;
        let len = self.content.torrent.layout.data_len as f64;
        let seconds = nodes.iter().filter_map(|n| n.seconds).fold(0.0, f64::max);
        let bound = self.scenario.bound_secs();
        Report {
            seed: self.scenario.seed,
            events: self.trace.events,
            trace: std::mem::take(&mut self.trace).finish(),
            seconds,
            over_bound: seconds / bound,
            copies: origin as f64 / len,
            offload: 1.0 - origin as f64 / (len * launchers),
            requests_lost,
            requests: (self.requests.asked, self.requests.answered, self.requests.rejected),
            nodes,
        }
    }
}
