//! What a frame costs the player, so that candidates can be compared: its bytes, and the CPU it takes to rebuild.
//!
//! The CPU is a model of what decoding works on, never a measurement: the choice is a function of the data alone and the
//! same on every machine.

use super::{Encoded, Method};

/// A dearer frame must save so many bytes for each CPU-second of the player more.
const WORTH_BYTES_PER_CPU_S: u64 = 100_000;

/// Nanoseconds of one core for each byte of a kind. Measured on one core of a busy server, on games' programs, texts and
/// images; where figures spread, the one chosen lies in the upper half.
struct Rate {
    /// Of the frame: what the entropy decoder reads.
    frame: u64,
    /// Of what the codec yields.
    plain: u64,
    /// Of the prefix.
    prefix: u64,
}

/// Measured: 0.6–1.3 a byte of plain text, 5–8 a byte of frame where there are many literals.
const ZSTD: Rate = Rate { frame: 6, plain: 1, prefix: 0 };
/// Measured: 3–6 a byte of plain text, 90–200 a byte of frame; the prefix is copied into the window, and filtered.
const LZMA: Rate = Rate { frame: 150, plain: 5, prefix: 3 };
/// Beside the coder: bytes of prefix are added.
const DELTA: Rate = Rate { frame: 0, plain: 3, prefix: 0 };
/// Beside the coder: putting deflate streams together again takes 50–250 a byte of plain text, the most for images that
/// hardly differ in themselves; inflating what they refer to takes 5–10.
const CLOSING: Rate = Rate { frame: 0, plain: 150, prefix: 10 };

/// A frame as [`price`] sees it, in bytes.
#[derive(Debug, Clone, Copy)]
pub struct Work {
    /// How it is decoded.
    pub method: Method,
    /// The frame.
    pub frame: u64,
    /// What the codec yields.
    pub plain: u64,
    /// What it refers to.
    pub prefix: u64,
}

impl Work {
    /// Of a frame made with a prefix of so many bytes.
    pub fn of(encoded: &Encoded, prefix_len: usize) -> Self {
        let (frame, plain) = (encoded.bytes.len() as u64, u64::from(encoded.plain_len));
        Self { method: encoded.method, frame, plain, prefix: prefix_len as u64 }
    }
}

fn nanoseconds(rates: &[Rate], work: Work) -> u64 {
    let of = |rate: &Rate| rate.frame * work.frame + rate.plain * work.plain + rate.prefix * work.prefix;
    rates.iter().map(of).sum()
}

/// The player's price in bytes: those of the frame, and those its CPU is worth.
pub fn price(work: Work) -> u64 {
    let nanoseconds = match work.method {
        Method::Stored => 0,
        Method::Zstd => nanoseconds(&[ZSTD], work),
        Method::Xz => nanoseconds(&[LZMA], work),
        Method::Delta => nanoseconds(&[ZSTD, DELTA], work),
        Method::DeltaXz => nanoseconds(&[LZMA, DELTA], work),
        Method::OpenedZstd => nanoseconds(&[ZSTD, CLOSING], work),
        Method::OpenedXz => nanoseconds(&[LZMA, CLOSING], work),
    };
    work.frame + nanoseconds / (1_000_000_000 / WORTH_BYTES_PER_CPU_S)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cpu_second_must_save_a_hundred_thousand_bytes() {
        let work = |method, frame| Work { method, frame, plain: 8_000_000, prefix: 8_000_000 };
        // 8 MB of plain text: LZMA takes 40 ms and the prefix 24 ms more than zstd its 8 ms, 5.6 KB; and its frame.
        let zstd = price(work(Method::Zstd, 100_000));
        assert_eq!(zstd, 100_000 + 860);
        assert!(price(work(Method::Xz, 91_000)) < zstd && price(work(Method::Xz, 95_000)) > zstd);
        // Closing takes 1.2 s for the text and 80 ms for what it refers to: 128 KB.
        let closed = price(Work { plain: 1_500_000, ..work(Method::Stored, 1_500_000) });
        assert!(price(work(Method::OpenedZstd, 1_370_000)) < closed);
        assert!(price(work(Method::OpenedZstd, 1_375_000)) > closed);
    }
}
