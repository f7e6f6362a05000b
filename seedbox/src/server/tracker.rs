//! The HTTP tracker: only our own torrents, on the protocol's swarm table.
//!
//! The seedbox itself is a peer of every swarm without announcing: whoever reached us by some address is told that the
//! peers' listener has the same one, which needs no configuration and is right on loopback, in a LAN and outside.

use super::App;
use super::catalog::Catalog;
use super::connection::Ends;
use super::content::NEVER;
use crate::platform;
use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderValue, Uri, header};
use axum::response::{IntoResponse as _, Response};
use protocol::metainfo::Torrent;
use protocol::tracker::{
    AnnounceEvent, AnnounceRequest, AnnounceResponse, Registration, Table, TableLimits, encode_failure,
    encode_scrape, parse_announce, parse_scrape,
};
use protocol::units::Time;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How often peers that went away without a word are looked for.
const EXPIRE_EVERY: Duration = Duration::from_secs(30);

/// Who is in which swarm.
#[derive(Debug)]
pub(crate) struct Swarms {
    /// Where the seedbox takes peers, if it does.
    own: Option<SocketAddr>,
    epoch: Instant,
    table: Mutex<Timed>,
}

#[derive(Debug)]
struct Timed {
    table: Table,
    expired: Time,
}

impl Swarms {
    pub(crate) fn new(own: Option<SocketAddr>) -> Swarms {
        let table = Timed { table: Table::new(TableLimits::default()), expired: Time::ZERO };
        Swarms { own, epoch: platform::monotonic(), table: Mutex::new(table) }
    }

    /// Tracks the torrents of every release and pack.
    pub(crate) fn follow(&self, catalog: &Catalog) {
        let registration =
            |torrent: &Torrent| Registration { v1: torrent.info_hash_v1, v2: torrent.info_hash_v2 };
        let mut timed = self.lock();
        for live in catalog.releases() {
            for torrent in std::iter::once(&live.hybrid).chain(&live.twin) {
                timed.table.register(registration(torrent));
            }
        }
        for pack in catalog.packs() {
            timed.table.register(registration(&pack.torrent));
        }
    }

    /// Peers that announced this torrent, whole or not.
    pub(crate) fn peers_of(&self, torrent: &Torrent) -> u64 {
        let timed = self.lock();
        let entries = torrent.wire_hashes().filter_map(|hash| timed.table.scrape(hash));
        entries.map(|entry| u64::from(entry.complete) + u64::from(entry.incomplete)).max().unwrap_or(0)
    }

    /// Answers an announce; `None` for a torrent that is not ours.
    fn announce(&self, ends: Ends, request: &AnnounceRequest) -> Option<AnnounceResponse> {
        let now = Time::ZERO + self.epoch.elapsed();
        let mut timed = self.lock();
        if now - timed.expired > EXPIRE_EVERY {
            timed.expired = now;
            timed.table.expire(now);
        }
        let mut answer = timed.table.announce(now, ends.remote.ip(), request, rand::random()).ok()?;
        drop(timed);
        let stays = request.event != Some(AnnounceEvent::Stopped);
        if let Some(own) = self.own_address(ends) {
            answer.complete = answer.complete.map(|seeds| seeds.saturating_add(1));
            if stays && request.left > 0 && request.num_want != Some(0) {
                answer.peers.insert(0, own);
            }
        }
        Some(answer)
    }

    /// Where the client at the other end can reach our peers' listener.
    fn own_address(&self, ends: Ends) -> Option<SocketAddr> {
        let own = self.own?;
        let ip = if own.ip().is_unspecified() { ends.local.ip().to_canonical() } else { own.ip() };
        let heard = own.ip().is_ipv6() || ip.is_ipv4();
        // A listener on loopback is of no use to anybody else.
        let useful = !ip.is_loopback() || ends.remote.ip().to_canonical().is_loopback();
        (heard && useful).then(|| SocketAddr::new(ip, own.port()))
    }

    fn lock(&self) -> MutexGuard<'_, Timed> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `GET /announce?…`: the query holds raw bytes, so it is read as it came.
pub(crate) async fn announce(
    State(app): State<Arc<App>>,
    Extension(ends): Extension<Ends>,
    uri: Uri,
) -> Response {
    let body = match parse_announce(uri.query().unwrap_or_default()) {
        Err(error) => encode_failure(&error.to_string()),
        Ok(request) => match app.swarms.announce(ends, &request) {
            None => encode_failure("this torrent is not tracked here"),
            Some(answer) => {
                app.metrics.announced();
                answer.encode(request.compact)
            }
        },
    };
    bencoded(body)
}

/// `GET /scrape?…`
pub(crate) async fn scrape(State(app): State<Arc<App>>, uri: Uri) -> Response {
    let body = match parse_scrape(uri.query().unwrap_or_default()) {
        Err(error) => encode_failure(&error.to_string()),
        Ok(hashes) => {
            let timed = app.swarms.lock();
            let own_seeds = u32::from(app.swarms.own.is_some());
            let known = |hash| {
                let mut entry = timed.table.scrape(hash)?;
                entry.complete = entry.complete.saturating_add(own_seeds);
                Some((hash, entry))
            };
            let entries: Vec<_> = hashes.into_iter().filter_map(known).collect();
            drop(timed);
            encode_scrape(&entries)
        }
    };
    bencoded(body)
}

/// Trackers say no with 200 (BEP 3): clients do not read the body of anything else.
fn bencoded(body: Vec<u8>) -> Response {
    let headers =
        [(header::CACHE_CONTROL, NEVER), (header::CONTENT_TYPE, HeaderValue::from_static("text/plain"))];
    (headers, body).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_address_is_the_one_we_were_reached_by() {
        let table = [
            // listener, reached at, by, told
            ("0.0.0.0:6881", "192.0.2.1:80", "198.51.100.7:5", Some("192.0.2.1:6881")),
            ("[::]:6881", "[2001:db8::1]:80", "[2001:db8::9]:5", Some("[2001:db8::1]:6881")),
            ("[::]:6881", "[::ffff:192.0.2.1]:80", "[::ffff:198.51.100.7]:5", Some("192.0.2.1:6881")),
            ("0.0.0.0:6881", "[2001:db8::1]:80", "[2001:db8::9]:5", None),
            ("192.0.2.8:6881", "192.0.2.1:80", "198.51.100.7:5", Some("192.0.2.8:6881")),
            ("127.0.0.1:6881", "127.0.0.1:80", "127.0.0.1:5", Some("127.0.0.1:6881")),
            ("127.0.0.1:6881", "192.0.2.1:80", "198.51.100.7:5", None),
        ];
        for (own, local, remote, told) in table {
            let swarms = Swarms::new(Some(own.parse().unwrap()));
            let ends = Ends { local: local.parse().unwrap(), remote: remote.parse().unwrap() };
            assert_eq!(swarms.own_address(ends), told.map(|t| t.parse().unwrap()), "{own} {local} {remote}");
        }
        let ends = Ends { local: "192.0.2.1:80".parse().unwrap(), remote: "192.0.2.9:5".parse().unwrap() };
        assert_eq!(Swarms::new(None).own_address(ends), None);
    }
}
