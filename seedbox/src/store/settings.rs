//! What was chosen at `init` and goes into every publish.

use super::{DataDir, read_bounded};
use crate::error::{DiskContext as _, Error, Result};
use serde::{Deserialize, Serialize};

const MAX_SETTINGS_LEN: u64 = 64 * 1024;
const SCHEMA: u32 = 1;

/// `state/seedbox.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    schema: u32,
    /// Where players reach `public/` and the tracker, without a slash at the end. Without it torrents carry no
    /// tracker and no web seed, and launchers use the address they were given.
    pub public_url: Option<String>,
}

impl Settings {
    /// Settings for a new repository.
    ///
    /// # Errors
    /// [`Error::Option`] when the URL is no http(s) URL or has a query or fragment.
    pub fn new(public_url: Option<&str>) -> Result<Settings> {
        let public_url = public_url.map(check_url).transpose()?;
        Ok(Settings { schema: SCHEMA, public_url })
    }

    /// Reads them.
    ///
    /// # Errors
    /// [`Error::RepositoryDamaged`], or the disk's.
    pub fn read(dir: &DataDir) -> Result<Settings> {
        let path = dir.settings_path();
        let bytes = read_bounded(&path, MAX_SETTINGS_LEN).at(&path)?;
        let settings: Settings = serde_json::from_slice(&bytes)
            .map_err(|error| Error::RepositoryDamaged(format!("state/seedbox.json: {error}")))?;
        if settings.schema != SCHEMA {
            let why =
                format!("state/seedbox.json has schema {}, this program knows {SCHEMA}", settings.schema);
            return Err(Error::RepositoryDamaged(why));
        }
        Ok(settings)
    }

    /// Writes them.
    ///
    /// # Errors
    /// The disk's.
    pub fn write(&self, dir: &DataDir) -> Result<()> {
        let json = serde_json::to_vec_pretty(self).map_err(|e| Error::RepositoryDamaged(e.to_string()))?;
        dir.write_atomic(&dir.settings_path(), &json)
    }

    /// `<public-url>/announce`.
    #[must_use]
    pub fn tracker(&self) -> Option<String> {
        self.public_url.as_ref().map(|base| format!("{base}/announce"))
    }

    /// `<public-url>/files/`: web seed by path (BEP 19; the slash makes clients append the torrent's name).
    #[must_use]
    pub fn files_base(&self) -> Option<String> {
        self.public_url.as_ref().map(|base| format!("{base}/files/"))
    }

    /// `<public-url>/packs/`: packs by content.
    #[must_use]
    pub fn packs_base(&self) -> Option<String> {
        self.public_url.as_ref().map(|base| format!("{base}/packs/"))
    }

    /// `<public-url>/blobs/`: web seed by content.
    #[must_use]
    pub fn blobs_base(&self) -> Option<String> {
        self.public_url.as_ref().map(|base| format!("{base}/blobs/"))
    }
}

fn check_url(text: &str) -> Result<String> {
    let refuse = |why: &str| Error::Option { option: "--public-url", value: text.into(), why: why.into() };
    let url = url::Url::parse(text).map_err(|error| refuse(&error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err(refuse("it must begin with http:// or https:// and name a host"));
    }
    if url.query().is_some()
        || url.fragment().is_some()
        || !url.username().is_empty()
        || url.password().is_some()
    {
        return Err(refuse("it must not have a user, a query or a fragment"));
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_urls_in_a_table() {
        let cases = [
            ("http://127.0.0.1:8000", Some("http://127.0.0.1:8000")),
            ("http://127.0.0.1:8000/", Some("http://127.0.0.1:8000")),
            ("https://games.example/samara/", Some("https://games.example/samara")),
            ("http://[::1]:80", Some("http://[::1]")),
            ("games.example", None),
            ("ftp://games.example", None),
            ("https://user@games.example", None),
            ("https://games.example/?a=b", None),
            ("https://games.example/#x", None),
            ("", None),
        ];
        for (given, expected) in cases {
            let settings = Settings::new(Some(given)).ok();
            assert_eq!(settings.and_then(|s| s.public_url).as_deref(), expected, "{given}");
        }
        assert_eq!(Settings::new(None).unwrap().tracker(), None);
    }
}
