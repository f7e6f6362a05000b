//! A seedbox on loopback, asked over plain sockets: what it answers, and what it refuses to wait for.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a test makes and reads files as it likes"
)]
#![allow(missing_docs, clippy::expect_used, clippy::panic, reason = "a test")]

use manifests::hash::LeafChanges;
use manifests::release::{ChannelName, GameId, Version};
use seedbox::server::Limits;
use seedbox::{InitConfig, PublishOptions, Running, ServeConfig, init, publish, serve};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const LARGE_LEN: usize = 3_000_000;

struct World {
    tmp: tempfile::TempDir,
}

/// An answer, taken apart.
struct Answer {
    status: u16,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}

impl World {
    fn new() -> World {
        let world = World { tmp: tempfile::tempdir().unwrap() };
        init(&InitConfig { data: world.at("data"), keys: world.at("keys"), public_url: None }).unwrap();
        std::fs::create_dir_all(world.at("build/a folder")).unwrap();
        std::fs::write(world.at("build/large.bin"), large()).unwrap();
        std::fs::write(world.at("build/a folder/ünï 100%.txt"), "hello, world").unwrap();
        std::fs::write(world.at("build/empty"), "").unwrap();
        world.publish("1.0");
        world
    }

    fn at(&self, name: &str) -> PathBuf {
        self.tmp.path().join(name)
    }

    fn publish(&self, version: &str) -> seedbox::Published {
        let options = PublishOptions {
            build: self.at("build"),
            data: self.at("data"),
            keys: self.at("keys"),
            game: GameId::parse("game").unwrap(),
            version: Version::parse(version).unwrap(),
            channel: ChannelName::parse("stable").unwrap(),
            notes: String::new(),
            pictures: seedbox::publish::Pictures::default(),
            launch: BTreeMap::new(),
            exec: seedbox::publish::Patterns::default(),
            policies: seedbox::publish::Policies::default(),
            piece_len: None,
            packs: seedbox::PackOptions::default(),
        };
        publish(&options, &()).unwrap()
    }

    async fn serve(&self, limits: Limits) -> Running {
        serve(ServeConfig { limits, ..ServeConfig::loopback(self.at("data")) }).await.unwrap()
    }

    /// The name of the blob with this length.
    fn blob(&self, len: usize) -> String {
        let names = std::fs::read_dir(self.at("data/public/blobs")).unwrap();
        let mut names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.find(|name| name.ends_with(&format!("-{len}"))).unwrap()
    }
}

fn large() -> Vec<u8> {
    (0..LARGE_LEN as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 11) as u8).collect()
}

/// Sends raw bytes, reads until the server closes.
async fn raw(addr: SocketAddr, request: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(addr).await.unwrap();
    stream.write_all(request).await.unwrap();
    let mut out = Vec::new();
    // A server that closes on a body it did not read may reset: what came before counts.
    let _ = stream.read_to_end(&mut out).await;
    out
}

async fn ask(addr: SocketAddr, method: &str, path: &str, headers: &[&str]) -> Answer {
    let mut request = format!("{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n");
    for header in headers {
        request += &format!("{header}\r\n");
    }
    parse(&raw(addr, format!("{request}\r\n").as_bytes()).await)
}

fn parse(answer: &[u8]) -> Answer {
    let end = answer.windows(4).position(|w| w == b"\r\n\r\n").expect("a whole head");
    let head = String::from_utf8(answer[..end].to_vec()).unwrap();
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let header = |line: &str| line.split_once(": ").map(|(k, v)| (k.to_lowercase(), v.to_owned()));
    Answer { status, headers: lines.filter_map(header).collect(), body: answer[end + 4..].to_vec() }
}

#[tokio::test]
async fn packs_and_what_lies_beside_them() {
    let world = World::new();
    let text = |from: u32| (from..from + 40_000).map(|i| format!("{i} lines\n")).collect::<String>();
    std::fs::write(world.at("build/text"), text(0)).unwrap();
    world.publish("1.1");
    std::fs::write(world.at("build/text"), text(77)).unwrap();
    let done = world.publish("1.2");
    let pack = done.packs.iter().find(|pack| pack.base.as_deref() == Some("1.1")).unwrap();
    let bytes = std::fs::read(&pack.file).unwrap();
    let name = format!("/packs/{}", pack.file.file_name().unwrap().to_str().unwrap());
    let index = name.replace(".pack", ".index");
    let index_bytes = std::fs::read(pack.file.with_extension("index")).unwrap();
    let running = world.serve(Limits::default()).await;
    let addr = running.http_addr();
    let large = done.packs.iter().find(|pack| pack.base.is_none()).unwrap();
    let large_name = format!("/packs/{}", large.file.file_name().unwrap().to_str().unwrap());
    let leaves = large_name.replace(".pack", ".leaves");
    let leaf_bytes = std::fs::read(large.file.with_extension("leaves")).unwrap();
    let cases: &[(&str, &[&str], u16, &[u8])] = &[
        (&name, &[], 200, &bytes),
        (&name, &["Range: bytes=3-6"], 206, &bytes[3..7]),
        (&name, &[&format!("If-None-Match: \"{}\"", &name[7..name.len() - 5])], 304, b""),
        (&index, &[], 200, &index_bytes),
        (&index, &["Range: bytes=1-2"], 206, &index_bytes[1..3]),
        (&leaves, &[], 200, &leaf_bytes),
    ];
    for (path, headers, status, body) in cases {
        let answer = ask(addr, "GET", path, headers).await;
        assert_eq!(answer.status, *status, "{path} {headers:?}");
        assert!(answer.body == *body, "{path} {headers:?}: {} bytes", answer.body.len());
        assert!(answer.header("etag").starts_with('"'), "{path}: strong");
        assert!(answer.header("cache-control").contains("immutable"), "{path}");
    }
    let blob = world.blob(LARGE_LEN);
    for bad in [
        "/packs/",
        "/packs/x.pack",
        "/packs/../state/seedbox.json",
        &format!("/packs/{blob}.pack"),
        &name[..name.len() - 5],
        &format!("{name}.tmp"),
    ] {
        assert_eq!(ask(addr, "GET", bad, &[]).await.status, 404, "{bad}");
    }
    let page = String::from_utf8(ask(addr, "GET", "/metrics", &[]).await.body).unwrap();
    assert!(page.contains("seedbox_http_sent_bytes_total{route=\"packs\"}"), "{page}");
    assert!(page.contains(&format!("seedbox_packs {}", running.stats().packs)), "{page}");
    assert!(running.stats().packs >= 2);

    // A later revision of a list is noticed like a publish.
    let before = running.stats().packs;
    let options = seedbox::OptimizeOptions {
        data: world.at("data"),
        game: GameId::parse("game").unwrap(),
        version: None,
        packs: seedbox::PackOptions {
            bases: seedbox::packs::Bases::These(vec![Version::parse("1.0").unwrap()]),
            full: seedbox::packs::Full::Never,
            ..seedbox::PackOptions::default()
        },
        work: seedbox::optimize::Work::All(world.at("keys")),
    };
    let optimized =
        tokio::task::spawn_blocking(move || seedbox::optimize(&options, &())).await.unwrap().unwrap();
    assert!(optimized.packs[0].listed);
    let mut looks = tokio::time::interval(Duration::from_millis(20));
    while running.stats().packs == before {
        looks.tick().await;
    }

    // The pack is tracked and seeded.
    let escaped = |hex: &str| {
        hex.as_bytes()
            .chunks(2)
            .map(|pair| format!("%{}", std::str::from_utf8(pair).unwrap()))
            .collect::<String>()
    };
    let hash = escaped(&pack.info_hash_v1);
    let query = format!(
        "/announce?info_hash={hash}&peer_id=-XX0000-abcdefghijkl&port=7000&uploaded=0&downloaded=0&left=9&compact=1"
    );
    let answer = ask(addr, "GET", &query, &[]).await;
    let body = String::from_utf8_lossy(&answer.body).into_owned();
    assert!(body.contains("8:completei1e") && body.contains("5:peers6:"), "{body}");
}

#[tokio::test]
async fn of_large_files_only_the_leaves_that_changed_need_to_be_fetched() {
    let world = World::new();
    let path = world.at("build/huge.bin");
    // Leaves of less than 64 KiB are not worth a difference.
    let mut huge = vec![0; 33 << 20];
    std::fs::write(&path, &huge).unwrap();
    world.publish("1.1");
    let old = world.blob(33 << 20);
    huge[20 << 20] = 1;
    huge.push(2);
    std::fs::write(&path, &huge).unwrap();
    world.publish("1.2");
    let new = world.blob((33 << 20) + 1);
    let running = world.serve(Limits::default()).await;
    let addr = running.http_addr();
    let answer = ask(addr, "GET", &format!("/blobs/{new}.leaves-{old}"), &[]).await;
    assert_eq!((answer.status, answer.body.len()), (200, 56 + 2 * 36));
    assert!(answer.header("cache-control").contains("immutable"));
    let changes = LeafChanges::decode(&answer.body).unwrap();
    assert_eq!(changes.base.to_string(), old);
    for bad in [
        format!("/blobs/{old}.leaves-{new}"),
        format!("/blobs/{new}.leaves-"),
        format!("/blobs/x.leaves-{old}"),
    ] {
        assert_eq!(ask(addr, "GET", &bad, &[]).await.status, 404, "{bad}");
    }
    running.shutdown().await;
}

#[tokio::test]
async fn web_seed_by_path_and_by_content() {
    let world = World::new();
    let running = world.serve(Limits::default()).await;
    let addr = running.http_addr();
    let blob = format!("/blobs/{}", world.blob(LARGE_LEN));
    let etag = format!("\"{}\"", world.blob(LARGE_LEN));
    let all = large();
    let text = b"hello, world".as_slice();
    let by_path = "/files/game-1.0/large.bin";
    let cases: &[(&str, &[&str], u16, &[u8])] = &[
        (by_path, &[], 200, &all),
        (&blob, &[], 200, &all),
        (by_path, &["Range: bytes=0-0"], 206, &all[..1]),
        (&blob, &["Range: bytes=1048570-2097160"], 206, &all[1_048_570..=2_097_160]),
        (&blob, &["Range: bytes=-7"], 206, &all[LARGE_LEN - 7..]),
        (&blob, &["Range: bytes=2999999-"], 206, &all[LARGE_LEN - 1..]),
        (&blob, &["Range: bytes=3000000-"], 416, b""),
        (&blob, &["Range: bytes=0-1,5-6"], 200, &all),
        (&blob, &["Range: bytes=5-6", &format!("If-Range: {etag}")], 206, &all[5..7]),
        (&blob, &["Range: bytes=5-6", "If-Range: \"old\""], 200, &all),
        (&blob, &[&format!("If-None-Match: {etag}")], 304, b""),
        ("/files/game-1.0/a%20folder/%C3%BCn%C3%AF%20100%25.txt", &[], 200, text),
        ("/files/game-1.0/empty", &[], 200, b""),
        ("/files/game-1.0/empty", &["Range: bytes=0-"], 416, b""),
    ];
    for (path, headers, status, body) in cases {
        let answer = ask(addr, "GET", path, headers).await;
        assert_eq!(answer.status, *status, "{path} {headers:?}");
        assert!(answer.body == *body, "{path} {headers:?}: {} bytes", answer.body.len());
        assert_eq!(answer.header("accept-ranges"), "bytes");
        if path.contains("large") || path.contains("blobs") {
            assert_eq!(answer.header("etag"), etag, "{path} {headers:?}");
        }
        if *status == 416 {
            assert!(answer.header("content-range").starts_with("bytes */"), "{path} {headers:?}");
        } else {
            assert!(answer.header("cache-control").contains("immutable"), "{path} {headers:?}");
        }
    }
    let missing =
        ["/files/game-1.0/none", "/files/game-1.0", "/files/game-1.0/", "/files/x/large.bin", "/blobs/x"];
    let outside =
        ["/files/game-1.0/../large.bin", "/metadata/../../state/seedbox.json", "/metadata/%2e%2e/x"];
    let unknown = format!("/blobs/{}-5", "ab".repeat(32));
    for path in missing.iter().chain(&outside).copied().chain([unknown.as_str(), "/state/seedbox.json", "/"])
    {
        assert_eq!(ask(addr, "GET", path, &[]).await.status, 404, "{path}");
    }
    let stats = running.shutdown().await;
    assert!(stats.web_bytes > 3 * LARGE_LEN as u64, "{stats:?}");
}

#[tokio::test]
async fn head_other_methods_and_bodies() {
    let world = World::new();
    let running = world.serve(Limits::default()).await;
    let addr = running.http_addr();
    for path in ["/files/game-1.0/large.bin", &format!("/blobs/{}", world.blob(LARGE_LEN))] {
        let answer = ask(addr, "HEAD", path, &["Range: bytes=0-5"]).await;
        assert_eq!((answer.status, answer.header("content-length")), (200, "3000000"), "{path}");
        assert!(answer.body.is_empty());
    }
    for method in ["POST", "PUT", "DELETE", "PATCH"] {
        assert_eq!(ask(addr, method, "/metadata/root.json", &[]).await.status, 405, "{method}");
    }
    let heavy = "POST /announce HTTP/1.1\r\nHost: x\r\nContent-Length: 3000000000\r\n\r\nxxxx";
    assert_eq!(parse(&raw(addr, heavy.as_bytes()).await).status, 413);
    let chunked = "GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n";
    assert_eq!(parse(&raw(addr, chunked.as_bytes()).await).status, 413);
    running.shutdown().await;
}

#[tokio::test]
async fn metadata_targets_torrents_and_health() {
    let world = World::new();
    let running = world.serve(Limits::default()).await;
    let addr = running.http_addr();
    let public = world.at("data/public");
    let mut seen = 0;
    for folder in ["metadata", "targets", "torrents", "blobs"] {
        let mut folders = vec![public.join(folder)];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let url = format!("/{}", path.strip_prefix(&public).unwrap().to_str().unwrap());
                let answer = ask(addr, "GET", &url, &[]).await;
                assert_eq!(answer.status, 200, "{url}");
                assert!(answer.body == std::fs::read(&path).unwrap(), "{url}");
                let changes =
                    ["timestamp.json", "/root.json", ".torrent"].iter().any(|end| url.ends_with(end));
                assert_eq!(answer.header("cache-control").contains("immutable"), !changes, "{url}");
                let etag = answer.header("etag").to_owned();
                let again = ask(addr, "GET", &url, &[&format!("If-None-Match: {etag}")]).await;
                assert_eq!(again.status, 304, "{url}");
                seen += 1;
            }
        }
    }
    assert!(seen > 10, "{seen} files");
    assert_eq!(ask(addr, "GET", "/livez", &[]).await.status, 200);
    assert_eq!(ask(addr, "GET", "/readyz", &[]).await.status, 200);
    let metrics = ask(addr, "GET", "/metrics", &[]).await;
    assert!(metrics.header("content-type").starts_with("application/openmetrics-text"));
    let page = String::from_utf8(metrics.body).unwrap();
    assert!(page.contains("seedbox_releases 1\n") && page.ends_with("# EOF\n"), "{page}");
    running.shutdown().await;
}

/// A hash as a query carries it, every byte escaped.
fn escape(hex: &str) -> String {
    hex.as_bytes().chunks(2).map(|c| format!("%{}{}", c[0] as char, c[1] as char)).collect()
}

async fn announce(addr: SocketAddr, hash: &str, id: &str, port: u16, left: u64) -> Vec<u8> {
    let query =
        format!("info_hash={hash}&peer_id=-XX0000-{id}&port={port}&uploaded=0&downloaded=0&left={left}");
    ask(addr, "GET", &format!("/announce?{query}&compact=1"), &[]).await.body
}

fn compact(addr: SocketAddr) -> Vec<u8> {
    match addr {
        SocketAddr::V4(v4) => [&v4.ip().octets()[..], &v4.port().to_be_bytes()].concat(),
        SocketAddr::V6(_) => panic!("an IPv4 test"),
    }
}

fn contains(body: &[u8], what: &[u8]) -> bool {
    body.windows(what.len()).any(|w| w == what)
}

#[tokio::test]
async fn the_tracker_joins_both_hashes_and_is_a_peer_itself() {
    let world = World::new();
    let done = world.publish("1.1");
    let running = world.serve(Limits::default()).await;
    let addr = running.http_addr();
    let own = compact(running.peer_addr().unwrap());
    let (v1, v2) = (escape(&done.info_hash_v1), escape(&done.info_hash_v2[..40]));
    let at = |port: u16| compact(SocketAddr::from(([127, 0, 0, 1], port)));

    let first = announce(addr, &v1, "aaaaaaaaaaaa", 5001, 5).await;
    assert!(contains(&first, &own), "the seedbox is a peer");
    let second = announce(addr, &v2, "bbbbbbbbbbbb", 5002, 5).await;
    assert!(contains(&second, &own));
    assert!(!contains(&second, &at(5001)), "who asks by v2 gets only those seen under v2");
    let third = announce(addr, &v1, "aaaaaaaaaaaa", 5001, 5).await;
    assert!(contains(&third, &at(5002)), "who asks by v1 gets all");
    let seed = announce(addr, &v1, "cccccccccccc", 5003, 0).await;
    assert!(!contains(&seed, &own), "a seed has no use for us");
    let twin = announce(addr, &escape(&done.info_hash_v1_only), "dddddddddddd", 5004, 5).await;
    assert!(!contains(&twin, &at(5001)) && contains(&twin, &own), "the twin is a swarm of its own");
    let scrape = ask(addr, "GET", &format!("/scrape?info_hash={v1}"), &[]).await.body;
    assert!(contains(&scrape, b"8:completei2e"), "{}", String::from_utf8_lossy(&scrape));
    assert_eq!(running.shutdown().await.announces, 5);
}

#[tokio::test]
async fn the_tracker_reads_raw_queries_and_knows_only_our_torrents() {
    let world = World::new();
    let done = world.publish("1.1");
    let running = world.serve(Limits::default()).await;
    let addr = running.http_addr();
    let unknown = announce(addr, &escape(&"ab".repeat(20)), "aaaaaaaaaaaa", 5001, 5).await;
    assert!(contains(&unknown, b"14:failure reason"));
    for query in ["", "?", "?info_hash=%ff%zz&peer_id=x", "?info_hash=short&peer_id=x&port=1&left=0"] {
        let answer = ask(addr, "GET", &format!("/announce{query}"), &[]).await;
        assert!(answer.status == 200 && contains(&answer.body, b"14:failure reason"), "{query}");
    }
    // Bytes that are no UTF-8, as some clients send them: answered or refused, never a crash.
    let hash = hex::decode(&done.info_hash_v1).unwrap();
    let plain = |b: &u8| b.is_ascii_alphanumeric() || *b >= 0x80;
    let raw_hash: Vec<u8> = hash
        .iter()
        .flat_map(|b| if plain(b) { vec![*b] } else { format!("%{b:02x}").into_bytes() })
        .collect();
    let head = [b"GET /announce?info_hash=".as_slice(), &raw_hash].concat();
    let tail =
        b"&peer_id=-XX0000-eeeeeeeeeeee&port=5005&left=1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let answer = parse(&raw(addr, &[head, tail.to_vec()].concat()).await);
    assert!(answer.status == 400 || contains(&answer.body, b"5:peers"), "{}", answer.status);
    assert_eq!(ask(addr, "GET", "/livez", &[]).await.status, 200);
    running.shutdown().await;
}

#[tokio::test]
async fn slow_and_many_clients_are_cut_off() {
    let world = World::new();
    let brief = Duration::from_millis(200);
    let limits = Limits { header_timeout: brief, max_connections_per_address: 3, ..Limits::default() };
    let running = world.serve(limits).await;
    let addr = running.http_addr();
    let cases = [
        ("half a header", "GET /livez HTTP/1.1\r\nHost: x\r\nX-Slow: "),
        ("nothing at all", ""),
        ("idle after an answer", "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"),
    ];
    for (what, sent) in cases {
        let started = Instant::now();
        raw(addr, sent.as_bytes()).await;
        assert!(started.elapsed() < Duration::from_secs(10), "{what}");
    }
    running.shutdown().await;

    // The fourth connection from one address is closed at once.
    let running = world.serve(Limits { max_connections_per_address: 3, ..Limits::default() }).await;
    let mut held = Vec::new();
    for _ in 0..4 {
        held.push(TcpStream::connect(running.http_addr()).await.unwrap());
    }
    let ended = held[3].read(&mut [0; 1]).await;
    assert!(matches!(ended, Ok(0) | Err(_)));
    drop(held);
    running.shutdown().await;
}

#[tokio::test]
async fn a_client_that_does_not_read_is_cut_off() {
    let world = World::new();
    std::fs::write(world.at("build/huge.bin"), vec![7; 64 << 20]).unwrap();
    world.publish("2.0");
    let limits = Limits { write_timeout: Duration::from_millis(300), ..Limits::default() };
    let running = world.serve(limits).await;
    let mut stream = TcpStream::connect(running.http_addr()).await.unwrap();
    let request = "GET /files/game-2.0/huge.bin HTTP/1.1\r\nHost: x\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let gave_up = tokio::time::timeout(Duration::from_secs(20), async {
        while running.stats().web_bytes == 0 || running.open_connections() > 0 {
            tokio::task::yield_now().await;
        }
    });
    gave_up.await.expect("the server waits for ever");
    assert!(running.stats().web_bytes < 64 << 20);
    running.shutdown().await;
}

#[tokio::test]
async fn a_publish_is_seen_without_a_restart_and_open_answers_are_finished() {
    let world = World::new();
    let running = world.serve(Limits::default()).await;
    let addr = running.http_addr();
    assert_eq!(running.stats().releases, 1);
    world.publish("1.1");
    let seen = tokio::time::timeout(Duration::from_secs(20), async {
        while ask(addr, "GET", "/files/game-1.1/large.bin", &["Range: bytes=0-0"]).await.status != 206 {}
    });
    seen.await.expect("the new release is not offered");

    let mut stream = TcpStream::connect(addr).await.unwrap();
    stream.write_all(b"GET /files/game-1.0/large.bin HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut answer = vec![0; 1000];
    stream.read_exact(&mut answer).await.unwrap();
    let (_, rest) = tokio::join!(running.shutdown(), async {
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).await.map(|_| rest)
    });
    answer.extend(rest.unwrap());
    assert!(parse(&answer).body == large(), "the answer was finished");
    assert!(TcpStream::connect(addr).await.is_err(), "nobody listens any more");
}

#[tokio::test]
async fn the_upload_limit_holds_for_all_web_seed_answers_together() {
    let world = World::new();
    let config = ServeConfig { upload_limit: Some(4_000_000), ..ServeConfig::loopback(world.at("data")) };
    let running = serve(config).await.unwrap();
    let addr = running.http_addr();
    let started = Instant::now();
    let (a, b) = tokio::join!(
        ask(addr, "GET", "/files/game-1.0/large.bin", &[]),
        ask(addr, "GET", "/files/game-1.0/large.bin", &[])
    );
    assert!(a.body.len() == LARGE_LEN && b.body.len() == LARGE_LEN);
    // 6 MB at 4 MB/s, less what a burst lets through.
    assert!(started.elapsed() > Duration::from_millis(1200), "{:?}", started.elapsed());
    running.shutdown().await;
}

#[tokio::test]
async fn a_timestamp_that_ends_soon_is_signed_again() {
    let world = World::new();
    let timestamp = || std::fs::read(world.at("data/public/metadata/timestamp.json")).unwrap();
    let before = timestamp();
    let a_year = Duration::from_secs(365 * 86_400);
    let config = ServeConfig { renew_below: a_year, ..ServeConfig::loopback(world.at("data")) };
    let running = serve(config).await.unwrap();
    let signed = tokio::time::timeout(Duration::from_secs(20), async {
        while timestamp() == before {
            tokio::task::yield_now().await;
        }
    });
    signed.await.expect("nothing was signed");
    let served = ask(running.http_addr(), "GET", "/metadata/timestamp.json", &[]).await;
    assert!(served.status == 200 && served.body != before);
    running.shutdown().await;
    seedbox::refresh(&world.at("data")).unwrap();
}

#[tokio::test]
async fn addresses_in_use_and_folders_without_a_repository_are_told() {
    let world = World::new();
    let running = world.serve(Limits::default()).await;
    let taken = ServeConfig { listen: running.http_addr(), ..ServeConfig::loopback(world.at("data")) };
    assert_eq!(serve(taken).await.err().map(|e| e.code()), Some("E-LISTEN"));
    let taken = ServeConfig { peer_listen: running.peer_addr(), ..ServeConfig::loopback(world.at("data")) };
    assert_eq!(serve(taken).await.err().map(|e| e.code()), Some("E-LISTEN"));
    let nothing = serve(ServeConfig::loopback(world.at("build"))).await;
    assert_eq!(nothing.err().map(|e| e.code()), Some("E-REPO-MISSING"));
    running.shutdown().await;
}
