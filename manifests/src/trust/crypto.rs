//! Signature checks for `sigstore-tuf`, by `ring`.
//!
//! Its own default, `aws-lc-rs`, needs more than a C compiler to cross-build for Windows; `ring` is in the launcher
//! already, below rustls. Our repositories use ed25519 only; the other schemes are for repositories of other makers.

use ring::signature::{self, UnparsedPublicKey, VerificationAlgorithm};
use sha2::{Digest, Sha256, Sha384, Sha512};
use sigstore_crypto::{CryptoProvider, Error, HashContext, SigningScheme, install_default_provider};
use sigstore_types::HashAlgorithm;

#[derive(Debug)]
struct Ring;

/// Makes `sigstore-tuf` use this module. Harmless when called again.
pub(crate) fn install() {
    // The only error is that a provider is there: ours, or the choice of the program around us.
    let _ = install_default_provider(&Ring);
}

struct Hasher<D>(D);

impl<D: Digest + Send> HashContext for Hasher<D> {
    fn update(&mut self, data: &[u8]) {
        self.0.update(data);
    }

    fn finalize(self: Box<Self>) -> Vec<u8> {
        self.0.finalize().to_vec()
    }
}

impl CryptoProvider for Ring {
    fn hash(&self, algorithm: HashAlgorithm) -> Result<Box<dyn HashContext>, Error> {
        match algorithm {
            HashAlgorithm::Sha2256 => Ok(Box::new(Hasher(Sha256::new()))),
            HashAlgorithm::Sha2384 => Ok(Box::new(Hasher(Sha384::new()))),
            HashAlgorithm::Sha2512 => Ok(Box::new(Hasher(Sha512::new()))),
            other => Err(Error::UnsupportedAlgorithm(other.to_string())),
        }
    }

    fn verify_raw(
        &self,
        scheme: SigningScheme,
        spki_pubkey_bytes: &[u8],
        data: &[u8],
        signature: &[u8],
    ) -> Result<(), Error> {
        let algorithm: &'static dyn VerificationAlgorithm = match scheme {
            SigningScheme::Ed25519 => &signature::ED25519,
            SigningScheme::EcdsaP256Sha256 => &signature::ECDSA_P256_SHA256_ASN1,
            SigningScheme::EcdsaP384Sha384 => &signature::ECDSA_P384_SHA384_ASN1,
            SigningScheme::RsaPssSha256 => &signature::RSA_PSS_2048_8192_SHA256,
            SigningScheme::RsaPssSha384 => &signature::RSA_PSS_2048_8192_SHA384,
            SigningScheme::RsaPssSha512 => &signature::RSA_PSS_2048_8192_SHA512,
            other => return Err(Error::UnsupportedAlgorithm(other.name().to_owned())),
        };
        UnparsedPublicKey::new(algorithm, spki_pubkey_bytes)
            .verify(data, signature)
            .map_err(|_| Error::Verification(format!("{} signature invalid", scheme.name())))
    }

    fn verify_prehashed(
        &self,
        scheme: SigningScheme,
        _spki_pubkey_bytes: &[u8],
        _digest: &[u8],
        _signature: &[u8],
    ) -> Result<(), Error> {
        // TUF signs messages, not digests.
        Err(Error::UnsupportedAlgorithm(format!("{} over a digest", scheme.name())))
    }
}
