//! Bodies of announce answers (BEP 3, 7, 23, 24).

use super::{AnnounceResponse, TrackerFault};
use crate::bencode::{Limits, Owned, Value};
use crate::wire::compact;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

/// The most peers that are taken from one answer.
pub const MAX_PEERS: usize = 2_000;

/// What a tracker's answer without an `interval` is taken to mean.
const DEFAULT_INTERVAL: Duration = Duration::from_secs(1_800);
/// The most characters of a tracker's text that are kept.
const MAX_TEXT_LEN: usize = 300;

impl AnnounceResponse {
    /// As a body. Without `compact` the IPv4 and IPv6 peers are one list of dictionaries.
    #[must_use]
    pub fn encode(&self, compact: bool) -> Vec<u8> {
        let secs = |time: Duration| Owned::Int(i64::try_from(time.as_secs()).unwrap_or(i64::MAX));
        let int = |number: u32| Owned::Int(i64::from(number));
        let mut fields = vec![("interval", secs(self.interval))];
        fields.extend(self.min_interval.map(|time| ("min interval", secs(time))));
        fields.extend(self.complete.map(|count| ("complete", int(count))));
        fields.extend(self.incomplete.map(|count| ("incomplete", int(count))));
        fields.extend(self.warning.as_deref().map(|text| ("warning message", Owned::from(text))));
        fields.extend(self.external_ip.map(|ip| {
            let bytes = match ip.to_canonical() {
                IpAddr::V4(ip) => ip.octets().to_vec(),
                IpAddr::V6(ip) => ip.octets().to_vec(),
            };
            ("external ip", Owned::Bytes(bytes))
        }));
        if compact {
            let (v4, v6) = compact::write(self.peers.iter().copied());
            fields.push(("peers", Owned::Bytes(v4)));
            if !v6.is_empty() {
                fields.push(("peers6", Owned::Bytes(v6)));
            }
        } else {
            let peer = |addr: &SocketAddr| {
                let ip = Owned::from(addr.ip().to_string().as_str());
                Owned::dict([("ip", ip), ("port", Owned::Int(i64::from(addr.port())))])
            };
            fields.push(("peers", Owned::List(self.peers.iter().map(peer).collect())));
        }
        Owned::dict(fields).encode()
    }

    /// Reads a body. Peers beyond [`MAX_PEERS`], and those named by host names, are left out.
    ///
    /// # Errors
    /// [`TrackerFault::Refused`] with the tracker's reason; [`TrackerFault::BadResponse`].
    pub fn decode(body: &[u8]) -> Result<AnnounceResponse, TrackerFault> {
        let value = Value::parse(body, Limits::TRACKER).map_err(|_| TrackerFault::BadResponse)?;
        value.as_dict().ok_or(TrackerFault::BadResponse)?;
        if let Some(reason) = value.get("failure reason") {
            return Err(TrackerFault::Refused(text(reason).unwrap_or_default()));
        }
        let secs = |name| value.get(name).and_then(Value::as_uint::<u64>).map(Duration::from_secs);
        let count = |name| value.get(name).and_then(Value::as_uint::<u32>);
        Ok(AnnounceResponse {
            interval: secs("interval").unwrap_or(DEFAULT_INTERVAL),
            min_interval: secs("min interval"),
            complete: count("complete"),
            incomplete: count("incomplete"),
            peers: peers(&value),
            external_ip: value.get("external ip").and_then(Value::as_bytes).and_then(ip_of),
            warning: value.get("warning message").and_then(text),
        })
    }
}

/// The body that refuses a request.
#[must_use]
pub fn encode_failure(reason: &str) -> Vec<u8> {
    Owned::dict([("failure reason", Owned::from(reason))]).encode()
}

fn peers(value: &Value<'_>) -> Vec<SocketAddr> {
    let bytes = |name| value.get(name).and_then(Value::as_bytes).unwrap_or_default();
    let dicts = value.get("peers").and_then(Value::as_list).unwrap_or_default().iter().filter_map(|peer| {
        let ip: IpAddr = peer.get("ip")?.as_str()?.parse().ok()?;
        let port = peer.get("port")?.as_uint::<u16>().filter(|&port| port != 0)?;
        Some(SocketAddr::new(ip.to_canonical(), port))
    });
    let v4 = compact::read_v4(bytes("peers"));
    let v6 = compact::read_v6(bytes("peers6"));
    v4.chain(v6).chain(dicts).take(MAX_PEERS).collect()
}

/// Text from a tracker goes before people: no control characters, not too long.
fn text(value: &Value<'_>) -> Option<String> {
    let text = String::from_utf8_lossy(value.as_bytes()?);
    Some(text.chars().filter(|c| !c.is_control()).take(MAX_TEXT_LEN).collect())
}

fn ip_of(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(bytes).map(|octets| Ipv4Addr::from(octets).into());
    v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(|octets| Ipv6Addr::from(octets).into())).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn answers_of_other_trackers() {
        let body = b"d8:intervali900e5:peersld2:ip9:127.0.0.17:peer id20:aaaaaaaaaaaaaaaaaaaa4:porti7eed2:ip9:localhost4:porti7eed2:ip3:::14:porti70000eeee";
        let response = AnnounceResponse::decode(body).unwrap();
        assert_eq!(response.peers, ["127.0.0.1:7".parse().unwrap()]);
        assert_eq!(response.interval, Duration::from_secs(900));
        let empty = AnnounceResponse::decode(b"de").unwrap();
        assert_eq!((empty.interval, empty.peers.len()), (DEFAULT_INTERVAL, 0));
    }

    #[test]
    fn refusals_and_noise() {
        let refused = |reason: &str| Err(TrackerFault::Refused(reason.to_owned()));
        assert_eq!(AnnounceResponse::decode(&encode_failure("no")), refused("no"));
        assert_eq!(AnnounceResponse::decode(b"d14:failure reason3:a\x1bbe"), refused("ab"));
        assert_eq!(AnnounceResponse::decode(b"<html>"), Err(TrackerFault::BadResponse));
        assert_eq!(AnnounceResponse::decode(b"i1e"), Err(TrackerFault::BadResponse));
        let flood = [&b"d5:peers60000:"[..], &[1; 60_000], b"e"].concat();
        assert_eq!(AnnounceResponse::decode(&flood).unwrap().peers.len(), MAX_PEERS);
    }

    proptest! {
        #[test]
        fn round_trips(peers in prop::collection::vec((any::<IpAddr>(), 1u16..), 0..30), secs in 0u64..1 << 40, min: Option<u32>, complete: Option<u32>, ip: Option<IpAddr>, warning in prop::option::of("[a-z ]{0,20}"), compact: bool) {
            let mut response = AnnounceResponse {
                interval: Duration::from_secs(secs),
                min_interval: min.map(|secs| Duration::from_secs(secs.into())),
                complete,
                incomplete: complete,
                peers: peers.into_iter().map(|(ip, port)| SocketAddr::new(ip.to_canonical(), port)).collect(),
                external_ip: ip.map(|ip| ip.to_canonical()),
                warning,
            };
            let mut got = AnnounceResponse::decode(&response.encode(compact)).unwrap();
            response.peers.sort();
            got.peers.sort();
            prop_assert_eq!(got, response);
        }
    }
}
