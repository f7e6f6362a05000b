//! The studio's side of the demo: a repository, its keys, and a running seedbox.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use seedbox::publish::{Patterns, Pictures};
use seedbox::{InitConfig, PublishOptions, Running, ServeConfig};

/// The game's id.
pub(super) const GAME: &str = "samaras";

/// A repository and the seedbox that serves it on loopback.
pub(super) struct World {
    url: String,
    root_json: PathBuf,
    data: PathBuf,
    keys: PathBuf,
    seedbox: Running,
}

impl World {
    /// Makes keys and a repository below `dir` and starts the seedbox.
    pub(super) async fn start(dir: &Path, upload_limit: u64) -> Result<World> {
        let (data, keys) = (dir.join("data"), dir.join("keys"));
        let listen = free_address()?;
        let url = format!("http://{listen}/");
        let config = InitConfig { data: data.clone(), keys: keys.clone(), public_url: Some(url.clone()) };
        let made = tokio::task::spawn_blocking(move || seedbox::init(&config)).await??;
        let config =
            ServeConfig { listen, upload_limit: Some(upload_limit), ..ServeConfig::loopback(data.clone()) };
        let seedbox = seedbox::serve(config).await?;
        Ok(World { url, root_json: made.root, data, keys, seedbox })
    }

    /// Publishes a build and waits until the seedbox offers it.
    pub(super) async fn publish(&self, build: &Path, version: &str, piece_len: Option<u32>) -> Result<()> {
        let options = PublishOptions {
            build: build.to_path_buf(),
            data: self.data.clone(),
            keys: self.keys.clone(),
            game: GAME.parse()?,
            version: version.parse()?,
            channel: launcher::engine::DEFAULT_CHANNEL.parse()?,
            notes: String::new(),
            pictures: pictures()?,
            launch: std::collections::BTreeMap::new(),
            exec: Patterns::new::<&str>([])?,
            policies: seedbox::publish::Policies::default(),
            piece_len,
            packs: seedbox::PackOptions::default(),
        };
        let before = self.seedbox.stats().releases;
        tokio::task::spawn_blocking(move || seedbox::publish(&options, &()))
            .await?
            .with_context(|| format!("publishing {}", build.display()))?;
        let mut looks = tokio::time::interval(Duration::from_millis(20));
        while self.seedbox.stats().releases <= before {
            looks.tick().await;
        }
        Ok(())
    }

    /// The repository's address.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// What players are given to trust.
    pub(super) fn root_json(&self) -> &Path {
        &self.root_json
    }

    /// Ends the seedbox.
    pub(super) async fn stop(self) -> Result<()> {
        self.seedbox.shutdown().await;
        Ok(())
    }
}

/// What the window shows the game with.
fn pictures() -> Result<Pictures> {
    let art = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/art");
    let (icon, hero) = (art.join("aurora-icon.png"), art.join("aurora-hero.png"));
    Ok(Pictures::read(Some(&icon), Some(&hero))?)
}

/// An address nobody listens at: the repository is signed for its address before anything serves it.
fn free_address() -> Result<SocketAddr> {
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok(listener.local_addr()?)
}
