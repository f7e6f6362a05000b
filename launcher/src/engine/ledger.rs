//! The seed ledger: bytes in and out, per release and source, over the life of an install.

use manifests::folder::{InstallDir, Ledger};

use crate::engine::snapshot::SourceBytes;

/// Adds to a release's line. A ledger that cannot be written must not fail what it counts.
pub(crate) fn add(dir: &InstallDir, release: &str, received: &SourceBytes, sent: u64) {
    if *received == SourceBytes::default() && sent == 0 {
        return;
    }
    let mut ledger = dir.ledger();
    let entry = ledger.releases.entry(release.to_owned()).or_default();
    for (sum, more) in [
        (&mut entry.bytes_local, received.local),
        (&mut entry.bytes_lan, received.lan),
        (&mut entry.bytes_peers, received.all_peers()),
        (&mut entry.bytes_web, received.web),
        (&mut entry.bytes_origin, received.origin()),
        (&mut entry.bytes_sent, sent),
    ] {
        *sum = sum.saturating_add(more);
    }
    if let Err(error) = dir.put_ledger(&ledger) {
        tracing::warn!(%error, "the seed ledger cannot be written");
    }
}

/// The sums over all releases: received, sent.
pub(crate) fn sums(ledger: &Ledger) -> (SourceBytes, u64) {
    ledger.releases.values().fold((SourceBytes::default(), 0), |(received, sent), entry| {
        let seedbox = entry.bytes_origin.saturating_sub(entry.bytes_web);
        let more = SourceBytes {
            local: entry.bytes_local,
            lan: entry.bytes_lan,
            peers: entry.bytes_peers.saturating_sub(seedbox),
            seedbox,
            web: entry.bytes_web,
        };
        (received.plus(&more), sent + entry.bytes_sent)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_add_up_over_runs_and_releases() {
        let temp = tempfile::tempdir().unwrap();
        let dir = InstallDir::create(temp.path(), "maple", false).unwrap();
        let some = SourceBytes { local: 1, lan: 2, peers: 3, seedbox: 4, web: 5 };
        add(&dir, "1.0", &some, 6);
        add(&dir, "1.0", &some, 0);
        add(&dir, "1.1", &SourceBytes { web: 10, ..SourceBytes::default() }, 1);
        let (received, sent) = sums(&dir.ledger());
        assert_eq!(received, SourceBytes { local: 2, lan: 4, peers: 6, seedbox: 8, web: 20 });
        assert_eq!(sent, 7);
    }
}
