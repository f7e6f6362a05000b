//! Our engine as one headless peer of a plain torrent, without repository and launcher: what interop tests and
//! benchmarks put beside other clients. Prints JSON lines, and goes on seeding until it is ended.

use anyhow::Context as _;
use clap::Parser;
use protocol::blockset::BlockSet;
use protocol::disk::{DirSource, FileStore, MmapStore, Store};
use protocol::merkle::FileHasher;
use protocol::metainfo::Torrent;
use protocol::net::{AddSwarm, Node, NodeConfig, SwarmHandle, WebSeed};
use protocol::swarm::{Command, Content, Event, Role};
use protocol::units::{FileIndex, Root};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::io::Read as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;
use url::Url;

/// One peer.
#[derive(Parser)]
struct Args {
    /// The torrent.
    #[arg(long)]
    torrent: PathBuf,
    /// The folder in which the torrent's file or folder lies, or will.
    #[arg(long)]
    data: PathBuf,
    /// Everything is there: it is offered without being checked first.
    #[arg(long)]
    seed: bool,
    /// Where peers connect to us.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Peers to connect to.
    #[arg(long)]
    peer: Vec<SocketAddr>,
    /// Trackers; those in the torrent are not used.
    #[arg(long)]
    tracker: Vec<String>,
    /// Web seeds by path; those in the torrent are not used.
    #[arg(long)]
    web_seed: Vec<Url>,
    /// Takes no peers: web seeds only.
    #[arg(long)]
    no_peers: bool,
    /// Maps the files to seed them, as a seedbox does.
    #[arg(long, requires = "seed")]
    map: bool,
    /// Says "ready" and connects to peers only after a line on standard input.
    #[arg(long)]
    wait: bool,
    /// Ends when the download is complete instead of seeding on.
    #[arg(long)]
    exit: bool,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let torrent = Arc::new(Torrent::parse(&read(&args.torrent)?)?);
    let root = if torrent.single_file { args.data.clone() } else { args.data.join(&torrent.name) };
    make_empty_files(&torrent, &root)?;
    let content = content(&torrent, &root, args.seed)?;
    let paths = torrent.layout.files.iter().map(|file| file.path.iter().collect::<PathBuf>());
    let source = DirSource::new(&root, paths)?;
    let store: Arc<dyn Store> =
        if args.map { Arc::new(MmapStore::new(source)) } else { Arc::new(FileStore::new(source)) };

    let role = if args.seed { Role::Seedbox } else { Role::Launcher };
    let node = Node::start(NodeConfig::new(role, Some(args.listen))).await?;
    say(&json!({"event": "listening", "addr": node.local_addr()}));
    let mut add = AddSwarm::new(content, store).trackers(&args.tracker)?;
    if !args.wait {
        add.peers.clone_from(&args.peer);
    }
    add.use_peers = !args.no_peers;
    add.web_seeds = args.web_seed.iter().map(|base| WebSeed::ByPath { base: base.clone() }).collect();
    let swarm = node.add(add).await?;
    if args.wait {
        say(&json!({"event": "ready"}));
        tokio::task::spawn_blocking(|| std::io::stdin().read_line(&mut String::new())).await??;
        swarm.command(Command::AddPeers(args.peer.clone()))?;
    }
    follow(swarm, args.exit).await;
    node.shutdown().await;
    Ok(())
}

/// Tells what happens until the swarm stops, or the content is complete if that is all that was asked for.
#[allow(clippy::disallowed_methods, reason = "a tool's own clock")]
async fn follow(mut swarm: SwarmHandle, exit: bool) {
    let start = Instant::now();
    while let Some(event) = swarm.events.recv().await {
        match event {
            Event::PieceVerified(_) | Event::BlocksVerified(_) => {}
            Event::Completed => {
                say(&done(&swarm, start));
                if exit {
                    return swarm.shutdown().await;
                }
            }
            Event::Stopped => return,
            other => say(&json!({"event": "note", "text": format!("{other:?}")})),
        }
    }
}

fn done(swarm: &SwarmHandle, start: Instant) -> Value {
    let stats = swarm.stats();
    json!({
        "event": "done",
        "seconds": start.elapsed().as_secs_f64(),
        "bytes_lan": stats.received.lan,
        "bytes_peers": stats.received.peers,
        "bytes_origin": stats.received.origin,
        "bytes_web": stats.received.web,
        "bytes_wasted": stats.wasted_bytes,
    })
}

/// A seed has every block and knows the leaf hashes, so that it can answer every hash request.
fn content(torrent: &Arc<Torrent>, root: &Path, seed: bool) -> anyhow::Result<Content> {
    let blocks = torrent.layout.block_count();
    let mut leaves = HashMap::new();
    if seed && torrent.has_v2() {
        for (index, file) in (0..).zip(&torrent.layout.files) {
            let hashes: Arc<[Root]> = leaves_of(&root.join(file.path.iter().collect::<PathBuf>()))?.into();
            leaves.insert(FileIndex(index), hashes);
        }
    }
    let have = if seed { BlockSet::full(blocks) } else { BlockSet::new(blocks) };
    Ok(Content { torrent: torrent.clone(), have, wanted: BlockSet::full(blocks), leaves })
}

/// Empty files have no piece, so no swarm brings them.
#[allow(clippy::disallowed_methods, reason = "a tool's own files")]
fn make_empty_files(torrent: &Torrent, root: &Path) -> anyhow::Result<()> {
    for file in torrent.layout.files.iter().filter(|file| file.len == 0) {
        let path = root.join(file.path.iter().collect::<PathBuf>());
        if !path.exists() {
            std::fs::create_dir_all(path.parent().unwrap_or(root))?;
            std::fs::File::create(&path).with_context(|| path.display().to_string())?;
        }
    }
    Ok(())
}

#[allow(clippy::disallowed_methods, reason = "a tool's own reading of the tree it was given")]
fn leaves_of(path: &Path) -> anyhow::Result<Vec<Root>> {
    let mut file = std::fs::File::open(path).with_context(|| path.display().to_string())?;
    let mut hasher = FileHasher::new();
    let mut buf = vec![0; 1 << 20];
    loop {
        match file.read(&mut buf)? {
            0 => return Ok(hasher.finish().leaves),
            n => hasher.update(&buf[..n]),
        }
    }
}

#[allow(clippy::disallowed_methods, reason = "a tool's own input")]
fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(path).with_context(|| path.display().to_string())
}

fn say(line: &Value) {
    println!("{line}");
}
