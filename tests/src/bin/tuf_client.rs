//! Our verifying TUF client under the command line that the public conformance suite drives:
//!
//! ```text
//! tuf_client --metadata-dir D init ROOT
//! tuf_client --metadata-dir D --metadata-url U refresh
//! tuf_client --metadata-dir D --metadata-url U --target-name T --target-dir TD --target-base-url B download
//! ```
//!
//! Options in any order, `--target-name` any number of times; exit 0 or 1. D holds the trusted metadata under
//! unversioned names, delegated roles percent-encoded.
#![allow(
    clippy::disallowed_methods,
    reason = "a program that reads the clock and writes the files it was asked for"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result};
use clap::{Parser, ValueEnum};
use manifests::trust::client::{FetchError, FetchFuture, Transport};
use manifests::trust::{Client, Freshness, UnixTime};
use url::Url;

/// Longest a request may take.
const DEADLINE: Duration = Duration::from_secs(60);
/// Longest root file read.
const MAX_ROOT_BYTES: u64 = 512 << 10;

#[derive(Clone, Copy, ValueEnum)]
enum Command {
    /// Trust a root.
    Init,
    /// Bring the metadata up to date.
    Refresh,
    /// Bring the metadata up to date and get targets.
    Download,
}

#[derive(Parser)]
struct Args {
    /// What to do.
    command: Command,
    /// The root to trust (with `init`).
    root: Option<PathBuf>,
    /// Where trusted metadata is kept.
    #[arg(long)]
    metadata_dir: PathBuf,
    /// Where the repository's metadata is.
    #[arg(long)]
    metadata_url: Option<Url>,
    /// A target to get.
    #[arg(long)]
    target_name: Vec<String>,
    /// Where to put it.
    #[arg(long)]
    target_dir: Option<PathBuf>,
    /// Where the repository's targets are.
    #[arg(long)]
    target_base_url: Option<Url>,
}

/// Metadata and targets each below their own address.
struct Http {
    client: reqwest::Client,
    metadata: Url,
    targets: Option<Url>,
}

impl Transport for Http {
    fn fetch<'a>(&'a self, path: &'a str, limit: u64) -> FetchFuture<'a> {
        Box::pin(async move { get(self, path, limit).await })
    }
}

async fn get(http: &Http, path: &str, limit: u64) -> Result<Option<Vec<u8>>, FetchError> {
    let failed = |what: &dyn std::fmt::Display| FetchError::Failed(what.to_string());
    let (base, name) = match (path.strip_prefix("metadata/"), path.strip_prefix("targets/"), &http.targets) {
        (Some(name), _, _) => (&http.metadata, name),
        (_, Some(name), Some(base)) => (base, name),
        _ => return Err(failed(&"no --target-base-url")),
    };
    let url = base.join(name).map_err(|error| failed(&error))?;
    let mut response = http.client.get(url).send().await.map_err(|error| failed(&error))?;
    match response.status().as_u16() {
        403 | 404 => return Ok(None),
        200 => {}
        status => return Err(failed(&format!("status {status}"))),
    }
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| failed(&error))? {
        if bytes.len() as u64 + chunk.len() as u64 > limit {
            return Err(FetchError::TooLarge);
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(Some(bytes))
}

/// A base must end in a slash for names to be joined below it.
fn folder(mut url: Url) -> Url {
    if !url.path().ends_with('/') {
        let path = format!("{}/", url.path());
        url.set_path(&path);
    }
    url
}

fn read_root(path: &Path) -> Result<Vec<u8>> {
    let len = fs::metadata(path).with_context(|| format!("no root at {}", path.display()))?.len();
    anyhow::ensure!(len <= MAX_ROOT_BYTES, "{} is too long for a root", path.display());
    Ok(fs::read(path)?)
}

fn client(args: &Args) -> Result<Client> {
    let metadata = args.metadata_url.clone().context("--metadata-url is needed")?;
    // The only error is that one is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let http = Http {
        client: reqwest::Client::builder().timeout(DEADLINE).no_proxy().build()?,
        metadata: folder(metadata),
        targets: args.target_base_url.clone().map(folder),
    };
    let root = read_root(&args.metadata_dir.join("root.json"))?;
    Ok(Client::open(&root, &args.metadata_dir, http)?)
}

fn init(args: &Args) -> Result<()> {
    let root = read_root(args.root.as_deref().context("init needs a root file")?)?;
    // Opened once for its check of the root.
    let nowhere = manifests::trust::client::FolderTransport::new(&args.metadata_dir);
    Client::open(&root, &args.metadata_dir, nowhere)?;
    fs::create_dir_all(&args.metadata_dir)?;
    fs::write(args.metadata_dir.join("root.json"), root)?;
    Ok(())
}

async fn refresh(args: &Args) -> Result<Client> {
    let mut client = client(args)?;
    let result = client.refresh(UnixTime::from_system(SystemTime::now()), Freshness::Required).await;
    // What the suite reads is the flat folder: the newest root stands in for its history.
    for private in ["root_history", "local"] {
        let _ = fs::remove_dir_all(args.metadata_dir.join(private));
    }
    result.map_err(|error| anyhow::anyhow!("{}: {error}", error.code()))?;
    Ok(client)
}

async fn download(args: &Args) -> Result<()> {
    let dir = args.target_dir.as_ref().context("--target-dir is needed")?;
    anyhow::ensure!(!args.target_name.is_empty(), "--target-name is needed");
    let mut client = refresh(args).await?;
    for name in &args.target_name {
        let path = dir.join(local_name(name));
        let there = fs::read(&path).ok();
        let result = client.target(name, there.clone()).await;
        let bytes = result.map_err(|error| anyhow::anyhow!("{}: {error}", error.code()))?;
        if there.as_ref() != Some(&bytes) {
            path.parent().map_or(Ok(()), fs::create_dir_all)?;
            fs::write(&path, bytes)?;
        }
    }
    Ok(())
}

/// The target's path below the target folder; only its last part when it would lead out.
fn local_name(target: &str) -> PathBuf {
    let path = Path::new(target.trim_start_matches('/'));
    let inside = path.components().all(|part| matches!(part, std::path::Component::Normal(_)));
    if inside { path.to_owned() } else { path.file_name().map(PathBuf::from).unwrap_or_default() }
}

#[tokio::main]
async fn main() -> ExitCode {
    let Ok(args) = Args::try_parse().inspect_err(|error| eprintln!("{error}")) else {
        return ExitCode::FAILURE;
    };
    let done = match args.command {
        Command::Init => init(&args),
        Command::Refresh => refresh(&args).await.map(drop),
        Command::Download => download(&args).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tuf_client: {error:#}");
            ExitCode::FAILURE
        }
    }
}
