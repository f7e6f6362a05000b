//! How busy the processor and a disk are, by whomever: what bounds a download when neither network nor limit does.

use std::collections::VecDeque;
use std::path::Path;
use std::time::Instant;

/// Looks of which the mean is told; at one a second, short enough to notice a change and long enough not to flicker.
const LOOKS: usize = 4;

/// In per cent; none where the system does not tell.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Busy {
    /// Of the time of all cores.
    pub processor: Option<u8>,
    /// Of the time: the disk had at least one request.
    pub disk: Option<u8>,
}

/// Looks again and again at the processor and the disk that a folder is on.
pub(crate) struct Load {
    machine: imp::Machine,
    recent: VecDeque<Busy>,
}

impl Load {
    pub(crate) fn of(folder: &Path) -> Self {
        Self { machine: imp::Machine::of(folder), recent: VecDeque::new() }
    }

    /// Asks the system, which may take a moment: not on the reactor.
    pub(crate) fn look(&mut self, now: Instant) -> Busy {
        self.recent.push_back(self.machine.look(now));
        if self.recent.len() > LOOKS {
            self.recent.pop_front();
        }
        self.mean()
    }

    /// Nothing until there are enough looks: a moment says nothing.
    fn mean(&self) -> Busy {
        let mean = |of: fn(&Busy) -> Option<u8>| {
            let told: Vec<u32> = self.recent.iter().filter_map(of).map(u32::from).collect();
            let sum = (told.len() == LOOKS).then(|| told.iter().sum::<u32>())?;
            u8::try_from(sum / u32::try_from(LOOKS).ok()?).ok()
        };
        Busy { processor: mean(|busy| busy.processor), disk: mean(|busy| busy.disk) }
    }
}

/// Of what all cores did between two moments, each told as all their time and what of it they had nothing to do.
#[cfg(any(target_os = "linux", windows))]
fn used(before: (u64, u64), now: (u64, u64)) -> Option<u8> {
    let (all, idle) = (now.0.checked_sub(before.0)?, now.1.saturating_sub(before.1));
    percent(all.saturating_sub(idle), all)
}

/// A part of a whole, which counters that do not fit each other may exceed.
#[cfg(any(target_os = "linux", windows))]
fn percent(part: u64, whole: u64) -> Option<u8> {
    u8::try_from(part.min(whole).checked_mul(100)?.checked_div(whole)?).ok()
}

#[cfg(target_os = "linux")]
mod imp {
    use std::fs;
    use std::os::unix::fs::MetadataExt as _;
    use std::path::{Path, PathBuf};
    use std::time::Instant;

    use rustix::fs::{major, minor};

    use super::{Busy, percent, used};

    /// What the kernel has counted until some moment.
    pub(super) struct Machine {
        /// The disk's counters; a file system without a disk of its own has none.
        disk: Option<PathBuf>,
        before: Option<(Instant, Counted)>,
    }

    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub(super) struct Counted {
        /// All time of all cores, and what of it they had nothing to do.
        pub(super) cores: Option<(u64, u64)>,
        /// Milliseconds with a request.
        pub(super) disk: Option<u64>,
    }

    impl Machine {
        pub(super) fn of(folder: &Path) -> Self {
            let device = fs::metadata(folder).map(|folder| folder.dev()).ok();
            let counters = |device| format!("/sys/dev/block/{}:{}/stat", major(device), minor(device));
            Self { disk: device.map(|device| counters(device).into()), before: None }
        }

        pub(super) fn look(&mut self, now: Instant) -> Busy {
            let read = |path: &Path| fs::read_to_string(path).ok();
            let counted = Counted {
                cores: read(Path::new("/proc/stat")).and_then(|told| cores(&told)),
                disk: self.disk.as_deref().and_then(read).and_then(|told| disk(&told)),
            };
            let before = self.before.replace((now, counted));
            before.map_or_else(Busy::default, |(then, before)| {
                between(&before, &counted, now.saturating_duration_since(then).as_millis())
            })
        }
    }

    /// `proc_stat(5)`: user, nice, system, idle, iowait, irq, softirq, steal. Guests are counted in user already.
    pub(super) fn cores(told: &str) -> Option<(u64, u64)> {
        let mut words = told.lines().next()?.strip_prefix("cpu ")?.split_whitespace();
        let mut times = [0; 8];
        for time in &mut times {
            *time = words.next()?.parse().ok()?;
        }
        let [.., idle, waits, _, _, _] = times;
        Some((times.iter().sum(), idle + waits))
    }

    /// The kernel's `Documentation/block/stat.rst`: the tenth is `io_ticks`.
    pub(super) fn disk(told: &str) -> Option<u64> {
        told.split_whitespace().nth(9)?.parse().ok()
    }

    pub(super) fn between(before: &Counted, now: &Counted, passed_ms: u128) -> Busy {
        let processor = before.cores.zip(now.cores).and_then(|(before, now)| used(before, now));
        let disk = before
            .disk
            .zip(now.disk)
            .and_then(|(before, now)| percent(now.checked_sub(before)?, u64::try_from(passed_ms).ok()?));
        Busy { processor, disk }
    }
}

#[cfg(windows)]
mod imp {
    use std::path::Path;
    use std::time::Instant;

    use windows::System::Diagnostics::SystemDiagnosticInfo;

    use super::{Busy, used};

    /// Of a disk the system tells only through counters that have no safe wrapper.
    pub(super) struct Machine(Option<(u64, u64)>);

    impl Machine {
        pub(super) fn of(_folder: &Path) -> Self {
            Self(None)
        }

        pub(super) fn look(&mut self, _now: Instant) -> Busy {
            let now = cores().ok();
            let before = std::mem::replace(&mut self.0, now);
            Busy { processor: before.zip(now).and_then(|(before, now)| used(before, now)), disk: None }
        }
    }

    /// All time of all cores, and what of it they had nothing to do; the kernel's time has that in it.
    fn cores() -> windows::core::Result<(u64, u64)> {
        let report = SystemDiagnosticInfo::GetForCurrentSystem()?.CpuUsage()?.GetReport()?;
        let time = |told: windows::Foundation::TimeSpan| u64::try_from(told.Duration).unwrap_or(0);
        let all = time(report.KernelTime()?).saturating_add(time(report.UserTime()?));
        Ok((all, time(report.IdleTime()?)))
    }
}

#[cfg(not(any(target_os = "linux", windows)))]
mod imp {
    /// Nobody tells.
    pub(super) struct Machine;

    impl Machine {
        pub(super) fn of(_folder: &std::path::Path) -> Self {
            Self
        }

        pub(super) fn look(&mut self, _now: std::time::Instant) -> super::Busy {
            super::Busy::default()
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::time::Duration;

    use super::imp::{Counted, between, cores, disk};
    use super::*;

    #[test]
    fn what_the_kernel_tells_is_read() {
        let told = "cpu  100 20 30 400 50 6 7 8 99 9\ncpu0 1 1 1 1 1 1 1 1 1 1\n";
        assert_eq!(cores(told), Some((621, 450)));
        for strange in ["", "cpu", "cpu 1 2 3", "cpu a b c d e f g h", "cpu0 1 2 3 4 5 6 7 8 9 10"] {
            assert_eq!(cores(strange), None, "{strange}");
        }
        assert_eq!(disk("  1 2 3 4 5 6 7 8 9 1234 11 12 13 14 15 16 17\n"), Some(1234));
        assert_eq!(disk("1 2 3"), None);
    }

    #[test]
    fn shares_of_time_in_a_table() {
        let cores = |all, idle| Counted { cores: Some((all, idle)), disk: None };
        let disk = |ms| Counted { cores: None, disk: Some(ms) };
        let none = Counted { cores: None, disk: None };
        for (before, now, processor, busy) in [
            (cores(100, 50), cores(300, 50), Some(100), None),
            (cores(100, 50), cores(300, 200), Some(25), None),
            // Counters that began anew, or stand still, tell nothing.
            (cores(300, 50), cores(100, 50), None, None),
            (cores(100, 50), cores(100, 50), None, None),
            (disk(5), disk(905), None, Some(90)),
            (disk(5), disk(5), None, Some(0)),
            (disk(5), disk(5000), None, Some(100)),
            (disk(5), disk(4), None, None),
            (none, disk(4), None, None),
        ] {
            let told = between(&before, &now, 1000);
            assert_eq!(told, Busy { processor, disk: busy }, "{before:?} {now:?}");
        }
    }

    #[test]
    fn only_several_looks_tell_something() {
        let mut load = Load::of(&std::env::temp_dir());
        let start = Instant::now();
        let look = |second| start + Duration::from_secs(second);
        for second in 0..LOOKS as u64 {
            assert_eq!(load.look(look(second)), Busy::default(), "{second}");
        }
        // The first had nothing to compare with.
        load.recent = [10, 20, 30, 41].map(|percent| Busy { processor: Some(percent), disk: None }).into();
        assert_eq!(load.mean(), Busy { processor: Some(25), disk: None });
    }
}
