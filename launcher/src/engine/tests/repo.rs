//! A signed repository on disk and a file server for it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use manifests::hash::{Hashed, TreeHasher};
use manifests::path::{LinkTarget, SafePath};
use manifests::release::{Art, ChannelDoc, ChannelName, GameId, ManifestFile, ReleaseManifest, Version};
use manifests::trust::UnixTime;
use manifests::trust::publisher::{InitOptions, OfflineKeys, Repository, RepositoryPaths};
use protocol::metainfo::{Mode, NewFile, TorrentBuilder, V1Hasher};
use protocol::units::Root;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// Piece length of the test's releases: files of several blocks and of several pieces are small then.
pub(super) const PIECE_LEN: u32 = 32 * 1024;

/// A build: paths and contents; a name that ends in `*` is executable, `a -> b` is a link.
pub(super) type Build<'a> = &'a [(&'a str, Vec<u8>)];

/// Bytes that differ everywhere and look like nothing else.
pub(super) fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    (0..len)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 32) as u8
        })
        .collect()
}

/// A repository with one game.
pub(super) struct Repo {
    temp: TempDir,
    repository: Repository,
    offline: OfflineKeys,
    server: Server,
    now: UnixTime,
    seed_peers: Vec<String>,
    /// How the releases that are published from now on are started.
    pub(super) launch: BTreeMap<String, String>,
    /// The pictures they have.
    pub(super) art: Art,
}

impl Repo {
    /// An empty repository for the game `maple`, signed now.
    pub(super) fn new() -> Self {
        Self::signed_at(UnixTime::from_system(SystemTime::now()))
    }

    pub(super) fn signed_at(now: UnixTime) -> Self {
        let temp = tempfile::tempdir().unwrap();
        let paths = RepositoryPaths::below(temp.path());
        let options = InitOptions::default();
        let (mut repository, mut offline) =
            Repository::init(paths, &temp.path().join("keys"), &options, now).unwrap();
        repository.add_game(&mut offline, &game(), options.releases, now).unwrap();
        let server = Server::start(temp.path().join("public"));
        Self {
            temp,
            repository,
            offline,
            server,
            now,
            seed_peers: Vec::new(),
            launch: BTreeMap::new(),
            art: Art::default(),
        }
    }

    pub(super) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/", self.server.port)
    }

    pub(super) fn root(&self) -> PathBuf {
        self.public().join("metadata/root.json")
    }

    pub(super) fn public(&self) -> PathBuf {
        self.temp.path().join("public")
    }

    /// Bytes of bodies served since the last call.
    pub(super) fn served(&self) -> u64 {
        self.server.served.swap(0, Ordering::SeqCst)
    }

    /// Publishes a build and points `stable` at it.
    pub(super) fn publish(&mut self, version: &str, build: Build<'_>) {
        let mut files = Vec::new();
        let mut torrent_files = Vec::new();
        let mut contents: Vec<(&str, &[u8])> =
            build.iter().map(|(name, bytes)| (*name, &bytes[..])).collect();
        contents.sort_by_key(|(name, _)| {
            name.trim_end_matches('*').split('/').map(str::to_owned).collect::<Vec<_>>()
        });
        for (name, bytes) in &contents {
            if let Some((path, target)) = name.split_once(" -> ") {
                let path = SafePath::parse(path).unwrap();
                let target = LinkTarget::parse(&path, target).unwrap();
                files.push(ManifestFile::symlink(path, target));
                continue;
            }
            let (path, executable) = (name.trim_end_matches('*'), name.ends_with('*'));
            let hashed = self.store(bytes);
            files.push(ManifestFile::file(SafePath::parse(path).unwrap(), hashed.identity, executable));
            torrent_files.push(new_file(path, executable, &hashed));
        }
        files.sort_by(|a, b| a.path.cmp(&b.path));
        let builder = TorrentBuilder::folder("maple", Mode::Hybrid, PIECE_LEN, torrent_files);
        let mut v1 = V1Hasher::new(&builder.layout().unwrap());
        for (_, bytes) in contents.iter().filter(|(name, _)| !name.contains(" -> ")) {
            v1.update(bytes);
        }
        let built = builder.pieces_v1(v1.finish().unwrap()).build().unwrap();
        let v2 = built.torrent.info_hash_v2.unwrap().0;
        self.put(&format!("torrents/{}.torrent", hex::encode(v2)), &built.bytes);
        let manifest = ReleaseManifest {
            game: game(),
            version: Version::parse(version).unwrap(),
            sequence: self.repository.next_sequence(&game()),
            allowed_channels: BTreeSet::from([channel(), beta()]),
            files,
            piece_len: PIECE_LEN,
            info_hash_v1: built.torrent.info_hash_v1.unwrap().0,
            info_hash_v2: v2,
            info_hash_v1_only: None,
            launch: self.launch.clone(),
            notes: format!("# {version}"),
            art: self.art,
        };
        self.repository.add_release(&mut self.offline, &manifest, self.now).unwrap();
        self.point_at(version, manifest.sequence);
    }

    fn point_at(&mut self, version: &str, sequence: u64) {
        let mut doc = ChannelDoc::new(game(), channel(), Version::parse(version).unwrap(), sequence);
        doc.seed_peers.clone_from(&self.seed_peers);
        self.repository.set_channel(&doc, self.now).unwrap();
    }

    /// Points `beta` at a release.
    pub(super) fn offer_as_beta(&mut self, version: &str, sequence: u64) {
        let doc = ChannelDoc::new(game(), beta(), Version::parse(version).unwrap(), sequence);
        self.repository.set_channel(&doc, self.now).unwrap();
    }

    /// Names a peer in the channel's signed hints.
    pub(super) fn introduce(&mut self, peer: SocketAddr) {
        self.seed_peers.push(peer.to_string());
        let doc = self.repository.channel(&game(), &channel()).unwrap().unwrap();
        self.point_at(doc.release.as_str(), doc.sequence);
    }

    pub(super) fn store(&self, bytes: &[u8]) -> Hashed {
        let mut hasher = TreeHasher::default();
        hasher.update(bytes);
        let hashed = hasher.finish();
        if !bytes.is_empty() {
            let name = format!("blobs/{}", hashed.identity);
            self.put(&name, bytes);
            self.put(&format!("{name}.leaves"), &hashed.leaves.concat());
        }
        hashed
    }

    fn put(&self, name: &str, bytes: &[u8]) {
        let path = self.public().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
}

fn game() -> GameId {
    GameId::parse("maple").unwrap()
}

fn channel() -> ChannelName {
    ChannelName::parse("stable").unwrap()
}

fn beta() -> ChannelName {
    ChannelName::parse("beta").unwrap()
}

fn new_file(path: &str, executable: bool, hashed: &Hashed) -> NewFile {
    let per_piece = (PIECE_LEN / 16_384) as usize;
    let leaves: Vec<Root> = hashed.leaves.iter().map(|leaf| Root(*leaf)).collect();
    let layer = leaves.chunks(per_piece).map(|piece| {
        let mut padded: Vec<[u8; 32]> = piece.iter().map(|leaf| leaf.0).collect();
        padded.resize(per_piece, [0; 32]);
        Root(manifests::hash::root_of_leaves(&padded))
    });
    let large = hashed.identity.len > u64::from(PIECE_LEN);
    NewFile {
        path: path.split('/').map(str::to_owned).collect(),
        len: hashed.identity.len,
        executable,
        root: (hashed.identity.len > 0).then_some(Root(hashed.identity.root)),
        piece_layer: if large { layer.collect() } else { Vec::new() },
    }
}

/// Writes a build's files to a folder, as if they had been installed some other way.
pub(super) fn lay_out(dir: &Path, build: Build<'_>) {
    for (name, bytes) in build.iter().filter(|(name, _)| !name.contains(" -> ")) {
        let path = dir.join(name.trim_end_matches('*'));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
}

/// Whether a folder holds exactly the build, `.samara/` aside.
pub(super) fn is_build(dir: &Path, build: Build<'_>) -> Result<(), String> {
    let mut expected = BTreeSet::new();
    for (name, bytes) in build {
        if let Some((path, target)) = name.split_once(" -> ") {
            expected.insert(path.to_owned());
            let found = std::fs::read_link(dir.join(path)).map_err(|error| format!("{path}: {error}"))?;
            if found != Path::new(target) {
                return Err(format!("{path} points at {found:?}"));
            }
            continue;
        }
        let path = name.trim_end_matches('*');
        expected.insert(path.to_owned());
        let found = std::fs::read(dir.join(path)).map_err(|error| format!("{path}: {error}"))?;
        if found != *bytes {
            return Err(format!("{path} has other content"));
        }
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = dir.join(path).metadata().map_err(|error| error.to_string())?.permissions().mode();
            if (mode & 0o100 != 0) != name.ends_with('*') {
                return Err(format!("{path} has mode {mode:o}"));
            }
        }
    }
    let mut found = files_below(dir, "");
    // The player's own, kept beside what replaced it.
    found.retain(|path| !path.contains(".mine-2"));
    if found == expected { Ok(()) } else { Err(format!("found {found:?}, expected {expected:?}")) }
}

fn files_below(dir: &Path, prefix: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for entry in std::fs::read_dir(dir).unwrap().map(Result::unwrap) {
        let name = format!("{prefix}{}", entry.file_name().into_string().unwrap());
        if entry.file_type().unwrap().is_dir() {
            if name != ".samara" {
                found.extend(files_below(&entry.path(), &format!("{name}/")));
            }
        } else {
            found.insert(name);
        }
    }
    found
}

/// A file server with ranges, on a thread of its own.
struct Server {
    port: u16,
    served: Arc<AtomicU64>,
    runtime: Option<tokio::runtime::Runtime>,
}

impl Server {
    fn start(public: PathBuf) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let port = listener.local_addr().unwrap().port();
        let served = Arc::new(AtomicU64::new(0));
        let counter = served.clone();
        runtime.spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(serve(socket, public.clone(), counter.clone()));
            }
        });
        Self { port, served, runtime: Some(runtime) }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn serve(mut socket: tokio::net::TcpStream, public: PathBuf, served: Arc<AtomicU64>) {
    let mut head = Vec::new();
    loop {
        let mut part = [0; 4096];
        while !head.windows(4).any(|window| window == b"\r\n\r\n") {
            match socket.read(&mut part).await {
                Ok(count) if count > 0 => head.extend_from_slice(&part[..count]),
                _ => return,
            }
        }
        let text = String::from_utf8_lossy(&head).to_lowercase();
        let original = String::from_utf8_lossy(&head).into_owned();
        head.clear();
        let path = original.split(' ').nth(1).unwrap_or("/").trim_start_matches('/').to_owned();
        let range = text.lines().find_map(|line| line.strip_prefix("range: bytes=")).map(str::to_owned);
        let answer = match std::fs::read(public.join(&path)) {
            Err(_) => b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n".to_vec(),
            Ok(body) => answer(&body, range.as_deref(), &served),
        };
        if socket.write_all(&answer).await.is_err() {
            return;
        }
    }
}

fn answer(body: &[u8], range: Option<&str>, served: &AtomicU64) -> Vec<u8> {
    let total = body.len();
    let (status, part, extra) = match range.and_then(|range| range.split_once('-')) {
        None => ("200 OK", body, String::new()),
        Some((first, last)) => {
            let first: usize = first.parse().unwrap();
            let last = last.parse::<usize>().map_or(total - 1, |last| last.min(total - 1));
            let range = format!("content-range: bytes {first}-{last}/{total}\r\n");
            ("206 Partial Content", &body[first..=last], range)
        }
    };
    served.fetch_add(part.len() as u64, Ordering::SeqCst);
    let mut answer =
        format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n{extra}\r\n", part.len()).into_bytes();
    answer.extend_from_slice(part);
    answer
}
