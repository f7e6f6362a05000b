//! What peers, trackers and web seeds say, and torrents.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use bytes::{Bytes, BytesMut};
use protocol::bencode::{Kind, Limits, Value};
use protocol::merkle::{FileHasher, HashRange, prove};
use protocol::metainfo::{Mode, NewFile, Torrent, TorrentBuilder, V1Hasher};
use protocol::tracker::{
    AnnounceRequest, AnnounceResponse, ScrapeEntry, announce_url, decode_scrape, encode_failure,
    encode_scrape, parse_announce, parse_scrape, scrape_url,
};
use protocol::units::{BLOCK_LEN, BlockRef, PeerId, PieceIndex, Root, WireHash};
use protocol::webseed::{ResponseHead, check_response};
use protocol::wire::ext::{
    ExtHandshake, HANDSHAKE_ID, MetadataAssembler, MetadataMessage, OUR_IDS, PexFlags, PexMessage, PexPeer,
    decode_dont_have, decode_upload_only,
};
use protocol::wire::{Decoder, HANDSHAKE_LEN, Handshake, Message, Reserved, compact, encode};

use super::samples::{cut, noise, number};

/// Bencoded values: each holds exactly the bytes it was read from.
pub fn bencode(data: &[u8]) -> bool {
    let mut read = false;
    for limits in [Limits::MESSAGE, Limits::TRACKER, Limits::TORRENT] {
        if let Ok(value) = Value::parse(data, limits) {
            assert_eq!(value.raw, data);
            inside(&value);
            read = true;
        }
        if let Ok((value, rest)) = Value::parse_prefix(data, limits) {
            assert_eq!([value.raw, rest].concat(), data);
        }
    }
    read
}

fn inside(value: &Value<'_>) {
    let parts: Vec<&Value<'_>> = match &value.kind {
        Kind::Int(_) | Kind::Bytes(_) => return,
        Kind::List(items) => items.iter().collect(),
        Kind::Dict(fields) => {
            assert!(fields.is_sorted_by(|(a, _), (b, _)| a < b));
            fields.iter().map(|(_, value)| value).collect()
        }
    };
    assert!(parts.iter().map(|part| part.raw.len()).sum::<usize>() + 2 <= value.raw.len());
    parts.into_iter().for_each(inside);
}

/// See [`bencode`].
pub fn bencode_seeds() -> Vec<Vec<u8>> {
    let mut seeds: Vec<Vec<u8>> =
        [&b"i-42e"[..], b"5:hello", b"l1:a2:bci7ee", b"d1:ad1:bl1:ci1eee1:xi9223372036854775807ee", b"0:"]
            .map(<[u8]>::to_vec)
            .into();
    seeds.push([[b'l'; 200], [b'e'; 200]].concat());
    seeds.extend(torrent_seeds());
    seeds
}

/// Torrents: what is read has a sound layout, and reads the same from its info dictionary alone.
pub fn torrent(data: &[u8]) -> bool {
    let Ok(torrent) = Torrent::parse(data) else { return false };
    let layout = &torrent.layout;
    let pieces = [0, layout.piece_count() / 2, layout.piece_count() - 1];
    for piece in pieces.map(PieceIndex) {
        let spans: u64 = layout.piece_spans(piece).map(|span| u64::from(span.len)).sum();
        assert_eq!(spans, u64::from(layout.piece_wire_len(piece)), "bytes in a piece");
        let _ = torrent.piece_root(piece);
        assert!(layout.blocks_in_piece(piece) >= 1);
    }
    let info = Torrent::from_info(&torrent.info_bytes);
    let info = info.unwrap_or_else(|error| panic!("{error}, though the torrent was read"));
    assert_eq!((info.info_hash_v1, info.info_hash_v2), (torrent.info_hash_v1, torrent.info_hash_v2));
    assert_eq!(info.layout, torrent.layout);
    true
}

/// A torrent, its file, and the bytes it is of.
pub(super) type Sample = (Arc<Torrent>, Vec<u8>, Vec<u8>);

/// The one of this mode, made once.
pub(super) fn sample(mode: Mode) -> &'static Sample {
    static SAMPLES: [OnceLock<Sample>; 3] = [const { OnceLock::new() }; 3];
    let [v1, v2, hybrid] = &SAMPLES;
    let place = match mode {
        Mode::V1 => v1,
        Mode::V2 => v2,
        Mode::Hybrid => hybrid,
    };
    place.get_or_init(|| make(mode))
}

fn make(mode: Mode) -> Sample {
    const PIECE_LEN: u32 = 32 * 1024;
    let mut files = Vec::new();
    for (seed, len) in [(1u64, 70_000usize), (2, 100), (3, 40_000)] {
        let bytes = noise(seed, len);
        let mut hasher = FileHasher::new();
        hasher.update(&bytes);
        let hashes = hasher.finish();
        let listed = NewFile {
            path: vec!["data".to_owned(), format!("{seed}.bin")],
            len: len as u64,
            root: hashes.root,
            piece_layer: hashes.piece_layer(PIECE_LEN),
            ..NewFile::default()
        };
        files.push((listed, bytes));
    }
    let listed = files.iter().map(|(listed, _)| listed.clone()).collect();
    let mut builder = TorrentBuilder::folder("game", mode, PIECE_LEN, listed)
        .announce(vec![vec!["http://a.example/announce".to_owned()]])
        .url_list(vec!["http://a.example/files/".to_owned()]);
    let mut all = Vec::new();
    if let Ok(layout) = builder.layout() {
        all.resize(layout.total_len as usize, 0);
        for (entry, (_, bytes)) in layout.files.iter().zip(&files) {
            all[entry.offset as usize..][..bytes.len()].copy_from_slice(bytes);
        }
        if mode != Mode::V2 {
            let mut hasher = V1Hasher::new(&layout);
            files.iter().for_each(|(_, bytes)| hasher.update(bytes));
            builder = builder.pieces_v1(hasher.finish().unwrap_or_default());
        }
    }
    let built = builder.build().unwrap_or_else(|error| panic!("{error}"));
    (Arc::new(built.torrent), built.bytes.to_vec(), all)
}

/// See [`torrent`].
pub fn torrent_seeds() -> Vec<Vec<u8>> {
    [Mode::V1, Mode::V2, Mode::Hybrid].map(|mode| sample(mode).1.clone()).into()
}

/// The bytes that open a connection.
pub fn handshake(data: &[u8]) -> bool {
    let Some(bytes) = data.first_chunk::<HANDSHAKE_LEN>() else { return false };
    let Ok(handshake) = Handshake::decode(bytes) else { return false };
    assert_eq!(handshake.encode(), *bytes);
    true
}

/// See [`handshake`].
pub fn handshake_seeds() -> Vec<Vec<u8>> {
    let handshake = Handshake::new(hash(), PeerId::new(PeerId::LAUNCHER_PREFIX, [7; 12]), &[Reserved::Fast]);
    vec![handshake.encode().to_vec()]
}

fn hash() -> WireHash {
    sample(Mode::Hybrid).0.wire_hashes().next().unwrap_or_else(|| panic!("a torrent has a hash"))
}

/// A connection's bytes: number of pieces (0: not known), bytes that come at a time, stream. Cut anywhere, the messages
/// are the same, and those that are written again read the same.
pub fn messages(mut data: &[u8]) -> bool {
    let Some(pieces) = number(&mut data) else { return false };
    let Some((step, stream)) = data.split_first() else { return false };
    let decoder = || if pieces == 0 { Decoder::without_metadata() } else { Decoder::new(pieces) };
    let whole = read_all(decoder(), stream, stream.len());
    assert_eq!(whole, read_all(decoder(), stream, usize::from(*step) + 1));
    for message in &whole {
        if matches!(message, Message::Unknown { .. }) {
            continue;
        }
        let mut bytes = BytesMut::new();
        encode(message, &mut bytes);
        assert_eq!(read_all(decoder(), &bytes, bytes.len()), std::slice::from_ref(message));
    }
    !whole.is_empty()
}

/// The messages of a stream, as far as it is sound. The buffer stays within what the longest message takes.
pub(super) fn read_all(mut decoder: Decoder, stream: &[u8], step: usize) -> Vec<Message> {
    let (mut buf, mut found) = (BytesMut::new(), Vec::new());
    for part in stream.chunks(step.max(1)) {
        buf.extend_from_slice(part);
        loop {
            match decoder.decode(&mut buf) {
                Ok(Some(message)) => found.push(message),
                Ok(None) => break,
                Err(_) => return found,
            }
        }
    }
    found
}

/// A conversation with most kinds of messages in it.
pub(super) fn conversation(mode: Mode) -> Vec<Message> {
    let (torrent, _, bytes) = sample(mode);
    let block = BlockRef { piece: PieceIndex(0), offset: 0, len: BLOCK_LEN };
    let root = torrent.layout.files.first().and_then(|file| file.root).unwrap_or(Root([1; 32]));
    let range = HashRange { root, base_layer: 0, index: 0, length: 4, proof_layers: 2 };
    let extended = |id, payload| Message::Extended { id, payload };
    let ext = ExtHandshake {
        ids: OUR_IDS,
        metadata_size: u32::try_from(torrent.info_bytes.len()).ok(),
        ..ExtHandshake::default()
    };
    let data = Bytes::copy_from_slice(&bytes[..BLOCK_LEN as usize]);
    let mut messages = vec![
        Message::HaveAll,
        extended(HANDSHAKE_ID, ext.encode()),
        Message::Unchoke,
        Message::Interested,
        Message::Piece { piece: PieceIndex(0), offset: 0, data },
        Message::Request(block),
        Message::Cancel(block),
        Message::RejectRequest(block),
        Message::AllowedFast(PieceIndex(1)),
        Message::SuggestPiece(PieceIndex(2)),
        Message::HashRequest(range),
        Message::Hashes { range, hashes: vec![Root([2; 32]); 5] },
        Message::HashReject(range),
        Message::Port(6881),
        Message::KeepAlive,
        extended(1, MetadataMessage::Request { piece: 0 }.encode()),
        extended(1, MetadataMessage::answer(&torrent.info_bytes, 0).encode()),
        extended(2, pex()),
        extended(3, Bytes::from_static(&[0, 0, 0, 1])),
        extended(4, Bytes::from_static(&[1])),
        Message::Choke,
    ];
    messages.extend((0..torrent.layout.piece_count()).map(|piece| Message::Have(PieceIndex(piece))));
    messages
}

pub(super) fn stream(messages: &[Message]) -> Vec<u8> {
    let mut bytes = BytesMut::new();
    messages.iter().for_each(|message| encode(message, &mut bytes));
    bytes.to_vec()
}

/// See [`messages`].
pub fn messages_seeds() -> Vec<Vec<u8>> {
    let talk = conversation(Mode::Hybrid);
    let bitfield = Message::Bitfield(Bytes::from_static(&[0xF0]));
    let with = |pieces: u32, step: u8, messages: &[Message]| {
        [&pieces.to_le_bytes()[..], &[step], &stream(messages)].concat()
    };
    vec![with(0, 255, &talk), with(4, 3, &talk[3..8]), with(4, 16, &[bitfield]), with(100_000, 0, &talk[8..])]
}

fn pex() -> Bytes {
    let peer = |text: &str, flags| text.parse().map(|addr| PexPeer { addr, flags: PexFlags(flags) });
    let added = [peer("9.1.2.3:6881", 2), peer("[2001:db8::1]:51413", 16)];
    let added = added.into_iter().flatten().collect();
    PexMessage { added, dropped: vec![SocketAddr::from(([9, 9, 9, 9], 1))] }.encode()
}

/// Payloads of extension messages; the first byte says of which.
pub fn extensions(data: &[u8]) -> bool {
    let Some((kind, payload)) = data.split_first() else { return false };
    match kind % 6 {
        0 => {
            let Ok(handshake) = ExtHandshake::decode(payload) else { return false };
            assert_eq!(ExtHandshake::decode(&handshake.encode()), Ok(handshake));
            true
        }
        1 => {
            let Ok(Some(message)) = MetadataMessage::decode(&Bytes::copy_from_slice(payload)) else {
                return false;
            };
            assert_eq!(MetadataMessage::decode(&message.encode()), Ok(Some(message)));
            true
        }
        2 => {
            let Ok(message) = PexMessage::decode(payload) else { return false };
            assert!(message.added.len().max(message.dropped.len()) * 6 <= payload.len());
            PexMessage::decode(&message.encode()).is_ok()
        }
        3 => decode_dont_have(payload).is_ok(),
        4 => decode_upload_only(payload).is_ok(),
        _ => {
            let (v4, v6) = (compact::read_v4(payload).count(), compact::read_v6(payload).count());
            assert!(v4 * 6 <= payload.len() && v6 * 18 <= payload.len());
            v4 > 0
        }
    }
}

/// See [`extensions`].
pub fn extensions_seeds() -> Vec<Vec<u8>> {
    let with = |kind: u8, payload: &[u8]| [&[kind], payload].concat();
    let info = Bytes::from(noise(5, 40_000));
    let handshake = ExtHandshake {
        ids: OUR_IDS,
        client: Some("Samara".to_owned()),
        listen_port: Some(6881),
        your_ip: "9.9.9.9".parse().ok(),
        request_queue: Some(2000),
        metadata_size: Some(40_000),
        upload_only: true,
    };
    vec![
        with(0, &handshake.encode()),
        with(1, &MetadataMessage::answer(&info, 2).encode()),
        with(1, &MetadataMessage::Request { piece: 1 }.encode()),
        with(2, &pex()),
        with(3, &[0, 0, 0, 9]),
        with(4, &[1]),
        with(5, &noise(1, 36)),
    ]
}

/// An info dictionary in pieces: its stated length, then for each piece its number, the length that is stated with it,
/// how many bytes come, and those.
pub fn metadata(mut data: &[u8]) -> bool {
    let Some(mut assembler) = number(&mut data).and_then(MetadataAssembler::new) else { return false };
    let mut whole_read = false;
    while let (Some(piece), Some(size), Some(len)) = (number(&mut data), number(&mut data), number(&mut data))
    {
        let _ = assembler.add(piece, size, Bytes::copy_from_slice(cut(&mut data, len as usize)));
        if let Some(whole) = assembler.finish() {
            assert_eq!(whole.len(), assembler.size() as usize);
            assert_eq!(assembler.missing().count(), 0);
            whole_read = true;
        }
    }
    whole_read
}

/// See [`metadata`].
pub fn metadata_seeds() -> Vec<Vec<u8>> {
    let info = noise(5, 20_000);
    let mut seed = 20_000u32.to_le_bytes().to_vec();
    for (piece, part) in (0u32..).zip(info.chunks(16_384)) {
        for number in [piece, 20_000, part.len() as u32] {
            seed.extend(number.to_le_bytes());
        }
        seed.extend(part);
    }
    vec![seed]
}

/// A `hashes` message: length of the file, the five numbers of the range, hashes.
pub fn hash_proof(mut data: &[u8]) -> bool {
    let (Some(low), Some(high)) = (number(&mut data), number(&mut data)) else { return false };
    let mut next = || number(&mut data);
    let (Some(base_layer), Some(index), Some(length), Some(proof_layers)) = (next(), next(), next(), next())
    else {
        return false;
    };
    let hashes: Vec<Root> = data.as_chunks::<32>().0.iter().copied().map(Root).collect();
    let range = HashRange { root: Root([1; 32]), base_layer, index, length, proof_layers };
    let file_len = u64::from(high) << 32 | u64::from(low);
    let Ok(proven) = prove(&range, &hashes, file_len) else { return false };
    assert!(proven.layer > base_layer);
    let _ = proven.check_root(Root([2; 32]), file_len);
    true
}

/// See [`hash_proof`].
pub fn hash_proof_seeds() -> Vec<Vec<u8>> {
    let with = |numbers: [u32; 6], hashes: usize| {
        [numbers.iter().flat_map(|number| number.to_le_bytes()).collect(), noise(3, hashes * 32)].concat()
    };
    vec![
        with([1 << 20, 0, 0, 0, 8, 5], 11),
        with([5 << 20, 1, 1, 512, 512, 9], 513),
        with([70_000, 0, 0, 0, 4, 2], 5),
    ]
}

/// What trackers answer to announces and scrapes.
pub fn tracker_reply(data: &[u8]) -> bool {
    let answer = AnnounceResponse::decode(data);
    if let Ok(answer) = &answer {
        assert!(answer.peers.len() * 6 <= data.len());
        let again = AnnounceResponse::decode(&answer.encode(true));
        assert!(again.is_ok(), "{again:?} of {answer:?}");
    }
    let scraped = decode_scrape(data);
    if let Ok(entries) = &scraped {
        assert!(entries.len() * 20 <= data.len());
    }
    answer.is_ok() || scraped.is_ok()
}

/// See [`tracker_reply`].
pub fn tracker_reply_seeds() -> Vec<Vec<u8>> {
    let peers = ["9.1.2.3:6881", "[2001:db8::1]:51413"].iter().filter_map(|text| text.parse().ok()).collect();
    let answer = AnnounceResponse {
        interval: std::time::Duration::from_secs(1800),
        complete: Some(3),
        peers,
        external_ip: "9.9.9.9".parse().ok(),
        warning: Some("slow down".to_owned()),
        ..AnnounceResponse::default()
    };
    vec![
        answer.encode(true),
        answer.encode(false),
        encode_failure("no such torrent"),
        encode_scrape(&[(hash(), ScrapeEntry::default())]),
    ]
}

/// What clients ask trackers: query strings.
pub fn tracker_request(data: &[u8]) -> bool {
    let query = String::from_utf8_lossy(data);
    let (announce, scrape) = (parse_announce(&query), parse_scrape(&query));
    announce.is_ok() || scrape.is_ok()
}

/// See [`tracker_request`].
pub fn tracker_request_seeds() -> Vec<Vec<u8>> {
    let Ok(url) = url::Url::parse("http://a.example/announce") else { return Vec::new() };
    let request = AnnounceRequest::new(hash(), PeerId::new(PeerId::LAUNCHER_PREFIX, [7; 12]), 6881);
    let urls = [Some(announce_url(&url, &request)), scrape_url(&url, &[hash(), hash()])];
    urls.into_iter().flatten().filter_map(|url| Some(url.query()?.as_bytes().to_vec())).collect()
}

/// The head of a web seed's answer: status, then lines of `Content-Range`, `Content-Length` and `Content-Encoding`.
pub fn web_seed_reply(data: &[u8]) -> bool {
    let text = String::from_utf8_lossy(data);
    let mut lines = text.split('\n').map(|line| Some(line).filter(|line| !line.is_empty()));
    let mut next = || lines.next().flatten();
    let head = ResponseHead {
        status: next().and_then(|status| status.parse().ok()).unwrap_or(206),
        content_range: next(),
        content_length: next().and_then(|len| len.parse().ok()),
        content_encoding: next(),
    };
    let mut taken = false;
    for asked in [0..100, 16_384..32_768, u64::MAX - 1..u64::MAX] {
        if let Ok(body) = check_response(&asked, asked.end + (u64::MAX - asked.end).min(7), &head) {
            assert_eq!(body.take, asked.end - asked.start);
            taken = true;
        }
    }
    taken
}

/// See [`web_seed_reply`].
pub fn web_seed_reply_seeds() -> Vec<Vec<u8>> {
    let heads = [
        "206\nbytes 0-99/107\n100\n",
        "206\nbytes 16384-32767/*\n\nidentity",
        "200\n\n107\n",
        "206\nbytes 18446744073709551614-18446744073709551614/18446744073709551615\n1\n",
        "503\n\n\ngzip",
    ];
    heads.map(|head| head.as_bytes().to_vec()).into()
}
