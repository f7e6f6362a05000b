//! Servers on loopback that answer in every wrong way.

use super::super::bufs::RecvBufs;
use super::super::conn::Common;
use super::super::files::Files;
use super::super::{Limiter, NodeLimits};
use super::*;
use crate::disk::{DirSource, FileStore, ReadBufs};
use crate::metainfo::{FileEntry, Layout};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};

const LEN: u64 = 100;

fn link() -> (Link, mpsc::Receiver<Feed>, watch::Sender<bool>) {
    let torrent = Torrent {
        name: "game".to_owned(),
        info_hash_v1: None,
        info_hash_v2: None,
        layout: Layout::contiguous(16384, vec![FileEntry::new(&["a b"], LEN)]).unwrap(),
        single_file: false,
        pieces_v1: Vec::new(),
        piece_layers: BTreeMap::new(),
        info_bytes: Bytes::new(),
        announce: Vec::new(),
        url_list: Vec::new(),
        private: false,
    };
    let store = FileStore::new(DirSource::new(Path::new("nowhere"), ["a"]).unwrap());
    let files = Files {
        torrent: Arc::new(torrent),
        store: Arc::new(store),
        bufs: ReadBufs::default(),
        gate: Arc::default(),
    };
    let (feed, feeds) = mpsc::channel(64);
    let (reading_sender, reading) = watch::channel(true);
    let shared = Common {
        limits: NodeLimits::default(),
        upload: Arc::new(Limiter::unlimited()),
        download: Arc::new(Limiter::unlimited()),
        recv_bufs: RecvBufs::default(),
    };
    (Link { files: OnceLock::from(files), feed, reading, shared: Arc::new(shared) }, feeds, reading_sender)
}

/// Answers every connection with `answer` and closes it; `HERE` in it is its own address. Yields the requests.
async fn serve(answer: String) -> (Url, mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let here = listener.local_addr().unwrap().to_string();
    let base = Url::parse(&format!("http://{here}/files/")).unwrap();
    let answer = answer.replace("HERE", &here);
    let (requests, seen) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                match socket.read_buf(&mut request).await {
                    Ok(n) if n > 0 => {}
                    _ => break,
                }
            }
            let _ = requests.send(String::from_utf8(request).unwrap());
            let _ = socket.write_all(answer.as_bytes()).await;
        }
    });
    (base, seen)
}

/// Fetches bytes 10..30 and gathers what arrives.
async fn fetch(base: Url) -> (Vec<u8>, Result<(), WebFault>) {
    let (link, mut feeds, _reading) = link();
    let http = Http::new();
    run(&http, &link, Some(&WebSeed::ByPath { base }), JobId(1), FileIndex(0), 10..30).await;
    let mut data = Vec::new();
    loop {
        match feeds.recv().await.unwrap() {
            Feed::WebData(JobId(1), bytes) => data.extend_from_slice(&bytes),
            Feed::WebEnd(JobId(1), result) => return (data, result),
            other => panic!("{other:?}"),
        }
    }
}

fn kind(fault: &WebFault) -> &'static str {
    match fault {
        WebFault::Unreachable(_) => "unreachable",
        WebFault::RetryAfter(_) => "retry after",
        WebFault::Missing(_) => "missing",
        WebFault::Protocol(_) => "protocol",
    }
}

#[tokio::test]
async fn a_range_arrives() {
    let body = "abcdefghijklmnopqrst";
    let head = "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 10-29/100\r\nContent-Length: 20\r\n\r\n";
    let (base, mut requests) = serve(format!("{head}{body}")).await;
    let (data, result) = fetch(base).await;
    assert_eq!((data.as_slice(), result), (body.as_bytes(), Ok(())));
    let request = requests.recv().await.unwrap().to_lowercase();
    assert!(request.starts_with("get /files/game/a%20b http/1.1\r\n"), "{request}");
    assert!(
        request.contains("\r\nrange: bytes=10-29\r\n")
            && request.contains("\r\naccept-encoding: identity\r\n")
    );
}

#[tokio::test]
async fn a_server_that_knows_no_ranges_sends_the_whole_file() {
    let file: String = (0..LEN).map(|i| char::from(b'0' + (i % 64) as u8)).collect();
    let (base, _requests) = serve(format!("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{file}")).await;
    let (data, result) = fetch(base).await;
    assert_eq!((data.as_slice(), result), (&file.as_bytes()[10..30], Ok(())));
}

#[tokio::test]
async fn wrong_answers_are_told_apart() {
    let range = "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 10-29/100\r\n";
    for (answer, expected, delivered) in [
        ("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_owned(), "missing", 0),
        ("HTTP/1.1 416 Range Not Satisfiable\r\nContent-Length: 0\r\n\r\n".to_owned(), "missing", 0),
        ("HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n".to_owned(), "unreachable", 0),
        ("HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n".to_owned(), "retry after", 0),
        ("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n".to_owned(), "missing", 0),
        (
            "HTTP/1.1 206 Partial\r\nContent-Range: bytes 0-19/100\r\nContent-Length: 20\r\n\r\n".to_owned(),
            "protocol",
            0,
        ),
        ("HTTP/1.1 206 Partial\r\nContent-Length: 20\r\n\r\n".to_owned(), "protocol", 0),
        (format!("{range}Content-Encoding: gzip\r\nContent-Length: 20\r\n\r\n"), "protocol", 0),
        (format!("{range}Content-Length: 20\r\n\r\n12345"), "unreachable", 5),
        (format!("{range}\r\n12345"), "unreachable", 5),
        ("HTTP/1.1 302 Found\r\nLocation: http://HERE/again\r\n\r\n".to_owned(), "missing", 0),
        ("HTTP/1.1 302 Found\r\nLocation: ftp://HERE/\r\n\r\n".to_owned(), "protocol", 0),
        ("HTTP/1.1 302 Found\r\n\r\n".to_owned(), "protocol", 0),
        ("I am no web server\r\n".to_owned(), "unreachable", 0),
        (String::new(), "unreachable", 0),
    ] {
        let (base, _requests) = serve(answer.clone()).await;
        let (data, result) = fetch(base).await;
        assert_eq!((kind(&result.unwrap_err()), data.len()), (expected, delivered), "{answer}");
    }
}

#[tokio::test]
async fn redirects_are_followed_and_a_body_too_long_is_cut() {
    let head = "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 10-29/100\r\n\r\n";
    let (target, _requests) = serve(format!("{head}abcdefghijklmnopqrstuvwxyz")).await;
    let (base, _requests) =
        serve(format!("HTTP/1.1 307 There\r\nLocation: {target}x\r\nContent-Length: 0\r\n\r\n")).await;
    let (data, result) = fetch(base).await;
    assert_eq!((data.as_slice(), result), (&b"abcdefghijklmnopqrst"[..], Ok(())));
}

#[tokio::test]
async fn nobody_there() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = Url::parse(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
    drop(listener);
    let (_, result) = fetch(base).await;
    let fault = result.unwrap_err().to_string();
    assert!(fault.contains("onnection refused"), "a person can tell what is wrong: {fault}");
}
