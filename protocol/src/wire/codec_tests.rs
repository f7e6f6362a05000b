//! Round trips cut at arbitrary points, and lengths that cannot be.

use super::*;
use bytes::Bytes;
use proptest::prelude::*;

fn bytes(max: usize) -> impl Strategy<Value = Bytes> {
    prop::collection::vec(any::<u8>(), 0..max).prop_map(Bytes::from)
}

fn range() -> impl Strategy<Value = HashRange> {
    (any::<[u8; 32]>(), any::<[u32; 4]>()).prop_map(|(root, [base_layer, index, length, proof_layers])| {
        HashRange { root: Root(root), base_layer, index, length, proof_layers }
    })
}

fn block() -> impl Strategy<Value = BlockRef> {
    any::<[u32; 3]>().prop_map(|[piece, offset, len]| BlockRef { piece: PieceIndex(piece), offset, len })
}

fn messages() -> impl Strategy<Value = Message> {
    let piece = || any::<u32>().prop_map(PieceIndex);
    prop_oneof![
        Just(Message::KeepAlive),
        Just(Message::Choke),
        Just(Message::Unchoke),
        Just(Message::Interested),
        Just(Message::NotInterested),
        Just(Message::HaveAll),
        Just(Message::HaveNone),
        piece().prop_map(Message::Have),
        piece().prop_map(Message::SuggestPiece),
        piece().prop_map(Message::AllowedFast),
        prop::collection::vec(any::<u8>(), 25).prop_map(|bits| Message::Bitfield(bits.into())),
        block().prop_map(Message::Request),
        block().prop_map(Message::Cancel),
        block().prop_map(Message::RejectRequest),
        (piece(), any::<u32>(), bytes(16385)).prop_map(|(piece, offset, data)| Message::Piece {
            piece,
            offset,
            data
        }),
        any::<u16>().prop_map(Message::Port),
        (any::<u8>(), bytes(400)).prop_map(|(id, payload)| Message::Extended { id, payload }),
        range().prop_map(Message::HashRequest),
        range().prop_map(Message::HashReject),
        (range(), prop::collection::vec(any::<[u8; 32]>().prop_map(Root), 0..40))
            .prop_map(|(range, hashes)| Message::Hashes { range, hashes }),
        (24u8..).prop_map(|id| Message::Unknown { id }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn streams_cut_anywhere_give_the_same_messages(sent in prop::collection::vec(messages(), 1..12), cuts in prop::collection::vec(1usize..3000, 1..20)) {
        let mut wire = BytesMut::new();
        sent.iter().for_each(|message| encode(message, &mut wire));
        let (mut decoder, mut buf, mut got) = (Decoder::new(200), BytesMut::new(), Vec::new());
        let mut cuts = cuts.iter().cycle();
        while !wire.is_empty() {
            let cut = (*cuts.next().unwrap()).min(wire.len());
            buf.extend_from_slice(&wire.split_to(cut));
            while let Some(message) = decoder.decode(&mut buf).unwrap() {
                got.push(message);
            }
        }
        prop_assert_eq!(got, sent);
        prop_assert!(buf.is_empty());
    }

    #[test]
    fn noise_never_panics_nor_reserves_beyond_the_bound(noise in prop::collection::vec(any::<u8>(), 0..200), id in 0u8..30, len in 0u32..100) {
        let framed = [&len.to_be_bytes()[..], &[id], &noise].concat();
        for mut buf in [BytesMut::from(&noise[..]), BytesMut::from(&framed[..])] {
            let mut decoder = Decoder::new(1000);
            while let Ok(Some(_)) = decoder.decode(&mut buf) {}
            prop_assert!(buf.capacity() < 2 * (MAX_EXTENDED_LEN as usize + 1024));
        }
    }
}

#[test]
fn a_claim_is_refused_before_its_bytes_arrive() {
    let cases: &[(u8, u32)] = &[
        (id::CHOKE, 1),
        (id::HAVE, 3),
        (id::HAVE, 5),
        (id::BITFIELD, 2),
        (id::BITFIELD, 4),
        (id::REQUEST, 11),
        (id::PIECE, 7),
        (id::PIECE, 8 + BLOCK_LEN + 1),
        (id::EXTENDED, 0),
        (id::EXTENDED, MAX_EXTENDED_LEN + 2),
        (id::HASHES, HASH_RANGE_LEN + 31),
        (id::HASHES, HASH_RANGE_LEN + 32 * (MAX_HASHES + 1)),
        (99, u32::MAX - 1),
    ];
    for &(id, len) in cases {
        let mut buf = BytesMut::new();
        buf.put_u32(len + 1);
        buf.put_u8(id);
        assert_eq!(Decoder::new(24).decode(&mut buf), Err(WireError::BadLength { id, len }), "{id} {len}");
    }
}

#[test]
fn block_data_is_not_copied() {
    let mut buf = BytesMut::new();
    let data = Bytes::from(vec![7; 16384]);
    encode(&Message::Piece { piece: PieceIndex(1), offset: 2, data }, &mut buf);
    let at = buf.as_ptr().wrapping_add(13);
    let Ok(Some(Message::Piece { data, .. })) = Decoder::new(9).decode(&mut buf) else { panic!("no piece") };
    assert_eq!(data.as_ptr(), at);
}

#[test]
fn known_bytes() {
    let cases: &[(Message, &[u8])] = &[
        (Message::KeepAlive, &[0, 0, 0, 0]),
        (Message::Have(PieceIndex(258)), &[0, 0, 0, 5, 4, 0, 0, 1, 2]),
        (
            Message::RejectRequest(BlockRef { piece: PieceIndex(1), offset: 2, len: 3 }),
            &[0, 0, 0, 13, 16, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3],
        ),
        (Message::Extended { id: 0, payload: Bytes::from_static(b"de") }, &[0, 0, 0, 4, 20, 0, b'd', b'e']),
        (Message::Port(6881), &[0, 0, 0, 3, 9, 0x1a, 0xe1]),
    ];
    for (message, bytes) in cases {
        let mut buf = BytesMut::new();
        encode(message, &mut buf);
        assert_eq!(&buf[..], *bytes);
    }
}
