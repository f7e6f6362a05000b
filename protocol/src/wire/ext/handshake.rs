//! The extension handshake (BEP 10; `metadata_size` of BEP 9, `upload_only` of BEP 21).

use super::ExtError;
use crate::bencode::{Limits, Owned, Value};
use bytes::Bytes;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The number of the handshake itself.
pub const HANDSHAKE_ID: u8 = 0;

/// The most characters of a client's name that are kept.
const MAX_CLIENT_LEN: usize = 64;

/// The numbers under which one side receives each extension; `None` where it does not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExtIds {
    /// BEP 9.
    pub ut_metadata: Option<u8>,
    /// BEP 11.
    pub ut_pex: Option<u8>,
    /// BEP 54.
    pub lt_donthave: Option<u8>,
    /// libtorrent's `upload_only`.
    pub upload_only: Option<u8>,
}

/// The numbers we ask others to use.
pub const OUR_IDS: ExtIds =
    ExtIds { ut_metadata: Some(1), ut_pex: Some(2), lt_donthave: Some(3), upload_only: Some(4) };

/// What a peer says about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExtHandshake {
    /// The sender's numbers.
    pub ids: ExtIds,
    /// Name and version of the client, for people (`v`).
    pub client: Option<String>,
    /// The TCP port the sender listens on (`p`).
    pub listen_port: Option<u16>,
    /// The receiver's address as the sender sees it (`yourip`).
    pub your_ip: Option<IpAddr>,
    /// How many requests the sender will queue (`reqq`).
    pub request_queue: Option<u32>,
    /// Bytes of the info dictionary (BEP 9), if the sender has it.
    pub metadata_size: Option<u32>,
    /// The sender does not download (BEP 21).
    pub upload_only: bool,
}

impl ExtHandshake {
    /// As a payload for [`crate::wire::Message::Extended`] with id [`HANDSHAKE_ID`].
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let int = |number: u32| Owned::Int(i64::from(number));
        let ids = [
            ("lt_donthave", self.ids.lt_donthave),
            ("upload_only", self.ids.upload_only),
            ("ut_metadata", self.ids.ut_metadata),
            ("ut_pex", self.ids.ut_pex),
        ];
        let ids = ids.into_iter().filter_map(|(name, id)| Some((name, int(u32::from(id?)))));
        let mut fields = vec![("m", Owned::dict(ids))];
        fields.extend(self.client.as_deref().map(|client| ("v", Owned::from(client))));
        fields.extend(self.listen_port.map(|port| ("p", int(u32::from(port)))));
        fields.extend(self.your_ip.map(|ip| ("yourip", Owned::Bytes(octets(ip)))));
        fields.extend(self.request_queue.map(|count| ("reqq", int(count))));
        fields.extend(self.metadata_size.map(|size| ("metadata_size", int(size))));
        fields.extend(self.upload_only.then_some(("upload_only", Owned::Int(1))));
        Owned::dict(fields).encode().into()
    }

    /// Reads a handshake. Fields of another type than expected are taken as missing.
    ///
    /// # Errors
    /// [`ExtError`]
    pub fn decode(payload: &[u8]) -> Result<ExtHandshake, ExtError> {
        let value = Value::parse(payload, Limits::MESSAGE)?;
        value.as_dict().ok_or(ExtError::Field("m"))?;
        let ids = value.get("m");
        // Zero turns an extension off.
        let id = |name: &str| ids?.get(name)?.as_uint::<u8>().filter(|&id| id != HANDSHAKE_ID);
        let client = value.get("v").and_then(Value::as_bytes).map(String::from_utf8_lossy);
        Ok(ExtHandshake {
            ids: ExtIds {
                ut_metadata: id("ut_metadata"),
                ut_pex: id("ut_pex"),
                lt_donthave: id("lt_donthave"),
                upload_only: id("upload_only"),
            },
            client: client
                .map(|text| text.chars().filter(|c| !c.is_control()).take(MAX_CLIENT_LEN).collect()),
            listen_port: value.get("p").and_then(Value::as_uint).filter(|&port| port != 0),
            your_ip: value.get("yourip").and_then(Value::as_bytes).and_then(ip),
            request_queue: value.get("reqq").and_then(Value::as_uint),
            metadata_size: value.get("metadata_size").and_then(Value::as_uint).filter(|&size| size != 0),
            upload_only: value.get("upload_only").and_then(Value::as_int).is_some_and(|flag| flag != 0),
        })
    }
}

fn octets(ip: IpAddr) -> Vec<u8> {
    match ip {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    }
}

fn ip(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(bytes).map(|octets| Ipv4Addr::from(octets).into());
    v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(|octets| Ipv6Addr::from(octets).into())).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn odd_fields_are_missing_fields() {
        let payload = b"d1:md11:ut_metadatai0e6:ut_pexi300ee13:metadata_sizei-1e1:pi70000e4:reqq1:a1:v3:a\x1bb6:yourip3:abce";
        let expected = ExtHandshake { client: Some("ab".into()), ..ExtHandshake::default() };
        assert_eq!(ExtHandshake::decode(payload), Ok(expected));
        assert_eq!(ExtHandshake::decode(b"de"), Ok(ExtHandshake::default()));
        assert_eq!(ExtHandshake::decode(b"le"), Err(ExtError::Field("m")));
        assert!(ExtHandshake::decode(b"d1:md").is_err());
    }

    proptest! {
        #[test]
        fn round_trips(
            client in prop::option::of("[a-zA-Z0-9 .]{0,64}"),
            listen_port in prop::option::of(1u16..),
            your_ip in any::<Option<IpAddr>>(),
            request_queue in any::<Option<u32>>(),
            metadata_size in prop::option::of(1u32..),
            upload_only: bool,
            ids: bool,
        ) {
            let ids = if ids { OUR_IDS } else { ExtIds::default() };
            let sent = ExtHandshake { ids, client, listen_port, your_ip, request_queue, metadata_size, upload_only };
            prop_assert_eq!(ExtHandshake::decode(&sent.encode()), Ok(sent));
        }
    }
}
