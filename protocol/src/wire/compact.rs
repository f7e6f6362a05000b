//! Addresses as trackers and peers pass them on: 4 or 16 bytes of address, 2 of port (BEP 7, 11, 23).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Bytes of an IPv4 entry.
pub const V4_LEN: usize = 6;
/// Bytes of an IPv6 entry.
pub const V6_LEN: usize = 18;

/// Reads IPv4 entries. Bytes that do not make a whole entry are ignored, and so is port 0.
pub fn read_v4(bytes: &[u8]) -> impl Iterator<Item = SocketAddr> + '_ {
    let addr = |&[a, b, c, d, hi, lo]: &[u8; V4_LEN]| {
        SocketAddr::new(Ipv4Addr::new(a, b, c, d).into(), port(hi, lo))
    };
    bytes.as_chunks().0.iter().map(addr).filter(|addr| addr.port() != 0)
}

/// Reads IPv6 entries. Bytes that do not make a whole entry are ignored, and so is port 0.
pub fn read_v6(bytes: &[u8]) -> impl Iterator<Item = SocketAddr> + '_ {
    let addr = |entry: &[u8; V6_LEN]| {
        let (mut ip, [.., hi, lo]) = ([0; 16], *entry);
        ip.copy_from_slice(&entry[..16]);
        SocketAddr::new(Ipv6Addr::from(ip).to_canonical(), port(hi, lo))
    };
    bytes.as_chunks().0.iter().map(addr).filter(|addr| addr.port() != 0)
}

fn port(hi: u8, lo: u8) -> u16 {
    u16::from_be_bytes([hi, lo])
}

/// Writes addresses as one string of IPv4 and one of IPv6 entries. IPv4 addresses mapped into IPv6 count as IPv4.
pub fn write(addrs: impl IntoIterator<Item = SocketAddr>) -> (Vec<u8>, Vec<u8>) {
    let (mut v4, mut v6) = (Vec::new(), Vec::new());
    for addr in addrs {
        match addr.ip().to_canonical() {
            IpAddr::V4(ip) => v4.extend([&ip.octets()[..], &addr.port().to_be_bytes()].concat()),
            IpAddr::V6(ip) => v6.extend([&ip.octets()[..], &addr.port().to_be_bytes()].concat()),
        }
    }
    (v4, v6)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_bytes() {
        let addrs: [SocketAddr; 3] =
            ["1.2.3.4:258", "[::1]:9", "[::ffff:5.6.7.8]:1"].map(|a| a.parse().unwrap());
        let (v4, v6) = write(addrs);
        assert_eq!(v4, [1, 2, 3, 4, 1, 2, 5, 6, 7, 8, 0, 1]);
        assert_eq!(v6.len(), V6_LEN);
        assert_eq!(read_v6(&v6).collect::<Vec<_>>(), [addrs[1]]);
        assert_eq!(read_v4(&[1, 2, 3, 4, 0, 0, 9]).count(), 0);
    }

    proptest! {
        #[test]
        fn round_trips(entries in prop::collection::vec((any::<IpAddr>(), 1u16..), 0..20)) {
            let addrs: Vec<SocketAddr> = entries.iter().map(|&(ip, port)| (ip.to_canonical(), port).into()).collect();
            let (v4, v6) = write(addrs.iter().copied());
            let (want_v4, want_v6): (Vec<SocketAddr>, Vec<_>) = addrs.iter().partition(|addr| addr.is_ipv4());
            prop_assert_eq!(read_v4(&v4).collect::<Vec<_>>(), want_v4);
            prop_assert_eq!(read_v6(&v6).collect::<Vec<_>>(), want_v6);
        }
    }
}
