//! A tracker and a web seed on loopback.

use super::build::{Build, completed};
use protocol::disk::FileStore;
use protocol::metainfo::Mode;
use protocol::net::{AddSwarm, Node, NodeConfig, WebSeed};
use protocol::swarm::Role;
use protocol::tracker::AnnounceResponse;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

/// Answers each request by what `answer` makes of it (the head as text), one to a connection.
async fn serve(answer: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let answer = Arc::new(answer);
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            tokio::spawn(one(socket, answer.clone()));
        }
    });
    addr
}

async fn one(mut socket: TcpStream, answer: Arc<impl Fn(&str) -> Vec<u8>>) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        match socket.read_buf(&mut request).await {
            Ok(n) if n > 0 => {}
            _ => return,
        }
    }
    let bytes = answer(&String::from_utf8(request).unwrap());
    let _ = socket.write_all(&bytes).await;
    let _ = socket.shutdown().await;
}

fn file_range(root: &Path, request: &str) -> Option<Vec<u8>> {
    let path = request.split(' ').nth(1)?.strip_prefix("/game/")?;
    let data = std::fs::read(root.join(path.split('/').collect::<PathBuf>())).ok()?;
    let range = request.lines().find_map(|line| line.strip_prefix("range: bytes="))?;
    let (first, last) = range.split_once('-')?;
    let (first, last): (usize, usize) = (first.parse().ok()?, last.parse().ok()?);
    let body = data.get(first..=last)?;
    let head = format!(
        "HTTP/1.1 206 Partial Content\r\nConnection: close\r\nContent-Length: {}\r\nContent-Range: bytes {first}-{last}/{}\r\n\r\n",
        body.len(),
        data.len()
    );
    Some([head.as_bytes(), body].concat())
}

#[tokio::test]
async fn a_web_seed_alone_is_enough() {
    let build = Build::new(Mode::Hybrid, &[300_000, 0, 70_000, 1]);
    let root = build.dir.path().to_owned();
    let missing = b"HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    let addr = serve(move |request| file_range(&root, request).unwrap_or(missing.to_vec())).await;
    let into = tempfile::tempdir().unwrap();
    let node = Node::start(NodeConfig::new(Role::Launcher, None)).await.unwrap();
    let store = Arc::new(FileStore::new(build.source(into.path())));
    let base = Url::parse(&format!("http://{addr}/")).unwrap();
    let web_seeds = vec![WebSeed::ByPath { base }];
    let add = AddSwarm { web_seeds, use_peers: false, ..AddSwarm::new(build.content(false), store) };
    let mut leech = node.add(add).await.unwrap();
    completed(&mut leech).await;
    let stats = leech.stats();
    assert_eq!((stats.received.web, stats.received.total()), (370_001, 370_001));
    leech.shutdown().await;
    build.assert_copied(into.path());
    node.shutdown().await;
}

#[tokio::test]
async fn a_tracker_brings_them_together() {
    let build = Build::new(Mode::Hybrid, &[300_000]);
    let store = Arc::new(FileStore::new(build.source(build.dir.path())));
    let (seed_node, _seed) = build.seed(store).await;
    let peers = vec![seed_node.local_addr().unwrap()];
    let tracker = serve(move |request| {
        assert!(request.starts_with("GET /announce?") && request.contains("info_hash="), "{request}");
        let interval = Duration::from_secs(900);
        let body =
            AnnounceResponse { interval, peers: peers.clone(), ..AnnounceResponse::default() }.encode(true);
        let head = format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
        [head.into_bytes(), body].concat()
    })
    .await;
    let into = tempfile::tempdir().unwrap();
    let node = Node::start(NodeConfig::new(Role::Launcher, Some(super::build::ANY_PORT))).await.unwrap();
    let add = AddSwarm::new(build.content(false), Arc::new(FileStore::new(build.source(into.path()))));
    let add = add.trackers([format!("http://{tracker}/announce")]).unwrap();
    let mut leech = node.add(add).await.unwrap();
    completed(&mut leech).await;
    build.assert_copied(into.path());
    tokio::join!(node.shutdown(), seed_node.shutdown());
}
