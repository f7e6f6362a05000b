//! What is counted, as OpenMetrics (base units, no ids as labels).

use axum::http::StatusCode;
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use std::sync::{Mutex, PoisonError};

/// The kinds of things served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Route {
    /// TUF metadata, targets, torrents.
    Static,
    /// Web seed by path.
    Files,
    /// Web seed by content.
    Blobs,
    /// Packs and their indexes.
    Packs,
    /// Tracker.
    Tracker,
    /// Health and metrics.
    Admin,
    /// Anything else.
    Other,
}

impl Route {
    fn label(self) -> &'static str {
        match self {
            Route::Static => "static",
            Route::Files => "files",
            Route::Blobs => "blobs",
            Route::Packs => "packs",
            Route::Tracker => "tracker",
            Route::Admin => "admin",
            Route::Other => "other",
        }
    }

    /// By the first part of a path.
    pub(crate) fn of(path: &str) -> Route {
        match path.split('/').nth(1).unwrap_or_default() {
            "metadata" | "targets" | "torrents" | "repository.json" => Route::Static,
            "files" => Route::Files,
            "blobs" => Route::Blobs,
            "packs" => Route::Packs,
            "announce" | "scrape" => Route::Tracker,
            "livez" | "readyz" | "metrics" => Route::Admin,
            _ => Route::Other,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    route: &'static str,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    route: &'static str,
}

/// What is measured at the moment it is asked for.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Now {
    pub(crate) connections: usize,
    pub(crate) releases: usize,
    pub(crate) packs: usize,
    pub(crate) swarms: usize,
    pub(crate) peers: usize,
    pub(crate) peer_bytes: u64,
    pub(crate) metadata_expires: i64,
}

/// The counters, cheap to count in.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    sent: Family<RouteLabels, Counter>,
    refused: Counter,
    announces: Counter,
    peer_sent: Counter,
    gauges: [Gauge; 6],
    scrape: Mutex<()>,
}

impl Metrics {
    pub(crate) fn new() -> Metrics {
        let mut registry = Registry::with_prefix("seedbox");
        let requests = Family::default();
        registry.register("http_requests", "Requests answered, by kind and status", requests.clone());
        let sent = Family::default();
        registry.register_with_unit("http_sent", "Bytes of bodies sent, by kind", Unit::Bytes, sent.clone());
        let refused = Counter::default();
        registry.register("http_connections_refused", "Connections over a limit", refused.clone());
        let announces = Counter::default();
        registry.register("tracker_announces", "Announces answered with peers", announces.clone());
        let peer_sent = Counter::default();
        registry.register_with_unit("peer_sent", "Payload sent to peers", Unit::Bytes, peer_sent.clone());
        let gauges: [Gauge; 6] = Default::default();
        let [connections, releases, packs, swarms, peers, expires] = &gauges;
        registry.register("http_connections", "Open connections", connections.clone());
        registry.register("releases", "Releases offered", releases.clone());
        registry.register("packs", "Packs offered", packs.clone());
        registry.register("swarms", "Torrents seeded", swarms.clone());
        registry.register("peers", "Peers connected", peers.clone());
        let help = "When the signed timestamp expires, as Unix time";
        registry.register_with_unit("metadata_expiry_timestamp", help, Unit::Seconds, expires.clone());
        let scrape = Mutex::default();
        Metrics { registry, requests, sent, refused, announces, peer_sent, gauges, scrape }
    }

    pub(crate) fn answered(&self, route: Route, status: StatusCode) {
        let labels = RequestLabels { route: route.label(), status: status.as_u16() };
        self.requests.get_or_create(&labels).inc();
    }

    pub(crate) fn sent(&self, route: Route, bytes: u64) {
        self.sent.get_or_create(&RouteLabels { route: route.label() }).inc_by(bytes);
    }

    pub(crate) fn refused(&self) {
        self.refused.inc();
    }

    pub(crate) fn announced(&self) {
        self.announces.inc();
    }

    /// Bytes of bodies sent so far.
    pub(crate) fn sent_so_far(&self, route: Route) -> u64 {
        self.sent.get_or_create(&RouteLabels { route: route.label() }).get()
    }

    /// Announces answered so far.
    pub(crate) fn announces_so_far(&self) -> u64 {
        self.announces.get()
    }

    /// The page, or why not.
    pub(crate) fn page(&self, now: &Now) -> Result<String, std::fmt::Error> {
        // Two scrapes at once would both add the same growth of the peers' bytes.
        let _one = self.scrape.lock().unwrap_or_else(PoisonError::into_inner);
        self.peer_sent.inc_by(now.peer_bytes.saturating_sub(self.peer_sent.get()));
        let [connections, releases, packs, swarms, peers, expires] = &self.gauges;
        let set = |gauge: &Gauge, value: usize| gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
        set(connections, now.connections);
        set(releases, now.releases);
        set(packs, now.packs);
        set(swarms, now.swarms);
        set(peers, now.peers);
        expires.set(now.metadata_expires);
        let mut page = String::new();
        text::encode(&mut page, &self.registry)?;
        Ok(page)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_base_units_and_no_ids() {
        let metrics = Metrics::new();
        metrics.answered(Route::of("/blobs/ab-1"), StatusCode::PARTIAL_CONTENT);
        metrics.sent(Route::Blobs, 10);
        let now = Now { peer_bytes: 7, peers: 2, metadata_expires: 99, ..Now::default() };
        metrics.page(&now).unwrap();
        let page = metrics.page(&now).unwrap();
        for line in [
            "seedbox_http_requests_total{route=\"blobs\",status=\"206\"} 1",
            "seedbox_http_sent_bytes_total{route=\"blobs\"} 10",
            "seedbox_peer_sent_bytes_total 7",
            "seedbox_peers 2",
            "seedbox_metadata_expiry_timestamp_seconds 99",
            "# EOF",
        ] {
            assert!(page.lines().any(|l| l == line), "{line} in\n{page}");
        }
    }

    #[test]
    fn routes_by_the_first_part() {
        let table = [
            ("/metadata/root.json", Route::Static),
            ("/files/x/y", Route::Files),
            ("/packs/ab-1.pack", Route::Packs),
            ("/announce", Route::Tracker),
            ("/livez", Route::Admin),
            ("/", Route::Other),
            ("", Route::Other),
        ];
        for (path, route) in table {
            assert_eq!(Route::of(path), route, "{path}");
        }
    }
}
