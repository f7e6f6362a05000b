//! Bodies of scrape answers (BEP 48).

use super::TrackerFault;
use crate::bencode::{Limits, Owned, Value};
use crate::units::WireHash;
use std::collections::BTreeMap;

/// The state of one swarm.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScrapeEntry {
    /// Seeds.
    pub complete: u32,
    /// How often the download was completed.
    pub downloaded: u32,
    /// Leechers.
    pub incomplete: u32,
}

/// As a body.
#[must_use]
pub fn encode_scrape(entries: &[(WireHash, ScrapeEntry)]) -> Vec<u8> {
    let files = entries.iter().map(|(hash, entry)| {
        let fields = [
            ("complete", entry.complete),
            ("downloaded", entry.downloaded),
            ("incomplete", entry.incomplete),
        ];
        (hash.0.to_vec(), Owned::dict(fields.map(|(name, count)| (name, Owned::Int(i64::from(count))))))
    });
    Owned::dict([("files", Owned::Dict(files.collect()))]).encode()
}

/// Reads a body.
///
/// # Errors
/// [`TrackerFault`]
pub fn decode_scrape(body: &[u8]) -> Result<BTreeMap<WireHash, ScrapeEntry>, TrackerFault> {
    let value = Value::parse(body, Limits::TRACKER).map_err(|_| TrackerFault::BadResponse)?;
    if let Some(reason) = value.get("failure reason").and_then(Value::as_bytes) {
        return Err(TrackerFault::Refused(String::from_utf8_lossy(reason).into_owned()));
    }
    let files = value.get("files").and_then(Value::as_dict).ok_or(TrackerFault::BadResponse)?;
    let entries = files.iter().filter_map(|(hash, entry)| {
        let count = |name: &str| entry.get(name).and_then(Value::as_uint).unwrap_or(0);
        let entry = ScrapeEntry {
            complete: count("complete"),
            downloaded: count("downloaded"),
            incomplete: count("incomplete"),
        };
        Some((WireHash::from_slice(hash)?, entry))
    });
    Ok(entries.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trips() {
        let entry = |n| ScrapeEntry { complete: n, downloaded: n + 1, incomplete: n + 2 };
        let entries = [(WireHash([9; 20]), entry(5)), (WireHash([1; 20]), entry(0))];
        assert_eq!(decode_scrape(&encode_scrape(&entries)), Ok(BTreeMap::from(entries)));
        assert_eq!(decode_scrape(b"de"), Err(TrackerFault::BadResponse));
    }
}
