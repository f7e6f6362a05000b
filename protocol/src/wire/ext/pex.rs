//! Peers from peers (BEP 11 ut_pex).

use super::ExtError;
use crate::bencode::{Limits, Owned, Value};
use crate::wire::compact;
use bytes::Bytes;
use std::net::SocketAddr;

/// The most peers that are taken from one message, added and dropped each. (BEP 11 wants senders to keep to 50.)
pub const MAX_PEX_PEERS: usize = 200;

/// What the sender knows about a peer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PexFlags(pub u8);

impl PexFlags {
    /// It prefers encryption.
    pub const ENCRYPTION: u8 = 0x01;
    /// It is a seed, or uploads only.
    pub const SEED: u8 = 0x02;
    /// It speaks uTP.
    pub const UTP: u8 = 0x04;
    /// It speaks the holepunch extension (BEP 55).
    pub const HOLEPUNCH: u8 = 0x08;
    /// The sender connected to it: it can be reached.
    pub const REACHABLE: u8 = 0x10;

    /// Whether a flag is set.
    #[must_use]
    pub fn has(self, flag: u8) -> bool {
        self.0 & flag != 0
    }
}

/// A peer the sender is connected to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PexPeer {
    /// Where it listens.
    pub addr: SocketAddr,
    /// What is known of it.
    pub flags: PexFlags,
}

/// The changes since the sender's last message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PexMessage {
    /// New connections.
    pub added: Vec<PexPeer>,
    /// Lost connections.
    pub dropped: Vec<SocketAddr>,
}

impl PexMessage {
    /// As a payload.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let (v4, v6): (Vec<&PexPeer>, Vec<_>) =
            self.added.iter().partition(|peer| peer.addr.ip().to_canonical().is_ipv4());
        let flags = |peers: &[&PexPeer]| Owned::Bytes(peers.iter().map(|peer| peer.flags.0).collect());
        let (added, added6) = compact::write(v4.iter().chain(&v6).map(|peer| peer.addr));
        let (dropped, dropped6) = compact::write(self.dropped.iter().copied());
        let mut fields = Vec::new();
        for (name, flags_name, peers, bytes) in
            [("added", "added.f", v4, added), ("added6", "added6.f", v6, added6)]
        {
            if !peers.is_empty() {
                fields.extend([(name, Owned::Bytes(bytes)), (flags_name, flags(&peers))]);
            }
        }
        let dropped = [("dropped", dropped), ("dropped6", dropped6)];
        fields.extend(
            dropped.into_iter().filter(|(_, b)| !b.is_empty()).map(|(name, b)| (name, Owned::Bytes(b))),
        );
        Owned::dict(fields).encode().into()
    }

    /// Reads a payload; peers beyond [`MAX_PEX_PEERS`] are left out.
    ///
    /// # Errors
    /// [`ExtError`]
    pub fn decode(payload: &[u8]) -> Result<PexMessage, ExtError> {
        let value = Value::parse(payload, Limits::MESSAGE)?;
        value.as_dict().ok_or(ExtError::Field("added"))?;
        let bytes = |name| value.get(name).and_then(Value::as_bytes).unwrap_or_default();
        let v4 = with_flags(bytes("added"), bytes("added.f"), |entry: &[u8; compact::V4_LEN]| {
            compact::read_v4(entry).next()
        });
        let v6 = with_flags(bytes("added6"), bytes("added6.f"), |entry: &[u8; compact::V6_LEN]| {
            compact::read_v6(entry).next()
        });
        let dropped = compact::read_v4(bytes("dropped")).chain(compact::read_v6(bytes("dropped6")));
        Ok(PexMessage {
            added: v4.chain(v6).take(MAX_PEX_PEERS).collect(),
            dropped: dropped.take(MAX_PEX_PEERS).collect(),
        })
    }
}

/// Flags belong to entries by position, also to an entry that is left out; missing flags are zero.
fn with_flags<'a, const N: usize>(
    entries: &'a [u8],
    flags: &'a [u8],
    read: impl Fn(&[u8; N]) -> Option<SocketAddr> + 'a,
) -> impl Iterator<Item = PexPeer> + 'a {
    let flags = flags.iter().copied().chain(std::iter::repeat(0)).map(PexFlags);
    entries
        .as_chunks()
        .0
        .iter()
        .zip(flags)
        .filter_map(move |(entry, flags)| Some(PexPeer { addr: read(entry)?, flags }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::net::IpAddr;

    #[test]
    fn flags_stay_with_their_peers() {
        let payload = b"d5:added12:\x01\x02\x03\x04\x00\x00\x01\x02\x03\x04\x00\x057:added.f2:\x01\x02e";
        let peer = PexPeer { addr: "1.2.3.4:5".parse().unwrap(), flags: PexFlags(2) };
        assert_eq!(PexMessage::decode(payload).unwrap().added, [peer]);
        assert!(peer.flags.has(PexFlags::SEED) && !peer.flags.has(PexFlags::UTP));
        assert_eq!(PexMessage::decode(b"de"), Ok(PexMessage::default()));
        assert!(PexMessage::decode(b"i1e").is_err());
    }

    #[test]
    fn a_flood_is_cut() {
        let payload = [&b"d5:added6000:"[..], &[1; 6000], b"e"].concat();
        assert_eq!(PexMessage::decode(&payload).unwrap().added.len(), MAX_PEX_PEERS);
    }

    proptest! {
        #[test]
        fn round_trips(added in prop::collection::vec((any::<IpAddr>(), 1u16.., any::<u8>()), 0..20), dropped in prop::collection::vec((any::<IpAddr>(), 1u16..), 0..20)) {
            let addr = |ip: IpAddr, port| SocketAddr::new(ip.to_canonical(), port);
            let mut sent = PexMessage {
                added: added.iter().map(|&(ip, port, flags)| PexPeer { addr: addr(ip, port), flags: PexFlags(flags) }).collect(),
                dropped: dropped.iter().map(|&(ip, port)| addr(ip, port)).collect(),
            };
            let got = PexMessage::decode(&sent.encode()).unwrap();
            sent.added.sort_by_key(|peer| peer.addr.is_ipv6());
            sent.dropped.sort_by_key(SocketAddr::is_ipv6);
            prop_assert_eq!(got, sent);
        }
    }
}
