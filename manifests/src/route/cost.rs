//! What a route costs the player, and what counts how much.
//!
//! Figures are integers, so that every machine chooses alike. Rates are of one core of a machine of today, measured with
//! the peers of this project; they tell candidates apart, they promise no times.

use crate::pack::{Frame, Method, View};

const SECOND: u64 = 1_000_000;
const MB: u64 = 1_000_000;

/// SHA-256 with the processor's own instructions: 1.7–1.8 GB/s measured.
const HASH_RATE: u64 = 1_700 * MB;
/// Copying in memory: 9.5 GB/s measured.
const COPY_RATE: u64 = 9_500 * MB;
/// What zstd yields: 1.0–2.5 GB/s measured.
const ZSTD_RATE: u64 = 1_000 * MB;
/// Compressed LZMA2 read: the 3.6 MB patch that took 0.14 s longer than the same one in zstd.
const XZ_RATE: u64 = 25 * MB;
/// What a suffix-array delta yields: 11 MB in 0.03–0.08 s measured.
const DELTA_RATE: u64 = 200 * MB;
/// Deflate streams rebuilt bit for bit: about 4 MB a second measured.
const REFLATE_RATE: u64 = 4 * MB;
/// Plain text of base streams that are opened for reference (inflate).
const INFLATE_RATE: u64 = 250 * MB;
/// The disk an install lies on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Disk {
    /// With heads that move: 120 MB/s and 8 ms for each file, as drives of 7,200 turns do.
    Hdd,
    /// Without: 800 MB/s written and synced (0.8–1.6 measured), 0.5 ms for each file (18,000 files took 5–12 s).
    #[default]
    Ssd,
}

impl Disk {
    fn write_rate(self) -> u64 {
        match self {
            Self::Hdd => 120 * MB,
            Self::Ssd => 800 * MB,
        }
    }

    fn file_micros(self) -> u64 {
        match self {
            Self::Hdd => 8_000,
            Self::Ssd => 500,
        }
    }

    /// `--disk`, JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hdd => "hdd",
            Self::Ssd => "ssd",
        }
    }
}

/// Where a route is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Environment {
    /// Bytes a second expected of all sources together.
    pub source_rate: u64,
    /// The disk.
    pub disk: Disk,
    /// Cores that rebuild frames.
    pub cores: u32,
}

impl Default for Environment {
    /// 50 Mbit/s, a disk without heads, four cores.
    fn default() -> Self {
        Self { source_rate: 6_250_000, disk: Disk::Ssd, cores: 4 }
    }
}

/// How much each cost counts, in thousandths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Weights {
    /// Of a microsecond the player waits.
    pub time: u64,
    /// Of a payload byte.
    pub network: u64,
    /// Of a byte written.
    pub disk: u64,
    /// Of a byte of temporary space.
    pub temp: u64,
    /// Of a microsecond of processor time.
    pub cpu: u64,
}

impl Weights {
    /// Payload bytes and nothing else.
    pub const NETWORK_ONLY: Self = Self { time: 0, network: 1000, disk: 0, temp: 0, cpu: 0 };

    /// What `costs` come to, in microseconds (in bytes for [`Weights::NETWORK_ONLY`]).
    pub fn weigh(&self, costs: &Costs) -> u64 {
        let sum = [
            (self.time, costs.time_micros),
            (self.network, costs.network.payload()),
            (self.disk, costs.disk_written),
            (self.temp, costs.temp_peak),
            (self.cpu, costs.cpu_micros),
        ];
        let sum: u128 = sum.iter().map(|(weight, cost)| u128::from(*weight) * u128::from(*cost)).sum();
        u64::try_from(sum / 1000).unwrap_or(u64::MAX)
    }
}

impl Default for Weights {
    /// Time counts whole. A second of one core counts a quarter (heat, noise, battery), a megabyte fetched 50 ms (it is
    /// somebody's uplink), a megabyte written 1 ms (flash wears), a gigabyte of temporary space 1 s.
    fn default() -> Self {
        Self { time: 1000, network: 50, disk: 1, temp: 1, cpu: 250 }
    }
}

/// Bytes over the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Network {
    /// Of packs: the 16 KiB blocks that hold the frames, without those in the cache.
    pub pack: u64,
    /// Of packs' indexes: of all that were fetched so that candidates could be compared, whichever is taken. The same for
    /// every candidate.
    pub index: u64,
    /// Of the target's content torrent.
    pub content: u64,
    /// Of earlier releases' files, to heal base data.
    pub heal: u64,
    /// Not payload: leaf hashes and checksums that this candidate still has to fetch. Torrents and signed documents are
    /// not counted.
    pub metadata: u64,
}

impl Network {
    /// What is promised and compared: everything but metadata.
    pub fn payload(&self) -> u64 {
        self.pack + self.index + self.content + self.heal
    }
}

/// What a candidate costs.
///
/// A real run counts the same way: `bytes_written` is [`Costs::disk_written`] and `temp_bytes_peak` is
/// [`Costs::temp_peak`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Costs {
    /// Bytes over the network.
    pub network: Network,
    /// Bytes written: staged files in their full length, each once (`plan::Costs::bytes_written`), the fetched blocks of
    /// pack files (the cache), healed base files and files between two steps as far as they are written. Indexes,
    /// journal, records and leaf hashes are not counted.
    pub disk_written: u64,
    /// Most space needed on top of the install as it is: all of the above lies side by side just before the commit.
    pub temp_peak: u64,
    /// Processor time, all cores together.
    pub cpu_micros: u64,
    /// Files written: each has a price of its own.
    pub files_written: u64,
    /// Time from start to end.
    pub time_micros: u64,
}

impl Costs {
    /// The time it takes elsewhere: fetching and rebuilding overlap, what is written must reach the disk, and each file
    /// has a price.
    pub fn time_in(&self, environment: &Environment) -> u64 {
        let network = micros(self.network.payload() + self.network.metadata, environment.source_rate.max(1));
        let cpu = self.cpu_micros / u64::from(environment.cores.max(1));
        let disk = micros(self.disk_written, environment.disk.write_rate())
            .saturating_add(self.files_written.saturating_mul(environment.disk.file_micros()));
        network.max(cpu).saturating_add(disk)
    }
}

/// Processor time one frame takes, in microseconds, base data and hashing of its output included.
pub(crate) fn frame_micros(frame: &Frame) -> u64 {
    let (plain, output) = (u64::from(frame.plain_len), u64::from(frame.output_len));
    let decode = match frame.method {
        Method::Stored => micros(plain, COPY_RATE),
        Method::Zstd | Method::OpenedZstd => micros(plain, ZSTD_RATE),
        Method::Xz | Method::OpenedXz => micros(u64::from(frame.len), XZ_RATE) + micros(plain, ZSTD_RATE),
        Method::Delta => micros(plain, DELTA_RATE),
        Method::DeltaXz => micros(u64::from(frame.len), XZ_RATE) + micros(plain, DELTA_RATE),
    };
    let reflate = if frame.method.is_opened() { micros(output, REFLATE_RATE) } else { 0 };
    let prefix = frame.prefix.iter().map(|range| match range.view {
        View::Raw => micros(u64::from(range.len), COPY_RATE),
        View::Opened => micros(u64::from(range.len), INFLATE_RATE),
    });
    decode + reflate + prefix.sum::<u64>()
}

/// Processor time for bytes that are copied and hashed.
pub(crate) fn staged_micros(bytes: u64) -> u64 {
    micros(bytes, HASH_RATE) + micros(bytes, COPY_RATE)
}

fn micros(bytes: u64, rate: u64) -> u64 {
    u64::try_from(u128::from(bytes) * u128::from(SECOND) / u128::from(rate.max(1))).unwrap_or(u64::MAX)
}
