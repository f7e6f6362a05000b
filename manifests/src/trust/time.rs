//! Wall-clock time as metadata knows it. Whoever calls `trust` says what time it is.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Seconds since 1970-01-01T00:00:00Z. Shown and written as `2026-01-31T12:00:00Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct UnixTime(pub i64);

impl UnixTime {
    const DAY: i64 = 86_400;

    /// This time and `days` days, saturating.
    #[must_use]
    pub fn plus_days(self, days: u32) -> Self {
        Self(self.0.saturating_add(i64::from(days).saturating_mul(Self::DAY)))
    }

    /// This time and `seconds` seconds, saturating.
    #[must_use]
    pub fn plus_seconds(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds))
    }

    /// From a clock's reading; times before 1970 become 1970.
    pub fn from_system(time: std::time::SystemTime) -> Self {
        let since = time.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Self(i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
    }

    pub(crate) fn to_jiff(self) -> Timestamp {
        let end = if self.0 < 0 { Timestamp::MIN } else { Timestamp::MAX };
        Timestamp::from_second(self.0).unwrap_or(end)
    }

    pub(crate) fn from_jiff(time: Timestamp) -> Self {
        Self(time.as_second())
    }
}

impl fmt::Display for UnixTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.to_jiff())
    }
}

impl Serialize for UnixTime {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for UnixTime {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map(Self::from_jiff).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form() {
        let time = UnixTime(1_790_000_000);
        assert_eq!(time.to_string(), "2026-09-21T14:13:20Z");
        let json = serde_json::to_string(&time).unwrap();
        assert_eq!(serde_json::from_str::<UnixTime>(&json).unwrap(), time);
        assert_eq!(UnixTime(0).plus_days(1), UnixTime(86_400));
        assert_eq!(UnixTime(i64::MAX).plus_days(1), UnixTime(i64::MAX));
        // A year has four digits in TUF metadata; the ends of time stay representable.
        assert_eq!(UnixTime(i64::MAX).to_jiff(), Timestamp::MAX);
    }
}
