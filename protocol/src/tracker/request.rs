//! Query strings of announces (BEP 3, 7, 23) and scrapes (BEP 48), written and read. They carry raw bytes,
//! percent-encoded: they are never taken as UTF-8 text, and `+` is a plus.

use super::{AnnounceEvent, AnnounceRequest};
use crate::units::{PeerId, WireHash};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};
use std::borrow::Cow;
use std::fmt::Write as _;
use url::Url;

/// The longest query that is read, in bytes.
pub const MAX_QUERY_LEN: usize = 8 * 1024;
/// The most torrents in one scrape.
pub const MAX_SCRAPE_HASHES: usize = 74;

const MAX_PARAMETERS: usize = 128;
const VALUE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Why a query is refused; the text is what the client is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// Longer than [`MAX_QUERY_LEN`], or with too many parameters.
    #[error("the query is too long")]
    TooLong,
    /// A parameter is missing or malformed.
    #[error("the parameter {0} is missing or wrong")]
    Parameter(&'static str),
}

/// The URL to GET for an announce. A query that the tracker's URL brings along (a key, say) is kept.
#[must_use]
pub fn announce_url(tracker: &Url, request: &AnnounceRequest) -> Url {
    let mut query = format!(
        "info_hash={}&peer_id={}&port={}&uploaded={}&downloaded={}&left={}&compact={}",
        percent_encode(&request.info_hash.0, VALUE),
        percent_encode(&request.peer_id.0, VALUE),
        request.port,
        request.uploaded,
        request.downloaded,
        request.left,
        u8::from(request.compact),
    );
    // Writing to a string cannot fail.
    if let Some(event) = request.event {
        let _ = write!(query, "&event={}", event_name(event));
    }
    if let Some(count) = request.num_want {
        let _ = write!(query, "&numwant={count}");
    }
    if let Some(key) = request.key {
        let _ = write!(query, "&key={key:08x}");
    }
    with_query(tracker, &query)
}

/// The URL to GET for a scrape: `announce` in the last path component becomes `scrape`. `None` where it does not begin
/// so: such a tracker has no scrape (BEP 48).
#[must_use]
pub fn scrape_url(tracker: &Url, hashes: &[WireHash]) -> Option<Url> {
    let (folder, last) = tracker.path().rsplit_once('/')?;
    let rest = last.strip_prefix("announce")?;
    let mut url = tracker.clone();
    url.set_path(&format!("{folder}/scrape{rest}"));
    let hashes: Vec<String> =
        hashes.iter().map(|hash| format!("info_hash={}", percent_encode(&hash.0, VALUE))).collect();
    Some(with_query(&url, &hashes.join("&")))
}

fn with_query(url: &Url, query: &str) -> Url {
    let mut url = url.clone();
    let whole = match url.query() {
        Some(own) if !own.is_empty() => format!("{own}&{query}"),
        _ => query.to_owned(),
    };
    url.set_query(Some(&whole));
    url
}

/// Reads an announce's raw query (what follows the `?`).
///
/// # Errors
/// [`QueryError`]
pub fn parse_announce(query: &str) -> Result<AnnounceRequest, QueryError> {
    let query = Query::parse(query)?;
    let number = |name| query.get(name).and_then(|value| str::from_utf8(&value).ok()?.parse::<u64>().ok());
    let port = number("port").and_then(|port| u16::try_from(port).ok()).filter(|&port| port != 0);
    Ok(AnnounceRequest {
        info_hash: query
            .get("info_hash")
            .and_then(|b| WireHash::from_slice(&b))
            .ok_or(QueryError::Parameter("info_hash"))?,
        peer_id: query
            .get("peer_id")
            .and_then(|b| PeerId::from_slice(&b))
            .ok_or(QueryError::Parameter("peer_id"))?,
        port: port.ok_or(QueryError::Parameter("port"))?,
        uploaded: number("uploaded").unwrap_or(0),
        downloaded: number("downloaded").unwrap_or(0),
        // Who does not say is not taken for a seed.
        left: number("left").unwrap_or(u64::MAX),
        event: query.get("event").and_then(|value| event_of(&value)),
        num_want: number("numwant").map(|count| u32::try_from(count).unwrap_or(u32::MAX)),
        key: query.get("key").and_then(|value| u32::from_str_radix(str::from_utf8(&value).ok()?, 16).ok()),
        compact: query.get("compact").is_none_or(|value| *value != *b"0"),
    })
}

/// Reads a scrape's raw query. Hashes that are malformed are left out.
///
/// # Errors
/// [`QueryError`]; a scrape of everything (no hash at all) is refused too.
pub fn parse_scrape(query: &str) -> Result<Vec<WireHash>, QueryError> {
    let query = Query::parse(query)?;
    let hashes = query.0.iter().filter(|(name, _)| *name == "info_hash");
    let hashes: Vec<WireHash> =
        hashes.filter_map(|(_, value)| WireHash::from_slice(&decode(value))).collect();
    match hashes.len() {
        0 => Err(QueryError::Parameter("info_hash")),
        1..=MAX_SCRAPE_HASHES => Ok(hashes),
        _ => Err(QueryError::TooLong),
    }
}

/// Names and values, still encoded.
struct Query<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Query<'a> {
    fn parse(query: &'a str) -> Result<Query<'a>, QueryError> {
        if query.len() > MAX_QUERY_LEN || query.bytes().filter(|&b| b == b'&').count() >= MAX_PARAMETERS {
            return Err(QueryError::TooLong);
        }
        let pair = |part: &'a str| part.split_once('=').unwrap_or((part, ""));
        Ok(Query(query.split('&').map(pair).collect()))
    }

    /// The first value of a name.
    fn get(&self, name: &str) -> Option<Cow<'a, [u8]>> {
        self.0.iter().find(|(n, _)| *n == name).map(|(_, value)| decode(value))
    }
}

fn decode(value: &str) -> Cow<'_, [u8]> {
    percent_decode_str(value).into()
}

const fn event_name(event: AnnounceEvent) -> &'static str {
    match event {
        AnnounceEvent::Started => "started",
        AnnounceEvent::Stopped => "stopped",
        AnnounceEvent::Completed => "completed",
    }
}

fn event_of(name: &[u8]) -> Option<AnnounceEvent> {
    let all = [AnnounceEvent::Started, AnnounceEvent::Stopped, AnnounceEvent::Completed];
    all.into_iter().find(|&event| event_name(event).as_bytes() == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn raw_bytes_survive() {
        let hash = "%01%02%ff+a%2B%00%25%26%3D67890123%80%81".to_owned();
        let query = format!("info_hash={hash}&peer_id=-XX0001-abcdefghijkl&port=1&compact=0&event=&key=zz");
        let request = parse_announce(&query).unwrap();
        assert_eq!(request.info_hash.0, *b"\x01\x02\xff+a+\x00%&=67890123\x80\x81");
        assert_eq!((request.left, request.event, request.key), (u64::MAX, None, None));
        assert!(!request.compact);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let id = "peer_id=-XX0001-abcdefghijkl";
        let hash = "info_hash=aaaaaaaaaaaaaaaaaaaa";
        let cases = [
            (format!("{id}&port=1"), "info_hash"),
            (format!("{hash}&port=1"), "peer_id"),
            (format!("{hash}a&{id}&port=1"), "info_hash"),
            (format!("{hash}&{id}"), "port"),
            (format!("{hash}&{id}&port=0"), "port"),
            (format!("{hash}&{id}&port=65536"), "port"),
            (format!("{hash}&{id}&port=-1"), "port"),
        ];
        for (query, name) in cases {
            assert_eq!(parse_announce(&query), Err(QueryError::Parameter(name)), "{query}");
        }
        assert_eq!(parse_announce(&"a".repeat(MAX_QUERY_LEN + 1)), Err(QueryError::TooLong));
        assert_eq!(parse_announce(&"&".repeat(200)), Err(QueryError::TooLong));
    }

    #[test]
    fn scrapes() {
        let hashes = [WireHash([1; 20]), WireHash([0xfe; 20])];
        let url = scrape_url(&"http://t/x/announce.php?k=1".parse().unwrap(), &hashes).unwrap();
        assert!(url.as_str().starts_with("http://t/x/scrape.php?k=1&info_hash=%01%01"));
        assert_eq!(parse_scrape(url.query().unwrap()).unwrap(), hashes);
        assert_eq!(scrape_url(&"http://t/a/x".parse().unwrap(), &hashes), None);
        assert!(parse_scrape("").is_err());
        assert_eq!(parse_scrape(&"info_hash=aaaaaaaaaaaaaaaaaaaa&".repeat(80)), Err(QueryError::TooLong));
    }

    fn events() -> impl Strategy<Value = Option<AnnounceEvent>> {
        prop::option::of(prop::sample::select(vec![
            AnnounceEvent::Started,
            AnnounceEvent::Stopped,
            AnnounceEvent::Completed,
        ]))
    }

    proptest! {
        #[test]
        fn announces_round_trip(hash: [u8; 20], id: [u8; 20], port in 1u16.., counts: [u64; 3], event in events(), num_want: Option<u32>, key: Option<u32>, compact: bool) {
            let [uploaded, downloaded, left] = counts;
            let request = AnnounceRequest {
                uploaded, downloaded, left, event, num_want, key, compact,
                ..AnnounceRequest::new(WireHash(hash), PeerId(id), port)
            };
            for tracker in ["http://t/announce", "https://t:8/a?passkey=%20x"] {
                let url = announce_url(&tracker.parse().unwrap(), &request);
                prop_assert!(url.as_str().starts_with(tracker));
                prop_assert_eq!(parse_announce(url.query().unwrap()), Ok(request.clone()));
            }
        }

        #[test]
        fn noise_never_panics(query in "[%&=a-f0-9_]{0,300}") {
            let _ = (parse_announce(&query), parse_scrape(&query));
        }
    }
}
