//! CPU time of the calling thread, for reports only: nothing in a pack depends on it.

/// CPU-seconds this thread has used. Where the platform does not tell, seconds that passed.
#[cfg(unix)]
pub(super) fn thread_cpu_s() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// CPU-seconds this thread has used. Where the platform does not tell, seconds that passed.
#[cfg(not(unix))]
#[allow(clippy::disallowed_methods, reason = "a figure in a report; nothing is decided by it")]
pub(super) fn thread_cpu_s() -> f64 {
    use std::sync::OnceLock;
    use std::time::Instant;
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed().as_secs_f64()
}
