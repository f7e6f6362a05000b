//! The 68 bytes that open a connection (BEP 3), and what their reserved bits promise (BEP 4).

use super::WireError;
use crate::units::{PeerId, WireHash};

/// Bytes in a handshake.
pub const HANDSHAKE_LEN: usize = 68;

const PROTOCOL: &[u8; 20] = b"\x13BitTorrent protocol";

/// A handshake as sent or received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handshake {
    /// The feature bits; see [`Reserved`].
    pub reserved: [u8; 8],
    /// The torrent, by either of its hashes.
    pub hash: WireHash,
    /// The sender.
    pub peer_id: PeerId,
}

/// A feature that a bit of the reserved bytes announces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reserved {
    /// BEP 10 messages.
    Extension,
    /// BEP 6 messages.
    Fast,
    /// BEP 5: the peer has a DHT node.
    Dht,
    /// BEP 52: "the hash I send is the v1 hash of a hybrid, and I can go on as v2". To be set only then.
    UpgradeToV2,
}

impl Reserved {
    const fn bit(self) -> (usize, u8) {
        match self {
            Reserved::Extension => (5, 0x10),
            Reserved::Fast => (7, 0x04),
            Reserved::Dht => (7, 0x01),
            Reserved::UpgradeToV2 => (7, 0x10),
        }
    }
}

impl Handshake {
    /// A handshake that announces these features.
    #[must_use]
    pub fn new(hash: WireHash, peer_id: PeerId, features: &[Reserved]) -> Handshake {
        let mut reserved = [0; 8];
        for feature in features {
            let (byte, bit) = feature.bit();
            reserved[byte] |= bit;
        }
        Handshake { reserved, hash, peer_id }
    }

    /// Whether the sender announces the feature.
    #[must_use]
    pub fn has(&self, feature: Reserved) -> bool {
        let (byte, bit) = feature.bit();
        self.reserved[byte] & bit != 0
    }

    /// As it goes over the wire.
    #[must_use]
    pub fn encode(&self) -> [u8; HANDSHAKE_LEN] {
        let mut out = [0; HANDSHAKE_LEN];
        out[..20].copy_from_slice(PROTOCOL);
        out[20..28].copy_from_slice(&self.reserved);
        out[28..48].copy_from_slice(&self.hash.0);
        out[48..].copy_from_slice(&self.peer_id.0);
        out
    }

    /// Reads a handshake.
    ///
    /// # Errors
    /// [`WireError::NotBitTorrent`] when it opens with anything but the protocol's name.
    pub fn decode(bytes: &[u8; HANDSHAKE_LEN]) -> Result<Handshake, WireError> {
        let (mut reserved, mut hash, mut peer_id) = ([0; 8], [0; 20], [0; 20]);
        if !bytes.starts_with(PROTOCOL) {
            return Err(WireError::NotBitTorrent);
        }
        reserved.copy_from_slice(&bytes[20..28]);
        hash.copy_from_slice(&bytes[28..48]);
        peer_id.copy_from_slice(&bytes[48..]);
        Ok(Handshake { reserved, hash: WireHash(hash), peer_id: PeerId(peer_id) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_round_trip() {
        let all = [Reserved::Extension, Reserved::Fast, Reserved::Dht, Reserved::UpgradeToV2];
        for feature in all {
            let sent = Handshake::new(WireHash([7; 20]), PeerId([9; 20]), &[feature]);
            let got = Handshake::decode(&sent.encode()).unwrap();
            assert_eq!(got, sent);
            assert_eq!(all.map(|f| got.has(f)), all.map(|f| f == feature));
        }
        assert_eq!(
            Handshake::new(WireHash([0; 20]), PeerId([0; 20]), &all).reserved,
            [0, 0, 0, 0, 0, 0x10, 0, 0x15]
        );
    }

    #[test]
    fn another_protocol_is_refused() {
        assert_eq!(Handshake::decode(&[0; 68]), Err(WireError::NotBitTorrent));
    }
}
