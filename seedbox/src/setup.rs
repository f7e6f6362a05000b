//! `seedbox init` and `seedbox refresh`.

use crate::error::{Error, Result};
use crate::platform;
use crate::publish::open_repository;
use crate::store::{DataDir, Settings};
use manifests::trust::publisher::{InitOptions, PublishError, Repository, RepositoryPaths};
use serde::Serialize;
use std::path::PathBuf;

/// What a new repository is made with.
#[derive(Clone, Debug)]
pub struct InitConfig {
    /// The data folder.
    pub data: PathBuf,
    /// The folder for the offline keys; best on a disk that leaves the server.
    pub keys: PathBuf,
    /// Where players will reach it.
    pub public_url: Option<String>,
}

/// What `init` made.
#[derive(Clone, Debug, Serialize)]
pub struct Initialised {
    /// The file that players' launchers are given.
    pub root: PathBuf,
    /// The data folder.
    pub data: PathBuf,
    /// The folder of the offline keys.
    pub keys: PathBuf,
}

/// Makes a repository and its keys. Cut short, it can be run again.
///
/// # Errors
/// `E-REPO-EXISTS`, `E-OPTION`, or the disk's.
pub fn init(config: &InitConfig) -> Result<Initialised> {
    let settings = Settings::new(config.public_url.as_deref())?;
    if config.keys.starts_with(config.data.join("public")) {
        let value = config.keys.display().to_string();
        let why = "keys must not lie in the folder that is shown to the world".to_owned();
        return Err(Error::Option { option: "--keys", value, why });
    }
    let dir = DataDir::create(&config.data)?;
    let paths = RepositoryPaths::below(dir.root());
    match Repository::init(paths, &config.keys, &InitOptions::default(), platform::now()) {
        // There are no settings yet, so this is an `init` that was cut short right here.
        Ok(_) | Err(PublishError::Exists { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    // Last: a folder without settings is not a repository yet.
    settings.write(&dir)?;
    Ok(Initialised {
        root: dir.metadata().join("root.json"),
        data: config.data.clone(),
        keys: config.keys.clone(),
    })
}

/// Signs what expires soon with the online keys. `serve` does so every day; a repository behind a plain web server
/// needs it from outside.
///
/// # Errors
/// `E-REPO-…`, `E-KEY-…`, or the disk's.
pub fn refresh(data: &std::path::Path) -> Result<()> {
    let dir = DataDir::open(data)?;
    Ok(open_repository(&dir)?.refresh(platform::now())?)
}
