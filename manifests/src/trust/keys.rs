//! Signing keys: ed25519, PKCS#8 PEM, one file each, readable by their owner only.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey, EncodePrivateKey};
use ed25519_dalek::{Signer, SigningKey};
use sha2::{Digest, Sha256};

use super::files;
use super::json::canonical;
use super::model::{KeyVal, Signature, TufKey};
use super::publisher::PublishError;

/// Longest key file read, in bytes.
const MAX_KEY_BYTES: u64 = 16 << 10;
/// Most key files read from one folder.
const MAX_KEYS: usize = 1024;

/// The private keys at hand, by key id. Several folders can be joined when a role needs keys that are kept apart.
#[derive(Default, Clone)]
pub struct Keyring {
    keys: BTreeMap<String, SigningKey>,
    folders: Vec<PathBuf>,
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyring").field("ids", &self.keys.keys()).field("folders", &self.folders).finish()
    }
}

impl Keyring {
    /// No keys.
    pub fn empty() -> Self {
        Self::default()
    }

    /// Every `*.pem` in a folder.
    ///
    /// # Errors
    /// [`PublishError::KeyFolder`] when the folder cannot be read, [`PublishError::KeyFile`] for a file that is not a
    /// private ed25519 key.
    pub fn load(folder: &Path) -> Result<Self, PublishError> {
        let mut ring = Self::empty();
        ring.add_folder(folder)?;
        Ok(ring)
    }

    /// Adds every `*.pem` of a further folder.
    ///
    /// # Errors
    /// As [`Keyring::load`].
    pub fn add_folder(&mut self, folder: &Path) -> Result<(), PublishError> {
        let unreadable = |source| PublishError::KeyFolder { path: folder.to_owned(), source };
        let names = files::list(folder, ".pem", MAX_KEYS).map_err(unreadable)?;
        for name in names {
            self.add(read_key(&folder.join(name))?);
        }
        self.folders.push(folder.to_owned());
        Ok(())
    }

    /// Takes over the keys of another ring.
    pub(crate) fn join(&mut self, other: &Self) {
        self.keys.extend(other.keys.iter().map(|(id, key)| (id.clone(), key.clone())));
        self.folders.extend(other.folders.iter().cloned());
    }

    fn add(&mut self, key: SigningKey) -> String {
        let id = key_id(&public_key(&key));
        self.keys.insert(id.clone(), key);
        id
    }

    /// Loads `folder/name.pem`, or makes it when it does not exist; returns the public half with its id.
    pub(crate) fn load_or_create(
        &mut self,
        folder: &Path,
        name: &str,
    ) -> Result<(String, TufKey), PublishError> {
        let path = folder.join(format!("{name}.pem"));
        let key = match files::exists(&path) {
            true => read_key(&path)?,
            false => create_key(folder, &path)?,
        };
        let public = public_key(&key);
        Ok((self.add(key), public))
    }

    /// Signatures over `message` by each of `ids` that is at hand.
    pub(crate) fn sign(&self, ids: &[String], message: &[u8]) -> Vec<Signature> {
        let mine = ids.iter().filter_map(|id| Some((id, self.keys.get(id)?)));
        mine.map(|(id, key)| Signature { keyid: id.clone(), sig: hex::encode(key.sign(message).to_bytes()) })
            .collect()
    }

    pub(crate) fn count(&self, ids: &[String]) -> usize {
        ids.iter().filter(|id| self.keys.contains_key(*id)).count()
    }

    /// The folders read, for messages.
    pub fn folders(&self) -> &[PathBuf] {
        &self.folders
    }
}

fn public_key(key: &SigningKey) -> TufKey {
    TufKey {
        keytype: "ed25519".to_owned(),
        scheme: "ed25519".to_owned(),
        keyval: KeyVal { public: hex::encode(key.verifying_key().to_bytes()) },
    }
}

/// SHA-256 of the key's canonical JSON, as the specification suggests (§4.2).
fn key_id(key: &TufKey) -> String {
    // Three short ASCII strings always have a canonical form.
    hex::encode(Sha256::digest(canonical(key).unwrap_or_default()))
}

fn read_key(path: &Path) -> Result<SigningKey, PublishError> {
    let bad = |reason: String| PublishError::KeyFile { path: path.to_owned(), reason };
    let bytes = files::read(path, MAX_KEY_BYTES).map_err(|e| bad(e.to_string()))?;
    let text = std::str::from_utf8(&bytes).map_err(|_| bad("it is not text".to_owned()))?;
    SigningKey::from_pkcs8_pem(text).map_err(|e| bad(format!("it is not an ed25519 key in PKCS#8 PEM ({e})")))
}

fn create_key(folder: &Path, path: &Path) -> Result<SigningKey, PublishError> {
    let bad = |reason: String| PublishError::KeyFile { path: path.to_owned(), reason };
    let key = SigningKey::from_bytes(&rand::random());
    let pem = key.to_pkcs8_pem(LineEnding::LF).map_err(|e| bad(e.to_string()))?;
    files::create_private_dir(folder)
        .map_err(|source| PublishError::KeyFolder { path: folder.to_owned(), source })?;
    files::create_private(path, pem.as_bytes()).map_err(|e| bad(e.to_string()))?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_made_once_and_read_again() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("keys");
        let mut ring = Keyring::empty();
        let (id, public) = ring.load_or_create(&folder, "root-1").unwrap();
        assert_eq!(ring.load_or_create(&folder, "root-1").unwrap(), (id.clone(), public.clone()));
        let read = Keyring::load(&folder).unwrap();
        let [signature] = &read.sign(&[id.clone(), "other".into()], b"m")[..] else { unreachable!() };
        assert_eq!(signature.keyid, id);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
            assert_eq!(mode(&folder.join("root-1.pem")), 0o600);
            assert_eq!(mode(&folder), 0o700);
        }
        assert!(!format!("{read:?}").contains("SigningKey"));
    }

    #[test]
    fn bad_key_files_are_named() {
        let dir = tempfile::tempdir().unwrap();
        assert!(matches!(Keyring::load(&dir.path().join("none")), Err(PublishError::KeyFolder { .. })));
        files::create_private(&dir.path().join("a.pem"), b"-----BEGIN PRIVATE KEY-----\nAAAA\n").unwrap();
        let error = Keyring::load(dir.path()).unwrap_err();
        assert_eq!(error.code(), "E-KEY-BAD");
    }
}
