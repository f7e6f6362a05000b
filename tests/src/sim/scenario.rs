//! What is simulated, as data.

use std::time::Duration;

use protocol::metainfo::Mode;

/// What goes wrong. Probabilities are per node unless stated otherwise.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    /// Per connection and second: it breaks.
    pub disconnect_per_second: f64,
    /// Per node and second: its process gets no turn for up to [`Faults::LONGEST_FREEZE`]; its line goes on.
    pub freeze_per_second: f64,
    /// Launchers that flip a bit in every block they send.
    pub liars: usize,
    /// Launchers that accept requests and never answer.
    pub stallers: usize,
    /// Launchers with a tenth of their group's rates.
    pub slow: usize,
    /// Launchers that nobody can connect to.
    pub natted: usize,
}

impl Faults {
    /// See [`Faults::freeze_per_second`].
    pub const LONGEST_FREEZE: Duration = Duration::from_secs(8);
}

/// Nodes of one kind.
#[derive(Clone, Copy, Debug)]
pub struct Group {
    /// How many.
    pub count: usize,
    /// Whether they are seedboxes (and so have everything).
    pub seedbox: bool,
    /// Whether they have everything from the start.
    pub complete: bool,
    /// Bytes a second of their line, upwards and downwards.
    pub up: u64,
    /// See `up`.
    pub down: u64,
    /// They join one after the other within this time.
    pub joining: Duration,
    /// How long they stay once they have everything; `None`: for ever.
    pub linger: Option<Duration>,
}

impl Group {
    /// One seedbox with this line.
    pub fn seedbox(up: u64) -> Group {
        Group {
            count: 1,
            seedbox: true,
            complete: true,
            up,
            down: 1_000_000_000,
            joining: Duration::ZERO,
            linger: None,
        }
    }

    /// Launchers that join at once and stay.
    pub fn launchers(count: usize, up: u64, down: u64) -> Group {
        Group { count, seedbox: false, complete: false, up, down, joining: Duration::ZERO, linger: None }
    }
}

/// One simulated world.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Every random choice comes from it.
    pub seed: u64,
    /// The kind of torrent.
    pub mode: Mode,
    /// Lengths of the files in bytes.
    pub files: Vec<u64>,
    /// Bytes in a piece.
    pub piece_len: u32,
    /// Who takes part.
    pub groups: Vec<Group>,
    /// One way between two nodes: from a quarter of this to all of it.
    pub latency: Duration,
    /// Whether the seedboxes also serve by HTTP, on the same line.
    pub web: bool,
    /// Whether launchers know the leaf hashes.
    pub leaves: bool,
    /// Whether the limit of a line is also told to the machine, as a user's setting would be.
    pub told_rates: bool,
    /// Connections a node may have.
    pub max_peers: usize,
    /// What goes wrong.
    pub faults: Faults,
    /// The run ends here at the latest.
    pub time_limit: Duration,
}

impl Scenario {
    /// One file, one seedbox and so many launchers on equal lines; nothing goes wrong.
    pub fn simple(seed: u64, launchers: usize, len: u64, up: u64) -> Scenario {
        Scenario {
            seed,
            mode: Mode::Hybrid,
            files: vec![len],
            piece_len: 1024 * 1024,
            groups: vec![Group::seedbox(up), Group::launchers(launchers, up, 1_000_000_000)],
            latency: Duration::from_millis(1),
            web: true,
            leaves: true,
            told_rates: false,
            max_peers: 100,
            faults: Faults::default(),
            time_limit: Duration::from_secs(600),
        }
    }

    /// A seedbox and three launchers on a machine that is too busy: each stands still for seconds, again and again. A
    /// game of many small files, without a web seed.
    pub fn frozen(seed: u64) -> Scenario {
        Scenario {
            files: (0..1500).map(|n| n * 7919 % 12_000).chain([4_000_000]).collect(),
            piece_len: 64 * 1024,
            web: false,
            faults: Faults { freeze_per_second: 0.15, ..Faults::default() },
            ..Scenario::simple(seed, 3, 0, 1_000_000)
        }
    }

    /// The least time, in seconds, in which all launchers can have everything: no line can be faster, and a seedbox
    /// must send at least one copy.
    pub fn bound_secs(&self) -> f64 {
        let len = self.files.iter().sum::<u64>() as f64;
        let seeds: f64 =
            self.groups.iter().filter(|g| g.complete).map(|g| (g.count as u64 * g.up) as f64).sum();
        let leechers = || self.groups.iter().filter(|g| !g.complete);
        let up: f64 = leechers().map(|g| (g.count as u64 * g.up) as f64).sum();
        let count: f64 = leechers().map(|g| g.count as f64).sum();
        let slowest = leechers().map(|g| g.down).min().unwrap_or(u64::MAX) as f64;
        (len / seeds).max(len * count / (seeds + up)).max(len / slowest)
    }
}
