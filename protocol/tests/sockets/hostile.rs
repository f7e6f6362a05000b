//! Strangers who do not keep to the protocol.

use super::build::{ANY_PORT, Build};
use bytes::BytesMut;
use protocol::disk::FileStore;
use protocol::metainfo::Mode;
use protocol::net::{AddSwarm, Node, NodeConfig};
use protocol::swarm::Role;
use protocol::units::{PeerId, WireHash};
use protocol::wire::{Handshake, HashRange, Message, Reserved, encode};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A seed that has little patience, and the hash it answers to.
async fn impatient(build: &Build) -> (Node, protocol::net::SwarmHandle, WireHash) {
    let mut config = NodeConfig::new(Role::Seedbox, Some(ANY_PORT));
    config.limits.handshake_timeout = Duration::from_millis(300);
    config.limits.max_unnamed = 2;
    let node = Node::start(config).await.unwrap();
    let store = Arc::new(FileStore::new(build.source(build.dir.path())));
    let swarm = node.add(AddSwarm::new(build.content(true), store)).await.unwrap();
    let hash = build.torrent.wire_hashes().next().unwrap();
    (node, swarm, hash)
}

/// What comes back until the other side closes; panics if it does not.
async fn rest(socket: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    // A reset is a close as well.
    let _ = tokio::time::timeout(Duration::from_secs(20), socket.read_to_end(&mut bytes))
        .await
        .expect("not closed");
    bytes
}

fn handshake(hash: WireHash) -> [u8; 68] {
    Handshake::new(hash, PeerId(*b"-XX0001-abcdefghijkl"), &[Reserved::Fast, Reserved::Extension]).encode()
}

#[tokio::test]
async fn strangers_are_hung_up_on() {
    let build = Build::new(Mode::Hybrid, &[100_000]);
    let (node, _swarm, hash) = impatient(&build).await;
    let addr = node.local_addr().unwrap();
    let mut broken = handshake(hash);
    broken[5] = b'x';
    let half = &handshake(hash)[..40];
    for (what, bytes) in [
        ("silence", &[][..]),
        ("half a handshake", half),
        ("another protocol", &broken),
        (
            "a request for a web page",
            b"GET / HTTP/1.1\r\nHost: localhost\r\nAccept: text/html,everything,and,more\r\n\r\n",
        ),
        ("a torrent that is not here", &handshake(WireHash([7; 20]))),
    ] {
        let mut socket = TcpStream::connect(addr).await.unwrap();
        socket.write_all(bytes).await.unwrap();
        assert_eq!(rest(&mut socket).await, b"", "{what} got an answer");
    }
    node.shutdown().await;
}

#[tokio::test]
async fn whoever_breaks_the_protocol_is_hung_up_on_and_others_are_served() {
    let build = Build::new(Mode::Hybrid, &[100_000]);
    let (node, _swarm, hash) = impatient(&build).await;
    let addr = node.local_addr().unwrap();
    for (what, bytes) in [
        ("a message without end", &[0xff, 0xff, 0xff, 0xff, 7, 0, 0][..]),
        ("a choke with a body", &[0, 0, 0, 2, 0, 0]),
        ("a bitfield of the wrong length", &[0, 0, 0, 4, 5, 1, 2, 3]),
        ("a block longer than was ever asked for", &[0, 1, 0, 0, 7, 0, 0, 0, 0]),
    ] {
        let mut socket = TcpStream::connect(addr).await.unwrap();
        socket.write_all(&handshake(hash)).await.unwrap();
        socket.write_all(bytes).await.unwrap();
        let answer = rest(&mut socket).await;
        assert!(answer.is_empty() || answer.starts_with(b"\x13BitTorrent protocol"), "{what}");
    }
    let into = tempfile::tempdir().unwrap();
    let (leech_node, mut leech) = build.leech(into.path(), vec![addr]).await;
    super::completed(&mut leech).await;
    build.assert_copied(into.path());
    tokio::join!(node.shutdown(), leech_node.shutdown());
}

/// Fifty bytes ask for seventeen thousand. All of the answers would be 3.4 GB; gathering them first takes longer than
/// `rest` waits.
#[tokio::test]
async fn whoever_asks_and_does_not_listen_is_hung_up_on() {
    let build = Build::new(Mode::Hybrid, &[600 * 16384]);
    let (node, _swarm, hash) = impatient(&build).await;
    let mut socket = TcpStream::connect(node.local_addr().unwrap()).await.unwrap();
    socket.write_all(&handshake(hash)).await.unwrap();
    let root = build.torrent.layout.files[0].root.unwrap();
    let mut questions = BytesMut::new();
    for _ in 0..200_000 {
        let range = HashRange { root, base_layer: 0, index: 0, length: 512, proof_layers: 9 };
        encode(&Message::HashRequest(range), &mut questions);
    }
    // It may be closed before all is sent.
    let _ = socket.write_all(&questions).await;
    let answers = rest(&mut socket).await.len();
    assert!(answers < 16 << 20, "{answers} bytes");
    node.shutdown().await;
}

#[tokio::test]
async fn no_more_than_so_many_nameless_connections() {
    let build = Build::new(Mode::Hybrid, &[100]);
    let (node, _swarm, _) = impatient(&build).await;
    let addr = node.local_addr().unwrap();
    let mut sockets = Vec::new();
    for _ in 0..20 {
        sockets.push(TcpStream::connect(addr).await.unwrap());
    }
    for socket in &mut sockets {
        assert_eq!(rest(socket).await, b"");
    }
    node.shutdown().await;
}
