//! Makes a torrent of a file or folder and prints its info-hashes as JSON: for comparison with other programs.

use anyhow::{Context as _, bail};
use clap::{Parser, ValueEnum};
use protocol::merkle::FileHasher;
use protocol::metainfo::{Mode, NewFile, TorrentBuilder, V1Hasher, canonical_order};
use std::io::Read;
use std::path::{Path, PathBuf};

#[derive(Clone, Copy, ValueEnum)]
enum Kind {
    V1,
    V2,
    Hybrid,
}

/// Makes a torrent.
#[derive(Parser)]
struct Args {
    /// Which kind.
    #[arg(long, value_enum)]
    mode: Kind,
    /// Bytes per piece.
    #[arg(long)]
    piece_len: u32,
    /// Where the torrent is written.
    #[arg(long)]
    out: Option<PathBuf>,
    /// A tracker to name in it.
    #[arg(long)]
    announce: Vec<String>,
    /// A web seed to name in it.
    #[arg(long)]
    web_seed: Vec<String>,
    /// A file or a folder.
    path: PathBuf,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let mode = match args.mode {
        Kind::V1 => Mode::V1,
        Kind::V2 => Mode::V2,
        Kind::Hybrid => Mode::Hybrid,
    };
    let name = args.path.file_name().and_then(|name| name.to_str()).context("the path has no name")?;
    let (builder, root) = if args.path.is_dir() {
        let mut files = scan(&args.path, args.piece_len)?;
        canonical_order(&mut files);
        (TorrentBuilder::folder(name, mode, args.piece_len, files), args.path.clone())
    } else {
        let file = hash(&args.path, args.piece_len)?;
        let root = args.path.parent().unwrap_or(Path::new("")).to_owned();
        (TorrentBuilder::single_file(name, mode, args.piece_len, file), root)
    };
    let builder = builder.announce(args.announce.iter().map(|url| vec![url.clone()]).collect());
    let builder = builder.url_list(args.web_seed.clone());
    let built = builder.clone().pieces_v1(pieces(&builder, &root)?).build()?;
    if let Some(out) = &args.out {
        write(out, &built.bytes)?;
    }
    let torrent = &built.torrent;
    let json = serde_json::json!({
        "info_hash_v1": torrent.info_hash_v1.map(|hash| hash.to_string()),
        "info_hash_v2": torrent.info_hash_v2.map(|hash| hash.to_string()),
        "pieces": torrent.layout.piece_count(),
    });
    println!("{json}");
    Ok(())
}

fn pieces(builder: &TorrentBuilder, root: &Path) -> anyhow::Result<Vec<[u8; 20]>> {
    let layout = builder.layout()?;
    let mut hasher = V1Hasher::new(&layout);
    for file in &layout.files {
        read(&root.join(file.path.iter().collect::<PathBuf>()), |bytes| hasher.update(bytes))?;
    }
    hasher.finish().context("a file changed while it was read")
}

fn scan(root: &Path, piece_len: u32) -> anyhow::Result<Vec<NewFile>> {
    let mut files = Vec::new();
    for entry in walkdir::WalkDir::new(root) {
        let entry = entry?;
        if entry.file_type().is_symlink() {
            bail!("{} is a link", entry.path().display());
        }
        if entry.file_type().is_file() {
            let relative = entry.path().strip_prefix(root)?;
            let names =
                relative.iter().map(|name| name.to_str().map(str::to_owned).context("a name is not UTF-8"));
            let path = names.collect::<anyhow::Result<Vec<_>>>()?;
            files.push(NewFile { path, ..hash(entry.path(), piece_len)? });
        }
    }
    Ok(files)
}

fn hash(path: &Path, piece_len: u32) -> anyhow::Result<NewFile> {
    let mut hasher = FileHasher::new();
    read(path, |bytes| hasher.update(bytes))?;
    let hashes = hasher.finish();
    let piece_layer = hashes.piece_layer(piece_len);
    Ok(NewFile {
        path: Vec::new(),
        len: hashes.len,
        executable: executable(path)?,
        root: hashes.root,
        piece_layer,
    })
}

#[cfg(unix)]
fn executable(path: &Path) -> anyhow::Result<bool> {
    use std::os::unix::fs::PermissionsExt as _;
    Ok(path.metadata()?.permissions().mode() & 0o100 != 0)
}

#[cfg(not(unix))]
fn executable(_: &Path) -> anyhow::Result<bool> {
    Ok(false)
}

#[allow(clippy::disallowed_methods, reason = "a tool's own reading of the tree it was given")]
fn read(path: &Path, mut each: impl FnMut(&[u8])) -> anyhow::Result<()> {
    let mut file = std::fs::File::open(path).with_context(|| path.display().to_string())?;
    let mut buf = vec![0; 1 << 20];
    loop {
        match file.read(&mut buf)? {
            0 => return Ok(()),
            n => each(&buf[..n]),
        }
    }
}

#[allow(clippy::disallowed_methods, reason = "a tool's own output")]
fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    std::fs::write(path, bytes).with_context(|| path.display().to_string())
}
